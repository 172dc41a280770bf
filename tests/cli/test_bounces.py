"""`digest bounces list`: what came back, by kind, on the newsroom's clock."""

from datetime import UTC, datetime

from digest.audience.suppressions import Report, keep_report
from digest.bounces.reports import ReturnKind
from digest.cli.recipients import KINDS
from tests.desks import Desk


def letters(desk: Desk, count: int) -> None:
    with desk.open() as db, db.write():
        for i in range(count):
            keep_report(
                db,
                Report(
                    sha256=str(i),
                    kind="leave",
                    found_by=None,
                    recipient_id=None,
                    edition_id=None,
                    status_code=None,
                    diagnostic=None,
                    raw=b"x",
                ),
                datetime(2026, 11, 22, 20, 30, tzinfo=UTC),
            )


def test_every_kind_of_letter_can_be_asked_for() -> None:
    """For the operator: the list of kinds that is allowed is that of what is kept."""
    assert tuple(kind.value for kind in ReturnKind) == KINDS


def test_letters_are_told_by_the_clock_of_the_newsroom(filled: Desk) -> None:
    """For the operator in Ashgabat, where it is the next day already; and a cut is told."""
    letters(filled, 3)
    assert "2026-11-23 01:30" in filled.run("bounces", "list").stdout
    cut = filled.run("bounces", "list", "--kind", "leave", "--limit", "2").stdout
    assert "2 letters, and there are more: --limit 4 shows them." in cut
    assert filled.run("bounces", "list", "--kind", "hard").stdout.startswith("0 letters.")
