"""Group commits."""

import asyncio

import pytest

from digest.mail.outgoing import Outcome, OutcomeKind
from digest.mail.smtp.slots import Tally, WoundDownError


def sent(number):
    return Outcome(number, OutcomeKind.SENT)


def run(calls, scene):
    """Play `scene` with a tally that notes its calls, and the task that serves it."""

    async def play():
        tally = Tally(
            lambda ids: calls.append(("handed", list(ids))),
            lambda outcomes: calls.append(("settled", [o.delivery_id for o in outcomes])),
        )
        keeping = asyncio.create_task(tally.keep())
        try:
            await scene(tally)
        finally:
            keeping.cancel()

    asyncio.run(play())


def test_connections_that_are_ready_share_a_commit():
    """For the ledger: fifty connections ready at once cost one commit."""
    calls = []

    async def scene(tally):
        await asyncio.gather(*(tally.hand(number) for number in range(50)))

    run(calls, scene)
    assert calls == [("handed", list(range(50)))]


def test_what_is_answered_is_settled_before_anything_else_is_handed():
    """For the first promise: a connection never has two deliveries without an outcome."""
    calls = []

    async def scene(tally):
        await asyncio.gather(tally.hand(1), tally.hand(2))
        tally.settle(sent(1))
        tally.settle(sent(2))
        await asyncio.gather(tally.hand(3), tally.hand(4))

    run(calls, scene)
    assert calls == [("handed", [1, 2]), ("settled", [1, 2]), ("handed", [3, 4])]


def test_outcomes_are_settled_soon_without_anything_to_hand():
    """For the operator who watches the counts at the end of an edition."""

    async def play():
        settled = asyncio.get_running_loop().create_future()
        tally = Tally(lambda ids: None, settled.set_result)
        keeping = asyncio.create_task(tally.keep())
        tally.settle(sent(1))
        async with asyncio.timeout(5):
            assert await settled == (sent(1),)
        keeping.cancel()

    asyncio.run(play())


def test_winding_down_refuses_new_and_waiting_messages():
    """For the first promise: a body is ended only when `handed` is on disk."""
    calls = []

    async def scene(tally):
        asking = asyncio.create_task(tally.hand(1))
        await asyncio.sleep(0)
        tally.wind_down()
        with pytest.raises(WoundDownError):
            await asking
        with pytest.raises(WoundDownError):
            await tally.hand(2)
        tally.settle(sent(3))
        tally.flush()

    run(calls, scene)
    assert calls == [("settled", [3])]
