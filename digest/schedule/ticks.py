"""When APScheduler wakes a verb, and how the verb has fared."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from apscheduler.triggers.base import BaseTrigger

from digest.errors import DigestError
from digest.schedule.plan import NextTime, Verb
from digest.troubles import Failing

if TYPE_CHECKING:
    from digest.runtime import Clock


class WhenDue(BaseTrigger):  # type: ignore[misc] # the library has no types
    """A rhythm as APScheduler asks for it, by the machine's clock. All that was missed until now
    comes as one run.
    """

    def __init__(self, after: NextTime, clock: "Clock") -> None:
        self.after = after
        self.clock = clock

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime:
        seen = now if previous is None else max(previous, now)
        return self.clock.machine_at(self.after(self.clock.at(seen)))


@dataclass(slots=True)
class Tick:
    """How a verb fares: when it was last woken, when it last came to its end, how often it failed."""

    woken_at: datetime | None = None
    done_at: datetime | None = None
    runs: int = 0
    failures: int = 0
    fault: str | None = None
    failing: Failing | None = None
    running: bool = False

    def failed(self, verb: Verb, fault: Exception, now: datetime) -> None:
        """`failing` counts the failures since it last came to its end."""
        since, times = (
            (now, 0) if self.failing is None else (self.failing.since, self.failing.times)
        )
        self.failures, self.fault = self.failures + 1, type(fault).__name__
        said = str(fault) if isinstance(fault, DigestError) else f"{type(fault).__name__}: {fault}"
        self.failing = Failing(verb, since, times + 1, said)

    def done(self, now: datetime) -> None:
        self.done_at, self.fault, self.failing = now, None, None
