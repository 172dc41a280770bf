"""Unsubscribing with one click (RFC 8058): a real server, a real database, and the mail's own link."""

import asyncio
import email
import email.policy
import http.client
import logging
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from urllib.parse import urlsplit

import pytest

from digest.mail.maildir import MaildirTransport
from digest.mail.tokens import Purpose, token_for
from digest.newsroom import Newsroom
from digest.store.backups import prune
from digest.web import choosing, joining
from digest.web.app import FeedApp, listen, serve
from digest.web.desk import desk_forms
from digest.web.files import FileCache
from digest.web.forms import ReaderForms
from tests.desks import Desk
from tests.mailing import KEY, Office

ANNA, BORIS = "anna@reader.example", "boris@reader.example"
FORM = "application/x-www-form-urlencoded"
PAIR = b"List-Unsubscribe=One-Click"
TOKEN = token_for(KEY, 1, 1, Purpose.READER)
PARTS = (
    b'--b\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--b--\r\n'
)


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes
    cookies: list[str]


@dataclass
class Site:
    """The server of an office: Anna (English) and Boris (Russian) were sent the first edition."""

    office: Office
    app: FeedApp
    port: int

    def ask(
        self, path: str = f"/leave/{TOKEN}", method: str = "GET", body: bytes = b"", **headers: str
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        with closing(connection):
            names = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body or None, names)
            answer = connection.getresponse()
            fields = {name.lower(): value for name, value in answer.getheaders()}
            given = answer.headers.get_all("set-cookie", [])
            return Answer(answer.status, fields, answer.read(), given)

    def press(self, path: str = f"/leave/{TOKEN}") -> Answer:
        return self.ask(path, "POST", PAIR, Content_Type=FORM)

    def raw(self, *lines: bytes) -> bytes:
        """All that comes back for these bytes until the server closes the connection."""
        with socket.create_connection(("127.0.0.1", self.port), 20) as connection:
            connection.sendall(b"".join(lines))
            with connection.makefile("rb") as answer:
                return answer.read()

    def content(self) -> dict[str, list[dict[str, object]]]:
        """All that the database holds, by table."""
        db = self.office.db
        tables = db.rows("SELECT name FROM sqlite_master WHERE type = 'table'")
        return {one["name"]: db.rows(f"SELECT * FROM {one['name']}") for one in tables}  # noqa: S608

    def ended(self) -> dict[str, str]:
        """Why each subscription that has ended did, by address."""
        sql = "SELECT address, ended_reason FROM recipients WHERE status = 'ended'"
        return {row["address"]: row["ended_reason"] for row in self.office.db.rows(sql)}


@contextmanager
def answering(
    office: Office, form_seconds: float = 10.0, key: bytes | None = KEY
) -> Iterator[Site]:
    settings = office.desk.settings
    newsroom = Newsroom(settings, lambda: office.now, {"token_key": key} if key else {})  # type: ignore[arg-type] # the test's clock
    files = FileCache(settings.feeds.path, limit=1_000_000, cache_seconds=0, seconds=lambda: 0.0)
    forms = ReaderForms(newsroom, form_seconds, [joining.routes, choosing.routes])
    mounts = forms.mounts
    if settings.desk.editors:
        mounts |= desk_forms(newsroom, lambda *_: None).mounts
    app = FeedApp(files, settings.feeds_url, {}, mounts)
    listener, stopping, loop = listen("127.0.0.1", 0), asyncio.Event(), asyncio.new_event_loop()
    thread = threading.Thread(
        target=loop.run_until_complete, args=(serve(app, listener, stopping),), daemon=True
    )
    thread.start()
    try:
        yield Site(office, app, listener.getsockname()[1])
    finally:
        loop.call_soon_threadsafe(stopping.set)
        thread.join(20)
        loop.close()
    assert not thread.is_alive()


@pytest.fixture
def office(filled: Desk) -> Iterator[Office]:
    filled.configure(busy_timeout_seconds="0.2")
    filled.edit_config("# public_url", "public_url")
    with filled.open() as db:
        made = Office(filled, db, transport=MaildirTransport(filled.folder / "outbox"))
        made.add(ANNA, languages=("en",))
        made.add(BORIS)
        made.compose()
        made.deliver()
        yield made


@pytest.fixture
def site(office: Office) -> Iterator[Site]:
    with answering(office) as made:
        yield made


def sent_mails(office: Office) -> dict[str, EmailMessage]:
    """What each recipient has in the mailbox."""
    found = {}
    for path in (office.desk.folder / "outbox" / "new").iterdir():
        message = email.message_from_bytes(
            path.read_bytes(), _class=EmailMessage, policy=email.policy.default
        )
        found[message["To"].addresses[0].addr_spec] = message
    return found


@pytest.mark.parametrize(
    ("kind", "body", "program"),
    [
        pytest.param(FORM, PAIR, "Mozilla/5.0 (compatible; Google-Unsubscribe)", id="Gmail"),
        pytest.param("multipart/form-data; boundary=b", PARTS, "YahooMailProxy", id="Yahoo"),
        pytest.param(f"{FORM}; charset=UTF-8", PAIR + b"&x=1", "iCloud", id="more fields"),
    ],
)
def test_a_mail_program_unsubscribes_its_user(
    site: Site, kind: str, body: bytes, program: str
) -> None:
    """RFC 8058 §3.1, §3.2: the mail's URI, either type of form, no cookie, no redirect; again, the same."""
    fields = sent_mails(site.office)[ANNA]
    assert fields["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    page, mailbox = re.findall(r"<([^>]*)>", fields["List-Unsubscribe"])
    assert page == f"https://news.example.org/leave/{TOKEN}"
    assert mailbox == f"mailto:leave+{TOKEN}@news.example.org?subject=unsubscribe"
    path = urlsplit(page).path
    answers = [
        site.ask(path, "POST", body, Content_Type=kind, User_Agent=program) for _ in range(2)
    ]
    for answer in answers:
        assert answer.status == 200
        assert not {"location", "set-cookie"} & answer.headers.keys()
        assert b"You are unsubscribed" in answer.body
    assert answers[0].body == answers[1].body
    assert site.ended() == {ANNA: "the link in weekly no. 1"}


def test_a_scanner_that_opens_every_link_changes_nothing(site: Site) -> None:
    """Mail filters open links before the reader does (RFC 8058 §1)."""
    before = site.content()
    opened = set()
    for message in sent_mails(site.office).values():
        pages = [
            part.get_content() for part in message.walk() if part.get_content_maintype() == "text"
        ]
        for link in re.findall(
            r"https?://[^\s\"'<>)]+", str(message["List-Unsubscribe"]) + "".join(pages)
        ):
            for method in ("GET", "HEAD", "OPTIONS") * 2:
                answer = site.ask(urlsplit(link).path, method)
                opened.add((method, answer.status, "/leave/" in link))
    assert {("GET", 200, True), ("HEAD", 200, True), ("OPTIONS", 405, True)} <= opened
    assert site.content() == before
    assert site.ended() == {}


def test_the_button_is_a_form_of_the_same_address(site: Site) -> None:
    """For the reader who follows the link: one button, in their language, with what it will do."""
    answer = site.ask()
    page = answer.body.decode()
    assert re.search(
        r'<form method="post">\s*<input type="hidden" name="List-Unsubscribe" value="One-Click">',
        page,
    )
    assert page.count("<button") == 2  # with that of the search
    assert "a•••@reader.example" in page
    assert ANNA not in page
    assert TOKEN not in page
    other = site.ask(f"/leave/{token_for(KEY, 1, 2, Purpose.READER)}").body.decode()
    assert '<html lang="ru">' in other
    assert "Отписаться" in other
    assert (site.press().status, "You are unsubscribed" in site.ask().body.decode()) == (200, True)
    assert b'method="post"' not in site.ask().body


def test_a_page_stays_between_reader_and_newsroom(site: Site) -> None:
    """No cache, search engine, frame or other site gets the address."""
    for answer in (site.ask(), site.ask("/leave/x"), site.ask(method="PUT")):
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert answer.headers["x-robots-tag"] == "noindex"
        policy = answer.headers["content-security-policy"].split("; ")
        assert {"default-src 'none'", "form-action 'self'", "frame-ancestors 'none'"} <= {*policy}


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_every_link_that_does_not_work_gets_the_same_answer(site: Site, method: str) -> None:
    """Nobody learns who is a recipient, or which part of a guess was right."""
    before = site.content()
    tokens = {
        "cut": TOKEN[:-1],
        "extended": f"{TOKEN}a",
        "changed": TOKEN[:5] + ("a" if TOKEN[5] != "a" else "b") + TOKEN[6:],
        "of another purpose": token_for(KEY, 1, 1, Purpose.SERVER),
        "of nobody": token_for(KEY, 1, 999, Purpose.READER),
        "of another newsroom": token_for(b"x" * 32, 1, 1, Purpose.READER),
        "with a slash": f"{TOKEN}/",
        "with more": f"{TOKEN}/x",
        "with odd characters": f"{TOKEN[:-3]}%00%ff",
        "empty": "",
    }
    answers = [
        site.ask(f"/leave/{token}", method, PAIR if method == "POST" else b"", Content_Type=FORM)
        for token in tokens.values()
    ]
    assert {answer.status for answer in answers} == {404}
    assert len({answer.body for answer in answers}) == 1
    assert b"This link does not work" in answers[0].body
    assert site.content() == before


@pytest.mark.parametrize(
    ("query", "kind", "body"),
    [
        pytest.param("", FORM, b"", id="nothing"),
        pytest.param("", FORM, b"List-Unsubscribe=Two-Clicks", id="another value"),
        pytest.param("?List-Unsubscribe=One-Click", FORM, b"", id="in the query"),
        pytest.param("", "application/json", b'{"List-Unsubscribe": "One-Click"}', id="JSON"),
        pytest.param("", "text/plain", PAIR, id="plain text"),
        pytest.param("", "multipart/form-data", PARTS, id="no boundary"),
        pytest.param("", "multipart/form-data; boundary=b", PARTS[:40], id="unfinished part"),
        pytest.param("", FORM, b"a=1&" * 50 + PAIR, id="too many fields"),
    ],
)
def test_a_form_that_does_not_ask_to_leave_is_refused(
    site: Site, query: str, kind: str, body: bytes
) -> None:
    """RFC 8058 §3.1: only the pair unsubscribes."""
    before = site.content()
    answer = site.ask(f"/leave/{TOKEN}{query}", "POST", body, Content_Type=kind)
    assert (answer.status, site.content()) == (400, before)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
def test_only_get_head_and_post_are_answered(site: Site, method: str) -> None:
    """RFC 9110 §15.5.6."""
    answer = site.ask(method=method)
    assert answer.status == 405
    assert {*answer.headers["allow"].split(", ")} == {"GET", "HEAD", "POST"}


def test_a_link_never_lapses(site: Site) -> None:
    """Five years later, with the edition's answers deleted, its link still unsubscribes."""
    site.office.later(days=5 * 366)
    pruned = prune(site.office.db, site.office.now, bounce_days=90, answer_days=365)
    assert pruned.answers == 2
    assert site.press().status == 200
    assert site.ended() == {ANNA: "the link in weekly no. 1"}


def test_who_came_back_can_leave_again(site: Site) -> None:
    """The link of an old mail is good for a new subscription."""
    site.press()
    site.office.db.run("UPDATE recipients SET status = 'active', ended_reason = NULL")
    assert b"<form" in site.ask().body
    site.press()
    assert site.ended().keys() == {ANNA}


def test_a_form_that_does_not_come_ends_the_connection(office: Office) -> None:
    """A connection that is being answered is otherwise held as long as its reader likes."""
    head = f"POST /leave/{TOKEN} HTTP/1.1\r\nHost: a\r\nContent-Type: {FORM}\r\n".encode()
    with answering(office, form_seconds=0.1) as site:
        unfinished = site.raw(head, b"Content-Length: 26\r\n\r\nList-Uns")
        assert unfinished.startswith(b"HTTP/1.1 408 ")
        announced = site.raw(head, b"Content-Length: 65536\r\n\r\n")
        assert announced.startswith(b"HTTP/1.1 413 ")
        chunk = b"4000\r\n" + b"a" * 0x4000 + b"\r\n"
        streamed = site.raw(head, b"Transfer-Encoding: chunked\r\n\r\n", chunk, chunk)
        assert streamed.startswith(b"HTTP/1.1 413 ")
        assert site.ended() == {}
        assert site.app.seen == {("leave", 408): 1, ("leave", 413): 2}


def test_a_reader_who_goes_away_is_no_error(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    """Half a form, and the connection is gone."""
    head = f"POST /leave/{TOKEN} HTTP/1.1\r\nHost: a\r\nContent-Type: {FORM}\r\n".encode()
    with answering(office) as site:
        with socket.create_connection(("127.0.0.1", site.port), 20) as connection:
            connection.sendall(head + b"Content-Length: 26\r\n\r\nList-Uns")
        assert site.press().status == 200
    assert caplog.records == []


def test_while_the_database_is_busy_the_reader_is_asked_to_come_back(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    """The mail program tries again later; the log names nobody."""
    with site.office.db.write():
        answer = site.press()
        assert site.ask().status == 200
    assert (answer.status, answer.headers["retry-after"]) == (503, "60")
    assert b"try again" in answer.body
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert TOKEN not in caplog.text
    assert "reader.example" not in caplog.text
    assert site.ended() == {}
    assert site.press().status == 200


def test_a_fault_in_the_operators_templates_keeps_nobody_subscribed(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    """The page is then ours; the log and `digest doctor` say what is wrong."""
    own = office.desk.folder / "own" / "web"
    own.mkdir(parents=True)
    (own / "leave.html").write_text("{{ misspelt }}", "utf-8")
    office.desk.edit_config('# templates = "my-templates"', 'templates = "own"')
    with answering(office) as site:
        assert b"<button" in site.ask().body
        assert b"You are unsubscribed" in site.press().body
    assert "misspelt" in caplog.text
    assert TOKEN not in caplog.text
    assert site.ended().keys() == {ANNA}


@pytest.mark.parametrize(
    ("public", "path"),
    [
        pytest.param("https://news.example.org/digest", "/digest/leave/", id="a folder"),
        pytest.param("https://mail.example.org", "/leave/", id="a host"),
        pytest.param(None, "/leave/", id="not set"),
    ],
)
def test_the_pages_are_below_public_url(office: Office, public: str | None, path: str) -> None:
    """Wherever the operator's web server passes on; the page has its stylesheet beside it."""
    office.desk.edit_config(
        'public_url = "https://news.example.org"', f'public_url = "{public}"' if public else ""
    )
    with answering(office) as site:
        page = site.ask(f"{path}{TOKEN}")
        assert page.status == 200
        assert b' href="style.css">' in page.body
        assert "style-src 'self';" in page.headers["content-security-policy"]
        style = site.ask(f"{path}style.css")
        assert (style.status, b"--ink" in style.body) == (200, True)
        assert style.headers["content-type"] == "text/css; charset=utf-8"
        assert site.ask(f"/other{path}{TOKEN}").status == 404
        assert site.app.seen == {("leave", 200): 2, ("missing", 404): 1}
