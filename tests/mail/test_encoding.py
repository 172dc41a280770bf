"""Text becomes 7-bit bytes that any mail program reads, and a token can still be put into them."""

import base64
import quopri

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.mail.mime import Encoded, Slot, encode_text, filled, split_at_places
from digest.mail.tokens import PLACEHOLDERS, Purpose, Tokens

TOKENS = Tokens("a2" * 16, "b3" * 16, "c4" * 16)
COPY = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=90)
LINES = st.lists(
    COPY
    | st.sampled_from(PLACEHOLDERS)
    | st.builds("{0}x+{1}@{0}".format, COPY, st.sampled_from(PLACEHOLDERS)),
    max_size=6,
)


def with_tokens(text: str) -> str:
    for placeholder, token in zip(PLACEHOLDERS, TOKENS, strict=True):
        text = text.replace(placeholder, token)
    return text


def decoded(encoded: Encoded) -> str:
    octets = filled(encoded.pieces, TOKENS.octets())
    decode = base64.b64decode if encoded.transfer == "base64" else quopri.decodestring
    return decode(octets).decode().replace("\r\n", "\n")


def slots(encoded: Encoded) -> int:
    return sum(isinstance(piece, Slot) for piece in encoded.pieces)


@settings(max_examples=100, deadline=None)
@given(LINES)
def test_a_token_put_into_finished_bytes_reads_as_if_it_had_always_been_there(
    lines: list[str],
) -> None:
    """RFC 2045 §6.7, §6.8: no soft break and no group of base64 cuts a token off."""
    text = "".join(f"{line}\n" for line in lines)
    encoded = encode_text(text)
    assert decoded(encoded) == with_tokens(text)
    assert slots(encoded) == sum(map(text.count, PLACEHOLDERS))
    octets = filled(encoded.pieces, TOKENS.octets())
    assert octets.isascii()
    for line in octets.split(b"\r\n"):
        assert len(line) <= 76
        assert not line.endswith((b" ", b"\t"))
        assert not line.startswith((b".", b"From "))
        assert b"\n" not in line


@pytest.mark.parametrize("shift", range(3))
def test_base64_takes_the_neighbours_of_a_token_along(shift: int) -> None:
    """Wherever a token falls among the groups of three octets, it can be exchanged."""
    text = "Ж" * 200 + "." * shift + PLACEHOLDERS.reader + "Ж\n"
    encoded = encode_text(text)
    assert encoded.transfer == "base64"
    assert decoded(encoded) == with_tokens(text)
    assert len(filled(encoded.pieces, TOKENS.octets())) == len(
        filled(encoded.pieces, PLACEHOLDERS.octets())
    )


@pytest.mark.parametrize(
    ("text", "transfer"),
    [
        pytest.param("A plain line – with one dash.\n", "quoted-printable", id="English"),
        pytest.param("Русский текст, почти без латиницы.\n", "base64", id="Russian"),
    ],
)
def test_the_shorter_encoding_is_taken(text: str, transfer: str) -> None:
    """Quoted-printable triples Cyrillic; base64 makes a third more of Latin."""
    assert encode_text(text).transfer == transfer


def test_headers_are_split_at_each_place() -> None:
    """Fields that hold a token need no encoding."""
    pieces = split_at_places("a {} b {}".format(*PLACEHOLDERS).encode())
    assert pieces == (b"a ", Slot(Purpose.SERVER), b" b ", Slot(Purpose.READER))
