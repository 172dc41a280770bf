"""Windows: they tile the time line, whatever the clocks do, and no article falls between them."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.config.values import parse_rule
from digest.editions.schedule import boundary_after, boundary_before_or_at, is_late, window_to_close
from digest.model import Window
from digest.store.articles import seen_at

ZONES = "Asia/Ashgabat Asia/Tashkent Europe/Vienna America/New_York Europe/London Asia/Kathmandu"
RULES = (
    "0 8 * * mon",
    "0 8 * * *",
    "30 2 * * *",
    "0 6 * * mon-fri",
    "15 1 1 * *",
    "*/15 * * * sun",
)
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
YEAR_IN_SECONDS = 365 * 24 * 3600
WEEKLY = parse_rule("0 8 * * mon")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def to_close(now: str, *, by_hand: bool = False, **moments: str | None) -> Window | None:
    """The weekly window in Ashgabat; `moments` are starts_at and first_seen."""
    known = {"starts_at": None, "first_seen": None, **moments}
    parsed = {name: text and utc(text) for name, text in known.items()}
    return window_to_close(WEEKLY, "Asia/Ashgabat", **parsed, now=utc(now), by_hand=by_hand)


@pytest.mark.parametrize(
    ("rule", "zone", "after", "expected"),
    [
        pytest.param("0 8 * * mon", "Asia/Ashgabat", "2026-11-22T12:00", "2026-11-23T03:00", id="no daylight saving"),
        pytest.param("0 8 * * mon", "Asia/Ashgabat", "2026-11-23T03:00", "2026-11-30T03:00", id="strictly after"),
        pytest.param("0 8 * * *", "Asia/Kathmandu", "2026-11-22T12:00", "2026-11-23T02:15", id="offset of 5:45"),
        pytest.param("0 8 * * *", "Europe/Vienna", "2026-03-28T07:00", "2026-03-29T06:00", id="23-hour day"),
        pytest.param("0 8 * * *", "Europe/Vienna", "2026-10-24T06:00", "2026-10-25T07:00", id="25-hour day"),
        pytest.param("30 2 * * *", "Europe/Vienna", "2026-03-28T12:00", "2026-03-29T01:00", id="skipped: end of the gap"),
        pytest.param("30 2 * * *", "Europe/Vienna", "2026-03-29T01:00", "2026-03-30T00:30", id="skipped once only"),
        pytest.param("*/15 * * * *", "Europe/Vienna", "2026-03-29T00:45", "2026-03-29T01:00", id="gap holds many, counts once"),
        pytest.param("30 2 * * *", "Europe/Vienna", "2026-10-24T12:00", "2026-10-25T00:30", id="repeated: the first time"),
        pytest.param("30 2 * * *", "Europe/Vienna", "2026-10-25T00:30", "2026-10-26T01:30", id="not the second time"),
        pytest.param("*/15 * * * *", "Europe/Vienna", "2026-10-25T00:45", "2026-10-25T02:00", id="repeated hour holds none"),
        pytest.param("30 2 * * *", "America/New_York", "2026-03-07T12:00", "2026-03-08T07:00", id="gap west of Greenwich"),
        pytest.param("30 1 * * *", "Europe/London", "2026-03-28T12:00", "2026-03-29T01:00", id="gap at one"),
        pytest.param("30 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00", "2026-10-03T15:30", id="gap of half an hour, its end"),
        pytest.param("0 8 * * fri", "Pacific/Apia", "2011-12-24T12:00", "2011-12-30T10:00", id="a whole day skipped"),
    ],
)  # fmt: skip
def test_a_boundary_follows_the_wall_clock(rule: str, zone: str, after: str, expected: str):
    """An edition is due at the newsroom's own eight o'clock, once, whatever its clock does."""
    assert boundary_after(parse_rule(rule), zone, utc(after)) == utc(expected)


@pytest.mark.parametrize("zone", ZONES.split())
@pytest.mark.parametrize("rule", RULES)
def test_no_local_day_of_a_year_is_missed_or_doubled(rule: str, zone: str):
    """Through a year, the boundaries are the rule's wall-clock times, each once, in order."""
    parsed, moment, boundaries = parse_rule(rule), NEW_YEAR, []
    while (moment := boundary_after(parsed, zone, moment)) < NEW_YEAR + timedelta(days=365):
        boundaries.append(moment)
    assert boundaries == sorted(set(boundaries))
    days = [boundary.astimezone(ZoneInfo(zone)).date() for boundary in boundaries]
    assert (max(days.count(day) for day in set(days)) == 1) is (rule != "*/15 * * * sun")
    expected = {"mon": {0}, "mon-fri": {0, 1, 2, 3, 4}, "sun": {6}, "*": set(range(7))}
    if rule != "15 1 1 * *":
        assert {day.weekday() for day in days} == expected[rule.split()[-1]]


@settings(max_examples=100, deadline=None)
@given(
    rule=st.sampled_from(RULES),
    zone=st.sampled_from(ZONES.split()),
    second=st.integers(0, YEAR_IN_SECONDS),
)
def test_before_and_after_walk_the_same_boundaries(rule: str, zone: str, second: int):
    """From any moment, the boundary after and the one not after it are neighbours."""
    parsed, moment = parse_rule(rule), NEW_YEAR + timedelta(seconds=second)
    before = boundary_before_or_at(parsed, zone, moment)
    after = boundary_after(parsed, zone, moment)
    assert before <= moment < after
    assert boundary_after(parsed, zone, before) == after
    assert boundary_before_or_at(parsed, zone, after) == after
    assert boundary_before_or_at(parsed, zone, after - timedelta(microseconds=1)) == before


@pytest.mark.parametrize(
    ("starts_at", "first_seen", "now", "expected"),
    [
        pytest.param(None, None, "2026-11-24T00:00", None, id="nothing has come in"),
        pytest.param(None, "2026-11-18T10:00", "2026-11-22T00:00", None, id="first, not yet due"),
        pytest.param(None, "2026-11-18T10:00", "2026-11-23T03:00", ("2026-11-16T03:00", "2026-11-23T03:00"), id="first, due on the second"),
        pytest.param(None, "2026-11-16T03:00", "2026-11-23T09:00", ("2026-11-16T03:00", "2026-11-23T03:00"), id="first article on a boundary"),
        pytest.param(None, "2026-11-01T10:00", "2026-11-23T09:00", ("2026-10-26T03:00", "2026-11-23T03:00"), id="first after a long wait"),
        pytest.param("2026-11-20T00:00", "2026-11-01T10:00", "2026-11-23T09:00", ("2026-11-20T00:00", "2026-11-23T03:00"), id="since a day that the operator names"),
        pytest.param("2026-11-20T00:00", None, "2026-11-23T09:00", ("2026-11-20T00:00", "2026-11-23T03:00"), id="since, with nothing in it"),
        pytest.param("2026-12-20T00:00", "2026-11-01T10:00", "2026-11-23T09:00", None, id="since is still ahead"),
        pytest.param("2026-11-16T03:00", "2026-11-01T10:00", "2026-11-23T02:59:59", None, id="a second too early"),
        pytest.param("2026-11-16T03:00", "2026-11-01T10:00", "2026-11-23T03:00", ("2026-11-16T03:00", "2026-11-23T03:00"), id="on time"),
        pytest.param("2026-11-23T03:00", "2026-11-01T10:00", "2026-11-23T03:00", None, id="closed already"),
        pytest.param("2026-10-12T03:00", "2026-10-01T10:00", "2026-11-24T00:00", ("2026-10-12T03:00", "2026-11-23T03:00"), id="after an outage one window, no burst"),
        pytest.param("2026-11-18T14:30", "2026-10-01T10:00", "2026-11-23T09:00", ("2026-11-18T14:30", "2026-11-23T03:00"), id="after one closed by hand"),
        pytest.param("2026-11-23T03:00", "2026-10-01T10:00", "2025-01-01T00:00", None, id="the clock fell back two years"),
    ],
)  # fmt: skip
def test_the_due_window(
    starts_at: str | None, first_seen: str | None, now: str, expected: tuple[str, str] | None
):
    """What the weekly digest closes, in the states that an operator can meet."""
    window = to_close(now, starts_at=starts_at, first_seen=first_seen)
    assert window == (expected and Window(utc(expected[0]), utc(expected[1])))


def test_a_window_closed_by_hand_holds_what_came_in_up_to_now():
    """`digest ingest && digest send` carries what was just read, even within one second."""
    window = to_close("2026-11-18T14:30:00.25", first_seen="2026-11-18T14:30:00.25", by_hand=True)
    assert window is not None
    assert utc("2026-11-18T14:30:00.25") in window
    assert window == Window(utc("2026-11-16T03:00"), utc("2026-11-18T14:30:01"))


@pytest.mark.parametrize(
    ("now", "starts_at", "first_seen"),
    [
        pytest.param("2026-11-18T14:30:00.9", "2026-11-18T14:30:01", "2026-11-18T09:00", id="twice in one second"),
        pytest.param("2026-11-18T14:30", "2027-01-01T00:00", "2026-11-18T09:00", id="the clock was ahead once"),
        pytest.param("2026-11-18T14:30", None, None, id="nothing has come in"),
    ],
)  # fmt: skip
def test_no_window_is_closed_by_hand_where_none_is_open(
    now: str, starts_at: str | None, first_seen: str | None
):
    """A window never ends before it starts."""
    assert to_close(now, starts_at=starts_at, first_seen=first_seen, by_hand=True) is None


@pytest.mark.parametrize(
    ("now", "hours", "late"),
    [
        pytest.param("2026-11-22T00:00", 0, False, id="before the end"),
        pytest.param("2026-11-24T03:00", 24, False, id="exactly at the limit"),
        pytest.param("2026-11-24T03:00:01", 24, True, id="a second beyond"),
        pytest.param("2026-11-23T04:31", 1.5, True, id="part of an hour"),
    ],
)
def test_an_edition_is_late_beyond_the_limit(now: str, hours: float, late: bool):
    """Stale news waits for a person."""
    window = Window(utc("2026-11-16T03:00"), utc("2026-11-23T03:00"))
    assert is_late(window, utc(now), hours) is late


@dataclass
class Newsroom:
    """What a store keeps, with a clock that may be wrong."""

    rule: str
    zone: str
    ahead: timedelta = timedelta(0)
    seen: list[datetime] = field(default_factory=list)
    editions: list[tuple[Window, list[int]]] = field(default_factory=list)

    @property
    def last_end(self) -> datetime | None:
        return self.editions[-1][0].ends_at if self.editions else None

    def ingest(self, read_at: datetime) -> None:
        self.seen.append(seen_at(read_at, last_end=self.last_end))

    def close(self, now: datetime, *, hand: bool = False) -> None:
        window = window_to_close(
            parse_rule(self.rule),
            self.zone,
            starts_at=self.last_end,
            first_seen=min(self.seen, default=None),
            now=now,
            by_hand=hand,
        )
        if window is not None:
            inside = [i for i, seen in enumerate(self.seen) if seen in window]
            self.editions.append((window, inside))

    def live_through(self, second: int, event: str, amount: int) -> None:
        now = NEW_YEAR + timedelta(seconds=second) + self.ahead
        match event:
            case "article":
                self.ingest(now)
            case "slow ingest":  # its `now` was read `amount` minutes before it writes
                self.ingest(now - timedelta(minutes=abs(amount)))
            case "tick":
                self.close(now)
            case "by hand":
                self.close(now, hand=True)
            case "same second":
                self.ingest(now)
                self.close(now, hand=True)
                self.ingest(now)
            case "jump":
                self.ahead = timedelta(minutes=amount)


EVENTS = st.tuples(
    st.integers(0, YEAR_IN_SECONDS),
    st.sampled_from(["article", "article", "slow ingest", "tick", "tick", "by hand", "same second", "jump"]),
    st.integers(-60 * 24 * 60, 60 * 24 * 60),
)  # fmt: skip


@pytest.mark.parametrize("zone", ZONES.split())
@settings(max_examples=40, deadline=None)
@given(rule=st.sampled_from(RULES), events=st.lists(EVENTS, max_size=40))
def test_every_article_is_in_exactly_one_edition(
    zone: str, rule: str, events: list[tuple[int, str, int]]
):
    """A year of articles, outages, editions by hand and clocks that jump: nothing lost, nothing twice."""
    newsroom = Newsroom(rule, zone)
    for second, event, amount in sorted(events):
        newsroom.live_through(second, event, amount)
    latest = max([NEW_YEAR + timedelta(days=365), *newsroom.seen])
    newsroom.close(boundary_after(parse_rule(rule), zone, latest))
    windows = [window for window, _ in newsroom.editions]
    assert all(window.starts_at < window.ends_at for window in windows)
    assert all(a.ends_at == b.starts_at for a, b in pairwise(windows))
    placed = [article for _, articles in newsroom.editions for article in articles]
    assert sorted(placed) == list(range(len(newsroom.seen)))
    for window, articles in newsroom.editions:
        assert articles == [i for i, seen in enumerate(newsroom.seen) if seen in window]
