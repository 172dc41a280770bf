"""The open newsroom: settings, clock, database, templates and ways out, made when they are first asked for."""

import functools
import getpass
import hashlib
import os
import secrets
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from digest.config.load import load_settings
from digest.config.settings import Settings
from digest.errors import NotReadyError

if TYPE_CHECKING:
    from jinja2 import Environment

    from digest.mail.dkim import Signer
    from digest.mail.notices import Ways
    from digest.mail.outgoing import Transport
    from digest.store.database import Database


PACKAGE = Path(__file__).resolve().parent
BUILTIN = "builtin"
"""The prefix under which our own templates stay reachable, so that an override can extend them."""


def packaged_templates() -> Path:
    """The folder of our templates: inside the package of a wheel, beside it in a checkout."""
    installed = PACKAGE / "templates"
    return installed if installed.is_dir() else PACKAGE.parent / "templates"


def check_folder(operator: Path) -> None:
    """Whether the operator's folder can be looked into: else mail would go out in our look.

    Raises:
        NotReadyError: it is missing, is no folder, or cannot be read.
    """
    try:
        os.scandir(operator).close()
        os.stat(f"{operator}/.")  # noqa: PTH116 - a folder may be listed that nobody can enter
    except OSError as e:
        raise NotReadyError(
            f"{operator}: the folder of web.templates cannot be read: {e.strerror or e}. Put it back "
            "and let the user of this program read it, or take the key out of config.toml; then run "
            "digest doctor."
        ) from e


def make_environment(operator: Path | None = None) -> "Environment":
    """A Jinja environment in which `web/page.html` is the operator's file, else ours.

    `builtin/web/page.html` is always ours. Templates named *.html are escaped, all others are plain
    text. A name that a template misspells is an error (StrictUndefined), not an empty place. While
    the operator's folder cannot be read, every template is a NotReadyError.
    """
    from jinja2 import (
        ChoiceLoader,
        Environment,
        FileSystemLoader,
        PrefixLoader,
        StrictUndefined,
        select_autoescape,
    )

    class OperatorLoader(FileSystemLoader):
        """One that tells a folder which is gone from a folder without that template."""

        def get_source(
            self, environment: Environment, template: str
        ) -> tuple[str, str, Callable[[], bool]]:
            check_folder(Path(self.searchpath[0]))
            return super().get_source(environment, template)

        def list_templates(self) -> list[str]:
            check_folder(Path(self.searchpath[0]))
            return super().list_templates()

    ours = FileSystemLoader(packaged_templates())
    theirs = [OperatorLoader(operator)] if operator is not None else []
    return Environment(
        loader=ChoiceLoader([*theirs, ours, PrefixLoader({BUILTIN: ours})]),
        autoescape=select_autoescape(enabled_extensions=("html",), default_for_string=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


MAKERS = ("babel", "jinja2", "markupsafe", "nh3")
"""Libraries that have a hand in a page."""


def fingerprint(environment: "Environment") -> str:
    """Another text as soon as what makes pages has changed: a template, this program, a library."""
    found = hashlib.sha256(_program().encode())
    for name in environment.list_templates():
        source = environment.loader.get_source(environment, name)[0] if environment.loader else ""
        found.update(f"{name}\0{source}\0".encode())
    return found.hexdigest()


@functools.cache
def _program() -> str:
    """Of the program as it is when it first publishes."""
    found = hashlib.sha256()
    for path in sorted([*PACKAGE.rglob("*.py"), *PACKAGE.rglob("*.toml")]):
        found.update(path.read_bytes())
    for library in MAKERS:
        found.update(f"{library} {version(library)}\0".encode())
    return found.hexdigest()


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


@dataclass(frozen=True)
class Newsroom:
    """What a verb works with: the settings, the clock, the open database, and parts that are made
    when they are first asked for and kept.

    Made once by a command or the service. `parts` are what a test puts in place of its own making.
    """

    settings: Settings
    clock: Clock = Clock()
    parts: dict[str, Any] = field(default_factory=dict, repr=False)
    database: "Database | None" = None

    @classmethod
    def from_file(cls, path: Path) -> "Newsroom":
        return cls(load_settings(path))

    def now(self) -> datetime:
        """Aware UTC; everything below takes it, or a moment from it, as an argument."""
        return self.clock()

    @contextmanager
    def open(self, *, read_only: bool = False) -> Iterator["Newsroom"]:
        """The same newsroom with its database open: one for each thread."""
        from digest.store.database import open_database

        store = self.settings.store
        with open_database(
            store.path,
            now=self.now(),
            busy_timeout_seconds=store.busy_timeout_seconds,
            read_only=read_only,
        ) as database:
            yield replace(self, database=database)

    @property
    def db(self) -> "Database":
        if self.database is None:
            raise RuntimeError("the database is not open: use `with newsroom.open()`")
        return self.database

    def _part(self, name: str, make: Callable[[], Any]) -> Any:
        if name not in self.parts:
            self.parts[name] = make()
        return self.parts[name]

    @property
    def templates(self) -> "Environment":
        environment: Environment = self._part(
            "templates", lambda: make_environment(self.settings.web.templates)
        )
        return environment

    @property
    def transport(self) -> "Transport":
        """The way out for mail that config.toml names.

        Raises:
            NotReadyError: a password or a certificate that it names is not there.
        """
        transport: Transport = self._part("transport", self._make_transport)
        return transport

    def _make_transport(self) -> "Transport":
        if self.settings.mail.transport == "smtp":
            from digest.mail.smtp.transport import SmtpTransport

            return SmtpTransport(self.settings.mail)
        from digest.mail.maildir import MaildirTransport

        return MaildirTransport(self.settings.mail.outbox)

    @property
    def signer(self) -> "Signer | None":
        """What signs our mail; None where the relay does.

        Raises:
            SigningError: a key cannot be read or used, or the extra `dkim` is not installed.
        """
        signer: Signer | None = self._part("signer", self._make_signer)
        return signer

    def _make_signer(self) -> "Signer | None":
        dkim = self.settings.mail.dkim
        if dkim is None:
            return None
        from digest.mail.dkim import Signer, load_key

        keys = [load_key(dkim.rsa_key_file, dkim.rsa_selector)]
        if dkim.ed25519_key_file is not None and dkim.ed25519_selector is not None:
            keys.append(load_key(dkim.ed25519_key_file, dkim.ed25519_selector))
        return Signer(self.settings.mail.from_address.rpartition("@")[2], keys)

    @property
    def ways(self) -> "Ways":
        """The ways out for notices; each is made when a notice needs it."""
        from digest.mail.notices import Ways

        ways: Ways = self._part(
            "ways", lambda: Ways(self.settings, lambda: self.transport, lambda: self.signer)
        )
        return ways

    @property
    def token_key(self) -> bytes:
        """The key of the tokens in our mail; made in a database that has none. Not inside a write."""
        from digest.store.owner import token_key

        if "token_key" in self.parts:
            key: bytes = self.parts["token_key"]
            return key
        with self.db.write():
            return token_key(self.db, self.random_bytes)

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
