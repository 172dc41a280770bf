"""Which message starts next: messages on one side, free connections on the other."""

import asyncio
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from digest.mail.outgoing import Outgoing
from digest.mail.smtp.servers import Allowance, Patience, Server, Throttle

LOOK_AHEAD = 200
"""Messages held back for busy domains; no more are drawn until one of these may start."""

TRIES = 3
"""How often a message may begin in one run when its connections are lost."""

_MANY_DOMAINS = 2_000


@dataclass(slots=True)
class Domain:
    """A recipient domain: how much is under way, and what waits for it."""

    throttle: Throttle
    rate: Allowance | None
    parked: deque[Outgoing] = field(default_factory=deque)

    def ready_at(self) -> float | None:
        """When the next message may start, None when one must end first."""
        if self.throttle.full():
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
    """Draws the messages that may start. Each from `take` must be `ended` or given back."""

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
        started = self._from_parked(now)
        while started is None:
            if self._returned:
                message = self._returned.popleft()
            elif self.exhausted or self._parked >= LOOK_AHEAD:
                return None
            elif (drawn := next(self._messages, None)) is None:
                self.exhausted = True
                return None
            else:
                message = drawn
            if self._may_start(message, now):
                started = message
        self.under_way += 1
        return started

    def ready_at(self) -> float | None:
        """When `take` may find something without any other event; None if it will not."""
        times = [at for d in self._parked_domains.values() if (at := d.ready_at()) is not None]
        return min(times, default=None)

    def ended(self, message: Outgoing) -> None:
        self.under_way -= 1
        self._domains[domain_of(message)].throttle.under_way -= 1

    def give_back(self, message: Outgoing) -> None:
        """It did not start; it comes again, after the others that were given back."""
        self.ended(message)
        self._returned.append(message)

    def slow(self, message: Outgoing, now: float) -> None:
        """The domain of `message`, which is under way, asked us to send less."""
        self._domains[domain_of(message)].throttle.slow(now)

    def well(self, message: Outgoing) -> None:
        """The domain of `message`, which is under way, accepted it."""
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

    def _may_start(self, message: Outgoing, now: float) -> bool:
        """Start `message`, or park it with its domain."""
        name = domain_of(message)
        domain = self._domains.get(name)
        if domain is None:
            if len(self._domains) >= self._tidy_at:
                self._domains = {n: d for n, d in self._domains.items() if not d.idle(now)}
                self._tidy_at = max(_MANY_DOMAINS, 2 * len(self._domains))
            throttle = Throttle(self._domain_connections, self._patience)
            per_minute = self._domain_per_minute
            rate = Allowance(per_minute, 60.0) if per_minute else None
            domain = self._domains[name] = Domain(throttle, rate)
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


class Dispatcher:
    """Gives messages to connections, by weight among the servers that have one free.

    A connection that got a message from `take` holds a place at its server until `rest`.
    """

    def __init__(
        self, lookahead: Lookahead, servers: Sequence[Server], rates: Sequence[Allowance]
    ) -> None:
        self.lookahead = lookahead
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._loop = asyncio.get_running_loop()
        self._rates = rates
        self._waiting: dict[Server, deque[asyncio.Future[Outgoing | None]]] = {
            server: deque() for server in servers
        }
        self._news = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._tries: dict[int, int] = {}

    @property
    def closing(self) -> bool:
        return self.closed.done()

    @property
    def over(self) -> bool:
        """Whether no connection will get a message any more."""
        return self.closing or self.lookahead.finished

    @property
    def given_up(self) -> bool:
        """Whether no server is left to try."""
        return all(server.given_up for server in self._waiting)

    def close(self) -> None:
        """Give no more messages."""
        if not self.closing:
            self.closed.set_result(None)
            self._news.set()

    async def take(self, server: Server, *, seconds: float | None) -> Outgoing | None:
        """The next message for a connection to `server`.

        None when there was none within `seconds` (None: no limit), or when nothing more comes.
        """
        if self.over:
            return None
        place: asyncio.Future[Outgoing | None] = self._loop.create_future()
        queue = self._waiting[server]
        if seconds is None:
            queue.append(place)
            timer = None
        else:  # an open connection: it comes first
            queue.appendleft(place)
            timer = self._loop.call_later(seconds, _dismiss, place)
        self._news.set()
        try:
            return await place
        finally:
            if timer is not None:
                timer.cancel()

    def take_now(self, server: Server) -> Outgoing | None:
        """The next message for a connection that has its place, at once; None: not now."""
        now = self._loop.time()
        if self.closing or not server.may_go_on(now) or self._rate_ready_at() > now:
            return None
        if any(self._free(other) for other in self._waiting if other.share < server.share):
            return None
        return self._start(server, now)

    def rest(self, server: Server) -> None:
        """A connection to `server` gives up its place."""
        server.throttle.under_way -= 1
        self._news.set()

    def ended(self, message: Outgoing) -> None:
        """The message has its outcome."""
        self._tries.pop(message.delivery_id, None)
        self.lookahead.ended(message)
        if self.lookahead.finished or any(self._waiting.values()):
            self._news.set()

    def give_back(self, message: Outgoing, *, tried: bool) -> bool:
        """Let another connection begin the message; False when it has begun too often."""
        tries = self._tries.get(message.delivery_id, 0) + tried
        if tries >= TRIES:
            return False
        self._tries[message.delivery_id] = tries
        self.lookahead.give_back(message)
        self._news.set()
        return True

    async def keep(self) -> None:
        """Serve the connections that wait, until cancelled. Raises what the messages raise."""
        while True:
            await self._news.wait()
            self._news.clear()
            self._serve()

    def _serve(self) -> None:
        """Give messages to connections, while there are both."""
        while not self.over and (free := [s for s in self._waiting if self._free(s)]):
            now = self._loop.time()
            server = min(free, key=lambda s: (max(_opens(s), now), s.share))
            if (opens := max(_opens(server), self._rate_ready_at())) > now:
                self._look_again_at(opens)
                break
            if (message := self._start(server, now)) is None:
                self._look_again_at(self.lookahead.ready_at())
                break
            server.throttle.under_way += 1
            self._waiting[server].popleft().set_result(message)
        if self.over:
            for queue in self._waiting.values():
                for place in queue:
                    _dismiss(place)
                queue.clear()

    def _start(self, server: Server, now: float) -> Outgoing | None:
        message = self.lookahead.take(now)
        if message is not None:
            server.started += 1
            for rate in self._rates:
                rate.start(now)
        return message

    def _free(self, server: Server) -> bool:
        """Whether a connection to `server` waits; drops those that no longer do."""
        queue = self._waiting[server]
        while queue and queue[0].done():
            queue.popleft()
        return bool(queue)

    def _rate_ready_at(self) -> float:
        return max((rate.ready_at() for rate in self._rates), default=0.0)

    def _look_again_at(self, when: float | None) -> None:
        if when is None or when == float("inf"):
            return  # something must end first, and will call for this
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(when, self._news.set)


def _dismiss(place: "asyncio.Future[Outgoing | None]") -> None:
    if not place.done():
        place.set_result(None)


def _opens(server: Server) -> float:
    ready_at = server.ready_at()
    return float("inf") if ready_at is None else ready_at
