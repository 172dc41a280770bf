"""`digest editions` and `deliveries`."""

import csv
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from typing import IO, TYPE_CHECKING, Any

import click

from digest.cli.options import ID, by_option, current_newsroom, limit_option
from digest.cli.output import counted, emit_json, fault, heading, json_option, local, show, table
from digest.errors import NotReadyError

if TYPE_CHECKING:
    from digest.store.database import Database

STATES = ("queued", "handed", "sent", "failed", "uncertain", "skipped")
COLUMNS = (
    *("id", "digest", "number", "edition_id", "recipient_id", "address", "status", "attempts"),
    *("due_at", "handed_at", "settled_at", "server", "answer", "reason"),
)
notices_option = click.option(
    "--notices", is_flag=True, default=False, help="Mails beside the editions, such as alerts."
)
ONE_FORM = "Give --csv or --json, not both."


@click.group()
def editions() -> None:
    """Show, edit, approve, hold and cancel the issues of each digest."""


@editions.command("list")
@click.option("--digest", metavar="NAME", help="Only of this digest.")
@limit_option(50)
@json_option
def list_editions(digest: str | None, limit: int, as_json: bool) -> None:
    """List the newest editions with their deliveries."""
    from digest.editions.store import list_editions as stored
    from digest.store.database import moment_from_text

    newsroom = current_newsroom()
    with newsroom.open(read_only=True) as newsroom:
        rows = stored(newsroom.db, digest=digest, limit=limit)
    zone = newsroom.settings.site.time_zone
    show(
        as_json,
        rows,
        f"{counted(len(rows), 'edition')}. Next: digest send --dry-run shows the next one.",
        ("id", "digest", "no.", "until", "status", "articles", "deliveries"),
        (
            (
                row["id"],
                row["digest"],
                row["number"],
                local(moment_from_text(row["ends_at"]), zone),
                status_line(row["status"], row["deliveries"]),
                row["articles"],
                deliveries_line(row["deliveries"]),
            )
            for row in rows
        ),
        wide="deliveries",
    )


def status_line(status: str, counts: dict[str, int]) -> str:
    """As stored, but a composed edition is "sending" while mail of it waits, and "sent" after that."""
    if status != "composed" or not counts:
        return status
    return "sending" if counts.get("queued") or counts.get("handed") else "sent"


def deliveries_line(counts: dict[str, int]) -> str:
    """3 sent, 1 queued."""
    return ", ".join(f"{count:,} {status}" for status, count in counts.items()) or "none"


@editions.command("show")
@click.argument("edition_id", type=ID, metavar="ID")
@click.option("--csv", "as_csv", is_flag=True, default=False, help="Its deliveries as CSV.")
@json_option
def show_edition(edition_id: int, as_csv: bool, as_json: bool) -> None:
    """Show the articles and deliveries of an edition or draft."""
    from digest.editions.compose import segments as wanted
    from digest.editions.deliveries import list_deliveries
    from digest.editions.drafts import draft_of
    from digest.editions.store import (
        audience_of,
        delivery_counts,
        draft_row,
        edition_by_id,
        edition_note,
        edition_row,
        segments_of,
    )
    from digest.store.database import moment_from_text

    if as_csv and as_json:
        raise click.UsageError(ONE_FORM)
    newsroom = current_newsroom()
    with newsroom.open(read_only=True) as newsroom:
        edition = edition_by_id(newsroom.db, edition_id)
        if as_csv:
            print_csv(list_deliveries(newsroom.db, edition_id=edition_id))
            return
        counts = delivery_counts(newsroom.db, edition_id)
        recipients = audience_of(newsroom.db, edition_id)
        segments = segments_of(newsroom.db, edition_id)
        note = edition_note(newsroom.db, edition_id)
        row = edition_row(newsroom.db, edition_id)
        audience = f"{recipients:,} = {deliveries_line(counts)}"
        if draft_row(newsroom.db, edition_id) is not None:
            digest, edition = draft_of(newsroom, edition_id)
            would = sum(one.recipients for one in wanted(newsroom, digest, edition.window))
            audience = f"{would:,} if it is approved now"
    hand, left_out = asdict(edition.hand), edition.hand.left_out
    window, total = edition.window, sum(counts.values())
    if as_json:
        emit_json(
            {
                "id": edition.id,
                "digest": edition.digest,
                "number": edition.number,
                "status": edition.status.value,
                "starts_at": window.starts_at,
                "ends_at": window.ends_at,
                "hash": edition.hash,
                "deliveries": counts,
                "recipients": recipients,
                "balanced": recipients == total,
                "segments": [
                    {
                        "id": segment_id,
                        "language": segment.choice.language,
                        "languages": list(segment.choice.languages),
                        "themes": list(segment.choice.themes),
                        **asdict(segment.choice.extras),
                        "recipients": segment.recipients,
                    }
                    for segment_id, segment in segments
                ],
                "articles": [
                    {
                        "position": one.position,
                        "id": one.article.id,
                        "version": one.article.version,
                        "title": one.article.title,
                        "language": one.article.language,
                        "themes": list(one.article.themes),
                    }
                    for one in edition.placements
                ],
                "note": note,
                "hand": hand,
                **{
                    key: row[key]
                    for key in ("edited_by", "edited_at", "approved_by", "approved_at")
                },
            }
        )
        return
    config = newsroom.settings.digest(edition.digest)
    zone = newsroom.settings.digest_zone(config) if config else newsroom.settings.site.time_zone
    status = status_line(edition.status, counts)

    def at(moment: str) -> str:
        return local(moment_from_text(moment), zone)

    table(
        ("", ""),
        [
            ("edition", f"{edition.id}: {edition.digest} no. {edition.number}, {status}"),
            ("window", f"{local(window.starts_at, zone)} to {local(window.ends_at, zone)} {zone}"),
            ("hash", edition.hash),
            ("recipients", audience),
            *([("note", note)] if note else []),
            *((f"subject, {code}", text) for code, text in hand["subject"].items()),
            *((f"introduction, {code}", text) for code, text in hand["introduction"].items()),
            *(
                (name, ", ".join(map(str, ids)))
                for name, ids in (
                    ("lead", [hand["lead"]] if hand["lead"] else []),
                    ("first", hand["order"]),
                    ("dropped", [one for one in left_out if one not in hand["carried"]]),
                    ("postponed", hand["carried"]),
                )
                if ids
            ),
            *(
                (name, f"{row[f'{name}_by']}, {at(row[f'{name}_at'])}")
                for name in ("edited", "approved")
                if row[f"{name}_by"]
            ),
        ],
    )
    if recipients != total:
        fault(f"{recipients:,} recipients, but {total:,} deliveries. Run digest doctor.")
    heading("Articles")
    table(
        ("", "id", "version", "themes", "title"),
        [
            (
                one.position,
                one.article.id,
                one.article.version,
                ", ".join(one.article.themes) or "-",
                one.article.title,
            )
            for one in edition.placements
        ],
        wide="title",
    )


@editions.command()
@click.argument("edition_id", type=ID, metavar="ID")
@click.option(
    "--introduction",
    type=click.UNPROCESSED,
    metavar="TEXT",
    help='The note before the news, in Markdown; "" for none.',
)
@click.option(
    "--introduction-file",
    type=click.File("rb"),
    metavar="FILE",
    help="The same from a file, or - .",
)
@click.option(
    "--subject",
    type=click.UNPROCESSED,
    metavar="TEXT",
    help='The subject of the mail; "" for ours.',
)
@click.option(
    "--language", metavar="CODE", help="Of introduction and subject. Default: the digest's first."
)
@click.option("--lead", type=int, metavar="ARTICLE", help="What opens the mail; 0 for our choice.")
@click.option(
    "--order", metavar="IDS", help='What comes first in its theme: 12,7,31; "" for our order.'
)
@click.option("--drop", type=ID, multiple=True, metavar="ARTICLE", help="Leave it out, for good.")
@click.option(
    "--postpone",
    type=ID,
    multiple=True,
    metavar="ARTICLE",
    help="Leave it out, until the next edition.",
)
@click.option("--restore", type=ID, multiple=True, metavar="ARTICLE", help="Take either back.")
@by_option
@json_option
def edit(
    edition_id: int,
    introduction: str | None,
    introduction_file: IO[bytes] | None,
    subject: str | None,
    language: str | None,
    lead: int | None,
    order: str | None,
    drop: tuple[int, ...],
    postpone: tuple[int, ...],
    restore: tuple[int, ...],
    by: str | None,
    as_json: bool,
) -> None:
    """Change the words and order of a draft, and what is in it."""
    from digest.editions.drafts import Edit, draft_of, edit_draft
    from digest.language.text import decode

    if introduction is not None and introduction_file is not None:
        raise click.UsageError("Give --introduction or --introduction-file, not both.")
    text = introduction
    if introduction_file is not None:
        text = decode(introduction_file.name, introduction_file.read())[0]
    if order is not None and not re.fullmatch(r"\s*(\d{1,18}(\s*,\s*\d{1,18})*)?\s*", order):
        raise click.UsageError("--order: give the ids of articles with commas, such as 12,7,31.")
    newsroom = current_newsroom()
    with newsroom.open() as newsroom:
        digest, _ = draft_of(newsroom, edition_id)
        language = language or newsroom.settings.digest_languages(digest)[0]
        change = Edit(
            introduction=() if text is None else ((language, text),),
            subject=() if subject is None else ((language, subject),),
            lead=lead,
            order=None if order is None else tuple(map(int, re.findall(r"\d+", order))),
            drop=drop,
            postpone=postpone,
            restore=restore,
        )
        edition = edit_draft(newsroom, edition_id, change, by or newsroom.person)
    show(
        as_json,
        {"edition": edition_id, "hash": edition.hash, "articles": len(edition.placements)},
        f"Edition {edition_id} now has {counted(len(edition.placements), 'article')}. Next: digest send "
        f"{edition.digest} --dry-run, then digest editions approve {edition_id} --expect {edition.hash}.",
    )


@editions.command()
@click.argument("edition_id", type=ID, metavar="ID")
@click.option("--expect", required=True, metavar="HASH", help="The hash that the dry run prints.")
@by_option
def approve(edition_id: int, expect: str, by: str | None) -> None:
    """Approve a draft as it was seen, and queue its deliveries."""
    from digest.editions.compose import Expected
    from digest.editions.drafts import approve as approve_draft
    from digest.editions.store import audience_of

    newsroom = current_newsroom()
    with newsroom.open() as newsroom:
        edition = approve_draft(newsroom, edition_id, Expected.parse(expect), by or newsroom.person)
        recipients = audience_of(newsroom.db, edition_id)
    click.echo(
        f"Edition {edition_id} is approved for {counted(recipients, 'recipient')}. Next: digest send "
        f"{edition.digest}."
    )


@editions.command()
@click.argument("edition_id", type=ID, metavar="ID")
@click.option(
    "--note", default="held by the operator", metavar="TEXT", show_default=True, help="Why."
)
def hold(edition_id: int, note: str) -> None:
    """Send no more of an edition until it is released."""
    from digest.editions.store import hold_edition

    follow = f"digest editions release {edition_id}"
    _change(edition_id, lambda db: hold_edition(db, edition_id, note), "held", follow)


@editions.command()
@click.argument("edition_id", type=ID, metavar="ID")
@click.option(
    "--with-withdrawn/--without-withdrawn",
    default=None,
    help="If an article was withdrawn after part of it was sent: the rest with it, or without.",
)
def release(edition_id: int, with_withdrawn: bool | None) -> None:
    """Release a held edition, to be sent with the next `digest send`."""
    from digest.editions.compose import freeze_again, withdrawn_articles
    from digest.editions.store import (
        draft_row,
        edition_by_id,
        has_begun,
        has_queued,
        keep_withdrawn,
        release_edition,
        stopped_by_withdrawal,
    )

    newsroom = current_newsroom()
    with newsroom.open() as newsroom:
        db, edition = newsroom.db, edition_by_id(newsroom.db, edition_id)
        if draft_row(db, edition_id) is not None:
            raise NotReadyError(
                f"edition {edition_id} is a draft: it is not released but approved. Next: digest "
                f"editions show {edition_id}, then digest editions approve {edition_id} --expect HASH."
            )
        withdrawn = withdrawn_articles(edition) if has_queued(db, edition_id) else []
        stopped = bool(withdrawn) and stopped_by_withdrawal(db, edition_id)
        if with_withdrawn is None and stopped and has_begun(db, edition_id):
            ids = ", ".join(map(str, withdrawn))
            raise NotReadyError(
                f"edition {edition_id}: withdrawn after part of it was sent: article {ids}. Give "
                "--without-withdrawn to send the rest without it, or --with-withdrawn to send it "
                "as it was. Nothing was changed."
            )
        if with_withdrawn is False and withdrawn:
            freeze_again(newsroom, edition_id)
            if edition_by_id(db, edition_id).status == "cancelled":
                click.echo(
                    f"Edition {edition_id} is cancelled: all its articles were withdrawn. Next: digest "
                    "editions list."
                )
                return

    def change(db: "Database") -> bool:
        if with_withdrawn:
            keep_withdrawn(db, edition_id, newsroom.now())
        return release_edition(db, edition_id) or bool(withdrawn and with_withdrawn is not None)

    _change(edition_id, change, "released", "digest send")


def _change(edition_id: int, change: "Callable[[Database], bool]", state: str, follow: str) -> None:
    from digest.editions.store import edition_by_id

    newsroom = current_newsroom()
    with newsroom.open() as newsroom, newsroom.db.write():
        edition = edition_by_id(newsroom.db, edition_id)
        changed = change(newsroom.db)
    click.echo(
        f"Edition {edition_id} is {state}. Next: {follow}."
        if changed
        else f"Edition {edition_id} is {edition.status.value}; nothing was changed."
    )


@editions.command()
@click.argument("edition_id", type=ID, metavar="ID")
def cancel(edition_id: int) -> None:
    """Never send the rest of an edition."""
    from digest.editions.store import cancel_edition, edition_by_id

    newsroom = current_newsroom()
    with newsroom.open() as newsroom, newsroom.db.write():
        edition_by_id(newsroom.db, edition_id)
        skipped = cancel_edition(newsroom.db, edition_id, newsroom.now())
    click.echo(
        f"Edition {edition_id} is cancelled; {counted(skipped, 'delivery', 'deliveries')} will not "
        "be sent. Next: digest editions list."
    )


@click.group()
def deliveries() -> None:
    """Show which recipient got what, and settle uncertain deliveries."""


@deliveries.command("list")
@click.option("--edition", "edition_id", type=ID, metavar="ID", help="Only of this edition.")
@click.option(
    "--status", type=click.Choice(STATES), metavar="STATE", help=f"Only: {', '.join(STATES)}."
)
@notices_option
@limit_option()
@click.option("--csv", "as_csv", is_flag=True, default=False, help="As CSV, with every column.")
@json_option
def list_deliveries(
    edition_id: int | None,
    status: str | None,
    notices: bool,
    limit: int | None,
    as_csv: bool,
    as_json: bool,
) -> None:
    """List deliveries in the order in which they were queued."""
    from digest.editions.deliveries import list_deliveries as stored
    from digest.editions.store import edition_by_id
    from digest.mail.outgoing import DeliveryStatus

    if as_csv and as_json:
        raise click.UsageError(ONE_FORM)
    newsroom = current_newsroom()
    with newsroom.open(read_only=True) as newsroom:
        if edition_id is not None:
            edition_by_id(newsroom.db, edition_id)
        state = DeliveryStatus(status) if status else None
        rows = stored(
            newsroom.db, edition_id=edition_id, status=state, limit=limit, notices=notices
        )
        if as_csv:
            print_csv(rows)
            return
        shown = [{column: row[column] for column in COLUMNS} for row in rows]
    show(
        as_json,
        shown,
        f"{counted(len(shown), 'delivery', 'deliveries')}. Next: digest deliveries "
        f"{'settle ID --notices' if notices else 'show ID'}.",
        ("id", "edition", "address", "status", "tries", "answer"),
        (
            (
                row["id"],
                row["digest"] if notices else f"{row['digest']} no. {row['number']}",
                row["address"],
                row["status"],
                row["attempts"],
                row["answer"] or row["reason"] or "",
            )
            for row in shown
        ),
        wide="answer",
    )


def print_csv(rows: Iterable[Mapping[str, Any]]) -> None:
    """Deliveries as CSV (RFC 4180), a row at a time, with no cell that a spreadsheet would run."""
    formulas = ("=", "+", "-", "@", "\t", "\r")  # a foreign server's answer could begin so
    out = csv.writer(sys.stdout)
    out.writerow(COLUMNS)
    for row in rows:
        values = (row[column] for column in COLUMNS)
        out.writerow(
            f"'{value}" if isinstance(value, str) and value.startswith(formulas) else value
            for value in values
        )
    sys.stdout.flush()


@deliveries.command("show")
@click.argument("delivery_id", type=ID, metavar="ID")
@json_option
def show_delivery(delivery_id: int, as_json: bool) -> None:
    """Show a delivery: state, tries, last answer of the server."""
    from digest.editions.deliveries import delivery_by_id

    newsroom = current_newsroom()
    with newsroom.open(read_only=True) as newsroom:
        row = delivery_by_id(newsroom.db, delivery_id)
    data = {column: row[column] for column in COLUMNS}
    follow = "digest deliveries list."
    if row["status"] == "uncertain":
        follow = f"digest deliveries settle {delivery_id} --sent, or --resend."
    cells = [(key, "-" if value is None else str(value)) for key, value in data.items()]
    show(as_json, data, f"Next: {follow}", ("", ""), cells)


@deliveries.command()
@click.argument("address")
@click.option("--edition", "edition_id", type=ID, metavar="ID", help="Only this one.")
@limit_option(3)
@json_option
def trace(address: str, edition_id: int | None, limit: int, as_json: bool) -> None:
    """Follow one address through the newest editions.

    What it matched, why it was skipped, when it was handed over, what was answered, and what came
    back.
    """
    from digest.audience.evidence import in_words, list_returns
    from digest.audience.store import recipient_by_address
    from digest.audience.suppressions import address_of
    from digest.editions.deliveries import missed_by, trace_of
    from digest.mail.store import notices_to
    from digest.store.database import moment_from_text

    newsroom = current_newsroom()
    settings, zone = newsroom.settings, newsroom.settings.site.time_zone
    with newsroom.open(read_only=True) as newsroom:
        recipient_id = recipient_by_address(newsroom.db, address)
        rows = trace_of(newsroom.db, recipient_id, edition_id=edition_id, limit=limit)
        missed = missed_by(newsroom.db, recipient_id, edition_id=edition_id, limit=limit)
        returns = list_returns(newsroom.db, recipient_id=recipient_id, limit=500)
        to = address_of(newsroom.db, recipient_id) or address
        notices = [] if edition_id else notices_to(newsroom.db, to, limit)

    def at(moment: str | None) -> str:
        return "-" if moment is None else local(moment_from_text(moment), zone)

    lines = []
    for row in rows:
        row["came_back"] = [
            one | {"said": in_words(one)}
            for one in returns
            if one["edition_id"] == row["edition_id"] and one["found_by"] != "dialogue"
        ]
        lines.append(
            click.style(f"{row['digest']} no. {row['number']}", bold=True)
            + f", composed {at(row['composed_at'])}, delivery {row['id']}: {row['status']}"
        )
        lines.append(f"  chose     {row['languages']}; {row['themes']}")
        lines += [
            f"  matched   {settings.theme_name(theme).title('en')}: {number} {title}"
            for theme, number, title in row["articles"]
        ]
        lines += [
            f"  {'withdrawn' if withdrawn else 'corrected'} {number} {title}"
            for withdrawn, number, title in row["corrected"]
        ]
        lines += [
            f"  follows   {one['what']}: {one['named']:,} of {one['looked']:,} articles name it"
            for one in row["extras"]["receipts"]
        ]
        if row["status"] == "queued":
            brake = "for a person: too many addresses there came out dead (digest status)"
            lines.append(f"  waits     {brake if row['braked'] else 'until ' + at(row['due_at'])}")
        if row["handed_at"]:
            lines.append(
                f"  handed    {at(row['handed_at'])}, {counted(row['attempts'], 'try', 'tries')}"
            )
        if row["answer"]:
            server = f"{row['server']} at " if row["server"] else ""
            lines.append(f"  answered  {server}{at(row['settled_at'])}: {row['answer']}")
        if row["reason"]:
            lines.append(f"  because   {row['reason']}")
        lines += [
            f"  came back {at(one['read_at'])}, {one['kind']}: {one['said']}"
            for one in row["came_back"]
        ]
    for row in missed:
        why = "they did not get this digest then, or had paused it"
        if row["paused_until"]:
            why = f"they have paused until {at(row['paused_until'])}"
        edition = f"{row['digest']} no. {row['number']}, composed {at(row['composed_at'])}"
        lines.append(f"{edition}: nothing was queued, as {why}")
    for one in notices:
        because = f", {one['reason']}" if one["reason"] else ""
        lines.append(f"{one['name']}: {one['status']} {at(one['settled_at'])}{because}")
    nothing = "No edition has a delivery for this address."
    lines.append(f"{'' if rows else nothing + ' '}Next: digest recipients show {address}.")
    show(as_json, [*rows, *notices], "\n".join(lines))


@deliveries.command()
@click.argument("delivery_id", type=ID, required=False, metavar="[ID]")
@click.option("--edition", "edition_id", type=ID, metavar="ID", help="All those of this edition.")
@notices_option
@click.option("--sent", is_flag=True, default=False, help="They arrived.")
@click.option("--resend", is_flag=True, default=False, help="Send them again.")
def settle(
    delivery_id: int | None, edition_id: int | None, notices: bool, sent: bool, resend: bool
) -> None:
    """Mark uncertain deliveries as sent, or send them again."""
    from digest.editions.deliveries import settle_uncertain
    from digest.editions.store import edition_by_id
    from digest.errors import NotFoundError
    from digest.mail.store import DELIVERIES, NOTICES

    if (delivery_id is None and not notices) == (edition_id is None):
        raise click.UsageError(
            "Give the ID of a delivery, or --edition ID; or --notices, which is all of them without ID."
        )
    if sent == resend:
        raise click.UsageError(f"Give --sent or --resend{', not both' if sent else ''}.")
    newsroom = current_newsroom()
    with newsroom.open() as newsroom, newsroom.db.write():
        column, table = "id", NOTICES if notices else DELIVERIES
        if edition_id is not None:
            column = "edition_id"
            edition_by_id(newsroom.db, edition_id)
        value, now = edition_id or delivery_id, newsroom.now()
        count = settle_uncertain(newsroom.db, column, value, sent=sent, now=now, table=table)
    if not count and delivery_id is not None:
        raise NotFoundError(
            f"{'notice' if notices else 'delivery'} {delivery_id} is not uncertain, so there is nothing to "
            "settle. See `digest deliveries list --status uncertain`, also with --notices"
        )
    click.echo(
        f"{counted(count, 'uncertain delivery', 'uncertain deliveries')} now "
        + ("sent. Next: digest editions list." if sent else "queued again. Next: digest send.")
    )
