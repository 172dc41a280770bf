"""The editors get one mail about each week, exactly the one that the dry run shows."""

import json
import re
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from digest.audience.suppressions import suppress
from digest.editions.compose import compose_due
from digest.editions.deliver import sending
from digest.editions.store import hold_edition
from digest.mail.maildir import MaildirTransport
from digest.mail.outgoing import OutcomeKind, Transport
from digest.mail.smtp.transport import SmtpTransport
from digest.model import RenderedMail, Window
from digest.newsroom import Newsroom
from digest.service.plan import Verb, rhythms
from digest.service.report import (
    ReportMail,
    closed_week,
    deliveries,
    gather,
    is_due,
    render_week,
    send_report,
    view_report,
)
from digest.service.troubles import find_troubles
from digest.store.database import Database, text_from_moment
from tests.desks import PAGES, Desk, opened
from tests.mail.fault_server import CLOSE, HANG, FaultServer
from tests.mailing import HASTE, Office, mails, use_smtp

BEFORE = datetime(2026, 11, 16, 4, 0, tzinfo=UTC)
HOUR = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
"""Monday at nine in Ashgabat."""
WEEK = Window(BEFORE, HOUR)
FIRST, SECOND = "first.a@news.example.org", "second.b@news.example.org"


LATER = ("rcpt", "451 4.3.0 later")


@dataclass
class Room:
    """A desk with editors, on a clock that the test moves."""

    desk: Desk
    db: Database
    now: datetime = HOUR + timedelta(minutes=1)
    transport: Transport | None = None

    def open(self) -> Newsroom:
        settings = self.desk.settings
        transport = self.transport or SmtpTransport(settings.mail, patience=HASTE)
        return opened(
            self.db, settings, transport=transport, templates=PAGES, clock=lambda: self.now
        )

    def send(self, **later: float) -> Counter[OutcomeKind]:
        """One tick, so much later than the last."""
        self.now += timedelta(**later)
        with sending(self.open()) as newsroom:
            return send_report(newsroom)[1]

    def states(self) -> list[str]:
        return [row["status"] for row in deliveries(self.db)]

    def troubles(self) -> dict[str, datetime]:
        """Since when, by key."""
        return {one.key: one.since for one in find_troubles(self.open(), self.now)}

    def week(self, window: Window = WEEK) -> tuple[ReportMail, RenderedMail]:
        """The report as it would be sent now, before and after the templates."""
        view = view_report(self.desk.settings, gather(self.open(), window, self.now))
        return view, render_week(self.open(), window, self.now)


def name_editors(desk: Desk) -> None:
    desk.edit_config("[report]\nmail_to = []", f'[report]\nmail_to = ["{FIRST}", "{SECOND}"]')


def made_at(db: Database, moment: datetime) -> None:
    with db.write():
        db.run("UPDATE meta SET value = ? WHERE key = 'created_at'", (text_from_moment(moment),))


@pytest.fixture
def newsroom(filled: Desk, server: FaultServer) -> Iterator[Room]:
    """A desk of some weeks, whose seeds came in on Wednesday, and that mails two editors."""
    use_smtp(filled, server.port)
    name_editors(filled)
    with filled.open() as db:
        made_at(db, BEFORE)
        yield Room(filled, db)


def test_each_editor_gets_the_week_once(newsroom: Room, server: FaultServer) -> None:
    """However often the service checks, until the next week is over."""
    assert not is_due(newsroom.open(), HOUR - timedelta(seconds=1))
    for _ in range(3):
        newsroom.send()
        newsroom.now += timedelta(minutes=2)
    first, second = mails(server)
    assert [first["To"], second["To"]] == [FIRST, SECOND]
    assert first["Message-ID"] != second["Message-ID"]
    assert first["Date"] == "Mon, 23 Nov 2026 09:00:00 +0500"
    assert [part.get_content_type() for part in first.iter_parts()] == ["text/plain", "text/html"]
    newsroom.now = HOUR + timedelta(days=7)
    newsroom.send()
    assert len(server.messages) == 4


def test_after_an_outage_one_mail_covers_all(newsroom: Room, server: FaultServer) -> None:
    """Three weeks without a service are one mail, not three."""
    newsroom.send()
    newsroom.now = HOUR + timedelta(days=22)
    assert closed_week(newsroom.open(), newsroom.now) == Window(HOUR, HOUR + timedelta(days=21))
    newsroom.send()
    assert len(server.messages) == 4


def test_a_week_before_the_database_is_not_reported(desk: Desk) -> None:
    """A newsroom that begins on a Wednesday gets no mail about last Monday."""
    name_editors(desk)
    with desk.open() as db:
        made_at(db, HOUR)
        assert not is_due(opened(db, desk.settings), HOUR + timedelta(days=2))
        assert is_due(opened(db, desk.settings), HOUR + timedelta(days=7))


@pytest.mark.parametrize(
    ("act", "states", "again"),
    [
        pytest.param(LATER, ["queued", "sent"], ["sent", "sent"], id="deferred, then accepted"),
        pytest.param(("rcpt", "550 5.1.1 nobody"), ["failed", "sent"], ["failed", "sent"], id="a final no"),
        pytest.param(("end", HANG), ["uncertain", "sent"], ["uncertain", "sent"], id="no answer is not sent again"),
        pytest.param(("data", CLOSE), ["queued", "sent"], ["sent", "sent"], id="lost before its end"),
    ],
)  # fmt: skip
def test_each_mail_ends_as_a_delivery_does(
    newsroom: Room, server: FaultServer, act: tuple[str, str], states: list[str], again: list[str]
) -> None:
    """Nobody is mailed twice, whatever the server does."""
    server.acts["first"] = act
    newsroom.send()
    assert newsroom.states() == states
    server.acts.clear()
    newsroom.send(hours=1)
    assert newsroom.states() == again
    assert len([one for one in mails(server) if one["To"] == SECOND]) == 1


def test_the_days_of_its_tries_begin_with_the_first_answer(
    newsroom: Room, server: FaultServer
) -> None:
    """A relay that was away for two days takes no try from an editor; meanwhile it is a trouble."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
        newsroom.desk.edit_config(f"port = {server.port}", f"port = {port}")
        newsroom.send()
        newsroom.send(minutes=31)
        assert newsroom.troubles()["relay"] == HOUR + timedelta(minutes=1)
        newsroom.send(hours=49)
        newsroom.desk.edit_config(f"port = {port}", f"port = {server.port}")
    server.acts["first"] = ("rcpt", "451 4.7.1 greylisted")
    newsroom.send(hours=1)
    assert newsroom.states() == ["queued", "sent"]
    server.acts.clear()
    newsroom.send(hours=1)
    assert newsroom.states() == ["sent", "sent"]


def test_an_editor_who_has_left_gets_nothing(newsroom: Room, server: FaultServer) -> None:
    """What is queued for an address that has left config.toml is given up, and is no trouble."""
    server.acts["first"] = LATER
    newsroom.send()
    server.acts.clear()
    newsroom.now += timedelta(hours=1)
    named = f'"{FIRST}", "{SECOND}"'
    for left in (f'"{SECOND}"', ""):
        newsroom.desk.edit_config(f"[{named}]", f"[{left}]")
        named = left
        assert "relay" not in newsroom.troubles()
        newsroom.send()
        assert newsroom.states() == ["failed", "sent"]
    assert [one["To"] for one in mails(server)] == [SECOND]


def test_a_sender_that_died_leaves_it_uncertain(newsroom: Room, server: FaultServer) -> None:
    """`handed` is on disk before the end of the body: the next sender does not send it again."""

    class Dies(SmtpTransport):
        def deliver(self, messages, *, handed, settled, stop):  # type: ignore[no-untyped-def]
            handed([next(messages).delivery_id])
            raise KeyboardInterrupt

    newsroom.transport = Dies(newsroom.desk.settings.mail)
    with pytest.raises(KeyboardInterrupt):
        newsroom.send()
    assert newsroom.states() == ["handed", "queued"]
    newsroom.transport = None
    assert newsroom.send() == {OutcomeKind.SENT: 1}
    assert newsroom.states() == ["uncertain", "sent"]


@pytest.mark.parametrize(
    ("before", "after", "state"),
    [
        pytest.param("maildir", "maildir", "sent", id="a maildir knows what it has written"),
        pytest.param("smtp", "maildir", "uncertain", id="but not what a server was given"),
        pytest.param("maildir", "smtp", "uncertain", id="nor does a server know of files"),
    ],
)
def test_it_is_sent_again_only_the_way_that_it_went(
    newsroom: Room, server: FaultServer, before: str, after: str, state: str
) -> None:
    """Config that changed between a crash and the next run mails nobody twice, as with a digest."""
    server.acts = {"first": LATER, "second": LATER}
    newsroom.send()
    server.acts.clear()

    def use(way: str) -> None:
        newsroom.desk.configure(transport=f'"{way}"')
        outbox = newsroom.desk.settings.mail.outbox
        newsroom.transport = MaildirTransport(outbox) if way == "maildir" else None

    use(before)
    newsroom.send(hours=2)
    with newsroom.db.write():  # as a sender leaves it that dies before the first answer
        newsroom.db.run("UPDATE notices SET status = 'handed' WHERE id = 1")
    use(after)
    newsroom.send(hours=3)
    assert newsroom.states()[0] == state


def test_what_a_later_try_sends_was_frozen(newsroom: Room, server: FaultServer) -> None:
    """The second editor, an hour later, reads what the first one reads."""
    server.acts["second"] = LATER
    newsroom.send()
    server.acts.clear()
    newsroom.desk.seeds.rename(newsroom.desk.folder / "elsewhere")
    newsroom.send(hours=1)
    first, second = (one.get_body(("plain",)) for one in mails(server))
    assert first is not None
    assert second is not None
    assert first.get_content() == second.get_content()


def hold(newsroom: Room) -> None:
    Office(newsroom.desk, newsroom.db, now=HOUR).add("a@reader.test")
    compose_due(opened(newsroom.db, newsroom.desk.settings, clock=HOUR))
    hold_edition(newsroom.db, 1, "relay.test:25: auth: 535 no")


def unread(newsroom: Room) -> None:
    (newsroom.desk.seeds / "empty.txt").write_text("")
    newsroom.desk.ingest(HOUR)


def unfiled(newsroom: Room) -> None:
    """Two articles came in, and nobody has filed them."""
    newsroom.db.run("UPDATE articles SET archived = 1 WHERE id NOT IN (1, 8)")
    newsroom.db.run("DELETE FROM matches")


def weak(newsroom: Room) -> None:
    """Of three matches one is near its threshold, and one is an editor's word."""
    unfiled(newsroom)
    for article, theme, score, by in (
        (1, "drugs", 1.3, "lexicon"),
        (1, "youth", 1.0, "editor"),
        (8, "youth", 1.24, "lexicon"),
    ):
        hit = {"term": "youth", "form": "молодёжь", "place": "lead"}
        hit |= {"start": 0, "end": 8, "weight": score}
        match = {"article_id": article, "theme": theme, "language": "ru", "rank": 1, "score": score}
        match |= {"threshold": 1.0, "decided_by": by, "lexicon_version": "1"}
        match["evidence"] = json.dumps({"hits": [hit], "blotted": []})
        newsroom.db.insert("matches", match)


def bounce(newsroom: Room) -> None:
    for number, cause in enumerate(("hard", "hard", "complaint")):
        suppress(newsroom.db, f"{number}@reader.test", cause, HOUR - timedelta(days=1))


@pytest.mark.parametrize(
    ("breaks", "kind", "count", "words"),
    [
        pytest.param(hold, "trouble", "1", ["Edition held weekly/1", "digest editions release 1"], id="what stands still"),
        pytest.param(unread, "document", "1", ["empty.txt", "is empty"], id="a document"),
        pytest.param(unfiled, "unfiled", "2", ["Spoke for it: “", "digest articles theme 8 --add "], id="without a theme"),
        pytest.param(weak, "weak", "1", ["Youth 1.24 of 1", "“молодёжь”", "digest articles theme 8 --remove youth"], id="weakly filed"),
        pytest.param(bounce, "bounce", "3", ["Hard: 2 addresses", "digest suppressions list --cause complaint"], id="what came back"),
        pytest.param(hold, "edition", "", ["Weekly/1: 0 of 1 sent, 1 queued", "digest editions show 1"], id="the last edition"),
    ],
)  # fmt: skip
def test_the_week_shows_what_to_look_at(
    newsroom: Room, breaks: Callable[[Room], None], kind: str, count: str, words: list[str]
) -> None:
    """Each kind in its place, in both parts, with the command to type."""
    breaks(newsroom)
    view, mail = newsroom.week()
    assert [part.count for part in view.parts if part.key == kind] == [count]
    for part in (mail.text, re.sub(r"<[^>]+>", "", mail.html)):
        flat = " ".join(part.split())
        assert [text for text in words if text not in flat] == []


def test_both_parts_say_the_same_in_the_same_order(newsroom: Room) -> None:
    """For a reader of plain text: nothing is only in the HTML, and nothing is fetched by it."""
    hold(newsroom)
    unread(newsroom)
    bounce(newsroom)
    view, mail = newsroom.week()
    flat = " ".join(mail.text.split())
    bare = " ".join(re.sub(r"<[^>]+>", " ", mail.html.partition("<h2")[2]).split())
    behind = flat.index("What stands still 1 ====")
    before = 0
    for part in view.parts:
        for item in part.items:
            for words in (item.title, *item.notes, item.text, item.command):
                behind = flat.index(" ".join(words.split()), behind)
                before = bare.index(" ".join(words.split()), before)
    assert not re.search(r"<(img|link|script)|url\(|@import", mail.html)


def test_a_quiet_week_is_two_lines(newsroom: Room) -> None:
    """An editor sees at a glance that nothing waits."""
    hold(newsroom)
    newsroom.db.run("UPDATE editions SET status = 'cancelled'")
    newsroom.now = HOUR + timedelta(days=7)
    _, mail = newsroom.week(Window(HOUR, newsroom.now))
    assert mail.subject.endswith("2026: nothing to look at")
    assert mail.text.split("\n\n")[1].splitlines() == [
        "Nothing came in, stands still or came back.",
        "Edition weekly/1: 0 of 1 sent, 1 queued.",
    ]


def test_a_long_list_is_cut_and_says_so(newsroom: Room) -> None:
    """Twenty of a kind are shown, and the command that shows the rest."""
    newsroom.db.run("DELETE FROM matches")
    [part] = [part for part in newsroom.week()[0].parts if part.key == "unfiled"]
    assert (part.count, len(part.items)) == ("36", 20)
    assert part.more == "and 16 more: digest articles list --theme other"


def test_the_dry_run_is_what_is_sent(filled: Desk) -> None:
    """Byte for byte, on an operator's own desk; and sending again sends nothing."""
    name_editors(filled)
    with filled.open() as db:
        made_at(db, datetime(2020, 1, 1, tzinfo=UTC))
    out = filled.folder / "preview"
    before = filled.files()
    rehearsed = filled.run("report", "send", "--dry-run", "--out", str(out))
    assert rehearsed.exit_code == 0
    assert filled.files() == before
    [shown] = out.glob("desk-*.eml")
    assert filled.run("report", "send").exit_code == 0
    assert filled.run("report", "send").stdout.startswith(
        f"{FIRST}: sent\n{SECOND}: sent\n2 editors have"
    )
    sent = [path.read_bytes() for path in (filled.folder / "outbox" / "new").iterdir()]
    assert len(sent) == 2
    assert shown.read_bytes() in sent
    assert filled.json("report", "show")["due"] is False
    assert [path.suffix for path in sorted(out.iterdir())] == [".eml", ".html", ".txt"]


def test_nobody_named_is_an_error_that_says_where(filled: Desk) -> None:
    """The mail is off by default, in the service and by hand."""
    refused = filled.run("report", "send")
    assert refused.exit_code == 1
    assert "[report] mail_to names nobody" in refused.stderr
    assert Verb.REPORT not in {one.verb for one in rhythms(filled.settings)}
    name_editors(filled)
    causes = {one.cause for one in rhythms(filled.settings) if one.verb is Verb.REPORT}
    assert causes == {"every 2 min", "schedule of the report"}


def test_a_copy_of_the_database_mails_no_editor(filled: Desk) -> None:
    """The clone guard holds this mail, too."""
    name_editors(filled)
    filled.run("backup")
    [copy] = (filled.folder / "backups").glob("*.db")
    copy.replace(filled.store)
    refused = filled.run("report", "send")
    assert refused.exit_code == 1
    assert "digest activate" in refused.stderr
