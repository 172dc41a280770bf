"""When two articles are one story, for the editor who must trust it."""

import itertools
import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlite_utils.utils import sqlite3

from digest.language.text import fold
from digest.language.words import skeleton
from digest.stories.fingerprints import (
    READ,
    TERMS,
    Fingerprint,
    days,
    fingerprint,
    from_json,
    hash_of,
    notions,
    rarity_of,
    word_set,
)
from digest.stories.likeness import (
    Comparison,
    Counts,
    Member,
    compare,
    group,
    lead_of,
    link,
    wanted,
)
from digest.stories.store import CANDIDATES

ROOT = Path(__file__).parent.parent.parent
DATA = ROOT / "tests" / "data" / "stories"
LISTING = "002_e89ea2d84f60b326.txt"
Pair = tuple[Any, Any]

TRAINING = (
    "From 11 to 13 March, the agency organized a regional training on travel documents in Ashgabat "
    "for 27 officers of the migration services, opened by Vepa Hajiyev and Ashita Mittal."
)
PARAGRAPH = (
    "Officers of nine countries learned how the new scanners at the Farap crossing read sealed "
    "containers, and how a profile of risk is drawn up before a lorry arrives at the gate. "
    "The director, Gulya Ataeva, said that queues at night had been halved since the spring, and "
    "that drivers now wait less than forty minutes. The next group starts after the harvest."
)


def make_fingerprint(**overrides: Any) -> Fingerprint:
    values: dict[str, Any] = {
        "title": "Regional training in Ashgabat",
        "text": TRAINING,
        "language": "en",
        "day": date(2024, 3, 13),
    }
    return fingerprint(**{**values, **overrides})


def read_lines(name: str) -> list[dict[str, Any]]:
    text = (DATA / name).read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def read_fingerprint(row: dict[str, Any], **overrides: Any) -> Fingerprint:
    """The fingerprint of a row of the test data."""
    values = {"title": row["title"] or "", "text": row.get("text"), "language": row.get("lang")}
    day = date.fromisoformat(row["date"]) if row.get("date") else None
    return fingerprint(**{**values, "day": day, **overrides})


def labelled_items() -> dict[str, Fingerprint]:
    return {row["id"]: read_fingerprint(row) for row in read_lines("items.jsonl")}


def wire_items() -> tuple[dict[str, Fingerprint], set[Pair]]:
    """Short items of one day, made up: their fingerprints and the pairs of one story."""
    rows = read_lines("wire.jsonl")
    day = date(2026, 11, 22)
    items = {row["id"]: read_fingerprint(row, language=row["language"], day=day) for row in rows}
    pairs = itertools.combinations(rows, 2)
    return items, {(a["id"], b["id"]) for a, b in pairs if a["story"] == b["story"]}


def seed_articles() -> dict[int | str, Fingerprint]:
    """The articles of the seeds, by line of the listing or by document, as a reader would cut them."""
    listing = (ROOT / "seeds" / LISTING).read_text(encoding="utf-8").splitlines()
    articles: dict[int | str, Fingerprint] = {}
    for row in read_lines("seeds.jsonl"):
        if row["seed"] == LISTING:
            key = row["line"]
            text = listing[key - 1 if row["title"] is None else key]
        else:
            key = row["seed"]
            text = (ROOT / "seeds" / key).read_text(encoding="utf-8")
        row["date"] = row["day"]
        articles[key] = read_fingerprint(row, text=text, language=row["language"])
    return articles


def linked_pairs(items: dict[Any, Fingerprint]) -> set[Pair]:
    pairs = itertools.combinations(items, 2)
    return {(a, b) for a, b in pairs if compare(items[a], items[b]).linked}


def test_the_true_pairs_of_the_seeds_are_linked_and_no_other() -> None:
    """For the newcomer's first digest: two translations, one training from two outlets, nothing false."""
    assert linked_pairs(seed_articles()) == {(4, 6), (58, 60), (16, 24)}


def test_labelled_pairs_are_found_with_few_misses_and_hardly_a_wrong_one() -> None:
    """For the editor: precision at least 0.97 and recall at least 0.85 on pairs labelled by hand."""
    items = labelled_items()
    true = {(pair["a"], pair["b"]): pair["kind"] for pair in read_lines("pairs.jsonl")}
    linked = linked_pairs(dict(sorted(items.items())))
    right = linked & true.keys()
    assert len(right) / len(linked) >= 0.97
    assert len(right) / len(true) >= 0.85


@pytest.mark.parametrize(("language", "least"), [("en", 0.93), ("ru", 0.9)])
def test_news_of_other_beats_is_told_apart(language: str, least: float) -> None:
    """For a newsroom on any beat: F1 on accounts of one event, and on others of the same people."""
    rows = [row for row in read_lines("news.jsonl") if row["lang"] == language]
    prints = [read_fingerprint(row) for row in rows]
    right = wrong = missed = 0
    for (one, a), (other, b) in itertools.combinations(zip(rows, prints, strict=True), 2):
        linked, true = compare(a, b).linked, one["story"] == other["story"]
        right, wrong = right + (linked and true), wrong + (linked and not true)
        missed += true and not linked
    assert 2 * right / (2 * right + wrong + missed) >= least


def test_short_items_of_one_place_and_day_are_events_of_their_own() -> None:
    """For the reader: a find, a scanner and a visit at one crossing are three stories."""
    day, rows = date(2026, 11, 22), read_lines("short.jsonl")
    prints = [(row["place"], read_fingerprint(row, day=day)) for row in rows]
    pairs = [(a, b) for (p, a), (q, b) in itertools.combinations(prints, 2) if p == q]
    assert sum(compare(a, b).linked for a, b in pairs) <= len(pairs) * 0.03


PLACES = [("Mary", "Мары"), ("Lebap", "Лебап"), ("Selkan", "Селькан"), ("Tolma", "Толма"),
          ("Virsk", "Вирск"), ("Halm", "Хальм"), ("Zarin", "Зарин")]  # fmt: skip
PEOPLE = [("Anna Orlova", "Анна Орлова"), ("Murad Saparov", "Мурад Сапаров"),
          ("Igor Belov", "Игорь Белов"), ("Timur Rahimov", "Тимур Рахимов")]  # fmt: skip
DRUGS = [("opium", "опия"), ("heroin", "героина"), ("hashish", "гашиша")]
TEMPLATES = {
    "seizure": (
        "Police in {place} detain a man with {drug}|Police officers in {place} detained a man of {a} "
        "with {b}0 grams of {drug}. He was taken to a detention centre and a case was opened, the "
        "Interior Ministry said.",
        "В городе {place} задержан мужчина с партией {drug}|Сотрудники полиции в городе {place} "
        "задержали мужчину {a} лет с {b}0 граммами {drug}. Он доставлен в изолятор, возбуждено "
        "дело, сообщило Министерство внутренних дел.",
    ),
    "prices": (
        "Weekly prices at the Selkan market|A kilogram of potatoes cost {c}.{a} manats at the Selkan "
        "market this week, onions {d}.{b}, mutton {b}. Prices of bread did not change.",
        "Цены недели на рынке Селькан|Килограмм картофеля стоил на рынке Селькан на этой неделе "
        "{c},{a} маната, лука – {d},{b}, баранины – {b}. Цены на хлеб не изменились.",
    ),
    "court": (
        "{place} court jails official for bribe|A court in {place} sentenced {person}, a former "
        "official of the land office, to {c} years in prison for a bribe of {b} thousand dollars. "
        "The verdict can be appealed.",
        "Суд города {place} осудил чиновника за взятку|Суд города {place} приговорил бывшего "
        "сотрудника земельного управления по имени {person} к {c} годам лишения свободы за взятку в "
        "{b} тысяч долларов. Приговор может быть обжалован.",
    ),
}


def test_reports_of_one_template_are_told_apart_and_their_translations_found() -> None:
    """For the reader: 42 seizures, weekly prices and court reports; each is linked to its translation only."""
    items = {}
    for (name, languages), n in itertools.product(TEMPLATES.items(), range(7)):
        day = date(2026, 10, 1) + timedelta(days=7 * n if name == "prices" else n)
        for at, language in enumerate(("en", "ru")):
            filled = languages[at].format(
                place=PLACES[n][at], drug=DRUGS[n % 3][at], person=PEOPLE[n % 4][at],
                a=23 + 5 * n, b=41 + 7 * n, c=3 + n, d=12 + n,
            )  # fmt: skip
            title, _, text = filled.partition("|")
            items[name, n, language] = fingerprint(
                title=title, text=text, language=language, day=day
            )
    linked = linked_pairs(items)
    assert linked == {((name, n, "en"), (name, n, "ru")) for name in TEMPLATES for n in range(7)}


@pytest.mark.parametrize(
    ("template", "one", "other"),
    [
        pytest.param(
            "Envoy of {0} received|Minister Murad Saparov received the ambassador of {0} in Ashgabat on "
            "Tuesday. They discussed trade and {1}.",
            ("Italy", "music"), ("Japan", "schools"), id="countries",
        ),
        pytest.param(
            "{0} holds seminar|{0} held a seminar for {1} in Ashgabat on Tuesday. Thirty people took part "
            "in the event, which dealt with {2}.",
            ("UNDP", "judges", "human rights"), ("OSCE", "journalists", "media law"), id="bodies",
        ),
        pytest.param(
            "Seminar held|UNDP held a seminar for {0} in Ashgabat on Tuesday. Thirty people took part in "
            "the event, which dealt with {1}.",
            ("judges", "human rights"), ("teachers", "inclusive schools"), id="whom it was for",
        ),
        pytest.param(
            "«{0}» победил|«{0}» обыграл «{1}» 2:1 в 15-м туре чемпионата страны во вторник. Гол забил {2}.",
            ("Сокол", "Химик", "Жданов"), ("Торпедо", "Рубин", "Барко"), id="teams",
        ),
        pytest.param(
            "Trial ends|A court in Oral sentenced {0} to {1} years in prison for {2} on Tuesday, and the "
            "verdict can be appealed.",
            ("Sergei Ivanov", 7, "murder"), ("Svetlana Ivanova", 3, "forgery"), id="persons",
        ),
        pytest.param(
            "{1} convicted of bribery|The Almaty court convicted {1} on Tuesday of taking a bribe of {0} "
            "tenge.",
            ("3 million", "two clerks"), ("200,000", "a surgeon"), id="amounts",
        ),
    ],
)  # fmt: skip
def test_a_report_of_the_same_form_on_another_is_no_copy(
    template: str, one: tuple[str, ...], other: tuple[str, ...]
) -> None:
    """For the reader: what both have of their own speaks louder than the words of the form."""
    language = "ru" if template[0] == "«" else "en"
    filled = (template.format(*names).partition("|") for names in (one, other))
    first, second = (
        make_fingerprint(title=title, text=text, language=language) for title, _, text in filled
    )
    assert not compare(first, second).linked
    assert compare(first, first).linked


def test_a_long_copy_stays_one_when_an_outlet_edits_it() -> None:
    """For the reader: an agency's text with another name and number in it is no other report."""
    text = f"{TRAINING} {PARAGRAPH}"
    edited = text.replace("Vepa Hajiyev and Ashita Mittal", "Kerim Babayev").replace("27", "28")
    assert compare(make_fingerprint(text=text), make_fingerprint(text=edited)).linked


def test_rare_names_in_common_link_free_wording_without_a_day() -> None:
    """For the reader: a text that came soon after the event, in other words, is found by who and where."""
    dated = make_fingerprint(
        title="Landslide near Ulgan", text="Two shepherds died near Ulgan on 13 March, mayor Askar Tuleyev said."
    )  # fmt: skip
    undated = "Askar Tuleyev, who leads Ulgan, spoke to the families of two dead shepherds."
    received = date(2024, 3, 20)
    followed = make_fingerprint(title="Grief in Ulgan", text=undated, day=None, received=received)
    assert compare(dated, followed).linked


@pytest.mark.parametrize(
    ("name", "other", "one"),
    [
        pytest.param("Meredov", "Myradov", False, id="two names"),
        pytest.param("Muradov", "Myradov", True, id="two spellings"),
        pytest.param("Meredov", "Meredova", False, id="a man and a woman"),
    ],
)
def test_names_in_one_alphabet_differ_by_vowels_and_endings(
    name: str, other: str, one: bool
) -> None:
    """For the reader: who was fined in one text and praised in the other may be two people."""
    texts = ("Dovran {} was fined for a fire in Tejen", "Dovran {} was paid for a song in Tejen")
    first, second = (
        make_fingerprint(title="Tejen", text=text.format(each))
        for text, each in zip(texts, (name, other), strict=True)
    )
    same = make_fingerprint(title="Tejen", text=texts[1].format(name))
    assert (compare(first, second).score == compare(first, same).score) is one


@pytest.mark.parametrize(
    ("text", "number"),
    [
        pytest.param("20 thousand people", "20000", id="thousand"),
        pytest.param("20 тысяч человек", "20000", id="Russian"),
        pytest.param("fifteen hundred people", "1500", id="hundred"),
        pytest.param("seventy-nine deputies", "79", id="tens"),
        pytest.param("1.5 thousand soms", "1500", id="fraction"),
        pytest.param("60 million", "60", id="a scale that all copy writes"),
    ],
)
def test_a_number_is_read_with_the_words_that_belong_to_it(text: str, number: str) -> None:
    """For the comparison: however an outlet writes a number, it is the same."""
    terms = make_fingerprint(title="", text=text).terms
    assert [term.form for term in terms if term.key[0] == "#"] == [number]


def test_a_world_day_that_both_name_does_not_part_them() -> None:
    """For the reader: two accounts of one accident on 20 November, Children's Day."""
    day = date(2026, 11, 20)
    first = make_fingerprint(text="A bus hit a tractor on 20 November 2026.", day=day)
    assert "they name different days" not in compare(first, first).reasons


@pytest.mark.parametrize("terms", [1, 2])
def test_one_or_two_words_make_no_likeness(terms: int) -> None:
    """For the reader: a rare name or two, and nothing else in common, link nothing."""
    rare = ["Kvartsburg", "Zhelmenau"][:terms]
    one, other = (
        make_fingerprint(
            title=" ".join([*rare, *rest.split()[:3]]), text=f"{rest} {' '.join(rare)}."
        )
        for rest in ("The tulip harvest began early near", "A violinist plays tonight in")
    )
    assert compare(one, other).score < 0.1


def test_the_day_of_receipt_stands_in_for_a_missing_day() -> None:
    """For the reader: an undated text that came years later is no bridge to an old story."""
    old, undated = make_fingerprint(), make_fingerprint(day=None)
    assert compare(old, undated).linked
    for came, linked in ((date(2024, 3, 20), True), (date(2026, 11, 28), False)):
        assert compare(old, make_fingerprint(day=None, received=came)).linked is linked


@pytest.mark.parametrize(
    ("score", "thin"), [(0.49, False), (0.5, True), (0.64, True), (0.9, False)]
)
def test_a_link_that_hardly_holds_is_called_thin(score: float, thin: bool) -> None:
    """For the editor: which links to look at first."""
    assert Comparison(score, "same-story", score >= 0.5, ()).thin is thin


def test_a_word_that_is_usual_here_tells_little() -> None:
    """For a newsroom on one beat: what each second article has links less than what is rare."""
    one, other = make_fingerprint(), make_fingerprint(title="Officers", text=TRAINING[-90:])
    usual = Counts(1, 1000, {hash_of(term.key): 500 for term in one.terms if term.is_name})
    assert compare(one, other, usual).score < compare(one, other).score


def test_each_labelled_pair_shares_the_keys_that_find_it() -> None:
    """For the store: what is linked is also found, by at least two keys in common."""
    items = labelled_items()
    for pair in read_lines("pairs.jsonl"):
        shared = {*items[pair["a"]].keys} & {*items[pair["b"]].keys}
        assert len(shared) >= 2, pair


def test_wire_copy_of_one_day_and_town_is_no_story() -> None:
    """For the reader of a mail: of short items under one dateline only those on one event are one story."""
    items, true = wire_items()
    linked = linked_pairs(items)
    assert linked <= true
    assert len(linked) / len(true) >= 0.9
    assert all(len({*items[a].keys} & {*items[b].keys}) >= 2 for a, b in linked)


@pytest.mark.parametrize(
    "dateline",
    ["ASHGABAT, 22 November 2026. ", "Ashgabat, Nov 22 (TDH) – ", "22 November 2026, Ashgabat — "],
)
def test_a_dateline_is_no_part_of_the_story(dateline: str) -> None:
    """For the comparison: a dateline adds nothing; the place where it was filed only counts less."""
    day = date(2026, 11, 22)
    without = make_fingerprint(day=day)
    filed = make_fingerprint(text=dateline + TRAINING, day=day)
    assert {term.key for term in filed.terms} == {term.key for term in without.terms}
    less = {term for term in filed.terms if term not in without.terms}
    assert {term.key for term in less} == {"ashgabat"}
    assert replace(filed, terms=()) == replace(without, terms=())


def test_the_day_that_both_are_of_counts_once() -> None:
    """For readers: that two items of one day both name it makes them no more alike."""
    day = date(2026, 11, 22)
    doctors = "The treatment of diabetes was discussed {}by doctors of five clinics."
    teachers = "Teachers of English were shown {}how new textbooks are used in village schools."
    scores = [
        compare(
            make_fingerprint(title="Doctors", text=doctors.format(when), day=day),
            make_fingerprint(title="Teachers", text=teachers.format(when), day=day),
        ).score
        for when in ("", "on 22 November 2026 ")
    ]
    assert scores[0] == scores[1] < 0.5


@pytest.mark.parametrize(
    ("title", "organisations"),
    [
        pytest.param("CUSTOMS OPENS NEW LABORATORY", set(), id="a headline in capitals"),
        pytest.param("UNODC OPENS OFFICE IN MARY", {"@UNODC"}, id="with an organisation"),
        pytest.param("Police of MARY meet the BOMCA team", {"@BOMCA"}, id="a town in capitals"),
    ],
)
def test_capitals_alone_make_no_organisation(title: str, organisations: set[str]) -> None:
    """For the editor: what is given as an organisation is one."""
    terms = make_fingerprint(title=title, text="").terms
    assert {term.key for term in terms if term.key[0] == "@"} == organisations


def test_fingerprints_with_their_datelines_still_compare() -> None:
    """For the operator who upgrades: an old fingerprint links to its translation, not to its day."""
    items, _ = wire_items()
    stored = json.loads(items["lab-en"].to_json())
    stored["days"] = ["2026-11-22"]
    stored["terms"].append(["@ASHGABAT", "ASHGABAT", 1.0])
    old = from_json(json.dumps(stored))
    assert [name for name, each in items.items() if compare(old, each).linked] == [
        "lab-en",
        "lab-ru",
    ]


@pytest.mark.parametrize(
    ("russian", "latin"),
    [
        pytest.param("Байрыев", "Bayryev", id="surname"),
        pytest.param("Байрыева", "Baýryýew", id="genitive, Turkmen spelling"),
        pytest.param("Мередовым", "Meredov", id="instrumental"),
        pytest.param("Мередов", "Meredow", id="Turkmen ending"),
        pytest.param("Хаджиев", "Hajiyev", id="dj as j"),
        pytest.param("Миттал", "Mittal", id="doubled letter"),
        pytest.param("Ашита", "Ashita", id="vowel first"),
        pytest.param("Ташкенте", "Tashkent", id="place in the locative"),
        pytest.param("Узбекистана", "Uzbekistan", id="country in the genitive"),
        pytest.param("конвенции", "convention", id="loan word"),
    ],
)
def test_a_name_has_the_same_skeleton_in_each_alphabet(russian: str, latin: str) -> None:
    """For the comparison across languages: spelling and case do not part a name."""
    assert skeleton(russian) == skeleton(latin)


def test_different_names_keep_different_skeletons() -> None:
    """For precision: short names do not all fall together."""
    names = ["Mittal", "Meredov", "Hajiyev", "Waly", "Stolpe", "Drozd", "Muhammedov", "Bayryev"]
    assert len({skeleton(name) for name in names}) == len(names)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        pytest.param("On 2 – 3 October 2023", ["2023-10-02", "2023-10-03"], id="span"),
        pytest.param("21 ноября 2022 года", ["2022-11-21"], id="Russian"),
        pytest.param("On March 26-27, 2024", ["2024-03-26", "2024-03-27"], id="month first"),
        pytest.param("From April 22nd to 25th", ["2024-04-22", "2024-04-25"], id="no year"),
        pytest.param("до 01.10.2024", ["2024-10-01"], id="numbers"),
        pytest.param("30 December was cold", ["2023-12-30"], id="nearest year"),
        pytest.param("12 marketing rules, 45 May", [], id="no day"),
    ],
)
def test_days_are_read_in_each_way_that_copy_writes_them(text: str, named: list[str]) -> None:
    """For the comparison: two accounts of one event agree on its day, however written."""
    assert days(text, fold(text), date(2024, 3, 1))[1] == named


@pytest.mark.parametrize(
    ("title", "more", "kind", "reason"),
    [
        pytest.param(
            "Officers trained", "Our correspondent reports.", "copy", "word for word", id="copy"
        ),
        pytest.param("Regional training in Ashgabat", PARAGRAPH, "teaser", "", id="teaser"),
    ],
)
def test_a_copy_and_a_teaser_are_named(title: str, more: str, kind: str, reason: str) -> None:
    """For the editor: a press release at another outlet, and the opening of a whole article."""
    found = compare(make_fingerprint(), make_fingerprint(title=title, text=f"{TRAINING} {more}"))
    assert (found.linked, found.kind) == (True, kind)
    assert found.reasons[-1].endswith(reason)


def test_the_yearly_event_is_not_last_years() -> None:
    """For readers: the same words a year later are another story."""
    found = compare(make_fingerprint(), make_fingerprint(day=date(2025, 3, 12)))
    assert not found.linked
    assert "364 days apart" in found.reasons


def test_the_next_meeting_of_the_same_people_is_another_story() -> None:
    """For readers: who met on the 4th and again on the 18th met twice."""
    meeting = "Rashid Meredov received Ashita Mittal on {} April 2024. They spoke of {}."
    first = make_fingerprint(
        title="Meeting at the ministry",
        text=meeting.format(4, "prisons, judges and money laundering"),
        day=date(2024, 4, 4),
    )
    second = make_fingerprint(
        title="Visit", text=meeting.format(18, "poppies and laboratories"), day=date(2024, 4, 18)
    )
    assert not compare(first, second).linked


def test_a_world_day_alone_links_nothing() -> None:
    """For readers: 26 June is marked in each town with an event of its own."""
    day = date(2024, 6, 26)
    tashkent = (
        "Pupils of Tashkent ran a relay on 26 June 2024 with the anti-drug agency and a choir."
    )
    mary = "A film about addiction was shown to doctors of Mary on 26 June 2024 by the ministry."
    first = make_fingerprint(title="World Drug Day in Tashkent", text=tashkent, day=day)
    second = make_fingerprint(title="World Drug Day marked in Mary", text=mary, day=day)
    assert not compare(first, second).linked


def test_reasons_name_what_both_articles_say() -> None:
    """For the editor: day, names and numbers, in words, the Latin spelling before the Russian."""
    russian = make_fingerprint(
        title="Семинар в Ашхабаде",
        text="С 11 по 13 марта в Ашхабаде прошёл региональный тренинг по проездным документам для 27 "
        "офицеров миграционных служб. Его открыли Вепа Хаджиев и Ашита Миттал.",
        language="ru",
    )
    found = compare(make_fingerprint(), russian)
    assert found.kind == "translation"
    assert found.reasons[0] == "both name 11 March 2024"
    assert found.reasons[1] == "same day 13 March 2024"
    assert found.reasons[2].startswith("names: ")
    assert {"Hajiyev", "Mittal"} <= {*found.reasons[2].removeprefix("names: ").split(", ")}
    assert "both say: 27" in found.reasons


def test_links_come_best_first_and_only_where_they_hold() -> None:
    """For the store: of many candidates those on the same event, the surest first."""
    near = make_fingerprint(text=TRAINING.replace("27 officers", "some officers"))
    far = make_fingerprint(title="Harvest", text=PARAGRAPH)
    items = [(3, far), (9, near), (7, make_fingerprint())]
    found = link(make_fingerprint().to_json(), [(number, each.to_json()) for number, each in items])
    assert [number for number, _ in found] == [7, 9]
    assert found[0][1] == compare(make_fingerprint(), make_fingerprint())


NOVEMBER = {number: date(2026, 11, number) for number in range(1, 29)}


@pytest.mark.parametrize(
    ("links", "rulings", "expected"),
    [
        pytest.param([(1, 2), (2, 3)], {}, [{1, 2, 3}], id="half of the pairs"),
        pytest.param(
            [(1, 2), (2, 3), (3, 4), (4, 5)], {}, [{1, 2, 3}, {4, 5}], id="no longer chain"
        ),
        pytest.param([(1, 2), (2, 28)], {}, [{1, 2}, {28}], id="the window holds for the story"),
        pytest.param([(1, 2), (2, 3), (1, 3)], {"split": [(1, 3)]}, [{1, 2}, {3}], id="split"),
        pytest.param([(1, 2)], {"joined": [(2, 28)]}, [{1, 2, 28}], id="joined whatever the days"),
        pytest.param([(2, 3)], {"joined": [(1, 2)], "split": [(1, 3)]}, [{1, 2}, {3}], id="both"),
    ],
)
def test_links_and_rulings_make_stories(
    links: list[Pair], rulings: dict[str, list[Pair]], expected: list[set[int]]
) -> None:
    """For readers: what belongs together is one story, a chain is not, and an editor's word counts."""
    ids = sorted(set().union(*expected))
    found = group({number: NOVEMBER[number] for number in ids}, links, **rulings)
    assert sorted(found, key=min) == expected


def test_each_notion_has_a_measured_frequency() -> None:
    """For whoever adds words: scripts/word_frequencies was run again, so the commonest are not rare; countries may be."""
    names = set(notions().values()) - word_set("places")
    common = [name for name in names if rarity_of(name) < 1]
    assert len(common) > 0.9 * len(names)


NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
LATER = NOON + timedelta(hours=1)


@pytest.mark.parametrize(
    ("members", "lead"),
    [
        pytest.param([Member(1, False, NOON), Member(2, True, LATER)], 2, id="complete first"),
        pytest.param([Member(2, True, NOON), Member(1, True, LATER)], 2, id="first seen"),
        pytest.param([Member(1, True, NOON, 5), Member(2, True, NOON, 0)], 2, id="source's rank"),
        pytest.param([Member(2, True, NOON), Member(1, True, NOON)], 1, id="the older number"),
    ],
)
def test_the_lead_is_complete_then_early_then_of_the_better_source(
    members: list[Member], lead: int
) -> None:
    """For readers: who leads a story does not depend on the order in which it is asked."""
    assert lead_of(members) == lead_of(reversed(members)) == lead


def test_a_later_article_leaves_a_complete_lead_in_its_place() -> None:
    """For readers: a story's link does not move when other outlets follow."""
    story = [Member(5, True, NOON, 3)]
    assert lead_of([*story, Member(6, True, LATER, 0), Member(7, False, LATER, 0)]) == 5


def store_of(items: dict[int, Fingerprint]) -> sqlite3.Connection:
    database = sqlite3.connect(":memory:")
    database.executescript(
        "CREATE TABLE story_keys (key INTEGER, article_id INTEGER, PRIMARY KEY (key, article_id))"
        " WITHOUT ROWID;"
        "CREATE TABLE fingerprints"
        " (article_id INTEGER PRIMARY KEY, day TEXT, fingerprint TEXT NOT NULL);"
    )
    for number, each in items.items():
        rows = [(key, number) for key in each.keys]
        database.executemany("INSERT INTO story_keys VALUES (?, ?)", rows)
        day = each.day.isoformat() if each.day else None
        database.execute("INSERT INTO fingerprints VALUES (?, ?, ?)", (number, day, each.to_json()))
    return database


def test_the_query_finds_each_linked_article_and_nothing_outside_the_window() -> None:
    """For the store: the recommended SQL gives all that `link` would link of the whole store."""
    items = dict(enumerate(labelled_items().values(), start=1))
    items[1_000] = make_fingerprint(day=date(2024, 3, 10))
    items[1_001] = make_fingerprint(day=date(2023, 3, 10))
    database = store_of(items)
    for number, new in [*items.items(), (0, make_fingerprint())]:
        rows = database.execute(CANDIDATES, {**wanted(new), "article_id": number}).fetchall()
        found = {article: from_json(text) for article, text in rows}
        others = [(other, each.to_json()) for other, each in items.items() if other != number]
        assert link(new.to_json(), rows) == link(new.to_json(), others)
        assert all(
            new.day is None or each.day is None or abs((each.day - new.day).days) <= 21
            for each in found.values()
        )
    database.close()


copy_texts = st.one_of(
    st.text(max_size=300),
    st.text(alphabet='ПрРокуратура Ashgabat 0123456789.,-–«»"\n№йýşž', max_size=300),
    st.sampled_from([TRAINING, PARAGRAPH, "", "ъ", "II", "12 декабря", "UNODC"]),
)
fingerprints = st.builds(
    fingerprint,
    title=copy_texts,
    text=copy_texts,
    language=st.sampled_from(["en", "ru", "tk"]),
    day=st.none() | st.dates(),
)


@given(fingerprints)
@settings(max_examples=100, deadline=None)
def test_any_text_gives_a_fingerprint_that_can_be_stored(each: Fingerprint) -> None:
    """For the store: JSON does not change it, and its keys fit an INTEGER column."""
    assert from_json(each.to_json()) == each
    assert len(each.keys) <= 48
    assert all(-(2**63) <= key < 2**63 for key in each.keys)


@given(fingerprints, fingerprints)
@settings(max_examples=100, deadline=None)
def test_a_comparison_is_the_same_in_either_order(a: Fingerprint, b: Fingerprint) -> None:
    """For the editor: what is linked does not depend on which article came first."""
    found: Comparison = compare(a, b)
    assert found == compare(b, a)
    assert 0.0 <= found.score <= 1.0
    assert found.linked == (found.score >= 0.5)


def test_a_huge_text_costs_no_more_than_a_long_one() -> None:
    """For the service: of a megabyte of copy only the beginning is read."""
    long = "Иванов 12 мая 2024 «сказал " * (READ // 20)
    assert make_fingerprint(text=long) == make_fingerprint(text=long * 40)
    assert len(make_fingerprint(text=long).terms) <= TERMS
