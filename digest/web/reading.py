"""The pages of the news: front, theme, article."""

from digest.store.articles import latest_articles
from digest.web.site import Asked, Page, Place


def front(asked: Asked) -> Page:
    articles = latest_articles(
        asked.db, language=asked.language, limit=20, story_once=True, until=asked.now
    )
    return asked.page("web/front.html", lambda to: to.front, articles=articles)


PLACES = (Place("/{language}/", front),)
