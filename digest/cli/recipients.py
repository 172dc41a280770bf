"""`digest recipients`, `suppressions` and `bounces`."""

import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from digest.cli.options import COUNT, ID, current_newsroom, since_moment
from digest.cli.output import (
    counted,
    counted_to,
    done,
    emit_json,
    fault,
    json_option,
    local,
    show,
    table,
    warn,
)

if TYPE_CHECKING:
    from digest.mail.mailboxes import Mailbox


@click.group()
def recipients() -> None:
    """People who get the mail."""


@recipients.command()
@click.argument("address")
@click.option("--name", metavar="NAME", help="As the mail's To field shows it.")
@click.option(
    "--language",
    "languages",
    multiple=True,
    metavar="CODE",
    help="A language they read; the first one given is the mail's own. Default: all.",
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
    """Add a recipient, or change what is given of one that is there."""
    from digest.audience.recipients import changes, doubts, keep

    newsroom = current_newsroom()
    given = {"name": name, "languages": languages, "themes": themes, "digests": digests}
    with newsroom.open() as newsroom, newsroom.db.write():
        before, after = keep(
            newsroom.db, newsroom.settings, newsroom.now(), address, given, resubscribe=resubscribe
        )
        warnings = doubts(newsroom.db, newsroom.settings, after)
    changed = changes(before, after)
    for line in warnings:
        warn(line)
    if as_json:
        told = {what: {"before": was, "after": now} for what, (was, now) in changed.items()}
        emit_json({"id": after.id, "new": before is None, "changed": told})
    elif before is None:
        done(f"Added recipient {after.id}. Next: digest send --dry-run.")
    elif not changed:
        done(f"Recipient {after.id} is already there, nothing changed.")
    else:
        said = "; ".join(f"{what}: {was} became {now}" for what, (was, now) in changed.items())
        done(f"Recipient {after.id}: {said}. Next: digest send --dry-run.")


@recipients.command()
@click.argument("address")
def end(address: str) -> None:
    """End a subscription by hand, as a letter to the address for leaving does."""
    from digest.audience.store import recipient_by_address
    from digest.audience.suppressions import end_recipient

    newsroom = current_newsroom()
    with newsroom.open() as newsroom, newsroom.db.write():
        recipient_id = recipient_by_address(newsroom.db, address)
        ended = end_recipient(newsroom.db, recipient_id, "by hand", newsroom.now())
    if ended:
        done(
            f"Recipient {recipient_id} has left: nothing more is mailed, what is queued is skipped. "
            "Next: digest recipients list."
        )
    else:
        done(f"Recipient {recipient_id} had left already, nothing changed.")


@recipients.command("list")
@json_option
def list_recipients(as_json: bool) -> None:
    """Every recipient with status and choice."""
    from digest.audience.store import list_recipients as stored

    newsroom = current_newsroom()
    with newsroom.open(read_only=True) as newsroom:
        found = stored(newsroom.db)
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
            for one in found
        ],
        f"{counted(len(found), 'recipient')}. Next: digest recipients add ADDRESS.",
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
            for one in found
        ),
        wide="address",
    )


CAUSES = ("soft", "hard", "complaint", "import", "manual")
TOLD = 10
"""So many lines that give no address are told one by one."""


@click.group()
def suppressions() -> None:
    """Addresses that must not be mailed."""


@suppressions.command("list")
@click.option("--cause", type=click.Choice(CAUSES), help="Only for this cause.")
@json_option
def list_suppressions(cause: str | None, as_json: bool) -> None:
    """Suppressed addresses, the newest first, with why and since when."""
    from digest.audience.suppressions import WORD
    from digest.audience.suppressions import list_suppressions as stored
    from digest.store.database import moment_from_text

    newsroom = current_newsroom()
    with newsroom.open(read_only=True) as newsroom:
        found = stored(newsroom.db, cause=cause)
    if as_json:
        emit_json(found)
        return
    if found:
        zone = newsroom.settings.site.time_zone
        table(
            ("address", "cause", "since", "detail"),
            [
                (
                    row["address_key"],
                    row["cause"],
                    local(moment_from_text(row["since"]), zone),
                    row["detail"] or "",
                )
                for row in found
            ],
            wide="detail",
        )
    strays = [row["address_key"] for row in found if not WORD.fullmatch(row["address_key"])]
    if strays:
        warn(
            f"{strays[0]!r} is no address and keeps nobody from being mailed; such are "
            f"{len(strays):,} here. Import that list again, then digest suppressions remove each."
        )
    done(f"{counted(len(found), 'suppressed address', 'suppressed addresses')}.")


@suppressions.command("add")
@click.argument("addresses", nargs=-1, required=True, metavar="ADDRESS...")
@click.option("--detail", metavar="TEXT", help="Why, for people who read the list.")
def add_suppression(addresses: tuple[str, ...], detail: str | None) -> None:
    """Never mail these addresses."""
    from digest.language.addresses import check_address

    done(_add([check_address(one) for one in addresses], "manual", detail))


@suppressions.command("import")
@click.argument("file", type=click.File("rb"))
@click.pass_context
def import_file(ctx: click.Context, file: BinaryIO) -> None:
    """Never mail the addresses in FILE: one a line, or a table that a spreadsheet saved as CSV.

    A line that gives no address is told, and the exit code is then 1; the others are kept.
    """
    from digest.audience.suppressions import read_addresses

    found = read_addresses(file.name, file.read())
    said = _add(found.addresses, "import", None)
    for line in found.faults[:TOLD]:
        fault(line)
    if len(found.faults) > TOLD:
        fault(
            f"and {len(found.faults) - TOLD:,} more. Correct them in the file and import it again."
        )
    done(said)
    if found.faults:
        ctx.exit(1)


def _add(addresses: Sequence[str], cause: str, detail: str | None) -> str:
    """Keep them; what was done, in words."""
    from digest.audience.suppressions import suppress

    newsroom = current_newsroom()
    with newsroom.open() as newsroom, newsroom.db.write():
        moment = newsroom.now()
        new = sum(suppress(newsroom.db, one, cause, moment, detail=detail) for one in addresses)
    before = len(addresses) - new
    return (
        f"{counted(new, 'new address', 'new addresses')} suppressed, {before:,} "
        f"{'was' if before == 1 else 'were'} before. Next: digest suppressions list."
    )


@suppressions.command("remove")
@click.argument("addresses", nargs=-1, metavar="ADDRESS...")
@click.option("--cause", type=click.Choice(CAUSES), help="All of this cause.")
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]),
    help="Of the cause only those since then, on the newsroom's clock.",
)
def remove_suppression(
    addresses: tuple[str, ...], cause: str | None, since: datetime | None
) -> None:
    """Let these addresses be mailed again, or all that one cause put on the list."""
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
    done(f"{counted(count, 'address', 'addresses')} may be mailed again.")


KINDS = (
    *("hard", "soft", "policy", "delayed", "delivered", "complaint", "leave", "vacation"),
    "unknown",
)


@click.group()
def bounces() -> None:
    """Delivery reports, complaints, and mails that end a subscription."""


@bounces.command("read")
@click.argument("place", required=False, metavar="[PATH]")
@click.option("--imap", "host", metavar="HOST", help="An IMAP mailbox instead of a PATH.")
@click.option("--port", type=click.IntRange(1, 65535), default=993, show_default=True)
@click.option("--user", metavar="NAME", help="Login of the IMAP mailbox.")
@click.option("--password-env", metavar="VARIABLE", help="The variable that holds its password.")
@click.option("--folder", default="INBOX", show_default=True, help="Folder of the IMAP mailbox.")
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
    """Read a maildir, an mbox, one mail in a file, - for standard input, or an IMAP mailbox.

    Dead addresses and complaints are suppressed, a mail to the address for leaving ends the
    subscription, full mailboxes are counted. Vacation replies and delays change nothing. Each
    letter is kept; one that was read before changes nothing.
    """
    from digest.bounces.intake import take_returns

    newsroom = current_newsroom()
    with (
        _open(place, host, port, user, password_env, folder) as mailbox,
        newsroom.open() as newsroom,
    ):
        report = take_returns(newsroom, mailbox.messages, mailbox.done)
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
        f"Read {counted(report.kinds.total(), 'new letter')} ({kinds or 'none'}), {report.known} "
        f"known before: {report.suppressed} suppressed, {report.ended} ended, "
        f"{report.unmatched} about nobody we know. Next: digest suppressions list.",
    )


def _open(
    place: str | None,
    host: str | None,
    port: int,
    user: str | None,
    password_env: str | None,
    folder: str,
) -> "AbstractContextManager[Mailbox]":
    from digest.config.values import secret
    from digest.mail.mailboxes import read_file, read_imap, read_maildir, read_stream

    if (place is None) == (host is None):
        raise click.UsageError("Give a PATH, - for standard input, or --imap HOST.")
    if host is not None:
        password = secret(env=password_env, file=None)
        if user is None or password is None:
            raise click.UsageError(
                "--imap needs --user, and --password-env with a variable that is set."
            )
        return read_imap(host, port, user, password, folder=folder)
    if place == "-":
        return read_stream(sys.stdin.buffer)
    path = Path(place or "")
    return read_maildir(path) if path.is_dir() else read_file(path)


@bounces.command("list")
@click.option("--kind", type=click.Choice(KINDS), help="Only of this kind.")
@click.option("--limit", type=COUNT, default=50, metavar="N", show_default=True)
@json_option
def list_bounces(kind: str | None, limit: int, as_json: bool) -> None:
    """What came back, the newest first."""
    from digest.audience.suppressions import list_returns
    from digest.store.database import moment_from_text

    newsroom = current_newsroom()
    with newsroom.open(read_only=True) as newsroom:
        rows = list_returns(newsroom.db, kind=kind, limit=limit + 1)
    found = rows[:limit]
    zone = newsroom.settings.site.time_zone
    show(
        as_json,
        found,
        f"{counted_to(limit, len(rows), 'letter')}. Next: digest bounces show ID.",
        ("id", "read", "kind", "found by", "address", "said"),
        (
            (
                row["id"],
                local(moment_from_text(row["read_at"]), zone),
                row["kind"],
                row["found_by"] or "-",
                row["address"] or "-",
                f"{row['status_code'] or ''} {row['diagnostic'] or ''}".strip(),
            )
            for row in found
        ),
        wide="said",
    )


@bounces.command("show")
@click.argument("letter_id", type=ID, metavar="ID")
def show_bounce(letter_id: int) -> None:
    """One letter as it arrived."""
    from digest.audience.suppressions import raw_return
    from digest.errors import NotFoundError

    newsroom = current_newsroom()
    with newsroom.open(read_only=True) as newsroom:
        raw = raw_return(newsroom.db, letter_id)
    if raw is None:
        raise NotFoundError(f"there is no letter {letter_id}; see `digest bounces list`")
    if not raw:
        raise NotFoundError(
            f"letter {letter_id} has no bytes: it came so, or they were deleted after "
            "prune.bounce_days; what it said is in `digest bounces list`"
        )
    sys.stdout.buffer.write(raw)
