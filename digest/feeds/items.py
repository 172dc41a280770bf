"""An article as every feed and page shows it: cut, cleaned and linked once for all forms."""

import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from digest.config.settings import Settings
from digest.config.urls import article_page
from digest.feeds.channels import Channel, feed_id
from digest.language.text import ELLIPSIS, cut, foreign, paragraphs
from digest.language.wording import wording_for
from digest.model import Article, Sibling

if TYPE_CHECKING:
    from nh3 import Cleaner


SUMMARY_CHARACTERS = 300
TEASER_CHARACTERS = 600
"""A teaser is all the text there is, so more of it is shown."""

_TAGS = (
    "p br h2 h3 h4 ul ol li dl dt dd blockquote q cite a em strong b i u s sub sup code pre hr "
    "table caption thead tbody tfoot tr th td abbr"
)

_ENDED = re.compile(r"[.!?…][\"”’»)\]]*$")
_LINE_BREAKS = re.compile(r"[ \t\r\n]+")


@dataclass(frozen=True, slots=True)
class Category:
    """A theme as a category: `term` is its key, `label` its name in the article's language."""

    term: str
    scheme: str
    label: str


@dataclass(frozen=True, slots=True)
class Version:
    """Another article of the same story: where it is read, and in which language."""

    href: str
    language: str
    title: str
    source: str


@dataclass(frozen=True, slots=True)
class Item:
    """What is shown of an article, without characters that XML 1.0 forbids.

    `summary` is plain text. `body_html` is safe HTML, uncut; feeds carry it only if `full`.
    `translations` holds one version for each other language; all others are in `related`.
    `published` is None where the day is unknown; both times are UTC in whole seconds.
    """

    article: Article
    url: str
    title: str
    author: str
    summary: str
    body_html: str
    full: bool
    published: datetime | None
    updated: datetime
    categories: tuple[Category, ...]
    translations: tuple[Version, ...]
    related: tuple[Version, ...]


@dataclass(frozen=True, slots=True)
class FeedView:
    """A channel with its items, newest first; `updated` is the time of their latest change."""

    channel: Channel
    id: str
    items: tuple[Item, ...]
    updated: datetime

    @property
    def articles(self) -> tuple[Article, ...]:
        return tuple(item.article for item in self.items)


def feed_view(channel: Channel, items: Sequence[Item], store_made_at: datetime) -> FeedView:
    """The channel with these items; an empty one was last updated when the store was made."""
    updated = max((item.updated for item in items), default=_whole_seconds(store_made_at))
    return FeedView(channel, feed_id(channel, store_made_at), tuple(items), updated)


def items_of(
    articles: Sequence[Article], siblings: Mapping[int, Sequence[Sibling]], settings: Settings
) -> dict[int, Item]:
    """The item of each article by its id."""
    return {
        article.id: item_of(article, siblings.get(article.id, ()), settings) for article in articles
    }


def item_of(article: Article, siblings: Sequence[Sibling], settings: Settings) -> Item:
    """The article as feeds and pages show it; if withdrawn, only the fact that it was withdrawn."""
    language, withdrawn_at = article.language, article.withdrawn_at
    wording = wording_for(language, settings.site.languages)
    title = _one_line(article.title) or cut(article.lead, 80) or wording.untitled
    url = _reader_url(article, settings)
    updated, author = article.updated_at, _one_line(article.byline or "")
    if withdrawn_at is not None:
        day = wording.day(withdrawn_at.astimezone(ZoneInfo(settings.site.time_zone)).date())
        title = wording.withdrawn.format(title=title)
        summary = wording.withdrawn_on.format(day=day)
        body, author = f"<p>{summary}</p>", ""
        url = article_page(settings, article.id)
        updated = max(updated, withdrawn_at)
    elif article.complete:
        lead = article.lead or next(iter(paragraphs(article.text)), "")
        summary = cut(lead, SUMMARY_CHARACTERS)
        body = safe_html(article.content_html)
    else:
        summary = _open_end(cut(article.text or article.lead, TEASER_CHARACTERS))
        body = safe_html(article.content_html)
        if body.endswith("</p>"):
            body = _open_end(body.removesuffix("</p>")) + "</p>"

    published = article.published.time and _whole_seconds(article.published.time)
    if published is None and article.published.day is not None:
        published = datetime.combine(article.published.day, time(), UTC)

    translations: dict[str, Version] = {}
    related: list[Version] = []
    for sibling in siblings:
        version = Version(
            _reader_url(sibling, settings),
            sibling.language,
            _one_line(sibling.title),
            settings.source_title(sibling.source),
        )
        if sibling.language != language and sibling.language not in translations:
            translations[sibling.language] = version
        else:
            related.append(version)
    return Item(
        article=article,
        url=url,
        title=title,
        author=author or settings.site.author,
        summary=summary,
        body_html=body,
        full=settings.feeds.content == "full"
        and article.complete
        and withdrawn_at is None
        and bool(body),
        published=published,
        updated=_whole_seconds(updated),
        categories=tuple(
            Category(
                theme, f"{settings.feeds_url}/themes", settings.theme_names[theme].title(language)
            )
            for theme in article.themes
            if theme in settings.theme_keys
        ),
        translations=tuple(translations.values()),
        related=tuple(related),
    )


def safe_html(html: str) -> str:
    """The HTML with text and links only: no scripts, styles, pictures or relative addresses."""
    return foreign(_cleaner().clean(html), lines=True, limit=None).strip()


@functools.cache
def _cleaner() -> "Cleaner":
    from nh3 import Cleaner

    return Cleaner(
        tags=set(_TAGS.split()),
        attributes={"a": {"href", "hreflang"}, "abbr": {"title"}, "*": {"lang", "dir"}},
        clean_content_tags={"script", "style", "iframe", "object", "noscript", "title"},
        url_schemes={"http", "https", "mailto"},
        url_relative="deny",
    )


def _open_end(teaser: str) -> str:
    """The teaser with "…" where its source cut it inside a sentence."""
    if not teaser or _ENDED.search(teaser):
        return teaser
    return teaser.rstrip(" ,;:–—-") + ELLIPSIS


def _one_line(text: str) -> str:
    return _LINE_BREAKS.sub(" ", text).strip()


def _reader_url(article: Article | Sibling, settings: Settings) -> str:
    """As urls.article_url, but an address that is not a web page never becomes a link."""
    if (url := article.url or "") and urlsplit(url).scheme in {"http", "https"}:
        return url
    return article_page(settings, article.id)


def _whole_seconds(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(microsecond=0)
