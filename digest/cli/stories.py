"""`digest stories list|explain|join|split|clear|count`."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from digest.cli.options import ID, by_option, current_newsroom, limit_option
from digest.cli.output import counted, json_option, local, show

if TYPE_CHECKING:
    from digest.model import Article
    from digest.newsroom import Newsroom
    from digest.store.database import Database
    from digest.stories.linking import Pair

NEAR = 5
"""How many of the articles that were not linked are shown to people, the most alike first."""


@click.group()
def stories() -> None:
    """List, explain, join and split articles about the same event."""


@stories.command("list")
@limit_option()
@json_option
def list_stories(limit: int | None, as_json: bool) -> None:
    """List stories of two or more articles, with what links them."""
    from digest.stories.store import list_stories as stored

    newsroom = current_newsroom()
    with newsroom.open(read_only=True) as newsroom:
        shown = _stories_data(newsroom.db, stored(newsroom.db, limit))
    zone = newsroom.settings.site.time_zone
    summary = f"{counted(len(shown), 'story', 'stories')}. Next: digest stories explain ID."
    show(as_json, shown, "\n".join([*(_story_text(story, zone) for story in shown), summary]))


def _stories_data(db: "Database", rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Stories as `--json` shows them: their articles, their links, and the editors' decisions."""
    from digest.store.articles import articles_by_id
    from digest.stories.store import story_corrections

    ids = [article_id for story in rows for article_id in story["articles"]]
    by_id = {article.id: article for article in articles_by_id(db, ids)}
    stories = []
    for story in rows:
        corrections = {
            (min(one, other), max(one, other)): correction
            for one in story["articles"]
            for other, correction in story_corrections(db, one).items()
        }
        stories.append(
            {
                "id": story["id"],
                "lead_article_id": story["lead_article_id"],
                "articles": [_article_data(by_id[one]) for one in story["articles"]],
                "links": story["links"],
                "rulings": [
                    {"article_id": one, "other_id": other, **asdict(corrections[one, other])}
                    for one, other in sorted(corrections)
                ],
            }
        )
    return stories


def _story_text(story: dict[str, Any], zone: str) -> str:
    lines = [click.style(f"Story {story['id']}", bold=True)]
    for article in story["articles"]:
        leads = "  (leads)" if article["id"] == story["lead_article_id"] else ""
        lines.append(f"  {article['id']:>5}  {article['language']}  {article['title']}{leads}")
    editors = {
        (one["article_id"], one["other_id"]): (
            one["verdict"],
            f"by {one['by']}, {local(one['at'], zone)}",
        )
        for one in story["rulings"]
    }
    for link in story["links"]:
        _, editor = editors.pop((link["article_id"], link["other_id"]), ("", ""))
        lines.append(
            f"         {link['article_id']} and {link['other_id']}: "
            + (f"joined {editor}; " if editor else "")
            + f"{link['kind']}, {link['score']:.2f}: {'; '.join(link['reasons'])}"
        )
    lines += (
        f"         {one} and {other}: {verdict} {editor}"
        for (one, other), (verdict, editor) in editors.items()
    )
    return "\n".join(lines)


@stories.command()
@click.argument("article_id", type=ID, metavar="ID")
@click.argument("other_id", type=ID, required=False, metavar="[OTHER_ID]")
@json_option
def explain(article_id: int, other_id: int | None, as_json: bool) -> None:
    """Show why articles are linked or not.

    With OTHER_ID compares the two; without it shows all links of the article, and what is near it.
    """
    from digest.store.articles import articles_by_id
    from digest.stories.linking import explain_article, explain_pair
    from digest.stories.store import counts

    newsroom = current_newsroom()
    with newsroom.open(read_only=True) as newsroom:
        if other_id is None:
            pairs = explain_article(newsroom.db, article_id)
        else:
            pairs = [explain_pair(newsroom.db, article_id, other_id)]
        ids = [article_id, *(pair.other_id for pair in pairs)]
        by_id = {article.id: article for article in articles_by_id(newsroom.db, ids)}
        counted = counts(newsroom.db)
    article = by_id[article_id]
    others = [
        {
            **_article_data(by_id[pair.other_id]),
            "story_id": by_id[pair.other_id].story_id,
            **asdict(pair.comparison),
            "thin": pair.comparison.thin,
            "candidate": pair.candidate,
            "same_story": pair.same_story,
            "ruling": None if pair.correction is None else asdict(pair.correction),
        }
        for pair in pairs
    ]
    story = "in no story" if article.story_id is None else f"story {article.story_id}"
    lines = [
        click.style(f"{article.id}  {article.language}  {article.title}", bold=True),
        f"   {story}; {article.published.iso or 'undated'}; {article.source}",
    ]
    near = 0
    for pair in pairs:
        if not (pair.comparison.linked or pair.same_story or pair.correction or other_id):
            near += 1
            if near > NEAR:
                continue
        lines += _pair_lines(pair, by_id[pair.other_id], newsroom.settings.site.time_zone)
    if not pairs:
        lines.append("No other article shares enough with it to be compared.")
    if near > NEAR:
        lines.append(f"{near - NEAR} more share something with it but are less alike.")
    if counted.version:
        lines.append(
            f"How usual words are: count {counted.version}, of {counted.articles} articles."
        )
    lines.append("Next: to correct this, digest stories join ID ID, or digest stories split ID.")
    data = {**_article_data(article), "story_id": article.story_id, "others": others}
    show(as_json, data, "\n".join(lines))


def _pair_lines(pair: "Pair", other: "Article", zone: str) -> list[str]:
    result = pair.comparison
    verdict = f"{result.kind}, linked" if result.linked else "not linked"
    if result.thin:
        verdict += "; a thin link: hardly more than needed"
    if pair.same_story and not result.linked and pair.correction is None:
        verdict = "not alike enough; in the same story through other articles, or linked before"
    if result.linked and not pair.same_story:
        verdict = f"alike enough ({result.kind}), but not in the same story"
    lines = [
        click.style(f"{other.id}  {other.language}  {other.title}", bold=True),
        f"   {result.score:.2f} of 0.50 needed: {verdict}",
    ]
    if (word := pair.correction) is not None:
        at = local(word.at, zone)
        lines.append(f"   {word.verdict} by {word.by}, {at}: the editor's decision holds")
    if not pair.candidate:
        lines.append("   too little in common, or too many days apart, to be compared by itself")
    return lines + [f"   {reason}" for reason in result.reasons]


def _article_data(article: "Article") -> dict[str, Any]:
    return {"id": article.id, "language": article.language, "title": article.title}


@stories.command()
@click.argument("article_ids", type=ID, nargs=-1, required=True, metavar="ID ID...")
@by_option
@json_option
def join(article_ids: tuple[int, ...], by: str | None, as_json: bool) -> None:
    """Join articles, and the stories they are in, into one story.

    The decision is the editor's: the engine does not undo it.
    """
    from digest.stories.linking import join_articles
    from digest.stories.store import story_by_id

    if len(set(article_ids)) < 2:
        raise click.UsageError("Give two or more articles.")
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
        [story] = _stories_data(newsroom.db, [story_by_id(newsroom.db, story_id)])
    text = _story_text(story, newsroom.settings.site.time_zone)
    show(as_json, story, f"{text}\nThey stay one story. Next: digest publish.")


@stories.command()
@click.argument("article_id", type=ID, metavar="ID")
@by_option
@json_option
def split(article_id: int, by: str | None, as_json: bool) -> None:
    """Take an article out of its story for good.

    The others stay one story if links connect them. The decision is the editor's: the engine does not
    undo it.
    """
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
        stories_left = {story_of(newsroom.db, other) for other in others}
    left = stories_left.pop() if len(stories_left) == 1 else None
    numbers = ", ".join(map(str, others))
    rest = f"; {numbers} stay one story" if left is not None else ""
    show(
        as_json,
        {"id": article_id, "split_from": others, "story_left": left},
        f"Article {article_id} was split from {numbers}{rest}. Next: digest publish."
        if others
        else f"Article {article_id} is in no story. Nothing was changed.",
    )


@stories.command()
@click.argument("article_id", type=ID, metavar="ID")
@json_option
def clear(article_id: int, as_json: bool) -> None:
    """Undo all joins and splits of an article.

    It is then linked automatically again.
    """
    from digest.stories.linking import take_back
    from digest.stories.store import story_by_id, story_of

    newsroom = current_newsroom()
    with newsroom.open() as newsroom:
        with newsroom.db.write():
            cleared = take_back(
                newsroom.db, article_id, moment=newsroom.now(), ranks=_ranks(newsroom)
            )
        story_id = story_of(newsroom.db, article_id)
        rows = [] if story_id is None else [story_by_id(newsroom.db, story_id)]
        stories = _stories_data(newsroom.db, rows)
    verdicts = ", ".join(
        f"{one.verdict} {'from' if one.verdict == 'split' else 'with'} {other}"
        for other, one in sorted(cleared.items())
    )
    place = f"in story {story_id}" if stories else "in no story"
    lines = [_story_text(story, newsroom.settings.site.time_zone) for story in stories]
    lines.append(
        f"Undone: {verdicts}. Article {article_id} is {place}. Next: digest publish."
        if cleared
        else f"No editor corrected article {article_id}, which is {place}. Nothing was changed."
    )
    show(
        as_json,
        {
            "id": article_id,
            "cleared": [
                {"other_id": other, **asdict(one)} for other, one in sorted(cleared.items())
            ],
            "story": stories[0] if stories else None,
        },
        "\n".join(lines),
    )


@stories.command()
@json_option
def count(as_json: bool) -> None:
    """Count how usual each word is in this newsroom.

    New articles are compared by it; links stay. Ingest does it at 1,000 articles and at each doubling.
    """
    from digest.stories.linking import count_words
    from digest.stories.store import counts

    newsroom = current_newsroom()
    with newsroom.open() as newsroom:
        count_words(newsroom.db, newsroom.now())
        now = counts(newsroom.db)
    text = f"Counted the words of {now.articles} articles. Next: digest ingest."
    show(as_json, {"version": now.version, "articles": now.articles}, text)


def _ranks(newsroom: "Newsroom") -> list[str]:
    return [source.name for source in newsroom.settings.sources]
