"""Header fields as bytes, by RFC 5322 and RFC 2047: ASCII, folded, safe from injection.

The standard library's own folding loses spaces of mixed English and Russian text and encodes what
must stay legible (List-Unsubscribe), so each kind of field has its own small writer here.
"""

import re
from base64 import b64encode
from collections.abc import Iterable

WISHED = 78
"""Characters of a line, without its CRLF, where folding can keep it (RFC 5322 §2.1.1)."""
LONGEST = 998
"""Characters that no line may pass (RFC 5322 §2.1.1)."""
ENCODED_LINE = 76
"""Characters of a line that holds an encoded word (RFC 2047 §2)."""
ENCODED_WORD = 75
"""Characters of one encoded word (RFC 2047 §2)."""

_NAME = re.compile(r"[!-9;-~]+")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+")
_Q_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/")
_ADDRESS = re.compile(r"[^\s<>()\[\],;:\\\"@]+@[^\s<>()\[\],;:\\\"@]+")
_WRAP = "=?utf-8?q??="


def header(name: str, text: str) -> bytes:
    """An unstructured field, such as Subject; runs of spaces and tabs become one space.

    Words of printable ASCII stay as they are; from the first that is not to the last, encoded words
    take over, spaces and all, so that no space is lost between them.

    Raises:
        ValueError: `text` holds a line break or another control character.
    """
    _check(name, text)
    return _lines(name, _coded(text, len(name) + 2))


def mailbox_header(name: str, mailboxes: Iterable[tuple[str | None, str]]) -> bytes:
    """A field of addresses, such as From: each a display name, or None, and an address.

    Raises:
        ValueError: an address is none, has a local part that is not ASCII (that needs SMTPUTF8), or
            something holds a control character.
    """
    units: list[str] = []
    for display, address in mailboxes:
        _check(name, f"{display or ''}{address}")
        if units:
            units[-1] += ","
        bare = ascii_address(address)
        phrase = _phrase(display or "", len(name) + 2 if not units else WISHED)
        units += [*phrase, f"<{bare}>"] if phrase else [bare]
    return _lines(name, units)


def raw_header(name: str, *values: str) -> bytes:
    """A structured ASCII field that is never encoded: List-*, Message-ID, Date, MIME fields.

    Several values are parted by commas; lines break at commas and spaces only.

    Raises:
        ValueError: a value is not printable ASCII, or passes the longest line.
    """
    for value in values:
        _check(name, value)
        if not value.isascii() or len(value) > LONGEST - len(name) - 2:
            raise ValueError(f"{name}: {value[:60]!r} must be ASCII, at most {LONGEST} in a line")
    return _lines(name, ", ".join(values).split(" "))


def ascii_address(address: str) -> str:
    """The address with its domain as A-labels (RFC 5891), which every mail server understands.

    Raises:
        ValueError: it is no address, or its local part is not ASCII.
    """
    if not _ADDRESS.fullmatch(address) or len(address) > 254:
        raise ValueError(f"{address[:60]!r} is not an address that can stand in a header")
    if address.isascii():
        return address
    from email_validator import EmailNotValidError, validate_email

    try:
        found = validate_email(address, check_deliverability=False, test_environment=True)
    except EmailNotValidError as e:
        raise ValueError(f"{address!r} is not an address: {e}") from e
    if found.ascii_email is None:
        raise ValueError(f"{address!r} needs SMTPUTF8: its local part is not ASCII")
    return found.ascii_email


def _check(name: str, text: str) -> None:
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not the name of a header field")
    if _CONTROL.search(text):
        raise ValueError(f"{name}: a line break or control character in {text[:60]!r}")


def _lines(name: str, units: Iterable[str]) -> bytes:
    """The field with CRLF, folded before a unit that would pass the wished length.

    Never right behind the name: some readers would take the field as empty.
    """
    done: list[str] = []
    line = f"{name}:"
    for unit in units:
        limit = ENCODED_LINE if "=?" in unit or "=?" in line else WISHED
        if len(line) + 1 + len(unit) > limit and line != f"{name}:":
            done.append(line)
            line = ""
        line += f" {unit}"
    return ("\r\n".join([*done, line]) + "\r\n").encode("ascii")


def _coded(text: str, used: int) -> list[str]:
    """Units of an unstructured field; `used` characters of its first line are taken."""
    words = [word for word in re.split(r"[ \t]+", text) if word]
    odd = [at for at, word in enumerate(words) if not _is_plain(word)]
    if not odd:
        return words
    before, after = words[: odd[0]], words[odd[-1] + 1 :]
    for at, word in enumerate(before):  # as _lines will fold, to know the room that is left
        used = used + len(word) + 1 if not at or used + len(word) <= WISHED else len(word) + 2
    return [*before, *_encoded_words(" ".join(words[odd[0] : odd[-1] + 1]), used), *after]


def _is_plain(word: str) -> bool:
    return word.isascii() and word.isprintable() and "=?" not in word and len(word) <= LONGEST // 2


def _phrase(display: str, used: int) -> list[str]:
    """Units of a display name: atoms, else a quoted string, else encoded words (RFC 5322 §3.2.5)."""
    words = [word for word in re.split(r"[ \t]+", display) if word]
    if not words:
        return []
    joined = " ".join(words)
    if not all(_is_plain(word) for word in words):
        return _encoded_words(joined, used)
    if _ATOMS.fullmatch(joined):
        return words
    quoted = joined.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{quoted}"'.split(" ")


def _encoded_words(text: str, used: int) -> list[str]:
    """`text` as encoded words, none cut inside a character; the first fits beside `used`."""
    binary = sum(sign.isascii() for sign in text) * 3 < len(text) * 2  # mostly Latin stays legible
    words: list[str] = []
    room = ENCODED_LINE - used if ENCODED_LINE - used >= len(_WRAP) + 12 else ENCODED_WORD
    held = ""
    for sign in text:
        if held and _length(held + sign, binary=binary) > room:
            words.append(_encoded(held, binary=binary))
            held, room = "", ENCODED_WORD
        held += sign
    return [*words, _encoded(held, binary=binary)]


def _length(text: str, *, binary: bool) -> int:
    payload = -(-len(text.encode()) // 3) * 4 if binary else len(_q(text))
    return len(_WRAP) + payload


def _encoded(text: str, *, binary: bool) -> str:
    if binary:
        return f"=?utf-8?b?{b64encode(text.encode()).decode('ascii')}?="
    return f"=?utf-8?q?{_q(text)}?="


def _q(text: str) -> str:
    """The Q encoding with the few signs that may stand in a phrase (RFC 2047 §5 (3))."""
    return "".join(
        chr(octet) if octet in _Q_PLAIN else "_" if octet == 32 else f"={octet:02X}"
        for octet in text.encode()
    )
