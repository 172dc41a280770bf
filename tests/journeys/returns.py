"""Letters as mail systems and recipients send them back for an edition that went out."""

import email.utils

from digest.mail.tokens import return_path, token_for
from digest.store.owner import token_key
from tests.desks import Desk


def token(desk: Desk, recipient_id: int) -> str:
    with desk.open() as db, db.write():
        return token_for(token_key(db, lambda: b""), 1, recipient_id)


def bounce(
    desk: Desk,
    recipient_id: int = 1,
    *,
    status: str = "5.1.1",
    action: str = "failed",
    verp: bool = True,
    original: str | None = None,
    enclosed: bool = False,
    nth: int = 1,
) -> bytes:
    """A delivery report (RFC 3464) as a mail system would write it for one of our messages."""
    own = token(desk, recipient_id)
    to = return_path(desk.settings, own) if verp else "bounces@news.example.org"
    sent = f"Message-ID: <weekly.1.{own}@news.example.org>\n" if enclosed else "Subject: week\n"
    named = f"Original-Recipient: rfc822; {original}\n" if original else ""
    return (
        f"Return-Path: <>\nDelivered-To: {to}\nFrom: MAILER-DAEMON@mx.reader.example\nTo: {to}\n"
        f"Subject: Undelivered {nth}\nDate: {email.utils.formatdate(1_790_000_000 + nth)}\n"
        "MIME-Version: 1.0\nAuto-Submitted: auto-replied\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\n\n'
        "--b\nContent-Type: text/plain\n\nIt could not be delivered.\n"
        "--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.reader.example\n\n"
        f"{named}Final-Recipient: rfc822; someone@mx.reader.example\nAction: {action}\n"
        f"Status: {status}\nDiagnostic-Code: smtp; 550 {status} so it is\n\n"
        f"--b\nContent-Type: text/rfc822-headers\n\n{sent}\n--b--\n"
    ).encode()


def complaint(desk: Desk, recipient_id: int) -> bytes:
    """An abuse report (RFC 5965) that encloses our message."""
    own = token(desk, recipient_id)
    return (
        "From: fbl@provider.example\nTo: bounces@news.example.org\nSubject: FW: week\n"
        "MIME-Version: 1.0\n"
        'Content-Type: multipart/report; report-type=feedback-report; boundary="b"\n\n'
        "--b\nContent-Type: text/plain\n\nAn abuse report.\n"
        "--b\nContent-Type: message/feedback-report\n\nFeedback-Type: abuse\nVersion: 1\n"
        "User-Agent: Provider-FBL/1\n\n"
        "--b\nContent-Type: message/rfc822\n\n"
        f"Message-ID: <weekly.1.{own}@news.example.org>\nSubject: week\n\nThe week.\n--b--\n"
    ).encode()


def leaving(desk: Desk, recipient_id: int, *, sender: str = "other@elsewhere.example") -> bytes:
    """What a mail program writes when its user presses Unsubscribe."""
    to = f"leave+{token(desk, recipient_id)}@news.example.org"
    return f"From: {sender}\nTo: {to}\nDelivered-To: {to}\nSubject: unsubscribe\n\n\n".encode()
