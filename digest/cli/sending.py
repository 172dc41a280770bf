"""What `digest send` is made of: the plan, the one sender, and the words about how it went."""

import contextlib
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from digest.cli.output import counted, fault, local
from digest.compose import Expected, compose_now, is_worth_sending, preview, segments
from digest.config.settings import DigestConfig
from digest.deliver import EditionReport, Portion, deliver
from digest.editorial.selection import lay_out
from digest.errors import NotReadyError
from digest.mail.answers import answer_text, without_addresses
from digest.mail.outgoing import Outcome, OutcomeKind, Outgoing
from digest.mail.segment import make_segment
from digest.mail.tokens import return_path
from digest.model import Edition, EditionStatus, Segment
from digest.recovery import begin_sending
from digest.rehearsal import EXAMPLE_TOKEN, everything
from digest.store.database import Database, moment_from_text
from digest.store.editions import (
    edition_by_id,
    pending_editions,
    queued_segments,
    waiting_editions,
)
from digest.store.sender import sole_sender, token_key

if TYPE_CHECKING:
    from digest.runtime import Runtime


TEST_DELIVERY = 0
"""No row of the ledger has this number."""


@dataclass(frozen=True, slots=True)
class Planned:
    """An edition that would go out now, and to whom; `frozen` ones were composed before."""

    edition: Edition
    segments: tuple[Segment, ...]
    frozen: bool

    @property
    def recipients(self) -> int:
        return sum(segment.recipients for segment in self.segments)


def plan(
    db: Database, room: "Runtime", config: DigestConfig, expect: Expected | None = None
) -> list[Planned]:
    """What `digest send` would send: what is still queued, the oldest first, then what is new; with
    `expect` that edition alone.
    """
    now = room.now()
    planned = [
        Planned(edition_by_id(db, i), tuple(queued_segments(db, i, now)), frozen=True)
        for i in pending_editions(db, digest=config.name, now=now)
    ]
    fresh = preview(db, room.settings, config, now, expect=expect)
    if fresh is not None and is_worth_sending(db, room.settings, config, fresh, now):
        audience = tuple(segments(db, room.settings, config))
        planned.append(Planned(fresh, audience, frozen=False))
    return [one for one in planned if expect is None or expect.means(one.edition)]


def send_editions(
    db: Database,
    room: "Runtime",
    config: DigestConfig,
    *,
    expect: Expected | None,
    shown: Sequence[Planned] | None,
    portion: Portion,
    progress: Callable[[int], None],
) -> list[EditionReport]:
    """Compose what is new, and deliver it and what was still queued, as the only sender.

    `shown` is what a person has said yes to: no other edition is composed or sent. None: whatever is
    new.

    Raises:
        SenderError: another process sends, or the database is not at home here.
        ExpectationError: the edition is not the one expected.
    """
    with sole_sender(room.settings.store.path, room.now()), stopping() as stop:
        begin_sending(db, room.settings, room.transport, room.here, room.now())
        with db.write():
            key = token_key(db, room.random_bytes)
        only: set[int] | None = None
        composed: Edition | None = None
        if expect is not None:
            only = _expected_frozen(db, room, config, expect)
        if only is None and (shown is None or not all(one.frozen for one in shown)):
            exact = expect or _as_shown(shown or ())
            composed = compose_now(db, room.settings, config, room.now, expect=exact)
        if only is None and (expect is not None or shown is not None):
            seen = [one.edition for one in shown or () if one.frozen]
            only = {one.id for one in (*seen, composed) if one is not None and one.id is not None}
        return deliver(
            db,
            room.settings,
            room.transport,
            room.templates,
            room.now,
            key=key,
            editions=only,
            digest=config.name,
            signer=room.signer,
            portion=portion,
            stop=stop,
            progress=progress,
        )


def _expected_frozen(
    db: Database, room: "Runtime", config: DigestConfig, expect: Expected
) -> set[int] | None:
    """The frozen edition with the expected hash that still has mail to send."""
    for edition_id in pending_editions(db, digest=config.name, now=room.now()):
        if expect.means(edition_by_id(db, edition_id)):
            return {edition_id}
    return None


def _as_shown(shown: Sequence[Planned]) -> Expected | None:
    for one in shown:
        if not one.frozen:
            return Expected(one.edition.hash, one.edition.window.ends_at)
    return None


def what_waits(db: Database, config: DigestConfig, zone: str) -> str:
    """What is queued but does not go out now, and why."""
    told = []
    for row in waiting_editions(db, config.name):
        queued = counted(row["queued"], "delivery", "deliveries")
        if row["status"] == EditionStatus.HELD:
            told.append(
                f" Edition {row['id']} is held with {queued} queued"
                + (f": {row['note']}" if row["note"] else "")
                + f". Next: digest editions release {row['id']}."
            )
        else:
            due_at = local(moment_from_text(row["due_at"]), zone)
            told.append(f" Edition {row['id']}: {queued} put off, the first until {due_at}.")
    return "".join(told)


def send_test(room: "Runtime", config: DigestConfig, planned: Planned, address: str) -> None:
    """The very mail of the largest segment to one address; no delivery is recorded.

    Its links to leave lead nowhere, so that a test ends nobody's subscription.

    Raises:
        NotReadyError: the mail was not taken; what the server said is in the text.
    """
    choice = planned.segments[0].choice if planned.segments else everything(room.settings, config)
    layout = lay_out(planned.edition.placements, choice, per_theme=config.per_theme)
    _, maker = make_segment(
        settings=room.settings,
        digest=config,
        edition=planned.edition,
        layout=layout,
        environment=room.templates,
        signer=room.signer,
    )
    message = Outgoing(
        TEST_DELIVERY,
        return_path(room.settings, EXAMPLE_TOKEN),
        address,
        maker.make(address, None, EXAMPLE_TOKEN),
    )
    told: list[Outcome] = []
    room.transport.deliver(
        iter([message]), handed=lambda _: None, settled=told.extend, stop=lambda: False
    )
    if not told or told[0].kind is not OutcomeKind.SENT:
        said = without_addresses(answer_text(told[0])) if told else "no server could be used"
        raise NotReadyError(f"the test mail was not taken: {said}. Next: digest doctor.")


@contextlib.contextmanager
def stopping() -> Iterator[Callable[[], bool]]:
    """While it lasts, Ctrl-C and SIGTERM ask to stop: nothing new starts, what is under way ends."""
    asked = False

    def ask(number: int, frame: object) -> None:
        nonlocal asked
        if not asked:
            click.echo(
                "Stopping: what is under way comes to its end, the rest stays queued.", err=True
            )
        asked = True

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


WORDS = {
    OutcomeKind.SENT: "sent",
    OutcomeKind.PASSING: "put off by the server",
    OutcomeKind.DEAD: "to no such address",
    OutcomeKind.FULL: "to a full mailbox",
    OutcomeKind.POLICY: "refused by policy",
    OutcomeKind.REFUSED: "refused",
    OutcomeKind.OURS: "held back by a fault of ours",
    OutcomeKind.UNSENT: "not begun",
    OutcomeKind.UNCERTAIN: "uncertain",
}


def tell(reports: Sequence[EditionReport]) -> bool:
    """How each edition went, and what to do next; True when a person must act."""
    act = False
    for report in reports:
        parts = [
            f"{report.outcomes[kind]:,} {WORDS[kind]}" for kind in WORDS if report.outcomes[kind]
        ]
        if report.skipped:
            parts.append(f"{report.skipped:,} skipped")
        click.echo(
            f"Edition {report.edition_id} ({report.digest} no. {report.number}): "
            + (", ".join(parts) or "nothing to send")
            + "."
        )
        if report.fault is not None:
            act = True
            fault(
                f"edition {report.edition_id} is held: {report.fault}. Its recipients stay queued. "
                f"Next: digest doctor, then digest editions release {report.edition_id}."
            )
        if report.outcomes[OutcomeKind.UNCERTAIN] or report.left.get("uncertain"):
            click.echo(
                f"{counted(report.left.get('uncertain', 0), 'delivery is', 'deliveries are')} "
                f"uncertain. Next: digest deliveries list --edition {report.edition_id} "
                "--status uncertain."
            )
        if queued := report.left.get("queued", 0):
            click.echo(
                f"{counted(queued, 'delivery stays', 'deliveries stay')} queued. "
                f"Next: digest send {report.digest}, which sends what is due by then."
            )
    return act
