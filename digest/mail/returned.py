"""What comes back for mail that we sent, as types."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from digest.mail.verp import DeliveryKey, find_tokens, read_token


class ReturnKind(StrEnum):
    """What a returned mail means for the recipient."""

    HARD = "hard"  # the address is dead
    SOFT = "soft"  # it could not be reached this time: full, or no answer until time was up
    POLICY = "policy"  # the mail was refused, not the address: spam filter, size, our sender
    DELAYED = "delayed"  # still being tried; no bounce
    DELIVERED = "delivered"  # it arrived, or was passed on; no bounce
    COMPLAINT = "complaint"  # the recipient called it abuse
    LEAVE = "leave"  # a mail to the address for leaving
    VACATION = "vacation"  # an automatic answer; no bounce
    UNKNOWN = "unknown"  # nothing that we can read: for a person


class FoundBy(StrEnum):
    """How the recipient is known, strongest first; the first three cannot be guessed."""

    VERP = "verp"  # the token in the address that the report was sent to
    ENVELOPE = "envelope"  # the token in what the report says of our envelope
    MESSAGE_ID = "message-id"  # the token in the enclosed message
    RECIPIENT = "recipient"  # the address in a report's own field (RFC 3464, RFC 5965)
    TEXT = "text"  # an address that flufl.bounce read from the text
    SENDER = "sender"  # From of a mail to the plain address for leaving


@dataclass(frozen=True, slots=True)
class ReturnAddresses:
    """Where our returned mail arrives: plain addresses, without tokens, and the keys of tokens.

    `keys` stand newest first. Every address in the domain of `bounces` may carry a token.
    """

    bounces: str
    leave: str
    keys: Sequence[bytes]

    def named_in(self, text: str) -> tuple[str, DeliveryKey] | None:
        """The last token of ours in `text` and what it names.

        The last, because an abuse report's own fields come before those of the mail it is about.
        """
        seen: set[str] = set()
        for token in reversed(list(find_tokens(text))):
            if token not in seen and (named := read_token(self.keys, token)):
                return token, named
            seen.add(token)
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What a report says of one address. `status` is an enhanced code such as 5.1.1 (RFC 3463).

    `original` is the address that we wrote to, where the report tells it; `final` the one that it
    became on its way.
    """

    kind: ReturnKind
    original: str | None = None
    final: str | None = None
    status: str | None = None
    diagnostic: str = ""
    remote_mta: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnedMail:
    """One mail that came back, read.

    `delivery` is what a token of ours names, checked with our keys. `addresses` are those of which
    the report says what `kind` says, first the ones that we wrote to; without a token anybody can
    have written them. `message_id` is that of the message it is about, with its angle brackets. The other
    fields are those of the failure that decided `kind`. `sender` is the address in From.
    """

    kind: ReturnKind
    found_by: FoundBy | None = None
    token: str | None = None
    delivery: DeliveryKey | None = None
    addresses: tuple[str, ...] = ()
    message_id: str | None = None
    status: str | None = None
    diagnostic: str = ""
    remote_mta: str | None = None
    failures: tuple[Failure, ...] = ()
    sender: str | None = None
    subject: str = ""
