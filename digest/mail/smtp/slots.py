"""Slots, each with one connection at a time to a server, and the tally that calls the ledger for all."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from digest.mail.ledger import class_of, enhanced_code, slows_down
from digest.mail.outgoing import Outcome, OutcomeKind, Outgoing, Phase
from digest.mail.smtp.connection import (
    CLOSING,
    Link,
    LinkLostError,
    Refusal,
    Reply,
    check_address,
    check_message,
)
from digest.mail.smtp.queue import Dispatcher
from digest.mail.smtp.servers import Fault, OpenError, Server

SETTLE_SECONDS = 0.02
"""How long an outcome may wait for others, to share their commit, when nothing is to be handed."""

LONGEST_REST_SECONDS = 0.01
"""How long a message to be handed may wait for others after a slow commit."""


class WoundDownError(Exception):
    """The run is ending: this message is not handed, its body must not be ended."""


class Tally:
    """The ledger's two callbacks, called by one task for all connections.

    Everything ready at the same time shares one call of each: first the outcomes, then the deliveries
    to be handed, so that a connection never has two of them handed and unanswered.
    """

    def __init__(
        self, handed: Callable[[Sequence[int]], None], settled: Callable[[Sequence[Outcome]], None]
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
        """Return once `handed` is on disk for the delivery.

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
        """Take an outcome; it is settled soon, and before anything else is handed."""
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
                # Commits take at most half of the time while answers are still to come.
                self._look_again_at(self._rested_at)
                continue
            self.flush()
            if self._asking:  # if the call raises, they stay here for `wind_down` to refuse
                self._handed([delivery_id for delivery_id, _ in self._asking])
            asking, self._asking = self._asking, []
            self._in_the_air.update(delivery_id for delivery_id, _ in asking)
            for _, on_disk in asking:
                if not on_disk.done():
                    on_disk.set_result(None)
            now = self._loop.time()
            self._rested_at = now + min(now - began, LONGEST_REST_SECONDS)

    def flush(self) -> None:
        """Settle what has an outcome by now."""
        if self._later is not None:
            self._later.cancel()
            self._later = None
        if self._outcomes:
            self._settled(tuple(self._outcomes))
            self._outcomes.clear()

    def wind_down(self) -> None:
        """Hand nothing more, and refuse those who asked. Outcomes are taken as before."""
        self._wound_down = True
        for _, on_disk in self._asking:
            if not on_disk.done():
                on_disk.set_exception(WoundDownError())
        self._asking.clear()


@dataclass(frozen=True, slots=True)
class LinkSettings:
    """The name that connections greet with, and the seconds that one may be idle."""

    helo_name: str
    idle: float


class Slot:
    """One connection at a time to one server.

    Every message that this slot takes gets an outcome in the tally or goes back to the dispatcher, never
    both. `_current` is the one under way, `_written` whether its end was written, `_next` the one
    whose envelope went out behind it.
    """

    def __init__(
        self, server: Server, dispatcher: Dispatcher, tally: Tally, settings: LinkSettings
    ) -> None:
        self.opened = 0
        self._server = server
        self._dispatcher = dispatcher
        self._tally = tally
        self._settings = settings
        self._loop = asyncio.get_running_loop()
        self._link: Link | None = None
        self._begun = 0  # messages on this link
        self._began_at = 0.0  # when the one under way did
        self._current: Outgoing | None = None
        self._written = False
        self._next: Outgoing | None = None

    async def run(self) -> None:
        """Serve until the dispatcher has nothing more."""
        try:
            while not self._dispatcher.over:
                seconds = None if self._link is None else self._settings.idle
                message = await self._dispatcher.take(self._server, seconds=seconds)
                if message is None:
                    await self._close()
                    continue
                try:
                    await self._serve(message)
                finally:
                    self._dispatcher.rest(self._server)
        finally:
            self._abandon()
            await self._close()

    async def _serve(self, message: Outgoing) -> None:
        self._current, self._written = message, False
        if not self._fit(message):
            self._current = None
            return
        link = await self._usable_link()
        if link is None or self._dispatcher.closing:
            self._give_back(message, tried=False)
            return
        self._begin()
        link.begin(message)
        while self._current is not None:
            await self._transact(link, self._current)
            self._current, self._written = self._next, False
            self._next = None
        if not link.usable or self._begun >= self._server.settings.messages_per_connection:
            await self._close()

    async def _transact(self, link: Link, message: Outgoing) -> None:
        """From the envelope, which has begun, to an outcome or back to the dispatcher."""
        try:
            refusal = await link.envelope()
        except LinkLostError as lost:
            await self._lost_early(message, lost)
            return
        if refusal is not None:
            await self._refused(message, refusal)
            return
        try:
            if self._dispatcher.closing:
                raise WoundDownError
            await self._tally.hand(message.delivery_id)
            self._next = self._following(link)
            link.end(message, self._next)
        except WoundDownError:
            self._unsent(message, "stopped before its body", Phase.DATA)
            return
        except LinkLostError as lost:
            self._unsent(message, lost.text, lost.phase)
            return
        self._written = True
        try:
            reply = await link.ended()
        except LinkLostError as lost:
            self._uncertain(message, lost.text)
            return
        if class_of(reply.code, reply.text, Phase.END) is OutcomeKind.UNCERTAIN:
            self._uncertain(message, reply.text, reply)
        else:
            self._answered(message, reply, Phase.END)

    def _fit(self, message: Outgoing) -> bool:
        """Whether the message can be sent at all; if not, it has its outcome.

        Raises:
            ValueError: its bytes are not as Outgoing promises; that is a bug of ours.
        """
        if not message.wire_ready:
            check_message(message.message)
        for address, phase, kind in (
            (message.sender, Phase.MAIL, OutcomeKind.OURS),
            (message.recipient, Phase.RCPT, OutcomeKind.REFUSED),
        ):
            try:
                check_address(address)
            except ValueError as e:
                self._settle(message, kind, text=str(e), phase=phase)
                return False
        return True

    def _following(self, link: Link) -> Outgoing | None:
        """The message whose envelope may follow the end of the one under way at once."""
        if not link.pipelining or self._begun >= self._server.settings.messages_per_connection:
            return None
        message = self._next = self._dispatcher.take_now(self._server)
        if message is None or not self._fit(message):
            return None
        self._begin()
        return message

    def _begin(self) -> None:
        self._begun += 1
        self._began_at = self._loop.time()

    async def _usable_link(self) -> Link | None:
        """The open link, else a new one; None when none could be opened."""
        if self._link is not None and self._link.usable:
            return self._link
        await self._close()
        self._began_at = self._loop.time()
        opening = self._loop.create_task(self._server.open(self._settings.helo_name))
        try:
            either: set[asyncio.Future[Any]] = {opening, self._dispatcher.closed}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if not opening.done():
                return None
            self._link = opening.result()
        except OpenError as e:
            self._fail(e.fault)
            if slows_down(e.fault.code, e.fault.enhanced):
                self._server.throttle.slow(self._loop.time())
            return None
        finally:
            if not opening.done():
                opening.cancel()
                with contextlib.suppress(asyncio.CancelledError, OpenError):
                    await opening
        self.opened += 1
        self._begun = 0
        return self._link

    def _fail(self, fault: Fault) -> None:
        self._server.failed(fault, began=self._began_at, now=self._loop.time())
        if self._dispatcher.given_up:
            self._dispatcher.close()

    async def _close(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            await link.close()

    # How the message under way ends. Each leaves `_current` settled or given back; those that leave
    # the connection unusable also give back `_next` and close it.

    def _settle(
        self,
        message: Outgoing,
        kind: OutcomeKind,
        reply: Reply | None = None,
        *,
        text: str = "",
        phase: Phase,
    ) -> None:
        outcome = Outcome(
            message.delivery_id,
            kind,
            code=None if reply is None else reply.code,
            enhanced=None if reply is None else enhanced_code(reply.text),
            text=text if reply is None else reply.text,
            server=self._server.name,
            phase=phase,
        )
        self._tally.settle(outcome)
        self._dispatcher.ended(message)

    def _answered(self, message: Outgoing, reply: Reply, phase: Phase) -> None:
        """An answer with a code settles the message, whatever else it means."""
        kind = class_of(reply.code, reply.text, phase)
        if kind is OutcomeKind.SENT:
            self._dispatcher.lookahead.well(message)
            self._server.throttle.well()
        elif slows_down(reply.code, enhanced_code(reply.text)):
            now = self._loop.time()
            if reply.code == CLOSING or phase is Phase.MAIL:
                self._server.throttle.slow(now)
            if phase is not Phase.MAIL:
                self._dispatcher.lookahead.slow(message, now)
        if kind is OutcomeKind.OURS:
            self._fail(Fault.answered(reply.code, reply.text, phase))
        elif phase is not Phase.MAIL:
            self._server.served()
        self._settle(message, kind, reply, phase=phase)
        self._current = None

    async def _refused(self, message: Outgoing, refusal: Refusal) -> None:
        reply, phase = refusal
        fault = Fault.answered(reply.code, reply.text, phase)
        if fault.kind is OutcomeKind.OURS:
            # Another server may accept us; otherwise the run ends, and settles the message.
            self._fail(fault)
            self._give_back(message, tried=False)
            await self._close()
            return
        if reply.code == CLOSING and phase is Phase.MAIL:
            # It closes every connection, whatever the message.
            if self._begun == 1:
                self._fail(fault)
            if self._give_back(message, tried=True):
                self._server.throttle.slow(self._loop.time())
                return
        self._answered(message, reply, phase)

    async def _lost_early(self, message: Outgoing, lost: LinkLostError) -> None:
        """The message was not handed: it begins again on another connection, a few times."""
        if self._begun == 1:  # else it may only be a server's way to end a long connection
            if lost.phase is Phase.MAIL:
                self._fail(Fault(OutcomeKind.UNSENT, lost.phase, lost.text, for_good=False))
            else:
                self._server.throttle.slow(self._loop.time())
        if self._server.timeouts.over or not self._give_back(message, tried=True):
            self._unsent(message, lost.text, lost.phase)
        await self._close()

    def _uncertain(self, message: Outgoing, text: str, reply: Reply | None = None) -> None:
        """No answer after the final dot, or one that makes no sense."""
        self._settle(message, OutcomeKind.UNCERTAIN, reply, text=text, phase=Phase.END)
        self._current = None
        self._fail(Fault(OutcomeKind.UNSENT, Phase.END, text, for_good=False))
        self._drop_link()

    def _unsent(self, message: Outgoing, text: str, phase: Phase) -> None:
        self._settle(message, OutcomeKind.UNSENT, text=text, phase=phase)
        self._current = None
        self._drop_link()

    def _drop_link(self) -> None:
        """Neither the connection can be used any more nor the envelope that went out ahead."""
        if self._next is not None:
            self._dispatcher.give_back(self._next, tried=False)
            self._next = None
        link, self._link = self._link, None
        if link is not None:
            link.abort()

    def _give_back(self, message: Outgoing, *, tried: bool) -> bool:
        """False when it has begun too often; then this slot must settle it."""
        if not self._dispatcher.give_back(message, tried=tried):
            return False
        self._current = None
        return True

    def _abandon(self) -> None:
        """Settle what an exception has left under way."""
        current, self._current = self._current, None
        following, self._next = self._next, None
        if current is not None:
            kind = OutcomeKind.UNCERTAIN if self._written else OutcomeKind.UNSENT
            phase = Phase.END if self._written else Phase.DATA
            self._settle(current, kind, text="broken off", phase=phase)
        if following is not None:
            self._settle(following, OutcomeKind.UNSENT, text="broken off", phase=Phase.MAIL)
        if current is not None or following is not None:
            self._drop_link()
