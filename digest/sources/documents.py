"""The entries of one document, which is one article or a listing of several items."""

import html
import json
import re
from collections.abc import Collection, Sequence
from dataclasses import fields, is_dataclass, replace
from datetime import date, datetime
from itertools import groupby, pairwise
from operator import itemgetter
from typing import Any
from zoneinfo import ZoneInfo

from digest.errors import DocumentError
from digest.language.days import dateline_end, leading_dateline, mentions
from digest.language.text import cut_at_word, sentences, words
from digest.language.words import detect
from digest.model import Cut, CutKind, DateSource, Entry, FoundItem, KnownDate, Picture
from digest.sources.envelope import Envelope, open_envelope
from digest.sources.lines import (
    Line,
    as_byline,
    as_dateline,
    ends_sentence,
    is_heading,
    is_label,
    is_prose,
    is_title,
    marked_page,
    take_glued_byline,
    take_mark,
    take_wire_tags,
)
from digest.sources.markup import read_markup
from digest.sources.splitting import Item, cut_mark, split_documents, split_listing

_UTC = ZoneInfo("UTC")
_MADE_TITLE = 90
"""Characters of a title made from the first sentence."""
_SENTENCE_SPAN = 2000
_SMALL_WORD = re.compile(r"(?<![^\W_])[a-zа-яёäňşžýöüç]{2,}(?![^\W_])")
_HEADINGS = ("heading", "title")
_OF_TWO_MONTHS = re.compile(r"(?<!\d)(0?[1-9]|1[0-2])/(?!0?\1/)(0?[1-9]|1[0-2])/(\d\d|\d{4})(?!\d)")
"""03/04/2026 is of March in one country and of April in another."""
_TAGS = {
    "item": ("li", "ul"),
    "quote": ("p", "blockquote"),
    "pre": ("pre", ""),
    "heading": ("h2", ""),
    "title": ("h2", ""),
}
"""The tag of each kind of block, and the tag around those of one kind; any other is a <p>."""


def read_entries(name: str, document: Sequence[Line], zone: ZoneInfo = _UTC) -> list[Entry]:
    """The news items of a document in its order, each complete or a teaser that "[…]" cuts.

    `name` is the document's name in its source, `zone` the newsroom's. Language and date are still
    missing. What the envelope of the whole document says holds for each item that says nothing else.
    """
    lowercase = frozenset(word for line in document for word in _SMALL_WORD.findall(line.text))
    document = marked_page(document)
    beside = [line.text for line in document if line.block == "beside"]
    whole = open_envelope([line for line in document if line.block != "beside"], zone)
    if whole.kills:
        whole.lines = whole.lines or [Line(document[0].number, whole.kills.words, False)]
    lines = _with_title(whole)
    uncut = cut_mark(lines)
    parts = [Item(lines)] if whole.kills else split_documents(lines, lowercase)
    entries: list[Entry] = []
    cuts = whole.cuts
    for part in parts:
        own = open_envelope(part.lines, zone) if len(parts) > 1 else whole
        first = whole if part is parts[0] else own
        cuts += own.cuts if own is not whole else ()
        lines = _with_title(own)
        beside += part.beside
        for item in [Item(lines)] if own.kills else split_listing(lines, lowercase, uncut):
            number = item.lines[0].number if item.lines else 0
            _take_title(item)
            beside += item.beside
            entry = _to_entry(name, number, item, lowercase)
            if entry is None:
                continue
            if beside:
                cuts += (Cut(CutKind.FURNITURE, "\n".join(beside)),)
            # A day that the copy itself states in full is nearer to the news than that of a header.
            is_stated = any(day.date for day in mentions(entry.dateline or ""))
            sent = None if is_stated else own.dateline or whole.dateline
            entries.append(
                replace(
                    entry,
                    dateline=sent or entry.dateline,
                    byline=entry.byline or own.byline or whole.byline,
                    urgency=own.urgency or whole.urgency,
                    number=own.number or whole.number,
                    update=own.update or first.update,
                    correction=first.correction if own.correction is None else own.correction,
                    embargo=own.embargo or whole.embargo,
                    kills=own.kills,
                    cuts=cuts,
                )
            )
            beside, cuts = [], ()
    if entries and (beside or cuts):
        cuts += (Cut(CutKind.FURNITURE, "\n".join(beside)),) if beside else ()
        entries[-1] = replace(entries[-1], cuts=entries[-1].cuts + cuts)
    return entries


def item_bytes(item: FoundItem) -> bytes:
    """The item as the bytes of a document; the same item gives the same bytes. `updated` and `categories` are
    left out: no reader sees them, and what many feeds change at each answer is no news."""

    def plain(value: Any) -> object:  # asdict takes three times as long
        if is_dataclass(value):
            return {one.name: getattr(value, one.name) for one in fields(value)}
        return str(value)

    kept = (one.name for one in fields(item) if one.name not in ("updated", "categories"))
    values = {name: getattr(item, name) for name in kept}
    return json.dumps(values, ensure_ascii=False, default=plain, sort_keys=True).encode()


def item_from(data: bytes) -> FoundItem:
    """The item of item_bytes."""
    values = json.loads(data)
    known, picture = values.pop("published"), values.pop("picture")
    return FoundItem(
        **values,
        published=KnownDate(
            known["day"] and date.fromisoformat(known["day"]),
            DateSource(known["source"]),
            known["evidence"],
            known["time"] and datetime.fromisoformat(known["time"]),
        ),
        picture=picture and Picture(**picture),
    )


def read_item(name: str, item: FoundItem, zone: ZoneInfo = _UTC) -> Entry:
    """The entry of an item: its copy out of its envelope, under the title that its source gives.

    Raises:
        DocumentError: it has neither words nor a title, or its HTML is nested too deeply.
    """
    lines = read_markup(name, f"<body>{item.html}") if item.html.strip() else []
    opened = open_envelope(lines, zone)
    copy, title = opened.lines, item.title
    if copy and words(copy[0].text) == words(title):
        del copy[0]
    uncut = cut_mark(copy)
    cut = bool(uncut and copy and uncut(copy[-1].text))
    if uncut and cut:
        copy[-1] = replace(copy[-1], text=uncut(copy[-1].text) or "", html="")
    shown = Item(copy or [Line(1, title, after_gap=False)], complete=item.complete and not cut)
    entry = _to_entry(name, 1, replace(shown, title=title or None), frozenset())
    if entry is None:
        raise DocumentError(name, "has no words")
    dateline = opened.dateline or entry.dateline
    if dateline and _OF_TWO_MONTHS.search(
        dateline
    ):  # who writes it is not known, as with our own copy
        dateline = None
    return replace(
        entry,
        # What a feed or a page says of its language is often that of its template.
        language=detect(entry.text) or item.language or "",
        byline=item.author or entry.byline or opened.byline,
        dateline=dateline,
        urgency=opened.urgency,
        number=opened.number,
        update=opened.update,
        correction=opened.correction,
        embargo=opened.embargo,
        kills=opened.kills,
        cuts=opened.cuts,
        picture=item.picture,
        published=item.published,
        guid=item.key,
        url=item.url,
    )


def _with_title(envelope: Envelope) -> list[Line]:
    """The copy, below the title that a header gives."""
    if envelope.title is None:
        return envelope.lines
    return [replace(envelope.title, block="title"), *envelope.lines]


def _take_title(item: Item) -> None:
    """Takes the lines above the copy: labels, a day, a clear byline, the title."""
    lines = item.lines
    blocks = (line.block for line in lines if line.block == "title" or is_prose(line.text))
    is_headed = next(blocks, "") == "title"
    while len(lines) > 1 and lines[0].block != "title":
        text = lines[0].text
        if item.dateline is None and (dateline := as_dateline(text)):
            item.dateline = dateline
        elif item.byline is None and is_title(lines[1].text) and as_byline(text, (), bare=False):
            item.byline = as_byline(text, (), bare=False)
        elif is_label(text) or (is_headed and not is_prose(text)):
            item.beside.append(text)
        else:
            break
        del lines[0]
    if lines and (lines[0].block == "title" or (len(lines) > 1 and _has_title(lines))):
        item.title = lines.pop(0).text


def _has_title(lines: Sequence[Line]) -> bool:
    """Whether the first line is the title, not a paragraph or the heading of a first part.

    If each part ends with its own wire tag, the line above a part is its heading.
    """
    first = lines[0].text
    spoken, below = take_mark(first)[1], lines[1]
    if is_prose(first) and is_title(spoken) and below.after_gap and not take_mark(below.text)[0]:
        # A title that quotes a dialogue.
        return first != spoken and not ends_sentence(first)
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


def _to_entry(document: str, number: int, item: Item, lowercase: Collection[str]) -> Entry | None:
    """The item as an entry without language and date; None if it is empty.

    `lowercase` are the words that the document has in small letters somewhere.
    """
    bare: list[Line] = []
    tags: list[str] = []
    for line in item.lines:
        untagged, of_text = take_wire_tags(line.text)
        tags += of_text
        if untagged:
            bare.append(replace(line, text=untagged, html="") if of_text else line)
    # Lines at either end may only say who, where or when.
    byline, dateline = item.byline, item.dateline
    lines: list[Line] = []
    last = len(bare) - 1
    # Several days, each with copy below, are a chronology.
    days = [as_dateline(line.text) for line in bare]
    one_day = sum(bool(day) and below is None for day, below in pairwise(days)) < 2
    for position, line in enumerate(bare):
        at_start, at_end = not lines and position < 3, position >= last - 1
        if (at_start or (at_end and lines)) and last > 0:
            beneath_title = at_start and item.title is not None
            if byline is None and (aside := as_byline(line.text, lowercase, bare=beneath_title)):
                byline = aside
                continue
            if dateline is None and one_day and (aside := days[position]):
                dateline = aside
                continue
        lines.append(line)
    if not item.complete and lines:
        text, glued = take_glued_byline(lines[0].text, lowercase)
        if glued:
            byline = byline or glued
            lines[0] = replace(lines[0], text=text, html="")
    if not lines and item.title:
        lines = [Line(number, item.title, after_gap=False)]
    lines = [line for line in lines if line.text]
    if not lines:
        return None
    # A short paragraph that is no sentence, with copy or a heading below, is a heading.
    blocks: list[str] = []
    below_is_copy = False
    in_blocks = any(line.after_gap for line in lines[1:])
    for line in reversed(lines):
        # A line within a block is one of a poem.
        alone = line.after_gap or not in_blocks or line is lines[0]
        heading = below_is_copy and alone and is_heading(line.text)
        below_is_copy = heading or is_prose(line.text) or ends_sentence(line.text)
        blocks.append(line.block or ("heading" if heading else ""))
    blocks.reverse()
    lead = next(
        (line.text for line, block in zip(lines, blocks, strict=True) if block not in _HEADINGS),
        lines[0].text,
    )
    title = item.title
    if not title:
        start = dateline_end(lead)
        copy = lead[start : start + _SENTENCE_SPAN]
        sentence = next(iter(sentences(copy)), copy)
        is_cut = sentence.endswith(("...", "…"))
        title = cut_at_word((not is_cut and sentence.rstrip(" .")) or sentence, _MADE_TITLE)
    return Entry(
        document=document,
        line=number,
        title=title,
        title_made=item.title is None,
        language="",
        lead=lead,
        text="\n\n".join(line.text for line in lines),
        content_html=_to_html(lines, blocks),
        complete=item.complete,
        byline=byline,
        dateline=dateline or leading_dateline(lead),
        wire_tag=next(reversed([tag for tag in tags if mentions(tag)] or tags), None),
    )


def _to_html(lines: Sequence[Line], blocks: Sequence[str]) -> str:
    """The paragraphs as HTML, those of one list or quote together."""
    parts: list[str] = []
    for block, pairs in groupby(zip(blocks, lines, strict=True), key=itemgetter(0)):
        tag, around = _TAGS.get(block, ("p", ""))
        group = [line for _, line in pairs]
        if block == "item" and group[0].text.startswith("1. "):
            around = "ol"
        inner = [line.html or html.escape(line.text, quote=False) for line in group]
        # A table brings its own tags.
        inner = [one if one.startswith("<table") else f"<{tag}>{one}</{tag}>" for one in inner]
        parts += [f"<{around}>", *inner, f"</{around}>"] if around else inner
    return "\n".join(parts)
