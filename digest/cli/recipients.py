"""`digest recipients`, `suppressions` and `bounces`."""

import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import click

from digest.cli.options import ID, Number, current_newsroom, limit_option, since_moment
from digest.cli.output import counted, counted_to, fault, json_option, local, show, warn


@click.group()
def recipients() -> None:
    """Add, list and unsubscribe the people who get the mail."""


@recipients.command()
@click.argument("address")
@click.option("--name", metavar="NAME", help="The name in the mail's To field.")
@click.option(
    "--language",
    "languages",
    multiple=True,
    metavar="CODE",
    help="A language they read; the first one is the mail's own. Default: all.",
)
@click.option(
    "--theme",
    "themes",
    multiple=True,
    metavar="NAME",
    help='A theme they want, or "other", or "everything". Default: everything.',
)
@click.option(
    "--digest", "digests", multiple=True, metavar="NAME", help="A digest they get. Default: all."
)
@click.option(
    "--resubscribe", is_flag=True, default=False, help="They unsubscribed, and asked to come back."
)
@json_option
def add(
    address: str,
    name: str | None,
    languages: tuple[str, ...],
    themes: tuple[str, ...],
    digests: tuple[str, ...],
    resubscribe: bool,
    as_json: bool,
) -> None:
    """Add a recipient, or change what you give of an existing one."""
    from digest.audience.recipients import changes, doubts, keep

    newsroom = current_newsroom()
    given = {"name": name, "languages": languages, "themes": themes, "digests": digests}
    with newsroom.open() as newsroom, newsroom.db.write():
        before, after = keep(
            newsroom.db, newsroom.settings, newsroom.now(), address, given, resubscribe=resubscribe
        )
        warnings = doubts(newsroom.db, newsroom.settings, after)
    for line in warnings:
        warn(line)
    changed = changes(before, after)
    text = f"Recipient {after.id} already exists, nothing changed."
    if before is None:
        text = f"Added recipient {after.id}. Next: digest send --dry-run."
    elif changed:
        words = "; ".join(f"{what}: {was} became {now}" for what, (was, now) in changed.items())
        text = f"Recipient {after.id}: {words}. Next: digest send --dry-run."
    data = {what: {"before": was, "after": now} for what, (was, now) in changed.items()}
    show(as_json, {"id": after.id, "new": before is None, "changed": data}, text)


@recipients.command()
@click.argument("address")
def end(address: str) -> None:
    """Unsubscribe a recipient."""
    from digest.audience.store import recipient_by_address
    from digest.audience.suppressions import end_recipient

    newsroom = current_newsroom()
    with newsroom.open() as newsroom, newsroom.db.write():
        recipient_id = recipient_by_address(newsroom.db, address)
        ended = end_recipient(newsroom.db, recipient_id, "by hand", newsroom.now())
    click.echo(
        f"Recipient {recipient_id} is unsubscribed: queued mail is skipped, and nothing more is "
        "sent. Next: digest recipients list."
        if ended
        else f"Recipient {recipient_id} was already unsubscribed, nothing changed."
    )


@recipients.command("list")
@json_option
def list_recipients(as_json: bool) -> None:
    """List all recipients with status and choices."""
    from digest.audience.store import list_recipients as stored

    newsroom = current_newsroom()
    with newsroom.open(read_only=True) as newsroom:
        rows = stored(newsroom.db)
    zone = newsroom.settings.site.time_zone
    show(
        as_json,
        [
            {
                "id": one.id,
                "address": one.address,
                "name": one.name,
                "status": one.status.value,
                "language": one.choice.language,
                "languages": list(one.choice.languages),
                "themes": list(one.choice.themes) or None,
                "digests": list(one.digests),
                "added_at": one.added_at,
            }
            for one in rows
        ],
        f"{counted(len(rows), 'recipient')}. Next: digest recipients add ADDRESS.",
        ("id", "address", "status", "languages", "themes", "digests", "added"),
        (
            (
                one.id,
                one.address,
                one.status.value,
                ", ".join(one.choice.languages),
                ", ".join(one.choice.themes) or "everything",
                ", ".join(one.digests),
                local(one.added_at, zone),
            )
            for one in rows
        ),
        wide="address",
    )


CAUSES = ("soft", "hard", "complaint", "import", "manual")
SHOWN_FAULTS = 10


@click.group()
def suppressions() -> None:
    """List and edit the addresses that must not be mailed."""


@suppressions.command("list")
@click.option("--cause", type=click.Choice(CAUSES), help="Only with this cause.")
@json_option
def list_suppressions(cause: str | None, as_json: bool) -> None:
    """List suppressed addresses, newest first."""
    from digest.audience.suppressions import WORD
    from digest.audience.suppressions import list_suppressions as stored
    from digest.store.database import moment_from_text

    newsroom = current_newsroom()
    with newsroom.open(read_only=True) as newsroom:
        rows = stored(newsroom.db, cause=cause)
    zone = newsroom.settings.site.time_zone
    strays = [row["address_key"] for row in rows if not WORD.fullmatch(row["address_key"])]
    if strays and not as_json:
        warn(
            f"{strays[0]!r} is not an address, so it suppresses nobody ({len(strays):,} like it). "
            "Import that list again, then digest suppressions remove each."
        )
    show(
        as_json,
        rows,
        f"{counted(len(rows), 'suppressed address', 'suppressed addresses')}. "
        "Next: digest suppressions add ADDRESS.",
        ("address", "cause", "since", "detail"),
        (
            (
                row["address_key"],
                row["cause"],
                local(moment_from_text(row["since"]), zone),
                row["detail"] or "",
            )
            for row in rows
        ),
        wide="detail",
    )


@suppressions.command("add")
@click.argument("addresses", nargs=-1, required=True, metavar="ADDRESS...")
@click.option("--detail", metavar="TEXT", help="The reason, shown in the list.")
def add_suppression(addresses: tuple[str, ...], detail: str | None) -> None:
    """Never mail these addresses."""
    from digest.language.addresses import check_address

    _suppress([check_address(one) for one in addresses], "manual", detail)


@suppressions.command("import")
@click.argument("file", type=click.File("rb"))
@click.pass_context
def import_file(ctx: click.Context, file: BinaryIO) -> None:
    """Never mail the addresses in FILE.

    FILE has one address a line, or is a spreadsheet saved as CSV. A line without an address is
    reported, and the exit code is then 1; the other addresses are imported.
    """
    from digest.audience.suppressions import read_addresses

    content = read_addresses(file.name, file.read())
    _suppress(content.addresses, "import", None)
    for line in content.faults[:SHOWN_FAULTS]:
        fault(line)
    if (more := len(content.faults) - SHOWN_FAULTS) > 0:
        fault(f"and {more:,} more. Correct them in the file and import it again.")
    if content.faults:
        ctx.exit(1)


def _suppress(addresses: Sequence[str], cause: str, detail: str | None) -> None:
    from digest.audience.suppressions import suppress

    newsroom = current_newsroom()
    with newsroom.open() as newsroom, newsroom.db.write():
        moment = newsroom.now()
        new = sum(suppress(newsroom.db, one, cause, moment, detail=detail) for one in addresses)
    before = len(addresses) - new
    click.echo(
        f"{counted(new, 'new address', 'new addresses')} suppressed, {before:,} "
        f"{'was' if before == 1 else 'were'} before. Next: digest suppressions list."
    )


@suppressions.command("remove")
@click.argument("addresses", nargs=-1, metavar="ADDRESS...")
@click.option("--cause", type=click.Choice(CAUSES), help="All with this cause.")
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]),
    metavar="DATE[THH:MM:SS]",
    help="With --cause: only those since then, in site.time_zone.",
)
def remove_suppression(
    addresses: tuple[str, ...], cause: str | None, since: datetime | None
) -> None:
    """Allow mail to these addresses again."""
    from digest.audience.suppressions import unsuppress, unsuppress_cause

    if bool(addresses) == (cause is not None):
        raise click.UsageError("Give addresses, or --cause.")
    newsroom = current_newsroom()
    with newsroom.open() as newsroom, newsroom.db.write():
        if cause is not None:
            moment = since_moment(since, newsroom.now(), newsroom.settings.site.time_zone)
            count = unsuppress_cause(newsroom.db, cause, since=moment)
        else:
            count = unsuppress(newsroom.db, addresses)
    click.echo(f"{counted(count, 'address', 'addresses')} may be mailed again.")


KINDS = (
    *("hard", "soft", "policy", "delayed", "delivered", "complaint", "leave", "vacation"),
    "unknown",
)


@click.group()
def bounces() -> None:
    """Read and show bounces, complaints and unsubscribe mails."""


@bounces.command("read")
@click.argument("place", type=click.Path(allow_dash=True), required=False, metavar="[PATH]")
@click.option("--imap", "host", metavar="HOST", help="Read an IMAP mailbox instead of a PATH.")
@click.option(
    "--port", type=Number(65535), default=993, show_default=True, metavar="PORT", help="Its port."
)
@click.option("--user", metavar="NAME", help="Login of the IMAP mailbox.")
@click.option("--password-env", metavar="VARIABLE", help="The variable that holds its password.")
@click.option("--folder", default="INBOX", show_default=True, metavar="NAME", help="Its folder.")
@json_option
def read_bounces(
    place: str | None,
    host: str | None,
    port: int,
    user: str | None,
    password_env: str | None,
    folder: str,
    as_json: bool,
) -> None:
    """Read bounces from a file, a mailbox or standard input.

    PATH is a maildir, an mbox, a file with one mail, or - for standard input. Dead addresses and
    complaints are suppressed, a mail to the unsubscribe address ends the subscription, full
    mailboxes are counted. Vacation replies and delays change nothing. Each mail is stored and counts
    only once.
    """
    from digest.bounces.intake import take_returns
    from digest.config.values import secret
    from digest.mail.mailboxes import read_file, read_imap, read_maildir, read_stream

    if (place is None) == (host is None):
        raise click.UsageError("Give a PATH, - for standard input, or --imap HOST.")
    newsroom, path = current_newsroom(), Path(place or "")
    if host is not None:
        password = secret(env=password_env, file=None)
        if user is None or password is None:
            raise click.UsageError(
                "--imap needs --user, and --password-env with a variable that is set."
            )
        mailbox = read_imap(host, port, user, password, folder=folder)
    elif place == "-":
        mailbox = read_stream(sys.stdin.buffer)
    else:
        mailbox = read_maildir(path) if path.is_dir() else read_file(path)
    with mailbox as opened, newsroom.open() as newsroom:
        report = take_returns(newsroom, opened.messages, opened.done)
    kinds = ", ".join(f"{count} {kind.value}" for kind, count in sorted(report.kinds.items()))
    show(
        as_json,
        {
            "kinds": {kind.value: count for kind, count in report.kinds.items()},
            "known": report.known,
            "suppressed": report.suppressed,
            "ended": report.ended,
            "unmatched": report.unmatched,
        },
        f"Read {counted(report.kinds.total(), 'new bounce')} ({kinds or 'none'}), {report.known} "
        f"already known: {report.suppressed} suppressed, {report.ended} unsubscribed, "
        f"{report.unmatched} not about a recipient. Next: digest suppressions list.",
    )


@bounces.command("list")
@click.option("--kind", type=click.Choice(KINDS), metavar="KIND", help=f"Only: {', '.join(KINDS)}.")
@limit_option(50)
@json_option
def list_bounces(kind: str | None, limit: int, as_json: bool) -> None:
    """List bounces, newest first."""
    from digest.audience.suppressions import list_returns
    from digest.store.database import moment_from_text

    newsroom = current_newsroom()
    with newsroom.open(read_only=True) as newsroom:
        rows = list_returns(newsroom.db, kind=kind, limit=limit + 1)
    zone = newsroom.settings.site.time_zone
    show(
        as_json,
        rows[:limit],
        f"{counted_to(limit, len(rows), 'bounce')}. Next: digest bounces show ID.",
        ("id", "read", "kind", "detected by", "address", "diagnosis"),
        (
            (
                row["id"],
                local(moment_from_text(row["read_at"]), zone),
                row["kind"],
                row["found_by"] or "-",
                row["address"] or "-",
                f"{row['status_code'] or ''} {row['diagnostic'] or ''}".strip(),
            )
            for row in rows[:limit]
        ),
        wide="diagnosis",
    )


@bounces.command("show")
@click.argument("bounce_id", type=ID, metavar="ID")
def show_bounce(bounce_id: int) -> None:
    """Show a bounce as it arrived.

    A terminal gets it without control characters, a file or another program byte for byte.
    """
    from digest.audience.suppressions import raw_return
    from digest.errors import NotFoundError
    from digest.language.text import foreign

    newsroom = current_newsroom()
    with newsroom.open(read_only=True) as newsroom:
        raw = raw_return(newsroom.db, bounce_id)
    if raw is None:
        raise NotFoundError(f"there is no bounce {bounce_id}; see `digest bounces list`")
    if not raw:
        raise NotFoundError(
            f"bounce {bounce_id} has no bytes: it arrived empty, or they were deleted after "
            "prune.bounce_days; its diagnosis is in `digest bounces list`"
        )
    if sys.stdout.isatty():
        raw = foreign(raw, lines=True, limit=None).encode()
    sys.stdout.buffer.write(raw)
