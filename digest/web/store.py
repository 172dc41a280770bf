"""The SQL of the site and the desk."""

from datetime import datetime

from digest.store.articles import content_mark
from digest.store.database import Database


def site_mark(db: Database, now: datetime) -> str:
    """A text that changes whenever a page may: with articles, themes and stories, editions that go out, and
    our copies of pictures."""
    editions = """SELECT count(*) || ' ' || count(dated_at) || ' ' || coalesce(max(edited_at), '') || ' '
                         || coalesce(max(approved_at), '') || ' ' || sum(status = 'cancelled') FROM editions"""
    pictures = "SELECT coalesce(max(asked_at), '') FROM pictures"
    return f"{content_mark(db, now)} {db.value(editions)} {db.value(pictures)}"
