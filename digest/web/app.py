"""The web server: feeds and pages from memory by a plain ASGI application, and /healthz, /readyz and
/metrics for monitoring. It accepts only GET and HEAD and never changes anything.

Nobody can hold a connection for ever, by silence, by an endless head or by not reading an answer, and
all of them together leave the verbs enough open files. A client that reads its answer, however slowly,
gets all of it.
"""

import asyncio
import contextlib
import logging
import socket
import struct
import sys
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextvars import ContextVar
from dataclasses import dataclass
from math import ceil
from typing import Any, ClassVar
from urllib.parse import urlsplit

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from digest.errors import NotReadyError
from digest.web.files import SECURITY, FileCache

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

PLAIN = b"text/plain; charset=utf-8"
EMPTY_BODY: dict[str, Any] = {"type": "http.response.body", "body": b""}
LONGEST_HEAD = 65_536
"""The most bytes before a request is complete; feed readers need a few hundred. A body counts too,
as nothing here accepts one.
"""
TOO_LONG = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
DRAIN_SECONDS = 5
"""How long a stop waits for answers in progress and for open connections without a request."""
MOST_CONNECTIONS = 2000
LEAST_CONNECTIONS = 16
FILES_FOR_VERBS = 200
"""Open files that connections leave free: for each verb and each look at the database, and the outbox."""


@dataclass(frozen=True, slots=True)
class Report:
    """The answer of an address for monitoring."""

    status: int
    media_type: bytes
    body: bytes


async def alive() -> Report:
    """/healthz: any answer means that the process is alive."""
    return Report(200, PLAIN, b"ok\n")


class FeedApp:
    """Serves `files` under the path of `feeds_url`, and each of `reports` at its own path.

    `seen` counts answers by (route, status); the number of routes is small and fixed.
    """

    def __init__(
        self, files: FileCache, feeds_url: str, reports: dict[str, Callable[[], Awaitable[Report]]]
    ) -> None:
        self.seen: Counter[tuple[str, int]] = Counter()
        self.reports = {"/healthz": alive, **reports}
        self.serve(files, feeds_url)

    def serve(self, files: FileCache, feeds_url: str) -> None:
        """Replace the files and the address under which they are served."""
        self.files = files
        self.root = urlsplit(feeds_url).path.rstrip("/") + "/"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        method: str = scope["method"]
        name = path.removeprefix(self.root)
        allowed = method in ("GET", "HEAD")
        if (
            allowed
            and name != path
            and (file := self.files.fresh(name) or await self.files.find(name))
        ):
            answer, unchanged = file.choose(scope["headers"])
            self.seen[file.ending, 304 if unchanged else 200] += 1
            await send(answer.unchanged if unchanged else answer.whole)
            await send(EMPTY_BODY if unchanged or method == "HEAD" else answer.body)
            return
        front = f"{self.root}all.html".encode()
        headers: tuple[tuple[bytes, bytes], ...] = ()
        if not allowed:
            route, report = "other", Report(405, PLAIN, b"405 Method Not Allowed\n")
            headers = ((b"allow", b"GET, HEAD"),)
        elif path in self.reports:
            route, report = path.strip("/"), await self.reports[path]()
        elif path in ("/", self.root, self.root.rstrip("/")):
            route, report = "front", Report(302, PLAIN, b"302 Found\n")
            headers = ((b"location", front),)
        else:
            page = (
                b'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Not found</title>'
                b'</head><body><h1>Not found</h1><p>There is nothing at this address. <a href="'
                + front
                + b'">All news</a></p></body></html>\n'
            )
            route, report = "missing", Report(404, b"text/html; charset=utf-8", page)
            headers = SECURITY
        self.seen[route, report.status] += 1
        start = {
            "type": "http.response.start",
            "status": report.status,
            "headers": [
                (b"content-type", report.media_type),
                (b"content-length", str(len(report.body)).encode()),
                (b"cache-control", b"no-store"),
                (b"x-content-type-options", b"nosniff"),
                *headers,
            ],
        }
        await send(start)
        body = b"" if method == "HEAD" else report.body
        await send({"type": "http.response.body", "body": body})


_asking: ContextVar["GuardedProtocol"] = ContextVar("asking")
"""The connection whose request a task answers: set when data arrives, inherited by the tasks."""


class GuardedProtocol(HttpToolsProtocol):
    """uvicorn's protocol with limits for silent and slow clients.

    It overrides only methods of asyncio.Protocol, as uvicorn may change its own in any version.
    """

    patience: ClassVar[float] = 30.0
    """Seconds."""
    most: ClassVar[int] = MOST_CONNECTIONS
    connected: ClassVar[OrderedDict["GuardedProtocol", None]] = OrderedDict()
    """Every connection, first the one that has been idle for longest."""

    _wire: asyncio.Transport
    _timer: asyncio.TimerHandle
    _moved_at = 0.0
    _unread = 0
    _head = 0
    _answering = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # uvicorn's
        super().connection_made(transport)
        loop = asyncio.get_running_loop()
        self._wire = transport
        self._moved_at = loop.time()
        self._timer = loop.call_later(self.patience, self._check)
        self.connected[self] = None
        if len(self.connected) > self.most:
            self._make_room()

    def data_received(self, data: bytes) -> None:
        self._head += len(data)
        _asking.set(self)
        super().data_received(data)
        if self._head > LONGEST_HEAD:
            # Later, as the task of a request that is now complete starts first and resets the count.
            asyncio.get_running_loop().call_soon(self._refuse)

    def connection_lost(self, exc: Exception | None) -> None:
        self._timer.cancel()
        self.connected.pop(self, None)
        super().connection_lost(exc)

    @classmethod
    def _make_room(cls) -> None:
        """Cut off the connection that has been idle for longest. That is the new one, if a reader waits
        for an answer on each of the others."""
        for one in cls.connected:
            if not (one._answering or one._wire.is_closing() or one._count_unread()):
                one._wire.abort()
                return

    @classmethod
    def cut_off(cls) -> None:
        """Close every connection at once."""
        for one in list(cls.connected):
            one._wire.abort()

    def _refuse(self) -> None:
        if self._head > LONGEST_HEAD and not self._wire.is_closing():
            if not self._answering:
                self._wire.write(TOO_LONG)
            self._wire.close()

    def _check(self) -> None:
        """Close a connection on which nothing has happened for `patience`: no request became complete,
        and nothing of an answer was read. The rest of an answer may still be sent; a client that reads
        nothing of it for another `patience` is cut off.

        There is one timer for each connection, as one for each answer would be slow.
        """
        loop = asyncio.get_running_loop()
        unread = self._count_unread()
        if unread != self._unread or (self._answering and not unread):
            self._unread, self._moved_at = unread, loop.time()
        left = self._moved_at + self.patience - loop.time()
        if left <= 0:
            if self._wire.is_closing():
                self._wire.abort()
                return
            self._wire.close()
            left = self.patience
        self._timer = loop.call_later(left, self._check)

    def _count_unread(self) -> int:
        """Bytes of answers that have not reached the client. If the system does not say how many it
        buffers, only those that it has not yet accepted from us.
        """
        unread = self._wire.get_write_buffer_size()
        if sys.platform == "linux":
            import fcntl
            import termios

            channel = self._wire.get_extra_info("socket")
            with contextlib.suppress(OSError):  # closed, so nothing is left
                queued = fcntl.ioctl(channel.fileno(), termios.TIOCOUTQ, bytes(4))
                unread += struct.unpack("i", queued)[0]
        return unread


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """The service handles the signals."""
        yield


def listen(host: str, port: int) -> socket.socket:
    """A socket that accepts connections.

    Raises:
        NotReadyError: the port is in use, or the address is not ours.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as e:
        raise NotReadyError(
            f"cannot listen on {host}, port {port}: {e.strerror or e}. Stop what listens there, or "
            "set another web.port or web.host."
        ) from e


def connection_limit(spare: int = 0) -> int:
    """How many connections this process's limit of open files allows, with enough left for the verbs and
    `spare` more."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return MOST_CONNECTIONS
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY:
        return MOST_CONNECTIONS
    return max(LEAST_CONNECTIONS, min(MOST_CONNECTIONS, files - FILES_FOR_VERBS - spare))


async def serve(
    app: FeedApp,
    listener: socket.socket,
    stopping: asyncio.Event,
    drain: float = DRAIN_SECONDS,
    protocol: type[GuardedProtocol] = GuardedProtocol,
) -> None:
    """Answer until `stopping`. Answers in progress have `drain` seconds to finish; then their
    connections are cut off.
    """
    loop = asyncio.get_running_loop()

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        connection = _asking.get()
        connection._head = 0
        connection._answering = True
        try:
            await app(scope, receive, send)
        finally:
            connection._answering = False
            connection._moved_at = loop.time()
            if connection in connection.connected:
                connection.connected.move_to_end(connection)

    server = _Server(
        uvicorn.Config(
            guarded,
            http=protocol,
            lifespan="off",
            ws="none",
            access_log=False,
            log_config=None,
            log_level=logging.ERROR,  # strangers' requests that are not HTTP/1.1 are not our warnings
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=86_400,  # the guard's patience ends earlier
            timeout_graceful_shutdown=ceil(drain) + 1,
        )
    )
    answering = asyncio.create_task(server.serve(sockets=[listener]))
    ending = asyncio.create_task(stopping.wait())
    await asyncio.wait({answering, ending}, return_when=asyncio.FIRST_COMPLETED)
    ending.cancel()
    server.should_exit = True
    cutting = loop.call_later(drain, protocol.cut_off)
    await answering
    cutting.cancel()
