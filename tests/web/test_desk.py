"""The desk: a real server and a real database, with the links of real mails."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from http.cookies import SimpleCookie
from urllib.parse import urlencode, urlsplit

import pytest

from digest.audience.signup import send_links
from digest.mail.maildir import MaildirTransport
from digest.newsroom import Newsroom
from tests.desks import PAGES, Desk, opened
from tests.mailing import KEY, Office
from tests.web.test_forms import FORM, Answer, Site, answering, sent_mails

EDITOR, OTHER = "editor@news.example.org", "second@news.example.org"
HERE = "https://news.example.org"


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

    def form_value(self, page: bytes | None = None) -> str:
        page = self.ask().body if page is None else page
        return re.findall(rb'name="form" value="([^"]+)"', page)[0].decode()

    def asks(self, address: str = EDITOR) -> Answer:
        stamp = self.form_value()
        self.site.office.later(seconds=3)
        return self.ask(fields={"address": address, "form": stamp})

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

    def signs_in(self, address: str = EDITOR) -> "Browser":
        answer = self.ask(self.link(address), {})
        assert (answer.status, answer.headers["location"]) == (303, "../")
        return self

    def acts(self, act: str, about: int = 0, **fields: str) -> Answer:
        return self.ask(fields={"form": self.form_value(), "act": act, "about": about, **fields})


@pytest.fixture
def office(filled: Desk) -> Iterator[Office]:
    filled.edit_config("# public_url", "public_url")
    text = filled.config.read_text("utf-8")
    filled.config.write_text(f'{text}\n[desk]\neditors = ["{EDITOR}", "{OTHER}"]\n', "utf-8")
    with filled.open() as db:
        yield Office(filled, db, transport=MaildirTransport(filled.folder / "outbox"))


@pytest.fixture
def site(office: Office) -> Iterator[Site]:
    with answering(office) as made:
        yield made


@pytest.fixture
def editor(site: Site) -> Browser:
    return Browser(site).signs_in()


def test_an_editor_signs_in_by_a_mailed_link(site: Site) -> None:
    browser = Browser(site)
    assert b"Mail me a link" in browser.ask().body
    link = browser.link()
    assert b"Press the button to sign in" in browser.ask(link).body
    answer = browser.ask(link, {})
    assert answer.status == 303
    [kept] = [one for one in answer.cookies if "__Host-desk=" in one]
    assert {"HttpOnly", "Path=/", "SameSite=strict", "Secure"} <= {*kept.split("; ")}
    page = browser.ask()
    assert page.status == 200
    assert b"Signed in as editor@news.example.org" in page.body
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["x-robots-tag"] == "noindex"
