"""What an editor decides of copy: to release, withdraw or keep it."""

from digest.errors import NotReadyError
from digest.language.text import foreign
from digest.newsroom import Newsroom
from digest.sources.store import ask_again, is_killed, next_moment, release_article, settle
from digest.store.articles import find_article, hour_of, open_at, readmit_article, withdraw_article
from digest.stories.store import choose_lead

LONGEST_WHY = 300


def release(newsroom: Newsroom, article_id: int, *, by: str) -> bool:
    """End an embargo now; False if there is none, or readers saw it before.

    Raises:
        NotFoundError: there is no such article.
        NotReadyError: a kill asks to withdraw it.
    """
    db, ranks = newsroom.db, [source.name for source in newsroom.settings.sources]
    with db.write():
        article = find_article(db, article_id)
        if article.embargo is None and article.opens_at is None:
            return False
        if is_killed(db, article_id):
            raise NotReadyError(
                f"a kill asks to withdraw article {article_id}. Next: digest articles withdraw "
                f"{article_id}, or with --keep if it is to stay",
                key="killed",
            )
        released = release_article(db, article_id, next_moment(db, newsroom.now()), by)
        if article.story_id is not None:
            choose_lead(db, article.story_id, ranks)
    return released


def withdraw(
    newsroom: Newsroom,
    article_id: int,
    *,
    by: str,
    keep: bool = False,
    why: str = "",
    undo: bool = False,
) -> bool:
    """Withdraw an article, for the reason `why` that readers see, or `keep` it or publish it again; False
    if nothing changes for readers.

    Either settles what kills and corrections ask about it; with `undo` what the withdrawal settled waits
    again.

    Raises:
        NotFoundError: there is no such article.
    """
    db = newsroom.db
    with db.write():
        now, gone_at = newsroom.now(), find_article(db, article_id).withdrawn_at
        named = set[int]() if undo else settle(db, article_id, by, now)
        if keep:
            changed = readmit_article(db, article_id, now)
        else:
            changed = withdraw_article(db, article_id, now, foreign(why, limit=LONGEST_WHY))
        if undo and gone_at is not None:
            ask_again(db, gone_at)
        for one in {article_id, *named}:  # a kill held them back
            if not is_killed(db, one):
                open_at(db, one, hour_of(find_article(db, one).embargo), next_moment(db, now))
    return changed
