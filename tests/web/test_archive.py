"""The editions that went out: their list, and each mail as a page without anybody's tokens."""

import email
import email.policy
import html
import re
from collections.abc import Iterator

import pytest

from digest.editions.store import cancel_edition
from digest.errors import NotFoundError
from digest.mail.maildir import MaildirTransport
from digest.mail.tokens import PLACEHOLDERS
from digest.newsroom import make_environment
from digest.store.articles import withdraw_article
from digest.store.database import text_from_moment
from digest.web.archive import edition_page, editions_page
from digest.web.site import Asked, Page
from tests.desks import Desk, opened
from tests.mailing import Office

ANNA, CARL = "anna@reader.example", "carl@reader.example"
LINK = re.compile(r'<a [^>]*href="https://news\.example\.org/(?:leave|choose|join)/[^>]*>')


@pytest.fixture
def office(filled: Desk) -> Iterator[Office]:
    """One edition, sent to a reader of each language and one of both."""
    filled.edit_config("# public_url", "public_url")
    with filled.open() as db:
        made = Office(filled, db, transport=MaildirTransport(filled.folder / "outbox"))
        made.add(ANNA, languages=("en",))
        made.add("boris@reader.example", languages=("ru",))
        made.add(CARL, languages=("en", "ru"))
        made.compose()
        made.deliver()
        yield made


def asked(office: Office, language: str = "en", **names: str) -> Asked:
    query = {"before": names.pop("before")} if "before" in names else {}
    parts = {"templates": make_environment()}
    newsroom = opened(office.db, office.desk.settings, clock=office.now, **parts)
    return Asked(newsroom, language, {"language": language, **names}, query, office.now)


def mail_page(
    office: Office, language: str = "en", digest: str = "weekly", number: str = "1"
) -> Page:
    return edition_page(asked(office, language, digest=digest, number=number))


def sent_html(office: Office, address: str) -> str:
    for path in (office.desk.folder / "outbox" / "new").iterdir():
        message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        if message["To"].addresses[0].addr_spec == address:
            body = message.get_body(("html",))
            assert body is not None
            return str(body.get_content()).replace("\r\n", "\n")
    raise AssertionError(address)


def test_the_page_is_the_mail_that_was_sent(office: Office) -> None:
    """But for what is put around it and the links with a reader's tokens, byte for byte."""
    page = mail_page(office)
    text = page.body.decode()
    assert not any(token in text for token in PLACEHOLDERS)
    bare = re.sub(r'<link rel="canonical".*?(?=</head>)', "", text, count=1)
    bare = re.sub(r'<header class="m".*?</header>', "", bare, count=1)
    assert LINK.sub("<a>", bare).strip() == LINK.sub("<a>", sent_html(office, ANNA)).strip()
    assert text.count('href="https://news.example.org/join/?lang=en"') == 2
    assert '<a style="color:#59616a" href="/en/editions/">All editions</a>' in text
    assert 'hreflang="ru">На русском</a>' in text
    assert '<link rel="canonical" href="https://news.example.org/en/editions/weekly/1">' in text
    policy = dict(page.headers)[b"content-security-policy"]
    assert b"style-src 'unsafe-inline'" in policy
    assert b"default-src 'none'" in policy


def test_mails_lead_to_the_site(office: Office) -> None:
    """To their page in the reader's language, and from a pair to both side by side."""
    assert re.search(
        r'<a href="https://news\.example\.org/en/stories/\d+"[^>]*>Compare the two</a>',
        sent_html(office, CARL),
    )
    assert 'href="https://news.example.org/en/editions/weekly/1"' in sent_html(office, ANNA)
    russian = sent_html(office, "boris@reader.example")
    assert "/ru/editions/weekly/1" in russian
    assert "Открыть в браузере" in russian


def test_without_a_form_to_join_no_link_is_left(office: Office) -> None:
    """A line that had only a reader's links is left out."""
    settings = office.desk.settings
    closed = settings.model_copy(
        update={"readers": settings.readers.model_copy(update={"join": False})}
    )
    newsroom = opened(office.db, closed, clock=office.now, templates=make_environment())
    names = {"digest": "weekly", "number": "1"}
    text = edition_page(Asked(newsroom, "en", names, {}, office.now)).body.decode()
    assert LINK.search(text) is None
    assert "Unsubscribe" not in text


def test_what_was_withdrawn_or_corrected_since_is_named(office: Office) -> None:
    """A withdrawn article is no longer shown, not even as another version; a corrected one is as it was."""
    sql = "SELECT id, title FROM articles WHERE language = 'en' ORDER BY id LIMIT 2"
    gone, corrected = office.db.rows(sql)
    columns = [row["name"] for row in office.db.rows("PRAGMA table_info(article_versions)")]
    values = ", ".join("2" if one == "version" else one for one in columns)
    office.later(hours=1)
    with office.db.write():
        withdraw_article(office.db, gone["id"], office.now)
        sql = f"""INSERT INTO article_versions ({", ".join(columns)})
                  SELECT {values} FROM article_versions WHERE article_id = ? AND version = 1"""  # noqa: S608 - ours
        office.db.run(sql, (corrected["id"],))
        sql = "UPDATE articles SET version = 2, corrected_at = ?, title = 'Another' WHERE id = ?"
        office.db.run(sql, (text_from_moment(office.now), corrected["id"]))
    text = html.unescape(mail_page(office).body.decode())
    above, _, mail = text.partition('<div role="main">')
    assert "Withdrawn since and left out here:" in above
    assert gone["title"] in above
    assert gone["title"] not in mail
    assert gone["title"] not in html.unescape(mail_page(office, "ru").body.decode())
    assert 'Corrected since:</a> <span lang="en">Another</span>' in above
    assert corrected["title"] in mail
    assert gone["title"] not in html.unescape(editions_page(asked(office)).body.decode())


def test_the_list_has_what_went_out(office: Office) -> None:
    """Each edition by its lead with how many more and bars in words; in each language its own."""
    text = editions_page(asked(office)).body.decode()
    assert '<span class="no">1</span>' in text
    assert 'href="/en/editions/weekly/1"' in text
    assert re.search(r'<span class="meta">and \d+ more</span>', text)
    assert re.search(r'role="img" aria-label="Drugs \d+, Customs \d+', text)
    assert 'class="now theme-drugs"' in text
    assert "/ru/editions/weekly/1" in editions_page(asked(office, "ru")).body.decode()
    assert "weekly/1" not in editions_page(asked(office, before="1")).body.decode()
    assert "weekly/1" in editions_page(asked(office, before="x")).body.decode()


@pytest.mark.parametrize(
    ("language", "digest", "number"),
    [
        pytest.param("en", "weekly", "2", id="no such number"),
        pytest.param("en", "weekly", "0", id="never a number"),
        pytest.param("en", "weekly", "9" * 12, id="too large"),
        pytest.param("en", "weekly", "1.5", id="no number"),
        pytest.param("en", "daily", "1", id="no such digest"),
        pytest.param("tk", "weekly", "1", id="a language in which nothing went out"),
    ],
)
def test_there_is_no_page_of_others(
    office: Office, language: str, digest: str, number: str
) -> None:
    with pytest.raises(NotFoundError):
        mail_page(office, language, digest, number)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param("UPDATE editions SET dated_at = NULL", id="only composed"),
        pytest.param("", id="cancelled"),
    ],
)
def test_what_did_not_go_out_has_no_page(office: Office, change: str) -> None:
    """Nobody reads here what was never sent."""
    with office.db.write():
        if change:
            office.db.run(change)
        else:
            cancel_edition(office.db, 1, office.now)
    with pytest.raises(NotFoundError):
        mail_page(office)
    assert "No edition has gone out yet." in editions_page(asked(office)).body.decode()
