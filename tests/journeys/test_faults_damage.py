"""A damaged page: every command says so and what to do, none ends in a trace, and nothing is sent."""

from pathlib import Path

import pytest

from tests.desks import Desk, make_desk
from tests.journeys.drills import EARLY, edition
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
    "recipients import": ("list.csv",),
    "editions approve": ("1", "--expect", "0" * 32),
    "bounces confirm": ("--waiting",),
    "bounces discard": ("--waiting",),
    "bounces read": ("letter.eml",),
    "suppressions add": ("x@reader.example",),
    "recipients follow": ("x@reader.example", "customs union"),
    "recipients unfollow": ("x@reader.example", "customs union"),
    "suppressions import": ("list.csv",),
    "suppressions remove": ("x@reader.example",),
    "sources check": ("http://127.0.0.1:9/",),
    "sources add": ("http://127.0.0.1:9/",),
    "sources import": ("feeds.opml",),
    "sources export": ("out.opml",),
    "export": ("out.jsonl",),
}
"""The arguments of a command; the others get a number for each that they require."""
WITHOUT_THE_STORE = {"serve", "config", "init", "restore", "import", "recipients form"}
"""The service, and commands that read another file or none."""


def make_busy(desk: Desk) -> None:
    """An edition to send, and files that commands read."""
    edition(desk)
    with desk.open() as db, db.write():
        db.run("UPDATE deliveries SET due_at = ?", (EARLY,))
    (desk.folder / "letter.eml").write_text("To: leave@news.example.org\n\nx\n")
    (desk.folder / "list.csv").write_text("y@reader.example\n")
    outline = '<outline text="A" type="rss" xmlUrl="https://agency.example/feed"/>'
    (desk.folder / "feeds.opml").write_text(f'<opml version="2.0"><body>{outline}</body></opml>')


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
    """A desk with a store in which only the schema can be read."""
    desk = make_desk(tmp_path_factory.mktemp("ruined") / "desk", ingested_store)
    desk.configure(mail_to='["editor@reader.example"]')
    make_busy(desk)
    damage(desk)
    return desk


@pytest.mark.parametrize("command", sorted(LEAVES.keys() - WITHOUT_THE_STORE))
def test_a_command_that_meets_a_damaged_page_says_what_to_do(
    ruined: Desk, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """One error that names the remedy, no trace, and the file stays as it is for a rescue."""
    monkeypatch.chdir(ruined.folder)
    before = ruined.store.read_bytes()
    needed = ("1" for parameter in LEAVES[command].params if parameter.required)
    result = ruined.run(*command.split(), *WORDS.get(command, tuple(needed)))
    assert result.exit_code == 1, result.output
    assert "is damaged" in result.output
    assert "digest restore" in result.output
    assert ruined.store.read_bytes() == before


@pytest.mark.parametrize(
    "place",
    ["articles", "recipients", "meta", "deliveries_by_edition", "sqlite_autoindex_editions_1"],
)
def test_nothing_is_sent_from_a_damaged_store(filled: Desk, place: str) -> None:
    """Wherever the damage is, even in a page that sending would not read: `doctor` fails, and no mail is
    sent."""
    make_busy(filled)
    damage(filled, place)
    refused = filled.run("send", "--yes")
    assert refused.exit_code == 1
    assert "restore" in refused.stderr.lower()
    assert not (filled.folder / "outbox").exists()
    assert filled.run("doctor").exit_code == 1


def test_a_restored_backup_continues_where_the_damage_stopped_it(filled: Desk) -> None:
    """For the operator who does what the error says: everybody is mailed once, the damaged file stays."""
    make_busy(filled)
    assert filled.run("backup").exit_code == 0
    damage(filled)
    damaged = filled.store.read_bytes()[100:]  # without SQLite's header, which changes
    copy = next((filled.folder / "backups").glob("*.db"))
    assert filled.run("restore", str(copy), "--yes").exit_code == 0
    assert next(filled.folder.glob("digest-before-*.db")).read_bytes()[100:] == damaged
    assert filled.run("activate", "--send").exit_code == 0
    assert filled.run("send", "--yes", "--despite", "clock").exit_code == 0
    assert len(list((filled.folder / "outbox" / "new").iterdir())) == 30
