"""The SMTP transport against a server that misbehaves: every message has one outcome, the right one."""

import pytest

from digest.mail.outgoing import OutcomeKind, Phase
from digest.mail.smtp.servers import Patience
from digest.mail.smtp.transport import SmtpTransport
from tests.mail.fault_server import CLOSE, HANG, FaultServer, running
from tests.mail.ledger_book import BODY, HASTE, Book, outgoing, send, to_port, to_ports

K, P = OutcomeKind, Phase
BOTH = pytest.mark.parametrize("pipelining", [True, False], ids=["pipelining", "plain"])

FAULTS = [
    pytest.param("rcpt", "421 4.3.2 Closing", K.PASSING, P.RCPT, id="421"),
    pytest.param("rcpt", "450 4.2.0 Greylisted", K.PASSING, P.RCPT, id="450"),
    pytest.param("rcpt", "454 4.7.1 Later", K.PASSING, P.RCPT, id="454"),
    pytest.param("rcpt", "550 5.1.1 No such user", K.DEAD, P.RCPT, id="550 5.1.1"),
    pytest.param("end", "552 5.2.2 Over quota", K.FULL, P.END, id="552 5.2.2"),
    pytest.param("end", "554 5.7.1 Spam", K.POLICY, P.END, id="554 5.7.1"),
    pytest.param("rcpt", "503 5.5.1 Bad sequence", K.REFUSED, P.RCPT, id="503"),
    pytest.param("data", "451 4.3.0 Try later", K.PASSING, P.DATA, id="451 to DATA"),
    pytest.param("rcpt", CLOSE, K.UNSENT, P.RCPT, id="closes after RCPT"),
    pytest.param("rcpt", HANG, K.UNSENT, P.RCPT, id="hangs after RCPT"),
    pytest.param("data", CLOSE, K.UNSENT, P.DATA, id="closes after DATA"),
    pytest.param("body", CLOSE, K.UNCERTAIN, P.END, id="closes in the middle of the body"),
    pytest.param("end", CLOSE, K.UNCERTAIN, P.END, id="closes after the body"),
    pytest.param("end", HANG, K.UNCERTAIN, P.END, id="hangs after the body"),
    pytest.param("end", "what?", K.UNCERTAIN, P.END, id="no SMTP after the body"),
    pytest.param("end", "421 4.3.2 Closing", K.PASSING, P.END, id="421 after the body"),
]


@BOTH
@pytest.mark.parametrize(("where", "what", "kind", "phase"), FAULTS)
def test_a_fault_hits_only_the_message_it_belongs_to(where, what, kind, phase, pipelining):
    """For the ledger: the faulty one is classed as in the table, all others are sent once."""
    people = ["good.1@example.net", "bad.1@example.org", *(f"good.{i}@a.net" for i in range(6))]
    with running(FaultServer(acts={"bad": (where, what)}, pipelining=pipelining)) as server:
        book, report = send(server.port, people, server={"connections": 2})
    kinds = book.kinds()
    assert kinds.pop(2) is kind
    assert set(kinds.values()) == {K.SENT}
    good = [[r for r in sorted(rs) if r.startswith("good")] for rs in (server.taken, people)]
    assert good[0] == good[1]
    assert book.outcomes[2].server == f"127.0.0.1:{server.port}"
    assert book.outcomes[2].phase is phase
    assert report.fault is None
    assert report.exhausted
    assert not server.out_of_turn


@BOTH
def test_all_faults_together_lose_nothing_and_send_nothing_twice(pipelining):
    """For the first promise: what the server took is sent or uncertain, and was handed before."""
    faults = {f"f{i}": fault.values for i, fault in enumerate(FAULTS)}
    quick = [name for name, values in faults.items() if values[1] != HANG]
    names = ["ok", *faults, "fine", *quick, "ok", *quick]
    people = [f"{name}.{n}@example.net" for n, name in enumerate(names)]
    acts = {name: (values[0], values[1]) for name, values in faults.items()}
    book = Book()
    messages = outgoing(people)
    number = {message.recipient: message.delivery_id for message in messages}
    unheard = []

    def on_end(recipient):
        if number[recipient] not in book.handed:
            unheard.append(recipient)

    with running(FaultServer(acts=acts, pipelining=pipelining, on_end=on_end)) as server:
        settings = to_port(server.port, server={"connections": 8})
        patience = Patience(first=0.005, longest=0.01, tries=50)
        report = book.run(SmtpTransport(settings, patience=patience), messages)
    kinds = book.kinds()
    assert report.exhausted
    for message in messages:
        values = faults.get(message.recipient.partition(".")[0], ("", "", K.SENT))
        assert kinds[message.delivery_id] is values[2], message.recipient
    assert len(server.taken) == len(set(server.taken))
    assert {kinds[number[recipient]] for recipient in server.taken} <= {K.SENT, K.UNCERTAIN}
    assert not unheard
    assert book.most_unanswered <= 8
    assert server.most_open <= 8


def test_dots_and_lines_arrive_as_they_were():
    """For the reader: a line that begins with a dot keeps it, on both ways."""
    for pipelining in (True, False):
        with running(FaultServer(pipelining=pipelining)) as server:
            send(server.port, ["a@example.net"])
        assert server.messages == [BODY]


@pytest.mark.parametrize(
    ("fields", "phase", "code"),
    [
        pytest.param({"greeting": "554 5.3.2 No"}, P.CONNECT, 554, id="greeting"),
        pytest.param({"mail_reply": "550 5.7.1 Not you"}, P.MAIL, 550, id="sender"),
    ],
)
@BOTH
def test_a_fault_of_ours_ends_the_run_at_once(fields, phase, code, pipelining):
    """For the operator: recipients stay queued, and the report has the reason."""
    with running(FaultServer(pipelining=pipelining, **fields)) as server:
        book, report = send(server.port, [f"r{i}@example.net" for i in range(50)])
    assert set(book.kinds().values()) == {K.OURS}
    assert len(book.drawn) <= 8
    assert not book.handed
    assert {(o.phase, o.code) for o in book.outcomes.values()} == {(phase, code)}
    assert report.fault is not None
    assert str(code) in report.fault
    assert not report.exhausted


def test_a_refused_login_is_our_own_fault(tmp_path):
    """For the operator: a wrong password suppresses nobody."""
    (tmp_path / "password").write_text("wrong")
    table = {"username": "desk", "password_file": tmp_path / "password"}
    with running(FaultServer()) as server:
        book, report = send(server.port, ["a@example.net"], server=table)
    assert book.outcomes[1].kind is K.OURS
    assert book.outcomes[1].phase is P.AUTH
    assert (book.outcomes[1].code, book.outcomes[1].enhanced) == (535, "5.7.8")
    assert "535" in (report.fault or "")


def test_nobody_listening_ends_the_run_after_a_few_tries():
    """For the operator: a server that is down is reported, and no recipient counts as dead."""
    with running(FaultServer()) as server:
        pass
    book, report = send(server.port, ["a@example.net"] * 9)
    assert set(book.kinds().values()) == {K.OURS}
    assert "connect" in (report.fault or "").lower()


@BOTH
def test_a_server_that_never_answers_after_the_body_ends_the_run(pipelining):
    """For the operator: one broken relay does not make the whole edition uncertain."""
    with running(FaultServer(acts={"r": ("end", CLOSE)}, pipelining=pipelining)) as server:
        people = [f"r.{i}@example.net" for i in range(100)]
        book, report = send(server.port, people, server={"connections": 4})
    assert report.fault is not None
    kinds = list(book.kinds().values())
    assert set(kinds) <= {K.UNCERTAIN, K.UNSENT}
    assert 1 <= kinds.count(K.UNCERTAIN) <= 4 * HASTE.tries
    assert len(server.taken) == kinds.count(K.UNCERTAIN)


def test_another_server_takes_over_from_one_that_refuses():
    """For the edition: fail-over, whatever the fault, and nobody gets it twice."""
    down = FaultServer()
    with running(down):
        pass
    angry = FaultServer(mail_reply="550 5.7.1 Not you")
    people = [f"r{i}@example.net" for i in range(40)]
    with running(angry), running(FaultServer()) as good:
        book = Book()
        settings = to_ports([down.port, angry.port, good.port])
        report = book.run(SmtpTransport(settings, patience=HASTE), outgoing(people))
    assert set(book.kinds().values()) == {K.SENT}
    assert sorted(good.taken) == sorted(people)
    assert report.fault is None


@BOTH
def test_a_server_that_ends_connections_early_gets_new_ones(pipelining):
    """For relays with a limit of their own: no recipient waits for it."""
    people = [f"r{i}@example.net" for i in range(20)]
    with running(FaultServer(good_until=3, pipelining=pipelining)) as server:
        book, _ = send(server.port, people, server={"connections": 2})
    assert set(book.kinds().values()) == {K.SENT}
    assert sorted(server.taken) == sorted(people)
    assert server.connections >= 7


def test_an_address_that_smtp_cannot_carry_never_reaches_the_server():
    """For the server: no address contains a command."""
    people = ["a@example.net>\r\nRSET\r\n", "имя@example.net", "b c@example.net", "d@example.net"]
    with running(FaultServer()) as server:
        book, _ = send(server.port, people)
    assert list(book.kinds().values()) == [K.REFUSED] * 3 + [K.SENT]
    assert server.taken == ["d@example.net"]


def test_a_refused_envelope_is_reset_before_the_next():
    """For the server: no second MAIL within a transaction, no body for nobody."""
    people = ["bad.1@example.net", "good.2@example.net"]
    for where, reply in (("rcpt", "550 5.1.1 No"), ("data", "451 4.3.0 Later")):
        with running(FaultServer(acts={"bad": (where, reply)})) as server:
            send(server.port, people, server={"connections": 1})
        verbs = [command[:4] for command in server.commands]
        assert verbs == ["EHLO", "MAIL", "RCPT", "DATA", "RSET", "MAIL", "RCPT", "DATA", "QUIT"]
