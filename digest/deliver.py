"""The verb `deliver`: takes deliveries that are due, makes each recipient's message, sends, settles.

    skip who must not be mailed | render each segment once
      | for each due delivery: message -> transport -> handed (on disk) -> answer -> settled

The transport calls back into `digest.mail.ledger.Ledger`; its docstring says what is on disk when.
"""

from collections import Counter, deque
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING

from digest.config.settings import DigestConfig, Settings
from digest.editorial.selection import lay_out
from digest.errors import NotFoundError
from digest.mail.answers import without_addresses
from digest.mail.ledger import Ledger, OvertakenError
from digest.mail.message import MessageMaker
from digest.mail.outgoing import Outcome, OutcomeKind, Outgoing, Transport
from digest.mail.segment import make_segment
from digest.mail.tokens import return_path
from digest.mail.verp import token_for
from digest.model import Edition
from digest.store.database import Database
from digest.store.deliveries import (
    Due,
    due_deliveries,
    skip_segment,
    skip_unwanted,
)
from digest.store.editions import (
    delivery_counts,
    edition_by_id,
    hold_edition,
    pending_editions,
    segments_of,
    skip_cancelled,
)

if TYPE_CHECKING:
    from jinja2 import Environment

    from digest.mail.dkim import Signer

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
    db: Database,
    settings: Settings,
    transport: Transport,
    environment: "Environment",
    now: Callable[[], datetime],
    *,
    key: bytes,
    editions: Collection[int] | None = None,
    digest: str | None = None,
    signer: "Signer | None" = None,
    portion: Portion | None = None,
    stop: Callable[[], bool] = lambda: False,
    progress: Callable[[int], None] = lambda _: None,
    told: Callable[[OutcomeKind], None] = lambda _: None,
) -> list[EditionReport]:
    """Send what is due of every composed edition, the oldest first; one report for each.

    Call as the sole sender, after `recovery.recover`. `key` makes the tokens. `progress` is told how many
    deliveries were settled, `told` of each outcome. When the fault is ours the edition is held and
    its recipients stay queued.
    """
    reports: list[EditionReport] = []
    for edition_id in pending_editions(db, digest=digest, now=now()):
        if stop() or (editions is not None and edition_id not in editions):
            continue
        edition = edition_by_id(db, edition_id)
        config = settings.digest(edition.digest)
        if config is None:
            raise NotFoundError(
                f"edition {edition_id} is of the digest {edition.digest!r}, which config.toml no "
                "longer has; put it back, or cancel the edition."
            )
        run = _Run(
            db, settings, config, edition, environment, now, key, signer, portion or Portion()
        )
        reports.append(run.through(transport, stop, progress, told))
    return reports


class _Run:
    """One edition's deliveries in one run."""

    def __init__(
        self,
        db: Database,
        settings: Settings,
        config: DigestConfig,
        edition: Edition,
        environment: "Environment",
        now: Callable[[], datetime],
        key: bytes,
        signer: "Signer | None",
        portion: Portion,
    ) -> None:
        if edition.id is None:
            raise ValueError("only a frozen edition can be delivered")
        self.db = db
        self.settings = settings
        self.config = config
        self.edition = edition
        self.edition_id = edition.id
        self.environment = environment
        self.now = now
        self.key = key
        self.signer = signer
        self.portion = portion

    def through(
        self,
        transport: Transport,
        stop: Callable[[], bool],
        progress: Callable[[int], None],
        told: Callable[[OutcomeKind], None],
    ) -> EditionReport:
        report = EditionReport(self.edition_id, self.edition.digest, self.edition.number)
        makers = self._makers(report)
        ledger = Ledger(self.db, self.now, stop, progress, told)
        fault = self._send(transport, makers, ledger, report)
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
        self,
        transport: Transport,
        makers: dict[int, MessageMaker],
        ledger: Ledger,
        report: EditionReport,
    ) -> str | None:
        """Run until nothing is due, anew where somebody in the run was overtaken by a leave, a
        suppression or a hold; the transport's fault."""
        while True:
            with self.db.write():
                report.skipped += skip_unwanted(self.db, self.edition_id, self.now())
            try:
                return transport.deliver(
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
                settings=self.settings,
                digest=self.config,
                edition=self.edition,
                layout=layout,
                environment=self.environment,
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
            sender = return_path(self.settings, token)
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
