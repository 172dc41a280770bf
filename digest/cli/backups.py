"""`digest backup`, `restore`, `export`, `import`, and what follows a restore."""

import contextlib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click

from digest.cli.options import current_newsroom
from digest.cli.output import counted, done, json_option, show

if TYPE_CHECKING:
    from digest.newsroom import Newsroom
    from digest.store.database import Database


NOTE = "the database was restored: it may have been sent before"


@click.command("activate")
@click.option(
    "--hold/--send",
    default=None,
    help="Hold what may have been sent after the copy was made, or send it.",
)
def activate_database(hold: bool | None) -> None:
    """Let this copy of the database send mail from here.

    Only one copy of a database may send; make sure that the other one does not. A backup does not
    know what was sent after it was made: --hold makes held editions of what waits and of what is
    queued, to release or cancel by hand; --send says that nothing was sent.
    """
    from digest.editions.deliver import settle_handed
    from digest.store.owner import adopt, is_copy

    newsroom = current_newsroom()
    held: list[int] = []
    with newsroom.open() as newsroom, newsroom.db.write():
        if is_copy(newsroom.db):
            if hold is None:
                _refuse_to_guess(newsroom.db, newsroom)
            # What was under way when the copy was made went out by the original, or did not.
            settle_handed(newsroom.db, repeatable=False, now=newsroom.now())
            held = _hold(newsroom.db, newsroom) if hold else []
        adopt(newsroom.db, newsroom.here)
    said = f"{newsroom.settings.store.path} now sends from here."
    if held:
        numbers = ", ".join(map(str, held))
        done(
            f"{said} Held: {counted(len(held), 'edition')} ({numbers}). Next: digest editions show "
            f"{held[0]}, then digest editions cancel or release."
        )
    else:
        done(f"{said} Next: digest send --dry-run.")


def _refuse_to_guess(db: "Database", newsroom: "Newsroom") -> None:
    from digest.editions.compose import count_waiting
    from digest.editions.store import unfinished_editions
    from digest.errors import NotReadyError

    settings = newsroom.settings
    waiting = sum(count_waiting(newsroom, one, newsroom.now()) for one in settings.digests)
    queued = len(unfinished_editions(db))
    if waiting or queued:
        raise NotReadyError(
            f"{db.path}: is a copy, with {counted(waiting, 'article')} for the next editions and "
            f"{counted(queued, 'edition')} with mail still queued. If they were sent after the copy "
            "was made, readers would get them twice. Say --hold, and they wait as held editions for "
            "you to cancel or release; or --send if nothing was sent. Nothing was changed."
        )


def _hold(db: "Database", newsroom: "Newsroom") -> list[int]:
    from digest.editions.compose import compose_held
    from digest.editions.store import hold_edition, unfinished_editions

    begun = unfinished_editions(db)
    for edition_id in begun:
        hold_edition(db, edition_id, NOTE)
    return [*begun, *compose_held(newsroom, newsroom.now(), NOTE)]


@click.command()
@click.option(
    "--to",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Where to; else store.backups.",
)
@click.option(
    "--keep",
    type=click.IntRange(min=1),
    metavar="N",
    help="Keep so many copies there; else store.keep_backups.",
)
@json_option
def backup(folder: Path | None, keep: int | None, as_json: bool) -> None:
    """Copy the database while others use it, check the copy, delete the oldest copies."""
    from digest.store.backups import backup as run

    newsroom = current_newsroom()
    store = newsroom.settings.store
    with newsroom.open(read_only=True) as newsroom:
        made = run(
            newsroom.db, folder or store.backups, newsroom.now(), keep=keep or store.keep_backups
        )
    gone = f" Deleted {counted(len(made.removed), 'older copy', 'older copies')}."
    show(
        as_json,
        {
            "path": str(made.path),
            "bytes": made.size,
            "rows": made.rows,
            "removed": [str(path) for path in made.removed],
        },
        f"Wrote {made.path}: {made.size / 1_000_000:,.1f} MB, "
        f"{counted(sum(made.rows.values()), 'row')}, checked." + (gone if made.removed else ""),
    )


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--yes", is_flag=True, default=False, help="Restore without asking.")
def restore(file: Path, yes: bool) -> None:
    """Put a backup in the place of the database; the present one is kept aside.

    It sends only after `digest activate`.
    """
    from digest.store.backups import restore as run
    from digest.store.backups import verify

    newsroom = current_newsroom()
    store = newsroom.settings.store
    _refuse_beside_a_service(newsroom)
    rows = verify(file)
    if not yes:
        click.echo(
            f"{file} is sound: {counted(rows.get('articles', 0), 'article')}, "
            f"{counted(rows.get('editions', 0), 'edition')}, "
            f"{counted(rows.get('deliveries', 0), 'delivery', 'deliveries')}."
        )
        click.confirm(f"Put it in the place of {store.path}?", abort=True)
    old = run(file, store.path, newsroom.now(), busy_timeout_seconds=store.busy_timeout_seconds)
    kept = f" What was there lies in {old}." if old else ""
    done(
        f"Restored {store.path} from {file}.{kept} It does not know what was sent and who left "
        "after the copy was made, and does not send before you say so. Next: digest editions list, "
        "then digest activate --hold, or --send if nothing was sent since."
    )


def _refuse_beside_a_service(newsroom: "Newsroom") -> None:
    """It opens the database only now and then, so that nothing else shows that it is at work."""
    from digest.errors import NotReadyError, StoreError
    from digest.service.plan import LEASE
    from digest.store.owner import current_lease

    try:
        with newsroom.open(read_only=True) as newsroom:
            lease = current_lease(newsroom.db, LEASE)
    except StoreError:  # not there, or not to be read: what a restore is for
        return
    length = timedelta(seconds=newsroom.settings.service.lease_seconds)
    if lease is not None and lease.holds(newsroom.now(), length):
        raise NotReadyError(
            f"{newsroom.settings.store.path}: the service {lease.holder} works on it. Stop it, then "
            f"restore. If it was killed, wait until {lease.expires_at:%H:%M:%S} UTC. Nothing was "
            "changed."
        )


@click.command("export")
@click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--with-secrets",
    is_flag=True,
    default=False,
    help="With the key of tokens: who has it can end anybody's subscription.",
)
def export_store(file: Path | None, with_secrets: bool) -> None:
    """Write everything as JSON lines, into FILE or to standard output.

    Without the key of tokens, links to leave and bounces of mail that went out before are not
    known to a store that is made from it.
    """
    from digest.store.backups import export_lines, sweep

    newsroom = current_newsroom()
    with (
        newsroom.open(read_only=True) as newsroom,
        contextlib.closing(export_lines(newsroom.db, with_secrets=with_secrets)) as lines,
    ):
        if file is None:
            with click.open_file("-", "w", encoding="utf-8") as out:
                out.writelines(f"{line}\n" for line in lines)
            return
        count = 0
        sweep(file.parent, file.stem, newsroom.now())
        with _whole_file(file) as out:
            for line in lines:
                out.write(f"{line}\n")
                count += 1
    done(f"Wrote {counted(count - 2, 'row')} to {file}.")


@click.command("import")
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True, path_type=Path))
def import_store(file: Path) -> None:
    """Fill an empty database from an export; `-` reads the standard input.

    It sends only after `digest activate`.
    """
    from digest.errors import StoreError
    from digest.store.backups import import_lines

    newsroom = current_newsroom()
    try:
        with click.open_file(str(file), encoding="utf-8") as lines, newsroom.open() as newsroom:
            count = import_lines(
                newsroom.db, lines, "standard input" if str(file) == "-" else str(file)
            )
    except (OSError, UnicodeDecodeError) as e:
        raise StoreError(f"{file}: cannot be read: {e}. Nothing was written.") from e
    done(
        f"Took in {counted(count, 'row')}. It does not send before you say so. "
        "Next: digest doctor, digest publish, then digest activate."
    )


@click.command()
@click.option("--dry-run", is_flag=True, default=False, help="Only show what would be deleted.")
@json_option
def prune(dry_run: bool, as_json: bool) -> None:
    """Delete old bounces and server answers.

    Articles, editions and how each delivery ended stay for ever. `digest serve` does it by itself.
    """
    from digest.store.backups import prune as run
    from digest.store.backups import would_prune

    newsroom = current_newsroom()
    keeping = newsroom.settings.prune
    days = {"bounce_days": keeping.bounce_days, "answer_days": keeping.answer_days}
    with newsroom.open(read_only=dry_run) as newsroom:
        found = (would_prune if dry_run else run)(newsroom.db, newsroom.now(), **days)
    show(
        as_json,
        {
            "dry_run": dry_run,
            "letters": found.bounces,
            "letter_bytes": found.bounce_bytes,
            "answers": found.answers,
        },
        f"{'Would delete' if dry_run else 'Deleted'} the bytes of {counted(found.bounces, 'bounce')} "
        f"older than {keeping.bounce_days} days ({found.bounce_bytes / 1_000_000:,.1f} MB), and the "
        f"server's answers to {counted(found.answers, 'delivery', 'deliveries')} in editions older "
        f"than {keeping.answer_days} days. How each ended stays."
        + (" Next: digest prune." if dry_run else ""),
    )


@contextlib.contextmanager
def _whole_file(path: Path) -> Iterator[IO[str]]:
    """Written whole or not at all, for its owner's eyes."""
    from digest.errors import StoreError
    from digest.store.files import new_file

    try:
        with new_file(path) as made, made.open("w", encoding="utf-8", newline="\n") as out:
            yield out
    except OSError as e:
        raise StoreError(f"{path}: cannot be written: {e.strerror}.") from e
