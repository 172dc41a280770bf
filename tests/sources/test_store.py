"""What ingest stores: ids that never change, versions that people can see, moments in order."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from digest.model import Cut, CutKind, DateSource, Entry, KnownDate
from digest.sources.store import (
    Document,
    add_article,
    next_moment,
    revise_article,
    save_document,
    save_source,
)
from digest.store.articles import article_versions, articles_by_id
from digest.store.database import Database, open_database, text_from_moment
from tests.desks import MADE_AT
from tests.factories import make_entry

CAME_IN = datetime(2026, 11, 18, 6, 30, tzinfo=UTC)
LATER = CAME_IN + timedelta(days=1)
ENTRY = make_entry()


class Intake:
    """One source with one document, and the wire's first article."""

    def __init__(self, db: Database) -> None:
        self.db = db
        with db.write():
            self.source = save_source(db, "wire", "documents", "Wire", CAME_IN)
            self.document = save_document(
                db,
                self.source,
                Document(name="001.txt", sha256="x", size=1, encoding="utf-8", error=None),
                CAME_IN,
            )

    def add(self, entry: Entry, origin: str = "https://news.example.org\nwire") -> int:
        with self.db.write():
            return add_article(
                self.db, self.source, origin, self.document, entry, archived=False, moment=CAME_IN
            )

    def revise(self, article_id: int, entry: Entry) -> bool:
        with self.db.write():
            return revise_article(self.db, article_id, self.document, entry, LATER)

    def atom_id(self, article_id: int) -> str:
        [article] = articles_by_id(self.db, [article_id])
        return article.atom_id


@pytest.fixture
def wire(db: Database) -> Intake:
    return Intake(db)


def test_the_permanent_id_comes_from_document_and_title(wire: Intake, tmp_path: Path) -> None:
    """For the subscriber of a newsroom that lost its database: the same copy has the same id."""
    first = wire.atom_id(wire.add(ENTRY))
    with open_database(tmp_path / "again.db", now=MADE_AT) as db:
        again = Intake(db)
        again.add(make_entry(title="Another one first"))
        assert again.atom_id(again.add(ENTRY)) == first


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(replace(ENTRY, title="Another title"), id="another title"),
        pytest.param(replace(ENTRY, document="002.txt"), id="another document"),
        pytest.param(replace(ENTRY, url="https://example.org/1"), id="an address of its own"),
        pytest.param(replace(ENTRY, guid="tag:example.org,2026:1"), id="an id of its own"),
        pytest.param(replace(ENTRY, line=9), id="the same title again in one document"),
    ],
)
def test_no_two_articles_have_one_id(wire: Intake, other: Entry) -> None:
    """For feed readers: what has one id is one entry to them."""
    assert wire.atom_id(wire.add(ENTRY)) != wire.atom_id(wire.add(other))


def test_two_newsrooms_mint_different_ids(wire: Intake) -> None:
    """For the reader of both: the same copy under two names is two entries."""
    mine = wire.atom_id(wire.add(ENTRY))
    theirs = wire.atom_id(wire.add(ENTRY, "https://desk.example.net\nwire"))
    assert mine != theirs


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"title": "A better title"}, id="title"),
        pytest.param({"text": "They met again.", "lead": "They met again."}, id="text"),
        pytest.param({"complete": False}, id="completeness"),
        pytest.param({"byline": "A. Reporter"}, id="byline"),
        pytest.param({"published": KnownDate(date(2023, 4, 5), DateSource.STATED)}, id="day"),
    ],
)
def test_what_people_read_makes_a_version(wire: Intake, change: dict[str, object]) -> None:
    """For the subscriber: their reader shows the entry again, under the same id."""
    number = wire.add(ENTRY)
    [before] = articles_by_id(wire.db, [number])
    assert wire.revise(number, replace(ENTRY, **change))  # type: ignore[arg-type]
    [after] = articles_by_id(wire.db, [number])
    assert (after.version, after.updated_at) == (2, LATER)
    assert (after.atom_id, after.first_seen_at) == (before.atom_id, before.first_seen_at)
    assert [row["version"] for row in article_versions(wire.db, number)] == [1, 2]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"wire_tag": "nCa, 4 April 2023"}, id="wire tag"),
        pytest.param({"line": 7}, id="place in the document"),
        pytest.param({"published": replace(ENTRY.published, evidence="on 4 April")}, id="how a day is known"),
        pytest.param({"cuts": (Cut(CutKind.CONTACT, "Jane Roe"),)}, id="press contact"),
    ],
)  # fmt: skip
def test_what_nobody_reads_makes_none(wire: Intake, change: dict[str, object]) -> None:
    """For the subscriber: no entry is new for a reason that cannot be seen."""
    number = wire.add(ENTRY)
    assert not wire.revise(number, replace(ENTRY, **change))  # type: ignore[arg-type]
    [after] = articles_by_id(wire.db, [number])
    assert (after.version, after.updated_at) == (1, CAME_IN)


def close_window(db: Database, digest: str, ends_at: datetime) -> None:
    with db.write():
        db.insert(
            "editions",
            {
                "digest": digest,
                "number": 1,
                "starts_at": text_from_moment(ends_at - timedelta(days=7)),
                "ends_at": text_from_moment(ends_at),
                "status": "composed",
                "hash": "0" * 64,
                "composed_at": text_from_moment(ends_at),
            },
        )


@pytest.mark.parametrize(
    ("ends", "expected"),
    [
        pytest.param([], CAME_IN, id="before the first edition"),
        pytest.param([CAME_IN - timedelta(hours=1)], CAME_IN, id="after the last window"),
        pytest.param([CAME_IN], CAME_IN, id="a window is half open"),
        pytest.param([LATER], LATER, id="the clock was set back"),
        pytest.param([LATER, CAME_IN], LATER, id="of several digests the latest counts"),
    ],
)
def test_the_next_moment_is_in_no_closed_window(
    db: Database, ends: list[datetime], expected: datetime
) -> None:
    """For the recipient: no article falls into an edition that was composed without it."""
    for number, ends_at in enumerate(ends):
        close_window(db, f"digest-{number}", ends_at)
    assert next_moment(db, CAME_IN) == expected


def test_a_moment_is_stored_to_the_microsecond(db: Database) -> None:
    """For windows: what is written is what is read, and its text sorts as time does."""
    moments = [CAME_IN, CAME_IN + timedelta(microseconds=1), LATER]
    texts = [text_from_moment(moment) for moment in moments]
    assert texts == sorted(texts)
    assert [datetime.fromisoformat(text) for text in texts] == moments
