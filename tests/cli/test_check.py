"""`digest status`, `config`, `doctor`, `themes`: what is configured, stored and wrong."""

import pytest

from digest.store.database import sqlite3
from tests.desks import Desk


def test_status_shows_what_is_stored_and_what_is_next(filled: Desk) -> None:
    """For the operator in the morning."""
    status = filled.json("status")
    assert (status["articles"], status["summaries"], status["undated"]) == (36, 32, 11)
    assert [(one["name"], one["documents"]) for one in status["sources"]] == [("seeds", 5)]
    unfiled = [one for one in filled.json("articles", "list") if not one["themes"]]
    assert sum(status["themes"]["other"].values()) == len(unfiled)
    [weekly] = status["digests"]
    assert (weekly["digest"], weekly["number"], weekly["articles"]) == ("weekly", 1, 36)
    assert "36 articles, 32 of them summaries, 11 undated" in filled.run("status").stdout


def test_config_shows_the_effective_settings(desk: Desk) -> None:
    """For the operator: defaults too, and for programs the same."""
    assert desk.json("config")["site"]["title"] == "Ashgabat Desk"
    assert 'site.title = "Ashgabat Desk"' in desk.run("config").stdout


def test_five_faults_of_config_are_five_messages(desk: Desk) -> None:
    """For the operator: all of them at once, each with its key and what was found."""
    five = {
        "time_zone": '"Asia/Ashkhabad-on-Sea"',
        "busy_timeout_seconds": '"soon"',
        "entries": "5000",
        "from_address": '"nobody"',
        "transport": '"pigeon"',
    }
    desk.configure(**five)
    for command in (["config"], ["ingest"], ["status", "--json"]):
        result = desk.run(*command)
        assert (result.exit_code, result.stdout) == (1, "")
        first, *faults = result.stderr.splitlines()
        # time_zone is in the file twice, for the site and for the digest.
        assert first.endswith("config.toml: 6 faults")
        assert len(faults) == 6
        for key, value in five.items():
            assert any(key in fault and value.strip('"') in fault for fault in faults), key
    assert not desk.store.exists()


def test_a_missing_config_is_told(desk: Desk) -> None:
    """For a newcomer in another folder."""
    desk.config.unlink()
    result = desk.run("status")
    assert result.exit_code == 1
    assert (
        "no such file. Run `digest init` to make one, or name yours with --config or DIGEST_CONFIG"
        in result.stderr
    )


def test_doctor_finds_a_sound_desk_sound(filled: Desk) -> None:
    """For the operator: nothing is red; the example address and the missing alarms are yellow."""
    filled.publish()
    result = filled.run("doctor")
    assert result.exit_code == 0
    findings = filled.json("doctor")
    assert {key for one in findings for key in one} == {"name", "grade", "said", "advice"}
    yellow = [one["name"] for one in findings if one["grade"] == "yellow"]
    assert yellow in (["site", "alarms"], ["site", "SQLite", "alarms"])
    assert "0 wrong" in result.stdout


def test_doctor_before_the_first_ingest_points_at_it(desk: Desk) -> None:
    """For a newcomer: no error, but a next step."""
    result = desk.run("doctor")
    assert result.exit_code == 0
    assert "digest ingest makes it." in result.stdout


@pytest.mark.parametrize("fault", ["no database", "broken reference", "no source"])
def test_doctor_says_what_is_wrong_with_exit_code_1(filled: Desk, fault: str) -> None:
    """For the operator and for cron: what is wrong, and what to do."""
    if fault == "no database":
        filled.store.write_text("This is no database at all. " * 40)
    elif fault == "broken reference":
        other = sqlite3.connect(str(filled.store), isolation_level=None)
        other.execute("UPDATE articles SET source_id = 77 WHERE id = 1")
        other.close()
    else:
        filled.seeds.rename(filled.folder / "elsewhere")
    result = filled.run("doctor")
    assert result.exit_code == 1
    assert "1 wrong" in result.stdout
    assert "run digest doctor again" in result.stdout


def test_themes_are_listed_in_their_order(filled: Desk) -> None:
    """For the editor: config.toml's order, other news last, with counts by language."""
    themes = filled.json("themes", "list")
    assert [one["name"] for one in themes] == ["drugs", "customs", "corruption", "youth", "other"]
    drugs = [one for one in filled.json("articles", "list") if "drugs" in one["themes"]]
    assert themes[0]["articles"]["en"] == sum(one["language"] == "en" for one in drugs)
    assert "corruption" in filled.run("themes", "list").stdout


def test_themes_explain_shows_the_words(filled: Desk) -> None:
    """For the editor who asks why: what counted, and what did not."""
    [drugs, *_] = filled.json("articles", "list", "--theme", "drugs")
    explained = filled.json("themes", "explain", str(drugs["id"]))
    [score] = [one for one in explained["themes"] if one["theme"] == "drugs"]
    assert score["matched"]
    assert score["hits"]
    printed = filled.run("themes", "explain", str(drugs["id"])).stdout
    assert "drugs: yes" in printed
    assert score["hits"][0]["form"] in printed


def test_the_name_of_the_office_is_not_about_drugs(filled: Desk) -> None:
    """For the reader of drugs news: the UN Office on Drugs and Crime is no drug."""
    copy = filled.folder / "copy.txt"
    copy.write_text("A visit\nThe UN Office on Drugs and Crime opened a library in Mary.\n")
    explained = filled.json("themes", "explain", "--text", str(copy))
    assert [one["theme"] for one in explained["themes"] if one["matched"]] == []


def test_themes_explain_says_why_a_term_does_not_count(filled: Desk) -> None:
    """For the editor who wonders: another sense, and how sure the rest is."""
    copy = filled.folder / "copy.txt"
    copy.write_text("Drug for migraine approved\nPatients wait. Customs officers seized it.\n")
    printed = filled.run("themes", "explain", "--text", str(copy)).stdout
    assert "0.00  Drug  (title, term “drug”; another sense, medicine)" in printed
    assert "customs: no" in printed
    assert "Customs officers  (lead, term “" in printed
    assert "; second sentence)" in printed


@pytest.mark.parametrize("encoding", ["utf-8", "cp1251", "utf-16"])
def test_a_copy_is_explained_in_any_encoding(filled: Desk, encoding: str) -> None:
    """For the editor: it reads what `ingest` reads."""
    copy = filled.folder / "copy.txt"
    copy.write_text("Изъят героин\nТаможенники изъяли героин в Ашхабаде.\n", encoding)
    explained = filled.json("themes", "explain", "--text", str(copy))
    assert (explained["title"], explained["language"]) == ("Изъят героин", "ru")
    assert "drugs" in [one["theme"] for one in explained["themes"] if one["matched"]]
