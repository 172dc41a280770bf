"""How fast an article is fingerprinted, and linked into a store of 1,000, 10,000 and 100,000.

    python bench/stories.py [--sizes 1000,10000,100000] [--new 200]

The store is a real SQLite file with the tables and the query that digest/stories/store.py
recommends. Its articles are about 2 kB of sentences from seeds/, mixed and changed, with names, numbers and
days of their own, spread over ten years. The time of linking includes the fingerprint of the new article, its
look-up, the comparisons, and the rows written. A third of the new articles rewrite a stored one:
half of its sentences, reordered; how many of those are linked to it is shown too.
"""

import argparse
import random
import re
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from sqlite_utils.utils import sqlite3

from digest.language import text as prose
from digest.stories.fingerprints import Fingerprint, fingerprint
from digest.stories.likeness import link, wanted
from digest.stories.store import CANDIDATES

SEEDS = Path(__file__).parent.parent / "seeds"
SCHEMA = """
CREATE TABLE story_keys (key INTEGER, article_id INTEGER, PRIMARY KEY (key, article_id)) WITHOUT ROWID;
CREATE TABLE fingerprints (article_id INTEGER PRIMARY KEY, day TEXT, fingerprint TEXT NOT NULL);
"""
SYLLABLES = "ba de gul kho la mir nur ov ra sha tash ur va yan zo ber dur gel hal jan kar man"
LENGTH = 2_000  # characters of an article's text


@dataclass(frozen=True)
class Copy:
    title: str
    sentences: tuple[str, ...]
    language: str
    day: date | None

    def fingerprint(self) -> Fingerprint:
        text = " ".join(self.sentences)
        return fingerprint(title=self.title, text=text, language=self.language, day=self.day)


class Newsroom:
    """Copy without end, the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311 - copy for a benchmark, no secret
        self.syllables = SYLLABLES.split()
        self.pools: dict[str, list[str]] = {"en": [], "ru": []}
        lines = [
            line
            for path in sorted(SEEDS.glob("*.txt"))
            for line in path.read_text("utf-8").splitlines()
        ]
        for sentence in (one for line in lines for one in prose.sentences(line) if len(one) > 60):
            self.pools["ru" if re.search("[а-я]{3}", sentence) else "en"].append(sentence)
        self.words = {
            language: [word for sentence in pool for word in sentence.split()]
            for language, pool in self.pools.items()
        }

    def copy(self) -> Copy:
        sizes = [len(pool) for pool in self.pools.values()]
        language = self.random.choices([*self.pools], sizes)[0]
        day = date(2016, 1, 1) + timedelta(days=self.random.randrange(3_650))
        names = [
            "".join(self.random.choices(self.syllables, k=self.random.randrange(2, 5))).capitalize()
            for _ in range(12)
        ]
        sentences: list[str] = []
        while sum(map(len, sentences)) < LENGTH:
            sentences.append(self._own(language, names))
        title = self._own(language, names)[:90]
        return Copy(title, tuple(sentences), language, None if self.random.random() < 0.2 else day)

    def rewritten(self, copy: Copy) -> Copy:
        chosen = self.random.sample(copy.sentences, len(copy.sentences) // 2 + 1)
        day = copy.day and copy.day + timedelta(days=self.random.randrange(3))
        return Copy(copy.title, tuple(chosen), copy.language, day)

    def _own(self, language: str, names: list[str]) -> str:
        """A sentence with half of its words changed: for others of the pool, and for names."""
        sentence = self.random.choice(self.pools[language])
        sentence = re.sub(r"\b\d{1,3}\b", lambda _: str(self.random.randrange(2, 400)), sentence)
        words = sentence.split()
        for at in range(len(words)):
            if self.random.random() < 0.35:
                words[at] = self.random.choice(self.words[language])
            elif self.random.random() < 0.25:
                words[at] = self.random.choice(names)
        return " ".join(words)


def store(database: sqlite3.Connection, number: int, new: Fingerprint) -> None:
    database.executemany(
        "INSERT INTO story_keys (key, article_id) VALUES (?, ?)",
        ((key, number) for key in new.keys),
    )
    database.execute(
        "INSERT INTO fingerprints (article_id, day, fingerprint) VALUES (?, ?, ?)",
        (number, new.day.isoformat() if new.day else None, new.to_json()),
    )


def link_one(database: sqlite3.Connection, number: int, copy: Copy) -> list[int]:
    new = copy.fingerprint()
    rows = database.execute(CANDIDATES, {**wanted(new), "article_id": number}).fetchall()
    linked = link(new.to_json(), rows)
    store(database, number, new)
    return [article for article, _ in linked]


def measure(database: sqlite3.Connection, newsroom: Newsroom, known: list[Copy], new: int) -> str:
    """Milliseconds to link `new` articles, one by one; the store is left as it was."""
    times: list[float] = []
    right = hoped = stray = 0
    for at in range(new):
        target = newsroom.random.randrange(len(known))
        rewrites = at % 3 == 0
        copy = newsroom.rewritten(known[target]) if rewrites else newsroom.copy()
        start = time.perf_counter()
        linked = link_one(database, len(known) + 1, copy)
        times.append((time.perf_counter() - start) * 1000)
        database.rollback()
        hoped += rewrites
        right += rewrites and target + 1 in linked
        stray += len(linked) - (rewrites and target + 1 in linked)
    ninth = statistics.quantiles(times, n=20)[-1]
    return (
        f"{len(known):>9,} {statistics.median(times):>9.2f} {ninth:>9.2f} "
        f"{right:>6} of {hoped:<4} {stray:>6}"
    )


def grow(database: sqlite3.Connection, newsroom: Newsroom, known: list[Copy], size: int) -> None:
    while len(known) < size:
        copy = newsroom.copy()
        known.append(copy)
        store(database, len(known), copy.fingerprint())
    database.commit()


def rates(newsroom: Newsroom) -> Iterator[str]:
    copies = [newsroom.copy() for _ in range(1_000)]
    for _ in range(2):  # the second round with the caches of stems and names filled
        start = time.perf_counter()
        for copy in copies:
            copy.fingerprint()
        spent = time.perf_counter() - start
        yield f"{len(copies) / spent:,.0f} fingerprints a second, texts of {LENGTH:,} characters"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("--sizes", default="1000,10000,100000")
    arguments.add_argument("--new", type=int, default=200)
    chosen = arguments.parse_args()
    newsroom = Newsroom(seed=1)
    for line in rates(newsroom):
        print(line)
    print(" articles median ms    95% ms  rewrites linked  other links")
    with tempfile.TemporaryDirectory() as folder:
        database = sqlite3.connect(Path(folder) / "stories.sqlite")
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA cache_size = -64000")
        database.executescript(SCHEMA)
        known: list[Copy] = []
        for size in map(int, chosen.sizes.split(",")):
            grow(database, newsroom, known, size)
            print(measure(database, newsroom, known, chosen.new))
        database.close()


if __name__ == "__main__":
    main()
