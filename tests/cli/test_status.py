"""`digest status`: the last editions as bars, the last weeks as lines, and what to do."""

import re
from datetime import UTC, datetime

import pytest

from digest.cli.status import MARKS, bar_of, rising
from digest.newsroom import Newsroom
from digest.store.database import text_from_moment
from tests.desks import Desk


@pytest.mark.parametrize(
    ("counts", "bar"),
    [
        pytest.param({}, "", id="nobody to mail"),
        pytest.param({"sent": 7}, "▇▇▇▇▇▇▇▇", id="all sent"),
        pytest.param({"sent": 3, "queued": 1}, "▇▇▇▇▇▇░░", id="shares"),
        pytest.param({"sent": 99_999, "uncertain": 1}, "▇▇▇▇▇▇▇?", id="one of many shows"),
        pytest.param(
            dict.fromkeys(reversed(MARKS), 1) | {"sent": 994}, "▇▇▇▒░?×·", id="each by its sign"
        ),
    ],
)
def test_a_bar_shows_every_state_that_occurs(counts: dict[str, int], bar: str) -> None:
    """For the operator: a single uncertain delivery is seen, without a colour."""
    assert bar_of(counts, 8) == bar


@pytest.mark.parametrize(
    ("counts", "line"),
    [
        pytest.param([0, 0], "··", id="nothing"),
        pytest.param([1, 2, 4, 8], "▁▂▄▇", id="rising"),
        pytest.param([1000, 1, 0], "▇▁·", id="little is not nothing"),
        pytest.param([5, 5, 5], "▇▇▇", id="even"),
    ],
)
def test_weeks_are_as_high_as_their_share_of_the_highest(counts: list[int], line: str) -> None:
    """For the editor: whether a theme grows or dries up."""
    assert rising(counts) == line


def test_the_last_editions_and_weeks_are_shown(filled: Desk) -> None:
    """For the operator in the morning, and for programs the same."""
    filled.run("recipients", "add", "anna@example.org")
    filled.run("recipients", "add", "bo@example.org")
    assert filled.run("send", "--yes").exit_code == 0
    status = filled.json("status")
    [edition] = status["last_editions"]
    assert (edition["digest"], edition["number"]) == ("weekly", 1)
    assert edition["deliveries"] == {"sent": 2}
    mondays = status["weeks"]["mondays"]
    assert len(mondays) == 8
    assert all(datetime.fromisoformat(day).replace(tzinfo=UTC).weekday() == 0 for day in mondays)
    printed = filled.run("status").stdout
    assert "weekly no. 1" in printed
    assert "▇ sent" in printed
    assert "\x1b[" not in printed  # no terminal, no colour


def test_what_came_in_is_counted_in_its_week(filled: Desk) -> None:
    """For the editor: the weeks of each theme add up to its articles as long as they are recent."""
    now = text_from_moment(Newsroom.from_file(filled.config).now())
    with filled.open() as db, db.write():
        db.run("UPDATE articles SET first_seen_at = ?", (now,))
    status = filled.json("status")
    for theme, weeks in status["weeks"]["themes"].items():
        assert weeks[-1] == sum(weeks) == sum(status["themes"][theme].values())


def test_a_source_that_never_answered_is_shown(filled: Desk) -> None:
    """It has only been asked so far."""
    with filled.open() as db, db.write():
        db.run("INSERT INTO sources (name, kind, title) VALUES ('wire', 'feed', 'Wire')")
    assert re.search("wire .* never", filled.run("status").stdout)


def test_what_is_wrong_is_shown_with_what_to_do(filled: Desk) -> None:
    """For the operator: a held edition is named, with the command that releases it."""
    filled.run("recipients", "add", "anna@example.org")
    assert filled.run("compose").exit_code == 0
    with filled.open() as db, db.write():
        db.run(
            """INSERT OR IGNORE INTO editions
                 (digest, number, starts_at, ends_at, status, hash, composed_at,
                      approved_at)
               VALUES ('weekly', 9, '2026-11-16T00:00:00.000000Z', '2026-11-18T00:00:00.000000Z',
                       'held', '', '2026-11-18T00:00:00.000000Z',
                           '2026-11-18T00:00:00.000000Z')"""
        )
    printed = filled.run("status").stdout
    assert "What to do" in printed
    assert "digest editions release" in printed
    assert "weekly no. 9, held" in printed
    assert any("release" in one["advice"] for one in filled.json("status")["troubles"])
