"""The seeds are read as a person reads them: 36 articles with what tests/data/seeds.json says."""

import json
from pathlib import Path

import pytest

from digest.language.text import decode
from digest.model import DateSource
from digest.sources.dates import read_copy
from digest.sources.documents import read_entries
from digest.sources.folder import list_documents, read_bytes
from digest.sources.versions import join, pair_up

ROOT = Path(__file__).parents[2]
TRUTH = json.loads((ROOT / "tests/data/seeds.json").read_text("utf-8"))["articles"]
FULL_DOCUMENT = "000_8cb3c00af4f4dce3.txt"


@pytest.fixture(scope="module")
def articles():
    """Each article by the listing's or its own place: (document, line) -> entry."""
    entries = []
    for found in list_documents(ROOT / "seeds", "*.txt"):
        text, _ = decode(found.name, read_bytes(found, 5 * 1024 * 1024))
        entries += read_copy(read_entries(found.name, text))
    groups = pair_up(entries)
    assert {len(group) for group in groups} == {1, 2}
    return {(group[-1].document, group[-1].line): join(group) for group in groups}


def test_the_seeds_hold_36_articles(articles):
    """For the newsroom: none lost, none twice."""
    assert set(articles) == {(one["seed"], one["line"]) for one in TRUTH}


@pytest.mark.parametrize("known", TRUTH, ids=lambda known: f"{known['seed'][:3]}-{known['line']}")
def test_a_seed_is_read_as_a_person_does(articles, known):
    """For the reader: title, language, byline, completeness, date and contact of each article."""
    article = articles[known["seed"], known["line"]]
    assert article.title_made == (known["title"] is None)
    assert known["title"] in (None, article.title)
    assert (article.language, article.byline, article.complete) == (
        known["lang"],
        known["byline"],
        known["complete"],
    )
    assert article.published.iso == known["date_in_copy"]
    assert (article.published.source is DateSource.UNKNOWN) == (known["date_in_copy"] is None)
    assert article.document == known.get("body_from", known["seed"])
    assert known.get("contact", "") in (article.contact or "")


def test_the_full_text_stands_under_the_listings_title(articles):
    """For the reader: the teaser and the document are one article with the whole body."""
    article = articles["002_e89ea2d84f60b326.txt", 48]
    assert article.title == "UNODC Delegation visits Turkmenistan"
    assert article.document == FULL_DOCUMENT
    assert article.content_html.count("<h2>") == 2
    assert article.text.startswith("Meeting at the Foreign Ministry\n\nOn April 3, 2023")
    assert article.published.source is DateSource.STATED
    assert article.wire_tag == "nCa, 4 April 2023"


def test_no_press_contact_reaches_what_is_published(articles):
    """For the people named there: no name, number or address of theirs in any text."""
    published = " ".join(
        f"{one.title} {one.lead} {one.text} {one.content_html}" for one in articles.values()
    )
    for private in ("Zafari", "Abdulhamidova", "[at]", "998935547895", "Mobile:", "Эта статья"):
        assert private not in published
