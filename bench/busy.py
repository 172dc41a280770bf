"""How much bounces and documents that come in meanwhile slow down `digest send`.

    python bench/busy.py [--recipients 100000] [--bounces 5000] [--documents 2000]

Sends one edition twice, alone and beside `digest bounces read` and `digest ingest`, to a server on this
machine that refuses one address in a hundred. The bounces are about mail that was just sent; one in
ten says that the address is dead, the others that the mailbox is full. More would put on the brake.
"""

import argparse
import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from send import CONNECTIONS, ROOT, add_recipients, digest

PARTS = 20
"""How many times each of the two commands is run during the sending."""
BOUNCE = """From: MAILER-DAEMON@relay.example
To: bounces+{token}@news.example.org
Subject: Undelivered Mail
Content-Type: multipart/report; report-type=delivery-status; boundary=b

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; relay.example

Final-Recipient: rfc822; r{number}@d{domain}.example.org
Action: failed
Status: {status}
Diagnostic-Code: smtp; 550 {status} {words}
--b--
"""
MEANS = (("5.2.2", "mailbox full"), ("5.1.1", "no such user"))


class Refusing(asyncio.Protocol):
    """A server with PIPELINING that knows every address but one in a hundred."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport, self.rest, self.in_body = transport, b"", False
        transport.write(b"220 ready\r\n")

    def data_received(self, data: bytes) -> None:
        self.rest += data
        answers = []
        while True:
            end = b"\r\n.\r\n" if self.in_body else b"\r\n"
            part, found, rest = self.rest.partition(end)
            if not found:
                break
            self.rest = rest
            if self.in_body:
                answers.append(b"250 2.0.0 taken\r\n")
                self.in_body = False
                continue
            verb = part[:4].upper()
            if verb == b"EHLO":
                answers.append(b"250-server\r\n250-PIPELINING\r\n250 ENHANCEDSTATUSCODES\r\n")
            elif verb == b"RCPT":
                number = int(part.partition(b"<r")[2].partition(b"@")[0])
                self.refused = number % 101 == 7
                answers.append(
                    b"550 5.1.1 no such user\r\n" if self.refused else b"250 2.1.5 good\r\n"
                )
            elif verb == b"DATA":
                self.in_body = not self.refused
                answers.append(b"503 5.5.1 no recipient\r\n" if self.refused else b"354 go on\r\n")
            else:
                answers.append(b"250 2.0.0 good\r\n")
        self.transport.write(b"".join(answers))


async def serve() -> None:
    server = await asyncio.get_running_loop().create_server(Refusing, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("--recipients", type=int, default=100_000)
    asked.add_argument("--bounces", type=int, default=5_000)
    asked.add_argument("--documents", type=int, default=2_000)
    asked.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = asked.parse_args()
    if options.serve:
        asyncio.run(serve())
        return
    rates = {}
    for busy in (False, True):
        with tempfile.TemporaryDirectory() as folder:
            rates[busy] = one_run(Path(folder), options, busy=busy)
    print(f"busy / alone: {rates[True] / rates[False]:.2f}")


def one_run(work: Path, options: argparse.Namespace, *, busy: bool) -> float:
    """Messages a second."""
    server = subprocess.Popen(
        [sys.executable, __file__, "--serve"], stdout=subprocess.PIPE, text=True
    )
    try:
        port = int(server.stdout.readline())
        prepare(work, port, options)
        began = time.perf_counter()
        sending = subprocess.Popen(
            [*digest(work, "config"), "send", "--yes", "--json"], stdout=subprocess.PIPE
        )
        others = threading.Thread(target=meanwhile, args=(work, options, sending))
        if busy:
            others.start()
        report = json.loads(sending.stdout.read())
        _, status, used = os.wait4(sending.pid, 0)
        sending.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - began
        if busy:
            others.join()
    finally:
        server.kill()
    rate = options.recipients / seconds
    name = "busy" if busy else "alone"
    print(
        f"{name}: {rate:,.0f} messages/s, peak memory {used.ru_maxrss / 1024:.0f} MB, {report[0]['left']}"
    )
    return rate


def prepare(work: Path, port: int, options: argparse.Namespace) -> None:
    """A desk, and the bounces and documents that come in later, in as many folders as parts."""
    from digest.mail.tokens import token_for
    from digest.newsroom import Newsroom

    shutil.copytree(ROOT / "seeds", work / "seeds")
    text = (ROOT / "digest" / "config" / "config.toml").read_text(encoding="utf-8")
    server = (
        f'[[mail.servers]]\nhost = "127.0.0.1"\nport = {port}\ntls = "none"\n'
        f"connections = {CONNECTIONS}\n"
    )
    text = text.replace('transport = "maildir"', 'transport = "smtp"')
    (work / "config.toml").write_text(text.replace("[web]", f"{server}\n[web]"), encoding="utf-8")
    subprocess.run([*digest(work, "config"), "ingest"], check=True, stdout=subprocess.DEVNULL)
    add_recipients(work / "digest.db", options.recipients)
    with Newsroom.from_file(work / "config.toml").open() as newsroom:
        key = newsroom.token_key
    for part in range(PARTS):
        for name in ("tmp", "new", "cur"):
            (work / f"bounces-{part}" / name).mkdir(parents=True)
        (work / f"documents-{part}").mkdir()
    for number in range(1, options.bounces + 1):
        if number % 101 != 7:
            status, words = MEANS[number % 11 == 0]
            mail = BOUNCE.format(
                token=token_for(key, 1, number),
                number=number,
                domain=number % 50,
                status=status,
                words=words,
            )
            part = number * PARTS // (options.bounces + 1)
            (work / f"bounces-{part}" / "new" / str(number)).write_text(mail)
    for number in range(options.documents):
        text = f"Customs officers open post {number} at Selkan\n\n" + (
            f"Customs officers in Selkan opened post number {number} on the road to Nordend. " * 12
        )
        (work / f"documents-{number % PARTS}" / f"d{number}.txt").write_text(text)


def meanwhile(work: Path, options: argparse.Namespace, sending: subprocess.Popen) -> None:
    """Read bounces and documents in parts for as long as the sending lasts."""
    done = 0
    for part in range(PARTS):
        if sending.returncode is not None:
            break
        for path in (work / f"documents-{part}").iterdir():
            path.rename(work / "seeds" / path.name)
        for words in (("ingest",), ("bounces", "read", str(work / f"bounces-{part}"))):
            subprocess.run([*digest(work, "config"), *words], check=True, capture_output=True)
        done += 1
    print(f"  {done} of {PARTS} parts came in during the sending")


if __name__ == "__main__":
    main()
