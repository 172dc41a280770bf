"""Letters: press releases that come by mail, in a maildir, an mbox or an IMAP mailbox.

The mailbox stays as it is: nothing is deleted, moved or marked as read. It is asked as often as the source
says; IMAP IDLE is not used.
"""

import hashlib
import re
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from email.message import Message
from functools import cache

from digest.config.settings import SourceSettings
from digest.errors import DocumentError, MailboxError
from digest.language.addresses import address_key
from digest.language.text import either, sentences, word_lists
from digest.mail import messages
from digest.mail.dkim import signature_result
from digest.mail.mailboxes import Contents, look_into_imap, look_into_maildir, look_into_mbox
from digest.sources.folder import READABLE

LookUp = Callable[[str], Sequence[str] | None]
_MIB = 1024 * 1024
_MOST_LOOKUPS = 500
"""Questions to DNS in one reading: strangers decide which."""
_COVERING = re.compile(
    either(word_lists("sources/copy.toml")["covering"]["patterns"]), re.IGNORECASE
)
_SENTENCE = 50
"""Characters of a sentence that is more than a greeting."""
_SUBJECT = 80
_SIGNATURE = re.compile(r"^-- ?$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A letter of a source.

    `key` names it within its source for ever: a hash of its Message-ID, From, Date and Subject, for some
    programs give every letter the same Message-ID; without one, of its bytes. `sender` is the address in
    From, normalised, "" if there is none or several. `listed`: `senders` of the source names it or its
    list. `dkim` is as in `signature_result`. `attachments` are those in a format that a folder is read in;
    the text only `covers` them if it says nothing else. `archive`: the first reading found it, and it is
    none of the newest `backlog`. With an `error` it is not to be read further.
    """

    key: str
    data: bytes
    sender: str
    listed: bool
    dkim: str
    attachments: tuple[tuple[str, bytes], ...] = ()
    covers: bool = False
    archive: bool = False
    error: DocumentError | None = None


@dataclass(frozen=True, slots=True)
class Letters:
    """The new letters of a source, oldest first, one at a time in memory; iterating raises MailboxError.

    Once all are stored, store `place`: the next reading begins there.
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
    look_up: LookUp | None = None,
) -> Iterator[Letters]:
    """The letters that came after a place, without those whose key is `known`.

    A reading that was interrupted starts again at its own place, and so does a mailbox that was made again:
    `known` keeps both short. `look_up` gives the texts at a name in DNS, None without an answer; without it
    no signature is checked, nor is one of the archive, whose keys are old.

    Raises:
        MailboxError: the mailbox cannot be opened or read, its server refuses, or there is no password.
    """
    with _look_into(source, after, now) as contents:
        yield Letters(_letters(source, contents, after is None, known, look_up), contents.place)


def _look_into(
    source: SourceSettings, after: str | None, now: datetime
) -> AbstractContextManager[Contents]:
    if (imap := source.imap) is None:
        assert source.path is not None, "NEEDS demands one of them"  # noqa: S101
        is_file = source.path.is_file()
        return (look_into_mbox if is_file else look_into_maildir)(source.path, after, now)
    if (password := imap.password()) is None:
        place = imap.password_env or imap.password_file
        hint = f"Write it into {place}" if place else "Name it with password_env or password_file"
        raise MailboxError(f"source {source.name}: there is no password for {imap.host}. {hint}.")
    context = None
    if imap.ca_file is not None:
        try:
            context = ssl.create_default_context(cafile=str(imap.ca_file))
        except OSError as e:
            reason = f"{imap.ca_file}: no certificates can be read there ({e.strerror or e})."
            raise MailboxError(f"source {source.name}: {reason}") from e
    port = imap.port or (993 if imap.tls == "implicit" else 143)
    where = (imap.host, port, imap.username, password)
    return look_into_imap(*where, after, folder=imap.folder, tls=imap.tls, context=context)


def _letters(
    source: SourceSettings,
    contents: Contents,
    first: bool,
    known: Callable[[str], bool],
    look_up: LookUp | None,
) -> Iterator[Letter]:
    asked: list[str] = []

    @cache
    def ask(name: str) -> Sequence[str] | None:
        asked.append(name)
        return look_up(name) if look_up and len(asked) <= _MOST_LOOKUPS else None

    limit = int(source.size_limit_mib * _MIB)
    seen: set[str] = set()
    for number, found in enumerate(contents.messages):
        head = messages.parse(found.head)
        key = _key(head)
        if key and (key in seen or known(key)):
            continue
        data = found.read(limit + 1)
        if data is None:  # somebody has just removed it
            continue
        data = data.replace(b"\r\n", b"\n")
        if not key and ((key := _hash(data)) in seen or known(key)):
            continue
        seen.add(key)
        archive = first and number < contents.count - source.backlog
        asks = ask if look_up and not archive else None
        yield _letter(source, key, data, head, found.size > limit, archive, asks)


def _letter(
    source: SourceSettings,
    key: str,
    data: bytes,
    head: Message,
    too_large: bool,
    archive: bool,
    look_up: LookUp | None,
) -> Letter:
    sender = messages.sender(head)
    error = None
    if too_large or not data.strip():
        limit = (
            f"is larger than {source.size_limit_mib:g} MiB; raise `size_limit_mib` of the source"
        )
        subject = messages.header(head, "Subject")[:_SUBJECT] or "a letter without a subject"
        error = DocumentError(subject, limit if too_large else "is empty")
        data = b""
    whole = messages.parse(data)
    attached = tuple(
        one for one in messages.attachments(whole) if one[0].lower().endswith(READABLE)
    )
    dkim = "unknown: not checked"
    if look_up and not error:
        dkim = signature_result(data.replace(b"\n", b"\r\n"), sender, look_up)
    return Letter(
        key=key,
        data=data,
        sender=sender,
        listed=_is_listed(head, sender, source.senders),
        dkim=dkim,
        attachments=attached,
        covers=bool(attached) and _covers(messages.words(whole)),
        archive=archive,
        error=error,
    )


def _key(head: Message) -> str:
    """The key that a header gives; "" without a Message-ID."""
    if not messages.header(head, "Message-ID"):
        return ""
    names = ("Message-ID", "From", "Date", "Subject")
    return _hash("\0".join(messages.header(head, name) for name in names).encode())


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:32]


def _is_listed(head: Message, sender: str, listed: Sequence[str]) -> bool:
    """Whether one of "desk@x.org", "@x.org" (without its subdomains) and a List-Id names the letter."""
    names = {sender, *messages.lists(head)}
    names |= {f"@{name.rpartition('@')[2]}" for name in names if "@" in name}
    return any(address_key(one.strip("<> ")) in names - {""} for one in listed)


def _covers(text: str) -> bool:
    """Whether a text that goes with attachments says only that, and greets."""
    text = _SIGNATURE.split(text, 1)[0]
    said = [one for one in sentences(text) if len(one) > _SENTENCE and one.rstrip().endswith(".")]
    return all(_COVERING.search(one) for one in said)
