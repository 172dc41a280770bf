"""The language and day of each entry; a day is stated, in the lead, from neighbours, or unknown."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import accumulate

from digest.language.clauses import event_days
from digest.language.days import Mention, dateline_end, mentions
from digest.language.text import paragraphs, plain, sentences
from digest.language.words import detect, name_language
from digest.model import UNDATED, DateSource, Entry, KnownDate
from digest.sources.lines import as_dateline

_LEAD = 3000
"""Characters of the lead that are searched for a date."""
_SHORT_LEAD = 25
"""A lead of fewer words is a standfirst: the next paragraph is searched too."""
_OPENING = 40
"""Below a standfirst only a day among these first characters is that of the news."""
_EVENT_DAYS = 14
"""Days that an event may continue ("followed by ... on 4 October")."""
_NEAR_DAYS = 60
"""A day without a year takes the year of another day in the text, at most this many days away."""
_OLDEST = 1995
"""Anything before this year is history, not news."""
_QUOTED = re.compile('«[^«»]{1,600}»|"[^"]{1,600}"|“[^“”]{1,600}”|„[^„“”]{1,600}[“”]')
_BRACKETS = str.maketrans("[]", "()")


@dataclass(frozen=True, slots=True)
class FoundDay:
    """The day that the copy states, perhaps without a year, and the words that state it."""

    mention: Mention
    year: int | None
    source: DateSource
    words: str

    def known(self, received: date) -> KnownDate:
        """The date; of a span that ends ahead, its first day. Unknown without a year, or contradicted."""
        days = self.mention.days(self.year) if self.year else []
        past = [day for day in days if day <= received]
        if not past or self.mention.is_contradicted(self.words, days):
            return UNDATED
        words, start, end = self.words.translate(_BRACKETS), self.mention.start, self.mention.end
        marked = f"{words[:start]}[{words[start:end]}]{words[end:]}"
        return KnownDate(past[-1], self.source, marked)


def read_copy(entries: Sequence[Entry], received: date) -> list[Entry]:
    """The entries of one document in its order, each with its language and its date.

    Both stay if the source gave them. A missing year puts the day nearest to the dated entries before
    and after; without such neighbours the date stays unknown, as if it is after the day `received`.
    """
    read: list[Entry] = []
    days: list[FoundDay | None] = []
    for one in entries:
        # The text has more words; the title counts only if the text does not decide.
        language = one.language or detect(_QUOTED.sub("", one.text)) or detect(one.text)
        language = language or name_language(f"{one.title}\n{one.text}")
        entry = replace(one, language=language)
        day = find_date(entry) if one.published.source is DateSource.UNKNOWN else None
        days.append(day)
        read.append(replace(entry, published=day.known(received)) if day else entry)
    dates = [entry.published.day for entry in read]
    before = accumulate(dates, _later)
    after = [*accumulate(dates[::-1], _later)][::-1]
    for i, (day, *around) in enumerate(zip(days, before, after, strict=True)):
        anchors = [anchor for anchor in around if anchor is not None]
        if day and day.year is None and (nearest := _in_nearest_year(day.mention, anchors)):
            of_year = replace(day, year=nearest.year, source=DateSource.NEIGHBOURS)
            read[i] = replace(read[i], published=of_year.known(received))
    return read


def _later(known: date | None, day: date | None) -> date | None:
    return day or known


def _in_nearest_year(mention: Mention, anchors: Sequence[date]) -> date | None:
    years = {anchor.year + step for anchor in anchors for step in (-1, 0, 1)}
    days = [day for year in sorted(years) if 1 <= year <= 9999 and (day := mention.on(year))]
    return min(days, key=lambda day: sum(abs((day - one).days) for one in anchors), default=None)


def find_date(entry: Entry) -> FoundDay | None:
    """The day that the copy states; None if it states none.

    A dateline or a wire tag comes first, and each may have the year of the other; then the day of the
    main event in the first sentence.
    """
    whole = plain(entry.lead)
    lead = whole[dateline_end(whole) : _LEAD]
    stated = [
        (words, days[0])
        for words in (plain(entry.dateline or ""), plain(entry.wire_tag or ""))
        if words and (days := mentions(words, dateline=True))
    ]
    for words, day in stated:
        year = day.year or _year_of(day, [*(other for _, other in stated), *mentions(lead)])
        if year is not None or not any(other.year for _, other in stated):
            return FoundDay(day, year, DateSource.STATED, words)
    sentence = _first_sentence(lead)
    named = mentions(sentence)
    if not named and lead.count(" ") + 1 < _SHORT_LEAD and not mentions(lead):
        parts = iter(paragraphs(entry.text))
        below = next((next(parts, "") for part in parts if part == entry.lead), "")
        sentence = _first_sentence(plain(below[:_LEAD]))
        named = [day for day in mentions(sentence) if day.start <= _OPENING]
        named = [] if as_dateline(below) else named
    event = [
        day
        for day in event_days(sentence, named, entry.language or detect(sentence))
        if day.year is None or day.year >= _OLDEST
    ]
    if not event:
        return None
    last = event[0]
    for one in event[1:]:
        year = last.year or one.year or 2001
        start, end = last.on(year), one.on(one.year or year)
        if not start or not end or not 0 < (end - start).days <= _EVENT_DAYS:
            break
        last = replace(one, year=one.year or last.year)
    return FoundDay(last, _year_of(last, named), DateSource.TEXT, sentence)


def _first_sentence(text: str) -> str:
    """Also where "г." of a year ends no sentence, although a capital follows."""
    first = ""
    for sentence in sentences(text):
        first = f"{first} {sentence}".strip()
        if not first.endswith(" г."):
            break
    return first


def _year_of(mention: Mention, others: Sequence[Mention]) -> int | None:
    """Its year, or that of a day with a year that is near it in the calendar."""
    for other in others:
        if mention.year is None and other.date is not None:
            near = _in_nearest_year(mention, [other.date])
            if near is not None and abs((near - other.date).days) <= _NEAR_DAYS:
                return near.year
    return mention.year
