"""A new version over an old newsroom: the start of the service brings the database up to date."""

import contextlib
import json

import pytest

from digest.store.sqlite import sqlite3
from tests.desks import ROOT, Desk
from tests.journeys.serving import service

pytestmark = pytest.mark.drill

FIRST = ROOT / "tests" / "data" / "schemas" / "01.sql"


def test_the_service_starts_on_a_database_of_the_first_version(desk: Desk) -> None:
    """What the page says of upgrading: ready and at work, with every old article, and sound."""
    with contextlib.closing(sqlite3.connect(str(desk.store))) as old:
        old.executescript(FIRST.read_text("utf-8"))
        # The rows of this dump are made up; evidence, as every version wrote it, names its hits.
        old.execute("UPDATE matches SET evidence = ?", ('{"hits": [], "blotted": []}',))
        old.commit()
        [[kept]] = old.execute("SELECT count(*) FROM articles").fetchall()
    desk.configure(lease_seconds="3.0", send="false")
    with service(desk) as running:
        facts = running.until("read")
        assert "added" in facts, facts.get("trace", facts)
        added = facts["added"]
        assert json.loads(running.get("/readyz")[2])["ready"] is True
        assert running.get("/feeds/all.atom")[0] == 200
        assert running.end() == 0
    assert (kept, added) == (1, 36)
    assert len(desk.json("articles", "list")) == kept + added
    checks = desk.run("doctor").stdout
    assert f"{desk.store} is sound" in checks
    assert "WRONG  counts" not in checks
