"""The verb `compose`: every article in exactly one edition, and the dry run's hash is the edition's."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from digest.config.settings import DigestConfig
from digest.editions.compose import (
    Expected,
    compose_due,
    compose_now,
    count_waiting,
    expectation,
    find_digest,
    preview,
    segments,
    without_withdrawn,
)
from digest.editions.store import delivery_counts, edition_by_id, segments_of
from digest.errors import ExpectationError, NotFoundError
from digest.model import Choice, Edition, EditionStatus, Segment, Window
from digest.newsroom import Newsroom
from digest.store.articles import all_article_ids, withdraw_article
from digest.store.database import Database
from tests.conftest import INGESTED_AT
from tests.desks import LISTING, Desk, opened
from tests.mailing import subscribe

MONDAY = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
"""08:00 in Ashgabat, when the first weekly edition is due."""
DAY = timedelta(days=1)
WEEK = 7 * DAY
HOUR = timedelta(hours=1)
DRY_RUN_AT = INGESTED_AT + HOUR
HASH = "0123456789abcdef" * 2
DAILY = """
[[digests]]
name = "daily"
title = { en = "The day", ru = "День" }
schedule = "0 8 * * *"
"""


@dataclass
class Room:
    """A desk with an open store; each call says at which time it happens."""

    desk: Desk
    db: Database

    def at(self, now: datetime) -> Newsroom:
        return opened(self.db, self.desk.settings, clock=now)

    @property
    def weekly(self) -> DigestConfig:
        return find_digest(self.desk.settings, "weekly")

    def due(self, now: datetime) -> list[Edition]:
        return compose_due(self.at(now))

    def by_hand(self, now: datetime, expect: Expected | None = None) -> Edition | None:
        return compose_now(self.at(now), self.weekly, expect=expect)

    def dry_run(self, now: datetime = DRY_RUN_AT) -> Edition:
        return preview(self.at(now), self.weekly, now)

    def subscribe(
        self,
        address: str,
        languages: Sequence[str] = ("en", "ru"),
        themes: Sequence[str] | None = None,
    ) -> int:
        with self.db.write():
            return subscribe(self.db, address, INGESTED_AT, languages=languages, themes=themes)

    def add_seed(self, name: str, now: datetime) -> int:
        text = f"{name} is the headline\n\nCustoms officers met in Ashgabat.\n"
        (self.desk.seeds / f"{name}.txt").write_text(text, "utf-8")
        [added] = self.desk.ingest(now).added
        return added

    def revise_seed(self, now: datetime) -> None:
        self.desk.edit_seed(LISTING, "to mark the World Drug Day", "to honour the World Drug Day")
        assert len(self.desk.ingest(now).revised) == 1

    def stored(self, edition: Edition) -> Edition:
        """The edition as it is in the store."""
        return edition_by_id(self.db, edition.id)

    def counts(self, edition: Edition) -> dict[str, int]:
        return delivery_counts(self.db, edition.id)


@pytest.fixture
def room(filled: Desk) -> Iterator[Room]:
    with filled.open() as db:
        yield Room(filled, db)


def asked(edition: Edition) -> Expected:
    """As the operator pastes it."""
    return Expected.parse(expectation(edition, edition.window.ends_at))


def numbers(edition: Edition) -> set[int]:
    return {placement.article.id for placement in edition.placements}


def test_the_first_edition_holds_all_that_came_in(room: Room) -> None:
    """For the first recipient: all 36 articles, in the window that the rule says."""
    [edition] = room.due(MONDAY)
    assert numbers(edition) == set(all_article_ids(room.db))
    assert (edition.number, edition.status) == (1, EditionStatus.COMPOSED)
    assert (edition.window.starts_at, edition.window.ends_at) == (MONDAY - WEEK, MONDAY)


def test_an_edition_is_composed_once_at_its_hour(room: Room) -> None:
    """For the service: every tick may ask, and neither an early nor a second run does anything."""
    assert room.due(MONDAY - timedelta(microseconds=1)) == []
    assert len(room.due(MONDAY)) == 1
    assert room.due(MONDAY) == []
    assert room.due(MONDAY + HOUR) == []


def test_each_article_is_in_exactly_one_edition(room: Room) -> None:
    """For the recipient: nothing twice and nothing lost, the hour of the window's end included."""
    [first] = room.due(MONDAY)
    at_the_end = room.add_seed("exactly-at-the-end", MONDAY)
    [second] = room.due(MONDAY + WEEK)
    assert numbers(second) == {at_the_end}
    assert numbers(first) | numbers(second) == set(all_article_ids(room.db))
    assert (second.number, second.window.starts_at) == (2, first.window.ends_at)


def test_a_revised_article_is_not_news_again_and_changes_no_edition(room: Room) -> None:
    """For the recipient: a corrected word brings no second mail, and the first stays as it was sent."""
    [frozen] = room.due(MONDAY)
    room.revise_seed(MONDAY + HOUR)
    assert room.due(MONDAY + WEEK) == []
    stored = room.stored(frozen)
    again = without_withdrawn(room.at(MONDAY), room.weekly, stored)  # nothing was
    assert stored.hash == frozen.hash == again.hash
    assert not any("honour the World" in one.article.text for one in stored.placements)


def test_missed_mondays_are_one_edition(room: Room) -> None:
    """For the recipient after an outage: one mail for all the time missed, no burst."""
    [edition] = room.due(MONDAY + 3 * WEEK + HOUR)
    assert edition.window.ends_at == MONDAY + 3 * WEEK
    assert room.due(MONDAY + 3 * WEEK + HOUR) == []


@pytest.mark.parametrize(
    ("late", "status"),
    [
        pytest.param(timedelta(hours=24), EditionStatus.COMPOSED, id="at the limit it goes"),
        pytest.param(timedelta(hours=24, seconds=1), EditionStatus.HELD, id="later it waits"),
    ],
)
def test_a_late_edition_waits_for_a_person(
    room: Room, late: timedelta, status: EditionStatus
) -> None:
    """For the operator: later than max_lateness_hours it is held, with all its deliveries."""
    room.subscribe("a@example.org")
    [edition] = room.due(MONDAY + late)
    assert edition.status is room.stored(edition).status is status
    assert room.counts(edition) == {"queued": 1}
    assert room.due(MONDAY + late) == []


def test_an_empty_edition_is_skipped_and_its_time_kept(room: Room) -> None:
    """For the recipient of a quiet week: no mail, and later news is not lost."""
    room.due(MONDAY)
    assert room.due(MONDAY + WEEK) == []
    late = room.add_seed("late", MONDAY + WEEK + HOUR)
    [second] = room.due(MONDAY + 2 * WEEK)
    assert (second.number, numbers(second)) == (2, {late})
    assert second.window.starts_at == MONDAY


def test_an_empty_edition_is_made_once_in_a_period_if_config_says_so(room: Room) -> None:
    """With empty = "send" it has a number too; a command by hand makes one only when it is due."""
    room.desk.configure(empty='"send"')
    room.subscribe("a@example.org")
    room.due(MONDAY)
    assert room.by_hand(MONDAY + HOUR) is None
    [second] = room.due(MONDAY + WEEK)
    assert (second.number, second.placements) == (2, ())
    assert room.by_hand(MONDAY + 2 * WEEK + HOUR) is not None
    assert room.by_hand(MONDAY + 2 * WEEK + 2 * HOUR) is None


def test_a_dry_run_shows_the_edition_that_is_frozen(room: Room) -> None:
    """For the operator: the hash on the screen is the hash that is sent, article by article."""
    room.subscribe("a@example.org")
    shown = room.dry_run()
    expected = asked(shown)
    frozen = room.by_hand(DRY_RUN_AT + timedelta(minutes=20), expected)
    stored = room.stored(frozen)
    assert (
        (stored.hash, stored.window) == (frozen.hash, frozen.window) == (shown.hash, shown.window)
    )
    assert [one.article.text for one in stored.placements] == [
        one.article.text for one in shown.placements
    ]


def test_what_comes_in_after_the_dry_run_is_in_the_next_edition(room: Room) -> None:
    """For the operator: news that was not shown is not sent, and it is not lost either."""
    room.subscribe("a@example.org")
    shown = room.dry_run()
    late = room.add_seed("late", DRY_RUN_AT + timedelta(minutes=5))
    later = DRY_RUN_AT + timedelta(minutes=10)
    frozen = room.by_hand(later, asked(shown))
    assert late not in numbers(frozen)
    following = room.by_hand(later)
    assert numbers(following) == {late}
    assert following.window.starts_at == frozen.window.ends_at


def test_an_edition_that_is_not_expected_is_refused(room: Room) -> None:
    """For the operator: a correction since the dry run stops the sending, and nothing is stored."""
    room.subscribe("a@example.org")
    expected = asked(room.dry_run())
    room.revise_seed(DRY_RUN_AT)
    with pytest.raises(
        ExpectationError, match=r"changed: its articles or corrections\. Nothing was sent"
    ):
        room.by_hand(DRY_RUN_AT, expected)
    assert room.db.value("SELECT count(*) FROM editions") == 0


def test_before_the_first_article_there_is_nothing_to_preview(db: Database, desk: Desk) -> None:
    """For a newcomer: no window without news."""
    room = Room(desk, db)
    assert preview(room.at(MONDAY), room.weekly, MONDAY) is None
    assert room.due(MONDAY) == []
    assert room.by_hand(MONDAY) is None
    with pytest.raises(ExpectationError, match="nothing new has come in"):
        room.by_hand(MONDAY, Expected(HASH))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(HASH, Expected(HASH), id="the whole hash"),
        pytest.param(f" {HASH} \n", Expected(HASH), id="pasted with spaces"),
        pytest.param(f"{HASH}@20261123T030000Z", Expected(HASH, MONDAY), id="with its time"),
    ],
)
def test_an_expectation_is_read_as_the_dry_run_prints_it(text: str, expected: Expected) -> None:
    """For the operator: the line on the screen can be pasted."""
    assert Expected.parse(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param(HASH[:16], id="too short: it would not cover all"),
        pytest.param(HASH + "0", id="too long"),
        pytest.param("latest!!", id="a word"),
        pytest.param(HASH[:-1] + "G", id="not hexadecimal"),
        pytest.param(f"{HASH}@", id="an end that is empty"),
        pytest.param(f"{HASH}@yesterday", id="an end that is not a time"),
        pytest.param(f"{HASH}@20261399T000000Z", id="an end that is not a date"),
    ],
)
def test_any_other_expectation_is_refused(text: str) -> None:
    """For the operator: a typo sends nothing."""
    with pytest.raises(ExpectationError, match="--expect"):
        Expected.parse(text)


def test_recipients_with_equal_choices_are_one_segment(room: Room) -> None:
    """For the operator: the dry run counts them, the largest first, and so does the edition."""
    room.subscribe("a@example.org", ["en"], ["drugs", "youth"])
    room.subscribe("b@example.org", ["en"], ["youth", "drugs"])
    room.subscribe("c@example.org", ["ru", "en"])
    seen = segments(room.at(MONDAY), room.weekly, Window(MONDAY - WEEK, MONDAY))
    everything = ("drugs", "customs", "corruption", "youth", "other")
    assert seen == [
        Segment(Choice("en", ("en",), ("drugs", "youth")), 2),
        Segment(Choice("ru", ("ru", "en"), everything), 1),
    ]
    [edition] = room.due(MONDAY)
    assert [segment for _, segment in segments_of(room.db, edition.id)] == seen
    assert room.counts(edition) == {"queued": 3}


def test_a_recipient_who_unsubscribed_gets_no_delivery(room: Room) -> None:
    """The next edition does not include them."""
    gone = room.subscribe("gone@example.org")
    room.subscribe("here@example.org")
    with room.db.write():
        room.db.run("UPDATE recipients SET status = 'ended' WHERE id = ?", (gone,))
    [edition] = room.due(MONDAY)
    assert room.counts(edition) == {"queued": 1}


def test_a_digest_of_some_themes_carries_only_those(room: Room) -> None:
    """For the newsroom with a digest on one subject: no edition of it contains anything else."""
    room.desk.configure(themes='["customs"]', languages='["en", "ru"]')
    [edition] = room.due(MONDAY)
    assert edition.placements
    assert all("customs" in one.article.themes for one in edition.placements)


def test_a_theme_removed_from_config_removes_no_article(room: Room) -> None:
    """For the recipient of everything: its articles are under other news."""
    text = room.desk.config.read_text("utf-8")
    youth = '[[themes]]\nname = "youth"\ntitle = { en = "Youth", ru = "Молодёжь" }\n'
    assert youth in text
    room.desk.config.write_text(text.replace(youth, ""), "utf-8")
    [edition] = room.due(MONDAY)
    assert numbers(edition) == set(all_article_ids(room.db))
    assert not any("youth" in one.article.themes for one in edition.placements)
    shown = room.desk.json("articles", "list", "--theme", "youth")
    assert any(article["themes"] == ["youth"] for article in shown)


def test_archived_articles_are_in_no_edition(desk: Desk) -> None:
    """For the newsroom that imports its old copy: no mail of 36 old articles."""
    desk.ingest(INGESTED_AT, archive=True)
    with desk.open() as db:
        room = Room(desk, db)
        assert room.due(MONDAY) == []
        new = room.add_seed("new", MONDAY + HOUR)
        [edition] = room.due(MONDAY + WEEK)
        assert numbers(edition) == {new}


def test_an_edition_knows_the_earlier_weeks_of_its_themes(room: Room) -> None:
    """Each whole week since the store was first filled, without what was withdrawn and what is new."""
    room.add_seed("seen", INGESTED_AT + 8 * DAY)
    gone = room.add_seed("gone", INGESTED_AT + 15 * DAY)
    room.add_seed("this week", INGESTED_AT + 30 * DAY)
    with room.db.write():
        withdraw_article(room.db, gone, INGESTED_AT + 16 * DAY)
    room.subscribe("anna@example.com")
    edition = room.by_hand(INGESTED_AT + 35 * DAY)
    assert edition.earlier["other"] == ({}, {"en": 1}, {}, {})
    assert set(edition.earlier) == {"drugs", "customs", "corruption", "youth", "other"}
    assert edition_by_id(room.db, edition.id).earlier == {
        theme: list(weeks) for theme, weeks in edition.earlier.items()
    }


def test_a_digest_is_found_by_name_or_as_the_only_one(filled: Desk) -> None:
    """For the operator: a name is needed only if there is a choice, and the message lists them."""
    assert find_digest(filled.settings, None).name == "weekly"
    with pytest.raises(NotFoundError, match=r"no digest 'daily'.*weekly"):
        find_digest(filled.settings, "daily")
    with filled.config.open("a", encoding="utf-8") as config:
        config.write(DAILY)
    with pytest.raises(NotFoundError, match="name one of weekly, daily"):
        find_digest(filled.settings, None)


def test_two_digests_have_windows_of_their_own(room: Room) -> None:
    """For the recipient of both: each digest has all the news at its own time."""
    with room.desk.config.open("a", encoding="utf-8") as config:
        config.write(DAILY)
    [daily] = room.due(datetime(2026, 11, 19, 3, 0, tzinfo=UTC))
    [weekly] = room.due(MONDAY)
    assert (daily.digest, weekly.digest) == ("daily", "weekly")
    assert numbers(weekly) == numbers(daily) == set(all_article_ids(room.db))


@pytest.mark.parametrize(
    ("languages", "themes", "change"),
    [
        pytest.param((), (), "UPDATE articles SET archived = 0", id="all"),
        pytest.param(
            ("ru",), (), "UPDATE articles SET archived = 1 WHERE id % 3 = 0", id="archived"
        ),
        pytest.param(
            (), ("drugs",), "UPDATE articles SET withdrawn_at = updated_at", id="withdrawn"
        ),
        pytest.param(
            ("en",), ("youth", "customs"), "DELETE FROM matches WHERE rank > 1", id="themes"
        ),
        pytest.param(
            (), ("other",), "DELETE FROM matches WHERE article_id % 2 = 0", id="other news"
        ),
        pytest.param(
            (), ("other",), "UPDATE OR IGNORE matches SET theme = 'gone'", id="a theme that is gone"
        ),
    ],
)
@pytest.mark.parametrize("closed", [False, True], ids=["the first", "the next"])
def test_as_many_articles_are_counted_as_a_preview_shows(
    room: Room, languages: tuple[str, ...], themes: tuple[str, ...], change: str, closed: bool
) -> None:
    """For the status page: the number is that of the dry run, without reading the copy."""
    if closed:
        room.due(MONDAY)
        room.add_seed("one-more", MONDAY + HOUR)
    with room.db.write():
        room.db.insert("themes", {"name": "gone", "title": "Gone", "position": 9})
        room.db.run(change)
    digest = room.weekly.model_copy(update={"languages": languages, "themes": themes})
    newsroom = room.at(MONDAY + WEEK)
    shown = preview(newsroom, digest, MONDAY + WEEK)
    assert count_waiting(newsroom, digest, MONDAY + WEEK) == len(shown.placements)
