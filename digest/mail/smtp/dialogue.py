"""The bytes of an SMTP transaction: commands and bodies to write, replies to read. Pure."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from digest.mail.answers import MALFORMED

LONGEST_REPLY = 32_768
"""Octets that one reply may have, all its lines together."""

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

    What is no reply comes out as MALFORMED, and so does everything after it: the dialogue is lost.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._lines: list[str] = []
        self._broken = False

    @property
    def midway(self) -> bool:
        """Whether a part of a reply has come, and its end has not."""
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
    """Refuse an address that cannot stand in an envelope.

    Raises:
        ValueError: it is no ASCII mailbox, or would carry a command of its own.
    """
    if len(address) > 320 or not _ADDRESS.fullmatch(address):
        raise ValueError(f"not an ASCII mailbox that SMTP can carry: {address!r}")


def envelope(sender: str, recipient: str, *, size: int | None, reset: bool) -> bytes:
    """MAIL, RCPT and DATA as one group (RFC 2920 section 3.1), after RSET if `reset`.

    `size` is announced in octets where the server knows SIZE (RFC 1870), else None.
    """
    start = "RSET\r\n" if reset else ""
    octets = "" if size is None else f" SIZE={size}"
    return f"{start}MAIL FROM:<{sender}>{octets}\r\nRCPT TO:<{recipient}>\r\nDATA\r\n".encode(
        "ascii"
    )


def check_message(message: bytes) -> None:
    """Refuse what is not 7-bit, or has a line end other than CRLF.

    A bare CR or LF is how a second message is smuggled into the first.

    Raises:
        ValueError: the message breaks the promise of Outgoing.
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
