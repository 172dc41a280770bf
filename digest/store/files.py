"""Files written whole or not at all, some for their owner only; and whether a place can be written."""

import contextlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Literal

from digest.errors import StoreError


def open_private(path: Path, mode: Literal["wb", "xb"] = "wb") -> BinaryIO:
    """A new or emptied file that only its owner may read, from its first byte on, whatever the umask.

    If an operator shared its folder with a group by hand (setgid), that group may read it, too. What
    root makes belongs to the owner of the folder, which is the user of the service.
    """

    def opener(name: str, flags: int) -> int:
        descriptor = os.open(name, flags, 0o600)
        if os.name == "posix":
            folder = path.parent.stat().st_mode
            with contextlib.suppress(PermissionError):  # a disk without modes; the doctor says so
                os.fchmod(descriptor, 0o600 | (folder & 0o040 if folder & stat.S_ISGID else 0))
        _give_to_owner(descriptor, path.parent)
        return descriptor

    return open(path, mode, opener=opener)


def private_folder(folder: Path) -> None:
    """Make the folder if it is missing, and those above it; only their owner may enter them."""
    if not folder.is_dir():
        private_folder(folder.parent)
        folder.mkdir(0o700, exist_ok=True)
        _give_to_owner(folder, folder.parent)


def open_to_others(path: Path) -> bool:
    """Whether its own mode gives users outside its group any right; False where it is missing."""
    try:
        return os.name == "posix" and bool(path.stat().st_mode & 0o007)
    except OSError:  # it is missing, or in a folder that even we may not enter
        return False


def _give_to_owner(made: int | Path, folder: Path) -> None:
    if os.name == "posix" and os.geteuid() == 0:
        owner = folder.stat()
        os.chown(made, owner.st_uid, owner.st_gid)


def file_state(found: os.stat_result) -> str:
    return f"{found.st_size} {found.st_mtime_ns} {found.st_ctime_ns}"


def replace_and_stat(
    path: Path, data: bytes, half: Path, *, private: bool = False
) -> tuple[bool, str]:
    """Write `data` whole or not at all: whether it was written, as `path` did not hold it yet, and the
    state of the file then; "" where another publisher replaced it.

    `half` is a folder on the same disk for the file while it is half written.
    """
    with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
        found = os.fstat(file.fileno())
        if file.read() == data:
            return False, file_state(found)
    # The process id keeps two publishers out of each other's half-written file.
    temporary = half / f".{path.name}.{os.getpid()}"
    try:
        with open_private(temporary) if private else temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            ours = os.fstat(file.fileno()).st_ino
        temporary.replace(path)
        found = path.stat()  # replacing it changes the inode's times
    finally:
        temporary.unlink(missing_ok=True)
    return True, file_state(found) if found.st_ino == ours else ""


def sync_file(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


@contextlib.contextmanager
def new_file(target: Path) -> Iterator[Path]:
    """A file to fill. It takes the name `target` when the block ends without an error, and is deleted
    otherwise. Only its owner may read it: it holds addresses and the key of tokens.
    """
    try:
        private_folder(target.parent)
        descriptor, name = tempfile.mkstemp(
            prefix=f".{target.stem}-", suffix=".part", dir=target.parent
        )
        _give_to_owner(descriptor, target.parent)
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
