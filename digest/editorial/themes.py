"""Files an article under its themes, and shows by which words. docs/themes.md says how, in prose.

For each theme the title and every sentence get a value: the weights of the different terms in it,
at most MOST. The score is the title's value and those of the best few sentences; the longer the
text, the more of them it takes for the same score. So length alone neither helps nor harms.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from itertools import accumulate
from math import ceil

from digest.editorial.lexicon import Lexicon, Role
from digest.editorial.reading import Reading
from digest.model import Hit, Match, Place, ThemeScore
from digest.prose import fold_keep

TITLE = 1.0
FIRST = 1.0
SECOND = 0.85
LATER = 0.65
"""What a value counts in the title, in the first sentence, in the second, and after it."""

LISTED = 0.3
"""What is left of a term's weight where it is one of four or more things listed."""

MOST = 1.6
"""The highest value of a title or a sentence."""

SHARE = 10
EXTRA = 1
"""The values of the best n / SHARE + EXTRA of n sentences are added and divided by n / SHARE, which
is never less than 1: two sentences decide on up to SHARE, four on three times as many."""

_TITLE = -1  # the title as a unit beside the sentences, which count from 0

# Read once: a look-up in an Enum costs as much as the rest of the work on a word.
_COUNTS, _BESIDE, _COMPANION, _IGNORE = Role.COUNTS, Role.BESIDE, Role.COMPANION, Role.IGNORE
_IN_TITLE, _IN_LEAD, _IN_BODY = Place.TITLE, Place.LEAD, Place.BODY

Mark = tuple[int, int, int, int]
"""A term where it stands: the sentence or _TITLE, start, end with a minus, the term's number.

So marks sort as they stand, and of two that start together the longer one comes first.
"""


def classify(lexicon: Lexicon, *, title: str, text: str, language: str) -> tuple[ThemeScore, ...]:
    """How an article stands to every theme, best first, those that it does not reach too.

    `text` has its paragraphs parted by an empty line. Where `language` is not one of ours, the terms
    of all languages count. A hit's offsets are those of `title` (Place.TITLE) or of `text`; the
    score is the sum of the hits' weights.
    """
    finder = lexicon.finder(language)
    in_text = finder.find(fold_keep(text))
    reading = Reading(text)
    marks: list[list[Mark]] = [[] for _ in lexicon.themes]
    theme_of = lexicon.theme_of
    for start, end, number in finder.find(fold_keep(title)):
        marks[theme_of[number]].append((_TITLE, start, -end, number))
    starts = reading.starts
    for start, end, number in in_text:
        sentence = bisect_right(starts, start) - 1
        marks[theme_of[number]].append((sentence, start, -end, number))
    article = Article(lexicon, reading, title, text)
    scores = [
        article.score(key, threshold, sorted(found)) if found else ThemeScore(key, 0.0, threshold)
        for found, (key, threshold) in zip(marks, lexicon.themes, strict=True)
    ]
    return tuple(sorted(scores, key=lambda score: -score.score / score.threshold))


def matches(scores: Sequence[ThemeScore], version: str) -> tuple[Match, ...]:
    """The themes that the article reaches, as the lexicon of that version files it."""
    return tuple(
        Match(s.theme, s.score, s.threshold, "lexicon", version, s.hits, s.blotted)
        for s in scores
        if s.matched
    )


class Article:
    """One article while it is held against each theme."""

    def __init__(self, lexicon: Lexicon, reading: Reading, title: str, text: str) -> None:
        self._terms = lexicon.terms
        self._roles = lexicon.roles
        self._weights = lexicon.weights
        self._reading = reading
        self._title = title
        self._text = text

    def score(self, key: str, threshold: float, marks: list[Mark]) -> ThemeScore:
        """Its score for one theme by that theme's marks, which are sorted."""
        roles = {self._roles[mark[3]] for mark in marks}
        if _COUNTS not in roles and not {_BESIDE, _COMPANION} <= roles:
            return ThemeScore(key, 0.0, threshold)
        left, blots = self._without_blotted(marks)
        units: dict[int, list[Mark]] = {}
        for mark in left:
            units.setdefault(mark[0], []).append(mark)
        weighed = {unit: self._weighed(unit, found) for unit, found in units.items()}
        shares = _shares(weighed, len(self._reading))
        hits = tuple(
            self._hit(mark, weight * shares[unit])
            for unit, pairs in weighed.items()
            for mark, weight in pairs
        )
        blotted = tuple(self._hit(mark, 0.0) for mark in blots)
        total = round(sum([hit.weight for hit in hits]), 3)
        return ThemeScore(key, total, threshold, hits, blotted)

    def _without_blotted(self, marks: list[Mark]) -> tuple[list[Mark], list[Mark]]:
        """The marks that are left, and the phrases that do not count and covered a counting one."""
        roles = self._roles
        blots = [mark for mark in marks if roles[mark[3]] is _IGNORE]
        if not blots:
            return marks, []
        starts = [mark[:2] for mark in blots]
        reach = list(accumulate(blots, _further))
        left: list[Mark] = []
        used: set[Mark] = set()
        for mark in marks:
            unit, start, back, number = mark
            role = roles[number]
            if role is _IGNORE:
                continue
            before = bisect_left(starts, (unit, -back))
            over = reach[before - 1] if before else None
            if over is None or over[0] != unit or -over[2] <= start:
                left.append(mark)
            elif role is _COUNTS:
                used.add(over)
        return left, [mark for mark in blots if mark in used]

    def _weighed(self, unit: int, found: list[Mark]) -> list[tuple[Mark, float]]:
        """The marks of one title or sentence with what each adds to its value.

        Of marks that overlap the first and longest stays; of a term's several, the heaviest.
        """
        weights = self._weights
        counting = self._apart(found)
        lists = self._reading.lists(unit) if unit != _TITLE else ()
        best: dict[int, tuple[float, Mark]] = {}
        for mark in counting:
            number = mark[3]
            weight = weights[number]
            if lists and self._reading.listed(mark[1], -mark[2], unit):
                weight *= LISTED
            if number not in best or weight > best[number][0]:
                best[number] = (weight, mark)
        total = sum([weight for weight, _ in best.values()])
        scale = MOST / total if total > MOST else 1.0
        return [
            (mark, best[mark[3]][0] * scale if best[mark[3]][1] is mark else 0.0)
            for mark in counting
        ]

    def _apart(self, found: list[Mark]) -> list[Mark]:
        """Those of a title's or sentence's marks that count there, none over another."""
        roles = [self._roles[mark[3]] for mark in found]
        if roles == [_COUNTS]:
            return found
        if _COUNTS not in roles and _COMPANION not in roles:
            return []
        kept: list[Mark] = []
        end = 0
        for mark, role in zip(found, roles, strict=True):
            if mark[1] >= end and role is not _COMPANION:
                kept.append(mark)
                end = -mark[2]
        return kept

    def _hit(self, mark: Mark, weight: float) -> Hit:
        unit, start, back, number = mark
        written = self._terms[number].written
        if unit == _TITLE:
            return Hit(written, self._title[start:-back], _IN_TITLE, start, -back, round(weight, 3))
        place = _IN_LEAD if start < self._reading.lead_end else _IN_BODY
        return Hit(written, self._text[start:-back], place, start, -back, round(weight, 3))


def _shares(weighed: Mapping[int, list[tuple[Mark, float]]], sentences: int) -> dict[int, float]:
    """What part of its value each title or sentence adds to the score."""
    placed: dict[int, float] = {}
    for unit, pairs in weighed.items():
        if unit != _TITLE:
            placed[unit] = sum([weight for _, weight in pairs]) * _position(unit)
    over = max(1.0, sentences / SHARE)
    most = ceil(over) + EXTRA
    best = sorted(placed, key=lambda unit: -placed[unit])[:most] if len(placed) > most else placed
    shares = dict.fromkeys(placed, 0.0)
    for unit in best:
        shares[unit] = _position(unit) / over
    shares[_TITLE] = TITLE
    return shares


def _position(unit: int) -> float:
    return (FIRST, SECOND)[unit] if unit < 2 else LATER


def _further(one: Mark, other: Mark) -> Mark:
    """The one of two marks that ends later."""
    return one if (one[0], -one[2]) >= (other[0], -other[2]) else other
