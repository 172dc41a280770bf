"""`digest articles withdraw`: a newsroom withdraws what it must not publish."""

from pathlib import Path

import pytest

from tests.desks import Desk


@pytest.fixture
def published(filled: Desk) -> Desk:
    """Published, and one recipient who has not been mailed yet."""
    filled.run("recipients", "add", "anna@example.org")
    assert filled.run("publish").exit_code == 0
    return filled


def containing(desk: Desk, text: str) -> list[Path]:
    """The feeds and pages with these words."""
    files = [path for path in (desk.folder / "feeds").rglob("*.*") if path.is_file()]
    return sorted(path for path in files if text in path.read_text("utf-8"))


def test_a_withdrawn_article_is_published_nowhere(published: Desk) -> None:
    """For the person who complained: its words are on no page and in no feed; its page remains."""
    text = published.json("articles", "show", "1")["text"].split(". ")[1][:60]
    before = containing(published, text)
    [page] = [path for path in before if path.parent.name == "articles"]
    assert len(before) > 3
    assert "is withdrawn. Next: digest publish" in published.run("articles", "withdraw", "1").stdout
    published.run("publish")
    assert containing(published, text) == []
    assert "was withdrawn on" in page.read_text("utf-8")
    assert "is published again" in published.run("articles", "withdraw", "1", "--undo").stdout
    published.run("publish")
    assert containing(published, text) == before


def test_no_later_edition_contains_it(published: Desk) -> None:
    """For the person who complained: nobody is mailed it."""
    published.run("articles", "withdraw", "1")
    published.run("send", "--yes", "--limit", "1")
    assert 1 not in [one["id"] for one in published.json("editions", "show", "1")["articles"]]


def test_an_edition_that_is_being_sent_with_it_is_named(published: Desk) -> None:
    """A frozen edition is what was shown, so a person must stop it."""
    published.run("recipients", "add", "bo@example.org")
    published.run("send", "--yes", "--limit", "1")
    assert "digest editions hold 1" in published.run("articles", "withdraw", "1").stdout
    again = published.json("articles", "withdraw", "1")
    since = published.json("articles", "show", "1")["withdrawn_at"]
    assert again == {"id": 1, "withdrawn_at": since, "changed": False, "editions": [1]}


def test_a_document_that_changes_does_not_bring_it_back(published: Desk) -> None:
    """For the editor: only a person publishes it again."""
    published.run("articles", "withdraw", "1")
    for path in published.seeds.iterdir():
        path.write_text(path.read_text("utf-8-sig").replace("Turkmen", "Turkmeni"), "utf-8")
    published.run("ingest")
    assert published.json("articles", "show", "1")["withdrawn_at"] is not None
