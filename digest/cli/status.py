"""`digest status`, `config` and `doctor`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from digest.cli.options import current_newsroom
from digest.cli.output import counted, emit_json, heading, json_option, local, show, table, warn
from digest.errors import DocumentError

if TYPE_CHECKING:
    from digest.config.settings import Settings
    from digest.newsroom import Newsroom


@click.command()
@click.option("--all", "every", is_flag=True, default=False, help="Explain every key instead.")
@json_option
def config(every: bool, as_json: bool) -> None:
    """Show the effective configuration; secrets are hidden.

    --all prints every key that config.toml may have, with its meaning and default.
    """
    from digest.config.load import EVERY_SETTING, effective_settings, settings_lines

    if every:
        click.echo(EVERY_SETTING.read_text(encoding="utf-8"), nl=False)
        return
    settings = current_newsroom().settings
    show(as_json, effective_settings(settings), "\n".join(settings_lines(settings)))


@click.command()
@click.option(
    "--nameserver", metavar="ADDRESS[:PORT]", help="Ask this name server instead of this machine's."
)
@json_option
@click.pass_context
def doctor(ctx: click.Context, nameserver: str | None, as_json: bool) -> None:
    """Check what can go wrong, and say what to do.

    The exit code is 1 if something is wrong.
    """
    from digest.service.doctor import examine
    from digest.service.mail_checks import parse_nameserver

    findings = examine(current_newsroom(), parse_nameserver(nameserver))
    words = {"green": "ok", "yellow": "look", "red": "WRONG"}
    lines = []
    for finding in findings:
        mark = click.style(f"{words[finding.grade]:<6}", fg=finding.grade)
        lines.append(f"{mark} {finding.name}: {finding.said}")
        if finding.advice:
            lines.append(f"       {finding.advice}")
    grades = [finding.grade for finding in findings]
    lines.append(
        f"{counted(len(findings), 'check')}: {grades.count('red')} wrong, "
        f"{grades.count('yellow')} to look at."
        + (" Next: correct what is wrong and run digest doctor again." if "red" in grades else "")
    )
    show(as_json, [finding.as_data() for finding in findings], "\n".join(lines))
    if "red" in grades:
        ctx.exit(1)


EDITIONS = 6
WEEKS = 8
MARKS = {"sent": "▇", "handed": "▒", "queued": "░", "uncertain": "?", "failed": "×", "skipped": "·"}
"""The states of a delivery in the order of the bar, which needs no colour."""
RISING = "▁▂▃▄▅▆▇"


@click.command()
@json_option
def status(as_json: bool) -> None:
    """Show what is stored, the last editions, and what to do next."""
    newsroom = current_newsroom()
    with newsroom.open(read_only=True) as newsroom, newsroom.db.snapshot():
        data = _status_data(newsroom, newsroom.now())
    if as_json:
        emit_json(data)
    else:
        _print_status(data, newsroom.settings)


def _status_data(newsroom: Newsroom, now: datetime) -> dict[str, Any]:
    """All that the page shows, from queries whose time does not grow with the database."""
    from digest.audience.evidence import waiting
    from digest.editions.compose import count_waiting
    from digest.editions.schedule import boundary_after
    from digest.editions.store import drafts, last_edition
    from digest.mail.store import unsent
    from digest.service.store import (
        articles_by_theme,
        articles_by_week,
        newest_editions,
        sources_at_a_glance,
        totals,
    )
    from digest.service.troubles import embargoes, find_troubles
    from digest.themes.lexicon import lexicon_version
    from digest.themes.store import count_filed_otherwise

    db, settings = newsroom.db, newsroom.settings
    counts = articles_by_theme(db)
    monday = now.date() - timedelta(days=now.weekday())
    mondays = [str(monday - timedelta(weeks=back)) for back in reversed(range(WEEKS))]
    weekly = articles_by_week(db, mondays[0])
    digests = []
    for digest in settings.digests:
        last, zone = last_edition(db, digest.name), settings.digest_zone(digest)
        digests.append(
            {
                "digest": digest.name,
                "number": 1 if last is None else last[0] + 1,
                "articles": count_waiting(newsroom, digest, now),
                "due_at": boundary_after(settings.digest_rule(digest), zone, now),
                "zone": zone,
            }
        )
    return {
        **totals(db, now),
        "embargoed": embargoes(db, settings.site.time_zone, now),
        "sources": sources_at_a_glance(db),
        "ignored": _ignored(settings),
        "themes": {
            key: {code: counts.get((key, code), 0) for code in settings.site.languages}
            for key in settings.theme_names
        },
        "weeks": {
            "mondays": mondays,
            "themes": {key: [weekly[key, day] for day in mondays] for key in settings.theme_names},
        },
        "last_editions": newest_editions(db, EDITIONS),
        "digests": digests,
        "drafts": drafts(db),
        "filed_by_another_lexicon": count_filed_otherwise(db, lexicon_version(settings.themes)),
        "letters_waiting": waiting(db)[0],
        "notices_waiting": unsent(db),
        "troubles": [asdict(one) for one in find_troubles(newsroom, now)],
    }


def _ignored(settings: Settings) -> Counter[str]:
    """How many files the sources do not read, by ending."""
    from digest.sources.folder import survey

    ignored = Counter[str]()
    for source in (one for one in settings.sources if not one.is_online):
        with suppress(DocumentError):  # the problems below name it
            ignored += survey(source.folder, source.pattern)[1]
    return ignored


def _print_status(data: dict[str, Any], settings: Settings) -> None:
    from digest.sources.folder import in_words
    from digest.store.database import moment_from_text

    zone, languages = settings.site.time_zone, settings.site.languages
    editions = data["last_editions"]
    click.echo(click.style(settings.site.title, bold=True))
    click.echo(
        f"{counted(data['articles'], 'article')}, {data['summaries']:,} of them summaries, "
        f"{data['undated']:,} undated; {counted(data['recipients'], 'recipient')}; "
        f"{counted(data['editions'], 'edition')}."
    )
    if data["embargoed"]:
        click.echo(f"{data['embargoed']}.")
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
                local(moment_from_text(at), zone) if (at := row["last_changed_at"]) else "never",
            )
            for row in data["sources"]
        ],
        right=("documents read", "faulty", "articles"),
    )
    if data["ignored"]:
        click.echo(f"{in_words(data['ignored'])}.")
    heading("Themes")
    weeks = data["weeks"]["themes"]
    table(
        ("theme", *languages, f"{WEEKS} weeks", "this week"),
        [
            (
                name.title(languages[0]),
                *(f"{data['themes'][key][code]:,}" for code in languages),
                rising(weeks[key]),
                f"{weeks[key][-1]:,}",
            )
            for key, name in settings.theme_names.items()
        ],
        right=(*languages, "this week"),
    )
    if editions:
        states = [state for state in MARKS if any(state in one["deliveries"] for one in editions)]
        heading("Last editions")
        table(
            ("edition", "closed", "mail", *(MARKS[state] for state in states)),
            [
                (
                    f"{one['digest']} no. {one['number']}"
                    + (f", {one['status']}" if one["status"] != "composed" else ""),
                    local(moment_from_text(one["ends_at"]), zone)[:10],
                    bar_of(one["deliveries"]),
                    *(f"{one['deliveries'].get(state, 0):,}" for state in states),
                )
                for one in editions
            ],
            right=[MARKS[state] for state in states],
        )
        click.echo("  ".join(f"{MARKS[state]} {state}" for state in states))
    heading("Digests")
    for row in data["digests"]:
        click.echo(
            f"{row['digest']}: no. {row['number']} would contain {counted(row['articles'], 'article')} "
            f"now; due {local(row['due_at'], row['zone'])} {row['zone']}."
        )
    for row in data["drafts"]:
        click.echo(
            f"Edition {row['id']} ({row['digest']} no. {row['number']}) waits for an approval. Next: digest "
            f"editions show {row['id']}, then digest send {row['digest']} --dry-run."
        )
    if otherwise := data["filed_by_another_lexicon"]:
        click.echo(
            f"{counted(otherwise, 'article was', 'articles were')} filed by another version of the "
            "themes. Next: digest themes try."
        )
    if letters := data["letters_waiting"]:
        click.echo(
            f"{counted(letters, 'letter')} without proof {'waits' if letters == 1 else 'wait'} for you. "
            "Next: digest bounces list --state waits."
        )
    if notices := data["notices_waiting"]:
        click.echo(f"{counted(notices, 'queued notice')} to readers. Next: digest send.")
    if data["troubles"]:
        heading("What to do")
        for one in data["troubles"]:
            mark = click.style("!", fg="red", bold=True)
            click.echo(f"{mark} {one['said']} Since {local(one['since'], zone)}.")
            click.echo(f"  {one['advice']}")
    elif any(row["faulty"] for row in data["sources"]):
        click.echo("Some documents could not be read. Next: digest doctor names them.")
    elif data["drafts"]:
        click.echo("Next: what the draft needs.")
    elif not any(row["articles"] for row in data["digests"]):
        click.echo("Nothing new waits for a digest. Next: digest ingest, or digest serve.")
    elif not data["recipients"]:
        click.echo(
            "Nobody gets the mail yet. Next: digest send --dry-run shows it, digest recipients add ADDRESS."
        )
    else:
        click.echo("Next: digest send --dry-run.")


def rising(counts: Sequence[int]) -> str:
    """One sign for each count, as high as its share of the highest one; "·" for 0."""
    most = max(counts, default=0)
    return "".join(RISING[(count * len(RISING) - 1) // most] if count else "·" for count in counts)


def bar_of(counts: dict[str, int], width: int = 16) -> str:
    """The states' shares as one line; each state that occurs has at least one sign."""
    total = sum(counts.values())
    if not total:
        return ""
    states = [state for state in MARKS if counts.get(state)]
    signs = {state: max(1, counts[state] * width // total) for state in states}
    most = max(states, key=lambda state: counts[state])
    signs[most] += width - sum(signs.values())
    return "".join(MARKS[state] * signs[state] for state in states)


def warn_of_unserved(newsroom: Newsroom) -> None:
    """Warn about recipients who get no mail because config.toml no longer has what they chose."""
    from digest.service.troubles import NEWEST, unserved

    for one in unserved(newsroom.db, newsroom.settings, newsroom.now(), newest=NEWEST):
        warn(f"{one.said} {one.advice}")
