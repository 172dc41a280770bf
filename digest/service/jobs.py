"""What a wake-up does: one function a verb, each with a database of its own, for a worker thread.

Each gives the facts of its run for the log: counts and names, never an address.
"""

from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from digest.errors import SenderError, StoreError
from digest.mail.notices import Ways
from digest.service.alarms import Unrecorded, watch
from digest.service.health import Tally
from digest.service.plan import Verb
from digest.service.troubles import Memory
from digest.store.database import sqlite3

if TYPE_CHECKING:
    from digest.editions.deliver import EditionReport
    from digest.newsroom import Runtime
    from digest.store.database import Database


Facts = dict[str, Any]


Stop = Callable[[], bool]


PUBLISH_ANYWAY = timedelta(hours=1)
"""So often the feeds are compared with the store although nothing has changed, to mend what a hand
or a disk did to the files."""


class Worker:
    """The verbs over one `room`. Each may run in another thread; none runs twice at a time."""

    def __init__(
        self,
        room: "Runtime",
        memory: Callable[[], Memory] = Memory,
        unrecorded: "Unrecorded | None" = None,
        tally: Tally | None = None,
    ) -> None:
        self.room = room
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
            Verb.TIDY: self._tidy,
            Verb.WATCH: self._watch,
            Verb.DESK: self._desk,
        }
        return work[verb](stop)

    def _read(self, stop: Stop) -> Facts:
        from digest.sources.ingest import ingest
        from digest.themes.lexicon import lexicon_of

        room = self.room
        with room.open() as db:
            report = ingest(db, room.settings, lexicon_of(room.settings.themes), room.now)
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

        room = self.room
        now = room.now()
        with room.open(read_only=True) as db:
            mark = content_mark(db)
            if self._published is not None:
                before, at = self._published
                if before == mark and at <= now < at + PUBLISH_ANYWAY:
                    return {}
            report = publish(db, room.settings, room.templates)
            done = room.now()
            self.tally.appeared(done - seen for seen in first_seen_of(db, report.appeared))
        self._published = mark, now
        return {"written": len(report.written), "removed": len(report.removed)}

    def _compose(self, stop: Stop) -> Facts:
        from digest.editions.compose import compose_due

        room = self.room
        with room.open() as db:
            composed = compose_due(db, room.settings, room.now)
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

        room = self.room
        with room.open() as db:
            names = [
                digest.name
                for digest in room.settings.digests
                if pending_editions(db, digest=digest.name, now=room.now())
            ]
            if not names and not has_handed(db):
                return {}
            return self._alone(lambda: self._deliver(db, names, stop))

    def _alone(self, work: Callable[[], Facts]) -> Facts:
        """Work as the sole sender; while a person sends by hand, leave it to the next tick."""
        from digest.store.owner import sole_sender

        with ExitStack() as alone:
            try:
                alone.enter_context(sole_sender(self.room.settings.store.path, self.room.now()))
            except SenderError as e:
                return {"waits": str(e)}
            return work()

    def _deliver(self, db: "Database", names: list[str], stop: Stop) -> Facts:
        from digest.editions.deliver import begin_sending, deliver
        from digest.store.owner import token_key

        room = self.room
        recovered = begin_sending(db, room.settings, room.transport, room.here, room.now())
        with db.write():
            key = token_key(db, room.random_bytes)
        reports: list[EditionReport] = []
        faults: list[Exception] = []
        for name in names:
            try:
                reports += deliver(
                    db,
                    room.settings,
                    room.transport,
                    room.templates,
                    room.now,
                    key=key,
                    digest=name,
                    signer=room.signer,
                    stop=stop,
                    told=partial(self.tally.answered, name),
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
        from digest.store.owner import token_key

        room = self.room
        place = room.settings.service.bounces
        if place is None:
            return {}
        with read_maildir(place) as mailbox, room.open() as db:
            with db.write():
                key = token_key(db, room.random_bytes)
            report = take_returns(
                db, room.settings, mailbox.letters, mailbox.done, room.now, key=key
            )
        return {
            "letters": report.kinds.total(),
            "suppressed": report.suppressed,
            "ended": report.ended,
            "unmatched": report.unmatched,
        }

    def _tidy(self, stop: Stop) -> Facts:
        facts: Facts = {}
        try:
            facts |= self._back_up()
        finally:  # a folder of copies that is away keeps nothing else from being put in order
            facts |= self._let_go(stop)
        return facts

    def _back_up(self) -> Facts:
        from digest.store.backups import backup, backup_is_due

        room = self.room
        store, now = room.settings.store, room.now()
        daily = room.settings.keeping.daily_backup
        if not daily or not backup_is_due(store.path, store.backups, now):
            return {}
        with room.open(read_only=True) as db:
            made = backup(db, store.backups, now, keep=store.keep_backups)
        return {"backup": made.path.name, "bytes": made.size, "removed": len(made.removed)}

    def _let_go(self, stop: Stop) -> Facts:
        from digest.store.backups import tidy

        keeping = self.room.settings.keeping
        with self.room.open() as db:
            let_go = tidy(
                db,
                self.room.now(),
                letters_days=keeping.letters_days,
                answers_days=keeping.answers_days,
                stop=stop,
            )
        return {"letters": let_go.letters, "answers": let_go.answers}

    def _watch(self, stop: Stop) -> Facts:
        room, memory = self.room, self.memory()
        ways = Ways(lambda: room.transport, lambda: room.signer)
        fault, facts = memory.fault, Facts()
        if fault is None:
            try:
                facts = self._watch_store(memory, ways, stop)
            except (StoreError, sqlite3.Error) as e:
                fault = str(e)
        told = self.unrecorded.watch(room.settings, ways, fault, room.now(), stop)
        return facts | ({"database": fault} if fault else {}) | ({"told": told} if told else {})

    def _watch_store(self, memory: Memory, ways: Ways, stop: Stop) -> Facts:
        room = self.room
        with room.open() as db:
            _, report = watch(db, room.settings, ways, room.now, memory, stop=stop)
        return {
            "raised": report.raised,
            "closed": report.closed,
            "told": report.sent,
            "put_off": report.put_off,
        }

    def _desk(self, stop: Stop) -> Facts:
        from digest.service.report import is_due

        with self.room.open() as db:
            if not is_due(db, self.room.settings, self.room.now()):
                return {}
            return self._alone(lambda: self._send_report(db, stop))

    def _send_report(self, db: "Database", stop: Stop) -> Facts:
        from digest.editions.deliver import begin_sending
        from digest.service.report import send_report
        from digest.themes.lexicon import lexicon_of

        room = self.room
        begin_sending(db, room.settings, room.transport, room.here, room.now())
        composed, outcomes = send_report(
            db,
            room.settings,
            room.transport,
            room.templates,
            lexicon_of(room.settings.themes),
            room.now,
            signer=room.signer,
            stop=stop,
        )
        return {"composed": composed, **{kind.value: n for kind, n in outcomes.items()}}
