"""The checks of `digest doctor`: each gives a finding, and none stops the others."""

import glob
import json
import shlex
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from digest.audience.evidence import open_brakes, waiting
from digest.config.settings import DigestConfig, Settings
from digest.editions.compose import next_window, preview
from digest.editions.preview import everything, preview_segments, weight
from digest.editions.selection import edition_hash, order_placements
from digest.errors import DigestError, LexiconError
from digest.feeds.channels import ATOM, JSON, RSS, channels
from digest.feeds.items import feed_view, item_of
from digest.feeds.pages import article_page_bytes, feed_page_bytes, style_bytes
from digest.language.text import word_lists
from digest.mail.smtp.names import Nameserver
from digest.model import (
    OTHER,
    Article,
    DateSource,
    Edition,
    KnownDate,
    Match,
    Preview,
    Segment,
    Sibling,
    Window,
)
from digest.newsroom import BUILTIN, Newsroom
from digest.service import mail_checks
from digest.service.mail_checks import DAMAGED, Finding, checked
from digest.service.store import documents_not_read, other_languages, sending_at_a_glance
from digest.service.troubles import (
    LEASE,
    copy_that_waits,
    embargoes,
    unread_mailbox,
    unserved,
    written_paths,
)
from digest.sources.folder import in_words, survey
from digest.store.backups import backup_made_at, backups_in, backups_until
from digest.store.database import Database, created_at, integrity_faults, sqlite3
from digest.store.files import open_to_others
from digest.store.owner import bounces_read_at, current_lease, is_copy
from digest.themes.lexicon import lexicon_of
from digest.themes.store import count_filed_otherwise

SOUND_SQLITE = (3, 51, 3)
"""Before it, two connections that write and checkpoint at once can damage a WAL database."""
OLDEST_BACKUP = timedelta(days=2)
OVERDUE = timedelta(days=1)
LARGEST = 1_000_000
"""Bytes; some readers and their services accept no larger feed."""
ATOM_LINK = "{http://www.w3.org/2005/Atom}link"


def examine(newsroom: Newsroom, nameserver: Nameserver | None = None) -> list[Finding]:
    """Every finding, in the order in which news travels. The configuration itself was read before.

    `nameserver` is asked instead of this machine's own.
    """
    settings = newsroom.settings
    return [
        Finding("configuration", "green", f"{settings.path} has no fault"),
        *mail_checks.site(settings),
        sqlite_version(),
        *sources(settings),
        *(mail_checks.folder(name, path) for name, path in written_paths(settings).items()),
        checked("themes", partial(_lexicon, settings), "Correct the terms in config.toml."),
        *mail_checks.addresses(settings),
        mail_checks.one_click(settings),
        *mail_checks.dkim(newsroom),
        *mail_checks.relay(settings),
        *mail_checks.sender(newsroom, nameserver),
        mail_checks.alarms(settings),
        *templates(newsroom),
        feeds(settings),
        mail_checks.zones(settings),
        *database(newsroom),
        private_files(settings),  # last, as SQLite makes files beside an open database
    ]


def sqlite_version() -> Finding:
    """Whether this SQLite is safe with several writers."""
    version = sqlite3.sqlite_version
    if tuple(int(part) for part in version.split(".")) >= SOUND_SQLITE:
        return Finding("SQLite", "green", version)
    text = f"{version}; before 3.51.3 a database with several writers can be damaged"
    advice = "Install pysqlite3 where it has a wheel, or run one writing command at a time."
    return Finding("SQLite", "yellow", text, advice)


def sources(settings: Settings) -> Iterator[Finding]:
    """Whether each can be read and has documents."""
    for source in (
        one for one in settings.sources if not one.is_online
    ):  # troubles name the others
        name = f"source {source.name}"
        try:
            documents, ignored = survey(source.folder, source.pattern)
        except DigestError as e:
            yield Finding(name, "red", str(e), "Set its path, or make the folder.")
            continue
        text = f"{len(documents)} documents match {source.pattern} in {source.folder}"
        if ignored:
            text += f"; {in_words(ignored)}"
        yield Finding(name, "green" if documents else "yellow", text)


def private_files(settings: Settings) -> Finding:
    """What the modes of files let every user of this machine read; a group that was given access may."""
    path, mail, dkim = settings.store.path, settings.mail, settings.mail.dkim
    stem, name = (glob.escape(one) for one in (path.stem, path.name))
    secrets = [settings.alarms.webhook_file, settings.web.monitor_token_file]
    secrets += [server.password_file for server in mail.servers]
    if dkim is not None:
        secrets += [dkim.rsa_key_file, dkim.ed25519_key_file]
    folders = [mail.outbox, settings.path.parent / "preview"]
    found = {
        *path.parent.glob(f"{name}*"),
        *path.parent.glob(f"{stem}-before-*"),
        *backups_in(path, settings.store.backups),
        *(one for one in secrets if one is not None),
        *folders,
        *(inner for folder in folders for inner in folder.rglob("*")),
    }
    opened = {one for one in found if open_to_others(one)}
    outer = sorted(one for one in opened if one.parent not in opened)
    if not outer:
        return Finding("private files", "green", "no other user may read them")
    inner = f", and {len(opened) - len(outer):,} inside" if len(opened) > len(outer) else ""
    text = f"every user may read {', '.join(map(str, outer))}{inner}"
    advice = f"Run chmod -R o-rwx {shlex.join(map(str, outer))}."
    return Finding("private files", "yellow", text, advice)


def _lexicon(settings: Settings) -> str:
    lexicon = lexicon_of(settings.themes)
    return f"lexicon {lexicon.version} of {len(settings.themes)} themes compiles"


def database(newsroom: Newsroom) -> Iterator[Finding]:
    """What the database shows: damage, the service, backups, documents, sending, and each digest's
    mail as it would go out now.
    """
    path = newsroom.settings.store.path
    if not path.exists():
        text = f"{path} is not there yet"
        yield Finding("database", "yellow", text, "digest ingest makes it.")
        return
    with ExitStack() as stack:
        try:
            newsroom = stack.enter_context(newsroom.open(read_only=True))
        except DigestError as e:
            yield Finding("database", "red", str(e), "See docs/trouble.md, “The database”.")
            return
        db, settings, now = newsroom.db, newsroom.settings, newsroom.now()
        if damage := integrity_faults(db):
            yield Finding("database", "red", "; ".join(damage), DAMAGED)
            return
        yield Finding("database", "green", f"{db.path} is sound")
        if is_copy(db):
            text = "a copy, or not the database that last sent from here: it sends nothing"
            yield Finding("sender", "yellow", text, "If no other copy sends, run digest activate.")
        yield mail_checks.clock(db, now)
        yield lease(db, settings, now)
        yield backups(db, settings, now)
        for row in documents_not_read(db, -1)[1]:
            advice = f"Correct or remove it in source {row['source']}, then digest ingest."
            yield Finding(f"document {row['document']}", "yellow", row["error"], advice)
        waits = embargoes(db, settings.site.time_zone, now)
        yield Finding("embargoes", "green", waits or "none")
        for one in copy_that_waits(db, now):
            yield Finding(one.key, "yellow", one.said.removesuffix("."), one.advice)
        yield from sending(db, now)
        yield from returns(db, settings, now)
        orphans = list(unserved(db, settings, now))
        for trouble in orphans:
            yield Finding(trouble.key, "red", trouble.said.removesuffix("."), trouble.advice)
        if not orphans:
            yield Finding("choices", "green", "config.toml has what every recipient chose from")
        if others := other_languages(db, settings.site.languages):
            text = f"articles: {', '.join(others)}; no digest carries them, only the feeds of all languages"
            advice = "docs/languages.md shows how to add a language."
            yield Finding("languages", "yellow", text, advice)
        try:
            count = count_filed_otherwise(db, lexicon_of(settings.themes).version)
        except LexiconError:  # the item themes says why
            count = 0
        if count:
            text = f"{count:,} articles were filed by another version of the themes"
            advice = "Next: digest themes try shows what would change, digest themes apply does it."
            yield Finding("filing", "yellow", text, advice)
        for digest in settings.digests:
            if next_window(newsroom, digest, now, by_hand=True) is None:
                yield Finding(f"digest {digest.name}", "green", "no articles yet")
            else:
                yield _rendered(newsroom, digest)


def lease(db: Database, settings: Settings, now: datetime) -> Finding:
    """Which service wakes the verbs, and whether it still does."""
    held = current_lease(db, LEASE)
    if held is None:
        text = "none runs on this database; timers may run the commands"
        return Finding("service", "green", text)
    if held.holds(now, timedelta(seconds=settings.service.lease_seconds)):
        return Finding("service", "green", f"{held.holder} wakes the verbs")
    until = f"{held.expires_at:%Y-%m-%d %H:%M} UTC"
    if held.expires_at > now:
        text = f"{held.holder} holds the lease until {until}: the clock was put back since"
        advice = "Check whether it runs: then it corrects the lease within seconds."
        return Finding("service", "yellow", text, advice)
    text = f"{held.holder} did not shut down properly; its lease expired at {until}"
    return Finding("service", "yellow", text, "Read its log, then start digest serve again.")


def backups(db: Database, settings: Settings, now: datetime) -> Finding:
    """How old the newest copy in store.backups is; without one, how old the database is."""
    folder = settings.store.backups
    copies = backups_until(settings.store.path, folder, now)
    made = backup_made_at(copies[-1]) if copies else created_at(db)
    text = f"there is none in {folder}"
    if copies:
        text = f"the newest of {len(copies)} is of {made:%Y-%m-%d %H:%M} UTC"
    if now - made <= OLDEST_BACKUP:
        return Finding("backup", "green", text)
    advice = "Run digest backup every night by cron, or set daily_backup in [store]."
    return Finding("backup", "yellow", text, advice)


def sending(db: Database, now: datetime) -> Iterator[Finding]:
    """What waits for a person, or for a `digest send` that does not come."""
    counts = sending_at_a_glance(db, now - OVERDUE)
    for state, what, text, advice in (
        ("held", "editions", "wait for your decision", "See digest editions list, then digest editions release or cancel."),
        ("uncertain", "deliveries", "may have arrived or not", "See digest deliveries list --status uncertain, also with --notices, then digest deliveries settle."),
        ("overdue", "deliveries", "could have gone out more than a day ago", "Run digest send."),
    ):  # fmt: skip
        if counts[state]:
            yield Finding(f"{state} {what}", "yellow", f"{counts[state]:,} {text}", advice)
        else:
            yield Finding(f"{state} {what}", "green", "none")


def returns(db: Database, settings: Settings, now: datetime) -> Iterator[Finding]:
    """What came back: whether somebody reads it, and what waits for a person."""
    unread = unread_mailbox(db, settings, now)
    if unread is not None:
        yield Finding("bounces", "red", unread.said.removesuffix("."), unread.advice)
    else:
        read_at = bounces_read_at(db)
        text = "not read yet" if read_at is None else f"last read {read_at:%Y-%m-%d %H:%M} UTC"
        yield Finding("bounces", "green", text)
    count, _ = waiting(db)
    braked = sum(row["dead"] for row in open_brakes(db))
    text = f"{count:,} without proof, {braked:,} held by the brake"
    advice = (
        "See digest bounces list --state waits (or braked), then digest bounces confirm or discard."
    )
    waits = bool(count or braked)
    yield Finding(
        "decisions", "yellow" if waits else "green", text if waits else "none", advice * waits
    )


def feeds(settings: Settings) -> Finding:
    """Each channel's three feeds: readable, for the configured address, and not too large."""
    name, again = "published feeds", "Run digest publish."
    if not settings.feeds.path.is_dir():
        text = f"nothing is published in {settings.feeds.path} yet"
        return Finding(name, "yellow", text, again)
    broken: list[str] = []
    missing: list[str] = []
    other: list[str] = []
    large: list[str] = []
    sound = 0
    for channel in channels(settings):
        for ending in (ATOM, RSS, JSON):
            path = settings.feeds.path / f"{channel.slug}.{ending}"
            try:
                data = path.read_bytes()
                address = _address(data, ending)
            except FileNotFoundError:
                missing.append(f"{path.name} is missing")
            except (OSError, ValueError, SyntaxError) as e:
                broken.append(f"{path.name}: {e}")
            else:
                sound += 1
                if address != channel.url(settings, ending):
                    other.append(f"{path.name} is for {address}")
                if len(data) > LARGEST:
                    large.append(f"{path.name} has {len(data) / 1_000_000:.1f} MB")
    smaller = 'Lower feeds.entries, or set feeds.content = "summary".'
    for grade, faults, advice in (
        ("red", broken, again),
        ("yellow", missing + other, again),
        ("yellow", large, smaller),
    ):
        if faults:
            more = f", and {len(faults) - 3} more" if len(faults) > 3 else ""
            return Finding(name, grade, "; ".join(faults[:3]) + more, advice)
    return Finding(name, "green", f"{sound} are complete")


def _address(data: bytes, ending: str) -> str | None:
    """The address that a feed gives as its own.

    Raises:
        ValueError, SyntaxError: the file is no feed of this form.
    """
    if ending == JSON:
        feed = json.loads(data)
        if not isinstance(feed, dict) or not isinstance(feed.get("items"), list):
            raise ValueError("is no JSON feed")
        return feed.get("feed_url")
    from lxml import etree

    root = etree.fromstring(data, etree.XMLParser(resolve_entities=False))
    head = root if ending == ATOM else root.find("channel")
    if head is None:
        raise ValueError("is no RSS feed")
    links = (link for link in head.iterfind(ATOM_LINK) if link.get("rel") == "self")
    return next((link.get("href") for link in links), None)


def _rendered(newsroom: Newsroom, digest: DigestConfig) -> Finding:
    heavy: list[str] = []

    def render() -> str:
        edition = preview(newsroom, digest, newsroom.now())
        previews = [] if edition is None else _previews(newsroom, digest, edition)
        budget = newsroom.settings.mail.budget_kb * 1000
        heavy.extend(_size(one) for one in previews if weight(one.message) > budget)
        warnings = dict.fromkeys(text for one in previews for text in one.warnings)
        return "; ".join(["renders: " + ", ".join(map(_size, previews)), *warnings])

    finding = checked(f"digest {digest.name}", render, "Correct the template it names.")
    advice = "Lower per_theme of the digest: some mail programs clip larger mail."
    return replace(finding, grade="yellow", advice=advice) if heavy else finding


def _previews(newsroom: Newsroom, digest: DigestConfig, edition: Edition) -> list[Preview]:
    """The edition's mail with every theme, in each language."""
    settings = newsroom.settings
    languages = settings.digest_languages(digest)
    segments = [Segment(everything(settings, digest, language), 0) for language in languages]
    return preview_segments(newsroom, digest, edition, segments, newsroom.now())


def _size(one: Preview) -> str:
    return f"{one.segment.choice.language} {weight(one.message) / 1000:.0f} kB"


def templates(newsroom: Newsroom) -> Iterator[Finding]:
    """Whether they render a sample, whatever the database holds."""
    settings, now = newsroom.settings, newsroom.now()

    def read() -> str:
        names = [
            name
            for name in newsroom.templates.list_templates(extensions=["html", "txt", "css"])
            if not name.startswith(f"{BUILTIN}/")
        ]
        for name in names:
            newsroom.templates.get_template(name)
        folder = settings.web.templates
        if folder is None:
            return f"{len(names)} can be read"
        own = sum((folder / name).is_file() for name in names)
        return f"{len(names)} can be read, {own} of them in {folder}"

    def mails() -> str:
        sizes = [
            f"{digest.name} {_size(one)}"
            for digest in settings.digests
            for one in _previews(newsroom, digest, sample_edition(settings, digest, now))
        ]
        return "renders: " + ", ".join(sizes)

    def pages() -> str:
        from digest.web.forms import leave_page  # slow to load

        articles = sample_articles(settings, now)
        items = [item_of(article, [_sibling(articles[1])], settings) for article in articles]
        style_bytes(newsroom.templates, settings)
        for item in items:
            article_page_bytes(newsroom.templates, item, settings)
        feed_channels = channels(settings)
        for channel in feed_channels:
            feed_page_bytes(newsroom.templates, feed_view(channel, items, now), settings)
        for state in ("ask", "left", "no_link", "busy"):
            leave_page(newsroom.templates, settings, state)
        return f"{len(feed_channels)} pages of feeds and {len(items)} of articles render, and those for leaving"

    advice = "Correct the template that it names, in the folder of web.templates."
    yield checked("templates", read, advice)
    yield checked("sample mail", mails, advice)
    yield checked("sample pages", pages, advice)


COPY = word_lists("language/languages.toml")["sample"]


def sample_edition(settings: Settings, digest: DigestConfig, now: datetime) -> Edition:
    """An edition of the sample articles, closed at `now`."""
    window = Window(now - timedelta(days=7), now)
    articles = sample_articles(settings, now)
    story = tuple(_sibling(article) for article in articles[:2])
    placements = tuple(
        replace(one, siblings=tuple(other for other in story if other.id != one.article.id))
        if one.article.story_id is not None
        else one
        for one in order_placements(articles)
    )
    edition = Edition(None, digest.name, 1, window, "", placements)
    return replace(edition, hash=edition_hash(edition, settings.digest_zone(digest)))


def sample_articles(settings: Settings, now: datetime) -> list[Article]:
    """One in each language of the site, the first two a story, under every theme; then a summary
    without a date and without a theme.
    """
    yesterday, languages = now - timedelta(days=1), settings.site.languages
    themes = tuple(
        Match(key, 1.0, 1.0, "lexicon", "sample") for key in settings.theme_keys if key != OTHER
    )
    articles = []
    for number, language in enumerate([*languages, languages[0]], 1):
        is_last = number > len(languages)
        title, text = COPY.get(language, COPY["en"])
        articles.append(
            Article(
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
                complete=not is_last,
                first_seen_at=yesterday,
                updated_at=yesterday,
                published=KnownDate(None, DateSource.UNKNOWN)
                if is_last
                else KnownDate(yesterday.date(), DateSource.STATED),
                matches=() if is_last else themes,
                story_id=1 if number <= 2 and len(languages) > 1 else None,
            )
        )
    return articles


def _sibling(article: Article) -> Sibling:
    return Sibling(
        id=article.id,
        atom_id=article.atom_id,
        title=article.title,
        language=article.language,
        source=article.source,
    )
