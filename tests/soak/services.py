"""The processes of `digest serve`: started, watched, killed; and their logs.

python -m tests.soak.services CLOCK CONFIG [OPTIONS]        `digest serve` on the clock of a soak
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from digest.cli.main import DigestGroup
from digest.cli.service import serve
from digest.config.load import load_settings
from digest.newsroom import Clock, Newsroom
from tests.desks import ROOT

SLACK = timedelta(seconds=1.0)
"""How much later than the end of its cause an error may be logged."""


@dataclass(frozen=True)
class Cause:
    """A fault that the world caused: which lines of the log it explains, from when to when."""

    event: str
    begun: datetime
    ended: datetime

    def explains(self, line: dict[str, Any]) -> bool:
        at = datetime.fromisoformat(line["time"])
        return line["event"] == self.event and self.begun <= at <= self.ended + SLACK


@dataclass
class Life:
    """One process, from its start to its end. `memory` are samples: seconds of life, bytes."""

    number: int
    port: int
    process: subprocess.Popen[bytes]
    log: Path
    begun: float
    memory: list[tuple[float, int]] = field(default_factory=list)
    killed: bool = False
    ended: float | None = None

    @property
    def lives(self) -> bool:
        return self.ended is None and self.process.poll() is None

    def sample(self, now: float) -> None:
        """Record how much memory it uses."""
        with contextlib.suppress(OSError):
            pages = int(Path(f"/proc/{self.process.pid}/statm").read_text("ascii").split()[1])
            self.memory.append((now - self.begun, pages * os.sysconf("SC_PAGE_SIZE")))

    def strike(self) -> None:
        """Kill it without warning."""
        if self.process.poll() is None:
            self.killed = True
            self.process.send_signal(signal.SIGKILL)

    def kill(self, now: float) -> None:
        """Strike it, and wait until it is gone."""
        self.strike()
        self.process.wait(20)
        self.ended = now

    def stop(self, now: float) -> int:
        """As systemd does; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(60)
        self.ended = now
        return code

    def lines(self) -> list[dict[str, Any]]:
        """Its log. A line that is no JSON object has the event None."""
        parsed: list[dict[str, Any]] = []
        # A killed process may have written half of its last line.
        for line in self.log.read_text("utf-8", errors="replace").split("\n")[:-1]:
            try:
                parsed.append(json.loads(line))
            except ValueError:
                parsed.append({"event": None, "level": "error", "text": line})
        return parsed

    @property
    def serves(self) -> bool:
        """Whether it answers requests, and handles signals."""
        return self.lives and b'"event": "serving"' in self.log.read_bytes()


@dataclass
class Services:
    """All of them, on one desk. `causes` are the faults that the world caused."""

    folder: Path
    lives: list[Life] = field(default_factory=list)
    causes: list[Cause] = field(default_factory=list)

    @property
    def alive(self) -> list[Life]:
        return [life for life in self.lives if life.lives]

    def begin(self, port: int, now: float) -> Life:
        number = len(self.lives) + 1
        log = self.folder / f"life-{number:03}.log"
        words = [sys.executable, "-m", "tests.soak.services", str(self.folder / "clock.json")]
        words += [str(self.folder / "config.toml"), "--port", str(port)]
        with log.open("wb") as stream:
            process = subprocess.Popen(
                words, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream
            )
        self.lives.append(Life(number, port, process, log, now))
        return self.lives[-1]

    def end(self, now: float) -> None:
        """No process outlives the soak."""
        for life in self.alive:
            life.kill(now)

    def caused(self, event: str, begun: datetime) -> None:
        """The world's fault lasted until now."""
        self.causes.append(Cause(event, begun, datetime.now(UTC)))  # noqa: TID251 - the machine's

    def unexplained(self) -> list[str]:
        """Each line of the logs at level error or above that no cause explains."""
        return [
            f"{life.log.name}: {json.dumps(line, ensure_ascii=False)}"
            for life in self.lives
            for line in life.lines()
            if line["level"] in ("error", "critical") or "trace" in line
            if line["event"] is None or not any(one.explains(line) for one in self.causes)
        ]


def fast_desk(clock: Clock, config: Path) -> SimpleNamespace:
    """What the commands expect as their context object, on that clock."""
    return SimpleNamespace(newsroom=Newsroom(load_settings(config), clock))


def write_clock(path: Path, clock: Clock) -> None:
    """The clock for every process of a soak, so that it runs on while some of them are dead."""
    moments = {"starts": clock.starts.isoformat(), "begun": clock.begun.isoformat()}
    path.write_text(json.dumps({"pace": clock.pace, **moments}), "utf-8")


def read_clock(path: Path) -> Clock:
    stored = json.loads(path.read_text("utf-8"))
    starts, begun = (datetime.fromisoformat(stored[key]) for key in ("starts", "begun"))
    return Clock(stored["pace"], starts, begun)


if __name__ == "__main__":
    desk = fast_desk(read_clock(Path(sys.argv[1])), Path(sys.argv[2]))
    DigestGroup(commands=[serve]).main(["serve", *sys.argv[3:]], prog_name="digest", obj=desk)
