"""A desk as an operator has it: a folder with config.toml, seeds/, and what the commands make."""

import hashlib
import json
import os
import pty
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from digest.cli.main import main
from digest.config.load import load_settings
from digest.config.settings import Settings
from digest.feeds.files import PublishReport
from digest.feeds.publish import publish
from digest.newsroom import Clock, Newsroom, make_environment
from digest.sources.ingest import IngestReport, ingest
from digest.store.database import Database, open_database

ROOT = Path(__file__).parents[1]
CONFIG = ROOT / "digest" / "config" / "config.toml"
"""Every setting, with its default."""
LISTING = "002_e89ea2d84f60b326.txt"
FULL_TEXT = "000_8cb3c00af4f4dce3.txt"
PAGES = make_environment()
MADE_AT = datetime(2026, 11, 16, 6, 0, tzinfo=UTC)
"""When the stores of tests are made."""
MACHINE = Clock()
WATCHING = {"Authorization": "Bearer f3a1c09e7b5d4e6288aa41c7"}


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def opened(
    db: Database | None, settings: Settings, *, clock: Any = MACHINE, **parts: Any
) -> Newsroom:
    """A newsroom with an open database and these parts; `clock` may be a moment."""
    now = (lambda: clock) if isinstance(clock, datetime) else clock
    return Newsroom(settings, now, parts, db)


@lru_cache(maxsize=8)
def _settings(config: Path, contents: bytes) -> Settings:
    return load_settings(config)


@dataclass(frozen=True)
class Desk:
    folder: Path

    config = property(lambda self: self.folder / "config.toml")
    store = property(lambda self: self.folder / "digest.db")
    seeds = property(lambda self: self.folder / "seeds")

    @property
    def settings(self) -> Settings:
        return _settings(self.config, self.config.read_bytes())

    def open(self, *, read_only: bool = False) -> Database:
        """By the machine's clock, as commands do: `digest doctor` checks how old the store is."""
        return open_database(self.store, now=Clock()(), busy_timeout_seconds=5, read_only=read_only)

    def ingest(self, now: datetime, *, archive: bool = False) -> IngestReport:
        with self.open() as db:
            return ingest(opened(db, self.settings, clock=lambda: now), archive=archive)

    def publish(self) -> PublishReport:
        with self.open() as db:
            return publish(opened(db, self.settings, templates=PAGES))

    def configure(self, **changes: str) -> None:
        """Set keys of config.toml, in every line that begins with one."""
        lines = self.config.read_text("utf-8").splitlines()
        for key, value in changes.items():
            numbers = [i for i, line in enumerate(lines) if line.startswith(f"{key} = ")]
            assert numbers, f"config.toml has no line for {key}"
            for i in numbers:
                lines[i] = f"{key} = {value}"
        self.config.write_text("\n".join(lines) + "\n", "utf-8")

    def edit_config(self, *changes: str) -> None:
        """Replace texts in config.toml, each where it comes first: old, new, old, new …"""
        text = self.config.read_text("utf-8")
        for old, new in zip(changes[::2], changes[1::2], strict=True):
            assert old in text, f"config.toml does not contain {old!r}"
            text = text.replace(old, new, 1)
        self.config.write_text(text, "utf-8")

    def open_reports(self) -> None:
        """Name the token with which /readyz and /metrics are asked: `WATCHING`."""
        (self.folder / "monitor-token").write_text(WATCHING["Authorization"].split()[1] + "\n")
        text = self.config.read_text("utf-8")
        if "\n# monitor_token_file" in text:
            self.config.write_text(
                text.replace("# monitor_token_file", "monitor_token_file"), "utf-8"
            )

    def command(self, *arguments: str) -> list[str]:
        """The words that start `digest` as a process of its own."""
        return [sys.executable, "-m", "digest", "--config", str(self.config), *arguments]

    def run(self, *arguments: str, answer: str | None = None) -> Result:
        """Run a command as an operator does; an unexpected error is raised."""
        result = CliRunner().invoke(main, ["--config", str(self.config), *arguments], input=answer)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    def json(self, *arguments: str) -> Any:
        """The output of a command with --json."""
        result = self.run(*arguments, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    def files(self, *folders: str) -> dict[str, str]:
        """The sha256 of the database and of every file in these folders, by name."""
        names = [path for one in folders for path in sorted((self.folder / one).rglob("*"))]
        return {
            str(path.relative_to(self.folder)): sha256(path)
            for path in (self.store, *names)
            if path.is_file()
        }

    def edit_seed(self, name: str, old: str, new: str) -> None:
        path = self.seeds / name
        text = path.read_text("utf-8")
        assert text.count(old) == 1, f"{old!r} is {text.count(old)} times in {name}"
        path.write_text(text.replace(old, new), "utf-8")


def make_desk(folder: Path, store: Path | None = None) -> Desk:
    """A folder as a newcomer has it before the first command; with a copy of `store` if given."""
    shutil.copytree(ROOT / "seeds", folder / "seeds")
    shutil.copy(CONFIG, folder)
    desk = Desk(folder)
    if store is not None:
        shutil.copy(store, desk.store)
    return desk


def in_terminal(
    folder: Path, *words: str, typed: str = "", until: str | None = None, **variables: str
) -> str:
    """What a person at a terminal of 80 columns sees, who types this, and Ctrl-C once they see `until`."""
    ours, theirs = pty.openpty()
    environment = {
        **{name: value for name, value in os.environ.items() if name != "NO_COLOR"},
        **{"TERM": "xterm-256color", "COLUMNS": "80", "PYTHONPATH": os.pathsep.join(sys.path)},
        **variables,
    }
    child = subprocess.Popen(
        [sys.executable, "-m", "digest", *words],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=folder,
        env=environment,
    )
    os.close(theirs)
    os.write(ours, typed.encode())
    seen = b""
    try:
        while part := os.read(ours, 65536):
            seen += part
            if until is not None and until.encode() in seen:
                child.send_signal(signal.SIGINT)
                until = None
    except OSError:  # on Linux: the other side has closed
        pass
    finally:
        os.close(ours)
    assert child.wait(timeout=30) == 0, seen
    return seen.decode()
