"""Returned mail is read from wherever it arrives, and marked only when it was taken in."""

import io
import re
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
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


def test_a_maildir_gives_what_nobody_has_seen(maildir: Path) -> None:
    """New letters, and those that a mail program moved but did not open."""
    with read_maildir(maildir) as box:
        assert list(box.letters) == [("1700000001.one.mx", ONE), ("1700000000.two.mx", TWO)]


def test_a_letter_that_is_done_is_not_read_again(maildir: Path) -> None:
    """It stays in the maildir, marked as seen, beside the flags that it had."""
    with read_maildir(maildir) as box:
        for name, _ in box.letters:
            box.done(name)
    with read_maildir(maildir) as box:
        assert list(box.letters) == []
    assert sorted(file.name for file in (maildir / "cur").iterdir()) == [
        "1690000000.old.mx:2,RS",
        "1700000000.two.mx:2,FS",
        "1700000001.one.mx:2,S",
    ]


def test_a_letter_that_is_not_done_comes_again(maildir: Path) -> None:
    """A crash in between loses no report."""
    with read_maildir(maildir) as box:
        first = list(box.letters)
    with read_maildir(maildir) as box:
        assert list(box.letters) == first


def test_a_letter_that_vanishes_stops_nothing(maildir: Path) -> None:
    """A mail program may be at work in the same maildir."""
    with read_maildir(maildir) as box:
        name, _ = next(box.letters)
        (maildir / "new" / name).unlink()
        (maildir / "cur" / "1700000000.two.mx:2,F").unlink()
        box.done(name)
        assert list(box.letters) == []


def test_an_mbox_gives_all_its_letters_and_stays_as_it_is(tmp_path: Path) -> None:
    """An mbox belongs to the mail system; it is only read."""
    path = tmp_path / "bounces"
    path.write_bytes(b"From a Mon Nov 23\n" + ONE + b"\nFrom b Mon Nov 23\n" + TWO + b"\n")
    before = path.read_bytes()
    with read_mbox(path) as box:
        letters = list(box.letters)
        for name, _ in letters:
            box.done(name)
    assert [(name, raw.rstrip(b"\n") + b"\n") for name, raw in letters] == [
        ("bounces:1", ONE),
        ("bounces:2", TWO),
    ]
    assert path.read_bytes() == before
    with read_file(path) as box:
        assert len(list(box.letters)) == 2


def test_a_file_and_a_stream_give_one_letter(tmp_path: Path) -> None:
    """`digest bounces read report.eml`, or a pipe from the mail system."""
    path = tmp_path / "report.eml"
    path.write_bytes(ONE)
    with read_file(path) as box:
        assert list(box.letters) == [("report.eml", ONE)]
    with read_stream(io.BytesIO(b"From x Mon Nov 23\n" + TWO)) as box:
        assert list(box.letters) == [("standard input", TWO)]


def test_a_huge_letter_is_cut(maildir: Path) -> None:
    """What somebody sends us cannot fill the memory."""
    huge = maildir / "new" / "0.huge"
    with huge.open("wb") as file:
        file.truncate(mailboxes.LARGEST_LETTER + 5)
    with read_maildir(maildir) as box:
        assert len(next(box.letters)[1]) == mailboxes.LARGEST_LETTER


@pytest.mark.parametrize(
    "opened",
    [
        pytest.param(read_maildir, id="maildir"),
        pytest.param(read_mbox, id="mbox"),
        pytest.param(read_file, id="file"),
    ],
)
def test_a_mailbox_that_is_not_there_is_told(opened: Callable, tmp_path: Path) -> None:
    """The operator reads which path it was."""
    with pytest.raises(MailboxError, match="nowhere"), opened(tmp_path / "nowhere"):
        pass


class Server(socketserver.ThreadingTCPServer):
    """An IMAP server of one folder: what RFC 3501 asks of the few commands that we use."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, letters: dict[int, bytes], tls: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), Session)
        self.letters = letters
        self.seen: set[int] = set()
        self.tls = tls
        self.silent_at = ""

    def get_request(self):
        connection, address = super().get_request()
        if self.tls is not None:
            connection = self.tls.wrap_socket(connection, server_side=True)
        return connection, address

    def handle_error(self, request, client_address) -> None:
        """A client that goes away is no fault of the server."""


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
        self.say(b"* %d EXISTS" % len(self.server.letters))
        return b"OK [READ-WRITE] done"

    def uid_search(self, _: str) -> bytes:
        unseen = sorted(set(self.server.letters) - self.server.seen)
        self.say(b" ".join([b"* SEARCH", *(b"%d" % uid for uid in unseen)]))
        return b"OK done"

    def uid_fetch(self, command: str) -> bytes:
        found = re.fullmatch(r"UID FETCH (\d+) \(BODY\.PEEK\[\]<0\.(\d+)>\)", command)
        assert found is not None
        uid, most = int(found[1]), int(found[2])
        if uid in self.server.letters:
            raw = self.server.letters[uid][:most]
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


def test_an_imap_folder_gives_what_is_unseen_and_marks_what_is_done() -> None:
    """The folder stays as people see it; a letter is marked when it was taken in, not before."""
    server = Server({3: ONE, 5: TWO})
    with serving(server) as port:
        with opened(port) as box:
            letters = []
            for name, raw in box.letters:
                letters.append((name, raw))
                if raw == ONE:
                    box.done(name)
        assert letters == [("7.3", ONE), ("7.5", TWO)]
        assert server.seen == {3}
        with opened(port) as box:
            assert list(box.letters) == [("7.5", TWO)]


def test_a_letter_that_vanishes_from_an_imap_folder_stops_nothing() -> None:
    """Another program may expunge it between the search and the fetch."""
    server = Server({3: ONE, 5: TWO, 6: ONE})
    with serving(server) as port, opened(port) as box:
        assert next(box.letters)[0] == "7.3"
        del server.letters[5]
        assert [name for name, _ in box.letters] == ["7.6"]


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        pytest.param({"login": ("desk", "wrong")}, "wrong password", id="wrong password"),
        pytest.param({"folder": "Nowhere"}, "no such folder", id="no such folder"),
        pytest.param({"folder": "Отчёты"}, "ASCII", id="folder not ASCII"),
        pytest.param({"tls": "implicit"}, "imap://127", id="no TLS there"),
    ],
)
def test_what_an_imap_server_refuses_is_told(changes: dict, found: str) -> None:
    """The operator reads the server's own words, and never the password."""
    with (
        serving(Server({})) as port,
        pytest.raises(MailboxError, match=found) as raised,
        opened(port, **changes) as box,
    ):
        list(box.letters)
    assert "secret" not in str(raised.value)


def test_a_silent_server_is_left_after_the_time_out() -> None:
    """A hanging server never holds up the newsroom."""
    server = Server({3: ONE})
    server.silent_at = "UID SEARCH"
    with (
        serving(server) as port,
        opened(port, timeout=0.2) as box,
        pytest.raises(MailboxError, match="no answer in time"),
    ):
        next(box.letters)


def test_no_server_is_told() -> None:
    """A wrong port is the commonest fault."""
    with serving(Server({})) as port:
        pass
    with pytest.raises(MailboxError, match=f"127.0.0.1:{port}"), opened(port):
        pass


def test_a_password_is_not_sent_in_the_clear_to_another_machine() -> None:
    """It would be read on the way."""
    with (
        pytest.raises(MailboxError, match="in the clear"),
        read_imap("mail.news.example", 143, "desk", "x", tls="none"),
    ):
        pass


def test_imap_over_tls_checks_the_certificate(tmp_path: Path) -> None:
    """A server that nobody vouches for gets no password; one that the operator trusts does."""
    pytest.importorskip("cryptography")
    certificate = self_signed(tmp_path)
    inside = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    inside.load_cert_chain(certificate)
    server = Server({3: ONE}, inside)
    with serving(server) as port:
        with pytest.raises(MailboxError, match="certificate"), opened(port, tls="implicit"):
            pass
        trusted = ssl.create_default_context(cafile=str(certificate))
        with opened(port, tls="implicit", context=trusted) as box:
            assert list(box.letters) == [("7.3", ONE)]


def self_signed(folder: Path) -> Path:
    """A PEM file with a key and its certificate for 127.0.0.1."""
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    start = datetime(2020, 1, 1, tzinfo=UTC)
    host = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, start, start + timedelta(36500))
        .add_extension(host, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, SHA256())
    )
    path = folder / "server.pem"
    path.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        + made.public_bytes(Encoding.PEM)
    )
    return path
