"""`digest ingest` on the seeds: nothing lost, nothing twice, and nothing written without need."""

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from digest.model import Article, DateSource
from digest.sources.folder import FoundDocument
from digest.sources.ingest import ingest
from digest.store.articles import all_article_ids, article_versions, articles_by_id, latest_articles
from digest.stories.store import list_stories
from tests.conftest import INGESTED_AT
from tests.desks import FULL_TEXT, LISTING, Desk, make_desk, opened, sha256
from tests.feeds.folders import contents

TRUTH = json.loads((Path(__file__).parents[1] / "data/seeds.json").read_text("utf-8"))
YEARS_LATER = datetime(2029, 3, 5, 9, 0, tzinfo=UTC)
LINE_48 = "UNODC Delegation visits Turkmenistan"
WINDOWS_1251 = (
    "Встреча в таможенной службе\n\nВ Ашхабаде прошла встреча о контроле грузов на границе.\n"
)


def place(known: dict[str, Any]) -> tuple[str, int]:
    return known["seed"], known["line"]


@pytest.fixture(scope="module")
def articles(ingested_store: Path) -> dict[tuple[str, int], Article]:
    """Each article of the seeds by document and line."""
    desk = Desk(ingested_store.parent)
    with desk.open(read_only=True) as db:
        rows = db.rows(
            """SELECT documents.name, entries.line, article_id FROM entries
                 JOIN documents ON documents.id = entries.document_id"""
        )
        by_id = {one.id: one for one in latest_articles(db)}
        return {(row["name"], row["line"]): by_id[row["article_id"]] for row in rows}


def stored(desk: Desk) -> list[Article]:
    with desk.open(read_only=True) as db:
        return articles_by_id(db, all_article_ids(db))


def titled(desk: Desk, title: str) -> Article:
    [article] = [one for one in stored(desk) if one.title == title]
    return article


def ingest_without(desk: Desk, name: str) -> None:
    """Ingest all documents but one, then put that one back."""
    data = (desk.seeds / name).read_bytes()
    (desk.seeds / name).unlink()
    desk.ingest(INGESTED_AT)
    (desk.seeds / name).write_bytes(data)


def test_the_store_holds_the_36_articles(articles: dict[tuple[str, int], Article]) -> None:
    """For the newsroom: none lost, none twice."""
    assert {place(known) for known in TRUTH["articles"]} <= set(articles)
    assert len({one.id for one in articles.values()}) == len(TRUTH["articles"]) == 36


@pytest.mark.parametrize("known", TRUTH["articles"], ids=lambda k: f"{k['seed'][:3]}-{k['line']}")
def test_an_article_is_stored_as_a_person_reads_it(
    articles: dict[tuple[str, int], Article], known: dict[str, Any]
) -> None:
    """For the reader: title, language, byline, completeness and the stated day; no day is invented."""
    article = articles[place(known)]
    assert article.title_made == (known["title"] is None)
    assert known["title"] in (None, article.title)
    read = (article.language, article.byline, article.complete)
    assert read == (known["lang"], known["byline"], known["complete"])
    assert article.published.iso == known["date_in_copy"]
    assert (article.published.source is DateSource.UNKNOWN) == (known["date_in_copy"] is None)
    assert article.document == known.get("body_from", known["seed"])


def test_the_seeds_are_filed_as_a_person_files_them(
    articles: dict[tuple[str, int], Article],
) -> None:
    """For the recipient of one theme: at least 33 of the 35 judged articles exactly right."""
    judged = [known for known in TRUTH["articles"] if known["themes"] is not None]
    right = 0
    for known in judged:
        allowed = set(known["themes_allowed"])
        right += set(articles[place(known)].themes) - allowed == set(known["themes"]) - allowed
    assert len(judged) == 35
    assert right >= 33


def test_the_full_text_has_the_listings_title(articles: dict[tuple[str, int], Article]) -> None:
    """For the reader: the teaser of line 48 and the document 000 are one article."""
    article = articles[LISTING, 48]
    assert article == articles[FULL_TEXT, 1]
    assert (article.title, article.document, article.complete) == (LINE_48, FULL_TEXT, True)
    assert article.text.startswith("Meeting at the Foreign Ministry\n\nOn April 3, 2023")
    assert "Meeting at the State Customs Service" in article.text
    assert article.content_html.count("<h2>") == 2
    dated = (article.published.source, article.wire_tag)
    assert dated == (DateSource.STATED, "nCa, 4 April 2023")


def test_translations_and_one_event_are_linked_and_nothing_else(
    articles: dict[tuple[str, int], Article], ingested_store: Path
) -> None:
    """For the reader of either language: both translations, the two outlets of one event, no more."""
    expected = {
        frozenset(articles[LISTING, line].id for line in pair): kind
        for kind, pairs in (
            ("translation", TRUTH["translations"]),
            ("same-story", TRUTH["same_event"]),
        )
        for pair in pairs
    }
    with Desk(ingested_store.parent).open(read_only=True) as db:
        stories = list_stories(db)
    assert {frozenset(story["articles"]) for story in stories} == set(expected)
    links = [link for story in stories for link in story["links"]]
    assert {
        frozenset((link["article_id"], link["other_id"])): link["kind"] for link in links
    } == expected
    assert all(link["reasons"] for link in links)


def test_every_match_has_its_evidence(articles: dict[tuple[str, int], Article]) -> None:
    """For the editor: each match names the words that decided it, at their place in the article."""
    for article in articles.values():
        for match in article.matches:
            assert match.hits
            for hit in match.hits:
                copy = article.title if hit.place == "title" else article.text
                assert copy[hit.start : hit.end] == hit.form


def test_a_second_ingest_adds_nothing_and_writes_nothing(filled: Desk) -> None:
    """For the operator: ingest may run every minute."""
    before = sha256(filled.store)
    report = filled.ingest(YEARS_LATER)
    assert (report.documents, report.unchanged) == (5, 5)
    assert (report.added, report.revised, report.linked, report.faults) == ([], [], 0, [])
    assert sha256(filled.store) == before


def test_a_changed_word_makes_a_second_version_of_one_article(filled: Desk) -> None:
    """For the subscriber: one article is new in the reader, and it is the same article."""
    before = {one.id: one for one in stored(filled)}
    filled.publish()
    fed = contents(filled.folder / "feeds")
    filled.edit_seed(LISTING, "to mark the World Drug Day", "to honour the World Drug Day")
    report = filled.ingest(YEARS_LATER)
    assert (report.added, len(report.revised)) == ([], 1)
    changed = {one.id: one for one in stored(filled) if one != before[one.id]}
    assert list(changed) == report.revised
    [(number, now)] = changed.items()
    was = before[number]
    assert (now.atom_id, now.first_seen_at, now.version) == (was.atom_id, was.first_seen_at, 2)
    assert now.updated_at == YEARS_LATER
    with filled.open(read_only=True) as db:
        texts = [row["text"] for row in article_versions(db, number)]
    assert texts == [was.text, now.text]

    slugs = {
        "all",
        "en",
        "corrections",
        "corrections.en",
        *now.themes,
        *(f"{theme}.en" for theme in now.themes),
    }
    forms = ("atom", "rss", "json", "html")
    expected = {f"{slug}.{form}" for slug in slugs for form in forms} | {f"articles/{number}.html"}
    assert set(filled.publish().written) == expected
    after = contents(filled.folder / "feeds")
    assert {name for name in fed if fed[name] != after[name]} == expected


def test_a_teaser_becomes_its_full_text_years_later(desk: Desk) -> None:
    """For the newsroom: the article of the listing grows; its id and its title stay."""
    ingest_without(desk, FULL_TEXT)
    teaser = titled(desk, LINE_48)
    assert not teaser.complete
    report = desk.ingest(YEARS_LATER)
    assert (report.added, report.revised) == ([], [teaser.id])
    full = titled(desk, LINE_48)
    assert (full.id, full.atom_id, full.complete) == (teaser.id, teaser.atom_id, True)
    assert (full.document, full.version) == (FULL_TEXT, 2)
    assert full.text.startswith("Meeting at the Foreign Ministry\n\n")
    assert len(stored(desk)) == 36


def test_a_full_text_takes_the_listings_title_years_later(desk: Desk) -> None:
    """For the newsroom: the other order ends in the same article."""
    ingest_without(desk, LISTING)
    [full] = [one for one in stored(desk) if one.document == FULL_TEXT]
    assert full.title != LINE_48
    report = desk.ingest(YEARS_LATER)
    assert report.revised == [full.id]
    now = titled(desk, LINE_48)
    assert (now.id, now.atom_id, now.text) == (full.id, full.atom_id, full.text)
    assert (now.complete, now.document) == (True, FULL_TEXT)
    assert len(stored(desk)) == 36


def test_either_order_ends_in_the_same_words(desk: Desk, filled: Desk) -> None:
    """For the newsroom: what readers see does not depend on the order of arrival."""
    at_once = titled(filled, LINE_48)
    filled.store.unlink()
    ingest_without(desk, LISTING)
    desk.ingest(YEARS_LATER)
    later = titled(desk, LINE_48)
    for field in ("title", "title_made", "text", "lead", "content_html", "published", "themes"):
        assert getattr(later, field) == getattr(at_once, field), field


def test_a_document_that_vanishes_loses_nothing(filled: Desk) -> None:
    """For the archive: an emptied folder takes no article away, and nothing is written."""
    before, digest = stored(filled), sha256(filled.store)
    for path in filled.seeds.iterdir():
        path.unlink()
    report = filled.ingest(YEARS_LATER)
    assert (report.documents, report.faults) == (0, [])
    assert stored(filled) == before
    assert sha256(filled.store) == digest


def test_an_item_that_leaves_the_listing_stays_an_article(filled: Desk) -> None:
    """For the archive: an item that a source no longer has stays; when it is back, it is the same."""
    before = stored(filled)
    path = filled.seeds / LISTING
    text = path.read_text("utf-8")
    lines = text.splitlines(keepends=True)
    path.write_text("".join(lines[:7] + lines[9:]), "utf-8")
    assert filled.ingest(YEARS_LATER).added == []
    assert stored(filled) == before
    path.write_text(text, "utf-8")
    report = filled.ingest(YEARS_LATER + timedelta(days=1))
    assert (report.added, report.revised) == ([], [])
    assert stored(filled) == before


def test_a_renamed_document_makes_no_second_article(filled: Desk) -> None:
    """For the newsroom that tidies its folder: the copy is known by its words."""
    (filled.seeds / FULL_TEXT).rename(filled.seeds / "renamed.txt")
    report = filled.ingest(YEARS_LATER)
    assert (report.added, report.revised) == ([], [])
    assert len(stored(filled)) == 36


def test_what_comes_in_is_never_inside_a_closed_window(filled: Desk) -> None:
    """For the recipient: with the clock set back, news falls into the next edition, not into none."""
    ends_at = INGESTED_AT + timedelta(hours=3)
    with filled.open() as db, db.write():
        db.insert(
            "editions",
            {
                "digest": "weekly",
                "number": 1,
                "starts_at": "2026-11-16T03:00:00.000000Z",
                "ends_at": ends_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
                "status": "composed",
                "hash": "0" * 64,
                "composed_at": "2026-11-18T09:30:00.000000Z",
            },
        )
    (filled.seeds / "005.txt").write_text("A new headline\n\nSomething happened in Ashgabat.\n")
    filled.ingest(INGESTED_AT - timedelta(days=1))
    assert titled(filled, "A new headline").first_seen_at == ends_at


def test_an_archive_run_marks_what_is_new(filled: Desk) -> None:
    """For the newsroom that brings its old copy: in feeds and search, in no edition."""
    (filled.seeds / "005.txt").write_text("An old headline\n\nSomething happened in Ashgabat.\n")
    filled.ingest(YEARS_LATER, archive=True)
    assert [one.title for one in stored(filled) if one.archived] == ["An old headline"]


@pytest.fixture
def mixed(desk: Desk) -> Iterator[Desk]:
    """A folder with what people put into folders."""
    for path in desk.seeds.iterdir():
        path.unlink()
    (desk.seeds / "a-picture.txt").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4)
    (desk.seeds / "b-empty.txt").touch()
    (desk.seeds / "c-windows.txt").write_bytes(WINDOWS_1251.encode("windows-1251"))
    (desk.seeds / "d-large.txt").write_bytes(b"A word and a word. " * (6 * 1024 * 1024 // 19 + 1))
    (desk.seeds / "e-marked.txt").write_bytes(b"\xef\xbb\xbfA headline\n\nIt began in Ashgabat.\n")
    return desk


def test_a_faulty_document_is_named_and_the_others_go_on(mixed: Desk) -> None:
    """For the operator: one clear error for each, each time; and the second time writes nothing."""
    first = mixed.ingest(INGESTED_AT)
    names = [line.partition(": is ")[0] for line in first.faults]
    assert names == [f"source seeds: {name}.txt" for name in ("a-picture", "b-empty", "d-large")]
    words = ("a picture", "empty", "6.0 MiB, the limit is 5 MiB")
    assert all(word in line for line, word in zip(first.faults, words, strict=True))
    assert {(one.title, one.language) for one in stored(mixed)} == {
        ("Встреча в таможенной службе", "ru"),
        ("A headline", "en"),
    }
    before = sha256(mixed.store)
    second = mixed.ingest(YEARS_LATER)
    assert second.faults == first.faults
    assert second.unchanged == second.documents == 5
    assert sha256(mixed.store) == before


def test_what_was_repaired_or_ignored_is_said(desk: Desk) -> None:
    """For the operator: text that was decoded twice is named once, files of other formats each time."""
    twice = WINDOWS_1251.encode().decode("latin-1")
    (desk.seeds / "twice.txt").write_text(twice, "utf-8")
    (desk.seeds / "page.html").write_text("<h1>Port opens</h1><p>It opened in Ashgabat.</p>")
    (desk.seeds / "draft.pages").touch()
    says = "1 file ignored: .pages (1)."
    told = desk.run("ingest").stderr
    assert (
        f"Warning: source seeds: twice.txt: utf-8, decoded twice, repaired\nWarning: {says}" in told
    )
    assert titled(desk, "Встреча в таможенной службе").language == "ru"
    assert titled(desk, "Port opens").content_html == "<p>It opened in Ashgabat.</p>"
    assert desk.run("ingest").stderr == f"Warning: {says}\n"
    assert says in desk.run("status").stdout
    assert f"; {says[:-1]}" in desk.run("doctor").stdout


def test_a_corrected_document_is_read(mixed: Desk) -> None:
    """For the operator: once the file is right, the error is gone."""
    mixed.ingest(INGESTED_AT)
    (mixed.seeds / "b-empty.txt").write_text("Another headline\n\nIt went on in Mary.\n")
    report = mixed.ingest(YEARS_LATER)
    assert len(report.added) == 1
    assert "b-empty.txt" not in " ".join(report.faults)


def errors(desk: Desk) -> set[str]:
    with desk.open(read_only=True) as db:
        return {row["name"] for row in db.rows("SELECT name FROM documents WHERE error NOT NULL")}


def test_a_deleted_faulty_document_is_no_fault(mixed: Desk) -> None:
    """For the operator: no report names it any more, until it comes back."""
    mixed.ingest(INGESTED_AT)
    picture = mixed.seeds / "a-picture.txt"
    data = picture.read_bytes()
    picture.unlink()
    assert "picture" not in " ".join(mixed.ingest(YEARS_LATER).faults)
    assert errors(mixed) == {"b-empty.txt", "d-large.txt"}
    before = sha256(mixed.store)
    mixed.ingest(YEARS_LATER)
    assert sha256(mixed.store) == before
    picture.write_bytes(data)
    assert "picture" in " ".join(mixed.ingest(YEARS_LATER).faults)
    assert "a-picture.txt" in errors(mixed)


@pytest.mark.parametrize("text", ["====\n", "😀", "...", "//// TASS ////\n"], ids=str.strip)
def test_a_document_without_an_article_is_a_fault(desk: Desk, text: str) -> None:
    """For the operator: a document without an article is named until it is corrected."""
    path = desk.seeds / "nothing.txt"
    path.write_text(text, "utf-8")
    for _ in range(2):
        [fault] = desk.ingest(INGESTED_AT).faults
        reason = "holds no article; write one into it or remove it"
        assert fault == f"source seeds: nothing.txt: {reason}"
        assert errors(desk) == {"nothing.txt"}
    path.write_text("A piece\n\nOn customs and their officers.\n", "utf-8")
    report = desk.ingest(INGESTED_AT)
    assert (len(report.added), report.faults) == (1, [])
    assert errors(desk) == set()


def test_a_document_deleted_during_a_run_is_no_fault(desk: Desk) -> None:
    """For the operator, who may empty a folder while the service runs."""

    def clearing(found: Sequence[FoundDocument]) -> Iterator[FoundDocument]:
        for document in found:
            if document.name == FULL_TEXT:
                document.path.unlink()
            yield document

    with desk.open() as db:
        report = ingest(opened(db, desk.settings, clock=lambda: INGESTED_AT), progress=clearing)
    assert report.faults == []
    assert report.added
    assert errors(desk) == set()


def test_an_article_stays_when_its_document_becomes_faulty(filled: Desk) -> None:
    """For the archive: a file that was emptied by accident removes nothing."""
    before = stored(filled)
    (filled.seeds / FULL_TEXT).write_bytes(b"")
    assert filled.ingest(YEARS_LATER).faults
    assert stored(filled) == before


def test_a_missing_source_stops_no_other(filled: Desk) -> None:
    """For the operator with several sources: a missing folder is named, the rest is read."""
    text = filled.config.read_text("utf-8")
    more = '[[sources]]\nname = "away"\npath = "not-here"\n\n[[sources]]\nname = "near"\npath = "near"\n\n'
    filled.config.write_text(text.replace("[[themes]]", more + "[[themes]]", 1), "utf-8")
    near = filled.folder / "near"
    near.mkdir()
    (near / "1.txt").write_text("A headline from near\n\nIt happened in Dashoguz.\n")
    report = filled.ingest(YEARS_LATER)
    assert len(report.added) == 1
    [fault] = report.faults
    assert "source away" in fault
    assert "there is no such folder" in fault
    assert titled(filled, "A headline from near").source == "near"


def test_an_unreadable_source_stops_no_other(desk: Desk) -> None:
    """For the operator whose file server is down: named, and the rest is read."""
    text = desk.config.read_text("utf-8")
    away = '[[sources]]\nname = "away"\npath = "away"\n\n[[sources]]\n'
    desk.config.write_text(text.replace("[[sources]]\n", away, 1), "utf-8")
    (desk.folder / "away").symlink_to("x" * 300)  # no disk can read it
    report = desk.ingest(YEARS_LATER)
    assert len(report.added) == 36
    [fault] = report.faults
    assert fault.startswith("source away: ")
    assert "cannot be read" in fault


def test_a_press_contact_is_stored_and_not_published(
    filled: Desk, articles: dict[tuple[str, int], Article]
) -> None:
    """For the editor who wants to call them, in a table that nothing publishes."""
    sql = """SELECT documents.name, line, entry_cuts.text AS contact FROM entry_cuts
               JOIN entries ON entries.id = entry_id JOIN documents ON documents.id = document_id
                WHERE kind = 'contact'"""
    with filled.open(read_only=True) as db:
        contacts = {(row["name"], row["line"]): row["contact"] for row in db.rows(sql)}
    for known in TRUTH["articles"]:
        assert known.get("contact", "") in contacts.get(place(known), "")
    for private in ("Shakhnoza Zafari", "+998935547895", "Nurangez Abdulhamidova"):
        assert private in " ".join(contacts.values())
    copy = " ".join(
        f"{one.title} {one.lead} {one.text} {one.content_html}" for one in articles.values()
    )
    for private in ("Zafari", "Abdulhamidova", "[at]", "998935547895", "Mobile:", "Эта статья"):
        assert private not in copy


RAN_IN = "The State Customs Service opened a new post at Farap on the border, its press office said on Monday"
YOUTH = "Students of nine schools came to Avaza for a week of talks about drugs and sport."
PARTS = {
    # A full text, its teasers before and after it under other titles, and a copy.
    "a1.txt": f"New post at Farap\n{RAN_IN} […]\n\nTalks in Mary\n{RAN_IN.replace('Farap', 'Mary')} […]\n",
    "b1.txt": f"{RAN_IN}. A lorry was the first to cross.\n\nThe post works day and night.\n",
    "c1.txt": f"Customs open Farap\n{RAN_IN} […]\n\nWater for Dashoguz\nThe canal […]\n",
    "d1.txt": f"{RAN_IN}. A lorry was the first to cross.\n\nThe post works day and night.\n",
    # Two that share no word with each other but each with the third.
    "e1.txt": "Judges met\nJudges of five countries met in Ashgabat to speak about the seizure of assets abroad […]\n",
    "f1.txt": "Judges of five countries met in Ashgabat to speak about the seizure of assets abroad.\n\n"
    "They agreed on a common form for requests, and on a second meeting next year in Dushanbe.\n",
    "g1.txt": "Of judges\nJudges of five countries met in Ashgabat to speak about the seizure of assets abroad. "
    "They agreed on a common form […]\n",
    "k1.txt": f"Youth at Avaza\n\n{YOUTH} They swam too.\n\nThe youngest was nine years old.\n",
    "h1.txt": "".join(f"Item {n}\nThe {n} day of the meeting of experts on the drug routes of the north […]\n\n" for n in range(9)),
}  # fmt: skip
LATER_PARTS = {
    "a1.txt": PARTS["a1.txt"].replace("New post at Farap", "Farap has a new post"),
    "b1.txt": PARTS["b1.txt"].replace("A lorry", "A bus"),
    "d1.txt": f"Yesterday {PARTS['d1.txt'].replace('A lorry', 'A bus')}",
    "h1.txt": PARTS["h1.txt"].replace("Item 3\n", "Item three\n").replace("Item 7\n", "Item 7 \n"),
    "i1.txt": f"Once more\n{RAN_IN}. A bus was the first […]\n",
    "o1.txt": f"Youth by the sea\n{YOUTH} They swam […]\n",
    "z1.txt": PARTS["f1.txt"],
}
TABLES = {
    "articles": "id, atom_id, document_id, line, version, title, text, lead, published_at, story_id",
    "article_versions": "article_id, version, title, text, content_html, date_source, date_evidence",
    "entries": "document_id, article_id, line, title, text, gone_at IS NULL",
    "entry_keys": "key, asks, count(*)",
    "documents": "name, sha256, error",
    "matches": "article_id, theme, rank, score, evidence",
    "stories": "id, lead_article_id",
    "story_links": "article_id, other_id, kind, score",
    "story_keys": "key, article_id",
}


def everything(desk: Desk) -> dict[str, Any]:
    """What an ingest leaves, without its moments."""
    with desk.open(read_only=True) as db:
        return {
            table: db.rows(
                f"SELECT {columns} FROM {table}"  # noqa: S608 - ours
                + (" GROUP BY 1, 2" if "count" in columns else "")
                + f" ORDER BY {', '.join(str(i + 1) for i in range(columns.count(',') + 1))}"
            )
            for table, columns in TABLES.items()
        }


def put(desk: Desk, documents: dict[str, str]) -> None:
    for name, text in documents.items():
        (desk.seeds / name).write_text(text, "utf-8")


def take_in(desk: Desk, batch: int, now: datetime = INGESTED_AT) -> tuple[int, ...]:
    with desk.open() as db:
        report = ingest(opened(db, desk.settings, clock=now), batch=batch)
    counts = len(report.added), len(report.revised)
    assert (len({*report.added}), len({*report.revised})) == counts
    return report.documents, report.unchanged, *counts, report.linked


@pytest.fixture(scope="module")
def in_one_batch(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """The counts and the store after the first and the second ingest, each in one write."""
    desk = make_desk(tmp_path_factory.mktemp("one") / "desk")
    results: list[Any] = []
    for documents in (PARTS, LATER_PARTS):
        put(desk, documents)
        results += [take_in(desk, 10_000), everything(desk)]
    assert {row["version"] for row in results[1]["articles"]} == {1}
    assert {row["version"] for row in results[3]["articles"]} == {1, 2}
    return results


@pytest.mark.parametrize("batch", [1, 2, 7, 100])
def test_it_does_not_matter_where_the_batches_are_cut(
    desk: Desk, batch: int, in_one_batch: list[Any]
) -> None:
    """For the subscriber: no article is doubled or shown as revised because its parts, a teaser and
    its full text, were saved in two writes."""
    results: list[Any] = []
    for documents in (PARTS, LATER_PARTS):
        put(desk, documents)
        results += [take_in(desk, batch), everything(desk)]
    assert results == in_one_batch


@pytest.mark.parametrize("stop", [1, 3, 6, 9])
def test_an_ingest_after_a_crash_goes_on(desk: Desk, stop: int, in_one_batch: list[Any]) -> None:
    """For the operator after a power cut between two writes: run it again, nothing is lost or doubled."""
    put(desk, PARTS)
    passes: list[int] = []

    def crashing(found: Sequence[FoundDocument]) -> Iterator[FoundDocument]:
        passes.append(len(found))
        yield from found[: stop if len(passes) == 2 else None]
        if len(passes) == 2:
            raise KeyboardInterrupt

    with desk.open() as db, pytest.raises(KeyboardInterrupt):
        ingest(opened(db, desk.settings, clock=INGESTED_AT), progress=crashing, batch=1)
    assert everything(desk)["documents"] != in_one_batch[1]["documents"]
    take_in(desk, 2)
    assert everything(desk) == in_one_batch[1]


def test_two_ingests_at_once_store_what_one_does(desk: Desk, in_one_batch: list[Any]) -> None:
    """For the operator who runs it beside the service: what the other one saved is computed again."""
    put(desk, PARTS)
    desk.open().close()
    start = Barrier(2)

    def run(_: int) -> int:
        start.wait()
        return take_in(desk, 1)[2]

    with ThreadPoolExecutor(2) as threads:
        added = sum(threads.map(run, range(2)))
    assert added == in_one_batch[0][2]
    assert everything(desk) == in_one_batch[1]


def test_a_slow_disk_gets_shorter_writes(desk: Desk, in_one_batch: list[Any]) -> None:
    """For the service that sends meanwhile: no write is long; what is stored is the same."""
    put(desk, PARTS)
    moments = (INGESTED_AT + timedelta(seconds=n) for n in count())
    with desk.open() as db:
        ingest(opened(db, desk.settings, clock=lambda: next(moments)), batch=8)
        writes = db.value("SELECT count(DISTINCT first_seen_at) FROM articles")
        assert writes > in_one_batch[0][2] // 2
    assert everything(desk) == in_one_batch[1]
