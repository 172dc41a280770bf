"""uvicorn behind a socket of ours, stopped by an event and not by signals of its own."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from math import ceil

import uvicorn

from digest.errors import NotReadyError
from digest.web.app import FeedApp
from digest.web.protocol import FeedProtocol

DRAIN_SECONDS = 5
"""For answers under way, and connections that stay open without a request."""


class _Server(uvicorn.Server):
    drain = 0.0

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Whoever has not taken its answer after `drain` seconds is cut off: it is no fault of ours."""
        parting = asyncio.get_running_loop().call_later(self.drain, self._cut_off)
        await super().shutdown(sockets)
        parting.cancel()

    def _cut_off(self) -> None:
        for one in list(self.server_state.connections):
            one.transport.abort()

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


async def serve(
    app: FeedApp, listener: socket.socket, stopping: asyncio.Event, drain: float = DRAIN_SECONDS
) -> None:
    """Answer until `stopping`; answers under way are finished, if that takes no longer than `drain`."""
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
            timeout_graceful_shutdown=ceil(drain) + 1,
        )
    )
    server.drain = drain
    answering = asyncio.create_task(server.serve(sockets=[listener]))
    ending = asyncio.create_task(stopping.wait())
    await asyncio.wait({answering, ending}, return_when=asyncio.FIRST_COMPLETED)
    server.should_exit = True
    ending.cancel()
    await answering
