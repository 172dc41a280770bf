"""The documents of a folder, and their bytes."""

import functools
import os
import stat
from collections import Counter
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePath

from digest.errors import DocumentError
from digest.language.text import is_clean

_MIB = 1024 * 1024
READABLE = (".txt", ".md", ".html", ".htm", ".eml", ".docx", ".odt", ".rtf", ".pdf")
_HIDDEN = (".", "~$")
"""How hidden files begin, and those that Word keeps while a document is open."""
_MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class FoundDocument:
    """A regular file: its name within `folder` (parts joined by "/"), path, and size in bytes."""

    name: str
    path: Path
    size: int
    folder: Path


def list_documents(folder: Path, pattern: str) -> list[FoundDocument]:
    """The documents of a folder, as `survey` finds them."""
    return survey(folder, pattern)[0]


def survey(folder: Path, pattern: str) -> tuple[list[FoundDocument], Counter[str]]:
    """The regular files of `folder` that the glob `pattern` takes, by name, without hidden ones; and how
    many files beside them are ignored, by their ending.

    Capitals make no difference in a file's name. A pattern that ends in "*" takes the formats that we read.
    A broken link counts as a document that cannot be read, and so does a link that leads out of the
    folder, once for all that is behind it. `folder` itself may be a link.

    Raises:
        DocumentError: the folder is missing or cannot be read, or the pattern is invalid.
    """
    check_folder(folder)
    root = os.path.realpath(folder)

    @functools.cache
    def leaving(place: Path) -> Path | None:
        """The link on the way to `place` that leads out of the folder; None if there is none."""
        above = leaving(place.parent) if place != folder else None
        return above or (place if _leaves(place, root) else None)

    try:
        above, slash, last = pattern.rpartition("/")
        beside = folder.glob(f"{above}{slash}*" if last else pattern)
        paths: set[Path] = set()
        ignored = Counter[str]()
        for path in beside:
            parts = path.relative_to(folder).parts
            if any(part.startswith(_HIDDEN) and part != ".." for part in parts):
                continue
            readable = path.name.lower().endswith(READABLE) or not last.endswith("*")
            if readable and fnmatchcase(path.name.lower(), last.lower()):
                paths.add(leaving(path.parent) or path)
            elif path.is_file():
                ignored[PurePath(path.name).suffix.lower() or "no ending"] += 1
        documents = []
        for path in paths:
            size = 0
            if not (_leaves(path, root) or _is_broken_link(path)):
                if not path.is_file():
                    continue
                try:
                    size = path.stat().st_size
                except FileNotFoundError:
                    continue  # just deleted
            name = path.relative_to(folder).as_posix()
            if not is_clean(name):
                # Shown escaped, so that each has its own; `read_bytes` refuses it.
                name = name.encode("unicode_escape").decode("ascii")
            documents.append(FoundDocument(name, path, size, folder))
    except (ValueError, NotImplementedError) as error:
        reason = f"pattern {pattern!r} cannot be used ({error}); an example is *.txt"
        raise DocumentError(str(folder), reason) from error
    except OSError as error:
        reason = f"cannot be read ({error.strerror or error}); check its permissions"
        raise DocumentError(str(folder), reason) from error
    return sorted(documents, key=lambda document: document.name), ignored


def in_words(ignored: Counter[str]) -> str:
    """The files that are not read, in one line: "3 files ignored: .pages (2), .doc (1)"."""
    count = ignored.total()
    often = sorted(ignored.items(), key=lambda one: (-one[1], one[0]))[:_MOST_NAMED]
    named = ", ".join(f"{ending} ({times})" for ending, times in often)
    return f"{count} file{'s' if count > 1 else ''} ignored: {named}"


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
        DocumentError: larger than `limit_bytes`, empty, unreadable, no regular file, or outside of the
            folder: what was opened is checked, so it may be swapped at any time.
    """
    if not is_clean(str(found.path)):
        reason = "its file name is not UTF-8, or has control characters; rename the file"
        raise DocumentError(found.name, reason)
    try:
        with open(found.path, "rb", opener=lambda _, flags: _open_inside(found, flags)) as file:
            opened = os.fstat(file.fileno())
            if not stat.S_ISREG(opened.st_mode):
                reason = "is a pipe, a device or a socket; replace it with a file, or remove it"
                raise DocumentError(found.name, reason)
            data = file.read(limit_bytes + 1)
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
            f"is too large: {opened.st_size / _MIB:.1f} MiB, the limit is {limit_bytes / _MIB:g} MiB; "
            "split it, or raise `size_limit_mib` of the source in config.toml",
        )
    if not data:
        raise DocumentError(found.name, "is empty; fill it or remove it")
    return data


def _open_inside(found: FoundDocument, flags: int) -> int:
    """Open the file. Links are resolved here and never followed by the system, so that none leads out
    of the folder.
    """
    try:
        return _open_unlinked(str(found.folder), found.name, flags)
    except OSError:
        root, real = os.path.realpath(found.folder), os.path.realpath(found.path)
        if real == os.path.normpath(f"{root}/{found.name}"):
            raise  # no link is on the way
        if not Path(real).is_relative_to(root):
            reason = (
                "is a link that leads out of the folder; copy the file into it, or remove the link"
            )
            raise DocumentError(found.name, reason) from None
        return _open_unlinked(root, os.path.relpath(real, root), flags)


def _open_unlinked(folder: str, name: str, flags: int) -> int:
    """Open a file below the folder, step by step; fails if a step is a link. Does not wait for a pipe."""
    if os.open not in os.supports_dir_fd:
        return os.open(f"{folder}/{name}", flags)
    entering = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY
    place = os.open(folder, entering)
    try:
        *above, last = name.replace(os.sep, "/").split("/")
        for part in above:
            below = os.open(part, entering | os.O_NOFOLLOW, dir_fd=place)
            os.close(place)
            place = below
        return os.open(last, flags | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=place)
    finally:
        os.close(place)


def _leaves(path: Path, root: str) -> bool:
    """Whether it is a link that leads out of the folder whose real path is `root`."""
    return path.is_symlink() and not Path(os.path.realpath(path)).is_relative_to(root)


def _is_broken_link(path: Path) -> bool:
    """Whether it is a link to a missing file, or a loop of links."""
    return path.is_symlink() and not path.exists()
