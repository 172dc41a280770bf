"""`digest themes list|explain|try|apply|evaluate`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from digest.cli.options import ID, current_newsroom, since_moment, since_option
from digest.cli.output import bar, counted, emit_json, heading, json_option, show, table

if TYPE_CHECKING:
    from digest.config.settings import DigestConfig, Settings
    from digest.feeds.items import FeedView
    from digest.model import ThemeScore
    from digest.newsroom import Newsroom
    from digest.themes.evaluation import Evaluation, Figure, JudgedItem
    from digest.themes.filing import Refiled


@click.group()
def themes() -> None:
    """Show why articles have their themes; try and apply changed terms."""


@themes.command("list")
@json_option
def list_themes(as_json: bool) -> None:
    """List the themes with their articles by language."""
    from digest.service.store import articles_by_theme

    newsroom = current_newsroom()
    with newsroom.open(read_only=True) as newsroom:
        counts = articles_by_theme(newsroom.db)
    languages = newsroom.settings.site.languages
    names = newsroom.settings.theme_names
    show(
        as_json,
        [
            {
                "name": key,
                "title": dict(name.titles),
                "colour": name.colour,
                "colour_dark": name.colour_dark,
                "articles": {code: counts.get((key, code), 0) for code in languages},
            }
            for key, name in names.items()
        ],
        "Next: digest themes explain ID shows why an article has its themes.",
        ("theme", "title", *languages),
        (
            (key, name.title(languages[0]), *(counts.get((key, code), 0) for code in languages))
            for key, name in names.items()
        ),
        wide="title",
    )


@themes.command()
@click.argument("article_id", type=ID, required=False, metavar="[ID]")
@click.option(
    "--text",
    "file",
    type=click.File("rb"),
    metavar="FILE",
    help="A file instead of an article, or - for standard input. Its first line is the title.",
)
@json_option
def explain(article_id: int | None, file: Any, as_json: bool) -> None:
    """Show which terms count for each theme.

    Themes that do not reach the threshold are shown too. --text takes any encoding that `ingest`
    reads.
    """
    from digest.language.text import decode
    from digest.language.words import detect
    from digest.store.articles import find_article
    from digest.themes.classify import classify
    from digest.themes.lexicon import lexicon_of

    if (article_id is None) == (file is None):
        raise click.UsageError("Give the ID of an article, or --text FILE.")
    newsroom = current_newsroom()
    if article_id is not None:
        with newsroom.open(read_only=True) as newsroom:
            article = find_article(newsroom.db, article_id)
        title, text, language = article.title, article.text, article.language
    else:
        copy, _ = decode(file.name, file.read())
        title, _, text = copy.partition("\n")
        text = text.strip()
        language = detect(f"{title}\n{text}")
    lexicon = lexicon_of(newsroom.settings.themes)
    scores = classify(lexicon, title=title, text=text, language=language)
    if as_json:
        emit_json(
            {
                "title": title,
                "language": language,
                "lexicon_version": lexicon.version,
                "themes": [
                    {**asdict(score), "matched": score.matched, "unsure": score.unsure}
                    for score in scores
                ],
            }
        )
        return
    click.echo(click.style(_marked(title, scores, in_title=True), bold=True) + "\n")
    click.echo(_marked(text, scores, in_title=False) + "\n")
    for score in scores:
        verdict = "unsure" if score.unsure else "yes" if score.matched else "no"
        line = f"{score.theme}: {verdict}, {score.score:.2f} of {score.threshold:.2f} needed"
        click.echo(click.style(line, bold=True))
        for hit in score.hits:
            why = f"; {hit.why}" if hit.why else ""
            click.echo(f"  {hit.weight:+.2f}  {hit.form}  ({hit.place}, term “{hit.term}”{why})")
        for hit in score.blotted:
            click.echo(f"   0.00  {hit.form}  ({hit.place}, term “{hit.term}”; {hit.why})")


def _marked(copy: str, scores: Iterable[ThemeScore], *, in_title: bool) -> str:
    """The copy with every counted term between [brackets], blotted ones between (round ones)."""
    from digest.model import Place

    marks = {
        (hit.start, hit.end): signs
        for score in scores
        for hits, signs in ((score.blotted, "()"), (score.hits, "[]"))
        for hit in hits
        if (hit.place is Place.TITLE) == in_title
    }
    text, at = "", 0
    for (start, end), signs in sorted(marks.items()):
        if start >= at:
            text += copy[at:start] + signs[0] + copy[start:end] + signs[1]
            at = end
    return text + copy[at:]


@themes.command("try")
@since_option("Only articles that came in since then.")
@json_option
def try_out(since: timedelta | date | None, as_json: bool) -> None:
    """Show what the changed terms in config.toml would change.

    Each change has its reasons. Nothing is changed.
    """
    from digest.cli.status import warn_of_unserved

    newsroom = current_newsroom()
    now = newsroom.now()
    moment = since_moment(since, now, newsroom.settings.site.time_zone)
    with newsroom.open(read_only=True) as newsroom:
        trial = try_lexicon(newsroom, now, moment)
        warn_of_unserved(newsroom)
    if as_json:
        emit_json(
            {
                **_refiled_data(newsroom, trial.refiled, moment),
                "feeds": list(trial.feeds),
                "pages": list(trial.pages),
                "editions": [asdict(edition) for edition in trial.editions],
            }
        )
    elif not trial.refiled.looked_at:
        click.echo("Every article is filed by this lexicon. Next: change a term in config.toml.")
    else:
        _print_changes(trial.refiled, newsroom.settings)
        _print_effects(trial, newsroom.settings.digests)
        click.echo(f"\n{_summary(trial.refiled)} Nothing was changed. Next: digest themes apply.")


@themes.command()
@since_option("Only articles that came in since then; the others can follow later.")
@json_option
def apply(since: timedelta | date | None, as_json: bool) -> None:
    """File articles again by the changed terms in config.toml.

    It changes exactly what `themes try` shows, in one write.
    """
    from digest.cli.status import warn_of_unserved
    from digest.themes.filing import apply as run
    from digest.themes.lexicon import lexicon_of

    newsroom = current_newsroom()
    moment = since_moment(since, newsroom.now(), newsroom.settings.site.time_zone)
    with newsroom.open() as newsroom:
        refiled = run(newsroom, moment, progress=bar("Filing"))
        warn_of_unserved(newsroom)
    if as_json:
        emit_json(_refiled_data(newsroom, refiled, moment))
    elif not refiled.looked_at:
        click.echo("Every article was already filed by this lexicon. Nothing was changed.")
    else:
        _print_changes(refiled, newsroom.settings)
        click.echo(
            f"\nFiled {counted(refiled.looked_at, 'article')} by lexicon "
            f"{lexicon_of(newsroom.settings.themes).version}. {_summary(refiled)} "
            "Next: digest publish."
        )


Sections = dict[int, tuple[str, str]]
"""For each article of an edition its title, and the theme that it is shown under."""


@dataclass(frozen=True, slots=True)
class Move:
    """An article that moves to another theme of an edition; None: it is not in the edition."""

    article_id: int
    title: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class EditionChange:
    """How the next edition of a digest changes."""

    digest: str
    number: int
    hash_before: str
    hash_after: str
    moves: tuple[Move, ...]


@dataclass(frozen=True, slots=True)
class Trial:
    """What `themes apply` and then `publish` would do: `feeds` are the changed ones of `files` files."""

    refiled: Refiled
    feeds: tuple[str, ...]
    files: int
    pages: tuple[str, ...]
    editions: tuple[EditionChange, ...]


def try_lexicon(newsroom: Newsroom, now: datetime, since: datetime | None) -> Trial:
    """Compare the stored matches with those by config.toml. Nothing is changed."""
    from digest.feeds.channels import MEDIA_TYPES
    from digest.feeds.pages import article_name
    from digest.feeds.publish import feed_files, feed_views
    from digest.themes.filing import rehearse
    from digest.themes.store import spool, supposing

    db, settings, templates = newsroom.db, newsroom.settings, newsroom.templates
    with db.snapshot(), spool(db):
        refiled = rehearse(newsroom, since, progress=bar("Filing"))
        now = newsroom.now()
        views = feed_views(newsroom, now)
        files = len(views) * len(MEDIA_TYPES)
        if not refiled.changes:
            return Trial(refiled, (), files, (), ())
        planned = _editions(newsroom, now)
        with supposing(db):
            views_after = feed_views(newsroom, now)
            planned_after = _editions(newsroom, now)
    feeds: list[str] = []
    for view, view_after in zip(views, views_after, strict=True):
        if _shown(view) != _shown(view_after):  # rendering is slow
            was = dict(feed_files(view, settings, templates))
            made = feed_files(view_after, settings, templates)
            feeds += [name for name, data in made if was[name] != data]
    pages = []
    for change in refiled.changes:
        before, after = (
            [key for key in keys if key in settings.theme_keys]
            for keys in (change.before, change.after)
        )
        if before != after:
            pages.append(article_name(change.article_id))
    editions = []
    for digest, (number, hash_before, sections) in planned.items():
        _, hash_after, sections_after = planned_after[digest]
        moves = [
            Move(
                i, title, sections.get(i, (title, None))[1], sections_after.get(i, (title, None))[1]
            )
            for i, (title, _) in sorted((sections | sections_after).items())
            if sections.get(i) != sections_after.get(i)
        ]
        if hash_before != hash_after:
            editions.append(EditionChange(digest, number, hash_before, hash_after, tuple(moves)))
    return Trial(refiled, tuple(feeds), files, tuple(pages), tuple(editions))


def _shown(view: FeedView) -> list[tuple[object, ...]]:
    return [
        (item.article.id, item.categories, item.translations, item.related) for item in view.items
    ]


def _editions(newsroom: Newsroom, now: datetime) -> dict[str, tuple[int, str, Sections]]:
    """The next edition of each digest: its number, its hash, its articles."""
    from digest.editions.compose import preview
    from digest.editions.selection import section_of

    editions = {}
    for digest in newsroom.settings.digests:
        edition = preview(newsroom, digest, now)
        if edition is not None:
            articles = [placement.article for placement in edition.placements]
            themes = newsroom.settings.digest_themes(digest)
            sections = {one.id: (one.title, section_of(one, themes) or "") for one in articles}
            editions[digest.name] = (edition.number, edition.hash, sections)
    return editions


def _refiled_data(newsroom: Newsroom, refiled: Refiled, since: datetime | None) -> dict[str, Any]:
    from digest.themes.lexicon import lexicon_of

    return {
        "lexicon_version": lexicon_of(newsroom.settings.themes).version,
        "since": since,
        "looked_at": refiled.looked_at,
        "changes": [asdict(change) for change in refiled.changes],
    }


def _print_changes(refiled: Refiled, settings: Settings) -> None:
    """What enters and leaves each theme, by language, with the reason."""
    turns = [(one, turn) for one in refiled.changes for turn in one.turns]
    codes = dict.fromkeys([*settings.site.languages, *(one.language for one, _ in turns)])
    order = {code: position for position, code in enumerate(codes)}
    turns.sort(key=lambda pair: (order[pair[0].language], not pair[1].enters))
    for theme in dict.fromkeys([*settings.theme_keys, *(turn.theme for _, turn in turns)]):
        of_theme = [(one, turn) for one, turn in turns if turn.theme == theme]
        if of_theme:
            heading(theme)
        for one, turn in of_theme:
            colour, word = ("green", "enters") if turn.enters else ("red", "leaves")
            verb = click.style(word, fg=colour)
            click.echo(f"  {verb}  {one.language}  {one.article_id:>5}  {one.title}")
            score = (
                "" if turn.score is None else f"{turn.score:.2f} of {turn.threshold:.2f} needed: "
            )
            reasons = "; ".join(turn.reasons) or "its parts weigh less"
            click.echo(f"                     {score}{reasons}")
    moved = [one for one in refiled.changes if not one.turns]
    if moved:
        heading("Another order of themes")
    for one in moved:
        click.echo(f"  {one.language}  {one.article_id:>5}  {one.title}")
        click.echo(f"             {', '.join(one.before)} becomes {', '.join(one.after)}")


def _print_effects(trial: Trial, digests: Iterable[DigestConfig]) -> None:
    """How the feeds and the next editions change."""
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
            click.echo(f"{digest.name}: does not change.")
            continue
        click.echo(
            f"{edition.digest} no. {edition.number}: hash {edition.hash_before[:16]} becomes "
            f"{edition.hash_after[:16]}; {counted(len(edition.moves), 'article')} would move."
        )
        for move in edition.moves:
            was, now = move.before or "not in it", move.after or "not in it"
            click.echo(f"  {move.article_id:>5}  {was} becomes {now}  {move.title}")


def _summary(refiled: Refiled) -> str:
    """Entering a theme: 3, leaving one: 2, only in another order: 1, as before: 306 of 312 articles."""
    enters = [turn.enters for one in refiled.changes for turn in one.turns]
    return (
        f"Entering a theme: {enters.count(True)}, leaving one: {enters.count(False)}, only in "
        f"another order: {sum(not one.turns for one in refiled.changes)}, as before: "
        f"{refiled.looked_at - len(refiled.changes)} of {counted(refiled.looked_at, 'article')}."
    )


@themes.command()
@click.argument(
    "file", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=False
)
@click.option("--errors", is_flag=True, default=False, help="Show each error with its evidence.")
@json_option
def evaluate(file: Path | None, errors: bool, as_json: bool) -> None:
    """Measure the classifier on labelled articles.

    FILE has one of them a line, as {"id", "lang", "title", "text", "themes": [...], "allowed":
    [...]}; allowed themes are acceptable, but not required. Without FILE the articles are those
    that editors corrected.
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
            click.echo(
                "No editor has corrected an article yet. Next: digest articles theme ID --add THEME, "
                "or name a labelled file."
            )
            return
    else:
        with file.open(encoding="utf-8") as lines:
            items = read_labels(lines, file.name)
    lexicon = lexicon_of(newsroom.settings.themes)
    evaluation = run(lexicon, items)
    if as_json:
        emit_json(
            {
                "lexicon_version": lexicon.version,
                "overall": asdict(evaluation.overall),
                "by_theme": {key: asdict(one) for key, one in evaluation.by_theme.items()},
                "by_language": {code: asdict(one) for code, one in evaluation.by_language.items()},
                "unjudged": evaluation.unjudged,
                "unknown": list(evaluation.unknown),
                "items": [_item_data(one) for one in evaluation.items],
                **({"errors": [_error_data(one) for one in evaluation.errors]} if errors else {}),
            }
        )
    else:
        _print_evaluation(evaluation, lexicon.version, errors=errors)


def _item_data(judged: JudgedItem) -> dict[str, Any]:
    return {
        "id": judged.item.id,
        "language": judged.item.language,
        "themes": list(judged.themes),
        "wrong": list(judged.wrong),
        "missed": list(judged.missed),
        "scores": {score.theme: score.score for score in judged.scores},
    }


def _error_data(judged: JudgedItem) -> dict[str, Any]:
    themes = (*judged.wrong, *judged.missed)
    evidence = [asdict(score) for score in judged.scores if score.theme in themes]
    return {**_item_data(judged), "title": judged.item.title, "evidence": evidence}


def _print_evaluation(evaluation: Evaluation, version: str, *, errors: bool) -> None:
    measures = {
        "all": evaluation.overall,
        **{f"theme {key}": one for key, one in evaluation.by_theme.items()},
        **{f"language {code}": one for code, one in evaluation.by_language.items()},
    }
    columns = ("", "right", "wrong", "missed", "precision", "recall", "F1")
    table(
        columns,
        [
            (
                *(name, one.right, one.wrong, one.missed),
                *(_interval(one.precision), _interval(one.recall), _interval(one.f1)),
            )
            for name, one in measures.items()
        ],
        right=columns[1:],
    )
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
    click.echo(
        f"{counted(len(evaluation.items), 'item')}{unjudged}, {len(evaluation.errors)} filed "
        f"differently than labelled, by lexicon {version}; in brackets the 95 % interval."
        + ("" if errors or not evaluation.errors else " Next: --errors shows each with its terms.")
    )


def _interval(figure: Figure) -> str:
    """0.900 (0.850–0.950)."""
    if figure.value is None or figure.low is None or figure.high is None:
        return "-"
    return f"{figure.value:.3f} ({figure.low:.3f}–{figure.high:.3f})"


def _evidence(score: ThemeScore) -> str:
    terms = ", ".join(f"“{hit.form}” {hit.weight:+.2f}" for hit in score.hits if hit.weight)
    blotted = ", ".join(f"“{hit.form}”" for hit in score.blotted)
    ignored = f"; ignored {blotted}" if blotted else ""
    return f"{score.score:.2f} of {score.threshold:.2f}; {terms or 'no term'}{ignored}"
