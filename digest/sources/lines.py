"""The lines of a document: prose, title, heading, cut teaser, day, byline or wire tag."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise

from digest.language.days import (
    CAPITAL,
    PLACE,
    SETTLEMENT,
    STARTERS,
    WEEKDAY,
    leading_dateline,
    mentions,
)
from digest.language.text import either, word_lists

TITLE_LIMIT = 350
_HEADING_LIMIT = 120
_HEADING_WORDS = 14
_SENTENCE_WORDS = 3
_CUT_TAIL, _TAG_TAIL = 80, 130
"""Characters at the end of a text that are searched for the mark of a cut, for a wire tag."""
_NARROWEST, _WIDEST = 50, 100
"""Widths at which copy is broken into lines."""
_FULL_LINE = 0.7
"""A line of at least this share of the width may continue in the next."""
_FULL_LINE_AND_WORD = 0.9

_LISTS = word_lists("sources/copy.toml")
_READ_ON = _LISTS["line"]["read_on"]
_CUT = re.compile(r"(?:\[\s?(?:…|\.{2,5}|\. \. \.|&hellip;)\s?\]|\(\s?(?:…|\.{3})\s?\))$")
_ELLIPSIS_CUT = re.compile(r"(?<=[^\W_])[,;]?\s?(?:…|\.{3})$")
_LABEL = re.compile(rf"[\W_]{{0,4}}{either(_LISTS['line']['labels'])}[\W_]{{0,4}}", re.IGNORECASE)
_LINK = re.compile(r"\W{0,6}(?:https?://|www\.)\S{1,200}$")
ROUNDUP, SECTION = (
    re.compile(rf"(?<![^\W_]){either(_LISTS['heading'][name])}(?![^\W_])", re.IGNORECASE)
    for name in ("roundups", "sections")
)
"""Within a heading above several items ("News of the week"); at the start of one of a part."""

_MENU, _OPENER, _PAGE, _HOLDS = (
    re.compile(rf"[\W_]{{0,4}}{either(_LISTS['page'][name])}[\W_]{{0,4}}", re.IGNORECASE)
    for name in ("menu", "openers", "lines", "holds")
)
_RULE = re.compile(r"[\W_]+")
_CLOSERS = "\"”’»)]'“ "
_ARROWS = ("»", "»»", ">>", "→", "…", "...")
_SENTENCE_CLOSERS = '.!?…»”"])'
_SENTENCE_ENDS = (".", "…")
_BREAKS = re.compile(r"[.!?…][\"”’»)\]]?\s")
_BULLET = re.compile(r"(?:[-–—•·*▪●○◦]|\d{1,2}[.)]|[a-zа-я]\))\s")
_MARK = re.compile(
    r"(?:(?P<number>[(\[]?\d{1,3}(?:[.)\]](?!\d)|\ufe0f?\u20e3)|(?:№|#|No\.)\s?\d{1,3}[.:)]?(?!\d))"
    r"|(?P<letter>\(?[a-zа-я]\)|[A-ZА-Я]\)|[a-zа-я]\.)|(?P<roman>[IVX]{1,5}[.)])"
    r"|(?P<bullet>[•●○]|(?:[-–—·*‣⁃>+\u2190-\u2bff\U0001f300-\U0001faff]\ufe0f?|\#{1,4})(?=\s)))"
    r"\s{0,3}(?=\S)"
)
_OPENS_DAY = re.compile(
    rf"[\[(]?(?:{WEEKDAY},?\s|[{CAPITAL}][a-zа-я]{{1,2}},\s)?(?=\w{{0,9}}\.?\s?\d)"
)
_TIME = r"\d{1,2}[:.]\d{2}(?::\d{2})?(?!\d)(?:\s?(?i:am|pm|utc|gmt|мск))?"
_OF_DAY = re.compile(
    rf"(?:\s?(?:г\.|года))?(?:[,|]?\s{{1,2}}(?:at\s|в\s)?{_TIME})?\s?[\])]?(?:\s?[-–—|:.])?\s(?=\S)"
)
_MARK_ALONE = re.compile(rf"[\[(]?(?:\d{{1,3}}[.)]|{_TIME})[\])]?")
_LONGEST_MARK = 15
_YEAR = re.compile(r"(?:19|20)\d{2}(?!\d)")
_DAY_LAST = re.compile(r"\s?[(\[|]\s?(?P<day>[\w\s.,/-]{6,30})[)\]]?$")
_AT_TIME = re.compile(rf"[\[(]?(?:{_TIME}|\d{{1,2}}/\d{{2}})[\])]?(?:\s?[-–—|:])?\s(?=\S)")
_NAME = rf"(?:[{CAPITAL}][^\W\d_]{{1,20}}(?:[-’'][{CAPITAL}]?[^\W\d_]{{1,20}})?)"
_INITIAL = rf"(?:[{CAPITAL}]\.\s?)"
_PERSON = rf"{_NAME}(?:\s{_INITIAL}{{0,2}}{_NAME}){{1,2}}|{_INITIAL}{{1,2}}\s?{_NAME}"
_BY = r"(?:(?i:by|written by|text by|text and photos by|story by)\s|(?i:author|автор(?: текста)?|текст)\s?[:–—-]\s?)"
_GLUED_BYLINE = re.compile(rf"(?P<by>{_BY})?(?P<person>{_PERSON})[,.:]?\s{{1,2}}(?={STARTERS}\s)")

_BYLINE = re.compile(
    rf"(?P<by>{_BY})?(?P<person>{_PERSON})(?P<more>(?:,\s|\sи\s|\sand\s)[^.]{{1,60}})?\.?"
)

_NO_NAMES = frozenset(_LISTS["byline"]["no_names"])
_TAG = re.compile(r"(?:^|(?<=[\s.!?…\"”’»)\]]))/{2,5}\s{0,3}([^/\n]{1,100}?)[\s/]{0,4}$")
_DAY_LABEL = re.compile(rf"{either(_LISTS['day']['labels'])}\s?:?\s", re.IGNORECASE)

_BESIDE_DAY = re.compile(
    rf"[\s,.|·–—-]*(?:(?:(?:by\s)?{PLACE}|{WEEKDAY}"
    r"|\d{1,3}\s(?i:min(?:ute)?s?\sread|мин\w{0,4}\.?(?:\sчтения)?)|T?\d{1,2}:\d{2}(?::\d{2})?(?:\.\d{1,6})?(?:\s?(?i:am|pm|utc|gmt|мск|z))?|\([^()]{1,30}\)|г\.|года"
    r"|(?:(?i:utc|gmt|мск)\s?)?[+−-]\d{1,2}(?::?\d{2})?)[\s,.|·–—-]*){0,5}"
)


@dataclass(frozen=True, slots=True)
class Line:
    """A line that is not blank: its number from 1, its text, and whether a gap is above it.

    A format with markup also says what it is: `block` is "title", "heading", "item" (of a list), "row"
    (a whole table), "quote", "pre" or "beside" (a page's own lines around the copy); "" is a paragraph,
    or plain text whose form decides. `html` is the safe inner HTML of the block (of a "row", the table
    itself); "" stands for the escaped text.
    """

    number: int
    text: str
    after_gap: bool
    block: str = ""
    html: str = ""


def split_lines(text: str) -> list[Line]:
    """The lines of plain text in order; `unwrapped` joins those that were wrapped at a width."""
    lines: list[Line] = []
    gap = False
    raw = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for number, content in enumerate(raw, start=1):
        stripped = " ".join(content.split())
        # Between the paragraphs of a quoted mail only its mark is left.
        is_blank = not stripped.strip("> ")
        if not is_blank:
            lines.append(Line(number, stripped, gap))
        gap = is_blank or _is_rule(stripped)
    return lines


def marked_page(lines: Sequence[Line]) -> list[Line]:
    """The lines with a page's menu, and its links and forms below the copy, as block "beside"."""
    forms = "".join(map(form_of, lines))
    first = f"{forms}P".index("P")
    menu = [i for i in range(first) if _MENU.fullmatch(lines[i].text)]
    beside = set(menu if len(menu) > 1 else ())
    for i in range(first + 1, len(lines)):
        text, is_item = lines[i].text, lines[i].block == "item"
        # What has copy or a day below is the title of the next article.
        goes_on = is_item or (forms[i] not in "PDS" and forms[i + 1 : i + 2] not in ("P", "D", "B"))
        follows = i - 1 in beside and (goes_on or _PAGE.fullmatch(text))
        beside |= {i} if follows or _OPENER.fullmatch(text) else set()
    page = [replace(x, block="beside") if i in beside else x for i, x in enumerate(lines)]
    # An embargo holds wherever it is.
    held = (x.block == "beside" and _HOLDS.search(x.text) for x in page)
    return [replace(x, block="") if hold else x for x, hold in zip(page, held, strict=True)]


def form_of(line: Line) -> str:
    """One letter for what a line is by itself.

    T title, P prose, D day, B byline, W wire tag, L label, S separator ("* * *"), R a link to the rest
    ("Read more"), V a link to another version or page.
    """
    if line.block not in ("", "title", "heading", "item"):
        return "P"
    return _form_of(line.text, line.block) if len(line.text) <= TITLE_LIMIT else "P"


@lru_cache(1024)
def _form_of(text: str, block: str) -> str:
    if without_cut(_LINK.sub("", text) or text) == "" or text in _ARROWS:
        return "R"
    if _is_rule(text):
        return "S"
    if block:
        return "P" if block == "item" else "T"
    if len(text) <= 120 and _PAGE.fullmatch(text):
        return "V"
    if is_label(text):
        return "L"
    if as_dateline(text):
        return "D"
    if as_byline(text, (), bare=False):
        return "B"
    if not take_wire_tags(text)[0]:
        return "W"
    unmarked = take_mark(text)[1]
    is_sentence = unmarked.endswith(".") and unmarked.count(" ") + 1 >= _SENTENCE_WORDS
    return "P" if is_sentence or not is_title(unmarked) or leading_dateline(unmarked) else "T"


def _is_rule(text: str) -> bool:
    return not text[0].isalnum() and _RULE.fullmatch(text) is not None


def without_cut(text: str) -> str | None:
    """The text without the "[…]" or "Read more" that cuts it; None if it has neither."""
    rest = text.rstrip(" »→>")
    bare = rest.rstrip(" .…])")
    ending = bare[-_CUT_TAIL:].lower()
    is_link = rest != "" and text[len(rest) : len(rest) + 1] == " "
    if ending.endswith(_READ_ON):
        phrase = max((one for one in _READ_ON if ending.endswith(one)), key=len)
        rest = bare[: -len(phrase)].rstrip(" [(–—-")
        is_link = not rest or rest[-1] in _SENTENCE_CLOSERS
    tail = rest[-_CUT_TAIL:]
    bracket = _CUT.search(tail) if tail.endswith(("]", ")")) else None
    if bracket:
        return (rest[: -len(tail)] + tail[: bracket.start()]).rstrip()
    return (without_ellipsis(rest) or rest) if is_link else None


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


def take_mark(text: str) -> tuple[str, str, str | None]:
    """The kind of mark in front of an item ("" if none), the text without it, and the day in it.

    "1. Title", "• Title", "[22.11.2026] Title", "09:47 Title".
    """
    found = _MARK.match(text)
    kind, rest = (found.lastgroup or "", text[found.end() :]) if found else ("", text)
    last = _DAY_LAST.search(rest[-_CUT_TAIL:])
    if last and as_dateline(last["day"]):
        return kind or "day", rest.removesuffix(last[0]), last["day"].strip()
    opens = _OPENS_DAY.match(rest)
    if opens is None:
        return kind, rest, None
    day = next(iter(mentions(rest[:60])), None)
    if day is not None and day.start == opens.end():
        after = _OF_DAY.match(rest, day.end)
        if after and not rest[after.end()].islower():
            return kind or "day", rest[after.end() :], rest[: after.end()].strip(" []()-–—|:.")
    elif (at := _AT_TIME.match(rest)) and not rest[at.end()].islower():
        return kind or "time", *take_mark(rest[at.end() :])[1:]
    return kind, rest, None


def unwrapped(lines: Sequence[Line]) -> list[Line]:
    """The lines; if copy was wrapped at a column width, its paragraphs. A lone "1." joins its title."""
    longest = max((len(line.text) for line in lines if not _is_rule(line.text)), default=0)
    runs = [
        (above.text, line.text)
        for above, line in pairwise(lines)
        if not line.after_gap and len(above.text) >= _FULL_LINE * longest
    ]
    run_on = [1 for above, below in runs if below[0].islower() and above[-1] not in ".!?:;"]
    wrapped = _NARROWEST <= longest <= _WIDEST and len(run_on) >= max(2, len(runs) / 3)
    wrapped = wrapped and not any(line.block or line.html for line in lines)
    together: list[Line] = []
    previous = 0
    for line in lines:
        above = together[-1].text if together else ""
        # The next word did not fit, or it starts in the middle of a sentence.
        full = previous + len(line.text.split(" ", 1)[0]) >= _FULL_LINE_AND_WORD * longest
        goes_on = wrapped and not line.after_gap and previous >= _FULL_LINE * longest
        goes_on = goes_on and (full or line.text[0].islower()) and not _is_rule(line.text)
        alone = previous <= _LONGEST_MARK and _MARK_ALONE.fullmatch(above)
        # A day that is broken before its year.
        if not line.after_gap and _YEAR.match(line.text) and not above[-1:].isdigit():
            goes_on |= any(day.year for day in mentions(f"{above[-24:]} {line.text[:4]}"))
        if goes_on or (alone and is_title(line.text)):
            first = together.pop()
            together.append(replace(first, text=f"{first.text} {line.text}", html=""))
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
    days = mentions(bare, dateline=True)
    if len(days) != 1 or (bare[:1].islower() and not re.match(SETTLEMENT, bare)):
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
