"""`digest ingest`, `publish`, `compose`."""

from dataclasses import asdict

import click

from digest.cli.options import current_newsroom
from digest.cli.output import bar, counted, counter, fault, json_option, show, warn


@click.command()
@click.option(
    "--archive", is_flag=True, default=False, help="Put new articles into feeds, but in no edition."
)
@json_option
@click.pass_context
def ingest(ctx: click.Context, archive: bool, as_json: bool) -> None:
    """Read every source; store what is new and what changed."""
    from digest.sources.folder import in_words
    from digest.sources.ingest import ingest as run

    newsroom = current_newsroom()
    with newsroom.open() as newsroom:
        report = run(
            newsroom, archive=archive, progress=bar("Reading"), asking=bar("Asking sources")
        )
    for line in report.faults:
        fault(line)
    for line in report.unanswered:
        warn(line)
    if report.asked:
        asked = counted(report.asked, "kill or correction", "kills or corrections")
        warn(f"{asked} to decide. Next: digest status.")
    for line in report.repaired:
        warn(line)
    if report.ignored:
        warn(f"{in_words(report.ignored)}.")
    show(
        as_json,
        asdict(report),
        f"Read {counted(report.documents, 'document')} ({report.unchanged} unchanged): "
        f"{counted(len(report.added), 'new article')}, {len(report.revised)} revised, "
        f"{counted(report.linked, 'link')} between articles. "
        f"Next: {'digest publish' if report.added or report.revised else 'digest status'}.",
    )
    if report.faults:
        ctx.exit(1)


@click.command()
@click.option(
    "--to",
    metavar="s3://BUCKET/PREFIX",
    help="Upload to a bucket instead of feeds.path (extra s3).",
)
@click.option("--all", "whole", is_flag=True, help="Compare every file, also if nothing changed.")
@json_option
def publish(to: str | None, whole: bool, as_json: bool) -> None:
    """Write the feeds and pages whose articles changed."""
    from digest.feeds.publish import publish as run
    from digest.feeds.publish import tell_hub

    newsroom = current_newsroom()
    with newsroom.open(makes=False) as newsroom:
        with counter("Writing pages and feeds") as progress:
            report = run(newsroom, to, whole=whole, progress=progress)
        told = tell_hub(newsroom) if to is None else {}
    if told.get("hub_refused"):
        warn(
            "The WebSub hub did not accept our pings; they are tried again. If it lasts, see digest status."
        )
    show(
        as_json,
        {
            "written": list(report.written),
            "unchanged": report.unchanged,
            "removed": list(report.removed),
            **told,
        },
        f"Wrote {counted(len(report.written), 'file')} to {to or newsroom.settings.feeds.path}, left "
        f"{report.unchanged} unchanged, removed {len(report.removed)}. Next: digest send --dry-run.",
    )


@click.command()
@click.argument("digest", required=False)
@json_option
def compose(digest: str | None, as_json: bool) -> None:
    """Close every edition that is due and queue its deliveries."""
    from digest.editions.compose import compose_due, find_digest

    newsroom = current_newsroom()
    if digest is not None:
        find_digest(newsroom.settings, digest)
    with newsroom.open() as newsroom:
        editions = compose_due(newsroom, digest=digest)
    show(
        as_json,
        [
            {
                "id": edition.id,
                "digest": edition.digest,
                "number": edition.number,
                "status": edition.status,
                "hash": edition.hash,
                "articles": len(edition.placements),
            }
            for edition in editions
        ],
        "\n".join(
            f"Edition {edition.id}: {edition.digest} no. {edition.number}, "
            f"{counted(len(edition.placements), 'article')}, {edition.status}. "
            f"Next: digest editions show {edition.id}."
            for edition in editions
        )
        or "No edition is due. Next: digest send --dry-run shows what one would contain now.",
    )
