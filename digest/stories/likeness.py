"""When two articles are about the same event, how an article joins a story, and which one leads it."""

import json
import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import NamedTuple

from digest.language.text import word_lists
from digest.stories.fingerprints import Fingerprint, from_json, rarity_of, word_set

WINDOW = 21  # most days between two articles of one story
_NEAR = 10  # days within which one event is usually reported
# How alike two articles must be, by what is known of their days.
_SAME_DAY_NAMED = 0.18
_NEAR_DAYS = 0.27
_UNSURE_DAYS = 0.40
_OTHER_DAYS = 0.60
_MOST = 2  # named days of an article that count
# How alike they must be at least if they share no telling day and no telling term.
_USUAL_WORDS = 0.45
_OTHER_NUMBERS = 0.60  # and each gives other numbers
_USUAL = 0.6  # a name, number or word that any two articles may share is at most this rare
_LINKED = 0.5  # the score that links
_COPIED = 0.5  # share of shingles in common from which one is a copy of the other
_TRANSLATED = 0.45  # how alike a translation is to its original; other accounts are less
_TELLING = 0.45  # how rare a term must be to be given as a reason
_CYRILLIC = ("ru",)  # of two spellings of a name the Latin one is shown
_NAME, _WORD, _DAY = 1.25, 0.9, 1.2  # what a name, a word outside the vocabulary and a day weigh


@dataclass(frozen=True, slots=True)
class Comparison:
    """How alike two articles are.

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


def compare(a: Fingerprint, b: Fingerprint) -> Comparison:
    """Whether two articles are about the same event, and why; the same in either order."""
    judgement = _judge(a, _weights(a), b, _weights(b))
    if a.language != b.language:
        kind = "translation" if judgement.alike >= _TRANSLATED else "same-story"
    elif _overlap(a.opening, b.opening) >= _COPIED and max(a.size, b.size) >= 2 * min(
        a.size, b.size
    ):
        kind = "teaser"
    else:
        kind = "copy" if judgement.copied >= _COPIED else "same-story"
    # The terms that both have, the most telling first.
    others = {term.key: term for term in b.terms}
    shared = [(term, others[term.key]) for term in a.terms if term.key in others]
    shared = [pair for pair in shared if rarity_of(pair[0].key) >= _TELLING]
    shared.sort(
        key=lambda pair: (-pair[0].weight * pair[1].weight * rarity_of(pair[0].key), pair[0].key)
    )
    groups: dict[str, list[str]] = {"names": [], "organisations": [], "both say": [], "words": []}
    for one, other in shared:
        words = "names" if one.is_name and other.is_name else "words"
        group = {"@": "organisations", "#": "both say"}.get(one.key[0], words)
        forms = sorted([(a.language in _CYRILLIC, one.form), (b.language in _CYRILLIC, other.form)])
        groups[group].append(forms[0][1])
    reasons = judgement.about
    reasons += [f"{name}: {', '.join(forms[:6])}" for name, forms in groups.items() if forms]
    if judgement.copied >= _COPIED:
        reasons.append(f"{judgement.copied:.0%} word for word")
    return Comparison(judgement.score, kind, judgement.score >= _LINKED, tuple(reasons))


def link(new: str, candidates: Iterable[tuple[int, str]]) -> list[tuple[int, Comparison]]:
    """The candidates about the same event as `new`, best first; each with its article's id.

    Fingerprints are JSON. What was compared lately is remembered: so it can be done before a write, in
    which then only what came in between is compared.
    """
    judged = ((number, _linked(new, each)) for number, each in candidates)
    linked = [(number, comparison) for number, comparison in judged if comparison is not None]
    return sorted(linked, key=lambda pair: (-pair[1].score, pair[0]))


@lru_cache(maxsize=4096)
def _linked(one: str, other: str) -> Comparison | None:
    (a, weights), (b, others) = _read(one), _read(other)
    return compare(a, b) if _judge(a, weights, b, others).score >= _LINKED else None


@lru_cache(maxsize=512)
def _read(fingerprint: str) -> tuple[Fingerprint, dict[str, float]]:
    read = from_json(fingerprint)
    return read, _weights(read)


class _Judgement(NamedTuple):
    """A comparison without the terms in common, which only an editor reads."""

    score: float
    alike: float
    copied: float
    about: list[str]


def _judge(
    a: Fingerprint, weights: dict[str, float], b: Fingerprint, others: dict[str, float]
) -> _Judgement:
    """How alike two articles are; `weights` are those of `a`, `others` those of `b`."""
    days = _compare_days(a, b)
    needed, about = days.needed, days.about
    shared = weights.keys() & others.keys()
    # The usual words and towns of the beat do not distinguish one story from another.
    if not days.dated and not any(key[0] in "~#@" and rarity_of(key) > _USUAL for key in shared):
        first, second = ({key for key in keys if key[0] == "#"} for keys in (weights, others))
        # 5 kg of opium here and 8 kg there.
        differ = bool(first and second) and first.isdisjoint(second)
        needed = max(needed, _OTHER_NUMBERS if differ else _USUAL_WORDS)
        if shared:
            about.append(f"only usual words in common{', and other numbers' if differ else ''}")
    # The cosine of their terms and days; days count where both name one.
    product = math.fsum(weights[key] * others[key] for key in shared)
    squares = [math.fsum(each * each for each in one.values()) for one in (weights, others)]
    if all(days.counts):
        product += days.shared * _DAY**2
        squares = [
            square + count * _DAY**2 for square, count in zip(squares, days.counts, strict=True)
        ]
    alike = min(1.0, product / math.sqrt(squares[0] * squares[1])) if all(squares) else 0.0
    copied = max(_overlap(a.opening, b.opening), _overlap(a.sketch, b.sketch))
    strength = max(alike, copied) if copied >= _COPIED else alike
    score = round(strength / (strength + needed), 4) if strength else 0.0
    return _Judgement(score, alike, copied, about)


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


def _compare_days(a: Fingerprint, b: Fingerprint) -> Days:
    own = a.day.isoformat() if a.day and a.day == b.day else None
    # The days that both name, with the year where one of them gives it.
    named = {
        max(one, other)
        for one in a.days
        for other in b.days
        if one[-5:] not in word_set("world_days")
        and (one == other or (one[-5:] == other[-5:] and "-" in (one[0], other[0])))
    }
    telling = sorted(named - {own})
    first, second = (min(_MOST, len({*each.days} - {own})) for each in (a, b))
    dated = any(day[0] != "-" for day in telling)
    about = ["both name " + ", ".join(_spoken(day) for day in telling)] if telling else []
    # An article that is filed under no day counts by the days with a year that it names.
    ours, theirs = (
        [each.day] if each.day else [date.fromisoformat(day) for day in each.days if day[0] != "-"]
        for each in (a, b)
    )
    apart = min((abs((one - other).days) for one in ours for other in theirs), default=None)
    if apart and (apart > WINDOW or (a.day and b.day)):
        about.append("1 day apart" if apart == 1 else f"{apart} days apart")
    elif a.day and b.day:
        about.append(f"same day {_spoken(a.day.isoformat())}")
    if apart is not None and apart > WINDOW:
        needed = math.inf
    elif dated:
        needed = _SAME_DAY_NAMED if a.day and b.day else _NEAR_DAYS
    elif a.day is None or b.day is None:
        needed = _UNSURE_DAYS
        about.append("a day is unknown")
    elif a.days and b.days and not named:
        needed = _OTHER_DAYS
        about.append("they name different days")
    else:
        needed = _NEAR_DAYS if apart is not None and apart <= _NEAR else _UNSURE_DAYS
    return Days(min(_MOST, len(telling)), (first, second), needed, dated, about)


def _spoken(day: str) -> str:
    """A day as an editor writes it: 21 November 2022."""
    year, month, number = day[:-6], int(day[-5:-3]), int(day[-2:])
    name = word_lists("language/languages.toml")["months"]["en"][month - 1]
    return f"{number} {name} {year}" if year.isdigit() else f"{number} {name}"


def _weights(each: Fingerprint) -> dict[str, float]:
    return {
        key: weight
        * rarity_of(key)
        * (1.0 if key[0] != "~" else _WORD if form.islower() else _NAME)
        for key, form, weight in each.terms
    }


def _overlap(first: tuple[int, ...], second: tuple[int, ...]) -> float:
    """The share of shingles in common, estimated from the smallest of both (bottom-k)."""
    size = min(len(first), len(second))
    if not size:
        return 0.0
    smallest = sorted({*first, *second})[:size]
    return len({*first} & {*second} & {*smallest}) / size


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


def in_window(a: Fingerprint, b: Fingerprint) -> bool:
    """Whether CANDIDATES gives the one for the other by their days."""
    return a.day is None or b.day is None or abs((a.day - b.day).days) <= WINDOW


def may_join(linked: Collection[int], members: Collection[int], lead: int) -> bool:
    """Whether an article linked to the articles `linked` joins the story of `members`.

    It must be linked to the lead, or to at least half of the members: so a chain of articles, each
    a little like the next, does not grow into one story. Of several stories that it may join, it
    joins the one of its best link; stories are never merged by a newcomer.
    """
    count = sum(member in linked for member in members)
    return lead in linked or (count > 0 and 2 * count >= len(members))


def lead_of(members: Iterable[Member]) -> int:
    """The article that leads: a complete one, then the one first seen, then by the source's rank.

    An article that comes later is seen later, so it takes the lead only from a teaser.

    Raises:
        ValueError: there are no members.
    """
    return min(
        members,
        key=lambda each: (not each.complete, each.first_seen_at, each.source_rank, each.article_id),
    ).article_id
