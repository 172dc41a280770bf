"""An article is filed by what it is about, whatever its length, and every mark can be pointed at."""

import re
import time
import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.config.settings import ThemeSettings
from digest.model import Place, ThemeScore
from digest.themes.classify import Reading, classify, enumerations, matches
from digest.themes.evaluation import evaluate, read_labels
from digest.themes.lexicon import compile_lexicon
from tests.factories import make_theme

LABELLED = Path(__file__).parent.parent / "data" / "labelled"
KEYS = ("drugs", "customs", "corruption", "youth")
SHIPPED = compile_lexicon([make_theme(key, lexicon="shipped") for key in KEYS])
TERMS = {"strong": ["loot", "heist", "vault"], "weak": ["gang"], "beside": ["van"]}
OTHERS = {"companions": ["getaway"], "ignore": ["loot box"]}
LOOT = compile_lexicon([make_theme("heists", **TERMS, **OTHERS)])


def filed(title, text="", language="en"):
    scores = classify(SHIPPED, title=title, text=text, language=language)
    return {score.theme for score in scores if score.matched}


def heist(text, title=""):
    (score,) = classify(LOOT, title=title, text=text, language="en")
    return score


@pytest.mark.parametrize(
    ("title", "text", "language", "themes"),
    [
        pytest.param(
            "UN Office on Drugs and Crime opens an office",
            "The United Nations Office on Drugs and Crime opened an office in Ashgabat.",
            "en", set(), id="the UN office's name",
        ),
        pytest.param(
            "Встреча с представителем",
            "Гостя из Управления ООН по наркотикам и преступности приняли в Ашхабаде.",
            "ru", set(), id="the UN office's name in Russian",
        ),
        pytest.param("Drug-resistant malaria spreads", "", "en", set(), id="medicine"),
        pytest.param("Wedding customs and traditions of the Sakha", "", "en", set(), id="custom"),
        pytest.param("Immigration and Customs Enforcement", "", "en", set(), id="an agency's name"),
        pytest.param("Театр юного зрителя открыл сезон", "", "ru", set(), id="a theatre's name"),
        pytest.param(
            "Ministers meet in Ashgabat",
            "The ministers met on Monday. They spoke of peace. They named cooperation in drug "
            "control, crime prevention, anti-corruption, border management and health.",
            "en", set(), id="areas of cooperation in passing",
        ),
        pytest.param(
            "Progress review",
            "The meeting was attended by the Ministry of Health, the State Customs Service, the "
            "State Border Service, the General Prosecutor’s Office and the Supreme Court.",
            "en", set(), id="a list of attendees",
        ),
        pytest.param("Bishkek holds an Anti-Corruption Forum", "", "en", {"corruption"}, id="a title alone"),
        pytest.param("Наркоторговцы лишились миллионов", "", "ru", {"drugs"}, id="a compound"),
        pytest.param(
            "Студенты против наркотиков",
            "Студенты колледжа провели для молодёжи урок о вреде наркотиков.",
            "ru", {"drugs", "youth"}, id="two themes",
        ),
        pytest.param("Döwlet gümrük gullugynda duşuşyk", "", "tk", {"customs"}, id="Turkmen"),
        pytest.param("Таможенники нашли heroin", "", "", {"customs", "drugs"}, id="language not known"),
        pytest.param("Zoll findet nichts", "", "de", set(), id="another language"),
        pytest.param(
            "Ministry approves drug", "A new drug against migraine helps two patients of three.",
            "en", set(), id="a medicine",
        ),
        pytest.param("Drug dealer sold pills to patients", "", "en", {"drugs"}, id="signs of both, the trade's more"),
        pytest.param("Songs and customs of the hill villages", "", "en", set(), id="traditions"),
        pytest.param(
            "Cocaine among bananas",
            "Officers of U.S. Customs and Border Protection found cocaine in a container at the seaport.",
            "en", {"customs", "drugs"}, id="an agency that acts",
        ),
        pytest.param(
            "Круглый стол", "Взяточничество, или коррупция, вредит доверию, реформам и законам.",
            "ru", {"corruption"}, id="an apposition is no list",
        ),
        pytest.param(
            "Приговор начальнику отдела",
            "Из бюджетных денег на дома начальник отдела и подрядчик похитили 300 миллионов.",
            "ru", {"corruption"}, id="theft from a budget",
        ),
        pytest.param("Из магазина похитили велосипед", "Вор похитил его ночью.", "ru", set(), id="theft"),
        pytest.param("Кра\u00adсный мак за\u00adцвёл", "В степи цветут маки.", "ru", set(), id="flowers"),
        pytest.param("Партия фермеров собрала съезд", "Партия выбрала лидера.", "ru", set(), id="a party"),
        pytest.param("В переулке Таможенном открыли кафе", "", "ru", set(), id="a street"),
        pytest.param("Изъята ма\u00adри\u00adху\u00adана", "", "ru", {"drugs"}, id="soft hyphens"),
        pytest.param("Heroines of the harvest", "", "en", set(), id="heroines"),
        pytest.param("The drug lord’s hippos leave the zoo", "", "en", set(), id="a zoo"),
        pytest.param("Cocaine found in a toy hippo", "Police seized it.", "en", {"drugs"}, id="a toy that hides it"),
        pytest.param("Heroin in Selkan", "", "en", {"drugs"}, id="no sign of any sense"),
        pytest.param("Vitamin pills for winter", "Doctors advise pills.", "en", set(), id="vitamins"),
        pytest.param("Пошлина за развод", "Пошлина за развод вырастет.", "ru", set(), id="a fee"),
        pytest.param("Пошлина на ввоз сахара", "Пошлина вырастет.", "ru", {"customs"}, id="a duty"),
        pytest.param("Таможенник из фильма", "Актёр сыграл таможенника.", "ru", set(), id="a part in a film"),
        pytest.param("Юношеская сборная проиграла матч", "", "ru", set(), id="a match"),
        pytest.param("Schoolchildren dug up gold coins", "", "en", set(), id="those present"),
        pytest.param("Schoolchildren won a contest", "", "en", {"youth"}, id="those who act"),
        pytest.param("Bear cub took honey as a bribe", "The cub is at the zoo.", "en", set(), id="an animal"),
        pytest.param("Tax inspector held", "Marked banknotes were on his desk.", "en", {"corruption"}, id="banknotes"),
    ],
)  # fmt: skip
def test_an_article_is_filed_by_what_it_is_about(title, text, language, themes):
    """For the subscriber of one theme: what is about it, not what only names it."""
    assert filed(title, text, language) == themes


def test_a_language_without_terms_gets_no_theme():
    """For a newsroom whose own themes are in English alone, when Russian copy comes in."""
    assert classify(LOOT, title="Таможня", text="Нашли героин.", language="ru") == (
        ThemeScore("heists", 0.0, 1.0),
    )


TEASER = "Customs officers seized 30 kg of opium at the Farap post […]"
BRIEF = (
    "Customs officers seized 30 kg of opium at the Farap post on Monday. The opium lay under a "
    "lorry's floor. The driver was held. The trial begins in June."
)
PAGE = "\n\n".join(
    [
        BRIEF,
        "The haul of opium is the largest this year. Customs has doubled its watch.",
        "Heroin came through the same post in March. It was found by a dog.",
        "The customs laboratory weighed the load. A court will decide.",
        "The lorry had come from the south. It carried onions.",
        "Opium prices have risen. Customs expects more of it.",
    ]
)


@pytest.mark.parametrize("text", [TEASER, BRIEF, PAGE], ids=["teaser", "brief", "page"])
def test_a_teaser_a_brief_and_a_page_are_judged_alike(text):
    """For the listing whose items grow into full texts: the themes stay."""
    assert filed("Lorry stopped at Farap", text) == {"customs", "drugs"}


def test_a_long_page_does_not_collect_a_theme_by_the_way():
    """For the reader of a long interview: three words on drugs in forty sentences are not its theme."""
    quiet = "The harvest was good this year. The minister praised the farmers of the region."
    page = [f"{quiet} {quiet}" for _ in range(10)]
    for i in (2, 5, 8):
        page[i] = f"{quiet} A question about drugs was not answered."
    assert filed("The minister on the harvest", "\n\n".join(page)) == set()


def test_title_opening_and_rest_weigh_differently():
    """For the editor: an article is about what it opens with."""
    rest = " Rain fell. Snow fell."
    first = heist("The loot is back." + rest).score
    second = heist("Rain fell. The loot is back. Snow fell.").score
    later = heist(rest.strip() + " The loot is back.").score
    assert heist("", title="The loot is back").score == first == 1.0
    assert 1.0 > second > later > 0


@pytest.mark.parametrize(
    ("text", "forms"),
    [
        pytest.param("A van stood there.", [], id="alone"),
        pytest.param("The getaway van stood there.", ["van"], id="beside a companion"),
        pytest.param("The van held the loot.", ["van", "loot"], id="beside a counting term"),
        pytest.param("The loot is back. A van stood there.", ["loot"], id="in another sentence"),
        pytest.param("A getaway is fun.", [], id="a companion alone"),
    ],
)
def test_some_terms_count_only_beside_others(text, forms):
    """For words such as port and border, which mean little alone."""
    assert [hit.form for hit in heist(text).hits] == forms


def test_a_phrase_that_does_not_count_blots_out_what_it_covers():
    """For the explanation: the blot is shown, with nothing added."""
    score = heist("A loot box. The loot is back.")
    assert [(hit.form, hit.weight) for hit in score.blotted] == [("loot box", 0.0)]
    assert [hit.start for hit in score.hits] == [16]
    assert heist("A loot box of gangs.").matched is False


SENSE = {"name": "cinema", "terms": ["heist"], "ours": ["police"], "others": ["film", "actor"]}


@pytest.mark.parametrize(
    ("title", "text", "forms"),
    [
        pytest.param("Police on a heist", "", ["heist"], id="ours beside it"),
        pytest.param(
            "A heist film", "The police came.", [], id="the other beside it, ours elsewhere"
        ),
        pytest.param("A heist", "The police came.", ["heist"], id="ours elsewhere"),
        pytest.param("A heist", "The film is long.", [], id="the other elsewhere"),
        pytest.param("A heist", "", [], id="no sign at all"),
        pytest.param(
            "A heist film of a vault", "", ["heist", "vault"], id="a clear term beside it"
        ),
        pytest.param("Police, film, heist", "The actor left.", [], id="both, the other more"),
    ],
)
@pytest.mark.parametrize("needs", [True, False], ids=["with ours", "others alone"])
def test_an_ambiguous_term_needs_a_sign_of_the_themes_sense(title, text, forms, needs):
    """For words such as drug and customs. Without `ours` only the other sense's signs take it away."""
    sense = SENSE if needs else SENSE | {"ours": []}
    lexicon = compile_lexicon([make_theme("heists", strong=["heist", "vault"], senses=[sense])])
    (score,) = classify(lexicon, title=title, text=text, language="en")
    counted = [hit.form for hit in score.hits]
    if needs or title == "A heist film of a vault":
        assert counted == forms
    else:
        assert bool(counted) is ("film" not in f"{title} {text}")
    assert {hit.why for hit in score.blotted} <= {"another sense, cinema"}


@pytest.mark.parametrize(
    ("title", "forms"),
    [("A heist", ["heist"]), ("A heist film", []), ("Police on a heist", ["heist"])],
)
def test_a_term_of_the_usual_sense_needs_no_sign(title, forms):
    """For words such as heroin, which have another sense only beside an opera or a zoo."""
    lexicon = compile_lexicon(
        [make_theme("heists", strong=["heist"], senses=[SENSE | {"usual": True}])]
    )
    (score,) = classify(lexicon, title=title, text="", language="en")
    assert [hit.form for hit in score.hits] == forms


def test_a_hit_says_why_it_counts_less():
    """For `themes explain`."""
    rain = "Rain fell. " * 9
    text = f"The loot, rain, snow and hail. The vault. {rain}A heist. The loot, the loot. Gangs."
    why = {(hit.form, hit.why) for hit in heist(text, title="A loot, a loot").hits}
    assert why >= {
        ("loot", ""),
        ("loot", "already counted"),
        ("loot", "listed, beyond the best sentences"),
        ("vault", "second sentence"),
        ("heist", "later sentence"),
        ("Gangs", "beyond the best sentences"),
    }


def test_every_theme_is_scored_best_first_with_its_evidence():
    """For `themes explain`: the themes that were not reached too, and sums that add up."""
    found = classify(SHIPPED, title="Customs find heroin in a port", text=BRIEF, language="en")
    assert {score.theme for score in found} == set(KEYS)
    assert [s.score for s in found] == sorted((s.score for s in found), reverse=True)
    for score in found:
        assert score.score == pytest.approx(sum(hit.weight for hit in score.hits), abs=0.001)
    assert [
        (match.theme, match.by, match.lexicon_version) for match in matches(found, SHIPPED.version)
    ] == [(score.theme, "lexicon", SHIPPED.version) for score in found if score.matched]


def test_hits_name_title_lead_or_body():
    """For the marked text: a heading belongs to the lead that follows it."""
    text = "A heading\n\nThe loot is back in the bank.\n\nThe vault was empty."
    hits = heist(text, title="Heist").hits
    assert [(hit.form, hit.place) for hit in hits] == [
        ("Heist", Place.TITLE),
        ("loot", Place.LEAD),
        ("vault", Place.BODY),
    ]


@pytest.mark.parametrize(
    ("text", "count"),
    [
        pytest.param("Mr. Smith left. He came back.", 2, id="abbreviation"),
        pytest.param("On Sept. 23 J. Smith left.", 1, id="month and initial"),
        pytest.param("В 2024 г. прошла встреча. Её вёл министр.", 2, id="Russian abbreviation"),
        pytest.param("“He left.” She stayed…\n\nA heading\n\nThe end", 4, id="quotes and paragraphs"),
        pytest.param("10.6 kg and 3.2 kg", 1, id="figures"),
        pytest.param("", 1, id="nothing"),
    ],
)  # fmt: skip
def test_sentences_are_separated(text, count):
    """For the share of sentences that are on a theme."""
    assert len(Reading(text)) == count


@pytest.mark.parametrize(
    "dateline",
    [
        "MARY, 22 November 2026. ",
        "АШХАБАД, 22 ноября. – ",
        "Ashgabat, Nov 22 (TDH) – ",
        "Ашхабад, 22 ноября 2026 года, ТДХ – ",
        "Ashgabat, 22 November 2026\n\n",
    ],
)
def test_a_dateline_is_not_the_first_sentence(dateline):
    """For the editor: one strong term in the first sentence is enough, whatever comes before it."""
    text = dateline + "A court jailed three men for a heist. They are from the south."
    score = heist(text)
    assert (score.matched, score.score) == (True, 1.0)
    assert [hit.place for hit in score.hits] == [Place.LEAD]
    assert text[score.hits[0].start : score.hits[0].end] == "heist"
    assert len(Reading(text)) == 2


@pytest.mark.parametrize(
    ("text", "listed"),
    [
        pytest.param("on drugs, crime, terror and fraud", True, id="four"),
        pytest.param("оружия, наркотиков, людей и денег", True, id="Russian"),
        pytest.param("drugs, which are dangerous", False, id="a clause"),
        pytest.param("drugs, weapons, people, money", True, id="without and"),
        pytest.param("drugs and crime", False, id="two"),
        pytest.param("В вагоне, прошедшем границу, таможенники и милиция", False, id="participle"),
        pytest.param("Дети, вторые — вместе: учатся слушать, спорить", False, id="dash and colon"),
    ],
)
def test_lists_are_no_clauses(text, listed):
    """For what is only named among other things."""
    assert bool(enumerations(text, 0, len(text))) is listed


@pytest.mark.parametrize("name", ["items.jsonl", "blind.jsonl", "probes.jsonl"])
def test_labelled_items_are_filed_as_their_readers_did(name):
    """For the editor's trust: real items, and made ones of words with two senses, in both languages."""
    with (LABELLED / name).open(encoding="utf-8") as lines:
        items = read_labels(lines, name)
    evaluation = evaluate(SHIPPED, items)
    assert evaluation.overall.f1.value >= 0.96, evaluation.errors
    assert all(measure.f1.value >= 0.92 for measure in evaluation.by_theme.values())


@pytest.mark.parametrize(
    ("title", "text", "language", "belongs"),
    [
        pytest.param("Workshop on trafficking in persons", "", "en", True, id="English"),
        pytest.param("Борьба с торговлей людьми", "", "ru", True, id="Russian"),
        pytest.param(
            "Drug trafficking grows", "Victims of drugs were many.", "en", False, id="drugs"
        ),
    ],
)
def test_the_fifth_theme_of_the_handbook_works_as_written(title, text, language, belongs):
    """For the editor who copies it out of docs/themes.md."""
    handbook = Path(__file__).parents[2] / "docs" / "themes.md"
    (block,) = re.findall(r"```toml\n(.*?)```", handbook.read_text(encoding="utf-8"), re.DOTALL)
    fifth = [ThemeSettings.model_validate(table) for table in tomllib.loads(block)["themes"]]
    (score,) = classify(compile_lexicon(fifth), title=title, text=text, language=language)
    assert score.matched is belongs


ANY_TEXT = st.one_of(
    st.text(max_size=300),
    st.lists(
        st.sampled_from(
            ["drugs", "Office", "on", "and", "Crime", "customs", "таможни", "ЁЛКА", "youth’s", ",", ".",
             "\n\n", "…", "gümrük", "ß", "drugs\u0301", "м\u00adак", "та\u0301можня\u200b", "İ", "\ud800", "e\u0301", "seize", "the", "-", "毒品", "\x00"]
        ),
        max_size=60,
    ).map(" ".join),
)  # fmt: skip


@settings(max_examples=100)
@given(ANY_TEXT, ANY_TEXT, st.sampled_from(["en", "ru", "tk", "", "xx"]))
def test_hits_always_point_at_their_words(title, text, language):
    """For `themes explain`: whatever the script or the signs."""
    for score in classify(SHIPPED, title=title, text=text, language=language):
        for hit in (*score.hits, *score.blotted):
            place = title if hit.place is Place.TITLE else text
            assert place[hit.start : hit.end] == hit.form != ""
            assert hit.weight >= 0
        assert score.score == pytest.approx(sum(h.weight for h in score.hits), abs=0.001)


@pytest.mark.parametrize(
    ("unit", "language"),
    [
        pytest.param("...", "en", id="points"),
        pytest.param("\n\n", "en", id="empty lines"),
        pytest.param("drug, crime, customs, ", "en", id="one endless list"),
        pytest.param("narco", "en", id="one endless word"),
        pytest.param("office on on on ", "", id="a phrase never finished"),
        pytest.param("наркотики и таможня. ", "ru", id="nothing but terms"),
        pytest.param("毒品", "", id="another script"),
    ],
)
def test_time_grows_with_length_and_no_faster(unit, language):
    """For the source that sends a megabyte: eight times the text takes about eight times as long."""

    def seconds(length):
        text = (unit * (length // len(unit) + 1))[:length]
        start = time.process_time()
        classify(SHIPPED, title="", text=text, language=language)
        return time.process_time() - start

    seconds(1_000)
    short = min(seconds(16_000) for _ in range(3))
    long = min(seconds(128_000) for _ in range(2))
    assert long < 32 * short + 0.05, "squared, it would be 64 times"
