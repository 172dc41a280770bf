"""The lexicons that come with the package, and the forms of their Russian words."""

import json
import tomllib
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

from digest.config.themes import TermLists

FORMS = "forms_ru.json"


def shipped_names() -> tuple[str, ...]:
    """Keys of the themes for which the package brings terms, sorted."""
    found = (entry.name for entry in _folder().iterdir())
    return tuple(sorted(name.removesuffix(".toml") for name in found if name.endswith(".toml")))


@cache
def shipped_text(theme: str) -> str:
    """The packaged lexicon of a theme as it is written; empty where the package has none."""
    if theme not in shipped_names():
        return ""
    return _folder().joinpath(f"{theme}.toml").read_text(encoding="utf-8")


@cache
def shipped_terms(theme: str) -> dict[str, TermLists]:
    """The packaged terms of a theme by language; none for a theme that the package does not know."""
    found = tomllib.loads(shipped_text(theme))
    return {language: TermLists.model_validate(lists) for language, lists in found.items()}


@cache
def shipped_forms_text() -> str:
    """The table of `shipped_forms` as it is written."""
    return _folder().joinpath(FORMS).read_text(encoding="utf-8")


@cache
def shipped_forms() -> dict[str, tuple[str, ...]]:
    """Every form of each Russian word in the packaged lexicons, as `words.russian_forms` gives them.

    It spares the start-up of pymorphy3; scripts/lexicon_forms writes it anew.
    """
    found = json.loads(shipped_forms_text())
    return {word: tuple(forms.split()) for word, forms in found.items()}


def _folder() -> Traversable:
    return files("digest").joinpath("lexicons")
