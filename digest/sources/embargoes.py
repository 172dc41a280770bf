"""Embargo lines: until when copy waits."""

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

from digest.language.days import Mention, mentions
from digest.language.text import either, word_lists, words
from digest.model import Embargo
from digest.sources.lines import Line

_LISTS = word_lists("sources/envelope.toml")
_WORDS = _LISTS["embargo"]
_LONGEST = 320
_OPEN = ("UNTIL", "until", "BEFORE", "before", "ДО", "до", ":")
_Days = Callable[[], Iterable[date]]
_Found = re.Match[str] | None
_NEAR = timedelta(days=90)
"""A day without a year is in the year that brings it this close to a day with one."""


def _any_of(patterns: Iterable[str]) -> re.Pattern[str]:
    return re.compile(rf"(?<![^\W_]){either(patterns)}(?![^\W_])", re.IGNORECASE)


_OPENS, _ALONE, _AT_NOON, _AT_MIDNIGHT = (
    _any_of(_WORDS[name]) for name in ("opens", "alone", "noon", "midnight")
)
# These hold at the start of a line, whatever else it says: what is not understood waits for an editor.
_HOLDS = re.compile(
    rf"[\W_]{{0,12}}(?:{either(_WORDS['before'])}[\W_]{{1,4}}){{0,3}}{either(_WORDS['holds'])}(?![^\W_])",
    re.IGNORECASE,
)
_UNLIKE = re.compile(rf"\?\W{{0,3}}$|(?<![^\W_]){either(_WORDS['unlike'])}", re.IGNORECASE)
_ZONE_OF = {name: zone for zone, names in _LISTS["zones"].items() for name in names}
_ZONE = _any_of(sorted(_ZONE_OF, key=len, reverse=True))
_WEEKDAYS = [_any_of([names]) for names in _WORDS["weekdays"]]
_CLOCK, _SHORT_YEAR, _CLOSED_UP, _OFFSET, _ORDINAL, _CLOSED_DAY, _MOMENTS = (
    re.compile(either(_LISTS["hours"][name]), re.IGNORECASE)
    for name in ("clock", "short_year", "closed_up", "offset", "ordinal", "closed_day", "moments")
)
_HOUR = re.compile(
    rf"(?<!\d)(2[0-4]|[01]?\d)(?:h(\d\d)m)?(\s{{0,2}}{either(_WORDS['hour_unit'])}(?![^\W_]))?"
    rf"(?:\s{{0,2}}({either(_WORDS['morning'])}|am)(?![^\W_])|\s{{0,2}}({either(_WORDS['evening'])}|pm)(?![^\W_]))?",
    re.IGNORECASE,
)
_FILLER, _OCCASION = frozenset(_WORDS["filler"]), frozenset(_WORDS["occasion"])
_MOST_WORDS = 4


def read_embargo(lines: Sequence[Line], zone: ZoneInfo, days: _Days) -> tuple[Embargo | None, int]:
    """The embargo that the first lines are, and how many they are; None and 0 if it is none.

    Besides what opens it there are only times, or it is copy about an embargo. `zone` holds for a time
    without one; `days` are those by which a day without a year is understood.
    """
    text = lines[0].text if lines else ""
    if len(text) > _LONGEST or not (_OPENS.search(text) or _HOLDS.match(text)):
        return None, 0
    held, rows = _read(text, zone, days), 1
    for number, line in enumerate(lines[1:3], start=2):
        text = f"{text}\n{line.text}"
        if len(text) > _LONGEST or (held and line.after_gap and not lines[0].text.endswith(_OPEN)):
            break
        # Of two readings the later holds: an hour below its day.
        more = _read(text, zone, days, bare=True)
        if more and more.until and not (held and held.until and held.until >= more.until):
            held, rows = more, number
    return held, rows if held else 0


def is_mark(lines: Sequence[Line], zone: ZoneInfo, days: _Days) -> bool:
    """Whether the first lines are an embargo wherever they stand, not the heading "EMBARGO"."""
    held, _ = read_embargo(lines, zone, days)
    return held is not None and bool(held.until or _HOLDS.match(f"{lines[0].text} "))


def _read(text: str, zone: ZoneInfo, days: _Days, *, bare: bool = False) -> Embargo | None:
    rest = _AT_NOON.sub("12:00", _AT_MIDNIGHT.sub("24:00", _OPENS.sub(" ", text, count=1)))
    rest = _CLOSED_DAY.sub(r"\1 \2 20\4", _ORDINAL.sub("", rest))
    offset = _OFFSET.search(rest)
    # Hours first: the minutes of "18:15, 25 November" are no days.
    rest = _SHORT_YEAR.sub(r"\g<1>20\3", rest)
    rest = _CLOCK.sub(r"\1h\2m ", _OFFSET.sub(" UTC ", rest))
    named = mentions(rest) or (mentions(rest.upper()) if len(rest.upper()) == len(rest) else [])
    for one in reversed(named):
        rest = f"{rest[: one.start]} | {rest[one.end :]}"
    rest = _CLOSED_UP.sub(r"\1h\2m ", rest) if named else rest
    zones = list(_ZONE.finditer(rest))
    beside = [(h, z) for h in _HOUR.finditer(rest) for z in zones if 0 <= z.start() - h.end() <= 3]
    hours = [h for h in _HOUR.finditer(rest) if any(h.group(2, 3, 4, 5))]
    alone = [(h, next(iter(zones), None)) for h in (*hours, None)]
    moments: Sequence[tuple[_Found, _Found]] = beside or alone[: max(1, len(hours))]
    hour, stated = moments[0]
    weekdays = [number for number, name in enumerate(_WEEKDAYS) if name.search(rest)]
    read = {h.span() for h in (*hours, *(h for h, _ in beside))}
    rest = _HOUR.sub(lambda h: " " if h.span() in read else h[0], rest)
    for pattern in (_ZONE, *_WEEKDAYS):
        rest = pattern.sub(" ", rest)
    more = [word for word in words(rest) if word not in _FILLER]
    numbers = [word for word in more if word.isdigit() and len(word) < 3]
    others = [word for word in more if word not in _OCCASION and word not in numbers]
    timed = hour and (named or weekdays) and not bare and len(others) <= _MOST_WORDS
    evidence = named or hour or weekdays or more or _ALONE.match(text.lstrip(" *[(/#-–—"))
    holds = _HOLDS.match(text) and not _UNLIKE.search(text)
    if (bare or not holds) and ((others and not timed) or not evidence):
        return None
    if len(named) > 1:
        return _last_moment(text, zone, days)
    day = max((day for one in named if (day := _dated(one, days))), default=None)
    unsure = (others and not stated) or numbers or (len(more) > len(others) and not hour)
    if day is None or unsure or (weekdays and day.weekday() not in weekdays):
        return Embargo(None, text)
    return Embargo(max(_moment(day, h, z, offset, zone) for h, z in moments), text)


def _moment(day: date, hour: _Found, stated: _Found, offset: _Found, zone: ZoneInfo) -> datetime:
    """The hour of the day, in the zone that is stated, in UTC."""
    here: tzinfo = zone
    if offset:
        ahead = timedelta(hours=int(offset["hours"]), minutes=int(offset["minutes"] or 0))
        here = timezone(ahead if offset["sign"] == "+" else -ahead)
    elif stated and (name := _ZONE_OF[stated[0].casefold()]) != "local":
        here = ZoneInfo(name)
    hours_on, minutes = (int(hour[1]), int(hour[2] or 0)) if hour else (0, 0)
    if hour and (hour[4] or hour[5]):
        hours_on = hours_on % 12 + (12 if hour[5] else 0)
    until = datetime.combine(day, time(), here) + timedelta(hours=hours_on, minutes=minutes)
    return until.astimezone(UTC)


def _last_moment(text: str, zone: ZoneInfo, days: _Days) -> Embargo:
    """The latest of several moments, each a day with its own hour."""
    parts = [part for part in _MOMENTS.split(text) if re.search(r"\d", part)]
    read = [_read(f"embargo {part}", zone, days) for part in parts if len(mentions(part)) == 1]
    moments = [one.until for one in read if one and one.until]
    return Embargo(max(moments) if len(moments) == len(parts) else None, text)


def _dated(one: Mention, days: _Days) -> date | None:
    """The day, in the year of a day nearby if it has none."""
    if one.date:
        return one.date
    near = (
        (day, other) for other in days() for year in (0, 1) if (day := one.on(other.year + year))
    )
    return next((day for day, other in near if -_NEAR / 6 <= day - other <= _NEAR), None)
