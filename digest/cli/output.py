"""How the terminal looks: tables that fit the width, JSON for programs, bars on long work."""

import contextlib
import json
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, TypeVar

import click

T = TypeVar("T")
Cells = Sequence[str]
C = TypeVar("C", bound=Callable[..., Any])
GAP = 2
NARROWEST = 20
"""A column that may be cut keeps so much, even where the terminal then breaks the line."""


def json_option(command: C) -> C:
    """`--json`, on every command that shows data."""
    return click.option(
        "--json", "as_json", is_flag=True, default=False, help="For programs: JSON, nothing else."
    )(command)


def one_form(*, as_csv: bool, as_json: bool) -> None:
    """Refuse both at once.

    Raises:
        click.UsageError: the output can have one form only.
    """
    if as_csv and as_json:
        raise click.UsageError("Give --csv or --json, not both.")


def emit_json(data: object) -> None:
    click.echo(json.dumps(data, ensure_ascii=False, indent=2, default=_plain))


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no JSON form")


def show(
    as_json: bool,
    data: object,
    then: str,
    columns: Sequence[str] = (),
    rows: Iterable[Sequence[object]] = (),
    wide: str | None = None,
) -> None:
    """What a command found or did: `data` for programs; for people a table, then what comes next."""
    if as_json:
        emit_json(data)
        return
    if lines := list(rows):
        table(columns, lines, wide=wide)
    done(then)


def table(
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    wide: str | None = None,
    right: Sequence[str] = (),
) -> None:
    """Rows under headings; only the column `wide` is cut where the terminal is too narrow.

    Numbers are at the right end of their column, and so are the columns `right`.
    """
    cells = [tuple(row) for row in rows]
    lines = [tuple(map(str, row)) for row in cells]
    widths = _widths(columns, lines, wide)
    places = [
        (width, column in right or (bool(values) and all(isinstance(one, int) for one in values)))
        for column, width, *values in zip(columns, widths, *cells, strict=True)
    ]
    click.echo(click.style(_line(columns, places), bold=True))
    for line in lines:
        click.echo(_line(line, places))


def _line(cells: Cells, places: Sequence[tuple[int, bool]]) -> str:
    """The cells, each cut or filled up to its width, and which stand at its right end."""
    # rich.cells alone: the rest of rich takes as long to load as a whole short command.
    from rich.cells import cell_len, set_cell_size

    placed = []
    for cell, (width, right) in zip(cells, places, strict=True):
        text = cell if cell_len(cell) <= width else set_cell_size(cell, width - 1) + "…"
        placed.append(
            " " * (width - cell_len(text)) + text if right else set_cell_size(text, width)
        )
    return (" " * GAP).join(placed).rstrip()


def _screen() -> int:
    """The width of the terminal; a pipe has no end."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else 10_000


def _widths(columns: Sequence[str], rows: Sequence[Cells], wide: str | None) -> list[int]:
    """What each column needs in cells of the terminal; `wide` gets what the others leave."""
    from rich.cells import cell_len

    whole = [max(cell_len(cell) for cell in cells) for cells in zip(columns, *rows, strict=True)]
    others = sum(whole) + GAP * len(whole)
    return [
        min(width, max(NARROWEST, _screen() - others + width)) if column == wide else width
        for column, width in zip(columns, whole, strict=True)
    ]


def heading(text: str) -> None:
    click.echo("")
    click.echo(click.style(text, bold=True))


def done(text: str) -> None:
    """The last line of a command that did something: what it did and what to do next."""
    click.echo(text)


def warn(text: str) -> None:
    click.echo(f"{click.style('Warning:', fg='yellow')} {text}", err=True)


def fault(text: str) -> None:
    click.echo(f"{click.style('Error:', fg='red')} {text}", err=True)


def bar(label: str) -> Callable[[Sequence[T]], Iterable[T]]:
    """A progress bar over a sequence where the output is a terminal and the work is long."""

    def over(items: Sequence[T]) -> Iterable[T]:
        if not sys.stderr.isatty() or len(items) < 20:
            return items
        from rich.console import Console
        from rich.progress import track

        return track(items, label, console=Console(stderr=True), transient=True)

    return over


def counted(count: int, one: str, many: str | None = None) -> str:
    """1 article, 2 articles."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def counted_to(limit: int, count: int, one: str, many: str | None = None) -> str:
    """As `counted`, of what was asked for with one more than `limit`, so that a cut is told."""
    more = f", and there are more: --limit {2 * limit} shows them" if count > limit else ""
    return counted(min(count, limit), one, many) + more


def local(moment: datetime, zone: str) -> str:
    """An instant on the newsroom's clock, to the minute."""
    from zoneinfo import ZoneInfo

    return moment.astimezone(ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M")


@contextlib.contextmanager
def counter(label: str) -> Iterator[Callable[[int], None]]:
    """A count that grows, where the output is a terminal; call it with how many more are done."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn(label + " {task.completed:,}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(label, total=None)
        yield lambda more: progress.advance(task, more)
