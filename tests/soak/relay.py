"""A mail server that misbehaves: aiosmtpd, with faults drawn from a seed for each delivery and try."""

import asyncio
import re
import threading
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

from digest.mail.tokens import find_tokens
from tests.soak.plan import drawn_from

MESSAGE_ID = re.compile(rb"(?mi)^Message-ID: *(<[^>\r\n]+>)")
LEAVE = re.compile(rb"<mailto:leave\+([a-z2-7]{32})@")
TAKEN = "taken"
"""Answered with 250."""
SWALLOWED = "swallowed"
"""Accepted, but without an answer."""
DROPPED = "dropped"
"""The body came, the message is lost, and there was no answer."""
AT_RCPT = (
    (0.020, "450 4.2.0 Greylisted, come again"),
    (0.003, "550 5.1.1 No such user"),
    (0.003, "552 5.2.2 Mailbox full"),
    (0.001, "554 5.7.1 Refused by policy"),
    (0.001, "421 4.7.0 Too many messages, slow down"),
    (0.001, "silence"),
    (0.002, "hang up"),
)
AT_END = (
    (0.008, "451 4.3.0 Try again"),
    (0.002, "552 5.3.4 Too large today"),
    (0.002, "hang up, dropped"),
    (0.002, "hang up, swallowed"),
    (0.001, "silence, swallowed"),
    (0.010, "slow"),
)
"""The share of deliveries, and what is done."""


@dataclass(frozen=True)
class Received:
    """A body that came: for which delivery, by the tokens in its return path and in its address for
    leaving, to whom, under which Message-ID, and its fate."""

    token: str
    leave: str
    address: str
    message_id: str
    fate: str


@dataclass
class Relay:
    """`silence` is longer than the service waits for an answer, in seconds; `tame`: no more faults;
    `trap` is how many more bodies must come, and what to call then; `notices` are mails to the
    newsroom's own people, by Message-ID."""

    seed: int
    silence: float
    port: int = 0
    tame: bool = False
    received: list[Received] = field(default_factory=list)
    notices: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    trap: tuple[int, Callable[[], None]] | None = None
    _tries: Counter[tuple[str, str]] = field(default_factory=Counter)
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _listener: asyncio.Server | None = None
    _openings: int = 0

    def refuse(self) -> None:
        """Take no connections, and end the open ones."""
        self.faults["connections refused"] += 1
        self._do(self._close())

    def serve(self) -> None:
        """Take connections, at the same port each time."""
        self._do(self._open())

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _open(self) -> None:
        if self._listener is None:
            self._openings += 1
            smtp = partial(SMTP, self, hostname="mx.example.org", loop=self._loop)
            self._listener = await self._loop.create_server(smtp, "127.0.0.1", self.port)
            self.port = self._listener.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        for task in asyncio.all_tasks(self._loop) - {asyncio.current_task()}:
            task.cancel()
        await asyncio.sleep(0)
        for transport in list(self._loop._transports.values()):  # type: ignore[attr-defined]
            transport.abort()
        await asyncio.sleep(0)

    async def handle_EHLO(  # noqa: N802 - the library's name
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, lines: list[str]
    ) -> list[str]:
        """Offers PIPELINING (RFC 2920) every other time that it listens, like replaced relays."""
        session.host_name = hostname
        offered = ["250-PIPELINING"] if self._openings % 2 else []
        return [*lines[:-1], *offered, lines[-1]]

    async def handle_RCPT(  # noqa: N802 - the library's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        act = self._act(AT_RCPT, next(iter(find_tokens(envelope.mail_from or "")), address), "rcpt")
        if act == "silence":
            await asyncio.sleep(self.silence)
        elif act == "hang up":
            _part(server)
        elif act is not None:
            return act
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Ok"

    async def handle_DATA(  # noqa: N802 - the library's name
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        token = next(iter(find_tokens(envelope.mail_from or "")), None)
        act = self._act(AT_END, token or envelope.rcpt_tos[0], "end")
        if act == "slow":
            await asyncio.sleep(0.1)
        elif act is not None and act[0] in "45":
            return act
        fate = TAKEN if act in (None, "slow") else act.rpartition(" ")[2]
        match = MESSAGE_ID.search(envelope.original_content or b"")
        name = match[1].decode() if match else ""
        match = LEAVE.search(envelope.original_content or b"")
        leave = match[1].decode() if match else ""
        if token is not None:
            self.received.append(Received(token, leave, envelope.rcpt_tos[0], name, fate))
        elif fate != DROPPED:
            self.notices[name] += 1
        if self.trap is not None:
            left, spring = self.trap
            self.trap = (left - 1, spring) if left > 1 else None
            if left <= 1:
                spring()
        if fate != TAKEN:
            if act.startswith("silence"):
                await asyncio.sleep(self.silence)
            _part(server)
        return "250 2.0.0 Ok: queued"

    def _act(self, acts: Any, name: str, phase: str) -> str | None:
        """What to do now; the same for the same seed, delivery and try."""
        if self.tame:
            return None
        self._tries[name, phase] += 1
        chance = drawn_from(self.seed, name, phase, self._tries[name, phase]).random()
        for share, act in acts:
            if chance < share:
                self.faults[act] += 1
                return str(act)
            chance -= share
        return None


def _part(server: SMTP) -> None:
    """Hang up in the middle of a command."""
    if server.transport is not None:
        server.transport.abort()
    raise asyncio.CancelledError


@contextmanager
def relaying(relay: Relay) -> Iterator[Relay]:
    """The relay, in a thread of its own."""
    thread = threading.Thread(target=relay._loop.run_forever, name="relay")
    thread.start()
    relay.serve()
    try:
        yield relay
    finally:
        relay._do(relay._close())
        relay._loop.call_soon_threadsafe(relay._loop.stop)
        thread.join(10)
        relay._loop.close()
