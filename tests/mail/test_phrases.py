"""Plurals and dates as each language has them."""

from datetime import date

import pytest

from digest.mail.phrases import LANGUAGES, phrases_for


@pytest.mark.parametrize(
    ("language", "number", "expected"),
    [
        pytest.param("en", 1, "Headline, and 1 more", id="en one"),
        pytest.param("en", 35, "Headline, and 35 more", id="en other"),
        pytest.param("en", 1234, "Headline, and 1,234 more", id="en thousands"),
        pytest.param("ru", 1, "Headline — и ещё 1 новость", id="ru one"),
        pytest.param("ru", 3, "Headline — и ещё 3 новости", id="ru few"),
        pytest.param("ru", 11, "Headline — и ещё 11 новостей", id="ru eleven is many"),
        pytest.param("ru", 21, "Headline — и ещё 21 новость", id="ru twenty-one is one"),
        pytest.param("ru", 35, "Headline — и ещё 35 новостей", id="ru many"),
        pytest.param("ru", 0, "Headline", id="nothing more"),
    ],
)
def test_a_subject_counts_in_the_right_plural(language: str, number: int, expected: str) -> None:
    """Readers see their own grammar in the inbox."""
    assert phrases_for(language).subject("Headline", number) == expected


@pytest.mark.parametrize(
    ("headline", "expected"),
    [
        pytest.param("Cut at a…", "Cut at a… and 2 more", id="cut"),
        pytest.param("Forum “Arkadag”", "Forum “Arkadag”, and 2 more", id="a quotation"),
        pytest.param("A convention (UNCAC)", "A convention (UNCAC), and 2 more", id="a bracket"),
        pytest.param("Positive Developments!", "Positive Developments! and 2 more", id="mark"),
        pytest.param(
            "Delegation visited Austria", "Delegation visited Austria, and 2 more", id="word"
        ),
    ],
)
def test_the_count_joins_the_headline_without_harm(headline: str, expected: str) -> None:
    """No comma after a mark that already ends the headline."""
    assert phrases_for("en").subject(headline, 2) == expected


@pytest.mark.parametrize(
    ("language", "number", "expected"),
    [
        pytest.param("en", 1, "1 more under Drugs", id="en"),
        pytest.param("ru", 1, "Ещё 1 новость в теме «Drugs»", id="ru one"),
        pytest.param("ru", 2, "Ещё 2 новости в теме «Drugs»", id="ru few"),
        pytest.param("ru", 5, "Ещё 5 новостей в теме «Drugs»", id="ru many"),
    ],
)
def test_the_rest_of_a_theme_is_counted(language: str, number: int, expected: str) -> None:
    """ "3 more under Drugs" in each language."""
    assert phrases_for(language).count("more_theme", number, theme="Drugs") == expected


@pytest.mark.parametrize(
    ("language", "first", "last", "expected"),
    [
        pytest.param("en", (2026, 11, 16), (2026, 11, 23), "16–23 November 2026", id="a month"),
        pytest.param("ru", (2026, 11, 16), (2026, 11, 23), "16–23 ноября 2026 г.", id="in Russian"),
        pytest.param(
            "en", (2026, 11, 30), (2026, 12, 7), "30 November – 7 December 2026", id="two months"
        ),
        pytest.param(
            "ru",
            (2026, 12, 28),
            (2027, 1, 4),
            "28 декабря 2026 г. – 4 января 2027 г.",
            id="two years",
        ),
        pytest.param("en", (2026, 11, 23), (2026, 11, 23), "23 November 2026", id="one day"),
    ],
)
def test_a_window_reads_as_people_write_it(
    language: str, first: tuple[int, int, int], last: tuple[int, int, int], expected: str
) -> None:
    """No line breaks inside a date; only after a dash between two."""
    shown = phrases_for(language).days(date(*first), date(*last))
    assert shown.replace("\u00a0", " ") == expected
    assert all(part.endswith("–") for part in shown.split(" ")[:-1])


def test_a_language_without_phrases_gets_english() -> None:
    """Turkmen articles are carried; the mail around them is English until it has Turkmen words."""
    assert phrases_for("tk").language == "en"
    assert LANGUAGES == ("en", "ru")
