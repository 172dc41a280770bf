"""Taking in returned mail: which reports count, and when a message is done."""

import email
import email.policy
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from digest.audience.evidence import list_returns, list_suppressions, waiting
from digest.bounces.intake import MOST_ASKED, ReturnsReport, take_returns
from digest.mail.dkim import Signer, load_key
from digest.mail.maildir import MaildirTransport
from digest.mail.tokens import Purpose, find_tokens, token_for
from tests.desks import Desk, opened
from tests.mailing import KEY, Office, write_key

ANNA = "anna@reader.example"
STRANGER = b"another key of the same length.."


@pytest.fixture
def office(filled: Desk) -> Iterator[Office]:
    """Anna was sent an edition just now."""
    with filled.open() as db:
        made = Office(filled, db, transport=MaildirTransport(filled.folder / "outbox"))
        made.add(ANNA)
        made.compose()
        made.deliver()
        yield made


def take(
    office: Office,
    *messages: bytes,
    done: Callable[[str], None] = lambda _: None,
    signer: Signer | None = None,
) -> ReturnsReport:
    named = [(str(n), message) for n, message in enumerate(messages, 1)]
    newsroom = opened(
        office.db, office.desk.settings, clock=lambda: office.now, token_key=KEY, signer=signer
    )
    return take_returns(newsroom, named, done)


def report(
    *,
    to: str = "bounces@news.example.org",
    original: str = ANNA,
    final: str | None = None,
    n: int = 1,
    below: str = "",
) -> bytes:
    return (
        f"From: MAILER-DAEMON@mx.example\nTo: {to}\nDelivered-To: {to}\nSubject: Failed {n}\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\n\n'
        "--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example\n\n"
        + (f"Original-Recipient: rfc822; {original}\n" if original else "")
        + f"Final-Recipient: rfc822; {final or original or ANNA}\n"
        f"Action: failed\nStatus: 5.1.1\n\n{below}--b--\n"
    ).encode()


def causes(office: Office) -> list[str]:
    return [one["cause"] for one in list_suppressions(office.db)]


def test_a_report_without_a_token_waits_for_a_person(office: Office) -> None:
    """Nobody can suppress a recipient with a message that names the address."""
    taken = take(office, report())
    assert (taken.suppressed, taken.waiting, taken.kinds.total()) == (0, 1, 1)
    assert (causes(office), waiting(office.db)[0]) == ([], 1)


def test_a_token_counts_whenever_it_comes(office: Office) -> None:
    """Some systems give up after months, and nobody else can make a token."""
    office.later(days=400)
    token = token_for(KEY, 1, 1)
    assert take(office, report(to=f"bounces+{token}@news.example.org", original="")).suppressed == 1


@pytest.mark.parametrize(
    "token",
    [
        pytest.param(token_for(STRANGER, 1, 1), id="made with another key"),
        pytest.param(token_for(KEY, 1, 999), id="of a recipient that is not there"),
    ],
)
def test_a_token_that_is_not_ours_names_nobody(office: Office, token: str) -> None:
    """Neither a forged one nor one of another database."""
    message = report(to=f"bounces+{token}@news.example.org", original="", final="x@y.example")
    assert take(office, message).suppressed == 0
    assert causes(office) == []


def test_a_message_is_done_only_when_it_is_on_disk(office: Office) -> None:
    """A crash between two messages loses neither: the mailbox marks what the database has."""
    seen: list[tuple[str, int]] = []

    def done(name: str) -> None:
        with office.desk.open(read_only=True) as other:
            seen.append((name, other.value("SELECT count(*) FROM bounces")))

    take(office, report(n=1), report(n=2), done=done)
    assert seen == [("1", 1), ("2", 2)]


def test_a_message_in_two_mailboxes_counts_once(office: Office) -> None:
    """The same bytes are the same message."""
    token = token_for(KEY, 1, 1)
    message = report(to=f"bounces+{token}@news.example.org")
    taken = take(office, message, message)
    assert (taken.known, taken.suppressed, taken.kinds.total()) == (1, 1, 1)


def leave(sender: str = ANNA, n: int = 1, fields: str = "") -> bytes:
    return f"From: {sender}\nTo: leave@news.example.org\n{fields}Subject: please {n}\n\n\n".encode()


def test_a_plain_mail_to_leave_is_asked_about(office: Office) -> None:
    """Anybody can write From: the owner of the address gets one question, with the link that proves it."""
    taken = take(office, leave())
    assert (taken.ended, taken.waiting, taken.asked) == (0, 1, 1)
    office.deliver()
    [path] = [
        p
        for p in (office.desk.folder / "outbox" / "new").iterdir()
        if b"question" in p.read_bytes()
    ]
    mail = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    assert (mail["To"], mail["Content-Language"], mail["Auto-Submitted"]) == (
        ANNA,
        "ru",
        "auto-generated",
    )
    token = find_tokens(mail.get_content())[-1]
    answer = f"From: x@y.example\nTo: leave+{token}@news.example.org\nSubject: yes\n\n\n".encode()
    assert take(office, answer).ended == 1
    assert waiting(office.db)[0] == 0


@pytest.mark.parametrize(
    "fields",
    ["Auto-Submitted: auto-replied\n", "Return-Path: <>\n", "Auto-Submitted: auto-generated\n"],
)
def test_a_machine_is_never_asked(office: Office, fields: str) -> None:
    """RFC 3834 section 2: two machines would answer each other for ever."""
    taken = take(office, leave(fields=fields))
    assert (taken.ended, taken.asked) == (0, 0)


def test_nobody_is_asked_twice_a_month_nor_too_many_a_day(office: Office) -> None:
    """Strangers could make us send mail."""
    assert [take(office, leave(n=n)).asked for n in range(3)] == [1, 0, 0]
    office.later(days=31)
    assert take(office, leave(n=4)).asked == 1
    office.add(*(f"r{n}@reader.example" for n in range(30)))
    asked = [take(office, leave(f"r{n}@reader.example")).asked for n in range(30)]
    assert sum(asked) == MOST_ASKED - 1


@pytest.mark.parametrize(
    ("final", "below", "state"),
    [
        pytest.param("member@reader.example", "", "soft", id="a member at the same domain"),
        pytest.param("anna@other.example", "", "hard", id="the same name elsewhere"),
        pytest.param("other@else.example", "", "hard", id="the token alone names us"),
        pytest.param(
            "member@else.example",
            f"--b\nContent-Type: message/rfc822\n\nTo: {ANNA}\nSubject: news\n\nnews\n\n",
            "soft",
            id="our mail, passed on",
        ),
    ],
)
def test_one_dead_member_of_an_alias_is_not_the_alias(
    office: Office, final: str, below: str, state: str
) -> None:
    """The others still read us; but three editions in a row are enough."""
    token = token_for(KEY, 1, 1)
    to = f"bounces+{token}@news.example.org"
    taken = take(office, report(to=to, original="", final=final, below=below))
    assert [kind.value for kind in taken.kinds] == [state]
    assert taken.suppressed == (state == "hard")


def test_an_enclosed_mail_with_our_signature_is_proof(office: Office) -> None:
    """A provider that removes our tokens still encloses what we signed; it names who got it, whatever
    the report says."""
    path = office.desk.folder / "key.pem"
    write_key(path)
    signer = Signer("news.example.org", [load_key(path, "one")])
    mail = (
        f"From: News <news@news.example.org>\r\nTo: {ANNA}\r\nSubject: News\r\n"
        "Date: Mon, 23 Nov 2026 08:00:00 +0500\r\nMessage-ID: <a@news.example.org>\r\n\r\nNews.\r\n"
    ).encode()
    signed = signer.sign(mail, office.now) + mail
    office.add("boris@reader.example")

    def complaint(enclosed: bytes) -> bytes:
        head = (
            "From: fbl@provider.example\r\nTo: bounces@news.example.org\r\nSubject: abuse\r\n"
            'Content-Type: multipart/report; report-type=feedback-report; boundary="b"\r\n\r\n--b\r\n'
            "Content-Type: message/feedback-report\r\n\r\nFeedback-Type: abuse\r\nVersion: 1\r\n"
            "Original-Rcpt-To: <boris@reader.example>\r\n\r\n--b\r\n"
            "Content-Type: message/rfc822\r\n\r\n"
        )
        return head.encode() + enclosed + b"\r\n--b--\r\n"

    # Boris forwards what Anna got, or we wrote to both: nothing says that she wants to leave.
    forwarded = complaint(signed).replace(b"To: bounces@", b"To: leave@", 1)
    both = mail.replace(ANNA.encode(), f"boris@reader.example, {ANNA}".encode())
    for letter in (
        forwarded.replace(b"message/feedback-report", b"text/plain"),
        complaint(signer.sign(both, office.now) + both),
    ):
        assert take(office, letter, signer=signer).ended == 0
    assert office.suppressed() == set()
    forged = signed.replace(ANNA.encode(), b"boris@reader.example")
    taken = take(office, complaint(forged), signer=signer)
    assert (taken.ended, taken.waiting) == (0, 1)
    taken = take(office, complaint(signed), signer=signer)
    assert (taken.suppressed, taken.ended) == (1, 1)
    assert office.suppressed() == {ANNA}
    [row] = list_returns(office.db, kind="complaint", state="counts")
    assert row["found_by"] == "signature"


def test_a_thousand_forged_letters_cut_nobody_off(office: Office) -> None:
    """Of every kind, against everybody."""
    people = [f"r{n}@reader.example" for n in range(50)]
    office.add(*people)
    letters = []
    for n in range(120):
        one = people[n % 50]
        complaint = (
            f"From: fbl@evil.example\nTo: bounces@news.example.org\nSubject: abuse {n}\n"
            'Content-Type: multipart/report; report-type=feedback-report; boundary="b"\n\n--b\n'
            "Content-Type: message/feedback-report\n\nFeedback-Type: abuse\nVersion: 1\n"
            f"Original-Rcpt-To: <{one}>\n\n--b--\n"
        )
        letters += [report(original=one, n=n), complaint.encode(), leave(one, n)]
    taken = take(office, *letters)
    assert (taken.suppressed, taken.ended, taken.asked) == (0, 0, MOST_ASKED)
    assert (causes(office), taken.waiting) == ([], 360)


def test_unsubscribing_skips_a_queued_mail(office: Office) -> None:
    """For the recipient: it takes effect at once."""
    office.add("boris@reader.example")
    (office.desk.seeds / "900.txt").write_text("Новости\n\nВ Ашхабаде прошла встреча.\n", "utf-8")
    office.later(days=7)
    office.desk.ingest(office.now)
    office.now += timedelta(hours=1)
    office.compose()
    token = token_for(KEY, 1, 1, Purpose.READER)
    message = f"From: x@y.example\nTo: leave+{token}@news.example.org\nSubject: bye\n\n\n".encode()
    assert take(office, message).ended == 1
    office.deliver()
    assert office.counts(2) == {"sent": 1, "skipped": 1}
    assert office.db.value("SELECT reason FROM deliveries WHERE status = 'skipped'") == (
        "subscription ended"
    )


def test_a_report_of_a_mail_with_a_link_is_noted(office: Office) -> None:
    """By the number in its return path, which is random; nobody is cut off by it."""
    row = {"kind": "join", "address": "no@reader.example", "address_key": "no@reader.example"}
    row |= {"network": "", "wish": "{}", "asked_at": "2026-11-23T03:00:00.000000Z"}
    for number in (17, 4_000_000_000):
        office.db.insert("requests", {"id": number, **row})
    to = "bounces+link-4000000000@news.example.org"
    assert take(office, report(to=to, original="no@reader.example")).unmatched == 1
    noted = office.db.rows("SELECT id FROM requests WHERE bounced_at IS NOT NULL")
    assert [one["id"] for one in noted] == [4_000_000_000]
    assert causes(office) == []
