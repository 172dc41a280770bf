"""Files in memory: what they answer, when they are read again, and how many there may be."""

import asyncio
import gzip
from pathlib import Path

import brotli
import pytest

from digest.web.app import FeedApp
from digest.web.shelf import Kept, Shelf


class Clock:
    """Seconds that pass when the test says so."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def shelf(tmp_path: Path, clock: Clock) -> Shelf:
    (tmp_path / "all.atom").write_bytes(b"<feed>" + b" news" * 500 + b"</feed>")
    return Shelf(tmp_path, limit=4000, cache_seconds=60, seconds=clock)


def found(shelf: Shelf, name: str = "all.atom") -> Kept | None:
    return asyncio.run(shelf.find(name))


def asked(app: FeedApp, path: str, method: str = "GET", **headers: str) -> tuple[int, dict, bytes]:
    """Status, headers and body of an answer, by the application itself."""
    told: list[dict] = []

    async def send(message: dict) -> None:
        told.append(message)

    async def receive() -> dict:
        return {"type": "http.request"}

    sent = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": method, "path": path, "headers": sent}
    asyncio.run(app(scope, receive, send))
    start, *bodies = told
    return (
        start["status"],
        {name.decode(): value.decode() for name, value in start["headers"]},
        b"".join(body["body"] for body in bodies),
    )


def test_each_coding_has_a_strong_tag_of_its_own(shelf: Shelf):
    """A cache that holds both never mistakes one for the other (RFC 9110 §8.8.3.3)."""
    kept = found(shelf)
    packed = kept.packed
    assert len({kept.plain.etag, packed[b"br"].etag, packed[b"gzip"].etag}) == 3
    assert gzip.decompress(packed[b"gzip"].body["body"]) == kept.plain.body["body"]
    assert brotli.decompress(packed[b"br"].body["body"]) == kept.plain.body["body"]


def test_the_disk_is_asked_once_a_second(shelf: Shelf, clock: Clock):
    """What publish has replaced is served within a second, and no request waits for the disk before."""
    first = found(shelf)
    new = shelf.folder / "new"
    new.write_bytes(b"<feed/>")
    new.replace(shelf.folder / "all.atom")
    clock.now = 0.9
    assert found(shelf) is first
    clock.now = 1.1
    assert found(shelf).plain.body["body"] == b"<feed/>"


def test_what_was_removed_is_gone(shelf: Shelf, clock: Clock):
    """A page that publish took away is not served from memory for ever."""
    found(shelf)
    (shelf.folder / "all.atom").unlink()
    clock.now = 2.0
    assert found(shelf) is None
    assert shelf.held == 0


def test_memory_is_bounded(shelf: Shelf):
    """However many pages there are, those asked for last are in memory, within the limit."""
    for i in range(50):
        (shelf.folder / f"{i}.css").write_bytes(bytes([i]) * 300)
        assert found(shelf, f"{i}.css") is not None
        assert shelf.held <= shelf.limit
    assert shelf.fresh("49.css") is not None
    assert shelf.fresh("0.css") is None


def test_a_small_file_is_not_packed(shelf: Shelf):
    """Where packing saves nothing there is one form."""
    (shelf.folder / "tiny.css").write_bytes(b"a{}")
    kept = found(shelf, "tiny.css")
    assert not kept.packed


@pytest.mark.parametrize(
    ("path", "method", "headers", "status"),
    [
        pytest.param("/feeds/all.atom", "GET", {}, 200, id="a feed"),
        pytest.param("/feeds/all.atom", "HEAD", {}, 200, id="its head"),
        pytest.param("/feeds/all.atom", "GET", {"if_none_match": "*"}, 304, id="unchanged"),
        pytest.param("/feeds/all.atom", "POST", {}, 405, id="only GET and HEAD"),
        pytest.param("/", "GET", {}, 302, id="the front leads to all news"),
        pytest.param("/healthz", "GET", {}, 200, id="alive"),
        pytest.param("/feeds/none.atom", "GET", {}, 404, id="no such feed"),
        pytest.param(f"/feeds/{'a' * 300}.atom", "GET", {}, 404, id="longer than a name may be"),
        pytest.param(f"/feeds/{'a' * 65000}.atom", "GET", {}, 404, id="longer than a path may be"),
        pytest.param("/feeds/.published", "GET", {}, 404, id="our own list of files"),
        pytest.param("/feeds/../config.toml", "GET", {}, 404, id="out of the folder"),
        pytest.param("/feeds/articles/../all.atom", "GET", {}, 404, id="out and in"),
        pytest.param("/feeds/articles.html", "GET", {}, 404, id="a folder is no file"),
        pytest.param("/feeds/digest.db", "GET", {}, 404, id="another kind of file"),
        pytest.param("/all.atom", "GET", {}, 404, id="outside the feeds"),
    ],
)
def test_only_what_is_published_is_served(shelf: Shelf, path, method, headers, status):
    """Statuses of all kinds of requests; each is counted under one of a few routes."""
    (shelf.folder / ".published").write_text("all.atom\n")
    (shelf.folder / "digest.db").write_text("private")
    (shelf.folder / "articles.html").mkdir()
    app = FeedApp(shelf, "https://news.example.org/feeds", {})
    found_status, told, body = asked(app, path, method, **headers)
    assert found_status == status
    assert app.seen.total() == 1
    if status == 304:
        assert set(told) == {"etag", "cache-control", "vary"}
        assert body == b""
    if status == 405:
        assert told["allow"] == "GET, HEAD"
    if method == "HEAD":
        assert body == b""
        assert int(told["content-length"]) > 0


def test_a_page_may_run_nothing(shelf: Shelf):
    """Pages come with a policy that allows our style sheet and nothing else."""
    (shelf.folder / "all.html").write_text("<!DOCTYPE html>")
    app = FeedApp(shelf, "https://news.example.org/feeds", {})
    _, told, _ = asked(app, "/feeds/all.html")
    assert told["content-security-policy"].startswith("default-src 'none'; style-src 'self';")
    assert told["x-content-type-options"] == "nosniff"
