"""Mail that comes back in a soak, as mail systems and people write it; delivered to the maildir."""

import random
from pathlib import Path

from tests.journeys.returns import abuse_report, delivery_report, make_maildir, request_to_leave
from tests.soak.relay import Received

SHARES = {"hard": 2, "soft": 6, "complaint": 1, "leave": 6, "away": 4, "rubbish": 1}
"""How often each kind comes beside the others."""


class Letters:
    """`box` is the maildir that the service reads; `written` are kind and address of each message."""

    def __init__(self, box: Path, chance: random.Random) -> None:
        self.box = box
        self.chance = chance
        self.written: list[tuple[str, str]] = []
        make_maildir(box)

    def answer(self, received: Received) -> None:
        """One message of some kind about a mail that somebody got."""
        kind = self.chance.choices(list(SHARES), list(SHARES.values()))[0]
        number = len(self.written)
        name = f"{number:06}.soak.test"
        draft = self.box / "tmp" / name
        draft.write_bytes(message(kind, received, number))
        draft.rename(self.box / "new" / name)
        self.written.append((kind, received.address))


def message(kind: str, received: Received, number: int) -> bytes:
    sender, bounces = received.address, f"bounces+{received.token}@news.example.org"
    if kind == "rubbish":
        return b"From nobody\n\xff\xfe\x00 no mail at all " + str(number).encode()
    if kind == "leave":
        return request_to_leave(sender, received.leave, number)
    if kind == "away":
        head = f"From: {sender}\nTo: {bounces}\nSubject: Away {number}\n"
        return f"{head}Auto-Submitted: auto-replied\n\nI am away until Monday.\n".encode()
    if kind == "complaint":
        return abuse_report(received.message_id, number)
    status = "5.1.1" if kind == "hard" else "5.2.2"
    return delivery_report(bounces, status, number, recipient=sender)
