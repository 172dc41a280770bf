"""The documents of a folder, and their bytes."""

import os
from dataclasses import dataclass
from pathlib import Path

from digest.errors import DocumentError
from digest.language.text import is_clean

_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class FoundDocument:
    """A regular file: its name within the folder (parts joined by "/"), path, and size in bytes."""

    name: str
    path: Path
    size: int


def list_documents(folder: Path, pattern: str) -> list[FoundDocument]:
    """The regular files of `folder` that match the glob `pattern`, by name, without hidden ones.

    A broken link counts as a document that cannot be read.

    Raises:
        DocumentError: the folder is missing or cannot be read, or the pattern is invalid.
    """
    check_folder(folder)
    try:
        paths = list(folder.glob(pattern))
        regular = [path for path in paths if path.is_file() or _is_broken_link(path)]
        documents = []
        for path in regular:
            try:
                size = path.stat().st_size
            except OSError as error:
                if not _is_broken_link(path):
                    if isinstance(error, FileNotFoundError):
                        continue  # just deleted
                    raise
                size = 0
            name = path.relative_to(folder).as_posix()
            if not is_clean(
                name
            ):  # shown escaped, so that each has its own; `read_bytes` refuses it
                name = name.encode("unicode_escape").decode("ascii")
            if not any(part.startswith(".") and part != ".." for part in name.split("/")):
                documents.append(FoundDocument(name, path, size))
    except (ValueError, NotImplementedError) as error:
        reason = f"pattern {pattern!r} cannot be used ({error}); an example is *.txt"
        raise DocumentError(str(folder), reason) from error
    except OSError as error:
        reason = f"cannot be read ({error.strerror or error}); check its permissions"
        raise DocumentError(str(folder), reason) from error
    return sorted(documents, key=lambda document: document.name)


def check_folder(folder: Path) -> None:
    """Check that the folder can be opened, in the same time whatever its size.

    Raises:
        DocumentError: it is missing or cannot be read.
    """
    try:
        if not folder.is_dir():
            fault = "is a file, not a folder" if folder.exists() else "there is no such folder"
            raise DocumentError(
                str(folder), f"{fault}; make it, or correct `path` of the source in config.toml"
            )
        os.scandir(folder).close()
    except OSError as error:  # a glob would find nothing instead
        reason = f"cannot be read ({error.strerror or error}); check its permissions"
        raise DocumentError(str(folder), reason) from error


def read_bytes(found: FoundDocument, limit_bytes: int) -> bytes | None:
    """The document's bytes; None if it was deleted since it was found.

    Raises:
        DocumentError: larger than `limit_bytes`, empty, or unreadable.
    """
    if not is_clean(str(found.path)):
        reason = "its file name is not UTF-8, or has control characters; rename the file"
        raise DocumentError(found.name, reason)
    try:
        with found.path.open("rb") as file:
            data = file.read(limit_bytes + 1)
            size = len(data) if len(data) <= limit_bytes else found.path.stat().st_size
    except OSError as error:
        if _is_broken_link(found.path):
            reason = "is a broken link; correct or remove it"
            raise DocumentError(found.name, reason) from error
        if isinstance(error, FileNotFoundError):
            return None
        reason = f"cannot be read ({error.strerror or error}); check its permissions"
        raise DocumentError(found.name, reason) from error
    if len(data) > limit_bytes:
        raise DocumentError(
            found.name,
            f"is too large: {size / _MIB:.1f} MiB, the limit is {limit_bytes / _MIB:g} MiB; "
            "split it, or raise `size_limit_mib` of the source in config.toml",
        )
    if not data:
        raise DocumentError(found.name, "is empty; fill it or remove it")
    return data


def _is_broken_link(path: Path) -> bool:
    """Whether it is a link to a missing file, or a loop of links."""
    return path.is_symlink() and not path.exists()
