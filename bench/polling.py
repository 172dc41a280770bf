"""How fast many feeds are read for the first time, and again when nothing has changed, beside lemon24/reader.

    python bench/polling.py [--feeds 1000] [--hosts 250] [--items 50]
    python bench/polling.py --alone --asked --feeds 10000 --hosts 500 --items 10

The feeds are served by one process on so many addresses of this machine, with ETags and without a pause,
since else one connection a host and the pause decide, not the code. Each reads them in a process of its
own: seconds, articles or feeds a second, and the most memory. The same feeds, in turns.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from digest.newsroom import Newsroom
from digest.sources import store

ROOT = Path(__file__).resolve().parent.parent
WORDS = (
    "customs officers seized heroin at the border port and detained two men who carried it in a car"
)
DAY = datetime(2026, 11, 1, tzinfo=UTC)


def feed(number: int, items: int) -> bytes:
    """Articles of 60 words, the same but for numbers: each is compared with the most that any is."""
    parts = []
    for i in range(items):
        day = DAY + timedelta(hours=i)
        text = " ".join(f"{WORDS} in case {number} of {i}." for _ in range(3))
        parts.append(
            f"<item><title>Case {number} number {i}</title><guid>urn:{number}:{i}</guid>"
            f"<link>https://a{number}.example/{i}</link><pubDate>{day:%a, %d %b %Y %H:%M:%S} GMT</pubDate>"
            f"<description>{text}</description></item>"
        )
    head = f"<title>Agency {number}</title><link>https://a{number}.example/</link><description>d</description>"
    return f'<rss version="2.0"><channel>{head}{"".join(parts)}</channel></rss>'.encode()


async def serve(feeds: int, items: int) -> None:
    """Print the port, then answer until killed."""
    bodies = [feed(number, items) for number in range(feeds)]

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            try:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
            except (asyncio.IncompleteReadError, ConnectionError):
                return writer.close()
            path = head.split(" ", 2)[1].strip("/")
            if not path.isdigit():
                writer.write(b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n")
                continue
            tag, body = f'"{path}"', bodies[int(path)]
            if tag in head:
                writer.write(f"HTTP/1.1 304 Same\r\nETag: {tag}\r\n\r\n".encode())
                continue
            kind = "Content-Type: application/rss+xml"
            size = f"Content-Length: {len(body)}"
            writer.write(
                f"HTTP/1.1 200 OK\r\n{kind}\r\nETag: {tag}\r\n{size}\r\n\r\n".encode() + body
            )

    server = await asyncio.start_server(answer, "0.0.0.0", 0, backlog=1000)  # noqa: S104
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


OURS = """
import sys, resource, time, json
from dataclasses import replace
from datetime import datetime, timedelta, UTC
from pathlib import Path
from digest.newsroom import Newsroom
from digest.sources.ingest import ingest
room = Newsroom.from_file(Path(sys.argv[1]))
shift = timedelta(days=int(sys.argv[2]))
began = time.perf_counter()
with replace(room, clock=lambda: datetime.now(UTC) + shift).open() as newsroom:
    report = ingest(newsroom)
said = [report.polled, len(report.added), len(report.unanswered)]
most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps([time.perf_counter() - began, most, *said]))
"""
THEIRS = """
import sys, resource, time, json, warnings
warnings.simplefilter("ignore")
from reader import make_reader
urls = json.load(open(sys.argv[1]))
reader = make_reader(sys.argv[1] + ".sqlite")
for url in urls:
    reader.add_feed(url, exist_ok=True)
began = time.perf_counter()
reader.update_feeds(workers=10, scheduled=False)
took = time.perf_counter() - began
most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps([took, most, len(urls), reader.get_entry_counts().total, 0]))
"""


def asked_before(config: Path, urls: Sequence[str]) -> None:
    """The rows of a first reading, without its articles."""
    with Newsroom.from_file(config).open() as newsroom, newsroom.db.write():
        for n, url in enumerate(urls):
            source_id = store.source_row(newsroom.db, f"s{n}", "feed", f"s{n}")
            validators = json.dumps({url: {"If-None-Match": f'"{n}"'}})
            store.save_poll(newsroom.db, source_id, {"next_at": "", "validators": validators})


def run(code: str, *arguments: str) -> Mapping[str, float]:
    command = [sys.executable, "-c", code, *arguments]
    result = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    took, most, feeds, articles, failed = json.loads(result.stdout.splitlines()[-1])
    return {"s": took, "MB": most, "feeds": feeds, "articles": articles, "failed": failed}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--feeds", type=int, default=1000)
    parser.add_argument("--hosts", type=int, default=250)
    parser.add_argument("--items", type=int, default=50)
    parser.add_argument("--serve", action="store_true")
    parser.add_argument("--asked", action="store_true", help="as if all had been read before")
    parser.add_argument("--alone", action="store_true", help="without lemon24/reader")
    given = parser.parse_args()
    if given.serve:
        asyncio.run(serve(given.feeds, given.items))
        return
    command = [
        sys.executable,
        __file__,
        "--serve",
        f"--feeds={given.feeds}",
        f"--items={given.items}",
    ]
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server,
    ):
        port = server.stdout.readline().strip() if server.stdout else ""
        hosts = [f"127.1.{n // 250}.{n % 250 + 1}" for n in range(given.hosts)]
        urls = [f"http://{hosts[n % given.hosts]}:{port}/{n}" for n in range(given.feeds)]
        text = (ROOT / "config.toml").read_text("utf-8")
        tables = "\n".join(
            f'[[sources]]\nname = "s{n}"\nkind = "feed"\nurl = "{url}"\nallow_private = true\n'
            f"pause_seconds = 0\nevery_minutes = 60\n"
            for n, url in enumerate(urls)
        )
        start, end = text.index("[[sources]]"), text.index("[[themes]]")
        config, listed = Path(folder, "config.toml"), Path(folder, "urls.json")
        config.write_text(text[:start] + tables + text[end:], "utf-8")
        listed.write_text(json.dumps(urls), "utf-8")
        try:
            for name, code, first in (("ours", OURS, str(config)), ("reader", THEIRS, str(listed))):
                if given.alone and name == "reader":
                    continue
                if given.asked and name == "ours":
                    asked_before(config, urls)
                for which, days in (("first", "0"), ("unchanged", "1")):
                    if given.asked and which == "first":
                        continue
                    one = run(code, first, days)
                    count = one["articles"] if which == "first" else one["feeds"]
                    what = "articles" if which == "first" else "feeds"
                    print(
                        f"{name:<7} {which:<10} {one['s']:7.1f} s  {count / one['s']:8.0f} {what}/s  "
                        f"{one['MB']:5.0f} MB  {one['failed']:.0f} failed",
                        flush=True,
                    )
        finally:
            server.kill()


if __name__ == "__main__":
    main()
