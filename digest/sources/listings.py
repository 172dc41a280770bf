"""A listing: title and teaser, again and again; the items as drafts."""

from collections.abc import Callable, Sequence

from digest.sources.attribution import as_dateline, take_wire_tags
from digest.sources.drafts import Draft
from digest.sources.lines import (
    TITLE_LIMIT,
    Line,
    is_label,
    is_prose,
    is_title,
    without_cut,
    without_ellipsis,
)

_FULL_ITEMS = 3
"""So many titles, each with one paragraph, make a listing even if no text is cut."""

_TITLE_WORDS = 6
_TEASER_WORDS = 15
_SECTION_WORDS = 3

Uncut = Callable[[str], str | None]


def is_listing(lines: Sequence[Line]) -> bool:
    """Whether the document's form is that of a listing: texts cut with "[…]", in turns with titles."""
    return _mark_of(lines) is not None or _is_listing_of_full_items(lines)


def read_listing(lines: Sequence[Line]) -> list[Draft]:
    """The items in order. A title without a text of its own is an item of which no more is known."""
    reader = _Reader(_mark_of(lines) or without_cut)
    for position, line in enumerate(lines):
        below = lines[position + 1].text if position + 1 < len(lines) else None
        reader.read(line, below)
    return reader.finish()


def _mark_of(lines: Sequence[Line]) -> Uncut | None:
    """How texts are cut here; None if they are not."""
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
    """Titles and single paragraphs strictly in turns, parted as items, with headlines for titles."""
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
    """Takes the lines of a listing one by one."""

    def __init__(self, uncut: Uncut) -> None:
        self.uncut = uncut
        self.drafts: list[Draft] = []
        self.open: Draft | None = None
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

    def finish(self) -> list[Draft]:
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

    def _begin(self, line: Line, title: str | None) -> Draft:
        draft = Draft(line.number, title=title, dateline=self.day_for_next)
        self.day_for_next = None
        self.drafts.append(draft)
        self.open = draft
        return draft


def _names_section(draft: Draft, first: Draft) -> bool:
    """A title without text that only heads the listing, or a few words that head a part of it."""
    return draft is first or len((draft.title or "").split()) <= _SECTION_WORDS
