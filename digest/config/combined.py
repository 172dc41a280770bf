"""Faults of config.toml that show only when its parts are held against each other.

They are looked for in the file as it was read, whole or faulty, so that they can be told together
with the faults of single values. What is not of the right type is passed over: it has its own fault.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from digest.config.base import LANGUAGES, contrast
from digest.config.places import misplaced
from digest.config.settings import SiteSettings
from digest.model import OTHER

PAPER_LIGHT = "#faf8f4"
PAPER_DARK = "#16191c"
LOWEST_CONTRAST = 4.5


def combined_faults(found: Mapping[str, Any], config: Path) -> list[str]:
    """One line for each fault of the file `config`, kind by kind."""
    return [
        *_repeated_names(found),
        *_unreadable_colours(found),
        *_unknown_choices(found),
        *misplaced(found, config),
    ]


def _repeated_names(found: Mapping[str, Any]) -> Iterator[str]:
    for table in ("sources", "themes", "digests"):
        seen: dict[str, int] = {}
        for i, entry in _tables(found, table):
            name = entry.get("name")
            if isinstance(name, str) and name in seen:
                yield f"{table}[{i}].name: found {name!r}, as in {table}[{seen[name]}]; each name is allowed once"
            elif isinstance(name, str):
                seen[name] = i


def _unreadable_colours(found: Mapping[str, Any]) -> Iterator[str]:
    for i, theme in _tables(found, "themes"):
        for key, paper in (("colour", PAPER_LIGHT), ("colour_dark", PAPER_DARK)):
            colour = theme.get(key)
            if not isinstance(colour, str) or not re.fullmatch(r"#[0-9a-fA-F]{6}", colour):
                continue
            if (ratio := contrast(colour, paper)) < LOWEST_CONTRAST:
                yield (
                    f"themes[{i}].{key}: found {colour!r}, whose contrast on {paper} is "
                    f"{ratio:.1f} : 1; allowed is at least {LOWEST_CONTRAST} : 1"
                )


def _unknown_choices(found: Mapping[str, Any]) -> Iterator[str]:
    names = [theme.get("name") for _, theme in _tables(found, "themes")]
    themes = list(dict.fromkeys([*(name for name in names if isinstance(name, str)), OTHER]))
    site = found.get("site")
    chosen = site.get("languages") if isinstance(site, dict) else None
    languages = _strings(chosen) or SiteSettings.model_fields["languages"].default
    for i, digest in _tables(found, "digests"):
        for theme in _strings(digest.get("themes")):
            if theme not in themes:
                yield f"digests[{i}].themes: found {theme!r}; allowed are {', '.join(themes)}"
        for language in _strings(digest.get("languages")):
            if language in LANGUAGES and language not in languages:
                yield (
                    f"digests[{i}].languages: found {language!r}; "
                    f"allowed are the site's, {', '.join(languages)}"
                )


def _tables(found: Mapping[str, Any], key: str) -> Iterator[tuple[int, dict[str, Any]]]:
    entries = found.get(key)
    for i, entry in enumerate(entries if isinstance(entries, list) else [], 1):
        if isinstance(entry, dict):
            yield i, entry


def _strings(value: Any) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []
