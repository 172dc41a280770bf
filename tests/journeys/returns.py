"""Mail that mail systems and recipients send back for an edition that was sent."""

import email.utils
from pathlib import Path

from digest.mail.tokens import Purpose, return_path, token_for
from digest.store.owner import token_keys
from tests.desks import Desk

ANNA, BORIS, CLARA, DORA = (f"{name}@reader.example" for name in ("anna", "boris", "clara", "dora"))


def send_first_edition(desk: Desk, *addresses: str) -> None:
    for address in addresses:
        assert desk.run("recipients", "add", address).exit_code == 0
    assert desk.run("send", "--yes").exit_code == 0


def make_maildir(folder: Path) -> None:
    for name in ("cur", "new", "tmp"):
        (folder / name).mkdir(parents=True, exist_ok=True)


def suppressed(desk: Desk) -> dict[str, str]:
    """The cause by address."""
    return {row["address_key"]: row["cause"] for row in desk.json("suppressions", "list")}


def statuses(desk: Desk) -> dict[str, str]:
    """The status of each recipient by address."""
    return {row["address"]: row["status"] for row in desk.json("recipients", "list")}


def token(
    desk: Desk, recipient_id: int, purpose: Purpose = Purpose.SERVER, *, edition: int = 1
) -> str:
    with desk.open() as db, db.write():
        return token_for(token_keys(db)[0], edition, recipient_id, purpose)


def bounce(
    desk: Desk,
    recipient_id: int = 1,
    *,
    status: str = "5.1.1",
    verp: bool = True,
    original: str | None = None,
    enclosed: bool = False,
    nth: int = 1,
    edition: int = 1,
) -> bytes:
    """The report of a mail system about one of our messages."""
    own = token(desk, recipient_id, edition=edition)
    return delivery_report(
        return_path(desk.settings, own) if verp else "bounces@news.example.org",
        status,
        nth,
        named=f"Original-Recipient: rfc822; {original}\n" if original else "",
        sent=f"Message-ID: <weekly.1.{own}@news.example.org>" if enclosed else "Subject: week",
    )


def delivery_report(
    to: str,
    status: str,
    number: int,
    *,
    recipient: str = "someone@mx.reader.example",
    named: str = "",
    sent: str = "Subject: week",
) -> bytes:
    """A report that a message failed (RFC 3464); `sent` is a header field of that message."""
    return (
        f"Return-Path: <>\nDelivered-To: {to}\nFrom: MAILER-DAEMON@mx.reader.example\nTo: {to}\n"
        f"Subject: Undelivered {number}\nDate: {email.utils.formatdate(1_790_000_000 + number)}\n"
        "MIME-Version: 1.0\nAuto-Submitted: auto-replied\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\n\n'
        "--b\nContent-Type: text/plain\n\nIt could not be delivered.\n"
        "--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.reader.example\n\n"
        f"{named}Final-Recipient: rfc822; {recipient}\nAction: failed\n"
        f"Status: {status}\nDiagnostic-Code: smtp; 550 {status} so it is\n\n"
        f"--b\nContent-Type: text/rfc822-headers\n\n{sent}\n\n--b--\n"
    ).encode()


def complaint(desk: Desk, recipient_id: int) -> bytes:
    return abuse_report(f"<weekly.1.{token(desk, recipient_id)}@news.example.org>")


def abuse_report(message_id: str, number: int = 1) -> bytes:
    """An abuse report (RFC 5965) that encloses the message."""
    return (
        "From: fbl@provider.example\nTo: bounces@news.example.org\n"
        f"Subject: FW: week {number}\nMIME-Version: 1.0\n"
        'Content-Type: multipart/report; report-type=feedback-report; boundary="b"\n\n'
        "--b\nContent-Type: text/plain\n\nAn abuse report.\n"
        "--b\nContent-Type: message/feedback-report\n\nFeedback-Type: abuse\nVersion: 1\n"
        "User-Agent: Provider-FBL/1\n\n"
        f"--b\nContent-Type: message/rfc822\n\nMessage-ID: {message_id}\n"
        "Subject: week\n\nThe week.\n--b--\n"
    ).encode()


def leaving(desk: Desk, recipient_id: int) -> bytes:
    return request_to_leave("other@elsewhere.example", token(desk, recipient_id, Purpose.READER))


def request_to_leave(sender: str, of: str, number: int = 1) -> bytes:
    """What a mail program writes when its user presses Unsubscribe; `of` is the reader's token."""
    to = f"leave+{of}@news.example.org"
    head = f"From: {sender}\nTo: {to}\nDelivered-To: {to}\nSubject: unsubscribe {number}\n"
    return f"{head}\n\n".encode()
