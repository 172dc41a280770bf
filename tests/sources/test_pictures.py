"""Articles' pictures: fetched from real servers on this machine, and the copies that readers get."""

import asyncio
import io
import json
import struct
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpcore2
import pytest
from PIL import Image

from digest.config.settings import SourceSettings
from digest.errors import NotFoundError
from digest.newsroom import Newsroom
from digest.service.jobs import Worker
from digest.service.plan import Verb
from digest.sources.fetch import Fetcher
from digest.sources.pictures import AGAIN, LATER, fetch_pictures, fetched, make_copies
from digest.store.articles import find_article, withdraw_article
from digest.store.database import Database, text_from_moment
from digest.store.pictures import picture_copy, picture_of, prune_pictures
from tests.desks import Desk, opened
from tests.sources.serving import Reply, Route, serving

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
URL = "https://press.example/a.jpg"


def packed(form: str = "JPEG", size: tuple[int, int] = (1600, 900), **more: object) -> bytes:
    body = io.BytesIO()
    mode = "P" if form == "GIF" else "RGB"
    Image.linear_gradient("L").resize(size).convert(mode).save(body, form, **more)
    return body.getvalue()


def huge_png() -> bytes:
    """Few bytes that say they are 50,000 pixels wide and high."""
    chunks = ((b"IHDR", struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)), (b"IDAT", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )


# One picture


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "AVIF", "GIF"])
def test_copies_in_two_sizes_and_forms(form: str) -> None:
    made = make_copies(packed(form), URL)
    assert not isinstance(made, str)
    assert (made.width, made.height) == (1200, 675)
    for (width, kind), data in made.files.items():
        with Image.open(io.BytesIO(data)) as copy:
            assert (copy.width, copy.format, len(data) < 300_000) == (width, kind.upper(), True)
    assert set(made.files) == {(w, f) for w in (480, 1200) for f in ("avif", "webp")}
    assert make_copies(packed(form), URL) == made


def test_small_pictures_are_not_enlarged() -> None:
    made = make_copies(packed(size=(300, 200)), URL)
    assert not isinstance(made, str)
    assert (made.width, made.height, set(made.files)) == (
        300, 200, {(300, "avif"), (300, "webp")},
    )  # fmt: skip


def test_upright_opaque_and_without_metadata() -> None:
    """The place where a photograph was taken is nobody's business."""
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "at home"
    made = make_copies(packed(size=(900, 600), exif=exif), URL)
    assert not isinstance(made, str)
    assert (made.width, made.height) == (600, 900)
    for data in made.files.values():
        with Image.open(io.BytesIO(data)) as copy:
            assert not copy.getexif()
            assert not copy.info.keys() & {"exif", "xmp", "icc_profile"}
        assert b"at home" not in data
    body = io.BytesIO()
    Image.new("RGBA", (300, 300), (0, 0, 0, 0)).save(body, "PNG")
    clear = make_copies(body.getvalue(), URL)
    assert not isinstance(clear, str)
    with Image.open(io.BytesIO(clear.files[300, "webp"])) as copy:
        assert copy.convert("RGB").getpixel((9, 9)) == (255, 255, 255)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        pytest.param(huge_png(), "too many pixels", id="a bomb"),
        pytest.param(packed("PNG", (9_000, 5_000)), "too many pixels", id="too large"),
        pytest.param(packed()[:9_000], "damaged", id="truncated"),
        pytest.param(b"<html><p>Sign in", "none of JPEG, PNG", id="a page"),
        pytest.param(b"<svg xmlns='http://www.w3.org/2000/svg'/>", "none of", id="svg"),
        pytest.param(packed("BMP"), "none of", id="another format"),
        pytest.param(packed(size=(199, 300)), "less than 200", id="an icon"),
        pytest.param(packed(size=(1000, 90)), "a strip", id="a banner"),
        pytest.param(b"", "none of", id="nothing"),
    ],
)
def test_what_is_not_used(body: bytes, why: str) -> None:
    said = make_copies(body, URL)
    assert isinstance(said, str)
    assert why in said


# A round


@dataclass
class Round:
    """What a round left: how many copies each picture has and its error, by its path, and what was asked."""

    found: dict[str, tuple[int, str | None]]
    asked: list[str]


def add_picture(db: Database, article: int, url: str) -> None:
    """Give an article this picture, as a source would."""
    picture = json.dumps({"url": url, "alt": "A field", "credit": "Photo: UNODC"})
    db.run("UPDATE articles SET picture = ? WHERE id = ?", (picture, article))


def fetch(
    desk: Desk, routes: dict[str, Route], *urls: str, private: bool = True, **more: str
) -> Round:
    """One round: articles 1, 2 … get these pictures, paths of a server or whole addresses."""
    made = Round({}, [])

    async def quick(_: float) -> None:
        """No pause."""

    def work(root: str) -> None:
        keys = {"allow_private": str(private).lower(), "url": f'"{root}/feed"', **more}
        lines = "".join(f"\n{key} = {value}" for key, value in keys.items())
        desk.edit_config('name = "seeds"', f'name = "seeds"{lines}')
        with desk.open() as db:
            for number, url in enumerate(urls):
                add_picture(db, number + 1, url if "//" in url else root + url)
            newsroom = opened(
                db,
                desk.settings,
                clock=NOW,
                fetcher=Fetcher(
                    contact="desk@example.org",
                    agent="N/1",
                    now=lambda: NOW,
                    chance=lambda: 0.0,
                    wait=quick,
                ),
            )
            fetch_pictures(newsroom)
            sql = """SELECT url, error, (SELECT count(*) FROM picture_copies AS c
                       WHERE c.name = pictures.name) AS copies FROM pictures"""
            for row in db.rows(sql):
                made.found[row["url"].removeprefix(root)] = row["copies"], row["error"]

    async def serve() -> None:
        async with serving(routes) as site:
            await asyncio.to_thread(work, site.root)
            made.asked = site.paths()

    asyncio.run(asyncio.wait_for(serve(), 30))
    return made


PICTURE = Reply(packed())


def test_pages_have_the_copies_and_what_the_source_says_of_them(filled: Desk) -> None:
    made = fetch(filled, {"/a.jpg": PICTURE}, "/a.jpg")
    assert made.found == {"/a.jpg": (4, None)}
    with filled.open() as db:
        settings, article = filled.settings, find_article(db, 1)
        copies = picture_of(db, settings, [article])[1]
        assert (copies.widths, copies.width, copies.height) == ((480, 1200), 1200, 675)
        assert (copies.alt, copies.credit) == ("A field", "Photo: UNODC")
        found = picture_copy(db, settings, NOW, copies.name, 480, "avif")
        assert found[1]
        withdraw_article(db, 1, NOW)
        assert picture_copy(db, settings, NOW, copies.name, 480, "avif") == (found[0], False)
        assert picture_of(db, settings, [find_article(db, 1)]) == {}
        assert prune_pictures(db) == 1
        with pytest.raises(NotFoundError):
            picture_copy(db, settings, NOW, copies.name, 480, "avif")
        assert prune_pictures(db) == 0


@pytest.mark.parametrize(
    ("route", "url", "why"),
    [
        pytest.param(Reply(status=404), "/a", "answers 404", id="not there"),
        pytest.param(Reply(b"<svg/>", headers={"Content-Type": "image/svg+xml"}), "/a", "none of", id="svg"),
        pytest.param(Reply(headers={"Content-Length": "10485761"}), "/a", "10 MiB", id="too large"),
        pytest.param(packed()[:900], "/a", "does not speak HTTP", id="not HTTP"),
        pytest.param(Reply(huge_png()), "/a", "too many", id="a bomb"),
        pytest.param(PICTURE, "http://127.0.0.2:9/a.jpg", "not on the internet", id="private"),
        pytest.param(PICTURE, "http://[::1]:9/a.jpg", "not on the internet", id="this machine"),
        pytest.param(PICTURE, "data:image/png;base64,AA==", "not an address", id="no address"),
    ],
)  # fmt: skip
def test_a_picture_that_cannot_be_had(filled: Desk, route: Route, url: str, why: str) -> None:
    """It is asked for again later and later, then given up; the others are there."""
    made = fetch(filled, {"/a": route, "/b.jpg": PICTURE}, url, "/b.jpg")
    copies, error = made.found[url]
    assert copies == 0
    assert why in (error or "")
    assert made.found["/b.jpg"] == (4, None)
    with filled.open() as db:
        row = db.row("SELECT next_at, failures FROM pictures WHERE error IS NOT NULL")
    assert row == {"next_at": text_from_moment(NOW + AGAIN[0]), "failures": 1}


def test_no_source_leads_into_a_network_of_ours(filled: Desk) -> None:
    made = fetch(filled, {"/a.jpg": PICTURE}, "/a.jpg", private=False)
    assert "not on the internet" in (made.found["/a.jpg"][1] or "")
    assert made.asked == []


def test_a_redirect_into_a_network_of_ours() -> None:
    """From a public address, which leads here in this test."""

    class Detour(httpcore2.AnyIOBackend):
        async def connect_tcp(self, host: str, port: int, *more: Any) -> Any:
            return await super().connect_tcp("127.0.0.1", here, *more)

    async def public(*_: object) -> list[str]:
        return ["93.184.215.14"]

    async def check() -> str:
        nonlocal here
        to = {"Location": "http://10.0.0.1/a.jpg"}
        async with serving({"/a.jpg": Reply(status=302, headers=to)}) as site:
            here = int(site.root.rpartition(":")[2])
            async with Fetcher(
                contact="a",
                agent="N",
                now=lambda: NOW,
                chance=lambda: 0.0,
                resolve=public,
                network=Detour(),
            ) as fetcher:
                source = SourceSettings(name="press", kind="feed", url="https://press.example/feed")
                return str(await fetched(source, fetcher, "http://press.example/a.jpg"))

    here = 0
    assert "not on the internet" in asyncio.run(asyncio.wait_for(check(), 20))


def test_robots_are_obeyed(filled: Desk) -> None:
    rules = Reply(b"User-agent: *\nDisallow: /")
    made = fetch(filled, {"/robots.txt": rules, "/a.jpg": PICTURE}, "/a.jpg")
    assert "robots.txt" in (made.found["/a.jpg"][1] or "")
    assert made.asked == ["/robots.txt"]


@pytest.mark.parametrize("rule", [{"pictures": "false"}, {"publish": '"link"'}])
def test_a_source_that_shows_none(filled: Desk, rule: dict[str, str]) -> None:
    made = fetch(filled, {"/a.jpg": PICTURE}, "/a.jpg", **rule)
    assert made.found == {"/a.jpg": (0, None)}
    assert made.asked == []


def test_an_embargoed_article_is_not_told_to_its_source(filled: Desk) -> None:
    with filled.open() as db:
        later = text_from_moment(NOW + timedelta(hours=2))
        db.run("UPDATE articles SET opens_at = ? WHERE id = 1", (later,))
    made = fetch(filled, {"/a.jpg": PICTURE, "/b.jpg": PICTURE}, "/a.jpg", "/b.jpg")
    assert made.found == {"/a.jpg": (0, None), "/b.jpg": (4, None)}
    with filled.open() as db:
        assert db.value("SELECT next_at FROM pictures WHERE name IS NULL") == later


def test_given_up_after_the_last_pause(filled: Desk) -> None:
    fetch(filled, {})
    with filled.open() as db:
        add_picture(db, 1, "http://127.0.0.2:9/a.jpg")
        db.run("UPDATE pictures SET failures = ?", (len(AGAIN),))
        fetch_pictures(opened(db, filled.settings, clock=NOW))
        assert db.row("SELECT next_at, failures FROM pictures") == {"next_at": None, "failures": 5}
        add_picture(db, 1, "http://127.0.0.2:9/b.jpg")
        assert db.value("SELECT count(*) FROM pictures WHERE next_at IS NOT NULL") == 1


def test_a_round_has_its_time(filled: Desk) -> None:
    """What its time does not reach waits for a later round, and counts as no failure."""
    with filled.open() as db:
        add_picture(db, 1, "http://127.0.0.2:9/a.jpg")
        assert not fetch_pictures(opened(db, filled.settings, clock=NOW), seconds=0.0)
        assert db.row("SELECT next_at, failures FROM pictures") == {
            "next_at": text_from_moment(NOW + LATER),
            "failures": 0,
        }


def test_a_fault_of_pictures_is_none_of_the_reading(
    filled: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    """The service reads and publishes first; its log says what became of the pictures."""
    with filled.open() as db:
        add_picture(db, 1, "http://127.0.0.2:9/a.jpg")
    worker = Worker(Newsroom(filled.settings, lambda: NOW, {}))
    facts = worker.run(Verb.READ, lambda: False)
    assert (facts["faults"], facts["no_pictures"]) == ([], 1)
    with filled.open() as db:
        db.run("DROP TABLE pictures")
    assert worker.run(Verb.READ, lambda: False)["faults"] == []
    assert "pictures were not fetched" in caplog.text
