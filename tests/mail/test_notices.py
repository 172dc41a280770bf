"""Mail to operators and editors is valid on the wire, and the same at each try."""

import email
import email.policy
import json
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from digest.mail.notices import message_id, notice_mail, outgoing
from digest.mail.outgoing import WEBHOOK, Kind
from digest.model import RenderedMail, Trouble
from digest.service.alarms import alarm_notices
from tests.factories import make_settings

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
TO = "operator@news.example.org"
TROUBLE = Trouble(
    "source wire",
    "empty.txt of the source wire cannot be read: " + "слово " * 40,
    NOW,
    "Correct it, then: digest ingest.",
)
PLAIN = RenderedMail("Tajik Desk: Alarm", "", "слово " * 9 + "\n.\n", "")
RICH = RenderedMail("Неделя редакции", "", "Всё тихо.\n.\n", "<p>Всё тихо.</p>\n")


def made(mail: RenderedMail, name: str = "alarm.1.begun", to: str = TO) -> bytes:
    return notice_mail(make_settings(), Kind.BEGUN, name, NOW, mail, to).body


def alarm(over_at: datetime | None = None) -> tuple[str, dict[str, Any]]:
    """The text of its mail, and what is posted."""
    name = "alarm.1.over" if over_at else "alarm.1.begun"
    post, mail = alarm_notices(make_settings(), TROUBLE, over_at, name, NOW, [WEBHOOK, TO])
    read = email.message_from_bytes(mail.body, _class=EmailMessage, policy=email.policy.default)
    return read.get_content().replace("\r\n", "\n"), json.loads(post.body)


@pytest.mark.parametrize("mail", [PLAIN, RICH], ids=["plain", "html"])
def test_a_notice_is_in_wire_form(mail: RenderedMail) -> None:
    """Seven bits, CRLF, short lines, no line that begins with a dot."""
    message = made(mail)
    lines = message.split(b"\r\n")
    assert message.isascii()
    assert message.endswith(b"\r\n")
    assert b"\n" not in b"".join(lines)
    assert max(map(len, lines)) <= 78
    assert not any(line.startswith(b".") for line in lines)


@pytest.mark.parametrize("mail", [PLAIN, RICH], ids=["plain", "html"])
def test_a_notice_is_read_as_written(mail: RenderedMail) -> None:
    """By an independent reader: text, local time, and that a program wrote it."""
    read = email.message_from_bytes(made(mail), _class=EmailMessage, policy=email.policy.default)
    body = read.get_body(("plain",))
    assert body is not None
    assert body.get_content().replace("\r\n", "\n") == mail.text
    assert read["Subject"] == mail.subject
    assert read["To"] == TO
    assert read["Date"] == "Mon, 23 Nov 2026 08:00:00 +0500"
    assert read["Auto-Submitted"] == "auto-generated"
    assert read["List-Unsubscribe"] is None
    assert read.defects == []


def test_a_notice_is_the_same_at_each_try_and_unlike_others() -> None:
    """A mail program shows a repeated notice once, and never merges two."""
    settings = make_settings()
    assert made(PLAIN) == made(PLAIN)
    names = [("alarm.1.begun", TO), ("alarm.1.over", TO), ("alarm.1.begun", "b@news.example.org")]
    assert len({message_id(settings, *name) for name in names}) == 3
    notice = notice_mail(settings, Kind.BEGUN, "alarm.1.begun", NOW, PLAIN, TO)
    sender = outgoing(1, notice, None).sender
    assert sender == "bounces+alarm-1-begun@news.example.org"


def test_a_signed_notice_verifies(tmp_path: Path) -> None:
    """Receivers judge it as they judge the digest."""
    dkimpy = pytest.importorskip("dkim")
    forms = pytest.importorskip("cryptography.hazmat.primitives.serialization")
    from cryptography.hazmat.primitives.asymmetric import rsa

    from digest.mail.dkim import Signer, load_key

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(forms.Encoding.PEM, forms.PrivateFormat.PKCS8, forms.NoEncryption())
    (tmp_path / "rsa.pem").write_bytes(pem)
    loaded = load_key(tmp_path / "rsa.pem", "r1")
    earlier = datetime(2026, 11, 16, 4, 0, tzinfo=UTC)  # not ahead of the verifier's clock
    notice = notice_mail(make_settings(), Kind.REPORT, "desk.1", earlier, RICH, TO)
    message = outgoing(1, notice, Signer("news.example.org", [loaded])).message
    changed = message.replace(b"Subject:", b"Subject: no")
    for one, valid in ((message, True), (changed, False)):
        assert dkimpy.verify(one, dnsfunc=lambda *_, **__: loaded.dns_record.encode()) is valid


def test_an_alarm_says_what_why_and_what_next() -> None:
    """In short lines; and when it is over, from when to when."""
    text, _ = alarm()
    assert all(len(line) <= 72 for line in text.splitlines())
    assert text.index("Since 2026-11-23 08:00 (Asia/Ashgabat).") < text.index("Correct it")
    over, _ = alarm(datetime(2026, 11, 23, 4, 30, tzinfo=UTC))
    assert "to 2026-11-23 09:30 (Asia/Ashgabat)." in " ".join(over.split())
    assert "Correct it" not in over


def test_a_payload_is_for_programs_and_chats() -> None:
    """Plain JSON values, times with their offset, and everything in one line of text."""
    _, payload = alarm()
    assert (payload["event"], payload["over"]) == ("begun", None)
    assert payload["since"] == "2026-11-23T03:00:00+00:00"
    assert payload["text"].endswith("Correct it, then: digest ingest.")
    _, over = alarm(NOW)
    assert (over["event"], over["over"]) == ("over", "2026-11-23T03:00:00+00:00")
    assert "Correct it" not in over["text"]
