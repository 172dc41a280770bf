"""The page of a reader's choice: a real server, a real database, and the links of real mails."""

import json
import re
from collections.abc import Iterator
from urllib.parse import urlencode, urlsplit

import pytest
from lxml import etree

from digest.audience.recipients import keep
from digest.audience.store import events_of, feed_of, list_recipients
from digest.mail.maildir import MaildirTransport
from digest.mail.tokens import Purpose, token_for
from digest.model import Recipient, RecipientStatus
from digest.store.owner import add_token_key, token_keys
from tests.desks import Desk
from tests.mailing import KEY, Office
from tests.web.test_forms import FORM, PAIR, Answer, Site, answering, sent_mails

ANNA, BORIS, BACK = "anna@reader.example", "boris@reader.example", "back@reader.example"
CHOICE = f"/choose/{token_for(KEY, 1, 1, Purpose.CHOICE)}"
ALL = {"theme": ["drugs", "customs", "corruption", "youth", "other"], "language": ["en", "ru"]}
MONTHLY = """
[[digests]]
name = "monthly"
title = { en = "The month", ru = "Месяц" }
schedule = "0 8 1 * *"
"""


@pytest.fixture
def office(filled: Desk) -> Iterator[Office]:
    filled.edit_config(
        "# public_url", "public_url", "look_up_domains = true", "look_up_domains = false"
    )
    filled.config.write_text(filled.config.read_text("utf-8") + MONTHLY, "utf-8")
    with filled.open() as db:
        made = Office(filled, db, transport=MaildirTransport(filled.folder / "outbox"))
        made.add(ANNA, languages=("en", "ru"))
        made.add(BORIS)
        made.compose()
        made.deliver()
        yield made


@pytest.fixture
def site(office: Office) -> Iterator[Site]:
    with answering(office) as made:
        yield made


def post(site: Site, path: str = CHOICE, **fields: object) -> Answer:
    return site.ask(path, "POST", urlencode(fields, doseq=True).encode(), Content_Type=FORM)


def anna(site: Site) -> Recipient:
    return list_recipients(site.office.db, recipient_id=1)[0]


def fresh(site: Site) -> str:
    """The path of the link that Anna has mailed to her."""
    assert post(site, act="link").status == 303
    request = site.office.db.value("SELECT max(id) FROM requests WHERE kind = 'link'")
    body = site.office.db.value("SELECT body FROM notices WHERE kind = 'link'")
    path = f"/choose/{token_for(KEY, request, 1, Purpose.CHOICE)}"
    assert path.encode() in body.replace(b"=\r\n", b"")
    return path


def test_the_link_of_a_mail_shows_the_choice(site: Site) -> None:
    """What is chosen is ticked; the address is masked, and nothing is fetched from elsewhere."""
    body = sent_mails(site.office)[ANNA].get_body(("plain",)).get_content()
    [link] = re.findall(r"https://news\.example\.org(/choose/\S+)", body)
    assert link == CHOICE
    page = site.ask(link).body.decode()
    assert "a•••@reader.example" in page
    assert ANNA not in page
    assert CHOICE.rpartition("/")[2] not in page
    assert page.count('name="theme"') == page.count(" checked") - 4 == 5
    assert "next on" in page
    assert "this week" in page
    assert 'name="address"' not in page
    assert "weekly" in page
    other = site.ask(f"/choose/{token_for(KEY, 1, 2, Purpose.CHOICE)}").body.decode()
    assert '<html lang="ru">' in other


def test_a_choice_is_saved_and_said(site: Site) -> None:
    """Themes, languages, digests and a pause, in one form; the record says what changed and how."""
    fields = {"theme": ["youth", "drugs"], "language": ["ru"], "digest": ["monthly"]}
    answer = post(site, act="choose", pause="weeks", **fields)
    assert (answer.status, answer.headers["location"]) == (303, "?said=saved")
    now = anna(site)
    assert now.choice.themes == ("drugs", "youth")
    assert (now.choice.languages, now.digests) == (("ru",), ("monthly",))
    assert f"{now.paused_until:%Y-%m-%d %H:%M}" == "2026-12-20 19:00"
    page = site.ask(f"{CHOICE}?said=saved").body.decode()
    assert "Сохранено. В следующем выпуске: Наркотики и Молодёжь." in page
    event = events_of(site.office.db, 1)[-1]
    assert (event["act"], event["made_by"], event["network"]) == ("paused", "link", "127.0.0.0/24")
    assert {"themes", "languages", "digests", "paused until"} <= event["changed"].keys()
    assert post(site, act="choose", pause="none", digest="weekly", **ALL).status == 303
    now = anna(site)
    assert (now.choice.themes, now.choice.language, now.paused_until) == ((), "ru", None)
    assert (
        post(site, act="choose", pause="date", until="2027-01-11", digest="weekly", **ALL).status
        == 303
    )
    assert f"{anna(site).paused_until:%Y-%m-%d}" == "2027-01-10"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        pytest.param({"theme": []}, "at least one theme", id="no theme"),
        pytest.param({"language": []}, "at least one language", id="no language"),
        pytest.param({"digest": []}, "at least one digest", id="no digest"),
        pytest.param({"pause": "date", "until": "soon"}, "Please give a day", id="no day"),
        pytest.param({"pause": "date", "until": "9999-12-31"}, "Please give a day", id="far"),
        pytest.param({"pause": "date", "until": "2026-11-01"}, "Please give a day", id="past"),
        pytest.param({"theme": ["'; DROP TABLE recipients"]}, "offered any more", id="SQL"),
        pytest.param({"act": "download"}, "needs a fresh link", id="download"),
        pytest.param({"act": "forget", "sure": "yes"}, "needs a fresh link", id="forget"),
        pytest.param({"act": "move", "address": "x@y.example"}, "needs a fresh link", id="move"),
    ],
)
def test_what_cannot_be_saved_changes_nothing(
    site: Site, fields: dict[str, object], said: str
) -> None:
    """The reader is told what to do; a mail that was passed on gives no data away."""
    before = site.content()
    answer = post(site, **{"act": "choose", "digest": ["weekly"], **ALL, **fields})
    assert answer.status in (409, 422)
    assert said in answer.body.decode()
    assert site.content() == before


def test_a_slip_costs_nothing_else_that_was_picked(site: Site) -> None:
    """The page shows the form as it was sent, but for what config.toml no longer offers."""
    fields = {"theme": ["youth", "gone"], "language": ["ru"], "digest": ["monthly"]}
    fields |= {"pause": ["date"], "until": ["2026-11-01"], "act": ["choose"]}
    for theme, fault in ((["youth"], "Please give a day"), (fields["theme"], "choose again")):
        answer = post(site, **(fields | {"theme": theme}))
        page = answer.body.decode()
        assert (answer.status, fault in page) == (422, True)
        ticked = re.findall(r'name="(?:theme|language|digest)" value="(\w+)" checked', page)
        assert ticked == ["youth", "ru", "monthly"]
        assert 'id="pause-date" checked' in page
        assert 'name="until" value="2026-11-01"' in page
    assert 'value="of"' in post(site, act="followed", phrase="of").body.decode()


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"Sec_Fetch_Site": "cross-site"}, id="Sec-Fetch-Site"),
        pytest.param({"Sec_Fetch_Site": "same-site"}, id="a sister host"),
        pytest.param({"Origin": "https://evil.example"}, id="Origin"),
        pytest.param({"Origin": "null"}, id="no origin"),
    ],
)
def test_another_sites_form_is_refused(site: Site, headers: dict[str, str]) -> None:
    """CSRF, should the address ever leak."""
    before = site.content()
    body = urlencode({"act": "left"}).encode()
    assert site.ask(CHOICE, "POST", body, Content_Type=FORM, **headers).status == 403
    assert site.content() == before


def test_tokens_of_other_purposes_open_no_choice(site: Site) -> None:
    """A leave link is in logs of mail programs; a feed's address is in other programs."""
    pages = set()
    for purpose in Purpose:
        if purpose is not Purpose.CHOICE:
            answer = site.ask(f"/choose/{token_for(KEY, 1, 1, purpose)}")
            pages.add((answer.status, answer.body))
    pages.add((404, site.ask(f"{CHOICE}a").body))
    assert len(pages) == 1


def test_a_phrase_is_followed_and_let_go(site: Site) -> None:
    """Each reader their own; what cannot be followed is said in their language."""
    assert post(site, act="followed", phrase="border guard<b>").status == 303
    page = site.ask(f"{CHOICE}?said=followed").body.decode()
    assert "border guard&lt;b&gt;" in page
    [number] = re.findall(r'name="follow" value="(\d+)"', page)
    other = f"/choose/{token_for(KEY, 1, 2, Purpose.CHOICE)}"
    post(site, other, act="unfollowed", follow=number)
    assert number in site.ask(CHOICE).body.decode()
    assert post(site, act="unfollowed", follow="9" * 10_000).status == 303
    assert post(site, act="unfollowed", follow=number).status == 303
    assert "border" not in site.ask(CHOICE).body.decode()
    answer = post(site, other, act="followed", phrase="a")
    assert (answer.status, "слишком корот" in answer.body.decode()) == (422, True)


def test_what_is_said_is_ours(site: Site) -> None:
    """No text of an address comes onto the page."""
    for said in ("nothing", "<b>", "title", "fresh"):
        assert b'class="said"' not in site.ask(f"{CHOICE}?said={said}").body


def test_a_fresh_link_opens_ones_data_for_two_days(site: Site) -> None:
    """Also after the choice was changed by it; not a day longer."""
    path = fresh(site)
    answer = post(site, path, act="download")
    assert answer.headers["content-disposition"].startswith("attachment")
    assert json.loads(answer.body)["recipients"][0]["address"] == ANNA
    assert post(site, path, act="move", address="ann@new.example").status == 303
    sql = "SELECT kind, address, recipient_id FROM requests WHERE kind = 'move'"
    assert site.office.db.row(sql) == {
        "kind": "move",
        "address": "ann@new.example",
        "recipient_id": 1,
    }
    assert post(site, path, act="move", address="nonsense").status == 422
    site.office.later(hours=49)
    assert post(site, path, act="download").status == 422
    assert site.ask(path).status == 200


def test_to_be_forgotten_takes_a_tick_and_is_for_good(site: Site) -> None:
    """The old links then say so, and do nothing."""
    path = fresh(site)
    site.office.db.run("UPDATE notices SET status = 'sent'")
    assert "tick the box" in post(site, path, act="forget").body.decode()
    answer = post(site, path, act="forget", sure="yes")
    assert (answer.status, b"You are forgotten" in answer.body) == (200, True)
    assert ANNA.encode() not in site.office.desk.store.read_bytes()
    leave = f"/leave/{token_for(KEY, 1, 1, Purpose.READER)}"
    with site.office.db.write():  # back by a new confirmation, which nothing ties to the old one
        keep(site.office.db, site.office.desk.settings, site.office.now, BACK, {}, resubscribe=True)
    before = site.content()
    answers = [
        site.ask(path),
        site.ask(CHOICE),
        post(site, act="left"),
        site.ask(leave),
        site.ask(leave, "POST", PAIR, Content_Type=FORM),
    ]
    assert [one.status for one in answers] == [410, 410, 410, 200, 200]
    assert all(b"use the link of the newest one" in one.body for one in answers)
    assert site.content() == before


def test_who_leaves_by_the_page_sees_the_way_back(site: Site) -> None:
    """And keeps their own feed."""
    post(site, act="feed")
    assert post(site, act="left").status == 303
    assert anna(site).status is RecipientStatus.ENDED
    page = site.ask(f"{CHOICE}?said=left").body.decode()
    assert "is unsubscribed" in page
    assert "Subscribe again" in page
    assert 'name="theme"' not in page
    assert "feed.atom" in page
    late = post(site, f"{CHOICE}?said=saved", act="choose", digest="weekly", **ALL)
    assert (late.status, b'class="said"' in late.body) == (409, False)
    [left] = [one for one in events_of(site.office.db, 1) if one["act"] == "left"]
    assert (left["made_by"], left["network"]) == ("link", "127.0.0.0/24")


def test_less_often_is_offered_once_and_only_if_there_is_less(site: Site) -> None:
    """One quiet button below the main one; a mail program that presses the main one still ends it."""
    path = f"/leave/{token_for(KEY, 1, 1, Purpose.READER)}"
    page = site.ask(path).body.decode()
    assert page.index("One-Click") < page.index('name="rarer"')
    assert "Send me only “The month”, every month" in page
    body = urlencode({"rarer": "monthly"}).encode()
    for headers in ({"Sec_Fetch_Site": "cross-site"}, {"Origin": "https://evil.example"}):
        assert site.ask(path, "POST", body, Content_Type=FORM, **headers).status == 400
    assert "From now on" in site.ask(path, "POST", body, Content_Type=FORM).body.decode()
    assert anna(site).digests == ("monthly",)
    assert 'name="rarer"' not in site.ask(path).body.decode()
    left = site.ask(path, "POST", PAIR, Content_Type=FORM).body.decode()
    assert "We keep your address" in left
    assert "Subscribe again" in left
    acts = [(one["act"], one["made_by"], one["network"]) for one in events_of(site.office.db, 1)]
    assert acts == [("chose", "link", "127.0.0.0/24"), ("left", "one-click", None)]
    other = f"/leave/{token_for(KEY, 1, 2, Purpose.READER)}"
    assert site.ask(other, "POST", PAIR + b"&page=1", Content_Type=FORM).status == 200
    assert events_of(site.office.db, 2)[-1]["network"] == "127.0.0.0/24"


def feed_path(site: Site) -> str:
    page = site.ask(CHOICE).body.decode()
    [link] = re.findall(r'href="(https://[^"]+)feed\.atom"', page)
    return urlsplit(link).path


def test_ones_own_feed_has_ones_themes_and_languages(site: Site) -> None:
    """By the same code as public feeds; nothing personal is in it, and it is not fetched in vain."""
    post(site, act="choose", theme=["drugs", "other"], language=["en"], digest="weekly")
    assert post(site, act="feed").headers["location"] == "?said=feed"
    path = feed_path(site)
    answer = site.ask(f"{path}feed.atom")
    assert answer.headers["content-type"] == "application/atom+xml; charset=utf-8"
    assert answer.headers["cache-control"].startswith("private, max-age=")
    space = "{http://www.w3.org/2005/Atom}"
    feed = etree.fromstring(answer.body)
    entries = feed.findall(f"{space}entry")
    assert entries
    for entry in entries:
        assert entry.get("{http://www.w3.org/XML/1998/namespace}lang") == "en"
        terms = {one.get("term") for one in entry.findall(f"{space}category")}
        assert not terms or "drugs" in terms
    own = {one.get("rel"): one.get("href") for one in feed.findall(f"{space}link")}
    assert own["self"] == f"https://news.example.org{path}feed.atom"
    for word in (ANNA, "anna", "hub"):
        assert word.encode() not in answer.body.lower().replace(b"github", b"")
    again = site.ask(f"{path}feed.atom", If_None_Match=answer.headers["etag"])
    assert (again.status, again.body) == (304, b"")
    rss, jsonfeed, opml = (
        site.ask(f"{path}{one}") for one in ("feed.rss", "feed.json", "feeds.opml")
    )
    assert len(json.loads(jsonfeed.body)["items"]) == len(entries)
    assert len(etree.fromstring(rss.body).findall("channel/item")) == len(entries)
    [outline] = etree.fromstring(opml.body).findall("body/outline/outline")
    assert outline.get("xmlUrl") == own["self"]
    assert site.ask(f"{path}other").status == site.ask("/mine/x/feed.atom").status == 404


def test_a_revoked_feed_is_gone(site: Site) -> None:
    """Its address leaked: the new one works, the old one never again."""
    post(site, act="feed")
    first = feed_path(site)
    post(site, act="feed")
    second = feed_path(site)
    assert first != second
    assert site.ask(f"{first}feed.atom").status == 410
    assert site.ask(f"{second}feed.atom").status == 200
    post(site, act="nofeed")
    assert site.ask(f"{second}feeds.opml").status == 410
    assert feed_of(site.office.db, 1) == 0
    post(site, act="feed")
    assert feed_path(site) not in (first, second)


def test_a_scanner_that_opens_every_link_changes_nothing(site: Site) -> None:
    """Each link of each mail twice, by GET and HEAD: also that of the page and of a fresh link."""
    post(site, act="feed")
    links = {fresh(site), *(f"{feed_path(site)}{one}" for one in ("feed.atom", "feeds.opml"))}
    for message in sent_mails(site.office).values():
        for part in (message, *message.walk()):
            text = str(part.get("List-Unsubscribe", ""))
            if part.get_content_maintype() == "text":
                text += part.get_content()
            links |= {urlsplit(one).path for one in re.findall(r"https?://[^\s\"'<>)]+", text)}
    before = site.content()
    answers = {
        (link.split("/")[1], site.ask(link, method).status)
        for link in links
        for method in ("GET", "HEAD") * 2
    }
    assert {("leave", 200), ("choose", 200), ("mine", 200)} <= answers
    assert site.content() == before


def test_a_year_old_link_works_before_and_after_a_new_key(office: Office) -> None:
    """Rotation makes new links with a new key, and breaks no old one."""
    leave = f"/leave/{token_for(KEY, 1, 1, Purpose.READER)}"
    with office.db.write():
        add_token_key(office.db, KEY)
    office.later(days=366)
    with answering(office, key=None) as site:
        old = post(site, act="feed").status, feed_path(site)
        assert "has 2 keys" in office.desk.run("recipients", "new-key").stdout
        assert site.ask(CHOICE).status == 200
        assert site.ask(f"{old[1]}feed.atom").status == 200
        assert feed_path(site) != old[1]
        assert site.ask(leave, "POST", PAIR, Content_Type=FORM).status == 200
        assert anna(site).status is RecipientStatus.ENDED
    assert token_keys(office.db)[1:] == [KEY]
