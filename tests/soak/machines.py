"""A soak's machines: services die, wait and start; the mail server goes away; settings change."""

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

from tests.desks import WATCHING
from tests.journeys.serving import ask
from tests.soak.newsroom import MOST_ENTRIES, Newsroom
from tests.soak.plan import Terms
from tests.soak.readers import Readers
from tests.soak.relay import Relay
from tests.soak.services import Life, Services


@dataclass
class Machines:
    """`handed` are the deliveries that the end of a process left open, `most_handed` the most at one end;
    `outages` are when the mail server was away, on the soak's clock; `long_life` is not killed."""

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
    long_life: Life | None = None

    def watch(self) -> None:
        """Record which services died, and start one if none is left."""
        now = time.monotonic()
        for life in self.services.lives:
            if life.ended is None and life.process.poll() is not None:
                life.ended = now
                if life.killed:
                    self.after_kill(led=True)
                else:
                    self.faults.append(f"{life.log.name}: ended: {life.process.returncode}")
            if life.lives and (not life.memory or now - life.begun - life.memory[-1][0] > 1.0):
                life.sample(now)
        if not self.services.alive:
            self.begin()

    def begin(self) -> Life:
        used = {life.port for life in self.services.alive}
        [port, *_] = [port for port in self.ports if port not in used]
        return self.services.begin(port, time.monotonic())

    def leader(self) -> Life | None:
        """The service that works, by its own answer."""
        for life in self.services.alive:
            if (answer := self.ready(life)) is not None and answer["lease"]["leads"]:
                return life
        return None

    def ready(self, life: Life) -> dict[str, Any] | None:
        with contextlib.suppress(OSError, http.client.HTTPException):
            return dict(json.loads(ask(life.port, "/readyz", WATCHING)[2])) if life.serves else None
        return None

    def look(self) -> None:
        """As a load balancer and Prometheus do."""
        for life in self.services.alive:
            answer = self.ready(life)
            if answer is not None and answer["ready"] is False:
                self.unready[", ".join(answer["faults"].values())] += 1
            with contextlib.suppress(OSError, http.client.HTTPException):
                if life.serves and ask(life.port, "/metrics", WATCHING)[0] != 200:
                    self.faults.append("no /metrics")

    def kill(self) -> None:
        """One of the running ones, at any moment."""
        if victims := [life for life in self.services.alive if life is not self.long_life]:
            victim = self.chance.choice(victims)
            led = self.leader() in (victim, None)
            victim.kill(time.monotonic())
            self.after_kill(led)

    def kill_amid_mail(self) -> None:
        """The one that sends, after some more messages."""

        def strike() -> None:
            leader = self.leader()
            if leader is not None and leader is not self.long_life:
                leader.strike()

        self.relay.trap = (self.chance.randint(1, 20), strike)

    def after_kill(self, led: bool) -> None:
        """Check the files and the database."""
        if led:
            self.count_handed()
        self.readers.look_at_disk()
        with self.newsroom.open() as db:
            if (answer := db.value("PRAGMA quick_check")) != "ok":
                self.faults.append(f"after a kill: {answer}")
        if not self.services.alive:
            threading.Event().wait(self.chance.uniform(0, 1.0))

    def restart(self) -> None:
        """As systemd does: work under way is finished first."""
        for life in self.services.alive:
            if life is not self.long_life and life.serves:
                self.stop(life)

    def stop(self, life: Life) -> None:
        code = life.stop(time.monotonic())
        whole = [line["whole"] for line in life.lines() if line["event"] == "ended"]
        if not life.killed and (code not in (0, 1) or whole != [code == 0]):
            self.faults.append(f"{life.log.name}: exit code {code}, whole {whole}")
        if code == 1 or not self.services.alive:
            self.count_handed()

    def count_handed(self) -> None:
        """Which deliveries the end of a sender left open."""
        with self.newsroom.open() as db:
            rows = db.rows("SELECT id FROM deliveries WHERE status = 'handed'")
        self.handed |= {row["id"] for row in rows}
        self.most_handed = max(self.most_handed, len(rows))

    def second(self) -> None:
        """Start another service on the same database, or stop the one that waits."""
        alive = self.services.alive
        if len(alive) < 2:
            self.begin()
            return
        spared = (self.leader(), self.long_life)
        if waiting := [life for life in alive if life.serves and life not in spared]:
            self.stop(waiting[0])

    def begin_long_life(self) -> None:
        self.relay.trap = None
        for life in self.services.alive:
            life.kill(time.monotonic())
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
        """So long that the service gives up, and holds the edition."""
        self.refuse(25.0)

    def reload(self) -> None:
        """Change the number of entries and the time for caches; half the time the services notice by themselves."""
        if not self.all_serve():
            return
        begun = datetime.now(UTC)  # noqa: TID251 - the machine's, as in the log
        self.newsroom.desk.configure(
            entries=str(self.chance.randint(30, MOST_ENTRIES)),
            cache_seconds=str(self.chance.randint(1, 600)),
        )
        if self.chance.random() < 0.5:
            self.hang_up()
        self.services.caused("config refused", begun)  # the file is incomplete for a moment

    def all_serve(self) -> bool:
        """A service that is just starting would end at an incomplete config.toml."""
        return all(life.serves for life in self.services.alive)

    def hang_up(self) -> None:
        for life in self.services.alive:
            if life.serves:
                life.process.send_signal(signal.SIGHUP)

    def spoil_config(self) -> None:
        """Somebody saves a file with a fault, and corrects it a day later."""
        if not self.all_serve():
            return
        begun = datetime.now(UTC)  # noqa: TID251 - the machine's, as in the log
        config = self.newsroom.desk.config
        correct = config.read_text("utf-8")
        for text in (correct.replace("entries =", "entrys ="), correct):
            config.write_text(text, "utf-8")
            self.hang_up()
            threading.Event().wait(0.3)
        self.services.caused("config refused", begun)
