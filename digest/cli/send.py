"""`digest send`: so far the dry run, which shows exactly what would go to whom and changes nothing."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from digest.cli.desk import runtime
from digest.cli.output import counted, done, emit_json, heading, json_option, local, table, warn

if TYPE_CHECKING:
    from digest.model import Edition, Preview
    from digest.runtime import Runtime


@click.command()
@click.argument("digest", required=False)
@click.option("--dry-run", is_flag=True, default=False, help="Show and write what would be sent.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("preview"),
    show_default=True,
    metavar="DIR",
    help="Where the dry run writes each segment's mail.",
)
@json_option
def send(digest: str | None, dry_run: bool, out: Path, as_json: bool) -> None:
    """Send the edition that is due; with --dry-run show it and change nothing."""
    from digest.compose import find_digest, preview, segments
    from digest.errors import NotReadyError
    from digest.rehearsal import clear_previews, preview_segments, write_preview

    if not dry_run:
        raise NotReadyError(
            "sending comes with the sending engine; until then `digest send --dry-run` shows the mail."
        )
    room = runtime()
    config = find_digest(room.settings, digest)
    now = room.now()
    with room.open(read_only=True) as db, db.snapshot():
        edition = preview(db, room.settings, config, now)
        audience = segments(db, room.settings, config)
    if edition is None:
        raise NotReadyError("nothing has come in yet, so there is no edition. Next: digest ingest.")
    previews = preview_segments(room.settings, config, edition, audience, room.templates)
    clear_previews(out, config.name)
    written = [path for one in previews for path in write_preview(out, one)]
    if as_json:
        emit_json(_as_data(room, edition, previews, bool(audience), written))
        return
    _print(room, edition, previews, audience_known=bool(audience))
    done(
        f"Nothing was sent and nothing was changed. Wrote {counted(len(written), 'file')} to {out}. "
        f"Next: open {written[1] if len(written) > 1 else out}."
    )


def _print(
    room: "Runtime", edition: "Edition", previews: "Sequence[Preview]", *, audience_known: bool
) -> None:
    config = room.settings.digest(edition.digest)
    zone = room.settings.digest_zone(config) if config else "UTC"
    window = edition.window
    click.echo(
        click.style(f"{room.settings.site.title}: {edition.digest} no. {edition.number}", bold=True)
    )
    click.echo(f"window  {local(window.starts_at, zone)} to {local(window.ends_at, zone)} ({zone})")
    click.echo(f"hash    {edition.hash}")
    click.echo(f"holds   {counted(len(edition.placements), 'article')}")
    if previews:
        _print_sections(room, previews[0])
    heading("Segments")
    if not audience_known:
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
    names = room.settings.theme_names
    language = preview.segment.choice.language
    for section in preview.layout.sections:
        heading(f"{names[section.theme].title(language)} ({section.total})")
        for placement in section.shown:
            article = placement.article
            day = article.published.day.isoformat() if article.published.day else "undated   "
            also = [names[key].title(language) for key in article.themes if key != section.theme]
            notes = [f"also {', '.join(also)}"] if also else []
            notes += [f"also in {one.language}: {one.id}" for one in placement.siblings]
            click.echo(f"  {day}  {article.title}" + (f"  ({'; '.join(notes)})" if notes else ""))
        if section.more:
            click.echo(f"  and {section.more} more")


def _as_data(
    room: "Runtime",
    edition: "Edition",
    previews: "Sequence[Preview]",
    audience_known: bool,
    written: Sequence[Path],
) -> dict[str, Any]:
    return {
        "digest": edition.digest,
        "number": edition.number,
        "starts_at": edition.window.starts_at,
        "ends_at": edition.window.ends_at,
        "hash": edition.hash,
        "articles": len(edition.placements),
        "has_recipients": audience_known,
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
