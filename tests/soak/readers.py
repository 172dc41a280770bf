"""Readers of the feeds: whole each time, and an ETag that tells the truth."""

import contextlib
import hashlib
import http.client
import json
import random
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from lxml import etree

ENDINGS = (".atom", ".rss", ".json")


def fault_of(name: str, body: bytes, most: int) -> str | None:
    """What is wrong with these bytes as a feed of at most `most` entries; None where nothing is."""
    try:
        if name.endswith(".json"):
            ids = [item["id"] for item in json.loads(body)["items"]]
        else:
            ids = [found.text for found in etree.fromstring(body).iter("{*}id", "guid")]
            ids = ids[1:] if name.endswith(".atom") else ids
    except (ValueError, KeyError, etree.XMLSyntaxError) as e:
        return f"{name}: {e}"
    if len(ids) != len(set(ids)):
        return f"{name}: an entry stands twice"
    return f"{name}: {len(ids)} entries" if len(ids) > most else None


@dataclass
class Readers:
    """`answers` counts statuses; `faults` is everything that must not be."""

    folder: Path
    chance: random.Random
    most: int
    answers: Counter[int] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    unanswered: int = 0
    _tags: dict[tuple[str, bool], str] = field(default_factory=dict)
    _told: dict[tuple[str, str], str] = field(default_factory=dict)
    _bytes: dict[tuple[str, bool, str], str] = field(default_factory=dict)

    def names(self) -> list[str]:
        if not self.folder.is_dir():
            return []
        return sorted(one.name for one in self.folder.iterdir() if one.suffix in ENDINGS)

    def poll(self, port: int) -> None:
        """One reader asks for one feed, mostly with what it got the last time."""
        names = self.names()
        if not names:
            return
        name, zipped = self.chance.choice(names), self.chance.random() < 0.5
        headers = {"Accept-Encoding": "gzip"} if zipped else {}
        known = self._tags.get((name, zipped))
        if known is not None and self.chance.random() < 0.7:
            headers["If-None-Match"] = known
        try:
            status, told, body = get(port, f"/feeds/{name}", headers)
        except (OSError, http.client.HTTPException):
            self.unanswered += 1  # killed just now
            return
        self.answers[status] += 1
        if status == 200:
            self._check(name, zipped, told.get("etag", ""), body, headers.get("If-None-Match"))
        elif status != 304 or told.get("etag") != headers.get("If-None-Match") or body:
            self.faults.append(f"{name}: {status} {told} to {headers}")

    def _check(self, name: str, zipped: bool, tag: str, body: bytes, asked: str | None) -> None:
        seen = hashlib.sha256(body).hexdigest()
        if not tag.startswith('"') or tag == asked:
            self.faults.append(f"{name}: 200 with {tag} to If-None-Match {asked}")
        if self._told.setdefault((name, tag), seen) != seen:
            self.faults.append(f"{name}: {tag} stands for two different bodies")
        if self._bytes.setdefault((name, zipped, seen), tag) != tag:
            self.faults.append(f"{name}: one body under two tags, {tag} too")
        self._tags[name, zipped] = tag
        plain = http_gunzip(body) if zipped else body
        if (fault := fault_of(name, plain, self.most)) is not None:
            self.faults.append(fault)

    def look_at_disk(self) -> int:
        """Every feed as it lies there, however its writer ended; how many."""
        names = self.names()
        for name in names:
            fault = fault_of(name, (self.folder / name).read_bytes(), self.most)
            if fault is not None:
                self.faults.append(f"on disk: {fault}")
        return len(names)


def get(port: int, path: str, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
    """Status, headers in small letters, and the body as it came."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    with contextlib.closing(connection):
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        told = {name.lower(): value for name, value in answer.getheaders()}
        return answer.status, told, answer.read()


def http_gunzip(body: bytes) -> bytes:
    """The body without its coding; one that gains nothing by it comes without."""
    import gzip

    return gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body
