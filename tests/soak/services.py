"""The processes of `digest serve`: begun, watched, killed; and what their logs say."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.desks import ROOT

SLACK = timedelta(seconds=1.0)
"""An error may be told so much later than its cause has ended."""


@dataclass(frozen=True)
class Cause:
    """A fault that the world made: which lines of the log it explains, and from when to when."""

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
        """Note how much memory it holds."""
        try:
            text = Path(f"/proc/{self.process.pid}/statm").read_text("ascii")
        except OSError:
            return
        self.memory.append((now - self.begun, int(text.split()[1]) * os.sysconf("SC_PAGE_SIZE")))

    def strike(self) -> None:
        """Kill it, without a word."""
        if self.process.poll() is None:
            self.killed = True
            self.process.send_signal(signal.SIGKILL)

    def end(self, now: float) -> None:
        """It was struck, and is gone."""
        self.process.wait(20)
        self.ended = now

    def stop(self, now: float) -> int:
        """As systemd does; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(60)
        self.ended = now
        return code

    def lines(self) -> list[dict[str, Any]]:
        """Its log. What is no JSON object of ours is a line with the event None."""
        text = self.log.read_text("utf-8", errors="replace")
        # Of who was killed, the last line may be half written.
        lines = text.splitlines() if text.endswith("\n") else text.splitlines()[:-1]
        return [_parsed(line) for line in lines]

    @property
    def serves(self) -> bool:
        """Whether it has come so far that it can be asked, and heeds signals."""
        return self.lives and b'"event": "serving"' in self.log.read_bytes()


def _parsed(line: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(line)
    except ValueError:
        return {"event": None, "level": "error", "text": line}
    return found


@dataclass
class Services:
    """All of them, on one desk. `causes` are what the world did to them."""

    folder: Path
    lives: list[Life] = field(default_factory=list)
    causes: list[Cause] = field(default_factory=list)

    @property
    def alive(self) -> list[Life]:
        return [life for life in self.lives if life.lives]

    def begin(self, port: int, now: float) -> Life:
        number = len(self.lives) + 1
        log = self.folder / f"life-{number:03}.log"
        words = ["-m", "tests.soak.serve", str(self.folder / "clock.json")]
        words += [str(self.folder / "config.toml"), "--port", str(port)]
        with log.open("wb") as stream:
            process = subprocess.Popen(
                [sys.executable, *words],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
            )
        self.lives.append(Life(number, port, process, log, now))
        return self.lives[-1]

    def end(self, now: float) -> None:
        """Let none of them outlive the soak."""
        for life in self.alive:
            life.strike()
            life.end(now)

    def caused(self, event: str, begun: datetime) -> None:
        """The world's fault lasted until now."""
        self.causes.append(Cause(event, begun, datetime.now(UTC)))  # noqa: TID251 - the machine's

    def unexplained(self) -> list[str]:
        """Each line of the logs at level error or above that no cause explains."""
        found = []
        for life in self.lives:
            for line in life.lines():
                if line["level"] not in ("error", "critical") and "trace" not in line:
                    continue
                if line["event"] is None or not any(one.explains(line) for one in self.causes):
                    found.append(f"{life.log.name}: {json.dumps(line, ensure_ascii=False)}")
        return found
