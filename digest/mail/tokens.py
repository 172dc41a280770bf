"""The addresses in a mail that carry the recipient's token, so that an answer names the recipient.

A mail is rendered and encoded once for all who made the same choice, with `verp.PLACEHOLDER` where a
token will stand; `mail.message` puts each recipient's own into the finished bytes.
"""

import re
from urllib.parse import quote, urlsplit, urlunsplit

from digest import links
from digest.config.settings import Settings
from digest.mail import verp
from digest.mail.headers import ascii_address

BOUNCES = "bounces"
"""Local part of the envelope sender."""
_TOKEN = re.compile(rf"[a-z2-7]{{{verp.TOKEN_LENGTH}}}")


def check_token(token: str) -> str:
    """The token itself.

    Raises:
        ValueError: it is not verp.TOKEN_LENGTH signs of base32 in small letters.
    """
    if not _TOKEN.fullmatch(token):
        raise ValueError(f"a token has {verp.TOKEN_LENGTH} signs of a-z and 2-7")
    return token


def leave_url(settings: Settings, token: str = verp.PLACEHOLDER) -> str:
    """Where this recipient leaves: a mail to `leave+TOKEN@...`, which names the recipient by itself."""
    return _with_token(links.unsubscribe_url(settings), token)


def change_url(settings: Settings, token: str = verp.PLACEHOLDER) -> str:
    """Where this recipient changes a choice: the token is in a page's query or in a mail's subject.

    A desk's mailbox need not take `desk+TOKEN@...`, so there the subject carries it.
    """
    url = links.preferences_url(settings)
    if not url.startswith("mailto:"):
        return _with_token(url, token)
    if "subject=" not in url:
        return f"{url}{'&' if '?' in url else '?'}subject={token}"
    return re.sub(r"(subject=[^&]*)", rf"\g<1>{quote(' ')}{token}", url, count=1)


def return_path(settings: Settings, token: str) -> str:
    """The envelope sender of one recipient's mail (VERP), so that a bounce names the recipient."""
    domain = settings.mail.from_address.rpartition("@")[2]
    return ascii_address(verp.return_path(BOUNCES, domain, check_token(token)))


def _with_token(url: str, token: str) -> str:
    parts = urlsplit(url)
    if parts.scheme == "mailto":
        local, _, domain = parts.path.partition("@")
        address = ascii_address(verp.leave_address(local, domain, token))
        return urlunsplit(parts._replace(path=address))
    query = f"{parts.query}&t={token}" if parts.query else f"t={token}"
    return urlunsplit(parts._replace(query=query))
