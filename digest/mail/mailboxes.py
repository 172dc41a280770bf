"""Where returned mail is read from: a maildir, an mbox, a file, standard input, an IMAP mailbox.

Each is opened with `with`, gives its letters one after the other, and is told of each that is
done. One that is not told, because we crashed, comes again next time: who reads must take the same
letter twice without harm.
"""

import imaplib
import mailbox
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from glob import escape
from pathlib import Path
from typing import IO, Literal

from digest.errors import MailboxError

LARGEST_LETTER = 10 * 1024 * 1024
"""Bytes of a letter that are read; what is longer is cut there."""

TIMEOUT_SECONDS = 30.0
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_SEEN = "S"


@dataclass(frozen=True, slots=True)
class Mailbox:
    """An open mailbox. `letters` gives a name and the raw bytes of each letter not yet done.

    `done` is called with the name after a letter was taken in; more letters may follow. A name
    stays the same from one reading to the next. Both raise MailboxError.
    """

    letters: Iterator[tuple[str, bytes]]
    done: Callable[[str], None]


@contextmanager
def read_maildir(path: Path) -> Iterator[Mailbox]:
    """New letters, and those in cur/ that no mail program has marked as seen; done marks them so.

    Raises:
        MailboxError: it is no maildir.
    """
    if not (path / "new").is_dir() or not (path / "cur").is_dir():
        raise MailboxError(f"{path}: found no maildir, which has the folders cur, new and tmp.")

    def letters() -> Iterator[tuple[str, bytes]]:
        with _told(str(path)):
            files = [file for folder in ("new", "cur") for file in (path / folder).iterdir()]
        for file in sorted(files, key=lambda file: (file.parent.name == "cur", file.name)):
            base, flags = _flags(file.name)
            if file.name.startswith(".") or _SEEN in flags:
                continue
            with _told(str(path)):
                raw = _head(file)
            if raw is not None:
                yield base, raw

    def done(name: str) -> None:
        with _told(str(path)):
            for file in [path / "new" / name, *(path / "cur").glob(f"{escape(name)}*")]:
                base, flags = _flags(file.name)
                if base == name and _SEEN not in flags:
                    marked = "".join(sorted({*flags, _SEEN}))
                    with suppress(FileNotFoundError):  # not there, or moved by another program
                        file.rename(path / "cur" / f"{base}:2,{marked}")

    yield Mailbox(letters(), done)


@contextmanager
def read_mbox(path: Path) -> Iterator[Mailbox]:
    """Every letter of an mbox file. It is left as it is, so all of them come again next time.

    Raises:
        MailboxError: the file is not there or cannot be read.
    """
    with _told(str(path)):
        box = mailbox.mbox(path, create=False)

    def letters() -> Iterator[tuple[str, bytes]]:
        with _told(str(path)):
            keys = list(box.keys())
        for key in keys:
            with _told(str(path)), box.get_file(key) as file:
                raw = file.read(LARGEST_LETTER)
            yield f"{path.name}:{int(key) + 1}", raw

    try:
        yield Mailbox(letters(), lambda _: None)
    finally:
        box.close()


@contextmanager
def read_file(path: Path) -> Iterator[Mailbox]:
    """The one letter in a file; one that begins with `From ` is read as an mbox.

    Raises:
        MailboxError: the file cannot be read.
    """
    with _told(str(path)), path.open("rb") as file:
        raw = file.read(LARGEST_LETTER)
    if raw.startswith(b"From "):
        with read_mbox(path) as box:
            yield box
    else:
        yield Mailbox(iter([(path.name, raw)]), lambda _: None)


@contextmanager
def read_stream(stream: IO[bytes], name: str = "standard input") -> Iterator[Mailbox]:
    """The one letter that a stream gives until it ends, as a mail system's pipe does.

    A first line `From ...`, which some of them put before it, is taken off.
    """
    with _told(name):
        raw = stream.read(LARGEST_LETTER)
    if raw.startswith(b"From "):
        raw = raw.partition(b"\n")[2]
    yield Mailbox(iter([(name, raw)]), lambda _: None)


@contextmanager
def read_imap(
    host: str,
    port: int,
    user: str,
    password: str,
    *,
    folder: str = "INBOX",
    tls: Literal["implicit", "starttls", "none"] = "implicit",
    context: ssl.SSLContext | None = None,
    timeout: float = TIMEOUT_SECONDS,
) -> Iterator[Mailbox]:
    """The letters of an IMAP folder that are not marked as seen; done marks them so (RFC 3501).

    `timeout`, in seconds, is for each answer of the server. `context` checks its certificate; by
    default against the system's authorities. A name holds the folder's UIDVALIDITY and the UID.

    Raises:
        MailboxError: no connection, no login or no such folder; `tls` is "none" and `host` is
            another machine.
    """
    where = f"imap://{host}:{port}/{folder}"
    if tls == "none" and host not in _LOOPBACK:
        raise MailboxError(
            f'{where}: found tls = "none", which sends the password in the clear; allowed are '
            '"implicit" (port 993) and "starttls" (port 143) except on this machine itself.'
        )
    with _told(where):
        context = context or ssl.create_default_context()
        if tls == "implicit":
            client: imaplib.IMAP4 = imaplib.IMAP4_SSL(
                host, port, ssl_context=context, timeout=timeout
            )
        else:
            client = imaplib.IMAP4(host, port, timeout=timeout)
    try:
        with _told(where):
            if tls == "starttls":
                client.starttls(context)
            client.login(user, password)
            quoted = folder.replace("\\", "\\\\").replace('"', '\\"')
            _accepted(client.select(f'"{quoted}"'), where)
            validity = (client.response("UIDVALIDITY")[1] or [None])[0]
        known = validity.decode("ascii", "replace") if isinstance(validity, bytes) else "0"
        yield Mailbox(
            _imap_letters(client, where, known), lambda name: _imap_done(client, where, name)
        )
    finally:
        with suppress(imaplib.IMAP4.error, OSError):
            client.logout()
        with suppress(OSError):  # closed already, unless the server went silent
            client.shutdown()


def _imap_letters(client: imaplib.IMAP4, where: str, validity: str) -> Iterator[tuple[str, bytes]]:
    with _told(where):
        found = _accepted(client.uid("SEARCH", "UNSEEN"), where)
    uids = found[0].split() if found and isinstance(found[0], bytes) else []
    for uid in (word.decode("ascii") for word in uids if word.isdigit()):
        with _told(where):
            # PEEK leaves the mark alone; the partial form keeps a huge letter out of memory.
            answer = _accepted(
                client.uid("FETCH", uid, f"(BODY.PEEK[]<0.{LARGEST_LETTER}>)"), where
            )
        # A letter that another program has just removed has no bytes here.
        for item in answer:
            if isinstance(item, tuple):
                yield f"{validity}.{uid}", item[1]
                break


def _imap_done(client: imaplib.IMAP4, where: str, name: str) -> None:
    with _told(where):
        uid = name.rpartition(".")[2]
        _accepted(client.uid("STORE", uid, "+FLAGS.SILENT", r"(\Seen)"), where)


def _accepted(answer: tuple[str, Sequence[object]], where: str) -> Sequence[object]:
    """What came with an answer OK."""
    kind, found = answer
    if kind != "OK":
        said = b" ".join(part for part in found if isinstance(part, bytes))
        raise MailboxError(f"{where}: the server refused: {said.decode('utf-8', 'replace')}")
    return found


def _flags(name: str) -> tuple[str, str]:
    """A maildir's file name without its flags, and the flags."""
    base, _, flags = name.partition(":2,")
    return base, flags


def _head(file: Path) -> bytes | None:
    """The bytes of a letter, or None when another program has just moved or removed it."""
    try:
        with file.open("rb") as letter:
            return letter.read(LARGEST_LETTER)
    except FileNotFoundError:
        return None


@contextmanager
def _told(where: str) -> Iterator[None]:
    """Faults of the disk, the network and the server, told as the mailbox's."""
    try:
        yield
    except imaplib.IMAP4.error as e:
        said = e.args[0] if e.args else ""
        said = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
        raise MailboxError(f"{where}: the server refused: {said}") from e
    except mailbox.Error as e:
        raise MailboxError(f"{where}: found no mailbox there.") from e
    except UnicodeEncodeError as e:
        raise MailboxError(
            f"{where}: user, password and folder must be ASCII; found {e.object[e.start]!r}."
        ) from e
    except TimeoutError as e:
        raise MailboxError(f"{where}: no answer in time.") from e
    except OSError as e:
        raise MailboxError(f"{where}: {e.strerror or e}.") from e
