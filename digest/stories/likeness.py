"""When two articles are about the same event, how an article joins a story, and which one leads it."""

import json
import math
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple

from digest.language.text import word_lists
from digest.stories.fingerprints import Fingerprint, Term, rarity_of, word_set

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
    # The days that both name, with the year where one of them gives it.
    shared = {
        max(one, other)
        for one in a.days
        for other in b.days
        if one[-5:] not in word_set("world_days")
        and (one == other or (one[-5:] == other[-5:] and "-" in (one[0], other[0])))
    }
    named = tuple(sorted(shared))
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
    name = word_lists("language/languages.toml")["months"]["en"][month - 1]
    return f"{number} {name} {year}" if year.isdigit() else f"{number} {name}"


# How alike they must be at least if they share no telling day and no telling term.
_USUAL_WORDS = 0.45
_OTHER_NUMBERS = 0.60  # and each gives other numbers
_USUAL = 0.6  # how rare a name, number or word is at most that any two articles may share
_LINKED = 0.5  # the score that links
_COPIED = 0.5  # share of shingles in common from which one is a copy of the other
_TRANSLATED = 0.45  # how alike a translation is to its original; other accounts are less
_TELLING = 0.45  # how rare a term must be to be given as a reason
_CYRILLIC = ("ru",)  # of two spellings of a name the Latin one is shown
_NAME, _WORD, _DAY = 1.25, 0.9, 1.2  # what a name, a word outside the vocabulary and a day weigh
Rarity = Callable[[str], float]


@dataclass(frozen=True, slots=True)
class Comparison:
    """How two articles stand to each other.

    `score` is 0 to 1, and 0.5 where the link begins. `kind` is "copy", "teaser" (one is the
    opening of the other), "translation" or "same-story". `reasons` are words for an editor, for
    and against.
    """

    score: float
    kind: str
    linked: bool
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Member:
    """An article of a story, as the choice of the lead needs it.

    `source_rank` is the place of its source in config.toml, 0 the first.
    """

    article_id: int
    complete: bool
    first_seen_at: datetime
    source_rank: int = 0


def compare(a: Fingerprint, b: Fingerprint, rarity: Rarity | None = None) -> Comparison:
    """Whether two articles tell the same story, and why; the same in either order.

    `rarity` says of a term's key how much it tells, from 0 to 1; without it the packaged table
    does (digest/stories/vocabulary.toml).
    """
    measure = rarity or rarity_of
    found = _verdict(a, _weights(a, measure), b, measure)
    reasons = (*found.about, *_reasons(a, b, measure))
    if found.copied >= _COPIED:
        reasons = (*reasons, f"{found.copied:.0%} word for word")
    return Comparison(found.score, _kind(a, b, found), found.score >= _LINKED, reasons)


def link(
    new: Fingerprint, candidates: Iterable[tuple[int, Fingerprint]]
) -> list[tuple[int, Comparison]]:
    """The candidates that tell the same story as `new`, best first; each with its article's id."""
    weights = _weights(new, rarity_of)
    linked = [
        (number, compare(new, each))
        for number, each in candidates
        if _verdict(new, weights, each, rarity_of).score >= _LINKED
    ]
    return sorted(linked, key=lambda pair: (-pair[1].score, pair[0]))


def wanted(new: Fingerprint) -> dict[str, str]:
    """The parameters of CANDIDATES but for `article_id`, the article's own id (0 before it has one)."""
    earliest, latest = date.min, date.max
    if new.day is not None:
        earliest = date.fromordinal(max(1, new.day.toordinal() - WINDOW))
        latest = date.fromordinal(min(date.max.toordinal(), new.day.toordinal() + WINDOW))
    return {
        "keys": json.dumps(new.keys),
        "earliest": earliest.isoformat(),
        "latest": latest.isoformat(),
    }


def may_join(linked: Collection[int], members: Collection[int], lead: int) -> bool:
    """Whether an article linked to the articles `linked` joins the story of `members`.

    It must be linked to the lead, or to at least half of the members: so a chain of articles, each
    a little like the next, does not grow into one story. Of several stories that it may join, it
    joins the one of its best link; stories are never merged by a newcomer.
    """
    held = sum(member in linked for member in members)
    return lead in linked or (held > 0 and 2 * held >= len(members))


def lead_of(members: Iterable[Member]) -> int:
    """The article that leads: a complete one, then the one first seen, then by the source's rank.

    An article that comes later is seen later, so that it takes the lead only from a teaser.

    Raises:
        ValueError: there are no members.
    """
    return min(
        members,
        key=lambda each: (not each.complete, each.first_seen_at, each.source_rank, each.article_id),
    ).article_id


class _Verdict(NamedTuple):
    """A comparison before it is put into words."""

    score: float
    alike: float
    copied: float
    about: list[str]


def _verdict(a: Fingerprint, weights: dict[str, float], b: Fingerprint, rarity: Rarity) -> _Verdict:
    """Where two articles stand; `weights` are those of `a`."""
    days = compare_days(a, b)
    others = _weights(b, rarity)
    needed, about = days.needed, days.about
    shared = weights.keys() & others.keys()
    if not days.dated and not any(_tells(key, rarity) for key in shared):
        differ = _differ(weights, others)
        needed = max(needed, _OTHER_NUMBERS if differ else _USUAL_WORDS)
        if shared:
            about.append(f"only usual words in common{', and other numbers' if differ else ''}")
    copied = max(_overlap(a.opening, b.opening), _overlap(a.sketch, b.sketch))
    alike = _alike(weights, others, days)
    strength = max(alike, copied) if copied >= _COPIED else alike
    score = round(strength / (strength + needed), 4) if strength else 0.0
    return _Verdict(score, alike, copied, about)


def _tells(key: str, rarity: Rarity) -> bool:
    """Whether a shared term tells one story from another; the beat's own words and towns do not."""
    return key[0] in "~#@" and rarity(key) > _USUAL


def _differ(first: Collection[str], second: Collection[str]) -> bool:
    """Whether both give numbers and none is the same: 5 kg of opium here and 8 kg there."""
    numbers, others = ({key for key in keys if key[0] == "#"} for keys in (first, second))
    return bool(numbers and others) and numbers.isdisjoint(others)


def _alike(first: dict[str, float], second: dict[str, float], days: Days) -> float:
    """The cosine of two articles' terms and days, 0 to 1; days count where both name one."""
    product = math.fsum(first[key] * second[key] for key in first.keys() & second.keys())
    squares = [math.fsum(each * each for each in one.values()) for one in (first, second)]
    if all(days.counts):
        product += days.shared * _DAY**2
        squares = [
            square + count * _DAY**2 for square, count in zip(squares, days.counts, strict=True)
        ]
    return min(1.0, product / math.sqrt(squares[0] * squares[1])) if all(squares) else 0.0


def _weights(each: Fingerprint, rarity: Rarity) -> dict[str, float]:
    return {
        key: weight * rarity(key) * (_name_or_word(form) if key[0] == "~" else 1.0)
        for key, form, weight in each.terms
    }


def _name_or_word(form: str) -> float:
    return _WORD if form.islower() else _NAME


def _overlap(first: tuple[int, ...], second: tuple[int, ...]) -> float:
    """The share of shingles in common, estimated from the smallest of both (bottom-k)."""
    size = min(len(first), len(second))
    if not size:
        return 0.0
    smallest = sorted({*first, *second})[:size]
    return len({*first} & {*second} & {*smallest}) / size


def _kind(a: Fingerprint, b: Fingerprint, found: _Verdict) -> str:
    if a.language != b.language:
        return "translation" if found.alike >= _TRANSLATED else "same-story"
    opening = _overlap(a.opening, b.opening) >= _COPIED
    if opening and max(a.size, b.size) >= 2 * min(a.size, b.size):
        return "teaser"
    return "copy" if found.copied >= _COPIED else "same-story"


def _reasons(a: Fingerprint, b: Fingerprint, rarity: Rarity) -> Iterable[str]:
    """The terms that both hold, those that tell most first, in words; the same in either order."""
    others = {term.key: term for term in b.terms}
    shared = [(term, others[term.key]) for term in a.terms if term.key in others]
    shared = [pair for pair in shared if rarity(pair[0].key) >= _TELLING]
    shared.sort(
        key=lambda pair: (-pair[0].weight * pair[1].weight * rarity(pair[0].key), pair[0].key)
    )
    groups: dict[str, list[str]] = {"names": [], "organisations": [], "both say": [], "words": []}
    for one, other in shared:
        forms = sorted([(a.language in _CYRILLIC, one.form), (b.language in _CYRILLIC, other.form)])
        groups[_group(one, other)].append(forms[0][1])
    return (f"{name}: {', '.join(forms[:6])}" for name, forms in groups.items() if forms)


def _group(one: Term, other: Term) -> str:
    if one.key[0] == "@":
        return "organisations"
    if one.key[0] == "#":
        return "both say"
    return "names" if one.is_name and other.is_name else "words"
