"""What two tellings share is marked where it is, and nothing that is merely similar."""

from datetime import date
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.stories.sharing import Sharing, Telling, compare_tellings

ENGLISH = (
    "On Monday, 21 November 2022, the State Customs Service of Turkmenistan hosted a meeting of the"
    " Deputy Chairman of the State Customs Service of Turkmenistan D.Bayryev with the Regional"
    " Representative of the United Nations Office on Drugs and Crime in Central Asia, Ms. Ashita"
    " Mittal. She is on visit to Turkmenistan to participate in the"
)
RUSSIAN = (
    "В понедельник, 21 ноября 2022 года в Государственной таможенной службе Туркменистана состоялась"
    " встреча Заместителя Председателя Государственной таможенной службы Туркменистана Д.Байрыева с"
    " Региональным представителем Управления ООН по наркотикам и преступности в Центральной Азии"
    " г-жой Ашита Миттал. Она прибыла в Туркменистан с официальным визитом для участия в 55-ой"
    " сессии Подкомиссии по незаконному обороту запрещенных веществ на Ближнем"
)
DAY = date(2026, 11, 20)


def compared(*texts: str, day: date | None = DAY) -> Sharing:
    return compare_tellings(
        [Telling("", text, "ru" if text[0] >= "А" else "en", day) for text in texts]
    )


def pairs(*texts: str, day: date | None = DAY) -> set[tuple[str, ...]]:
    return {one.forms for one in compared(*texts, day=day).shared}


def test_the_pair_of_the_seeds_shares_its_day_people_posts_bodies_and_places() -> None:
    found = compared(ENGLISH, RUSSIAN)
    assert [(one.letter, one.kind, *one.forms) for one in found.shared] == [
        ("a", "day", "Monday, 21 November 2022", "понедельник, 21 ноября 2022 года"),
        ("b", "body", "State Customs Service", "Государственной таможенной службе"),
        ("c", "place", "Turkmenistan", "Туркменистана"),
        ("d", "role", "Deputy Chairman", "Заместителя Председателя"),
        ("e", "name", "D.Bayryev", "Д.Байрыева"),
        ("f", "role", "Regional Representative", "Региональным представителем"),
        (
            "g",
            "body",
            "United Nations Office on Drugs and Crime",
            "Управления ООН по наркотикам и преступности",
        ),
        ("h", "place", "Central Asia", "Центральной Азии"),
        ("i", "name", "Ashita Mittal", "Ашита Миттал"),
    ]
    assert found.only[0] == ()
    assert [one[:12] for one in found.only[1]] == ["Она прибыла "]


@pytest.mark.parametrize(
    ("english", "russian", "shared"),
    [
        (
            "They met from 11 to 13 May 2026.",
            "Они встретились 11–13 мая 2026 года.",
            "11 to 13 May 2026",
        ),
        ("It was held on 12 November.", "Он прошёл 12 ноября 2026 года.", "12 November"),
        ("It began in December 2021.", "Он начался в декабре 2021 года.", "December 2021"),
        ("A programme for 2022-2025.", "Это программа на 2022–2025 годы.", "2022-2025"),
        ("Over 100 people came.", "Приехали более ста участников.", "100 people"),
        ("It trained 27 border officers.", "Обучены 27 сотрудников.", "27 border officers"),
        ("From 233,000 hectares.", "С 233 тысяч гектаров.", "233,000 hectares"),
        ("A fall by 95%.", "Это спад на 95 процентов.", "95%"),
        ("Then Ghada Waly spoke.", "Потом выступила Гада Вали.", "Ghada Waly"),
        ("It was Narine Sahakyan.", "Там была Нарине Саакян.", "Narine Sahakyan"),
        ("The decision No. 1048 says so.", "Так решено в № 1048.", "No. 1048"),
        ("The post of Farap was opened.", "Был открыт пост Фарап.", "Farap"),
        ("The UN came.", "Пришли от имени ООН.", "UN"),
        ("Then Orazov Meret spoke.", "Потом выступил Мерет Оразов.", "Orazov Meret"),
        ("Officers in Mary met.", "Мары, 4 мая. Так решили.", "Mary"),
        ("In 1.2.3 officers and ² people, Vienna.", "В 1.2.3 офицеров и ² людей, Вена.", "Vienna"),
    ],
)
def test_one_thing_in_two_languages(english: str, russian: str, shared: str) -> None:
    assert [one[0] for one in pairs(english, russian)] == [shared]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("It was held on 12 November 2026.", "Он прошёл 13 ноября 2026 года."),
        ("It was held on 26 June 2026.", "Его отмечают 26 июня каждый год."),
        ("It was on 18 November 2026.", "Это было 18–19 ноября 2026 года."),
        ("In 2021 it began.", "Он начался в декабре 2021 года."),
        ("They found 27 kg.", "Нашли 27 контейнеров."),
        ("It trained 12 officers.", "Обучены 12 экспертов."),
        ("He met Rashid Meredov there.", "Там был Рашид Мурадов."),
        ("He met Vepa Hajiyev there.", "Там был Батыр Хаджиев."),
        ("The minister saw Anna Saidova.", "The minister saw Anna Saidov."),
        ("The Foreign Ministry of Turkmenistan said so.", "Так сказал МИД Узбекистана."),
        ("The Turkmen delegation came.", "Туда приехали из Туркменистана."),
        ("Interior ministries took part.", "Участвовало МВД."),
        ("A Conference was held, a Forum too.", "Прошла Конференция, а потом Форум."),
        ("He ran the UN80 Marathon.", "Он бежал ради ООН."),
        ("He led the UN Staff College.", "Так сказали в ООН."),
        ("Work for health and justice.", "Так сказали Минздрав и Минюст."),
        ("Later in New York too.", "Потом и в Нью-Йорке."),
        ("Later Mary spoke too.", "Потом и в Мары."),
        ("Later in Mary it was.", "Потом и в Мари."),
        ("Mary Smith spoke in Mary Hall.", "Потом и в Мары."),
        ("Kirov Oblast voted.", "Там выступил Киров."),
        ("It has 40 new beds.", "It has 40 new cars."),
        ("It was open for 5 days.", "It begins in 5 days."),
        ("The chairman met Dina Dominitz.", "Председатель ушёл, но была Дина Доминиц. Так."),
    ],
)
def test_what_is_only_similar_is_not_shared(one: str, other: str) -> None:
    assert not {kind for kind in compared(one, other).shared if kind.forms[0] != "Dina Dominitz"}


def test_a_post_is_shared_only_if_the_same_person_holds_it() -> None:
    english = "Deputy Interior Minister Ovezgeldy Kakaliyev met the Ambassador, Luigi Ferrari."
    russian = "Посол Кимура принял Луиджи Феррари; замминистра внутренних дел Овезгельди Какалыева там не было."
    assert pairs(english, russian) == {
        ("Deputy Interior Minister", "замминистра внутренних дел"),
        ("Ovezgeldy Kakaliyev", "Овезгельди Какалыева"),
        ("Luigi Ferrari", "Луиджи Феррари"),
    }


def test_what_is_counted_is_shared_in_one_language_whatever_it_is() -> None:
    assert pairs("It has 40 beds and 12 doctors.", "There, 12 doctors have 40 beds.") == {
        ("40 beds", "40 beds"),
        ("12 doctors", "12 doctors"),
    }
    found = compared(
        "The deputy chairman Orazov Meret came.", "Заместитель председателя М. Оразов."
    )
    assert [one.kind for one in found.shared] == ["role", "name"]


def test_two_people_of_one_surname_are_not_mixed_up() -> None:
    english = "Vepa Hajiyev met Batyr Hajiyev. Hajiyev spoke."
    assert pairs(english, "Там выступил Хаджиев.") == set()


def test_only_in_one_says_nothing_that_the_other_may_say_in_other_words() -> None:
    english = "He met John MacGregor. Two people came from Astana on 4 May 2026. It cost 60 euros."
    russian = "Он встретил Джона МакГрегора. Они были там 3–5 мая 2026 года, двое."
    assert compared(english, russian).only == (("It cost 60 euros.",), ())


def test_only_in_one_is_found_beside_any_number_of_others() -> None:
    others = ["The macaws of the old town make a great noise.", "Nobody saw it."]
    assert compared("He met John MacGregor.", *others).only[0] == ("He met John MacGregor.",)


def test_three_tellings_share_what_two_of_them_have() -> None:
    texts = ("On 4 May 2026 in Vienna.", "Это было 4 мая 2026 года.", "Так сказали в Вене.")
    found = {one.kind: one.forms for one in compared(*texts).shared}
    assert found == {"day": ("4 May 2026", "4 мая 2026 года", ""), "place": ("Vienna", "", "Вене")}


def test_unseen_signs_do_not_move_the_places() -> None:
    text = "The O\u00adSCE and the UN\u200bODC met."
    found = compared(text, "ОБСЕ и УНП ООН встретились.")
    assert {one.forms[0] for one in found.shared} == {"O\u00adSCE", "UN\u200bODC"}


WORDS = st.sampled_from(
    [
        *ENGLISH.split(),
        *RUSSIAN.split(),
        "27",
        "1.2.3",
        "²",
        "№",
        "thousand",
        "people",
        "сто",
        "участников",
        "\n\n",
        "2022-2025",
        "%",
    ]
)
TEXTS = st.one_of(st.lists(WORDS, max_size=40).map(" ".join), st.text(max_size=60))


@given(st.lists(TEXTS, min_size=2, max_size=3))
def test_spans_are_within_the_text_and_apart_and_the_same_in_any_order(texts: list[str]) -> None:
    tellings = [Telling("", text, "en", DAY) for text in texts]
    found = compare_tellings(tellings)
    for at, text in enumerate(texts):
        spans = sorted(span for one in found.shared if (span := one.spans[at]))
        assert all(0 <= start < end <= len(text) for start, end in spans)
        assert all(one[1] <= other[0] for one, other in pairwise(spans))
        for one in found.shared:
            span = one.spans[at]
            assert one.forms[at] == (text[slice(*span)] if span else "")
        assert all(quote in text for quote in found.only[at])
    assert all(sum(span is not None for span in one.spans) > 1 for one in found.shared)
    back = compare_tellings(tellings[::-1])
    assert {one.forms[::-1] for one in back.shared} == {one.forms for one in found.shared}
    assert back.only[::-1] == found.only
