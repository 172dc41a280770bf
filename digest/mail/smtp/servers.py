"""One mail server: how much it accepts, whether it serves, and how to open a link to it."""

import asyncio
import ssl
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from digest.config.settings import ServerSettings
from digest.errors import NotReadyError
from digest.language.text import foreign
from digest.mail.ledger import class_of, enhanced_code
from digest.mail.outgoing import OutcomeKind, Phase
from digest.mail.smtp.connection import Link, LinkLostError, Timeouts, no_answer

if TYPE_CHECKING:
    from aiosmtplib import SMTP


MOST_SLOWED = 8
"""Steps down that a throttle remembers; any usual limit halved eight times is at one."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to pause after a fault, doubling up to `longest` seconds. After `tries` faults in a
    row a server is given up; after `recover_after` good answers a throttle opens by one step."""

    first: float = 1.0
    longest: float = 120.0
    tries: int = 5
    recover_after: int = 10

    def pause(self, faults: int) -> float:
        """Seconds to wait after the `faults`-th fault in a row, from 1."""
        return float(min(self.longest, self.first * 2 ** min(faults - 1, 30)))


class Allowance:
    """At most `count` starts in any stretch of `seconds`."""

    def __init__(self, count: int, seconds: float) -> None:
        self._starts: deque[float] = deque(maxlen=count)
        self._count = count
        self._seconds = seconds

    def ready_at(self) -> float:
        """When the next start is allowed; a time in the past means at once."""
        if len(self._starts) < self._count:
            return 0.0
        return self._starts[0] + self._seconds

    def start(self, now: float) -> None:
        self._starts.append(now)

    def idle(self, now: float) -> bool:
        """Whether none of its starts still counts."""
        return not self._starts or self._starts[-1] + self._seconds <= now


class Throttle:
    """How many may be under way at a time: `limit`, None for any number.

    `slow` halves the limit and pauses, each time longer; `well` counts towards recovery.
    """

    def __init__(self, limit: int | None, patience: Patience) -> None:
        self.under_way = 0
        self._limit = limit
        self._patience = patience
        self.allowed = limit
        self._slowed = 0
        self._good = 0
        self._paused_until = 0.0

    def full(self) -> bool:
        return self.allowed is not None and self.under_way >= self.allowed

    def over(self) -> bool:
        """Whether more is under way than is allowed now."""
        return self.allowed is not None and self.under_way > self.allowed

    def ready_at(self) -> float:
        return self._paused_until

    def slow(self, now: float) -> None:
        """A server asked us to send less. Answers within a pause belong to the same request."""
        if now < self._paused_until:
            return
        self._slowed = min(self._slowed + 1, MOST_SLOWED)
        self._good = 0
        self.allowed = max(1, (self.allowed or max(2, self.under_way)) // 2)
        self._paused_until = now + self._patience.pause(self._slowed)

    def well(self) -> None:
        """One good answer."""
        if not self._slowed:
            return
        self._good += 1
        if self._good < self._patience.recover_after:
            return
        self._good = 0
        self._slowed -= 1
        self.allowed = (self.allowed or 1) * 2 if self._slowed else self._limit
        if self.allowed is not None and self._limit is not None:
            self.allowed = min(self.allowed, self._limit)

    def idle(self, now: float) -> bool:
        """Whether forgetting it changes nothing."""
        return not self.under_way and not self._slowed and self._paused_until <= now


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a server does not serve. `for_good`: until the operator changes something."""

    kind: OutcomeKind
    phase: Phase
    text: str
    for_good: bool
    code: int | None = None
    enhanced: str | None = None

    @classmethod
    def answered(cls, code: int, text: str, phase: Phase) -> "Fault":
        kind = class_of(code, text, phase)
        for_good = kind is OutcomeKind.OURS
        return cls(kind, phase, text, for_good, code, enhanced_code(text))

    def __str__(self) -> str:
        code = f"{self.code} " if self.code else ""
        return f"{self.phase}: {code}{self.text}"


class OpenError(Exception):
    """No link could be opened."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        super().__init__(fault.text)


class Server:
    """The state of one server in this run. Times are seconds of the event loop's clock."""

    def __init__(self, access: "Access", patience: Patience, timeouts: Timeouts) -> None:
        self.settings = access.settings
        self.name = access.settings.name
        self.throttle = Throttle(access.settings.connections, patience)
        self.started = 0
        self.fault: Fault | None = None
        self.timeouts = timeouts
        self._access = access
        self._patience = patience
        self._failures = 0
        self._failed_at = -1.0
        self._aside_until = 0.0

    @property
    def share(self) -> float:
        """Messages started by weight: the server with the least comes first."""
        return self.started / self.settings.weight

    @property
    def given_up(self) -> bool:
        return self.fault is not None and (
            self.fault.for_good or self._failures >= self._patience.tries or self.timeouts.over
        )

    def ready_at(self) -> float | None:
        """When a message may start; None when one must end first, or for good."""
        if self.fault is not None and (self.fault.for_good or self.throttle.under_way):
            return None  # after a failure one message at a time shows whether it serves again
        if self.throttle.full():
            return None
        return max(self._aside_until, self.throttle.ready_at())

    def may_go_on(self, now: float) -> bool:
        """Whether a connection may take the next message without a break."""
        return self.fault is None and not self.throttle.over() and self.throttle.ready_at() <= now

    def failed(self, fault: Fault, *, began: float, now: float) -> None:
        """Put it aside. What began before the last failure belongs to that one."""
        if self.fault is not None and self.fault.for_good:
            return
        if fault.for_good:
            self.fault = fault
        elif began > self._failed_at:
            self.fault = fault
            self._failures += 1
            self._failed_at = now
            self._aside_until = min(now + self._patience.pause(self._failures), self.timeouts.until)

    def served(self) -> None:
        """It answered a message, so it serves."""
        if self.fault is not None and not self.fault.for_good:
            self.fault = None
            self._failures = 0
            self._aside_until = 0.0

    async def open(self, helo_name: str) -> Link:
        """Connect, greet, start TLS and log in, all within `timeouts.connect`.

        Raises:
            OpenError: any of it failed.
        """
        from aiosmtplib import SMTP, SMTPException

        settings = self.settings
        client = SMTP(
            hostname=settings.host,
            port=int(self.name.rpartition(":")[2]),
            local_hostname=helo_name,
            timeout=None,
            use_tls=settings.tls == "implicit",
            start_tls=False,
            tls_context=self._access.tls,
        )
        phase, seconds = Phase.CONNECT, self.timeouts.capped(self.timeouts.connect)
        try:
            async with asyncio.timeout(seconds):
                await client.connect()
                phase = Phase.EHLO
                await _greet(client)
                if settings.tls == "starttls":
                    phase = Phase.TLS
                    await client.starttls()
                    phase = Phase.EHLO
                    await _greet(client)
                if settings.username is not None:
                    phase = Phase.AUTH
                    await client.login(settings.username, self._access.password or "")
                phase = Phase.EHLO
                return Link(client, self.timeouts)
        except asyncio.CancelledError:  # the slot ended while it waited, perhaps for EHLO's answer
            client.close()
            raise
        except (SMTPException, OSError, LinkLostError) as e:
            client.close()
            raise OpenError(_fault(e, phase, seconds)) from e


async def _greet(client: "SMTP") -> None:
    """EHLO, or HELO for a server that knows only that (RFC 5321 section 3.2)."""
    from aiosmtplib import SMTPHeloError

    try:
        await client.ehlo()
    except SMTPHeloError:
        if not client.is_connected:
            raise
        await client.helo()


def _fault(error: Exception, phase: Phase, seconds: float) -> Fault:
    """An error while opening, as the operator reads it."""
    from aiosmtplib import SMTPResponseException

    if isinstance(error, SMTPResponseException):
        return Fault.answered(error.code, foreign(error.message), phase)
    cause = error.__cause__ if isinstance(error.__cause__, ssl.SSLError) else error
    if isinstance(cause, ssl.SSLError) and not isinstance(cause, ssl.SSLEOFError):
        text = getattr(cause, "verify_message", "") or cause.reason or str(cause)
        text = foreign(f"TLS failed: {text}")
        return Fault(OutcomeKind.OURS, Phase.TLS, text, for_good=True)
    if isinstance(error, TimeoutError):
        return Fault(OutcomeKind.OURS, phase, no_answer(seconds), for_good=False)
    # Else the server does not offer STARTTLS, or a way to log in.
    passing = isinstance(error, (OSError, LinkLostError))
    return Fault(OutcomeKind.OURS, phase, foreign(str(error)), for_good=not passing)


@dataclass(frozen=True, slots=True)
class Access:
    """What it takes to reach a server: its settings, its secret, one TLS context for all links."""

    settings: ServerSettings
    password: str | None
    tls: ssl.SSLContext | None


def accesses(settings: Sequence[ServerSettings]) -> list[Access]:
    """One for each server; servers without a `ca_file` share a TLS context, which is slow to make.

    Raises:
        NotReadyError: a password is missing, or a ca_file cannot be used.
    """
    shared: ssl.SSLContext | None = None
    reached = []
    for i, server in enumerate(settings, 1):
        password = server.password()
        if server.username is not None and password is None:
            raise NotReadyError(
                f"mail.servers[{i}] ({server.name}): no password for {server.username!r}; set the "
                "environment variable of password_env, or write the file of password_file"
            )
        context = None
        if server.tls != "none" and server.ca_file is not None:
            try:
                context = ssl.create_default_context(cafile=str(server.ca_file))
            except (OSError, ssl.SSLError) as e:
                raise NotReadyError(
                    f"mail.servers[{i}].ca_file: {server.ca_file} cannot be used: {e}"
                ) from e
        elif server.tls != "none":
            context = shared = shared or ssl.create_default_context()
        reached.append(Access(server, password, context))
    return reached
