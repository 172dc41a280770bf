"""A mail server that misbehaves as configured, in a thread of its own."""

import asyncio
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

CLOSE = "close"
HANG = "hang"
PARTINGS = 100
"""Rounds of the loop in which every connection must end."""
Act = tuple[str, str]
"""Where (mail, rcpt, data, body, end) and what: a reply line, CLOSE or HANG."""


@dataclass
class FaultServer:
    """What to do for a recipient is looked up in `acts` by the local part up to the first dot.

    `taken` holds the recipients whose message the server took, answered or not, each time it did;
    `messages` their bytes without stuffed dots.
    """

    acts: dict[str, Act] = field(default_factory=dict)
    pipelining: bool = True
    greeting: str = "220 fault.example ESMTP"
    extensions: tuple[str, ...] = ("SIZE 1000000",)
    mail_reply: str = "250 2.1.0 Ok"
    login_reply: str = "535 5.7.8 Authentication failed"
    good_until: int | None = None  # messages on one connection, then `421`
    tls: ssl.SSLContext | None = None
    starttls: ssl.SSLContext | None = None
    on_end: Callable[[str], None] = lambda recipient: None
    dialogue: "type[Dialogue] | None" = None

    taken: list[str] = field(default_factory=list)
    messages: list[bytes] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    out_of_turn: list[bytes] = field(default_factory=list)
    connections: int = 0
    open: int = 0
    most_open: int = 0
    port: int = 0

    async def _start(self) -> asyncio.Server:
        server = await asyncio.start_server(self._connected, "127.0.0.1", self.port, ssl=self.tls)
        self.port = server.sockets[0].getsockname()[1]
        return server

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            await (self.dialogue or Dialogue)(self, reader, writer).run()
        except (ConnectionError, asyncio.CancelledError, ssl.SSLError):
            pass
        finally:
            self.open -= 1
            writer.transport.abort()


class Dialogue:
    """One connection."""

    def __init__(
        self, server: FaultServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.server = server
        self.reader = reader
        self.writer = writer
        self.rest = b""
        self.recipient = ""
        self.served = 0

    async def run(self) -> None:
        self.say(self.server.greeting)
        while not self.writer.is_closing():
            command = (await self.line()).decode()
            verb = command.split(":")[0].split(" ")[0].upper()
            self.server.commands.append(command)
            if self.rest and not self.server.pipelining:
                self.server.out_of_turn.append(self.rest)
            await getattr(self, f"do_{verb.lower()}")(command)

    def say(self, *lines: str) -> None:
        said = "".join(f"{line}\r\n" for line in lines)
        self.writer.write(said.encode("utf-8", "surrogateescape"))

    async def line(self) -> bytes:
        while b"\r\n" not in self.rest:
            data = await self.reader.read(65536)
            if not data:
                raise ConnectionResetError
            self.rest += data
        line, _, self.rest = self.rest.partition(b"\r\n")
        return line

    async def act(self, where: str, otherwise: str) -> bool:
        """Answer at `where`; whether the answer was positive."""
        place, what = self.server.acts.get(self.recipient.partition(".")[0], ("", ""))
        if place != where:
            self.say(otherwise)
            return True
        if what == HANG:
            while await self.reader.read(65536):
                pass
        if what in (CLOSE, HANG):
            await self.writer.drain()
            raise ConnectionResetError
        self.say(what)
        if what.startswith("421"):
            await self.writer.drain()
            self.writer.close()
        return what.startswith(("2", "3"))

    async def do_ehlo(self, command: str) -> None:
        words = ["fault.example", *self.server.extensions, "AUTH PLAIN"]
        words += ["PIPELINING"] * self.server.pipelining
        words += ["STARTTLS"] * (self.server.starttls is not None)
        self.say(*(f"250-{word}" for word in words[:-1]), f"250 {words[-1]}")

    async def do_starttls(self, command: str) -> None:
        self.say("220 2.0.0 Ready")
        assert self.server.starttls is not None
        await self.writer.start_tls(self.server.starttls)

    async def do_auth(self, command: str) -> None:
        self.say(self.server.login_reply)

    async def do_mail(self, command: str) -> None:
        if self.server.good_until is not None and self.served >= self.server.good_until:
            self.say("421 4.7.0 Enough for one connection")
            await self.writer.drain()
            raise ConnectionResetError
        self.recipient = ""
        self.say(self.server.mail_reply)

    async def do_rset(self, command: str) -> None:
        self.recipient = ""
        self.say("250 2.0.0 Ok")

    async def do_rcpt(self, command: str) -> None:
        self.recipient = command.partition("<")[2].partition(">")[0]
        if not await self.act("rcpt", "250 2.1.5 Ok"):
            self.recipient = ""

    async def do_data(self, command: str) -> None:
        if not self.recipient:
            self.say("554 5.5.1 No valid recipients")
            return
        if not await self.act("data", "354 Go ahead"):
            return
        lines = []
        while (line := await self.line()) != b".":
            lines.append(line.removeprefix(b"."))
            if len(lines) == 2 and self.server.acts.get(self.key, ("", ""))[0] == "body":
                await self.act("body", "")
        self.server.on_end(self.recipient)
        act = self.server.acts.get(self.key, ("", ""))
        if act[0] != "end" or act[1] in (CLOSE, HANG):
            self.server.taken.append(self.recipient)
            self.server.messages.append(b"\r\n".join([*lines, b""]))
        self.served += 1
        await self.act("end", "250 2.0.0 Ok: queued as 4XYZ")
        self.recipient = ""

    @property
    def key(self) -> str:
        return self.recipient.partition(".")[0]

    async def do_quit(self, command: str) -> None:
        self.say("221 2.0.0 Bye")
        self.writer.close()


async def part_from_all() -> None:
    """Close every connection that a server of this loop still has."""
    loop = asyncio.get_running_loop()
    for _ in range(PARTINGS):
        held = [one for one in list(loop._transports.values()) if one._sock]  # type: ignore[attr-defined]
        if not held:
            return
        for transport in held:
            transport.abort()
        await asyncio.sleep(0)


@contextmanager
def running(server: FaultServer) -> Iterator[FaultServer]:
    """The server, listening on a port of its own until the end of the block."""
    started = threading.Event()
    loop = asyncio.new_event_loop()
    ended = asyncio.Event()

    async def serve() -> None:
        listener = await server._start()
        started.set()
        await ended.wait()
        listener.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await part_from_all()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert started.wait(10)
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(10)
        loop.close()
