"""config.toml -> Settings, with every fault of the file told at once."""

import difflib
import os
import tomllib
import typing
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from digest.config.settings import Settings, combined_faults
from digest.errors import ConfigError

M = TypeVar("M", bound=BaseModel)
ENVIRONMENT = "DIGEST_CONFIG"


def find_config(option: Path | None) -> Path:
    """The file to read: `--config`, else the one that DIGEST_CONFIG names, else ./config.toml."""
    return option or Path(os.environ.get(ENVIRONMENT) or "config.toml")


def load_settings(path: Path) -> Settings:
    """Read and check config.toml; relative paths in it are taken from its own folder.

    Raises:
        ConfigError: the file is missing, is no TOML, or has faults; all of them are in it.
    """
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(
            str(path), [f"there is no such file; name one with --config or {ENVIRONMENT}"]
        ) from None
    except IsADirectoryError:
        raise ConfigError(str(path), ["this is a folder; name the file in it"]) from None
    except OSError as e:
        raise ConfigError(str(path), [f"cannot be read: {e.strerror}"]) from e
    except UnicodeDecodeError as e:
        raise ConfigError(str(path), [f"is not UTF-8 at byte {e.start}; save it as UTF-8"]) from e
    except tomllib.TOMLDecodeError as e:
        raise ConfigError(str(path), [f"is not TOML: {e}"]) from e
    if "path" in found:
        raise ConfigError(str(path), ["path: unknown key; nothing of that name is allowed here"])
    try:
        settings = Settings.model_validate({**found, "path": path.resolve()})
    except ValidationError as e:
        raise ConfigError(str(path), [_fault(error, found) for error in e.errors()]) from None
    if faults := combined_faults(settings):
        raise ConfigError(str(path), faults)
    return _with_absolute_paths(settings)


def _with_absolute_paths(settings: Settings) -> Settings:
    folder = settings.path.parent

    def moved(section: M) -> M:
        changes = {
            name: folder / value
            for name in type(section).model_fields
            if isinstance(value := getattr(section, name), Path)
        }
        return section.model_copy(update=changes)

    return settings.model_copy(
        update={
            "store": moved(settings.store),
            "feeds": moved(settings.feeds),
            "web": moved(settings.web),
            "sources": [moved(source) for source in settings.sources],
        }
    )


def _fault(error: Any, found: dict[str, Any]) -> str:
    """One line: the key, what was found, what is allowed, the nearest known key."""
    loc = tuple(part for part in error["loc"] if part != "[key]")
    key = _dotted(loc)
    if error["type"] == "missing":
        return f"{key}: missing; it must be given"
    if error["type"] == "extra_forbidden":
        known = _known_keys(loc[:-1])
        near = difflib.get_close_matches(str(loc[-1]), known, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}?" if near else f"allowed are {', '.join(known)}"
        return f"{key}: unknown key; {hint}"
    message = error["msg"].removeprefix("Value error, ")
    if not message.startswith("allowed"):
        message = f"allowed: {message[0].lower()}{message[1:]}"
    return f"{key}: found {_shown(_value_at(found, loc))}; {message}"


def _dotted(loc: tuple[Any, ...]) -> str:
    """('digests', 0, 'title') -> digests[1].title; lists count from 1, as people do."""
    text = ""
    for part in loc:
        text += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text or "the file"


def _value_at(found: Any, loc: tuple[Any, ...]) -> Any:
    for part in loc:
        try:
            found = found[part]
        except (KeyError, IndexError, TypeError):
            return part
    return found


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _known_keys(loc: tuple[Any, ...]) -> list[str]:
    """The keys that the table at `loc` may have."""
    model: Any = Settings
    for part in loc:
        if isinstance(part, int):
            continue
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            continue
        field = model.model_fields.get(part)
        model = _model_in(field.annotation) if field else None
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        return []
    return sorted(name for name in model.model_fields if not (model is Settings and name == "path"))


def _model_in(annotation: Any) -> Any:
    """The table type inside list[...], dict[..., ...], Annotated[...] or a union."""
    if isinstance(annotation, type) and typing.get_origin(annotation) is None:
        return annotation
    for inner in typing.get_args(annotation):
        model = _model_in(inner)
        if isinstance(model, type) and issubclass(model, BaseModel):
            return model
    return None
