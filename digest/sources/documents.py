"""The entries of one document, which is one article or a listing of several items."""

import html
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from digest.language.days import dateline_end, leading_dateline, mentions
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
"""This many titles, each with one paragraph, are a listing even if no text is cut."""
_TITLE_WORDS = 6
_TEASER_WORDS = 15
_SECTION_WORDS = 3
_SMALL_WORD = re.compile(r"(?<![^\W_])[a-zа-яёäňşžýöüç]{2,}(?![^\W_])")
_Uncut = Callable[[str], str | None]
"""Returns a text without the mark that cuts it; None if it has none."""


@dataclass(slots=True)
class _Draft:
    """An item as read from its lines. `body` has its paragraphs and headings in order."""

    line: int
    title: str | None = None
    body: list[str] = field(default_factory=list)
    complete: bool = True
    dateline: str | None = None
    byline: str | None = None
    contact: str | None = None


def read_entries(name: str, text: str) -> list[Entry]:
    """The news items of a document in its order, each complete or a teaser that "[…]" cuts.

    `name` is the document's name in its source. Language and date are still missing.
    """
    lines, contact = split_contact(split_lines(text))
    if not lines:
        return []
    uncut = _mark_of(lines)
    if uncut or _is_listing_of_full_items(lines):
        reader = _Reader(uncut or without_cut)
        for position, line in enumerate(lines):
            below = lines[position + 1].text if position + 1 < len(lines) else None
            reader.read(line, below)
        drafts = reader.finish()
        if drafts:
            drafts[-1].contact = contact
    else:
        draft = _Draft(lines[0].number, contact=contact)
        while len(lines) > 1 and _is_aside(lines[0].text, lines[1].text, draft):
            del lines[0]
        if len(lines) > 1 and _has_title(lines):
            draft.title = lines.pop(0).text
        draft.body = [line.text for line in lines]
        drafts = [draft]
    lowercase = frozenset(_SMALL_WORD.findall(text))
    entries = [_to_entry(name, draft, lowercase) for draft in drafts]
    return [entry for entry in entries if entry is not None]


def _is_aside(text: str, below: str, draft: _Draft) -> bool:
    """A line above the title: a label, a day, a clear byline. The draft gets its content."""
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

    If each part ends with its own wire tag, the line above a part is its heading.
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


def _mark_of(lines: Sequence[Line]) -> _Uncut | None:
    """The function that removes the mark that cuts the texts here; None if none is cut."""
    cut = [position for position, line in enumerate(lines) if without_cut(line.text) is not None]
    full = sum(1 for line in lines if without_cut(line.text) is None and _is_text(line.text))
    if len(cut) >= 2 and len(cut) * 3 >= full:
        return without_cut
    if len(cut) == 1 and (full <= 1 or not any(_is_text(x.text) for x in lines[cut[0] + 1 :])):
        return without_cut
    dotted = [line for line in lines if _is_text(line.text) and without_ellipsis(line.text)]
    if len(dotted) >= 2 and not cut and len(dotted) * 4 >= 3 * full:
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
            item = self.open or self._begin(line, title=None)
            if uncut:
                item.body.append(uncut)
            item.complete = False
            self.open = None
        elif is_label(text):
            return
        elif (day := as_dateline(text)) is not None:
            has_days = self.day_for_next is not None or any(one.dateline for one in self.drafts)
            if self.open is not None and not self.open.body:
                self.open.dateline = self.open.dateline or day
            elif self.drafts and (self.days_follow or not has_days):
                self.days_follow = True
                self.drafts[-1].dateline = self.drafts[-1].dateline or day
            else:
                self.day_for_next = day
        elif self.open is None and self.drafts and not take_wire_tags(text)[0]:
            self.drafts[-1].body.append(text)
        elif self._begins_item(text, below):
            self._begin(line, title=text)
        else:
            item = self.open or self._begin(line, title=None)
            item.body.append(text)

    def finish(self) -> list[_Draft]:
        """The items, without titles that only head the listing or, in a few words, a part of it."""
        for draft in self.drafts:
            draft.complete = draft.complete and bool(draft.body)
        return [
            one
            for i, one in enumerate(self.drafts)
            if one.body or (i and len((one.title or "").split()) > _SECTION_WORDS)
        ]

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


def _to_entry(document: str, draft: _Draft, lowercase: Collection[str]) -> Entry | None:
    """The draft as an entry without language and date; None if it is empty.

    `lowercase` are the words that the document has in small letters somewhere.
    """
    bare: list[str] = []
    tags: list[str] = []
    for text in draft.body:
        untagged, of_text = take_wire_tags(text)
        tags += of_text
        if untagged:
            bare.append(untagged)
    # Lines at either end may only say who, where or when.
    byline, dateline = draft.byline, draft.dateline
    lines: list[str] = []
    last = len(bare) - 1
    for position, text in enumerate(bare):
        at_start, at_end = not lines and position < 3, position >= last - 1
        if (at_start or (at_end and lines)) and last > 0:
            beneath_title = at_start and draft.title is not None
            if byline is None and (aside := as_byline(text, lowercase, bare=beneath_title)):
                byline = aside
                continue
            if dateline is None and (aside := as_dateline(text)):
                dateline = aside
                continue
        lines.append(text)
    if not draft.complete and lines:
        lines[0], glued = take_glued_byline(lines[0], lowercase)
        byline = byline or glued
    if not lines and draft.title:
        lines = [draft.title]
    lines = [line for line in lines if line]
    if not lines:
        return None
    # A short paragraph that is no sentence, with copy or a heading below, is a heading.
    tagged: list[tuple[str, str]] = []
    below_is_copy = False
    for text in reversed(lines):
        heading = below_is_copy and is_heading(text)
        below_is_copy = heading or is_prose(text) or ends_sentence(text)
        tagged.append(("h2" if heading else "p", text))
    tagged.reverse()
    lead = next((text for tag, text in tagged if tag == "p"), lines[0])
    title = draft.title
    if not title:
        start = dateline_end(lead)
        copy = lead[start : start + _SENTENCE_SPAN]
        first = next(iter(sentences(copy)), copy)
        bare_first = first.rstrip(" .") if not first.endswith(("...", "…")) else first
        title = cut_at_word(bare_first or first, _MADE_TITLE)
    return Entry(
        document=document,
        line=draft.line,
        title=title,
        title_made=draft.title is None,
        language="",
        lead=lead,
        text="\n\n".join(lines),
        content_html="\n".join(
            f"<{tag}>{html.escape(text, quote=False)}</{tag}>" for tag, text in tagged
        ),
        complete=draft.complete,
        byline=byline,
        dateline=dateline or leading_dateline(lead),
        wire_tag=next(reversed([tag for tag in tags if mentions(tag)] or tags), None),
        contact=draft.contact,
    )
