"""Where the items of a document begin: it holds one article, several documents, or a listing.

The form of each line is one letter (see `form_of`; C is prose that is cut, U a rule under a title): the
rules read their string.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from digest.language.days import leading_dateline, mentions
from digest.language.words import detect
from digest.sources.lines import (
    ROUNDUP,
    SECTION,
    TITLE_LIMIT,
    Line,
    as_byline,
    as_dateline,
    form_of,
    is_heading,
    is_prose,
    take_mark,
    without_cut,
    without_ellipsis,
)

Uncut = Callable[[str], str | None]
"""Returns a text without the mark that cuts it; None if it has none."""
_PART_WORDS = 3
"""A title of no more words, without text of its own, heads a part of a listing."""
_ITEM_WORDS, _HEADLINE_WORDS = 3, 6
"""Words of a title on average: of an item that a sign shows, of one that its form alone shows."""
_FULL_ITEMS = 3
"""This many titles, each with its text, are a listing without a sign."""
_TEASER_WORDS, _FOREIGN_WORDS = 15, 8
_INTRODUCTION = 200
"""Characters of a sentence that introduces a listing."""
_TITLED = re.compile(r"[LDBWSVR]*(T)[DLBSUV]{0,3}T?[PC]")
_SIGNS = {
    "plain": re.compile("T[DLBSU]{0,3}[PC]"),
    "mark": re.compile("T(?=([DLBSU]{0,3}[PC]|T))"),
    "day below": re.compile("T[LBSU]{0,3}D[LBS]{0,3}[PC]"),
    "day above": re.compile("(?<=D)T[DLBSU]{0,3}[PC]"),
    "day after": re.compile("TB?[PC][PCRW]{0,99}D(?=T|$)"),
    "underlined": re.compile("TU[DLB]{0,3}[PC]"),
}
"""What shows in the forms that a title opens an item."""
_RUN_IN = re.compile(
    r"(?P<title>[^.!?…:]{8,120}?)(?:\s?[(\[|,–—-]\s?(?P<day>(?=\D{0,12}\d)\w[\w\s.,/-]{4,28}\w)"
    r"(?:[)\]]\s?[:.|–—-]?|\s?[:.|–—-])|[.:])\s(?P<text>[^\Wa-zа-яё].+|[\"«“].+)"
)
"""An item of one paragraph: "• Title (day): text", "• Title. Text"."""
_PARTS = ("number", "letter", "roman", "bullet")
"""Marks that parts of one article have, too."""
_CYRILLIC = re.compile(r"[\u0400-\u052f]+")
_LATIN = re.compile("[A-Za-zÀ-ɏ]+")
_SLASH = re.compile(r"\s[/|]\s")
_OWN_LETTERS = re.compile("[À-ɏЂ-Џђ-џҐ-ӿ]")
"""Letters beyond those of English and Russian."""
_WORD = re.compile(r"[^\W\d_]{2,}")
_SAMPLE = 80
"""Characters of a line that show its script."""


@dataclass(slots=True)
class Item:
    """The lines of one item and what its form says; `beside` are lines that are no copy."""

    lines: list[Line]
    complete: bool = True
    title: str | None = None
    dateline: str | None = None
    byline: str | None = None
    beside: list[str] = field(default_factory=list)


class _Shape:
    """The lines of a document, their forms, and the marks in front of them."""

    def __init__(self, lines: Sequence[Line], lowercase: Collection[str], uncut: Uncut | None):
        self.lines, self.uncut = lines, uncut
        self.marks = [take_mark(line.text) for line in lines]
        forms = [form_of(line) for line in lines]
        if uncut:
            cut = {i for i, line in enumerate(lines) if forms[i] != "V" and uncut(line.text)}
            forms = ["C" if i in cut else form for i, form in enumerate(forms)]
        for i, line in enumerate(lines[1:], start=1):
            if forms[i - 1] == forms[i] == "T" and as_byline(line.text, lowercase, bare=True):
                forms[i] = "B"
            # A title may be a sentence where its mark sets it apart.
            elif forms[i - 1] == forms[i] == "P" and self.marks[i - 1][0] and not self.marks[i][0]:
                forms[i - 1] = "T" if len(lines[i - 1].text) <= TITLE_LIMIT else "P"
            elif forms[i - 1] + forms[i] == "TS" and not line.after_gap:
                forms[i] = "U"
        self.forms = "".join(forms)
        # A teaser without a full stop.
        if len(re.findall("(?<=[TDB])TR", self.forms)) == self.forms.count("R") > 1:
            self.forms = re.sub("(?<=[TDB])TR", "PR", self.forms)

    def words(self, position: int) -> int:
        """The words of a line without its mark."""
        return self.marks[position][1].count(" ") + 1

    def is_datelined(self, position: int) -> bool:
        return bool(mentions(leading_dateline(self.lines[position].text) or ""))

    def opens_article(self, start: int, end: int) -> bool:
        """Whether the lines from `start` read as an article: a title and its text, or a dateline."""
        titled = _TITLED.match(self.forms, start, end)
        if titled:
            title, words = self.lines[titled.start(1)], self.words(titled.start(1))
            if words >= (_HEADLINE_WORDS if SECTION.match(title.text) else _ITEM_WORDS):
                return True
        first = next((i for i in range(start, end) if self.forms[i] in "PC"), None)
        return first is not None and self.is_datelined(first)

    def item(self, start: int, end: int, *, is_listed: bool) -> Item:
        """The lines as one item, without the marks of a listing and of cuts."""
        item = Item([])
        for i in range(start, end):
            line, form, (mark, unmarked, day) = self.lines[i], self.forms[i], self.marks[i]
            text = line.text
            if i == start and form in ("TP" if is_listed else "T" if day else ""):
                text, item.dateline = unmarked, day
                if form == "P" and not day and mark and (parts := _run_in(text)):
                    item.lines.append(replace(line, text=parts["title"], block="title", html=""))
                    text, item.dateline = parts["text"], parts["day"]
            if form == "C" and self.uncut:
                text = self.uncut(text) or text
            item.complete &= form != "C" and not (form == "R" and is_listed)
            if form in "RV":
                item.beside.append(text)
            elif form not in "SU":
                same = text == line.text
                item.lines.append(line if same else replace(line, text=text, html=""))
        if is_listed and self.forms[start] == "T":
            item.lines[0] = replace(item.lines[0], block="title")
        return item


def cut_mark(lines: Sequence[Line]) -> Uncut | None:
    """The function that removes the mark that cuts the texts here; None if none is cut."""
    forms = "".join(map(form_of, lines))
    texts = [line.text for line, form in zip(lines, forms, strict=True) if form != "R"]
    cut = [position for position, text in enumerate(texts) if without_cut(text) is not None]
    full = [text for text in texts if without_cut(text) is None and _is_text(text)]
    if len(cut) >= 2 and len(cut) * 3 >= len(full):
        return without_cut
    if len(cut) == 1 and (len(full) <= 1 or not any(map(_is_text, texts[cut[0] + 1 :]))):
        return without_cut
    dotted = [text for text in full if without_ellipsis(text)]
    if len(dotted) >= 2 and not cut and len(dotted) * 4 >= 3 * len(full):
        return without_ellipsis
    ends = forms.count("R")
    return without_cut if ends >= 2 and len(re.findall("R[DLSW]*T", forms)) >= ends - 1 else None


def _is_text(text: str) -> bool:
    return is_prose(text) and text.count(" ") + 1 >= _TEASER_WORDS


def _run_in(text: str) -> re.Match[str] | None:
    """The title, the day and the text of an item that is one paragraph."""
    found = _RUN_IN.fullmatch(text)
    holds = found and is_heading(found["title"]) and is_prose(text)
    return found if found and holds and (not found["day"] or as_dateline(found["day"])) else None


def split_documents(lines: Sequence[Line], lowercase: Collection[str]) -> list[Item]:
    """The documents of one file, which separators or their languages keep apart; mostly one."""
    shape = _Shape(lines, lowercase, None)
    starts = _separated(shape)
    if len(starts) < 2:
        starts = _in_other_languages(shape)
    if len(starts) < 2:
        return [Item([*part]) for part in (lines and _interleaved(lines, lowercase)) or [lines]]
    parts = [
        part
        for start, end in pairwise((*starts, len(lines)))
        for part in split_documents(lines[start:end], lowercase)
    ]
    parts[0].beside[:0] = [line.text for line in lines[: starts[0]]]
    return parts


def _separated(shape: _Shape) -> list[int]:
    """The starts of the parts between separators that read as articles; others continue one."""
    starts = [0, *(i + 1 for i, form in enumerate(shape.forms) if form == "S")]
    bounds = pairwise((*starts, len(shape.forms)))
    articles = [start for start, end in bounds if shape.opens_article(start, end)]
    return articles if articles and "P" not in shape.forms[: articles[0]] else []


def _in_other_languages(shape: _Shape) -> list[int]:
    """The starts of articles in another language than the one above.

    A run without a title of its own is a quotation, and so is one after which the copy goes on.
    """
    tongues = _tongues(shape)
    changes = [i for i in range(1, len(tongues)) if tongues[i] != tongues[i - 1]]
    if not changes:
        return []
    runs = [
        (
            start,
            sum(shape.words(i) for i in range(start, end) if shape.forms[i] == "P"),
            _TITLED.match(shape.forms, start, end) or shape.opens_article(start, end),
        )
        for start, end in pairwise((0, *changes, len(tongues)))
    ]
    starts: list[int] = []
    tongue = ""
    for (start, words, titled), (_, below, titled_below) in pairwise((*runs, (0, 0, None))):
        goes_on = 2 * below >= words and not titled_below
        is_article = words >= _FOREIGN_WORDS and titled and not goes_on
        if tongues[start] != tongue and (is_article if starts else words):
            starts.append(start if starts else 0)
            tongue = tongues[start]
    return starts


def _interleaved(lines: Sequence[Line], lowercase: Collection[str]) -> list[Sequence[Line]]:
    """The lines of each language where the paragraphs of two alternate, each with its own title."""
    halves = _SLASH.split(lines[0].text)
    titles = [replace(lines[0], text=half, html="") for half in halves if len(halves) == 2]
    parts: dict[str, list[Line]] = defaultdict(list)
    script = ""
    for line in [*(titles or lines[:1]), *lines[1:]]:
        script = _script(line.text) or script
        parts[script].append(line)
    shapes = [_Shape(part, lowercase, None) for part in parts.values() if len(parts) == 2]
    copy = [[x.text for x in one.lines if is_prose(x.text)] for one in shapes]
    # A quotation in another language is no version of the text.
    prose = sorted(sum(len(x) for x in own if x[0] not in '"“„«') for own in copy)
    alike = len(prose) == 2 and 2 * prose[0] >= prose[1]
    return [one.lines for one in shapes if alike and all(_TITLED.match(x.forms) for x in shapes)]


def _script(text: str) -> str:
    """That of most letters of a line; "" if it has none."""
    cyrillic, latin = (
        len("".join(letters.findall(text[:_SAMPLE]))) for letters in (_CYRILLIC, _LATIN)
    )
    return "cyrillic" if cyrillic > latin else "latin" if latin else ""


def _tongues(shape: _Shape) -> list[str]:
    """The script of each line, and its language where letters of its own show one.

    A title goes with the text below if it can, as does a line without letters.
    """
    tongues: list[str] = []
    below = ""
    for line, form in zip(reversed(shape.lines), reversed(shape.forms), strict=True):
        script = _script(line.text)
        if script and (form == "P" or not below.startswith(script)):
            own = form == "P" and _OWN_LETTERS.search(line.text) is not None
            language = (detect(line.text) or "other") if own else ""
            below = script + language.replace("ru", "").replace("en", "")
        tongues.append(below)
    return tongues[::-1]


def split_listing(
    lines: Sequence[Line], lowercase: Collection[str], uncut: Uncut | None
) -> list[Item]:
    """The items of a listing in its order; one item if the document is an article."""
    shape = _Shape(lines, lowercase, uncut)
    forms = shape.forms
    starts = _listed(shape)
    if uncut and len(starts) < len(re.findall("CR?|R", forms)) > 1:
        starts = _teasers(shape)
    if not starts:
        return [shape.item(0, len(lines), is_listed=False)]
    days_follow = "D" not in forms[: starts[0]] and _SIGNS["day after"].match(forms, starts[0])
    above_title = "TL" if days_follow else "TLD"
    items: list[Item] = []
    beside: list[str] = []
    day, above = None, 0
    for start, end in pairwise((*starts, len(lines))):
        # What is directly above the next title belongs to it, or heads the items below.
        text = next((i for i in range(start, end) if forms[i] in "PC"), end)
        while end < len(lines) and end - 1 > (text if forms[end - 1] == "T" else start):
            if forms[end - 1] not in above_title:
                break
            end -= 1
        for line, form in zip(lines[above:start], forms[above:start], strict=True):
            if form == "D":
                day = as_dateline(line.text)
            else:
                beside.append(line.text)
        above = end
        item = shape.item(start, end, is_listed=True)
        if len(item.lines) == 1 and forms[start] == "T":
            item.complete = False
            if not shape.marks[start][0] and (not items or shape.words(start) <= _PART_WORDS):
                beside.append(lines[start].text)
                continue
        if "D" not in forms[start:end]:
            item.dateline = item.dateline or day
        item.beside[:0] = beside
        beside = []
        items.append(item)
    if not items:
        return [shape.item(0, len(lines), is_listed=False)]
    items[-1].beside += beside
    return items


def _teasers(shape: _Shape) -> list[int]:
    """The starts of items that end where their text is cut, and of full ones between them."""
    starts: list[int] = []
    is_open = False
    for position, form in enumerate(shape.forms):
        if form == "T" or (not is_open and (form == "C" or (form == "P" and not starts))):
            starts.append(position)
        is_open = form not in "CR" and (is_open or form in "TP")
    return starts


def _listed(shape: _Shape) -> list[int]:
    """The starts of items that all show the same sign: a mark, a day, a dateline, a form."""
    ranked = sorted(_signs(shape).items(), key=lambda one: (one[0] == "plain", -len(one[1])))
    for sign, starts in ranked:
        if len(starts) > 1 and _holds(shape, sign, starts):
            return starts
    # Items of one paragraph or headline each, all with a dateline or the same mark.
    text = [i for i, form in enumerate(shape.forms) if form in "TPC"]
    datelined = [] if "T" in shape.forms else [i for i in text if shape.is_datelined(i)]
    if len(datelined) > 1 and datelined[0] == text[0]:
        return datelined
    marks = [shape.marks[i][0] for i in text]
    first = next((n for n, mark in enumerate(marks) if mark), len(marks))
    headed = first == 1 and ROUNDUP.search(shape.lines[text[0]].text)
    dated = first == 0 and marks[:1] in (["day"], ["time"])
    same = len(marks) - first > 1 and len(set(marks[first:])) == 1
    # Without a heading, titles and texts in one paragraph each show a listing, too.
    parts = [_run_in(shape.marks[i][1]) for i in text] if same and first == 0 else [None]
    full = all(parts) and (len(text) >= _FULL_ITEMS or all(part and part["day"] for part in parts))
    return text[first:] if same and (headed or dated or full) else []


def _signs(shape: _Shape) -> dict[str, list[int]]:
    """The titles above text by what shows that they open items."""
    signs: dict[str, list[int]] = defaultdict(list)
    for sign, form in _SIGNS.items():
        for found in form.finditer(shape.forms):
            position, below = found.start(), found.end(found.lastindex or 0) - 1
            mark = shape.marks[position][0]
            if sign == "mark" and mark and shape.marks[below][0] != mark:
                signs[mark].append(position)
            elif sign == "plain" and shape.is_datelined(below):
                signs["dateline"].append(position)
            if sign == "plain" and shape.lines[position].block == "title":
                signs["title"].append(position)
            if sign != "mark":
                signs[sign].append(position)
    plain = signs.pop("plain", [])
    return signs | {"block" if _in_blocks(shape, plain) else "plain": plain}


def _holds(shape: _Shape, sign: str, starts: Sequence[int]) -> bool:
    """Whether these titles open items of a listing, not parts of one article."""
    titles = [shape.marks[position][1] for position in starts]
    words = sum(map(shape.words, starts)) / len(starts)
    above = list(zip(shape.lines[: starts[0]], shape.forms, strict=False))
    heads = [line.text for line, form in above if form == "T"]
    prose = [line.text for line, form in above if form in "PC"]
    headed = (
        any(ROUNDUP.search(x) and len(_WORD.findall(x)) <= _HEADLINE_WORDS for x in heads)
        or prose != []
    )
    if words < _ITEM_WORDS or len(heads) > 2 or not all(map(ROUNDUP.search, prose)):
        return False
    if sum(map(len, prose)) > _INTRODUCTION or 2 * sum("?" in x[-2:] for x in titles) > len(titles):
        return False
    if sign == "number":
        numbers = [int(re.findall(r"\d{1,3}", shape.lines[i].text)[0]) for i in starts]
        if any(two != one + 1 for one, two in pairwise(numbers)):
            return False
    if headed or sign == "plain" or any(map(SECTION.match, heads)):
        return headed
    if sign == "block":
        is_dated = "D" in shape.forms[: starts[0]]
        return len(starts) >= _FULL_ITEMS and (is_dated or (words >= _HEADLINE_WORDS and not heads))
    return not heads or sign not in _PARTS or words >= _HEADLINE_WORDS


def _in_blocks(shape: _Shape, starts: Sequence[int]) -> bool:
    """All titles look alike, have their text directly below, and gaps are only between items."""
    between = {shape.lines[position].after_gap for position in starts[1:]}
    below = {shape.lines[position + 1].after_gap for position in starts}
    inside = shape.forms[min(starts, default=0) :]
    alike = len({shape.marks[i][0] for i in starts}) == 1 and inside.count("T") == len(starts)
    return below == {False} and alike and between == {True}
