"""The service, for some weeks in some seconds: what `scripts/soak` does for a year."""

import json
from collections import Counter
from pathlib import Path

import pytest

from tests.soak.machines import Machines
from tests.soak.newsroom import Newsroom
from tests.soak.oracle import is_over, judge
from tests.soak.plan import Terms, planned
from tests.soak.world import World, soaking

TAMPERINGS = (
    "DELETE FROM placements WHERE (edition_id, position) IN (SELECT max(edition_id), 1 FROM placements)",
    "UPDATE editions SET starts_at = '2025-01-01', ends_at = '2025-01-02' WHERE number = 1",
    "UPDATE deliveries SET status = 'failed' WHERE id = (SELECT min(id) FROM deliveries WHERE status = 'sent' AND reason IS NULL)",
    "UPDATE deliveries SET status = 'queued' WHERE id = (SELECT max(id) FROM deliveries WHERE status = 'sent' AND reason IS NULL)",
    "UPDATE editions SET recipients = recipients + 1 WHERE id = 1",
    "UPDATE articles SET text = 'nothing' WHERE id = 1",
    "UPDATE documents SET error = 'is no text' WHERE error IS NULL",
)


@pytest.mark.drill
def test_weeks_of_the_service_in_seconds(tmp_path: Path):
    """Copy that changes and breaks, people who come and go, a mail server that misbehaves, kills: every
    article is in one edition, nobody is mailed twice, feeds are complete, no error is unexplained."""
    terms = Terms(
        days=8,
        pace=200_000,
        seldom={"kill": 3, "kill_amid_mail": 1, "restart": 1, "second": 2, "reload": 1},
        recipients=30,
        first=12,
        patience=0.4,
        settles=1.0,
    )
    with soaking(tmp_path, terms) as world:
        world.run(is_over)
    assert judge(world).faults == []
    assert_each_breach_is_seen(world)


def test_a_plan_follows_from_its_seed():
    """A soak can be repeated; and a shorter one is as rough as a year."""
    plan = planned(Terms.like_a_year(73, 10_000, 7))
    assert plan == planned(Terms.like_a_year(73, 10_000, 7))
    assert plan != planned(Terms.like_a_year(73, 10_000, 8))
    acts = Counter(act for _, act in plan)
    assert (acts["kill"], acts["kill_amid_mail"]) == (14, 6)
    assert 150 < acts["new"] < 300
    assert all(any(hasattr(one, act) for one in (World, Newsroom, Machines)) for act in acts)


def assert_each_breach_is_seen(world: World) -> None:
    """A judge that finds every soak sound would prove nothing."""

    def faults() -> int:
        return len(judge(world).faults)

    known = 0
    for tampering in TAMPERINGS:
        with world.newsroom.desk.open() as db, db.write():
            assert db.run(tampering) > 0, tampering
        assert faults() > known, tampering
        known = faults()
    world.relay.received.append(world.relay.received[0])
    assert faults() > known
    known = faults()
    with world.services.lives[0].log.open("a", encoding="utf-8") as log:
        log.write(json.dumps({"time": "2026-01-01T00:00:00Z", "level": "error", "event": "x"}))
        log.write("\n")
    assert faults() > known
    feed = next((world.newsroom.folder / "feeds").glob("*.atom"))
    feed.write_bytes(feed.read_bytes()[:-20])
    assert faults() > known + 1
