"""What is known of the days of two articles, and how alike they must therefore be to be one story.

A day that both name tells of one event, unless it is the one that both are of: that one is named in
half of what is written on it.
"""

import math
from collections.abc import Collection, Iterable
from datetime import date
from typing import NamedTuple

from digest.editorial.fingerprints import Fingerprint
from digest.editorial.vocabulary import word_set
from digest.wordlists import word_lists

WINDOW = 21  # days between two articles of one story, at most
_NEAR = 10  # days within which one event is reported as a rule

# How alike two articles must be, by what is known of their days.
_SAME_DAY_NAMED = 0.18
_NEAR_DAYS = 0.27
_UNSURE_DAYS = 0.40
_OTHER_DAYS = 0.60

_MOST = 2  # named days of an article that count


class Days(NamedTuple):
    """What two articles' days say of each other.

    `shared` is how many telling days both name, `counts` how many each names, 2 at most. `needed`
    is how alike they must be, `dated` whether a shared day with its year lowers that. `about` is
    for an editor.
    """

    shared: int
    counts: tuple[int, int]
    needed: float
    dated: bool
    about: list[str]


def compare_days(a: Fingerprint, b: Fingerprint) -> Days:
    own = a.day.isoformat() if a.day and a.day == b.day else None
    named = _shared_days(a, b)
    telling = [day for day in named if day != own]
    first, second = (min(_MOST, len({*each.days} - {own})) for each in (a, b))
    dated = any(day[0] != "-" for day in telling)
    about = ["both name " + ", ".join(_spoken(day) for day in telling)] if telling else []
    apart = _apart(a, b)
    if apart is not None and apart > WINDOW:
        needed = math.inf
        about.append(_days_apart(apart))
    else:
        if a.day and b.day:
            about.append(_days_apart(apart) if apart else f"same day {_spoken(a.day.isoformat())}")
        needed, why = _needed(a, b, apart, named, dated)
        about += why
    return Days(min(_MOST, len(telling)), (first, second), needed, dated, about)


def _needed(
    a: Fingerprint, b: Fingerprint, apart: int | None, named: Collection[str], dated: bool
) -> tuple[float, list[str]]:
    if dated:
        return _SAME_DAY_NAMED if a.day and b.day else _NEAR_DAYS, []
    if a.day is None or b.day is None:
        return _UNSURE_DAYS, ["a day is unknown"]
    if a.days and b.days and not named:
        return _OTHER_DAYS, ["they name different days"]
    return (_NEAR_DAYS if apart is not None and apart <= _NEAR else _UNSURE_DAYS), []


def _shared_days(a: Fingerprint, b: Fingerprint) -> tuple[str, ...]:
    """The days that both name, with the year where one of them gives it; no world day."""
    shared = {
        max(one, other)
        for one in a.days
        for other in b.days
        if one[-5:] not in word_set("world_days")
        and (one == other or (one[-5:] == other[-5:] and "-" in (one[0], other[0])))
    }
    return tuple(sorted(shared))


def _apart(a: Fingerprint, b: Fingerprint) -> int | None:
    """Days between two articles; None where one of them names no day with its year at all."""
    if a.day and b.day:
        return abs((a.day - b.day).days)
    first, second = ([each.day] if each.day else _full(each.days) for each in (a, b))
    return min((abs((one - other).days) for one in first for other in second), default=None)


def _full(days: Iterable[str]) -> list[date]:
    return [date.fromisoformat(day) for day in days if day[0] != "-"]


def _days_apart(count: int) -> str:
    return "1 day apart" if count == 1 else f"{count} days apart"


def _spoken(day: str) -> str:
    """A day as an editor writes it: 21 November 2022."""
    year, month, number = day[:-6], int(day[-5:-3]), int(day[-2:])
    name = word_lists("languages.toml")["months"]["en"][month - 1]
    return f"{number} {name} {year}" if year.isdigit() else f"{number} {name}"
