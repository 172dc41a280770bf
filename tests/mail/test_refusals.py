"""What a refusal means; each row of the table is tested by its own example."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.mail.refusals import NO_REASON, TABLE, Judgement, Verdict, judge

H, S, P = Verdict.HARD, Verdict.SOFT, Verdict.POLICY


@pytest.mark.parametrize("row", [pytest.param(one, id=one["example"][:40]) for one in TABLE["row"]])
def test_each_row_decides_its_example(row: dict[str, str]) -> None:
    """A row without a right example is a row that nobody has tried."""
    judgement = judge(row["example"])
    assert judgement.verdict == row["verdict"]
    assert row["means"] in judgement.because
    assert judgement.full is row.get("full", False)


@pytest.mark.parametrize(
    ("words", "verdict"),
    [
        pytest.param("550 5.1.1 <spam-policy@block.time.example>: User unknown", H, id="harmless address"),
        pytest.param("550 5.1.1 User unknown; see https://policy.block.example/spam", H, id="harmless URL"),
        pytest.param("550 5.1.1 mx7.spam.blocked.example: no such user", H, id="harmless host"),
        pytest.param("550 No such user. To prevent spam we name no others", H, id="harmless words"),
        pytest.param("550 does not exist: double-checking the address for unnecessary spaces", S, id="nobody named"),
        pytest.param("550 5.1.1 User unknown.Please ask", H, id="no space after the full stop"),
        pytest.param("550 5.1.0 Sender rejected: our policy", P, id="sender"),
        pytest.param("550 5.1.1 user unknown, mailbox full", S, id="full beside it"),
        pytest.param("550 5.1.1 too many unknown users from your host", P, id="rate beside it"),
        pytest.param("550 5.1.1 user unknown (greylisted, try again later)", S, id="time beside it"),
        pytest.param("550 5.1.8 Sender address rejected: Domain not found", P, id="our domain"),
        pytest.param("550-Verification failed\n550-no such user\n550 Sender verify failed", P, id="our address"),
        pytest.param("550 5.7.27 Sender address has null MX", P, id="our domain takes no mail"),
        pytest.param("550 5.7.1 Relaying denied", P, id="relaying"),
        pytest.param("554 5.4.14 Hop count exceeded", S, id="loop"),
        pytest.param("550 5.1.1 http://www.spamhaus.org/query/bl?ip=192.0.2.1", P, id="block list in a URL"),
        pytest.param("450 4.1.1 user unknown", S, id="class 4"),
        pytest.param("4.4.7 550 5.1.1 user unknown", H, id="gave up, but the answer was class 5"),
        pytest.param("550 5.2.1 account is disabled", H, id="5.2.1 with words"),
        pytest.param("550 5.7.17 changed hands", H, id="RFC 7293"),
        pytest.param("550 5.7.13 no", S, id="5.7.13 is about a login"),
        pytest.param("550 account temporarily disabled", S, id="for a while"),
        pytest.param("550 5.1.1.20 is your address", S, id="IP address as code"),
        pytest.param("5.1.0 - Unknown address error 550-'5.7.1 Blocked by policy'", P, id="IronPort's prefix"),
        pytest.param("5.1.2 - Bad destination host 'DNS Hard Error looking up there.example (MX): NXDomain'", H, id="no domain"),
        pytest.param("5.1.2 - Bad destination host 'DNS Soft Error looking up there.example'", S, id="DNS fails"),
        pytest.param("550 5.4.4 Invalid domain", H, id="Amazon SES: no domain"),
        pytest.param("501 5.0.0 Invalid domain name", S, id="our greeting"),
        pytest.param("550 5.4.1 All recipient addresses rejected : Access denied", H, id="Office 365 after DATA"),
        pytest.param("554 5.7.1 <anna@there.example>: Recipient address rejected: Access denied", P, id="an access list"),
        pytest.param("Error: No valid recipients for this MM", H, id="gateway to telephones"),
        pytest.param("554 5.5.1 Error: no valid recipients", S, id="only a consequence"),
        pytest.param("550 5.1.1 User unknown (in reply to end of DATA command)", H, id="late, with a code"),
        pytest.param("550 User unknown (in reply to RCPT TO command)", H, id="at the address"),
        pytest.param("554 delivery error: dd This user doesn't have a there.example account (in reply to end of DATA command)", H, id="late, in detail"),
        pytest.param("SMTP error after end of data: host mx.there.example: 550 no such user", P, id="late, Exim"),
        pytest.param("SMTP error after end of data: host mx.there.example: 550 5.1.1 no such user", H, id="late, Exim, with a code"),
    ],
)  # fmt: skip
def test_words_beside_a_code_count(words: str, verdict: Verdict) -> None:
    """A living reader stays, whatever code the server chose; names cannot change the meaning."""
    assert judge(words).verdict is verdict


@pytest.mark.parametrize(
    ("status", "code", "judgement"),
    [
        pytest.param(None, None, NO_REASON, id="nothing"),
        pytest.param("5.0.0", 550, NO_REASON, id="no detail"),
        pytest.param("5.1.1", 550, Judgement(H, "the code 5.1.1 says that there is no such address"), id="5.1.1"),
        pytest.param("5.2.2", None, Judgement(S, "the code 5.2.2 says that the mailbox is full", full=True), id="5.2.2"),
        pytest.param(None, 556, Judgement(H, "the code 556 says that the host or domain takes no mail"), id="RFC 7504"),
    ],
)  # fmt: skip
def test_codes_decide_without_words(
    status: str | None, code: int | None, judgement: Judgement
) -> None:
    """Without any evidence a refusal is soft."""
    assert judge("", status=status, code=code) == judgement


def test_no_pattern_repeats_without_a_bound() -> None:
    """Strangers write the words: "ящикаящика…" without end once took a minute."""
    lists = [row["words"] for table in ("row", "harmless") for row in TABLE[table]]
    for pattern in (word for words in [*lists, *TABLE["names"].values()] for word in words):
        assert not re.search(r"(?<!\\)[*+]|\{\d+,\}", pattern), pattern


@given(st.text(max_size=300), st.sampled_from([None, "5.1.1", "4.0.0"]))
def test_any_words_are_judged(words: str, status: str | None) -> None:
    """Strangers write them."""
    judgement = judge(words, status=status)
    assert judgement.verdict in Verdict
    assert judgement.because
