"""A damaged page: every command tells it with what to do, none ends in a trace, and nothing is sent."""

import shutil
from pathlib import Path

import pytest

from tests.desks import ROOT, Desk
from tests.journeys.drills import MONDAY, people
from tests.mailing import Office
from tests.test_docs import LEAVES

pytestmark = pytest.mark.drill
PAGE = 4096
WORDS: dict[str, tuple[str, ...]] = {
    "send": ("--yes",),
    "articles search": ("customs",),
    "articles theme": ("1", "--add", "youth", "--by", "Anna"),
    "stories explain": ("1", "2"),
    "themes explain": ("1",),
    "stories join": ("1", "2", "--by", "Anna"),
    "stories split": ("1", "--by", "Anna"),
    "deliveries settle": ("--edition", "1", "--sent"),
    "recipients add": ("new@reader.example",),
    "recipients end": ("r1@reader.example",),
    "bounces read": ("letter.eml",),
    "suppressions add": ("x@reader.example",),
    "suppressions import": ("list.csv",),
    "suppressions remove": ("x@reader.example",),
    "export": ("out.jsonl",),
}
"""What a command is told; the others get a number where they need a word."""
WITHOUT_THE_STORE = {"serve", "config", "restore", "import"}
"""A service, and what reads another file or none."""


def make_busy(desk: Desk) -> None:
    """An edition to send, and files that commands read."""
    people(desk)
    with desk.open() as db:
        Office(desk, db, now=MONDAY).compose()
        with db.write():
            db.run("UPDATE deliveries SET due_at = '2020-01-01T00:00:00.000000Z'")
    (desk.folder / "letter.eml").write_text("To: leave@news.example.org\n\nx\n")
    (desk.folder / "list.csv").write_text("y@reader.example\n")


def damage(desk: Desk, *names: str) -> None:
    """Overwrite the first page of these tables and indexes; of all by default."""
    with desk.open() as db:
        db.value("PRAGMA wal_checkpoint(TRUNCATE)")
        rows = db.rows("SELECT name, rootpage FROM sqlite_master WHERE rootpage > 1")
    roots = {row["name"]: row["rootpage"] for row in rows}
    with desk.store.open("r+b") as file:
        for name in names or roots:
            file.seek((roots[name] - 1) * PAGE)
            file.write(b"\xa5" * PAGE)


@pytest.fixture(scope="module")
def ruined(ingested_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """A desk of whose store only the schema can be read."""
    folder = tmp_path_factory.mktemp("ruined")
    shutil.copy(ROOT / "config.toml", folder)
    shutil.copytree(ROOT / "seeds", folder / "seeds")
    shutil.copy(ingested_store, folder / "digest.db")
    desk = Desk(folder)
    desk.configure(mail_to='["editor@reader.example"]')
    make_busy(desk)
    damage(desk)
    return desk


@pytest.mark.parametrize("command", sorted(LEAVES.keys() - WITHOUT_THE_STORE))
def test_a_command_that_meets_a_damaged_page_says_what_to_do(
    ruined: Desk, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """One error that names the way back, no trace, and the file stays as it is for a rescue."""
    monkeypatch.chdir(ruined.folder)
    before = ruined.store.read_bytes()
    needed = ("1" for one in LEAVES[command].params if one.required)
    result = ruined.run(*command.split(), *WORDS.get(command, tuple(needed)))
    assert result.exit_code == 1, result.output
    assert "is damaged" in result.output
    assert "digest restore" in result.output
    assert ruined.store.read_bytes() == before


@pytest.mark.parametrize(
    "place",
    ["articles", "recipients", "meta", "deliveries_by_recipient", "sqlite_autoindex_editions_1"],
)
def test_nothing_is_sent_from_a_damaged_store(filled: Desk, place: str) -> None:
    """Wherever the damage is, also in a page that sending would not read: the doctor is red, and no
    mail leaves."""
    make_busy(filled)
    damage(filled, place)
    refused = filled.run("send", "--yes")
    assert refused.exit_code == 1
    assert "restore" in refused.stderr.lower()
    assert not (filled.folder / "outbox").exists()
    assert filled.run("doctor").exit_code == 1


def test_a_restored_backup_goes_on_where_the_damage_stopped_it(filled: Desk) -> None:
    """For the operator who does as the error says: everybody is mailed once, and the ruin is kept."""
    make_busy(filled)
    assert filled.run("backup").exit_code == 0
    damage(filled)
    ruin = filled.store.read_bytes()[100:]  # before it stand SQLite's own marks
    copy = next((filled.folder / "backups").glob("*.db"))
    assert filled.run("restore", str(copy), "--yes").exit_code == 0
    assert next(filled.folder.glob("digest-before-*.db")).read_bytes()[100:] == ruin
    assert filled.run("activate", "--send").exit_code == 0
    assert filled.run("send", "--yes", "--despite", "clock").exit_code == 0
    assert len(list((filled.folder / "outbox" / "new").iterdir())) == 30
