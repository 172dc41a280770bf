"""Loading articles: by words in any form, by theme, by language, newest first."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.sources.store import (
    Document,
    add_article,
    document_states,
    revise_article,
    save_document,
    save_source,
)
from digest.store.articles import articles_by_id, latest_articles
from digest.store.database import Database, open_database
from digest.store.search import search_articles
from digest.themes.store import save_matches
from tests.conftest import INGESTED_AT
from tests.desks import MADE_AT, Desk
from tests.factories import make_entry, make_match

COPY = (
    ("Задержаны наркоторговцы", "На границе задержали двух наркоторговцев с грузом.", "ru"),
    ("Ёлка в Ашхабаде", "В столице зажгли ёлку; пришли дети и учёные.", "ru"),
    ("Traffickers arrested", "Officers seized heroin at the border; it was a big seizure.", "en"),
    ("Seminar on precursors", "The officer's seminar: AND, OR, NOT are words, + is a sign.", "en"),
)
DOCUMENT = Document(name="1.txt", sha256="x", size=1, encoding="utf-8", error=None)


def fill(db: Database) -> None:
    with db.write():
        source = save_source(db, "wire", "documents", "Wire", INGESTED_AT)
        document = save_document(db, source, DOCUMENT, INGESTED_AT)
        for line, (title, text, language) in enumerate(COPY, 1):
            entry = make_entry(line=line, title=title, text=text, language=language)
            add_article(db, source, "wire", document, entry, archived=False, moment=INGESTED_AT)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """Four articles, two in each language."""
    path: Path = tmp_path_factory.mktemp("search") / "digest.db"
    with open_database(path, now=MADE_AT) as db:
        fill(db)
        yield db


def search(db: Database, query: str, language: str | None = None) -> set[int]:
    return {article.id for article in search_articles(db, query, language=language)}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param("наркоторговцы", {1}, id="Russian: another case"),
        pytest.param("наркоторговцев", {1}, id="Russian: the form itself"),
        pytest.param("НАРКОТОРГОВЕЦ", {1}, id="Russian: capitals, singular"),
        pytest.param("елка", {2}, id="е finds ё"),
        pytest.param("ёлкой", {2}, id="ё and another case"),
        pytest.param("учение", set(), id="another word is not found"),
        pytest.param("ученые", {2}, id="е finds ё inside a word"),
        pytest.param("trafficker", {3}, id="English: singular finds plural"),
        pytest.param("seizing heroin", {3}, id="English: every word in any form"),
        pytest.param("heroin seminar", set(), id="every word must be there"),
        pytest.param("border", {3}, id="in the text"),
        pytest.param("officer", {3, 4}, id="in several"),
        pytest.param("", set(), id="nothing asked"),
        pytest.param("  ...  ", set(), id="no word in it"),
    ],
)
def test_a_search_finds_other_forms_of_its_words(
    store: Database, query: str, expected: set[int]
) -> None:
    """People search for a word, not for one of its forms."""
    assert search(store, query) == expected


@pytest.mark.parametrize(
    "query",
    [
        "officer's", '"officer"', "officer AND seminar", "seminar -officer", "seminar + officer",
        "seminar*", "(seminar", "seminar)", "title:seminar", "officer OR", "NOT seminar",
        "NEAR(officer seminar)", "^seminar", "seminar; DROP TABLE articles", "\x00seminar", "{seminar}",
    ],
)  # fmt: skip
def test_nothing_in_a_query_is_search_syntax(store: Database, query: str) -> None:
    """A pasted sentence is searched for, and is not an error."""
    assert search(store, query) <= {3, 4}


@settings(max_examples=60, deadline=None)
@given(query=st.text(max_size=30))
def test_any_text_is_a_valid_query(store: Database, query: str) -> None:
    """No query is an error."""
    assert search(store, query) <= {1, 2, 3, 4}


def test_a_search_can_be_limited_to_one_language(store: Database) -> None:
    """A word of both languages is found in one."""
    assert search(store, "officer", "ru") == set()
    assert search(store, "ашхабад", "ru") == {2}


def test_a_revised_article_is_found_by_its_new_words_only(db: Database) -> None:
    """The index follows the copy."""
    fill(db)
    entry = make_entry(line=3, title="Traffickers released", text="The court freed them.")
    with db.write():
        document = document_states(db, "wire")["1.txt"].id
        assert revise_article(db, 3, document, entry, INGESTED_AT + timedelta(days=1))
    assert search(db, "heroin") == set()
    assert search(db, "freed") == {3}


def test_the_newest_come_first_and_undated_ones_last(filled: Desk) -> None:
    """Of articles that came in together, the latest day is first."""
    with filled.open(read_only=True) as db:
        days = [one.published.iso for one in latest_articles(db)]
        assert len(latest_articles(db, limit=7)) == 7
        assert {one.language for one in latest_articles(db, language="ru")} == {"ru"}
        assert all("drugs" in one.themes for one in latest_articles(db, theme="drugs"))
        assert latest_articles(db, source="nobody") == []
    dated = [day for day in days if day is not None]
    assert dated == sorted(dated, reverse=True)
    assert days == dated + [None] * (len(days) - len(dated))


def test_articles_by_id_keep_the_order_asked_for(store: Database) -> None:
    """Unknown ids are left out."""
    assert [one.id for one in articles_by_id(store, [3, 99, 1])] == [3, 1]


@pytest.mark.parametrize("language", [None, "en", "ru"])
@pytest.mark.parametrize("limit", [1, 3, 50], ids=["of many", "of some", "of few"])
def test_a_theme_gives_its_newest_however_it_is_searched(
    db: Database, language: str | None, limit: int
) -> None:
    """The same articles, whether SQLite sorts a theme or walks the newest articles."""
    fill(db)
    with db.write():
        db.insert("themes", {"name": "drugs", "title": "Drugs", "position": 1})
        for line in range(5, 85):
            entry = make_entry(line=line, title=f"More {line}", language=("en", "ru")[line % 2])
            moment = INGESTED_AT + timedelta(minutes=line * 7 % 60)
            added = add_article(db, 1, "wire", 1, entry, archived=False, moment=moment)
            save_matches(db, added, [make_match("drugs")] if line % 4 else [])
    expected = [
        article
        for article in latest_articles(db)
        if "drugs" in article.themes and language in (None, article.language)
    ][:limit]
    assert latest_articles(db, theme="drugs", language=language, limit=limit) == expected
