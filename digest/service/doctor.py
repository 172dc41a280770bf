"""What `digest doctor` looks at: each check gives a finding, and none stops the others."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from digest.config.settings import DigestConfig, Settings
from digest.editions.compose import preview
from digest.editions.preview import everything, preview_segments
from digest.editions.selection import edition_hash, order_placements
from digest.errors import DigestError, LexiconError
from digest.feeds.channels import ATOM, JSON, RSS, Channel, channels
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
from digest.newsroom import BUILTIN, Newsroom
from digest.service import mail_checks
from digest.service.mail_checks import Finding, Nameserver, checked
from digest.service.plan import LEASE
from digest.service.store import faulty_documents, sending_at_a_glance
from digest.service.troubles import places, unserved
from digest.sources.folder import list_documents
from digest.store.backups import backup_made_at, backups_until
from digest.store.database import Database, created_at, integrity_faults, sqlite3
from digest.store.owner import current_lease
from digest.themes.store import count_filed_otherwise

OLDEST_BACKUP = timedelta(days=2)
OVERDUE = timedelta(days=1)


def database(db: Database) -> Finding:
    """Damaged pages, broken references."""
    if faults := integrity_faults(db):
        advice = "Restore the last backup; see docs/trouble.md, “The database”."
        return Finding("database", "red", "; ".join(faults), advice)
    return Finding("database", "green", f"{db.path} is sound")


def lease(db: Database, settings: Settings, now: datetime) -> Finding:
    """Which service wakes the verbs, and whether it still does."""
    held = current_lease(db, LEASE)
    if held is None:
        return Finding(
            "service", "green", "none runs on this database; timers may run the commands"
        )
    until = f"{held.expires_at:%Y-%m-%d %H:%M} UTC"
    if held.holds(now, timedelta(seconds=settings.service.lease_seconds)):
        return Finding("service", "green", f"{held.holder} wakes the verbs")
    if held.expires_at > now:
        said = f"{held.holder} holds the lease until {until}: the clock was put back since"
        return Finding("service", "yellow", said, "Look whether it runs: the next beat mends it.")
    said = f"{held.holder} ended without a word; its lease ran out at {until}"
    return Finding("service", "yellow", said, "Look into its log, then start digest serve again.")


def backups(db: Database, settings: Settings, now: datetime) -> Finding:
    """How old the newest copy in store.backups is; where there is none, how old the database is."""
    store = settings.store
    found = backups_until(store.path, store.backups, now)
    made = backup_made_at(found[-1]) if found else created_at(db)
    said = (
        f"the newest of {len(found)} is of {made:%Y-%m-%d %H:%M} UTC"
        if found
        else f"there is none in {store.backups}"
    )
    if now - made > OLDEST_BACKUP:
        return Finding(
            "backup",
            "yellow",
            said,
            "Run digest backup every night by cron, or set daily_backup in [store].",
        )
    return Finding("backup", "green", said)


def sending(db: Database, now: datetime) -> Iterator[Finding]:
    """What waits for a person, or for a `digest send` that does not come."""
    row = sending_at_a_glance(db, now - OVERDUE)
    waiting = (
        (
            "editions",
            "held",
            row["held"],
            "wait for your word",
            "See digest editions list, then digest editions release or cancel.",
        ),
        (
            "deliveries",
            "uncertain",
            row["uncertain"],
            "may have arrived or not",
            "See digest deliveries list --status uncertain, then digest deliveries settle.",
        ),
        (
            "deliveries",
            "overdue",
            row["overdue"],
            "could have gone out more than a day ago",
            "Run digest send.",
        ),
    )
    for what, state, count, said, advice in waiting:
        if count:
            yield Finding(f"{state} {what}", "yellow", f"{count:,} {said}", advice)
        else:
            yield Finding(f"{state} {what}", "green", "none")


def choices(db: Database, settings: Settings, now: datetime) -> Iterator[Finding]:
    """Editions and recipients to whom nothing can go because of what config.toml no longer has."""
    found = list(unserved(db, settings, now))
    for one in found:
        yield Finding(one.key, "red", one.said.removesuffix("."), one.advice)
    if not found:
        yield Finding("choices", "green", "config.toml has what every recipient chose from")


LARGEST = 1_000_000
"""Bytes; some readers and their services take no larger feed."""
ATOM_LINK = "{http://www.w3.org/2005/Atom}link"


def feeds(settings: Settings) -> Finding:
    """Each channel's three feeds: parsed, for the address in force, and not too large."""
    if not settings.feeds.path.is_dir():
        said = f"nothing is published in {settings.feeds.path} yet"
        return Finding("published feeds", "yellow", said, "Run digest publish.")
    broken: list[str] = []
    missing: list[str] = []
    other: list[str] = []
    large: list[str] = []
    sound = 0
    for channel, ending, path in _files(settings):
        try:
            data = path.read_bytes()
            address = _address(data, ending)
        except FileNotFoundError:
            missing.append(path.name)
        except (OSError, ValueError, SyntaxError) as e:
            broken.append(f"{path.name}: {e}")
        else:
            sound += 1
            if address != channel.url(settings, ending):
                other.append(f"{path.name} is for {address}")
            if len(data) > LARGEST:
                large.append(f"{path.name} has {len(data) / 1_000_000:.1f} MB")
    if broken:
        return Finding("published feeds", "red", _some(broken), "Run digest publish.")
    if missing or other:
        said = _some([f"{name} is not there" for name in missing] + other)
        return Finding("published feeds", "yellow", said, "Run digest publish.")
    if large:
        advice = 'Lower feeds.entries, or set feeds.content = "summary".'
        return Finding("published feeds", "yellow", _some(large), advice)
    return Finding("published feeds", "green", f"{sound} are whole")


def _files(settings: Settings) -> Iterator[tuple[Channel, str, Path]]:
    for channel in channels(settings):
        for ending in (ATOM, RSS, JSON):
            yield channel, ending, settings.feeds.path / f"{channel.slug}.{ending}"


def _address(data: bytes, ending: str) -> str | None:
    """The address that a feed gives as its own.

    Raises:
        ValueError, SyntaxError: the file is no feed of this form.
    """
    if ending == JSON:
        found = json.loads(data)
        if not isinstance(found, dict) or not isinstance(found.get("items"), list):
            raise ValueError("is no JSON feed")
        return found.get("feed_url")
    from lxml import etree

    root = etree.fromstring(data, etree.XMLParser(resolve_entities=False))
    head = root if ending == ATOM else root.find("channel")
    if head is None:
        raise ValueError("is no RSS feed")
    links = (link for link in head.iterfind(ATOM_LINK) if link.get("rel") == "self")
    return next((link.get("href") for link in links), None)


def _some(told: list[str]) -> str:
    """The first three, and how many there are."""
    more = f", and {len(told) - 3} more" if len(told) > 3 else ""
    return "; ".join(told[:3]) + more


COPY = {
    "en": ("A sample for the doctor", "Nobody is ever sent this."),
    "ru": ("Образец для проверки", "Это никому не отправляется."),
    "tk": ("Barlag üçin nusga", "Bu hiç kime iberilmeýär."),
}


def templates(newsroom: Newsroom) -> Iterator[Finding]:
    """Whatever stands in the store: with every theme, a story, a summary, an article without a date."""
    advice = "Correct the template that it names, in the folder of web.templates."
    yield checked("templates", lambda: _read(newsroom), advice)
    yield checked("sample mail", lambda: _mails(newsroom), advice)
    yield checked("sample pages", lambda: _pages(newsroom), advice)


def _read(newsroom: Newsroom) -> str:
    names = [
        name
        for name in newsroom.templates.list_templates(extensions=["html", "txt", "css"])
        if not name.startswith(f"{BUILTIN}/")
    ]
    for name in names:
        newsroom.templates.get_template(name)
    theirs = newsroom.settings.web.templates
    if theirs is None:
        return f"{len(names)} can be read"
    own = sum((theirs / name).is_file() for name in names)
    return f"{len(names)} can be read, {own} of them in {theirs}"


def _mails(newsroom: Newsroom) -> str:
    sizes = []
    for digest in newsroom.settings.digests:
        edition = sample_edition(newsroom.settings, digest, newsroom.now())
        segments = [
            Segment(everything(newsroom.settings, digest, language), 0)
            for language in newsroom.settings.digest_languages(digest)
        ]
        for one in preview_segments(newsroom, digest, edition, segments):
            language = one.segment.choice.language
            sizes.append(f"{digest.name} {language} {len(one.message) / 1000:.0f} kB")
    return "renders: " + ", ".join(sizes)


def _pages(newsroom: Newsroom) -> str:
    settings = newsroom.settings
    articles = sample_articles(settings, newsroom.now())
    siblings = [_sibling(article, settings) for article in articles[:2]]
    items = [item_of(article, siblings[1:], settings) for article in articles]
    style_bytes(newsroom.templates, settings)
    for item in items:
        article_page_bytes(newsroom.templates, item, settings)
    listed = channels(settings)
    for channel in listed:
        feed_page_bytes(newsroom.templates, feed_view(channel, items, newsroom.now()), settings)
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
        id=None, digest=digest.name, number=1, window=window, hash=shown, placements=placements
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


SOUND_SQLITE = (3, 51, 3)
"""Before it, two connections that write and checkpoint at once can damage a WAL database."""


def examine(newsroom: Newsroom, nameserver: Nameserver | None = None) -> list[Finding]:
    """Every finding, in the order in which news travels. The configuration itself was read before.

    `nameserver` is asked instead of this machine's own.
    """
    settings = newsroom.settings
    return [
        Finding("configuration", "green", f"{settings.path} has no fault"),
        *mail_checks.site(settings),
        _sqlite(),
        *_sources(settings),
        *(mail_checks.folder(name, path) for name, path in places(settings).items()),
        *_lexicon(newsroom),
        *mail_checks.addresses(settings),
        *mail_checks.dkim(newsroom),
        *mail_checks.relay(settings),
        *mail_checks.sender(newsroom, nameserver),
        mail_checks.alarms(settings),
        *templates(newsroom),
        feeds(settings),
        mail_checks.zones(settings),
        *_with_store(newsroom),
    ]


def _sqlite() -> Finding:
    version = sqlite3.sqlite_version
    if tuple(int(part) for part in version.split(".")) >= SOUND_SQLITE:
        return Finding("SQLite", "green", f"{version}")
    return Finding(
        "SQLite",
        "yellow",
        f"{version}; before 3.51.3 a database with several writers can be damaged",
        "Install pysqlite3 where it has a wheel, or run one writing command at a time.",
    )


def _sources(settings: Settings) -> Iterator[Finding]:
    for source in settings.sources:
        try:
            found = list_documents(source.path, source.pattern)
        except DigestError as e:
            yield Finding(
                f"source {source.name}", "red", str(e), "Set its path, or make the folder."
            )
            continue
        grade = "green" if found else "yellow"
        said = f"{len(found)} documents match {source.pattern} in {source.path}"
        yield Finding(f"source {source.name}", grade, said)


def _lexicon(newsroom: Newsroom) -> Iterator[Finding]:
    from digest.themes.lexicon import lexicon_of

    yield checked(
        "themes",
        lambda: (
            f"lexicon {lexicon_of(newsroom.settings.themes).version} of {len(newsroom.settings.themes)} themes compiles"
        ),
        "Correct the terms in config.toml.",
    )


def _with_store(newsroom: Newsroom) -> Iterator[Finding]:
    if not newsroom.settings.store.path.exists():
        yield Finding(
            "database",
            "yellow",
            f"{newsroom.settings.store.path} is not there yet",
            "digest ingest makes it.",
        )
        return
    with ExitStack() as stack:
        try:
            newsroom = stack.enter_context(newsroom.open(read_only=True))
        except DigestError as e:
            yield Finding("database", "red", str(e), "See docs/trouble.md, “The database”.")
            return
        db, settings, now = newsroom.db, newsroom.settings, newsroom.now()
        sound = database(db)
        yield sound
        if sound.grade == "red":
            return
        yield mail_checks.clock(db, now)
        yield lease(db, settings, now)
        yield backups(db, settings, now)
        for row in faulty_documents(db):
            yield Finding(
                f"document {row['document']}",
                "yellow",
                row["error"],
                f"Correct or remove it in source {row['source']}, then digest ingest.",
            )
        yield from sending(db, now)
        yield from choices(db, settings, now)
        yield from _filing(newsroom)
        # Renders each digest's mail as it would go out now, in each language.
        for digest in newsroom.settings.digests:
            edition = preview(newsroom, digest, newsroom.now())
            if edition is None:
                yield Finding(f"digest {digest.name}", "green", "nothing has come in yet")
            else:
                heavy: list[str] = []
                rendering = partial(_render, newsroom, digest, edition, heavy)
                found = checked(
                    f"digest {digest.name}", rendering, "Correct the template it names."
                )
                advice = "Lower per_theme of the digest: some mail programs cut what is larger."
                yield replace(found, grade="yellow", advice=advice) if heavy else found


def _filing(newsroom: Newsroom) -> Iterator[Finding]:
    """Whether the themes in force filed what is stored; where they do not compile, that was said."""
    from digest.themes.lexicon import lexicon_of

    try:
        count = count_filed_otherwise(newsroom.db, lexicon_of(newsroom.settings.themes).version)
    except LexiconError:
        return
    if count:
        yield Finding(
            "filing",
            "yellow",
            f"{count:,} articles were filed by another version of the themes",
            "Next: digest themes try shows what would change, digest themes apply does it.",
        )


def _render(newsroom: Newsroom, digest: DigestConfig, edition: Edition, heavy: list[str]) -> str:
    """What to say of the mails; `heavy` gets the languages of those over the budget."""
    segments = [
        Segment(everything(newsroom.settings, digest, language), 0)
        for language in newsroom.settings.digest_languages(digest)
    ]
    previews = preview_segments(newsroom, digest, edition, segments)
    budget = newsroom.settings.mail.budget_kb * 1000
    heavy += [one.segment.choice.language for one in previews if len(one.message) > budget]
    sizes = ", ".join(
        f"{one.segment.choice.language} {len(one.message) / 1000:.0f} kB" for one in previews
    )
    warnings = dict.fromkeys(text for one in previews for text in one.warnings)
    return "; ".join([f"renders: {sizes}", *warnings])
