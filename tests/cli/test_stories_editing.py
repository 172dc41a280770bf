"""Explaining, joining and splitting stories at the command line."""

import pytest

from tests.desks import Desk

FIRST, SECOND = 11, 15
"""The seeds' two articles on the training of March 2024 in Ashgabat."""


def test_a_link_is_explained(filled: Desk) -> None:
    """For the editor: the score beside what was needed, and the reasons."""
    shown = filled.run("stories", "explain", str(FIRST), str(SECOND)).output
    assert "of 0.50 needed: same-story, linked" in shown
    assert "both name 11 March 2024" in shown
    data = filled.json("stories", "explain", str(FIRST))
    best = data["others"][0]
    assert (data["id"], best["id"]) == (FIRST, SECOND)
    assert best["linked"]
    assert best["same_story"]
    assert not any(other["linked"] for other in data["others"][1:])


def test_usual_words_are_counted_once_and_for_all_to_see(filled: Desk) -> None:
    """For the editor: which count a comparison used; the links that were made stay."""
    before = filled.json("stories", "list")
    assert "count 1" not in filled.run("stories", "explain", str(FIRST)).output
    assert filled.json("stories", "count")["version"] == 1
    assert "How usual words are: count 1, of " in filled.run("stories", "explain", "1").output
    assert filled.json("stories", "count")["version"] == 2
    assert filled.json("stories", "list") == before


def test_a_missing_link_is_explained(filled: Desk) -> None:
    """For the editor: why there is no link, and why the article is in the story all the same."""
    shown = filled.run("stories", "explain", "1", "5").output
    assert "not linked" in shown
    assert "too little in common" in shown
    filled.run("stories", "join", "1", "5")
    assert "the editor's decision holds" in filled.run("stories", "explain", "1", "5").output
    shown = filled.run("stories", "explain", "1", "6").output
    assert "not alike enough; in the same story through other articles, or linked before" in shown


def test_a_split_and_a_join_are_kept_shown_and_undo_each_other(filled: Desk) -> None:
    """For the editor: the decision is shown with the story everywhere."""
    split = filled.run("stories", "split", str(SECOND), "--by", "Maral").output
    assert f"Article {SECOND} was split from {FIRST}." in split
    assert len(filled.json("stories", "list")) == 2
    explained = filled.run("stories", "explain", str(FIRST), str(SECOND)).output
    assert "split by Maral, " in explained
    assert "the editor's decision holds" in explained
    assert "is in no story" in filled.run("stories", "split", str(SECOND)).output
    joined = filled.run("stories", "join", str(SECOND), str(FIRST), "--by", "Maral").output
    assert f"{FIRST} and {SECOND}: joined by Maral, " in joined
    listed = filled.run("stories", "list").output
    assert f"{FIRST} and {SECOND}: joined by Maral, " in listed
    assert "(leads)" in listed
    [story] = [one for one in filled.json("stories", "list") if one["rulings"]]
    assert [one["id"] for one in story["articles"]] == [FIRST, SECOND]
    assert (story["rulings"][0]["verdict"], story["rulings"][0]["by"]) == ("join", "Maral")
    assert story["links"][0]["decided_by"] == "editor"


def test_a_decision_is_undone(filled: Desk) -> None:
    """For the editor who was wrong: what is undone is named, and the article's story after it."""
    listed = filled.json("stories", "list")
    filled.run("stories", "split", str(SECOND), "--by", "Maral")
    cleared = filled.run("stories", "clear", str(SECOND)).output
    assert f"Undone: split from {FIRST}." in cleared
    assert f"{SECOND}  en" in cleared
    again = filled.json("stories", "list")
    members, before = (
        sorted([a["id"] for a in one["articles"]] for one in stories) for stories in (again, listed)
    )
    assert members == before
    assert not any(one["rulings"] for one in again)
    assert "Nothing was changed" in filled.run("stories", "clear", str(SECOND)).output
    filled.run("stories", "join", "1", "5", "--by", "Maral")
    data = filled.json("stories", "clear", "5")
    [undone] = data["cleared"]
    assert (undone["other_id"], undone["verdict"], undone["by"]) == (1, "join", "Maral")
    assert [one["id"] for one in data["story"]["articles"]] == [5, 6]
    assert data["story"]["rulings"] == []


def test_ingesting_again_keeps_the_decision(filled: Desk) -> None:
    """For the editor: the next run of the service does not undo it."""
    filled.run("stories", "split", str(SECOND))
    filled.run("ingest")
    assert len(filled.json("stories", "list")) == 2


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        pytest.param(["join", "1"], 2, "two or more articles", id="one alone"),
        pytest.param(["join", "1", "999"], 1, "no article 999", id="no such article to join"),
        pytest.param(["split", "999"], 1, "no article 999", id="no such article to split"),
        pytest.param(["clear", "999"], 1, "no article 999", id="no such article to clear"),
        pytest.param(["explain", "1", "999"], 1, "no article 999", id="nor to compare"),
        pytest.param(["explain", "1", "1"], 1, "given twice", id="with itself"),
    ],
)
def test_what_makes_no_sense_is_refused(
    filled: Desk, words: list[str], code: int, message: str
) -> None:
    """For an editor who mistypes: what was wrong."""
    result = filled.run("stories", *words)
    assert result.exit_code == code
    assert message in result.output
