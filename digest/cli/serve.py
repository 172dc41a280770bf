"""`digest serve` and `digest schedule`."""

from typing import TYPE_CHECKING, Any

import click

from digest.cli.desk import runtime
from digest.cli.output import done, emit_json, json_option, local, table

if TYPE_CHECKING:
    import asyncio
    import socket

    from digest.runtime import Runtime

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

    from digest.schedule.journal import open_journal, tell
    from digest.web.app import listen

    room = runtime()
    web = room.settings.web
    with room.open():  # made before anybody asks for it
        pass
    listener = listen(host or web.host, port or web.port)
    open_journal()
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        ended = runner.run(_serve(room, listener))
        tell("ended", whole=ended)
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


async def _serve(room: "Runtime", listener: "socket.socket") -> bool:
    import asyncio
    import time

    from digest.schedule.journal import tell
    from digest.schedule.notify import notify
    from digest.schedule.service import Service
    from digest.web.app import FeedApp
    from digest.web.app import serve as answer
    from digest.web.files import FileCache
    from digest.web.health import Health

    def files(of: "Runtime") -> FileCache:
        web = of.settings.web
        return FileCache(
            of.settings.feeds.path,
            limit=int(web.memory_mib * 1024 * 1024),
            cache_seconds=web.cache_seconds,
            seconds=time.monotonic,
        )

    service = Service(room, lambda new: app.serve(files(new), new.settings.feeds_url))
    health = Health(service)
    app = FeedApp(
        files(room),
        room.settings.feeds_url,
        {"/readyz": health.ready, "/metrics": health.metrics},
    )
    health.app = app
    stopping = asyncio.Event()
    _on_signals(stopping, service.reload)
    web = asyncio.create_task(answer(app, listener, stopping))
    web.add_done_callback(lambda _: stopping.set())  # a service that cannot answer ends
    guard = asyncio.create_task(_watchdog())
    where, port = listener.getsockname()[:2]
    tell("serving", host=where, port=port, feeds=app.root)
    notify("READY=1")
    ended = await service.run(stopping)
    await web
    guard.cancel()
    return ended


def _on_signals(stopping: "asyncio.Event", reload: Any) -> None:
    import asyncio
    import signal

    from digest.schedule.journal import tell
    from digest.schedule.notify import notify

    def stop() -> None:
        first = not stopping.is_set()
        stopping.set()
        if first:
            tell("stopping")
            notify("STOPPING=1")

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop)
    loop.add_signal_handler(signal.SIGINT, stop)
    loop.add_signal_handler(signal.SIGHUP, reload)


async def _watchdog() -> None:
    import asyncio

    from digest.schedule.notify import notify, watchdog_seconds

    seconds = watchdog_seconds()
    while seconds is not None:
        notify("WATCHDOG=1")
        await asyncio.sleep(seconds)


@click.command()
@json_option
def schedule(as_json: bool) -> None:
    """The next ten times that `digest serve` wakes, and what each would find to do now."""
    from digest.schedule.outlook import holder, outlook
    from digest.schedule.plan import wakeups

    room = runtime()
    coming = wakeups(room.settings, room.now(), SOON)
    with room.open(read_only=True) as db:
        lease = holder(db, room.settings, room.now())
        found = outlook(db, room.settings, room.now())
    if as_json:
        emit_json(
            {
                "holder": lease,
                "wakeups": [
                    {"at": one.at, "verb": one.verb, "cause": one.cause, "now": found[one.verb]}
                    for one in coming
                ],
            }
        )
        return
    zone = room.settings.site.time_zone
    table(
        ("at", "verb", "because", "now it would"),
        [(local(one.at, zone), one.verb, one.cause, found[one.verb]) for one in coming],
        wide="now it would",
    )
    done(f"Held by {lease}." if lease else "No service runs. Next: digest serve.")
