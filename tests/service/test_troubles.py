"""What an operator must act on is found, named by a key that stays, and nothing else is.

A name that is changed in config.toml alone ends nobody's mail in silence.
"""

import os
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from digest.audience.evidence import Evidence, take_evidence
from digest.editions.compose import compose_due
from digest.editions.store import hold_edition
from digest.model import Trouble
from digest.service.troubles import LEASE, Failing, find_troubles, unserved
from digest.store.database import Database, text_from_moment
from digest.store.owner import note_bounces_read, sole_sender, take_lease
from tests.desks import Desk, opened
from tests.mailing import MONDAY, Office, use_smtp

HOUR = MONDAY
"""Eight in Ashgabat: the window of the first edition ends."""
SOON = HOUR + timedelta(minutes=10)
SERVER = "relay.test:25"


def compose(desk: Desk, db: Database, now: datetime = SOON, recipients: int = 8) -> None:
    Office(desk, db).add(*(f"{number}@reader.test" for number in range(recipients)))
    compose_due(opened(db, desk.settings, clock=now))


def settle(db: Database, ids: range, status: str, at: datetime, **columns: object) -> None:
    """These deliveries, as a run at `at` left them."""
    due = text_from_moment(at + timedelta(hours=4)) if status == "queued" else None
    tried = text_from_moment(at)
    values = {"settled_at": tried, "first_tried_at": tried, "due_at": due, **columns}
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


def handed(desk: Desk, db: Database) -> None:
    compose(desk, db)
    settle(db, range(1, 9), "sent", SOON)
    settle(db, range(3, 5), "handed", SOON, handed_at=text_from_moment(SOON))


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
    """A folder that the disk cannot even look up."""
    missing(desk, db)
    desk.seeds.symlink_to("x" * 300)


def untouched(desk: Desk, db: Database) -> None:
    pass


def letters(
    db: Database, kind: str, many: int, *, proven: bool, edition: int | None = None
) -> None:
    """Letters about the first eight recipients in turn, read at SOON."""
    with db.write():
        for n in range(many):
            said = Evidence(
                key=f"{kind} {n}".encode(),
                kind=kind,
                proven=proven,
                found_by="verp" if proven else "recipient",
                recipient_id=n % 8 + 1,
                edition_id=edition,
            )
            take_evidence(db, said, SOON)


def unproven(desk: Desk, db: Database) -> None:
    settled(desk, db)
    letters(db, "complaint", 20, proven=False)


def unwanted(desk: Desk, db: Database) -> None:
    settled(desk, db)
    letters(db, "policy", 5, proven=True, edition=1)


def by_smtp(desk: Desk, db: Database) -> None:
    settled(desk, db)
    with db.write():
        db.run("UPDATE editions SET dated_at = ?", (text_from_moment(SOON),))
    use_smtp(desk, 25, reads=False)


def unread(desk: Desk, db: Database) -> None:
    by_smtp(desk, db)
    desk.edit_config("# bounces =", "bounces =")


def read_last(desk: Desk, db: Database) -> None:
    unread(desk, db)
    with db.write():
        note_bounces_read(db, SOON)


LATER = SOON + timedelta(hours=7)
Break = Callable[[Desk, Database], None]


@pytest.mark.parametrize(
    ("breaks", "now", "key", "since", "said", "advice"),
    [
        pytest.param(late, LATER + timedelta(days=1), "edition held weekly/1", HOUR + timedelta(hours=30), "later than", "digest editions show 1", id="composed too late"),
        pytest.param(by_hand, SOON, "edition held weekly/1", SOON, "535 for (address)", "digest editions release 1", id="paused by a fault"),
        pytest.param(handed, LATER, "handed", SOON, "2 deliveries were handed over by a sender that died", "digest send --queued", id="left by a dead sender"),
        pytest.param(uncertain, SOON, "uncertain weekly/1", SOON, "2 deliveries are uncertain", "--edition 1 --status uncertain", id="uncertain"),
        pytest.param(put_off, SOON + timedelta(minutes=31), "relay", SOON, "deferred by relay.test:25: 451 try later, (address)", "digest doctor", id="the relay puts all mail off"),
        pytest.param(forgotten, LATER, "edition late weekly/1", SOON, "does not go out", "digest send weekly", id="mail that nobody sends"),
        pytest.param(untouched, LATER, "edition late weekly", HOUR, "has not been composed", "digest compose weekly", id="an hour that nobody kept"),
        pytest.param(unreadable, LATER, "source seeds", SOON, "empty.txt of the source seeds cannot be read: is empty", "then: digest ingest", id="a document for long"),
        pytest.param(missing, SOON, "source seeds", SOON, "there is no such folder", "then: digest ingest", id="the folder is gone"),
        pytest.param(unproven, SOON, "unproven letters", SOON, "20 letters within a day", "digest bounces discard --waiting", id="many letters without proof"),
        pytest.param(unwanted, SOON, "policy weekly/1", SOON, "5 recipients' servers refused edition weekly/1", "--kind policy", id="our mail is refused"),
        pytest.param(by_smtp, SOON, "bounces unread", SOON, "names no mailbox of bounces", "Set bounces in [service]", id="nobody reads the mailbox"),
        pytest.param(unread, SOON + timedelta(hours=49), "bounces unread", SOON, "not read for 48 hours", "Set bounces", id="the mailbox was never read"),
        pytest.param(read_last, SOON + timedelta(hours=49), "bounces unread", SOON, "not read for 48 hours", "Set bounces", id="the mailbox was not read for long"),
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
    """A daily digest goes on beside what waits for a person, who must not hear that it is over."""
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


def few_unproven(desk: Desk, db: Database) -> None:
    settled(desk, db)
    letters(db, "complaint", 19, proven=False)
    letters(db, "policy", 4, proven=True, edition=1)


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
        pytest.param(few_unproven, SOON, id="some letters without proof"),
        pytest.param(unread, SOON + timedelta(hours=47), id="a mailbox that is new"),
        pytest.param(read_last, SOON + timedelta(hours=47), id="a mailbox that was read"),
        pytest.param(no_news, LATER, id="a week without news for the digest"),
    ],
)  # fmt: skip
def test_what_is_no_trouble_is_not_found(filled: Desk, breaks: Break, now: datetime) -> None:
    """An operator who is called for nothing stops listening."""
    with filled.open() as db:
        breaks(filled, db)
        assert find_troubles(opened(db, filled.settings), now) == ()


def test_a_sender_that_does_not_go_on_is_named(filled: Desk) -> None:
    """After lease_seconds, as long as it holds the lock; not while it sends, nor if it leads the service."""
    length = timedelta(seconds=filled.settings.service.lease_seconds)

    def said(now: datetime) -> dict[str, str]:
        return {one.key: one.said for one in find_troubles(opened(db, filled.settings), now)}

    with filled.open() as db:
        forgotten(filled, db)
        with sole_sender(filled.store, SOON, "mark"):
            assert "sender" not in said(SOON + length / 2)
            assert (
                f"process {os.getpid()}, which began to send at 2026"
                in said(SOON + length)["sender"]
            )
            settle(db, range(4, 5), "sent", SOON + length)
            assert "sender" not in said(SOON + length * 1.5)
            now = SOON + length * 2
            assert "sender" in said(now)
            take_lease(db, LEASE, f"desk, process {os.getpid()}", "mark", now, length)
            assert "sender" not in said(now)
            assert "sender" in said(now + length)
        assert "sender" not in said(now + length)


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
        often = [replace(failing, times=3)]
        [found] = find_troubles(opened(db, filled.settings), SOON, failing=often)
    said = "The service's work “send” failed 3 times in a row: mail to (address) failed"
    assert found == Trouble("verb send", said, HOUR, found.advice)


def test_a_check_reads_no_table_in_full(filled: Desk) -> None:
    """For a store of ten million deliveries: every query finds its rows through an index."""
    queries: list[str] = []
    with filled.open() as db:
        forgotten(filled, db)
        put_off(filled, db)
        db.connection.set_trace_callback(queries.append)
        find_troubles(opened(db, filled.settings), LATER)
        db.connection.set_trace_callback(None)
        plans = [row["detail"] for one in queries for row in db.rows(f"EXPLAIN QUERY PLAN {one}")]
    assert len(queries) > 5
    grows = re.compile(
        r"SCAN (deliveries|articles|documents|matches|notices|recipients\w*)\b(?! USING INDEX)"
    )
    assert [plan for plan in plans if grows.search(plan)] == []


DIGEST = ('name = "weekly"', 'name = "svodka"')
THEME = ('name = "drugs"', 'name = "narcotics"\nterms.en.strong = ["heroin"]')
LANGUAGE = ('languages = ["en", "ru"]', 'languages = ["en"]')


def left_out(desk: Desk, db: Database, **limits: int) -> list[tuple[str, str, str]]:
    """Key, text and advice."""
    troubles = unserved(db, desk.settings, MONDAY, **limits)
    return [(one.key, one.said, one.advice) for one in troubles]


def test_what_config_toml_has_is_no_trouble(filled: Desk) -> None:
    """Recipients who chose something that is still there, or everything, get mail."""
    with filled.open() as db:
        office = Office(filled, db)
        office.add("a@reader.test", themes=("drugs",))
        office.add("b@reader.test")
        office.add("c@reader.test", themes=("drugs", "youth"))
        office.compose()
        assert left_out(filled, db) == []
        filled.edit_config(*THEME)
        with db.write():
            db.run("DELETE FROM recipient_themes WHERE recipient_id = 1")
        assert left_out(filled, db) == []


def test_the_queue_of_a_digest_that_is_gone_is_left_out(filled: Desk) -> None:
    """How many, of which edition, and the commands; until the edition is cancelled or the name back."""
    with filled.open() as db:
        office = Office(filled, db)
        office.add("a@reader.test", "b@reader.test", "c@reader.test")
        office.compose()
        with db.write():
            db.run("UPDATE deliveries SET status = 'sent' WHERE id = 1")
        filled.edit_config(*DIGEST)
        (key, said, advice), (other, who, what) = left_out(filled, db)
        assert key == "edition orphaned weekly/1"
        assert said.startswith("2 deliveries of edition weekly/1 cannot go out")
        assert "no digest 'weekly' any more" in said
        assert "digest editions cancel 1" in advice
        assert other == "recipients of no digest"
        assert who.startswith("3 recipients get no mail")
        assert "(weekly)" in who
        assert "digest recipients add ADDRESS --digest NAME" in what
        filled.run("editions", "cancel", "1")
        assert [key for key, _, _ in left_out(filled, db)] == ["recipients of no digest"]
        filled.run("recipients", "add", "a@reader.test", "--digest", "svodka")
        assert left_out(filled, db)[0][1].startswith("2 recipients get no mail")
        filled.edit_config(*DIGEST[::-1])
        filled.run("recipients", "add", "a@reader.test", "--digest", "weekly")
        assert left_out(filled, db) == []


@pytest.mark.parametrize(
    ("change", "what", "name"),
    [pytest.param(THEME, "theme", "drugs", id="theme"), pytest.param(LANGUAGE, "language", "ru", id="language")],
)  # fmt: skip
def test_recipients_who_chose_only_what_is_gone_are_counted(
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
        filled.edit_config(*change)
        [(key, said, advice)] = left_out(filled, db)
        assert key == f"recipients of no {what}"
        assert said.startswith("3 recipients get no mail")
        assert said.endswith(f"no longer has ({name}).")
        assert f"digest recipients add ADDRESS --{what} NAME" in advice
        assert left_out(filled, db, newest=2)[0][1].startswith("2 recipients")


def test_status_doctor_and_send_say_it(filled: Desk) -> None:
    """Whatever the operator looks at after the change, and before the next edition."""
    with filled.open() as db:
        office = Office(filled, db)
        office.add("a@reader.test", themes=("drugs",))
        office.add("b@reader.test")
        office.compose()
    filled.edit_config(*DIGEST)
    for command in ("status", "doctor", "send --yes", "send --queued", "alarms check"):
        result = filled.run(*command.split())
        assert "2 deliveries of edition weekly/1 cannot go out" in result.output, command
        assert "2 recipients get no mail" in result.output, command
    doctor = filled.run("doctor")
    assert doctor.exit_code == 1
    assert "WRONG  edition orphaned weekly/1: " in doctor.stdout
    filled.edit_config(*DIGEST[::-1])
    filled.edit_config(*THEME)
    for command in ("status", "doctor", "send --dry-run", "themes try", "themes apply"):
        result = filled.run(*command.split())
        assert "1 recipient gets no mail: the only choice is" in result.output, command
        assert "cannot go out" not in result.output


def test_the_mail_of_a_digest_that_is_gone_is_not_called_late(filled: Desk) -> None:
    """One trouble, with commands that can be followed: `digest send weekly` could not."""
    with filled.open() as db:
        office = Office(filled, db)
        office.add("a@reader.test")
        office.compose()
        filled.edit_config(*DIGEST)
        for hours in (1, 30):
            troubles = find_troubles(opened(db, filled.settings), MONDAY + timedelta(hours=hours))
            keys = {one.key for one in troubles}
            assert "edition orphaned weekly/1" in keys
            assert "edition late weekly/1" not in keys
