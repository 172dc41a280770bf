"""A year at the desk in an hour: what happens when, by a plan from a seed, and the loop that does it."""

import contextlib
import http.client
import json
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from digest.runtime import Clock
from tests.journeys.serving import free_port
from tests.soak.letters import Letters
from tests.soak.newsroom import MOST_ENTRIES, Newsroom
from tests.soak.plan import STARTS, Terms, planned
from tests.soak.press import Press
from tests.soak.readers import Readers, get
from tests.soak.relay import Relay, relaying
from tests.soak.services import Life, Services


@dataclass
class World:
    """A soak on its way. `handed` are the deliveries that some end of a process left open, with how many
    that was at most; `outages` are when no mail server was there, on the soak's clock.
    """

    terms: Terms
    newsroom: Newsroom
    relay: Relay
    services: Services
    readers: Readers
    letters: Letters
    ports: tuple[int, int]
    chance: random.Random
    done: Counter[str] = field(default_factory=Counter)
    handed: set[int] = field(default_factory=set)
    most_handed: int = 0
    outages: list[tuple[datetime, datetime]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    unready: Counter[str] = field(default_factory=Counter)
    long_life: Life | None = None
    progress: Callable[[str], None] = lambda _: None

    # The loop

    def run(self) -> None:
        """All of the plan, then a quiet end."""
        for _ in range(self.terms.first):
            self.newsroom.add()
        self._begin()
        for day, act in planned(self.terms):
            self._wait_until(STARTS + timedelta(days=day))
            self.done[act] += 1
            getattr(self, f"_{act}", getattr(self.newsroom, act, None))()
            self.progress(f"day {day:6.1f} of {self.terms.days:g}, {act}")
        self._end_quietly()

    def _wait_until(self, moment: datetime) -> None:
        """Read feeds and watch over the services meanwhile."""
        while True:
            self._watch()
            left = (moment - self.newsroom.now()).total_seconds() / self.terms.pace
            if left <= 0:
                return
            threading.Event().wait(min(left, 0.1))

    def _watch(self) -> None:
        now = time.monotonic()
        for life in self.services.lives:
            if life.ended is None and life.process.poll() is not None:
                life.ended = now
                if life.killed:
                    self.done["killed_amid_mail"] += 1
                    self._after_kill(led=True)
                else:
                    self.faults.append(f"{life.log.name}: ended: {life.process.returncode}")
            if life.lives and (not life.memory or now - life.begun - life.memory[-1][0] > 1.0):
                life.sample(now)
        if not self.services.alive:
            self._begin()
        if serving := [life for life in self.services.alive if life.serves]:
            self.readers.poll(self.chance.choice(serving).port)

    def _begin(self) -> Life:
        taken = {life.port for life in self.services.alive}
        [port, *_] = [port for port in self.ports if port not in taken]
        return self.services.begin(port, time.monotonic())

    # What happens to people

    def _recruit(self) -> None:
        for _ in range(2):
            if self.newsroom.reachable() < self.terms.recipients:
                self.newsroom.add()

    def _answer(self) -> None:
        if received := self.relay.received[-2000:]:
            self.letters.answer(self.chance.choice(received))

    # What happens to machines

    def _leader(self) -> Life | None:
        """The service that works, as it says itself."""
        for life in self.services.alive:
            if (told := self._ready(life)) is not None and told["lease"]["leads"]:
                return life
        return None

    def _ready(self, life: Life) -> dict[str, Any] | None:
        if not life.serves:
            return None
        try:
            return dict(json.loads(get(life.port, "/readyz", {})[2]))
        except (OSError, http.client.HTTPException):
            return None

    def _look(self) -> None:
        """As a load balancer and Prometheus do."""
        for life in self.services.alive:
            told = self._ready(life)
            if told is not None and told["ready"] is False:
                self.unready[", ".join(told["faults"].values())] += 1
            with contextlib.suppress(OSError, http.client.HTTPException):
                if life.serves and get(life.port, "/metrics", {})[0] != 200:
                    self.faults.append("no /metrics")

    def _spared(self, life: Life) -> bool:
        return life is self.long_life

    def _kill(self) -> None:
        """One of those that live, at any moment."""
        victims = [life for life in self.services.alive if not self._spared(life)]
        if victims:
            self._kill_one(self.chance.choice(victims))

    def _kill_amid_mail(self) -> None:
        """The one that sends, when so many more messages have come."""
        self.relay.trap = (self.chance.randint(1, 20), self._strike_sender)

    def _strike_sender(self) -> None:
        leader = self._leader()
        if leader is not None and not self._spared(leader):
            leader.strike()

    def _kill_one(self, victim: Life) -> None:
        led = self._leader() in (victim, None)
        victim.strike()
        victim.end(time.monotonic())
        self._after_kill(led)

    def _after_kill(self, led: bool) -> None:
        """What lies there is whole."""
        self._count_handed(led)
        self.readers.look_at_disk()
        with self.newsroom.open() as db:
            if (said := db.value("PRAGMA quick_check")) != "ok":
                self.faults.append(f"after a kill: {said}")
        if not self.services.alive:
            threading.Event().wait(self.chance.uniform(0, 1.0))

    def _restart(self) -> None:
        """As systemd does it: what is under way comes to its end first."""
        for life in [one for one in self.services.alive if not self._spared(one)]:
            if life.serves:
                self._stop(life)

    def _stop(self, life: Life) -> None:
        code = life.stop(time.monotonic())
        told = [line for line in life.lines() if line["event"] == "ended"]
        if code not in (0, 1) or [line["whole"] for line in told] != [code == 0]:
            self.faults.append(f"{life.log.name}: exit code {code}, {told}")
        self._count_handed(led=not self.services.alive)

    def _count_handed(self, led: bool) -> None:
        """Which deliveries the end of who sent left open."""
        if led:
            with self.newsroom.open() as db:
                found = {
                    row["id"]
                    for row in db.rows("SELECT id FROM deliveries WHERE status = 'handed'")
                }
            self.handed |= found
            self.most_handed = max(self.most_handed, len(found))

    def _second(self) -> None:
        """Another service on the same database, or the end of the one that waits."""
        alive = self.services.alive
        if len(alive) < 2:
            self._begin()
        elif waiting := [one for one in alive if one is not self._leader() and one.serves]:
            self._stop(waiting[0])

    def _begin_long_life(self) -> None:
        self.relay.trap = None
        for life in self.services.alive:
            life.strike()
            life.end(time.monotonic())
        self._after_kill(led=True)
        self.long_life = self._begin()

    def _refuse(self, seconds: float | None = None) -> None:
        """No mail server for a while."""
        begun = self.newsroom.now()
        self.relay.refuse()
        wait = self.chance.uniform(0.2, 2.0) if seconds is None else seconds
        self._wait_until(begun + self.terms.lasting(wait))
        self.relay.serve()
        self.outages.append((begun, self.newsroom.now()))

    def _refuse_long(self) -> None:
        """So long that the service gives the server up, and holds the edition."""
        self._refuse(25.0)

    # What happens to the settings

    def _reload(self) -> None:
        """Another number of entries, another time to keep answers; the file is seen to have changed."""
        begun = datetime.now(UTC)  # noqa: TID251 - the machine's, as in the log
        self.newsroom.desk.configure(
            entries=str(self.chance.randint(30, MOST_ENTRIES)),
            cache_seconds=str(self.chance.randint(1, 600)),
        )
        if self.chance.random() < 0.5:
            self._hang_up()
        self.services.caused("config refused", begun)  # an editor's file is half there for a moment

    def _hang_up(self) -> None:
        for life in self.services.alive:
            if life.serves:
                life.process.send_signal(signal.SIGHUP)

    def _spoil_config(self) -> None:
        """Somebody saves a file with a fault, and mends it a day later."""
        begun = datetime.now(UTC)  # noqa: TID251 - the machine's, as in the log
        kept = self.newsroom.desk.config.read_text("utf-8")
        self.newsroom.desk.config.write_text(kept.replace("entries =", "entrys ="), "utf-8")
        self._hang_up()
        threading.Event().wait(0.3)
        self.newsroom.desk.config.write_text(kept, "utf-8")
        self._hang_up()
        self.services.caused("config refused", begun)

    # The end

    def _end_quietly(self) -> None:
        """Nothing more comes in and nothing fails; until every edition has closed and every delivery
        has its end.
        """
        self.relay.tame = True
        rest = self.terms.lasting(self.terms.settles)
        for document in self.newsroom.documents:
            document.since -= rest
        self.newsroom.mend()
        self.newsroom.finish_writing()
        # By then all is read, and the week has closed once more.
        self._wait_until(self.newsroom.now() + rest + timedelta(days=7.2))
        deadline = self.newsroom.now() + self.terms.lasting(60.0)
        while self.newsroom.now() < deadline:
            self.newsroom.release()
            self._wait_until(self.newsroom.now() + self.terms.lasting(1.0))
            if self._all_settled():
                break
        for life in self.services.alive:
            self._stop(life)

    def _all_settled(self) -> bool:
        sql = "SELECT count(*) FROM deliveries WHERE status IN ('queued', 'handed')"
        with self.newsroom.open() as db:
            return bool(db.value(sql) == 0)


@contextlib.contextmanager
def soaking(folder: Path, terms: Terms) -> Iterator[World]:
    """A world with its folder and its mail server; at the end no process of it is left."""
    chance = terms.chance("world")
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
            lease_seconds=str(min(86400.0, 4.0 * terms.pace)),
            max_lateness_hours=str(min(8784.0, 15.0 * terms.pace / 3600)),
        )
        readers = Readers(folder / "feeds", terms.chance("feeds"), MOST_ENTRIES)
        letters = Letters(folder / "bounces", terms.chance("letters"))
        ports = (free_port(), free_port())
        world = World(terms, newsroom, relay, services, readers, letters, ports, chance)
        try:
            yield world
        finally:
            services.end(time.monotonic())
