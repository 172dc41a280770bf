"""`digest articles list|show|search`."""

from typing import TYPE_CHECKING, Any

import click

from digest.cli.desk import runtime
from digest.cli.output import counted, done, emit_json, heading, json_option, local, table

if TYPE_CHECKING:
    from digest.model import Article


@click.group()
def articles() -> None:
    """The articles that are kept."""


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


def _show(found: "list[Article]", as_json: bool, none: str) -> None:
    if as_json:
        emit_json([as_data(article) for article in found])
        return
    if not found:
        done(none)
        return
    table(
        ("id", "date", "lang", "themes", "title"),
        [
            (
                str(article.id),
                article.published.day.isoformat() if article.published.day else "undated",
                article.language,
                ", ".join(article.themes) or "-",
                article.title + ("" if article.complete else "  (summary)"),
            )
            for article in found
        ],
        wide="title",
        right=("id",),
    )
    done(f"{counted(len(found), 'article')}. Next: digest articles show ID.")


@articles.command("list")
@click.option("--theme", metavar="NAME", help="Only under this theme.")
@click.option("--language", metavar="CODE", help="Only in this language.")
@click.option("--source", metavar="NAME", help="Only from this source.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="At most so many.")
@json_option
def list_articles(
    theme: str | None, language: str | None, source: str | None, limit: int | None, as_json: bool
) -> None:
    """The newest articles first."""
    from digest.store.articles import latest_articles

    room = runtime()
    with room.open(read_only=True) as db:
        found = latest_articles(db, theme=theme, language=language, source=source, limit=limit)
    _show(found, as_json, "No article fits. Next: digest articles list without options.")


@articles.command()
@click.argument("query", nargs=-1, required=True)
@click.option("--language", metavar="CODE", help="Only in this language.")
@click.option("--limit", type=click.IntRange(min=1), default=20, metavar="N", show_default=True)
@json_option
def search(query: tuple[str, ...], language: str | None, limit: int, as_json: bool) -> None:
    """Articles with these words in any of their forms, in English and Russian."""
    from digest.store.articles import search_articles

    room = runtime()
    with room.open(read_only=True) as db:
        found = search_articles(db, " ".join(query), language=language, limit=limit)
    _show(found, as_json, "No article has all of these words. Next: try fewer of them.")


@articles.command()
@click.argument("article_id", type=int, metavar="ID")
@json_option
def show(article_id: int, as_json: bool) -> None:
    """One article: its copy, how its date and themes are known, its story, its versions."""
    from digest.errors import NotFoundError
    from digest.store.articles import article_versions, articles_by_id, siblings_of

    room = runtime()
    with room.open(read_only=True) as db:
        found = articles_by_id(db, [article_id])
        if not found:
            raise NotFoundError(f"there is no article {article_id}; see `digest articles list`")
        siblings = siblings_of(db, [article_id]).get(article_id, [])
        versions = article_versions(db, article_id)
    article = found[0]
    if as_json:
        emit_json(
            {
                **as_data(article),
                "text": article.text,
                "dateline": article.dateline,
                "wire_tag": article.wire_tag,
                "matches": [_match_data(article, i) for i in range(len(article.matches))],
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
    zone = room.settings.site.time_zone
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
            ("date", _date_line(article)),
            ("known", "the whole text" if article.complete else "only a summary"),
            ("first seen", local(article.first_seen_at, zone)),
            ("version", f"{article.version} of {local(article.updated_at, zone)}"),
        ],
    )
    heading("Themes")
    for match in article.matches:
        found_terms = ", ".join(dict.fromkeys(f"{hit.form} ({hit.place})" for hit in match.hits))
        click.echo(
            f"{match.theme}: {match.score:.2f}, needed {match.threshold:.2f}, by {match.by}: {found_terms}"
        )
    if not article.matches:
        click.echo(f"none; digest themes explain {article.id} says why")
    if siblings:
        heading("Same story")
        for sibling in siblings:
            click.echo(f"{sibling.id}  {sibling.language}  {sibling.title}")
    heading("Text")
    click.echo(article.text)


def _match_data(article: "Article", i: int) -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(article.matches[i])


def _date_line(article: "Article") -> str:
    known = article.published
    if known.day is None:
        return "unknown"
    words = f" in “{known.evidence}”" if known.evidence else ""
    return f"{known.iso}, {known.source.value}{words}"
