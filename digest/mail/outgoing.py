"""The values between the ledger and a transport: outgoing messages, and their outcomes.

The protocol of `Transport.deliver`:

1. The transport draws from `messages` only what it can start: at most two messages for each open
   connection, and a bounded look-ahead past busy recipient domains. The rest stays queued.
2. `handed(ids)` is called before the end of the body of any of `ids` is given to a server, and
   returns when `handed` is on disk. Connections that are ready in the same turn of the event loop
   share one call. If it raises, no further body is ended.
3. `settled(outcomes)` is called with the outcomes so far. Each delivery drawn gets exactly one
   outcome in exactly one call. All answers are settled before the next `handed`: at any time each
   open connection has at most one delivery handed and unanswered, so a crash leaves no more
   uncertain.
4. `stop()` is called several times a second. Once it is true no new message starts; those whose
   `handed` was called end within the time-out for the end of data, and everything else that was
   drawn is settled as UNSENT.

The callbacks are called in the thread of `deliver`, one at a time. When one of them or `messages`
raises, the transport stops as for `stop()`, offers the unsettled outcomes to `settled` once more, and
raises the exception.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol


class DeliveryStatus(StrEnum):
    QUEUED = "queued"
    HANDED = "handed"
    SENT = "sent"
    FAILED = "failed"
    UNCERTAIN = "uncertain"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Due:
    """A delivery that may be handed over now. `seen` is the database's version when it was read."""

    id: int
    edition_id: int
    segment_id: int
    recipient_id: int
    address: str
    name: str | None
    attempts: int
    first_tried_at: datetime | None
    seen: int = 0


@dataclass(frozen=True, slots=True)
class Settlement:
    """How one delivery's try ended, as it is stored.

    `due_at` is when a queued one is tried again. `counts_as_try` is False if the server did not answer
    about this recipient, so that none of their tries is used up.
    """

    delivery_id: int
    status: DeliveryStatus
    due_at: datetime | None = None
    server: str = ""
    answer: str = ""
    reason: str | None = None
    counts_as_try: bool = True


MAIL, WEBHOOK, HUB = "mail", "webhook", "hub"
"""The ways of a notice. The webhook of [alarms] is also its own recipient: its address is a secret. That
of a WebSub hub is public, and the recipient."""

NEVER_TWICE, RATHER_TWICE = "never twice", "rather twice"
"""What a crash may cost: a notice, or that it comes twice rather than never."""

FIRST_DELAY = timedelta(minutes=2)
LONGEST_DELAY = timedelta(hours=1)


class Kind(StrEnum):
    """An alarm, that it is over, the editors' weekly report, whether somebody wants to leave, that a feed
    changed; the link that somebody asked for by a form, what a reader follows, a grave correction."""

    BEGUN = "begun"
    OVER = "over"
    REPORT = "report"
    QUESTION = "question"
    PING = "ping"
    LINK = "link"
    ALERT = "alert"
    CORRECTION = "correction"


ALARMS = (Kind.BEGUN, Kind.OVER)
TO_READERS = (Kind.QUESTION, Kind.ALERT, Kind.CORRECTION)
"""What is sent with the editions, by their sole sender."""


@dataclass(frozen=True, slots=True)
class Notice:
    """A notice for one recipient, frozen: each try sends the same bytes.

    `name`, such as "alarm.12.begun", is that of its occasion: UNIQUE (name, way, recipient). `sender` is
    the return path of a mail. `body` is the message without its DKIM signatures, or what is posted.
    `crash` is NEVER_TWICE, or RATHER_TWICE: then it is tried until it is accepted or given up.
    """

    kind: Kind
    name: str
    way: str
    recipient: str
    sender: str
    body: bytes
    dated_at: datetime
    crash: str


@dataclass(frozen=True, slots=True)
class DueNotice:
    """A notice that may be handed over now."""

    id: int
    notice: Notice
    attempts: int
    first_tried_at: datetime | None
    due_at: datetime

    @property
    def delay(self) -> timedelta:
        """How long one that may come twice waits after this try."""
        return min(FIRST_DELAY * (1 << min(self.attempts, 16)), LONGEST_DELAY)


class Phase(StrEnum):
    """Where in the dialogue a server answered, or did not (RFC 5321 section 4.1)."""

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

    `sender` is the return path (VERP). Both addresses are ASCII. `message` is 7-bit, its lines end in
    CRLF, and dots are not stuffed yet. `wire_ready` says that this was checked once for the segment,
    and that no line begins with a dot and the last one ends: it is not checked for each recipient.
    """

    delivery_id: int
    sender: str
    recipient: str
    message: bytes
    wire_ready: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one delivery ended in this run.

    `code` and `enhanced` (RFC 3463) are the server's, None without an answer; `text` is its last
    answer without them, or the error; `server` is "host:port", "" if there was none.
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
    """A complete run: the number of deliveries by outcome, and why it ended early, if it did.

    `exhausted`: `messages` has ended. `fault` is a text for the operator when the transport gave up for
    a reason other than a recipient: then the outcomes hold OURS, or UNSENT if servers only went
    silent. `connections` is how many were opened.
    """

    counts: Mapping[OutcomeKind, int] = field(default_factory=dict)
    exhausted: bool = False
    stopped: bool = False
    fault: str | None = None
    connections: int = 0


class Transport(Protocol):
    """A way to send messages."""

    def fate(self, message: Outgoing) -> OutcomeKind:
        """What became of a message that was handed by a sender that died before its answer: SENT,
        UNSENT if it certainly was not delivered, else UNCERTAIN. Its bytes are not needed."""
        ...

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
