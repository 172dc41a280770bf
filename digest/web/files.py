"""The files of the feeds folder in memory with their prepared answers, and the answer for a request
(RFC 9110, RFC 9111).
"""

import asyncio
import contextlib
import errno
import gzip
import hashlib
import os
import re
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime, formatdate, parsedate_to_datetime
from functools import lru_cache
from pathlib import Path

from digest.feeds.channels import ATOM, HTML, JSON, RSS
from digest.feeds.files import ARCHIVE_SECONDS, CONTENT_TYPES, NAME

NO_FILE = frozenset({errno.ENOENT, errno.EISDIR, errno.ENOTDIR, errno.ENAMETOOLONG})
"""Errors which mean that no file has, or can have, this name."""

SECURITY = (
    (
        b"content-security-policy",
        b"default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; "
        b"form-action 'none'; frame-ancestors 'none'",
    ),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),  # browsers without frame-ancestors
)
"""Of every answer: pages have no script, no form and nothing from other sites."""
_PACE = re.compile(rb"<ttl>(\d{1,5})</ttl>")
FRESH_FOR = 1.0
"""Seconds before the disk is checked again for a changed file."""
LEAST_SAVING = 0.95
"""The largest size of a compressed file, as a share of the plain one."""
CODINGS = (b"br", b"gzip")
"""The codings in which a file is also kept, the smallest first."""
_ENTITY_TAG = re.compile(rb'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')
_QUALITY = re.compile(rb"\s*q\s*=\s*(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\s*", re.IGNORECASE)
Header = tuple[bytes, bytes]
Headers = Iterable[Header]
Head = tuple[int, tuple[Header, ...]]
"""The start of an answer but for its moment: status and headers."""
ANYBODY: Header = (b"access-control-allow-origin", b"*")


@lru_cache(maxsize=64)
def dated(second: int, max_age: int = 0) -> tuple[Header, ...]:
    """Date, `second` since the epoch, and Expires `max_age` seconds later (RFC 9111 §5.3)."""
    moments = ((b"date", second), (b"expires", second + max_age))
    return tuple((name, formatdate(at, usegmt=True).encode()) for name, at in moments)


@lru_cache(maxsize=256)
def best_coding(accept_encoding: bytes) -> bytes | None:
    """The one of `CODINGS` that an Accept-Encoding prefers, of equals the smallest; None if it accepts
    none of them, or prefers the plain form (RFC 9110 §12.5.3).
    """
    qualities: dict[bytes, float] = {}
    for part in accept_encoding.lower().split(b","):
        coding, *parameters = part.split(b";")
        weights = [match[1] for one in parameters if (match := _QUALITY.fullmatch(one))]
        qualities[coding.strip().removeprefix(b"x-")] = float(weights[0]) if weights else 1.0
    others = qualities.get(b"*", 0.0)
    best = max(CODINGS, key=lambda coding: qualities.get(coding, others))
    quality = qualities.get(best, others)
    return best if quality > 0 and quality >= qualities.get(b"identity", 0.0) else None


@lru_cache(maxsize=256)
def _since(if_modified_since: bytes) -> datetime | None:
    """None if it is not a date, which counts as absent (RFC 9110 §13.1.3)."""
    try:
        moment = parsedate_to_datetime(if_modified_since.decode("ascii"))
    except (ValueError, OverflowError):  # the latter for an offset of many digits
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def is_unchanged(
    etag: bytes,
    modified: datetime | None,
    if_none_match: bytes | None,
    if_modified_since: bytes | None,
) -> bool:
    """Whether the answer is 304. If-None-Match, compared weakly, beats If-Modified-Since (RFC 9110
    §13.1.2, §13.2.2).

    `modified` has whole seconds; None is not known.
    """
    if if_none_match is not None:
        return if_none_match in (etag, b"*") or etag in _ENTITY_TAG.findall(if_none_match)
    if if_modified_since is None or modified is None:
        return False
    moment = _since(if_modified_since)
    return moment is not None and modified <= moment


@dataclass(frozen=True, slots=True)
class Answer:
    """One form of a file: the heads of a 200 and of a 304, and the body."""

    etag: bytes
    modified: datetime | None
    whole: Head
    unchanged: Head
    body: bytes


@dataclass(slots=True)
class Forms:
    """An answer plain and in each coding that makes it smaller."""

    plain: Answer
    packed: Mapping[bytes, Answer]

    def choose(self, headers: Headers, whole: bool) -> tuple[Head, bytes]:
        """The answer to a request with these headers: its head, and its body if the reader asks for the
        `whole` and does not have it already.
        """
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
        answer = self.plain if best is None else self.packed.get(best, self.plain)
        if (
            (tags or date)
            and answer.etag
            and is_unchanged(answer.etag, answer.modified, tags, date)
        ):
            return answer.unchanged, b""
        return answer.whole, answer.body if whole else b""


@dataclass(slots=True)
class CachedFile(Forms):
    """A file in memory. `state` shows whether the file on disk is still the same; readers need not ask
    again for `max_age` seconds.
    """

    state: tuple[int, int, int]
    checked_at: float
    ending: str
    max_age: int
    size: int


def pack(
    data: bytes,
    content_type: str,
    modified: datetime | None,
    lasting: Iterable[Header],
    further: Iterable[Header] = (),
    *,
    status: int = 200,
    quality: int = 5,
) -> tuple[Answer, dict[bytes, Answer]]:
    """The answer with these bytes, and those in each coding that makes them smaller; `lasting` headers are
    in a 304 too, `further` ones are not. `quality` is Brotli's, up to 11.

    Another coding is another representation with a strong tag of its own (RFC 9110 §8.8.3.3).
    """
    import brotli

    tag = hashlib.sha256(data).hexdigest()[:32]

    def answer(body: bytes, coding: str = "") -> Answer:
        # Of a status other than 2xx nobody asks whether it is unchanged (RFC 9110 §13.2.1).
        etag = f'"{tag}{coding and "-"}{coding}"' if status == 200 else ""
        kept = [(b"vary", b"Accept-Encoding"), *lasting]
        kept += [(b"etag", etag.encode())] if etag else []
        whole = [
            (b"content-type", content_type.encode()),
            (b"content-length", str(len(body)).encode()),
            *kept,
            (b"x-content-type-options", b"nosniff"),
            *further,
            *([(b"content-encoding", coding.encode())] if coding else []),
        ]
        if modified is not None:
            last = format_datetime(modified, usegmt=True).encode()
            whole.append((b"last-modified", last))
        return Answer(etag.encode(), modified, (status, tuple(whole)), (304, tuple(kept)), body)

    if content_type.startswith("image/"):
        return answer(data), {}
    codings = {
        b"br": brotli.compress(data, mode=brotli.MODE_TEXT, quality=quality),
        b"gzip": gzip.compress(data, compresslevel=min(9, quality), mtime=0),
    }
    smaller = {
        coding: answer(body, coding.decode())
        for coding, body in codings.items()
        if len(body) < len(data) * LEAST_SAVING
    }
    return answer(data), smaller


class FileCache:
    """Files of `folder` by name, at most `limit` bytes; the least recently requested are dropped first.

    `seconds` is a monotonic clock. With a `hub` (WebSub), feeds link to it and to themselves below `url`.
    """

    def __init__(
        self,
        folder: Path,
        *,
        limit: int,
        cache_seconds: int,
        seconds: Callable[[], float],
        hub: str | None = None,
        url: str = "",
    ) -> None:
        self.folder = folder
        self.limit = limit
        self.cache_seconds = cache_seconds
        self.hub, self.url = hub, url
        self.held = 0
        self._seconds = seconds
        self._files: OrderedDict[str, CachedFile] = OrderedDict()
        self._lock = asyncio.Lock()

    def fresh(self, name: str) -> CachedFile | None:
        """The file if it is in memory and was compared with the disk within `FRESH_FOR`."""
        file = self._files.get(name)
        if file is None or self._seconds() - file.checked_at > FRESH_FOR:
            return None
        self._files.move_to_end(name)
        return file

    async def find(self, name: str) -> CachedFile | None:
        """The file as it is on disk now; None if there is none with this name, or it is not served."""
        if (file := self.fresh(name)) is not None or not NAME.fullmatch(name):
            return file
        async with self._lock:  # of many requests for one file, the first reads it
            if (file := self.fresh(name)) is not None:
                return file
            file = self._files.get(name)
            try:
                state, max_age = _state((self.folder / name).stat()), self._max_age(name)
                if file is not None and (file.state, file.max_age) == (state, max_age):
                    file.checked_at = self._seconds()
                    return file
                self._drop(name)
                file = await asyncio.to_thread(self._read, name, max_age)
            except OSError as e:
                if e.errno not in NO_FILE:
                    raise
                self._drop(name)
                return None
            self._files[name] = file
            self.held += file.size
            while self.held > self.limit and len(self._files) > 1:
                self._drop(next(iter(self._files)))
            return file

    def _max_age(self, name: str) -> int:
        """Seconds: for a live feed and its page its own pace, which its RSS form says in minutes."""
        if name.startswith("archives/"):
            return ARCHIVE_SECONDS
        paced_by = self.folder / f"{name.rpartition('.')[0]}.{RSS}"
        with contextlib.suppress(OSError), paced_by.open("rb") as file:
            if pace := _PACE.search(file.read(8192)):
                return int(pace[1]) * 60
        return self.cache_seconds

    def _read(self, name: str, max_age: int) -> CachedFile:
        with (self.folder / name).open("rb") as file:
            on_disk = os.fstat(file.fileno())
            data = file.read()
        # publish replaces a file only if its bytes changed, so its time is that of the change; the
        # newest article's time does not move when a feed's title changes or an article is removed.
        modified = datetime.fromtimestamp(int(on_disk.st_mtime), UTC)
        ending = name.rpartition(".")[2]
        lasting = [(b"cache-control", f"public, max-age={max_age}".encode())]
        links = []
        if self.hub is not None and "/" not in name and ending in (ATOM, RSS, JSON):
            link = f'<{self.hub}>; rel="hub", <{self.url}/{name}>; rel="self"'
            links = [(b"link", link.encode())]
        if ending != HTML:
            exposed = b"ETag, Last-Modified" + b", Link" * len(links)
            lasting += [ANYBODY, (b"access-control-expose-headers", exposed)]
        # As small as possible, since it is done once for each version of a file.
        plain, packed = pack(
            data, CONTENT_TYPES[ending], modified, lasting, [*links, *SECURITY], quality=11
        )
        size = sum(len(one.body) for one in (plain, *packed.values()))
        seconds = self._seconds()
        return CachedFile(plain, packed, _state(on_disk), seconds, ending, max_age, size)

    def _drop(self, name: str) -> None:
        file = self._files.pop(name, None)
        if file is not None:
            self.held -= file.size


def _state(stat: os.stat_result) -> tuple[int, int, int]:
    return stat.st_mtime_ns, stat.st_size, stat.st_ino
