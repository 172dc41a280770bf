"""Cron rules: which are valid, and which wall-clock times they name."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.config.values import parse_rule

RULES = ("0 8 * * mon", "30 2 * * *", "*/15 9-17 * * mon-fri", "0 6 1,15 * *", "0 7 last feb *")
START = datetime.fromisoformat("1980-01-01T00:00")


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        pytest.param("0 8 * *", "not 4 fields", id="a field is missing"),
        pytest.param("", "not 0 fields", id="empty"),
        pytest.param("60 8 * * mon", "the minute must be 0 to 59, not '60'", id="minute"),
        pytest.param("0 24 * * mon", "the hour must be 0 to 23, not '24'", id="hour"),
        pytest.param("0 8 32 * *", "the day must be 1 to 31, or last, not '32'", id="day"),
        pytest.param("0 8 * 13 *", "the month must be 1 to 12, or jan to dec, not '13'", id="month"),
        pytest.param("0 8 * maj *", "jan to dec, not 'maj'", id="month's name"),
        pytest.param("0 8 * * 1", "without digits, not '1'", id="weekday in digits"),
        pytest.param("0 8 * * mon,0", "without digits, not 'mon,0'", id="hidden digit"),
        pytest.param("0 8 * * fri-mon", "not 'fri-mon'", id="range that wraps"),
        pytest.param("0 8 * * mon#1", "not 'mon#1'", id="no trailing signs"),
        pytest.param("*/0 8 * * mon", "not '*/0'", id="step of nothing"),
        pytest.param("0 8 1 * mon", "a day of the month or a weekday", id="and, or or"),
        pytest.param("0 8 31 feb *", "a day that the calendar has", id="never"),
    ],
)  # fmt: skip
def test_a_rule_that_could_be_misread_is_refused(rule: str, message: str):
    """The message says what it must be and what was found; nothing is guessed."""
    with pytest.raises(ValueError, match=r"^(the \w+ )?must (be|have) .*, (with|not) ") as caught:
        parse_rule(rule)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("rule", "after", "expected"),
    [
        pytest.param("0 8 * * mon", "2026-11-22T12:00", "2026-11-23T08:00", id="weekly"),
        pytest.param("0 8 * * MON", "2026-11-22T12:00", "2026-11-23T08:00", id="capitals"),
        pytest.param("0 8 * * mon", "2026-11-23T08:00", "2026-11-30T08:00", id="strictly after"),
        pytest.param("0 8 * * sun", "2026-11-21T12:00", "2026-11-22T08:00", id="sunday is sunday"),
        pytest.param("0 8 * * mon-fri", "2026-11-20T09:00", "2026-11-23T08:00", id="weekdays"),
        pytest.param("0 8 * * tue,thu", "2026-11-24T09:00", "2026-11-26T08:00", id="a list of days"),
        pytest.param("0 8 last * *", "2026-02-10T09:00", "2026-02-28T08:00", id="end of the month"),
        pytest.param("0 8 29 feb *", "2026-03-01T09:00", "2028-02-29T08:00", id="leap day"),
        pytest.param("0 8 1 jan-mar *", "2026-03-01T09:00", "2027-01-01T08:00", id="months by name"),
        pytest.param("*/20 * * * *", "2026-03-01T09:41", "2026-03-01T10:00", id="steps"),
    ],
)  # fmt: skip
def test_a_rule_names_wall_clock_times(rule: str, after: str, expected: str):
    """Fields mean what cron says, weekdays by name, without any zone."""
    assert parse_rule(rule).after(datetime.fromisoformat(after)) == datetime.fromisoformat(expected)


def test_spacing_and_capitals_do_not_matter():
    """Two spellings of a rule compare equal."""
    assert parse_rule(" 0  8 * * Mon") == parse_rule("0 8 * * mon")


@settings(max_examples=60, deadline=None)
@given(
    rule=st.sampled_from(RULES),
    wall=st.integers(0, 63_000_000).map(lambda minutes: START + timedelta(minutes=minutes)),
)
def test_before_is_the_inverse_of_after(rule: str, wall: datetime):
    """`after` the time before `wall` is past `wall`, and no time between is skipped."""
    parsed = parse_rule(rule)
    before = parsed.before(wall)
    assert before is not None
    assert before < wall <= parsed.after(before)
    assert parsed.before(before + timedelta(microseconds=1)) == before


def test_before_1970_there_are_no_times():
    """A clock that lost its battery is not a crash."""
    assert parse_rule("0 8 * * mon").before(datetime.fromisoformat("1970-01-02")) is None


@pytest.mark.parametrize(
    ("every", "since", "first", "second"),
    [
        (1, None, "2026-11-30T08:00", "2026-12-07T08:00"),
        (2, None, "2026-12-07T08:00", "2026-12-21T08:00"),
        (2, "2026-11-25T09:00", "2026-11-30T08:00", "2026-12-14T08:00"),
        (2, "2026-12-14T09:00", "2026-12-07T08:00", "2026-12-21T08:00"),
        (3, "2026-11-30T08:00", "2026-12-07T08:00", "2026-12-28T08:00"),
    ],
)
def test_a_rule_may_count_in_some_weeks_only(every, since, first, second):
    """For the newsroom with a fortnightly digest: also across a year of 53 weeks."""
    start = None if since is None else datetime.fromisoformat(since)
    rule = parse_rule("0 8 * * mon").every(every, start)
    assert rule.after(datetime.fromisoformat("2026-11-25T00:00")) == datetime.fromisoformat(first)
    assert rule.after(datetime.fromisoformat(first)) == datetime.fromisoformat(second)
    assert rule.before(datetime.fromisoformat(second)) == datetime.fromisoformat(first)
