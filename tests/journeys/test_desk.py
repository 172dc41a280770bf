"""An editor's morning: the mailed link, a theme, the draft and its approval, in a real browser."""

import email
import email.policy
import re
from pathlib import Path

import pytest

from digest.newsroom import Clock
from tests.desks import Desk
from tests.journeys.browsing import CHROMIUM, browsing
from tests.journeys.serving import service

pytestmark = [
    pytest.mark.drill,
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
]
EDITOR = "editor@news.example.org"


def mails(desk: Desk, *, to: str) -> list[str]:
    """The texts of the mails to an address."""
    folder = desk.folder / "outbox" / "new"
    read = [
        email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        for path in (folder.iterdir() if folder.exists() else ())
    ]
    return [one.get_body(("plain",)).get_content() for one in read if one["To"] == to]


def test_an_editor_signs_in_corrects_a_theme_and_approves(desk: Desk, tmp_path: Path) -> None:
    """Everything is pressed, nothing is scripted; what was approved is mailed with the editor's words."""
    desk.edit_config(
        *("# public_url", "public_url", "approval = false", "approval = true"),
        *("editors = []", f'editors = ["{EDITOR}"]'),
    )
    desk.configure(schedule='"* * * * *"')
    desk.ingest(Clock()())
    desk.run("recipients", "add", "anna@reader.example", "--language", "en")
    with service(desk) as running, browsing(tmp_path / "profile") as browser:
        here = f"http://127.0.0.1:{running.port}/desk/"
        while not running.until("compose")["editions"]:
            pass
        browser.open(here)
        browser.type("//input[@name='address']", EDITOR)
        assert "a link is on its way" in browser.press("Mail me a link")
        running.until("links")
        [text] = mails(desk, to=EDITOR)
        [link] = re.findall(r"https://news.example.org/desk/(enter/\S+)", text)
        assert "Press the button to sign in" in browser.open(here + link)
        assert f"Signed in as {EDITOR}" in browser.press("Sign in")
        page = browser.press("Not Youth")
        assert "is not under Youth" in page
        browser.type("//textarea[@name='introduction-en']", "Read the first one first.")
        assert "edition 1 has other words: introduction (English)" in browser.press(
            "Save the words"
        )
        [name] = re.findall(r">(Approve [0-9a-f ]+)<", browser.page)
        assert "edition 1 is approved" in browser.press(name)
        while not running.until("send")["editions"]:
            pass
        assert "Mail me a link" in browser.press("Sign out")
    [mail] = mails(desk, to="anna@reader.example")
    assert "Read the first one first." in mail
    acts = [one["act"] for one in desk.json("desk", "log")]
    assert acts == ["out", "approve", "save", "not", "in"]
