"""The word lists of the package: TOML files beside the code that reads them."""

import tomllib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

WordLists = dict[str, dict[str, tuple[str, ...]]]


@cache
def word_lists(path: str) -> WordLists:
    """The tables of a file, each with its lists by name; `path` is relative to the package.

    In the file a string is a list of words, an array one of phrases.
    """
    tables = tomllib.loads(Path(__file__).parent.joinpath(path).read_text(encoding="utf-8"))
    return {
        table: {
            name: tuple(listed.split() if isinstance(listed, str) else listed)
            for name, listed in lists.items()
        }
        for table, lists in tables.items()
    }


def either(words: Iterable[str]) -> str:
    """A pattern that matches any of the words, or of the patterns; of two that fit, the first."""
    return f"(?:{'|'.join(words)})"
