"""The folder of published files: each written whole or not at all, and only where it changed."""

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from digest.errors import PublishError
from digest.store.files import file_state, replace_and_stat

MANIFEST = ".published"
"""In the folder itself: a line for each file that is ours, others are not touched. Behind its name may
stand what it was made from, and its size, time of change and time of its inode's change then."""

HALF = ".half"
"""In the folder itself: files that are being written, each with the id of its process at the end."""
_OUR_NAME = re.compile(r"(articles/)?[a-z0-9][a-z0-9.-]*\.(atom|rss|json|html|opml|css)")


@dataclass(frozen=True, slots=True)
class Laid:
    """What became of the folder: names written and removed, and how many files were left alone.

    `appeared` are those of the written that the folder never had; none where it is all new.
    """

    written: tuple[str, ...]
    unchanged: int
    removed: tuple[str, ...]
    appeared: tuple[str, ...] = ()


def lay_out(
    folder: Path,
    wanted: Mapping[str, str],
    make: Callable[[Sequence[str]], Iterable[tuple[str, bytes]]],
) -> Laid:
    """Make the folder hold these files and no other of ours.

    `wanted` gives for each name a mark of what the file is made from, "" where that is not known.
    `make` gives the files of the names that it is asked for, in their order, taken one after
    another. It is not asked for a file that was made from the same before and was not touched
    since, by its size and times. The manifest names a file before it is written and until it is
    removed, so that a crash leaves nothing that we forget.

    Raises:
        PublishError: the folder cannot be written; files written until then are whole.
    """
    # Remove what a process that was killed had half written.
    for half in (folder / HALF).glob("*"):
        pid = half.name.rpartition(".")[2]
        if not (pid.isdigit() and _is_at_work(int(pid))):
            try:
                half.unlink(missing_ok=True)
            except OSError as e:
                raise _told(half, e) from e
    known = _manifest(folder)
    if not wanted.keys() <= known.keys():
        _put(folder, MANIFEST, _listed({**dict.fromkeys(wanted, ""), **known}))
    asked = [name for name, mark in wanted.items() if not _stands(folder, name, mark, known)]
    notes = {name: known[name] for name in wanted.keys() - set(asked)}
    written: list[str] = []
    for name, data in make(asked):
        changed, state = _put(folder, name, data)
        notes[name] = f"{wanted[name]} {state}" if wanted[name] and state else ""
        if changed:
            written.append(name)
    removed = [name for name in sorted(known.keys() - wanted.keys()) if _remove(folder, name)]
    _put(folder, MANIFEST, _listed(notes))
    return Laid(
        tuple(written),
        len(wanted) - len(written),
        tuple(removed),
        tuple(name for name in written if name not in known) if known else (),
    )


def _stands(folder: Path, name: str, mark: str, known: Mapping[str, str]) -> bool:
    """Whether the file is as we left it when we made it from the same."""
    note = known.get(name, "")
    if not mark or not note.startswith(f"{mark} "):
        return False
    try:
        return note == f"{mark} {file_state(os.stat(f'{folder}/{name}'))}"  # noqa: PTH116 - of many thousands
    except OSError:
        return False


def _manifest(folder: Path) -> dict[str, str]:
    """What is noted of each file of ours."""
    try:
        lines = (folder / MANIFEST).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return {}
    except OSError as e:
        raise _told(folder / MANIFEST, e) from e
    found = (line.partition(" ") for line in lines)
    return {name: note for name, _, note in found if _OUR_NAME.fullmatch(name)}


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


def _listed(notes: Mapping[str, str]) -> bytes:
    return "".join(f"{name} {notes[name]}".rstrip() + "\n" for name in sorted(notes)).encode()


def _put(folder: Path, name: str, data: bytes) -> tuple[bool, str]:
    path = folder / name
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        half = folder / HALF
        half.mkdir(exist_ok=True)
        return replace_and_stat(path, data, half)
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
