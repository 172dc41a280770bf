"""The rules of Gmail, Yahoo and Outlook for who sends many mails, each by its name, and of the RFCs that
they ask for: on editions in both languages, on notices to readers, and on mails that answer a form."""

import email.policy
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.utils import parseaddr
from typing import Any

import pytest

from digest.mail.mime import MessageMaker, segment_mail
from digest.mail.notices import notice_mail, outgoing
from digest.mail.outgoing import Kind
from digest.mail.tokens import PLACEHOLDERS, tokens_for
from digest.model import Choice, RenderedMail
from tests.mail.sample import make_sample
from tests.mailing import KEY, write_key

pytest.importorskip("cryptography")
from digest.mail.dkim import Signer, load_key

DATE = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
PAGE = "https://news.example.org"
TOKENS = tokens_for(KEY, 12, 7)
ONCE = {"From", "To", "Subject", "Date", "Message-ID", "Reply-To", "List-Id", "MIME-Version"}
ALL_LISTS = {"List-Id", "List-Unsubscribe", "List-Unsubscribe-Post", "List-Help", "List-Subscribe"}
ALL_LISTS |= {"List-Owner", "List-Post"}


@dataclass(frozen=True)
class Mails:
    """Editions by language, and notices by kind: a correction to a reader, and the answer to a form."""

    bulk: dict[str, bytes]
    answer: bytes

    def read(self) -> dict[str, EmailMessage]:
        return {name: parsed(message) for name, message in self.bulk.items()}


def parsed(message: bytes) -> EmailMessage:
    read: Any = message_from_bytes(message, policy=email.policy.default)
    return read


@pytest.fixture(scope="module")
def mails(tmp_path_factory: pytest.TempPathFactory) -> Mails:
    key = tmp_path_factory.mktemp("keys") / "rsa.pem"
    write_key(key)
    signer = Signer("news.example.org", [load_key(key, "one")])
    bulk = {}
    for language in ("en", "ru"):
        choice = Choice(language, (language,), ("drugs", "customs", "other"))
        sample = make_sample(choice=choice, web={"public_url": PAGE})
        settings, digest = sample.settings, sample.settings.digests[0]
        frozen = segment_mail(settings, digest, sample.edition, choice, sample.mail)
        bulk[language] = MessageMaker(frozen, DATE, signer).make(
            "anna@reader.example", None, TOKENS
        )
    body = RenderedMail("Changed", "", PLACEHOLDERS.reader, f"<p>{PLACEHOLDERS.reader}</p>")

    def notice(kind: Kind, mail: RenderedMail, **more: Any) -> bytes:
        one = notice_mail(
            settings, kind, f"{kind}.1.2.7", DATE, mail, "anna@reader.example", **more
        )
        return outgoing(1, one, signer).message

    bulk["correction"] = notice(Kind.CORRECTION, body, tokens=TOKENS)
    return Mails(bulk, notice(Kind.LINK, RenderedMail("Your link", "", "Here it is.", "")))


def tags(message: EmailMessage) -> dict[str, str]:
    signature = re.sub(r"\s+", "", message["DKIM-Signature"])
    return dict(one.split("=", 1) for one in signature.split(";") if one)


def test_dkim_is_aligned_with_from(mails: Mails) -> None:
    """Gmail, Yahoo, Outlook: DKIM with a key of 2048 bits, rsa-sha256 (RFC 8301), its d= aligned with From, so
    that DMARC passes even where SPF breaks on the way; no l= (RFC 6376 §8.2)."""
    for message in (*mails.read().values(), parsed(mails.answer)):
        found = tags(message)
        domain = parseaddr(str(message["From"]))[1].rpartition("@")[2]
        assert (found["d"], found["a"], found["c"]) == (domain, "rsa-sha256", "relaxed/relaxed")
        assert "l" not in found
        assert len(found["b"]) * 6 // 8 >= 256


def test_what_mail_programs_act_on_is_signed(mails: Mails) -> None:
    """RFC 8058 §4: both fields for one click; Gmail: Feedback-ID, which counts only if it is signed."""
    for message in mails.read().values():
        signed = tags(message)["h"].lower().split(":")
        assert {one.lower() for one in ALL_LISTS | {"From", "Subject", "Feedback-ID"}} <= set(
            signed
        )
        assert signed.count("from") == signed.count("list-unsubscribe") == 2  # over-signed


def test_one_click_unsubscribes(mails: Mails) -> None:
    """Gmail, Yahoo: one-click for bulk mail; RFC 8058 §3.1: one HTTPS URI first, with nothing that
    names the reader, and the other field exactly so."""
    for message in mails.read().values():
        first, second = str(message["List-Unsubscribe"]).split(", ")
        assert first == f"<{PAGE}/leave/{TOKENS.reader}>"
        assert second.startswith("<mailto:")
        assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        assert "anna" not in first + second


def test_a_visible_link_unsubscribes_too(mails: Mails) -> None:
    """Gmail: a clearly visible link in the body, in both parts."""
    for name, message in mails.read().items():
        for kind in ("plain", "html"):
            body = message.get_body((kind,))
            assert body is not None
            assert TOKENS.reader in body.get_content(), (name, kind)


def test_the_list_fields_are_complete(mails: Mails) -> None:
    """RFC 2369: each once, as <URI>, with help, owner and a way to join, and List-Post: NO; RFC 2919: List-Id
    in a domain of ours, without the reader, at most 255 octets."""
    for message in mails.read().values():
        assert all(len(message.get_all(name, [])) == 1 for name in ALL_LISTS)
        assert message["List-Post"] == "NO"
        assert message["List-Subscribe"] == f"<{PAGE}/join/>"
        assert message["List-Owner"] == "<mailto:desk@news.example.org>"
        assert re.fullmatch(r'("[^"]+" )?<[a-z]+\.news\.example\.org>', str(message["List-Id"]))


def test_feedback_id_has_four_parts(mails: Mails) -> None:
    """Gmail's feedback loop: campaign, list, kind and sender, the last of 5 to 15 characters and always the
    same; nothing of it is about the reader."""
    found = {name: str(message["Feedback-ID"]).split(":") for name, message in mails.read().items()}
    assert {len(parts) for parts in found.values()} == {4}
    assert {parts[3] for parts in found.values()} == {"newsexampleorg"}
    assert found["en"][:3] == ["weekly-12", "weekly", "edition"]
    assert not any(re.search("anna|reader", ":".join(parts)) for parts in found.values())


def test_the_form_is_that_of_rfc_5322(mails: Mails) -> None:
    """Gmail, Outlook: RFC 5322 §3.6: each field at most once, From with a real address; §2.1.1: short lines."""
    for raw in (*mails.bulk.values(), mails.answer):
        message = parsed(raw)
        assert all(len(message.get_all(name, [])) <= 1 for name in ONCE)
        assert all(len(line) <= 998 for line in raw.split(b"\r\n"))
        assert str(message["Message-ID"]).endswith("@news.example.org>")
        assert "Precedence" not in message


def test_a_mail_that_answers_a_form_is_no_list_mail(mails: Mails) -> None:
    """Gmail: transactional mail needs no unsubscribing, and offering it would end a subscription that
    does not exist yet."""
    answer = parsed(mails.answer)
    assert not [name for name in answer if name.startswith("List-") or name == "Feedback-ID"]


def test_all_say_that_a_program_sent_them(mails: Mails) -> None:
    """RFC 3834 §5: so that no vacation reply answers."""
    for message in (*mails.read().values(), parsed(mails.answer)):
        assert message["Auto-Submitted"] == "auto-generated"


def test_nothing_is_fetched(mails: Mails) -> None:
    """Yahoo, Outlook: no hidden content; ours also has no picture, font or pixel that tells who reads."""
    for message in mails.read().values():
        body = message.get_body(("html",))
        assert body is not None
        assert not re.search(r"<(img|script|link|iframe)|@import|url\(", body.get_content())
