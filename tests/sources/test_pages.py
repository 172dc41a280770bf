"""Pages: what they state becomes the article, and nothing that they do not."""

import gzip
from datetime import UTC, date, datetime
from pathlib import Path
from string import Template
from time import perf_counter
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from digest.config.settings import Recipe
from digest.errors import DocumentError
from digest.model import UNDATED, FoundItem, Picture
from digest.sources.pages import explain, links_of, read_page, read_sitemap

NOW = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
ZONE = ZoneInfo("Asia/Ashgabat")
URL = "https://news.example/story"
SHAPES = Path(__file__).parents[1] / "data" / "pages"
"""Pages as content management systems make them; the first line says what each states."""

COPY = {
    "en": {
        "title": "Customs officers complete a course on container control",
        "site": "Ministry Herald",
        "author": "Anna Berdiyeva",
        "section": "Border management",
        "day": "12 November 2026",
        "p1": "ASHGABAT, 11 November – Twenty officers of the customs service completed a five-day course on the control of containers in the port.",
        "p2": "They practised how to choose containers for inspection, how to read declarations, and how to share what they find with partners in the region.",
        "p3": "The course continues in the spring with officers of the border service and the police, the organisers said.",
        "p4": "This is a remark that nobody needs to read in a digest.",
    },
    "ru": {
        "title": "Таможенники завершили курс по контролю контейнеров",
        "site": "Вестник министерства",
        "author": "Анна Бердыева",
        "section": "Граница",
        "day": "12 ноября 2026 г.",
        "p1": "АШХАБАД, 11 ноября – Двадцать сотрудников таможенной службы завершили пятидневный курс по контролю контейнеров в порту.",
        "p2": "Они учились выбирать контейнеры для досмотра, читать декларации и делиться сведениями с партнёрами в регионе.",
        "p3": "Весной курс продолжится с сотрудниками пограничной службы и полиции, сообщили организаторы.",
        "p4": "Это замечание читателя, которое в дайджесте никому не нужно.",
    },
    "tk": {
        "title": "Gümrük işgärleri konteýnerlere gözegçilik boýunça okuwy tamamladylar",
        "site": "Ministrligiň habarlary",
        "author": "Aýna Berdiýewa",
        "section": "Serhet",
        "day": "12-nji noýabr 2026",
        "p1": "AŞGABAT, 11-nji noýabr – Gümrük gullugynyň ýigrimi işgäri portda konteýnerlere gözegçilik boýunça bäş günlük okuwy tamamladylar.",
        "p2": "Olar konteýnerleri barlag üçin saýlamagy, jarnamalary okamagy we sebitdäki hyzmatdaşlar bilen maglumat alyşmagy öwrendiler.",
        "p3": "Guramaçylaryň aýtmagyna görä, okuw ýazda serhet gullugynyň we polisiýanyň işgärleri bilen dowam eder.",
        "p4": "Bu okyjynyň belligi, ol habarnamada hiç kime gerek däl.",
    },
}


def page(shape: str, language: str = "en") -> str:
    words = SHAPES.joinpath(f"{shape}.html").read_text(encoding="utf-8").partition("\n")[2]
    return Template(words).substitute(COPY[language], lang=language)


def read(
    body: str | bytes, recipe: Recipe | None = None, content_type: str = "text/html", url: str = URL
) -> FoundItem:
    data = body.encode() if isinstance(body, str) else body
    return read_page(
        data, url=url, content_type=content_type, recipe=recipe or Recipe(), now=NOW, zone=ZONE
    )


def article(head: str = "", body: str = "", **other: str) -> str:
    copy = COPY["en"] | other
    paragraphs = "".join(f"<p>{copy[key]}</p>" for key in ("p1", "p2", "p3"))
    return f"<html lang=en><head><title>{copy['title']}</title>{head}</head><body><main><h1>{copy['title']}</h1>{body}{paragraphs}</main></body></html>"


@pytest.mark.parametrize("language", COPY)
@pytest.mark.parametrize("shape", sorted(path.stem for path in SHAPES.glob("*.html")))
def test_page_of_each_system(shape: str, language: str) -> None:
    """Title, day, author and text are those of the article; a page without a day gets none."""
    expected = SHAPES.joinpath(f"{shape}.html").read_text(encoding="utf-8").split()[1:4]
    copy = COPY[language]
    item = read(page(shape, language))
    assert item.title == copy["title"]
    assert item.author == (copy["author"] if "author" in expected else None)
    assert item.published.day == (None if "none" in expected else date(2026, 11, 12))
    instant = datetime(2026, 11, 12, 8, 15, tzinfo=UTC) if "time" in expected else None
    assert item.published.time == instant
    assert all(f"{copy[part]}</p>" in item.html for part in ("p1", "p2", "p3"))
    assert copy["p4"] not in item.html or shape == "newspaper"
    assert item.complete
    assert item.language in (language, None)
