"""`digest serve`, `schedule`, `alarms` and the editors' report."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from digest.cli.options import COUNT, current_newsroom
from digest.cli.output import counted, done, emit_json, json_option, local, show, table

if TYPE_CHECKING:
    import asyncio
    import socket

    from digest.model import RenderedMail, Window
    from digest.newsroom import Newsroom


SOON = 10
"""So many wake-ups are shown."""


@click.command()
@click.option("--host", metavar="HOST", help="Listen here instead of at web.host.")
@click.option("--port", type=click.IntRange(1, 65535), help="Listen here instead of at web.port.")
def serve(host: str | None, port: int | None) -> None:
    """Run the whole service: read, publish, compose, send, take in bounces, serve the feeds.

    One service for a database works; a second one serves the feeds, and takes over when the first
    is gone. SIGTERM and Ctrl-C end it, SIGHUP reads config.toml again.
    """
    import asyncio
    import os

    from digest.service.service import configure_logging, log_event
    from digest.web.app import listen

    newsroom = current_newsroom()
    web = newsroom.settings.web
    with newsroom.open():  # made before anybody asks for it
        pass
    listener = listen(host or web.host, port or web.port)
    configure_logging()
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        ended = runner.run(_serve(newsroom, listener))
        log_event("ended", whole=ended)
        if not ended:
            # A thread that is still at work cannot be ended, and Python would wait for it. What it
            # had under way is settled at the next start, as after a crash.
            os._exit(1)


def _loop_factory() -> Any:
    try:
        import uvloop
    except ImportError:  # not for Windows
        return None
    return uvloop.new_event_loop


async def _serve(newsroom: "Newsroom", listener: "socket.socket") -> bool:
    import asyncio
    import time

    from digest.service.health import Health
    from digest.service.service import Service, log_event, notify
    from digest.web.app import FeedApp
    from digest.web.app import serve as answer
    from digest.web.files import FileCache

    def files(of: "Newsroom") -> FileCache:
        web = of.settings.web
        return FileCache(
            of.settings.feeds.path,
            limit=int(web.memory_mib * 1024 * 1024),
            cache_seconds=web.cache_seconds,
            seconds=time.monotonic,
        )

    service = Service(newsroom, lambda new: app.serve(files(new), new.settings.feeds_url))
    health = Health(service)
    app = FeedApp(
        files(newsroom),
        newsroom.settings.feeds_url,
        {"/readyz": health.ready, "/metrics": health.metrics},
    )
    health.app = app
    stopping = asyncio.Event()
    _on_signals(stopping, service.reload)
    web = asyncio.create_task(answer(app, listener, stopping))
    web.add_done_callback(lambda _: stopping.set())  # a service that cannot answer ends
    guard = asyncio.create_task(_watchdog())
    where, port = listener.getsockname()[:2]
    log_event("serving", host=where, port=port, feeds=app.root)
    notify("READY=1")
    ended = await service.run(stopping)
    await web
    guard.cancel()
    return ended


def _on_signals(stopping: "asyncio.Event", reload: Any) -> None:
    import asyncio
    import signal

    from digest.service.service import log_event, notify

    def stop() -> None:
        first = not stopping.is_set()
        stopping.set()
        if first:
            log_event("stopping")
            notify("STOPPING=1")

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop)
    loop.add_signal_handler(signal.SIGINT, stop)
    loop.add_signal_handler(signal.SIGHUP, reload)


async def _watchdog() -> None:
    import asyncio

    from digest.service.service import notify, watchdog_seconds

    seconds = watchdog_seconds()
    while seconds is not None:
        notify("WATCHDOG=1")
        await asyncio.sleep(seconds)


@click.command()
@json_option
def schedule(as_json: bool) -> None:
    """The next ten times that `digest serve` wakes, and what each would find to do now."""
    from digest.service.plan import holder, outlook, wakeups

    newsroom = current_newsroom()
    coming = wakeups(newsroom.settings, newsroom.now(), SOON)
    with newsroom.open(read_only=True) as newsroom:
        lease = holder(newsroom.db, newsroom.settings, newsroom.now())
        found = outlook(newsroom, newsroom.now())
    zone = newsroom.settings.site.time_zone
    show(
        as_json,
        {
            "holder": lease,
            "wakeups": [
                {"at": one.at, "verb": one.verb, "cause": one.cause, "now": found[one.verb]}
                for one in coming
            ],
        },
        f"Held by {lease}." if lease else "No service runs. Next: digest serve.",
        ("at", "verb", "because", "now it would"),
        ((local(one.at, zone), one.verb, one.cause, found[one.verb]) for one in coming),
        wide="now it would",
    )


@click.group()
def alarms() -> None:
    """Open problems, and who was notified."""


@alarms.command("list")
@click.option("--limit", type=COUNT, default=20, metavar="N", show_default=True)
@json_option
def list_alarms(limit: int, as_json: bool) -> None:
    """Open alarms first, then those that are over, the newest first."""
    from digest.service.alarms import list_alarms as stored
    from digest.store.database import moment_from_text

    newsroom = current_newsroom()
    with newsroom.open(read_only=True) as newsroom:
        found = stored(newsroom.db, limit)
    if as_json:
        emit_json(found)
        return
    zone = newsroom.settings.site.time_zone
    if found:
        table(
            ("since", "over", "told", "key", "what"),
            [
                (
                    local(moment_from_text(row["began_at"]), zone),
                    local(moment_from_text(row["gone_at"]), zone) if row["closed_at"] else "",
                    _notified(row),
                    row["key"],
                    row["said"],
                )
                for row in found
            ],
            wide="what",
        )
    opened = [row for row in found if row["closed_at"] is None]
    for row in opened:
        click.echo(f"\n{click.style(row['key'], bold=True)}: {row['advice']}")
    done(
        f"{counted(len(opened), 'alarm is', 'alarms are')} open."
        if found
        else "There has been no alarm. Next: digest alarms check looks now."
    )


def _notified(row: dict[str, Any]) -> str:
    """How many of its notices were taken, of all that were not given up."""
    statuses = [one["status"] for one in row["messages"] if one["status"] != "failed"]
    if statuses:
        return f"{statuses.count('sent')} of {len(statuses)}"
    return "nobody" if row["raised_at"] else "not yet"


@alarms.command()
@click.option("--dry-run", is_flag=True, default=False, help="Only show what is found.")
@json_option
@click.pass_context
def check(ctx: click.Context, dry_run: bool, as_json: bool) -> None:
    """Look now as the service does, and send what is due. Exit code 1 where there is trouble."""
    from digest.service.alarms import AlarmReport, check_alarms, is_raised, places
    from digest.service.troubles import Memory, find_troubles

    newsroom = current_newsroom()
    settings = newsroom.settings
    if dry_run:
        with newsroom.open(read_only=True) as newsroom, newsroom.db.snapshot():
            now = newsroom.now()
            troubles = find_troubles(newsroom, now)
        report = AlarmReport([one.key for one in troubles if is_raised(settings, one, now)])
    else:
        with newsroom.open() as newsroom:
            troubles, report = check_alarms(newsroom, Memory())
    if as_json:
        emit_json(
            {
                "troubles": [
                    {"key": t.key, "said": t.said, "since": t.since, "advice": t.advice}
                    for t in troubles
                ],
                "raised": report.raised,
                "closed": report.closed,
                "told": report.sent,
                "put_off": report.put_off,
            }
        )
        ctx.exit(bool(troubles))
    for one in troubles:
        click.echo(click.style(one.key, bold=True))
        click.echo(f"  {one.said}")
        click.echo(f"  Since {local(one.since, settings.site.time_zone)}.")
        click.echo(f"  {one.advice}")
    found, whom = counted(len(troubles), "trouble"), counted(len(places(settings)), "place")
    late = f", {report.put_off} not yet taken: see digest alarms list" if report.put_off else ""
    done(
        f"{found}, {len(report.raised)} of them for long enough to notify {whom}. Nobody was "
        "notified and nothing was changed."
        if dry_run
        else f"{found}: {len(report.raised)} new, {len(report.closed)} over; "
        f"{counted(report.sent, 'message')} sent to {whom}{late}."
    )
    ctx.exit(bool(troubles))


@click.group("report")
def desk() -> None:
    """The editors' weekly report."""


@desk.command("show")
@json_option
def show_report(as_json: bool) -> None:
    """The mail as it would be sent now: of the week that is due, else of the one that runs."""
    newsroom = current_newsroom()
    window, mail, due = _set(newsroom)
    if as_json:
        emit_json(
            {
                "starts_at": window.starts_at,
                "ends_at": window.ends_at,
                "due": due,
                "subject": mail.subject,
                "text": mail.text,
            }
        )
        return
    click.echo(f"{click.style(mail.subject, bold=True)}\n")
    click.echo(mail.text)
    done(f"{_when(newsroom, window, due)} Next: digest report send --dry-run.")


@desk.command("send")
@click.option("--dry-run", is_flag=True, default=False, help="Only write the messages.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("preview"),
    show_default=True,
    help="Where --dry-run writes them.",
)
@json_option
@click.pass_context
def send_report_now(ctx: click.Context, dry_run: bool, out: Path, as_json: bool) -> None:
    """Send the mail of the week that is over, to each editor once, and what is still queued of it."""
    newsroom = current_newsroom()
    if dry_run:
        _rehearse(newsroom, out, as_json)
        return
    from digest.cli.send import stopping
    from digest.editions.deliver import begin_sending
    from digest.service.report import check_wanted, deliveries, send_report
    from digest.store.owner import sole_sender

    settings, now = newsroom.settings, newsroom.now
    check_wanted(settings)
    with newsroom.open() as newsroom, sole_sender(settings.store.path, now()), stopping() as stop:
        begin_sending(newsroom)
        send_report(newsroom, stop=stop)
        rows = deliveries(newsroom.db)
    if as_json:
        emit_json(rows)
    else:
        for row in rows:
            said = ": ".join(str(row[key]) for key in ("reason", "answer") if row[key])
            why = f" ({said})" if said and row["status"] != "sent" else ""
            click.echo(f"{row['address']}: {row['status']}{why}")
        done(
            f"{counted(sum(row['status'] == 'sent' for row in rows), 'editor has', 'editors have')} "
            "the newest mail. Next: digest report show."
            if rows
            else "No week is over yet. Next: digest report show."
        )
    if any(row["status"] not in ("sent", "queued") for row in rows):
        ctx.exit(1)


def _set(newsroom: "Newsroom") -> "tuple[Window, RenderedMail, bool]":
    """The week, its mail, and whether it is due. Nothing is changed."""
    from digest.service.report import closed_week, render_week, running_week

    with newsroom.open(read_only=True) as newsroom, newsroom.db.snapshot():
        now = newsroom.now()
        window = closed_week(newsroom, now)
        shown = window or running_week(newsroom, now)
        mail = render_week(newsroom, shown, now)
    return shown, mail, window is not None


def _when(newsroom: "Newsroom", window: "Window", due: bool) -> str:
    zone = newsroom.settings.report_zone
    if due:
        return f"The week until {local(window.ends_at, zone)} is over, and due."
    return "This is the week that runs: its mail is sent when it is over."


def _rehearse(newsroom: "Newsroom", out: Path, as_json: bool) -> None:
    from digest.editions.preview import EXAMPLE_ADDRESS, write_parts
    from digest.mail.notices import notice_message
    from digest.service.report import report_notice

    window, mail, due = _set(newsroom)
    addresses = newsroom.settings.report.mail_to or (EXAMPLE_ADDRESS,)
    notice = report_notice(window, mail)
    message = notice_message(newsroom.settings, notice, addresses[0], newsroom.signer)
    name = f"desk-{window.ends_at:%Y-%m-%d}"
    files = write_parts(out, name, message, mail)
    if as_json:
        emit_json({"due": due, "bytes": len(message), "files": [str(path) for path in files]})
        return
    whom = counted(len(newsroom.settings.report.mail_to), "editor")
    done(
        f"{_when(newsroom, window, due)} {mail.subject}: {len(message) / 1000:.1f} kB to {whom}. "
        f"Nothing was sent and nothing was changed. Next: open {files[1]}."
    )
