"""Days and datelines as copy writes them, in English, Russian and Turkmen."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache, partial

from digest.language.text import either, word_lists, words

_LISTS = word_lists("language/languages.toml")
_MONTHS = _LISTS["months"]
_WEEKDAYS = _LISTS["days_of_week"].values()
_FIRST_YEAR, _LAST_YEAR = 1980, 2099
_LONGEST_SPAN = 31
"""Days between two days that "and" or a dash joins to one span, at most."""

_NUMBER_OF = {"май": 5} | {
    word.casefold()[:letters]: number
    for language in ("en", "ru", "tk")
    for number, word in enumerate(_MONTHS[language], start=1)
    for letters in (3, 4)
}

_ENGLISH, _SHORT = (
    either((*_MONTHS[case], *map(str.upper, _MONTHS[case]))) for case in ("en", "en_short")
)

_ENGLISH = rf"(?:{_ENGLISH}|{_SHORT}\.?)(?![^\W_])"
_RUSSIAN = rf"(?i:{either((*_MONTHS['ru'], *_MONTHS['ru_nominative']))}|{either(_MONTHS['ru_short'])}\.?)(?![^\W_])"
_TURKMEN = rf"(?i:{either(_MONTHS['tk'])})[a-zäňşžýöüç]{{0,8}}(?![^\W_])"
MONTH = rf"(?:{_ENGLISH}|{_RUSSIAN}|{_TURKMEN})"

_NUMBER = (
    r"(?:3[01]|[12]\d|0?[1-9])(?!\d)"
    r"(?:\s?(?:st|nd|rd|th)(?![^\W_])|-(?:го|е|ое|ого)(?![^\W_])|-(?:nji|njy|nj[iy]den|nj[iy]ne)(?![^\W_]))?"
)

_DASH = r"[-–—‒−‑]"

_JOIN = (
    rf"\s{{0,2}}(?:{_DASH}|,|&|(?:to|and|through|until|till|и|по|до|we|bilen)(?![^\W_]))"
    r"\s{0,2}(?:(?:and|the|to|и|по)\s)?"
)

_JOIN_AFTER = (
    rf"\s{{0,2}}(?:{_DASH}|&|,?\s?and|(?:to|through|until|till)(?![^\W_]))\s{{0,2}}(?:the\s)?"
)

_YEAR = r"(?:19|20)\d\d(?!\d)(?:\s?(?:года|году|год|гг?\.)|-nj[iy]\sýyl\w{0,4})?"
_YEAR_FIRST = r"(?:(?P<year_first>(?:19|20)\d\d)-nj[iy]\s{1,2}ýyl\w{0,4}\s{1,2})?"

_DAY_MONTH = re.compile(
    rf"(?<![\d/]){_YEAR_FIRST}(?P<days>{_NUMBER}(?:{_JOIN}{_NUMBER}){{0,6}})"
    rf"(?:\s{{1,2}}(?:day\s)?(?:of\s{{1,2}})?|-)(?P<month>{MONTH})"
    rf"(?:,?\s{{0,2}}{_DASH}?(?P<year>{_YEAR})|\s{{1,2}}с\.\s?г\.)?"
)

_MONTH_DAY = re.compile(
    rf"(?<![^\W_])(?P<month>{_ENGLISH})\s{{1,2}}(?:the\s)?"
    rf"(?P<days>{_NUMBER}(?:{_JOIN_AFTER}{_NUMBER}){{0,6}})(?!\s{{1,2}}(?:of\s)?{_ENGLISH})"
    rf"(?:,?\s{{1,2}}(?P<year>{_YEAR}))?"
)

_NUMERIC = re.compile(
    r"(?<![\d./-])(?P<day>\d{1,2})(?P<sign>[./-])(?P<month>\d{1,2})(?P=sign)"
    r"(?P<year>(?:19|20)\d\d|\d\d)(?![\d/]|[.-]\d)"
    r"|(?<![\d-])(?P<iso_year>(?:19|20)\d\d)-(?P<iso_month>\d\d)-(?P<iso_day>\d\d)(?![\d-])"
    r"(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d{1,6})?)?(?:Z|\s?[+-]\d\d:?\d\d)?)?"
)

_NUMBERS = re.compile(r"\d{1,2}")

_SPAN = re.compile(
    rf"\s{{0,3}}(?:{_DASH}|(?:to|through|until|till|and|&|по|до|и|we)(?![^\W_]))\s{{0,3}}(?:the\s)?"
)


@dataclass(frozen=True, slots=True)
class Mention:
    """A day, or the last day of a span, named by `text[start:end]`.

    `year` is None if it is left out; `first` is the (month, day) of the start of the span.
    """

    start: int
    end: int
    day: int
    month: int
    year: int | None
    first: tuple[int, int]

    def on(self, year: int) -> date | None:
        """That day in `year`; None if the calendar has no such day (29 February)."""
        try:
            return date(year, self.month, self.day)
        except ValueError:
            return None

    def days(self, year: int) -> list[date]:
        """The first and the last day of a span that ends in `year`, or the day alone."""
        last, starts = self.on(year), year - (self.first > (self.month, self.day))
        return sorted({date(starts, *self.first), last}) if last else []

    def is_contradicted(self, text: str, days: Sequence[date]) -> bool:
        """Whether `text` names it beside a weekday that is more than one away from those of `days`."""
        beside = {*words(text[: self.start])[-2:], *words(text[self.end :])[:2]}
        named = [number for number, forms in enumerate(_WEEKDAYS) if beside.intersection(forms)]
        near = {(day.weekday() + step) % 7 for day in days for step in (-1, 0, 1)}
        return bool(named) and near.isdisjoint(named)

    @property
    def date(self) -> date | None:
        return self.on(self.year) if self.year is not None else None


def mentions(text: str, *, dateline: bool = False) -> list[Mention]:
    """Every day that `text` names, in order; a span counts as one: "30 October - 3 November 2023".

    Only a dateline may have "22.11.26", "22-11-2026", or "5/6/2026", which may be of two months.
    """
    days: list[Mention] = []
    for pattern in (_DAY_MONTH, _MONTH_DAY, _NUMERIC) if _NUMBERS.search(text) else ():
        read = partial(_read_numeric, dateline=dateline) if pattern is _NUMERIC else _read_words
        days += [
            mention
            for match in pattern.finditer(text)
            if (mention := read(match))
            and (mention.year is None or _FIRST_YEAR <= mention.year <= _LAST_YEAR)
            and mention.on(mention.year or 2000) is not None
        ]
    days.sort(key=lambda mention: (mention.start, -mention.end))
    apart: list[Mention] = []
    for mention in days:
        if apart and mention.start < apart[-1].end:
            continue
        if apart and (span := _as_span(text, apart[-1], mention)):
            apart[-1] = span
        else:
            apart.append(mention)
    return apart


def month_number(word: str) -> int | None:
    """1 to 12 for the name of a month in English, Russian or Turkmen, in any case, even shortened."""
    folded = word.casefold()
    return _NUMBER_OF.get(folded[:4]) or _NUMBER_OF.get(folded[:3])


def _read_words(match: re.Match[str]) -> Mention | None:
    month = month_number(match["month"])
    if month is None:
        return None
    month_first = match.re is _MONTH_DAY
    numbers = list(_NUMBERS.finditer(match["days"]))
    # The days next to the month's name that rise: in "with 20 and 3 May" only the 3.
    days = [int(number.group()) for number in numbers]
    first, last = 0, len(days) - 1
    if month_first:
        last = next((i for i in range(last) if days[i] >= days[i + 1]), last)
    else:
        first = next((i + 1 for i in reversed(range(last)) if days[i] >= days[i + 1]), first)
    year_words = match["year"] or match.groupdict().get("year_first")
    year = int(year_words[:4]) if year_words else None
    start, end = match.start(), match.end()
    if last < len(days) - 1:
        end, year = match.start("days") + numbers[last].end(), None
    if first:
        start = match.start("days") + numbers[first].start()
    return Mention(start, end, days[last], month, year, (month, days[first]))


def _read_numeric(match: re.Match[str], dateline: bool) -> Mention | None:
    if match["iso_year"]:
        day, month, year = int(match["iso_day"]), int(match["iso_month"]), int(match["iso_year"])
    else:
        day, month, year = int(match["day"]), int(match["month"]), int(match["year"])
        either = match["sign"] == "/" and day != month and max(day, month) <= 12
        unclear = year < 100 or match["sign"] == "-" or either
        if unclear and not dateline:
            return None
        year += 2000 * (year < 100)
        if month > 12 >= day:
            day, month = month, day
    return Mention(match.start(), match.end(), day, month, year, (month, day))


def _as_span(text: str, one: Mention, two: Mention) -> Mention | None:
    """Both as one mention, if the text joins them as the first and last day of a span."""
    if two.start - one.end > 12 or not _SPAN.fullmatch(text, one.end, two.start):
        return None
    year = two.year or one.year
    last = two.on(year or 2001)
    month, day = one.first
    first_year = one.year or ((year or 2001) - (month > two.month))
    first = Mention(0, 0, day, month, None, one.first).on(first_year)
    if last is None or first is None or not 0 < (last - first).days <= _LONGEST_SPAN:
        return None
    return Mention(one.start, two.end, two.day, two.month, year, one.first)


CAPITAL = "A-ZА-ЯЁÄÇŇÖŞÜÝŽ"
STARTERS = either(word for words in _LISTS["starters"].values() for word in words)
"""Words that start a sentence, not a name."""
WEEKDAY = f"(?i:{either(day for days in _LISTS['weekdays'].values() for day in days)})"
_WORD = rf"[{CAPITAL}](?:\.[{CAPITAL}]\.|[\w’'-]{{1,30}})"
SETTLEMENT = r"(?:г|с|п|пос|пгт)\.\s?"
"""What Russian writes before the name of a town or village."""
PLACE = rf"(?:{SETTLEMENT}|St\.\s)?{_WORD}(?:[\s/-]\(?{_WORD}\)?){{0,3}}(?:,\s{_WORD})?"
_LONGEST_DATELINE = 160
"""Characters."""
_AGENCY = r"(?:\s?\([^()\n]{1,40}\)|\s?/[^/\n]{1,40}/)"

_BEFORE_DAY = re.compile(
    rf"(?:{PLACE}{_AGENCY}?[,.]\s|[{CAPITAL}]{{4,30}}{_AGENCY}?\s)?(?:{WEEKDAY},?\s)?"
)

_OPENS = re.compile(
    rf"(?:{_BEFORE_DAY.pattern})(?:\d|(?i:{either(name[:3] for name in _LISTS['months']['en'])})[A-Za-z]{{0,6}}\.?\s\d)"
)
"""The possible start of a dateline with a day: a quick test before the slow search for days."""
_CLOSING_DASH = r"\.?\s{0,2}[-–—]{1,2}\s"
_STOP = r"[.:]\s|\.?\s?\n"

_AFTER_DAY = re.compile(
    rf"(?P<place>,\s(?:in\s)?{PLACE}|\.\s[{CAPITAL}]{{3,20}}(?={_CLOSING_DASH})"
    rf"|\s(?:in\s)?{PLACE}(?={_CLOSING_DASH}|{_AGENCY}))?"
    rf"(?P<agency>[.,]?{_AGENCY})?(?:(?P<dash>{_CLOSING_DASH})|{_STOP})"
)

# Without a day only a place of one or two words, so not "The Container Control Programme (CCP) –".
_UNDATED = re.compile(
    rf"(?!{STARTERS}\s)[{CAPITAL}](?:[{CAPITAL}’'-]{{1,30}}(?:\s[{CAPITAL}]{{2,30}})?"
    rf"|[a-zа-яёäçňöşüýž’'-]{{1,30}}(?:[\s-][{CAPITAL}][a-zа-яёäçňöşüýž’'-]{{1,30}})?)"
    rf"(?:,\s{_WORD})?,?\s?\([^()\n]{{2,30}}\)(?={_CLOSING_DASH})"
)

_RUN_IN = re.compile(rf"(?:\s?г\.)?\s{STARTERS}\s")

_CARRIED_BY = re.compile(
    r"[\s.:–—-]*(?:(?:РИА\sНовости|(?:ИТАР-)?ТАСС|(?i:интерфакс|sputnik)|ТДХ|TDH)[.,]\s)?[\s–—-]*"
)


def leading_dateline(text: str) -> str | None:
    """The dateline at the start of the copy, as written but without its dash, or None.

    "18 September, Ashgabat –", "ASHGABAT, 3 April (nCa) —", "АШХАБАД, 3 апреля. /ТАСС/."
    """
    return _leading_dateline(text[:_LONGEST_DATELINE])


@lru_cache(maxsize=256)
def _leading_dateline(head: str) -> str | None:
    day = next(iter(mentions(head, dateline=True)), None) if _OPENS.match(head) else None
    if day is None or not _BEFORE_DAY.fullmatch(head, 0, day.start):
        undated = _UNDATED.match(head)
        return undated.group() if undated else None
    end = _dateline_end(head, day)
    return head[:end].rstrip(" ,.:\n") if end else None


def dateline_end(text: str) -> int:
    """Where the copy after the dateline begins; 0 without a dateline, or with nothing after it."""
    dateline = leading_dateline(text)
    if dateline is None:
        return 0
    carried = _CARRIED_BY.match(text, len(dateline))
    end = carried.end() if carried else len(dateline)
    return end if end < len(text) else 0


def _dateline_end(head: str, day: Mention) -> int:
    """Where the dateline around that day ends, before its dash; 0 if the day is part of a sentence."""
    after = _AFTER_DAY.match(head, day.end)
    if after is None and day.start and head[day.end - 1] == ".":
        after = _AFTER_DAY.match(head, day.end - 1)  # the stop of "22 Nov." also ends the dateline
    if after is None:
        run_in = day.year is not None and 0 < head.count(" ", 0, day.start) <= 3
        return day.end if run_in and _RUN_IN.match(head, day.end) else 0
    if day.start or after["place"] or after["agency"] or day.year is not None or not after["dash"]:
        return after.start("dash") if after["dash"] else after.end()
    return 0
