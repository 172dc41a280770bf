"""Files written whole or not at all, some for their owner only; and whether a place can be written."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from digest.errors import StoreError


def replace_file(path: Path, data: bytes, *, half: Path | None = None) -> bool:
    """Write `data` whole or not at all; False, and nothing touched, when `path` already holds it.

    `half` is a folder on the same disk for the file while it is half written.
    """
    return replace_and_stat(path, data, half or path.parent)[0]


def file_state(stat: os.stat_result) -> str:
    return f"{stat.st_size} {stat.st_mtime_ns} {stat.st_ctime_ns}"


def replace_and_stat(path: Path, data: bytes, half: Path) -> tuple[bool, str]:
    """Whether the file was written, and its state then; "" where another publisher replaced it."""
    with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
        stat = os.fstat(file.fileno())
        if file.read() == data:
            return False, file_state(stat)
    # The process id keeps two publishers out of each other's half-written file.
    temporary = half / f".{path.name}.{os.getpid()}"
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            ours = os.fstat(file.fileno()).st_ino
        temporary.replace(path)
        stat = path.stat()  # replacing it changes the inode's times
    finally:
        temporary.unlink(missing_ok=True)
    return True, file_state(stat) if stat.st_ino == ours else ""


def sync_file(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


@contextlib.contextmanager
def new_file(target: Path) -> Iterator[Path]:
    """A file to fill. It takes the name `target` when the block ends without an error, and is deleted
    otherwise. Only its owner may read it: it holds addresses and the key of tokens.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(
            prefix=f".{target.stem}-", suffix=".part", dir=target.parent
        )
    except OSError as e:
        raise StoreError(f"{target.parent}: cannot be written to: {e.strerror}.") from e
    os.close(descriptor)
    made = Path(name)
    try:
        yield made
        sync_file(made)
        made.replace(target)
        sync_folder(target.parent)
    except OSError as e:
        raise StoreError(f"{target}: cannot be written: {e.strerror}. Nothing was changed.") from e
    finally:
        for suffix in ("", "-journal", "-wal", "-shm"):
            made.with_name(made.name + suffix).unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Make sure that a new name in it is on the disk, where the system can."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


LEAST_FREE_MB = 200
"""With less, an operator is notified."""
MB = 1_000_000


def write_fault(path: Path, *, least_free_mb: int = LEAST_FREE_MB) -> str | None:
    """Why that file or folder cannot be written to; None where it can."""
    present = existing(path)
    folder = present if present.is_dir() else present.parent
    for place, rights in ((present, os.W_OK), (folder, os.W_OK | os.X_OK)):
        if not os.access(place, rights):
            return f"{place} cannot be written to."
    try:
        free = shutil.disk_usage(present).free // MB
    except OSError as e:
        return f"The free space on the disk of {present} is unknown ({e.strerror or e})."
    return None if free >= least_free_mb else f"Only {free} MB are free on the disk of {present}."


def existing(path: Path) -> Path:
    """The path, or the nearest folder above it that exists and can be seen."""
    # Path.exists raises where a folder may not be entered.
    return next(place for place in (path, *path.parents) if os.path.exists(place))  # noqa: PTH110
