"""The language and day of each entry; a day is stated, in the lead, from neighbours, or unknown."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

from digest.language.days import WEEKDAY, Mention, mentions
from digest.language.text import either, paragraphs, sentences, word_lists
from digest.language.words import detect
from digest.model import UNDATED, DateSource, Entry, KnownDate

_LISTS = word_lists("sources/dates.toml")
_LEAD = 3000
"""Characters of the lead that are searched for a date."""
_SHORT_LEAD = 25
"""A lead of fewer words is a standfirst: the next paragraph is searched too."""
_EVENT_DAYS = 14
"""Days that an event may continue ("followed by ... on 4 October")."""
_NEAR_DAYS = 60
"""A day without a year takes the year of another day in the text, at most this many days away."""

_GOES_ON, _STOPS = (
    re.compile(rf"(?<![^\W_]){either(_LISTS['between'][name])}(?![^\W_])", re.IGNORECASE)
    for name in ("goes_on", "stops")
)

_REACH = 90
"""Characters on either side of a day that are searched for words about it."""
_OLDEST = 1995
"""Anything before this year is history, not news."""
_END = r"(?![^\W_])"
_BEFORE = either(word for words in _LISTS["before"].values() for word in words)

_JUST_BEFORE = re.compile(
    rf"(?<![^\W_]){_BEFORE}(?:\s(?:the|on|{WEEKDAY}),?)?\s{{0,2}}$", re.IGNORECASE
)

_PARTICIPLE = re.compile(
    rf"(?<![^\W_]){either(_LISTS['decided']['things'])}"
    rf"(?:\s[^,;.]{{1,50}}?)?,?\s{either((*_LISTS['decided']['how'], 'agreed'))}"
    r"(?:\s(?:by|in|at|during)\s[^,;.]{1,60}?)?,?\s(?:on|of)\s(?:the\s|\w{3,6}day,?\s)?$",
    re.IGNORECASE,
)

_PASSIVE = re.compile(
    r"(?<![^\W_])(?:was|were|is|are|been|being)\s(?:\w{1,15}ly\s)?\w{3,14}(?:ed|t|n)\s[^,;.]{0,70}$"
)

_RELATIVE = re.compile(
    r"(?<![^\W_])(?:which|that|who)\s(?:(?:was|were|had been|has been)\s)?(?:\w{1,15}ly\s)?"
    rf"{either((*_LISTS['decided']['how'], 'entered into force'))}(?:\s[^,;.]{{1,60}})?\son\s$",
    re.IGNORECASE,
)

_PARTICIPLE_RU = re.compile(
    rf"(?<![^\W_]){either(_LISTS['decided']['how_ru'])}\w{{2,3}}(?:\s[^,;.]{{1,60}}?)?\s(?:с\s)?$",
    re.IGNORECASE,
)

_RELATIVE_RU = re.compile(
    r"(?<![^\W_])котор\w{2,3}\s(?:был\w?\s)?(?:принят|утвержд|подписан|учрежд|создан|вступил|введен|введён)"
    r"[^,;.]{0,60}$",
    re.IGNORECASE,
)

_NUMBERED = re.compile(
    r"(?:№\s?[\w/-]{1,15}|(?<![^\W_])no\.?\s?\d[\w/-]{0,12}|(?<![^\W_])resolution\s[\w/-]{1,15}|резолюци\w\s[\w/-]{1,15})"
    r"\s(?:of|от|dated)\s$",
    re.IGNORECASE,
)

_EVERY_YEAR = re.compile(
    r"(?<![^\W_])(?:every|each)\s(?:single\s)?year|(?<![^\W_])annually"
    + _END
    + r"|(?<![^\W_])(?:ежегодно|каждый год|каждого года)|her ýyl",
    re.IGNORECASE,
)

_OBSERVED = re.compile(
    r"(?<![^\W_])(?:is|are)\s(?:\w{1,15}ly\s)?(?:marked|celebrated|observed|commemorated|held)"
    + _END
    + r"|(?<![^\W_])(?:отмечает(?:ся)?|отмечают(?:ся)?|празднует(?:ся)?|празднуют(?:ся)?|bellenilýär)"
    + _END,
    re.IGNORECASE,
)

_INTERNATIONAL_DAY = re.compile(
    r"(?:\bday|\bдня|\bдень|\bдню|\bднём|\bднем)(?:\s[^,;.()]{0,80}?)?,?\s?(?:on|[(–—-]|—)?\s?$",
    re.IGNORECASE,
)

_WILL = re.compile(rf"(?<![^\W_]){either(_LISTS['verbs']['ahead'])}{_END}", re.IGNORECASE)
_PAST = re.compile(rf"(?<![^\W_]){either(_LISTS['verbs']['past'])}{_END}", re.IGNORECASE)
_BE_DONE = re.compile(r"(?<![^\W_])be\s\w{3,15}", re.IGNORECASE)
_SUBORDINATE = re.compile(
    rf"(?<![^\W_])(?:which|that|what|who|что|котор\w{{2,3}}){_END}", re.IGNORECASE
)

_CLAUSE = re.compile(r"[;:]|,\s(?:and|but|а|но|и)\s")
_OPENS_SPAN = re.compile(r"(?:from|с|со)\s[^,;.]{1,30}(?:until|till|до)\s$", re.IGNORECASE)
"""As in "from 5 May until 10 May": the word joins the two ends of a span."""


@dataclass(frozen=True, slots=True)
class FoundDay:
    """The day that the copy states, perhaps without a year, and the words that state it."""

    mention: Mention
    year: int | None
    source: DateSource
    evidence: str

    def known(self) -> KnownDate | None:
        """The date; None without a year."""
        if self.year is None or (day := self.mention.on(self.year)) is None:
            return None
        return KnownDate(day, self.source, self.evidence)


def read_copy(entries: Sequence[Entry]) -> list[Entry]:
    """The entries of one document in its order, each with its language and its date.

    Both stay if the source gave them.
    """
    dated = []
    for entry, published in zip(entries, date_entries(entries), strict=True):
        # The text has more words; the title counts only if the text does not decide.
        language = entry.language or detect(entry.text) or detect(f"{entry.title}\n{entry.text}")
        dated.append(replace(entry, language=language, published=published))
    return dated


def date_entries(entries: Sequence[Entry]) -> list[KnownDate]:
    """The dates of one document's entries, in their order.

    An entry that has a date keeps it. A missing year puts the day nearest to the dated entries before
    and after; without such neighbours the date stays unknown.
    """
    dates: list[KnownDate] = []
    days: list[FoundDay | None] = []
    for entry in entries:
        if entry.published.source is DateSource.UNKNOWN:
            day = find_date(entry)
            dates.append((day.known() if day else None) or UNDATED)
        else:
            day = None
            dates.append(entry.published)
        days.append(day)
    before = _nearest(dates)
    after = _nearest(dates[::-1])[::-1]
    for position, day in enumerate(days):
        if day is None or day.year is not None:
            continue
        anchors = [one for one in (before[position], after[position]) if one is not None]
        if (nearest := _in_nearest_year(day.mention, anchors)) is not None:
            dates[position] = KnownDate(nearest, DateSource.NEIGHBOURS, day.evidence)
    return dates


def _nearest(dates: Sequence[KnownDate]) -> list[date | None]:
    """For each position the last known day before it."""
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


def find_date(entry: Entry) -> FoundDay | None:
    """The day that the copy states; None if it states none.

    A dateline or a wire tag comes first, and each may have the year of the other; then the last day of
    the event in the lead. Background (a resolution adopted, a yearly observance, a plan) does not
    count.
    """
    lead = entry.lead[:_LEAD]
    if lead.count(" ") + 1 < _SHORT_LEAD and not mentions(lead):
        parts = iter(paragraphs(entry.text))
        for part in parts:
            if part == entry.lead:
                break
        lead = f"{lead}\n{next(parts, '')[:_LEAD]}".strip()
    of_place = next(iter(mentions(entry.dateline or "")), None)
    of_wire = next(iter(mentions(entry.wire_tag or "")), None)
    if of_place is not None and entry.dateline is not None:
        others = [*([of_wire] if of_wire else []), *mentions(lead)]
        year = of_place.year or _near_year(of_place, others)
        if year is not None or of_wire is None or of_wire.year is None:
            return FoundDay(of_place, year, DateSource.STATED, entry.dateline)
    if of_wire is not None and entry.wire_tag is not None:
        year = of_wire.year or _near_year(of_wire, mentions(lead))
        return FoundDay(of_wire, year, DateSource.STATED, entry.wire_tag)
    for sentence in sentences(lead):
        named = mentions(sentence)
        event = [one for one in named if not _is_background(sentence, one)]
        if event:
            first, last = event[0], _last_of_event(sentence, event)
            evidence = sentence[first.start : last.end]
            if first.end < last.start:
                words = (sentence[one.start : one.end] for one in (first, last))
                evidence = " … ".join(words)
            year = last.year or _near_year(last, named)
            return FoundDay(last, year, DateSource.TEXT, evidence)
    return None


def _last_of_event(sentence: str, event: Sequence[Mention]) -> Mention:
    """The first day of the event, or a later one if the sentence extends it."""
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
        last = one if one.year else replace(one, year=last.year)
    return last


def _near_year(mention: Mention, others: Sequence[Mention]) -> int | None:
    """The year of a day with a year that is near this one in the calendar."""
    for other in others:
        if other.date is not None:
            near = _in_nearest_year(mention, [other.date])
            if near is not None and abs((near - other.date).days) <= _NEAR_DAYS:
                return near.year
    return None


def _is_background(sentence: str, mention: Mention) -> bool:
    """Whether the day is, by its sentence, not that of the news: history, yearly or in the future."""
    before = sentence[max(0, mention.start - _REACH) : mention.start]
    after = sentence[mention.end : mention.end + _REACH]
    if mention.year is not None and mention.year < _OLDEST:
        return True
    if _JUST_BEFORE.search(before) or _NUMBERED.search(before):
        return not _OPENS_SPAN.search(before)
    if mention.year is None:
        near = sentence[max(0, mention.start - 2 * _REACH) : mention.end + _REACH]
        if _INTERNATIONAL_DAY.search(before) or _EVERY_YEAR.search(near) or _OBSERVED.search(near):
            return True
    # Something "adopted on" the day, in passing: a participle without a verb, or a relative clause.
    if _PARTICIPLE.search(before) and not _PASSIVE.search(before):
        return True
    if any(one.search(before) for one in (_RELATIVE, _PARTICIPLE_RU, _RELATIVE_RU)):
        return True
    # A plan: the clause is about the future, and no past verb says that the day has come.
    clause = _CLAUSE.split(before)[-1]
    if plan := _WILL.search(clause):
        return not _PAST.search(_BE_DONE.sub("", clause[plan.start() :]))
    plan = _WILL.search(_CLAUSE.split(after)[0])
    if plan is None or _PAST.search(clause):
        return False
    between = after[: plan.start()]
    return not _PAST.search(between) and not _SUBORDINATE.search(between)
