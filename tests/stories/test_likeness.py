"""When two articles are one story, for the editor who must trust it."""

import itertools
import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlite_utils.utils import sqlite3

from digest.language.text import fold
from digest.language.words import skeleton
from digest.stories.fingerprints import READ, TERMS, Fingerprint, days, fingerprint, from_json
from digest.stories.likeness import Comparison, Member, compare, lead_of, link, may_join, wanted
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
    """For the editor: precision at least 0.95 and recall at least 0.75 on pairs labelled by hand."""
    items = labelled_items()
    true = {(pair["a"], pair["b"]): pair["kind"] for pair in read_lines("pairs.jsonl")}
    linked = linked_pairs(dict(sorted(items.items())))
    right = linked & true.keys()
    assert len(right) / len(linked) >= 0.95
    for kind in ("translation", "same-story"):
        of_kind = {pair for pair, each in true.items() if each == kind}
        assert len(right & of_kind) / len(of_kind) >= 0.75, kind


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
    """For the comparison: with and without its dateline an article has the same fingerprint."""
    day = date(2026, 11, 22)
    assert make_fingerprint(text=dateline + TRAINING, day=day) == make_fingerprint(day=day)


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


@pytest.mark.parametrize(
    ("linked", "joins"),
    [
        pytest.param({1}, True, id="the lead"),
        pytest.param({2, 3}, True, id="half of the members"),
        pytest.param({4}, False, id="one at the end of a chain"),
        pytest.param({8, 9}, False, id="none of them"),
    ],
)
def test_a_chain_does_not_grow_into_one_story(linked: set[int], joins: bool) -> None:
    """For readers: an article joins by the lead or by half of the story, not by its last member."""
    assert may_join(linked, members=[1, 2, 3, 4], lead=1) is joins


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
