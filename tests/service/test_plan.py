"""Which verb is woken when, the lease, and the log: on a clock of the test's own."""

import io
import json
import logging
import socket
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from pathlib import Path

import pytest

from digest.audience.follows import follow
from digest.config.load import load_settings
from digest.config.settings import Settings
from digest.errors import StoreError
from digest.newsroom import Clock
from digest.service.plan import LEASE, Verb, holder, outlook, rhythms, wakeups
from digest.service.service import (
    RUN,
    JsonLines,
    Tick,
    WhenDue,
    notify,
    watchdog_seconds,
    with_fixed_keys,
)
from digest.service.troubles import Failing
from digest.store.database import Database
from digest.store.owner import leave_lease, take_lease
from tests.desks import CONFIG, Desk, opened
from tests.mailing import subscribe

NOW = datetime(2026, 11, 22, 8, 0, 30, tzinfo=UTC)
LENGTH = timedelta(seconds=30)


def settings(zone: str = "UTC", rule: str = "0 8 * * mon", **service: object) -> Settings:
    shipped = load_settings(CONFIG)
    digest = shipped.digests[0].model_copy(update={"schedule": rule, "time_zone": zone})
    wanted = shipped.service.model_copy(update=service)
    return shipped.model_copy(update={"digests": (digest,), "service": wanted})


def hours(zone: str, rule: str, start: str, count: int) -> list[str]:
    """The times at which a digest's hour wakes `compose`."""
    [rhythm] = [one for one in rhythms(settings(zone, rule)) if "schedule" in one.cause]
    trigger, moment, found = WhenDue(rhythm.after, Clock()), datetime.fromisoformat(start), []
    for _ in range(count):
        moment = trigger.get_next_fire_time(None, moment)
        found.append(moment.strftime("%m-%dT%H:%M"))
    return found


@pytest.mark.parametrize(
    ("zone", "rule", "start", "expected"),
    [
        pytest.param("Asia/Ashgabat", "0 8 * * mon", "2026-11-22T08:00Z", ["11-23T03:00", "11-30T03:00"], id="Monday, eight o'clock there"),
        pytest.param("Europe/Berlin", "30 2 * * *", "2026-10-24T12:00Z", ["10-25T00:30", "10-26T01:30"], id="an hour that comes twice"),
        pytest.param("Europe/Berlin", "30 2 * * *", "2026-03-28T12:00Z", ["03-29T01:00", "03-30T00:30"], id="an hour that is skipped"),
    ],
)  # fmt: skip
def test_a_digests_hour_comes_once(zone, rule, start, expected):
    """Whatever the clocks do, an edition is woken once a period."""
    assert hours(zone, rule, start, len(expected)) == expected


def test_all_that_was_missed_is_one_wakeup():
    """After a night of sleep the next wake-up is ahead of now, not one for each that was missed."""
    rhythm = next(one for one in rhythms(settings()) if one.verb is Verb.READ)
    found = WhenDue(rhythm.after, Clock()).get_next_fire_time(NOW - timedelta(days=400), NOW)
    assert NOW < found <= NOW + timedelta(minutes=10)


@pytest.mark.parametrize("pace", [1.0, 7.0, 10_000.0])
def test_each_tick_comes_once_on_a_clock_of_any_pace(pace: float):
    """A run that is begun by the machine's clock is not begun before its time by the other one."""
    clock = Clock(pace, NOW - timedelta(days=300), NOW)
    rhythm = rhythms(settings(ingest_every_minutes=100 / 3))[0]
    trigger, machine, ticks = WhenDue(rhythm.after, clock), NOW, [clock.at(NOW)]
    for _ in range(200):
        machine = trigger.get_next_fire_time(machine, machine)
        due = rhythm.after(ticks[-1])
        assert due <= clock.at(machine) < due + timedelta(microseconds=2 * pace)
        ticks.append(clock.at(machine))


@pytest.mark.parametrize("minutes", [0.1, 1 / 3, 7.0, 10.0, 1440.0])
def test_ticks_are_apart_by_their_interval(minutes: float):
    """Each tick is after the one before it, by the interval, whatever fractions do."""
    rhythm = rhythms(settings(ingest_every_minutes=minutes))[0]

    def ticks():
        moment = NOW
        while True:
            moment = rhythm.after(moment)
            yield moment

    found = list(islice(ticks(), 500))
    assert found[0] > NOW
    steps = [(b - a).total_seconds() for a, b in pairwise(found)]
    assert all(abs(step - minutes * 60) < 0.001 for step in steps)


def test_the_next_ten_and_each_digest_are_shown():
    """`digest schedule` shows what comes soon, and the hour of each digest however far it is."""
    found = wakeups(settings(), NOW, 10)
    shown = {(one.verb, one.cause) for one in found}
    assert shown == {(one.verb, one.cause) for one in rhythms(settings())}
    assert len(found) >= 12
    assert [one.at for one in found] == sorted(one.at for one in found)
    assert (found[-1].verb, found[-1].at.isoformat()) == (Verb.COMPOSE, "2026-11-23T08:00:00+00:00")


def test_a_service_that_must_not_send_wakes_no_sender():
    """send = false: only reading, pruning and watching are left."""
    left = {one.verb for one in rhythms(settings(send=False))}
    assert left == {Verb.READ, Verb.PRUNE, Verb.WATCH}


def test_what_each_verb_would_do_now(desk: Desk):
    """Before the first ingest there is copy to read; on Monday there is an edition to close."""
    with desk.open() as db:
        newsroom = opened(db, desk.settings)
        assert outlook(newsroom, NOW)[Verb.READ] == "read 5 new and 0 changed of seeds"
        desk.ingest(NOW)
        now = outlook(newsroom, NOW)
        assert (now[Verb.READ], now[Verb.COMPOSE]) == ("find nothing new", "find nothing due")
        later = outlook(newsroom, datetime(2026, 11, 23, 3, 0, tzinfo=UTC))
        assert later[Verb.COMPOSE] == "close weekly no. 1"


def test_alerts_are_shown_before_they_are_sent(desk: Desk):
    """`digest schedule` says what the next sending would find of what readers follow."""
    with desk.open() as db:
        newsroom = opened(db, desk.settings, clock=NOW)
        with db.write():
            follow(newsroom, subscribe(db, "anna@reader.example", NOW), "ООН")
        assert outlook(newsroom, NOW)[Verb.SEND] == "find nothing due"
        desk.ingest(NOW)
        newsroom = opened(db, desk.settings, clock=NOW + timedelta(minutes=1))
        said = outlook(newsroom, NOW)[Verb.SEND]
        assert said == "send alerts of what readers follow: 1"


class TestLease:
    """One service for one database."""

    def test_only_one_holds_it_until_it_expires(self, db: Database):
        """The second sees the first's name, and takes over when its time has run out."""
        first = take_lease(db, LEASE, "one", "aa", NOW, LENGTH)
        assert (first.mark, first.expires_at) == ("aa", NOW + LENGTH)
        assert take_lease(db, LEASE, "two", "bb", NOW + LENGTH / 2, LENGTH).holder == "one"
        renewed = take_lease(db, LEASE, "one", "aa", NOW + LENGTH / 2, LENGTH)
        assert (renewed.taken_at, renewed.expires_at) == (NOW, NOW + LENGTH * 1.5)
        assert take_lease(db, LEASE, "two", "bb", NOW + LENGTH * 1.5, LENGTH).holder == "two"
        assert take_lease(db, LEASE, "one", "aa", NOW + LENGTH * 2, LENGTH).holder == "two"

    def test_a_service_that_stops_gives_it_up(self, db: Database):
        """Nobody waits for one that has ended; and nobody gives up what is another's."""
        take_lease(db, LEASE, "one", "aa", NOW, LENGTH)
        leave_lease(db, LEASE, "bb")
        assert take_lease(db, LEASE, "two", "bb", NOW, LENGTH).holder == "one"
        leave_lease(db, LEASE, "aa")
        assert take_lease(db, LEASE, "two", "bb", NOW, LENGTH).holder == "two"

    def test_a_clock_that_was_put_back_locks_nobody_out(self, db: Database):
        """A lease that ends a day ahead was written before the clock was set."""
        take_lease(db, LEASE, "one", "aa", NOW + timedelta(days=1), LENGTH)
        assert take_lease(db, LEASE, "two", "bb", NOW, LENGTH).holder == "two"

    def test_the_holder_is_named_while_it_lives(self, db: Database):
        """`digest schedule` names it."""
        assert holder(db, settings(), NOW) is None
        take_lease(db, LEASE, "one", "aa", NOW, LENGTH)
        assert holder(db, settings(), NOW) == "one"
        assert holder(db, settings(), NOW + LENGTH) is None


def test_no_line_of_the_log_holds_an_address():
    """What a server or an error repeats is taken out, also from a trace; the run is in each line."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(JsonLines())
    logger = logging.getLogger(f"{__name__}.alone")
    logger.propagate = False
    logger.addHandler(handler)
    facts = {"editions": [{"fault": "550 <reader@example.net> unknown", "sent": 3}]}
    token = RUN.set("12345678")
    try:
        raise ValueError("no header for reader@example.net")
    except ValueError:
        logger.exception("send", extra={"facts": facts})
    finally:
        RUN.reset(token)
        logger.removeHandler(handler)
    line = json.loads(written.getvalue())
    assert "reader@" not in written.getvalue()
    assert line["trace"].endswith("ValueError: no header for (address)")
    assert (line["run"], line["level"]) == ("12345678", "error")
    assert line["editions"] == [{"fault": "550 <(address)> unknown", "sent": 3}]


def test_systemd_hears_what_it_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Each word to the socket that it names; without one, nothing."""
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    notify("READY=1")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "60000000")
        notify("READY=1", "STATUS=well")
        assert systemd.recv(100) == b"READY=1\nSTATUS=well"
        assert watchdog_seconds() == 30


def test_what_needs_a_restart_stays_and_is_named():
    """A reload takes the new values of all keys but those."""
    old = settings()
    new = settings(ingest_every_minutes=1.0)
    new = new.model_copy(update={"web": new.web.model_copy(update={"port": 1, "memory_mib": 9.0})})
    found, fixed = with_fixed_keys(old, new)
    assert fixed == ["web.port"]
    assert (found.web.port, found.web.memory_mib) == (old.web.port, 9.0)
    assert found.service.ingest_every_minutes == 1.0


def test_failures_in_a_row_are_counted_from_the_first():
    """An operator hears since when a verb fails, and its last error; one success ends it."""
    tick = Tick()
    for minutes in range(3):
        tick.failed(Verb.SEND, StoreError(f"fault {minutes}"), NOW + timedelta(minutes=minutes))
    assert tick.failing == Failing(Verb.SEND, NOW, 3, "fault 2")
    assert (tick.failures, tick.fault) == (3, "StoreError")
    tick.done(NOW + timedelta(minutes=3))
    assert tick.failing is None
    tick.failed(Verb.SEND, ValueError("no words of ours"), NOW + timedelta(minutes=4))
    assert tick.failing == Failing(
        Verb.SEND, NOW + timedelta(minutes=4), 1, "ValueError: no words of ours"
    )
