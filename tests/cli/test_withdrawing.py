"""`digest articles withdraw`: a newsroom takes back what it must not say."""

from pathlib import Path

import pytest

from tests.desks import Desk


@pytest.fixture
def told(filled: Desk) -> Desk:
    """Published, and one recipient who has not been mailed yet."""
    filled.run("recipients", "add", "anna@example.org")
    assert filled.run("publish").exit_code == 0
    return filled


def saying(desk: Desk, text: str) -> list[Path]:
    """The feeds and pages with these words."""
    found = [path for path in (desk.folder / "feeds").rglob("*.*") if path.is_file()]
    return sorted(path for path in found if text in path.read_text("utf-8"))


def test_a_withdrawn_article_says_nothing_any_more(told: Desk) -> None:
    """For who complained: its words are on no page and in no feed; its address still answers."""
    text = told.json("articles", "show", "1")["text"].split(". ")[1][:60]
    before = saying(told, text)
    [page] = [path for path in before if path.parent.name == "articles"]
    assert len(before) > 3
    assert "is withdrawn. Next: digest publish" in told.run("articles", "withdraw", "1").stdout
    told.run("publish")
    assert saying(told, text) == []
    assert "was withdrawn on" in page.read_text("utf-8")
    assert "is published again" in told.run("articles", "withdraw", "1", "--undo").stdout
    told.run("publish")
    assert saying(told, text) == before


def test_no_later_edition_holds_it(told: Desk) -> None:
    """And what stands in an edition already is told, with what stops that one."""
    told.run("articles", "withdraw", "1")
    told.run("send", "--yes", "--limit", "1")
    assert 1 not in [one["id"] for one in told.json("editions", "show", "1")["articles"]]


def test_an_edition_that_goes_out_with_it_is_named(told: Desk) -> None:
    """A frozen edition is what was shown, so a person must stop it."""
    told.run("recipients", "add", "bo@example.org")
    told.run("send", "--yes", "--limit", "1")
    said = told.run("articles", "withdraw", "1").stdout
    assert "digest editions hold 1" in said
    assert told.json("articles", "withdraw", "1") == {
        "id": 1,
        "withdrawn_at": told.json("articles", "show", "1")["withdrawn_at"],
        "changed": False,
        "editions": [1],
    }


def test_a_document_that_changes_does_not_bring_it_back(told: Desk) -> None:
    """For the editor: only a person takes the word back."""
    told.run("articles", "withdraw", "1")
    for path in told.seeds.iterdir():
        path.write_text(path.read_text("utf-8-sig").replace("Turkmen", "Turkmeni"), "utf-8")
    told.run("ingest")
    assert told.json("articles", "show", "1")["withdrawn_at"] is not None
