"""The complete message: fields, parts, sizes, and one encoding for every recipient."""

import email
import email.policy
import re
from datetime import datetime
from email.message import EmailMessage

import pytest

from digest.mail.mime import build_body, raw_header
from digest.mail.tokens import PLACEHOLDERS, Tokens, return_path
from digest.model import Choice
from tests.factories import make_settings
from tests.mail.sample import DATE, EVERYTHING, EVERYTHING_RU, TOKENS, make_sample, many_articles

OTHER_TOKENS = Tokens("x7" * 16, "y6" * 16, "z5" * 16)


def parsed(message: bytes) -> EmailMessage:
    return email.message_from_bytes(message, policy=email.policy.default)


def parts(message: bytes) -> tuple[str, str]:
    text, html = (part.get_content() for part in parsed(message).iter_parts())
    return text.replace("\r\n", "\n"), html.replace("\r\n", "\n")


@pytest.mark.parametrize("choice", [EVERYTHING, EVERYTHING_RU], ids=["en", "ru"])
def test_the_message_parses_without_a_defect(choice: Choice) -> None:
    """RFC 2046 §5.1.4: text first, HTML last, and both read back as they were rendered."""
    sample = make_sample(choice=choice)
    message = sample.message()
    kinds = [part.get_content_type() for part in parsed(message).walk()]
    assert kinds == ["multipart/alternative", "text/plain", "text/html"]
    assert not [defect for part in parsed(message).walk() for defect in part.defects]
    shown = [sample.mail.text, sample.mail.html]
    for place, token in zip(PLACEHOLDERS, TOKENS, strict=True):
        shown = [part.replace(place, token) for part in shown]
    assert parts(message) == tuple(shown)


@pytest.mark.parametrize("choice", [EVERYTHING, EVERYTHING_RU], ids=["en", "ru"])
def test_the_message_reads_back_to_the_same_titles_in_both_parts(choice: Choice) -> None:
    """Both parts have the same items."""
    text, html = parts(make_sample(choice=choice).message())
    in_text = re.findall(r"(?:^|\n\n)((?:[^\n]+\n)+?)-+\n", text)
    in_html = re.findall(r"<h3[^>]*><a[^>]*>([^<]*)</a></h3>", html)
    unescaped = [title.replace("&lt;", "<").replace("&gt;", ">") for title in in_html]
    assert [" ".join(title.split()) for title in in_text] == [
        title.replace("&amp;", "&") for title in unescaped
    ]


def test_every_byte_is_safe_on_the_way() -> None:
    """RFC 5321 §4.5.3.1.6, RFC 5322 §2.1.1: 7-bit, CRLF only, no line over 998 octets."""
    for choice in (EVERYTHING, EVERYTHING_RU):
        message = make_sample(choice=choice).message()
        assert message.isascii()
        assert message.count(b"\n") == message.count(b"\r") == message.count(b"\r\n")
        assert max(map(len, message.split(b"\r\n"))) <= 110


def test_the_fields_say_who_what_and_how_to_leave() -> None:
    """Each once: RFC 5322 §3.6, 2369, 2919, 3834 §5; no Precedence, no one-click without a page."""
    sample = make_sample()
    message = parsed(sample.message(name="Анна"))
    fields = {name: str(value) for name, value in message.items()}
    assert len(fields) == len(message.items())
    content_type = fields.pop("Content-Type")
    assert content_type.startswith('multipart/alternative; boundary="=_')
    assert fields == {
        "From": "Ashgabat Desk <digest@news.example.org>",
        "Reply-To": "desk@news.example.org",
        "To": "Анна <anna@example.com>",
        "Subject": "Border guards & customs officers seize <two> tonnes of… and 3 more",
        "Date": "Mon, 23 Nov 2026 08:00:00 +0500",
        "Message-ID": f"<weekly.12.{sample.edition.hash[:8]}.{TOKENS.server}@news.example.org>",
        "List-Id": '"The week" <weekly.news.example.org>',
        "List-Unsubscribe": f"<mailto:leave+{TOKENS.reader}@news.example.org?subject=unsubscribe>",
        "List-Archive": "<https://news.example.org/feeds/all.html>",
        "List-Help": "<mailto:desk@news.example.org?subject=help>",
        "List-Subscribe": "<mailto:desk@news.example.org?subject=subscribe>",
        "List-Owner": "<mailto:desk@news.example.org>",
        "List-Post": "NO",
        "Feedback-ID": "weekly-12:weekly:edition:newsexampleorg",
        "Auto-Submitted": "auto-generated",
        "MIME-Version": "1.0",
        "Content-Language": "en",
    }


@pytest.mark.parametrize("language", ["en", "ru"])
def test_with_a_public_address_one_click_unsubscribes(language: str) -> None:
    """RFC 8058 §3.1: one HTTPS URI, first, and the field that says so; RFC 2369 §2: the mail second. The
    footer's link is the page."""
    choice = Choice(language, (language,), EVERYTHING.themes)
    message = make_sample(choice=choice, web={"public_url": "https://news.example.org/d"}).message()
    page = f"https://news.example.org/d/leave/{TOKENS.reader}"
    mailbox = f"mailto:leave+{TOKENS.reader}@news.example.org?subject=unsubscribe"
    assert parsed(message)["List-Unsubscribe"] == f"<{page}>, <{mailbox}>"
    assert parsed(message)["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    for part in parts(message):
        assert page in part
        assert mailbox not in part


def test_messages_differ_only_by_token_and_address() -> None:
    """One rendering, one encoding: the other bytes are the same for a segment."""
    maker = make_sample().maker()
    one = maker.make("anna@example.com", None, TOKENS)
    other = maker.make("boris@example.net", "Boris", OTHER_TOKENS)
    to = raw_header("To", "anna@example.com"), b"To: Boris <boris@example.net>\r\n"
    ours = one.replace(*to)
    for own, others in zip(TOKENS.octets(), OTHER_TOKENS.octets(), strict=True):
        ours = ours.replace(own, others)
    assert ours == other
    assert one == maker.make("anna@example.com", None, TOKENS)


@pytest.mark.parametrize("language", ["en", "ru"])
def test_the_token_is_exactly_where_it_should_be(language: str) -> None:
    """Two links in each part, whatever the encoding, and two fields."""
    choice = Choice(language, (language,), EVERYTHING.themes)
    sample = make_sample(many_articles(20, language), choice)
    maker = sample.maker()
    message = maker.make("anna@example.com", None, TOKENS)
    assert not any(placeholder.encode() in message for placeholder in PLACEHOLDERS)
    text, html = parts(message)
    for token in (TOKENS.reader, TOKENS.choice):
        assert (text.count(token), html.count(token)) == (1, 1)
    assert TOKENS.server not in text + html


def test_a_body_is_the_same_bytes_for_the_same_edition_and_segment() -> None:
    """The boundary follows from edition and choice, not from chance."""
    mail = make_sample().mail
    one, again, other = (build_body(mail, boundary_seed=seed) for seed in "aab")
    assert one.content == again.content
    assert one != other
    assert make_sample().message() == make_sample().message()


@pytest.mark.parametrize(("language", "limit"), [("en", 70_000), ("ru", 100_000)])
def test_forty_articles_stay_under_the_size_that_gmail_clips(language: str, limit: int) -> None:
    """40 articles with long titles; the HTML alone is what Gmail measures (102 kB)."""
    choice = Choice(language, (language,), EVERYTHING.themes)
    sample = make_sample(many_articles(40, language), choice, per_theme=20)
    assert sample.mail.html.count("<h3") == 39  # and the lead
    assert len(sample.message()) < limit
    assert len(sample.mail.html.encode()) < 70_000


@pytest.mark.parametrize(
    ("address", "name", "tokens"),
    [
        pytest.param(
            "anna@example.com",
            None,
            Tokens("short", TOKENS.reader, TOKENS.choice),
            id="token too short",
        ),
        pytest.param(
            "anna@example.com",
            None,
            Tokens(TOKENS.server, "A2" * 16, TOKENS.choice),
            id="token in capitals",
        ),
        pytest.param("anna@example.com\r\nBcc: x@y.example", None, TOKENS, id="address injects"),
        pytest.param("anna@example.com", "Anna\r\nBcc: x@y.example", TOKENS, id="name injects"),
    ],
)
def test_invalid_values_are_refused(address: str, name: str | None, tokens: Tokens) -> None:
    """RFC 5322 §2.2: nobody's name brings in a field."""
    with pytest.raises(ValueError, match=r"token|address|line break"):
        make_sample().maker().make(address, name, tokens)


def test_a_date_without_zone_is_refused() -> None:
    """A naive date would be read as the server's own hour."""
    with pytest.raises(ValueError, match="zone"):
        make_sample().maker(datetime(2026, 11, 23))  # noqa: DTZ001 - on purpose


def test_a_newsroom_with_a_russian_domain_can_send() -> None:
    """RFC 5891: domains go out as A-labels, in fields, links and return path."""
    sample = make_sample(
        site={"contact": "desk@новости.example"},
        mail={
            "from_name": "Новости Ашхабада",
            "from_address": "digest@новости.example",
            "unsubscribe_address": "leave@новости.example",
        },
    )
    message = sample.message()
    assert message.isascii()
    assert b"List-Help: <mailto:desk@xn--b1amnebsh.example?subject=help>\r\n" in message
    assert parsed(message)["From"] == "Новости Ашхабада <digest@xn--b1amnebsh.example>"
    assert (
        return_path(sample.settings, TOKENS.server)
        == f"bounces+{TOKENS.server}@xn--b1amnebsh.example"
    )


def test_the_return_path_names_the_recipient() -> None:
    """VERP: a bounce comes back to an address that names its recipient."""
    path = return_path(make_settings(), TOKENS.server)
    assert path == f"bounces+{TOKENS.server}@news.example.org"
    assert DATE.tzinfo is not None
