"""The language of copy is detected, and a word finds its other forms in the index and in a query."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.language.words import detect, index_forms, query_forms
from digest.sources.dates import read_copy
from digest.sources.documents import read_entries


@pytest.mark.parametrize(
    ("text", "language"),
    [
        pytest.param("Turkmen delegation visited Austria", "en", id="English headline"),
        pytest.param("UNODC Delegation visits Turkmenistan", "en", id="acronyms"),
        pytest.param("Experts from Turkiýe, Italy and the Centre addressed issues in Türkmenbaşy", "en", id="Turkmen names"),
        pytest.param("World Drug Day 2021 in Turkmenistan", "en", id="figures"),
        pytest.param("Наркоторговцы лишились миллионов", "ru", id="Russian headline"),
        pytest.param("Встреча с представителем UNODC в Қазақстане и других странах региона прошла вчера", "ru", id="a Kazakh name"),
        pytest.param("Aşgabatda halkara maslahat geçirildi", "tk", id="Turkmen headline"),
        pytest.param("Türkmenistanyň Döwlet gümrük gullugynda duşuşyk geçirildi", "tk", id="Turkmen"),
        pytest.param("Ýaşlar we neşä garşy göreş barada", "tk", id="Turkmen youth"),
        pytest.param("Митна служба України та її партнери обговорили співпрацю з ООН", "", id="Ukrainian"),
        pytest.param("Қазақстан Республикасының кеден қызметі және БҰҰ өкілдері кездесті", "", id="Kazakh"),
        pytest.param("Вазорати корҳои хориҷии Ҷумҳурии Тоҷикистон ва намояндагон", "", id="Tajik"),
        pytest.param("Die Delegation der Vereinten Nationen ist in Wien und spricht mit dem Zoll", "", id="German"),
        pytest.param("Türkiye ve Türkmenistan arasında gümrük için yeni bir anlaşma imzalandı", "", id="Turkish"),
        pytest.param("Oʻzbekiston va Turkmaniston bojxona xizmatlari uchun yangi dastur boʻyicha", "", id="Uzbek"),
        pytest.param("アシガバートで会議", "", id="Japanese"),
        pytest.param("2023 – 5 %", "", id="no words"),
        pytest.param("", "", id="nothing"),
    ],
)  # fmt: skip
def test_language_is_detected_by_script_letters_and_small_words(text, language):
    """For the subscriber of one language: only that language, and none that only looks like it."""
    assert detect(text) == language


def test_each_entry_of_a_listing_has_its_own_language():
    """For a listing of two languages."""
    listing = (
        "Встреча на таможне\nВ Ашхабаде состоялась встреча сотрудников таможни и […]\n"
        "Meeting at the customs\nOfficers of the customs met in Ashgabat and discussed the […]\n"
    )
    entries = read_copy(read_entries("listing.txt", listing))
    assert [one.language for one in entries] == ["ru", "en"]


@given(st.text(max_size=200))
def test_any_text_has_a_known_language_or_none(text):
    """For the database: there is no other value."""
    assert detect(text) in {"en", "ru", "tk", ""}


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
