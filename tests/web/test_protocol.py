"""The short way in front of uvicorn's: what a connection may expect."""

import asyncio
import contextlib
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import uvicorn

from digest.web.app import FeedApp
from digest.web.protocol import ONE_PIECE, FeedProtocol
from digest.web.server import listen
from digest.web.shelf import Shelf


@contextlib.asynccontextmanager
async def connection(folder: Path) -> AsyncIterator[tuple[StreamReader, StreamWriter]]:
    """To a server of `folder` that parts from who is silent for a tenth of a second."""
    shelf = Shelf(folder, limit=10_000_000, cache_seconds=60, seconds=lambda: 0.0)
    app = FeedApp(shelf, "https://news.example.org/feeds/", {})
    config = uvicorn.Config(app, http=FeedProtocol, lifespan="off", log_config=None)
    config.timeout_keep_alive = 0.1
    listener = listen("127.0.0.1", 0)
    server = uvicorn.Server(config)
    answering = asyncio.create_task(server.serve(sockets=[listener]))
    reader, writer = await asyncio.open_connection(*listener.getsockname())
    yield reader, writer
    writer.close()
    server.should_exit = True
    await answering


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
