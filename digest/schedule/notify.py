"""What systemd wants to hear of a service of Type=notify; nothing where no systemd asked for it."""

import contextlib
import os
import socket


def notify(*lines: str) -> None:
    """READY=1, STOPPING=1, WATCHDOG=1 and the like, to the socket that NOTIFY_SOCKET names."""
    place = os.environ.get("NOTIFY_SOCKET")
    if not place:
        return
    if place.startswith("@"):  # Linux's own name space: systemd writes its NUL as @
        place = "\0" + place[1:]
    # Whoever asked may be gone; the service works, and ends, all the same (as sd_notify(3) advises).
    with (
        contextlib.suppress(OSError),
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel,
    ):
        channel.connect(place)
        channel.sendall("\n".join(lines).encode())


def watchdog_seconds() -> float | None:
    """How often to say WATCHDOG=1: half of what systemd waits for; None where it does not wait."""
    wait = os.environ.get("WATCHDOG_USEC")
    return int(wait) / 2_000_000 if wait else None
