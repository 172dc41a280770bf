"""Which feeds there are, their names and ids, and the list of them by the text of OPML 2.0."""

from datetime import UTC, datetime

import pytest
from lxml import etree
from pydantic import ValidationError

from digest.feeds.channels import channels, feed_id, opml_bytes
from tests.factories import MADE_AT, make_settings


def test_there_is_a_feed_of_everything_each_theme_each_language_and_both() -> None:
    """And of corrections. Each has a title of its own; news without a theme has no feed of its own."""
    listed = channels(make_settings())
    assert [channel.slug for channel in listed] == [
        *("all", "drugs", "youth", "en", "ru"),
        *("drugs.en", "drugs.ru", "youth.en", "youth.ru"),
        *("corrections", "corrections.en", "corrections.ru"),
    ]
    assert len({channel.title for channel in listed}) == len(listed)


@pytest.mark.parametrize(
    ("slug", "title", "language"),
    [
        pytest.param("all", "Ashgabat Desk", "en", id="everything"),
        pytest.param("drugs", "Ashgabat Desk: Drugs", "en", id="in the site's first language"),
        pytest.param("drugs.ru", "Ashgabat Desk: Наркотики, на русском", "ru", id="in its own"),
        pytest.param("corrections.ru", "Ashgabat Desk: Исправления, на русском", "ru", id="errors"),
    ],
)
def test_a_title_is_in_the_feeds_language(slug: str, title: str, language: str) -> None:
    """A reader of Russian finds a Russian name in the list."""
    channel = next(one for one in channels(make_settings()) if one.slug == slug)
    assert (channel.title, channel.text_language) == (title, language)


def test_a_language_without_words_of_our_own_borrows_the_sites_first() -> None:
    """A feed in Turkmen is offered although our pages speak English and Russian."""
    settings = make_settings(site={"languages": ["ru", "tk"]})
    channel = next(one for one in channels(settings) if one.slug == "tk")
    assert (channel.title, channel.text_language) == ("Ashgabat Desk, на туркменском", "tk")


def test_a_feeds_id_survives_a_new_title_and_a_new_address() -> None:
    """RFC 4287 §4.2.6: the id never changes, whatever the operator changes."""
    moved = make_settings(site={"title": "Desk", "base_url": "https://other.example.org"})
    one = [feed_id(channel, MADE_AT) for channel in channels(make_settings())]
    other = [feed_id(channel, MADE_AT) for channel in channels(moved)]
    assert one == other
    assert len(set(one)) == len(one)
    assert all(identity.startswith("urn:uuid:") for identity in one)


def test_two_newsrooms_have_different_feed_ids() -> None:
    """RFC 4287 §4.2.6: universally unique, although both publish a feed of everything."""
    everything = channels(make_settings())[0]
    later = datetime(2026, 11, 2, tzinfo=UTC)
    assert feed_id(everything, MADE_AT) != feed_id(everything, later)


@pytest.mark.parametrize("name", ["all", "en", "tk"])
def test_a_theme_cannot_take_the_name_of_another_feed(name: str) -> None:
    """Two feeds would be written to one file in turn."""
    with pytest.raises(ValidationError, match="reserved for the feed of that name"):
        make_settings(themes=[{"name": name, "title": {"en": "X"}}])


def test_opml_lists_every_feed_once_with_all_it_must_have() -> None:
    """One import gives a reader every feed, in a folder for each language: text is required on each
    outline, xmlUrl with type="rss", and dateCreated is in RFC 822."""
    settings = make_settings()
    listed = channels(settings)
    opml = etree.fromstring(opml_bytes(listed, settings, MADE_AT))
    assert opml.get("version") == "2.0"
    assert all(outline.get("text") for outline in opml.iterfind(".//outline"))
    feeds = opml.findall("body/outline/outline")
    assert {feed.get("xmlUrl") for feed in feeds} == {one.url(settings, "atom") for one in listed}
    assert len(feeds) == len(listed)
    assert {feed.get("type") for feed in feeds} == {"rss"}
    assert all(feed.get("htmlUrl", "").endswith(".html") for feed in feeds)
    folders = [folder.get("text") for folder in opml.findall("body/outline")]
    assert folders == ["All languages", "English", "Русский"]
    assert opml.findtext("head/title") == "Ashgabat Desk"
    assert opml.findtext("head/dateCreated") == "Sun, 01 Nov 2026 08:00:00 +0000"
    assert opml_bytes(listed, settings, MADE_AT) == opml_bytes(listed, settings, MADE_AT)
