"""When the verbs are woken: at whole multiples of their interval, and when a digest's hour comes."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from heapq import heappop, heappush

from digest.config.settings import Settings
from digest.editorial.window import EPOCH, boundary_after, parse_rule

LEASE = "service"
"""The name under which the one service on a database holds it."""
TIDY_EVERY_MINUTES = 60.0
"""So often it looks what is to be let go, and whether the day has its backup."""


class Verb(StrEnum):
    """What a tick wakes."""

    READ = "read"
    COMPOSE = "compose"
    SEND = "send"
    BOUNCES = "bounces"
    TIDY = "tidy"
    WATCH = "watch"
    DESK = "desk"


NextTime = Callable[[datetime], datetime]
"""The first moment after the given one, in UTC."""


@dataclass(frozen=True, slots=True)
class Wakeup:
    """`cause` says in words why the verb is woken then."""

    at: datetime
    verb: Verb
    cause: str


@dataclass(frozen=True, slots=True)
class Rhythm:
    """One reason to wake a verb, and when it comes."""

    verb: Verb
    cause: str
    after: NextTime


def rhythms(settings: Settings) -> list[Rhythm]:
    """Every reason to wake a verb; none to compose, send or take in bounces where that is off."""
    service = settings.service
    found = [_interval(Verb.READ, service.ingest_every_minutes)]
    if service.send:
        found.append(_interval(Verb.COMPOSE, service.send_every_minutes))
        found += [_at_hour(settings, i) for i in range(len(settings.digests))]
        found.append(_interval(Verb.SEND, service.send_every_minutes))
        if settings.desk.mail_to:
            found.append(_interval(Verb.DESK, service.send_every_minutes))
            found.append(_at_desk_hour(settings))
    if service.bounces is not None:
        found.append(_interval(Verb.BOUNCES, service.bounces_every_minutes))
    found.append(_interval(Verb.TIDY, TIDY_EVERY_MINUTES))
    found.append(_interval(Verb.WATCH, settings.alarms.every_minutes))
    return found


def wakeups(settings: Settings, now: datetime, count: int) -> list[Wakeup]:
    """The next `count` wake-ups after `now`, and the next one of each rhythm that is not among them;
    in order.
    """
    queue: list[tuple[datetime, int]] = []
    every = rhythms(settings)
    for i, rhythm in enumerate(every):
        heappush(queue, (rhythm.after(now), i))
    found: list[tuple[datetime, int]] = []
    while len(found) < count:
        at, i = heappop(queue)
        found.append((at, i))
        heappush(queue, (every[i].after(at), i))
    shown = {i for _, i in found}
    found += sorted(entry for entry in queue if entry[1] not in shown)
    return [Wakeup(at, every[i].verb, every[i].cause) for at, i in found]


def due_within(settings: Settings, verb: Verb) -> timedelta:
    """The longest that a verb may go without waking: the shortest of its intervals."""
    service = settings.service
    minutes = {
        Verb.READ: service.ingest_every_minutes,
        Verb.BOUNCES: service.bounces_every_minutes,
        Verb.TIDY: TIDY_EVERY_MINUTES,
        Verb.WATCH: settings.alarms.every_minutes,
    }
    return timedelta(minutes=minutes.get(verb, service.send_every_minutes))


def _interval(verb: Verb, minutes: float) -> Rhythm:
    """At whole multiples, so that every process knows the same ticks, whenever it was started."""
    length = timedelta(minutes=minutes)

    def after(moment: datetime) -> datetime:
        # A step from a boundary may round to itself; the next one is then the one after it.
        number = math.floor((moment - EPOCH) / length) + 1
        found = EPOCH + number * length
        return found if found > moment else found + length

    return Rhythm(verb, f"every {minutes:g} min", after)


def _at_hour(settings: Settings, index: int) -> Rhythm:
    digest = settings.digests[index]
    zone = settings.digest_zone(digest)
    return _by_rule(Verb.COMPOSE, f"schedule of {digest.name}", digest.schedule, zone)


def _at_desk_hour(settings: Settings) -> Rhythm:
    return _by_rule(Verb.DESK, "schedule of the desk", settings.desk.schedule, settings.desk_zone)


def _by_rule(verb: Verb, cause: str, text: str, zone: str) -> Rhythm:
    rule = parse_rule(text)
    return Rhythm(verb, cause, lambda moment: boundary_after(rule, zone, moment).astimezone(UTC))
