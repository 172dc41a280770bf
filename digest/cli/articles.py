"""`digest articles list|search|show|theme|release|withdraw|notify`."""

from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from digest.cli.options import ID, by_option, current_newsroom, limit_option, out_option
from digest.cli.output import (
    counted,
    counted_to,
    emit_json,
    heading,
    json_option,
    local,
    show,
    table,
)

if TYPE_CHECKING:
    from digest.model import Article, Correction
    from digest.newsroom import Newsroom


@click.group()
def articles() -> None:
    """List, show, search, release, correct and withdraw articles."""


_PLAIN = (
    *("id", "atom_id", "title", "title_made", "language", "byline", "source", "document", "url"),
    *("complete", "lead", "urgency", "number", "update", "correction", "story_id", "version"),
    *("archived", "withdrawn_at", "released_by"),
    *("received_at", "opens_at", "first_seen_at", "updated_at"),
)


def as_data(article: "Article", now: datetime) -> dict[str, Any]:
    """An article as `--json` shows it."""
    return {
        **{name: getattr(article, name) for name in _PLAIN},
        "themes": list(article.themes),
        "unsure": [match.theme for match in article.matches if match.unsure],
        "published_at": article.published.iso,
        "date_source": article.published.source.value,
        "date_evidence": article.published.evidence,
        "embargo": article.embargo and asdict(article.embargo),
        "embargoed": article.is_embargoed(now),
    }


def _embargo(article: "Article", newsroom: "Newsroom") -> str:
    """Until when it is embargoed; "" if it is not."""
    from digest.model import NEVER

    if article.opens_at is None or article.opens_at <= newsroom.now():
        return ""
    hour = local(article.opens_at, newsroom.settings.site.time_zone)
    return f"embargoed until {'released' if article.opens_at == NEVER else hour}"


def _marks(article: "Article", newsroom: "Newsroom") -> str:
    marks = article.urgency, _embargo(article, newsroom), "" if article.complete else "summary"
    return "  ({})".format(", ".join(filter(None, marks))) if any(marks) else ""


def _show_list(
    newsroom: "Newsroom", rows: "list[Article]", limit: int, as_json: bool, if_none: str
) -> None:
    """Show `limit` articles; one more row than that means that there are more."""
    shown = rows[:limit]
    summary = f"{counted_to(limit, len(rows), 'article')}. Next: digest articles show ID."
    show(
        as_json,
        [as_data(article, newsroom.now()) for article in shown],
        summary if shown else if_none,
        ("id", "date", "lang", "themes", "title"),
        (
            (
                article.id,
                article.published.day or "undated",
                article.language or "unknown",
                ", ".join(one.theme + " (unsure)" * one.unsure for one in article.matches) or "-",
                article.title + _marks(article, newsroom),
            )
            for article in shown
        ),
        wide="title",
    )


@articles.command("list")
@click.option("--theme", metavar="NAME", help='Only with this theme; "other" means with none.')
@click.option("--language", metavar="CODE", help="Only in this language.")
@click.option("--source", metavar="NAME", help="Only from this source.")
@limit_option()
@json_option
def list_articles(
    theme: str | None, language: str | None, source: str | None, limit: int | None, as_json: bool
) -> None:
    """List articles, newest first."""
    from digest.errors import NotFoundError
    from digest.store.articles import latest_articles
    from digest.themes.store import stored_themes

    newsroom = current_newsroom()
    with newsroom.open(read_only=True) as newsroom:
        known = {*newsroom.settings.theme_names, *stored_themes(newsroom.db)}
        if theme is not None and theme not in known:
            raise NotFoundError(
                f"there is no theme {theme!r}; allowed are {', '.join(sorted(known))}"
            )
        rows = latest_articles(
            newsroom.db, theme=theme, language=language, source=source, limit=limit and limit + 1
        )
    if_none = "No articles match. Next: digest articles list without options."
    _show_list(newsroom, rows, limit or len(rows), as_json, if_none)


@articles.command()
@click.argument("query", nargs=-1, required=True)
@click.option("--language", metavar="CODE", help="Only in this language.")
@limit_option(20)
@json_option
def search(query: tuple[str, ...], language: str | None, limit: int, as_json: bool) -> None:
    """Find articles with all these words.

    A word matches in any English or Russian form.
    """
    from digest.store.search import search_articles

    newsroom = current_newsroom()
    with newsroom.open(read_only=True) as newsroom:
        rows = search_articles(newsroom.db, " ".join(query), language=language, limit=limit + 1)
    if_none = "No article has all of these words. Next: try fewer of them."
    _show_list(newsroom, rows, limit, as_json, if_none)


@articles.command("show")
@click.argument("article_id", type=ID, metavar="ID")
@json_option
def show_article(article_id: int, as_json: bool) -> None:
    """Show an article with its date, themes, story, versions and cuts."""
    from digest.store.articles import article_cuts, article_versions, find_article, siblings_of
    from digest.themes.store import theme_corrections

    newsroom = current_newsroom()
    with newsroom.open(read_only=True) as newsroom:
        article = find_article(newsroom.db, article_id)
        corrections = theme_corrections(newsroom.db, article_id)
        siblings = siblings_of(newsroom.db, [article_id]).get(article_id, [])
        versions = article_versions(newsroom.db, article_id)
        cuts = article_cuts(newsroom.db, article_id)
    if as_json:
        emit_json(
            {
                **as_data(article, newsroom.now()),
                "text": article.text,
                "cuts": cuts,
                "dateline": article.dateline,
                "wire_tag": article.wire_tag,
                "matches": [asdict(match) for match in article.matches],
                "rulings": [{"theme": key, **asdict(one)} for key, one in corrections.items()],
                "siblings": [
                    {"id": s.id, "language": s.language, "title": s.title, "source": s.source}
                    for s in siblings
                ],
                "versions": [
                    {"version": v["version"], "made_at": v["made_at"], "title": v["title"]}
                    for v in versions
                ],
            }
        )
        return
    zone, published = newsroom.settings.site.time_zone, article.published
    date = "unknown" if published.day is None else f"{published.iso}, {published.source.value}"
    if published.day is not None and published.evidence:
        date += f" in “{published.evidence}”"
    ended = f"released by {article.released_by}" if article.released_by else ""
    held = article.embargo
    embargo = held and f"“{held.words}” {_embargo(article, newsroom) or ended}"
    click.echo(
        click.style(article.title, bold=True) + ("  (title made)" if article.title_made else "")
    )
    table(
        ("", ""),
        [
            ("id", f"{article.id}  {article.atom_id}"),
            ("source", f"{article.source}, {article.document or article.url}"),
            ("language", article.language or "unknown"),
            ("byline", article.byline or "-"),
            ("date", date),
            ("text", "complete" if article.complete else "only a summary"),
            ("first seen", local(article.first_seen_at, zone)),
            ("version", f"{article.version} of {local(article.updated_at, zone)}"),
            *((one, getattr(article, one) or "-") for one in ("urgency", "update", "correction")),
            ("embargo", embargo or "-"),
        ],
    )
    heading("Themes")
    _print_themes(article, corrections, zone)
    if siblings:
        heading("Same story")
        for sibling in siblings:
            click.echo(f"{sibling.id}  {sibling.language}  {sibling.title}")
    heading("Text")
    click.echo(article.text)
    if cuts:
        heading("Cut from its document, and not published")
    for cut in cuts:
        click.echo(f"{cut['kind']}, {cut['document']}: {cut['text']}")


def _print_themes(article: "Article", corrections: "dict[str, Correction]", zone: str) -> None:
    editor = {key: f"{one.by}, {local(one.at, zone)}" for key, one in corrections.items()}
    for match in article.matches:
        terms = ", ".join(dict.fromkeys(f"{hit.form} ({hit.place})" for hit in match.hits))
        if match.theme in corrections:
            alone = sum(hit.weight for hit in match.hits)
            click.echo(
                f"{match.theme}: added by {editor[match.theme]}; the classifier alone: "
                f"{alone:.2f}, needed {match.threshold:.2f}: {terms or 'no term'}"
            )
        else:
            click.echo(
                f"{match.theme}{', unsure' * match.unsure}: {match.score:.2f}, needed "
                f"{match.threshold:.2f}, by {match.by}: {terms}"
            )
    for theme, correction in corrections.items():
        if correction.verdict == "remove":
            click.echo(f"not {theme}: removed by {editor[theme]}")
    if not article.matches and not corrections:
        click.echo(f"none; digest themes explain {article.id} shows why")


@articles.command("theme")
@click.argument("article_id", type=ID, metavar="ID")
@click.option("--add", multiple=True, metavar="THEME", help="The article belongs to this theme.")
@click.option("--remove", multiple=True, metavar="THEME", help="It does not belong to this theme.")
@click.option("--clear", is_flag=True, default=False, help="Undo all corrections of the article.")
@by_option
@json_option
def correct_themes(
    article_id: int,
    add: tuple[str, ...],
    remove: tuple[str, ...],
    clear: bool,
    by: str | None,
    as_json: bool,
) -> None:
    """Correct an article's themes. The classifier never overrules an editor."""
    from digest.model import Verdict
    from digest.themes.filing import rule, take_back
    from digest.themes.store import theme_corrections

    if clear == bool(add or remove):
        raise click.UsageError("Give --add or --remove with a THEME, or --clear.")
    if both := set(add) & set(remove):
        raise click.UsageError(f"{', '.join(sorted(both))}: give it to --add or to --remove.")
    verdicts = dict.fromkeys(add, Verdict.ADD) | dict.fromkeys(remove, Verdict.REMOVE)
    newsroom = current_newsroom()
    with newsroom.open() as newsroom:
        before, after = (
            take_back(newsroom, article_id)
            if clear
            else rule(
                newsroom, article_id, verdicts, by=by or newsroom.person, moment=newsroom.now()
            )
        )
        corrections = theme_corrections(newsroom.db, article_id)
    if as_json:
        rulings = [{"theme": key, **asdict(one)} for key, one in corrections.items()]
        emit_json({**as_data(after, newsroom.now()), "rulings": rulings})
        return
    was, now = (", ".join(one.themes) or "no theme" for one in (before, after))
    click.echo(f"{after.id}  {after.language}  {after.title}")
    _print_themes(after, corrections, newsroom.settings.site.time_zone)
    click.echo(
        f"{now}, as before. Next: digest articles show {after.id}."
        if was == now
        else f"{was} became {now}. Next: digest publish."
    )


@articles.command()
@click.argument("article_id", type=ID, metavar="ID")
@by_option
@json_option
def release(article_id: int, by: str | None, as_json: bool) -> None:
    """End the embargo of an article now, and publish it.

    Without this it is published at the hour that its embargo names.
    """
    from digest.feeds.publish import publish
    from digest.sources.decisions import release as run
    from digest.store.articles import find_article

    newsroom = current_newsroom()
    with newsroom.open() as newsroom:
        changed = run(newsroom, article_id, by=by or newsroom.person)
        article = find_article(newsroom.db, article_id)
        publish(newsroom)
    state = "is released, and in the feeds" if changed else "is not embargoed"
    show(
        as_json,
        {**as_data(article, newsroom.now()), "changed": changed},
        f"{article.id}  {article.language}  {article.title}\n"
        f"It {state} now. Next: digest send --dry-run.",
    )


@articles.command()
@click.argument("article_id", type=ID, metavar="ID")
@click.option(
    "--undo", "--keep", "keep", is_flag=True, default=False, help="Publish it again, or still."
)
@click.option("--reason", default="", metavar="TEXT", help="What its page says of why.")
@by_option
@json_option
def withdraw(article_id: int, keep: bool, reason: str, by: str | None, as_json: bool) -> None:
    """Withdraw an article from the feeds, pages and later editions.

    Its page and its feed entries say only that it was withdrawn, under its headline. It stays withdrawn when its
    document changes. A kill or a correction that asks for it is settled, also by --keep.
    """
    from digest.editions.store import unfinished_editions
    from digest.sources.decisions import withdraw as run
    from digest.store.articles import find_article

    newsroom = current_newsroom()
    with newsroom.open() as newsroom:
        changed = run(newsroom, article_id, by=by or newsroom.person, keep=keep, why=reason)
        article = find_article(newsroom.db, article_id)
        sending = unfinished_editions(newsroom.db, article_id=article_id)
    state = "is published again" if keep else "is withdrawn"
    follow = "Next: digest publish."
    if sending and not keep:
        follow = (
            f"It is in edition {sending[0]}, which still has mail to send: if part of it was sent, the "
            "rest is held for you, else it goes without this article. Next: digest publish, digest "
            "send --dry-run."
        )
    show(
        as_json,
        {
            "id": article.id,
            "withdrawn_at": article.withdrawn_at,
            "changed": changed,
            "editions": sending,
        },
        f"{article.id}  {article.language}  {article.title}\n"
        f"It {state}{'' if changed else ' already'}. {follow}",
    )


@articles.command()
@click.argument("article_id", type=ID, metavar="ID")
@click.option("--dry-run", is_flag=True, default=False, help="Show the mail and how many get it.")
@out_option
@json_option
def notify(article_id: int, dry_run: bool, out: Path, as_json: bool) -> None:
    """Mail a correction at once to those who got the article.

    For grave errors: without it they learn of it at the top of their next edition. Nobody gets
    it twice.
    """
    from digest.editions.corrections import notify as run
    from digest.editions.preview import write_parts

    newsroom = current_newsroom()
    with newsroom.open(read_only=dry_run) as newsroom:
        told = run(newsroom, article_id, dry_run=dry_run)
    readers = told.digests.total()
    files = [
        path
        for language, mail in told.samples.items()
        if dry_run
        for path in write_parts(out, f"correction-{article_id}-{language}", mail.body)
    ]
    by_digest = ", ".join(f"{name} {count:,}" for name, count in told.digests.items())
    paused = f" {counted(told.paused, 'more')} paused, and hear of it later." if told.paused else ""
    if not readers:
        text = f"Nobody is to be told of article {article_id}.{paused} Next: digest articles show {article_id}."
    elif dry_run:
        text = (
            f"{counted(readers, 'reader')} would be told ({by_digest}).{paused} Nothing was queued. Wrote "
            f"{counted(len(files), 'file')} to {out}. Next: open {files[1]}."
        )
    else:
        text = (
            f"{counted(readers, 'notice')} queued ({by_digest}).{paused} The service sends them within a "
            "minute. Without it, next: digest send."
        )
    data = {"readers": readers, "digests": dict(told.digests), "paused": told.paused}
    show(as_json, data | {"files": [str(path) for path in files], "queued": not dry_run}, text)
