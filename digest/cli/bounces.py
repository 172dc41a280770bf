"""`digest bounces read|list|show`: what comes back for mail that we sent."""

import sys
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from digest.cli.desk import runtime
from digest.cli.numbers import COUNT, ID
from digest.cli.output import counted, counted_to, done, emit_json, json_option, local, table

if TYPE_CHECKING:
    from digest.mail.mailboxes import Mailbox

KINDS = (
    *("hard", "soft", "policy", "delayed", "delivered", "complaint", "leave", "vacation"),
    "unknown",
)


@click.group()
def bounces() -> None:
    """Delivery reports, complaints, and mails that end a subscription."""


@bounces.command()
@click.argument("place", required=False, metavar="[PATH]")
@click.option("--imap", "host", metavar="HOST", help="An IMAP mailbox instead of a PATH.")
@click.option("--port", type=click.IntRange(1, 65535), default=993, show_default=True)
@click.option("--user", metavar="NAME", help="Login of the IMAP mailbox.")
@click.option("--password-env", metavar="VARIABLE", help="The variable that holds its password.")
@click.option("--folder", default="INBOX", show_default=True, help="Folder of the IMAP mailbox.")
@json_option
def read(
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
    from digest.store.sender import token_key
    from digest.subscribe import take_returns

    room = runtime()
    with _open(place, host, port, user, password_env, folder) as mailbox, room.open() as db:
        with db.write():
            key = token_key(db, room.random_bytes)
        report = take_returns(db, room.settings, mailbox.letters, mailbox.done, room.now, key=key)
    if as_json:
        emit_json(
            {
                "kinds": {kind.value: count for kind, count in report.kinds.items()},
                "known": report.known,
                "suppressed": report.suppressed,
                "ended": report.ended,
                "unmatched": report.unmatched,
            }
        )
        return
    kinds = ", ".join(f"{count} {kind.value}" for kind, count in sorted(report.kinds.items()))
    done(
        f"Read {counted(report.kinds.total(), 'new letter')} ({kinds or 'none'}), {report.known} "
        f"known before: {report.suppressed} suppressed, {report.ended} ended, "
        f"{report.unmatched} about nobody we know. Next: digest suppressions list."
    )


def _open(
    place: str | None,
    host: str | None,
    port: int,
    user: str | None,
    password_env: str | None,
    folder: str,
) -> "AbstractContextManager[Mailbox]":
    from digest.config.base import secret
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
    from digest.store.database import moment_from_text
    from digest.store.suppressions import list_returns

    room = runtime()
    with room.open(read_only=True) as db:
        rows = list_returns(db, kind=kind, limit=limit + 1)
    found = rows[:limit]
    if as_json:
        emit_json(found)
        return
    if found:
        zone = room.settings.site.time_zone
        table(
            ("id", "read", "kind", "found by", "address", "said"),
            [
                (
                    str(row["id"]),
                    local(moment_from_text(row["read_at"]), zone),
                    row["kind"],
                    row["found_by"] or "-",
                    row["address"] or "-",
                    f"{row['status_code'] or ''} {row['diagnostic'] or ''}".strip(),
                )
                for row in found
            ],
            wide="said",
            right=("id",),
        )
    done(f"{counted_to(limit, len(rows), 'letter')}. Next: digest bounces show ID.")


@bounces.command()
@click.argument("letter_id", type=ID, metavar="ID")
def show(letter_id: int) -> None:
    """One letter as it arrived."""
    from digest.errors import NotFoundError
    from digest.store.suppressions import raw_return

    room = runtime()
    with room.open(read_only=True) as db:
        raw = raw_return(db, letter_id)
    if raw is None:
        raise NotFoundError(f"there is no letter {letter_id}; see `digest bounces list`")
    if not raw:
        raise NotFoundError(
            f"letter {letter_id} has no bytes: it came so, or they were let go after "
            "keeping.letters_days; what it said is in `digest bounces list`"
        )
    sys.stdout.buffer.write(raw)
