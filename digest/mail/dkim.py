"""DKIM signatures (RFC 6376, 8301, 8463): rsa-sha256, and ed25519-sha256 as a second one.

Both are relaxed/relaxed, without l= and x=, and over-sign what people and mail programs act on: a
field that is listed once more than it occurs cannot be added on the way. A segment's body is
brought into relaxed form and hashed up to its first token once. Each recipient then costs the rest
of the hash, the headers, and the keys.
"""

import hashlib
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import parseaddr
from pathlib import Path
from typing import Final, Literal, Protocol

from digest.errors import SigningError

RSA: Final = "rsa-sha256"
ED25519: Final = "ed25519-sha256"
SMALLEST_RSA_BITS = 2048

_OVER_SIGNED = (
    *(b"from", b"sender", b"reply-to", b"to", b"cc", b"subject", b"date", b"message-id"),
    *(b"in-reply-to", b"references", b"mime-version", b"content-type"),
    *(b"content-transfer-encoding", b"list-id", b"list-unsubscribe", b"list-unsubscribe-post"),
    *(b"list-archive", b"list-help", b"list-owner", b"list-subscribe", b"list-post"),
)
_SIGNED = dict.fromkeys(_OVER_SIGNED, 1) | {b"auto-submitted": 0, b"feedback-id": 0}
"""What is signed, and how many times more than it occurs; once more, and none can be added."""

_LINE = 72
_PLACE = b"\0"


def relaxed_body(body: bytes) -> bytes:
    """A body in relaxed form (§3.4.4): no blanks at line ends, one for several, no empty end.

    `body` has CRLF line ends; its last line may lack one. An empty body stays empty.
    """
    text = _single_blanks(body).replace(b" \r\n", b"\r\n")
    if text.endswith(b" "):
        text = text[:-1]
    end = len(text)
    while text.endswith(b"\r\n", 0, end):
        end -= 2
    return text[:end] + b"\r\n" if end else b""


def relaxed_fields(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Each header field of a block in relaxed form (§3.4.2), in order: lower-case name, whole line.

    A line is `name:value` without its CRLF, unfolded, one blank for several, none around the colon
    or at the end. The block ends before the empty line; an empty line at its end does no harm.

    Raises:
        ValueError: a line is no header field.
    """
    unfolded = block.replace(b"\r\n ", b" ").replace(b"\r\n\t", b" ")
    for line in _single_blanks(unfolded).split(b"\r\n"):
        name, colon, value = line.partition(b":")
        if colon:
            name = name.rstrip().lower()
            yield name, name + b":" + value.strip(b" ")
        elif line:
            raise ValueError(f"found {line[:60]!r} among the headers, which is no header field")


def wire_form_fault(message: bytes) -> str | None:
    """Why `message` cannot be signed as it is, or None: every line must end with CR and LF."""
    pairs = message.count(b"\r\n")
    if message.count(b"\n") != pairs:
        return "found a line that ends with LF alone; a message to be signed has CRLF everywhere"
    if message.count(b"\r") != pairs:
        return "found a CR alone; a message to be signed has CRLF everywhere"
    return None


def _single_blanks(text: bytes) -> bytes:
    """One space for each run of spaces and tabs; each round halves the longest run."""
    text = text.replace(b"\t", b" ")
    while b"  " in text:
        text = text.replace(b"  ", b" ")
    return text


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key, and the selector under which DNS holds its public half.

    `sign` turns a text into its signature, both bytes. `public` is the half in DNS, as base64.
    """

    selector: str
    algorithm: Literal["rsa-sha256", "ed25519-sha256"]
    sign: Callable[[bytes], bytes]
    public: str

    @property
    def dns_record(self) -> str:
        """What the TXT record at SELECTOR._domainkey.DOMAIN must hold."""
        return f"v=DKIM1; k={self.algorithm.removesuffix('-sha256')}; p={self.public}"


def load_key(path: Path, selector: str) -> SigningKey:
    """The private key in a PEM file without a passphrase.

    Raises:
        SigningError: the file cannot be read, or holds no RSA key of 2048 bits or more and no
            Ed25519 key; or the extra `dkim` is not installed.
    """
    try:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.serialization import (
            Encoding,
            PublicFormat,
            load_pem_private_key,
        )
    except ImportError as e:
        raise SigningError(
            "Signing needs the library cryptography. Run `pip install 'newsroom-digest[dkim]'`."
        ) from e
    recipe = f"`openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out {path}`"
    try:
        private = load_pem_private_key(path.read_bytes(), password=None)
    except OSError as e:
        raise SigningError(f"{path}: the DKIM key cannot be read: {e.strerror}.") from e
    except TypeError as e:
        raise SigningError(
            f"{path}: the DKIM key is locked with a passphrase. Write it without one, "
            f"`openssl pkey -in {path} -out {path}.plain`, and guard that file."
        ) from e
    except (ValueError, UnsupportedAlgorithm) as e:
        raise SigningError(
            f"{path}: found no private key in PEM form. Make one with {recipe}."
        ) from e
    if isinstance(private, Ed25519PrivateKey):
        public = b64encode(private.public_key().public_bytes_raw()).decode("ascii")
        # RFC 8463 §3: the key signs the SHA-256 hash, not the text.
        return SigningKey(
            selector, ED25519, lambda text: private.sign(hashlib.sha256(text).digest()), public
        )
    if not isinstance(private, RSAPrivateKey):
        kind = type(private).__name__.removesuffix("PrivateKey")
        raise SigningError(
            f"{path}: found a key of another kind ({kind}); a DKIM key is RSA or Ed25519. "
            f"Make one with {recipe}."
        )
    if private.key_size < SMALLEST_RSA_BITS:
        raise SigningError(
            f"{path}: found an RSA key of {private.key_size} bits; allowed are {SMALLEST_RSA_BITS} "
            f"or more (RFC 8301). Make one with {recipe}."
        )
    padding, algorithm = PKCS1v15(), SHA256()
    info = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    public = b64encode(info).decode("ascii")
    return SigningKey(selector, RSA, lambda text: private.sign(text, padding, algorithm), public)


class Fillable(Protocol):
    """A place in a body that takes one word made of a recipient's token."""

    def fill(self, token: bytes) -> bytes: ...


class Signer:
    """Signs for one domain with an RSA key and, if given, a second Ed25519 key.

    Raises:
        SigningError: the domain or a selector is not in the form of DNS, or the keys are not one RSA
            key, alone or followed by one Ed25519 key.
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
            raise SigningError(f"DKIM for {domain}: each key needs its own selector.")
        for name in (domain, *(key.selector for key in keys)):
            if not name.isascii() or not name.replace(".", "").replace("-", "").isalnum():
                raise SigningError(
                    f"DKIM for {domain}: found {name!r}; write domain and selector as in DNS, "
                    "with ASCII letters, digits, hyphens and dots (xn--… for others)."
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
        fields: dict[bytes, list[bytes]] = {}
        for name, line in relaxed_fields(headers):
            fields.setdefault(name, []).append(line)
        self._check_from(fields.get(b"from", []))
        listed: list[bytes] = []
        lines: list[bytes] = []
        for name, extra in _SIGNED.items():
            found = fields.get(name, [])
            listed += [name] * (len(found) + extra)
            lines += reversed(found)  # of equal names the last comes first (§5.4.2)
        names = tuple(listed)
        heads = self._heads.get(names)
        if heads is None:
            heads = self._heads[names] = tuple(self._head(key, names) for key in self.keys)
        block = b"\r\n".join(lines) + b"\r\ndkim-signature:"
        tail = b" t=%d; bh=%b;\r\n b=" % (int(signed_at.timestamp()), b64encode(body_hash))
        signatures: list[bytes] = []
        for key, head in zip(self.keys, heads, strict=True):
            # §3.5, §3.7: the field itself in relaxed form, its b= empty and without a CRLF.
            signed = block + (head + tail).replace(b"\r\n", b"")
            text = b64encode(key.sign(signed))
            folded = b"\r\n ".join(text[i : i + _LINE] for i in range(0, len(text), _LINE))
            signatures += [b"DKIM-Signature: ", head, tail, folded, b"\r\n"]
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

    def _check_from(self, senders: list[bytes]) -> None:
        """DMARC counts a signature only if From is in its domain (RFC 7489 §3.1.1)."""
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
        # A place takes one word, so it can be filled after the relaxed form has been made.
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
