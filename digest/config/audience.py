"""What a recipient may choose, held against config.toml."""

from collections.abc import Sequence
from dataclasses import dataclass

from digest.config.settings import Settings
from digest.errors import RecipientError
from digest.model import OTHER, Choice, Recipient

EVERYTHING = "everything"
"""In place of a theme: all themes, those of config.toml to come included."""


@dataclass(frozen=True, slots=True)
class ChosenRecipient:
    """A recipient as it may be kept. `themes` None is everything."""

    address: str
    name: str | None
    languages: tuple[str, ...]
    themes: tuple[str, ...] | None
    digests: tuple[str, ...]


def check_address(address: str) -> str:
    """The address as it is kept, its domain in small letters; it may hold any script.

    Raises:
        RecipientError: it is none (RFC 5321 §4.1.2, RFC 6531 §3.3).
    """
    from email_validator import EmailNotValidError, validate_email

    try:
        valid = validate_email(
            address, check_deliverability=False, test_environment=True, strict=True
        )
    except EmailNotValidError as e:
        raise RecipientError(f"{address!r} is not an e-mail address: {e}") from None
    return valid.ascii_email or valid.normalized


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
