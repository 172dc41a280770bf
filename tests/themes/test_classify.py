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

LABELLED = Path(__file__).parent.parent / "data" / "labelled" / "items.jsonl"
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


def test_labelled_items_are_filed_as_their_readers_did():
    """For the editor's trust: real items of every theme and both languages."""
    with LABELLED.open(encoding="utf-8") as lines:
        items = read_labels(lines, LABELLED.name)
    evaluation = evaluate(SHIPPED, items)
    assert evaluation.overall.f1.value >= 0.95, evaluation.errors
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
             "\n\n", "…", "gümrük", "ß", "İ", "\ud800", "e\u0301", "seize", "the", "-", "毒品", "\x00"]
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
