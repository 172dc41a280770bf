"""Stores and desks for tests: real SQLite, the real config.toml and the real seeds, each test its own."""

import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from digest.store.database import Database, open_database
from tests.desks import MADE_AT, ROOT, Desk, make_desk

INGESTED_AT = datetime(2026, 11, 18, 6, 30, tzinfo=UTC)


def theirs() -> dict[str, tuple[int, int]]:
    """Size and time of each file that belongs to the person whose checkout this is."""
    files = [ROOT / "digest.db"]
    for folder in ("preview", "outbox", "feeds"):
        files += (ROOT / folder).rglob("*")
    return {
        str(path): (path.stat().st_size, path.stat().st_mtime_ns)
        for path in files
        if path.is_file()
    }


@pytest.fixture(scope="session", autouse=True)
def _away_from_the_checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test writes into the checkout: not by a path of its own, nor by a command's default."""
    before, here = theirs(), Path.cwd()
    os.chdir(tmp_path_factory.mktemp("away"))
    yield
    os.chdir(here)
    assert theirs() == before, "a test wrote into the checkout"


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    """An empty store, made with the real schema."""
    with open_database(tmp_path / "digest.db", now=MADE_AT, busy_timeout_seconds=0.1) as store:
        yield store


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A folder with config.toml and seeds/, as a newcomer has it before the first command."""
    return make_desk(tmp_path / "desk")


@pytest.fixture(scope="session")
def ingested_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store after the first ingest of the seeds; made once, to be copied."""
    made = make_desk(tmp_path_factory.mktemp("ingested") / "desk")
    made.ingest(INGESTED_AT)
    return made.store


@pytest.fixture
def filled(desk: Desk, ingested_store: Path) -> Desk:
    """A desk whose seeds came in on Wednesday, 18 November 2026."""
    shutil.copy(ingested_store, desk.store)
    return desk
