"""OPML by the text of version 2.0."""

from lxml import etree

from digest.feeds.channels import channels, opml_bytes
from tests.factories import MADE_AT, make_settings

SETTINGS = make_settings()


def test_it_lists_every_feed_once() -> None:
    """One import gives a reader every feed, in a folder for each language."""
    listed = channels(SETTINGS)
    opml = etree.fromstring(opml_bytes(listed, SETTINGS, MADE_AT))
    assert opml.get("version") == "2.0"
    feeds = opml.findall("body/outline/outline")
    assert {feed.get("xmlUrl") for feed in feeds} == {one.url(SETTINGS, "atom") for one in listed}
    assert len(feeds) == len(listed)
    folders = [folder.get("text") for folder in opml.findall("body/outline")]
    assert folders == ["All languages", "English", "Русский"]


def test_every_outline_has_a_text_and_every_feed_an_address() -> None:
    """OPML 2.0: text is required on each outline; type="rss" needs xmlUrl."""
    opml = etree.fromstring(opml_bytes(channels(SETTINGS), SETTINGS, MADE_AT))
    for outline in opml.iterfind(".//outline"):
        assert outline.get("text")
    for feed in opml.findall("body/outline/outline"):
        assert feed.get("type") == "rss"
        assert feed.get("htmlUrl", "").endswith(".html")


def test_its_head_is_from_the_store() -> None:
    """OPML 2.0: dateCreated in RFC 822; nothing in it moves with the articles."""
    made = opml_bytes(channels(SETTINGS), SETTINGS, MADE_AT)
    head = etree.fromstring(made).find("head")
    assert head.findtext("title") == "Ashgabat Desk"
    assert head.findtext("dateCreated") == "Sun, 01 Nov 2026 08:00:00 +0000"
    assert made == opml_bytes(channels(SETTINGS), SETTINGS, MADE_AT)
