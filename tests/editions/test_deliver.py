"""The verb `deliver`: what an outcome means for a row, and the result of a run."""

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from itertools import chain, islice

import pytest

from digest.audience.suppressions import suppress
from digest.editions.compose import compose_now
from digest.editions.deliver import Portion, recover_for_plan, sending
from digest.editions.deliveries import settle_uncertain
from digest.editions.store import hold_edition, pending_editions, release_edition
from digest.mail.ledger import answer_text, settlement_of, without_addresses
from digest.mail.maildir import MaildirTransport
from digest.mail.outgoing import Due, Outcome, OutcomeKind, Phase
from digest.mail.store import hand
from digest.store.database import Database, sqlite3
from tests.desks import Desk, opened
from tests.mail.fault_server import FaultServer, running
from tests.mailing import MONDAY, Office, use_smtp

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
K = OutcomeKind


@pytest.fixture
def office(filled: Desk) -> Iterator[Office]:
    """A desk that writes into its outbox."""
    with filled.open() as db:
        yield Office(filled, db, transport=MaildirTransport(filled.folder / "outbox"))


def outbox(office: Office) -> list[str]:
    return sorted(path.name for path in (office.desk.folder / "outbox" / "new").iterdir())


def tried(attempts: int, ago: timedelta | None = None) -> Due:
    first = None if ago is None else NOW - ago
    return Due(7, 1, 1, 7, "anna@reader.example", None, attempts, first)


@pytest.mark.parametrize(
    ("kind", "status", "reason"),
    [
        pytest.param(K.SENT, "sent", None, id="sent"),
        pytest.param(K.DEAD, "failed", "no such address", id="dead"),
        pytest.param(K.FULL, "failed", "mailbox full", id="full"),
        pytest.param(K.POLICY, "failed", "refused by policy", id="policy"),
        pytest.param(K.REFUSED, "failed", "refused", id="refused"),
        pytest.param(
            K.UNCERTAIN, "uncertain", "no answer after the body was handed over", id="uncertain"
        ),
        pytest.param(K.PASSING, "queued", None, id="passing"),
        pytest.param(K.OURS, "queued", None, id="our own fault"),
        pytest.param(K.UNSENT, "queued", None, id="never begun"),
    ],
)
def test_each_outcome_has_its_state(kind: OutcomeKind, status: str, reason: str | None) -> None:
    """Only answers about the recipient end a delivery."""
    settled = settlement_of(Outcome(7, kind, text="so"), tried(0), NOW)
    assert (settled.status, settled.reason) == (status, reason)
    assert (settled.due_at is None) == (status != "queued")
    assert settled.counts_as_try == (kind not in (K.OURS, K.UNSENT))


@pytest.mark.parametrize(
    ("attempts", "ago", "hours"),
    [
        pytest.param(0, None, 0.25, id="first"),
        pytest.param(4, timedelta(hours=17), 24, id="fifth"),
        pytest.param(5, timedelta(hours=41), None, id="tries used up"),
        pytest.param(1, timedelta(hours=48), None, id="48 hours are over"),
    ],
)
def test_a_passing_answer_waits_longer_each_time(
    attempts: int, ago: timedelta | None, hours: float | None
) -> None:
    """And is given up after 48 hours: by then it is no longer news."""
    settled = settlement_of(Outcome(7, K.PASSING), tried(attempts, ago), NOW)
    if hours is None:
        assert (settled.status, settled.reason) == ("failed", "tries used up")
    else:
        assert settled.due_at == NOW + timedelta(hours=hours)


@pytest.mark.parametrize(
    ("outcome", "text"),
    [
        pytest.param((550, "5.1.1", "no such user"), "550 5.1.1 no such user", id="apart"),
        pytest.param((550, "5.1.1", "5.1.1 no such user"), "550 5.1.1 no such user", id="within"),
        pytest.param((450, None, "later"), "450 later", id="no enhanced code"),
        pytest.param((None, None, "connection lost"), "connection lost", id="no answer"),
    ],
)
def test_an_answer_is_stored_as_the_server_sent_it(outcome: tuple, text: str) -> None:
    """Its code, its enhanced code once, its words."""
    code, enhanced, words = outcome
    answer = Outcome(7, K.PASSING, code=code, enhanced=enhanced, text=words, phase=Phase.RCPT)
    assert answer_text(answer) == text


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        pytest.param(None, None, id="nothing"),
        pytest.param(
            "relay:25: mail: 550 <bounces+abc@news.example.org>: rejected, ask a.b@relay.example",
            "relay:25: mail: 550 <(address)>: rejected, ask (address)",
            id="a fault, whose address would bring a token into a log",
        ),
        pytest.param("a" * 1_000_000, "a" * 1_000_000, id="a long word"),
        pytest.param("@" * 1_000_000, "@" * 1_000_000, id="only at signs"),
        pytest.param("a@" * 500_000 + "b", "(address)", id="at signs and letters in turn"),
        pytest.param("x <@a@b.test>", "x <@(address)>", id="an at sign before"),
    ],
)
def test_addresses_are_removed_in_one_pass(answer: str | None, shown: str | None) -> None:
    """The log does this in the service's own loop, and strangers choose the text: a search from each
    character again would take hours."""
    assert without_addresses(answer) == shown


def test_a_run_sends_each_once_and_a_second_finds_nothing(office: Office) -> None:
    """Each verb run twice equals once."""
    office.add("a@reader.example", "b@reader.example", "c@reader.example")
    office.compose()
    report = office.deliver()
    assert report.outcomes == {K.SENT: 3}
    assert report.left == {"sent": 3}
    assert office.deliver() is None
    assert len(outbox(office)) == 3


def test_a_limit_counts_over_all_editions(office: Office) -> None:
    """A first careful portion is never larger than its limit."""
    office.add("a@reader.example", "b@reader.example")
    office.compose()
    (office.desk.seeds / "900.txt").write_text("Новости из Ашхабада\n\nУправление ООН.\n", "utf-8")
    office.later(days=7)
    office.desk.ingest(office.now)
    office.later(hours=1)
    office.compose()
    assert pending_editions(office.db, digest=None, now=office.now) == [1, 2]
    office.deliver(portion=Portion(limit=3))
    assert [(one.edition_id, one.left) for one in office.reports] == [
        (1, {"sent": 2}),
        (2, {"queued": 1, "sent": 1}),
    ]
    assert len(outbox(office)) == 3


def test_an_address_that_no_header_can_hold_fails_alone(office: Office) -> None:
    """One odd row does not stop the edition for the recipients after it."""
    office.add("a@reader.example", "имя@reader.example", "c@reader.example")
    office.compose()
    report = office.deliver()
    assert report.outcomes == {K.SENT: 2, K.REFUSED: 1}
    assert office.rows()["имя@reader.example"] == ("failed", "refused")
    assert office.suppressed() == set()


def test_a_choice_without_articles_is_skipped(office: Office) -> None:
    """No empty mail; the row says why there is none."""
    office.add("a@reader.example")
    office.add("b@reader.example", themes=("corruption",))
    office.add("c@reader.example", themes=("youth",))
    office.compose()
    report = office.deliver()
    rows = office.rows()
    assert rows["a@reader.example"] == ("sent", None)
    skipped = [one for one in rows.values() if one[0] == "skipped"]
    assert report.skipped == len(skipped) >= 1
    assert set(skipped) == {("skipped", "nothing for the chosen themes")}


def test_an_outbox_that_cannot_be_written_holds_the_edition(office: Office) -> None:
    """A full or missing disk is our own fault: no delivery fails because of it."""
    (office.desk.folder / "outbox").write_text("a file instead of a folder", "utf-8")
    office.add("a@reader.example")
    office.compose()
    report = office.deliver()
    assert "outbox" in (report.fault or "")
    assert office.counts() == {"queued": 1}
    assert office.deliver() is None


def died(office: Office, *ids: int) -> None:
    """Leave these rows as a sender does that dies after it has sent the bodies."""
    newsroom = opened(office.db, office.desk.settings, transport=office.transport, clock=office.now)
    with sending(newsroom) as newsroom, office.db.write():
        hand(office.db, newsroom.sender, ids, office.now)


def test_after_a_crash_the_outbox_holds_each_message_once(office: Office) -> None:
    """A message that lies in the outbox was sent, even if it has been read."""
    office.add("a@reader.example", "b@reader.example", "c@reader.example")
    office.compose()
    office.deliver(portion=Portion(limit=2))
    new = office.desk.folder / "outbox" / "new"
    first, second = sorted(new.iterdir())
    before = first.read_bytes()
    first.rename(new.parent / "cur" / f"{first.name}:2,S")
    office.db.run("UPDATE deliveries SET status = 'handed' WHERE id IN (1, 2)")
    office.later(minutes=1)
    office.deliver()
    assert office.counts() == {"sent": 3}
    assert len(outbox(office)) == 2
    assert (new.parent / "cur" / f"{first.name}:2,S").read_bytes() == before
    assert second.exists()


def test_mail_of_another_transport_is_never_repeated(office: Office) -> None:
    """A change from a server to the outbox after a crash mails nobody twice."""
    office.add("a@reader.example", "b@reader.example")
    office.compose()
    with running(FaultServer()) as server:
        outbox_transport, office.transport = office.transport, None
        use_smtp(office.desk, server.port)
        office.deliver(portion=Portion(limit=1))
        office.db.run("UPDATE deliveries SET status = 'handed' WHERE id = 1")
    office.desk.configure(transport='"maildir"')
    office.transport = outbox_transport
    office.deliver()
    assert office.counts() == {"sent": 1, "uncertain": 1}
    assert office.rows()["a@reader.example"][0] == "uncertain"


def test_a_crash_with_a_server_is_the_operators_to_settle(office: Office) -> None:
    """Uncertain deliveries are sent again only if the operator says so."""
    office.add("a@reader.example", "b@reader.example")
    office.compose()
    with running(FaultServer()) as server:
        office.transport = None
        use_smtp(office.desk, server.port)
        died(office, 1)
        office.deliver()
        assert office.counts() == {"sent": 1, "uncertain": 1}
        assert server.taken == ["b@reader.example"]
        with office.db.write():
            settle_uncertain(office.db, "id", 1, sent=False, now=office.now)
        office.deliver()
        assert server.taken == ["b@reader.example", "a@reader.example"]
    assert office.counts() == {"sent": 2}


def hold(db: Database) -> None:
    hold_edition(db, 1, "the first copy shows a mistake")


def suppress_all(db: Database) -> None:
    for number in range(1, 40):
        suppress(db, f"r{number}@reader.example", "complaint", MONDAY)


def end_all(db: Database) -> None:
    db.run("UPDATE recipients SET status = 'ended' WHERE address_key != 'r0@reader.example'")


@pytest.mark.parametrize("pipelining", [True, False], ids=["pipelining", "plain"])
@pytest.mark.parametrize(
    ("act", "left"),
    [
        pytest.param(hold, {"queued": 39}, id="the edition is held"),
        pytest.param(suppress_all, {"skipped": 39}, id="the others are suppressed"),
        pytest.param(end_all, {"skipped": 39}, id="the others leave"),
    ],
)
def test_mail_that_waits_for_a_busy_domain_is_checked_again(
    office: Office, act: Callable[[Database], None], left: dict[str, int], *, pipelining: bool
) -> None:
    """While the first mail is on its way to the server, the 39 mails after it are stopped."""

    def meanwhile(recipient: str) -> None:
        if recipient == "r0@reader.example":
            with office.desk.open() as other, other.write():
                act(other)

    office.add(*(f"r{number}@reader.example" for number in range(40)))
    office.transport = None
    with running(FaultServer(on_end=meanwhile, pipelining=pipelining)) as server:
        use_smtp(office.desk, server.port)
        office.desk.configure(transport='"smtp"\ndomain_connections = 1')
        office.compose()
        report = office.deliver(portion=Portion(limit=40))
    assert server.taken == ["r0@reader.example"]
    assert office.counts() == {"sent": 1} | left
    assert report.outcomes == {K.SENT: 1}


def test_a_complaint_during_a_run_costs_nobody_else_the_mail(office: Office) -> None:
    """The run starts again, and a limit counts only the mails that were sent."""
    office.add(*(f"r{number}@reader.example" for number in range(12)))
    office.compose()

    class Slow(MaildirTransport):
        def deliver(self, messages, **callbacks):  # type: ignore[no-untyped-def]
            first = list(islice(messages, 3))
            if office.counts() == {"queued": 12}:
                with office.desk.open() as other, other.write():
                    suppress(other, "r1@reader.example", "complaint", MONDAY)
            return super().deliver(chain(first, messages), **callbacks)

    office.transport = Slow(office.desk.folder / "outbox")
    office.deliver(portion=Portion(limit=10))
    assert office.counts() == {"sent": 10, "skipped": 1, "queued": 1}


def test_recovering_settles_each_handed_row_once(office: Office) -> None:
    """A second call finds nothing."""
    office.add("a@reader.example")
    office.compose()
    newsroom = opened(office.db, office.desk.settings, transport=office.transport, clock=office.now)
    assert recover_for_plan(newsroom) == 0
    died(office, 1)
    assert recover_for_plan(newsroom) == 1
    assert recover_for_plan(newsroom) == 0


@pytest.mark.parametrize("pipelining", [True, False], ids=["pipelining", "plain"])
def test_no_answer_is_lost_while_the_database_cannot_be_written(
    office: Office, caplog: pytest.LogCaptureFixture, *, pipelining: bool
) -> None:
    """Another process writes for longer than the busy timeout: the sender keeps what servers said."""
    office.add(*(f"r{number}@reader.example" for number in range(9)))
    office.transport = None
    path = office.desk.store
    with (
        closing(sqlite3.connect(path, check_same_thread=False, isolation_level=None)) as other,
        running(FaultServer(pipelining=pipelining)) as server,
    ):

        def block(_: str) -> None:
            if len(server.taken) == 4:
                other.execute("BEGIN IMMEDIATE")

        class Frees(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                other.execute("ROLLBACK")

        server.on_end = block
        use_smtp(office.desk, server.port)
        office.compose()
        office.db.connection.execute("PRAGMA busy_timeout = 50")
        frees = Frees()
        logging.getLogger("digest").addHandler(frees)
        try:
            office.deliver()
        finally:
            logging.getLogger("digest").removeHandler(frees)
    assert "wait until the database can be written" in caplog.text
    assert office.counts() == {"sent": 9}


def dates(office: Office) -> list[str | None]:
    new = office.desk.folder / "outbox" / "new"
    return [message_from_bytes(path.read_bytes())["Date"] for path in new.iterdir()]


def test_a_mail_is_dated_when_its_edition_begins_to_go_out(office: Office) -> None:
    """Held for a day, it is not a mail of yesterday, which filters punish; its later portions have the
    same date.
    """
    office.add("a@reader.example", "b@reader.example")
    edition = office.compose()
    hold_edition(office.db, edition, "wait")
    office.later(days=1)
    release_edition(office.db, edition)
    office.deliver(portion=Portion(limit=1))
    office.later(days=1)
    office.deliver()
    assert dates(office) == [f"{MONDAY + timedelta(days=1):%a, %d %b %Y} 08:00:00 +0500"] * 2


def test_a_mailbox_that_is_full_three_times_is_suppressed(office: Office) -> None:
    """Three editions in two months; before that it is tried again with the next edition."""
    office.add("full.1@reader.example")
    office.transport = None
    with running(FaultServer(acts={"full": ("end", "552 5.2.2 Over quota")})) as server:
        use_smtp(office.desk, server.port)
        for week in (1, 2, 3):
            assert office.suppressed() == set()
            office.now = MONDAY + timedelta(days=7 * week)
            text = f"Новости недели {week}\n\nВ Ашхабаде прошла {week}-я встреча.\n"
            (office.desk.seeds / f"90{week}.txt").write_text(text, "utf-8")
            office.desk.ingest(office.now - timedelta(hours=1))
            office.compose()
            office.deliver()
    assert [status for status, _ in office.rows().values()] == ["failed"]
    assert office.suppressed() == {"full.1@reader.example"}
    assert office.db.value("SELECT cause FROM suppressions") == "soft"


@pytest.mark.parametrize("pipelining", [True, False], ids=["pipelining", "plain"])
def test_an_answer_in_any_bytes_settles_its_row(office: Office, *, pipelining: bool) -> None:
    """The state is on disk, with words that a terminal can show; the others are not affected."""
    acts = {
        "one": ("end", "250 2.0.0 \udccf\udcf0\udce8\udcedято \x1b[2J\x07"),
        "two": ("rcpt", "550 5.1.1 \udccd\udce5\udcf2 \u202eadresa"),
        "three": ("data", "451 4.3.0 \udcff"),
        "four": ("end", "\udcff\udcfe"),
    }
    office.add(*(f"{name}@reader.example" for name in (*acts, "five")))
    office.transport = None
    with running(FaultServer(acts={f"{k}@reader": v for k, v in acts.items()})) as server:
        server.pipelining = pipelining
        use_smtp(office.desk, server.port)
        office.compose()
        office.deliver()
    rows = office.db.rows("SELECT status, answer FROM deliveries ORDER BY id")
    assert [(row["status"], row["answer"]) for row in rows] == [
        ("sent", "250 2.0.0 \ufffd\ufffd\ufffd\ufffdято"),
        ("failed", "550 5.1.1 \ufffd\ufffd\ufffd adresa"),
        ("queued", "451 4.3.0 \ufffd"),
        ("uncertain", "no SMTP reply: \ufffd\ufffd"),
        ("sent", "250 2.0.0 Ok: queued as 4XYZ"),
    ]
    assert len(server.taken) == len(set(server.taken))


def test_an_edition_is_sent_although_its_documents_are_gone(office: Office) -> None:
    """What was frozen is what is sent."""
    office.add("a@reader.example")
    office.compose()
    for document in office.desk.seeds.iterdir():
        os.unlink(document)  # noqa: PTH108 - as any program would
    office.desk.ingest(office.now)
    office.deliver()
    assert office.counts() == {"sent": 1}


def test_without_recipients_nothing_is_composed_by_hand(office: Office) -> None:
    """The news waits for the first of them."""
    newsroom = opened(office.db, office.desk.settings, clock=office.now)
    assert compose_now(newsroom, newsroom.settings.digests[0]) is None
    office.add("a@reader.example")
    assert office.compose() == 1
