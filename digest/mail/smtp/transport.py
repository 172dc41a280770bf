"""Whether the mail servers would take us, without a message."""

import asyncio
import socket
from collections.abc import Callable, Iterator, Sequence

from digest.config.settings import ServerSettings, TransportSettings
from digest.mail.outgoing import Outcome, OutcomeKind, Outgoing, Phase, Report
from digest.mail.smtp.connection import Timeouts
from digest.mail.smtp.queue import Desk, Lookahead, fault_text
from digest.mail.smtp.servers import Access, Allowance, OpenError, Patience, Server, accesses
from digest.mail.smtp.slots import Manner, Slot, Tally

STOP_SECONDS = 0.1
"""How often `stop()` is asked."""

PARTING_SECONDS = 0.05
"""Connections take leave by turns of the loop; one that ends before leaves sockets open."""


class SmtpTransport:
    """Delivers through the servers of `settings`.

    Raises:
        NotReadyError: a password or a ca_file that a server names is not there.
    """

    repeatable = False

    def __init__(self, settings: TransportSettings, *, patience: Patience | None = None) -> None:
        self._settings = settings
        self._patience = patience or Patience()
        self._accesses = accesses(settings.servers)

    def deliver(
        self,
        messages: Iterator[Outgoing],
        *,
        handed: Callable[[Sequence[int]], None],
        settled: Callable[[Sequence[Outcome]], None],
        stop: Callable[[], bool],
    ) -> Report:
        """Deliver until `messages` ends, `stop()` is true, or no server can be used."""
        with asyncio.Runner() as runner:
            try:
                return runner.run(self._deliver(messages, handed, settled, stop))
            finally:
                runner.run(asyncio.sleep(PARTING_SECONDS))

    async def _deliver(
        self,
        messages: Iterator[Outgoing],
        handed: Callable[[Sequence[int]], None],
        settled: Callable[[Sequence[Outcome]], None],
        stop: Callable[[], bool],
    ) -> Report:
        settings = self._settings
        servers = [Server(access, self._patience) for access in self._accesses]
        lookahead = Lookahead(
            messages,
            self._patience,
            domain_connections=settings.domain_connections,
            domain_per_minute=settings.domain_per_minute,
        )
        desk = Desk(lookahead, servers, _rates(settings))
        tally = Tally(handed, settled)
        manner = await self._manner()
        slots = [
            Slot(server, desk, tally, manner)
            for server in servers
            for _ in range(server.settings.connections)
        ]
        stopped, failure = await _watch(slots, desk, tally, stop)
        fault = fault_text(servers) if desk.given_up else None
        for message in lookahead.drain():
            tally.settle(_left(message, servers if fault else ()))
        try:
            tally.flush()
        finally:
            if failure is not None:
                raise failure
        return Report(
            counts=dict(tally.counts),
            exhausted=lookahead.exhausted,
            stopped=stopped,
            fault=fault,
            connections=sum(slot.opened for slot in slots),
        )

    async def _manner(self) -> Manner:
        settings = self._settings
        timeouts = Timeouts(
            connect=settings.connect_timeout_seconds,
            command=settings.command_timeout_seconds,
            data=settings.data_timeout_seconds,
        )
        name = settings.helo_name
        if name is None:
            name = await asyncio.to_thread(_own_name)
        return Manner(name, timeouts, settings.idle_timeout_seconds)


async def _watch(
    slots: Sequence[Slot], desk: Desk, tally: Tally, stop: Callable[[], bool]
) -> tuple[bool, BaseException | None]:
    """Run the slots to their end; whether `stop` ended them, and the first exception met."""
    stopped = False
    failure: BaseException | None = None
    serving = {asyncio.create_task(slot.run()) for slot in slots}
    keeping = {asyncio.create_task(desk.keep()), asyncio.create_task(tally.keep())}
    pending = serving | keeping
    while serving & pending:
        try:
            done, pending = await asyncio.wait(
                pending, timeout=STOP_SECONDS, return_when=asyncio.FIRST_COMPLETED
            )
        except asyncio.CancelledError as e:  # Ctrl-C where nobody else takes it
            failure = failure or e
            desk.close()
            continue
        for task in done:
            if (error := task.exception()) is not None:
                failure = failure or error
                tally.wind_down()
                desk.close()
        if not desk.closing and stop():
            stopped = True
            desk.close()
    for task in keeping:
        task.cancel()
    await asyncio.wait(keeping)
    return stopped, failure


def _rates(settings: TransportSettings) -> list[Allowance]:
    limits = ((settings.per_second, 1.0), (settings.per_minute, 60.0))
    return [Allowance(count, seconds) for count, seconds in limits if count is not None]


def _left(message: Outgoing, given_up: Sequence[Server]) -> Outcome:
    """The outcome of a message that was drawn and did not start."""
    faults = [(server.name, server.fault) for server in given_up if server.fault is not None]
    for name, fault in faults:
        if fault.kind is OutcomeKind.OURS:
            return Outcome(
                message.delivery_id,
                OutcomeKind.OURS,
                code=fault.code,
                enhanced=fault.enhanced,
                text=fault.text,
                server=name,
                phase=fault.phase,
            )
    text = faults[0][1].text if faults else "stopped before it started"
    return Outcome(message.delivery_id, OutcomeKind.UNSENT, text=text, phase=Phase.CONNECT)


def _own_name() -> str:
    """What to greet with: this machine's full name, else its address as a literal (RFC 5321
    section 4.1.4)."""
    name = socket.getfqdn()
    if "." in name and not name.endswith(".arpa"):
        return name
    try:
        return f"[{socket.gethostbyname(socket.gethostname())}]"
    except OSError:
        return "[127.0.0.1]"


GREETING = "[127.0.0.1]"


def reach(
    servers: Sequence[ServerSettings], *, helo_name: str | None, seconds: float = 10.0
) -> list[tuple[str, str | None]]:
    """Connect to each server at once, greet, start TLS, log in, and part with QUIT.

    Its name, and what went wrong; None where all went well. `seconds` is the limit for each.

    Raises:
        NotReadyError: a password or a ca_file that a server names is not there.
    """
    found = accesses(servers)
    greeting = helo_name or GREETING

    async def everyone() -> list[tuple[str, str | None]]:
        told = await asyncio.gather(*(_visit(one, greeting, seconds) for one in found))
        await asyncio.sleep(PARTING_SECONDS)
        return list(told)

    return asyncio.run(everyone())


async def _visit(access: Access, greeting: str, seconds: float) -> tuple[str, str | None]:
    name = access.settings.name
    try:
        async with asyncio.timeout(seconds):
            timeouts = Timeouts(connect=seconds, command=seconds, data=seconds)
            link = await Server(access, Patience()).open(greeting, timeouts)
            await link.close()
    except OpenError as e:
        code = f"{e.fault.code} " if e.fault.code else ""
        return name, f"{e.fault.phase}: {code}{e.fault.text}"
    except TimeoutError:
        return name, f"no answer within {seconds:g} s"
    return name, None
