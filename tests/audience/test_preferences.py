"""To be forgotten: nothing names the person any more, what was counted stays counted."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from digest.audience.evidence import Evidence, take_evidence
from digest.audience.preferences import forget, own_feed, personal_data
from digest.audience.recipients import By, change, keep
from digest.audience.store import feed_of, list_recipients, note_event
from digest.audience.suppressions import is_forgotten, suppress, suppression_of, unsuppress
from digest.errors import NotReadyError, RecipientError
from digest.mail.maildir import MaildirTransport
from digest.mail.outgoing import RATHER_TWICE, Kind, Notice
from digest.mail.store import queue
from tests.desks import Desk, opened
from tests.mailing import Office

ANNA, BORIS, BEFORE = "anna@petrova.example", "boris@reader.example", "Anna.P@Old.example"


@pytest.fixture
def office(filled: Desk) -> Iterator[Office]:
    with filled.open() as db:
        made = Office(filled, db, transport=MaildirTransport(filled.folder / "outbox"))
        made.add(BEFORE, name="Anna Petrova")
        made.add(BORIS)
        made.compose()
        made.deliver()
        yield made


def fill(office: Office) -> None:
    """Every table that can name Anna does."""
    db, now, settings = office.db, office.now, office.desk.settings
    at = "2026-11-23T03:00:00.000000Z"
    with db.write():
        change(db, settings, now, BEFORE, {"themes": ["youth"]}, new_address=ANNA)
        note_event(db, 1, "joined", "form", now, "192.0.2.0/24", "I, Anna Petrova, agree")
        wish = {"kind": "move", "address": ANNA, "address_key": ANNA, "recipient_id": 1}
        db.insert("requests", wish | {"wish": "{}", "network": "192.0.2.0/24", "asked_at": at})
        follow = {
            "recipient_id": 1,
            "key": "anna",
            "phrase": "Anna Petrova",
            "made_at": at,
            "looked_until": at,
        }
        db.insert("follows", follow)
        db.insert("providers", {"domain": "petrova.example", "provider": "x", "looked_up_at": at})
        db.run(
            "UPDATE deliveries SET answer = '250 for <anna.p@old.example>', reason = 'a@b' WHERE recipient_id = 1"
        )
        body = f"To: {ANNA}\r\n\r\nHello".encode()
        report = b"To: desk@news.example.org\r\n\r\nGone: ANNA@petrova.example"
        for name, to, text in (("a", ANNA, body), ("b", "desk@news.example.org", report)):
            queue(db, [Notice(Kind.REPORT, name, "mail", to, "", text, now, RATHER_TWICE)], now)
        db.run("UPDATE notices SET status = 'sent'")
        for about, key in ((1, b"1"), (None, b"2")):
            raw = b"Final-Recipient: rfc822; Anna@Petrova.Example " + key
            said = Evidence(
                key=key, kind="hard", proven=True, found_by=None, recipient_id=about,
                edition_id=1, status="5.1.1", diagnostic=f"no {ANNA}", because="", raw=raw,
            )  # fmt: skip
            take_evidence(db, said, now)
        suppress(db, ANNA, "complaint", now, detail=ANNA)
        db.run("""INSERT INTO segments (edition_id, language, languages, themes, hash, layout, extras)
                  SELECT edition_id, language, languages, themes, hash, layout,
                         '{"receipts": [["Anna Petrova", 3, 0]]}' FROM segments WHERE id = 1""")
        db.run(
            "UPDATE deliveries SET segment_id = (SELECT max(id) FROM segments) WHERE recipient_id = 1"
        )


def bytes_of(desk: Desk) -> bytes:
    files = [desk.store, *desk.folder.glob("digest.db-*")]
    return b"".join(path.read_bytes() for path in files).lower()


def test_nothing_of_a_person_is_left_in_the_files(office: Office) -> None:
    """Art. 17 GDPR, in bytes; what was counted stays counted, and no list brings the address back."""
    fill(office)
    newsroom = opened(office.db, office.desk.settings, clock=office.now)
    counts = office.counts()
    trial = forget(newsroom, 1, dry_run=True)
    assert suppression_of(office.db, ANNA) is not None
    assert b"anna@petrova.example" in bytes_of(office.desk)
    done = forget(newsroom, 1)
    assert done.cleaned
    assert done.gone == trial.gone
    assert {
        "requests",
        "follows",
        "notices",
        "bounces",
        "providers",
        "segments",
    } <= done.gone.keys()
    left = bytes_of(office.desk)
    for word in (b"anna@", b"anna.p", b"petrova", b"192.0.2.0"):
        assert word not in left
    assert b"boris@reader.example" in left
    assert office.counts() == counts
    assert is_forgotten(office.db, ANNA)
    assert is_forgotten(office.db, BEFORE.upper())
    assert office.db.rows("PRAGMA foreign_key_check") == []
    again = forget(newsroom, 1)
    assert again.gone == {"recipients": 1}


def test_who_is_forgotten_comes_back_by_no_list(office: Office, tmp_path: Path) -> None:
    """Not by import, command, a new address or the suppression list; by a person's decision."""
    db, now, settings = office.db, office.now, office.desk.settings
    forget(opened(db, settings, clock=now), 1)
    path = tmp_path / "readers.csv"
    path.write_text(f"email\n{BEFORE}\nclara@reader.example\n", "utf-8")
    result = office.desk.run("recipients", "import", str(path))
    assert "1 not wanted here, 1 added" in result.stdout
    assert "suppressed here (forgotten)" in result.stdout
    for act in (
        lambda: keep(db, settings, now, BEFORE, {}, resubscribe=True),
        lambda: change(db, settings, now, BORIS, {}, new_address=BEFORE),
    ):
        with pytest.raises(RecipientError, match="asked to be forgotten"), db.write():
            act()
    with db.write():
        assert not suppress(db, BEFORE, "manual", now)
    assert b"anna.p" not in bytes_of(office.desk)
    assert "forgotten" in office.desk.run("suppressions", "list").stdout
    with db.write():
        assert unsuppress(db, [BEFORE]) == 1
        keep(db, settings, now, BEFORE, {}, resubscribe=False)


def test_nobody_is_forgotten_while_their_mail_is_on_its_way(office: Office) -> None:
    """The server's answer would bring the address back."""
    office.db.run("UPDATE deliveries SET status = 'handed' WHERE recipient_id = 1")
    with pytest.raises(NotReadyError, match="on its way"):
        forget(opened(office.db, office.desk.settings, clock=office.now), 1)
    assert list_recipients(office.db, recipient_id=1)[0].address == BEFORE


def test_a_reader_in_the_way_leaves_the_file_for_prune(office: Office) -> None:
    """As long as a backup reads, the bytes cannot go; the next prune does it."""
    with office.desk.open(read_only=True) as other, other.snapshot():
        other.value("SELECT count(*) FROM recipients")
        office.db.value("PRAGMA busy_timeout = 50")
        done = forget(opened(office.db, office.desk.settings, clock=office.now), 1)
        assert not done.cleaned
    office.desk.run("prune")
    assert b"anna.p" not in bytes_of(office.desk)


def test_the_command_says_what_it_does(office: Office) -> None:
    """A trial run first; then what is left elsewhere."""
    trial = office.desk.run("recipients", "forget", BEFORE, "--dry-run").stdout
    assert trial.startswith("Would forget recipient 1: ")
    assert "Backups in" in trial
    done = office.desk.json("recipients", "forget", BEFORE)
    assert (done["id"], done["cleaned"]) == (1, True)
    assert office.desk.run("recipients", "forget", BEFORE).exit_code == 1


def test_ones_data_is_all_that_is_stored(office: Office) -> None:
    """Art. 15 GDPR."""
    fill(office)
    newsroom = opened(office.db, office.desk.settings, clock=office.now)
    [anna] = list_recipients(office.db, recipient_id=1)
    data = json.loads(personal_data(newsroom, anna))
    assert data["recipients"][0]["address"] == ANNA
    assert [row["act"] for row in data["recipient_events"]] == ["moved", "joined"]
    assert data["deliveries"][0]["status"] == "sent"
    assert data["suppressions"][0]["cause"] == "complaint"
    assert data["recipient_themes"] == [{"recipient_id": 1, "theme": "youth"}]
    for kind in ("former_addresses", "requests", "follows", "notices", "bounces"):
        assert data[kind], kind


def test_a_feeds_number_is_never_used_twice(office: Office) -> None:
    """An address that was revoked stays so."""
    newsroom = opened(office.db, office.desk.settings, clock=office.now)
    [anna] = list_recipients(office.db, recipient_id=1)
    numbers = []
    for on in (True, True, False, True, False, False):
        with office.db.write():
            own_feed(newsroom, anna, on=on, by=By("link"))
        numbers.append(feed_of(office.db, 1))
    assert numbers == [1, 2, 0, 3, 0, 0]


def test_the_record_is_shown(office: Office) -> None:
    """To the desk that is asked why somebody gets its mail."""
    fill(office)
    assert office.desk.run("recipients", "end", ANNA).exit_code == 0
    shown = office.desk.run("recipients", "show", ANNA).stdout
    assert "moved     2026-11-23 08:00, command; address: " in shown
    assert "joined    2026-11-23 08:00, form from 192.0.2.0/24; I, Anna Petrova, agree" in shown
    assert "; by hand" in shown
    assert [one["act"] for one in office.desk.json("recipients", "show", ANNA)["events"]][
        -1
    ] == "left"
