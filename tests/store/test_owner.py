"""One sender at a time, and only where the database is at home."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path

import pytest

from digest.errors import SenderError
from digest.store.database import Database, open_database
from digest.store.owner import activate, add_token_key, check_home, is_copy, sole_sender, token_keys
from tests.desks import ROOT

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
HOLD = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from digest.store.owner import sole_sender
with sole_sender(Path(sys.argv[1]), datetime(2026, 11, 23, tzinfo=UTC), "first"):
    print("sending", flush=True)
    sys.stdin.read()
"""


def test_a_second_sender_learns_who_sends(tmp_path: Path) -> None:
    """By process id and start time; when the first one dies, the second may send."""
    path = tmp_path / "digest.db"
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=pipe, stdout=pipe, text=True, cwd=ROOT
    ) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "sending\n"
        sender = f"process {first.pid}, started 2026-11-23"
        with pytest.raises(SenderError, match=sender), sole_sender(path, NOW, "second"):
            pass
        first.kill()
    with sole_sender(path, NOW, "second"):
        assert str(os.getpid()) in path.with_name("digest.db.sender").read_text("utf-8")


def test_the_first_to_send_makes_its_place_the_home(db: Database) -> None:
    """A copy elsewhere refuses and names the command; the original goes on."""
    with db.write():
        check_home(db, "this machine:/srv/digest.db")
        check_home(db, "this machine:/srv/digest.db")
        with pytest.raises(SenderError, match="digest activate"):
            check_home(db, "that machine:/srv/digest.db")
        activate(db, "that machine:/srv/digest.db")
        check_home(db, "that machine:/srv/digest.db")
        with pytest.raises(SenderError, match="that machine"):
            check_home(db, "this machine:/srv/digest.db")


def test_the_keys_of_the_tokens_stay(db: Database) -> None:
    """A link in an old mail never expires, also after there is a new key."""
    with db.write():
        add_token_key(db, b"k" * 32)
        add_token_key(db, b"x" * 32)
    assert token_keys(db) == [b"x" * 32, b"k" * 32]


def replace_wal(path: Path) -> None:
    path.with_name("digest.db-wal").unlink()


def replace_database(path: Path) -> None:
    path.rename(path.with_name("gone.db"))
    shutil.copy(path.with_name("gone.db"), path)


@pytest.mark.parametrize(
    ("act", "words"),
    [
        pytest.param(lambda path: None, None, id="nothing"),
        pytest.param(lambda path: path.with_name("digest.db.sender").unlink(), "lock file", id="its lock was removed"),
        pytest.param(replace_wal, "removed or replaced", id="the log of the database was removed"),
        pytest.param(replace_database, "removed or replaced", id="the database was replaced"),
    ],
)  # fmt: skip
def test_a_sender_checks_that_it_is_still_the_only_one(
    tmp_path: Path, act: Callable[[Path], None], words: str | None
) -> None:
    """Before each group of messages: else two could hand over the same mail."""
    path = tmp_path / "digest.db"
    with open_database(path, now=NOW) as db, sole_sender(path, NOW, "first") as sender:
        with db.write():
            sender.begin(db, "here")
        act(path)
        expected = nullcontext() if words is None else pytest.raises(SenderError, match=words)
        with db.write(), expected:
            sender.check(db)


def test_an_earlier_sender_hands_over_nothing_more(tmp_path: Path) -> None:
    """Although both have a lock, since the file was removed: the database names the one that may."""
    path = tmp_path / "digest.db"
    with open_database(path, now=NOW) as db, sole_sender(path, NOW, "first") as first:
        with db.write():
            first.begin(db, "here")
        first.note(NOW, "first")
        first.lock.unlink()
        with sole_sender(path, NOW, "second") as second, db.write():
            assert "first" not in second.earlier
            second.begin(db, "here")
            second.check(db)
            with pytest.raises(SenderError, match="another process has begun"):
                first.check(db)


def test_an_older_database_in_the_place_of_the_one_that_sent_refuses(tmp_path: Path) -> None:
    """The lock file remembers who sent last, and the copy does not know; `activate` settles it."""
    path, copy = tmp_path / "digest.db", tmp_path / "copy.db"
    open_database(path, now=NOW).close()
    shutil.copy(path, copy)

    def send(mark: str) -> None:
        with open_database(path) as db, sole_sender(path, NOW, mark) as sender:
            with db.write():
                sender.begin(db, "here")
            sender.note(NOW, mark)

    send("first")
    send("second")
    copy.replace(path)
    with pytest.raises(SenderError, match="digest activate"):
        send("third")
    with open_database(path) as db, db.write():
        assert is_copy(db)
        activate(db, "here")
        assert not is_copy(db)
    send("fourth")
