"""`digest suppressions list|add|remove|import`, and `digest adopt`."""

from datetime import datetime
from typing import IO

import click

from digest.cli.desk import runtime
from digest.cli.output import counted, done, emit_json, json_option, table

CAUSES = ("soft", "hard", "complaint", "import", "manual")


@click.group()
def suppressions() -> None:
    """Addresses that must not be mailed."""


@suppressions.command("list")
@click.option("--cause", type=click.Choice(CAUSES), help="Only for this cause.")
@json_option
def list_suppressions(cause: str | None, as_json: bool) -> None:
    """Suppressed addresses, the newest first, with why and since when."""
    from digest.store.suppressions import list_suppressions as stored

    room = runtime()
    with room.open(read_only=True) as db:
        found = stored(db, cause=cause)
    if as_json:
        emit_json(found)
        return
    if found:
        table(
            ("address", "cause", "since", "detail"),
            [
                (
                    row["address_key"],
                    row["cause"],
                    row["since"][:16].replace("T", " "),
                    row["detail"] or "",
                )
                for row in found
            ],
            wide="detail",
        )
    done(f"{counted(len(found), 'suppressed address', 'suppressed addresses')}.")


@suppressions.command()
@click.argument("addresses", nargs=-1, required=True, metavar="ADDRESS...")
@click.option("--detail", metavar="TEXT", help="Why, for whoever reads the list.")
def add(addresses: tuple[str, ...], detail: str | None) -> None:
    """Never mail these addresses."""
    _add(addresses, "manual", detail)


@suppressions.command("import")
@click.argument("file", type=click.File("r", encoding="utf-8-sig"))
def import_file(file: IO[str]) -> None:
    """Never mail the addresses in FILE: one a line, or the first column of a CSV file."""
    cells = (line.split(",")[0].strip().strip('"') for line in file)
    _add(tuple(cell for cell in cells if "@" in cell), "import", None)


def _add(addresses: tuple[str, ...], cause: str, detail: str | None) -> None:
    from digest.store.suppressions import suppress

    room = runtime()
    with room.open() as db, db.write():
        moment = room.now()
        new = sum(suppress(db, one, cause, moment, detail=detail) for one in addresses)
    done(
        f"{counted(new, 'address', 'addresses')} suppressed, {len(addresses) - new} were before. "
        "Next: digest suppressions list."
    )


@suppressions.command()
@click.argument("addresses", nargs=-1, metavar="ADDRESS...")
@click.option("--cause", type=click.Choice(CAUSES), help="All of this cause.")
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]),
    help="Of the cause only those since then (UTC).",
)
def remove(addresses: tuple[str, ...], cause: str | None, since: datetime | None) -> None:
    """Let these addresses be mailed again, or all that one cause put on the list."""
    from datetime import UTC

    from digest.store.suppressions import unsuppress, unsuppress_cause

    if bool(addresses) == (cause is not None):
        raise click.UsageError("Give addresses, or --cause.")
    room = runtime()
    with room.open() as db, db.write():
        if cause is not None:
            moment = since.replace(tzinfo=UTC) if since else None
            count = unsuppress_cause(db, cause, since=moment)
        else:
            count = unsuppress(db, addresses)
    done(f"{counted(count, 'address', 'addresses')} may be mailed again.")


@click.command("adopt")
def adopt_database() -> None:
    """Let a database that was copied or restored send from this machine and place.

    Only one copy of a database may send; make sure that the other one does not.
    """
    from digest.store.sender import adopt

    room = runtime()
    with room.open() as db, db.write():
        adopt(db, room.here)
    done(f"{room.settings.store.path} now sends from here. Next: digest send --dry-run.")
