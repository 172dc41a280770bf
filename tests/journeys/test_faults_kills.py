"""kill -9 at any step of any verb: run again, it reaches exactly the state of an uninterrupted run.

Senders through a mail server have their own drill, test_crash. The long form is scripts/fault-test.
"""

import os
import random
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.desks import Desk
from tests.journeys.drills import (
    ASIDE,
    DRILLS,
    MONDAY,
    Drill,
    copied,
    feeds,
    left_over,
    rows,
    state,
    trouble,
)
from tests.journeys.killing import Killer, killer

KILLS = 2
pytestmark = [pytest.mark.drill, pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")]


@pytest.fixture(scope="module")
def killing() -> Iterator[Killer]:
    with killer() as process:
        yield process


def faults(
    killing: Killer, drill: Drill, before: Desk, folder: Path, kills: int, chance: random.Random
) -> list[str]:
    """Kill a verb at random steps, let the last run finish, and return every broken promise."""
    undisturbed = copied(before, folder / "undisturbed")
    run = killing.run(undisturbed, drill.verb, drill.now)
    if run.killed or run.fault:
        return [f"uninterrupted: {run}"]
    expected, old, new = state(undisturbed), feeds(before), feeds(undisturbed)
    desk = copied(before, folder / "killed")
    wrong = []
    for n in range(kills):
        nth = chance.randint(1, run.steps)
        killed = killing.run(desk, drill.verb, drill.now + n * drill.later, nth=nth)
        wrong += [f"at {nth}: {killed.fault}"] if killed.fault else []
        for name, digest in feeds(desk).items():
            if digest not in (old.get(name), new.get(name)):
                wrong.append(f"{name} is incomplete after a kill at step {nth} of {run.steps}")
    last = killing.run(desk, drill.verb, drill.now + kills * drill.later)
    wrong += [last.fault] if last.fault else []
    actual = state(desk)
    wrong += [
        f"{name} is not as without the kills"
        for name in sorted(expected.keys() | actual.keys())
        if actual.get(name) != expected.get(name)
    ]
    if drill.verb == "restore":
        asides = list(desk.folder.glob(f"{ASIDE}*.db"))
        wrong += (
            ["a second name of the live store"] if any(map(desk.store.samefile, asides)) else []
        )
        wrong += [] if rows(before.store) in map(rows, asides) else ["the old store is lost"]
    if drill.verb in ("export", "read"):  # a day later they delete what a killed run did not finish
        for path in left_over(desk):
            os.utime(path, (0, 0))
        killing.run(desk, drill.verb, drill.now)
        wrong += [f"{path} is left over" for path in left_over(desk)]
    return wrong


@pytest.mark.parametrize("drill", [pytest.param(one, id=one.verb) for one in DRILLS])
def test_a_verb_that_is_killed_reaches_the_same_state(
    filled: Desk, tmp_path: Path, killing: Killer, drill: Drill
) -> None:
    """For the operator: after a power cut, run it again; nothing else is needed."""
    drill.prepare(filled)
    chance = random.Random(f"{drill.verb} 20261122")  # noqa: S311 - repeatable, not secret
    assert faults(killing, drill, filled, tmp_path, KILLS, chance) == []


def test_the_steps_are_those_that_matter(filled: Desk, tmp_path: Path, killing: Killer) -> None:
    """The drill above would prove nothing if it killed where nothing is written."""
    drill = next(one for one in DRILLS if one.verb == "bounces")
    drill.prepare(filled)
    before = state(filled)
    steps = killing.run(copied(filled, tmp_path / "undisturbed"), drill.verb, drill.now).steps
    desk = copied(filled, tmp_path / "killed")
    assert killing.run(desk, drill.verb, drill.now, nth=steps // 2).killed
    half = state(desk)
    assert half != before
    killing.run(desk, drill.verb, drill.now)
    assert state(desk) != half


def test_an_alarm_is_sent_whatever_was_killed(
    filled: Desk, tmp_path: Path, killing: Killer
) -> None:
    """For the operator: if the service dies in one check after another, the next one sends it; it may
    come twice, but it always comes."""
    trouble(filled)
    now, later = MONDAY, timedelta(minutes=5)
    steps = killing.run(copied(filled, tmp_path / "undisturbed"), "watch", now).steps
    for nth in (steps // 4, steps // 2, steps - 20, steps - 2):
        now += later
        killing.run(filled, "watch", now, nth=nth)
    assert killing.run(filled, "watch", now + later).fault == ""
    with filled.open(read_only=True) as db:
        assert db.rows("SELECT status FROM notices") == [{"status": "sent"}]
    assert list((filled.folder / "outbox" / "new").iterdir())
