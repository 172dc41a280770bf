"""The published files of a place: each whole or not at all, only if it changed, and only our own."""

import contextlib
import gzip
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from digest.errors import PublishError
from digest.feeds.channels import ATOM, HTML, JSON, MEDIA_TYPES, RSS
from digest.store.files import file_state, replace_and_stat

MANIFEST = ".published"
"""In the place itself: the folder of the manifest. It names the files of ours; others are not touched."""

HALF = ".half"
"""In the folder itself: files being written, each name ending with the id of its process."""
FEEDS = "feeds"
PARTS = {"articles": 1000, "archives": 50}
"""How many numbers a file of the manifest has; FEEDS has what has no number."""
CONTENT_TYPES = {
    **{form: f"{MEDIA_TYPES[form]}; charset=utf-8" for form in (ATOM, RSS, HTML)},
    JSON: MEDIA_TYPES[JSON],  # JSON is UTF-8, and its types have no parameter (RFC 8259 §8.1, §11)
    "opml": "text/x-opml; charset=utf-8",
    "css": "text/css; charset=utf-8",
}
"""The Content-Type of each published file, by its ending."""
NAME = re.compile(rf"(?:articles/|archives/)?[a-z0-9][a-z0-9.-]*\.(?:{'|'.join(CONTENT_TYPES)})")
"""The names that a published file can have."""
ARCHIVE_SECONDS = 604_800
"""How long an archive may be used: it changes only where an article in it is withdrawn."""
PACKED = (".br", ".gz")
"""The endings of the compressed files beside each file of a folder."""


@dataclass(frozen=True, slots=True)
class PublishReport:
    """Names of the files written and removed, and how many files were left alone.

    `appeared` are the ids of the articles whose page is new in the place; none in a new place.
    """

    written: tuple[str, ...]
    unchanged: int
    removed: tuple[str, ...]
    appeared: tuple[int, ...] = ()


def part_of(name: str) -> str:
    """The file of the manifest that names this file: one new article touches few of them."""
    folder, _, rest = name.partition("/")
    number = (rest or name).split(".")[-2:-1]  # articles/7.html, archives/drugs.7.atom
    if folder in PARTS and number and number[0].isdecimal():
        return f"{folder}-{int(number[0]) // PARTS[folder]}"
    return FEEDS


class Folder:
    """A folder for any web server, with a .br and a .gz beside each file."""

    at_once = 4

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = str(path.resolve())
        for half in (path / HALF).glob("*"):  # left by a process that was killed
            pid = half.name.rpartition(".")[2]
            if not (pid.isdigit() and _is_other_process(int(pid))):
                with _publish_errors(half):
                    half.unlink(missing_ok=True)

    def stamp(self) -> str:
        """Changes when a page or an archive is added or removed."""
        folders = [self.path / name for name in ("articles", "archives")]
        return "-".join(str(one.stat().st_mtime_ns) for one in folders if one.exists()) or "-"

    def parts(self) -> set[str]:
        """The files in the manifest."""
        return {path.name for path in (self.path / MANIFEST).glob("[!h]*")}

    def read(self, name: str) -> str:
        """A file of ours, "" where there is none."""
        with _publish_errors(self.path / name), contextlib.suppress(FileNotFoundError):
            return (self.path / name).read_text(encoding="utf-8")
        return ""

    def note(self, name: str, text: str) -> None:
        self._replace(name, text.encode())

    def holds(self, name: str, state: str, *, look: bool) -> bool:
        """Whether the file and those beside it are in that state; looking is cheap."""
        try:
            found = [os.stat(f"{self.path}/{name}{ending}") for ending in ("", *PACKED)]  # noqa: PTH116 - of many thousands
        except OSError:
            return False
        return state == _joined(file_state(one) for one in found)

    def put(self, name: str, data: bytes, state: str, seconds: int) -> tuple[bool, str]:
        """Write the file that was last put in that state: whether that changed it, and its state now,
        "" where another publisher came between. A web server says for how long it may be kept."""
        import brotli

        if state and self.holds(name, state, look=True):
            with _publish_errors(self.path / name):
                if (self.path / name).read_bytes() == data:
                    return False, state
        files = {
            name: data,
            f"{name}.br": brotli.compress(data, mode=brotli.MODE_TEXT, quality=5, lgwin=18),
            f"{name}.gz": gzip.compress(data, compresslevel=6, mtime=0),
        }
        put = [self._replace(*file) for file in files.items()]
        return any(changed for changed, _ in put), _joined(now for _, now in put)

    def delete(self, names: Sequence[str]) -> None:
        """Remove those of these files that are there."""
        for file in (f"{name}{ending}" for name in names for ending in (*PACKED, "")):
            path = self.path / file
            with _publish_errors(path):
                path.unlink(missing_ok=True)

    def _replace(self, name: str, data: bytes) -> tuple[bool, str]:
        path, half = self.path / name, self.path / HALF
        with _publish_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            half.mkdir(exist_ok=True)
            return replace_and_stat(path, data, half)


def _joined(states: Iterable[str]) -> str:
    """The state of several files as one: sizes together and latest times; "" if one has none."""
    numbers = [[int(number) for number in state.split()] for state in states]
    if not all(numbers):
        return ""
    sizes, *times = zip(*numbers, strict=True)
    return " ".join(str(number) for number in (sum(sizes), *map(max, times)))


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


@contextlib.contextmanager
def _publish_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as e:
        raise PublishError(
            f"{path}: {e.strerror or e}. Fix this, or set another folder in feeds.path; then run "
            "`digest publish` again. The files already written are complete."
        ) from e
