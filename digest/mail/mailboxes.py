"""Mailboxes: a maildir, an mbox, a file, standard input, an IMAP mailbox.

Each is a context manager that yields its messages one after the other. The reader marks each as done;
after a crash an unmarked one comes again, so reading the same message twice must do no harm. With a Peek
the mailbox stays as it is, for people read it, too.
"""

import imaplib
import mailbox
import re
import ssl
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from glob import escape
from pathlib import Path
from typing import IO, Literal

from digest.errors import MailboxError
from digest.language.text import foreign

LARGEST_MESSAGE = 10 * 1024 * 1024
"""Bytes of a message that are read; a longer one is cut."""
_OVERLAP = 24 * 3600 * 10**9
"""Nanoseconds before its place of which a maildir is read again."""
_GROWING = 5.0
"""Seconds after a change in which the last message of an mbox may still be on its way."""
_QUOTED_FROM = re.compile(rb"^>(?=>{0,20}From )", re.MULTILINE)
_UID = re.compile(rb"\bUID (\d{1,10})\b")
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_SEEN = "S"


@dataclass(frozen=True, slots=True)
class Peek:
    """Read what came after a place, oldest first, whether it is marked or not, and mark nothing.

    At most `most` bytes of a message are read. What came before the place may come again.
    """

    after: str | None
    now: datetime
    most: int


@dataclass(frozen=True, slots=True)
class Mailbox:
    """An open mailbox: the name and raw bytes of each message that is not done.

    Call `done` with the name once a message is stored. A name stays the same from one reading to the
    next. Both raise MailboxError. A Peek gets about `count` messages, and the `place` after them.
    """

    messages: Iterator[tuple[str, bytes]]
    done: Callable[[str], None]
    count: int = 0
    place: str = ""


@contextmanager
def read_maildir(path: Path, peek: Peek | None = None) -> Iterator[Mailbox]:
    """New messages, and those in cur/ that are not marked as seen; `done` marks them.

    A place is when the latest message came, in nanoseconds; those of a day before it come again, and all
    if it is later than now: clocks jump.

    Raises:
        MailboxError: it is not a maildir.
    """
    if not (path / "new").is_dir() or not (path / "cur").is_dir():
        raise MailboxError(
            f"{path}: this is not a maildir, which has the folders cur, new and tmp."
        )

    with _as_mailbox_error(str(path)):
        files = [file for folder in ("new", "cur") for file in (path / folder).iterdir()]
    files = [file for file in files if not file.name.startswith(".")]
    latest = 0
    if peek is None:
        files = [file for file in files if _SEEN not in _flags(file.name)[1]]
        files.sort(key=lambda file: (file.parent.name == "cur", file.name))
    else:
        came: dict[Path, int] = {}
        for file in sorted(files, key=lambda file: file.name):
            with suppress(FileNotFoundError):
                # When the inode changed: then it was delivered, copied or marked.
                came[file] = file.stat().st_ctime_ns
        latest = max(came.values(), default=0)
        since = int(peek.after) if peek.after and peek.after.isdecimal() else 0
        since = since - _OVERLAP if since <= peek.now.timestamp() * 10**9 else 0
        files = [file for file, moment in came.items() if moment >= since]

    def messages() -> Iterator[tuple[str, bytes]]:
        for file in files:
            base, _ = _flags(file.name)
            raw = None
            with (
                _as_mailbox_error(str(path)),
                suppress(FileNotFoundError),
                file.open("rb") as message,
            ):
                raw = message.read(peek.most if peek else LARGEST_MESSAGE)
            if raw is not None:  # else another program has just moved or removed it
                yield base, raw

    def done(name: str) -> None:
        with _as_mailbox_error(str(path)):
            for file in [path / "new" / name, *(path / "cur").glob(f"{escape(name)}*")]:
                base, flags = _flags(file.name)
                if base == name and _SEEN not in flags:
                    marked = "".join(sorted({*flags, _SEEN}))
                    with suppress(FileNotFoundError):  # another program moved or removed it
                        file.rename(path / "cur" / f"{base}:2,{marked}")

    yield Mailbox(messages(), done, len(files), str(latest))


@contextmanager
def read_mbox(path: Path, peek: Peek | None = None) -> Iterator[Mailbox]:
    """Every message of an mbox file. The file is never changed, so all of them come again next time; for
    a Peek once the file has changed.

    Raises:
        MailboxError: the file is missing or cannot be read.
    """
    with _as_mailbox_error(str(path)):
        state = path.stat()
        place = f"{state.st_size} {state.st_mtime_ns}"
        box = mailbox.mbox(path, create=False)
        keys = list(box.keys()) if peek is None or peek.after != place else []
    if keys and peek and 0 <= peek.now.timestamp() - state.st_mtime < _GROWING:
        keys, place = keys[:-1], ""

    def messages() -> Iterator[tuple[str, bytes]]:
        for key in keys:
            with _as_mailbox_error(str(path)), box.get_file(key) as file:
                raw = file.read(peek.most if peek else LARGEST_MESSAGE)
            yield f"{path.name}:{int(key) + 1}", _QUOTED_FROM.sub(b"", raw)

    try:
        yield Mailbox(messages(), lambda _: None, len(keys), place)
    finally:
        box.close()


@contextmanager
def read_file(path: Path) -> Iterator[Mailbox]:
    """The one message in a file; a file that begins with `From ` is read as an mbox.

    Raises:
        MailboxError: the file cannot be read.
    """
    with _as_mailbox_error(str(path)), path.open("rb") as file:
        raw = file.read(LARGEST_MESSAGE)
    if raw.startswith(b"From "):
        with read_mbox(path) as box:
            yield box
    else:
        yield Mailbox(iter([(path.name, raw)]), lambda _: None)


@contextmanager
def read_stream(stream: IO[bytes], name: str = "standard input") -> Iterator[Mailbox]:
    """The one message in a stream, such as a mail system's pipe. A first line `From ...`, which some
    of them add, is removed."""
    with _as_mailbox_error(name):
        raw = stream.read(LARGEST_MESSAGE)
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
    timeout: float = 30.0,
    peek: Peek | None = None,
) -> Iterator[Mailbox]:
    """The messages of an IMAP folder that are not marked as seen; `done` marks them (RFC 3501).

    `timeout`, in seconds, is for each answer of the server. `context` checks its certificate, by
    default with the system's authorities. A name is the folder's UIDVALIDITY and the UID;
    so is a place, and a folder that was made again is read again.

    Raises:
        MailboxError: no connection, no login or no such folder; or `tls` is "none" for another
            machine.
    """
    where = f"imap://{host}:{port}/{folder}"
    if tls == "none" and host not in _LOOPBACK:
        raise MailboxError(
            f'{where}: tls = "none" sends the password in the clear to another machine. '
            'Use "implicit" (port 993) or "starttls" (port 143).'
        )
    with _as_mailbox_error(where):
        context = context or ssl.create_default_context()
        if tls == "implicit":
            client: imaplib.IMAP4 = imaplib.IMAP4_SSL(
                host, port, ssl_context=context, timeout=timeout
            )
        else:
            client = imaplib.IMAP4(host, port, timeout=timeout)
    try:
        with _as_mailbox_error(where):
            if tls == "starttls":
                client.starttls(context)
            client.login(user, password)
            quoted = _in_utf7(folder).replace("\\", "\\\\").replace('"', '\\"')
            _expect_ok(client.select(f'"{quoted}"', readonly=peek is not None), where)
            validity = (client.response("UIDVALIDITY")[1] or [None])[0]
        folder_id = validity.decode("ascii", "replace") if isinstance(validity, bytes) else "0"

        known, _, after = ((peek and peek.after) or "").partition(" ")
        last = int(after) if known == folder_id and after.isdecimal() else 0
        with _as_mailbox_error(where):
            if peek is None:
                data = _expect_ok(client.uid("SEARCH", "UNSEEN"), where)
                words = data[0].split() if data and isinstance(data[0], bytes) else []
            else:
                # Not a search: its answer is one line, and the library reads no endless one.
                data = _expect_ok(client.uid("FETCH", f"{last + 1}:*", "(UID)"), where)
                found = (_UID.search(one) for one in data if isinstance(one, bytes))
                words = [one[1] for one in found if one]
        # "*" is the last message, however old.
        uids = sorted(uid for uid in (int(word) for word in words if word.isdigit()) if uid > last)
        place = f"{folder_id} {max(uids, default=last)}"
        most = peek.most if peek else LARGEST_MESSAGE

        def messages() -> Iterator[tuple[str, bytes]]:
            for uid in uids:
                with _as_mailbox_error(where):
                    # PEEK does not mark it as seen; a partial fetch keeps a huge one out of memory.
                    wanted = f"(BODY.PEEK[]<0.{most}>)"
                    answer = _expect_ok(client.uid("FETCH", str(uid), wanted), where)
                # A message that another program has just removed has no bytes here.
                for item in answer:
                    if isinstance(item, tuple):
                        yield f"{folder_id}.{uid}", item[1]
                        break

        def done(name: str) -> None:
            uid = name.rpartition(".")[2]
            with _as_mailbox_error(where):
                _expect_ok(client.uid("STORE", uid, "+FLAGS.SILENT", r"(\Seen)"), where)

        yield Mailbox(messages(), done, len(uids), place)
    finally:
        with suppress(imaplib.IMAP4.error, OSError):
            client.logout()
        with suppress(OSError):  # closed already, unless the server went silent
            client.shutdown()


def _expect_ok(answer: tuple[str, Sequence[object]], where: str) -> Sequence[object]:
    """The data of an answer OK."""
    kind, data = answer
    if kind != "OK":
        text = b" ".join(part for part in data if isinstance(part, bytes))
        raise MailboxError(f"{where}: the server refused: {foreign(text)}")
    return data


def _in_utf7(folder: str) -> str:
    """A folder's name outside ASCII as servers know it (RFC 3501 §5.1.3)."""

    def encoded(run: re.Match[str]) -> str:
        base64 = b64encode(run[0].encode("utf-16-be"), b"+,").decode("ascii")
        return f"&{base64.rstrip('=')}-"

    if folder.isascii():
        return folder
    return re.sub(r"[^\x20-\x7e]+", encoded, folder.replace("&", "&-"))


def _flags(name: str) -> tuple[str, str]:
    """A maildir's file name without its flags, and the flags."""
    base, _, flags = name.partition(":2,")
    return base, flags


@contextmanager
def _as_mailbox_error(where: str) -> Iterator[None]:
    """Raise the errors of disk, network and server as MailboxError."""
    try:
        yield
    except imaplib.IMAP4.error as e:
        text = e.args[0] if e.args and isinstance(e.args[0], str | bytes) else str(e)
        raise MailboxError(f"{where}: the server refused: {foreign(text)}") from e
    except mailbox.Error as e:
        raise MailboxError(f"{where}: there is no mailbox.") from e
    except UnicodeEncodeError as e:
        raise MailboxError(f"{where}: user and password must be ASCII.") from e
    except TimeoutError as e:
        raise MailboxError(f"{where}: no answer in time.") from e
    except OSError as e:
        raise MailboxError(f"{where}: {e.strerror or e}.") from e
