"""Small disks, mounted for a test: full, or read-only."""

import contextlib
import functools
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Disk:
    """A disk mounted at `path`."""

    path: Path

    def fill(self, *, leave: int = 0) -> None:
        """Use all space but `leave` bytes."""
        ballast = self.path / "ballast"
        with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(b"\0" * 4096)
        with ballast.open("r+b") as file:
            file.truncate(max(0, ballast.stat().st_size - leave))

    def free(self) -> None:
        (self.path / "ballast").unlink()

    def remount(self, mode: str) -> None:
        """Read-only ("ro"), or as before ("rw")."""
        subprocess.run(["mount", "-o", f"remount,{mode}", str(self.path)], check=True)


@contextlib.contextmanager
def mounted(path: Path, size: str = "16m") -> Iterator[Disk]:
    """A new disk of this size at `path`, a folder that is created."""
    path.mkdir(parents=True, exist_ok=True)
    words = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(path)]
    subprocess.run(words, check=True, capture_output=True)
    try:
        yield Disk(path)
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)


@functools.cache
def why_not() -> str | None:
    """Why no disk can be mounted here; None where one can."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "mounting a small disk needs Linux and root"
    try:
        with tempfile.TemporaryDirectory() as name, mounted(Path(name)):
            return None
    except (OSError, subprocess.CalledProcessError) as e:
        return f"this system does not let root mount: {e}"
