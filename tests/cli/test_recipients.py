"""`digest recipients`: added with a choice, listed with it, refused with a reason."""

from tests.desks import Desk
from tests.mailing import Office


def test_a_recipient_is_added_and_listed(filled: Desk) -> None:
    """For the operator: the choice as it will be mailed."""
    added = filled.json(
        "recipients",
        "add",
        "Ann@Example.org",
        *("--name", "Ann", "--language", "ru", "--language", "en", "--theme", "drugs"),
    )
    assert added == {"id": 1, "new": True, "changed": {}}
    [ann] = filled.json("recipients", "list")
    assert {key: ann[key] for key in ("id", "name", "status", "language", "languages")} == {
        "id": 1,
        "name": "Ann",
        "status": "active",
        "language": "ru",
        "languages": ["ru", "en"],
    }
    assert (ann["themes"], ann["digests"]) == (["drugs"], ["weekly"])
    printed = filled.run("recipients", "list").stdout
    assert "ru, en" in printed
    assert printed.endswith("1 recipient. Next: digest recipients add ADDRESS.\n")


def test_a_second_add_changes_what_is_given_and_nothing_else(filled: Desk) -> None:
    """For the recipient: correcting a name takes no choice away. It says from what to what."""
    first = ("--name", "Ann", "--language", "ru", "--theme", "drugs")
    assert "Added recipient 1." in filled.run("recipients", "add", "ann@example.org", *first).stdout
    again = filled.run("recipients", "add", "ANN@example.org", "--name", "Anna").stdout
    assert again.startswith("Recipient 1: name: Ann became Anna. Next:")
    more = filled.json("recipients", "add", "ann@example.org", "--theme", "everything")
    assert more["changed"] == {"themes": {"before": "drugs", "after": "everything"}}
    [ann] = filled.json("recipients", "list")
    assert (ann["name"], ann["languages"], ann["themes"]) == ("Anna", ["ru"], None)


def test_a_second_add_of_the_same_says_so(filled: Desk) -> None:
    """For the operator who runs it twice: nothing is written."""
    choice = ("recipients", "add", "ann@example.org", "--theme", "youth", "--theme", "drugs")
    filled.run(*choice)
    for words in (choice, choice[:3], (*choice[:3], "--resubscribe")):
        assert "already there, nothing changed" in filled.run(*words).stdout
    assert [one["themes"] for one in filled.json("recipients", "list")] == [["drugs", "youth"]]


def test_whoever_is_ended_by_hand_is_mailed_no_more(filled: Desk) -> None:
    """For whoever asked by telephone: what is queued is skipped, as after a letter."""
    filled.run("recipients", "add", "ann@example.org")
    with filled.open() as db:
        Office(filled, db).compose()
        with db.write():
            db.run("UPDATE deliveries SET due_at = '2020-01-01T00:00:00.000000Z'")
    ended = filled.run("recipients", "end", "Ann@Example.org")
    assert (ended.exit_code, ended.stdout[:21]) == (0, "Recipient 1 has left:")
    assert "had left already" in filled.run("recipients", "end", "ann@example.org").stdout
    filled.run("send", "--yes", "--queued", "--despite", "clock")
    [row] = filled.json("deliveries", "list")
    assert (row["status"], row["reason"]) == ("skipped", "subscription ended")
    assert not (filled.folder / "outbox").exists()


def test_whoever_left_comes_back_only_by_asking_anew(filled: Desk) -> None:
    """For whoever left: no slip brings the mail back; who has asked is told how to be taken in."""
    filled.run("recipients", "add", "ann@example.org", "--theme", "drugs")
    filled.run("recipients", "end", "ann@example.org")
    refused = filled.run("recipients", "add", "ann@example.org")
    assert refused.exit_code == 1
    assert "unsubscribed" in refused.stderr
    assert "digest recipients add ADDRESS --resubscribe" in refused.stderr
    assert [one["status"] for one in filled.json("recipients", "list")] == ["ended"]
    back = filled.run("recipients", "add", "ann@example.org", "--resubscribe")
    assert "status: ended became active" in back.stdout
    [ann] = filled.json("recipients", "list")
    assert (ann["status"], ann["themes"]) == ("active", ["drugs"])


def test_nobody_of_an_address_is_ended(filled: Desk) -> None:
    """For the operator who mistyped: the address is named."""
    result = filled.run("recipients", "end", "nobody@example.org")
    assert result.exit_code == 1
    assert "no recipient has the address 'nobody@example.org'" in result.stderr


def test_a_choice_that_gets_nothing_is_warned_of(filled: Desk) -> None:
    """For the operator: a digest in Russian alone for somebody who reads English, and a dead address."""
    filled.configure(languages='["ru"]')
    text = filled.config.read_text("utf-8")
    filled.config.write_text(
        text.replace('languages = ["ru"]', 'languages = ["en", "ru"]', 1), "utf-8"
    )
    added = ("recipients", "add", "ann@example.org", "--language")
    warned = filled.run(*added, "en")
    assert warned.exit_code == 0
    assert "digest weekly has no language of this choice" in warned.stderr
    assert filled.run(*added, "ru").stderr == ""
    filled.run("suppressions", "add", "ann@example.org")
    assert "ann@example.org is suppressed (manual)" in filled.run(*added, "ru").stderr


def test_a_wrong_theme_is_told_with_those_there_are(filled: Desk) -> None:
    """For the operator who mistyped."""
    result = filled.run("recipients", "add", "ann@example.org", "--theme", "drug")
    assert result.exit_code == 1
    allowed = "allowed are drugs, customs, corruption, youth, other, or everything alone"
    assert f"theme 'drug' is not in config.toml; {allowed}" in result.stderr
    assert filled.json("recipients", "list") == []
