"""`digest status`, `config` and `doctor`: how things are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from digest.cli.options import current_newsroom
from digest.cli.output import counted, done, emit_json, heading, json_option, local, table, warn

if TYPE_CHECKING:
    from digest.config.settings import Settings
    from digest.newsroom import Newsroom


def outlook(newsroom: Newsroom, now: datetime) -> list[dict[str, Any]]:
    """One row a digest: name, next number, articles that wait, when it is due, in which zone."""
    db, settings = newsroom.db, newsroom.settings
    from digest.config.values import parse_rule
    from digest.editions.compose import count_waiting
    from digest.editions.schedule import boundary_after
    from digest.editions.store import last_edition

    rows: list[dict[str, Any]] = []
    for digest in settings.digests:
        last = last_edition(db, digest.name)
        zone = settings.digest_zone(digest)
        rows.append(
            {
                "digest": digest.name,
                "number": 1 if last is None else last[0] + 1,
                "articles": count_waiting(newsroom, digest, now),
                "due_at": boundary_after(parse_rule(digest.schedule), zone, now),
                "zone": zone,
            }
        )
    return rows


def warn_of_unserved(newsroom: Newsroom) -> None:
    """Who gets no mail because of what config.toml no longer has, whatever else a command says."""
    from digest.service.troubles import NEWEST, unserved

    for one in unserved(newsroom.db, newsroom.settings, newsroom.now(), newest=NEWEST):
        warn(f"{one.said} {one.advice}")


@click.command()
@json_option
def config(as_json: bool) -> None:
    """Show the effective configuration, with every default; secrets are hidden."""
    from digest.config.load import effective_settings, settings_lines

    settings = current_newsroom().settings
    if as_json:
        emit_json(effective_settings(settings))
        return
    for line in settings_lines(settings):
        click.echo(line)


@click.command()
@click.option(
    "--nameserver", metavar="ADDRESS[:PORT]", help="Ask this name server instead of this machine's."
)
@json_option
@click.pass_context
def doctor(ctx: click.Context, nameserver: str | None, as_json: bool) -> None:
    """Check what can go wrong, and say what to do. Exit code 1 where something is wrong."""
    from digest.service.doctor import examine
    from digest.service.mail_checks import parse_nameserver

    findings = examine(current_newsroom(), parse_nameserver(nameserver))
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
        + (" Next: correct what is wrong and run digest doctor again." if red else "")
    )


EDITIONS = 6
WEEKS = 8
BAR = 16

MARKS = {"sent": "▇", "handed": "▒", "queued": "░", "uncertain": "?", "failed": "×", "skipped": "·"}
"""Each state of a delivery by a sign of its own, so that a bar needs no colour; in its order."""
RISING = "▁▂▃▄▅▆▇"


@click.command()
@json_option
def status(as_json: bool) -> None:
    """What is stored, how the last editions went, what is next, and what to do where something is
    wrong.
    """
    newsroom = current_newsroom()
    with newsroom.open(read_only=True) as newsroom, newsroom.db.snapshot():
        found = _look(newsroom, newsroom.now())
    if as_json:
        emit_json(found)
        return
    settings = newsroom.settings
    click.echo(click.style(settings.site.title, bold=True))
    click.echo(
        f"{counted(found['articles'], 'article')}, {found['summaries']:,} of them summaries, "
        f"{found['undated']:,} undated; {counted(found['recipients'], 'recipient')}; "
        f"{counted(found['editions'], 'edition')}."
    )
    _print_sources(found["sources"], settings)
    _print_themes(found, settings)
    _print_editions(found["last_editions"], settings)
    heading("Digests")
    for line in found["digests"]:
        click.echo(
            f"{line['digest']}: no. {line['number']} would hold {counted(line['articles'], 'article')} "
            f"now; due {local(line['due_at'], line['zone'])} {line['zone']}."
        )
    _print_next(found, settings)


def _look(newsroom: Newsroom, now: datetime) -> dict[str, Any]:
    """All that the page shows, from queries that take as long on any store."""
    from digest.service.store import (
        articles_by_theme,
        articles_by_week,
        newest_editions,
        sources_at_a_glance,
        totals,
    )
    from digest.service.troubles import find_troubles
    from digest.themes.lexicon import lexicon_version
    from digest.themes.store import count_filed_otherwise

    db, settings = newsroom.db, newsroom.settings
    counts = articles_by_theme(db)
    # The Mondays of the last weeks in UTC, this one's last.
    this = now.date() - timedelta(days=now.weekday())
    mondays = [str(this - timedelta(weeks=back)) for back in reversed(range(WEEKS))]
    weekly = articles_by_week(db, mondays[0])
    return {
        **totals(db),
        "sources": sources_at_a_glance(db),
        "themes": {
            key: {code: counts.get((key, code), 0) for code in settings.site.languages}
            for key in settings.theme_names
        },
        "weeks": {
            "mondays": mondays,
            "themes": {
                key: [weekly[key, monday] for monday in mondays] for key in settings.theme_names
            },
        },
        "last_editions": newest_editions(db, EDITIONS),
        "digests": outlook(newsroom, now),
        "filed_by_another_lexicon": count_filed_otherwise(db, lexicon_version(settings.themes)),
        "troubles": [asdict(one) for one in find_troubles(newsroom, now)],
    }


def _print_sources(sources: Sequence[dict[str, Any]], settings: Settings) -> None:
    from digest.store.database import moment_from_text

    heading("Sources")
    table(
        ("source", "kind", "documents read", "faulty", "articles", "last change"),
        [
            (
                row["name"],
                row["kind"],
                f"{row['documents']:,}",
                f"{row['faulty']:,}",
                f"{row['articles']:,}",
                local(moment_from_text(row["last_changed_at"]), settings.site.time_zone),
            )
            for row in sources
        ],
        right=("documents read", "faulty", "articles"),
    )


def _print_themes(found: dict[str, Any], settings: Settings) -> None:
    languages = settings.site.languages
    weeks = found["weeks"]["themes"]
    heading("Themes")
    table(
        ("theme", *languages, f"{WEEKS} weeks", "this one"),
        [
            (
                name.title(languages[0]),
                *(f"{found['themes'][key][code]:,}" for code in languages),
                rising(weeks[key]),
                f"{weeks[key][-1]:,}",
            )
            for key, name in settings.theme_names.items()
        ],
        right=(*languages, "this one"),
    )


def rising(counts: Sequence[int]) -> str:
    """One sign for each count, as high as it is beside the highest of them; "·" where it is 0."""
    most = max(counts, default=0)
    return "".join(RISING[(count * len(RISING) - 1) // most] if count else "·" for count in counts)


def _print_editions(editions: Sequence[dict[str, Any]], settings: Settings) -> None:
    from digest.store.database import moment_from_text

    if not editions:
        return
    states = [state for state in MARKS if any(state in one["deliveries"] for one in editions)]
    heading("Last editions")
    table(
        ("edition", "closed", "mail", *(MARKS[one] for one in states)),
        [
            (
                f"{one['digest']} no. {one['number']}"
                + (f", {one['status']}" if one["status"] != "composed" else ""),
                local(moment_from_text(one["ends_at"]), settings.site.time_zone)[:10],
                bar_of(one["deliveries"]),
                *(f"{one['deliveries'].get(state, 0):,}" for state in states),
            )
            for one in editions
        ],
        right=tuple(MARKS[one] for one in states),
    )
    click.echo("  ".join(f"{MARKS[one]} {one}" for one in states))


def bar_of(counts: dict[str, int], width: int = BAR) -> str:
    """The states' shares as one line; a state that is there has a sign, however few it has."""
    total = sum(counts.values())
    if not total:
        return ""
    there = [state for state in MARKS if counts.get(state)]
    signs = {state: max(1, counts[state] * width // total) for state in there}
    most = max(there, key=lambda state: counts[state])
    signs[most] += width - sum(signs.values())
    return "".join(MARKS[state] * signs[state] for state in there)


def _print_next(found: dict[str, Any], settings: Settings) -> None:
    otherwise = found["filed_by_another_lexicon"]
    if otherwise:
        click.echo(
            f"{counted(otherwise, 'article was', 'articles were')} filed by another version of the "
            "themes. Next: digest themes try."
        )
    if found["troubles"]:
        heading("What to do")
        for one in found["troubles"]:
            since = local(one["since"], settings.site.time_zone)
            click.echo(f"{click.style('!', fg='red', bold=True)} {one['said']} Since {since}.")
            click.echo(f"  {one['advice']}")
    elif any(row["faulty"] for row in found["sources"]):
        done("Some documents could not be read. Next: digest doctor names them.")
    else:
        done("Next: digest send --dry-run.")
