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

Z = 1.959964  # 95 % of a normal distribution lie within this many standard deviations
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
    """A share from 0 to 1 with its 95 % confidence interval; None without any case."""

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
    """The measures overall (micro average), per theme and per language, and every item.

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
    """The labelled items of a JSON Lines file; empty lines are skipped.

    Raises:
        LabelsError: a line is not such an object, two lines share an id, or there is no item at all;
            it names the file, the line and the fault.
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
                    f"{name}:{number}: line {seen[item.id]} has the id {item.id!r} too; use each id once"
                )
            seen[item.id] = number
            items.append(item)
    except UnicodeDecodeError as e:
        raise LabelsError(f"{name}: not UTF-8 at byte {e.start}; save it as UTF-8") from e
    if not items:
        raise LabelsError(f"{name}: no labelled item; a line is {_SHAPE}")
    return items


def _item(line: str, where: str) -> LabelledItem:
    try:
        row = json.loads(line)
    except ValueError as e:
        raise LabelsError(f"{where}: not JSON: {e}; a line is {_SHAPE}") from e
    if not isinstance(row, dict):
        raise LabelsError(f"{where}: {_shown(row)} is not an object; a line is {_SHAPE}")
    if row.get("title") is None:
        row["title"] = ""
    for key in ("id", "lang", "title", "text"):
        if not isinstance(row.get(key), str) or (key == "id" and not row[key]):
            raise LabelsError(f"{where}: {key} is {_shown(row.get(key))}; write a string")
    if "themes" not in row:
        raise LabelsError(f"{where}: themes is missing; write a list of themes, or null")
    themes, allowed = (
        None if row.get(key) is None else _names(row[key], key, where)
        for key in ("themes", "allowed")
    )
    return LabelledItem(row["id"], row["lang"], row["title"], row["text"], themes, allowed or ())


def _names(value: Any, key: str, where: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise LabelsError(f"{where}: {key} is {_shown(value)}; write a list of themes")
    return tuple(dict.fromkeys(value))


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def evaluate(lexicon: Lexicon, items: Sequence[LabelledItem]) -> Evaluation:
    """File every item by the lexicon and count against its labels."""
    keys = [key for key, _ in lexicon.themes]
    judged: list[JudgedItem] = []
    for item in items:
        scores = classify(lexicon, title=item.title, text=item.text, language=item.language)
        filed = tuple(score.theme for score in scores if score.matched)
        wrong: tuple[str, ...] = ()
        missed: tuple[str, ...] = ()
        if item.themes is not None:
            wrong = tuple(theme for theme in filed if theme not in {*item.themes, *item.allowed})
            required = set(item.themes).difference(item.allowed).intersection(keys)
            missed = tuple(sorted(required.difference(filed)))
        judged.append(JudgedItem(item, filed, wrong, missed, scores))
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
        items=tuple(judged),
        unjudged=len(judged) - len(labelled),
        unknown=tuple(sorted(named.difference(keys))),
    )


def _measure(judged: Sequence[JudgedItem], themes: Sequence[str]) -> Measure:
    right = wrong = missed = 0
    for one in judged:
        required = set(themes).intersection(one.item.themes or ()).difference(one.item.allowed)
        right += len(required.intersection(one.themes))
        wrong += len(set(themes).intersection(one.wrong))
        missed += len(set(themes).intersection(one.missed))
    # F1 grows with the share that is right among all that was filed, labelled or both.
    same = _share(right, right + wrong + missed)
    f1 = [None if end is None else 2 * end / (1 + end) for end in (same.value, same.low, same.high)]
    precision, recall = _share(right, right + wrong), _share(right, right + missed)
    return Measure(right, wrong, missed, precision, recall, Figure(*f1))


def _share(part: int, whole: int) -> Figure:
    """A share with Wilson's interval, which is valid for few cases and for shares of 0 and 1 too."""
    if not whole:
        return Figure(None)
    share = part / whole
    middle = share + Z * Z / (2 * whole)
    reach = Z * sqrt(share * (1 - share) / whole + Z * Z / (4 * whole * whole))
    scale = 1 + Z * Z / whole
    return Figure(share, max(0.0, (middle - reach) / scale), min(1.0, (middle + reach) / scale))
