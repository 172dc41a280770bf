"""HTTP/1.1 for feeds that are in memory: answered as soon as the request's head is read.

Anything else (another method, a body, HTTP/1.0, a slow reader, a file that must be looked at) takes
uvicorn's own way through the application, which answers the same.
"""

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from digest.web.app import FeedApp

SPECIAL = frozenset({b"connection", b"content-length", b"expect", b"transfer-encoding", b"upgrade"})
"""Headers that ask for more than an answer: for a body to be read, or for the connection's end."""
ONE_PIECE = 100_000
"""Bodies up to here leave with their head: copying so many bytes takes less than a second piece to
write. Larger ones are not copied, as a slow reader would hold a copy of its own.
"""


class FeedProtocol(HttpToolsProtocol):
    """uvicorn's protocol with a short way; its configuration must hold a FeedApp."""

    _answered = False
    _heard_at = 0.0
    _rest: asyncio.TimerHandle | None = None

    def data_received(self, data: bytes) -> None:
        self._heard_at = self.loop.time()
        super().data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._rest is not None:
            self._rest.cancel()
            self._rest = None
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        self.url = b""
        self.headers = []
        self.expect_100_continue = False

    def on_headers_complete(self) -> None:
        self._answered = self._answer_at_once()
        if not self._answered:
            url, headers, expect = self.url, self.headers, self.expect_100_continue
            super().on_message_begin()  # the scope, which only the long way needs
            self.url, self.expect_100_continue = url, expect
            self.headers.extend(headers)
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if not self._answered:
            super().on_body(body)

    def on_message_complete(self) -> None:
        if not self._answered:
            super().on_message_complete()

    def _answer_at_once(self) -> bool:
        idle = getattr(self.cycle, "response_complete", True)  # None before the first long way
        if not idle or self.flow.write_paused or self.transport.is_closing():
            return False
        if self.parser.get_method() != b"GET" or self.parser.get_http_version() != "1.1":
            return False
        if any(name in SPECIAL for name, _ in self.headers):
            return False
        app = self.config.app
        if not isinstance(app, FeedApp):
            return False
        found = app.at_once(self.url, self.headers)
        if found is None:
            return False
        head, body = found
        lines = [b"%s: %s\r\n" % pair for pair in self.server_state.default_headers]
        if len(body) > ONE_PIECE:
            self.transport.write(b"".join((head, *lines, b"\r\n")))
            self.transport.write(body)
        else:
            self.transport.write(b"".join((head, *lines, b"\r\n", body)))
        self.server_state.total_requests += 1
        if self._rest is None:
            self._rest = self.loop.call_later(self.timeout_keep_alive, self._rested)
        return True

    def _rested(self) -> None:
        """Part from a reader who has been silent for the keep-alive time. One timer a connection, which
        looks when something was last heard: one for each answer costs as much as half of the answer.
        """
        self._rest = None
        left = self._heard_at + self.timeout_keep_alive - self.loop.time()
        if left > 0:
            self._rest = self.loop.call_later(left, self._rested)
        elif getattr(self.cycle, "response_complete", True):  # the long way sets its own timer
            self.timeout_keep_alive_handler()
