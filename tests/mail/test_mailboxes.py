"""Returned mail is read from any mailbox, and marked only after it is stored."""

import io
import re
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from digest.errors import MailboxError
from digest.mail import mailboxes
from digest.mail.mailboxes import read_file, read_imap, read_maildir, read_mbox, read_stream

ONE = b"From: a@reader.example\nSubject: one\n\nOne.\n"
TWO = b"From: b@reader.example\nSubject: two\n\nTwo.\n"


@pytest.fixture
def maildir(tmp_path: Path) -> Path:
    for name in ("cur", "new", "tmp"):
        (tmp_path / name).mkdir()
    (tmp_path / "new" / "1700000001.one.mx").write_bytes(ONE)
    (tmp_path / "cur" / "1700000000.two.mx:2,F").write_bytes(TWO)
    (tmp_path / "cur" / "1690000000.old.mx:2,RS").write_bytes(ONE)
    (tmp_path / "new" / ".hidden").write_bytes(b"")
    return tmp_path


def test_a_maildir_gives_unseen_messages(maildir: Path) -> None:
    """New messages, and those that a mail program moved but did not open."""
    with read_maildir(maildir) as box:
        assert list(box.messages) == [("1700000001.one.mx", ONE), ("1700000000.two.mx", TWO)]


def test_a_message_that_is_done_is_not_read_again(maildir: Path) -> None:
    """It stays in the maildir, marked as seen, beside the flags that it had."""
    with read_maildir(maildir) as box:
        for name, _ in box.messages:
            box.done(name)
    with read_maildir(maildir) as box:
        assert list(box.messages) == []
    assert sorted(file.name for file in (maildir / "cur").iterdir()) == [
        "1690000000.old.mx:2,RS",
        "1700000000.two.mx:2,FS",
        "1700000001.one.mx:2,S",
    ]


def test_a_message_that_is_not_done_comes_again(maildir: Path) -> None:
    """A crash in between loses no report."""
    with read_maildir(maildir) as box:
        first = list(box.messages)
    with read_maildir(maildir) as box:
        assert list(box.messages) == first


def test_a_message_that_vanishes_stops_nothing(maildir: Path) -> None:
    """A mail program may be at work in the same maildir."""
    with read_maildir(maildir) as box:
        name, _ = next(box.messages)
        (maildir / "new" / name).unlink()
        (maildir / "cur" / "1700000000.two.mx:2,F").unlink()
        box.done(name)
        assert list(box.messages) == []


def test_an_mbox_gives_all_its_messages_and_is_not_changed(tmp_path: Path) -> None:
    """An mbox belongs to the mail system; it is only read."""
    path = tmp_path / "bounces"
    path.write_bytes(b"From a Mon Nov 23\n" + ONE + b"\nFrom b Mon Nov 23\n" + TWO + b"\n")
    before = path.read_bytes()
    with read_mbox(path) as box:
        messages = list(box.messages)
        for name, _ in messages:
            box.done(name)
    assert [(name, raw.rstrip(b"\n") + b"\n") for name, raw in messages] == [
        ("bounces:1", ONE),
        ("bounces:2", TWO),
    ]
    assert path.read_bytes() == before
    with read_file(path) as box:
        assert len(list(box.messages)) == 2


def test_a_file_and_a_stream_give_one_message(tmp_path: Path) -> None:
    """`digest bounces read report.eml`, or a pipe from the mail system."""
    path = tmp_path / "report.eml"
    path.write_bytes(ONE)
    with read_file(path) as box:
        assert list(box.messages) == [("report.eml", ONE)]
    with read_stream(io.BytesIO(b"From x Mon Nov 23\n" + TWO)) as box:
        assert list(box.messages) == [("standard input", TWO)]


def test_a_huge_message_is_cut(maildir: Path) -> None:
    """Nobody can fill our memory."""
    huge = maildir / "new" / "0.huge"
    with huge.open("wb") as file:
        file.truncate(mailboxes.LARGEST_MESSAGE + 5)
    with read_maildir(maildir) as box:
        assert len(next(box.messages)[1]) == mailboxes.LARGEST_MESSAGE


@pytest.mark.parametrize("opened", [read_maildir, read_mbox, read_file])
def test_a_missing_mailbox_is_reported(opened: Callable, tmp_path: Path) -> None:
    """The operator reads which path it was."""
    with pytest.raises(MailboxError, match="nowhere"), opened(tmp_path / "nowhere"):
        pass


class Server(socketserver.ThreadingTCPServer):
    """An IMAP server (RFC 3501) of one folder, with the few commands that we use."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, messages: dict[int, bytes], tls: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), Session)
        self.messages = messages
        self.seen: set[int] = set()
        self.tls = tls
        self.silent_at = ""

    def get_request(self):
        connection, address = super().get_request()
        if self.tls is not None:
            connection = self.tls.wrap_socket(connection, server_side=True)
        return connection, address

    def handle_error(self, request, client_address) -> None:
        """A client that disconnects is no fault of the server."""


class Session(socketserver.StreamRequestHandler):
    server: Server

    def say(self, line: bytes) -> None:
        self.wfile.write(line + b"\r\n")

    def handle(self) -> None:
        self.say(b"* OK ready")
        for line in self.rfile:
            tag, command = line.strip().split(b" ", 1)
            words = command.decode().split(" ")
            verb = " ".join(words[:2]) if words[0] == "UID" else words[0]
            if verb == self.server.silent_at:
                self.rfile.read()
                return
            answer = getattr(self, verb.lower().replace(" ", "_"))(command.decode())
            self.say(tag + b" " + answer)
            if verb == "LOGOUT":
                return

    def capability(self, _: str) -> bytes:
        self.say(b"* CAPABILITY IMAP4rev1")
        return b"OK done"

    def login(self, command: str) -> bytes:
        return b"OK done" if command == 'LOGIN desk "a secret"' else b"NO wrong password"

    def select(self, command: str) -> bytes:
        if command != 'SELECT "Returned mail"':
            return b"NO no such folder"
        self.say(b"* OK [UIDVALIDITY 7] valid")
        self.say(b"* %d EXISTS" % len(self.server.messages))
        return b"OK [READ-WRITE] done"

    def uid_search(self, _: str) -> bytes:
        unseen = sorted(set(self.server.messages) - self.server.seen)
        self.say(b" ".join([b"* SEARCH", *(b"%d" % uid for uid in unseen)]))
        return b"OK done"

    def uid_fetch(self, command: str) -> bytes:
        found = re.fullmatch(r"UID FETCH (\d+) \(BODY\.PEEK\[\]<0\.(\d+)>\)", command)
        assert found is not None
        uid, most = int(found[1]), int(found[2])
        if uid in self.server.messages:
            raw = self.server.messages[uid][:most]
            self.say(b"* 1 FETCH (UID %d BODY[]<0> {%d}" % (uid, len(raw)))
            self.wfile.write(raw)
            self.say(b")")
        return b"OK done"

    def uid_store(self, command: str) -> bytes:
        found = re.fullmatch(r"UID STORE (\d+) \+FLAGS\.SILENT \(\\Seen\)", command)
        assert found is not None
        self.server.seen.add(int(found[1]))
        return b"OK done"

    def logout(self, _: str) -> bytes:
        self.say(b"* BYE")
        return b"OK done"


@contextmanager
def serving(server: Server) -> Iterator[int]:
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def opened(port: int, **changes):
    options = {"folder": "Returned mail", "tls": "none", "timeout": 5.0, **changes}
    user, password = options.pop("login", ("desk", "a secret"))
    return read_imap("127.0.0.1", port, user, password, **options)


def test_an_imap_folder_gives_unseen_messages_and_marks_those_done() -> None:
    """The folder stays as people see it; a message is marked once it is stored, not before."""
    server = Server({3: ONE, 5: TWO})
    with serving(server) as port:
        with opened(port) as box:
            messages = []
            for name, raw in box.messages:
                messages.append((name, raw))
                if raw == ONE:
                    box.done(name)
        assert messages == [("7.3", ONE), ("7.5", TWO)]
        assert server.seen == {3}
        with opened(port) as box:
            assert list(box.messages) == [("7.5", TWO)]


def test_a_message_that_vanishes_from_an_imap_folder_stops_nothing() -> None:
    """Another program may expunge it between the search and the fetch."""
    server = Server({3: ONE, 5: TWO, 6: ONE})
    with serving(server) as port, opened(port) as box:
        assert next(box.messages)[0] == "7.3"
        del server.messages[5]
        assert [name for name, _ in box.messages] == ["7.6"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"login": ("desk", "wrong")}, "wrong password", id="wrong password"),
        pytest.param({"folder": "Nowhere"}, "no such folder", id="no such folder"),
        pytest.param({"login": ("desk", "пароль")}, "must be ASCII", id="password not ASCII"),
        pytest.param({"tls": "implicit"}, "imap://127", id="no TLS there"),
    ],
)
def test_a_refusal_by_an_imap_server_is_reported(changes: dict, message: str) -> None:
    """The operator reads the server's own words, and never the password."""
    with (
        serving(Server({})) as port,
        pytest.raises(MailboxError, match=message) as raised,
        opened(port, **changes) as box,
    ):
        list(box.messages)
    assert "secret" not in str(raised.value)


def test_a_silent_server_is_abandoned_after_the_time_out() -> None:
    """A hanging server never holds up the newsroom."""
    server = Server({3: ONE})
    server.silent_at = "UID SEARCH"
    with (
        serving(server) as port,
        pytest.raises(MailboxError, match="no answer in time"),
        opened(port, timeout=0.2) as box,
    ):
        next(box.messages)


def test_a_missing_server_is_reported() -> None:
    """A wrong port is the most common mistake."""
    with serving(Server({})) as port:
        pass
    with pytest.raises(MailboxError, match=f"127.0.0.1:{port}"), opened(port):
        pass


def test_a_password_is_not_sent_in_the_clear_to_another_machine() -> None:
    """Others could read it."""
    with (
        pytest.raises(MailboxError, match="in the clear"),
        read_imap("mail.news.example", 143, "desk", "x", tls="none"),
    ):
        pass


def test_imap_over_tls_checks_the_certificate(tmp_path: Path) -> None:
    """An unknown server gets no password; one that the operator trusts does."""
    pytest.importorskip("cryptography")
    from tests.mail.certificates import server_context, write_certificate

    certificate = write_certificate(tmp_path, "127.0.0.1")
    with serving(Server({3: ONE}, server_context(certificate))) as port:
        with pytest.raises(MailboxError, match="certificate"), opened(port, tls="implicit"):
            pass
        trusted = ssl.create_default_context(cafile=str(certificate))
        with opened(port, tls="implicit", context=trusted) as box:
            assert list(box.messages) == [("7.3", ONE)]
