"""Files that hold addresses, the key of tokens or embargoed copy: their owner's alone."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from digest.store.files import open_private, private_folder
from tests.desks import Desk

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="modes of POSIX")
PUBLIC = {"config.toml", "seeds", "feeds"}


@pytest.fixture(params=[0o000, 0o077], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def modes(folder: Path) -> dict[str, int]:
    """The mode of every file and folder that commands made there, but for what is published."""
    return {
        str(path.relative_to(folder)): path.stat().st_mode & 0o777
        for path in folder.rglob("*")
        if path.relative_to(folder).parts[0] not in PUBLIC
    }


def test_all_that_commands_make_is_private_but_feeds(desk: Desk, umask: int) -> None:
    """Whatever the umask of the shell, and after a restore; a web server can read what is published."""
    assert desk.run("ingest").exit_code == 0
    with desk.open():  # while it is open, SQLite has its -wal and -shm beside it
        for words in (
            ("publish",),
            ("recipients", "add", "reader@example.net"),
            ("send", "--dry-run", "--out", str(desk.folder / "preview")),
            ("send", "--yes"),
            ("backup",),
            ("export", str(desk.folder / "exports" / "all.jsonl")),
        ):
            assert desk.run(*words).exit_code == 0
        made = modes(desk.folder)
    assert {"digest.db-wal", "digest.db-shm", "digest.db.sender", "outbox/new"} <= made.keys()
    copy = next((desk.folder / "backups").iterdir())
    assert desk.run("restore", "--yes", str(copy)).exit_code == 0
    made |= modes(desk.folder)
    assert any("-before-" in name for name in made)
    wrong = {
        name: oct(mode)
        for name, mode in made.items()
        if mode != (0o700 if (desk.folder / name).is_dir() else 0o600)
    }
    assert wrong == {}
    feed = (desk.folder / "feeds" / "all.atom").stat().st_mode & 0o777
    assert feed == 0o666 & ~umask


def test_a_group_that_was_given_access_keeps_it(filled: Desk) -> None:
    """By an operator's chmod of the database, which a restore keeps, and of the folder of the outbox."""
    filled.store.chmod(0o644)
    assert filled.run("backup").exit_code == 0
    copy = next((filled.folder / "backups").iterdir())
    assert filled.run("restore", "--yes", str(copy)).exit_code == 0
    assert filled.store.stat().st_mode & 0o777 == 0o640
    outbox = filled.folder / "outbox" / "new"
    private_folder(outbox)
    outbox.chmod(0o2750)
    with open_private(outbox / "mail") as file:
        assert os.fstat(file.fileno()).st_mode & 0o777 == 0o640


@pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() != 0, reason="only root gives files away"
)
def test_what_root_makes_belongs_to_the_owner_of_the_folder(desk: Desk) -> None:
    """Else the service could not open its own database and outbox."""
    os.chown(desk.folder, 65534, 65534)
    for words in (
        ("ingest",),
        ("recipients", "add", "reader@example.net"),
        ("send", "--yes"),
        ("backup",),
    ):
        assert desk.run(*words).exit_code == 0
    made = [desk.folder / name for name in modes(desk.folder)]
    assert {(one.stat().st_uid, one.stat().st_gid) for one in made} == {(65534, 65534)}
