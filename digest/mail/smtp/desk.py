"""Who sends what next: messages on one side, connections that are free on the other."""

import asyncio
from collections import deque
from collections.abc import Sequence

from digest.mail.outgoing import Outgoing
from digest.mail.smtp.lookahead import Lookahead
from digest.mail.smtp.pacing import Allowance
from digest.mail.smtp.servers import Fault, Server

TRIES = 3
"""How often a message may begin in one run when connections are lost under it."""


class Desk:
    """Gives messages to connections, by weight among the servers that have one free.

    A connection that comes from `take` holds a place at its server until `rest`.
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
        """Give out nothing more."""
        if not self.closing:
            self.closed.set_result(None)
            self._news.set()

    async def take(self, server: Server, *, seconds: float | None) -> Outgoing | None:
        """The next message for a connection to `server`.

        None when there was none within `seconds` (None: however long it takes), or when all is over.
        """
        if self.over:
            return None
        place: asyncio.Future[Outgoing | None] = self._loop.create_future()
        queue = self._waiting[server]
        # Who has an open connection comes first.
        if seconds is None:
            queue.append(place)
            timer = None
        else:
            queue.appendleft(place)
            timer = self._loop.call_later(seconds, _leave, place)
        self._news.set()
        try:
            return await place
        finally:
            if timer is not None:
                timer.cancel()

    def take_now(self, server: Server) -> Outgoing | None:
        """The message to follow at once on a connection that has its place; None: not now."""
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
        """Let another connection begin the message; False when it has begun often enough."""
        tries = self._tries.get(message.delivery_id, 0) + tried
        if tries >= TRIES:
            return False
        self._tries[message.delivery_id] = tries
        self.lookahead.give_back(message)
        self._news.set()
        return True

    async def keep(self) -> None:
        """Serve those who wait, until cancelled. Raises what the messages raise."""
        while True:
            await self._news.wait()
            self._news.clear()
            self._serve()

    def _serve(self) -> None:
        """Give messages to those who wait, while there are both."""
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
            self._dismiss()

    def _start(self, server: Server, now: float) -> Outgoing | None:
        message = self.lookahead.take(now)
        if message is not None:
            server.started += 1
            for rate in self._rates:
                rate.start(now)
        return message

    def _free(self, server: Server) -> bool:
        """Whether a connection to `server` waits; those that have left are swept out."""
        queue = self._waiting[server]
        while queue and queue[0].done():
            queue.popleft()
        return bool(queue)

    def _rate_ready_at(self) -> float:
        return max((rate.ready_at() for rate in self._rates), default=0.0)

    def _dismiss(self) -> None:
        for queue in self._waiting.values():
            for place in queue:
                if not place.done():
                    place.set_result(None)
            queue.clear()

    def _look_again_at(self, when: float | None) -> None:
        if when is None or when == float("inf"):
            return  # something must end first, and its end is news
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(when, self._news.set)


def _leave(place: "asyncio.Future[Outgoing | None]") -> None:
    if not place.done():
        place.set_result(None)


def _opens(server: Server) -> float:
    ready_at = server.ready_at()
    return float("inf") if ready_at is None else ready_at


def fault_text(servers: Sequence[Server]) -> str:
    """What the operator reads when no server is left."""

    def told(fault: Fault) -> str:
        return f"{fault.phase}: {fault.code or ''} {fault.text}".replace(":  ", ": ")

    return "; ".join(f"{s.name}: {told(s.fault)}" for s in servers if s.fault is not None)
