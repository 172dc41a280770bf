"""`digest stories list|explain|join|split|clear`."""

from typing import TYPE_CHECKING, Any

import click

from digest.cli.options import COUNT, ID, current_newsroom
from digest.cli.output import counted, done, emit_json, json_option, local

if TYPE_CHECKING:
    from digest.model import Article, Correction
    from digest.newsroom import Newsroom
    from digest.store.database import Database
    from digest.stories.linking import Pair


NEAR = 5
"""How many of the articles that were not linked are shown to people, the most alike first."""

by_option = click.option(
    "--by", metavar="NAME", help="Your name; else the one you are logged in with."
)


@click.group()
def stories() -> None:
    """Articles about the same event."""


@stories.command("list")
@click.option("--limit", type=COUNT, metavar="N", help="At most N.")
@json_option
def list_stories(limit: int | None, as_json: bool) -> None:
    """Stories of two articles or more, with what links them."""
    from digest.stories.store import list_stories as stored

    newsroom = current_newsroom()
    with newsroom.open(read_only=True) as newsroom:
        found = stored(newsroom.db, limit)
        told = _told(newsroom.db, found)
    if as_json:
        emit_json(told)
        return
    zone = newsroom.settings.site.time_zone
    for story in told:
        _print_story(story, zone)
    done(f"{counted(len(told), 'story', 'stories')}. Next: digest stories explain ID.")


@stories.command()
@click.argument("article_id", type=ID, metavar="ID")
@click.argument("other_id", type=ID, required=False, metavar="[OTHER_ID]")
@json_option
def explain(article_id: int, other_id: int | None, as_json: bool) -> None:
    """Why two articles are linked or not; without OTHER_ID all links of one and what comes near."""
    from digest.store.articles import articles_by_id
    from digest.stories.linking import explain_article, explain_pair

    newsroom = current_newsroom()
    with newsroom.open(read_only=True) as newsroom:
        if other_id is None:
            pairs = explain_article(newsroom.db, article_id)
        else:
            pairs = [explain_pair(newsroom.db, article_id, other_id)]
        ids = [article_id, *(pair.other_id for pair in pairs)]
        by_id = {article.id: article for article in articles_by_id(newsroom.db, ids)}
    if as_json:
        shown = [_pair_data(pair, by_id[pair.other_id]) for pair in pairs]
        article = by_id[article_id]
        emit_json({**_article_data(article), "story_id": article.story_id, "others": shown})
        return
    _print_article(by_id[article_id])
    near = 0
    for pair in pairs:
        if not (pair.comparison.linked or pair.same_story or pair.correction or other_id):
            near += 1
            if near > NEAR:
                continue
        _print_pair(pair, by_id[pair.other_id], newsroom.settings.site.time_zone)
    if not pairs:
        click.echo("No other article shares enough with it to be compared.")
    if near > NEAR:
        click.echo(f"{near - NEAR} more share something with it and are less alike.")
    done("Next: digest stories join ID ID, or digest stories split ID, where it is wrong.")


@stories.command()
@click.argument("article_ids", type=ID, nargs=-1, required=True, metavar="ID ID...")
@by_option
@json_option
def join(article_ids: tuple[int, ...], by: str | None, as_json: bool) -> None:
    """Make one story of these articles, with the stories in which they are: an editor's word."""
    from digest.stories.linking import join_articles
    from digest.stories.store import story_by_id

    if len(set(article_ids)) < 2:
        raise click.UsageError("Give two articles or more.")
    newsroom = current_newsroom()
    with newsroom.open() as newsroom:
        with newsroom.db.write():
            story_id = join_articles(
                newsroom.db,
                article_ids,
                by=by or newsroom.person,
                moment=newsroom.now(),
                ranks=_ranks(newsroom),
            )
        [told] = _told(newsroom.db, [story_by_id(newsroom.db, story_id)])
    if as_json:
        emit_json(told)
        return
    _print_story(told, newsroom.settings.site.time_zone)
    done("They stay one story. Next: digest publish.")


@stories.command()
@click.argument("article_id", type=ID, metavar="ID")
@by_option
@json_option
def split(article_id: int, by: str | None, as_json: bool) -> None:
    """Take an article out of its story, and keep it out: an editor's word. The others stay one."""
    from digest.stories.linking import split_article
    from digest.stories.store import story_of

    newsroom = current_newsroom()
    with newsroom.open() as newsroom:
        with newsroom.db.write():
            others = split_article(
                newsroom.db,
                article_id,
                by=by or newsroom.person,
                moment=newsroom.now(),
                ranks=_ranks(newsroom),
            )
        left = None if not others else story_of(newsroom.db, others[0])
    if as_json:
        emit_json({"id": article_id, "split_from": others, "story_left": left})
        return
    if not others:
        done(f"Article {article_id} is in no story. Nothing was changed.")
        return
    numbers = ", ".join(map(str, others))
    rest = f"; {numbers} stay one story" if left is not None else ""
    done(f"Article {article_id} was split from {numbers}{rest}. Next: digest publish.")


@stories.command()
@click.argument("article_id", type=ID, metavar="ID")
@json_option
def clear(article_id: int, as_json: bool) -> None:
    """Take back what editors joined an article with or split it from: the engine links it anew."""
    from digest.stories.linking import take_back
    from digest.stories.store import story_by_id, story_of

    newsroom = current_newsroom()
    with newsroom.open() as newsroom:
        with newsroom.db.write():
            said = take_back(newsroom.db, article_id, moment=newsroom.now(), ranks=_ranks(newsroom))
        story = story_of(newsroom.db, article_id)
        told = [] if story is None else _told(newsroom.db, [story_by_id(newsroom.db, story)])
    if as_json:
        cleared = [{"other_id": other, **_correction_data(said[other])} for other in sorted(said)]
        emit_json({"id": article_id, "cleared": cleared, "story": told[0] if told else None})
        return
    for one in told:
        _print_story(one, newsroom.settings.site.time_zone)
    words = ", ".join(f"{said[other].verdict} with {other}" for other in sorted(said))
    words = words.replace("split with", "split from")
    place = f"in story {story}" if story is not None else "in no story"
    if said:
        done(f"Taken back: {words}. Article {article_id} is {place}. Next: digest publish.")
    else:
        done(f"No editor ruled on article {article_id}, which is {place}. Nothing was changed.")


def _ranks(newsroom: "Newsroom") -> list[str]:
    return [source.name for source in newsroom.settings.sources]


def _told(db: "Database", found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Stories as `--json` shows them: their articles, their links, and what editors ruled."""
    from digest.store.articles import articles_by_id
    from digest.stories.store import story_corrections

    ids = [article_id for story in found for article_id in story["articles"]]
    by_id = {article.id: article for article in articles_by_id(db, ids)}
    told = []
    for story in found:
        said = {
            (min(one, other), max(one, other)): correction
            for one in story["articles"]
            for other, correction in story_corrections(db, one).items()
        }
        told.append(
            {
                "id": story["id"],
                "lead_article_id": story["lead_article_id"],
                "articles": [_article_data(by_id[one]) for one in story["articles"]],
                "links": story["links"],
                "rulings": [
                    {"article_id": one, "other_id": other, **_correction_data(said[one, other])}
                    for one, other in sorted(said)
                ],
            }
        )
    return told


def _print_story(story: dict[str, Any], zone: str) -> None:
    click.echo(click.style(f"Story {story['id']}", bold=True))
    for article in story["articles"]:
        leads = "  (leads)" if article["id"] == story["lead_article_id"] else ""
        click.echo(f"  {article['id']:>5}  {article['language']}  {article['title']}{leads}")
    said = {(one["article_id"], one["other_id"]): one for one in story["rulings"]}
    for link in story["links"]:
        reasons = "; ".join(link["reasons"])
        correction = said.pop((link["article_id"], link["other_id"]), None)
        word = (
            ""
            if correction is None
            else f"joined by {correction['by']}, {local(correction['at'], zone)}; "
        )
        click.echo(
            f"         {link['article_id']} and {link['other_id']}: {word}{link['kind']}, "
            f"{link['score']:.2f}: {reasons}"
        )
    for (one, other), correction in said.items():
        click.echo(
            f"         {one} and {other}: {correction['verdict']} by {correction['by']}, "
            f"{local(correction['at'], zone)}"
        )


def _print_article(article: "Article") -> None:
    story = "in no story" if article.story_id is None else f"story {article.story_id}"
    click.echo(click.style(f"{article.id}  {article.language}  {article.title}", bold=True))
    click.echo(f"   {story}; {article.published.iso or 'undated'}; {article.source}")


def _print_pair(pair: "Pair", other: "Article", zone: str) -> None:
    found = pair.comparison
    verdict = f"{found.kind}, linked" if found.linked else "not linked"
    if pair.same_story and not found.linked and pair.correction is None:
        verdict = "not alike enough; in one story with it by way of others, or linked before"
    if found.linked and not pair.same_story:
        verdict = f"alike enough ({found.kind}), but not in one story with it"
    click.echo(click.style(f"{other.id}  {other.language}  {other.title}", bold=True))
    click.echo(f"   {found.score:.2f} of 0.50 needed: {verdict}")
    if pair.correction is not None:
        word = (
            f"{pair.correction.verdict} by {pair.correction.by}, {local(pair.correction.at, zone)}"
        )
        click.echo(f"   {word}: the editor's decision holds")
    if not pair.candidate:
        click.echo("   too little in common, or too far apart in days, to be looked at together")
    for reason in found.reasons:
        click.echo(f"   {reason}")


def _article_data(article: "Article") -> dict[str, Any]:
    return {"id": article.id, "language": article.language, "title": article.title}


def _correction_data(correction: "Correction") -> dict[str, Any]:
    return {"verdict": correction.verdict, "by": correction.by, "at": correction.at}


def _pair_data(pair: "Pair", other: "Article") -> dict[str, Any]:
    found = pair.comparison
    return {
        **_article_data(other),
        "story_id": other.story_id,
        "score": found.score,
        "kind": found.kind,
        "linked": found.linked,
        "reasons": list(found.reasons),
        "candidate": pair.candidate,
        "same_story": pair.same_story,
        "ruling": None if pair.correction is None else _correction_data(pair.correction),
    }
