"""Plain text as people read it: folding, words, sentences, and cutting without harm."""

import re
import unicodedata
from functools import cache

from digest.wordlists import word_lists

ELLIPSIS = "…"
NO_BREAK = "\u00a0"

_WORD = re.compile(r"[^\W_]+(?:[’'ʼ-][^\W_]+)*")
_SENTENCE_END = re.compile(
    r"(?<![.!?…])(?P<mark>[.!?…]++)[\"'”’»)\]]*+(?P<gap>\s++)(?!(?:[\"“‘«(\[]|[–—-]\s)?[a-zа-яёäçňöşüýž])"
    r"|(?<!\s)(?P<break>[^\S\n]*+\n\s++)"
)
_LONGEST_SHORTENED = 40
_ILLEGAL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff\ud800-\udfff]")


def clean(text: str) -> str:
    """Text in NFC without the characters that XML 1.0 forbids and without a byte-order mark."""
    return unicodedata.normalize("NFC", _ILLEGAL.sub("", text).replace("\ufeff", ""))


def fold(text: str) -> str:
    """For comparing: case folded, ё as е, typographic apostrophes and hyphens as plain ones.

    Keeps the length for Latin and Cyrillic copy, so that offsets stay true; use `fold_keep` where
    they must.
    """
    return (
        text.casefold()
        .replace("ё", "е")
        .replace("’", "'")
        .replace("ʼ", "'")
        .replace("‑", "-")
        .replace("‐", "-")
    )


def fold_keep(text: str) -> str:
    """As `fold`, but always as long as `text`: a sign that would grow in folding stays as it is."""
    folded = fold(text)
    if len(folded) == len(text):
        return folded
    return "".join(one if len(one := fold(sign)) == 1 else sign for sign in text)


def words(text: str) -> list[str]:
    """The folded words of a text, in order; punctuation is left out."""
    return _WORD.findall(fold(text))


def word_spans(text: str) -> list[tuple[int, int]]:
    """Where each word of `text` starts and ends."""
    return [match.span() for match in _WORD.finditer(text)]


def paragraphs(text: str) -> list[str]:
    """The paragraphs of a kept text, which are parted by an empty line."""
    return [part for part in text.split("\n\n") if part]


def sentences(text: str) -> list[str]:
    """The sentences of a text, each with its own punctuation."""
    return [text[start:end] for start, end in sentence_spans(text)]


def sentence_spans(text: str) -> list[tuple[int, int]]:
    """Where each sentence of `text` starts and ends, without the space around it.

    A paragraph ends a sentence with or without a full stop. A full stop ends none after an initial
    or an abbreviation ("U.S."), and no punctuation does before a small letter.
    """
    spans: list[tuple[int, int]] = []
    start = len(text) - len(text.lstrip())
    for match in _SENTENCE_END.finditer(text, start):
        if match["mark"] == ".":
            before = text[max(start, match.start() - _LONGEST_SHORTENED) : match.start()]
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
    listed = word_lists("languages.toml")["abbreviations"]
    return frozenset(word for words in listed.values() for word in words)


def cut(text: str, limit: int) -> str:
    """At most `limit` characters: whole sentences if at least half fits, else words and "…"."""
    text = " ".join(text.split())
    if len(text) <= limit:
        return text
    kept = ""
    for sentence in sentences(text):
        longer = f"{kept} {sentence}".strip()
        if len(longer) > limit:
            break
        kept = longer
    if len(kept) >= limit / 2:
        return kept
    return cut_at_word(text, limit)


def cut_at_word(text: str, limit: int) -> str:
    """At most `limit` characters, cut between words and marked with "…"; never empty."""
    text = " ".join(text.split())
    if len(text) <= limit:
        return text
    head = text[: limit - 1]
    if not text[limit - 1].isspace() and " " in head:
        head = head.rsplit(" ", 1)[0]
    return head.rstrip(' ,;:–—-([«“"') + ELLIPSIS
