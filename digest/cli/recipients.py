"""`digest recipients add|list`."""

import click

from digest.cli.desk import runtime
from digest.cli.output import counted, done, emit_json, json_option, local, table


@click.group()
def recipients() -> None:
    """Who gets the mail."""


@recipients.command()
@click.argument("address")
@click.option("--name", metavar="NAME", help="As the mail's To field shows it.")
@click.option(
    "--language",
    "languages",
    multiple=True,
    metavar="CODE",
    help="A language they read; the first one given is the mail's own. Default: all.",
)
@click.option(
    "--theme",
    "themes",
    multiple=True,
    metavar="NAME",
    help='A theme they want, or "other". Default: everything.',
)
@click.option(
    "--digest", "digests", multiple=True, metavar="NAME", help="A digest they get. Default: all."
)
@json_option
def add(
    address: str,
    name: str | None,
    languages: tuple[str, ...],
    themes: tuple[str, ...],
    digests: tuple[str, ...],
    as_json: bool,
) -> None:
    """Add a recipient, or give one that is there a new choice."""
    from digest.config.audience import check_recipient
    from digest.store.audience import add_recipient

    room = runtime()
    chosen = check_recipient(
        room.settings,
        address=address,
        name=name,
        languages=languages,
        themes=themes,
        digests=digests,
    )
    with room.open() as db, db.write():
        recipient_id, new = add_recipient(
            db,
            address=chosen.address,
            name=chosen.name,
            languages=chosen.languages,
            themes=chosen.themes,
            digests=chosen.digests,
            moment=room.now(),
        )
    if as_json:
        emit_json({"id": recipient_id, "new": new})
        return
    what = "Added recipient" if new else "Changed the choice of recipient"
    done(f"{what} {recipient_id}. Next: digest send --dry-run.")


@recipients.command("list")
@json_option
def list_recipients(as_json: bool) -> None:
    """Every recipient with status and choice."""
    from digest.store.audience import list_recipients as stored

    room = runtime()
    with room.open(read_only=True) as db:
        found = stored(db)
    if as_json:
        emit_json(
            [
                {
                    "id": one.id,
                    "address": one.address,
                    "name": one.name,
                    "status": one.status.value,
                    "language": one.choice.language,
                    "languages": list(one.choice.languages),
                    "themes": list(one.choice.themes) or None,
                    "digests": list(one.digests),
                    "added_at": one.added_at,
                }
                for one in found
            ]
        )
        return
    if found:
        zone = room.settings.site.time_zone
        table(
            ("id", "address", "status", "languages", "themes", "digests", "added"),
            [
                (
                    str(one.id),
                    one.address,
                    one.status.value,
                    ", ".join(one.choice.languages),
                    ", ".join(one.choice.themes) or "everything",
                    ", ".join(one.digests),
                    local(one.added_at, zone),
                )
                for one in found
            ],
            wide="address",
            right=("id",),
        )
    done(f"{counted(len(found), 'recipient')}. Next: digest recipients add ADDRESS.")
