"""Reading over HTTP against real servers on this machine."""

import asyncio
import gzip
import socket
import ssl
import sys
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import brotli
import httpcore2
import pytest

from digest.errors import FetchError
from digest.sources.answers import Answer
from digest.sources.fetch import Fetcher, Limits, Resolve, is_public
from tests.mail.certificates import server_context, write_certificate
from tests.sources.serving import Reply, Route, Site, serving

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
MIB = 1024 * 1024
PUBLIC = "93.184.215.14"
USUAL = Limits()
QUICK = Limits(connect=0.5, silence=0.2, total=0.6)


def run(check: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(check(), 20))


class Detour(httpcore2.AnyIOBackend):
    """Connects to a site on this machine whatever the address is, and keeps the address."""

    def __init__(self, desk: "Desk"):
        self.desk = desk

    async def connect_tcp(self, host: str, port: int, *more: Any) -> httpcore2.AsyncNetworkStream:
        self.desk.connected.append(host)
        local, _, here = self.desk.site.root.rpartition("/")[2].partition(":")
        return await super().connect_tcp(local, int(here), *more)


class Desk(Fetcher):
    """A fetcher without pauses of its own; `waits` are those it would have made, in seconds."""

    def __init__(
        self,
        *names: str,
        limits: Limits = USUAL,
        tls: ssl.SSLContext | None = None,
        site: Site | None = None,
        resolve: Resolve | None = None,
    ):
        self.waits: list[float] = []
        self.connected: list[str] = []
        self.names, self.site = list(names), site
        super().__init__(
            contact="desk@example.org",
            agent="NewsroomDigest/1.0",
            now=lambda: NOW,
            chance=lambda: 1.0,
            limits=limits,
            resolve=self.look_up if names else resolve,
            wait=self.pause,
            tls=tls,
            network=Detour(self) if site else None,
        )

    async def pause(self, seconds: float) -> None:
        self.waits.append(round(seconds, 1))

    async def look_up(self, host: str, port: int) -> list[str]:
        """The first name's address first, then the next one: a resolver that changes its mind."""
        return [self.names.pop(0) if len(self.names) > 1 else self.names[0]]

    async def here(self, url: str, **more: object) -> Answer:
        return await self.get(url, allow_private=True, **{"pause_seconds": 0.0, **more})


async def fault(answer: Awaitable[Answer]) -> FetchError:
    with pytest.raises(FetchError) as caught:
        await answer
    assert caught.value.reason.isprintable()
    return caught.value


def read_one(route: Route, limits: Limits = USUAL, **more: object) -> Answer:
    """The answer of a server that has one page."""

    async def check() -> Answer:
        async with serving({"/feed": route}) as site, Desk(limits=limits) as desk:
            return await desk.here(f"{site.root}/feed", **more)

    return asyncio.run(asyncio.wait_for(check(), 20))


def fault_of(route: Route, limits: Limits = USUAL, **more: object) -> FetchError:
    with pytest.raises(FetchError) as caught:
        read_one(route, limits, **more)
    return caught.value


# Politeness


def test_it_sends_validators_back_byte_for_byte_on_one_connection():
    async def check() -> None:
        stamps = {"ETag": 'W/"ä-1"', "Last-Modified": "Mon, 30 Nov 2026 10:00:00 +0000"}
        site: Site
        async with serving({"/feed": Reply(b"<rss/>", headers=stamps)}) as site, Desk() as desk:
            first = await desk.here(f"{site.root}/feed")
            site.routes["/feed"] = Reply(status=304)
            second = await desk.here(f"{site.root}/feed", validators=first.validators)
        assert (first.status, first.body) == (200, b"<rss/>")
        assert (second.status, second.body) == (304, b"")
        asked = site.asked[-1].headers
        assert asked["If-None-Match"] == stamps["ETag"]
        assert asked["If-Modified-Since"] == stamps["Last-Modified"]
        assert second.validators == first.validators
        assert asked["User-Agent"] == "NewsroomDigest/1.0 (+desk@example.org)"
        assert site.paths() == ["/robots.txt", "/feed", "/feed"]
        assert site.connections == 1

    run(check)


def test_a_304_nobody_asked_for_is_a_fault():
    assert fault_of(Reply(status=304)).kind == "answer"


def test_one_host_gets_one_request_at_a_time_with_a_pause_between():
    async def check() -> None:
        routes: dict[str, Route] = {f"/{n}": Reply(b"<rss/>") for n in range(5)}
        async with serving(routes) as site, Desk() as desk:
            urls = [f"{site.root}{path}" for path in routes]
            await asyncio.gather(*(desk.here(url, pause_seconds=8.0) for url in urls))
        assert (site.open_most, site.connections) == (1, 1)
        assert desk.waits == [10.0] * 5  # robots.txt came first; a quarter more by chance

    run(check)


def test_a_connection_that_the_server_closed_is_opened_again():
    async def check() -> None:
        async with serving({"/feed": Reply(b"<rss/>")}) as site, Desk() as desk:
            site.hang_up = True
            for _ in range(3):
                assert (await desk.here(f"{site.root}/feed")).status == 200
            assert site.connections == 4

    run(check)


def test_few_connections_stay_open():
    async def check() -> None:
        async with AsyncExitStack() as stack, Desk(limits=Limits(at_once=2)) as desk:
            sites = [
                await stack.enter_async_context(serving({}, f"127.0.0.{n}")) for n in range(2, 7)
            ]
            for site in sites:
                await desk.here(site.root)
            await asyncio.gather(*(site.seen_off() for site in sites[:3]))
            assert [site.open_now for site in sites] == [0, 0, 0, 1, 1]

    run(check)


def test_a_host_that_wants_peace_is_not_asked_again():
    async def check() -> None:
        busy = Reply(status=429, headers={"Retry-After": "120"})
        async with serving({"/a": busy, "/b": Reply(b"<rss/>")}) as site, Desk() as desk:
            first, second = [await desk.here(f"{site.root}/{name}") for name in "ab"]
        assert (first.status, second.status) == (429, 429)
        assert second.url == f"{site.root}/b"
        assert site.paths() == ["/robots.txt", "/a"]

    run(check)


ROBOTS = {
    "others are refused": (Reply(b"User-agent: other\nDisallow: /"), None),
    "all are refused": (Reply(b"User-agent: *\nDisallow: /feed"), "robots"),
    "ours is refused": (Reply(b"user-agent: newsroomdigest/2\nDisallow: /"), "robots"),
    "a group of many": (
        Reply(b"User-agent: a\nUser-agent: NewsroomDigest\nUser-agent: c\nDisallow: /"),
        "robots",
    ),
    "ours is allowed": (
        Reply(b"User-agent: *\nDisallow: /\n\nUser-agent: NewsroomDigest\nAllow: /"),
        None,
    ),
    "too long": (Reply(b"# x\n" * 200_000 + b"User-agent: *\nDisallow: /"), None),
    "too long, refused above": (
        Reply(b"User-agent: *\nDisallow: /\n" + b"# x\n" * 200_000),
        "robots",
    ),
    "many robots, many rules": (
        Reply(b"".join(b"User-agent: r%d\n" % n for n in range(9000)) + b"Disallow: /x\n" * 20_000),
        None,
    ),
    "a page": (Reply(b"<html>User-agent: *\nDisallow: /"), None),
    "none": (Reply(status=404), None),
    "forbidden": (Reply(status=403), None),
    "broken": (Reply(status=503), "answer"),
    "hangs up": (b"", "network"),
    "elsewhere": (Reply(status=301, headers={"Location": "/rules"}), "robots"),
    "in a circle": (Reply(status=301, headers={"Location": "/robots.txt"}), None),
    "bytes": (Reply(bytes(range(256))), None),
}


@pytest.mark.parametrize(("robots", "kind"), ROBOTS.values(), ids=ROBOTS)
def test_robots_txt(robots: Route, kind: str | None):
    async def check() -> None:
        routes: dict[str, Route] = {
            "/feed": Reply(b"<rss/>"),
            "/robots.txt": robots,
            "/rules": Reply(b"User-agent: *\nDisallow: /"),
        }
        async with serving(routes) as site, Desk() as desk:
            url = f"{site.root}/feed"
            if kind is None:
                assert (await desk.here(url)).status == 200
            else:
                assert (await fault(desk.here(url))).kind == kind
                assert "/feed" not in site.paths()
            assert (await desk.here(url, robots=False)).status == 200
            await asyncio.gather(desk.here(url), desk.here(url), return_exceptions=True)
            assert site.paths().count("/robots.txt") == 1

    run(check)


def test_robots_txt_is_kept_for_the_next_round_unless_it_refuses():
    async def check() -> None:
        rules = Reply(b"User-agent: *\nDisallow: /private")
        async with serving({"/robots.txt": rules, "/feed": Reply()}) as site:
            async with Desk() as desk:
                await desk.here(f"{site.root}/feed")
                kept = desk.robots
            async with Desk() as desk:
                desk.robots |= kept
                await desk.here(f"{site.root}/feed")
                assert (await fault(desk.here(f"{site.root}/private"))).kind == "robots"
                assert desk.robots == {}
            assert site.paths() == ["/robots.txt", "/feed", "/feed"]
            async with Desk() as desk:
                desk.robots |= {url: (NOW, text) for url, (_, text) in kept.items()}  # a day ago
                await desk.here(f"{site.root}/feed")
            assert site.paths()[3:] == ["/robots.txt", "/feed"]

    run(check)


def test_robots_txt_may_ask_for_a_longer_pause_within_bounds():
    async def check() -> None:
        rules = b"User-agent: *\nCrawl-delay: 12\n\nUser-agent: NewsroomDigest\nCrawl-delay: %d"
        for delay, pause in ((12, 15.0), (86400, 37.5)):
            routes: dict[str, Route] = {"/robots.txt": Reply(rules % delay), "/": Reply(b"<rss/>")}
            async with serving(routes) as site, Desk() as desk:
                await desk.here(site.root)
            assert desk.waits == [pause]

    run(check)


# Bodies


def packed(packing: str, body: bytes) -> Reply:
    return Reply(body, headers={"Content-Encoding": packing})


@pytest.mark.parametrize(
    ("packing", "pack"),
    [
        ("gzip", gzip.compress),
        ("X-GZIP", gzip.compress),
        ("deflate", zlib.compress),
        ("br", brotli.compress),
        ("identity", bytes),
    ],
)
def test_a_packed_body_is_unpacked(packing: str, pack: Callable[[bytes], bytes]):
    text = b"".join(b"<item>%d</item>" % (n * n) for n in range(5_000))
    assert read_one(packed(packing, pack(text))).body == text
    assert read_one(packed(packing, b"")).body == b""
    if packing != "identity":
        assert fault_of(packed(packing, pack(text)[:-100])).kind == "answer"
        assert fault_of(packed(packing, b"<rss>not packed</rss>")).kind == "answer"


@pytest.mark.parametrize("packing", ["zstd", "gzip, gzip"])
def test_a_packing_that_nobody_asked_for(packing: str):
    assert fault_of(packed(packing, b"x")).kind == "answer"


def zeros(count: int, packer: object, end: str) -> bytes:
    block = b"\0" * MIB
    pieces = [
        packer.compress(block) if end == "flush" else packer.process(block) for _ in range(count)
    ]
    return b"".join([*pieces, getattr(packer, end)()])


BOMBS = {
    "gzip": (packed("gzip", zeros(200, zlib.compressobj(wbits=31), "flush")), "size"),
    "brotli": (packed("br", zeros(200, brotli.Compressor(quality=3), "finish")), "size"),
    "empty blocks": (
        packed("gzip", gzip.compress(b"")[:10] + b"\0\0\0\xff\xff" * 1_200_000),
        "size",
    ),
    "by its length": (Reply(b"x", headers={"Content-Length": "9" * 19}), "size"),
    "as it is": (Reply(b"x" * (5 * MIB + 1)), "size"),
    "many parts": (packed("gzip", gzip.compress(b"") * 1000), "answer"),
}


@pytest.mark.parametrize(("bomb", "kind"), BOMBS.values(), ids=BOMBS)
def test_a_bomb_ends_early(bomb: Reply, kind: str):
    tracemalloc.start()
    error = fault_of(bomb, robots=False)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert error.kind == kind
    assert peak < 60 * MIB


def test_a_body_may_be_as_large_as_its_limit():
    assert len(read_one(Reply(b"x" * 1000), size_limit=1000).body) == 1000
    assert len(read_one(packed("gzip", gzip.compress(b"x" * 1000)), size_limit=1000).body) == 1000
    assert fault_of(packed("gzip", gzip.compress(b"x" * 1001)), size_limit=1000).kind == "size"


# Addresses


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/", "http://127.1.2.3/", "http://10.0.0.1/", "http://172.16.0.1/",
        "http://192.168.1.1/", "http://100.64.0.1/", "http://169.254.169.254/latest/meta-data/",
        "http://168.63.129.16/", "http://0.0.0.0/", "http://224.0.0.1/", "http://240.0.0.1/",
        "http://255.255.255.255/", "http://[::1]/", "http://[::]/", "http://[fe80::1]/",
        "http://[fd00:ec2::254]/", "http://[fc00::1]/", "http://[ff02::1]/", "http://[fec0::1]/",
        "http://[::ffff:127.0.0.1]/", "http://[::ffff:8.8.8.8]/", "http://[::127.0.0.1]/",
        "http://[64:ff9b::127.0.0.1]/", "http://[64:ff9b::a9fe:a9fe]/", "http://[2002:7f00:1::]/",
        "http://[2001:0:1::1]/", "http://[2001:db8::1]/", "http://[fe80::1%25eth0]/",
        "http://2130706433/", "http://0x7f000001/", "http://0x7f.1/", "http://0177.0.0.1/",
        "http://127.1/", "http://127.0.0.1./", "http://localhost/", "http://localhost./",
        "http://127。0。0。1/", "http://①②⑦.⓪.⓪.①/", "http://0/", "http://1.2.3.4.5/",
        "http://%31%32%37.0.0.1/", "http://a%00b/", "http://ex ample.org/", "http://a..b/",
        "http://user:secret@example.org/", "http://user@example.org/", "http://example.org\\@127.0.0.1/",
        "ftp://example.org/", "file:///etc/passwd", "gopher://example.org/", "/etc/passwd",
        "javascript:alert(1)", "data:,x", "http://", "http:///x", "http://[::1", "http://example.org:0/",
        "http://example.org:99999/", "http://example.org/\n", "http://exa\r\nmple.org/", "", "\0",
        "http://" + "a" * 70 + ".org/", "http://" + "a." * 200 + "org/", "http://x/" + "a" * 70_000,
        "http://\ud800.example/",
    ],
)  # fmt: skip
def test_an_address_that_must_not_be_read(url: str):
    async def check() -> None:
        names = () if "localhost" in url else ("127.0.0.1",)
        async with Desk(*names) as desk:
            error = await fault(desk.get(url))
        assert error.kind == "address"
        assert "secret" not in str(error)
        assert "\n" not in str(error)

        if url.isprintable() and "//" in url and not url.endswith(("//", "///x")):
            to_it = Reply(status=302, headers={"Location": url.encode().decode("latin-1")})
            async with serving({"/": to_it}) as site, Desk(PUBLIC, "127.0.0.1", site=site) as desk:
                error = await fault(desk.get("http://press.example/", robots=False))
                assert error.kind == "address"
                assert site.paths() == ["/"]
                assert desk.connected == [PUBLIC]

    run(check)


def test_a_name_that_changes_its_address_is_checked_each_time():
    """DNS rebinding: the address that was checked is the one that is connected to."""

    async def check() -> None:
        async with serving({"/feed": Reply(b"<rss/>")}) as site:
            site.hang_up = True
            async with Desk(PUBLIC, "127.0.0.1", site=site) as desk:
                assert (await desk.get("http://press.example/feed", robots=False)).status == 200
                error = await fault(desk.get("http://press.example/", robots=False))
            assert error.kind == "address"
            assert desk.connected == [PUBLIC]
            assert site.asked[0].headers["Host"] == "press.example"

    run(check)


def test_one_private_address_among_public_ones_spoils_a_name():
    async def check() -> None:
        async def both(host: str, port: int) -> list[str]:
            return [PUBLIC, "10.0.0.1"]

        async with serving({}) as site, Desk(site=site, resolve=both) as desk:
            assert (await fault(desk.get("http://press.example/feed"))).kind == "address"
            assert desk.connected == []

    run(check)


def test_a_connection_of_a_source_that_may_read_private_addresses_serves_no_other():
    async def check() -> None:
        async with serving({"/feed": Reply(b"<rss/>")}) as site, Desk("127.0.0.1") as desk:
            url = site.root.replace("127.0.0.1", "press.example") + "/feed"
            assert (await desk.here(url)).status == 200
            assert (await fault(desk.get(url))).kind == "address"

    run(check)


# Redirects


def chain(*steps: tuple[int, str]) -> dict[str, Route]:
    """Redirects from /0 on, each with its status and target, and a feed at /feed."""
    hops = {f"/{n}": Reply(status=s, headers={"Location": to}) for n, (s, to) in enumerate(steps)}
    return {**hops, "/feed": Reply(b"<rss/>")}


@pytest.mark.parametrize(
    ("steps", "moved"),
    [
        ([(301, "/feed")], True),
        ([(301, "/1"), (308, "feed#top")], True),
        ([(301, "/1"), (302, "/feed")], False),
        ([(307, "/1"), (301, "/feed")], False),
        ([(303, "/feed")], False),
        ([(301, f"/{n + 1}") for n in range(4)] + [(301, "/feed")], True),
    ],
)
def test_redirects_are_followed(steps: list[tuple[int, str]], moved: bool):
    async def check() -> None:
        async with serving(chain(*steps)) as site, Desk() as desk:
            answer = await desk.here(f"{site.root}/0")
        assert (answer.url, answer.body) == (f"{site.root}/feed", b"<rss/>")
        assert answer.moved_to == (answer.url if moved else None)

    run(check)


@pytest.mark.parametrize(
    ("steps", "kind"),
    [
        ([(301, "/1"), (302, "/0")], "answer"),
        ([(301, f"/{n + 1}") for n in range(6)], "answer"),
        ([(301, "")], "address"),
        ([(301, "http://[")], "address"),
        ([(301, "ftp://127.0.0.1/")], "address"),
    ],
)
def test_redirects_that_are_not_followed(steps: list[tuple[int, str]], kind: str):
    async def check() -> None:
        async with serving(chain(*steps)) as site, Desk() as desk:
            assert (await fault(desk.here(f"{site.root}/0"))).kind == kind
            assert len(site.asked) <= 7

    run(check)


def test_a_redirect_obeys_the_robots_txt_of_where_it_leads():
    async def check() -> None:
        rules = Reply(b"User-agent: *\nDisallow: /")
        async with serving({"/robots.txt": rules, "/": Reply()}, "127.0.0.2") as other:
            async with serving(chain((302, f"{other.root}/"))) as site, Desk() as desk:
                assert (await fault(desk.here(f"{site.root}/0"))).kind == "robots"
            assert other.paths() == ["/robots.txt"]

    run(check)


# Faults


async def drip() -> AsyncIterator[bytes]:
    while True:
        yield b"x" * 1000
        await asyncio.sleep(0.01)


async def flood() -> AsyncIterator[bytes]:
    while True:
        yield b"x" * 65536


async def silent() -> AsyncIterator[bytes]:
    yield b"<rss>"
    await asyncio.sleep(3)


FAULTS: dict[str, tuple[Route, str]] = {
    "drips": (Reply(pieces=drip), "time"),
    "floods": (Reply(pieces=flood), "size"),
    "falls silent": (Reply(pieces=silent), "time"),
    "large headers": (Reply(headers={"X-Long": "x" * MIB}), "size"),
    "many headers": (Reply(headers={f"X-{n}": "x" * 50 for n in range(20_000)}), "size"),
    "hangs up": (b"", "network"),
    "ends early": (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n<rss>", "network"),
    "no HTTP": (b"SSH-2.0-OpenSSH_9.2\r\n", "network"),
    "bad chunks": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "network"),
    "bad length": (b"HTTP/1.1 200 OK\r\nContent-Length: \xb2\r\n\r\nx", "network"),
    "another protocol": (b"HTTP/1.1 101 Ok\r\nUpgrade: x\r\n\r\n", "network"),
    "unknown status": (Reply(status=999), "answer"),
}


@pytest.mark.parametrize(("route", "kind"), FAULTS.values(), ids=FAULTS)
def test_a_fault_ends_within_its_deadline(route: Route, kind: str):
    assert fault_of(route, QUICK, robots=False).kind == kind


class Headers(Reply):
    """Its pieces are headers."""

    def head(self) -> bytes:
        return b"HTTP/1.1 200 OK\r\n"


def endless(piece: bytes, pause: float = 0.0) -> Callable[[], AsyncIterator[bytes]]:
    async def pieces() -> AsyncIterator[bytes]:
        while True:
            yield piece
            await asyncio.sleep(pause)

    return pieces


ENDLESS: dict[str, Route] = {
    "/byte-by-byte": Reply(pieces=endless(b"x", 0.01)),
    "/gigabyte": Reply(pieces=endless(b"x" * 65536)),
    "/slow-gigabyte": Reply(pieces=endless(b"x" * 4096, 0.01)),
    "/headers": Headers(pieces=endless(b"X-Long: x\r\n" * 1000)),
    "/slow-headers": Headers(pieces=endless(b"X-Long: x\r\n", 0.01)),
}
CHILD = r"""
import asyncio, re, sys
from datetime import UTC, datetime
from digest.errors import FetchError
from digest.sources.fetch import Fetcher, Limits
async def read():
    now, limits = datetime(2026, 11, 30, tzinfo=UTC), Limits(total=0.5)
    told = dict(contact="a", agent="b/1", now=lambda: now, chance=lambda: 0.0, limits=limits)
    async with Fetcher(**told) as fetcher:
        for url in sys.argv[1:]:
            try:
                await fetcher.get(url, allow_private=True, robots=False, pause_seconds=0)
            except FetchError as e:
                print(e.kind)
asyncio.run(read())
# Not getrusage: at first its peak is that of the process that started this one.
print(int(re.search(r"VmHWM:\s+(\d+)", open("/proc/self/status").read())[1]) // 1024)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
def test_what_never_ends_is_left_at_its_deadline_in_little_memory():
    async def check() -> None:
        async with serving(ENDLESS) as site:
            urls = [f"{site.root}{path}" for path in ENDLESS]
            child = await asyncio.create_subprocess_exec(
                sys.executable, "-c", CHILD, *urls, stdout=asyncio.subprocess.PIPE
            )
            *kinds, megabytes = (await child.communicate())[0].decode().split()
        assert kinds == ["time", "size", "time", "size", "time"]
        assert int(megabytes) < 150

    run(check)


def test_a_body_without_length_ends_with_the_connection():
    async def pieces() -> AsyncIterator[bytes]:
        yield b"<rss/>"

    assert read_one(Reply(pieces=pieces)).body == b"<rss/>"


def test_servers_that_cannot_be_reached():
    async def check() -> None:
        async def never(host: str, port: int) -> list[str]:
            await asyncio.sleep(5)
            return []

        async def unknown(host: str, port: int) -> list[str]:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

        async def nowhere(host: str, port: int) -> list[str]:
            return []

        async with Desk(limits=QUICK) as desk:
            error = await fault(desk.here("http://127.0.0.1:1/secret?token=abc"))
            assert error.kind == "network"
            assert "refuses" in error.reason
            assert "abc" not in str(error)
        for resolve, kind in ((never, "time"), (unknown, "network"), (nowhere, "network")):
            async with Desk(limits=QUICK, resolve=resolve) as desk:
                assert (await fault(desk.get("http://press.example/"))).kind == kind

    run(check)


def test_a_server_without_tls():
    async def check() -> None:
        async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"220 mail.example.org ESMTP\r\n")
            writer.close()

        server = await asyncio.start_server(greet, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with server, Desk() as desk:
            error = await fault(desk.here(f"https://127.0.0.1:{port}/"))
        assert "TLS" in error.reason

    run(check)


def test_the_next_address_of_a_name_is_tried():
    async def check() -> None:
        async def several(host: str, port: int) -> list[str]:
            return ["127.0.0.8", "127.0.0.9"]

        page = serving({"/": Reply(b"x")}, "127.0.0.9")
        async with page as site, Desk(resolve=several) as desk:
            url = site.root.replace("127.0.0.9", "press.example")
            assert (await desk.here(url)).body == b"x"

    run(check)


def test_certificates(tmp_path: Path):
    async def check() -> None:
        path = write_certificate(tmp_path, "press.example")
        trusted = ssl.create_default_context(cafile=path)
        routes: dict[str, Route] = {
            "/feed": Reply(b"<rss/>"),
            "/0": Reply(status=301, headers={"Location": "http://press.example/feed"}),
        }
        async with serving(routes, tls=server_context(path)) as site:
            port = site.root.rpartition(":")[2]
            async with Desk("127.0.0.1", tls=trusted) as desk:
                answer = await desk.here(f"https://press.example:{port}/feed")
                assert answer.body == b"<rss/>"
                assert site.asked[-1].headers["Host"] == f"press.example:{port}"
                error = await fault(desk.here(f"https://press.example:{port}/0"))
                assert (error.kind, "https to http" in error.reason) == ("address", True)
                error = await fault(desk.here(f"https://other.example:{port}/feed"))
                assert (error.kind, "certificate" in error.reason) == ("network", True)
            async with Desk("127.0.0.1") as desk:
                error = await fault(desk.here(f"https://press.example:{port}/feed"))
                assert "certificate is not valid: self-signed" in error.reason

    run(check)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "64:ff9b::8.8.8.8", "1.1.1.1"])
def test_public_addresses(address: str):
    assert is_public(address)
