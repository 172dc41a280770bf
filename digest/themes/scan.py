"""Finds the terms of a lexicon in a text, in one pass and in time linear in its length."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice, repeat, takewhile
from typing import NamedTuple, TypeVar

from ahocorasick_rs import AhoCorasick, MatchKind

from digest.errors import LexiconError
from digest.language.text import fold, fold_keep, plain, plain_places, word_lists
from digest.language.words import STEMMERS, SUFFIXED_FROM, stem_by

GAP = "..."
MOST_BETWEEN = 4
MOST_WORDS = 10
SHORTEST_BEGINNING = 3
LETTERS = re.compile(r"[^\W_]+")
_ALTERNATIVE = re.compile(r"(=?)([^\W_]+)(\*?)")


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a term: the form alone (`exact`), a beginning (`open`), or any form of it."""

    text: str
    exact: bool = False
    open: bool = False


@dataclass(frozen=True, slots=True)
class Slot:
    """A place in a phrase: any of `words`, after exactly the small words `before`, or after a gap."""

    words: frozenset[Word]
    before: tuple[str, ...] = ()
    gap: bool = False


def parse_term(written: str, language: str, theme: str) -> tuple[Slot, ...]:
    """The slots of a term as an editor writes it.

    Raises:
        LexiconError: the term cannot be read; it names theme, language, term and what is allowed.
    """
    small = word_lists("language/languages.toml")["small_words"][language]
    slots: list[Slot] = []
    before: list[str] = []
    gap = False
    pieces: list[str] = []
    for piece in fold(written).replace("…", GAP).split():
        # Where both sides of a hyphen are words: anti-corruption is two words.
        pieces += piece.split("-") if "-" in piece and "/" not in piece else [piece]
    try:
        for piece in pieces:
            if piece == GAP:
                if not slots or gap or before:
                    raise ValueError(f"{GAP} is allowed only between two words")
                gap = True
            elif piece in small:
                if gap or not slots:
                    raise ValueError(f"{piece!r} is too common to begin with; use another word")
                before.append(piece)
            else:
                slots.append(Slot(_alternatives(piece), tuple(before), gap))
                before, gap = [], False
        if gap or before:
            raise ValueError(f"it ends in {GAP if gap else before[-1]!r}; end it in a word")
        if not slots:
            raise ValueError("it is empty; write one or more words, see docs/themes.md")
        if len(slots) > MOST_WORDS:
            raise ValueError(f"it has {len(slots)} words; at most {MOST_WORDS} are allowed")
    except ValueError as e:
        raise LexiconError(
            f"theme {theme!r}, language {language!r}, term {written!r}: {e}"
        ) from None
    return tuple(slots)


def _alternatives(piece: str) -> frozenset[Word]:
    words = set()
    for one in piece.split("/"):
        match = _ALTERNATIVE.fullmatch(one)
        if match is None:
            raise ValueError(
                f"{one!r} is not a word; use letters and digits, = before them for this form alone, "
                "* after them for a beginning, and / between words that replace each other"
            )
        exact, text, is_open = match.groups()
        if is_open and (exact or len(text) < SHORTEST_BEGINNING):
            raise ValueError(f"{one!r}: * needs {SHORTEST_BEGINNING} letters before it, and no =")
        words.add(Word(text, bool(exact), bool(is_open)))
    return frozenset(words)


class Vocabulary:
    """The words of a lexicon's terms, each a symbol, and the written words that each matches.

    Args:
        forms: every folded form of a folded Russian word, itself among them.
    """

    def __init__(self, forms: Callable[[str], Sequence[str]]) -> None:
        self._forms = forms
        self._known: dict[tuple[str, Word], int] = {}
        self._exact: dict[str, set[int]] = {}
        self._stems: dict[str, dict[str, set[int]]] = {}
        self._begins: dict[str, set[int]] = {}
        self._anchors: dict[int, tuple[str, ...]] = {}

    def symbol(self, language: str, word: Word) -> int:
        """The symbol of a term's word in that language; the same for the same word."""
        if (language, word) in self._known:
            return self._known[language, word]
        symbol = self._known[language, word] = len(self._known)
        stemmer = STEMMERS[language]
        suffixed = not stemmer and len(word.text) >= SUFFIXED_FROM
        anchors: tuple[str, ...] = (word.text,)
        if word.open or (suffixed and not word.exact):
            self._begins.setdefault(word.text, set()).add(symbol)
        elif word.exact or not stemmer:
            self._exact.setdefault(word.text, set()).add(symbol)
        elif stemmer == "russian":
            anchors = tuple(self._forms(word.text))
            for form in anchors:
                self._exact.setdefault(form, set()).add(symbol)
        else:
            stem = stem_by(stemmer, word.text)
            anchors = _beginnings(word.text, stem)
            self._stems.setdefault(stemmer, {}).setdefault(stem, set()).add(symbol)
        self._anchors[symbol] = anchors
        return symbol

    def symbols(self, word: str) -> frozenset[int]:
        """All symbols that a folded word of a text can be."""
        symbols = set(self._exact.get(word, ()))
        for stemmer, stems in self._stems.items():
            symbols |= stems.get(stem_by(stemmer, word), set())
        for length in {len(text) for text in self._begins}:
            symbols |= self._begins.get(word[:length], set())
        return frozenset(symbols)

    def anchors(self, symbols: Iterable[int]) -> list[str]:
        """Beginnings that cover every word of `symbols`; none begins with another."""
        anchors: list[str] = []
        for anchor in sorted({anchor for symbol in symbols for anchor in self._anchors[symbol]}):
            if not anchors or not anchor.startswith(anchors[-1]):
                anchors.append(anchor)
        return anchors


def _beginnings(word: str, stem: str) -> tuple[str, ...]:
    """Every form of an English word begins with one of these: tries, trying; hopes, hoping;
    possible, possibility.
    """
    if stem.endswith("bl"):
        return (stem[:-1],)
    same = takewhile(lambda pair: pair[0] == pair[1], zip(word, stem, strict=False))
    shared = "".join(letter for letter, _ in same)
    rest = word[len(shared) : len(shared) + 1]
    if shared[-1:] in ("y", "i") or rest == "y":
        base = shared if rest == "y" else shared[:-1]
        return (f"{base}y", f"{base}i")
    if shared[-1:] == "e":
        return (shared, f"{shared[:-1]}i", f"{shared[:-1]}a")
    return (shared,)


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
"""The phrases with a gap after their first word, and before them all symbols that may follow that gap."""


class Meaning(NamedTuple):
    """What a written word can be: the terms that it is, and the phrases that it begins.

    `near` holds the phrases by the symbol of the word that must follow at once, `far` those with a
    gap there.
    """

    terms: tuple[int, ...]
    near: Mapping[int, Sequence[Phrase]]
    far: Far


class Open(NamedTuple):
    """Unfinished phrases: `begun` continue after two written words, `near` and `far` after one."""

    begun: tuple[Phrase, ...]
    near: Mapping[int, Sequence[Phrase]]
    far: Far


Pair = tuple[tuple[int, ...], tuple[int, ...], Open | None]
"""The terms that two written words (or one) are, those that the first is, and the phrases they begin."""
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
        vocabulary = Vocabulary(forms)
        self._singles: dict[int, list[int]] = {}
        self._starts: dict[int, list[Phrase]] = {}
        small: set[str] = set()
        for number, language, slots in terms:
            steps: list[Step] = []
            for slot in slots:
                symbols = frozenset(vocabulary.symbol(language, word) for word in slot.words)
                steps.append(Step(symbols, slot.before, slot.gap))
                small.update(slot.before)
            for symbol in steps[0].symbols:
                if len(steps) == 1:
                    self._singles.setdefault(symbol, []).append(number)
                else:
                    self._starts.setdefault(symbol, []).append((number, tuple(steps[1:])))
        self._small = frozenset(small)
        self._symbols = _Memory(lambda word: vocabulary.symbols(word[:_LONGEST_WORD]))
        self._meanings = _Memory(self._meaning)
        self._pairs = _Memory(self._pair)
        anchors = vocabulary.anchors({*self._singles, *self._starts})
        # Leftmost: an anchor inside a word must not hide the one that the word begins with.
        self._automaton = AhoCorasick(anchors, MatchKind.LeftmostFirst)

    def find_written(self, text: str) -> Iterable[Found]:
        """Every term in a text as it is written, whatever unseen signs are in its words."""
        found = self.find(fold_keep(seen := plain(text)))
        if len(seen) == len(text):
            return found
        places = plain_places(text)
        return ((places[start], places[end], number) for start, end, number in found)

    def find(self, text: str) -> Iterator[Found]:
        """Every term in a text folded by `fold_keep`, by the place of its first word.

        Of those that start together the longer come first, then those of the lower number.
        """
        try:
            begins = self._automaton.find_matches_as_indexes(text)
        except UnicodeEncodeError:  # half of a UTF-16 pair, which is in no word
            begins = self._automaton.find_matches_as_indexes(_HALF.sub(" ", text))
        starts = [start for _, start, _ in begins if not start or not text[start - 1].isalnum()]
        pairs = list(filter(None, map(_PAIR.match, repeat(text), starts)))
        known = map(self._pairs.__getitem__, map(re.Match.group, pairs))
        for pair, (both, terms, more) in zip(pairs, known, strict=True):
            start, end = pair.span(1)
            longer: list[Found] = []
            if more is not None and text[end : end + 2] not in _ENDED:
                longer = self._phrases(text, pair, more)
            if longer:
                longer += [(start, pair.end(), number) for number in both]
                longer += [(start, end, number) for number in terms]
                yield from sorted(longer, key=lambda term: (-term[1], term[2]))
                continue
            for number in both:
                yield start, pair.end(), number
            for number in terms:
                yield start, end, number

    def _phrases(self, text: str, pair: re.Match[str], more: Open) -> list[Found]:
        """Those phrases of `more` that follow the words of `pair` to their end."""
        start, end = pair.span(1)
        phrases = [(pair.end(), phrase) for phrase in more.begun]
        if more.near and text[end : end + 2] not in _BROKEN and (second := self._next(text, end)):
            near = {phrase for symbol in second[1] for phrase in more.near.get(symbol, ())}
            phrases += [(end, phrase) for phrase in near]
        if more.far:
            wanted, far = more.far
            few = _FEW.match(text, end, end + _WINDOW)
            following = map(self._symbols.__getitem__, few.groups() if few else ())
            if not wanted.isdisjoint(chain.from_iterable(following)):
                phrases += [(end, phrase) for phrase in far]
        ends = ((self._followed(text, at, steps), number) for at, (number, steps) in phrases)
        return [(start, last, number) for last, number in ends if last]

    def _followed(self, text: str, end: int, steps: tuple[Step, ...]) -> int:
        """Where the last of `steps` ends if they follow one another from `end`; else 0."""
        for step in steps:
            if not step.gap:
                word = self._next(text, end)
                if word is None or word[2] != step.before or step.symbols.isdisjoint(word[1]):
                    return 0
                end = word[0]
                continue
            for match in islice(LETTERS.finditer(text, end, end + _WINDOW), MOST_BETWEEN + 1):
                if _END.search(text[end : match.start()]):
                    return 0
                end = match.end()
                if not step.symbols.isdisjoint(self._symbols[match.group()]):
                    break
            else:
                return 0
        return end

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

    def _pair(self, written: str) -> Pair:
        """What a word is, by the word that follows it after a space, if one does."""
        word, _, second = written.partition(" ")
        terms, near, far = self._meanings[word]
        both: tuple[int, ...] = ()
        begun: tuple[Phrase, ...] = ()
        if second in self._small:
            near = {
                symbol: after
                for symbol, phrases in near.items()
                if (after := [one for one in phrases if one[1][0].before[:1] == (second,)])
            }
        elif near and second:
            following = self._symbols[second]
            phrases = {p for s in following for p in near.get(s, ()) if not p[1][0].before}
            both = tuple(sorted(number for number, steps in phrases if len(steps) == 1))
            begun = tuple((number, steps[1:]) for number, steps in phrases if len(steps) > 1)
            near = {}
        return both, terms, Open(begun, near, far) if begun or near or far else None

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


class _Memory(dict[str, T]):
    """Looks a word up once and remembers it, for at most REMEMBERED words of usual length."""

    def __init__(self, look_up: Callable[[str], T]) -> None:
        super().__init__()
        self._look_up = look_up

    def __missing__(self, word: str) -> T:
        value = self._look_up(word)
        if len(self) < REMEMBERED and len(word) <= _LONGEST_WORD:
            self[word] = value
        return value
