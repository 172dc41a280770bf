"""`digest themes list|explain|try|apply|evaluate`."""

from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from digest.cli.desk import runtime
from digest.cli.numbers import ID
from digest.cli.output import bar, counted, done, emit_json, json_option, table
from digest.cli.since import since_moment, since_option

if TYPE_CHECKING:
    from digest.model import ThemeScore
    from digest.runtime import Runtime


@click.group()
def themes() -> None:
    """What articles are filed under, and why."""


@themes.command("list")
@json_option
def list_themes(as_json: bool) -> None:
    """Every theme of config.toml with its articles by language."""
    from digest.store.summary import articles_by_theme

    room = runtime()
    with room.open(read_only=True) as db:
        counts = articles_by_theme(db)
    languages = room.settings.site.languages
    rows = [
        {
            "name": key,
            "title": dict(name.titles),
            "colour": name.colour,
            "colour_dark": name.colour_dark,
            "articles": {code: counts.get((key, code), 0) for code in languages},
        }
        for key, name in room.settings.theme_names.items()
    ]
    if as_json:
        emit_json(rows)
        return
    table(
        ("theme", "title", *languages),
        [
            (
                str(row["name"]),
                room.settings.theme_names[str(row["name"])].title(languages[0]),
                *(str(counts.get((str(row["name"]), code), 0)) for code in languages),
            )
            for row in rows
        ],
        wide="title",
        right=languages,
    )
    done("Next: digest themes explain ID says why an article stands where it does.")


@themes.command()
@click.argument("article_id", type=ID, required=False, metavar="[ID]")
@click.option(
    "--text",
    "file",
    type=click.File("rb"),
    help="A file instead of an article, in any encoding that `ingest` reads: its first line is the title; - is standard input.",
)
@json_option
def explain(article_id: int | None, file: Any, as_json: bool) -> None:
    """Which terms speak for each theme, also for those that did not reach the threshold."""
    from digest.editorial.language import detect
    from digest.editorial.lexicon import lexicon_of
    from digest.editorial.themes import classify
    from digest.errors import NotFoundError
    from digest.sources.decoding import decode
    from digest.store.articles import articles_by_id

    if (article_id is None) == (file is None):
        raise click.UsageError("Give the ID of an article, or --text FILE.")
    room = runtime()
    if article_id is not None:
        with room.open(read_only=True) as db:
            found = articles_by_id(db, [article_id])
        if not found:
            raise NotFoundError(f"there is no article {article_id}; see `digest articles list`")
        title, text, language = found[0].title, found[0].text, found[0].language
    else:
        copy, _ = decode(file.name, file.read())
        title, _, text = copy.partition("\n")
        text = text.strip()
        language = detect(f"{title}\n{text}")
    scores = classify(lexicon_of(room.settings.themes), title=title, text=text, language=language)
    if as_json:
        emit_json(_as_data(title, language, room, scores))
        return
    _print_marked(title, text, scores)
    for score in scores:
        _print_score(score)


def _as_data(
    title: str, language: str, room: "Runtime", scores: "tuple[ThemeScore, ...]"
) -> dict[str, Any]:
    from dataclasses import asdict

    from digest.editorial.lexicon import lexicon_of

    return {
        "title": title,
        "language": language,
        "lexicon_version": lexicon_of(room.settings.themes).version,
        "themes": [{**asdict(score), "matched": score.matched} for score in scores],
    }


def _print_marked(title: str, text: str, scores: "tuple[ThemeScore, ...]") -> None:
    """The copy with every counted term between [brackets], blotted ones between (round ones)."""
    from digest.model import Place

    for copy, in_title in ((title, True), (text, False)):
        marks: dict[tuple[int, int], str] = {}
        for score in scores:
            for hits, signs in ((score.blotted, "()"), (score.hits, "[]")):
                for hit in hits:
                    if (hit.place is Place.TITLE) == in_title:
                        marks[hit.start, hit.end] = signs
        click.echo(click.style(_marked(copy, marks), bold=in_title))
        click.echo("")


def _marked(copy: str, marks: dict[tuple[int, int], str]) -> str:
    parts: list[str] = []
    at = 0
    for (start, end), signs in sorted(marks.items()):
        if start < at:
            continue
        parts += [copy[at:start], signs[0], copy[start:end], signs[1]]
        at = end
    return "".join([*parts, copy[at:]])


def _print_score(score: "ThemeScore") -> None:
    verdict = "yes" if score.matched else "no"
    click.echo(
        click.style(
            f"{score.theme}: {verdict}, {score.score:.2f} of {score.threshold:.2f} needed",
            bold=True,
        )
    )
    for hit in score.hits:
        click.echo(f"  {hit.weight:+.2f}  {hit.form}  ({hit.place.value}, term “{hit.term}”)")
    for hit in score.blotted:
        click.echo(f"   0.00  {hit.form}  ({hit.place.value}, does not count: “{hit.term}”)")


@themes.command("try")
@since_option("Only articles that came in since then.")
@json_option
def try_out(since: timedelta | date | None, as_json: bool) -> None:
    """What config.toml as it is on disk would change, with the reasons. Nothing is changed."""
    from digest.cli import trial
    from digest.cli.outlook import warn_of_unserved
    from digest.editorial.lexicon import lexicon_of

    room = runtime()
    now = room.now()
    moment = since_moment(since, now, room.settings.site.time_zone)
    with room.open(read_only=True) as db:
        found = trial.try_out(db, room, now, moment)
        warn_of_unserved(db, room)
    if as_json:
        emit_json(trial.trial_data(found, lexicon_of(room.settings.themes).version, moment))
        return
    if not found.refiled.looked_at:
        done("Every article is filed by this lexicon. Next: change a term in config.toml.")
        return
    trial.print_changes(found.refiled, room.settings)
    trial.print_effects(found, room.settings.digests)
    done(f"\n{trial.summed(found.refiled)} Nothing was changed. Next: digest themes apply.")


@themes.command()
@since_option("Only articles that came in since then; the others stay for later.")
@json_option
def apply(since: timedelta | date | None, as_json: bool) -> None:
    """File articles anew by config.toml as it is on disk: just what `themes try` shows, in one write."""
    from digest.cli import trial
    from digest.cli.outlook import warn_of_unserved
    from digest.editorial.lexicon import lexicon_of
    from digest.filing import apply as run

    room = runtime()
    moment = since_moment(since, room.now(), room.settings.site.time_zone)
    with room.open() as db:
        refiled = run(
            db, room.settings, lexicon_of(room.settings.themes), moment, progress=bar("Filing")
        )
        warn_of_unserved(db, room)
    if as_json:
        emit_json(trial.refiled_data(refiled, lexicon_of(room.settings.themes).version, moment))
        return
    if not refiled.looked_at:
        done("Every article was filed by this lexicon before. Nothing was changed.")
        return
    trial.print_changes(refiled, room.settings)
    done(
        f"\nFiled {counted(refiled.looked_at, 'article')} by lexicon {lexicon_of(room.settings.themes).version}. "
        f"{trial.summed(refiled)} Next: digest publish."
    )


@themes.command()
@click.argument(
    "file", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=False
)
@click.option("--errors", is_flag=True, default=False, help="Each wrong one with its evidence.")
@json_option
def evaluate(file: Path | None, errors: bool, as_json: bool) -> None:
    """Hold the classifier against a labelled FILE.jsonl, or without one against the editors' corrections.

    A line of the file is {"id", "lang", "title", "text", "themes": [...], "allowed": [...]};
    allowed themes are acceptable, but not required.
    """
    from digest.cli.measures import print_evaluation
    from digest.editorial.evaluation import evaluate as run
    from digest.editorial.evaluation import read_labels
    from digest.editorial.lexicon import lexicon_of
    from digest.filing import corrections

    room = runtime()
    if file is None:
        with room.open(read_only=True) as db:
            items = corrections(db, lexicon_of(room.settings.themes))
        if not items and not as_json:
            done(
                "No editor has ruled on an article yet. Next: digest articles theme ID --add THEME, "
                "or name a labelled file."
            )
            return
    else:
        with file.open(encoding="utf-8") as lines:
            items = read_labels(lines, file.name)
    print_evaluation(
        run(lexicon_of(room.settings.themes), items),
        lexicon_of(room.settings.themes).version,
        errors=errors,
        as_json=as_json,
    )
