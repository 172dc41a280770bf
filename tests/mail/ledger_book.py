"""A ledger in memory that checks the transport's promises, and short ways to call one."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from digest.config.settings import TransportSettings
from digest.mail.outgoing import Outcome, OutcomeKind, Outgoing, Report, Transport
from digest.mail.smtp.servers import Patience
from digest.mail.smtp.transport import SmtpTransport

HASTE = Patience(first=0.01, longest=0.05)
BODY = b"Subject: The week\r\n\r\nOne\r\n.\r\n..two\r\nThree\r\n"


def outgoing(recipients: Iterable[str], message: bytes = BODY) -> list[Outgoing]:
    return [
        Outgoing(i, f"bounces+{i}@news.example.org", recipient, message)
        for i, recipient in enumerate(recipients, 1)
    ]


@dataclass
class Book:
    """`most_unanswered` is the most deliveries ever handed and without an outcome."""

    handed: list[int] = field(default_factory=list)
    outcomes: dict[int, Outcome] = field(default_factory=dict)
    drawn: list[int] = field(default_factory=list)
    groups: list[int] = field(default_factory=list)
    most_unanswered: int = 0

    def hand(self, ids: Sequence[int]) -> None:
        assert not set(ids) & set(self.handed), "handed twice"
        assert not set(ids) & set(self.outcomes), "handed after its outcome"
        self.handed += ids
        self.groups.append(len(ids))
        self.most_unanswered = max(self.most_unanswered, len(set(self.handed) - set(self.outcomes)))

    def settle(self, outcomes: Sequence[Outcome]) -> None:
        for outcome in outcomes:
            assert outcome.delivery_id not in self.outcomes, "settled twice"
            self.outcomes[outcome.delivery_id] = outcome

    def draw(self, messages: Iterable[Outgoing]) -> Iterator[Outgoing]:
        for message in messages:
            self.drawn.append(message.delivery_id)
            yield message

    def run(
        self,
        transport: Transport,
        messages: Iterable[Outgoing],
        *,
        stop: Callable[[], bool] = lambda: False,
    ) -> Report:
        return self.checked(
            transport.deliver(self.draw(messages), handed=self.hand, settled=self.settle, stop=stop)
        )

    async def run_here(self, transport: SmtpTransport, messages: Iterable[Outgoing]) -> Report:
        """As `run`, in the running event loop."""
        return self.checked(
            await transport.deliver_here(
                self.draw(messages), handed=self.hand, settled=self.settle, stop=lambda: False
            )
        )

    def checked(self, report: Report) -> Report:
        assert sorted(self.outcomes) == sorted(self.drawn), "each drawn has one outcome"
        assert sum(report.counts.values()) == len(self.outcomes)
        return report

    def kinds(self) -> dict[int, OutcomeKind]:
        return {i: outcome.kind for i, outcome in sorted(self.outcomes.items())}


def send(
    port: int,
    recipients: Iterable[str],
    *,
    patience: Patience = HASTE,
    stop: Callable[[], bool] = lambda: False,
    **settings: Any,
) -> tuple[Book, Report]:
    """Send to these recipients through one server."""
    book = Book()
    transport = SmtpTransport(to_port(port, **settings), patience=patience)
    return book, book.run(transport, outgoing(recipients), stop=stop)


def to_port(port: int, *, server: dict[str, Any] | None = None, **mail: Any) -> TransportSettings:
    """Settings for one server on this machine; short time-outs."""
    return to_ports([port], server=server, **mail)


def to_ports(
    ports: Iterable[int], *, server: dict[str, Any] | None = None, **mail: Any
) -> TransportSettings:
    table = {"host": "127.0.0.1", "tls": "none", "connections": 4, **(server or {})}
    return TransportSettings.model_validate(
        {
            "transport": "smtp",
            "servers": [{**table, "port": port} for port in ports],
            "helo_name": "news.example.org",
            "command_timeout_seconds": 0.4,
            "data_timeout_seconds": 0.4,
            "connect_timeout_seconds": 2.0,
            **mail,
        }
    )
