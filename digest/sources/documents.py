"""The entries of one document, told apart by its form: an article, or a listing of items."""

import re
from collections.abc import Sequence

from digest.datelines import leading_dateline
from digest.model import Entry
from digest.sources.attribution import as_byline, as_dateline, take_wire_tags
from digest.sources.contacts import split_contact
from digest.sources.drafts import Draft, to_entry
from digest.sources.lines import Line, is_heading, is_label, is_prose, is_title, split_lines
from digest.sources.listings import is_listing, read_listing

_SMALL_WORD = re.compile(r"(?<![^\W_])[a-zа-яёäňşžýöüç]{2,}(?![^\W_])")


def read_entries(name: str, text: str) -> list[Entry]:
    """The news items of a document in its order, each complete or, cut with "[…]", a teaser.

    `name` is the document's name in its source. Language and date are left for others to find.
    A document that holds no copy gives no entry.
    """
    lines, contact = split_contact(split_lines(text))
    if not lines:
        return []
    if is_listing(lines):
        drafts = read_listing(lines)
        if drafts:
            drafts[-1].contact = contact
    else:
        drafts = [_read_article(lines, contact)]
    lowercase = frozenset(_SMALL_WORD.findall(text))
    entries = [to_entry(name, draft, lowercase) for draft in drafts]
    return [entry for entry in entries if entry is not None]


def _read_article(lines: Sequence[Line], contact: str | None) -> Draft:
    """One article: its title if it has one, and everything below."""
    draft = Draft(lines[0].number, contact=contact)
    rest = list(lines)
    while len(rest) > 1 and _is_aside(rest[0].text, rest[1].text, draft):
        del rest[0]
    if len(rest) > 1 and _has_title(rest):
        draft.title = rest[0].text
        del rest[0]
    draft.body = [line.text for line in rest]
    return draft


def _is_aside(text: str, below: str, draft: Draft) -> bool:
    """A line above the title: a label, a day, a byline that says so. The draft takes what it says."""
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
    """Whether the first line is the title, not a paragraph and not the heading of a first part.

    Parts that each end with a wire tag of their own stand side by side: the line above the first
    heads that part only, as the lines above the others do.
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
