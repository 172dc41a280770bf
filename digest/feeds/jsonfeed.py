"""JSON Feed 1.1 (jsonfeed.org/version/1.1), as bytes: same articles, same bytes."""

import json
from datetime import datetime
from typing import Any

from digest.config.settings import Settings
from digest.feeds.channels import HTML, JSON
from digest.feeds.items import FeedView, Item, Version

VERSION = "https://jsonfeed.org/version/1.1"


def json_bytes(view: FeedView, settings: Settings) -> bytes:
    """The channel as a JSON feed in UTF-8.

    What JSON Feed has no word for (categories with a scheme, translations, whether the text is
    whole) stands in each item's extension `_newsroom`.
    """
    channel, site = view.channel, settings.site
    feed = {
        "version": VERSION,
        "title": channel.title,
        "home_page_url": channel.url(settings, HTML),
        "feed_url": channel.url(settings, JSON),
        "description": channel.about,
        "language": channel.text_language,
        "authors": [{"name": site.author, "url": f"mailto:{site.contact}"}],
        "items": [_item(item) for item in view.items],
    }
    return (json.dumps(feed, ensure_ascii=False, indent=1) + "\n").encode()


def _item(item: Item) -> dict[str, Any]:
    article = item.article
    shown: dict[str, Any] = {
        "id": article.atom_id,
        "url": item.url,
        "title": item.title,
        "summary": item.summary,
    }
    if item.full:
        shown["content_html"] = item.body_html
    else:
        # An item must have content_html or content_text; of a teaser the summary is all there is.
        shown["content_text"] = item.summary or item.title
    if item.published is not None:
        shown["date_published"] = _rfc3339(item.published)
    shown |= {
        "date_modified": _rfc3339(item.updated),
        "authors": [{"name": item.author}],
        "tags": [category.label for category in item.categories],
        "language": article.language,
        "_newsroom": {
            "complete": article.complete,
            "withdrawn": article.withdrawn_at is not None,
            "categories": [
                {"term": one.term, "scheme": one.scheme, "label": one.label}
                for one in item.categories
            ],
            "translations": [_version(version) for version in item.translations],
            "related": [_version(version) for version in item.related],
        },
    }
    return shown


def _version(version: Version) -> dict[str, str]:
    return {"url": version.href, "language": version.language}


def _rfc3339(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
