"""The service's own part: what stays in force, and what its verbs cannot do to it."""

import asyncio
from datetime import timedelta

import pytest

from digest.newsroom import Newsroom
from digest.service.health import Health
from digest.service.plan import LEASE, Verb
from digest.service.service import Service
from digest.store.owner import take_lease
from tests.desks import Desk

DAYS = timedelta(days=2)


@pytest.fixture
def leading(desk: Desk) -> Service:
    """A service that has held the lease for two days, with every verb done just now."""
    newsroom = Newsroom.from_file(desk.config)
    with newsroom.open():
        pass
    service = Service(newsroom, lambda _: None)
    service.reload()
    now = newsroom.now()
    with newsroom.open() as newsroom:
        service.lease = take_lease(newsroom.db, LEASE, "here", service.mark, now - DAYS, 2 * DAYS)
    service.planned_at = now - DAYS
    for tick in service.ticks.values():
        tick.done_at = now
    return service


def late(service: Service) -> str | None:
    report = asyncio.run(Health(service).ready())
    said = report.body.decode().partition('"late: ')[2].partition('"')[0]
    assert report.status == (503 if said else 200), report.body
    return said or None


def test_what_config_toml_has_just_got_is_not_late(desk: Desk, leading: Service):
    """Its first interval counts from the reload, however long the service has led."""
    assert late(leading) is None
    text = desk.config.read_text("utf-8")
    desk.config.write_text(text.replace('# bounces = "bounces"', 'bounces = "bounces"'), "utf-8")
    leading.reload()
    assert Verb.BOUNCES in leading.ticks
    assert late(leading) is None
    leading.planned_at -= DAYS
    assert late(leading) == "bounces"


def test_a_verb_that_could_not_even_begin_is_woken_again(leading: Service):
    """Python cannot always start a thread; that is a failure as any other, told and over."""
    leading._threads[Verb.PRUNE].shutdown()  # from now on it refuses work
    tick = leading.ticks[Verb.PRUNE]

    async def wake_twice() -> None:
        await leading._wake(Verb.PRUNE)
        await leading._wake(Verb.PRUNE)

    asyncio.run(wake_twice())
    assert (tick.running, tick.runs, tick.failures) == (False, 2, 2)
