"""Delivery status: the fields of RFC 3464, the codes of RFC 3463, and the words around them."""

import re
from collections.abc import Sequence

from digest.mail.parts import Fields, address
from digest.mail.returned import Failure, ReturnKind

_ENHANCED = re.compile(r"(?<![\d.])([45])\.(\d{1,3})\.(\d{1,3})(?!\.?\d)")
_REPLY = re.compile(r"(?<![\w.-])([45]\d\d)(?=[ \t-])")

# RFC 3463 and its registry: codes whose class 5 does not mean that the address is dead.
_SOFT = frozenset({"5.2.2", "5.3.1", "5.4.5", "5.4.6", "5.4.7", "5.4.14"})
_OUR_MAIL = frozenset({"5.1.7", "5.1.8", "5.2.3", "5.3.4"})
# RFC 7293: another person or firm has the address now; the registry's 5.7.13: account disabled.
_GONE = frozenset({"5.7.13", "5.7.17", "5.7.18"})

_FULL = re.compile(
    r"quota|mail ?box (is |was )?(too )?full|full mail ?box|mail ?box size|storage (space|limit)"
    r"|insufficient (system )?(storage|disk)|disk full|переполнен|postfach (ist )?voll",
    re.IGNORECASE,
)
_NOBODY = re.compile(
    r"(user|recipient|mail ?box|account|address|addressee)s?( name)?( is| was|:)?( currently)?"
    r" (unknown|invalid|inactive|disabled|suspended|not (found|known|listed|valid)|unavailable)"
    r"|(unknown|invalid|illegal|inactive|no such|bad) (local |virtual )?"
    r"(user|recipient|mail ?box|account|address|person|alias|domain)"
    r"|does(n.t| not) (exist|have an?)|not? (longer|a) (valid|active|exist|accepted)|not our customer"
    r"|(host|domain)( name)? (unknown|not found)|unrout(e)?able|null mx"
    r"|нет такого|не существует|не найден|unbekannt",
    re.IGNORECASE,
)
_UNREACHED = re.compile(
    r"too many hops|\bloop(s|ing|ed)?\b|timed? ?out|time-?out|retry time|connection refused"
    r"|temporar(y|ily)",
    re.IGNORECASE,
)
_UNWANTED = re.compile(
    r"not accepting (e-?)?(mail|messages?) from|spam|polic(y|ies)|blocked|block ?list|black ?list|reputation|blacklisted|\brbl\b|\bdnsbl\b"
    r"|\bspf\b|\bdkim\b|\bdmarc\b|content (rejected|filter)|virus|relay(ing)? (access )?denied"
    r"|not (permitted|allowed|authori[sz]ed)|message (size|too large|rejected)|unsolicited|junk",
    re.IGNORECASE,
)


def failure(fields: Fields) -> Failure | None:
    """What one group of a report's fields says (RFC 3464 §2.3); None for a group about no address."""
    original = _recipient(fields.get("original-recipient", ""))
    final = _recipient(fields.get("final-recipient", fields.get("x-actual-recipient", "")))
    action = fields.get("action", "").lower()
    if not (original or final or action):
        return None
    diagnostic = _typed(fields.get("diagnostic-code", ""))[:1000]
    status = best_status(fields.get("status", ""), diagnostic)
    return Failure(
        kind=kind_of(action, status, diagnostic),
        original=original,
        final=final,
        status=status,
        diagnostic=diagnostic,
        remote_mta=_typed(fields.get("remote-mta", "")) or None,
    )


def kind_of(action: str, status: str | None, diagnostic: str) -> ReturnKind:
    """What an action, a status and a diagnosis mean together.

    Only `failed` is a failure (RFC 3464 §2.3.3), or what systems that break the standard write for
    it. Its class 4 means that time was up.
    """
    if action.startswith("delayed"):
        return ReturnKind.DELAYED
    if action.startswith(("delivered", "relayed", "expanded")):
        return ReturnKind.DELIVERED
    if action.startswith(("fail", "error")):
        return failed(status, diagnostic)
    if status is None:
        return ReturnKind.UNKNOWN
    # Without an action only a class 5 says that nothing more will come.
    return ReturnKind.DELAYED if status[0] == "4" else failed(status, diagnostic)


def failed(status: str | None, diagnostic: str) -> ReturnKind:
    """What a final failure means for the address: HARD, SOFT or POLICY.

    A full mailbox is SOFT whatever its code. A code without detail (5.0.0) is read by the words
    and by the reply code beside it, in which 554 refuses the mail and not the address.
    """
    if status in _SOFT or _FULL.search(diagnostic):
        return ReturnKind.SOFT
    if status is not None and not _vague(status):
        if status[0] == "4":
            return ReturnKind.SOFT
        if status in _OUR_MAIL or (status[:4] in {"5.7.", "5.6."} and status not in _GONE):
            return ReturnKind.POLICY
        return ReturnKind.HARD
    if _NOBODY.search(diagnostic):
        return ReturnKind.HARD
    if _UNREACHED.search(diagnostic):
        return ReturnKind.SOFT
    if _UNWANTED.search(diagnostic):
        return ReturnKind.POLICY
    reply = _REPLY.search(diagnostic)
    if reply and reply[1] == "554":
        return ReturnKind.POLICY
    soft = status[0] == "4" if status else bool(reply and reply[1][0] == "4")
    return ReturnKind.SOFT if soft else ReturnKind.HARD


def best_status(status: str, diagnostic: str) -> str | None:
    """The code that says most: that of the report, unless only the server's answer has a detail.

    Exim and others write 5.0.0 for everything and quote the server's own code beside it.
    """
    own, quoted = status_in(status), status_in(diagnostic)
    if own is None or (quoted is not None and _vague(own) and not _vague(quoted)):
        return quoted or own
    return own


def status_in(text: str) -> str | None:
    """The first enhanced code of a failure in a text, leading zeros taken off; no IP address."""
    found = _ENHANCED.search(text)
    return ".".join(str(int(number)) for number in found.groups()) if found else None


def overall(failures: Sequence[Failure]) -> tuple[Failure, ReturnKind]:
    """The worst of a report's failures, one or more, and what the report means as a whole.

    We write to one address at a time, so several are what it became on its way. Where any of them
    still got the mail, ours is alive, and HARD counts as SOFT.
    """
    order = list(ReturnKind)
    worst = min(failures, key=lambda one: order.index(one.kind))
    alive = any(one.kind in {ReturnKind.DELIVERED, ReturnKind.DELAYED} for one in failures)
    return worst, ReturnKind.SOFT if alive and worst.kind is ReturnKind.HARD else worst.kind


def _vague(status: str) -> bool:
    return status.endswith(".0.0")


def _typed(value: str) -> str:
    """A field's value without its type: `smtp; 550 no` gives `550 no` (RFC 3464 §2.1.2)."""
    kind, semicolon, rest = value.partition(";")
    return rest.strip() if semicolon and kind.strip().replace("-", "").isalnum() else value.strip()


def _recipient(value: str) -> str | None:
    return address(_typed(value))
