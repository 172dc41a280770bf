"""Settings made into the things that a verb needs. The only wiring, and the only clock."""

import getpass
import secrets
import socket
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from digest.config.load import load_settings
from digest.config.settings import Settings
from digest.errors import NotReadyError

if TYPE_CHECKING:
    from jinja2 import Environment

    from digest.mail.dkim import Signer
    from digest.mail.outgoing import Transport
    from digest.store.database import Database


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Clock:
    """The time, in UTC: the machine's, unless years are to be tried in an hour.

    Then `pace` seconds pass in one of the machine's, and it shows `starts` when that shows `begun`.
    """

    pace: float = 1.0
    starts: datetime = EPOCH
    begun: datetime = EPOCH

    def __call__(self) -> datetime:
        return self.at(datetime.now(UTC))  # noqa: TID251 - the one clock

    def at(self, machine: datetime) -> datetime:
        """What this clock shows when the machine's shows `machine`."""
        return self.starts + (machine - self.begun) * self.pace

    def machine_at(self, moment: datetime) -> datetime:
        """What the machine's clock shows when this one has come to `moment`."""
        found = self.begun + (moment - self.starts) / self.pace
        # Rounded down to a microsecond, it would be before the moment.
        return found if self.at(found) >= moment else found + timedelta.resolution


@dataclass
class Runtime:
    """What a command works with; each part is made when it is first asked for."""

    settings: Settings
    clock: Clock = Clock()

    @classmethod
    def from_file(cls, path: Path) -> "Runtime":
        return cls(load_settings(path))

    def now(self) -> datetime:
        """Aware UTC; everything below takes it, or a moment from it, as an argument."""
        return self.clock()

    def open(self, *, read_only: bool = False) -> "Database":
        """The database; the caller closes it, best by `with`."""
        from digest.store.database import open_database

        store = self.settings.store
        return open_database(
            store.path,
            now=self.now(),
            busy_timeout_seconds=store.busy_timeout_seconds,
            read_only=read_only,
        )

    @cached_property
    def templates(self) -> "Environment":
        from digest.templating import make_environment

        return make_environment(self.settings.web.templates)

    @cached_property
    def transport(self) -> "Transport":
        """The way out for mail that config.toml names.

        Raises:
            NotReadyError: a password or a certificate that it names is not there.
        """
        if self.settings.mail.transport == "smtp":
            from digest.mail.smtp.transport import SmtpTransport

            return SmtpTransport(self.settings.mail)
        from digest.mail.maildir import MaildirTransport

        return MaildirTransport(self.settings.mail.outbox)

    @cached_property
    def signer(self) -> "Signer | None":
        """What signs our mail; None where the relay does.

        Raises:
            SigningError: a key cannot be read or used, or the extra `dkim` is not installed.
        """
        dkim = self.settings.mail.dkim
        if dkim is None:
            return None
        from digest.mail.dkim import Signer
        from digest.mail.dkim_keys import load_key

        keys = [load_key(dkim.rsa_key_file, dkim.rsa_selector)]
        if dkim.ed25519_key_file is not None and dkim.ed25519_selector is not None:
            keys.append(load_key(dkim.ed25519_key_file, dkim.ed25519_selector))
        return Signer(self.settings.mail.from_address.rpartition("@")[2], keys)

    @property
    def here(self) -> str:
        """This machine and the database's place on it: a copy elsewhere has another."""
        return f"{_machine()}:{self.settings.store.path.resolve()}"

    @property
    def person(self) -> str:
        """Who gives this command: the name under which they are logged in.

        Raises:
            NotReadyError: the operating system does not know.
        """
        try:
            return getpass.getuser()
        except (OSError, KeyError, ImportError) as e:
            raise NotReadyError(
                "the operating system has no name for you; say who decides: --by NAME"
            ) from e

    @staticmethod
    def random_bytes() -> bytes:
        """32 bytes that nobody can guess. The only randomness."""
        return secrets.token_bytes(32)


def _machine() -> str:
    for place in (Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id")):
        if place.is_file() and (name := place.read_text(encoding="ascii").strip()):
            return name[:12]
    return socket.gethostname()
