"""The pages for people: in the reader's language, with links that all lead somewhere."""

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from lxml import html

from digest.feeds.items import item_of
from digest.feeds.pages import article_page_bytes, feed_page_bytes, style_bytes
from digest.model import UNDATED
from digest.newsroom import make_environment
from tests.factories import make_article, make_match, make_settings, make_sibling
from tests.feeds.views import make_view

SETTINGS = make_settings()
PAGES = make_environment()
SIBLINGS = {1: [make_sibling(id=2)]}


def feed_page(*articles: Any, slug: str = "all") -> Any:
    view = make_view(articles, SIBLINGS, slug=slug)
    return html.fromstring(feed_page_bytes(PAGES, view, SETTINGS))


def article_page(article: Any, siblings: Any = ()) -> Any:
    item = item_of(article, siblings, SETTINGS)
    return html.fromstring(article_page_bytes(PAGES, item, SETTINGS))


def meta_of(page: Any) -> list[str]:
    return [
        " ".join(one.text_content().split()).replace("\u00a0", " ")
        for one in page.xpath("//article//p[@class='meta']/span")
    ]


def test_a_list_shows_headline_source_date_and_what_else_there_is() -> None:
    """A reader sees in five seconds what happened, when, from whom, and where else."""
    both = make_article(byline="nCa Report", matches=(make_match(), make_match("youth")))
    page = feed_page(both, slug="drugs")
    assert page.xpath("//h1")[0].text_content() == "Drugs"
    assert page.xpath("//article/h2/a/@href") == ["articles/1.html"]
    assert meta_of(page) == ["Wire copy", "nCa Report", "4 April 2023", "also in Russian", "Youth"]


def test_a_page_speaks_its_readers_language() -> None:
    """Words, dates and plurals in Russian on a Russian page."""
    page = feed_page(make_article(language="ru"), slug="drugs.ru")
    assert page.get("lang") == "ru"
    assert page.xpath("//h1")[0].text_content() == "Наркотики"
    words = [one.text_content() for one in page.xpath("//h1/following-sibling::p/span")]
    assert words == ["1\u00a0статья", "обновлено 16\u00a0ноября\u00a02026"]
    assert meta_of(page)[1] == "4 апреля 2023"


def test_an_item_in_another_language_says_so() -> None:
    """A screen reader pronounces a Russian headline on an English page as Russian."""
    page = feed_page(make_article(language="ru"), make_article(id=5))
    assert [one.get("lang") for one in page.xpath("//article")] == ["ru", None]


@pytest.mark.parametrize(
    ("sibling", "note"),
    [
        pytest.param({"language": "ru"}, "also in Russian", id="a translation"),
        pytest.param({"language": "en", "source": "radio"}, "also radio", id="another outlet"),
        pytest.param({"language": "en"}, "also another report", id="the same source again"),
    ],
)
def test_another_version_is_named_by_its_difference(sibling: dict[str, str], note: str) -> None:
    """A reader knows before the click why there are two."""
    page = article_page(make_article(), [make_sibling(**sibling)])
    assert meta_of(page)[2] == note


@pytest.mark.parametrize(
    ("overrides", "meta"),
    [
        pytest.param({"published": UNDATED}, ["Wire copy", "Drugs"], id="undated: no date"),
        pytest.param(
            {"complete": False}, ["Wire copy", "4 April 2023", "summary", "Drugs"], id="a teaser"
        ),
        pytest.param(
            {"title_made": True},
            ["Wire copy", "4 April 2023", "headline by the desk", "Drugs"],
            id="a title of ours",
        ),
    ],
)
def test_a_page_claims_no_more_than_is_known(overrides: dict[str, Any], meta: list[str]) -> None:
    """No date is invented, no teaser looks like an article, no title of ours like the source's."""
    article = make_article(id=5, **overrides)
    assert meta_of(feed_page(article)) == meta
    assert meta_of(article_page(article)) == meta


def test_an_article_page_holds_the_full_text_and_its_other_version() -> None:
    """Feeds and mail lead here when the article has no address of its own."""
    page = article_page(make_article(), SIBLINGS[1])
    text = page.xpath("//div[@class='text']")[0].text_content()
    assert text.strip().split("\n") == ["The parties met in Ashgabat.", "They agreed on a plan."]
    version = page.xpath("//section//a")[0]
    assert (version.get("href"), version.get("lang")) == ("../articles/2.html", "ru")
    assert version.text == "Встреча в Министерстве иностранных дел"
    assert page.xpath("//p[@class='meta']//a[contains(@class, 'theme-drugs')]/@href") == [
        "../drugs.en.html"
    ]


def test_an_article_with_an_address_of_its_own_leads_there() -> None:
    """The list leads to the source; our page names it as canonical."""
    there = make_article(url="https://wire.example/1?a=1&b=2")
    assert feed_page(there).xpath("//h2/a/@href") == ["https://wire.example/1?a=1&b=2"]
    page = article_page(there)
    assert page.xpath("//link[@rel='canonical']/@href") == ["https://wire.example/1?a=1&b=2"]
    assert page.xpath("//a[text()='Read at the source']")


def test_a_withdrawn_article_is_a_notice() -> None:
    """Its address still opens, and says why there is no text, and nothing of that text."""
    gone = {"withdrawn_at": datetime(2026, 11, 19, tzinfo=UTC), "byline": "A. Writer"}
    page = article_page(make_article(**gone, complete=False, title_made=True))
    assert meta_of(page) == ["Wire copy", "4 April 2023", "Drugs"]
    body = page.xpath("//main")[0].text_content()
    assert "This article was withdrawn on 19\u00a0November\u00a02026." in body
    assert "They agreed" not in body


def test_a_list_sets_off_what_was_corrected() -> None:
    """Beside the headline, in our own voice; every page leads to the list of corrections."""
    at = datetime(2026, 11, 20, tzinfo=UTC)
    page = feed_page(make_article(corrected_at=at, corrected=("title",)), slug="corrections.en")
    assert page.xpath("//h1")[0].text_content() == "Corrections"
    [line] = page.xpath("//article/p/em")
    assert line.text == "Changed on 20\u00a0November\u00a02026: headline."
    assert line.getparent().text_content() == f"{line.text} The parties met in Ashgabat."
    assert page.xpath("//footer//a[@aria-current]/@href") == ["corrections.en.html"]
    for other in (page, feed_page(slug="drugs.en")):
        assert other.xpath("//footer//a[text()='Corrections']/@href") == ["corrections.en.html"]
    assert article_page(make_article()).xpath("//footer//a[text()='Corrections']/@href") == [
        "../corrections.en.html"
    ]


def test_a_language_that_the_site_does_not_publish_leads_to_everything() -> None:
    """A Turkmen article on a site of two languages has no dead link around it."""
    page = article_page(make_article(language="tk"))
    assert page.get("lang") == "en"
    assert page.xpath("//h1/@lang") == ["tk"]
    assert page.xpath("//p[@class='name']/a/@href") == ["../all.html"]


@pytest.mark.parametrize("slug", ["all", "drugs", "ru", "youth.en"])
def test_every_page_leads_to_all_themes_languages_and_feeds(slug: str) -> None:
    """The themes are the only navigation; exactly one theme and one language are the current."""
    page = feed_page(slug=slug)
    assert len(page.xpath("//header//nav//a")) == 3
    assert len(page.xpath("//div[@class='tools']/a")) == 3
    assert page.xpath("//header//nav//a[@aria-current]/@href") in ([f"{slug}.html"],)
    assert page.xpath("//div[@class='tools']/a[@aria-current]/@href") == [f"{slug}.html"]
    assert page.xpath("//link[@type='application/atom+xml']/@href") == [f"{slug}.atom"]


def test_a_page_loads_nothing_from_elsewhere() -> None:
    """No script, no picture, no font, no foreign style: only our stylesheet."""
    hostile = make_article(
        title='<script>alert("x")</script>',
        content_html='<p>a<img src="https://x.example/t.gif"><script>x()</script></p>',
    )
    for page in (feed_page(hostile), article_page(hostile)):
        assert not page.xpath("//script | //img | //iframe | //style | //*[@style or @onclick]")
        assert page.xpath("//link[@rel='stylesheet']/@href")[0].endswith("style.css")
    style = style_bytes(PAGES, SETTINGS).decode()
    assert not re.search(r"url\(|@import|@font-face", style)


def test_the_stylesheet_has_each_themes_colours_for_day_and_night() -> None:
    """The operator's colours reach the pages, those of an added theme too."""
    added = [{"name": "borders", "title": {"en": "Borders"}, "colour": "#112233"}]
    settings = make_settings(themes=added)
    dark = settings.theme_names["borders"].colour_dark
    style = style_bytes(PAGES, settings).decode()
    day, night = style.split("@media (prefers-color-scheme: dark)")
    assert ".theme-borders { --theme: #112233; }" in day
    assert f".theme-borders {{ --theme: {dark}; }}" in night
