"""A failing disk loses nothing: there is one clear error, and work goes on when it can."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from digest.errors import StoreError
from digest.store.database import Database, integrity_faults, open_database
from tests.desks import MADE_AT

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="limits and rights of POSIX")

AS_NOBODY = """
import os, sys
from pathlib import Path
from digest.errors import StoreError
from digest.store.database import open_database
from digest.store.database import integrity_faults
import digest.store.database
Path.cwd().as_uri()  # what this loads nobody may be unable to read
if os.geteuid() == 0:
    os.setgid(65534); os.setuid(65534)
for read_only in (False, True):
    try:
        with open_database(Path(sys.argv[1]), busy_timeout_seconds=0.1, read_only=read_only) as db:
            if read_only:
                print("read", len(db.rows("SELECT * FROM meta")))
            else:
                with db.write():
                    db.insert("meta", {"key": "b", "value": "2"})
                print("written")
    except StoreError as e:
        print("StoreError", e)
"""

FILL = """
import resource, sys
from pathlib import Path
from digest.errors import StoreError
from digest.store.database import open_database
with open_database(Path(sys.argv[1])) as db:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, hard))
    writes = 0
    try:
        while True:
            with db.write():
                for i in range(10):
                    db.insert("meta", {"key": f"{writes}-{i}", "value": "x" * 4000})
            writes += 1
    except StoreError as e:
        print(e)
    print(writes, db.value("SELECT count(*) FROM meta"))
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    with db.write():
        db.insert("meta", {"key": "room", "value": "again"})
    print(db.value("SELECT value FROM meta WHERE key = 'room'"))
"""


def run(script: str, path: Path) -> list[str]:
    command = [sys.executable, "-c", script, str(path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    return done.stdout.splitlines()


@pytest.fixture
def store() -> Iterator[Path]:
    """A store in a folder that any user may enter: pytest's own are closed to others."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with open_database(folder / "digest.db", now=MADE_AT) as db, db.write():
            db.insert("meta", {"key": "a", "value": "1"})
        folder.chmod(0o777)
        (folder / "digest.db").chmod(0o666)
        yield folder / "digest.db"
        folder.chmod(0o777)


def test_a_read_only_file_can_be_read(store: Path) -> None:
    """A command run as another user is refused, and reading goes on."""
    store.chmod(0o444)
    written, read = run(AS_NOBODY, store)
    assert "cannot be written to" in written
    assert "permissions" in written
    assert read == "read 2"
    for one in store.parent.iterdir():  # SQLite gives the files beside it the same permissions
        one.chmod(0o666)
    assert run(AS_NOBODY, store) == ["written", "read 3"]


def test_a_read_only_folder_is_reported(store: Path) -> None:
    """The folder may belong to another user: the error says where, and what SQLite needs."""
    store.parent.chmod(0o555)
    for line in run(AS_NOBODY, store):
        assert line.startswith(f"StoreError {store}: cannot be")
        assert "its folder" in line
    store.parent.chmod(0o777)
    assert run(AS_NOBODY, store) == ["written", "read 3"]


def test_a_folder_that_cannot_be_reached_is_reported(tmp_path: Path) -> None:
    """The disk may be missing: the error says where, and what to check."""
    away = tmp_path / "away"
    away.symlink_to("x" * 300)  # no disk can have that name
    for read_only in (False, True):
        with pytest.raises(StoreError, match=r"digest\.db: cannot be reached \(.*permissions"):
            open_database(away / "digest.db", read_only=read_only)


def test_a_closed_folder_is_reported(store: Path) -> None:
    """Another user may not be allowed to enter a folder above."""
    (store.parent / "deep").mkdir()
    path = store.rename(store.parent / "deep" / "digest.db")
    path.parent.chmod(0)
    for line in run(AS_NOBODY, path):
        assert line.startswith(f"StoreError {path}: cannot be ")
    path.parent.chmod(0o777)


def test_a_full_disk_loses_nothing_and_it_goes_on_when_there_is_room(db: Database) -> None:
    """What was committed is there, the rest can be done again."""
    db.close()
    error, counts, after = run(FILL, db.path)
    assert f"{db.path}: the disk" in error
    assert "nothing was written" in error
    assert "full" in error
    writes, rows = map(int, counts.split())
    assert writes > 0
    assert rows == writes * 10 + 1
    assert after == "again"
    with open_database(db.path) as again:
        assert integrity_faults(again) == []
        assert again.value("SELECT count(*) FROM meta") == rows + 1


@pytest.mark.parametrize("read_only", [True, False], ids=["reading", "writing"])
def test_a_damaged_page_is_reported(db: Database, read_only: bool) -> None:
    """The error says what to do, and the file stays as it is for a rescue."""
    with db.write():
        for i in range(500):
            db.insert("meta", {"key": f"{i:05d}", "value": "x" * 300})
    db.close()
    page = 4096
    data = bytearray(db.path.read_bytes())
    for start in range(len(data) - 20 * page, len(data), page):
        data[start : start + page] = b"\xa5" * page
    db.path.write_bytes(data)
    with open_database(db.path, read_only=read_only) as broken:
        with pytest.raises(StoreError, match=r"is damaged.*digest restore"):
            broken.rows("SELECT * FROM meta")
        assert integrity_faults(broken) != []
    assert db.path.read_bytes() == data
