"""What `digest send --dry-run` shows: the editions, their articles, the segments and their mail."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from digest.cli.output import counted, done, emit_json, heading, local, table, warn

if TYPE_CHECKING:
    from digest.cli.sending import Planned
    from digest.config.settings import DigestConfig
    from digest.model import Preview
    from digest.runtime import Runtime


def rehearse(
    room: "Runtime",
    config: "DigestConfig",
    planned: "Sequence[Planned]",
    out: Path,
    as_json: bool,
) -> None:
    """Show what would be sent, write each segment's mail into `out`, and change nothing else."""
    from digest.rehearsal import clear_previews, preview_segments, write_preview

    if not planned:
        if as_json:
            emit_json({"digest": config.name, "edition": None, "segments": [], "files": []})
        else:
            done("Nothing new has come in and nothing is queued. Next: digest ingest.")
        return
    clear_previews(out, config.name)
    told: list[dict[str, Any]] = []
    files: list[Path] = []
    for one in planned:
        previews = preview_segments(
            room.settings, config, one.edition, one.segments, room.templates, room.signer
        )
        written = [path for each in previews for path in write_preview(out, each)]
        files += written
        if as_json:
            told.append(_as_data(one, previews, written))
        else:
            _print(room, config, one, previews)
    if as_json:
        emit_json({**told[-1], "queued_before": told[:-1]})
        return
    done(
        f"Nothing was sent and nothing was changed. Wrote {counted(len(files), 'file')} to {out}. "
        f"Next: open {files[1]}."
    )


def _print(
    room: "Runtime", config: "DigestConfig", planned: "Planned", previews: "Sequence[Preview]"
) -> None:
    from digest.compose import expectation

    edition = planned.edition
    zone = room.settings.digest_zone(config)
    window = edition.window
    frozen = " (composed; some of it is still queued)" if planned.frozen else ""
    click.echo(
        click.style(f"{room.settings.site.title}: {edition.digest} no. {edition.number}", bold=True)
        + frozen
    )
    click.echo(f"window  {local(window.starts_at, zone)} to {local(window.ends_at, zone)} ({zone})")
    click.echo(f"hash    {edition.hash}")
    click.echo(f"expect  {expectation(edition)}")
    click.echo(f"holds   {counted(len(edition.placements), 'article')}")
    if previews:
        _print_sections(room, previews[0])
    heading("Segments")
    if not planned.segments:
        click.echo("No recipients yet: this is the mail that a recipient of everything would get.")
    table(
        ("recipients", "language", "themes", "articles", "kB", "subject"),
        [
            (
                f"{one.segment.recipients:,}",
                ", ".join(one.segment.choice.languages),
                ", ".join(one.segment.choice.themes),
                str(one.layout.total),
                f"{len(one.message) / 1000:.1f}",
                one.mail.subject,
            )
            for one in previews
        ],
        wide="subject",
        right=("recipients", "articles", "kB"),
    )
    click.echo("")
    for one in previews:
        for warning in one.warnings:
            warn(f"{one.name}: {warning}")


def _print_sections(room: "Runtime", preview: "Preview") -> None:
    """The digest itself, as its largest segment reads it."""
    name = room.settings.theme_name
    language = preview.segment.choice.language
    for section in preview.layout.sections:
        heading(f"{name(section.theme).title(language)} ({section.total})")
        for placement in section.shown:
            article = placement.article
            day = article.published.day.isoformat() if article.published.day else "undated   "
            also = [name(key).title(language) for key in article.themes if key != section.theme]
            notes = [f"also {', '.join(also)}"] if also else []
            notes += [f"same story: {one.id} ({one.language})" for one in placement.siblings]
            click.echo(f"  {day}  {article.title}" + (f"  ({'; '.join(notes)})" if notes else ""))
        if section.more:
            click.echo(f"  and {section.more} more")


def _as_data(
    planned: "Planned", previews: "Sequence[Preview]", written: Sequence[Path]
) -> dict[str, Any]:
    from digest.compose import expectation

    edition = planned.edition
    return {
        "digest": edition.digest,
        "number": edition.number,
        "edition": edition.id,
        "starts_at": edition.window.starts_at,
        "ends_at": edition.window.ends_at,
        "hash": edition.hash,
        "expect": expectation(edition),
        "articles": len(edition.placements),
        "recipients": planned.recipients,
        "segments": [
            {
                "name": one.name,
                "recipients": one.segment.recipients,
                "language": one.segment.choice.language,
                "languages": list(one.segment.choice.languages),
                "themes": list(one.segment.choice.themes),
                "subject": one.mail.subject,
                "bytes": len(one.message),
                "sections": [
                    {
                        "theme": section.theme,
                        "total": section.total,
                        "articles": [placement.article.id for placement in section.shown],
                    }
                    for section in one.layout.sections
                ],
                "warnings": list(one.warnings),
            }
            for one in previews
        ],
        "files": [str(path) for path in written],
    }
