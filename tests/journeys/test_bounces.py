"""Mail that comes back: a dead or full address, and a person who complains or unsubscribes, is not
mailed again, whichever way the report arrives and however often it is read."""

import contextlib
import mailbox
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest

from digest.mail.maildir import MaildirTransport
from digest.store.owner import add_token_key
from tests.conftest import INGESTED_AT
from tests.desks import ROOT, Desk
from tests.journeys import returns
from tests.journeys.returns import ANNA, BORIS, CLARA, DORA, bounce, leaving, suppressed
from tests.mailing import KEY, MONDAY, Office

REPORTS = ROOT / "tests" / "data" / "reports"


@pytest.fixture
def newsroom(filled: Desk) -> Desk:
    """The first edition was sent to three recipients."""
    returns.send_first_edition(filled, ANNA, BORIS, CLARA)
    return filled


def read(desk: Desk, *messages: bytes) -> dict:
    """`digest bounces read` over a maildir with these messages."""
    folder = desk.folder / "bounces"
    returns.make_maildir(folder)
    for n, message in enumerate(messages):
        (folder / "new" / f"{len(list((folder / 'cur').iterdir()))}.{n}.mx").write_bytes(message)
    return desk.json("bounces", "read", str(folder))


@pytest.mark.parametrize(
    ("how", "found_by"),
    [
        pytest.param({}, "verp", id="VERP"),
        pytest.param({"verp": False, "enclosed": True}, "message-id", id="enclosed Message-ID"),
    ],
)
def test_a_dead_address_is_suppressed_however_its_report_names_it(
    newsroom: Desk, how: dict, found_by: str
) -> None:
    """For the relay's reputation: no second mail to an address that does not exist."""
    report = read(newsroom, bounce(newsroom, 1, **how))
    assert (report["kinds"], report["suppressed"]) == ({"hard": 1}, 1)
    assert suppressed(newsroom) == {ANNA: "hard"}
    (row,) = newsroom.json("bounces", "list")
    assert (row["found_by"], row["address"]) == (found_by, ANNA)


def test_a_report_without_proof_waits_for_a_person(newsroom: Desk) -> None:
    """Anybody could have written it; one command decides, and everything says why."""
    letter = returns.delivery_report("bounces@news.example.org", "5.1.1", 1, recipient=ANNA)
    report = read(newsroom, letter)
    assert (report["kinds"], report["suppressed"], report["waiting"]) == ({"hard": 1}, 0, 1)
    assert suppressed(newsroom) == {}
    assert newsroom.json("status")["letters_waiting"] == 1
    (row,) = newsroom.json("bounces", "list", "--state", "waits")
    newsroom.run("bounces", "confirm", str(row["id"]))
    assert suppressed(newsroom) == {ANNA: "hard"}
    shown = newsroom.run("recipients", "show", ANNA).stdout
    assert "no mail   since" in shown
    assert "A report without proof, which anybody could have written" in shown
    assert "A person confirmed it." in shown
    assert newsroom.run("bounces", "discard", str(row["id"])).exit_code == 1


def test_a_report_for_a_stranger_suppresses_nobody(newsroom: Desk) -> None:
    """A made-up report cannot silence a recipient, nor an address we do not know."""
    strange = bounce(newsroom, 1, verp=False, original="stranger@reader.example")
    assert read(newsroom, strange)["unmatched"] == 1
    assert suppressed(newsroom) == {}


@pytest.mark.parametrize(
    "name",
    ["delayed", "relayed", "not-spam", "vacation-header", "vacation-quoting", "receipt", "person"],
)
def test_mail_that_is_no_bounce_changes_nobody(newsroom: Desk, name: str) -> None:
    """A holiday reply or a delay ends nobody's subscription."""
    read(newsroom, (REPORTS / f"{name}.eml").read_bytes())
    assert suppressed(newsroom) == {}
    assert set(returns.statuses(newsroom).values()) == {"active"}


def test_a_full_mailbox_is_suppressed_the_third_time(newsroom: Desk) -> None:
    """Two full weeks may be a holiday, and several letters about one edition are one."""
    with newsroom.open() as db:
        office = Office(newsroom, db, transport=MaildirTransport(newsroom.folder / "outbox"))
        for number in (1, 2, 3):
            if number > 1:
                copy = f"Новости {number}\n\nВ Ашхабаде прошла встреча номер {number}.\n"
                (newsroom.seeds / f"90{number}.txt").write_text(copy, "utf-8")
                office.now = MONDAY + timedelta(weeks=number)
                newsroom.ingest(office.now)
                office.later(hours=1)
                office.compose()
                office.deliver()
            for nth in (1, 2):
                assert suppressed(newsroom) == {}
                mail = bounce(newsroom, 2, edition=number, status="5.2.2", nth=10 * number + nth)
                read(newsroom, mail)
                if number == 3:
                    break
    assert suppressed(newsroom) == {BORIS: "soft"}


def test_a_complaint_suppresses_and_ends(newsroom: Desk) -> None:
    """A person who reports spam never gets it again, and is not added again without a question."""
    report = read(newsroom, returns.complaint(newsroom, 2))
    assert (report["suppressed"], report["ended"]) == (1, 1)
    assert suppressed(newsroom) == {BORIS: "complaint"}
    assert returns.statuses(newsroom) == {ANNA: "active", BORIS: "ended", CLARA: "active"}
    assert newsroom.run("recipients", "add", BORIS).exit_code == 1


def test_a_mail_to_unsubscribe_ends_the_recipient_that_its_address_names(newsroom: Desk) -> None:
    """Even if it comes from another of their addresses; it is no suppression."""
    report = read(newsroom, leaving(newsroom, 3))
    assert (report["kinds"], report["ended"], report["suppressed"]) == ({"leave": 1}, 1, 0)
    assert returns.statuses(newsroom) == {ANNA: "active", BORIS: "active", CLARA: "ended"}


def test_reading_twice_changes_nothing(newsroom: Desk) -> None:
    """A mailbox may be read again after a crash, or copied; soft bounces count once."""
    messages = [bounce(newsroom, 2, status="5.2.2", nth=nth) for nth in (1, 2)]
    messages += [bounce(newsroom, 1), leaving(newsroom, 3)]
    first = read(newsroom, *messages)
    assert sum(first["kinds"].values()) == 4
    before = suppressed(newsroom), returns.statuses(newsroom), newsroom.json("bounces", "list")
    for _ in range(3):
        again = read(newsroom, *messages)
        assert (again["known"], again["suppressed"], again["ended"]) == (4, 0, 0)
    assert (
        suppressed(newsroom),
        returns.statuses(newsroom),
        newsroom.json("bounces", "list"),
    ) == before


def test_a_message_is_stored_as_it_arrived(newsroom: Desk) -> None:
    """For the operator who doubts a decision."""
    message = bounce(newsroom, 1)
    read(newsroom, message)
    words = newsroom.command("bounces", "show", "1")
    assert subprocess.check_output(words, cwd=ROOT) == message


@pytest.mark.parametrize("form", ["mbox", "file", "stdin"])
def test_reports_are_read_from_wherever_they_are(newsroom: Desk, form: str) -> None:
    """A pipe from the mail server, a saved mail, a whole mailbox."""
    place = newsroom.folder / "reports"
    messages = [bounce(newsroom, 1), bounce(newsroom, 3)]
    if form == "stdin":
        words = newsroom.command("bounces", "read", "-")
        subprocess.run(words, input=messages[0], capture_output=True, check=True, cwd=ROOT)
    elif form == "file":
        place.write_bytes(messages[0])
        assert newsroom.json("bounces", "read", str(place))["suppressed"] == 1
    else:
        with contextlib.closing(mailbox.mbox(place)) as box:
            for message in messages:
                box.add(message)
        assert newsroom.json("bounces", "read", str(place))["suppressed"] == 2
    assert suppressed(newsroom)[ANNA] == "hard"
    assert len(suppressed(newsroom)) == (2 if form == "mbox" else 1)


def test_after_the_reports_the_next_edition_goes_to_the_others(filled: Desk) -> None:
    """Suppressed before the edition is queued or after, or unsubscribed: none of them is mailed."""
    newsroom = filled
    with newsroom.open() as db:
        office = Office(newsroom, db, INGESTED_AT + timedelta(hours=1))
        office.transport = MaildirTransport(newsroom.settings.mail.outbox)
        office.add(ANNA, BORIS, CLARA)
        office.compose()
        with db.write():
            add_token_key(db, KEY)
        office.deliver()
    read(newsroom, bounce(newsroom, 1), leaving(newsroom, 3))
    (newsroom.seeds / "900.txt").write_text(
        "UNODC trains customs officers in Ashgabat\n\nOn 20 November 2026 officers of the customs "
        "service seized heroin in an exercise.\n\nThey will train again.\n",
        "utf-8",
    )
    newsroom.run("ingest")
    newsroom.run("recipients", "add", BORIS, "--language", "en")
    newsroom.run("recipients", "add", DORA)
    assert newsroom.run("send", "--yes", "--to", BORIS).exit_code == 0
    newsroom.run("suppressions", "add", "Dora@Reader.example")
    newsroom.run("send", "--yes")
    rows = newsroom.json("deliveries", "list", "--edition", "2")
    assert [(row["address"], row["status"], row["reason"]) for row in rows] == [
        (ANNA, "skipped", "suppressed"),
        (BORIS, "sent", None),
        (DORA, "skipped", "suppressed"),
    ]
    mailed = [path.read_bytes() for path in (newsroom.folder / "outbox" / "new").iterdir()]
    assert len(mailed) == 4
    assert newsroom.json("editions", "show", "2")["balanced"]


def test_suppressions_of_one_cause_are_removed_at_once(newsroom: Desk, tmp_path: Path) -> None:
    """After a fault of a relay; what people and other lists asked for stays."""
    listed = tmp_path / "list.csv"
    listed.write_text('address,why\n"Old@Reader.example",gone\n', "utf-8")
    read(newsroom, bounce(newsroom, 1), bounce(newsroom, 2))
    newsroom.run("suppressions", "add", "by-hand@reader.example")
    newsroom.run("suppressions", "import", str(listed))
    assert len(suppressed(newsroom)) == 4
    newsroom.run("suppressions", "remove", "--cause", "hard")
    rest = {"old@reader.example": "import"}
    assert suppressed(newsroom) == {"by-hand@reader.example": "manual", **rest}
    newsroom.run("suppressions", "remove", "BY-HAND@reader.example")
    assert suppressed(newsroom) == rest


def test_reading_prints_no_addresses_and_no_tokens(newsroom: Desk) -> None:
    """The log of a timer names nobody."""
    place = newsroom.folder / "one"
    place.write_bytes(bounce(newsroom, 1))
    output = newsroom.run("bounces", "read", str(place)).output
    assert "1 suppressed" in output
    assert "@" not in output
    assert returns.token(newsroom, 1) not in output
