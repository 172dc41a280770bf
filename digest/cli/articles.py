"""`digest articles list|show|search|theme`."""

from typing import TYPE_CHECKING, Any

import click

from digest.cli.options import COUNT, ID, current_newsroom
from digest.cli.output import counted_to, done, emit_json, heading, json_option, local, show, table

if TYPE_CHECKING:
    from digest.model import Article, Correction
    from digest.newsroom import Newsroom


@click.command()
@click.argument("article_id", type=ID, metavar="ID")
@click.option("--undo", is_flag=True, default=False, help="Publish it again.")
@json_option
def withdraw(article_id: int, undo: bool, as_json: bool) -> None:
    """Take an article back: its page and its entries say only that it was withdrawn, and no later
    edition holds it. It stays withdrawn when its document changes.
    """
    from digest.editions.store import unfinished_editions
    from digest.store.articles import readmit_article, withdraw_article
    from digest.themes.filing import find_article

    newsroom = current_newsroom()
    with newsroom.open() as newsroom, newsroom.db.write():
        find_article(newsroom.db, article_id)
        changed = (readmit_article if undo else withdraw_article)(
            newsroom.db, article_id, newsroom.now()
        )
        article = find_article(newsroom.db, article_id)
        held_in = unfinished_editions(newsroom.db, article_id=article_id)
    if as_json:
        emit_json(
            {
                "id": article.id,
                "withdrawn_at": article.withdrawn_at,
                "changed": changed,
                "editions": held_in,
            }
        )
        return
    click.echo(f"{article.id}  {article.language}  {article.title}")
    is_so = "is published again" if undo else "is withdrawn"
    follow = "Next: digest publish."
    if held_in and not undo:
        follow = (
            f"It is in edition {held_in[0]}, which still has mail to send. Next: digest publish, "
            f"and digest editions hold {held_in[0]}."
        )
    done(f"It {is_so}. {follow}" if changed else f"It {is_so} already. {follow}")


@click.group()
def articles() -> None:
    """The stored articles."""


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


def _show(rows: "list[Article]", limit: int, as_json: bool, none: str) -> None:
    """Articles, of which one more than `limit` was asked for."""
    found = rows[:limit]
    said = f"{counted_to(limit, len(rows), 'article')}. Next: digest articles show ID."
    show(
        as_json,
        [as_data(article) for article in found],
        said if found else none,
        ("id", "date", "lang", "themes", "title"),
        (
            (
                article.id,
                article.published.day or "undated",
                article.language,
                ", ".join(article.themes) or "-",
                article.title + ("" if article.complete else "  (summary)"),
            )
            for article in found
        ),
        wide="title",
    )


@articles.command("list")
@click.option("--theme", metavar="NAME", help='Only under this theme, or under none: "other".')
@click.option("--language", metavar="CODE", help="Only in this language.")
@click.option("--source", metavar="NAME", help="Only from this source.")
@click.option("--limit", type=COUNT, metavar="N", help="At most N.")
@json_option
def list_articles(
    theme: str | None, language: str | None, source: str | None, limit: int | None, as_json: bool
) -> None:
    """The newest articles first."""
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
        found = latest_articles(
            newsroom.db, theme=theme, language=language, source=source, limit=limit and limit + 1
        )
    _show(
        found,
        limit or len(found),
        as_json,
        "No article fits. Next: digest articles list without options.",
    )


@articles.command()
@click.argument("query", nargs=-1, required=True)
@click.option("--language", metavar="CODE", help="Only in this language.")
@click.option("--limit", type=COUNT, default=20, metavar="N", show_default=True)
@json_option
def search(query: tuple[str, ...], language: str | None, limit: int, as_json: bool) -> None:
    """Articles with these words in any of their forms, in English and Russian."""
    from digest.store.articles import search_articles

    newsroom = current_newsroom()
    with newsroom.open(read_only=True) as newsroom:
        found = search_articles(newsroom.db, " ".join(query), language=language, limit=limit + 1)
    _show(found, limit, as_json, "No article has all of these words. Next: try fewer of them.")


@articles.command("show")
@click.argument("article_id", type=ID, metavar="ID")
@json_option
def show_article(article_id: int, as_json: bool) -> None:
    """One article: its copy, how its date and themes are known, its story, its versions."""
    from digest.store.articles import article_versions, siblings_of
    from digest.themes.filing import find_article
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
                **_whole_data(article, corrections),
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
    zone = newsroom.settings.site.time_zone
    _print_facts(article, zone)
    heading("Themes")
    _print_themes(article, corrections, zone)
    if siblings:
        heading("Same story")
        for sibling in siblings:
            click.echo(f"{sibling.id}  {sibling.language}  {sibling.title}")
    heading("Text")
    click.echo(article.text)


def _whole_data(article: "Article", corrections: "dict[str, Correction]") -> dict[str, Any]:
    return {
        **as_data(article),
        "text": article.text,
        "dateline": article.dateline,
        "wire_tag": article.wire_tag,
        "matches": [_match_data(article, i) for i in range(len(article.matches))],
        "rulings": [_correction_data(theme, corrections[theme]) for theme in corrections],
    }


def _print_facts(article: "Article", zone: str) -> None:
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


def _print_themes(article: "Article", corrections: "dict[str, Correction]", zone: str) -> None:
    for match in article.matches:
        terms = ", ".join(dict.fromkeys(f"{hit.form} ({hit.place})" for hit in match.hits))
        if match.theme in corrections:
            alone = sum(hit.weight for hit in match.hits)
            click.echo(
                f"{match.theme}: added by {_who(corrections[match.theme], zone)}; the classifier alone: "
                f"{alone:.2f}, needed {match.threshold:.2f}: {terms or 'no term'}"
            )
        else:
            click.echo(
                f"{match.theme}: {match.score:.2f}, needed {match.threshold:.2f}, by {match.by}: {terms}"
            )
    for theme, correction in corrections.items():
        if correction.verdict == "remove":
            click.echo(f"not {theme}: removed by {_who(correction, zone)}")
    if not article.matches and not corrections:
        click.echo(f"none; digest themes explain {article.id} says why")


def _who(correction: "Correction", zone: str) -> str:
    return f"{correction.by}, {local(correction.at, zone)}"


def _correction_data(theme: str, correction: "Correction") -> dict[str, Any]:
    return {"theme": theme, "verdict": correction.verdict, "by": correction.by, "at": correction.at}


def _match_data(article: "Article", i: int) -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(article.matches[i])


def _date_line(article: "Article") -> str:
    known = article.published
    if known.day is None:
        return "unknown"
    words = f" in “{known.evidence}”" if known.evidence else ""
    return f"{known.iso}, {known.source.value}{words}"


@articles.command("theme")
@click.argument("article_id", type=ID, metavar="ID")
@click.option("--add", multiple=True, metavar="THEME", help="It belongs to this theme.")
@click.option("--remove", multiple=True, metavar="THEME", help="It does not belong to it.")
@click.option("--clear", is_flag=True, default=False, help="Undo all corrections of it.")
@click.option("--by", metavar="NAME", help="Your name; else the one you are logged in with.")
@json_option
def rule_themes(
    article_id: int,
    add: tuple[str, ...],
    remove: tuple[str, ...],
    clear: bool,
    by: str | None,
    as_json: bool,
) -> None:
    """Correct an article's themes: an editor's word, which the classifier never overrules."""
    if clear == bool(add or remove):
        raise click.UsageError("Give --add or --remove with a THEME, or --clear.")
    if both := set(add) & set(remove):
        raise click.UsageError(f"{', '.join(sorted(both))}: give it to --add or to --remove.")
    newsroom = current_newsroom()
    before, after, corrections = _rule(newsroom, article_id, add, remove, by)
    if as_json:
        said = [_correction_data(theme, corrections[theme]) for theme in corrections]
        emit_json({**as_data(after), "rulings": said})
        return
    was, now = (", ".join(one.themes) or "no theme" for one in (before, after))
    click.echo(f"{after.id}  {after.language}  {after.title}")
    _print_themes(after, corrections, newsroom.settings.site.time_zone)
    done(
        f"{now}, as before. Next: digest articles show {after.id}."
        if was == now
        else f"{was} became {now}. Next: digest publish."
    )


def _rule(
    newsroom: "Newsroom",
    article_id: int,
    add: tuple[str, ...],
    remove: tuple[str, ...],
    by: str | None,
) -> "tuple[Article, Article, dict[str, Correction]]":
    """The article before and after the word was kept, and all that editors said of it."""
    from digest.model import Verdict
    from digest.themes.filing import rule, take_back
    from digest.themes.store import theme_corrections

    words = dict.fromkeys(add, Verdict.ADD) | dict.fromkeys(remove, Verdict.REMOVE)
    who = by or newsroom.person
    with newsroom.open() as newsroom:
        with newsroom.db.write():
            if words:
                before, after = rule(newsroom, article_id, words, by=who, moment=newsroom.now())
            else:
                before, after = take_back(newsroom, article_id)
        return before, after, theme_corrections(newsroom.db, article_id)
