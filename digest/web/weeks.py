"""How many stories came in under each theme, week by week, counted once until an article of a week changes."""

from collections.abc import Mapping
from datetime import datetime
from threading import Lock

from digest.config.settings import Settings
from digest.editions.schedule import last_weeks
from digest.editions.store import stories_by_week
from digest.model import Window
from digest.store.articles import first_seen
from digest.store.database import Database
from digest.web.store import changed_between, newest_change

Counts = dict[str, Mapping[str, int]]
"""For each theme the stories of a week, by their languages, such as "en" or "en ru"."""
MOST_WEEKS = 500
MOST_CHANGES = 5_000
"""After more changes at once all weeks are counted again."""


class Weeks:
    """The counts of weeks that are over, by their windows; those of this week by the state of the database."""

    def __init__(self) -> None:
        self._lock, self._change = Lock(), 0
        self._over: dict[Window, Counts] = {}
        self._this: tuple[object, Counts] = (None, {})

    def counted(
        self, db: Database, settings: Settings, now: datetime, count: int, mark: str = ""
    ) -> tuple[list[Window], dict[str, list[Mapping[str, int]]]]:
        """The last weeks in which the database was filled, this one too, and what came in in each of them.

        `mark` changes whenever what came in this week may; without it that is counted each time.
        """
        since = first_seen(db, now) or now
        *earlier, week = last_weeks(now, settings.site.time_zone, count)
        known = [one for one in earlier if one.starts_at >= since]
        with self._lock:
            if self._is_older(db):  # the snapshot, than what others saw
                found = _count(db, settings, [*known, week])
                return [*known, week], {key: [one[key] for one in found] for key in found[0]}
            new = [one for one in known if one not in self._over]
            if len(self._over) + len(new) > MOST_WEEKS:
                self._over, new = {}, known
            self._over |= dict(zip(new, _count(db, settings, new), strict=True))
            state = (mark, week.starts_at)
            if not mark or self._this[0] != state:
                self._this = state, _count(db, settings, [week])[0]
            found = [*(self._over[one] for one in known), self._this[1]]
        return [*known, week], {key: [one[key] for one in found] for key in settings.theme_names}

    def _is_older(self, db: Database) -> bool:
        """Forget what changed since; whether this is an earlier state than the last one."""
        newest = newest_change(db)
        if newest - self._change > MOST_CHANGES:
            self._over = {}
        if self._over and newest > self._change:
            for moment in changed_between(db, self._change, max(self._over, key=_end).ends_at):
                self._over = {one: of for one, of in self._over.items() if moment not in one}
        self._change, older = max(newest, self._change), newest < self._change
        return older


def _end(window: Window) -> datetime:
    return window.ends_at


def _count(db: Database, settings: Settings, weeks: list[Window]) -> list[Counts]:
    if not weeks:
        return []
    found = stories_by_week(db, weeks, settings.theme_names)
    return [{key: counts[n] for key, counts in found.items()} for n in range(len(weeks))]
