"""The one alarm that no database can keep, because it is the database that fails.

It lives in this process's memory: a service that starts again, or a second one on the same database,
may send it again.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from digest.config.settings import Settings
from digest.editions.mail import wrap
from digest.errors import DigestError
from digest.mail.notices import Ways, outgoing, post_notice, send_due
from digest.mail.outgoing import ALARMS, WEBHOOK, Kind, Notice, Outcome, OutcomeKind
from digest.mail.store import deliveries_of, give_up, has_open, queue
from digest.model import RenderedMail, Trouble
from digest.newsroom import Newsroom
from digest.service import store as kept
from digest.service.store import Alarm
from digest.service.troubles import Memory, find_troubles, store_trouble, verb_key
from digest.store.database import Database, Row, moment_from_text

MEMORY = verb_key("")
"""Only the running service knows of troubles whose keys begin so."""
LAST_TRY = timedelta(days=7)
"""That a trouble is over is tried for so long."""


@dataclass(slots=True)
class WatchReport:
    """Keys of troubles that were raised, and that are over; how many notices were taken and not."""

    raised: list[str] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)
    sent: int = 0
    put_off: int = 0


def places(settings: Settings) -> tuple[str, ...]:
    """Where alarms go: addresses, and WEBHOOK where one is named."""
    alarms = settings.alarms
    return (*((WEBHOOK,) if alarms.has_webhook else ()), *dict.fromkeys(alarms.mail_to))


def is_raised(settings: Settings, trouble: Trouble, now: datetime) -> bool:
    """Whether it has lasted long enough for an alarm."""
    return now - trouble.since >= timedelta(minutes=settings.alarms.after_minutes)


def watch(
    newsroom: Newsroom, memory: Memory, *, stop: Callable[[], bool] = lambda: False
) -> tuple[tuple[Trouble, ...], WatchReport]:
    """Look, keep what is seen, and send what is due."""
    moment = newsroom.now()
    troubles = find_troubles(newsroom, moment, failing=memory.failing)
    report = look(newsroom, troubles, moment, sound=memory.sound)
    send_alarms(newsroom, report, stop=stop)
    return troubles, report


def look(
    newsroom: Newsroom, troubles: Sequence[Trouble], now: datetime, *, sound: Collection[str] = ()
) -> WatchReport:
    """Keep what is seen now, and queue its notices. A second look changes nothing.

    A trouble that has gone counts as over only once it has stayed away for `quiet_minutes`; one that
    is back before is the same. `sound` are the keys of MEMORY that are known to be well.
    """
    db, settings = newsroom.db, newsroom.settings
    report = WatchReport()
    if not troubles and not kept.open_alarms(db) and not has_open(db, ALARMS):
        return report
    quiet = timedelta(minutes=settings.alarms.quiet_minutes)
    named = places(settings)
    with db.write():
        known = kept.open_alarms(db)
        for trouble in troubles:
            kept.see(db, trouble, known.get(trouble.key), now)
        seen = {trouble.key for trouble in troubles}
        for key, alarm in kept.open_alarms(db).items():
            if key in seen:
                if is_raised(settings, alarm.trouble, now):
                    if alarm.raised_at is None:
                        kept.mark_raised(db, alarm, now)
                        report.raised.append(key)
                    notice = _notice(settings, alarm, None, alarm.raised_at or now)
                    queue(db, notice, named, now)
            elif not key.startswith(MEMORY) or key in sound:
                kept.miss(db, alarm, now)
                gone_at = min(alarm.gone_at or now, now)
                if gone_at <= now - quiet:
                    _close(newsroom, alarm, gone_at, now)
                    report.closed += [] if alarm.raised_at is None else [key]
        give_up(db, ALARMS, "no longer named in [alarms]", now, but_for=named)
        give_up(db, [Kind.OVER], "tries used up", now, tried_before=now - LAST_TRY)
    return report


def _close(newsroom: Newsroom, alarm: Alarm, gone_at: datetime, now: datetime) -> None:
    """It is over: places that were to get the alarm hear that it is over, and nothing else."""
    db, settings = newsroom.db, newsroom.settings
    kept.mark_closed(db, alarm, now)
    begun = _name(alarm.id, alarm.trouble.since, Kind.BEGUN)
    alarmed = {row["place"] for row in deliveries_of(db, [begun])}
    give_up(db, [Kind.BEGUN], "it is over", now, name=begun)
    if to := [place for place in places(settings) if place in alarmed]:
        queue(db, _notice(settings, alarm, gone_at, now), to, now)


def send_alarms(
    newsroom: Newsroom, report: WatchReport, *, stop: Callable[[], bool] = lambda: False
) -> None:
    """Hand over every notice that is due, but none of a trouble that has just gone."""
    db, ways, now = newsroom.db, newsroom.ways, newsroom.now
    gone = [
        _name(alarm.id, alarm.trouble.since, Kind.BEGUN)
        for alarm in kept.open_alarms(db).values()
        if alarm.gone_at is not None
    ]
    outcomes = send_due(db, ways, ALARMS, now, but_for=gone, stop=stop)
    report.sent += outcomes[OutcomeKind.SENT]
    report.put_off += outcomes.total() - outcomes[OutcomeKind.SENT]


def list_alarms(db: Database, limit: int) -> list[Row]:
    """Alarms as rows, the open ones first, then the newest, each with its `messages`."""
    found = kept.newest_alarms(db, limit)
    columns = ("place", "status", "attempts", "due_at", "settled_at", "answer")
    for row in found:
        began_at = moment_from_text(row["began_at"])
        names = [_name(row["id"], began_at, kind) for kind in ALARMS]
        row["messages"] = [
            {"occasion": one["kind"], **{column: one[column] for column in columns}}
            for one in deliveries_of(db, names)
        ]
    return found


def _name(number: int, began_at: datetime, kind: Kind) -> str:
    """The same for ever, and another one in another database."""
    return f"alarm.{began_at:%Y%m%d%H%M%S}.{number}.{kind}"


def _notice(
    settings: Settings, alarm: Alarm, over_at: datetime | None, dated_at: datetime
) -> Notice:
    kind = Kind.OVER if over_at else Kind.BEGUN
    name = _name(alarm.id, alarm.trouble.since, kind)
    return alarm_notice(settings, alarm.trouble, over_at, name, dated_at)


def alarm_notice(
    settings: Settings, trouble: Trouble, over_at: datetime | None, name: str, dated_at: datetime
) -> Notice:
    """What is wrong, since when, what to do; or, with `over_at`, that it is over.

    Plain text for a mail. Of what is posted, `id` is the same at each try, and `text` is all of it in a
    line, which chats show.
    """
    title, zone = settings.site.title, ZoneInfo(settings.site.time_zone)
    what = f"{title}: {'Over' if over_at else 'Alarm'}: {trouble.key}"

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
    kind = Kind.OVER if over_at else Kind.BEGUN
    payload = {
        "id": name,
        "event": kind.value,
        "newsroom": title,
        "key": trouble.key,
        "said": trouble.said,
        "advice": trouble.advice,
        "since": trouble.since.isoformat(),
        "over": over_at and over_at.isoformat(),
        "text": f"{what}. {trouble.said}" + ("" if over_at else f" {trouble.advice}"),
    }
    mail = RenderedMail(what, "", "\n\n".join(parts) + "\n", "")
    return Notice(kind, name, dated_at, mail, payload)


class Unrecorded:
    """Sent as other alarms are: once it has lasted, and once it has stayed away; see docs/trouble.md."""

    def __init__(self) -> None:
        self._trouble: Trouble | None = None
        self._gone_at: datetime | None = None
        self._sent: set[str] = set()

    def watch(self, ways: Ways, fault: str | None, now: datetime, stop: Callable[[], bool]) -> int:
        """`fault` is why the database cannot be used, None where it can; how many messages were taken."""
        settings = ways.settings
        if fault is not None:
            since = now if self._trouble is None else min(self._trouble.since, now)
            self._trouble, self._gone_at = store_trouble(fault, since), None
            if not is_raised(settings, self._trouble, now):
                return 0
            taken = self._send(ways, set(places(settings)) - self._sent, stop)
            self._sent |= taken
            return len(taken)
        if self._trouble is None:
            return 0
        self._gone_at = min(self._gone_at or now, now)
        away = now - self._gone_at
        if away < timedelta(minutes=settings.alarms.quiet_minutes):
            return 0
        taken = self._send(ways, self._sent & set(places(settings)), stop)
        self._sent -= taken
        if not self._sent & set(places(settings)) or away > LAST_TRY:
            self._trouble, self._gone_at, self._sent = None, None, set()
        return len(taken)

    def _send(self, ways: Ways, to: Collection[str], stop: Callable[[], bool]) -> set[str]:
        """Those of these places that have taken it."""
        trouble, over_at, settings = self._trouble, self._gone_at, ways.settings
        if trouble is None:
            return set()
        occasion = Kind.OVER if over_at else Kind.BEGUN
        name = f"alarm.{trouble.since:%Y%m%d%H%M%S}.database.{occasion}"
        notice = alarm_notice(settings, trouble, over_at, name, over_at or trouble.since)
        taken: set[str] = set()
        if WEBHOOK in to and post_notice(ways, notice).accepted:
            taken.add(WEBHOOK)
        addresses = [one for one in places(settings) if one in to and one != WEBHOOK]
        if not addresses:
            return taken
        try:
            transport, signer = ways.transport(), ways.signer()
        except DigestError:  # `digest doctor` says what it is, and the webhook has the alarm
            return taken
        outcomes: list[Outcome] = []
        letters = (
            outgoing(settings, notice, address, number, signer)
            for number, address in enumerate(addresses)
        )
        transport.deliver(letters, handed=lambda _: None, settled=outcomes.extend, stop=stop)
        sent = [one.delivery_id for one in outcomes if one.kind is OutcomeKind.SENT]
        return taken | {addresses[number] for number in sent}
