"""The verb `deliver`: takes deliveries that are due, makes each recipient's message, sends, settles.

    skip who must not be mailed | render each segment once
      | for each due delivery: message -> transport -> handed (on disk) -> answer -> settled

The transport calls back into `digest.mail.ledger.Ledger`; its docstring says what is on disk when.
"""

from collections import Counter, deque
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING

from digest.audience.suppressions import SOFT_LIMIT, soft_bounces, suppress
from digest.config.settings import DigestConfig
from digest.editions.deliveries import due_deliveries, has_unwanted, skip_segment, skip_unwanted
from digest.editions.mail import make_segment
from digest.editions.selection import lay_out
from digest.editions.store import (
    cancelled_editions,
    delivery_counts,
    edition_by_id,
    hold_edition,
    pending_editions,
    segments_of,
    skip_cancelled,
)
from digest.errors import NotFoundError
from digest.mail.ledger import answer_text, settlement_of, without_addresses
from digest.mail.mime import MessageMaker
from digest.mail.outgoing import Due, Outcome, OutcomeKind, Outgoing, Phase
from digest.mail.store import TABLE, mark_handed, recover_handed, settle
from digest.mail.tokens import return_path, token_for
from digest.model import Edition
from digest.newsroom import Newsroom
from digest.store.database import Database
from digest.store.owner import check_home, set_way_out, way_out

if TYPE_CHECKING:
    pass


def begin_sending(newsroom: Newsroom) -> int:
    """What every sender does first: refuse where the database is not at home, then `recover`.

    Raises:
        SenderError: the database was copied or restored here.
    """
    db, here = newsroom.db, newsroom.here
    with db.write():
        check_home(db, here)
    return recover(newsroom)


def recover(newsroom: Newsroom) -> int:
    """Settle the deliveries and reports that were handed over without an answer; how many. Only the
    sole sender may call it, and must before it sends.

    They may be sent again only where the same transport would, that knows what it has written. All
    are settled at once, since the way out is noted once for all.
    """
    db, settings, transport, now = (
        newsroom.db,
        newsroom.settings,
        newsroom.transport,
        newsroom.now(),
    )
    mail = settings.mail
    way = f"maildir {mail.outbox.resolve()}" if mail.transport == "maildir" else mail.transport
    with db.write():
        repeatable = way_out(db) == way and transport.repeatable
        set_way_out(db, way)
        return settle_handed(db, repeatable=repeatable, now=now)


def settle_handed(db: Database, *, repeatable: bool, now: datetime) -> int:
    """Whatever was handed over without an answer is queued again where that is `repeatable`, else
    uncertain; how many. Call inside a write.
    """
    recovered = recover_handed(db, repeatable=repeatable, now=now)
    recovered += recover_handed(db, repeatable=repeatable, now=now, table=TABLE)
    for edition_id in cancelled_editions(db):
        skip_cancelled(db, edition_id, now)
    return recovered


FLUSH_AFTER = timedelta(seconds=0.5)
"""Answers wait at most so long for the next `handed` to be written together with it."""
POLICY_SHARE = 0.05
POLICY_LEAST = 5
"""So many refusals by policy, and this share of all answers, pause the edition."""


class OvertakenError(Exception):
    """Another process wrote that somebody in this run is not to be mailed any more."""


class Ledger:
    """What the transport reports, on disk.

    Answers are held back and written in the same transaction as the next `handed`, so that a group of
    messages costs one commit. Since a connection's next message is never handed before its last one's
    answer was reported, no more than one delivery for each open connection is on disk as handed
    without its answer, whenever the process dies.
    """

    def __init__(
        self,
        db: Database,
        now: Callable[[], datetime],
        stop: Callable[[], bool],
        told: Callable[[OutcomeKind], None] = lambda _: None,
    ) -> None:
        self.db = db
        self.now = now
        self.outcomes: Counter[OutcomeKind] = Counter()
        self.fault: str | None = None
        self._asked_to_stop = stop
        self._seen = db.version()
        self._overtaken = False
        self._told = told
        self._under_way: dict[int, Due] = {}
        self._answered: list[Outcome] = []
        self._since: datetime | None = None

    def expect(self, due: Due) -> None:
        self._under_way[due.id] = due

    def handed(self, delivery_ids: Sequence[int]) -> None:
        """See digest.mail.outgoing.

        Raises:
            OvertakenError: the run must end, and may begin anew after `renew`; none is handed.
        """
        moment = self.now()
        with self.db.write():
            self._look_again()
            self._write(moment)
            mark_handed(self.db, delivery_ids, moment)
        self._written()

    def settled(self, outcomes: Sequence[Outcome]) -> None:
        for outcome in outcomes:
            if outcome.kind is OutcomeKind.OURS:
                self.fault = f"{outcome.server}: {outcome.phase}: {answer_text(outcome)}"
        if self.fault is None and not self._overtaken and not self._asked_to_stop():
            outcomes = [_as_try(outcome) for outcome in outcomes]
        self._answered += outcomes
        self._since = self._since or self.now()
        self.outcomes.update(outcome.kind for outcome in outcomes)
        for outcome in outcomes:
            self._told(outcome.kind)
        refused = self.outcomes[OutcomeKind.POLICY]
        if refused >= POLICY_LEAST and refused >= POLICY_SHARE * self.outcomes.total():
            self.fault = (
                f"{refused} of {self.outcomes.total()} messages were refused by policy; see "
                "`digest deliveries list --status failed` before it is released"
            )

    def stop(self) -> bool:
        if self._since is not None and self.now() - self._since > FLUSH_AFTER:
            self.flush()
        return self.fault is not None or self._asked_to_stop()

    def renew(self) -> int:
        """After `handed` has raised OvertakenError: forget what was drawn and not sent; how many."""
        self.flush()
        unsent = self.outcomes.pop(OutcomeKind.UNSENT, 0) + len(self._under_way)
        self._under_way.clear()
        self._overtaken = False
        return unsent

    def _look_again(self) -> None:
        """A transport holds hundreds of messages that wait for a busy domain: an editor's hold and a
        reader's leave must not wait for them. Within the write, nobody can come between.
        """
        if (version := self.db.version()) != self._seen:
            self._seen = version
            self._overtaken = has_unwanted(self.db, list(self._under_way))
        if self._overtaken:
            raise OvertakenError

    def flush(self) -> None:
        if self._answered:
            with self.db.write():
                self._write(self.now())
            self._written()

    def _write(self, moment: datetime) -> None:
        if not self._answered:
            return
        settlements = [
            settlement_of(one, self._under_way[one.delivery_id], moment) for one in self._answered
        ]
        settle(self.db, settlements, moment)
        for outcome in self._answered:
            if outcome.kind in (OutcomeKind.DEAD, OutcomeKind.FULL):
                self._note_bounce(outcome, moment)

    def _written(self) -> None:
        for outcome in self._answered:
            self._under_way.pop(outcome.delivery_id, None)
        self._answered = []
        self._since = None

    def _note_bounce(self, outcome: Outcome, moment: datetime) -> None:
        due = self._under_way[outcome.delivery_id]
        said = answer_text(outcome)
        if outcome.kind is OutcomeKind.DEAD:
            suppress(self.db, due.address, "hard", moment, detail=said, delivery_id=due.id)
        elif soft_bounces(self.db, due.recipient_id, moment) >= SOFT_LIMIT:
            suppress(self.db, due.address, "soft", moment, detail=said, delivery_id=due.id)


def _as_try(outcome: Outcome) -> Outcome:
    """A message under which the connection is lost each time has been tried, and waits like any
    other: else it would be due for ever.
    """
    begun = outcome.server and outcome.phase in (Phase.MAIL, Phase.RCPT, Phase.DATA)
    if outcome.kind is OutcomeKind.UNSENT and begun:
        return replace(outcome, kind=OutcomeKind.PASSING)
    return outcome


SIGNERS = 2
AHEAD = 32
"""Messages that are signed before they are asked for, and the threads that do it."""


@dataclass(slots=True)
class EditionReport:
    """What a run did for one edition. `left` are its deliveries by state after it."""

    edition_id: int
    digest: str
    number: int
    outcomes: Counter[OutcomeKind] = field(default_factory=Counter)
    skipped: int = 0
    fault: str | None = None
    stopped: bool = False
    left: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Portion:
    """A first careful part: at most `limit` messages, only to these recipients; the rest stays queued.

    `limit` counts down as messages are begun, over all editions of a run.
    """

    limit: int | None = None
    recipients: frozenset[int] | None = None


def deliver(
    newsroom: Newsroom,
    *,
    editions: Collection[int] | None = None,
    digest: str | None = None,
    portion: Portion | None = None,
    stop: Callable[[], bool] = lambda: False,
    told: Callable[[OutcomeKind], None] = lambda _: None,
) -> list[EditionReport]:
    """Send what is due of every composed edition, the oldest first; one report for each.

    Call as the sole sender, after `begin_sending`. `told` gets each outcome. When the fault is ours
    the edition is held and its recipients stay queued.
    """
    reports: list[EditionReport] = []
    for edition_id in pending_editions(newsroom.db, digest=digest, now=newsroom.now()):
        if stop() or (editions is not None and edition_id not in editions):
            continue
        edition = edition_by_id(newsroom.db, edition_id)
        config = newsroom.settings.digest(edition.digest)
        if config is None:
            raise NotFoundError(
                f"edition {edition_id} is of the digest {edition.digest!r}, which config.toml no "
                "longer has; put it back, or cancel the edition."
            )
        run = _Run(newsroom, config, edition, portion or Portion())
        reports.append(run.through(stop, told))
    return reports


class _Run:
    """One edition's deliveries in one run."""

    def __init__(
        self, newsroom: Newsroom, config: DigestConfig, edition: Edition, portion: Portion
    ) -> None:
        if edition.id is None:
            raise ValueError("only a frozen edition can be delivered")
        self.newsroom = newsroom
        self.db = newsroom.db
        self.now = newsroom.now
        self.signer = newsroom.signer
        self.key = newsroom.token_key
        self.config = config
        self.edition = edition
        self.edition_id = edition.id
        self.portion = portion

    def through(
        self, stop: Callable[[], bool], told: Callable[[OutcomeKind], None]
    ) -> EditionReport:
        report = EditionReport(self.edition_id, self.edition.digest, self.edition.number)
        makers = self._makers(report)
        ledger = Ledger(self.db, self.now, stop, told)
        fault = self._send(makers, ledger, report)
        report.outcomes = ledger.outcomes
        report.fault = without_addresses(fault or ledger.fault)
        report.stopped = stop()
        with self.db.write():
            report.skipped += skip_cancelled(self.db, self.edition_id, self.now())
            if report.fault is not None:
                hold_edition(self.db, self.edition_id, report.fault)
        report.left = delivery_counts(self.db, self.edition_id)
        return report

    def _send(
        self, makers: dict[int, MessageMaker], ledger: Ledger, report: EditionReport
    ) -> str | None:
        """Run until nothing is due, anew where somebody in the run was overtaken by a leave, a
        suppression or a hold; the transport's fault."""
        while True:
            with self.db.write():
                report.skipped += skip_unwanted(self.db, self.edition_id, self.now())
            try:
                return self.newsroom.transport.deliver(
                    self._outgoing(makers, ledger),
                    handed=ledger.handed,
                    settled=ledger.settled,
                    stop=ledger.stop,
                ).fault
            except OvertakenError:
                unsent = ledger.renew()
                if self.portion.limit is not None:
                    self.portion.limit += unsent
            finally:
                ledger.flush()

    def _makers(self, report: EditionReport) -> dict[int, MessageMaker]:
        """Each segment rendered and encoded once; segments for which nothing is left are skipped."""
        makers: dict[int, MessageMaker] = {}
        for segment_id, segment in segments_of(self.db, self.edition_id):
            layout = lay_out(
                self.edition.placements, segment.choice, per_theme=self.config.per_theme
            )
            if layout.total == 0 and not (
                self.config.empty == "send" and not self.edition.placements
            ):
                with self.db.write():
                    reason = "nothing for the chosen themes"
                    report.skipped += skip_segment(self.db, segment_id, reason, self.now())
                continue
            _, makers[segment_id] = make_segment(
                settings=self.newsroom.settings,
                digest=self.config,
                edition=self.edition,
                layout=layout,
                environment=self.newsroom.templates,
                signer=self.signer,
            )
        return makers

    def _outgoing(self, makers: dict[int, MessageMaker], ledger: "Ledger") -> Iterator[Outgoing]:
        def make(due: Due) -> Outgoing | Outcome:
            token = token_for(self.key, self.edition_id, due.recipient_id)
            try:
                message = makers[due.segment_id].make(due.address, due.name, token)
            except ValueError as e:  # this address or name can stand in no header
                return Outcome(due.id, OutcomeKind.REFUSED, text=str(e))
            sender = return_path(self.newsroom.settings, token)
            return Outgoing(due.id, sender, due.address, message, wire_ready=True)

        made = (
            map(make, self._due(ledger)) if self.signer is None else _ahead(make, self._due(ledger))
        )
        for one in made:
            if isinstance(one, Outgoing):
                yield one
            else:
                ledger.settled([one])

    def _due(self, ledger: "Ledger") -> Iterator[Due]:
        for due in due_deliveries(self.db, self.edition_id, self.now()):
            if ledger.fault is not None:
                return
            if self.portion.recipients is not None and (
                due.recipient_id not in self.portion.recipients
            ):
                continue
            if self.portion.limit is not None:
                if self.portion.limit == 0:
                    return
                self.portion.limit -= 1
            ledger.expect(due)
            yield due


def _ahead(
    make: Callable[[Due], Outgoing | Outcome], dues: Iterator[Due]
) -> Iterator[Outgoing | Outcome]:
    """Messages in order, some made ahead by other threads: a signature takes longer than the rest of
    a message's way out, and its arithmetic runs beside us.
    """
    with ThreadPoolExecutor(SIGNERS, thread_name_prefix="sign") as pool:
        begun = deque(pool.submit(make, due) for due in islice(dues, AHEAD))
        while begun:
            first = begun.popleft()
            begun.extend(pool.submit(make, due) for due in islice(dues, 1))
            yield first.result()
