"""Every setting of config.toml as a type. Units stand in the names; paths are absolute after loading."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from digest.config.alarms import AlarmSettings, DeskSettings
from digest.config.base import (
    Address,
    Filled,
    Instant,
    Key,
    LanguageCode,
    NamePattern,
    OneLine,
    Place,
    RepeatRule,
    Section,
    WebUrl,
    Zone,
)
from digest.config.service import KeepingSettings, ServiceSettings, WebSettings
from digest.config.themes import PALETTE, SPARE, ThemeSettings
from digest.config.transport import TransportSettings
from digest.model import OTHER, ThemeName


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


class SourceSettings(Section):
    """[[sources]]"""

    name: Key
    kind: Literal["documents"] = "documents"
    title: OneLine | None = None
    path: Place
    pattern: NamePattern = "*.txt"
    size_limit_mib: Annotated[float, Field(gt=0, le=100)] = 5.0
    archive: bool = False


class FeedSettings(Section):
    """[feeds]"""

    path: Place = Path("feeds")
    entries: Annotated[int, Field(ge=1, le=1000)] = 50
    content: Literal["full", "summary"] = "full"


class DigestConfig(Section):
    """[[digests]]: a mailing with its schedule, themes and languages."""

    name: Key
    title: Annotated[dict[LanguageCode, OneLine], Filled]
    schedule: RepeatRule = "0 8 * * mon"
    time_zone: Zone | None = None
    since: Instant | None = None
    themes: tuple[Key, ...] = ()
    languages: tuple[LanguageCode, ...] = ()
    per_theme: Annotated[int, Field(ge=1, le=100)] = 10
    empty: Literal["skip", "send"] = "skip"
    max_lateness_hours: Annotated[float, Field(gt=0, le=8784)] = 24.0


class DkimSettings(Section):
    """[mail.dkim]: signs in this program instead of the relay; needs the extra `dkim`."""

    rsa_key_file: Place
    rsa_selector: OneLine
    ed25519_key_file: Place | None = None
    ed25519_selector: OneLine | None = None

    @model_validator(mode="after")
    def _pairs(self) -> Self:
        if (self.ed25519_key_file is None) != (self.ed25519_selector is None):
            raise ValueError(
                "allowed are ed25519_key_file and ed25519_selector together, or neither"
            )
        return self


class MailSettings(TransportSettings):
    """[mail]: who sends, and how messages leave."""

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
    service: ServiceSettings = ServiceSettings()
    keeping: KeepingSettings = KeepingSettings()
    alarms: AlarmSettings = AlarmSettings()
    desk: DeskSettings = DeskSettings()

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
        """The theme of that key; one that config.toml no longer has goes by its key."""
        return self.theme_names.get(key) or ThemeName(key)

    @property
    def theme_keys(self) -> tuple[str, ...]:
        """Keys of the themes in the order of config.toml, without OTHER."""
        return tuple(theme.name for theme in self.themes)

    @property
    def feeds_url(self) -> str:
        """Where the folder feeds/ is served, without a slash at the end."""
        return self.web.feeds_url or f"{self.site.base_url}/feeds"

    def source_title(self, name: str) -> str:
        """What readers see as the source: its title, else its name."""
        return next((s.title or s.name for s in self.sources if s.name == name), name)

    def digest(self, name: str) -> DigestConfig | None:
        return next((digest for digest in self.digests if digest.name == name), None)

    def digest_themes(self, digest: DigestConfig) -> tuple[str, ...]:
        """The themes that a digest carries, in the order of config.toml, OTHER last."""
        chosen = digest.themes or (*self.theme_keys, OTHER)
        return tuple(key for key in (*self.theme_keys, OTHER) if key in chosen)

    def digest_languages(self, digest: DigestConfig) -> tuple[str, ...]:
        return tuple(digest.languages or self.site.languages)

    def digest_zone(self, digest: DigestConfig) -> str:
        return digest.time_zone or self.site.time_zone

    @property
    def desk_zone(self) -> str:
        """The zone of the mail to the editors."""
        return self.desk.time_zone or self.site.time_zone
