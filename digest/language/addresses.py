"""Mail addresses: validity, the form for mail servers, and the key of a mailbox."""

import re
import unicodedata

from digest.errors import RecipientError

_ADDRESS = re.compile(r"[^\s<>()\[\],;:\\\"@]+@[^\s<>()\[\],;:\\\"@]+")
_USUAL = re.compile(
    r"(?=[^@]{1,64}@.{4,188}\Z)[\w!#$%&'*+/=?^`{|}~-]+(?:\.[\w!#$%&'*+/=?^`{|}~-]+)*@"
    r"(?:[a-z\d](?:[a-z\d]|-(?!-)){0,60}(?<!-)\.)+(?!(?:arpa|invalid|local|localhost|onion|test)\Z)"
    r"[a-z]{2,60}",
    re.ASCII | re.IGNORECASE,
)
"""An address that email_validator accepts as it is; to ask it takes fifty times as long."""


def ascii_address(address: str) -> str:
    """The address with its domain as A-labels (RFC 5891), which every mail server understands.

    Raises:
        ValueError: not an address, or its local part is not ASCII.
    """
    if not _ADDRESS.fullmatch(address) or len(address) > 254:
        raise ValueError(f"{address[:60]!r} is not a valid address for a header")
    if address.isascii():
        return address
    from email_validator import EmailNotValidError, validate_email

    try:
        valid = validate_email(address, check_deliverability=False, test_environment=True)
    except EmailNotValidError as e:
        raise ValueError(f"{address!r} is not an address: {e}") from e
    if valid.ascii_email is None:
        raise ValueError(f"{address!r} needs SMTPUTF8: its local part is not ASCII")
    return valid.ascii_email


def address_key(address: str) -> str:
    """The address in small letters, its domain as in DNS (RFC 5890 §2.3.2.1: xn--).

    An impossible domain stays as typed: no mail reaches it.
    """
    mailbox, at, domain = address.strip().casefold().rpartition("@")
    if domain.isascii():
        return mailbox + at + domain
    import idna

    try:
        return mailbox + at + idna.encode(domain, uts46=True).decode("ascii")
    except idna.IDNAError:
        return mailbox + at + domain


def check_address(address: str) -> str:
    """The address as it is stored, in any script, its domain in small letters.

    Raises:
        RecipientError: not an address (RFC 5321 §4.1.2, RFC 6531 §3.3).
    """
    if _USUAL.fullmatch(address):
        mailbox, _, domain = address.partition("@")
        return f"{mailbox}@{domain.lower()}"
    from email_validator import EmailNotValidError, validate_email

    try:
        valid = validate_email(
            address, check_deliverability=False, test_environment=True, strict=True
        )
    except EmailNotValidError as e:
        raise RecipientError(f"{address!r} is not an e-mail address: {e}") from None
    return valid.ascii_email or valid.normalized


_ALIKE = {"LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE"}
"""Scripts with letters that look the same."""


def mixes_scripts(domain: str) -> bool:
    """Whether a label of the domain has letters of several scripts that look alike (UTS #39 §5.1), as a
    domain that poses as another may."""
    return any(
        len(_ALIKE & {unicodedata.name(sign, "").partition(" ")[0] for sign in label}) > 1
        for label in domain.split(".")
    )
