"""`digest recipients`."""

import contextlib
import csv
import shlex
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

import click

from digest.cli.options import current_newsroom, since_moment
from digest.cli.output import counted, counter, fault, json_option, local, show, warn
from digest.errors import NotReadyError

if TYPE_CHECKING:
    from digest.audience.recipients import By
    from digest.model import Recipient
    from digest.newsroom import Newsroom

C = TypeVar("C", bound=Callable[..., Any])


@click.group()
def recipients() -> None:
    """Add, import, change and unsubscribe the people who get the mail."""


def choice_options(command: C) -> C:
    """`--language`, `--theme` and `--digest`, on every command that takes a choice."""
    for name, metavar, text in (
        ("digest", "NAME", "A digest they get. Default: all."),
        ("theme", "NAME", 'A theme they want, or "other", or "everything". Default: everything.'),
        ("language", "CODE", "A language they read; the first is the mail's own. Default: all."),
    ):
        option = click.option(f"--{name}", f"{name}s", multiple=True, metavar=metavar, help=text)
        command = option(command)
    return command


@recipients.command()
@click.argument("address")
@click.option("--name", metavar="NAME", help="The name in the mail's To field.")
@choice_options
@click.option(
    "--resubscribe", is_flag=True, default=False, help="They unsubscribed, and asked to come back."
)
@json_option
def add(address: str, resubscribe: bool, as_json: bool, **given: Any) -> None:
    """Add a recipient, or change what you give of an existing one."""
    from digest.audience.recipients import keep

    newsroom = current_newsroom()
    with newsroom.open() as newsroom:
        db, settings = newsroom.db, newsroom.settings
        with db.write():
            before, after = keep(
                db, settings, newsroom.now(), address, given,
                resubscribe=resubscribe, by=_person(newsroom),
            )  # fmt: skip
        _show_changes(newsroom, before, after, as_json)


@recipients.command("set")
@click.argument("address")
@click.option("--address", "new_address", metavar="NEW", help="Their new address.")
@click.option("--name", metavar="NAME", help="The name in the mail's To field.")
@choice_options
@click.option(
    "--pause-until",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="DATE",
    help="No edition until the morning of that day, in site.time_zone.",
)
@click.option("--resume", is_flag=True, default=False, help="End a pause now.")
@json_option
def set_recipient(
    address: str,
    new_address: str | None,
    pause_until: datetime | None,
    resume: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """Change what you give of a recipient; their history stays."""
    from digest.audience.recipients import change

    if resume and pause_until:
        raise click.UsageError("Give either --pause-until or --resume.")
    newsroom = current_newsroom()
    now = newsroom.now()
    until = since_moment(pause_until, now, newsroom.settings.site.time_zone)
    with newsroom.open() as newsroom:
        db, settings = newsroom.db, newsroom.settings
        with db.write():
            before, after = change(
                db, settings, now, address, given,
                new_address=new_address, paused_until=until, resume=resume, by=_person(newsroom),
            )  # fmt: skip
        _show_changes(newsroom, before, after, as_json)


def _person(newsroom: "Newsroom") -> "By":
    """Who runs this command, as far as the system knows it."""
    from digest.audience.recipients import COMMAND, By

    with contextlib.suppress(NotReadyError):
        return By(newsroom.person)
    return COMMAND


def _show_changes(
    newsroom: "Newsroom", before: "Recipient | None", after: "Recipient", as_json: bool
) -> None:
    from digest.audience.recipients import changes, doubts

    for line in doubts(newsroom.db, newsroom.settings, before, after):
        warn(line)
    changed = changes(before, after, newsroom.settings.site.time_zone)
    text = f"Recipient {after.id} already exists, nothing changed."
    if before is None:
        text = f"Added recipient {after.id}. Next: digest send --dry-run."
    elif changed:
        words = "; ".join(f"{what}: {was} became {now}" for what, (was, now) in changed.items())
        text = f"Recipient {after.id}: {words}. Next: digest send --dry-run."
    data = {what: {"before": was, "after": now} for what, (was, now) in changed.items()}
    show(as_json, {"id": after.id, "new": before is None, "changed": data}, text)


@recipients.command("import")
@click.argument(
    "file", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path)
)
@click.option(
    "--dry-run", is_flag=True, default=False, help="Say what would become of each line, add nobody."
)
@choice_options
@click.option(
    "--tag", "tags", multiple=True, metavar="TAG=THEME", help="What theme a tag of the file means."
)
@json_option
@click.pass_context
def import_file(
    ctx: click.Context,
    file: Path,
    dry_run: bool,
    languages: tuple[str, ...],
    themes: tuple[str, ...],
    digests: tuple[str, ...],
    tags: tuple[str, ...],
    as_json: bool,
) -> None:
    """Add the readers in FILE, which another program exported.

    CSV or XLSX, as Mailchimp, listmonk, Buttondown, Ghost or Excel write it; - is standard input. Somebody who is here already, who left, here or there, or who is
    suppressed stays as they are. --language, --theme and --digest hold where the file does not say.
    A line with a fault is not imported, and the exit code is then 1.
    """
    from digest.audience.exchange import ADDED, HERE, REFUSED, Rules, import_readers

    newsroom = current_newsroom()
    rules = Rules(newsroom.settings, languages, themes, digests).with_tags(tags)
    counts: Counter[str] = Counter()
    shown: list[dict[str, object]] = []
    choice = {"--language": languages, "--theme": themes, "--digest": digests, "--tag": tags}
    config = ctx.find_root().params["config"]
    command = ["digest", *(["--config", str(config)] if config else []), "recipients", "import"]
    command += [
        str(file),
        *(word for o, given in choice.items() for one in given for word in (o, one)),
    ]
    with contextlib.ExitStack() as stack:
        if str(file) == "-":
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            file = Path(folder, "standard input")
            with file.open("wb") as copy:
                shutil.copyfileobj(sys.stdin.buffer, copy)
        opened = newsroom.open_or_empty() if dry_run else newsroom.open()
        newsroom, progress = stack.enter_context(opened), stack.enter_context(counter("Reading"))
        for one in import_readers(newsroom, file, rules, dry_run=dry_run):
            counts[one.outcome] += 1
            if not one.line % 1_000:
                progress(1_000)
            if not dry_run and (one.outcome == ADDED or (one.outcome == HERE and not one.note)):
                continue
            if as_json:
                line = {"line": one.line, "address": one.address, "outcome": one.outcome}
                shown.append(line | {"note": one.note})
            elif one.outcome == REFUSED:
                fault(f"{file.name}, line {one.line}: {one.note}")
            else:
                note = f" ({one.note})" if one.note else ""
                click.echo(f"line {one.line}: {one.address}: {one.outcome}{note}")
    for what, count in rules.unknown.most_common(20):
        warn(f"{what} is not in config.toml, and was left out on {counted(count, 'line')}.")
    sums = ", ".join(f"{count:,} {outcome}" for outcome, count in counts.items()) or "nobody"
    done, then = f"{counted(counts.total(), 'line')}: {sums}.", "digest send --dry-run"
    if rules.unused:
        done += f" Not used: {', '.join(rules.unused)}."
    if dry_run:
        done, then = f"Trial run, nobody was added. {done}", shlex.join(command)
    data = {"dry_run": dry_run, "counts": counts, "unknown": rules.unknown, "unused": rules.unused}
    show(as_json, data | {"lines": shown}, f"{done} Next: {then}.")
    if counts[REFUSED]:
        ctx.exit(1)


@recipients.command("export")
@click.argument(
    "file", type=click.Path(dir_okay=False, allow_dash=True, path_type=Path), required=False
)
@click.option("--all", "everybody", is_flag=True, default=False, help="Also those who get no mail.")
def export_file(file: Path | None, everybody: bool) -> None:
    """Write the recipients as CSV into FILE, or to standard output (-).

    Any program for newsletters reads it, and so does digest recipients import.
    """
    from digest.audience.exchange import export_readers
    from digest.store.files import new_file

    newsroom, file = current_newsroom(), None if file == Path("-") else file
    with contextlib.ExitStack() as stack:
        newsroom = stack.enter_context(newsroom.open_or_empty())
        target: TextIO = sys.stdout
        if file is not None:
            made = stack.enter_context(new_file(file))
            target = stack.enter_context(made.open("w", encoding="utf-8", newline=""))
        writer, count = csv.writer(target, lineterminator="\n"), -1
        for row in export_readers(newsroom, everybody=everybody):
            writer.writerow(row)
            count += 1
    where = f" to {file}, which only you can read" if file else ""
    click.echo(
        f"Wrote {counted(count, 'recipient')}{where}. Next: digest recipients list.", err=not file
    )


@recipients.command()
@click.argument("address")
def end(address: str) -> None:
    """Unsubscribe a recipient."""
    from digest.audience.store import end_recipient, recipient_by_address

    newsroom = current_newsroom()
    with newsroom.open() as newsroom, newsroom.db.write():
        recipient_id = recipient_by_address(newsroom.db, address)
        ended = end_recipient(
            newsroom.db, recipient_id, "by hand", newsroom.now(), _person(newsroom).name
        )
    click.echo(
        f"Recipient {recipient_id} is unsubscribed: queued mail is skipped, and nothing more is "
        "sent. Next: digest recipients list."
        if ended
        else f"Recipient {recipient_id} was already unsubscribed, nothing changed."
    )


@recipients.command()
@click.argument("address")
@click.option("--dry-run", is_flag=True, default=False, help="Say what would be deleted.")
@json_option
def forget(address: str, dry_run: bool, as_json: bool) -> None:
    """Delete whatever names a recipient, for good.

    The counts of editions stay, and of the address a hash, so that no list brings it back. Backups have
    it until they are deleted.
    """
    from digest.audience.preferences import forget as run
    from digest.audience.store import recipient_by_address

    newsroom = current_newsroom()
    with newsroom.open() as newsroom:
        done = run(newsroom, recipient_by_address(newsroom.db, address), dry_run=dry_run)
    counts = ", ".join(f"{table} {count:,}" for table, count in done.gone.items())
    store = newsroom.settings.store
    if not dry_run and not done.cleaned:
        warn(
            "Deleted bytes are still in the database's file, as others read it. Next: digest prune."
        )
    show(
        as_json,
        {"id": done.recipient_id, "dry_run": dry_run, "gone": done.gone, "cleaned": done.cleaned},
        f"{'Would forget' if dry_run else 'Forgot'} recipient {done.recipient_id}: {counts}. Backups "
        f"in {store.backups} name them until the last of {store.keep_backups} is replaced; delete "
        f"{store.path.stem}-before-*.db and mail in the outbox yourself. "
        f"Next: digest {'recipients forget ' + address if dry_run else 'backup'}.",
    )


@recipients.command("new-key")
def new_key() -> None:
    """Make the links of new mails with a new key. The links of all earlier mails keep working."""
    from digest.store.owner import add_token_key, token_keys

    newsroom = current_newsroom()
    with newsroom.open() as newsroom:
        with newsroom.db.write():
            add_token_key(newsroom.db, newsroom.random_bytes())
        count = len(token_keys(newsroom.db))
    click.echo(
        "New links have a new key, and those of earlier mails keep working: the database has "
        f"{counted(count, 'key')}. Next: digest backup."
    )


def followed(command: C) -> C:
    """The arguments that name what a recipient follows."""
    story = "A story instead of a phrase."
    command = click.option("--story", "story_id", type=int, metavar="ID", help=story)(command)
    return click.argument("address")(click.argument("phrase", required=False)(command))


@recipients.command()
@followed
def follow(address: str, phrase: str | None, story_id: int | None) -> None:
    """Mail a recipient when new articles name PHRASE, or join a story."""
    _follow(address, phrase, story_id)


@recipients.command()
@followed
def unfollow(address: str, phrase: str | None, story_id: int | None) -> None:
    """Stop mailing a recipient about a phrase or a story."""
    _follow(address, phrase, story_id, stop=True)


def _follow(address: str, phrase: str | None, story_id: int | None, *, stop: bool = False) -> None:
    from digest.audience import follows
    from digest.audience.store import follows_of, recipient_by_address
    from digest.audience.store import list_recipients as stored
    from digest.audience.suppressions import suppression_of
    from digest.errors import NotFoundError
    from digest.model import RecipientStatus

    if (phrase is None) == (story_id is None):
        raise click.UsageError("Give either a PHRASE or --story ID.")
    with current_newsroom().open() as newsroom, newsroom.db.write():
        recipient_id, what = recipient_by_address(newsroom.db, address), phrase
        [recipient] = stored(newsroom.db, recipient_id=recipient_id)
        if stop:
            key = follows.phrase_key(phrase or "")
            here = follows_of(newsroom.db, newsroom.now(), recipient_id=recipient_id)
            found = [one for one in here if one.key == key or (story_id or 0) == one.story_id]
            if not found:
                raise NotFoundError(
                    f"recipient {recipient_id} does not follow {what or f'story {story_id}'}; "
                    f"see `digest recipients show {address}`"
                )
            for one in found:
                follows.unfollow(newsroom, recipient_id, one.id)
        else:
            what = follows.follow(newsroom, recipient_id, phrase, story_id).what
            if recipient.status is not RecipientStatus.ACTIVE:
                warn(f"Recipient {recipient_id} has unsubscribed and gets no mail.")
            elif suppressed := suppression_of(newsroom.db, recipient.address):
                warn(f"{recipient.address} is suppressed ({suppressed['cause']}) and gets no mail.")
    does = "no longer follows" if stop else "follows"
    click.echo(
        f"Recipient {recipient_id} {does} {what or f'story {story_id}'}. "
        f"Next: digest recipients show {address}."
    )


@recipients.command("form")
@click.option("--language", metavar="CODE", help="The language of the form.")
def form(language: str | None) -> None:
    """Print a form to join, as HTML for another site. It leads to the page to join, filled in."""
    from html import escape

    from digest.audience.recipients import check_choice
    from digest.config.urls import join_url
    from digest.errors import NotReadyError
    from digest.language.wording import wording_for

    settings = current_newsroom().settings
    check_choice(settings, [language] if language else [], (), ())
    wording = wording_for(language or settings.site.languages[0], settings.site.languages)
    if not (url := join_url(settings, wording.language)):
        raise NotReadyError("Nobody joins by a form: set web.public_url, and readers.join = true.")
    words = {key: escape(text) for key, text in wording.joining.items()}
    click.echo(
        f'<form action="{escape(url)}" method="post" lang="{wording.language}">\n'
        f'  <label>{words["address"]} <input type="email" name="address" required></label>\n'
        f"  <button>{words['join_button']}</button>\n</form>"
    )
    click.echo(f"Nothing was changed. Next: paste it into a page, and open {url}.", err=True)


def _as_data(one: "Recipient") -> dict[str, Any]:
    return {
        "id": one.id,
        "address": one.address,
        "name": one.name,
        "status": one.status.value,
        "language": one.choice.language,
        "languages": list(one.choice.languages),
        "themes": list(one.choice.themes) or None,
        "digests": list(one.digests),
        "added_at": one.added_at,
        "paused_until": one.paused_until,
    }


@recipients.command("list")
@json_option
def list_recipients(as_json: bool) -> None:
    """List all recipients with status and choices."""
    from digest.audience.store import list_recipients as stored

    newsroom = current_newsroom()
    with newsroom.open(read_only=True) as newsroom:
        rows, now = stored(newsroom.db), newsroom.now()
    zone = newsroom.settings.site.time_zone
    show(
        as_json,
        [_as_data(one) for one in rows],
        f"{counted(len(rows), 'recipient')}. Next: digest recipients add ADDRESS.",
        ("id", "address", "status", "languages", "themes", "digests", "added"),
        (
            (
                one.id,
                one.address,
                "paused" if one.paused_until and one.paused_until > now else one.status.value,
                ", ".join(one.choice.languages),
                ", ".join(one.choice.themes) or "everything",
                ", ".join(one.digests),
                local(one.added_at, zone),
            )
            for one in rows
        ),
        wide="address",
    )


@recipients.command("show")
@click.argument("address")
@json_option
def show_recipient(address: str, as_json: bool) -> None:
    """Show what is known of a recipient, and why they get mail or none."""
    from digest.audience.evidence import in_words, list_returns
    from digest.audience.store import (
        ended,
        events_of,
        follows_of,
        list_recipients,
        recipient_by_address,
    )
    from digest.audience.suppressions import SOFT_LAPSES, suppression_of
    from digest.store.database import moment_from_text

    newsroom = current_newsroom()
    zone = newsroom.settings.site.time_zone
    with newsroom.open(read_only=True) as newsroom:
        db = newsroom.db
        recipient_id = recipient_by_address(db, address)
        [one] = list_recipients(db, recipient_id=recipient_id)
        left, suppressed = ended(db, recipient_id), suppression_of(db, address)
        returns = list_returns(db, recipient_id=recipient_id, limit=20)
        events = events_of(db, recipient_id)
        follows = follows_of(db, newsroom.now(), recipient_id=recipient_id)

    def at(moment: str) -> str:
        return local(moment_from_text(moment), zone)

    lines = [
        f"{one.address}{f' ({one.name})' if one.name else ''}, recipient {one.id}, {one.status.value}",
        f"since     {local(one.added_at, zone)}",
        f"chose     {', '.join(one.digests)}; {', '.join(one.choice.languages)}; "
        f"{', '.join(one.choice.themes) or 'everything'}",
    ]
    lines += [
        f"follows   {f'story {one.story_id}: ' if one.story_id else ''}{one.what}"
        for one in follows
    ]
    if one.paused_until is not None:
        lines.append(f"paused    until {local(one.paused_until, zone)}")
    for event in events:
        what = [f"{name}: {was} became {now}" for name, (was, now) in event["changed"].items()]
        what = [event["words"], *what] if event["words"] else what
        by = " from ".join(filter(None, (event["made_by"], event["network"])))
        lines.append(f"{event['act']:<9} {at(event['made_at'])}, {'; '.join([by, *what])}")
    if suppressed is not None:
        why = next((row for row in returns if row["id"] == suppressed["bounce_id"]), None)
        said = in_words(why) if why else suppressed["detail"] or "no reason was given"
        if suppressed["cause"] == "soft":
            lapses = moment_from_text(suppressed["since"]) + SOFT_LAPSES
            said += f" It lapses on {local(lapses, zone)[:10]}."
        lines.append(f"no mail   since {at(suppressed['since'])}, {suppressed['cause']}: {said}")
    lines += [f"came back {at(row['read_at'])}, {row['kind']}: {in_words(row)}" for row in returns]
    data = _as_data(one) | {
        "ended_at": left and left["ended_at"],
        "ended_reason": left and left["ended_reason"],
        "suppressed": suppressed,
        "events": events,
        "follows": [
            {"phrase": one.phrase, "story": one.story_id, "made_at": one.made_at} for one in follows
        ],
        "came_back": [row | {"said": in_words(row)} for row in returns],
    }
    lines.append(f"Next: digest deliveries trace {one.address}.")
    show(as_json, data, "\n".join(lines))
