"""A disk that is full or for reading only, and a lock that is held: one message, no loss, and it goes
on when it can.
"""

import contextlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.desks import Desk
from tests.journeys.disks import Disk, mounted, why_not
from tests.journeys.drills import MONDAY, edition, letters, people, state
from tests.journeys.relay import Relay, relaying
from tests.journeys.serving import service
from tests.mailing import Office, use_smtp

pytestmark = pytest.mark.drill

needs_a_disk = [
    pytest.mark.mount,
    pytest.mark.skipif(why_not() is not None, reason=why_not() or "there is one"),
]
EARLY = "2020-01-01T00:00:00.000000Z"
HOLD = """
import sys
from digest.store.database import sqlite3
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.readline()
db.execute("ROLLBACK")
"""


@pytest.fixture
def disk(desk: Desk, ingested_store: Path) -> Iterator[Disk]:
    """The desk's store lies on a disk of its own, which is small."""
    with mounted(desk.folder / "small") as found:
        shutil.copy(ingested_store, found.path / "digest.db")
        config = desk.config.read_text("utf-8")
        config = config.replace('path = "digest.db"', 'path = "small/digest.db"')
        config = config.replace('backups = "backups"', 'backups = "small/backups"')
        desk.config.write_text(config, "utf-8")
        (desk.folder / "digest.db").symlink_to(found.path / "digest.db")
        yield found


def due(desk: Desk) -> None:
    """What is queued may go out at any hour."""
    with desk.open() as db, db.write():
        db.run("UPDATE deliveries SET due_at = ?", (EARLY,))
        db.run(
            "UPDATE editions SET composed_at = ?, starts_at = ?, ends_at = ?",
            (EARLY, EARLY, "2020-01-02T00:00:00.000000Z"),
        )


def go_out(desk: Desk) -> None:
    edition(desk)
    due(desk)


def old(desk: Desk) -> None:
    with desk.open() as db, db.write():
        sql = (
            "INSERT INTO bounces (sha256, kind, read_at, raw) VALUES (?, 'unknown', ?, zeroblob(9))"
        )
        db.run_many(sql, [(str(n), EARLY) for n in range(450)])


def fresh(desk: Desk) -> None:
    """A document that is new."""
    (desk.seeds / "new.txt").write_text(
        "Customs seize heroin\n\nThey seized 3 kg today.\n", "utf-8"
    )


def write_list(desk: Desk) -> None:
    lines = "".join(f"reader{n}@reader.example\n" for n in range(5000))
    (desk.folder / "list.csv").write_text(lines)


def export_beside(desk: Desk) -> None:
    desk.run("export", str(desk.folder / "in.jsonl"))
    desk.store.resolve().unlink()


WRITERS = {
    "ingest": (fresh, ("ingest",)),
    "compose": (people, ("send", "--yes", "--despite", "store")),
    "send": (go_out, ("send", "--yes", "--queued", "--despite", "store")),
    "bounces": (letters, ("bounces", "read", "FOLDER/bounces")),
    "prune": (old, ("prune",)),
    "suppressions": (write_list, ("suppressions", "import", "FOLDER/list.csv")),
    "recipients": (people, ("recipients", "add", "new@reader.example")),
    "import": (export_beside, ("import", "FOLDER/in.jsonl")),
}


def run(desk: Desk, words: tuple[str, ...]) -> tuple[int, str, str]:
    done = desk.run(*(word.replace("FOLDER", str(desk.folder)) for word in words))
    return done.exit_code, done.stdout, done.stderr


class TestFull:
    """No room is left on the disk of the store."""

    pytestmark = needs_a_disk

    @pytest.mark.parametrize("name", WRITERS)
    def test_a_command_stops_with_one_message_and_goes_on_when_there_is_room(
        self, desk: Desk, disk: Disk, name: str
    ) -> None:
        """For the operator: nothing is lost or half done, nothing is sent that cannot be written down."""
        prepare, words = WRITERS[name]
        prepare(desk)
        with contextlib.suppress(FileNotFoundError), desk.open() as db:
            db.value("PRAGMA wal_checkpoint(TRUNCATE)")
        before = state(desk)
        disk.fill()
        code, _, said = run(desk, words)
        assert code == 1
        assert said.count("Error:") == 1, said
        assert "disk" in said or "No space left" in said
        assert not list((desk.folder / "outbox").glob("new/*"))
        disk.free()
        if name == "import":
            desk.store.resolve().unlink(missing_ok=True)
        else:
            assert state(desk)["store"] == before["store"]
        code, _, said = run(desk, words)
        assert code == 0, said
        assert state(desk) != before

    def test_a_relay_gets_nothing_that_cannot_be_written_down(self, desk: Desk, disk: Disk) -> None:
        """The disk fills while an edition goes out: whoever was mailed is known, nobody is mailed twice."""
        people(desk, 200)
        with desk.open() as db:
            Office(desk, db, now=MONDAY).compose()
        due(desk)
        with relaying(Relay(seconds=0.002)) as relay:
            use_smtp(desk, relay.port)
            with desk.open() as db:
                db.value("PRAGMA wal_checkpoint(TRUNCATE)")
            disk.fill(leave=120_000)
            code, _, said = run(desk, ("send", "--yes", "--queued", "--despite", "store"))
            assert code == 1
            assert "disk" in said
            taken = relay.taken.total()
            assert 0 < taken < 200
            disk.free()
            code, _, said = run(desk, ("send", "--yes", "--queued", "--despite", "store"))
            assert code == 0, said
            with desk.open(read_only=True) as db:
                rows = db.rows(
                    "SELECT deliveries.status, address FROM deliveries JOIN recipients ON recipients.id = recipient_id"
                )
            assert max(relay.taken.values()) == 1
            for row in rows:
                assert relay.taken[row["address"]] == 1 or row["status"] == "uncertain"
            assert sum(row["status"] == "uncertain" for row in rows) <= 4

    def test_a_full_outbox_holds_the_edition(self, desk: Desk, disk: Disk) -> None:
        """Who was not written to stays queued, and gets it once when there is room."""
        outbox = 'outbox = "small/outbox"'
        config = desk.config.read_text("utf-8").replace('outbox = "outbox"', outbox)
        desk.config.write_text(config, "utf-8")
        go_out(desk)
        shutil.move(disk.path / "digest.db", desk.folder / "elsewhere.db")
        (disk.path / "digest.db").symlink_to(desk.folder / "elsewhere.db")
        disk.fill(leave=200_000)
        words = ("send", "--yes", "--queued", "--despite", "store")
        code, _, said = run(desk, words)
        assert code == 1
        assert "is held" in said
        assert "No space left" in said
        disk.free()
        assert desk.run("editions", "release", "1").exit_code == 0
        assert run(desk, words)[0] == 0
        assert len(list((disk.path / "outbox" / "new").iterdir())) == 30
        assert list((disk.path / "outbox" / "tmp").iterdir()) == []

    def test_a_restore_leaves_what_is_there(self, desk: Desk, disk: Disk) -> None:
        """Nothing is replaced where the copy has no room."""
        assert run(desk, ("backup", "--to", "FOLDER/away"))[0] == 0
        copy = next((desk.folder / "away").iterdir())
        before = state(desk)["store"]
        disk.fill(leave=100_000)
        code, _, said = run(desk, ("restore", str(copy), "--yes"))
        assert code == 1
        assert said.count("Error:") == 1
        assert state(desk)["store"] == before
        assert not list(disk.path.rglob("*.part*"))
        disk.free()
        assert run(desk, ("restore", str(copy), "--yes"))[0] == 0

    def test_feeds_stay_whole(self, desk: Desk, disk: Disk) -> None:
        """For the readers: the old feed until the new one is written."""
        config = desk.config.read_text("utf-8")
        desk.config.write_text(config.replace('path = "feeds"', 'path = "small/feeds"'), "utf-8")
        desk.publish()
        feeds = disk.path / "feeds"
        before = {path: path.read_bytes() for path in feeds.rglob("*.*") if path.is_file()}
        desk.configure(author='"Another Desk"')
        disk.fill(leave=30_000)
        result = desk.run("publish")
        assert result.exit_code == 1
        assert "No space left" in result.stderr
        for path, data in before.items():
            now = path.read_bytes()
            assert now == data or b"Another Desk" in now or path.name == ".published"
            assert now.rstrip()[-1:] == data.rstrip()[-1:]
        disk.free()
        assert desk.run("publish").exit_code == 0
        assert b"Another Desk" in (feeds / "all.atom").read_bytes()
        assert list((feeds / ".half").iterdir()) == []

    @pytest.mark.parametrize("words", [("backup",), ("export", "FOLDER/small/out.jsonl")])
    def test_a_copy_is_whole_or_not_there(
        self, desk: Desk, disk: Disk, words: tuple[str, ...]
    ) -> None:
        """For who restores one day: no half copy has a name, and older ones stay."""
        assert run(desk, ("backup", "--keep", "1"))[0] == 0
        copies = list((disk.path / "backups").iterdir())
        disk.fill(leave=100_000)
        code, _, said = run(desk, words)
        assert code == 1
        assert said.count("Error:") == 1
        assert list((disk.path / "backups").iterdir()) == copies
        assert not list(disk.path.glob("*.jsonl"))
        assert not list(disk.path.rglob("*.part*"))

    def test_a_service_goes_on_when_there_is_room(self, desk: Desk, disk: Disk) -> None:
        """Told once a run, the feeds are served all the while, and the next tick does what was due."""
        desk.configure(lease_seconds="3.0", ingest_every_minutes="0.01")
        desk.publish()
        fresh(desk)
        disk.fill()
        with service(desk) as running:
            running.until("lease not renewed")
            assert running.get("/feeds/all.atom")[0] == 200
            assert running.get("/readyz")[0] == 503
            disk.free()
            running.until("leading")
            while not running.until("read").get("added"):
                assert len(running.told) < 100
            assert running.end() == 0


class TestReadOnly:
    """The disk of the store is mounted for reading only, or its folder is."""

    pytestmark = needs_a_disk

    @pytest.mark.parametrize("name", ["ingest", "compose", "send", "bounces"])
    def test_a_command_that_writes_says_so(self, desk: Desk, disk: Disk, name: str) -> None:
        """For the operator: what to look at; and it goes on once the disk can be written again."""
        prepare, words = WRITERS[name]
        prepare(desk)
        with desk.open() as db:
            db.value("PRAGMA wal_checkpoint(TRUNCATE)")
        before = state(desk)["store"]
        disk.remount("ro")
        code, _, said = run(desk, words)
        assert code == 1
        assert said.count("Error:") == 1, said
        assert "permissions" in said or "Read-only" in said, said
        assert not list((desk.folder / "outbox").glob("new/*"))
        disk.remount("rw")
        assert state(desk)["store"] == before
        code, _, said = run(desk, words)
        assert code == 0, said


@contextlib.contextmanager
def held(desk: Desk) -> Iterator[None]:
    """Another process has begun to write, and does not end."""
    pipe = subprocess.PIPE
    words = [sys.executable, "-c", HOLD, str(desk.store)]
    with subprocess.Popen(words, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield
        process.communicate("\n")


@pytest.mark.parametrize("name", ["ingest", "compose", "send", "bounces"])
def test_a_command_waits_for_a_lock_and_then_says_so(filled: Desk, name: str) -> None:
    """For the operator who runs two at once: no trace, nothing done, and run again it does it."""
    prepare, words = WRITERS[name]
    prepare(filled)
    filled.configure(busy_timeout_seconds="0.05")
    before = state(filled)
    with held(filled):
        code, _, said = run(filled, words)
        assert code == 1
        assert said.count("Error:") == 1
        assert "another process is writing" in said
        assert "busy_timeout_seconds" in said
    assert state(filled) == before
    assert run(filled, words)[0] == 0


def test_a_service_waits_for_a_lock_and_goes_on(desk: Desk) -> None:
    """A command that writes for long costs the service a beat, not its life."""
    desk.configure(busy_timeout_seconds="0.05", ingest_every_minutes="0.01")
    with service(desk) as running:
        running.until("read")
        with held(desk):
            fresh(desk)
            while "fault" not in (told := running.until("read")):
                assert told["added"] == 0
            assert "another process is writing" in told["fault"]
            assert running.get("/healthz")[0] == 200
        while not running.until("read").get("added"):
            assert len(running.told) < 100
        assert running.end() == 0
