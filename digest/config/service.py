"""[service] and [web]: what `digest serve` does, how often, and where it is reached."""

from typing import Annotated

from pydantic import Field

from digest.config.base import LinkUrl, Minutes, OneLine, Place, Section, WebUrl

Days = Annotated[int, Field(ge=1, le=36500)]


class ServiceSettings(Section):
    """[service]"""

    ingest_every_minutes: Minutes = 10.0
    send_every_minutes: Minutes = 2.0
    send: bool = True
    bounces: Place | None = None
    bounces_every_minutes: Minutes = 15.0
    lease_seconds: Annotated[float, Field(ge=3, le=86400)] = 30.0
    drain_seconds: Annotated[float, Field(ge=0, le=3600)] = 30.0


class KeepingSettings(Section):
    """[keeping]: what is let go with time, and copies that the service makes."""

    daily_backup: bool = False
    letters_days: Days = 90
    answers_days: Days = 365


class WebSettings(Section):
    """[web]"""

    feeds_url: WebUrl | None = None
    preferences_url: LinkUrl | None = None
    templates: Place | None = None
    host: OneLine = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] = 8080
    cache_seconds: Annotated[int, Field(ge=0, le=86400)] = 300
    memory_mib: Annotated[float, Field(ge=1, le=4096)] = 64.0
