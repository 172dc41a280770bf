"""`digest bounces list`: by kind, in the newsroom's time zone."""

from datetime import UTC, datetime

from digest.audience.evidence import STATES as IN_WORDS
from digest.audience.evidence import Evidence, take_evidence
from digest.bounces.reports import ReturnKind
from digest.cli.bounces import KINDS, STATES
from tests.desks import Desk


def test_every_kind_of_bounce_can_be_asked_for() -> None:
    """For the operator: the kinds that are allowed are those that are stored."""
    assert tuple(kind.value for kind in ReturnKind) == KINDS
    assert tuple(IN_WORDS) == STATES


def test_bounces_are_listed_in_the_time_zone_of_the_newsroom(filled: Desk) -> None:
    """For the operator in Ashgabat, where it is the next day already; and a cut is reported."""
    with filled.open() as db, db.write():
        for name in "abc":
            said = Evidence(key=name.encode(), kind="leave", proven=False, raw=b"x")
            take_evidence(db, said, datetime(2026, 11, 22, 20, 30, tzinfo=UTC))
    assert "2026-11-23 01:30" in filled.run("bounces", "list").stdout
    cut = filled.run("bounces", "list", "--kind", "leave", "--limit", "2").stdout
    assert "2 bounces, and there are more: --limit 4 shows them." in cut
    assert filled.run("bounces", "list", "--kind", "hard").stdout.startswith("0 bounces.")
