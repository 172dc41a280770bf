"""[mail]: how messages leave, and [[mail.servers]]: through which servers."""

import ipaddress
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from digest.config.base import OneLine, Place, Section, secret

PORTS = {"starttls": 587, "implicit": 465, "none": 25}

Seconds = Annotated[float, Field(gt=0, le=3600)]


class ServerSettings(Section):
    """[[mail.servers]]: one server that takes our mail."""

    host: OneLine
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    tls: Literal["starttls", "implicit", "none"] = "starttls"
    allow_plaintext: bool = False
    ca_file: Place | None = None
    username: OneLine | None = None
    password_env: OneLine | None = None
    password_file: Place | None = None
    weight: Annotated[float, Field(gt=0, le=1000)] = 1.0
    connections: Annotated[int, Field(ge=1, le=500)] = 10
    messages_per_connection: Annotated[int, Field(ge=1)] = 1000

    @model_validator(mode="after")
    def _keeps_secrets(self) -> Self:
        if self.tls == "none" and not (self.allow_plaintext or self.is_loopback):
            raise ValueError(
                'allowed is tls = "none" only to this machine, such as host = "127.0.0.1"; '
                "elsewhere also say allow_plaintext = true, and everybody on the way can read along"
            )
        if self.username is None and (self.password_env or self.password_file):
            raise ValueError("allowed is a password only together with username")
        if self.username is not None and not (self.password_env or self.password_file):
            raise ValueError("allowed is username only together with password_env or password_file")
        return self

    @property
    def is_loopback(self) -> bool:
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host.lower() == "localhost"

    @property
    def name(self) -> str:
        """host:port, as people know the server; the port by `tls` where none is set."""
        return f"{self.host}:{self.port or PORTS[self.tls]}"

    def password(self) -> str | None:
        """The secret that `password_env`, else `password_file`, names; None where it is unset."""
        return secret(env=self.password_env, file=self.password_file)


class TransportSettings(Section):
    """The part of [mail] that says how messages leave."""

    transport: Literal["maildir", "smtp"] = "maildir"
    outbox: Place = Path("outbox")
    servers: tuple[ServerSettings, ...] = ()
    helo_name: OneLine | None = None
    per_second: Annotated[int, Field(ge=1)] | None = None
    per_minute: Annotated[int, Field(ge=1)] | None = None
    domain_connections: Annotated[int, Field(ge=1)] | None = None
    domain_per_minute: Annotated[int, Field(ge=1)] | None = None
    connect_timeout_seconds: Seconds = 30.0
    command_timeout_seconds: Seconds = 120.0
    data_timeout_seconds: Seconds = 300.0
    idle_timeout_seconds: Seconds = 20.0

    @model_validator(mode="after")
    def _has_a_server(self) -> Self:
        if self.transport == "smtp" and not self.servers:
            raise ValueError(
                'allowed is transport = "smtp" only with at least one [[mail.servers]]'
            )
        return self
