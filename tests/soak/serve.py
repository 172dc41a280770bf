"""`digest serve` on a clock of the soak's own: python -m tests.soak.serve CLOCK CONFIG [OPTIONS]."""

import json
import sys
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

from digest.cli.main import DigestGroup
from digest.cli.service import serve
from digest.config.load import load_settings
from digest.newsroom import Clock, Newsroom


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
