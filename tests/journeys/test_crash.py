"""kill -9 at any instant: nobody is mailed twice, and nobody is missed."""

import random

import pytest

from tests.desks import Desk
from tests.journeys.crashing import LEDGER, Crashing
from tests.journeys.relay import STEPS, Relay, relaying
from tests.mailing import Office, use_smtp

pytestmark = pytest.mark.drill
KILLS = 20


def test_a_killed_sender_leaves_a_ledger_that_can_be_trusted(filled: Desk) -> None:
    """Twenty senders die, at every step of the ledger; then every recipient has one message, or is
    listed as uncertain, and no kill left more uncertain than there were connections.

    The full form, with a thousand recipients and random instants, is scripts/crash-test.
    """
    chance = random.Random(20261122)  # noqa: S311 - repeatable, not secret
    instants = [*STEPS, LEDGER] * 4
    with filled.open() as db:
        Office(filled, db).add(*[f"r{n}@reader.example" for n in range(200)])
    with relaying(Relay(seconds=0.002)) as relay:
        use_smtp(filled, relay.port)
        crashing = Crashing(filled, relay, chance)
        for n, instant in enumerate(instants[:KILLS]):
            relay.pipelining = n % 5 != 4
            crashing.kill(instant, nth=chance.randint(1, 6))
        crashing.finish()
    assert list(crashing.faults()) == []
    assert all(kill.landed for kill in crashing.kills), crashing.table()
    assert relay.most_open <= 4
    assert sum(relay.taken.values()) > 150
