"""A mail server in every mood: after two days of retries, each recipient is settled as its answers
say, only dead addresses are suppressed, and nobody got it twice."""

import contextlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from digest.editions.store import release_edition
from digest.store.database import moment_from_text
from tests.desks import Desk
from tests.journeys.serving import free_port
from tests.mail.certificates import server_context, write_certificate
from tests.mail.fault_server import CLOSE, HANG, Act, FaultServer, running
from tests.mailing import Office, use_smtp

GONE = ("failed", "no such address")
LATE = ("failed", "tries used up")
UNKNOWN = ("uncertain", "no answer after the body was handed over")
SENT = ("sent", None)

MOODS: dict[str, tuple[Act, tuple[str, str | None]]] = {
    "closing": (("rcpt", "421 4.3.2 Closing"), LATE),
    "grey": (("rcpt", "450 4.2.0 Greylisted"), LATE),
    "busy": (("rcpt", "454 4.7.1 Later"), LATE),
    "dead": (("rcpt", "550 5.1.1 No such user"), GONE),
    "full": (("end", "552 5.2.2 Over quota"), ("failed", "mailbox full")),
    "spam": (("end", "554 5.7.1 Refused"), ("failed", "refused by policy")),
    "odd": (("rcpt", "503 5.5.1 Bad sequence"), ("failed", "refused")),
    "shut": (("rcpt", CLOSE), LATE),
    "slam": (("data", CLOSE), LATE),
    "half": (("body", CLOSE), UNKNOWN),
    "mute": (("end", CLOSE), UNKNOWN),
    "asleep": (("end", HANG), UNKNOWN),
}
WAITS = ("closing", "grey", "busy", "shut", "slam")


@pytest.fixture
def office(filled: Desk) -> Iterator[Office]:
    with filled.open() as db:
        yield Office(filled, db)


def people(per_mood: int = 2) -> list[str]:
    """Some of each mood, with healthy ones between them."""
    return [
        address
        for n in range(per_mood)
        for mood in MOODS
        for address in (f"{mood}.{n}@reader.example", f"well.{mood}.{n}@reader.example")
    ]


def test_each_is_settled_as_the_answers_say(office: Office) -> None:
    """For the operator: all states and all moods in one edition, through two days of retries."""
    office.add(*people())
    office.compose()
    with running(FaultServer(acts={mood: act for mood, (act, _) in MOODS.items()})) as server:
        use_smtp(office.desk, server.port)
        for _ in range(7):
            report = office.deliver()
            assert report is None or report.fault is None
            office.later(hours=24)
        rows = office.rows()
        assert rows == {
            address: MOODS[address.partition(".")[0]][1] if address[:5] != "well." else SENT
            for address in people()
        }
        assert office.suppressed() == {f"dead.{n}@reader.example" for n in range(2)}
        assert max(Counter(server.taken).values()) == 1
        assert {rows[one][0] for one in server.taken} == {"sent", "uncertain"}


def test_deferred_deliveries_are_sent_when_due(office: Office) -> None:
    """For the readers of a greylisting host: late, once, and nobody else waits for them."""
    addresses = people(4)
    office.add(*addresses)
    office.compose()
    acts = {mood: act for mood, (act, _) in MOODS.items() if mood in WAITS}
    with running(FaultServer(acts=dict(acts))) as server:
        use_smtp(office.desk, server.port)
        office.deliver()
        waiting = sum(address.partition(".")[0] in WAITS for address in addresses)
        assert office.counts() == {"queued": waiting, "sent": len(addresses) - waiting}
        server.acts.clear()
        office.later(minutes=14)
        assert office.deliver() is None
        office.later(minutes=2)
        office.deliver()
        assert office.counts() == {"sent": len(addresses)}
        assert sorted(server.taken) == sorted(addresses)


def test_retries_come_after_growing_pauses(office: Office) -> None:
    """15 min, 1 h, 4 h, 12 h, 24 h; the row counts the attempts."""
    office.add("grey.1@reader.example")
    office.compose()
    begun = office.now
    pauses = []
    with running(FaultServer(acts={"grey": MOODS["grey"][0]})) as server:
        use_smtp(office.desk, server.port)
        while office.deliver() and office.counts() == {"queued": 1}:
            due_at = moment_from_text(office.db.value("SELECT due_at FROM deliveries"))
            pauses.append((due_at - office.now).total_seconds() / 3600)
            office.now = due_at
    assert pauses == [0.25, 1, 4, 12, 24]
    assert office.rows() == {"grey.1@reader.example": LATE}
    assert (office.now - begun).total_seconds() < 48 * 3600
    assert office.db.value("SELECT attempts FROM deliveries") == 6


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        pytest.param({"mail_reply": "550 5.7.1 Not you"}, "550 5.7.1 Not you", id="sender refused"),
        pytest.param({"greeting": "554 5.3.2 No"}, "554", id="greeting"),
        pytest.param({"acts": {"well": ("end", "530 5.7.0 Log in")}}, "Log in", id="login wanted"),
        pytest.param({"acts": {"well": ("end", "550 5.1.8 Who?")}}, "Who?", id="sender unknown"),
    ],
)
def test_our_own_fault_holds_the_edition(office: Office, fields: dict, reason: str) -> None:
    """For the operator: the reason is reported, everybody stays queued, and after release all get it."""
    addresses = [f"well.{n}@reader.example" for n in range(30)]
    office.add(*addresses)
    office.compose()
    with running(FaultServer(**fields)) as server:
        use_smtp(office.desk, server.port)
        report = office.deliver()
        assert report is not None
        assert reason in (report.fault or "")
        assert office.counts() == {"queued": 30}
        assert office.suppressed() == set()
        assert office.deliver() is None, "a held edition is not sent"
        server.acts.clear()
        server.mail_reply, server.greeting = "250 2.1.0 Ok", "220 fine"
        with office.db.write():
            assert release_edition(office.db, 1)
        office.deliver()
        assert office.counts() == {"sent": 30}
        assert set(office.rows().values()) == {SENT}


def hold(
    office: Office, server: FaultServer | None, addresses: tuple[str, ...] = (), **smtp: object
) -> str:
    """The fault that stops one run through this server, or through none; by default one recipient."""
    office.add(*(addresses or ("well.1@reader.example",)))
    office.compose()
    with contextlib.nullcontext() if server is None else running(server):
        use_smtp(office.desk, server.port if server else free_port(), **smtp)
        report = office.deliver()
    assert report is not None
    assert addresses or office.counts() == {"queued": 1}
    return report.fault or ""


def test_a_wrong_certificate_holds_the_edition(office: Office, tmp_path: Path) -> None:
    """Nothing is said to a server that cannot prove its identity."""
    theirs = write_certificate(tmp_path, "elsewhere.example")
    server = FaultServer(tls=server_context(theirs))
    assert "TLS failed" in hold(office, server, host="localhost", tls="implicit", ca_file=theirs)
    assert server.commands == []


def test_a_refused_login_holds_the_edition(
    office: Office, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A password that has expired fails nobody's delivery, and is not shown to the operator."""
    monkeypatch.setenv("DIGEST_TEST_PASSWORD", "open-sesame")
    ours = write_certificate(tmp_path, "localhost")
    server = FaultServer(tls=server_context(ours))
    login = {"username": "desk", "password_env": "DIGEST_TEST_PASSWORD"}
    fault = hold(office, server, host="localhost", tls="implicit", ca_file=ours, **login)
    assert "535 5.7.8" in fault
    assert "open-sesame" not in fault


def test_nobody_listening_holds_the_edition(office: Office) -> None:
    """A relay that is down is reported; all stays queued."""
    assert "connect" in hold(office, None).lower()


def test_many_refusals_by_policy_hold_the_edition(office: Office) -> None:
    """A sender taken for a spammer stops, instead of trying every address; none is suppressed."""
    addresses = tuple(f"spam.{n}@reader.example" for n in range(60))
    assert "refused by policy" in hold(
        office, FaultServer(acts={"spam": MOODS["spam"][0]}), addresses
    )
    counts = office.counts()
    assert 5 <= counts["failed"] <= 5 + 2 * 4
    assert counts["failed"] + counts["queued"] == 60
    assert office.suppressed() == set()
    assert office.db.value("SELECT status FROM editions") == "held"


def test_our_addresses_in_an_answer_are_not_reported(office: Office) -> None:
    """A refused sender address contains a token; it stays in the ledger."""
    reply = "550 5.1.8 <bounces+token@news.example.org>: Sender address rejected"
    fault = hold(office, FaultServer(mail_reply=reply))
    assert "Sender address rejected" in fault
    assert "@" not in fault
