"""`digest backup`, `restore`, `export`, `import`, as an operator gives them."""

import json
from pathlib import Path

from tests.desks import Desk


def copies(desk: Desk) -> list[Path]:
    return sorted((desk.folder / "backups").glob("*.db"))


def test_a_backup_can_be_restored_and_waits_to_be_adopted(filled: Desk) -> None:
    """The drill: back up, lose the database, restore, look, adopt, send."""
    filled.configure(base_url='"https://news.ashgabat.test"')
    filled.run("recipients", "add", "a@reader.example")
    said = filled.run("backup").stdout
    assert "checked" in said
    (copy,) = copies(filled)
    filled.store.unlink()
    restored = filled.run("restore", str(copy), "--yes")
    assert restored.exit_code == 0, restored.output
    assert "digest adopt" in restored.stdout
    assert filled.run("doctor").exit_code == 0
    refused = filled.run("send", "--yes")
    assert refused.exit_code == 1
    assert "digest adopt" in refused.stderr
    assert not (filled.folder / "outbox").exists()
    assert filled.run("adopt").exit_code == 0
    assert filled.run("send", "--yes").exit_code == 0
    assert len(list((filled.folder / "outbox" / "new").iterdir())) == 1


def test_a_backup_tells_programs_what_it_made(filled: Desk) -> None:
    """For a monitor: where, how large, how many rows, what went."""
    made = filled.json("backup", "--to", str(filled.folder / "far"), "--keep", "1")
    path = Path(made["path"])
    assert path.parent == filled.folder / "far"
    assert path.stat().st_size == made["bytes"]
    assert made["rows"]["articles"] > 30
    assert made["removed"] == []


def test_restore_asks_before_it_replaces(filled: Desk) -> None:
    """A no leaves everything as it was."""
    filled.run("backup")
    before = filled.files()
    result = filled.run("restore", str(copies(filled)[0]), answer="n\n")
    assert result.exit_code == 1
    assert "is sound: 36 articles" in result.stdout
    assert filled.files() == before


def test_export_and_import_make_the_same_newsroom(filled: Desk) -> None:
    """A file goes out and comes in; again to the standard output it is the same."""
    out = filled.folder / "all.jsonl"
    said = filled.run("export", str(out)).stdout
    rows = len(out.read_text("utf-8").splitlines()) - 2
    assert f"{rows:,} rows" in said
    config = filled.config.read_text("utf-8").replace('path = "digest.db"', 'path = "new.db"')
    filled.config.write_text(config, "utf-8")
    assert f"{rows:,} rows" in filled.run("import", str(out)).stdout
    assert filled.run("export").stdout == out.read_text("utf-8")
    again = filled.run("import", str(out))
    assert again.exit_code == 1
    assert "is not empty" in again.stderr


def test_an_export_can_come_in_by_a_pipe(filled: Desk, tmp_path: Path) -> None:
    """For ssh between machines."""
    lines = filled.run("export").stdout
    assert json.loads(lines.splitlines()[0])["secrets"] is False
    filled.store.unlink()
    result = filled.run("import", "-", answer=lines)
    assert result.exit_code == 0, result.output
    assert filled.run("export").stdout == lines


def test_an_export_that_cannot_be_written_is_told(filled: Desk) -> None:
    """One error, no traceback."""
    (filled.folder / "file").write_text("in the way")
    result = filled.run("export", str(filled.folder / "file" / "all.jsonl"))
    assert result.exit_code == 1
    assert "cannot be written" in result.stderr
