"""Senders that are killed and started again, and what must be true after each kill and at the end."""

import contextlib
import os
import random
import signal
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from digest.editions.deliveries import list_deliveries
from digest.mail.maildir import GROUP
from digest.mail.tokens import token_for
from tests.desks import MACHINE, ROOT, Desk
from tests.journeys.drills import copied, edition, write
from tests.journeys.killing import Killer
from tests.journeys.relay import SETTLED, STEPS, Outbox, Relay, reading, relaying
from tests.journeys.returns import bounce, make_maildir
from tests.journeys.serving import free_port
from tests.mailing import KEY, use_smtp

LEDGER = "as soon as handed is on disk"
ANYWHEN = "random instant"
SECONDS = 30
OPEN = "SELECT 1 FROM deliveries WHERE status IN ('queued', 'handed') LIMIT 1"
SMTP, READ, EMPTIED = "smtp", "maildir that is read", "maildir that is emptied"
CONNECTIONS = 4
MOST_UNCERTAIN = {SMTP: CONNECTIONS, READ: 0, EMPTIED: GROUP}
"""What one kill may leave uncertain."""
FILE_STEPS = {
    "in tmp/, before handed": ["fsync"],
    "handed, in new/ in part": ["replace"],
    "in new/, not settled": ["replace", "fsync"],
}
"""Calls of the maildir's writer before which its process dies; the first of them may be repeated."""
FEW, MANY = 3, {SMTP: 10 * CONNECTIONS, READ: GROUP + 10, EMPTIED: GROUP + 10}
"""Fewer recipients than connections, or than a group of files; and more."""


def sender(desk: Desk, environment: Mapping[str, str] = os.environ) -> subprocess.Popen[str]:
    """`digest send --yes` as a process of its own."""
    environment = {"PYTHONPATH": str(ROOT), **environment}
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
class Case:
    """How an edition is sent, to how many, and by what: `digest send --yes` or `digest serve`."""

    way: str
    verb: str
    people: int

    @property
    def instants(self) -> Sequence[str]:
        """When its sender can be killed. No answer is settled before the last group is handed."""
        if self.way != SMTP:
            return [*FILE_STEPS]
        return [LEDGER, *(one for one in STEPS if one != SETTLED or self.people > CONNECTIONS)]


CASES = [
    Case(way, verb, people)
    for way in MANY
    for verb in ("send by hand", "serve")
    for people in (FEW, MANY[way])
]


@dataclass(frozen=True)
class Kill:
    """What a kill left on disk: `fresh` rows are handed by this sender, and the complete message of
    `arrived` of those had come. `landed` is False if the sender had already finished."""

    case: Case
    instant: str
    landed: bool
    fresh: int
    arrived: int


class Crashing:
    """One newsroom, whose senders die while documents and bounces arrive."""

    def __init__(
        self, desk: Desk, place: Relay | Outbox, killer: Killer, case: Case, chance: random.Random
    ) -> None:
        self.desk = desk
        self.place = place
        self.killer = killer
        self.case = case
        self.chance = chance
        self.kills: list[Kill] = []
        self.wrong: list[str] = []
        # A sender that dies before it recovers anything leaves what the one before it had left.
        self.left_handed: set[int] = set()

    def rows(self) -> list[tuple[dict[str, Any], int]]:
        """Each delivery, and how many messages came."""
        with self.desk.open(read_only=True) as db:
            rows = list(list_deliveries(db))
        tokens = [token_for(KEY, row["edition_id"], row["recipient_id"]) for row in rows]
        return [(row, self.place.mails[token]) for row, token in zip(rows, tokens, strict=True)]

    def count(self, status: str) -> int:
        return sum(row["status"] == status for row, _ in self.rows())

    def kill(self, instant: str) -> None:
        """Start a sender and kill it at the instant."""
        nth = self.chance.randint(1, min(8, self.count("queued") - 1))  # one may be suppressed
        write(self.desk, f"late{len(self.kills)}", "heroin at a post\n\nThey seized 3 kg.")
        letter = bounce(self.desk, self.case.people - len(self.kills), nth=len(self.kills))
        (self.desk.folder / "bounces" / "new" / f"{len(self.kills)}.letter").write_bytes(letter)
        before = {row["id"]: mails for row, mails in self.rows()}
        first, *rest = FILE_STEPS.get(instant, [""])
        at = [*[first] * nth, *rest] if first else []
        pid = self.killer.start(self.desk, self.case.verb, MACHINE(), at=at)
        last_resort = threading.Timer(SECONDS, os.kill, (pid, signal.SIGKILL))  # it landed nowhere
        last_resort.start()
        if instant in STEPS:
            self.place.kill_at(instant, nth, pid)
        # The service does both itself.
        others = ("read", "bounces") if self.case.verb != "serve" else ()
        others_pids = [self.killer.start(self.desk, verb, MACHINE()) for verb in others]
        if instant == LEDGER:
            self.kill_when_handed(pid, last_resort)
        elif instant == ANYWHEN:
            # Often after its first message, where most happens.
            amid_mail = self.chance.random() < 0.8
            if amid_mail:
                self.place.wait_for_messages(1)
            threading.Event().wait(self.chance.uniform(0, 0.05 if amid_mail else 0.3))
            os.kill(pid, signal.SIGKILL)
        run = self.killer.wait(pid)
        last_resort.cancel()
        faults = [run.fault, *(self.killer.wait(other).fault for other in others_pids)]
        self.wrong += [f"{self.case}, {instant}: {fault}" for fault in faults if fault]
        self.place.wait_until_quiet()
        handed = {row["id"]: mails for row, mails in self.rows() if row["status"] == "handed"}
        fresh = handed.keys() - self.left_handed
        self.left_handed |= fresh
        arrived = sum(handed[one] - before.get(one, 0) for one in fresh)
        landed, self.place.trap = run.killed and self.place.trap is None, None
        self.kills.append(Kill(self.case, instant, landed, len(fresh), arrived))

    def kill_when_handed(self, pid: int, last_resort: threading.Timer) -> None:
        with self.desk.open(read_only=True) as db:
            known = db.version()
            while last_resort.is_alive() and db.value(OPEN):
                if db.version() == known:
                    continue
                known = db.version()
                if db.value("SELECT 1 FROM deliveries WHERE status = 'handed' LIMIT 1"):
                    os.kill(pid, signal.SIGKILL)
                    return

    def finish(self) -> None:
        """What is queued, after what the dead left; and then what is new."""
        if isinstance(self.place, Relay):
            self.place.seconds = 0.0
        for words in (["--queued"], []):
            result = self.desk.run("send", "--yes", *words)
            if result.exit_code or self.count("handed"):
                self.wrong.append(f"{self.case}: {result.output}")
        self.place.wait_until_quiet()

    def faults(self) -> Iterator[str]:
        """Every broken promise, at the end."""
        yield from self.wrong
        most = MOST_UNCERTAIN[self.case.way]
        for kill in self.kills:
            if kill.fresh > (most or GROUP):
                yield f"{kill}: more handed than {most or GROUP}"
        for one in self.desk.json("editions", "list"):
            shown = self.desk.json("editions", "show", str(one["id"]))
            if not shown["balanced"] or sum(shown["deliveries"].values()) != shown["recipients"]:
                yield f"{self.case}: unbalanced: {shown['deliveries']} of {shown['recipients']}"
        for row, mails in self.rows():
            if row["status"] not in ("sent", "uncertain", "skipped"):
                yield f"{self.case}: {row['address']} is {row['status']}"
            if mails > 1 or (row["status"] != "uncertain" and mails != (row["status"] == "sent")):
                yield f"{self.case}: {row['address']} is {row['status']}, and got it {mails} times"
            if row["status"] == "uncertain" and not (most and row["id"] in self.left_handed):
                yield f"{self.case}: {row['address']} is uncertain, and need not be"


@contextlib.contextmanager
def crashing(
    filled: Desk, folder: Path, killer: Killer, case: Case, chance: random.Random
) -> Iterator[Crashing]:
    """A copy of the desk, with an edition that is due and whatever takes its mail."""
    desk = copied(filled, folder)
    edition(desk, case.people)
    make_maildir(desk.folder / "bounces")
    desk.edit_config("# bounces =", "bounces =")
    minutes = "0.01"
    desk.configure(
        ingest_every_minutes=minutes,
        send_every_minutes=minutes,
        bounces_every_minutes=minutes,
        max_lateness_hours="8784.0",
        lease_seconds="3.0",
        port=str(free_port()),
    )
    with contextlib.ExitStack() as stack:
        place: Relay | Outbox
        if case.way == SMTP:
            place = stack.enter_context(relaying(Relay(seconds=0.02)))
            place.pipelining = chance.random() < 0.8
            use_smtp(desk, place.port, connections=CONNECTIONS)
            desk.configure(data_timeout_seconds="5.0", command_timeout_seconds="5.0")
        else:
            outbox = Outbox(desk.folder / "outbox", empties=case.way == EMPTIED)
            place = stack.enter_context(reading(outbox))
        yield Crashing(desk, place, killer, case, chance)


def table(kills: Sequence[Kill]) -> str:
    """Kills by way and instant: how many, how many deliveries they left handed, of how many the
    message had come."""
    landed = [kill for kill in kills if kill.landed]
    lines = [f"{'killed':55} {'times':>5} {'handed':>6} {'most':>4} {'of them arrived':>15}"]
    for way, instant in dict.fromkeys((kill.case.way, kill.instant) for kill in landed):
        some = [kill for kill in landed if (kill.case.way, kill.instant) == (way, instant)]
        lines.append(
            f"{way + ', ' + instant:55} {len(some):5} {sum(k.fresh for k in some):6} "
            f"{max(k.fresh for k in some):4} {sum(k.arrived for k in some):15}"
        )
    return "\n".join(lines)
