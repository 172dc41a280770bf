"""A grave correction: 1,000 recipients, 312 of whom got the article."""

import os
from collections import Counter
from datetime import timedelta

import pytest

from digest.mail.maildir import MaildirTransport
from tests.desks import Desk
from tests.journeys.drills import copied
from tests.journeys.killing import killer
from tests.journeys.relay import ANSWERED, END, Relay, relaying
from tests.mailing import MONDAY, Office, subscribe, use_smtp

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
COPY = "{lorries} lorries held\n\nTurkmenistan, 20 November 2026 - Customs officers found heroin in {lorries} lorries.\n"
TOLD = {f"drugs{i}@reader.example" for i in range(312)}
OTHERS = {f"other{i}@reader.example" for i in range(688)}
CONNECTIONS = 4


def sent_to_312(desk: Desk, relay: Relay) -> None:
    """Edition 1 went out, and article 37 in it was corrected since."""
    use_smtp(desk, relay.port, reads=False)
    (desk.seeds / "lorries.txt").write_text(COPY.format(lorries=12), "utf-8")
    assert desk.ingest(MONDAY - timedelta(days=3)).added == [37]
    with desk.open() as db:
        office = Office(desk, db, transport=MaildirTransport(desk.folder / "first"))
        with db.write():
            for addresses, theme in ((TOLD, "drugs"), (OTHERS, "other")):
                for address in sorted(addresses):
                    subscribe(db, address, MONDAY, languages=("en",), themes=(theme,))
        office.compose()
        office.deliver()
        assert office.counts() == {"sent": 1000}
    (desk.seeds / "lorries.txt").write_text(COPY.format(lorries=2), "utf-8")
    assert desk.ingest(MONDAY + timedelta(hours=1)).revised == [37]
    relay.taken.clear()


def test_exactly_those_who_got_the_article_are_told_whatever_dies(filled: Desk) -> None:
    """kill -9 while they are queued, at two steps of a message, and at an answer: 312 told, each with one
    message or named as uncertain, and 0 others."""
    with relaying(Relay()) as relay, killer() as killing:
        sent_to_312(filled, relay)
        now = MONDAY + timedelta(hours=2)
        trial = copied(filled, filled.folder.parent / "trial")
        nth, queued = killing.run(trial, "notify", now, nth=10**6).steps - 80, 0
        while not queued:
            assert killing.run(filled, "notify", now, nth=(nth := nth + 4)).killed
            with filled.open(read_only=True) as db:
                queued = db.value("SELECT count(*) FROM notices")
        assert queued < 312
        assert not killing.run(filled, "notify", now).fault
        for step, nth in ((END, 30), (ANSWERED, 60)):
            pid = killing.start(filled, "send by hand", now)
            relay.kill_at(step, nth, pid)
            assert killing.wait(pid).killed
            relay.wait_until_quiet()
        assert not killing.run(filled, "notify", now).fault
        assert not killing.run(filled, "send by hand", now).fault
        relay.wait_until_quiet()
        with filled.open(read_only=True) as db:
            rows = db.rows("SELECT recipient, status FROM notices")
        states = Counter(row["status"] for row in rows)
        uncertain = {row["recipient"] for row in rows if row["status"] == "uncertain"}
        assert {row["recipient"] for row in rows} == TOLD
        assert len(rows) == 312
        assert states.keys() <= {"sent", "uncertain"}
        assert len(uncertain) <= 2 * CONNECTIONS
        assert set(relay.taken.values()) == {1}
        assert TOLD - uncertain <= set(relay.taken) <= TOLD
