"""A name that is changed in config.toml alone ends nobody's mail in silence."""

from datetime import timedelta

import pytest

from digest.service.troubles import find_troubles, unserved
from digest.store.database import Database, text_from_moment
from tests.desks import Desk, opened
from tests.mailing import MONDAY, Office

DIGEST = ('name = "weekly"', 'name = "svodka"')
THEME = ('name = "drugs"', 'name = "narcotics"\nterms.en.strong = ["heroin"]')
LANGUAGE = ('languages = ["en", "ru"]', 'languages = ["en"]')


def rewrite(desk: Desk, change: tuple[str, str]) -> None:
    text = desk.config.read_text("utf-8")
    assert text.count(change[0]) == 1
    desk.config.write_text(text.replace(*change), "utf-8")


def told(desk: Desk, db: Database, **limits: int) -> list[tuple[str, str, str]]:
    return [
        (one.key, one.said, one.advice) for one in unserved(db, desk.settings, MONDAY, **limits)
    ]


def test_what_config_toml_has_is_no_trouble(filled: Desk) -> None:
    """Whoever chose something that is still there, and who chose everything, gets mail."""
    with filled.open() as db:
        office = Office(filled, db)
        office.add("a@reader.test", themes=("drugs",))
        office.add("b@reader.test")
        office.add("c@reader.test", themes=("drugs", "youth"))
        office.compose()
        assert told(filled, db) == []
        rewrite(filled, THEME)
        with db.write():
            db.run("DELETE FROM recipient_themes WHERE recipient_id = 1")
        assert told(filled, db) == []


def test_the_queue_of_a_digest_that_is_gone_is_told(filled: Desk) -> None:
    """How many, of which edition, and the commands; until the edition is cancelled or the name back."""
    with filled.open() as db:
        office = Office(filled, db)
        office.add("a@reader.test", "b@reader.test", "c@reader.test")
        office.compose()
        with db.write():
            db.run("UPDATE deliveries SET status = 'sent' WHERE id = 1")
        rewrite(filled, DIGEST)
        (key, said, advice), (other, who, what) = told(filled, db)
        assert key == "edition orphaned weekly/1"
        assert said.startswith("2 deliveries of edition weekly/1 cannot go out")
        assert "no digest 'weekly' any more" in said
        assert "digest editions cancel 1" in advice
        assert other == "recipients of no digest"
        assert who.startswith("3 recipients get no mail")
        assert "(weekly)" in who
        assert "digest recipients add ADDRESS --digest NAME" in what
        filled.run("editions", "cancel", "1")
        assert [key for key, _, _ in told(filled, db)] == ["recipients of no digest"]
        filled.run("recipients", "add", "a@reader.test", "--digest", "svodka")
        assert told(filled, db)[0][1].startswith("2 recipients get no mail")
        rewrite(filled, DIGEST[::-1])
        filled.run("recipients", "add", "a@reader.test", "--digest", "weekly")
        assert told(filled, db) == []


@pytest.mark.parametrize(
    ("change", "what", "name"),
    [pytest.param(THEME, "theme", "drugs", id="theme"), pytest.param(LANGUAGE, "language", "ru", id="language")],
)  # fmt: skip
def test_who_chose_only_what_is_gone_is_counted(
    filled: Desk, change: tuple[str, str], what: str, name: str
) -> None:
    """By its name, without those who left or must not be mailed: they wait for nothing."""
    with filled.open() as db:
        office = Office(filled, db)
        office.add(*(f"{number}@reader.test" for number in range(5)), themes=("drugs",))
        with db.write():
            db.run("UPDATE recipients SET status = 'ended' WHERE id = 1")
            values = ("1@reader.test", text_from_moment(MONDAY))
            db.run(
                "INSERT INTO suppressions (address_key, cause, since) VALUES (?, 'hard', ?)", values
            )
        rewrite(filled, change)
        [(key, said, advice)] = told(filled, db)
        assert key == f"recipients of no {what}"
        assert said.startswith("3 recipients get no mail")
        assert said.endswith(f"no {what} for any more ({name}).")
        assert f"digest recipients add ADDRESS --{what} NAME" in advice
        assert told(filled, db, newest=2)[0][1].startswith("2 recipients")


def test_status_doctor_and_send_say_it(filled: Desk) -> None:
    """Whatever the operator looks at after the change, and before the next edition."""
    with filled.open() as db:
        office = Office(filled, db)
        office.add("a@reader.test", themes=("drugs",))
        office.add("b@reader.test")
        office.compose()
    rewrite(filled, DIGEST)
    for command in (
        ("status",),
        ("doctor",),
        ("send", "--yes"),
        ("send", "--queued"),
        ("alarms", "check"),
    ):
        result = filled.run(*command)
        assert "2 deliveries of edition weekly/1 cannot go out" in result.output, command
        assert "2 recipients get no mail" in result.output, command
    doctor = filled.run("doctor")
    assert doctor.exit_code == 1
    assert "WRONG  edition orphaned weekly/1: " in doctor.stdout
    rewrite(filled, DIGEST[::-1])
    rewrite(filled, THEME)
    for command in (
        ("status",),
        ("doctor",),
        ("send", "--dry-run"),
        ("themes", "try"),
        ("themes", "apply"),
    ):
        result = filled.run(*command)
        assert "1 recipient gets no mail: chosen is only what" in result.output, command
        assert "cannot go out" not in result.output


def test_the_mail_of_a_digest_that_is_gone_is_not_called_late(filled: Desk) -> None:
    """One trouble, with commands that can be followed: `digest send weekly` could not."""
    with filled.open() as db:
        office = Office(filled, db)
        office.add("a@reader.test")
        office.compose()
        rewrite(filled, DIGEST)
        keys = [
            one.key
            for one in find_troubles(opened(db, filled.settings), MONDAY + timedelta(hours=1))
        ]
        later = MONDAY + timedelta(hours=30)
        assert "edition orphaned weekly/1" in keys
        assert "edition late weekly/1" not in {
            one.key for one in find_troubles(opened(db, filled.settings), later)
        }
