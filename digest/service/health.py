"""/readyz and /metrics: how the service is, for monitoring. Nothing is written."""

import asyncio
import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from digest.errors import StoreError
from digest.service.jobs import BOUNDS, Counters
from digest.service.store import (
    articles_by_theme,
    check_readable,
    deliveries_by_state,
    editions_by_state,
    oldest_due,
    open_alarms,
    sources_at_a_glance,
)
from digest.service.troubles import find_troubles, stuck_sender
from digest.store.backups import backup_made_at, backups_until
from digest.store.database import sqlite3
from digest.store.files import write_fault
from digest.web.app import FeedApp, Report

if TYPE_CHECKING:
    from digest.newsroom import Newsroom
    from digest.service.service import Service

NOT_READY_MB = 64
"""Free on the disk of the database; with less the service is not ready."""
OVERDUE = 3
"""A verb that has not succeeded for this many of its intervals is late."""
KEPT_FOR = 5.0
"""Figures from the database are counted again only after so many seconds."""
SLACK = timedelta(minutes=5)


class Health:
    """Answers for /readyz and /metrics. `app` has counted the requests."""

    def __init__(self, service: "Service") -> None:
        self.service = service
        self.app: FeedApp | None = None
        self._counted: tuple[float, bytes] | None = None
        self._lock = asyncio.Lock()

    async def ready(self) -> Report:
        """503 if something keeps this process from its work; what, in the body."""
        service, lease = self.service, self.service.lease
        now = service.newsroom.now()

        def database_faults() -> tuple[str | None, str | None]:
            """Of the database, and of another process that keeps this one from sending."""
            try:
                with service.newsroom.open(read_only=True) as newsroom:
                    check_readable(newsroom.db)
                    stuck = stuck_sender(newsroom.db, newsroom.settings, now)
            except (StoreError, sqlite3.Error) as e:
                return str(e), None
            return None, stuck.said if stuck and service.leads else None

        late: list[str] = []
        if lease is not None and service.leads:
            # An interval that config.toml has just set counts from then.
            begun = max(lease.taken_at, service.planned_at)
            late = [
                str(verb)
                for verb, tick in service.ticks.items()
                if not tick.running
                and now - max(tick.done_at or begun, begun)
                > OVERDUE * service.intervals[verb] + SLACK
            ]
        database, sender = await asyncio.to_thread(database_faults)
        checks = {
            "database": database,
            "lease": service.fault,
            "sender": sender,
            "disk": write_fault(service.newsroom.settings.store.path, least_free_mb=NOT_READY_MB),
            "ticks": f"late: {', '.join(late)}" if late else None,
        }
        faults = {name: fault for name, fault in checks.items() if fault is not None}
        body = {
            "ready": not faults,
            "faults": faults,
            "lease": {
                "leads": service.leads,
                "holder": lease and lease.holder,
                "expires_at": lease and lease.expires_at.isoformat(),
            },
            "ticks": {
                str(verb): {
                    "age_seconds": tick.done_at and round((now - tick.done_at).total_seconds(), 1),
                    "running": tick.running,
                    "runs": tick.runs,
                    "failures": tick.failures,
                    "fault": tick.fault,
                }
                for verb, tick in service.ticks.items()
            },
        }
        data = json.dumps(body, indent=1).encode() + b"\n"
        return Report(503 if faults else 200, b"application/json", data)

    async def metrics(self) -> Report:
        from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

        def exposition() -> bytes:
            registry = CollectorRegistry(auto_describe=False)
            registry.register(self)
            return generate_latest(registry)

        async with self._lock:
            now = asyncio.get_running_loop().time()
            if self._counted is None or now - self._counted[0] > KEPT_FOR:
                self._counted = now, await asyncio.to_thread(exposition)
            return Report(200, CONTENT_TYPE_LATEST.encode(), self._counted[1])

    def collect(self) -> Iterator[Metric]:
        """Every figure, as prometheus-client asks for it."""
        yield from of_service(self.service)
        yield from of_work(self.service.counters)
        if self.app is not None:
            yield from of_web(self.app)
        newsroom = self.service.newsroom
        try:
            with newsroom.open(read_only=True) as opened, opened.db.snapshot():
                # All before the first is yielded: a database that fails midway gives none.
                families = list(of_store(opened, opened.now()))
        except (StoreError, sqlite3.Error):
            families = list(of_store(newsroom, newsroom.now()))
        yield from families


def _labelled(
    family: GaugeMetricFamily | CounterMetricFamily, values: Iterable[tuple[Iterable[str], float]]
) -> Metric:
    for labels, value in values:
        family.add_metric(list(labels), value)
    return family


def of_service(service: "Service") -> Iterator[Metric]:
    yield GaugeMetricFamily(
        "digest_leads", "1 where this process wakes the verbs", float(service.leads)
    )
    lease, ticks = service.lease, service.ticks
    yield _labelled(
        GaugeMetricFamily(
            "digest_lease_expires_timestamp_seconds",
            "Until when a service holds the database, unless it renews",
        ),
        [] if lease is None else [([], lease.expires_at.timestamp())],
    )
    yield _labelled(
        CounterMetricFamily("digest_runs", "Runs of a verb begun", labels=["verb"]),
        (([verb], tick.runs) for verb, tick in ticks.items()),
    )
    yield _labelled(
        CounterMetricFamily("digest_failures", "Runs that failed", labels=["verb"]),
        (([verb], tick.failures) for verb, tick in ticks.items()),
    )
    yield _labelled(
        GaugeMetricFamily(
            "digest_last_done_timestamp_seconds", "When a verb last succeeded", labels=["verb"]
        ),
        (([verb], tick.done_at.timestamp()) for verb, tick in ticks.items() if tick.done_at),
    )


def of_work(counters: Counters) -> Iterator[Metric]:
    """What has been done since the service started."""
    yield _labelled(
        CounterMetricFamily(
            "digest_answers", "Messages that came to an outcome", labels=["digest", "outcome"]
        ),
        sorted(counters.answers.items()),
    )
    bounds = [*(str(bound) for bound in BOUNDS), "+Inf"]
    counts = (*counters.delays, counters.delayed)
    yield HistogramMetricFamily(
        "digest_publish_delay_seconds",
        "From an article's arrival until it was in the feeds",
        list(zip(bounds, counts, strict=True)),
        counters.delay_seconds,
    )


def of_web(app: FeedApp) -> Iterator[Metric]:
    yield _labelled(
        CounterMetricFamily(
            "digest_http_responses", "Answers by route and status", labels=["route", "status"]
        ),
        (((route, str(status)), count) for (route, status), count in sorted(app.seen.items())),
    )
    yield GaugeMetricFamily(
        "digest_http_held_bytes", "Published files held in memory", app.files.held
    )


def of_store(newsroom: "Newsroom", now: datetime) -> Iterator[Metric]:
    """What the database knows; if it is not open, only that it cannot be read."""
    db, settings = newsroom.database, newsroom.settings
    yield GaugeMetricFamily(
        "digest_database_up", "1 where the database can be read", float(db is not None)
    )
    if db is None:
        return

    sources = sources_at_a_glance(db)
    # What waits for an operator, as `digest status` shows it, and what was raised as an alarm.
    keys = [trouble.key for trouble in find_troubles(newsroom, now)]
    failing = [([one.name], float(f"source {one.name}" in keys)) for one in settings.sources]
    backups = backups_until(settings.store.path, settings.store.backups, now)
    due = oldest_due(db)
    age = 0.0 if due is None else max(0.0, (now - due).total_seconds())
    families: Sequence[tuple[str, str, list[str], Iterable[tuple[Iterable[str], float]]]] = (
        ("digest_articles", "Articles by source", ["source"], [([row["name"]], row["articles"]) for row in sources]),
        ("digest_documents_faulty", "Documents that cannot be read", ["source"], [([row["name"]], row["faulty"]) for row in sources]),
        ("digest_theme_articles", "Articles by theme and language", ["theme", "language"], sorted(articles_by_theme(db).items())),
        ("digest_editions", "Editions by state", ["digest", "state"], sorted(editions_by_state(db).items())),
        ("digest_deliveries", "Deliveries of the newest 20 editions", ["digest", "state"], sorted(deliveries_by_state(db).items())),
        ("digest_source_failing", "1 where a source fails for long", ["source"], failing),
        ("digest_troubles", "What waits for an operator", [], [([], len(keys))]),
        ("digest_alarms_open", "Alarms that are not over", [], [([], len(open_alarms(db)))]),
        ("digest_backup_last_timestamp_seconds", "When the newest backup was made, if there is one", [], [([], backup_made_at(path).timestamp()) for path in backups[-1:]]),
        ("digest_oldest_due_seconds", "Age of the oldest due delivery", [], [([], age)]),
    )  # fmt: skip
    for name, text, labels, values in families:
        yield _labelled(GaugeMetricFamily(name, text, labels=labels), values)
