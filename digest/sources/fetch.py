"""The one place that reads over HTTP: politely, within limits, and never an address that is not public.

It imports the HTTP client: import it where it is used.
"""

import asyncio
import errno
import ipaddress
import re
import socket
import ssl
import zlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final, Self

import brotli
import httpcore2
import httpx2
from protego import Protego

from digest.errors import FetchError
from digest.language.text import foreign
from digest.sources.answers import Answer, blocked, retry_after, shown

MIB = 1024 * 1024
FEEDS: Final = "application/atom+xml, application/rss+xml, application/feed+json, application/xml;q=0.9, */*;q=0.5"
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Gives the IP addresses of a host name; OSError if there are none."""

_VALIDATORS = {"etag": "If-None-Match", "last-modified": "If-Modified-Since"}
_LONGEST_VALIDATOR: Final = 1024
_ROBOTS_SIZE, _ROBOTS_KEPT, _ROBOTS_AGE = 500 * 1024, 64 * 1024, timedelta(days=1)
_ERROR_SIZE: Final = 64 * 1024
"""Bytes of the page beside a status other than 200, which says who refuses and why."""
_JITTER: Final = 0.25
_PORTS = {"http": 80, "https": 443}
_NAME = re.compile(r"(?=.{1,253}$)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_-]{1,63}")
_NUMBER = re.compile(r"(?:.*\.)?(?:\d+|0x[0-9a-f]*)", re.IGNORECASE)
"""A host that ends like this is an IP address (WHATWG URL), in whatever spelling."""
_ELSEWHERE = [
    ipaddress.ip_network(net)
    for net in ("192.88.99.0/24", "168.63.129.16/32", "2001::/23", "2002::/16", "3fff::/20")
]
"""Global addresses that lead elsewhere: 6to4 and Teredo, a cloud's own server, documentation."""
_PRIVATE: Final = (
    "It leads to an address inside a network, not on the internet. If that is meant: --allow-private, "
    "or in config.toml allow_private = true"
)
_GLOBAL_V6, _NAT64 = ipaddress.ip_network("2000::/3"), ipaddress.ip_network("64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class Limits:
    """Deadlines in seconds: to connect, of silence, of one `get` without its waiting for its turn; the
    longest pause that a robots.txt may ask for. And connections at once, redirects."""

    connect: float = 10.0
    silence: float = 15.0
    total: float = 30.0
    longest_pause: float = 30.0
    at_once: int = 100
    redirects: int = 5


@dataclass(slots=True, eq=False)
class _Host:
    """What a round knows of one host: its one connection, its rules, and until when it wants peace."""

    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    reading_rules: asyncio.Lock = field(default_factory=asyncio.Lock)
    last: float | None = None
    connection: httpcore2.AsyncHTTPConnection | None = None
    rules: dict[str, tuple[datetime, Protego | FetchError | None]] = field(default_factory=dict)
    refusal: tuple[datetime, Answer] | None = None

    async def close(self) -> None:
        connection, self.connection = self.connection, None
        if connection is not None:
            await connection.aclose()


@dataclass(frozen=True, slots=True)
class _Wish:
    """What a `get` asks of each address on its way."""

    headers: Mapping[str, str]
    allow_private: bool
    limit: int
    pause: float
    cut: bool = False


class Fetcher:
    """Reads addresses, many at once in one event loop; use one for a round, as an async context manager.

    `chance` gives numbers from 0 to 1 and lengthens pauses by up to a quarter. Tests may replace how
    names are looked up, the pauses, the connections and the trusted certificates. `robots` is what each
    robots.txt says, by its address, and until when: a later round may begin with it.
    """

    def __init__(
        self,
        *,
        contact: str,
        agent: str,
        now: Callable[[], datetime],
        chance: Callable[[], float],
        limits: Limits = Limits(),
        resolve: Resolve | None = None,
        wait: Callable[[float], Awaitable[object]] = asyncio.sleep,
        network: httpcore2.AsyncNetworkBackend | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._robot = agent.partition("/")[0]
        self._agent = f"{agent} (+{contact})"
        self._now, self._chance, self._limits, self._wait = now, chance, limits, wait
        self._resolve = resolve or self._look_up
        self._tls = tls
        self._network = network or httpcore2.AnyIOBackend()
        self.robots: dict[str, tuple[datetime, str]] = {}
        self._hosts: dict[tuple[str, bool], _Host] = {}
        self._idle = OrderedDict[_Host, None]()
        self._slots = asyncio.Semaphore(limits.at_once)
        # Not the loop's own threads: a dead name server would keep them all from others.
        self._threads = ThreadPoolExecutor(32, thread_name_prefix="names")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for host in self._hosts.values():
            await host.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def get(
        self,
        url: str,
        *,
        validators: Mapping[str, str] | None = None,
        allow_private: bool = False,
        size_limit: int = 5 * MIB,
        robots: bool = True,
        pause_seconds: float = 1.0,
        accept: str = FEEDS,
    ) -> Answer:
        """Read an address, following redirects. `size_limit` is in bytes, unpacked.

        A host that answered 429, or 503 with Retry-After, is not asked again until then: the same answer
        is given. Raises FetchError.
        """
        headers = {"Accept": accept, **(validators or {})}
        wish = _Wish(headers, allow_private, size_limit, pause_seconds)
        return await self._follow(url, wish, robots=robots)

    async def _follow(self, url: str, wish: _Wish, *, robots: bool) -> Answer:
        place = _usable(url, allow_private=wish.allow_private)
        first, permanent, seen = place, True, {str(place)}
        seconds = self._limits.total
        while True:
            host = self._hosts.setdefault((place.host, wish.allow_private), _Host())
            if host.refusal and self._now() < host.refusal[0]:
                return replace(host.refusal[1], url=str(place), moved_to=None)
            pause = wish.pause
            if robots:
                pause = max(pause, await self._pause_by_rules(place, host, wish))
            status, headers, body, seconds = await self._in_turn(place, host, wish, pause, seconds)
            if status not in (301, 302, 303, 307, 308):
                break
            permanent = permanent and status in (301, 308)
            location = headers.get("location", "").encode("latin-1").decode(errors="replace")
            place = _usable(location, allow_private=wish.allow_private, base=place)
            if str(place) in seen or len(seen) > self._limits.redirects:
                why = "in a circle" if str(place) in seen else f"more than {len(seen) - 1} times"
                raise _fault(first, "answer", f"It redirects {why}. Look it up in a browser")
            seen.add(str(place))
        if status == 304 and not wish.headers.keys() & {*_VALIDATORS.values()}:
            raise _fault(place, "answer", "The server answers 304 without a page. Try again later")
        if not 200 <= status < 600:
            raise _fault(place, "answer", f"The server answers with the unknown status {status}")
        moved = str(place) if place != first and permanent and status in (200, 304) else None
        kept = {
            name: headers[header]
            for header, name in _VALIDATORS.items()
            if 0 < len(headers.get(header, "")) <= _LONGEST_VALIDATOR
        }
        if status == 304:
            kept = {n: v for n, v in wish.headers.items() if n in _VALIDATORS.values()} | kept
        clean = {n: foreign(v if v.isascii() else v.encode("latin-1")) for n, v in headers.items()}
        answer = Answer(str(place), status, clean, body, moved, kept)
        if status != 200:
            if not wish.cut and (error := blocked(answer, wants_page=False)):
                raise error
            answer = replace(answer, body=b"")
            again = retry_after(answer, self._now())
            if status == 429 or (status == 503 and again):
                host.refusal = (again or self._now() + timedelta(minutes=1), answer)
        return answer

    async def _pause_by_rules(self, place: httpx2.URL, host: _Host, wish: _Wish) -> float:
        """The pause in seconds that robots.txt asks for; FetchError if it does not allow the address."""
        root = f"{place.scheme}://{place.netloc.decode('ascii')}/robots.txt"
        async with host.reading_rules:
            now = self._now()
            until, rules = host.rules.get(root, (now, None))
            if until <= now and root in self.robots:
                until, text = self.robots[root]
                rules = Protego.parse(text) if text else None
                host.rules[root] = until, rules
            if until <= now:
                rules = await self._read_rules(root, wish)
                host.rules[root] = now + _ROBOTS_AGE, rules
        if isinstance(rules, FetchError):
            raise _fault(place, rules.kind, rules.reason)
        if rules is None:
            return 0.0
        if not rules.can_fetch(str(place), self._robot):
            self.robots.pop(root, None)  # the next round looks whether it allows it now
            reason = f"robots.txt of {place.host} does not allow it. Ask the publisher to allow"
            raise _fault(place, "robots", f"{reason} {self._robot}, or remove the source")
        return min(rules.crawl_delay(self._robot) or 0.0, self._limits.longest_pause)

    async def _read_rules(self, url: str, wish: _Wish) -> Protego | FetchError | None:
        """robots.txt by RFC 9309: None if there is none; an error while it cannot be reached."""
        plain = replace(wish, headers={"Accept": "text/plain"}, limit=_ROBOTS_SIZE, cut=True)
        try:
            answer = await self._follow(url, plain, robots=False)
        except FetchError as error:
            # Endless redirects lead to none; all else is the fault of the whole host.
            return error if error.kind != "answer" else None
        if answer.status >= 500 or answer.status == 429:
            reason = (
                f"Its robots.txt answers {answer.status}, so nothing may be read. Try again later"
            )
            return FetchError(url, "answer", reason)
        is_page = answer.status != 200 or re.match(rb"\s*(?:\xef\xbb\xbf)?\s*<", answer.body)
        text = "" if is_page else _only_ours(answer.body, self._robot.lower())
        if len(text) <= _ROBOTS_KEPT:
            self.robots[url] = self._now() + _ROBOTS_AGE, text
        return Protego.parse(text) if text else None

    async def _in_turn(
        self, place: httpx2.URL, host: _Host, wish: _Wish, pause: float, seconds: float
    ) -> tuple[int, dict[str, str], bytes, float]:
        """Ask one address once it is its turn: status, headers (Latin-1), body, and the seconds left."""
        clock = asyncio.get_running_loop().time
        async with host.turn:
            if host.last is not None:
                rest = host.last + pause * (1 + _JITTER * self._chance()) - clock()
                if rest > 0:
                    await self._wait(rest)
            async with self._slots:
                started = clock()
                try:
                    async with asyncio.timeout(seconds):
                        status, headers, body = await self._ask(place, host, wish)
                except TimeoutError:
                    reason = f"It takes longer than {self._limits.total:g} seconds. Try again later"
                    raise _fault(place, "time", reason) from None
                except _NETWORK as error:
                    raise _fault(place, *_in_words(error, self._limits)) from error
                finally:
                    host.last = clock()
                    await self._keep(host)
        return status, headers, body, seconds - (host.last - started)

    async def _keep(self, host: _Host) -> None:
        """Keep a connection that can serve again; close the one that was idle longest."""
        self._idle.pop(host, None)
        if host.connection is None or not host.connection.is_available():
            await host.close()
            return
        self._idle[host] = None
        if len(self._idle) > self._limits.at_once:
            await self._idle.popitem(last=False)[0].close()

    async def _ask(
        self, place: httpx2.URL, host: _Host, wish: _Wish
    ) -> tuple[int, dict[str, str], bytes]:
        """One request, on the connection that is open, else on a new one."""
        self._idle.pop(host, None)
        port = place.port or _PORTS[place.scheme]
        origin = httpcore2.Origin(place.raw_scheme, place.raw_host, port)
        times = {"connect": self._limits.connect}
        times |= dict.fromkeys(("read", "write"), self._limits.silence)
        request = httpcore2.Request(
            "GET",
            httpcore2.URL(
                scheme=place.raw_scheme, host=place.raw_host, port=port, target=place.raw_path
            ),
            headers=[
                (b"Host", place.netloc),
                (b"User-Agent", self._agent.encode("latin-1", "replace")),
                (b"Accept-Encoding", b"gzip, br"),
                *((n.encode(), v.encode("latin-1", "replace")) for n, v in wish.headers.items()),
            ],
            extensions={"timeout": times},
        )
        open_one = host.connection
        if open_one and open_one.can_handle_request(origin) and not open_one.has_expired():
            try:
                return await self._read(place, await open_one.handle_async_request(request), wish)
            except (httpcore2.RemoteProtocolError, httpcore2.ReadError, httpcore2.WriteError):
                pass  # The server closed it meanwhile.
        await host.close()
        if self._tls is None and place.scheme == "https":
            self._tls = httpx2.create_ssl_context()
        host.connection = httpcore2.AsyncHTTPConnection(
            origin,
            ssl_context=self._tls,
            network_backend=_CheckedNetwork(
                place, self._resolve, self._network, wish.allow_private
            ),
        )
        return await self._read(place, await host.connection.handle_async_request(request), wish)

    async def _read(
        self, place: httpx2.URL, response: httpcore2.Response, wish: _Wish
    ) -> tuple[int, dict[str, str], bytes]:
        headers = dict[str, str]()
        for raw_name, raw_value in response.headers:
            name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        whole = response.status == 200 and not wish.cut
        limit = wish.limit if response.status == 200 else _ERROR_SIZE
        packing = headers.get("content-encoding", "").strip().lower()
        body = _Body(packing, limit)
        try:
            if whole and int(headers.get("content-length", "0")[:20]) > limit:
                raise OverflowError
            async with aclosing(response.aiter_stream()) as pieces:
                async for piece in pieces:
                    body.add(piece)
            body.end()
        except OverflowError:
            if whole:
                reason = f"It is larger than {limit / MIB:g} MiB. Use another address, or set size_limit_mib in config.toml"
                raise _fault(place, "size", reason) from None
        except (zlib.error, brotli.error, EOFError, LookupError):
            if whole:
                reason = f"Its body is damaged or packed in an unknown way ({foreign(packing, limit=40)})"
                raise _fault(place, "answer", f"{reason}. Try again later") from None
        finally:
            await response.aclose()
        return response.status, headers, bytes(body.content[:limit])

    async def _look_up(self, host: str, port: int) -> Sequence[str]:
        ask = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
        found = await asyncio.get_running_loop().run_in_executor(self._threads, ask)
        return [str(address[0]) for *_, address in found]


class _Body:
    """A body as it comes, unpacked; OverflowError beyond `limit` bytes, with little more of it held."""

    def __init__(self, packing: str, limit: int) -> None:
        self.content = bytearray()
        self._packing, self._limit, self._raw = packing, limit, 0
        self._brotli = brotli.Decompressor() if packing == "br" else None
        # 32: gzip or zlib, as the first bytes say.
        is_zlib = packing in ("gzip", "x-gzip", "deflate")
        self._zlib = zlib.decompressobj(32 + zlib.MAX_WBITS) if is_zlib else None

    def add(self, piece: bytes) -> None:
        room = self._limit - len(self.content) + 1
        if self._zlib is not None:
            unpacked = self._zlib.decompress(piece, room)
            if self._zlib.unused_data.startswith(b"\x1f\x8b"):
                raise zlib.error("packed in several parts")
        elif self._brotli is not None:
            unpacked = self._brotli.process(piece, output_buffer_limit=room)
        elif self._packing in ("", "identity"):
            unpacked = piece
        else:
            raise LookupError(self._packing)
        self.content += unpacked
        self._raw += len(piece)
        if len(self.content) > self._limit or self._raw > self._limit:
            raise OverflowError

    def end(self) -> None:
        """EOFError if a packed body stops before its end."""
        is_open = self._zlib is not None and not self._zlib.eof
        if self._raw and (is_open or (self._brotli and not self._brotli.is_finished())):
            raise EOFError


@dataclass(frozen=True, slots=True)
class _CheckedNetwork(httpcore2.AsyncNetworkBackend):
    """Looks a name up once, checks every address of it, and connects to one of these."""

    place: httpx2.URL
    resolve: Resolve
    network: httpcore2.AsyncNetworkBackend
    allow_private: bool

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        try:
            async with asyncio.timeout(timeout):
                addresses = list(dict.fromkeys(await self.resolve(host, port)))
        except TimeoutError:
            raise _fault(self.place, "time", f"Looking up {host} takes too long") from None
        if not self.allow_private and not all(map(is_public, addresses)):
            raise _fault(self.place, "address", _PRIVATE)
        for address in addresses[:3]:
            try:
                return await self.network.connect_tcp(
                    address, port, timeout, local_address, socket_options
                )
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                if address == addresses[:3][-1]:
                    raise
        raise OSError(errno.EADDRNOTAVAIL, f"{host} has no address")


def is_public(address: str) -> bool:
    """Whether an IP address is one of the public internet, where others' servers are."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        if ip in _NAT64:
            return is_public(str(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)))
        if ip not in _GLOBAL_V6 or ip.scope_id is not None:
            return False
    return ip.is_global and not ip.is_multicast and not any(ip in net for net in _ELSEWHERE)


def _usable(url: str, *, allow_private: bool, base: httpx2.URL | None = None) -> httpx2.URL:
    """The address as it is asked for, without fragment; FetchError if it must not be asked for.

    With `base` it is where that one redirects to.
    """
    try:
        plain = url.partition("#")[0].strip()
        place = base.join(plain) if base else httpx2.URL(plain)
    except (httpx2.InvalidURL, ValueError):
        raise FetchError(shown(url), "address", "It is not an address that can be read") from None
    name = place.raw_host.decode("ascii").removesuffix(".")
    is_v6 = ":" in name and "%" not in name
    is_spelt_well = True
    if is_v6 or _NUMBER.fullmatch(name):
        try:
            ipaddress.ip_address(name)
        except ValueError:
            is_spelt_well = False
    for is_good, reason in (
        (url.strip(), "It redirects without an address"),
        (place.scheme in _PORTS, "Only http and https are read"),
        (not place.userinfo, "An address with a user or password is not read"),
        (place.port is None or 0 < place.port < 65536, "It has no such port"),
        (is_v6 or _NAME.fullmatch(name), "Its host is not a name or an IP address"),
        (is_spelt_well, "Its IP address is spelt oddly. Write it like 203.0.113.7"),
        (
            place.scheme == "https" or base is None or base.scheme == "http",
            "It is a redirect from https to http, which is not followed",
        ),
    ):
        if not is_good:
            raise _fault(place, "address", reason)
    if not allow_private and (is_v6 or _NUMBER.fullmatch(name)) and not is_public(name):
        raise _fault(place, "address", _PRIVATE)
    return place.copy_with(host=name) if place.raw_host.endswith(b".") else place


def _fault(place: httpx2.URL, kind: str, reason: str) -> FetchError:
    return FetchError(shown(str(place)), kind, reason)


def _only_ours(body: bytes, robot: str) -> str:
    """A robots.txt with the names of other robots made one: thousands of them would take minutes."""
    lines = []
    for line in body.decode(errors="replace").splitlines():
        found = re.match(r"\s*user[- ]?agent[\s:]+([^\s/#]+)", line, re.IGNORECASE)
        name = found[1].lower() if found else ""
        lines.append(f"User-agent: {name if name in (robot, '*') else '-'}" if found else line)
    return "\n".join(lines)


_NETWORK = (httpcore2.TimeoutException, httpcore2.NetworkError, httpcore2.ProtocolError, OSError)
_NO_NAME: Final = "No server has this name. Check the address"
_WORDS = {
    errno.ECONNREFUSED: "The server refuses connections",
    errno.EHOSTUNREACH: "The server cannot be reached",
    errno.ENETUNREACH: "The network of the server cannot be reached",
    socket.EAI_NONAME: _NO_NAME,
    socket.EAI_NODATA: _NO_NAME,
    socket.EAI_AGAIN: "The name cannot be looked up now",
}


def _in_words(error: BaseException, limits: Limits) -> tuple[str, str]:
    """The kind of a network error, and its reason in plain words without addresses."""
    if isinstance(error, httpcore2.ConnectTimeout):
        return "time", f"No connection within {limits.connect:g} seconds. Try again later"
    if isinstance(error, httpcore2.TimeoutException):
        return "time", f"The server was silent for {limits.silence:g} seconds. Try again later"
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            why = foreign(cause.verify_message, limit=150)
            return "network", f"Its certificate is not valid: {why}. The publisher must renew it"
        if isinstance(cause, ssl.SSLError):
            return "network", "It speaks no TLS that can be used. Try the address with http"
        if getattr(cause, "error_status_hint", None) == 431:
            return "size", "Its headers are larger than 100 KiB"
        if isinstance(cause, OSError) and cause.errno is not None:
            words = _WORDS.get(cause.errno) or foreign(cause.strerror or "", limit=100)
            return "network", words or "It cannot be reached"
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, httpcore2.ProtocolError):
        return "network", "The server closed the connection early, or does not speak HTTP"
    return "network", "The server closed the connection. Try again later"
