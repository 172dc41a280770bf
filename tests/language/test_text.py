"""Text: bytes decode in their own encoding, and sentences end where a reader ends them."""

import codecs
import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.errors import DocumentError
from digest.language.text import (
    decode,
    fold,
    fold_keep,
    foreign,
    is_clean,
    plain,
    plain_places,
    sentence_spans,
    sentences,
    words,
)
from tests.conftest import grows_in_proportion

RUSSIAN = (
    "В таможенной службе прошла встреча с представителем УНП ООН — «Фарап», № 5.\n\nСтороны ёмко"
)

CZECH = (
    "The firm Škoda of Žižkov was fined, and the head of it is in prison for bribes that were large"
)
FRENCH = "La douane a ouvert un corridor à l’entrée de la ville, où l’été est chaud"


def _as_control(error):
    return chr(error.object[error.start]), error.start + 1


codecs.register_error("digest-c1", _as_control)


@pytest.mark.parametrize(
    ("data", "text", "encoding"),
    [
        pytest.param("Наркотики".encode(), "Наркотики", "utf-8", id="UTF-8"),
        pytest.param("\ufeffCopy\r\nend".encode(), "Copy\nend", "utf-8-sig", id="mark and CRLF"),
        pytest.param("Copy".encode("utf-16"), "Copy", "utf-16", id="UTF-16 with its mark"),
        pytest.param(RUSSIAN.encode("cp1251"), RUSSIAN, "windows-1251", id="Windows-1251"),
        pytest.param("Copy\nend".encode("utf-16-le"), "Copy\nend", "utf-16-le", id="UTF-16 without its mark"),
        pytest.param(RUSSIAN.encode("utf-16-be"), RUSSIAN, "utf-16-be", id="and in Russian"),
        pytest.param(RUSSIAN.replace("—", "-").replace("«", '"').replace("»", '"').replace("№", "N").encode("koi8-r"), RUSSIAN.replace("—", "-").replace("«", '"').replace("»", '"').replace("№", "N"), "koi8-r", id="KOI8-R"),
        pytest.param(b"a \x93quote\x94 \x96 and more", "a “quote” – and more", "windows-1252", id="quotes"),
        pytest.param("Наркоторговцы".encode("cp1251"), "Наркоторговцы", "windows-1251", id="a word"),
        pytest.param("They say мир is peace".encode("cp1251"), "They say мир is peace", "windows-1251", id="a Russian word"),
        pytest.param("Zöllner prüfen".encode("cp1252"), "Zöllner prüfen", "windows-1252", id="German"),
        pytest.param(CZECH.encode("cp1252"), CZECH, "windows-1252", id="names in English"),
        pytest.param("Öl".encode("cp1252"), "Öl", "windows-1252", id="a German word"),
        pytest.param(FRENCH.encode("cp1252"), FRENCH, "windows-1252", id="French"),
        pytest.param("It cost £5 in a café".encode("cp1252"), "It cost £5 in a café", "windows-1252", id="English"),
        pytest.param(RUSSIAN.encode().decode("cp1251", "digest-c1").encode(), RUSSIAN, "utf-8, decoded twice, repaired", id="twice by 1251"),
        pytest.param(RUSSIAN.encode().decode("latin-1").encode(), RUSSIAN, "utf-8, decoded twice, repaired", id="twice by Latin-1"),
        pytest.param(RUSSIAN.encode("cp1251").decode("cp1252", "digest-c1").encode(), RUSSIAN, "utf-8, decoded twice, repaired", id="1251 as 1252"),
        pytest.param(FRENCH.encode().decode("cp1252", "digest-c1").encode(), FRENCH, "utf-8, decoded twice, repaired", id="twice by 1252"),
        pytest.param(b"one\rtwo", "one\ntwo", "utf-8", id="old Mac line ends"),
        pytest.param("и\u0306".encode(), "й", "utf-8", id="composed to NFC"),
    ],
)  # fmt: skip
def test_text_is_read_in_its_own_encoding(data, text, encoding):
    """For people who save a file from any editor into the folder."""
    assert decode("copy.txt", data) == (text, encoding)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(hashlib.shake_256(b"seed").digest(4000), id="random bytes"),
        pytest.param(bytes(range(256)), id="every byte"),
        pytest.param(b"%PDF-1.7\n" + b"text " * 100, id="PDF"),
        pytest.param(b"PK\x03\x04" + b"a" * 50, id="ZIP"),
        pytest.param(b"text with\x00nothing", id="NUL"),
        pytest.param("Że żona była w domu i prosiła o łódź".encode("cp1250"), id="Polish"),
        pytest.param("Český celník řekl, že žádné zboží nebylo zadrženo".encode("cp1250"), id="Czech"),
        pytest.param(b"\xff\xfea", id="half a UTF-16 sign"),
        pytest.param(b"\xef\xbb\xbf\xff\xfe\xfd", id="UTF-8 mark on other bytes"),
        pytest.param(b" \r\n\t\n", id="blank"),
        pytest.param(b"\xef\xbb\xbf", id="a mark and nothing"),
    ],
)  # fmt: skip
def test_other_bytes_are_refused_by_name(data):
    """For the operator: which document, and what to do."""
    with pytest.raises(
        DocumentError, match=r"^odd\.txt: is (not readable as text|empty)"
    ) as caught:
        decode("odd.txt", data)
    assert "remove it" in str(caught.value)


@pytest.mark.parametrize("encoding", ["cp1251", "latin-1"])
@pytest.mark.parametrize("text", [RUSSIAN, FRENCH])
def test_text_that_is_damaged_in_part_is_refused(text, encoding):
    """For the editor: no gibberish is published, and none is guessed at."""
    twice = text.encode().decode(encoding, "digest-c1")
    with pytest.raises(DocumentError, match="decoded with the wrong encoding"):
        decode("copy.txt", f"Таможня, Žižkov. {twice}".encode())


@given(st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1))
@settings(max_examples=100)
def test_utf8_comes_back_as_it_was(text):
    """For every writer: nothing but forbidden signs is lost on the way in."""
    if text.strip().strip("\ufeff").strip():
        assert decode("copy.txt", text.encode())[0] == foreign(text, lines=True, limit=None)


@given(st.binary(max_size=300))
@settings(max_examples=100)
def test_no_bytes_surprise_the_decoder(data):
    """For the operator: any bytes give text or one DocumentError."""
    try:
        text, _ = decode("copy.txt", data)
    except DocumentError:
        return
    assert text.strip()
    assert "\r" not in text


@pytest.mark.parametrize(
    ("given", "clean"),
    [
        pytest.param(b"550 \xcd\xe5\xf2 \xd0\xbd\xd0\xb5\xd1\x82", "550 \ufffd\ufffd\ufffd нет", id="not UTF-8"),
        pytest.param("550 Нет такого ящика".encode("koi8-r"), "550 Нет такого ящика", id="KOI8-R"),
        pytest.param("550 Нет такого ящика".encode("cp1251"), "550 Нет такого ящика", id="Windows-1251"),
        pytest.param("550 Empfänger".encode("latin-1"), "550 Empfänger", id="Latin-1"),
        pytest.param("550 Že žádná".encode("cp1250"), "550 \ufffde \ufffd\ufffddn\ufffd", id="neither"),
        pytest.param("a\udcff\ud800b", "a\ufffd\ufffdb", id="lone surrogates"),
        pytest.param("\x1b[1;31mred\x1b[0m \x1b]0;title\x07bell\x07 \x9b2J\x1b[", "red bell 2J[", id="terminal"),
        pytest.param("invoice\u202efdp.\u2066exe\u2069", "invoicefdp.exe", id="bidi overrides and isolates"),
        pytest.param("\u200fقم\u200c\u200e", "\u200fقم\u200c\u200e", id="marks of one word stay"),
        pytest.param("\ufeff one\r\n\ttwo\x0b\u2028 three\x85", "one two  three", id="one line"),
        pytest.param("и\u0306\u00a09", "й\u00a09", id="composed, no-break spaces stay"),
        pytest.param("x" * 2000, "x" * 999 + "…", id="a cap"),
    ],
)  # fmt: skip
def test_foreign_text_becomes_one_clean_line(given, clean):
    """For terminals, titles and the database: nothing of others acts on them."""
    assert foreign(given) == clean


@given(
    st.text(st.characters(exclude_categories=()) | st.sampled_from("\x1b[]\r\n\u0301\u0344\x07m")),
    st.booleans(),
)
@settings(max_examples=200)
def test_the_border_is_crossed_once(text, lines):
    """Clean text stays as it is, and can be encoded."""
    clean = foreign(text, lines=lines)
    assert foreign(clean, lines=lines) == clean
    assert clean.encode().decode() == clean
    assert lines or ("\n" not in clean and is_clean(clean))


def test_piled_up_marks_take_no_time():
    """For the operator: a document of nothing but accents does not keep the service busy."""

    def piled(marks: int) -> str:
        return foreign("a" + "\u0301\u0327" * (marks // 2), lines=True, limit=None)

    assert len(piled(1_000_000)) < 40
    assert grows_in_proportion(piled, 200_000)


@pytest.mark.parametrize(
    "parts",
    [
        ["They met in the U.S. Congress.", "It was brief."],
        ["The U.N. Office opened it.", "It works."],
        ["H.E. Vepa Hajiyev spoke.", "Ms. A. Mittal answered."],
        ["Выступили А.Б. Иванов и проф. Байрамова.", "Изъято 5 тыс. Таблеток нет."],
        ["“We are glad.”", "(This is new.)", "It is 3 p.m. now!", "5 came…", "More?"],
        ["«Мы рады!» – сказал министр.", "– Да."],
        ["A heading", "A paragraph below it."],
        ["It cost 4.5 million. it says so."],
    ],
)
def test_sentences_end_where_a_reader_ends_them(parts):
    """For the reader: no date, headline or theme is cut at an initial or an abbreviation."""
    text = "  " + "\n\n".join(parts) + " \n"
    assert sentences(text) == parts
    assert [text[start:end] for start, end in sentence_spans(text)] == parts
    if "A heading" not in parts:
        assert sentences(" ".join(parts)) == parts


@pytest.mark.parametrize("piece", [".", " ", "\n", ". ", ".\n", "A. ", "”", ".” ", "\n ", "a.b "])
def test_splitting_takes_time_in_proportion_to_the_text(piece):
    """For the operator: no document, whatever it holds, keeps the service busy."""
    assert grows_in_proportion(
        lambda signs: sentence_spans("word " + piece * (signs // len(piece)) + "a"), 25_000
    )


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        pytest.param("ма\u00adри\u00adху\u00adана", "марихуана", id="soft hyphens"),
        pytest.param("о\u0301пий", "опий", id="stress"),
        pytest.param("мака\u0301", "мака", id="stress at the end"),
        pytest.param("Ёлка, край", "елка, край", id="composed letters stay"),
        pytest.param("zero\u200bwidth\u2060 \ufeffsigns", "zerowidth signs", id="zero-width signs"),
        pytest.param("\u202aleft\u202c to\u200e right\u2069", "left to right", id="bidi signs"),
        pytest.param("e\u0301lite", "e\u0301lite", id="an accent that is no stress"),
    ],
)  # fmt: skip
def test_what_no_reader_sees_does_not_count_in_a_comparison(text, folded):
    """For themes, stories and search: a word is the same word."""
    assert fold(text) == folded
    assert words(text) == words(folded)


@given(st.text(st.sampled_from("aоЁиß \u00ad\u0301\u200b\u202e\ufeff\u0130"), max_size=30))
def test_each_sign_of_plain_text_has_its_place(text):
    """For the offsets of evidence."""
    places = plain_places(text)
    assert "".join(text[place] for place in places[:-1]) == plain(text)
    assert places[-1] == len(text)
    assert len(fold_keep(text)) == len(text)
