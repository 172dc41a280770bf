"""Who was sent an article is told, once, of what was corrected or withdrawn in it since, and nobody else."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from digest.audience.follows import follow
from digest.editions.alerts import look
from digest.editions.compose import (
    Expected,
    compose_now,
    preview,
    settle_withdrawn,
    without_withdrawn,
)
from digest.editions.corrections import notify
from digest.editions.deliver import send_questions, sending
from digest.editions.drafts import approve
from digest.editions.store import edition_by_id
from digest.errors import ConfigError, ExpectationError
from digest.mail.maildir import MaildirTransport
from digest.mail.outgoing import Transport
from digest.newsroom import Newsroom
from digest.store.articles import readmit_article, withdraw_article
from tests.desks import Desk, opened
from tests.mailing import KEY, Office

WEEK = timedelta(days=7)
COPY = "Lorries held at {port}\n\nTurkmenistan, 20 November 2026 - Customs officers held 12 lorries with heroin at {port}.\n"


@dataclass
class Press(Office):
    """A desk whose mail can be read, with one article that was sent in edition 1."""

    outbox: Path = Path()
    article: int = 0
    read: frozenset[Path] = frozenset()

    def write(self, name: str, text: str) -> list[int]:
        (self.desk.seeds / f"{name}.txt").write_text(text, "utf-8")
        report = self.desk.ingest(self.now)
        return [*report.added, *report.revised]

    @property
    def newsroom(self) -> Newsroom:
        parts = {"transport": self.transport, "token_key": KEY}
        return opened(self.db, self.desk.settings, clock=lambda: self.now, **parts)

    def correct(self, port: str) -> None:
        self.later(hours=1)
        assert self.write("lorries", COPY.format(port=port)) == [self.article]

    def withdraw(self) -> None:
        self.later(hours=1)
        with self.db.write():
            assert withdraw_article(self.db, self.article, self.now)

    def readmit(self) -> None:
        self.later(hours=1)
        with self.db.write():
            assert readmit_article(self.db, self.article, self.now)

    def notices(self) -> dict[str, str]:
        """What goes out now beside editions: the text part by address."""
        with sending(self.newsroom) as newsroom:
            send_questions(newsroom)
        return {str(one["To"]): text_of(one) for one in self.arrived()}

    def news(self) -> None:
        self.later(days=2)
        self.write(
            f"news{self.now:%d%H}",
            f"Seizure on {self.now:%d}\n\nPolice seized heroin at {self.now}.\n",
        )

    def mails(self, *, news: bool = True) -> dict[str, str]:
        """The next edition: the text part by address, of those who got one."""
        if news:
            self.news()
        self.later(days=5)
        self.compose()
        self.deliver()
        return {str(one["To"]): text_of(one) for one in self.arrived()}

    def arrived(self) -> list[EmailMessage]:
        """What came since the last look."""
        paths = frozenset((self.outbox / "new").iterdir())
        new, self.read = sorted(paths - self.read), paths
        read: Any = [message_from_bytes(one.read_bytes(), policy=policy.default) for one in new]
        return list(read)


def text_of(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    assert body is not None
    return " ".join(body.get_content().split())


@pytest.fixture
def press(filled: Desk, tmp_path: Path) -> Iterator[Press]:
    """Anna and Boris were sent the article, in English and Russian mails; Cyril takes only other news."""
    with filled.open() as db:
        outbox = tmp_path / "mail"
        transport: Transport = MaildirTransport(outbox)
        press = Press(filled, db, transport=transport, outbox=outbox)
        press.add("anna@example.org", languages=("en",))
        press.add("boris@example.org", languages=("ru", "en"), themes=("drugs",))
        press.add("cyril@example.org", languages=("en",), themes=("other",))
        [press.article] = press.write("lorries", COPY.format(port="Farap"))
        press.later(days=1)
        first = press.mails(news=False)
        assert "Farap" in first["anna@example.org"]
        assert "Farap" in first["boris@example.org"]
        assert "Farap" not in first.get("cyril@example.org", "")
        yield press


def test_those_who_got_it_are_told_in_the_next_edition_once(press: Press) -> None:
    """In its first block, with what changed; nobody else sees it, and nobody sees it twice."""
    press.correct("Turkmenabat")
    mails = press.mails()
    anna, boris = mails["anna@example.org"], mails["boris@example.org"]
    assert "Corrections" in anna
    assert "We sent you this on 29 November as “Lorries held at Farap”." in anna
    assert anna.index("Lorries held at Turkmenabat") < anna.index("Seizure on")
    assert "Исправления" in boris
    assert "под заголовком" in boris
    assert "Turkmenabat" not in mails.get("cyril@example.org", "")
    assert not any("Turkmenabat" in text for text in press.mails().values())


def test_a_correction_is_a_mail_even_where_nothing_is_new(press: Press) -> None:
    """Boris reads only of drugs, and there is no news of it: the correction comes alone, with its subject."""
    press.correct("Turkmenabat")
    press.later(days=1)
    press.write("other", "A concert\n\nThe orchestra played in Ashgabat.\n")
    press.later(days=5)
    press.compose()
    press.deliver()
    mails = {str(one["To"]): one for one in press.arrived()}
    assert str(mails["boris@example.org"]["Subject"]) == "Изменено: Lorries held at Farap"
    assert "Nothing new" not in text_of(mails["boris@example.org"])
    assert str(mails["cyril@example.org"]["Subject"]) == "A concert"


@pytest.mark.parametrize("undone", [False, True])
def test_a_withdrawal_is_told_and_so_is_its_end(press: Press, *, undone: bool) -> None:
    """Who was told of neither knows what they knew."""
    with press.db.write():
        withdraw_article(press.db, press.article, press.now)
    if undone:
        press.later(hours=1)
        with press.db.write():
            readmit_article(press.db, press.article, press.now)
        assert "Corrections" not in press.mails()["anna@example.org"]
        return
    assert "was withdrawn on 29 November" in press.mails()["anna@example.org"]
    with press.db.write():
        readmit_article(press.db, press.article, press.now)
    assert "It is published again." in press.mails()["anna@example.org"]
    assert "Corrections" not in press.mails()["anna@example.org"]


def test_what_is_changed_again_before_it_is_sent_is_told_in_its_newest_form(press: Press) -> None:
    """Once, also if an edition with the older form was already queued; under another hash."""
    press.correct("Turkmenabat")
    press.news()
    press.later(days=5)
    before = edition_by_id(press.db, press.compose())
    with press.db.write():
        withdraw_article(press.db, press.article, press.now)
    with sending(press.newsroom) as newsroom:
        settle_withdrawn(newsroom)
    press.deliver()
    anna = next(text_of(one) for one in press.arrived() if one["To"] == "anna@example.org")
    assert "was withdrawn on" in anna
    assert "Turkmenabat" not in anna
    assert edition_by_id(press.db, before.id or 0).hash != before.hash
    assert "Corrections" not in press.mails()["anna@example.org"]


def test_a_grave_correction_is_told_at_once_and_once(press: Press) -> None:
    """The dry run changes nothing and shows the mail; a second run, the next edition and who left get none."""
    press.correct("Turkmenabat")
    press.desk.run("recipients", "end", "boris@example.org")
    shown = notify(press.newsroom, press.article, dry_run=True)
    assert (shown.digests, shown.paused) == ({"weekly": 1}, 0)
    assert press.db.value("SELECT count(*) FROM notices") == 0
    for count in (1, 0):
        assert notify(press.newsroom, press.article).digests.total() == count
    with sending(press.newsroom) as newsroom:
        send_questions(newsroom)
    [anna] = press.arrived()
    assert anna["To"] == "anna@example.org"
    assert anna["Subject"] == "Changed: Lorries held at Farap"
    assert anna["List-Unsubscribe"]
    assert anna["Feedback-ID"]
    assert "It now says:" in text_of(anna)
    assert "Corrections" not in press.mails()["anna@example.org"]


def test_who_leaves_before_a_notice_goes_out_gets_none(press: Press) -> None:
    """And a newer correction replaces what is still queued."""
    press.correct("Turkmenabat")
    notify(press.newsroom, press.article)
    press.correct("Serhetabat")
    notify(press.newsroom, press.article)
    press.desk.run("recipients", "end", "boris@example.org")
    with sending(press.newsroom) as newsroom:
        send_questions(newsroom)
    [anna] = press.arrived()
    assert "Serhetabat" in text_of(anna)


def test_a_queued_notice_says_what_is_so_when_it_goes_out(press: Press) -> None:
    """Changed again meanwhile, it is made anew; undone, it is dropped, and nobody hears of either."""
    press.correct("Turkmenabat")
    notify(press.newsroom, press.article)
    press.correct("Serhetabat")
    told = press.notices()
    assert told.keys() == {"anna@example.org", "boris@example.org"}
    assert all("Serhetabat" in text and "Turkmenabat" not in text for text in told.values())
    press.withdraw()
    assert notify(press.newsroom, press.article).digests.total() == 2
    press.readmit()
    assert notify(press.newsroom, press.article, dry_run=True).digests.total() == 0
    assert press.notices() == {}
    assert "Corrections" not in press.mails()["anna@example.org"]


@pytest.mark.parametrize("at_once", [True, False])
def test_the_last_thing_told_is_what_readers_know(press: Press, *, at_once: bool) -> None:
    """Told of a correction, a withdrawal and its end, twice; each is news, and nothing is told again."""

    def told() -> str:
        if not at_once:
            return press.mails()["anna@example.org"]
        notify(press.newsroom, press.article)
        return press.notices()["anna@example.org"]

    press.correct("Turkmenabat")
    assert "It now says:" in told()
    for _ in range(2):
        press.withdraw()
        assert "was withdrawn" in told()
        press.readmit()
        assert "It is published again." in told()
    assert notify(press.newsroom, press.article).digests.total() == 0
    assert "Corrections" not in press.mails()["anna@example.org"]


def test_what_is_told_is_part_of_what_was_seen(press: Press) -> None:
    """`--expect` refuses another correction of what went out earlier; the news is the same."""
    press.correct("Turkmenabat")
    press.news()
    press.later(hours=1)
    digest = press.desk.settings.digests[0]
    seen = preview(press.newsroom, digest, press.now)
    assert seen is not None
    expected = Expected(seen.hash, press.now)
    press.withdraw()
    with pytest.raises(ExpectationError, match="articles or corrections"):
        compose_now(press.newsroom, digest, expect=expected)
    press.readmit()
    composed = compose_now(press.newsroom, digest, expect=expected)
    assert composed is not None
    assert without_withdrawn(press.newsroom, digest, composed).hash == seen.hash


def test_an_approval_is_of_what_is_told(press: Press) -> None:
    """A draft has the corrections that its readers are owed now, so another one needs another look."""
    press.desk.configure(approval="true")
    press.correct("Turkmenabat")
    press.news()
    press.later(hours=1)
    draft = compose_now(press.newsroom, press.desk.settings.digests[0])
    assert draft is not None
    press.withdraw()
    with pytest.raises(ExpectationError, match="articles or corrections"):
        approve(press.newsroom, draft.id or 0, Expected(draft.hash), "Boris")
    press.readmit()
    assert approve(press.newsroom, draft.id or 0, Expected(draft.hash), "Boris").hash == draft.hash


def test_no_alert_goes_out_of_what_was_withdrawn_meanwhile(press: Press) -> None:
    """And nobody is told of the withdrawal who saw neither."""
    with press.db.write():
        follow(press.newsroom, 3, "heroin")
    press.later(hours=1)
    [press.article] = press.write("ferry", COPY.format(port="Kiyanly"))
    press.later(minutes=1)
    assert look(press.newsroom) == 1
    press.withdraw()
    assert press.notices() == {}
    assert notify(press.newsroom, press.article).digests.total() == 0


@pytest.mark.parametrize("at_once", [True, False])
def test_who_only_got_an_alert_is_told_too(press: Press, *, at_once: bool) -> None:
    """An alert shows the article, so its reader hears that it was withdrawn."""
    with press.db.write():
        follow(press.newsroom, 3, "heroin")
    press.later(hours=1)
    [press.article] = press.write("ferry", COPY.format(port="Kiyanly"))
    press.later(minutes=1)
    assert look(press.newsroom) == 1
    assert press.notices().keys() == {"cyril@example.org"}
    press.withdraw()
    if at_once:
        assert notify(press.newsroom, press.article).digests == {"weekly": 1}
        told = press.notices()
    else:
        told = press.mails()
        assert "Kiyanly" not in told["anna@example.org"]
    assert "was withdrawn" in told["cyril@example.org"]
    assert "Corrections" not in press.mails().get("cyril@example.org", "")


@pytest.mark.parametrize(("status", "told"), [("uncertain", True), ("failed", False)])
def test_what_may_have_arrived_counts_as_sent(press: Press, status: str, *, told: bool) -> None:
    """An uncertain mail was perhaps read; a refused one was not."""
    with press.db.write():
        press.db.run("UPDATE deliveries SET status = ?", (status,))
    press.correct("Turkmenabat")
    assert ("Corrections" in press.mails()["anna@example.org"]) == told


def test_who_has_paused_is_told_after_the_pause(press: Press) -> None:
    """And not at once; who gets a notice is not told again when that is uncertain, but when it failed."""
    until = f"{press.now + 2 * WEEK:%Y-%m-%d}"
    press.desk.run("recipients", "set", "boris@example.org", "--pause-until", until)
    press.correct("Turkmenabat")
    told = notify(press.newsroom, press.article)
    assert (told.digests.total(), told.paused) == (1, 1)
    with press.db.write():
        press.db.run("UPDATE notices SET status = 'uncertain'")
    assert "Corrections" not in press.mails()["anna@example.org"]
    with press.db.write():
        press.db.run("UPDATE notices SET status = 'failed'")
    mails = press.mails()
    assert "Corrections" in mails["anna@example.org"]
    assert "Исправления" in mails["boris@example.org"]


def test_an_own_template_that_leaves_corrections_out_is_refused(press: Press) -> None:
    """Else they would count as told."""
    (press.desk.folder / "mine" / "mail").mkdir(parents=True)
    mine = press.desk.folder / "mine" / "mail" / "edition.txt"
    mine.write_text("{{ mail.footer.leave.url }}\n", "utf-8")
    press.desk.edit_config('# templates = "my-templates"', 'templates = "mine"')
    press.correct("Turkmenabat")
    with pytest.raises(ConfigError, match=r"mail/edition.txt leaves out corrections"):
        notify(press.newsroom, press.article, dry_run=True)
