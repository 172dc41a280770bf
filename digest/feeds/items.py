"""An article as every feed and page shows it: cut, cleaned and linked once for all forms."""

import functools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time
from html import escape
from math import ceil
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

FEED_CHARACTERS = 50_000
"""The most of a text in feeds: some 8,000 words. The rest is on the article's page."""

HOUR = 3600
NOON = time(12)

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

    `summary` is plain text. `body_html` is safe HTML; feeds carry it only if `full`, and not more than
    about FEED_CHARACTERS of it.
    `translations` holds one version for each other language; all others are in `related`. `also_html`
    lists both for feeds: pages have a list of their own.
    `published` is None where the day is unknown; a day without an hour is noon in the newsroom's zone,
    and none is after we first saw the article. Both times are UTC, `published` in whole seconds.
    `cut` says that the source gave no more than this. `correction` says what was corrected, and when, as far as that is known; `summary` and `body_html` begin
    with it.
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
    also_html: str
    correction: str
    cut: bool = False


@dataclass(frozen=True, slots=True)
class FeedView:
    """A channel with its items, newest first; `updated` is the time of their latest change, or a later
    one that the channel has shown before.

    `number` is that of an archive, None for the feed itself; `previous` that of the archive before it,
    None without one. `ttl` is for how many minutes a copy is good.
    """

    channel: Channel
    id: str
    items: tuple[Item, ...]
    updated: datetime
    number: int | None = None
    previous: int | None = None
    ttl: int = 60

    @property
    def articles(self) -> tuple[Article, ...]:
        return tuple(item.article for item in self.items)


def feed_view(
    channel: Channel, items: Sequence[Item], store_made_at: datetime, said: datetime | None = None
) -> FeedView:
    """The channel with these items; an empty one was last updated when the store was made. `said` is
    the `updated` that it has shown before."""
    moments = [item.updated for item in items] or [_whole_seconds(store_made_at)]
    updated = max([*moments, *([said] if said else [])])
    return FeedView(channel, feed_id(channel, store_made_at), tuple(items), updated)


def minutes_fresh(items: Sequence[Item], least: float) -> int:
    """How long a copy of a feed is good, by its own pace: a tenth of the mean time between the moments
    at which its newest 20 articles came; at least `least` seconds, at most an hour; in whole minutes."""
    came = sorted({item.article.first_seen_at for item in items[:20]})
    pace = (came[-1] - came[0]).total_seconds() / (len(came) - 1) if len(came) > 1 else HOUR * 10
    return ceil(min(max(pace / 10, least), HOUR) / 60)


def items_of(
    articles: Iterable[Article], siblings: Mapping[int, Sequence[Sibling]], settings: Settings
) -> dict[int, Item]:
    """The item of each article for feeds, by the article's id."""
    return {
        article.id: item_of(
            _cut_for_feeds(article, settings), siblings.get(article.id, ()), settings
        )
        for article in articles
    }


def _cut_for_feeds(article: Article, settings: Settings) -> Article:
    """A long text ends after a paragraph, else after a word, and with a link to all of it."""
    html = article.content_html[:FEED_CHARACTERS]
    if len(html) < len(article.content_html):
        end = html.rfind("</p>", FEED_CHARACTERS // 2)
        html = html[:end] if end > 0 else html.rpartition(" ")[0] or html
        if (tag := html.rfind("<")) > html.rfind(">"):  # it is cut inside a tag
            html = html[:tag]
        page = escape(article_page(settings, article))
        says = escape(wording_for(article.language, settings.site.languages).continued)
        html = f'{safe_html(html)}\n<p><a href="{page}">{says}</a></p>'
    return replace(
        article,
        lead=article.lead[:FEED_CHARACTERS],
        text=article.text[:FEED_CHARACTERS],
        content_html=html,
    )


def item_of(article: Article, siblings: Sequence[Sibling], settings: Settings) -> Item:
    """The article as feeds and pages show it; if withdrawn, only the fact that it was withdrawn."""
    given, article = article, settings.as_shown(article)
    source = settings.sources_by_name.get(article.source)
    language, withdrawn_at = article.language, article.withdrawn_at
    wording = wording_for(language, settings.site.languages)
    title = _one_line(article.title) or cut(article.lead, 80) or wording.untitled
    url = _reader_url(article, settings)
    author, line = _one_line(article.byline or ""), ""
    zone = ZoneInfo(settings.site.time_zone)
    if withdrawn_at is not None:
        day = wording.day(withdrawn_at.astimezone(zone).date())
        title = wording.withdrawn.format(title=title)
        summary = wording.withdrawn_on.format(day=day)
        if article.withdrawn_why:
            summary += " " + wording.withdrawn_why.format(reason=article.withdrawn_why)
        body, author = f"<p>{escape(summary, quote=False)}</p>", ""
        url = article_page(settings, article)
    elif article.complete:
        lead = article.lead or next(iter(paragraphs(article.text)), "")
        summary = cut(lead, SUMMARY_CHARACTERS)
        body = safe_html(article.content_html)
    else:
        summary = _open_end(cut(article.text or article.lead, TEASER_CHARACTERS))
        body = safe_html(article.content_html)
        if body.endswith("</p>"):
            body = _open_end(body.removesuffix("</p>")) + "</p>"

    if withdrawn_at is None:
        if credit := settings.credit(article):
            summary = f"{summary} {credit}".strip()
            body = f"{body}\n<p><small>{escape(credit)}</small></p>"
        corrected_on = article.corrected_at and article.corrected_at.astimezone(zone).date()
        line = wording.correction_line(article.correction, article.corrected, corrected_on)
    if line:
        summary, body = (
            f"{line} {summary}".rstrip(),
            f"<p><em>{escape(line, quote=False)}</em></p>\n{body}",
        )

    published = article.published.time
    if published is None and article.published.day is not None:
        published = datetime.combine(article.published.day, NOON, zone)
    if published is not None:
        published = _whole_seconds(min(published, article.first_seen_at))

    translations: dict[str, Version] = {}
    related: list[Version] = []
    for sibling in siblings:
        version = Version(
            _reader_url(sibling, settings),
            sibling.language,
            _one_line(sibling.title) or wording.untitled,
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
        updated=article.updated_at.astimezone(UTC),
        categories=tuple(
            Category(
                theme, f"{settings.feeds_url}/themes", settings.theme_names[theme].title(language)
            )
            for theme in article.themes
            if theme in settings.theme_keys
        ),
        translations=tuple(translations.values()),
        related=tuple(related),
        also_html=_also_html([*translations.values(), *related], wording.other_versions),
        correction=line,
        # What is a feed's summary may be all that there is.
        cut=article is given and not article.complete and not (source and source.is_online),
    )


def _also_html(versions: Sequence[Version], heading: str) -> str:
    listed = "".join(
        f'<li><a href="{escape(one.href)}" hreflang="{escape(one.language)}">{escape(one.title)}</a>'
        f" · {escape(one.source)}</li>\n"
        for one in versions
    )
    return f"\n<p>{escape(heading)}:</p>\n<ul>\n{listed}</ul>" if listed else ""


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
    return article_page(settings, article)


def _whole_seconds(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(microsecond=0)
