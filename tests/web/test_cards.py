"""Cards beside a link to the site, and the copies of pictures that it serves."""

import asyncio
import io
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from PIL import Image

from digest.newsroom import make_environment
from digest.sources.pictures import make_copies
from digest.store.articles import withdraw_article
from digest.store.database import Database, text_from_moment
from digest.store.pictures import Made, save_picture
from digest.web import cards
from digest.web.cards import PLACES, _headline, _letters, _lines
from digest.web.site import Kept, Site
from tests.desks import Desk, opened

NOW = datetime(2026, 11, 18, 7, tzinfo=UTC)
PAPER = (0xFA, 0xF8, 0xF4)


@pytest.fixture
def answer(filled: Desk) -> Callable[[str], Kept]:
    """What the site answers to a path."""

    def asked(path: str) -> Kept:
        newsroom = opened(None, filled.settings, clock=NOW, templates=make_environment())
        site = Site(newsroom, PLACES, limit=10**7, seconds=lambda: 0.0)
        return asyncio.run(site.find(path, b"")) or asyncio.run(site.missing(path, b""))

    return asked


def header(kept: Kept, name: bytes) -> str:
    return dict(kept.plain.whole[1])[name].decode()


def image(kept: Kept) -> Image.Image:
    assert (kept.status, header(kept, b"content-type")) == (200, "image/png")
    assert len(kept.plain.body) < 60_000
    return Image.open(io.BytesIO(kept.plain.body)).convert("RGB")


def has_ink(card: Image.Image, *box: int) -> bool:
    return card.crop(box).getcolors() != [((box[2] - box[0]) * (box[3] - box[1]), PAPER)]


BARS = 842, 430, 1128, 521


def spread(db: Database, weeks: int) -> None:
    """As if the articles had come in over some weeks."""
    for row in db.rows("SELECT id FROM articles"):
        at = NOW - timedelta(days=row["id"] * 5 % (7 * weeks), hours=1)
        db.run(
            "UPDATE articles SET first_seen_at = ? WHERE id = ?", (text_from_moment(at), row["id"])
        )


def test_the_card_of_an_article(filled: Desk, answer: Callable[[str], Kept]) -> None:
    """No bars before there are weeks to compare; the same bytes each time; none where the article is gone."""
    first = answer("/cards/5.png")
    assert image(first).size == (1200, 630)
    assert not has_ink(image(first), *BARS)
    assert answer("/cards/5.png").plain.body == first.plain.body
    with filled.open() as db:
        spread(db, 9)
        assert has_ink(image(answer("/cards/5.png")), *BARS)
        later = text_from_moment(NOW + timedelta(hours=1))
        db.run("UPDATE articles SET opens_at = ? WHERE id = 5", (later,))
        assert answer("/cards/5.png").status == 404
        withdraw_article(db, 5, NOW)
    assert answer("/cards/5.png").status == 410


def test_the_card_of_a_language(answer: Callable[[str], Kept]) -> None:
    assert image(answer("/cards/en.png")) != image(answer("/cards/ru.png"))


@pytest.mark.parametrize("name", ["0", "007", "9999", "1" * 30, "de", "5.png.png", "..", "%00"])
def test_no_such_card(answer: Callable[[str], Kept], name: str) -> None:
    assert answer(f"/cards/{name}.png").status == 404


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("Türkmenistanyň Şäherleri ýaňy ž ç ö", id="Turkmen"),
        pytest.param("Ўзбекистон Қазақстан Тоҷикистон ғ ң ө ү ұ һ", id="Cyrillic of the region"),
        pytest.param("№ 5 — «так», “so”, € 1 … O‘zbekiston", id="signs"),
    ],
)
def test_letters_that_are_in_the_fonts(text: str) -> None:
    for font in (cards.SERIF, cards.SANS, cards.BOLD):
        assert _letters(text, font) == text


def test_letters_that_are_not() -> None:
    """No empty boxes."""
    assert _letters("ﬁve ạ 北京 \U0001f600!", cards.SERIF) == "five a  !"


@pytest.mark.parametrize(
    "text",
    [
        "Short",
        "A headline that has some words more than a line has room for",
        "word " * 90,
        "W" * 300,
        "",
    ],
)
def test_headlines_fit(text: str) -> None:
    lines, size, step, first = _headline(text, cards.SERIF)
    assert len(lines) <= 4
    assert first + step * (len(lines) - 1) < cards.GROUND
    assert all(cards._width(line, cards.SERIF, size) <= 1056 for line in lines)
    whole = " ".join(text.split())
    assert "".join(lines).replace(" ", "") == whole.replace(" ", "") or lines[-1].endswith("…")


def test_no_break_space_keeps() -> None:
    lines = _lines("x " * 40 + "No.\u00a014", cards.SERIF, 48)
    assert any("No.\u00a014" in line for line in lines)


def test_copies_are_served_while_an_article_shows_them(
    filled: Desk, answer: Callable[[str], Kept]
) -> None:
    url, body = "https://press.example/a.jpg", io.BytesIO()
    Image.new("RGB", (640, 360), "green").save(body, "PNG")
    made = make_copies(body.getvalue(), url)
    assert isinstance(made, Made)
    with filled.open() as db:
        db.run("UPDATE articles SET picture = ? WHERE id = 1", (json.dumps({"url": url}),))
        with db.write():
            save_picture(db, url, made, NOW)
        kept = answer(f"/pictures/{made.name}-640.avif")
        assert (kept.status, kept.plain.body) == (200, made.files[640, "avif"])
        assert header(kept, b"content-type") == "image/avif"
        assert header(kept, b"cache-control") == "public, max-age=86400"
        for name in ("-1200.avif", "-480.png", ".avif", "-480.avif/"):
            assert answer(f"/en/../pictures/{made.name}{name}").status == 404
        withdraw_article(db, 1, NOW)
    assert answer(f"/pictures/{made.name}-480.webp").status == 410
