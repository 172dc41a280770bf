"""The files of the feeds folder in memory with their prepared answers, and the answer for a request
(RFC 9110).
"""

import asyncio
import errno
import gzip
import hashlib
import os
import re
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from functools import lru_cache
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
"""The media types that may be served, by file ending."""
NAME = re.compile(rf"(?:articles/)?[a-z0-9][a-z0-9.-]*\.(?:{'|'.join(TYPES)})")
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
)
"""For pages: ours have no script, no form and nothing from other sites."""
FRESH_FOR = 1.0
"""Seconds before the disk is checked again for a changed file."""
LEAST_SAVING = 0.95
"""The largest size of a compressed file, as a share of the plain one."""
CODINGS = (b"br", b"gzip")
"""The codings in which a file is also kept, the smallest first."""
_ENTITY_TAG = re.compile(rb'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')
_QUALITY = re.compile(rb"\s*q\s*=\s*(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\s*", re.IGNORECASE)
Headers = Iterable[tuple[bytes, bytes]]
Message = dict[str, Any]


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
    etag: bytes, modified: datetime, if_none_match: bytes | None, if_modified_since: bytes | None
) -> bool:
    """Whether the answer is 304. If-None-Match, compared weakly, beats If-Modified-Since (RFC 9110
    §13.1.2, §13.2.2).

    `modified` has whole seconds.
    """
    if if_none_match is not None:
        return if_none_match in (etag, b"*") or etag in _ENTITY_TAG.findall(if_none_match)
    if if_modified_since is None:
        return False
    moment = _since(if_modified_since)
    return moment is not None and modified <= moment


@dataclass(frozen=True, slots=True)
class Answer:
    """One form of a file, as ASGI messages: the start of a 200 and of a 304, and the body."""

    etag: bytes
    modified: datetime
    whole: Message
    unchanged: Message
    body: Message


@dataclass(slots=True)
class CachedFile:
    """A file in memory, plain and in each coding that makes it smaller. `state` shows whether the file
    on disk is still the same.
    """

    state: tuple[int, int, int]
    checked_at: float
    ending: str
    size: int
    plain: Answer
    packed: Mapping[bytes, Answer]

    def choose(self, headers: Headers) -> tuple[Answer, bool]:
        """The form for a request with these headers, and whether the reader already has it."""
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
        if not tags and not date:
            return answer, False
        return answer, is_unchanged(answer.etag, answer.modified, tags, date)


class FileCache:
    """Files of `folder` by name, at most `limit` bytes; the least recently requested are dropped first.

    `seconds` is a monotonic clock.
    """

    def __init__(
        self, folder: Path, *, limit: int, cache_seconds: int, seconds: Callable[[], float]
    ) -> None:
        self.folder = folder
        self.limit = limit
        self.cache_seconds = cache_seconds
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
                on_disk = (self.folder / name).stat()
                if file is not None and file.state == _state(on_disk):
                    file.checked_at = self._seconds()
                    return file
                self._drop(name)
                file = await asyncio.to_thread(self._read, name)
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

    def _read(self, name: str) -> CachedFile:
        with (self.folder / name).open("rb") as file:
            on_disk = os.fstat(file.fileno())
            data = file.read()
        # publish replaces a file only if its bytes changed, so its time is that of the change; the
        # newest article's time does not move when a feed's title changes or an article is removed.
        modified = datetime.fromtimestamp(int(on_disk.st_mtime), UTC)
        tag = hashlib.sha256(data).hexdigest()[:32]
        plain = self._answer(name, data, f'"{tag}"', modified, None)
        import brotli

        # As small as possible, since it is done once for each version of a file. Another coding is
        # another representation with a strong tag of its own (§8.8.3.3).
        codings = {
            b"br": brotli.compress(data, mode=brotli.MODE_TEXT),
            b"gzip": gzip.compress(data, compresslevel=9, mtime=0),
        }
        packed = {
            coding: self._answer(name, body, f'"{tag}-{coding.decode()}"', modified, coding)
            for coding, body in codings.items()
            if len(body) < len(data) * LEAST_SAVING
        }
        size = sum(len(one.body["body"]) for one in (plain, *packed.values()))
        return CachedFile(
            _state(on_disk), self._seconds(), name.rpartition(".")[2], size, plain, packed
        )

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
        )

    def _drop(self, name: str) -> None:
        file = self._files.pop(name, None)
        if file is not None:
            self.held -= file.size


def _state(stat: os.stat_result) -> tuple[int, int, int]:
    return stat.st_mtime_ns, stat.st_size, stat.st_ino
