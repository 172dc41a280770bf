"""`digest backup`, `restore`, `activate`, `export`, `import`, as an operator runs them."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from digest.cli.backups import NOTE
from digest.newsroom import Newsroom
from digest.service.troubles import LEASE
from digest.store.owner import leave_lease, take_lease
from tests.cli.test_notifying import corrected
from tests.desks import Desk


def back_up(desk: Desk) -> str:
    """Make the only backup; its path."""
    assert "checked" in desk.run("backup").stdout
    (copy,) = (desk.folder / "backups").glob("*.db")
    return str(copy)


@pytest.fixture
def mailing(filled: Desk) -> Desk:
    """A desk with one recipient that can send."""
    filled.configure(base_url='"https://news.ashgabat.test"')
    filled.run("recipients", "add", "a@reader.example")
    return filled


def test_a_backup_can_be_restored_and_waits_to_be_activated(mailing: Desk) -> None:
    """The drill: back up, lose the database, restore, look, activate, send."""
    copy = back_up(mailing)
    mailing.store.unlink()
    restored = mailing.run("restore", copy, "--yes")
    assert restored.exit_code == 0, restored.output
    assert "digest activate" in restored.stdout
    assert mailing.run("doctor").exit_code == 0
    refused = mailing.run("send", "--yes")
    assert refused.exit_code == 1
    assert "digest activate" in refused.stderr
    assert not (mailing.folder / "outbox").exists()
    assert mailing.run("activate", "--send").exit_code == 0
    assert mailing.run("send", "--yes").exit_code == 0
    assert len(list((mailing.folder / "outbox" / "new").iterdir())) == 1


def test_what_may_have_been_sent_after_a_backup_is_not_sent_again(mailing: Desk) -> None:
    """The night's backup, Monday's edition, and a restore at noon: nobody gets Monday's mail twice."""
    outbox = mailing.folder / "outbox" / "new"
    copy = back_up(mailing)
    mailing.run("send", "--yes")
    mailing.run("restore", copy, "--yes")
    undecided = mailing.run("activate")
    assert undecided.exit_code == 1
    assert "36 articles for the next editions" in undecided.stderr
    assert "--hold" in undecided.stderr
    assert mailing.run("send", "--yes").exit_code == 1
    before = {path.name: path.read_bytes() for path in outbox.iterdir()}
    assert "Held: 1 edition (1)" in mailing.run("activate", "--hold").stdout
    assert "is held" in mailing.run("send", "--yes").stdout
    assert "may have been sent before" in mailing.run("editions", "show", "1").stdout
    assert mailing.run("editions", "cancel", "1").exit_code == 0
    mailing.run("send", "--yes")
    assert {path.name: path.read_bytes() for path in outbox.iterdir()} == before


def test_notices_that_may_have_been_sent_after_a_backup_are_not_sent_again(filled: Desk) -> None:
    """Queued and found in the backup, and sent since: nobody is told twice unless a person says so."""
    outbox, desk = filled.folder / "outbox" / "new", corrected(filled)
    desk.configure(base_url='"https://news.ashgabat.test"')
    desk.run("recipients", "follow", "anna@example.org", "opium")
    [article] = [
        one["id"] for one in desk.json("articles", "search", "honour") if one["version"] > 1
    ]
    assert "1 notice queued" in desk.run("articles", "notify", str(article)).stdout
    news = "Opium seized\n\nPolice seized opium in Mary.\n"
    (desk.seeds / "news.txt").write_text(news, "utf-8")
    desk.run("ingest")
    assert "1 queued notice to readers" in desk.run("send", "--dry-run").stderr
    assert "send notices to readers: 1" in desk.run("schedule").stdout
    assert "1 queued notice to readers. Next: digest send." in desk.run("status").stdout
    copy = back_up(desk)
    desk.run("send", "--yes")
    sent = sorted(outbox.iterdir())
    assert len(sent) == 4  # two editions, an alert and the notice
    desk.run("restore", copy, "--yes")
    assert "1 queued notice and 1 alert to readers" in desk.run("activate").stderr
    activated = desk.run("activate", "--hold").stdout
    assert "1 notice is uncertain" in activated
    assert "nobody gets an alert of what has come in by now." in activated
    for one in desk.json("editions", "list"):
        desk.run("editions", "cancel", str(one["id"]))
    desk.run("send", "--yes")
    assert sorted(outbox.iterdir()) == sent
    assert "list --notices --status uncertain" in desk.run("status").stdout
    assert "1 may have arrived" in desk.run("doctor").stdout
    [notice] = desk.json("deliveries", "list", "--notices")
    assert [notice[one] for one in ("digest", "status", "reason")] == [
        "correction",
        "uncertain",
        NOTE,
    ]
    settle = "deliveries", "settle", str(notice["id"]), "--notices", "--resend"
    assert "1 uncertain delivery now queued again" in desk.run(*settle).stdout
    assert desk.run(*settle).exit_code == 1
    assert "1 notice was sent" in desk.run("send", "--yes").stdout


def test_a_backup_amid_an_edition_is_held_too(mailing: Desk) -> None:
    """The original may or may not have sent what was queued or under way in the copy."""
    for name in ("b", "c"):
        mailing.run("recipients", "add", f"{name}@reader.example")
    mailing.run("send", "--yes", "--limit", "1")
    with mailing.open() as db, db.write():
        db.run("UPDATE deliveries SET status = 'handed' WHERE id = 2")
    mailing.run("restore", back_up(mailing), "--yes")
    assert "1 edition with mail still queued" in mailing.run("activate").stderr
    mailing.run("activate", "--hold")
    mailing.run("send", "--yes")
    counts = mailing.json("editions", "show", "1")["deliveries"]
    assert counts == {"sent": 1, "uncertain": 1, "queued": 1}


def test_nothing_is_restored_under_a_service(filled: Desk) -> None:
    """A service opens the database only now and then: its lease shows that it is at work."""
    copy = back_up(filled)
    now = Newsroom.from_file(filled.config).now()
    with filled.open() as db:
        take_lease(db, LEASE, "machine, process 7", "m", now, timedelta(seconds=30))
    before = filled.store.read_bytes()
    refused = filled.run("restore", copy, "--yes")
    assert refused.exit_code == 1
    assert "machine, process 7 is using it. Stop the service" in refused.stderr
    assert filled.store.read_bytes() == before
    with filled.open() as db:
        leave_lease(db, LEASE, "m")
    assert filled.run("restore", copy, "--yes").exit_code == 0


def test_a_backup_reports_to_programs_what_it_made(filled: Desk) -> None:
    """For a monitor: where, how large, how many rows, what was deleted."""
    made = filled.json("backup", "--to", str(filled.folder / "far"), "--keep", "1")
    path = Path(made["path"])
    assert path.parent == filled.folder / "far"
    assert path.stat().st_size == made["bytes"]
    assert made["rows"]["articles"] > 30
    assert made["removed"] == []


def test_restore_asks_before_it_replaces(filled: Desk) -> None:
    """A no leaves everything as it was."""
    copy = back_up(filled)
    before = filled.files()
    result = filled.run("restore", copy, answer="n\n")
    assert result.exit_code == 1
    assert "is sound: 36 articles" in result.stdout
    assert filled.files() == before


def test_export_and_import_make_the_same_newsroom(filled: Desk) -> None:
    """Exported to a file, imported, and exported to standard output it is the same."""
    out = filled.folder / "all.jsonl"
    report = filled.run("export", str(out)).stdout
    rows = len(out.read_text("utf-8").splitlines()) - 2
    assert f"{rows:,} rows" in report
    config = filled.config.read_text("utf-8").replace('path = "digest.db"', 'path = "new.db"')
    filled.config.write_text(config, "utf-8")
    assert f"{rows:,} rows" in filled.run("import", str(out)).stdout
    assert filled.run("export").stdout == out.read_text("utf-8")
    again = filled.run("import", str(out))
    assert again.exit_code == 1
    assert "is not empty" in again.stderr


def test_an_export_can_be_imported_from_a_pipe(filled: Desk) -> None:
    """For ssh between machines."""
    lines = filled.run("export").stdout
    assert json.loads(lines.splitlines()[0])["secrets"] is False
    filled.store.unlink()
    result = filled.run("import", "-", answer=lines)
    assert result.exit_code == 0, result.output
    assert filled.run("export").stdout == lines


def test_an_export_that_cannot_be_written_is_reported(filled: Desk) -> None:
    """One error, no traceback."""
    (filled.folder / "file").write_text("in the way")
    result = filled.run("export", str(filled.folder / "file" / "all.jsonl"))
    assert result.exit_code == 1
    assert "cannot be written" in result.stderr
