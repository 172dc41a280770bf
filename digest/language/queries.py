"""What somebody searches for: words and quoted phrases in all their forms, and where a text has them."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Sequence

from digest.language.text import ELLIPSIS, WORD, cut, fold_keep, plain, plain_places, words
from digest.language.words import index_forms, is_cyrillic, query_forms

Way = tuple[str, ...]
"""The tokens of one form of a word or phrase, next to each other in the index."""
Wanted = tuple[Way, ...]
"""A word or phrase in each of its forms; a text must have one of them."""
Piece = tuple[str, bool]
"""A part of a text, and whether it is what was searched for."""
_QUOTED = re.compile(r'["“„«]([^"“”„«»]+)["“”»]|([^"“”„«»]+)')
_TOKEN = re.compile(r"[^\W_]+")
_MOST_WAYS = 64
"""Forms of a phrase; beyond them each further word counts in its likeliest form."""
_MOST_WORDS = 200
_LONGEST_PHRASE = 12
_LONGEST = 20_000
"""Characters of a text in which an excerpt is looked for."""
_BEFORE = 60
"""Characters of an excerpt before the first word found."""


def wanted_of(query: str) -> list[Wanted]:
    """The words and quoted phrases of a query, each once, at most _MOST_WORDS."""
    wanted: dict[Wanted, None] = {}
    for quoted, loose in _QUOTED.findall(query):
        forms = query_forms(quoted or loose)[:_MOST_WORDS]
        for one in [forms] if quoted and _is_phrase(quoted) else [[word] for word in forms]:
            wanted[tuple(dict.fromkeys(_ways(one)))] = None
    return list(wanted)[:_MOST_WORDS]


def _is_phrase(quoted: str) -> bool:
    """Not where it repeats a word: to look for "the the the" takes seconds in a million articles."""
    listed = words(quoted)
    return len(set(listed)) == len(listed) <= _LONGEST_PHRASE


def _ways(forms: Sequence[Sequence[str]]) -> list[Way]:
    ways: list[Way] = [()]
    for options in forms:
        fits = len(ways) * len(options) <= _MOST_WAYS
        tokens = [_tokens(one) for one in (options if fits else options[:1])]
        ways = [(*way, *more) for way in ways for more in tokens]
    return ways


def _tokens(form: str) -> list[str]:
    """As the full-text index splits it: at hyphens and apostrophes, Latin letters without marks."""
    if not form.isascii() and not is_cyrillic(form):
        parts = unicodedata.normalize("NFD", form)
        form = "".join(sign for sign in parts if not unicodedata.combining(sign))
    return _TOKEN.findall(form)


def places_of(text: str, language: str, wanted: Sequence[Wanted]) -> list[tuple[int, int, int]]:
    """Where a text has what is wanted, in whatever form: start, end, and the number in `wanted`."""
    by_first: defaultdict[str, list[tuple[Way, int]]] = defaultdict(list)
    for number, ways in enumerate(wanted):
        for way in ways:
            by_first[way[0]].append((way, number))
    seen = plain(text)
    at = range(len(text) + 1) if seen == text else plain_places(text)
    stream = [
        (token, at[word.start()], at[word.end() - 1] + 1)
        for word in WORD.finditer(fold_keep(seen))
        for token in _tokens(index_forms(word[0], language))
    ]
    return [
        (start, stream[place + len(way) - 1][2], number)
        for place, (token, start, _) in enumerate(stream)
        for way, number in by_first.get(token, ())
        if tuple(one for one, _, _ in stream[place : place + len(way)]) == way
    ]


def excerpt(text: str, language: str, wanted: Sequence[Wanted], limit: int = 240) -> list[Piece]:
    """About `limit` characters around most of the words wanted; the beginning where there are none."""
    parts = (" ".join(part.split()) for part in text[:_LONGEST].split("\n\n"))
    text = " · ".join(filter(None, parts))
    found = places_of(text, language, wanted)
    if not found:
        return [(cut(text, limit), False)] if text else []
    near = limit - _BEFORE

    def holds(start: int) -> int:
        return len({which for at, end, which in found[:500] if start <= at and end <= start + near})

    first = max((start for start, _, _ in found[:500]), key=lambda start: (holds(start), -start))
    begin = 0 if first <= _BEFORE else text.find(" ", first - _BEFORE, first) + 1 or first
    end = len(text)
    if begin + limit < end:
        last = next(end for start, end, _ in found if start == first)
        end = max(text.rfind(" ", begin, begin + limit), last)
    pieces = list(_pieces(text, begin, end, found))
    if begin:
        pieces.insert(0, (ELLIPSIS, False))
    return [*pieces, (ELLIPSIS, False)] if end < len(text) else pieces


def _pieces(
    text: str, begin: int, end: int, found: Sequence[tuple[int, int, int]]
) -> Iterator[Piece]:
    """The text between two places; words found that follow each other are one piece."""
    marks: list[tuple[int, int]] = []
    for start, stop, _ in sorted(found):
        if start < begin or stop > end:
            continue
        if marks and not text[marks[-1][1] : start].strip():
            marks[-1] = marks[-1][0], max(stop, marks[-1][1])
        else:
            marks.append((start, stop))
    for start, stop in marks:
        if text[begin:start]:
            yield text[begin:start], False
        yield text[start:stop], True
        begin = stop
    if text[begin:end]:
        yield text[begin:end], False
