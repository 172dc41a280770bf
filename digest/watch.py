"""The verb `watch`: keeps what an operator must act on, and tells it once, and once when it is over.

    look: troubles now | held against those that are open | seen, gone, raised, closed    one write
    tell: each message | its next try is on disk | handed over | told, or tried again then

An alarm is better told twice than never: a message without an answer is tried again, under the same
Message-ID. A digest is the other way round (`digest.deliver`).
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from digest.config.settings import Settings
from digest.errors import DigestError, NotReadyError
from digest.ledger import answer_text, without_addresses
from digest.mail.alarm import alarm_mail, alarm_payload
from digest.mail.notice import notice_message, notice_sender
from digest.mail.outgoing import Outcome, OutcomeKind, Outgoing, Transport
from digest.mail.webhook import Posted, post_json
from digest.model import Trouble
from digest.store import alarms as kept
from digest.store.alarms import WEBHOOK, Alarm, DueMessage, Occasion
from digest.store.database import Database, text_from_moment
from digest.troubles import Memory, find_troubles, verb_key

if TYPE_CHECKING:
    from digest.mail.dkim import Signer

MEMORY = verb_key("")
"""Only the running service knows of troubles whose keys begin so."""


@dataclass(frozen=True, slots=True)
class Ways:
    """How messages leave. Both are made only where there is mail to send, and may raise DigestError."""

    transport: Callable[[], Transport]
    signer: Callable[[], "Signer | None"]
    post: Callable[[str, Mapping[str, Any]], Posted] = post_json


@dataclass(slots=True)
class WatchReport:
    """Keys of troubles that were raised, and that are over; how many messages were taken and not."""

    raised: list[str] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)
    told: int = 0
    put_off: int = 0


def places(settings: Settings) -> tuple[str, ...]:
    """Who is told: addresses, and WEBHOOK where one is named."""
    alarms = settings.alarms
    return (*((WEBHOOK,) if alarms.has_webhook else ()), *dict.fromkeys(alarms.mail_to))


def is_raised(settings: Settings, trouble: Trouble, now: datetime) -> bool:
    """Whether it has lasted long enough to be told."""
    return now - trouble.since >= timedelta(minutes=settings.alarms.after_minutes)


def watch(
    db: Database,
    settings: Settings,
    ways: Ways,
    now: Callable[[], datetime],
    memory: Memory,
    *,
    stop: Callable[[], bool] = lambda: False,
) -> tuple[tuple[Trouble, ...], WatchReport]:
    """Look, keep what is seen, and tell what is due."""
    moment = now()
    troubles = find_troubles(db, settings, moment, failing=memory.failing)
    report = look(db, settings, troubles, moment, sound=memory.sound)
    tell(db, settings, ways, now, report, stop=stop)
    return troubles, report


def look(
    db: Database,
    settings: Settings,
    troubles: Sequence[Trouble],
    now: datetime,
    *,
    sound: Collection[str] = (),
) -> WatchReport:
    """Keep what is seen now, and queue what is to be told of it. A second look changes nothing.

    A trouble that has gone counts as over only once it has stayed away for `quiet_minutes`; one that
    is back before is the same. `sound` are the keys of MEMORY that are known to be well.
    """
    report = WatchReport()
    if not troubles and not kept.open_alarms(db) and not kept.has_due(db, now):
        return report
    whom = places(settings)
    with db.write():
        known = kept.open_alarms(db)
        for trouble in troubles:
            kept.see(db, trouble, known.get(trouble.key), now)
        seen = {trouble.key for trouble in troubles}
        for key, alarm in kept.open_alarms(db).items():
            if key in seen:
                if is_raised(settings, alarm.trouble, now):
                    report.raised += [key] if alarm.raised_at is None else []
                    kept.raise_alarm(db, alarm, whom, now)
            elif not key.startswith(MEMORY) or key in sound:
                report.closed += _gone(db, settings, alarm, whom, now)
        kept.drop_stale(db, whom, now)
    return report


def _gone(
    db: Database, settings: Settings, alarm: Alarm, whom: Sequence[str], now: datetime
) -> list[str]:
    quiet = timedelta(minutes=settings.alarms.quiet_minutes)
    kept.miss(db, alarm, now)
    if min(alarm.gone_at or now, now) > now - quiet:
        return []
    kept.close_alarm(db, alarm, whom, now)
    return [] if alarm.raised_at is None else [alarm.trouble.key]


def tell(
    db: Database,
    settings: Settings,
    ways: Ways,
    now: Callable[[], datetime],
    report: WatchReport,
    *,
    stop: Callable[[], bool] = lambda: False,
) -> None:
    """Hand over every message that is due: first to the webhook, which no mail server holds up."""
    due = kept.due_messages(db, now())
    for message in due:
        if message.place == WEBHOOK and not stop() and kept.claim(db, message, now()):
            trouble, over_at = message.alarm.trouble, _over_at(message)
            posted = post_alarm(settings, ways, trouble, over_at, _name(message))
            _keep(db, message.id, report, posted.taken, posted.said, now())
    mails = [message for message in due if message.place != WEBHOOK]
    if not mails or stop():
        return
    try:
        transport, signer = ways.transport(), ways.signer()
    except DigestError as e:
        for message in mails:
            if kept.claim(db, message, now()):
                _keep(db, message.id, report, False, str(e), now())
        return

    def settled(outcomes: Sequence[Outcome]) -> None:
        for outcome in outcomes:
            told = outcome.kind is OutcomeKind.SENT
            said = without_addresses(answer_text(outcome)) or outcome.kind.value
            _keep(db, outcome.delivery_id, report, told, said, now())

    outgoing = _outgoing(db, settings, mails, signer, now)
    transport.deliver(outgoing, handed=lambda _: None, settled=settled, stop=stop)


def _outgoing(
    db: Database,
    settings: Settings,
    mails: Sequence[DueMessage],
    signer: "Signer | None",
    now: Callable[[], datetime],
) -> Iterator[Outgoing]:
    for message in mails:
        if kept.claim(db, message, now()):
            alarm, over_at = message.alarm, _over_at(message)
            yield alarm_outgoing(
                settings,
                alarm.trouble,
                over_at,
                name=_name(message),
                number=message.id,
                address=message.place,
                date=alarm.closed_at or alarm.raised_at or alarm.trouble.since,
                signer=signer,
            )


def alarm_outgoing(
    settings: Settings,
    trouble: Trouble,
    over_at: datetime | None,
    *,
    name: str,
    number: int,
    address: str,
    date: datetime,
    signer: "Signer | None",
) -> Outgoing:
    """The mail of one alarm to one address, as it is sent; `number` is what its outcome is told under."""
    mail = alarm_mail(settings, trouble, over_at)
    zone = settings.site.time_zone
    message = notice_message(
        settings, mail, name=name, address=address, date=date, zone=zone, signer=signer
    )
    return Outgoing(number, notice_sender(settings, name), address, message)


def post_alarm(
    settings: Settings, ways: Ways, trouble: Trouble, over_at: datetime | None, name: str
) -> Posted:
    """Post one alarm; a webhook that cannot be read has not taken it."""
    try:
        url = settings.alarms.webhook()
    except NotReadyError as e:
        return Posted(False, str(e))
    if url is None:
        return Posted(False, "the variable or file that alarms names for the webhook is not there")
    return ways.post(url, alarm_payload(settings, trouble, over_at, name))


def _over_at(message: DueMessage) -> datetime | None:
    """Since when it is gone, in the message that says so."""
    return message.alarm.gone_at if message.occasion is Occasion.OVER else None


def _name(message: DueMessage) -> str:
    """For ever the same, and another one in another database."""
    began = text_from_moment(message.alarm.trouble.since)
    stamp = "".join(sign for sign in began[:19] if sign.isdigit())
    return f"alarm.{stamp}.{message.alarm.id}.{message.occasion}"


def _keep(
    db: Database, number: int, report: WatchReport, told: bool, said: str, now: datetime
) -> None:
    report.told += told
    report.put_off += not told
    kept.keep_answer(db, number, told=told, answer=said, now=now)
