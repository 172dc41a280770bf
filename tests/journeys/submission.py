"""A mail submission server as providers run them, by aiosmtpd: STARTTLS, a login, then mail."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from tests.desks import Desk
from tests.journeys.serving import free_port
from tests.mail.certificates import server_context, write_certificate
from tests.mail.fault_server import part_from_all
from tests.mailing import use_smtp

USER = "desk"
LOGIN_WORD = "open-sesame-4711"
VARIABLE = "DIGEST_TEST_PASSWORD"


@dataclass
class Submission:
    """`mails` are (sender, recipient, bytes) as they came."""

    mails: list[tuple[str, str, bytes]] = field(default_factory=list)

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        self.mails.append((envelope.mail_from, *envelope.rcpt_tos, envelope.original_content))
        return "250 2.0.0 Ok"


@contextmanager
def submitting(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Iterator[Submission]:
    """The server, named in the desk's config.toml; its password is in the environment."""

    def log_in(server: Any, session: Any, envelope: Any, mechanism: Any, login: Any) -> AuthResult:
        known = (login.login, login.password) == (USER.encode(), LOGIN_WORD.encode())
        return AuthResult(success=known, handled=False)

    async def end_sessions() -> None:
        """When it stops, aiosmtpd leaves open the connections that have not ended."""
        if sessions := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(sessions, timeout=5)
        await part_from_all()

    monkeypatch.setenv(VARIABLE, LOGIN_WORD)
    certificate = write_certificate(desk.folder, "localhost")
    login = {"tls": "starttls", "ca_file": certificate, "username": USER, "password_env": VARIABLE}
    submission, port = Submission(), free_port()
    use_smtp(desk, port, host="localhost", **login)
    controller = Controller(
        submission,
        hostname="127.0.0.1",
        port=port,
        server_hostname="localhost",
        tls_context=server_context(certificate),
        require_starttls=True,
        auth_required=True,
        authenticator=log_in,
    )
    controller.start()
    try:
        yield submission
    finally:
        asyncio.run_coroutine_threadsafe(end_sessions(), controller.loop).result(10)
        controller.stop()
