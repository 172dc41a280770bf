"""How well the lexicon files articles that people have labelled: precision, recall, F1."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Annotated

from pydantic import BeforeValidator, Field, TypeAdapter, ValidationError

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

    id: Annotated[str, Field(min_length=1)]
    language: Annotated[str, Field(alias="lang")]
    title: Annotated[str, BeforeValidator(lambda title: "" if title is None else title)]
    text: str
    themes: tuple[str, ...] | None
    allowed: Annotated[tuple[str, ...], BeforeValidator(lambda themes: themes or ())] = ()


_ITEM = TypeAdapter(LabelledItem)


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
        return _ITEM.validate_json(line)
    except ValidationError as e:
        fault = e.errors()[0]
        keys = "".join(f"{key}: " for key in fault["loc"])
        raise LabelsError(f"{where}: {keys}{fault['msg']}; a line is {_SHAPE}") from e


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
