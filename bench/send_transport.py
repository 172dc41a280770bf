"""The SMTP transport alone: messages a second beside aiosmtplib and smtp-source, in turns.

    python bench/send_transport.py [MESSAGES [ROUNDS]]

Needs Postfix's smtp-sink and smtp-source (Debian: `apt-get install postfix`; its service need not
run). Ours commits to SQLite for each group that it hands or settles; once
more with commits that take 0.3 ms, as on a disk. The peers keep no ledger:
aiosmtplib with as many connections and `sendmail(bytes)`, smtp-source with as many sessions. Then
the same against a server whose every answer is 20 ms away.
"""

import argparse
import asyncio
import multiprocessing
import resource
import shutil
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

from sqlite_utils.utils import sqlite3

from digest.config.settings import TransportSettings
from digest.mail.outgoing import OutcomeKind, Outgoing
from digest.mail.smtp.transport import SmtpTransport

HEADERS = b"From: desk@news.example.org\r\nSubject: The week\r\n\r\n"
MESSAGE = HEADERS + (b"x" * 74 + b"\r\n") * ((40_000 - len(HEADERS)) // 76)
DELAY_SECONDS = 0.02
SLOW_COMMIT_SECONDS = 0.0003
HOST = "127.0.0.1"


def messages(count: int) -> Iterator[Outgoing]:
    for i in range(1, count + 1):
        yield Outgoing(i, f"bounces+{i:032}@news.example.org", f"r{i}@example.net", MESSAGE)


class Ledger:
    """One row a delivery; one commit a group, as the real ledger does, each of `least_seconds`."""

    def __init__(self, folder: Path, count: int, least_seconds: float) -> None:
        path = folder / "ledger.db"
        for old in folder.glob("ledger.db*"):
            old.unlink()
        self.db = sqlite3.connect(path, isolation_level=None)
        self.db.execute("PRAGMA journal_mode=WAL")
        self.db.execute("PRAGMA synchronous=NORMAL")
        self.db.execute("CREATE TABLE deliveries (id INTEGER PRIMARY KEY, status, answer)")
        rows = ((i, "queued", None) for i in range(1, count + 1))
        self.db.execute("BEGIN")
        self.db.executemany("INSERT INTO deliveries VALUES (?, ?, ?)", rows)
        self.db.execute("COMMIT")
        self.commits = 0
        self.seconds = 0.0
        self.least_seconds = least_seconds

    def write(self, sql: str, rows: object) -> None:
        began = time.perf_counter()
        self.db.execute("BEGIN IMMEDIATE")
        self.db.executemany(sql, rows)
        self.db.execute("COMMIT")
        while time.perf_counter() - began < self.least_seconds:
            pass
        self.seconds += time.perf_counter() - began
        self.commits += 1

    def handed(self, ids: object) -> None:
        self.write("UPDATE deliveries SET status='handed' WHERE id=?", [(i,) for i in ids])

    def settled(self, outcomes: object) -> None:
        rows = [(str(o.kind), o.text, o.delivery_id) for o in outcomes]
        self.write("UPDATE deliveries SET status=?, answer=? WHERE id=?", rows)


def ours(port: int, count: int, connections: int, folder: Path, least_seconds: float = 0.0) -> str:
    table = {"host": HOST, "port": port, "tls": "none", "connections": connections}
    settings = TransportSettings.model_validate(
        {"transport": "smtp", "servers": [table], "helo_name": "news.example.org"}
    )
    ledger = Ledger(folder, count, least_seconds)
    report = SmtpTransport(settings).deliver(
        messages(count), handed=ledger.handed, settled=ledger.settled, stop=lambda: False
    )
    if report.counts != {OutcomeKind.SENT: count}:
        raise SystemExit(f"not all were sent: {report}")
    return f"{ledger.commits} commits of {ledger.seconds / ledger.commits * 1e3:.2f} ms"


def bare_aiosmtplib(port: int, count: int, connections: int, folder: Path) -> str:
    import aiosmtplib

    async def send(queue: Iterator[Outgoing]) -> None:
        client = aiosmtplib.SMTP(
            hostname=HOST, port=port, start_tls=False, local_hostname="news.example.org"
        )
        await client.connect()
        for message in queue:
            await client.sendmail(message.sender, [message.recipient], message.message)
        await client.quit()

    async def send_all() -> None:
        queue = messages(count)
        await asyncio.gather(*(send(queue) for _ in range(connections)))

    asyncio.run(send_all())
    return ""


def smtp_source(port: int, count: int, connections: int, folder: Path) -> str:
    subprocess.run(
        [
            tool("smtp-source"),
            *("-d", "-N", "-s", str(connections), "-m", str(count), "-l", str(len(MESSAGE))),
            *("-f", "bounces@news.example.org", "-t", "r@example.net", f"{HOST}:{port}"),
        ],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return ""


def ours_with_slow_commits(port: int, count: int, connections: int, folder: Path) -> str:
    return ours(port, count, connections, folder, SLOW_COMMIT_SECONDS)


PEERS: dict[str, Callable[[int, int, int, Path], str]] = {
    "ours": ours,
    "ours, 0.3 ms a commit": ours_with_slow_commits,
    "aiosmtplib": bare_aiosmtplib,
    "smtp-source": smtp_source,
}


class FarServer(asyncio.Protocol):
    """Takes everything, and answers after DELAY_SECONDS."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.rest = b""
        self.in_body = False
        self.answer(b"220 far ESMTP\r\n")

    def answer(self, line: bytes) -> None:
        asyncio.get_running_loop().call_later(DELAY_SECONDS, self.transport.write, line)

    def data_received(self, data: bytes) -> None:
        self.rest += data
        answers = []
        while True:
            end = b"\r\n.\r\n" if self.in_body else b"\r\n"
            at = self.rest.find(end, max(0, len(self.rest) - len(data) - 5))
            if at < 0:
                break
            command = self.rest[:4].upper()
            self.rest = self.rest[at + len(end) :]
            data = self.rest
            starts = command == b"DATA" and not self.in_body
            self.in_body = starts
            if command == b"EHLO":
                answers.append(b"250-far\r\n250 PIPELINING\r\n")
            elif command == b"QUIT":
                answers.append(b"221 2.0.0 Bye\r\n")
            else:
                answers.append(b"354 go\r\n" if starts else b"250 2.0.0 Ok\r\n")
        if answers:
            self.answer(b"".join(answers))


def serve_far(port: int) -> None:
    async def serve() -> None:
        server = await asyncio.get_running_loop().create_server(FarServer, HOST, port, backlog=200)
        await server.serve_forever()

    asyncio.run(serve())


def tool(name: str) -> str:
    program = shutil.which(name) or shutil.which(name, path="/usr/sbin")
    if program is None:
        raise SystemExit(f"{name} is missing: apt-get install postfix")
    return program


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def wait_for(port: int) -> None:
    for _ in range(100):
        try:
            socket.create_connection((HOST, port), 1).close()
            return
        except OSError:
            time.sleep(0.05)  # noqa: TID251  a benchmark waits for its server
    raise SystemExit(f"nothing listens on {port}")


@contextmanager
def sink() -> Iterator[int]:
    port = free_port()
    process = subprocess.Popen([tool("smtp-sink"), "-u", "nobody", f"{HOST}:{port}", "300"])
    try:
        wait_for(port)
        yield port
    finally:
        process.terminate()
        process.wait()


@contextmanager
def far_server() -> Iterator[int]:
    port = free_port()
    process = multiprocessing.Process(target=serve_far, args=(port,))
    process.start()
    try:
        wait_for(port)
        yield port
    finally:
        process.terminate()
        process.join()


def cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def in_turns(title: str, port: int, count: int, connections: int, rounds: int) -> None:
    rates: dict[str, list[float]] = {name: [] for name in PEERS}
    costs: dict[str, list[float]] = {name: [] for name in PEERS}
    notes: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(rounds):
            for name, send in PEERS.items():
                used, began = cpu(), time.perf_counter()
                notes[name] = send(port, count, connections, Path(folder))
                rates[name].append(count / (time.perf_counter() - began))
                costs[name].append((cpu() - used) / count * 1e6)
    print(f"\n{title}, {connections} connections, {count} messages of {len(MESSAGE)} octets")
    for name in PEERS:
        ratio = statistics.median(a / b for a, b in zip(rates["ours"], rates[name], strict=True))
        print(
            f"  {name:22}{statistics.median(rates[name]):7.0f} messages/s"
            f"  {statistics.median(costs[name]):6.0f} us CPU each   ours / this = {ratio:.2f}   {notes[name]}"
        )


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("messages", type=int, nargs="?", default=5000)
    arguments.add_argument("rounds", type=int, nargs="?", default=5)
    given = arguments.parse_args()
    with sink() as port:
        for connections in (10, 50):
            in_turns("smtp-sink on loopback", port, given.messages, connections, given.rounds)
    with far_server() as port:
        in_turns("20 ms away", port, min(given.messages, 3000), 50, given.rounds)


if __name__ == "__main__":
    main()
