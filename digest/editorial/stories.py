"""When two articles tell the same story, how an article joins a story, and which one leads it.

Two articles are compared by what survives a rewrite and a translation: names, numbers,
organisations, the days that they name, and the notions that they speak of, each by how rare it is
(the cosine of two vectors), and by the shingles that they share word for word. How alike they must be depends on
what is known of their days: little where they name the same day, much where a day is unknown; and
articles filed more than three weeks apart are never one story, however alike, for that is the
mark of the yearly event and of the next meeting of the same people.

How the store finds candidates: it keeps `Fingerprint.keys` and `to_json` in two tables,

    CREATE TABLE story_keys (
      key INTEGER, article_id INTEGER, PRIMARY KEY (key, article_id)) WITHOUT ROWID;
    CREATE TABLE fingerprints (article_id INTEGER PRIMARY KEY, day TEXT, fingerprint TEXT NOT NULL);

and asks CANDIDATES, below, with what `wanted` gives. Of each key the newest 32 entries are read at
most, so that the time does not grow with the store; an article must share two keys; and the 16 that
share most are compared.
"""

import json
import math
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple

from digest.editorial.fingerprints import Fingerprint, Term
from digest.editorial.story_days import WINDOW, Days, compare_days
from digest.editorial.vocabulary import rarity_of

CANDIDATES = """
WITH near AS (
  SELECT entry.article_id, count(*) AS shared
  FROM json_each(:keys) AS wanted CROSS JOIN story_keys AS entry
  WHERE entry.key = wanted.value AND entry.article_id >= coalesce(
    (SELECT article_id FROM story_keys WHERE key = wanted.value
      ORDER BY article_id DESC LIMIT 1 OFFSET 31), 0)
  GROUP BY entry.article_id HAVING shared >= 2
)
SELECT article_id, fingerprint FROM near JOIN fingerprints USING (article_id)
WHERE article_id <> :article_id AND (day IS NULL OR day BETWEEN :earliest AND :latest)
ORDER BY shared DESC, article_id DESC LIMIT 16
"""
"""Rows (article_id, fingerprint) of the articles that may tell the same story, best first."""

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
    does (digest/editorial/vocabulary.toml).
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
