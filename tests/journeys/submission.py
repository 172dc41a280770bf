"""A submission server as they are, by aiosmtpd: STARTTLS, a login, then mail."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from tests.mail.certificates import server_context
from tests.mail.fault_server import part_from_all

USER = "desk"
LOGIN_WORD = "open-sesame-4711"
VARIABLE = "DIGEST_TEST_PASSWORD"


@dataclass
class Submission:
    """`mails` are (sender, recipient, bytes) as they came."""

    port: int
    mails: list[tuple[str, str, bytes]] = field(default_factory=list)

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        self.mails.append((envelope.mail_from, *envelope.rcpt_tos, envelope.original_content))
        return "250 2.0.0 Ok"


def _desk_only(server: Any, session: Any, envelope: Any, mechanism: Any, login: Any) -> AuthResult:
    known = (login.login, login.password) == (USER.encode(), LOGIN_WORD.encode())
    return AuthResult(success=known, handled=False)


@contextmanager
def submitting(certificate: Path) -> Iterator[Submission]:
    """Listens as "localhost" until the end of the block."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        submission = Submission(free.getsockname()[1])
    controller = Controller(
        submission,
        hostname="127.0.0.1",
        port=submission.port,
        server_hostname="localhost",
        tls_context=server_context(certificate),
        require_starttls=True,
        auth_required=True,
        authenticator=_desk_only,
    )
    controller.start()
    try:
        yield submission
    finally:
        asyncio.run_coroutine_threadsafe(_sessions_end(), controller.loop).result(10)
        controller.stop()


async def _sessions_end() -> None:
    """aiosmtpd leaves the connections open that have not ended when it stops."""
    sessions = asyncio.all_tasks() - {asyncio.current_task()}
    if sessions:
        await asyncio.wait(sessions, timeout=5)
    await part_from_all()
