"""Settings made into the things that a verb needs. The only wiring, and the only clock."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from digest.config.load import load_settings
from digest.config.settings import Settings

if TYPE_CHECKING:
    from jinja2 import Environment

    from digest.editorial.lexicon import Lexicon
    from digest.store.database import Database


def _clock() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - the one clock


@dataclass
class Runtime:
    """What a command works with; each part is made when it is first asked for.

    `now` gives aware UTC; everything below takes it, or a moment from it, as an argument.
    """

    settings: Settings
    now: Callable[[], datetime] = _clock

    @classmethod
    def from_file(cls, path: Path) -> "Runtime":
        return cls(load_settings(path))

    def open(self, *, read_only: bool = False) -> "Database":
        """The database; the caller closes it, best by `with`."""
        from digest.store.database import open_database

        store = self.settings.store
        return open_database(
            store.path, busy_timeout_seconds=store.busy_timeout_seconds, read_only=read_only
        )

    @cached_property
    def templates(self) -> "Environment":
        from digest.templating import make_environment

        return make_environment(self.settings.web.templates)

    @cached_property
    def lexicon(self) -> "Lexicon":
        from digest.editorial.lexicon import compile_lexicon

        return compile_lexicon(self.settings.themes)
