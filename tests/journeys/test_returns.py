"""Letters that come back, taken in by the running service from the maildir of `[service] bounces`."""

import json
from pathlib import Path

import pytest

from tests.desks import Desk
from tests.journeys.returns import bounce, leaving
from tests.journeys.serving import Running, service

pytestmark = pytest.mark.drill
ANNA, BORIS, CLARA, DORA = (f"{name}@reader.example" for name in ("anna", "boris", "clara", "dora"))
MANY = 60


@pytest.fixture
def newsroom(filled: Desk) -> Desk:
    """The first edition has gone to four recipients; the service looks for what comes back."""
    for address in (ANNA, BORIS, CLARA, DORA):
        assert filled.run("recipients", "add", address).exit_code == 0
    assert filled.run("send", "--yes").exit_code == 0
    for name in ("cur", "new", "tmp"):
        (filled.folder / "returned" / name).mkdir(parents=True)
    filled.configure(bounces_every_minutes="0.01", lease_seconds="3.0")
    config = filled.config.read_text("utf-8")
    filled.config.write_text(
        config.replace('# bounces = "bounces"', 'bounces = "returned"'), "utf-8"
    )
    return filled


def arrive(desk: Desk, name: str, letter: bytes) -> None:
    """As a mail server delivers: written beside, then moved into new/ whole."""
    box = desk.folder / "returned"
    (box / "tmp" / name).write_bytes(letter)
    (box / "tmp" / name).rename(box / "new" / name)


def waiting(desk: Desk) -> list[Path]:
    return list((desk.folder / "returned" / "new").iterdir())


def suppressed(desk: Desk) -> dict[str, str]:
    return {one["address_key"]: one["cause"] for one in desk.json("suppressions", "list")}


def until_taken(running: Running, desk: Desk) -> None:
    """Read the log until the maildir has nothing new and its run has been told."""
    while running.until("bounces")["letters"] >= 0 and waiting(desk):
        pass


def test_what_comes_back_to_the_service_is_acted_on_and_kept(newsroom: Desk) -> None:
    """A dead address is not mailed again, who asked to leave is gone, and the letters stay in the
    maildir, marked as seen."""
    letters = {"1.mx": bounce(newsroom, 1), "2.mx": leaving(newsroom, 3)}
    with service(newsroom) as running:
        running.until("leading")
        for name, letter in letters.items():
            arrive(newsroom, name, letter)
        until_taken(running, newsroom)
        assert running.end() == 0
    assert suppressed(newsroom) == {ANNA: "hard"}
    people = {one["address"]: one["status"] for one in newsroom.json("recipients", "list")}
    assert people == {ANNA: "active", BORIS: "active", CLARA: "ended", DORA: "active"}
    kept = {path.name: path.read_bytes() for path in (newsroom.folder / "returned/cur").iterdir()}
    assert kept == {f"{name}:2,S": letter for name, letter in letters.items()}
    assert "@" not in json.dumps(running.told)


def test_a_letter_counts_once_whenever_the_service_is_killed(newsroom: Desk) -> None:
    """Killed among many letters: the next service takes in the rest, and none twice. Two full
    mailboxes do not become the third one that suppresses."""
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
    # What a kill leaves between the database and the mark: kept, but not seen.
    [taken, *_] = sorted((newsroom.folder / "returned/cur").iterdir())
    taken.rename(newsroom.folder / "returned/new" / taken.name.partition(":")[0])
    with service(newsroom) as running:
        until_taken(running, newsroom)
        assert running.end() == 0
    assert len(newsroom.json("bounces", "list", "--limit", "1000")) == MANY + 2
    assert len(list((newsroom.folder / "returned/cur").iterdir())) == MANY + 2
    assert BORIS not in suppressed(newsroom)
