"""A full disk, a read-only disk, a locked database: one message, nothing lost, and work goes on later."""

import contextlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.desks import Desk
from tests.feeds.folders import contents
from tests.journeys import drills
from tests.journeys.crashing import assert_mailed_once
from tests.journeys.disks import Disk, mounted, why_not
from tests.journeys.drills import EARLY, state, write
from tests.journeys.relay import Relay, relaying
from tests.journeys.serving import service
from tests.mailing import use_smtp

pytestmark = pytest.mark.drill

needs_a_disk = pytest.mark.skipif(why_not() is not None, reason=why_not() or "")
HOLD = """
import sys
from digest.store.database import sqlite3
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.readline()
db.execute("ROLLBACK")
"""
SEND = ("send", "--yes", "--queued", "--despite", "store")


@pytest.fixture
def disk(desk: Desk, ingested_store: Path) -> Iterator[Disk]:
    """The desk's store is on a small disk of its own."""
    with mounted(desk.folder / "small") as small:
        shutil.copy(ingested_store, small.path / "digest.db")
        desk.edit_config('path = "digest.db"', 'path = "small/digest.db"')
        desk.edit_config('backups = "backups"', 'backups = "small/backups"')
        desk.store.symlink_to(small.path / "digest.db")
        yield small


def due_edition(desk: Desk, count: int = 30) -> None:
    """An edition that may be sent at any hour."""
    drills.edition(desk, count)
    with desk.open() as db, db.write():
        db.run("UPDATE deliveries SET due_at = ?", (EARLY,))
        db.run(
            "UPDATE editions SET composed_at = ?, starts_at = ?, ends_at = ?",
            (EARLY, EARLY, "2020-01-02T00:00:00.000000Z"),
        )


def new_document(desk: Desk) -> None:
    write(desk, "new", "heroin\n\nThey seized 3 kg today.")


def write_list(desk: Desk) -> None:
    lines = "".join(f"reader{n}@reader.example\n" for n in range(5000))
    (desk.folder / "list.csv").write_text(lines)


WRITERS = {
    "ingest": (new_document, ("ingest",)),
    "compose": (drills.people, ("send", "--yes", "--despite", "store")),
    "send": (due_edition, SEND),
    "bounces": (drills.bounces, ("bounces", "read", "FOLDER/bounces")),
    "prune": (drills.add_old_bounces, ("prune",)),
    "suppressions": (write_list, ("suppressions", "import", "FOLDER/list.csv")),
    "recipients": (drills.people, ("recipients", "add", "new@reader.example")),
    "import": (drills.export_beside, ("import", "FOLDER/in.jsonl")),
}


def run(desk: Desk, words: tuple[str, ...]) -> None:
    result = desk.run(*(word.replace("FOLDER", str(desk.folder)) for word in words))
    assert result.exit_code == 0, result.stderr


def fail(desk: Desk, words: tuple[str, ...]) -> str:
    """The one message with which the command stops."""
    result = desk.run(*(word.replace("FOLDER", str(desk.folder)) for word in words))
    assert result.exit_code == 1, result.output
    assert result.stderr.count("Error:") == 1, result.stderr
    return result.stderr


def write_everything_to_the_file(desk: Desk) -> None:
    with contextlib.suppress(FileNotFoundError), desk.open() as db:
        db.value("PRAGMA wal_checkpoint(TRUNCATE)")


@pytest.mark.mount
@needs_a_disk
class TestFull:
    """The disk of the store is full."""

    @pytest.mark.parametrize("name", WRITERS)
    def test_a_command_stops_with_one_message_and_goes_on_when_there_is_space(
        self, desk: Desk, disk: Disk, name: str
    ) -> None:
        """For the operator: nothing is lost or half done, and nothing is sent that cannot be recorded."""
        prepare, words = WRITERS[name]
        prepare(desk)
        write_everything_to_the_file(desk)
        before = state(desk)
        disk.fill()
        message = fail(desk, words)
        assert "disk" in message or "No space left" in message
        assert not list((desk.folder / "outbox").glob("new/*"))
        disk.free()
        if name == "import":
            desk.store.resolve().unlink(missing_ok=True)
        else:
            assert state(desk)["store"] == before["store"]
        run(desk, words)
        assert state(desk) != before

    def test_a_relay_gets_nothing_that_cannot_be_recorded(self, desk: Desk, disk: Disk) -> None:
        """The disk fills while an edition is sent: the sender says so, hands over nothing more, and goes
        on as soon as there is space."""
        due_edition(desk, 200)
        with relaying(Relay(seconds=0.002)) as relay:
            use_smtp(desk, relay.port)
            write_everything_to_the_file(desk)
            disk.fill(leave=120_000)
            command, pipe = desk.command(*SEND), subprocess.PIPE
            with subprocess.Popen(command, stderr=pipe, text=True) as sending:
                assert sending.stderr is not None
                waits = "wait until the database can be written"
                assert any(waits in line for line in sending.stderr)
                assert 0 < relay.taken.total() < 200
                disk.free()
                rest = sending.stderr.read()
            assert sending.returncode == 0, rest
            assert_mailed_once(desk, relay, 200, connections=0)

    def test_a_full_outbox_holds_the_edition(self, desk: Desk, disk: Disk) -> None:
        """A mail that was not written stays queued, and is written once when there is space."""
        desk.edit_config('outbox = "outbox"', 'outbox = "small/outbox"')
        due_edition(desk)
        shutil.move(disk.path / "digest.db", desk.folder / "elsewhere.db")
        (disk.path / "digest.db").symlink_to(desk.folder / "elsewhere.db")
        disk.fill(leave=200_000)
        message = fail(desk, SEND)
        assert "is held" in message
        assert "No space left" in message
        disk.free()
        run(desk, ("editions", "release", "1"))
        run(desk, SEND)
        assert len(list((disk.path / "outbox" / "new").iterdir())) == 30
        assert list((disk.path / "outbox" / "tmp").iterdir()) == []

    def test_a_restore_without_space_changes_nothing(self, desk: Desk, disk: Disk) -> None:
        """Nothing is replaced if the copy does not fit."""
        run(desk, ("backup", "--to", "FOLDER/away"))
        restore = ("restore", str(next((desk.folder / "away").iterdir())), "--yes")
        before = state(desk)["store"]
        disk.fill(leave=100_000)
        fail(desk, restore)
        assert state(desk)["store"] == before
        assert not list(disk.path.rglob("*.part*"))
        disk.free()
        run(desk, restore)

    def test_feeds_stay_complete(self, desk: Desk, disk: Disk) -> None:
        """For the readers: the old feed until the new one is written."""
        desk.edit_config('path = "feeds"', 'path = "small/feeds"')
        desk.publish()
        feeds = disk.path / "feeds"
        before = contents(feeds)
        desk.configure(author='"Another Desk"')
        disk.fill(leave=30_000)
        assert "Check whether it is full" in fail(desk, ("publish",))  # the database comes first
        for name, data in before.items():
            now = (feeds / name).read_bytes()
            assert now == data or b"Another Desk" in now
            assert now.rstrip()[-1:] == data.rstrip()[-1:]
        disk.free()
        run(desk, ("publish",))
        assert b"Another Desk" in (feeds / "all.atom").read_bytes()
        assert list((feeds / ".half").iterdir()) == []

    @pytest.mark.parametrize("words", [("backup",), ("export", "FOLDER/small/out.jsonl")])
    def test_a_copy_is_complete_or_absent(
        self, desk: Desk, disk: Disk, words: tuple[str, ...]
    ) -> None:
        """For a later restore: half a copy never gets a name, and older copies stay."""
        run(desk, ("backup", "--keep", "1"))
        copies = list((disk.path / "backups").iterdir())
        disk.fill(leave=100_000)
        fail(desk, words)
        assert list((disk.path / "backups").iterdir()) == copies
        assert not list(disk.path.glob("*.jsonl"))
        assert not list(disk.path.rglob("*.part*"))

    def test_a_service_goes_on_when_there_is_space(self, desk: Desk, disk: Disk) -> None:
        """Logged once a run, the feeds are served all the while, and the next wake-up does the work."""
        desk.configure(lease_seconds="3.0", ingest_every_minutes="0.01")
        desk.publish()
        new_document(desk)
        disk.fill()
        with service(desk) as running:
            running.until("lease not renewed")
            assert running.get("/feeds/all.atom")[0] == 200
            assert running.watch("/readyz")[0] == 503
            disk.free()
            running.until("leading")
            running.until_added()


@pytest.mark.parametrize("name", ["ingest", "compose", "send", "bounces"])
class TestBlocked:
    """For the operator: one message that says what to check; run again later, the command works."""

    @pytest.mark.mount
    @needs_a_disk
    def test_by_a_read_only_disk(self, desk: Desk, disk: Disk, name: str) -> None:
        """Once the disk is writable again, the work is done."""
        prepare, words = WRITERS[name]
        prepare(desk)
        write_everything_to_the_file(desk)
        before = state(desk)["store"]
        disk.remount("ro")
        message = fail(desk, words)
        assert "permissions" in message or "Read-only" in message, message
        assert not list((desk.folder / "outbox").glob("new/*"))
        disk.remount("rw")
        assert state(desk)["store"] == before
        run(desk, words)

    def test_by_the_lock_of_another_process(self, filled: Desk, name: str) -> None:
        """It waits for the lock for a while first; no trace, and nothing is done."""
        prepare, words = WRITERS[name]
        prepare(filled)
        filled.configure(busy_timeout_seconds="0.05")
        before = state(filled)
        with locked(filled):
            message = fail(filled, words)
            assert "another process is writing" in message
            assert "busy_timeout_seconds" in message
        assert state(filled) == before
        run(filled, words)


@contextlib.contextmanager
def locked(desk: Desk) -> Iterator[None]:
    """Another process has begun to write, and does not end."""
    pipe = subprocess.PIPE
    words = [sys.executable, "-c", HOLD, str(desk.store)]
    with subprocess.Popen(words, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout.readline() == "held\n"
        yield
        process.communicate("\n")


def test_a_service_waits_for_a_lock_and_goes_on(desk: Desk) -> None:
    """A command that writes for long delays the service, and does not end it."""
    desk.configure(busy_timeout_seconds="0.05", ingest_every_minutes="0.01")
    with service(desk) as running:
        running.until("read")
        with locked(desk):
            new_document(desk)
            while "fault" not in (line := running.until("read")):
                assert line["added"] == 0
            assert "another process is writing" in line["fault"]
            assert running.get("/healthz")[0] == 200
        running.until_added()
