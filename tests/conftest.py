"""Stores and desks for tests: real SQLite, the real config.toml and seeds, new for each test."""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import settings

from digest.store.database import Database, open_database
from tests.desks import MADE_AT, ROOT, Desk, make_desk

# No test may fail only because the machine is busy.
settings.register_profile("ours", deadline=None)
settings.load_profile("ours")
INGESTED_AT = datetime(2026, 11, 18, 6, 30, tzinfo=UTC)


def users_files() -> dict[Path, tuple[int, int]]:
    """Size and time of each file that the user of the checkout may have made."""
    folders = [ROOT / name for name in ("preview", "outbox", "feeds")]
    paths = [ROOT / "digest.db", *(path for folder in folders for path in folder.rglob("*"))]
    stats = {path: path.stat() for path in paths if path.is_file()}
    return {path: (stat.st_size, stat.st_mtime_ns) for path, stat in stats.items()}


@pytest.fixture(scope="session", autouse=True)
def _away_from_the_checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test writes into the checkout: not by its own path, nor by a command's default."""
    before, here = users_files(), Path.cwd()
    os.chdir(tmp_path_factory.mktemp("away"))
    yield
    os.chdir(here)
    assert users_files() == before, "a test wrote into the checkout"


def grows_in_proportion(work: Callable[[int], object], size: int) -> bool:
    """Whether four times the size takes about four times as long; in quadratic time it takes sixteen.

    Two times of one machine, compared: a bound in seconds would fail on a busy one. What runs beside it may
    double one of them by chance, but not in each of three tries.
    """

    def seconds(size: int) -> float:
        began = time.process_time()
        work(size)
        return time.process_time() - began

    seconds(size)  # what is loaded once
    return any(seconds(4 * size) < 10 * seconds(size) + 0.2 for _ in range(3))


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    """An empty store with the real schema."""
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
    """A desk that ingested its seeds on Wednesday, 18 November 2026."""
    shutil.copy(ingested_store, desk.store)
    return desk
