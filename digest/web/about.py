"""The pages about the site itself: feeds, corrections, about, privacy; and the list of all kinds of pages."""

from dataclasses import dataclass, replace
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from digest.config.settings import SourceSettings
from digest.config.urls import join_url, site_pages
from digest.feeds.archives import held_ids
from digest.feeds.channels import ATOM, OPML_NAME, Channel, channels
from digest.feeds.items import item_of
from digest.feeds.pages import Link, formats_of
from digest.language.text import capital
from digest.language.wording import Wording
from digest.model import OTHER
from digest.newsroom import EPOCH
from digest.store.articles import articles_by_id
from digest.web import archive, cards, reading, searching, sitemaps, story
from digest.web.site import Asked, Page, Place

CORRECTIONS = "corrections"


@dataclass(frozen=True, slots=True)
class Followed:
    """What a reader can follow in one language, or in all of them: its page, its feed in each form, and
    the address to copy."""

    page: Link
    forms: tuple[Link, ...]
    address: str


@dataclass(frozen=True, slots=True)
class Subject:
    """Everything, a theme, or the corrections; each is followed in several languages."""

    page: Link
    feeds: tuple[Followed, ...]


@dataclass(frozen=True, slots=True)
class Told:
    """What was corrected or withdrawn: the article, the day, and what is said of it."""

    page: Link
    day: tuple[str, str]
    says: str
    source: str
    made: bool


def feeds(asked: Asked) -> Page:
    settings, wording, to = asked.settings, asked.wording, asked.to
    subjects: dict[str, tuple[Link, list[Followed]]] = {}
    for channel in channels(settings):
        key = CORRECTIONS if channel.corrections else channel.theme or ""
        _, followed = subjects.setdefault(key, (_page_of(asked, channel), []))
        text = wording.all_languages
        if channel.language is not None:
            text = capital(wording.in_language[channel.language])
        there = _page_of(asked, channel, channel.language or asked.language)
        followed.append(
            Followed(
                Link(text, there.href, target=channel.language or ""),
                formats_of(f"{urlsplit(settings.feeds_url).path}/{channel.slug}"),
                channel.url(settings, ATOM),
            )
        )
    return asked.page(
        "web/feeds.html",
        lambda to: to.page("feeds"),
        current="feeds",
        subjects=[Subject(link, tuple(followed)) for link, followed in subjects.values()],
        opml=f"{settings.feeds_url}/{OPML_NAME}",
        hub=settings.feeds.hub or "",
        join=join_url(settings, asked.language),
        search=to.search(),
    )


def _page_of(asked: Asked, channel: Channel, language: str = "") -> Link:
    """The page of the site that shows what a channel has, in that language, else in the page's own."""
    wording, to = asked.wording, site_pages(asked.settings, language or asked.language)
    if channel.corrections:
        return Link(wording.corrections, to.page(CORRECTIONS))
    if channel.theme is None:
        return Link(wording.all_news, to.front)
    name = asked.settings.theme_names[channel.theme].title(wording.language)
    return Link(name, to.theme(channel.theme), theme=channel.theme)


def corrections(asked: Asked) -> Page:
    """In all languages, as the front is."""
    settings, wording, zone = asked.settings, asked.wording, asked.settings.site.time_zone
    language = asked.language if asked.language in settings.site.languages else None
    channel = next(
        one for one in channels(settings) if one.corrections and one.language == language
    )
    ids = held_ids(
        asked.db,
        replace(channel, language=None),
        asked.now,
        since=EPOCH,
        corrected=True,
        named=True,
        limit=settings.feeds.entries,
    )
    told = []
    for article in articles_by_id(asked.db, ids):
        item, at = item_of(article, (), settings), article.corrected_at or article.updated_at
        day = at.astimezone(ZoneInfo(zone)).date()
        page = Link(item.title, asked.to.article(article.id), article.language)
        says = item.correction or item.summary
        source = settings.source_title(article.source)
        told.append(
            Told(page, (day.isoformat(), wording.day(day)), says, source, article.title_made)
        )
    return asked.page(
        "web/corrections.html",
        lambda to: to.page(CORRECTIONS),
        current=CORRECTIONS,
        feed=channel.slug,
        told=told,
        about=wording.about_corrections.format(site=settings.site.title),
    )


def about(asked: Asked) -> Page:
    settings, wording = asked.settings, asked.wording
    return asked.page(
        "web/about.html",
        lambda to: to.page("about"),
        current="about",
        sources=[_source(one, wording) for one in settings.sources],
        themes=[
            (
                Link(one.title(wording.language), asked.to.theme(key), theme=key),
                wording.about.get(f"theme_{key}", ""),
            )
            for key, one in settings.theme_names.items()
        ],
        other=settings.theme_names[OTHER].title(wording.language),
    )


def _source(source: SourceSettings, wording: Wording) -> tuple[Link, str]:
    """The site of a source, as its own address may hold a secret; and how much of it is shown."""
    site = ""
    if source.kind in ("feed", "pages") and not source.allow_private:
        address = urlsplit(next(one for one in (source.url, *source.urls) if one))
        site = f"{address.scheme}://{address.hostname}/"
    return Link(source.title or source.name, site), wording.about[f"shows_{source.shows}"]


def privacy(asked: Asked) -> Page:
    from babel.units import format_unit

    settings, locale = asked.settings, asked.wording.locale
    bounces, answers = (
        format_unit(days, "duration-day", "long", locale=locale)
        for days in (settings.prune.bounce_days, settings.prune.answer_days)
    )
    return asked.page(
        "web/privacy.html",
        lambda to: to.page("privacy"),
        current="privacy",
        bounces=bounces,
        answers=answers,
        backups=settings.store.keep_backups,
        join=join_url(settings, asked.language),
        chosen=settings.web.public_url is not None,
    )


PLACES = (
    *reading.PLACES,
    *story.PLACES,
    *searching.PLACES,
    *archive.PLACES,
    *sitemaps.PLACES,
    *cards.PLACES,
    Place("/{language}/feeds", feeds),
    Place("/{language}/corrections", corrections),
    Place("/{language}/about", about),
    Place("/{language}/privacy", privacy),
)
