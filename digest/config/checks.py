"""What is wrong with config.toml: single values, combinations of values, and the places that it names."""

import difflib
import os
import re
import typing
from collections.abc import Iterator, Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from digest.config.settings import (
    FeedSettings,
    MailSettings,
    Settings,
    SiteSettings,
    SourceSettings,
    StoreSettings,
)
from digest.config.values import contrast
from digest.language.words import LANGUAGES
from digest.model import OTHER

_EXPECTED = {
    "bool": "true or false",
    "datetime": "a time with its offset, such as 2026-11-16T00:00:00Z",
    "dict": "a table",
    "float": "a number",
    "int": "a whole number",
    "list": "a list",
    "model": "a table",
    "path": "a path",
    "string": "a text",
    "tuple": "a list",
}
"""What a value must be, by the type in pydantic's name for the fault, such as int_parsing."""


def fault_line(error: Mapping[str, Any], config: Mapping[str, Any]) -> str:
    """One line for one of pydantic's errors: the key, its value, and what it must be.

    Lists count from 1. An unknown key comes with the nearest known one, and without its value,
    which may be a secret.
    """
    loc = tuple(part for part in error["loc"] if part != "[key]")
    key = ""
    for part in loc:
        key += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if key else str(part)
    key = key or "the file"
    if error["type"] == "missing":
        return f"{key}: is missing"
    if error["type"] == "extra_forbidden":
        known = known_keys(loc[:-1])
        near = difflib.get_close_matches(str(loc[-1]), known, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}?" if near else f"known keys are {', '.join(known)}"
        return f"{key}: unknown key; {hint}"
    message: str = error["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
    kind, _, reason = error["type"].partition("_")
    if kind in _EXPECTED and reason in {"type", "parsing", "from_float"}:
        message = f"must be {_EXPECTED[kind]}"
    value: Any = loc[-1] if "[key]" in error["loc"] else config
    if value is config:
        for part in loc:
            try:
                value = value[part]
            except (KeyError, IndexError, TypeError):
                value = part
                break
    if isinstance(value, dict):
        return f"{key}: {message}"
    text = value.isoformat() if hasattr(value, "isoformat") else repr(value)
    return f"{key}: found {text if len(text) <= 60 else f'{text[:57]}...'}; {message}"


def known_keys(loc: tuple[Any, ...]) -> list[str]:
    """The keys that the table at `loc` may have; none where it takes any."""
    model: Any = Settings
    for part in loc:
        if isinstance(part, str) and _is_table(model):
            field = model.model_fields.get(part)
            model = model_in(field.annotation) if field else None
    if not _is_table(model):
        return []
    return sorted(name for name in model.model_fields if not (model is Settings and name == "path"))


def _is_table(model: Any) -> bool:
    return isinstance(model, type) and issubclass(model, BaseModel)


def model_in(annotation: Any) -> Any:
    """The table type inside list[...], dict[..., ...], Annotated[...] or a union; else None."""
    if _is_table(annotation):
        return annotation
    inner = (model_in(one) for one in typing.get_args(annotation))
    return next((model for model in inner if model is not None), None)


PREVIEW = "preview"
"""The default folder for the mails of a dry run."""


def misplaced(config: Mapping[str, Any], path: Path) -> Iterator[str]:
    """One line for each path in the file at `path` that is dangerous where it is; symbolic links are
    followed. What is not a path is skipped.
    """

    def value(table: str, key: str, section: Any = None) -> Any:
        default = section.model_fields[key].default if section else None
        return _table(config.get(table)).get(key, default)

    def placed(named: dict[str, Any]) -> dict[str, Path]:
        return {key: real for key, one in named.items() if (real := _real_path(path, one))}

    dkim = _table(value("mail", "dkim"))
    servers = enumerate(_list(value("mail", "servers")), 1)
    files = {path.name: Path(os.path.realpath(path))} | placed(
        {
            "store.path": value("store", "path", StoreSettings),
            "mail.dkim.rsa_key_file": dkim.get("rsa_key_file"),
            "mail.dkim.ed25519_key_file": dkim.get("ed25519_key_file"),
            **{
                f"mail.servers[{i}].password_file": _table(server).get("password_file")
                for i, server in servers
            },
            "alarms.webhook_file": value("alarms", "webhook_file"),
            "web.monitor_token_file": value("web", "monitor_token_file"),
        }
    )
    folders = placed(
        {
            "store.backups": value("store", "backups", StoreSettings),
            "mail.outbox": value("mail", "outbox", MailSettings),
            "service.bounces": value("service", "bounces"),
            "web.templates": value("web", "templates"),
            "the mails of a dry run": PREVIEW,
        }
    )
    sources: list[tuple[int, Path, str]] = []
    for i, source in enumerate(_list(config.get("sources")), 1):
        pattern = _table(source).get("pattern", SourceSettings.model_fields["pattern"].default)
        if real := _real_path(path, _table(source).get("path")):
            sources.append((i, real, pattern if isinstance(pattern, str) else ""))
    private = files | folders | {f"sources[{i}].path": source for i, source, _ in sources}
    shown = value("feeds", "path", FeedSettings)
    if feeds := _real_path(path, shown):
        if held := [key for key, place in private.items() if place.is_relative_to(feeds)]:
            yield (
                f"feeds.path: {str(shown)!r} would also hold {', '.join(held)}; it must be a folder "
                "for the feeds alone, because a web server publishes everything in it"
            )
        for i, source, _ in sources:
            if feeds != source and feeds.is_relative_to(source):
                yield (
                    f"feeds.path: {str(shown)!r} is in sources[{i}].path; it must be outside of every "
                    "source, because what we publish is not copy"
                )
    for i, source, pattern in sources:
        # A pattern with / is taken to look in every folder below.
        directory, _, name = pattern.rpartition("/")
        taken = [
            key
            for key, file in files.items()
            if (file.is_relative_to(source) if directory else file.parent == source)
            and fnmatch(file.name, name)
        ]
        if taken:
            yield (
                f"sources[{i}].pattern: {pattern!r} also takes {', '.join(taken)}; it must take "
                'documents only, such as "*.txt", or the path must lead to a folder of their own'
            )


def _real_path(config: Path, value: Any) -> Path | None:
    """The path that a value of the file `config` leads to in the end; None where it is not one."""
    if not isinstance(value, str | Path) or "\0" in str(value):
        return None
    return Path(os.path.realpath(located(config.parent, Path(value))))


def located(folder: Path, path: Path) -> Path:
    """The path as a file in `folder` means it: relative ones start there, ~ is home."""
    try:
        return folder / path.expanduser()
    except RuntimeError:  # there is no such user
        return folder / path


PAPER_LIGHT = "#faf8f4"
PAPER_DARK = "#16191c"
LOWEST_CONTRAST = 4.5


def combined_faults(config: Mapping[str, Any], path: Path) -> Iterator[str]:
    """One line for each fault of the file at `path` that is not of a single value, kind by kind."""
    for table in ("sources", "themes", "digests"):
        numbers: dict[str, int] = {}
        for i, entry in _tables(config, table):
            name = entry.get("name")
            if isinstance(name, str) and name in numbers:
                yield f"{table}[{i}].name: {name!r} is also the name of {table}[{numbers[name]}]"
            elif isinstance(name, str):
                numbers[name] = i
    for i, theme in _tables(config, "themes"):
        for key, paper in (("colour", PAPER_LIGHT), ("colour_dark", PAPER_DARK)):
            colour = theme.get(key)
            if not isinstance(colour, str) or not re.fullmatch(r"#[0-9a-fA-F]{6}", colour):
                continue
            if (ratio := contrast(colour, paper)) < LOWEST_CONTRAST:
                yield (
                    f"themes[{i}].{key}: {colour!r} has a contrast of {ratio:.1f} : 1 on {paper}; it "
                    f"must be at least {LOWEST_CONTRAST} : 1"
                )
    names = [theme.get("name") for _, theme in _tables(config, "themes")]
    themes = list(dict.fromkeys([*_strings(names), OTHER]))
    chosen = _strings(_table(config.get("site")).get("languages"))
    languages = chosen or SiteSettings.model_fields["languages"].default
    for i, digest in _tables(config, "digests"):
        for name in _strings(digest.get("themes")):
            if name not in themes:
                yield f"digests[{i}].themes: {name!r} is not one of {', '.join(themes)}"
        for language in _strings(digest.get("languages")):
            if language in LANGUAGES and language not in languages:
                yield (
                    f"digests[{i}].languages: {language!r} is not a language of the site; those are "
                    f"{', '.join(languages)}"
                )
    if _list(_table(config.get("desk")).get("editors")) and "public_url" not in _table(
        config.get("web")
    ):
        yield (
            "desk.editors: needs web.public_url, which the link to sign in begins with; set it, or leave "
            "desk.editors empty"
        )
    yield from misplaced(config, path)


def _tables(config: Mapping[str, Any], key: str) -> Iterator[tuple[int, dict[str, Any]]]:
    return ((i, one) for i, one in enumerate(_list(config.get(key)), 1) if isinstance(one, dict))


def _table(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _strings(value: Any) -> list[str]:
    return [one for one in _list(value) if isinstance(one, str)]
