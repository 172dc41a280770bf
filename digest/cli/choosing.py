"""What `digest recipients add` changes of a recipient, and what of the choice is in doubt."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from digest.compose import effective_choice
from digest.config.audience import EVERYTHING, check_recipient
from digest.config.settings import Settings
from digest.model import Recipient
from digest.store.audience import add_recipient, find_recipient, list_recipients
from digest.store.database import Database
from digest.store.suppressions import suppression_of


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
    recipient_id, _ = add_recipient(
        db,
        address=chosen.address,
        name=chosen.name,
        languages=chosen.languages,
        themes=chosen.themes,
        digests=chosen.digests,
        moment=moment,
        anew=anew,
    )
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
