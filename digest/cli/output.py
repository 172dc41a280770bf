"""How the terminal looks: tables that fit the width, JSON for programs, bars on long work."""

import contextlib
import json
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import click

T = TypeVar("T")
C = TypeVar("C", bound=Callable[..., Any])
GAP = 2
NARROWEST = 20
"""The least width of a column that may be cut, even if the terminal then breaks the line."""


def json_option(command: C) -> C:
    """`--json`, on every command that shows data."""
    return click.option("--json", "as_json", is_flag=True, default=False, help="Print only JSON.")(
        command
    )


def emit_json(data: object) -> None:
    click.echo(
        json.dumps(data, ensure_ascii=False, indent=2, default=lambda moment: moment.isoformat())
    )


def show(
    as_json: bool,
    data: object,
    then: str,
    columns: Sequence[str] = (),
    rows: Iterable[Sequence[object]] = (),
    wide: str | None = None,
) -> None:
    """The result of a command: `data` for programs; for people a table of the rows, `then` the text."""
    if as_json:
        emit_json(data)
        return
    if cells := list(rows):
        table(columns, cells, wide=wide)
    click.echo(then)


def table(
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    wide: str | None = None,
    right: Sequence[str] = (),
) -> None:
    """Rows under headings; only the column `wide` is cut where the terminal is too narrow.

    Columns of integers and the columns `right` are aligned at the right.
    """
    # rich.cells alone: the rest of rich takes as long to load as a whole short command.
    from rich.cells import cell_len, set_cell_size

    cells = [tuple(row) for row in rows]
    lines = [tuple(columns), *(tuple(map(str, row)) for row in cells)]
    widths = [max(map(cell_len, texts)) for texts in zip(*lines, strict=True)]
    if wide is not None and sys.stdout.isatty():
        at = list(columns).index(wide)
        others = sum(widths) - widths[at] + GAP * len(widths)
        room = shutil.get_terminal_size().columns - others
        widths[at] = min(widths[at], max(NARROWEST, room))
    aligned = [
        column in right or (bool(cells) and all(isinstance(row[i], int) for row in cells))
        for i, column in enumerate(columns)
    ]
    for line in lines:
        padded = []
        for text, width, at_right in zip(line, widths, aligned, strict=True):
            if cell_len(text) > width:
                text = set_cell_size(text, width - 1) + "…"
            blanks = " " * (width - cell_len(text))
            padded.append(blanks + text if at_right else text + blanks)
        text = (" " * GAP).join(padded).rstrip()
        click.echo(click.style(text, bold=True) if line is lines[0] else text)


def heading(text: str) -> None:
    click.echo("\n" + click.style(text, bold=True))


def warn(text: str) -> None:
    click.echo(f"{click.style('Warning:', fg='yellow')} {text}", err=True)


def fault(text: str) -> None:
    click.echo(f"{click.style('Error:', fg='red')} {text}", err=True)


def counted(count: int, one: str, many: str | None = None) -> str:
    """1 article, 2 articles."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def counted_to(limit: int, count: int, one: str) -> str:
    """As `counted`, for up to one row more than `limit`, which shows that there are more."""
    more = f", and there are more: --limit {2 * limit} shows them" if count > limit else ""
    return counted(min(count, limit), one) + more


def local(moment: datetime, zone: str) -> str:
    """An instant in the newsroom's zone, to the minute."""
    return moment.astimezone(ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M")


def bar(label: str) -> Callable[[Sequence[T]], Iterable[T]]:
    """A progress bar over a sequence where the output is a terminal and the work is long."""

    def over(items: Sequence[T]) -> Iterable[T]:
        if not sys.stderr.isatty() or len(items) < 20:
            return items
        from rich.console import Console
        from rich.progress import track

        return track(items, label, console=Console(stderr=True), transient=True)

    return over


@contextlib.contextmanager
def counter(label: str) -> Iterator[Callable[[int], None]]:
    """A growing count where the output is a terminal; call it with how many more are done."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn(label + " {task.completed:,}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(label, total=None)
        yield lambda more: progress.advance(task, more)
