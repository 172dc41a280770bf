"""The rows of deliveries: each change of state is one statement and keeps its promise."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from digest.audience.store import end_recipient
from digest.audience.suppressions import suppress
from digest.editions.deliveries import (
    delivery_by_id,
    due_deliveries,
    has_unwanted,
    list_deliveries,
    queue_deliveries,
    settle_uncertain,
    skip_unwanted,
)
from digest.editions.store import (
    FrozenSegment,
    audience_of,
    cancel_edition,
    delivery_counts,
    hold_edition,
    pending_editions,
    release_edition,
    save_edition,
    save_segments,
    skip_cancelled,
    waiting_editions,
)
from digest.errors import NotFoundError, NotReadyError, SenderError
from digest.mail import store as outbox
from digest.mail.outgoing import DeliveryStatus, OutcomeKind, Settlement
from digest.model import Choice, Edition, EditionStatus, Layout, Window
from digest.store.database import Database, open_database, sqlite3
from digest.store.owner import sole_sender
from tests.mailing import subscribe

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
RUSSIAN = Choice("ru", ("ru",), ("drugs",))


@pytest.fixture
def ledger(db: Database) -> Database:
    """One edition, queued for five recipients; delivery and recipient have the same numbers."""
    window = Window(NOW - timedelta(days=7), NOW)
    with db.write():
        for number in range(1, 6):
            subscribe(db, f"r{number}@reader.example", NOW)
        edition = Edition(None, "weekly", 1, window, "abc", (), EditionStatus.COMPOSED)
        edition_id = save_edition(db, edition, NOW)
        frozen = FrozenSegment(Layout(RUSSIAN, ()), None)
        ids = save_segments(db, replace(edition, id=edition_id), [frozen])
        assert ids == {RUSSIAN: 1}
        assert queue_deliveries(db, edition_id, [(number, 1) for number in range(1, 6)], NOW) == 5
    return db


def due(db: Database, now: datetime = NOW) -> list[int]:
    return [one.id for one in due_deliveries(db, 1, now)]


def hand(db: Database, *ids: int) -> None:
    with sole_sender(db.path, NOW, "dead") as sender, db.write():
        sender.begin(db, "here")
        outbox.hand(db, sender, ids, NOW)


def end(db: Database, *settlements: Settlement, now: datetime = NOW) -> None:
    with db.write():
        outbox.settle(db, "dead", settlements, now)


def test_a_recipient_is_queued_once_for_an_edition(ledger: Database) -> None:
    """The rule that nobody is mailed twice is the database's own."""
    with pytest.raises(sqlite3.IntegrityError), ledger.write():
        queue_deliveries(ledger, 1, [(3, 1)], NOW)
    assert delivery_counts(ledger, 1) == {"queued": 5}
    assert audience_of(ledger, 1) == 5


def test_only_due_deliveries_are_read(ledger: Database) -> None:
    """A deferred recipient waits until the hour."""
    end(ledger, Settlement(2, DeliveryStatus.QUEUED, due_at=LATER))
    assert due(ledger) == [1, 3, 4, 5]
    assert due(ledger, LATER) == [1, 2, 3, 4, 5]
    assert due(ledger, NOW - timedelta(days=2)) == [1, 2, 3, 4, 5], "the clock was put back"
    assert pending_editions(ledger, digest="weekly", now=NOW) == [1]


@pytest.mark.parametrize(
    "unwanted",
    [
        pytest.param(lambda db: suppress(db, "R3@Reader.Example ", "manual", NOW), id="suppressed"),
        pytest.param(lambda db: end_recipient(db, 3, "left", NOW), id="ended"),
    ],
)
def test_an_unwanted_delivery_is_never_read_as_due(ledger: Database, unwanted) -> None:
    """Neither the suppressed nor the unsubscribed are mailed; both count as skipped."""
    with ledger.write():
        unwanted(ledger)
    assert due(ledger) == [1, 2, 4, 5]
    with ledger.write():
        assert skip_unwanted(ledger, 1, NOW) == 1
    assert delivery_counts(ledger, 1) == {"queued": 4, "skipped": 1}


@pytest.mark.parametrize(
    ("act", "left"),
    [
        pytest.param(
            lambda db: suppress(db, "r2@reader.example", "complaint", NOW),
            [3, 4, 5],
            id="a complaint that is read meanwhile",
        ),
        pytest.param(lambda db: hold_edition(db, 1, "wrong lead"), [], id="an editor's hold"),
    ],
)
def test_a_write_of_another_process_counts_at_once(ledger: Database, act, left) -> None:
    """Before it is handed over: what was read as due is looked at again."""
    deliveries = due_deliveries(ledger, 1, NOW)
    assert next(deliveries).id == 1
    with open_database(ledger.path, busy_timeout_seconds=0.1) as other, other.write():
        act(other)
    drawn = [(one.id, one.segment_id) for one in deliveries]
    assert [one[0] for one in drawn if not has_unwanted(ledger, [one])] == left


def test_handed_counts_a_try_and_keeps_the_first_hour(ledger: Database) -> None:
    """48 hours are counted from the first try."""
    hand(ledger, 1)
    row = delivery_by_id(ledger, 1)
    assert (row["status"], row["attempts"]) == ("handed", 1)
    assert row["first_tried_at"] == row["handed_at"]


def test_only_queued_deliveries_can_be_handed(ledger: Database) -> None:
    """Of a group with a cancelled one none is handed: no body of the group may be completed."""
    with ledger.write():
        cancel_edition(ledger, 1, NOW)
    with pytest.raises(SenderError, match="cancelled"):
        hand(ledger, 1, 2)
    assert delivery_counts(ledger, 1) == {"skipped": 5}


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
    """A fault of ours uses up no try, and no try is counted twice."""
    if handed:
        hand(ledger, 1)
    end(ledger, Settlement(1, DeliveryStatus.QUEUED, due_at=NOW, counts_as_try=counts))
    row = delivery_by_id(ledger, 1)
    assert (row["status"], row["attempts"]) == ("queued", attempts)


def test_a_settled_delivery_does_not_change_again(ledger: Database) -> None:
    """A late answer is ignored."""
    end(ledger, Settlement(1, DeliveryStatus.SENT, answer="250 Ok", server="mx:25"))
    end(ledger, Settlement(1, DeliveryStatus.FAILED, reason="refused"))
    row = delivery_by_id(ledger, 1)
    assert (row["status"], row["answer"]) == ("sent", "250 Ok")


@pytest.mark.parametrize(
    ("fates", "left"),
    [
        ({1: OutcomeKind.UNSENT}, "queued"),
        ({1: OutcomeKind.SENT}, "sent"),
        ({1: OutcomeKind.UNCERTAIN}, "uncertain"),
        ({}, "uncertain"),
    ],
)
def test_mail_of_a_dead_sender_is_repeated_only_if_that_is_safe(
    ledger: Database, fates: dict[int, OutcomeKind], left: str
) -> None:
    """About a mail that may have arrived the operator decides."""
    hand(ledger, 1, 2)
    end(ledger, Settlement(2, DeliveryStatus.SENT))
    with ledger.write():
        assert outbox.recover(ledger, ["dead"], fates, LATER) == 1
        assert outbox.recover(ledger, ["dead"], fates, LATER) == 0
    assert delivery_by_id(ledger, 1)["status"] == left
    assert due(ledger, LATER) == ([1, 3, 4, 5] if left == "queued" else [3, 4, 5])


def test_a_sender_that_lost_its_lock_file_may_live(ledger: Database) -> None:
    """Its mail is never sent again, and the answers that it still gets count."""
    hand(ledger, 1, 2, 3)
    with ledger.write():
        fates = {1: OutcomeKind.UNSENT, 2: OutcomeKind.SENT}
        outbox.recover(ledger, ["another"], fates, LATER)
    assert delivery_counts(ledger, 1) == {"queued": 2, "sent": 1, "uncertain": 2}
    end(ledger, Settlement(1, DeliveryStatus.SENT), Settlement(2, DeliveryStatus.FAILED))
    assert delivery_counts(ledger, 1) == {"queued": 2, "sent": 2, "uncertain": 1}


def test_the_operator_settles_uncertain_deliveries(ledger: Database) -> None:
    """One, or all of an edition; other deliveries stay as they are."""
    hand(ledger, 1, 2, 3)
    with ledger.write():
        outbox.recover(ledger, ["dead"], {}, NOW)
        sent = settle_uncertain(ledger, "id", 1, sent=True, now=NOW)
        resent = settle_uncertain(ledger, "edition_id", 1, sent=False, now=NOW)
        again = settle_uncertain(ledger, "id", 1, sent=False, now=NOW)
    assert (sent, resent, again) == (1, 2, 0)
    assert delivery_by_id(ledger, 1)["reason"] == "settled by the operator"
    assert due(ledger) == [2, 3, 4, 5]
    assert (delivery_by_id(ledger, 2)["attempts"], delivery_by_id(ledger, 2)["first_tried_at"]) == (
        0,
        None,
    )


def test_nothing_of_a_cancelled_edition_is_queued_again(ledger: Database) -> None:
    """Neither by the operator nor by an answer that came after the cancellation."""
    hand(ledger, 1, 2)
    with ledger.write():
        cancel_edition(ledger, 1, NOW)
    end(ledger, Settlement(1, DeliveryStatus.QUEUED, due_at=LATER))
    end(ledger, Settlement(2, DeliveryStatus.UNCERTAIN))
    with ledger.write():
        assert skip_cancelled(ledger, 1, LATER) == 1
    with pytest.raises(NotReadyError, match=r"edition 1 was cancelled.*Use --sent"):
        settle_uncertain(ledger, "id", 2, sent=False, now=NOW)
    assert [delivery_by_id(ledger, n)["status"] for n in (1, 2)] == ["skipped", "uncertain"]


def test_a_released_edition_has_all_its_tries_again(ledger: Database) -> None:
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
    assert (delivery_by_id(ledger, 1)["attempts"], delivery_by_id(ledger, 1)["first_tried_at"]) == (
        0,
        None,
    )


def test_waiting_editions_have_their_reason_and_hour(ledger: Database) -> None:
    """For "nothing is due": what is queued nevertheless."""
    end(ledger, *(Settlement(n, DeliveryStatus.QUEUED, due_at=LATER) for n in range(1, 6)))
    with ledger.write():
        hold_edition(ledger, 1, "wrong lead")
    (waiting,) = waiting_editions(ledger, "weekly")
    assert (waiting["status"], waiting["note"], waiting["queued"]) == ("held", "wrong lead", 5)
    assert waiting_editions(ledger, "daily") == []


def test_the_list_is_narrowed_by_edition_and_state(ledger: Database) -> None:
    """Each recipient's result, in the order of queuing."""
    end(ledger, Settlement(4, DeliveryStatus.SENT))
    assert [one["id"] for one in list_deliveries(ledger, edition_id=1)] == [1, 2, 3, 4, 5]
    assert [one["id"] for one in list_deliveries(ledger, status=DeliveryStatus.SENT)] == [4]
    assert [one["id"] for one in list_deliveries(ledger, limit=2)] == [1, 2]
    assert list(list_deliveries(ledger, edition_id=9)) == []
    with pytest.raises(NotFoundError, match="delivery 99"):
        delivery_by_id(ledger, 99)
