"""Which message may start next: a bounded look past recipient domains that are busy.

No network and no clock: `now` is an argument, in seconds.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from digest.mail.outgoing import Outgoing
from digest.mail.smtp.pacing import Allowance, Patience, Throttle

LOOK_AHEAD = 200
"""Messages held back for busy domains; more are not drawn until one of these may start."""

_MANY_DOMAINS = 2_000


@dataclass(slots=True)
class Domain:
    """A recipient domain: how much is under way, and what waits for it."""

    throttle: Throttle
    rate: Allowance | None
    parked: deque[Outgoing] = field(default_factory=deque)

    def ready_at(self) -> float | None:
        """When the next message may start, None when one must end first."""
        if not self.throttle.has_room():
            return None
        at = self.throttle.ready_at()
        return max(at, self.rate.ready_at()) if self.rate else at

    def idle(self, now: float) -> bool:
        return (
            not self.parked
            and self.throttle.idle(now)
            and (self.rate is None or self.rate.idle(now))
        )


def domain_of(message: Outgoing) -> str:
    return message.recipient.rpartition("@")[2].lower()


class Lookahead:
    """Draws from `messages` what may start. Every message that `take` gave is either `ended` or
    `given_back`."""

    def __init__(
        self,
        messages: Iterator[Outgoing],
        patience: Patience,
        *,
        domain_connections: int | None = None,
        domain_per_minute: int | None = None,
    ) -> None:
        self.exhausted = False
        self.under_way = 0
        self._messages = messages
        self._patience = patience
        self._domain_connections = domain_connections
        self._domain_per_minute = domain_per_minute
        self._returned: deque[Outgoing] = deque()
        self._domains: dict[str, Domain] = {}
        self._parked_domains: dict[str, Domain] = {}
        self._parked = 0
        self._tidy_at = _MANY_DOMAINS

    @property
    def finished(self) -> bool:
        """Whether nothing is left to start, and nothing under way that may come back."""
        return self.exhausted and not (self._returned or self._parked or self.under_way)

    def take(self, now: float) -> Outgoing | None:
        """The next message that may start; None when there is none at `now`."""
        message = self._from_parked(now) or self._from_returned(now) or self._drawn(now)
        if message is not None:
            self.under_way += 1
        return message

    def ready_at(self) -> float | None:
        """When `take` may find something by the passing of time alone; None if it will not."""
        times = [at for d in self._parked_domains.values() if (at := d.ready_at()) is not None]
        return min(times, default=None)

    def ended(self, message: Outgoing) -> None:
        self.under_way -= 1
        self._domains[domain_of(message)].throttle.under_way -= 1

    def give_back(self, message: Outgoing) -> None:
        """It did not start after all; it comes again, behind what else was given back."""
        self.ended(message)
        self._returned.append(message)

    def slow(self, message: Outgoing, now: float) -> None:
        """The domain of `message`, which is under way, asked for less."""
        self._domains[domain_of(message)].throttle.slow(now)

    def well(self, message: Outgoing) -> None:
        """The domain of `message`, which is under way, took it."""
        self._domains[domain_of(message)].throttle.well()

    def drain(self) -> list[Outgoing]:
        """Everything drawn and not under way, which will not start any more."""
        left = [*self._returned]
        for domain in self._parked_domains.values():
            left += domain.parked
            domain.parked.clear()
        self._returned.clear()
        self._parked_domains.clear()
        self._parked = 0
        return left

    def _from_parked(self, now: float) -> Outgoing | None:
        for name, domain in self._parked_domains.items():
            ready_at = domain.ready_at()
            if ready_at is None or ready_at > now:
                continue
            message = domain.parked.popleft()
            self._parked -= 1
            # The domain goes to the back, or out: each gets its turn.
            del self._parked_domains[name]
            if domain.parked:
                self._parked_domains[name] = domain
            self._start(domain, now)
            return message
        return None

    def _from_returned(self, now: float) -> Outgoing | None:
        while self._returned:
            message = self._returned.popleft()
            if self._may_start(message, now):
                return message
        return None

    def _drawn(self, now: float) -> Outgoing | None:
        while not self.exhausted and self._parked < LOOK_AHEAD:
            message = next(self._messages, None)
            if message is None:
                self.exhausted = True
                return None
            if self._may_start(message, now):
                return message
        return None

    def _may_start(self, message: Outgoing, now: float) -> bool:
        """Start `message`, or park it with its domain."""
        name = domain_of(message)
        domain = self._domains.get(name) or self._new_domain(name, now)
        ready_at = domain.ready_at()
        if domain.parked or ready_at is None or ready_at > now:
            domain.parked.append(message)
            self._parked_domains[name] = domain
            self._parked += 1
            return False
        self._start(domain, now)
        return True

    def _start(self, domain: Domain, now: float) -> None:
        domain.throttle.under_way += 1
        if domain.rate is not None:
            domain.rate.start(now)

    def _new_domain(self, name: str, now: float) -> Domain:
        if len(self._domains) >= self._tidy_at:
            self._domains = {n: d for n, d in self._domains.items() if not d.idle(now)}
            self._tidy_at = max(_MANY_DOMAINS, 2 * len(self._domains))
        per_minute = self._domain_per_minute
        domain = Domain(
            Throttle(self._domain_connections, self._patience),
            Allowance(per_minute, 60.0) if per_minute else None,
        )
        self._domains[name] = domain
        return domain
