"""The web server: the answer to each request, and the limits of a connection, on real sockets."""

import asyncio
import contextlib
import logging
import socket
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from digest.web.app import (
    DRAIN_SECONDS,
    LONGEST_HEAD,
    FeedApp,
    GuardedProtocol,
    Report,
    listen,
    serve,
)
from digest.web.files import FileCache


def application(folder: Path) -> FeedApp:
    files = FileCache(folder, limit=100_000_000, cache_seconds=60, seconds=lambda: 0.0)
    app = FeedApp(files, "https://news.example.org/feeds/", {"/metrics": figures})
    app.serve(
        files, "https://news.example.org/feeds/", {"/leave/": figures}, "https://a.example/news"
    )
    return app


async def figures(*_: object) -> Report:
    return Report(200, b"text/plain", b"figures")


class Impatient(GuardedProtocol):
    patience = 0.1


class Watched(Impatient):
    """Sets `lost` when a connection is lost, and `checked` each time it was checked."""

    lost: asyncio.Event
    checked: asyncio.Event

    def _check(self) -> None:
        super()._check()
        self.checked.set()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.lost.set()


@contextlib.asynccontextmanager
async def running(
    folder: Path, protocol: type[GuardedProtocol] = Impatient, drain: float = DRAIN_SECONDS
) -> AsyncIterator[tuple[str, int]]:
    """The address of a server of `folder` that closes connections after a silent tenth of a second."""
    Watched.lost, Watched.checked = asyncio.Event(), asyncio.Event()
    listener, stopping = listen("127.0.0.1", 0), asyncio.Event()
    place = listener.getsockname()
    answering = asyncio.create_task(
        serve(application(folder), listener, stopping, drain=drain, protocol=protocol)
    )
    yield place
    stopping.set()
    await asyncio.wait_for(answering, 20)


@contextlib.asynccontextmanager
async def connection(folder: Path) -> AsyncIterator[tuple[StreamReader, StreamWriter]]:
    async with running(folder) as place:
        reader, writer = await asyncio.open_connection(*place)
        yield reader, writer
        writer.close()


async def answered(folder: Path, data: bytes) -> bytes:
    """All that comes on a connection until the server closes it."""
    async with connection(folder) as (reader, writer):
        writer.write(data)
        return await asyncio.wait_for(reader.read(), 20)


@contextlib.asynccontextmanager
async def reading_little(place: tuple[str, int]) -> AsyncIterator[socket.socket]:
    """A connection that has asked for the feed and buffers little of the answer."""
    with socket.socket() as channel:
        channel.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        channel.connect(place)
        channel.setblocking(False)
        await asyncio.get_running_loop().sock_sendall(channel, request("GET"))
        yield channel


def request(method: str) -> bytes:
    return f"{method} /feeds/all.atom HTTP/1.1\r\nHost: a\r\n\r\n".encode()


def asked(app: FeedApp, path: str, method: str = "GET", **headers: str) -> tuple[int, dict, bytes]:
    """Status, headers and body of an answer, by the application itself."""
    messages: list[dict] = []

    async def send(message: dict) -> None:
        messages.append(message)

    async def receive() -> dict:
        return {"type": "http.request"}

    sent = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": method, "path": path, "headers": sent, "query_string": b""}
    asyncio.run(app(scope, receive, send))
    start, *bodies = messages
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
        pytest.param("/feeds/all.atom", "POST", {}, 405, id="only GET, HEAD and OPTIONS"),
        pytest.param("/feeds/all.atom", "OPTIONS", {}, 204, id="whether another site may ask"),
        pytest.param("/feeds/none.atom", "OPTIONS", {}, 405, id="no such feed for another site"),
        pytest.param("/feeds/all.html", "OPTIONS", {}, 405, id="a page is not for other sites"),
        pytest.param("/feeds/archives/all.1.atom", "GET", {}, 200, id="an archive"),
        pytest.param("/feeds/archives/all.1.atom.gz", "GET", {}, 404, id="a packed file"),
        pytest.param("/feeds/archives/.published", "GET", {}, 404, id="a hidden file of archives"),
        pytest.param("/", "GET", {}, 302, id="the front leads to all news"),
        pytest.param("/healthz", "GET", {}, 200, id="alive"),
        pytest.param("/news", "GET", {}, 302, id="the site's own path"),
        pytest.param("/news/", "GET", {}, 302, id="the site's own path, as a folder"),
        pytest.param("/robots.txt", "GET", {}, 200, id="for crawlers"),
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
def test_only_published_files_are_served(tmp_path: Path, path, method, headers, status):
    """Statuses of all kinds of requests; each is counted under one of a few routes."""
    (tmp_path / "archives").mkdir()
    for name in ("all.atom", "all.html", *(f"archives/all.1.atom{end}" for end in ("", ".gz"))):
        (tmp_path / name).write_bytes(b"<feed/>")
    (tmp_path / ".published").write_text("all.atom\n")
    (tmp_path / "archives" / ".published").write_text("all.atom\n")
    (tmp_path / "digest.db").write_text("private")
    (tmp_path / "articles.html").mkdir()
    app = application(tmp_path)
    answer, sent, body = asked(app, path, method, **headers)
    assert answer == status
    assert app.seen.total() == 1
    if status == 304:
        said = {"etag", "cache-control", "expires", "date", "vary"}
        assert set(sent) == said | {"access-control-allow-origin", "access-control-expose-headers"}
        assert body == b""
    if status == 405:
        assert sent["allow"] == ("GET, HEAD" if path.endswith(".html") else "GET, HEAD, OPTIONS")
    if method == "HEAD":
        assert body == b""
        assert int(sent["content-length"]) > 0


@pytest.mark.parametrize("token", [None, "0123456789abcdef"])
@pytest.mark.parametrize("given", [None, "", "Bearer", "Bearer ", "Bearer None", "Basic 0123456789abcdef", "Bearer 0123456789abcdef0"])  # fmt: skip
def test_a_report_does_not_exist_without_the_token(tmp_path: Path, token, given):
    """Strangers learn nothing of the service, not even that there is something to learn."""
    app = application(tmp_path)
    app.token = token
    headers = {} if given is None else {"authorization": given}
    answers = [asked(app, path, **headers) for path in ("/metrics", "/nothing")]
    assert answers[0] == answers[1]
    assert answers[0][0] == 404
    if token is not None:
        assert asked(app, "/metrics", authorization=f"bearer {token}")[2] == b"figures"


def test_crawlers_may_read_all_but_forms(tmp_path: Path):
    """robots.txt at the root of the origin (RFC 9309)."""
    assert asked(application(tmp_path), "/robots.txt")[2] == b"User-agent: *\nDisallow: /leave/\n"


def test_pages_of_other_sites_may_revalidate_feeds(tmp_path: Path):
    """CORS on what is read, on what is unchanged, and before; pages are not for other sites."""
    for name in ("all.atom", "all.rss", "all.json", "feeds.opml", "all.html"):
        (tmp_path / name).write_bytes(b"<feed/>")
        app = application(tmp_path)
        for headers in ({}, {"if_none_match": "*"}):
            _, sent, _ = asked(app, f"/feeds/{name}", **headers)
            shared = None if name == "all.html" else "*"
            assert sent.get("access-control-allow-origin") == shared
            exposed = sent.get("access-control-expose-headers")
            assert exposed == (shared and "ETag, Last-Modified")
    _, sent, body = asked(application(tmp_path), "/feeds/all.atom", "OPTIONS")
    assert (sent["access-control-allow-origin"], body) == ("*", b"")
    assert sent["access-control-allow-methods"] == sent["allow"] == "GET, HEAD, OPTIONS"
    assert {"If-None-Match", "If-Modified-Since"} <= set(
        sent["access-control-allow-headers"].split(", ")
    )
    assert int(sent["access-control-max-age"]) > 0


HOST = b"GET /feeds/all.atom HTTP/1.1\r\nHost: "


@pytest.mark.parametrize(
    ("head", "status"),
    [
        pytest.param(b"GET /feeds/all.atom HTTP/1.1", 400, id="none"),
        pytest.param(b"GET /healthz HTTP/1.1", 400, id="none, not for a feed"),
        pytest.param(b"GET /leave/token HTTP/1.1", 400, id="none, for a form"),
        pytest.param(HOST + b"a\r\nHost: a", 400, id="two"),
        pytest.param(HOST + b"a\r\nhost: b", 400, id="two that differ"),
        pytest.param(HOST + b"a b", 400, id="no host"),
        pytest.param(HOST + b"a/b", 400, id="a path"),
        pytest.param(HOST + b"a@b", 400, id="a user"),
        pytest.param(HOST + b"a:http", 400, id="no port"),
        pytest.param(HOST + b" news.example.org:8080 ", 200, id="a name and a port"),
        pytest.param(HOST + b"[2001:db8::1]:80", 200, id="an address"),
        pytest.param(HOST, 200, id="an empty one"),
        pytest.param(b"GET /feeds/all.atom HTTP/1.0", 200, id="none in HTTP/1.0"),
        pytest.param(
            b"GET /feeds/all.atom HTTP/1.0\r\nHost: a\r\nHost: a", 400, id="two in HTTP/1.0"
        ),
        pytest.param(b"GET http://a/feeds/all.atom HTTP/1.1\r\nHost: a", 200, id="as to a proxy"),
    ],
)
def test_a_request_names_one_host(tmp_path: Path, head: bytes, status: int):
    """RFC 9112 §3.2, whether the file is in memory already or not."""
    (tmp_path / "all.atom").write_bytes(b"<feed/>")

    async def conversation() -> None:
        async with running(tmp_path) as place:
            for _ in range(2):
                reader, writer = await asyncio.open_connection(*place)
                writer.write(head + b"\r\n\r\n")
                answer = await asyncio.wait_for(reader.read(), 20)
                assert answer.startswith(f"HTTP/1.1 {status} ".encode()), answer
                writer.close()

    asyncio.run(conversation())


def test_what_looks_like_two_requests_is_one_with_a_body(tmp_path: Path):
    """A body is never taken for a request, though the file is in memory."""
    (tmp_path / "all.atom").write_bytes(b"<feed/>")
    (tmp_path / "all.rss").write_bytes(b"<rss/>")

    async def bodies() -> bytes:
        async with connection(tmp_path) as (reader, writer):
            writer.write(request("GET"))
            await reader.readuntil(b"<feed/>")
            inner = request("GET").replace(b"atom", b"rss")
            writer.write(request("GET")[:-2] + b"Content-Length: %d\r\n\r\n" % len(inner))
            await reader.readuntil(b"<feed/>")
            writer.write(inner)
            writer.write(request("GET"))
            return await asyncio.wait_for(reader.read(), 20)

    answers = asyncio.run(bodies())
    assert answers.count(b"<feed/>") == 1
    assert b"<rss/>" not in answers


def test_a_page_may_run_nothing(tmp_path: Path):
    """Pages come with a policy that allows our style sheet and nothing else."""
    (tmp_path / "all.html").write_text("<!DOCTYPE html>")
    _, sent, _ = asked(application(tmp_path), "/feeds/all.html")
    assert sent["content-security-policy"].startswith("default-src 'none'; style-src 'self';")
    assert sent["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "methods",
    [
        pytest.param(("GET",), id="the file is not in memory yet"),
        pytest.param(("GET", "GET", "GET"), id="from memory"),
        pytest.param(("GET", "GET", "HEAD"), id="a head at the end"),
        pytest.param(("GET", "HEAD", "GET"), id="a head between"),
    ],
)
def test_a_silent_connection_is_closed(tmp_path: Path, methods: tuple[str, ...]):
    """Readers that keep a connection and ask for nothing do not use up the machine."""
    (tmp_path / "all.atom").write_bytes(b"<feed/>")

    async def conversation() -> None:
        async with connection(tmp_path) as (reader, writer):
            for method in methods:
                writer.write(request(method))
                head = await reader.readuntil(b"\r\n\r\n")
                assert head.startswith(b"HTTP/1.1 200 OK\r\n")
                if method == "GET":
                    await reader.readexactly(len(b"<feed/>"))
            assert await asyncio.wait_for(reader.read(), 20) == b""

    asyncio.run(conversation())


@pytest.mark.parametrize("size", [0, 1, 100_000, 3_000_000])
def test_an_answer_of_any_size_is_complete(tmp_path: Path, size: int):
    """Also for a reader who sends more requests while earlier answers are still unread."""
    data = bytes(i * 31 % 251 for i in range(size))
    (tmp_path / "all.atom").write_bytes(data)

    async def bodies() -> None:
        async with connection(tmp_path) as (reader, writer):
            for times in (1, 5):
                writer.write(request("GET") * times)
                for _ in range(times):
                    await reader.readuntil(b"\r\n\r\n")
                    assert await reader.readexactly(size) == data

    asyncio.run(bodies())


@pytest.mark.parametrize(
    "begun",
    [
        pytest.param(b"", id="nothing asked"),
        pytest.param(b"GET /feeds/all.atom HTTP/1.1\r\nHost", id="half a head"),
        pytest.param(request("GET") + b"GET /feeds/all.a", id="half of the second"),
        pytest.param(request("POST")[:-2] + b"Content-Length: 9\r\n\r\n12", id="half a body"),
    ],
)
def test_an_unfinished_request_is_closed(tmp_path: Path, begun: bytes):
    """No connection stays open, whatever was left unfinished."""
    asyncio.run(answered(tmp_path, begun))


def test_a_head_that_comes_in_drops_is_closed(tmp_path: Path):
    """It must be complete within the keep-alive time, whatever arrives meanwhile."""

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
    """Strangers cannot fill the memory with an endless request."""

    async def endless() -> bytes:
        async with connection(tmp_path) as (reader, writer):
            head = b"GET /feeds/all.atom HTTP/1.1\r\n" + b"A: b\r\n" * 11_000
            writer.write(head[: LONGEST_HEAD + 1])  # more, left unread, would reset the connection
            return await asyncio.wait_for(reader.read(), 20)

    assert asyncio.run(endless()).startswith(b"HTTP/1.1 431 ")


SIZE = 24_000_000


def test_a_reader_who_reads_nothing_of_an_answer_is_cut_off(tmp_path: Path):
    """Readers who ask for big pages and do not read them hold neither memory nor connections."""
    (tmp_path / "all.atom").write_bytes(b"x" * SIZE)

    async def unread() -> None:
        async with running(tmp_path, Watched) as place, reading_little(place):
            await asyncio.wait_for(Watched.lost.wait(), 20)

    asyncio.run(unread())


def test_a_slow_reader_gets_all_of_an_answer(tmp_path: Path):
    """A telephone on a bad line: many times the keep-alive time, as long as bytes flow."""
    (tmp_path / "all.atom").write_bytes(b"x" * SIZE)

    async def slowly() -> int:
        """Reads a portion after each check of the server, until the connection is closed."""
        count = 0
        receive = asyncio.get_running_loop().sock_recv
        async with running(tmp_path, Watched) as place, reading_little(place) as channel:
            with contextlib.suppress(ConnectionResetError):
                while not Watched.lost.is_set():
                    await Watched.checked.wait()
                    Watched.checked.clear()
                    portion = count + SIZE // 12
                    while count < portion and (data := await receive(channel, 65_536)):
                        count += len(data)
                while data := await receive(channel, 65_536):
                    count += len(data)
        return count

    assert asyncio.run(slowly()) > SIZE


def test_an_unread_answer_does_not_hold_up_a_stop(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    """A stopping service waits for answers under way, but not for ever, and that is no error."""
    (tmp_path / "all.atom").write_bytes(b"x" * SIZE)

    async def stopped() -> None:
        async with (
            contextlib.AsyncExitStack() as reading,
            running(tmp_path, GuardedProtocol, drain=0.1) as place,
        ):
            channel = await reading.enter_async_context(reading_little(place))
            assert await asyncio.get_running_loop().sock_recv(channel, 9) == b"HTTP/1.1 "

    with caplog.at_level(logging.WARNING):
        asyncio.run(stopped())
    assert caplog.records == []


def test_an_offer_of_another_protocol_gets_a_plain_answer(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    """Browsers and proxies may offer HTTP/2; that is not logged."""
    (tmp_path / "all.atom").write_bytes(b"<feed/>")
    offer = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA\r\n\r\n"
    with caplog.at_level(logging.WARNING):
        answer = asyncio.run(answered(tmp_path, request("GET")[:-2] + offer))
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert caplog.records == []


def test_one_too_many_closes_the_longest_idle_never_one_that_is_being_answered(tmp_path: Path):
    """The oldest has asked since, the second reads slowly: the third is closed, and nobody else."""
    size = 8_000_000
    (tmp_path / "all.atom").write_bytes(b"x")
    (tmp_path / "all.rss").write_bytes(b"x" * size)

    class Few(GuardedProtocol):
        most = 3

    async def conversation() -> None:
        async with running(tmp_path, Few) as place:
            asked, slow, idle = [await asyncio.open_connection(*place) for _ in range(3)]
            slow[1].write(request("GET").replace(b"atom", b"rss"))
            await slow[0].readuntil(b"\r\n\r\n")
            for _ in range(2):
                asked[1].write(request("GET"))
                await asked[0].readuntil(b"\r\n\r\nx")
            new = await asyncio.open_connection(*place)
            assert await asyncio.wait_for(idle[0].read(), 20) == b""
            new[1].write(request("GET"))
            asked[1].write(request("GET"))
            for reader, _ in (asked, new):
                await reader.readuntil(b"\r\n\r\nx")
            assert len(await asyncio.wait_for(slow[0].readexactly(size), 20)) == size
            for _, writer in (asked, slow, idle, new):
                writer.close()

    asyncio.run(conversation())


def test_only_methods_of_asyncio_are_replaced_in_uvicorn():
    """uvicorn's own may change in any version."""
    replaced = set(vars(GuardedProtocol)) & set(dir(HttpToolsProtocol))
    assert {name for name in replaced if not name.startswith("__")} == {
        "connection_made",
        "data_received",
        "connection_lost",
    }
