"""Valid objects for tests: each call overrides only what its test is about."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from digest.config.settings import Settings, TermLists, ThemeSettings
from digest.model import Article, DateSource, Entry, KnownDate, Match, Sibling

SEEN_AT = datetime(2026, 11, 16, 6, 30, tzinfo=UTC)
MADE_AT = datetime(2026, 11, 1, 8, 0, tzinfo=UTC)
"""When the store of a test was made."""
STATED = KnownDate(date(2023, 4, 4), DateSource.STATED, "4 April 2023")


def make_match(theme: str = "drugs", **overrides: Any) -> Match:
    values: dict[str, Any] = {"score": 4.0, "threshold": 2.0, "by": "lexicon"}
    return Match(theme, **({**values, "lexicon_version": "1"} | overrides))


def _copy(text: str = "The parties met in Ashgabat.\n\nThey agreed on a plan.") -> dict[str, Any]:
    """What an article and its entry share; the HTML follows from `text`."""
    return {
        "title_made": False,
        "language": "en",
        "lead": text.split("\n\n")[0],
        "text": text,
        "content_html": "\n".join(f"<p>{part}</p>" for part in text.split("\n\n")),
        "complete": True,
        "published": STATED,
    }


def make_theme(
    name: str, *languages: str, lexicon: str = "own", threshold: float | None = None, **lists: Any
) -> ThemeSettings:
    """A theme with the same terms in each language, in English if none is given."""
    terms = {language: TermLists(**lists) for language in languages or ("en",) if lists}
    return ThemeSettings.model_validate(
        {
            "name": name,
            "title": {"en": name},
            "lexicon": lexicon,
            "threshold": threshold,
            "terms": terms,
        }
    )


def make_article(**overrides: Any) -> Article:
    """A complete English article on drugs; its ids follow from `id`, its HTML from `text`."""
    number = overrides.get("id", 1)
    values: dict[str, Any] = {
        "id": number,
        "atom_id": f"urn:uuid:00000000-0000-5000-8000-{number:012d}",
        "version": 1,
        "source": "wire",
        "document": f"{number:03d}.txt",
        "title": f"Meeting {number} at the Foreign Ministry",
        "first_seen_at": SEEN_AT,
        "updated_at": overrides.get("withdrawn_at", SEEN_AT),
        "matches": (make_match(),),
        **(_copy(overrides["text"]) if "text" in overrides else _copy()),
    }
    return Article(**(values | overrides))


def make_entry(**overrides: Any) -> Entry:
    """The entry of `make_article`."""
    values: dict[str, Any] = {
        "document": "001.txt",
        "line": 1,
        "title": "Meeting at the Foreign Ministry",
        **(_copy(overrides["text"]) if "text" in overrides else _copy()),
    }
    return Entry(**(values | overrides))


def make_sibling(**overrides: Any) -> Sibling:
    """A Russian version on a page of our own; its Atom id follows from `id`."""
    number = overrides.get("id", 2)
    values: dict[str, Any] = {
        "id": number,
        "atom_id": f"urn:uuid:00000000-0000-5000-8000-{number:012d}",
        "title": "Встреча в Министерстве иностранных дел",
        "language": "ru",
        "source": "wire",
    }
    return Sibling(**(values | overrides))


def make_settings(folder: Path = Path("/newsroom"), **overrides: Any) -> Settings:
    """Settings whose files are in `folder`. A table overrides keys of its section; `sources`, `themes`
    and `digests` are replaced."""
    values: dict[str, Any] = {
        "path": folder / "config.toml",
        "site": {
            "title": "Ashgabat Desk",
            "base_url": "https://news.example.org",
            "author": "Ashgabat Desk",
            "contact": "desk@news.example.org",
            "postal_address": "1 Garashsyzlyk Street, Ashgabat",
            "languages": ["en", "ru"],
            "time_zone": "Asia/Ashgabat",
        },
        "store": {"path": folder / "digest.db"},
        "sources": [{"name": "wire", "title": "Wire copy", "path": folder / "wire"}],
        "themes": [
            {"name": "drugs", "title": {"en": "Drugs", "ru": "Наркотики"}},
            {"name": "youth", "title": {"en": "Youth", "ru": "Молодёжь"}},
        ],
        "feeds": {"path": folder / "feeds"},
        "digests": [{"name": "weekly", "title": {"en": "The week", "ru": "Неделя"}}],
        "mail": {
            "from_address": "digest@news.example.org",
            "unsubscribe_address": "leave@news.example.org",
        },
        "web": {},
    }
    for key, given in overrides.items():
        default = values.get(key)
        values[key] = default | given if isinstance(default, dict) else given
    return Settings.model_validate(values)
