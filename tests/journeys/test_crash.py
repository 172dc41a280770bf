"""kill -9 at any instant: nobody is mailed twice, and nobody is missed."""

import os
import random
from pathlib import Path

import pytest

from tests.desks import Desk
from tests.journeys.crashing import CASES, crashing, table
from tests.journeys.killing import killer

pytestmark = [pytest.mark.drill, pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")]


def test_a_killed_sender_leaves_a_ledger_that_can_be_trusted(filled: Desk, tmp_path: Path) -> None:
    """Senders die at every step of the ledger; then every recipient has one message, or is listed as
    uncertain, and no kill left more uncertain than it may.

    The full form, with two hundred kills, is scripts/crash-test.
    """
    chance = random.Random(20261122)  # noqa: S311 - repeatable, not secret
    kills, wrong = [], []
    with killer() as killing:
        for n, case in enumerate([*CASES[:4], *CASES]):
            for again in range(3):  # a quick sender may be done before its killer looks
                with crashing(filled, tmp_path / f"{n}-{again}", killing, case, chance) as one:
                    one.kill(case.instants[n % len(case.instants)])
                    one.finish()
                    wrong += one.faults()
                if one.kills[-1].landed:
                    break
            kills += one.kills
    assert wrong == []
    assert all(kill.landed for kill in kills), table(kills)
