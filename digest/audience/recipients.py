"""What recipients may choose, what they chose, and what of it is still offered."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from digest.audience.store import (
    ChosenRecipient,
    add_recipient,
    find_recipient,
    list_recipients,
    note_event,
    recipient_by_address,
    update_recipient,
)
from digest.audience.suppressions import suppress, suppression_of
from digest.config.settings import DigestConfig, Settings
from digest.errors import RecipientError
from digest.language.addresses import check_address
from digest.language.text import foreign
from digest.model import OTHER, Choice, Recipient
from digest.store.database import Database, Row, moment_from_text


def effective_choice(settings: Settings, digest: DigestConfig, row: Row) -> Choice:
    """The part of a stored choice that the digest offers now; themes None is everything."""
    offered = settings.digest_languages(digest)
    languages = tuple(code for code in (row["languages"] or "").split(",") if code in offered)
    themes = settings.digest_themes(digest)
    if row["themes"] is not None:
        chosen = row["themes"].split(",")
        themes = tuple(theme for theme in themes if theme in chosen)
    return Choice(row["language"], languages, themes)


EVERYTHING = "everything"
"""In place of a theme: all themes, including those added to config.toml later."""
LONGEST_NAME = 200


def check_recipient(
    settings: Settings,
    *,
    address: str,
    name: str | None = None,
    languages: Sequence[str] = (),
    themes: Sequence[str] = (),
    digests: Sequence[str] = (),
    before: Recipient | None = None,
) -> ChosenRecipient:
    """An address and a choice, checked against config.toml.

    What is not chosen stays as it was `before`; for a new recipient it is everything.

    Raises:
        RecipientError: the address is invalid, or not every mail server accepts it; or a language,
            theme or digest is not in config.toml.
    """
    valid = mailable(address)
    if name is not None and not (name := foreign(name, limit=LONGEST_NAME)):
        raise RecipientError("The name is blank. Write it as one line of text.")
    chosen = check_choice(settings, languages, themes, digests, before)
    return ChosenRecipient(valid, chosen[0], chosen[2], name, chosen[1])


def mailable(address: str) -> str:
    """The address as it is stored.

    Raises:
        RecipientError: it is invalid, or not every mail server accepts it.
    """
    valid = check_address(address)
    if not valid.isascii():
        raise RecipientError(
            f"{address!r} has letters before the @ that not every mail server accepts (RFC 6531). "
            "Ask for an address whose part before the @ is ASCII: a-z, 0-9, dots and hyphens."
        )
    return valid


def offered(settings: Settings) -> dict[str, tuple[str, ...]]:
    """What config.toml has of each kind."""
    digests = tuple(one.name for one in settings.digests)
    themes = (*settings.theme_keys, OTHER)
    return {"languages": settings.site.languages, "themes": themes, "digests": digests}


def check_choice(
    settings: Settings,
    languages: Sequence[str],
    themes: Sequence[str],
    digests: Sequence[str],
    before: Recipient | None = None,
) -> tuple[tuple[str, ...], tuple[str, ...] | None, tuple[str, ...]]:
    """Languages, themes and digests as `check_recipient` checks and completes them."""
    everything = tuple(themes) == (EVERYTHING,)
    given = languages, () if everything else themes, digests
    for chosen, (what, allowed) in zip(given, offered(settings).items(), strict=True):
        also = f", or {EVERYTHING} alone" if what == "themes" else ""
        for one in chosen:
            if one not in allowed:
                raise RecipientError(
                    f"{what[:-1]} {one!r} is not in {settings.path.name}; allowed are "
                    f"{', '.join(allowed)}{also}"
                )
    previous = before.choice if before else Choice("", settings.site.languages, ())
    return (
        tuple(dict.fromkeys(languages)) or previous.languages,
        None if everything else tuple(dict.fromkeys(themes)) or previous.themes or None,
        tuple(dict.fromkeys(digests))
        or (before.digests if before else offered(settings)["digests"]),
    )


class By(NamedTuple):
    """Who decided something about a subscription: a form, a link or a person; from which network, by
    which words, where they are known."""

    name: str
    network: str | None = None
    words: str | None = None


COMMAND = By("command")


def keep(
    db: Database,
    settings: Settings,
    moment: datetime,
    address: str,
    given: Mapping[str, Any],
    *,
    resubscribe: bool,
    by: By = COMMAND,
) -> tuple[Recipient | None, Recipient]:
    """Store what is `given`, and note what changed `by` whom: the recipient before, None when new, and
    after. Call inside a write.

    Raises:
        RecipientError: config.toml does not allow it, or the recipient has unsubscribed and did not
            ask to `resubscribe`.
    """
    known = find_recipient(db, address)
    before = None if known is None else list_recipients(db, recipient_id=known)[0]
    chosen = check_recipient(settings, address=address, before=before, **given)
    recipient_id, _ = add_recipient(db, chosen, moment, resubscribe=resubscribe)
    [after] = list_recipients(db, recipient_id=recipient_id)
    _note(db, settings, moment, before, after, by)
    return before, after


def change(
    db: Database,
    settings: Settings,
    moment: datetime,
    address: str,
    given: Mapping[str, Any],
    *,
    new_address: str | None = None,
    paused_until: datetime | None = None,
    resume: bool = False,
    by: By = COMMAND,
) -> tuple[Recipient, Recipient]:
    """As `keep` for a recipient who exists: before and after. Call inside a write.

    A suppression that is about the person, and not about the mailbox, goes with them to a new address.

    Raises:
        NotFoundError: nobody has the address.
        RecipientError: config.toml does not allow it, the recipient has unsubscribed, the new address
            is another recipient's, or the pause ends before it begins.
    """
    recipient_id = recipient_by_address(db, address)
    [before] = list_recipients(db, recipient_id=recipient_id)
    if paused_until is not None and paused_until <= moment:
        raise RecipientError("A pause ends in the future. To end it now, use --resume.")
    address = mailable(new_address) if new_address else before.address
    until = None if resume else paused_until or before.paused_until
    update_recipient(db, recipient_id, address, until, moment)
    known = suppression_of(db, before.address)
    if known is not None and known["cause"] in ("complaint", "import", "manual"):
        since, bounce_id = moment_from_text(known["since"]), known["bounce_id"]
        suppress(db, address, known["cause"], since, detail=known["detail"], bounce_id=bounce_id)
    chosen = check_recipient(settings, address=address, before=before, **given)
    add_recipient(db, chosen, moment)
    [after] = list_recipients(db, recipient_id=recipient_id)
    _note(db, settings, moment, before, after, by)
    return before, after


def _note(
    db: Database,
    settings: Settings,
    moment: datetime,
    before: Recipient | None,
    after: Recipient,
    by: By,
) -> None:
    """Note what changed, if anything did, under the gravest of it."""
    changed = changes(before, after, settings.site.time_zone)
    if before is None:
        act = "joined"
    else:
        acts = {"status": "returned", "address": "moved", "paused until": "paused"}
        act = next((acts[one] for one in acts if one in changed), "chose")
    if before is None or changed:
        note_event(db, after.id, act, by.name, moment, by.network, by.words, changed)


def changes(before: Recipient | None, after: Recipient, zone: str) -> dict[str, tuple[str, str]]:
    """What changed, in words: the value before and after, by name; times are in the zone."""
    if before is None:
        return {}
    was, now = (
        {
            "address": one.address,
            "status": one.status.value,
            "name": one.name or "none",
            "languages": ", ".join(one.choice.languages),
            "themes": ", ".join(one.choice.themes) or EVERYTHING,
            "digests": ", ".join(one.digests),
            "paused until": f"{one.paused_until.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}"
            if one.paused_until
            else "no day",
        }
        for one in (before, after)
    )
    return {what: (was[what], now[what]) for what in was if was[what] != now[what]}


def doubts(
    db: Database, settings: Settings, before: Recipient | None, recipient: Recipient
) -> list[str]:
    """Why a digest that the recipient chose, or all mail, will not reach them; or will, at a new address."""
    lines = []
    old = before and before.address != recipient.address and suppression_of(db, before.address)
    if (suppressed := suppression_of(db, recipient.address)) is not None:
        lines.append(
            f"{recipient.address} is suppressed ({suppressed['cause']}) and gets no mail. "
            f"To mail it again: digest suppressions remove {recipient.address}"
        )
    elif before and old:
        lines.append(
            f"{before.address} is suppressed ({old['cause']}), {recipient.address} is not and gets mail."
        )
    row = {
        "language": recipient.choice.language,
        "languages": ",".join(recipient.choice.languages),
        "themes": ",".join(recipient.choice.themes) or None,
    }
    for digest in settings.digests:
        if digest.name not in recipient.digests:
            continue
        effective = effective_choice(settings, digest, row)
        for what, left, offered in (
            ("language", effective.languages, settings.digest_languages(digest)),
            ("theme", effective.themes, settings.digest_themes(digest)),
        ):
            if not left:
                lines.append(
                    f"digest {digest.name} has no {what} of this choice, so it will not be sent; "
                    f"it has {', '.join(offered)}"
                )
    return lines
