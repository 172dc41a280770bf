"""Each feed that changed is announced to the WebSub hub once, whatever fails in between; with a real server."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from digest.feeds.channels import channels
from digest.feeds.publish import publish, tell_hub
from digest.mail.notices import Posted, Ways
from digest.newsroom import Newsroom
from digest.service.jobs import Worker
from digest.service.plan import Verb
from digest.service.troubles import find_troubles
from digest.store.database import Database
from tests.conftest import INGESTED_AT
from tests.desks import PAGES, Desk, opened
from tests.hooks import Hook, running_hook

BASE = "https://news.example.org/feeds"
NEWS = "News\n\nCustoms officers met in Ashgabat on {}.\n"


@dataclass
class Publisher:
    """A desk with its hub, on a clock that the test moves."""

    desk: Desk
    db: Database
    hook: Hook
    now: datetime = INGESTED_AT + timedelta(hours=1)
    parts: dict[str, Any] = field(default_factory=dict)

    def newsroom(self, db: Database | None = None) -> Newsroom:
        settings, db = self.desk.settings, db or self.db
        return opened(db, settings, clock=lambda: self.now, templates=PAGES, **self.parts)

    def publish(self, minutes: float = 0) -> list[str]:
        """Publish so much later, and tell the hub: the topics of which it heard, in order."""
        self.now += timedelta(minutes=minutes)
        publish(self.newsroom())
        return self.tell()

    def tell(self, minutes: float = 0) -> list[str]:
        self.now += timedelta(minutes=minutes)
        del self.hook.taken[:]
        tell_hub(self.newsroom())
        assert {path for path, _ in self.hook.taken} <= {"/hub/"}
        return [form["hub.url"] for _, form in self.hook.taken]

    def add_news(self, day: str) -> None:
        (self.desk.seeds / f"{day}.txt").write_text(NEWS.format(day), "utf-8")
        self.desk.ingest(self.now)

    def rows(self) -> list[tuple[str, int]]:
        """State and tries of each ping."""
        sql = "SELECT status, attempts FROM notices WHERE kind = 'ping' ORDER BY id"
        return [(row["status"], row["attempts"]) for row in self.db.rows(sql)]

    def troubles(self) -> list[str]:
        return [one.key for one in find_troubles(self.newsroom(), self.now) if one.key == "hub"]


@pytest.fixture
def publisher(filled: Desk) -> Iterator[Publisher]:
    """It has not published yet."""
    with running_hook(Hook(status=204)) as hook, filled.open() as db:
        name_hub(filled, hook)
        yield Publisher(filled, db, hook)


def name_hub(desk: Desk, hook: Hook) -> None:
    old = next(line for line in desk.config.read_text("utf-8").splitlines() if "hub = " in line)
    desk.edit_config(old, f'hub = "http://127.0.0.1:{hook.port}/hub/"')


def feeds(folder: Path) -> dict[str, bytes]:
    """The feeds for programs, by topic."""
    endings = (".atom", ".rss", ".json")
    return {
        f"{BASE}/{path.name}": path.read_bytes()
        for path in folder.iterdir()
        if path.suffix in endings
    }


def test_a_feed_that_changed_is_announced_once(publisher: Publisher) -> None:
    """For who follows through the hub: each feed at first, then those whose bytes are others."""
    folder = publisher.desk.settings.feeds.path
    told = publisher.publish()
    before = feeds(folder)
    assert sorted(told) == sorted(before)
    assert len(told) == 3 * len(channels(publisher.desk.settings))
    form = publisher.hook.taken[0][1]
    assert form == {"hub.mode": "publish", "hub.url": told[0], "hub.topic": told[0]}
    assert publisher.publish(10) == []
    publisher.add_news("2026-11-17")
    told = publisher.publish()
    after = feeds(folder)
    assert sorted(told) == sorted(topic for topic in after if after[topic] != before[topic])
    assert 0 < len(told) < len(after)
    assert publisher.publish(10) == []


def test_nothing_is_written_or_posted_where_nothing_changed(publisher: Publisher) -> None:
    """Nor without a hub."""
    publisher.publish()
    changes = publisher.db.value("SELECT total_changes()")
    assert publisher.tell(10) == []
    assert publisher.db.value("SELECT total_changes()") == changes
    config = publisher.desk.config.read_text("utf-8")
    publisher.desk.config.write_text(config.replace("hub = ", "# hub = "), "utf-8")
    assert tell_hub(publisher.newsroom()) == {}


def test_what_a_hub_refuses_is_tried_again_until_it_accepts(publisher: Publisher) -> None:
    """With growing delays; while it refuses, one ping in two minutes asks whether it does so still."""
    publisher.hook.status = 500
    assert len(publisher.publish()) == 1
    assert publisher.tell(1) == []
    assert len(publisher.tell(2)) == 1
    publisher.hook.status = 204
    told = [*publisher.tell(3), *publisher.tell(10)]
    assert len(told) == len(set(told)) == 3 * len(channels(publisher.desk.settings))
    assert publisher.tell(120) == []
    assert {status for status, _ in publisher.rows()} == {"sent"}


class DiedError(BaseException):
    """As by kill -9: nothing after it runs."""


def test_a_crash_loses_no_ping(publisher: Publisher) -> None:
    """Between the feeds and their pings, before one is posted, or before its answer is stored."""
    publish(publisher.newsroom())  # and dies
    every = publisher.tell()
    publisher.add_news("2026-11-17")
    publish(publisher.newsroom())
    assert tell_hub(publisher.newsroom(), stop=lambda: True) == {"pinged": 0, "hub_refused": 0}

    def dies(*_: object) -> Posted:
        raise DiedError

    ways = Ways(publisher.desk.settings, lambda: None, lambda: None, post=dies)  # type: ignore[arg-type,return-value]
    publisher.parts["ways"] = ways
    with pytest.raises(DiedError):
        publisher.tell()
    del publisher.parts["ways"]
    told = [*publisher.tell(), *publisher.tell(3)]
    assert 0 < len(told) == len(set(told)) < len(every)
    assert publisher.tell(120) == []


def test_a_change_while_a_ping_is_under_way_is_announced_too(publisher: Publisher) -> None:
    """By a command beside the service: the hub may have read the feed before it changed."""
    publisher.publish()
    publisher.add_news("2026-11-16")
    publish(publisher.newsroom())
    posted: list[str] = []

    def meanwhile(url: str, body: bytes, way: str) -> Posted:
        posted.append(body.decode())
        if len(posted) == 1:
            publisher.add_news("2026-11-17")
            with publisher.desk.open() as other:
                publish(publisher.newsroom(other))
                assert not tell_hub(publisher.newsroom(other), stop=lambda: True)["pinged"]
        return Posted(True, "answered 204")

    ways = Ways(publisher.desk.settings, lambda: None, lambda: None, post=meanwhile)  # type: ignore[arg-type,return-value]
    publisher.parts["ways"] = ways
    publisher.tell()
    del publisher.parts["ways"]
    told = publisher.tell()
    assert [topic for topic in told if topic.replace(":", "%3A").replace("/", "%2F") in posted[0]]
    assert publisher.tell(120) == []


def test_a_hub_that_is_down_for_days_fills_no_outbox(publisher: Publisher) -> None:
    """One ping waits for each feed; the operator sees it until the hub accepts again."""
    every = len(publisher.publish())
    publisher.hook.status = 503
    for day in (16, 17, 18):
        publisher.add_news(f"2026-11-{day}")
        publisher.publish(8)
    assert publisher.troubles() == []
    assert len(publisher.rows()) == every
    publisher.tell(30)
    assert publisher.troubles() == ["hub"]
    for _ in range(80):
        publisher.tell(61)
    assert {status for status, _ in publisher.rows()} == {"sent", "failed"}
    assert publisher.tell(61) == []
    assert publisher.troubles() == ["hub"]
    publisher.hook.status = 202
    publisher.add_news("2026-11-20")
    assert publisher.publish(60)
    assert {status for status, _ in publisher.rows()} == {"sent"}
    assert publisher.troubles() == []


def test_another_hub_hears_of_every_feed_and_the_old_one_of_none(publisher: Publisher) -> None:
    """Also not of what it did not accept."""
    publisher.hook.status = 500
    [_] = publisher.publish()
    with running_hook(Hook(status=204)) as other:
        name_hub(publisher.desk, other)
        assert publisher.publish(5) == []
        assert len(other.taken) == 3 * len(channels(publisher.desk.settings))
    assert publisher.troubles() == []


def test_the_service_and_the_command_tell_the_hub(publisher: Publisher) -> None:
    """After each publish; and the service tries again although nothing is new."""
    publisher.hook.status = 500
    result = publisher.desk.run("publish")
    assert result.exit_code == 0
    assert "hub did not accept" in result.stderr
    publisher.hook.status = 204
    worker = Worker(Newsroom(publisher.desk.settings))
    worker.run(Verb.READ, lambda: False)
    later = Newsroom(publisher.desk.settings).now() + timedelta(minutes=3)
    worker.newsroom = opened(None, publisher.desk.settings, clock=later)
    assert worker.run(Verb.READ, lambda: False)["pinged"] > 9
