"""`digest articles withdraw`: what must not be read any more, and the way back."""

import click

from digest.cli.desk import runtime
from digest.cli.numbers import ID
from digest.cli.output import done, emit_json, json_option


@click.command()
@click.argument("article_id", type=ID, metavar="ID")
@click.option("--undo", is_flag=True, default=False, help="Publish it again.")
@json_option
def withdraw(article_id: int, undo: bool, as_json: bool) -> None:
    """Take an article back: its page and its entries say only that it was withdrawn, and no later
    edition holds it. It stays withdrawn when its document changes.
    """
    from digest.filing import find_article
    from digest.store.articles import readmit_article, withdraw_article
    from digest.store.editions import unfinished_editions

    room = runtime()
    with room.open() as db, db.write():
        find_article(db, article_id)
        changed = (readmit_article if undo else withdraw_article)(db, article_id, room.now())
        article = find_article(db, article_id)
        held_in = unfinished_editions(db, article_id=article_id)
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
            f"It stands in edition {held_in[0]}, which still has mail to send. Next: digest publish, "
            f"and digest editions hold {held_in[0]}."
        )
    done(f"It {is_so}. {follow}" if changed else f"It {is_so} already. {follow}")
