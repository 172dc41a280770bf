"""A desk that mails through the test's own server, on the test's clock."""

import email
import email.policy
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from digest.audience.store import ChosenRecipient, add_recipient
from digest.editions.compose import compose_now
from digest.editions.deliver import EditionReport, Portion, deliver, sending
from digest.editions.deliveries import list_deliveries
from digest.editions.store import delivery_counts
from digest.mail.outgoing import Transport
from digest.mail.smtp.servers import Patience
from digest.mail.smtp.transport import SmtpTransport
from digest.store.database import Database
from tests.desks import PAGES, Desk, opened
from tests.mail.fault_server import FaultServer

KEY = b"a key of 32 bytes for the tests."
HASTE = Patience(first=0.005, longest=0.01, tries=50)
MONDAY = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)


def use_smtp(
    desk: Desk, port: int, *, host: str = "127.0.0.1", reads: bool = True, **server: object
) -> None:
    """Make config.toml send through this server, with short time-outs, and read what comes back."""
    if reads and "# bounces =" in desk.config.read_text("utf-8"):
        desk.edit_config("# bounces =", "bounces =")
        for name in ("cur", "new", "tmp"):
            (desk.folder / "bounces" / name).mkdir(parents=True, exist_ok=True)
    desk.configure(
        transport='"smtp"',
        connect_timeout_seconds="5.0",
        command_timeout_seconds="0.5",
        data_timeout_seconds="0.5",
    )
    keys = {"host": host, "port": port, "tls": "none", "connections": 4, **server}
    lines = [f"{key} = {json.dumps(value, default=str)}" for key, value in keys.items()]
    text = desk.config.read_text("utf-8").replace("transport =", 'helo_name = "desk"\ntransport =')
    desk.config.write_text(text + "\n".join(["", "[[mail.servers]]", *lines, ""]), "utf-8")


def write_key(path: Path) -> None:
    """A new RSA key that can sign."""
    from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = generate_private_key(65537, 2048)
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def sign(desk: Desk) -> None:
    """Let the desk sign its mail, with the selector `one`."""
    write_key(desk.folder / "key.pem")
    with desk.config.open("a", encoding="utf-8") as config:
        config.write('\n[mail.dkim]\nrsa_key_file = "key.pem"\nrsa_selector = "one"\n')


def mails(server: FaultServer) -> list[EmailMessage]:
    """What the server accepted, as an independent reader sees it."""
    return [
        email.message_from_bytes(one, _class=EmailMessage, policy=email.policy.default)
        for one in server.messages
    ]


def _toml(value: object) -> str:
    return str(value) if isinstance(value, int | float) else f'"{value}"'


def subscribe(
    db: Database,
    address: str,
    now: datetime,
    *,
    languages: Sequence[str] = ("ru",),
    themes: Sequence[str] | None = None,
    name: str | None = None,
) -> int:
    """A recipient of the weekly digest; the id. Call inside a write."""
    chosen = ChosenRecipient(
        address=address, name=name, languages=languages, themes=themes, digests=("weekly",)
    )
    return add_recipient(db, chosen, now)[0]


@dataclass
class Office:
    """The verbs over one open store; each takes `now` from here."""

    desk: Desk
    db: Database
    now: datetime = MONDAY
    transport: Transport | None = None
    reports: list[EditionReport] = field(default_factory=list)

    def later(self, **time: float) -> None:
        self.now += timedelta(**time)

    def add(
        self,
        *addresses: str,
        themes: tuple[str, ...] | None = None,
        name: str | None = None,
        languages: tuple[str, ...] = ("ru",),
    ) -> None:
        with self.db.write():
            for address in addresses:
                subscribe(self.db, address, self.now, languages=languages, themes=themes, name=name)

    def compose(self) -> int:
        settings = self.desk.settings
        newsroom = opened(self.db, settings, clock=lambda: self.now)
        edition = compose_now(newsroom, settings.digests[0])
        assert edition is not None
        assert edition.id is not None
        return edition.id

    def deliver(self, *, portion: Portion | None = None) -> EditionReport | None:
        """One run; the report of the first edition that it had."""
        settings = self.desk.settings
        transport = self.transport or SmtpTransport(settings.mail, patience=HASTE)
        parts: Any = {"transport": transport, "templates": PAGES, "token_key": KEY}
        newsroom = opened(self.db, settings, clock=lambda: self.now, **parts)
        with sending(newsroom) as newsroom:
            self.reports = deliver(newsroom, portion=portion)
        return self.reports[0] if self.reports else None

    def rows(self) -> dict[str, tuple[str, str | None]]:
        """Status and reason by address."""
        return {r["address"]: (r["status"], r["reason"]) for r in list_deliveries(self.db)}

    def counts(self, edition_id: int = 1) -> dict[str, int]:
        return delivery_counts(self.db, edition_id)

    def suppressed(self) -> set[str]:
        return {row["address_key"] for row in self.db.rows("SELECT address_key FROM suppressions")}
