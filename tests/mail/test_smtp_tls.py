"""TLS and login, against aiosmtpd and a server with a wrong certificate."""

import socket
from contextlib import contextmanager

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from digest.errors import NotReadyError
from digest.mail.outgoing import OutcomeKind, Phase
from digest.mail.smtp.transport import SmtpTransport
from tests.mail.certificates import server_context, write_certificate
from tests.mail.fault_server import FaultServer, running
from tests.mail.ledger_book import BODY, send, to_port

PEOPLE = [f"r{i}@example.net" for i in range(12)]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return write_certificate(tmp_path_factory.mktemp("tls"), "localhost")


class Inbox:
    """An aiosmtpd handler that keeps what it gets."""

    def __init__(self):
        self.mails = []

    async def handle_DATA(self, server, session, envelope):  # noqa: N802  aiosmtpd's name
        self.mails.append((envelope.mail_from, envelope.rcpt_tos, envelope.original_content))
        return "250 2.0.0 Ok"


def desk_only(server, session, envelope, mechanism, login):
    known = (login.login, login.password) == (b"desk", b"secret")
    return AuthResult(success=known, handled=False)


@contextmanager
def aiosmtpd(inbox, certificate):
    """An ordinary submission server: STARTTLS, then a login, then mail."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    controller = Controller(
        inbox,
        hostname="127.0.0.1",
        port=port,
        server_hostname="localhost",
        tls_context=server_context(certificate),
        require_starttls=True,
        auth_required=True,
        authenticator=desk_only,
    )
    controller.start()
    try:
        yield port
    finally:
        controller.stop()


def submission(certificate):
    login = {"username": "desk", "password_env": "DIGEST_TEST_PASSWORD"}
    return {"host": "localhost", "tls": "starttls", "ca_file": certificate, **login}


def secured(tls, certificate):
    context = server_context(certificate)
    return FaultServer(**{"tls" if tls == "implicit" else "starttls": context})


def test_mail_leaves_over_starttls_and_login(certificate, monkeypatch):
    """For the newsroom with an ordinary submission account."""
    monkeypatch.setenv("DIGEST_TEST_PASSWORD", "secret")
    inbox = Inbox()
    with aiosmtpd(inbox, certificate) as port:
        server = submission(certificate)
        _, report = send(port, PEOPLE, server=server, command_timeout_seconds=5)
    assert report.counts == {OutcomeKind.SENT: 12}, report
    assert {rcpt for _, (rcpt,), _ in inbox.mails} == set(PEOPLE)
    assert {content for _, _, content in inbox.mails} == {BODY}
    assert ("bounces+1@news.example.org", ["r0@example.net"], BODY) in inbox.mails


def test_a_wrong_password_is_our_own_fault(certificate, monkeypatch):
    """For the operator: the edition pauses, recipients stay queued."""
    monkeypatch.setenv("DIGEST_TEST_PASSWORD", "guess")
    with aiosmtpd(Inbox(), certificate) as port:
        server = submission(certificate)
        book, report = send(port, PEOPLE, server=server, command_timeout_seconds=5)
    assert set(book.kinds().values()) == {OutcomeKind.OURS}
    assert book.outcomes[1].phase is Phase.AUTH
    assert "535" in (report.fault or "")


def test_a_missing_password_is_reported_before_anything_is_sent(certificate, monkeypatch):
    """For the operator who forgot to set the variable."""
    monkeypatch.delenv("DIGEST_TEST_PASSWORD", raising=False)
    with pytest.raises(NotReadyError, match=r"mail.servers\[1\].*password_env"):
        SmtpTransport(to_port(2525, server=submission(certificate)))


def test_a_missing_ca_file_is_reported_before_anything_is_sent(tmp_path):
    """For the operator who mistyped a path."""
    server = {"host": "localhost", "tls": "implicit", "ca_file": tmp_path / "none.pem"}
    with pytest.raises(NotReadyError, match="ca_file"):
        SmtpTransport(to_port(2525, server=server))


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_groups_of_commands_go_through_tls(certificate, tls):
    """For speed: taking the connection over works on an encrypted one, both ways."""
    with running(secured(tls, certificate)) as server:
        table = {"host": "localhost", "tls": tls, "ca_file": certificate, "connections": 2}
        book, _ = send(server.port, PEOPLE, server=table, command_timeout_seconds=5)
    assert sorted(server.taken) == sorted(PEOPLE)
    assert set(book.kinds().values()) == {OutcomeKind.SENT}


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
@pytest.mark.parametrize("papers", ["for another host", "from nobody we know"])
def test_an_invalid_certificate_stops_everything(certificate, tmp_path, tls, papers):
    """For the recipients: no address and no password goes to an unknown server."""
    shown, trusted = certificate, write_certificate(tmp_path, "localhost")
    if papers == "for another host":
        shown = trusted = write_certificate(tmp_path, "mail.example.org")
    with running(secured(tls, shown)) as server:
        table = {"host": "localhost", "tls": tls, "ca_file": trusted}
        book, report = send(server.port, PEOPLE, server=table, command_timeout_seconds=5)
    assert set(book.kinds().values()) == {OutcomeKind.OURS}
    assert "TLS failed" in (report.fault or "")
    assert not any(command.startswith("MAIL") for command in server.commands)


def test_a_server_without_starttls_gets_nothing(certificate):
    """For the recipients: required encryption is never dropped silently."""
    with running(FaultServer()) as server:
        table = {"host": "localhost", "tls": "starttls", "ca_file": certificate}
        book, report = send(server.port, PEOPLE, server=table)
    assert set(book.kinds().values()) == {OutcomeKind.OURS}
    assert "STARTTLS" in (report.fault or "")
