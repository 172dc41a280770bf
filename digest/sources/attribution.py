"""Whose copy it is, from where and of what day: byline, dateline and wire tag, taken off the copy."""

import re
from collections.abc import Collection

from digest.datelines import CAPITAL, PLACE, STARTERS, WEEKDAY
from digest.days import mentions
from digest.wordlists import either, word_lists

_NAME = rf"(?:[{CAPITAL}][^\W\d_]{{1,20}}(?:[-’'][{CAPITAL}]?[^\W\d_]{{1,20}})?)"
_INITIAL = rf"(?:[{CAPITAL}]\.\s?)"
_PERSON = rf"{_NAME}(?:\s{_INITIAL}{{0,2}}{_NAME}){{1,2}}|{_INITIAL}{{1,2}}\s?{_NAME}"
_BY = r"(?:(?i:by|written by|text by|text and photos by|story by)\s|(?i:author|автор(?: текста)?|текст)\s?[:–—-]\s?)"
_GLUED_BYLINE = re.compile(rf"(?P<by>{_BY})?(?P<person>{_PERSON})[,.:]?\s{{1,2}}(?={STARTERS}\s)")
_GLUED_BY = re.compile(rf"{_BY}(?P<person>{_NAME}\s{_INITIAL}{{0,2}}{_NAME})\s(?=[{CAPITAL}\"“«])")
_BYLINE = re.compile(
    rf"(?P<by>{_BY})?(?P<person>{_PERSON})(?P<more>(?:,\s|\sи\s|\sand\s)[^.]{{1,60}})?\.?"
)
_LISTS = word_lists("sources/copy.toml")
_NO_NAMES = frozenset(_LISTS["byline"]["no_names"])

_TAG = re.compile(r"(?:^|(?<=[\s.!?…\"”’»)\]]))/{2,5}\s{0,3}([^/\n]{1,100}?)[\s/]{0,4}$")
_TAG_TAIL = 130

_DAY_LABEL = re.compile(rf"{either(_LISTS['day']['labels'])}\s?:?\s", re.IGNORECASE)
_BESIDE_DAY = re.compile(
    rf"[\s,.|·–—-]*(?:(?:{PLACE}|{WEEKDAY}"
    r"|\d{1,2}:\d{2}(?::\d{2})?(?:\s?(?i:am|pm|utc|gmt))?|\([^()]{1,30}\)|г\.|года)[\s,.|·–—-]*){0,4}"
)


def take_wire_tags(text: str) -> tuple[str, list[str]]:
    """The paragraph without the wire tags at its end, and their text in order."""
    tags: list[str] = []
    while found := _TAG.search(text[-_TAG_TAIL:]):
        tags.insert(0, found[1].strip(" .").strip())
        cut_at = max(0, len(text) - _TAG_TAIL) + found.start()
        text = text[:cut_at].rstrip()
    return text, [tag for tag in tags if tag]


def last_tag(tags: list[str]) -> str | None:
    """The tag that speaks for the article: the last one with a day, else the last."""
    dated = [tag for tag in tags if mentions(tag)]
    return next(reversed(dated or tags), None)


def as_dateline(text: str) -> str | None:
    """A line that holds nothing but a day and perhaps a place: the line without its label."""
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
    """A teaser without the name that was run into its first sentence, and the name.

    `lowercase` are the words that the document also writes small: none of them is a name.
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
