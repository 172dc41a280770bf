"""What a recipient may choose, held against config.toml."""

from collections.abc import Sequence
from dataclasses import dataclass

from digest.config.settings import Settings
from digest.errors import RecipientError
from digest.model import OTHER


@dataclass(frozen=True, slots=True)
class ChosenRecipient:
    """A recipient as it may be kept. `themes` None is everything."""

    address: str
    name: str | None
    languages: tuple[str, ...]
    themes: tuple[str, ...] | None
    digests: tuple[str, ...]


def check_recipient(
    settings: Settings,
    *,
    address: str,
    name: str | None = None,
    languages: Sequence[str] = (),
    themes: Sequence[str] = (),
    digests: Sequence[str] = (),
) -> ChosenRecipient:
    """An address and a choice as config.toml allows them; what is not chosen is everything.

    Raises:
        RecipientError: the address is none, or a language, theme or digest is not in config.toml.
    """
    from email_validator import EmailNotValidError, validate_email

    try:
        valid = validate_email(address, check_deliverability=False, test_environment=True)
    except EmailNotValidError as e:
        raise RecipientError(f"this is not an e-mail address: {e}") from None
    if name is not None and (not name.strip() or any(ord(sign) < 32 for sign in name)):
        raise RecipientError("the name holds a line break or nothing; allowed is one line of text")
    for what, chosen, allowed in (
        ("language", languages, settings.site.languages),
        ("theme", themes, (*settings.theme_keys, OTHER)),
        ("digest", digests, tuple(digest.name for digest in settings.digests)),
    ):
        for one in chosen:
            if one not in allowed:
                raise RecipientError(
                    f"{what} {one!r} is not in {settings.path.name}; allowed are "
                    f"{', '.join(allowed)}"
                )
    return ChosenRecipient(
        address=valid.ascii_email or valid.normalized,
        name=name.strip() if name else None,
        languages=tuple(dict.fromkeys(languages)) or settings.site.languages,
        themes=tuple(dict.fromkeys(themes)) or None,
        digests=tuple(dict.fromkeys(digests)) or tuple(one.name for one in settings.digests),
    )
