"""How well the lexicon files articles that people have labelled: precision, recall, F1."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

from digest.errors import LabelsError
from digest.model import ThemeScore
from digest.themes.classify import classify
from digest.themes.lexicon import Lexicon

Z = 1.959964  # the normal distribution has 95 % within so many standard deviations
_SHAPE = '{"id": "…", "lang": "en", "title": "…", "text": "…", "themes": ["…"], "allowed": []}'


@dataclass(frozen=True, slots=True)
class LabelledItem:
    """An article with the themes that a reader gave it; None where the reader could not judge.

    `allowed` themes are acceptable too, but not required: they count neither way.
    """

    id: str
    language: str
    title: str
    text: str
    themes: tuple[str, ...] | None
    allowed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Figure:
    """A share from 0 to 1 with the ends of its 95 % confidence interval; None without any case."""

    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Measure:
    """Decisions that were right, wrong (filed, not labelled) and missed (labelled, not filed)."""

    right: int
    wrong: int
    missed: int
    precision: Figure
    recall: Figure
    f1: Figure


@dataclass(frozen=True, slots=True)
class JudgedItem:
    """A labelled article as the lexicon files it: `themes` best first, and where that differs."""

    item: LabelledItem
    themes: tuple[str, ...]
    wrong: tuple[str, ...]
    missed: tuple[str, ...]
    scores: tuple[ThemeScore, ...]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The measures in all (micro average), per theme and per language, and every item.

    `unjudged` items have no label and are in no measure. `unknown` are labelled themes that the
    lexicon does not have; they are in no measure either.
    """

    overall: Measure
    by_theme: Mapping[str, Measure]
    by_language: Mapping[str, Measure]
    items: tuple[JudgedItem, ...]
    unjudged: int
    unknown: tuple[str, ...]

    @property
    def errors(self) -> tuple[JudgedItem, ...]:
        """The items that are not filed as labelled."""
        return tuple(judged for judged in self.items if judged.wrong or judged.missed)


def read_labels(lines: Iterable[str], name: str) -> list[LabelledItem]:
    """The labelled items of a JSON Lines file; empty lines do not matter.

    Raises:
        LabelsError: a line is no such object, two lines share an id, or there is no item at all; it
            names the file, the line and the fault.
    """
    items: list[LabelledItem] = []
    seen: dict[str, int] = {}
    try:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            item = _item(line, f"{name}:{number}")
            if item.id in seen:
                raise LabelsError(
                    f"{name}:{number}: id {item.id!r} stands in line {seen[item.id]} too; "
                    f"each id is allowed once"
                )
            seen[item.id] = number
            items.append(item)
    except UnicodeDecodeError as e:
        raise LabelsError(f"{name}: is not UTF-8 at byte {e.start}; save it as UTF-8") from e
    if not items:
        raise LabelsError(f"{name}: holds no labelled item; a line is {_SHAPE}")
    return items


def evaluate(lexicon: Lexicon, items: Sequence[LabelledItem]) -> Evaluation:
    """File every item by the lexicon and count against its labels."""
    keys = [key for key, _ in lexicon.themes]
    judged = tuple(_judged(lexicon, item, keys) for item in items)
    labelled = [one for one in judged if one.item.themes is not None]
    named = {theme for one in labelled for theme in (*(one.item.themes or ()), *one.item.allowed)}
    languages = sorted({one.item.language for one in labelled})
    return Evaluation(
        overall=_measure(labelled, keys),
        by_theme={key: _measure(labelled, [key]) for key in keys},
        by_language={
            language: _measure([one for one in labelled if one.item.language == language], keys)
            for language in languages
        },
        items=judged,
        unjudged=len(judged) - len(labelled),
        unknown=tuple(sorted(named.difference(keys))),
    )


def _judged(lexicon: Lexicon, item: LabelledItem, keys: Sequence[str]) -> JudgedItem:
    scores = classify(lexicon, title=item.title, text=item.text, language=item.language)
    filed = tuple(score.theme for score in scores if score.matched)
    if item.themes is None:
        return JudgedItem(item, filed, (), (), scores)
    acceptable = {*item.themes, *item.allowed}
    required = set(item.themes).difference(item.allowed).intersection(keys)
    wrong = tuple(theme for theme in filed if theme not in acceptable)
    missed = tuple(sorted(required.difference(filed)))
    return JudgedItem(item, filed, wrong, missed, scores)


def _measure(judged: Sequence[JudgedItem], keys: Sequence[str]) -> Measure:
    counts = [_counts(one, set(keys)) for one in judged]
    right, wrong, missed = (sum(column) for column in zip((0, 0, 0), *counts, strict=True))
    same = _share(right, right + wrong + missed)
    return Measure(
        right,
        wrong,
        missed,
        precision=_share(right, right + wrong),
        recall=_share(right, right + missed),
        f1=Figure(_f1(same.value), _f1(same.low), _f1(same.high)),
    )


def _counts(one: JudgedItem, keys: set[str]) -> tuple[int, int, int]:
    required = keys.intersection(one.item.themes or ()).difference(one.item.allowed)
    return (
        len(required.intersection(one.themes)),
        len(keys.intersection(one.wrong)),
        len(keys.intersection(one.missed)),
    )


def _share(part: int, whole: int) -> Figure:
    """A share with Wilson's interval, which holds for few cases and for shares of 0 and 1 too."""
    if not whole:
        return Figure(None)
    share = part / whole
    middle = share + Z * Z / (2 * whole)
    reach = Z * sqrt(share * (1 - share) / whole + Z * Z / (4 * whole * whole))
    scale = 1 + Z * Z / whole
    return Figure(share, max(0.0, (middle - reach) / scale), min(1.0, (middle + reach) / scale))


def _f1(same: float | None) -> float | None:
    """F1 from the share that is right among all that was filed, labelled or both: it grows with it."""
    return None if same is None else 2 * same / (1 + same)


def _item(line: str, where: str) -> LabelledItem:
    try:
        found = json.loads(line)
    except ValueError as e:
        raise LabelsError(f"{where}: is no JSON: {e}; a line is {_SHAPE}") from e
    if not isinstance(found, dict):
        raise LabelsError(f"{where}: found {_shown(found)}; a line is {_SHAPE}")
    texts = {key: _text(found, key, where) for key in ("id", "lang", "title", "text")}
    if "themes" not in found:
        raise LabelsError(f"{where}: themes is missing; give a list of themes, or null")
    themes = None if found["themes"] is None else _names(found, "themes", where)
    allowed = _names(found, "allowed", where) if found.get("allowed") is not None else ()
    return LabelledItem(texts["id"], texts["lang"], texts["title"], texts["text"], themes, allowed)


def _text(found: dict[str, Any], key: str, where: str) -> str:
    value = found.get(key, "" if key == "title" else None)
    if value is None and key == "title":
        return ""
    if not isinstance(value, str) or (key == "id" and not value):
        raise LabelsError(f"{where}: {key} is {_shown(value)}; it must be a text")
    return value


def _names(found: dict[str, Any], key: str, where: str) -> tuple[str, ...]:
    value = found[key]
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise LabelsError(f"{where}: {key} is {_shown(value)}; it must be a list of themes")
    return tuple(dict.fromkeys(value))


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
