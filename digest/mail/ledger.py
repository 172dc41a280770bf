"""The ledger's side of a run: what the transport reports, written down, and what each answer means.

A transport tells `handed` before it ends a body and `settled` after an answer; digest.mail.outgoing
says in which order. What an outcome means for its row stands in `settlement_of`.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from digest.mail.answers import answer_text, due_again
from digest.mail.outgoing import Outcome, OutcomeKind, Phase
from digest.mail.store import DueNotice
from digest.store.database import Database
from digest.store.deliveries import (
    DeliveryStatus,
    Due,
    Settlement,
    has_unwanted,
    mark_handed,
    settle,
)
from digest.store.suppressions import SOFT_LIMIT, soft_bounces, suppress

FLUSH_AFTER = timedelta(seconds=0.5)
"""Answers wait at most so long for the next `handed` to be written together with it."""
POLICY_SHARE = 0.05
POLICY_LEAST = 5
"""So many refusals by policy, and this share of all answers, pause the edition."""
FULL = "mailbox full"


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
        progress: Callable[[int], None],
        told: Callable[[OutcomeKind], None] = lambda _: None,
    ) -> None:
        self.db = db
        self.now = now
        self.outcomes: Counter[OutcomeKind] = Counter()
        self.fault: str | None = None
        self._asked_to_stop = stop
        self._seen = db.version()
        self._overtaken = False
        self._progress = progress
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
        self._progress(sum(outcome.kind is not OutcomeKind.UNSENT for outcome in outcomes))
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


FINAL = {
    OutcomeKind.DEAD: "no such address",
    OutcomeKind.FULL: FULL,
    OutcomeKind.POLICY: "refused by policy",
    OutcomeKind.REFUSED: "refused",
}


def _as_try(outcome: Outcome) -> Outcome:
    """A message under which the connection is lost each time has been tried, and waits like any
    other: else it would be due for ever.
    """
    begun = outcome.server and outcome.phase in (Phase.MAIL, Phase.RCPT, Phase.DATA)
    if outcome.kind is OutcomeKind.UNSENT and begun:
        return replace(outcome, kind=OutcomeKind.PASSING)
    return outcome


def settlement_of(outcome: Outcome, due: Due | DueNotice, moment: datetime) -> Settlement:
    """What an outcome means for its row: the state, and when it is due again."""
    status, due_at, reason, counts = DeliveryStatus.QUEUED, None, None, True
    if outcome.kind is OutcomeKind.SENT:
        status = DeliveryStatus.SENT
    elif outcome.kind is OutcomeKind.UNCERTAIN:
        status, reason = DeliveryStatus.UNCERTAIN, "no answer after the body was handed over"
    elif outcome.kind in FINAL:
        status, reason = DeliveryStatus.FAILED, FINAL[outcome.kind]
    elif outcome.kind is OutcomeKind.PASSING:
        first = due.first_tried_at or moment
        due_at = due_again(due.attempts + 1, first_try=first, now=moment)
        if due_at is None:
            status, reason = DeliveryStatus.FAILED, "tries used up"
    else:
        due_at, counts = moment, False
    return Settlement(
        outcome.delivery_id,
        status,
        due_at=due_at,
        server=outcome.server,
        answer=answer_text(outcome),
        reason=reason,
        counts_as_try=counts,
    )
