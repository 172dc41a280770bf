"""What happens to the machines of a soak: services die, wait and begin, the mail server goes away, settings
change.
"""

import contextlib
import http.client
import json
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.soak.newsroom import MOST_ENTRIES, Newsroom
from tests.soak.plan import Terms
from tests.soak.readers import Readers, get
from tests.soak.relay import Relay
from tests.soak.services import Life, Services


@dataclass
class Machines:
    """`handed` are the deliveries that some end of a process left open, with how many that was at most;
    `outages` are when no mail server was there, on the soak's clock; `long_life` is not killed.
    """

    terms: Terms
    newsroom: Newsroom
    relay: Relay
    services: Services
    readers: Readers
    ports: tuple[int, int]
    chance: random.Random
    wait_until: Callable[[datetime], None] = lambda _: None
    handed: set[int] = field(default_factory=set)
    most_handed: int = 0
    outages: list[tuple[datetime, datetime]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    unready: Counter[str] = field(default_factory=Counter)
    struck: int = 0
    long_life: Life | None = None

    def watch(self) -> None:
        """Note who has died, and see to it that one lives."""
        now = time.monotonic()
        for life in self.services.lives:
            if life.ended is None and life.process.poll() is not None:
                life.ended = now
                if life.killed:
                    self.struck += 1
                    self.after_kill(led=True)
                else:
                    self.faults.append(f"{life.log.name}: ended: {life.process.returncode}")
            if life.lives and (not life.memory or now - life.begun - life.memory[-1][0] > 1.0):
                life.sample(now)
        if not self.services.alive:
            self.begin()

    def begin(self) -> Life:
        taken = {life.port for life in self.services.alive}
        [port, *_] = [port for port in self.ports if port not in taken]
        return self.services.begin(port, time.monotonic())

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

    def look(self) -> None:
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

    def kill(self) -> None:
        """One of those that live, at any moment."""
        victims = [life for life in self.services.alive if not self._spared(life)]
        if victims:
            self._kill_one(self.chance.choice(victims))

    def kill_amid_mail(self) -> None:
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
        self.after_kill(led)

    def after_kill(self, led: bool) -> None:
        """What lies there is whole."""
        self._count_handed(led)
        self.readers.look_at_disk()
        with self.newsroom.open() as db:
            if (said := db.value("PRAGMA quick_check")) != "ok":
                self.faults.append(f"after a kill: {said}")
        if not self.services.alive:
            threading.Event().wait(self.chance.uniform(0, 1.0))

    def restart(self) -> None:
        """As systemd does it: what is under way comes to its end first."""
        for life in [one for one in self.services.alive if not self._spared(one)]:
            if life.serves:
                self.stop(life)

    def stop(self, life: Life) -> None:
        code = life.stop(time.monotonic())
        whole = [line["whole"] for line in life.lines() if line["event"] == "ended"]
        if not life.killed and (code not in (0, 1) or whole != [code == 0]):
            self.faults.append(f"{life.log.name}: exit code {code}, whole {whole}")
        self._count_handed(led=code == 1 or not self.services.alive)

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

    def second(self) -> None:
        """Another service on the same database, or the end of the one that waits."""
        alive = self.services.alive
        if len(alive) < 2:
            self.begin()
            return
        leader = self._leader()
        waiting = [one for one in alive if one.serves and one is not leader]
        if waiting := [one for one in waiting if not self._spared(one)]:
            self.stop(waiting[0])

    def begin_long_life(self) -> None:
        self.relay.trap = None
        for life in self.services.alive:
            life.strike()
            life.end(time.monotonic())
        self.after_kill(led=True)
        self.long_life = self.begin()

    def refuse(self, seconds: float | None = None) -> None:
        """No mail server for a while."""
        begun = self.newsroom.now()
        self.relay.refuse()
        wait = self.chance.uniform(0.2, 2.0) if seconds is None else seconds
        self.wait_until(begun + self.terms.lasting(wait))
        self.relay.serve()
        self.outages.append((begun, self.newsroom.now()))

    def refuse_long(self) -> None:
        """So long that the service gives the server up, and holds the edition."""
        self.refuse(25.0)

    def reload(self) -> None:
        """Another number of entries, another time to keep answers; the file is seen to have changed."""
        if not self._all_serve():
            return
        begun = datetime.now(UTC)  # noqa: TID251 - the machine's, as in the log
        self.newsroom.desk.configure(
            entries=str(self.chance.randint(30, MOST_ENTRIES)),
            cache_seconds=str(self.chance.randint(1, 600)),
        )
        if self.chance.random() < 0.5:
            self._hang_up()
        self.services.caused("config refused", begun)  # an editor's file is half there for a moment

    def _all_serve(self) -> bool:
        """Who just begins would die of a config.toml that is half there."""
        return all(life.serves for life in self.services.alive)

    def _hang_up(self) -> None:
        for life in self.services.alive:
            if life.serves:
                life.process.send_signal(signal.SIGHUP)

    def spoil_config(self) -> None:
        """Somebody saves a file with a fault, and mends it a day later."""
        if not self._all_serve():
            return
        begun = datetime.now(UTC)  # noqa: TID251 - the machine's, as in the log
        kept = self.newsroom.desk.config.read_text("utf-8")
        self.newsroom.desk.config.write_text(kept.replace("entries =", "entrys ="), "utf-8")
        self._hang_up()
        threading.Event().wait(0.3)
        self.newsroom.desk.config.write_text(kept, "utf-8")
        self._hang_up()
        self.services.caused("config refused", begun)
