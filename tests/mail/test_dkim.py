"""Signatures, checked by an independent verifier."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from email.header import Header
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.errors import SigningError
from digest.mail.dkim import (
    SegmentSigner,
    Signer,
    load_key,
    relaxed_body,
    relaxed_fields,
    signed_recipient,
)
from digest.mail.mime import split_at_places
from digest.mail.tokens import PLACEHOLDERS, tokens_for

dkimpy = pytest.importorskip("dkim")
pytest.importorskip("nacl")
crypto_rsa = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.rsa")
from cryptography.hazmat.primitives.asymmetric import ec, ed25519  # noqa: E402 - after the skip
from cryptography.hazmat.primitives.serialization import (  # noqa: E402 - after the skip
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)

SIGNED_AT = datetime(2026, 11, 22, 8, 0, 5, tzinfo=UTC)
DOMAIN = "news.example"
HEADERS = (
    b"From: Newsroom <digest@news.example>\r\n"
    b"To: Anna <anna@reader.example>\r\n"
    b"Subject: Week 48\r\n"
    b"Date: Sun, 22 Nov 2026 08:00:00 +0000\r\n"
    b"Message-ID: <weekly.48.x@news.example>\r\n"
    b"List-Unsubscribe: <mailto:leave+x@news.example>\r\n"
    b"MIME-Version: 1.0\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\n"
)
FOLDED = b"Customs and\r\n\tyouth,\r\n   week  48 \t"
CYRILLIC = Header("Таможня и молодёжь: " * 6, "utf-8").encode(linesep="\r\n").encode()


def pem(key, protection: KeySerializationEncryption | None = None) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, protection or NoEncryption())


def rsa(bits: int):
    return crypto_rsa.generate_private_key(public_exponent=65537, key_size=bits)


LOCK = BestAvailableEncryption(b"x")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("keys")
    (made / "rsa.pem").write_bytes(pem(rsa(2048)))
    (made / "ed.pem").write_bytes(pem(ed25519.Ed25519PrivateKey.generate()))
    return made


@pytest.fixture(scope="module")
def signer(folder: Path) -> Signer:
    return Signer(DOMAIN, [load_key(folder / "rsa.pem", "r1"), load_key(folder / "ed.pem", "e1")])


@pytest.fixture(scope="module")
def verified(signer: Signer) -> Callable[[bytes], list[bool]]:
    """Whether dkimpy accepts each signature of a message, RSA first."""
    records = {
        f"{key.selector}._domainkey.{DOMAIN}.".encode(): key.dns_record.encode()
        for key in signer.keys
    }

    def accepted(message: bytes, i: int) -> bool:
        try:
            return bool(dkimpy.DKIM(message).verify(i, lambda name, timeout=5: records[name]))
        except dkimpy.ValidationError:
            return False

    return lambda message: [accepted(message, 0), accepted(message, 1)]


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        pytest.param(HEADERS, b"Text.\r\n", id="plain"),
        pytest.param(HEADERS, b"", id="empty body"),
        pytest.param(HEADERS, b"\r\n\r\n", id="body of empty lines"),
        pytest.param(HEADERS, b" \t \r\n", id="body of blanks"),
        pytest.param(HEADERS, b"Text.\r\n\r\n\r\n", id="empty lines at the end"),
        pytest.param(HEADERS, b"Text without its line end", id="last line open"),
        pytest.param(HEADERS, b"a \t b  \r\n\t c\t\r\n  \r\nd \t\r\n", id="blanks everywhere"),
        pytest.param(HEADERS, b"." * 70_000 + b"\r\n", id="one long line"),
        pytest.param(HEADERS.replace(b"Week 48", FOLDED), b"Text.\r\n", id="folded with blanks"),
        pytest.param(HEADERS.replace(b"Week 48", CYRILLIC), "Новости\r\n".encode(), id="Cyrillic"),
        pytest.param(HEADERS + b"X-Empty:\r\nReply-To:\r\n", b"Text.\r\n", id="empty headers"),
        pytest.param(HEADERS + b"Cc: a@x.test\r\nCc: b@x.test\r\n", b"Text.\r\n", id="twice"),
    ],
)
def test_an_independent_verifier_accepts_both_signatures(
    signer: Signer, verified: Callable[[bytes], list[bool]], headers: bytes, body: bytes
) -> None:
    """Receivers find any mail of ours unchanged."""
    message = headers + b"\r\n" + body
    assert verified(signer.sign(message, SIGNED_AT) + message) == [True, True]


LINES = st.lists(
    st.text(alphabet=" \t.aЖ=", max_size=12).map(lambda line: line.encode()), max_size=6
)


@settings(max_examples=40, deadline=None)
@given(LINES)
def test_any_body_verifies(
    signer: Signer, verified: Callable[[bytes], list[bool]], lines: list[bytes]
) -> None:
    """The relaxed form is that of the verifier for every mixture of blanks and lines."""
    message = HEADERS + b"\r\n" + b"".join(line + b"\r\n" for line in lines)
    assert verified(signer.sign(message, SIGNED_AT) + message) == [True, True]


@settings(max_examples=40, deadline=None)
@given(LINES, st.integers(0, 3))
def test_a_segment_signs_like_the_complete_message(
    signer: Signer, lines: list[bytes], places: int
) -> None:
    """Signing by segment is only faster: the signature is that of the complete message."""
    placeholder, tokens = PLACEHOLDERS.reader.encode(), tokens_for(b"k" * 32, 48, 7).octets()
    body = (b"\r\n" + placeholder + b" ").join([*lines, b"\r\n"][: places + 1])
    message = HEADERS + b"\r\n" + body.replace(placeholder, tokens[1])
    segment = SegmentSigner(signer, split_at_places(body))
    by_segment = segment.sign(HEADERS[:-2], tokens, SIGNED_AT)
    assert by_segment == signer.sign(message, SIGNED_AT)


def test_each_recipient_of_a_segment_verifies(
    signer: Signer, verified: Callable[[bytes], list[bool]]
) -> None:
    """The common part is hashed once for all."""
    placeholder = PLACEHOLDERS.reader.encode()
    body = b"Leave:  https://news.example/u/" + placeholder + b"\r\nor " + placeholder + b"\r\n\r\n"
    segment = SegmentSigner(signer, split_at_places(body))
    for recipient in (1, 2):
        tokens = tokens_for(b"k" * 32, 48, recipient).octets()
        headers = HEADERS.replace(b"48.x", b"48." + tokens[0])
        message = headers + b"\r\n" + body.replace(placeholder, tokens[1])
        assert verified(segment.sign(headers, tokens, SIGNED_AT) + message) == [True, True]


@pytest.mark.parametrize(
    "added", ["Subject", "From", "To", "Reply-To", "List-Unsubscribe", "Content-Type", "Cc"]
)
def test_a_field_added_on_the_way_breaks_the_signature(
    signer: Signer, verified: Callable[[bytes], list[bool]], added: str
) -> None:
    """Over-signing: nobody can show our readers a second subject or another address to leave."""
    message = HEADERS + b"\r\nText.\r\n"
    signed = signer.sign(message, SIGNED_AT) + message
    assert verified(f"{added}: <x@thief.example>\r\n".encode() + signed) == [False, False]


def test_a_changed_body_breaks_the_signature(
    signer: Signer, verified: Callable[[bytes], list[bool]]
) -> None:
    """There is no l=, so nothing can be added below the text."""
    message = HEADERS + b"\r\nText.\r\n"
    signed = signer.sign(message, SIGNED_AT) + message
    assert verified(signed + b"More.\r\n") == [False, False]


def test_the_signature_says_what_it_should(signer: Signer) -> None:
    """RSA is first, for receivers without Ed25519; lines are short; the time is ours."""
    signed = signer.sign(HEADERS + b"\r\nText.\r\n", SIGNED_AT)
    rsa_field, ed_field = re.findall(rb"DKIM-Signature: (?:.|\r\n )*\r\n", signed)
    assert b"a=rsa-sha256; c=relaxed/relaxed; d=news.example;\r\n s=r1;" in rsa_field
    assert b"a=ed25519-sha256; c=relaxed/relaxed; d=news.example;\r\n s=e1;" in ed_field
    for field in (rsa_field, ed_field):
        assert b" t=1795334405;" in field
        assert not re.search(rb"[; ][lx]=", field)
        listed = re.sub(rb"\s", b"", field).partition(b"h=")[2].partition(b";")[0].split(b":")
        assert listed.count(b"from") == 2
        assert listed.count(b"list-unsubscribe") == 2
        assert listed.count(b"list-unsubscribe-post") == 1
    assert max(len(line) for line in signed.split(b"\r\n")) <= 78


def test_the_same_message_gets_the_same_signature(signer: Signer) -> None:
    """The bytes of a dry run are the bytes that are sent."""
    message = HEADERS + b"\r\nText.\r\n"
    assert signer.sign(message, SIGNED_AT) == signer.sign(message, SIGNED_AT)


@pytest.mark.parametrize(
    ("body", "relaxed"),
    [
        # RFC 6376 §3.4.5 gives the first.
        pytest.param(b" C \r\nD \t E\r\n\r\n\r\n", b" C\r\nD E\r\n", id="the standard's example"),
        pytest.param(b"", b"", id="empty"),
        pytest.param(b"\r\n", b"", id="one empty line"),
        pytest.param(b"a \t", b"a\r\n", id="open line, which SMTP ends"),
        pytest.param(b"a" + b" " * 1000 + b"b\r\n", b"a b\r\n", id="long run"),
    ],
)
def test_the_relaxed_form_of_a_body(body: bytes, relaxed: bytes) -> None:
    """RFC 6376 §3.4.4."""
    assert relaxed_body(body) == relaxed


def test_the_relaxed_form_of_headers() -> None:
    """RFC 6376 §3.4.5's example."""
    block = b"A: X\r\nB : Y\t\r\n\tZ  \r\n"
    assert list(relaxed_fields(block)) == [(b"a", b"a:X"), (b"b", b"b:Y Z")]


@pytest.mark.parametrize(
    ("message", "error"),
    [
        pytest.param(HEADERS.replace(b"\r\n", b"\n") + b"\nText.\n", "LF alone", id="bare LF"),
        pytest.param(HEADERS + b"\r\nText\r.\r\n", "has CR", id="bare CR"),
        pytest.param(HEADERS + b"nonsense\r\n\r\nText.\r\n", "nonsense", id="no header"),
    ],
)
def test_bytes_that_a_server_would_change_are_not_signed(
    signer: Signer, message: bytes, error: str
) -> None:
    """They are a bug of ours, raised before anything is sent."""
    with pytest.raises(ValueError, match=error):
        signer.sign(message, SIGNED_AT)


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param(HEADERS.replace(b"news.example>", b"other.example>", 1), id="other domain"),
        pytest.param(HEADERS.replace(b"@news", b"@fakenews", 1), id="domain that only ends so"),
        pytest.param(HEADERS[HEADERS.index(b"To") :], id="no From"),
        pytest.param(HEADERS + b"From: b@news.example\r\n", id="two From"),
    ],
)
def test_a_from_outside_the_domain_is_refused(signer: Signer, headers: bytes) -> None:
    """A signature that DMARC would not count is an error in the settings."""
    with pytest.raises(SigningError, match=r"DKIM for news\.example"):
        signer.sign(headers + b"\r\nText.\r\n", SIGNED_AT)


@pytest.mark.parametrize("token", [b"", b"a b", b" a", b"a\r\n"])
def test_a_token_is_one_word(signer: Signer, token: bytes) -> None:
    """Otherwise the body, which is relaxed once, would not be that of the message."""
    segment = SegmentSigner(signer, split_at_places(PLACEHOLDERS.reader.encode() + b"\r\n"))
    with pytest.raises(ValueError, match="one word"):
        segment.sign(HEADERS, (b"one", token), SIGNED_AT)


@pytest.mark.parametrize(
    ("name", "make", "error"),
    [
        pytest.param("missing.pem", None, "cannot be read", id="missing"),
        pytest.param("text.pem", lambda: b"not a key", "no private key", id="no PEM"),
        pytest.param("small.pem", lambda: pem(rsa(1024)), "1024 bits", id="RSA too short"),
        pytest.param("ec.pem", lambda: pem(ec.generate_private_key(ec.SECP256R1())), "not EC", id="elliptic curve"),
        pytest.param("locked.pem", lambda: pem(ed25519.Ed25519PrivateKey.generate(), LOCK), "passphrase", id="locked"),
    ],
)  # fmt: skip
def test_a_key_that_cannot_sign_is_reported(
    tmp_path: Path, name: str, make: Callable[[], bytes] | None, error: str
) -> None:
    """The operator reads which file it is, its fault and what to do."""
    path = tmp_path / name
    if make is not None:
        path.write_bytes(make())
    with pytest.raises(SigningError, match=error) as raised:
        load_key(path, "r1")
    assert name in str(raised.value)


@pytest.mark.parametrize(
    ("domain", "files"),
    [
        pytest.param(DOMAIN, [], id="no key"),
        pytest.param(DOMAIN, [("ed.pem", "e1")], id="Ed25519 alone"),
        pytest.param(DOMAIN, [("rsa.pem", "r1"), ("ed.pem", "r1")], id="one selector for two"),
        pytest.param("новости.example", [("rsa.pem", "r1")], id="domain not ASCII"),
        pytest.param(DOMAIN, [("rsa.pem", "r 1")], id="selector with a blank"),
    ],
)
def test_a_signer_that_receivers_cannot_check_is_refused(
    folder: Path, domain: str, files: list[tuple[str, str]]
) -> None:
    """RFC 8463: Ed25519 comes second; DNS holds names in ASCII."""
    with pytest.raises(SigningError, match=f"DKIM for {domain}"):
        Signer(domain, [load_key(folder / name, selector) for name, selector in files])


def no_lookup(name: str) -> None:
    return None


def enclosed(
    folder: Path, *, headers: bytes = HEADERS, domain: str = DOMAIN
) -> tuple[bytes, Signer]:
    signer = Signer(domain, [load_key(folder / "rsa.pem", "s1")])
    mail = headers + b"\r\nNews.\r\n"
    return signer.sign(mail, SIGNED_AT) + mail, signer


def test_our_valid_signature_names_who_got_the_mail(folder: Path) -> None:
    """With our own key, or with the one in DNS where the relay signs."""
    mail, signer = enclosed(folder)
    assert signed_recipient(mail, DOMAIN, signer.keys, no_lookup) == "anna@reader.example"
    asked: list[str] = []

    def look_up(name: str) -> str:
        asked.append(name)
        return signer.keys[0].dns_record

    assert signed_recipient(mail, DOMAIN, (), look_up) == "anna@reader.example"
    assert asked == ["s1._domainkey.news.example"]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda m: m.replace(b"anna@", b"boris@"), id="another To"),
        pytest.param(lambda m: b"To: boris@reader.example\r\n" + m, id="a second To"),
        pytest.param(lambda m: m.replace(b"News.", b"Spam."), id="another body"),
        pytest.param(
            lambda m: m.replace(b"d=news.example", b"d=evil.example"), id="another domain"
        ),
        pytest.param(lambda m: m.partition(b"From:")[2], id="no signature"),
        pytest.param(lambda m: m.replace(b"b=", b"b=!!"), id="no base64"),
        pytest.param(lambda m: m.replace(b"h=from", b"h=\xff"), id="no header"),
        pytest.param(lambda m: m[:300], id="cut"),
        pytest.param(lambda m: b"\xff\x00" * 1000, id="no mail"),
        pytest.param(lambda m: b"", id="nothing"),
        pytest.param(lambda m: m + b" " * 200_000, id="blanks in quadratic time"),
        pytest.param(
            lambda m: m.replace(b"From:", b"X:" + b"\r\n x" * 50_000 + b"\r\nFrom:"),
            id="an endless head",
        ),
    ],
)
def test_a_changed_mail_proves_nothing(folder: Path, change: Callable[[bytes], bytes]) -> None:
    """What strangers enclose can be anything; nobody's name in DNS but ours is looked up."""
    mail, signer = enclosed(folder)

    def look_up(name: str) -> None:
        assert name.endswith("._domainkey.news.example")

    assert signed_recipient(change(mail), DOMAIN, signer.keys, look_up) is None


def test_the_signature_of_another_domain_proves_nothing(folder: Path) -> None:
    """Anybody can sign a mail to anybody for a domain of their own."""
    theirs = HEADERS.replace(b"digest@news.example", b"digest@evil.example")
    mail, signer = enclosed(folder, headers=theirs, domain="evil.example")
    assert signed_recipient(mail, DOMAIN, signer.keys, no_lookup) is None


def test_no_enclosed_bytes_raise(folder: Path) -> None:
    """A letter must not stop the mailbox."""
    mail, signer = enclosed(folder)

    @settings(max_examples=200, deadline=None)
    @given(st.integers(0, len(mail)), st.binary(max_size=40))
    def check(at: int, noise: bytes) -> None:
        letter = mail[:at] + noise + mail[at + len(noise) :]
        signed_recipient(letter, DOMAIN, signer.keys, no_lookup)

    check()
