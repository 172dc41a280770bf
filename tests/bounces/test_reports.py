"""Reading returned mail: its meaning and its recipient; the samples in tests/data/reports are our own."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.bounces import reports
from digest.bounces.reports import LARGEST_READ, FoundBy, ReturnAddresses, ReturnKind, read_report
from digest.mail.tokens import DeliveryKey, Purpose, token_for

KEY = b"a key of 32 bytes for the tests."
OURS = ReturnAddresses("leave@news.example", (KEY,))
DELIVERY = DeliveryKey(48, 1234)
TOKEN = token_for(KEY, *DELIVERY)
SAMPLES = Path(__file__).parents[1] / "data" / "reports"


def sample(name: str) -> bytes:
    return (SAMPLES / f"{name}.eml").read_bytes()


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        pytest.param("postfix-no-such-user", ReturnKind.HARD, id="no such user"),
        pytest.param("exim-mailbox-full", ReturnKind.SOFT, id="5.0.0, but full in words"),
        pytest.param("exchange-policy", ReturnKind.POLICY, id="5.7.1"),
        pytest.param("original-recipient", ReturnKind.HARD, id="5.1.10"),
        pytest.param("envelope-id", ReturnKind.SOFT, id="no route, and no words"),
        pytest.param("expired", ReturnKind.SOFT, id="failed with class 4: time was up"),
        pytest.param("delayed", ReturnKind.DELAYED, id="delayed is no bounce"),
        pytest.param("relayed", ReturnKind.DELIVERED, id="relayed is no bounce"),
        pytest.param("alias-half-alive", ReturnKind.SOFT, id="an alias with one dead member"),
        pytest.param("opensmtpd-error", ReturnKind.HARD, id="OpenSMTPD's own action"),
        pytest.param("qmail-text", ReturnKind.HARD, id="words only"),
        pytest.param("rejected-quota", ReturnKind.SOFT, id="Dovecot's rejection of a full box"),
        pytest.param("wrapped-by-gateway", ReturnKind.HARD, id="enclosed by a gateway"),
        pytest.param("complaint", ReturnKind.COMPLAINT, id="abuse"),
        pytest.param("complaint-sparse", ReturnKind.COMPLAINT, id="abuse, no other field"),
        pytest.param("not-spam", ReturnKind.UNKNOWN, id="not-spam is no complaint"),
        pytest.param("vacation-header", ReturnKind.VACATION, id="Auto-Submitted"),
        pytest.param("vacation-precedence", ReturnKind.VACATION, id="Precedence: auto_reply"),
        pytest.param("vacation-russian", ReturnKind.VACATION, id="Russian subject"),
        pytest.param("vacation-german", ReturnKind.VACATION, id="German subject"),
        pytest.param("vacation-quoting", ReturnKind.VACATION, id="vacation that quotes a bounce"),
        pytest.param("receipt", ReturnKind.VACATION, id="read receipt"),
        pytest.param("leave-apple", ReturnKind.LEAVE, id="Apple Mail calls leaving auto-replied"),
        pytest.param("leave-plain", ReturnKind.LEAVE, id="plain address for leaving"),
        pytest.param("person", ReturnKind.UNKNOWN, id="a reader writes"),
    ],
)
def test_a_mail_that_came_back_is_classed(name: str, kind: ReturnKind) -> None:
    """Only dead addresses are suppressed; only abuse and a wish to leave end a subscription."""
    assert read_report(sample(name), OURS).kind is kind


@pytest.mark.parametrize(
    ("name", "found_by"),
    [
        pytest.param("postfix-no-such-user", FoundBy.VERP, id="VERP"),
        pytest.param("leave-apple", FoundBy.VERP, id="VERP form of the address for leaving"),
        pytest.param("person", FoundBy.VERP, id="VERP of what cannot be read"),
        pytest.param("envelope-id", FoundBy.ENVELOPE, id="Original-Envelope-Id, upper case"),
        pytest.param("complaint", FoundBy.ENVELOPE, id="Original-Mail-From"),
        pytest.param("wrapped-by-gateway", FoundBy.VERP, id="VERP of the report inside"),
        pytest.param("exim-mailbox-full", FoundBy.MESSAGE_ID, id="enclosed mail"),
        pytest.param("exchange-policy", FoundBy.MESSAGE_ID, id="enclosed headers"),
        pytest.param("complaint-sparse", FoundBy.MESSAGE_ID, id="complaint's last Message-ID"),
        pytest.param("qmail-text", FoundBy.MESSAGE_ID, id="copy in the text"),
    ],
)
def test_a_report_finds_its_delivery(name: str, found_by: FoundBy) -> None:
    """Even a small part of our mail has the token, which names edition and recipient."""
    read = read_report(sample(name), OURS)
    assert (read.delivery, read.found_by) == (DELIVERY, found_by)


@pytest.mark.parametrize(
    ("name", "found_by", "address"),
    [
        pytest.param("original-recipient", FoundBy.RECIPIENT, "anna@reader.example", id="original"),
        pytest.param("complaint-redacted", FoundBy.RECIPIENT, "redacted@reader.example", id="redacted"),
        pytest.param("leave-plain", FoundBy.SENDER, "anna@reader.example", id="sender"),
        pytest.param("leave-quoting", FoundBy.SENDER, "boris@other.example", id="not the quoted"),
    ],
)  # fmt: skip
def test_without_a_token_the_address_is_returned(
    name: str, found_by: FoundBy, address: str
) -> None:
    """Somebody who forwards a mail does not unsubscribe its recipient; the caller sees the claim."""
    read = read_report(sample(name), OURS)
    assert (read.delivery, read.found_by, read.addresses) == (None, found_by, (address,))


def test_another_key_finds_no_delivery() -> None:
    """A report with a made-up token suppresses nobody by it."""
    strangers = ReturnAddresses(OURS.leave, (b"another key of the same length..",))
    read = read_report(sample("postfix-no-such-user"), strangers)
    assert (read.delivery, read.found_by) == (None, FoundBy.RECIPIENT)


def test_the_answer_of_the_server_is_read() -> None:
    """An operator can see why an address was suppressed."""
    read = read_report(sample("postfix-no-such-user"), OURS)
    assert read.status == "5.1.1"
    assert read.diagnostic.endswith("no such user")
    assert read.message_id == f"<weekly.48.{TOKEN}@news.example>"


def test_each_address_of_a_report_has_its_own_kind() -> None:
    """Of an alias only the dead member is named; the other is known to be alive."""
    read = read_report(sample("alias-half-alive"), OURS)
    assert read.addresses == ("press-one@reader.example",)
    assert [(one.final, one.kind) for one in read.failures] == [
        ("press-one@reader.example", ReturnKind.HARD),
        ("press-two@reader.example", ReturnKind.DELIVERED),
    ]


@pytest.mark.parametrize(
    "letter",
    [
        pytest.param("From: postmaster@reader.example\n", id="a postmaster"),
        pytest.param("From: Mail System Team <it@reader.example>\n", id="a name of a system"),
        pytest.param(
            "From: a@b.example\nAuto-Submitted: auto-replied (rejected)\n", id="a program"
        ),
        pytest.param("Subject: no From at all\n", id="nobody"),
    ],
)
def test_our_token_beside_the_address_for_leaving_is_enough(letter: str) -> None:
    """Whoever wrote it, and however: only its reader and their programs have it."""
    reader = token_for(KEY, *DELIVERY, Purpose.READER)
    read = read_report(
        f"{letter}To: leave+{reader}@news.example\n\n550 no such user\n".encode(), OURS
    )
    assert (read.kind, read.found_by, read.delivery) == (ReturnKind.LEAVE, FoundBy.VERP, DELIVERY)


def test_a_token_elsewhere_does_not_unsubscribe() -> None:
    """An automatic answer to our return path may also go to the address for leaving."""
    mail = f"From: a@b.example\nTo: bounces+{TOKEN}@news.example\nCc: leave@news.example\n\n\n"
    read = read_report(mail.encode(), OURS)
    assert (read.kind, read.found_by, read.delivery) == (ReturnKind.LEAVE, FoundBy.SENDER, None)


def test_a_bounce_to_the_address_for_leaving_unsubscribes_nobody() -> None:
    """Only a person, or their mail program, unsubscribes; a mail system never does."""
    bounce = sample("qmail-text").replace(b"To: bounces@", f"To: leave+{TOKEN}@".encode())
    assert read_report(bounce, OURS).kind is ReturnKind.HARD


@pytest.mark.parametrize(
    ("action", "status", "diagnostic", "kind"),
    [
        pytest.param("failed", "5.1.1", "", ReturnKind.HARD, id="no such mailbox"),
        pytest.param("failed", "5.2.1", "", ReturnKind.SOFT, id="disabled, for how long?"),
        pytest.param("failed", "5.2.1", "550 account disabled", ReturnKind.HARD, id="disabled"),
        pytest.param("failed", "5.2.2", "", ReturnKind.SOFT, id="mailbox full"),
        pytest.param("failed", "5.1.1", "552 over quota", ReturnKind.SOFT, id="full, wrong code"),
        pytest.param("failed", "5.7.26", "", ReturnKind.POLICY, id="DMARC"),
        pytest.param("failed", "5.7.17", "", ReturnKind.HARD, id="mailbox has another owner"),
        pytest.param("failed", "5.1.8", "", ReturnKind.POLICY, id="our sender is refused"),
        pytest.param("failed", "5.2.3", "", ReturnKind.POLICY, id="too large for the mailbox"),
        pytest.param("failed", "5.4.6", "", ReturnKind.SOFT, id="routing loop"),
        pytest.param("failed", "4.4.7", "", ReturnKind.SOFT, id="time was up"),
        pytest.param("failed", "5.0.0", "550 5.1.1 x", ReturnKind.HARD, id="quoted code, hard"),
        pytest.param("failed", "5.0.0", "550 5.7.1 x", ReturnKind.POLICY, id="quoted code, policy"),
        pytest.param("failed", "5.0.0", "451 4.3.0 x", ReturnKind.SOFT, id="quoted code, soft"),
        pytest.param("failed", "5.0.0", "550 user unknown", ReturnKind.HARD, id="words, hard"),
        pytest.param("failed", "5.0.0", "550 listed by DNSBL", ReturnKind.POLICY, id="block list"),
        pytest.param("failed", "5.0.0", "554 no", ReturnKind.POLICY, id="554 without a reason"),
        pytest.param("failed", "", "452 x", ReturnKind.SOFT, id="reply code alone"),
        pytest.param("failed", "", "", ReturnKind.SOFT, id="failed without any reason"),
        pytest.param("failed", "5.0.0", "550 from 5.1.1.20", ReturnKind.SOFT, id="address as code"),
        pytest.param("failed (x)", "5.1.1", "", ReturnKind.HARD, id="action with a comment"),
        pytest.param("delayed", "4.2.2", "quota", ReturnKind.DELAYED, id="delayed"),
        pytest.param("delivered", "2.1.5", "", ReturnKind.DELIVERED, id="delivered"),
        pytest.param("expanded", "2.0.0", "", ReturnKind.DELIVERED, id="expanded"),
        pytest.param("", "5.1.1", "", ReturnKind.HARD, id="no action, class 5"),
        pytest.param("", "4.2.0", "", ReturnKind.DELAYED, id="no action, class 4"),
        pytest.param("", "", "", ReturnKind.UNKNOWN, id="nothing"),
    ],
)
def test_a_status_is_classed(action: str, status: str, diagnostic: str, kind: ReturnKind) -> None:
    """RFC 3463, and how mail systems use it."""
    status_read = reports.best_status(status, diagnostic)
    assert reports.kind_of(action, status_read, diagnostic)[0] is kind


def test_an_encoded_report_is_read() -> None:
    """RFC 3464 forbids it, but some systems do it."""
    import base64

    whole = sample("postfix-no-such-user")
    before, marker, rest = whole.partition(b"Content-Type: message/delivery-status\n\n")
    fields, end, after = rest.partition(b"\n--=_b\n")
    encoded = marker[:-1] + b"Content-Transfer-Encoding: base64\n\n" + base64.encodebytes(fields)
    read = read_report(before + encoded + end + after, OURS)
    assert (read.kind, read.status) == (ReturnKind.HARD, "5.1.1")


MIXED = b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n"
NAMES = sorted(path.stem for path in SAMPLES.glob("*.eml"))
CHANGE = st.tuples(st.integers(0, 3000), st.integers(0, 40), st.binary(max_size=8))


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(NAMES), st.lists(CHANGE, max_size=6))
def test_a_broken_report_is_read_without_an_error(
    name: str, changes: list[tuple[int, int, bytes]]
) -> None:
    """One bad mail never stops the reading of the others."""
    raw = sample(name)
    for place, length, new in changes:
        raw = raw[:place] + new + raw[place + length :]
    assert read_report(raw, OURS).kind in ReturnKind


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\x00\xff" * 5000, id="no text"),
        pytest.param(b"To: \xff\xfe <bounces@news.example>\nSubject: =?x?b?!?=\n\n", id="8 bit"),
        pytest.param(b"Content-Type: multipart/report; boundary*=utf-9''%ff%\n\n--x\n", id="odd boundary"),
        pytest.param(b"Content-Type: text/plain; charset=no-such\nContent-Transfer-Encoding: base64\n\n!!", id="odd charset"),
        pytest.param(b"Content-Type: message/rfc822\n\n" * 3000, id="nested without end"),
        pytest.param(b"".join(MIXED % (i, i) for i in range(2000)), id="parts without end"),
        pytest.param(b"A: b\n\n" + b"x" * (LARGEST_READ + 10), id="larger than is read"),
        pytest.param(b"Subject: " + b" " * 400_000 + b"x\n\n", id="a field of spaces"),
        pytest.param(b"Subject: " + b"!" * 400_000 + b"x\n\n", id="a field of signs"),
        pytest.param(b"A: b\n\n" + b"a," * 60_000, id="a line that is looked at from each sign"),
        pytest.param(b"Content-Type: message/delivery-status\n\n" + b"\n" * 100_000, id="groups without end"),
    ],
)  # fmt: skip
def test_any_bytes_are_read(raw: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """Anybody can send us anything; a mail that breaks a library logs nothing."""
    assert read_report(raw, OURS).kind in {ReturnKind.UNKNOWN, ReturnKind.SOFT}
    assert caplog.records == []


def test_either_token_proves_a_report() -> None:
    """A provider may cut the Message-ID out of the mail that it encloses, but leave the link."""
    reader = token_for(KEY, *DELIVERY, Purpose.READER).encode()
    for name in ("complaint-sparse", "exim-mailbox-full"):
        assert read_report(sample(name).replace(TOKEN.encode(), reader), OURS).delivery == DELIVERY
