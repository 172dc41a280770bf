"""Files an article under its themes, and shows by which words. docs/themes.md explains the rules."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate
from math import ceil

from digest.language.days import dateline_end
from digest.language.text import fold_keep, plain, sentence_spans
from digest.model import Hit, Match, Place, ThemeScore
from digest.themes.lexicon import PLAIN, Lexicon, Role

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

_COMMA = re.compile(r"[,;]\s")
_LAST_ITEM = re.compile(r"(?:^|\s)(?:and|or|as well as|и|или|а также|we|hem-de)\s")
_CLAUSE = re.compile(
    r"\s*(?:who|which|where|when|that|or|или|то есть|котор\w*|где|когда|что|чтобы|[а-яё]+(?:вш|дш|ющ|ящ)[а-яё]{2,3})\b"
)
_LONGEST_ITEM = 45
_EDGE_ITEM = 28  # the first and the last member of a list have no comma at their far end
_LONGEST_HEADING = 90

_TITLE = -1  # the title as a unit beside the sentences, which count from 0
_POSITIONS = {_TITLE: TITLE, 0: FIRST, 1: SECOND}
_PLACES = {_TITLE: "", 0: "", 1: "second sentence"}
# Read once: a look-up in an Enum costs as much as the rest of the work on a word.
_COUNTS, _BESIDE, _COMPANION, _IGNORE = Role.COUNTS, Role.BESIDE, Role.COMPANION, Role.IGNORE
_OURS, _OTHERS = Role.OURS, Role.OTHERS
_IN_TITLE, _IN_LEAD, _IN_BODY = Place.TITLE, Place.LEAD, Place.BODY
Mark = tuple[int, int, int, int]
"""A term in an article: the sentence or _TITLE, start, end, the term's number.

A theme's marks are in the order of the text; of two that start together the longer is first.
"""


class Reading:
    """One article by its sentences; empty lines separate the paragraphs of `text`.

    `starts` holds where each sentence starts, `lead_end` where the first paragraph that is not a
    heading ends. A dateline is not a sentence: it belongs to the first one.
    """

    def __init__(self, text: str, title: str = "") -> None:
        self.title, self.text = title, text
        self._dateline = start = dateline_end(text)
        self.starts = [0, *(first for first, _ in sentence_spans(text)[1:] if first > start)]
        while (end := text.find("\n\n", start)) >= 0:
            if end - start > _LONGEST_HEADING or text[end - 1 : end] in tuple(".!?…»”"):
                break
            start = end + 2
        self.lead_end = end if end >= 0 else len(text)
        self._lists: dict[int, Sequence[tuple[int, int]]] = {}

    def __len__(self) -> int:
        return len(self.starts)

    def unit(self, unit: int) -> str:
        """The title, or that sentence."""
        return self.title if unit == _TITLE else self.text[slice(*self._span(unit))]

    def _span(self, unit: int) -> tuple[int, int]:
        end = self.starts[unit + 1] if unit + 1 < len(self) else len(self.text)
        return self.starts[unit], end

    def lists(self, unit: int) -> Sequence[tuple[int, int]]:
        """Where that sentence lists four or more things; nowhere in the title."""
        if unit == _TITLE:
            return ()
        if unit not in self._lists:
            start, end = self._span(unit)
            self._lists[unit] = enumerations(self.text, max(start, self._dateline), end)
        return self._lists[unit]


def enumerations(text: str, start: int, end: int) -> Sequence[tuple[int, int]]:
    """Where [start, end) lists four or more things: "a, b, c and d" or "a, b, c, d".

    Short members between commas make a list; with one comma alone it could as well be a clause. Its
    first member is the last words before the first comma, its last the words after "and", or after
    the last comma.
    """
    if text.count(",", start, end) + text.count(";", start, end) < 2:
        return ()
    commas = [match.start() for match in _COMMA.finditer(text, start, end)]

    def is_item(comma: int) -> bool:
        """Whether the text from this comma to the next is a member of a list and not a clause."""
        if commas[comma + 1] - commas[comma] - 1 > _LONGEST_ITEM:
            return False
        item = text[commas[comma] + 1 : commas[comma + 1]]
        return not (":" in item or "—" in item or "–" in item or _CLAUSE.match(item))

    lists: list[tuple[int, int]] = []
    first = 0
    while first < len(commas) - 1:
        last = first
        while last + 1 < len(commas) and is_item(last):
            last += 1
        if last > first:
            after = commas[last + 1] if last + 1 < len(commas) else end
            reach = min(after, commas[last] + _LONGEST_ITEM)
            final = _LAST_ITEM.search(text, commas[last] + 1, reach)
            if final or last - first > 1:
                close = (final.end() if final else commas[last]) + _EDGE_ITEM
                lists.append((max(start, commas[first] - _EDGE_ITEM), min(after, close)))
        first = last + 1
    return lists


def classify(lexicon: Lexicon, *, title: str, text: str, language: str) -> tuple[ThemeScore, ...]:
    """The article's score for every theme, best first, also for the themes that it does not reach.

    Empty lines separate the paragraphs of `text`. Where `language` is not one of ours, the terms of
    all languages count. A hit's offsets are those of `title` (Place.TITLE) or of `text`; the score
    is the sum of the hits' weights.
    """
    finder = lexicon.finder(language)
    reading = Reading(text, title)
    marks: list[list[Mark]] = [[] for _ in lexicon.themes]
    blots: list[list[Mark]] = [[] for _ in lexicon.themes]
    kinds = lexicon.kinds
    for start, end, number in finder.find_written(title):
        theme, role = kinds[number]
        (blots if role is _IGNORE else marks)[theme].append((_TITLE, start, end, number))
    starts = reading.starts
    for start, end, number in finder.find_written(text):
        theme, role = kinds[number]
        sentence = bisect_right(starts, start) - 1
        (blots if role is _IGNORE else marks)[theme].append((sentence, start, end, number))
    scores = [
        _score(lexicon, reading, i, language, marks[i], blots[i])
        if marks[i]
        else ThemeScore(theme[0], 0.0, theme[1])
        for i, theme in enumerate(lexicon.themes)
    ]
    return tuple(sorted(scores, key=lambda score: -score.score / score.threshold))


def matches(scores: Sequence[ThemeScore], version: str) -> tuple[Match, ...]:
    """The themes that the article reaches by the lexicon of that version."""
    return tuple(
        Match(s.theme, s.score, s.threshold, "lexicon", version, s.hits, s.blotted)
        for s in scores
        if s.matched
    )


def _score(
    lexicon: Lexicon,
    reading: Reading,
    theme: int,
    language: str,
    marks: list[Mark],
    blots: list[Mark],
) -> ThemeScore:
    """The score for one theme; `blots` are the phrases that ignore the marks they cover."""
    used: list[Mark] = []
    if blots:
        starts = [blot[:2] for blot in blots]
        # Up to each blot the one that ends last.
        reach = list(accumulate(blots, lambda *two: max(two, key=lambda one: (one[0], one[2]))))
        covered: dict[Mark, Mark] = {}
        for mark in marks:
            before = bisect_left(starts, (mark[0], mark[2]))
            if before and reach[before - 1][0] == mark[0] and reach[before - 1][2] > mark[1]:
                covered[mark] = reach[before - 1]
        marks = [mark for mark in marks if mark not in covered]
        counting = {blot for mark, blot in covered.items() if lexicon.kinds[mark[3]][1] is _COUNTS}
        used = [blot for blot in blots if blot in counting]
    other = _other_senses(lexicon, reading, theme, language, marks)
    if other:
        marks = [mark for mark in marks if mark not in other]
    units: dict[int, list[Mark]] = {}
    for mark in marks:
        units.setdefault(mark[0], []).append(mark)
    weighed = {
        unit: weights for unit, own in units.items() if (weights := _weigh(lexicon, reading, own))
    }
    # Only the best sentences add to the score, and each only a share of its value.
    over = max(1.0, len(reading) / SHARE)
    most = ceil(over) + EXTRA
    beyond: set[int] = set()
    if len(weighed) - (_TITLE in weighed) > most:
        values = {
            unit: sum([weight for _, weight, _ in weights]) * _POSITIONS.get(unit, LATER)
            for unit, weights in weighed.items()
            if unit != _TITLE
        }
        beyond = set(sorted(values, key=values.__getitem__, reverse=True)[most:])
    hits: list[Hit] = []
    for unit, weights in weighed.items():
        share = TITLE if unit == _TITLE else _POSITIONS.get(unit, LATER) / over
        where = _PLACES.get(unit, "later sentence")
        if unit in beyond:
            share, where = 0.0, "beyond the best sentences"
        hits += _hits(lexicon, reading, weights, share, where)
    total = round(sum([hit.weight for hit in hits]), 3)
    zero = [(blot, 0.0, "ignored") for blot in used]
    zero += [(mark, 0.0, f"another sense, {lexicon.senses[mark[3]]}") for mark in sorted(other)]
    blotted = [hit for one in zero for hit in _hits(lexicon, reading, [one], 0.0)]
    key, threshold = lexicon.themes[theme]
    return ThemeScore(key, total, threshold, tuple(hits), tuple(blotted))


def _other_senses(
    lexicon: Lexicon, reading: Reading, theme: int, language: str, marks: list[Mark]
) -> set[Mark]:
    """The marks of ambiguous terms that do not have the theme's sense.

    In a title or sentence a clear term of the theme decides, then signs of one sense alone; else a clear
    term anywhere, then the more signs in the article; where none is, the theme's if it needs no sign.
    """
    senses, kinds = lexicon.senses, lexicon.kinds
    heaviest: dict[tuple[int, str], float] = {}
    for mark in marks:
        key, weight = (mark[0], senses[mark[3]]), lexicon.weights[mark[3]]
        if heaviest.get(key, -1.0) < weight:
            heaviest[key] = weight
    told = {sense for of, sense in lexicon.told if of == theme}
    usual = [key for key in heaviest if key[1] and key[1] not in told]
    if usual and sum([lexicon.weights[mark[3]] for mark in marks]) < lexicon.themes[theme][1]:
        usual = []  # to look closer takes time, and cannot change whether the theme is reached
    ambiguous = [*usual, *(key for key in heaviest if key[1] in told)]
    if not ambiguous:
        return set()
    clear = {unit for (unit, sense), most in heaviest.items() if not sense and most >= PLAIN}
    found: dict[tuple[int, str], tuple[int, int]] = {}

    def signs(unit: int, sense: str) -> tuple[int, int]:
        """How many different signs of the other sense and of ours a title or sentence has."""
        if (unit, sense) not in found:
            finder = lexicon.finder(language, (theme, sense))
            numbers = {one[2] for one in finder.find(fold_keep(plain(reading.unit(unit))))}
            ours = sum([kinds[number][1] is _OURS for number in numbers])
            found[unit, sense] = len(numbers) - ours, ours
        return found[unit, sense]

    other: set[tuple[int, str]] = set()
    in_all: dict[str, bool] = {}
    for unit, sense in ambiguous:
        others, ours = (0, 1) if unit in clear else signs(unit, sense)
        if bool(ours) == bool(others) and not clear and sense not in in_all:
            counts = [signs(one, sense) for one in range(_TITLE, len(reading))]
            more = sum([one[1] - one[0] for one in counts])
            in_all[sense] = more > 0 if sense in told else more >= 0
        if not (ours > 0 if bool(ours) != bool(others) else clear or in_all[sense]):
            other.add((unit, sense))
        elif sense not in told and heaviest[unit, sense] >= PLAIN:
            clear.add(unit)
    return {mark for mark in marks if (mark[0], senses[mark[3]]) in other}


Weighed = tuple[Mark, float, str]
"""A mark of a title or sentence, what it adds to its value, and why that is less than its weight."""


def _weigh(lexicon: Lexicon, reading: Reading, unit: list[Mark]) -> list[Weighed]:
    """The marks of one title or sentence, with what each adds to its value.

    Of marks that overlap the first and longest stays; of a term's several, the heaviest counts.
    """
    kinds, weights = lexicon.kinds, lexicon.weights
    marks: list[Mark] = []
    last_end = 0
    counts = False
    for mark in unit:
        role = kinds[mark[3]][1]
        if role is not _BESIDE:
            counts = True
        if role is not _COMPANION and mark[1] >= last_end:
            marks.append(mark)
            last_end = mark[2]
    if not counts or not marks:
        return []
    lists = reading.lists(marks[0][0])
    if len(marks) == 1 and not lists:
        weight = weights[marks[0][3]]
        return [(marks[0], weight * (MOST / weight) if weight > MOST else weight, "")]
    best: dict[int, tuple[float, Mark, str]] = {}
    for mark in marks:
        _, start, end, number = mark
        weight, why = weights[number], ""
        nearest = bisect_right(lists, (start, len(reading.text)))
        is_listed = nearest and end <= max(lists[nearest - 1][1], lists[max(0, nearest - 2)][1])
        if is_listed and "," not in reading.text[start:end]:
            weight, why = weight * LISTED, "listed"
        if number not in best or weight > best[number][0]:
            best[number] = (weight, mark, why)
    total = sum([weight for weight, _, _ in best.values()])
    scale = MOST / total if total > MOST else 1.0
    return [
        (mark, weight * scale, why) if heaviest is mark else (mark, 0.0, "already counted")
        for mark in marks
        for weight, heaviest, why in [best[mark[3]]]
    ]


def _hits(
    lexicon: Lexicon, reading: Reading, weighed: Sequence[Weighed], share: float, where: str = ""
) -> list[Hit]:
    """The marks of one title or sentence that adds this share of its value to the score."""
    terms = lexicon.terms
    if weighed[0][0][0] == _TITLE:
        text, lead_end, lead = reading.title, len(reading.title), _IN_TITLE
    else:
        text, lead_end, lead = reading.text, reading.lead_end, _IN_LEAD
    return [
        Hit(
            terms[number].written,
            text[start:end],
            lead if start < lead_end else _IN_BODY,
            start,
            end,
            _rounded(weight * share),
            f"{why}, {where}" if why and where and weight else why or where,
        )
        for (_, start, end, number), weight, why in weighed
    ]


@lru_cache(maxsize=4096)
def _rounded(weight: float) -> float:
    """Remembered, since rounding takes as long as the rest of a hit."""
    return round(weight, 3)
