"""The folder of feeds, held in memory: each file with the answers that it gives, made once."""

import asyncio
import errno
import gzip
import hashlib
import os
import re
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any

from digest.feeds.channels import ATOM, HTML, JSON, MEDIA_TYPES, RSS

TYPES = {
    ATOM: f"{MEDIA_TYPES[ATOM]}; charset=utf-8",
    RSS: f"{MEDIA_TYPES[RSS]}; charset=utf-8",
    JSON: MEDIA_TYPES[JSON],  # JSON is UTF-8, and its types have no parameter (RFC 8259 §8.1, §11)
    HTML: f"{MEDIA_TYPES[HTML]}; charset=utf-8",
    "opml": "text/x-opml; charset=utf-8",
    "css": "text/css; charset=utf-8",
}
"""What may be served, by the ending of the file."""

NAME = re.compile(rf"(?:articles/)?[a-z0-9][a-z0-9.-]*\.({'|'.join(TYPES)})")

NO_FILE = frozenset({errno.ENOENT, errno.EISDIR, errno.ENOTDIR, errno.ENAMETOOLONG})
"""What the disk says where no file has, or can have, the name that was asked for."""

SECURITY = (
    (
        b"content-security-policy",
        b"default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; "
        b"form-action 'none'; frame-ancestors 'none'",
    ),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
)
"""For pages: ours have no script, no form and nothing from elsewhere."""

FRESH_FOR = 1.0
"""The disk is asked at most so often whether a file has changed; seconds."""
LEAST_SAVING = 0.95

Message = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """One form of a file, as ASGI messages: whole and unchanged; the two heads also as the lines of
    HTTP/1.1, without the empty one at their end.
    """

    etag: bytes
    modified: datetime
    whole: Message
    unchanged: Message
    body: Message
    whole_lines: bytes
    unchanged_lines: bytes


@dataclass(slots=True)
class Kept:
    """A file in memory, `packed` in each coding that makes it smaller. `state` tells whether the one
    on disk is still the same.
    """

    state: tuple[int, int, int]
    checked_at: float
    ending: str
    size: int
    plain: Answer
    packed: Mapping[bytes, Answer]


class Shelf:
    """Files of `folder` by name, at most `limit` bytes of them; those asked for last go last.

    `seconds` is a clock that never goes back.
    """

    def __init__(
        self,
        folder: Path,
        *,
        limit: int,
        cache_seconds: int,
        seconds: Callable[[], float],
    ) -> None:
        self.folder = folder
        self.limit = limit
        self.cache_seconds = cache_seconds
        self.held = 0
        self._seconds = seconds
        self._kept: OrderedDict[str, Kept] = OrderedDict()
        self._lock = asyncio.Lock()

    def fresh(self, name: str) -> Kept | None:
        """The file if it is in memory and was looked at within `FRESH_FOR`."""
        kept = self._kept.get(name)
        if kept is None or self._seconds() - kept.checked_at > FRESH_FOR:
            return None
        self._kept.move_to_end(name)
        return kept

    async def find(self, name: str) -> Kept | None:
        """The file as it is on disk now; None if there is none of that name."""
        if (kept := self.fresh(name)) is not None:
            return kept
        async with self._lock:  # of many who wait for one file, the first reads it
            if (kept := self.fresh(name)) is not None:
                return kept
            return await self._look(name)

    async def _look(self, name: str) -> Kept | None:
        kept = self._kept.get(name)
        try:
            found = (self.folder / name).stat()
            if kept is not None and kept.state == _state(found):
                kept.checked_at = self._seconds()
                return kept
            self._drop(name)
            kept = await asyncio.to_thread(self._read, name)
        except OSError as e:
            if e.errno not in NO_FILE:
                raise
            self._drop(name)
            return None
        self._keep(name, kept)
        return kept

    def _read(self, name: str) -> Kept:
        with (self.folder / name).open("rb") as file:
            found = os.fstat(file.fileno())
            data = file.read()
        # publish replaces a file only where its bytes changed, so its time is when they did; the
        # newest article's would stay where a feed's title changes or an article is taken out.
        modified = datetime.fromtimestamp(int(found.st_mtime), UTC)
        tag = hashlib.sha256(data).hexdigest()[:32]
        plain = self._answer(name, data, f'"{tag}"', modified, None)
        # Another coding is another representation: a strong tag of its own (§8.8.3.3).
        packed = {
            coding: self._answer(name, body, f'"{tag}-{coding.decode()}"', modified, coding)
            for coding, body in _packed(data)
            if len(body) < len(data) * LEAST_SAVING
        }
        size = sum(len(one.body["body"]) for one in (plain, *packed.values()))
        return Kept(_state(found), self._seconds(), name.rpartition(".")[2], size, plain, packed)

    def _answer(
        self, name: str, body: bytes, etag: str, modified: datetime, coding: bytes | None
    ) -> Answer:
        ending = name.rpartition(".")[2]
        lasting = [
            (b"etag", etag.encode()),
            (b"cache-control", f"public, max-age={self.cache_seconds}".encode()),
            (b"vary", b"Accept-Encoding"),
        ]
        whole = [
            (b"content-type", TYPES[ending].encode()),
            (b"content-length", str(len(body)).encode()),
            *lasting,
            (b"last-modified", format_datetime(modified, usegmt=True).encode()),
            (b"x-content-type-options", b"nosniff"),
            *(SECURITY if ending == HTML else ((b"access-control-allow-origin", b"*"),)),
            *([(b"content-encoding", coding)] if coding else []),
        ]
        return Answer(
            etag.encode(),
            modified,
            {"type": "http.response.start", "status": 200, "headers": whole},
            {"type": "http.response.start", "status": 304, "headers": lasting},
            {"type": "http.response.body", "body": body},
            _lines(b"HTTP/1.1 200 OK", whole),
            _lines(b"HTTP/1.1 304 Not Modified", lasting),
        )

    def _keep(self, name: str, kept: Kept) -> None:
        self._kept[name] = kept
        self.held += kept.size
        while self.held > self.limit and len(self._kept) > 1:
            self._drop(next(iter(self._kept)))

    def _drop(self, name: str) -> None:
        kept = self._kept.pop(name, None)
        if kept is not None:
            self.held -= kept.size


def _packed(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """In each coding, as small as it gets: it is done once for each version of a file."""
    import brotli

    yield b"br", brotli.compress(data, mode=brotli.MODE_TEXT)
    yield b"gzip", gzip.compress(data, compresslevel=9, mtime=0)


def _state(found: os.stat_result) -> tuple[int, int, int]:
    return found.st_mtime_ns, found.st_size, found.st_ino


def _lines(status: bytes, headers: list[tuple[bytes, bytes]]) -> bytes:
    return b"".join((status, b"\r\n", *(b"%s: %s\r\n" % pair for pair in headers)))
