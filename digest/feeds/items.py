"""An article as every feed and page shows it: cut, cleaned and linked once, used in all forms."""

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
from digest.language.text import ELLIPSIS, clean, cut, paragraphs
from digest.language.wording import wording_for
from digest.model import Article, KnownDate, Sibling

if TYPE_CHECKING:
    from nh3 import Cleaner


SUMMARY_SIGNS = 300
TEASER_SIGNS = 600
"""A teaser is all that is known, so more of it is shown."""

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

    `summary` is plain text. `body_html` is safe HTML, whole; feeds carry it only when `full`.
    `translations` holds one version for each other language; all else is in `related`. `published`
    is None where the day is unknown; both instants are UTC in whole seconds.
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
    """A channel with its items, newest first. `updated` is that of the newest change among them."""

    channel: Channel
    id: str
    items: tuple[Item, ...]
    updated: datetime

    @property
    def articles(self) -> tuple[Article, ...]:
        return tuple(item.article for item in self.items)


def feed_view(channel: Channel, items: Sequence[Item], store_made_at: datetime) -> FeedView:
    """The channel as it stands; one without articles was last updated when the store was made."""
    updated = max((item.updated for item in items), default=_whole_seconds(store_made_at))
    return FeedView(channel, feed_id(channel, store_made_at), tuple(items), updated)


def item_of(article: Article, siblings: Sequence[Sibling], settings: Settings) -> Item:
    """The article as feeds and pages show it; of a withdrawn one, only that it was withdrawn."""
    wording = wording_for(article.language, settings.site.languages)
    title = _one_line(article.title) or cut(_plain(article.lead), 80) or wording.untitled
    summary, body = _summary(article), _body(article)
    url = _reader_url(article, settings)
    updated, author = article.updated_at, _one_line(article.byline or "")
    if article.withdrawn_at is not None:
        zone = ZoneInfo(settings.site.time_zone)
        day = wording.day(article.withdrawn_at.astimezone(zone).date())
        title = wording.withdrawn.format(title=title)
        summary = wording.withdrawn_on.format(day=day)
        body, author = f"<p>{summary}</p>", ""
        url = article_page(settings, article.id)
        updated = max(updated, article.withdrawn_at)
    translations, related = _versions(article, siblings, settings)
    return Item(
        article=article,
        url=url,
        title=title,
        author=author or settings.site.author,
        summary=summary,
        body_html=body,
        full=settings.feeds.content == "full"
        and article.complete
        and article.withdrawn_at is None
        and bool(body),
        published=_published(article.published),
        updated=_whole_seconds(updated),
        categories=_categories(article, settings),
        translations=translations,
        related=related,
    )


def items_of(
    articles: Sequence[Article], siblings: Mapping[int, Sequence[Sibling]], settings: Settings
) -> dict[int, Item]:
    """The item of each article by its id."""
    return {
        article.id: item_of(article, siblings.get(article.id, ()), settings) for article in articles
    }


def safe_html(html: str) -> str:
    """The HTML with text and links only: no script, no style, no picture, no relative address."""
    return clean(_cleaner().clean(clean(html))).strip()


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


def _summary(article: Article) -> str:
    if article.complete:
        lead = article.lead or next(iter(paragraphs(article.text)), "")
        return cut(_plain(lead), SUMMARY_SIGNS)
    return _open_end(cut(_plain(article.text or article.lead), TEASER_SIGNS))


def _body(article: Article) -> str:
    body = safe_html(article.content_html)
    if article.complete or not body.endswith("</p>"):
        return body
    return _open_end(body.removesuffix("</p>")) + "</p>"


def _open_end(teaser: str) -> str:
    """A teaser that its source cut inside a sentence says so."""
    if not teaser or _ENDED.search(teaser):
        return teaser
    return teaser.rstrip(" ,;:–—-") + ELLIPSIS


def _plain(text: str) -> str:
    return clean(text).strip()


def _one_line(text: str) -> str:
    return _LINE_BREAKS.sub(" ", clean(text)).strip()


def _reader_url(article: Article | Sibling, settings: Settings) -> str:
    """As links.article_url, but an address that is no web page never becomes a link."""
    if (url := clean(article.url or "")) and urlsplit(url).scheme in {"http", "https"}:
        return url
    return article_page(settings, article.id)


def _versions(
    article: Article, siblings: Sequence[Sibling], settings: Settings
) -> tuple[tuple[Version, ...], tuple[Version, ...]]:
    translations: dict[str, Version] = {}
    related: list[Version] = []
    for sibling in siblings:
        version = Version(
            _reader_url(sibling, settings),
            sibling.language,
            _one_line(sibling.title),
            settings.source_title(sibling.source),
        )
        if sibling.language != article.language and sibling.language not in translations:
            translations[sibling.language] = version
        else:
            related.append(version)
    return tuple(translations.values()), tuple(related)


def _categories(article: Article, settings: Settings) -> tuple[Category, ...]:
    scheme, names = f"{settings.feeds_url}/themes", settings.theme_names
    return tuple(
        Category(theme, scheme, names[theme].title(article.language))
        for theme in article.themes
        if theme in settings.theme_keys
    )


def _published(known: KnownDate) -> datetime | None:
    """The instant; of a day without a time, its first second in UTC."""
    if known.time is not None:
        return _whole_seconds(known.time)
    if known.day is None:
        return None
    return datetime.combine(known.day, time(), UTC)


def _whole_seconds(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(microsecond=0)
