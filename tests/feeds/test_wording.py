"""Our own words: numbers and days as each language says them."""

from datetime import date

import pytest

from digest.feeds.wording import ENGLISH, RUSSIAN, wording_for


@pytest.mark.parametrize(
    ("count", "english", "russian"),
    [
        pytest.param(0, "0 articles", "0 статей", id="none"),
        pytest.param(1, "1 article", "1 статья", id="one"),
        pytest.param(3, "3 articles", "3 статьи", id="few"),
        pytest.param(5, "5 articles", "5 статей", id="many"),
        pytest.param(11, "11 articles", "11 статей", id="eleven is many"),
        pytest.param(21, "21 articles", "21 статья", id="twenty-one is one"),
        pytest.param(50, "50 articles", "50 статей", id="fifty"),
    ],
)
def test_articles_are_counted_rightly(count: int, english: str, russian: str) -> None:
    """Russian has three forms, and a line never breaks between number and word."""
    shown = (ENGLISH.count(count), RUSSIAN.count(count))
    assert shown == (english.replace(" ", "\u00a0"), russian.replace(" ", "\u00a0"))


def test_days_are_told_in_the_readers_language() -> None:
    """Day, month by name, year, with no-break spaces."""
    day = date(2023, 4, 4)
    assert ENGLISH.day(day) == "4\u00a0April\u00a02023"
    assert RUSSIAN.day(day) == "4\u00a0апреля\u00a02023"


@pytest.mark.parametrize(
    ("language", "site", "found"),
    [
        pytest.param("ru", ("en",), "ru", id="its own"),
        pytest.param("tk", ("ru", "en"), "ru", id="the site's first"),
        pytest.param("tk", ("tk",), "en", id="English at last"),
    ],
)
def test_a_language_without_words_borrows_them(
    language: str, site: tuple[str, ...], found: str
) -> None:
    """A Turkmen article still has a page around it."""
    assert wording_for(language, site).language == found
