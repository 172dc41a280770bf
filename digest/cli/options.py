"""Options that several commands share."""

import re
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from zoneinfo import ZoneInfo

import click

if TYPE_CHECKING:
    from digest.newsroom import Newsroom


class NewsroomOfCommand:
    """What the commands share: which config.toml, and the newsroom made from it when asked for."""

    def __init__(self, option: Path | None) -> None:
        self._option = option

    @cached_property
    def newsroom(self) -> "Newsroom":
        from digest.config.load import find_config
        from digest.newsroom import Newsroom

        return Newsroom.from_file(find_config(self._option))


def current_newsroom() -> "Newsroom":
    """The newsroom of the command that runs now.

    Raises:
        ConfigError: config.toml cannot be used.
    """
    newsroom: Newsroom = click.get_current_context().obj.newsroom
    return newsroom


LARGEST = 2**63 - 1
"""SQLite keeps an integer in 64 bits with its sign; a larger one it could not even compare."""
ID = click.IntRange(1, LARGEST)
"""The id of an article, an edition, a delivery, a letter."""
COUNT = click.IntRange(1, 1_000_000_000)
"""How many at most."""
_AGO = re.compile(r"(\d{1,5})([dw])")
C = TypeVar("C", bound=Callable[..., Any])


class Since(click.ParamType[timedelta | date]):
    """A `timedelta` back from now, or a `date`."""

    name = "since"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> timedelta | date:
        if isinstance(value, timedelta | date):
            return value
        if ago := _AGO.fullmatch(value):
            count = int(ago[1])
            return timedelta(days=count) if ago[2] == "d" else timedelta(weeks=count)
        try:
            return date.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r}: allowed are 90d, 12w, or a date such as 2026-11-16", param, ctx)


def since_option(what: str) -> Callable[[C], C]:
    """`--since`; `what` says in the help what it leaves out."""

    def decorated(command: C) -> C:
        return click.option("--since", type=Since(), metavar="90d|12w|DATE", help=what)(command)

    return decorated


def since_moment(since: timedelta | date | None, now: datetime, zone: str) -> datetime | None:
    """The instant; a date begins at midnight, a time without a zone is told on the newsroom's clock,
    and 90d is so long before `now`.

    Raises:
        click.UsageError: it lies before the calendar begins.
    """
    if since is None:
        return None
    try:
        if isinstance(since, timedelta):
            return now - since
        told = since if isinstance(since, datetime) else datetime.combine(since, time())
        return told.replace(tzinfo=ZoneInfo(zone)).astimezone(now.tzinfo)
    except OverflowError as e:
        raise click.UsageError("--since reaches back too far; leave it out for everything.") from e
