"""Plain text as people read it: folding, words, sentences, and cutting without harm."""

import re
import unicodedata

ELLIPSIS = "…"
NO_BREAK = "\u00a0"

_WORD = re.compile(r"[^\W_]+(?:[’'ʼ-][^\W_]+)*")
_END = re.compile(
    r"(?<![.!?…])[.!?…]++[\"”’»)\]]*+(?=\s+[\"“‘«(\[]?[^\W\d_a-zа-яё]|\s+[\"“‘«(\[]?\d|\s*$)"
)
_SHORTENED = frozenset(
    word
    for group in (
        "mr mrs ms dr prof gen col maj capt lt sgt st no vs inc ltd jr sr etc art fig vol pp p",
        "jan feb mar apr jun jul aug sept sep oct nov dec u.s u.n e.g i.e a.m",
        "гг в вв им ул д п пп т тов гр акад проф ген г-н г-жа млн млрд тыс руб долл ст стр см т.е т.к",
        "янв фев мар апр авг сент окт нояб дек",
    )
    for word in group.split()
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
    """The sentences of one paragraph, each with its own punctuation.

    A point after an initial, a number in a list or a usual abbreviation ends none.
    """
    found: list[str] = []
    start = 0
    length = len(text.rstrip())
    for match in _END.finditer(text):
        before = text[max(start, match.start() - _LONGEST_SHORTENED) : match.start()]
        last = before.rsplit(None, 1)[-1] if before.strip() else ""
        at_end = match.end() >= length
        if match.group().startswith(".") and not at_end and _is_shortened(last):
            continue
        found.append(text[start : match.end()].strip())
        start = match.end()
    if rest := text[start:].strip():
        found.append(rest)
    return found


def _is_shortened(word: str) -> bool:
    bare = fold(word.strip('("“«['))
    if bare in _SHORTENED:
        return True
    initial = re.search(r"(?:^|[.\s])([^\W\d_])$", bare)
    return initial is not None and word[-1:].isupper()


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
