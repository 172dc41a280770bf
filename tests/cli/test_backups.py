"""`digest backup`, `restore`, `export`, `import`, as an operator gives them."""

import json
from datetime import timedelta
from pathlib import Path

from digest.newsroom import Newsroom
from digest.service.plan import LEASE
from digest.store.owner import leave_lease, take_lease
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
    assert "digest activate" in restored.stdout
    assert filled.run("doctor").exit_code == 0
    refused = filled.run("send", "--yes")
    assert refused.exit_code == 1
    assert "digest activate" in refused.stderr
    assert not (filled.folder / "outbox").exists()
    assert filled.run("activate", "--send").exit_code == 0
    assert filled.run("send", "--yes").exit_code == 0
    assert len(list((filled.folder / "outbox" / "new").iterdir())) == 1


def test_what_may_have_been_sent_after_a_backup_is_not_sent_again(filled: Desk) -> None:
    """The night's backup, Monday's edition, and a restore at noon: nobody gets Monday's mail twice."""
    filled.configure(base_url='"https://news.ashgabat.test"')
    outbox = filled.folder / "outbox" / "new"
    filled.run("recipients", "add", "a@reader.example")
    filled.run("backup")
    filled.run("send", "--yes")
    (copy,) = copies(filled)
    filled.run("restore", str(copy), "--yes")
    unsaid = filled.run("activate")
    assert unsaid.exit_code == 1
    assert "36 articles for the next editions" in unsaid.stderr
    assert "--hold" in unsaid.stderr
    assert filled.run("send", "--yes").exit_code == 1
    before = {path.name: path.read_bytes() for path in outbox.iterdir()}
    assert "Held: 1 edition (1)" in filled.run("activate", "--hold").stdout
    assert "is held" in filled.run("send", "--yes").stdout
    assert "may have been sent before" in filled.run("editions", "show", "1").stdout
    assert filled.run("editions", "cancel", "1").exit_code == 0
    filled.run("send", "--yes")
    assert {path.name: path.read_bytes() for path in outbox.iterdir()} == before


def test_a_backup_amid_an_edition_is_held_too(filled: Desk) -> None:
    """What was queued or under way in the copy went out by the original, or did not: who knows?"""
    filled.configure(base_url='"https://news.ashgabat.test"')
    for name in ("a", "b", "c"):
        filled.run("recipients", "add", f"{name}@reader.example")
    filled.run("send", "--yes", "--limit", "1")
    with filled.open() as db, db.write():
        db.run("UPDATE deliveries SET status = 'handed' WHERE id = 2")
    filled.run("backup")
    (copy,) = copies(filled)
    filled.run("restore", str(copy), "--yes")
    assert "1 edition with mail still queued" in filled.run("activate").stderr
    filled.run("activate", "--hold")
    filled.run("send", "--yes")
    counts = filled.json("editions", "show", "1")["deliveries"]
    assert counts == {"sent": 1, "uncertain": 1, "queued": 1}


def test_nothing_is_restored_under_a_service(filled: Desk) -> None:
    """It has the database open only now and then: its lease tells that it is at work."""
    filled.run("backup")
    (copy,) = copies(filled)
    now = Newsroom.from_file(filled.config).now()
    with filled.open() as db:
        take_lease(db, LEASE, "machine, process 7", "m", now, timedelta(seconds=30))
    before = filled.store.read_bytes()
    refused = filled.run("restore", str(copy), "--yes")
    assert refused.exit_code == 1
    assert "machine, process 7 works on it. Stop it" in refused.stderr
    assert filled.store.read_bytes() == before
    with filled.open() as db:
        leave_lease(db, LEASE, "m")
    assert filled.run("restore", str(copy), "--yes").exit_code == 0


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
