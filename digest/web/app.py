"""The ASGI application: feeds and pages from memory, and three addresses for whoever watches it.

GET and HEAD only, and neither changes anything.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from digest.web.conditions import best_coding, is_unchanged
from digest.web.shelf import NAME, SECURITY, Answer, Kept, Shelf

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

Headers = Iterable[tuple[bytes, bytes]]

FRONT = "all.html"
NOTHING: dict[str, Any] = {"type": "http.response.body", "body": b""}
PLAIN = b"text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Report:
    """What one of the watched addresses answers."""

    status: int
    media_type: bytes
    body: bytes


Watch = Callable[[], Awaitable[Report]]


async def alive() -> Report:
    """/healthz: that this is answered at all is the answer."""
    return Report(200, PLAIN, b"ok\n")


class FeedApp:
    """Serves `shelf` under the path of `feeds_url`, and `watched` by their own paths.

    `seen` counts answers by (route, status); routes are few, whatever is asked for.
    """

    def __init__(self, shelf: Shelf, feeds_url: str, watched: dict[str, Watch]) -> None:
        self.seen: Counter[tuple[str, int]] = Counter()
        self.watched = {"/healthz": alive, **watched}
        self.serve(shelf, feeds_url)

    def serve(self, shelf: Shelf, feeds_url: str) -> None:
        """From now on serve this shelf under the path of this address."""
        self.shelf = shelf
        self.root = urlsplit(feeds_url).path.rstrip("/") + "/"
        self.root_bytes = self.root.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        path: str = scope["path"]
        if scope["method"] not in ("GET", "HEAD"):
            await self._plainly(send, "other", 405, [(b"allow", b"GET, HEAD")])
        elif path.startswith(self.root) and (name := NAME.fullmatch(path, len(self.root))):
            await self._file(scope, send, path[len(self.root) :], name[1])
        elif path in self.watched:
            report = await self.watched[path]()
            await self._report(scope, send, path, report)
        elif path in ("/", self.root, self.root.rstrip("/")):
            await self._plainly(send, "front", 302, [(b"location", f"{self.root}{FRONT}".encode())])
        else:
            await self._missing(scope, send)

    async def _file(self, scope: Scope, send: Send, name: str, route: str) -> None:
        kept = self.shelf.fresh(name) or await self.shelf.find(name)
        if kept is None:
            await self._missing(scope, send)
            return
        answer, unchanged = chosen(kept, scope["headers"])
        self.seen[route, 304 if unchanged else 200] += 1
        await send(answer.unchanged if unchanged else answer.whole)
        await send(NOTHING if unchanged or scope["method"] == "HEAD" else answer.body)

    def at_once(self, url: bytes, headers: Headers) -> tuple[bytes, bytes] | None:
        """The lines of the head and the body that answer a GET, where the file is in memory and need
        not be looked at; None where it takes the long way.
        """
        if not url.startswith(self.root_bytes):
            return None
        kept = self.shelf.fresh(url[len(self.root_bytes) :].decode("latin-1"))
        if kept is None:
            return None
        answer, unchanged = chosen(kept, headers)
        if unchanged:
            self.seen[kept.ending, 304] += 1
            return answer.unchanged_lines, b""
        self.seen[kept.ending, 200] += 1
        return answer.whole_lines, answer.body["body"]

    async def _missing(self, scope: Scope, send: Send) -> None:
        body = (
            b'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Not found</title>'
            b'</head><body><h1>Not found</h1><p>There is nothing at this address. <a href="'
            + f"{self.root}{FRONT}".encode()
            + b'">All news</a></p></body></html>\n'
        )
        await self._report(
            scope, send, "missing", Report(404, b"text/html; charset=utf-8", body), SECURITY
        )

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


def chosen(kept: Kept, headers: Headers) -> tuple[Answer, bool]:
    """The form of a file that a request gets, and whether it has it already."""
    coding: bytes | None = None
    tags: bytes | None = None
    date: bytes | None = None
    for key, value in headers:
        if key == b"accept-encoding":
            coding = value if coding is None else coding + b"," + value
        elif key == b"if-none-match":
            tags = value if tags is None else tags + b"," + value
        elif key == b"if-modified-since":
            date = value
    best = None if coding is None else best_coding(coding)
    answer = kept.plain if best is None else kept.packed.get(best, kept.plain)
    if not tags and not date:
        return answer, False
    return answer, is_unchanged(answer.etag, answer.modified, tags, date)


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
