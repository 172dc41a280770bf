"""A mail server that writes down who was given what, and can end its client at a chosen instant."""

import asyncio
import os
import signal
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

ENVELOPE = "before handed"
BODY = "handed, body begun"
END = "body ended, no answer"
ANSWERED = "answered"
SETTLED = "settled"
STEPS = (ENVELOPE, BODY, END, ANSWERED, SETTLED)
"""Where in the life of a delivery the client can be ended, as the server sees it."""
_FINAL_DOT = b"\r\n.\r\n"


@dataclass
class Trap:
    """What to do when a step is reached for the `left`-th time; `step` None: any."""

    step: str | None
    left: int
    spring: Callable[[], None]


@dataclass
class Relay:
    """`taken` counts the whole bodies that came for each recipient, answered or not.

    `seconds` is how long it thinks before it answers to a body.
    """

    seconds: float = 0.0
    pipelining: bool = True
    taken: Counter[str] = field(default_factory=Counter)
    bodies: dict[str, bytes] = field(default_factory=dict)
    open: int = 0
    most_open: int = 0
    port: int = 0
    trap: Trap | None = None
    stalled: bool = False
    _quiet: threading.Event = field(default_factory=threading.Event)
    _reached: threading.Event = field(default_factory=threading.Event)

    def kill_at(self, step: str, nth: int, pid: int) -> None:
        """End the process as soon as `step` is reached for the `nth` time from now."""
        self.trap = Trap(step, nth, lambda: os.kill(pid, signal.SIGKILL))

    def wait_for_messages(self, count: int, seconds: float = 20.0) -> None:
        """Until so many more bodies have come."""
        self._reached.clear()
        self.trap = Trap(END, count, self._reached.set)
        assert self._reached.wait(seconds), f"{count} messages did not come in {seconds} s"

    def wait_until_quiet(self, seconds: float = 10.0) -> None:
        """Until every connection has been read to its end."""
        assert not self.open or self._quiet.wait(seconds), f"{self.open} connections did not end"

    def reached(self, step: str) -> None:
        trap = self.trap
        if trap is None or trap.step not in (None, step):
            return
        trap.left -= 1
        if trap.left <= 0:
            self.trap = None
            trap.spring()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        self._quiet.clear()
        self.most_open = max(self.most_open, self.open)
        try:
            await _Dialogue(self, reader, writer).run()
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self.open -= 1
            if not self.open:
                self._quiet.set()
            writer.transport.abort()


class _Dialogue:
    def __init__(
        self, relay: Relay, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.relay = relay
        self.reader = reader
        self.writer = writer
        self.rest = b""
        self.recipient = ""
        self.answered = False  # a body, on this connection

    async def run(self) -> None:
        self.say("220 relay.example ESMTP")
        while command := (await self.line()).decode():
            verb = command[:4].upper()
            if verb == "EHLO":
                words = ["PIPELINING"] if self.relay.pipelining else []
                self.say(*(f"250-{word}" for word in ("relay.example", *words)), "250 SIZE 9999999")
            elif verb == "DATA":
                self.relay.reached(ENVELOPE)
                self.say("354 Go on")
                await self.body()
            elif verb == "QUIT":
                self.say("221 Bye")
                return
            else:
                if verb == "RCPT":
                    self.recipient = command.partition("<")[2].partition(">")[0]
                self.say("250 Ok")

    async def body(self) -> None:
        content = b""
        while _FINAL_DOT not in content:
            content += self.rest or await self.more()
            self.rest = b""
            if self.answered:
                # This one was handed, and what was answered was written before.
                self.answered = False
                self.relay.reached(SETTLED)
            if _FINAL_DOT not in content:
                self.relay.reached(BODY)
        content, _, self.rest = content.partition(_FINAL_DOT)
        self.relay.taken[self.recipient] += 1
        self.relay.bodies[self.recipient] = content + b"\r\n"
        self.relay.reached(END)
        if self.relay.seconds:
            await asyncio.sleep(self.relay.seconds)
        self.say("250 Taken")
        await self.writer.drain()
        self.answered = True
        self.relay.reached(ANSWERED)

    def say(self, *lines: str) -> None:
        self.writer.write("".join(f"{line}\r\n" for line in lines).encode())

    async def more(self) -> bytes:
        data = await self.reader.read(65536)
        if not data:
            raise ConnectionResetError
        return data

    async def line(self) -> bytes:
        while b"\r\n" not in self.rest:
            self.rest += await self.more()
        line, _, self.rest = self.rest.partition(b"\r\n")
        return line


@contextmanager
def relaying(relay: Relay) -> Iterator[Relay]:
    """The relay, listening on a port of its own until the end of the block."""
    listening = socket.socket()
    # Small, so that a body does not fit between the client and us: it can be met half given.
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    listening.bind(("127.0.0.1", 0))
    relay.port = listening.getsockname()[1]
    loop = asyncio.new_event_loop()
    started, ended = threading.Event(), asyncio.Event()

    async def serve() -> None:
        server = await asyncio.start_server(relay._connected, sock=listening, limit=4096)
        started.set()
        await ended.wait()
        server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert started.wait(10)
    try:
        yield relay
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(10)
        loop.close()
