"""Letters of large mail systems: who is dead, and who only did not get this mail."""

import re
from email import message_from_bytes

import pytest

from digest.bounces.reports import FoundBy, ReturnAddresses, ReturnKind, read_report
from tests.bounces.letters import (
    DELIVERY,
    KEY,
    LETTERS,
    OURS,
    TOKEN,
    UNKNOWN_USER,
    WHO,
    Letter,
    in_charset,
    mailru,
    postfix,
    ses_bounce,
    yandex,
)

ADDRESSES = ReturnAddresses("leave@news.example", (KEY,), "digest@news.example")


@pytest.mark.parametrize("letter", [pytest.param(one, id=f"{one[0]}, {one[1]}") for one in LETTERS])
def test_a_letter_has_its_kind(letter: Letter) -> None:
    """Only what says that there is no such address cuts a reader off; our token names the reader."""
    _form, _what, kind, raw = letter
    read = read_report(raw.encode(), ADDRESSES)
    assert read.kind is kind, read
    assert read.delivery == DELIVERY
    judged = {ReturnKind.HARD, ReturnKind.SOFT, ReturnKind.POLICY}
    assert bool(read.because) is (kind in judged)


@pytest.mark.parametrize("charset", ["koi8-r", "windows-1251", "utf-8"])
@pytest.mark.parametrize(
    ("letter", "kind"),
    [
        pytest.param(mailru("550 Нет такого пользователя"), ReturnKind.HARD, id="text, dead"),
        pytest.param(mailru("550 Почтовый ящик переполнен"), ReturnKind.SOFT, id="text, full"),
        pytest.param(yandex("550 Пользователь не найден", "5.0.0"), ReturnKind.HARD, id="dead"),
        pytest.param(yandex("550 Ящик получателя временно недоступен", "5.0.0"), ReturnKind.SOFT, id="for a while"),
        pytest.param(yandex("550 Письмо похоже на спам", "5.0.0"), ReturnKind.POLICY, id="spam"),
    ],
)  # fmt: skip
def test_russian_words_are_read_in_any_encoding(
    letter: str, kind: ReturnKind, charset: str
) -> None:
    """Russian systems do not name the encoding of their report, and some use an old one."""
    assert read_report(in_charset(letter, charset), ADDRESSES).kind is kind


def test_why_is_said() -> None:
    """The operator sees in a few words what decided."""
    read = read_report(postfix(UNKNOWN_USER, "5.1.1").encode(), ADDRESSES)
    assert read.because == 'says that there is no such address ("address rejected: user unknown")'
    assert read_report(postfix("", "5.1.1").encode(), ADDRESSES).because == (
        "the code 5.1.1 says that there is no such address"
    )


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_the_enclosed_mail_is_given_as_it_arrived(end: bytes) -> None:
    """A signature is checked over these bytes, so nothing is changed but the line ends."""
    odd = OURS.replace("Subject: Bank", "Subject:   Bank\n\tof Reka,\n ") + "  \nlast line  \n"
    raw = postfix(UNKNOWN_USER, "5.1.1").replace(OURS, odd).encode().replace(b"\n", end)
    enclosed = read_report(raw, ADDRESSES).enclosed
    assert enclosed is not None
    assert enclosed.rstrip(b"\r\n") == odd.encode().replace(b"\n", b"\r\n").rstrip(b"\r\n")
    assert message_from_bytes(enclosed)["Message-ID"] == f"<weekly.48.{TOKEN}@news.example>"


def test_what_is_not_enclosed_completely_is_not_given() -> None:
    """Headers alone, an encoded copy, or one that was cut off cannot be checked."""
    whole = postfix(UNKNOWN_USER, "5.1.1").encode()
    for raw in (
        whole.replace(b"message/rfc822", b"text/rfc822-headers"),
        whole.replace(b"message/rfc822\n", b"message/rfc822\nContent-Transfer-Encoding: base64\n"),
        whole[:-20],
    ):
        assert read_report(raw, ADDRESSES).enclosed is None


def test_a_notice_finds_its_delivery_by_what_it_says_about_our_mail() -> None:
    """SNS mails all notices to one plain address; encoded they hide the token from a plain search."""
    from base64 import encodebytes

    plain = ses_bounce("Permanent", "General", "550 5.1.1 user unknown")
    head, _, body = plain.partition("\n\n")
    head = re.sub(r"To: .*", "To: notices@news.example", head)
    raw = f"{head}\nContent-Transfer-Encoding: base64\n\n".encode() + encodebytes(body.encode())
    read = read_report(raw, ADDRESSES)
    assert (read.found_by, read.delivery) == (FoundBy.ENVELOPE, DELIVERY)
    assert read.addresses == (WHO,)


def test_flufl_gives_only_addresses() -> None:
    """Its detectors also return other words, which would be taken for recipients."""
    letter = (
        "From: MAILER-DAEMON@mx.reka.example\nSubject: Returned mail\n\n"
        "   ----- The following addresses had permanent fatal errors -----\n"
        f"<{WHO}>\n<not an address>\n<x@>\n\n   ----- Transcript of session follows -----\n550 no\n"
    )
    assert read_report(letter.encode(), ADDRESSES).addresses == (WHO,)
