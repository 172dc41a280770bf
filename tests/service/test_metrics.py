"""/metrics and the dashboard that shows them: what is measured is exposed, named well, and drawn."""

import asyncio
import json
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from digest.mail.outgoing import OutcomeKind
from digest.newsroom import Newsroom
from digest.service.health import Health
from digest.service.jobs import Counters, Worker
from digest.service.plan import Verb
from digest.service.service import Service
from digest.web.app import FeedApp
from digest.web.files import FileCache
from tests.desks import ROOT, Desk

DASHBOARD = ROOT / "packaging" / "grafana-dashboard.json"
NAME = re.compile(r"\bdigest_[a-z_]+")
NOW = datetime(2026, 11, 18, 6, 40, tzinfo=UTC)


def exposed(desk: Desk, counters: Counters | None = None) -> dict[str, Metric]:
    """The families of /metrics, as Prometheus' own parser reads them, by name."""
    newsroom = Newsroom.from_file(desk.config)
    service = Service(newsroom, lambda _: None)
    service.counters = counters or service.counters
    health = Health(service)
    files = FileCache(
        newsroom.settings.feeds.path, limit=1, cache_seconds=1, seconds=time.monotonic
    )
    health.app = FeedApp(files, newsroom.settings.feeds_url, {})
    report = asyncio.run(health.metrics())
    assert report.status == 200
    return {one.name: one for one in text_string_to_metric_families(report.body.decode())}


def values(family: Metric, suffix: str = "") -> dict[tuple[str, ...], float]:
    name = family.name + suffix
    return {tuple(one.labels.values()): one.value for one in family.samples if one.name == name}


@pytest.fixture
def mailed(filled: Desk) -> Desk:
    """A desk that has sent its first edition to two recipients, and made a backup."""
    for address in ("anna@example.org", "bo@example.org"):
        assert filled.run("recipients", "add", address).exit_code == 0
    for command in (["send", "--yes"], ["backup"]):
        assert filled.run(*command).exit_code == 0
    return filled


def test_what_the_store_knows_is_exposed(mailed: Desk) -> None:
    """For monitoring: articles, deliveries, editions, troubles, backups; and never an address."""
    found = exposed(mailed)
    assert values(found["digest_articles"]) == {("seeds",): 36}
    assert values(found["digest_source_failing"]) == {("seeds",): 0}
    assert values(found["digest_deliveries"]) == {("weekly", "sent"): 2}
    assert values(found["digest_editions"]) == {("weekly", "composed"): 1}
    assert values(found["digest_troubles"]) == {(): 0}
    assert values(found["digest_alarms_open"]) == {(): 0}
    assert values(found["digest_backup_last_timestamp_seconds"])[()] > 0
    labels = [
        text for one in found.values() for each in one.samples for text in each.labels.values()
    ]
    assert not any("@" in text for text in labels)


def test_a_copy_of_the_future_is_no_backup(mailed: Desk) -> None:
    """For monitoring its age: a clock that ran ahead for an hour does not keep the alarm silent."""
    [copy] = (mailed.folder / "backups").iterdir()
    copy.rename(copy.with_name("digest-29990101T000000Z.db"))
    assert values(exposed(mailed)["digest_backup_last_timestamp_seconds"]) == {}


def test_a_database_that_cannot_be_read_is_a_figure_too(desk: Desk) -> None:
    """For the alert: the rest of the figures come all the same."""
    found = exposed(desk)
    assert values(found["digest_database_up"]) == {(): 0}
    assert "digest_articles" not in found
    assert "digest_leads" in found


def test_answers_and_delays_are_counted_since_the_start(filled: Desk) -> None:
    """For rate() and histogram_quantile(): counts only grow, and the buckets are cumulative."""
    counters = Counters()
    for kind in (OutcomeKind.SENT, OutcomeKind.SENT, OutcomeKind.DEAD):
        counters.count_answer("weekly", kind)
    counters.count_published(timedelta(seconds=s) for s in (-1, 5, 90, 1_000_000))
    found = exposed(filled, counters)
    assert values(found["digest_answers"], "_total") == {
        ("weekly", OutcomeKind.SENT.value): 2,
        ("weekly", OutcomeKind.DEAD.value): 1,
    }
    buckets = values(found["digest_publish_delay_seconds"], "_bucket")
    counts = [buckets[bound,] for bound in ("10.0", "60.0", "300.0", "86400.0", "+Inf")]
    assert counts == [2, 2, 3, 3, 4]
    assert values(found["digest_publish_delay_seconds"], "_sum") == {(): 1_000_095}


def test_the_service_measures_how_long_news_takes_to_the_feeds(filled: Desk) -> None:
    """For the newsroom: what arrived ten minutes before it was published took ten minutes."""
    worker = Worker(Newsroom(filled.settings, lambda: NOW))
    worker.run(Verb.READ, lambda: False)
    assert worker.counters.delayed == 0  # the folder is all new: nobody waited for it
    (filled.seeds / "news.txt").write_text("News\n\nCustoms officers met in Ashgabat.\n", "utf-8")
    filled.ingest(NOW - timedelta(minutes=10))
    worker.run(Verb.READ, lambda: False)
    assert (worker.counters.delayed, worker.counters.delay_seconds) == (1, 600)


def test_the_service_counts_what_it_sends(mailed: Desk) -> None:
    """For rate(): each message by its digest and outcome."""
    (mailed.seeds / "news.txt").write_text("News\n\nCustoms officers met in Ashgabat.\n", "utf-8")
    assert mailed.run("ingest").exit_code == 0
    with mailed.open() as db, db.write():
        db.run("UPDATE deliveries SET status = 'queued', due_at = '2026-01-01T00:00:00.000000Z'")
    worker = Worker(Newsroom.from_file(mailed.config))
    worker.run(Verb.SEND, lambda: False)
    assert worker.counters.answers == {("weekly", "sent"): 2}


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(DASHBOARD.read_text("utf-8"))
    return found


def queries(panels: list[Mapping[str, Any]]) -> list[str]:
    return [target["expr"] for panel in panels for target in panel.get("targets", ())]


def test_the_dashboard_shows_every_figure_and_no_other(mailed: Desk) -> None:
    """For everybody who imports it: each panel has data, and no figure is left out."""
    counters = Counters()
    counters.count_answer("weekly", OutcomeKind.SENT)
    found = exposed(mailed, counters)
    samples = {one.name for family in found.values() for one in family.samples}
    samples |= {name for name, family in found.items() if not family.samples}
    samples |= {f"{name}_total" for name, one in found.items() if one.type == "counter"}
    named = set(NAME.findall(" ".join(queries(dashboard()["panels"]))))
    assert named <= samples
    bases = {re.sub(r"_(total|bucket|sum|count)$", "", name) for name in named}
    assert {name for name in found if name.startswith("digest_")} == bases


def test_the_dashboard_can_be_imported_anywhere() -> None:
    """For any Grafana: its data source is asked for, ids are unique, nothing overlaps."""
    found = dashboard()
    assert found["uid"]
    assert found["schemaVersion"] >= 36
    variables = {one["name"]: one["type"] for one in found["templating"]["list"]}
    assert variables == {"datasource": "datasource", "job": "query"}
    panels = found["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        if panel["type"] != "row":
            assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
            assert panel["title"]
    taken = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(taken) == len(set(taken))
    assert max(x for x, _ in taken) < 24
