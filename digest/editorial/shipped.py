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
def shipped_terms(theme: str) -> dict[str, TermLists]:
    """The packaged terms of a theme by language; none for a theme that the package does not know."""
    if theme not in shipped_names():
        return {}
    found = tomllib.loads(_folder().joinpath(f"{theme}.toml").read_text(encoding="utf-8"))
    return {language: TermLists.model_validate(lists) for language, lists in found.items()}


@cache
def shipped_forms() -> dict[str, tuple[str, ...]]:
    """Every form of each Russian word in the packaged lexicons, as `words.russian_forms` gives them.

    It spares the start-up of pymorphy3; scripts/lexicon_forms writes it anew.
    """
    text = _folder().joinpath(FORMS).read_text(encoding="utf-8")
    return {word: tuple(forms.split()) for word, forms in json.loads(text).items()}


def _folder() -> Traversable:
    return files("digest").joinpath("lexicons")
