"""What happens to the files, the process and the host of a sender while it sends: nobody is mailed twice,
nobody is missed unless the database itself was taken away, and the operator learns what to do next."""

import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.desks import Desk
from tests.journeys.crashing import CONNECTIONS, sender
from tests.journeys.drills import edition
from tests.journeys.relay import Relay, relaying
from tests.journeys.serving import service
from tests.mailing import use_smtp

pytestmark = pytest.mark.drill
PEOPLE = 40
Crowd = tuple[Desk, Relay]


@pytest.fixture
def crowd(filled: Desk) -> Iterator[Crowd]:
    """An edition that is due to forty, a copy of the database from before it was sent, and a slow
    server; at the end nobody got the edition twice."""
    edition(filled, PEOPLE)
    shutil.copy(filled.store, filled.folder / "older.db")
    with relaying(Relay(seconds=0.1)) as relay:
        use_smtp(filled, relay.port, connections=CONNECTIONS)
        filled.configure(
            data_timeout_seconds="20.0",
            command_timeout_seconds="20.0",
            busy_timeout_seconds="3.0",
            send_every_minutes="0.01",
        )
        yield filled, relay
    assert set(relay.taken.values()) == {1}


def ended(process: subprocess.Popen[str], code: int = 1) -> str:
    """What a sender that ended with this exit code said."""
    output, errors = process.communicate(timeout=60)
    assert process.returncode == code, errors
    assert "Traceback" not in errors
    return output + errors


def everybody(crowd: Crowd) -> None:
    """The next sender sends the rest, and then nobody is missed."""
    desk, relay = crowd
    again = desk.run("send", "--yes")
    assert again.exit_code == 0, again.output
    assert desk.json("editions", "show", "1")["deliveries"] == {"sent": PEOPLE}
    assert len(relay.taken) == PEOPLE


def remove(*endings: str) -> Callable[[Path], None]:
    def act(store: Path) -> None:
        for ending in endings:
            Path(f"{store}{ending}").unlink()

    return act


def put_older(store: Path) -> None:
    shutil.copy(store.with_name("older.db"), store.with_name("copy.db"))
    store.with_name("copy.db").replace(store)


def write_older(store: Path) -> None:
    """What was sent stays in the log beside it."""
    shutil.copyfile(store.with_name("older.db"), store)


REPLACED = "the file, or its -wal or -shm file, was removed or replaced during the sending"


@pytest.mark.parametrize(
    ("act", "words"),
    [
        pytest.param(remove("-wal"), REPLACED, id="log removed"),
        pytest.param(remove("-wal", "-shm"), REPLACED, id="log and index removed"),
        pytest.param(put_older, REPLACED, id="older copy moved over it"),
        pytest.param(write_older, None, id="older copy written into it"),
        pytest.param(remove(".sender"), "its lock file digest.db.sender was removed", id="lock removed"),
    ],
)  # fmt: skip
def test_a_sender_whose_files_are_replaced_stops_and_the_next_one_sends_the_rest(
    crowd: Crowd, act: Callable[[Path], None], words: str | None
) -> None:
    desk, relay = crowd
    with sender(desk) as process:
        relay.wait_for_messages(8)
        act(desk.store)
        said = ended(process, 1 if words else 0)
    if words:
        assert words in said
        assert "Next: digest doctor" in said
        assert len(relay.taken) < PEOPLE
    everybody(crowd)


def test_a_database_that_was_moved_away_and_back_is_sent_to_its_end(crowd: Crowd) -> None:
    desk, relay = crowd
    with sender(desk) as process:
        relay.wait_for_messages(8)
        desk.store.rename(desk.folder / "gone.db")
        assert REPLACED in ended(process)
    missing = desk.run("send", "--yes")
    assert missing.exit_code == 1
    assert "there is no database yet" in missing.output
    (desk.folder / "gone.db").rename(desk.store)
    everybody(crowd)


def test_an_older_database_that_took_its_place_mails_nobody_again(crowd: Crowd) -> None:
    """A backup that was put back by hand: it does not record who was mailed since."""
    desk, relay = crowd
    with sender(desk) as process:
        relay.wait_for_messages(8)
        put_older(desk.store)
        remove("-wal", "-shm")(desk.store)
        assert REPLACED in ended(process)
    mailed = len(relay.taken)
    again = desk.run("send", "--yes")
    assert again.exit_code == 1
    assert "run `digest activate`" in again.output
    assert "digest activate" in desk.run("doctor").output
    assert len(relay.taken) == mailed


def test_while_a_sender_is_stopped_nobody_else_sends(crowd: Crowd) -> None:
    """Neither a person by any name of the database nor the service; then it continues."""
    desk, relay = crowd
    with sender(desk) as first:
        relay.wait_for_messages(8)
        first.send_signal(signal.SIGSTOP)
        try:
            by_hand = desk.run("send", "--yes")
            assert by_hand.exit_code == 1
            assert f"process {first.pid}, started" in by_hand.output
            (desk.folder / "alias.db").symlink_to(desk.store)
            desk.edit_config('path = "digest.db"', 'path = "alias.db"')
            assert f"process {first.pid}, started" in desk.run("send", "--yes").output
            with service(desk) as running:
                assert f"process {first.pid}, started" in running.until("send")["waits"]
        finally:
            first.send_signal(signal.SIGCONT)
        ended(first, 0)
    everybody(crowd)


@pytest.mark.parametrize("by", ["hand", "serve", "another host"])
def test_a_sender_that_was_overtaken_hands_over_nothing_more(crowd: Crowd, by: str) -> None:
    """Stopped, and without a lock that the next one sees: what it had under way stays its own, and its
    answers count when it continues."""
    desk, relay = crowd
    with sender(desk) as first:
        relay.wait_for_messages(8)
        first.send_signal(signal.SIGSTOP)
        try:
            desk.store.with_name("digest.db.sender").unlink()
            if by == "hand":
                assert desk.run("send", "--yes").exit_code == 0
            elif by == "serve":
                with service(desk) as running:
                    while not running.until("send").get("editions"):
                        assert len(running.log) < 300
            else:
                with desk.open() as db, db.write():
                    db.run("UPDATE meta SET value = 'other:/srv/digest.db' WHERE key = 'home'")
                    db.run("UPDATE meta SET value = 'another mark' WHERE key = 'sender'")
        finally:
            first.send_signal(signal.SIGCONT)
        words = ended(first, 1 if by == "another host" else 0)
    if by == "another host":
        assert "another process has begun to send from it" in words
        refused = desk.run("send", "--yes")
        assert refused.exit_code == 1
        assert "last sent from another place (other:/srv/digest.db)" in refused.output
        assert desk.run("activate").exit_code == 0
    everybody(crowd)
