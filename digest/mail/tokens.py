"""A recipient's tokens, and the addresses and links with them, so that an answer names the recipient."""

import re
from base64 import b32decode, b32encode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from hmac import compare_digest, digest
from typing import NamedTuple
from urllib.parse import quote, urlsplit, urlunsplit

from digest.config import urls
from digest.config.settings import Settings
from digest.language.addresses import ascii_address

TOKEN_LENGTH = 32


class Purpose(IntEnum):
    """Who sees a token. What mail servers see is also in logs, reports and replies, so it ends nothing."""

    SERVER = 0  # mail servers: in the return path and the Message-ID
    READER = 1  # the reader and their mail program: in the addresses and links for leaving
    CHOICE = 2  # only the reader: in the link to their choice
    REQUEST = 3  # who asked something by a form: in the link of the mail that answers
    FEED = 4  # a program of the reader: in the address of their own feed
    FORM = 5  # who was shown a form: in the form, with the second of then in place of an edition


class Tokens(NamedTuple):
    """The tokens of one delivery, in the order of the first members of `Purpose`."""

    server: str
    reader: str
    choice: str

    def octets(self) -> "Octets":
        """As they are filled in; checked by `check_token`."""
        server, reader, choice = (check_token(one).encode("ascii") for one in self)
        return server, reader, choice


Octets = tuple[bytes, bytes, bytes]
"""The tokens of one delivery as bytes."""

PLACEHOLDERS = Tokens("t" * TOKEN_LENGTH, "u" * TOKEN_LENGTH, "v" * TOKEN_LENGTH)
"""Mark where a segment's finished bytes get the tokens; as long as these, never valid."""
EXAMPLE_ADDRESS = "recipient@example.org"
EXAMPLE_TOKENS = Tokens("e" * TOKEN_LENGTH, "f" * TOKEN_LENGTH, "g" * TOKEN_LENGTH)
"""Whom a dry run shows a mail to."""

BOUNCES = "bounces"
"""Local part of the envelope sender."""
LEAVE, CHOOSE, JOIN, ANSWER, MINE = "/leave/", "/choose/", "/join/", "/answer/", "/mine/"
DESK = "/desk/"
"""Where the pages for readers are, below web.public_url: for leaving, for a choice, for joining and asking
for one's link, for the link in the mail that answers, and each reader's own feeds; and where editors work."""

_EDITION_BYTES = 4
_RECIPIENT_BYTES = 5
_PROOF_BYTES = 11
_KEY_BYTES = 16
_SEALS = (
    b"digest token 1 seal ",
    b"digest token 1 reader seal ",
    b"digest token 1 choice seal ",
    b"digest token 1 request seal ",
    b"digest token 1 feed seal ",
    b"digest token 1 form seal ",
)
_VEIL = b"digest token 1 veil "

_WHOLE_TOKEN = re.compile(rf"[a-z2-7]{{{TOKEN_LENGTH}}}")

# A mail system may write the plus as =2B or %2B, wrap the address (SRS, BATV) or change case, so in a
# text a token is any separate run of the right length.
_TOKEN = re.compile(r"(?:(?<![A-Za-z0-9])|(?<=[=%]2[Bb]))[A-Za-z2-7]{32}(?![A-Za-z0-9])")


@dataclass(frozen=True, slots=True)
class Slot:
    """Where a token of this purpose goes. In base64 the constant octets `before` and `after` share a
    group of three with the token, at most two each."""

    purpose: int
    base64: bool = False
    before: bytes = b""
    after: bytes = b""

    def fill(self, tokens: Octets) -> bytes:
        token = tokens[self.purpose]
        return b64encode(self.before + token + self.after) if self.base64 else token


Piece = bytes | Slot


class DeliveryKey(NamedTuple):
    """An edition for a recipient."""

    edition_id: int
    recipient_id: int


def tokens_for(key: bytes, edition_id: int, recipient_id: int) -> Tokens:
    """The tokens of one delivery, as `token_for` makes them."""
    purposes = Purpose.SERVER, Purpose.READER, Purpose.CHOICE
    return Tokens(*(token_for(key, edition_id, recipient_id, one) for one in purposes))


def token_for(
    key: bytes, edition_id: int, recipient_id: int, purpose: Purpose = Purpose.SERVER
) -> str:
    """A token of one delivery, always the same for the same key; TOKEN_LENGTH characters.

    Raises:
        ValueError: the key is shorter than 16 bytes, the edition is not in 0..2³²-1 or the
            recipient not in 0..2⁴⁰-1.
    """
    if len(key) < _KEY_BYTES:
        raise ValueError(f"a token key needs {_KEY_BYTES} bytes or more, got {len(key)}")
    try:
        names = edition_id.to_bytes(_EDITION_BYTES, "big")
        names += recipient_id.to_bytes(_RECIPIENT_BYTES, "big")
    except OverflowError as e:
        raise ValueError(f"no token fits edition {edition_id}, recipient {recipient_id}") from e
    proof = _proof(key, purpose, names)
    return b32encode(proof + _veiled(key, proof, names)).decode("ascii").lower()


def read_token(keys: Sequence[bytes], token: str, purpose: Purpose) -> DeliveryKey | None:
    """The delivery that a token names; None if none of `keys` made it for this purpose. Case does not
    count.

    After a change of keys give several, the newest first, while people may still have old mail.
    """
    if len(token) != TOKEN_LENGTH or not token.isascii():
        return None
    try:
        sealed = b32decode(token.upper())
    except ValueError:
        return None
    proof, veiled = sealed[:_PROOF_BYTES], sealed[_PROOF_BYTES:]
    for key in keys:
        names = _veiled(key, proof, veiled)
        if compare_digest(proof, _proof(key, purpose, names)):
            return DeliveryKey(
                int.from_bytes(names[:_EDITION_BYTES], "big"),
                int.from_bytes(names[_EDITION_BYTES:], "big"),
            )
    return None


def check_token(token: str) -> str:
    """The token itself.

    Raises:
        ValueError: it is not TOKEN_LENGTH characters of lower-case base32.
    """
    if not _WHOLE_TOKEN.fullmatch(token):
        raise ValueError(f"a token has {TOKEN_LENGTH} characters of a-z and 2-7")
    return token


def find_tokens(text: str) -> list[str]:
    """The words in `text` that have a token's form, lower-case, in order.

    Ordinary words may have it; `read_token` knows the real ones.
    """
    return [found.lower() for found in _TOKEN.findall(text)]


def _proof(key: bytes, purpose: Purpose, names: bytes) -> bytes:
    return digest(key, _SEALS[purpose] + names, "sha256")[:_PROOF_BYTES]


def _veiled(key: bytes, proof: bytes, names: bytes) -> bytes:
    """`names` XORed with a mask made from the proof; applied twice it restores them."""
    veil = digest(key, _VEIL + proof, "sha256")[: len(names)]
    return bytes(a ^ b for a, b in zip(names, veil, strict=True))


def token_address(local: str, domain: str, token: str) -> str:
    """An address that carries a token: bounces+TOKEN@news.example."""
    return f"{local}+{token}@{domain}"


def mail_domain(settings: Settings) -> str:
    """The domain of our sender address, as mail servers write it."""
    return ascii_address(settings.mail.from_address).rpartition("@")[2]


def leave_urls(settings: Settings, token: str = PLACEHOLDERS.reader) -> list[str]:
    """Where this recipient unsubscribes, the best first: the page, where config.toml has its address,
    and any mail to `leave+TOKEN@...`."""
    mail = _with_token(urls.unsubscribe_url(settings), token)
    page = settings.web.public_url
    return [mail] if page is None else [f"{page}{LEAVE}{token}", mail]


def change_url(settings: Settings, token: str = PLACEHOLDERS.choice) -> str:
    """Where this recipient changes a choice: our page, else one that config.toml names, or a mail with the
    token in its subject, since a newsroom's mailbox may not accept `desk+TOKEN@...`."""
    if settings.web.preferences_url is None and settings.web.public_url is not None:
        return f"{settings.web.public_url}{CHOOSE}{token}"
    url = urls.preferences_url(settings)
    if not url.startswith("mailto:"):
        return _with_token(url, token)
    if "subject=" not in url:
        return f"{url}{'&' if '?' in url else '?'}subject={token}"
    return re.sub(r"(subject=[^&]*)", rf"\g<1>{quote(' ')}{token}", url, count=1)


def return_path(settings: Settings, token: str) -> str:
    """The envelope sender of one recipient's mail (VERP): a bounce names the recipient."""
    return token_address(BOUNCES, mail_domain(settings), check_token(token))


def _with_token(url: str, token: str) -> str:
    parts = urlsplit(url)
    if parts.scheme == "mailto":
        local, _, domain = parts.path.partition("@")
        address = ascii_address(token_address(local, domain, token))
        return urlunsplit(parts._replace(path=address))
    query = f"{parts.query}&t={token}" if parts.query else f"t={token}"
    return urlunsplit(parts._replace(query=query))
