"""Our own texts: plurals, numbers and days as each language has them."""

import dataclasses
import re
from datetime import date
from pathlib import Path

import pytest
from babel import Locale

from digest.language.wording import FOLDER, LANGUAGES, load_wording, wording_for

ENGLISH, RUSSIAN = wording_for("en"), wording_for("ru")


def places(text: str | dict[str, str]) -> set[str]:
    """What a text, or any of a text's forms, wants filled in."""
    return set(re.findall(r"\{\w+\}", str(text)))


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
    assert wording_for(language).headline_and_more("Headline", number) == expected


@pytest.mark.parametrize(
    ("headline", "expected"),
    [
        pytest.param("Cut at a…", "Cut at a… and 2 more", id="cut"),
        pytest.param("Forum “Arkadag”", "Forum “Arkadag”, and 2 more", id="a quotation"),
        pytest.param("A convention (UNCAC)", "A convention (UNCAC), and 2 more", id="a bracket"),
        pytest.param("Positive Developments!", "Positive Developments! and 2 more", id="mark"),
        pytest.param("Delegation visited Austria", "Delegation visited Austria, and 2 more", id="word"),
    ],
)  # fmt: skip
def test_the_count_joins_the_headline_without_harm(headline: str, expected: str) -> None:
    """No comma after a mark that already ends the headline."""
    assert wording_for("en").headline_and_more(headline, 2) == expected


@pytest.mark.parametrize(
    ("language", "number", "expected"),
    [
        pytest.param("en", 1, "1\xa0story", id="en"),
        pytest.param("ru", 1, "1\xa0событие", id="ru one"),
        pytest.param("ru", 2, "2\xa0события", id="ru few"),
        pytest.param("ru", 5, "5\xa0событий", id="ru many"),
    ],
)
def test_stories_are_counted_rightly(language: str, number: int, expected: str) -> None:
    wording = wording_for(language)
    assert wording.count(wording.stories, number) == expected


@pytest.mark.parametrize(
    ("language", "first", "last", "expected"),
    [
        pytest.param("en", (2026, 11, 16), (2026, 11, 23), "16–23 November 2026", id="a month"),
        pytest.param("ru", (2026, 11, 16), (2026, 11, 23), "16–23 ноября 2026", id="in Russian"),
        pytest.param("en", (2026, 11, 30), (2026, 12, 7), "30 November – 7 December 2026", id="two months"),
        pytest.param("ru", (2026, 12, 28), (2027, 1, 4), "28 декабря 2026 – 4 января 2027", id="two years"),
        pytest.param("en", (2026, 11, 23), (2026, 11, 23), "23 November 2026", id="one day"),
    ],
)  # fmt: skip
def test_a_window_reads_as_people_write_it(
    language: str, first: tuple[int, int, int], last: tuple[int, int, int], expected: str
) -> None:
    """No line breaks inside a date; only after a dash between two."""
    shown = wording_for(language).days(date(*first), date(*last))
    assert shown.replace("\u00a0", " ") == expected
    assert all(part.endswith("–") for part in shown.split(" ")[:-1])


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
    shown = tuple(one.count(one.articles, count) for one in (ENGLISH, RUSSIAN))
    assert shown == (english.replace(" ", "\u00a0"), russian.replace(" ", "\u00a0"))


def test_days_are_in_the_readers_language() -> None:
    """Day, month by name, year, with no-break spaces."""
    day = date(2023, 4, 4)
    assert ENGLISH.day(day) == "4\u00a0April\u00a02023"
    assert RUSSIAN.day(day) == "4\u00a0апреля\u00a02023"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_all_its_plurals_and_the_same_places(language: str) -> None:
    """A text that only some numbers or articles need is complete before they come."""
    found = wording_for(language)
    for plural in (found.articles, found.more_subject, found.stories):
        assert set(plural) == Locale.parse(found.locale).plural_form.tags | {"other"}
    assert set(found.parts) == set(ENGLISH.parts)
    for field in dataclasses.fields(found):
        assert places(getattr(found, field.name)) == places(getattr(ENGLISH, field.name))


@pytest.mark.parametrize(
    ("line", "key"),
    [
        pytest.param("", "leave", id="missing"),
        pytest.param('leave = "Leave"\nlaeve = ""', "laeve", id="unknown"),
        pytest.param("leave = 1", "leave", id="no text"),
    ],
)
def test_a_file_that_is_not_complete_is_refused(tmp_path: Path, line: str, key: str) -> None:
    """What a new language lacks is known when the file is read, not when a mail needs it."""
    text = (FOLDER / "en.toml").read_text("utf-8")
    (tmp_path / "tk.toml").write_text(text.replace('leave = "Unsubscribe"', line), "utf-8")
    with pytest.raises(
        ValueError, match=rf"tk\.toml: missing, unknown or of the wrong kind: {key}$"
    ):
        load_wording(tmp_path / "tk.toml")


@pytest.mark.parametrize(
    ("language", "site", "found"),
    [
        pytest.param("ru", ("en",), "ru", id="its own"),
        pytest.param("tk", ("ru", "en"), "ru", id="the site's first"),
        pytest.param("tk", ("tk",), "en", id="English at last"),
        pytest.param("tk", (), "en", id="in a mail English"),
    ],
)
def test_a_language_without_words_borrows_them(
    language: str, site: tuple[str, ...], found: str
) -> None:
    """A Turkmen article still has a page around it, and a mail its words."""
    assert wording_for(language, site).language == found
