"""Any bytes of a server, at any point of the dialogue: one outcome for each message, the right one."""

import asyncio
import re
import ssl
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.language.text import foreign
from digest.mail.ledger import MALFORMED, class_of, settlement_of
from digest.mail.outgoing import DeliveryStatus, Due, OutcomeKind, Phase
from digest.mail.smtp.connection import ReplyReader
from digest.mail.smtp.transport import SmtpTransport
from tests.mail.certificates import server_context, write_certificate
from tests.mail.ledger_book import HASTE, Book, outgoing, to_port, to_ports
from tests.mail.quick_loop import QuickLoop

NOW = datetime(2026, 11, 23, tzinfo=UTC)
ONE_REPLY = re.compile(rb"(?:[2-5]\d\d-[^\n]*\n)*([2-5]\d\d)(?: [^\n]*|\r*)\n")
LINE = re.compile(rb"[2-5]\d\d(?:[ -].*)?\r*", re.DOTALL)


@dataclass(frozen=True)
class Answer:
    """What a server says, cut into pieces, and what it does then: on, close or hang."""

    said: bytes
    cuts: tuple[int, ...] = ()
    then: str = "on"

    @property
    def codes(self) -> list[int]:
        """Those of the whole replies that it begins with."""
        return [int(code) for code in ONE_REPLY.findall(self.said[: self.whole])]

    @property
    def whole(self) -> int:
        """Where these replies end."""
        end = 0
        while found := ONE_REPLY.match(self.said, end):
            end = found.end()
        return end

    @property
    def misleads(self) -> bool:
        """Whether some of it may pass for another answer, or be the beginning of the next one."""
        *lines, last = self.said[self.whole :].split(b"\n")
        nonsense = not all(LINE.fullmatch(line) for line in lines)
        unended = self.then == "on" and not nonsense and (lines or last or not self.whole)
        return len(self.codes) > 1 or bool(unended)


GOOD = {
    "greeting": b"220 odd.example ESMTP\r\n",
    "starttls": b"220 2.0.0 Ready\r\n",
    "auth": b"235 2.7.0 Welcome\r\n",
    "login": b"235 2.7.0 Welcome\r\n",
    "mail": b"250 2.1.0 Ok\r\n",
    "rcpt": b"250 2.1.5 Ok\r\n",
    "data": b"354 Go ahead\r\n",
    "end": b"250 2.0.0 Queued\r\n",
    "rset": b"250 2.0.0 Ok\r\n",
    "quit": b"221 2.0.0 Bye\r\n",
}


@dataclass
class OddServer:
    """`odd` holds for the first `times` answers at a phase; then it is an ordinary server."""

    odd: dict[str, Answer] = field(default_factory=dict)
    times: int = 0
    features: tuple[bytes, ...] = ()
    delay: float = 0.0  # seconds before each answer
    tls: ssl.SSLContext | None = None
    taken: list[str] = field(default_factory=list)
    asked: Counter[str] = field(default_factory=Counter)
    tasks: set["asyncio.Task[None]"] = field(default_factory=set)

    async def listen(self, tls: ssl.SSLContext, *, implicit: bool = False) -> asyncio.Server:
        self.tls = tls
        first = tls if implicit else None
        return await asyncio.start_server(self.connected, "127.0.0.1", 0, ssl=first)

    async def over(self, listener: asyncio.Server) -> None:
        listener.close()
        if self.tasks:
            await asyncio.wait(self.tasks)

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        try:
            await self.talk(reader, writer)
        except (OSError, EOFError):
            pass
        finally:
            writer.transport.abort()
            self.tasks.discard(task)

    async def say(
        self, phase: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> Answer:
        self.asked[phase] += 1
        ehlo = b"".join(b"250-%s\r\n" % one for one in (b"odd.example", *self.features))
        answer = Answer(GOOD.get(phase) or ehlo + b"250 SIZE\r\n")
        if phase == "auth" and b"AUTH PLAIN" not in self.features:
            answer = Answer(b"334 PDE+\r\n")
        if self.asked[phase] <= self.times:
            answer = self.odd.get(phase, answer)
        await asyncio.sleep(self.delay)
        marks = [0, *sorted(min(cut, len(answer.said)) for cut in answer.cuts), len(answer.said)]
        for start, end in pairwise(marks):
            writer.write(answer.said[start:end])
            await asyncio.sleep(0)
        if answer.then == "hang":
            while await reader.read(65536):
                pass
        if answer.then != "on" or phase == "quit":
            await writer.drain()
            raise EOFError
        return answer

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self.say("greeting", reader, writer)
        recipient, challenged = "", False
        while True:
            line = (await reader.readuntil(b"\r\n"))[:-2]
            verb = re.split(rb"[ :]", line)[0].decode("latin-1").lower()
            if challenged:
                verb = "login"
            if verb == "helo":
                verb = "ehlo"
            if verb not in (*GOOD, "ehlo"):
                writer.write(b"500 5.5.2 What?\r\n")
                continue
            answer = await self.say(verb, reader, writer)
            code = answer.codes[0] if answer.codes else 0
            challenged = verb == "auth" and code == 334
            if verb == "starttls" and code == 220 and self.tls is not None:
                await writer.start_tls(self.tls)
            if verb == "rcpt":
                recipient = line.partition(b"<")[2].partition(b">")[0].decode("latin-1")
            if verb == "data" and code == 354:
                body = await reader.readuntil(b".\r\n")
                while body != b".\r\n" and not body.endswith(b"\r\n.\r\n"):
                    body += await reader.readuntil(b".\r\n")
                if body != b".\r\n":
                    self.taken.append(recipient)
                await self.say("end", reader, writer)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A loop, and what TLS and a login need."""
    folder = tmp_path_factory.mktemp("fuzz")
    (folder / "password").write_text("secret")
    certificate = write_certificate(folder, "127.0.0.1")
    with asyncio.Runner(loop_factory=QuickLoop) as runner:
        yield runner, folder / "password", certificate, server_context(certificate)


def words(most):
    return st.binary(max_size=most).map(lambda text: text.replace(b"\n", b""))


def reply(code, lines, end):
    *first, last = lines
    return b"".join(b"%d-%s%s" % (code, line, end) for line in first) + b"%d %s%s" % (
        code,
        last,
        end,
    )


CODES = st.integers(200, 599) | st.sampled_from(
    (220, 235, 250, 251, 334, 354, 421, 450, 452, 530, 535, 550, 552, 554)
)
TEXTS = (
    words(12) | words(12).map(b"5.1.1 ".__add__) | st.sampled_from((b"4.7.1 \xff", b"\x1b[2J\xcd"))
)
REPLIES = st.builds(
    reply, CODES, st.lists(TEXTS, min_size=1, max_size=3), st.sampled_from((b"\r\n", b"\n"))
)
SAID = (
    REPLIES
    | st.lists(REPLIES, min_size=2, max_size=4).map(b"".join)
    | st.tuples(REPLIES, st.integers(0, 20)).map(lambda both: both[0][: -1 - both[1]])
    | st.binary(max_size=40)
    | st.lists(st.sampled_from((b"250", b"354", b" ", b"-", b"\r", b"\n", b"5.1.1", b"\x00")), max_size=9).map(b"".join)
)  # fmt: skip
ANSWERS = st.builds(
    Answer,
    SAID,
    st.lists(st.integers(0, 40), max_size=3).map(tuple),
    st.sampled_from(("on", "on", "close", "hang")),
)
PHASES = st.sampled_from((*GOOD, "ehlo"))
DUE = Due(1, 1, 1, 1, "a@example.net", None, 0, None)


@given(
    odd=st.dictionaries(PHASES, ANSWERS, min_size=1, max_size=3),
    always=st.booleans(),
    pipelining=st.booleans(),
    tls=st.sampled_from(("none", "none", "none", "none", "starttls", "implicit")),
    login=st.sampled_from((b"", b"AUTH PLAIN", b"AUTH CRAM-MD5", b"AUTH LOGIN")),
    connections=st.integers(1, 2),
)
@settings(max_examples=60, deadline=None)
def test_whatever_a_server_says_each_message_has_one_outcome(
    place, odd, always, pipelining, tls, login, connections
):
    """For the first promise: what a server took is sent or uncertain, the rest may be sent again."""
    runner, password, certificate, context = place
    features = (*((b"PIPELINING",) * pipelining), *((b"STARTTLS",) * (tls == "starttls")), login)
    server = OddServer(odd, 99 if always else 1, features)
    table = {"tls": tls, "ca_file": certificate, "connections": connections}
    if login:
        table |= {"username": "desk", "password_file": password}
    traces = []

    async def run():
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, trace: traces.append(trace))
        listener = await server.listen(context, implicit=tls == "implicit")
        port = listener.sockets[0].getsockname()[1]
        transport = SmtpTransport(to_port(port, server=table), patience=HASTE)
        first, second = Book(), Book()
        people = outgoing(f"r{i}@example.net" for i in range(3))
        began = loop.time()
        await first.run_here(transport, people)
        assert loop.time() - began < 60
        taken, server.times = list(server.taken), 0
        left = [one for one in people if state(first, one) is DeliveryStatus.QUEUED]
        await second.run_here(transport, left)
        await server.over(listener)
        return people, taken, first, left, second

    def state(book, message):
        outcome = book.outcomes.get(message.delivery_id)
        if outcome is None:
            return DeliveryStatus.QUEUED
        settlement = settlement_of(outcome, DUE, NOW)
        assert settlement.answer == foreign(settlement.answer, limit=None)
        return settlement.status

    people, taken, first, left, second = runner.run(run())
    assert not traces
    assert max(Counter(taken).values(), default=1) == 1
    misled = any(one.misleads for one in odd.values())
    end = odd.get("end", Answer(GOOD["end"])).codes
    for message in people:
        outcome = first.outcomes.get(message.delivery_id)
        if outcome is None:
            assert message.recipient not in taken
            continue
        if outcome.kind in (OutcomeKind.SENT, OutcomeKind.UNCERTAIN):
            assert outcome.phase is Phase.END
            assert message.delivery_id in first.handed
        if outcome.kind is OutcomeKind.SENT:
            assert 200 <= outcome.code < 300
            assert misled or message.recipient in taken
        if message.recipient in taken:
            assert outcome.phase is Phase.END
            if always and not misled:
                wanted = class_of(end[0], outcome.text, Phase.END) if end else OutcomeKind.UNCERTAIN
                assert outcome.kind is wanted
    assert all(second.outcomes[one.delivery_id].kind is OutcomeKind.SENT for one in left)
    assert sorted(server.taken[len(taken) :]) == [one.recipient for one in left]


SILENT = Answer(b"", then="hang")
OPENING = {Phase.CONNECT, Phase.EHLO, Phase.TLS, Phase.AUTH}
PATIENT = {
    "connect_timeout_seconds": 30,
    "command_timeout_seconds": 120,
    "data_timeout_seconds": 300,
}


def try_one(place, servers, **table):
    """A test mail through these servers with the usual time-outs: outcome, report, seconds."""
    runner, password, certificate, context = place
    table |= {"ca_file": certificate, "username": "desk", "password_file": password}

    async def run():
        loop = asyncio.get_running_loop()
        listeners = [await server.listen(context) for server in servers]
        ports = [one.sockets[0].getsockname()[1] for one in listeners]
        book, began = Book(), loop.time()
        transport = SmtpTransport(to_ports(ports, server=table, **PATIENT), within=60)
        report = await book.run_here(transport, outgoing(["editor@example.net"]))
        took = loop.time() - began
        for server, listener in zip(servers, listeners, strict=True):
            await server.over(listener)
        return book.outcomes[1], report, took

    return runner.run(run())


@pytest.mark.parametrize("pipelining", [True, False], ids=["pipelining", "plain"])
@pytest.mark.parametrize(
    ("silent", "tls", "phase"),
    [
        pytest.param("greeting", "none", Phase.CONNECT, id="greeting"),
        pytest.param("greeting", "implicit", Phase.CONNECT, id="TLS handshake"),
        pytest.param("ehlo", "none", Phase.EHLO, id="EHLO"),
        pytest.param("starttls", "starttls", Phase.TLS, id="STARTTLS"),
        pytest.param("auth", "starttls", Phase.AUTH, id="AUTH"),
        pytest.param("login", "none", Phase.AUTH, id="login"),
        pytest.param("mail", "none", Phase.MAIL, id="MAIL"),
        pytest.param("rcpt", "none", Phase.RCPT, id="RCPT"),
        pytest.param("data", "none", Phase.DATA, id="DATA"),
        pytest.param("end", "none", Phase.END, id="end"),
    ],
)
def test_a_silent_server_does_not_keep_a_test_mail(place, silent, tls, phase, pipelining):
    """For the operator: within a minute, retries and time-outs of minutes included, and at which step."""
    features = (b"STARTTLS", b"AUTH LOGIN", *((b"PIPELINING",) * pipelining))
    server = OddServer({silent: SILENT}, 99, features)
    outcome, report, seconds = try_one(place, [server], tls=tls)
    assert 29 < seconds < 62
    wanted = OutcomeKind.UNCERTAIN if phase is Phase.END else OutcomeKind.UNSENT
    assert outcome.kind is (OutcomeKind.OURS if phase in OPENING else wanted)
    assert outcome.phase is phase
    assert re.fullmatch(r"no answer within [\d.]+ s", outcome.text)
    if phase in OPENING:
        assert f"{phase}: no answer within" in report.fault


def test_one_limit_covers_all_servers(place):
    """For the operator: each that was tried is named with its step."""
    servers = [OddServer({"ehlo": SILENT}, 99), OddServer({"greeting": SILENT}, 99), OddServer()]
    _, report, seconds = try_one(place, servers, tls="none")
    assert 59 < seconds < 62
    assert re.search(r"ehlo: no answer within 30 s.*connect: no answer within 30 s", report.fault)
    assert "no time left" in report.fault


def test_one_limit_covers_connecting_tls_and_login(place):
    """For the operator: a server that needs 12 seconds for each step is given up at the third."""
    server = OddServer(features=(b"AUTH PLAIN",), delay=12)
    _, report, seconds = try_one(place, [server], tls="none")
    assert re.search(r"auth: no answer within (30|29) s", report.fault)
    assert 59 < seconds < 62


@given(SAID | st.lists(SAID, max_size=4).map(b"".join), st.lists(st.integers(0, 120), max_size=5))
@settings(max_examples=150)
def test_any_bytes_are_the_same_replies_wherever_they_are_cut(said, cuts):
    """For the ledger: a code is read only from a whole reply, and nothing after nonsense."""
    reader, replies = ReplyReader(), []
    marks = [0, *sorted(min(cut, len(said)) for cut in cuts), len(said)]
    for start, end in pairwise(marks):
        replies += reader.feed(said[start:end])
    assert replies == list(ReplyReader().feed(said))
    codes = Answer(said).codes
    assert [one.code for one in replies[: len(codes)]] == codes
    assert [one.code for one in replies[len(codes) :]] in ([], [MALFORMED])
    assert all(one.text == foreign(one.text) for one in replies)
