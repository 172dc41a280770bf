"""How `digest themes evaluate` shows what it measured."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from digest.cli.output import counted, done, emit_json, heading, table

if TYPE_CHECKING:
    from digest.editorial.evaluation import Evaluation, Figure, JudgedItem, Measure
    from digest.model import ThemeScore

COLUMNS = ("", "right", "wrong", "missed", "precision", "recall", "F1")


def print_evaluation(
    evaluation: "Evaluation", version: str, *, errors: bool, as_json: bool
) -> None:
    if as_json:
        emit_json(_as_data(evaluation, version, errors=errors))
        return
    rows = [("all", evaluation.overall)]
    rows += [(f"theme {key}", measure) for key, measure in evaluation.by_theme.items()]
    rows += [(f"language {code}", measure) for code, measure in evaluation.by_language.items()]
    table(COLUMNS, [_cells(name, measure) for name, measure in rows], right=COLUMNS[1:])
    if errors:
        heading("Errors")
        for judged in evaluation.errors:
            _print_error(judged)
    if evaluation.unknown:
        click.echo(f"Labelled, but no theme of config.toml: {', '.join(evaluation.unknown)}.")
    unjudged = f", {evaluation.unjudged} not judged" if evaluation.unjudged else ""
    done(
        f"{counted(len(evaluation.items), 'item')}{unjudged}, {len(evaluation.errors)} filed "
        f"otherwise than labelled, by lexicon {version}; in brackets the 95 % interval."
        + ("" if errors or not evaluation.errors else " Next: --errors shows each with its words.")
    )


def _cells(name: str, measure: "Measure") -> tuple[str, ...]:
    figures = (measure.precision, measure.recall, measure.f1)
    counts = (measure.right, measure.wrong, measure.missed)
    return (name, *map(str, counts), *map(_figure, figures))


def _figure(figure: "Figure") -> str:
    if figure.value is None:
        return "-"
    if figure.low is None or figure.high is None:
        return f"{figure.value:.3f}"
    return f"{figure.value:.3f} ({figure.low:.3f}–{figure.high:.3f})"


def _print_error(judged: "JudgedItem") -> None:
    item = judged.item
    click.echo(click.style(f"{item.id}  {item.language}  {item.title}", bold=True))
    scores = {score.theme: score for score in judged.scores}
    for theme in judged.wrong:
        click.echo(f"  filed under {theme}, wrongly: {_evidence(scores[theme])}")
    for theme in judged.missed:
        click.echo(f"  not filed under {theme}: {_evidence(scores[theme])}")


def _evidence(score: "ThemeScore") -> str:
    found = ", ".join(f"“{hit.form}” {hit.weight:+.2f}" for hit in score.hits if hit.weight)
    blots = ", ".join(f"“{hit.form}”" for hit in score.blotted)
    ignored = f"; ignored {blots}" if blots else ""
    return f"{score.score:.2f} of {score.threshold:.2f}; {found or 'no term'}{ignored}"


def _as_data(evaluation: "Evaluation", version: str, *, errors: bool) -> dict[str, Any]:
    return {
        "lexicon_version": version,
        "overall": asdict(evaluation.overall),
        "by_theme": {key: asdict(one) for key, one in evaluation.by_theme.items()},
        "by_language": {code: asdict(one) for code, one in evaluation.by_language.items()},
        "unjudged": evaluation.unjudged,
        "unknown": list(evaluation.unknown),
        "items": [_item(judged) for judged in evaluation.items],
        **({"errors": [_error(judged) for judged in evaluation.errors]} if errors else {}),
    }


def _item(judged: "JudgedItem") -> dict[str, Any]:
    return {
        "id": judged.item.id,
        "language": judged.item.language,
        "themes": list(judged.themes),
        "wrong": list(judged.wrong),
        "missed": list(judged.missed),
        "scores": {score.theme: score.score for score in judged.scores},
    }


def _error(judged: "JudgedItem") -> dict[str, Any]:
    found = (*judged.wrong, *judged.missed)
    evidence = [asdict(score) for score in judged.scores if score.theme in found]
    return {**_item(judged), "title": judged.item.title, "evidence": evidence}
