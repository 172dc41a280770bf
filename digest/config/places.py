"""Folders and files of config.toml that lie where others could see them, or would take them for copy.

Whoever serves the folder of the feeds shows all that is in it, so nothing else may lie there.
"""

import os
from collections.abc import Iterator, Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from digest.config.settings import FeedSettings, MailSettings, SourceSettings, StoreSettings

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
                "a folder for the feeds alone, because whoever serves it shows all that is in it"
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
