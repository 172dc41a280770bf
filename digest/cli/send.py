"""`digest send`: shows what would go to whom, and with a yes sends it."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from digest.cli.desk import runtime
from digest.cli.output import (
    counted,
    counter,
    done,
    emit_json,
    heading,
    json_option,
    local,
    table,
    warn,
)

if TYPE_CHECKING:
    from digest.cli.sending import Planned
    from digest.compose import Expected
    from digest.config.settings import DigestConfig
    from digest.model import Preview
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
@click.option("--yes", is_flag=True, default=False, help="Send without asking.")
@click.option("--expect", metavar="HASH", help="Send the edition with this hash, or refuse.")
@click.option(
    "--test", "test_address", metavar="ADDRESS", help="The very mail to one address only."
)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    metavar="N",
    help="At most so many; the rest stays queued.",
)
@click.option(
    "--to",
    "addresses",
    multiple=True,
    metavar="ADDRESS",
    help="Only to these; the rest stays queued.",
)
@json_option
@click.pass_context
def send(
    ctx: click.Context,
    digest: str | None,
    dry_run: bool,
    out: Path,
    yes: bool,
    expect: str | None,
    test_address: str | None,
    limit: int | None,
    addresses: tuple[str, ...],
    as_json: bool,
) -> None:
    """Send what is new and what is still queued; with --dry-run show it and change nothing."""
    from digest.cli.sending import plan, send_test, what_waits
    from digest.compose import Expected, find_digest
    from digest.errors import ExpectationError

    room = runtime()
    config = find_digest(room.settings, digest)
    expected = Expected.parse(expect) if expect is not None else None
    with room.open(read_only=True) as db, db.snapshot():
        planned = plan(db, room, config, expected)
        waits = what_waits(db, config, room.settings.digest_zone(config))
    if dry_run:
        _rehearse(room, config, planned, out, as_json)
        return
    if expected is not None and not planned:
        raise ExpectationError(
            f"no edition with the hash {expected.hash} is new or has mail to send: it went out, or "
            f"something came in or was changed. Nothing was sent.{waits} "
            "Next: digest send --dry-run."
        )
    if not planned:
        if as_json:
            emit_json([])
            return
        done(
            f"Nothing new has come in and nothing is due: nothing was sent.{waits} "
            "Next: digest ingest."
        )
        return
    if test_address is not None:
        send_test(room, config, planned[-1], test_address)
        done("Sent the test mail; no delivery was recorded. Next: digest send.")
        return
    shown = None
    if not yes:
        shown = planned
        _ask(room, planned)
    if _send(room, config, expected, shown, limit, addresses, as_json):
        ctx.exit(1)


def _ask(room: "Runtime", planned: "Sequence[Planned]") -> None:
    for one in planned:
        what = "still queued" if one.frozen else "new"
        click.echo(
            f"{one.edition.digest} no. {one.edition.number} ({what}): "
            f"{counted(len(one.edition.placements), 'article')} to "
            f"{counted(one.recipients, 'recipient')} by {room.settings.mail.transport}; "
            f"hash {one.edition.hash[:16]}"
        )
    click.confirm("Send?", abort=True)


def _send(
    room: "Runtime",
    config: "DigestConfig",
    expected: "Expected | None",
    shown: "Sequence[Planned] | None",
    limit: int | None,
    addresses: Sequence[str],
    as_json: bool,
) -> bool:
    """True when a person must act."""
    from digest.cli.sending import send_editions, tell
    from digest.deliver import Portion
    from digest.store.audience import recipient_by_address

    with room.open() as db:
        only = frozenset(recipient_by_address(db, one) for one in addresses) or None
        with counter("Sending") as progress:
            reports = send_editions(
                db,
                room,
                config,
                expect=expected,
                shown=shown,
                portion=Portion(limit, only),
                progress=progress,
            )
    if as_json:
        emit_json(
            [
                {
                    "edition": one.edition_id,
                    "number": one.number,
                    "outcomes": {kind.value: count for kind, count in one.outcomes.items()},
                    "skipped": one.skipped,
                    "left": one.left,
                    "fault": one.fault,
                }
                for one in reports
            ]
        )
        return any(one.fault is not None for one in reports)
    if not reports:
        done("There is nobody to send it to. Next: digest recipients add ADDRESS.")
    act = tell(reports)
    if any(one.outcomes for one in reports) and not act:
        where = room.settings.mail
        lies = f" The messages lie in {where.outbox}." if where.transport == "maildir" else ""
        done(f"Done.{lies} Next: digest editions list.")
    return act


def _rehearse(
    room: "Runtime",
    config: "DigestConfig",
    planned: "Sequence[Planned]",
    out: Path,
    as_json: bool,
) -> None:
    from digest.errors import NotReadyError
    from digest.rehearsal import clear_previews, preview_segments, write_preview

    if not planned:
        raise NotReadyError("nothing new has come in and nothing is queued. Next: digest ingest.")
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
