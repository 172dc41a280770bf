"""What a wake-up does: one function a verb, each with a database of its own, for a worker thread.

Each gives the facts of its run for the log: counts and names, never an address.
"""

from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from digest.errors import SenderError, StoreError
from digest.service.alarms import Unrecorded, watch
from digest.service.health import Tally
from digest.service.plan import Verb
from digest.service.troubles import Memory
from digest.store.database import sqlite3

if TYPE_CHECKING:
    from digest.editions.deliver import EditionReport
    from digest.newsroom import Newsroom


Facts = dict[str, Any]
Stop = Callable[[], bool]
PUBLISH_ANYWAY = timedelta(hours=1)
"""So often the feeds are compared with the store although nothing has changed, to mend what a hand
or a disk did to the files."""


class Worker:
    """The verbs over one `newsroom`. Each may run in another thread; none runs twice at a time."""

    def __init__(
        self,
        newsroom: "Newsroom",
        memory: Callable[[], Memory] = Memory,
        unrecorded: "Unrecorded | None" = None,
        tally: Tally | None = None,
    ) -> None:
        self.newsroom = newsroom
        self.memory = memory
        self.unrecorded = unrecorded or Unrecorded()
        self.tally = tally or Tally()
        self._published: tuple[str, datetime] | None = None

    def run(self, verb: Verb, stop: Stop) -> Facts:
        """Wake one verb.

        Raises:
            DigestError: it could not do its work; what it had done until then stays.
        """
        work = {
            Verb.READ: self._read,
            Verb.COMPOSE: self._compose,
            Verb.SEND: self._send,
            Verb.BOUNCES: self._bounces,
            Verb.PRUNE: self._prune,
            Verb.WATCH: self._watch,
            Verb.REPORT: self._report,
        }
        return work[verb](stop)

    def _read(self, stop: Stop) -> Facts:
        from digest.sources.ingest import ingest

        newsroom = self.newsroom
        with newsroom.open() as newsroom:
            report = ingest(newsroom)
        facts: Facts = {
            "documents": report.documents,
            "added": len(report.added),
            "revised": len(report.revised),
            "faults": report.faults,
        }
        return facts if stop() else facts | self._publish()

    def _publish(self) -> Facts:
        from digest.feeds.publish import publish
        from digest.store.articles import content_mark, first_seen_of

        newsroom = self.newsroom
        now = newsroom.now()
        with newsroom.open(read_only=True) as newsroom:
            mark = content_mark(newsroom.db)
            if self._published is not None:
                before, at = self._published
                if before == mark and at <= now < at + PUBLISH_ANYWAY:
                    return {}
            report = publish(newsroom)
            done = newsroom.now()
            self.tally.appeared(done - seen for seen in first_seen_of(newsroom.db, report.appeared))
        self._published = mark, now
        return {"written": len(report.written), "removed": len(report.removed)}

    def _compose(self, stop: Stop) -> Facts:
        from digest.editions.compose import compose_due

        newsroom = self.newsroom
        with newsroom.open() as newsroom:
            composed = compose_due(newsroom)
        return {
            "editions": [
                {
                    "edition": edition.id,
                    "digest": edition.digest,
                    "status": edition.status.value,
                    "articles": len(edition.placements),
                }
                for edition in composed
            ]
        }

    def _send(self, stop: Stop) -> Facts:
        from digest.editions.store import pending_editions
        from digest.service.store import has_handed

        newsroom = self.newsroom
        with newsroom.open() as newsroom:
            names = [
                digest.name
                for digest in newsroom.settings.digests
                if pending_editions(newsroom.db, digest=digest.name, now=newsroom.now())
            ]
            if not names and not has_handed(newsroom.db):
                return {}
            return self._alone(lambda: self._deliver(newsroom, names, stop))

    def _alone(self, work: Callable[[], Facts]) -> Facts:
        """Work as the sole sender; while a person sends by hand, leave it to the next tick."""
        from digest.store.owner import sole_sender

        with ExitStack() as alone:
            try:
                alone.enter_context(
                    sole_sender(self.newsroom.settings.store.path, self.newsroom.now())
                )
            except SenderError as e:
                return {"waits": str(e)}
            return work()

    def _deliver(self, newsroom: "Newsroom", names: list[str], stop: Stop) -> Facts:
        from digest.editions.deliver import begin_sending, deliver

        recovered = begin_sending(newsroom)
        reports: list[EditionReport] = []
        faults: list[Exception] = []
        for name in names:
            try:
                reports += deliver(
                    newsroom, digest=name, stop=stop, told=partial(self.tally.answered, name)
                )
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
        return {"recovered": recovered, "editions": editions}

    def _bounces(self, stop: Stop) -> Facts:
        from digest.bounces.intake import take_returns
        from digest.mail.mailboxes import read_maildir

        newsroom = self.newsroom
        place = newsroom.settings.service.bounces
        if place is None:
            return {}
        with read_maildir(place) as mailbox, newsroom.open() as newsroom:
            report = take_returns(newsroom, mailbox.letters, mailbox.done)
        return {
            "letters": report.kinds.total(),
            "suppressed": report.suppressed,
            "ended": report.ended,
            "unmatched": report.unmatched,
        }

    def _prune(self, stop: Stop) -> Facts:
        facts: Facts = {}
        try:
            facts |= self._back_up()
        finally:  # a folder of copies that is away keeps nothing else from being put in order
            facts |= self._let_go(stop)
        return facts

    def _back_up(self) -> Facts:
        from digest.store.backups import backup, backup_is_due

        newsroom = self.newsroom
        store, now = newsroom.settings.store, newsroom.now()
        if not store.daily_backup or not backup_is_due(store.path, store.backups, now):
            return {}
        with newsroom.open(read_only=True) as newsroom:
            made = backup(newsroom.db, store.backups, now, keep=store.keep_backups)
        return {"backup": made.path.name, "bytes": made.size, "removed": len(made.removed)}

    def _let_go(self, stop: Stop) -> Facts:
        from digest.store.backups import prune

        keeping = self.newsroom.settings.prune
        with self.newsroom.open() as newsroom:
            let_go = prune(
                newsroom.db,
                self.newsroom.now(),
                bounce_days=keeping.bounce_days,
                answer_days=keeping.answer_days,
                stop=stop,
            )
        return {"letters": let_go.bounces, "answers": let_go.answers}

    def _watch(self, stop: Stop) -> Facts:
        newsroom, memory = self.newsroom, self.memory()
        fault, facts = memory.fault, Facts()
        if fault is None:
            try:
                facts = self._watch_store(memory, stop)
            except (StoreError, sqlite3.Error) as e:
                fault = str(e)
        told = self.unrecorded.watch(newsroom.ways, fault, newsroom.now(), stop)
        return facts | ({"database": fault} if fault else {}) | ({"told": told} if told else {})

    def _watch_store(self, memory: Memory, stop: Stop) -> Facts:
        with self.newsroom.open() as newsroom:
            _, report = watch(newsroom, memory, stop=stop)
        return {
            "raised": report.raised,
            "closed": report.closed,
            "told": report.sent,
            "put_off": report.put_off,
        }

    def _report(self, stop: Stop) -> Facts:
        from digest.service.report import is_due

        with self.newsroom.open() as newsroom:
            if not is_due(newsroom, newsroom.now()):
                return {}
            return self._alone(lambda: self._send_report(newsroom, stop))

    def _send_report(self, newsroom: "Newsroom", stop: Stop) -> Facts:
        from digest.editions.deliver import begin_sending
        from digest.service.report import send_report

        begin_sending(newsroom)
        composed, outcomes = send_report(newsroom, stop=stop)
        return {"composed": composed, **{kind.value: n for kind, n in outcomes.items()}}
