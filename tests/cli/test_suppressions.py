"""`digest suppressions`: add, import, list, remove."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from digest.audience.suppressions import suppress
from tests.desks import Desk


def keys(desk: Desk) -> set[str]:
    return {one["address_key"] for one in desk.json("suppressions", "list")}


def saved(folder: Path, text: str, encoding: str = "utf-8") -> str:
    path = folder / "left.csv"
    path.write_text(text, encoding)
    return str(path)


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        pytest.param("a@reader.example\nb@reader.example\n", "utf-8", id="a line each"),
        pytest.param("a@reader.example;b@reader.example\n", "utf-8", id="in one line"),
        pytest.param("Имя;Почта\r\nАнна;a@reader.example\r\nБорис;b@reader.example\r\n", "cp1251", id="a Russian spreadsheet"),
        pytest.param("Имя\tАдрес\nАнна\ta@reader.example\nБорис\tb@reader.example\n", "utf-16", id="Unicode text"),
        pytest.param("\ufeffName,Email\nAnna,a@reader.example\n\nBoris,b@reader.example\n", "utf-8", id="the second column"),
        pytest.param("Анна <a@reader.example>\n\"Petrov, Boris\" <b@reader.example>\n", "utf-8", id="names around"),
    ],
)  # fmt: skip
def test_a_list_is_imported_in_any_form(
    filled: Desk, tmp_path: Path, text: str, encoding: str
) -> None:
    """For the people on it; a second import changes nothing."""
    path = saved(tmp_path, text, encoding)
    for report in ("2 new addresses suppressed, 0 were", "0 new addresses suppressed, 2 were"):
        result = filled.run("suppressions", "import", path)
        assert (result.exit_code, result.stderr) == (0, "")
        assert result.stdout.startswith(report)
        assert keys(filled) == {"a@reader.example", "b@reader.example"}


def test_a_line_without_an_address_is_reported_and_the_others_are_imported(
    filled: Desk, tmp_path: Path
) -> None:
    """For the operator: which line, what was found, and an exit code that a script sees."""
    path = saved(tmp_path, "left@\na@reader.example\nАнна Иванова\n")
    result = filled.run("suppressions", "import", path)
    assert result.exit_code == 1
    assert result.stdout.startswith("1 new address suppressed, 0 were before.")
    first, second = result.stderr.splitlines()
    assert "left.csv, line 1: 'left@' is not an e-mail address" in first
    assert "left.csv, line 3: there is no address in 'Анна Иванова'" in second
    assert keys(filled) == {"a@reader.example"}


def test_of_many_faulty_lines_ten_are_shown_and_the_others_counted(
    filled: Desk, tmp_path: Path
) -> None:
    """For the operator who gave the wrong file."""
    path = saved(tmp_path, "".join(f"name {i}\n" for i in range(25)))
    result = filled.run("suppressions", "import", path)
    assert (result.exit_code, len(result.stderr.splitlines())) == (1, 11)
    assert "and 15 more" in result.stderr
    assert keys(filled) == set()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(b"PK\x03\x04" + bytes(200), "Office document", id="a workbook"),
        pytest.param(b" \n", "is empty", id="nothing"),
    ],
)
def test_a_file_that_is_no_list_is_refused(
    filled: Desk, tmp_path: Path, data: bytes, message: str
) -> None:
    """For the operator: nothing is imported, and the message says what the file is."""
    path = tmp_path / "left.xlsx"
    path.write_bytes(data)
    result = filled.run("suppressions", "import", str(path))
    assert (result.exit_code, result.stdout) == (1, "")
    assert message in result.stderr
    assert keys(filled) == set()


def test_what_is_no_address_is_not_added(filled: Desk) -> None:
    """For the operator who mistyped: nothing is added, and the wrong address is named."""
    result = filled.run("suppressions", "add", "a@reader.example", "a@b")
    assert result.exit_code == 1
    assert "'a@b' is not an e-mail address" in result.stderr
    assert keys(filled) == set()


def test_times_are_in_the_zone_of_the_newsroom(filled: Desk) -> None:
    """For the operator in Ashgabat, five hours ahead of UTC: the list, and `--since` copied from it."""
    filled.run("suppressions", "add", "a@reader.example")
    with filled.open() as db, db.write():
        db.run("UPDATE suppressions SET since = '2026-11-22T20:30:00.000000Z'")
    assert "2026-11-23 01:30" in filled.run("suppressions", "list").stdout
    since = ("suppressions", "remove", "--cause", "manual", "--since")
    assert filled.run(*since, "2026-11-23T01:31:00").stdout.startswith("0 addresses")
    assert filled.run(*since, "0001-01-01").exit_code == 2
    assert filled.run(*since, "2026-11-23").stdout.startswith("1 address ")


def test_a_suppression_that_is_not_an_address_gets_a_warning(filled: Desk) -> None:
    """For the people in it: a whole line that was once imported as one address stops no mail."""
    filled.run("suppressions", "add", "a@reader.example")
    assert filled.run("suppressions", "list").stderr == ""
    line = "b@reader.example;c@reader.example"
    with filled.open() as db, db.write():
        suppress(db, line, "import", datetime(2026, 11, 1, tzinfo=UTC))
    warning = filled.run("suppressions", "list").stderr
    assert f"'{line}' is not an address, so it suppresses nobody (1 like it)" in warning
    filled.run("suppressions", "remove", line)
    assert filled.run("suppressions", "list").stderr == ""
