"""HTTP/1.1 for feeds that are in memory: answered as soon as the request's head is read.

Anything else (another method, a body, HTTP/1.0, a slow reader, a file that must be looked at) takes
uvicorn's own way through the application, which answers the same.

Nobody holds a connection for ever: not by silence, not by a head that does not end, and not by an
answer that is not taken. Who takes it, however slowly, gets it whole.
"""

import asyncio
import contextlib
import struct
import sys

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from digest.web.app import FeedApp

SPECIAL = frozenset({b"connection", b"content-length", b"expect", b"transfer-encoding", b"upgrade"})
"""Headers that ask for more than an answer: for a body to be read, or for the connection's end."""
ONE_PIECE = 100_000
"""Bodies up to here leave with their head: copying so many bytes takes less than a second piece to
write. Larger ones are not copied, as a slow reader would hold a copy of its own.
"""
LONGEST_HEAD = 65_536
"""Bytes of a request before its body; feed readers need a few hundred."""
TOO_LONG = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class FeedProtocol(HttpToolsProtocol):
    """uvicorn's protocol with a short way; its configuration must hold a FeedApp."""

    _answered = False
    _moved_at = 0.0
    _untaken = 0
    _head = 0
    _rest: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # uvicorn's
        super().connection_made(transport)
        self._moved_at = self.loop.time()
        self._rest = self.loop.call_later(self.timeout_keep_alive, self._look)

    def data_received(self, data: bytes) -> None:
        self._head += len(data)
        super().data_received(data)
        if self._head > LONGEST_HEAD and not self.transport.is_closing():
            if self._idle:
                self.transport.write(TOO_LONG)
            self.transport.close()

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
        self._head = 0
        self._moved_at = self.loop.time()
        self._answered = self._answer_at_once()
        if not self._answered:
            url, headers, expect = self.url, self.headers, self.expect_100_continue
            super().on_message_begin()  # the scope, which only the long way needs
            self.url, self.expect_100_continue = url, expect
            self.headers.extend(headers)
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._head = 0
        if not self._answered:
            super().on_body(body)

    def on_message_complete(self) -> None:
        if not self._answered:
            super().on_message_complete()

    def _answer_at_once(self) -> bool:
        if not self._idle or self.flow.write_paused or self.transport.is_closing():
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
        return True

    def timeout_keep_alive_handler(self) -> None:
        """uvicorn's timer after an answer of the long way: `_look` sees to it."""

    def _unsupported_upgrade_warning(self) -> None:
        """Who offers another protocol gets HTTP/1.1, and the log hears nothing of it."""

    def _look(self) -> None:
        """Part from a connection on which nothing has moved for the keep-alive time: no whole head has
        come, and nothing of an answer was taken. What is left of one may still go out; who has taken
        nothing of it one such time later is cut off.

        One timer a connection: one for each answer costs as much as half of the answer.
        """
        now, untaken = self.loop.time(), self._count_untaken()
        at_work = not (
            self._idle or self.flow.write_paused
        )  # an answer waits, and not for its reader
        if untaken != self._untaken or at_work:
            self._untaken, self._moved_at = untaken, now
        left = self._moved_at + self.timeout_keep_alive - now
        if left <= 0:
            if self.transport.is_closing():
                self.transport.abort()
                return
            self.transport.close()
            left = self.timeout_keep_alive
        self._rest = self.loop.call_later(left, self._look)

    @property
    def _idle(self) -> bool:
        """Whether no request is on the long way."""
        return getattr(self.cycle, "response_complete", True)  # None before the first one

    def _count_untaken(self) -> int:
        """Bytes of answers that have not reached the reader. Where the system does not tell how much
        of them it holds, they are only those that it has not yet taken from us.
        """
        untaken = self.transport.get_write_buffer_size()
        if sys.platform == "linux":
            import fcntl
            import termios

            channel = self.transport.get_extra_info("socket")
            with contextlib.suppress(OSError):  # it is closed: nothing is left
                found = fcntl.ioctl(channel.fileno(), termios.TIOCOUTQ, bytes(4))
                untaken += struct.unpack("i", found)[0]
        return untaken
