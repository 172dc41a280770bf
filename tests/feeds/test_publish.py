"""The verb `publish` on a real store: the files it writes, leaves alone and removes."""

import io
import json
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import feedparser
import pytest

from digest.config.settings import Settings
from digest.errors import PublishError
from digest.feeds.files import PublishReport
from digest.feeds.publish import publish
from digest.model import Cut, CutKind, Entry
from digest.newsroom import make_environment
from digest.sources.store import (
    Document,
    add_article,
    revise_article,
    save_document,
    save_entry,
    save_source,
)
from digest.store.backups import backup
from digest.store.database import Database, open_database, text_from_moment
from digest.themes.store import save_matches, save_themes
from tests.desks import MADE_AT, opened
from tests.factories import make_entry, make_match, make_settings
from tests.feeds.folders import contents

CAME_IN = datetime(2026, 11, 16, 6, 30, tzinfo=UTC)
CHANGED = datetime(2026, 11, 18, 6, 30, tzinfo=UTC)
NEWS = (
    (
        make_entry(
            line=1,
            title="Meeting on drugs",
            cuts=(Cut(CutKind.CONTACT, "A. Person, +993 12 345678"),),
        ),
        ("drugs",),
    ),
    (make_entry(line=2, title="Встреча о наркотиках", language="ru"), ("drugs",)),
    (make_entry(line=3, title="Camp for the young"), ("youth",)),
    (make_entry(line=4, title="Something else"), ()),
)
PAGES = make_environment()
FORMS = ("atom", "rss", "json", "html")


class Newsroom:
    """A store with a few articles, the first two of them one story, and a folder for feeds."""

    def __init__(self, db: Database, settings: Settings) -> None:
        self.db = db
        self.settings = settings
        with db.write():
            self.source = save_source(db, "wire", "documents", "Wire copy", CAME_IN)
            save_themes(db, list(settings.theme_names.values()), "en")
            self.document = save_document(
                db,
                self.source,
                Document(name="001.txt", sha256="x", size=1, encoding="utf-8", error=None),
                CAME_IN,
            )

    def add(self, entry: Entry, *themes: str) -> None:
        with self.db.write():
            article = add_article(
                self.db, self.source, "wire", self.document, entry, archived=False, moment=CAME_IN
            )
            save_entry(self.db, self.document, article, entry, keys={}, entry_id=None)
            save_matches(self.db, article, [make_match(theme) for theme in themes])

    def revise_the_camp(self) -> None:
        changed = make_entry(line=3, title="Camp for the young", text="They met by the lake.")
        with self.db.write():
            assert revise_article(self.db, 3, self.document, changed, CHANGED)

    def change(self, sql: str) -> None:
        with self.db.write():
            self.db.run(sql)

    def publish(self, settings: Settings | None = None, *, whole: bool = False) -> PublishReport:
        return publish(opened(self.db, settings or self.settings, templates=PAGES), whole=whole)

    def files(self) -> dict[str, bytes]:
        return contents(self.settings.feeds.path)

    def other(self, **overrides: Any) -> Settings:
        return make_settings(self.settings.path.parent, **overrides)


@pytest.fixture
def newsroom(tmp_path: Path) -> Iterator[Newsroom]:
    settings = make_settings(tmp_path)
    with open_database(settings.store.path, now=MADE_AT) as db:
        newsroom = Newsroom(db, settings)
        for entry, themes in NEWS:
            newsroom.add(entry, *themes)
        with db.write():
            db.insert("stories", {"id": 1, "made_at": text_from_moment(CAME_IN)})
            db.run("UPDATE articles SET story_id = 1 WHERE id IN (1, 2)")
        yield newsroom


def test_every_channel_is_written_in_every_form(newsroom: Newsroom) -> None:
    """Twelve channels in four forms, a page for each article, the list of feeds and the style."""
    report = newsroom.publish()
    slugs = ["all", "drugs", "youth", "en", "ru", "drugs.en", "drugs.ru", "youth.en", "youth.ru"]
    slugs += ["corrections", "corrections.en", "corrections.ru"]
    assert set(report.written) == {
        *(f"{slug}.{form}" for slug in slugs for form in FORMS),
        *(f"articles/{number}.html" for number in (1, 2, 3, 4)),
        "feeds.opml",
        "style.css",
    }
    assert (report.unchanged, report.removed) == (0, ())


@pytest.mark.parametrize(
    ("slug", "titles"),
    [
        pytest.param("all", [entry.title for entry, _ in NEWS], id="everything, themes or none"),
        pytest.param("drugs", ["Meeting on drugs", "Встреча о наркотиках"], id="a theme"),
        pytest.param("ru", ["Встреча о наркотиках"], id="a language"),
        pytest.param("drugs.en", ["Meeting on drugs"], id="a theme in a language"),
        pytest.param("youth.ru", [], id="an empty one"),
    ],
)
def test_each_channel_holds_its_articles(newsroom: Newsroom, slug: str, titles: list[str]) -> None:
    """A subscriber gets the chosen articles in every form."""
    newsroom.publish()
    folder = newsroom.settings.feeds.path
    for form in ("atom", "rss"):
        parsed = feedparser.parse(io.BytesIO((folder / f"{slug}.{form}").read_bytes()))
        assert not parsed.bozo
        assert [entry.title for entry in parsed.entries] == titles
    feed = json.loads((folder / f"{slug}.json").read_bytes())
    assert [item["title"] for item in feed["items"]] == titles


def test_translations_are_linked_in_both_directions(newsroom: Newsroom) -> None:
    """A reader of either feed finds the other language."""
    newsroom.publish()
    feed = json.loads(newsroom.files()["all.json"])
    linked = [item["_newsroom"]["translations"] for item in feed["items"]]
    assert [[one["language"] for one in each] for each in linked] == [["ru"], ["en"], [], []]


def test_a_second_publish_writes_nothing(newsroom: Newsroom) -> None:
    """Must show 6: the same bytes, and not even a new time of change."""
    first = newsroom.publish()
    folder = newsroom.settings.feeds.path
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    second = newsroom.publish()
    assert second == PublishReport((), len(first.written), ())
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_the_same_articles_give_the_same_bytes_in_another_folder(
    newsroom: Newsroom, tmp_path: Path
) -> None:
    """No file depends on the clock or the place."""
    newsroom.publish()
    newsroom.publish(newsroom.other(feeds={"path": tmp_path / "elsewhere"}))
    assert contents(tmp_path / "elsewhere") == newsroom.files()


def test_a_changed_article_rewrites_only_the_files_that_hold_it(newsroom: Newsroom) -> None:
    """Must show 6: one word changed, and a subscriber of another theme sees no change."""
    newsroom.publish()
    newsroom.revise_the_camp()
    report = newsroom.publish()
    assert set(report.written) == {
        "articles/3.html",
        *(f"{slug}.{form}" for slug in ("all", "en", "youth", "youth.en") for form in FORMS),
        *(f"{slug}.{form}" for slug in ("corrections", "corrections.en") for form in FORMS),
    }
    assert report.removed == ()
    feed = feedparser.parse(io.BytesIO(newsroom.files()["youth.atom"]))
    assert feed.feed.updated == feed.entries[0].updated == "2026-11-18T06:30:00Z"


class Rendered:
    """Pages whose template records for which article it is rendered."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "web").mkdir(parents=True)
        self.seen: list[int] = []
        self.write("{{ record(headline.item.article.id) }}")

    def write(self, template: str) -> None:
        (self.folder / "web" / "article.html").write_text(template, encoding="utf-8")
        self.environment = make_environment(self.folder)
        self.environment.globals["record"] = self.record

    def record(self, article: int) -> str:
        self.seen.append(article)
        return f"article {article}"

    def publish(self, newsroom: Newsroom, settings: Settings | None = None) -> list[int]:
        """The articles whose pages were rendered."""
        self.seen = []
        publish(opened(newsroom.db, settings or newsroom.settings, templates=self.environment))
        return self.seen


@pytest.fixture
def rendered(newsroom: Newsroom, tmp_path: Path) -> Rendered:
    """All four pages were published once."""
    pages = Rendered(tmp_path / "own")
    assert pages.publish(newsroom) == [1, 2, 3, 4]
    return pages


def test_unchanged_pages_are_not_rendered_again(newsroom: Newsroom, rendered: Rendered) -> None:
    """One changed article among 100,000 is published in seconds."""
    assert rendered.publish(newsroom) == []
    newsroom.revise_the_camp()
    assert rendered.publish(newsroom) == [3]
    assert rendered.publish(newsroom) == []


@pytest.mark.parametrize(
    ("sql", "pages"),
    [
        pytest.param("UPDATE articles SET title = 'New' WHERE id = 1", [1, 2], id="its versions"),
        pytest.param("DELETE FROM matches WHERE article_id = 3", [3], id="a theme"),
        pytest.param("UPDATE articles SET story_id = 1 WHERE id = 4", [1, 2, 4], id="a story"),
        pytest.param("UPDATE stories SET lead_article_id = 2", [1, 2], id="who leads it"),
    ],
)
def test_a_change_of_what_a_page_shows_renders_it_again(
    newsroom: Newsroom, rendered: Rendered, sql: str, pages: list[int]
) -> None:
    """A reader never finds an outdated page, whatever changed the store."""
    newsroom.change(sql)
    assert rendered.publish(newsroom) == pages


@pytest.mark.parametrize(
    ("settings", "pages"),
    [
        pytest.param({"site": {"title": "Another Desk"}}, [1, 2, 3, 4], id="the newsroom's name"),
        pytest.param(
            {"web": {"feeds_url": "https://other.example.org/f"}}, [1, 2, 3, 4], id="the address"
        ),
        pytest.param({"feeds": {"content": "summary"}}, [1, 2, 3, 4], id="how much of a text"),
        pytest.param({"mail": {"budget_kb": 50}}, [], id="nothing that a page shows"),
    ],
)
def test_settings_that_a_page_shows_render_every_page_again(
    newsroom: Newsroom, rendered: Rendered, settings: dict[str, Any], pages: list[int]
) -> None:
    """A new title appears over old articles, too; another relay does not read 100,000 articles."""
    assert rendered.publish(newsroom, newsroom.other(**settings)) == pages


def test_another_template_renders_every_page_again(newsroom: Newsroom, rendered: Rendered) -> None:
    """An operator who changes the look sees it everywhere."""
    rendered.write("{{ record(headline.item.article.id) }}!")
    assert rendered.publish(newsroom) == [1, 2, 3, 4]
    assert newsroom.files()["articles/4.html"] == b"article 4!"


def test_a_page_changed_by_hand_is_rendered_again(newsroom: Newsroom, rendered: Rendered) -> None:
    """Changed, emptied or removed: the next run restores it, and renders no other page."""
    before = newsroom.files()
    folder = newsroom.settings.feeds.path / "articles"
    (folder / "1.html").write_bytes(b"ARTICLE 1")
    (folder / "2.html").unlink()
    (folder / "3.html").write_bytes(b"")
    assert rendered.publish(newsroom) == [1, 2, 3]
    assert newsroom.files() == before


def test_a_restored_store_is_published_as_it_is(
    newsroom: Newsroom, rendered: Rendered, tmp_path: Path
) -> None:
    """After a restore and another change, no page stays as the lost store had it."""
    backup(newsroom.db, tmp_path / "copies", CHANGED, keep=1)
    newsroom.change("UPDATE articles SET title = 'Lost' WHERE id = 3")
    assert rendered.publish(newsroom) == [3]
    [copy] = (tmp_path / "copies").iterdir()
    with open_database(copy) as newsroom.db:
        newsroom.change("UPDATE articles SET title = 'Other' WHERE id = 3")
        assert rendered.publish(newsroom) == [3]


def test_one_new_article_looks_at_nothing_else(newsroom: Newsroom, rendered: Rendered) -> None:
    """A page in place of another changes no folder: only comparing all files finds it."""
    page = newsroom.settings.feeds.path / "articles" / "1.html"
    good = page.read_bytes()
    page.write_bytes(b"ARTICLE 1")
    newsroom.add(make_entry(line=5, title="News"))
    assert rendered.publish(newsroom) == [5]
    assert page.read_bytes() == b"ARTICLE 1"
    assert newsroom.publish(whole=True).written[0] == "articles/1.html"
    assert rendered.publish(newsroom) == [1, 2, 3, 4, 5]
    assert page.read_bytes() == good


def test_an_embargo_that_is_over_is_published_by_a_later_run(newsroom: Newsroom) -> None:
    """Nothing in the store changes at its hour."""
    hour = datetime.now(UTC) + timedelta(hours=1)  # noqa: TID251 - as the command reads it
    with newsroom.db.write():
        sql = "UPDATE articles SET opens_at = ? WHERE id = 1"
        newsroom.db.run(sql, (text_from_moment(hour),))
    newsroom.publish()
    assert "articles/1.html" not in newsroom.files()
    later = opened(newsroom.db, newsroom.settings, clock=hour, templates=PAGES)
    assert {"articles/1.html", "articles/2.html", "all.atom"} <= set(publish(later).written)


def test_two_publishers_at_once_leave_no_older_page(newsroom: Newsroom, rendered: Rendered) -> None:
    """The one that ends last may have written older pages: the next run looks at all of them."""
    newsroom.revise_the_camp()
    nested: list[PublishReport] = []

    def meanwhile(article: int) -> str:
        del rendered.environment.globals["record"]
        rendered.environment.globals["record"] = rendered.record
        with open_database(newsroom.settings.store.path) as other:
            with other.write():
                other.run("UPDATE articles SET title = 'Newer' WHERE id = 3")
            room = opened(other, newsroom.settings, templates=rendered.environment)
            nested.append(publish(room))
        return "older"

    rendered.environment.globals["record"] = meanwhile
    publish(opened(newsroom.db, newsroom.settings, templates=rendered.environment))
    assert nested
    assert rendered.publish(newsroom) == [3]
    assert newsroom.files()["articles/3.html"] == b"article 3"


def test_new_articles_are_reported(newsroom: Newsroom) -> None:
    """To measure how long news takes: new pages, but not those of a new folder."""
    assert newsroom.publish().appeared == ()
    newsroom.add(make_entry(line=5, title="News"))
    assert newsroom.publish().appeared == (5,)
    assert newsroom.publish().appeared == ()


def test_a_removed_theme_removes_its_feeds(newsroom: Newsroom) -> None:
    """Files of ours that no longer belong are removed; the operator's own are not."""
    newsroom.publish()
    folder = newsroom.settings.feeds.path
    (folder / ".gitignore").write_text("*\n", encoding="utf-8")
    (folder / "about.html").write_text("mine", encoding="utf-8")
    fewer = newsroom.other(themes=[{"name": "drugs", "title": {"en": "Drugs"}}])
    assert set(newsroom.publish(fewer).removed) == {
        f"{slug}.{form}" for slug in ("youth", "youth.en", "youth.ru") for form in FORMS
    }
    assert {".gitignore", "about.html"} <= newsroom.files().keys()


def test_a_feed_holds_no_more_than_the_newest(newsroom: Newsroom) -> None:
    """feeds.entries bounds every feed; the pages of older articles stay."""
    newsroom.publish(newsroom.other(feeds={"entries": 1}))
    assert len(json.loads(newsroom.files()["all.json"])["items"]) == 1
    assert "articles/4.html" in newsroom.files()


def test_a_withdrawn_article_is_replaced_by_a_notice(newsroom: Newsroom) -> None:
    """Its text leaves every file, and it is no longer offered as a translation."""
    newsroom.publish()
    newsroom.change("UPDATE articles SET withdrawn_at = '2026-11-19T00:00:00.000000Z' WHERE id = 1")
    newsroom.publish()
    feed = json.loads(newsroom.files()["drugs.json"])
    assert feed["items"][0]["title"] == "Withdrawn: Meeting on drugs"
    assert feed["items"][1]["_newsroom"]["translations"] == []
    assert b"They agreed" not in newsroom.files()["articles/1.html"]


def test_no_press_contact_is_in_any_file(newsroom: Newsroom) -> None:
    """Must show 2: people's names and numbers are stored, never published."""
    newsroom.publish()
    assert newsroom.db.value("SELECT count(*) FROM entry_cuts") == 1
    for name, data in newsroom.files().items():
        assert b"A. Person" not in data, name
        assert b"345678" not in data, name


def test_publishing_again_writes_nothing_to_the_store(newsroom: Newsroom) -> None:
    """What it notes, such as archives, is noted once."""
    newsroom.publish()
    before = newsroom.db.version(), newsroom.db.connection.total_changes
    newsroom.publish()
    newsroom.publish(whole=True)
    assert before == (newsroom.db.version(), newsroom.db.connection.total_changes)


def test_more_articles_do_not_take_more_queries(newsroom: Newsroom) -> None:
    """Hundreds of pages need a few reads for each feed, not one for each page."""

    def statements() -> int:
        seen: list[str] = []
        newsroom.db.connection.set_trace_callback(seen.append)
        newsroom.publish()
        newsroom.db.connection.set_trace_callback(None)
        return sum(one.lstrip().startswith(("SELECT", "WITH")) for one in seen)

    few = statements()
    for number in range(60):
        newsroom.add(make_entry(line=10 + number, title=f"More {number}"), "drugs")
    assert statements() <= few + 20


def test_one_long_article_is_in_memory_at_a_time(newsroom: Newsroom) -> None:
    """Whatever the number of feeds that carry it: it took 79 MB with six articles, and now takes 12."""
    html = ("<p>" + "The sides noted the holding of the Session. " * 10 + "</p>\n") * 2_200
    for number in range(6):
        entry = make_entry(
            line=100 + number, title=f"Long {number}", content_html=html, text=html, lead="Short."
        )
        newsroom.add(entry, "drugs", "youth")
    tracemalloc.start()
    newsroom.publish()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 25 * len(html)
    files = newsroom.files()
    assert len(files["drugs.atom"]) < len(html)
    assert all(len(files[f"articles/{i}.html"]) > len(html) for i in range(5, 11))


def test_a_folder_that_cannot_be_written_is_one_clear_error(newsroom: Newsroom) -> None:
    """The operator reads which path it is and what to do."""
    newsroom.settings.feeds.path.write_text("a file", encoding="utf-8")
    with pytest.raises(PublishError, match=r"feeds\.path"):
        newsroom.publish()
