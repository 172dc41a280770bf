"""Web servers on addresses of this machine: each path has its answer, and what was asked is kept."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Asked:
    path: str
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Reply:
    """An answer with Content-Length; `pieces` are sent one after the other, without a length."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    pieces: Callable[[], AsyncIterator[bytes]] | None = None

    def head(self) -> bytes:
        lines = [f"HTTP/1.1 {self.status} Any"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        if self.pieces:
            lines.append("Connection: close")
        elif self.status not in (204, 304) and "Content-Length" not in self.headers:
            lines.append(f"Content-Length: {len(self.body)}")
        return "\r\n".join([*lines, "", ""]).encode("latin-1")


Route = Reply | bytes | Callable[[Asked], Reply]


@dataclass
class Site:
    """A server; `routes` may change while it runs. Bytes are sent as they are, then it hangs up."""

    routes: dict[str, Route]
    root: str = ""
    asked: list[Asked] = field(default_factory=list)
    connections: int = 0
    open_now: int = 0
    open_most: int = 0
    hang_up: bool = False
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    def paths(self) -> list[str]:
        return [one.path for one in self.asked]

    async def seen_off(self) -> None:
        """Wait until a client hung up."""
        await self.gone.wait()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open_now += 1
        self.open_most = max(self.open_most, self.open_now)
        try:
            while await self._answer(reader, writer) and not self.hang_up:
                pass
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        finally:
            self.open_now -= 1
            self.gone.set()
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        path = head[0].split(" ")[1]
        headers = dict(line.split(": ", 1) for line in head[1:] if line)
        self.asked.append(Asked(path, headers))
        route = self.routes.get(path, Reply(status=404))
        reply = route(self.asked[-1]) if callable(route) else route
        if isinstance(reply, bytes):
            writer.write(reply)
            await writer.drain()
            return False
        writer.write(reply.head() + reply.body)
        if reply.pieces:
            async for piece in reply.pieces():
                writer.write(piece)
                await writer.drain()
        await writer.drain()
        return reply.pieces is None


@asynccontextmanager
async def serving(
    routes: dict[str, Route], host: str = "127.0.0.1", tls: ssl.SSLContext | None = None
) -> AsyncIterator[Site]:
    """A running server; its `root` is its address without a path."""
    site = Site(routes)
    server = await asyncio.start_server(site.serve, host, 0, ssl=tls, limit=2**16)
    port = server.sockets[0].getsockname()[1]
    site.root = f"http{'s' if tls else ''}://{host}:{port}"
    try:
        yield site
    finally:
        server.close()
