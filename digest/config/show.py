"""Settings as they are in force, for people and for programs. Secrets are never in it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from digest.config.base import secret
from digest.config.settings import Settings
from digest.errors import NotReadyError


def in_force(settings: Settings) -> dict[str, Any]:
    """Every setting with its default filled in, as plain JSON values.

    Where a key names a secret's variable or file, the table has a key `secret` beside it that says
    whether one was found, and never what it is.
    """
    data: dict[str, Any] = settings.model_dump(mode="json")
    data["feeds_url"] = settings.feeds_url
    _mark_secrets(data)
    return data


def as_lines(settings: Settings) -> Iterator[str]:
    """The same as lines of `key = value`, lists counted from 1."""
    yield from _lines("", in_force(settings))


def _mark_secrets(value: Any) -> None:
    if isinstance(value, dict):
        for key in [key for key in value if key.endswith("_env")]:
            stem = key.removesuffix("_env")
            file = value.get(f"{stem}_file")
            try:
                found = secret(env=value[key], file=Path(file) if file else None)
            except NotReadyError:
                value[stem] = "(cannot be read)"
            else:
                value[stem] = "(hidden)" if found else "(not set)"
        for inner in value.values():
            _mark_secrets(inner)
    elif isinstance(value, list):
        for inner in value:
            _mark_secrets(inner)


def _lines(key: str, value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _lines(f"{key}.{name}" if key else name, inner)
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        for i, inner in enumerate(value, 1):
            yield from _lines(f"{key}[{i}]", inner)
    else:
        yield f"{key} = {_shown(value)}"


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_shown(one) for one in value) + "]"
    if value is None:
        return "(none)"
    if isinstance(value, bool):
        return "true" if value else "false"
    return f'"{value}"' if isinstance(value, str) else str(value)
