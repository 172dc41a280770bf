"""What search engines ask for: lists of all pages (sitemaps.org) and of the latest news (Google's format)."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from html import escape

from digest.config.urls import SitePages, site_pages
from digest.errors import NotFoundError
from digest.language.text import foreign
from digest.store.articles import each_article, latest_ids
from digest.web.site import Asked, Page, Place, id_in
from digest.web.store import Listed, listed_articles, listed_editions, listed_ranges

NEWS_HOURS = 48
MOST_NEWS = 1000
FRESH_SECONDS = 600
_NAMESPACES = """xmlns="http://www.sitemaps.org/schemas/sitemap/0.9" \
xmlns:xhtml="http://www.w3.org/1999/xhtml" xmlns:news="http://www.google.com/schemas/sitemap-news/0.9\""""


def _whole(asked: Asked, language: str = "") -> SitePages:
    return site_pages(asked.settings, language, whole=True)


def _answer(root: str, entries: Iterable[str]) -> Page:
    lines = [f'<?xml version="1.0" encoding="UTF-8"?>\n<{root} {_NAMESPACES}>', *entries]
    text = "\n".join([*lines, f"</{root}>\n"])
    return Page(text.encode(), "application/xml; charset=utf-8", max_age=FRESH_SECONDS)


def _entry(
    address: str, changed: str | None, others: Mapping[str, str] | None = None, *, kind: str = "url"
) -> str:
    """`others` has the page's address in each language, its own too."""
    links = "".join(
        f'<xhtml:link rel="alternate" hreflang="{language}" href="{escape(other)}"/>'
        for language, other in (others or {}).items()
    )
    last = f"<lastmod>{changed[:19]}Z</lastmod>" if changed else ""
    return f"<{kind}><loc>{escape(address)}</loc>{last}{links}</{kind}>"


def index(asked: Asked) -> Page:
    root = _whole(asked).root
    parts = [_entry(f"{root}/sitemap-pages.xml", None, kind="sitemap")]
    for number, changed in listed_ranges(asked.db, asked.now):
        parts.append(_entry(f"{root}/sitemap-{number}.xml", changed, kind="sitemap"))
    return _answer("sitemapindex", parts)


def pages(asked: Asked) -> Page:
    """Fronts, themes, editions and pages about the site."""
    spoken = [_whole(asked, one) for one in asked.settings.page_languages]
    entries: list[str] = []

    def add(others: Mapping[str, str], changed: Mapping[str, str | None]) -> None:
        entries.extend(_entry(url, changed.get(one), others) for one, url in others.items())

    for theme in (None, *asked.settings.theme_keys):
        newest: dict[str, str | None] = {}
        for one in spoken:
            ids = latest_ids(asked.db, theme=theme, language=one.language, limit=1, until=asked.now)
            for article in each_article(asked.db, ids):
                newest[one.language] = article.first_seen_at.isoformat()
        at = {one.language: one.theme(theme) if theme else one.front for one in spoken}
        add(at, newest)
    for name in ("editions/", "feeds", "about", "privacy", "corrections"):
        add({one.language: one.page(name) for one in spoken}, {})
    for row in listed_editions(asked.db):
        if (digest := asked.settings.digest(row["digest"])) is None:
            continue
        went = {*row["languages"].split(",")} & {*asked.settings.digest_languages(digest)}
        others = {
            one.language: one.edition(digest.name, row["number"])
            for one in spoken
            if one.language in went
        }
        add(others, dict.fromkeys(others, row["dated_at"]))
    return _answer("urlset", entries)


def articles(asked: Asked) -> Page:
    """The articles of a range of ids, and the stories that one of them leads."""
    spoken = [_whole(asked, one) for one in asked.settings.page_languages]

    def page(one: Listed) -> str:
        return _whole(asked, one.language).article(one.id)

    entries: list[str] = []
    for one in listed_articles(asked.db, id_in(asked.names["range"], least=0), asked.now):
        same = {other.language: page(other) for other in one.leads}
        leads = len(same) > 1 and same.get(one.language) == page(one)
        entries.append(_entry(page(one), one.changed, same if leads else None))
        if one.story_changed is not None:
            others = {to.language: to.story(one.id) for to in spoken}
            entries += [_entry(url, one.story_changed, others) for url in others.values()]
    if not entries:
        raise NotFoundError("there are no articles in this range")
    return _answer("urlset", entries)


def news(asked: Asked) -> Page:
    """Texts of the last two days: those whose date is stated, and which are ours to give."""
    since = asked.now - timedelta(hours=NEWS_HOURS)
    ids = latest_ids(asked.db, since=since, until=asked.now, limit=MOST_NEWS)
    entries: list[str] = []
    for article in each_article(asked.db, ids):
        shown, date = asked.settings.as_shown(article), article.published
        if article.withdrawn_at or article.archived or not shown.complete:
            continue
        if date.day is None or date.day < since.date():
            continue
        address = _whole(asked, article.language).article(article.id)
        entries.append(
            f"<url><loc>{escape(address)}</loc><news:news><news:publication>"
            f"<news:name>{escape(asked.settings.site.title)}</news:name>"
            f"<news:language>{escape(article.language)}</news:language></news:publication>"
            f"<news:publication_date>{date.iso}</news:publication_date>"
            f"<news:title>{escape(foreign(shown.title))}</news:title></news:news></url>"
        )
    return _answer("urlset", entries)


PLACES = (
    Place("/sitemap.xml", index),
    Place("/sitemap-pages.xml", pages),
    Place("/sitemap-{range}.xml", articles),
    Place("/news-sitemap.xml", news),
)
