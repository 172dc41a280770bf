"""What a wake-up does: one method a verb, each with a database connection of its own, for a worker thread.

Each returns the facts of its run for the log: counts and names, never an address.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from digest.errors import SenderBusyError, StoreError
from digest.mail.outgoing import OutcomeKind
from digest.newsroom import EPOCH
from digest.service.alarms import DatabaseAlarm, check_alarms
from digest.service.plan import Verb
from digest.service.troubles import Memory
from digest.store.database import sqlite3

if TYPE_CHECKING:
    from digest.editions.deliver import EditionReport
    from digest.newsroom import Newsroom


log = logging.getLogger(__name__)
Facts = dict[str, Any]
Stop = Callable[[], bool]
PUBLISH_ANYWAY = timedelta(hours=1)
"""How often the feeds are compared with the database although nothing has changed, to repair files
that were edited or damaged."""
BOUNDS = (10.0, 30.0, 60.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 10_800.0, 43_200.0, 86_400.0)
"""Of the publishing delays, in seconds: the service reads and publishes every few minutes."""


class Counters:
    """Since the start: answers by digest and outcome; and how long articles took from arrival to the
    feeds: how many took no longer than each of BOUNDS, how many in all, and the sum of seconds.

    Each verb's thread writes its own part; readers see each number complete.
    """

    def __init__(self) -> None:
        self.answers: Counter[tuple[str, str]] = Counter()
        self.delays = [0] * len(BOUNDS)
        self.delayed = 0
        self.delay_seconds = 0.0

    def count_answer(self, digest: str, kind: OutcomeKind) -> None:
        self.answers[digest, kind.value] += 1

    def count_published(self, delays: Iterable[timedelta]) -> None:
        for delay in delays:
            seconds = max(0.0, delay.total_seconds())
            self.delays = [
                count + (seconds <= bound) for count, bound in zip(self.delays, BOUNDS, strict=True)
            ]
            self.delayed += 1
            self.delay_seconds += seconds


class Worker:
    """The verbs over one `newsroom`. Each may run in another thread; none runs twice at a time."""

    def __init__(
        self,
        newsroom: "Newsroom",
        memory: Callable[[], Memory] = Memory,
        database_alarm: DatabaseAlarm | None = None,
        counters: Counters | None = None,
    ) -> None:
        self.newsroom = newsroom
        self.memory = memory
        self.database_alarm = database_alarm or DatabaseAlarm()
        self.counters = counters or Counters()
        self._published = "", EPOCH

    def run(self, verb: Verb, stop: Stop) -> Facts:
        """Run one verb.

        Raises:
            DigestError: it could not do its work; what was done before the error stays.
        """
        work = {
            Verb.READ: self._read,
            Verb.COMPOSE: self._compose,
            Verb.SEND: self._send,
            Verb.LINKS: self._links,
            Verb.BOUNCES: self._bounces,
            Verb.PRUNE: self._prune,
            Verb.WATCH: self._alarms,
            Verb.REPORT: self._report,
        }
        return work[verb](stop)

    def _read(self, stop: Stop) -> Facts:
        from digest.feeds.publish import publish, tell_hub
        from digest.sources.ingest import ingest
        from digest.store.articles import content_mark, first_seen_of

        with self.newsroom.open() as newsroom:
            report = ingest(newsroom)
        facts: Facts = {
            "documents": report.documents,
            "added": len(report.added),
            "revised": len(report.revised),
            "faults": report.faults,
        }
        if stop():
            return facts
        now = self.newsroom.now()
        before, at = self._published
        whole = not at <= now < at + PUBLISH_ANYWAY
        with self.newsroom.open() as newsroom:
            mark = content_mark(newsroom.db, now)
            if before == mark and not whole:
                facts |= tell_hub(newsroom, stop=stop)
                return facts | self._pictures(newsroom, stop)
            published = publish(newsroom, whole=whole)
            done = newsroom.now()
            arrived = first_seen_of(newsroom.db, published.appeared)
            self.counters.count_published(done - seen for seen in arrived)
            told = tell_hub(newsroom, stop=stop)
            told |= self._pictures(newsroom, stop)
        self._published = mark, now if whole else at
        return facts | {"written": len(published.written), "removed": len(published.removed)} | told

    def _pictures(self, newsroom: "Newsroom", stop: Stop) -> Facts:
        """Last, so that no article waits for them; none of their faults is one of the verb."""
        from digest.sources.pictures import fetch_pictures  # slow to load

        try:
            return dict(fetch_pictures(newsroom, stop=stop))
        except Exception:
            log.exception("pictures were not fetched")
            return {}

    def _compose(self, stop: Stop) -> Facts:
        from digest.editions.compose import compose_due

        with self.newsroom.open() as newsroom:
            editions = [
                {
                    "edition": edition.id,
                    "digest": edition.digest,
                    "status": edition.status.value,
                    "articles": len(edition.placements),
                }
                for edition in compose_due(newsroom)
            ]
        return {"editions": editions}

    def _send(self, stop: Stop) -> Facts:
        from digest.editions.alerts import look
        from digest.editions.compose import settle_withdrawn
        from digest.editions.deliver import deliver, sending
        from digest.editions.deliveries import handed_deliveries
        from digest.editions.store import pending_editions
        from digest.mail.store import unsent

        reports: list[EditionReport] = []
        faults: list[Exception] = []
        with self.newsroom.open() as newsroom, ExitStack() as stack:
            names = [digest.name for digest in newsroom.settings.digests]
            db, now = newsroom.db, newsroom.now()
            facts = Facts()
            try:
                if alerts := look(newsroom):
                    facts = {"alerts": alerts}
            except Exception as e:  # noqa: BLE001 - stops no edition; raised below
                faults.append(e)
            pending = any(pending_editions(db, digest=name, now=now) for name in names)
            if not pending and not handed_deliveries(db) and not unsent(db):
                if faults:
                    raise faults[0]
                return facts
            try:
                newsroom = stack.enter_context(sending(newsroom))
            except SenderBusyError as e:  # a person sends by hand: leave it to the next tick
                return facts | {"waits": str(e)}
            settle_withdrawn(newsroom)
            for name in names if pending else names[:1]:
                count = partial(self.counters.count_answer, name)
                try:
                    reports += deliver(newsroom, digest=name, stop=stop, notify=count)
                except Exception as e:  # noqa: BLE001 - stops no other digest; raised below
                    faults.append(e)
        if faults:
            raise faults[0]
        editions = [
            {
                "edition": report.edition_id,
                "digest": report.digest,
                **{kind.value: n for kind, n in report.outcomes.items()},
                "skipped": report.skipped,
                "queued": report.left.get("queued", 0),
                **({"fault": report.fault} if report.fault else {}),
            }
            for report in reports
        ]
        return facts | {"recovered": newsroom.sender.recovered, "editions": editions}

    def _links(self, stop: Stop) -> Facts:
        from digest.audience.signup import send_links

        with self.newsroom.open() as newsroom:
            return {kind.value: n for kind, n in send_links(newsroom, stop=stop).items()}

    def _bounces(self, stop: Stop) -> Facts:
        from digest.bounces.intake import take_returns
        from digest.mail.mailboxes import read_maildir

        place = self.newsroom.settings.service.bounces
        if place is None:
            return {}
        with read_maildir(place) as mailbox, self.newsroom.open() as newsroom:
            report = take_returns(newsroom, mailbox.messages, mailbox.done, whole=True)
        return {"letters": report.kinds.total(), **report.facts}

    def _prune(self, stop: Stop) -> Facts:
        from digest.audience.signup import lapse_requests
        from digest.store.backups import backup, backup_is_due, prune
        from digest.store.pictures import prune_pictures
        from digest.web.store import prune_desk

        settings, now = self.newsroom.settings, self.newsroom.now()
        folder, days = settings.store.backups, settings.prune
        facts: Facts = {}
        try:
            if settings.store.daily_backup and backup_is_due(settings.store.path, folder, now):
                with self.newsroom.open(read_only=True) as newsroom:
                    copy = backup(newsroom.db, folder, now, keep=settings.store.keep_backups)
                facts = {"backup": copy.path.name, "bytes": copy.size, "removed": len(copy.removed)}
        finally:  # also if the folder of backups cannot be used
            with self.newsroom.open() as newsroom:
                pruned = prune(
                    newsroom.db,
                    newsroom.now(),
                    bounce_days=days.bounce_days,
                    answer_days=days.answer_days,
                    stop=stop,
                )
                lapsed = lapse_requests(newsroom)
                prune_pictures(newsroom.db)
                prune_desk(newsroom.db, now, days.answer_days)
        return facts | {"letters": pruned.bounces, "answers": pruned.answers, "requests": lapsed}

    def _alarms(self, stop: Stop) -> Facts:
        memory, facts = self.memory(), Facts()
        fault = memory.fault
        if fault is None and memory.leads:
            try:
                with self.newsroom.open() as newsroom:
                    _, report = check_alarms(newsroom, memory, stop=stop)
                facts = {
                    "raised": report.raised,
                    "closed": report.closed,
                    "told": report.sent,
                    "put_off": report.put_off,
                }
            except (StoreError, sqlite3.Error) as e:
                fault = str(e)
        newsroom = self.newsroom
        sent = self.database_alarm.check(newsroom.ways, fault, newsroom.now(), stop)
        return facts | ({"database": fault} if fault else {}) | ({"told": sent} if sent else {})

    def _report(self, stop: Stop) -> Facts:
        from digest.editions.deliver import sending
        from digest.service.report import is_due, send_report

        with self.newsroom.open() as newsroom, ExitStack() as stack:
            if not is_due(newsroom, newsroom.now()):
                return {}
            try:
                newsroom = stack.enter_context(sending(newsroom))
            except SenderBusyError as e:
                return {"waits": str(e)}
            composed, outcomes = send_report(newsroom, stop=stop)
        return {"composed": composed, **{kind.value: n for kind, n in outcomes.items()}}
