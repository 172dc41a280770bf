"""What storing the next article costs in a small and in a large store.

    python bench/growth.py [--sizes 10000,1000000] [--new 100] [--folder FOLDER]

A thousand items of made-up news are ingested as a feed brings them; SQL then multiplies every row that
they made, each copy a day later and with keys of its own, but that half of the words by which stories are
found stay the same in all. Then so many new items are ingested, five times: milliseconds an article on the
clock and of the processor. The large store takes some minutes and 8 GB; with FOLDER it stays.
"""

import argparse
import contextlib
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import stories

from digest.model import DateSource, FoundItem, KnownDate
from digest.newsroom import Newsroom
from digest.sources import store
from digest.sources.documents import item_bytes
from digest.sources.ingest import ingest
from digest.store.database import Database

ROOT = Path(__file__).resolve().parent.parent
SOURCES, ROUNDS, BASE = 10, 5, 1_000
NOW = datetime(2026, 11, 1, tzinfo=UTC)
SOURCE = """
[[sources]]
name = "s{0}"
kind = "feed"
url = "https://s{0}.example/feed"
"""
LATER = "strftime('%Y-%m-%dT%H:%M:%f000Z', {0}, copies.n || ' days')"
OTHER = {
    "documents": {"id": "id + {by}", "name": "name || '-' || copies.n"},
    "articles": {
        "id": "id + {by}",
        "document_id": "document_id + {by}",
        "atom_id": "atom_id || '-' || copies.n",
        "story_id": "NULL",
        "received_at": LATER.format("received_at"),
        "first_seen_at": LATER.format("first_seen_at"),
        "updated_at": LATER.format("updated_at"),
    },
    "article_versions": {"article_id": "article_id + {by}"},
    "entries": {
        "id": "id + {by}",
        "document_id": "document_id + {by}",
        "article_id": "article_id + {by}",
        "guid": "guid || '-' || copies.n",
    },
    "entry_keys": {"key": "key + copies.n * 7919", "entry_id": "entry_id + {by}"},
    "matches": {"article_id": "article_id + {by}"},
    "fingerprints": {"article_id": "article_id + {by}", "day": "date(day, copies.n || ' days')"},
    "story_keys": {
        "key": "CASE WHEN key % 2 THEN key ELSE key + copies.n * 7919 END",
        "article_id": "article_id + {by}",
    },
    "article_search": {"rowid": "rowid + {by}"},
}


def item(room: stories.Newsroom, number: int) -> FoundItem:
    copy = room.copy()
    text = " ".join(copy.sentences[:2])
    day = KnownDate(NOW.date(), DateSource.STATED)
    key = f"urn:{number}"
    title, html = f"{copy.title} {number}", f"<p>{text}</p>"
    return FoundItem(key=key, title=title, html=html, complete=True, published=day)


def bring(db: Database, items: list[FoundItem]) -> None:
    """What a round of polling leaves: the items of several sources, none of which is due."""
    with db.write():
        for n in range(SOURCES):
            source_id = store.source_row(db, f"s{n}", "feed", f"s{n}")
            store.save_poll(db, source_id, {"next_at": "9"})
            own = [(one.key, "item", item_bytes(one), False) for one in items[n::SOURCES]]
            store.save_arrivals(db, source_id, own, NOW)


def multiply(db: Database, copies: int) -> None:
    """Every row so many times more; triggers and indexes are made last, which is faster."""
    db.run("PRAGMA foreign_keys = OFF")
    db.run("PRAGMA synchronous = OFF")
    db.run("PRAGMA cache_size = -500000")
    made = "SELECT type, name, sql FROM sqlite_master WHERE type IN ('trigger', 'index')"
    later = [row for row in db.rows(made) if row["sql"] is not None]
    for row in later:
        db.run(f"DROP {row['type']} {row['name']}")
    by = db.value("SELECT max(max(id), (SELECT max(id) FROM documents)) FROM articles")
    for table, others in OTHER.items():
        columns = [row["name"] for row in db.rows(f"PRAGMA table_info({table})")]
        columns += ["rowid"] if table == "article_search" else []
        values = [others.get(one, one).replace("{by}", f"copies.n * {by}") for one in columns]
        order = "ORDER BY 1, 2" if "keys" in table else ""
        with db.write():
            db.run(
                f"""INSERT INTO {table} ({", ".join(columns)})
                    WITH RECURSIVE copies (n) AS
                      (SELECT 1 UNION ALL SELECT n + 1 FROM copies WHERE n < {copies})
                    SELECT {", ".join(values)} FROM copies CROSS JOIN
                      (SELECT {", ".join(columns)} FROM {table}) {order}"""  # noqa: S608 - names are ours
            )
    db.run(
        "INSERT INTO article_marks SELECT id, random(), id FROM articles"
        " WHERE id NOT IN (SELECT article_id FROM article_marks)"
    )
    for row in later:
        db.run(row["sql"])
    db.run("PRAGMA synchronous = FULL")
    db.run("PRAGMA foreign_keys = ON")


@contextlib.contextmanager
def opened(folder: Path, moment: datetime) -> Iterator[Newsroom]:
    folder.mkdir(parents=True, exist_ok=True)
    text = (ROOT / "config.toml").read_text("utf-8")
    start, end = text.index("[[sources]]"), text.index("[[themes]]")
    tables = "".join(SOURCE.format(n) for n in range(SOURCES))
    (folder / "config.toml").write_text(text[:start] + tables + text[end:], "utf-8")
    room = Newsroom.from_file(folder / "config.toml")
    with replace(room, clock=lambda: moment).open() as newsroom:
        yield newsroom


def measure(folder: Path, size: int, new: int) -> None:
    room = stories.Newsroom(7)
    if not (folder / "digest.db").exists():
        with opened(folder, NOW - timedelta(days=size // BASE)) as newsroom:
            bring(newsroom.db, [item(room, n) for n in range(BASE)])
            ingest(newsroom)
            multiply(newsroom.db, size // BASE - 1)
    room.random = random.Random(time.time())  # noqa: S311 - other copy at each run
    clock, processor = [], []
    with opened(folder, NOW) as newsroom:
        for n in range(ROUNDS + 1):
            first = time.time_ns()
            bring(newsroom.db, [item(room, first + n) for n in range(new)])
            began = time.perf_counter(), time.process_time()
            added = len(ingest(newsroom).added)
            if n and added == new:  # the first one only warms up
                clock.append((time.perf_counter() - began[0]) / new * 1000)
                processor.append((time.process_time() - began[1]) / new * 1000)
        stored = newsroom.db.value("SELECT count(*) FROM articles")
        path = newsroom.settings.store.path
    print(
        f"{stored:>9,} articles, {path.stat().st_size / 1e9:.1f} GB: {statistics.median(clock):.1f} ms an article, "
        f"{statistics.median(processor):.1f} ms of the processor",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--sizes", default="10000,1000000")
    parser.add_argument("--new", type=int, default=100)
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        for size in map(int, given.sizes.split(",")):
            measure((given.folder or Path(temporary)) / str(size), size, given.new)


if __name__ == "__main__":
    main()
