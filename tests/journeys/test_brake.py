"""A relay that calls living addresses dead: nobody is cut off, the others get their mail, one decides."""

from collections.abc import Iterator

import pytest

from tests.desks import Desk
from tests.journeys.returns import suppressed
from tests.mail.fault_server import FaultServer, running
from tests.mailing import use_smtp

GONE = ("rcpt", "550 5.1.1 The email account that you tried to reach does not exist")


@pytest.fixture
def server() -> Iterator[FaultServer]:
    """Answers that nobody exists to all of one provider."""
    with running(FaultServer(acts={"dead": GONE})) as server:
        yield server


@pytest.fixture
def newsroom(filled: Desk, server: FaultServer) -> Desk:
    """Forty recipients at that provider, sixty elsewhere."""
    use_smtp(filled, server.port)
    for n in range(100):
        name = f"dead.{n}@big.example" if n % 5 < 2 else f"well.{n}@small.example"
        assert filled.run("recipients", "add", name).exit_code == 0
    return filled


def counts(desk: Desk) -> dict[str, int]:
    [edition] = desk.json("editions", "list")
    return edition["deliveries"]


def test_a_provider_that_calls_everybody_dead_cuts_nobody_off(
    newsroom: Desk, server: FaultServer
) -> None:
    """As Gmail did for a day: one alarm, and one command once it is over."""
    sent = newsroom.run("send", "--yes")
    assert sent.exit_code == 1
    assert "Nobody was suppressed" in sent.stderr
    assert "bounces confirm or discard --edition 1 --at big.example" in sent.stderr
    assert suppressed(newsroom) == {}
    counted = counts(newsroom)
    assert counted["sent"] == 60
    assert 20 <= counted["failed"] <= 20 + 2 * 4
    assert counted["failed"] + counted["queued"] == 40
    assert [one["key"] for one in newsroom.json("status")["troubles"]] == [
        "brake weekly/1 at big.example"
    ]
    again = newsroom.run("send", "--yes")
    assert "too many addresses came out dead at once" in again.stdout
    assert counts(newsroom) == counted
    # It was their fault, and is over.
    server.acts.clear()
    assert newsroom.run("bounces", "discard", "--edition", "1").exit_code == 0
    assert newsroom.run("send", "--queued", "--yes").exit_code == 0
    assert counts(newsroom) == {"sent": 100}
    assert len(set(server.taken)) == len(server.taken) == 100
    assert newsroom.json("status")["troubles"] == []


def test_a_batch_that_is_really_gone_is_confirmed_at_once(
    newsroom: Desk, server: FaultServer
) -> None:
    """For a firm that closed: all are suppressed, and the edition goes on to the others there."""
    newsroom.run("send", "--yes")
    refused = counts(newsroom)["failed"]
    confirmed = newsroom.run("bounces", "confirm", "--edition", "1", "--at", "big.example")
    assert f"{refused} bounces confirmed: {refused} suppressed" in confirmed.stdout
    assert set(suppressed(newsroom).values()) == {"hard"}
    newsroom.run("send", "--queued", "--yes")
    assert counts(newsroom) == {"sent": 60, "failed": 40}
    assert len(suppressed(newsroom)) == 40
    traced = newsroom.run("deliveries", "trace", "dead.0@big.example").stdout
    assert "answered" in traced
    assert "550 5.1.1 The email account that you tried to reach does not exist" in traced
    shown = newsroom.run("recipients", "show", "dead.0@big.example").stdout
    assert "The server, in answer to our own sending" in shown
