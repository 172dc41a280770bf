"""Real feed readers follow a feed of the running service: newsboat, and lemon24's reader."""

import contextlib
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
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
STAGES = ("as found", "new article", "corrected article", "nothing new", "nothing new again")


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

    held: list[dict[str, Entry]]
    answers: dict[str, int]


def poll_when_served(running: Running, desk: Desk, reader: Newsboat | Lemon) -> int:
    """Poll once the service answers with the newest file; how many requests of our own that took."""
    name = f"all.{reader.ending}"
    asked = 1
    while running.get(f"/feeds/{name}")[2] != (desk.folder / "feeds" / name).read_bytes():
        with contextlib.suppress(subprocess.TimeoutExpired):
            running.process.wait(0.1)
        asked += 1
    reader.poll()
    return asked


def bring(desk: Desk, running: Running, text: str, kind: str) -> None:
    """A document arrives, and the service reads it as `kind`: added or revised."""
    draft = desk.folder / "howdan.txt"
    draft.write_text(text, "utf-8")
    draft.rename(desk.seeds / "howdan.txt")
    while not (line := running.until("read"))[kind]:
        pass
    assert (line["added"], line["revised"]) == (int(kind == "added"), int(kind == "revised"))


def follow(desk: Desk, running: Running, readers: list[Newsboat | Lemon]) -> dict[str, Followed]:
    """Go through all stages; the result by ending of the feed."""
    held: dict[str, list[dict[str, Entry]]] = {one.ending: [] for one in readers}
    own = dict.fromkeys(held, 0)
    for stage in STAGES:
        if stage == "as found":
            assert running.until("read")["added"] == 36
        elif stage == "new article":
            bring(desk, running, NEWS, "added")
        elif stage == "corrected article":
            bring(desk, running, NEWS.replace("lorries", "lorries and buses"), "revised")
        for reader in readers:
            own[reader.ending] += poll_when_served(running, desk, reader)
            held[reader.ending].append(reader.entries())
    figures = running.get("/metrics")[2].decode()
    line = r'^digest_http_responses_total\{route="(\w+)",status="(\d+)"\} (\d+)\.0$'
    answers: dict[str, dict[str, int]] = {one.ending: {} for one in readers}
    for route, status, count in re.findall(line, figures, re.MULTILINE):
        if route in answers:
            answers[route][status] = int(count) - (own[route] if status == "200" else 0)
    return {ending: Followed(held[ending], answers[ending]) for ending in held}


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Followed]:
    """One service that reads its folder each second, and the readers that follow it."""
    desk = make_desk(tmp_path_factory.mktemp("followed") / "desk")
    desk.configure(ingest_every_minutes="0.02", lease_seconds="3.0", send="false", entries="100")
    kinds = [Lemon] if NEWSBOAT is None else [Lemon, Newsboat]
    with service(desk) as running:
        base = f"http://127.0.0.1:{running.port}/feeds/all"
        readers = [kind(f"{base}.{kind.ending}", desk.folder / kind.ending) for kind in kinds]
        return follow(desk, running, readers)


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
