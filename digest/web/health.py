"""/readyz and /metrics: how the service is, for load balancers and for Prometheus. Nothing is written."""

import asyncio
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

from digest.errors import StoreError
from digest.store.sqlite import sqlite3
from digest.web.app import FeedApp, Report

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

    from digest.runtime import Runtime
    from digest.store.lease import Lease

LEAST_FREE = 64 * 1024 * 1024
"""Bytes that the database's disk must have left."""
OVERDUE = 3
"""A verb that has not come to its end within so many of its intervals is late."""
KEPT_FOR = 5.0
"""Figures from the database are counted anew at most so often; seconds."""
SLACK = timedelta(minutes=5)


class Tick(Protocol):
    woken_at: datetime | None
    done_at: datetime | None
    runs: int
    failures: int
    fault: str | None
    running: bool


class Tally(Protocol):
    """What the service has done since it started."""

    @property
    def answers(self) -> Mapping[tuple[str, str], int]: ...
    @property
    def bounds(self) -> Sequence[float]: ...
    @property
    def delays(self) -> Sequence[int]: ...
    @property
    def delayed(self) -> int: ...
    @property
    def delay_seconds(self) -> float: ...


class Pulse(Protocol):
    """What is watched of the service."""

    lease: "Lease | None"

    @property
    def tally(self) -> Tally: ...
    @property
    def room(self) -> "Runtime": ...
    @property
    def planned_at(self) -> datetime: ...
    @property
    def leads(self) -> bool: ...
    @property
    def ticks(self) -> Mapping[Any, Tick]: ...
    @property
    def rhythm(self) -> Mapping[Any, timedelta]: ...


class Health:
    """Answers for /readyz and /metrics. `pulse` is the service, `app` has counted the requests."""

    def __init__(self, pulse: Pulse) -> None:
        self.pulse = pulse
        self.app: FeedApp | None = None
        self._counted: tuple[float, bytes] | None = None
        self._lock = asyncio.Lock()

    async def ready(self) -> Report:
        """503 where something is wrong that keeps this process from its work; which, in the body."""
        checks = {
            "database": await asyncio.to_thread(self._database),
            "disk": self._disk(),
            "ticks": self._late(),
        }
        faults = {name: said for name, said in checks.items() if said is not None}
        lease = self.pulse.lease
        body = {
            "ready": not faults,
            "faults": faults,
            "lease": {
                "leads": self.pulse.leads,
                "holder": None if lease is None else lease.holder,
                "expires_at": None if lease is None else lease.expires_at.isoformat(),
            },
            "ticks": dict(self._ticks()),
        }
        data = json.dumps(body, indent=1).encode() + b"\n"
        return Report(503 if faults else 200, b"application/json", data)

    async def metrics(self) -> Report:
        from prometheus_client import CONTENT_TYPE_LATEST

        async with self._lock:
            now = asyncio.get_running_loop().time()
            if self._counted is None or now - self._counted[0] > KEPT_FOR:
                self._counted = now, await asyncio.to_thread(self._exposition)
            return Report(200, CONTENT_TYPE_LATEST.encode(), self._counted[1])

    def _database(self) -> str | None:
        try:
            with self.pulse.room.open(read_only=True) as db:
                db.value("SELECT count(*) FROM sources")
        except (StoreError, sqlite3.Error) as e:
            return str(e)
        return None

    def _disk(self) -> str | None:
        folder = self.pulse.room.settings.store.path.parent
        if not os.access(folder, os.W_OK):
            return f"{folder}: cannot be written to"
        try:
            free = shutil.disk_usage(folder).free
        except OSError as e:
            return f"{folder}: cannot be looked into ({e.strerror or e})"
        return None if free >= LEAST_FREE else f"{folder}: only {free // 1_000_000} MB are left"

    def _late(self) -> str | None:
        """Which verbs are late; None while this process waits, or is at work on them."""
        lease = self.pulse.lease
        if lease is None or not self.pulse.leads:
            return None
        now = self.pulse.room.now()
        # A rhythm that config.toml has just got is not late by what was in force before.
        begun = max(lease.taken_at, self.pulse.planned_at)
        late = [
            str(verb)
            for verb, tick in self.pulse.ticks.items()
            if not tick.running
            and now - max(tick.done_at or begun, begun) > OVERDUE * self.pulse.rhythm[verb] + SLACK
        ]
        return f"late: {', '.join(late)}" if late else None

    def _ticks(self) -> Iterator[tuple[str, dict[str, Any]]]:
        now = self.pulse.room.now()
        for verb, tick in self.pulse.ticks.items():
            age = None if tick.done_at is None else round((now - tick.done_at).total_seconds(), 1)
            yield (
                str(verb),
                {
                    "age_seconds": age,
                    "running": tick.running,
                    "runs": tick.runs,
                    "failures": tick.failures,
                    "fault": tick.fault,
                },
            )

    def _exposition(self) -> bytes:
        from prometheus_client import CollectorRegistry, generate_latest

        registry = CollectorRegistry(auto_describe=False)
        registry.register(self)
        return generate_latest(registry)

    def collect(self) -> "Iterator[Metric]":
        """Every figure, as prometheus-client asks for it."""
        from digest.web.figures import of_service, of_store, of_web, of_work

        yield from of_service(self.pulse)
        yield from of_work(self.pulse.tally)
        if self.app is not None:
            yield from of_web(self.app)
        room = self.pulse.room
        try:
            with room.open(read_only=True) as db, db.snapshot():
                # Whole before the first is given away: a database that fails midway has none.
                found = list(of_store(db, room.settings, room.now()))
        except (StoreError, sqlite3.Error):
            found = list(of_store(None, room.settings, room.now()))
        yield from found
