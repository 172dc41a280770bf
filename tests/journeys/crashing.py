"""Senders that are killed and begun again, and what is true after each kill and at the end."""

import json
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from digest.editions.deliveries import list_deliveries
from digest.editions.store import delivery_counts
from digest.store.database import Database
from tests.desks import ROOT, Desk
from tests.journeys.relay import Relay

LEDGER = "as soon as handed is on disk"
ANYWHEN = "random instant"
SECONDS = 60


def sender(desk: Desk, *options: str) -> subprocess.Popen[str]:
    """`digest send --yes` as a process of its own."""
    words = [sys.executable, "-m", "digest", "--config", str(desk.config), "send", "--yes"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [*words, *options], env=environment, stdout=pipe, stderr=pipe, text=True
    )


@dataclass(frozen=True)
class Kill:
    """What was left by one kill. `handed` rows stood so on disk, `fresh` of them by this sender; of
    these the server had the whole body of `arrived`. `landed` is False where the sender was through
    before the blow."""

    instant: str
    landed: bool
    handed: int
    fresh: int
    arrived: int


class Crashing:
    """One edition that is sent by senders of which most die."""

    def __init__(self, desk: Desk, relay: Relay, chance: random.Random) -> None:
        self.desk = desk
        self.relay = relay
        self.chance = chance
        self.kills: list[Kill] = []
        # A sender that dies before it looks leaves what the one before had left.
        self.left_handed: set[str] = set()

    def kill(self, instant: str, *, nth: int) -> Kill:
        """Begin a sender and kill it at the `nth` time that the instant comes."""
        before = self.relay.taken.copy()
        with sender(self.desk) as process:
            if instant == LEDGER:
                self._watch_ledger(process)
            elif instant == ANYWHEN:
                self._wait_at_random(process)
            else:
                self.relay.kill_at(instant, nth, process.pid)
            process.wait(SECONDS)
            self.relay.trap = None
        self.relay.wait_until_quiet()
        with self.desk.open(read_only=True) as db:
            rows = list_deliveries(db)
            handed = {row["address"] for row in rows if row["status"] == "handed"}
        fresh = handed - self.left_handed
        self.left_handed |= handed
        landed = process.returncode == -signal.SIGKILL
        arrived = sum(self.relay.taken[one] - before[one] for one in fresh)
        self.kills.append(Kill(instant, landed, len(handed), len(fresh), arrived))
        return self.kills[-1]

    def finish(self) -> None:
        """Let a sender come to its end."""
        with sender(self.desk) as process:
            said, complaint = process.communicate(timeout=SECONDS)
        assert process.returncode == 0, complaint
        assert "Traceback" not in said + complaint

    def _watch_ledger(self, process: subprocess.Popen[str]) -> None:
        with self.desk.open(read_only=True) as db:
            known = db.version()
            while process.poll() is None:
                if db.version() == known:
                    continue
                known = db.version()
                if db.value("SELECT 1 FROM deliveries WHERE status = 'handed' LIMIT 1"):
                    process.kill()
                    return

    def _wait_at_random(self, process: subprocess.Popen[str]) -> None:
        """From its start on, or from its first message on, where most happens."""
        if self.chance.random() < 0.8:
            self.relay.wait_for_messages(1)
            seconds = self.chance.uniform(0, 0.1)
        else:
            seconds = self.chance.uniform(0, 0.6)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()

    def faults(self) -> Iterator[str]:
        """Everything that must not be, at the end."""
        connections = self.desk.settings.mail.servers[0].connections
        for kill in self.kills:
            if kill.handed > connections:
                yield f"{kill}: more handed than {connections} connections"
        with self.desk.open(read_only=True) as db:
            rows = list(list_deliveries(db))
            yield from self._unbalanced(db)
        for row in rows:
            times = self.relay.taken[row["address"]]
            if row["status"] not in ("sent", "uncertain"):
                yield f"{row['address']} is {row['status']}"
            if times > 1 or (row["status"] == "sent" and times != 1):
                yield f"{row['address']} is {row['status']}, and got it {times} times"
        uncertain = {row["address"] for row in rows if row["status"] == "uncertain"}
        if uncertain != self.left_handed:
            yield f"{len(uncertain)} uncertain, but the kills left {len(self.left_handed)} handed"

    def _unbalanced(self, db: Database) -> Iterator[str]:
        shown = self.desk.json("editions", "show", "1")
        counts = delivery_counts(db, 1)
        if not shown["balanced"] or shown["deliveries"] != counts:
            yield f"unbalanced: {json.dumps(shown['deliveries'])} of {shown['recipients']}"

    def table(self) -> str:
        """Kills by instant: how many, how many deliveries they left handed, how many had arrived."""
        lines = [f"{'killed':32} {'times':>5} {'uncertain':>9} {'most':>4} {'of them arrived':>15}"]
        kills: Counter[str] = Counter(kill.instant for kill in self.kills if kill.landed)
        for instant, times in kills.items():
            of_it = [kill for kill in self.kills if kill.instant == instant and kill.landed]
            lines.append(
                f"{instant:32} {times:5} {sum(k.fresh for k in of_it):9} "
                f"{max(k.handed for k in of_it):4} {sum(k.arrived for k in of_it):15}"
            )
        return "\n".join(lines)
