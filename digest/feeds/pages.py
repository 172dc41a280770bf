"""The pages for people: an HTML twin of every channel, and one page for each article.

Links within the folder are relative, so that the pages also work from a disk.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit
from zoneinfo import ZoneInfo

from digest.config import urls
from digest.config.settings import Settings
from digest.config.urls import article_page, feed_slug, site_pages
from digest.errors import ConfigError, template_fault
from digest.feeds.channels import (
    ATOM,
    CORRECTIONS,
    HTML,
    JSON,
    MEDIA_TYPES,
    OPML_NAME,
    RSS,
    Channel,
)
from digest.feeds.items import FeedView, Item
from digest.language.text import Stroke, capital, name_mark
from digest.language.wording import OWN_NAMES, Wording, wording_for

if TYPE_CHECKING:
    from jinja2 import Environment


_SAFE = ":/='(),;@"
STYLE_NAME = "style.css"
MOST_THEMES = 12
"""In the navigation of the site, those with most news."""
_FORMAT_NAMES = {ATOM: "Atom", RSS: "RSS", JSON: "JSON Feed"}


@dataclass(frozen=True, slots=True)
class Link:
    """A link on a page. `language` is that of its text, "" where it is the page's own; `theme` gives
    it a colour; `target` is the language it leads to; `current` marks the page itself; `count` is how much
    is behind it."""

    text: str
    href: str
    language: str = ""
    theme: str = ""
    target: str = ""
    current: bool = False
    count: str = ""


@dataclass(frozen=True, slots=True)
class Headline:
    """The head of an article, in a list or over its own text, ready for the page.

    `day` is ("2023-04-04", "4 April 2023"), None where the day is unknown. `notes` say that only a
    summary is known, or that the title is ours.
    """

    item: Item
    href: str
    language: str
    source: str
    byline: str
    day: tuple[str, str] | None
    notes: tuple[str, ...]
    versions: tuple[Link, ...]
    themes: tuple[Link, ...]

    @property
    def withdrawn(self) -> bool:
        return self.item.article.withdrawn_at is not None


@dataclass(frozen=True, slots=True)
class Mark:
    """The newsroom's mark as an SVG path, `width` by 14 units."""

    path: str
    width: int


@dataclass(frozen=True, slots=True)
class Navigation:
    """The themes and languages that a page leads to, and the feeds behind it; `join` is the form to get
    them by mail, "" where there is none. A page of the site also has its `day` ("2026-11-30", "Monday
    30 November 2026"), the address of its `search`, and links to further `pages`."""

    mark: Mark
    icon: str
    home: Link
    themes: tuple[Link, ...]
    languages: tuple[Link, ...]
    formats: tuple[Link, ...]
    opml: str
    corrections: str
    join: str
    foot: tuple[Link, ...]
    day: tuple[str, str] | None = None
    search: str = ""
    pages: tuple[Link, ...] = ()


def article_name(article_id: int) -> str:
    """The file of an article's page within the folder; urls.article_page is its address."""
    return f"articles/{article_id}.html"


def article_of(name: str) -> int | None:
    """The id of the article whose page this file is; None if it is not an article's page."""
    number = name.removeprefix("articles/").removesuffix(".html")
    return int(number) if name.startswith("articles/") and number.isdecimal() else None


def drawn(strokes: Sequence[Stroke]) -> Mark:
    """The bars side by side, a unit apart; a unit is 3 pixels."""
    path, x = "", 0
    for one in strokes:
        width, height, below, dot = (
            -(-n // 3) for n in (one.width, one.height, one.below, one.dot)
        )
        path += f"M{x} {10 - height}h{width}v{height + below}h-{width}z"
        path += f"M{x} {9 - height - dot}h{dot}v{dot}h-{dot}z" if dot else ""
        x += width + 1
    return Mark(path, x - 1)


@cache
def icon(name: str) -> str:
    """Five letters of the mark as a picture of its own, light or dark as the reader's screen is."""
    mark = drawn(name_mark(name)[:5])
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><style>g{fill:#faf8f4}@media'
        "(prefers-color-scheme:dark){svg>path{fill:#faf8f4}g{fill:#1c2126}}</style>"
        f'<path fill="#1c2126" d="M0 0h32v32H0z"/><g transform="translate(3 6) scale({26 / mark.width:.3f} '
        f'1.429)"><path d="{mark.path}"/></g></svg>'
    )
    return f"data:image/svg+xml,{quote(svg, safe=_SAFE)}"


def style_bytes(environment: "Environment", settings: Settings) -> bytes:
    """The one stylesheet of all pages, with the colours of the themes."""
    return rendered(environment, "web/style.css", themes=list(settings.theme_names.values()))


def feed_page_bytes(environment: "Environment", view: FeedView, settings: Settings) -> bytes:
    """The channel as a page: its headlines, newest first."""
    channel, zone = view.channel, ZoneInfo(settings.site.time_zone)
    wording = channel.wording
    heading = wording.all_news
    if channel.theme is not None:
        heading = settings.theme_names[channel.theme].title(channel.text_language)
    if channel.corrections:
        heading = wording.corrections
    subject = CORRECTIONS if channel.corrections else channel.theme
    return rendered(
        environment,
        "web/feed.html",
        site=settings.site,
        wording=wording,
        root="",
        channel=channel,
        heading=heading,
        address=channel.url(settings, HTML),
        count=wording.count(wording.articles, len(view.items)),
        updated=stated_day(view.updated.astimezone(zone).date(), wording),
        navigation=navigation(subject, channel.language, wording, settings, root=""),
        headlines=[_headline(item, wording, settings, channel) for item in view.items],
    )


def article_page_bytes(environment: "Environment", item: Item, settings: Settings) -> bytes:
    """One article with all of its text that is known."""
    article = item.article
    wording = wording_for(article.language, settings.site.languages)
    language = article.language if article.language in settings.site.languages else None
    own = article_page(settings, article)
    return rendered(
        environment,
        "web/article.html",
        site=settings.site,
        wording=wording,
        root="../",
        headline=_headline(item, wording, settings, None),
        address=item.url,
        source_url=item.url if item.url != own else None,
        navigation=navigation(None, language, wording, settings, root="../", inside=False),
    )


def framed(
    environment: "Environment",
    settings: Settings,
    wording: Wording,
    template: str,
    languages: Sequence[Link] = (),
    day: date | None = None,
    **values: object,
) -> bytes:
    """A page with a form: its template with the values, in the frame of the site, if there is one."""
    root, site = f"{settings.feeds_url}/", settings.site
    if settings.pages_url is not None:
        around = site_navigation(settings, wording, languages=tuple(languages), day=day)
    else:
        language = wording.language if wording.language in site.languages else None
        around = navigation(None, language, wording, settings, root=root, inside=False)
    values |= {"site": site, "wording": wording, "root": root, "navigation": around}
    return rendered(environment, template, address=around.home.href, indexed=False, **values)


def rendered(environment: "Environment", template: str, **context: object) -> bytes:
    usual: dict[str, object] = {"alternates": {}, "card": "", "indexed": True}
    try:
        return environment.get_template(template).render(**usual | context).encode()
    except Exception as e:
        fault = template_fault(e)
        if fault is None:
            raise
        raise ConfigError("web.templates", [f"found {fault}"]) from e


def _headline(
    item: Item, wording: Wording, settings: Settings, channel: Channel | None
) -> Headline:
    """`channel` is the list that contains it, None on the article's own page."""
    article, site, within = item.article, settings.site, f"{settings.feeds_url}/"
    own = item.url == article_page(settings, article)
    source = settings.source_title(article.source)
    if channel is not None:
        root, language = "", channel.language
    else:
        root, language = "../", article.language if article.language in site.languages else None
    shown = article.withdrawn_at is None
    notes = [wording.summary] if shown and article.text and not article.complete else []
    if shown and article.title_made:
        notes.append(wording.made_title)
    versions: list[Link] = []
    for version in (*item.translations, *item.related):
        if version.language != article.language:
            text = wording.in_language.get(version.language, version.language)
        else:
            text = version.source if version.source != source else wording.another_report
        href = version.href
        if href.startswith(within):
            href = root + href.removeprefix(within)
        versions.append(Link(text, href, target=version.language))
    return Headline(
        item=item,
        href=article_name(article.id) if own else item.url,
        language=_other(article.language, wording),
        source=source,
        byline=item.author if article.byline and shown else "",
        day=stated_day(article.published.day, wording),
        notes=tuple(notes),
        versions=tuple(versions),
        themes=tuple(
            _theme_link(settings, theme.term, language, wording, root)
            for theme in item.categories
            if channel is None or theme.term != channel.theme
        ),
    )


def navigation(
    theme: str | None,
    language: str | None,
    wording: Wording,
    settings: Settings,
    *,
    root: str,
    inside: bool = True,
) -> Navigation:
    """Links to the other themes in this language and to this theme in the other languages."""
    shown: Sequence[str | None] = (None, *settings.site.languages)
    home = Link(settings.site.title, _page(None, language, root))
    formats = formats_of(f"{root}{feed_slug(theme, language)}")
    corrections = _page(CORRECTIONS, language, root)
    join, opml = urls.join_url(settings, wording.language), root + OPML_NAME
    foot = [
        *formats,
        Link(wording.all_feeds, opml),
        Link(wording.corrections, corrections, current=theme == CORRECTIONS),
    ]
    return Navigation(
        mark=drawn(name_mark(settings.site.title)),
        icon=icon(settings.site.title),
        home=home,
        themes=(
            Link(wording.all_news, home.href, current=inside and theme is None),
            *(
                _theme_link(settings, key, language, wording, root, key == theme)
                for key in settings.theme_keys
            ),
        ),
        languages=tuple(
            Link(
                OWN_NAMES[one] if one is not None else wording.all_languages,
                _page(theme, one, root),
                language=_other(one, wording) if one is not None else "",
                target=one or "",
                current=inside and one == language,
            )
            for one in shown
        ),
        formats=formats,
        opml=opml,
        corrections=corrections,
        join=join,
        foot=(*foot, *([Link(wording.joining["footer"], join)] if join else ())),
    )


def site_navigation(
    settings: Settings,
    wording: Wording,
    *,
    theme: str = "",
    current: str = "",
    languages: tuple[Link, ...] = (),
    feed: str = "",
    day: date | None = None,
    counts: Mapping[str, int] = MappingProxyType({}),
) -> Navigation:
    """What is around a page of the site; see site.Asked.page. `counts` has the week's stories by theme."""
    to, names = site_pages(settings, wording.language), wording.frame
    feeds = urlsplit(settings.feeds_url).path

    def links(*pages: str) -> list[Link]:
        return [Link(names[one], to.page(one), current=one == current) for one in pages]

    foot = links("about", "corrections", "feeds", "privacy")
    busy = sorted(settings.theme_names, key=lambda key: -counts.get(key, 0))[:MOST_THEMES]
    if join := urls.join_url(settings, wording.language):
        foot.insert(3, Link(names["join"], join))
    return Navigation(
        mark=drawn(name_mark(settings.site.title)),
        icon=icon(settings.site.title),
        home=Link(settings.site.title, to.front),
        themes=tuple(
            Link(
                one.title(wording.language),
                to.theme(key),
                theme=key,
                current=key == theme,
                count=wording.number(counts[key]) if counts.get(key) else "",
            )
            for key, one in settings.theme_names.items()
            if key in busy or key == theme
        ),
        languages=languages,
        formats=formats_of(f"{feeds}/{feed or wording.language}"),
        opml=f"{feeds}/{OPML_NAME}",
        corrections=to.page("corrections"),
        join=join,
        day=None
        if day is None
        else (day.isoformat(), capital(wording.day(day, names["day_pattern"]))),
        search=to.search(),
        pages=tuple(links("editions/", "feeds")),
        foot=tuple(foot),
    )


def formats_of(feed: str) -> tuple[Link, ...]:
    """A feed in each of its forms; `feed` is its address without the ending."""
    return tuple(
        Link(name, f"{feed}.{form}", target=MEDIA_TYPES[form])
        for form, name in _FORMAT_NAMES.items()
    )


def _theme_link(
    settings: Settings,
    theme: str,
    language: str | None,
    wording: Wording,
    root: str,
    current: bool = False,
) -> Link:
    name = settings.theme_names[theme].title(wording.language)
    return Link(name, _page(theme, language, root), theme=theme, current=current)


def _page(theme: str | None, language: str | None, root: str) -> str:
    return f"{root}{feed_slug(theme, language)}.{HTML}"


def stated_day(day: date | None, wording: Wording) -> tuple[str, str] | None:
    return None if day is None else (day.isoformat(), wording.day(day))


def _other(language: str, wording: Wording) -> str:
    """The language if it is not that of the page, else ""."""
    return language if language != wording.language else ""
