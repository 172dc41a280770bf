"""What is wrong with config.toml: faults of single values, of combinations, and of the places that it names."""

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
from digest.config.values import LANGUAGES, contrast
from digest.model import OTHER

_ALLOWED = {
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "datetime_type": "a time with its offset, such as 2026-11-16T00:00:00Z",
    "dict_type": "a table",
    "float_parsing": "a number",
    "float_type": "a number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "list_type": "a list",
    "model_type": "a table",
    "path_type": "a path",
    "string_type": "a text",
    "tuple_type": "a list",
}
"""What a value must be, by pydantic's name for the fault."""
_INPUT = "Input should be "


def fault_line(error: Mapping[str, Any], found: Mapping[str, Any]) -> str:
    """One line for one of pydantic's errors: the key, what was found, what is allowed.

    Lists count from 1. An unknown key comes with the nearest known one, and without its value,
    which may be a secret.
    """
    loc = tuple(part for part in error["loc"] if part != "[key]")
    key = _dotted(loc)
    if error["type"] == "missing":
        return f"{key}: missing; it must be given"
    if error["type"] == "extra_forbidden":
        known = known_keys(loc[:-1])
        near = difflib.get_close_matches(str(loc[-1]), known, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}?" if near else f"allowed are {', '.join(known)}"
        return f"{key}: unknown key; {hint}"
    is_key = "[key]" in error["loc"]
    value = loc[-1] if is_key else _value_at(found, loc)
    if isinstance(value, dict):
        return f"{key}: {_allowed(error)}"
    return f"{key}: found {_shown(value)}; {_allowed(error)}"


def known_keys(loc: tuple[Any, ...]) -> list[str]:
    """The keys that the table at `loc` may have; none where it takes any."""
    model: Any = Settings
    for part in loc:
        if isinstance(part, str) and _is_table(model):
            field = model.model_fields.get(part)
            model = _model_in(field.annotation) if field else None
    if not _is_table(model):
        return []
    return sorted(name for name in model.model_fields if not (model is Settings and name == "path"))


def _allowed(error: Mapping[str, Any]) -> str:
    if error["type"] in _ALLOWED:
        return f"allowed is {_ALLOWED[error['type']]}"
    message: str = error["msg"].removeprefix("Value error, ")
    if message.startswith(_INPUT):
        return f"allowed is {message.removeprefix(_INPUT)}"
    return message if message.startswith("allowed") else f"allowed: {message}"


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
    text = value.isoformat() if hasattr(value, "isoformat") else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _is_table(model: Any) -> bool:
    return isinstance(model, type) and issubclass(model, BaseModel)


def _model_in(annotation: Any) -> Any:
    """The table type inside list[...], dict[..., ...], Annotated[...] or a union; else None."""
    if _is_table(annotation):
        return annotation
    inner = (_model_in(one) for one in typing.get_args(annotation))
    return next((model for model in inner if model is not None), None)


PREVIEW = "preview"
"""Where the dry run writes mails, unless it is told otherwise."""


def misplaced(found: Mapping[str, Any], config: Path) -> Iterator[str]:
    """One line for each path of the file `config` that is dangerous where it is; symbolic links are
    followed. What is no path is passed over.
    """
    sources = list(_sources(found, config))
    files = _files(found, config)
    private = {**files, **_folders(found, config)}
    private |= {f"sources[{i}].path": path for i, path, _ in sources}
    written = _value(found, "feeds", "path", _default(FeedSettings, "path"))
    if (feeds := _place(config, written)) is not None:
        held = [key for key, path in private.items() if path.is_relative_to(feeds)]
        if held:
            yield (
                f"feeds.path: found {str(written)!r}, where also {', '.join(held)} would lie; allowed is "
                "a folder for the feeds alone, because a web server shows everything in it"
            )
        for i, path, _ in sources:
            if feeds != path and feeds.is_relative_to(path):
                yield (
                    f"feeds.path: found {str(written)!r}, which lies in sources[{i}].path; allowed is a "
                    "folder outside of every source, because what is published is no copy"
                )
    for i, path, pattern in sources:
        if taken := [key for key, file in files.items() if _takes(path, pattern, file)]:
            yield (
                f"sources[{i}].pattern: found {pattern!r}, which also takes {', '.join(taken)}; "
                'allowed is one for documents only, such as "*.txt", or a path to where they are alone'
            )


def _takes(source: Path, pattern: str, file: Path) -> bool:
    """Whether a file is a document of this source; a pattern with / is taken to look everywhere."""
    folders, _, last = pattern.rpartition("/")
    near = file.is_relative_to(source) if folders else file.parent == source
    return near and fnmatch(file.name, last)


def _files(found: Mapping[str, Any], config: Path) -> dict[str, Path]:
    """Files that nobody else may read, by the key that names them."""
    mail = _table(found.get("mail"))
    servers = mail.get("servers")
    named: list[tuple[str, Any]] = [
        ("store.path", _value(found, "store", "path", _default(StoreSettings, "path"))),
        ("mail.dkim.rsa_key_file", _table(mail.get("dkim")).get("rsa_key_file")),
        ("mail.dkim.ed25519_key_file", _table(mail.get("dkim")).get("ed25519_key_file")),
        *(
            (f"mail.servers[{i}].password_file", _table(server).get("password_file"))
            for i, server in enumerate(servers if isinstance(servers, list) else [], 1)
        ),
        ("alarms.webhook_file", _value(found, "alarms", "webhook_file", None)),
    ]
    return {config.name: Path(os.path.realpath(config)), **_placed(config, named)}


def _folders(found: Mapping[str, Any], config: Path) -> dict[str, Path]:
    """Folders that nobody else may look into."""
    return _placed(
        config,
        [
            (
                "store.backups",
                _value(found, "store", "backups", _default(StoreSettings, "backups")),
            ),
            ("mail.outbox", _value(found, "mail", "outbox", _default(MailSettings, "outbox"))),
            ("service.bounces", _value(found, "service", "bounces", None)),
            ("web.templates", _value(found, "web", "templates", None)),
            ("the mails of a dry run", PREVIEW),
        ],
    )


def _sources(found: Mapping[str, Any], config: Path) -> Iterator[tuple[int, Path, str]]:
    """Number, folder and pattern of each source."""
    sources = found.get("sources")
    for i, source in enumerate(sources if isinstance(sources, list) else [], 1):
        pattern = _table(source).get("pattern", _default(SourceSettings, "pattern"))
        if (path := _place(config, _table(source).get("path"))) is not None:
            yield i, path, pattern if isinstance(pattern, str) else ""


def _placed(config: Path, named: list[tuple[str, Any]]) -> dict[str, Path]:
    placed = ((key, _place(config, value)) for key, value in named)
    return {key: path for key, path in placed if path is not None}


def _place(config: Path, value: Any) -> Path | None:
    """Where a path of the file leads in the end; None where it is none."""
    if not isinstance(value, str | Path) or "\0" in str(value):
        return None
    return Path(os.path.realpath(located(config.parent, Path(value))))


def located(folder: Path, path: Path) -> Path:
    """The path as it is meant in a file in `folder`: relative ones start there, ~ is home."""
    try:
        return folder / path.expanduser()
    except RuntimeError:  # there is no such user
        return folder / path


def _value(found: Mapping[str, Any], table: str, key: str, default: Any) -> Any:
    return _table(found.get(table)).get(key, default)


def _table(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _default(section: Any, key: str) -> Any:
    return section.model_fields[key].default


PAPER_LIGHT = "#faf8f4"
PAPER_DARK = "#16191c"
LOWEST_CONTRAST = 4.5


def combined_faults(found: Mapping[str, Any], config: Path) -> list[str]:
    """One line for each fault of the file `config`, kind by kind."""
    return [
        *_repeated_names(found),
        *_unreadable_colours(found),
        *_unknown_choices(found),
        *misplaced(found, config),
    ]


def _repeated_names(found: Mapping[str, Any]) -> Iterator[str]:
    for table in ("sources", "themes", "digests"):
        seen: dict[str, int] = {}
        for i, entry in _tables(found, table):
            name = entry.get("name")
            if isinstance(name, str) and name in seen:
                yield f"{table}[{i}].name: found {name!r}, as in {table}[{seen[name]}]; each name is allowed once"
            elif isinstance(name, str):
                seen[name] = i


def _unreadable_colours(found: Mapping[str, Any]) -> Iterator[str]:
    for i, theme in _tables(found, "themes"):
        for key, paper in (("colour", PAPER_LIGHT), ("colour_dark", PAPER_DARK)):
            colour = theme.get(key)
            if not isinstance(colour, str) or not re.fullmatch(r"#[0-9a-fA-F]{6}", colour):
                continue
            if (ratio := contrast(colour, paper)) < LOWEST_CONTRAST:
                yield (
                    f"themes[{i}].{key}: found {colour!r}, whose contrast on {paper} is "
                    f"{ratio:.1f} : 1; allowed is at least {LOWEST_CONTRAST} : 1"
                )


def _unknown_choices(found: Mapping[str, Any]) -> Iterator[str]:
    names = [theme.get("name") for _, theme in _tables(found, "themes")]
    themes = list(dict.fromkeys([*(name for name in names if isinstance(name, str)), OTHER]))
    site = found.get("site")
    chosen = site.get("languages") if isinstance(site, dict) else None
    languages = _strings(chosen) or SiteSettings.model_fields["languages"].default
    for i, digest in _tables(found, "digests"):
        for theme in _strings(digest.get("themes")):
            if theme not in themes:
                yield f"digests[{i}].themes: found {theme!r}; allowed are {', '.join(themes)}"
        for language in _strings(digest.get("languages")):
            if language in LANGUAGES and language not in languages:
                yield (
                    f"digests[{i}].languages: found {language!r}; "
                    f"allowed are the site's, {', '.join(languages)}"
                )


def _tables(found: Mapping[str, Any], key: str) -> Iterator[tuple[int, dict[str, Any]]]:
    entries = found.get(key)
    for i, entry in enumerate(entries if isinstance(entries, list) else [], 1):
        if isinstance(entry, dict):
            yield i, entry


def _strings(value: Any) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []
