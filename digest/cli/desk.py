"""`digest desk log|sessions`."""

import click

from digest.cli.options import current_newsroom, limit_option
from digest.cli.output import counted, counted_to, json_option, local, show


@click.group()
def desk() -> None:
    """Show what editors did at the desk, and who is signed in."""


@desk.command()
@limit_option(50)
@json_option
def log(limit: int, as_json: bool) -> None:
    """List what editors did at the desk, newest first."""
    from digest.language.wording import wording_for
    from digest.store.database import moment_from_text
    from digest.web.cases import sentence
    from digest.web.store import acts

    newsroom = current_newsroom()
    with newsroom.open(read_only=True) as newsroom:
        rows = acts(newsroom.db, limit + 1)
    settings, english = newsroom.settings, wording_for("en", ("en",))
    shown = [row | {"what": sentence(settings, english, row)} for row in rows[:limit]]
    show(
        as_json,
        shown,
        f"{counted_to(limit, len(rows), 'action')}. Next: digest desk sessions.",
        ("at", "editor", "what"),
        (
            (
                local(moment_from_text(row["made_at"]), settings.site.time_zone),
                row["editor"],
                row["what"],
            )
            for row in shown
        ),
        wide="what",
    )


@desk.command()
@click.option("--end", metavar="ADDRESS", help="End all sessions of this editor.")
@json_option
def sessions(end: str | None, as_json: bool) -> None:
    """List who is signed in at the desk, or end their sessions."""
    from datetime import timedelta

    from digest.store.database import moment_from_text
    from digest.web.store import end_sessions, note_act, open_sessions

    newsroom = current_newsroom()
    settings, ended = newsroom.settings, 0

    def at(moment: str) -> str:
        return local(moment_from_text(moment), settings.site.time_zone)

    with newsroom.open(read_only=end is None) as newsroom:
        db, now = newsroom.db, newsroom.now()
        if end is not None:
            with db.write():
                if ended := end_sessions(db, now, editor=end):
                    note_act(db, now, newsroom.person, "end", end)
        rows = open_sessions(db, now - timedelta(hours=settings.desk.session_hours))
    what = "" if end is None else f"{counted(ended, 'session')} ended. "
    show(
        as_json,
        rows,
        f"{what}{counted(len(rows), 'session')} open. Next: digest desk log.",
        ("editor", "since", "last action"),
        ((row["editor"], at(row["began_at"]), at(row["used_at"])) for row in rows),
    )
