"""`digest suppressions list|add|remove|import`."""

from collections.abc import Sequence
from datetime import datetime
from typing import BinaryIO

import click

from digest.cli.desk import runtime
from digest.cli.output import counted, done, emit_json, fault, json_option, local, table, warn
from digest.cli.since import since_moment

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
    from digest.cli.address_list import WORD
    from digest.store.database import moment_from_text
    from digest.store.suppressions import list_suppressions as stored

    room = runtime()
    with room.open(read_only=True) as db:
        found = stored(db, cause=cause)
    if as_json:
        emit_json(found)
        return
    if found:
        zone = room.settings.site.time_zone
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


@suppressions.command()
@click.argument("addresses", nargs=-1, required=True, metavar="ADDRESS...")
@click.option("--detail", metavar="TEXT", help="Why, for whoever reads the list.")
def add(addresses: tuple[str, ...], detail: str | None) -> None:
    """Never mail these addresses."""
    from digest.config.audience import check_address

    done(_add([check_address(one) for one in addresses], "manual", detail))


@suppressions.command("import")
@click.argument("file", type=click.File("rb"))
@click.pass_context
def import_file(ctx: click.Context, file: BinaryIO) -> None:
    """Never mail the addresses in FILE: one a line, or a table that a spreadsheet saved as CSV.

    A line that gives no address is told, and the exit code is then 1; the others are kept.
    """
    from digest.cli.address_list import read_addresses

    found = read_addresses(file.name, file.read())
    said = _add(found.addresses, "import", None)
    for line in found.faults[:TOLD]:
        fault(line)
    if len(found.faults) > TOLD:
        fault(f"and {len(found.faults) - TOLD:,} more. Mend them in the file and import it again.")
    done(said)
    if found.faults:
        ctx.exit(1)


def _add(addresses: Sequence[str], cause: str, detail: str | None) -> str:
    """Keep them; what was done, in words."""
    from digest.store.suppressions import suppress

    room = runtime()
    with room.open() as db, db.write():
        moment = room.now()
        new = sum(suppress(db, one, cause, moment, detail=detail) for one in addresses)
    before = len(addresses) - new
    return (
        f"{counted(new, 'new address', 'new addresses')} suppressed, {before:,} "
        f"{'was' if before == 1 else 'were'} before. Next: digest suppressions list."
    )


@suppressions.command()
@click.argument("addresses", nargs=-1, metavar="ADDRESS...")
@click.option("--cause", type=click.Choice(CAUSES), help="All of this cause.")
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]),
    help="Of the cause only those since then, on the newsroom's clock.",
)
def remove(addresses: tuple[str, ...], cause: str | None, since: datetime | None) -> None:
    """Let these addresses be mailed again, or all that one cause put on the list."""
    from digest.store.suppressions import unsuppress, unsuppress_cause

    if bool(addresses) == (cause is not None):
        raise click.UsageError("Give addresses, or --cause.")
    room = runtime()
    with room.open() as db, db.write():
        if cause is not None:
            moment = since_moment(since, room.now(), room.settings.site.time_zone)
            count = unsuppress_cause(db, cause, since=moment)
        else:
            count = unsuppress(db, addresses)
    done(f"{counted(count, 'address', 'addresses')} may be mailed again.")
