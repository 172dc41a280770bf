"""Recipients: added once, changed later, and never added again after they unsubscribed."""

from datetime import UTC, datetime
from typing import Any

import pytest

from digest.audience.store import (
    ChosenRecipient,
    add_recipient,
    end_recipient,
    list_recipients,
    raw_choices,
    recipient_by_address,
)
from digest.errors import NotFoundError, RecipientError
from digest.model import Choice, RecipientStatus
from digest.store.database import Database

ADDED_AT = datetime(2026, 11, 18, 6, 30, tzinfo=UTC)
LATER = datetime(2027, 1, 1, tzinfo=UTC)


def add(
    db: Database,
    address: str = "ann@example.org",
    *,
    moment: datetime = ADDED_AT,
    resubscribe: bool = False,
    **choice: Any,
) -> tuple[int, bool]:
    values = {"languages": ("en", "ru"), "digests": ("weekly",)} | choice
    with db.write():
        chosen = ChosenRecipient(address=address, **values)
        return add_recipient(db, chosen, moment, resubscribe=resubscribe)


def test_a_recipient_is_stored_with_the_choice(db: Database) -> None:
    """For the recipient: address, name, languages in their order, themes and digests."""
    assert add(db, name="Ann", languages=["ru", "en"], themes=["youth", "drugs"]) == (1, True)
    [ann] = list_recipients(db)
    assert (ann.address, ann.name, ann.status) == ("ann@example.org", "Ann", RecipientStatus.ACTIVE)
    assert ann.choice == Choice("ru", ("ru", "en"), ("drugs", "youth"))
    assert (ann.digests, ann.added_at) == (("weekly",), ADDED_AT)


def test_an_address_is_one_recipient_however_it_is_written(db: Database) -> None:
    """For the recipient: nobody is mailed twice because of a capital letter."""
    first, _ = add(db, "Ann@Example.org")
    assert add(db, " ann@example.ORG ") == (first, False)
    assert recipient_by_address(db, "ANN@example.org") == first
    assert len(list_recipients(db)) == 1


def test_a_second_add_is_a_new_choice(db: Database) -> None:
    """For the recipient: the last choice counts; the name and the day they were added stay."""
    add(db, name="Ann", themes=["drugs"])
    add(db, languages=["en"], themes=["youth"], digests=["weekly", "daily"], moment=LATER)
    [ann] = list_recipients(db)
    assert ann.choice == Choice("en", ("en",), ("youth",))
    assert (ann.name, ann.digests, ann.added_at) == ("Ann", ("daily", "weekly"), ADDED_AT)


def test_a_choice_of_everything_is_no_list(db: Database) -> None:
    """For the recipient of everything: a theme that is added later is theirs too."""
    add(db, themes=["drugs"])
    add(db, themes=None)
    [row] = raw_choices(db, "weekly", ADDED_AT)
    assert row["themes"] is None


def test_somebody_who_unsubscribed_is_not_added_again(db: Database) -> None:
    """For somebody who unsubscribed: no import and no mistake brings the mail back."""
    number, _ = add(db, themes=["drugs"])
    with db.write():
        db.run("UPDATE recipients SET status = 'ended' WHERE id = ?", (number,))
    with pytest.raises(RecipientError, match=f"recipient {number} unsubscribed"):
        add(db, "ANN@example.org", themes=["youth"])
    [ann] = list_recipients(db)
    assert (ann.status, ann.choice.themes) == (RecipientStatus.ENDED, ("drugs",))
    assert list(raw_choices(db, "weekly", ADDED_AT)) == []


def test_somebody_who_resubscribed_is_a_recipient_from_then_on(db: Database) -> None:
    """For somebody who unsubscribed and came back: mailed again, added on the new day."""
    number, _ = add(db)
    with db.write():
        end_recipient(db, number, "by hand", ADDED_AT)
    assert add(db, "ANN@example.org", moment=LATER, resubscribe=True) == (number, False)
    [ann] = list_recipients(db, recipient_id=number)
    assert (ann.status, ann.added_at) == (RecipientStatus.ACTIVE, LATER)
    row = db.row("SELECT ended_at, ended_reason FROM recipients")
    assert row == {"ended_at": None, "ended_reason": None}
    assert [row["id"] for row in raw_choices(db, "weekly", ADDED_AT)] == [number]


def test_one_recipient_is_found_among_others(db: Database) -> None:
    """For the operator who changes one: the choice is theirs alone."""
    add(db, themes=["drugs"])
    other, _ = add(db, "bob@example.org", languages=["ru"], themes=["youth"])
    [bob] = list_recipients(db, recipient_id=other)
    assert (bob.address, bob.choice) == ("bob@example.org", Choice("ru", ("ru",), ("youth",)))


@pytest.mark.parametrize("status", ["pending", "ended"])
def test_only_active_recipients_are_mailed(db: Database, status: str) -> None:
    """For somebody who has not confirmed, and for somebody who unsubscribed."""
    add(db)
    other, _ = add(db, "bob@example.org")
    with db.write():
        db.run("UPDATE recipients SET status = ? WHERE id = ?", (status, other))
    assert [row["id"] for row in raw_choices(db, "weekly", ADDED_AT)] == [1]
    assert [one.id for one in list_recipients(db, status=RecipientStatus(status))] == [other]


def test_only_recipients_of_the_digest_get_it(db: Database) -> None:
    """For the recipient of another digest."""
    add(db)
    add(db, "bob@example.org", digests=["daily"])
    assert [row["id"] for row in raw_choices(db, "daily", ADDED_AT)] == [2]


def test_an_unknown_address_is_reported(db: Database) -> None:
    """For the operator who mistyped --to."""
    with pytest.raises(NotFoundError, match="digest recipients list"):
        recipient_by_address(db, "nobody@example.org")
