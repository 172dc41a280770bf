"""What one new article costs to publish, beside a rebuild of all feeds with feedgen.

    python bench/publish.py [--huge] [--years 10] [--rounds 7] [--folder FOLDER]

Newsrooms of 1,000, 10,000 and 100,000 articles (with --huge also of 1,000,000) are built by SQL in the
real schema, and published whole. Then articles arrive one by one, each stored by the functions of
ingest and published alone, in turns over the newsrooms, so that a busy machine slows all alike. The
rebuild is feedgen as its manual shows it: each of our feeds, with all its articles of 10,000, as Atom
and RSS, written to a folder. With --huge only the pages of the smallest are rendered: the manifest says that
they are there, as after a publish, and files of one letter stand for them. After each publish the pages of
the site on which the article is are made: front, theme, article, a story, its part of the sitemap and the list
of parts. Articles are spread over so many years: a feed has all of 48 hours, so with 1,000,000 in ten years it
has 500 entries, not 50, whatever the stock; with --years 100 all feeds are alike. With FOLDER the newsrooms
stay, and are built only once.

Target: growth of at most 2 from the smallest to the largest; 100 times as fast as the rebuild of all
articles; a full publish of 100,000 under 250 MB.
"""

import argparse
import compileall
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import store as large
from feedgen.feed import FeedGenerator

from digest.feeds.channels import channels
from digest.feeds.files import MANIFEST, Folder, part_of
from digest.feeds.items import items_of
from digest.feeds.layout import Layout
from digest.feeds.pages import article_name
from digest.feeds.publish import basis_of, page_mark, publish
from digest.feeds.store import Progress, save_progress
from digest.newsroom import Newsroom
from digest.store.articles import article_marks, articles_by_id, latest_articles
from digest.store.database import text_from_moment
from digest.stories.fingerprints import fingerprint
from digest.stories.store import save_fingerprint
from digest.web.about import PLACES
from digest.web.site import Site
from digest.web.store import RANGE

SIZES = (1_000, 10_000, 100_000)
HUGE = 1_000_000
FULL = """
import json, sys, time
from pathlib import Path
from digest.feeds.publish import publish
from digest.newsroom import Newsroom
with Newsroom.from_file(Path(sys.argv[1])).open() as newsroom:
    began = time.perf_counter()
    report = publish(newsroom)
    seconds = time.perf_counter() - began
status = Path("/proc/self/status").read_text()  # getrusage counts what we had before exec
peak = int(status.partition("VmHWM:")[2].split()[0]) * 1024 / 1e6
print(json.dumps([seconds, peak, len(report.written)]))
"""


class Room:
    """A newsroom of that many articles, published."""

    def __init__(self, folder: Path, articles: int, pretend: bool) -> None:
        if built := not folder.exists():
            folder.mkdir(parents=True)
            large.furnish(folder, 10.0)
            large.build(folder, articles, 0, 1, 400 if articles == HUGE else 1000)
        self.articles = articles
        self.newsroom = Newsroom.from_file(folder / "config.toml")
        self.took: list[float] = []
        self.shown: dict[str, list[float]] = {}
        self.site = Site(self.newsroom, PLACES, limit=1, seconds=time.monotonic)
        if built and pretend:
            self.pretend()
        words = [sys.executable, "-c", FULL, str(folder / "config.toml")]
        output = subprocess.run(words, check=True, capture_output=True, text=True).stdout
        seconds, peak, files = json.loads(output)
        target = ", target 250" if articles == SIZES[-1] else ""
        print(f"  {files:,} files in {seconds:.1f} s, peak {peak:.0f} MB{target}", flush=True)

    def pretend(self) -> None:
        """All pages as one letter, and the manifest as a publish leaves it."""
        place = Folder(self.newsroom.settings.feeds.path)
        (place.path / "articles").mkdir(parents=True)
        with self.newsroom.open() as newsroom:
            basis, now = basis_of(newsroom), newsroom.now()
            marks = article_marks(newsroom.db, now, range(1, self.articles + 1))
            for number in marks:
                (place.path / article_name(number)).write_bytes(b"x")
            lines: dict[str, list[str]] = {}
            for number, mark in marks.items():
                name = article_name(number)
                state = "3 1796000000000000000 1796000000000000000"
                lines.setdefault(part_of(name), []).append(
                    f"{name} {page_mark(basis, mark)} {state}\n"
                )
            for part, own in lines.items():
                place.note(f"{MANIFEST}/{part}", "".join(sorted(own)))
            Layout(place).sign("pretended", basis)
            with newsroom.db.write():
                run = Progress(self.articles, now, "pretended")
                save_progress(newsroom.db, place.name, run)

    def show(self, number: int, story: int) -> float:
        """Seconds to make the pages on which an article is."""
        began = time.perf_counter()
        for kind, path in (
            ("front", "/en/"),
            ("theme", "/en/themes/drugs"),
            ("article", f"/en/articles/{number}"),
            ("story", f"/en/stories/{story}"),
            ("sitemap part", f"/sitemap-{number // RANGE}.xml"),
            ("sitemap", "/sitemap.xml"),
        ):
            before = time.perf_counter()
            place, names = self.site._match(path) or sys.exit(path)
            page = self.site._make(place, names, {})
            assert page is not None and page.status == 200, path  # noqa: S101, PT018 - what is timed was done
            self.shown.setdefault(kind, []).append(time.perf_counter() - before)
        return time.perf_counter() - began

    def publish_one(self) -> float:
        """Seconds to publish an article that has just arrived, under a theme, and to make its pages."""
        with self.newsroom.open() as newsroom:
            db = newsroom.db
            number = int(db.value("SELECT max(id) FROM articles")) + 1
            row = db.row("SELECT * FROM articles WHERE id = 1") or {}
            at = text_from_moment(newsroom.now())
            title = f"Officers of the customs met at border post {number}"
            row |= {
                "id": number,
                "atom_id": f"urn:uuid:{number:032x}",
                "title": title,
                "story_id": None,
            }
            row |= {"language": "en", "first_seen_at": at, "updated_at": at, "received_at": at}
            match = "INSERT INTO matches SELECT ?, 'drugs', 'en', 1, 1.4, 1.0, 'lexicon', lexicon_version, ? FROM articles WHERE id = 1"
            with db.write():
                db.insert("articles", row)
                version = "INSERT INTO article_versions SELECT ?, version, {0} FROM article_versions WHERE article_id = 1"
                columns = [one["name"] for one in db.rows("PRAGMA table_info(article_versions)")]
                db.run(version.format(", ".join(columns[2:])), (number,))
                db.run(match, (number, '{"hits": [], "blotted": []}'))
            began = time.perf_counter()
            report = publish(newsroom)
            seconds = time.perf_counter() - began
            newest = """SELECT min(id) FROM articles WHERE story_id IS NOT NULL GROUP BY story_id
                         HAVING count(*) > 1 ORDER BY 1 DESC LIMIT 1"""
            story = int(db.value(newest))
            with db.write():
                for article in articles_by_id(db, [story, story + 1]):
                    made = fingerprint(
                        title=article.title,
                        text=article.text,
                        language=article.language,
                        day=article.published.day,
                    )
                    save_fingerprint(db, article.id, made)
        self.shown.setdefault("publish", []).append(seconds)
        seconds += self.show(number, story)
        assert article_name(number) in report.written, report  # noqa: S101 - what is timed was done
        assert len(report.written) < 40, report  # noqa: S101
        return seconds


def rebuild(newsroom: Newsroom, folder: Path) -> tuple[float, int]:
    """Seconds that feedgen takes for all feeds with all their articles, and how many entries these are."""
    settings, entries = newsroom.settings, 0
    began = time.perf_counter()
    for channel in channels(settings):
        found = latest_articles(newsroom.db, theme=channel.theme, language=channel.language)
        items = items_of(found, {}, settings)
        feed = FeedGenerator()
        feed.id(channel.url(settings, "atom"))
        feed.title(channel.title)
        feed.description(channel.about)
        feed.author(name=settings.site.author, email=settings.site.contact)
        feed.link(href=channel.url(settings, "atom"), rel="self")
        for item in items.values():
            entry = feed.add_entry(order="append")
            entry.id(item.article.atom_id)
            entry.title(item.title)
            entry.link(href=item.url)
            entry.updated(item.updated)
            entry.summary(item.summary)
            entry.content(item.body_html, type="html")
        entries += len(items)
        feed.atom_file(str(folder / f"{channel.slug}.atom"), pretty=True)
        feed.rss_file(str(folder / f"{channel.slug}.rss"), pretty=True)
    return time.perf_counter() - began, entries


def main() -> None:
    asked = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    asked.add_argument("--huge", action="store_true")
    asked.add_argument("--years", type=int, default=10)
    asked.add_argument("--rounds", type=int, default=7)
    asked.add_argument("--folder", type=Path)
    given = asked.parse_args()
    large.WEEKS = 52 * given.years
    compileall.compile_dir(large.ROOT / "digest", quiet=1)
    with tempfile.TemporaryDirectory() as name:
        sizes = (*SIZES, HUGE) if given.huge else SIZES
        rooms = [
            Room((given.folder or Path(name)) / str(size), size, given.huge and size > 1_000)
            for size in sizes
        ]
        for one in range(given.rounds + 1):
            for room in random.sample(rooms, len(rooms)):
                seconds = room.publish_one()
                if one:  # the first one warms the disk and the templates
                    room.took.append(seconds)
        ours = {room.articles: statistics.median(room.took) for room in rooms}
        for size, seconds in ours.items():
            print(f"one new article into {size:>9,}, with its pages: {seconds * 1000:7.1f} ms")
        for kind in rooms[0].shown:
            took = (statistics.median(room.shown[kind][1:]) * 1000 for room in rooms)
            print(f"  {kind:<12} {' '.join(f'{one:8.1f}' for one in took)} ms")
        with rooms[1].newsroom.open() as newsroom:
            (folder := Path(name) / "rebuilt").mkdir()
            seconds, entries = rebuild(newsroom, folder)
        growth = max(ours.values()) / ours[SIZES[0]]
        print(f"growth {growth:.2f}, target 2")
        print(f"feedgen's rebuild of {SIZES[1]:,}: {seconds:.1f} s for {entries:,} entries twice")
        print(f"{seconds / ours[SIZES[1]]:.0f} times as fast, target 100")


if __name__ == "__main__":
    main()
