"""Return addresses that name the delivery: bounces+TOKEN@domain, and the same for leaving.

A token is 32 lower-case letters and digits (base32, RFC 4648 §6). It names an edition and a
recipient, cannot be made without our key, tells nobody the two numbers, and never expires: a
report may come weeks later, and who wants to leave may click in an old mail.
"""

import re
from base64 import b32decode, b32encode
from collections.abc import Iterator, Sequence
from hmac import compare_digest, digest
from typing import NamedTuple

TOKEN_LENGTH = 32
PLACEHOLDER = "t" * TOKEN_LENGTH
"""Stands where a segment's finished bytes take a recipient's token; as long as one, never valid."""

_EDITION_BYTES = 4
_RECIPIENT_BYTES = 5
_PROOF_BYTES = 11
_KEY_BYTES = 16
_SEAL = b"digest token 1 seal "
_VEIL = b"digest token 1 veil "

# A mail system may write the plus as =2B or %2B, put its own words around the address (SRS, BATV)
# or change case; so a token is any run of the right length that stands alone.
_TOKEN = re.compile(r"(?:(?<![A-Za-z0-9])|(?<=[=%]2[Bb]))[A-Za-z2-7]{32}(?![A-Za-z0-9])")


class DeliveryKey(NamedTuple):
    """Which edition for which recipient."""

    edition_id: int
    recipient_id: int


def token_for(key: bytes, edition_id: int, recipient_id: int) -> str:
    """The token of one delivery, always the same for the same key; TOKEN_LENGTH characters.

    Raises:
        ValueError: the key is shorter than 16 bytes, the edition is not in 0..2³²-1 or the
            recipient not in 0..2⁴⁰-1.
    """
    if len(key) < _KEY_BYTES:
        raise ValueError(f"a token key needs {_KEY_BYTES} bytes or more, got {len(key)}")
    try:
        names = edition_id.to_bytes(_EDITION_BYTES, "big") + recipient_id.to_bytes(
            _RECIPIENT_BYTES, "big"
        )
    except OverflowError as e:
        raise ValueError(f"no token holds edition {edition_id}, recipient {recipient_id}") from e
    proof = _proof(key, names)
    return b32encode(proof + _veiled(key, proof, names)).decode("ascii").lower()


def read_token(keys: Sequence[bytes], token: str) -> DeliveryKey | None:
    """The delivery that a token names, or None when none of `keys` made it; case does not count.

    Several keys serve a change of keys: the newest first, the old ones as long as old mail lies
    in people's boxes.
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
        if compare_digest(proof, _proof(key, names)):
            return DeliveryKey(
                int.from_bytes(names[:_EDITION_BYTES], "big"),
                int.from_bytes(names[_EDITION_BYTES:], "big"),
            )
    return None


def return_path(local: str, domain: str, token: str) -> str:
    """The envelope sender of one delivery: return_path("bounces", "news.example", token)."""
    return f"{local}+{token}@{domain}"


def leave_address(local: str, domain: str, token: str) -> str:
    """The address that ends the recipient when it gets any mail."""
    return f"{local}+{token}@{domain}"


def find_tokens(text: str) -> Iterator[str]:
    """Everything in `text` that has a token's form, lower-case, in order.

    Ordinary words can have it too: only `read_token` tells.
    """
    for found in _TOKEN.finditer(text):
        yield found[0].lower()


def find_token(text: str) -> str | None:
    """The first thing in an address or a text that has a token's form, lower-case."""
    return next(find_tokens(text), None)


def _proof(key: bytes, names: bytes) -> bytes:
    return digest(key, _SEAL + names, "sha256")[:_PROOF_BYTES]


def _veiled(key: bytes, proof: bytes, names: bytes) -> bytes:
    """`names` under a veil drawn from the proof; twice gives them back."""
    veil = digest(key, _VEIL + proof, "sha256")[: len(names)]
    return bytes(a ^ b for a, b in zip(names, veil, strict=True))
