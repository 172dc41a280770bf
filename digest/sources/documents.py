"""The entries of one document, which is either one article or a listing of several items."""

import html
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from digest.language.days import dateline_end, leading_dateline
from digest.language.text import cut_at_word, sentences
from digest.model import Entry
from digest.sources.contacts import split_contact
from digest.sources.lines import (
    TITLE_LIMIT,
    Line,
    as_byline,
    as_dateline,
    ends_sentence,
    is_heading,
    is_label,
    is_prose,
    is_title,
    last_tag,
    split_lines,
    take_glued_byline,
    take_wire_tags,
    without_cut,
    without_ellipsis,
)

_MADE_TITLE = 90
"""Characters of a title made from the first sentence."""
_SENTENCE_SPAN = 2000
_FULL_ITEMS = 3
"""This many titles with one paragraph each are a listing even if no text is cut."""
_TITLE_WORDS = 6
_TEASER_WORDS = 15
_SECTION_WORDS = 3
_SMALL_WORD = re.compile(r"(?<![^\W_])[a-zа-яёäňşžýöüç]{2,}(?![^\W_])")
_Uncut = Callable[[str], str | None]
"""Takes a text without the mark that cuts it; None where it has none."""


@dataclass(slots=True)
class _Draft:
    """What the lines of an item say. `body` has its paragraphs and headings in order."""

    line: int
    title: str | None = None
    body: list[str] = field(default_factory=list)
    complete: bool = True
    dateline: str | None = None
    byline: str | None = None
    contact: str | None = None


@dataclass(frozen=True, slots=True)
class _Paragraph:
    text: str
    heading: bool = False


def read_entries(name: str, text: str) -> list[Entry]:
    """The news items of a document in its order, each complete or a teaser that "[…]" cuts.

    `name` is the document's name in its source. Language and date are still missing.
    """
    lines, contact = split_contact(split_lines(text))
    if not lines:
        return []
    if _is_listing(lines):
        # The items in order.
        reader = _Reader(_mark_of(lines) or without_cut)
        for position, line in enumerate(lines):
            below = lines[position + 1].text if position + 1 < len(lines) else None
            reader.read(line, below)
        drafts = reader.finish()
        if drafts:
            drafts[-1].contact = contact
    else:
        drafts = [_read_article(lines, contact)]
    lowercase = frozenset(_SMALL_WORD.findall(text))
    entries = [_to_entry(name, draft, lowercase) for draft in drafts]
    return [entry for entry in entries if entry is not None]


def _read_article(lines: Sequence[Line], contact: str | None) -> _Draft:
    """One article: its title if it has one, and everything below."""
    draft = _Draft(lines[0].number, contact=contact)
    rest = list(lines)
    while len(rest) > 1 and _is_aside(rest[0].text, rest[1].text, draft):
        del rest[0]
    if len(rest) > 1 and _has_title(rest):
        draft.title = rest[0].text
        del rest[0]
    draft.body = [line.text for line in rest]
    return draft


def _is_aside(text: str, below: str, draft: _Draft) -> bool:
    """A line above the title: a label, a day, a clear byline. Its content goes into the draft."""
    if is_label(text):
        return True
    if draft.dateline is None and (dateline := as_dateline(text)):
        draft.dateline = dateline
        return True
    if draft.byline is None and (byline := as_byline(text, (), bare=False)) and is_title(below):
        draft.byline = byline
        return True
    return False


def _has_title(lines: Sequence[Line]) -> bool:
    """Whether the first line is the title, not a paragraph or the heading of a first part.

    Where parts each end with their own wire tag, the line above each is the heading of that part.
    """
    first = lines[0].text
    if not is_title(first) or leading_dateline(first) or take_wire_tags(first)[1]:
        return False
    if not is_heading(first) or not is_prose(lines[1].text):
        return True
    return not any(
        is_heading(lines[position].text)
        and is_prose(lines[position + 1].text)
        and take_wire_tags(lines[position - 1].text)[1]
        for position in range(2, len(lines) - 1)
    )


def _is_listing(lines: Sequence[Line]) -> bool:
    """Whether titles alternate with texts that "[…]" cuts, or with single paragraphs."""
    return _mark_of(lines) is not None or _is_listing_of_full_items(lines)


def _mark_of(lines: Sequence[Line]) -> _Uncut | None:
    """What removes the mark that cuts the texts here; None if none is cut."""
    cut = [position for position, line in enumerate(lines) if without_cut(line.text) is not None]
    whole = sum(1 for line in lines if without_cut(line.text) is None and _is_text(line.text))
    if len(cut) >= 2 and len(cut) * 3 >= whole:
        return without_cut
    if len(cut) == 1 and (whole <= 1 or not any(_is_text(x.text) for x in lines[cut[0] + 1 :])):
        return without_cut
    dotted = [line for line in lines if _is_text(line.text) and without_ellipsis(line.text)]
    if len(dotted) >= 2 and not cut and len(dotted) * 4 >= 3 * whole:
        return without_ellipsis
    return None


def _is_text(text: str) -> bool:
    return is_prose(text) and text.count(" ") + 1 >= _TEASER_WORDS


def _is_listing_of_full_items(lines: Sequence[Line]) -> bool:
    """Headlines and single paragraphs strictly alternate, with gaps only between items."""
    titles, texts = lines[::2], lines[1::2]
    if len(lines) % 2 or len(titles) < _FULL_ITEMS:
        return False
    if not all(is_title(line.text) for line in titles) or not all(_is_text(x.text) for x in texts):
        return False
    if sum(line.text.count(" ") + 1 for line in titles) < _TITLE_WORDS * len(titles):
        return False
    within = {text.after_gap for text in texts}
    between = {title.after_gap for title in titles[1:]}
    return within == {False} and len(between) == 1


class _Reader:
    """Reads a listing line by line."""

    def __init__(self, uncut: _Uncut) -> None:
        self.uncut = uncut
        self.drafts: list[_Draft] = []
        self.open: _Draft | None = None
        self.day_for_next: str | None = None
        self.days_follow = False

    def read(self, line: Line, below: str | None) -> None:
        text = line.text
        if (uncut := self.uncut(text)) is not None:
            self._take_teaser(line, uncut)
        elif is_label(text):
            return
        elif (day := as_dateline(text)) is not None:
            self._take_day(day)
        elif self.open is None and self.drafts and not take_wire_tags(text)[0]:
            self.drafts[-1].body.append(text)
        elif self._begins_item(text, below):
            self._begin(line, title=text)
        else:
            item = self.open or self._begin(line, title=None)
            item.body.append(text)

    def finish(self) -> list[_Draft]:
        for draft in self.drafts:
            draft.complete = draft.complete and bool(draft.body)
        return [one for one in self.drafts if one.body or not _names_section(one, self.drafts[0])]

    def _take_teaser(self, line: Line, uncut: str) -> None:
        item = self.open or self._begin(line, title=None)
        if uncut:
            item.body.append(uncut)
        item.complete = False
        self.open = None

    def _take_day(self, day: str) -> None:
        if self.open is not None and not self.open.body:
            self.open.dateline = self.open.dateline or day
        elif self.drafts and (self.days_follow or not self._has_days()):
            self.days_follow = True
            self.drafts[-1].dateline = self.drafts[-1].dateline or day
        else:
            self.day_for_next = day

    def _has_days(self) -> bool:
        return self.day_for_next is not None or any(draft.dateline for draft in self.drafts)

    def _begins_item(self, text: str, below: str | None) -> bool:
        if is_title(text):
            return True
        above_teaser = below is not None and self.uncut(below) is not None
        return self.open is None and above_teaser and len(text) <= TITLE_LIMIT

    def _begin(self, line: Line, title: str | None) -> _Draft:
        draft = _Draft(line.number, title=title, dateline=self.day_for_next)
        self.day_for_next = None
        self.drafts.append(draft)
        self.open = draft
        return draft


def _names_section(draft: _Draft, first: _Draft) -> bool:
    """A title without text that heads the listing, or a few words that head a part of it."""
    return draft is first or len((draft.title or "").split()) <= _SECTION_WORDS


def _to_entry(document: str, draft: _Draft, lowercase: Collection[str]) -> Entry | None:
    """The draft as an entry without language and date; None if it is empty.

    `lowercase` are the words that the document writes in small letters somewhere.
    """
    bare, tags = _without_tags(draft)
    lines, byline, dateline = _without_asides(draft, bare, lowercase)
    if not draft.complete and lines:
        lines[0], glued = take_glued_byline(lines[0], lowercase)
        byline = byline or glued
    if not lines and draft.title:
        lines = [draft.title]
    lines = [line for line in lines if line]
    if not lines:
        return None
    # Marks as headings the short paragraphs that are no sentence and have copy or a heading
    # below.
    marked: list[_Paragraph] = []
    below_is_copy = False
    for text in reversed(lines):
        heading = below_is_copy and is_heading(text)
        below_is_copy = heading or is_prose(text) or ends_sentence(text)
        marked.append(_Paragraph(text, heading))
    marked.reverse()
    paragraphs = marked
    lead = next((one.text for one in paragraphs if not one.heading), lines[0])
    return Entry(
        document=document,
        line=draft.line,
        title=draft.title or _made_title(lead),
        title_made=draft.title is None,
        language="",
        lead=lead,
        text="\n\n".join(one.text for one in paragraphs),
        content_html="\n".join(
            f"<{tag}>{html.escape(one.text, quote=False)}</{tag}>"
            for one in paragraphs
            for tag in ["h2" if one.heading else "p"]
        ),
        complete=draft.complete,
        byline=byline,
        dateline=dateline or leading_dateline(lead),
        wire_tag=last_tag(tags),
        contact=draft.contact,
    )


def _made_title(lead: str) -> str:
    """A title from the first sentence, at most _MADE_TITLE characters, cut between words."""
    start = dateline_end(lead)
    copy = lead[start : start + _SENTENCE_SPAN]
    first = next(iter(sentences(copy)), copy)
    bare = first.rstrip(" .") if not first.endswith(("...", "…")) else first
    return cut_at_word(bare or first, _MADE_TITLE)


def _without_tags(draft: _Draft) -> tuple[list[str], list[str]]:
    bare: list[str] = []
    tags: list[str] = []
    for text in draft.body:
        kept, found = take_wire_tags(text)
        tags += found
        if kept:
            bare.append(kept)
    return bare, tags


def _without_asides(
    draft: _Draft, lines: Sequence[str], lowercase: Collection[str]
) -> tuple[list[str], str | None, str | None]:
    """The paragraphs without the lines at either end that only say who, where or when; byline; dateline."""
    byline, dateline = draft.byline, draft.dateline
    kept: list[str] = []
    last = len(lines) - 1
    for position, text in enumerate(lines):
        at_start, at_end = not kept and position < 3, position >= last - 1
        if (at_start or (at_end and kept)) and last > 0:
            beneath_title = at_start and draft.title is not None
            if byline is None and (found := as_byline(text, lowercase, bare=beneath_title)):
                byline = found
                continue
            if dateline is None and (found := as_dateline(text)):
                dateline = found
                continue
        kept.append(text)
    return kept, byline, dateline
