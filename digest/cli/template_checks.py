"""What `digest doctor` does with the templates: each is read, and renders a sample edition."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from digest.cli.findings import Finding, checked
from digest.config.settings import DigestConfig, Settings
from digest.editorial.selection import edition_hash, order_placements
from digest.feeds.channels import channels
from digest.feeds.items import feed_view, item_of
from digest.feeds.pages import article_page_bytes, feed_page_bytes, style_bytes
from digest.model import (
    OTHER,
    Article,
    DateSource,
    Edition,
    KnownDate,
    Match,
    Segment,
    Sibling,
    Window,
)
from digest.rehearsal import everything, preview_segments
from digest.runtime import Runtime
from digest.templating import BUILTIN

COPY = {
    "en": ("A sample for the doctor", "Nobody is ever sent this."),
    "ru": ("Образец для проверки", "Это никому не отправляется."),
    "tk": ("Barlag üçin nusga", "Bu hiç kime iberilmeýär."),
}


def templates(room: Runtime) -> Iterator[Finding]:
    """Whatever stands in the store: with every theme, a story, a summary, an article without a date."""
    advice = "Mend the template that it names, in the folder of web.templates."
    yield checked("templates", lambda: _read(room), advice)
    yield checked("sample mail", lambda: _mails(room), advice)
    yield checked("sample pages", lambda: _pages(room), advice)


def _read(room: Runtime) -> str:
    names = [
        name
        for name in room.templates.list_templates(extensions=["html", "txt", "css"])
        if not name.startswith(f"{BUILTIN}/")
    ]
    for name in names:
        room.templates.get_template(name)
    theirs = room.settings.web.templates
    if theirs is None:
        return f"{len(names)} can be read"
    own = sum((theirs / name).is_file() for name in names)
    return f"{len(names)} can be read, {own} of them in {theirs}"


def _mails(room: Runtime) -> str:
    sizes = []
    for digest in room.settings.digests:
        edition = sample_edition(room.settings, digest, room.now())
        segments = [
            Segment(everything(room.settings, digest, language), 0)
            for language in room.settings.digest_languages(digest)
        ]
        for one in preview_segments(room.settings, digest, edition, segments, room.templates):
            language = one.segment.choice.language
            sizes.append(f"{digest.name} {language} {len(one.message) / 1000:.0f} kB")
    return "renders: " + ", ".join(sizes)


def _pages(room: Runtime) -> str:
    settings = room.settings
    articles = sample_articles(settings, room.now())
    siblings = [_sibling(article, settings) for article in articles[:2]]
    items = [item_of(article, siblings[1:], settings) for article in articles]
    style_bytes(room.templates, settings)
    for item in items:
        article_page_bytes(room.templates, item, settings)
    listed = channels(settings)
    for channel in listed:
        feed_page_bytes(room.templates, feed_view(channel, items, room.now()), settings)
    return f"{len(listed)} pages of feeds and {len(items)} of articles render"


def sample_edition(settings: Settings, digest: DigestConfig, now: datetime) -> Edition:
    """An edition of the sample articles, closed at `now`."""
    window = Window(now - timedelta(days=7), now)
    articles = sample_articles(settings, now)
    story = tuple(_sibling(article, settings) for article in articles[:2])
    placements = tuple(
        replace(one, siblings=tuple(other for other in story if other.id != one.article.id))
        if one.article.story_id is not None
        else one
        for one in order_placements(articles)
    )
    zone = settings.digest_zone(digest)
    shown = edition_hash(
        digest=digest.name, number=1, window=window, zone=zone, placements=placements
    )
    return Edition(
        id=None,
        digest=digest.name,
        number=1,
        window=window,
        hash=shown,
        placements=placements,
    )


def sample_articles(settings: Settings, now: datetime) -> list[Article]:
    """One in each language of the site, the first two a story, under every theme; then a summary
    without a date under none."""
    themes = tuple(
        Match(key, 1.0, 1.0, "lexicon", "sample") for key in settings.theme_keys if key != OTHER
    )
    languages = settings.site.languages
    found = [
        replace(
            _article(settings, language, number, now),
            matches=themes,
            story_id=1 if number <= 2 and len(languages) > 1 else None,
        )
        for number, language in enumerate(languages, 1)
    ]
    last = _article(settings, languages[0], len(found) + 1, now)
    return [*found, replace(last, complete=False, published=KnownDate(None, DateSource.UNKNOWN))]


def _article(settings: Settings, language: str, number: int, now: datetime) -> Article:
    title, text = COPY[language]
    return Article(
        id=number,
        atom_id=f"urn:uuid:00000000-0000-4000-8000-{number:012d}",
        version=1,
        source=settings.sources[0].name,
        document=None,
        title=title,
        title_made=False,
        language=language,
        lead=text,
        text=text,
        content_html=f"<p>{text}</p>",
        complete=True,
        first_seen_at=now - timedelta(days=1),
        updated_at=now - timedelta(days=1),
        published=KnownDate((now - timedelta(days=1)).date(), DateSource.STATED),
    )


def _sibling(article: Article, settings: Settings) -> Sibling:
    return Sibling(
        id=article.id,
        atom_id=article.atom_id,
        title=article.title,
        language=article.language,
        source=article.source,
    )
