"""Drafts: nothing goes out before a person has approved exactly what was seen."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest

from digest.audience.store import ChosenRecipient, add_recipient
from digest.editions.compose import (
    Expected,
    compose_due,
    compose_now,
    count_waiting,
    freeze_segment,
    preview,
)
from digest.editions.drafts import Edit, approve, draft_of, edit_draft
from digest.editions.preview import everything
from digest.editions.ranks import rank
from digest.editions.store import delivery_counts, edition_by_id, edition_note, pending_editions
from digest.errors import ExpectationError, NotFoundError, NotReadyError
from digest.model import Edition, EditionStatus
from digest.newsroom import Newsroom
from digest.sources.decisions import withdraw
from digest.store.database import Database
from tests.conftest import INGESTED_AT
from tests.desks import Desk, opened

MONDAY = datetime.fromisoformat("2026-11-23T03:00:00+00:00")
HOUR = timedelta(hours=1)


@dataclass
class Room:
    desk: Desk
    db: Database

    def at(self, now: datetime = MONDAY) -> Newsroom:
        return opened(self.db, self.desk.settings, clock=now)

    def draft(self, now: datetime = MONDAY) -> Edition:
        [edition] = compose_due(self.at(now))
        return edition

    def subscribe(self, address: str) -> None:
        chosen = ChosenRecipient(address, ("en", "ru"), ("weekly",))
        with self.db.write():
            add_recipient(self.db, chosen, INGESTED_AT)

    def edit(self, by: str = "Anna", **changes: object) -> Edition:
        return edit_draft(self.at(), 1, Edit(**changes), by)

    def approve(self, now: datetime = MONDAY, by: str = "Boris") -> Edition:
        _, draft = draft_of(self.at(now), 1)
        return approve(self.at(now), 1, Expected(draft.hash), by)

    def news(self, name: str, now: datetime) -> int:
        text = f"{name} is the headline\n\nCustoms officers met in Ashgabat.\n"
        (self.desk.seeds / f"{name}.txt").write_text(text, "utf-8")
        [added] = self.desk.ingest(now).added
        return added


@pytest.fixture
def room(filled: Desk) -> Iterator[Room]:
    filled.configure(approval="true")
    with filled.open() as db:
        made = Room(filled, db)
        made.subscribe("anna@example.org")
        yield made


def ids(edition: Edition) -> list[int]:
    return [one.article.id for one in edition.placements]


def test_a_draft_queues_nothing_until_it_is_approved(room: Room) -> None:
    """For the editor in charge: nobody is mailed before; then those who are recipients by then."""
    draft = room.draft()
    assert (draft.status, delivery_counts(room.db, 1)) == (EditionStatus.DRAFT, {})
    assert pending_editions(room.db, digest="weekly", now=MONDAY) == []
    assert compose_due(room.at(MONDAY + HOUR)) == []
    room.subscribe("boris@example.org")
    approved = room.approve(MONDAY + HOUR)
    assert approved.hash == draft.hash == edition_by_id(room.db, 1).hash
    assert delivery_counts(room.db, 1) == {"queued": 2}
    row = room.db.row("SELECT approved_by, approved_at FROM editions")
    assert row == {"approved_by": "Boris", "approved_at": "2026-11-23T04:00:00.000000Z"}
    with pytest.raises(NotReadyError, match="is no draft: it is composed"):
        room.approve()


def test_without_approval_an_edition_approves_itself(room: Room) -> None:
    """As before: who does not ask for it has no more work."""
    room.desk.configure(approval="false")
    assert room.draft().status == EditionStatus.COMPOSED
    row = room.db.row("SELECT approved_by, approved_at IS NOT NULL AS at FROM editions")
    assert row == {"approved_by": None, "at": 1}


def test_only_what_was_seen_is_approved(room: Room) -> None:
    """For the editor in charge: a withdrawal, another edit or another title needs another look."""
    seen = Expected(room.draft().hash)
    withdraw(room.at(), 7, by="Anna")
    with pytest.raises(ExpectationError, match="What has changed: its articles"):
        approve(room.at(), 1, seen, "Boris")
    _, draft = draft_of(room.at(), 1)
    assert 7 not in ids(draft)
    assert room.edit(subject=(("en", "Another"),)).hash != draft.hash
    with pytest.raises(ExpectationError):
        approve(room.at(), 1, Expected(draft.hash), "Boris")
    assert delivery_counts(room.db, 1) == {}


def test_a_second_person_approves_if_config_says_so(room: Room) -> None:
    """For the newsroom: four eyes."""
    room.desk.configure(second_person="true")
    room.draft()
    room.edit(by="Anna", lead=7)
    with pytest.raises(NotReadyError, match="edited last by Anna"):
        room.approve(by="Anna")
    assert room.approve(by="Boris").status == EditionStatus.COMPOSED


def test_a_draft_that_nobody_approves_is_held(room: Room) -> None:
    """For the recipient: it is never sent by itself; it can still be approved."""
    room.draft()
    compose_due(room.at(MONDAY + 12 * HOUR - timedelta(seconds=1)))
    assert edition_note(room.db, 1) is None
    compose_due(room.at(MONDAY + 12 * HOUR))
    assert edition_note(room.db, 1) == "nobody approved it by 2026-11-23 15:00 UTC"
    assert delivery_counts(room.db, 1) == {}
    room.approve(MONDAY + 13 * HOUR)
    assert edition_note(room.db, 1) is None
    assert pending_editions(room.db, digest="weekly", now=MONDAY + 14 * HOUR) == [1]


def test_by_hand_one_draft_waits_at_a_time(room: Room) -> None:
    """For the operator who runs the command twice."""
    weekly = room.desk.settings.digests[0]
    now = INGESTED_AT + HOUR
    assert compose_now(room.at(now), weekly).status == EditionStatus.DRAFT
    room.news("later", now + HOUR)
    assert preview(room.at(now + 2 * HOUR), weekly, now + 2 * HOUR) is None
    assert compose_now(room.at(now + 2 * HOUR), weekly) is None


def test_the_editors_choice_comes_first(room: Room) -> None:
    """Whatever its day and weight, also where few are shown; ours comes back when it is taken back."""
    room.desk.configure(per_theme="1")
    before = room.draft()
    lead, first = ids(before)[20], ids(before)[30]
    after = room.edit(lead=lead, order=(first,))
    assert sorted(ids(after)) == sorted(ids(before))
    weekly = room.desk.settings.digests[0]
    choice = everything(room.desk.settings, weekly)
    layout = freeze_segment(room.at(), weekly, after, choice).layout
    ranks = rank(after, layout)
    assert ranks[lead].why == "lead: editor"
    assert ranks[first].why in ("second: editor", "third: editor", "third: no headline of its own")
    assert {section.shown[0].article.id for section in layout.sections} >= {lead, first}
    assert room.edit(lead=0, order=()).hash == before.hash


def test_what_is_postponed_comes_in_the_next_edition_and_what_is_dropped_never(room: Room) -> None:
    """For the editor: left out of this one only, or for good."""
    before = ids(room.draft())
    postponed, dropped, restored = before[:3]
    room.edit(postpone=(postponed, restored), drop=(dropped,))
    left = ids(room.edit(restore=(restored,)))
    assert set(before) - set(left) == {postponed, dropped}
    shown = {one.id for placed in room.approve().placements for one in placed.siblings}
    assert not shown & {postponed, dropped}
    weekly = room.desk.settings.digests[0]
    assert count_waiting(room.at(MONDAY + HOUR), weekly, MONDAY + HOUR) == 1
    # It alone is no reason to send another edition at once.
    assert compose_now(room.at(MONDAY + HOUR), weekly) is None
    added = room.news("later", MONDAY + HOUR)
    [second] = compose_due(room.at(MONDAY + timedelta(days=7)))
    assert sorted(ids(second)) == sorted([postponed, added])
    approve(room.at(MONDAY + timedelta(days=7)), 2, Expected(second.hash), "Boris")
    third = room.news("last", MONDAY + timedelta(days=8))
    [edition] = compose_due(room.at(MONDAY + timedelta(days=14)))
    assert ids(edition) == [third]


def test_a_postponed_article_comes_when_an_edition_is_due(room: Room) -> None:
    """Without any other news, too: nothing is lost."""
    postponed = ids(room.draft())[0]
    room.edit(postpone=(postponed,))
    room.approve()
    [second] = compose_due(room.at(MONDAY + timedelta(days=7)))
    assert ids(second) == [postponed]


def test_nothing_is_in_two_editions_and_nothing_in_none(room: Room) -> None:
    """Whichever of two drafts is approved first, and whatever is taken back after that."""
    postponed, other = ids(room.draft())[:2]
    room.edit(postpone=(postponed,))
    later = MONDAY + timedelta(days=7)
    [held, second] = compose_due(room.at(later))
    assert (held.id, ids(second)) == (1, [postponed])
    approve(room.at(later), 2, Expected(second.hash), "Boris")
    with pytest.raises(NotReadyError, match=f"article {postponed} is in a later edition by now"):
        room.edit(restore=(postponed,))
    # The next edition is out already, so it comes in the one after it.
    room.edit(postpone=(other,))
    room.approve(later)
    [third] = compose_due(room.at(later + timedelta(days=7)))
    assert ids(third) == [other]


@pytest.mark.parametrize(
    "text",
    ["word " * 300, "One.\n\nTwo.", "# Heading", "- one\n- two", "![x](https://x.example/x.png)"],
)
def test_the_introduction_is_one_paragraph(room: Room, text: str) -> None:
    """For the editor: what would be cut or run together is refused."""
    room.draft()
    with pytest.raises(NotReadyError, match="must be one paragraph of at most 1,000 characters"):
        room.edit(introduction=(("en", text),))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"lead": 999}, "article 999 is not in edition 1"),
        ({"drop": (999,)}, "article 999 is not in edition 1"),
        ({"restore": (7,)}, "article 7 is not left out of edition 1"),
        ({"subject": (("de", "Nein"),)}, "weekly has en, ru"),
    ],
)
def test_what_is_not_there_cannot_be_chosen(room: Room, changes: dict, says: str) -> None:
    """One clear error, and nothing is changed."""
    before = room.draft()
    with pytest.raises(NotFoundError, match=says):
        room.edit(**changes)
    assert draft_of(room.at(), 1)[1].hash == before.hash
