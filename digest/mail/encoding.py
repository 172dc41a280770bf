"""Text as 7-bit bytes in which a recipient's token can still be put (RFC 2045 §6.7, §6.8).

Encoded text is a list of pieces: bytes that are the same for everybody, and slots for the token.
"""

import re
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass

from digest.mail.verp import PLACEHOLDER

LINE = 76
"""Characters of an encoded line, without its CRLF."""
_PLACE = PLACEHOLDER.encode("ascii")
_QP = [
    chr(octet) if (33 <= octet <= 126 and octet != 61) or octet in (9, 32) else f"={octet:02X}"
    for octet in range(256)
]


@dataclass(frozen=True, slots=True)
class Slot:
    """Where a token goes. Base64 knows only groups of three octets, so it takes its neighbours along.

    `before` and `after` are the constant octets that share a group with the token, at most two each.
    """

    base64: bool = False
    before: bytes = b""
    after: bytes = b""

    def fill(self, token: bytes) -> bytes:
        if self.base64:
            return b64encode(self.before + token + self.after)
        return token


Piece = bytes | Slot


@dataclass(frozen=True, slots=True)
class Encoded:
    """A text as it goes over the wire; `transfer` is its Content-Transfer-Encoding."""

    transfer: str
    pieces: tuple[Piece, ...]

    def __len__(self) -> int:
        return len(filled(self.pieces, _PLACE))


def encode_text(text: str) -> Encoded:
    """`text` in UTF-8 as quoted-printable or base64, whichever is shorter, lines ending in CRLF.

    Each placeholder becomes a slot, whole in its line.
    """
    lines = text.splitlines()
    printable = Encoded("quoted-printable", _quoted_printable(lines))
    binary = Encoded("base64", _base64("".join(f"{line}\r\n" for line in lines).encode()))
    return min(printable, binary, key=len)


def split_at_places(octets: bytes) -> tuple[Piece, ...]:
    """Bytes that need no encoding, with a slot for each placeholder in them."""
    pieces: list[Piece] = []
    for number, part in enumerate(octets.split(_PLACE)):
        pieces += [Slot(), part] if number else [part]
    return tuple(piece for piece in pieces if piece != b"")


def filled(pieces: Sequence[Piece], token: bytes) -> bytes:
    """The finished bytes for one token."""
    return b"".join(piece.fill(token) if isinstance(piece, Slot) else piece for piece in pieces)


def _quoted_printable(lines: Sequence[str]) -> tuple[Piece, ...]:
    coded = "".join(f"{_printable_line(line)}\r\n" for line in lines)
    return split_at_places(coded.encode("ascii"))


def _printable_line(line: str) -> str:
    """One line, with soft breaks. A point or "From " that begins it is coded, as is a last space."""
    atoms: list[str] = []
    for part in re.split(f"({PLACEHOLDER})", line):
        if part == PLACEHOLDER:
            atoms.append(part)
        else:
            atoms += map(_QP.__getitem__, part.encode())
    if atoms and atoms[-1] in {" ", "\t"}:
        atoms[-1] = f"={ord(atoms[-1]):02X}"
    done: list[str] = []
    held = ""
    for atom in atoms:
        if not held and atom in {".", "F"}:
            atom = f"={ord(atom):02X}"
        if len(held) + len(atom) >= LINE:
            done.append(f"{held}=")
            held = ""
            if atom in {".", "F"}:
                atom = f"={ord(atom):02X}"
        held += atom
    return "\r\n".join([*done, held])


def _base64(octets: bytes) -> tuple[Piece, ...]:
    """Groups of three run on over the whole part; a slot stands on a line of its own."""
    pieces: list[Piece] = []
    at = 0
    while (place := octets.find(_PLACE, at)) >= 0:
        start = place - (place - at) % 3
        end = place + len(_PLACE)
        stop = min(end + (start - end) % 3, len(octets))
        pieces += [_base64_lines(octets[at:start])]
        pieces += [Slot(True, octets[start:place], octets[end:stop]), b"\r\n"]
        at = stop
    return (*(piece for piece in pieces if piece != b""), _base64_lines(octets[at:]))


def _base64_lines(octets: bytes) -> bytes:
    width = LINE // 4 * 3
    return b"".join(
        b64encode(octets[at : at + width]) + b"\r\n" for at in range(0, len(octets), width)
    )
