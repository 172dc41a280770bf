"""Files an article under its themes, and shows by which words. docs/themes.md says how, in prose."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from itertools import accumulate
from math import ceil

from digest.language.days import dateline_end
from digest.language.text import fold_keep, sentence_spans
from digest.model import Hit, Match, Place, ThemeScore
from digest.themes.lexicon import Lexicon, Role

_COMMA = re.compile(r"[,;]\s")
_LAST_ITEM = re.compile(r"(?:^|\s)(?:and|or|as well as|и|или|а также|we|hem-de)\s")

_CLAUSE = re.compile(
    r"\s*(?:who|which|where|when|that|котор\w*|где|когда|что|чтобы|[а-яё]+(?:вш|дш|ющ|ящ)[а-яё]{2,3})\b"
)

_LONGEST_ITEM = 45
_EDGE_ITEM = 28  # the first and the last member of a list have no comma at their far end
_LONGEST_HEADING = 90


class Reading:
    """The sentences of one text, whose paragraphs are parted by an empty line.

    `starts` holds where each sentence starts, `lead_end` where the first paragraph that is no
    heading ends. A dateline is no sentence: it belongs to the first one.
    """

    def __init__(self, text: str) -> None:
        own = dateline_end(text)
        self.starts = [0, *(start for start, _ in sentence_spans(text)[1:] if start > own)]
        self.lead_end = _lead_end(text, own)
        self._text = text
        self._own = own
        self._lists: dict[int, Sequence[tuple[int, int]]] = {}

    def __len__(self) -> int:
        return len(self.starts)

    def lists(self, sentence: int) -> Sequence[tuple[int, int]]:
        """Where the sentence of that number lists four or more things."""
        known = self._lists.get(sentence)
        if known is None:
            first = self.starts[sentence]
            last = self.starts[sentence + 1] if sentence + 1 < len(self) else len(self._text)
            known = self._lists[sentence] = enumerations(self._text, max(first, self._own), last)
        return known

    def listed(self, start: int, end: int, sentence: int) -> bool:
        """Whether [start, end) is one of four or more things that its sentence lists."""
        lists = self.lists(sentence)
        nearest = bisect_right(lists, (start, len(self._text)))
        if not nearest or lists[nearest - 1][1] < end > lists[max(0, nearest - 2)][1]:
            return False
        return "," not in self._text[start:end]


def enumerations(text: str, start: int, end: int) -> Sequence[tuple[int, int]]:
    """Where [start, end) lists four or more things: "a, b, c and d" or "a, b, c, d".

    A list is known by its short members between commas; with one comma alone it could as well be a
    clause. Its first member is the last words before the first comma, its last the words after
    "and", or after the last comma.
    """
    if text.count(",", start, end) + text.count(";", start, end) < 2:
        return ()
    commas = [match.start() for match in _COMMA.finditer(text, start, end)]
    found: list[tuple[int, int]] = []
    first = 0
    while first < len(commas) - 1:
        last = first
        while last + 1 < len(commas) and _is_item(text, commas[last] + 1, commas[last + 1]):
            last += 1
        if last > first:
            after = commas[last + 1] if last + 1 < len(commas) else end
            reach = min(after, commas[last] + _LONGEST_ITEM)
            final = _LAST_ITEM.search(text, commas[last] + 1, reach)
            if final or last - first > 1:
                close = (final.end() if final else commas[last]) + _EDGE_ITEM
                found.append((max(start, commas[first] - _EDGE_ITEM), min(after, close)))
        first = last + 1
    return found


def _is_item(text: str, start: int, end: int) -> bool:
    """Whether what stands between two commas can be a member of a list, and is no clause."""
    if end - start > _LONGEST_ITEM:
        return False
    item = text[start:end]
    return not (":" in item or "—" in item or "–" in item or _CLAUSE.match(item))


def _lead_end(text: str, start: int) -> int:
    while (end := text.find("\n\n", start)) >= 0:
        if end - start > _LONGEST_HEADING or text[end - 1 : end] in (".", "!", "?", "…", "»", "”"):
            return end
        start = end + 2
    return len(text)


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
"""A term where it stands: the sentence or _TITLE, start, end, the term's number.

A theme's marks are in the order in which they stand; of two that start together the longer is first.
"""

Weighed = list[tuple[Mark, float]]
"""The marks of one title or sentence with what each adds to its value."""


def classify(lexicon: Lexicon, *, title: str, text: str, language: str) -> tuple[ThemeScore, ...]:
    """How an article stands to every theme, best first, those that it does not reach too.

    `text` has its paragraphs parted by an empty line. Where `language` is not one of ours, the terms
    of all languages count. A hit's offsets are those of `title` (Place.TITLE) or of `text`; the
    score is the sum of the hits' weights.
    """
    finder = lexicon.finder(language)
    reading = Reading(text)
    # By role first: what blots out is asked for only where it was found.
    marks: list[list[Mark]] = [[] for _ in lexicon.themes]
    blots: list[list[Mark]] = [[] for _ in lexicon.themes]
    kinds = lexicon.kinds
    for start, end, number in finder.find(fold_keep(title)):
        theme, role = kinds[number]
        (blots if role is _IGNORE else marks)[theme].append((_TITLE, start, end, number))
    starts = reading.starts
    for start, end, number in finder.find(fold_keep(text)):
        theme, role = kinds[number]
        sentence = bisect_right(starts, start) - 1
        (blots if role is _IGNORE else marks)[theme].append((sentence, start, end, number))
    article = Article(lexicon, reading, title, text)
    scores = [
        article.score(key, threshold, found, over) if found else ThemeScore(key, 0.0, threshold)
        for (key, threshold), found, over in zip(lexicon.themes, marks, blots, strict=True)
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
        self._written = lexicon.written
        self._weights = lexicon.weights
        self._roles = lexicon.roles
        self._reading = reading
        self._title = title
        self._text = text
        self._over = max(1.0, len(reading) / SHARE)
        self._most = ceil(self._over) + EXTRA

    def score(self, key: str, threshold: float, marks: list[Mark], blots: list[Mark]) -> ThemeScore:
        """Its score for one theme by that theme's marks and those that blot them out."""
        used: list[Mark] = []
        if blots:
            marks, used = self._without_blotted(marks, blots)
        units: dict[int, list[Mark]] = {}
        for mark in marks:
            if mark[0] in units:
                units[mark[0]].append(mark)
            else:
                units[mark[0]] = [mark]
        weighed = {
            unit: pairs for unit, found in units.items() if (pairs := self._weighed(unit, found))
        }
        beyond = self._beyond(weighed)
        hits: list[Hit] = []
        for unit, pairs in weighed.items():
            hits += self._hits(unit, pairs, 0.0 if unit in beyond else self._share(unit))
        total = round(sum([hit.weight for hit in hits]), 3)
        blotted = [hit for mark in used for hit in self._hits(mark[0], [(mark, 0.0)], 0.0)]
        return ThemeScore(key, total, threshold, tuple(hits), tuple(blotted))

    def _without_blotted(
        self, marks: list[Mark], blots: list[Mark]
    ) -> tuple[list[Mark], list[Mark]]:
        """The marks that are left, and the phrases that do not count and covered a counting one."""
        starts = [mark[:2] for mark in blots]
        reach = list(accumulate(blots, _further))
        left: list[Mark] = []
        used: set[Mark] = set()
        for mark in marks:
            unit, start, end, number = mark
            before = bisect_left(starts, (unit, end))
            over = reach[before - 1] if before else None
            if over is None or over[0] != unit or over[2] <= start:
                left.append(mark)
            elif self._roles[number] is _COUNTS:
                used.add(over)
        return left, [mark for mark in blots if mark in used]

    def _weighed(self, unit: int, found: list[Mark]) -> Weighed:
        """The marks of one title or sentence with what each adds to its value.

        Of marks that overlap the first and longest stays; of a term's several, the heaviest.
        """
        weights = self._weights
        counting = self._apart(found)
        if not counting:
            return []
        lists = self._reading.lists(unit) if unit != _TITLE else ()
        if len(counting) == 1 and not lists:
            weight = weights[counting[0][3]]
            return [(counting[0], weight * (MOST / weight) if weight > MOST else weight)]
        best: dict[int, tuple[float, Mark]] = {}
        for mark in counting:
            number = mark[3]
            weight = weights[number]
            if lists and self._reading.listed(mark[1], mark[2], unit):
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
        roles = self._roles
        kept: list[Mark] = []
        end = 0
        counts = False
        for mark in found:
            role = roles[mark[3]]
            if role is not _BESIDE:
                counts = True
            if role is not _COMPANION and mark[1] >= end:
                kept.append(mark)
                end = mark[2]
        return kept if counts else []

    def _beyond(self, weighed: Mapping[int, Weighed]) -> Collection[int]:
        """The sentences that add nothing, since enough others have a higher value."""
        if len(weighed) - (_TITLE in weighed) <= self._most:
            return ()
        values = {
            unit: sum([weight for _, weight in pairs]) * _position(unit)
            for unit, pairs in weighed.items()
            if unit != _TITLE
        }
        return set(sorted(values, key=values.__getitem__, reverse=True)[self._most :])

    def _share(self, unit: int) -> float:
        """What part of its value a title or sentence adds to the score."""
        return TITLE if unit == _TITLE else _position(unit) / self._over

    def _hits(self, unit: int, pairs: Weighed, share: float) -> list[Hit]:
        """The marks of one title or sentence, of whose value that share is added to the score."""
        written = self._written
        if unit == _TITLE:
            text, lead_end, lead = self._title, len(self._title), _IN_TITLE
        else:
            text, lead_end, lead = self._text, self._reading.lead_end, _IN_LEAD
        return [
            Hit(
                written[number],
                text[start:end],
                lead if start < lead_end else _IN_BODY,
                start,
                end,
                _rounded(weight * share),
            )
            for (_, start, end, number), weight in pairs
        ]


@lru_cache(maxsize=4096)
def _rounded(weight: float) -> float:
    """A weight as it is shown; remembered, since rounding takes as long as the rest of a hit."""
    return round(weight, 3)


def _position(unit: int) -> float:
    return (FIRST, SECOND)[unit] if unit < 2 else LATER


def _further(one: Mark, other: Mark) -> Mark:
    """The one of two marks that ends later."""
    return one if (one[0], one[2]) >= (other[0], other[2]) else other
