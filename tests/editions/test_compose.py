"""The verb `compose`: every article in exactly one edition, and the dry run's hash is the edition's."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from digest.audience.store import ChosenRecipient, add_recipient
from digest.config.settings import DigestConfig, Settings
from digest.editions.compose import (
    Expected,
    compose_due,
    compose_now,
    count_waiting,
    expectation,
    find_digest,
    preview,
    segments,
)
from digest.editions.selection import edition_hash
from digest.editions.store import delivery_counts, edition_by_id, segments_of
from digest.errors import ExpectationError, NotFoundError
from digest.model import Choice, Edition, EditionStatus, Segment
from digest.store.articles import all_article_ids
from digest.store.database import Database
from tests.conftest import INGESTED_AT
from tests.desks import LISTING, Desk, opened

MONDAY = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
"""08:00 in Ashgabat, when the first weekly edition is due."""
WEEK = timedelta(days=7)
HOUR = timedelta(hours=1)
HASH = "0123456789abcdef" * 4


def subscribe(
    db: Database,
    address: str,
    *,
    languages: Sequence[str] = ("en", "ru"),
    themes: Sequence[str] | None = None,
) -> int:
    with db.write():
        number, _ = add_recipient(
            db,
            ChosenRecipient(
                address=address, name=None, languages=languages, themes=themes, digests=["weekly"]
            ),
            INGESTED_AT,
        )
    return number


def weekly(settings: Settings) -> DigestConfig:
    return find_digest(settings, "weekly")


def due(db: Database, settings: Settings, now: datetime) -> list[Edition]:
    return compose_due(opened(db, settings, clock=lambda: now))


def by_hand(
    db: Database, settings: Settings, now: datetime, expect: Expected | None = None
) -> Edition | None:
    return compose_now(opened(db, settings, clock=lambda: now), weekly(settings), expect=expect)


def numbers(edition: Edition) -> set[int]:
    return {placement.article.id for placement in edition.placements}


def add_seed(desk: Desk, name: str, now: datetime) -> int:
    text = f"{name} is the headline\n\nCustoms officers met in Ashgabat.\n"
    (desk.seeds / f"{name}.txt").write_text(text, "utf-8")
    [added] = desk.ingest(now).added
    return added


def test_the_first_edition_holds_all_that_came_in(filled: Desk) -> None:
    """For the first recipient: all 36 articles, in the window that the rule says."""
    with filled.open() as db:
        [edition] = due(db, filled.settings, MONDAY)
        assert numbers(edition) == set(all_article_ids(db))
    assert (edition.number, edition.status) == (1, EditionStatus.COMPOSED)
    assert (edition.window.starts_at, edition.window.ends_at) == (MONDAY - WEEK, MONDAY)


def test_nothing_is_due_before_its_hour(filled: Desk) -> None:
    """For the recipient: the weekly mail comes on Monday, not when somebody runs a command."""
    with filled.open() as db:
        assert due(db, filled.settings, MONDAY - timedelta(microseconds=1)) == []


def test_an_edition_is_composed_once(filled: Desk) -> None:
    """For the service: every tick may ask, and a second run does nothing."""
    with filled.open() as db:
        assert len(due(db, filled.settings, MONDAY)) == 1
        assert due(db, filled.settings, MONDAY) == []
        assert due(db, filled.settings, MONDAY + HOUR) == []


def test_each_article_is_in_exactly_one_edition(filled: Desk) -> None:
    """For the recipient: nothing twice and nothing lost, the hour of the window's end included."""
    with filled.open() as db:
        [first] = due(db, filled.settings, MONDAY)
        at_the_end = add_seed(filled, "exactly-at-the-end", MONDAY)
        [second] = due(db, filled.settings, MONDAY + WEEK)
        assert numbers(second) == {at_the_end}
        assert numbers(first) | numbers(second) == set(all_article_ids(db))
    assert (second.number, second.window.starts_at) == (2, first.window.ends_at)


def test_a_revised_article_is_not_news_again(filled: Desk) -> None:
    """For the recipient: a corrected word brings no second mail about it."""
    with filled.open() as db:
        due(db, filled.settings, MONDAY)
        filled.edit_seed(LISTING, "to mark the World Drug Day", "to honour the World Drug Day")
        assert len(filled.ingest(MONDAY + HOUR).revised) == 1
        assert due(db, filled.settings, MONDAY + WEEK) == []


def test_an_edition_stays_as_it_was_frozen(filled: Desk) -> None:
    """For whoever asks what was sent: a later version changes no edition."""
    with filled.open() as db:
        [frozen] = due(db, filled.settings, MONDAY)
        filled.edit_seed(LISTING, "to mark the World Drug Day", "to honour the World Drug Day")
        filled.ingest(MONDAY + HOUR)
        assert frozen.id is not None
        kept = edition_by_id(db, frozen.id)
    again = edition_hash(
        digest=kept.digest,
        number=kept.number,
        window=kept.window,
        zone="Asia/Ashgabat",
        placements=kept.placements,
    )
    assert kept.hash == frozen.hash == again
    assert not any("honour the World" in one.article.text for one in kept.placements)


def test_missed_mondays_are_one_edition(filled: Desk) -> None:
    """For the recipient after an outage: one mail for all the time missed, no burst."""
    with filled.open() as db:
        [edition] = due(db, filled.settings, MONDAY + 3 * WEEK + HOUR)
        assert edition.window.ends_at == MONDAY + 3 * WEEK
        assert due(db, filled.settings, MONDAY + 3 * WEEK + HOUR) == []


@pytest.mark.parametrize(
    ("late", "status"),
    [
        pytest.param(timedelta(hours=24), EditionStatus.COMPOSED, id="at the limit it goes"),
        pytest.param(timedelta(hours=24, seconds=1), EditionStatus.HELD, id="later it waits"),
    ],
)
def test_a_late_edition_waits_for_a_person(
    filled: Desk, late: timedelta, status: EditionStatus
) -> None:
    """For the operator: what is over max_lateness_hours late is held, and what it holds is kept."""
    with filled.open() as db:
        subscribe(db, "a@example.org")
        [edition] = due(db, filled.settings, MONDAY + late)
        assert edition.status is status
        assert edition.id is not None
        assert edition_by_id(db, edition.id).status is status
        assert delivery_counts(db, edition.id) == {"queued": 1}
        assert due(db, filled.settings, MONDAY + late) == []


def test_an_empty_edition_is_skipped_and_its_time_kept(filled: Desk) -> None:
    """For the recipient of a quiet week: no mail, and what comes later is not lost."""
    with filled.open() as db:
        due(db, filled.settings, MONDAY)
        assert due(db, filled.settings, MONDAY + WEEK) == []
        late = add_seed(filled, "late", MONDAY + WEEK + HOUR)
        [second] = due(db, filled.settings, MONDAY + 2 * WEEK)
        assert (second.number, numbers(second)) == (2, {late})
        assert second.window.starts_at == MONDAY


def test_an_empty_edition_is_made_where_config_says_so(filled: Desk) -> None:
    """For the newsroom that always writes: an edition without articles has a number too."""
    filled.configure(empty='"send"')
    with filled.open() as db:
        due(db, filled.settings, MONDAY)
        [second] = due(db, filled.settings, MONDAY + WEEK)
    assert (second.number, second.placements) == (2, ())


def test_that_there_is_no_news_is_told_once_in_a_period(filled: Desk) -> None:
    """Where empty editions are sent: a command by hand makes one when it is due, and no other."""
    filled.configure(empty='"send"')
    with filled.open() as db:
        subscribe(db, "a@example.org")
        due(db, filled.settings, MONDAY)

        def by_hand(now: datetime) -> Edition | None:
            return compose_now(
                opened(db, filled.settings, clock=lambda: now), weekly(filled.settings)
            )

        assert by_hand(MONDAY + HOUR) is None
        assert by_hand(MONDAY + WEEK + HOUR) is not None
        assert by_hand(MONDAY + WEEK + 2 * HOUR) is None


def test_a_dry_run_shows_the_edition_that_is_frozen(filled: Desk) -> None:
    """For the operator: the hash on the screen is the hash that is sent, article by article."""
    now = INGESTED_AT + HOUR
    with filled.open() as db:
        subscribe(db, "a@example.org")
        shown = preview(opened(db, filled.settings), weekly(filled.settings), now)
        assert shown is not None
        expected = Expected.parse(expectation(shown))
        later = now + timedelta(minutes=20)
        frozen = by_hand(db, filled.settings, later, expected)
        assert frozen is not None
        assert frozen.id is not None
        assert (frozen.hash, frozen.window) == (shown.hash, shown.window)
        kept = edition_by_id(db, frozen.id)
        assert (kept.hash, kept.window) == (shown.hash, shown.window)
        assert [one.article.text for one in kept.placements] == [
            one.article.text for one in shown.placements
        ]


def test_what_comes_in_after_the_dry_run_is_in_the_next_edition(filled: Desk) -> None:
    """For the operator: what was not seen is not sent, and it is not lost either."""
    now = INGESTED_AT + HOUR
    with filled.open() as db:
        subscribe(db, "a@example.org")
        shown = preview(opened(db, filled.settings), weekly(filled.settings), now)
        assert shown is not None
        late = add_seed(filled, "late", now + timedelta(minutes=5))
        later = now + timedelta(minutes=10)
        frozen = by_hand(db, filled.settings, later, Expected.parse(expectation(shown)))
        assert frozen is not None
        assert late not in numbers(frozen)
        following = by_hand(db, filled.settings, later)
        assert following is not None
        assert numbers(following) == {late}
        assert following.window.starts_at == frozen.window.ends_at


def test_an_edition_that_is_not_expected_is_refused(filled: Desk) -> None:
    """For the operator: a correction since the dry run stops the sending, and nothing is kept."""
    now = INGESTED_AT + HOUR
    with filled.open() as db:
        subscribe(db, "a@example.org")
        shown = preview(opened(db, filled.settings), weekly(filled.settings), now)
        assert shown is not None
        filled.edit_seed(LISTING, "to mark the World Drug Day", "to honour the World Drug Day")
        filled.ingest(now)
        with pytest.raises(ExpectationError, match=r"came in or was changed.*Nothing was sent"):
            by_hand(db, filled.settings, now, Expected.parse(expectation(shown)))
        assert db.value("SELECT count(*) FROM editions") == 0


def test_before_the_first_article_there_is_nothing_to_preview(db: Database, desk: Desk) -> None:
    """For a newcomer: no window without news."""
    settings = desk.settings
    assert preview(opened(db, settings), weekly(settings), MONDAY) is None
    assert due(db, settings, MONDAY) == []
    assert by_hand(db, settings, MONDAY) is None
    with pytest.raises(ExpectationError, match="nothing new has come in"):
        by_hand(db, settings, MONDAY, Expected(HASH))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(HASH, Expected(HASH), id="the whole hash"),
        pytest.param("01234567", Expected("01234567"), id="its first eight signs"),
        pytest.param(" 0123456789 \n", Expected("0123456789"), id="pasted with blanks"),
        pytest.param(
            "0123456789abcdef@20261123T030000Z",
            Expected("0123456789abcdef", MONDAY),
            id="with the end of its window",
        ),
    ],
)
def test_an_expectation_is_read_as_the_dry_run_prints_it(text: str, expected: Expected) -> None:
    """For the operator: what is on the screen can be pasted."""
    assert Expected.parse(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("0123456", id="seven signs tell too little"),
        pytest.param(HASH + "0", id="too long"),
        pytest.param("latest!!", id="a word"),
        pytest.param("0123456G", id="no hexadecimal"),
        pytest.param("01234567@", id="an end that is empty"),
        pytest.param("01234567@yesterday", id="an end that is no time"),
        pytest.param("01234567@20261399T000000Z", id="an end in no calendar"),
    ],
)
def test_what_is_no_expectation_is_refused(text: str) -> None:
    """For the operator: a slip of the hand sends nothing."""
    with pytest.raises(ExpectationError, match="--expect"):
        Expected.parse(text)


def test_recipients_with_equal_choices_are_one_segment(filled: Desk) -> None:
    """For the operator: the dry run counts them, the largest first, and the edition keeps them so."""
    with filled.open() as db:
        subscribe(db, "a@example.org", languages=["en"], themes=["drugs", "youth"])
        subscribe(db, "b@example.org", languages=["en"], themes=["youth", "drugs"])
        subscribe(db, "c@example.org", languages=["ru", "en"])
        seen = segments(opened(db, filled.settings), weekly(filled.settings))
        everything = ("drugs", "customs", "corruption", "youth", "other")
        assert seen == [
            Segment(Choice("en", ("en",), ("drugs", "youth")), 2),
            Segment(Choice("ru", ("ru", "en"), everything), 1),
        ]
        [edition] = due(db, filled.settings, MONDAY)
        assert edition.id is not None
        assert [segment for _, segment in segments_of(db, edition.id)] == seen
        assert delivery_counts(db, edition.id) == {"queued": 3}


def test_who_ended_the_subscription_gets_no_delivery(filled: Desk) -> None:
    """For whoever left: the next edition does not know them."""
    with filled.open() as db:
        gone = subscribe(db, "gone@example.org")
        subscribe(db, "here@example.org")
        with db.write():
            db.run("UPDATE recipients SET status = 'ended' WHERE id = ?", (gone,))
        [edition] = due(db, filled.settings, MONDAY)
        assert edition.id is not None
        assert delivery_counts(db, edition.id) == {"queued": 1}


def test_a_digest_of_some_themes_carries_only_those(filled: Desk) -> None:
    """For the newsroom with a digest on one subject: the rest waits in no edition of it."""
    filled.configure(themes='["customs"]', languages='["en", "ru"]')
    with filled.open() as db:
        [edition] = due(db, filled.settings, MONDAY)
    assert edition.placements
    assert all("customs" in one.article.themes for one in edition.placements)


def test_a_theme_taken_out_of_config_takes_no_article_out(filled: Desk) -> None:
    """For the recipient of everything: what was filed under it stands under other news."""
    text = filled.config.read_text("utf-8")
    youth = '[[themes]]\nname = "youth"\ntitle = { en = "Youth", ru = "Молодёжь" }\n'
    assert youth in text
    filled.config.write_text(text.replace(youth, ""), "utf-8")
    with filled.open() as db:
        [edition] = due(db, filled.settings, MONDAY)
        assert numbers(edition) == set(all_article_ids(db))
    assert not any("youth" in one.article.themes for one in edition.placements)
    shown = filled.json("articles", "list", "--theme", "youth")
    assert any(article["themes"] == ["youth"] for article in shown)


def test_archived_articles_are_in_no_edition(desk: Desk) -> None:
    """For the newsroom that brings its old copy: no mail of 36 old articles."""
    desk.ingest(INGESTED_AT, archive=True)
    with desk.open() as db:
        assert due(db, desk.settings, MONDAY) == []
        new = add_seed(desk, "new", MONDAY + HOUR)
        [edition] = due(db, desk.settings, MONDAY + WEEK)
        assert numbers(edition) == {new}


def test_a_digest_is_found_by_name_or_as_the_only_one(filled: Desk) -> None:
    """For the operator: a name is needed only where there is a choice, and the names are told."""
    settings = filled.settings
    assert find_digest(settings, None).name == "weekly"
    with pytest.raises(NotFoundError, match=r"no digest 'daily'.*weekly"):
        find_digest(settings, "daily")
    with filled.config.open("a", encoding="utf-8") as config:
        config.write('\n[[digests]]\nname = "daily"\ntitle = { en = "The day", ru = "День" }\n')
    with pytest.raises(NotFoundError, match="name one of weekly, daily"):
        find_digest(filled.settings, None)


def test_two_digests_have_windows_of_their_own(filled: Desk) -> None:
    """For the recipient of both: each digest tells all the news in its own time."""
    with filled.config.open("a", encoding="utf-8") as config:
        config.write(
            '\n[[digests]]\nname = "daily"\ntitle = { en = "The day", ru = "День" }\n'
            'schedule = "0 8 * * *"\n'
        )
    with filled.open() as db:
        thursday = datetime(2026, 11, 19, 3, 0, tzinfo=UTC)
        [daily] = due(db, filled.settings, thursday)
        assert daily.digest == "daily"
        [first] = due(db, filled.settings, MONDAY)
        assert first.digest == "weekly"
        assert numbers(first) == numbers(daily) == set(all_article_ids(db))


@pytest.mark.parametrize(
    ("languages", "themes", "change"),
    [
        pytest.param([], [], "UPDATE articles SET archived = 0", id="all"),
        pytest.param(
            ["ru"], [], "UPDATE articles SET archived = 1 WHERE id % 3 = 0", id="archived"
        ),
        pytest.param(
            [], ["drugs"], "UPDATE articles SET withdrawn_at = updated_at", id="withdrawn"
        ),
        pytest.param(
            ["en"], ["youth", "customs"], "DELETE FROM matches WHERE rank > 1", id="themes"
        ),
        pytest.param(
            [], ["other"], "DELETE FROM matches WHERE article_id % 2 = 0", id="other news"
        ),
        pytest.param(
            [], ["other"], "UPDATE OR IGNORE matches SET theme = 'gone'", id="a theme that is gone"
        ),
    ],
)
@pytest.mark.parametrize("closed", [False, True], ids=["the first", "the next"])
def test_as_many_articles_are_counted_as_a_preview_shows(
    filled: Desk, languages: list[str], themes: list[str], change: str, closed: bool
) -> None:
    """For whoever looks at the status: the number is that of the dry run, without reading the copy."""
    with filled.open() as db:
        if closed:
            due(db, filled.settings, MONDAY)
            add_seed(filled, "one-more", MONDAY + HOUR)
        with db.write():
            db.insert("themes", {"name": "gone", "title": "Gone", "position": 9})
            db.run(change)
        digest = weekly(filled.settings).model_copy(
            update={"languages": languages, "themes": themes}
        )
        shown = preview(opened(db, filled.settings), digest, MONDAY + WEEK)
        assert shown is not None
        counted = count_waiting(opened(db, filled.settings), digest, MONDAY + WEEK)
        assert counted == len(shown.placements)
