"""`digest recipients add|end|list`."""

import click

from digest.cli.desk import runtime
from digest.cli.output import counted, done, emit_json, json_option, local, table, warn


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
    help='A theme they want, or "other", or "everything". Default: everything.',
)
@click.option(
    "--digest", "digests", multiple=True, metavar="NAME", help="A digest they get. Default: all."
)
@click.option("--anew", is_flag=True, default=False, help="Who had left has asked for it anew.")
@json_option
def add(
    address: str,
    name: str | None,
    languages: tuple[str, ...],
    themes: tuple[str, ...],
    digests: tuple[str, ...],
    anew: bool,
    as_json: bool,
) -> None:
    """Add a recipient, or change what is given of one that is there."""
    from digest.cli.choosing import changes, doubts, keep

    room = runtime()
    given = {"name": name, "languages": languages, "themes": themes, "digests": digests}
    with room.open() as db, db.write():
        before, after = keep(db, room.settings, room.now(), address, given, anew=anew)
        warnings = doubts(db, room.settings, after)
    changed = changes(before, after)
    for line in warnings:
        warn(line)
    if as_json:
        told = {what: {"before": was, "after": now} for what, (was, now) in changed.items()}
        emit_json({"id": after.id, "new": before is None, "changed": told})
    elif before is None:
        done(f"Added recipient {after.id}. Next: digest send --dry-run.")
    elif not changed:
        done(f"Recipient {after.id} is already there, nothing changed.")
    else:
        said = "; ".join(f"{what}: {was} became {now}" for what, (was, now) in changed.items())
        done(f"Recipient {after.id}: {said}. Next: digest send --dry-run.")


@recipients.command()
@click.argument("address")
def end(address: str) -> None:
    """End a subscription by hand, as a letter to the address for leaving does."""
    from digest.store.audience import recipient_by_address
    from digest.store.suppressions import end_recipient

    room = runtime()
    with room.open() as db, db.write():
        recipient_id = recipient_by_address(db, address)
        ended = end_recipient(db, recipient_id, "by hand", room.now())
    if ended:
        done(
            f"Recipient {recipient_id} has left: nothing more is mailed, what is queued is skipped. "
            "Next: digest recipients list."
        )
    else:
        done(f"Recipient {recipient_id} had left already, nothing changed.")


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
