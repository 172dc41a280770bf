"""What comes back for mail, as mail systems and people write it; each into the maildir in one piece."""

import random
from pathlib import Path

from tests.soak.relay import Received

HARD, SOFT, COMPLAINT, LEAVE, AWAY, RUBBISH = (
    "hard",
    "soft",
    "complaint",
    "leave",
    "away",
    "rubbish",
)
SHARES = {HARD: 2, SOFT: 6, COMPLAINT: 1, LEAVE: 6, AWAY: 4, RUBBISH: 1}
"""How often each comes beside the others."""


class Letters:
    """`box` is the maildir that the service reads; `written` counts what was put there, by kind."""

    def __init__(self, box: Path, chance: random.Random) -> None:
        self.box = box
        self.chance = chance
        self.written: list[tuple[str, str]] = []
        for folder in ("cur", "new", "tmp"):
            (box / folder).mkdir(parents=True)

    def answer(self, received: Received) -> None:
        """One letter of some kind about a message that somebody got."""
        kind = self.chance.choices(list(SHARES), list(SHARES.values()))[0]
        number = len(self.written)
        name = f"{number:06}.soak.test"
        draft = self.box / "tmp" / name
        draft.write_bytes(letter(kind, received, number))
        draft.rename(self.box / "new" / name)
        self.written.append((kind, received.address))


def letter(kind: str, received: Received, number: int) -> bytes:
    """Hard, soft: RFC 3464; complaint: RFC 5965; the rest as people's programs write it."""
    bounces = f"bounces+{received.token}@news.example.org"
    if kind == RUBBISH:
        return b"From nobody\n\xff\xfe\x00 no mail at all " + str(number).encode()
    if kind == LEAVE:
        to = f"leave+{received.token}@news.example.org"
        head = f"From: {received.address}\nTo: {to}\nDelivered-To: {to}\nSubject: leave {number}\n"
        return f"{head}\nPlease.\n".encode()
    if kind == AWAY:
        head = f"From: {received.address}\nTo: {bounces}\nSubject: Away {number}\n"
        return f"{head}Auto-Submitted: auto-replied\n\nI am away until Monday.\n".encode()
    if kind == COMPLAINT:
        return (
            "From: fbl@provider.test\nTo: bounces@news.example.org\n"
            f"Subject: FW: week {number}\nMIME-Version: 1.0\n"
            'Content-Type: multipart/report; report-type=feedback-report; boundary="b"\n\n'
            "--b\nContent-Type: text/plain\n\nAn abuse report.\n"
            "--b\nContent-Type: message/feedback-report\n\nFeedback-Type: abuse\nVersion: 1\n"
            "User-Agent: Provider-FBL/1\n\n"
            f"--b\nContent-Type: message/rfc822\n\nMessage-ID: {received.message_id}\n"
            "Subject: week\n\nThe week.\n--b--\n"
        ).encode()
    status = "5.1.1" if kind == HARD else "5.2.2"
    return (
        f"Return-Path: <>\nDelivered-To: {bounces}\nFrom: MAILER-DAEMON@mx.test\nTo: {bounces}\n"
        f"Subject: Undelivered {number}\nMIME-Version: 1.0\nAuto-Submitted: auto-replied\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\n\n'
        "--b\nContent-Type: text/plain\n\nIt could not be delivered.\n"
        "--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.test\n\n"
        f"Final-Recipient: rfc822; {received.address}\nAction: failed\nStatus: {status}\n"
        f"Diagnostic-Code: smtp; 550 {status} so it is\n\n--b--\n"
    ).encode()
