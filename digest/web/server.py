"""uvicorn behind a socket of ours, stopped by an event and not by signals of its own."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import uvicorn

from digest.errors import NotReadyError
from digest.web.app import FeedApp
from digest.web.protocol import FeedProtocol

DRAIN_SECONDS = 5
"""For answers under way, and connections that stay open without a request."""


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the service's."""
        yield


def listen(host: str, port: int) -> socket.socket:
    """A socket that takes connections.

    Raises:
        NotReadyError: the port is taken, or the address is not ours.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as e:
        raise NotReadyError(
            f"cannot listen on {host}, port {port}: {e.strerror or e}. Stop what listens there, or "
            "set another web.port or web.host."
        ) from e


async def serve(app: FeedApp, listener: socket.socket, stopping: asyncio.Event) -> None:
    """Answer until `stopping`; answers under way are finished."""
    server = _Server(
        uvicorn.Config(
            app,
            http=FeedProtocol,
            lifespan="off",
            ws="none",
            access_log=False,
            log_config=None,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=30,
            timeout_graceful_shutdown=DRAIN_SECONDS,
        )
    )
    answering = asyncio.create_task(server.serve(sockets=[listener]))
    ending = asyncio.create_task(stopping.wait())
    await asyncio.wait({answering, ending}, return_when=asyncio.FIRST_COMPLETED)
    server.should_exit = True
    ending.cancel()
    await answering
