"""DKIM signatures (RFC 6376, 8301, 8463): rsa-sha256, and ed25519-sha256 as a second one.

Both are relaxed/relaxed, without l= and x=, and over-sign what people and mail programs act on: a
field listed once more than it stands in the message cannot be added on the way. A segment's body
is brought into relaxed form and hashed up to its first token once; a recipient then costs the
rest of the hash, the headers, and the keys.
"""

import hashlib
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import parseaddr
from typing import Protocol

from digest.errors import SigningError
from digest.mail.canonical import relaxed_body, relaxed_fields, wire_form_fault
from digest.mail.dkim_keys import ED25519, RSA, SigningKey

OVER_SIGNED = (
    *(b"from", b"sender", b"reply-to", b"to", b"cc", b"subject", b"date", b"message-id"),
    *(b"in-reply-to", b"references", b"mime-version", b"content-type"),
    *(b"content-transfer-encoding", b"list-id", b"list-unsubscribe", b"list-unsubscribe-post"),
    *(b"list-archive", b"list-help", b"list-owner", b"list-subscribe", b"list-post"),
)
"""Signed as often as they stand and once more, so that none can be added."""

SIGNED = (b"auto-submitted", b"feedback-id")
"""Signed where they stand."""

_LINE = 72
_PLACE = b"\0"


class Fillable(Protocol):
    """A place in a body that takes one word made of a recipient's token."""

    def fill(self, token: bytes) -> bytes: ...


class Signer:
    """Signs for one domain with an RSA key and, if given, a second Ed25519 key.

    Raises:
        SigningError: the domain or a selector is not written as DNS wants it, or the keys are not
            one RSA key, alone or followed by one Ed25519 key.
    """

    def __init__(self, domain: str, keys: Sequence[SigningKey]) -> None:
        algorithms = [key.algorithm for key in keys]
        if algorithms not in ([RSA], [RSA, ED25519]):
            raise SigningError(
                f"DKIM for {domain}: found the keys {', '.join(algorithms) or 'none'}; allowed are "
                "one RSA key, or an RSA key and then an Ed25519 key, which many receivers cannot "
                "read yet (RFC 8463)."
            )
        if len({key.selector for key in keys}) < len(keys):
            raise SigningError(f"DKIM for {domain}: each key needs a selector of its own.")
        for name in (domain, *(key.selector for key in keys)):
            if not name.isascii() or not name.replace(".", "").replace("-", "").isalnum():
                raise SigningError(
                    f"DKIM for {domain}: found {name!r}; write domain and selector as DNS holds "
                    "them, in ASCII letters, digits, hyphens and dots (xn--… for others)."
                )
        self.domain = domain.lower()
        self.keys = tuple(keys)
        self._heads: dict[tuple[bytes, ...], tuple[bytes, ...]] = {}
        self._aligned: set[bytes] = set()

    def segment(self, body: bytes, placeholder: bytes) -> "SegmentSigner":
        """For many messages whose bodies are `body` with tokens in place of `placeholder`.

        Raises:
            ValueError: the body is not in wire form, or the placeholder holds blanks or is empty.
        """
        if not placeholder or placeholder.split() != [placeholder]:
            raise ValueError(f"found the placeholder {placeholder!r}; it is one word")
        first, *rest = body.split(placeholder)
        word = _Word(len(placeholder))
        return SegmentSigner(self, [first, *(piece for part in rest for piece in (word, part))])

    def segment_of(self, pieces: Sequence[bytes | Fillable]) -> "SegmentSigner":
        """For many messages whose bodies are `pieces`, with a word made of the token in each place.

        Raises:
            ValueError: the pieces are not in wire form.
        """
        return SegmentSigner(self, pieces)

    def sign(self, message: bytes, signed_at: datetime) -> bytes:
        """The DKIM-Signature fields to put before `message`, which must be in its final bytes.

        Raises:
            ValueError: the message is not in wire form.
            SigningError: its From is not in our domain.
        """
        if fault := wire_form_fault(message):
            raise ValueError(fault)
        headers, _, body = message.partition(b"\r\n\r\n")
        return self._sign(headers, hashlib.sha256(relaxed_body(body)).digest(), signed_at)

    def _sign(self, headers: bytes, body_hash: bytes, signed_at: datetime) -> bytes:
        """One DKIM-Signature field for each key, each with its CRLF."""
        fields = list(relaxed_fields(headers))
        names, lines = _chosen(fields)
        self._check_from(fields)
        heads = self._heads.get(names)
        if heads is None:
            heads = self._heads[names] = tuple(self._head(key, names) for key in self.keys)
        block = b"\r\n".join(lines) + b"\r\ndkim-signature:"
        tail = b" t=%d; bh=%b;\r\n b=" % (int(signed_at.timestamp()), b64encode(body_hash))
        signatures: list[bytes] = []
        for key, head in zip(self.keys, heads, strict=True):
            # §3.5, §3.7: the field itself in relaxed form, its b= empty and without a CRLF.
            signed = block + (head + tail).replace(b"\r\n", b"")
            signature = key.sign(signed)
            signatures.append(b"DKIM-Signature: " + head + tail + _folded(signature))
        return b"".join(signatures)

    def _head(self, key: SigningKey, names: tuple[bytes, ...]) -> bytes:
        """The tags that all messages with these headers share, folded by CRLF and one space."""
        head = f"v=1; a={key.algorithm}; c=relaxed/relaxed; d={self.domain};\r\n s={key.selector};"
        lines, line = [], b" h="
        for i, name in enumerate(names, 1):
            item = name + (b";" if i == len(names) else b":")
            if len(line) + len(item) > _LINE:
                lines.append(line)
                line = b" "
            line += item
        return b"\r\n".join([head.encode("ascii"), *lines, line, b""])

    def _check_from(self, fields: list[tuple[bytes, bytes]]) -> None:
        """DMARC counts a signature only if From is in its domain (RFC 7489 §3.1.1)."""
        senders = [line for name, line in fields if name == b"from"]
        if len(senders) == 1 and senders[0] in self._aligned:
            return
        address = parseaddr(senders[0][5:].decode("utf-8", "replace"))[1] if senders else ""
        domain = address.rpartition("@")[2].lower()
        if len(senders) != 1 or not f".{domain}".endswith(f".{self.domain}"):
            raise SigningError(
                f"DKIM for {self.domain}: found {address or 'no address'} in From; a signature "
                f"counts only for one From at {self.domain} or below it."
            )
        self._aligned.add(senders[0])


class SegmentSigner:
    """Signs the messages of one segment; `Signer.segment` and `segment_of` make it."""

    def __init__(self, signer: Signer, pieces: Sequence[bytes | Fillable]) -> None:
        body = b"".join(piece if isinstance(piece, bytes) else _PLACE for piece in pieces)
        if fault := wire_form_fault(body):
            raise ValueError(fault)
        self._signer = signer
        self._slots = [piece for piece in pieces if not isinstance(piece, bytes)]
        # What stands in a place is one word, so it may come after the relaxed form has been made.
        first, *self._rest = relaxed_body(body).split(_PLACE)
        if len(self._rest) != len(self._slots):
            raise ValueError("found a NUL in the body, which no mail may hold (RFC 5322 §2.2)")
        self._common = hashlib.sha256(first)

    def sign(self, headers: bytes, token: bytes, signed_at: datetime) -> bytes:
        """The DKIM-Signature fields to put before one message of the segment.

        `headers` is the block as it will be sent, up to the empty line and without it.

        Raises:
            ValueError: the token is not one word as long as the placeholder, or the headers are
                not in wire form.
            SigningError: From is not in our domain.
        """
        if token.split() != [token]:
            raise ValueError(f"found the token {token!r}; it is one word")
        if fault := wire_form_fault(headers):
            raise ValueError(fault)
        body = self._common.copy()
        for slot, piece in zip(self._slots, self._rest, strict=True):
            body.update(slot.fill(token))
            body.update(piece)
        return self._signer._sign(headers, body.digest(), signed_at)


@dataclass(frozen=True, slots=True)
class _Word:
    """A place for the token itself, of a fixed length."""

    length: int

    def fill(self, token: bytes) -> bytes:
        if len(token) != self.length:
            raise ValueError(f"found the token {token!r}; it is one word of {self.length} bytes")
        return token


def _chosen(fields: list[tuple[bytes, bytes]]) -> tuple[tuple[bytes, ...], list[bytes]]:
    """What h= lists, and the lines in that order; of equal names the last stands first (§5.4.2)."""
    lines: dict[bytes, list[bytes]] = {}
    for name, line in fields:
        lines.setdefault(name, []).append(line)
    names: list[bytes] = []
    chosen: list[bytes] = []
    for name in OVER_SIGNED:
        found = lines.get(name, [])
        names += [name] * (len(found) + 1)
        chosen += reversed(found)
    for name in SIGNED:
        found = lines.get(name, [])
        names += [name] * len(found)
        chosen += reversed(found)
    return tuple(names), chosen


def _folded(signature: bytes) -> bytes:
    """A signature in base64 on lines of their own length, with the field's CRLF."""
    text = b64encode(signature)
    lines = [text[i : i + _LINE] for i in range(0, len(text), _LINE)]
    return b"\r\n ".join(lines) + b"\r\n"
