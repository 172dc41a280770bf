"""The verb `poll`: asks each online source that is due, and keeps what it brings until it is saved.

    due sources -> ask, many at once -> parse, in threads -> one short write for each source

What a source brings waits in `arrivals`; `ingest` saves it as articles. A source that fails stops no other:
it is asked again later and later, and its error is kept in plain words.
"""

import asyncio
import functools
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from functools import partial
from typing import NamedTuple, TypeVar
from zoneinfo import ZoneInfo

from digest import __version__
from digest.config.settings import Recipe, SourceSettings
from digest.errors import DigestError, DocumentError, FetchError
from digest.mail.smtp.names import text_records
from digest.model import UNDATED, FoundItem
from digest.newsroom import EPOCH, Newsroom
from digest.sources import pages, store, syndication
from digest.sources.answers import Answer, blocked, fresh_until, retry_after
from digest.sources.documents import item_bytes
from digest.sources.fetch import Fetcher
from digest.sources.mailbox import read_letters
from digest.store.database import Database, Row, text_from_moment
from digest.store.owner import sole_poller

AT_ONCE = 200
"""Sources asked at the same time; of one host only one is."""
NEWEST = 20
"""Items by which the pace of a source is known."""
NOON = time(12)
KEPT = 50
"""Answers without news that one write keeps; one with news is kept at once."""
PAGES_A_ROUND = 20
"""Pages of one source that are fetched in one round; the rest follows in the next ones."""
AGAIN = (timedelta(hours=1), timedelta(hours=6), timedelta(days=1), timedelta(days=3))
"""So long after its first reading a page is asked again, for corrections."""
OFTEN, SELDOM, FIRST = timedelta(minutes=10), timedelta(hours=12), timedelta(hours=1)
"""A source is asked four times in the mean time between its articles, within the first two bounds; after
the first time so soon."""
LATEST = timedelta(days=1)
"""A source that fails is asked again after twice the time before, at most this."""
TRIES, MOST_FAILED = 3, 1_000
"""How often a page is tried that cannot be read, and of how many that is kept."""
CALM, MOST_CALM = timedelta(hours=1), 8
"""A second change of an item is read this long after the first, each further one after four times as long;
what changes at every asking settles so."""
SITEMAPS = 5
"""Sitemaps of an index that are read, the newest; and pages of a listing, while all their links are new."""
MOST_LISTED = 2_000
"""Addresses of a list that count, the first, or of a sitemap the newest."""
CONFIRMED = 3
"""Answers running that must name the same new address before a source is asked there."""


Progress = Callable[[Sequence[int]], Iterable[int]]


class Brought(NamedTuple):
    """A document that a source brings; `archived` None lets its place among the others decide."""

    name: str
    kind: str
    data: bytes
    item: FoundItem | None = None
    archived: bool | None = None


@dataclass(slots=True)
class Asked:
    """What a source answered: what it brings, or an error in plain words. `failed` counts how often each
    page of it could not be read, `stated` has for each page where it states each field. `rest` are pages that
    wait for a later round, and whether they are archive. `young` are documents that are asked again, with
    when they were read first and asked last, and `looked` those that were; `due` is when more is to do."""

    source: SourceSettings
    brought: list[Brought] = field(default_factory=list)
    answer: Answer | None = None
    error: str | None = None
    place: str | None = None
    validators: dict[str, dict[str, str]] = field(default_factory=dict)
    least: timedelta = timedelta(0)
    skips: Callable[[datetime], bool] = lambda _: False
    faults: list[str] = field(default_factory=list)
    failed: dict[str, int] = field(default_factory=dict)
    title: str = ""
    stated: dict[str, dict[str, str]] = field(default_factory=dict)
    rest: dict[str, bool] = field(default_factory=dict)
    young: dict[str, tuple[datetime, datetime]] = field(default_factory=dict)
    looked: list[str] = field(default_factory=list)
    due: list[datetime] = field(default_factory=list)

    def note(self, url: str, fault: FetchError | DocumentError, follows: str = "") -> None:
        """That a page could not be read; after TRIES times it is left alone."""
        self.failed[url] = self.failed.get(url, 0) + 1
        self.faults.append(f"{fault.reason}: {url}{follows}")


@dataclass(slots=True)
class PollReport:
    """How a round went: how many sources were asked; `faults` has one line for each that failed, or
    says that another process asks them."""

    asked: int = 0
    faults: list[str] = field(default_factory=list)


def poll(newsroom: Newsroom, progress: Progress = iter) -> PollReport:
    """Ask every online source that is due, unless another process is doing that."""
    report = PollReport()
    with sole_poller(newsroom.db.path) as is_alone:
        if not is_alone:
            report.faults.append(
                "Another process is asking the sources, so they are not asked here."
            )
            return report
        rows, at = store.poll_rows(newsroom.db), text_from_moment(newsroom.now())
        due: list[tuple[SourceSettings, Row]] = []
        for source in newsroom.settings.sources:
            row = rows.get(source.name, {})
            waits = row.get("next_at", "") > at
            if source.is_online and not (row.get("paused_at") or row.get("ended_at") or waits):
                due.append((source, row))
        if due:
            asyncio.run(_round(newsroom, due, report, progress))
            pages.forget()
    return report


async def _round(
    newsroom: Newsroom,
    due: Sequence[tuple[SourceSettings, Row]],
    report: PollReport,
    progress: Progress,
) -> None:
    db, gate = newsroom.db, asyncio.Semaphore(AT_ONCE)
    async with make_fetcher(newsroom) as fetcher:
        known = store.robots(db, newsroom.now())
        fetcher.robots |= known

        async def ask(source: SourceSettings, row: Row) -> tuple[Asked, Row]:
            async with gate:
                return await ask_source(newsroom, fetcher, source, row), row

        answered: list[tuple[Asked, Row]] = []
        tasks = asyncio.as_completed([ask(source, row) for source, row in due])
        for left in progress(range(len(due), 0, -1)):
            answered.append(await next(tasks))
            if left == 1 or len(answered) == KEPT or any(one.brought for one, _ in answered):
                _keep(newsroom, answered, report)
                answered = []
        if fetcher.robots != known:
            with db.write():
                store.save_robots(db, fetcher.robots)


def make_fetcher(newsroom: Newsroom) -> Fetcher:
    made: Fetcher = newsroom.parts.get("fetcher") or Fetcher(
        contact=newsroom.settings.site.base_url,
        agent=f"NewsroomDigest/{__version__}",
        now=newsroom.now,
        chance=lambda: _chance(newsroom),
    )
    return made


def _chance(newsroom: Newsroom) -> float:
    """A number from 0 to 1."""
    return int.from_bytes(newsroom.random_bytes()[:2]) / 65_536


async def ask_source(
    newsroom: Newsroom,
    fetcher: Fetcher,
    source: SourceSettings,
    row: Mapping[str, object] | None = None,
) -> Asked:
    """Ask one source; stores nothing. `row` is its row of polls, if it was asked before."""
    asked, row = Asked(source), row or {}
    asked.validators = json.loads(str(row.get("validators") or "{}"))
    asked.failed = json.loads(str(row.get("failed") or "{}"))
    asked.rest = json.loads(str(row.get("rest") or "{}"))
    try:
        if source.kind == "mail":
            await _ask_mailbox(newsroom, asked, row)
        elif source.kind == "feed":
            await _ask_feed(newsroom, fetcher, asked, row)
        else:
            await _ask_pages(newsroom, fetcher, asked, row)
    except DocumentError as e:
        asked.error = e.reason
    except FetchError as e:
        asked.error = e.reason
    except DigestError as e:
        asked.error = str(e)
    return asked


def find_source(newsroom: Newsroom, source: SourceSettings) -> list[tuple[str, str]]:
    """The feeds that the page of a source names, best first: address and title."""

    async def find() -> list[tuple[str, str]]:
        async with make_fetcher(newsroom) as fetcher:
            answer = await _get(fetcher, Asked(source), str(source.url))
            return syndication.find_feeds(answer.body, answer.url) if answer else []

    try:
        return asyncio.run(find())
    except FetchError:
        return []


async def _get(fetcher: Fetcher, asked: Asked, url: str, *, known: bool = True) -> Answer | None:
    """The answer of an address; None if it is as it was.

    Raises:
        FetchError: no answer, or one that is none.
    """
    source = asked.source
    answer = await fetcher.get(
        url,
        validators=asked.validators.get(url, {}) if known else {},
        allow_private=source.allow_private,
        size_limit=int(source.size_limit_mib * 1024 * 1024),
        pause_seconds=source.pause_seconds,
    )
    asked.answer = answer
    if known and answer.validators:
        asked.validators[url] = dict(answer.validators)
    if answer.status == 304:
        return None
    if answer.status != 200:
        words = {
            404: "there is nothing",
            410: "it is gone for good",
            429: "it asks to come less often",
        }
        said = words.get(
            answer.status, "the server has a fault" if answer.status >= 500 else "refused"
        )
        raise FetchError(url, "answer", f"answered {answer.status}: {said}")
    return answer


async def _ask_feed(
    newsroom: Newsroom, fetcher: Fetcher, asked: Asked, row: Mapping[str, object]
) -> None:
    source, now = asked.source, newsroom.now()
    zone = ZoneInfo(newsroom.settings.site.time_zone)
    url = str(row.get("address") or source.url)
    again = _again(newsroom, asked) if source.full_text else []
    # Whole where a page is to be asked again, as what it says of that page is not kept.
    answer = await _get(fetcher, asked, url, known=not again)
    if answer is None:
        return
    try:
        feed = await _in_thread(_feed, answer, now, source.language, zone)
    except DigestError:
        asked.validators.pop(url, None)
        raise
    asked.title = feed.title
    asked.least = min(feed.ttl or timedelta(0), LATEST)
    asked.skips = lambda at: at.hour in feed.skip_hours or at.weekday() in feed.skip_days
    # An hour that lies ahead is no more known than such a day; clocks differ by minutes.
    items = [
        replace(item, published=UNDATED)
        if item.published.time and item.published.time > now + timedelta(minutes=10)
        else item
        for item in feed.items
    ]
    waited: dict[str, bool] = {}
    if source.full_text:
        waited, places = asked.rest, {item.key: place for place, item in enumerate(items)}
        items, left = await _in_full(newsroom, fetcher, asked, items, again)
        asked.rest = {
            key: waited.get(key, not row.get("news_at") and places[key] >= source.backlog)
            for key in left
        }
        if left:
            asked.due.append(now + OFTEN)
            asked.validators.pop(url, None)
    asked.answer = answer  # not that of a page
    for item in items:
        _bring(asked, [item], waited.get(item.key))


_Made = TypeVar("_Made")


@functools.cache
def _threads() -> ThreadPoolExecutor:
    """Few: a hostile body may take 150 MB to parse."""
    return ThreadPoolExecutor(2, thread_name_prefix="parsing")


async def _in_thread(read: Callable[..., _Made], *values: object) -> _Made:
    return await asyncio.get_running_loop().run_in_executor(_threads(), read, *values)


def _feed(answer: Answer, now: datetime, language: str | None, zone: ZoneInfo) -> syndication.Feed:
    kind = answer.headers.get("content-type", "")
    try:
        return syndication.read_feed(
            answer.body, url=answer.url, content_type=kind, now=now, language=language, zone=zone
        )
    except DocumentError:
        if (why := blocked(answer, wants_page=False)) is not None:
            raise why from None
        raise


def _page_of(
    answer: Answer, recipe: Recipe, now: datetime, zone: ZoneInfo
) -> dict[str, pages.Fact]:
    if (why := blocked(answer, wants_page=True)) is not None:
        raise why
    kind = answer.headers.get("content-type", "")
    return pages.explain(
        answer.body, url=answer.url, content_type=kind, recipe=recipe, now=now, zone=zone
    )


async def _in_full(
    newsroom: Newsroom,
    fetcher: Fetcher,
    asked: Asked,
    items: Sequence[FoundItem],
    again: Sequence[str],
) -> tuple[list[FoundItem], list[str]]:
    """The items, the new ones with the text of their page, and the keys of those that come in a later round;
    title and day stay those of the feed."""
    names = [item.key for item in items]
    known = store.document_states(newsroom.db, asked.source.name, names)
    full: list[FoundItem] = []
    left: list[str] = []
    for item in sorted(items, key=lambda one: one.key in known):
        if (item.key in known and item.key not in again) or item.complete or item.url is None:
            full += [item] if item.complete or item.key not in known else []
            continue
        if len(asked.looked) == PAGES_A_ROUND:
            left += [item.key] if item.key not in known else []
            continue
        asked.looked.append(item.key)
        try:
            page = await _page(newsroom, fetcher, asked, item.url)
        except (FetchError, DocumentError) as e:
            if item.key not in known:
                asked.note(item.url, e, "; its summary was taken")
                full.append(item)
            continue
        if page is not None:
            stated = item if item.published.day else page
            picture = item.picture or page.picture
            full.append(
                replace(
                    item, html=page.html, complete=True, published=stated.published, picture=picture,
                    author=item.author or page.author, language=item.language or page.language,
                )
            )  # fmt: skip
    done = {item.url for item in items if item.key in known and item.key not in asked.young}
    asked.validators = {url: v for url, v in asked.validators.items() if url not in done}
    return full, left


def _again(newsroom: Newsroom, asked: Asked) -> list[str]:
    """The documents of a source to ask again now; notes all that were new of late."""
    now = newsroom.now()
    seen = store.read_since(newsroom.db, asked.source.name, now - 2 * AGAIN[-1], MOST_FAILED)
    asked.young = {name: times for name, times in seen.items() if _next_look(*times)}
    return [name for name, times in asked.young.items() if (_next_look(*times) or now) <= now]


def _next_look(first: datetime, last: datetime) -> datetime | None:
    """When a page is asked again that was read `first` and asked `last` then; None if no more."""
    return next((first + wait for wait in AGAIN if first + wait > last), None)


async def _page(newsroom: Newsroom, fetcher: Fetcher, asked: Asked, url: str) -> FoundItem | None:
    answer = await _get(fetcher, asked, url)
    if answer is None:
        return None
    zone = ZoneInfo(newsroom.settings.site.time_zone)
    try:
        facts = await _in_thread(_page_of, answer, asked.source.recipe, newsroom.now(), zone)
    except DigestError:
        asked.validators.pop(url, None)
        raise
    asked.stated[url] = {name: fact.where for name, fact in facts.items()}
    return pages.item_of(facts)


async def _ask_pages(
    newsroom: Newsroom, fetcher: Fetcher, asked: Asked, row: Mapping[str, object]
) -> None:
    """The pages of a list, or the new ones among the links of a listing or a sitemap."""
    source, db, first_reading = asked.source, newsroom.db, not row.get("news_at")
    wanted = list(source.urls)
    if source.url is not None and (
        listing := await _get(fetcher, asked, str(row.get("address") or source.url))
    ):
        if b"<urlset" in listing.body[:2000] or b"<sitemapindex" in listing.body[:2000]:
            wanted += await _in_sitemap(fetcher, asked, listing)
        else:
            wanted += await _in_listing(db, fetcher, asked, listing)
    answer_of_list, first = asked.answer, None
    again = [name for name in _again(newsroom, asked) if name not in source.urls]
    wanted = [*[*dict.fromkeys(wanted)][:MOST_LISTED], *asked.rest]
    known = store.document_states(db, source.name, [*wanted, *asked.validators])
    done = known.keys() - asked.young.keys() - set(source.urls)
    asked.validators = {url: v for url, v in asked.validators.items() if url not in done}
    new = [
        url
        for url in dict.fromkeys(wanted)
        if url in source.urls or (url not in known and asked.failed.get(url, 0) < TRIES)
    ]
    archived = {
        url: asked.rest.get(url, first_reading and place >= source.backlog)
        for place, url in enumerate(new)
    }
    asked.rest = {url: archived[url] for url in new[PAGES_A_ROUND:]}
    if asked.rest:
        asked.due.append(newsroom.now() + OFTEN)
    failures = 0
    for url in [*new, *again][:PAGES_A_ROUND]:
        asked.looked.append(url)
        try:
            item = await _page(newsroom, fetcher, asked, url)
        except (FetchError, DocumentError) as e:
            if url not in new:
                continue  # what was read stays
            asked.note(url, e)
            asked.rest[url] = archived[url]
            first, failures = first or e.reason, failures + 1
            continue
        if item is not None:
            item = replace(item, key=url, language=item.language or source.language)
            _bring(asked, [item], archived.get(url, False))
    if first is not None and failures == len(new[:PAGES_A_ROUND]):
        asked.error, asked.faults = first, []
    asked.answer = answer_of_list or asked.answer


async def _in_listing(db: Database, fetcher: Fetcher, asked: Asked, listing: Answer) -> list[str]:
    """The addresses of a listing, and of its next pages as long as none of them is known."""
    source = asked.source
    found: list[str] = []
    for _ in range(SITEMAPS):
        read = partial(pages.links_of, url=listing.url, recipe=source.recipe, follow=source.follow)
        links, after = await _in_thread(read, listing.body)
        if not found and (why := blocked(listing, wants_page=not links)) is not None:
            raise why
        found += links
        if after is None or store.document_states(db, source.name, found):
            break
        try:
            further = await _get(fetcher, asked, after, known=False)
        except FetchError as e:
            asked.faults.append(f"{e.reason}: {after}")
            break
        if further is None:
            break
        listing = further
    if not found:
        raise DocumentError(
            listing.url, "no links to articles; set or correct `follow` or a recipe of `links`"
        )
    return found


async def _in_sitemap(
    fetcher: Fetcher, asked: Asked, answer: Answer, *, deep: bool = True
) -> list[str]:
    """The addresses of a sitemap, the newest first where it says when; of an index those of its newest."""
    sitemap = pages.read_sitemap(answer.body)
    order = sorted(sitemap.entries, key=lambda one: one[1] or EPOCH, reverse=True)
    addresses = [address for address, _ in order]
    if sitemap.kind != "index":
        return addresses
    found: list[str] = []
    for address in addresses[:SITEMAPS] if deep else []:
        if (inner := await _get(fetcher, asked, address)) is not None:
            found += await _in_sitemap(fetcher, asked, inner, deep=False)
    return found


async def _ask_mailbox(newsroom: Newsroom, asked: Asked, row: Mapping[str, object]) -> None:
    source, after = asked.source, row.get("place")
    known = store.brought_by(newsroom.db, source.name)  # a letter is read once

    def read() -> None:
        with read_letters(
            source,
            after=None if after is None else str(after),
            now=newsroom.now(),
            known=lambda key: f"{key}.eml" in known,
            look_up=lambda name: text_records([name])[name],
        ) as found:
            for letter in found.letters:
                if letter.error is not None:
                    asked.faults.append(str(letter.error))
                    continue
                files = [(f"{letter.key}/{name}", data) for name, data in letter.attachments]
                if not letter.covers:
                    files.insert(0, (f"{letter.key}.eml", letter.data))
                if not letter.listed:  # whole, for a person to accept
                    files = [(f"{letter.key}.eml", letter.data)]
                kind = "file" if letter.listed else "waits"
                asked.brought += [
                    Brought(name, kind, data, archived=letter.archive) for name, data in files
                ]
            asked.place = found.place

    await _in_thread(read)


def _bring(asked: Asked, items: Sequence[FoundItem], archived: bool | None = None) -> None:
    asked.brought += [
        Brought(item.key, "item", item_bytes(item), item, archived)
        for item in items
        if item.title or item.html
    ]


def _keep(newsroom: Newsroom, answered: Sequence[tuple[Asked, Row]], report: PollReport) -> None:
    """Keep what sources brought that is new, and how they answered, in one write."""
    db, now = newsroom.db, newsroom.now()
    kept = []
    for asked, row in answered:
        new = _new(db, asked, now, first=not row.get("news_at"))
        state = _state(newsroom, asked, row, bool(new), now)
        kept.append((asked.source, asked.looked, new, state))
        report.asked += 1
        said = [*([asked.error] if asked.error else []), *asked.faults]
        report.faults += [f"source {asked.source.name}: {one}" for one in said]
    with db.write():
        for source, looked, new, values in kept:
            source_id = store.source_row(db, source.name, source.kind, source.title or source.name)
            store.save_arrivals(db, source_id, new, now)
            store.note_looks(db, source_id, looked, now)
            store.save_poll(db, source_id, values)


def _new(
    db: Database, asked: Asked, now: datetime, *, first: bool
) -> list[tuple[str, str, bytes, bool]]:
    """What was not read before in this form; of a first reading all but the newest `backlog` as archive.

    A change that comes too soon after the last one waits; the source is asked for it again in full.
    """
    source, brought = asked.source, asked.brought
    known = store.document_states(db, source.name, [one.name for one in brought])
    new = {
        one.name: one
        for one in reversed(brought)
        if one.name not in known or known[one.name].sha256 != hashlib.sha256(one.data).hexdigest()
    }
    changed = [*new.keys() & known.keys()]
    for name, version, at in store.changes_of(db, source.name, changed) if changed else ():
        calm = at + CALM * 4 ** min(max(version - 2, 0), MOST_CALM)
        if version > 1 and now < calm:
            del new[name]
            asked.due.append(calm)
            asked.validators.clear()
    # A source lists the newest first; where all have their day, that decides.
    order = list(reversed(new.values()))
    days = {one.name: one.item.published.day for one in order if one.item is not None}
    if order and all(days.get(one.name) for one in order):
        order.sort(key=lambda one: str(days[one.name]), reverse=True)
    old = {one.name for one in order[source.backlog :]} if first else set()
    return [
        (one.name, one.kind, one.data, one.name in old if one.archived is None else one.archived)
        for one in reversed(order)
    ]


def _state(
    newsroom: Newsroom, asked: Asked, row: Row, brought: bool, now: datetime
) -> dict[str, object]:
    """The columns of polls after this answer."""
    source, answer, at = asked.source, asked.answer, text_from_moment(now)
    failures = int(row.get("failures") or 0) + 1 if asked.error else 0
    gap = _gap(asked) or row.get("gap_seconds")
    wait = _pace(newsroom, source, gap, now, known=bool(row))
    if failures:
        wait = min(wait * 2 ** min(failures, 10), LATEST)
    next_at = now + max(wait * (0.95 + 0.1 * _chance(newsroom)), asked.least)
    if source.every_minutes is None and not failures:
        looks = [
            _next_look(first, now if name in asked.looked else last)
            for name, (first, last) in asked.young.items()
        ]
        if asked.looked and brought:
            looks.append(now + AGAIN[0])
        sooner = min([next_at, *asked.due, *filter(None, looks)])
        next_at = max(sooner, now + max(OFTEN, asked.least))
    if answer is not None and source.every_minutes is None:
        next_at = max(next_at, fresh_until(answer, now) or now)
    if answer is not None and (later := retry_after(answer, now)) is not None:
        next_at = max(next_at, later)
    for _ in range(7 * 24):
        if not asked.skips(next_at):
            break
        next_at = next_at.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    moved = answer.moved_to if answer is not None and not asked.error else None
    times = int(row.get("moved_times") or 0) + 1 if moved and moved == row.get("moved_to") else 1
    values: dict[str, object] = {
        "next_at": text_from_moment(next_at),
        "asked_at": at,
        "status": answer.status if answer is not None else None,
        "error": asked.error,
        "failures": failures,
        "failing_since": (row.get("failing_since") or at) if asked.error else None,
        "moved_to": moved,
        "moved_times": times if moved else 0,
        "gap_seconds": gap,
        "validators": json.dumps(asked.validators),
        "failed": json.dumps(dict(list(asked.failed.items())[-MOST_FAILED:])),
        "rest": json.dumps(asked.rest),
    }
    if not asked.error:
        values["answered_at"] = at
    if brought or (row.get("news_at") is None and not asked.error):
        values["news_at"] = at
    if asked.place is not None:
        values["place"] = asked.place
    if moved and times >= CONFIRMED and source.url is not None:
        values |= {"address": moved, "moved_to": None, "moved_times": 0}
    if answer is not None and answer.status == 410 and source.kind == "feed":
        values["ended_at"] = at
    return values


def _gap(asked: Asked) -> float | None:
    """The mean time in seconds between the newest items that have their hour or day; None of too few."""
    known = [one.item.published for one in asked.brought if one.item is not None]
    moments = sorted(
        (one.time or datetime.combine(one.day, NOON, UTC) for one in known if one.day), reverse=True
    )[:NEWEST]
    if len(moments) < 3:
        return None
    return (moments[0] - moments[-1]).total_seconds() / (len(moments) - 1)


def _pace(
    newsroom: Newsroom, source: SourceSettings, gap: float | None, now: datetime, *, known: bool
) -> timedelta:
    """How long to wait before a source is asked again: as config.toml says, else by how often it has news;
    `known`: it was asked before."""
    if source.every_minutes is not None:
        return timedelta(minutes=source.every_minutes)
    if gap is None:
        count = store.news_since(newsroom.db, source.name, now - store.MONTH)
        gap = store.MONTH.total_seconds() / count if count else None
        if gap is None:
            return SELDOM if known else FIRST
    return min(max(timedelta(seconds=gap / 4), OFTEN), SELDOM)
