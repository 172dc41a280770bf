"""The meaning of a mail server's answer for one recipient, and when to try again."""

import re
from datetime import datetime, timedelta

from digest.mail.outgoing import (
    DeliveryStatus,
    Due,
    DueNotice,
    Outcome,
    OutcomeKind,
    Phase,
    Settlement,
)
from digest.mail.refusals import Verdict, judge, names_return_path

MALFORMED = -1
"""The code of an answer that is not an SMTP reply."""

DELAYS = tuple(timedelta(hours=hours) for hours in (0.25, 1, 4, 12, 24))
GIVES_UP_AFTER = timedelta(hours=48)

_ADDRESS = re.compile(r"(?<![^\s<>:;,@])[^\s<>:;,@]++@[^\s<>:;,]+")
"""It starts only where a word starts and never backtracks: strangers may send one very long word."""

_ENHANCED = re.compile(r"\W{0,2}([245]\.\d{1,3}\.\d{1,3})(?![\d.])")
_OUR_PHASES = frozenset({Phase.CONNECT, Phase.EHLO, Phase.TLS, Phase.AUTH, Phase.MAIL})
_LOGIN_WANTED = frozenset({530, 534, 535, 538})  # RFC 4954 section 6
_BAD_SENDER = frozenset({"5.1.7", "5.1.8"})  # RFC 3463: the sender's address, not the recipient's


def enhanced_code(text: str) -> str | None:
    """The RFC 3463 status code that an answer's text begins with, such as "5.1.1"."""
    found = _ENHANCED.match(text)
    return found[1] if found else None


def class_of(code: int, text: str, phase: Phase) -> OutcomeKind:
    """The outcome of an answer that ends a delivery in `phase`.

    `text` may begin with an enhanced status code. SENT only for 2yz after the final dot; nonsense
    there is UNCERTAIN, since the server may have accepted the message.
    """
    if 200 <= code < 300 and phase is Phase.END:
        return OutcomeKind.SENT
    if 400 <= code < 500:
        return OutcomeKind.PASSING
    if 500 <= code < 600:
        return _final(code, text, phase)
    return OutcomeKind.UNCERTAIN if phase is Phase.END else OutcomeKind.PASSING


def _final(code: int, text: str, phase: Phase) -> OutcomeKind:
    enhanced = enhanced_code(text)
    if phase in _OUR_PHASES or code in _LOGIN_WANTED or enhanced in _BAD_SENDER:
        return OutcomeKind.OURS
    judgement = judge(text, status=enhanced, code=code)
    if code == 552 and phase is Phase.RCPT and enhanced is None:
        # RFC 5321 section 4.5.3.1.10: an old "too many recipients", to be read as 452.
        return OutcomeKind.PASSING
    if judgement.full:
        return OutcomeKind.FULL
    if judgement.verdict is Verdict.HARD:
        return OutcomeKind.POLICY if names_return_path(text) else OutcomeKind.DEAD
    return OutcomeKind.POLICY if judgement.verdict is Verdict.POLICY else OutcomeKind.REFUSED


def slows_down(code: int | None, enhanced: str | None) -> bool:
    """Whether an answer asks us to send less: 421, or 4.7.z."""
    return code == 421 or (enhanced is not None and enhanced.startswith("4.7."))


def due_again(attempts: int, *, first_try: datetime, now: datetime) -> datetime | None:
    """When to try again after the `attempts`-th try (from 1); None when tries are used up, or the next
    would be more than 48 h after the first."""
    if attempts > len(DELAYS) or now + DELAYS[attempts - 1] > first_try + GIVES_UP_AFTER:
        return None
    return now + DELAYS[attempts - 1]


def without_addresses(text: str | None) -> str | None:
    """A server's answer as it may be shown: it often repeats an address, and with it a token of ours."""
    return None if text is None else _ADDRESS.sub("(address)", text)


def answer_text(outcome: Outcome) -> str:
    """The server's answer in full: 550 5.1.1 no such user."""
    enhanced = outcome.enhanced or ""
    text = outcome.text.removeprefix(enhanced).lstrip() if enhanced else outcome.text
    code = "" if outcome.code in (None, MALFORMED) else str(outcome.code)
    return " ".join(filter(None, (code, enhanced, text)))


FINAL = {
    OutcomeKind.DEAD: "no such address",
    OutcomeKind.FULL: "mailbox full",  # audience.suppressions counts these
    OutcomeKind.POLICY: "refused by policy",
    OutcomeKind.REFUSED: "refused",
}


def settlement_of(outcome: Outcome, due: Due | DueNotice, moment: datetime) -> Settlement:
    """The state of a row after an outcome, and when it is due again."""
    status, due_at, reason, counts = DeliveryStatus.QUEUED, None, None, True
    if outcome.kind is OutcomeKind.SENT:
        status = DeliveryStatus.SENT
    elif outcome.kind is OutcomeKind.UNCERTAIN:
        status, reason = DeliveryStatus.UNCERTAIN, "no answer after the body was handed over"
    elif outcome.kind in FINAL:
        status, reason = DeliveryStatus.FAILED, FINAL[outcome.kind]
    elif outcome.kind is OutcomeKind.PASSING:
        first = due.first_tried_at or moment
        due_at = due_again(due.attempts + 1, first_try=first, now=moment)
        if due_at is None:
            status, reason = DeliveryStatus.FAILED, "tries used up"
    else:
        due_at, counts = moment, False
    return Settlement(
        outcome.delivery_id,
        status,
        due_at=due_at,
        server=outcome.server,
        answer=answer_text(outcome),
        reason=reason,
        counts_as_try=counts,
    )
