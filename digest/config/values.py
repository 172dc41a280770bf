"""The kinds of value in config.toml, each with a message that says what it must be."""

import ipaddress
import os
import re
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, TypeVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, Strict

from digest.errors import NotReadyError
from digest.language.words import LANGUAGES
from digest.model import OTHER

_NUMBER = r"\*(/\d+)?|\d+(-\d+)?(/\d+)?"
_MONTHS = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
_WEEKDAYS = "mon|tue|wed|thu|fri|sat|sun"

_FIELDS = (
    ("minute", _NUMBER, "0 to 59"),
    ("hour", _NUMBER, "0 to 23"),
    ("day", rf"{_NUMBER}|last", "1 to 31, or last"),
    ("month", rf"{_NUMBER}|({_MONTHS})(-({_MONTHS}))?", "1 to 12, or jan to dec"),
    ("weekday", rf"\*|({_WEEKDAYS})(-({_WEEKDAYS}))?", "mon to sun, without digits"),
)


@dataclass(frozen=True, slots=True)
class Rule:
    """A checked rule. `text` is the rule in small letters with single spaces.

    Only every so many `weeks` from Monday to Sunday have its times; `phase` says which of them, counted
    from the year 1.
    """

    text: str
    _trigger: Any = field(repr=False, compare=False)
    weeks: int = 1
    phase: int = 0

    def every(self, weeks: int, start: datetime | None = None) -> "Rule":
        """This rule in only every so many weeks, one of which has its first time after `start`."""
        phase = week_of(self.after(start)) % weeks if start is not None else 0
        return replace(self, weeks=weeks, phase=phase)

    def after(self, wall: datetime) -> datetime:
        """The first time of the rule after `wall`; both are naive wall-clock times.

        No rule has a time before 1970.
        """
        time = self._after(wall)
        if time is None:  # only at the end of the calendar
            raise OverflowError(f"{self.text!r} has no time after {wall}")
        return time

    def before(self, wall: datetime) -> datetime | None:
        """The last time of the rule before `wall`; None where that would be before 1970."""
        start, end, span = wall, wall, timedelta(hours=1)
        while not self._has_one_between(start, wall):
            if start.year < 1970:
                return None
            start, end, span = start - span, start, span * 2
        # Later times than `time` are until `end`: look in the half that has one.
        time = self.after(start)
        while self._has_one_between(time, wall):
            middle = time + (end - time) / 2
            if self._has_one_between(middle, wall):
                time = self.after(middle)
            else:
                end = middle
        return time

    def _has_one_between(self, start: datetime, end: datetime) -> bool:
        time = self._after(start)
        return time is not None and time < end

    def _after(self, wall: datetime) -> datetime | None:
        # Taken as UTC, so that the fields match whatever summer time does.
        moment = wall.replace(tzinfo=UTC) + timedelta(microseconds=1)
        while True:
            time = self._trigger.get_next_fire_time(None, moment)
            if time is None or week_of(time) % self.weeks == self.phase:
                return None if time is None else time.replace(tzinfo=None)
            monday = time.replace(hour=0, minute=0) - timedelta(days=time.weekday())
            moment = monday + timedelta(weeks=(self.phase - week_of(time)) % self.weeks)


def week_of(day: datetime) -> int:
    """The weeks from Monday to Sunday since the year 1; that began with a Monday."""
    return (day.toordinal() - 1) // 7


@lru_cache(maxsize=64)
def parse_rule(rule: str) -> Rule:
    """A cron rule such as "0 8 * * mon", checked: minute, hour, day of the month, month, weekday.

    Lists (mon,thu), ranges (mon-fri, 1-7) and steps (*/15) are allowed, months by number or name,
    "last" as the last day of a month.

    Raises:
        ValueError: what it must be and what was found. Also for a weekday in digits, which some
            programs count from Sunday and others from Monday; for a day of the month together with a
            weekday, which some read as "and" and others as "or"; and for a day that never comes.
    """
    from apscheduler.triggers.cron import CronTrigger

    fields = rule.lower().split()
    if len(fields) != len(_FIELDS):
        shape = "five fields (minute hour day month weekday), such as 0 8 * * mon"
        raise ValueError(f"must be {shape}, not {len(fields)} fields")
    for (name, pattern, allowed), value in zip(_FIELDS, fields, strict=True):
        try:
            if not all(re.fullmatch(pattern, part) for part in value.split(",")):
                raise ValueError(value)
            key = "day_of_week" if name == "weekday" else name
            CronTrigger(**{key: value}, timezone=UTC)
        except ValueError:
            raise ValueError(f"the {name} must be {allowed}, not {value!r}") from None
    _, _, day, _, weekday = fields
    if day != "*" and weekday != "*":
        raise ValueError(
            "must have a day of the month or a weekday, with * for the other, "
            f"not {day!r} and {weekday!r}"
        )
    text = " ".join(fields)
    checked = Rule(text, CronTrigger.from_crontab(text, timezone=UTC))
    if checked._after(datetime.fromisoformat("2000-01-01")) is None:
        raise ValueError(f"must be a day that the calendar has, not {text!r}")
    return checked


C = TypeVar("C", bound=Collection[object])
YEARS = range(1900, 3000)
"""The years that a moment in config.toml may be in."""

PLAIN_ADDRESS = re.compile(
    r"[a-z0-9]+([._-][a-z0-9]+)*@([a-z0-9]+(-[a-z0-9]+)*\.)+"
    r"(?!(arpa|invalid|local|localhost|onion)$)[a-z]{2,}"
)
"""Addresses that need no further check: in small Latin letters, at a public name."""


class Section(BaseModel):
    """A table of config.toml: unknown keys are faults, and nothing changes after loading."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, defer_build=True
    )


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        near = get_close_matches(value, sorted(available_timezones()), n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ValueError(
            f"must be a name of the IANA time zone database, such as Asia/Ashgabat{hint}"
        ) from None
    return value


def _source_url(value: str) -> str:
    try:
        parts = urlsplit(value)
        usable = parts.scheme in {"http", "https"} and parts.hostname and "@" not in parts.netloc
    except ValueError:
        usable = False
    if not usable or not re.fullmatch(r"[!-~]+", value):
        raise ValueError("must be an absolute http or https URL, such as https://news.example.org")
    return value


def _web_url(value: str) -> str:
    parts = urlsplit(_source_url(value))
    if parts.query or parts.fragment:
        raise ValueError("must be a URL without ? and #")
    return value


def _public_url(value: str) -> str:
    """Mail programs post only to https (RFC 8058 §3.1)."""
    parts = urlsplit(value)
    if parts.scheme != "https" and not is_loopback(parts.hostname or ""):
        raise ValueError("must begin with https://, as mail programs use no other")
    return value


def is_loopback(host: str) -> bool:
    """Whether this name or IP address means this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _address(value: str) -> str:
    # Loading the library takes longer than reading all settings.
    if len(value) <= 64 and PLAIN_ADDRESS.fullmatch(value):
        return value
    from email_validator import EmailNotValidError, validate_email

    try:
        valid = validate_email(value, check_deliverability=False, test_environment=True)
    except EmailNotValidError as e:
        raise ValueError(f"must be an e-mail address: {e}") from None
    if valid.ascii_email is None:  # RFC 6531, which not every mail server speaks
        raise ValueError("must be an e-mail address whose part before the @ is ASCII")
    return valid.normalized


def _matching(pattern: str, allowed: str) -> AfterValidator:
    def check(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise ValueError(f"must be {allowed}")
        return value

    return AfterValidator(check)


def _theme_key(value: str) -> str:
    if value == OTHER:
        raise ValueError("is reserved for news without a theme; choose another name")
    if value in {"all", "corrections", *LANGUAGES}:
        raise ValueError("is reserved for the feed of that name; choose another name")
    return value


def _instant(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError(f"must be a time with its offset, such as {value.isoformat()}Z")
    if value.year not in YEARS:  # near the ends of the calendar other zones have no such time
        raise ValueError(f"must be in the years {YEARS[0]} to {YEARS[-1]}")
    return value.astimezone(UTC)


_UNCLEAN = re.compile(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""What `language.text.foreign` removes, refused in what an operator writes."""


def _place(value: Path) -> Path:
    try:
        value.expanduser()
    except RuntimeError:
        raise ValueError(f"no user {value.parts[0][1:]} has a home on this machine") from None
    if _UNCLEAN.search(str(value)):
        raise ValueError("must be a path without control characters")
    return value


def _one_line(value: str) -> str:
    if not value.strip() or _UNCLEAN.search(value):
        raise ValueError("must be one line of text without control characters, not empty")
    return value.strip()


def _selector(value: str) -> str:
    from cssselect import HTMLTranslator, SelectorError

    try:
        HTMLTranslator().css_to_xpath(value)
    except SelectorError:
        raise ValueError("must be a CSS selector, such as h1.title") from None
    return value


def _pattern(value: str) -> str:
    if value.startswith("/") or "\\" in value or ".." in value.split("/"):
        raise ValueError(
            'must be a pattern of names within the folder, such as *.txt, without "..", "\\" or a '
            'leading "/"'
        )
    return value


def _filled(value: C) -> C:
    if not value:
        raise ValueError("must have at least one entry")
    return value


Zone = Annotated[str, AfterValidator(_zone)]
SourceUrl = Annotated[str, AfterValidator(_source_url)]
HubUrl = Annotated[str, AfterValidator(_web_url)]
WebUrl = Annotated[HubUrl, AfterValidator(lambda url: url.rstrip("/"))]
PublicUrl = Annotated[WebUrl, AfterValidator(_public_url)]
LinkUrl = Annotated[str, _matching(r"(https?://|mailto:)[!-~]+", "an http, https or mailto URL")]
Address = Annotated[str, AfterValidator(_address)]
Colour = Annotated[
    str, _matching(r"#[0-9a-fA-F]{6}", "a colour as #rrggbb"), AfterValidator(str.lower)
]
Key = Annotated[
    str, _matching(r"[a-z0-9][a-z0-9-]{0,39}", "a-z, 0-9 and -, at most 40 characters, not - first")
]
ThemeKey = Annotated[Key, AfterValidator(_theme_key)]
_LANGUAGES = f"one of {', '.join(LANGUAGES)}; docs/languages.md shows how to add one"
LanguageCode = Annotated[str, _matching("|".join(LANGUAGES), _LANGUAGES)]


def _every(value: str) -> str:
    if not re.fullmatch(r"(1 week|([2-9]|[1-4]\d|5[0-2]) weeks)", text := " ".join(value.split())):
        raise ValueError(f'must be such as "2 weeks", at most "52 weeks", not {value!r}')
    return text


Every = Annotated[str, AfterValidator(_every)]
RepeatRule = Annotated[str, AfterValidator(lambda value: parse_rule(value).text)]
Instant = Annotated[datetime, Strict(), AfterValidator(_instant)]
OneLine = Annotated[str, AfterValidator(_one_line)]
Selector = Annotated[OneLine, AfterValidator(_selector)]
Place = Annotated[Path, AfterValidator(_place)]
"""A file or folder: the type of every path in config.toml."""
Minutes = Annotated[float, Field(ge=0.01, le=1440)]
"""The pause between two runs."""
NamePattern = Annotated[OneLine, AfterValidator(_pattern)]
Filled = AfterValidator(_filled)
"""At least one entry. pydantic's own `min_length` counts faulty entries as missing."""


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
        NotReadyError: the file exists, but this user may not read it, or it is not text.
    """
    if env is not None and (value := os.environ.get(env)):
        return value
    try:
        if file is not None and file.is_file():
            return file.read_text(encoding="utf-8").strip() or None
    except OSError as e:
        raise NotReadyError(
            f"{file}: the secret cannot be read: {e.strerror}. Give the user of this program the "
            "right to read it."
        ) from e
    except UnicodeDecodeError as e:
        raise NotReadyError(f"{file}: the secret is not UTF-8 text. Save it as UTF-8.") from e
    return None
