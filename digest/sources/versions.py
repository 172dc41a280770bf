"""How entries become one article: a teaser and its full text, copies, and a document that changed."""

import html
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import combinations

from digest.language.text import words
from digest.model import DateSource, Entry, KnownDate

OPENING_WORDS = 8
"""Words of the text in the key that a teaser and its full text share."""
_TEASER_WORDS = 12
"""A shorter teaser may be the beginning of two texts by chance."""
_SAMPLE_WORDS = 400
_ALIKE = 0.6
"""Share of common word pairs from which a text is a revision of the earlier one."""
_BY_CERTAINTY = (DateSource.STATED, DateSource.TEXT, DateSource.NEIGHBOURS, DateSource.UNKNOWN)


def opening(entry: Entry) -> str | None:
    """A key that a teaser and its full text share; None for a text that is too short."""
    first = _own_words(entry)[:OPENING_WORDS]
    return " ".join(first) if len(first) == OPENING_WORDS else None


def is_teaser_of(teaser: Entry, full: Entry) -> bool:
    """Whether `full` begins with every word of `teaser`, the last one perhaps cut.

    If both are cut or both whole, their titles must agree or one be made by us; two whole texts
    must be the same word for word.
    """
    if teaser.complete:
        return full.complete and _same_text(teaser, full) and _titles_agree(teaser, full)
    if not full.complete and not _titles_agree(teaser, full):
        return False
    begun = _own_words(teaser)
    if len(begun) < _TEASER_WORDS:
        return _same_text(teaser, full) and _same_title(teaser, full)
    return any(_begins_with(one, begun) for one in _beginnings(full, len(begun)))


def join(entries: Sequence[Entry]) -> Entry:
    """One article from all its entries, the same in whatever order they come.

    The body is that of the whole text; the title the listing's own, else the text's own, else a made
    one; everything else is the best that any entry has.

    Raises:
        ValueError: there is no entry.
    """
    ordered = sorted(entries, key=_completeness)
    if not ordered:
        raise ValueError("an article needs at least one entry")
    base = ordered[0]
    headline = _headline(ordered)
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
        published=min((one.published for one in ordered), key=_uncertainty),
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
        for one, other in combinations(bucket, 2):
            first, second = sorted((leader(one), leader(other)))
            if first != second and _same_article(entries[one], entries[other]):
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
    _match_alike(old, new, matched, free)
    return matched


def _match_alike(
    old: Sequence[Entry], new: Sequence[Entry], matched: list[int | None], free: set[int]
) -> None:
    before = {place: _word_pairs(old[place]) for place in sorted(free)}
    alike = [
        (-share, place, position)
        for position, entry in enumerate(new)
        if matched[position] is None
        for pairs in [_word_pairs(entry)]
        for place, others in before.items()
        if (share := _share(pairs, others)) >= _ALIKE
    ]
    for _, place, position in sorted(alike):
        if place in free and matched[position] is None:
            matched[position] = place
            free.discard(place)


def _word_pairs(entry: Entry) -> Counter[tuple[str, str]]:
    found = words(entry.text)[:_SAMPLE_WORDS]
    return Counter(zip(found, [*found[1:], ""], strict=True))


def _share(one: Counter[tuple[str, str]], other: Counter[tuple[str, str]]) -> float:
    """Dice's share of what two counts have in common, 0 to 1."""
    total = one.total() + other.total()
    return 2 * (one & other).total() / total if total else 0.0


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


def _same_article(one: Entry, other: Entry) -> bool:
    return (
        bool(one.guid and one.guid == other.guid)
        or (_same_title(one, other) and _same_text(one, other))
        or is_teaser_of(one, other)
        or is_teaser_of(other, one)
    )


def _same_text(one: Entry, other: Entry) -> bool:
    return words(one.text) == words(other.text)


def _same_title(one: Entry, other: Entry) -> bool:
    return words(one.title) == words(other.title)


def _titles_agree(one: Entry, other: Entry) -> bool:
    return one.title_made or other.title_made or _same_title(one, other)


def _own_words(entry: Entry) -> list[str]:
    """The words of the text after the dateline."""
    found = words(entry.text)
    dateline = words(entry.dateline or "")
    return found[len(dateline) :] if dateline and found[: len(dateline)] == dateline else found


def _beginnings(full: Entry, count: int) -> list[list[str]]:
    """How a teaser of `full` may begin: with the text, or with the title or other lines above it."""
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


def _begins_with(text: list[str], begun: list[str]) -> bool:
    """Whether `text` begins with the words of `begun`, the last of them perhaps cut."""
    last = len(begun) - 1
    return len(text) > last and text[:last] == begun[:last] and text[last].startswith(begun[last])


def _completeness(entry: Entry) -> tuple[object, ...]:
    """Sorts the whole text first, the longest of several, then by place: the same every time."""
    place = (entry.document, entry.line)
    copy = (entry.title_made, entry.title, entry.text, entry.guid or "")
    return not entry.complete, -len(entry.text), *place, *copy


def _headline(ordered: Sequence[Entry]) -> Entry:
    """The entry with the article's title: a listing's own, else the whole text's, else a made one."""
    own = [one for one in ordered if not one.title_made]
    listed = [one for one in own if not one.complete]
    return next(iter(listed or own), ordered[0])


def _with_first_heading(base: Entry, headline: Entry, ordered: Sequence[Entry]) -> Entry:
    """The base; if its title is only the heading of its first part, with that heading in the text."""
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


def _uncertainty(known: KnownDate) -> int:
    return _BY_CERTAINTY.index(known.source)


def _first(ordered: Sequence[Entry], known: Callable[[Entry], str | None]) -> str | None:
    return next((value for one in ordered if (value := known(one)) is not None), None)
