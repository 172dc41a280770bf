"""`digest suppressions` and `bounces`."""

import contextlib
import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import click

from digest.cli.options import ID, Number, current_newsroom, limit_option, since_moment
from digest.cli.output import counted, counted_to, fault, json_option, local, show, warn

MOMENT = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"])
FORM = "DATE[THH:MM:SS]"
CAUSES = ("soft", "hard", "complaint", "import", "manual", "forgotten")
SHOWN_FAULTS = 10


@click.group()
def suppressions() -> None:
    """List and edit the addresses that must not be mailed."""


@suppressions.command("list")
@click.option("--cause", type=click.Choice(CAUSES), help="Only with this cause.")
@json_option
def list_suppressions(cause: str | None, as_json: bool) -> None:
    """List suppressed addresses, newest first, and why."""
    from digest.audience.evidence import list_suppressions as stored
    from digest.audience.suppressions import WORD
    from digest.store.database import moment_from_text

    newsroom = current_newsroom()
    with newsroom.open(read_only=True) as newsroom:
        rows = stored(newsroom.db, cause=cause)
    zone = newsroom.settings.site.time_zone
    keys = [row["address_key"] for row in rows if row["cause"] != "forgotten"]
    strays = [key for key in keys if not WORD.fullmatch(key)]
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
        ("address", "cause", "since", "why"),
        (
            (
                row["address_key"],
                row["cause"],
                local(moment_from_text(row["since"]), zone),
                row["why"],
            )
            for row in rows
        ),
        wide="why",
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
    type=MOMENT,
    metavar=FORM,
    help="With --cause: only those since then, in site.time_zone.",
)
@click.option("--before", type=MOMENT, metavar=FORM, help="With --cause: only those before then.")
@click.option(
    "--try-again",
    is_flag=True,
    default=False,
    help="Do not forget what bounced: the next time suppresses at once.",
)
def remove_suppression(
    addresses: tuple[str, ...],
    cause: str | None,
    since: datetime | None,
    before: datetime | None,
    try_again: bool,
) -> None:
    """Allow mail to these addresses again."""
    from digest.audience.suppressions import suppressed_keys, unsuppress

    if bool(addresses) == (cause is not None):
        raise click.UsageError("Give addresses, or --cause.")
    newsroom = current_newsroom()
    zone = newsroom.settings.site.time_zone
    with newsroom.open() as newsroom, newsroom.db.write():
        db, now = newsroom.db, newsroom.now()
        keys: Sequence[str] = addresses
        if cause is not None:
            times = [since_moment(one, now, zone) for one in (since, before)]
            keys = suppressed_keys(db, cause, since=times[0], before=times[1])
        count = unsuppress(db, keys, forget=not try_again)
    click.echo(f"{counted(count, 'address', 'addresses')} may be mailed again.")


STATES = ("noted", "counts", "waits", "braked", "confirmed", "tried", "discarded")
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
    mailboxes are counted: where a token or a signature of ours proves it. Without proof it waits for
    digest bounces confirm or discard. Vacation replies and delays change nothing. Each mail is stored
    and counts only once.
    """
    from digest.bounces.intake import take_returns
    from digest.config.values import secret
    from digest.editions.deliver import send_questions, sending
    from digest.errors import SenderError
    from digest.mail.mailboxes import read_file, read_imap, read_maildir, read_stream
    from digest.mail.store import unsent

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
        whole = host is not None or place == "-" or path.is_dir()
        report = take_returns(newsroom, opened.messages, opened.done, whole=whole)
        if unsent(newsroom.db):  # also what a crash has left
            with contextlib.suppress(SenderError), sending(newsroom) as sole:
                send_questions(sole)
    state = "braked" if report.braked else "waits" if report.waiting else ""
    kinds = ", ".join(f"{count} {kind.value}" for kind, count in sorted(report.kinds.items()))
    show(
        as_json,
        {
            "kinds": {kind.value: count for kind, count in report.kinds.items()},
            "known": report.known,
            **report.facts,
        },
        f"Read {counted(report.kinds.total(), 'new bounce')} ({kinds or 'none'}), {report.known} "
        f"already known: {report.suppressed} suppressed, {report.ended} unsubscribed, "
        f"{report.unmatched} not about a recipient, {report.waiting + report.braked} waiting for you, "
        f"{report.asked} asked whether they want to leave. "
        f"Next: digest {f'bounces list --state {state}' if state else 'suppressions list'}.",
    )


@bounces.command("list")
@click.option("--kind", type=click.Choice(KINDS), metavar="KIND", help=f"Only: {', '.join(KINDS)}.")
@click.option(
    "--state", type=click.Choice(STATES), metavar="STATE", help=f"Only: {', '.join(STATES)}."
)
@limit_option(50)
@json_option
def list_bounces(kind: str | None, state: str | None, limit: int, as_json: bool) -> None:
    """List letters that came back and servers' refusals, newest first."""
    from digest.audience.evidence import in_words, list_returns
    from digest.store.database import moment_from_text

    newsroom = current_newsroom()
    with newsroom.open(read_only=True) as newsroom:
        rows = list_returns(newsroom.db, kind=kind, state=state, limit=limit + 1)
    zone = newsroom.settings.site.time_zone
    show(
        as_json,
        [row | {"said": in_words(row)} for row in rows[:limit]],
        f"{counted_to(limit, len(rows), 'bounce')}. Next: digest bounces "
        + ("confirm or discard ID." if state in ("waits", "braked") else "show ID."),
        ("id", "read", "kind", "state", "address", "said"),
        (
            (
                row["id"],
                local(moment_from_text(row["read_at"]), zone),
                row["kind"],
                row["state"],
                row["address"] or "-",
                in_words(row),
            )
            for row in rows[:limit]
        ),
        wide="said",
    )


def _decision(command: Callable[..., None]) -> Callable[..., None]:
    """The arguments of confirm and discard."""
    for option in (
        click.option("--waiting", is_flag=True, default=False, help="All that wait without proof."),
        click.option("--at", "provider", metavar="PROVIDER", help="With --edition: only there."),
        click.option(
            "--edition", "edition_id", type=ID, metavar="ID", help="Those held by its brake."
        ),
        click.argument("bounce_ids", nargs=-1, type=ID, metavar="ID..."),
    ):
        command = option(command)
    return command


@bounces.command()
@_decision
def confirm(
    bounce_ids: tuple[int, ...], edition_id: int | None, provider: str | None, waiting: bool
) -> None:
    """Act on what waits for a person: suppress and unsubscribe."""
    _decide(True, bounce_ids, edition_id, provider, waiting)


@bounces.command()
@_decision
def discard(
    bounce_ids: tuple[int, ...], edition_id: int | None, provider: str | None, waiting: bool
) -> None:
    """Disbelieve what waits for a person.

    Nobody is cut off, and mail that was refused goes out again.
    """
    _decide(False, bounce_ids, edition_id, provider, waiting)


def _decide(
    yes: bool, ids: tuple[int, ...], edition_id: int | None, provider: str | None, waiting: bool
) -> None:
    from digest.audience.evidence import decide
    from digest.editions.deliveries import queue_refused
    from digest.errors import NotFoundError

    if bool(ids) + waiting + (edition_id is not None) != 1 or (provider and edition_id is None):
        raise click.UsageError(
            "Give IDs, --edition ID with or without --at PROVIDER, or --waiting."
        )
    newsroom = current_newsroom()
    with newsroom.open() as newsroom, newsroom.db.write():
        db, now = newsroom.db, newsroom.now()
        decided = decide(
            db,
            yes,
            now,
            ids=ids,
            edition_id=edition_id,
            provider=provider and provider.lower(),
            waiting=waiting,
        )
        if decided.count < max(1, len(set(ids))) and not waiting:
            raise NotFoundError(
                f"{decided.count} of these wait for a decision, so nothing was changed. See digest "
                "bounces list --state waits; what the brake holds (--state braked) is decided with "
                "--edition."
            )
        again = queue_refused(db, decided.refused, now)
    what = counted(decided.count, "bounce")
    click.echo(
        f"{what} confirmed: {decided.suppressed:,} suppressed, {decided.ended:,} unsubscribed. Next: "
        "digest suppressions list."
        if yes
        else f"{what} discarded: nobody was cut off, {counted(again, 'delivery', 'deliveries')} queued "
        "again. Next: digest send --queued."
    )


@bounces.command("show")
@click.argument("bounce_id", type=ID, metavar="ID")
def show_bounce(bounce_id: int) -> None:
    """Show a bounce as it arrived.

    A terminal gets it without control characters, a file or another program byte for byte.
    """
    from digest.audience.evidence import raw_return
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
