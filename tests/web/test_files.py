"""Files in memory: the answer to a request, when they are read again, and their total size."""

import asyncio
import gzip
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

import brotli
import pytest

from digest.web.files import CachedFile, FileCache, best_coding, dated, is_unchanged

TAG = b'"abc"'
MODIFIED = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
SAME, OLDER = b"Sun, 22 Nov 2026 08:00:00 GMT", b"Sun, 22 Nov 2026 07:59:59 GMT"


class Clock:
    """Seconds that pass only when the test sets them."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def files(tmp_path: Path, clock: Clock) -> FileCache:
    (tmp_path / "all.atom").write_bytes(b"<feed>" + b" news" * 500 + b"</feed>")
    return FileCache(tmp_path, limit=4000, cache_seconds=60, seconds=clock)


def find(files: FileCache, name: str = "all.atom") -> CachedFile | None:
    return asyncio.run(files.find(name))


def test_each_coding_has_a_strong_tag_of_its_own(files: FileCache):
    """A cache that holds both never mistakes one for the other (RFC 9110 §8.8.3.3)."""
    file = find(files)
    plain, br, gz = file.plain, file.packed[b"br"], file.packed[b"gzip"]
    assert len({plain.etag, br.etag, gz.etag}) == 3
    assert brotli.decompress(br.body) == plain.body
    assert gzip.decompress(gz.body) == plain.body


def test_the_disk_is_checked_once_a_second(files: FileCache, clock: Clock):
    """A file that publish replaced is served within a second; before, no request waits for the disk."""
    first = find(files)
    new = files.folder / "new"
    new.write_bytes(b"<feed/>")
    new.replace(files.folder / "all.atom")
    clock.now = 0.9
    assert find(files) is first
    clock.now = 1.1
    assert find(files).plain.body == b"<feed/>"


def test_a_removed_file_is_gone(files: FileCache, clock: Clock):
    """A page that publish removed is not served from memory for ever."""
    find(files)
    (files.folder / "all.atom").unlink()
    clock.now = 2.0
    assert find(files) is None
    assert files.held == 0


def said(file: CachedFile, name: bytes) -> str:
    """A header of a 200 that the 304 repeats."""
    _, headers = file.plain.unchanged
    assert dict(headers)[name] == dict(file.plain.whole[1])[name]
    return dict(headers)[name].decode()


def test_a_feed_is_kept_for_as_long_as_its_own_pace(files: FileCache, clock: Clock):
    """Each form and the page of a channel say what <ttl> says; an archive says a week."""
    (files.folder / "archives").mkdir()
    names = ("all.atom", "all.json", "all.html", "all.rss", "archives/all.1.rss", "en.atom")
    for name in names:
        (files.folder / name).write_text("<rss><channel><ttl>17</ttl>")
    ages = {name: said(find(files, name), b"cache-control") for name in names}
    assert ages == {
        **dict.fromkeys(names, "public, max-age=1020"),
        "archives/all.1.rss": "public, max-age=604800",
        "en.atom": "public, max-age=60",
    }
    (files.folder / "all.rss").write_text("<rss><channel><ttl>30</ttl>")
    clock.now = 2.0
    assert said(find(files), b"cache-control") == "public, max-age=1800"


@pytest.mark.parametrize("max_age", [0, 60, 604_800])
def test_expires_is_the_date_and_the_age(max_age: int):
    """A cache of HTTP/1.0 and one of HTTP/1.1 keep an answer for as long (RFC 9111 §5.3)."""
    headers = dated(1_795_000_000, max_age)
    date, expires = (parsedate_to_datetime(value.decode()) for _, value in headers)
    assert (expires - date).total_seconds() == max_age
    assert [name for name, _ in headers] == [b"date", b"expires"]


def test_a_feed_links_to_its_hub_and_itself(files: FileCache):
    """WebSub §4: in each form of a live feed, and a page of another site may read it."""
    files.hub, files.url = "https://hub.example/", "https://news.example.org/feeds"
    file = find(files)
    links = dict(file.plain.whole[1])[b"link"].decode()
    assert links == (
        '<https://hub.example/>; rel="hub", <https://news.example.org/feeds/all.atom>; rel="self"'
    )
    assert said(file, b"access-control-expose-headers") == "ETag, Last-Modified, Link"


def test_memory_is_bounded(files: FileCache):
    """Of any number of pages, those requested last are in memory, within the limit."""
    for i in range(50):
        (files.folder / f"{i}.css").write_bytes(bytes([i]) * 300)
        assert find(files, f"{i}.css") is not None
        assert files.held <= files.limit
    assert files.fresh("49.css") is not None
    assert files.fresh("0.css") is None


def test_a_small_file_is_not_packed(files: FileCache):
    """If packing saves nothing there is one form."""
    (files.folder / "tiny.css").write_bytes(b"a{}")
    assert not find(files, "tiny.css").packed


@pytest.mark.parametrize(
    ("tags", "date", "unchanged"),
    [
        pytest.param(None, None, False, id="no condition"),
        pytest.param(b'"abc"', None, True, id="the tag"),
        pytest.param(b'W/"abc"', None, True, id="weak comparison"),
        pytest.param(b'"x", W/"y" ,"abc"', None, True, id="a list"),
        pytest.param(b"*", None, True, id="any"),
        pytest.param(b'"x"', None, False, id="another tag"),
        pytest.param(b"abc", None, False, id="not a tag without quotes"),
        pytest.param(b'"xabc"', None, False, id="a tag that ends like it"),
        pytest.param(None, SAME, True, id="the same second"),
        pytest.param(None, OLDER, False, id="changed since"),
        pytest.param(None, b"yesterday", False, id="an invalid date counts as absent"),
        pytest.param(None, SAME[:-3] + b"+" + b"9" * 20, False, id="an offset of any length"),
        pytest.param(b'"x"', SAME, False, id="the tag beats the date"),
        pytest.param(b'"abc"', OLDER, True, id="the tag beats the date, too"),
    ],
)
def test_a_condition_is_read_by_the_standard(tags, date, unchanged):
    """A reader that has these bytes gets 304, and no other one does."""
    assert is_unchanged(TAG, MODIFIED, tags, date) is unchanged


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        pytest.param(b"gzip, deflate, br", b"br", id="as browsers say"),
        pytest.param(b"gzip, deflate", b"gzip", id="as readers say"),
        pytest.param(b"GZIP", b"gzip", id="in capitals"),
        pytest.param(b"x-gzip", b"gzip", id="its old name"),
        pytest.param(b"gzip;q=0.5", b"gzip", id="liked less"),
        pytest.param(b"br;q=0.1, gzip;q=0.8", b"gzip", id="liked better"),
        pytest.param(b"gzip;q=0", None, id="refused"),
        pytest.param(b"*", b"br", id="anything"),
        pytest.param(b"gzip; q=0.000, br;q=0, *", None, id="anything but"),
        pytest.param(b"br;q=0, *", b"gzip", id="anything but the first"),
        pytest.param(b"gzip;q=0.5, identity", None, id="rather plain"),
        pytest.param(b"zstd", None, id="another"),
        pytest.param(b"", None, id="none"),
    ],
)
def test_a_coding_is_chosen_only_if_it_is_accepted(accepted, coding):
    """Accept-Encoding with its weights."""
    assert best_coding(accepted) == coding
