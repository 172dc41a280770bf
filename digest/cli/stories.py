"""`digest stories list`."""

import click

from digest.cli.desk import runtime
from digest.cli.output import counted, done, emit_json, json_option


@click.group()
def stories() -> None:
    """Articles that tell the same thing."""


@stories.command("list")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="At most so many.")
@json_option
def list_stories(limit: int | None, as_json: bool) -> None:
    """Stories of two articles or more, with what links them."""
    from digest.store.articles import articles_by_id
    from digest.store.stories import list_stories as stored

    room = runtime()
    with room.open(read_only=True) as db:
        found = stored(db, limit)
        ids = [article_id for story in found for article_id in story["articles"]]
        by_id = {article.id: article for article in articles_by_id(db, ids)}
    if as_json:
        emit_json(
            [
                {
                    "id": story["id"],
                    "lead_article_id": story["lead_article_id"],
                    "articles": [
                        {
                            "id": article_id,
                            "language": by_id[article_id].language,
                            "title": by_id[article_id].title,
                        }
                        for article_id in story["articles"]
                    ],
                    "links": story["links"],
                }
                for story in found
            ]
        )
        return
    for story in found:
        click.echo(click.style(f"Story {story['id']}", bold=True))
        for article_id in story["articles"]:
            article = by_id[article_id]
            click.echo(f"  {article.id:>5}  {article.language}  {article.title}")
        for link in story["links"]:
            reasons = "; ".join(link["reasons"])
            click.echo(
                f"         {link['article_id']} and {link['other_id']}: {link['kind']}, "
                f"{link['score']:.2f}: {reasons}"
            )
    done(f"{counted(len(found), 'story', 'stories')}. Next: digest articles show ID.")
