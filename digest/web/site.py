"""The site: pages for readers, made from the database when somebody asks, and kept in memory until what
they are made from changes.

A page is one function of one snapshot of the database. What it may see of a request is its language, the
names in its path and the fields of the query that it declares, so a page is kept once for all readers.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from http import HTTPStatus
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo

from starlette.routing import Match, Route

from digest.config.settings import Settings
from digest.config.urls import SitePages, site_pages
from digest.editions.schedule import last_weeks
from digest.editions.store import stories_by_week
from digest.errors import ConfigError, NotFoundError, NotReadyError, StoreError
from digest.feeds.pages import Link, Navigation, rendered, site_navigation, style_bytes
from digest.language.text import capital, foreign
from digest.language.wording import Wording, wording_for
from digest.newsroom import Newsroom, make_environment
from digest.store.database import Database
from digest.web.files import FRESH_FOR, SECURITY, Forms, Header, pack
from digest.web.store import site_mark

log = logging.getLogger(__name__)
HTML = "text/html; charset=utf-8"
MAX_AGE = 60
"""Seconds for which a reader may keep a page without asking again: a withdrawal is seen by then."""
HEADERS = tuple(
    (name, value.replace(b"form-action 'none'", b"form-action 'self'")) for name, value in SECURITY
)
"""Of every page: the only form is the search."""
READERS = 2
"""How many pages are made at once."""
MOST_WAITING = 64
LONGEST_FIELD = 300
Key = tuple[str, tuple[tuple[str, str], ...]]


@dataclass(frozen=True, slots=True)
class Page:
    """An answer. `max_age` is in seconds; `headers` are those of a page without forms or scripts."""

    body: bytes
    media_type: str = HTML
    status: int = 200
    max_age: int = MAX_AGE
    headers: tuple[Header, ...] = HEADERS


def in_own(language: str) -> str:
    """In this language, in its own words: На русском."""
    return capital(wording_for(language).in_language[language])


def moved(address: str, *, status: int = 302) -> Page:
    """The answer that leads elsewhere within the site."""
    return Page(b"", status=status, headers=((b"location", address.encode()),))


@dataclass(frozen=True, slots=True)
class Asked:
    """What a page is made from: the open newsroom, the language, the names of the path, the query."""

    newsroom: Newsroom
    language: str
    names: Mapping[str, str]
    query: Mapping[str, str]
    now: datetime
    counts: Mapping[str, int] = field(default_factory=dict)
    """How many stories each theme had in the last seven days."""

    @property
    def db(self) -> Database:
        return self.newsroom.db

    @property
    def settings(self) -> Settings:
        return self.newsroom.settings

    @property
    def wording(self) -> Wording:
        return wording_for(self.language, self.settings.site.languages)

    @property
    def to(self) -> SitePages:
        return site_pages(self.settings, self.language)

    def page(
        self,
        template: str,
        address: Callable[[SitePages], str],
        *,
        theme: str = "",
        current: str = "",
        languages: Sequence[Link] | None = None,
        feed: str = "",
        indexed: bool = True,
        status: int = 200,
        headers: tuple[Header, ...] = (),
        **values: object,
    ) -> Page:
        """A page in the frame of the site.

        `address` gives the page's own address among those of a language; it is the canonical one, and that
        of the page in the other languages, unless `languages` leads to other pages. `theme` or `current`
        ("editions/", "feeds") is marked in the navigation; `feed` is the slug of the feed behind it.
        """
        settings, wording, to = self.settings, self.wording, self.to
        spoken = [one for one in settings.page_languages if one != self.language]
        whole = {
            one: address(site_pages(settings, one, whole=True)) for one in (self.language, *spoken)
        }
        if languages is None:
            languages = [
                Link(in_own(one), address(site_pages(settings, one)), one, target=one)
                for one in spoken
            ]
            values.setdefault("alternates", whole)
        today = self.now.astimezone(ZoneInfo(settings.site.time_zone)).date()
        navigation: Navigation = site_navigation(
            settings,
            wording,
            theme=theme,
            current=current,
            languages=tuple(languages),
            feed=feed,
            day=today,
            counts=self.counts,
        )
        if indexed:
            values.setdefault("card", site_pages(settings, self.language, whole=True).card())
        body = rendered(
            self.newsroom.templates,
            template,
            site=settings.site,
            wording=wording,
            root=f"{to.root}/",
            to=to,
            address=whole[self.language],
            navigation=navigation,
            indexed=indexed,
            **values,
        )
        return Page(body, status=status, headers=(*HEADERS, *headers))


@dataclass(frozen=True, slots=True)
class Place:
    """Pages of one kind: their path below that of web.public_url, in which {language} is one of the
    site's, what makes one, and the fields of the query that it sees."""

    path: str
    make: Callable[[Asked], Page]
    query: tuple[str, ...] = ()


@dataclass(slots=True)
class Kept(Forms):
    """An answer in memory, and the state of the database that it shows."""

    mark: str
    size: int
    max_age: int
    status: int


def _failed(status: HTTPStatus) -> Kept:
    """The answer where no page could be made; nothing keeps it."""
    text = f"{status} {status.phrase}"
    page = f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{text}</title></head><body><h1>{text}</h1></body></html>\n'
    lasting = [(b"cache-control", b"no-store")]
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        lasting.append((b"retry-after", b"5"))
    plain, packed = pack(page.encode(), HTML, None, lasting, SECURITY, status=status)
    return Kept(plain, packed, "", 0, 0, status)


BUSY, BROKEN = _failed(HTTPStatus.SERVICE_UNAVAILABLE), _failed(HTTPStatus.INTERNAL_SERVER_ERROR)


class Site:
    """The pages of one newsroom, at most `limit` bytes of them in memory; `seconds` is a monotonic clock."""

    def __init__(
        self,
        newsroom: Newsroom,
        places: Sequence[Place],
        *,
        limit: int,
        seconds: Callable[[], float],
    ) -> None:
        self.newsroom, self.limit, self.held = newsroom, limit, 0
        self.settings = newsroom.settings
        self.prefix = site_pages(self.settings, "").root
        self._routes = [
            (Route(self.prefix + one.path, _nothing), one) for one in (*places, *_PLACES)
        ]
        self._seconds = seconds
        self._pool = ThreadPoolExecutor(READERS, "site")
        self._kept: OrderedDict[Key, Kept] = OrderedDict()
        self._making: dict[Key, asyncio.Future[Kept]] = {}
        self._mark, self._looked = "", float("-inf")
        self._counted: tuple[str, Mapping[str, int]] = ("", {})
        self._look: asyncio.Future[None] | None = None

    def front(self, accept_language: bytes) -> str:
        """Where somebody begins who accepts these languages (RFC 9110 §12.5.4, without weights)."""
        spoken = self.settings.page_languages
        asked = [part[:2].lower() for part in accept_language.decode("latin-1").split(",")]
        language = next((one.strip() for one in asked if one.strip() in spoken), spoken[0])
        return site_pages(self.settings, language).front

    def fresh(self, path: str, query: bytes) -> Kept | None:
        """The answer that is in memory and was true within FRESH_FOR."""
        if query or self._seconds() - self._looked > FRESH_FOR:
            return None
        kept = self._kept.get((path, ()))
        return kept if kept is not None and kept.mark == self._mark else None

    async def find(self, path: str, query: bytes) -> Kept | None:
        """The answer of a page of the site, made now if need be; None for any other path."""
        match = self._match(path)
        if match is None:
            return None
        place, names = match
        fields: tuple[tuple[str, str], ...] = ()
        if place.query and query:
            given = dict(parse_qsl(query.decode("latin-1"), max_num_fields=50))
            fields = tuple(
                (name, foreign(given[name], limit=LONGEST_FIELD))
                for name in place.query
                if given.get(name, "").strip()
            )
        # All unknown addresses of a language share an answer.
        key = (path if place.path else f" {names['language']}", fields)
        try:
            return await self._found(key, place, names, dict(fields))
        except StoreError as e:
            log.error("a page was not made: %s", e)
            return BUSY
        except Exception:
            log.exception("a page was not made")
            return BROKEN

    async def _found(
        self, key: Key, place: Place, names: Mapping[str, str], query: Mapping[str, str]
    ) -> Kept:
        await self._see()
        kept = self._kept.get(key)
        if kept is not None and kept.mark == self._mark:
            self._kept.move_to_end(key)
            return kept
        if (making := self._making.get(key)) is None:
            if len(self._making) >= MOST_WAITING:
                return BUSY
            loop = asyncio.get_running_loop()
            making = loop.run_in_executor(self._pool, self._make, place, names, query)
            self._making[key] = making
            making.add_done_callback(lambda done: self._keep(key, done))
        return await asyncio.shield(making)

    def _match(self, path: str) -> tuple[Place, Mapping[str, str]] | None:
        """The kind of page of a path and the names in it; below a language always one."""
        spoken = self.settings.page_languages
        for route, place in self._routes:
            how, scope = route.matches({"type": "http", "method": "GET", "path": path})
            if how is Match.FULL:
                names: dict[str, str] = scope["path_params"]
                if names.setdefault("language", spoken[0]) in spoken:
                    return place, names
        language = path.removeprefix(self.prefix)[1:].partition("/")[0]
        return (_MISSING, {"language": language}) if language in spoken else None

    async def _see(self) -> None:
        """Look whether the database has changed, once for all who wait."""
        if self._seconds() - self._looked <= FRESH_FOR:
            return
        if self._look is None:
            loop = asyncio.get_running_loop()
            self._look = loop.run_in_executor(self._pool, self._look_now)
        try:
            await asyncio.shield(self._look)
        finally:
            self._look = None

    def _look_now(self) -> None:
        with self.newsroom.open(read_only=True) as newsroom:
            self._mark = self._mark_of(newsroom)
        self._looked = self._seconds()

    def _mark_of(self, newsroom: Newsroom) -> str:
        now = newsroom.now()
        day = now.astimezone(ZoneInfo(self.settings.site.time_zone)).date()
        return f"{day} {site_mark(newsroom.db, now)}"

    def _make(self, place: Place, names: Mapping[str, str], query: Mapping[str, str]) -> Kept:
        with self.newsroom.open(read_only=True) as newsroom, newsroom.db.snapshot():
            mark = self._mark_of(newsroom)
            asked = Asked(
                newsroom,
                names["language"],
                names,
                query,
                newsroom.now(),
                self._counts(newsroom, mark),
            )
            try:
                page = _page(place, asked)
            except (ConfigError, NotReadyError) as e:  # of an operator's templates
                log.error("a page is shown without web.templates: %s", e)
                ours = replace(newsroom, parts={**newsroom.parts, "templates": make_environment()})
                page = _page(place, replace(asked, newsroom=ours))
        lasting = [(b"cache-control", f"public, max-age={page.max_age}".encode())]
        plain, packed = pack(
            page.body, page.media_type, None, lasting, page.headers, status=page.status
        )
        size = sum(len(one.body) for one in (plain, *packed.values()))
        return Kept(plain, packed, mark, size, page.max_age, page.status)

    def _counts(self, newsroom: Newsroom, mark: str) -> Mapping[str, int]:
        """How many stories each theme had in a week, counted once for each state of the database."""
        if self._counted[0] != mark:
            now, themes = newsroom.now(), self.settings.theme_names
            zone = self.settings.site.time_zone
            weeks = stories_by_week(newsroom.db, last_weeks(now, zone, 1), themes)
            self._counted = mark, {key: sum(week.values()) for key, (week,) in weeks.items()}
        return self._counted[1]

    def _keep(self, key: Key, done: "asyncio.Future[Kept]") -> None:
        self._making.pop(key, None)
        if done.cancelled() or done.exception() is not None:
            return
        before, kept = self._kept.pop(key, None), done.result()
        self._kept[key] = kept
        self.held += kept.size - (before.size if before else 0)
        while self.held > self.limit and len(self._kept) > 1:
            self.held -= self._kept.popitem(last=False)[1].size


async def _nothing() -> None:
    """Stands in a route: only its path is used."""


def _page(place: Place, asked: Asked) -> Page:
    try:
        return place.make(asked)
    except NotFoundError:
        return _MISSING.make(asked)


def _missing(asked: Asked) -> Page:
    return asked.page(
        "web/missing.html", lambda to: to.front, languages=(), status=404, indexed=False
    )


def _style(asked: Asked) -> Page:
    body = style_bytes(asked.newsroom.templates, asked.settings)
    return Page(body, "text/css; charset=utf-8", headers=())


_MISSING = Place("", _missing)
_PLACES = (Place("/style.css", _style),)
