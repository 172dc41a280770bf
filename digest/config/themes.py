"""A theme in config.toml: its names, its colour, and its terms in each language."""

from typing import Annotated, Literal

from pydantic import Field

from digest.config.base import Colour, Filled, LanguageCode, OneLine, Section, ThemeKey
from digest.model import OTHER

PALETTE = {
    "drugs": ("#9a2f2f", "#f2a7a1"),
    "customs": ("#1c5d8a", "#8fc6ec"),
    "corruption": ("#76520a", "#e6c57a"),
    "youth": ("#2c6a3c", "#9bd4a9"),
    OTHER: ("#575f68", "#b4bcc4"),
}
SPARE = (
    ("#6b3f86", "#cfb0e6"),
    ("#0f6663", "#8ed0cb"),
    ("#8a3a5e", "#eba9c6"),
    ("#4a5a1c", "#bccb86"),
    ("#3d4f9a", "#b0bdf2"),
    ("#7d4524", "#e5b391"),
)
"""Colours on light and on dark ground for themes that the operator adds, in turn."""


Weight = Annotated[float, Field(gt=0, le=3)]


class TermLists(Section):
    """Terms of one language. Each term is a word or a phrase; other forms of its words count too.

    `strong`, `terms` and `weak` count 1, 0.6 and 0.2; `weights` holds terms with a weight of their own.
    `beside` counts as a weak term does, but only in a sentence that also holds one of `companions` or
    another term of the theme. `ignore` blots out what it covers before anything is counted.
    `remove` takes packaged terms out. docs/themes.md shows how a term is written.
    """

    strong: tuple[str, ...] = ()
    terms: tuple[str, ...] = ()
    weak: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    companions: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    weights: dict[str, Weight] = Field(default_factory=dict)


class ThemeSettings(Section):
    """[[themes]]"""

    name: ThemeKey
    title: Annotated[dict[LanguageCode, OneLine], Filled]
    colour: Colour | None = None
    colour_dark: Colour | None = None
    lexicon: Literal["shipped", "own"] = "shipped"
    threshold: Annotated[float, Field(gt=0)] | None = None
    terms: dict[LanguageCode, TermLists] = Field(default_factory=dict)
