"""One open connection to a server: the bytes of the dialogue, and the two kinds of link."""

import asyncio
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, cast

from digest.mail.ledger import MALFORMED
from digest.mail.outgoing import Outgoing, Phase

if TYPE_CHECKING:
    from aiosmtplib import SMTP


LONGEST_REPLY = 32_768
"""Octets that one reply may have, all its lines together."""

QUIT_SECONDS = 2.0
"""How long to wait for the answer to QUIT."""

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
    """One answer of a server: its code, and its lines without the code, joined by a space."""

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
        self._lines: list[str] = []
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
            text = (found[3] or b"").decode("utf-8", "replace").strip()
            if found[2] == b"-":
                self._lines.append(text)
                continue
            yield Reply(int(found[1]), " ".join([*self._lines, text]).strip())
            self._lines.clear()
        if len(self._rest) + sum(map(len, self._lines)) > LONGEST_REPLY:
            yield self._malformed(self._rest)

    def _malformed(self, line: bytes) -> Reply:
        self._broken = True
        return Reply(MALFORMED, f"no SMTP reply: {line[:200]!r}")


def check_address(address: str) -> None:
    """Refuse an address that is invalid in an envelope.

    Raises:
        ValueError: it is not an ASCII mailbox, or would smuggle in another command.
    """
    if len(address) > 320 or not _ADDRESS.fullmatch(address):
        raise ValueError(f"not an ASCII mailbox that SMTP can carry: {address!r}")


def envelope_group(sender: str, recipient: str, *, size: int | None, reset: bool) -> bytes:
    """MAIL, RCPT and DATA as one group (RFC 2920 section 3.1), after RSET if `reset`.

    `size` is in octets; None where the server does not know SIZE (RFC 1870).
    """
    start = "RSET\r\n" if reset else ""
    octets = "" if size is None else f" SIZE={size}"
    group = f"{start}MAIL FROM:<{sender}>{octets}\r\nRCPT TO:<{recipient}>\r\nDATA\r\n"
    return group.encode("ascii")


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
    """Seconds to wait for an answer: to opening, to a command, to the end of the body."""

    connect: float
    command: float
    data: float


class PipelinedLink(asyncio.Protocol):
    """A link that writes commands in groups and reads the replies in their order."""

    pipelining = True
    """The next message may begin right behind the end of this one."""

    def __init__(self, client: "SMTP", timeouts: Timeouts) -> None:
        transport = client.transport
        if transport is None or transport.is_closing():
            raise LinkLostError(Phase.EHLO, "the server closed the connection")
        self._client = client
        self._transport = cast(asyncio.Transport, transport)
        self._timeouts = timeouts
        self._announces_size = client.supports_extension("size")
        self._loop = asyncio.get_running_loop()
        self._reader = ReplyReader()
        self._replies: deque[Reply] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._lost: str | None = None
        self._closing = False
        self._unreset = False  # the server still holds a refused envelope
        self._resetting = False  # the answer to RSET comes before that to MAIL
        self._transport.set_protocol(self)

    def data_received(self, data: bytes) -> None:
        self._replies.extend(self._reader.feed(data))
        if self._replies:
            self._wake(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = str(exc or "") or "the server closed the connection"
        self._wake(self._lost)

    @property
    def usable(self) -> bool:
        """Whether a message may begin now that none is under way. A reply that we did not ask for, such
        as 421 after idle time, ends the dialogue."""
        strays = self._replies or self._reader.midway
        return not (self._lost or self._closing or self._transport.is_closing() or strays)

    def begin(self, message: Outgoing) -> None:
        """Start a message. If the connection is lost, the message can begin on another one."""
        self._transport.write(self._group(message))

    def _group(self, message: Outgoing) -> bytes:
        self._resetting, self._unreset = self._unreset, False
        size = len(message.message) if self._announces_size else None
        return envelope_group(message.sender, message.recipient, size=size, reset=self._resetting)

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
            if not taken and refusal is None:
                refusal = Refusal(reply, phase)
            if self._closing:
                return refusal
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
            raise LinkLostError(Phase.DATA, self._lost or "the server spoke out of turn")
        body = body_with_end(message.message, wire_ready=message.wire_ready)
        self._transport.write(body if then is None else body + self._group(then))

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
        self._waiter = self._loop.create_future()
        timer = self._loop.call_later(seconds, self._wake, f"no answer within {seconds:g} s")
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


class PlainLink:
    """A link with the same methods by aiosmtplib's own commands, one round trip each."""

    pipelining = False

    def __init__(self, client: "SMTP", timeouts: Timeouts) -> None:
        self._client = client
        self._timeouts = timeouts
        self._message: Outgoing | None = None
        self._body = b""
        self._closing = False
        self._unreset = False

    @property
    def usable(self) -> bool:
        return self._client.is_connected and not self._closing

    def begin(self, message: Outgoing) -> None:
        self._message = message

    async def envelope(self) -> Refusal | None:
        from aiosmtplib import SMTPResponseException

        message = self._message
        assert message is not None, "begin comes first"  # noqa: S101  the order of Link's calls
        phase = Phase.MAIL
        try:
            if self._unreset:
                await self._client.rset()
            self._unreset = True
            sized = self._client.supports_extension("size")
            options = [f"SIZE={len(message.message)}"] if sized else []
            await self._client.mail(message.sender, options=options)
            phase = Phase.RCPT
            await self._client.rcpt(message.recipient)
        except SMTPResponseException as e:
            return Refusal(self._noted(e.code, e.message), phase)
        except (ConnectionError, TimeoutError) as e:
            raise LinkLostError(phase, str(e)) from e
        return None

    def end(self, message: Outgoing, then: Outgoing | None) -> None:
        if not self.usable:
            raise LinkLostError(Phase.DATA, "the server closed the connection")
        self._body = message.message

    async def ended(self) -> Reply:
        """DATA, the body and the final answer. A connection lost anywhere in them counts as lost
        at the end, and a refusal of DATA as the final answer."""
        from aiosmtplib import SMTPResponseException

        try:
            code, text = await self._client.data(self._body, timeout=self._timeouts.data)
        except SMTPResponseException as e:
            return self._noted(e.code, e.message)
        except (ConnectionError, TimeoutError) as e:
            raise LinkLostError(Phase.END, str(e)) from e
        self._unreset = False
        return self._noted(code, text)

    async def close(self) -> None:
        from aiosmtplib import SMTPException

        try:
            if self.usable:
                await self._client.quit(timeout=min(QUIT_SECONDS, self._timeouts.command))
        except SMTPException:
            pass  # every message has its outcome already
        finally:
            self.abort()

    def abort(self) -> None:
        self._closing = True
        if self._client.transport is not None:
            cast(asyncio.Transport, self._client.transport).abort()
        self._client.close()

    def _noted(self, code: int, text: str) -> Reply:
        if code in (CLOSING, MALFORMED):
            self._closing = True
        return Reply(code, " ".join(text.split("\n")))


Link = PipelinedLink | PlainLink
"""A connection that carries one message at a time: begin, envelope, end, ended."""
