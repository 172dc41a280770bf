"""Entries of one article: a teaser and its full text, copies, and the entries of a changed document."""

import html
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from hashlib import blake2b
from typing import Any

from digest.language.text import words
from digest.model import DateSource, Entry

_OPENING_WORDS = 8
_TEASER_WORDS = 12
"""A shorter teaser may be the beginning of two texts by chance."""
_KEY_WORDS = (32, _TEASER_WORDS - 1)
"""Words of a beginning in a key: many texts begin with the same long name of an organisation."""
_SAMPLE_WORDS = 400
_ALIKE = 0.6
"""Minimum share of common word pairs for a revision of an earlier text."""
_NAMING_WORDS = 2
"""A shorter title names many."""
ORIGINAL = timedelta(days=30)
"""What came in before is not corrected, unless a person says so."""
_AROUND = ("byline", "dateline", "wire_tag", "urgency", "number", "update", "correction", "embargo")
_BY_CERTAINTY = (DateSource.STATED, DateSource.TEXT, DateSource.NEIGHBOURS, DateSource.UNKNOWN)


def keys_of(entry: Entry) -> dict[int, bool]:
    """The keys, signed 64-bit numbers, by which the other entries of its article are found.

    Two entries of one article share a key that is True for one of them or both: a teaser's opening is
    True for the teaser, False for all that may begin with it. So full texts that begin alike are not
    compared.
    """
    text = words(entry.text)
    keys = {
        _key(beginning[:count]): False
        for beginning in _beginnings(entry, _KEY_WORDS[0])
        for count in _KEY_WORDS
        if len(beginning) > count
    }
    start = _own_words(entry)
    if not entry.complete and len(start) >= _TEASER_WORDS:
        keys[_key(start[: next(count for count in _KEY_WORDS if len(start) > count)])] = True
    keys[_key(["text", *([] if len(text) >= _OPENING_WORDS else words(entry.title)), *text])] = True
    if entry.guid:
        keys[_key(["guid", entry.guid])] = True
    title = "" if entry.title_made else entry.title
    return keys | dict.fromkeys(names_of(title, entry.number), amends(entry))


def names_of(title: str | None, number: str | None) -> list[int]:
    """The keys by which a kill or a correction finds what it names: for its title, for its number."""
    title_words = words(title or "")
    keys = [_key(["title", *title_words])] if len(title_words) >= _NAMING_WORDS else []
    return [*keys, *([_key(["number", *words(number)])] if number else [])]


def amends(entry: Entry) -> bool:
    """Whether it says that it corrects or updates an earlier one."""
    return entry.update is not None or entry.correction is not None


def corrects(new: Entry, old: Entry) -> bool:
    """Whether `new` is certainly a correction or a later form of `old`, of the same source."""
    same = {*names_of(new.title, new.number)} & {*names_of(old.title, old.number)}
    days = {new.published.day, old.published.day} - {None}
    if not (amends(new) and same and len(days) < 2 and new.language == old.language):
        return False
    return _alike(_word_pairs(new), _word_pairs(old)) >= _ALIKE


def _key(parts: Sequence[str]) -> int:
    data = "\n".join(parts).encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(data, digest_size=8).digest(), signed=True)


def are_one(one: Entry, other: Entry) -> bool:
    """Whether two entries of one source are the same article."""
    return bool(
        (one.guid and one.guid == other.guid)
        or (_same_title(one, other) and _same_text(one, other))
        or is_teaser_of(one, other)
        or is_teaser_of(other, one)
    )


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

    The body is that of the complete text, of a correction before what it corrects; the title the
    listing's own, else the text's own, else a made one; everything else is the best that any entry has.

    Raises:
        ValueError: there is no entry.
    """
    ordered = sorted(entries, key=_completeness)
    if not ordered:
        raise ValueError("an article needs at least one entry")
    base = ordered[0]
    own = [one for one in ordered if not one.title_made]
    listed = [one for one in own if not one.complete and not amends(base)]
    headline = next(iter(listed or own), base)
    body = _with_first_heading(base, headline, ordered)
    first: dict[str, Any] = {
        name: next((value for one in ordered if (value := getattr(one, name)) is not None), None)
        for name in (*_AROUND, "guid", "url", "picture")
    }
    return replace(
        body,
        title=headline.title,
        title_made=headline.title_made,
        language=next((one.language for one in ordered if one.language), ""),
        published=min(
            (one.published for one in ordered), key=lambda known: _BY_CERTAINTY.index(known.source)
        ),
        **first,
    )


def pair_up(
    entries: Sequence[Entry], keys: Sequence[Mapping[int, bool]] | None = None
) -> list[list[Entry]]:
    """The entries of one source, grouped by article, in their order.

    Groups are in the order of their first entry. `keys` are keys_of each, if they are known.
    """
    copies: dict[Hashable, list[int]] = defaultdict(list)
    for position, entry in enumerate(entries):
        copies[entry.title, entry.text, entry.complete, entry.guid].append(position)
    leaders = {places[0]: places[0] for places in copies.values()}

    def leader(place: int) -> int:
        while leaders[place] != place:
            leaders[place] = place = leaders[leaders[place]]
        return place

    own_keys = {place: keys[place] if keys else keys_of(entries[place]) for place in leaders}
    buckets: dict[int, list[tuple[int, bool]]] = defaultdict(list)
    for place in leaders:
        for key, asks in own_keys[place].items():
            buckets[key].append((place, asks))
    for bucket in buckets.values():
        for i in (place for place, asks in bucket if asks):
            for j, _ in bucket:
                first, second = sorted((leader(i), leader(j)))
                if first != second and are_one(entries[i], entries[j]):
                    leaders[second] = first
    amending = [place for place in leaders if amends(entries[place])]
    for i in sorted(amending, key=lambda place: _form(entries[place])):
        near = {j for key in own_keys[i] for j, _ in buckets[key]}
        originals = {leader(j) for j in near if corrects(entries[i], entries[j])} - {leader(i)}
        if len(originals) == 1:  # of several, none is certain
            first, second = sorted((leader(i), *originals))
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
    if not old:
        return matched
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
                if (share := _alike(pairs, others)) >= _ALIKE:
                    alike.append((-share, place, position))
    for _, place, position in sorted(alike):
        if place in free and matched[position] is None:
            matched[position] = place
            free.discard(place)
    return matched


def _alike(one: Counter[tuple[str, str]], other: Counter[tuple[str, str]]) -> float:
    """Dice's coefficient."""
    total = one.total() + other.total()
    return 2 * (one & other).total() / total if total else 0.0


def _word_pairs(entry: Entry) -> Counter[tuple[str, str]]:
    sample = words(entry.text)[:_SAMPLE_WORDS]
    return Counter(zip(sample, [*sample[1:], ""], strict=True))


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
    enough = 24 * (count + _OPENING_WORDS)
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
    """Sorts the complete text first, the latest form and then the longest of several, then by place:
    always the same."""
    place = (entry.document, entry.line)
    copy = (entry.title_made, entry.title, entry.text, entry.guid or "")
    return not entry.complete, *(-value for value in _form(entry)), -len(entry.text), *place, *copy


def _form(entry: Entry) -> tuple[int, int]:
    """A later form of a text has a higher one: an update its number, then a correction."""
    number = re.search(r"\d{1,9}", entry.update or "")
    return int(number[0]) if number else entry.update is not None, entry.correction is not None


def _with_first_heading(base: Entry, headline: Entry, ordered: Sequence[Entry]) -> Entry:
    """The base, with its title as a heading in the text if it is only that of the first part."""
    above = words(base.title)
    if base.title_made or headline is base or words(headline.title) == above or not base.complete:
        return base
    runs_on = [*above, *words(base.text[:4000])]
    if not any(
        not one.complete and _begins_with(runs_on, _own_words(one)[: len(above) + _OPENING_WORDS])
        for one in ordered
    ):
        return base
    return replace(
        base,
        text=f"{base.title}\n\n{base.text}",
        content_html=f"<h2>{html.escape(base.title, quote=False)}</h2>\n{base.content_html}",
    )
