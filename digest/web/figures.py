"""The figures of /metrics. Labels are names from config.toml and states, never a person's."""

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from digest.store.alarms import open_alarms
from digest.store.keeping import backup_made_at, backups_until
from digest.store.measures import (
    deliveries_by_state,
    editions_by_state,
    oldest_due,
)
from digest.store.summary import articles_by_theme, sources_at_a_glance
from digest.troubles import find_troubles
from digest.web.app import FeedApp

if TYPE_CHECKING:
    from digest.config.settings import Settings
    from digest.store.database import Database
    from digest.web.health import Pulse, Tally


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


def of_store(db: "Database | None", settings: "Settings", now: datetime) -> Iterator[Metric]:
    """What the database knows; `db` is None where it cannot be read."""
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
    yield from _of_troubles(db, settings, now)
    yield _of_backups(settings, now)
    due = oldest_due(db)
    age = 0.0 if due is None else max(0.0, (now - due).total_seconds())
    oldest = GaugeMetricFamily("digest_oldest_due_seconds", "Age of the oldest due delivery")
    oldest.add_metric([], age)
    yield oldest


def _of_troubles(db: "Database", settings: "Settings", now: datetime) -> Iterator[Metric]:
    """What waits for an operator, as `digest status` tells it, and what was raised as an alarm."""
    keys = [trouble.key for trouble in find_troubles(db, settings, now)]
    failing = GaugeMetricFamily(
        "digest_source_failing", "1 where a source fails for long", labels=["source"]
    )
    for source in settings.sources:
        failing.add_metric([source.name], float(f"source {source.name}" in keys))
    troubles = GaugeMetricFamily("digest_troubles", "What waits for an operator")
    troubles.add_metric([], len(keys))
    alarms = GaugeMetricFamily("digest_alarms_open", "Alarms that are not over")
    alarms.add_metric([], len(open_alarms(db)))
    yield from (failing, troubles, alarms)


def _of_backups(settings: "Settings", now: datetime) -> Metric:
    newest = GaugeMetricFamily(
        "digest_backup_last_timestamp_seconds", "When the newest backup was made, if there is one"
    )
    if found := backups_until(settings.store.path, settings.store.backups, now):
        newest.add_metric([], backup_made_at(found[-1]).timestamp())
    return newest
