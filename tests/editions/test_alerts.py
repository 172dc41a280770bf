"""The verb `look`: what readers follow is found in new articles, and told once."""

import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.audience.follows import follow, phrase_words, unfollow
from digest.audience.suppressions import suppress
from digest.editions import alerts
from digest.editions.alerts import evidence_of, look, phrase_finder, receipts, view_alert
from digest.language.text import foreign
from digest.language.wording import wording_for
from digest.mail.letters import render_parts
from digest.mail.maildir import MaildirTransport
from digest.mail.tokens import DeliveryKey, Purpose, find_tokens, read_token
from digest.model import Receipt, Window
from digest.newsroom import Newsroom
from digest.store.backups import prune
from digest.stories.store import choose_lead, move, new_story
from tests.desks import PAGES, Desk, opened
from tests.factories import make_article, make_settings
from tests.mail.fault_server import FaultServer, running
from tests.mailing import KEY, MONDAY, Office, mails, use_smtp

ANNA, BORIS = "anna@reader.example", "boris@reader.example"


@pytest.mark.parametrize(
    ("phrase", "text", "found"),
    [
        pytest.param("customs officer", "Two Customs officers left.", "Customs officers", id="plural"),
        pytest.param("customs officers", "a customs officer’s day", "customs officer", id="singular"),
        pytest.param("drug trafficking", "they traffic drugs", None, id="another order"),
        pytest.param("drug trafficking", "drug and arms trafficking", None, id="a word between"),
        pytest.param("drug trafficking", "No drug. Trafficking fell.", None, id="two sentences"),
        pytest.param("Bank of Turkmenistan", "the Bank of Turkmenistan said", "Bank of Turkmenistan", id="a small word"),
        pytest.param("Bank of Turkmenistan", "the bank in Turkmenistan", None, id="another small word"),
        pytest.param("The Hague", "was in The Hague today", "The Hague", id="begins with one"),
        pytest.param("anti corruption", "an anti-corruption law", "anti-corruption", id="a hyphen"),
        pytest.param("anti-corruption", "an anti corruption law", "anti corruption", id="no hyphen"),
        pytest.param("Caspian Sea", "the “Caspian” sea", "Caspian” sea", id="quotes"),
        pytest.param("cat", "concatenate", None, id="inside a word"),
        pytest.param("живой щит", "о «живом» щите", "живом» щите", id="Russian cases"),
        pytest.param("таможенного союза", "Таможенный союз", "Таможенный союз", id="given in another case"),
        pytest.param("посёлок", "в поселках", "поселках", id="ё as е"),
        pytest.param("поселок", "Посёлок", "Посёлок", id="е as ё"),
        pytest.param("Бердымухамедов", "с Бердымухамедовым", "Бердымухамедовым", id="a name"),
        pytest.param("Нуриевой", "Мурад Нуриев", "Нуриев", id="a name in a case"),
        pytest.param("women’s rights", "a woman’s right", "woman’s right", id="irregular"),
        pytest.param("сталь", "производство стали", "стали", id="an ambiguous form"),
        pytest.param("UNODC", "Семинар UNODC прошёл", "UNODC", id="Latin in Russian copy"),
        pytest.param("форум OSCE", "на форуме OSCE", "форуме OSCE", id="two scripts"),
        pytest.param("Ашхабад", "в Аш\u00adха\u0301баде", "Аш\u00adха\u0301баде", id="unseen signs"),
    ],
)  # fmt: skip
def test_a_phrase_is_its_words_in_order_in_any_form(
    phrase: str, text: str, found: str | None
) -> None:
    """Beside each other, in English and Russian; what is shown is the text as it is written."""
    key = " ".join(phrase_words(phrase))
    [first] = [text[a:b] for a, b, _ in phrase_finder((key,)).find_written(text)][:1] or [None]
    assert first == found


@given(st.text(max_size=120), st.text(max_size=300))
def test_no_text_raises(phrase: str, text: str) -> None:
    """Whatever people follow and copy says; and a phrase that has words finds itself."""
    words = phrase_words(phrase)
    if words:
        finder = phrase_finder((" ".join(words),))
        assert all(0 <= a < b <= len(text) for a, b, _ in finder.find_written(text))
        assert list(finder.find_written(" ".join(words)))


@given(st.text(max_size=200), st.text(max_size=200), st.text(min_size=3, max_size=20))
def test_the_mail_shows_any_text_as_it_is(before: str, after: str, phrase: str) -> None:
    """Markup of the copy and of the phrase is text; the words are between asterisks, or bold."""
    text, title = foreign(f"{before} Ferry {after}", lines=True, limit=None), foreign(phrase)
    article = make_article(title=title, text=text, lead=text)
    [(start, end, _)] = list(phrase_finder(("ferry",)).find_written(text))[:1]
    sentence = evidence_of(make_settings(), article, ("text", start, end))
    assert "*Ferry*" in sentence
    mail = view_alert(make_settings(), title, "en", [(article, sentence)], MONDAY)
    html, _ = render_parts(make_settings(), PAGES, "edition", mail)
    assert ">Ferry</b>" in html
    assert "<script" not in html


@pytest.fixture
def office(filled: Desk) -> Iterator[Office]:
    """A desk a week after its first ingest; Anna reads English, Boris Russian and English."""
    with filled.open() as db:
        office = Office(filled, db, transport=MaildirTransport(filled.folder / "outbox"))
        office.add(ANNA, languages=("en",))
        office.add(BORIS, languages=("ru", "en"))
        yield office


def newsroom(office: Office, **parts: object) -> Newsroom:
    parts = {"templates": PAGES, "token_key": KEY} | parts
    return opened(office.db, office.desk.settings, clock=lambda: office.now, **parts)


def follows(office: Office, recipient_id: int, *phrases: str) -> list[int]:
    with office.db.write():
        return [follow(newsroom(office), recipient_id, one).id for one in phrases]


def comes_in(office: Office, *texts: str) -> None:
    """One article for each text, an hour later."""
    office.later(hours=2)
    for text in texts:
        name = f"{office.now:%d%H%M}-{texts.index(text)}.txt"
        (office.desk.seeds / name).write_text(text, "utf-8")
    office.desk.ingest(office.now)
    office.later(minutes=1)


def queued(office: Office) -> list[tuple[str, EmailMessage]]:
    """Each alert with its address, as an independent reader sees it."""
    rows = office.db.rows("SELECT recipient, body FROM notices WHERE kind = 'alert' ORDER BY id")
    return [
        (one["recipient"], message_from_bytes(one["body"], EmailMessage, policy=policy.default))
        for one in rows
    ]


def said(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    assert body is not None
    return " ".join(body.get_content().split())


PORT = "Port opens at Balkan\n\nA new ferry port opened on the Balkan coast. Ferries leave daily from the quay.\n"
FLEET = "Fleet grows\n\nOfficials in the region said that the old fleet will get four ferries of its own.\n"
РЫБА = "Рыболовство растёт\n\nНа побережье области выросло рыболовство. О паромах речи не было, сообщили власти.\n"


def test_one_mail_tells_all_that_was_found(office: Office) -> None:
    """With title, source and the sentence that names it; who reads no English gets nothing of it."""
    office.add("clara@reader.example", languages=("ru",))
    follows(office, 1, "Ferry")
    follows(office, 3, "ferry")
    comes_in(office, PORT, FLEET, РЫБА)
    assert look(newsroom(office)) == 1
    [(address, mail)] = queued(office)
    assert address == ANNA
    assert mail["Subject"] == "“Ferry”: Port opens at Balkan, and 1 more"
    text = said(mail)
    assert "2 articles · 23 November 2026 “Ferry”" in text
    assert "A new *ferry* port opened on the Balkan coast." in text
    assert "the old fleet will get four *ferries* of its own." in text
    assert "because you follow “Ferry”" in text
    html = mail.get_body(("html",)).get_content()
    assert "new <b>ferry</b> port" in html
    assert office.db.value("SELECT count(*) FROM follow_finds") == 2


def test_a_reader_can_leave_it_and_stop_following_it(office: Office) -> None:
    """RFC 8058 and 2369: the same token as in an edition; a bounce names the reader (VERP)."""
    office.desk.edit_config('# public_url = "', 'public_url = "')
    follows(office, 2, "рыболовство")
    comes_in(office, РЫБА)
    look(newsroom(office))
    [(_, mail)] = queued(office)
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["List-Id"] == "<alert.news.example.org>"
    for part, purpose in (
        (mail["List-Unsubscribe"], Purpose.READER),
        (re.search(r"/choose/\w+", said(mail))[0], Purpose.CHOICE),
        (office.db.value("SELECT sender FROM notices"), Purpose.SERVER),
    ):
        assert read_token([KEY], find_tokens(part)[0], purpose) == DeliveryKey(0, 2)
    assert "1 статья · 23 ноября 2026 «рыболовство»" in said(mail)


def test_what_was_found_is_found_once(office: Office) -> None:
    """Two runs equal one; old articles, and those from before it was followed, are not told."""
    follows(office, 1, "ferry", "Turkmenistan")
    comes_in(office, PORT)
    assert (look(newsroom(office)), look(newsroom(office))) == (1, 0)
    follows(office, 1, "quay")
    office.later(hours=2)
    assert look(newsroom(office)) == 0


def test_within_an_hour_finds_wait_and_come_together(office: Office) -> None:
    """Never more than one mail an hour about the same."""
    follows(office, 1, "ferry")
    comes_in(office, PORT)
    assert look(newsroom(office)) == 1
    for minutes in (10, 20):
        office.later(minutes=10)
        (office.desk.seeds / f"{minutes}.txt").write_text(
            FLEET.replace("four", str(minutes)), "utf-8"
        )
        office.desk.ingest(office.now)
        office.later(seconds=1)
        assert look(newsroom(office)) == 0
    office.later(minutes=41)
    assert look(newsroom(office)) == 1
    assert "2 articles" in said(queued(office)[1][1])


@pytest.mark.parametrize("why", ["paused", "ended", "suppressed", "unfollowed"])
def test_who_gets_no_mail_gets_no_alert(office: Office, why: str) -> None:
    """Nor later, when they get mail again."""
    [one] = follows(office, 1, "ferry")
    comes_in(office, PORT)
    with office.db.write():
        if why == "paused":
            office.db.run("UPDATE recipients SET paused_until = '2026-12-01T00:00:00.000000Z'")
        elif why == "ended":
            office.db.run("UPDATE recipients SET status = 'ended'")
        elif why == "suppressed":
            suppress(office.db, ANNA, "hard", office.now)
        else:
            unfollow(newsroom(office), 1, one)
    assert look(newsroom(office)) == 0
    with office.db.write():
        office.db.run("UPDATE recipients SET paused_until = NULL, status = 'active'")
        office.db.run("DELETE FROM suppressions")
    office.later(hours=2)
    assert look(newsroom(office)) == 0


def test_archived_embargoed_and_withdrawn_copy_is_not_told(office: Office) -> None:
    """An embargoed article is told when it opens."""
    follows(office, 1, "ferry")
    comes_in(office, f"EMBARGOED UNTIL 25 NOVEMBER 2026, 10:00\n\n{PORT}", FLEET)
    with office.db.write():
        office.db.run("UPDATE articles SET withdrawn_at = updated_at WHERE title LIKE 'Fleet%'")
    assert look(newsroom(office)) == 0
    office.later(days=3)
    assert look(newsroom(office)) == 1
    assert "1 article" in said(queued(office)[0][1])


def test_new_articles_of_a_story_are_told(office: Office) -> None:
    """Although the story was merged into another one meanwhile."""
    comes_in(office, PORT, FLEET)
    db = office.db
    port, fleet = (row["id"] for row in db.rows("SELECT id FROM articles ORDER BY id DESC LIMIT 2"))
    with db.write():
        old = new_story(db, office.now)
        for one in (port, fleet):
            move(db, one, old)
        choose_lead(db, old, ())
        followed = follow(newsroom(office), 1, story_id=old)
        assert follow(newsroom(office), 1, story_id=old) == followed
    comes_in(office, PORT.replace("new ferry port", "second harbour"))
    with db.write():
        story = new_story(db, office.now)
        third = db.value("SELECT max(id) FROM articles")
        for one in (port, fleet, third):
            move(db, one, story)
        choose_lead(db, old, ())
        choose_lead(db, story, ())
    assert look(newsroom(office)) == 1
    [(_, mail)] = queued(office)
    assert mail["Subject"] == "The story “Port opens at Balkan”: Port opens at Balkan"
    assert "follow the story “Port" in said(mail)


class Templates:
    """Ours; `before` is called before an alert is rendered."""

    def __init__(self, before: Callable[[], None]) -> None:
        self.before = before

    def get_template(self, name: str) -> object:
        if name == "mail/edition.html":
            self.before()
        return PAGES.get_template(name)


def test_a_crash_between_loses_and_doubles_nothing(office: Office) -> None:
    """A mail and the look that it is about are one write; the rest is found by the next run."""
    readers = [f"r{number}@reader.example" for number in range(alerts.BATCH + 1)]
    office.add(*readers, languages=("en",))
    for number in range(len(readers)):
        follows(office, 3 + number, "ferry")
    follows(office, 1, "quay")
    comes_in(office, PORT)
    rendered: list[int] = []

    def dies() -> None:
        rendered.append(1)
        if len(rendered) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        look(newsroom(office, templates=Templates(dies)))
    assert len(queued(office)) == alerts.BATCH
    look(newsroom(office))
    assert sorted(address for address, _ in queued(office)) == sorted([ANNA, *readers])


def test_what_is_saved_meanwhile_is_not_passed_over(office: Office) -> None:
    """An article of the time that was looked at, saved while mail about another one was rendered."""
    follows(office, 1, "ferry")
    comes_in(office, PORT)
    late = office.desk.seeds / "late.txt"

    def saves() -> None:
        if not late.exists():
            late.write_text(FLEET, "utf-8")
            office.desk.ingest(office.now - timedelta(seconds=1))

    assert look(newsroom(office, templates=Templates(saves))) == 1
    [(_, mail)] = queued(office)
    assert "2 articles" in said(mail)


def test_the_clock_may_be_set_back(office: Office) -> None:
    """Nothing new is put before what was looked at already."""
    follows(office, 1, "ferry")
    comes_in(office, РЫБА)
    look(newsroom(office))
    (office.desk.seeds / "late.txt").write_text(PORT, "utf-8")
    office.desk.ingest(office.now - timedelta(days=1))
    office.later(seconds=1)
    assert look(newsroom(office)) == 1


def window(office: Office, since: datetime) -> Window:
    return Window(since, office.now)


def test_receipts_count_what_was_looked_at(office: Office) -> None:
    """In the reader's languages, since they follow it; the same before and after a look."""
    began = office.now
    follows(office, 1, "ferry")
    follows(office, 2, "ferry", "рыболовство", "опреснение")
    comes_in(office, PORT, РЫБА)
    follows(office, 1, "quay")
    shown = receipts(newsroom(office), window(office, began))
    assert shown == {
        1: (Receipt("ferry", 1, 1),),
        2: (Receipt("ferry", 2, 1), Receipt("рыболовство", 2, 1), Receipt("опреснение", 2, 0)),
    }
    look(newsroom(office))
    assert receipts(newsroom(office), window(office, began)) == shown


@pytest.mark.parametrize(
    ("language", "receipt", "line"),
    [
        ("en", Receipt("ferry", 1214, 0), "“ferry”: 1,214 articles looked at, none named it"),
        ("en", Receipt("ferry", 1, 1), "“ferry”: 1 article looked at, 1 named it"),
        ("ru", Receipt("паром", 1214, 0), "«паром»: просмотрено 1 214 статей, упоминаний нет"),
        ("ru", Receipt("паром", 21, 2), "«паром»: просмотрена 21 статья, упоминается в 2"),
    ],
)
def test_a_receipt_in_words(language: str, receipt: Receipt, line: str) -> None:
    """Plurals of both languages."""
    assert wording_for(language).receipt(receipt).replace("\u00a0", " ") == line


def test_the_sender_sends_it_and_not_to_who_left(office: Office) -> None:
    """By SMTP, with the editions, once; an alert that waits goes to nobody who left meanwhile."""
    follows(office, 1, "ferry")
    follows(office, 2, "ferry")
    comes_in(office, PORT)
    assert look(newsroom(office)) == 2
    with office.db.write():
        office.db.run("UPDATE recipients SET status = 'ended' WHERE id = 2")
    with running(FaultServer()) as server:
        use_smtp(office.desk, server.port)
        office.transport = None
        office.deliver()
        office.deliver()
        [mail] = mails(server)
    assert (mail["To"], mail["Subject"]) == (ANNA, "“ferry”: Port opens at Balkan")
    rows = office.db.rows("SELECT recipient, status FROM notices ORDER BY recipient")
    assert [(one["recipient"], one["status"]) for one in rows] == [
        (ANNA, "sent"),
        (BORIS, "failed"),
    ]


def test_sent_alerts_lose_their_bytes(office: Office) -> None:
    """What was sent, to whom and when stays; what waits is whole."""
    follows(office, 1, "ferry")
    comes_in(office, PORT)
    look(newsroom(office))
    whole = "SELECT count(*) FROM notices WHERE body != x''"
    prune(office.db, office.now, bounce_days=90, answer_days=365)
    assert office.db.value(whole) == 1
    office.deliver()
    prune(office.db, office.now, bounce_days=90, answer_days=365)
    assert office.db.value(whole) == 0
