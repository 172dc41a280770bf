"""Mail that comes back, processed by the running service from the maildir of `[service] bounces`."""

import json
from pathlib import Path

import pytest

from tests.desks import Desk
from tests.journeys import returns
from tests.journeys.returns import ANNA, BORIS, CLARA, DORA, bounce, leaving, statuses, suppressed
from tests.journeys.serving import Running, service

pytestmark = pytest.mark.drill
MANY = 60


@pytest.fixture
def newsroom(filled: Desk) -> Desk:
    """The first edition was sent to four recipients; the service looks for mail that comes back."""
    returns.send_first_edition(filled, ANNA, BORIS, CLARA, DORA)
    returns.make_maildir(filled.folder / "returned")
    filled.configure(bounces_every_minutes="0.01", lease_seconds="3.0")
    filled.edit_config('# bounces = "bounces"', 'bounces = "returned"')
    return filled


def arrive(desk: Desk, name: str, message: bytes) -> None:
    """As a mail server delivers: written to tmp/, then moved into new/."""
    box = desk.folder / "returned"
    (box / "tmp" / name).write_bytes(message)
    (box / "tmp" / name).rename(box / "new" / name)


def waiting(desk: Desk) -> list[Path]:
    return list((desk.folder / "returned" / "new").iterdir())


def until_processed(running: Running, desk: Desk) -> None:
    """Read the log until the maildir has nothing new and the run is logged."""
    while running.until("bounces")["letters"] >= 0 and waiting(desk):
        pass


def test_what_comes_back_to_the_service_is_acted_on_and_kept(newsroom: Desk) -> None:
    """A dead address is not mailed again, a person who asked to unsubscribe has left, and the messages stay
    in the maildir, marked as seen."""
    messages = {"1.mx": bounce(newsroom, 1), "2.mx": leaving(newsroom, 3)}
    with service(newsroom) as running:
        running.until("leading")
        for name, message in messages.items():
            arrive(newsroom, name, message)
        until_processed(running, newsroom)
    assert suppressed(newsroom) == {ANNA: "hard"}
    assert statuses(newsroom) == {ANNA: "active", BORIS: "active", CLARA: "ended", DORA: "active"}
    seen = {path.name: path.read_bytes() for path in (newsroom.folder / "returned/cur").iterdir()}
    assert seen == {f"{name}:2,S": message for name, message in messages.items()}
    assert "@" not in json.dumps(running.log)


def test_a_message_counts_once_whenever_the_service_is_killed(newsroom: Desk) -> None:
    """Killed among many messages: the next service processes the rest, and none twice. Two reports of
    a full mailbox do not count as the three that suppress."""
    for n in range(MANY):
        arrive(newsroom, f"{n:03}.mx", bounce(newsroom, 4, status="5.7.1", nth=n))
    for n in (1, 2):
        arrive(newsroom, f"soft-{n}.mx", bounce(newsroom, 2, status="5.2.2", nth=n))
    with service(newsroom) as running:
        while len(waiting(newsroom)) > MANY - 5:
            assert running.process.poll() is None
        running.process.kill()
        running.process.wait(10)
    assert waiting(newsroom)
    # As if killed after the write to the database and before the mark: stored, but not seen.
    [stored, *_] = sorted((newsroom.folder / "returned/cur").iterdir())
    stored.rename(newsroom.folder / "returned/new" / stored.name.partition(":")[0])
    with service(newsroom) as running:
        until_processed(running, newsroom)
    assert len(newsroom.json("bounces", "list", "--limit", "1000")) == MANY + 2
    assert len(list((newsroom.folder / "returned/cur").iterdir())) == MANY + 2
    assert BORIS not in suppressed(newsroom)
