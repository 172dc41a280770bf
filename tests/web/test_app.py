"""The web server: what each request gets, and what a connection may expect, on real sockets."""

import asyncio
import contextlib
import logging
import socket
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from digest.web.app import FeedApp, GuardedProtocol, listen, serve
from digest.web.files import FileCache


def application(folder: Path) -> FeedApp:
    files = FileCache(folder, limit=100_000_000, cache_seconds=60, seconds=lambda: 0.0)
    return FeedApp(files, "https://news.example.org/feeds/", {})


class Impatient(GuardedProtocol):
    patience = 0.1


@contextlib.asynccontextmanager
async def running(
    folder: Path, protocol: type[GuardedProtocol] = Impatient
) -> AsyncIterator[tuple[str, int]]:
    """The address of a server of `folder` that closes connections after a silent tenth of a second."""
    listener, stopping = listen("127.0.0.1", 0), asyncio.Event()
    place = listener.getsockname()
    answering = asyncio.create_task(
        serve(application(folder), listener, stopping, protocol=protocol)
    )
    yield place
    stopping.set()
    await answering


@contextlib.asynccontextmanager
async def connection(folder: Path) -> AsyncIterator[tuple[StreamReader, StreamWriter]]:
    async with running(folder) as place:
        reader, writer = await asyncio.open_connection(*place)
        yield reader, writer
        writer.close()


def small_window(place: tuple[str, int]) -> socket.socket:
    """A connection that takes little before it is read from."""
    channel = socket.socket()
    channel.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    channel.connect(place)
    channel.setblocking(False)
    return channel


def request(method: str) -> bytes:
    return f"{method} /feeds/all.atom HTTP/1.1\r\nHost: a\r\n\r\n".encode()


async def conversation(folder: Path, asked: tuple[str, ...]) -> list[bytes]:
    """The first line of each answer on one connection, and at the end what came when it was closed."""
    told = []
    async with connection(folder) as (reader, writer):
        for method in asked:
            writer.write(request(method))
            head = await reader.readuntil(b"\r\n\r\n")
            if method == "GET":
                await reader.readexactly(len(b"<feed/>"))
            told.append(head.partition(b"\r\n")[0])
        told.append(await asyncio.wait_for(reader.read(), 20))
    return told


async def bodies(folder: Path, size: int, times: int) -> list[bytes]:
    """What comes for so many requests that are sent before the first answer is read."""
    async with connection(folder) as (reader, writer):
        writer.write(request("GET"))
        await reader.readuntil(b"\r\n\r\n")
        found = [await reader.readexactly(size)]
        writer.write(request("GET") * times)
        for _ in range(times):
            await reader.readuntil(b"\r\n\r\n")
            found.append(await reader.readexactly(size))
    return found


def asked(app: FeedApp, path: str, method: str = "GET", **headers: str) -> tuple[int, dict, bytes]:
    """Status, headers and body of an answer, by the application itself."""
    told: list[dict] = []

    async def send(message: dict) -> None:
        told.append(message)

    async def receive() -> dict:
        return {"type": "http.request"}

    sent = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": method, "path": path, "headers": sent}
    asyncio.run(app(scope, receive, send))
    start, *bodies = told
    return (
        start["status"],
        {name.decode(): value.decode() for name, value in start["headers"]},
        b"".join(body["body"] for body in bodies),
    )


@pytest.mark.parametrize(
    ("path", "method", "headers", "status"),
    [
        pytest.param("/feeds/all.atom", "GET", {}, 200, id="a feed"),
        pytest.param("/feeds/all.atom", "HEAD", {}, 200, id="its head"),
        pytest.param("/feeds/all.atom", "GET", {"if_none_match": "*"}, 304, id="unchanged"),
        pytest.param("/feeds/all.atom", "POST", {}, 405, id="only GET and HEAD"),
        pytest.param("/", "GET", {}, 302, id="the front leads to all news"),
        pytest.param("/healthz", "GET", {}, 200, id="alive"),
        pytest.param("/feeds/none.atom", "GET", {}, 404, id="no such feed"),
        pytest.param(f"/feeds/{'a' * 300}.atom", "GET", {}, 404, id="longer than a name may be"),
        pytest.param(f"/feeds/{'a' * 65000}.atom", "GET", {}, 404, id="longer than a path may be"),
        pytest.param("/feeds/.published", "GET", {}, 404, id="our own list of files"),
        pytest.param("/feeds/../config.toml", "GET", {}, 404, id="out of the folder"),
        pytest.param("/feeds/articles/../all.atom", "GET", {}, 404, id="out and in"),
        pytest.param("/feeds/articles.html", "GET", {}, 404, id="a folder is no file"),
        pytest.param("/feeds/digest.db", "GET", {}, 404, id="another kind of file"),
        pytest.param("/all.atom", "GET", {}, 404, id="outside the feeds"),
    ],
)
def test_only_what_is_published_is_served(tmp_path: Path, path, method, headers, status):
    """Statuses of all kinds of requests; each is counted under one of a few routes."""
    (tmp_path / "all.atom").write_bytes(b"<feed/>")
    (tmp_path / ".published").write_text("all.atom\n")
    (tmp_path / "digest.db").write_text("private")
    (tmp_path / "articles.html").mkdir()
    app = application(tmp_path)
    found_status, told, body = asked(app, path, method, **headers)
    assert found_status == status
    assert app.seen.total() == 1
    if status == 304:
        assert set(told) == {"etag", "cache-control", "vary"}
        assert body == b""
    if status == 405:
        assert told["allow"] == "GET, HEAD"
    if method == "HEAD":
        assert body == b""
        assert int(told["content-length"]) > 0


def test_a_page_may_run_nothing(tmp_path: Path):
    """Pages come with a policy that allows our style sheet and nothing else."""
    (tmp_path / "all.html").write_text("<!DOCTYPE html>")
    app = application(tmp_path)
    _, told, _ = asked(app, "/feeds/all.html")
    assert told["content-security-policy"].startswith("default-src 'none'; style-src 'self';")
    assert told["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param(("GET",), id="the file is not in memory yet"),
        pytest.param(("GET", "GET", "GET"), id="from memory"),
        pytest.param(("GET", "GET", "HEAD"), id="a head at the end"),
        pytest.param(("GET", "HEAD", "GET"), id="a head between"),
    ],
)
def test_who_is_silent_for_long_is_parted_from(tmp_path: Path, asked):
    """Readers that keep a connection and ask nothing do not use up what the machine can hold."""
    (tmp_path / "all.atom").write_bytes(b"<feed/>")
    *lines, rest = asyncio.run(conversation(tmp_path, asked))
    assert lines == [b"HTTP/1.1 200 OK"] * len(asked)
    assert rest == b""


@pytest.mark.parametrize("size", [0, 1, 100_000, 3_000_000])
def test_an_answer_of_any_size_comes_whole(tmp_path: Path, size: int):
    """Also to a reader who asks on while the answers before still wait for it."""
    data = bytes(i * 31 % 251 for i in range(size))
    (tmp_path / "all.atom").write_bytes(data)
    assert asyncio.run(bodies(tmp_path, size, 5)) == [data] * 6


@pytest.mark.parametrize(
    "begun",
    [
        pytest.param(b"", id="nothing asked"),
        pytest.param(b"GET /feeds/all.atom HTTP/1.1\r\nHost", id="half a head"),
        pytest.param(request("GET") + b"GET /feeds/all.a", id="half of the second"),
        pytest.param(request("POST")[:-2] + b"Content-Length: 9\r\n\r\n12", id="half a body"),
    ],
)
def test_who_does_not_end_what_was_begun_is_parted_from(tmp_path: Path, begun: bytes):
    """However a connection is left open, it does not stay so."""

    async def left_open() -> None:
        async with connection(tmp_path) as (reader, writer):
            writer.write(begun)
            await asyncio.wait_for(reader.read(), 20)

    asyncio.run(left_open())


def test_a_head_that_comes_in_drops_is_parted_from(tmp_path: Path):
    """It must be whole within the keep-alive time, whatever comes meanwhile."""

    async def dripping() -> None:
        async with connection(tmp_path) as (reader, writer):
            writer.write(b"GET /feeds/all.atom HTTP/1.1\r\n")
            while not reader.at_eof():
                writer.write(b"A: b\r\n")
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(reader.read(1), 0.02)

    with contextlib.suppress(ConnectionError):
        asyncio.run(dripping())


def test_a_head_has_a_longest_length(tmp_path: Path):
    """Strangers cannot fill the memory with what is no request yet."""

    async def endless() -> bytes:
        async with connection(tmp_path) as (reader, writer):
            writer.write(b"GET /feeds/all.atom HTTP/1.1\r\n" + b"A: b\r\n" * 9_000)
            await writer.drain()
            writer.write(b"A: b\r\n" * 9_000)
            return await asyncio.wait_for(reader.read(), 20)

    assert asyncio.run(endless()).startswith(b"HTTP/1.1 431 ")


async def taken(folder: Path, *, portion: int) -> int:
    """How many bytes come to a reader of a big file that takes a portion each time the server looks
    whether it moves; until the server parts from it.
    """
    looked = asyncio.Event()

    class Looking(Impatient):
        def _check(self) -> None:
            super()._check()
            looked.set()

        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            lost.set()

    lost = asyncio.Event()
    loop = asyncio.get_running_loop()
    found = 0
    async with running(folder, Looking) as place:
        with small_window(place) as channel, contextlib.suppress(ConnectionResetError):
            await loop.sock_sendall(channel, request("GET"))
            while not lost.is_set():
                await looked.wait()
                looked.clear()
                wanted = found + portion
                while found < wanted and (data := await loop.sock_recv(channel, 65_536)):
                    found += len(data)
            while data := await loop.sock_recv(channel, 65_536):
                found += len(data)
    return found


SIZE = 24_000_000


def test_who_takes_nothing_of_an_answer_is_cut_off(tmp_path: Path):
    """Readers who ask for big pages and do not read them hold neither memory nor connections."""
    (tmp_path / "all.atom").write_bytes(b"x" * SIZE)

    async def unread() -> None:
        lost = asyncio.Event()

        class Watched(Impatient):
            def connection_lost(self, exc: Exception | None) -> None:
                super().connection_lost(exc)
                lost.set()

        async with running(tmp_path, Watched) as place:
            with small_window(place) as channel:
                await asyncio.get_running_loop().sock_sendall(channel, request("GET"))
                await asyncio.wait_for(lost.wait(), 20)

    asyncio.run(unread())


def test_who_takes_an_answer_slowly_gets_all_of_it(tmp_path: Path):
    """A telephone on a bad line: many times the keep-alive time, as long as bytes flow."""
    (tmp_path / "all.atom").write_bytes(b"x" * SIZE)
    assert asyncio.run(taken(tmp_path, portion=SIZE // 12)) > SIZE


def test_who_takes_nothing_does_not_hold_up_the_end(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    """When the service ends it waits for answers under way, not for ever, and that is no error."""
    (tmp_path / "all.atom").write_bytes(b"x" * SIZE)

    async def ended() -> None:
        listener, stopping = listen("127.0.0.1", 0), asyncio.Event()
        place = listener.getsockname()
        answering = asyncio.create_task(serve(application(tmp_path), listener, stopping, drain=0.1))
        with small_window(place) as channel:
            loop = asyncio.get_running_loop()
            await loop.sock_sendall(channel, request("GET"))
            assert await loop.sock_recv(channel, 9) == b"HTTP/1.1 "
            stopping.set()
            await asyncio.wait_for(answering, 20)

    with caplog.at_level(logging.WARNING):
        asyncio.run(ended())
    assert caplog.records == []


def test_an_offer_of_another_protocol_gets_a_plain_answer(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    """Browsers and proxies offer HTTP/2 as they like; that is no line in the log."""
    (tmp_path / "all.atom").write_bytes(b"<feed/>")
    offer = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA\r\n\r\n"

    async def offered() -> bytes:
        async with connection(tmp_path) as (reader, writer):
            writer.write(request("GET")[:-2] + offer)
            return await asyncio.wait_for(reader.read(), 20)

    with caplog.at_level(logging.WARNING):
        assert asyncio.run(offered()).startswith(b"HTTP/1.1 200 OK\r\n")
    assert caplog.records == []


def test_only_methods_of_asyncio_are_replaced_in_uvicorn():
    """Its own may change in any version."""
    replaced = set(vars(GuardedProtocol)) & set(dir(HttpToolsProtocol))
    assert {name for name in replaced if not name.startswith("__")} == {
        "connection_made",
        "data_received",
        "connection_lost",
    }
