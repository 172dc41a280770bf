"""What another lexicon would do: to the themes, to the feeds and to the next editions."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from digest.cli.output import bar, counted, heading
from digest.compose import preview
from digest.config.settings import DigestConfig, Settings
from digest.editorial.refiling import Refiling, Turn
from digest.editorial.selection import section_of
from digest.feeds.channels import MEDIA_TYPES
from digest.feeds.items import FeedView
from digest.feeds.pages import article_name
from digest.filing import Refiled, rehearse
from digest.publish import feed_files, feed_views
from digest.runtime import Runtime
from digest.store.database import Database
from digest.store.filings import spool, supposing

if TYPE_CHECKING:
    from jinja2 import Environment

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


def try_out(db: Database, room: Runtime, now: datetime, since: datetime | None) -> Trial:
    """Hold config.toml as it is on disk against the stored matches. Nothing is changed."""
    from digest.editorial.lexicon import lexicon_of

    settings, templates = room.settings, room.templates
    with db.snapshot(), spool(db):
        refiled = rehearse(db, lexicon_of(room.settings.themes), since, progress=bar("Filing"))
        if not refiled.changes:
            return Trial(refiled, (), len(feed_views(db, settings)) * len(MEDIA_TYPES), (), ())
        before = feed_views(db, settings)
        planned = _editions(db, settings, now)
        with supposing(db):
            after = feed_views(db, settings)
            editions = tuple(_changed(planned, _editions(db, settings, now)))
    return Trial(
        refiled,
        tuple(_changed_files(before, after, settings, templates)),
        len(after) * len(MEDIA_TYPES),
        tuple(_pages(refiled.changes, settings)),
        editions,
    )


def _changed_files(
    before: list[FeedView], after: list[FeedView], settings: Settings, templates: "Environment"
) -> Iterator[str]:
    """The files whose bytes would be others; only channels that hold something else are made."""
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
    keys = settings.theme_keys
    for change in changes:
        was, now = ([t for t in themes if t in keys] for themes in (change.before, change.after))
        if was != now:
            yield article_name(change.article_id)


def _editions(
    db: Database, settings: Settings, now: datetime
) -> dict[str, tuple[int, str, Sections]]:
    """The next edition of each digest: its number, its hash, what stands where."""
    found = {}
    for digest in settings.digests:
        edition = preview(db, settings, digest, now)
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
            f"{edition.hash_after[:16]}; {counted(len(edition.moves), 'article')} would stand elsewhere."
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
