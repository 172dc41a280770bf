"""/readyz and /metrics: how the service is, for load balancers and for Prometheus. Nothing is written."""

import asyncio
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from digest.errors import StoreError
from digest.mail.outgoing import OutcomeKind
from digest.service.store import (
    articles_by_theme,
    check_readable,
    deliveries_by_state,
    editions_by_state,
    oldest_due,
    open_alarms,
    sources_at_a_glance,
)
from digest.service.troubles import find_troubles
from digest.store.backups import backup_made_at, backups_until
from digest.store.database import sqlite3
from digest.store.files import write_fault
from digest.web.app import FeedApp, Report

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

    from digest.config.settings import Settings
    from digest.newsroom import Newsroom
    from digest.store.owner import Lease


BOUNDS = (10.0, 30.0, 60.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 10_800.0, 43_200.0, 86_400.0)
"""Of the delays, in seconds: the service reads and publishes every few minutes."""


class Tally:
    """Answers by digest and outcome; and how long articles took from their coming in until a feed
    had them: counts of those that took no longer than each of `BOUNDS`, and of all, and their sum.

    The threads of the verbs write it, each its own part; who reads sees each number whole.
    """

    def __init__(self) -> None:
        self.bounds = BOUNDS
        self.answers: Counter[tuple[str, str]] = Counter()
        self.delays = [0] * len(BOUNDS)
        self.delayed = 0
        self.delay_seconds = 0.0

    def answered(self, digest: str, kind: OutcomeKind) -> None:
        self.answers[digest, kind.value] += 1

    def appeared(self, delays: Iterable[timedelta]) -> None:
        for delay in delays:
            seconds = max(0.0, delay.total_seconds())
            self.delays = [
                count + (seconds <= bound) for count, bound in zip(self.delays, BOUNDS, strict=True)
            ]
            self.delayed += 1
            self.delay_seconds += seconds


def of_service(pulse: "Pulse") -> Iterator[Metric]:
    leads = GaugeMetricFamily("digest_leads", "1 where this process wakes the verbs")
    leads.add_metric([], float(pulse.leads))
    yield leads
    lease = GaugeMetricFamily(
        "digest_lease_expires_timestamp_seconds",
        "Until when a service holds the database, unless it renews",
    )
    if pulse.lease is not None:
        lease.add_metric([], pulse.lease.expires_at.timestamp())
    yield lease
    runs = CounterMetricFamily("digest_runs", "Runs of a verb begun", labels=["verb"])
    failures = CounterMetricFamily("digest_failures", "Runs that failed", labels=["verb"])
    done = GaugeMetricFamily(
        "digest_last_done_timestamp_seconds", "When a verb last came to its end", labels=["verb"]
    )
    for verb, tick in pulse.ticks.items():
        runs.add_metric([str(verb)], tick.runs)
        failures.add_metric([str(verb)], tick.failures)
        if tick.done_at is not None:
            done.add_metric([str(verb)], tick.done_at.timestamp())
    yield from (runs, failures, done)


def of_work(tally: "Tally") -> Iterator[Metric]:
    """What has been done since the service started."""
    answers = CounterMetricFamily(
        "digest_answers", "Messages that came to an outcome", labels=["digest", "outcome"]
    )
    for (digest, outcome), count in sorted(tally.answers.items()):
        answers.add_metric([digest, outcome], count)
    delay = HistogramMetricFamily(
        "digest_publish_delay_seconds", "From an article's coming in until the feeds had it"
    )
    bounds = [*(str(bound) for bound in tally.bounds), "+Inf"]
    counts = (*tally.delays, tally.delayed)
    delay.add_metric([], list(zip(bounds, counts, strict=True)), tally.delay_seconds)
    yield from (answers, delay)


def of_web(app: FeedApp) -> Iterator[Metric]:
    answers = CounterMetricFamily(
        "digest_http_responses", "Answers by route and status", labels=["route", "status"]
    )
    for (route, status), count in sorted(app.seen.items()):
        answers.add_metric([route, str(status)], count)
    yield answers
    held = GaugeMetricFamily("digest_http_held_bytes", "Published files held in memory")
    held.add_metric([], app.files.held)
    yield held


def of_store(newsroom: "Newsroom", now: datetime) -> Iterator[Metric]:
    """What the database knows; nothing but that it cannot be read where it is not open."""
    db, settings = newsroom.database, newsroom.settings
    usable = GaugeMetricFamily("digest_database_up", "1 where the database can be read")
    usable.add_metric([], float(db is not None))
    yield usable
    if db is None:
        return
    articles = GaugeMetricFamily("digest_articles", "Articles by source", labels=["source"])
    faulty = GaugeMetricFamily(
        "digest_documents_faulty", "Documents that cannot be read", labels=["source"]
    )
    for row in sources_at_a_glance(db):
        articles.add_metric([row["name"]], row["articles"])
        faulty.add_metric([row["name"]], row["faulty"])
    themes = GaugeMetricFamily(
        "digest_theme_articles", "Articles by theme and language", labels=["theme", "language"]
    )
    for (theme, language), count in sorted(articles_by_theme(db).items()):
        themes.add_metric([theme, language], count)
    yield from (articles, faulty, themes)
    for name, words, counts in (
        ("digest_editions", "Editions by state", editions_by_state(db)),
        ("digest_deliveries", "Deliveries of the newest 20 editions", deliveries_by_state(db)),
    ):
        family = GaugeMetricFamily(name, words, labels=["digest", "state"])
        for labels, count in sorted(counts.items()):
            family.add_metric(labels, count)
        yield family
    # What waits for an operator, as `digest status` tells it, and what was raised as an alarm.
    keys = [trouble.key for trouble in find_troubles(newsroom, now)]
    failing = GaugeMetricFamily(
        "digest_source_failing", "1 where a source fails for long", labels=["source"]
    )
    for source in newsroom.settings.sources:
        failing.add_metric([source.name], float(f"source {source.name}" in keys))
    troubles = GaugeMetricFamily("digest_troubles", "What waits for an operator")
    troubles.add_metric([], len(keys))
    alarms = GaugeMetricFamily("digest_alarms_open", "Alarms that are not over")
    alarms.add_metric([], len(open_alarms(newsroom.db)))
    yield from (failing, troubles, alarms)
    yield _of_backups(settings, now)
    due = oldest_due(db)
    age = 0.0 if due is None else max(0.0, (now - due).total_seconds())
    oldest = GaugeMetricFamily("digest_oldest_due_seconds", "Age of the oldest due delivery")
    oldest.add_metric([], age)
    yield oldest


def _of_backups(settings: "Settings", now: datetime) -> Metric:
    newest = GaugeMetricFamily(
        "digest_backup_last_timestamp_seconds", "When the newest backup was made, if there is one"
    )
    if found := backups_until(settings.store.path, settings.store.backups, now):
        newest.add_metric([], backup_made_at(found[-1]).timestamp())
    return newest


NOT_READY_MB = 64
"""Free on the disk of the database; with less the service is not ready."""
OVERDUE = 3
"""A verb that has not come to its end within so many of its intervals is late."""
KEPT_FOR = 5.0
"""Figures from the database are counted anew at most so often; seconds."""
SLACK = timedelta(minutes=5)


class Tick(Protocol):
    woken_at: datetime | None
    done_at: datetime | None
    runs: int
    failures: int
    fault: str | None
    running: bool


class Pulse(Protocol):
    """What is watched of the service."""

    lease: "Lease | None"

    @property
    def tally(self) -> Tally: ...
    @property
    def newsroom(self) -> "Newsroom": ...
    @property
    def planned_at(self) -> datetime: ...
    @property
    def leads(self) -> bool: ...
    @property
    def ticks(self) -> Mapping[Any, Tick]: ...
    @property
    def rhythm(self) -> Mapping[Any, timedelta]: ...


class Health:
    """Answers for /readyz and /metrics. `pulse` is the service, `app` has counted the requests."""

    def __init__(self, pulse: Pulse) -> None:
        self.pulse = pulse
        self.app: FeedApp | None = None
        self._counted: tuple[float, bytes] | None = None
        self._lock = asyncio.Lock()

    async def ready(self) -> Report:
        """503 where something is wrong that keeps this process from its work; which, in the body."""
        checks = {
            "database": await asyncio.to_thread(self._database),
            "disk": write_fault(
                self.pulse.newsroom.settings.store.path, least_free_mb=NOT_READY_MB
            ),
            "ticks": self._late(),
        }
        faults = {name: said for name, said in checks.items() if said is not None}
        lease = self.pulse.lease
        body = {
            "ready": not faults,
            "faults": faults,
            "lease": {
                "leads": self.pulse.leads,
                "holder": None if lease is None else lease.holder,
                "expires_at": None if lease is None else lease.expires_at.isoformat(),
            },
            "ticks": dict(self._ticks()),
        }
        data = json.dumps(body, indent=1).encode() + b"\n"
        return Report(503 if faults else 200, b"application/json", data)

    async def metrics(self) -> Report:
        from prometheus_client import CONTENT_TYPE_LATEST

        async with self._lock:
            now = asyncio.get_running_loop().time()
            if self._counted is None or now - self._counted[0] > KEPT_FOR:
                self._counted = now, await asyncio.to_thread(self._exposition)
            return Report(200, CONTENT_TYPE_LATEST.encode(), self._counted[1])

    def _database(self) -> str | None:
        try:
            with self.pulse.newsroom.open(read_only=True) as newsroom:
                check_readable(newsroom.db)
        except (StoreError, sqlite3.Error) as e:
            return str(e)
        return None

    def _late(self) -> str | None:
        """Which verbs are late; None while this process waits, or is at work on them."""
        lease = self.pulse.lease
        if lease is None or not self.pulse.leads:
            return None
        now = self.pulse.newsroom.now()
        # A rhythm that config.toml has just got is not late by what was in force before.
        begun = max(lease.taken_at, self.pulse.planned_at)
        late = [
            str(verb)
            for verb, tick in self.pulse.ticks.items()
            if not tick.running
            and now - max(tick.done_at or begun, begun) > OVERDUE * self.pulse.rhythm[verb] + SLACK
        ]
        return f"late: {', '.join(late)}" if late else None

    def _ticks(self) -> Iterator[tuple[str, dict[str, Any]]]:
        now = self.pulse.newsroom.now()
        for verb, tick in self.pulse.ticks.items():
            age = None if tick.done_at is None else round((now - tick.done_at).total_seconds(), 1)
            yield (
                str(verb),
                {
                    "age_seconds": age,
                    "running": tick.running,
                    "runs": tick.runs,
                    "failures": tick.failures,
                    "fault": tick.fault,
                },
            )

    def _exposition(self) -> bytes:
        from prometheus_client import CollectorRegistry, generate_latest

        registry = CollectorRegistry(auto_describe=False)
        registry.register(self)
        return generate_latest(registry)

    def collect(self) -> "Iterator[Metric]":
        """Every figure, as prometheus-client asks for it."""

        yield from of_service(self.pulse)
        yield from of_work(self.pulse.tally)
        if self.app is not None:
            yield from of_web(self.app)
        newsroom = self.pulse.newsroom
        try:
            with newsroom.open(read_only=True) as opened, opened.db.snapshot():
                # Whole before the first is given away: a database that fails midway has none.
                found = list(of_store(opened, opened.now()))
        except (StoreError, sqlite3.Error):
            found = list(of_store(newsroom, newsroom.now()))
        yield from found
