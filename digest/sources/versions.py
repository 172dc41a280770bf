"""Entries of one article: a teaser and its full text, copies, and the entries of a changed document."""

import html
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import combinations

from digest.language.text import words
from digest.model import DateSource, Entry

OPENING_WORDS = 8
"""Words of the text in the key that a teaser and its full text share."""
_TEASER_WORDS = 12
"""A shorter teaser may be the beginning of two texts by chance."""
_SAMPLE_WORDS = 400
_ALIKE = 0.6
"""Minimum share of common word pairs for a revision of an earlier text."""
_BY_CERTAINTY = (DateSource.STATED, DateSource.TEXT, DateSource.NEIGHBOURS, DateSource.UNKNOWN)


def opening(entry: Entry) -> str | None:
    """A key that a teaser and its full text share; None for a text that is too short."""
    first = _own_words(entry)[:OPENING_WORDS]
    return " ".join(first) if len(first) == OPENING_WORDS else None


def is_teaser_of(teaser: Entry, full: Entry) -> bool:
    """Whether `full` begins with every word of `teaser`, the last one perhaps cut.

    If both are cut or both complete, their titles must agree or one must be made by us; two complete
    texts must have the same words.
    """
    if teaser.complete:
        return full.complete and _same_text(teaser, full) and _titles_agree(teaser, full)
    if not full.complete and not _titles_agree(teaser, full):
        return False
    start = _own_words(teaser)
    if len(start) < _TEASER_WORDS:
        return _same_text(teaser, full) and _same_title(teaser, full)
    return any(_begins_with(one, start) for one in _beginnings(full, len(start)))


def join(entries: Sequence[Entry]) -> Entry:
    """One article from all its entries, the same in any order.

    The body is that of the complete text; the title the listing's own, else the text's own, else a
    made one; everything else is the best that any entry has.

    Raises:
        ValueError: there is no entry.
    """
    ordered = sorted(entries, key=_completeness)
    if not ordered:
        raise ValueError("an article needs at least one entry")
    base = ordered[0]
    own = [one for one in ordered if not one.title_made]
    headline = next(iter([one for one in own if not one.complete] or own), base)
    body = _with_first_heading(base, headline, ordered)
    return replace(
        body,
        title=headline.title,
        title_made=headline.title_made,
        language=_first(ordered, lambda one: one.language or None) or "",
        byline=_first(ordered, lambda one: one.byline),
        dateline=_first(ordered, lambda one: one.dateline),
        wire_tag=_first(ordered, lambda one: one.wire_tag),
        contact=_first(ordered, lambda one: one.contact),
        guid=_first(ordered, lambda one: one.guid),
        url=_first(ordered, lambda one: one.url),
        published=min(
            (one.published for one in ordered), key=lambda known: _BY_CERTAINTY.index(known.source)
        ),
    )


def pair_up(entries: Sequence[Entry]) -> list[list[Entry]]:
    """The entries of one source, grouped by article, in their order.

    Groups are in the order of their first entry.
    """
    copies: dict[Hashable, list[int]] = defaultdict(list)
    for position, entry in enumerate(entries):
        copies[entry.title, entry.text, entry.complete, entry.guid].append(position)
    leaders = {places[0]: places[0] for places in copies.values()}

    def leader(place: int) -> int:
        while leaders[place] != place:
            leaders[place] = place = leaders[leaders[place]]
        return place

    for bucket in _buckets({place: entries[place] for place in leaders}):
        for i, j in combinations(bucket, 2):
            first, second = sorted((leader(i), leader(j)))
            one, other = entries[i], entries[j]
            if first != second and (
                (one.guid and one.guid == other.guid)
                or (_same_title(one, other) and _same_text(one, other))
                or is_teaser_of(one, other)
                or is_teaser_of(other, one)
            ):
                leaders[second] = first
    groups: dict[int, list[int]] = defaultdict(list)
    for places in copies.values():
        groups[leader(places[0])] += places
    return [[entries[place] for place in sorted(groups[first])] for first in sorted(groups)]


def match_entries(old: Sequence[Entry], new: Sequence[Entry]) -> list[int | None]:
    """For each entry of a changed document the position of its earlier form in `old`, or None.

    By guid, address, title or text, else by the most similar text; each of `old` is used once.
    """
    matched: list[int | None] = [None] * len(new)
    free = set(range(len(old)))
    keys: tuple[Callable[[Entry], Hashable | None], ...] = (
        lambda entry: entry.guid,
        lambda entry: (tuple(words(entry.title)), tuple(words(entry.text))),
        lambda entry: entry.url,
        lambda entry: None if entry.title_made else tuple(words(entry.title)) or None,
        lambda entry: tuple(words(entry.text)) or None,
    )
    for key in keys:
        places: dict[Hashable, list[int]] = defaultdict(list)
        for place in sorted(free, reverse=True):
            if (value := key(old[place])) is not None:
                places[value].append(place)
        for position, entry in enumerate(new):
            if matched[position] is None and (same := places.get(key(entry))):
                matched[position] = same.pop()
                free.discard(matched[position] or 0)
    before = {place: _word_pairs(old[place]) for place in sorted(free)}
    alike = []
    for position, entry in enumerate(new):
        if matched[position] is None:
            pairs = _word_pairs(entry)
            for place, others in before.items():
                total = pairs.total() + others.total()
                share = 2 * (pairs & others).total() / total if total else 0.0  # Dice's coefficient
                if share >= _ALIKE:
                    alike.append((-share, place, position))
    for _, place, position in sorted(alike):
        if place in free and matched[position] is None:
            matched[position] = place
            free.discard(place)
    return matched


def _word_pairs(entry: Entry) -> Counter[tuple[str, str]]:
    sample = words(entry.text)[:_SAMPLE_WORDS]
    return Counter(zip(sample, [*sample[1:], ""], strict=True))


def _buckets(entries: Mapping[int, Entry]) -> Iterable[list[int]]:
    """Positions of entries that may be one article: each such pair shares a bucket."""
    buckets: dict[Hashable, list[int]] = defaultdict(list)
    for position, entry in entries.items():
        keys: set[Hashable] = {(tuple(words(entry.title)), tuple(words(entry.text)))}
        for beginning in _beginnings(entry, OPENING_WORDS):
            if len(beginning) >= OPENING_WORDS:
                keys.add(tuple(beginning[:OPENING_WORDS]))
        if entry.guid:
            keys.add(("guid", entry.guid))
        for key in keys:
            buckets[key].append(position)
    return (bucket for bucket in buckets.values() if len(bucket) > 1)


def _same_text(one: Entry, other: Entry) -> bool:
    return words(one.text) == words(other.text)


def _same_title(one: Entry, other: Entry) -> bool:
    return words(one.title) == words(other.title)


def _titles_agree(one: Entry, other: Entry) -> bool:
    return one.title_made or other.title_made or _same_title(one, other)


def _own_words(entry: Entry) -> list[str]:
    """The words of the text after the dateline."""
    text, dateline = words(entry.text), words(entry.dateline or "")
    return text[len(dateline) :] if text[: len(dateline)] == dateline else text


def _beginnings(full: Entry, count: int) -> list[list[str]]:
    """Possible beginnings of a teaser: the text, or the title or other lines above it and the text."""
    enough = 24 * (count + OPENING_WORDS)
    text = words(full.text[: max(enough, 4000)])
    own = _own_words(full) if full.dateline else text
    title, byline = words(full.title), words(full.byline or "")
    dateline = words(full.dateline or "")
    return [
        text,
        own,
        [*title, *text],
        [*dateline, *own],
        [*byline, *own],
        [*title, *byline, *text],
        [*title, *dateline, *own],
        [*byline, *dateline, *own],
    ]


def _begins_with(text: list[str], start: list[str]) -> bool:
    """Whether `text` begins with the words of `start`, the last one perhaps cut."""
    last = len(start) - 1
    return len(text) > last and text[:last] == start[:last] and text[last].startswith(start[last])


def _completeness(entry: Entry) -> tuple[object, ...]:
    """Sorts the complete text first, the longest of several, then by place: always the same."""
    place = (entry.document, entry.line)
    copy = (entry.title_made, entry.title, entry.text, entry.guid or "")
    return not entry.complete, -len(entry.text), *place, *copy


def _with_first_heading(base: Entry, headline: Entry, ordered: Sequence[Entry]) -> Entry:
    """The base, with its title as a heading in the text if it is only that of the first part."""
    above = words(base.title)
    if base.title_made or headline is base or words(headline.title) == above or not base.complete:
        return base
    runs_on = [*above, *words(base.text[:4000])]
    if not any(
        not one.complete and _begins_with(runs_on, _own_words(one)[: len(above) + OPENING_WORDS])
        for one in ordered
    ):
        return base
    return replace(
        base,
        text=f"{base.title}\n\n{base.text}",
        content_html=f"<h2>{html.escape(base.title, quote=False)}</h2>\n{base.content_html}",
    )


def _first(ordered: Sequence[Entry], known: Callable[[Entry], str | None]) -> str | None:
    return next((value for one in ordered if (value := known(one)) is not None), None)
