"""The words that tell which articles are one story, from vocabulary.toml."""

import re
from functools import cache, lru_cache

from digest.editorial.names import stem
from digest.wordlists import word_lists

LISTS = "editorial/vocabulary.toml"

_YEAR = re.compile(r"#(?:19|20)\d\d")
_SMALL = re.compile(r"#1?\d")


@cache
def notions() -> dict[str, str]:
    """From the stem of each word, English or Russian, to the name of its notion."""
    found: dict[str, str] = {}
    for name, others in word_lists(LISTS)["notions"].items():
        for word in (name, *others):
            found.setdefault(stem(word), name)
    return found


@cache
def bodies() -> dict[str, tuple[tuple[tuple[str, ...], str], ...]]:
    """Under the stem of its first word, each name of an organisation in stems, and its short name.

    The longest of the names with the same first word comes first.
    """
    names: dict[str, list[tuple[tuple[str, ...], str]]] = {}
    for short, others in word_lists(LISTS)["bodies"].items():
        for name in (short.casefold(), *others):
            stems = tuple(stem(word) for word in re.findall(r"[^\W\d_]+", name))
            names.setdefault(stems[0], []).append((stems, short))
    return {
        first: tuple(sorted(found, key=lambda one: -len(one[0]))) for first, found in names.items()
    }


@cache
def word_set(name: str) -> frozenset[str]:
    """One of the lists "nothing", "towns" and "world_days"."""
    return frozenset(word_lists(LISTS)["words"][name])


@cache
def _measured() -> dict[str, float]:
    listed = word_lists(LISTS)["rarity"]
    return {key: float(rarity) for rarity, keys in listed.items() for key in keys}


@lru_cache(maxsize=1 << 16)
def rarity_of(key: str) -> float:
    """How much a term's key tells: from 0, in every article, to 1, in hardly any."""
    if key[0] == "#":
        if _YEAR.fullmatch(key):
            return 0.35
        return 0.6 if _SMALL.fullmatch(key) else 0.9
    return _measured().get(key, 1.0)
