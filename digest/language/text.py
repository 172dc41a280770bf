"""Plain text: decoding, cleaning, folding, words, sentences, shortening; and the rules' word lists."""

import codecs
import re
import tomllib
import unicodedata
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
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


_LISTS = word_lists("language/encodings.toml")
_BEGINNINGS = [
    (begin.encode("latin-1"), what)
    for what, begins in _LISTS["beginnings"].items()
    for begin in begins
]
_TWICE, _MISREAD = (
    re.compile(either(_LISTS[table]["signs"])) for table in ("decoded_twice", "misread")
)
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_CYRILLIC_LETTER = re.compile(r"[а-яёіїєґў]", re.IGNORECASE)
_CYRILLIC_WORD = re.compile(r"[а-яё]{2,}", re.IGNORECASE)
_COMMON_LETTER = re.compile(r"[оеаинтслрв]", re.IGNORECASE)
_TYPOGRAPHY = frozenset("«»“”„‘’–—…•·№°§©®™ \u00ad±€")
_MIXED_SCRIPTS = re.compile(r"[a-z][а-яё]|[а-яё][a-z]", re.IGNORECASE)
_CAPITAL_INSIDE = re.compile(r"[а-яё][А-ЯЁ]")
_C1 = re.compile(r"[\x80-\x9f]")
_HINTS = _LISTS["decoded_twice"]["hints"]
_CYRILLIC = ("windows-1251", "koi8-r")
_NO_WORD = re.compile(r"[À-ÿ]{5}")
"""So many such letters are in no word, but in Russian that was read as Windows-1252: "Òàìîæíÿ"."""
_EVIDENCE = 3
"""Letters that a repair must bring: "Â¡" may be meant."""
_SAMPLE = 100_000
"""Bytes that tell the encoding of a text."""
_HEAD = 2_000
"""Bytes that tell whether it is UTF-16."""


def decode(name: str, data: bytes, declared: str | None = None) -> tuple[str, str]:
    """The text, cleaned and with "\\n" as its only line end, and the name of the encoding.

    What is not UTF-8 or UTF-16 has the encoding that is `declared`, or in which it reads as a language.
    UTF-8 that was decoded as something else is repaired if all of it can be.

    Raises:
        DocumentError: not text, only blank space, or damaged by a wrong encoding.
    """
    for begin, what in _BEGINNINGS:
        if data.startswith(begin):
            raise _not_text(name, f"it is {what}")
    text, encoding = _decoded(data, declared)
    controls = len(_CONTROL.findall(text))
    if "\x00" in text or controls > len(text) / 500:
        raise _not_text(name, "it has control characters, as programs and pictures do")
    if not encoding:
        raise _not_text(
            name, "its bytes are no words in UTF-8, UTF-16, Windows-1251 or Windows-1252"
        )
    if (once := _decoded_once(text)) is not None:
        text, encoding = once, f"{encoding}, decoded twice, repaired"
    elif any(hint in text for hint in _HINTS) and (found := _TWICE.search(text)):
        reason = f"was decoded with the wrong encoding ({found[0]}…); ask for the original"
        raise DocumentError(name, f"{reason}, and save it as UTF-8")
    text = foreign(text, lines=True, limit=None)
    if not text.strip():
        raise DocumentError(name, "is empty: it holds only blank space; fill it or remove it")
    return text, encoding


def encoding_of(name: str, lines: Iterable[bytes]) -> str:
    """The encoding of a text of any size, from its lines as they are on the disk.

    It is UTF-8 if every line is; else the first lines, and others that are not ASCII, tell.

    Raises:
        DocumentError: as `decode`; or the text was decoded with the wrong encoding before.
    """
    sample, utf8 = b"", True
    for line in lines:
        if len(sample) < _HEAD or not line.isascii():
            sample += line[: _SAMPLE - len(sample)]
            try:
                line.decode()
            except UnicodeDecodeError:
                utf8 = False
        elif b"\x00" in sample:  # UTF-16
            break
    if b"\x00" in sample:
        utf8, sample = False, sample[: len(sample) // 2 * 2]
    _, encoding = decode(name, sample)
    if "," in encoding:
        raise DocumentError(name, "was decoded with the wrong encoding. Export it again as UTF-8.")
    return "utf-8-sig" if utf8 else encoding


def _decoded(data: bytes, declared: str | None = None) -> tuple[str, str]:
    """The text and its encoding; with U+FFFD and without an encoding if there is none."""
    guesses = ["utf-8-sig" if data.startswith(codecs.BOM_UTF8) else "utf-8", declared or "", ""]
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        guesses = ["utf-16"]
    for encoding, first in (("utf-16-le", 1), ("utf-16-be", 0)):
        high = data[first:_HEAD:2]
        if len(high.translate(None, b"\x00\x04")) < len(high) / 10:
            guesses = [encoding]  # without its mark
    for encoding in guesses:
        with suppress(UnicodeError, LookupError):
            encoding = encoding or _eight_bit(data[:_SAMPLE])
            return data.decode(encoding), encoding
    return data.decode("utf-8", "replace"), ""


def _eight_bit(data: bytes) -> str:
    """The encoding in which the bytes read as a language, "" if there is none."""
    for encoding in _CYRILLIC:
        reading = data.decode(encoding, "replace")
        if _CYRILLIC_WORD.search(reading) and _reads_as_text(reading):
            return encoding
    return "windows-1252" if _reads_as_western(data.decode("windows-1252", "replace")) else ""


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


def _reads_as_western(text: str) -> bool:
    """Whether one language has nearly all of the letters, and some of the words if there are many."""
    folded = text.casefold()
    found = set(WORD.findall(folded))
    beyond = [
        sign
        for sign in folded
        if sign > "\x7f" and sign not in _TYPOGRAPHY and (sign > "\xff" or sign.isalpha())
    ]
    if len(beyond) > max(1, len(text) / 5) or len(_MISREAD.findall(text)) > len(beyond) / 20:
        return False
    for language, [letters] in _LISTS["letters"].items():
        small = len(found.intersection(_LISTS["small_words"][language]))
        own = sum(sign in letters for sign in beyond) >= 0.95 * len(beyond)
        if small >= 6 or (own and (small >= 3 or len(found) < 12)):
            return True
    return False


def _decoded_once(text: str) -> str | None:
    """The text before it was decoded with the wrong encoding; None if it was not.

    That all of it is UTF-8 once more, and then reads as a language, is no accident.
    """
    if text.isascii():
        return None
    # A byte for which the encoding has no character was kept as the control of its number.
    text = _C1.sub(lambda sign: chr(0xDC00 + ord(sign[0])), text)
    for encoding in ("cp1251", "cp1252"):
        with suppress(UnicodeError):
            once = text.encode(encoding, "surrogateescape").decode("utf-8")
            letters = sum(sign.isalpha() and not sign.isascii() for sign in once)
            if letters >= _EVIDENCE and (_reads_as_text(once) or _reads_as_western(once)):
                return _decoded_once(once) or once
    with suppress(UnicodeError):
        if "î" in text and _NO_WORD.search(text):  # о
            data = text.encode("cp1252", "surrogateescape")
            if (encoding := _eight_bit(data)) in _CYRILLIC:
                return data.decode(encoding)
    return None


def _not_text(name: str, why: str) -> DocumentError:
    return DocumentError(name, f"is not readable as text: {why}; save it as UTF-8, or remove it")


ELLIPSIS = "…"
NO_BREAK = "\u00a0"
WORD = re.compile(r"[^\W_]+(?:[’'ʼ-][^\W_]+)*")

# It begins with a set of characters, so that the search for it is quick; (?<=\n) tells which it was.
_SENTENCE_END = re.compile(
    r"[.!?…\n](?<![.!?…]{2})(?:(?<=\n)\s++|(?<!\n)(?P<more>[.!?…]*+)[\"'”’»)\]]*+(?P<gap>\s++)"
    r"(?!(?:[\"“‘«(\[]|[–—-]\s)?[a-zа-яёäçňöşüýž]))"
)

_LONGEST_ABBREVIATION = 40

LONGEST_LINE = 1_000
"""Characters of a line of foreign text, unless its place needs another limit."""

_SEQUENCE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b\n]*(?:\x07|\x1b\\))")
_LINE_END = re.compile(r"\r\n?|[\x0b\x0c\x85\u2028\u2029]")
_UNCLEAN = re.compile(
    r"[\x00-\x08\x0e-\x1f\x7f-\x9f\ufeff"  # controls, byte-order mark
    r"\u202a-\u202e\u2066-\u2069\ufdd0-\ufdef"  # bidi embeddings, overrides, isolates; noncharacters
    + "".join(chr(plane << 16 | end) for plane in range(17) for end in (0xFFFE, 0xFFFF))
    + "]"
)
_BREAKS = re.compile(r"[\t\n]+")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_MOST_MARKS = 30
_MAY_PILE_UP = re.compile(rf"[^\x00-\x7f]{{{_MOST_MARKS + 1},}}")


def foreign(text: str | bytes, *, lines: bool = False, limit: int | None = LONGEST_LINE) -> str:
    """Text that is not ours, clean: the one border for all that others write.

    Valid Unicode in NFC without control characters, terminal sequences and bidi overrides. Bytes are
    UTF-8, or in the encoding in which they read as words; what cannot be decoded becomes U+FFFD. A longer
    text ends in "…". Without `lines` it is one line; with them "\\n" is the only line end, and blanks
    stay.

    Marks that act on one word (LRM, RLM, ZWJ, ZWNJ, soft hyphens) stay: names and copy need them.
    """
    if isinstance(text, bytes):
        text = _decoded(text)[0]
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


_EYE = "\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff"
_MAY_BE_UNSEEN = re.compile(f"[{_EYE}\u0300\u0301]")
_UNSEEN = re.compile(f"[{_EYE}]|(?<=[аеёиоуыэюяАЕЁИОУЫЭЮЯ])[{_EYE}]*[\u0300\u0301]")


def plain(text: str) -> str:
    """Without what is for the eye alone: soft hyphens, zero-width and bidi signs, Russian stress marks."""
    if text.isascii() or not _MAY_BE_UNSEEN.search(text):
        return text
    return _UNSEEN.sub("", text)


def plain_places(text: str) -> list[int]:
    """Where each character of `plain(text)` is in `text`, and at last where `text` ends."""
    unseen = {place for found in _UNSEEN.finditer(text) for place in range(*found.span())}
    return [place for place in range(len(text) + 1) if place not in unseen]


def fold(text: str) -> str:
    """For comparison: plain, case folded, ё as е, typographic apostrophes and hyphens as usual ones."""
    return _folded(plain(text))


def fold_keep(text: str) -> str:
    """As `fold`, but always as long as `text`: what would become longer, or nothing, stays as it is.

    For words that unseen signs must not break, fold `plain(text)`: `plain_places` leads back.
    """
    folded = _folded(text)
    if len(folded) == len(text):
        return folded
    return "".join(one if len(one := _folded(sign)) == 1 else sign for sign in text)


def _folded(text: str) -> str:
    folded = text.casefold().replace("ё", "е")
    return folded.replace("’", "'").replace("ʼ", "'").replace("‑", "-").replace("‐", "-")


def words(text: str) -> list[str]:
    """The folded words of a text, in order, without punctuation."""
    return WORD.findall(fold(text))


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
        if match[0][0] == "." and not match["more"]:
            before = text[max(start, match.start() - _LONGEST_ABBREVIATION) : match.start()]
            word = before.rsplit(None, 1)[-1].strip('("“«[') if before.strip() else ""
            initial = word[-1:].isupper() and not word[-2:-1].isalnum()
            if initial or fold(word) in _abbreviations():
                continue
        end = match.start() if match["gap"] is None else match.start("gap")
        while text[end - 1].isspace():
            end -= 1
        spans.append((start, end))
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


@dataclass(frozen=True, slots=True)
class Stroke:
    """One letter of the mark: a bar `width` by `height` pixels, `below` more under the line, with a
    square of `dot` pixels above it.
    """

    width: int
    height: int
    below: int = 0
    dot: int = 0


def capital(text: str) -> str:
    return text[:1].upper() + text[1:]


_TALL, _WIDE = "bdfhklþбф", "mwжшщюыфм"
_BELOW = {**dict.fromkeys("gjpqyруф", 4), **dict.fromkeys("цщд", 2)}


def name_mark(name: str) -> tuple[Stroke, ...]:
    """The newsroom's mark: a bar for each letter of the first word, at most 8; of the whole name if that
    has fewer than 4. A bar is as tall as its letter, in steps of 3 pixels.
    """
    words = re.findall(r"[^\W\d_]+", unicodedata.normalize("NFC", name)) or ["?"]
    strokes = []
    for letter in (words[0] if len(words[0]) >= 4 else "".join(words))[:8]:
        parts = unicodedata.normalize("NFD", letter)
        height, below = ((6, 0), (8, 0), (10, 0), (6, 4))[ord(letter) % 4]
        if unicodedata.name(parts[0], "").startswith(("LATIN", "CYRILLIC")):
            height = 10 if letter.isupper() or letter in _TALL else 8 if letter == "t" else 6
            below = _BELOW.get(letter, 0)
        above = letter in "ij" or any(unicodedata.combining(sign) == 230 for sign in parts)
        width = 8 if letter.isupper() or letter in _WIDE else 5
        strokes.append(Stroke(width, 3 * height, 3 * below, 5 if above and height == 6 else 0))
    return tuple(strokes)
