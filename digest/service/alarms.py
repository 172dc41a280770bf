"""Alarms: a trouble that lasts is notified once to each place, and once more when it is over."""

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from digest.config.settings import Settings
from digest.errors import DigestError
from digest.mail.letters import wrap
from digest.mail.notices import Ways, notice_mail, outgoing, post_notice, send_due
from digest.mail.outgoing import ALARMS, RATHER_TWICE, WEBHOOK, Kind, Notice, Outcome, OutcomeKind
from digest.mail.store import give_up, notices_named, queue, unsent
from digest.model import RenderedMail, Trouble
from digest.newsroom import Newsroom
from digest.service import store
from digest.service.troubles import VERB_KEY, Memory, find_troubles
from digest.store.database import Database, Row, moment_from_text

LAST_TRY = timedelta(days=7)
"""How long to keep trying to say that a trouble is over."""


@dataclass(slots=True)
class AlarmReport:
    """Keys of the troubles raised and closed; how many notices were sent, and how many deferred."""

    raised: list[str] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)
    sent: int = 0
    put_off: int = 0


def places(settings: Settings) -> tuple[str, ...]:
    """Where alarms go: addresses, and WEBHOOK if one is configured."""
    alarms = settings.alarms
    return (*((WEBHOOK,) if alarms.has_webhook else ()), *dict.fromkeys(alarms.mail_to))


def is_raised(settings: Settings, trouble: Trouble, now: datetime) -> bool:
    """Whether it has lasted long enough for an alarm."""
    return now - trouble.since >= timedelta(minutes=settings.alarms.after_minutes)


def check_alarms(
    newsroom: Newsroom, memory: Memory, *, stop: Callable[[], bool] = lambda: False
) -> tuple[tuple[Trouble, ...], AlarmReport]:
    """Find the troubles, record them, and send the notices that are due."""
    now = newsroom.now()
    troubles = find_troubles(newsroom, now, failing=memory.failing)
    report = update_alarms(newsroom, troubles, now, sound=memory.sound)
    send_alarms(newsroom, report, stop=stop)
    return troubles, report


def update_alarms(
    newsroom: Newsroom, troubles: Sequence[Trouble], now: datetime, *, sound: Collection[str] = ()
) -> AlarmReport:
    """Record these troubles, and queue their notices. A second call changes nothing.

    A trouble is over only after `quiet_minutes` without it; if it comes back earlier, it is the same
    one. Troubles under VERB_KEY end only if their keys are in `sound`.
    """
    db, settings = newsroom.db, newsroom.settings
    report = AlarmReport()
    if not troubles and not store.open_alarms(db) and not unsent(db, ALARMS):
        return report
    quiet = timedelta(minutes=settings.alarms.quiet_minutes)
    named = places(settings)
    with db.write():
        known = store.open_alarms(db)
        for trouble in troubles:
            store.record_trouble(db, trouble, known.get(trouble.key), now)
        seen = {trouble.key for trouble in troubles}
        for key, alarm in store.open_alarms(db).items():
            trouble = alarm.trouble
            begun = _name(alarm.id, trouble.since, Kind.BEGUN)
            if key in seen:
                if is_raised(settings, trouble, now):
                    if alarm.raised_at is None:
                        store.mark_alarm(db, alarm, "raised_at", now)
                        report.raised.append(key)
                    at = alarm.raised_at or now
                    queue(db, alarm_notices(settings, trouble, None, begun, at, named), now)
            elif not key.startswith(VERB_KEY) or key in sound:
                gone_at = min(alarm.gone_at or now, now)
                store.mark_alarm(db, alarm, "gone_at", gone_at)
                if gone_at <= now - quiet:
                    store.mark_alarm(db, alarm, "closed_at", now)
                    # Only the places that were to get the alarm hear that it is over.
                    alarmed = {row["recipient"] for row in notices_named(db, [begun])}
                    give_up(db, [Kind.BEGUN], "it is over", now, name=begun)
                    if to := [place for place in named if place in alarmed]:
                        over = _name(alarm.id, trouble.since, Kind.OVER)
                        queue(db, alarm_notices(settings, trouble, gone_at, over, now, to), now)
                    report.closed += [] if alarm.raised_at is None else [key]
        give_up(db, ALARMS, "no longer named in [alarms]", now, but_for=named)
        give_up(db, [Kind.OVER], "tries used up", now, tried_before=now - LAST_TRY)
    return report


def send_alarms(
    newsroom: Newsroom, report: AlarmReport, *, stop: Callable[[], bool] = lambda: False
) -> None:
    """Send every notice that is due, except those of a trouble that is not seen at present."""
    gone = [
        _name(alarm.id, alarm.trouble.since, Kind.BEGUN)
        for alarm in store.open_alarms(newsroom.db).values()
        if alarm.gone_at is not None
    ]
    mark = newsroom.random_bytes()[:8].hex()
    outcomes = send_due(
        newsroom.db, newsroom.ways, ALARMS, newsroom.now, mark, but_for=gone, stop=stop
    )
    report.sent += outcomes[OutcomeKind.SENT]
    report.put_off += outcomes.total() - outcomes[OutcomeKind.SENT]


def list_alarms(db: Database, limit: int) -> list[Row]:
    """Alarms as rows, the open ones first, then the newest, each with its `messages`."""
    alarms = store.newest_alarms(db, limit)
    columns = ("status", "attempts", "due_at", "settled_at", "answer")
    for alarm in alarms:
        began_at = moment_from_text(alarm["began_at"])
        names = [_name(alarm["id"], began_at, kind) for kind in ALARMS]
        alarm["messages"] = [
            {"occasion": row["kind"], "place": row["recipient"]}
            | {column: row[column] for column in columns}
            for row in notices_named(db, names)
        ]
    return alarms


def _name(alarm_id: int | str, began_at: datetime, kind: Kind) -> str:
    """Of a notice: always the same, and different in another database."""
    return f"alarm.{began_at:%Y%m%d%H%M%S}.{alarm_id}.{kind}"


def alarm_notices(
    settings: Settings,
    trouble: Trouble,
    over_at: datetime | None,
    name: str,
    dated_at: datetime,
    to: Collection[str],
) -> list[Notice]:
    """For each of these places: what is wrong, since when, what to do; or, with `over_at`, that it is over.

    Plain text for a mail, and the payload for a webhook: its `id` is the same at each try, its `text`
    is all of it in one line, for chats.
    """
    title, zone = settings.site.title, ZoneInfo(settings.site.time_zone)
    kind = Kind.OVER if over_at else Kind.BEGUN
    subject = f"{title}: {'Over' if over_at else 'Alarm'}: {trouble.key}"

    def local(moment: datetime) -> str:
        return f"{moment.astimezone(zone):%Y-%m-%d %H:%M} ({settings.site.time_zone})"

    since = local(trouble.since)
    if over_at:
        parts = [
            wrap("This is over, and nothing is left to do:"),
            wrap(trouble.said),
            wrap(f"It lasted from {since} to {local(over_at)}."),
        ]
    else:
        parts = [
            wrap(trouble.said),
            wrap(f"Since {since}."),
            wrap(trouble.advice),
            "You hear of it once more, when it is over.\nUntil then: digest alarms list.",
        ]
    parts.append(f"-- \n{title}: {settings.path}")
    payload = {
        "id": name,
        "event": kind.value,
        "newsroom": title,
        "key": trouble.key,
        "said": trouble.said,
        "advice": trouble.advice,
        "since": trouble.since.isoformat(),
        "over": over_at and over_at.isoformat(),
        "text": f"{subject}. {trouble.said}" + ("" if over_at else f" {trouble.advice}"),
    }
    mail = RenderedMail(subject, "", "\n\n".join(parts) + "\n", "")
    body = json.dumps(payload, ensure_ascii=False).encode()
    return [
        Notice(kind, name, WEBHOOK, WEBHOOK, "", body, dated_at, RATHER_TWICE)
        if place == WEBHOOK
        else notice_mail(settings, kind, name, dated_at, mail, place, crash=RATHER_TWICE)
        for place in to
    ]


class DatabaseAlarm:
    """The alarm that the database cannot be used, which no database can keep.

    It follows the same rules as the others, but lives in this process's memory: after a restart, or
    from a second service on the same database, it may be sent again.
    """

    def __init__(self) -> None:
        self._trouble: Trouble | None = None
        self._gone_at: datetime | None = None
        self._sent: set[str] = set()

    @property
    def is_open(self) -> bool:
        return self._trouble is not None

    def check(self, ways: Ways, fault: str | None, now: datetime, stop: Callable[[], bool]) -> int:
        """How many notices were sent. `fault` is why the database cannot be used, None if it can."""
        settings = ways.settings
        named = set(places(settings))
        if fault is not None:
            self._trouble = Trouble(
                "database",
                f"The database cannot be used: {fault}",
                now if self._trouble is None else min(self._trouble.since, now),
                "Nothing is read, composed or sent until it can. Next: digest doctor; "
                "docs/trouble.md, “When the disk fails”.",
            )
            self._gone_at = None
            if not is_raised(settings, self._trouble, now):
                return 0
            sent = self._send(ways, self._trouble, named - self._sent, stop)
            self._sent |= sent
            return len(sent)
        if self._trouble is None:
            return 0
        self._gone_at = min(self._gone_at or now, now)
        away = now - self._gone_at
        if away < timedelta(minutes=settings.alarms.quiet_minutes):
            return 0
        sent = self._send(ways, self._trouble, named & self._sent, stop)
        self._sent -= sent
        if not self._sent & named or away > LAST_TRY:
            self._trouble, self._gone_at, self._sent = None, None, set()
        return len(sent)

    def _send(
        self, ways: Ways, trouble: Trouble, to: Collection[str], stop: Callable[[], bool]
    ) -> set[str]:
        """Those of these places that accepted the notice."""
        settings, over_at = ways.settings, self._gone_at
        name = _name("database", trouble.since, Kind.OVER if over_at else Kind.BEGUN)
        named = [place for place in places(settings) if place in to]
        at = over_at or trouble.since
        mails = alarm_notices(settings, trouble, over_at, name, at, named)
        sent = set()
        if WEBHOOK in named and post_notice(ways, mails.pop(0)).accepted:  # it is named first
            sent.add(WEBHOOK)
        if not mails:
            return sent
        try:
            transport, signer = ways.transport(), ways.signer()
        except DigestError:  # `digest doctor` says what it is, and the webhook has the alarm
            return sent
        outcomes: list[Outcome] = []
        messages = (outgoing(number, notice, signer) for number, notice in enumerate(mails))
        transport.deliver(messages, handed=lambda _: None, settled=outcomes.extend, stop=stop)
        return sent | {
            mails[one.delivery_id].recipient for one in outcomes if one.kind is OutcomeKind.SENT
        }
