"""Word forms: what makes two written words the same word, in Russian, English and Turkmen.

Russian words are brought to their lemma or expanded to all their forms by pymorphy3, English words
to their stem by Snowball. Turkmen only adds to the end of a word, so there a word stands for all
that begin with it. ё is е, and case never counts.
"""

import re
from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any

from digest.prose import fold, words

SUFFIXED_FROM = 4
"""A Turkmen word shorter than this many letters stands for itself alone."""

_CYRILLIC = re.compile("[а-яё]", re.IGNORECASE)
_LONGEST = 40  # no word of a language is longer; what is longer is left as it is


def is_cyrillic(word: str) -> bool:
    return _CYRILLIC.search(word) is not None


def index_forms(text: str, language: str) -> str:
    """The normal form of every word of `text`, parted by spaces, for a full-text index.

    The script of a word decides, not the text's language, since names stand in both; a Turkmen text
    ("tk") keeps its Latin words as they are.
    """
    return " ".join(_index_form(word, language) for word in words(text))


def query_forms(query: str) -> list[list[str]]:
    """For each word of `query`, in order, the normal forms under which an index may hold it.

    A word finds a text when the text's `index_forms` hold any one of its forms.
    """
    return [_query_forms(word) for word in words(query)]


@lru_cache(maxsize=50_000)
def russian_lemmas(word: str) -> tuple[str, ...]:
    """The folded normal forms that a Russian word may have, the likeliest first."""
    parses = _morphology().parse(word.casefold())
    return tuple(dict.fromkeys(fold(parse.normal_form) for parse in parses)) or (fold(word),)


def russian_forms(word: str) -> tuple[str, ...]:
    """Every folded form of the word of which `word` is one, sorted.

    Where `word` can be read as several words, those count of which it is the normal form; where it
    is the normal form of none, the likeliest.
    """
    given = fold(word)
    parses = _morphology().parse(word.casefold())
    chosen = [parse for parse in parses if fold(parse.normal_form) == given] or parses[:1]
    forms = {fold(form.word) for parse in chosen for form in parse.lexeme}
    return tuple(sorted(forms | {given}))


def english_stem(word: str) -> str:
    """The Snowball stem of a folded English word."""
    return snowball("english")(word)


def _index_form(word: str, language: str) -> str:
    if len(word) > _LONGEST:
        return word
    if is_cyrillic(word):
        return russian_lemmas(word)[0]
    return word if language == "tk" else _english_form(word)


def _query_forms(word: str) -> list[str]:
    if len(word) > _LONGEST:
        return [word]
    found = russian_lemmas(word) if is_cyrillic(word) else (_english_form(word), word)
    return list(dict.fromkeys(found))


def _english_form(word: str) -> str:
    return english_stem(word.removesuffix("'s"))


@cache
def _morphology() -> Any:
    from pymorphy3 import MorphAnalyzer

    return MorphAnalyzer(lang="ru")


@cache
def snowball(language: str) -> Callable[[str], str]:
    """The stemmer for folded words of "english" or "russian"."""
    from Stemmer import Stemmer

    stem: Callable[[str], str] = Stemmer(language).stemWord
    return stem
