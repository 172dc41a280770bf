"""The web server: feeds and pages from memory by a plain ASGI application, and /healthz, /readyz and
/metrics for monitoring. GET and HEAD only, and neither changes anything.

Nobody can hold a connection for ever: not by silence, not by a head that does not end, and not by an
answer that is not taken. A reader that takes its answer, however slowly, gets all of it.
"""

import asyncio
import contextlib
import logging
import socket
import struct
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextvars import ContextVar
from dataclasses import dataclass
from http import HTTPStatus
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
FRONT = "all.html"
NOTHING: dict[str, Any] = {"type": "http.response.body", "body": b""}
PLAIN = b"text/plain; charset=utf-8"
LONGEST_HEAD = 65_536
"""Bytes that may come before a request is whole; feed readers need a few hundred. A body counts too,
as nothing here takes one.
"""

TOO_LONG = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
DRAIN_SECONDS = 5
"""How long the end waits for answers under way, and for connections that stay open without a request."""


@dataclass(frozen=True, slots=True)
class Report:
    """The answer of one of the addresses for monitoring."""

    status: int
    media_type: bytes
    body: bytes


Watch = Callable[[], Awaitable[Report]]


async def alive() -> Report:
    """/healthz: any answer at all means that the process is alive."""
    return Report(200, PLAIN, b"ok\n")


class FeedApp:
    """Serves `files` under the path of `feeds_url`, and `watched` by their own paths.

    `seen` counts answers by (route, status); there are few routes, whatever the requests.
    """

    def __init__(self, files: FileCache, feeds_url: str, watched: dict[str, Watch]) -> None:
        self.seen: Counter[tuple[str, int]] = Counter()
        self.watched = {"/healthz": alive, **watched}
        self.serve(files, feeds_url)

    def serve(self, files: FileCache, feeds_url: str) -> None:
        """From now on serve these files under the path of this address."""
        self.files = files
        self.root = urlsplit(feeds_url).path.rstrip("/") + "/"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        path: str = scope["path"]
        name = path.removeprefix(self.root)
        if scope["method"] not in ("GET", "HEAD"):
            await self._plainly(send, "other", 405, [(b"allow", b"GET, HEAD")])
        elif name != path and (file := self.files.fresh(name) or await self.files.find(name)):
            answer, unchanged = file.choose(scope["headers"])
            self.seen[file.ending, 304 if unchanged else 200] += 1
            await send(answer.unchanged if unchanged else answer.whole)
            await send(NOTHING if unchanged or scope["method"] == "HEAD" else answer.body)
        elif path in self.watched:
            report = await self.watched[path]()
            await self._report(scope, send, path, report)
        elif path in ("/", self.root, self.root.rstrip("/")):
            await self._plainly(send, "front", 302, [(b"location", f"{self.root}{FRONT}".encode())])
        else:
            body = (
                b'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Not found</title>'
                b'</head><body><h1>Not found</h1><p>There is nothing at this address. <a href="'
                + f"{self.root}{FRONT}".encode()
                + b'">All news</a></p></body></html>\n'
            )
            report = Report(404, b"text/html; charset=utf-8", body)
            await self._report(scope, send, "missing", report, SECURITY)

    async def _plainly(
        self, send: Send, route: str, status: int, headers: list[tuple[bytes, bytes]]
    ) -> None:
        body = f"{status} {HTTPStatus(status).phrase}\n".encode()
        self.seen[route, status] += 1
        await send(_start(status, PLAIN, len(body), headers))
        await send({"type": "http.response.body", "body": body})

    async def _report(
        self,
        scope: Scope,
        send: Send,
        route: str,
        report: Report,
        headers: tuple[tuple[bytes, bytes], ...] = (),
    ) -> None:
        self.seen[route.strip("/"), report.status] += 1
        await send(_start(report.status, report.media_type, len(report.body), headers))
        body = b"" if scope["method"] == "HEAD" else report.body
        await send({"type": "http.response.body", "body": body})


def _start(
    status: int,
    media_type: bytes,
    length: int,
    headers: list[tuple[bytes, bytes]] | tuple[tuple[bytes, bytes], ...],
) -> dict[str, Any]:
    return {
        "type": "http.response.start",
        "status": status,
        "headers": [
            (b"content-type", media_type),
            (b"content-length", str(length).encode()),
            (b"cache-control", b"no-store"),
            (b"x-content-type-options", b"nosniff"),
            *headers,
        ],
    }


_asking: ContextVar["GuardedProtocol"] = ContextVar("asking")
"""The connection whose request a task answers: set where data comes in, inherited by the tasks."""


class GuardedProtocol(HttpToolsProtocol):
    """uvicorn's protocol with a limit to what a silent or slow reader can hold.

    It overrides only methods of asyncio.Protocol, as uvicorn may change its own in any version.
    """

    patience: ClassVar[float] = 30.0
    """Seconds."""
    connected: ClassVar[set["GuardedProtocol"]] = set()

    _wire: asyncio.Transport
    _look_again: asyncio.TimerHandle
    _moved_at = 0.0
    _untaken = 0
    _head = 0
    _answering = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # uvicorn's
        super().connection_made(transport)
        loop = asyncio.get_running_loop()
        self._wire = transport
        self._moved_at = loop.time()
        self._look_again = loop.call_later(self.patience, self._look)
        self.connected.add(self)

    def data_received(self, data: bytes) -> None:
        self._head += len(data)
        _asking.set(self)
        super().data_received(data)
        if self._head > LONGEST_HEAD:
            # Later, as the task of a request that is now whole starts before that, and resets the count.
            asyncio.get_running_loop().call_soon(self._refuse)

    def connection_lost(self, exc: Exception | None) -> None:
        self._look_again.cancel()
        self.connected.discard(self)
        super().connection_lost(exc)

    def begin(self) -> None:
        """A request of this connection is whole, and its answer begins."""
        self._head = 0
        self._answering = True

    def end(self) -> None:
        self._answering = False
        self._moved_at = asyncio.get_running_loop().time()

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

    def _look(self) -> None:
        """Close a connection on which nothing has moved for `patience`: no request has become whole,
        and nothing of an answer was taken. What is left of an answer may still go out; a reader that
        takes nothing of it for another `patience` is cut off.

        One timer for each connection, as one for each answer costs much of the answer.
        """
        loop = asyncio.get_running_loop()
        untaken = self._count_untaken()
        if untaken != self._untaken or (self._answering and not untaken):
            self._untaken, self._moved_at = untaken, loop.time()
        left = self._moved_at + self.patience - loop.time()
        if left <= 0:
            if self._wire.is_closing():
                self._wire.abort()
                return
            self._wire.close()
            left = self.patience
        self._look_again = loop.call_later(left, self._look)

    def _count_untaken(self) -> int:
        """Bytes of answers that have not reached the reader. Where the system does not say how many
        it holds, only those that it has not yet taken from us.
        """
        untaken = self._wire.get_write_buffer_size()
        if sys.platform == "linux":
            import fcntl
            import termios

            channel = self._wire.get_extra_info("socket")
            with contextlib.suppress(OSError):  # it is closed: nothing is left
                found = fcntl.ioctl(channel.fileno(), termios.TIOCOUTQ, bytes(4))
                untaken += struct.unpack("i", found)[0]
        return untaken


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """The service handles the signals."""
        yield


def listen(host: str, port: int) -> socket.socket:
    """A socket that takes connections.

    Raises:
        NotReadyError: the port is taken, or the address is not ours.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as e:
        raise NotReadyError(
            f"cannot listen on {host}, port {port}: {e.strerror or e}. Stop what listens there, or "
            "set another web.port or web.host."
        ) from e


async def serve(
    app: FeedApp,
    listener: socket.socket,
    stopping: asyncio.Event,
    drain: float = DRAIN_SECONDS,
    protocol: type[GuardedProtocol] = GuardedProtocol,
) -> None:
    """Answer until `stopping`. Answers under way are finished, if that takes no longer than `drain`
    seconds; after that their readers are cut off.
    """

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        connection = _asking.get()
        connection.begin()
        try:
            await app(scope, receive, send)
        finally:
            connection.end()

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
    cutting = asyncio.get_running_loop().call_later(drain, protocol.cut_off)
    await answering
    cutting.cancel()
