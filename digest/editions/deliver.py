"""The verb `deliver`: takes deliveries that are due, makes each recipient's message, sends, settles.

    skip those who must not be mailed | take each segment's mail as it was frozen
      | for each due delivery: message -> transport -> handed (on disk) -> answer -> settled

The transport calls back into `Ledger`; its docstring says what is on disk when.
"""

import contextlib
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import islice

from digest.audience.evidence import Evidence, open_brakes, take_evidence
from digest.audience.store import domains_to_look_up, give_up_notices, save_providers
from digest.audience.suppressions import lapse
from digest.editions.compose import settle_withdrawn
from digest.editions.corrections import notify as notify_readers
from digest.editions.deliveries import (
    due_deliveries,
    handed_deliveries,
    has_unwanted,
    outdated_notices,
    skip_segment,
    skip_unwanted,
)
from digest.editions.store import (
    cancelled_editions,
    date_edition,
    delivery_counts,
    edition_by_id,
    edition_note,
    frozen_segments,
    hold_edition,
    mail_date,
    pending_editions,
    skip_cancelled,
    stopped_by_withdrawal,
)
from digest.errors import NotFoundError, SenderError
from digest.mail.ledger import answer_text, settlement_of, without_addresses
from digest.mail.mime import MessageMaker
from digest.mail.notices import send_due
from digest.mail.outgoing import (
    TO_READERS,
    DeliveryStatus,
    Due,
    Kind,
    Outcome,
    OutcomeKind,
    Outgoing,
    Phase,
)
from digest.mail.refusals import judge
from digest.mail.store import NOTICES, hand, handed_notices, recover, settle, unsent, write_surely
from digest.mail.tokens import return_path, token_for, tokens_for
from digest.model import Edition
from digest.newsroom import EPOCH, Newsroom
from digest.store.database import Database, Row
from digest.store.owner import Sender, set_way_out, sole_sender, way_out


@contextlib.contextmanager
def sending(newsroom: Newsroom) -> Iterator[Newsroom]:
    """Be the only sender: the newsroom with its `sender`, once what a dead one left is settled.

    Raises:
        SenderBusyError: another process sends.
        SenderError: the database was copied, restored or put here.
    """
    db, settings, now = newsroom.db, newsroom.settings, newsroom.now()
    with sole_sender(settings.store.path, now, newsroom.random_bytes()[:8].hex()) as sender:
        fates = fates_of_handed(newsroom)
        reports = [
            Outgoing(row["id"], row["sender"], row["recipient"], b"") for row in handed_notices(db)
        ]
        # Both are settled here, since the way out is stored once for all.
        notices = _fates(newsroom, reports)
        with db.write():
            sender.begin(db, newsroom.here)
            lapse(db, now)
            set_way_out(db, _way(newsroom))
            sender.recovered = settle_handed(db, sender.earlier, fates, notices, now)
        sender.note(now, sender.mark)
        yield replace(newsroom, sole_sender=sender)


def recover_for_plan(newsroom: Newsroom) -> int:
    """Before a plan is made: recover, and `settle_withdrawn`; how many rows were recovered. Nothing is
    done while a living sender will do it, or if the database may not send, which sending explains."""
    with contextlib.suppress(SenderError), sending(newsroom) as newsroom:
        settle_withdrawn(newsroom)
        return newsroom.sender.recovered
    return 0


def fates_of_handed(newsroom: Newsroom) -> dict[int, OutcomeKind]:
    """What became of each delivery that was handed over without an answer, as far as the way out
    shows it."""
    rows = handed_deliveries(newsroom.db)
    if not rows:
        return {}
    settings, key = newsroom.settings, newsroom.token_key
    messages = []
    for row in rows:
        sender = return_path(settings, token_for(key, row["edition_id"], row["recipient_id"]))
        messages.append(Outgoing(row["id"], sender, row["address"], b""))
    return _fates(newsroom, messages)


def _fates(newsroom: Newsroom, messages: Sequence[Outgoing]) -> dict[int, OutcomeKind]:
    """By id; none if another way out is set now, which knows nothing about them."""
    if way_out(newsroom.db) != _way(newsroom):
        return {}
    return {one.delivery_id: newsroom.transport.fate(one) for one in messages}


def _way(newsroom: Newsroom) -> str:
    mail = newsroom.settings.mail
    return f"maildir {mail.outbox.resolve()}" if mail.transport == "maildir" else mail.transport


def settle_handed(
    db: Database,
    dead: Collection[str],
    fates: Mapping[int, OutcomeKind],
    notices: Mapping[int, OutcomeKind],
    now: datetime,
) -> int:
    """Settle by their fates what was handed over without an answer; how many. Call inside a write."""
    recovered = recover(db, dead, fates, now) + recover(db, dead, notices, now, table=NOTICES)
    for edition_id in cancelled_editions(db):
        skip_cancelled(db, edition_id, now)
    return recovered


FLUSH_AFTER = timedelta(seconds=0.5)
"""How long answers wait at most to be written together with the next `handed`."""
LOOK_AFTER = timedelta(seconds=1)
"""How often all that is under way is checked while others write."""
SAYS = {OutcomeKind.DEAD: "hard", OutcomeKind.FULL: "soft", OutcomeKind.REFUSED: "soft"}
"""What a final answer says about an address, as a kind of bounce."""
POLICY_SHARE = 0.05
POLICY_LEAST = 5
"""An edition is held when this many messages, and this share of all answers, are refused by policy or
for no reason that is known."""
SIGNERS = 2
AHEAD = 32
"""The threads that sign messages ahead, and how many messages they sign."""


class OvertakenError(Exception):
    """Another process wrote that a recipient in this run must not be mailed any more."""


class Ledger:
    """Writes to disk what the transport reports.

    Answers are held back and written in the same transaction as the next `handed`, so that a group of
    messages costs one commit. A connection's next message is never handed before the answer to its
    last one was reported. So whenever the process dies, at most one delivery for each open connection
    is on disk as handed without its answer.
    """

    def __init__(
        self,
        db: Database,
        sender: Sender,
        now: Callable[[], datetime],
        stop: Callable[[], bool],
        notify: Callable[[OutcomeKind], None],
    ) -> None:
        self.db = db
        self.sender = sender
        self.now = now
        self.outcomes: Counter[OutcomeKind] = Counter()
        self.fault: str | None = None
        self._asked_to_stop = stop
        self._looked_at = EPOCH
        self._overtaken = self._braked = False
        self._refused = self._begun = False
        self._notify = notify
        self._under_way: dict[int, Due] = {}
        self._answered: list[Outcome] = []
        self._since: datetime | None = None

    def expect(self, due: Due) -> None:
        self._under_way[due.id] = due

    def handed(self, delivery_ids: Sequence[int]) -> None:
        """See digest.mail.outgoing.

        Raises:
            OvertakenError: the run must end, and may start again after `renew`; none is handed.
        """
        moment = self.now()

        def write() -> None:
            # Nobody else writes now. Of messages that wait for a busy domain a transport holds hundreds:
            # a hold by an editor or a reader's unsubscription must not wait for them, but nor may each
            # bounce that is read meanwhile cost a look at all of them.
            looked_at: Iterable[int] = delivery_ids
            braked, self._braked = self._braked, False  # by our own writes, which no version shows
            if braked or abs(moment - self._looked_at) > LOOK_AFTER:
                looked_at, self._looked_at = self._under_way, moment
            version, under_way = self.db.version(), self._under_way
            stale = [
                (i, under_way[i].segment_id)
                for i in looked_at
                if braked or under_way[i].seen != version
            ]
            self._overtaken = bool(stale) and has_unwanted(self.db, stale)
            if self._overtaken:
                raise OvertakenError
            self._write(moment)
            hand(self.db, self.sender, delivery_ids, moment)

        try:
            # Before the first hand-over there is nothing to lose: then the error says what is wrong.
            write_surely(
                self.db,
                write,
                lambda: not self._answered and (not self._begun or self._asked_to_stop()),
            )
        except SenderError:
            self._refused = True
            raise
        self._begun = True
        self._forget_answered()

    def settled(self, outcomes: Sequence[Outcome]) -> None:
        for outcome in outcomes:
            if outcome.kind is OutcomeKind.OURS:
                self.fault = f"{outcome.server}: {outcome.phase}: {answer_text(outcome)}"
        ended = self._overtaken or self._refused or self._asked_to_stop()
        if self.fault is None and not ended:
            # If the connection is lost under a message each time, that counts as a try, and the
            # message waits like any other: else it would be due for ever.
            begun = (Phase.MAIL, Phase.RCPT, Phase.DATA)
            outcomes = [
                replace(one, kind=OutcomeKind.PASSING)
                if one.kind is OutcomeKind.UNSENT and one.server and one.phase in begun
                else one
                for one in outcomes
            ]
        self._answered += outcomes
        self._since = self._since or self.now()
        self.outcomes.update(outcome.kind for outcome in outcomes)
        for outcome in outcomes:
            self._notify(outcome.kind)
        refused = self.outcomes[OutcomeKind.POLICY] + self.outcomes[OutcomeKind.REFUSED]
        if refused >= POLICY_LEAST and refused >= POLICY_SHARE * self.outcomes.total():
            self.fault = (
                f"{refused} of {self.outcomes.total()} messages were refused by policy, or for no reason "
                "that is known; see "
                "`digest deliveries list --status failed` before it is released"
            )

    def stop(self) -> bool:
        if self._since is not None and self.now() - self._since > FLUSH_AFTER:
            self.flush()
        return self.fault is not None or self._asked_to_stop()

    def renew(self) -> int:
        """After OvertakenError: forget the messages that were taken and not sent; returns how many."""
        self.flush()
        unsent = self.outcomes.pop(OutcomeKind.UNSENT, 0) + len(self._under_way)
        self._under_way.clear()
        self._overtaken = False
        return unsent

    def flush(self) -> None:
        if self._answered:
            write_surely(self.db, lambda: self._write(self.now()))
            self._forget_answered()

    def _write(self, moment: datetime) -> None:
        if not self._answered:
            return
        settlements = [
            settlement_of(one, self._under_way[one.delivery_id], moment) for one in self._answered
        ]
        settle(self.db, self.sender.mark, settlements, moment)
        for outcome, settlement in zip(self._answered, settlements, strict=True):
            if settlement.status is not DeliveryStatus.FAILED:
                continue
            due, kind = self._under_way[outcome.delivery_id], SAYS.get(outcome.kind)
            judged = judge(outcome.text, status=outcome.enhanced, code=outcome.code)
            if kind is None and not (outcome.kind is OutcomeKind.PASSING and judged.full):
                continue
            said = Evidence(
                key=f"answer {self.sender.mark} {due.id} {due.attempts}".encode(),
                kind=kind or "soft",
                proven=True,
                found_by="dialogue",
                recipient_id=due.recipient_id,
                edition_id=due.edition_id,
                status=outcome.enhanced,
                diagnostic=answer_text(outcome),
                because=judged.because,
            )
            self._braked |= take_evidence(self.db, said, moment).state == "braked"

    def _forget_answered(self) -> None:
        for outcome in self._answered:
            self._under_way.pop(outcome.delivery_id, None)
        self._answered = []
        self._since = None


@dataclass(slots=True)
class EditionReport:
    """The result of a run for one edition; `left` counts its deliveries by state afterwards, `note` is
    why it is held then."""

    edition_id: int
    digest: str
    number: int
    outcomes: Counter[OutcomeKind] = field(default_factory=Counter)
    skipped: int = 0
    fault: str | None = None
    stopped: bool = False
    note: str | None = None
    brakes: list[Row] = field(default_factory=list)
    left: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Portion:
    """A first careful part: at most `limit` messages, only to these recipients; the rest stays queued.

    `limit` counts down with each message, over all editions of a run.
    """

    limit: int | None = None
    recipients: frozenset[int] | None = None


def deliver(
    newsroom: Newsroom,
    *,
    editions: Collection[int] | None = None,
    digest: str | None = None,
    portion: Portion | None = None,
    date: datetime | None = None,
    stop: Callable[[], bool] = lambda: False,
    notify: Callable[[OutcomeKind], None] = lambda _: None,
) -> list[EditionReport]:
    """Send what is due of every composed edition, the oldest first; one report for each.

    Call it within `sending`. An edition that begins now is dated now, or `date`. `notify` gets each
    outcome. If the fault is ours the edition is held and its recipients stay queued.
    """
    reports: list[EditionReport] = []
    send_questions(newsroom, stop)  # first, as a grave correction is among them
    if newsroom.settings.mail.transport == "smtp":
        _look_up_providers(newsroom)
    for edition_id in pending_editions(newsroom.db, digest=digest, now=newsroom.now()):
        if stop() or (editions is not None and edition_id not in editions):
            continue
        edition = edition_by_id(newsroom.db, edition_id)
        config = newsroom.settings.digest(edition.digest)
        if config is None:
            raise NotFoundError(
                f"edition {edition_id} belongs to the digest {edition.digest!r}, which is no longer in "
                "config.toml; put it back, or cancel the edition."
            )
        report = EditionReport(edition_id, edition.digest, edition.number)
        ledger = Ledger(newsroom.db, newsroom.sender, newsroom.now, stop, notify)
        _send(newsroom, edition, report, portion or Portion(), ledger, date or newsroom.now())
        report.stopped = stop()
        reports.append(report)
    return reports


PORTION = 500
"""The notices that are read at once: as many as there are readers may wait."""


def send_questions(
    newsroom: Newsroom, stop: Callable[[], bool] = lambda: False
) -> Counter[OutcomeKind]:
    """Ask those who may want to leave (bounces.intake), and send what else is for readers; alerts and
    corrections only to those who get mail by now, and as they are now. Call it within `sending`."""
    db, now, sender = newsroom.db, newsroom.now, newsroom.sender
    if unsent(db, (Kind.ALERT, Kind.CORRECTION)):
        with db.write():
            give_up_notices(db, now())
        for article_id in outdated_notices(db):
            notify_readers(newsroom, article_id)
    outcomes, sent = Counter[OutcomeKind](), 1
    while sent and not stop():
        ended = send_due(
            db, newsroom.ways, TO_READERS, now, sender.mark, sender=sender, stop=stop, limit=PORTION
        )
        sent = ended[OutcomeKind.SENT]
        outcomes += ended
    return outcomes


def _look_up_providers(newsroom: Newsroom) -> None:
    """For the brake, which counts by provider; without DNS a domain is its own."""
    from digest.mail.smtp.names import mail_providers

    if asked := domains_to_look_up(newsroom.db, newsroom.now()):
        providers = mail_providers(asked)
        with newsroom.db.write():
            save_providers(newsroom.db, asked, providers, newsroom.now())


def _send(
    newsroom: Newsroom,
    edition: Edition,
    report: EditionReport,
    portion: Portion,
    ledger: Ledger,
    date: datetime,
) -> None:
    """Send what is due of one edition and complete its report."""
    db, now, edition_id = newsroom.db, newsroom.now, report.edition_id
    signer, key = newsroom.signer, newsroom.token_key

    makers: dict[int, MessageMaker] = {}
    frozen = frozen_segments(db, edition)
    dated_at = mail_date(db, edition, date)
    with db.write():
        date_edition(db, edition_id, dated_at)
        for segment_id, segment in frozen.items():
            if segment.mail is None:
                reason = "nothing for the chosen themes"
                report.skipped += skip_segment(db, segment_id, reason, now())
    for segment_id, segment in frozen.items():
        if segment.mail is not None:
            makers[segment_id] = MessageMaker(segment.mail, dated_at, signer)

    def take() -> Iterator[Due]:
        for one in due_deliveries(db, edition_id, now()):
            if ledger.fault is not None or one.segment_id not in makers:  # or frozen again
                return
            if portion.recipients is not None and one.recipient_id not in portion.recipients:
                continue
            if portion.limit is not None:
                if portion.limit == 0:
                    return
                portion.limit -= 1
            ledger.expect(one)
            yield one

    def make(due: Due) -> Outgoing | Outcome:
        tokens = tokens_for(key, edition_id, due.recipient_id)
        try:
            message = makers[due.segment_id].make(due.address, due.name, tokens)
        except ValueError as e:  # no header can hold this address or name
            return Outcome(due.id, OutcomeKind.REFUSED, text=str(e))
        sender = return_path(newsroom.settings, tokens.server)
        return Outgoing(due.id, sender, due.address, message, wire_ready=True)

    def outgoing() -> Iterator[Outgoing]:
        for one in map(make, take()) if signer is None else _ahead(make, take()):
            if isinstance(one, Outgoing):
                yield one
            else:
                ledger.settled([one])

    # Start again each time that another process stopped a recipient or the edition.
    finished = False
    while not finished:
        with db.write():
            report.skipped += skip_unwanted(db, edition_id, now())
        try:
            fault = newsroom.transport.deliver(
                outgoing(), handed=ledger.handed, settled=ledger.settled, stop=ledger.stop
            ).fault
            finished = True
        except OvertakenError:
            unsent = ledger.renew()
            if portion.limit is not None:
                portion.limit += unsent
        finally:
            ledger.flush()

    report.outcomes = ledger.outcomes
    report.fault = without_addresses(fault or ledger.fault)
    if report.fault is None and stopped_by_withdrawal(db, edition_id):
        report.fault = "an article of it was withdrawn while it was sent"
    with db.write():
        report.skipped += skip_cancelled(db, edition_id, now())
        if report.fault is not None:
            hold_edition(db, edition_id, report.fault)
    report.left, report.note = delivery_counts(db, edition_id), edition_note(db, edition_id)
    report.brakes = open_brakes(db, edition_id=edition_id)


def _ahead(
    make: Callable[[Due], Outgoing | Outcome], dues: Iterator[Due]
) -> Iterator[Outgoing | Outcome]:
    """Messages in order, some made ahead by other threads: a signature takes longer than everything
    else about a message, and its arithmetic runs in parallel.
    """
    with ThreadPoolExecutor(SIGNERS, thread_name_prefix="sign") as pool:
        begun = deque(pool.submit(make, due) for due in islice(dues, AHEAD))
        while begun:
            first = begun.popleft()
            begun.extend(pool.submit(make, due) for due in islice(dues, 1))
            yield first.result()
