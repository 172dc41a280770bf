"""Plain text: decoding, cleaning, folding, words, sentences, shortening; and the rules' word lists."""

import codecs
import re
import tomllib
import unicodedata
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from digest.errors import DocumentError


@cache
def word_lists(path: str) -> dict[str, dict[str, tuple[str, ...]]]:
    """The tables of a file, each with its lists by name; `path` is relative to the package.

    In the file a string is a list of words, an array is a list of phrases.
    """
    tables = tomllib.loads(Path(__file__).parents[1].joinpath(path).read_text(encoding="utf-8"))
    return {
        table: {
            name: tuple(listed.split() if isinstance(listed, str) else listed)
            for name, listed in lists.items()
        }
        for table, lists in tables.items()
    }


def either(words: Iterable[str]) -> str:
    """A pattern that matches any of the words or patterns; the first match wins."""
    return f"(?:{'|'.join(words)})"


_OTHER_FORMATS = (
    (b"%PDF", "a PDF"),
    (b"PK\x03\x04", "a ZIP or an Office document"),
    (b"\xd0\xcf\x11\xe0", "an old Office document"),
    (b"{\\rtf", "an RTF document"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"GIF8", "a picture"),
    (b"\x1f\x8b", "a compressed file"),
    (b"SQLite format 3", "a database"),
)

_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_CYRILLIC_LETTER = re.compile(r"[а-яёіїєґў]", re.IGNORECASE)
_COMMON_LETTER = re.compile(r"[оеаинтслрв]", re.IGNORECASE)
_TYPOGRAPHY = frozenset("«»“”„‘’–—…•·№°§©®™ \u00ad±€")
_MIXED_SCRIPTS = re.compile(r"[a-z][а-яё]|[а-яё][a-z]", re.IGNORECASE)
_CAPITAL_INSIDE = re.compile(r"[а-яё][А-ЯЁ]")


def decode(name: str, data: bytes) -> tuple[str, str]:
    """The text, cleaned and with "\\n" as its only line end, and the name of the encoding.

    Windows-1251 counts only if the result looks like text: Cyrillic letters with the frequency and case
    of Russian, or Latin text whose only other signs are quotes and dashes.

    Raises:
        DocumentError: not text, or only blank space.
    """
    for start, what in _OTHER_FORMATS:
        if data.startswith(start):
            raise _not_text(name, f"it is {what}")
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16"
    else:
        encoding = "utf-8-sig" if data.startswith(codecs.BOM_UTF8) else "utf-8"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        if encoding != "utf-8":
            raise _not_text(name, f"its mark says {encoding}, its bytes are not") from None
        encoding = "windows-1251"
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            raise _not_text(name, "its bytes are neither UTF-8 nor Windows-1251") from None
    controls = len(_CONTROL.findall(text))
    if "\x00" in text or controls > len(text) / 500:
        raise _not_text(name, "it has control characters, as programs and pictures do")
    if encoding == "windows-1251" and not _reads_as_text(text):
        raise _not_text(name, "its bytes are not UTF-8, and as Windows-1251 they are not words")
    text = foreign(text, lines=True, limit=None)
    if not text.strip():
        raise DocumentError(name, "is empty: it holds only blank space; fill it or remove it")
    return text, encoding


def _reads_as_text(text: str) -> bool:
    letters = len(_CYRILLIC_LETTER.findall(text))
    others = sum(1 for sign in text if ord(sign) > 0x7F and sign not in _TYPOGRAPHY) - letters
    if others > letters / 20:
        return False
    return not letters or (
        len(_COMMON_LETTER.findall(text)) >= 0.5 * letters
        and len(_MIXED_SCRIPTS.findall(text)) <= letters / 40
        and len(_CAPITAL_INSIDE.findall(text)) <= letters / 25
    )


def _not_text(name: str, why: str) -> DocumentError:
    return DocumentError(name, f"is not readable as text: {why}; save it as UTF-8, or remove it")


ELLIPSIS = "…"
NO_BREAK = "\u00a0"
_WORD = re.compile(r"[^\W_]+(?:[’'ʼ-][^\W_]+)*")

_SENTENCE_END = re.compile(
    r"(?<![.!?…])(?P<mark>[.!?…]++)[\"'”’»)\]]*+(?P<gap>\s++)(?!(?:[\"“‘«(\[]|[–—-]\s)?[a-zа-яёäçňöşüýž])"
    r"|(?<!\s)(?P<break>[^\S\n]*+\n\s++)"
)

_LONGEST_ABBREVIATION = 40

LONGEST_LINE = 1_000
"""Characters of a line of foreign text, unless its place needs another limit."""

_SEQUENCE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b\n]*(?:\x07|\x1b\\))")
_LINE_END = re.compile(r"\r\n?|[\x0b\x0c\x85\u2028\u2029]")
_UNCLEAN = re.compile(
    r"[\x00-\x08\x0e-\x1f\x7f-\x9f\ufeff\ufffe\uffff"  # controls, byte-order mark, XML 1.0 §2.2
    r"\u202a-\u202e\u2066-\u2069]"  # bidi embeddings, overrides, isolates
)
_BREAKS = re.compile(r"[\t\n]+")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_MOST_MARKS = 30
_MAY_PILE_UP = re.compile(rf"[^\x00-\x7f]{{{_MOST_MARKS + 1},}}")


def foreign(text: str | bytes, *, lines: bool = False, limit: int | None = LONGEST_LINE) -> str:
    """Text that is not ours, clean: the one border for all that others write.

    Valid Unicode in NFC without control characters, terminal sequences and bidi overrides; what
    cannot be decoded becomes U+FFFD. A longer text ends in "…". Without `lines` it is one line; with
    them "\\n" is the only line end, and blanks stay.

    Marks that act on one word (LRM, RLM, ZWJ, ZWNJ, soft hyphens) stay: names and copy need them.
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    plain = text.isascii() and text.isprintable()
    if not plain:
        text = _LINE_END.sub("\n", _SEQUENCE.sub("", text))
        text = _SURROGATE.sub("\ufffd", _UNCLEAN.sub("", text))
        text = unicodedata.normalize("NFC", _MAY_PILE_UP.sub(_without_piles, text))
    if not lines:
        text = (text if plain else _BREAKS.sub(" ", text)).strip()
    if limit is not None and len(text) > limit:
        text = text[: limit - 1].rstrip() + ELLIPSIS
    return text


def _without_piles(found: re.Match[str]) -> str:
    """At most 30 marks on a letter (UAX #15 §13): to sort more takes quadratic time."""
    kept, marks = [], 0
    for sign in found[0]:
        is_mark = unicodedata.combining(sign)
        marks = marks + len(unicodedata.normalize("NFD", sign)) if is_mark else 0
        if marks <= _MOST_MARKS:
            kept.append(sign)
    return "".join(kept)


def is_clean(line: str) -> bool:
    """Whether `foreign` would change at most the composition of a line and the blanks around it."""
    return foreign(line, limit=None) == unicodedata.normalize("NFC", line).strip()


def fold(text: str) -> str:
    """For comparison: case folded, ё as е, typographic apostrophes and hyphens as plain ones.

    Keeps the length of most Latin and Cyrillic copy; `fold_keep` always does.
    """
    folded = text.casefold().replace("ё", "е")
    return folded.replace("’", "'").replace("ʼ", "'").replace("‑", "-").replace("‐", "-")


def fold_keep(text: str) -> str:
    """As `fold`, but always as long as `text`: a character that would become longer stays as it is."""
    folded = fold(text)
    if len(folded) == len(text):
        return folded
    return "".join(one if len(one := fold(sign)) == 1 else sign for sign in text)


def words(text: str) -> list[str]:
    """The folded words of a text, in order, without punctuation."""
    return _WORD.findall(fold(text))


def paragraphs(text: str) -> list[str]:
    """The paragraphs of a stored text, separated by empty lines."""
    return [part for part in text.split("\n\n") if part]


def sentences(text: str) -> list[str]:
    """The sentences of a text, each with its own punctuation."""
    return [text[start:end] for start, end in sentence_spans(text)]


def sentence_spans(text: str) -> list[tuple[int, int]]:
    """Where each sentence of `text` starts and ends, without the space around it.

    The end of a paragraph ends a sentence. A full stop after an initial or an abbreviation ("U.S.")
    does not, nor any punctuation before a small letter.
    """
    spans: list[tuple[int, int]] = []
    start = len(text) - len(text.lstrip())
    for match in _SENTENCE_END.finditer(text, start):
        if match["mark"] == ".":
            before = text[max(start, match.start() - _LONGEST_ABBREVIATION) : match.start()]
            word = before.rsplit(None, 1)[-1].strip('("“«[') if before.strip() else ""
            initial = word[-1:].isupper() and not word[-2:-1].isalnum()
            if initial or fold(word) in _abbreviations():
                continue
        spans.append((start, match.start("gap") if match["mark"] else match.start("break")))
        start = match.end()
    if start < len(text):
        spans.append((start, len(text.rstrip())))
    return spans


@cache
def _abbreviations() -> frozenset[str]:
    listed = word_lists("language/languages.toml")["abbreviations"]
    return frozenset(word for words in listed.values() for word in words)


def cut(text: str, limit: int) -> str:
    """At most `limit` characters: whole sentences if they fill half of it, else words and "…"."""
    text = " ".join(text.split())
    if len(text) <= limit:
        return text
    head = ""
    for sentence in sentences(text):
        longer = f"{head} {sentence}".strip()
        if len(longer) > limit:
            break
        head = longer
    return head if len(head) >= limit / 2 else cut_at_word(text, limit)


def cut_at_word(text: str, limit: int) -> str:
    """At most `limit` characters, cut between words and marked with "…"; never empty."""
    text = " ".join(text.split())
    if len(text) <= limit:
        return text
    head = text[: limit - 1]
    if not text[limit - 1].isspace() and " " in head:
        head = head.rsplit(" ", 1)[0]
    return head.rstrip(' ,;:–—-([«“"') + ELLIPSIS
