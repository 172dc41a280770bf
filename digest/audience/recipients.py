"""What recipients may choose, what they chose, and what of it is still offered."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from digest.audience.store import ChosenRecipient, add_recipient, find_recipient, list_recipients
from digest.audience.suppressions import suppression_of
from digest.config.settings import DigestConfig, Settings
from digest.errors import RecipientError
from digest.language.addresses import check_address
from digest.model import OTHER, Choice, Recipient
from digest.store.database import Database, Row


def effective_choice(settings: Settings, digest: DigestConfig, row: Row) -> Choice:
    """A choice as kept, held against what the digest carries now; themes None is everything."""
    carried = settings.digest_themes(digest)
    spoken = settings.digest_languages(digest)
    chosen = None if row["themes"] is None else row["themes"].split(",")
    languages = [code for code in (row["languages"] or "").split(",") if code in spoken]
    return Choice(
        row["language"],
        tuple(languages),
        tuple(theme for theme in carried if chosen is None or theme in chosen),
    )


EVERYTHING = "everything"
"""In place of a theme: all themes, those of config.toml to come included."""


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
    """An address and a choice as config.toml allows them.

    What is not chosen stays as it was `before`, and for somebody new it is everything.

    Raises:
        RecipientError: the address is none, or one that a mail server may not take; or a language,
            theme or digest is not in config.toml.
    """
    valid = check_address(address)
    if not valid.isascii():
        raise RecipientError(
            f"{address!r} has letters before the @ that not every mail server takes (RFC 6531); ask "
            "for an address whose part before the @ is ASCII: a-z, 0-9, dots and hyphens"
        )
    if name is not None and (not name.strip() or any(ord(sign) < 32 for sign in name)):
        raise RecipientError("the name holds a line break or nothing; allowed is one line of text")
    everything = tuple(themes) == (EVERYTHING,)
    all_digests = tuple(one.name for one in settings.digests)
    _check_known(settings, "language", languages, settings.site.languages)
    if not everything:
        _check_known(
            settings, "theme", themes, (*settings.theme_keys, OTHER), f", or {EVERYTHING} alone"
        )
    _check_known(settings, "digest", digests, all_digests)
    kept = before.choice if before else Choice("", settings.site.languages, ())
    return ChosenRecipient(
        address=valid,
        name=name.strip() if name else None,
        languages=tuple(dict.fromkeys(languages)) or kept.languages,
        themes=None if everything else tuple(dict.fromkeys(themes)) or kept.themes or None,
        digests=tuple(dict.fromkeys(digests)) or (before.digests if before else all_digests),
    )


def _check_known(
    settings: Settings, what: str, chosen: Sequence[str], allowed: Sequence[str], also: str = ""
) -> None:
    for one in chosen:
        if one not in allowed:
            raise RecipientError(
                f"{what} {one!r} is not in {settings.path.name}; allowed are "
                f"{', '.join(allowed)}{also}"
            )


def keep(
    db: Database,
    settings: Settings,
    moment: datetime,
    address: str,
    given: Mapping[str, Any],
    *,
    anew: bool,
) -> tuple[Recipient | None, Recipient]:
    """The recipient before, None where new, and after what is `given` was kept. Call inside a write.

    Raises:
        RecipientError: config.toml does not allow it, or the recipient has left and not asked `anew`.
    """
    known = find_recipient(db, address)
    before = None if known is None else _recipient(db, known)
    chosen = check_recipient(settings, address=address, before=before, **given)
    recipient_id, _ = add_recipient(db, chosen, moment, anew=anew)
    return before, _recipient(db, recipient_id)


def changes(before: Recipient | None, after: Recipient) -> dict[str, tuple[str, str]]:
    """What differs, in words: from what to what."""
    if before is None:
        return {}
    return {
        what: (was, now)
        for (what, was), now in zip(_facts(before).items(), _facts(after).values(), strict=True)
        if was != now
    }


def doubts(db: Database, settings: Settings, recipient: Recipient) -> list[str]:
    """Why a digest of the recipient's choice, or all mail, will not come."""
    found = []
    if (suppressed := suppression_of(db, recipient.address)) is not None:
        found.append(
            f"{recipient.address} is suppressed ({suppressed['cause']}) and gets nothing; if it is to "
            f"be mailed again: digest suppressions remove {recipient.address}"
        )
    choice = recipient.choice
    kept = {
        "language": choice.language,
        "languages": ",".join(choice.languages),
        "themes": ",".join(choice.themes) or None,
    }
    for digest in settings.digests:
        if digest.name not in recipient.digests:
            continue
        gets = effective_choice(settings, digest, kept)
        for what, left, carried in (
            ("language", gets.languages, settings.digest_languages(digest)),
            ("theme", gets.themes, settings.digest_themes(digest)),
        ):
            if not left:
                found.append(
                    f"digest {digest.name} has no {what} of this choice, so nothing of it will come; "
                    f"it has {', '.join(carried)}"
                )
    return found


def _facts(recipient: Recipient) -> dict[str, str]:
    choice = recipient.choice
    return {
        "status": recipient.status.value,
        "name": recipient.name or "none",
        "languages": ", ".join(choice.languages),
        "themes": ", ".join(choice.themes) or EVERYTHING,
        "digests": ", ".join(recipient.digests),
    }


def _recipient(db: Database, recipient_id: int) -> Recipient:
    [found] = list_recipients(db, recipient_id=recipient_id)
    return found
