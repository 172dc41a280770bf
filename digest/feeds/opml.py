"""OPML 2.0: one list of all feeds, so that a reader takes them in at once."""

from collections.abc import Sequence
from datetime import datetime
from email.utils import format_datetime

from digest.language.wording import OWN_NAMES
from digest.config.settings import Settings
from digest.feeds.channels import ATOM, HTML, Channel

OPML_NAME = "feeds.opml"


def opml_bytes(listed: Sequence[Channel], settings: Settings, store_made_at: datetime) -> bytes:
    """Every channel by its Atom form, in one folder for each language and one for them all.

    Nothing in it depends on the articles, so that it changes only with config.toml.
    """
    from lxml import etree

    site = settings.site
    opml = etree.Element("opml", version="2.0")
    head = etree.SubElement(opml, "head")
    for name, value in (
        ("title", site.title),
        ("dateCreated", format_datetime(store_made_at.replace(microsecond=0))),
        ("ownerName", site.author),
        ("ownerEmail", site.contact),
        ("docs", "http://opml.org/spec2.opml"),
    ):
        etree.SubElement(head, name).text = value
    body = etree.SubElement(opml, "body")
    for language in (None, *site.languages):
        folder = etree.SubElement(body, "outline", text=_folder(language, listed))
        for channel in listed:
            if channel.language == language:
                etree.SubElement(folder, "outline", _outline(channel, settings))
    return bytes(etree.tostring(opml, encoding="UTF-8", xml_declaration=True, pretty_print=True))


def _folder(language: str | None, listed: Sequence[Channel]) -> str:
    return OWN_NAMES[language] if language is not None else listed[0].wording.all_languages


def _outline(channel: Channel, settings: Settings) -> dict[str, str]:
    outline = {
        "type": "rss",
        "text": channel.title,
        "title": channel.title,
        "description": channel.about,
        "xmlUrl": channel.url(settings, ATOM),
        "htmlUrl": channel.url(settings, HTML),
    }
    if channel.language is not None:
        outline["language"] = channel.language
    return outline
