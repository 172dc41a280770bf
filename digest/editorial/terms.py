"""How a term is written in a lexicon, and what it then asks of a text.

drug trafficking        these words next to each other, each in any form
seize/intercept heroin  either word in that place
narco*                  every word that begins so
=customs                this form alone, not custom
seize ... drugs         up to four other words between, within one sentence
"""

import re
from collections.abc import Collection
from dataclasses import dataclass

from digest.errors import LexiconError
from digest.prose import fold
from digest.wordlists import word_lists

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
    try:
        return _slots(written, word_lists("languages.toml")["small_words"][language])
    except ValueError as e:
        raise LexiconError(
            f"theme {theme!r}, language {language!r}, term {written!r}: {e}"
        ) from None


def _slots(written: str, small: Collection[str]) -> tuple[Slot, ...]:
    slots: list[Slot] = []
    before: list[str] = []
    gap = False
    for piece in _pieces(written):
        if piece == GAP:
            if not slots or gap or before:
                raise ValueError(f"{GAP} may only stand between two words")
            gap = True
        elif piece in small:
            if gap or not slots:
                raise ValueError(f"{piece!r} is too common to begin with; begin with another word")
            before.append(piece)
        else:
            slots.append(Slot(_alternatives(piece), tuple(before), gap))
            before, gap = [], False
    if gap or before:
        raise ValueError(f"it ends in {GAP if gap else before[-1]!r}; a word must stand last")
    if not slots:
        raise ValueError("it is empty; allowed are words, see docs/themes.md")
    if len(slots) > MOST_WORDS:
        raise ValueError(f"it has {len(slots)} words; at most {MOST_WORDS} are allowed")
    return tuple(slots)


def _pieces(written: str) -> list[str]:
    """Parted at spaces, and at hyphens where both sides are words: anti-corruption is two words."""
    found: list[str] = []
    for piece in fold(written).replace("…", GAP).split():
        found += piece.split("-") if "-" in piece and "/" not in piece else [piece]
    return found


def _alternatives(piece: str) -> frozenset[Word]:
    found = set()
    for one in piece.split("/"):
        match = _ALTERNATIVE.fullmatch(one)
        if match is None:
            raise ValueError(
                f"{one!r} is no word; allowed are letters and digits, with = before or * after "
                f"them, and / between words that may take each other's place"
            )
        exact, text, is_open = match.groups()
        if is_open and (exact or len(text) < SHORTEST_BEGINNING):
            raise ValueError(
                f"{one!r}: before * at least {SHORTEST_BEGINNING} letters must stand, without ="
            )
        found.add(Word(text, bool(exact), bool(is_open)))
    return frozenset(found)
