"""The pool: limits, shares, stopping, and its promises to the ledger."""

import asyncio
import time

import aiosmtplib
import pytest

from digest.mail.outgoing import OutcomeKind, Phase
from digest.mail.smtp.connection import Link, Timeouts
from digest.mail.smtp.servers import Patience, Server, accesses
from digest.mail.smtp.transport import SmtpTransport
from tests.mail.fault_server import HANG, FaultServer, running
from tests.mail.ledger_book import BODY, Book, outgoing, send, to_port, to_ports

BOTH = pytest.mark.parametrize("pipelining", [True, False], ids=["pipelining", "plain"])


def people(count, domain="example.net"):
    return [f"r{i}@{domain}" for i in range(count)]


def test_a_connection_that_is_given_up_while_it_opens_is_closed():
    """A slot that ends while a server is silent to its EHLO leaves no socket behind."""

    async def give_up():
        greeted, gone = asyncio.Event(), asyncio.Event()

        async def silent(reader, writer):
            writer.write(b"220 relay.test\r\n")
            await reader.readline()
            greeted.set()
            assert await reader.read() == b""
            gone.set()
            writer.close()

        async with await asyncio.start_server(silent, "127.0.0.1", 0) as listener:
            (access,) = accesses(to_port(listener.sockets[0].getsockname()[1]).servers)
            opening = asyncio.create_task(
                Server(access, Patience(), Timeouts(5, 5, 5)).open("here.test")
            )
            await greeted.wait()
            opening.cancel()
            with pytest.raises(asyncio.CancelledError):
                await opening
            await asyncio.wait_for(gone.wait(), 5)

    asyncio.run(give_up())


def test_a_connection_can_be_taken_over_from_aiosmtplib():
    """For an upgrade of aiosmtplib: Link needs SMTP.transport to be the open connection, and
    close() to close it. If this fails, correct digest/mail/smtp/connection.py."""

    async def takes_over(port):
        client = aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False)
        await client.connect(timeout=5)
        await client.ehlo()
        assert client.supports_extension("pipelining")
        transport = client.transport
        assert isinstance(transport, asyncio.Transport)
        link = Link(client, Timeouts(5, 5, 5))
        assert transport.get_protocol() is link
        [message] = outgoing(["a@example.net"])
        link.begin(message)
        assert await link.envelope() is None
        link.end(message, None)
        assert (await link.ended()).code == 250
        await link.close()
        assert transport.is_closing()

    with running(FaultServer()) as server:
        asyncio.run(takes_over(server.port))
    assert server.messages == [BODY]


@BOTH
def test_a_connection_serves_a_limited_number_of_messages(pipelining):
    """For relays that count messages on a connection."""
    with running(FaultServer(pipelining=pipelining)) as server:
        table = {"connections": 1, "messages_per_connection": 5}
        _, report = send(server.port, people(20), server=table)
    assert (server.connections, report.connections) == (4, 4)
    assert server.commands.count("QUIT") == 4


def test_envelopes_announce_the_size_where_the_server_asks_for_it():
    """For servers with a limit: they refuse before the body, RFC 1870."""
    for pipelining in (True, False):
        with running(FaultServer(pipelining=pipelining)) as server:
            send(server.port, people(1))
        assert f"MAIL FROM:<bounces+1@news.example.org> SIZE={len(BODY)}" in server.commands


def test_few_messages_open_few_connections():
    """For the server: three recipients are no reason for forty connections."""
    with running(FaultServer()) as server:
        send(server.port, people(3), server={"connections": 40})
    assert server.connections <= 3


def test_a_limit_a_second_holds_and_idle_connections_are_closed():
    """For the provider's terms: never more in any second; no idle connection stays open."""
    times = []
    with running(FaultServer(on_end=lambda _: times.append(time.monotonic()))) as server:
        limits = {"per_second": 6, "idle_timeout_seconds": 0.1}
        send(server.port, people(9), server={"connections": 1}, **limits)
    assert len(times) == 9
    assert times[6] - times[0] > 0.9
    assert server.connections == 2


def test_a_slow_domain_does_not_hold_up_the_rest():
    """For everybody else: only its own recipients wait for a provider that hangs."""
    mixed = ["slow.1@tar.example", "slow.2@tar.example", "slow.3@tar.example", *people(30)]
    with running(FaultServer(acts={"slow": ("end", HANG)})) as server:
        book, _ = send(server.port, mixed, domain_connections=1)
    slow = [i for i, kind in book.kinds().items() if kind is OutcomeKind.UNCERTAIN]
    assert slow == [1, 2, 3]
    assert list(book.outcomes)[:-3] == [*range(4, 34)]


def test_free_connections_are_shared_by_weight():
    """For the operator with a large and a small relay."""
    with running(FaultServer()) as large, running(FaultServer()) as small:
        settings = to_ports([large.port, small.port], domain_connections=1)
        servers = [
            s.model_copy(update={"weight": w})
            for s, w in zip(settings.servers, (3, 1), strict=True)
        ]
        settings = settings.model_copy(update={"servers": tuple(servers)})
        Book().run(SmtpTransport(settings), outgoing(people(40)))
    assert len(large.taken) in (29, 30, 31)
    assert len(large.taken) + len(small.taken) == 40


@BOTH
def test_stopping_finishes_what_is_handed_and_starts_nothing_more(pipelining):
    """For Ctrl-C and SIGTERM: the ledger is settled, the rest was never drawn."""
    book = Book()
    with running(FaultServer(pipelining=pipelining)) as server:
        settings = to_port(server.port, server={"connections": 3}, per_second=50)
        report = book.run(
            SmtpTransport(settings), outgoing(people(500)), stop=lambda: len(book.outcomes) > 20
        )
    assert report.stopped
    assert not report.exhausted
    kinds = book.kinds()
    assert len(kinds) < 500
    assert {kinds[i] for i in book.handed} == {OutcomeKind.SENT}
    assert {kinds[i] for i in book.drawn if i not in book.handed} <= {OutcomeKind.UNSENT}
    assert len(server.taken) == len(book.handed)


def test_no_more_is_drawn_than_can_start():
    """For the ledger and the memory: two messages for a connection at most."""
    book = Book()
    most = 0

    def stop():
        nonlocal most
        most = max(most, len(book.drawn) - len(book.outcomes))
        return False

    with running(FaultServer()) as server:
        settings = to_port(server.port, server={"connections": 3})
        acts = outgoing(people(400))
        transport = SmtpTransport(settings)

        def handed(ids):
            stop()
            book.hand(ids)

        transport.deliver(book.draw(acts), handed=handed, settled=book.settle, stop=stop)
    assert len(book.outcomes) == 400
    assert 0 < most <= 6
    assert book.most_unanswered <= 3


@BOTH
def test_a_ledger_that_fails_ends_no_further_body(pipelining):
    """For the first promise: a server gets only what the ledger has as handed."""
    book = Book()

    def handed(ids):
        if len(book.handed) >= 20:
            raise RuntimeError("disk full")
        book.hand(ids)

    with running(FaultServer(pipelining=pipelining)) as server:
        transport = SmtpTransport(to_port(server.port))
        messages = book.draw(outgoing(people(200)))
        with pytest.raises(RuntimeError, match="disk full"):
            transport.deliver(messages, handed=handed, settled=book.settle, stop=lambda: False)
    kinds = book.kinds()
    assert sorted(kinds) == book.drawn
    assert len(server.taken) == len(book.handed) < 30
    assert {kinds[i] for i in book.handed} == {OutcomeKind.SENT}
    assert {kinds[i] for i in book.drawn if i not in book.handed} <= {OutcomeKind.UNSENT}


def test_a_ledger_that_fails_to_settle_is_offered_the_outcomes_once_more():
    """For the first promise: a temporary lock does not make sent mail uncertain."""
    book = Book()
    calls = []

    def settled(outcomes):
        calls.append(len(outcomes))
        if len(calls) == 2:
            raise RuntimeError("locked")
        book.settle(outcomes)

    with running(FaultServer()) as server:
        transport = SmtpTransport(to_port(server.port))
        messages = book.draw(outgoing(people(200)))
        with pytest.raises(RuntimeError, match="locked"):
            transport.deliver(messages, handed=book.hand, settled=settled, stop=lambda: False)
    kinds = book.kinds()
    assert sorted(kinds) == book.drawn
    assert len(book.drawn) < 200
    sent = [i for i, kind in kinds.items() if kind is OutcomeKind.SENT]
    assert len(server.taken) == len(sent)


def test_messages_that_cannot_be_made_end_the_run_with_every_outcome():
    """For the ledger: an error while rendering leaves no delivery without an outcome."""
    book = Book()

    def messages():
        yield from book.draw(outgoing(people(50)))
        raise RuntimeError("no template")

    with running(FaultServer()) as server:
        transport = SmtpTransport(to_port(server.port))
        with pytest.raises(RuntimeError, match="no template"):
            transport.deliver(messages(), handed=book.hand, settled=book.settle, stop=lambda: False)
    kinds = book.kinds()
    assert sorted(kinds) == book.drawn
    sent = [i for i, kind in kinds.items() if kind is OutcomeKind.SENT]
    assert len(server.taken) == len(sent)
    assert set(kinds.values()) <= {OutcomeKind.SENT, OutcomeKind.UNSENT}


def test_bytes_that_break_the_contract_never_reach_the_server():
    """For the receiver: a bare line feed is how a second message is smuggled in."""
    book = Book()
    with running(FaultServer()) as server:
        transport = SmtpTransport(to_port(server.port))
        messages = book.draw(outgoing(people(3), message=b"Subject: x\r\n\r\nbody\n.\r\nRSET\r\n"))
        with pytest.raises(ValueError, match="CRLF"):
            transport.deliver(messages, handed=book.hand, settled=book.settle, stop=lambda: False)
    assert server.taken == []
    assert sorted(book.kinds()) == book.drawn


def test_nothing_to_send_opens_nothing():
    """For the scheduler: a tick without work is free."""
    with running(FaultServer()) as server:
        report = Book().run(SmtpTransport(to_port(server.port)), [])
    assert report.exhausted
    assert server.connections == 0


def test_an_outcome_keeps_the_last_answer_of_the_server():
    """For the operator who asks later how a delivery ended."""
    with running(FaultServer(acts={"r1": ("rcpt", "550 5.1.1 No such user here")})) as server:
        book, _ = send(server.port, ["r0.a@a.test", "r1.a@a.test"])
    sent, dead = book.outcomes[1], book.outcomes[2]
    assert (sent.code, sent.enhanced, sent.text) == (250, "2.0.0", "2.0.0 Ok: queued as 4XYZ")
    assert (dead.code, dead.enhanced, dead.phase) == (550, "5.1.1", Phase.RCPT)
    assert "No such user" in dead.text
