"""Forms at the verb: who gets which mail, what the link does, the limits, and that all addresses look alike."""

import email
import email.policy
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import Any

import pytest

from digest.audience.recipients import EVERYTHING
from digest.audience.signup import (
    LAPSES,
    FormError,
    answer,
    ask,
    check_form,
    lapse_requests,
    send_links,
)
from digest.audience.store import (
    end_recipient,
    events_of,
    list_recipients,
    note_bounce,
    recipient_by_address,
)
from digest.audience.suppressions import (
    CAUSES,
    FORGOTTEN,
    hide_suppressions,
    suppress,
    suppression_of,
)
from digest.errors import LimitError, RecipientError
from digest.language.addresses import mixes_scripts
from digest.mail.maildir import MaildirTransport
from digest.mail.tokens import DeliveryKey, Purpose, read_token
from digest.model import RecipientStatus
from digest.newsroom import Newsroom
from digest.store.database import Database
from tests.desks import opened
from tests.factories import make_settings
from tests.mail.fault_server import FaultServer, running
from tests.mailing import KEY, subscribe

NOW = datetime(2026, 11, 30, 9, 0, tzinfo=UTC)
ANNA, NEW, LEFT = "anna@reader.example", "new@reader.example", "left@reader.example"
WISH = {"languages": ["ru"], "themes": ["youth"], "digests": ["weekly"], "words": "I agree."}
NETWORK = "192.0.2.0/24"
LINK = re.compile(r"https://news\.example\.org(/\w+/)([a-z2-7]{32})?(?:\?lang=\w\w)?\s")


@dataclass
class Desk:
    """Anna is subscribed, and somebody has left."""

    newsroom: Newsroom
    settings: Any
    now: datetime = NOW
    statements: list[str] = field(default_factory=list)

    @property
    def db(self) -> Database:
        return self.newsroom.db

    def later(self, **time: float) -> None:
        self.now += timedelta(**time)

    def ask(self, address: str = NEW, kind: str = "join", **given: Any) -> str:
        values = {"network": NETWORK, "language": "ru", "wish": WISH if kind == "join" else {}}
        return ask(self.newsroom, kind, address, **(values | given))

    def mails(self) -> list[EmailMessage]:
        """What waits to be sent."""
        sql = "SELECT body FROM notices WHERE status = 'queued' ORDER BY dated_at, id"
        return [
            email.message_from_bytes(row["body"], _class=EmailMessage, policy=email.policy.default)
            for row in self.db.rows(sql)
        ]

    def link(self, mail: EmailMessage | None = None) -> tuple[str, str]:
        """Place and token of the one link of a mail, the newest if none is given."""
        text = (mail or self.mails()[-1]).get_body(("plain",)).get_content()
        [(place, token)] = LINK.findall(text)
        return place, token

    def request(self, mail: EmailMessage | None = None) -> int:
        place, token = self.link(mail)
        named = read_token([KEY], token, Purpose.REQUEST)
        assert (place, named is not None) == ("/answer/", True)
        return named.edition_id

    def statuses(self) -> dict[str, str]:
        return {one.address: one.status.value for one in list_recipients(self.db)}


@pytest.fixture
def desk(tmp_path) -> Iterator[Desk]:
    settings = make_settings(tmp_path, web={"public_url": "https://news.example.org"})
    made = Desk(None, settings)  # type: ignore[arg-type] # made below
    transport = MaildirTransport(tmp_path / "outbox")
    parts = {"token_key": KEY, "transport": transport, "signer": None}
    with Newsroom(settings, lambda: made.now, parts).open() as newsroom:  # type: ignore[arg-type]
        made.newsroom = newsroom
        with made.db.write():
            subscribe(made.db, ANNA, NOW)
            end_recipient(made.db, subscribe(made.db, LEFT, NOW), "the test", NOW)
        yield made


def test_a_stranger_joins_by_the_link_in_a_mail(desk: Desk):
    """Nothing before the button; then the choice, with the consent's words, moment and network; once."""
    desk.ask()
    assert desk.statuses() == {ANNA: "active", LEFT: "ended"}
    [mail] = desk.mails()
    assert (mail["To"], mail["Auto-Submitted"]) == (NEW, "auto-generated")
    assert mail["Content-Language"] == "ru"
    request = desk.request(mail)
    desk.later(hours=1)
    for _ in range(2):
        assert answer(desk.newsroom, request, "198.51.100.0/24")["address"] == NEW
    [one] = [one for one in list_recipients(desk.db) if one.address == NEW]
    assert (one.choice.languages, one.choice.themes, one.digests) == (
        ("ru",),
        ("youth",),
        ("weekly",),
    )
    [event] = events_of(desk.db, one.id)
    assert event["act"] == "joined"
    assert (event["network"], event["words"]) == ("198.51.100.0/24", "I agree.")
    assert event["made_at"].startswith("2026-11-30T10:00")


@pytest.mark.parametrize(
    ("address", "kind", "place", "subject"),
    [
        (NEW, "join", "/answer/", "confirm"),
        (LEFT, "join", "/answer/", "confirm"),
        (ANNA, "join", "/choose/", "subscribed already"),
        (ANNA, "link", "/choose/", "your link"),
        (NEW, "link", "/join/", "not subscribed"),
        (LEFT, "link", "/choose/", "your link"),
        (NEW, "move", "/answer/", "new address"),
        (ANNA, "move", "/choose/", "subscribed already"),
    ],
)
def test_the_mail_says_what_only_its_reader_may_know(
    desk: Desk, address: str, kind: str, place: str, subject: str
):
    """Who is here gets the link to the choice, who is not the way in."""
    desk.db.run("UPDATE recipients SET language = 'en'")
    desk.ask(address, kind, language="en", recipient_id=1 if kind == "move" else None)
    [mail] = desk.mails()
    assert subject in mail["Subject"]
    found, token = desk.link(mail)
    assert found == place
    if place == "/choose/":
        request = desk.db.value("SELECT id FROM requests")
        known = recipient_by_address(desk.db, address)
        assert read_token([KEY], token, Purpose.CHOICE) == DeliveryKey(request, known)


def test_the_link_goes_to_the_address_that_we_know(desk: Desk):
    """A mail server may tell ANNA@ from anna@; the key of a mailbox does not."""
    for typed in ("ANNA@Reader.Example", "Anna@reader.example"):
        desk.ask(typed, "link")
    assert [mail["To"] for mail in desk.mails()] == [ANNA, ANNA]


BAD = [cause for cause in CAUSES if cause != FORGOTTEN]


@pytest.mark.parametrize("cause", BAD)
@pytest.mark.parametrize("address", [ANNA, NEW, LEFT])
@pytest.mark.parametrize("kind", ["join", "link"])
def test_confirming_lifts_what_bounces_did_and_nothing_else(
    desk: Desk, cause: str, address: str, kind: str
):
    """An address that complained, or that a person or an import suppressed, gets nothing."""
    with desk.db.write():
        suppress(desk.db, address, cause, NOW)
    desk.ask(address, kind)
    if cause not in ("hard", "soft"):
        assert desk.mails() == []
        return
    if kind == "link" and address != ANNA:
        assert desk.link()[0] == "/join/"
        return
    assert answer(desk.newsroom, desk.request(), NETWORK) is not None
    assert suppression_of(desk.db, address) is None
    assert desk.statuses()[address] == "active"


def test_who_was_forgotten_may_come_back(desk: Desk):
    """By the mail to the address, which only its owner reads; the hash is gone then."""
    with desk.db.write():
        hide_suppressions(desk.db, [NEW], b"salt", NOW)
    desk.ask()
    assert answer(desk.newsroom, desk.request(), NETWORK) is not None
    assert suppression_of(desk.db, NEW) is None
    assert desk.statuses()[NEW] == "active"


def test_a_complaint_after_the_mail_stops_the_link(desk: Desk):
    """The newest wish counts."""
    desk.ask()
    with desk.db.write():
        suppress(desk.db, NEW, "complaint", NOW)
    assert answer(desk.newsroom, desk.request(), NETWORK) is None
    assert NEW not in desk.statuses()


def test_who_left_comes_back_with_the_new_choice(desk: Desk):
    """Under the old number, so that old mail still names them."""
    desk.ask(LEFT)
    assert answer(desk.newsroom, desk.request(), NETWORK) is not None
    [one] = list_recipients(desk.db, recipient_id=2)
    assert (one.status, one.choice.themes) == (RecipientStatus.ACTIVE, ("youth",))
    assert events_of(desk.db, 2)[-1]["act"] == "returned"


def test_a_new_address_is_confirmed_there_and_the_old_one_hears_of_it(desk: Desk):
    """Who reads the old mailbox learns what to do, and not the new address."""
    desk.ask(NEW, "move", recipient_id=1)
    assert answer(desk.newsroom, desk.request(), NETWORK) is not None
    assert answer(desk.newsroom, desk.request(desk.mails()[0]), NETWORK) is not None
    assert desk.statuses() == {NEW: "active", LEFT: "ended"}
    [_, old] = desk.mails()
    assert (old["To"], NEW in old.as_string()) == (ANNA, False)
    assert "desk@news.example.org" in old.get_body(("plain",)).get_content()
    assert events_of(desk.db, 1)[-1]["changed"] == {"address": [ANNA, NEW]}


def test_a_new_address_that_became_somebody_elses_stays_theirs(desk: Desk):
    desk.ask(NEW, "move", recipient_id=1)
    with desk.db.write():
        subscribe(desk.db, NEW, NOW)
    assert answer(desk.newsroom, desk.request(desk.mails()[0]), NETWORK) is None
    assert desk.statuses()[ANNA] == "active"


def test_a_request_lapses_and_leaves_no_address(desk: Desk):
    """After 48 hours the link is dead, and nothing is left in the database; an answered one goes then, too."""
    desk.ask()
    request = desk.request()
    desk.later(hours=47.9)
    assert lapse_requests(desk.newsroom) == 0
    desk.now = NOW + LAPSES
    assert answer(desk.newsroom, request, NETWORK) is None
    assert lapse_requests(desk.newsroom) == 1
    rows = [row for one in ("requests", "notices") for row in desk.db.rows(f"SELECT * FROM {one}")]  # noqa: S608 - ours
    assert rows == []


def test_what_config_toml_no_longer_offers_is_left_out(desk: Desk):
    """Between the form and the button."""
    desk.ask(wish=WISH | {"themes": ["youth", "drugs"]})
    themes = [one for one in desk.settings.themes if one.name == "drugs"]
    settings = desk.settings.model_copy(update={"themes": tuple(themes)})
    newsroom = opened(desk.db, settings, clock=lambda: desk.now, token_key=KEY)
    assert answer(newsroom, desk.request(), NETWORK) is not None
    assert list_recipients(desk.db)[-1].choice.themes == ("drugs",)


# Limits.


def count(desk: Desk, table: str = "requests") -> int:
    return int(desk.db.value(f"SELECT count(*) FROM {table}"))  # noqa: S608 - ours


def test_ten_thousand_forms_from_one_network(desk: Desk):
    """They cost as many rows and mails as one network may cause in an hour."""
    refused = 0
    for number in range(10_000):
        try:
            desk.ask(f"a{number}@reader.example")
        except LimitError:
            refused += 1
    limit = desk.settings.readers.forms_per_network
    assert (refused, count(desk), count(desk, "notices")) == (10_000 - limit, limit, limit)
    desk.ask(network="198.51.100.0/24")
    desk.later(hours=1)
    desk.ask("later@reader.example")


def test_one_address_gets_few_mails_a_day(desk: Desk):
    """From whatever networks; each form says the same."""
    for number in range(10):
        desk.ask(ANNA, "link", network=f"10.0.{number}.0/24")
    assert len(desk.mails()) == desk.settings.readers.mails_per_address
    desk.later(days=1)
    desk.ask(ANNA, "link")
    assert len(desk.mails()) == desk.settings.readers.mails_per_address + 1


def limited(desk: Desk, **limits: Any) -> Desk:
    readers = desk.settings.readers.model_copy(update=limits)
    settings = desk.settings.model_copy(update={"readers": readers})
    parts = desk.newsroom.parts
    return Desk(opened(desk.db, settings, clock=lambda: desk.now, **parts), settings)


def test_an_hour_has_only_so_many_mails(desk: Desk):
    """From all networks together; nothing is stored of the others."""
    narrow = limited(desk, mails_per_hour=5)
    for number in range(9):
        narrow.ask(f"a{number}@reader.example", network=f"10.0.{number}.0/24")
    assert (count(desk), len(desk.mails())) == (5, 5)


def test_signing_up_is_slowed_when_its_mails_come_back(desk: Desk):
    """Somebody types addresses that do not exist: an hour then has a tenth of the mails."""
    narrow = limited(desk, mails_per_hour=200)
    for number in range(20):
        narrow.ask(f"a{number}@reader.example", network=f"10.0.{number}.0/24")
    with desk.db.write():
        for row in desk.db.rows("SELECT id FROM requests LIMIT 10"):
            note_bounce(desk.db, row["id"], desk.now)
    narrow.ask("one@reader.example", network="10.1.0.0/24")
    assert count(desk) == 20


def test_a_refused_domain_gets_no_mail(desk: Desk):
    """Nor its subdomains, by either form; the page does not say so. Who is here still gets the link."""
    narrow = limited(desk, refused_domains=("Reader.example",))
    for address in (NEW, "new@sub.reader.example"):
        narrow.ask(address)
        narrow.ask(address, "link")
    narrow.ask(LEFT)
    narrow.ask("new@nota-reader.example", "link")
    for address, kind in ((ANNA, "link"), (LEFT, "link"), (ANNA, "join")):
        narrow.ask(address, kind)
    sent = [mail["To"] for mail in desk.mails()]
    assert sorted(sent) == [ANNA, ANNA, LEFT, "new@nota-reader.example"]


@pytest.mark.parametrize("join", [True, False])
def test_the_way_in_is_in_the_language_of_the_mail(desk: Desk, join: bool):
    """And is left out where nobody joins by a form."""
    limited(desk, join=join).ask(kind="link")
    text = desk.mails()[0].get_body(("plain",)).get_content()
    assert ("https://news.example.org/join/?lang=ru" in text) is join


# That all addresses look alike.


def work(desk: Desk, address: str, kind: str) -> list[str]:
    """The statements of one form, without their values."""
    made: list[str] = []
    connection = desk.db.connection
    connection.set_trace_callback(
        lambda sql: made.append(re.sub(r"'(?:[^']|'')*'|X'[^']*'|\d+", "?", sql))
    )
    try:
        assert desk.ask(address, kind, network="203.0.113.0/24") == address
    finally:
        connection.set_trace_callback(None)
    return made


@pytest.mark.parametrize("kind", ["join", "link"])
def test_known_and_unknown_addresses_cost_the_same_statements(desk: Desk, kind: str):
    """Known, unknown, gone, suppressed for each cause, and one with too many mails: the same statements
    in the same order."""
    with desk.db.write():
        for cause in BAD:
            suppress(desk.db, f"{cause}@reader.example", cause, NOW)
    often = "often@reader.example"
    for number in range(5):
        desk.ask(often, network=f"10.0.{number}.0/24")
    causes = [f"{cause}@reader.example" for cause in BAD]
    found = {one: work(desk, one, kind) for one in (NEW, ANNA, LEFT, often, *causes)}
    assert len(found[NEW]) > 4
    assert [one for one, made in found.items() if made != found[NEW]] == []


# Addresses.


@pytest.mark.parametrize(
    ("typed", "key"),
    [
        ("", "no_address"),
        ("anna", "no_address"),
        ("a@b@c.example", "no_address"),
        ("anna@reader.example\r\nBcc: victim@other.example", "no_address"),
        ("Anna <anna@reader.example>", "no_address"),
        ("anna@reader.example, b@reader.example", "no_address"),
        ("почта@пример.рф", "no_address"),
        ("a" * 1_000_000 + "@reader.example", "no_address"),
        ("'; DROP TABLE recipients; --@x", "no_address"),
        ("<script>@reader.example", "no_address"),
        ("anna@\u202ereader.example", None),
        ("anna@gооgle.example", "mixed"),
        ("anna@раyраl.example", "mixed"),
        ("anna@xn--ggle-55da.example", None),
        ("anna@пример.example", None),
        ("anna@bücher.example", None),
    ],
)
def test_an_address_is_one_that_we_can_write_to(desk: Desk, typed: str, key: str | None):
    """RFC 5321 §4.1.2; a domain that mixes alphabets only as its A-label (UTS #39)."""
    if key is None:
        assert check_form(typed).isascii()
        return
    with pytest.raises(FormError) as raised:
        desk.ask(typed)
    assert raised.value.key == key
    if key == "mixed":
        assert raised.value.facts["address"].startswith("anna@xn--")
        assert check_form(raised.value.facts["address"])


@pytest.mark.parametrize(
    ("domain", "mixes"),
    [("gооgle.tm", True), ("bücher.de", False), ("пример.com", False), ("日本ひらがな.jp", False)],
)
def test_only_letters_that_look_alike_are_a_mixture(domain: str, mixes: bool):
    """A name may have labels of different scripts, and Japanese has several in one."""
    assert mixes_scripts(domain) is mixes


def test_a_wish_that_no_page_offers_is_refused(desk: Desk):
    """Only what is in config.toml is stored."""
    for what in ("languages", "themes", "digests"):
        with pytest.raises(RecipientError):
            desk.ask(wish=WISH | {what: ["<b>'; DROP TABLE requests"]})
    desk.ask(wish=WISH | {"themes": [EVERYTHING]})
    assert count(desk) == 1


def test_the_mails_of_forms_are_sent_and_their_bytes_deleted(desk: Desk):
    """Twice is once."""
    desk.ask()
    assert send_links(desk.newsroom).total() == 1
    assert send_links(desk.newsroom).total() == 0
    [row] = desk.db.rows("SELECT status, length(body) AS size FROM notices")
    assert row == {"status": "sent", "size": 0}


def test_a_refusal_for_good_ends_a_mail_and_counts(desk: Desk):
    """A server that does not know the address is not asked again; that is what slows signing up."""
    with running(FaultServer(acts={"new@reader": ("rcpt", "550 5.1.1 No such user")})) as server:
        way = {"host": "127.0.0.1", "port": server.port, "tls": "none"}
        mail = {"transport": "smtp", "helo_name": "desk", "servers": [way]}
        made = make_settings(
            desk.settings.path.parent, web={"public_url": "https://news.example.org"}, mail=mail
        )
        newsroom = opened(desk.db, made, clock=lambda: desk.now, token_key=KEY)
        for address in (NEW, "other@reader.example"):
            ask(newsroom, "join", address, NETWORK, language="en", wish=WISH)
        assert send_links(newsroom).total() == 2
        assert send_links(newsroom).total() == 0
    sql = """SELECT status, bounced_at IS NOT NULL AS failed, length(body) AS size
               FROM requests JOIN notices ON name = 'link.' || requests.id ORDER BY address"""
    rows = [tuple(row.values()) for row in desk.db.rows(sql)]
    assert rows == [("failed", 1, 0), ("sent", 0, 0)]
