"""`digest backup`, `restore`, `activate`, `export`, `import` and `prune`."""

import contextlib
from datetime import timedelta
from pathlib import Path

import click

from digest.cli.options import COUNT, current_newsroom
from digest.cli.output import counted, json_option, show

NOTE = "the database was restored: it may have been sent before"


@click.command()
@click.option(
    "--to",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="The folder. Default: store.backups.",
)
@click.option(
    "--keep", type=COUNT, metavar="N", help="Keep N backups there. Default: store.keep_backups."
)
@json_option
def backup(folder: Path | None, keep: int | None, as_json: bool) -> None:
    """Back up the database while it is in use, and check the copy."""
    from digest.store.backups import backup as run

    newsroom = current_newsroom()
    store = newsroom.settings.store
    with newsroom.open(read_only=True) as newsroom:
        made = run(
            newsroom.db, folder or store.backups, newsroom.now(), keep=keep or store.keep_backups
        )
    removed = f" Deleted {counted(len(made.removed), 'older backup')}." if made.removed else ""
    show(
        as_json,
        {
            "path": str(made.path),
            "bytes": made.size,
            "rows": made.rows,
            "removed": [str(path) for path in made.removed],
        },
        f"Wrote {made.path}: {made.size / 1_000_000:,.1f} MB, "
        f"{counted(sum(made.rows.values()), 'row')}, checked.{removed}",
    )


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--yes", is_flag=True, default=False, help="Restore without asking.")
def restore(file: Path, yes: bool) -> None:
    """Replace the database with a backup; the old one is kept.

    The restored database sends mail only after `digest activate`.
    """
    from digest.errors import NotReadyError, StoreError
    from digest.service.troubles import LEASE
    from digest.store.backups import restore as run
    from digest.store.backups import verify
    from digest.store.owner import current_lease

    newsroom = current_newsroom()
    store, lease = newsroom.settings.store, None
    # A service opens the database only now and then: its lease alone shows that it is at work.
    # A database that is missing or damaged is what a restore is for.
    with contextlib.suppress(StoreError), newsroom.open(read_only=True) as opened:
        lease = current_lease(opened.db, LEASE)
    length = timedelta(seconds=newsroom.settings.service.lease_seconds)
    if lease is not None and lease.holds(newsroom.now(), length):
        raise NotReadyError(
            f"{store.path}: the service {lease.holder} is using it. Stop the service, then restore. "
            f"If it was killed, wait until {lease.expires_at:%H:%M:%S} UTC. Nothing was changed."
        )
    rows = verify(file)
    if not yes:
        click.echo(
            f"{file} is sound: {counted(rows.get('articles', 0), 'article')}, "
            f"{counted(rows.get('editions', 0), 'edition')}, "
            f"{counted(rows.get('deliveries', 0), 'delivery', 'deliveries')}."
        )
        click.confirm(f"Replace {store.path} with it?", abort=True)
    old = run(file, store.path, newsroom.now(), busy_timeout_seconds=store.busy_timeout_seconds)
    kept = f" The old database is now {old}." if old else ""
    click.echo(
        f"Restored {store.path} from {file}.{kept} It does not know what was sent, or who "
        "unsubscribed, after the backup was made, and sends nothing until you activate it. Next: "
        "digest ingest --archive, so that nothing that came in since is sent again, then digest "
        "activate --hold. If nothing was sent since: digest activate --send."
    )


@click.command("activate")
@click.option(
    "--hold/--send",
    default=None,
    help="Hold or send what may have been sent after the copy was made.",
)
def activate_database(hold: bool | None) -> None:
    """Let this copy of the database send mail from this machine.

    Only one copy of a database may send: make sure that the other one does not. A backup does not
    know what was sent after it was made. --hold turns waiting articles and queued mail into held
    editions, which you release or cancel, and queued notices into uncertain ones, which you settle;
    nobody gets an alert of what has come in. --send means that nothing was sent.
    """
    from digest.audience.store import follows_of, note_look
    from digest.editions.alerts import look
    from digest.editions.compose import compose_held, count_waiting
    from digest.editions.deliver import settle_handed
    from digest.editions.store import hold_edition, unfinished_editions
    from digest.errors import NotReadyError
    from digest.mail.outgoing import TO_READERS, DeliveryStatus, Kind
    from digest.mail.store import give_up, unsent
    from digest.store.owner import activate, is_copy

    newsroom = current_newsroom()
    held: list[int] = []
    with newsroom.open() as newsroom:
        db, now, copy = newsroom.db, newsroom.now(), is_copy(newsroom.db)
        kinds = (*TO_READERS, Kind.LINK, Kind.REPORT)
        notices = unsent(db, kinds) if copy else 0
        if copy and hold is None:
            alerts = look(newsroom, dry_run=True)
            queued = len(unfinished_editions(db))
            waiting = sum(count_waiting(newsroom, one, now) for one in newsroom.settings.digests)
            if waiting or queued or notices or alerts:
                raise NotReadyError(
                    f"{db.path}: is a copy, with {counted(waiting, 'article')} for the next editions, "
                    f"{counted(queued, 'edition')} with mail still queued, "
                    f"{counted(notices, 'queued notice')} and {counted(alerts, 'alert')} to readers. If "
                    "they were sent after the copy was made, readers would get them twice. Use --hold to "
                    "keep them as held editions, to cancel or release, and as uncertain notices, without "
                    "the alerts; or --send if nothing was sent. Nothing was changed."
                )
        if copy and hold:
            held = unfinished_editions(db)
            held += compose_held(newsroom, now, NOTE)
        follows = [one.id for one in follows_of(db, now)] if copy and hold else []
        with db.write():
            if copy:
                # The original may or may not have sent what was under way when the copy was made.
                settle_handed(db, (), {}, {}, now)
                for edition_id in held:
                    hold_edition(db, edition_id, NOTE)
            if copy and hold:
                give_up(db, kinds, NOTE, now, status=DeliveryStatus.UNCERTAIN)
                note_look(db, follows, now)
            activate(db, newsroom.here)
    follow = "Next: digest send --dry-run."
    if held:
        follow = (
            f"Held: {counted(len(held), 'edition')} ({', '.join(map(str, held))}). Next: digest "
            f"editions show {held[0]}, then digest editions cancel or release."
        )
    if hold and (notices or follows):
        follow += (
            f" {counted(notices, 'notice is', 'notices are')} uncertain (digest deliveries list --notices), "
            "and nobody gets an alert of what has come in by now."
        )
    click.echo(f"{newsroom.settings.store.path} now sends from this machine. {follow}")


@click.command("export")
@click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--with-secrets",
    is_flag=True,
    default=False,
    help="Include the token key and letters, with which subscriptions can be ended.",
)
def export_store(file: Path | None, with_secrets: bool) -> None:
    """Write the whole database as JSON lines.

    They go into FILE or to standard output. Without secrets, a database made from them does not
    recognise unsubscribe links and bounces of mail sent earlier, and has no letters.
    """
    from digest.errors import StoreError
    from digest.store.backups import export_lines, sweep
    from digest.store.files import new_file

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
        try:
            with new_file(file) as made, made.open("w", encoding="utf-8", newline="\n") as out:
                for line in lines:
                    out.write(f"{line}\n")
                    count += 1
        except OSError as e:
            raise StoreError(f"{file}: cannot be written: {e.strerror}.") from e
    click.echo(f"Wrote {counted(count - 2, 'row')} to {file}.")


@click.command("import")
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True, path_type=Path))
def import_store(file: Path) -> None:
    """Fill an empty database from an export; `-` reads standard input.

    The database sends mail only after `digest activate`.
    """
    from digest.errors import StoreError
    from digest.store.backups import import_lines

    newsroom = current_newsroom()
    name = "standard input" if str(file) == "-" else str(file)
    try:
        with click.open_file(str(file), encoding="utf-8") as lines, newsroom.open() as newsroom:
            count = import_lines(newsroom.db, lines, name)
    except (OSError, UnicodeDecodeError) as e:
        raise StoreError(f"{file}: cannot be read: {e}. Nothing was written.") from e
    click.echo(
        f"Imported {counted(count, 'row')}. The database sends nothing until you activate it. "
        "Next: digest doctor, digest publish, then digest activate."
    )


@click.command()
@click.option("--dry-run", is_flag=True, default=False, help="Only show what would be deleted.")
@json_option
def prune(dry_run: bool, as_json: bool) -> None:
    """Delete old bounces, server answers and unconfirmed forms.

    Articles, editions and the outcome of each delivery are never deleted. `digest serve` prunes by
    itself.
    """
    from digest.audience.signup import lapse_requests
    from digest.store.backups import prune as run
    from digest.store.backups import would_prune
    from digest.web.store import prune_desk

    newsroom = current_newsroom()
    limits = newsroom.settings.prune
    days = {"bounce_days": limits.bounce_days, "answer_days": limits.answer_days}
    with newsroom.open(read_only=dry_run) as newsroom:
        pruned = (would_prune if dry_run else run)(newsroom.db, newsroom.now(), **days)
        if not dry_run:
            lapse_requests(newsroom)
            prune_desk(newsroom.db, newsroom.now(), limits.answer_days)
    show(
        as_json,
        {
            "dry_run": dry_run,
            "letters": pruned.bounces,
            "letter_bytes": pruned.bounce_bytes,
            "answers": pruned.answers,
        },
        f"{'Would delete' if dry_run else 'Deleted'} the bytes of {counted(pruned.bounces, 'bounce')} "
        f"older than {limits.bounce_days} days ({pruned.bounce_bytes / 1_000_000:,.1f} MB), and the "
        f"server's answers to {counted(pruned.answers, 'delivery', 'deliveries')} in editions older "
        f"than {limits.answer_days} days. The outcome of each delivery is kept."
        + (" Next: digest prune." if dry_run else ""),
    )
