"""Which words of a text stand for which words of a lexicon, each of these known by a number."""

import itertools
from collections.abc import Callable, Iterable, Sequence

from digest.editorial.terms import Word
from digest.editorial.words import SUFFIXED_FROM, english_stem


class Vocabulary:
    """The words of a lexicon's terms, each a symbol, and the written words that each stands for.

    Args:
        forms: every folded form of a folded Russian word, itself among them.
    """

    def __init__(self, forms: Callable[[str], Sequence[str]]) -> None:
        self._forms = forms
        self._known: dict[tuple[str, Word], int] = {}
        self._exact: dict[str, set[int]] = {}
        self._stems: dict[str, set[int]] = {}
        self._begins: dict[str, set[int]] = {}
        self._anchors: dict[int, tuple[str, ...]] = {}

    def symbol(self, language: str, word: Word) -> int:
        """The symbol of a term's word in that language; the same for the same word."""
        if (language, word) in self._known:
            return self._known[language, word]
        symbol = self._known[language, word] = len(self._known)
        suffixed = language == "tk" and len(word.text) >= SUFFIXED_FROM
        anchors: tuple[str, ...] = (word.text,)
        if word.open or (suffixed and not word.exact):
            self._begins.setdefault(word.text, set()).add(symbol)
        elif word.exact or language == "tk":
            self._exact.setdefault(word.text, set()).add(symbol)
        elif language == "ru":
            anchors = tuple(self._forms(word.text))
            for form in anchors:
                self._exact.setdefault(form, set()).add(symbol)
        else:
            stem = english_stem(word.text)
            anchors = _beginnings(word.text, stem)
            self._stems.setdefault(stem, set()).add(symbol)
        self._anchors[symbol] = anchors
        return symbol

    def symbols(self, word: str) -> frozenset[int]:
        """All symbols that a folded word of a text can be."""
        found = set(self._exact.get(word, ()))
        if self._stems:
            found |= self._stems.get(english_stem(word), set())
        for length in {len(text) for text in self._begins}:
            found |= self._begins.get(word[:length], set())
        return frozenset(found)

    def anchors(self, symbols: Iterable[int]) -> list[str]:
        """Beginnings with which every word of `symbols` begins; none begins with another."""
        kept: list[str] = []
        for anchor in sorted({anchor for symbol in symbols for anchor in self._anchors[symbol]}):
            if not kept or not anchor.startswith(kept[-1]):
                kept.append(anchor)
        return kept


def _beginnings(word: str, stem: str) -> tuple[str, ...]:
    """With which of these every form of an English word begins: tries, trying; hopes, hoping;
    possible, possibility.
    """
    if stem.endswith("bl"):
        return (stem[:-1],)
    same = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(word, stem, strict=False))
    shared = "".join(letter for letter, _ in same)
    rest = word[len(shared) : len(shared) + 1]
    if shared[-1:] in ("y", "i") or rest == "y":
        base = shared if rest == "y" else shared[:-1]
        return (f"{base}y", f"{base}i")
    if shared[-1:] == "e":
        return (shared, f"{shared[:-1]}i", f"{shared[:-1]}a")
    return (shared,)
