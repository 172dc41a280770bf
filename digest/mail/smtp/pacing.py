"""How much may be under way: allowances in time, and throttles that slow down and recover.

Pure: every time is a number of seconds on any clock that only goes forward.
"""

from collections import deque
from dataclasses import dataclass

MOST_SLOWED = 8
"""Steps down that a throttle remembers: what halves eight times is at one in any case."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to pause after a fault, doubling up to `longest` seconds; `tries` faults in a row
    and a server is given up; after `recover_after` good answers a throttle opens by one."""

    first: float = 1.0
    longest: float = 120.0
    tries: int = 5
    recover_after: int = 10

    def pause(self, faults: int) -> float:
        """Seconds to wait after the `faults`-th fault in a row, from 1."""
        return float(min(self.longest, self.first * 2 ** min(faults - 1, 30)))


class Allowance:
    """At most `count` starts in any stretch of `seconds`."""

    def __init__(self, count: int, seconds: float) -> None:
        self._starts: deque[float] = deque(maxlen=count)
        self._count = count
        self._seconds = seconds

    def ready_at(self) -> float:
        """When the next start is allowed; a time gone by means at once."""
        if len(self._starts) < self._count:
            return 0.0
        return self._starts[0] + self._seconds

    def start(self, now: float) -> None:
        self._starts.append(now)

    def idle(self, now: float) -> bool:
        """Whether it holds nothing that still counts."""
        return not self._starts or self._starts[-1] + self._seconds <= now


class Throttle:
    """How many may be under way at a time: `limit`, None for any number.

    `slow` halves what is allowed and pauses, each time longer; `well` counts towards recovery.
    """

    def __init__(self, limit: int | None, patience: Patience) -> None:
        self.under_way = 0
        self._limit = limit
        self._patience = patience
        self._allowed = limit
        self._slowed = 0
        self._good = 0
        self._paused_until = 0.0

    @property
    def allowed(self) -> int | None:
        return self._allowed

    def has_room(self) -> bool:
        return self._allowed is None or self.under_way < self._allowed

    def over(self) -> bool:
        """Whether more is under way than is allowed by now."""
        return self._allowed is not None and self.under_way > self._allowed

    def ready_at(self) -> float:
        return self._paused_until

    def slow(self, now: float) -> None:
        """Somebody asked us to send less. Answers within a pause belong to the same asking."""
        if now < self._paused_until:
            return
        self._slowed = min(self._slowed + 1, MOST_SLOWED)
        self._good = 0
        self._allowed = max(1, (self._allowed or max(2, self.under_way)) // 2)
        self._paused_until = now + self._patience.pause(self._slowed)

    def well(self) -> None:
        """One good answer."""
        if not self._slowed:
            return
        self._good += 1
        if self._good < self._patience.recover_after:
            return
        self._good = 0
        self._slowed -= 1
        self._allowed = (self._allowed or 1) * 2 if self._slowed else self._limit
        if self._allowed is not None and self._limit is not None:
            self._allowed = min(self._allowed, self._limit)

    def idle(self, now: float) -> bool:
        """Whether forgetting it changes nothing."""
        return not self.under_way and not self._slowed and self._paused_until <= now
