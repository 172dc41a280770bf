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
from threading import Lock
from urllib.parse import parse_qsl, unquote, urlsplit
from zoneinfo import ZoneInfo

from starlette.routing import compile_path

from digest.config.settings import Settings
from digest.config.urls import SitePages, site_pages
from digest.editions.schedule import last_weeks
from digest.editions.store import stories_by_week
from digest.errors import ConfigError, NotFoundError, NotReadyError, StoreError
from digest.feeds.channels import HTML as ENDING
from digest.feeds.channels import channels
from digest.feeds.pages import (
    Link,
    Navigation,
    article_of,
    icon,
    rendered,
    site_navigation,
    style_bytes,
)
from digest.language.text import capital, foreign
from digest.language.wording import Wording, wording_for
from digest.model import Window
from digest.newsroom import Newsroom, our_environment
from digest.store.articles import first_seen
from digest.store.database import Database
from digest.web.files import FRESH_FOR, SECURITY, Forms, Header, pack
from digest.web.store import changed_between, language_of, newest_change, site_mark

log = logging.getLogger(__name__)
HTML = "text/html; charset=utf-8"
MAX_AGE = 60
"""Seconds for which a reader may keep a page without asking again: a withdrawal is seen by then."""
HEADERS = tuple(
    (name, value.replace(b"form-action 'none'", b"form-action 'self'; connect-src 'self'"))
    for name, value in SECURITY
)
"""Of every page: the only form is the search. No page connects anywhere, but Lighthouse reads robots.txt as if
it did."""
READERS = 2
"""How many pages are made at once; beside them one with fields, such as a search."""
MOST_WAITING = 64
"""How many pages are made or wait for it; so many others with fields."""
MOST_SECONDS = 5.0
"""How long the database may work for a page."""
LONGEST_FIELD = 300
MOST_FIELDS = 50
ENTRY_BYTES = 4000
"""What an answer in memory takes beside its bodies: its key and its heads."""
Key = tuple[str, tuple[tuple[str, str], ...]]
Counts = dict[str, Mapping[str, int]]
"""For each theme the stories of a week, by their languages, such as "en" or "en ru"."""
MOST_WEEKS = 500
MOST_CHANGES = 5_000
"""After more changes at once all weeks are counted again."""


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


def id_in(text: str, least: int = 1) -> int:
    """The id that an address names, or another number from `least` on.

    Raises:
        NotFoundError: it is none, is larger than any id could be, or is spelt in another way.
    """
    if text.isascii() and text.isdecimal() and len(text) < 16:
        number = int(text)
        if str(number) == text and number >= least:
            return number
    raise NotFoundError("not an id")


class Weeks:
    """How many stories came in under each theme, week by week: of weeks that are over counted once until an
    article of them changes, of this week by the state of the database."""

    def __init__(self) -> None:
        self._lock, self._change = Lock(), 0
        self._over: dict[Window, Counts] = {}
        self._this: tuple[object, Counts] = (None, {})

    def counted(
        self, db: Database, settings: Settings, now: datetime, count: int, mark: str = ""
    ) -> tuple[list[Window], dict[str, list[Mapping[str, int]]]]:
        """The last weeks in which the database was filled, this one too, and what came in in each of them.

        `mark` changes whenever what came in this week may; without it that is counted each time.
        """
        since = first_seen(db, now) or now
        *earlier, week = last_weeks(now, settings.site.time_zone, count)
        known = [one for one in earlier if one.starts_at >= since]
        with self._lock:
            if self._is_older(db):  # the snapshot, than what others saw
                found = _stories_of(db, settings, [*known, week])
                return [*known, week], {key: [one[key] for one in found] for key in found[0]}
            new = [one for one in known if one not in self._over]
            if len(self._over) + len(new) > MOST_WEEKS:
                self._over, new = {}, known
            self._over |= dict(zip(new, _stories_of(db, settings, new), strict=True))
            state = (mark, week.starts_at)
            if not mark or self._this[0] != state:
                self._this = state, _stories_of(db, settings, [week])[0]
            found = [*(self._over[one] for one in known), self._this[1]]
        return [*known, week], {key: [one[key] for one in found] for key in settings.theme_names}

    def _is_older(self, db: Database) -> bool:
        """Forget what changed since; whether this is an earlier state than the last one."""
        newest = newest_change(db)
        if newest - self._change > MOST_CHANGES:
            self._over = {}
        if self._over and newest > self._change:
            for moment in changed_between(db, self._change, max(one.ends_at for one in self._over)):
                self._over = {one: of for one, of in self._over.items() if moment not in one}
        self._change, older = max(newest, self._change), newest < self._change
        return older


def _stories_of(db: Database, settings: Settings, weeks: list[Window]) -> list[Counts]:
    if not weeks:
        return []
    found = stories_by_week(db, weeks, settings.theme_names, best=False)
    return [{key: counts[n] for key, counts in found.items()} for n in range(len(weeks))]


@dataclass(frozen=True, slots=True)
class Asked:
    """What a page is made from: the open newsroom, the language, the names of the path, the query."""

    newsroom: Newsroom
    language: str
    names: Mapping[str, str]
    query: Mapping[str, str]
    now: datetime
    weeks: Weeks = field(default_factory=Weeks)
    mark: str = ""
    """Of the state of the database; "" if it is not known."""

    def by_week(self, count: int) -> tuple[list[Window], dict[str, list[Mapping[str, int]]]]:
        """As Weeks.counted."""
        return self.weeks.counted(self.db, self.settings, self.now, count, self.mark)

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
            counts={key: sum(week.values()) for key, (week,) in self.by_week(1)[1].items()},
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
    """The pages of one newsroom, at most `limit` bytes of them in memory; `seconds` is a monotonic clock.

    Its threads end when it is dropped and its last page is made.
    """

    def __init__(
        self,
        newsroom: Newsroom,
        places: Sequence[Place],
        *,
        limit: int,
        seconds: Callable[[], float],
    ) -> None:
        self.newsroom, self.limit, self.held = newsroom, limit, 0
        self.settings = settings = newsroom.settings
        self.prefix = site_pages(settings, "").root
        self._spoken = settings.page_languages
        self._places = [
            (compile_path(self.prefix + one.path)[0], one) for one in (*places, *_PLACES)
        ]
        pages, origin = settings.pages_url, "://".join(urlsplit(settings.feeds_url)[:2])
        self._root = pages and pages.removeprefix(origin)
        """Where pages of feeds lead: within the same origin by a path; None if others find no site."""
        self._moved = {
            f"{one.slug}.{ENDING}": one.url(settings, ENDING).removeprefix(origin)
            for one in channels(settings)
        }
        self._seconds = seconds
        self._pages, self._searches = ThreadPoolExecutor(READERS), ThreadPoolExecutor(1)
        self._watch = ThreadPoolExecutor(1)
        self._kept: OrderedDict[Key, Kept] = OrderedDict()
        self._making: dict[Key, asyncio.Future[Kept | None]] = {}
        self._mark, self._looked = "", float("-inf")
        self._weeks = Weeks()
        self._look: asyncio.Future[None] | None = None

    @property
    def crawlers(self) -> list[str]:
        """Lines of robots.txt (RFC 9309)."""
        lines = [f"Disallow: {site_pages(self.settings, one).search()}" for one in self._spoken]
        if (url := self.settings.pages_url) is not None:
            lines += [f"Sitemap: {url}/{name}sitemap.xml" for name in ("", "news-")]
        return lines

    def spoken(self, accept_language: bytes) -> str:
        """The first language of ours that is accepted (RFC 9110 §12.5.4, without weights)."""
        asked = [part.strip()[:2].lower() for part in accept_language.decode("latin-1").split(",")]
        return next((one for one in asked if one in self._spoken), self._spoken[0])

    def front(self, accept_language: bytes) -> str:
        """Where somebody begins who accepts these languages."""
        return site_pages(self.settings, self.spoken(accept_language)).front

    def moved_to(self, name: str) -> str | None:
        """The page that has taken the place of this file of the feeds, None for another file."""
        if self._root is None or not name.endswith(ENDING):
            return None
        number = article_of(name)
        return self._moved.get(name) if number is None else f"{self._root}/articles/{number}"

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
        return await self._answer((path, _fields(place, query)), place, names)

    async def missing(self, path: str, accept_language: bytes) -> Kept:
        """The answer where nothing is, in the language of the path or one that is accepted."""
        language = path.removeprefix(self.prefix)[1:].partition("/")[0]
        if language not in self._spoken:
            language = self.spoken(accept_language)
        return await self._answer((f" {language}", ()), _MISSING, {"language": language})

    def close(self) -> None:
        """Make no page that waits."""
        for pool in (self._pages, self._searches, self._watch):
            pool.shutdown(wait=False, cancel_futures=True)

    async def _answer(self, key: Key, place: Place, names: Mapping[str, str]) -> Kept:
        try:
            kept = await self._found(key, place, names)
            if kept is None:  # all unknown addresses of a language share an answer
                language = names["language"]
                kept = await self._found((f" {language}", ()), _MISSING, names)
        except StoreError as e:
            log.error("a page was not made: %s", e)
            return BUSY
        except Exception:
            log.exception("a page was not made")
            return BROKEN
        return kept or BROKEN

    async def _found(self, key: Key, place: Place, names: Mapping[str, str]) -> Kept | None:
        await self._see()
        kept = self._kept.get(key)
        if kept is not None and kept.mark == self._mark:
            self._kept.move_to_end(key)
            return kept
        if (making := self._making.get(key)) is None:
            searches = bool(key[1])
            if sum(bool(one[1]) is searches for one in self._making) >= MOST_WAITING:
                return BUSY
            loop, pool = asyncio.get_running_loop(), self._searches if searches else self._pages
            making = loop.run_in_executor(pool, self._make, place, names, dict(key[1]))
            self._making[key] = making
            making.add_done_callback(lambda done: self._keep(key, done))
        return await asyncio.shield(making)

    def _match(self, path: str) -> tuple[Place, Mapping[str, str]] | None:
        """The kind of page of a path and the names in it."""
        for pattern, place in self._places:
            if (match := pattern.fullmatch(path)) is not None:
                names = {"language": self._spoken[0], **match.groupdict()}
                if names["language"] in self._spoken:
                    return place, names
        return None

    async def _see(self) -> None:
        """Look whether the database has changed, once for all who wait."""
        if self._seconds() - self._looked <= FRESH_FOR:
            return
        if self._look is None or self._look.done():
            loop = asyncio.get_running_loop()
            self._look = loop.run_in_executor(self._watch, self._look_now)
        await asyncio.shield(self._look)

    def _look_now(self) -> None:
        began = self._seconds()
        with self.newsroom.open(read_only=True) as newsroom:
            self._mark = self._mark_of(newsroom, newsroom.now())
        self._looked = began

    def _mark_of(self, newsroom: Newsroom, now: datetime) -> str:
        day = now.astimezone(ZoneInfo(self.settings.site.time_zone)).date()
        return f"{day} {site_mark(newsroom.db, now)}"

    def _make(
        self, place: Place, names: Mapping[str, str], query: Mapping[str, str]
    ) -> Kept | None:
        """None where nothing is at this address."""
        ends = self._seconds() + MOST_SECONDS
        with self.newsroom.open(read_only=True) as newsroom, newsroom.db.snapshot():
            newsroom.db.give_up_when(lambda: self._seconds() > ends)
            now = newsroom.now()
            mark = self._mark_of(newsroom, now)
            asked = Asked(newsroom, names["language"], names, query, now, self._weeks, mark)
            try:
                page = place.make(asked)
            except NotFoundError:
                return None
            except (ConfigError, NotReadyError) as e:  # of an operator's templates
                log.error("a page is shown without web.templates: %s", e)
                ours = replace(newsroom, parts={**newsroom.parts, "templates": our_environment()})
                page = place.make(replace(asked, newsroom=ours))
        lasting = [(b"cache-control", f"public, max-age={page.max_age}".encode())]
        plain, packed = pack(
            page.body, page.media_type, None, lasting, page.headers, status=page.status
        )
        size = sum(len(one.body) for one in (plain, *packed.values()))
        return Kept(plain, packed, mark, size + ENTRY_BYTES, page.max_age, page.status)

    def _keep(self, key: Key, done: "asyncio.Future[Kept | None]") -> None:
        self._making.pop(key, None)
        if done.cancelled() or done.exception() is not None or (kept := done.result()) is None:
            return
        before = self._kept.pop(key, None)
        self._kept[key] = kept
        self.held += kept.size - (before.size if before else 0)
        while self.held > self.limit and len(self._kept) > 1:
            self.held -= self._kept.popitem(last=False)[1].size


def _fields(place: Place, query: bytes) -> tuple[tuple[str, str], ...]:
    """The declared fields of a query; none of one that no reader sends."""
    if not place.query or not query:
        return ()
    try:
        given = dict(parse_qsl(query.decode("latin-1"), max_num_fields=MOST_FIELDS))
    except ValueError:
        return ()
    shown = {
        name: foreign(given.get(name, ""), limit=LONGEST_FIELD).strip() for name in place.query
    }
    return tuple((name, value) for name, value in shown.items() if value)


def _missing(asked: Asked) -> Page:
    return asked.page(
        "web/missing.html", lambda to: to.front, languages=(), status=404, indexed=False
    )


def _style(asked: Asked) -> Page:
    body = style_bytes(asked.newsroom.templates, asked.settings)
    return Page(body, "text/css; charset=utf-8", headers=())


def _article(asked: Asked) -> Page:
    """To an article whose language is not known."""
    number = id_in(asked.names["article"])
    language = language_of(asked.db, number, asked.now)
    return moved(site_pages(asked.settings, language).article(number), status=301)


_MISSING = Place("", _missing)


def _icon(asked: Asked) -> Page:
    """For pages that name no icon of their own, such as a mail, and for programs that show sites."""
    svg = unquote(icon(asked.settings.site.title).partition(",")[2]).encode()
    return Page(svg, "image/svg+xml", max_age=86_400, headers=())


_PLACES = (
    Place("/style.css", _style),
    Place("/favicon.ico", _icon),
    Place("/articles/{article}", _article),
)
