"""Letters that are made to take long: the work is bounded before a library sees them."""

from collections.abc import Callable, Iterator

import pytest

from digest.bounces.reports import ReturnAddresses, ReturnKind, read_report
from digest.mail import messages

OURS = ReturnAddresses("leave@news.example", (b"a key of 32 bytes for the tests.",))
SIZE = 200_000
HEAD = b"From: MAILER-DAEMON@there.example\nSubject: Undelivered\n"
PARTS = HEAD + b"Content-Type: multipart/report; boundary=b\n\n"
STATUS = HEAD + b"Content-Type: message/delivery-status\n\nAction: failed\n"


def filled(piece: bytes) -> bytes:
    return piece * (SIZE // len(piece))


def numbered(piece: Callable[[int], bytes]) -> bytes:
    return b"".join(piece(number) for number in range(SIZE // len(piece(1000))))


HOSTILE = {
    "multiparts in multiparts": numbered(lambda i: b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (i, i)),
    "mails in mails": filled(b"Content-Type: message/rfc822\n\n"),
    "parts": PARTS + b"--b\n\nxyz\n" * 20_000,
    "boundaries": PARTS + filled(b"--b\n"),
    "boundaries of others": PARTS + filled(b"--\n"),
    "parameters": HEAD + b"Content-Type: multipart/report" + filled(b';a="') + b"\n\n",
    "escapes": HEAD + b'Content-Type: multipart/report; boundary="' + filled(b'\\"') + b"\n\n",
    "encoded words": HEAD + b"Content-Type: " + filled(b"=?utf-8?q?a?= ") + b"\n\n",
    "RFC 2231": HEAD + b"Content-Type: multipart/report" + numbered(lambda i: b";\n boundary*%d*=%%41" % i) + b"\n\n",
    "header fields": HEAD + numbered(lambda i: b"X-%d: a\n" % i) + b"\n",
    "headers without names": filled(b":\n"),
    "one folded header": HEAD + b"X: a\n" + filled(b" a\n") + b"\n",
    "addresses": b"From: " + filled(b"a,") + b"\n\n",
    "comments": b"From: " + filled(b"(") + b"\n\n",
    "JSON arrays": HEAD + b'\n{"notificationType":"Bounce","mail":{},"bounce":' + b"[" * 100_000,
    "JSON objects": HEAD + b"\n" + filled(b'{"Message":'),
    "status groups": STATUS + b"\n" + filled(b"Action: failed\n\n"),
    "one folded field": STATUS + b"Diagnostic-Code: x\n" + filled(b" a\n"),
    "words of refusals": HEAD + b"\n" + filled(b"user mailbox account ;;;; sender is "),
    "one word of refusals": HEAD + b"\n" + filled("ящика".encode()),
    "brackets": HEAD + b"\n" + filled(b"<(["),
    "addresses in words": HEAD + b"\n" + filled(b"a@a."),
    "empty lines": HEAD + b"\n" + filled(b"\n"),
    "tags": HEAD + b"Content-Type: text/html\n\n" + filled(b"<a "),
    "encoded lines": HEAD + b"Content-Transfer-Encoding: quoted-printable\n\n" + filled(b"=\n"),
    "Russian": HEAD + b"\n" + filled("адрес домен ящик ".encode("koi8-r")),
}  # fmt: skip


def all_parts(raw: bytes) -> Iterator[str]:
    waiting = [messages.parse(raw)]
    while waiting:
        part = waiting.pop()
        assert all(len(name) <= 4000 and len(str(value)) <= 4000 for name, value in part.items())
        yield part.get_content_type()
        payload = part.get_payload()
        waiting += (
            [one for one in payload if not isinstance(one, str)]
            if isinstance(payload, list)
            else []
        )


@pytest.mark.parametrize("raw", [pytest.param(raw, id=name) for name, raw in HOSTILE.items()])
def test_the_work_is_bounded(raw: bytes) -> None:
    """However a letter of 200 kB is made, the library sees few parts and short fields."""
    assert len(list(all_parts(raw))) <= 10_000
    assert read_report(raw, OURS).kind in {ReturnKind.SOFT, ReturnKind.UNKNOWN}


@pytest.mark.parametrize("depth", [10, 400, 900, 5_000])
def test_a_notice_of_any_depth_is_read(depth: int) -> None:
    """What JSON can hold may still be too deep to be written again."""
    deep = "[" * depth + "]" * depth
    bounce = (
        f'{{"bounceType":{deep},"bouncedRecipients":[{{"emailAddress":{deep},"status":{deep}}}]}}'
    )
    notice = f'{{"notificationType":"Bounce","mail":{{"source":{deep}}},"bounce":{bounce}}}'
    assert read_report(HEAD + b"\n" + notice.encode(), OURS).kind is ReturnKind.SOFT
