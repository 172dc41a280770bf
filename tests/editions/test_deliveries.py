"""The ledger's rows: each change of state is one statement, and holds what it promises."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from digest.audience.store import ChosenRecipient, add_recipient
from digest.audience.suppressions import end_recipient, suppress
from digest.editions.deliveries import (
    delivery_by_id,
    due_deliveries,
    list_deliveries,
    queue_deliveries,
    settle_uncertain,
    skip_unwanted,
)
from digest.editions.store import (
    audience_of,
    cancel_edition,
    delivery_counts,
    hold_edition,
    pending_editions,
    release_edition,
    save_edition,
    skip_cancelled,
    waiting_editions,
)
from digest.errors import NotFoundError, NotReadyError, SenderError
from digest.mail.outgoing import DeliveryStatus, Settlement
from digest.mail.store import mark_handed, recover_handed, settle
from digest.model import Choice, Edition, EditionStatus, Window
from digest.store.database import Database, open_database, sqlite3

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
RUSSIAN = Choice("ru", ("ru",), ("drugs",))


@pytest.fixture
def ledger(db: Database) -> Database:
    """One edition, queued for five recipients; delivery and recipient have the same numbers."""
    window = Window(NOW - timedelta(days=7), NOW)
    with db.write():
        for number in range(1, 6):
            add_recipient(
                db,
                ChosenRecipient(
                    address=f"r{number}@reader.example",
                    name=None,
                    languages=("ru",),
                    themes=None,
                    digests=("weekly",),
                ),
                NOW,
            )
        edition = Edition(None, "weekly", 1, window, "abc", (), EditionStatus.COMPOSED)
        edition_id = save_edition(db, edition, NOW)
        choices = [(number, RUSSIAN) for number in range(1, 6)]
        assert queue_deliveries(db, edition_id, choices, NOW) == 5
    return db


def due(db: Database, now: datetime = NOW) -> list[int]:
    return [one.id for one in due_deliveries(db, 1, now)]


def hand(db: Database, *ids: int) -> None:
    with db.write():
        mark_handed(db, ids, NOW)


def end(db: Database, *settlements: Settlement, now: datetime = NOW) -> None:
    with db.write():
        settle(db, settlements, now)


def row(db: Database, delivery_id: int) -> dict:
    return delivery_by_id(db, delivery_id)


def test_a_recipient_is_queued_once_for_an_edition(ledger: Database) -> None:
    """The rule that nobody is mailed twice is the database's own."""
    with pytest.raises(sqlite3.IntegrityError), ledger.write():
        queue_deliveries(ledger, 1, [(3, RUSSIAN)], NOW)
    assert delivery_counts(ledger, 1) == {"queued": 5}
    assert audience_of(ledger, 1) == 5


def test_only_what_is_due_is_given_out(ledger: Database) -> None:
    """Who was put off waits for the hour."""
    end(ledger, Settlement(2, DeliveryStatus.QUEUED, due_at=LATER))
    assert due(ledger) == [1, 3, 4, 5]
    assert due(ledger, LATER) == [1, 2, 3, 4, 5]
    assert pending_editions(ledger, digest="weekly", now=NOW) == [1]


@pytest.mark.parametrize(
    "unwanted",
    [
        pytest.param(lambda db: suppress(db, "R3@Reader.Example ", "manual", NOW), id="suppressed"),
        pytest.param(lambda db: end_recipient(db, 3, "left", NOW), id="ended"),
    ],
)
def test_who_must_not_be_mailed_is_never_given_out(ledger: Database, unwanted) -> None:
    """Whether found when queuing or when the turn comes, and whoever wrote it."""
    with ledger.write():
        unwanted(ledger)
    assert due(ledger) == [1, 2, 4, 5]
    with ledger.write():
        assert skip_unwanted(ledger, 1, NOW) == 1
    assert delivery_counts(ledger, 1) == {"queued": 4, "skipped": 1}


@pytest.fixture
def another(ledger: Database) -> Iterator[Database]:
    """A second process's connection to the same store."""
    with open_database(ledger.path, busy_timeout_seconds=0.1) as other:
        yield other


def test_what_another_process_suppresses_holds_at_once(ledger: Database, another: Database) -> None:
    """A complaint that is read while an edition goes out still counts for it."""
    given = due_deliveries(ledger, 1, NOW)
    assert next(given).id == 1
    with another.write():
        suppress(another, "r2@reader.example", "complaint", NOW)
    assert [one.id for one in given] == [3, 4, 5]


def test_a_hold_by_another_process_ends_the_giving_out(ledger: Database, another: Database) -> None:
    """An editor's "stop" is heard in the middle."""
    given = due_deliveries(ledger, 1, NOW)
    assert next(given).id == 1
    with another.write():
        hold_edition(another, 1, "wrong lead")
    assert list(given) == []


def test_handed_counts_a_try_and_keeps_the_first_hour(ledger: Database) -> None:
    """48 hours are counted from the first try."""
    hand(ledger, 1)
    assert row(ledger, 1)["status"] == "handed"
    assert row(ledger, 1)["attempts"] == 1
    assert row(ledger, 1)["first_tried_at"] == row(ledger, 1)["handed_at"]


def test_what_is_not_queued_cannot_be_handed(ledger: Database) -> None:
    """Of a group with a cancelled one none is handed: none of their bodies may be ended."""
    with ledger.write():
        cancel_edition(ledger, 1, NOW)
    with pytest.raises(SenderError, match="cancelled"):
        hand(ledger, 1, 2)
    hand_counts = delivery_counts(ledger, 1)
    assert hand_counts == {"skipped": 5}


@pytest.mark.parametrize(
    ("handed", "counts", "attempts"),
    [
        pytest.param(True, True, 1, id="answered after the body"),
        pytest.param(True, False, 0, id="handed, then nothing was sent"),
        pytest.param(False, True, 1, id="answered before the body"),
        pytest.param(False, False, 0, id="never begun"),
    ],
)
def test_a_try_counts_once_and_only_where_it_was_one(
    ledger: Database, handed: bool, counts: bool, attempts: int
) -> None:
    """No try is used up by a fault of ours, and none is counted twice."""
    if handed:
        hand(ledger, 1)
    end(ledger, Settlement(1, DeliveryStatus.QUEUED, due_at=NOW, counts_as_try=counts))
    assert row(ledger, 1)["attempts"] == attempts
    assert row(ledger, 1)["status"] == "queued"


def test_what_has_ended_does_not_change_again(ledger: Database) -> None:
    """A late word on a delivery that is settled is not taken."""
    end(ledger, Settlement(1, DeliveryStatus.SENT, answer="250 Ok", server="mx:25"))
    end(ledger, Settlement(1, DeliveryStatus.FAILED, reason="refused"))
    assert row(ledger, 1)["status"] == "sent"
    assert row(ledger, 1)["answer"] == "250 Ok"


@pytest.mark.parametrize(("repeatable", "left"), [(True, "queued"), (False, "uncertain")])
def test_what_a_dead_sender_left_is_repeated_only_where_that_is_safe(
    ledger: Database, repeatable: bool, left: str
) -> None:
    """A file is written over; a mail that may have arrived is the operator's to judge."""
    hand(ledger, 1, 2)
    end(ledger, Settlement(2, DeliveryStatus.SENT))
    with ledger.write():
        assert recover_handed(ledger, repeatable=repeatable, now=LATER) == 1
        assert recover_handed(ledger, repeatable=repeatable, now=LATER) == 0
    assert row(ledger, 1)["status"] == left
    assert due(ledger, LATER) == ([1, 3, 4, 5] if repeatable else [3, 4, 5])


def test_the_operators_word_settles_what_is_uncertain(ledger: Database) -> None:
    """One, or a whole edition; what is not uncertain stays as it is."""
    hand(ledger, 1, 2, 3)
    with ledger.write():
        recover_handed(ledger, repeatable=False, now=NOW)
        sent = settle_uncertain(ledger, delivery_id=1, edition_id=None, sent=True, now=NOW)
        resent = settle_uncertain(ledger, delivery_id=None, edition_id=1, sent=False, now=NOW)
        again = settle_uncertain(ledger, delivery_id=1, edition_id=None, sent=False, now=NOW)
    assert (sent, resent, again) == (1, 2, 0)
    assert row(ledger, 1)["reason"] == "settled by the operator"
    assert due(ledger) == [2, 3, 4, 5]
    assert (row(ledger, 2)["attempts"], row(ledger, 2)["first_tried_at"]) == (0, None)


def test_nothing_of_a_cancelled_edition_is_queued_again(ledger: Database) -> None:
    """Neither by the operator's word nor by an answer that came after the cancellation."""
    hand(ledger, 1, 2)
    with ledger.write():
        cancel_edition(ledger, 1, NOW)
    end(ledger, Settlement(1, DeliveryStatus.QUEUED, due_at=LATER))
    end(ledger, Settlement(2, DeliveryStatus.UNCERTAIN))
    with ledger.write():
        assert skip_cancelled(ledger, 1, LATER) == 1
    with pytest.raises(NotReadyError, match=r"edition 1 was cancelled.*Use --sent"):
        settle_uncertain(ledger, delivery_id=2, edition_id=None, sent=False, now=NOW)
    assert [row(ledger, n)["status"] for n in (1, 2)] == ["skipped", "uncertain"]


def test_a_released_edition_begins_its_tries_anew(ledger: Database) -> None:
    """Three days on hold are not three days in which the server refused."""
    hand(ledger, 1)
    end(ledger, Settlement(1, DeliveryStatus.QUEUED, due_at=LATER))
    with ledger.write():
        assert hold_edition(ledger, 1, "login refused")
        assert not hold_edition(ledger, 1, "again")
    assert due(ledger, LATER) == []
    with ledger.write():
        assert release_edition(ledger, 1)
        assert not release_edition(ledger, 1)
    assert due(ledger) == [1, 2, 3, 4, 5]
    assert (row(ledger, 1)["attempts"], row(ledger, 1)["first_tried_at"]) == (0, None)


def test_what_waits_is_told_with_its_reason_and_hour(ledger: Database) -> None:
    """For "nothing is due": what is queued all the same."""
    end(ledger, *(Settlement(n, DeliveryStatus.QUEUED, due_at=LATER) for n in range(1, 6)))
    with ledger.write():
        hold_edition(ledger, 1, "wrong lead")
    (waiting,) = waiting_editions(ledger, "weekly")
    assert (waiting["status"], waiting["note"], waiting["queued"]) == ("held", "wrong lead", 5)
    assert waiting_editions(ledger, "daily") == []


def test_the_list_is_narrowed_by_edition_and_state(ledger: Database) -> None:
    """Who got what, in the order of queuing."""
    end(ledger, Settlement(4, DeliveryStatus.SENT))
    assert [one["id"] for one in list_deliveries(ledger, edition_id=1)] == [1, 2, 3, 4, 5]
    assert [one["id"] for one in list_deliveries(ledger, status=DeliveryStatus.SENT)] == [4]
    assert [one["id"] for one in list_deliveries(ledger, limit=2)] == [1, 2]
    assert list(list_deliveries(ledger, edition_id=9)) == []
    with pytest.raises(NotFoundError, match="delivery 99"):
        delivery_by_id(ledger, 99)
