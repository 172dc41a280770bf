"""What comes back for mail: who is dead, full, annoyed or gone is not mailed again, whatever way the
report takes, and however often it is read."""

import mailbox
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from digest.mail.maildir import MaildirTransport
from digest.store.owner import token_key
from tests.conftest import INGESTED_AT
from tests.desks import ROOT, Desk
from tests.journeys.returns import bounce, complaint, leaving, token
from tests.mailing import KEY, Office

REPORTS = ROOT / "tests" / "data" / "reports"
ANNA, BORIS, CLARA = "anna@reader.example", "boris@reader.example", "clara@reader.example"


@pytest.fixture
def newsroom(filled: Desk) -> Desk:
    """The first edition has gone to three recipients."""
    for address in (ANNA, BORIS, CLARA):
        filled.run("recipients", "add", address)
    assert filled.run("send", "--yes").exit_code == 0
    return filled


def read(desk: Desk, *letters: bytes) -> dict:
    """`digest bounces read` over a maildir that holds these letters."""
    folder = desk.folder / "bounces"
    for name in ("cur", "new", "tmp"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for n, letter in enumerate(letters):
        (folder / "new" / f"{len(list((folder / 'cur').iterdir()))}.{n}.mx").write_bytes(letter)
    return desk.json("bounces", "read", str(folder))


def suppressed(desk: Desk) -> dict[str, str]:
    return {one["address_key"]: one["cause"] for one in desk.json("suppressions", "list")}


def statuses(desk: Desk) -> dict[str, str]:
    return {one["address"]: one["status"] for one in desk.json("recipients", "list")}


@pytest.mark.parametrize(
    ("how", "found_by"),
    [
        pytest.param({}, "verp", id="VERP"),
        pytest.param({"verp": False, "original": ANNA}, "recipient", id="Original-Recipient"),
        pytest.param({"verp": False, "enclosed": True}, "message-id", id="enclosed Message-ID"),
    ],
)
def test_a_dead_address_is_suppressed_however_its_report_names_it(
    newsroom: Desk, how: dict, found_by: str
) -> None:
    """For the relay's good name: no second mail to an address that is not there."""
    told = read(newsroom, bounce(newsroom, 1, **how))
    assert (told["kinds"], told["suppressed"]) == ({"hard": 1}, 1)
    assert suppressed(newsroom) == {ANNA: "hard"}
    (letter,) = newsroom.json("bounces", "list")
    assert (letter["found_by"], letter["address"]) == (found_by, ANNA)


def test_a_report_for_a_stranger_suppresses_nobody(newsroom: Desk) -> None:
    """A made-up report cannot silence a recipient, nor an address we do not know."""
    strange = bounce(newsroom, 1, verp=False, original="stranger@reader.example")
    assert read(newsroom, strange)["unmatched"] == 1
    assert suppressed(newsroom) == {}


@pytest.mark.parametrize(
    "name",
    ["delayed", "relayed", "not-spam", "vacation-header", "vacation-quoting", "receipt", "person"],
)
def test_what_is_no_bounce_changes_nobody(newsroom: Desk, name: str) -> None:
    """A holiday reply or a delay ends nobody's subscription."""
    read(newsroom, (REPORTS / f"{name}.eml").read_bytes())
    assert suppressed(newsroom) == {}
    assert set(statuses(newsroom).values()) == {"active"}


def test_a_full_mailbox_is_suppressed_the_third_time(newsroom: Desk) -> None:
    """Two full weeks may be a holiday."""
    for nth in (1, 2):
        read(newsroom, bounce(newsroom, 2, status="5.2.2", nth=nth))
        assert suppressed(newsroom) == {}
    read(newsroom, bounce(newsroom, 2, status="5.2.2", nth=3))
    assert suppressed(newsroom) == {BORIS: "soft"}


def test_a_complaint_suppresses_and_ends(newsroom: Desk) -> None:
    """Whoever calls it spam never gets it again, and is not added again in silence."""
    told = read(newsroom, complaint(newsroom, 2))
    assert (told["suppressed"], told["ended"]) == (1, 1)
    assert suppressed(newsroom) == {BORIS: "complaint"}
    assert statuses(newsroom) == {ANNA: "active", BORIS: "ended", CLARA: "active"}
    assert newsroom.run("recipients", "add", BORIS).exit_code == 1


def test_a_mail_to_leave_ends_the_recipient_that_its_address_names(newsroom: Desk) -> None:
    """Even where it comes from another of their addresses; it is no suppression."""
    told = read(newsroom, leaving(newsroom, 3))
    assert (told["kinds"], told["ended"], told["suppressed"]) == ({"leave": 1}, 1, 0)
    assert statuses(newsroom) == {ANNA: "active", BORIS: "active", CLARA: "ended"}


def test_reading_twice_changes_nothing(newsroom: Desk) -> None:
    """A mailbox may be read again after a crash, or copied; soft bounces count once."""
    letters = [bounce(newsroom, 2, status="5.2.2", nth=nth) for nth in (1, 2)]
    letters += [bounce(newsroom, 1), leaving(newsroom, 3)]
    first = read(newsroom, *letters)
    assert sum(first["kinds"].values()) == 4
    before = suppressed(newsroom), statuses(newsroom), newsroom.json("bounces", "list")
    for _ in range(3):
        again = read(newsroom, *letters)
        assert (again["known"], again["suppressed"], again["ended"]) == (4, 0, 0)
    assert (suppressed(newsroom), statuses(newsroom), newsroom.json("bounces", "list")) == before


def test_a_letter_is_kept_as_it_arrived(newsroom: Desk) -> None:
    """For the operator who doubts a decision."""
    letter = bounce(newsroom, 1)
    read(newsroom, letter)
    words = [sys.executable, "-m", "digest", "--config", str(newsroom.config)]
    shown = subprocess.run(
        [*words, "bounces", "show", "1"], capture_output=True, check=True, cwd=ROOT
    )
    assert shown.stdout == letter


@pytest.mark.parametrize("form", ["mbox", "file", "stdin"])
def test_reports_are_read_from_wherever_they_lie(newsroom: Desk, form: str) -> None:
    """A pipe from the mail server, a saved mail, a whole mailbox."""
    place = newsroom.folder / "reports"
    letters = [bounce(newsroom, 1), bounce(newsroom, 3)]
    if form == "mbox":
        box = mailbox.mbox(place)
        for letter in letters:
            box.add(letter)
        box.close()
        told = newsroom.json("bounces", "read", str(place))
        assert told["suppressed"] == 2
        return
    if form == "file":
        place.write_bytes(letters[0])
        told = newsroom.json("bounces", "read", str(place))
        assert told["suppressed"] == 1
        return
    assert piped(newsroom, letters[0]) == 0
    assert suppressed(newsroom) == {ANNA: "hard"}


def piped(desk: Desk, letter: bytes) -> int:
    words = [sys.executable, "-m", "digest", "--config", str(desk.config), "bounces", "read", "-"]
    return subprocess.run(
        words, input=letter, capture_output=True, check=False, cwd=ROOT
    ).returncode


def test_after_the_reports_the_next_edition_goes_to_who_is_left(filled: Desk) -> None:
    """Suppressed when it is queued, suppressed between queue and sending, ended: none is mailed."""
    newsroom = filled
    with newsroom.open() as db:
        office = Office(newsroom, db, INGESTED_AT + timedelta(hours=1))
        office.transport = MaildirTransport(newsroom.settings.mail.outbox)
        office.add(ANNA, BORIS, CLARA)
        office.compose()
        with db.write():
            assert token_key(db, lambda: KEY) == KEY
        office.deliver()
    read(newsroom, bounce(newsroom, 1), leaving(newsroom, 3))
    (newsroom.seeds / "900.txt").write_text(
        "UNODC trains customs officers in Ashgabat\n\nOn 20 November 2026 officers of the customs "
        "service seized heroin in an exercise.\n\nThey will train again.\n",
        "utf-8",
    )
    newsroom.run("ingest")
    newsroom.run("recipients", "add", BORIS, "--language", "en")
    newsroom.run("recipients", "add", "dora@reader.example")
    assert newsroom.run("send", "--yes", "--to", BORIS).exit_code == 0
    newsroom.run("suppressions", "add", "Dora@Reader.example")
    newsroom.run("send", "--yes")
    rows = newsroom.json("deliveries", "list", "--edition", "2")
    assert [(row["address"], row["status"], row["reason"]) for row in rows] == [
        (ANNA, "skipped", "suppressed"),
        (BORIS, "sent", None),
        ("dora@reader.example", "skipped", "suppressed"),
    ]
    mailed = [path.read_bytes() for path in (newsroom.folder / "outbox" / "new").iterdir()]
    assert len(mailed) == 4
    assert newsroom.json("editions", "show", "2")["balanced"]


def test_a_fault_of_a_relay_is_undone_in_bulk(newsroom: Desk, tmp_path: Path) -> None:
    """All of one cause come off the list at once; what people and other lists said stays."""
    listed = tmp_path / "list.csv"
    listed.write_text('address,why\n"Old@Reader.example",gone\n', "utf-8")
    read(newsroom, bounce(newsroom, 1), bounce(newsroom, 2))
    newsroom.run("suppressions", "add", "by-hand@reader.example")
    newsroom.run("suppressions", "import", str(listed))
    assert len(suppressed(newsroom)) == 4
    newsroom.run("suppressions", "remove", "--cause", "hard")
    assert suppressed(newsroom) == {
        "by-hand@reader.example": "manual",
        "old@reader.example": "import",
    }
    newsroom.run("suppressions", "remove", "BY-HAND@reader.example")
    assert suppressed(newsroom) == {"old@reader.example": "import"}


def test_neither_addresses_nor_tokens_are_told_while_reading(newsroom: Desk) -> None:
    """What a timer's log keeps names nobody."""
    letter = bounce(newsroom, 1)
    folder = newsroom.folder / "one"
    folder.write_bytes(letter)
    said = newsroom.run("bounces", "read", str(folder)).output
    assert "1 suppressed" in said
    assert "@" not in said
    assert token(newsroom, 1) not in said
