"""Notices, which are all that is sent beside editions: alarms, reports and pings, by mail and HTTP."""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from email.utils import format_datetime
from functools import cache, lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from digest.config.settings import Settings
from digest.errors import DigestError, NotReadyError
from digest.mail.ledger import GIVES_UP_AFTER, settlement_of, without_addresses
from digest.mail.mime import (
    Body,
    build_body,
    encode_text,
    feedback_id,
    filled,
    header,
    leave_fields,
    mailbox_header,
    raw_header,
    sender_fields,
)
from digest.mail.outgoing import (
    HUB,
    MAIL,
    NEVER_TWICE,
    WEBHOOK,
    DeliveryStatus,
    DueNotice,
    Kind,
    Notice,
    Outcome,
    OutcomeKind,
    Outgoing,
    Settlement,
    Transport,
)
from digest.mail.store import NOTICES, claim, due_notices, hand, settle, write_surely
from digest.mail.tokens import (
    BOUNCES,
    PLACEHOLDERS,
    Tokens,
    mail_domain,
    return_path,
    token_address,
)
from digest.model import RenderedMail
from digest.store.database import Database
from digest.store.owner import Sender

if TYPE_CHECKING:
    import ssl

    from digest.mail.dkim import Signer


FORMS = {WEBHOOK: "application/json", HUB: "application/x-www-form-urlencoded"}
AGAIN = timedelta(minutes=15)
"""The delay of a report after a try in which the server did not answer about the address."""


@dataclass(frozen=True, slots=True)
class Posted:
    """Whether a webhook or hub accepted a notice, with any 2xx, and its answer or the error."""

    accepted: bool
    answer: str


def post(url: str, body: bytes, way: str = WEBHOOK, *, timeout: float = 10.0) -> Posted:
    """Post a body once, as JSON (RFC 8259) or to a hub as a form; no redirect is followed.

    `timeout`, in seconds, is for each of connection, request and answer. Network errors are in the
    result, never raised.
    """
    import httpx2

    headers = {"Content-Type": FORMS[way]}
    if not is_usable(url):
        return Posted(False, "the webhook is no absolute http or https address")
    try:
        with (
            httpx2.Client(timeout=timeout, follow_redirects=False, verify=_tls()) as client,
            client.stream("POST", url, content=body, headers=headers) as answer,
        ):
            status = answer.status_code
            redirect = ", a redirect, which is not followed" if 300 <= status < 400 else ""
            return Posted(answer.is_success, f"answered {status}{redirect}")
    except httpx2.TimeoutException:
        return Posted(False, f"no answer within {timeout:g} seconds")
    except httpx2.ConnectError as e:
        # The operating system's words have no address in them, other than httpx's.
        cause: BaseException | None = e
        while cause is not None and not (isinstance(cause, OSError) and cause.strerror):
            cause = cause.__cause__ or cause.__context__
        reason = cause.strerror if isinstance(cause, OSError) else type(e).__name__
        return Posted(False, f"cannot be reached: {reason}")
    except (httpx2.HTTPError, httpx2.InvalidURL) as e:
        return Posted(False, f"no answer: {type(e).__name__}")


@cache
def _tls() -> "ssl.SSLContext":
    """Made once: reading the authorities' certificates takes longer than posting."""
    import httpx2

    return httpx2.create_ssl_context()


def is_usable(url: str) -> bool:
    """Whether it is an absolute http or https address."""
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and url.isprintable()
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class Ways:
    """How notices are sent. `transport` and `signer` are called only when there is mail to send, and
    may raise DigestError."""

    settings: Settings
    transport: Callable[[], Transport]
    signer: Callable[[], "Signer | None"]
    post: Callable[[str, bytes, str], Posted] = post


def send_due(
    db: Database,
    ways: Ways,
    kinds: Collection[Kind],
    now: Callable[[], datetime],
    mark: str,
    *,
    sender: Sender | None = None,
    but_for: Collection[str] = (),
    stop: Callable[[], bool] = lambda: False,
    limit: int | None = None,
) -> Counter[OutcomeKind]:
    """Send every notice of these kinds that is due, or the first `limit`, except those named; how the tries
    ended.

    `mark` is this run's own. What never may come twice needs the sole `sender`. What is posted comes first,
    so that no mail server delays it; a hub that refuses, or is silent, gets nothing more in this run.
    """
    found = due_notices(db, kinds, now(), limit=limit)
    due = {one.id: one for one in found if one.notice.name not in but_for}
    outcomes: Counter[OutcomeKind] = Counter()

    def claimed(one: DueNotice) -> bool:
        return one.notice.crash == NEVER_TWICE or claim(db, one, mark, now())

    def handed(ids: Sequence[int]) -> None:
        once = [number for number in ids if due[number].notice.crash == NEVER_TWICE]
        if once:
            if sender is None:
                raise RuntimeError("only the sole sender may send what never may come twice")
            with db.write():
                hand(db, sender, once, now(), table=NOTICES)

    def settled(answers: Sequence[Outcome]) -> None:
        outcomes.update(one.kind for one in answers)
        moment = now()
        settlements = [_settlement(one, due[one.delivery_id], moment) for one in answers]
        write_surely(db, lambda: settle(db, mark, settlements, moment, table=NOTICES))

    refused = False
    for one in due.values():
        way = one.notice.way
        if way in FORMS and not (way == HUB and refused) and not stop() and claimed(one):
            handed([one.id])
            posted = post_notice(ways, one.notice)
            kind = OutcomeKind.SENT if posted.accepted else OutcomeKind.PASSING
            settled([Outcome(one.id, kind, text=posted.answer)])
            refused |= way == HUB and not posted.accepted
    mails = [one for one in due.values() if one.notice.way == MAIL]
    if not mails or stop():
        return outcomes
    try:
        transport, signer = ways.transport(), ways.signer()
    except DigestError as e:
        claims = [one.id for one in mails if claimed(one)]
        settled([Outcome(number, OutcomeKind.UNSENT, text=str(e)) for number in claims])
        return outcomes
    messages = (outgoing(one.id, one.notice, signer) for one in mails if claimed(one))
    transport.deliver(messages, handed=handed, settled=settled, stop=stop)
    return outcomes


def _settlement(outcome: Outcome, due: DueNotice, moment: datetime) -> Settlement:
    """What may come twice is sent, or tried again, unless a reader's server refuses it for good; all else
    ends like a delivery."""
    settlement = settlement_of(outcome, due, moment)
    answer = without_addresses(settlement.answer) or ""
    if due.notice.crash == NEVER_TWICE:
        if settlement.status is DeliveryStatus.QUEUED and not settlement.counts_as_try:
            settlement = replace(settlement, due_at=moment + AGAIN)
        return replace(settlement, answer=answer)
    if due.notice.kind is Kind.LINK and settlement.status is DeliveryStatus.FAILED:
        return replace(settlement, answer=answer)
    sent = outcome.kind is OutcomeKind.SENT
    if due.notice.way == HUB and not sent and moment - due.notice.dated_at >= GIVES_UP_AFTER:
        return Settlement(due.id, DeliveryStatus.FAILED, answer=answer, reason="tries used up")
    return Settlement(
        due.id,
        DeliveryStatus.SENT if sent else DeliveryStatus.QUEUED,
        due_at=None if sent else moment + due.delay,
        server=outcome.server,
        answer=answer or outcome.kind.value,
    )


def post_notice(ways: Ways, notice: Notice) -> Posted:
    """Post one notice; a webhook whose settings cannot be read did not accept it."""
    if notice.way == HUB:
        return ways.post(notice.recipient, notice.body, HUB)
    try:
        url = ways.settings.alarms.webhook()
    except NotReadyError as e:
        return Posted(False, str(e))
    if url is None:
        return Posted(False, "the variable or file that [alarms] names for the webhook is missing")
    return ways.post(url, notice.body, WEBHOOK)


def outgoing(number: int, notice: Notice, signer: "Signer | None") -> Outgoing:
    """The mail of a notice for a transport; `number` identifies its outcome."""
    message = notice.body
    if signer is not None:
        message = signer.sign(message, notice.dated_at) + message
    return Outgoing(number, notice.sender, notice.recipient, message)


def notice_mail(
    settings: Settings,
    kind: Kind,
    name: str,
    dated_at: datetime,
    mail: RenderedMail,
    address: str,
    *,
    crash: str = NEVER_TWICE,
    language: str = "en",
    tokens: Tokens | None = None,
) -> Notice:
    """A mail to one address, frozen; the same arguments give the same bytes. A notice without HTML is
    plain text. The envelope sender names the notice; its bounces arrive with those of the editions.

    What a reader subscribed to has their `tokens`: in place of PLACEHOLDERS, in the envelope sender, and
    in the fields by which it is left.

    Raises:
        ValueError: the address is not valid in a header.
    """
    identity = message_id(settings, name, address)
    if mail.html:
        body = _body(mail)
        form = [raw_header("Content-Type", body.content_type)]
        content = filled(body.pieces, (tokens or PLACEHOLDERS).octets())
    else:
        encoded = encode_text(mail.text)
        form = [
            raw_header("Content-Type", "text/plain; charset=utf-8"),
            raw_header("Content-Transfer-Encoding", encoded.transfer),
        ]
        content = filled(encoded.pieces, (b"", b"", b""))
    zone = settings.report_zone if kind is Kind.REPORT else settings.site.time_zone
    fields = [
        sender_fields(settings),
        mailbox_header("To", [(None, address)]),
        header("Subject", mail.subject),
        raw_header("Date", format_datetime(dated_at.astimezone(ZoneInfo(zone)))),
        raw_header("Message-ID", identity),
        raw_header("Auto-Submitted", "auto-generated"),
        raw_header("MIME-Version", "1.0"),
        raw_header("Content-Language", language),
        *form,
    ]
    domain = mail_domain(settings)
    sender = token_address(BOUNCES, domain, name.replace(".", "-"))
    if tokens is not None:
        sender = return_path(settings, tokens.server)
        fields += [raw_header("List-Id", f"<{kind}.{domain}>")]  # RFC 2919
        fields += [
            leave_fields(settings, tokens.reader),
            feedback_id(settings, kind, kind, "notice"),
        ]
    message = b"".join(fields) + b"\r\n" + content
    return Notice(kind, name, MAIL, address, sender, message, dated_at, crash)


@lru_cache(maxsize=4)
def _body(mail: RenderedMail) -> Body:
    """Made once for all who get the same."""
    return build_body(mail, boundary_seed=mail.text)


def message_id(settings: Settings, name: str, address: str) -> str:
    """`<alarm.12.begun.HASH@news.example.org>`: the same at each try, so that a mail program shows a
    repeated one once."""
    hashed = blake2b(address.encode(), digest_size=6).hexdigest()
    return f"<{name}.{hashed}@{mail_domain(settings)}>"
