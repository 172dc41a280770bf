"""`digest serve`, `schedule`, `alarms` and `report`."""

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from digest.cli.options import Number, current_newsroom, limit_option, out_option
from digest.cli.output import counted, json_option, local, show

if TYPE_CHECKING:
    import socket

    from digest.model import RenderedMail, Window
    from digest.newsroom import Newsroom


@click.command()
@click.option("--host", metavar="HOST", help="Listen here instead of at web.host.")
@click.option(
    "--port", type=Number(65535), metavar="PORT", help="Listen here instead of at web.port."
)
@click.option("--log-json", is_flag=True, default=False, help="Log JSON on a terminal too.")
def serve(host: str | None, port: int | None, log_json: bool) -> None:
    """Run the whole service until it is stopped.

    It ingests, publishes, composes, sends, reads bounces and serves the feeds. Of several services on
    one database one works; the others serve the feeds, and one takes over when it is gone. SIGTERM and
    Ctrl-C stop the service, SIGHUP reloads config.toml.
    """
    import asyncio
    import os
    import sys

    from digest.errors import StoreError
    from digest.service.service import configure_logging, log_event
    from digest.web.app import listen

    loop_factory: Any = None
    with contextlib.suppress(ImportError):  # uvloop does not support Windows
        import uvloop

        loop_factory = uvloop.new_event_loop
    newsroom = current_newsroom()
    web = newsroom.settings.web
    # Creates the database and its key before the first request. On a full disk the feeds are served all
    # the same, and the first mail makes the key; until then no link is known.
    try:
        with newsroom.open() as opened:
            _ = opened.token_key
    except StoreError as e:
        if not e.may_pass:
            raise
    listener = listen(host or web.host, port or web.port)
    plain = sys.stderr.isatty() and not log_json
    configure_logging(plain=plain)
    if plain:
        click.echo(_welcome(newsroom, *listener.getsockname()[:2]), err=True)
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        ended = runner.run(_serve(newsroom, listener))
        log_event("ended", whole=ended)
        if not ended:
            # Python would wait for a thread that is still at work and cannot be ended. The next
            # start settles what that thread was doing, as after a crash.
            os._exit(1)


def _welcome(newsroom: "Newsroom", host: str, port: int) -> str:
    """Where the service is, and what it does next, for the person who started it."""
    import ipaddress

    from digest.service.plan import wakeups

    settings = newsroom.settings
    zone = settings.site.time_zone
    if ipaddress.ip_address(host.partition("%")[0]).is_unspecified:  # all addresses of this machine
        host = "127.0.0.1"
    shown = f"[{host}]" if ":" in host else host
    editions = [
        f"closes an edition at {local(one.at, zone)} {zone} ({one.cause})"
        for one in wakeups(settings, newsroom.now(), 1)
        if one.cause.startswith("schedule of")
    ]
    then = "; ".join([f"every {settings.service.ingest_every_minutes:g} minutes after", *editions])
    return (
        f"{click.style(settings.site.title, bold=True)} is at http://{shown}:{port}/. Ctrl-C stops it.\n"
        f"It reads the sources and publishes the feeds now and {then}."
    )


async def _serve(newsroom: "Newsroom", listener: "socket.socket") -> bool:
    import asyncio
    import logging
    import signal
    import time

    from digest.config.values import secret
    from digest.errors import NotReadyError
    from digest.service.health import Health
    from digest.service.plan import Verb
    from digest.service.service import Service, log_event, notify, watchdog_seconds
    from digest.web import choosing, joining
    from digest.web.about import PLACES
    from digest.web.app import FeedApp, GuardedProtocol, connection_limit
    from digest.web.app import serve as answer
    from digest.web.desk import desk_forms
    from digest.web.files import FileCache
    from digest.web.forms import ReaderForms
    from digest.web.site import Site

    def files(of: "Newsroom") -> FileCache:
        web = of.settings.web
        return FileCache(
            of.settings.feeds.path,
            limit=int(web.memory_mib * 1024 * 1024 / 2),
            cache_seconds=web.cache_seconds,
            seconds=time.monotonic,
            hub=of.settings.feeds.hub,
            url=of.settings.feeds_url,
        )

    def reloaded(new: "Newsroom") -> None:
        settings, app.token = new.settings, None

        def wake(verb: str = Verb.LINKS) -> None:
            service.wake(Verb(verb))

        mounts = ReaderForms(new, parts=[joining.routes, choosing.routes], wake=wake).mounts
        if settings.desk.editors:
            mounts |= desk_forms(new, wake).mounts
        site = Site(
            new,
            PLACES,
            limit=int(settings.web.memory_mib * 1024 * 1024 / 2),
            seconds=time.monotonic,
        )
        app.serve(
            files(new),
            settings.feeds_url,
            mounts,
            settings.site.base_url,
            site if settings.web.site else None,
        )
        try:
            app.token = secret(env=None, file=settings.web.monitor_token_file)
        except NotReadyError as e:
            log_event("monitoring is closed", level=logging.ERROR, fault=str(e))

    def stop() -> None:
        if not stopping.is_set():
            stopping.set()
            log_event("stopping")
            notify("STOPPING=1")

    async def feed_watchdog() -> None:
        while (seconds := watchdog_seconds()) is not None:
            notify("WATCHDOG=1")
            await asyncio.sleep(seconds)

    service = Service(newsroom, reloaded)
    health = Health(service)
    reports = {"/readyz": health.ready, "/metrics": health.metrics}
    app = health.app = FeedApp(files(newsroom), newsroom.settings.feeds_url, reports)
    reloaded(newsroom)
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop)
    loop.add_signal_handler(signal.SIGINT, stop)
    loop.add_signal_handler(signal.SIGHUP, service.reload)
    mail = newsroom.settings.mail
    GuardedProtocol.most = connection_limit(sum(server.connections for server in mail.servers))
    web = asyncio.create_task(answer(app, listener, stopping))
    web.add_done_callback(lambda _: stopping.set())  # a service that cannot answer stops
    watchdog = asyncio.create_task(feed_watchdog())
    where, port = listener.getsockname()[:2]
    log_event("serving", host=where, port=port, feeds=app.root, connections=GuardedProtocol.most)
    notify("READY=1")
    ended = await service.run(stopping)
    await web
    watchdog.cancel()
    return ended


@click.command()
@json_option
def schedule(as_json: bool) -> None:
    """Show the next ten wake-ups of `digest serve`, and why.

    Each is shown with what it would find to do now.
    """
    from digest.service.plan import holder, outlook, wakeups

    newsroom = current_newsroom()
    coming = wakeups(newsroom.settings, newsroom.now(), 10)
    with newsroom.open(read_only=True) as newsroom:
        lease = holder(newsroom.db, newsroom.settings, newsroom.now())
        work = outlook(newsroom, newsroom.now())
    zone = newsroom.settings.site.time_zone
    show(
        as_json,
        {
            "holder": lease,
            "wakeups": [
                {"at": one.at, "verb": one.verb, "cause": one.cause, "now": work[one.verb]}
                for one in coming
            ],
        },
        f"Running: {lease}." if lease else "No service runs. Next: digest serve.",
        ("at", "verb", "because", "now it would"),
        ((local(one.at, zone), one.verb, one.cause, work[one.verb]) for one in coming),
        wide="now it would",
    )


@click.group()
def alarms() -> None:
    """Show open problems, and who was notified."""


@alarms.command("list")
@limit_option(20)
@json_option
def list_alarms(limit: int, as_json: bool) -> None:
    """List open alarms, then closed ones, newest first."""
    from digest.service.alarms import list_alarms as stored
    from digest.store.database import moment_from_text

    def notified(row: dict[str, Any]) -> str:
        """How many of its notices were accepted, of those that have not failed."""
        statuses = [one["status"] for one in row["messages"] if one["status"] != "failed"]
        if statuses:
            return f"{statuses.count('sent')} of {len(statuses)}"
        return "nobody" if row["raised_at"] else "not yet"

    newsroom = current_newsroom()
    with newsroom.open(read_only=True) as newsroom:
        rows = stored(newsroom.db, limit)
    zone = newsroom.settings.site.time_zone
    opened = [row for row in rows if row["closed_at"] is None]
    advice = "".join(f"\n{click.style(row['key'], bold=True)}: {row['advice']}\n" for row in opened)
    show(
        as_json,
        rows,
        f"{advice}{counted(len(opened), 'alarm is', 'alarms are')} open."
        if rows
        else "There has been no alarm. Next: digest alarms check.",
        ("since", "over", "notified", "key", "problem"),
        (
            (
                local(moment_from_text(row["began_at"]), zone),
                local(moment_from_text(row["gone_at"]), zone) if row["closed_at"] else "",
                notified(row),
                row["key"],
                row["said"],
            )
            for row in rows
        ),
        wide="problem",
    )


@alarms.command()
@click.option("--dry-run", is_flag=True, default=False, help="Show the problems, notify nobody.")
@json_option
@click.pass_context
def check(ctx: click.Context, dry_run: bool, as_json: bool) -> None:
    """Check for problems now, and send the notices that are due.

    The exit code is 1 if there is a problem.
    """
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
    lines = [
        f"{click.style(one.key, bold=True)}\n  {one.said}\n"
        f"  Since {local(one.since, settings.site.time_zone)}.\n  {one.advice}"
        for one in troubles
    ]
    problems = counted(len(troubles), "problem")
    whom = counted(len(places(settings)), "place")
    late = f", {report.put_off} not yet accepted: digest alarms list" if report.put_off else ""
    lines.append(
        f"{problems}; {len(report.raised)} would be notified to {whom}. Nobody was notified and "
        "nothing was changed."
        if dry_run
        else f"{problems}: {len(report.raised)} new, {len(report.closed)} over; "
        f"{counted(report.sent, 'message')} sent to {whom}{late}."
    )
    show(
        as_json,
        {
            "troubles": [
                {"key": t.key, "said": t.said, "since": t.since, "advice": t.advice}
                for t in troubles
            ],
            "raised": report.raised,
            "closed": report.closed,
            "told": report.sent,
            "put_off": report.put_off,
        },
        "\n".join(lines),
    )
    if troubles:
        ctx.exit(1)


@click.group("report")
def report_group() -> None:
    """Show or send the editors' weekly report."""


@report_group.command("show")
@json_option
def show_report(as_json: bool) -> None:
    """Show the report as it would be sent now."""
    newsroom = current_newsroom()
    window, mail, due, when = _report(newsroom)
    show(
        as_json,
        {
            "starts_at": window.starts_at,
            "ends_at": window.ends_at,
            "due": due,
            "subject": mail.subject,
            "text": mail.text,
        },
        f"{click.style(mail.subject, bold=True)}\n\n{mail.text}\n"
        f"{when} Next: digest report send --dry-run.",
    )


def _report(newsroom: "Newsroom") -> "tuple[Window, RenderedMail, bool, str]":
    """The week, its mail, whether it is due, and that in words. Nothing is changed."""
    from digest.service.report import closed_week, render_week, running_week

    with newsroom.open(read_only=True) as newsroom, newsroom.db.snapshot():
        now = newsroom.now()
        closed = closed_week(newsroom, now)
        window = closed or running_week(newsroom, now)
        mail = render_week(newsroom, window, now)
    if closed is None:
        return window, mail, False, "The week is not over; this is its report so far."
    until = local(window.ends_at, newsroom.settings.report_zone)
    return window, mail, True, f"The week until {until} is over, and its report is due."


@report_group.command("send")
@click.option("--dry-run", is_flag=True, default=False, help="Write the mail, send nothing.")
@out_option
@json_option
@click.pass_context
def send_report_now(ctx: click.Context, dry_run: bool, out: Path, as_json: bool) -> None:
    """Send each editor last week's report once.

    What is still queued of earlier reports is sent too.
    """
    newsroom = current_newsroom()
    if dry_run:
        _rehearse(newsroom, out, as_json)
        return
    from digest.cli.send import stopping
    from digest.editions.deliver import sending
    from digest.service.report import check_wanted, deliveries, send_report

    check_wanted(newsroom.settings)
    with newsroom.open() as opened, sending(opened) as newsroom, stopping() as stop:
        send_report(newsroom, stop=stop)
        rows = deliveries(newsroom.db)
    lines = []
    for row in rows:
        reason = ": ".join(str(row[key]) for key in ("reason", "answer") if row[key])
        why = f" ({reason})" if reason and row["status"] != "sent" else ""
        lines.append(f"{row['address']}: {row['status']}{why}")
    sent = counted(sum(row["status"] == "sent" for row in rows), "editor has", "editors have")
    lines.append(f"{sent} the newest report." if rows else "No week is over yet.")
    show(as_json, rows, "\n".join(lines) + " Next: digest report show.")
    if any(row["status"] not in ("sent", "queued") for row in rows):
        ctx.exit(1)


def _rehearse(newsroom: "Newsroom", out: Path, as_json: bool) -> None:
    from digest.editions.preview import write_parts
    from digest.mail.notices import outgoing
    from digest.mail.tokens import EXAMPLE_ADDRESS
    from digest.service.report import report_notice

    window, mail, due, when = _report(newsroom)
    editors = newsroom.settings.report.mail_to
    address = editors[0] if editors else EXAMPLE_ADDRESS
    notice = report_notice(newsroom.settings, window, mail, address)
    message = outgoing(0, notice, newsroom.signer).message
    files = write_parts(out, f"desk-{window.ends_at:%Y-%m-%d}", message)
    show(
        as_json,
        {"due": due, "bytes": len(message), "files": [str(path) for path in files]},
        f"{when} {mail.subject}: {len(message) / 1000:.1f} kB to {counted(len(editors), 'editor')}. "
        f"Nothing was sent and nothing was changed. Next: open {files[1]}.",
    )
