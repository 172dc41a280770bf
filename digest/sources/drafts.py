"""From the lines of one item to an entry: what is title, text, lead, and whose copy it is."""

import html
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from digest.datelines import dateline_end, leading_dateline
from digest.model import Entry
from digest.prose import cut_at_word, sentences
from digest.sources.attribution import (
    as_byline,
    as_dateline,
    last_tag,
    take_glued_byline,
    take_wire_tags,
)
from digest.sources.lines import ends_sentence, is_heading, is_prose

MADE_TITLE = 90
"""Characters of a title that is made from the first sentence."""

_SENTENCE_SPAN = 2000


@dataclass(slots=True)
class Draft:
    """An item as its lines say it, before it becomes an entry.

    `body` holds its paragraphs in order, headings among them. `line` is where the item starts.
    """

    line: int
    title: str | None = None
    body: list[str] = field(default_factory=list)
    complete: bool = True
    dateline: str | None = None
    byline: str | None = None
    contact: str | None = None


@dataclass(frozen=True, slots=True)
class Paragraph:
    text: str
    heading: bool = False


def to_entry(document: str, draft: Draft, lowercase: Collection[str]) -> Entry | None:
    """The draft as an entry, without language and date; None if it says nothing.

    `lowercase` are the words that the document writes small somewhere.
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
    paragraphs = mark_headings(lines)
    lead = next((one.text for one in paragraphs if not one.heading), lines[0])
    return Entry(
        document=document,
        line=draft.line,
        title=draft.title or made_title(lead),
        title_made=draft.title is None,
        language="",
        lead=lead,
        text="\n\n".join(one.text for one in paragraphs),
        content_html=content_html(paragraphs),
        complete=draft.complete,
        byline=byline,
        dateline=dateline or leading_dateline(lead),
        wire_tag=last_tag(tags),
        contact=draft.contact,
    )


def made_title(lead: str) -> str:
    """A title out of the first sentence, at most MADE_TITLE characters, cut between words."""
    start = dateline_end(lead)
    copy = lead[start : start + _SENTENCE_SPAN]
    first = next(iter(sentences(copy)), copy)
    bare = first.rstrip(" .") if not first.endswith(("...", "…")) else first
    return cut_at_word(bare or first, MADE_TITLE)


def content_html(paragraphs: Sequence[Paragraph]) -> str:
    """Escaped paragraphs as <p>, headings as <h2>, a line each."""
    return "\n".join(
        f"<{tag}>{html.escape(one.text, quote=False)}</{tag}>"
        for one in paragraphs
        for tag in ["h2" if one.heading else "p"]
    )


def mark_headings(lines: Sequence[str]) -> list[Paragraph]:
    """Which paragraphs head a part: short, no sentence, and prose or another heading below them."""
    marked: list[Paragraph] = []
    below_is_copy = False
    for text in reversed(lines):
        heading = below_is_copy and is_heading(text)
        below_is_copy = heading or is_prose(text) or ends_sentence(text)
        marked.append(Paragraph(text, heading))
    marked.reverse()
    return marked


def _without_tags(draft: Draft) -> tuple[list[str], list[str]]:
    bare: list[str] = []
    tags: list[str] = []
    for text in draft.body:
        kept, found = take_wire_tags(text)
        tags += found
        if kept:
            bare.append(kept)
    return bare, tags


def _without_asides(
    draft: Draft, lines: Sequence[str], lowercase: Collection[str]
) -> tuple[list[str], str | None, str | None]:
    """The paragraphs without the lines at either end that only say who, where or when."""
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
