"""How fast `digest send` is, ledger and all, beside what others do with the same messages.

    python bench/send.py [--recipients 20000] [--rounds 3] [--only ours,aiosmtplib,...]

All peers send to Postfix's smtp-sink on this machine, in turns within one run, so that the ratios
hold where the rates do not. Needs the programs smtp-sink and smtp-source (Debian: `apt-get install
postfix`; its service need not run), and for two peers `pip install django aiosmtplib`.

    ours         digest send --yes: composes, renders, 20,000 own messages, ledger on disk (fsync)
    ours-60      the same to recipients with 60 different choices, half of whom are owed a correction
    ours-dkim    as ours with an RSA-2048 signature on each
    aiosmtplib   a bare loop over as many connections, one ready message, no ledger
    smtp-source  Postfix's own load generator, in C
    smtplib      a plain loop over one connection
    django       send_messages of EmailMultiAlternatives over one connection
"""

import argparse
import asyncio
import json
import os
import resource
import shutil
import smtplib
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CONNECTIONS = 10
SLOW = {"smtplib": 0.25, "django": 0.1}
"""Share of the messages that a slow peer sends; its rate is what counts."""


@dataclass(frozen=True)
class Run:
    """One turn of one peer: messages, wall seconds, CPU seconds, peak memory in MB."""

    messages: int
    wall: float
    cpu: float
    peak: float

    @property
    def rate(self) -> float:
        return self.messages / self.wall


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("--recipients", type=int, default=20_000)
    asked.add_argument("--rounds", type=int, default=3)
    asked.add_argument(
        "--only", default="ours,ours-60,ours-dkim,aiosmtplib,smtp-source,smtplib,django"
    )
    asked.add_argument("--peer", help=argparse.SUPPRESS)
    asked.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    asked.add_argument("--port", type=int, default=0, help=argparse.SUPPRESS)
    options = asked.parse_args()
    if options.peer:
        PEERS[options.peer](options.work, options.port, options.recipients)
        return
    sink = shutil.which("smtp-sink", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if sink is None:
        sys.exit("bench/send.py needs smtp-sink: on Debian, apt-get install postfix")
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        prepare(work, options.recipients)
        measure(work, sink, options.only.split(","), options.recipients, options.rounds)


def prepare(work: Path, recipients: int) -> None:
    """A desk with the seeds, an edition of about 40 kB, and so many recipients."""
    shutil.copytree(ROOT / "seeds", work / "seeds")
    text = (ROOT / "digest" / "config" / "config.toml").read_text(encoding="utf-8")
    text = text.replace("per_theme = 10", "per_theme = 7")
    (work / "plain.toml").write_text(text, encoding="utf-8")
    key = work / "rsa.pem"
    write_key(key)
    subprocess.run([*digest(work, "plain"), "ingest"], check=True, stdout=subprocess.DEVNULL)
    shutil.copy(work / "digest.db", work / "empty.db")
    add_recipients(work / "digest.db", recipients)
    subprocess.run(
        [*digest(work, "plain"), "send", "--dry-run", "--out", str(work / "preview")],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    [message] = (work / "preview").glob("*.eml")
    shutil.copy(message, work / "message.eml")
    (work / "digest.db").rename(work / "ready.db")
    shutil.copy(work / "empty.db", work / "digest.db")
    add_recipients(work / "digest.db", recipients, CHOICES)
    owe_a_correction(work)
    (work / "digest.db").rename(work / "ready-60.db")
    print(f"message of {message.stat().st_size:,} bytes, {recipients:,} recipients")


def owe_a_correction(work: Path) -> None:
    """All were sent an edition last week, and half of them have an article that was corrected since."""
    from digest.store.database import open_database

    with open_database(work / "digest.db") as db, db.write():
        db.run(
            """INSERT INTO editions (id, digest, number, starts_at, ends_at, status, hash, composed_at,
                                     dated_at, approved_at)
               SELECT 1, 'weekly', 1, '2000-01-01T00:00:00Z', min(first_seen_at), 'composed', 'x',
                      min(first_seen_at), min(first_seen_at), '2000' FROM articles"""
        )
        db.run(
            """INSERT INTO segments (id, edition_id, language, languages, themes, hash, layout)
               VALUES (1, 1, 'en', 'en', 'a', 'x', '[]'), (2, 1, 'en', 'en', 'b', 'x', '[]')"""
        )
        db.run("INSERT INTO segment_articles VALUES (1, 1, 1)")
        db.run(
            """INSERT INTO deliveries (edition_id, recipient_id, segment_id, status)
               SELECT 1, id, 1 + id / 60 % 2, 'sent' FROM recipients"""
        )
        db.run(
            """UPDATE articles SET version = 2, corrected_at = first_seen_at, corrected = 'title',
                      title = 'Corrected: ' || title WHERE id = 1"""
        )
        columns = ", ".join(
            row["name"] for row in db.rows("SELECT name FROM pragma_table_info('article_versions')")
        )
        values = columns.replace("version", "2", 1).replace("title", "'Corrected: ' || title", 1)
        db.run(
            f"INSERT INTO article_versions ({columns}) SELECT {values} FROM article_versions "  # noqa: S608
            "WHERE article_id = 1"
        )


def digest(work: Path, name: str) -> list[str]:
    return [sys.executable, "-m", "digest", "--config", str(work / f"{name}.toml")]


def write_key(path: Path) -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    path.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )


THEMES = ("drugs", "customs", "youth", "other")
CHOICES = [
    (languages, [theme for bit, theme in enumerate(THEMES) if chosen & 1 << bit])
    for languages in (("en",), ("ru",), ("en", "ru"), ("ru", "en"))
    for chosen in range(1, 16)
]
"""Sixty, each of which gets some of the seeds."""


def add_recipients(path: Path, count: int, choices: Sequence[object] = ()) -> None:
    """So many recipients of everything in English, all with one choice, or evenly with these."""
    from digest.store.database import open_database

    with open_database(path) as db, db.write():
        first = (db.value("SELECT max(id) FROM recipients") or 0) + 1
        ids = range(first, first + count)
        db.run_many(
            """INSERT INTO recipients (id, address, address_key, language, status, added_at)
               VALUES (?1, 'r' || ?1 || '@d' || (?1 % 50) || '.example.org',
                       'r' || ?1 || '@d' || (?1 % 50) || '.example.org', 'en', 'active', '2026')""",
            ((i,) for i in ids),
        )
        for i in ids:
            languages, themes = choices[i % len(choices)] if choices else (("en",), ())
            rows = [(i, position, one) for position, one in enumerate(languages, 1)]
            db.run_many("INSERT INTO recipient_languages VALUES (?, ?, ?)", rows)
            db.run("UPDATE recipients SET language = ? WHERE id = ?", (languages[0], i))
            db.run_many("INSERT INTO recipient_themes VALUES (?, ?)", [(i, one) for one in themes])
        db.run_many("INSERT INTO recipient_digests VALUES (?, 'weekly')", ((i,) for i in ids))


def measure(work: Path, sink: str, peers: list[str], messages: int, rounds: int) -> None:
    runs: dict[str, list[Run]] = {peer: [] for peer in peers}
    for turn in range(rounds):
        for peer in peers:
            count = int(messages * SLOW.get(peer, 1))
            with smtp_sink(sink) as port:
                runs[peer].append(one_run(work, peer, port, count))
            print(f"  round {turn + 1}: {peer:<12} {runs[peer][-1].rate:8,.0f} messages/s")
    print(f"\n{'peer':<12} {'messages/s':>11} {'min':>8} {'max':>8} {'CPU us':>8} {'MB':>6}")
    for peer, measured in runs.items():
        rates = [run.rate for run in measured]
        cpu = statistics.median(run.cpu / run.messages for run in measured) * 1e6
        peak = max(run.peak for run in measured)
        print(
            f"{peer:<12} {statistics.median(rates):11,.0f} {min(rates):8,.0f} {max(rates):8,.0f} "
            f"{cpu:8,.0f} {peak:6,.0f}"
        )
    for mine in ("ours", "ours-60", "ours-dkim"):
        for peer in peers:
            if mine in runs and peer != mine and (peer == "ours" or "ours" not in peer):
                ratios = [a.rate / b.rate for a, b in zip(runs[mine], runs[peer], strict=True)]
                print(f"{mine} / {peer}: {statistics.median(ratios):.2f}")
    if "ours-dkim" in runs:
        signing = bare_signing(work / "rsa.pem")
        rate = statistics.median(run.rate for run in runs["ours-dkim"])
        print(f"ours-dkim / bare RSA-2048 signing ({signing:,.0f}/s): {rate / signing:.2f}")


def bare_signing(path: Path) -> float:
    """RSA-2048 signatures a second on one core, and nothing else."""
    from digest.mail.dkim import load_key

    key = load_key(path, "bench")
    began = time.perf_counter()
    for number in range(2000):
        key.sign(b"%d" % number)
    return 2000 / (time.perf_counter() - began)


class smtp_sink:  # noqa: N801 - used as a function
    """A fresh smtp-sink on a free port while the block lasts."""

    def __init__(self, program: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        user = ["-u", "nobody"] if os.geteuid() == 0 else []
        self.command = [program, *user, f"127.0.0.1:{self.port}", "1000"]

    def __enter__(self) -> int:
        self.process = subprocess.Popen(self.command, stderr=subprocess.DEVNULL)
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                break
            except OSError:
                time.sleep(0.02)  # noqa: TID251 - waits for another program to listen
        return self.port

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()


def one_run(work: Path, peer: str, port: int, messages: int) -> Run:
    arguments = ["--peer", peer, "--work", str(work), "--port", str(port)]
    arguments += ["--recipients", str(messages)]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    output = subprocess.run(
        [sys.executable, __file__, *arguments], check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    wall = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    result = json.loads(output.splitlines()[-1])
    return Run(
        result["sent"] or messages, result.get("wall", wall), result.get("cpu", cpu), result["peak"]
    )


def report(began: float, *, children: bool = False, sent: int | None = None) -> None:
    """What one peer's process says of itself: seconds since `began`, CPU, peak memory."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN if children else resource.RUSAGE_SELF)
    print(
        json.dumps(
            {
                "wall": time.perf_counter() - began,
                "cpu": used.ru_utime + used.ru_stime,
                "peak": used.ru_maxrss / 1024,
                "sent": sent,
            }
        )
    )


def ours(
    work: Path, port: int, messages: int, *, dkim: bool = False, ready: str = "ready.db"
) -> None:
    """The complete command: process start, composing and sending."""
    for stale in work.glob("digest.db*"):
        stale.unlink()
    shutil.copy(work / ready, work / "digest.db")
    text = (work / "plain.toml").read_text(encoding="utf-8")
    servers = (
        f'[[mail.servers]]\nhost = "127.0.0.1"\nport = {port}\ntls = "none"\n'
        f"connections = {CONNECTIONS}\n"
    )
    if dkim:
        servers += '[mail.dkim]\nrsa_key_file = "rsa.pem"\nrsa_selector = "bench"\n'
    text = text.replace('transport = "maildir"', 'transport = "smtp"')
    (work / "smtp.toml").write_text(text.replace("[web]", f"{servers}\n[web]"), encoding="utf-8")
    began = time.perf_counter()
    done = subprocess.run(
        [*digest(work, "smtp"), "send", "--yes", "--json"], check=True, stdout=subprocess.PIPE
    )
    sent = sum(one["outcomes"].get("sent", 0) for one in json.loads(done.stdout))
    if sent < 0.9 * messages:  # some of the 60 choices get nothing
        sys.exit(f"only {sent} of {messages} were sent: {done.stdout!r}")
    report(began, children=True, sent=sent)


def ours_60(work: Path, port: int, messages: int) -> None:
    ours(work, port, messages, ready="ready-60.db")


def ours_dkim(work: Path, port: int, messages: int) -> None:
    ours(work, port, messages, dkim=True)


def aiosmtplib_loop(work: Path, port: int, messages: int) -> None:
    from aiosmtplib import SMTP

    data = (work / "message.eml").read_bytes()

    async def connection(share: int) -> None:
        client = SMTP(hostname="127.0.0.1", port=port, start_tls=False)
        await client.connect()
        for number in range(share):
            await client.sendmail("a@example.org", [f"r{number}@example.org"], data)
        await client.quit()

    async def run() -> None:
        share = messages // CONNECTIONS
        await asyncio.gather(*(connection(share) for _ in range(CONNECTIONS)))

    began = time.perf_counter()
    asyncio.run(run())
    report(began)


def smtp_source(work: Path, port: int, messages: int) -> None:
    program = shutil.which("smtp-source", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    size = (work / "message.eml").stat().st_size
    command = [str(program), "-d", "-s", str(CONNECTIONS), "-m", str(messages), "-l", str(size)]
    began = time.perf_counter()
    subprocess.run([*command, f"127.0.0.1:{port}"], check=True)
    report(began, children=True)


def smtplib_loop(work: Path, port: int, messages: int) -> None:
    data = (work / "message.eml").read_bytes()
    began = time.perf_counter()
    with smtplib.SMTP("127.0.0.1", port) as client:
        for number in range(messages):
            client.sendmail("a@example.org", [f"r{number}@example.org"], data)
    report(began)


def django_loop(work: Path, port: int, messages: int) -> None:
    import email
    from email import policy

    import django
    from django.conf import settings

    settings.configure(EMAIL_HOST="127.0.0.1", EMAIL_PORT=port, DEFAULT_CHARSET="utf-8")
    django.setup()
    from django.core.mail import EmailMultiAlternatives, get_connection

    parsed = email.message_from_bytes((work / "message.eml").read_bytes(), policy=policy.default)
    text, html = (part.get_content() for part in parsed.iter_parts())
    began = time.perf_counter()
    with get_connection("django.core.mail.backends.smtp.EmailBackend") as connection:
        for start in range(0, messages, 500):
            batch = []
            for number in range(start, min(start + 500, messages)):
                mail = EmailMultiAlternatives(
                    "The week", text, "a@example.org", [f"r{number}@example.org"]
                )
                mail.attach_alternative(html, "text/html")
                batch.append(mail)
            connection.send_messages(batch)
    report(began)


PEERS = {
    "ours": ours,
    "ours-60": ours_60,
    "ours-dkim": ours_dkim,
    "aiosmtplib": aiosmtplib_loop,
    "smtp-source": smtp_source,
    "smtplib": smtplib_loop,
    "django": django_loop,
}

if __name__ == "__main__":
    main()
