"""The short way in front of uvicorn's: what a connection may expect."""

import asyncio
import contextlib
import logging
import socket
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import uvicorn

from digest.web.app import FeedApp
from digest.web.protocol import ONE_PIECE, FeedProtocol
from digest.web.server import listen, serve
from digest.web.shelf import Shelf


def application(folder: Path) -> FeedApp:
    shelf = Shelf(folder, limit=100_000_000, cache_seconds=60, seconds=lambda: 0.0)
    return FeedApp(shelf, "https://news.example.org/feeds/", {})


@contextlib.asynccontextmanager
async def running(
    folder: Path, protocol: type[FeedProtocol] = FeedProtocol
) -> AsyncIterator[tuple[str, int]]:
    """Where a server of `folder` listens that parts from who is silent for a tenth of a second."""
    config = uvicorn.Config(application(folder), http=protocol, lifespan="off", log_config=None)
    config.timeout_keep_alive = 0.1
    listener = listen("127.0.0.1", 0)
    server = uvicorn.Server(config)
    answering = asyncio.create_task(server.serve(sockets=[listener]))
    yield listener.getsockname()
    server.should_exit = True
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


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param(("GET",), id="the long way, as the file is not in memory yet"),
        pytest.param(("GET", "GET", "GET"), id="the short way"),
        pytest.param(("GET", "GET", "HEAD"), id="the long way after the short one"),
        pytest.param(("GET", "HEAD", "GET"), id="the short way after the long one"),
    ],
)
def test_who_is_silent_for_long_is_parted_from(tmp_path: Path, asked):
    """Readers that keep a connection and ask nothing do not use up what the machine can hold."""
    (tmp_path / "all.atom").write_bytes(b"<feed/>")
    *lines, rest = asyncio.run(conversation(tmp_path, asked))
    assert lines == [b"HTTP/1.1 200 OK"] * len(asked)
    assert rest == b""


@pytest.mark.parametrize("size", [0, 1, ONE_PIECE, ONE_PIECE + 1, 3_000_000])
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

    class Looking(FeedProtocol):
        def _look(self) -> None:
            super()._look()
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

        class Watched(FeedProtocol):
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
