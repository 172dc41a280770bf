"""One sender at a time, and only where the database is at home."""

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from digest.errors import SenderError
from digest.store.database import Database
from digest.store.owner import activate, check_home, sole_sender, token_key
from tests.desks import ROOT

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
HOLD = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from digest.store.owner import sole_sender
with sole_sender(Path(sys.argv[1]), datetime(2026, 11, 23, tzinfo=UTC)):
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
        with pytest.raises(SenderError, match=sender), sole_sender(path, NOW):
            pass
        first.kill()
    with sole_sender(path, NOW):
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


def test_the_key_of_the_tokens_is_made_once(db: Database) -> None:
    """A link in an old mail never expires."""
    with db.write():
        assert token_key(db, lambda: b"k" * 32) == b"k" * 32
        assert token_key(db, lambda: b"x" * 32) == b"k" * 32
