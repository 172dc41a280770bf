"""Archives (RFC 5005 §4), what a feed holds beside its newest articles, and tombstones (RFC 6721)."""

import io
import random
import tracemalloc
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import feedparser
import pytest
from lxml import etree

from digest.feeds.archives import archive_files, archive_marks, keep_archives
from digest.feeds.publish import MOST, feed_views, publish
from digest.model import Embargo
from digest.newsroom import Newsroom
from digest.sources.store import Document, add_article, revise_article, save_document, save_source
from digest.store.articles import (
    find_article,
    latest_ids,
    open_at,
    readmit_article,
    withdraw_article,
)
from digest.store.database import open_database, text_from_moment
from digest.themes.store import save_matches, save_themes
from tests.desks import MADE_AT, opened
from tests.factories import make_entry, make_match, make_settings

A = "{http://www.w3.org/2005/Atom}"
FH = "{http://purl.org/syndication/history/1.0}"
AT = "{http://purl.org/atompub/tombstones/1.0}"
SIZE = 5
BASE = "https://news.example.org/feeds/"


class Room:
    """A store that is published after each step, and a clock."""

    def __init__(self, folder: Path) -> None:
        self.settings = make_settings(folder, feeds={"path": folder / "feeds", "entries": SIZE})
        self.folder = self.settings.feeds.path
        self.now = MADE_AT
        self.count = 0

    def __enter__(self) -> "Room":
        self.db = open_database(self.settings.store.path, now=MADE_AT)
        with self.db.write():
            self.source = save_source(self.db, "wire", "documents", "Wire copy", self.now)
            save_themes(self.db, list(self.settings.theme_names.values()), "en")
            document = Document(name="1", sha256="x", size=1)
            self.document = save_document(self.db, self.source, document, self.now)
        return self

    def __exit__(self, *_: object) -> None:
        self.db.close()

    def entry(self, number: int, **more: Any) -> Any:
        language = "ru" if number % 3 == 0 else "en"
        said = {"title": f"News {number}", "text": f"Secret {number} was found.", **more}
        return make_entry(line=number, language=language, **said)

    def add(self, count: int = 1) -> list[int]:
        added = []
        with self.db.write():
            for _ in range(count):
                self.count += 1
                one = add_article(
                    self.db,
                    self.source,
                    "wire",
                    self.document,
                    self.entry(self.count),
                    archived=False,
                    moment=self.now,
                )
                save_matches(self.db, one, [make_match("drugs")] if self.count % 2 else [])
                added.append(one)
        return added

    def change(self, what: Any, *arguments: Any) -> None:
        with self.db.write():
            what(self.db, *arguments)

    def revise(self, article: int, **more: Any) -> None:
        entry = self.entry(article, **more)
        self.change(revise_article, article, self.document, entry, self.now)

    def join(self, *articles: int) -> None:
        with self.db.write():
            story = self.db.insert("stories", {"made_at": text_from_moment(self.now)})
            for one in articles:
                self.db.run("UPDATE articles SET story_id = ? WHERE id = ?", (story, one))

    def publish(self, **time: float) -> None:
        self.now += timedelta(**(time or {"minutes": 1}))
        publish(self.newsroom)

    def load(self, name: str) -> Any:
        return etree.fromstring((self.folder / name.removeprefix(BASE)).read_bytes())

    def archives(self) -> dict[str, bytes]:
        return {
            path.name: path.read_bytes()
            for path in sorted((self.folder / "archives").glob("*"))
            if path.suffix in {".atom", ".rss"}
        }

    def ids(self, slug: str = "all") -> list[str]:
        return [one.findtext(f"{A}id") for one in self.load(f"{slug}.atom").iterfind(f"{A}entry")]

    def follow(self, slug: str, form: str) -> list[list[str]]:
        """The ids of the feed, and of each archive before it."""
        found, name = [], f"{slug}.{form}"
        while name:
            head = self.load(name) if form == "atom" else self.load(name)[0]
            entries = head.iterfind(f"{A}entry") if form == "atom" else head.iterfind("item")
            found.append([e.findtext(f"{A}id") or e.findtext("guid") for e in entries])
            links = [one for one in head.iterfind(f"{A}link") if one.get("rel") == "prev-archive"]
            name = links[0].get("href") if links else ""
        return found

    def held(self, slug: str) -> list[str]:
        """What the channel holds by the store, newest first."""
        theme, _, language = slug.partition(".")
        if theme not in self.settings.theme_keys:
            theme, language = "", "" if theme == "all" else theme
        ids = latest_ids(
            self.db,
            theme=theme or None,
            language=language or None,
            story_once=bool(language),
            until=self.now,
        )
        known = {row["id"]: row["atom_id"] for row in self.db.rows("SELECT * FROM articles")}
        return [known[i] for i in ids]

    @property
    def newsroom(self) -> Newsroom:
        return opened(self.db, self.settings, clock=lambda: self.now)


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    with Room(tmp_path) as room:
        yield room


@pytest.mark.drill
@pytest.mark.parametrize("seed", range(3))
def test_nothing_is_in_neither_feed_nor_archive_and_archives_stay(room: Room, seed: int) -> None:
    """Whatever comes, at once or slowly, and whatever editors do: each feed with its archives has every
    article of its channel, in one archive at most; an archive changes only with a withdrawal. A channel of
    a language has each story once."""
    draw = random.Random(seed)  # noqa: S311 - the same walk at each run
    said = dict.fromkeys(("all", "drugs", "en", "ru", "drugs.en"), "")
    for _ in range(25):
        before, ids = room.archives(), set[str]()
        step = draw.choice(
            ["add", "add", "burst", "revise", "withdraw", "undo", "theme", "join", "wait"]
        )
        article = draw.randint(1, room.count or 1)
        if not room.count or step == "add":
            room.add(draw.randint(1, SIZE))
        elif step == "burst":
            room.add(draw.randint(SIZE, 40))
        elif step == "revise":
            room.revise(article, text=f"Secret {article} was lost at {draw.random()}.")
        elif step in ("withdraw", "undo"):
            change = withdraw_article if step == "withdraw" else readmit_article
            room.change(change, article, room.now)
            ids = {room.db.value("SELECT atom_id FROM articles WHERE id = ?", (article,))}
        elif step == "theme":
            themes = draw.choice([[], ["drugs"], ["youth"]])
            room.change(save_matches, article, [make_match(theme) for theme in themes])
        elif step == "join":
            room.join(article, draw.randint(1, room.count))
        room.publish(hours=draw.choice([0.1, 1, 30, 400]))
        after = room.archives()
        for name, data in before.items():
            assert after[name] == data or any(one.encode() in data for one in ids), name
        for slug, updated_before in said.items():
            for form in ("atom", "rss"):
                feed, *archives = room.follow(slug, form)
                archived = [one for archive in archives for one in archive]
                assert len(archived) == len(set(archived))
                held = room.held(slug)
                assert set(held) <= {*feed, *archived}
                assert feed == [one for one in held if one in feed], "in order, and none that left"
                assert all(len(archive) == SIZE for archive in archives)
                assert len(feed) == len(set(feed)) <= MOST
            said[slug] = room.load(f"{slug}.atom").findtext(f"{A}updated")
            assert said[slug] >= updated_before


def test_an_archive_says_that_it_is_one(room: Room) -> None:
    """RFC 5005 §4: fh:archive, self, current and prev-archive; the id is the feed's own. Appendix B: in
    RSS by atom:link."""
    room.add(2 * SIZE)
    room.publish()
    for form in ("atom", "rss"):
        feed, archive = room.load(f"all.{form}"), room.load(f"archives/all.2.{form}")
        heads = [feed, archive] if form == "atom" else [feed[0], archive[0]]
        links = [{one.get("rel"): one.get("href") for one in h.iterfind(f"{A}link")} for h in heads]
        assert links[0]["prev-archive"] == f"{BASE}archives/all.2.{form}"
        assert "current" not in links[0]
        assert links[1]["self"] == f"{BASE}archives/all.2.{form}"
        assert links[1]["current"] == links[0]["self"] == f"{BASE}all.{form}"
        assert links[1]["prev-archive"] == f"{BASE}archives/all.1.{form}"
        assert [len(head.findall(f"{FH}archive")) for head in heads] == [0, 1]
        assert heads[0].findtext(f"{A}id") == heads[1].findtext(f"{A}id")
        first = room.load(f"archives/all.1.{form}")
        assert b"prev-archive" not in etree.tostring(first)
        parsed = feedparser.parse(io.BytesIO(etree.tostring(archive)))
        assert (parsed.bozo, len(parsed.entries)) == (False, SIZE)


def test_an_old_article_that_is_withdrawn_reaches_followers(room: Room) -> None:
    """RFC 6721 §3: its tombstone is newer than the entry that readers have, and older than the one that
    says so, which it therefore leaves; its text is gone everywhere."""
    came = room.now
    room.add(4 * SIZE)
    room.publish(days=3)
    assert len(room.ids()) == SIZE
    room.change(withdraw_article, 7, room.now)
    room.publish()
    feed, archive = room.load("all.atom"), room.load("archives/all.2.atom")
    for document in (feed, archive):
        [tombstone] = document.iterfind(f"{AT}deleted-entry")
        [entry] = [
            one
            for one in document.iterfind(f"{A}entry")
            if one.findtext(f"{A}id") == tombstone.get("ref")
        ]
        assert entry.findtext(f"{A}title") == "Withdrawn: News 7"
        assert came < moment(tombstone.get("when")) < moment(entry.findtext(f"{A}updated"))
        assert b"Secret 7 " not in etree.tostring(document)
    assert b"Secret 7 " not in b"".join(room.archives().values())
    room.publish(days=15)
    assert len(room.ids()) == SIZE


def test_a_feed_has_all_of_two_days_but_is_bounded(room: Room) -> None:
    """A burst is in the feed for a reader that does not know of archives, up to 500 of it."""
    room.add(300)
    room.publish()
    assert len(room.ids()) == 300
    room.publish(hours=47)
    assert len(room.ids()) == 300
    room.add(MOST)
    room.publish()
    assert len(room.ids()) == MOST
    room.publish(hours=50)
    assert len(room.ids()) == SIZE


def test_copy_under_an_embargo_is_archived_after_its_hour(room: Room) -> None:
    """Its number in the channel is that of its release, not of its receipt."""
    room.add(SIZE)
    hour = room.now + timedelta(days=1)
    room.change(
        lambda db: db.run("UPDATE articles SET opens_at = '9', first_seen_at = '9' WHERE id = 2")
    )
    room.change(open_at, 2, hour, room.now)
    room.publish()
    assert (len(room.ids()), room.archives()) == (SIZE - 1, {})
    room.publish(days=1)
    assert len(room.ids()) == SIZE
    assert set(room.archives()) == {"all.1.atom", "all.1.rss"}


def test_corrections_have_a_feed_of_their_own(room: Room) -> None:
    """What was corrected or withdrawn, however long ago, the last first; it has no archive."""
    room.add(4 * SIZE)
    room.publish(days=1)
    room.revise(2, title="News 2, corrected")
    room.publish(days=20)
    room.change(withdraw_article, 3, room.now)
    room.publish(days=20)
    [gone, corrected] = room.load("corrections.atom").iterfind(f"{A}entry")
    assert gone.findtext(f"{A}title") == "Отозвано: News 3"
    assert "Changed on 17\N{NO-BREAK SPACE}November" in corrected.findtext(f"{A}summary")
    assert len(room.ids("corrections.en")) == len(room.ids("corrections.ru")) == 1
    assert not [name for name in room.archives() if name.startswith("corrections")]


def test_a_theme_that_is_taken_away_does_not_turn_a_feed_back(room: Room) -> None:
    """Its newest article leaves the feed, and a reader that compares `updated` still loads it."""
    room.add(3)
    room.publish()
    before = room.load("drugs.atom").findtext(f"{A}updated")
    room.change(save_matches, 3, [])
    room.publish()
    assert len(room.ids("drugs")) == 1
    assert room.load("drugs.atom").findtext(f"{A}updated") == before


def test_a_shorter_feed_closes_archives_at_once(room: Room) -> None:
    """Else what waits would be more than the feed shows."""
    room.add(SIZE - 1)
    room.publish()
    room.settings = make_settings(room.folder.parent, feeds={"path": room.folder, "entries": 2})
    room.publish(days=9)
    [feed, *archives] = room.follow("all", "atom")
    assert (len(feed), len(archives)) == (2, 2)


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_entries_of_one_batch_have_moments_of_their_own(room: Room) -> None:
    """RFC 4287 §3.3: accidental equality is inappropriate; and none lies ahead."""
    room.add(300)
    room.publish()
    room.change(lambda db: [withdraw_article(db, one, room.now) for one in (1, 2, 9)])
    room.publish()
    feeds = [*room.folder.glob("*.atom"), *room.folder.glob("archives/*.atom")]
    for path in feeds:
        entries = etree.parse(path).iterfind(f"{A}entry")
        moments = [one.findtext(f"{A}updated") for one in entries]
        assert len(set(moments)) == len(moments), path
        assert all(one.endswith("Z") for one in moments)
        assert all(moment(one) <= room.now for one in moments)
    assert len(feeds) > 100
    assert len(room.ids()) == 300


def test_a_withdrawn_article_does_not_move_when_its_copy_changes(room: Room) -> None:
    """Readers would be told again of what they know, and its archive would change."""
    room.add(4 * SIZE)
    room.change(withdraw_article, 4, room.now)
    room.publish()
    before = {path: path.read_bytes() for path in room.folder.rglob("*.atom")}
    room.revise(4, text="Another secret was found.")
    room.publish(hours=1)
    assert {path: path.read_bytes() for path in room.folder.rglob("*.atom")} == before


def test_copy_that_comes_with_a_correction_counts_from_when_it_opens(room: Room) -> None:
    """An embargo that an editor ends: readers learn of the correction then, and not in the year 9999."""
    room.add(1)
    hold = Embargo(None, "HOLD FOR RELEASE")
    held = room.entry(2, correction="it was found in May", embargo=hold)
    with room.db.write():
        number = add_article(
            room.db, room.source, "wire", room.document, held, archived=False, moment=room.now
        )
    room.publish()
    assert room.ids("corrections") == []
    room.revise(number, correction="it was found in June", embargo=hold)
    room.publish(hours=1)
    room.change(open_at, number, None, room.now)
    room.publish()
    article = find_article(room.db, number)
    assert article.corrected_at == article.first_seen_at < room.now
    assert room.ids("corrections") == [article.atom_id]


def test_a_correction_that_is_taken_out_of_copy_is_none(room: Room) -> None:
    """Nothing could be said of it."""
    room.add(1)
    room.revise(1, correction="it was found in May")
    room.publish()
    assert len(room.ids("corrections")) == 1
    room.revise(1)
    room.publish()
    assert room.ids("corrections") == []


def test_the_corrections_of_a_language_are_not_pushed_out_by_those_of_another(room: Room) -> None:
    """A small desk's readers see its corrections, however much a large one corrects."""
    room.add(3 * SIZE)
    room.revise(3, title="Исправлено")
    room.now += timedelta(days=1)
    for number in range(4, 3 * SIZE):
        if number % 3:
            room.revise(number, title=f"News {number}, corrected")
    room.publish()
    assert len(room.ids("corrections")) == len(room.ids("corrections.en")) == SIZE
    assert len(room.ids("corrections.ru")) == 1


def test_published_again_an_archive_is_as_before(room: Room) -> None:
    """Corrected, filed otherwise or joined to others it stays; withdrawn, only its own archives change."""
    room.add(2 * SIZE)
    room.publish()
    before = room.archives()
    room.revise(1, title="News 1, corrected")
    room.change(save_matches, 2, [make_match("youth")])
    room.join(3, 6)
    room.publish(days=1)
    assert before.items() <= room.archives().items()
    room.change(withdraw_article, 2, room.now)
    room.publish(days=1)
    changed = {name for name, data in before.items() if room.archives()[name] != data}
    assert changed == {f"{slug}.1.{form}" for slug in ("all", "en") for form in ("atom", "rss")}
    room.change(readmit_article, 2, room.now)
    room.publish(days=1)
    assert before.items() <= room.archives().items()


def test_many_corrections_elsewhere_hide_none_of_a_theme(room: Room) -> None:
    """A feed looks for its own."""
    room.add(2 * MOST + 20)
    room.now += timedelta(days=9)
    room.change(withdraw_article, 1, room.now)
    room.now += timedelta(hours=1)
    for article in range(2, 2 * MOST + 10, 2):  # none of them is on drugs
        room.revise(article, title="Corrected")
    views = {view.channel.slug: view.articles for view in feed_views(room.newsroom, room.now)}
    assert 1 in {article.id for article in views["drugs"]}
    assert len(views["all"]) == MOST


def test_what_waits_for_an_archive_is_in_a_full_feed_too(room: Room) -> None:
    """Of a feed of 300 the newest leave no room for all else; what is in no archive comes first."""
    room.settings = make_settings(
        room.folder.parent, feeds={"path": room.folder, "entries": MOST - 100}
    )
    room.add(MOST - 101)
    room.publish(days=9)
    room.now += timedelta(days=9)
    room.add(MOST)
    room.publish()
    feed, *archives = room.follow("all", "atom")
    assert len(feed) == MOST
    assert set(room.held("all")) == {*feed, *(one for archive in archives for one in archive)}


def test_a_theme_that_comes_back_has_its_archives(room: Room) -> None:
    """While it was not in config.toml it had no feed; what came then is archived as well."""
    room.add(3 * SIZE)
    room.publish()
    before, settings = room.archives(), room.settings
    themes = tuple(theme for theme in settings.themes if theme.name != "drugs")
    room.settings = settings.model_copy(update={"themes": themes})
    room.add(3 * SIZE)
    room.publish()
    assert not [name for name in room.archives() if name.startswith("drugs")]
    room.settings = settings
    room.publish()
    assert before.items() <= room.archives().items()
    assert set(room.held("drugs")) <= {one for part in room.follow("drugs", "rss") for one in part}


def test_without_news_nothing_is_written(room: Room) -> None:
    """However late it is; and looking at feeds, as a rehearsal of themes does, never writes."""
    room.add(4 * SIZE)
    with open_database(room.settings.store.path, read_only=True) as other:
        before = other.version()
        feed_views(room.newsroom, room.now)
        assert other.version() == before
        room.publish()
        before = other.version()
        room.publish(hours=1)
        assert other.version() == before


def test_an_archive_of_another_past_has_another_mark(room: Room) -> None:
    """After a backup was restored the same number may hold other articles, or other versions."""
    room.add(2 * SIZE)
    keep_archives(room.newsroom, room.now)
    marks = archive_marks(room.newsroom, None)
    with room.db.write():
        room.db.run("UPDATE archive_entries SET updated_at = '2026' WHERE article_id = 3")
    again = archive_marks(room.newsroom, None)
    changed = {name: mark for name, mark in again.items() if marks[name] != mark}
    assert set(changed) == {
        f"archives/{n}.1.{form}" for n in ("all", "drugs") for form in ("atom", "rss")
    }
    assert archive_marks(room.newsroom, [3]) == changed


def test_archives_take_little_memory_however_much_comes_at_once(room: Room) -> None:
    """Of 600 articles with 20,000 letters each the texts are never all in memory: those of one archive."""
    room.settings = make_settings(room.folder.parent, feeds={"path": room.folder, "entries": 20})
    room.add(600)
    for table in ("articles", "article_versions"):
        sql = f"UPDATE {table} SET text = printf('%.20000c', 'x')"  # noqa: S608 - ours
        room.change(lambda db, sql=sql: db.run(sql))
    tracemalloc.start()
    keep_archives(room.newsroom, room.now)
    names = [name for name in archive_marks(room.newsroom, None) if ".1." in name]
    assert len([1 for _ in archive_files(room.newsroom, names)]) == len(names) > 4
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3_000_000


def test_one_new_article_is_looked_at_alone(room: Room) -> None:
    """The steps that SQLite makes for it, among few and among many."""
    made = []
    for count in (100, 1500):
        room.add(count)
        room.revise(count, title="Corrected")
        keep_archives(room.newsroom, room.now)
        room.now += timedelta(days=20)
        room.add(SIZE)
        steps: list[int] = []
        room.db.connection.set_progress_handler(lambda steps=steps: steps.append(1), 50)
        keep_archives(room.newsroom, room.now)
        feed_views(room.newsroom, room.now)
        assert archive_marks(room.newsroom, [50, room.count])
        room.db.connection.set_progress_handler(None, 0)
        made.append(len(steps))
    assert made[1] < 2 * made[0]


def test_the_page_is_the_first_alternate(room: Room) -> None:
    """Readers take that one; the <link> of RSS is the page too. An archive links no other form."""
    room.add(SIZE)
    room.publish()
    for name in ("all", "archives/all.1"):
        first = next(room.load(f"{name}.atom").iterfind(f"{A}link"))
        assert (first.get("rel"), first.get("href")) == ("alternate", f"{BASE}all.html")
        assert room.load(f"{name}.rss").findtext("channel/link") == f"{BASE}all.html"
    links = room.load("archives/all.1.atom").iterfind(f"{A}link")
    assert [one.get("rel") for one in links] == ["alternate", "self", "current"]


@pytest.mark.parametrize(
    ("minutes", "ttl"),
    [
        pytest.param(0, 60, id="all at once"),
        pytest.param(1, 5, id="as long as the server says, at least"),
        pytest.param(95, 10, id="a tenth of the time between two, upwards"),
        pytest.param(3000, 60, id="an hour at most"),
    ],
)
def test_ttl_follows_the_pace_of_the_feed(room: Room, minutes: int, ttl: int) -> None:
    """A reader need not ask sooner than news may come; an archive needs no second look."""
    room.settings = room.settings.model_copy(
        update={"web": room.settings.web.model_copy(update={"cache_seconds": 300})}
    )
    for _ in range(25):
        room.add()
        room.now += timedelta(minutes=minutes)
    room.publish()
    assert room.load("all.rss").findtext("channel/ttl") == str(ttl)
    assert room.load("archives/all.1.rss").find("channel/ttl") is None
