"""`digest articles` and `digest stories`: for people a table, for programs the promised keys."""

import pytest

from tests.desks import Desk

PROMISED = {
    *(
        "id",
        "atom_id",
        "title",
        "title_made",
        "language",
        "themes",
        "unsure",
        "published_at",
        "date_source",
    ),
    *("byline", "source", "document", "url", "complete", "story_id", "first_seen_at", "updated_at"),
}


def test_the_list_has_every_article_with_the_promised_keys(filled: Desk) -> None:
    """For programs: 36 objects, each with all that is known."""
    articles = filled.json("articles", "list")
    assert len(articles) == 36
    for article in articles:
        assert set(article) >= PROMISED
        assert article["atom_id"].startswith("urn:uuid:")
        assert article["first_seen_at"] == "2026-11-18T06:30:00+00:00"
        assert article["updated_at"].startswith("2026-11-18T06:30:00")
        assert article["date_source"] in ("stated", "text", "neighbours", "unknown")
        assert (article["published_at"] is None) == (article["date_source"] == "unknown")
    assert len({article["updated_at"] for article in articles}) == 36  # no two share it


def test_an_unsure_theme_and_an_unknown_language_are_marked(filled: Desk) -> None:
    """For the editor who looks through the list."""
    with filled.open() as db, db.write():
        db.run("UPDATE matches SET score = 1.29 * threshold WHERE article_id = 1")
        db.run("UPDATE matches SET score = 1.3 * threshold WHERE article_id <> 1")
        db.run("UPDATE articles SET language = '' WHERE id = 2")
    articles = filled.json("articles", "list")
    [first] = [one for one in articles if one["id"] == 1]
    assert first["unsure"] == first["themes"] != []
    assert [one["id"] for one in articles if one["unsure"]] == [1]
    table = filled.run("articles", "list").stdout
    assert table.count("(unsure)") == len(first["themes"])
    assert "  unknown  " in table


@pytest.mark.parametrize(
    ("options", "narrowed"),
    [
        pytest.param("--theme drugs", lambda all: [a for a in all if "drugs" in a["themes"]], id="theme"),
        pytest.param("--theme other", lambda all: [a for a in all if not a["themes"]], id="no theme"),
        pytest.param("--language ru", lambda all: [a for a in all if a["language"] == "ru"], id="language"),
        pytest.param("--source seeds", lambda all: [a for a in all if a["source"] == "seeds"], id="source"),
        pytest.param("--limit 3", lambda all: all[:3], id="the newest"),
    ],
)  # fmt: skip
def test_the_list_can_be_narrowed(filled: Desk, options: str, narrowed) -> None:  # type: ignore[no-untyped-def]
    """For the editor of one desk."""
    everything = filled.json("articles", "list")
    assert filled.json("articles", "list", *options.split()) == narrowed(everything)


def test_the_table_names_each_article_and_the_next_command(filled: Desk) -> None:
    """For the editor: in a pipe no title is cut, and a summary is marked."""
    lines = filled.run("articles", "list").stdout.splitlines()
    assert lines[0].split() == ["id", "date", "lang", "themes", "title"]
    assert lines[-1] == "36 articles. Next: digest articles show ID."
    assert len(lines) == 38
    for article in filled.json("articles", "list"):
        mark = "" if article["complete"] else "  (summary)"
        assert any(line.endswith(article["title"] + mark) for line in lines)


def test_an_empty_list_says_so(filled: Desk) -> None:
    """For the editor: no bare heading."""
    result = filled.run("articles", "list", "--language", "tk")
    assert result.exit_code == 0
    assert result.stdout == "No articles match. Next: digest articles list without options.\n"
    assert filled.json("articles", "list", "--language", "tk") == []


@pytest.mark.parametrize(
    ("query", "language"),
    [
        pytest.param(("seizing", "narcotic"), "en", id="English, several words"),
        pytest.param(("customs, officer's",), "en", id="with signs"),
        pytest.param(("ТАМОЖЕННАЯ",), "ru", id="Russian, capitals"),
        pytest.param(("таможенную", "службу"), "ru", id="Russian, another case"),
    ],
)
def test_a_search_takes_words_as_they_come(
    filled: Desk, query: tuple[str, ...], language: str
) -> None:
    """For the editor: several words need no quotes, and any form will do."""
    assert {one["language"] for one in filled.json("articles", "search", *query)} == {language}
    assert filled.json("articles", "search", "--language", "tk", *query) == []


def test_a_search_says_how_much_it_found(filled: Desk) -> None:
    """For the editor: one article, none, or 2 of more; without a cut there is no word of more."""
    assert len(filled.json("articles", "search", "таможенную", "службу")) == 1
    assert "No article has all of these words" in filled.run("articles", "search", "зебра").stdout
    cut = filled.run("articles", "search", "Turkmenistan", "--limit", "2").stdout
    assert "\n2 articles, and there are more: --limit 4 shows them." in cut
    assert len(filled.json("articles", "search", "Turkmenistan", "--limit", "2")) == 2
    assert "there are more" not in filled.run("articles", "list", "--limit", "36").stdout


def test_an_article_is_shown_with_all_that_is_known(filled: Desk) -> None:
    """For the editor who asks why: date, themes with their words, story, versions, text."""
    [linked, *_] = [one for one in filled.json("articles", "list") if one["story_id"]]
    shown = filled.json("articles", "show", str(linked["id"]))
    assert {**shown, **linked} == shown
    assert shown["siblings"]
    assert shown["versions"][0]["version"] == 1
    assert all(match["hits"] for match in shown["matches"])
    printed = filled.run("articles", "show", str(linked["id"])).stdout
    for part in (shown["title"], shown["atom_id"], shown["siblings"][0]["title"], shown["lead"]):
        assert part in printed


def test_stories_are_listed_with_what_links_them(filled: Desk) -> None:
    """For the editor: both translations and the one event, each with its reasons."""
    stories = filled.json("stories", "list")
    assert len(stories) == 3
    for story in stories:
        assert len(story["articles"]) == 2
        assert story["lead_article_id"] in [one["id"] for one in story["articles"]]
        assert [link["reasons"] for link in story["links"]]
    printed = filled.run("stories", "list").stdout
    assert "\n3 stories. Next: digest " in printed
    assert all(one["title"] in printed for story in stories for one in story["articles"])
