"""`digest`: the group, its one option, and the one place where errors become words and exit codes."""

import os
import sys
from pathlib import Path
from typing import Any

import click

from digest import __version__
from digest.cli.articles import articles, withdraw
from digest.cli.backups import activate_database, backup, export_store, import_store, prune, restore
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

GROUPS = {
    "Every day": {
        "ingest": "Read every source; store what is new and what changed",
        "publish": "Write the feeds and pages whose articles changed",
        "send": "Send what is new and what is queued; --dry-run shows it",
        "status": "What is stored, how the last editions went, what is next",
    },
    "What is kept": {
        "articles": "List, show, search, correct and withdraw articles",
        "stories": "Articles about the same event: list, join, split",
        "themes": "Why an article has its themes; try other terms",
        "editions": "Issues of each digest: show, hold, release, cancel",
        "recipients": "People who get the mail: add, list, end",
    },
    "Operate": {
        "serve": "Run the whole service until it is stopped",
        "doctor": "Check what can go wrong, and say what to do",
        "schedule": "The next ten times that the service wakes, and why",
        "backup": "Copy the database while it is used, and check the copy",
        "restore": "Put a backup in the place of the database",
        "alarms": "Open problems, and who was notified",
    },
    "Mail that comes back": {
        "bounces": "Read and show bounces, complaints, unsubscriptions",
        "suppressions": "Addresses that must not be mailed, and why",
        "deliveries": "Which recipient got what, and how it ended",
    },
    "More": {
        "config": "Show the effective configuration",
        "compose": "Close every edition that is due; queue its deliveries",
        "report": "The editors' weekly report: show it, send it",
        "export": "Write everything as JSON lines",
        "import": "Fill an empty database from an export",
        "prune": "Delete old bounces and server answers",
        "activate": "Let this copy of the database send mail from here",
    },
}
"""Every command under its group in `digest --help`, with one whole line."""


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

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, lines in GROUPS.items():
            if shown := [(name, line) for name, line in lines.items() if name in self.commands]:
                with formatter.section(title):
                    formatter.write_dl(shown)


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
    activate_database,
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
    prune,
):
    main.add_command(command)
