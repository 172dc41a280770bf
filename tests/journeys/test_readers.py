"""Real feed readers follow a feed of the running service: newsboat, and lemon24's reader."""

import contextlib
import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import pytest

from digest.store.database import sqlite3
from tests.desks import Desk, make_desk
from tests.journeys.serving import Running, service

pytestmark = pytest.mark.drill
NEWSBOAT = shutil.which("newsboat")
needs_newsboat = [
    pytest.mark.newsboat,
    pytest.mark.skipif(NEWSBOAT is None, reason="newsboat is not installed"),
]
NEWS = """Border post opens at Howdan

On 20 November 2026, customs officers opened a border post at Howdan to search lorries for drugs.
"""
CORRECTED = NEWS.replace("lorries", "lorries and buses")
STAGES = ((None, (36, 0)), (NEWS, (1, 0)), (CORRECTED, (0, 1)), (None, None), (None, None))
"""A document that arrives, and how many articles the service then adds and revises."""


class Entry(NamedTuple):
    title: str
    text: str


class Newsboat:
    """Debian's newsboat, without its screen: `newsboat -x reload`, and its own cache."""

    ending = "atom"

    def __init__(self, url: str, folder: Path) -> None:
        folder.mkdir()
        self.urls, self.cache, self.config = (folder / name for name in ("urls", "cache", "config"))
        self.urls.write_text(f"{url}\n")
        self.config.write_text("")
        self.home = folder

    def poll(self) -> None:
        files = ["-u", self.urls, "-c", self.cache, "-C", self.config]
        subprocess.run(
            [str(NEWSBOAT), *map(str, files), "-x", "reload"],
            check=True,
            capture_output=True,
            timeout=30,
            env={**os.environ, "HOME": str(self.home), "TERM": "dumb"},
        )

    def entries(self) -> dict[str, Entry]:
        with contextlib.closing(sqlite3.connect(self.cache)) as cache:
            rows = cache.execute("SELECT guid, title, content FROM rss_item").fetchall()
        assert len({row[0] for row in rows}) == len(rows)
        return {guid: Entry(title, content) for guid, title, content in rows}


class Lemon:
    """https://github.com/lemon24/reader, as a program that embeds it uses it."""

    ending = "rss"

    def __init__(self, url: str, folder: Path) -> None:
        from reader import make_reader

        folder.mkdir()
        self.reader = make_reader(str(folder / "reader.db"))
        self.reader.add_feed(url)

    def poll(self) -> None:
        [feed] = self.reader.get_feeds()
        self.reader.update_feed(feed)

    def entries(self) -> dict[str, Entry]:
        entries = list(self.reader.get_entries())
        assert len({entry.id for entry in entries}) == len(entries)
        return {one.id: Entry(one.title, one.get_content().value) for one in entries}


@dataclass
class Followed:
    """A reader's entries after each stage, and how many of its polls got each status."""

    held: list[dict[str, Entry]] = field(default_factory=list)
    answers: dict[str, int] = field(default_factory=dict)
    own_requests: int = 0


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Followed]:
    """One service that reads its folder each second, and its readers, by the ending of their feed."""
    desk = make_desk(tmp_path_factory.mktemp("followed") / "desk")
    desk.configure(ingest_every_minutes="0.02", lease_seconds="3.0", send="false", entries="100")
    kinds = [Lemon] if NEWSBOAT is None else [Lemon, Newsboat]
    followed = {kind.ending: Followed() for kind in kinds}
    with service(desk) as running:
        base = f"http://127.0.0.1:{running.port}/feeds/all"
        readers = [kind(f"{base}.{kind.ending}", desk.folder / kind.ending) for kind in kinds]
        for text, counts in STAGES:
            if text is not None:
                draft = desk.folder / "howdan.txt"
                draft.write_text(text, "utf-8")
                draft.rename(desk.seeds / "howdan.txt")
            if counts is not None:
                line = running.until("read")
                while not line["added"] and not line["revised"]:
                    line = running.until("read")
                assert (line["added"], line["revised"]) == counts
            for reader in readers:
                followed[reader.ending].own_requests += poll_when_served(running, desk, reader)
                followed[reader.ending].held.append(reader.entries())
        figures = running.watch("/metrics")[2].decode()
    metric = r'^digest_http_responses_total\{route="(\w+)",status="(\d+)"\} (\d+)\.0$'
    for route, status, count in re.findall(metric, figures, re.MULTILINE):
        if route in followed:
            own = followed[route].own_requests if status == "200" else 0
            followed[route].answers[status] = int(count) - own
    return followed


def poll_when_served(running: Running, desk: Desk, reader: Newsboat | Lemon) -> int:
    """Poll once the service answers with the newest file; how many requests of our own that took."""
    file = desk.folder / "feeds" / f"all.{reader.ending}"
    asked = served = 0
    while not served:
        if file.exists():  # the first run may lose its lease before it publishes
            asked += 1
            served = running.get(f"/feeds/{file.name}")[2] == file.read_bytes()
        with contextlib.suppress(subprocess.TimeoutExpired):
            running.process.wait(0 if served else 0.1)
    reader.poll()
    return asked


EVERY_READER = [
    pytest.param(Newsboat, id="newsboat", marks=needs_newsboat),
    pytest.param(Lemon, id="reader"),
]


@pytest.mark.parametrize("kind", EVERY_READER)
def test_a_reader_sees_what_is_new_and_corrected_and_nothing_twice(
    followed: dict[str, Followed], kind: type[Newsboat | Lemon]
) -> None:
    """For subscribers: one entry more, the same entry with its corrected text, then nothing."""
    first, new, corrected, *quiet = followed[kind.ending].held
    [guid] = new.keys() - first.keys()
    assert new == first | {guid: new[guid]}
    assert new[guid].title == "Border post opens at Howdan"
    assert "lorries for drugs" not in corrected[guid].text
    assert "lorries and buses for" in corrected[guid].text
    assert corrected == new | {guid: corrected[guid]}
    assert quiet == [corrected, corrected]


@pytest.mark.parametrize("kind", EVERY_READER)
def test_a_quiet_poll_is_answered_by_304(
    followed: dict[str, Followed], kind: type[Newsboat | Lemon]
) -> None:
    """For a newsroom with many readers: what has not changed is not sent again."""
    assert followed[kind.ending].answers == {"200": 3, "304": 2}
