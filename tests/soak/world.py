"""A year at the desk in an hour: the loop that carries out the plan."""

import contextlib
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from digest.newsroom import Clock
from tests.journeys.serving import free_port
from tests.soak.letters import Letters
from tests.soak.machines import Machines
from tests.soak.newsroom import MOST_ENTRIES, Newsroom
from tests.soak.plan import STARTS, Terms, planned
from tests.soak.press import Press
from tests.soak.readers import Readers
from tests.soak.relay import Relay, relaying
from tests.soak.services import Services


@dataclass
class World:
    """A running soak. `done` counts the acts of the plan that have happened."""

    terms: Terms
    newsroom: Newsroom
    machines: Machines
    letters: Letters
    chance: random.Random
    done: Counter[str] = field(default_factory=Counter)
    progress: Callable[[str], None] = lambda _: None

    def __post_init__(self) -> None:
        self.relay, self.services = self.machines.relay, self.machines.services
        self.readers = self.machines.readers

    def run(self, is_over: "Callable[[World], bool]") -> None:
        """The plan, then a quiet end without news and faults, until `is_over`: every edition has closed,
        every delivery is final, and every alarm is over."""
        self.machines.wait_until = self.wait_until
        for _ in range(self.terms.first):
            self.newsroom.add()
        self.machines.begin()
        for day, act in planned(self.terms):
            self.wait_until(STARTS + timedelta(days=day))
            self.done[act] += 1
            doer = next(one for one in (self, self.newsroom, self.machines) if hasattr(one, act))
            getattr(doer, act)()
            self.progress(f"day {day:6.1f} of {self.terms.days:g}, {act}")
        self.relay.tame = True
        for document in self.newsroom.documents:
            document.since -= self.terms.lasting(self.terms.settles)
        self.newsroom.repair()
        self.newsroom.finish_writing()
        deadline = self.newsroom.now() + timedelta(days=8) + self.terms.lasting(60.0)
        while self.newsroom.now() < deadline:
            self.wait_until(self.newsroom.now() + self.terms.lasting(0.3))
            self.newsroom.release()
            self.newsroom.settle()
            if is_over(self):
                break
        for life in self.services.alive:
            self.machines.stop(life)

    def wait_until(self, moment: datetime) -> None:
        """Read feeds and watch the services meanwhile."""
        while True:
            self.machines.watch()
            if serving := [life for life in self.services.alive if life.serves]:
                self.readers.poll(self.chance.choice(serving).port)
            left = (moment - self.newsroom.now()).total_seconds() / self.terms.pace
            if left <= 0:
                return
            threading.Event().wait(min(left, 0.1))

    def recruit(self) -> None:
        """Replace those who unsubscribed."""
        for _ in range(2):
            if self.newsroom.reachable() < self.terms.recipients:
                self.newsroom.add()

    def answer(self) -> None:
        """Somebody who got mail lately, or their mail system, answers."""
        if received := self.relay.received[-2000:]:
            self.letters.answer(self.chance.choice(received))


@contextlib.contextmanager
def soaking(folder: Path, terms: Terms) -> Iterator[World]:
    """A world with its folder and its mail server; no process of it is left at the end."""
    relay = Relay(terms.seed, silence=terms.patience * 1.4)
    services = Services(folder)
    with relaying(relay):
        clock = Clock(terms.pace, STARTS, datetime.now(UTC))  # noqa: TID251 - the soak's own clock
        press = Press(terms.chance("press"))
        newsroom = Newsroom(
            folder, clock, terms.chance("desk"), terms.lasting(terms.settles), press
        )
        late = str(min(8784.0, 15.0 * terms.pace / 3600))
        newsroom.furnish(
            relay.port,
            terms.patience,
            ingest_every_minutes=terms.minutes(1.0),
            send_every_minutes=terms.minutes(0.4),
            bounces='"bounces"',
            bounces_every_minutes=terms.minutes(2.0),
            every_minutes=terms.minutes(0.5),
            after_minutes=terms.minutes(1.0),
            quiet_minutes=terms.minutes(2.0),
            lease_seconds=str(min(86400.0, 4.0 * terms.pace)),
            late_hours=late,
            max_lateness_hours=late,
        )
        readers = Readers(folder / "feeds", terms.chance("feeds"), MOST_ENTRIES)
        ports = (free_port(), free_port())
        machines = Machines(
            terms, newsroom, relay, services, readers, ports, terms.chance("machines")
        )
        letters = Letters(folder / "bounces", terms.chance("letters"))
        try:
            yield World(terms, newsroom, machines, letters, terms.chance("world"))
        finally:
            services.end(time.monotonic())
