"""Readers of the feeds, who check that each feed is complete and each ETag right."""

import gzip
import hashlib
import http.client
import json
import random
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from lxml import etree

from tests.journeys.serving import ask

ENDINGS = (".atom", ".rss", ".json")


@dataclass
class Readers:
    """`most` is the most entries of a feed; `answers` counts statuses; `faults` are broken promises."""

    folder: Path
    chance: random.Random
    most: int
    answers: Counter[int] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    unanswered: int = 0
    _tags: dict[tuple[str, bool], str] = field(default_factory=dict)
    _bodies: dict[tuple[str, str], str] = field(default_factory=dict)
    _tags_of_bodies: dict[tuple[str, bool, str], str] = field(default_factory=dict)

    def names(self) -> list[str]:
        if not self.folder.is_dir():
            return []
        return sorted(one.name for one in self.folder.iterdir() if one.suffix in ENDINGS)

    def poll(self, port: int) -> None:
        """One reader asks for one feed, mostly with the ETag of its last answer."""
        names = self.names()
        if not names:
            return
        name, zipped = self.chance.choice(names), self.chance.random() < 0.5
        headers = {"Accept-Encoding": "gzip"} if zipped else {}
        known = self._tags.get((name, zipped))
        if known is not None and self.chance.random() < 0.7:
            headers["If-None-Match"] = known
        try:
            status, answer, body = ask(port, f"/feeds/{name}", headers)
        except (OSError, http.client.HTTPException):
            self.unanswered += 1  # killed just now
            return
        self.answers[status] += 1
        asked, tag = headers.get("If-None-Match"), answer.get("etag", "")
        if status != 200:
            if status != 304 or answer.get("etag") != asked or body:
                self.faults.append(f"{name}: {status} {answer} to {headers}")
            return
        seen = hashlib.sha256(body).hexdigest()
        if not tag.startswith('"') or tag == asked:
            self.faults.append(f"{name}: 200 with {tag} to If-None-Match {asked}")
        if self._bodies.setdefault((name, tag), seen) != seen:
            self.faults.append(f"{name}: {tag} was the tag of two different bodies")
        if self._tags_of_bodies.setdefault((name, zipped, seen), tag) != tag:
            self.faults.append(f"{name}: one body under two tags, {tag} too")
        self._tags[name, zipped] = tag
        # A body that compression would not shrink comes without it.
        plain = gzip.decompress(body) if zipped and body.startswith(b"\x1f\x8b") else body
        self.check(name, plain)

    def look_at_disk(self) -> int:
        """Check every feed on disk, however its writer ended; how many."""
        names = self.names()
        for name in names:
            self.check(name, (self.folder / name).read_bytes())
        return len(names)

    def check(self, name: str, body: bytes) -> None:
        try:
            if name.endswith(".json"):
                ids = [item["id"] for item in json.loads(body)["items"]]
            else:
                ids = [element.text for element in etree.fromstring(body).iter("{*}id", "guid")]
                ids = ids[1:] if name.endswith(".atom") else ids
        except (ValueError, KeyError, etree.XMLSyntaxError) as e:
            self.faults.append(f"{name}: {e}")
            return
        if len(ids) != len(set(ids)) or len(ids) > self.most:
            self.faults.append(f"{name}: {len(ids)} entries, {len(set(ids))} different")
