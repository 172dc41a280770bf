"""Terms are found in every form that an editor means, and a wrong one is refused with its reason."""

import subprocess
import sys

import pytest

from digest.errors import LexiconError
from digest.language import words
from digest.language.words import LANGUAGES
from digest.themes.classify import classify
from digest.themes.lexicon import (
    compile_lexicon,
    packaged_words,
    shipped_forms,
    shipped_names,
    shipped_terms,
)
from digest.themes.scan import MOST_WORDS
from tests.factories import make_theme


def theme(name="heists", **lists):
    return make_theme(name, **lists)


@pytest.mark.parametrize(
    ("term", "language", "title", "forms"),
    [
        pytest.param("heroin", "en", "HEROIN found", ["HEROIN"], id="case does not count"),
        pytest.param("drug", "en", "Drugs, drugged", ["Drugs", "drugged"], id="English forms"),
        pytest.param("drug", "en", "Drugstore", [], id="whole words only"),
        pytest.param("port", "en", "Support, ports, air_port", ["ports", "port"], id="not within a word"),
        pytest.param("fake", "en", "\ud800fake", ["fake"], id="half a sign"),
        pytest.param("study", "en", "Studies", ["Studies"], id="y as i"),
        pytest.param("hope", "en", "Hoping", ["Hoping"], id="a silent e"),
        pytest.param("possible", "en", "Possibility", ["Possibility"], id="able and ability"),
        pytest.param("youth", "en", "The youth’s word", ["youth"], id="a possessive"),
        pytest.param("=customs", "en", "A custom, customs", ["customs"], id="this form alone"),
        pytest.param("narco*", "en", "Narcotics, narc", ["Narcotics"], id="a beginning"),
        pytest.param("anti corruption", "en", "Anti-corruption", ["Anti-corruption"], id="a hyphen"),
        pytest.param("anti-corruption", "en", "anti corruption", ["anti corruption"], id="as written"),
        pytest.param("drug trade", "en", "Drug. Trade", [], id="not across sentences"),
        pytest.param("drug trade", "en", "Drug, trade", [], id="not across a comma"),
        pytest.param("drug trade", "en", "Drug and trade", [], id="nothing between"),
        pytest.param("convention against corruption", "en", "The Convention against Corruption", ["Convention against Corruption"], id="small words where the term has them"),
        pytest.param("convention against corruption", "en", "Convention on corruption", [], id="others not"),
        pytest.param("youth participation", "en", "Youth's participation", ["Youth's participation"], id="'s within"),
        pytest.param("drug trade", "en", "Drug,trade", ["Drug,trade"], id="a comma without a space"),
        pytest.param("note of the bank", "en", "notes of the banks", ["notes of the banks"], id="small words"),
        pytest.param("note of the bank", "en", "note of bank", [], id="other small words"),
        pytest.param("fake note of banks", "en", "fake notes of a bank", [], id="other small words later"),
        pytest.param("seize ... drug", "en", "Seized many, many kilos of drugs", ["Seized many, many kilos of drugs"], id="a gap"),
        pytest.param("seize ... drug", "en", "Seized one two three four five drugs", [], id="a gap too wide"),
        pytest.param("seize ... drug", "en", "Seized cars. Drugs", [], id="a gap within the sentence"),
        pytest.param("fake ... note ... bank", "en", "fakes or note in bank", ["fakes or note in bank"], id="two gaps"),
        pytest.param("seize/find heroin", "en", "Found. Finds heroin", ["Finds heroin"], id="either word"),
        pytest.param("наркотик", "ru", "О наркотиках", ["наркотиках"], id="Russian cases"),
        pytest.param("ребёнок", "ru", "Дети и ребенка", ["Дети", "ребенка"], id="another root, ё as е"),
        pytest.param("взятка", "ru", "Пять взяток", ["взяток"], id="a vowel that comes and goes"),
        pytest.param("таможенный пост", "ru", "На таможенных постах", ["таможенных постах"], id="both words bend"),
        pytest.param("нарко*", "ru", "Наркосбытчик", ["Наркосбытчик"], id="a word in no dictionary"),
        pytest.param("UNODC", "ru", "Визит UNODC", ["UNODC"], id="Latin in Russian"),
        pytest.param("gümrük", "tk", "Gümrükçiler", ["Gümrükçiler"], id="Turkmen adds to the end"),
        pytest.param("ýaş", "tk", "Ýaşaýyş we ýaş", ["ýaş"], id="short Turkmen words stand alone"),
    ],
)  # fmt: skip
def test_a_term_is_found_in_the_forms_that_it_means(term, language, title, forms):
    """For the editor: a term written once finds what a reader takes for it, and no more."""
    lexicon = compile_lexicon([make_theme("heists", language, strong=[term])])
    for text in ("", title):
        (score,) = classify(lexicon, title=title, text=text, language=language)
        assert [hit.form for hit in score.hits] == forms * (2 if text else 1)


@pytest.mark.parametrize(
    ("terms", "title", "forms"),
    [
        pytest.param(["arrestment", "rest"], "arrestment", ["arrestment"], id="a word inside a word"),
        pytest.param(["fake", "fake note"], "a fake note", ["fake note"], id="the longer of two"),
    ],
)  # fmt: skip
def test_of_two_terms_the_longer_is_found(terms, title, forms):
    """For the editor: a word of one term does not count again for another."""
    (score,) = classify(compile_lexicon([theme(terms=terms)]), title=title, text="", language="en")
    assert [hit.form for hit in score.hits] == forms


@pytest.mark.parametrize(
    ("term", "message"),
    [
        pytest.param("", "empty", id="empty"),
        pytest.param("of the", "too common", id="small words only"),
        pytest.param("in youth", "too common", id="a small word first"),
        pytest.param("customs and", "end it in a word", id="a small word last"),
        pytest.param("... drugs", "between two words", id="a gap first"),
        pytest.param("drugs ...", "end it in a word", id="a gap last"),
        pytest.param("na*", "needs 3 letters", id="too short a beginning"),
        pytest.param("*", "is not a word", id="no letters"),
        pytest.param("drug & crime", "is not a word", id="a sign"),
        pytest.param("drug//crime", "is not a word", id="nothing between strokes"),
        pytest.param(" ".join(["drug"] * (MOST_WORDS + 1)), f"at most {MOST_WORDS}", id="too long"),
    ],
)
def test_a_bad_term_is_refused_by_theme_language_and_reason(term, message):
    """For the operator who mistyped: what to correct, and where."""
    with pytest.raises(LexiconError) as caught:
        compile_lexicon([theme(strong=["fine", term])])
    assert f"theme 'heists', language 'en', term {term!r}: " in str(caught.value)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        pytest.param(theme(), "has no terms that count", id="no terms"),
        pytest.param(theme(ignore=["drug"]), "has no terms that count", id="only blots"),
        pytest.param(theme(strong=["drug"], weak=["drug"]), "is listed twice", id="twice"),
        pytest.param(
            theme("drugs", lexicon="shipped", remove=["heroins"]), "perhaps .heroin.", id="remove"
        ),
        pytest.param(
            theme(strong=["drug"], senses=[{"name": "medicine", "terms": ["drugz"]}]),
            "'drugz': sense 'medicine' names it, but it is in no list", id="a sense of no term",
        ),
        pytest.param(
            theme(
                strong=["drug"],
                senses=[{"name": name, "terms": ["drug"]} for name in ("medicine", "cinema")],
            ),
            "sense 'cinema' names it, .* in another sense", id="two senses",
        ),
        pytest.param(
            theme(
                strong=["drug"],
                senses=[{"name": "medicine", "terms": ["drug"], "ours": ["dose"], "others": ["dose"]}],
            ),
            "'dose': it is listed twice", id="a sign of both senses",
        ),
    ],
)  # fmt: skip
def test_a_theme_that_cannot_be_compiled_says_why(settings, message):
    """For the operator: the theme, the fault, and what is allowed."""
    with pytest.raises(LexiconError, match=message):
        compile_lexicon([settings])


@pytest.mark.parametrize(
    ("settings", "title", "score"),
    [
        pytest.param(theme("drugs", lexicon="shipped"), "Heroin", 1.0, id="as packaged"),
        pytest.param(theme("drugs", lexicon="shipped", weak=["heroin"]), "Heroin", 0.2, id="weight changed"),
        pytest.param(theme("drugs", lexicon="shipped", remove=["heroin"]), "Heroin", 0.0, id="removed"),
        pytest.param(theme("drugs", lexicon="shipped", strong=["laudanum"]), "Laudanum", 1.0, id="added"),
        pytest.param(theme("drugs", strong=["laudanum"]), "Heroin", 0.0, id="replaced"),
        pytest.param(theme(weights={"loot": 1.3}), "Loot", 1.3, id="a weight of its own"),
        pytest.param(theme(terms=["loot"]), "Loot", 0.6, id="plain"),
    ],
)  # fmt: skip
def test_config_extends_changes_removes_and_replaces_packaged_terms(settings, title, score):
    """For the newsroom with its own beat: no code is touched."""
    (found,) = classify(compile_lexicon([settings]), title=title, text="", language="en")
    assert found.score == score


def test_version_follows_what_decides_and_nothing_else():
    """For the stored match: equal versions judge alike."""
    base = compile_lexicon([theme(strong=["loot"])])
    renamed = theme(strong=["loot"]).model_copy(update={"title": {"en": "Another name"}})
    assert compile_lexicon([renamed]).version == base.version
    for changed in (
        theme(strong=["loots"]),
        theme(terms=["loot"]),
        theme(strong=["loot"], ignore=["loot box"]),
        theme(strong=["loot"], threshold=0.9),
        theme("robberies", strong=["loot"]),
    ):
        assert compile_lexicon([changed]).version != base.version


@pytest.mark.parametrize("name", shipped_names())
def test_packaged_lexicons_hold_every_language(name):
    """For English, Russian and Turkmen copy."""
    lists = shipped_terms(name)
    assert set(lists) == set(LANGUAGES)
    assert all(lists[language].strong for language in LANGUAGES)


def test_packaged_forms_are_those_that_pymorphy3_gives():
    """For the editor of a lexicon: scripts/lexicon_forms was run."""
    assert set(shipped_forms()) == packaged_words()
    for word, known in shipped_forms().items():
        assert known == words.russian_forms(word)


def test_packaged_lexicons_compile_without_the_morphology():
    """For a quick command line: pymorphy3 is loaded for the operator's own words alone."""
    code = (
        "import sys\n"
        "from digest.config.settings import ThemeSettings\n"
        "from digest.themes.lexicon import compile_lexicon, shipped_names\n"
        "themes = [ThemeSettings(name=name, title={'en': name}) for name in shipped_names()]\n"
        "compile_lexicon(themes).finder('')\n"
        "sys.exit('pymorphy3' in sys.modules)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
