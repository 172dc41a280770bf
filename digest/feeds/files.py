"""The folder of published files: each written whole or not at all, and only where it changed."""

import contextlib
import os
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from digest.errors import PublishError

MANIFEST = ".published"
"""In the folder itself: the names of the files that are ours, one a line. Others are not touched."""

HALF = ".half"
"""In the folder itself: files that are being written, each with the id of its process at the end."""

_OUR_NAME = re.compile(r"(articles/)?[a-z0-9][a-z0-9.-]*\.(atom|rss|json|html|opml|css)")


@dataclass(frozen=True, slots=True)
class Laid:
    """What became of the folder: names written and removed, and how many files were left alone."""

    written: tuple[str, ...]
    unchanged: int
    removed: tuple[str, ...]


def replace_file(path: Path, data: bytes, *, half: Path | None = None) -> bool:
    """Write `data` whole or not at all; False, and nothing touched, when `path` already holds it.

    `half` is the folder, on the same disk, in which it is written before it takes its name.
    """
    with contextlib.suppress(FileNotFoundError):
        if path.read_bytes() == data:
            return False
    # The process id keeps two publishers out of each other's half-written file.
    temporary = (half or path.parent) / f".{path.name}.{os.getpid()}"
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return True


def lay_out(folder: Path, names: Collection[str], files: Iterable[tuple[str, bytes]]) -> Laid:
    """Make the folder hold these files and no other of ours.

    `names` are those of all `files`, which are taken one after another. The manifest names a file
    before it is written and until it is removed, so that a crash leaves nothing that we forget.

    Raises:
        PublishError: the folder cannot be written; files written until then are whole.
    """
    wanted = set(names)
    _sweep(folder)
    known = _manifest(folder)
    _put(folder, MANIFEST, _listed(known | wanted))
    written: list[str] = []
    unchanged = 0
    for name, data in files:
        if _put(folder, name, data):
            written.append(name)
        else:
            unchanged += 1
    removed = [name for name in sorted(known - wanted) if _remove(folder, name)]
    _put(folder, MANIFEST, _listed(wanted))
    return Laid(tuple(written), unchanged, tuple(removed))


def _manifest(folder: Path) -> set[str]:
    try:
        lines = (folder / MANIFEST).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return set()
    except OSError as e:
        raise _told(folder / MANIFEST, e) from e
    return {line for line in lines if _OUR_NAME.fullmatch(line)}


def _sweep(folder: Path) -> None:
    """Remove what a process that was killed had half written."""
    for half in (folder / HALF).glob("*"):
        pid = half.name.rpartition(".")[2]
        if not (pid.isdigit() and _is_at_work(int(pid))):
            try:
                half.unlink(missing_ok=True)
            except OSError as e:
                raise _told(half, e) from e


def _is_at_work(pid: int) -> bool:
    """Whether another process of that id runs, which may write here, too."""
    if os.name == "nt" or pid == os.getpid():
        return False  # Windows itself keeps a file that another has open
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _listed(names: set[str]) -> bytes:
    return "".join(f"{name}\n" for name in sorted(names)).encode()


def _put(folder: Path, name: str, data: bytes) -> bool:
    path = folder / name
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        half = folder / HALF
        half.mkdir(exist_ok=True)
        return replace_file(path, data, half=half)
    except OSError as e:
        raise _told(path, e) from e


def _remove(folder: Path, name: str) -> bool:
    try:
        (folder / name).unlink()
    except FileNotFoundError:
        return False
    except OSError as e:
        raise _told(folder / name, e) from e
    return True


def _told(path: Path, fault: OSError) -> PublishError:
    return PublishError(
        f"{path}: {fault.strerror or fault}. Mend it, or name another folder in feeds.path; then "
        "run `digest publish` again: what is written already is whole and stays."
    )
