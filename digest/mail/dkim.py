"""DKIM signatures (RFC 6376, 8301, 8463): rsa-sha256, and optionally a second, ed25519-sha256.

Both are relaxed/relaxed, without l= and x=, and over-sign the fields that people and mail programs act
on: a field that is listed once more than it occurs cannot be added on the way. A segment's body is
relaxed and hashed up to its first token once; each recipient then costs the rest of the hash, the
headers and the keys.
"""

import hashlib
import logging
import re
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import getaddresses, parseaddr
from pathlib import Path
from typing import Final, Literal

from digest.errors import SigningError
from digest.language.text import foreign
from digest.mail.tokens import Octets, Piece

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
"""The fields that are signed, and how many times more than they occur."""

MOST_SIGNATURES = 4
LONGEST_HEAD = 32_768
_LONG_BLANK = re.compile(rb"[ \t]{200}")
"""Of a mail that strangers send: how many signatures are tried, and what no mail of ours has, on which
the library would take quadratic time."""
_POLICY = re.compile(r"v=DMARC1\s*;.{0,400}?\bp=(\w+)", re.IGNORECASE)
_LINE = 72
_PLACE = b"\0"


def relaxed_body(body: bytes) -> bytes:
    """A body in relaxed form (§3.4.4): no blanks at line ends, one for several, no empty lines at the end.

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
    or at the end.

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
            raise ValueError(f"{line[:60]!r} is not a header field")


def _check_wire_form(message: bytes) -> None:
    """Raise ValueError unless every line of `message` ends in CRLF."""
    pairs = message.count(b"\r\n")
    if message.count(b"\n") != pairs or message.count(b"\r") != pairs:
        raise ValueError("a message to be signed must have CRLF line ends; this has CR or LF alone")


def _single_blanks(text: bytes) -> bytes:
    """One space for each run of spaces and tabs; each round halves the longest run."""
    text = text.replace(b"\t", b" ")
    while b"  " in text:
        text = text.replace(b"  ", b" ")
    return text


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key, the selector of its public key in DNS, and that public key as base64.

    `sign` turns a text into its signature, both bytes.
    """

    selector: str
    algorithm: Literal["rsa-sha256", "ed25519-sha256"]
    sign: Callable[[bytes], bytes]
    public: str

    @property
    def dns_record(self) -> str:
        """The TXT record at SELECTOR._domainkey.DOMAIN."""
        return f"v=DKIM1; k={self.algorithm.removesuffix('-sha256')}; p={self.public}"


def load_key(path: Path, selector: str) -> SigningKey:
    """The private key in a PEM file without a passphrase.

    Raises:
        SigningError: the file cannot be read, or has no RSA key of 2048 bits or more and no Ed25519
            key; or the extra `dkim` is not installed.
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
            f"{path}: the DKIM key has a passphrase. Write it without one and protect that file: "
            f"`openssl pkey -in {path} -out {path}.plain`."
        ) from e
    except (ValueError, UnsupportedAlgorithm) as e:
        raise SigningError(f"{path}: no private key in PEM form. Make one with {recipe}.") from e
    if isinstance(private, Ed25519PrivateKey):
        public = b64encode(private.public_key().public_bytes_raw()).decode("ascii")
        # RFC 8463 §3: the key signs the SHA-256 hash, not the text.
        return SigningKey(
            selector, ED25519, lambda text: private.sign(hashlib.sha256(text).digest()), public
        )
    if not isinstance(private, RSAPrivateKey):
        kind = type(private).__name__.removesuffix("PrivateKey")
        raise SigningError(
            f"{path}: a DKIM key is RSA or Ed25519, not {kind}. Make one with {recipe}."
        )
    if private.key_size < SMALLEST_RSA_BITS:
        raise SigningError(
            f"{path}: the RSA key has {private.key_size} bits and needs {SMALLEST_RSA_BITS} or more "
            f"(RFC 8301). Make one with {recipe}."
        )
    padding, algorithm = PKCS1v15(), SHA256()
    info = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    public = b64encode(info).decode("ascii")
    return SigningKey(selector, RSA, lambda text: private.sign(text, padding, algorithm), public)


class Signer:
    """Signs for one domain with an RSA key and, if given, a second Ed25519 key.

    Raises:
        SigningError: the domain or a selector is not as in DNS, or the keys are not one RSA key, alone
            or followed by one Ed25519 key.
    """

    def __init__(self, domain: str, keys: Sequence[SigningKey]) -> None:
        algorithms = [key.algorithm for key in keys]
        if algorithms not in ([RSA], [RSA, ED25519]):
            raise SigningError(
                f"DKIM for {domain}: give one RSA key, or an RSA key and then an Ed25519 key, which "
                f"many receivers cannot read yet (RFC 8463), not {', '.join(algorithms) or 'none'}."
            )
        if len({key.selector for key in keys}) < len(keys):
            raise SigningError(f"DKIM for {domain}: each key needs its own selector.")
        for name in (domain, *(key.selector for key in keys)):
            if not name.isascii() or not name.replace(".", "").replace("-", "").isalnum():
                raise SigningError(
                    f"DKIM for {domain}: write domain and selector as in DNS, with ASCII letters, "
                    f"digits, hyphens and dots (xn--… for others), not {name!r}."
                )
        self.domain = domain.lower()
        self.keys = tuple(keys)
        self._heads: dict[tuple[bytes, ...], tuple[bytes, ...]] = {}
        self._aligned: set[bytes] = set()

    def sign(self, message: bytes, signed_at: datetime) -> bytes:
        """The DKIM-Signature fields to put before `message`, which must be in its final bytes.

        Raises:
            ValueError: a line does not end in CRLF.
            SigningError: its From is not in our domain.
        """
        _check_wire_form(message)
        headers, _, body = message.partition(b"\r\n\r\n")
        return self.sign_hash(headers, hashlib.sha256(relaxed_body(body)).digest(), signed_at)

    def sign_hash(self, headers: bytes, body_hash: bytes, signed_at: datetime) -> bytes:
        """The same for a body of which only the hash is known."""
        fields: dict[bytes, list[bytes]] = {}
        for name, line in relaxed_fields(headers):
            fields.setdefault(name, []).append(line)
        senders = fields.get(b"from", [])
        if len(senders) != 1 or senders[0] not in self._aligned:
            # DMARC counts a signature only if From is in its domain (RFC 7489 §3.1.1).
            address = parseaddr(senders[0][5:].decode("utf-8", "replace"))[1] if senders else ""
            domain = address.rpartition("@")[2].lower()
            if len(senders) != 1 or not f".{domain}".endswith(f".{self.domain}"):
                raise SigningError(
                    f"DKIM for {self.domain}: a signature counts only for one From address at "
                    f"{self.domain} or a subdomain, not {address or 'none'}."
                )
            self._aligned.add(senders[0])
        listed: list[bytes] = []
        lines: list[bytes] = []
        for name, extra in _SIGNED.items():
            occurring = fields.get(name, [])
            listed += [name] * (len(occurring) + extra)
            lines += reversed(occurring)  # of equal names the last comes first (§5.4.2)
        names = tuple(listed)
        heads = self._heads.get(names)
        if heads is None:
            heads = self._heads[names] = tuple(self._head(key, names) for key in self.keys)
        block = b"\r\n".join(lines) + b"\r\ndkim-signature:"
        tail = b" t=%d; bh=%b;\r\n b=" % (int(signed_at.timestamp()), b64encode(body_hash))
        signatures: list[bytes] = []
        for key, head in zip(self.keys, heads, strict=True):
            # §3.5, §3.7: the field itself in relaxed form, with an empty b= and no CRLF.
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


class SegmentSigner:
    """Signs the messages of one segment, whose bodies are `pieces` with a token in each slot.

    Raises:
        ValueError: a line of the pieces does not end in CRLF, or they hold a NUL.
    """

    def __init__(self, signer: Signer, pieces: Sequence[Piece]) -> None:
        body = b"".join(piece if isinstance(piece, bytes) else _PLACE for piece in pieces)
        _check_wire_form(body)
        self._signer = signer
        self._slots = [piece for piece in pieces if not isinstance(piece, bytes)]
        # A token is one word, so it can be filled in after the body is relaxed.
        first, *self._rest = relaxed_body(body).split(_PLACE)
        if len(self._rest) != len(self._slots):
            raise ValueError("the body holds a NUL, which no mail may have (RFC 5322 §2.2)")
        self._common = hashlib.sha256(first)

    def sign(self, headers: bytes, tokens: Octets, signed_at: datetime) -> bytes:
        """The DKIM-Signature fields to put before one message of the segment.

        `headers` is the block as it will be sent, without the empty line after it.

        Raises:
            ValueError: a token is not one word, or a line of the headers does not end in CRLF.
            SigningError: From is not in our domain.
        """
        if [word for token in tokens for word in token.split()] != [*tokens]:
            raise ValueError(f"a token is one word, not one of {tokens!r}")
        _check_wire_form(headers)
        body = self._common.copy()
        for slot, piece in zip(self._slots, self._rest, strict=True):
            body.update(slot.fill(tokens))
            body.update(piece)
        return self._signer.sign_hash(headers, body.digest(), signed_at)


PROVING = frozenset({"from", "to", "message-id"})


def signed_recipient(
    message: bytes, domain: str, keys: Sequence[SigningKey], look_up: Callable[[str], str | None]
) -> str | None:
    """The address in To of a mail with a valid signature of `domain` that covers it (RFC 6376 §6).

    The key is one of ours, else what `look_up` finds at a name in DNS. None without such a signature,
    or without dkimpy, which the extra `dkim` installs.
    """
    ours = {f"{key.selector}._domainkey.{domain}": key.dns_record for key in keys}

    def record(place: str) -> str | None:
        if place in ours or not place.endswith(f"._domainkey.{domain}"):
            return ours.get(place)
        return look_up(place)

    try:
        fields, signatures = _signatures(message, record)
    except ImportError:
        return None
    to = [value for name, value in fields if name == b"to"]
    if len(to) != 1 or [name for name, _ in fields].count(b"from") != 1:
        return None
    for signing, covered, fault in signatures:
        if not fault and signing == domain and covered >= PROVING:
            named = [one for _, one in getaddresses([to[0].decode("utf-8", "replace").strip()])]
            return named[0] if len(named) == 1 and "@" in named[0] else None
    return None


def signature_result(
    message: bytes, sender: str, look_up: Callable[[str], Sequence[str] | None]
) -> str:
    """What the DKIM signatures of a mail prove, for people: "pass DOMAIN", "fail DOMAIN: why", "none" or
    "unknown: why" (RFC 6376 §6.1).

    `message` has CRLF line ends. The signature of the domain of `sender`, an address, comes first; a valid
    one of another domain follows one that is not. Without a valid one of its own domain the result says
    whether that domain asks receivers to refuse such mail (RFC 7489). `look_up` gives the texts at a name
    in DNS, None without an answer.
    """
    domain = sender.rpartition("@")[2]
    silent: list[str] = []

    def record(place: str) -> str | None:
        texts = look_up(place)
        if texts is None:
            silent.append(place)
        return texts[0] if texts and len(texts) == 1 else None

    try:
        fields, signatures = _signatures(message, record)
    except ImportError:
        return "unknown: install the extra dkim to check signatures"
    if not fields:
        return "unknown: its header or a run of blanks is too long to check"
    found = sorted(
        (not f".{domain}".endswith(f".{signing}"), bool(fault), signing, fault)
        for signing, _, fault in signatures
    )
    words = [f"fail {one}: {fault}" if fault else f"pass {one}" for *_, one, fault in found]
    passed = [word for word, (_, failed, *_) in zip(words, found, strict=True) if not failed]
    if silent and not passed:
        return "unknown: no answer from DNS"
    # A list changes the text, and then signs by itself.
    result = "; ".join(dict.fromkeys([*words[:1], *passed[:1]])) or "none"
    if found and found[0][:2] == (False, False):
        return result
    for parent in [domain.split(".", n)[-1] for n in range(domain.count("."))][-3:]:
        for text in look_up(f"_dmarc.{parent}") or ():
            if (policy := _POLICY.match(text)) and policy[1].lower() != "none":
                return f"{result}; {parent} asks to refuse such mail (DMARC p={policy[1].lower()})"
    return result


def _signatures(
    message: bytes, record: Callable[[str], str | None]
) -> tuple[list[tuple[bytes, bytes]], Iterator[tuple[str, set[str], str]]]:
    """The header fields of a mail, names in small letters, and of its first signatures the domain, the fields
    that each covers and what is wrong with it, "" if it is valid. `record` finds the key at a name in DNS.

    Both are empty for what the library cannot read, or only in very long time.

    Raises:
        ImportError: dkimpy is missing, which the extra `dkim` installs.
    """
    import dkim  # type: ignore[import-untyped]

    # Its parsers raise all of these on what is no mail or no signature, and log what they read.
    broken = (dkim.DKIMException, ValueError, LookupError, TypeError, AttributeError)
    logging.getLogger("dkimpy").setLevel(logging.CRITICAL + 1)
    if len(message.partition(b"\r\n\r\n")[0]) > LONGEST_HEAD or _LONG_BLANK.search(message):
        return [], iter(())
    try:
        verifier = dkim.DKIM(message)
        fields = [(name.lower(), value) for name, value in verifier.headers]
    except broken:
        return [], iter(())

    def check(number: int) -> tuple[str, set[str], str]:
        keys: list[str | None] = []

        def answer(name: bytes, timeout: int = 0) -> str | None:
            keys.append(record(name.decode("ascii", "replace").rstrip(".").lower()))
            return keys[-1]

        verifier.domain, verifier.include_headers, fault = b"", (), ""
        try:
            if not verifier.verify(number, dnsfunc=answer):
                fault = "the signature does not match" if any(keys) else "its key is not in DNS"
            elif b"l" in verifier.signature_fields:
                fault = "only the beginning of the text is signed"
        except broken as e:
            changed = str(e).startswith("body hash mismatch")
            fault = "the text was changed" if changed else "the signature is not valid"
        domain = foreign(verifier.domain, limit=253).lower()
        return domain, {name.decode("ascii", "replace") for name in verifier.include_headers}, fault

    count = min([name for name, _ in fields].count(b"dkim-signature"), MOST_SIGNATURES)
    return fields, map(check, range(count))
