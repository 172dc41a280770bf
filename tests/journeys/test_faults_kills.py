"""kill -9 at any step of any verb: run again, it comes to the very state of an uninterrupted run.

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
    with killer() as found:
        yield found


def faults(
    killing: Killer, drill: Drill, before: Desk, folder: Path, kills: int, chance: random.Random
) -> list[str]:
    """Kill a verb so often, at random steps, and let it come to its end; what must not be."""
    whole = copied(before, folder / "whole")
    run = killing.run(whole, drill.verb, drill.now)
    if run.killed or run.fault:
        return [f"uninterrupted: {run}"]
    expected, shown = state(whole), (feeds(before), feeds(whole))
    desk = copied(before, folder / "killed")
    told = []
    for n in range(kills):
        nth = chance.randint(1, run.steps)
        blow = killing.run(desk, drill.verb, drill.now + n * drill.later, nth=nth)
        told += [f"at {nth}: {blow.fault}"] if blow.fault else []
        for name, digest in feeds(desk).items():
            if digest not in (shown[0].get(name), shown[1].get(name)):
                told.append(f"{name} is not whole after a kill at step {nth} of {run.steps}")
    last = killing.run(desk, drill.verb, drill.now + kills * drill.later)
    told += [last.fault] if last.fault else []
    found = state(desk)
    told += [
        f"{name} is not as without the kills"
        for name in sorted(expected.keys() | found.keys())
        if found.get(name) != expected.get(name)
    ]
    if drill.verb == "restore":
        asides = list(desk.folder.glob(f"{ASIDE}*.db"))
        told += ["a second name of the live store"] if any(map(desk.store.samefile, asides)) else []
        told += [] if rows(before.store) in map(rows, asides) else ["what was there is lost"]
    return told + not_swept(killing, drill, desk)


def not_swept(killing: Killer, drill: Drill, desk: Desk) -> list[str]:
    """What the next run, a day later, leaves lying of what the killed ones had half made."""
    for path in left_over(desk):
        os.utime(path, (0, 0))
    if drill.verb in ("export", "read"):
        killing.run(desk, drill.verb, drill.now)
        return [f"{path} is left over" for path in left_over(desk)]
    return []


@pytest.mark.parametrize("drill", [pytest.param(one, id=one.verb) for one in DRILLS])
def test_a_verb_that_is_killed_comes_to_the_same_end(
    filled: Desk, tmp_path: Path, killing: Killer, drill: Drill
) -> None:
    """For the operator: after a power cut, run it again; nothing else is to be done."""
    drill.prepare(filled)
    chance = random.Random(f"{drill.verb} 20261122")  # noqa: S311 - repeatable, not secret
    assert faults(killing, drill, filled, tmp_path, KILLS, chance) == []


def test_the_steps_are_those_that_matter(filled: Desk, tmp_path: Path, killing: Killer) -> None:
    """The drill above would prove nothing if its kills came where nothing is written."""
    drill = next(one for one in DRILLS if one.verb == "bounces")
    drill.prepare(filled)
    before = state(filled)
    steps = killing.run(copied(filled, tmp_path / "whole"), drill.verb, drill.now).steps
    desk = copied(filled, tmp_path / "killed")
    assert killing.run(desk, drill.verb, drill.now, nth=steps // 2).killed
    half = state(desk)
    assert half != before
    killing.run(desk, drill.verb, drill.now)
    assert state(desk) != half


def test_an_alarm_is_told_whatever_was_killed(
    filled: Desk, tmp_path: Path, killing: Killer
) -> None:
    """For the operator: where the look of the service dies again and again, the next one tells it; it
    may come twice, but never not at all."""
    trouble(filled)
    now, later = MONDAY, timedelta(minutes=5)
    steps = killing.run(copied(filled, tmp_path / "whole"), "watch", now).steps
    for nth in (steps // 4, steps // 2, steps - 20, steps - 2):
        now += later
        killing.run(filled, "watch", now, nth=nth)
    assert killing.run(filled, "watch", now + later).fault == ""
    with filled.open(read_only=True) as db:
        assert db.rows("SELECT status FROM notice_deliveries") == [{"status": "sent"}]
    assert list((filled.folder / "outbox" / "new").iterdir())
