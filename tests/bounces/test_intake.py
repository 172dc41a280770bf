"""Taking in returned mail: which reports count, and when a message is done."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from digest.audience.suppressions import list_suppressions
from digest.bounces.intake import ReturnsReport, take_returns
from digest.mail.maildir import MaildirTransport
from digest.mail.tokens import token_for
from tests.desks import Desk, opened
from tests.mailing import KEY, Office

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
    office: Office, *messages: bytes, done: Callable[[str], None] = lambda _: None
) -> ReturnsReport:
    named = [(str(n), message) for n, message in enumerate(messages, 1)]
    newsroom = opened(office.db, office.desk.settings, clock=lambda: office.now, token_key=KEY)
    return take_returns(newsroom, named, done)


def report(*, to: str = "bounces@news.example.org", original: str = ANNA, n: int = 1) -> bytes:
    return (
        f"From: MAILER-DAEMON@mx.example\nTo: {to}\nDelivered-To: {to}\nSubject: Failed {n}\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\n\n'
        "--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example\n\n"
        f"Original-Recipient: rfc822; {original}\nFinal-Recipient: rfc822; {original}\n"
        "Action: failed\nStatus: 5.1.1\n\n--b--\n"
    ).encode()


def causes(office: Office) -> list[str]:
    return [one["cause"] for one in list_suppressions(office.db)]


def test_a_report_without_a_token_counts_for_a_recent_mail(office: Office) -> None:
    """Others could have written it; soon after our mail it is most likely true."""
    office.later(days=29)
    assert take(office, report()).suppressed == 1
    assert causes(office) == ["hard"]


def test_a_report_without_a_token_and_a_recent_mail_is_only_stored(office: Office) -> None:
    """Nobody can suppress a recipient with a message that names the address."""
    office.later(days=31)
    taken = take(office, report())
    assert (taken.suppressed, taken.kinds.total()) == (0, 1)
    assert causes(office) == []


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
    message = report(to=f"bounces+{token}@news.example.org", original="")
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
    taken = take(office, report(), report())
    assert (taken.known, taken.suppressed, taken.kinds.total()) == (1, 1, 1)


def test_a_plain_mail_to_leave_unsubscribes_its_sender(office: Office) -> None:
    """For somebody who writes by hand to the address without a token."""
    message = f"From: {ANNA}\nTo: leave@news.example.org\nSubject: please\n\n\n".encode()
    assert take(office, message).ended == 1
    row = office.db.row("SELECT status, ended_reason FROM recipients")
    assert row == {"status": "ended", "ended_reason": "mail to the address for leaving"}


def test_unsubscribing_skips_a_queued_mail(office: Office) -> None:
    """For the recipient: it takes effect at once."""
    office.add("boris@reader.example")
    (office.desk.seeds / "900.txt").write_text("Новости\n\nВ Ашхабаде прошла встреча.\n", "utf-8")
    office.later(days=7)
    office.desk.ingest(office.now)
    office.now += timedelta(hours=1)
    office.compose()
    token = token_for(KEY, 1, 1)
    message = f"From: x@y.example\nTo: leave+{token}@news.example.org\nSubject: bye\n\n\n".encode()
    assert take(office, message).ended == 1
    office.deliver()
    assert office.counts(2) == {"sent": 1, "skipped": 1}
    assert office.db.value("SELECT reason FROM deliveries WHERE status = 'skipped'") == (
        "subscription ended"
    )
