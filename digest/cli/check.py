"""`digest status`, `config`, `doctor`."""

from typing import Any

import click

from digest.cli.desk import runtime
from digest.cli.output import counted, done, emit_json, heading, json_option, local, table


@click.command()
@json_option
def status(as_json: bool) -> None:
    """What is kept, how the sources are, what comes next, and what to do where something is wrong."""
    from digest.cli.outlook import outlook
    from digest.store.database import moment_from_text
    from digest.store.filings import count_filed_otherwise
    from digest.store.summary import articles_by_theme, sources_at_a_glance, totals

    room = runtime()
    with room.open(read_only=True) as db, db.snapshot():
        sums = totals(db)
        sources = sources_at_a_glance(db)
        counts = articles_by_theme(db)
        coming = outlook(db, room.settings, room.now())
        otherwise = count_filed_otherwise(db, room.lexicon.version)
    languages = room.settings.site.languages
    if as_json:
        emit_json(
            {
                **sums,
                "sources": sources,
                "themes": {
                    key: {code: counts.get((key, code), 0) for code in languages}
                    for key in room.settings.theme_names
                },
                "digests": coming,
                "filed_by_another_lexicon": otherwise,
            }
        )
        return
    zone = room.settings.site.time_zone
    click.echo(click.style(room.settings.site.title, bold=True))
    click.echo(
        f"{counted(sums['articles'], 'article')}, {sums['summaries']} of them summaries, "
        f"{sums['undated']} undated; {counted(sums['recipients'], 'recipient')}; "
        f"{counted(sums['editions'], 'edition')}."
    )
    heading("Sources")
    table(
        ("source", "kind", "documents", "faulty", "articles", "last change"),
        [
            (
                row["name"],
                row["kind"],
                str(row["documents"]),
                str(row["faulty"]),
                str(row["articles"]),
                local(moment_from_text(row["last_changed_at"]), zone),
            )
            for row in sources
        ],
        right=("documents", "faulty", "articles"),
    )
    heading("Themes")
    table(
        ("theme", *languages),
        [
            (name.title(languages[0]), *(str(counts.get((key, code), 0)) for code in languages))
            for key, name in room.settings.theme_names.items()
        ],
        right=languages,
    )
    heading("Digests")
    for line in coming:
        click.echo(
            f"{line['digest']}: no. {line['number']} would hold {counted(line['articles'], 'article')} "
            f"now; due {local(line['due_at'], line['zone'])} {line['zone']}."
        )
    if otherwise:
        click.echo(
            f"{counted(otherwise, 'article was', 'articles were')} filed by another version of the "
            "themes. Next: digest themes try."
        )
    if any(row["faulty"] for row in sources):
        done("Some documents could not be read. Next: digest doctor names them.")
    else:
        done("Next: digest send --dry-run.")


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
