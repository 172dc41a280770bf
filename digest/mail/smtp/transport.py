"""Delivering through the mail servers, and checking without a message that they would accept us."""

import asyncio
import math
import socket
from collections.abc import Callable, Iterator, Sequence

from digest.config.settings import ServerSettings, TransportSettings
from digest.mail.outgoing import Outcome, OutcomeKind, Outgoing, Phase, Report
from digest.mail.smtp.connection import Timeouts
from digest.mail.smtp.queue import Dispatcher, Lookahead
from digest.mail.smtp.servers import Access, Allowance, OpenError, Patience, Server, accesses
from digest.mail.smtp.slots import LinkSettings, Slot, Tally

STOP_SECONDS = 0.1
"""How often `stop()` is called."""

CLOSING_SECONDS = 0.05
"""The time in which the loop closes connections; one that ends before leaves sockets open."""

_LOOPBACK = "[127.0.0.1]"


class SmtpTransport:
    """Delivers through the servers of `settings`. `within`: the seconds after which nothing more is
    tried or waited for, all servers and retries together; None for no such limit.

    Raises:
        NotReadyError: a password is missing, or a ca_file cannot be used.
    """

    def __init__(
        self,
        settings: TransportSettings,
        *,
        patience: Patience | None = None,
        within: float | None = None,
    ) -> None:
        self._settings = settings
        self._within = math.inf if within is None else within
        self._patience = patience or Patience()
        self._accesses = accesses(settings.servers)

    def fate(self, message: Outgoing) -> OutcomeKind:
        """No server tells afterwards what it has accepted."""
        return OutcomeKind.UNCERTAIN

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
                return runner.run(
                    self.deliver_here(messages, handed=handed, settled=settled, stop=stop)
                )
            finally:
                runner.run(asyncio.sleep(CLOSING_SECONDS))

    async def deliver_here(
        self,
        messages: Iterator[Outgoing],
        *,
        handed: Callable[[Sequence[int]], None],
        settled: Callable[[Sequence[Outcome]], None],
        stop: Callable[[], bool],
    ) -> Report:
        """As `deliver`, in the running event loop."""
        settings = self._settings
        timeouts = Timeouts(
            connect=settings.connect_timeout_seconds,
            command=settings.command_timeout_seconds,
            data=settings.data_timeout_seconds,
            until=asyncio.get_running_loop().time() + self._within,
        )
        servers = [Server(access, self._patience, timeouts) for access in self._accesses]
        lookahead = Lookahead(
            messages,
            self._patience,
            domain_connections=settings.domain_connections,
            domain_per_minute=settings.domain_per_minute,
        )
        limits = ((settings.per_second, 1.0), (settings.per_minute, 60.0))
        rates = [Allowance(count, seconds) for count, seconds in limits if count is not None]
        dispatcher = Dispatcher(lookahead, servers, rates)
        tally = Tally(handed, settled)
        helo_name = settings.helo_name
        if helo_name is None:
            helo_name = await asyncio.to_thread(_own_name)
        link_settings = LinkSettings(helo_name, settings.idle_timeout_seconds)
        slots = [
            Slot(server, dispatcher, tally, link_settings)
            for server in servers
            for _ in range(server.settings.connections)
        ]
        stopped, failure = await _watch(slots, dispatcher, tally, stop)
        faults = [f"{server.name}: {server.fault}" for server in servers if server.fault]
        fault = "; ".join(faults) if dispatcher.given_up else None
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


async def _watch(
    slots: Sequence[Slot], dispatcher: Dispatcher, tally: Tally, stop: Callable[[], bool]
) -> tuple[bool, BaseException | None]:
    """Run the slots until they end; whether `stop` ended them, and the first exception."""
    stopped = False
    failure: BaseException | None = None
    serving = {asyncio.create_task(slot.run()) for slot in slots}
    keeping = {asyncio.create_task(dispatcher.keep()), asyncio.create_task(tally.keep())}
    pending = serving | keeping
    while serving & pending:
        try:
            done, pending = await asyncio.wait(
                pending, timeout=STOP_SECONDS, return_when=asyncio.FIRST_COMPLETED
            )
        except asyncio.CancelledError as e:  # Ctrl-C that nothing else handles
            failure = failure or e
            dispatcher.close()
            continue
        for task in done:
            if (error := task.exception()) is not None:
                failure = failure or error
                tally.wind_down()
                dispatcher.close()
        if not dispatcher.closing and stop():
            stopped = True
            dispatcher.close()
    for task in keeping:
        task.cancel()
    await asyncio.wait(keeping)
    return stopped, failure


def _left(message: Outgoing, given_up: Sequence[Server]) -> Outcome:
    """The outcome of a message that was drawn and not started."""
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
    """The name to greet with: this machine's full name, else its address (RFC 5321 section 4.1.4)."""
    name = socket.getfqdn()
    if "." in name and not name.endswith(".arpa"):
        return name
    try:
        return f"[{socket.gethostbyname(socket.gethostname())}]"
    except OSError:
        return _LOOPBACK


def reach(
    servers: Sequence[ServerSettings], *, helo_name: str | None, seconds: float = 8.0
) -> list[tuple[str, str | None]]:
    """Connect to all servers at once, greet, start TLS, log in, and close with QUIT.

    The name of each, and what went wrong, or None. It ends within `seconds` and QUIT_SECONDS.

    Raises:
        NotReadyError: a password is missing, or a ca_file cannot be used.
    """
    reached = accesses(servers)
    timeouts = Timeouts(connect=seconds, command=seconds, data=seconds)

    async def visit(access: Access) -> tuple[str, str | None]:
        name = access.settings.name
        try:
            link = await Server(access, Patience(), timeouts).open(helo_name or _LOOPBACK)
        except OpenError as e:
            return name, str(e.fault)
        await link.close()
        return name, None

    async def visit_all() -> list[tuple[str, str | None]]:
        visits = await asyncio.gather(*map(visit, reached))
        await asyncio.sleep(CLOSING_SECONDS)
        return visits

    return asyncio.run(visit_all())
