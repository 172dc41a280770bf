"""The open newsroom: settings, clock and database; templates and ways out are made at first use."""

import functools
import getpass
import hashlib
import json
import os
import secrets
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from digest.config.load import load_settings
from digest.config.settings import Settings, SourceSettings
from digest.errors import NotReadyError

if TYPE_CHECKING:
    from jinja2 import Environment

    from digest.mail.dkim import Signer
    from digest.mail.notices import Ways
    from digest.mail.outgoing import Transport
    from digest.store.database import Database
    from digest.store.owner import Sender

Part = TypeVar("Part")
PACKAGE = Path(__file__).resolve().parent
BUILTIN = "builtin"
"""The prefix of our own templates, with which an operator's template can extend one."""


def packaged(name: str) -> Path:
    """Our templates, seeds or config.toml: in the package of a wheel, beside it in a checkout."""
    installed = PACKAGE / name
    return installed if installed.exists() else PACKAGE.parent / name


def check_folder(operator: Path) -> None:
    """Check that the operator's folder can be read: else mail would be sent with our templates.

    Raises:
        NotReadyError: it is missing, is not a folder, or cannot be read.
    """
    try:
        os.scandir(operator).close()
        os.stat(f"{operator}/.")  # noqa: PTH116 - a folder that can be listed may not be entered
    except OSError as e:
        raise NotReadyError(
            f"{operator}: the folder of web.templates cannot be read: {e.strerror or e}. Restore it and "
            "let the user of this program read it, or remove the key from config.toml. Then run "
            "digest doctor."
        ) from e


def make_environment(operator: Path | None = None) -> "Environment":
    """A Jinja environment in which `web/page.html` is the operator's file, else ours.

    `builtin/web/page.html` is always ours. Templates named *.html are escaped, all others are plain
    text. A misspelt name in a template is an error (StrictUndefined). While the operator's folder
    cannot be read, every template raises NotReadyError.
    """
    import jinja2.sandbox

    class OperatorLoader(jinja2.FileSystemLoader):
        """A missing folder is an error, and not just a folder without that template."""

        def get_source(self, *args: Any) -> tuple[str, str, Callable[[], bool]]:
            check_folder(Path(self.searchpath[0]))
            try:
                return super().get_source(*args)
            except UnicodeDecodeError as e:
                path = Path(self.searchpath[0], args[1])
                raise NotReadyError(f"{path}: not readable as text. Save it as UTF-8.") from e

        def list_templates(self) -> list[str]:
            check_folder(Path(self.searchpath[0]))
            return super().list_templates()

    ours = jinja2.FileSystemLoader(packaged("templates"))
    theirs = [OperatorLoader(operator)] if operator is not None else []
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader([*theirs, ours, jinja2.PrefixLoader({BUILTIN: ours})]),
        autoescape=jinja2.select_autoescape(enabled_extensions=("html",), default_for_string=False),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals["range"] = jinja2.sandbox.safe_range
    return environment


@functools.cache
def our_environment() -> "Environment":
    """Without an operator's folder: one for the process, so that a template is compiled once."""
    return make_environment()


def fingerprint(environment: "Environment", *, without: str | None = None) -> str:
    """A hash that changes with any template, but for those of the folder `without`."""
    digest = hashlib.sha256()
    for name in environment.list_templates():
        if without is not None and name.removeprefix(f"{BUILTIN}/").startswith(f"{without}/"):
            continue
        source = environment.loader.get_source(environment, name)[0] if environment.loader else ""
        digest.update(f"{name}\0{source}\0".encode())
    return digest.hexdigest()


@functools.cache
def program_hash() -> str:
    """A hash of what makes pages and mails, as it is at the first use: this program, and libraries."""
    digest = hashlib.sha256()
    for path in sorted([*PACKAGE.rglob("*.py"), *PACKAGE.rglob("*.toml")]):
        digest.update(path.read_bytes())
    for library in ("babel", "css-inline", "jinja2", "markupsafe", "nh3"):
        digest.update(f"{library} {version(library)}\0".encode())
    return digest.hexdigest()


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Clock:
    """The time in UTC: the machine's, unless a trial run lets years pass in an hour.

    Then `pace` seconds pass in one of the machine's, and it shows `starts` when that shows `begun`.
    """

    pace: float = 1.0
    starts: datetime = EPOCH
    begun: datetime = EPOCH

    def __call__(self) -> datetime:
        return self.at(datetime.now(UTC))  # noqa: TID251 - the one clock

    def at(self, machine: datetime) -> datetime:
        """The time of this clock when the machine's clock shows `machine`."""
        return self.starts + (machine - self.begun) * self.pace

    def machine_at(self, moment: datetime) -> datetime:
        """The time of the machine's clock when this one shows `moment`, rounded up."""
        machine = self.begun + (moment - self.starts) / self.pace
        return machine if self.at(machine) >= moment else machine + timedelta.resolution


def with_added(settings: Settings, database: "Database") -> Settings:
    """The settings with the sources that commands added; one of the same name in config.toml comes first."""
    from digest.store.articles import added_sources

    named = {source.name for source in settings.sources}
    added = [
        SourceSettings.model_validate(json.loads(row["settings"]))
        for row in added_sources(database)
        if row["name"] not in named
    ]
    return settings.with_sources(added) if added else settings


@dataclass(frozen=True)
class Newsroom:
    """What a verb works with: the settings, the clock, the open database, and parts that are made at
    first use and kept.

    A command or the service makes it once. A test puts its own parts into `parts`.
    """

    settings: Settings
    clock: Clock = Clock()
    parts: dict[str, Any] = field(default_factory=dict, repr=False)
    database: "Database | None" = None
    sole_sender: "Sender | None" = None

    @classmethod
    def from_file(cls, path: Path) -> "Newsroom":
        return cls(load_settings(path))

    def now(self) -> datetime:
        """Aware UTC; everything else takes the time as an argument."""
        return self.clock()

    @contextmanager
    def open(self, *, read_only: bool = False, makes: bool = True) -> Iterator["Newsroom"]:
        """The same newsroom with its database open: one for each thread. It `makes` a missing one."""
        from digest.store.database import open_database

        store, now = self.settings.store, self.now() if makes else None
        timeout = store.busy_timeout_seconds
        with open_database(
            store.path, now=now, busy_timeout_seconds=timeout, read_only=read_only
        ) as database:
            yield replace(self, settings=with_added(self.settings, database), database=database)

    @contextmanager
    def open_or_empty(self) -> Iterator["Newsroom"]:
        """As `open(read_only=True)`; an empty database that does not stay where there is none yet."""
        store = self.settings.store
        with tempfile.TemporaryDirectory() as folder:
            missing = not store.path.exists() and store.path.parent.is_dir()
            path = Path(folder, "digest.db") if missing else store.path
            store = store.model_copy(update={"path": path})
            trial = replace(self, settings=self.settings.model_copy(update={"store": store}))
            with trial.open(read_only=not missing) as opened:
                yield opened

    @property
    def db(self) -> "Database":
        if self.database is None:
            raise RuntimeError("the database is not open: use `with newsroom.open()`")
        return self.database

    @property
    def sender(self) -> "Sender":
        if self.sole_sender is None:
            raise RuntimeError("this is not the sole sender: use `with sending(newsroom)`")
        return self.sole_sender

    def _part(self, name: str, make: Callable[[], Part]) -> Part:
        if name not in self.parts:
            self.parts[name] = make()
        part: Part = self.parts[name]
        return part

    @property
    def templates(self) -> "Environment":
        folder = self.settings.web.templates
        return self._part(
            "templates", our_environment if folder is None else lambda: make_environment(folder)
        )

    @property
    def transport(self) -> "Transport":
        """The transport that config.toml names.

        Raises:
            NotReadyError: a password or a certificate that it names is missing.
        """
        return self._part("transport", self.make_transport)

    def make_transport(self, *, within: float | None = None) -> "Transport":
        """As `transport`; it gives up after `within` seconds, whatever the servers do."""
        if self.settings.mail.transport == "smtp":
            from digest.mail.smtp.transport import SmtpTransport

            return SmtpTransport(self.settings.mail, within=within)
        from digest.mail.maildir import MaildirTransport

        return MaildirTransport(self.settings.mail.outbox)

    @property
    def signer(self) -> "Signer | None":
        """What signs our mail; None where the relay does.

        Raises:
            SigningError: a key cannot be read or used, or the extra `dkim` is not installed.
        """

        def make() -> "Signer | None":
            dkim = self.settings.mail.dkim
            if dkim is None:
                return None
            from digest.mail.dkim import Signer, load_key

            keys = [load_key(dkim.rsa_key_file, dkim.rsa_selector)]
            if dkim.ed25519_key_file is not None and dkim.ed25519_selector is not None:
                keys.append(load_key(dkim.ed25519_key_file, dkim.ed25519_selector))
            return Signer(self.settings.mail.from_address.rpartition("@")[2], keys)

        return self._part("signer", make)

    @property
    def ways(self) -> "Ways":
        """The ways out for notices, each made when a notice needs it."""
        from digest.mail.notices import Ways

        return self._part(
            "ways", lambda: Ways(self.settings, lambda: self.transport, lambda: self.signer)
        )

    @property
    def token_key(self) -> bytes:
        """The key of the tokens in our mail."""
        return self.token_keys[0]

    @property
    def token_keys(self) -> list[bytes]:
        """That key, and those before it, whose tokens stay valid; one is made in a database that has none.
        Not inside a write."""
        from digest.store.owner import add_token_key, token_keys

        if "token_key" in self.parts:
            return [self.parts["token_key"]]
        if not (keys := token_keys(self.db)):  # a dry run may not write
            with self.db.write():
                if not (keys := token_keys(self.db)):
                    add_token_key(self.db, self.random_bytes())
                    keys = token_keys(self.db)
        return keys

    @property
    def here(self) -> str:
        """This machine and the database's place on it: different for a copy elsewhere."""
        machine = socket.gethostname()
        for path in (Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id")):
            if path.is_file() and (name := path.read_text(encoding="ascii").strip()):
                machine = name[:12]
                break
        return f"{machine}:{self.settings.store.path.resolve()}"

    @property
    def person(self) -> str:
        """Who runs this command: their login name.

        Raises:
            NotReadyError: the operating system does not know.
        """
        try:
            return getpass.getuser()
        except (OSError, KeyError, ImportError) as e:
            raise NotReadyError("Your login name is unknown. Give your name with --by NAME.") from e

    @staticmethod
    def random_bytes() -> bytes:
        """32 bytes that nobody can guess. The only randomness."""
        return secrets.token_bytes(32)
