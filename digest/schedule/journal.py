"""The service's log: one JSON object a line, with the run that it belongs to, and no address in it."""

import json
import logging
import sys
from collections.abc import Callable
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, TextIO

from digest.mail.answers import without_addresses

RUN: ContextVar[str | None] = ContextVar("run", default=None)
"""The run that the present task or thread works on."""

log = logging.getLogger("digest")


class JsonLines(logging.Formatter):
    """`logging`'s records as JSON: time in UTC, level, event, run, and the facts of `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            "run": RUN.get(),
            **getattr(record, "facts", {}),
        }
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        kept = {key: _clean(value) for key, value in line.items() if value is not None}
        return json.dumps(kept, ensure_ascii=False, default=str)


def _clean(value: Any) -> Any:
    """The same without addresses, wherever a server or an error repeats one."""
    match value:
        case str():
            return without_addresses(value)
        case dict():
            return {key: _clean(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_clean(inner) for inner in value]
        case _:
            return value


def open_journal(stream: TextIO = sys.stderr) -> None:
    """Let every log of this process go to `stream` in this form, other libraries' from WARNING on."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    log.setLevel(logging.INFO)
    # Its errors come to us as events, and each is told once.
    logging.getLogger("apscheduler").setLevel(logging.CRITICAL + 1)


def tell(event: str, *, level: int = logging.INFO, **facts: Any) -> None:
    """One line."""
    log.log(level, event, extra={"facts": facts})


def run_id(random_bytes: Callable[[], bytes]) -> str:
    """A name for one run, of eight signs."""
    return random_bytes()[:4].hex()
