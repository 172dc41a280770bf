"""The kinds of value that config.toml holds, each with the words that say what is allowed."""

import os
import re
from collections.abc import Collection
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, TypeVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, Strict

from digest.config.rules import parse_rule
from digest.errors import NotReadyError
from digest.model import OTHER

C = TypeVar("C", bound=Collection[object])

YEARS = range(1900, 3000)
"""A moment of config.toml lies in one of them."""
LANGUAGES = ("en", "ru", "tk")
"""Languages that the product can tell apart. Mail and pages are set in English and Russian."""


PLAIN_ADDRESS = re.compile(
    r"[a-z0-9]+([._-][a-z0-9]+)*@([a-z0-9]+(-[a-z0-9]+)*\.)+"
    r"(?!(arpa|invalid|local|localhost|onion)$)[a-z]{2,}"
)
"""Addresses that no check refuses or changes: one in small Latin letters at a public name."""


class Section(BaseModel):
    """A table of config.toml: unknown keys are faults, and nothing changes after loading."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, defer_build=True
    )


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        known = "a name of the IANA time zone database, such as Asia/Ashgabat"
        near = get_close_matches(value, sorted(available_timezones()), n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ValueError(f"allowed is {known}{hint}") from None
    return value


def _web_url(value: str) -> str:
    try:
        parts = urlsplit(value)
        usable = parts.scheme in {"http", "https"} and parts.hostname and not parts.username
    except ValueError:
        usable = False
    if not usable or not re.fullmatch(r"[!-~]+", value):
        raise ValueError(
            "allowed is an absolute http or https URL, such as https://news.example.org"
        )
    if parts.query or parts.fragment:
        raise ValueError("allowed is a URL without ? and #")
    return value.rstrip("/")


def _link_url(value: str) -> str:
    if not re.fullmatch(r"(https?://|mailto:)[!-~]+", value):
        raise ValueError("allowed is an http, https or mailto URL")
    return value


def _address(value: str) -> str:
    # The library loads for longer than all settings are read in, and has nothing to say of these.
    if len(value) <= 64 and PLAIN_ADDRESS.fullmatch(value):
        return value
    from email_validator import EmailNotValidError, validate_email

    try:
        return validate_email(value, check_deliverability=False, test_environment=True).normalized
    except EmailNotValidError as e:
        raise ValueError(f"allowed is an e-mail address: {e}") from None


def _colour(value: str) -> str:
    if not re.fullmatch(r"#[0-9a-fA-F]{6}", value):
        raise ValueError("allowed is a colour as #rrggbb")
    return value.lower()


def _key(value: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,39}", value):
        raise ValueError("allowed are a-z, 0-9 and -, at most 40 signs, not - first")
    return value


def _theme_key(value: str) -> str:
    if value == OTHER:
        raise ValueError(
            f"allowed is any name but {OTHER!r}, which is kept for news without a theme"
        )
    if value in {"all", *LANGUAGES}:
        raise ValueError(
            f"allowed is any name but {value!r}, which is kept for the feed of that name"
        )
    return value


def _language(value: str) -> str:
    if value not in LANGUAGES:
        raise ValueError(f"allowed are {', '.join(LANGUAGES)}")
    return value


def _rule(value: str) -> str:
    return parse_rule(value).text


def _instant(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError(f"allowed is a time with its offset, such as {value.isoformat()}Z")
    if value.year not in YEARS:  # near the calendar's ends other zones have no such time
        raise ValueError(f"allowed are the years {YEARS[0]} to {YEARS[-1]}")
    return value.astimezone(UTC)


def _place(value: Path) -> Path:
    try:
        value.expanduser()
    except RuntimeError:
        raise ValueError(
            f"allowed after ~ is a user with a home on this machine; {value.parts[0]} is none"
        ) from None
    if "\0" in str(value):
        raise ValueError("allowed is a path without NUL")
    return value


def _one_line(value: str) -> str:
    if not value.strip() or any(ord(sign) < 32 for sign in value):
        raise ValueError("allowed is one line of text, not empty")
    return value.strip()


def _pattern(value: str) -> str:
    if value.startswith("/") or "\\" in value or ".." in value.split("/"):
        raise ValueError(
            'allowed is a pattern of names within the folder, such as *.txt, without "..", a "\\" or '
            'a "/" in front'
        )
    return value


def _filled(value: C) -> C:
    if not value:
        raise ValueError("allowed is at least one entry")
    return value


Zone = Annotated[str, AfterValidator(_zone)]
WebUrl = Annotated[str, AfterValidator(_web_url)]
LinkUrl = Annotated[str, AfterValidator(_link_url)]
Address = Annotated[str, AfterValidator(_address)]
Colour = Annotated[str, AfterValidator(_colour)]
Key = Annotated[str, AfterValidator(_key)]
ThemeKey = Annotated[Key, AfterValidator(_theme_key)]
LanguageCode = Annotated[str, AfterValidator(_language)]
RepeatRule = Annotated[str, AfterValidator(_rule)]
Instant = Annotated[datetime, Strict(), AfterValidator(_instant)]
OneLine = Annotated[str, AfterValidator(_one_line)]
Place = Annotated[Path, AfterValidator(_place)]
"""A file or folder. Paths of config.toml are of this type."""
Minutes = Annotated[float, Field(ge=0.01, le=1440)]
"""Between two runs of something: neither none, nor so short that the service does nothing else."""
NamePattern = Annotated[OneLine, AfterValidator(_pattern)]
Filled = AfterValidator(_filled)
"""At least one entry. pydantic's own `min_length` would also count faulty entries as missing."""


def contrast(one: str, other: str) -> float:
    """WCAG 2 contrast ratio of two #rrggbb colours, from 1.0 to 21.0."""

    def luminance(colour: str) -> float:
        parts = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def secret(*, env: str | None, file: Path | None) -> str | None:
    """The secret from the environment variable or the file that a key names; None if unset.

    Raises:
        NotReadyError: the file is there, but not for this user to read, or is no text.
    """
    if env is not None and (value := os.environ.get(env)):
        return value
    try:
        if file is not None and file.is_file():
            return file.read_text(encoding="utf-8").strip() or None
    except OSError as e:
        raise NotReadyError(
            f"{file}: the secret in it cannot be read: {e.strerror}. Let the user of this program "
            "read the file."
        ) from e
    except UnicodeDecodeError as e:
        raise NotReadyError(f"{file}: the secret in it is not UTF-8 text. Save it as such.") from e
    return None
