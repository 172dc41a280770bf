"""`digest alarms list|check`."""

from typing import TYPE_CHECKING, Any

import click

from digest.cli.desk import runtime
from digest.cli.numbers import COUNT
from digest.cli.output import counted, done, emit_json, json_option, local, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from digest.model import Trouble
    from digest.runtime import Runtime
    from digest.watch import WatchReport


@click.group()
def alarms() -> None:
    """What an operator must act on, and who was told."""


@alarms.command("list")
@click.option("--limit", type=COUNT, default=20, metavar="N", show_default=True)
@json_option
def list_alarms(limit: int, as_json: bool) -> None:
    """Open alarms first, then those that are over, the newest first."""
    from digest.store.alarms import list_alarms as stored
    from digest.store.database import moment_from_text

    room = runtime()
    with room.open(read_only=True) as db:
        found = stored(db, limit)
    if as_json:
        emit_json(found)
        return
    zone = room.settings.site.time_zone
    if found:
        table(
            ("since", "over", "told", "key", "what"),
            [
                (
                    local(moment_from_text(row["began_at"]), zone),
                    local(moment_from_text(row["gone_at"]), zone) if row["closed_at"] else "",
                    _told(row),
                    row["key"],
                    row["said"],
                )
                for row in found
            ],
            wide="what",
        )
    opened = [row for row in found if row["closed_at"] is None]
    for row in opened:
        click.echo(f"\n{click.style(row['key'], bold=True)}: {row['advice']}")
    done(
        f"{counted(len(opened), 'alarm is', 'alarms are')} open."
        if found
        else "There has been no alarm. Next: digest alarms check looks now."
    )


def _told(row: "dict[str, Any]") -> str:
    """How many of its messages were taken, of all that are to be told."""
    messages = [one for one in row["messages"] if one["status"] != "dropped"]
    taken = sum(one["status"] == "told" for one in messages)
    if messages:
        return f"{taken} of {len(messages)}"
    return "nobody" if row["raised_at"] else "not yet"


@alarms.command()
@click.option("--dry-run", is_flag=True, default=False, help="Only show what is found.")
@json_option
@click.pass_context
def check(ctx: click.Context, dry_run: bool, as_json: bool) -> None:
    """Look now as the service does, and tell what is due. Exit code 1 where there is trouble."""
    room = runtime()
    troubles, report = _look(room) if dry_run else _watch(room)
    if as_json:
        emit_json(
            {
                "troubles": [
                    {"key": t.key, "said": t.said, "since": t.since, "advice": t.advice}
                    for t in troubles
                ],
                "raised": report.raised,
                "closed": report.closed,
                "told": report.told,
                "put_off": report.put_off,
            }
        )
    else:
        _print(room, troubles, report, dry_run)
    if troubles:
        ctx.exit(1)


def _look(room: "Runtime") -> "tuple[Sequence[Trouble], WatchReport]":
    from digest.troubles import find_troubles
    from digest.watch import WatchReport, is_raised

    with room.open(read_only=True) as db, db.snapshot():
        now = room.now()
        found = find_troubles(db, room.settings, now)
    raised = [one.key for one in found if is_raised(room.settings, one, now)]
    return found, WatchReport(raised=raised)


def _watch(room: "Runtime") -> "tuple[Sequence[Trouble], WatchReport]":
    from digest.troubles import Memory
    from digest.watch import Ways, watch

    with room.open() as db:
        ways = Ways(lambda: room.transport, lambda: room.signer)
        return watch(db, room.settings, ways, room.now, Memory())


def _print(
    room: "Runtime", troubles: "Sequence[Trouble]", report: "WatchReport", dry_run: bool
) -> None:
    from digest.watch import places

    for one in troubles:
        click.echo(click.style(one.key, bold=True))
        click.echo(f"  {one.said}")
        click.echo(f"  Since {local(one.since, room.settings.site.time_zone)}.")
        click.echo(f"  {one.advice}")
    whom = counted(len(places(room.settings)), "place")
    if dry_run:
        done(
            f"{counted(len(troubles), 'trouble')}, {len(report.raised)} of them for long enough to "
            f"be told to {whom}. Nothing was told and nothing was changed."
        )
        return
    late = f", {report.put_off} not yet taken: see digest alarms list" if report.put_off else ""
    done(
        f"{counted(len(troubles), 'trouble')}: {len(report.raised)} new, {len(report.closed)} over; "
        f"{counted(report.told, 'message')} told to {whom}{late}."
    )
