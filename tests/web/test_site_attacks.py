"""What strangers try on the site: addresses, requests and queries made to break it, on real sockets."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from digest.newsroom import Newsroom
from digest.web.about import PLACES
from digest.web.app import FeedApp, GuardedProtocol, listen, serve
from digest.web.files import FileCache
from digest.web.site import Asked, Page, Place, Site
from tests.desks import Desk

SLOW = threading.Event()
SECRET = b"never to be seen"


class Impatient(GuardedProtocol):
    patience = 1.0


def slow(asked: Asked) -> Page:
    SLOW.wait(20)
    return Page(b"at last")


class Server:
    """The site and the feeds of a desk, on a port of their own."""

    def __init__(self, desk: Desk) -> None:
        settings = desk.settings
        places = (*PLACES, Place("/{language}/slow", slow))
        newsroom = Newsroom(settings)
        self.site = Site(newsroom, places, limit=2_000_000, seconds=time.monotonic)
        files = FileCache(
            settings.feeds.path, limit=1_000_000, cache_seconds=60, seconds=time.monotonic
        )
        self.app = FeedApp(files, settings.feeds_url, {})
        self.app.serve(files, settings.feeds_url, {}, "", self.site)
        self.listener = listen("127.0.0.1", 0)
        self.place = self.listener.getsockname()

    @contextmanager
    def connection(self) -> Iterator[socket.socket]:
        with socket.create_connection(self.place, 20) as connection:
            yield connection

    def raw(self, data: bytes) -> bytes:
        """All that comes back until the server closes the connection."""
        with self.connection() as connection:
            connection.sendall(data)
            with connection.makefile("rb") as answer:
                return answer.read()

    def ask(self, target: bytes, *fields: bytes, method: bytes = b"GET") -> tuple[int, bytes]:
        lines = [method + b" " + target + b" HTTP/1.1", b"Host: a", b"Connection: close", *fields]
        answer = self.raw(b"\r\n".join([*lines, b"", b""]))
        return int(answer.split(b" ", 2)[1]), answer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, ingested_store: object) -> Iterator[Server]:
    from tests.conftest import INGESTED_AT
    from tests.desks import make_desk

    desk = make_desk(tmp_path_factory.mktemp("attacked") / "desk")
    desk.ingest(INGESTED_AT)
    desk.publish()
    (desk.folder / "secret.html").write_bytes(SECRET)
    (desk.settings.feeds.path / ".secret").write_bytes(SECRET)
    made = Server(desk)
    loop, stopping = asyncio.new_event_loop(), asyncio.Event()
    thread = threading.Thread(
        target=loop.run_until_complete,
        args=(serve(made.app, made.listener, stopping),),
        daemon=True,
    )
    thread.start()
    yield made
    loop.call_soon_threadsafe(stopping.set)
    thread.join(20)
    loop.close()
    assert not thread.is_alive()


UP = (
    b"..",
    b"%2e%2e",
    b".%2e",
    b"%252e%252e",
    b"..%00",
    b"..;",
    b"%c0%ae%c0%ae",
    b"\xef\xbc\x8e" * 2,
)
SLASHES = (b"/", b"%2f", b"\\", b"%5c", b"//", b"%252f", b"/./", b"%e2%88%95")


@pytest.mark.parametrize("up", UP)
@pytest.mark.parametrize("slash", SLASHES)
def test_no_spelling_leads_out_of_the_folder(server: Server, up: bytes, slash: bytes):
    """Not below the feeds, the site, its pictures, nor from the root."""
    for base in (b"/feeds/", b"/feeds/articles/", b"/en/", b"/en/articles/", b"/pictures/", b"/"):
        for name in (b"secret.html", b"feeds/.secret", b"config.toml", b"digest.db"):
            for times in (1, 3):
                status, answer = server.ask(base + (up + slash) * times + name)
                assert status in (400, 404), answer[:200]
                assert SECRET not in answer


TWO = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
FRONT = b"POST /en/ HTTP/1.1\r\nHost: a\r\n"


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(
            b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n" % len(TWO), id="CL.TE"
        ),
        pytest.param(b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", id="TE.CL"),
        pytest.param(b"Content-Length: 0\r\nContent-Length: %d\r\n" % len(TWO), id="two lengths"),
        pytest.param(b"Content-Length: 0, %d\r\n" % len(TWO), id="a list of lengths"),
        pytest.param(b"Content-Length: +0\r\n", id="a sign"),
        pytest.param(b"Content-Length: 0x0\r\n", id="hexadecimal"),
        pytest.param(b"Content-Length: -1\r\n", id="less than nothing"),
        pytest.param(b"Content-Length : 0\r\n", id="a blank before the colon"),
        pytest.param(b"Transfer-Encoding: chunked, identity\r\n", id="chunked is not last"),
        pytest.param(b"Transfer-Encoding: \x0bchunked\r\n", id="a control character"),
        pytest.param(b"X: a\r\n Transfer-Encoding: chunked\r\n", id="a folded line"),
        pytest.param(b"X: a\nTransfer-Encoding: chunked\r\n", id="a bare line feed"),
        pytest.param(b"X: a\rTransfer-Encoding: chunked\r\n", id="a bare return"),
        pytest.param(b"X: a\x00b\r\n", id="a NUL"),
    ],
)
def test_a_request_is_not_smuggled(server: Server, head: bytes):
    """What two servers could read in two ways is refused, and the connection closed: what follows is
    never answered."""
    answer = server.raw(FRONT + head + b"\r\n0\r\n\r\n" + TWO + TWO)
    assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 405 ")), answer
    assert b"ok\n" not in answer
    assert answer.count(b"HTTP/1.1 ") == 1
    assert server.ask(b"/healthz")[0] == 200


def test_who_leaves_while_a_page_is_made_disturbs_nobody(server: Server):
    """Fifty ask for a page that takes long, and go, or read nothing; others are answered meanwhile."""
    request = b"GET /en/slow HTTP/1.1\r\nHost: a\r\n\r\n"
    waiting = []
    SLOW.clear()
    for _ in range(50):
        with server.connection() as connection:
            connection.sendall(request)
        one = socket.create_connection(server.place, 20)
        one.sendall(request)
        waiting.append(one)
    assert server.ask(b"/en/about")[0] == 200
    assert server.ask(b"/feeds/all.atom")[0] == 200
    assert len(server.site._making) == 1
    SLOW.set()
    for one in waiting:
        assert one.recv(15) == b"HTTP/1.1 200 OK"
        one.close()


def test_ten_thousand_unknown_addresses_take_no_memory(server: Server):
    """They share one answer in each language; it names none of them."""
    server.ask(b"/en/")
    server.ask(b"/en/nothing")
    before = server.site.held, len(server.site._kept)
    looked_up = (
        b"/en/articles/9%05d",
        b"/en/stories/9%05d",
        b"/pictures/p%d.avif",
        b"/en/editions/weekly/9%d",
    )
    kinds = (
        b"/en/n%d",
        b"/n%d.php",
        b"/en/?n=%d",
        b"/en/about?n=%d",
        b"/feeds/n%d.html",
        b"/n/%d/",
    )
    with server.connection() as connection, connection.makefile("rb") as answers:
        for number in range(250):
            targets = [kind % number for kind in looked_up]
            targets += [kinds[n % 6] % (number * 36 + n) for n in range(36)]
            requests = [b"HEAD " + one + b" HTTP/1.1\r\nHost: a\r\n\r\n" for one in targets]
            connection.sendall(b"".join(requests))
            for target in targets:
                head = b"".join(iter(answers.readline, b"\r\n"))
                assert head[9:12] == (b"200" if b"?" in target else b"404"), head
    held, entries = server.site.held, len(server.site._kept)
    assert entries <= before[1] + 3
    assert held <= before[0] + 200_000


@pytest.mark.parametrize(
    "query",
    [
        pytest.param(b"&".join(b"q=%d" % number for number in range(6000)), id="many fields"),
        pytest.param(b"q=" + b"x" * 60_000, id="60 kB"),
        pytest.param(b"q=%00%01%1b%5b2J", id="control characters"),
        pytest.param(b"q=%E2%80%AE%D8%A7gro%E2%81%A6", id="bidi"),
        pytest.param(b"q=%FF%FE%C0%80%ED%A0%80", id="no UTF-8"),
        pytest.param(b"q=%&q=%%%&q=%z1&%=%", id="no percent"),
        pytest.param(b"q=\"*)OR(NEAR(a,b)^:-+'--;", id="search syntax"),
        pytest.param(b"q=" + b"%28" * 300, id="brackets"),
        pytest.param(b"q=a&page=-1&since=9999-99-99&theme=%00&source=../..", id="odd fields"),
        pytest.param(b"q=a&page=99999999999999999999", id="a large number"),
        pytest.param(b"q=%F0%9D%9F%99&page=%D9%A3", id="other digits"),
        pytest.param(b"=&&&;;==&q", id="nothing"),
    ],
)
def test_a_hostile_query_finds_nothing_wrong(server: Server, query: bytes):
    """Every page that reads a query answers, without what was sent as it was sent."""
    for page in (b"search", b"search.atom", b"editions/", b"themes/drugs", b"", b"about"):
        status, answer = server.ask(b"/en/" + page + b"?" + query)
        assert status in (200, 302, 400, 404), answer[:300]
        for sign in ("\0", "\x1b", "\u202e", "\u2066"):
            assert sign.encode() not in answer


def test_an_address_that_is_no_text_is_refused(server: Server):
    for target in (b"/\xff\xfe", b"/%ff%fe", b"/en/%00", b"/en/%e2%80%ae", b"/en/\x7f", b"/" + b"a" * 60_000):  # fmt: skip
        assert server.ask(target)[0] in (400, 404)
    assert server.ask(b"/" + b"a" * 70_000)[0] in (400, 431)


def test_nothing_is_written_by_any_method(server: Server):
    for method in (b"POST", b"PUT", b"DELETE", b"PATCH", b"OPTIONS", b"TRACE", b"PROPFIND"):
        for target in (b"/en/", b"/en/search?q=a", b"/", b"/sitemap.xml"):
            status, answer = server.ask(target, method=method)
            assert status == 405
            assert b"allow: GET, HEAD\r\n" in answer
