"""How entries become one article: a teaser and its full text, copies, and a document that changed."""

import html
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import combinations

from digest.language.text import words
from digest.model import DateSource, Entry, KnownDate

OPENING_WORDS = 8
"""Words of the text that make the key by which a teaser and its full text find each other."""

_TEASER_WORDS = 12
"""A teaser shorter than this could open two texts by chance."""

_SAMPLE_WORDS = 400

_ALIKE = 0.6
"""Share of common word pairs above which a text is the earlier one, revised."""

_SURENESS = (DateSource.STATED, DateSource.TEXT, DateSource.NEIGHBOURS, DateSource.UNKNOWN)


def opening(entry: Entry) -> str | None:
    """A key that a teaser and its full text share; None for a text too short to tell by."""
    first = _own_words(entry)[:OPENING_WORDS]
    return " ".join(first) if len(first) == OPENING_WORDS else None


def is_teaser_of(teaser: Entry, full: Entry) -> bool:
    """Whether `full` tells on what `teaser` begins: every word of it, the last one perhaps cut.

    Of two texts that are both cut, or both whole, one is the other's only under the same title, or
    where one has none of its own; and two whole ones only if they are the same to the word.
    """
    if teaser.complete:
        return full.complete and _same_text(teaser, full) and _titles_agree(teaser, full)
    if not full.complete and not _titles_agree(teaser, full):
        return False
    begun = _own_words(teaser)
    if len(begun) < _TEASER_WORDS:
        return _same_text(teaser, full) and _same_title(teaser, full)
    return any(_begins_with(told, begun) for told in _tellings(full, len(begun)))


def join(entries: Sequence[Entry]) -> Entry:
    """One article out of all the entries that tell it, the same in whatever order they come.

    The body is that of the whole text; the title the listing's own, else the text's own, else a made
    one; everything else is the best that any of them knows.

    Raises:
        ValueError: there is no entry.
    """
    ordered = sorted(entries, key=_completeness)
    if not ordered:
        raise ValueError("an article is told by at least one entry")
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
        published=_best_date(ordered),
    )


def pair_up(entries: Sequence[Entry]) -> list[list[Entry]]:
    """The entries of one source in groups that each tell one article.

    Groups stand in the order of their first entry, and so do the entries within a group.
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
            if first != second and _tell_the_same(entries[one], entries[other]):
                leaders[second] = first
    groups: dict[int, list[int]] = defaultdict(list)
    for places in copies.values():
        groups[leader(places[0])] += places
    return [[entries[place] for place in sorted(groups[first])] for first in sorted(groups)]


def match_entries(old: Sequence[Entry], new: Sequence[Entry]) -> list[int | None]:
    """For each entry of a document that changed, the place in `old` of what it was before, or None.

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
    """Places of entries that may tell the same: each pair that does is together in some bucket."""
    buckets: dict[Hashable, list[int]] = defaultdict(list)
    for position, entry in entries.items():
        keys: set[Hashable] = {(tuple(words(entry.title)), tuple(words(entry.text)))}
        for told in _tellings(entry, OPENING_WORDS):
            if len(told) >= OPENING_WORDS:
                keys.add(tuple(told[:OPENING_WORDS]))
        if entry.guid:
            keys.add(("guid", entry.guid))
        for key in keys:
            buckets[key].append(position)
    return (bucket for bucket in buckets.values() if len(bucket) > 1)


def _tell_the_same(one: Entry, other: Entry) -> bool:
    if one.guid and one.guid == other.guid:
        return True
    if _same_title(one, other) and _same_text(one, other):
        return True
    return is_teaser_of(one, other) or is_teaser_of(other, one)


def _same_text(one: Entry, other: Entry) -> bool:
    return words(one.text) == words(other.text)


def _same_title(one: Entry, other: Entry) -> bool:
    return words(one.title) == words(other.title)


def _titles_agree(one: Entry, other: Entry) -> bool:
    return one.title_made or other.title_made or _same_title(one, other)


def _own_words(entry: Entry) -> list[str]:
    """The words of the text from where the dateline ends."""
    found = words(entry.text)
    dateline = words(entry.dateline or "")
    return found[len(dateline) :] if dateline and found[: len(dateline)] == dateline else found


def _tellings(full: Entry, count: int) -> list[list[str]]:
    """How a teaser may begin that was cut from `full`: with the text, or with what stands above it."""
    enough = 24 * (count + OPENING_WORDS)
    text = words(full.text[: max(enough, 4000)])
    own = _own_words(full) if full.dateline else text
    title, byline, dateline = (
        words(full.title),
        words(full.byline or ""),
        words(full.dateline or ""),
    )
    tellings = [text, own, [*title, *text], [*dateline, *own], [*byline, *own]]
    return [
        *tellings,
        [*title, *byline, *text],
        [*title, *dateline, *own],
        [*byline, *dateline, *own],
    ]


def _begins_with(told: Sequence[str], begun: Sequence[str]) -> bool:
    if len(told) < len(begun):
        return False
    sure = len(begun) - 1
    return list(told[:sure]) == list(begun[:sure]) and told[sure].startswith(begun[sure])


def _completeness(entry: Entry) -> tuple[object, ...]:
    """Sorts the whole text first, the longest of several, then by place: the same every time."""
    return (
        not entry.complete,
        -len(entry.text),
        entry.document,
        entry.line,
        entry.title_made,
        entry.title,
        entry.text,
        entry.guid or "",
    )


def _headline(ordered: Sequence[Entry]) -> Entry:
    """The entry whose title the article takes: a listing's own, else the whole text's, else made."""
    own = [one for one in ordered if not one.title_made]
    listed = [one for one in own if not one.complete]
    return next(iter(listed or own), ordered[0])


def _with_first_heading(base: Entry, headline: Entry, ordered: Sequence[Entry]) -> Entry:
    """The base; where its title turns out to head only its first part, with that heading above it."""
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


def _best_date(ordered: Sequence[Entry]) -> KnownDate:
    return min((one.published for one in ordered), key=lambda known: _SURENESS.index(known.source))


def _first(ordered: Sequence[Entry], known: Callable[[Entry], str | None]) -> str | None:
    return next((value for one in ordered if (value := known(one)) is not None), None)
