"""`digest adopt`: a database that was moved, copied or restored sends from here."""

from typing import TYPE_CHECKING

import click

from digest.cli.desk import runtime
from digest.cli.output import counted, done

if TYPE_CHECKING:
    from digest.runtime import Runtime
    from digest.store.database import Database

NOTE = "the database was restored: it may have been sent before"


@click.command("adopt")
@click.option(
    "--hold/--send",
    default=None,
    help="For a copy: hold what may have been sent after it was made, or send it.",
)
def adopt_database(hold: bool | None) -> None:
    """Let a database that was copied or restored send from this machine and place.

    Only one copy of a database may send; make sure that the other one does not. A backup does not
    know what was sent after it was made: --hold makes held editions of what waits and of what is
    queued, to release or cancel by hand; --send says that nothing was sent.
    """
    from digest.recovery import settle_handed
    from digest.store.sender import adopt, is_copy

    room = runtime()
    held: list[int] = []
    with room.open() as db, db.write():
        if is_copy(db):
            if hold is None:
                _refuse_to_guess(db, room)
            # What was under way when the copy was made went out by the original, or did not.
            settle_handed(db, repeatable=False, now=room.now())
            held = _hold(db, room) if hold else []
        adopt(db, room.here)
    said = f"{room.settings.store.path} now sends from here."
    if held:
        numbers = ", ".join(map(str, held))
        done(
            f"{said} Held: {counted(len(held), 'edition')} ({numbers}). Next: digest editions show "
            f"{held[0]}, then digest editions cancel or release."
        )
    else:
        done(f"{said} Next: digest send --dry-run.")


def _refuse_to_guess(db: "Database", room: "Runtime") -> None:
    from digest.compose import count_waiting
    from digest.errors import NotReadyError
    from digest.store.editions import unfinished_editions

    settings = room.settings
    waiting = sum(count_waiting(db, settings, one, room.now()) for one in settings.digests)
    queued = len(unfinished_editions(db))
    if waiting or queued:
        raise NotReadyError(
            f"{db.path}: is a copy, with {counted(waiting, 'article')} for the next editions and "
            f"{counted(queued, 'edition')} with mail still queued. If they were sent after the copy "
            "was made, readers would get them twice. Say --hold, and they wait as held editions for "
            "you to cancel or release; or --send if nothing was sent. Nothing was changed."
        )


def _hold(db: "Database", room: "Runtime") -> list[int]:
    from digest.compose import compose_held
    from digest.store.editions import hold_edition, unfinished_editions

    begun = unfinished_editions(db)
    for edition_id in begun:
        hold_edition(db, edition_id, NOTE)
    return [*begun, *compose_held(db, room.settings, room.now(), NOTE)]
