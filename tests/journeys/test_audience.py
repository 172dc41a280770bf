"""From the form to the mail, the choice, the way out and the way back: `digest serve`, a mail server, and a
reader in a browser that runs no script.
"""

import contextlib
import email
import email.policy
import re
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from digest.newsroom import Clock
from digest.web.joining import QUICKEST
from tests.desks import Desk
from tests.journeys.browsing import CHROMIUM, Browser, browsing
from tests.journeys.returns import BORIS, statuses
from tests.journeys.serving import Running, ask, service
from tests.journeys.submission import Submission, submitting
from tests.web.test_choosing import MONTHLY
from tests.web.test_forms import FORM

pytestmark = [
    pytest.mark.drill,
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
]
NEW = "new@reader.example"
COPY = {
    "Наркотики": "Задержаны торговцы\n\nВ Ашхабаде изъяли героин, дело {n}.\n",
    "Таможня": "Открыт пост\n\nТаможенники открыли таможенный пост {n} у Ховдана.\n",
    "Молодёжь": "Открыт форум\n\nМолодёжь собралась на молодёжном форуме {n}.\n",
}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, filled: Desk) -> Iterator[Submission]:
    with submitting(filled, monkeypatch) as submission:
        yield submission


@dataclass
class Newsroom:
    desk: Desk
    server: Submission
    running: Running
    editions: int = 0

    def wait(self, seconds: float) -> None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.running.process.wait(max(0.0, seconds))

    def send(self, digest: str) -> set[str]:
        """A new edition with an article under each theme of `COPY`; to whom it went."""
        self.wait(1 - time.time() % 1)  # the last one ends with its second
        self.editions += 1
        for theme, copy in COPY.items():
            path = self.desk.seeds / f"{theme}-{self.editions}.txt"
            path.write_text(copy.format(n=self.editions), "utf-8")
        before = len(self.server.mails)
        for words in (["ingest"], ["send", digest, "--yes"]):
            assert self.desk.run(*words).exit_code == 0
        return {to for _, to, _ in self.server.mails[before:]}

    def mail(self) -> EmailMessage:
        """The newest mail to the reader."""
        raw = next(raw for _, to, raw in reversed(self.server.mails) if to == NEW)
        return email.message_from_bytes(raw, _class=EmailMessage, policy=email.policy.default)

    def local(self, link: str) -> str:
        """Where the service has what a proxy shows at this link."""
        parts = urlsplit(link)
        assert f"{parts.scheme}://{parts.netloc}" == "https://news.example.org"
        return (
            f"http://127.0.0.1:{self.running.port}{parts._replace(scheme='', netloc='').geturl()}"
        )

    def confirm(self, browser: Browser, shown_at: float) -> None:
        """Send the form that is filled in, as slowly as a person; press the button behind the mail's link."""
        self.wait(shown_at + QUICKEST.total_seconds() - time.monotonic())
        assert "Проверьте почту" in browser.press("Подписаться")
        assert self.running.until("links")["sent"] == 1
        assert "Подтвердите подписку" in browser.open(self.local(link_in(self.mail(), "answer")))
        assert statuses(self.desk).get(NEW) != "active"
        assert "Вы подписаны" in browser.press("Подтвердить")
        assert statuses(self.desk)[NEW] == "active"


def text_of(mail: EmailMessage) -> str:
    part = mail.get_body(("plain",))
    assert part is not None
    return str(part.get_content())


def link_in(mail: EmailMessage, page: str) -> str:
    [link] = re.findall(rf"https://news\.example\.org/{page}/\S+", text_of(mail))
    return str(link)


def box(name: str, *values: str) -> list[str]:
    return [f"//input[@name='{name}'][@value='{value}']" for value in values]


def test_a_reader_joins_chooses_leaves_and_comes_back(
    filled: Desk, server: Submission, tmp_path: Path
) -> None:
    """Each form is filled in and sent by the browser; Boris gets what they no longer do."""
    since = f"since = {Clock()():%Y-%m-%dT%H:%M:%SZ}"  # so that none is due
    filled.edit_config("# public_url", "public_url", "# since = 2026-11-16T00:00:00Z", since)
    filled.configure(lease_seconds="3.0", send_every_minutes="1440.0")
    filled.config.write_text(filled.config.read_text("utf-8") + MONTHLY + since + "\n", "utf-8")
    both = ("--digest", "weekly", "--digest", "monthly")
    assert filled.run("recipients", "add", BORIS, *both).exit_code == 0
    with service(filled) as running, browsing(tmp_path / "profile") as browser:
        newsroom = Newsroom(filled, server, running)
        running.until("leading")

        browser.open(newsroom.local("https://news.example.org/join/?lang=ru"))
        shown_at = time.monotonic()
        browser.type("//input[@name='address']", NEW)
        browser.click(*box("theme", "customs", "corruption", "other"))
        newsroom.confirm(browser, shown_at)

        assert newsroom.send("weekly") == {NEW, BORIS}
        mail = newsroom.mail()
        assert mail["Content-Language"] == "ru"
        assert {theme for theme in COPY if theme in text_of(mail)} == {"Наркотики", "Молодёжь"}
        assert "пост 1" not in text_of(mail)

        browser.open(newsroom.local(link_in(mail, "choose")))
        browser.click(*box("digest", "weekly", "monthly"))
        assert "Сохранено. В следующем выпуске: Наркотики и Молодёжь." in browser.press("Сохранить")
        assert newsroom.send("weekly") == {BORIS}
        assert newsroom.send("monthly") == {NEW, BORIS}

        mail = newsroom.mail()
        [one_click] = re.findall(r"<(https:[^>]*)>", mail["List-Unsubscribe"])
        body = mail["List-Unsubscribe-Post"].encode()
        path = urlsplit(one_click).path
        assert ask(running.port, path, {"Content-Type": FORM}, "POST", body)[0] == 200
        assert statuses(filled)[NEW] == "ended"

        assert "Вы отписались" in browser.open(newsroom.local(link_in(mail, "leave")))
        back = browser.attribute("//a[normalize-space()='Подписаться снова']", "href")
        browser.open(newsroom.local(back))
        shown_at = time.monotonic()
        browser.type("//input[@name='address']", NEW)
        browser.click(*box("digest", "weekly", "monthly"))
        assert newsroom.send("monthly") == {BORIS}
        newsroom.confirm(browser, shown_at)
        assert newsroom.send("monthly") == {NEW, BORIS}
