"""The service: wakes the verbs while it holds the lease; no error of theirs stops it."""

import asyncio
import contextlib
import json
import logging
import os
import socket
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar, copy_context
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger

from digest.config.settings import Settings
from digest.errors import ConfigError, DigestError, StoreError
from digest.mail.ledger import without_addresses
from digest.service.jobs import Counters, Facts, Worker
from digest.service.plan import NextTime, Verb, due_within, rhythms
from digest.service.troubles import LEASE, VERB_KEY, Failing, Memory
from digest.store.articles import embargoed
from digest.store.database import sqlite3
from digest.store.owner import Lease, leave_lease, take_lease

if TYPE_CHECKING:
    from digest.newsroom import Clock, Newsroom


def notify(*lines: str) -> None:
    """READY=1, STOPPING=1, WATCHDOG=1 and the like, to the socket that NOTIFY_SOCKET names."""
    place = os.environ.get("NOTIFY_SOCKET")
    if not place:
        return
    if place.startswith("@"):  # Linux's own name space: systemd writes its NUL as @
        place = "\0" + place[1:]
    # The socket may be gone; the service works and ends without it (as sd_notify(3) advises).
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.connect(place)
        channel.sendall("\n".join(lines).encode())


def watchdog_seconds() -> float | None:
    """How often to say WATCHDOG=1: half of what systemd waits for; None where it does not wait."""
    wait = os.environ.get("WATCHDOG_USEC")
    return int(wait) / 2_000_000 if wait else None


RUN: ContextVar[str | None] = ContextVar("run", default=None)
"""The run that the present task or thread works on."""
log = logging.getLogger("digest")


class JsonLines(logging.Formatter):
    """`logging`'s records as JSON: time in UTC, level, event, run, and the facts of `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            "run": RUN.get(),
            **getattr(record, "facts", {}),
        }
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        clean = {key: _clean(value) for key, value in line.items() if value is not None}
        return json.dumps(clean, ensure_ascii=False, default=str)


class PlainLines(JsonLines):
    """The same records for a person at a terminal: the local time, the event, and what is not 0."""

    def format(self, record: logging.LogRecord) -> str:
        facts = _clean(getattr(record, "facts", {})).items()
        parts = [f"{key} {value}" for key, value in facts if value]
        at = datetime.fromtimestamp(record.created, UTC).astimezone()
        line = (
            f"{at:%H:%M:%S} {_clean(record.getMessage())}{': ' if parts else ''}{', '.join(parts)}"
        )
        trace = _clean(self.formatException(record.exc_info)) if record.exc_info else ""
        return f"{line}\n{trace}" if trace else line


def _clean(value: Any) -> Any:
    """Without the addresses that a server or an error repeats."""
    match value:
        case str():
            return without_addresses(value)
        case dict():
            return {key: _clean(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_clean(inner) for inner in value]
        case _:
            return value


def configure_logging(stream: TextIO = sys.stderr, *, plain: bool = False) -> None:
    """Write every log of this process to `stream` as JSON, or `plain` for a person; other libraries'
    from WARNING on.
    """
    handler = logging.StreamHandler(stream)
    handler.setFormatter(PlainLines() if plain else JsonLines())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    log.setLevel(logging.INFO)
    # Its errors come to us as events, and each is logged once.
    logging.getLogger("apscheduler").setLevel(logging.CRITICAL + 1)


def log_event(event: str, *, level: int = logging.INFO, **facts: Any) -> None:
    """One line."""
    log.log(level, event, extra={"facts": facts})


class WhenDue(BaseTrigger):  # type: ignore[misc] # the library has no types
    """A rhythm as APScheduler asks for it, by the machine's clock. All missed wake-ups become one."""

    def __init__(self, after: NextTime, clock: "Clock") -> None:
        self.after = after
        self.clock = clock

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime:
        seen = now if previous is None else max(previous, now)
        return self.clock.machine_at(self.after(self.clock.at(seen)))


@dataclass(slots=True)
class Tick:
    """How a verb does: when it was last woken, when it last succeeded, how often it ran and failed."""

    woken_at: datetime | None = None
    done_at: datetime | None = None
    runs: int = 0
    failures: int = 0
    fault: str | None = None
    failing: Failing | None = None
    running: bool = False

    def failed(self, verb: Verb, fault: Exception, now: datetime) -> None:
        """`failing` counts the failures since the last success."""
        before = self.failing or Failing(verb, now, 0, "")
        self.failures, self.fault = self.failures + 1, type(fault).__name__
        text = str(fault) if isinstance(fault, DigestError) else f"{type(fault).__name__}: {fault}"
        self.failing = replace(before, times=before.times + 1, said=text)

    def done(self, now: datetime) -> None:
        self.done_at, self.fault, self.failing = now, None, None


BEATS = 3
"""How often the lease is renewed within its length."""
FIXED = (("web", "host"), ("web", "port"), ("store", "path"))
"""Keys that need a restart to change."""


class Service:
    """One process's part in the work on one database.

    All but the verbs runs in the event loop; each verb in a thread, one run of it at a time. `lease`
    says who leads, as last seen, `fault` why it cannot be renewed; `planned_at` is since when the present
    intervals apply. `reloaded` is called with each new newsroom.
    """

    def __init__(self, newsroom: "Newsroom", reloaded: Callable[["Newsroom"], None]) -> None:
        self.newsroom = newsroom
        self.reloaded = reloaded
        self.lease: Lease | None = None
        self.ticks: dict[Verb, Tick] = {}
        self.planned_at = newsroom.now()
        self.mark = newsroom.random_bytes()[:8].hex()
        self.holder = f"{socket.gethostname()}, process {os.getpid()}"
        self.counters = Counters()
        self._worker = Worker(newsroom, self._memory, counters=self.counters)
        self._config = _state(newsroom.settings.path)
        self._stopped = self._led = False
        self._embargoed = 0
        self.fault: str | None = None
        self._runs: set[asyncio.Future[Facts]] = set()
        self._again: set[Verb] = set()
        # One thread for each verb: none waits for another, nor do the lease and the readers of feeds;
        # and the memory that a verb once needed belongs to its thread, not to every thread in turn.
        self._threads = {verb: ThreadPoolExecutor(1, f"verb {verb}") for verb in Verb}
        self._scheduler = AsyncIOScheduler(
            timezone="UTC",
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
        )

    @property
    def leads(self) -> bool:
        """Whether this process wakes the verbs."""
        lease = self.lease
        return (
            lease is not None and lease.mark == self.mark and self.newsroom.now() < lease.expires_at
        )

    @property
    def intervals(self) -> Mapping[Verb, timedelta]:
        """The longest that each verb should go without waking."""
        return {verb: due_within(self.newsroom.settings, verb) for verb in self.ticks}

    async def run(self, stopping: asyncio.Event) -> bool:
        """Work until `stopping`; then whether all work ended within `drain_seconds`."""
        self._scheduler.start(paused=True)
        self._plan(_triggers(self.newsroom))
        await self._beat()
        self._scheduler.resume()
        while not stopping.is_set():
            pause = self.newsroom.settings.service.lease_seconds / BEATS / self.newsroom.clock.pace
            try:
                await asyncio.wait_for(stopping.wait(), pause)
            except TimeoutError:
                await self._beat()
        self._stopped = True
        self._scheduler.pause()
        left: set[asyncio.Future[Facts]] = set()
        if self._runs:
            log_event("draining", runs=len(self._runs))
            seconds = self.newsroom.settings.service.drain_seconds
            _, left = await asyncio.wait(self._runs, timeout=seconds)
            await asyncio.sleep(0)  # let those that wait for them log how they ended
        self._scheduler.shutdown(wait=False)
        for thread in self._threads.values():
            thread.shutdown(wait=False)
        # Also if something is left: this process ends now, and its locks stay until then.
        await asyncio.to_thread(self._leave)
        return not left

    def reload(self) -> None:
        """Read config.toml again. If it cannot be used, the settings stay as they are."""
        from digest.newsroom import Newsroom

        self._config = _state(self.newsroom.settings.path)
        try:
            new = Newsroom.from_file(self.newsroom.settings.path)
            settings, fixed = with_fixed_keys(self.newsroom.settings, new.settings)
            newsroom = Newsroom(settings, self.newsroom.clock)
            triggers = _triggers(newsroom)
        except ConfigError as e:
            log_event("config refused", level=logging.ERROR, faults=list(e.faults))
            return
        except Exception:
            log.exception("config refused")
            return
        self.newsroom = newsroom
        self._worker = Worker(newsroom, self._memory, self._worker.database_alarm, self.counters)
        self._plan(triggers)
        self.reloaded(newsroom)
        log_event("config reloaded", needs_restart=fixed)

    def _plan(self, triggers: list[tuple[Verb, WhenDue]]) -> None:
        self._scheduler.remove_all_jobs()
        for i, (verb, trigger) in enumerate(triggers):
            self._scheduler.add_job(self._wake, trigger, args=(verb,), id=f"{verb} {i}")
        self.ticks = {verb: self.ticks.get(verb) or Tick() for verb, _ in triggers}
        self.planned_at = self.newsroom.now()

    async def _beat(self) -> None:
        """Renew the lease, or see who holds it and start if it has become ours; reload config.toml if
        it has changed.
        """
        led, before = self.leads, self.lease
        try:
            self.lease, waiting = await asyncio.to_thread(self._take)
        except (StoreError, sqlite3.Error, OSError) as e:
            if self.fault != str(e):  # once, however many beats it lasts
                log_event("lease not renewed", level=logging.ERROR, fault=str(e))
            self.fault = str(e)
        else:
            self.fault = None
            ended = self.leads and waiting < self._embargoed
            if not (ended and self.ticks[Verb.READ].running):  # else at the next beat
                self._embargoed = waiting
                if ended:  # read, and publish
                    self._soon(Verb.READ)
        if self.leads and not led:
            log_event("leading", holder=self.holder)
            for verb in self.ticks:
                self._soon(verb)
        elif self._led and not self.leads:
            log_event("no longer leading", level=logging.WARNING)
        elif self.lease is not None and before is None:
            log_event("waiting", holder=self.lease.holder)
        self._led = self.leads
        if _state(self.newsroom.settings.path) != self._config:
            self.reload()
        # After the clock was put back, wake-ups would wait until it reaches them; after the machine
        # slept, until timers that slept with it run out.
        now = self.newsroom.now()
        for job in self._scheduler.get_jobs():
            due = self.newsroom.clock.machine_at(job.trigger.after(now))
            if job.next_run_time > due:
                job.modify(next_run_time=due)
        self._scheduler.wakeup()

    def _take(self) -> tuple[Lease, int]:
        """The lease, and how many articles are embargoed."""
        length = timedelta(seconds=self.newsroom.settings.service.lease_seconds)
        with self.newsroom.open() as newsroom:
            db, now = newsroom.db, newsroom.now()
            lease = take_lease(db, LEASE, self.holder, self.mark, now, length)
            return lease, len(embargoed(db, now))

    def _leave(self) -> None:
        try:
            with self.newsroom.open() as newsroom:
                leave_lease(newsroom.db, LEASE, self.mark)
        except (StoreError, sqlite3.Error, OSError) as e:
            log_event("lease not given up", level=logging.ERROR, fault=str(e))

    def wake(self, verb: Verb) -> None:
        """Run a verb now, or once more if it is running. For the event loop."""
        if verb in self.ticks and self.ticks[verb].running:
            self._again.add(verb)
        else:
            self._soon(verb)

    def _soon(self, verb: Verb) -> None:
        for job in self._scheduler.get_jobs():
            if job.args[0] is verb:
                job.modify(next_run_time=self.newsroom.clock.machine_at(self.newsroom.now()))
                return

    async def _wake(self, verb: Verb) -> None:
        tick = self.ticks[verb]
        # Also until the end of an alarm that this process alone remembers.
        blind = verb is Verb.WATCH and (self._blind or self._worker.database_alarm.is_open)
        if tick.running or self._stopped or not (self.leads or blind):
            return
        RUN.set(self.newsroom.random_bytes()[:4].hex())
        tick.running, tick.woken_at, tick.runs = True, self.newsroom.now(), tick.runs + 1

        def stop() -> bool:
            """Asked by the worker thread: whether to begin nothing new."""
            return self._stopped or not (self.leads or blind)

        try:
            work = asyncio.get_running_loop().run_in_executor(
                self._threads[verb], copy_context().run, self._worker.run, verb, stop
            )
            self._runs.add(work)
            work.add_done_callback(self._runs.discard)
            facts = await asyncio.shield(work)
        except DigestError as e:
            tick.failed(verb, e, self.newsroom.now())
            log_event(verb, level=logging.ERROR, fault=str(e))
        except Exception as e:
            tick.failed(verb, e, self.newsroom.now())
            log.exception(verb)
        else:
            tick.done(self.newsroom.now())
            log_event(verb, level=logging.INFO if any(facts.values()) else logging.DEBUG, **facts)
            if verb is Verb.COMPOSE and facts["editions"]:
                self._soon(Verb.SEND)
        finally:
            tick.running = False
            if verb in self._again:
                self._again.discard(verb)
                self._soon(verb)

    @property
    def _blind(self) -> bool:
        """Whether the database cannot be used and we led last, or nobody that we know of leads, as one
        that was stopped in a write: then this process raises the alarm."""
        lease, length = self.lease, timedelta(seconds=self.newsroom.settings.service.lease_seconds)
        return self.fault is not None and (
            lease is None
            or lease.mark == self.mark
            or not lease.holds(self.newsroom.now() - length, length)
        )

    def _memory(self) -> Memory:
        failing = {verb: tick.failing for verb, tick in self.ticks.items() if tick.failing}
        unknown = {verb for verb, tick in self.ticks.items() if tick.done_at is None}
        sound = frozenset(
            f"{VERB_KEY}{verb}" for verb in Verb if verb not in failing.keys() | unknown
        )
        fault, lease = (self.fault, self.lease) if self._blind else (None, None)
        if fault and lease and lease.mark != self.mark:
            until = f"{lease.expires_at:%Y-%m-%d %H:%M:%S} UTC"
            fault += f" {lease.holder} led until {until}, and may be stopped."
        return Memory(tuple(failing.values()), sound, fault, leads=self.leads)


def _triggers(newsroom: "Newsroom") -> list[tuple[Verb, WhenDue]]:
    """When `newsroom` wakes each verb; each is tried once, so that none fails later."""
    triggers = [
        (one.verb, WhenDue(one.after, newsroom.clock)) for one in rhythms(newsroom.settings)
    ]
    for _, trigger in triggers:
        trigger.after(newsroom.now())
    return triggers


def with_fixed_keys(old: Settings, new: Settings) -> tuple[Settings, list[str]]:
    """The new settings with the old values of the FIXED keys; those keys that differ."""
    changed = []
    for table, key in FIXED:
        was = getattr(getattr(old, table), key)
        if getattr(getattr(new, table), key) != was:
            changed.append(f"{table}.{key}")
            section = getattr(new, table).model_copy(update={key: was})
            new = new.model_copy(update={table: section})
    return new, changed


def _state(path: Path) -> tuple[int, int] | None:
    """Differs once the file has changed; None while it is missing."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size
