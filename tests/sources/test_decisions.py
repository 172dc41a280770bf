"""Embargoed copy is nowhere before its hour and everywhere after it; kills and corrections ask a person."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from digest.editions.compose import compose_due, count_waiting, preview
from digest.errors import NotReadyError
from digest.feeds.publish import publish
from digest.model import NEVER, Article, Embargo, Entry, Kill
from digest.newsroom import Newsroom
from digest.service.doctor import database
from digest.service.report import gather, running_week, view_report
from digest.service.store import totals
from digest.service.troubles import copy_that_waits, embargoes, find_troubles
from digest.sources.decisions import release, withdraw
from digest.sources.store import (
    Document,
    add_article,
    hold_back_killed,
    mark_gone,
    next_moment,
    propose,
    revise_article,
    save_document,
    save_entry,
    save_source,
)
from digest.sources.versions import keys_of
from digest.store.articles import content_mark, find_article, latest_ids
from digest.store.database import Database
from digest.stories.store import choose_lead, move, new_story
from tests.desks import PAGES, opened
from tests.factories import make_entry, make_settings
from tests.feeds.folders import contents

NOW = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
HOUR = datetime(2026, 11, 25, 0, 1, tzinfo=UTC)
BEFORE = HOUR - timedelta.resolution
EMBARGO = Embargo(HOUR, "EMBARGOED UNTIL 00:01 GMT, 25 NOVEMBER 2026")
NO_HOUR = Embargo(None, "EMBARGOED until the minister speaks")


@dataclass
class Room:
    """A newsroom with one source and a clock that the test sets."""

    db: Database
    folder: Path
    now: datetime = NOW
    newsroom: Newsroom = field(init=False)

    def __post_init__(self) -> None:
        settings = make_settings(self.folder)
        self.newsroom = opened(self.db, settings, clock=lambda: self.now, templates=PAGES)
        with self.db.write():
            self.source = save_source(self.db, "wire", "documents", "Wire", NOW)
            document = Document("001.txt", "x", 1)
            self.document = save_document(self.db, self.source, document, NOW)
            self.notice = save_document(self.db, self.source, Document("002.txt", "x", 1), NOW)

    def store(self, title: str, embargo: Embargo | None = None, **values: Any) -> int:
        entry = make_entry(**{"title": title, "text": f"{title} so.", "embargo": embargo} | values)
        with self.db.write():
            of = self.source, "wire", self.document
            added = add_article(self.db, *of, entry, archived=False, moment=self.now)
            keys = keys_of(entry)
            save_entry(self.db, self.document, added, entry, keys=keys, entry_id=None)
        return added

    def revise(self, article_id: int, entry: Entry) -> bool:
        with self.db.write():
            return revise_article(self.db, article_id, self.document, entry, self.now)

    def join(self, *articles: int) -> None:
        with self.db.write():
            story = new_story(self.db, self.now)
            for one in articles:
                move(self.db, one, story)
            choose_lead(self.db, story, ["wire"])

    def ask(self, kill: Kill, article_id: int | None = None) -> bool:
        with self.db.write():
            asked = propose(self.db, self.notice, self.now, kill, article_id)
            hold_back_killed(self.db, self.now)
        return asked

    def article(self, article_id: int) -> Article:
        return find_article(self.db, article_id)

    def publish(self) -> set[str]:
        """What is written."""
        return set(publish(self.newsroom).written)

    def seen(self, words: str) -> set[str]:
        """The published files with these words."""
        files = contents(self.folder / "feeds")
        return {Path(name).name for name, data in files.items() if words.encode() in data}

    def previewed(self) -> list[int]:
        edition = preview(self.newsroom, self.newsroom.settings.digests[0], self.now)
        return sorted(one.article.id for one in edition.placements) if edition else []

    def troubles(self) -> list[str]:
        return [one.key for one in copy_that_waits(self.db, self.now)]


@pytest.fixture
def room(db: Database, tmp_path: Path) -> Room:
    return Room(db, tmp_path)


def test_embargoed_copy_is_nowhere_before_its_hour_and_everywhere_after_it(room: Room) -> None:
    """For the sender: not a microsecond early, and without a verb that releases it."""
    plain, waits = room.store("A plain release"), room.store("Poppy fields shrink", EMBARGO)
    room.publish()
    marks, states = set(), []
    for moment in (NOW, BEFORE, HOUR):
        room.now = moment
        marks.add(content_mark(room.db, moment))
        written, seen = room.publish(), room.seen("Poppy fields")
        digest = room.newsroom.settings.digests[0]
        states.append((bool(seen), bool(written), room.previewed()))
        assert count_waiting(room.newsroom, digest, moment) == len(room.previewed())
    assert states == [(False, False, [plain])] * 2 + [(True, True, [plain, waits])]
    assert len(marks) == 2
    assert {"all.atom", "en.rss", "all.json", "en.html", f"{waits}.html"} <= room.seen("Poppy")
    article = room.article(waits)
    times = article.received_at, article.first_seen_at, article.updated_at
    assert times == (NOW, HOUR, HOUR)


@pytest.mark.parametrize(
    ("embargo", "opens"),
    [
        (None, NOW),
        (Embargo(NOW, "past"), NOW),
        (Embargo(NOW - timedelta(days=9), "past"), NOW),
        (EMBARGO, HOUR),
        (NO_HOUR, NEVER),
        (Embargo(datetime(9999, 12, 31, tzinfo=UTC), "never"), NEVER),
    ],
)
def test_an_embargo_that_is_past_is_none(
    room: Room, embargo: Embargo | None, opens: datetime
) -> None:
    """And one without an hour waits for an editor, who sees it in every list."""
    stored = room.store("Poppy fields shrink", embargo)
    assert room.article(stored).first_seen_at == opens
    assert latest_ids(room.db) == [stored]
    assert latest_ids(room.db, until=NOW) == ([stored] if opens <= NOW else [])
    assert totals(room.db, NOW)["newest"] in (None, "2026-11-23T06:00:00.000000Z")


def test_it_is_in_the_edition_whose_window_holds_its_hour(room: Room) -> None:
    """For recipients: once, and not with the news of the day when it came in."""
    room.store("A plain release")
    room.now = BEFORE
    waits = room.store("Poppy fields shrink", replace_hour(EMBARGO, timedelta(days=6)))
    found = []
    for week in range(1, 4):
        room.now = datetime(2026, 11, 23, 3, 1, tzinfo=UTC) + timedelta(weeks=week)
        found += [
            (week, one.article.id)
            for edition in compose_due(room.newsroom)
            for one in edition.placements
        ]
    assert found == [(1, 1), (2, waits)]


@pytest.mark.parametrize("embargo", [None, EMBARGO, NO_HOUR])
def test_a_clock_that_was_put_back_breaks_no_embargo(room: Room, embargo: Embargo | None) -> None:
    """And keeps nothing back: what belongs to the edition after the newest is in the feeds at once."""
    room.store("A plain release")
    room.now = NOW + timedelta(days=30)
    assert compose_due(room.newsroom)
    ends_at = datetime(2026, 12, 21, 3, 0, tzinfo=UTC)
    room.now = NOW
    with room.db.write():
        moment = next_moment(room.db, room.now)
    entry = make_entry(title="Poppy fields shrink", embargo=embargo)
    with room.db.write():
        add_article(room.db, room.source, "w", 1, entry, archived=False, moment=moment)
    room.publish()
    assert bool(room.seen("Poppy fields")) == (embargo is None)
    assert room.article(2).first_seen_at == (NEVER if embargo is NO_HOUR else ends_at)
    room.now = HOUR
    room.publish()
    assert bool(room.seen("Poppy fields")) == (embargo is not NO_HOUR)


def replace_hour(embargo: Embargo, later: timedelta) -> Embargo:
    assert embargo.until is not None
    return Embargo(embargo.until + later, embargo.words)


def test_its_story_does_not_show_it_and_is_published_again_with_it(room: Room) -> None:
    """For the sender: a translation that is out links to nothing that is not."""
    teaser = room.store("A short note", complete=False)
    russian = room.store("Записка", language="ru")
    waits = room.store("Poppy fields shrink", EMBARGO)
    room.join(teaser, russian, waits)
    english = {"language": "en", "story_once": True}
    room.publish()
    assert room.seen("Poppy fields") == room.seen(f"articles/{waits}.html") == set()
    assert latest_ids(room.db, until=NOW, **english) == [teaser]
    room.now = HOUR
    assert {f"articles/{number}.html" for number in (teaser, russian, waits)} <= room.publish()
    assert latest_ids(room.db, until=HOUR, **english) == [waits]


def test_an_editor_releases_it_once(room: Room) -> None:
    """It counts from then, never inside a window that is closed; who did it is kept."""
    first, other = room.store("Poppy fields shrink", NO_HOUR), room.store("Crops", EMBARGO)
    room.join(first, other)
    compose_due(room.newsroom)
    room.now = NOW + timedelta(hours=1)
    assert release(room.newsroom, first, by="Anna")
    assert not release(room.newsroom, first, by="Boris")
    article = room.article(first)
    assert article.first_seen_at == article.updated_at == room.now
    assert (article.released_by, article.version) == ("Anna", 1)
    room.publish()
    assert room.seen("Poppy fields")
    assert not room.seen("Crops")
    assert room.previewed() == [first]
    assert room.db.value("SELECT lead_article_id FROM stories") == first


@pytest.mark.parametrize(
    ("embargo", "opens", "troubles"),
    [
        pytest.param(None, NOW, [], id="lifted"),
        pytest.param(Embargo(HOUR + timedelta(days=1), "later"), HOUR + timedelta(days=1), [], id="later"),
        pytest.param(NO_HOUR, NEVER, ["embargo 1"], id="without an hour"),
    ],
)  # fmt: skip
def test_a_revised_document_moves_the_hour(
    room: Room, embargo: Embargo | None, opens: datetime, troubles: list[str]
) -> None:
    """Of what waits; a new version of what waits is not updated before its hour."""
    waits = room.store("Poppy fields shrink", EMBARGO)
    assert room.revise(waits, make_entry(title="Poppy fields shrink again", embargo=EMBARGO))
    assert room.article(waits).updated_at == HOUR
    room.revise(waits, make_entry(title="Poppy fields shrink again", embargo=embargo))
    assert (room.article(waits).first_seen_at, room.article(waits).updated_at) == (opens, opens)
    assert room.troubles() == troubles


def test_what_readers_saw_stays_and_the_operator_is_told(room: Room) -> None:
    """Until an editor says that it may stay, or its hour comes."""
    seen = room.store("Poppy fields shrink")
    room.now += timedelta(hours=1)
    room.revise(seen, make_entry(title="Poppy fields shrink", embargo=EMBARGO))
    assert room.article(seen).first_seen_at == NOW
    [trouble] = copy_that_waits(room.db, room.now)
    assert trouble.said.endswith(f"was published before it asked to wait: “{EMBARGO.words}”.")
    assert list(copy_that_waits(room.db, HOUR)) == []
    release(room.newsroom, seen, by="Anna")
    assert (room.troubles(), room.article(seen).first_seen_at) == ([], NOW)


PORT = "Selkan port gets a scanner"


@pytest.mark.parametrize(
    ("kill", "named"),
    [
        (Kill("Please kill", title="SELKAN PORT gets a “scanner”"), True),
        (Kill("Recall", number="No. 187/2026"), False),
        (Kill("Recall", number="187/2026"), True),
        (Kill("Recall", title="Something else", number="187/2026"), True),
        (Kill("Please kill", title="Selkan port"), False),
        (Kill("Please kill"), False),
        (Kill("Please kill", title=PORT, number="18/2026"), True),
    ],
)
def test_a_kill_proposes_to_withdraw_what_it_names(room: Room, kill: Kill, named: bool) -> None:
    """By the words of its title or by its number; the same kill asks once, and a person decides."""
    killed, other = room.store(PORT, number="187/2026"), room.store("Crops", number="18/2026")
    assert [room.ask(kill), room.ask(kill)] == [True, False]
    [trouble] = copy_that_waits(room.db, room.now)
    assert (f"article {killed}" in trouble.said) == named
    assert (f"digest articles withdraw {killed}" in trouble.advice) == named
    assert trouble in find_troubles(room.newsroom, room.now)
    assert room.article(killed).withdrawn_at is None
    withdraw(room.newsroom, other, by="Anna")
    assert room.troubles() == ["kill 1"]
    withdraw(room.newsroom, killed, by="Anna")
    assert room.troubles() == ([] if named else ["kill 1"])
    room.now += timedelta(days=8)
    assert room.troubles() == []


def test_a_killed_article_that_waits_stays_back_until_a_person_decides(room: Room) -> None:
    """Also past its hour, and without a tombstone if it is withdrawn."""
    room.ask(Kill("Please kill", title=PORT))  # came first
    waits, again = room.store(PORT, EMBARGO), room.store(PORT, EMBARGO)
    with room.db.write():
        hold_back_killed(room.db, room.now)
    room.now = HOUR + timedelta(hours=1)
    room.publish()
    with pytest.raises(NotReadyError, match=f"withdraw article {waits}"):
        release(room.newsroom, waits, by="Anna")
    room.revise(waits, make_entry(title=PORT, embargo=None))
    assert (room.seen(PORT), room.troubles()) == (set(), ["kill 1"])
    assert withdraw(room.newsroom, waits, by="Anna")
    room.publish()
    assert room.article(again).first_seen_at == room.now  # it is not the one that was meant
    assert f"{waits}.html" not in room.seen(PORT)
    assert withdraw(room.newsroom, waits, by="Anna", keep=True)
    assert room.article(waits).first_seen_at == room.now


@pytest.mark.parametrize(("gone", "named"), [(False, False), (True, True)])
def test_a_kill_does_not_mean_what_stands_beside_it(room: Room, gone: bool, named: bool) -> None:
    """A new text below it is to be published; the text that the kill replaced is not."""
    room.document = room.notice
    stored = room.store(PORT)
    with room.db.write():
        mark_gone(room.db, [1] if gone else [], NOW)
    room.ask(Kill("Please kill; a new text follows", title=PORT))
    [trouble] = copy_that_waits(room.db, room.now)
    assert (f"article {stored}" in trouble.said) == named


def test_a_kill_can_be_refused(room: Room) -> None:
    """The article waits for its own hour again."""
    waits = room.store(PORT, EMBARGO)
    room.ask(Kill("Please kill", title=PORT))
    assert room.article(waits).first_seen_at == NEVER
    assert not withdraw(room.newsroom, waits, by="Anna", keep=True)
    assert (room.article(waits).first_seen_at, room.troubles()) == (HOUR, [])


def test_a_correction_of_what_is_not_certain_asks(room: Room) -> None:
    """It is an article of its own until the one that it replaces is withdrawn."""
    first, second = (
        room.store("Weekly figures", text="One."),
        room.store("Weekly figures", text="Two."),
    )
    new = room.store("Weekly figures", text="Three.", correction="it is three")
    room.ask(Kill("it is three", "Weekly figures"), new)
    [trouble] = copy_that_waits(room.db, room.now)
    assert f"article {second} or {first}" in trouble.said
    withdraw(room.newsroom, first, by="Anna")
    assert room.troubles() == []
    assert room.article(new).withdrawn_at is None


def test_the_desk_sees_what_waits(room: Room) -> None:
    """In status, doctor and report, with the next hour in the newsroom's zone."""
    settings = room.newsroom.settings
    assert embargoes(room.db, "Asia/Ashgabat", NOW) == ""
    room.store("Poppy fields shrink", NO_HOUR)
    assert embargoes(room.db, "Asia/Ashgabat", NOW) == "1 article embargoed, without an hour"
    room.store("Crops", EMBARGO)
    said = "2 articles embargoed, the next until 2026-11-25 05:01 Asia/Ashgabat"
    assert embargoes(room.db, "Asia/Ashgabat", NOW) == said
    week = gather(room.newsroom, running_week(room.newsroom, NOW), NOW)
    report = view_report(settings, week)
    assert [part.key for part in report.parts][:2] == ["trouble", "embargo"]
    findings = {one.name: one.said for one in database(room.newsroom)}
    assert "2 articles embargoed" in findings["embargoes"]
    assert "names no hour: “EMBARGOED until the minister speaks”" in findings["embargo 1"]
