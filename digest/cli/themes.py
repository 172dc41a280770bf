"""`digest themes list|explain|try|apply|evaluate`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from digest.cli.options import ID, current_newsroom, since_moment, since_option
from digest.cli.output import bar, counted, done, emit_json, heading, json_option, show, table

if TYPE_CHECKING:
    from jinja2 import Environment

    from digest.config.settings import DigestConfig, Settings
    from digest.feeds.items import FeedView
    from digest.model import ThemeScore
    from digest.newsroom import Newsroom
    from digest.themes.evaluation import Evaluation, Figure, JudgedItem, Measure
    from digest.themes.filing import Refiled, Refiling, Turn


Sections = dict[int, tuple[str, str]]
"""Of each article in an edition its title and the theme under which it stands there."""


@dataclass(frozen=True, slots=True)
class Move:
    """An article that stands elsewhere in an edition; None: not in it."""

    article_id: int
    title: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class EditionChange:
    """The next edition of a digest; a hash is None while nothing has come in for it."""

    digest: str
    number: int
    hash_before: str
    hash_after: str
    moves: tuple[Move, ...]


@dataclass(frozen=True, slots=True)
class Trial:
    """What `themes apply` and then `publish` would do. `feeds` of so many `files` are their names."""

    refiled: Refiled
    feeds: tuple[str, ...]
    files: int
    pages: tuple[str, ...]
    editions: tuple[EditionChange, ...]


def try_lexicon(newsroom: Newsroom, now: datetime, since: datetime | None) -> Trial:
    """Hold config.toml as it is on disk against the stored matches. Nothing is changed."""
    from digest.feeds.channels import MEDIA_TYPES
    from digest.feeds.publish import feed_views
    from digest.themes.filing import rehearse
    from digest.themes.store import spool, supposing

    db, settings, templates = newsroom.db, newsroom.settings, newsroom.templates
    with db.snapshot(), spool(db):
        refiled = rehearse(newsroom, since, progress=bar("Filing"))
        if not refiled.changes:
            return Trial(refiled, (), len(feed_views(newsroom)) * len(MEDIA_TYPES), (), ())
        before = feed_views(newsroom)
        planned = _editions(newsroom, now)
        with supposing(db):
            after = feed_views(newsroom)
            editions = tuple(_changed(planned, _editions(newsroom, now)))
    return Trial(
        refiled,
        tuple(_changed_files(before, after, settings, templates)),
        len(after) * len(MEDIA_TYPES),
        tuple(_pages(refiled.changes, settings)),
        editions,
    )


def _changed_files(
    before: list[FeedView], after: list[FeedView], settings: Settings, templates: Environment
) -> Iterator[str]:
    """The files whose bytes would be others; only channels that hold something else are made."""
    from digest.feeds.publish import feed_files

    for old, new in zip(before, after, strict=True):
        if _shown(old) == _shown(new):
            continue
        was = dict(feed_files(old, settings, templates))
        for name, data in feed_files(new, settings, templates):
            if was[name] != data:
                yield name


def _shown(view: FeedView) -> list[tuple[object, ...]]:
    return [
        (item.article.id, item.categories, item.translations, item.related) for item in view.items
    ]


def _pages(changes: Iterable[Refiling], settings: Settings) -> Iterator[str]:
    from digest.feeds.pages import article_name

    keys = settings.theme_keys
    for change in changes:
        was, now = ([t for t in themes if t in keys] for themes in (change.before, change.after))
        if was != now:
            yield article_name(change.article_id)


def _editions(newsroom: Newsroom, now: datetime) -> dict[str, tuple[int, str, Sections]]:
    """The next edition of each digest: its number, its hash, what stands where."""
    settings = newsroom.settings
    from digest.editions.compose import preview
    from digest.editions.selection import section_of

    found = {}
    for digest in settings.digests:
        edition = preview(newsroom, digest, now)
        if edition is not None:
            articles = [placement.article for placement in edition.placements]
            themes = settings.digest_themes(digest)
            sections = {one.id: (one.title, section_of(one, themes) or "") for one in articles}
            found[digest.name] = (edition.number, edition.hash, sections)
    return found


def _changed(
    before: dict[str, tuple[int, str, Sections]], after: dict[str, tuple[int, str, Sections]]
) -> Iterator[EditionChange]:
    for name, (number, hash_before, was) in before.items():
        _, hash_after, now = after[name]
        moves = [
            Move(i, title, was.get(i, (title, None))[1], now.get(i, (title, None))[1])
            for i, (title, _) in sorted((was | now).items())
            if was.get(i) != now.get(i)
        ]
        if hash_before != hash_after:
            yield EditionChange(name, number, hash_before, hash_after, tuple(moves))


def trial_data(trial: Trial, version: str, since: datetime | None) -> dict[str, Any]:
    """A trial as `--json` shows it."""
    return {
        **refiled_data(trial.refiled, version, since),
        "feeds": list(trial.feeds),
        "pages": list(trial.pages),
        "editions": [asdict(edition) for edition in trial.editions],
    }


def refiled_data(refiled: Refiled, version: str, since: datetime | None) -> dict[str, Any]:
    return {
        "lexicon_version": version,
        "since": since,
        "looked_at": refiled.looked_at,
        "changes": [asdict(change) for change in refiled.changes],
    }


def print_changes(refiled: Refiled, settings: Settings) -> None:
    """What enters and leaves each theme, in each language, with the reason."""
    turns = [(one, turn) for one in refiled.changes for turn in one.turns]
    themes = dict.fromkeys([*settings.theme_keys, *(turn.theme for _, turn in turns)])
    languages = dict.fromkeys([*settings.site.languages, *(one.language for one, _ in turns)])
    for theme in themes:
        of_theme = [(one, turn) for one, turn in turns if turn.theme == theme]
        if of_theme:
            heading(theme)
        for language in languages:
            for enters in (True, False):
                for one, turn in of_theme:
                    if (one.language, turn.enters) == (language, enters):
                        _print_turn(one, turn)
    moved = [one for one in refiled.changes if not one.turns]
    if moved:
        heading("Another order of themes")
    for one in moved:
        click.echo(f"  {one.language}  {one.article_id:>5}  {one.title}")
        click.echo(f"             {', '.join(one.before)} becomes {', '.join(one.after)}")


def _print_turn(one: Refiling, turn: Turn) -> None:
    colour, word = ("green", "enters") if turn.enters else ("red", "leaves")
    said = click.style(word, fg=colour)
    click.echo(f"  {said}  {one.language}  {one.article_id:>5}  {one.title}")
    reached = "" if turn.score is None else f"{turn.score:.2f} of {turn.threshold:.2f} needed: "
    click.echo(f"                     {reached}{'; '.join(turn.reasons) or 'its parts weigh less'}")


def print_effects(trial: Trial, digests: Iterable[DigestConfig]) -> None:
    """What becomes of the feeds and of the next editions."""
    heading("Feeds")
    click.echo(
        f"{len(trial.feeds)} of {trial.files} files would change, and "
        f"{counted(len(trial.pages), 'page')} of articles."
    )
    forms: dict[str, list[str]] = {}
    for name in trial.feeds:
        slug, _, form = name.rpartition(".")
        forms.setdefault(slug, []).append(form)
    for slug, endings in forms.items():
        click.echo(f"  {slug}: {', '.join(endings)}")
    heading("Next editions")
    changed = {edition.digest: edition for edition in trial.editions}
    for digest in digests:
        edition = changed.get(digest.name)
        if edition is None:
            click.echo(f"{digest.name}: stays as it is.")
            continue
        click.echo(
            f"{edition.digest} no. {edition.number}: hash {edition.hash_before[:16]} becomes "
            f"{edition.hash_after[:16]}; {counted(len(edition.moves), 'article')} would move."
        )
        for move in edition.moves:
            was, now = move.before or "not in it", move.after or "not in it"
            click.echo(f"  {move.article_id:>5}  {was} becomes {now}  {move.title}")


def summed(refiled: Refiled) -> str:
    """Entering a theme: 3, leaving one: 2, only in another order: 1, as before: 306 of 312 articles."""
    turns = [turn for one in refiled.changes for turn in one.turns]
    enter = sum(turn.enters for turn in turns)
    moved = sum(not one.turns for one in refiled.changes)
    return (
        f"Entering a theme: {enter}, leaving one: {len(turns) - enter}, only in another order: "
        f"{moved}, as before: {refiled.looked_at - len(refiled.changes)} of "
        f"{counted(refiled.looked_at, 'article')}."
    )


COLUMNS = ("", "right", "wrong", "missed", "precision", "recall", "F1")


def print_evaluation(evaluation: Evaluation, version: str, *, errors: bool, as_json: bool) -> None:
    if as_json:
        emit_json(_evaluation_data(evaluation, version, errors=errors))
        return
    rows = [("all", evaluation.overall)]
    rows += [(f"theme {key}", measure) for key, measure in evaluation.by_theme.items()]
    rows += [(f"language {code}", measure) for code, measure in evaluation.by_language.items()]
    table(COLUMNS, [_cells(name, measure) for name, measure in rows], right=COLUMNS[1:])
    if errors:
        heading("Errors")
        for judged in evaluation.errors:
            item = judged.item
            click.echo(click.style(f"{item.id}  {item.language}  {item.title}", bold=True))
            scores = {score.theme: score for score in judged.scores}
            for theme in judged.wrong:
                click.echo(f"  filed under {theme}, wrongly: {_evidence(scores[theme])}")
            for theme in judged.missed:
                click.echo(f"  not filed under {theme}: {_evidence(scores[theme])}")
    if evaluation.unknown:
        click.echo(f"Labelled, but no theme of config.toml: {', '.join(evaluation.unknown)}.")
    unjudged = f", {evaluation.unjudged} not judged" if evaluation.unjudged else ""
    done(
        f"{counted(len(evaluation.items), 'item')}{unjudged}, {len(evaluation.errors)} filed "
        f"otherwise than labelled, by lexicon {version}; in brackets the 95 % interval."
        + ("" if errors or not evaluation.errors else " Next: --errors shows each with its words.")
    )


def _cells(name: str, measure: Measure) -> tuple[str, ...]:
    figures = (measure.precision, measure.recall, measure.f1)
    counts = (measure.right, measure.wrong, measure.missed)
    return (name, *map(str, counts), *map(_figure, figures))


def _figure(figure: Figure) -> str:
    if figure.value is None:
        return "-"
    if figure.low is None or figure.high is None:
        return f"{figure.value:.3f}"
    return f"{figure.value:.3f} ({figure.low:.3f}–{figure.high:.3f})"


def _evidence(score: ThemeScore) -> str:
    found = ", ".join(f"“{hit.form}” {hit.weight:+.2f}" for hit in score.hits if hit.weight)
    blots = ", ".join(f"“{hit.form}”" for hit in score.blotted)
    ignored = f"; ignored {blots}" if blots else ""
    return f"{score.score:.2f} of {score.threshold:.2f}; {found or 'no term'}{ignored}"


def _evaluation_data(evaluation: Evaluation, version: str, *, errors: bool) -> dict[str, Any]:
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


def _item(judged: JudgedItem) -> dict[str, Any]:
    return {
        "id": judged.item.id,
        "language": judged.item.language,
        "themes": list(judged.themes),
        "wrong": list(judged.wrong),
        "missed": list(judged.missed),
        "scores": {score.theme: score.score for score in judged.scores},
    }


def _error(judged: JudgedItem) -> dict[str, Any]:
    found = (*judged.wrong, *judged.missed)
    evidence = [asdict(score) for score in judged.scores if score.theme in found]
    return {**_item(judged), "title": judged.item.title, "evidence": evidence}


@click.group()
def themes() -> None:
    """What articles are filed under, and why."""


@themes.command("list")
@json_option
def list_themes(as_json: bool) -> None:
    """Every theme of config.toml with its articles by language."""
    from digest.service.store import articles_by_theme

    newsroom = current_newsroom()
    with newsroom.open(read_only=True) as newsroom:
        counts = articles_by_theme(newsroom.db)
    languages = newsroom.settings.site.languages
    rows = [
        {
            "name": key,
            "title": dict(name.titles),
            "colour": name.colour,
            "colour_dark": name.colour_dark,
            "articles": {code: counts.get((key, code), 0) for code in languages},
        }
        for key, name in newsroom.settings.theme_names.items()
    ]
    show(
        as_json,
        rows,
        "Next: digest themes explain ID says why an article has its themes.",
        ("theme", "title", *languages),
        (
            (key, name.title(languages[0]), *(counts.get((key, code), 0) for code in languages))
            for key, name in newsroom.settings.theme_names.items()
        ),
        wide="title",
    )


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
    from digest.errors import NotFoundError
    from digest.language.text import decode
    from digest.language.words import detect
    from digest.store.articles import articles_by_id
    from digest.themes.classify import classify
    from digest.themes.lexicon import lexicon_of

    if (article_id is None) == (file is None):
        raise click.UsageError("Give the ID of an article, or --text FILE.")
    newsroom = current_newsroom()
    if article_id is not None:
        with newsroom.open(read_only=True) as newsroom:
            found = articles_by_id(newsroom.db, [article_id])
        if not found:
            raise NotFoundError(f"there is no article {article_id}; see `digest articles list`")
        title, text, language = found[0].title, found[0].text, found[0].language
    else:
        copy, _ = decode(file.name, file.read())
        title, _, text = copy.partition("\n")
        text = text.strip()
        language = detect(f"{title}\n{text}")
    scores = classify(
        lexicon_of(newsroom.settings.themes), title=title, text=text, language=language
    )
    if as_json:
        emit_json(_as_data(title, language, newsroom, scores))
        return
    _print_marked(title, text, scores)
    for score in scores:
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


def _as_data(
    title: str, language: str, newsroom: Newsroom, scores: tuple[ThemeScore, ...]
) -> dict[str, Any]:
    from dataclasses import asdict

    from digest.themes.lexicon import lexicon_of

    return {
        "title": title,
        "language": language,
        "lexicon_version": lexicon_of(newsroom.settings.themes).version,
        "themes": [{**asdict(score), "matched": score.matched} for score in scores],
    }


def _print_marked(title: str, text: str, scores: tuple[ThemeScore, ...]) -> None:
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


@themes.command("try")
@since_option("Only articles that came in since then.")
@json_option
def try_out(since: timedelta | date | None, as_json: bool) -> None:
    """What config.toml as it is on disk would change, with the reasons. Nothing is changed."""
    from digest.cli.status import warn_of_unserved
    from digest.themes.lexicon import lexicon_of

    newsroom = current_newsroom()
    now = newsroom.now()
    moment = since_moment(since, now, newsroom.settings.site.time_zone)
    with newsroom.open(read_only=True) as newsroom:
        found = try_lexicon(newsroom, now, moment)
        warn_of_unserved(newsroom)
    if as_json:
        emit_json(trial_data(found, lexicon_of(newsroom.settings.themes).version, moment))
        return
    if not found.refiled.looked_at:
        done("Every article is filed by this lexicon. Next: change a term in config.toml.")
        return
    print_changes(found.refiled, newsroom.settings)
    print_effects(found, newsroom.settings.digests)
    done(f"\n{summed(found.refiled)} Nothing was changed. Next: digest themes apply.")


@themes.command()
@since_option("Only articles that came in since then; the others stay for later.")
@json_option
def apply(since: timedelta | date | None, as_json: bool) -> None:
    """File articles anew by config.toml as it is on disk: just what `themes try` shows, in one write."""
    from digest.cli.status import warn_of_unserved
    from digest.themes.filing import apply as run
    from digest.themes.lexicon import lexicon_of

    newsroom = current_newsroom()
    moment = since_moment(since, newsroom.now(), newsroom.settings.site.time_zone)
    with newsroom.open() as newsroom:
        refiled = run(newsroom, moment, progress=bar("Filing"))
        warn_of_unserved(newsroom)
    if as_json:
        emit_json(refiled_data(refiled, lexicon_of(newsroom.settings.themes).version, moment))
        return
    if not refiled.looked_at:
        done("Every article was filed by this lexicon before. Nothing was changed.")
        return
    print_changes(refiled, newsroom.settings)
    done(
        f"\nFiled {counted(refiled.looked_at, 'article')} by lexicon {lexicon_of(newsroom.settings.themes).version}. "
        f"{summed(refiled)} Next: digest publish."
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
    from digest.themes.evaluation import evaluate as run
    from digest.themes.evaluation import read_labels
    from digest.themes.filing import corrections
    from digest.themes.lexicon import lexicon_of

    newsroom = current_newsroom()
    if file is None:
        with newsroom.open(read_only=True) as newsroom:
            items = corrections(newsroom)
        if not items and not as_json:
            done(
                "No editor has ruled on an article yet. Next: digest articles theme ID --add THEME, "
                "or name a labelled file."
            )
            return
    else:
        with file.open(encoding="utf-8") as lines:
            items = read_labels(lines, file.name)
    lexicon = lexicon_of(newsroom.settings.themes)
    print_evaluation(run(lexicon, items), lexicon.version, errors=errors, as_json=as_json)
