"""Rules of repetition: a cron rule in five fields, read as wall-clock times without a zone."""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

_NUMBER = r"\*(/\d+)?|\d+(-\d+)?(/\d+)?"
_MONTHS = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
_WEEKDAYS = "mon|tue|wed|thu|fri|sat|sun"
_FIELDS = (
    ("minute", _NUMBER, "0 to 59"),
    ("hour", _NUMBER, "0 to 23"),
    ("day", rf"{_NUMBER}|last", "1 to 31, or last"),
    ("month", rf"{_NUMBER}|({_MONTHS})(-({_MONTHS}))?", "1 to 12, or jan to dec"),
    ("weekday", rf"\*|({_WEEKDAYS})(-({_WEEKDAYS}))?", "mon to sun, no digits,"),
)
_SHAPE = "five fields (minute hour day month weekday), such as 0 8 * * mon"
_FIRST_YEAR = 1970
_MINUTE = timedelta(minutes=1)
_SOME_TIME = datetime.fromisoformat("2000-01-01")


@dataclass(frozen=True, slots=True)
class Rule:
    """A checked rule. `text` is the rule in small letters with single spaces."""

    text: str
    _trigger: Any = field(repr=False, compare=False)

    def after(self, wall: datetime) -> datetime:
        """The first time of the rule after `wall`; both are naive wall-clock times.

        The years before 1970 hold no time of any rule.
        """
        found = self._after(wall)
        if found is None:  # only at the end of the calendar: a checked rule has times in every age
            raise OverflowError(f"{self.text!r} has no time after {wall}")
        return found

    def before(self, wall: datetime) -> datetime | None:
        """The last time of the rule before `wall`; None where that would be before 1970."""
        start, end, span = wall, wall, timedelta(hours=1)
        while not self._has_one_between(start, wall):
            if start.year < _FIRST_YEAR:
                return None
            start, end, span = start - span, start, span * 2
        # Something lies in (start, wall), and nothing in (end, wall): narrow to the one minute.
        while end - start > _MINUTE:
            middle = start + (end - start) / 2
            if self._has_one_between(middle, wall):
                start = middle
            else:
                end = middle
        return self.after(start)

    def _has_one_between(self, start: datetime, end: datetime) -> bool:
        found = self._after(start)
        return found is not None and found < end

    def _after(self, wall: datetime) -> datetime | None:
        # Read as UTC, so that no change of the clock comes into the matching of fields.
        moment = wall.replace(tzinfo=UTC) + timedelta(microseconds=1)
        found = self._trigger.get_next_fire_time(None, moment)
        return None if found is None else found.replace(tzinfo=None)


@lru_cache(maxsize=64)
def parse_rule(rule: str) -> Rule:
    """A cron rule such as "0 8 * * mon", checked: minute, hour, day of the month, month, weekday.

    Lists (mon,thu), ranges (mon-fri, 1-7) and steps (*/15) are allowed, months by number or name,
    "last" as the last day of a month.

    Raises:
        ValueError: "allowed is ..., found ...": also for a weekday in digits, which some programs
            count from Sunday and others from Monday; for a day of the month together with a
            weekday, which some read as "and" and others as "or"; and for a day that never comes.
    """
    from apscheduler.triggers.cron import CronTrigger

    fields = rule.lower().split()
    if len(fields) != len(_FIELDS):
        raise ValueError(f"allowed is a rule of {_SHAPE}, found {len(fields)} fields")
    for (name, item, allowed), found in zip(_FIELDS, fields, strict=True):
        try:
            if not all(re.fullmatch(item, part) for part in found.split(",")):
                raise ValueError(found)
            key = "day_of_week" if name == "weekday" else name
            CronTrigger(**{key: found}, timezone=UTC)
        except ValueError:
            raise ValueError(f"allowed is {allowed} for the {name}, found {found!r}") from None
    _, _, day, _, weekday = fields
    if day != "*" and weekday != "*":
        raise ValueError(
            f"allowed is a day of the month or a weekday, with * for the other, "
            f"found {day!r} and {weekday!r}"
        )
    text = " ".join(fields)
    checked = Rule(text, CronTrigger.from_crontab(text, timezone=UTC))
    if checked._after(_SOME_TIME) is None:
        raise ValueError(f"allowed is a day that the calendar has, found {text!r}")
    return checked
