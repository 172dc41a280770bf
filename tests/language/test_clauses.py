"""The days of a sentence that belong to its main past event; leads of news are in sources/test_dates.py."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.language.clauses import event_days
from digest.language.days import mentions
from tests.conftest import grows_in_proportion

WORDS = """
the police which after seized was adopted held on from in and , ; ( ) « » — to agreed Karvel суд который после принял
принятый был в с по на и Карвел форум boldy edilen bilen will has had been speaking 12 as On
than чем more had when killed погибли когда после police said they stood " ' recalled"""
DAYS = [
    "3 May 2026",
    "3-5 May 2026",
    "3 мая 2026 года",
    "с 3 по 5 мая",
    "2026-njy ýylyň 5-nji maýynda",
]


@pytest.mark.parametrize(
    ("sentence", "language", "count"),
    [
        pytest.param("2026-njy ýylyň 5-nji maýynda Aşgabatda forum geçirildi.", "tk", 1, id="Turkmen"),
        pytest.param("2024-nji ýylyň 5-nji maýynda kabul edilen kanun güýje girdi.", "tk", 0, id="Turkmen background"),
        pytest.param("Arzalar 2026-njy ýylyň 15-nji dekabryna çenli kabul edilýär.", "tk", 0, id="Turkmen deadline"),
        pytest.param("Суд 3 мая 2026 года вынес приговор.", "", 1, id="unknown language, Cyrillic"),
        pytest.param("The court sat on 3 May 2026.", "", 1, id="unknown language, Latin"),
        pytest.param("On 3 May 2026 it met, and on 5 May 2026 it signed.", "en", 2, id="two days of one event"),
        pytest.param("", "en", 0, id="nothing"),
    ],
)  # fmt: skip
def test_a_day_belongs_to_the_main_verb(sentence: str, language: str, count: int) -> None:
    """For the reader: in each language that copy comes in."""
    assert len(event_days(sentence, mentions(sentence), language)) == count


@given(
    st.lists(st.sampled_from([*WORDS.split(), *DAYS]), max_size=40),
    st.sampled_from(["en", "ru", "tk", ""]),
)
@settings(max_examples=200, deadline=None)
def test_any_words_have_days_of_their_own_or_none(words: list[str], language: str) -> None:
    """For ingest: no copy is too strange to be dated or left undated."""
    sentence = " ".join(words)
    named = mentions(sentence)
    found = event_days(sentence, named, language)
    assert found == [day for day in named if day in found]


@pytest.mark.parametrize(
    "words",
    [
        "a code adopted on ",
        "which was and ",
        "принятый суд и ",
        ", ",
        "killed when it fell ",
        '" ',
        "than ",
        "a who was ",
    ],
)
def test_a_long_sentence_takes_no_longer_than_its_words(words: str) -> None:
    """For ingest: the longest lead that is read is read at once."""

    def read(signs: int) -> None:
        sentence = (words * 1000)[: signs - 10] + "3 May 2026"
        event_days(sentence, mentions(sentence), "")

    assert grows_in_proportion(read, 750)
