"""The folder of published files: each written completely or not at all, and only if it changed."""

import contextlib
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from digest.errors import PublishError
from digest.feeds.pages import article_of
from digest.store.files import file_state, replace_and_stat

MANIFEST = ".published"
"""In the folder itself: one line for each file of ours; other files are not touched. The name may be
followed by a mark of what the file was made from, its size, and the times of its content and inode."""

HALF = ".half"
"""In the folder itself: files being written, each name ending with the id of its process."""
_OUR_NAME = re.compile(r"(articles/)?[a-z0-9][a-z0-9.-]*\.(atom|rss|json|html|opml|css)")


@dataclass(frozen=True, slots=True)
class PublishReport:
    """Names of the files written and removed, and how many files were left alone.

    `appeared` are the ids of the articles whose page is new in the folder; none in a new folder.
    """

    written: tuple[str, ...]
    unchanged: int
    removed: tuple[str, ...]
    appeared: tuple[int, ...] = ()


def lay_out(
    folder: Path,
    wanted: Mapping[str, str],
    make: Callable[[Sequence[str]], Iterable[tuple[str, bytes]]],
) -> PublishReport:
    """Make the folder hold these files and no other of ours.

    `wanted` maps each name to a mark of what the file is made from, "" where that is not known.
    `make` yields the files of the names it gets, in their order, one at a time. It is not asked for
    a file with the same mark, size and times as before. The manifest names a file before it is
    written and until it is removed, so a crash leaves no file that we forget.

    Raises:
        PublishError: the folder cannot be written; files written until then are complete.
    """
    for half in (folder / HALF).glob("*"):  # left by a process that was killed
        pid = half.name.rpartition(".")[2]
        if not (pid.isdigit() and _is_other_process(int(pid))):
            with _publish_errors(half):
                half.unlink(missing_ok=True)
    lines: list[str] = []
    with _publish_errors(folder / MANIFEST), contextlib.suppress(FileNotFoundError):
        lines = (folder / MANIFEST).read_text(encoding="utf-8").splitlines()
    parts = (line.partition(" ") for line in lines)
    known = {name: note for name, _, note in parts if _OUR_NAME.fullmatch(name)}
    if not wanted.keys() <= known.keys():
        _put_manifest(folder, {**dict.fromkeys(wanted, ""), **known})
    notes: dict[str, str] = {}
    for name, mark in wanted.items():
        note = known.get(name, "")
        if mark and note.startswith(f"{mark} "):
            try:
                state = file_state(os.stat(f"{folder}/{name}"))  # noqa: PTH116 - of many thousands
            except OSError:
                continue
            if note == f"{mark} {state}":
                notes[name] = note
    written: list[str] = []
    for name, data in make([name for name in wanted if name not in notes]):
        changed, state = _put(folder, name, data)
        notes[name] = f"{wanted[name]} {state}" if wanted[name] and state else ""
        if changed:
            written.append(name)
    removed: list[str] = []
    for name in sorted(known.keys() - wanted.keys()):
        with _publish_errors(folder / name), contextlib.suppress(FileNotFoundError):
            (folder / name).unlink()
            removed.append(name)
    _put_manifest(folder, notes)
    new = (article_of(name) for name in written if known and name not in known)
    return PublishReport(
        tuple(written),
        len(wanted) - len(written),
        tuple(removed),
        tuple(article for article in new if article is not None),
    )


def _is_other_process(pid: int) -> bool:
    """Whether another process with that id runs: it may be writing here, too."""
    if os.name == "nt" or pid == os.getpid():
        return False  # Windows itself protects a file that another process has open
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _put_manifest(folder: Path, notes: Mapping[str, str]) -> None:
    lines = (f"{name} {notes[name]}".rstrip() + "\n" for name in sorted(notes))
    _put(folder, MANIFEST, "".join(lines).encode())


def _put(folder: Path, name: str, data: bytes) -> tuple[bool, str]:
    path, half = folder / name, folder / HALF
    with _publish_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        half.mkdir(exist_ok=True)
        return replace_and_stat(path, data, half)


@contextlib.contextmanager
def _publish_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as e:
        raise PublishError(
            f"{path}: {e.strerror or e}. Fix this, or set another folder in feeds.path; then run "
            "`digest publish` again. The files already written are complete."
        ) from e
