"""`digest status`, `config`, `doctor`."""

from typing import Any

import click

from digest.cli.desk import runtime
from digest.cli.output import counted, done, emit_json, json_option


@click.command()
@json_option
def config(as_json: bool) -> None:
    """What is in force, with every default filled in and secrets hidden."""
    from digest.config.show import as_lines, in_force

    settings = runtime().settings
    if as_json:
        emit_json(in_force(settings))
        return
    for line in as_lines(settings):
        click.echo(line)


@click.command()
@click.option(
    "--nameserver",
    metavar="ADDRESS[:PORT]",
    help="Ask this name server instead of this machine's.",
)
@json_option
@click.pass_context
def doctor(ctx: click.Context, nameserver: str | None, as_json: bool) -> None:
    """Check what can go wrong, and say what to do. Exit code 1 where something is wrong."""
    from digest.cli.dns_checks import parse_nameserver
    from digest.cli.examination import examine

    findings = examine(runtime(), parse_nameserver(nameserver))
    if as_json:
        emit_json([finding.as_data() for finding in findings])
    else:
        _print_findings(findings)
    if any(finding.grade == "red" for finding in findings):
        ctx.exit(1)


def _print_findings(findings: Any) -> None:
    colours = {"green": "green", "yellow": "yellow", "red": "red"}
    words = {"green": "ok", "yellow": "look", "red": "WRONG"}
    for finding in findings:
        mark = click.style(f"{words[finding.grade]:<6}", fg=colours[finding.grade])
        click.echo(f"{mark} {finding.name}: {finding.said}")
        if finding.advice:
            click.echo(f"       {finding.advice}")
    red = sum(finding.grade == "red" for finding in findings)
    yellow = sum(finding.grade == "yellow" for finding in findings)
    done(
        f"{counted(len(findings), 'check')}: {red} wrong, {yellow} to look at."
        + (" Next: mend what is wrong and run digest doctor again." if red else "")
    )
