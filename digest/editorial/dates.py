"""The day of an article, and how it is known: stated, in the lead, from neighbours, or unknown."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from digest.days import Mention, mentions
from digest.editorial.background import is_background
from digest.model import UNDATED, DateSource, Entry, KnownDate
from digest.prose import paragraphs, sentences
from digest.wordlists import either, word_lists

_LEAD = 3000
"""Characters of the lead that are read for a date."""

_SHORT_LEAD = 25
"""Words below which the lead is only a standfirst, and the next paragraph is read as well."""

_EVENT_DAYS = 14
"""An event that goes on "followed by ... on 4 October" goes on at most so long."""

_NEAR_DAYS = 60
"""A day without its year takes the year of another day of the same text that is so near."""

_GOES_ON, _STOPS = (
    re.compile(
        rf"(?<![^\W_]){either(word_lists('editorial/dates.toml')['between'][name])}(?![^\W_])",
        re.IGNORECASE,
    )
    for name in ("goes_on", "stops")
)


@dataclass(frozen=True, slots=True)
class FoundDay:
    """A day that the copy gives as its own, perhaps without its year, and the words that say so."""

    mention: Mention
    year: int | None
    source: DateSource
    evidence: str

    def known(self) -> KnownDate | None:
        """The date, once its year is known."""
        if self.year is None or (day := self.mention.on(self.year)) is None:
            return None
        return KnownDate(day, self.source, self.evidence)


def find_date(entry: Entry) -> FoundDay | None:
    """The day that the copy itself states; None where it states none.

    A dateline or a wire tag comes first, then the last day of the event in the lead. A day that only
    gives the background (a resolution adopted, a day marked every year, a plan) is no date.
    """
    lead = _lead(entry)
    stated = _stated(entry, lead)
    if stated is not None:
        return stated
    for sentence in sentences(lead):
        found = mentions(sentence)
        event = [one for one in found if not is_background(sentence, one)]
        if event:
            last = _last_of_event(sentence, event)
            year = last.year or _near_year(last, found)
            return FoundDay(last, year, DateSource.TEXT, _evidence(sentence, event[0], last))
    return None


def date_entries(entries: Sequence[Entry]) -> list[KnownDate]:
    """The dates of one document's entries, in their order.

    An entry that brings its date keeps it. A year left out is the one that brings the day nearest to
    the dated entries before and after; it is found among the neighbours only, never invented.
    """
    found = [None if _is_dated(entry) else find_date(entry) for entry in entries]
    dates = [
        entry.published if _is_dated(entry) else (day.known() if day else None) or UNDATED
        for entry, day in zip(entries, found, strict=True)
    ]
    before = _nearest(dates)
    after = _nearest(dates[::-1])[::-1]
    for position, day in enumerate(found):
        if day is None or day.year is not None:
            continue
        anchors = [one for one in (before[position], after[position]) if one is not None]
        if (nearest := _in_nearest_year(day.mention, anchors)) is not None:
            dates[position] = KnownDate(nearest, DateSource.NEIGHBOURS, day.evidence)
    return dates


def _is_dated(entry: Entry) -> bool:
    return entry.published.source is not DateSource.UNKNOWN


def _nearest(dates: Sequence[KnownDate]) -> list[date | None]:
    """For each place the nearest day that is known before it."""
    nearest: list[date | None] = []
    last: date | None = None
    for known in dates:
        nearest.append(last)
        last = known.day or last
    return nearest


def _in_nearest_year(mention: Mention, anchors: Sequence[date]) -> date | None:
    years = {anchor.year + step for anchor in anchors for step in (-1, 0, 1)}
    days = [day for year in sorted(years) if 1 <= year <= 9999 and (day := mention.on(year))]
    if not days:
        return None
    return min(days, key=lambda day: sum(abs((day - anchor).days) for anchor in anchors))


def _stated(entry: Entry, lead: str) -> FoundDay | None:
    """The day of the dateline, else of the wire tag; one lends the other its year."""
    of_place = _first_mention(entry.dateline)
    of_wire = _first_mention(entry.wire_tag)
    if of_place is not None and entry.dateline is not None:
        others = [*([of_wire] if of_wire else []), *mentions(lead)]
        year = of_place.year or _near_year(of_place, others)
        if year is not None or of_wire is None or of_wire.year is None:
            return FoundDay(of_place, year, DateSource.STATED, entry.dateline)
    if of_wire is not None and entry.wire_tag is not None:
        year = of_wire.year or _near_year(of_wire, mentions(lead))
        return FoundDay(of_wire, year, DateSource.STATED, entry.wire_tag)
    return None


def _first_mention(words: str | None) -> Mention | None:
    return next(iter(mentions(words)), None) if words else None


def _lead(entry: Entry) -> str:
    lead = entry.lead[:_LEAD]
    if lead.count(" ") + 1 >= _SHORT_LEAD or mentions(lead):
        return lead
    parts = iter(paragraphs(entry.text))
    for part in parts:
        if part == entry.lead:
            break
    return f"{lead}\n{next(parts, '')[:_LEAD]}".strip()


def _last_of_event(sentence: str, event: Sequence[Mention]) -> Mention:
    """The first day of the event, or a later one on which the same sentence lets it go on."""
    last = event[0]
    for one in event[1:]:
        between = sentence[last.end : one.start]
        if one.year not in (None, last.year) and last.year is not None:
            break
        year = last.year or one.year or 2001
        start, end = last.on(year), one.on(year)
        if start is None or end is None or not 0 < (end - start).days <= _EVENT_DAYS:
            break
        if not _GOES_ON.search(between) or _STOPS.search(between):
            break
        last = one if one.year else _with_year(one, last.year)
    return last


def _with_year(mention: Mention, year: int | None) -> Mention:
    return Mention(mention.start, mention.end, mention.day, mention.month, year, mention.first)


def _near_year(mention: Mention, others: Sequence[Mention]) -> int | None:
    """The year of a fully named day that lies near this one in the calendar."""
    for other in others:
        if other.date is not None:
            near = _in_nearest_year(mention, [other.date])
            if near is not None and abs((near - other.date).days) <= _NEAR_DAYS:
                return near.year
    return None


def _evidence(sentence: str, first: Mention, last: Mention) -> str:
    if first.end >= last.start:
        return sentence[first.start : last.end]
    return f"{sentence[first.start : first.end]} … {sentence[last.start : last.end]}"
