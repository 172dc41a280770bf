"""From the front page to the desk: `digest serve`, a mail server, and a browser that runs no script."""

import contextlib
import re
import subprocess
import time
from collections.abc import Iterator
from email import message_from_bytes, policy
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from digest.web.joining import QUICKEST
from tests.desks import Desk
from tests.journeys.browsing import CHROMIUM, Browser, browsing
from tests.journeys.returns import BORIS
from tests.journeys.serving import service
from tests.journeys.submission import Submission, submitting

pytestmark = [
    pytest.mark.drill,
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
]
EDITOR = "maria@news.example"
COPY = "Customs find pills\n\nCustoms officers at Farap found heroin in a lorry.\n"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, filled: Desk) -> Iterator[Submission]:
    with submitting(filled, monkeypatch) as submission:
        yield submission


def look(browser: Browser, port: int) -> None:
    """Of the page that is open: it fits each window, says nothing, and asks nobody else."""
    for width in (1440, 320):
        for dark in (True, False):
            assert browser.wear(width, dark=dark) <= width
    browser.wear(1280, dark=False)
    assert browser.said == []
    assert {urlsplit(url).port for url in browser.asked} <= {port, None}


def link_in(server: Submission, address: str) -> str:
    """Where the service has the page behind the link in the newest mail to that address."""
    raw = next(raw for _, to, raw in reversed(server.mails) if to == address)
    body = message_from_bytes(raw, policy=policy.default).get_body(("plain",))
    assert body is not None
    [link] = re.findall(r"https://news\.example\.org(/desk/enter/\S+)", body.get_content())
    return str(link)


def test_a_reader_and_an_editor_find_their_way(
    filled: Desk, server: Submission, tmp_path: Path
) -> None:
    filled.edit_config("# public_url", "public_url")
    filled.configure(lease_seconds="3.0", send_every_minutes="1440.0", editors=f'["{EDITOR}"]')
    assert filled.run("recipients", "add", BORIS).exit_code == 0
    assert filled.run("send", "weekly", "--yes").exit_code == 0
    filled.configure(approval="true")
    with service(filled) as running, browsing(tmp_path / "profile") as browser:
        running.until("leading")
        with contextlib.suppress(subprocess.TimeoutExpired):  # the edition ends with its second
            running.process.wait(1 - time.time() % 1)
        (filled.seeds / "new.txt").write_text(COPY, "utf-8")
        for words in (["ingest"], ["publish"], ["send", "weekly", "--yes"]):
            assert filled.run(*words).exit_code == 0
        home = f"http://127.0.0.1:{running.port}"
        browser.watch()

        assert "Customs find pills" in browser.open(f"{home}/en/")
        look(browser, running.port)
        assert "<title>Customs" in browser.follow("//nav//a[contains(@href, '/themes/customs')]")
        look(browser, running.port)
        story = browser.follow("(//a[contains(@href, '/stories/')])[1]")
        assert 'class="same"' in story
        look(browser, running.port)
        other = browser.follow("//header//a[@hreflang='ru']")
        assert '<html lang="ru"' in other
        assert 'class="same"' in other
        look(browser, running.port)
        browser.type("//header//input[@name='q']", "таможенные службы")
        with browser.loading():
            browser.call("Input.dispatchKeyEvent", type="keyDown", key="Enter", text="\r")
        assert "<mark>" in browser.page
        look(browser, running.port)
        browser.follow("//nav//a[contains(@href, '/editions/')]")
        look(browser, running.port)
        edition = browser.follow("(//main//a[contains(@href, '/editions/weekly/1')])[1]")
        assert "/leave/" not in edition
        assert BORIS not in edition
        browser.open(f"{home}/en/feeds")
        assert "/feeds/drugs.en.atom" in browser.page
        look(browser, running.port)

        browser.open(f"{home}/desk/")
        shown_at = time.monotonic()
        browser.type("//input[@name='address']", EDITOR)
        with contextlib.suppress(subprocess.TimeoutExpired):  # as slowly as a person
            running.process.wait(max(0.0, shown_at + QUICKEST.total_seconds() - time.monotonic()))
        browser.press("Mail me a link")
        assert running.until("links")["sent"] == 1
        browser.open(home + link_in(server, EDITOR))
        assert "Draft: The week" in browser.press("Sign in")
        look(browser, running.port)
        button = "(//button[starts-with(@aria-label, 'Not Customs: ')])[1]"
        title = browser.attribute(button, "aria-label").removeprefix("Not Customs: ")
        browser.follow(button)
        [article] = [one for one in filled.json("articles", "list") if one["title"] == title]
        assert "customs" not in article["themes"]
        assert "No draft waits" in browser.follow("//button[starts-with(., 'Approve ')]")
        assert filled.json("editions", "show", "2")["status"] == "composed"
        look(browser, running.port)
