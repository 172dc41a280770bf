"""What passes between the ledger and a transport: messages on their way out, and how they ended.

The protocol of `Transport.deliver`:

1. The transport draws from `messages` only what it can start: at most two messages for each open
   connection, and a bounded look-ahead past recipient domains that are busy. What it has not drawn
   is none of its business and stays queued.
2. `handed(ids)` is called before the end of the body of any of `ids` is given to a server. It
   returns when `handed` is on disk. All connections that are ready in the same turn of the event
   loop share one call. If it raises, no further body is ended.
3. `settled(outcomes)` is called with the outcomes so far. Each delivery drawn gets exactly one
   outcome in exactly one call. Whatever has been answered is settled before the next `handed`:
   at most one delivery for each open connection is handed and without an answer at any time, so
   that a crash leaves no more than that uncertain.
4. `stop()` is asked several times a second. Once it is true no new message starts; those whose
   `handed` was called come to their end within the time-out for the end of data, and everything
   else that was drawn is settled as UNSENT.

The callbacks are called in the thread of `deliver`, one at a time. When one of them or `messages`
raises, the transport winds down as for `stop()`, offers what is not settled to `settled` once more,
and lets the exception through.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol

from digest.model import RenderedMail


class DeliveryStatus(StrEnum):
    QUEUED = "queued"
    HANDED = "handed"
    SENT = "sent"
    FAILED = "failed"
    UNCERTAIN = "uncertain"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Due:
    """A delivery that may be handed over now."""

    id: int
    edition_id: int
    segment_id: int
    recipient_id: int
    address: str
    name: str | None
    attempts: int
    first_tried_at: datetime | None


@dataclass(frozen=True, slots=True)
class Settlement:
    """How one delivery's try ended, as it is to be kept.

    `due_at` is when a queued one is tried again. `counts_as_try` is False where the server said
    nothing about this recipient, so that no try of theirs is used up.
    """

    delivery_id: int
    status: DeliveryStatus
    due_at: datetime | None = None
    server: str = ""
    answer: str = ""
    reason: str | None = None
    counts_as_try: bool = True


WEBHOOK = "webhook"
"""The place that is no address."""

FIRST_DELAY = timedelta(minutes=2)
LONGEST_DELAY = timedelta(hours=1)


class Kind(StrEnum):
    """An alarm, that it is over, or the editors' weekly report."""

    BEGUN = "begun"
    OVER = "over"
    REPORT = "report"


ALARMS = (Kind.BEGUN, Kind.OVER)
"""Better sent twice than never: tried until they are taken, or nobody needs them any more."""


@dataclass(frozen=True, slots=True)
class Notice:
    """A notice as it was written: each try sends the same bytes.

    `name` is what it is about, for ever, such as "alarm.12.begun": its Message-IDs follow from it.
    `dated_at` is the date of its mails; `payload` is what a webhook gets.
    """

    kind: Kind
    name: str
    dated_at: datetime
    mail: RenderedMail
    payload: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class DueNotice:
    """A notice that may be handed over now, to an address or to WEBHOOK."""

    id: int
    notice: Notice
    place: str
    attempts: int
    first_tried_at: datetime | None
    due_at: datetime

    @property
    def delay(self) -> timedelta:
        """How long an alarm waits after this try."""
        return min(FIRST_DELAY * (1 << min(self.attempts, 16)), LONGEST_DELAY)


class Phase(StrEnum):
    """Where in the dialogue with a server an answer, or silence, was met (RFC 5321 section 4.1)."""

    CONNECT = "connect"
    EHLO = "ehlo"
    TLS = "tls"
    AUTH = "auth"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    END = "end"  # after the final dot


class OutcomeKind(StrEnum):
    SENT = "sent"
    PASSING = "passing"  # may be tried again later
    DEAD = "dead"  # there is no such address: failed, and suppressed
    FULL = "full"  # the mailbox is full: a soft bounce
    POLICY = "policy"  # refused as unwanted: failed, not suppressed
    REFUSED = "refused"  # any other final answer
    OURS = "ours"  # our own fault: the edition pauses, recipients stay queued
    UNSENT = "unsent"  # never started, or lost before the end of the body: queued again
    UNCERTAIN = "uncertain"  # no answer after the final dot was written, or may have been


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message for one recipient.

    `sender` is the return path (VERP). Both addresses are ASCII. `message` is 7-bit, its lines end
    in CRLF, and dots are not stuffed yet. `wire_ready` is the maker's word that all of this was
    checked once for the whole segment, that no line begins with a dot and that the last one ends:
    then it is not checked again for each recipient.
    """

    delivery_id: int
    sender: str
    recipient: str
    message: bytes
    wire_ready: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one delivery ended in this run.

    `code` and `enhanced` (RFC 3463) are the server's, None where there was no answer; `text` is its
    last answer without them, or what happened instead; `server` is "host:port", "" where none was
    spoken to.
    """

    delivery_id: int
    kind: OutcomeKind
    code: int | None = None
    enhanced: str | None = None
    text: str = ""
    server: str = ""
    phase: Phase = Phase.CONNECT


@dataclass(frozen=True, slots=True)
class Report:
    """A whole run: how many deliveries ended how, and why it ended early, if it did.

    `exhausted` says that `messages` came to its end. `fault` is the operator's text when the
    transport gave up for a fault that is not the recipients': then the outcomes hold OURS, or UNSENT
    where servers only went silent. `connections` is how many were opened.
    """

    counts: Mapping[OutcomeKind, int] = field(default_factory=dict)
    exhausted: bool = False
    stopped: bool = False
    fault: str | None = None
    connections: int = 0


class Transport(Protocol):
    """A way out for messages. `repeatable`: what was handed without an answer may be delivered
    again without reaching anybody twice."""

    @property
    def repeatable(self) -> bool: ...

    def deliver(
        self,
        messages: Iterator[Outgoing],
        *,
        handed: Callable[[Sequence[int]], None],
        settled: Callable[[Sequence[Outcome]], None],
        stop: Callable[[], bool],
    ) -> Report:
        """Deliver until `messages` ends, `stop()` is true, or no server can be used."""
        ...
