"""Windows: which stretch of time an edition covers, and when it is due.

The windows of a digest are half open and tile the time line: each starts where the last one ended,
so an article belongs to the one edition whose window contains its `first_seen_at`. A window may be
closed with an end up to one second ahead of the clock, clocks jump, and an ingest that read its
`now` long ago may write after an edition was closed. No article is lost as long as every program
that stores one does this, within one write transaction (there is one writer at a time):

- an article's `first_seen_at` is `seen_at(now, last_end=...)` with the latest `ends_at` of all
  editions, so that no article ever appears inside a closed window;
- an edition is composed from all articles of its window in the transaction that writes its row.
"""

from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from digest.config.values import Rule
from digest.model import Window

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)


def boundary_after(rule: Rule, zone: str, moment: datetime) -> datetime:
    """The first boundary after `moment`, in UTC.

    A wall-clock time of the rule that the zone's clock skips counts as the first instant after the
    gap; one that it shows twice counts once, the first time.
    """
    return _instant(_next_wall(rule, ZoneInfo(zone), moment), ZoneInfo(zone))


def gap_after(rule: Rule, zone: str, moment: datetime, count: int = 4) -> timedelta:
    """The mean time between the next boundaries after `moment`."""
    moments = [boundary_after(rule, zone, moment)]
    for _ in range(count):
        moments.append(boundary_after(rule, zone, moments[-1]))
    return (moments[-1] - moments[0]) / count


def boundary_before_or_at(rule: Rule, zone: str, moment: datetime) -> datetime:
    """The last boundary not after `moment`, in UTC; 1970-01-01 where the rule has none since then."""
    wall = rule.before(_next_wall(rule, ZoneInfo(zone), moment))
    return EPOCH if wall is None else _instant(wall, ZoneInfo(zone))


def window_to_close(
    rule: Rule,
    zone: str,
    *,
    starts_at: datetime | None,
    first_seen: datetime | None,
    now: datetime,
    by_hand: bool = False,
) -> Window | None:
    """The window that the rule has closed by `now`, or that a person closes; None if there is none.

    It ends at the newest boundary not after `now`: after an outage, one window for all the time
    missed. `by_hand` it ends at the next whole second, so that it holds what came in up to and at
    `now`, and what comes later in the same second is moved behind it by `seen_at`.

    It starts at `starts_at`, where the digest's last edition ended or its `since`; without one at the
    boundary not after `first_seen`, when the earliest article came in. There is none before the first
    article, and while the clock is before the last edition's end.
    """
    if by_hand:
        ends_at = now.astimezone(UTC).replace(microsecond=0) + _SECOND
    else:
        ends_at = boundary_before_or_at(rule, zone, now)
    if starts_at is None and first_seen is not None:
        starts_at = boundary_before_or_at(rule, zone, first_seen)
    if starts_at is None or ends_at <= starts_at:
        return None
    return Window(starts_at.astimezone(UTC), ends_at)


def last_weeks(now: datetime, zone: str, count: int) -> list[Window]:
    """The last seven days, up to and at `now`, after the weeks before them, each of whole days."""
    midnight = datetime.combine(now.astimezone(ZoneInfo(zone)).date(), time())
    starts = [
        _instant(midnight - timedelta(days=6, weeks=n), ZoneInfo(zone))
        for n in reversed(range(count))
    ]
    return [Window(*ends) for ends in pairwise([*starts, now + timedelta.resolution])]


def is_late(window: Window, now: datetime, max_lateness_hours: float) -> bool:
    """Whether the edition of this window must wait for a person; exactly at the limit it goes."""
    return now - window.ends_at > timedelta(hours=max_lateness_hours)


def _next_wall(rule: Rule, zone: ZoneInfo, moment: datetime) -> datetime:
    """The first wall-clock time of the rule whose instant is after `moment`.

    Later wall-clock times never have earlier instants, so none before `moment`'s own can qualify;
    in an hour that the clock shows for the second time, those of the first showing are passed over.
    """
    wall = rule.after(moment.astimezone(zone).replace(tzinfo=None, fold=0))
    while _instant(wall, zone) <= moment:
        wall = rule.after(wall)
    return wall


def _instant(wall: datetime, zone: ZoneInfo) -> datetime:
    """When the zone's clock shows `wall` first; where it skips `wall`, the end of the gap."""
    shown = wall.replace(tzinfo=zone).astimezone(UTC)
    if shown.astimezone(zone).replace(tzinfo=None) == wall:
        return shown
    # PEP 495: in a gap, fold=1 gives an instant before the change and fold=0 one after it.
    before = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    after, offset = shown, shown.astimezone(zone).utcoffset()
    while after - before > _SECOND:
        middle = (before + (after - before) / 2).replace(microsecond=0)
        if middle.astimezone(zone).utcoffset() == offset:
            after = middle
        else:
            before = middle
    return after
