"""From the front page to the desk: `digest serve`, a mail server, and a browser that runs no script."""

import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from digest.web.joining import QUICKEST
from tests.desks import Desk
from tests.journeys.browsing import CHROMIUM, Browser, browsing
from tests.journeys.serving import service
from tests.journeys.submission import Submission, submitting
from tests.journeys.test_audience import Newsroom, text_of

pytestmark = [
    pytest.mark.drill,
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
]
EDITOR = "new@reader.example"
COPY = "Customs find pills\n\nCustoms officers at Farap found heroin in a lorry, the service said.\n"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, filled: Desk) -> Iterator[Submission]:
    with submitting(filled, monkeypatch) as submission:
        yield submission


def look(browser: Browser, port: int) -> None:
    """Of the page that is open: it fits each window, says nothing, and asks nobody else."""
    for width in (1440, 320):
        for dark in (True, False):
            assert browser.wear(width, dark=dark) == width
    browser.wear(1280, dark=False)
    assert browser.said == []
    elsewhere = {url for url in browser.asked if urlsplit(url).port not in (port, None)}
    assert elsewhere == set()


def test_a_reader_and_an_editor_find_their_way(
    filled: Desk, server: Submission, tmp_path: Path
) -> None:
    filled.edit_config("# public_url", "public_url")
    filled.configure(lease_seconds="3.0", ingest_every_minutes="1440.0", approval="true")
    filled.configure(editors=f'["{EDITOR}"]')
    ...
