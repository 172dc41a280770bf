"""Correcting themes and trying changed terms, as an editor does it at the command line."""

import getpass

import pytest

from tests.desks import Desk


def more_youth(desk: Desk) -> None:
    title = 'title = { en = "Youth", ru = "Молодёжь" }\n'
    more = '[themes.terms.en]\nstrong = ["workshop"]\n'
    text = desk.config.read_text("utf-8").replace(title, title + more)
    desk.config.write_text(text, "utf-8")


def test_a_correction_is_stored_shown_and_undone(filled: Desk) -> None:
    """For the editor: who decided it, and what the classifier alone would say."""
    corrected = filled.run("articles", "theme", "3", "--add", "customs", "--remove", "youth")
    assert "youth became customs" in corrected.output
    shown = filled.run("articles", "show", "3").output
    who = getpass.getuser()
    assert f"customs: added by {who}, " in shown
    assert "the classifier alone: 0.00, needed 1.00: no term" in shown
    assert f"not youth: removed by {who}, " in shown
    data = filled.json("articles", "show", "3")
    assert data["themes"] == ["customs"]
    assert [(one["theme"], one["verdict"], one["by"]) for one in data["rulings"]] == [
        ("customs", "add", who),
        ("youth", "remove", who),
    ]
    assert [one["by"] for one in data["matches"]] == ["editor"]
    [listed] = [one for one in filled.json("articles", "list") if one["id"] == 3]
    assert listed["themes"] == ["customs"]
    assert "customs became youth" in filled.run("articles", "theme", "3", "--clear").output
    assert filled.json("articles", "show", "3")["rulings"] == []


def test_the_same_correction_again_changes_nothing(filled: Desk) -> None:
    """For editors who agree: the first one stays named."""
    filled.run("articles", "theme", "3", "--add", "customs", "--by", "Maral")
    database = filled.files()
    again = filled.run("articles", "theme", "3", "--add", "customs", "--by", "Jan")
    assert "customs, youth, as before" in again.output
    assert "added by Maral" in again.output
    assert filled.json("articles", "theme", "3", "--clear")["themes"] == ["youth"]
    assert filled.json("articles", "theme", "3", "--clear")["rulings"] == []
    assert database.keys() == filled.files().keys()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        pytest.param([], "Give --add or --remove", id="nothing given"),
        pytest.param(["--add", "drugs", "--clear"], "Give --add or --remove", id="both at once"),
        pytest.param(["--add", "drugs", "--remove", "drugs"], "drugs: give it", id="yes and no"),
        pytest.param(["--add", "sport"], "there is no theme 'sport'", id="no such theme"),
    ],
)
def test_an_unclear_correction_is_refused(filled: Desk, words: list[str], message: str) -> None:
    """For an editor who mistypes: what is allowed."""
    result = filled.run("articles", "theme", "3", *words)
    assert result.exit_code in (1, 2)
    assert message in result.output


def test_a_trial_lists_reasons_feeds_and_editions(filled: Desk) -> None:
    """For the editor: what would enter, by which word, and what readers and recipients would see."""
    more_youth(filled)
    shown = filled.run("themes", "try").output
    assert "now counts “workshop”" in shown
    assert "youth.en: html, atom, rss, json" in shown
    assert "youth.ru" not in shown
    assert "weekly no. 1: hash " in shown
    assert "Nothing was changed. Next: digest themes apply." in shown
    tried = filled.json("themes", "try")
    done = filled.json("themes", "apply")
    assert done["changes"] == tried["changes"]
    assert "already filed by this lexicon" in filled.run("themes", "apply").output
    assert filled.json("themes", "try")["changes"] == []


def test_status_and_doctor_say_that_the_themes_changed(filled: Desk) -> None:
    """For the operator: after a change in config.toml the next step is named, and gone once done."""
    assert filled.json("status")["filed_by_another_lexicon"] == 0
    more_youth(filled)
    assert filled.json("status")["filed_by_another_lexicon"] == 36
    assert "Next: digest themes try" in filled.run("status").output
    assert "36 articles were filed by another version" in filled.run("doctor").output
    filled.run("themes", "apply")
    assert "another version" not in filled.run("status").output
    assert "another version" not in filled.run("doctor").output


@pytest.mark.parametrize(
    ("since", "looked_at"),
    [
        pytest.param("2026-11-18", 36, id="the day itself"),
        pytest.param("2026-11-19", 0, id="the day after"),
        pytest.param("99999d", 36, id="very long ago"),
    ],
)
def test_since_takes_days_weeks_and_dates(filled: Desk, since: str, looked_at: int) -> None:
    """For a large store: only what came in since then."""
    more_youth(filled)
    assert filled.json("themes", "try", "--since", since)["looked_at"] == looked_at


@pytest.mark.parametrize("since", ["soon", "90", "2026-13-01", "d"])
def test_another_since_is_refused(filled: Desk, since: str) -> None:
    """For an editor who mistypes: what is allowed."""
    result = filled.run("themes", "try", "--since", since)
    assert result.exit_code == 2
    assert "give 90d, 12w, or a date" in result.output


def test_corrections_are_measured(filled: Desk) -> None:
    """For tuning the terms: the editors' corrections show where the classifier alone is wrong."""
    assert "No editor has corrected an article" in filled.run("themes", "evaluate").output
    filled.run("articles", "theme", "3", "--add", "customs", "--remove", "youth")
    measured = filled.json("themes", "evaluate", "--errors")
    assert [one["id"] for one in measured["items"]] == ["3"]
    assert measured["items"][0]["themes"] == ["youth"]
    assert measured["errors"][0]["wrong"] == ["youth"]
    assert measured["errors"][0]["missed"] == ["customs"]
    shown = filled.run("themes", "evaluate", "--errors").output
    assert "filed under youth, wrongly: 2." in shown
    assert "not filed under customs: 0.00 of 1.00; no term" in shown


def test_a_labelled_file_is_measured(desk: Desk) -> None:
    """For tuning the terms: per theme, per language and in all, and every item as it is filed."""
    file = desk.folder / "labels.jsonl"
    file.write_text(
        '{"id": "a", "lang": "en", "title": "Heroin seized", "text": "Officers seized heroin.", '
        '"themes": ["drugs"], "allowed": ["customs"]}\n'
        '{"id": "b", "lang": "ru", "title": "О погоде", "text": "Дождь.", "themes": ["youth"]}\n',
        "utf-8",
    )
    measured = desk.json("themes", "evaluate", str(file))
    items = [(one["id"], one["themes"]) for one in measured["items"]]
    assert items == [("a", ["drugs"]), ("b", [])]
    assert measured["overall"]["precision"]["value"] == 1.0
    assert measured["overall"]["recall"]["value"] == 0.5
    shown = desk.run("themes", "evaluate", str(file)).output
    rows = [line.split()[0] for line in shown.splitlines()[1:8]]
    assert rows == ["all", *["theme"] * 4, *["language"] * 2]
    assert "2 items" in shown
    file.write_text('{"id": "a"}\n', "utf-8")
    faulty = desk.run("themes", "evaluate", str(file))
    assert faulty.exit_code == 1
    assert "labels.jsonl" in faulty.stderr
