"""Group commits: what many connections have to put into the ledger, in few calls."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence

from digest.mail.outgoing import Outcome, OutcomeKind

SETTLE_SECONDS = 0.02
"""How long an outcome may wait for company when nothing is to be handed."""

LONGEST_REST_SECONDS = 0.01
"""The most that who asks to be handed waits for company after a slow commit."""


class WoundDownError(Exception):
    """The run is coming to its end: this message is not handed, its body must not be ended."""


class Tally:
    """The ledger's two callbacks, called by one task for all connections.

    What is ready in one turn of the event loop goes out in one call each: outcomes first, then
    what is to be handed, so that a connection never has two deliveries handed and unanswered.
    """

    def __init__(
        self,
        handed: Callable[[Sequence[int]], None],
        settled: Callable[[Sequence[Outcome]], None],
    ) -> None:
        self.counts: Counter[OutcomeKind] = Counter()
        self._handed = handed
        self._settled = settled
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()
        self._later: asyncio.TimerHandle | None = None
        self._outcomes: list[Outcome] = []
        self._asking: list[tuple[int, asyncio.Future[None]]] = []
        self._wound_down = False
        self._in_the_air: set[int] = set()  # handed, and without an outcome
        self._rested_at = 0.0

    async def hand(self, delivery_id: int) -> None:
        """Returns once `handed` is on disk for the delivery.

        Raises:
            WoundDownError: it is not, and will not be.
        """
        if self._wound_down:
            raise WoundDownError
        on_disk: asyncio.Future[None] = self._loop.create_future()
        self._asking.append((delivery_id, on_disk))
        self._news.set()
        await on_disk
        if self._wound_down:
            raise WoundDownError

    def settle(self, outcome: Outcome) -> None:
        """Take note of an outcome; it goes out soon, and before anything else is handed."""
        self.counts[outcome.kind] += 1
        self._outcomes.append(outcome)
        self._in_the_air.discard(outcome.delivery_id)
        if self._later is None:
            self._look_again_at(self._loop.time() + SETTLE_SECONDS)

    def _look_again_at(self, when: float) -> None:
        if self._later is not None:
            if self._later.when() <= when:
                return
            self._later.cancel()
        self._later = self._loop.call_at(when, self._wake)

    def _wake(self) -> None:
        self._later = None
        self._news.set()

    async def keep(self) -> None:
        """Serve both, until cancelled. Raises what the callbacks raise."""
        while True:
            await self._news.wait()
            self._news.clear()
            began = self._loop.time()
            if began < self._rested_at and self._in_the_air:
                # Commits take no more than half of the time while answers are still to come.
                self._look_again_at(self._rested_at)
                continue
            self.flush()
            self._hand_over()
            now = self._loop.time()
            self._rested_at = now + min(now - began, LONGEST_REST_SECONDS)

    def _hand_over(self) -> None:
        """Hand all who ask; if that fails, they stay asking for `wind_down` to refuse."""
        if self._asking:
            self._handed([delivery_id for delivery_id, _ in self._asking])
        asking, self._asking = self._asking, []
        self._in_the_air.update(delivery_id for delivery_id, _ in asking)
        for _, on_disk in asking:
            if not on_disk.done():
                on_disk.set_result(None)

    def flush(self) -> None:
        """Settle what has an outcome by now."""
        if self._later is not None:
            self._later.cancel()
            self._later = None
        if self._outcomes:
            self._settled(tuple(self._outcomes))
            self._outcomes.clear()

    def wind_down(self) -> None:
        """Hand nothing more; who asked for it is told so. Outcomes are taken as before."""
        self._wound_down = True
        for _, on_disk in self._asking:
            if not on_disk.done():
                on_disk.set_exception(WoundDownError())
        self._asking.clear()
