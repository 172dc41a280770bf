"""The pages to join: a real server and a real database, by people, robots and attackers."""

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.requests import Request

from digest.audience.store import end_recipient, list_recipients
from digest.audience.suppressions import suppress
from digest.language.wording import wording_for
from digest.mail.tokens import Purpose, token_for
from digest.web.forms import ReaderForms
from digest.web.joining import how_often, spoken
from tests.factories import make_settings
from tests.mailing import KEY, MONDAY, Office
from tests.web.test_forms import ANNA, FORM, Answer, Site, answering, office

__all__ = ["office"]
NEW, LEFT = "new@reader.example", "left@reader.example"
OURS = {"Sec_Fetch_Site": "same-origin"}
ELSEWHERE = {"Sec_Fetch_Site": "cross-site", "Origin": "https://other.example"}
HOSTILE = {
    "markup": "\"><script>alert(1)</script><img src=x onerror='a'>",
    "template": "{{ 7*7 }}{% debug %}{site}{0.__class__}",
    "header": "a@reader.example\r\nBcc: victim@other.example\r\n\r\nhello",
    "bidi": "\u202eelpmaxe\u2066\u200f",
    "sql": "' OR 1=1; DROP TABLE recipients; --",
    "nul": "a\x00b\x1b[2J\ud7ff",
    "path": "../../etc/passwd%00",
    "wide": "\U0001f4e7" * 100 + "\u0301" * 300,
    "redirect": "//evil.example/",
    "long": "x" * 9000,
}


@dataclass
class Forms:
    site: Site

    @property
    def office(self) -> Office:
        return self.site.office

    def shown(self, path: str = "/join/?lang=en") -> dict[str, Any]:
        """What a person who opens the page and types an address sends, some seconds later."""
        page = self.site.ask(path).body.decode()
        [stamp] = re.findall(r'name="form" value="([a-z2-7]{32})"', page)
        self.office.later(seconds=5)
        return {"address": NEW, "form": stamp, "language": "en", "theme": ["drugs", "youth"]}

    def send(self, form: dict[str, Any], path: str = "/join/?lang=en", **headers: str) -> Answer:
        body = urlencode(form, doseq=True, errors="surrogatepass").encode()
        return self.site.ask(path, "POST", body, Content_Type=FORM, **(headers or OURS))

    def token(self) -> str:
        """That of the newest request."""
        newest = "SELECT * FROM requests ORDER BY asked_at DESC, rowid DESC"
        row = self.office.db.row(newest)
        assert row is not None
        return token_for(KEY, row["id"], row["recipient_id"] or 0, Purpose.REQUEST)

    def press(self, token: str, **headers: str) -> Answer:
        return self.site.ask(
            f"/answer/{token}", "POST", b"", Content_Type=FORM, **(headers or OURS)
        )

    def addresses(self) -> set[str]:
        return {one.address for one in list_recipients(self.office.db)}

    def count(self) -> tuple[int, int]:
        """Requests, and mails that wait."""
        sql = """SELECT (SELECT count(*) FROM requests) AS requests,
                        (SELECT count(*) FROM notices WHERE status = 'queued') AS mails"""
        row = self.office.db.row(sql) or {}
        return row["requests"], row["mails"]


@pytest.fixture
def forms(office: Office) -> Iterator[Forms]:
    with answering(office) as site:
        yield Forms(site)


def test_a_person_joins_in_two_steps(forms: Forms, caplog: pytest.LogCaptureFixture) -> None:
    """The form, the mail, the button; the log names nobody."""
    caplog.set_level(logging.INFO)
    sent = forms.send(forms.shown("/join/?lang=ru"), "/join/?lang=ru")
    assert (sent.status, "Проверьте почту" in sent.body.decode()) == (200, True)
    assert forms.count() == (1, 1)
    before = forms.site.content()
    token = forms.token()
    for method in ("GET", "HEAD") * 2:
        asked = forms.site.ask(f"/answer/{token}", method)
        assert asked.status == 200
    assert forms.site.content() == before
    page = forms.site.ask(f"/answer/{token}").body.decode()
    assert "n•••@reader.example" in page
    assert NEW not in page
    assert page.count("<button") == 2  # with that of the search
    done = [forms.press(token) for _ in range(2)]
    assert done[0].body == done[1].body == forms.site.ask(f"/answer/{token}").body
    assert "Вы подписаны" in done[0].body.decode()
    [one] = [one for one in list_recipients(forms.office.db) if one.address == NEW]
    assert one.choice.themes == ("drugs", "youth")
    assert one.choice.languages == ("en",)
    row = forms.office.db.row("SELECT * FROM recipient_events WHERE act = 'joined' AND words != ''")
    assert row is not None
    assert row["network"] == "127.0.0.0/24"
    assert row["words"] == wording_for("ru").joining["consent"].format(site="Ashgabat Desk")
    assert NEW not in caplog.text
    assert token not in caplog.text


def test_a_page_that_is_opened_changes_nothing(forms: Forms) -> None:
    """By people, scanners and search engines."""
    before = forms.site.content()
    for path in ("/join/", "/join/link", "/join/?address=x@reader.example&lang=ru", "/answer/x"):
        for method in ("GET", "HEAD", "OPTIONS", "PUT", "DELETE"):
            assert forms.site.ask(path, method).status in (200, 404, 405)
    assert forms.site.content() == before
    robots = forms.site.ask("/robots.txt").body.decode()
    assert "Disallow: /join/" in robots
    assert "Disallow: /answer/" in robots


STAMP = token_for(KEY, int(MONDAY.timestamp()) - 60, 0, Purpose.FORM)


@pytest.mark.parametrize(
    ("stamp", "headers"),
    [
        pytest.param(STAMP, ELSEWHERE, id="another site's page"),
        pytest.param(STAMP, {"Origin": "https://other.example"}, id="an old browser there"),
        pytest.param(STAMP, {"Origin": "null"}, id="a frame without an origin"),
        pytest.param(STAMP, {"Sec_Fetch_Site": "same-site"}, id="another host of the domain"),
        pytest.param("", OURS, id="the snippet's form"),
        pytest.param(STAMP[:-1], OURS, id="cut"),
        pytest.param(STAMP + "a", OURS, id="extended"),
        pytest.param(
            token_for(b"x" * 32, int(MONDAY.timestamp()) - 60, 0, Purpose.FORM), OURS, id="forged"
        ),
        pytest.param(
            token_for(KEY, int(MONDAY.timestamp()) - 60, 0, Purpose.CHOICE),
            OURS,
            id="of another purpose",
        ),
        pytest.param(
            token_for(KEY, int(MONDAY.timestamp()) - 1, 0, Purpose.FORM), OURS, id="too quick"
        ),
        pytest.param(
            token_for(KEY, int(MONDAY.timestamp()) + 60, 0, Purpose.FORM), OURS, id="of the future"
        ),
        pytest.param(
            token_for(KEY, int(MONDAY.timestamp()) - 90_000, 0, Purpose.FORM), OURS, id="too old"
        ),
    ],
)
def test_a_form_that_is_not_ours_is_shown_again(
    forms: Forms, stamp: str, headers: dict[str, str]
) -> None:
    """Filled in, with nothing done; its button then works."""
    before = forms.site.content()
    form = {"address": NEW, "form": stamp, "theme": ["youth"], "language": ["en", "ru"]}
    shown = forms.send(form, **headers)
    page = shown.body.decode()
    assert (shown.status, forms.site.content()) == (200, before)
    assert f'value="{NEW}"' in page
    checked = re.findall(r'name="(?:theme|language)" value="(\w+)" checked', page)
    assert checked == ["youth", "en", "ru"]
    assert "Nothing has been sent yet" in page
    [again] = re.findall(r'name="form" value="(\w+)"', page)
    forms.office.later(seconds=3)
    assert b"Look into your mail" in forms.send(form | {"form": again}).body
    assert forms.count() == (1, 1)


@pytest.mark.parametrize("origin", ["http://127.0.0.1:{port}", "https://news.example.org"])
def test_a_browser_without_fetch_metadata_names_our_origin(forms: Forms, origin: str) -> None:
    """Behind a proxy that of the public address, as the Host may be this machine's."""
    form = forms.shown()
    forms.send(form, Origin=origin.format(port=forms.site.port))
    assert forms.count() == (1, 1)


def test_known_and_unknown_addresses_get_the_same_answer(forms: Forms) -> None:
    """To the byte, but for the address that was typed."""
    with forms.office.db.write():
        for cause in ("hard", "soft", "complaint", "manual", "import"):
            suppress(forms.office.db, f"{cause}@reader.example", cause, MONDAY)
    for path in ("/join/?lang=en", "/join/link?lang=en"):
        bodies = set()
        for local in ("new", "anna", "hard", "soft", "complaint", "manual", "import"):
            address = f"{local}@reader.example"
            answer = forms.send(forms.shown(path) | {"address": address}, path)
            kept = {
                key: value
                for key, value in answer.headers.items()
                if key not in ("date", "expires")
            }
            kept.pop("content-length")
            body = answer.body.replace(address.encode(), b"ADDRESS")
            bodies.add((answer.status, body, *kept.items()))
        assert len(bodies) == 1


def test_a_robot_that_fills_every_field_hears_the_same(forms: Forms) -> None:
    """And nothing is stored."""
    before = forms.site.content()
    caught = forms.send(forms.shown() | {"website": "https://spam.example"})
    assert forms.site.content() == before
    assert forms.send(forms.shown()).body == caught.body


def test_a_network_is_told_when_it_sent_too_much(forms: Forms) -> None:
    """429, in plain words, with the form as it was."""
    limit = forms.office.desk.settings.readers.forms_per_network
    form = forms.shown()
    for number in range(limit):
        assert forms.send(form | {"address": f"a{number}@reader.example"}).status == 200
    refused = forms.send(form)
    assert (refused.status, refused.headers["retry-after"]) == (429, "3600")
    assert b"try again in an hour" in refused.body
    elsewhere = forms.send(form, X_Forwarded_For="198.51.100.7", **OURS)
    assert elsewhere.status == 200
    assert forms.count() == (limit + 1, limit + 1)


# Links.


def test_only_the_link_of_this_request_works(forms: Forms) -> None:
    """Every other gets the same page, whatever is wrong with it."""
    forms.send(forms.shown())
    row = forms.office.db.row("SELECT id FROM requests") or {}
    number, good = row["id"], forms.token()
    tokens = {
        "cut": good[:-1],
        "extended": f"{good}a",
        "changed": good[:5] + ("a" if good[5] != "a" else "b") + good[6:],
        "of another request": token_for(KEY, number ^ 1, 0, Purpose.REQUEST),
        "of another newsroom": token_for(b"x" * 32, number, 0, Purpose.REQUEST),
        "empty": "",
        "with a slash": f"{good}/",
        "odd": f"{good[:-3]}%00%ff",
    }
    for purpose in Purpose:
        if purpose is not Purpose.REQUEST:
            tokens[purpose.name] = token_for(KEY, number, 0, purpose)
    before = forms.site.content()
    answers = [
        forms.site.ask(f"/answer/{token}", method, b"", Content_Type=FORM, Accept_Language="en")
        for token in tokens.values()
        for method in ("GET", "POST")
    ]
    found = {(one.status, re.sub(rb"\s+", b" ", one.body)) for one in answers}
    assert {status for status, _ in found} == {404}
    assert all(b"does not work" in body for _, body in found)
    assert forms.site.content() == before
    # One of this request for another purpose opens no other page.
    assert forms.site.ask(f"/leave/{good}").status == 404


def test_a_used_link_says_what_is_so_now(forms: Forms) -> None:
    """Whoever left since is told so, by GET and POST, with the way back."""
    forms.send(forms.shown())
    token = forms.token()
    forms.press(token)
    with forms.office.db.write():
        end_recipient(forms.office.db, 3, "by hand", MONDAY)
    before = forms.site.content()
    for answer in (forms.site.ask(f"/answer/{token}"), forms.press(token)):
        assert (answer.status, b"You are unsubscribed" in answer.body) == (200, True)
        assert b"Subscribe again" in answer.body
    assert forms.site.content() == before
    with forms.office.db.write():
        change = {"address": "moved@reader.example", "address_key": "moved@reader.example"}
        sql = "UPDATE recipients SET address = :address, address_key = :address_key, status = 'active' WHERE id = 3"
        forms.office.db.run(sql, change)
    assert forms.site.ask(f"/answer/{token}").status == 404


def test_a_second_confirmation_says_what_it_replaces(forms: Forms) -> None:
    """Of two forms, or after a command added the address meanwhile."""
    tokens = []
    for theme in ("drugs", "youth"):
        forms.send(forms.shown() | {"theme": [theme]})
        tokens.append(forms.token())
    forms.press(tokens[0])
    page = forms.site.ask(f"/answer/{tokens[1]}").body
    for text in (b"You are subscribed already", b"Replace my choice", b"Youth"):
        assert text in page
    assert b"You are subscribed" in forms.press(tokens[1]).body
    assert list_recipients(forms.office.db, recipient_id=3)[0].choice.themes == ("youth",)


def test_a_link_to_an_address_that_was_suppressed_since_says_whom_to_write_to(forms: Forms) -> None:
    """Another form would not help."""
    forms.send(forms.shown())
    token = forms.token()
    with forms.office.db.write():
        suppress(forms.office.db, NEW, "complaint", MONDAY)
    for answer in (forms.site.ask(f"/answer/{token}"), forms.press(token)):
        assert (answer.status, b"cannot be subscribed" in answer.body) == (409, True)
        assert b"desk@news.example.org" in answer.body


def test_a_link_lapses_after_two_days(forms: Forms) -> None:
    """Unless it was used."""
    forms.send(forms.shown())
    token = forms.token()
    forms.office.later(hours=48)
    assert forms.press(token).status == forms.site.ask(f"/answer/{token}").status == 404
    assert NEW not in forms.addresses()


@pytest.mark.parametrize(
    "headers", [ELSEWHERE, {"Origin": "https://other.example"}, {"Sec_Fetch_Site": "same-site"}]
)
def test_another_sites_page_presses_no_button(forms: Forms, headers: dict[str, str]) -> None:
    """Whoever knows the link may not let its owner's browser use it unseen."""
    forms.send(forms.shown())
    assert forms.press(forms.token(), **headers).status == 403
    assert NEW not in forms.addresses()


def test_the_host_of_a_request_is_in_no_link(forms: Forms) -> None:
    """Else a stranger could have us mail a link to a site of theirs."""
    form = forms.shown()
    answer = forms.send(form, Host="evil.example", X_Forwarded_Host="evil.example", **OURS)
    assert b"evil" not in answer.body
    bodies = [row["body"] for row in forms.office.db.rows("SELECT body FROM notices")]
    assert [b"evil" in body for body in bodies] == [False]
    assert b"https://news.example.org/answer/" in bodies[0].replace(b"=\r\n", b"")


# Hostile fields.


@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE.keys())
def test_no_field_can_do_more_than_say_something(forms: Forms, value: str) -> None:
    """Markup, templates, header lines, bidi, SQL, long text: never an error of ours, a redirect, or a
    row or mail with it."""
    for field in ("address", "form", "theme", "digest", "language", "lang", "x"):
        for path in ("/join/?lang=en", "/join/link"):
            answer = forms.send(forms.shown(path) | {field: value}, path)
            assert answer.status < 500
            assert not {"location", "set-cookie", "bcc"} & answer.headers.keys()
            page = answer.body.decode()
            for found in ("<script", "onerror='", "\u202e", "\u2066", "\x00", "\x1b", "49"):
                assert found not in page.replace("&#39;", "")
    assert forms.addresses() == {ANNA, "boris@reader.example"}
    for row in forms.office.db.rows("SELECT address, wish FROM requests"):
        assert row["address"] == NEW
        assert set(re.findall(r"\w+", row["wish"])).isdisjoint({"script", "DROP", "evil", "Bcc"})
    for row in forms.office.db.rows("SELECT body, recipient FROM notices"):
        assert row["recipient"] == NEW
        assert b"victim" not in row["body"]


def test_a_megabyte_is_not_read(forms: Forms) -> None:
    """The connection ends."""
    body = urlencode({"address": "a" * 1_000_000}).encode()
    head = f"POST /join/ HTTP/1.1\r\nHost: a\r\nContent-Type: {FORM}\r\nContent-Length: {len(body)}\r\n\r\n"
    assert forms.site.raw(head.encode()).startswith(b"HTTP/1.1 413 ")
    many = "&".join(f"theme={number}" for number in range(500)).encode()
    assert forms.site.ask("/join/", "POST", many, Content_Type=FORM).status == 400


def test_a_file_is_no_address(forms: Forms) -> None:
    """No form of ours has one."""
    stamp = forms.shown()["form"]
    parts = "".join(
        f'--b\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n{value}\r\n'
        for name, more, value in (
            ("form", "", stamp),
            ("address", '; filename="a"', NEW),
            ("theme", '; filename="a"', "youth"),
        )
    )
    kind = "multipart/form-data; boundary=b"
    answer = forms.site.ask(
        "/join/", "POST", f"{parts}--b--\r\n".encode(), Content_Type=kind, **OURS
    )
    assert (answer.status, forms.count()) == (400, (0, 0))


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.dictionaries(
        st.sampled_from(["address", "form", "theme", "digest", "language", "lang", "website"]),
        st.text(max_size=50),
        max_size=6,
    ),
    st.text(max_size=20),
    st.sampled_from(["/join/", "/join/link"]),
)
def test_no_form_is_an_error_of_ours(
    forms: Forms, form: dict[str, str], lang: str, path: str
) -> None:
    query = urlencode({"lang": lang}, errors="replace")
    answer = forms.send(
        {k: v.encode("utf-8", "replace") for k, v in form.items()}, f"{path}?{query}"
    )
    assert answer.status < 500


# Settings, languages, networks.


def test_where_nobody_may_join_the_link_is_still_sent(office: Office) -> None:
    """`join = false`: no page, no link to it in the pages; who is here gets their link."""
    office.desk.edit_config("join = true", "join = false")
    with answering(office) as site:
        forms = Forms(site)
        assert site.ask("/join/").status == 404
        page = site.ask("/join/link").body
        assert b'href="https://news.example.org/join/?' not in page
        forms.send(forms.shown("/join/link") | {"address": ANNA}, "/join/link")
        assert forms.count() == (1, 1)


def test_without_a_public_address_there_is_no_form(office: Office) -> None:
    """Its mail could have no link."""
    office.desk.edit_config('public_url = "https://news.example.org"', "")
    with answering(office) as site:
        assert [site.ask(one).status for one in ("/join/", "/join/link")] == [404, 404]
        token = token_for(KEY, 1, 0, Purpose.REQUEST)
        answer = site.ask(f"/answer/{token}", "POST", b"", Content_Type=FORM, Origin="null")
        assert answer.status == 404


def asked(peer: str = "203.0.113.9", query: str = "", **headers: str) -> Request:
    fields = [(name.replace("_", "-").encode(), text.encode()) for name, text in headers.items()]
    scope = {"type": "http", "client": (peer, 1), "headers": fields}
    return Request(scope | {"query_string": query.encode(), "path": "/", "method": "GET"})


@pytest.mark.parametrize(
    ("peer", "told", "network"),
    [
        ("203.0.113.9", "", "203.0.113.0/24"),
        ("203.0.113.9", "198.51.100.7", "203.0.113.0/24"),
        ("127.0.0.1", "", "127.0.0.0/24"),
        ("127.0.0.1", "198.51.100.7", "198.51.100.0/24"),
        ("127.0.0.1", "10.1.2.3, 198.51.100.7", "198.51.100.0/24"),
        ("127.0.0.1", "198.51.100.7, '; DROP", "127.0.0.0/24"),
        ("::1", "2001:db8:1:2:3::4", "2001:db8:1::/48"),
        ("2001:db8:1:2:3::4%eth0", "", "2001:db8:1::/48"),
        ("::ffff:203.0.113.9", "", "203.0.113.0/24"),
        ("", "", "unknown"),
    ],
)
def test_a_network_is_shortened(peer: str, told: str, network: str) -> None:
    """The header counts only behind a proxy on this machine, and there the last address."""
    assert ReaderForms.network_of(asked(peer, x_forwarded_for=told)) == network


@pytest.mark.parametrize(
    ("query", "header", "language"),
    [
        ("lang=ru", "en", "ru"),
        ("lang=xx", "ru-RU,ru;q=0.9", "ru"),
        ("", "de, ru;q=0.5, en;q=0.8", "en"),
        ("", "de", "en"),
        ("", "en;q=x, ru;q=0.1", "ru"),
        ("", "ru;q=0, en;q=0.1", "en"),
        ("lang=%F0%9F", ";;,,;q=,", "en"),
    ],
)
def test_a_page_is_in_the_readers_language(query: str, header: str, language: str) -> None:
    """RFC 9110 §12.5.4."""
    request = asked(query=query, accept_language=header)
    assert spoken(request, make_settings()).language == language


@pytest.mark.parametrize(
    ("schedule", "every", "often"),
    [
        ("0 8 * * *", "1 week", "every day · next on 24 November 2026"),
        ("0 8 * * mon", "1 week", "every week · next on 30 November 2026"),
        ("0 8 * * mon", "2 weeks", "every two weeks · next on "),
        ("0 8 1 * *", "1 week", "every month · next on 1 December 2026"),
        ("0 8 * * mon,thu", "1 week", "next on 26 November 2026"),
    ],
)
def test_a_digest_says_how_often_it_comes(schedule: str, every: str, often: str) -> None:
    """And when next, in the newsroom's days."""
    digest = {"name": "weekly", "title": {"en": "The week"}, "schedule": schedule, "every": every}
    made = make_settings(digests=[digest])
    shown = how_often(made, made.digests[0], wording_for("en"), MONDAY.replace(hour=4))
    assert shown.replace("\xa0", " ").startswith(often)


def test_pages_lead_to_the_form(office: Office) -> None:
    """In the footer of what is published, in the page's language, where there is such a form."""
    office.desk.publish()
    feed = (office.desk.folder / "feeds" / "ru.html").read_text("utf-8")
    [href] = re.findall(r'href="([^"]*/join/[^"]*)"', feed)
    assert href == "https://news.example.org/join/?lang=ru"
    with answering(office) as site:
        parts = urlsplit(href)
        assert site.ask(f"{parts.path}?{parts.query}").status == 200
