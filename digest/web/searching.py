"""The search: articles by words in any form, as a page and as a feed of each search."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

from digest.config.settings import Settings
from digest.config.urls import site_pages
from digest.errors import NotFoundError
from digest.feeds.channels import ATOM, HTML, JSON, MEDIA_TYPES, RSS, Channel
from digest.feeds.formats import atom_bytes, json_bytes, rss_bytes
from digest.feeds.items import feed_view, items_of, minutes_fresh
from digest.feeds.pages import Link, stated_day
from digest.language.queries import Piece, Wanted, excerpt, wanted_of
from digest.language.text import cut, words
from digest.language.wording import LANGUAGES, OWN_NAMES, wording_for
from digest.model import Article, Sibling
from digest.store.articles import articles_by_id, each_article, siblings_of
from digest.store.database import created_at
from digest.store.search import MOST_RANKED, Found, search
from digest.web.files import ANYBODY
from digest.web.site import Asked, Page, Place, in_own

FIELDS = ("q", "theme", "source", "lang", "from", "to")
A_PAGE = 20
MOST_COUNTED = 1_000
_DAY = re.compile(r"(\d{4})(?:-(\d\d?)(?:-(\d\d?))?)?")
_WRITTEN = re.compile(r"(\d\d?)\.(\d\d?)\.(\d{4})")


@dataclass(frozen=True, slots=True)
class Hit:
    """A found article as the page shows it. `day` is ("2023-04-04", "4 April 2023"), None where it is
    unknown; `source` is "" where all have the same one; `excerpt` are the parts of a text with whether each is what was searched for; `others` lead to
    the story, one for each other language, which it is labelled in."""

    article: Article
    theme: str
    theme_name: str
    day: tuple[str, str] | None
    source: str
    excerpt: tuple[Piece, ...]
    others: tuple[tuple[str, Link], ...]


@dataclass(frozen=True, slots=True)
class Query:
    """What is searched for: the words, the filters, and what is wrong with them in words."""

    text: str
    wanted: list[Wanted]
    filters: Mapping[str, str]
    days: tuple[date | None, date | None] = (None, None)
    faults: tuple[str, ...] = ()

    def find(self, asked: Asked, *, best_first: bool) -> Found:
        if self.faults:
            return Found()
        since, to = self.days
        return search(
            asked.db,
            self.wanted,
            theme=self.filters.get("theme"),
            language=self.filters.get("lang"),
            source=self.filters.get("source"),
            since=since,
            to=to,
            shown_at=asked.now,
            best_first=best_first,
        )


@dataclass(frozen=True, slots=True)
class SearchChannel(Channel):
    """What a search finds, as a channel; `asked` are the fields of the search in that language."""

    page_language: str = ""
    asked: Mapping[str, str] = field(default_factory=dict)

    def url(self, settings: Settings, ending: str) -> str:
        pages = site_pages(settings, self.page_language, whole=True)
        return pages.search("" if ending == HTML else ending, **self.asked)


def search_page(asked: Asked) -> Page:
    settings, wording, to = asked.settings, asked.wording, asked.to
    query = _query(asked)
    fields = {name: asked.query[name] for name in FIELDS if name in asked.query}
    found = query.find(asked, best_first=True)
    pages = max(1, -(-len(found.ids) // A_PAGE))
    given = asked.query.get("page", "")
    number = min(pages, max(1, int(given))) if re.fullmatch(r"[0-9]{1,6}", given) else 1
    shown = articles_by_id(asked.db, found.ids[(number - 1) * A_PAGE : number * A_PAGE])
    siblings = siblings_of(asked.db, [one.id for one in shown], asked.now)
    several = len({one.source for one in shown}) > 1
    names = wording.searching
    return asked.page(
        "web/search.html",
        lambda pages: pages.search(),
        languages=[
            Link(in_own(one), site_pages(settings, one).search(**fields), one, target=one)
            for one in settings.page_languages
            if one != asked.language
        ],
        indexed=False,
        query=query,
        asked=dict.fromkeys(FIELDS, "") | fields,
        hits=[_hit(asked, query, one, siblings.get(one.id, []), several=several) for one in shown],
        count=names["many"].format(n=wording.number(MOST_COUNTED))
        if len(found.ids) > MOST_COUNTED
        else wording.count(wording.articles, len(found.ids)),
        bound=names["bound"].format(n=wording.number(MOST_RANKED)) if found.bounded else "",
        before=to.search(**fields, page=str(number - 1)) if number > 1 else "",
        after=to.search(**fields, page=str(number + 1)) if number < pages else "",
        where=names["where"].format(page=number, pages=pages) if pages > 1 else "",
        follow=to.search(ATOM, **_normal(query)) if query.wanted and not query.faults else "",
        elsewhere=_elsewhere(asked, query.text),
        themes=[(one.key, one.title(asked.language)) for one in settings.theme_names.values()],
        sources=[(one.name, settings.source_title(one.name)) for one in settings.sources],
        spoken=[(one, OWN_NAMES.get(one, one)) for one in settings.site.languages],
    )


def search_feed(asked: Asked) -> Page:
    make = {ATOM: atom_bytes, RSS: rss_bytes, JSON: json_bytes}.get(asked.names["form"])
    query = _query(asked)
    if make is None or not query.wanted or query.faults:
        raise NotFoundError("no such feed")
    # A hub knows only public feeds.
    feeds = asked.settings.feeds.model_copy(update={"hub": None})
    settings = asked.settings.model_copy(update={"feeds": feeds})
    asked_for = _normal(query)
    slug = f"search/{asked.language}?{sorted(asked_for.items())}"
    title = f"{settings.site.title}: {query.text}"
    channel = SearchChannel(
        theme=None,
        language=query.filters.get("lang"),
        slug=slug,
        title=title,
        about=asked.wording.searching["about"].format(site=settings.site.title, words=query.text),
        wording=asked.wording,
        page_language=asked.language,
        asked=asked_for,
    )
    ids = query.find(asked, best_first=False).ids[: settings.feeds.entries]
    items = items_of(each_article(asked.db, ids), siblings_of(asked.db, ids, asked.now), settings)
    view = feed_view(channel, [items[i] for i in ids], created_at(asked.db))
    view = replace(view, ttl=minutes_fresh(view.items, settings.web.cache_seconds))
    form = MEDIA_TYPES[asked.names["form"]]
    return Page(make(view, settings), form, max_age=view.ttl * 60, headers=(ANYBODY,))


PLACES = (
    Place("/{language}/search", search_page, (*FIELDS, "page")),
    Place("/{language}/search.{form}", search_feed, FIELDS),
)


def _query(asked: Asked) -> Query:
    """What the fields ask for. A filter that there is not is a fault, as a day that is none is."""
    settings, words_of = asked.settings, asked.wording.searching
    known = {
        "theme": settings.theme_names.keys(),
        "source": settings.sources_by_name.keys(),
        "lang": settings.site.languages,
    }
    filters = {name: asked.query[name] for name in known if name in asked.query}
    faults = [
        words_of["unknown"].format(text=value)
        for name, value in filters.items()
        if value not in known[name]
    ]
    days: list[date | None] = []
    for name in ("from", "to"):
        text = asked.query.get(name, "")
        days.append(_day(text, last=name == "to"))
        if text and days[-1] is None:
            faults.append(words_of["no_day"].format(text=text))
    since, to = days
    if since is not None and to is not None and since > to:
        faults.append(words_of["no_days"])
    text = asked.query.get("q", "")
    return Query(text, wanted_of(text), filters, (since, to), tuple(faults[:1]))


def _day(text: str, *, last: bool) -> date | None:
    """The day of 2023-04-01, 01.04.2023, or the first or last one of 2023-04 or 2023; None for others."""
    if written := _WRITTEN.fullmatch(text):
        text = "-".join(reversed(written.groups()))
    if not (found := _DAY.fullmatch(text)):
        return None
    year, month, day = (part and int(part) for part in found.groups())
    try:
        if day or not last:
            return date(int(year or 0), month or 1, day or 1)
        next_month = date(int(year or 0) + (month or 12) // 12, (month or 12) % 12 + 1, 1)
        return next_month - timedelta(1)
    except (ValueError, OverflowError):
        return None


def _hit(
    asked: Asked, query: Query, article: Article, siblings: list[Sibling], *, several: bool
) -> Hit:
    settings, wording, to = asked.settings, asked.wording, asked.to
    article = settings.as_shown(article)
    theme = next((one for one in article.themes if one in settings.theme_keys), "")
    others: dict[str, tuple[str, Link]] = {}
    for one in siblings:
        if one.language != article.language and one.language in LANGUAGES:
            link = Link(one.title or wording.untitled, to.story(article.id), one.language)
            others.setdefault(one.language, (in_own(one.language), link))
    return Hit(
        article=replace(article, title=article.title or cut(article.lead, 80) or wording.untitled),
        theme=theme,
        theme_name=settings.theme_name(theme).title(asked.language) if theme else "",
        day=stated_day(article.published.day, wording),
        source=settings.source_title(article.source) if several else "",
        excerpt=tuple(excerpt(article.text or article.lead, article.language, query.wanted)),
        others=tuple(others.values()),
    )


def _normal(query: Query) -> dict[str, str]:
    """The fields of a search in one way, however they were typed: two of the same are one feed."""
    since, to = query.days
    days = {"from": since and since.isoformat(), "to": to and to.isoformat()}
    text = " ".join(query.text.casefold().split())
    return {"q": text, **query.filters, **{name: day for name, day in days.items() if day}}


def _elsewhere(asked: Asked, text: str) -> Link | None:
    """The same search in another language: only where it is for the name of a theme, of which we know
    what it is called there."""
    for name in asked.settings.theme_names.values():
        if words(text) and words(text) == words(name.title(asked.language)):
            for one in asked.settings.page_languages:
                if one != asked.language and (other := name.title(one)) != text:
                    text = f"{wording_for(one).searching['elsewhere']}: {other}"
                    return Link(text, site_pages(asked.settings, one).search(q=other), one)
    return None
