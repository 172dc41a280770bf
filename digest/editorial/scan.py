"""Finds the terms of a lexicon in a text, in one pass and in time linear in its length.

An Aho-Corasick automaton over the beginnings of the terms' first words finds where a term may
begin. The whole word is then looked up, and the words after it where a phrase asks for them. What a
word means is remembered, so that English words are stemmed only when new.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

from digest.editorial.symbols import Vocabulary
from digest.editorial.terms import LETTERS, MOST_BETWEEN, Slot

T = TypeVar("T")

REMEMBERED = 100_000
"""How many different words a finder remembers; later ones are looked up each time."""

_LONGEST_WORD = 60
_WINDOW = 100  # no gap of MOST_BETWEEN usual words is longer
_MOST_SMALL = 3  # small words in a row within a phrase: "by means of the"
_PAIR = re.compile(r"([^\W_]+)(?: ([^\W_]+))?")
_BREAK = re.compile(r"[.!?…;,:]|\n\n")
_END = re.compile(r"[.!?…;]\s|\n\n")


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
    """What a written word can be: its symbols, the terms that it is, the phrases that it begins.

    `near` holds the phrases by the symbol of the word that must follow at once, `far` those with a
    gap there.
    """

    symbols: frozenset[int]
    terms: tuple[int, ...] = ()
    near: Mapping[int, Sequence[Phrase]] = MappingProxyType({})
    far: Far = ()


class Pair(NamedTuple):
    """What two written words, or one, are: terms, phrases that end or go on there, phrases open."""

    terms: tuple[int, ...]
    ended: tuple[int, ...]
    begun: tuple[Phrase, ...]
    open: Mapping[int, Sequence[Phrase]]
    far: Far


class Next(NamedTuple):
    """The word after another: where it ends, its symbols, and the small words before it."""

    end: int
    symbols: frozenset[int]
    before: tuple[str, ...]


_NOTHING = Meaning(frozenset())


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
        self._meanings = _Memory(self._meaning)
        self._pairs = _Memory(self._pair)
        self._automaton = _automaton(self._vocabulary.anchors({*self._singles, *self._starts}))

    def find(self, text: str) -> list[Found]:
        """Every term in a text folded by `prose.fold_keep`, by the place of its first word."""
        found: list[Found] = []
        done = 0
        pairs = self._pairs
        pair = _PAIR.match
        for last, length in self._automaton.iter(text):
            start = last - length + 1
            if start < done or (start and text[start - 1].isalnum()):
                continue
            match = pair(text, start)
            if match is None:
                continue
            done = match.end(1)
            terms, ended, begun, open_, far = pairs[match.group()]
            if terms:
                found += [(start, done, number) for number in terms]
            if ended:
                found += [(start, match.end(), number) for number in ended]
            for number, steps in begun:
                if end := self._followed(text, match.end(), steps):
                    found.append((start, end, number))
            if open_:
                found += self._near(text, start, done, open_)
            if far:
                found += self._far(text, start, done, *far)
        return found

    def _pair(self, written: str) -> "Pair":
        """What a word is, by the word that follows it after a space, if one does."""
        word, _, second = written.partition(" ")
        _, terms, near, far = self._meanings[word]
        if not near or not second:
            return Pair(terms, (), (), near, far)
        if second in self._small:
            return Pair(terms, (), (), _after(near, second), far)
        following = self._meanings[second].symbols
        phrases = {p for s in following for p in near.get(s, ()) if not p[1][0].before}
        ended = tuple(sorted(number for number, steps in phrases if len(steps) == 1))
        begun = tuple((number, steps[1:]) for number, steps in phrases if len(steps) > 1)
        return Pair(terms, ended, begun, {}, far)

    def _near(
        self, text: str, start: int, end: int, near: Mapping[int, Sequence[Phrase]]
    ) -> Iterable[Found]:
        """The phrases whose first word is [start, end) and whose second follows at once."""
        following = self._next(text, end)
        if following is None:
            return ()
        phrases = {phrase for symbol in following.symbols for phrase in near.get(symbol, ())}
        ends = ((self._followed(text, end, steps), number) for number, steps in phrases)
        return [(start, last, number) for last, number in ends if last]

    def _far(
        self, text: str, start: int, end: int, wanted: frozenset[int], phrases: Sequence[Phrase]
    ) -> Iterable[Found]:
        """The phrases whose first word is [start, end) and whose second follows after a gap."""
        meanings = self._meanings
        words = LETTERS.findall(text, end, end + _WINDOW)[: MOST_BETWEEN + 1]
        if all(wanted.isdisjoint(meanings[word].symbols) for word in words):
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
        if word is None or word.before != step.before or step.symbols.isdisjoint(word.symbols):
            return 0
        return word.end

    def _within_gap(self, text: str, end: int, step: Step) -> int:
        for match in islice(LETTERS.finditer(text, end, end + _WINDOW), MOST_BETWEEN + 1):
            if _END.search(text[end : match.start()]):
                return 0
            end = match.end()
            if not step.symbols.isdisjoint(self._meanings[match.group()].symbols):
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
                symbols = self._meanings[word].symbols
                return Next(match.end(), symbols, before)
            before = (*before, word)
            end = match.end()
        return None

    def _step(self, language: str, slot: Slot) -> Step:
        symbols = frozenset(self._vocabulary.symbol(language, word) for word in slot.words)
        return Step(symbols, slot.before, slot.gap)

    def _meaning(self, word: str) -> Meaning:
        symbols = self._vocabulary.symbols(word[:_LONGEST_WORD])
        if not symbols:
            return _NOTHING
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
        return Meaning(symbols, tuple(sorted(terms)), near, (wanted, tuple(far)) if far else ())


def _after(near: Mapping[int, Sequence[Phrase]], small: str) -> Mapping[int, Sequence[Phrase]]:
    """Those phrases of `near` that go on with this small word."""
    kept = {
        symbol: [phrase for phrase in phrases if phrase[1][0].before[:1] == (small,)]
        for symbol, phrases in near.items()
    }
    return {symbol: phrases for symbol, phrases in kept.items() if phrases}


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


def _automaton(anchors: Iterable[str]) -> Any:
    from ahocorasick import STORE_LENGTH, Automaton

    automaton = Automaton(STORE_LENGTH)
    for anchor in anchors:
        automaton.add_word(anchor)
    automaton.make_automaton()
    return automaton
