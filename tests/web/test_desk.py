"""The desk: a real server and a real database, with the links of real mails."""

import html
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from http.cookies import SimpleCookie
from urllib.parse import urlencode

import pytest

from digest.audience.evidence import Evidence, take_evidence
from digest.audience.signup import send_links
from digest.editions.compose import compose_due
from digest.language.wording import wording_for
from digest.mail.maildir import MaildirTransport
from digest.model import Embargo, Kill, Verdict
from digest.sources.store import add_article, propose, save_arrivals, save_entry
from digest.store.articles import find_article
from digest.store.backups import export_lines
from digest.store.database import Database
from digest.stories.store import story_corrections, story_of
from digest.themes.store import theme_corrections
from digest.web.cases import sentence
from digest.web.desk import ACTS
from digest.web.store import acts, prune_desk
from tests.desks import PAGES, Desk, opened
from tests.factories import make_entry
from tests.mailing import KEY, Office
from tests.web.test_forms import FORM, Answer, Site, answering, sent_mails

EDITOR, OTHER = "editor@news.example.org", "second@news.example.org"
ENGLISH = wording_for("en", ("en",))
HERE = "https://news.example.org"
OTHER_DOCUMENT = (
    "SELECT max(id) FROM documents WHERE id != (SELECT document_id FROM articles WHERE id = ?)"
)


@dataclass
class Browser:
    """Who asks the server, with the cookies that it gave."""

    site: Site
    cookies: dict[str, str] = field(default_factory=dict)

    def ask(self, path: str = "/desk/", fields: object = None, **headers: str) -> Answer:
        method = "GET" if fields is None else "POST"
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        body = b"" if fields is None else urlencode(fields).encode()  # type: ignore[arg-type] # pairs
        answer = self.site.ask(path, method, body, Content_Type=FORM, **headers)
        for one in answer.cookies:
            for name, morsel in SimpleCookie(one).items():
                self.cookies.pop(name, None)
                if morsel.value:
                    self.cookies[name] = morsel.value
        return answer

    @property
    def db(self) -> Database:
        return self.site.office.db

    def form_value(self, page: bytes | None = None) -> str:
        page = self.ask().body if page is None else page
        return re.findall(rb'name="form" value="([^"]+)"', page)[0].decode()

    def asks(self, address: str = EDITOR) -> Answer:
        return self.ask(fields={"address": address})

    def link(self, address: str = EDITOR) -> str:
        """The path of the link that is mailed to an editor who asks."""
        assert self.asks(address).status == 200
        office = self.site.office
        settings = office.desk.settings
        parts = {"transport": office.transport, "templates": PAGES, "token_key": KEY}
        send_links(opened(office.db, settings, clock=lambda: office.now, **parts))
        body = sent_mails(office)[address].get_body(("plain",)).get_content()
        [link] = re.findall(rf"{HERE}(/desk/enter/\S+)", body)
        for path in (office.desk.folder / "outbox" / "new").iterdir():
            path.unlink()
        return link

    def presses(self, link: str) -> Answer:
        """The button on the page of a link."""
        page = self.ask(link).body
        return self.ask(link, {"form": self.form_value(page)} if b'name="form"' in page else {})

    def signs_in(self, address: str = EDITOR) -> "Browser":
        answer = self.presses(self.link(address))
        assert (answer.status, answer.headers["location"]) == (303, "../")
        return self

    def acts(self, act: str, about: int = 0, **fields: str) -> Answer:
        return self.ask(fields={"form": self.form_value(), "act": act, "about": about, **fields})


@pytest.fixture
def office(filled: Desk) -> Iterator[Office]:
    """Two editors, three readers, and a draft."""
    filled.edit_config(
        *("# public_url", "public_url", "approval = false", "approval = true"),
        *("editors = []", f'editors = ["{EDITOR}", "{OTHER}"]'),
    )
    filled.configure(busy_timeout_seconds="0.2")
    with filled.open() as db:
        made = Office(filled, db, transport=MaildirTransport(filled.folder / "outbox"))
        made.add("anna@reader.example", languages=("en",))
        made.add("boris@reader.example", "bella@reader.example")
        [draft] = compose_due(opened(db, filled.settings, clock=made.now, templates=PAGES))
        assert (draft.id, draft.status) == (1, "draft")
        yield made


@pytest.fixture
def site(office: Office) -> Iterator[Site]:
    with answering(office) as made:
        yield made


@pytest.fixture
def editor(site: Site) -> Browser:
    return Browser(site).signs_in()


def done(browser: Browser) -> list[tuple[str, str]]:
    """Who did what, the newest first, without signing in and out."""
    return [
        (one["editor"], sentence(browser.site.office.desk.settings, ENGLISH, one))
        for one in acts(browser.db, 50)
        if one["act"] not in ("in", "out")
    ]


def test_an_editor_signs_in_by_a_mailed_link(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """One mail, one button; the cookie is out of reach of scripts, other sites and plain HTTP. The log names
    neither address nor token."""
    caplog.set_level(logging.INFO)
    browser = Browser(site)
    assert b"Mail me a link" in browser.ask().body
    link = browser.link()
    assert b"Press the button to sign in" in browser.ask(link).body
    answer = browser.presses(link)
    assert (answer.status, answer.headers["location"]) == (303, "../")
    [kept] = [one for one in answer.cookies if one.startswith("__Host-desk=")]
    assert {"HttpOnly", "Path=/", "SameSite=strict", "Secure"} <= {*kept.split("; ")}
    page = browser.ask()
    assert b"Signed in as editor@news.example.org" in page.body
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["x-robots-tag"] == "noindex"
    secrets = {link.rpartition("/")[2], *browser.cookies.values()}
    stored = str(site.content()).replace("\n", "")
    assert not any(one in caplog.text + stored for one in secrets)
    assert EDITOR not in caplog.text
    assert browser.acts("out").status == 303
    assert b"Mail me a link" in browser.ask().body
    assert [one["act"] for one in acts(browser.db, 9)] == ["out", "in"]


def test_a_stranger_gets_the_same_answer_and_no_mail(site: Site) -> None:
    """The page tells nobody who the editors are, and what is stored has the same rows."""
    one, other = Browser(site).asks(), Browser(site).asks("stranger@elsewhere.example")
    assert (one.status, one.body) == (other.status, other.body)
    db = site.office.db
    assert (
        db.value("SELECT count(*) FROM desk_links") == db.value("SELECT count(*) FROM notices") == 2
    )
    open_ones = db.rows("SELECT recipient FROM notices WHERE status = 'queued'")
    assert open_ones == [{"recipient": EDITOR}]
    assert Browser(site).asks("no address").status == 422


def test_links_are_limited_by_address_and_network(site: Site) -> None:
    """Nobody floods an editor, nor the database; another network still gets a link for the editor."""
    for _ in range(5):
        assert Browser(site).asks().status == 200
    db = site.office.db
    assert db.value("SELECT count(*) FROM notices WHERE status = 'queued'") == 3
    elsewhere = Browser(site)
    fields = {"address": EDITOR}
    assert elsewhere.ask(fields=fields, X_Forwarded_For="203.0.113.7").status == 200
    assert db.value("SELECT count(*) FROM notices WHERE status = 'queued'") == 4
    answers = [Browser(site).asks(f"x{i}@elsewhere.example").status for i in range(17)]
    assert (answers[0], answers[-1]) == (200, 429)


def test_a_link_works_once_in_time_and_in_its_browser(site: Site) -> None:
    """Used, old, stolen or guessed, it opens nothing; a browser that gets it is not signed in."""
    browser, thief = Browser(site), Browser(site)
    link = browser.link()
    stolen = thief.ask(link)
    assert stolen.status == 403
    assert b"only in the browser that asked" in stolen.body
    assert thief.ask(link, {}).status == 403
    assert not thief.cookies
    thief.asks()  # with a cookie of its own
    assert thief.ask(link, {}).status == 403
    form = {"form": browser.form_value(browser.ask(link).body)}
    assert browser.ask(link, {}).status == thief.ask(link, form).status == 403
    assert browser.ask(link, form).status == 303
    assert browser.presses(link).status == thief.ask(link).status == 404
    assert browser.presses("/desk/enter/" + "a" * 43).status == 404
    late = Browser(site)
    link = late.link(OTHER)
    form = {"form": late.form_value(late.ask(link).body)}
    site.office.later(minutes=16)
    assert late.ask(link).status == late.ask(link, form).status == 404
    assert "__Host-desk" not in late.cookies


@pytest.mark.parametrize(
    "end", ["time", "config", "command", pytest.param("sign-out", id="sign out elsewhere")]
)
def test_a_session_ends(office: Office, end: str) -> None:
    """After its hours, when config.toml no longer has the editor, when an operator says so. The next press of
    a button changes nothing and says why."""
    with answering(office) as site:
        browser, other = Browser(site).signs_in(), Browser(site).signs_in(OTHER)
        value = browser.form_value()
        if end == "time":
            office.later(hours=12, seconds=1)
        elif end == "command":
            shown = office.desk.run("desk", "sessions", "--end", EDITOR).stdout
            assert "1 session ended." in shown
        elif end == "sign-out":
            browser.acts("out")
            browser.cookies = dict(other.cookies)  # the form is of another session than the cookie
            assert browser.ask(fields={"form": value, "act": "drop:1", "about": 1}).status == 403
            browser.cookies = {}
    if end == "config":
        office.desk.edit_config(f'"{EDITOR}", ', "")
    with answering(office) as site:
        browser.site = other.site = site
        before = site.content()
        page = browser.ask(fields={"form": value, "act": "drop:1", "about": 1})
        assert page.status == 403
        assert b"Your session has ended" in page.body
        assert site.content() == before
        assert (b"Signed in as" in other.ask().body) is (end != "time")


def test_a_form_of_another_page_changes_nothing(editor: Browser) -> None:
    """CSRF: from another origin, without the form’s value, with that of another session, by GET."""
    stale = editor.form_value()
    fields = {"form": stale, "act": "drop:1", "about": 1}
    other = Browser(editor.site).signs_in(OTHER).form_value()
    before = editor.site.content()
    for wrong, headers in (
        (fields, {"Origin": "https://evil.example"}),
        (fields, {"Sec_Fetch_Site": "cross-site"}),
        (fields, {"Sec_Fetch_Site": "same-site"}),
        (fields | {"form": other}, {}),
        ({"act": "drop:1", "about": 1}, {}),
    ):
        assert editor.ask(fields=wrong, **headers).status == 403
    assert editor.ask("/desk/?" + urlencode(fields)).status == 200
    assert editor.ask(fields={"form": stale, "act": "rm -rf", "about": 1}).status == 400
    assert editor.site.content() == before


def test_looking_changes_no_byte(editor: Browser) -> None:
    """GET and HEAD of each page; a mail filter opens every link."""
    link = Browser(editor.site).link(OTHER)
    store = editor.site.office.desk.store
    editor.db.value("PRAGMA wal_checkpoint(TRUNCATE)")
    before = store.read_bytes()
    for path in ("/desk/", "/desk", link, "/desk/mail/1/0", "/desk/mail/9/0", "/desk/style.css"):
        assert editor.ask(path).status in (200, 303, 308, 403), path
        editor.site.ask(path, "HEAD")
    assert store.read_bytes() == before
    assert store.with_name("digest.db-wal").stat().st_size == 0


def test_without_editors_there_is_no_desk(office: Office) -> None:
    """As at any other address that is not there; and with editors the config must say where the link leads."""
    office.desk.edit_config(f'editors = ["{EDITOR}", "{OTHER}"]', "editors = []")
    with answering(office) as site:
        unknown = site.ask("/nothing/here")
        for path in ("/desk/", "/desk", "/desk/enter/x", "/desk/style.css"):
            answer = site.ask(path)
            assert (answer.status, answer.body) == (404, unknown.body)
    office.desk.edit_config("editors = []", f'editors = ["{EDITOR}"]', "public_url", "# public_url")
    assert "desk.editors: needs web.public_url" in office.desk.run("status").output


def test_themes_are_decided_as_by_the_command(editor: Browser) -> None:
    """The evidence is that of the copy; the decision is the editor’s, is logged, and can be taken back."""
    page = editor.ask().body.decode()
    [(about, theme)] = re.findall(
        r'name="about" value="(\d+)">\s*<button type="submit" name="act" value="keep:(customs)"',
        page,
    )[:1]
    number = int(about)
    assert "unsure below 1.30" in page
    assert editor.acts(f"not:{theme}", number).status == 303
    ruled = theme_corrections(editor.db, number)
    assert (ruled[theme].verdict, ruled[theme].by) == (Verdict.REMOVE, EDITOR)
    assert theme not in find_article(editor.db, number).themes
    assert f"article {number} is not under Customs" in editor.ask("/desk/?said").body.decode()
    assert editor.acts("clear", number).status == 303
    assert theme_corrections(editor.db, number) == {}
    assert editor.acts("add", number, theme="youth").status == 303
    assert "youth" in find_article(editor.db, number).themes
    assert editor.acts("add", number, theme="other").status == 409
    assert editor.acts("keep:nonsense", number).status == 409
    assert [what for _, what in done(editor)] == [
        f"article {number} is under Youth",
        f"taken back: the themes of article {number} are the classifier’s",
        f"article {number} is not under Customs",
    ]
    rows = editor.site.office.desk.json("desk", "log")
    assert rows[0]["what"] == f"article {number} is under Youth"
    assert editor.acts("other", number).status == 303
    assert find_article(editor.db, number).themes == ()


def test_stories_are_joined_and_split(editor: Browser) -> None:
    assert editor.acts("join:2", 1).status == 303
    assert story_of(editor.db, 1) == story_of(editor.db, 2) is not None
    assert story_corrections(editor.db, 1)[2].by == EDITOR
    assert editor.acts("split", 1).status == 303
    assert story_of(editor.db, 1) is None
    assert editor.acts("unlink", 1).status == 303
    assert story_corrections(editor.db, 1) == {}
    assert editor.acts("join:999", 1).status == editor.acts("join", 1).status == 409
    assert len(done(editor)) == 3


def test_copy_is_withdrawn_released_and_accepted(editor: Browser) -> None:
    """What kills ask, what is embargoed, a letter of a stranger, and a bounce without proof."""
    office, db = editor.site.office, editor.db
    held = make_entry(
        title="<script>alert(1)</script> & “poppies”",
        embargo=Embargo(office.now + timedelta(days=1), "EMBARGOED UNTIL TOMORROW"),
    )
    evidence = Evidence(key=b"1", kind="hard", proven=False, found_by="recipient", recipient_id=1)
    title = find_article(db, 5).title
    with db.write():
        number = add_article(db, 1, "wire", 1, held, archived=False, moment=office.now)
        save_entry(db, 1, number, held, keys={}, entry_id=None)
        other = db.value(OTHER_DOCUMENT, (5,))
        propose(db, other, office.now, Kill("KILL this", title, None))
        save_arrivals(db, 1, [("letter", "waits", b"Subject: A note\n\nx", False)], office.now)
        take_evidence(db, evidence, office.now)
    page = editor.ask().body.decode()
    assert "<script>" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; “poppies”" in page
    for said in (
        "EMBARGOED UNTIL TOMORROW",
        "24 November 2026, 8:00",
        "KILL this",
        "A note",
        "a•••@reader.example",
    ):
        assert said in page.replace("\xa0", " "), said
    assert editor.acts("release", number).status == 303
    assert find_article(db, number).released_by == EDITOR
    assert editor.acts("withdraw", 5, reason="The load was <b>flour</b>.").status == 303
    assert find_article(db, 5).withdrawn_at == office.now
    assert db.value("SELECT settled_by FROM proposals") == EDITOR
    assert find_article(db, 5).withdrawn_why == "The load was <b>flour</b>."
    assert b">Publish again, and let the request wait<" in editor.ask().body
    assert editor.acts("undo", 5).status == 303
    again = find_article(db, 5)
    assert (again.withdrawn_at, again.withdrawn_why) == (None, "")
    assert db.value("SELECT settled_by FROM proposals") is None
    assert editor.acts("undo", 5).status == 409
    assert editor.acts("readmit", 5).status == 303
    assert db.value("SELECT settled_by FROM proposals") == EDITOR
    assert editor.acts("accept", 1).status == 303
    assert db.value("SELECT kind FROM arrivals") == "file"
    assert editor.acts("accept", 1).status == 409
    assert editor.acts("discard", 1).status == 303
    assert db.value("SELECT state FROM bounces") == "discarded"
    assert [what for _, what in done(editor)][3:5] == [
        "taken back: article 5 is published again, and what was asked about it waits again",
        "article 5 is withdrawn",
    ]
    assert len(done(editor)) == 6


def hash_on(page: bytes) -> str:
    return re.findall(rb'value="approve:(\w+)"', page)[0].decode()


def test_a_draft_is_edited_and_approved(editor: Browser) -> None:
    """Words, lead, order, what is left out; the mail shown is the one that is sent."""
    page = editor.ask().body
    assert b"3 articles" not in page
    [seen] = re.findall(rb'name="seen" value="(\w+)"', page)
    words = {"introduction-en": "Read this first.", "introduction-ru": "", "subject-en": "A week"}
    assert editor.acts("save", 1, seen=seen.decode(), **words).status == 303
    shown = editor.site.office.desk.json("editions", "show", "1")
    assert shown["hand"]["introduction"] == {"en": "Read this first."}
    assert shown["edited_by"] == EDITOR
    first, second = (int(one) for one in re.findall(rb'value="up:(\d+)-en"', editor.ask().body)[:2])
    assert editor.acts(f"up:{second}-en", 1).status == 303
    ups = re.findall(rb'value="up:(\d+)-en"', editor.ask().body)
    assert [int(one) for one in ups[:2]] == [second, first]
    assert editor.acts(f"up:{second}-en", 1).status == 303
    hand = editor.site.office.desk.json("editions", "show", "1")["hand"]
    assert hand["lead"] == second
    assert editor.acts("lead:0", 1).status == 303
    assert editor.acts(f"drop:{first}", 1).status == 303
    assert f'value="restore:{first}"' in editor.ask().body.decode()
    assert editor.acts(f"restore:{first}", 1).status == 303
    assert editor.acts(f"postpone:{first}", 1).status == 303
    assert editor.acts("drop:999999", 1).status == 409
    mail = editor.ask("/desk/mail/1/0")
    assert b"Read this first." not in mail.body  # the most readers chose Russian
    assert b"Read this first." in editor.ask("/desk/mail/1/1").body
    assert editor.ask("/desk/mail/1/2").headers["location"] == "/desk/"
    assert "sandbox" in mail.headers["content-security-policy"]
    assert Browser(editor.site).ask("/desk/mail/1/0").status == 303
    assert editor.acts(f"approve:{hash_on(editor.ask().body)}", 1).status == 303
    row = editor.db.row("SELECT status, approved_by FROM editions WHERE id = 1")
    assert row == {"status": "composed", "approved_by": EDITOR}
    assert editor.db.value("SELECT count(*) FROM deliveries") == 3
    assert editor.acts(f"drop:{first}", 1).status == 409
    said = [what for _, what in done(editor)]
    assert said[0].startswith("edition 1 is approved as ")
    assert f"edition 1: article {second} was moved up" in said
    assert said[-1] == "edition 1 has other words: introduction (English), subject (English)"


def test_two_editors_at_once(editor: Browser) -> None:
    """What one approves is what they saw, and neither overwrites the words of the other unasked."""
    other = Browser(editor.site).signs_in(OTHER)
    page = other.ask().body
    [seen] = re.findall(rb'name="seen" value="(\w+)"', page)
    words = {"introduction-en": "Mine.", "seen": seen.decode()}
    assert editor.acts("save", 1, **words).status == 303
    stale = other.acts(f"approve:{hash_on(page)}", 1)
    assert stale.status == 409
    assert b"The draft has changed since you saw it" in stale.body
    assert hash_on(stale.body) != hash_on(page)
    late = other.acts("save", 1, **words | {"introduction-en": "Theirs & mine."})
    assert late.status == 409
    assert "“Mine.”" in late.body.decode()
    assert ">Theirs &amp; mine.</textarea>" in late.body.decode()
    assert [who for who, _ in done(editor)] == [EDITOR]


def test_a_second_person_approves(office: Office) -> None:
    office.desk.edit_config("second_person = false", "second_person = true")
    with answering(office) as site:
        one, other = Browser(site).signs_in(), Browser(site).signs_in(OTHER)
        assert one.acts("drop:1", 1).status == 303
        refused = one.acts(f"approve:{hash_on(one.ask().body)}", 1)
        assert refused.status == 409
        assert b"somebody else must approve it" in refused.body
        assert other.acts(f"approve:{hash_on(other.ask().body)}", 1).status == 303


def test_the_page_is_russian_for_whom_prefers_it(editor: Browser) -> None:
    page = editor.ask(Accept_Language="ru").body.decode()
    assert '<html lang="ru">' in page
    assert "Черновик: Неделя № 1" in page
    assert "вариантов: 2" in page


@pytest.mark.parametrize(
    ("act", "about"),
    [
        ("release", "1"),  # under no embargo
        ("withdraw", "1"),  # nobody asked for it
        ("readmit", "1"),
        ("undo", "1"),
        ("drop:1", "١"),
        ("drop:١", "1"),
        ("drop:2²", "1"),
        ("join:1", "-1"),
        ("keep:drugs", "9" * 40),
        ("lead:0", "2"),
    ],
)
def test_what_the_page_does_not_offer_is_refused(editor: Browser, act: str, about: str) -> None:
    """Nothing is changed, and nothing is in the record that was not done."""
    before = editor.site.content()
    answer = editor.ask(fields={"form": editor.form_value(), "act": act, "about": about})
    assert answer.status == 409
    assert "nothing was changed" in answer.body.decode()
    assert editor.site.content() == before


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ({"introduction-en": "word " * 300}, "не больше 1000 знаков"),
        ({"subject-ru": "word " * 300}, "не больше 200 знаков"),
        ({"introduction-en": "One.\n\nTwo."}, "одним абзацем"),
        ({"introduction-en": "![x](https://x.example/x.png)"}, "не должно быть картинки"),
        ({"introduction-en": ""}, "уже сохранены"),
        ({"introduction-en": "Mine.", "seen": "x"}, "Кто-то тем временем изменил"),
    ],
)
def test_a_refusal_is_in_the_words_of_the_page(editor: Browser, words: dict, says: str) -> None:
    """In the editor’s language, without the options of a command; what was typed stays in the form."""
    page = editor.ask(Accept_Language="ru").body
    [seen] = re.findall(rb'name="seen" value="(\w+)"', page)
    fields = {"form": editor.form_value(page), "act": "save", "about": 1, "seen": seen.decode()}
    answer = editor.ask(fields=fields | words, Accept_Language="ru")
    [said] = re.findall(r'<p class="said" role="alert">([^<]+)</p>', answer.body.decode())
    assert answer.status == 409
    assert says in said
    assert not re.search("--|digest|[a-z]{3}", said)
    assert all(html.escape(text) in answer.body.decode() for name, text in words.items())


def test_every_act_is_told_in_every_language(editor: Browser) -> None:
    """The record, the notice and the refusal have no English half."""
    for language in ("en", "ru"):
        words = wording_for(language, ("en", "ru")).desk
        assert {f"did_{one}" for one in (*ACTS, "in", "out", "end")} <= words.keys()
    assert editor.acts("drop:1", 1).status == 303
    page = editor.ask("/desk/?said", Accept_Language="ru").body.decode()
    assert page.count("выпуск 1: материал 1 не войдёт") == 2  # said and listed


def test_a_session_is_not_fixed_before_signing_in(site: Site) -> None:
    """Whoever plants a cookie in a browser does not get its session."""
    browser, planted = Browser(site), "x" * 43
    link = browser.link()
    browser.cookies["__Host-desk"] = planted
    assert browser.presses(link).status == 303
    assert browser.cookies["__Host-desk"] != planted
    assert b"Mail me a link" in Browser(site, {"__Host-desk": planted}).ask().body


def test_what_cannot_be_saved_is_not_in_the_record(editor: Browser) -> None:
    """While another process writes, or the disk is full: try again, and nothing was done."""
    fields = {"form": editor.form_value(), "act": "drop:1", "about": 1}
    before = editor.site.content()
    with editor.db.write():
        busy = editor.ask(fields=fields)
    assert (busy.status, busy.headers["retry-after"]) == (503, "60")
    assert editor.site.content() == before
    assert editor.ask(fields=fields).status == 303


def test_what_is_over_is_deleted_and_secrets_stay_here(editor: Browser) -> None:
    """An export has what was done, but neither links nor sessions; a year later it is gone."""
    editor.acts("drop:1", 1)
    tables = [one for one in export_lines(editor.db, with_secrets=True) if '"desk_' in one]
    assert tables
    assert all('"desk_log"' in one for one in tables)
    prune_desk(editor.db, editor.site.office.now + timedelta(days=366), 365)
    left = {name: len(rows) for name, rows in editor.site.content().items()}
    assert left["desk_links"] == left["desk_sessions"] == left["desk_log"] == 0
