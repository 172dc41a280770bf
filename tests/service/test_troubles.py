"""What an operator must act on is found, named by a key that stays, and nothing else is."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from digest.audience.store import ChosenRecipient, add_recipient
from digest.editions.compose import compose_due
from digest.editions.store import hold_edition
from digest.model import Trouble
from digest.service.troubles import Failing, find_troubles
from digest.store.database import Database, text_from_moment
from tests.desks import Desk, opened

HOUR = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
"""Monday at eight in Ashgabat: the window of the first edition ends."""
SOON = HOUR + timedelta(minutes=10)
SERVER = "relay.test:25"


def compose(desk: Desk, db: Database, now: datetime = SOON, recipients: int = 8) -> None:
    with db.write():
        for number in range(recipients):
            add_recipient(
                db,
                ChosenRecipient(
                    address=f"{number}@reader.test",
                    name=None,
                    languages=("en",),
                    themes=None,
                    digests=("weekly",),
                ),
                HOUR,
            )
    compose_due(opened(db, desk.settings, clock=lambda: now))


def settle(db: Database, ids: range, status: str, at: datetime, **columns: object) -> None:
    """These deliveries, as a run at `at` left them."""
    due = None if status != "queued" else at + timedelta(hours=4)
    values = {
        "settled_at": text_from_moment(at),
        "first_tried_at": text_from_moment(at),
        "due_at": due and text_from_moment(due),
        **columns,
    }
    sets = ", ".join(f"{column} = ?" for column in values)
    with db.write():
        db.run(
            f"UPDATE deliveries SET status = ?, attempts = 1, {sets} WHERE id BETWEEN ? AND ?",  # noqa: S608
            (status, *values.values(), ids[0], ids[-1]),
        )


def late(desk: Desk, db: Database) -> None:
    compose(desk, db, HOUR + timedelta(hours=30))


def by_hand(desk: Desk, db: Database) -> None:
    compose(desk, db)
    hold_edition(db, 1, "relay.test:25: auth: 535 for digest@news.example.org")


def uncertain(desk: Desk, db: Database) -> None:
    compose(desk, db)
    settle(db, range(1, 9), "sent", SOON)
    settle(db, range(3, 5), "uncertain", SOON)


def put_off(desk: Desk, db: Database) -> None:
    compose(desk, db)
    settle(db, range(1, 9), "queued", SOON, answer="451 try later, 1@reader.test", server=SERVER)


def forgotten(desk: Desk, db: Database) -> None:
    compose(desk, db)
    settle(db, range(1, 4), "sent", SOON)


def unreadable(desk: Desk, db: Database) -> None:
    compose(desk, db, recipients=0)
    (desk.seeds / "empty.txt").write_text("")
    desk.ingest(SOON)


def missing(desk: Desk, db: Database) -> None:
    compose(desk, db, recipients=0)
    desk.seeds.rename(desk.folder / "elsewhere")


def unreachable(desk: Desk, db: Database) -> None:
    """A folder of which the disk does not even tell whether it is there."""
    missing(desk, db)
    desk.seeds.symlink_to("x" * 300)


def untouched(desk: Desk, db: Database) -> None:
    pass


LATER = SOON + timedelta(hours=7)
Break = Callable[[Desk, Database], None]


@pytest.mark.parametrize(
    ("breaks", "now", "key", "since", "said", "advice"),
    [
        pytest.param(late, LATER + timedelta(days=1), "edition held weekly/1", HOUR + timedelta(hours=30), "later than", "digest editions show 1", id="composed too late"),
        pytest.param(by_hand, SOON, "edition held weekly/1", SOON, "535 for (address)", "digest editions release 1", id="paused by a fault"),
        pytest.param(uncertain, SOON, "uncertain weekly/1", SOON, "2 deliveries are uncertain", "--edition 1 --status uncertain", id="uncertain"),
        pytest.param(put_off, SOON + timedelta(minutes=31), "relay", SOON, "deferred by relay.test:25: 451 try later, (address)", "digest doctor", id="the relay puts all mail off"),
        pytest.param(forgotten, LATER, "edition late weekly/1", SOON, "does not go out", "digest send weekly", id="mail that nobody sends"),
        pytest.param(untouched, LATER, "edition late weekly", HOUR, "has not been composed", "digest compose weekly", id="an hour that nobody kept"),
        pytest.param(unreadable, LATER, "source seeds", SOON, "empty.txt of the source seeds cannot be read: is empty", "then: digest ingest", id="a document for long"),
        pytest.param(missing, SOON, "source seeds", SOON, "there is no such folder", "then: digest ingest", id="the folder is gone"),
        pytest.param(unreachable, SOON, "source seeds", SOON, "cannot be read (File name too long)", "readable, then: digest ingest", id="the disk does not tell"),
    ],
)  # fmt: skip
def test_a_trouble_is_found(
    filled: Desk, breaks: Break, now: datetime, key: str, since: datetime, said: str, advice: str
) -> None:
    """Alone, with since when it lasts, what it is without an address, and what to do next."""
    with filled.open() as db:
        breaks(filled, db)
        [found] = find_troubles(opened(db, filled.settings), now)
    assert (found.key, found.since) == (key, since)
    assert said in found.said
    assert advice in found.advice


@pytest.mark.parametrize(
    ("breaks", "key"),
    [
        pytest.param(late, "edition held weekly/1", id="held"),
        pytest.param(uncertain, "uncertain weekly/1", id="uncertain"),
        pytest.param(forgotten, "edition late weekly/1", id="late"),
    ],
)
def test_a_trouble_lasts_however_many_editions_come_after_it(
    filled: Desk, breaks: Break, key: str
) -> None:
    """A daily digest goes on beside what waits for a person, who must not be told that it is over."""
    with filled.open() as db:
        breaks(filled, db)
        with db.write():
            for number in range(100, 200):
                bounds = {"starts_at": f"{number}-a", "ends_at": f"{number}-b"}
                state = {"status": "composed", "hash": "", "composed_at": ""}
                db.insert("editions", {"digest": "daily", "number": number, **bounds, **state})
        found = find_troubles(opened(db, filled.settings), LATER + timedelta(days=1))
    assert key in [one.key for one in found]


def settled(desk: Desk, db: Database) -> None:
    compose(desk, db)
    settle(db, range(1, 9), "sent", SOON)


def some_put_off(desk: Desk, db: Database) -> None:
    put_off(desk, db)
    settle(db, range(6, 9), "sent", SOON + timedelta(minutes=1))


def under_way(desk: Desk, db: Database) -> None:
    compose(desk, db)
    settle(db, range(1, 4), "sent", LATER - timedelta(minutes=1))


def repaired(desk: Desk, db: Database) -> None:
    unreadable(desk, db)
    (desk.seeds / "empty.txt").unlink()


def no_news(desk: Desk, db: Database) -> None:
    with db.write():
        db.run("UPDATE articles SET language = 'tk'")


@pytest.mark.parametrize(
    ("breaks", "now"),
    [
        pytest.param(settled, LATER, id="all was sent"),
        pytest.param(untouched, SOON, id="the hour has only just come"),
        pytest.param(put_off, SOON + timedelta(minutes=29), id="put off a moment ago"),
        pytest.param(some_put_off, LATER - timedelta(hours=4), id="others were taken meanwhile"),
        pytest.param(under_way, LATER, id="a long sending goes on"),
        pytest.param(unreadable, SOON + timedelta(hours=5), id="a document for a short while"),
        pytest.param(repaired, LATER, id="the document was taken away"),
        pytest.param(no_news, LATER, id="a week without news for the digest"),
    ],
)  # fmt: skip
def test_what_is_no_trouble_is_not_found(filled: Desk, breaks: Break, now: datetime) -> None:
    """An operator who is called for nothing stops listening."""
    with filled.open() as db:
        breaks(filled, db)
        assert find_troubles(opened(db, filled.settings), now) == ()


def test_a_digest_that_is_sent_by_hand_is_never_late(filled: Desk) -> None:
    """Where the service does not send, nobody has promised an hour."""
    filled.configure(send="false")
    with filled.open() as db:
        assert find_troubles(opened(db, filled.settings), LATER) == ()


def test_a_verb_is_in_trouble_from_its_third_failure(filled: Desk) -> None:
    """One lock that was held too long calls nobody."""
    failing = Failing("send", HOUR, 2, "mail to a@reader.test failed")
    with filled.open() as db:
        assert find_troubles(opened(db, filled.settings), SOON, failing=[failing]) == ()
        [found] = find_troubles(
            opened(db, filled.settings), SOON, failing=[replace(failing, times=3)]
        )
    assert found == Trouble(
        "verb send",
        "The service's work “send” failed 3 times in a row: mail to (address) failed",
        HOUR,
        found.advice,
    )


def test_a_folder_that_cannot_be_read_is_a_trouble(filled: Desk, tmp_path: Path) -> None:
    """Where the disk of feeds is away, its place is no folder."""
    config = filled.config.read_text("utf-8").replace('path = "seeds"', 'path = "nowhere"')
    filled.config.write_text(config, "utf-8")
    with filled.open() as db:
        keys = [one.key for one in find_troubles(opened(db, filled.settings), SOON)]
    assert keys == ["source seeds"]


def test_a_look_reads_no_table_whole(filled: Desk) -> None:
    """For a store of ten million deliveries: every query finds its rows through an index."""
    asked: list[str] = []
    with filled.open() as db:
        forgotten(filled, db)
        put_off(filled, db)
        db.connection.set_trace_callback(asked.append)
        find_troubles(opened(db, filled.settings), LATER)
        db.connection.set_trace_callback(None)
        plans = [row["detail"] for one in asked for row in db.rows(f"EXPLAIN QUERY PLAN {one}")]
    assert len(asked) > 5
    grows = re.compile(
        r"SCAN (deliveries|articles|documents|matches|notice_deliveries|recipients\w*)\b(?! USING INDEX)"
    )
    assert [plan for plan in plans if grows.search(plan)] == []
