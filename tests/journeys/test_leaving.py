"""From an edition to unsubscribing with one click to the next edition, with DKIM over the link."""

import re
from collections.abc import Iterator
from email import message_from_bytes
from urllib.parse import urlsplit

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from digest.mail.dkim import load_key
from tests.desks import Desk
from tests.journeys.returns import ANNA, BORIS, statuses
from tests.journeys.serving import ask, service
from tests.journeys.submission import Submission, submitting
from tests.mailing import write_key

FORM = {"Content-Type": "application/x-www-form-urlencoded", "User-Agent": "Google-Unsubscribe"}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, filled: Desk) -> Iterator[Submission]:
    with submitting(filled, monkeypatch) as submission:
        yield submission


@pytest.fixture
def newsroom(filled: Desk, server: Submission) -> Desk:
    """It signs with both kinds of key, and has a public address for its pages."""
    write_key(filled.folder / "rsa.pem")
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (filled.folder / "ed.pem").write_bytes(pem)
    filled.edit_config("# public_url", "public_url")
    filled.configure(lease_seconds="3.0", send="false")
    with filled.config.open("a", encoding="utf-8") as config:
        config.write(
            '\n[mail.dkim]\nrsa_key_file = "rsa.pem"\nrsa_selector = "one"\n'
            'ed25519_key_file = "ed.pem"\ned25519_selector = "two"\n'
        )
    for address in (ANNA, BORIS):
        assert filled.run("recipients", "add", address).exit_code == 0
    return filled


def signed_fields(desk: Desk, message: bytes) -> list[set[str]]:
    """The header fields under each signature, which dkimpy has verified, RSA first."""
    keys = [load_key(desk.folder / name, name) for name in ("rsa.pem", "ed.pem")]
    records = {
        f"{selector}._domainkey.news.example.org.".encode(): key.dns_record.encode()
        for selector, key in zip(("one", "two"), keys, strict=True)
    }
    signatures = message_from_bytes(message).get_all("DKIM-Signature", [])
    for number in range(len(signatures)):
        assert dkim.DKIM(message).verify(number, lambda name, **_: records[name])
    listed = [re.search(r"h=([^;]*)", "".join(one.split())) for one in signatures]
    return [set(one[1].split(":")) for one in listed if one]


def test_one_click_in_a_mail_program_ends_the_mail(newsroom: Desk, server: Submission) -> None:
    """RFC 8058 §3, §4: both fields are signed, and their URI needs nothing else; what waits is skipped."""
    preview = newsroom.json("send", "--dry-run", "--out", str(newsroom.folder / "preview"))
    assert preview["recipients"] == 2
    assert newsroom.run("send", "--yes", "--expect", preview["expect"]).exit_code == 0
    message = next(message for _, recipient, message in server.mails if recipient == ANNA)
    for fields in signed_fields(newsroom, message):
        assert {"list-unsubscribe", "list-unsubscribe-post"} <= fields
    header = message_from_bytes(message)["List-Unsubscribe"]
    page = urlsplit(re.findall(r"<(https:[^>]*)>", header)[0])

    with service(newsroom) as running:
        running.until("leading")
        assert ask(running.port, page.path, {})[0] == 200
        assert statuses(newsroom) == {ANNA: "active", BORIS: "active"}
        for _ in range(2):
            status, headers, _ = ask(
                running.port, page.path, FORM, "POST", b"List-Unsubscribe=One-Click"
            )
            assert (status, "location" in headers) == (200, False)
        figures = running.watch("/metrics")[2].decode()
    assert 'digest_http_responses_total{route="leave",status="200"} 3.0' in figures
    assert "reader.example" not in str(running.log)
    assert page.path.rpartition("/")[2] not in str(running.log)
    assert statuses(newsroom) == {ANNA: "ended", BORIS: "active"}

    (newsroom.seeds / "900.txt").write_text("Новости\n\nВ Ашхабаде прошла встреча.\n", "utf-8")
    assert newsroom.run("ingest").exit_code == 0
    assert newsroom.run("send", "--yes").exit_code == 0
    assert [recipient for _, recipient, _ in server.mails[2:]] == [BORIS]
