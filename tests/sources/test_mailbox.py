"""Press releases are read from any mailbox, which stays as it is."""

import os
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.config.settings import SourceSettings
from digest.errors import MailboxError
from digest.mail.dkim import Signer, load_key
from digest.sources.formats import read_document
from digest.sources.mailbox import Letter, read_letters
from tests.journeys.returns import make_maildir
from tests.mail.dovecot import DOVECOT, PASSWORD, USER, running_dovecot

NOW = datetime.fromtimestamp(time.time(), UTC) + timedelta(minutes=1)


def letter(
    number: int = 1,
    text: str = "The bridge opened on Monday, the ministry said.",
    sender: str = "Press office <press@un.example>",
    **fields: str,
) -> EmailMessage:
    mail = EmailMessage()
    named = {"From": sender, "Subject": f"Bridge {number}", "Message-ID": f"<{number}@un.example>"}
    for name, value in (
        named | {key.replace("_", "-"): one for key, one in fields.items()}
    ).items():
        mail[name] = value
    mail.set_content(text)
    return mail


@pytest.fixture
def maildir(tmp_path: Path) -> Path:
    make_maildir(tmp_path / "mail")
    return tmp_path / "mail"


def deliver(maildir: Path, number: int, mail: EmailMessage | bytes) -> Path:
    file = maildir / "new" / f"{1_700_000_000 + number}.{number}.mx"
    file.write_bytes(mail if isinstance(mail, bytes) else mail.as_bytes())
    return file


def source(path: Path | None, **keys: object) -> SourceSettings:
    given = {"name": "post", "kind": "mail", "senders": ("press@un.example",), "path": path} | keys
    return SourceSettings.model_validate(given)


def read(
    given_source: SourceSettings,
    after: str | None = "",
    known: Sequence[str] = (),
    **options: object,
) -> tuple[list[Letter], str]:
    with read_letters(
        given_source, after=after, now=NOW, known=set(known).__contains__, **options
    ) as box:
        return list(box.letters), box.place


def tree(folder: Path) -> dict[str, bytes]:
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file()
    }


def test_a_maildir_gives_all_its_letters_and_stays_as_it_is(maildir: Path) -> None:
    """People read it, too: what they opened is news all the same, and nothing is marked."""
    deliver(maildir, 2, letter(2))
    deliver(maildir, 1, letter(1)).rename(maildir / "cur" / "1700000001.1.mx:2,S")
    before = tree(maildir)
    letters, _ = read(source(maildir))
    assert [one.data.partition(b"Subject: ")[2][:8] for one in letters] == [
        b"Bridge 1",
        b"Bridge 2",
    ]
    assert tree(maildir) == before


def test_a_letter_is_read_once(maildir: Path) -> None:
    """Its key is the same wherever it lies; a second delivery of it is none."""
    deliver(maildir, 1, letter(1))
    deliver(maildir, 5, letter(1))
    letters, place = read(source(maildir))
    assert len(letters) == 1
    assert read(source(maildir), place, known=[letters[0].key])[0] == []


def test_a_maildir_skips_what_came_long_before_its_place(maildir: Path) -> None:
    """A mailbox of years is not opened each time; a clock that jumped back loses nothing."""
    deliver(maildir, 1, letter(1))
    _, place = read(source(maildir))
    days = 24 * 3600 * 10**9
    assert len(read(source(maildir), str(int(place) + days // 2))[0]) == 1
    later = NOW + timedelta(days=3)
    with read_letters(source(maildir), after=str(int(place) + 2 * days), now=later) as box:
        assert list(box.letters) == []
    assert len(read(source(maildir), str(int(place) + 900 * days))[0]) == 1


def test_programs_that_give_each_letter_the_same_id_lose_none(maildir: Path) -> None:
    """Only what is equal in all that names a letter is the same letter."""
    for number in range(3):
        deliver(maildir, number, letter(number, Message_ID="<1@un.example>"))
    for number in range(3, 6):
        deliver(maildir, number, b"From: press@un.example\n\nNews %d.\n" % number)
    letters, _ = read(source(maildir))
    assert len({one.key for one in letters}) == 6


def test_an_mbox_is_read_again_once_it_changed(tmp_path: Path) -> None:
    """The last letter may still be on its way while the file grows."""
    path = tmp_path / "mbox"
    old = (NOW - timedelta(hours=1)).timestamp()
    text = b"From a Mon Nov 23\n" + letter(1, "Copy.\n\nFrom Geneva comes news.").as_bytes() + b"\n"
    path.write_bytes(text.replace(b"\nFrom G", b"\n>From G"))
    os.utime(path, (old, old))
    letters, place = read(source(path))
    assert b"\nFrom Geneva" in letters[0].data
    assert read(source(path), place)[0] == []
    with path.open("ab") as file:
        file.write(b"From b Mon Nov 23\n" + letter(2).as_bytes()[:120])
    os.utime(path, (NOW.timestamp(), NOW.timestamp()))
    growing, place = read(source(path), place, known=[letters[0].key])
    assert (growing, place) == ([], "")
    os.utime(path, (old, old))
    assert len(read(source(path), place, known=[letters[0].key])[0]) == 1


def test_the_first_reading_marks_all_but_the_newest_as_archive(maildir: Path) -> None:
    """Years of old releases are for search, not for Monday's digest."""
    for number in range(5):
        deliver(maildir, number, letter(number))
    letters, place = read(source(maildir, backlog=2), None)
    assert [one.archive for one in letters] == [True, True, True, False, False]
    assert not any(one.archive for one in read(source(maildir, backlog=2), place)[0])


@pytest.mark.parametrize(
    ("mail", "senders", "sender", "listed"),
    [
        pytest.param(letter(), ["press@un.example"], "press@un.example", True, id="its address"),
        pytest.param(
            letter(sender="PRESS@Un.Example"),
            ["@UN.example"],
            "press@un.example",
            True,
            id="its domain",
        ),
        pytest.param(
            letter(sender="a@sub.un.example"),
            ["@un.example"],
            "a@sub.un.example",
            False,
            id="a subdomain",
        ),
        pytest.param(
            letter(sender="a@evilun.example"),
            ["@un.example"],
            "a@evilun.example",
            False,
            id="an ending",
        ),
        pytest.param(letter(), [], "press@un.example", False, id="nobody is listed"),
        pytest.param(
            letter(List_Id='"UN news" <news.UN.example>'),
            ["news.un.example"],
            "press@un.example",
            True,
            id="its list",
        ),
        pytest.param(
            letter(List_Id="<evil.example>"),
            ["news.un.example"],
            "press@un.example",
            False,
            id="another list",
        ),
        pytest.param(
            letter(sender="a@b.example", Sender="list@un.example"),
            ["list@un.example"],
            "a@b.example",
            False,
            id="Sender, whom no reader sees",
        ),
        pytest.param(
            b"From: press@un.example\nFrom: evil@b.example\n\nx",
            ["press@un.example"],
            "",
            False,
            id="From twice",
        ),
        pytest.param(
            b"From: press@un.example, evil@b.example\n\nx",
            ["press@un.example"],
            "",
            False,
            id="two senders",
        ),
        pytest.param(
            b'From: "press@un.example" <evil@b.example>\n\nx',
            ["press@un.example"],
            "evil@b.example",
            False,
            id="an address as name",
        ),
        pytest.param(
            b"From: =?utf-8?q?press=40un.example=2C?= <evil@b.example>\n\nx",
            ["press@un.example"],
            "evil@b.example",
            False,
            id="hidden in an encoded word",
        ),
        pytest.param(b"Subject: x\n\nx", ["@"], "", False, id="no sender"),
        pytest.param(
            "From: Пресса <press@оон.example>\n\nx".encode(),
            ["@оон.example"],
            "press@xn--m1aba.example",
            True,
            id="a domain in Cyrillic",
        ),
    ],
)
def test_only_what_the_source_names_is_listed(
    maildir: Path, mail: EmailMessage | bytes, senders: list[str], sender: str, listed: bool
) -> None:
    """Others wait for a person: anybody can write to a mailbox, in any name."""
    deliver(maildir, 1, mail)
    (one,), _ = read(source(maildir, senders=senders))
    assert (one.sender, one.listed) == (sender, listed)


def test_a_broken_letter_stops_no_other(maildir: Path) -> None:
    """Each says itself what is wrong with it; the mailbox is read to its end."""
    deliver(maildir, 1, letter(1, "x" * 80_000))
    deliver(maildir, 2, b"")
    deliver(maildir, 3, b"\xff\xfe\x00" * 500)
    deliver(
        maildir,
        4,
        b"Content-Type: multipart/mixed; boundary=B\nMessage-ID: <\xff>\n\n--B\n--B\n--B",
    )
    deliver(maildir, 5, letter(5))
    letters, _ = read(source(maildir, size_limit_mib=0.05))
    assert [str(one.error) for one in letters[:2]] == [
        "Bridge 1: is larger than 0.05 MiB; raise `size_limit_mib`",
        "a letter: is empty",
    ]
    assert [one.error for one in letters[2:]] == [None] * 3
    assert letters[4].listed


def test_no_bytes_stop_a_mailbox(maildir: Path) -> None:
    """Anybody can send anything to it."""
    mail = letter(
        text="See attached.",
        DKIM_Signature="v=1; a=rsa-sha256; d=un.example; s=s; h=from; bh=a; b=c",
    )
    mail.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename="a.pdf")
    mail.add_attachment(letter(2))
    whole = mail.as_bytes()

    @settings(max_examples=100, deadline=None)
    @given(st.integers(0, len(whole)), st.binary(max_size=40))
    def check(at: int, noise: bytes) -> None:
        deliver(maildir, 1, whole[:at] + noise + whole[at + len(noise) :])
        assert len(read(source(maildir), look_up=lambda name: ["v=DKIM1; p=abc"])[0]) == 1

    check()


def test_attachments_that_a_folder_source_reads_come_with_their_letter(maildir: Path) -> None:
    """Ministries send the release as a file; pictures and archives are none."""
    mail = letter(
        text="Dear colleagues,\n\nPlease find attached our release on the new bridge.\n\nBest regards,\nAnna"
    )
    for name in ("../Пресс-релиз.docx", "logo.png", "bridge.PDF"):
        mail.add_attachment(
            b"PK" + name.encode(), maintype="application", subtype="octet-stream", filename=name
        )
    mail.add_attachment(letter(2))
    deliver(maildir, 1, mail)
    (one,), _ = read(source(maildir))
    assert [name for name, _ in one.attachments] == [
        "Пресс-релиз.docx",
        "bridge.PDF",
        "Bridge 2.eml",
    ]
    assert one.attachments[1][1] == b"PKbridge.PDF"
    assert one.covers


def test_a_large_attachment_is_whole(maildir: Path) -> None:
    """A release of some pages with photographs has more lines than any text."""
    mail = letter()
    mail.add_attachment(
        bytes(range(256)) * 10_000, maintype="application", subtype="pdf", filename="a.pdf"
    )
    deliver(maildir, 1, mail)
    (one,), _ = read(source(maildir))
    assert [len(data) for _, data in one.attachments] == [2_560_000]
    assert read_document("a.eml", one.data).lines


@pytest.mark.parametrize(
    ("text", "covers"),
    [
        pytest.param(
            "Во вложении направляем пресс-релиз о пуске моста через реку Пяндж.", True, id="Russian"
        ),
        pytest.param("See attached.", True, id="one line"),
        pytest.param(
            "Salam! Metbugat beýanyny goşundy görnüşinde iberýäris, çap etmegiňizi haýyş edýäris.",
            True,
            id="Turkmen",
        ),
        pytest.param(" ", True, id="nothing"),
        pytest.param("".join(f"Item {n}: a short line\n" for n in range(20)), False, id="a list"),
        pytest.param(
            "The bridge over the river Panj opened on Monday, the ministry said. Photos are attached.",
            False,
            id="news",
        ),
    ],
)
def test_a_covering_note_is_told_from_news(maildir: Path, text: str, covers: bool) -> None:
    """Readers must not get "Please find attached" as an article."""
    mail = letter(text=text)
    mail.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename="a.pdf")
    deliver(maildir, 1, mail)
    assert read(source(maildir))[0][0].covers is covers


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    rsa = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.rsa")
    pytest.importorskip("dkim")
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = rsa.generate_private_key(65537, 2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "key.pem").write_bytes(pem)
    return Signer("un.example", [load_key(tmp_path / "key.pem", "s1")])


@pytest.mark.parametrize(
    ("change", "silent", "result"),
    [
        pytest.param((b"", b""), "", "pass un.example", id="signed"),
        pytest.param(
            (b"Monday", b"Sunday"),
            "",
            "fail un.example: the text was changed; un.example asks to refuse such mail (DMARC p=reject)",
            id="changed",
        ),
        pytest.param(
            (b"Bridge", b"Tunnel"),
            "",
            "fail un.example: the signature does not match; un.example asks to refuse such mail (DMARC p=reject)",
            id="another subject",
        ),
        pytest.param(
            (b"s=s1;", b"s=s2;"),
            "",
            "fail un.example: its key is not in DNS; un.example asks to refuse such mail (DMARC p=reject)",
            id="no key",
        ),
        pytest.param(
            (b"DKIM-Signature", b"X"),
            "",
            "none; un.example asks to refuse such mail (DMARC p=reject)",
            id="unsigned, of a domain that signs",
        ),
        pytest.param(
            (b"press@un.example", b"press@who.example"),
            "",
            "fail un.example: the signature does not match",
            id="forged",
        ),
        pytest.param(
            (b"", b""),
            "s1._domainkey.un.example",
            "unknown: no answer from DNS",
            id="DNS is silent",
        ),
    ],
)
def test_a_letter_says_what_its_signature_proves(
    maildir: Path, signer: Signer, change: tuple[bytes, bytes], silent: str, result: str
) -> None:
    """An editor decides; what a mailing list or a forger did is said in plain words."""
    wire = letter().as_bytes().replace(b"\n", b"\r\n")
    wire = (signer.sign(wire, NOW - timedelta(minutes=2)) + wire).replace(*change)
    deliver(maildir, 1, wire.replace(b"\r\n", b"\n"))
    names = {
        "s1._domainkey.un.example": [signer.keys[0].dns_record],
        "_dmarc.un.example": ["v=DMARC1; sp=none; p=reject; rua=mailto:a@un.example"],
    }

    def look_up(name: str) -> list[str] | None:
        return None if name == silent else names.get(name, [])

    (one,), _ = read(source(maildir), look_up=look_up)
    assert one.dkim == result
    assert read(source(maildir))[0][0].dkim == "unknown: not checked"


def test_a_silent_dns_is_not_asked_for_ever(maildir: Path, signer: Signer) -> None:
    """Each question waits some seconds; a mailbox full of junk must not hold up the news."""
    asked: list[str] = []
    for number in range(40):
        wire = letter(number).as_bytes().replace(b"\n", b"\r\n")
        signed = signer.sign(wire, NOW - timedelta(minutes=2)) + wire
        deliver(maildir, number, signed.replace(b"s=s1;", b"s=s%d;" % number))
    letters, _ = read(source(maildir), look_up=lambda name: asked.append(name))
    assert {one.dkim for one in letters} == {"unknown: no answer from DNS"}
    assert len(asked) == 11


def test_the_signature_of_a_list_follows_that_of_the_sender(maildir: Path, signer: Signer) -> None:
    """A list changes the text, and then signs by itself."""
    wire = letter(sender="a@un.example").as_bytes().replace(b"\n", b"\r\n")
    signed = signer.sign(wire, NOW - timedelta(minutes=2))
    theirs = signed.replace(b"d=un.example", b"d=who.example")
    deliver(maildir, 1, theirs + signed + wire.replace(b"a@un", b"b@who"))
    deliver(maildir, 2, theirs + signed + wire)
    changed, kept = read(source(maildir), look_up=lambda name: [signer.keys[0].dns_record])[0]
    assert changed.dkim.startswith("fail who.example: ")
    assert kept.dkim == "pass un.example"


@pytest.mark.parametrize(
    ("imap", "message"),
    [
        pytest.param({"host": "mail.un.example", "tls": "none"}, "in the clear", id="no TLS"),
        pytest.param(
            {"host": "127.0.0.1", "password_env": None},
            "no password for 127.0.0.1",
            id="no password",
        ),
        pytest.param(
            {"host": "127.0.0.1", "ca_file": "/nowhere.pem"},
            "nowhere.pem: no certificate",
            id="no certificate",
        ),
        pytest.param({"host": "127.0.0.1", "port": 1}, "127.0.0.1:1", id="no server"),
    ],
)
def test_a_mailbox_that_cannot_be_opened_says_why(
    monkeypatch: pytest.MonkeyPatch, imap: dict[str, object], message: str
) -> None:
    """One clear line for the operator, without the password."""
    monkeypatch.setenv("POST_PASSWORD", "a-secret")
    keys = {"username": "desk", "password_env": "POST_PASSWORD"} | imap
    with pytest.raises(MailboxError, match=message) as raised:
        read(source(None, imap=keys))
    assert "a-secret" not in str(raised.value)


@pytest.mark.dovecot
@pytest.mark.skipif(DOVECOT is None, reason="dovecot is not installed")
def test_letters_of_a_real_imap_server_are_read_once_and_stay_unread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """50 letters over TLS; new ones only the next time; a folder that was made again doubles none."""
    monkeypatch.setenv("POST_PASSWORD", PASSWORD)
    with running_dovecot() as server:
        for number in range(50):
            deliver(server.maildir, number, letter(number))
        imap = {
            "host": "127.0.0.1",
            "port": server.tls_port,
            "username": USER,
            "password_env": "POST_PASSWORD",
            "ca_file": server.certificate,
        }
        letters, place = read(source(None, imap=imap), None)
        assert len({one.key for one in letters}) == 50
        assert sum(one.archive for one in letters) == 30
        assert all(one.listed and not one.error for one in letters)
        # What a maildir gives is the same letter.
        assert {one.key for one in read(source(server.maildir))[0]} == {one.key for one in letters}

        assert read(source(None, imap=imap), place) == ([], place)
        huge = letter(51, "x " * 100_000)
        deliver(server.maildir, 50, letter(50))
        deliver(server.maildir, 51, huge)
        starttls = imap | {"port": server.port, "tls": "starttls"}
        more, later = read(source(None, imap=starttls, size_limit_mib=0.1), place)
        assert [one.error is None for one in more] == [True, False]
        seen = [
            file for file in server.maildir.glob("*/*.mx*") if "S" in file.name.partition(":2,")[2]
        ]
        assert seen == []

        for file in server.maildir.glob("dovecot*"):
            file.unlink()
        guid = "0123456789abcdef" * 2
        (server.maildir / "dovecot-uidlist").write_text(f"3 V7 N1 G{guid}\n")
        for file in server.maildir.glob("*/1700000010.*"):
            file.unlink()
        deliver(server.maildir, 60, letter(60))
        known = [one.key for one in (*letters, *more)]
        again, rebuilt = read(source(None, imap=imap), later, known=known)
        assert [one.data.count(b"Bridge 60") for one in again] == [1]
        assert rebuilt == "7 52"

        for changes, message in (
            ({"ca_file": None}, "certificate"),
            ({"username": "desk", "password_env": "NOT_SET"}, "no password"),
            ({"folder": "Отчёты"}, "Mailbox doesn't exist: Отчёты"),
        ):
            with pytest.raises(MailboxError, match=message) as raised:
                read(source(None, imap=imap | changes))
            assert PASSWORD not in str(raised.value)
        for name in ("cur", "new", "tmp"):
            (server.maildir / ".&BB4EQgRHBFEEQgRL-" / name).mkdir(parents=True)
        server.give(server.maildir / ".&BB4EQgRHBFEEQgRL-")
        assert read(source(None, imap=imap | {"folder": "Отчёты"}))[0] == []

        monkeypatch.setenv("POST_PASSWORD", "wrong-one")
        with pytest.raises(MailboxError, match="Authentication failed") as raised:
            read(source(None, imap=imap))
        assert "wrong-one" not in str(raised.value)
