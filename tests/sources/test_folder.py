"""Documents are found in a stable order, and each fault names its document and what to do."""

import os

import pytest

from digest.errors import DocumentError
from digest.sources.folder import list_documents, read_bytes

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
