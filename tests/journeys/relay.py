"""A mail server that counts who got a message, and can kill its client at a chosen instant."""

import asyncio
import os
import signal
import socket
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.mail.fault_server import Dialogue, FaultServer
from tests.mail.fault_server import running as relaying

__all__ = ["STEPS", "Relay", "relaying"]
ENVELOPE = "before handed"
BODY = "handed, body begun"
END = "body ended, no answer"
ANSWERED = "answered"
SETTLED = "settled"
STEPS = (ENVELOPE, BODY, END, ANSWERED, SETTLED)
"""Where in the life of a delivery the client can be killed, as the server sees it."""
FINAL_DOT = b"\r\n.\r\n"


class RelayDialogue(Dialogue):
    server: "Relay"
    answered = False
    """Whether a body was answered on this connection."""

    async def do_data(self, command: str) -> None:
        self.server.reached(ENVELOPE)
        self.say("354 Go on")
        content = b""
        while FINAL_DOT not in content:
            data = self.rest or await self.reader.read(65536)
            if not data:
                raise ConnectionResetError
            content, self.rest = content + data, b""
            if self.answered:
                # This one is handed, so the answer before it is on disk.
                self.answered = False
                self.server.reached(SETTLED)
            if FINAL_DOT not in content:
                self.server.reached(BODY)
        _, _, self.rest = content.partition(FINAL_DOT)
        self.server.taken[self.recipient] += 1
        self.server.reached(END)
        if self.server.seconds:
            await asyncio.sleep(self.server.seconds)
        self.say("250 Taken")
        await self.writer.drain()
        self.answered = True
        self.server.reached(ANSWERED)


@dataclass
class Relay(FaultServer):
    """`taken` counts the complete bodies that came for each recipient, answered or not; `seconds` is
    how long it waits before it answers a body; `trap` is a step, how often it must still be reached,
    and what to do then."""

    dialogue: type[Dialogue] = RelayDialogue
    seconds: float = 0.0
    taken: Counter[str] = field(default_factory=Counter)
    trap: tuple[str, int, Callable[[], None]] | None = None
    _quiet: threading.Event = field(default_factory=threading.Event)

    def kill_at(self, step: str, nth: int, pid: int) -> None:
        """Kill the process as soon as `step` is reached for the `nth` time from now."""
        self.trap = (step, nth, lambda: os.kill(pid, signal.SIGKILL))

    def wait_for_messages(self, count: int, seconds: float = 20.0) -> None:
        """Until `count` more bodies have come."""
        reached = threading.Event()
        self.trap = (END, count, reached.set)
        assert reached.wait(seconds), f"{count} messages did not come in {seconds} s"

    def wait_until_quiet(self, seconds: float = 10.0) -> None:
        """Until every connection has been read to its end."""
        assert not self.open or self._quiet.wait(seconds), f"{self.open} connections did not end"

    def reached(self, step: str) -> None:
        if self.trap is not None and self.trap[0] == step:
            _, left, spring = self.trap
            self.trap = (step, left - 1, spring) if left > 1 else None
            if left <= 1:
                spring()

    async def _start(self) -> asyncio.Server:
        listening = socket.socket()
        # Small, so that no body fits in the buffers: the client can be killed in the middle of one.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        listening.bind(("127.0.0.1", 0))
        self.port = listening.getsockname()[1]
        return await asyncio.start_server(self._connected, sock=listening, limit=4096)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._quiet.clear()
        await super()._connected(reader, writer)
        if not self.open:
            self._quiet.set()
