"""A year at the desk in an hour: what happens when, by a plan from a seed, and the loop that does it."""

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
    """A soak on its way. `done` counts what has happened of the plan."""

    terms: Terms
    newsroom: Newsroom
    machines: Machines
    letters: Letters
    chance: random.Random
    done: Counter[str] = field(default_factory=Counter)
    progress: Callable[[str], None] = lambda _: None

    @property
    def relay(self) -> Relay:
        return self.machines.relay

    @property
    def services(self) -> Services:
        return self.machines.services

    @property
    def readers(self) -> Readers:
        return self.machines.readers

    def run(self, is_over: "Callable[[World], bool]") -> None:
        """All of the plan, then a quiet end, until `is_over`."""
        self.machines.wait_until = self._wait_until
        for _ in range(self.terms.first):
            self.newsroom.add()
        self.machines.begin()
        for day, act in planned(self.terms):
            self._wait_until(STARTS + timedelta(days=day))
            self.done[act] += 1
            self._do(act)
            self.progress(f"day {day:6.1f} of {self.terms.days:g}, {act}")
        self._end_quietly(is_over)

    def _do(self, act: str) -> None:
        doer = next(one for one in (self, self.newsroom, self.machines) if hasattr(one, act))
        getattr(doer, act)()

    def _wait_until(self, moment: datetime) -> None:
        """Read feeds and watch over the services meanwhile."""
        while True:
            self._watch()
            left = (moment - self.newsroom.now()).total_seconds() / self.terms.pace
            if left <= 0:
                return
            threading.Event().wait(min(left, 0.1))

    def _watch(self) -> None:
        self.machines.watch()
        if serving := [life for life in self.services.alive if life.serves]:
            self.readers.poll(self.chance.choice(serving).port)

    def recruit(self) -> None:
        """There are to be so many; for each who leaves, another comes."""
        for _ in range(2):
            if self.newsroom.reachable() < self.terms.recipients:
                self.newsroom.add()

    def answer(self) -> None:
        """Somebody who got mail lately, or their mail system, writes back."""
        if received := self.relay.received[-2000:]:
            self.letters.answer(self.chance.choice(received))

    def _end_quietly(self, is_over: "Callable[[World], bool]") -> None:
        """Nothing more comes in and nothing fails; until every edition has closed, every delivery has
        its end, and every alarm is over.
        """
        self.relay.tame = True
        rest = self.terms.lasting(self.terms.settles)
        for document in self.newsroom.documents:
            document.since -= rest
        self.newsroom.mend()
        self.newsroom.finish_writing()
        deadline = self.newsroom.now() + timedelta(days=8) + self.terms.lasting(60.0)
        while self.newsroom.now() < deadline:
            self._wait_until(self.newsroom.now() + self.terms.lasting(0.3))
            self.newsroom.release()
            self.newsroom.settle()
            if is_over(self):
                break
        for life in self.services.alive:
            self.machines.stop(life)


@contextlib.contextmanager
def soaking(folder: Path, terms: Terms) -> Iterator[World]:
    """A world with its folder and its mail server; at the end no process of it is left."""
    relay = Relay(terms.seed, silence=terms.patience * 1.4)
    services = Services(folder)
    with relaying(relay):
        clock = Clock(terms.pace, STARTS, datetime.now(UTC))  # noqa: TID251 - the soak's own clock
        press = Press(terms.chance("press"))
        newsroom = Newsroom(
            folder, clock, terms.chance("desk"), terms.lasting(terms.settles), press
        )
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
            late_hours=str(min(8784.0, 15.0 * terms.pace / 3600)),
            lease_seconds=str(min(86400.0, 4.0 * terms.pace)),
            max_lateness_hours=str(min(8784.0, 15.0 * terms.pace / 3600)),
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
