"""`digest`: the group, its one option, and where errors become messages and exit codes."""

import contextlib
import errno
import io
import os
import sys
from pathlib import Path
from typing import Any

import click

from digest import __version__
from digest.cli.articles import articles
from digest.cli.backups import activate_database, backup, export_store, import_store, prune, restore
from digest.cli.bounces import bounces, suppressions
from digest.cli.desk import desk
from digest.cli.editions import deliveries, editions
from digest.cli.init import init
from digest.cli.options import NewsroomOfCommand
from digest.cli.output import fault
from digest.cli.recipients import recipients
from digest.cli.send import send
from digest.cli.service import alarms, report_group, schedule, serve
from digest.cli.sources import sources
from digest.cli.status import config as show_config
from digest.cli.status import doctor, status
from digest.cli.stories import stories
from digest.cli.themes import themes
from digest.cli.verbs import compose, ingest, publish
from digest.errors import DigestError
from digest.language.text import foreign

SECTIONS: dict[str, tuple[click.Command, ...]] = {
    "Start": (init,),
    "Every day": (ingest, publish, send, status),
    "Content": (sources, articles, stories, themes, editions, recipients),
    "Operate": (serve, doctor, schedule, backup, restore, alarms),
    "Returned mail": (bounces, suppressions, deliveries),
    "More": (
        show_config,
        compose,
        desk,
        report_group,
        export_store,
        import_store,
        prune,
        activate_database,
    ),
}
"""Every command, under its heading in `digest --help`."""


class DigestGroup(click.Group):
    """Exit codes: 0, 1 for an error that we name, 2 for a usage error."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except DigestError as e:
            fault(foreign(str(e), lines=True, limit=None))
            ctx.exit(1)
        except BrokenPipeError:
            # The reader of our pipe has closed it; Python would complain again at exit.
            sys.stderr.close()
            ctx.exit(0)
        except OSError as e:
            if e.errno != errno.ENOSPC:
                raise
            click.echo(f"Error: the output cannot be written: {e.strerror}.", err=True)
            with contextlib.suppress(OSError):  # else Python would complain again at exit
                sys.stdout.close()
            ctx.exit(1)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, commands in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl(
                    [(one.name or "", one.get_short_help_str(70)) for one in commands]
                )


@click.group(
    cls=DigestGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="The configuration. Default: $DIGEST_CONFIG, or ./config.toml.",
)
@click.version_option(__version__, prog_name="digest")
@click.pass_context
def main(ctx: click.Context, config: Path | None) -> None:
    """A newsroom's feed and digest service: turns articles into feeds and a weekly email digest.

    Without a command it says where things are and what to do next.
    """
    ctx.obj = NewsroomOfCommand(config)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a path need not be UTF-8
    if os.environ.get("NO_COLOR"):  # https://no-color.org
        ctx.color = False
    if ctx.invoked_subcommand is not None:
        return
    from digest.config.load import find_config

    if not find_config(config).exists():
        click.echo(
            f"No {find_config(config)} here. Next: digest init --demo for an example with copy, or digest "
            "init for a newsroom of your own."
        )
    elif not ctx.obj.newsroom.settings.store.path.exists():
        click.echo("Nothing has been read yet. Next: digest ingest.")
    else:
        ctx.invoke(status)
    click.echo("`digest --help` lists every command.")


class Words(click.ParamType[str]):
    """Words of the command line, clean: they are stored, sent and printed. Paths stay as they are."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        return foreign(value)


def _clean_words(command: click.Command) -> None:
    for parameter in command.params:
        if parameter.type is click.STRING:
            parameter.type = Words()
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            _clean_words(inner)


for command in (one for commands in SECTIONS.values() for one in commands):
    main.add_command(command)
_clean_words(main)
