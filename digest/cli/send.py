"""`digest send`: shows what would go to whom, and with a yes sends it."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from digest.cli.desk import runtime
from digest.cli.output import (
    counted,
    counter,
    done,
    emit_json,
    json_option,
)
from digest.cli.rehearsing import rehearse

if TYPE_CHECKING:
    from digest.cli.sending import Planned
    from digest.compose import Expected
    from digest.config.settings import DigestConfig
    from digest.runtime import Runtime


@click.command()
@click.argument("digest", required=False)
@click.option("--dry-run", is_flag=True, default=False, help="Show and write what would be sent.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("preview"),
    show_default=True,
    metavar="DIR",
    help="Where the dry run writes each segment's mail.",
)
@click.option("--yes", is_flag=True, default=False, help="Send without asking.")
@click.option("--expect", metavar="HASH", help="Send the edition with this hash, or refuse.")
@click.option(
    "--test", "test_address", metavar="ADDRESS", help="The very mail to one address only."
)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    metavar="N",
    help="At most so many; the rest stays queued.",
)
@click.option(
    "--to",
    "addresses",
    multiple=True,
    metavar="ADDRESS",
    help="Only to these; the rest stays queued.",
)
@click.option(
    "--queued",
    is_flag=True,
    default=False,
    help="Only what is still queued; what is new waits.",
)
@click.option(
    "--despite",
    multiple=True,
    metavar="NAME",
    help="Send although digest doctor finds this item wrong.",
)
@json_option
@click.pass_context
def send(
    ctx: click.Context,
    digest: str | None,
    dry_run: bool,
    out: Path,
    yes: bool,
    expect: str | None,
    test_address: str | None,
    limit: int | None,
    addresses: tuple[str, ...],
    queued: bool,
    despite: tuple[str, ...],
    as_json: bool,
) -> None:
    """Send what is new and what is still queued; with --dry-run show it and change nothing."""
    from digest.cli.mail_checks import refuse_what_is_red
    from digest.cli.outlook import warn_of_unserved
    from digest.cli.sending import plan, send_test, what_waits
    from digest.compose import Expected, find_digest
    from digest.errors import ExpectationError

    room = runtime()
    config = find_digest(room.settings, digest)
    expected = Expected.parse(expect) if expect is not None else None
    with room.open(read_only=True) as db, db.snapshot():
        planned = plan(db, room, config, expected)
        if queued:
            planned = [one for one in planned if one.frozen]
        waits = what_waits(db, config, room.settings.digest_zone(config))
        warn_of_unserved(db, room)
    if dry_run:
        rehearse(room, config, planned, out, as_json)
        return
    if expected is not None and not planned:
        raise ExpectationError(
            f"no edition with the hash {expected.hash} is new or has mail to send: it went out, or "
            f"something came in or was changed. Nothing was sent.{waits} "
            "Next: digest send --dry-run."
        )
    if not planned:
        _tell_nothing(queued, waits, as_json)
        return
    if test_address is not None:
        send_test(room, config, planned[-1], test_address)
        done("Sent the test mail; no delivery was recorded. Next: digest send.")
        return
    with room.open(read_only=True) as db:
        refuse_what_is_red(db, room, despite)
    shown = None if yes and not queued else planned
    if not yes:
        _ask(room, planned)
    if _send(room, config, expected, shown, limit, addresses, as_json):
        ctx.exit(1)


def _tell_nothing(queued: bool, waits: str, as_json: bool) -> None:
    if as_json:
        emit_json([])
    elif queued:
        done(f"Nothing is due: nothing was sent.{waits} Next: digest send --dry-run.")
    else:
        done(
            f"Nothing new has come in and nothing is due: nothing was sent.{waits} "
            "Next: digest ingest."
        )


def _ask(room: "Runtime", planned: "Sequence[Planned]") -> None:
    for one in planned:
        what = "still queued" if one.frozen else "new"
        click.echo(
            f"{one.edition.digest} no. {one.edition.number} ({what}): "
            f"{counted(len(one.edition.placements), 'article')} to "
            f"{counted(one.recipients, 'recipient')} by {room.settings.mail.transport}; "
            f"hash {one.edition.hash[:16]}"
        )
    click.confirm("Send?", abort=True)


def _send(
    room: "Runtime",
    config: "DigestConfig",
    expected: "Expected | None",
    shown: "Sequence[Planned] | None",
    limit: int | None,
    addresses: Sequence[str],
    as_json: bool,
) -> bool:
    """True when a person must act."""
    from digest.cli.sending import send_editions, tell
    from digest.deliver import Portion
    from digest.store.audience import recipient_by_address

    with room.open() as db:
        only = frozenset(recipient_by_address(db, one) for one in addresses) or None
        with counter("Sending") as progress:
            reports = send_editions(
                db,
                room,
                config,
                expect=expected,
                shown=shown,
                portion=Portion(limit, only),
                progress=progress,
            )
    if as_json:
        emit_json(
            [
                {
                    "edition": one.edition_id,
                    "number": one.number,
                    "outcomes": {kind.value: count for kind, count in one.outcomes.items()},
                    "skipped": one.skipped,
                    "left": one.left,
                    "fault": one.fault,
                }
                for one in reports
            ]
        )
        return any(one.fault is not None for one in reports)
    if not reports:
        done(
            f"There is nobody to send it to: no recipient follows {config.name}. Next: digest recipients "
            "list, digest recipients add ADDRESS."
        )
    act = tell(reports)
    if any(one.outcomes for one in reports) and not act:
        where = room.settings.mail
        lies = f" The messages lie in {where.outbox}." if where.transport == "maildir" else ""
        done(f"Done.{lies} Next: digest editions list.")
    return act
