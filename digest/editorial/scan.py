"""Finds the terms of a lexicon in a text, in one pass and in time linear in its length.

An Aho-Corasick automaton over the beginnings of the terms' first words finds where a term may
begin. The whole word is then looked up, and the words after it where a phrase asks for them. What a
word means is remembered, so that English words are stemmed only when new.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice, repeat
from typing import NamedTuple, TypeVar

from ahocorasick_rs import AhoCorasick, MatchKind

from digest.editorial.symbols import Vocabulary
from digest.editorial.terms import LETTERS, MOST_BETWEEN, Slot

T = TypeVar("T")

REMEMBERED = 100_000
"""How many different words a finder remembers; later ones are looked up each time."""

_LONGEST_WORD = 60
_WINDOW = 100  # no gap of MOST_BETWEEN usual words is longer
_MOST_SMALL = 3  # small words in a row within a phrase: "by means of the"
_HALF = re.compile(r"[\ud800-\udfff]")
_PAIR = re.compile(r"([^\W_]++)(?: [^\W_]++)?")
_BREAK = re.compile(r"[.!?…;,:]|\n\n")
_END = re.compile(r"[.!?…;]\s|\n\n")
# After these, most of what a word could begin need not be looked for: _END and _BREAK made cheap.
_ENDED = frozenset(sign + space for sign in ".!?…;" for space in " \n")
_BROKEN = _ENDED | {", ", ",\n", ": ", ":\n"}
_FEW = re.compile(r"[\W_]*+([^\W_]*+)" * (MOST_BETWEEN + 1))


Found = tuple[int, int, int]
"""A term in a text: where it starts and ends, and the term's number."""


class Step(NamedTuple):
    """The next word of a phrase: one of these symbols, after these small words or after a gap."""

    symbols: frozenset[int]
    before: tuple[str, ...]
    gap: bool


Phrase = tuple[int, tuple[Step, ...]]
"""A term's number and what must follow its first word."""


Far = tuple[frozenset[int], tuple[Phrase, ...]] | tuple[()]
"""The phrases with a gap after their first word, behind all symbols that may follow that gap."""


class Meaning(NamedTuple):
    """What a written word can be: the terms that it is, and the phrases that it begins.

    `near` holds the phrases by the symbol of the word that must follow at once, `far` those with a
    gap there.
    """

    terms: tuple[int, ...]
    near: Mapping[int, Sequence[Phrase]]
    far: Far


class Open(NamedTuple):
    """Phrases that a written word or two begin, and that go on: from their second, at once or far."""

    begun: tuple[Phrase, ...]
    near: Mapping[int, Sequence[Phrase]]
    far: Far


Pair = tuple[tuple[int, ...], tuple[int, ...], Open | None]
"""What two written words, or one, are: the terms of both, of the first, and phrases that go on."""


Next = tuple[int, frozenset[int], tuple[str, ...]]
"""The word after another: where it ends, its symbols, and the small words before it."""


class Finder:
    """Finds terms of one language, or of several at once.

    Args:
        terms: number, language and slots of each term.
        forms: every folded form of a folded Russian word, itself among them.
    """

    def __init__(
        self,
        terms: Iterable[tuple[int, str, tuple[Slot, ...]]],
        forms: Callable[[str], Sequence[str]],
    ) -> None:
        self._vocabulary = Vocabulary(forms)
        self._singles: dict[int, list[int]] = {}
        self._starts: dict[int, list[Phrase]] = {}
        small: set[str] = set()
        for number, language, slots in terms:
            steps = tuple(self._step(language, slot) for slot in slots)
            small.update(word for step in steps for word in step.before)
            for symbol in steps[0].symbols:
                if len(steps) == 1:
                    self._singles.setdefault(symbol, []).append(number)
                else:
                    self._starts.setdefault(symbol, []).append((number, steps[1:]))
        self._small = frozenset(small)
        self._symbols = _Memory(self._symbols_of)
        self._meanings = _Memory(self._meaning)
        self._pairs = _Memory(self._pair)
        anchors = self._vocabulary.anchors({*self._singles, *self._starts})
        # Leftmost: an anchor inside a word must not hide the one that the word begins with.
        self._automaton = AhoCorasick(anchors, MatchKind.LeftmostFirst)

    def find(self, text: str) -> Iterator[Found]:
        """Every term in a text folded by `prose.fold_keep`, by the place of its first word.

        Of those that start together the longer come first, then those of the lower number.
        """
        pairs = list(filter(None, map(_PAIR.match, repeat(text), self._starts_in(text))))
        known = map(self._pairs.__getitem__, map(re.Match.group, pairs))
        for pair, (both, terms, more) in zip(pairs, known, strict=True):
            start, end = pair.span(1)
            longer: list[Found] = []
            if more is not None and text[end : end + 2] not in _ENDED:
                longer = self._phrases(text, start, pair, more)
            if longer:
                longer += [(start, pair.end(), number) for number in both]
                longer += [(start, end, number) for number in terms]
                yield from sorted(longer, key=_longest_first)
                continue
            for number in both:
                yield start, pair.end(), number
            for number in terms:
                yield start, end, number

    def _starts_in(self, text: str) -> list[int]:
        """Where a word starts that may begin a term."""
        try:
            found = self._automaton.find_matches_as_indexes(text)
        except UnicodeEncodeError:  # half of a UTF-16 pair, which no word holds
            found = self._automaton.find_matches_as_indexes(_HALF.sub(" ", text))
        return [start for _, start, _ in found if not start or not text[start - 1].isalnum()]

    def _phrases(self, text: str, start: int, pair: re.Match[str], more: Open) -> list[Found]:
        """Those phrases of `more`, which the words of `pair` begin, that are there to their end."""
        begun, near, far = more
        end = pair.end(1)
        found: list[Found] = []
        for number, steps in begun:
            if last := self._followed(text, pair.end(), steps):
                found.append((start, last, number))
        if near and text[end : end + 2] not in _BROKEN:
            found += self._near(text, start, end, near)
        if far:
            found += self._far(text, start, end, *far)
        return found

    def _pair(self, written: str) -> Pair:
        """What a word is, by the word that follows it after a space, if one does."""
        word, _, second = written.partition(" ")
        terms, near, far = self._meanings[word]
        both: tuple[int, ...] = ()
        begun: tuple[Phrase, ...] = ()
        if second in self._small:
            near = _after(near, second)
        elif near and second:
            following = self._symbols[second]
            phrases = {p for s in following for p in near.get(s, ()) if not p[1][0].before}
            both = tuple(sorted(number for number, steps in phrases if len(steps) == 1))
            begun = tuple((number, steps[1:]) for number, steps in phrases if len(steps) > 1)
            near = {}
        return both, terms, Open(begun, near, far) if begun or near or far else None

    def _near(
        self, text: str, start: int, end: int, near: Mapping[int, Sequence[Phrase]]
    ) -> Iterable[Found]:
        """The phrases whose first word is [start, end) and whose second follows at once."""
        following = self._next(text, end)
        if following is None or not following[1]:
            return ()
        phrases = {phrase for symbol in following[1] for phrase in near.get(symbol, ())}
        ends = ((self._followed(text, end, steps), number) for number, steps in phrases)
        return [(start, last, number) for last, number in ends if last]

    def _far(
        self, text: str, start: int, end: int, wanted: frozenset[int], phrases: Sequence[Phrase]
    ) -> Iterable[Found]:
        """The phrases whose first word is [start, end) and whose second follows after a gap."""
        few = _FEW.match(text, end, end + _WINDOW)
        following = map(self._symbols.__getitem__, few.groups() if few else ())
        if wanted.isdisjoint(chain.from_iterable(following)):
            return ()
        ends = ((self._followed(text, end, steps), number) for number, steps in phrases)
        return [(start, last, number) for last, number in ends if last]

    def _followed(self, text: str, end: int, steps: tuple[Step, ...]) -> int:
        """Where the last of `steps` ends if they follow one another from `end`; else 0."""
        for step in steps:
            end = self._within_gap(text, end, step) if step.gap else self._at_once(text, end, step)
            if not end:
                return 0
        return end

    def _at_once(self, text: str, end: int, step: Step) -> int:
        word = self._next(text, end)
        if word is None or word[2] != step.before or step.symbols.isdisjoint(word[1]):
            return 0
        return word[0]

    def _within_gap(self, text: str, end: int, step: Step) -> int:
        for match in islice(LETTERS.finditer(text, end, end + _WINDOW), MOST_BETWEEN + 1):
            if _END.search(text[end : match.start()]):
                return 0
            end = match.end()
            if not step.symbols.isdisjoint(self._symbols[match.group()]):
                return end
        return 0

    def _next(self, text: str, end: int) -> Next | None:
        """The next word that is not small, unless a sentence or a part of one ends before it."""
        if text.startswith("'s", end):
            end += 2
        before: tuple[str, ...] = ()
        while match := LETTERS.search(text, end):
            start = match.start()
            if start - end > 1 and _BREAK.search(text[end:start]):
                return None
            word = match.group()
            if word not in self._small or len(before) == _MOST_SMALL:
                return match.end(), self._symbols[word], before
            before = (*before, word)
            end = match.end()
        return None

    def _step(self, language: str, slot: Slot) -> Step:
        symbols = frozenset(self._vocabulary.symbol(language, word) for word in slot.words)
        return Step(symbols, slot.before, slot.gap)

    def _symbols_of(self, word: str) -> frozenset[int]:
        return self._vocabulary.symbols(word[:_LONGEST_WORD])

    def _meaning(self, word: str) -> Meaning:
        symbols = self._symbols[word]
        terms = {term for symbol in symbols for term in self._singles.get(symbol, ())}
        near: dict[int, list[Phrase]] = {}
        far: list[Phrase] = []
        for phrase in {p for symbol in symbols for p in self._starts.get(symbol, ())}:
            first = phrase[1][0]
            if first.gap:
                far.append(phrase)
            else:
                for symbol in first.symbols:
                    near.setdefault(symbol, []).append(phrase)
        wanted = frozenset(symbol for _, steps in far for symbol in steps[0].symbols)
        return Meaning(tuple(sorted(terms)), near, (wanted, tuple(far)) if far else ())


def _after(near: Mapping[int, Sequence[Phrase]], small: str) -> Mapping[int, Sequence[Phrase]]:
    """Those phrases of `near` that go on with this small word."""
    kept = {
        symbol: [phrase for phrase in phrases if phrase[1][0].before[:1] == (small,)]
        for symbol, phrases in near.items()
    }
    return {symbol: phrases for symbol, phrases in kept.items() if phrases}


def _longest_first(found: Found) -> tuple[int, int]:
    return -found[1], found[2]


class _Memory(dict[str, T]):
    """Looks a word up once and remembers it, for at most REMEMBERED words of usual length."""

    def __init__(self, look_up: Callable[[str], T]) -> None:
        super().__init__()
        self._look_up = look_up

    def __missing__(self, word: str) -> T:
        found = self._look_up(word)
        if len(self) < REMEMBERED and len(word) <= _LONGEST_WORD:
            self[word] = found
        return found
