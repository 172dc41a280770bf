"""Letters: press releases that come by mail, in a maildir, an mbox or an IMAP mailbox.

The mailbox stays as it is: nothing is deleted, moved or marked as read. IMAP IDLE is not used: a mailbox is
asked as often as its source says.
"""

import hashlib
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from email.message import Message
from functools import cache

from digest.config.settings import ImapSettings, SourceSettings
from digest.errors import DocumentError, MailboxError
from digest.language.addresses import address_key
from digest.mail import messages
from digest.mail.dkim import signature_result
from digest.mail.mailboxes import Mailbox, Peek, read_imap, read_maildir, read_mbox
from digest.sources.folder import READABLE
from digest.sources.formats import only_covers

_MIB = 1024 * 1024
_MOST_LOOKUPS, _MOST_SILENT = 500, 10
"""Questions to DNS in one reading, and those without an answer: strangers decide which."""
_SUBJECT = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A letter of a source, with LF line ends.

    `key` names it within its source for ever: a hash of its Message-ID, From, Date and Subject, for some
    programs give every letter the same Message-ID; without one, of its bytes. `sender` is the address in
    From, normalised, "" if there is none or several. `listed`: `senders` of the source names it or its
    list. `dkim` is as in `signature_result`. `attachments` are those that a folder source reads, by name;
    the text only `covers` them if it says nothing else. `archive`: the first reading found it, and it is
    older than the newest `backlog`. With an `error` there are no `data`.
    """

    key: str
    data: bytes
    sender: str
    listed: bool
    dkim: str
    attachments: tuple[tuple[str, bytes], ...]
    covers: bool
    archive: bool
    error: DocumentError | None


@dataclass(frozen=True, slots=True)
class Letters:
    """The new letters of a source, oldest first, one at a time in memory; iterating raises MailboxError.

    Store `place` once all of them are stored: the next reading begins there.
    """

    letters: Iterator[Letter]
    place: str


@contextmanager
def read_letters(
    source: SourceSettings,
    *,
    after: str | None,
    now: datetime,
    known: Callable[[str], bool] = lambda key: False,
    look_up: Callable[[str], Sequence[str] | None] | None = None,
) -> Iterator[Letters]:
    """The letters that came after a place, without those whose key is `known`.

    A reading that was interrupted begins again at its own place, and a mailbox that was made again is read
    again: `known` then tells what is new. `look_up` gives the texts at a name in DNS, None without an
    answer; without it no signature is checked, nor is one of the archive, whose keys may be gone.

    Raises:
        MailboxError: the mailbox cannot be opened or read, its server refuses, or there is no password.
    """
    asked: list[str] = []
    silent: list[str] = []

    @cache
    def ask(name: str) -> Sequence[str] | None:
        asked.append(name)
        if look_up is None or len(asked) > _MOST_LOOKUPS or len(silent) > _MOST_SILENT:
            return None
        if (texts := look_up(name)) is None:
            silent.append(name)
        return texts

    limit = int(source.size_limit_mib * _MIB)
    peek = Peek(after, now, limit + 1)
    if source.imap is not None:
        opened = _open_imap(source.name, source.imap, peek)
    else:
        assert source.path is not None, "NEEDS demands one of them"  # noqa: S101
        opened = (read_mbox if source.path.is_file() else read_maildir)(source.path, peek)
    with opened as box:
        older = box.count - source.backlog if after is None else 0

        def letters() -> Iterator[Letter]:
            seen: set[str] = set()
            for number, (_, data) in enumerate(box.messages):
                mail = data.replace(b"\r\n", b"\n")
                head = messages.parse(mail.partition(b"\n\n")[0] + b"\n\n")
                key = _key(head) or _hash(mail)
                if key in seen or known(key):
                    continue
                seen.add(key)
                error = None
                if len(data) > limit or not mail.strip():
                    reason = f"is larger than {source.size_limit_mib:g} MiB; raise `size_limit_mib`"
                    subject = messages.header(head, "Subject")[:_SUBJECT] or "a letter"
                    error = DocumentError(subject, reason if mail.strip() else "is empty")
                    mail = b""
                whole, (sender, names) = messages.parse(mail), messages.senders(head)
                attached = [
                    one for one in messages.attachments(whole) if one[0].lower().endswith(READABLE)
                ]
                dkim = "unknown: not checked"
                if look_up and mail and number >= older:
                    dkim = signature_result(mail.replace(b"\n", b"\r\n"), sender, ask)
                yield Letter(
                    key=key,
                    data=mail,
                    sender=sender,
                    listed=_is_listed(sender, names, source.senders),
                    dkim=dkim,
                    attachments=tuple(attached),
                    covers=only_covers(whole),
                    archive=number < older,
                    error=error,
                )

        yield Letters(letters(), box.place)


def _open_imap(name: str, imap: ImapSettings, peek: Peek) -> AbstractContextManager[Mailbox]:
    if (password := imap.password()) is None:
        place = imap.password_env or imap.password_file
        hint = f"Write it into {place}" if place else "Name it with password_env or password_file"
        raise MailboxError(f"source {name}: there is no password for {imap.host}. {hint}.")
    try:
        context = ssl.create_default_context(cafile=imap.ca_file)
    except OSError as e:
        reason = f"{imap.ca_file}: no certificate can be read there ({e.strerror or e})."
        raise MailboxError(f"source {name}: {reason}") from e
    port = imap.port or (993 if imap.tls == "implicit" else 143)
    return read_imap(
        *(imap.host, port, imap.username, password),
        folder=imap.folder,
        tls=imap.tls,
        context=context,
        peek=peek,
    )


def _key(head: Message) -> str:
    """The key that a header gives; "" without a Message-ID."""
    said = [messages.header(head, name) for name in ("Message-ID", "From", "Date", "Subject")]
    return _hash("\0".join(said).encode()) if said[0] else ""


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:32]


def _is_listed(sender: str, names: set[str], listed: Sequence[str]) -> bool:
    """Whether "desk@un.example" or "@un.example" (without its subdomains) is the address in From, which readers of
    the letter see, or a List-Id names the letter."""
    own = {sender, f"@{sender.rpartition('@')[2]}"} if sender else set()
    names = own | {name for name in names if "@" not in name}
    return any(address_key(one.strip("<> ")) in names for one in listed)
