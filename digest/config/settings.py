"""Every setting of config.toml as a type. Names carry the units; paths are absolute after loading."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, model_validator

from digest.config.values import (
    Address,
    Colour,
    Every,
    Filled,
    HubUrl,
    Instant,
    Key,
    LanguageCode,
    LinkUrl,
    Minutes,
    NamePattern,
    OneLine,
    Place,
    PublicUrl,
    RepeatRule,
    Rule,
    Section,
    Selector,
    SourceUrl,
    ThemeKey,
    WebUrl,
    Zone,
    is_loopback,
    parse_rule,
    secret,
)
from digest.language.text import cut
from digest.language.wording import LANGUAGES as WORDED
from digest.model import OTHER, Article, Picture, ThemeName

PALETTE = {
    "drugs": ("#9a2f2f", "#f2a7a1"),
    "customs": ("#1c5d8a", "#8fc6ec"),
    "corruption": ("#76520a", "#e6c57a"),
    "youth": ("#2c6a3c", "#9bd4a9"),
    OTHER: ("#575f68", "#b4bcc4"),
}

SPARE = (
    ("#6b3f86", "#cfb0e6"),
    ("#0f6663", "#8ed0cb"),
    ("#8a3a5e", "#eba9c6"),
    ("#4a5a1c", "#bccb86"),
    ("#3d4f9a", "#b0bdf2"),
    ("#7d4524", "#e5b391"),
)
"""Colours on a light and a dark background for themes that the operator adds, in turn."""


class Sense(Section):
    """Another sense that terms have, and the words that tell: of `ours`, the theme's, or of `others`.

    Where no word tells, the terms count if the theme's sense is the `usual` one, or `ours` is empty.
    """

    name: OneLine
    terms: Annotated[tuple[str, ...], Filled]
    ours: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    usual: bool = False


class TermLists(Section):
    """Terms of one language. Each term is a word or a phrase; other forms of its words count too.

    `strong`, `terms` and `weak` count 1, 0.6 and 0.2; `weights` holds terms with a weight of their own.
    `beside` counts as a weak term does, but only in a sentence that also has one of `companions` or
    another term of the theme. `ignore` hides what it covers before anything is counted. `remove`
    removes packaged terms. `senses` names other senses of terms of these lists. docs/themes.md shows how
    to write a term.
    """

    strong: tuple[str, ...] = ()
    terms: tuple[str, ...] = ()
    weak: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    companions: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    weights: dict[str, Annotated[float, Field(gt=0, le=3)]] = Field(default_factory=dict)
    senses: tuple[Sense, ...] = ()


THRESHOLD = 1.0
"""The score that an article needs for a theme without its own threshold."""


class ThemeSettings(Section):
    """[[themes]]"""

    name: ThemeKey
    title: Annotated[dict[LanguageCode, OneLine], Filled]
    colour: Colour | None = None
    colour_dark: Colour | None = None
    lexicon: Literal["shipped", "own"] = "shipped"
    threshold: Annotated[float, Field(gt=0)] | None = None
    terms: dict[LanguageCode, TermLists] = Field(default_factory=dict)


def _plain(value: str) -> str:
    """The address as every mail server takes it: with its domain as in DNS (RFC 5891)."""
    from email_validator import validate_email

    valid = validate_email(value, check_deliverability=False, test_environment=True)
    return valid.ascii_email or valid.normalized


PlainAddress = Annotated[Address, AfterValidator(_plain)]
Hours = Annotated[float, Field(gt=0, le=8784)]


class AlarmSettings(Section):
    """[alarms]"""

    mail_to: tuple[PlainAddress, ...] = ()
    webhook_env: OneLine | None = None
    webhook_file: Place | None = None
    every_minutes: Minutes = 2.0
    after_minutes: Annotated[float, Field(ge=0, le=1440)] = 10.0
    quiet_minutes: Annotated[float, Field(ge=0, le=1440)] = 30.0
    source_hours: Hours = 6.0
    late_hours: Hours = 2.0

    def webhook(self) -> str | None:
        """The address from `webhook_env`, else from `webhook_file`; None if unset. It is a secret, as it
        may hold a token."""
        return secret(env=self.webhook_env, file=self.webhook_file)

    @property
    def has_webhook(self) -> bool:
        return self.webhook_env is not None or self.webhook_file is not None


class ReportSettings(Section):
    """[report]"""

    mail_to: tuple[PlainAddress, ...] = ()
    schedule: RepeatRule = "0 9 * * mon"
    time_zone: Zone | None = None


Days = Annotated[int, Field(ge=1, le=36500)]


class ServiceSettings(Section):
    """[service]"""

    ingest_every_minutes: Minutes = 10.0
    send_every_minutes: Minutes = 2.0
    send: bool = True
    bounces: Place | None = None
    bounces_every_minutes: Minutes = 15.0
    lease_seconds: Annotated[float, Field(ge=3, le=86400)] = 30.0
    drain_seconds: Annotated[float, Field(ge=0, le=3600)] = 30.0


class PruneSettings(Section):
    """[prune]: how long bounces and server answers are kept."""

    bounce_days: Days = 90
    answer_days: Days = 365


class ReaderSettings(Section):
    """[readers]: the pages where people join, choose and leave; only where web.public_url is set."""

    join: bool = True
    mails_per_address: Annotated[int, Field(ge=1, le=100)] = 3
    forms_per_network: Annotated[int, Field(ge=1, le=100_000)] = 20
    mails_per_hour: Annotated[int, Field(ge=1, le=1_000_000)] = 500
    look_up_domains: bool = True
    refused_domains: tuple[OneLine, ...] = ()


class DeskSettings(Section):
    """[desk]: the page where editors work; there is none without `editors`."""

    editors: tuple[PlainAddress, ...] = ()
    link_minutes: Annotated[int, Field(ge=1, le=1440)] = 15
    session_hours: Annotated[float, Field(ge=0.1, le=720)] = 12.0


class WebSettings(Section):
    """[web]"""

    public_url: PublicUrl | None = None
    site: bool = True
    feeds_url: WebUrl | None = None
    preferences_url: LinkUrl | None = None
    templates: Place | None = None
    host: OneLine = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] = 8080
    cache_seconds: Annotated[int, Field(ge=0, le=86400)] = 300
    memory_mib: Annotated[float, Field(ge=1, le=4096)] = 64.0
    monitor_token_file: Place | None = None


PORTS = {"starttls": 587, "implicit": 465, "none": 25}
Seconds = Annotated[float, Field(gt=0, le=3600)]


class ServerSettings(Section):
    """[[mail.servers]]: one server that takes our mail."""

    host: OneLine
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    tls: Literal["starttls", "implicit", "none"] = "starttls"
    allow_plaintext: bool = False
    ca_file: Place | None = None
    username: OneLine | None = None
    password_env: OneLine | None = None
    password_file: Place | None = None
    weight: Annotated[float, Field(gt=0, le=1000)] = 1.0
    connections: Annotated[int, Field(ge=1, le=500)] = 10
    messages_per_connection: Annotated[int, Field(ge=1)] = 1000

    @model_validator(mode="after")
    def _keeps_secrets(self) -> Self:
        if self.tls == "none" and not (self.allow_plaintext or self.is_loopback):
            raise ValueError(
                'tls = "none" needs a server on this machine, such as host = "127.0.0.1", or also '
                "allow_plaintext = true, which lets everybody on the way read the mail"
            )
        if self.username is None and (self.password_env or self.password_file):
            raise ValueError("a password needs username")
        if self.username is not None and not (self.password_env or self.password_file):
            raise ValueError("username needs password_env or password_file")
        return self

    @property
    def is_loopback(self) -> bool:
        return is_loopback(self.host)

    @property
    def name(self) -> str:
        """host:port; the port follows from `tls` where none is set."""
        return f"{self.host}:{self.port or PORTS[self.tls]}"

    def password(self) -> str | None:
        """The secret from `password_env`, else from `password_file`; None if unset."""
        return secret(env=self.password_env, file=self.password_file)


class TransportSettings(Section):
    """The part of [mail] on how messages are sent."""

    transport: Literal["maildir", "smtp"] = "maildir"
    outbox: Place = Path("outbox")
    servers: tuple[ServerSettings, ...] = ()
    helo_name: OneLine | None = None
    per_second: Annotated[int, Field(ge=1)] | None = None
    per_minute: Annotated[int, Field(ge=1)] | None = None
    domain_connections: Annotated[int, Field(ge=1)] | None = None
    domain_per_minute: Annotated[int, Field(ge=1)] | None = None
    connect_timeout_seconds: Seconds = 30.0
    command_timeout_seconds: Seconds = 120.0
    data_timeout_seconds: Seconds = 300.0
    idle_timeout_seconds: Seconds = 20.0

    @model_validator(mode="after")
    def _has_a_server(self) -> Self:
        if self.transport == "smtp" and not self.servers:
            raise ValueError('transport = "smtp" needs at least one [[mail.servers]]')
        return self


class SiteSettings(Section):
    """[site]"""

    title: OneLine
    base_url: WebUrl
    author: OneLine
    contact: Address
    postal_address: OneLine
    languages: Annotated[tuple[LanguageCode, ...], Filled] = ("en", "ru")
    time_zone: Zone = "UTC"


class StoreSettings(Section):
    """[store]"""

    path: Place = Path("digest.db")
    busy_timeout_seconds: Annotated[float, Field(gt=0, le=600)] = 15.0
    backups: Place = Path("backups")
    keep_backups: Annotated[int, Field(ge=1, le=1000)] = 14
    daily_backup: bool = False


class Recipe(Section):
    """[sources.recipe]: CSS selectors for what the general way does not find on a page."""

    links: Selector | None = None
    title: Selector | None = None
    date: Selector | None = None
    author: Selector | None = None
    text: Selector | None = None
    next: Selector | None = None


class ImapSettings(Section):
    """[sources.imap]: a mailbox on a server."""

    host: OneLine
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    tls: Literal["implicit", "starttls", "none"] = "implicit"
    ca_file: Place | None = None
    username: OneLine
    password_env: OneLine | None = None
    password_file: Place | None = None
    folder: OneLine = "INBOX"

    def password(self) -> str | None:
        """The secret from `password_env`, else from `password_file`; None if unset."""
        return secret(env=self.password_env, file=self.password_file)


NEEDS = {
    "documents": (("path",),),
    "feed": (("url",),),
    "pages": (("url", "urls"),),
    "mail": (("path", "imap"),),
}
"""For each kind of source, one of each of these keys."""


SUMMARY = 300
"""Characters that are shown of the copy of others."""


class SourceSettings(Section):
    """[[sources]]: a folder of files, a feed, pages, or a mailbox (a maildir or mbox, or IMAP)."""

    name: Key
    kind: Literal["documents", "feed", "pages", "mail"] = "documents"
    title: OneLine | None = None
    path: Place | None = None
    pattern: NamePattern = "**/*"
    size_limit_mib: Annotated[float, Field(gt=0, le=100)] = 5.0
    archive: bool = False
    url: SourceUrl | None = None
    urls: tuple[SourceUrl, ...] = ()
    follow: OneLine | None = None
    full_text: bool = False
    recipe: Recipe = Recipe()
    language: LanguageCode | None = None
    backlog: Annotated[int, Field(ge=0, le=10_000)] = 20
    every_minutes: Minutes | None = None
    pause_seconds: Annotated[float, Field(ge=0, le=3600)] = 1.0
    allow_private: bool = False
    imap: ImapSettings | None = None
    senders: tuple[OneLine, ...] = ()
    publish: Literal["full", "summary", "link"] | None = None
    credit: OneLine | None = None
    pictures: bool = True

    @model_validator(mode="after")
    def _has_its_keys(self) -> Self:
        for keys in NEEDS[self.kind]:
            if not any(getattr(self, key) for key in keys):
                raise ValueError(f'kind = "{self.kind}" needs {" or ".join(keys)}')
        return self

    @property
    def folder(self) -> Path:
        """The folder of a source of documents."""
        assert self.path is not None, "NEEDS demands it"  # noqa: S101
        return self.path

    @property
    def is_online(self) -> bool:
        """Whether it is asked over the network, or is a mailbox: what it brings arrives once."""
        return self.kind != "documents"

    @property
    def shows(self) -> str:
        """What readers get of its articles: "full", "summary" or "link". Others' copy is a summary."""
        return self.publish or ("summary" if self.kind in ("feed", "pages") else "full")

    @property
    def shows_pictures(self) -> bool:
        return self.pictures and self.shows != "link"


class FeedSettings(Section):
    """[feeds]"""

    path: Place = Path("feeds")
    entries: Annotated[int, Field(ge=1, le=500)] = 50
    content: Literal["full", "summary"] = "full"
    hub: HubUrl | None = None


class DigestConfig(Section):
    """[[digests]]: a mailing with its schedule, themes and languages."""

    name: Key
    title: Annotated[dict[LanguageCode, OneLine], Filled]
    schedule: RepeatRule = "0 8 * * mon"
    every: Every = "1 week"
    time_zone: Zone | None = None
    since: Instant | None = None
    themes: tuple[Key, ...] = ()
    languages: tuple[LanguageCode, ...] = ()
    per_theme: Annotated[int, Field(ge=1, le=100)] = 10
    empty: Literal["skip", "send"] = "skip"
    max_lateness_hours: Hours = 24.0
    approval: bool = False
    second_person: bool = False
    approve_within_hours: Hours = 12.0


class DkimSettings(Section):
    """[mail.dkim]: this program signs instead of the relay; needs the extra `dkim`."""

    rsa_key_file: Place
    rsa_selector: OneLine
    ed25519_key_file: Place | None = None
    ed25519_selector: OneLine | None = None

    @model_validator(mode="after")
    def _pairs(self) -> Self:
        if (self.ed25519_key_file is None) != (self.ed25519_selector is None):
            raise ValueError("ed25519_key_file and ed25519_selector need each other")
        return self


class MailSettings(TransportSettings):
    """[mail]: who sends, and how."""

    from_name: OneLine | None = None
    from_address: Address
    reply_to: Address | None = None
    unsubscribe_address: Address
    budget_kb: Annotated[int, Field(ge=10, le=1000)] = 100
    dkim: DkimSettings | None = None


class Settings(Section):
    """The whole of config.toml. `path` is the file itself."""

    path: Path
    site: SiteSettings
    store: StoreSettings = StoreSettings()
    sources: Annotated[tuple[SourceSettings, ...], Filled]
    themes: Annotated[tuple[ThemeSettings, ...], Filled]
    feeds: FeedSettings = FeedSettings()
    digests: Annotated[tuple[DigestConfig, ...], Filled]
    mail: MailSettings
    web: WebSettings = WebSettings()
    readers: ReaderSettings = ReaderSettings()
    desk: DeskSettings = DeskSettings()
    service: ServiceSettings = ServiceSettings()
    prune: PruneSettings = PruneSettings()
    alarms: AlarmSettings = AlarmSettings()
    report: ReportSettings = ReportSettings()

    @property
    def theme_names(self) -> dict[str, ThemeName]:
        """Every theme by its key in the order of config.toml, OTHER last, with its colours."""
        spare = iter(SPARE * len(self.themes))
        names: dict[str, ThemeName] = {}
        for theme in self.themes:
            light, dark = PALETTE.get(theme.name) or next(spare)
            names[theme.name] = ThemeName(
                theme.name, theme.title, theme.colour or light, theme.colour_dark or dark
            )
        other = {"en": "Other news", "ru": "Другие новости"}
        names[OTHER] = ThemeName(OTHER, other, *PALETTE[OTHER])
        return names

    def theme_name(self, key: str) -> ThemeName:
        """The theme of that key; a theme that config.toml no longer has is named by its key."""
        return self.theme_names.get(key) or ThemeName(key)

    @property
    def theme_keys(self) -> tuple[str, ...]:
        """Keys of the themes in the order of config.toml, without OTHER."""
        return tuple(theme.name for theme in self.themes)

    @property
    def feeds_url(self) -> str:
        """The URL of the folder feeds/, without a slash at the end."""
        return self.web.feeds_url or f"{self.site.base_url}/feeds"

    @property
    def pages_url(self) -> str | None:
        """Where others find the site's pages, without a slash at the end; None without a site for them."""
        return self.web.public_url if self.web.site else None

    @property
    def page_languages(self) -> tuple[str, ...]:
        """The languages of the site's pages: those of [site] that have a wording."""
        return tuple(one for one in self.site.languages if one in WORDED) or WORDED[:1]

    @cached_property
    def sources_by_name(self) -> dict[str, SourceSettings]:
        return {source.name: source for source in self.sources}

    def with_sources(self, added: Sequence[SourceSettings]) -> Self:
        """The same with further sources."""
        copied = self.model_copy(update={"sources": (*self.sources, *added)})
        copied.__dict__.pop("sources_by_name", None)  # what was cached of the other is copied, too
        return copied

    def source_title(self, name: str) -> str:
        """The source as readers see it: its title, else its name."""
        source = self.sources_by_name.get(name)
        return source.title or name if source else name

    def as_shown(self, article: Article) -> Article:
        """The article with as much of it as its source lets readers see. What came from a source that is
        gone is a summary if it has an address of its own."""
        source = self.sources_by_name.get(article.source)
        shows = source.shows if source else "summary" if article.url else "full"
        if article.withdrawn_at is not None or shows == "full":
            return article
        lead = cut(" ".join(article.lead.split()), SUMMARY) if shows == "summary" else ""
        html = f"<p>{escape(lead)}</p>" if lead else ""
        return replace(article, lead=lead, text=lead, content_html=html, complete=False)

    def picture(self, article: Article) -> Picture | None:
        """The picture of an article, where its source lets readers see it."""
        source = self.sources_by_name.get(article.source)
        may_show = source is not None and source.shows_pictures and article.withdrawn_at is None
        return article.picture if may_show else None

    def credit(self, article: Article) -> str:
        """The line that its source wants below an article; "" for none."""
        source = self.sources_by_name.get(article.source)
        return (source and source.credit) or ""

    def digest(self, name: str) -> DigestConfig | None:
        return next((digest for digest in self.digests if digest.name == name), None)

    def digest_themes(self, digest: DigestConfig) -> tuple[str, ...]:
        """The themes of a digest, in the order of config.toml, OTHER last."""
        chosen = digest.themes or (*self.theme_keys, OTHER)
        return tuple(key for key in (*self.theme_keys, OTHER) if key in chosen)

    def digest_languages(self, digest: DigestConfig) -> tuple[str, ...]:
        return tuple(digest.languages or self.site.languages)

    def digest_zone(self, digest: DigestConfig) -> str:
        return digest.time_zone or self.site.time_zone

    def digest_rule(self, digest: DigestConfig) -> Rule:
        """When editions close; the weeks of `every` are counted from the first time after `since`."""
        start, zone = digest.since, ZoneInfo(self.digest_zone(digest))
        wall = None if start is None else start.astimezone(zone).replace(tzinfo=None)
        return parse_rule(digest.schedule).every(int(digest.every.split()[0]), wall)

    @property
    def report_zone(self) -> str:
        """The zone of the report to the editors."""
        return self.report.time_zone or self.site.time_zone
