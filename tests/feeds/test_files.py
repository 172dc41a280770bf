"""The folder of published files: written completely or not at all, only if changed, and only our own."""

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from digest.errors import PublishError
from digest.feeds.files import HALF, MANIFEST, Folder, PublishReport, part_of
from digest.feeds.layout import Layout, Make
from digest.store.files import replace_and_stat
from tests.feeds.folders import contents


def lay_out(folder: Path, names: Sequence[str], make: Make) -> PublishReport:
    """All files of a folder, without a mark of what they are made from."""
    layout = Layout(Folder(folder))
    for part in dict.fromkeys(map(part_of, names)):
        layout.lay(part, {name: "" for name in names if part_of(name) == part}, make)
    return layout.finish()


def lay(folder: Path, files: Mapping[str, bytes]) -> PublishReport:
    return lay_out(folder, list(files), lambda names: [(n, files[n]) for n in names])


def test_a_file_is_written_only_when_its_bytes_differ(tmp_path: Path) -> None:
    """A reader's conditional request is answered 304 as long as nothing changed."""
    path = tmp_path / "all.atom"
    assert replace_and_stat(path, b"one", tmp_path)[0]
    os.utime(path, ns=(1, 1))
    assert not replace_and_stat(path, b"one", tmp_path)[0]
    assert path.stat().st_mtime_ns == 1
    assert replace_and_stat(path, b"two", tmp_path)[0]
    assert contents(tmp_path) == {"all.atom": b"two"}


def test_a_file_that_cannot_be_replaced_stays_complete(tmp_path: Path) -> None:
    """Neither half a file nor a leftover is seen, whatever goes wrong."""
    (tmp_path / "all.atom").mkdir()
    (tmp_path / "all.atom" / "inside").write_bytes(b"kept")
    with pytest.raises(PublishError, match=r"all\.atom"):
        lay(tmp_path, {"all.atom": b"new"})
    assert contents(tmp_path) == {"all.atom/inside": b"kept"}


def test_new_files_can_be_read_by_the_web_server(tmp_path: Path) -> None:
    """They get the usual permissions, not those of a private temporary file."""
    replace_and_stat(tmp_path / "all.atom", b"x", tmp_path)
    (tmp_path / "usual").write_bytes(b"x")
    assert (tmp_path / "all.atom").stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_a_second_run_touches_nothing(tmp_path: Path) -> None:
    """Not even the manifest."""
    files = {"all.atom": b"a", "style.css": b"c", "articles/1.html": b"b"}
    assert lay(tmp_path / "feeds", files) == PublishReport(tuple(files), 0, ())
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert lay(tmp_path / "feeds", files) == PublishReport((), 3, ())
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_old_files_of_ours_are_removed_and_foreign_files_stay(tmp_path: Path) -> None:
    """A theme that left config.toml leaves no feed behind; the operator's own files are safe."""
    foreign = {".gitignore": b"*", "robots.txt": b"", "about.html": b"mine", "articles/x.html": b""}
    for name, data in foreign.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    lay(tmp_path, {"all.atom": b"a", "gone.atom": b"b", "articles/1.html": b"c"})
    laid = lay(tmp_path, {"all.atom": b"a"})
    assert laid == PublishReport((), 1, ("articles/1.html", "gone.atom"))
    assert contents(tmp_path) == {**foreign, "all.atom": b"a"}


def test_a_manifest_cannot_lead_out_of_the_folder(tmp_path: Path) -> None:
    """Only names that we could have written are ever removed."""
    feeds = tmp_path / "feeds"
    feeds.mkdir()
    (tmp_path / "keep.html").write_bytes(b"mine")
    (feeds / "digest.db").write_bytes(b"mine")
    names = "../keep.html\narticles/../../keep.html\ndigest.db\n/etc/x.html\n"
    (feeds / MANIFEST).mkdir()
    (feeds / MANIFEST / "feeds").write_text(names, encoding="utf-8")
    assert lay(feeds, {"all.atom": b"a"}).removed == ()
    assert (tmp_path / "keep.html").exists()
    assert (feeds / "digest.db").exists()


def test_a_crash_in_the_middle_forgets_no_file(tmp_path: Path) -> None:
    """The next run finishes the work, and still removes what has to go."""
    lay(tmp_path, {"old.atom": b"o"})

    def half() -> Iterator[tuple[str, bytes]]:
        yield "one.atom", b"1"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        lay_out(tmp_path, ["one.atom", "two.atom"], lambda _: half())
    assert contents(tmp_path) == {"old.atom": b"o", "one.atom": b"1"}
    assert lay(tmp_path, {"two.atom": b"2"}).removed == ("old.atom", "one.atom")
    assert contents(tmp_path) == {"two.atom": b"2"}


def test_compressed_files_that_are_missing_or_others_are_made_again(tmp_path: Path) -> None:
    """A web server never sends an older text to those who take it compressed."""
    files = {"all.atom": b"a" * 99, "articles/1.html": b"b" * 99}
    lay(tmp_path, files)
    packed = [tmp_path / f"{name}{ending}" for name in files for ending in (".br", ".gz")]
    before = [path.read_bytes() for path in packed]
    packed[0].unlink()
    packed[3].write_bytes(b"other")
    assert set(lay(tmp_path, files).written) == set(files)
    assert [path.read_bytes() for path in packed] == before
    assert lay(tmp_path, {"all.atom": b"a"}).removed == ("articles/1.html",)
    assert [path.exists() for path in packed] == [True, True, False, False]


def test_files_of_a_killed_process_are_removed_and_those_of_a_live_one_are_not(
    tmp_path: Path,
) -> None:
    """Half-written files of dead processes do not fill the disk."""
    lay(tmp_path, {"all.atom": b"a"})
    with subprocess.Popen(["true"]) as dead:
        dead.wait()
    left = [tmp_path / HALF / f".all.atom.{pid}" for pid in (dead.pid, os.getpid(), os.getppid())]
    for path in left:
        path.write_bytes(b"half")
    assert lay(tmp_path, {"all.atom": b"a"}) == PublishReport((), 1, ())
    assert [path.exists() for path in left] == [False, False, True]
