"""A channel with articles, for the tests of each form."""

from collections.abc import Mapping, Sequence

from digest.config.settings import Settings
from digest.feeds.channels import channels
from digest.feeds.items import FeedView, feed_view, items_of
from digest.model import Article, Sibling
from tests.factories import MADE_AT, make_settings


def make_view(
    articles: Sequence[Article],
    siblings: Mapping[int, Sequence[Sibling]] | None = None,
    *,
    slug: str = "all",
    settings: Settings | None = None,
) -> FeedView:
    settings = settings or make_settings()
    channel = next(one for one in channels(settings) if one.slug == slug)
    return feed_view(channel, list(items_of(articles, siblings or {}, settings).values()), MADE_AT)
