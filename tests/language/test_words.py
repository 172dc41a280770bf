"""A word finds its other forms, in the index and in a query alike."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.language.words import index_forms, query_forms


@pytest.mark.parametrize(
    ("query", "text", "language"),
    [
        pytest.param("наркоторговцы", "Задержаны двое наркоторговцев", "ru", id="Russian cases"),
        pytest.param("елка", "У ёлки", "ru", id="ё as е"),
        pytest.param("дети", "Ребёнок", "ru", id="another root"),
        pytest.param("взяток", "Получил взятку", "ru", id="a word that can be two"),
        pytest.param("seizures", "A large seizure", "en", id="English"),
        pytest.param("UNODC", "Визит UNODC", "ru", id="Latin in Russian"),
        pytest.param("gümrük", "Döwlet gümrük gullugy", "tk", id="Turkmen"),
        pytest.param("Farap", "The Farap’s post", "en", id="a possessive"),
    ],
)
def test_a_query_finds_another_form_of_its_words(query, text, language):
    """For the reader who searches: any form finds any other."""
    held = index_forms(text, language).split()
    assert all(set(forms).intersection(held) for forms in query_forms(query))


def test_index_and_query_keep_the_number_and_order_of_words():
    """For the index: one form for each word."""
    assert index_forms("Наркотики и drugs", "ru") == "наркотик и drug"
    assert [forms[0] for forms in query_forms("drugs наркотики")] == ["drug", "наркотик"]


@settings(max_examples=60)
@given(st.text(max_size=60), st.sampled_from(["en", "ru", "tk", "", "xx"]))
def test_any_text_is_found_by_itself(text, language):
    """For whatever was ingested: a query of a text's own words meets the text."""
    held = index_forms(text, language).split()
    assert all(set(forms).intersection(held) for forms in query_forms(text))
