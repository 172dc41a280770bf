"""The newsroom of a command, and the options that several commands share."""

import re
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from zoneinfo import ZoneInfo

import click

if TYPE_CHECKING:
    from digest.newsroom import Newsroom

C = TypeVar("C", bound=Callable[..., Any])


class NewsroomOfCommand:
    """The newsroom of the config.toml that the command line names, read only where it is needed."""

    def __init__(self, config: Path | None) -> None:
        self._config = config

    @property
    def newsroom(self) -> "Newsroom":
        from digest.config.load import find_config
        from digest.newsroom import Newsroom

        return Newsroom.from_file(find_config(self._config))


def current_newsroom() -> "Newsroom":
    """The newsroom of the running command.

    Raises:
        ConfigError: config.toml cannot be used.
    """
    newsroom: Newsroom = click.get_current_context().obj.newsroom
    return newsroom


class Number(click.ParamType[int]):
    """A whole number from 1 to `largest`; unlike `click.IntRange` it leaves the range out of the help."""

    name = "number"

    def __init__(self, largest: int) -> None:
        self._range = click.IntRange(1, largest)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        return int(self._range.convert(value, param, ctx))


ID = Number(2**63 - 1)  # the largest that SQLite can compare
COUNT = Number(1_000_000_000)


def limit_option(default: int | None = None) -> Callable[[C], C]:
    return click.option(
        "--limit", type=COUNT, default=default, metavar="N", show_default=True, help="At most N."
    )


def by_option(command: C) -> C:
    """`--by`, on every command that records an editor's decision."""
    return click.option("--by", metavar="NAME", help="Your name. Default: your login.")(command)


def out_option(command: C) -> C:
    """`--out`, on every command whose dry run writes the mail."""
    return click.option(
        "--out",
        type=click.Path(file_okay=False, path_type=Path),
        default=Path("preview"),
        show_default=True,
        metavar="DIR",
        help="Where --dry-run writes it.",
    )(command)


class Since(click.ParamType[timedelta | date]):
    """A `timedelta` back from now, or a `date`."""

    name = "since"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> timedelta | date:
        if ago := re.fullmatch(r"(\d{1,5})([dw])", value):
            return timedelta(**{"days" if ago[2] == "d" else "weeks": int(ago[1])})
        try:
            return date.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r}: give 90d, 12w, or a date such as 2026-11-16", param, ctx)


def since_option(help_line: str) -> Callable[[C], C]:
    return click.option("--since", type=Since(), metavar="90d|12w|DATE", help=help_line)


def since_moment(since: timedelta | date | None, now: datetime, zone: str) -> datetime | None:
    """The instant: a date is its midnight, and a time without a zone is in the newsroom's `zone`.

    Raises:
        click.UsageError: it is before the calendar begins.
    """
    if since is None:
        return None
    try:
        if isinstance(since, timedelta):
            return now - since
        moment = since if isinstance(since, datetime) else datetime.combine(since, time())
        return moment.replace(tzinfo=ZoneInfo(zone)).astimezone(now.tzinfo)
    except OverflowError as e:
        raise click.UsageError("--since is too far back; leave it out to include all.") from e
