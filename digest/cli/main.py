"""`digest`: the group, its one option, and the one place where errors become words and exit codes."""

import os
import sys
from pathlib import Path
from typing import Any

import click

from digest import __version__
from digest.cli.articles import articles, withdraw
from digest.cli.backups import adopt_database, backup, export_store, import_store, restore, tidy
from digest.cli.editions import deliveries, editions
from digest.cli.options import NewsroomOfCommand
from digest.cli.recipients import bounces, recipients, suppressions
from digest.cli.send import send
from digest.cli.service import alarms, desk, schedule, serve
from digest.cli.status import config as show_config
from digest.cli.status import doctor, status
from digest.cli.stories import stories
from digest.cli.themes import themes
from digest.cli.verbs import compose, ingest, publish
from digest.errors import DigestError


class DigestGroup(click.Group):
    """Exit codes: 0, 1 for an error that we name, 2 for a usage error."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except DigestError as e:
            click.echo(f"Error: {e}", err=True)
            ctx.exit(1)
        except BrokenPipeError:
            # The reader of our pipe has seen enough; Python would complain again at exit.
            sys.stderr.close()
            ctx.exit(0)


@click.group(cls=DigestGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="The configuration; else DIGEST_CONFIG, else ./config.toml.",
)
@click.version_option(__version__, prog_name="digest")
@click.pass_context
def main(ctx: click.Context, config: Path | None) -> None:
    """A newsroom's feed and digest service: copy in; feeds and a weekly mail out."""
    ctx.obj = NewsroomOfCommand(config)
    if os.environ.get("NO_COLOR"):  # https://no-color.org
        ctx.color = False


articles.add_command(withdraw)


for command in (
    ingest,
    publish,
    compose,
    send,
    articles,
    stories,
    themes,
    editions,
    deliveries,
    recipients,
    bounces,
    suppressions,
    adopt_database,
    status,
    show_config,
    doctor,
    alarms,
    desk,
    schedule,
    serve,
    backup,
    restore,
    export_store,
    import_store,
    tidy,
):
    main.add_command(command)
