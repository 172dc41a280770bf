"""Clocks that jump by a day, and services that die: no article and no edition twice, nobody mailed twice.

time-machine gives the service another clock; only the wall clock jumps, as when somebody sets it, and
timers run on.
"""

import contextlib
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from lxml import etree

from tests.desks import ROOT, Desk
from tests.journeys.crashing import assert_mailed_once, sender
from tests.journeys.drills import people, write
from tests.journeys.relay import Relay, relaying
from tests.journeys.serving import Running, service
from tests.mailing import use_smtp

pytestmark = pytest.mark.drill
JUMPING = """
import pathlib, threading, time
import time_machine

clock = pathlib.Path(__file__).with_name("clock")
ahead = 0.0
traveller = time_machine.travel(time.time(), tick=True).start()

def follow():
    global ahead
    while True:
        wanted = float(clock.read_text())
        if wanted != ahead:
            traveller.shift(wanted - ahead)
            ahead = wanted
        time.sleep(0.02)

threading.Thread(target=follow, daemon=True).start()
"""
"""What Python runs as it starts, so that the process follows the clock in a file."""
EVERY_MINUTE = '"* * * * *"'
ENTRY = "{http://www.w3.org/2005/Atom}entry/{http://www.w3.org/2005/Atom}id"


def set_clock(desk: Desk, ahead: timedelta) -> None:
    """Set the wall clock of the desk's service ahead of the machine's, or behind it."""
    new = desk.folder / "clock.new"
    new.write_text(f"{ahead.total_seconds():+.0f}\n")
    new.replace(desk.folder / "clock")


def clocked(desk: Desk) -> dict[str, str]:
    """The environment of a process with that clock."""
    (desk.folder / "sitecustomize.py").write_text(JUMPING)
    return {**os.environ, "PYTHONPATH": os.pathsep.join((str(desk.folder), str(ROOT)))}


def add(desk: Desk, running: Running, name: str) -> None:
    """A document arrives and is read."""
    write(desk, name, f"heroin at {name}\n\nCustoms officers at {name} seized 3 kg of heroin.")
    running.until_added(300)


def until_sent(desk: Desk, running: Running, articles: int) -> None:
    """Until this many are in an edition and every delivery is sent. By the database: an edition may be
    sent before the log says that its article was read."""
    while True:
        with desk.open(read_only=True) as db:
            placed = db.value("SELECT count(DISTINCT article_id) FROM placements")
            left = db.value("SELECT count(*) FROM deliveries WHERE status != 'sent'")
        if placed == articles and not left:
            return
        running.until("read")
        assert len(running.log) < 500


def check(desk: Desk, articles: int) -> None:
    """Each article in one edition, windows that tile, one message for each edition and recipient."""
    with desk.open(read_only=True) as db:
        placed = Counter(row["article_id"] for row in db.rows("SELECT article_id FROM placements"))
        windows = db.rows("SELECT starts_at, ends_at FROM editions ORDER BY number")
        left = db.rows("SELECT * FROM deliveries WHERE status != 'sent'")
        mails = db.value("SELECT count(*) FROM deliveries")
    assert len(placed) == articles
    assert set(placed.values()) == {1}
    assert all(one["ends_at"] == later["starts_at"] for one, later in pairwise(windows))
    assert left == []
    assert len(list((desk.folder / "outbox" / "new").iterdir())) == mails
    ids = [
        element.text for element in etree.parse(desk.folder / "feeds" / "all.atom").iterfind(ENTRY)
    ]
    assert len(ids) == len(set(ids)) == articles


def test_a_clock_that_jumps_by_a_day_makes_nothing_twice_and_nothing_late(desk: Desk) -> None:
    """Forward, back, and forward again: wake-ups heal within seconds, whatever the clock says."""
    desk.ingest(datetime(2026, 11, 18, tzinfo=UTC))
    people(desk, 3)
    desk.configure(
        schedule=EVERY_MINUTE,
        lease_seconds="3.0",
        ingest_every_minutes="0.01",
        send_every_minutes="0.01",
        max_lateness_hours="8784.0",
        entries="100",
    )
    day = timedelta(days=1)
    set_clock(desk, 0 * day)
    with service(desk, clocked(desk)) as running:
        until_sent(desk, running, 36)
        set_clock(desk, day)
        add(desk, running, "Serhetabat")
        set_clock(desk, day + timedelta(minutes=1))
        until_sent(desk, running, 37)
        set_clock(desk, 0 * day)
        add(desk, running, "Farap")
        set_clock(desk, -day)
        add(desk, running, "Garabogaz")
        set_clock(desk, 2 * day)
        until_sent(desk, running, 39)
    check(desk, 36 + 3)
    assert not [line for line in running.log if "trace" in line]


@pytest.fixture
def crowd(desk: Desk) -> Iterator[tuple[Desk, Relay]]:
    """Two hundred recipients and an edition that is due, through a slow mail server."""
    desk.ingest(datetime(2026, 11, 18, tzinfo=UTC))
    people(desk, 200)
    desk.configure(schedule=EVERY_MINUTE, lease_seconds="3.0", send_every_minutes="0.01")
    with relaying(Relay(seconds=0.02)) as relay:
        use_smtp(desk, relay.port)
        desk.configure(data_timeout_seconds="5.0", command_timeout_seconds="5.0")
        yield desk, relay


def test_when_the_service_that_sends_is_killed_the_other_continues(
    crowd: tuple[Desk, Relay],
) -> None:
    """kill -9 of the leader: the one that waits continues, nobody gets it twice, and the deliveries
    that the dead one had under way are uncertain."""
    desk, relay = crowd
    with service(desk) as first, contextlib.ExitStack() as later:
        first.until("leading")
        second = later.enter_context(service(desk))
        assert str(first.process.pid) in second.until("waiting")["holder"]
        assert json.loads(second.watch("/readyz")[2])["lease"]["leads"] is False
        relay.wait_for_messages(20)
        first.process.kill()
        first.process.wait()
        before = relay.taken.total()
        assert before < 200
        second.until("leading")
        while not any(one["sent"] for one in second.until("send").get("editions", ())):
            assert len(second.log) < 300
        assert second.get("/feeds/all.atom")[0] == 200
    assert_mailed_once(desk, relay, 200)
    assert len(desk.json("editions", "list")) == 1


@pytest.mark.parametrize("start", [sender, service], ids=["by hand", "by the service"])
def test_a_clock_that_jumps_while_an_edition_is_sent_changes_nothing(
    crowd: tuple[Desk, Relay], start: Callable[..., Any]
) -> None:
    """A day forward, two back and three forward: everybody gets it once, and it is recorded."""
    desk, relay = crowd
    desk.configure(max_lateness_hours="8784.0", ingest_every_minutes="0.01")
    set_clock(desk, timedelta(0))
    with start(desk, clocked(desk)) as running:
        for days in (1, -1, 2):
            relay.wait_for_messages(20)
            set_clock(desk, timedelta(days=days))
        if start is service:
            until_sent(desk, running, 36)
        else:
            _, errors = running.communicate(timeout=90)
            assert running.returncode == 0, errors
    assert desk.json("editions", "show", "1")["deliveries"] == {"sent": 200}
    assert set(relay.taken.values()) == {1}
