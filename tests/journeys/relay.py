"""Where mail goes: a mail server, and a maildir that a program reads. Each counts what came, and can
kill the sender at a chosen instant."""

import asyncio
import contextlib
import os
import re
import signal
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from tests.mail.fault_server import Dialogue, FaultServer
from tests.mail.fault_server import running as relaying

__all__ = ["STEPS", "Outbox", "Relay", "reading", "relaying"]
ENVELOPE = "before handed"
BODY = "handed, body begun"
END = "body ended, no answer"
ANSWERED = "answered"
SETTLED = "settled"
STEPS = (ENVELOPE, BODY, END, ANSWERED, SETTLED)
"""Where in the life of a delivery the client can be killed, as the server sees it."""
FINAL_DOT = b"\r\n.\r\n"
TOKEN = re.compile(rb"\nMessage-ID:\s+<[^>]*\.([a-z2-7]{32})@")


class Trap:
    """`mails` counts the messages of each delivery, by its token. `trap` is a step, how often it must
    still be reached, and what to do then."""

    mails: Counter[str]
    trap: tuple[str, int, Callable[[], None]] | None

    def kill_at(self, step: str, nth: int, pid: int) -> None:
        """Kill the process as soon as `step` is reached for the `nth` time from now."""
        self.trap = (step, nth, lambda: os.kill(pid, signal.SIGKILL))

    def wait_for_messages(self, count: int, seconds: float = 20.0) -> None:
        """Until `count` more messages have come."""
        reached = threading.Event()
        self.trap = (END, count, reached.set)
        assert reached.wait(seconds), f"{count} messages did not come in {seconds} s"

    def reached(self, step: str) -> None:
        if self.trap is not None and self.trap[0] == step:
            _, left, spring = self.trap
            self.trap = (step, left - 1, spring) if left > 1 else None
            if left <= 1:
                spring()

    def count(self, message: bytes) -> None:
        if token := TOKEN.search(message):
            self.mails[token[1].decode()] += 1


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
        self.server.count(content)
        self.server.reached(END)
        if self.server.seconds:
            await asyncio.sleep(self.server.seconds)
        self.say("250 Taken")
        await self.writer.drain()
        self.answered = True
        self.server.reached(ANSWERED)


@dataclass
class Relay(Trap, FaultServer):
    """`taken` counts the complete bodies that came for each recipient, answered or not; `seconds` is
    how long it waits before it answers a body."""

    dialogue: type[Dialogue] = RelayDialogue
    seconds: float = 0.0
    taken: Counter[str] = field(default_factory=Counter)
    mails: Counter[str] = field(default_factory=Counter)
    trap: tuple[str, int, Callable[[], None]] | None = None
    _quiet: threading.Event = field(default_factory=threading.Event)

    def wait_until_quiet(self, seconds: float = 10.0) -> None:
        """Until every connection has been read to its end."""
        assert not self.open or self._quiet.wait(seconds), f"{self.open} connections did not end"

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


@dataclass
class Outbox(Trap):
    """A program that at once takes from a maildir what comes: away if it `empties` it, else to cur/."""

    folder: Path
    empties: bool
    mails: Counter[str] = field(default_factory=Counter)
    trap: tuple[str, int, Callable[[], None]] | None = None
    ended: threading.Event = field(default_factory=threading.Event)

    def look(self) -> None:
        """Until `ended`, and then once more."""
        new, cur = self.folder / "new", self.folder / "cur"
        last = False
        while not last:
            last = self.ended.wait(0.001)
            for path in new.iterdir():
                self.reached(END)
                self.count(path.read_bytes())
                path.unlink() if self.empties else path.rename(cur / f"{path.name}:2,S")

    def wait_until_quiet(self) -> None:
        """Until new/ is empty."""
        while any((self.folder / "new").iterdir()):
            self.ended.wait(0.001)


@contextlib.contextmanager
def reading(outbox: Outbox) -> Iterator[Outbox]:
    """The program, until the end of the block."""
    for name in ("tmp", "new", "cur"):
        (outbox.folder / name).mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(1) as pool:
        look = pool.submit(outbox.look)
        try:
            yield outbox
        finally:
            outbox.ended.set()
            look.result()
