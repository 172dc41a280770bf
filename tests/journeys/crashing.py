"""Senders that are killed and started again, and what must be true after each kill and at the end."""

import os
import random
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from digest.editions.deliveries import list_deliveries
from digest.editions.store import delivery_counts
from tests.desks import ROOT, Desk
from tests.journeys.relay import Relay

LEDGER = "as soon as handed is on disk"
ANYWHEN = "random instant"
SECONDS = 60


def sender(desk: Desk) -> subprocess.Popen[str]:
    """`digest send --yes` as a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    pipe = subprocess.PIPE
    return subprocess.Popen(
        desk.command("send", "--yes"), env=environment, stdout=pipe, stderr=pipe, text=True
    )


def assert_mailed_once(desk: Desk, relay: Relay, count: int, connections: int = 4) -> None:
    """Each delivery is sent, with one message, or uncertain: at most one for each connection."""
    with desk.open(read_only=True) as db:
        rows = list(list_deliveries(db))
    states = Counter(row["status"] for row in rows)
    assert states.total() == count
    assert states.keys() <= {"sent", "uncertain"}
    assert states["uncertain"] <= connections
    assert max(relay.taken.values()) == 1
    for row in rows:
        assert row["status"] == "uncertain" or relay.taken[row["address"]] == 1


@dataclass(frozen=True)
class Kill:
    """What a kill left on disk: `handed` rows, `fresh` of them by this sender, and the server had the
    complete body of `arrived` of those. `landed` is False if the sender had already finished."""

    instant: str
    landed: bool
    handed: int
    fresh: int
    arrived: int


class Crashing:
    """One edition, sent by senders most of which die."""

    def __init__(self, desk: Desk, relay: Relay, chance: random.Random) -> None:
        self.desk = desk
        self.relay = relay
        self.chance = chance
        self.kills: list[Kill] = []
        # A sender that dies before it recovers anything leaves what the one before it had left.
        self.left_handed: set[str] = set()

    def kill(self, instant: str, *, nth: int) -> Kill:
        """Start a sender and kill it when the instant comes for the `nth` time."""
        before = self.relay.taken.copy()
        with sender(self.desk) as process:
            if instant == LEDGER:
                self.kill_when_handed(process)
            elif instant == ANYWHEN:
                # Often after its first message, where most happens.
                amid_mail = self.chance.random() < 0.8
                if amid_mail:
                    self.relay.wait_for_messages(1)
                try:
                    process.wait(self.chance.uniform(0, 0.1 if amid_mail else 0.6))
                except subprocess.TimeoutExpired:
                    process.kill()
            else:
                self.relay.kill_at(instant, nth, process.pid)
            process.wait(SECONDS)
            self.relay.trap = None
        self.relay.wait_until_quiet()
        with self.desk.open(read_only=True) as db:
            handed = {row["address"] for row in list_deliveries(db, status="handed")}
        fresh = handed - self.left_handed
        self.left_handed |= handed
        landed = process.returncode == -signal.SIGKILL
        arrived = sum(self.relay.taken[address] - before[address] for address in fresh)
        self.kills.append(Kill(instant, landed, len(handed), len(fresh), arrived))
        return self.kills[-1]

    def kill_when_handed(self, process: subprocess.Popen[str]) -> None:
        with self.desk.open(read_only=True) as db:
            known = db.version()
            while process.poll() is None:
                if db.version() == known:
                    continue
                known = db.version()
                if db.value("SELECT 1 FROM deliveries WHERE status = 'handed' LIMIT 1"):
                    process.kill()
                    return

    def finish(self) -> None:
        """Let a sender run to its end."""
        with sender(self.desk) as process:
            output, errors = process.communicate(timeout=SECONDS)
        assert process.returncode == 0, errors
        assert "Traceback" not in output + errors

    def faults(self) -> Iterator[str]:
        """Every broken promise, at the end."""
        connections = self.desk.settings.mail.servers[0].connections
        for kill in self.kills:
            if kill.handed > connections:
                yield f"{kill}: more handed than {connections} connections"
        with self.desk.open(read_only=True) as db:
            rows = list(list_deliveries(db))
            shown = self.desk.json("editions", "show", "1")
            if not shown["balanced"] or shown["deliveries"] != delivery_counts(db, 1):
                yield f"unbalanced: {shown['deliveries']} of {shown['recipients']}"
        for row in rows:
            times = self.relay.taken[row["address"]]
            if row["status"] not in ("sent", "uncertain"):
                yield f"{row['address']} is {row['status']}"
            if times > 1 or (row["status"] == "sent" and times != 1):
                yield f"{row['address']} is {row['status']}, and got it {times} times"
        uncertain = {row["address"] for row in rows if row["status"] == "uncertain"}
        if uncertain != self.left_handed:
            yield f"{len(uncertain)} uncertain, but the kills left {len(self.left_handed)} handed"

    def table(self) -> str:
        """Kills by instant: how many, how many deliveries they left handed, how many had arrived."""
        lines = [f"{'killed':32} {'times':>5} {'uncertain':>9} {'most':>4} {'of them arrived':>15}"]
        for instant in dict.fromkeys(kill.instant for kill in self.kills if kill.landed):
            kills = [kill for kill in self.kills if kill.instant == instant and kill.landed]
            lines.append(
                f"{instant:32} {len(kills):5} {sum(k.fresh for k in kills):9} "
                f"{max(k.handed for k in kills):4} {sum(k.arrived for k in kills):15}"
            )
        return "\n".join(lines)
