"""Which feeds there are, and the list of them as OPML 2.0."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import format_datetime
from itertools import product

from digest.config.settings import Settings
from digest.config.urls import feed_slug, site_pages
from digest.language.wording import OWN_NAMES, Wording, wording_for

ATOM, RSS, JSON, HTML = "atom", "rss", "json", "html"

MEDIA_TYPES = {
    ATOM: "application/atom+xml",
    RSS: "application/rss+xml",
    JSON: "application/feed+json",
    HTML: "text/html",
}
"""The forms in which each channel is published, by file ending."""
OPML_NAME = "feeds.opml"
CORRECTIONS = "corrections"
_NAMESPACE = uuid.UUID("b2f7c0de-57a4-5c2b-8a3f-3f0a6c1d9e44")


@dataclass(frozen=True, slots=True)
class Channel:
    """One subject that readers can follow, in all its forms.

    `theme` and `language` are None where the channel holds them all. `wording` is the language of
    the title and of the page around the articles. `corrections`: it holds what was corrected or withdrawn.
    """

    theme: str | None
    language: str | None
    slug: str
    title: str
    about: str
    wording: Wording
    corrections: bool = False

    @property
    def text_language(self) -> str:
        """The channel's language; where it holds several, that of its title."""
        return self.language or self.wording.language

    def url(self, settings: Settings, ending: str) -> str:
        """Where a form of it is; its page is that of the site, where others find one."""
        if ending == HTML and settings.pages_url is not None:
            to = site_pages(settings, self.text_language, whole=True)
            if self.corrections:
                return to.page(CORRECTIONS)
            return to.front if self.theme is None else to.theme(self.theme)
        return f"{settings.feeds_url}/{self.slug}.{ending}"


def channels(settings: Settings) -> list[Channel]:
    """Every channel: everything first, then the themes, the languages, both together, and corrections."""
    site, themes = settings.site, settings.theme_keys
    pairs: list[tuple[str | None, str | None]] = [(None, None)]
    pairs += [(theme, None) for theme in themes]
    pairs += [(None, language) for language in site.languages]
    pairs += product(themes, site.languages)
    listed: list[Channel] = []
    for theme, language in pairs:
        spoken = language or site.languages[0]
        wording = wording_for(spoken, site.languages)
        title, about = site.title, wording.about_all.format(site=site.title)
        if theme is not None:
            name = settings.theme_names[theme].title(spoken)
            title = f"{site.title}: {name}"
            about = wording.about_theme.format(site=site.title, theme=name)
        suffix = f", {wording.in_language[language]}" if language is not None else ""
        slug = feed_slug(theme, language)
        listed.append(Channel(theme, language, slug, title + suffix, about + suffix, wording))
    for channel in [one for one in listed if one.theme is None]:
        words, language = channel.wording, channel.language
        title = channel.title.replace(site.title, f"{site.title}: {words.corrections}", 1)
        about = words.about_corrections.format(site=site.title)
        listed.append(
            replace(
                channel,
                slug=feed_slug(CORRECTIONS, language),
                title=title,
                about=about,
                corrections=True,
            )
        )
    return listed


def feed_id(channel: Channel, store_made_at: datetime) -> str:
    """The feed's permanent id (RFC 4287 §4.2.6), a urn:uuid shared by all forms of the channel.

    It depends on the moment the store was made and on the channel's slug. So it survives a new
    title or address, and two newsrooms that both publish "drugs" have different ids.
    """
    moment = store_made_at.astimezone(UTC).isoformat()
    return f"urn:uuid:{uuid.uuid5(_NAMESPACE, f'{moment} {channel.slug}')}"


def archive_name(slug: str, number: int, form: str) -> str:
    """The file of an archive of a channel within the folder (RFC 5005 §4); `form` is ATOM or RSS."""
    return f"archives/{slug}.{number}.{form}"


def opml_bytes(listed: Sequence[Channel], settings: Settings, store_made_at: datetime) -> bytes:
    """Every channel by its Atom form, in one folder per language and one for all languages.

    It does not depend on the articles and changes only with config.toml.
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
    ):
        etree.SubElement(head, name).text = value
    body = etree.SubElement(opml, "body")
    held = {channel.language for channel in listed}
    for language in [one for one in (None, *site.languages) if one in held]:
        text = OWN_NAMES[language] if language is not None else listed[0].wording.all_languages
        folder = etree.SubElement(body, "outline", text=text)
        for channel in listed:
            if channel.language == language:
                outline = {
                    "type": "rss",
                    "text": channel.title,
                    "title": channel.title,
                    "description": channel.about,
                    "xmlUrl": channel.url(settings, ATOM),
                    "htmlUrl": channel.url(settings, HTML),
                }
                if language is not None:
                    outline["language"] = language
                etree.SubElement(folder, "outline", outline)
    return bytes(etree.tostring(opml, encoding="UTF-8", xml_declaration=True, pretty_print=True))
