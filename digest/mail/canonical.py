"""DKIM's relaxed form of a message (RFC 6376 §3.4), made by whole-message operations.

Each operation runs over all bytes at once and the time grows only with their number: an expression
that looks at each blank costs twenty times as much.
"""

from collections.abc import Iterator


def relaxed_body(body: bytes) -> bytes:
    """A body in relaxed form (§3.4.4): no blanks at line ends, one for several, no empty end.

    `body` has CRLF line ends; its last line may lack one. An empty body stays empty.
    """
    text = _single_blanks(body).replace(b" \r\n", b"\r\n")
    if text.endswith(b" "):
        text = text[:-1]
    end = len(text)
    while text.endswith(b"\r\n", 0, end):
        end -= 2
    return text[:end] + b"\r\n" if end else b""


def relaxed_fields(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Each header field of a block in relaxed form (§3.4.2), in order: lower-case name, whole line.

    A line is `name:value` without its CRLF, unfolded, one blank for several, none around the colon
    or at the end. The block ends before the empty line; an empty line at its end does no harm.

    Raises:
        ValueError: a line is no header field.
    """
    unfolded = block.replace(b"\r\n ", b" ").replace(b"\r\n\t", b" ")
    for line in _single_blanks(unfolded).split(b"\r\n"):
        name, colon, value = line.partition(b":")
        if colon:
            name = name.rstrip().lower()
            yield name, name + b":" + value.strip(b" ")
        elif line:
            raise ValueError(f"found {line[:60]!r} among the headers, which is no header field")


def wire_form_fault(message: bytes) -> str | None:
    """Why `message` cannot be signed as it is, or None: every line must end with CR and LF."""
    pairs = message.count(b"\r\n")
    if message.count(b"\n") != pairs:
        return "found a line that ends with LF alone; a message to be signed has CRLF everywhere"
    if message.count(b"\r") != pairs:
        return "found a CR alone; a message to be signed has CRLF everywhere"
    return None


def _single_blanks(text: bytes) -> bytes:
    """One space for each run of spaces and tabs; each round halves the longest run."""
    text = text.replace(b"\t", b" ")
    while b"  " in text:
        text = text.replace(b"  ", b" ")
    return text
