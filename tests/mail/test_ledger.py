"""The meaning of answers."""

from datetime import UTC, datetime, timedelta

import pytest

from digest.mail.ledger import class_of, due_again, enhanced_code, slows_down
from digest.mail.outgoing import OutcomeKind, Phase

FIRST = datetime(2026, 11, 16, 8, 0, tzinfo=UTC)
K, P = OutcomeKind, Phase


@pytest.mark.parametrize(
    ("code", "text", "phase", "kind"),
    [
        pytest.param(250, "2.0.0 queued", P.END, K.SENT, id="taken"),
        pytest.param(251, "will forward", P.END, K.SENT, id="any 2yz at the end is taken"),
        pytest.param(421, "4.3.2 closing", P.CONNECT, K.PASSING, id="421 at connect"),
        pytest.param(421, "too many", P.RCPT, K.PASSING, id="421 at RCPT"),
        pytest.param(421, "too many", P.END, K.PASSING, id="421 after the body"),
        pytest.param(450, "4.2.0 greylisted", P.RCPT, K.PASSING, id="greylisting"),
        pytest.param(451, "local error", P.MAIL, K.PASSING, id="451 at MAIL"),
        pytest.param(452, "4.2.2 mailbox full", P.RCPT, K.PASSING, id="full, but for a while"),
        pytest.param(454, "4.7.0 TLS not now", P.TLS, K.PASSING, id="454 at STARTTLS"),
        pytest.param(454, "4.7.0 later", P.AUTH, K.PASSING, id="454 at login"),
        pytest.param(451, "4.7.1 slow down", P.END, K.PASSING, id="4.7.z after the body"),
        pytest.param(552, "too many recipients", P.RCPT, K.PASSING, id="552 at RCPT is an old 452"),
        pytest.param(-1, "garbage", P.RCPT, K.PASSING, id="no SMTP before the body"),
        pytest.param(-1, "garbage", P.END, K.UNCERTAIN, id="no SMTP after it: perhaps taken"),
        pytest.param(354, "go ahead", P.END, K.UNCERTAIN, id="nonsense after the body"),
        pytest.param(250, "ok", P.DATA, K.PASSING, id="nonsense before the body"),
        pytest.param(550, "5.1.1 no such user", P.RCPT, K.DEAD, id="550 5.1.1"),
        pytest.param(551, "5.1.6 moved", P.RCPT, K.DEAD, id="551 5.1.6"),
        pytest.param(553, "5.1.3 bad address", P.RCPT, K.DEAD, id="553 5.1.3"),
        pytest.param(550, "#5.1.0 Address rejected.", P.RCPT, K.DEAD, id="a sign before the code"),
        pytest.param(550, "5.1.1 no such user", P.END, K.DEAD, id="dead, after the body"),
        pytest.param(521, "5.3.2 takes no mail", P.RCPT, K.DEAD, id="521"),
        pytest.param(556, "5.1.10 null MX", P.RCPT, K.DEAD, id="556"),
        pytest.param(552, "5.2.2 over quota", P.END, K.FULL, id="552 5.2.2"),
        pytest.param(552, "5.2.2 over quota", P.RCPT, K.FULL, id="5.2.2 speaks for itself at RCPT"),
        pytest.param(550, "5.2.2 over quota", P.RCPT, K.FULL, id="550 5.2.2"),
        pytest.param(552, "over quota", P.END, K.FULL, id="552 in DATA"),
        pytest.param(552, "over quota", P.DATA, K.FULL, id="552 to DATA"),
        pytest.param(552, "5.3.4 too big", P.END, K.POLICY, id="our size is not their quota"),
        pytest.param(550, "5.7.1 refused", P.RCPT, K.POLICY, id="550 5.7.1"),
        pytest.param(554, "5.7.1 spam", P.END, K.POLICY, id="554 5.7.1"),
        pytest.param(554, "transaction failed", P.END, K.POLICY, id="554 alone"),
        pytest.param(550, "5.7.26 no DMARC", P.END, K.POLICY, id="two figures"),
        pytest.param(550, "no such user", P.RCPT, K.DEAD, id="words without a code"),
        pytest.param(550, "no", P.RCPT, K.REFUSED, id="550 without code or words kills nobody"),
        pytest.param(550, "5.1.0 sender rejected", P.RCPT, K.POLICY, id="5.1.0 about us"),
        pytest.param(550, "5.1.1 blocked by SPF policy", P.RCPT, K.POLICY, id="5.1.1 about us"),
        pytest.param(550, "5.1.1 mailbox full", P.RCPT, K.FULL, id="5.1.1, but full"),
        pytest.param(
            550, "5.1.2 connection timed out", P.RCPT, K.REFUSED, id="5.1.2, but no answer"
        ),
        pytest.param(501, "5.1.3 bad syntax", P.RCPT, K.REFUSED, id="501"),
        pytest.param(503, "5.5.1 bad sequence", P.DATA, K.REFUSED, id="503"),
        pytest.param(550, "5.1.1.10 is your address", P.RCPT, K.REFUSED, id="an IP is no code"),
        pytest.param(554, "no service", P.CONNECT, K.OURS, id="554 greeting"),
        pytest.param(521, "no mail here", P.CONNECT, K.OURS, id="521 greeting: our relay"),
        pytest.param(550, "bad name", P.EHLO, K.OURS, id="EHLO refused"),
        pytest.param(535, "5.7.8 bad password", P.AUTH, K.OURS, id="login refused"),
        pytest.param(550, "5.7.1 not yours", P.MAIL, K.OURS, id="sender refused"),
        pytest.param(552, "5.3.4 too big", P.MAIL, K.OURS, id="too big at MAIL SIZE="),
        pytest.param(530, "5.7.0 log in first", P.RCPT, K.OURS, id="530 at RCPT"),
        pytest.param(550, "5.1.8 no such domain", P.RCPT, K.OURS, id="5.1.8 is about the sender"),
        pytest.param(553, "5.1.7 bad sender", P.RCPT, K.OURS, id="5.1.7 is about the sender"),
    ],
)
def test_an_answer_is_classed_by_code_text_and_phase(code, text, phase, kind):
    """For the ledger: who is tried again, who is suppressed, and when the run pauses."""
    assert class_of(code, text, phase) is kind


def test_every_code_in_every_phase_has_a_class_and_only_the_end_can_be_sent():
    """For the first promise: only 2yz after the final dot counts as delivered."""
    for phase in Phase:
        for code in range(-1, 1000):
            kind = class_of(code, "", phase)
            assert (kind is K.SENT) == (phase is P.END and 200 <= code < 300)
            assert kind is not K.UNSENT


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("5.1.1 gone", "5.1.1"),
        ("<4.7.0> wait", "4.7.0"),
        ("#5.1.0 no", "5.1.0"),
        ("gone 5.1.1", None),
        ("", None),
        ("5.1.1", "5.1.1"),
        ("5.7.26 x", "5.7.26"),
    ],
)
def test_an_enhanced_code_is_at_the_start(text, code):
    """For the ledger: a number inside the text is no status code."""
    assert enhanced_code(text) == code


def test_421_and_security_deferrals_slow_us_down():
    """For the provider who asks for less."""
    assert slows_down(421, None)
    assert slows_down(450, "4.7.1")
    assert not slows_down(450, "4.2.0")
    assert not slows_down(250, None)


def test_waits_grow_and_end():
    """15 min, 1 h, 4 h, 12 h, 24 h, and then no more."""
    dues = [due_again(n, first_try=FIRST, now=FIRST) for n in range(1, 6)]
    assert [(due - FIRST) / timedelta(hours=1) for due in dues] == [0.25, 1, 4, 12, 24]
    assert due_again(6, first_try=FIRST, now=FIRST) is None


def test_a_delivery_is_given_up_48_hours_after_its_first_try():
    """For a recipient: last week's news does not come next week."""
    late = FIRST + timedelta(hours=30)
    assert due_again(4, first_try=FIRST, now=late) == late + timedelta(hours=12)
    assert due_again(5, first_try=FIRST, now=late) is None
