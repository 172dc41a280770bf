"""The lines of a document: prose, title, heading, cut teaser, day, byline or wire tag."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise

from digest.language.days import CAPITAL, PLACE, STARTERS, WEEKDAY, mentions
from digest.language.text import either, word_lists

TITLE_LIMIT = 350
_HEADING_LIMIT = 120
_HEADING_WORDS = 14
_CUT_TAIL, _TAG_TAIL = 80, 130
"""Characters at the end of a text that are searched for the mark of a cut, for a wire tag."""
_NARROWEST, _WIDEST = 50, 100
"""Widths at which copy is broken into lines."""
_FULL_LINE = 0.7
"""A line of at least this share of the width may continue in the next."""

_CUT = re.compile(
    r"\s{0,4}(?:\[\s?(?:…|\.{2,5}|\. \. \.|&hellip;)\s?\]|\(\s?(?:…|\.{3})\s?\))"
    r"\s{0,3}(?:(?:read|continue|learn|see)\s[^.\]]{0,40}|(?:читать|далее|подробнее)[^.\]]{0,30})?"
    r"[\s→»>]{0,4}$",
    re.IGNORECASE,
)

_ELLIPSIS_CUT = re.compile(r"(?<=[^\W_])[,;]?\s?(?:…|\.{3})$")
_LISTS = word_lists("sources/copy.toml")
_LANGUAGES = either(_LISTS["version"]["languages"])

_OTHER_VERSION = re.compile(
    r"[\W_]{0,4}(?:"
    rf"(?:{either(_LISTS['version']['en'])}\s){{0,8}}"
    rf"in\s(?:the\s)?{_LANGUAGES}(?:\slanguage)?(?:\s(?:here|version))?"
    rf"|(?:the\s)?{_LANGUAGES}\s(?:version|version here|text|версия|версии|текст)"
    rf"|(?:{either(_LISTS['version']['ru'])}\s){{0,8}}"
    rf"на\s{_LANGUAGES}(?:\sязыке)?(?:\s(?:здесь|доступ\w{{1,3}}))?"
    rf"|(?:версия|текст|оригинал)\sна\s{_LANGUAGES}(?:\sязыке)?"
    rf"|(?:bu\s)?(?:makala|habar)\s{_LANGUAGES}\s(?:dilinde|dili)"
    r")[\W_]{0,4}",
    re.IGNORECASE,
)

_READ_ON, _LABEL = (
    re.compile(rf"[\W_]{{0,4}}{either(_LISTS['line'][name])}[\W_]{{0,4}}", re.IGNORECASE)
    for name in ("read_on", "labels")
)

_RULE = re.compile(r"[\W_]+")
_CLOSERS = "\"”’»)]'“ "
_SENTENCE_ENDS = (".", "…")
_BREAKS = re.compile(r"[.!?…][\"”’»)\]]?\s")
_BULLET = re.compile(r"(?:[-–—•·*▪●○◦]|\d{1,2}[.)]|[a-zа-я]\))\s")
_NAME = rf"(?:[{CAPITAL}][^\W\d_]{{1,20}}(?:[-’'][{CAPITAL}]?[^\W\d_]{{1,20}})?)"
_INITIAL = rf"(?:[{CAPITAL}]\.\s?)"
_PERSON = rf"{_NAME}(?:\s{_INITIAL}{{0,2}}{_NAME}){{1,2}}|{_INITIAL}{{1,2}}\s?{_NAME}"
_BY = r"(?:(?i:by|written by|text by|text and photos by|story by)\s|(?i:author|автор(?: текста)?|текст)\s?[:–—-]\s?)"
_GLUED_BYLINE = re.compile(rf"(?P<by>{_BY})?(?P<person>{_PERSON})[,.:]?\s{{1,2}}(?={STARTERS}\s)")
_GLUED_BY = re.compile(rf"{_BY}(?P<person>{_NAME}\s{_INITIAL}{{0,2}}{_NAME})\s(?=[{CAPITAL}\"“«])")

_BYLINE = re.compile(
    rf"(?P<by>{_BY})?(?P<person>{_PERSON})(?P<more>(?:,\s|\sи\s|\sand\s)[^.]{{1,60}})?\.?"
)

_NO_NAMES = frozenset(_LISTS["byline"]["no_names"])
_TAG = re.compile(r"(?:^|(?<=[\s.!?…\"”’»)\]]))/{2,5}\s{0,3}([^/\n]{1,100}?)[\s/]{0,4}$")
_DAY_LABEL = re.compile(rf"{either(_LISTS['day']['labels'])}\s?:?\s", re.IGNORECASE)

_BESIDE_DAY = re.compile(
    rf"[\s,.|·–—-]*(?:(?:{PLACE}|{WEEKDAY}"
    r"|\d{1,2}:\d{2}(?::\d{2})?(?:\s?(?i:am|pm|utc|gmt))?|\([^()]{1,30}\)|г\.|года)[\s,.|·–—-]*){0,4}"
)


@dataclass(frozen=True, slots=True)
class Line:
    """A line that is not blank: its number from 1, its text, and whether a gap is above it."""

    number: int
    text: str
    after_gap: bool


def split_lines(text: str) -> list[Line]:
    """The lines of copy, in order, without links to other versions, "Read more" and rules.

    Lines that were wrapped at a column width become paragraphs again.
    """
    lines: list[Line] = []
    gap = False
    raw = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for number, content in enumerate(raw, start=1):
        stripped = " ".join(content.split())
        is_rule = _RULE.fullmatch(stripped[:200]) and not _CUT.search(stripped[-_CUT_TAIL:])
        if not stripped or is_rule:
            gap = True
            continue
        lines.append(Line(number, stripped, gap))
        gap = False
    return [
        line
        for line in _unwrapped(lines)
        if len(line.text) > 120
        or not (_OTHER_VERSION.fullmatch(line.text) or _READ_ON.fullmatch(line.text))
    ]


def without_cut(text: str) -> str | None:
    """The text without the "[…]" that cuts it; None if there is none."""
    tail = text[-_CUT_TAIL:]
    found = _CUT.search(tail)
    if found is None:
        return None
    return (text[: -len(tail)] + tail[: found.start()]).rstrip()


def without_ellipsis(text: str) -> str | None:
    """The same for an ellipsis at the end, which is a cut only if the whole listing uses it so."""
    return text.rstrip("….").rstrip(" ,;") if _ELLIPSIS_CUT.search(text[-8:]) else None


def is_prose(text: str) -> bool:
    """Sentences, not a title: ends like one or with a wire tag, has several, or is long."""
    if len(text) > TITLE_LIMIT or text[0].islower() or _BULLET.match(text):
        return True
    bare = text.rstrip(_CLOSERS)
    if bare.endswith((":", ";", ",")) or take_wire_tags(text)[1]:
        return True
    words = text.count(" ") + 1
    if bare.endswith(_SENTENCE_ENDS):
        return words >= 5
    return words >= 12 and len(_BREAKS.findall(text)) >= 2 and len(text) > 160


def is_title(text: str) -> bool:
    """Fit to be the title of an article."""
    return not is_prose(text) and any(sign.isalpha() for sign in text)


def is_heading(text: str) -> bool:
    """Fit to head a part within an article."""
    return (
        is_title(text)
        and len(text) <= _HEADING_LIMIT
        and text.count(" ") < _HEADING_WORDS
        and text[0] not in "\"“«„'("
        and not text.rstrip(_CLOSERS).endswith("…")
        and "@" not in text
    )


def ends_sentence(text: str) -> bool:
    """Whether a sentence ends where the text does."""
    return text.rstrip(_CLOSERS).endswith((".", "!", "?", "…"))


def is_label(text: str) -> bool:
    """A label above the title without any news: "Press release"."""
    return len(text) <= 60 and _LABEL.fullmatch(text) is not None


def _unwrapped(lines: Sequence[Line]) -> list[Line]:
    """The lines; if copy was wrapped at a column width, its paragraphs."""
    longest = max((len(line.text) for line in lines), default=0)
    runs = [
        (above.text, line.text)
        for above, line in pairwise(lines)
        if not line.after_gap and len(above.text) >= _FULL_LINE * longest
    ]
    run_on = [1 for above, below in runs if below[0].islower() and above[-1] not in ".!?:;"]
    if not _NARROWEST <= longest <= _WIDEST or len(run_on) < 2 or len(run_on) * 3 < len(runs):
        return list(lines)
    together: list[Line] = []
    previous = 0
    for line in lines:
        if together and not line.after_gap and previous >= _FULL_LINE * longest:
            first = together.pop()
            together.append(Line(first.number, f"{first.text} {line.text}", first.after_gap))
        else:
            together.append(line)
        previous = len(line.text)
    return together


def take_wire_tags(text: str) -> tuple[str, list[str]]:
    """The paragraph without the wire tags at its end, and the text of these in order."""
    tags: list[str] = []
    while found := _TAG.search(text[-_TAG_TAIL:]):
        tags.insert(0, found[1].strip(" .").strip())
        cut_at = max(0, len(text) - _TAG_TAIL) + found.start()
        text = text[:cut_at].rstrip()
    return text, [tag for tag in tags if tag]


def as_dateline(text: str) -> str | None:
    """A line with only a day and perhaps a place, without its label; None for any other line."""
    if len(text) > 80:
        return None
    label = _DAY_LABEL.match(text)
    bare = text[label.end() :] if label else text
    days = mentions(bare)
    if len(days) != 1 or bare[:1].islower():
        return None
    day = days[0]
    beside = (bare[: day.start], bare[day.end :])
    if any(not _BESIDE_DAY.fullmatch(part) for part in beside):
        return None
    long = sum(len(re.findall(r"[^\W\d_]{2,}", part)) for part in beside)
    return bare.strip(" .") if long <= 4 else None


def as_byline(text: str, lowercase: Collection[str], *, bare: bool) -> str | None:
    """The name on a line of its own: "By Name", "Автор: Имя", and with `bare` the name alone."""
    if len(text) > 90:
        return None
    found = _BYLINE.fullmatch(text)
    if found is None or not (found["by"] or (bare and not found["more"])):
        return None
    return found["person"] if found["by"] or _is_person(found["person"], lowercase) else None


def take_glued_byline(text: str, lowercase: Collection[str]) -> tuple[str, str | None]:
    """A teaser without the name that runs into its first sentence, and the name.

    `lowercase` are the words that the document also writes in small letters: none of them is a name.
    """
    found = _GLUED_BYLINE.match(text)
    if found is None or not (found["by"] or _is_person(found["person"], lowercase)):
        found = _GLUED_BY.match(text)
        if found is None or not _is_person(found["person"], ()):
            return text, None
    return text[found.end() :], found["person"]


def _is_person(name: str, lowercase: Collection[str]) -> bool:
    parts = [part for part in re.split(r"[\s.]+", name) if len(part) > 1]
    return all(
        part.casefold() not in _NO_NAMES
        and part.casefold() not in lowercase
        and not (part.isupper() and len(part) <= 5)
        and not re.fullmatch(STARTERS, part)
        for part in parts
    )
