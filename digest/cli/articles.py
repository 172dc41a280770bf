"""`digest articles list|search|show|theme|withdraw`."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from digest.cli.options import ID, by_option, current_newsroom, limit_option
from digest.cli.output import counted_to, emit_json, heading, json_option, local, show, table

if TYPE_CHECKING:
    from digest.model import Article, Correction


@click.group()
def articles() -> None:
    """List, show, search, correct and withdraw articles."""


def as_data(article: "Article") -> dict[str, Any]:
    """An article as `--json` shows it."""
    return {
        "id": article.id,
        "atom_id": article.atom_id,
        "title": article.title,
        "title_made": article.title_made,
        "language": article.language,
        "themes": list(article.themes),
        "published_at": article.published.iso,
        "date_source": article.published.source.value,
        "date_evidence": article.published.evidence,
        "byline": article.byline,
        "source": article.source,
        "document": article.document,
        "url": article.url,
        "complete": article.complete,
        "lead": article.lead,
        "story_id": article.story_id,
        "version": article.version,
        "archived": article.archived,
        "withdrawn_at": article.withdrawn_at,
        "first_seen_at": article.first_seen_at,
        "updated_at": article.updated_at,
    }


def _show_list(rows: "list[Article]", limit: int, as_json: bool, if_none: str) -> None:
    """Show `limit` articles; one more row than that means that there are more."""
    shown = rows[:limit]
    summary = f"{counted_to(limit, len(rows), 'article')}. Next: digest articles show ID."
    show(
        as_json,
        [as_data(article) for article in shown],
        summary if shown else if_none,
        ("id", "date", "lang", "themes", "title"),
        (
            (
                article.id,
                article.published.day or "undated",
                article.language,
                ", ".join(article.themes) or "-",
                article.title + ("" if article.complete else "  (summary)"),
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
    _show_list(
        rows,
        limit or len(rows),
        as_json,
        "No articles match. Next: digest articles list without options.",
    )


@articles.command()
@click.argument("query", nargs=-1, required=True)
@click.option("--language", metavar="CODE", help="Only in this language.")
@limit_option(20)
@json_option
def search(query: tuple[str, ...], language: str | None, limit: int, as_json: bool) -> None:
    """Find articles with all these words.

    A word matches in any English or Russian form.
    """
    from digest.store.articles import search_articles

    newsroom = current_newsroom()
    with newsroom.open(read_only=True) as newsroom:
        rows = search_articles(newsroom.db, " ".join(query), language=language, limit=limit + 1)
    _show_list(rows, limit, as_json, "No article has all of these words. Next: try fewer of them.")


@articles.command("show")
@click.argument("article_id", type=ID, metavar="ID")
@json_option
def show_article(article_id: int, as_json: bool) -> None:
    """Show an article with its date, themes, story and versions."""
    from digest.store.articles import article_versions, find_article, siblings_of
    from digest.themes.store import theme_corrections

    newsroom = current_newsroom()
    with newsroom.open(read_only=True) as newsroom:
        article = find_article(newsroom.db, article_id)
        corrections = theme_corrections(newsroom.db, article_id)
        siblings = siblings_of(newsroom.db, [article_id]).get(article_id, [])
        versions = article_versions(newsroom.db, article_id)
    if as_json:
        emit_json(
            {
                **as_data(article),
                "text": article.text,
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
    click.echo(
        click.style(article.title, bold=True) + ("  (title made)" if article.title_made else "")
    )
    table(
        ("", ""),
        [
            ("id", f"{article.id}  {article.atom_id}"),
            ("source", f"{article.source}, {article.document or article.url}"),
            ("language", article.language),
            ("byline", article.byline or "-"),
            ("date", date),
            ("text", "complete" if article.complete else "only a summary"),
            ("first seen", local(article.first_seen_at, zone)),
            ("version", f"{article.version} of {local(article.updated_at, zone)}"),
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
                f"{match.theme}: {match.score:.2f}, needed {match.threshold:.2f}, by {match.by}: {terms}"
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
        emit_json({**as_data(after), "rulings": rulings})
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
@click.option("--undo", is_flag=True, default=False, help="Publish it again.")
@json_option
def withdraw(article_id: int, undo: bool, as_json: bool) -> None:
    """Withdraw an article from the feeds, pages and later editions.

    Its page and its feed entries say only that it was withdrawn. It stays withdrawn when its
    document changes.
    """
    from digest.editions.store import unfinished_editions
    from digest.store.articles import find_article, readmit_article, withdraw_article

    newsroom = current_newsroom()
    with newsroom.open() as newsroom, newsroom.db.write():
        find_article(newsroom.db, article_id)
        change = readmit_article if undo else withdraw_article
        changed = change(newsroom.db, article_id, newsroom.now())
        article = find_article(newsroom.db, article_id)
        sending = unfinished_editions(newsroom.db, article_id=article_id)
    state = "is published again" if undo else "is withdrawn"
    follow = "Next: digest publish."
    if sending and not undo:
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
