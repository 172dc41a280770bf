"""Mailboxes: a maildir, an mbox, a file, standard input, an IMAP mailbox.

Each `read_…` is a context manager that yields the messages of returned mail one after the other. The
reader marks each as done; after a crash an unmarked one comes again, so reading the same message twice
must do no harm. Each `look_into_…` yields the messages after a place and marks none: people use the
mailbox, too.
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
from functools import partial
from glob import escape
from io import SEEK_END
from pathlib import Path
from typing import IO, Any, Literal

from digest.errors import MailboxError
from digest.language.text import foreign

LARGEST_MESSAGE = 10 * 1024 * 1024
"""Bytes of a message that are read; a longer one is cut."""
LARGEST_HEAD = 64 * 1024
"""Bytes of a header that are read."""
_HEADS = 50
"""Headers that one question to an IMAP server asks for."""
_OVERLAP = 24 * 3600 * 10**9
"""Nanoseconds: of a maildir what came in the day before the place is listed again, since clocks jump."""
_GROWING = 5
"""Seconds after a change in which the last message of an mbox may still be written."""
_FETCHED = re.compile(rb"\bUID (\d{1,10})\b")
_SIZE = re.compile(rb"\bRFC822\.SIZE (\d{1,15})\b")
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_SEEN = "S"


@dataclass(frozen=True, slots=True)
class Mailbox:
    """An open mailbox: the name and raw bytes of each message that is not done.

    Call `done` with the name once a message is stored. A name stays the same from one reading to the
    next. Both raise MailboxError.
    """

    messages: Iterator[tuple[str, bytes]]
    done: Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Found:
    """A message that stays in its mailbox as it is: its header, at most 64 KiB of it, and its size in bytes.

    `read` gives its first bytes, at most so many; None if it is gone. Raises MailboxError.
    """

    head: bytes
    size: int
    read: Callable[[int], bytes | None]


@dataclass(frozen=True, slots=True)
class Contents:
    """The messages of a mailbox after a place, about `count`, oldest first, and the place after them.

    A message from before the place may come again: the place only saves time. Iterating raises MailboxError.
    """

    messages: Iterator[Found]
    count: int
    place: str


@contextmanager
def read_maildir(path: Path) -> Iterator[Mailbox]:
    """New messages, and those in cur/ that are not marked as seen; `done` marks them.

    Raises:
        MailboxError: it is not a maildir.
    """
    files = _maildir_files(path)

    def messages() -> Iterator[tuple[str, bytes]]:
        for file in sorted(files, key=lambda file: (file.parent.name == "cur", file.name)):
            base, flags = _flags(file.name)
            if _SEEN in flags:
                continue
            raw = _first_bytes(file, LARGEST_MESSAGE)
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

    yield Mailbox(messages(), done)


@contextmanager
def look_into_maildir(path: Path, after: str | None, now: datetime) -> Iterator[Contents]:
    """The messages of a maildir that came after a place, and those of the day before it; all of them if the
    place is later than `now`.

    Raises:
        MailboxError: it is not a maildir.
    """
    since = int(after) if after and after.isdecimal() else 0
    since = since - _OVERLAP if since <= now.timestamp() * 10**9 else 0
    came: list[tuple[int, str, Path]] = []
    for file in _maildir_files(path):
        with suppress(FileNotFoundError):
            # When its inode changed: delivery sets it, and so does a copy of an older message.
            came.append((file.stat().st_ctime_ns, file.name, file))
    latest = max((moment for moment, _, _ in came), default=0)
    newer = [one for one in came if one[0] >= since]

    def messages() -> Iterator[Found]:
        for _, name, file in sorted(newer, key=lambda one: (one[1].partition(".")[0], *one)):
            if (head := _first_bytes(file, LARGEST_HEAD)) is None:  # a mail program marked it
                base = escape(_flags(name)[0])
                file = next(iter((path / "cur").glob(f"{base}*")), file)
                if (head := _first_bytes(file, LARGEST_HEAD)) is None:
                    continue
            with suppress(FileNotFoundError):
                yield Found(head, file.stat().st_size, partial(_first_bytes, file))

    yield Contents(messages(), len(newer), str(latest))


def _maildir_files(path: Path) -> list[Path]:
    if not (path / "new").is_dir() or not (path / "cur").is_dir():
        raise MailboxError(
            f"{path}: this is not a maildir, which has the folders cur, new and tmp."
        )
    with _as_mailbox_error(str(path)):
        files = [file for folder in ("new", "cur") for file in (path / folder).iterdir()]
    return [file for file in files if not file.name.startswith(".")]


def _first_bytes(file: Path, most: int) -> bytes | None:
    """None if the file is gone."""
    with _as_mailbox_error(str(file)), suppress(FileNotFoundError), file.open("rb") as message:
        return message.read(most)
    return None


@contextmanager
def read_mbox(path: Path) -> Iterator[Mailbox]:
    """Every message of an mbox file. The file is never changed, so all of them come again next time.

    Raises:
        MailboxError: the file is missing or cannot be read.
    """
    with _as_mailbox_error(str(path)):
        box = mailbox.mbox(path, create=False)

    def messages() -> Iterator[tuple[str, bytes]]:
        with _as_mailbox_error(str(path)):
            keys = list(box.keys())
        for key in keys:
            with _as_mailbox_error(str(path)), box.get_file(key) as file:
                raw = file.read(LARGEST_MESSAGE)
            yield f"{path.name}:{int(key) + 1}", raw

    try:
        yield Mailbox(messages(), lambda _: None)
    finally:
        box.close()


@contextmanager
def look_into_mbox(path: Path, after: str | None, now: datetime) -> Iterator[Contents]:
    """All messages of an mbox file that changed after a place; none if it did not change.

    Raises:
        MailboxError: the file is missing or cannot be read.
    """
    with _as_mailbox_error(str(path)):
        state = path.stat()
        place = f"{state.st_size} {state.st_mtime_ns}"
        if place == after:
            yield Contents(iter(()), 0, place)
            return
        box = mailbox.mbox(path, create=False)
    try:
        with _as_mailbox_error(str(path)):
            keys = list(box.keys())
        if 0 <= now.timestamp() - state.st_mtime < _GROWING:
            keys, place = keys[:-1], ""

        def first_bytes(key: Any, most: int) -> bytes:
            with _as_mailbox_error(str(path)), box.get_file(key) as file:
                return re.sub(rb"(?m)^>(?=>*From )", b"", file.read(most))

        def messages() -> Iterator[Found]:
            for key in keys:
                with _as_mailbox_error(str(path)), box.get_file(key) as file:
                    file.seek(0, SEEK_END)
                    size = file.tell()
                yield Found(first_bytes(key, LARGEST_HEAD), size, partial(first_bytes, key))

        yield Contents(messages(), len(keys), place)
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
) -> Iterator[Mailbox]:
    """The messages of an IMAP folder that are not marked as seen; `done` marks them (RFC 3501).

    `timeout`, in seconds, is for each answer of the server. `context` checks its certificate, by
    default with the system's authorities. A name is the folder's UIDVALIDITY and the UID.

    Raises:
        MailboxError: no connection, no login or no such folder; or `tls` is "none" for another
            machine.
    """
    with _logged_in(host, port, user, password, tls, context, timeout) as (client, server):
        where = f"{server}/{folder}"
        folder_id = _opened(client, folder, where, readonly=False)

        def messages() -> Iterator[tuple[str, bytes]]:
            with _as_mailbox_error(where):
                data = _expect_ok(client.uid("SEARCH", "UNSEEN"), where)
            uids = data[0].split() if data and isinstance(data[0], bytes) else []
            for uid in (word.decode("ascii") for word in uids if word.isdigit()):
                if (raw := _fetched(client, uid, LARGEST_MESSAGE, where)) is not None:
                    yield f"{folder_id}.{uid}", raw

        def done(name: str) -> None:
            uid = name.rpartition(".")[2]
            with _as_mailbox_error(where):
                _expect_ok(client.uid("STORE", uid, "+FLAGS.SILENT", r"(\Seen)"), where)

        yield Mailbox(messages(), done)


@contextmanager
def look_into_imap(
    host: str,
    port: int,
    user: str,
    password: str,
    after: str | None,
    *,
    folder: str = "INBOX",
    tls: Literal["implicit", "starttls", "none"] = "implicit",
    context: ssl.SSLContext | None = None,
    timeout: float = 30.0,
) -> Iterator[Contents]:
    """The messages of an IMAP folder after a place, its UIDVALIDITY and a UID; all of a folder that was
    made again. The other arguments and errors are those of `read_imap`."""
    with _logged_in(host, port, user, password, tls, context, timeout) as (client, server):
        where = f"{server}/{folder}"
        folder_id = _opened(client, folder, where, readonly=True)
        validity, _, last = (after or "").partition(" ")
        last_uid = int(last) if validity == folder_id and last.isdecimal() else 0
        sizes: dict[int, int] = {}
        with _as_mailbox_error(where):
            # An answer to SEARCH is one line, which the library bounds; these are one a message.
            wanted = f"{last_uid + 1}:*", "(UID RFC822.SIZE)"
            for _, about in _parsed(_expect_ok(client.uid("FETCH", *wanted), where)):
                uid, size = _FETCHED.search(about), _SIZE.search(about)
                if uid and size and int(uid[1]) > last_uid:  # "*" is the last one, however old
                    sizes[int(uid[1])] = int(size[1])
        uids = sorted(sizes)

        def messages() -> Iterator[Found]:
            for start in range(0, len(uids), _HEADS):
                some = ",".join(map(str, uids[start : start + _HEADS]))
                heads: dict[int, bytes] = {}
                with _as_mailbox_error(where):
                    part = f"(UID BODY.PEEK[HEADER]<0.{LARGEST_HEAD}>)"
                    for head, about in _parsed(_expect_ok(client.uid("FETCH", some, part), where)):
                        if head is not None and (uid := _FETCHED.search(about)):
                            heads[int(uid[1])] = head
                for number in sorted(heads.keys() & sizes.keys()):

                    def read(most: int, uid: str = str(number)) -> bytes | None:
                        return _fetched(client, uid, most, where)

                    yield Found(heads[number], sizes[number], read)

        yield Contents(messages(), len(uids), f"{folder_id} {max(uids, default=last_uid)}")


@contextmanager
def _logged_in(
    host: str,
    port: int,
    user: str,
    password: str,
    tls: Literal["implicit", "starttls", "none"],
    context: ssl.SSLContext | None,
    timeout: float,
) -> Iterator[tuple[imaplib.IMAP4, str]]:
    """A connection to an IMAP server, and the server's address."""
    where = f"imap://{host}:{port}"
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
        yield client, where
    finally:
        with suppress(imaplib.IMAP4.error, OSError):
            client.logout()
        with suppress(OSError):  # closed already, unless the server went silent
            client.shutdown()


def _opened(client: imaplib.IMAP4, folder: str, where: str, *, readonly: bool) -> str:
    """Opens a folder; its UIDVALIDITY. Letters outside ASCII are in modified UTF-7 (RFC 3501 §5.1.3)."""
    if not folder.isascii():
        folder = re.sub(
            r"[^\x20-\x7e]+",
            lambda run: (
                f"&{b64encode(run[0].encode('utf-16-be'), b'+,').decode('ascii').rstrip('=')}-"
            ),
            folder.replace("&", "&-"),
        )
    quoted = folder.replace("\\", "\\\\").replace('"', '\\"')
    with _as_mailbox_error(where):
        _expect_ok(client.select(f'"{quoted}"', readonly), where)
        validity = (client.response("UIDVALIDITY")[1] or [None])[0]
    return validity.decode("ascii", "replace") if isinstance(validity, bytes) else "0"


def _fetched(client: imaplib.IMAP4, uid: str, most: int, where: str) -> bytes | None:
    """The first bytes of a message; None if another program has just removed it."""
    with _as_mailbox_error(where):
        # PEEK does not mark it as seen; a partial fetch keeps a huge one out of memory.
        answer = _expect_ok(client.uid("FETCH", uid, f"(BODY.PEEK[]<0.{most}>)"), where)
    return next((body for body, _ in _parsed(answer) if body is not None), None)


def _parsed(answer: Sequence[object]) -> Iterator[tuple[bytes | None, bytes]]:
    """What a server fetched, message by message: the literal, and all that is said around it."""
    for number, item in enumerate(answer):
        if isinstance(item, tuple):
            after = answer[number + 1] if number + 1 < len(answer) else b""
            yield item[1], item[0] + (after if isinstance(after, bytes) else b"")
        elif isinstance(item, bytes) and item.strip() != b")":
            yield None, item


def _expect_ok(answer: tuple[str, Sequence[object]], where: str) -> Sequence[object]:
    """The data of an answer OK."""
    kind, data = answer
    if kind != "OK":
        text = b" ".join(part for part in data if isinstance(part, bytes))
        raise MailboxError(f"{where}: the server refused: {foreign(text)}")
    return data


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
