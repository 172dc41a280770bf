"""DKIM signing, messages a second: a bare RSA-2048 signature, our signer, dkimpy; in turns.

    python bench/signing.py [ROUNDS]

Needs `pip install 'newsroom-digest[dkim]' dkimpy pynacl`. One process, one thread, a 40 kB digest
with tokens in both parts, a token and a Message-ID of its own for each message.
"""

import base64
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import dkim
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from digest.mail.dkim import SegmentSigner, Signer, load_key
from digest.mail.mime import split_at_places
from digest.mail.tokens import PLACEHOLDERS, Tokens, tokens_for

SIGNED_AT = datetime(2026, 11, 22, 8, tzinfo=UTC)
KEY = b"a key of 32 bytes for the bench."
SECONDS = 1.0


def body() -> bytes:
    """About 40 kB: text part, HTML part, quoted-printable, the placeholder six times."""
    paragraph = "".join(
        f"=D0=9D=D0=BE=D0=B2=D0=BE=D1=81=D1=82=D1=8C {i}: customs officers  met in Ashgabat=\r\n"
        for i in range(8)
    )
    link = f"https://news.example/u/\r\n{PLACEHOLDERS.reader}\r\n"
    text = paragraph * 9 + link
    html = link + f'<p style=3D"margin:0">{paragraph}</p>\r\n' * 46 + link * 4
    return (
        f"--b\r\nContent-Type: text/plain\r\n\r\n{text}\r\n--b\r\nContent-Type: text/html\r\n\r\n"
        f"{html}\r\n--b--\r\n"
    ).encode("ascii")


def headers(tokens: Tokens, number: int) -> bytes:
    return (
        "From: =?utf-8?b?0J3QvtCy0L7RgdGC0Lg=?= <digest@news.example>\r\n"
        f"To: Reader {number} <reader{number}@readers.example>\r\n"
        "Subject: =?utf-8?b?0J3QvtCy0L7RgdGC0Lgg0L3QtdC00LXQu9C4?=: customs, youth and\r\n"
        " four other themes\r\n"
        "Date: Sun, 22 Nov 2026 08:00:00 +0000\r\n"
        f"Message-ID: <weekly.48.{tokens.server}@news.example>\r\n"
        "Reply-To: desk@news.example\r\n"
        "List-Id: Weekly digest <weekly.news.example>\r\n"
        f"List-Unsubscribe: <https://news.example/u/{tokens.reader}>,\r\n"
        f" <mailto:leave+{tokens.reader}@news.example>\r\n"
        "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
        "List-Archive: <https://news.example/weekly/>\r\n"
        "List-Help: <mailto:desk@news.example?subject=help>\r\n"
        "Auto-Submitted: auto-generated\r\n"
        "MIME-Version: 1.0\r\n"
        'Content-Type: multipart/alternative; boundary="b"\r\n'
    ).encode("ascii")


def rate(work: Callable[[int], object]) -> float:
    """Calls a second, over about SECONDS."""
    done, start = 0, time.perf_counter()
    while (spent := time.perf_counter() - start) < SECONDS:
        for _ in range(20):
            work(done)
            done += 1
    return done / spent


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    rsa_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    ed_key = ed25519.Ed25519PrivateKey.generate()
    pems = [
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        for key in (rsa_key, ed_key)
    ]
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder, name) for name in ("rsa.pem", "ed25519.pem")]
        for path, pem in zip(paths, pems, strict=True):
            path.write_bytes(pem)
        keys = [load_key(path, path.stem) for path in paths]
    one, both = Signer("news.example", keys[:1]), Signer("news.example", keys)
    common, placeholder = body(), PLACEHOLDERS.reader.encode("ascii")
    tokens = [tokens_for(KEY, 48, number) for number in range(1000)]
    blocks = [headers(own, number) for number, own in enumerate(tokens)]
    words = [own.octets() for own in tokens]
    complete = blocks[7] + b"\r\n" + common.replace(placeholder, words[7][1])
    one_segment, both_segment = (SegmentSigner(s, split_at_places(common)) for s in (one, both))
    pkcs, sha = padding.PKCS1v15(), hashes.SHA256()
    seed = base64.b64encode(ed_key.private_bytes_raw())
    listed = [b"from", b"to", b"subject", b"date", b"message-id", b"list-unsubscribe"]
    ways: dict[str, Callable[[int], object]] = {
        "bare RSA-2048 sign": lambda i: rsa_key.sign(words[i % 1000][0] * 30, pkcs, sha),
        "ours, segment, rsa": lambda i: one_segment.sign(
            blocks[i % 1000], words[i % 1000], SIGNED_AT
        ),
        "ours, segment, rsa + ed25519": lambda i: both_segment.sign(
            blocks[i % 1000], words[i % 1000], SIGNED_AT
        ),
        "ours, whole message, rsa": lambda _: one.sign(complete, SIGNED_AT),
        "dkimpy, rsa": lambda _: dkim.sign(
            complete, b"rsa", b"news.example", pems[0], include_headers=listed
        ),
        "dkimpy, ed25519": lambda _: dkim.sign(
            complete,
            b"ed",
            b"news.example",
            seed,
            signature_algorithm=b"ed25519-sha256",
            include_headers=listed,
        ),
    }
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, work in ways.items():
            rates[name].append(rate(work))
    bare = rates["bare RSA-2048 sign"]
    print(f"message of {len(complete)} bytes, {rounds} rounds, median (min-max) a second")
    for name, measured in rates.items():
        share = statistics.median(a / b for a, b in zip(measured, bare, strict=True))
        print(
            f"{name:30} {statistics.median(measured):8.0f} ({min(measured):.0f}-{max(measured):.0f})"
            f"  {share:.3f} of bare RSA"
        )


if __name__ == "__main__":
    main()
