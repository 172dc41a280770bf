"""`digest editions` and `deliveries`."""

import csv
import io
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import click

from digest.cli.options import COUNT, ID, current_newsroom
from digest.cli.output import (
    counted,
    done,
    emit_json,
    fault,
    heading,
    json_option,
    local,
    one_form,
    show,
    table,
)

if TYPE_CHECKING:
    from digest.store.database import Database


STATES = ("queued", "handed", "sent", "failed", "uncertain", "skipped")

COLUMNS = (
    *("id", "digest", "number", "edition_id", "recipient_id", "address", "status", "attempts"),
    *("due_at", "handed_at", "settled_at", "server", "answer", "reason"),
)


@click.group()
def deliveries() -> None:
    """Which recipient got what, and how it ended."""


@deliveries.command("list")
@click.option("--edition", "edition_id", type=ID, metavar="ID", help="Only of this edition.")
@click.option("--status", type=click.Choice(STATES), help="Only in this state.")
@click.option("--limit", type=COUNT, metavar="N", help="At most N.")
@click.option("--csv", "as_csv", is_flag=True, default=False, help="As CSV, with every column.")
@json_option
def list_deliveries(
    edition_id: int | None, status: str | None, limit: int | None, as_csv: bool, as_json: bool
) -> None:
    """Deliveries in the order in which they were queued."""
    from digest.editions.deliveries import list_deliveries as stored
    from digest.editions.store import edition_by_id
    from digest.mail.outgoing import DeliveryStatus

    one_form(as_csv=as_csv, as_json=as_json)
    newsroom = current_newsroom()
    with newsroom.open(read_only=True) as newsroom:
        if edition_id is not None:
            edition_by_id(newsroom.db, edition_id)
        state = DeliveryStatus(status) if status else None
        rows = stored(newsroom.db, edition_id=edition_id, status=state, limit=limit)
        if as_csv:
            print_csv(rows)
            return
        found = [{column: row[column] for column in COLUMNS} for row in rows]
    show(
        as_json,
        found,
        f"{counted(len(found), 'delivery', 'deliveries')}. Next: digest deliveries show ID.",
        ("id", "edition", "address", "status", "tries", "answer"),
        (
            (
                row["id"],
                f"{row['digest']} no. {row['number']}",
                row["address"],
                row["status"],
                row["attempts"],
                row["answer"] or row["reason"] or "",
            )
            for row in found
        ),
        wide="answer",
    )


def print_csv(rows: Iterable[Mapping[str, Any]]) -> None:
    """Deliveries as CSV (RFC 4180), a row at a time; a cell is never taken for a formula."""
    click.echo(_line(COLUMNS), nl=False)
    for row in rows:
        click.echo(_line([_cell(row[column]) for column in COLUMNS]), nl=False)


def _line(cells: Iterable[Any]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue()


def _cell(value: Any) -> Any:
    # A spreadsheet would run an answer that a foreign server began so.
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return "'" + value
    return value


@deliveries.command("show")
@click.argument("delivery_id", type=ID, metavar="ID")
@json_option
def show_delivery(delivery_id: int, as_json: bool) -> None:
    """One delivery: its state, its tries, and what the server said last."""
    from digest.editions.deliveries import delivery_by_id

    newsroom = current_newsroom()
    with newsroom.open(read_only=True) as newsroom:
        row = delivery_by_id(newsroom.db, delivery_id)
    data = {column: row[column] for column in COLUMNS}
    if as_json:
        emit_json(data)
        return
    table(("", ""), [(key, "-" if value is None else str(value)) for key, value in data.items()])
    if row["status"] == "uncertain":
        done(f"Next: digest deliveries settle {delivery_id} --sent, or --resend.")


@deliveries.command()
@click.argument("delivery_id", type=ID, required=False, metavar="[ID]")
@click.option("--edition", "edition_id", type=ID, metavar="ID", help="All uncertain ones of it.")
@click.option("--sent", is_flag=True, default=False, help="It arrived.")
@click.option("--resend", is_flag=True, default=False, help="Send it again.")
def settle(delivery_id: int | None, edition_id: int | None, sent: bool, resend: bool) -> None:
    """Decide on uncertain deliveries: they arrived, or are sent again."""
    from digest.editions.deliveries import delivery_by_id, settle_uncertain
    from digest.editions.store import edition_by_id
    from digest.errors import NotFoundError
    from digest.mail.outgoing import DeliveryStatus

    if (delivery_id is None) == (edition_id is None):
        raise click.UsageError("Give the ID of a delivery, or --edition ID.")
    if sent == resend:
        also = ", not both" if sent else ""
        raise click.UsageError(f"Give --sent or --resend{also}.")
    newsroom = current_newsroom()
    with newsroom.open() as newsroom, newsroom.db.write():
        if delivery_id is not None:
            status = delivery_by_id(newsroom.db, delivery_id)["status"]
            if status != DeliveryStatus.UNCERTAIN:
                raise NotFoundError(
                    f"delivery {delivery_id} is {status}, and only an uncertain one is settled; see "
                    "`digest deliveries list --status uncertain`"
                )
        if edition_id is not None:
            edition_by_id(newsroom.db, edition_id)
        count = settle_uncertain(
            newsroom.db,
            delivery_id=delivery_id,
            edition_id=edition_id,
            sent=sent,
            now=newsroom.now(),
        )
    what = "sent" if sent else "queued again"
    follow = "digest editions list" if sent else "digest send"
    done(
        f"{counted(count, 'uncertain delivery', 'uncertain deliveries')} now {what}. Next: {follow}."
    )


@click.group()
def editions() -> None:
    """The frozen issues of each digest."""


@editions.command("list")
@click.option("--digest", metavar="NAME", help="Only of this digest.")
@click.option("--limit", type=COUNT, default=50, metavar="N", show_default=True)
@json_option
def list_editions(digest: str | None, limit: int, as_json: bool) -> None:
    """The newest editions, with how their deliveries stand."""
    from digest.editions.store import list_editions as stored
    from digest.store.database import moment_from_text

    newsroom = current_newsroom()
    with newsroom.open(read_only=True) as newsroom:
        found = stored(newsroom.db, digest=digest, limit=limit)
    zone = newsroom.settings.site.time_zone
    show(
        as_json,
        found,
        f"{counted(len(found), 'edition')}. Next: digest send --dry-run shows the one to come.",
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
            for row in found
        ),
        wide="deliveries",
    )


def status_line(status: str, counts: dict[str, int]) -> str:
    """As stored, but what was composed is sending while mail of it waits, and sent after that."""
    if status != "composed" or not counts:
        return status
    return "sending" if counts.get("queued") or counts.get("handed") else "sent"


def deliveries_line(counts: dict[str, int]) -> str:
    """3 sent, 1 queued."""
    return ", ".join(f"{count:,} {status}" for status, count in counts.items()) or "none"


@editions.command("show")
@click.argument("edition_id", type=ID, metavar="ID")
@click.option("--csv", "as_csv", is_flag=True, default=False, help="Its recipients, as CSV.")
@json_option
def show_edition(edition_id: int, as_csv: bool, as_json: bool) -> None:
    """One edition as it was frozen: window, hash, articles in order, deliveries."""
    from digest.editions.deliveries import list_deliveries
    from digest.editions.store import (
        audience_of,
        delivery_counts,
        edition_by_id,
        edition_note,
        segments_of,
    )

    one_form(as_csv=as_csv, as_json=as_json)
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
    if as_json:
        emit_json({**_as_data(edition, recipients, counts, segments), "note": note})
        return
    config = newsroom.settings.digest(edition.digest)
    zone = newsroom.settings.digest_zone(config) if config else newsroom.settings.site.time_zone
    window = edition.window
    table(
        ("", ""),
        [
            (
                "edition",
                f"{edition.id}: {edition.digest} no. {edition.number}, "
                f"{status_line(edition.status, counts)}",
            ),
            ("window", f"{local(window.starts_at, zone)} to {local(window.ends_at, zone)} {zone}"),
            ("hash", edition.hash),
            ("recipients", f"{recipients:,} = {deliveries_line(counts)}"),
            *([("note", note)] if note else []),
        ],
    )
    if recipients != sum(counts.values()):
        fault(
            f"{recipients:,} recipients, but {sum(counts.values()):,} deliveries. Run digest doctor."
        )
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


def _as_data(
    edition: Any, recipients: int, counts: dict[str, int], segments: list[tuple[int, Any]]
) -> dict[str, Any]:
    return {
        "id": edition.id,
        "digest": edition.digest,
        "number": edition.number,
        "status": edition.status.value,
        "starts_at": edition.window.starts_at,
        "ends_at": edition.window.ends_at,
        "hash": edition.hash,
        "deliveries": counts,
        "recipients": recipients,
        "balanced": recipients == sum(counts.values()),
        "segments": [
            {
                "id": segment_id,
                "language": segment.choice.language,
                "languages": list(segment.choice.languages),
                "themes": list(segment.choice.themes),
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
    }


@editions.command()
@click.argument("edition_id", type=ID, metavar="ID")
@click.option("--note", default="held by the operator", metavar="TEXT", show_default=True)
def hold(edition_id: int, note: str) -> None:
    """Send no more of an edition until it is released."""
    from digest.editions.store import hold_edition

    _change(edition_id, lambda db: hold_edition(db, edition_id, note), "held", "release")


@editions.command()
@click.argument("edition_id", type=ID, metavar="ID")
def release(edition_id: int) -> None:
    """Let a held edition go out with the next `digest send`."""
    from digest.editions.store import release_edition

    _change(edition_id, lambda db: release_edition(db, edition_id), "released", "send")


@editions.command()
@click.argument("edition_id", type=ID, metavar="ID")
def cancel(edition_id: int) -> None:
    """Never send what is still queued of an edition; what was sent stays sent."""
    from digest.editions.store import cancel_edition, edition_by_id

    newsroom = current_newsroom()
    with newsroom.open() as newsroom, newsroom.db.write():
        edition_by_id(newsroom.db, edition_id)
        skipped = cancel_edition(newsroom.db, edition_id, newsroom.now())
    done(
        f"Edition {edition_id} is cancelled; {counted(skipped, 'delivery', 'deliveries')} will not "
        "be sent. Next: digest editions list."
    )


def _change(edition_id: int, change: "Callable[[Database], bool]", what: str, follow: str) -> None:
    from digest.editions.store import edition_by_id

    newsroom = current_newsroom()
    with newsroom.open() as newsroom, newsroom.db.write():
        edition = edition_by_id(newsroom.db, edition_id)
        changed = change(newsroom.db)
    if changed:
        verb = f"digest editions release {edition_id}" if follow == "release" else "digest send"
        done(f"Edition {edition_id} is {what}. Next: {verb}.")
    else:
        done(f"Edition {edition_id} is {edition.status.value}; nothing was changed.")
