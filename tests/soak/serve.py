"""`digest serve` on a clock of the soak's own: python -m tests.soak.serve CLOCK CONFIG [OPTIONS]."""

import json
import sys
from datetime import datetime
from pathlib import Path

from digest.cli.main import DigestGroup
from digest.cli.service import serve
from digest.config.load import load_settings
from digest.newsroom import Clock, Newsroom


class FastDesk:
    """What the commands work with, on that clock."""

    def __init__(self, clock: Clock, config: Path) -> None:
        self.newsroom = Newsroom(load_settings(config), clock)


def write_clock(path: Path, clock: Clock) -> None:
    """The clock for every process of a soak, so that it runs on while some of them are dead."""
    told = {
        "pace": clock.pace,
        "starts": clock.starts.isoformat(),
        "begun": clock.begun.isoformat(),
    }
    path.write_text(json.dumps(told), "utf-8")


def read_clock(path: Path) -> Clock:
    told = json.loads(path.read_text("utf-8"))
    starts, begun = (datetime.fromisoformat(told[key]) for key in ("starts", "begun"))
    return Clock(told["pace"], starts, begun)


if __name__ == "__main__":
    desk = FastDesk(read_clock(Path(sys.argv[1])), Path(sys.argv[2]))
    DigestGroup(commands=[serve]).main(["serve", *sys.argv[3:]], prog_name="digest", obj=desk)
