"""Header fields follow RFC 5322 and RFC 2047 and read back unchanged."""

import re
from email.header import decode_header
from email.utils import parseaddr

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.language.addresses import ascii_address
from digest.mail.mime import header, mailbox_header, raw_header

ENCODED = re.compile(rb"=\?utf-8\?([bq])\?([^?]*)\?=")
COPY = (
    "UNODC Ashgabat drugs and the 2024: (TOC), “Friends … – Central-Asia's и новые в Туркменистане "
    "психоактивные ООН «Таможня» ещё =?utf-8?q?x?= 1,000 naïve Türkmenistan 🎈"
)
WORDS = st.sampled_from([*COPY.split(" "), "п.\u00a09"])
SUBJECTS = st.lists(WORDS | st.text('abcяжΩ =?_\t"\\()<>,;', max_size=12), max_size=18).map(
    " ".join
)


def unfolded(field: bytes) -> str:
    """The value of a field, its folding undone (RFC 5322 §2.2.3)."""
    return field.decode("ascii").replace("\r\n", "").split(":", 1)[1].strip()


def decoded(value: str) -> str:
    return "".join(
        part if isinstance(part, str) else part.decode(charset or "ascii")
        for part, charset in decode_header(value)
    )


def squeezed(text: str) -> str:
    return re.sub(r"[ \t]+", " ", text).strip()


def assert_well_formed(field: bytes) -> None:
    """ASCII, CRLF at each end and nowhere else, lines and encoded words within their limits."""
    assert field.isascii()
    assert field.endswith(b"\r\n")
    lines = field[:-2].split(b"\r\n")
    assert not re.search(rb"[\r\n]", b"".join(lines))
    for line in lines:
        assert len(line) <= 78 or line.count(b" ") == 1
        assert len(line) <= 998
        assert line.strip()
    assert all(line[:1] == b" " for line in lines[1:])
    for word in ENCODED.finditer(field):
        assert len(word[0]) <= 75


@settings(max_examples=100, deadline=None)
@given(st.lists(SUBJECTS, min_size=30, max_size=30))
def test_subjects_read_back_as_they_were(subjects: list[str]) -> None:
    """RFC 2047: 3,000 English, Russian and mixed subjects lose no space and no letter."""
    for subject in subjects:
        field = header("Subject", subject)
        assert_well_formed(field)
        assert decoded(unfolded(field)) == squeezed(subject)


@settings(max_examples=100, deadline=None)
@given(st.lists(SUBJECTS, min_size=30, max_size=30))
def test_display_names_read_back_as_they_were(names: list[str]) -> None:
    """RFC 5322 §3.4: 3,000 names, the reader's encoded words decoded (trap: not policy.default)."""
    for name in names:
        field = mailbox_header("To", [(name, "anna@example.com")])
        assert_well_formed(field)
        phrase, address = parseaddr(unfolded(field))
        assert address == "anna@example.com"
        quoted = b'"' in field
        assert (phrase if quoted else decoded(phrase)) == squeezed(name)


@pytest.mark.parametrize("encoding", [b"b", b"q"])
def test_no_encoded_word_is_cut_inside_a_character(encoding: bytes) -> None:
    """RFC 2047 §5: each word can be decoded by itself."""
    text = "Конференция по борьбе с наркотиками " * 4 if encoding == b"b" else "naïve façade " * 20
    field = header("Subject", text)
    words = ENCODED.findall(field)
    assert len(words) > 2
    for kind, payload in words:
        assert kind == encoding
        decoded(f"=?utf-8?{kind.decode()}?{payload.decode()}?=")


def test_plain_words_around_foreign_ones_stay_legible() -> None:
    """An English headline with curly quotes is still English in a log."""
    field = header("Subject", "Port control units meet in “Turkmenbashi” for the first time")
    assert unfolded(field) == (
        "Port control units meet in =?utf-8?q?=E2=80=9CTurkmenbashi?= =?utf-8?q?=E2=80=9D?= "
        "for the first time"
    )


@pytest.mark.parametrize("evil", ["a\r\nBcc: x@y.example", "a\nb", "a\rb", "a\x00b", "a\x1bb"])
def test_a_line_break_is_refused(evil: str) -> None:
    """RFC 5322 §2.2: a title cannot bring in a field of its own."""
    with pytest.raises(ValueError, match="line break"):
        header("Subject", evil)
    with pytest.raises(ValueError, match="line break"):
        mailbox_header("To", [(evil, "anna@example.com")])
    with pytest.raises(ValueError, match="line break"):
        raw_header("List-Help", evil)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param(None, b"To: anna@example.com\r\n", id="no name"),
        pytest.param("Anna Karenina", b"To: Anna Karenina <anna@example.com>\r\n", id="atoms"),
        pytest.param("Karenina, A.", b'To: "Karenina, A." <anna@example.com>\r\n', id="quoted"),
        pytest.param('A "B" \\', b'To: "A \\"B\\" \\\\" <anna@example.com>\r\n', id="escaped"),
        pytest.param("Анна", b"To: =?utf-8?b?0JDQvdC90LA=?= <anna@example.com>\r\n", id="encoded"),
    ],
)
def test_a_display_name_takes_the_simplest_form(name: str | None, expected: bytes) -> None:
    """RFC 2047 §5: no encoded word inside a quoted string."""
    assert mailbox_header("To", [(name, "anna@example.com")]) == expected


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        pytest.param("anna@example.com", "anna@example.com", id="plain"),
        pytest.param("анна@example.com", None, id="local part needs SMTPUTF8"),
        pytest.param("anna@пример.рф", "anna@xn--e1afmkfd.xn--p1ai", id="domain as A-labels"),
        pytest.param("anna@example.com, b@example.com", None, id="two"),
        pytest.param("anna@example.com>", None, id="bracket"),
        pytest.param("anna", None, id="no domain"),
    ],
)
def test_an_address_is_ascii_or_refused(address: str, expected: str | None) -> None:
    """RFC 6531: without SMTPUTF8 only the domain can be brought into ASCII."""
    if expected is not None:
        assert ascii_address(address) == expected
        return
    with pytest.raises(ValueError, match=r"address|SMTPUTF8"):
        ascii_address(address)


def test_several_addresses_are_parted_by_commas() -> None:
    """RFC 5322 §3.4: an address list folds between its mailboxes."""
    field = mailbox_header(
        "Cc", [("Reader of the news", f"reader{n}@example.com") for n in range(4)]
    )
    assert_well_formed(field)
    assert unfolded(field).count("example.com>,") == 3


def test_a_list_field_is_never_encoded() -> None:
    """RFC 2369: a mail program must find the exact URL, however long; folded only between URLs."""
    long = "<https://news.example.org/" + "a" * 200 + ">"
    field = raw_header("List-Unsubscribe", long, "<mailto:leave@example.org>")
    assert field == f"List-Unsubscribe: {long},\r\n <mailto:leave@example.org>\r\n".encode()
    with pytest.raises(ValueError, match="ASCII"):
        raw_header("List-Help", "<https://пример.рф/>")
    with pytest.raises(ValueError, match="998"):
        raw_header("List-Help", "<https://example.org/" + "a" * 998 + ">")
