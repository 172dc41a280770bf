"""How a command gets what it works with."""

from typing import TYPE_CHECKING, Protocol

import click

if TYPE_CHECKING:
    from digest.runtime import Runtime


class HasRuntime(Protocol):
    @property
    def runtime(self) -> "Runtime": ...


def runtime() -> "Runtime":
    """The runtime of the command that runs now.

    Raises:
        ConfigError: config.toml cannot be used.
    """
    desk: HasRuntime = click.get_current_context().obj
    return desk.runtime
