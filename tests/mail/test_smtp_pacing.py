"""Allowances, throttles, and the look past busy domains."""

from hypothesis import given, settings
from hypothesis import strategies as st

from digest.mail.smtp.queue import LOOK_AHEAD, Lookahead
from digest.mail.smtp.servers import Allowance, Patience, Throttle
from tests.mail.ledger_book import outgoing

PATIENCE = Patience(first=1.0, longest=8.0, recover_after=2)


@given(st.lists(st.floats(0, 3), max_size=60), st.integers(1, 5))
@settings(max_examples=60)
def test_no_stretch_of_time_has_more_starts_than_allowed(gaps, count):
    """For the provider's terms: any second, not only whole ones by the clock."""
    allowance, now, starts = Allowance(count, 1.0), 0.0, []
    for gap in gaps:
        now += gap
        now = max(now, allowance.ready_at())
        allowance.start(now)
        starts.append(now)
    for first, last in zip(starts, starts[count:], strict=False):
        assert last - first >= 1.0 - 1e-9


def test_pauses_double_up_to_the_longest():
    assert [PATIENCE.pause(n) for n in range(1, 7)] == [1, 2, 4, 8, 8, 8]


def test_a_throttle_halves_pauses_and_recovers():
    """For a server that says 421: less at once, longer each time, and back when it goes well."""
    throttle = Throttle(8, PATIENCE)
    throttle.under_way = 8
    throttle.slow(10.0)
    assert (throttle.allowed, throttle.ready_at()) == (4, 11.0)
    assert throttle.over()
    throttle.slow(10.5)
    assert throttle.allowed == 4, "answers within the pause are the same asking"
    throttle.slow(11.0)
    assert (throttle.allowed, throttle.ready_at()) == (2, 13.0)
    for _ in range(4):
        throttle.well()
    assert throttle.allowed == 8


def test_a_throttle_without_limit_slows_to_half_of_what_is_under_way():
    throttle = Throttle(None, PATIENCE)
    throttle.under_way = 7
    throttle.slow(0.0)
    assert throttle.allowed == 3
    throttle.well()
    throttle.well()
    assert throttle.allowed is None


def test_one_message_is_always_allowed():
    throttle = Throttle(2, PATIENCE)
    for now in range(0, 1000, 10):
        throttle.slow(float(now))
    assert throttle.allowed == 1


def taken(lookahead, now=0.0):
    found = []
    while (message := lookahead.take(now)) is not None:
        found.append(message)
    return found


def test_messages_of_a_busy_domain_wait_and_the_others_pass():
    """For everybody else: order is kept within a domain, not between them."""
    mixed = ["a@slow.test", "b@slow.test", "c@fast.test", "d@SLOW.test", "e@other.test"]
    lookahead = Lookahead(iter(outgoing(mixed)), PATIENCE, domain_connections=1)
    first = taken(lookahead)
    assert [m.recipient for m in first] == ["a@slow.test", "c@fast.test", "e@other.test"]
    assert lookahead.ready_at() is None, "only an end helps"
    assert not lookahead.finished
    lookahead.ended(first[0])
    (second,) = taken(lookahead)
    assert second.recipient == "b@slow.test"
    lookahead.ended(second)
    (third,) = taken(lookahead)
    for message in (first[1], first[2], third):
        lookahead.ended(message)
    assert lookahead.finished


def test_no_more_is_held_back_than_the_bound():
    """For the memory: a list sorted by domain does not end up in it."""
    drawn = []

    def messages():
        for message in outgoing(f"r{i}@slow.test" for i in range(5000)):
            drawn.append(message)
            yield message

    lookahead = Lookahead(messages(), PATIENCE, domain_connections=1)
    assert len(taken(lookahead)) == 1
    assert len(drawn) == LOOK_AHEAD + 1
    assert len(lookahead.drain()) == LOOK_AHEAD


def test_a_domain_has_its_allowance_a_minute():
    lookahead = Lookahead(
        iter(outgoing(f"r{i}@slow.test" for i in range(5))), PATIENCE, domain_per_minute=2
    )
    assert len(taken(lookahead, 0.0)) == 2
    assert lookahead.ready_at() == 60.0
    assert len(taken(lookahead, 59.0)) == 0
    assert len(taken(lookahead, 60.0)) == 2
    assert len(taken(lookahead, 120.0)) == 1


def test_a_domain_that_asks_for_less_gets_less_and_recovers():
    """For a provider that says 4.7.z: its domain slows down, nobody else does."""
    people = [f"r{i}@{domain}.test" for i in range(30) for domain in ("slow", "fast")]
    lookahead = Lookahead(iter(outgoing(people)), PATIENCE)
    first = [lookahead.take(0.0) for _ in range(8)]
    lookahead.slow(first[0], 0.0)
    for message in first:
        lookahead.ended(message)
    during = taken(lookahead, 0.5)
    assert {m.recipient.partition("@")[2] for m in during} == {"fast.test"}
    assert lookahead.ready_at() == 1.0
    after = taken(lookahead, 1.0)
    assert len(after) == 2, "half of the four that were under way"
    for message in after:
        lookahead.well(message)
        lookahead.ended(message)
    assert len(taken(lookahead, 1.0)) == 24


def test_what_is_given_back_comes_again():
    """For a message whose connection was lost before its body."""
    lookahead = Lookahead(iter(outgoing(["a@x.test", "b@x.test"])), PATIENCE)
    first, second = taken(lookahead)
    lookahead.give_back(first)
    lookahead.ended(second)
    assert not lookahead.finished
    assert taken(lookahead) == [first]
    lookahead.ended(first)
    assert lookahead.finished
