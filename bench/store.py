"""What a large store costs: `digest status`, /metrics, publishing, the start and the idle service.

    python bench/store.py [--articles 100000] [--idle 60]
    python bench/store.py --reading 10000
    python bench/store.py --large
    python bench/store.py [--large] --folder FOLDER [--build-only]

The first builds 100,000 articles with documents that a source holds, and publishes their feeds. The
second builds 1,000,000 articles and 500 editions with 20,000 recipients each: 10,000,000 deliveries
(about 6 GB, some minutes). Rows are made by SQL in the real schema, the same at each run. With
FOLDER the store is built there, unless it is there already, and stays. --reading ingests so many new
documents and shows, for each tenth of them, the pace, the longest write and the memory.
"""

import argparse
import compileall
import contextlib
import hashlib
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from digest.store.database import Database, open_database, text_from_moment

ROOT = Path(__file__).resolve().parents[1]
RECIPIENTS = 20_000
EDITIONS = 500
WEEKS = 500
PER_DOCUMENT = 20
BATCH = 20_000
THEMES = ("drugs", "customs", "corruption", "youth")
MONITOR = "of-this-bench-alone"
WORDS = {
    "en": "the customs border seminar officers training region project police meeting youth law",
    "ru": "таможня граница семинар офицеры обучение регион проект полиция встреча молодёжь закон",
}
COPY = (
    "version, language, title, title_made, lead, text, content_html, complete, published_at, "
    "date_source, date_evidence"
)


def digest(folder: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "digest", "--config", str(folder / "config.toml"), *words]


def furnish(folder: Path, every_minutes: float) -> None:
    """config.toml with a source of ours and no mail that could go out while we look."""
    text = (ROOT / "digest" / "config" / "config.toml").read_text("utf-8")
    text = text.replace("ingest_every_minutes = 10.0", f"ingest_every_minutes = {every_minutes}")
    text = text.replace("# monitor_token_file", "monitor_token_file")
    (folder / "config.toml").write_text(text, "utf-8")
    (folder / "seeds").mkdir(exist_ok=True)


def copy_of(number: int, draw: random.Random, signs: int) -> tuple[str, str, str]:
    """Language, title and text of an article."""
    language = "ru" if number % 3 == 0 else "en"
    words = WORDS[language].split()
    title = f"{' '.join(draw.choices(words, k=7)).capitalize()} {number}"
    text = " ".join(draw.choices(words, k=signs // 7)).capitalize() + "."
    return language, title, text


def add_documents(db: Database, folder: Path, articles: int, seen: datetime) -> int:
    """Files that ingest finds unchanged, and their rows; how many."""
    at = text_from_moment(seen)
    count = max(1, articles // PER_DOCUMENT)
    draw = random.Random(2)  # noqa: S311 - the same at each run

    def rows() -> Iterator[tuple[Any, ...]]:
        for number in range(1, count + 1):
            data = copy_of(number, draw, 4000)[2].encode()
            name = f"{number:06d}.txt"
            (folder / "seeds" / name).write_bytes(data)
            yield number, name, hashlib.sha256(data).hexdigest(), len(data), at, at

    db.run_many(
        """INSERT INTO documents (id, source_id, name, sha256, size, first_read_at, read_at)
           VALUES (?, 1, ?, ?, ?, ?, ?)""",
        rows(),
    )
    return count


def add_articles(
    db: Database, articles: int, documents: int, version: str, now: datetime, signs: int
) -> None:
    """Articles over the weeks until now; three of five under a theme, one of ten in a story."""
    draw = random.Random(1)  # noqa: S311 - the same at each run
    first = now - timedelta(weeks=WEEKS)
    step = timedelta(weeks=WEEKS) / articles
    names = ", ".join(f":{column}" for column in COPY.split(", "))
    for start in range(0, articles, BATCH):
        rows, matches = [], []
        for number in range(start + 1, min(start + BATCH, articles) + 1):
            language, title, text = copy_of(number, draw, signs)
            at = text_from_moment(first + step * number)
            rows.append(
                {
                    "id": number,
                    "atom_id": f"urn:uuid:{number:032x}",
                    "document_id": 1 + (number - 1) % documents,
                    "lexicon": version,
                    "story_id": number // 20 * 2 + 1 if number % 20 < 2 else None,
                    "at": at,
                    "version": 1,
                    "language": language,
                    "title": title,
                    "title_made": 0,
                    "lead": text[:200],
                    "text": text,
                    "content_html": f"<p>{text}</p>",
                    "complete": int(number % 4 > 0),
                    "published_at": at[:10] if number % 10 else None,
                    "date_source": "stated" if number % 10 else "unknown",
                    "date_evidence": "",
                }
            )
            if number % 5 < 3:
                matches.append((number, THEMES[number % 4], language, version))
        db.run_many(
            "INSERT INTO stories VALUES (?, NULL, ?) ON CONFLICT DO NOTHING",
            [(row["story_id"], row["at"]) for row in rows if row["story_id"]],
        )
        db.run_many(
            f"""INSERT INTO articles (id, atom_id, source_id, document_id, line, {COPY}, archived,
                  lexicon_version, story_id, received_at, first_seen_at, updated_at)
                VALUES (:id, :atom_id, 1, :document_id, :id, {names}, 0, :lexicon, :story_id,
                  :at, :at, :at)""",  # noqa: S608 - names are ours
            rows,
        )
        db.run_many(
            f"INSERT INTO article_versions (article_id, {COPY}, made_at) VALUES (:id, {names}, :at)",  # noqa: S608 - names are ours
            rows,
        )
        db.run_many(
            """INSERT INTO matches VALUES (?, ?, ?, 1, 1.4, 1.0, 'lexicon', ?,
                 '{"hits": [], "blotted": []}')""",
            matches,
        )


NUMBERS = """WITH RECURSIVE numbers (n) AS
  (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :count)"""
RECIPIENT = f"""{NUMBERS}
INSERT INTO recipients (id, address, address_key, language, status, added_at)
SELECT n, n || '@example.org', n || '@example.org', 'en', 'active', :at FROM numbers"""  # noqa: S608 - ours
DELIVERY = f"""{NUMBERS}
INSERT INTO deliveries (edition_id, recipient_id, segment_id, status, attempts, due_at, settled_at)
SELECT :edition, n, :edition,
       CASE WHEN n % 97 = 0 THEN 'failed' WHEN n % 89 = 0 THEN 'skipped'
            WHEN :open AND n % 3 = 0 THEN 'queued' WHEN :open AND n % 4001 = 0 THEN 'uncertain'
            ELSE 'sent' END, 1, CASE WHEN :open AND n % 3 = 0 THEN :later END, :at FROM numbers"""  # noqa: S608 - ours


def add_editions(db: Database, editions: int, recipients: int, now: datetime) -> None:
    """Weekly editions until three days ago, each with a delivery for each; the last is under way."""
    db.run(RECIPIENT, {"count": recipients, "at": text_from_moment(now - timedelta(weeks=WEEKS))})
    for number in range(1, editions + 1):
        ends = now - timedelta(days=3, weeks=editions - number)
        starts = ends - timedelta(weeks=1)
        at = text_from_moment(ends)
        row = {"digest": "weekly", "number": number, "hash": f"{number:064x}", "composed_at": at}
        bounds = {"starts_at": text_from_moment(starts), "ends_at": at, "recipients": recipients}
        db.insert("editions", {"id": number, **row, **bounds, "status": "composed"})
        db.insert(
            "segments",
            {
                "edition_id": number,
                "language": "en",
                "languages": "",
                "themes": "",
                "hash": "",
                "layout": "{}",
            },
        )
        values = {"count": recipients, "edition": number, "open": number == editions, "at": at}
        values["later"] = text_from_moment(now + timedelta(days=365))
        db.run(DELIVERY, values)
        db.run(
            """INSERT INTO placements SELECT ?, row_number() OVER (ORDER BY id), id, 1, story_id,
                 '[]', '[]' FROM articles WHERE first_seen_at >= ? AND first_seen_at < ? LIMIT 50""",
            (number, text_from_moment(starts), at),
        )


def build(folder: Path, articles: int, editions: int, recipients: int, signs: int) -> None:
    """A store whose triggers and indexes are made last, which is faster, with the same result."""
    from digest.newsroom import Newsroom
    from digest.themes.lexicon import lexicon_version

    newsroom = Newsroom.from_file(folder / "config.toml")
    version = lexicon_version(newsroom.settings.themes)
    now = newsroom.now().replace(microsecond=0)
    with newsroom.open() as newsroom:
        db = newsroom.db
        db.run("PRAGMA synchronous = OFF")
        db.run("PRAGMA cache_size = -1000000")  # the default is 2 MB
        made = "SELECT type, name, sql FROM sqlite_master WHERE type IN ('trigger', 'index')"
        later = [row for row in db.rows(made) if row["sql"] is not None]
        for row in later:
            db.run(f"DROP {row['type']} {row['name']}")
        themes = [(name, name, i) for i, name in enumerate(THEMES)]
        with db.write():
            at = text_from_moment(now)
            db.run("INSERT INTO sources VALUES (1, 'seeds', 'documents', 'Wire copy', ?)", (at,))
            db.run_many("INSERT INTO themes VALUES (?, ?, ?)", themes)
            documents = add_documents(db, folder, articles, now)
            add_articles(db, articles, documents, version, now, signs)
        with db.write():
            add_editions(db, editions, recipients, now)
        db.run("INSERT INTO article_marks SELECT id, random(), id FROM articles")
        for row in later:
            db.run(row["sql"])
    size = newsroom.settings.store.path.stat().st_size / 1e9
    print(f"built {articles:,} articles, {editions * recipients:,} deliveries: {size:.1f} GB")


@dataclass(frozen=True)
class Taken:
    """Seconds on the clock and of the processor, and the output of a command."""

    seconds: float
    processor: float
    output: str = ""


def timed(command: list[str]) -> Taken:
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Taken(seconds, used, done.stdout)


def show(name: str, taken: list[Taken], more: str = "") -> None:
    seconds = [one.seconds for one in taken]
    print(
        f"{name:<34} {statistics.median(seconds):7.3f} s  ({min(seconds):.3f}-{max(seconds):.3f}), "
        f"processor {statistics.median(one.processor for one in taken):.3f} s  {more}"
    )


def publishing(folder: Path) -> None:
    all_feeds = timed(digest(folder, "publish"))
    show("publish, the whole folder", [all_feeds], all_feeds.output.strip().splitlines()[-1])
    show("publish, nothing changed", [timed(digest(folder, "publish")) for _ in range(3)])
    taken = []
    for number in (7, 70, 77):
        with open_database(folder / "digest.db") as db, db.write():
            at = text_from_moment(datetime.now(UTC))  # noqa: TID251 - a bench is no verb
            sql = "UPDATE articles SET title = title || ' again', updated_at = ? WHERE id = ?"
            db.run(sql, (at, number))
        taken.append(timed(digest(folder, "publish")))
    show("publish, one article changed", taken)


def statuses(folder: Path) -> None:
    """Beside a command that only starts, so that a busy machine shows."""
    for words in (("--help",), ("status",), ("status", "--json")):
        show(" ".join(words), [timed(digest(folder, *words)) for _ in range(9)])


class Served:
    """A service on this folder, as it is measured."""

    def __init__(self, folder: Path) -> None:
        self.port = 18_000 + os.getpid() % 1000
        began = time.perf_counter()
        self.log = (folder / "serve.log").open("w")
        (folder / "monitor-token").write_text(MONITOR)
        self.process = subprocess.Popen(
            digest(folder, "serve", "--port", str(self.port)), stderr=self.log
        )
        while self.process.poll() is None:
            with contextlib.suppress(OSError):
                if self.ask("/readyz")[0] == 200:
                    break
            time.sleep(0.01)  # noqa: TID251 - a bench waits for another program
        self.ready = time.perf_counter() - began

    def ask(self, path: str) -> tuple[int, bytes]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request("GET", path, headers={"Authorization": f"Bearer {MONITOR}"})
        answer = connection.getresponse()
        return answer.status, answer.read()

    def seconds(self) -> float:
        """Of the processor, since its start."""
        fields = (
            Path(f"/proc/{self.process.pid}/stat").read_text("ascii").rpartition(")")[2].split()
        )
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self) -> float:
        """Resident, in MB."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text("ascii").split()[1])
        return pages * resource.getpagesize() / 1e6

    def end(self) -> None:
        self.process.terminate()
        self.process.wait(60)
        self.log.close()


def serving(folder: Path, idle: int) -> None:
    starts = []
    for _ in range(5):
        service = Served(folder)
        starts.append(Taken(service.ready, service.seconds()))
        service.end()
    show("serve, start to /readyz 200", starts)
    service = Served(folder)
    while b'done_timestamp_seconds{verb="read"}' not in service.ask("/metrics")[1]:
        time.sleep(2)  # noqa: TID251 - the first wake-up looks at every published file
    before = service.seconds()
    time.sleep(idle)  # noqa: TID251 - idle is what is measured
    share = (service.seconds() - before) / idle
    print(f"{'idle':<34} {share:7.2%} of a core over {idle} s, {service.memory():.0f} MB resident")
    taken = []
    for _ in range(3):
        began, before = time.perf_counter(), service.seconds()
        service.ask("/metrics")
        taken.append(Taken(time.perf_counter() - began, service.seconds() - before))
        time.sleep(5.5)  # noqa: TID251 - an answer is cached for five seconds
    show("/metrics", taken)
    service.end()


def exposing(folder: Path) -> None:
    """The figures of /metrics from the database, without the service: it would publish all first."""
    code = """
import sys, time
from pathlib import Path
from digest.newsroom import Newsroom
from digest.service.health import of_store
newsroom = Newsroom.from_file(Path(sys.argv[1]))
for _ in range(2):
    began = time.perf_counter()
    with newsroom.open(read_only=True) as newsroom, newsroom.db.snapshot():
        metrics = list(of_store(newsroom, newsroom.now()))
    seconds = time.perf_counter() - began
print(seconds)
"""
    seconds = float(timed([sys.executable, "-c", code, str(folder / "config.toml")]).output)
    print(f"{'figures of /metrics':<34} {seconds:7.3f} s")


def ticking(folder: Path) -> None:
    """What a wake-up that finds nothing costs, in processor time, after the first one."""
    code = """
import json, resource, sys
from pathlib import Path
from digest.newsroom import Newsroom
from digest.service.plan import Verb
from digest.service.jobs import Worker
worker = Worker(Newsroom.from_file(Path(sys.argv[1])))
def spent():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
seconds = {}
for verb in (Verb.READ, Verb.COMPOSE):
    worker.run(verb, lambda: False)
    before = spent()
    worker.run(verb, lambda: False)
    seconds[verb] = spent() - before
print(json.dumps(seconds))
"""
    words = [sys.executable, "-c", code, str(folder / "config.toml")]
    for verb, seconds in json.loads(timed(words).output).items():
        print(f"{f'wake-up that finds nothing: {verb}':<34} {seconds:7.3f} s of the processor")


def reading(folder: Path, documents: int) -> None:
    """An ingest of documents with made-up names, a fifth of which rewrite an earlier one."""
    import stories

    from digest.newsroom import Newsroom
    from digest.sources.ingest import ingest

    room = stories.Newsroom(7)
    originals = [room.copy()]
    for number in range(documents):
        if number % 5:
            originals = [*originals[-50:], copy := room.copy()]
        else:
            copy = room.rewritten(room.random.choice(originals))
        text = f"{copy.title}\n\n{' '.join(copy.sentences)}\n"
        (folder / "seeds" / f"{number:06}.txt").write_text(text, "utf-8")
    writes: list[float] = []
    page = resource.getpagesize() / 1e6
    began = [time.perf_counter(), time.process_time()]

    class Timed(Database):
        @contextlib.contextmanager
        def write(self) -> Iterator[None]:
            with super().write():
                start = time.perf_counter()
                yield
            writes.append(time.perf_counter() - start)

    def progress(found: Any) -> Iterator[Any]:
        for number, one in enumerate(found, start=1):
            yield one
            if number % max(1, documents // 10) == 0 and writes:
                now = [time.perf_counter(), time.process_time()]
                seconds, processor = (a - b for a, b in zip(now, began, strict=True))
                writes.sort()
                print(
                    f"{number:>9,} documents {documents / 10 / seconds:6.1f} a second, "
                    f"{documents / 10 / processor:6.1f} a second of the processor; longest write "
                    f"{writes[-1]:.3f} s, 99 % {writes[int(len(writes) * 0.99)]:.3f} s; "
                    f"{int(Path('/proc/self/statm').read_text('ascii').split()[1]) * page:.0f} MB"
                )
                began[:] = time.perf_counter(), time.process_time()
                writes.clear()

    newsroom = Newsroom.from_file(folder / "config.toml")
    with newsroom.open() as newsroom:
        newsroom.db.__class__ = Timed
        ingest(newsroom, progress=progress)


def main() -> None:
    asked = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    asked.add_argument("--large", action="store_true")
    asked.add_argument("--articles", type=int, default=None)
    asked.add_argument("--reading", type=int)
    asked.add_argument("--idle", type=int, default=60)
    asked.add_argument("--folder", type=Path)
    asked.add_argument("--build-only", action="store_true")
    given = asked.parse_args()
    # What any first run leaves behind, even if Python writes no byte code.
    compileall.compile_dir(ROOT / "digest", quiet=1)
    articles = given.articles or (1_000_000 if given.large else 100_000)
    with contextlib.ExitStack() as stack:
        folder = given.folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(exist_ok=True)
        furnish(folder, 10.0)
        if given.reading:
            reading(folder, given.reading)
            return
        if not (folder / "digest.db").exists():
            editions, recipients = (EDITIONS, RECIPIENTS) if given.large else (20, 200)
            build(folder, articles, editions, recipients, 400 if given.large else 1000)
        if given.build_only:
            return
        statuses(folder)
        if given.large:
            exposing(folder)
            return
        publishing(folder)
        ticking(folder)
        serving(folder, given.idle)


if __name__ == "__main__":
    main()
