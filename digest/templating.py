"""Where templates come from: the operator's folder before ours, one environment for mail and pages."""

import functools
import hashlib
import os
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from digest.errors import NotReadyError

if TYPE_CHECKING:
    from jinja2 import Environment

PACKAGE = Path(__file__).resolve().parent
BUILTIN = "builtin"
"""The prefix under which our own templates stay reachable, so that an override can extend them."""


def packaged_templates() -> Path:
    """The folder of our templates: inside the package of a wheel, beside it in a checkout."""
    installed = PACKAGE / "templates"
    return installed if installed.is_dir() else PACKAGE.parent / "templates"


def check_folder(operator: Path) -> None:
    """Whether the operator's folder can be looked into: else mail would go out in our look.

    Raises:
        NotReadyError: it is missing, is no folder, or cannot be read.
    """
    try:
        os.scandir(operator).close()
        os.stat(f"{operator}/.")  # noqa: PTH116 - a folder may be listed that nobody can enter
    except OSError as e:
        raise NotReadyError(
            f"{operator}: the folder of web.templates cannot be read: {e.strerror or e}. Put it back "
            "and let the user of this program read it, or take the key out of config.toml; then run "
            "digest doctor."
        ) from e


def make_environment(operator: Path | None = None) -> "Environment":
    """A Jinja environment in which `web/page.html` is the operator's file, else ours.

    `builtin/web/page.html` is always ours. Templates named *.html are escaped, all others are plain
    text. A name that a template misspells is an error (StrictUndefined), not an empty place. While
    the operator's folder cannot be read, every template is a NotReadyError.
    """
    from jinja2 import (
        ChoiceLoader,
        Environment,
        FileSystemLoader,
        PrefixLoader,
        StrictUndefined,
        select_autoescape,
    )

    class OperatorLoader(FileSystemLoader):
        """One that tells a folder which is gone from a folder without that template."""

        def get_source(
            self, environment: Environment, template: str
        ) -> tuple[str, str, Callable[[], bool]]:
            check_folder(Path(self.searchpath[0]))
            return super().get_source(environment, template)

        def list_templates(self) -> list[str]:
            check_folder(Path(self.searchpath[0]))
            return super().list_templates()

    ours = FileSystemLoader(packaged_templates())
    theirs = [OperatorLoader(operator)] if operator is not None else []
    return Environment(
        loader=ChoiceLoader([*theirs, ours, PrefixLoader({BUILTIN: ours})]),
        autoescape=select_autoescape(enabled_extensions=("html",), default_for_string=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


MAKERS = ("babel", "jinja2", "markupsafe", "nh3")
"""Libraries that have a hand in a page."""


def fingerprint(environment: "Environment") -> str:
    """Another text as soon as what makes pages has changed: a template, this program, a library."""
    found = hashlib.sha256(_program().encode())
    for name in environment.list_templates():
        source = environment.loader.get_source(environment, name)[0] if environment.loader else ""
        found.update(f"{name}\0{source}\0".encode())
    return found.hexdigest()


@functools.cache
def _program() -> str:
    """Of the program as it is when it first publishes."""
    found = hashlib.sha256()
    for path in sorted([*PACKAGE.rglob("*.py"), *PACKAGE.rglob("*.toml")]):
        found.update(path.read_bytes())
    for library in MAKERS:
        found.update(f"{library} {version(library)}\0".encode())
    return found.hexdigest()
