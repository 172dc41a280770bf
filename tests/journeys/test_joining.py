"""From the form to the edition: `digest serve` and a mail server, as a reader goes through it."""

import email
import email.policy
import re
from collections.abc import Iterator
from email.message import EmailMessage
from urllib.parse import urlencode, urlsplit

import pytest

from digest.mail.tokens import Purpose, token_for
from digest.newsroom import Clock
from digest.store.owner import token_keys
from tests.desks import Desk
from tests.journeys.returns import statuses
from tests.journeys.serving import Running, ask, service
from tests.journeys.submission import Submission, submitting

NEW = "new@reader.example"
FORM = {"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin"}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, filled: Desk) -> Iterator[Submission]:
    with submitting(filled, monkeypatch) as submission:
        yield submission


def send_form(running: Running, desk: Desk, **fields: str | list[str]) -> str:
    """As a person does, who needs some seconds."""
    with desk.open(read_only=True) as db:
        then = int(Clock()().timestamp()) - 5
        stamp = token_for(token_keys(db)[0], then, 0, Purpose.FORM)
    body = urlencode({"form": stamp, **fields}, doseq=True).encode()
    status, _, page = ask(running.port, "/join/?lang=ru", FORM, "POST", body)
    assert status == 200
    return page.decode()


def test_a_reader_subscribes_and_gets_the_edition(filled: Desk, server: Submission) -> None:
    """The mail comes at once, not at the next tick; after the button the next edition comes."""
    filled.edit_config("# public_url", "public_url")
    filled.configure(lease_seconds="3.0", send_every_minutes="1440.0")
    with service(filled) as running:
        running.until("leading")
        page = send_form(running, filled, address=NEW, theme=["drugs", "youth"], language="ru")
        assert "Проверьте почту" in page
        assert running.until("links")["sent"] == 1
        [(sender, recipient, raw)] = server.mails
        assert re.fullmatch(r"bounces\+link-\d+@news\.example\.org", sender)
        assert recipient == NEW
        mail = email.message_from_bytes(raw, _class=EmailMessage, policy=email.policy.default)
        text = mail.get_body(("plain",)).get_content()
        [link] = re.findall(r"https://news\.example\.org/answer/\S+", text)
        path = urlsplit(link).path
        for method in ("HEAD", "GET") * 2:
            assert ask(running.port, path, {}, method)[0] == 200
        assert statuses(filled) == {}
        assert "Вы подписаны" in ask(running.port, path, FORM, "POST", b"")[2].decode()
    assert statuses(filled) == {NEW: "active"}
    assert NEW not in str(running.log)
    assert path.rpartition("/")[2] not in str(running.log)
    copy = "Наркотики\n\nВ Ашхабаде изъяли наркотики: задержаны торговцы героином.\n"
    (filled.seeds / "900.txt").write_text(copy, "utf-8")
    assert filled.run("ingest").exit_code == 0
    assert filled.run("send", "--yes").exit_code == 0
    [_, (_, recipient, edition)] = server.mails
    assert recipient == NEW
    assert b"Content-Language: ru" in edition


def test_what_a_service_did_not_send_goes_with_the_command(
    filled: Desk, server: Submission
) -> None:
    """Where the service sends nothing, or died; and the form for another site leads to ours."""
    filled.edit_config("# public_url", "public_url")
    filled.configure(lease_seconds="3.0", send="false")
    printed = filled.run("recipients", "form", "--language", "ru").stdout
    assert 'action="https://news.example.org/join/?lang=ru"' in printed
    with service(filled) as running:
        running.until("leading")
        _, _, shown = ask(
            running.port, "/join/?lang=ru",
            FORM | {"Sec-Fetch-Site": "cross-site"}, "POST", urlencode({"address": NEW}).encode(),
        )  # fmt: skip
        assert f'value="{NEW}"' in shown.decode()
        send_form(running, filled, address=NEW, language="ru")
    assert server.mails == []
    assert filled.run("send", "--yes").exit_code == 0
    assert [recipient for _, recipient, _ in server.mails] == [NEW]
