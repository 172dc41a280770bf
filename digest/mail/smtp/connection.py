"""One open connection to a server: the bytes of the dialogue, and the link that carries it."""

import asyncio
import math
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, cast

from digest.language.text import foreign
from digest.mail.ledger import MALFORMED
from digest.mail.outgoing import Outgoing, Phase

if TYPE_CHECKING:
    from aiosmtplib import SMTP


LONGEST_REPLY = 32_768
"""Octets that one reply may have, all its lines together."""

QUIT_SECONDS = 2.0
"""How long to wait for the answer to QUIT."""

MOST_REPLIES = 16
"""Answers that may wait to be read; two messages under way have nine."""

LEAST_SECONDS = 0.05
"""Nothing is tried in less time than this."""

CLOSING = 421
START_INPUT = 354

_ADDRESS = re.compile(
    r"(?:[!#-'*+\-./0-9=?A-Z^_`a-z{|}~]+"  # a dot-string, RFC 5321 section 4.1.2
    r'|"(?:[ !#-\[\]-~]|\\[ -~])*")'  # or a quoted string
    r"@(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.IPv]+\])"
)

_NO_LINE_END = bytes(octet for octet in range(256) if octet not in b"\r\n")
_REPLY_LINE = re.compile(rb"([2-5]\d\d)(?:([ -])(.*))?", re.DOTALL)


class Reply(NamedTuple):
    """One answer of a server: its code, and its lines without the code as one clean line."""

    code: int
    text: str

    @property
    def good(self) -> bool:
        return 200 <= self.code < 300


class ReplyReader:
    """Cuts what a server sends into replies (RFC 5321 section 4.2.1).

    Anything else becomes a MALFORMED reply, and nothing follows: the dialogue is lost.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._lines: list[bytes] = []
        self._broken = False

    @property
    def midway(self) -> bool:
        """Whether a reply has begun and not ended."""
        return bool(self._rest or self._lines)

    def feed(self, data: bytes) -> Iterator[Reply]:
        """The replies that `data` completes, in order."""
        if self._broken:
            return
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            found = _REPLY_LINE.fullmatch(line.rstrip(b"\r"))
            if found is None:
                yield self._malformed(line)
                return
            self._lines.append((found[3] or b"").strip())
            if found[2] != b"-":
                yield Reply(int(found[1]), foreign(b" ".join(self._lines)))
                self._lines.clear()
        if len(self._rest) + sum(map(len, self._lines)) > LONGEST_REPLY:
            yield self._malformed(self._rest)

    def _malformed(self, line: bytes) -> Reply:
        self._broken = True
        return Reply(MALFORMED, foreign(b"no SMTP reply: " + line[:200]))


def check_address(address: str) -> None:
    """Refuse an address that is invalid in an envelope.

    Raises:
        ValueError: it is not an ASCII mailbox, or would smuggle in another command.
    """
    if len(address) > 320 or not _ADDRESS.fullmatch(address):
        raise ValueError(f"not an ASCII mailbox that SMTP can carry: {address!r}")


def envelope_commands(
    sender: str, recipient: str, *, size: int | None, reset: bool
) -> tuple[bytes, ...]:
    """MAIL, RCPT and DATA, after RSET if `reset`.

    `size` is in octets; None where the server does not know SIZE (RFC 1870).
    """
    octets = "" if size is None else f" SIZE={size}"
    lines = (f"MAIL FROM:<{sender}>{octets}", f"RCPT TO:<{recipient}>", "DATA")
    return tuple(f"{line}\r\n".encode("ascii") for line in ("RSET",) * reset + lines)


def check_message(message: bytes) -> None:
    """Refuse a message that is not 7-bit, or has a line end other than CRLF: a bare CR or LF could
    smuggle a second message into the first.

    Raises:
        ValueError: the message is not as Outgoing promises.
    """
    # With c CRLF, r bare CR and n bare LF there are c+r+n lines and 2c+r+n such octets.
    lines = len(message.splitlines())
    unended = bool(lines) and not message.endswith((b"\r", b"\n"))
    octets = len(message.translate(None, _NO_LINE_END))
    if not message.isascii() or octets != 2 * (lines - unended):
        raise ValueError("a message must be 7-bit, and all its lines must end in CRLF")


def body_with_end(message: bytes, *, wire_ready: bool = False) -> bytes:
    """The message as it goes over the wire: dots stuffed (RFC 5321 section 4.5.2), final dot."""
    if wire_ready:
        return message + b".\r\n"
    stuffed = message.replace(b"\r\n.", b"\r\n..")
    first = b"." if stuffed.startswith(b".") else b""
    last = b".\r\n" if stuffed.endswith(b"\r\n") else b"\r\n.\r\n"
    return b"".join((first, stuffed, last))


OUT_OF_TURN = "the server spoke out of turn"


def no_answer(seconds: float) -> str:
    return f"no answer within {seconds:.3g} s" if seconds else "no time left to try it"


class LinkLostError(Exception):
    """The connection was lost, or the server did not answer in time; no answer will come."""

    def __init__(self, phase: Phase, text: str) -> None:
        self.phase = phase
        self.text = text
        super().__init__(f"{phase}: {text}")


class Refusal(NamedTuple):
    """An answer that ends a message before its body."""

    reply: Reply
    phase: Phase


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds to wait: for a connection with TLS and login, for the answer to a command, to the end of
    the body. None of them ends later than `until`, a time of the event loop's clock."""

    connect: float
    command: float
    data: float
    until: float = math.inf

    def capped(self, seconds: float) -> float:
        left = self.until - asyncio.get_running_loop().time()
        return min(seconds, left) if left > LEAST_SECONDS else 0.0

    @property
    def over(self) -> bool:
        return not self.capped(math.inf)


class Link(asyncio.Protocol):
    """A connection that carries one message at a time: begin, envelope, end, ended.

    With PIPELINING (RFC 2920) commands go out in groups, the next message right behind the end of this
    one; without, each command waits for the answer to the one before.
    """

    def __init__(self, client: "SMTP", timeouts: Timeouts) -> None:
        transport = client.transport
        if transport is None or transport.is_closing():
            raise LinkLostError(Phase.EHLO, "the server closed the connection")
        self.pipelining = client.supports_extension("pipelining")
        self._client = client
        self._transport = cast(asyncio.Transport, transport)
        self._timeouts = timeouts
        self._announces_size = client.supports_extension("size")
        self._loop = asyncio.get_running_loop()
        self._reader = ReplyReader()
        self._replies: deque[Reply] = deque()
        self._unwritten: deque[bytes] = deque()  # commands, without PIPELINING
        self._waiter: asyncio.Future[None] | None = None
        self._lost: str | None = None
        self._closing = False
        self._unreset = False  # the server still holds a refused envelope
        self._resetting = False  # the answer to RSET comes before that to MAIL
        self._transport.set_protocol(self)

    def data_received(self, data: bytes) -> None:
        self._replies.extend(self._reader.feed(data))
        if len(self._replies) > MOST_REPLIES:
            self._lost = OUT_OF_TURN
            self.abort()
        if self._replies:
            self._wake(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = self._lost or str(exc or "") or "the server closed the connection"
        self._wake(self._lost)

    @property
    def usable(self) -> bool:
        """Whether a message may begin now that none is under way. A reply that we did not ask for, such
        as 421 after idle time, ends the dialogue."""
        strays = self._replies or self._reader.midway
        return not (self._lost or self._closing or self._transport.is_closing() or strays)

    def begin(self, message: Outgoing) -> None:
        """Start a message. If the connection is lost, the message can begin on another one."""
        if self.pipelining:
            self._transport.write(b"".join(self._commands(message)))
        else:
            self._unwritten.extend(self._commands(message))

    def _commands(self, message: Outgoing) -> tuple[bytes, ...]:
        self._resetting, self._unreset = self._unreset, False
        size = len(message.message) if self._announces_size else None
        sender, recipient = message.sender, message.recipient
        return envelope_commands(sender, recipient, size=size, reset=self._resetting)

    async def envelope(self) -> Refusal | None:
        """The refusal of the envelope; None if it was accepted. Raises LinkLostError."""
        if self._resetting and not (reply := await self._reply(Phase.MAIL)).good:
            self._closing = True
            return Refusal(reply, Phase.MAIL)
        refusal: Refusal | None = None
        for phase in (Phase.MAIL, Phase.RCPT, Phase.DATA):
            try:
                reply = await self._reply(phase)
            except LinkLostError:
                if refusal is None:
                    raise
                return refusal
            taken = reply.code == START_INPUT if phase is Phase.DATA else reply.good
            if not taken:
                refusal = refusal or Refusal(reply, phase)
                self._closing |= reply.code < 400  # the answer to something else
            if self._closing:
                return refusal
            if refusal is not None and self._unwritten:
                break
        self._unwritten.clear()
        if refusal is None:
            return None
        if reply.code != START_INPUT:
            self._unreset = True
            return refusal
        # DATA was accepted without a recipient: RFC 2920 section 3.1 wants a lone dot.
        self._transport.write(b".\r\n")
        try:
            await self._reply(Phase.END)
        except LinkLostError:
            self._closing = True
        return refusal

    def end(self, message: Outgoing, then: Outgoing | None) -> None:
        """Write the whole body with its end, and begin `then` behind it.

        Raises LinkLostError only if nothing has been written.
        """
        if not self.usable:
            raise LinkLostError(Phase.DATA, self._lost or OUT_OF_TURN)
        body = body_with_end(message.message, wire_ready=message.wire_ready)
        self._transport.write(body if then is None else b"".join((body, *self._commands(then))))

    async def ended(self) -> Reply:
        """The server's final answer. Raises LinkLostError: the outcome is unknown."""
        return await self._reply(Phase.END)

    async def close(self) -> None:
        """Close with QUIT. No message may be under way."""
        try:
            if self.usable:
                self._transport.write(b"QUIT\r\n")
                await self._reply(Phase.END, min(QUIT_SECONDS, self._timeouts.command))
        except LinkLostError:
            pass  # every message has its outcome already
        finally:
            self.abort()

    def abort(self) -> None:
        """Close at once, whatever is under way."""
        self._closing = True
        self._transport.abort()  # TLS would wait for the server, even after the end of the loop
        self._client.close()

    async def _reply(self, phase: Phase, seconds: float | None = None) -> Reply:
        if self._unwritten:
            if not self.usable:
                raise LinkLostError(phase, self._lost or OUT_OF_TURN)
            self._transport.write(self._unwritten.popleft())
        if not self._replies:
            if self._lost is not None or self._closing:
                raise LinkLostError(phase, self._lost or "the connection was closed before")
            if seconds is None:
                seconds = self._timeouts.data if phase is Phase.END else self._timeouts.command
            await self._wait(phase, seconds)
        reply = self._replies.popleft()
        if reply.code in (CLOSING, MALFORMED):
            self._closing = True
        return reply

    async def _wait(self, phase: Phase, seconds: float) -> None:
        seconds = self._timeouts.capped(seconds)
        self._waiter = self._loop.create_future()
        timer = self._loop.call_later(seconds, self._wake, no_answer(seconds))
        try:
            await self._waiter
        except ConnectionError as e:
            self._closing = True
            raise LinkLostError(phase, str(e)) from None
        finally:
            timer.cancel()
            self._waiter = None

    def _wake(self, lost: str | None) -> None:
        if self._waiter is None or self._waiter.done():
            return
        if lost is None:
            self._waiter.set_result(None)
        else:
            self._waiter.set_exception(ConnectionError(lost))
