"""A newsroom's week with copy that waits, is killed and is corrected, from documents to feeds and mail."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from digest.editions.compose import compose_due, preview
from digest.feeds.publish import publish
from digest.newsroom import Newsroom
from digest.service.troubles import find_troubles
from digest.sources.ingest import IngestReport, ingest
from digest.store.articles import all_article_ids, articles_by_id
from digest.store.database import open_database
from tests.desks import MADE_AT, PAGES, opened
from tests.factories import make_settings
from tests.feeds.folders import contents

MONDAY = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
"""Eight in Ashgabat: the first edition is closed."""
RELEASE = """EMBARGOED UNTIL 00:01 GMT, 25 NOVEMBER 2026

Poppy fields of Karvel shrink for a third year

OSTAN, 22 November 2026 - Farmers of Karvel planted opium poppy on 900 hectares, a survey shows.

The survey was made by the ministry of agriculture in all six provinces of the country.
"""
PORT = """Selkan port gets a scanner

OSTAN, 22 November 2026 - The port of Selkan has a new scanner, which customs officers will use from
Monday to look into containers, the port said in a statement to the press on Sunday.
"""
CORRECTED = f"CORRECTED-{PORT}".replace("Monday", "Tuesday")
KILL = """KILL: Poppy fields of Karvel shrink for a third year

Editors, please kill the story headlined "Poppy fields of Karvel shrink for a third year".
"""


class Week:
    """One source, and a clock that the test sets."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "wire").mkdir()
        self.settings = make_settings(folder)
        self.now = MONDAY

    def newsroom(self) -> Newsroom:
        """Opened again each time, as by another process."""
        db = open_database(self.folder / "digest.db", now=MADE_AT)
        return opened(db, self.settings, clock=lambda: self.now, templates=PAGES)

    def put(self, name: str, text: str) -> None:
        (self.folder / "wire" / f"{name}.txt").write_text(text, "utf-8")

    def ingest(self) -> IngestReport:
        return ingest(self.newsroom(), batch=1)

    def seen(self, words: str) -> bool:
        """Whether a feed, a page or the dry run of the next edition has these words."""
        newsroom = self.newsroom()
        publish(newsroom)
        files = contents(self.folder / "feeds").values()
        edition = preview(newsroom, self.settings.digests[0], self.now)
        titles = [one.article.title for one in edition.placements] if edition else []
        return any(words.encode() in data for data in files) or words in titles

    def troubles(self) -> list[str]:
        found = find_troubles(self.newsroom(), self.now)
        return [one.key.split()[0] for one in found if one.key[0] in "ekc"]


@pytest.fixture
def week(tmp_path: Path) -> Week:
    return Week(tmp_path)


TITLE = "Poppy fields of Karvel shrink for a third year"
HOUR = datetime(2026, 11, 25, 0, 1, tzinfo=UTC)


def test_a_release_is_published_at_its_hour_and_mailed_in_its_week(week: Week) -> None:
    """For the sender, although the newsroom is stopped and started, and for the recipient: once."""
    week.put("release", RELEASE)
    week.put("port", PORT)
    week.now -= timedelta(hours=1)
    assert len(week.ingest().added) == 2
    states, mailed = [], []
    for moment in (
        week.now,
        MONDAY,
        HOUR - timedelta.resolution,
        HOUR,
        MONDAY + timedelta(weeks=1),
    ):
        week.now = moment
        assert week.ingest().added == []
        states.append(week.seen(TITLE))
        mailed += [
            (edition.number, one.article.title)
            for edition in compose_due(week.newsroom())
            for one in edition.placements
        ]
    assert states == [False, False, False, True, True]
    assert mailed == [(1, "Selkan port gets a scanner"), (2, TITLE)]


def test_a_kill_before_its_hour_keeps_it_back(week: Week) -> None:
    """For the sender: the desk is asked, and nothing is published meanwhile."""
    week.put("release", RELEASE)
    week.put("kill", KILL)
    report = week.ingest()
    assert (len(report.added), report.asked) == (1, 1)
    week.now = HOUR + timedelta(days=1)
    assert (week.ingest().asked, week.seen(TITLE), week.troubles()) == (0, False, ["kill"])


@pytest.mark.parametrize("order", [("port", "new"), ("new", "port"), ("port new",)])
def test_a_correction_is_one_article_in_whatever_order(week: Week, order: tuple[str, ...]) -> None:
    """For the reader: the corrected text, and a line that says so."""
    texts = {"port": PORT, "new": CORRECTED}
    for names in order:
        for name in names.split():
            week.put(name, texts[name])
        week.ingest()
        week.now += timedelta(minutes=5)
    newsroom = week.newsroom()
    [article] = articles_by_id(newsroom.db, all_article_ids(newsroom.db))
    assert "from Tuesday" in " ".join(article.text.split())
    assert article.title == "Selkan port gets a scanner"
    assert article.version == (2 if order[0] == "port" else 1)
    says = "Corrected on 23\u00a0November\u00a02026: text." if order[0] == "port" else "Corrected."
    assert (week.seen(says), week.troubles()) == (True, [])
