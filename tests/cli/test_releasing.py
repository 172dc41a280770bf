"""`digest articles show` and `release`: what was cut, and copy that waits for its hour."""

from datetime import timedelta

import pytest

from digest.model import Cut, CutKind, Embargo
from digest.newsroom import Clock
from digest.sources.store import add_article, save_entry
from tests.desks import Desk
from tests.factories import make_entry

CONTACT = Cut(CutKind.CONTACT, "Press office: Anna Orlova\n+993 12 000000")
WORDS = "EMBARGOED UNTIL TOMORROW"


@pytest.fixture
def waiting(filled: Desk) -> Desk:
    """Article 37 waits until tomorrow; a contact was cut from its document."""
    now = Clock()()
    embargo = Embargo(now + timedelta(days=1), WORDS)
    values = {"urgency": "flash", "number": "18/2026", "embargo": embargo, "cuts": (CONTACT,)}
    entry = make_entry(title="Poppy fields shrink", text="Farmers planted poppy.", **values)
    with filled.open() as db, db.write():
        added = add_article(db, 1, "wire", 1, entry, archived=False, moment=now)
        save_entry(db, 1, added, entry, keys={}, entry_id=None)
    assert added == 37
    return filled


def test_an_editor_sees_what_waits_and_what_was_cut(waiting: Desk) -> None:
    """For the editor: in the list, on its own, in status; for programs too."""
    shown = waiting.json("articles", "show", "37")
    assert (shown["embargoed"], shown["urgency"], shown["number"]) == (True, "flash", "18/2026")
    assert shown["embargo"]["words"] == WORDS
    assert [(one["kind"], one["text"]) for one in shown["cuts"]] == [("contact", CONTACT.text)]
    text = waiting.run("articles", "show", "37").stdout
    assert CONTACT.text in text
    assert f"“{WORDS}” embargoed until " in text
    assert "Poppy fields shrink  (flash, embargoed until " in waiting.run("articles", "list").stdout
    assert "1 article embargoed, the next until" in waiting.run("status").stdout
    assert waiting.run("articles", "search", "poppy", "farmers").stdout.count("Poppy") == 1


def test_a_release_is_in_the_feeds_at_once(waiting: Desk) -> None:
    """For the reader: no other command is needed; a second release changes nothing."""
    feed = waiting.folder / "feeds" / "all.atom"
    waiting.run("publish")
    assert "Poppy fields" not in feed.read_text("utf-8")
    first = waiting.json("articles", "release", "37", "--by", "Anna")
    assert (first["changed"], first["embargoed"], first["released_by"]) == (True, False, "Anna")
    assert "Poppy fields" in feed.read_text("utf-8")
    again = waiting.run("articles", "release", "37", "--by", "Boris")
    assert "It is not embargoed now." in again.stdout
    assert "released by Anna" in waiting.run("articles", "show", "37").stdout
    assert "embargoed" not in waiting.run("status").stdout
