"""The web server: feeds and the site from memory by a plain ASGI application, /healthz, /robots.txt, and
reports for monitoring (/readyz, /metrics) for who has the token. These never change anything; pages with
forms are a Starlette application (forms.py), so that feeds stay fast.

Nobody can hold a connection for ever, by silence, by an endless head or by not reading an answer, and
all of them together leave the verbs enough open files. A client that reads its answer, however slowly,
gets all of it.
"""

import asyncio
import contextlib
import hmac
import logging
import re
import socket
import struct
import sys
import time
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping
from contextvars import ContextVar
from math import ceil
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple
from urllib.parse import urlsplit

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from digest.errors import NotReadyError
from digest.feeds.channels import HTML
from digest.web.files import ANYBODY, SECURITY, FileCache, Head, Header, Headers, dated
from digest.web.site import Site

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

PLAIN = b"text/plain; charset=utf-8"
NO_STORE: Header = (b"cache-control", b"no-store")
MOVED: Header = (b"cache-control", b"public, max-age=3600")
VARIES: Header = (b"vary", b"Accept-Language")
METHODS = b"GET, HEAD, OPTIONS"
PREFLIGHT: Head = (
    204,
    (
        ANYBODY,
        (b"access-control-allow-methods", METHODS),
        (b"access-control-allow-headers", b"If-None-Match, If-Modified-Since, Cache-Control"),
        (b"access-control-max-age", b"86400"),
        (b"allow", METHODS),
    ),
)
"""Pages of other sites may read feeds, and ask whether they have changed (the Fetch standard)."""
_HOST = re.compile(rb"(?:[\w.~!$&'()*+,;=%-]*|\[[\w.:]+\])(?::\d*)?")
LONGEST_HEAD = 65_536
"""The most bytes before a request is complete; feed readers need a few hundred. A body counts too;
forms accept fewer.
"""
TOO_LONG = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
DRAIN_SECONDS = 5
"""How long a stop waits for answers in progress and for open connections without a request."""
MOST_CONNECTIONS = 2000
LEAST_CONNECTIONS = 16
FILES_FOR_VERBS = 200
"""Open files that connections leave free: for each verb and each look at the database, and the outbox."""


class Report(NamedTuple):
    """The answer of an address for monitoring."""

    status: int
    media_type: bytes
    body: bytes


def _accepted(fields: Headers) -> bytes:
    return dict(fields).get(b"accept-language", b"")


def misdirected(fields: Headers, version: str | None) -> bool:
    """Whether a request is refused for its Host fields (RFC 9112 §3.2)."""
    hosts = [value.strip() for name, value in fields if name == b"host"]
    return version == "1.1" if not hosts else len(hosts) > 1 or not _HOST.fullmatch(hosts[0])


class FeedApp:
    """Serves `files` under the path of `feeds_url`, the pages of the `site`, each of `reports` at its own
    path, and each of `forms` below its own, which ends with a slash. `/` and the path of `base_url` lead
    to the front page.
    Reports are for who has the `token`; to others, and to all if there is none, they do not exist.

    `seen` counts answers by (route, status); the number of routes is small and fixed.
    """

    def __init__(
        self,
        files: FileCache,
        feeds_url: str,
        reports: Mapping[str, Callable[[], Awaitable[Report]]],
        forms: Mapping[str, App] = MappingProxyType({}),
    ) -> None:
        self.seen: Counter[tuple[str, int]] = Counter()
        self.reports = reports
        self.token: str | None = None
        self.serve(files, feeds_url, forms)

    def serve(
        self,
        files: FileCache,
        feeds_url: str,
        forms: Mapping[str, App],
        base_url: str = "",
        site: Site | None = None,
    ) -> None:
        """Replace all but the reports and the token."""
        self.files, self.forms, self.site = files, forms, site
        self.root = urlsplit(feeds_url).path.rstrip("/") + "/"
        self.fronts = {one.rstrip("/") for one in ("", self.root, urlsplit(base_url).path)}
        self.fronts |= set() if site is None else {site.prefix}
        rules = [f"Disallow: {place}" for place in forms] + ([] if site is None else site.crawlers)
        self.robots = "\n".join(["User-agent: *", *(rules or ["Disallow:"]), ""]).encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path, method, fields = scope["path"], scope["method"], scope["headers"]
        faulty = misdirected(fields, scope.get("http_version"))
        for place, form in self.forms.items():
            if (path.startswith(place) or f"{path}/" == place) and not faulty:
                await form(scope, receive, self._counted(place.split("/")[-2], send))
                return
        name = path.removeprefix(self.root)
        reads = method in ("GET", "HEAD")
        site, query = self.site if reads else None, scope["query_string"]
        headers: tuple[Header, ...] = (NO_STORE,)
        max_age = 0
        if faulty:
            route, status, kind, body = "other", 400, PLAIN, b"400 Bad Request\n"
            headers = (NO_STORE, (b"connection", b"close"))
        elif site is not None and name != path and (to := site.moved_to(name)):
            route, status, kind, body = "moved", 301, PLAIN, b"301 Moved Permanently\n"
            headers = (MOVED, (b"location", to.encode()))
        elif (
            (reads or method == "OPTIONS")
            and name != path
            and (file := self.files.fresh(name) or await self.files.find(name))
            and (reads or file.ending != HTML)
        ):
            route, max_age = file.ending, file.max_age if reads else 0
            head, body = file.choose(fields, method == "GET") if reads else (PREFLIGHT, b"")
            (status, headers), kind = head, b""
        elif site is not None and (kept := site.fresh(path, query) or await site.find(path, query)):
            route, max_age = "site", kept.max_age
            head, body = kept.choose(fields, method == "GET")
            (status, headers), kind = head, b""
        elif not reads:
            route, status, kind, body = "other", 405, PLAIN, b"405 Method Not Allowed\n"
            shared = name != path and not path.endswith(HTML)
            headers = (NO_STORE, (b"allow", METHODS if shared else b"GET, HEAD"))
        elif path == "/healthz":  # any answer means that the process is alive
            route, status, kind, body = "healthz", 200, PLAIN, b"ok\n"
        elif path in self.reports and self._may_watch(fields):
            route, status, kind, body = path.strip("/"), *await self.reports[path]()
        elif path.rstrip("/") in self.fronts:
            front = f"{self.root}all.html" if site is None else site.front(_accepted(fields))
            route, status, kind, body = "front", 302, PLAIN, b"302 Found\n"
            headers = (NO_STORE, (b"location", front.encode()))
        elif path == "/robots.txt":  # RFC 9309
            route, status, kind, body = "robots", 200, PLAIN, self.robots
        elif site is not None:
            route, kept = "missing", await site.missing(path, _accepted(fields))
            (status, headers), body = kept.choose(fields, method == "GET")
            headers, kind, max_age = (*headers, VARIES), b"", kept.max_age
        else:
            page = (
                b'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Not found</title>'
                b'</head><body><h1>Not found</h1><p>There is nothing at this address. <a href="'
                + f"{self.root}all.html".encode()
                + b'">All news</a></p></body></html>\n'
            )
            route, status, kind, body = "missing", 404, b"text/html; charset=utf-8", page
        if kind:
            length = str(len(body)).encode()
            headers += ((b"content-type", kind), (b"content-length", length))
            headers += ((b"x-content-type-options", b"nosniff"), *SECURITY)
            body = b"" if method == "HEAD" else body
        self.seen[route, status] += 1
        headers += dated(int(time.time()), max_age)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _may_watch(self, fields: Headers) -> bool:
        """Whether a request has the token (RFC 6750 §2.1)."""
        scheme, _, given = dict(fields).get(b"authorization", b"").partition(b" ")
        token = (self.token or "").encode()
        return token != b"" and scheme.lower() == b"bearer" and hmac.compare_digest(given, token)

    def _counted(self, route: str, send: Send) -> Send:
        async def count(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                self.seen[route, message["status"]] += 1
                message["headers"] = [*message["headers"], *dated(int(time.time()))]
            await send(message)

        return count


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
            date_header=False,  # ours agrees with Expires
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
    if app.site is not None:
        app.site.close()
