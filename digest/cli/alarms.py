"""`digest alarms list|check`."""

from typing import Any

import click

from digest.cli.desk import runtime
from digest.cli.numbers import COUNT
from digest.cli.output import counted, done, emit_json, json_option, local, table


@click.group()
def alarms() -> None:
    """Open problems, and who was notified."""


@alarms.command("list")
@click.option("--limit", type=COUNT, default=20, metavar="N", show_default=True)
@json_option
def list_alarms(limit: int, as_json: bool) -> None:
    """Open alarms first, then those that are over, the newest first."""
    from digest.store.database import moment_from_text
    from digest.watch import list_alarms as stored

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
                    _notified(row),
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


def _notified(row: dict[str, Any]) -> str:
    """How many of its notices were taken, of all that were not given up."""
    statuses = [one["status"] for one in row["messages"] if one["status"] != "failed"]
    if statuses:
        return f"{statuses.count('sent')} of {len(statuses)}"
    return "nobody" if row["raised_at"] else "not yet"


@alarms.command()
@click.option("--dry-run", is_flag=True, default=False, help="Only show what is found.")
@json_option
@click.pass_context
def check(ctx: click.Context, dry_run: bool, as_json: bool) -> None:
    """Look now as the service does, and tell what is due. Exit code 1 where there is trouble."""
    from digest.mail.notices import Ways
    from digest.troubles import Memory, find_troubles
    from digest.watch import WatchReport, is_raised, places, watch

    room = runtime()
    settings = room.settings
    if dry_run:
        with room.open(read_only=True) as db, db.snapshot():
            now = room.now()
            troubles = find_troubles(db, settings, now)
        report = WatchReport([one.key for one in troubles if is_raised(settings, one, now)])
    else:
        with room.open() as db:
            ways = Ways(lambda: room.transport, lambda: room.signer)
            troubles, report = watch(db, settings, ways, room.now, Memory())
    if as_json:
        emit_json(
            {
                "troubles": [
                    {"key": t.key, "said": t.said, "since": t.since, "advice": t.advice}
                    for t in troubles
                ],
                "raised": report.raised,
                "closed": report.closed,
                "told": report.sent,
                "put_off": report.put_off,
            }
        )
        ctx.exit(bool(troubles))
    for one in troubles:
        click.echo(click.style(one.key, bold=True))
        click.echo(f"  {one.said}")
        click.echo(f"  Since {local(one.since, settings.site.time_zone)}.")
        click.echo(f"  {one.advice}")
    found, whom = counted(len(troubles), "trouble"), counted(len(places(settings)), "place")
    late = f", {report.put_off} not yet taken: see digest alarms list" if report.put_off else ""
    done(
        f"{found}, {len(report.raised)} of them for long enough to be told to {whom}. Nothing was "
        "told and nothing was changed."
        if dry_run
        else f"{found}: {len(report.raised)} new, {len(report.closed)} over; "
        f"{counted(report.sent, 'message')} told to {whom}{late}."
    )
    ctx.exit(bool(troubles))
