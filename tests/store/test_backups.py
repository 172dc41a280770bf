"""Backups are complete, checked and few; a restored database is sound and sends only after `activate`."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import FrameType

import pytest

from digest.errors import SenderError, StoreError
from digest.store.backups import (
    backup,
    backup_is_due,
    backup_made_at,
    backups_in,
    restore,
    row_counts,
    verify,
)
from digest.store.database import Database, open_database
from digest.store.files import new_file
from digest.store.owner import activate, check_home, sole_sender
from tests.desks import Desk

NOW = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
HERE = "machine:/newsroom/digest.db"
WRITER = """
import sys
from pathlib import Path
from digest.store.database import open_database
with open_database(Path(sys.argv[1])) as db:
    print("open", flush=True)
    for i in range(100_000):
        with db.write():
            db.insert("themes", {"name": f"a{i}", "title": "{}", "position": i})
            db.insert("themes", {"name": f"b{i}", "title": "{}", "position": i})
"""
FULL = """
import resource, sys
from datetime import UTC, datetime
from pathlib import Path
from digest.errors import StoreError
from digest.store.database import open_database
from digest.store.backups import backup, restore
store, folder, copy = map(Path, sys.argv[1:])
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
moment = datetime(2026, 11, 23, tzinfo=UTC)
with open_database(store, read_only=True) as db:
    try:
        backup(db, folder, moment, keep=1)
    except StoreError as e:
        print(e)
try:
    restore(copy, store, moment)
except StoreError as e:
    print(e)
"""


def back_up(db: Database, folder: Path, *, days: int = 0, keep: int = 14) -> Path:
    return backup(db, folder, NOW + timedelta(days=days), keep=keep).path


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def copied(desk: Desk) -> Path:
    """A copy of the desk's database, which is closed again."""
    with desk.open() as db:
        return back_up(db, desk.folder / "backups")


def damage(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[8192 : 8192 + 16_384] = b"\xa5" * 16_384
    path.write_bytes(data)


def test_a_backup_is_one_file_with_every_row(filled: Desk, tmp_path: Path) -> None:
    """It is named by time, with nothing beside it, and nobody else may read it."""
    folder = tmp_path / "far" / "away"
    with filled.open(read_only=True) as db:
        made = backup(db, folder, NOW, keep=3)
        assert made.path == folder / "digest-20261122T040000Z.db"
        assert made.rows == row_counts(db)
    assert made.rows["articles"] > 30
    assert files(folder) == {made.path.name}
    assert made.path.stat().st_size == made.size
    if sys.platform != "win32":
        assert made.path.stat().st_mode & 0o077 == 0
    assert verify(made.path)["articles"] == made.rows["articles"]
    assert backup_made_at(made.path) == NOW


def test_a_backup_is_of_one_moment_while_others_write(db: Database, tmp_path: Path) -> None:
    """While the service writes, no half of a write is in the copy."""
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(db.path)], stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        seen = []
        for day in range(8):
            with open_database(back_up(db, tmp_path / "kept", days=day), read_only=True) as copy:
                a, b = (
                    copy.value("SELECT count(*) FROM themes WHERE name GLOB ?", (kind,))
                    for kind in ("a*", "b*")
                )
                assert a == b
                seen.append(a)
        writer.kill()
    assert seen == sorted(seen)
    assert seen[-1] > seen[0]


def test_only_the_newest_copies_are_kept(db: Database, tmp_path: Path) -> None:
    """No file that is not ours is touched."""
    folder = tmp_path / "kept"
    folder.mkdir()
    others = {"notes.txt", "digest-old.db", "other-20200101T000000Z.db", "digest.db"}
    for name in others:
        (folder / name).write_text("mine")
    for day in range(5):
        back_up(db, folder, days=day, keep=2)
    ours = [f"digest-202611{day}T040000Z.db" for day in (25, 26)]
    assert files(folder) == others | set(ours)
    assert [path.name for path in backups_in(db.path, folder)] == ours


def test_copies_from_before_the_clock_was_put_back_do_not_count(
    db: Database, tmp_path: Path
) -> None:
    """They are dated in the future; the copy just made is kept."""
    folder = tmp_path / "kept"
    ahead = [back_up(db, folder, days=day, keep=2) for day in (1, 2)]
    today, later = (backup(db, folder, NOW + timedelta(hours=h), keep=2) for h in (0, 1))
    assert (today.removed, later.removed) == ((), ())
    assert set(backups_in(db.path, folder)) == {today.path, later.path, *ahead}
    assert not backup_is_due(db.path, folder, NOW + timedelta(hours=2))
    last = backup(db, folder, NOW + timedelta(hours=2), keep=2)
    assert last.removed == (today.path,)
    assert set(backups_in(db.path, folder)) == {later.path, last.path, *ahead}


def test_the_half_copy_of_a_killed_backup_is_deleted_after_a_day(
    db: Database, tmp_path: Path
) -> None:
    """One under way is left alone, and one that another run deletes meanwhile is no error."""
    folder = tmp_path / "kept"
    folder.mkdir()
    (folder / ".digest-2.part").symlink_to("gone")
    (folder / ".digest-1.part").write_text("half")
    today = datetime.fromtimestamp((folder / ".digest-1.part").stat().st_mtime, UTC)
    backup(db, folder, today, keep=1)
    assert ".digest-1.part" in files(folder)
    backup(db, folder, today + timedelta(days=2), keep=1)
    assert ".digest-1.part" not in files(folder)


def test_a_new_file_is_on_the_disk_before_it_has_its_name(tmp_path: Path) -> None:
    """After a power cut, the name of an export or a backup is never that of half a file."""
    calls: list[str] = []

    def note(_: FrameType, event: str, call: object) -> None:
        if event == "c_call" and call in (os.fsync, os.replace):
            calls.append("replace" if call is os.replace else "fsync")

    sys.setprofile(note)
    try:
        with new_file(tmp_path / "out") as made:
            made.write_text("all of it")
    finally:
        sys.setprofile(None)
    assert calls[:2] == ["fsync", "replace"]
    assert (tmp_path / "out").read_text() == "all of it"


@pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() != 0, reason="only root gives files away"
)
def test_what_root_restores_belongs_to_the_service(filled: Desk) -> None:
    """On a new machine only an empty folder is the service's, and yet it can send."""
    copy = copied(filled)
    new = filled.folder / "new"
    new.mkdir()
    os.chown(new, 65534, 65534)
    restore(copy, new / "digest.db", NOW)
    assert files(new) == {"digest.db", "digest.db.sender"}
    owners = {(one.stat().st_uid, one.stat().st_gid) for one in new.iterdir()}
    assert owners == {(65534, 65534)}


@pytest.mark.skipif(sys.platform == "win32", reason="limits of POSIX")
def test_a_full_disk_changes_nothing(filled: Desk) -> None:
    """The old copies and the database are as before, and no half-made file is left."""
    copy = copied(filled)
    before = {path: path.read_bytes() for path in (copy, filled.store)}
    command = [sys.executable, "-c", FULL, str(filled.store), str(copy.parent), str(copy)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    messages = done.stdout.splitlines()
    assert len(messages) == 2
    assert all("Check whether the disk is full" in message for message in messages)
    assert files(copy.parent) == {copy.name}
    assert {path: path.read_bytes() for path in before} == before
    assert not [name for name in files(filled.folder) if ".part" in name or "before" in name]


def test_a_restored_database_is_the_copy_and_the_old_one_is_kept(filled: Desk) -> None:
    """After a needless restore both databases exist, complete."""
    with filled.open() as db:
        articles = db.value("SELECT count(*) FROM articles")
        copy = back_up(db, filled.folder / "backups")
        with db.write():
            db.insert("meta", {"key": "later", "value": "1"})
    kept = restore(copy, filled.store, NOW)
    assert kept == filled.folder / "digest-before-20261122T040000Z.db"
    with filled.open() as db:
        assert db.value("SELECT count(*) FROM articles") == articles
        assert db.value("SELECT count(*) FROM meta WHERE key = 'later'") == 0
    assert verify(kept)["articles"] == articles
    with open_database(kept, read_only=True) as old:
        assert old.value("SELECT value FROM meta WHERE key = 'later'") == "1"
    assert verify(copy)["articles"] == articles


@pytest.mark.parametrize("has_sent", [True, False])
@pytest.mark.parametrize("place", [restore, shutil.copy], ids=["restore", "cp"])
def test_a_copy_in_place_waits_to_be_adopted(
    db: Database, tmp_path: Path, place: Callable[..., object], has_sent: bool
) -> None:
    """Even at the same path, the copy does not know what was sent after it."""
    if has_sent:
        with db.write():
            activate(db, HERE)
    copy = back_up(db, tmp_path / "kept")
    db.close()
    place(copy, db.path, *([NOW] if place is restore else []))
    refused = pytest.raises(SenderError, match=r"restored or imported.*digest activate")
    with open_database(db.path) as restored:
        with refused, restored.write():
            check_home(restored, HERE)
        with restored.write():
            activate(restored, HERE)
        with restored.write():
            check_home(restored, HERE)


def test_a_database_that_is_gone_can_be_restored(db: Database, tmp_path: Path) -> None:
    """After the disk died there is nothing to keep aside."""
    copy = back_up(db, tmp_path / "kept")
    assert restore(copy, tmp_path / "digest-new.db", NOW) is None
    assert verify(tmp_path / "digest-new.db") == verify(copy)


def test_a_damaged_database_is_kept_as_it_is_with_its_log(filled: Desk) -> None:
    """It can be rescued later, and its log does not meet the new database."""
    copy = copied(filled)
    filled.store.write_bytes(b"\xa5" * 4096 + filled.store.read_bytes()[4096:])
    broken = filled.store.read_bytes()
    filled.store.with_name("digest.db-wal").write_bytes(b"a log")
    kept = restore(copy, filled.store, NOW)
    assert kept is not None
    assert kept.read_bytes() == broken
    assert kept.with_name(kept.name + "-wal").read_bytes() == b"a log"
    with filled.open() as db:
        assert db.value("SELECT count(*) FROM articles") > 30


def test_nothing_is_restored_while_another_sends(filled: Desk) -> None:
    """The sender keeps its record of what it sent."""
    copy = copied(filled)
    before = filled.store.read_bytes()
    with sole_sender(filled.store, NOW, "another"), pytest.raises(SenderError, match="is sending"):
        restore(copy, filled.store, NOW)
    assert filled.store.read_bytes() == before


def test_nothing_is_restored_while_another_has_it_open(filled: Desk) -> None:
    """A running service would write into the file that is put aside."""
    with filled.open() as db:
        copy = back_up(db, filled.folder / "backups")
        with pytest.raises(StoreError, match=r"another process has it open.*Nothing was changed"):
            restore(copy, filled.store, NOW, busy_timeout_seconds=0.05)
        assert db.value("SELECT count(*) FROM articles") > 30
    assert not [name for name in files(filled.folder) if ".part" in name or "before" in name]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        pytest.param(lambda path: path.unlink(), "no such file", id="missing"),
        pytest.param(lambda path: path.write_text("x" * 5000), "not a database", id="no database"),
        pytest.param(lambda path: path.write_bytes(b""), "not a database of this", id="empty"),
        pytest.param(damage, "damaged|malformed", id="damaged"),
        pytest.param(lambda path: os.truncate(path, 40_000), "damaged|malformed", id="cut off"),
    ],
)
def test_a_copy_that_is_not_sound_is_refused(filled: Desk, spoil, message: str) -> None:
    """The present database is worth more than half a copy."""
    copy = copied(filled)
    spoil(copy)
    before = filled.store.read_bytes()
    with pytest.raises(StoreError, match=message):
        restore(copy, filled.store, NOW)
    assert filled.store.read_bytes() == before


def test_the_database_itself_is_not_a_copy(filled: Desk) -> None:
    """A slip of the hand changes nothing."""
    with pytest.raises(StoreError, match="is the database itself"):
        restore(filled.store, filled.store, NOW)
