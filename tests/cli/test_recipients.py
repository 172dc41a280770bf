"""`digest recipients`: added with a choice, listed with it, refused with a reason."""

from tests.desks import Desk


def test_a_recipient_is_added_and_listed(filled: Desk) -> None:
    """For the operator: the choice as it will be mailed."""
    added = filled.json(
        "recipients",
        "add",
        "Ann@Example.org",
        *("--name", "Ann", "--language", "ru", "--language", "en", "--theme", "drugs"),
    )
    assert added == {"id": 1, "new": True}
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


def test_a_second_add_changes_the_choice(filled: Desk) -> None:
    """For the operator: it says which of the two it did."""
    assert "Added recipient 1." in filled.run("recipients", "add", "ann@example.org").stdout
    again = filled.run("recipients", "add", "ANN@example.org", "--theme", "youth").stdout
    assert "Changed the choice of recipient 1." in again
    assert [one["themes"] for one in filled.json("recipients", "list")] == [["youth"]]


def test_whoever_left_is_not_added_again(filled: Desk) -> None:
    """For whoever left: the operator is told, without their address."""
    filled.run("recipients", "add", "ann@example.org")
    with filled.open() as db, db.write():
        db.run("UPDATE recipients SET status = 'ended'")
    result = filled.run("recipients", "add", "ann@example.org")
    assert result.exit_code == 1
    assert "ended the subscription" in result.stderr
    assert "ann@example.org" not in result.stderr
    assert [one["status"] for one in filled.json("recipients", "list")] == ["ended"]


def test_a_wrong_theme_is_told_with_those_there_are(filled: Desk) -> None:
    """For the operator who mistyped."""
    result = filled.run("recipients", "add", "ann@example.org", "--theme", "drug")
    assert result.exit_code == 1
    allowed = "allowed are drugs, customs, corruption, youth, other"
    assert f"theme 'drug' is not in config.toml; {allowed}" in result.stderr
    assert filled.json("recipients", "list") == []
