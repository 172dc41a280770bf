"""config.toml -> Settings, with every fault of the file at once; and the effective settings."""

import json
import os
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from digest.config.checks import combined_faults, fault_line, known_keys, located
from digest.config.settings import THRESHOLD, Settings
from digest.config.values import Section, secret
from digest.errors import ConfigError, NotReadyError

ENVIRONMENT = "DIGEST_CONFIG"


EVERY_SETTING = Path(__file__).with_name("config.toml")
"""A config.toml with every key, what it means and its default."""


def find_config(option: Path | None) -> Path:
    """The file to read: `--config`, else the one that DIGEST_CONFIG names, else ./config.toml."""
    return option or Path(os.environ.get(ENVIRONMENT) or "config.toml")


def load_settings(path: Path) -> Settings:
    """Read and check config.toml; relative paths in it are taken from its own folder.

    Raises:
        ConfigError: the file is missing, is not TOML, or has faults; all of them are in it.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        fault = "no such file. Run `digest init` to make one, or name yours with"
        raise ConfigError(str(path), [f"{fault} --config or {ENVIRONMENT}."]) from None
    except IsADirectoryError:
        raise ConfigError(str(path), ["is a folder. Name the file in it."]) from None
    except OSError as e:
        raise ConfigError(str(path), [f"cannot be read: {e.strerror}."]) from e
    except UnicodeDecodeError as e:
        raise ConfigError(str(path), [f"is not UTF-8 at byte {e.start}. Save it as UTF-8."]) from e
    return settings_from(text, path)


def settings_from(text: str, path: Path) -> Settings:
    """The settings that this text would give as the file at `path`.

    Raises:
        ConfigError: as `load_settings`.
    """
    try:
        config = tomllib.loads(text)
    except RecursionError:
        raise ConfigError(str(path), ["is nested too deeply; no key takes such a value."]) from None
    except tomllib.TOMLDecodeError as e:
        raise ConfigError(str(path), [f"is not TOML: {e}"]) from e
    except ValueError:  # the only other one that the parser raises
        raise ConfigError(str(path), ["has a number with too many digits."]) from None
    # `path` is ours to set, so the type cannot refuse it.
    known = ", ".join(known_keys(()))
    faults = [f"path: unknown key; known keys are {known}"] if "path" in config else []
    values = {**config, "path": path.absolute()}
    try:
        settings = Settings.model_validate(values)
    except ValidationError as e:
        faults += [fault_line(error, config) for error in e.errors()]
    if faults := [*faults, *combined_faults(config, path.absolute())]:
        raise ConfigError(str(path), faults)
    absolute: Settings = _moved(settings, settings.path.parent)
    return absolute


def _moved(value: Any, folder: Path) -> Any:
    """The same with every relative path in it, at any depth, taken from `folder`."""
    match value:
        case Path():
            return located(folder, value)
        case Section():
            fields = {name: getattr(value, name) for name in type(value).model_fields}
            return value.model_copy(update=_moved(fields, folder))
        case tuple():
            return tuple(_moved(one, folder) for one in value)
        case dict():
            return {key: _moved(one, folder) for key, one in value.items()}
    return value


WITHOUT = {
    "since": "(the first article)",
    "helo_name": "(the name of this machine)",
    "per_second": "(no limit)",
    "per_minute": "(no limit)",
    "domain_connections": "(no limit)",
    "domain_per_minute": "(no limit)",
    "templates": "(the packaged ones)",
}
"""What to show for a key without a value; for all others "(off)"."""


def effective_settings(settings: Settings) -> dict[str, Any]:
    """Every setting with its default filled in, as plain JSON values.

    Beside `password_env`, and likewise for every secret, the key `password` says whether there is a
    secret, never which.
    """
    data: dict[str, Any] = settings.model_dump(mode="json")
    data["feeds_url"] = settings.feeds_url
    for theme, row in zip(settings.themes, data["themes"], strict=True):
        name = settings.theme_name(theme.name)
        row |= {"colour": name.colour, "colour_dark": name.colour_dark}
        row["threshold"] = theme.threshold or THRESHOLD
    for digest, row in zip(settings.digests, data["digests"], strict=True):
        row["time_zone"] = settings.digest_zone(digest)
        row["themes"] = list(settings.digest_themes(digest))
        row["languages"] = list(settings.digest_languages(digest))
    data["report"]["time_zone"] = settings.report_zone
    _mark_secrets(data)
    return data


def _mark_secrets(value: Any) -> None:
    if isinstance(value, dict):
        for key in [key for key in value if key.endswith("_env")]:
            stem = key.removesuffix("_env")
            file = value.get(f"{stem}_file")
            try:
                is_set = secret(env=value[key], file=Path(file) if file else None)
            except NotReadyError:
                value[stem] = "(cannot be read)"
            else:
                value[stem] = "(hidden)" if is_set else "(not set)"
        for inner in value.values():
            _mark_secrets(inner)
    elif isinstance(value, list):
        for inner in value:
            _mark_secrets(inner)


def settings_lines(settings: Settings) -> Iterator[str]:
    """The effective settings as lines of `key = value`, lists counted from 1."""
    return _lines("", effective_settings(settings))


def _lines(key: str, value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _lines(f"{key}.{name}" if key else name, inner)
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        for i, inner in enumerate(value, 1):
            yield from _lines(f"{key}[{i}]", inner)
    else:
        name = key.rpartition(".")[2]
        yield f"{key} = {WITHOUT.get(name, '(off)') if value is None else json.dumps(value, ensure_ascii=False)}"
