"""What was decided about a subscription is on record: when, by whom, from where, by which words."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from digest.audience.exchange import Rules, import_readers
from digest.audience.recipients import By, change, keep
from digest.audience.store import end_recipient, events_of, recipient_by_address
from digest.store.database import Database
from tests.desks import opened
from tests.factories import make_settings

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
ANNA = "anna@reader.example"
SETTINGS = make_settings()


def test_every_change_is_on_record(db: Database) -> None:
    """Art. 7 (1) GDPR: who keeps a subscription can show how it came about."""
    form = By("form", "192.0.2.0/24", "I would like this digest.")
    with db.write():
        keep(db, SETTINGS, NOW, ANNA, {}, resubscribe=False, by=form)
        keep(db, SETTINGS, NOW, ANNA, {}, resubscribe=False)  # nothing changes
        keep(db, SETTINGS, NOW, ANNA, {"themes": ["youth"]}, resubscribe=False, by=By("link"))
        change(db, SETTINGS, NOW, ANNA, {}, new_address="ann@reader.example")
        change(db, SETTINGS, NOW, "ann@reader.example", {}, paused_until=NOW + timedelta(days=1))
        anna = recipient_by_address(db, "ann@reader.example")
        assert end_recipient(db, anna, "the link", NOW, "one-click")
        assert not end_recipient(db, anna, "the link", NOW, "one-click")
        keep(db, SETTINGS, NOW, "ann@reader.example", {}, resubscribe=True)
    events = events_of(db, anna)
    acts = [(event["act"], event["made_by"]) for event in events]
    assert acts == [
        ("joined", "form"),
        ("chose", "link"),
        ("moved", "command"),
        ("paused", "command"),
        ("left", "one-click"),
        ("returned", "command"),
    ]
    assert (events[0]["network"], events[0]["words"]) == (form.network, form.words)
    assert events[1]["changed"] == {"themes": ["everything", "youth"]}
    assert events[2]["changed"] == {"address": [ANNA, "ann@reader.example"]}


def test_an_import_is_on_record(db: Database, tmp_path: Path) -> None:
    """Each reader of a file joined by it, and only those who were added."""
    path = tmp_path / "readers.csv"
    path.write_text(f"email\n{ANNA}\nboris@reader.example\n", "utf-8")
    with db.write():
        keep(db, SETTINGS, NOW, ANNA, {}, resubscribe=False)
    newsroom = opened(db, SETTINGS, clock=NOW)
    list(import_readers(newsroom, path, Rules(SETTINGS), dry_run=False))
    made_by = [(one, row["made_by"]) for one in (1, 2) for row in events_of(db, one)]
    assert made_by == [(1, "command"), (2, "import")]
