"""Our reader of feeds beside feedparser: the same answers on its tests, and the time for 50 items.

    python bench/feeds.py [FOLDER...]

Needs nothing but the product. A folder has feeds, such as the tests of feedparser or of the W3C's
validator, each with the HTTP headers that its first comment names. Without a folder only the time is
measured. What differs is printed with the file.
"""

import calendar
import io
import re
import statistics
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from html import unescape
from pathlib import Path
from typing import Any

import feedparser
import lxml.html

from digest.errors import DocumentError
from digest.model import FoundItem
from digest.sources.syndication import canonical, read_feed

URL = "http://feeds.example/"
NOW = datetime(2030, 1, 1, tzinfo=UTC)
ROUNDS = 15
SLOW = 2.0


def plain(value: str, kind: str) -> str:
    """What a reader shows of a title, by lxml."""
    if "<" in value and "html" in kind:
        value = re.sub(r"(?s)<(script|style)\b.*?(</\1>|$)", "", value)
        value = lxml.html.fromstring(f"<div>{value}</div>").text_content()
    return " ".join(unescape(unescape(value)).split())


def moment(parsed: Any) -> datetime | None:
    return datetime.fromtimestamp(calendar.timegm(parsed), UTC) if parsed else None


def differences(
    theirs: dict[str, Any], ours: FoundItem, url: str
) -> dict[str, tuple[object, object]]:
    """What feedparser and we say of one item where it is not the same."""
    day = ours.published.day
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC) if day else None
    kind = (theirs.get("title_detail") or {}).get("type", "")
    link = theirs.get("link") or ""
    pairs: dict[str, tuple[object, object]] = {
        "title": (plain(theirs.get("title") or "", kind), " ".join(ours.title.split())),
        "link": (canonical(link, url) or link, (ours.url and canonical(ours.url, url)) or ""),
        "id": (theirs.get("id") or None, ours.guid),
        "date": (
            moment(theirs.get("published_parsed") or theirs.get("updated_parsed")),
            ours.published.time or midnight,
        ),
        "updated": (moment(theirs.get("updated_parsed")), ours.updated),
    }
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def compare(folder: Path) -> None:
    counts: Counter[str] = Counter()
    for path in sorted(one for one in folder.rglob("*") if one.is_file()):
        body = path.read_bytes()
        comment = body[:3000].decode("latin-1").replace("\0", "")
        headers = {
            name.lower(): value.strip()
            for name, value in re.findall(r"Header:\s*([\w-]+):([^\n]*)", comment)
        }
        url = headers.get("content-location", URL)
        theirs = feedparser.parse(io.BytesIO(body), response_headers=headers)
        found: list[tuple[str, tuple[object, object]]] = []
        begun = time.perf_counter()
        try:
            ours = read_feed(body, url=url, now=NOW, content_type=headers.get("content-type", ""))
        except DocumentError:
            counts["no feed"] += 1
            if theirs.entries:
                found.append(("refused", (len(theirs.entries), 0)))
        else:
            counts["feeds"] += 1
            if len(theirs.entries) != len(ours.items):
                found.append(("entries", (len(theirs.entries), len(ours.items))))
            for entry, item in zip(theirs.entries, ours.items, strict=False):
                found += differences(dict(entry), item, url).items()
        counts["slow"] += time.perf_counter() - begun > SLOW
        counts["feeds with a difference"] += bool(found)
        for name, (their, our) in found:
            counts[name] += 1
            print(f"{path.relative_to(folder)}: {name}: {their!r} / {our!r}"[:200])
    print(f"{folder}: {dict(counts)}\n")


def sample(items: int = 50) -> bytes:
    """RSS 2.0 of a newsroom, some 3 kB an item."""
    parts = []
    for i in range(items):
        day = format_datetime(
            datetime(2026, 11, 30, tzinfo=UTC) - timedelta(hours=3 * i, minutes=i)
        )
        text = "".join(
            f"<p>{'Таможня и новый порт открыты. ' * 9} <a href='/{i}'>x</a></p>" for _ in "123"
        )
        parts.append(
            f"<item><title>Порт {i} &amp; R&amp;amp;D</title><link>https://a.example/{i}?utm_source=x</link>"
            f"<guid isPermaLink='false'>{i}</guid><pubDate>{day}</pubDate><category>Trade</category>"
            f"<description>Таможня и порт […]</description><content:encoded><![CDATA[{text}]]>"
            "</content:encoded></item>"
        )
    head = '<rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/"><channel>'
    return f"{head}<title>A</title>{''.join(parts)}</channel></rss>".encode()


def clock(read: Callable[[bytes], object], body: bytes) -> float:
    """Milliseconds, the median of the rounds."""
    taken = []
    for _ in range(ROUNDS):
        begun = time.process_time()
        read(body)
        taken.append((time.process_time() - begun) * 1000)
    return statistics.median(taken)


def main() -> None:
    warnings.simplefilter("ignore")
    for folder in sys.argv[1:]:
        compare(Path(folder))
    body = sample()
    ours = clock(lambda data: read_feed(data, url=URL, now=NOW), body)
    slowly = clock(lambda data: read_feed(b"<!-- -->" + data, url=URL, now=NOW), body)
    theirs = clock(lambda data: feedparser.parse(io.BytesIO(data)), body)
    print(
        f"50 items, {len(body) // 1000} kB: ours {ours:.1f} ms, where feedparser must read {slowly:.1f} ms,"
    )
    print(f"feedparser alone with its defaults {theirs:.1f} ms: {theirs / ours:.1f} times ours")


if __name__ == "__main__":
    main()
