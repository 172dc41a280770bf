"""`digest recipients`."""

from typing import TYPE_CHECKING, Any

import click

from digest.cli.options import current_newsroom
from digest.cli.output import counted, json_option, local, show, warn

if TYPE_CHECKING:
    from digest.model import Recipient


@click.group()
def recipients() -> None:
    """Add, list and unsubscribe the people who get the mail."""


@recipients.command()
@click.argument("address")
@click.option("--name", metavar="NAME", help="The name in the mail's To field.")
@click.option(
    "--language",
    "languages",
    multiple=True,
    metavar="CODE",
    help="A language they read; the first one is the mail's own. Default: all.",
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
@click.option(
    "--resubscribe", is_flag=True, default=False, help="They unsubscribed, and asked to come back."
)
@json_option
def add(
    address: str,
    name: str | None,
    languages: tuple[str, ...],
    themes: tuple[str, ...],
    digests: tuple[str, ...],
    resubscribe: bool,
    as_json: bool,
) -> None:
    """Add a recipient, or change what you give of an existing one."""
    from digest.audience.recipients import changes, doubts, keep

    newsroom = current_newsroom()
    given = {"name": name, "languages": languages, "themes": themes, "digests": digests}
    with newsroom.open() as newsroom, newsroom.db.write():
        before, after = keep(
            newsroom.db, newsroom.settings, newsroom.now(), address, given, resubscribe=resubscribe
        )
        warnings = doubts(newsroom.db, newsroom.settings, after)
    for line in warnings:
        warn(line)
    changed = changes(before, after)
    text = f"Recipient {after.id} already exists, nothing changed."
    if before is None:
        text = f"Added recipient {after.id}. Next: digest send --dry-run."
    elif changed:
        words = "; ".join(f"{what}: {was} became {now}" for what, (was, now) in changed.items())
        text = f"Recipient {after.id}: {words}. Next: digest send --dry-run."
    data = {what: {"before": was, "after": now} for what, (was, now) in changed.items()}
    show(as_json, {"id": after.id, "new": before is None, "changed": data}, text)


@recipients.command()
@click.argument("address")
def end(address: str) -> None:
    """Unsubscribe a recipient."""
    from digest.audience.store import recipient_by_address
    from digest.audience.suppressions import end_recipient

    newsroom = current_newsroom()
    with newsroom.open() as newsroom, newsroom.db.write():
        recipient_id = recipient_by_address(newsroom.db, address)
        ended = end_recipient(newsroom.db, recipient_id, "by hand", newsroom.now())
    click.echo(
        f"Recipient {recipient_id} is unsubscribed: queued mail is skipped, and nothing more is "
        "sent. Next: digest recipients list."
        if ended
        else f"Recipient {recipient_id} was already unsubscribed, nothing changed."
    )


def _as_data(one: "Recipient") -> dict[str, Any]:
    return {
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


@recipients.command("list")
@json_option
def list_recipients(as_json: bool) -> None:
    """List all recipients with status and choices."""
    from digest.audience.store import list_recipients as stored

    newsroom = current_newsroom()
    with newsroom.open(read_only=True) as newsroom:
        rows = stored(newsroom.db)
    zone = newsroom.settings.site.time_zone
    show(
        as_json,
        [_as_data(one) for one in rows],
        f"{counted(len(rows), 'recipient')}. Next: digest recipients add ADDRESS.",
        ("id", "address", "status", "languages", "themes", "digests", "added"),
        (
            (
                one.id,
                one.address,
                one.status.value,
                ", ".join(one.choice.languages),
                ", ".join(one.choice.themes) or "everything",
                ", ".join(one.digests),
                local(one.added_at, zone),
            )
            for one in rows
        ),
        wide="address",
    )


@recipients.command("show")
@click.argument("address")
@json_option
def show_recipient(address: str, as_json: bool) -> None:
    """Show what is known of a recipient, and why they get mail or none."""
    from digest.audience.evidence import in_words, list_returns
    from digest.audience.store import ended, list_recipients, recipient_by_address
    from digest.audience.suppressions import SOFT_LAPSES, suppression_of
    from digest.store.database import moment_from_text

    newsroom = current_newsroom()
    zone = newsroom.settings.site.time_zone
    with newsroom.open(read_only=True) as newsroom:
        db = newsroom.db
        recipient_id = recipient_by_address(db, address)
        [one] = list_recipients(db, recipient_id=recipient_id)
        left, suppressed = ended(db, recipient_id), suppression_of(db, address)
        returns = list_returns(db, recipient_id=recipient_id, limit=20)

    def at(moment: str) -> str:
        return local(moment_from_text(moment), zone)

    lines = [
        f"{one.address}{f' ({one.name})' if one.name else ''}, recipient {one.id}, {one.status.value}",
        f"since     {local(one.added_at, zone)}",
        f"chose     {', '.join(one.digests)}; {', '.join(one.choice.languages)}; "
        f"{', '.join(one.choice.themes) or 'everything'}",
    ]
    if left is not None:
        lines.append(f"left      {at(left['ended_at'])}: {left['ended_reason']}")
    if suppressed is not None:
        why = next((row for row in returns if row["id"] == suppressed["bounce_id"]), None)
        said = in_words(why) if why else suppressed["detail"] or "no reason was given"
        if suppressed["cause"] == "soft":
            lapses = moment_from_text(suppressed["since"]) + SOFT_LAPSES
            said += f" It lapses on {local(lapses, zone)[:10]}."
        lines.append(f"no mail   since {at(suppressed['since'])}, {suppressed['cause']}: {said}")
    lines += [f"came back {at(row['read_at'])}, {row['kind']}: {in_words(row)}" for row in returns]
    data = _as_data(one) | {
        "ended_at": left and left["ended_at"],
        "ended_reason": left and left["ended_reason"],
        "suppressed": suppressed,
        "came_back": [row | {"said": in_words(row)} for row in returns],
    }
    lines.append(f"Next: digest deliveries trace {one.address}.")
    show(as_json, data, "\n".join(lines))
