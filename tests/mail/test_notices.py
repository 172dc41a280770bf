"""Mail to operators and editors is whole on the wire, and the same at each try."""

import email
import email.policy
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

import pytest

from digest.mail.notices import message_id, notice_message, outgoing
from digest.mail.outgoing import Kind, Notice
from digest.model import RenderedMail, Trouble
from digest.service.alarms import alarm_notice
from tests.factories import make_settings

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
TO = "operator@news.example.org"
TROUBLE = Trouble(
    "source wire",
    "empty.txt of the source wire cannot be read: " + "слово " * 40,
    NOW,
    "Mend it, then: digest ingest.",
)
ALARM = alarm_notice(make_settings(), TROUBLE, None, "alarm.1.begun", NOW)
PLAIN = ALARM.mail
RICH = RenderedMail("Неделя редакции", "", "Всё тихо.\n.\n", "<p>Всё тихо.</p>\n")


def made(mail: RenderedMail, name: str = "alarm.1.begun", to: str = TO) -> bytes:
    return notice_message(make_settings(), Notice(Kind.BEGUN, name, NOW, mail), to, None)


@pytest.mark.parametrize("mail", [pytest.param(PLAIN, id="plain"), pytest.param(RICH, id="html")])
def test_a_notice_is_in_wire_form(mail: RenderedMail) -> None:
    """Seven bits, CRLF, short lines, no line that begins with a dot."""
    message = made(mail)
    lines = message.split(b"\r\n")
    assert message.isascii()
    assert message.endswith(b"\r\n")
    assert b"\n" not in b"".join(lines)
    assert max(map(len, lines)) <= 78
    assert not any(line.startswith(b".") for line in lines)


@pytest.mark.parametrize("mail", [pytest.param(PLAIN, id="plain"), pytest.param(RICH, id="html")])
def test_a_notice_reads_as_it_was_set(mail: RenderedMail) -> None:
    """By an independent reader: the words, the time on the desk's clock, made by a machine."""
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


def test_a_notice_is_the_same_at_each_try_and_each_its_own() -> None:
    """A mail program that gets it twice shows it once; two notices are never taken for one."""
    settings = make_settings()
    assert made(PLAIN) == made(PLAIN)
    names = [("alarm.1.begun", TO), ("alarm.1.over", TO), ("alarm.1.begun", "b@news.example.org")]
    assert len({message_id(settings, *name) for name in names}) == 3
    sender = outgoing(settings, ALARM, TO, 1, None).sender
    assert sender == "bounces+alarm-1-begun@news.example.org"


def test_a_signed_notice_verifies(tmp_path: Path) -> None:
    """Receivers judge it as they judge the digest."""
    dkimpy = pytest.importorskip("dkim")
    crypto_rsa = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.rsa")
    from cryptography.hazmat.primitives import serialization

    from digest.mail.dkim import Signer, load_key

    key = crypto_rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    file = tmp_path / "rsa.pem"
    file.write_bytes(key.private_bytes(pem, pkcs8, serialization.NoEncryption()))
    loaded = load_key(file, "r1")
    earlier = datetime(2026, 11, 16, 4, 0, tzinfo=UTC)  # not ahead of the verifier's clock
    notice = Notice(Kind.REPORT, "desk.1", earlier, RICH)
    message = notice_message(make_settings(), notice, TO, Signer("news.example.org", [loaded]))
    record = loaded.dns_record.encode()
    assert dkimpy.verify(message, dnsfunc=lambda *_, **__: record)
    assert not dkimpy.verify(
        message.replace(b"Subject:", b"Subject: no"), dnsfunc=lambda *_, **__: record
    )


def test_an_alarm_says_what_why_and_what_next() -> None:
    """In lines that fit; and that it is over, from when to when."""
    assert all(len(line) <= 72 for line in PLAIN.text.splitlines())
    assert PLAIN.text.index("Since 2026-11-23 08:00 (Asia/Ashgabat).") < PLAIN.text.index("Mend it")
    gone_at = datetime(2026, 11, 23, 4, 30, tzinfo=UTC)
    over = alarm_notice(make_settings(), TROUBLE, gone_at, "alarm.1.over", NOW).mail
    assert "to 2026-11-23 09:30 (Asia/Ashgabat)." in " ".join(over.text.split())
    assert "Mend it" not in over.text


def test_what_is_posted_is_what_programs_and_chats_read() -> None:
    """Plain JSON values, instants with their offset, and all of it in one line."""
    payload = ALARM.payload
    assert payload is not None
    assert (payload["event"], payload["over"]) == ("begun", None)
    assert payload["since"] == "2026-11-23T03:00:00+00:00"
    assert payload["text"].endswith("Mend it, then: digest ingest.")
    over = alarm_notice(make_settings(), TROUBLE, NOW, "alarm.1.over", NOW).payload
    assert over is not None
    assert (over["event"], over["over"]) == ("over", "2026-11-23T03:00:00+00:00")
    assert "Mend it" not in over["text"]
