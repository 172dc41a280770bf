"""Documents are found in a stable order, and each fault names its document and what to do."""

import os
import sys

import pytest

from digest.errors import DocumentError
from digest.sources.folder import in_words, list_documents, read_bytes, survey

MIB = 1024 * 1024


def test_documents_are_sorted_by_name(tmp_path):
    """For two readings of a folder: always sorted, without folders and hidden files."""
    (tmp_path / "sub").mkdir()
    for name in ("b.txt", "a.txt", "sub/c.txt", ".hidden.txt", "notes.md"):
        (tmp_path / name).write_text("Copy.", "utf-8")
    (tmp_path / "folder.txt").mkdir()
    for pattern, names in (
        ("**/*.txt", ["a.txt", "b.txt", "sub/c.txt"]),
        ("*.txt", ["a.txt", "b.txt"]),
    ):
        assert [document.name for document in list_documents(tmp_path, pattern)] == names
    assert list_documents(tmp_path, "*.txt")[0].size == 5


def test_every_format_is_found_and_what_is_not_read_is_counted(tmp_path):
    """For the operator: copy is found wherever and however it is named, and nothing else is copy."""
    names = [
        "a.txt",
        "B.HTML",
        "sub/c.Docx",
        "sub/deep/d.eml",
        "list.csv",
        "e.PAGES",
        "f.pages",
        "README",
    ]
    hidden = [".hidden.txt", ".git/config", "~$c.docx", "sub/.DS_Store"]
    for name in names + hidden:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("Copy.", "utf-8")
    for pattern, taken, beside in (
        ("**/*", names[:4], "4 files ignored: .pages (2), .csv (1), no ending (1)"),
        ("*.txt", names[:1], "5 files ignored: .pages (2), .csv (1), .html (1), no ending (1)"),
        ("*.csv", ["list.csv"], "5 files ignored: .pages (2), .html (1), .txt (1), no ending (1)"),
        ("sub/**/*", names[2:4], ""),
    ):
        documents, ignored = survey(tmp_path, pattern)
        assert [document.name for document in documents] == sorted(taken)
        assert (in_words(ignored) if ignored else "") == beside


@pytest.mark.parametrize(
    ("folder", "pattern", "says"),
    [
        pytest.param("missing", "*.txt", "there is no such folder", id="no folder"),
        pytest.param("file", "*.txt", "is a file, not a folder", id="a file"),
        pytest.param(".", "/etc/*", "pattern '/etc/*' cannot be used", id="absolute pattern"),
        pytest.param(".", "", "pattern '' cannot be used", id="empty pattern"),
    ],
)
def test_a_folder_that_cannot_be_listed_is_named(tmp_path, folder, pattern, says):
    """For the operator: which folder, and what to do."""
    (tmp_path / "file").write_text("", "utf-8")
    with pytest.raises(DocumentError, match=r"config\.toml|example") as caught:
        list_documents(tmp_path / folder, pattern)
    assert says in str(caught.value)


def test_a_document_is_read_up_to_the_limit_to_the_byte(tmp_path):
    """For the operator: the limit itself is allowed, one byte more is not."""
    (tmp_path / "copy.txt").write_bytes(b"x" * 100)
    [found] = list_documents(tmp_path, "*.txt")
    assert read_bytes(found, 100) == b"x" * 100
    with pytest.raises(DocumentError, match="too large"):
        read_bytes(found, 99)


def test_a_deleted_document_has_no_bytes_and_no_fault(tmp_path):
    """For the operator: a folder may be emptied at any time."""
    (tmp_path / "gone.txt").write_bytes(b"Copy.")
    [found] = list_documents(tmp_path, "*.txt")
    found.path.unlink()
    assert read_bytes(found, 100) is None


def test_a_faulty_document_is_reported_in_one_line(tmp_path):
    """For the operator: too large names size and limit, empty says what to do."""
    (tmp_path / "empty.txt").write_bytes(b"")
    (tmp_path / "large.txt").write_bytes(b"a" * (6 * MIB))
    messages = []
    for document in list_documents(tmp_path, "*.txt"):
        with pytest.raises(DocumentError) as caught:
            read_bytes(document, 5 * MIB)
        messages.append(str(caught.value))
    empty, large = messages
    assert large.startswith("large.txt: is too large: 6.0 MiB, the limit is 5 MiB")
    assert "size_limit_mib" in large
    assert empty == "empty.txt: is empty; fill it or remove it"
    assert "\n" not in empty + large


@pytest.mark.parametrize("target", ["nowhere.txt", "link.txt"], ids=["gone", "itself"])
def test_a_broken_link_is_a_document_that_cannot_be_read(tmp_path, target):
    """For the operator: a missing file is reported, not ignored."""
    (tmp_path / "copy.txt").write_text("Copy.", "utf-8")
    (tmp_path / "folder").mkdir()
    (tmp_path / "good.txt").symlink_to(tmp_path / "copy.txt")
    (tmp_path / "inside.txt").symlink_to(tmp_path / "folder")
    (tmp_path / "link.txt").symlink_to(tmp_path / target)
    found = {one.name: one for one in list_documents(tmp_path, "*.txt")}
    assert set(found) == {"copy.txt", "good.txt", "link.txt"}
    assert read_bytes(found["good.txt"], 100) == b"Copy."
    with pytest.raises(DocumentError, match=r"link\.txt: is a broken link; correct"):
        read_bytes(found["link.txt"], 100)
    found["link.txt"].path.unlink()
    assert read_bytes(found["link.txt"], 100) is None


@pytest.mark.parametrize(
    "name", [b"\xff\xfe.txt", b"a\x1b[31m.txt", b"a\n.txt", "a\u202etxt.exe.txt".encode()]
)
def test_a_name_that_is_not_clean_text_is_one_faulty_document(tmp_path, name):
    """For the operator: the others are read, and the terminal shows only what is printable."""
    for each in (name, b"good.txt", "ё.txt".encode()):
        (tmp_path / os.fsdecode(each)).write_text("Copy.", "utf-8")
    found = {one.name: one for one in list_documents(tmp_path, "*.txt")}
    assert read_bytes(found.pop("good.txt"), 100) == b"Copy."
    assert read_bytes(found.pop("ё.txt"), 100) == b"Copy."
    ((shown, document),) = found.items()
    assert shown.isascii()
    assert shown.isprintable()
    with pytest.raises(DocumentError, match=r"its file name is not UTF-8.*; rename the file"):
        read_bytes(document, 100)


@pytest.fixture
def source(tmp_path):
    """A folder with a secret beside it."""
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "key.txt").write_text("the key", "utf-8")
    (tmp_path / "source" / "sub").mkdir(parents=True)
    (tmp_path / "source" / "sub" / "copy.txt").write_text("Copy.", "utf-8")
    return tmp_path / "source"


def read_all(folder, pattern):
    """The bytes, or the fault, of each document by its name."""
    read = {}
    for document in list_documents(folder, pattern):
        try:
            read[document.name] = read_bytes(document, 100)
        except DocumentError as e:
            read[document.name] = e.reason.partition(";")[0]
    return read


@pytest.mark.parametrize(
    ("links", "pattern", "faulty", "sound"),
    [
        pytest.param({"a.txt": "../secret/key.txt"}, "*.txt", {"a.txt"}, set(), id="a file"),
        pytest.param({"a.txt": "../secret/none"}, "*.txt", {"a.txt"}, set(), id="a missing file"),
        pytest.param({"a.txt": "/dev/zero"}, "*.txt", {"a.txt"}, set(), id="a device"),
        pytest.param({"a": "../secret"}, "*/*.txt", {"a"}, {"sub/copy.txt"}, id="a folder"),
        pytest.param({"a.txt": "../secret"}, "**/*.txt", {"a.txt"}, {"sub/copy.txt"}, id="** and a folder"),
        pytest.param(
            {"a.txt": "sub/b", "sub/b": "../c", "c": "../secret/key.txt"}, "*.txt", {"a.txt"}, set(), id="a chain"
        ),
        pytest.param({"a.txt": "../source-2/key.txt", "../source-2": "secret"}, "*.txt", {"a.txt"}, set(), id="a name that begins alike"),
        pytest.param({"a.txt": "sub/copy.txt"}, "*.txt", set(), {"a.txt"}, id="inside"),
        pytest.param({"a": "sub"}, "a/*.txt", set(), {"a/copy.txt"}, id="a folder inside"),
        pytest.param({"a.txt": "../source/b", "b": "sub/copy.txt"}, "*.txt", set(), {"a.txt"}, id="out and in again"),
    ],
)  # fmt: skip
def test_only_links_that_stay_in_the_folder_are_read(source, links, pattern, faulty, sound):
    """For everyone: no password file gets into a feed. The folder itself may be a link."""
    for name, target in links.items():
        (source / name).symlink_to(target)
    (source.parent / "door").symlink_to("source")
    for folder in (source, source.parent / "door"):
        found = read_all(folder, pattern)
        assert {name for name in found if found[name] == b"Copy."} == sound
        leaving = "is a link that leads out of the folder"
        assert {name for name in found if found[name] == leaving} == faulty
        assert found.keys() == faulty | sound


@pytest.mark.parametrize("name", ["sub/copy.txt", "link.txt"])
@pytest.mark.parametrize("place", ["sub", "sub/copy.txt"])
def test_a_swap_while_it_is_read_opens_nothing_outside(source, name, place):
    """At each call that opens, a folder or the file becomes a link to the secret."""
    (source / "link.txt").symlink_to("sub/copy.txt")
    (source.parent / "secret" / "copy.txt").symlink_to("key.txt")
    aside = source.parent / "aside"
    for moment in range(6):
        [found] = [one for one in list_documents(source, "**/*.txt") if one.name == name]
        calls = 0

        def swap(frame, event, call, moment=moment):
            nonlocal calls
            if event == "c_call" and call is os.open:
                if calls == moment:
                    (source / place).rename(aside)
                    (source / place).symlink_to(source.parent / "secret" / place.partition("/")[2])
                calls += 1

        sys.setprofile(swap)
        try:
            data = read_bytes(found, 100)
        except DocumentError:
            data = b""
        finally:
            sys.setprofile(None)
        assert data in (b"", b"Copy.")
        if aside.exists():
            (source / place).unlink()
            aside.rename(source / place)


@pytest.mark.skipif(sys.platform == "win32", reason="pipes of POSIX")
def test_a_pipe_is_not_waited_for(source):
    """One that is there is no document; one that takes a document's place is refused."""
    os.mkfifo(source / "pipe.txt")
    assert list_documents(source, "*.txt") == []
    [found] = list_documents(source, "sub/*.txt")
    found.path.unlink()
    os.mkfifo(found.path)
    with pytest.raises(DocumentError, match="is a pipe, a device or a socket; replace"):
        read_bytes(found, 100)
