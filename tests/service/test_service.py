"""The service itself: reloads, late verbs, and verbs that fail."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from digest.newsroom import Clock, Newsroom
from digest.service.health import Health
from digest.service.jobs import Worker
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
    verbs = report.body.decode().partition('"late: ')[2].partition('"')[0]
    assert report.status == (503 if verbs else 200), report.body
    return verbs or None


def test_what_config_toml_has_just_got_is_not_late(desk: Desk, leading: Service):
    """Its first interval counts from the reload, however long the service has led."""
    assert late(leading) is None
    desk.edit_config('# bounces = "bounces"', 'bounces = "bounces"')
    leading.reload()
    assert Verb.BOUNCES in leading.ticks
    assert late(leading) is None
    leading.planned_at -= DAYS
    assert late(leading) == "bounces"


def test_a_verb_that_could_not_start_is_woken_again(leading: Service):
    """Python cannot always start a thread; that is a failure like any other, logged and over."""
    leading._threads[Verb.PRUNE].shutdown()  # from now on it refuses work
    tick = leading.ticks[Verb.PRUNE]

    async def wake_twice() -> None:
        await leading._wake(Verb.PRUNE)
        await leading._wake(Verb.PRUNE)

    asyncio.run(wake_twice())
    assert (tick.running, tick.runs, tick.failures) == (False, 2, 2)


@pytest.mark.parametrize("running", [False, True])
def test_feeds_are_published_when_an_embargo_ends(leading: Service, running: bool) -> None:
    """For readers: at the next beat, also if it ended while documents were read."""
    tick = leading.ticks[Verb.READ]
    tick.running, leading._embargoed = running, 1

    async def beat() -> datetime:
        leading._scheduler.start(paused=True)
        await leading._beat()
        times = [
            job.next_run_time for job in leading._scheduler.get_jobs() if job.args[0] is Verb.READ
        ]
        leading._scheduler.shutdown(wait=False)
        return min(times)

    before = leading.newsroom.now()
    assert (before <= asyncio.run(beat()) <= leading.newsroom.now()) != running
    assert leading._embargoed == int(running)


def test_a_digest_that_cannot_be_rendered_stops_no_other(filled: Desk) -> None:
    """For the readers of the daily one, while the template of the weekly one has a fault."""
    second = '[[digests]]\nname = "daily"\ntitle = { en = "The day", ru = "День" }\n\n'
    filled.edit_config("\n[mail]\n", f"\n{second}[mail]\n")
    filled.edit_config('# templates = "my-templates"', 'templates = "own"')
    (filled.folder / "own" / "mail").mkdir(parents=True)
    (filled.folder / "own" / "mail" / "edition.txt").write_text(
        '{% extends "builtin/mail/edition.txt" %}{% block masthead %}'
        '{% if mail.title != "The day" %}{{ mail.nothing.of_that }}{% endif %}{{ super() }}'
        "{% endblock %}",
        "utf-8",
    )
    filled.run("recipients", "add", "anna@reader.example")
    newsroom = Newsroom.from_file(filled.config)
    monday = datetime(2026, 11, 23, 4, tzinfo=UTC)
    newsroom = replace(newsroom, clock=Clock(starts=monday, begun=newsroom.now()))
    with pytest.raises(Exception, match="of_that"):
        Worker(newsroom).run(Verb.COMPOSE, lambda: False)
    Worker(newsroom).run(Verb.SEND, lambda: False)
    with filled.open(read_only=True) as db:
        sql = "SELECT digest, deliveries.status FROM deliveries JOIN editions ON editions.id = edition_id"
        found = {row["digest"]: row["status"] for row in db.rows(sql)}
    assert found == {"daily": "sent"}


def test_the_service_sends_alerts(filled: Desk) -> None:
    """With its next sending, once."""
    filled.run("recipients", "add", "anna@reader.example")
    filled.run("recipients", "follow", "anna@reader.example", "desalination")
    copy = "Plant opens\n\nA desalination plant opened on the coast of the region this week.\n"
    (filled.seeds / "901.txt").write_text(copy, "utf-8")
    filled.run("ingest")
    worker = Worker(Newsroom.from_file(filled.config))
    assert worker.run(Verb.SEND, lambda: False)["alerts"] == 1
    assert worker.run(Verb.SEND, lambda: False) == {}
    assert len(list((filled.folder / "outbox" / "new").iterdir())) == 1


def test_a_verb_woken_while_it_runs_runs_once_more(desk: Desk, leading: Service) -> None:
    """A form that comes while mail is under way does not wait for the next tick."""
    desk.edit_config("# public_url", "public_url")
    leading.reload()
    tick = leading.ticks[Verb.LINKS]
    tick.running = True
    for _ in range(3):
        leading.wake(Verb.LINKS)

    def soon() -> list[Verb]:
        now = leading.newsroom.now()
        jobs = leading._scheduler.get_jobs()
        return [job.args[0] for job in jobs if getattr(job, "next_run_time", now + DAYS) <= now]

    assert soon() == []
    tick.running = False
    asyncio.run(leading._wake(Verb.LINKS))
    assert (soon(), tick.runs) == ([Verb.LINKS], 1)
