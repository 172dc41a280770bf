"""Every setting of config.toml as a type. Units stand in the names; paths are absolute after loading."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from digest.config.base import (
    Address,
    Colour,
    Instant,
    Key,
    LanguageCode,
    LinkUrl,
    OneLine,
    RepeatRule,
    Section,
    WebUrl,
    Zone,
    contrast,
)
from digest.config.themes import PALETTE, SPARE, ThemeSettings
from digest.model import OTHER, ThemeName

PAPER_LIGHT = "#faf8f4"
PAPER_DARK = "#16191c"
LOWEST_CONTRAST = 4.5


class SiteSettings(Section):
    """[site]"""

    title: OneLine
    base_url: WebUrl
    author: OneLine
    contact: Address
    postal_address: OneLine
    languages: Annotated[tuple[LanguageCode, ...], Field(min_length=1)] = ("en", "ru")
    time_zone: Zone = "UTC"


class StoreSettings(Section):
    """[store]"""

    path: Path = Path("digest.db")
    busy_timeout_seconds: Annotated[float, Field(gt=0, le=600)] = 15.0


class SourceSettings(Section):
    """[[sources]]"""

    name: Key
    kind: Literal["documents"] = "documents"
    title: OneLine | None = None
    path: Path
    pattern: OneLine = "*.txt"
    size_limit_mib: Annotated[float, Field(gt=0, le=100)] = 5.0
    archive: bool = False


class FeedSettings(Section):
    """[feeds]"""

    path: Path = Path("feeds")
    entries: Annotated[int, Field(ge=1, le=1000)] = 50
    content: Literal["full", "summary"] = "full"


class DigestConfig(Section):
    """[[digests]]: a mailing with its schedule, themes and languages."""

    name: Key
    title: dict[LanguageCode, OneLine]
    schedule: RepeatRule = "0 8 * * mon"
    time_zone: Zone | None = None
    since: Instant | None = None
    themes: tuple[Key, ...] = ()
    languages: tuple[LanguageCode, ...] = ()
    per_theme: Annotated[int, Field(ge=1, le=100)] = 10
    empty: Literal["skip", "send"] = "skip"
    max_lateness_hours: Annotated[float, Field(gt=0)] = 24.0


class MailSettings(Section):
    """[mail]"""

    from_name: OneLine | None = None
    from_address: Address
    reply_to: Address | None = None
    unsubscribe_address: Address
    budget_kb: Annotated[int, Field(ge=10, le=1000)] = 100


class WebSettings(Section):
    """[web]"""

    feeds_url: WebUrl | None = None
    preferences_url: LinkUrl | None = None
    templates: Path | None = None


class Settings(Section):
    """The whole of config.toml. `path` is the file itself."""

    path: Path
    site: SiteSettings
    store: StoreSettings = StoreSettings()
    sources: Annotated[list[SourceSettings], Field(min_length=1)]
    themes: Annotated[list[ThemeSettings], Field(min_length=1)]
    feeds: FeedSettings = FeedSettings()
    digests: Annotated[list[DigestConfig], Field(min_length=1)]
    mail: MailSettings
    web: WebSettings = WebSettings()

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


def combined_faults(settings: Settings) -> list[str]:
    """Faults that show only when the parts are held against each other, one line each."""
    faults: list[str] = []
    for table, names in (
        ("sources", [source.name for source in settings.sources]),
        ("themes", [theme.name for theme in settings.themes]),
        ("digests", [digest.name for digest in settings.digests]),
    ):
        faults += [
            f"{table}: found the name {name!r} twice; each name is allowed once"
            for name in sorted({name for name in names if names.count(name) > 1})
        ]
    known = [*settings.theme_keys, OTHER]
    for i, digest in enumerate(settings.digests, 1):
        for key, found, allowed in (
            ("themes", digest.themes, tuple(known)),
            ("languages", digest.languages, settings.site.languages),
        ):
            faults += [
                f"digests[{i}].{key}: found {name!r}; allowed are {', '.join(allowed)}"
                for name in found
                if name not in allowed
            ]
    for i, theme in enumerate(settings.themes, 1):
        faults += _colour_faults(f"themes[{i}].colour", theme.colour, PAPER_LIGHT)
        faults += _colour_faults(f"themes[{i}].colour_dark", theme.colour_dark, PAPER_DARK)
    return faults


def _colour_faults(key: str, colour: Colour | None, paper: str) -> list[str]:
    if colour is None or (ratio := contrast(colour, paper)) >= LOWEST_CONTRAST:
        return []
    return [
        f"{key}: found {colour!r}, whose contrast on {paper} is {ratio:.1f} : 1; "
        f"allowed is at least {LOWEST_CONTRAST} : 1"
    ]
