"""Addresses that must not be mailed, and what came back."""

from datetime import UTC, datetime, timedelta

import pytest

from digest.audience.evidence import list_suppressions
from digest.audience.store import ChosenRecipient, add_recipient, end_recipient
from digest.audience.suppressions import SOFT_LAPSES, lapse, suppress, suppressed_keys, unsuppress
from digest.store.database import Database, sqlite3, text_from_moment

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def anna(db: Database) -> int:
    """A recipient's id."""
    with db.write():
        anna = ChosenRecipient("anna@reader.example", ("en",), ("weekly",))
        return add_recipient(db, anna, NOW)[0]


def test_an_address_is_suppressed_once_however_it_is_written(db: Database) -> None:
    """Capitals and spaces do not make another mailbox."""
    assert suppress(db, "Anna@Reader.Example", "hard", NOW, detail="550 5.1.1")
    assert not suppress(db, " anna@reader.example ", "hard", NOW)
    [one] = list_suppressions(db)
    stored = (one["address_key"], one["cause"], one["detail"])
    assert stored == ("anna@reader.example", "hard", "550 5.1.1")
    assert unsuppress(db, ["ANNA@reader.example", "nobody@reader.example"]) == 1
    assert list_suppressions(db) == []


@pytest.mark.parametrize(
    ("typed", "known"),
    [
        pytest.param("anna@пример.example", "anna@xn--e1afmkfd.example", id="Cyrillic"),
        pytest.param("Anna@ПРИМЕР.example", "anna@xn--e1afmkfd.example", id="capitals"),
        pytest.param("anna@XN--E1AFMKFD.example", "anna@пример.example", id="as DNS knows it"),
        pytest.param("анна@пример.example", "анна@xn--e1afmkfd.example", id="name, too"),
    ],
)
def test_a_domain_is_one_in_every_script(db: Database, typed: str, known: str) -> None:
    """For the recipient under xn--, whose domain a person types as people read it."""
    assert suppress(db, typed, "manual", NOW)
    assert not suppress(db, known, "manual", NOW)
    assert unsuppress(db, [known]) == 1


@pytest.mark.parametrize("address", ["no address", "a@-.пример", "a@" + "ы" * 70, "@пример", ""])
def test_an_invalid_address_is_stored_as_typed(db: Database, address: str) -> None:
    """A list from elsewhere may hold anything."""
    assert suppress(db, address, "import", NOW)
    assert unsuppress(db, [address]) == 1


GRAVER = ("soft", "hard", "complaint", "import", "manual")


@pytest.mark.parametrize("before", GRAVER)
@pytest.mark.parametrize("after", GRAVER)
def test_the_graver_cause_stays(db: Database, before: str, after: str) -> None:
    """Removing all full mailboxes removes no complaint, and no report replaces a person's decision."""
    suppress(db, "anna@reader.example", before, NOW, detail=before)
    assert not suppress(db, "anna@reader.example", after, NOW + DAY, detail=after)
    [one] = list_suppressions(db)
    graver = max(before, after, key=GRAVER.index)
    assert (one["cause"], one["detail"]) == (graver, graver)
    assert one["since"] == text_from_moment(NOW if graver == before else NOW + DAY)


def test_only_known_causes_are_stored(db: Database) -> None:
    """What can be undone in bulk must have a name."""
    with pytest.raises(sqlite3.IntegrityError):
        suppress(db, "anna@reader.example", "whim", NOW)


def test_one_cause_is_undone_from_a_moment_on(db: Database) -> None:
    """A relay that answered 550 to everything on Monday costs nobody who was dead before."""
    suppress(db, "old@reader.example", "hard", NOW - DAY)
    suppress(db, "new@reader.example", "hard", NOW)
    suppress(db, "full@reader.example", "soft", NOW)
    assert suppressed_keys(db, "hard", since=NOW) == ["new@reader.example"]
    assert suppressed_keys(db, "hard", before=NOW) == ["old@reader.example"]
    assert unsuppress(db, suppressed_keys(db, "hard", since=NOW)) == 1
    left = [one["address_key"] for one in list_suppressions(db)]
    assert left == ["full@reader.example", "old@reader.example"]
    assert [one["cause"] for one in list_suppressions(db, cause="soft")] == ["soft"]


def test_a_suppression_for_soft_bounces_lapses(db: Database) -> None:
    """A full mailbox is emptied one day; a dead one stays dead."""
    suppress(db, "full@reader.example", "soft", NOW)
    suppress(db, "dead@reader.example", "hard", NOW)
    assert lapse(db, NOW + SOFT_LAPSES - DAY) == 0
    assert lapse(db, NOW + SOFT_LAPSES) == 1
    assert [one["address_key"] for one in list_suppressions(db)] == ["dead@reader.example"]


def test_a_subscription_ends_once(db: Database, anna: int) -> None:
    """The first reason stays."""
    assert end_recipient(db, anna, "complaint", NOW)
    assert not end_recipient(db, anna, "mail to the address for leaving", NOW + DAY)
    row = db.row("SELECT status, ended_reason FROM recipients")
    assert row == {"status": "ended", "ended_reason": "complaint"}
