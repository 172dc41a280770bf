"""An export has everything: an import gives the same store and feeds, byte for byte."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from digest.errors import SenderError, StoreError
from digest.feeds.publish import publish
from digest.store.backups import PASSING, export_lines, import_lines, own_tables, row_counts
from digest.store.database import SCHEMA_VERSION, Database, integrity_faults, open_database
from digest.store.owner import activate, add_token_key, check_home
from tests.desks import MADE_AT, PAGES, Desk, opened
from tests.feeds.folders import contents
from tests.mailing import Office

HERE = "machine:/newsroom/digest.db"
KEY = b"k" * 32


@pytest.fixture
def office(filled: Desk) -> Iterator[Office]:
    """A desk with an edition, deliveries, a bounce as bytes, and the key of tokens."""
    with filled.open() as db:
        office = Office(filled, db)
        office.add("a@reader.example", "b@reader.example", name="Айна")
        office.compose()
        with db.write():
            activate(db, HERE)
            add_token_key(db, KEY)
            bounce = {
                "sha256": "00",
                "kind": "other",
                "state": "noted",
                "read_at": "2026-11-22T00:00:00.000000Z",
            }
            db.insert("bounces", {**bounce, "raw": bytes(range(256))})
            for i, status in enumerate(("queued", "handed", "sent")):
                notice = {"kind": "correction", "name": f"correction.1.1.{i}", "way": "mail"}
                notice |= {"recipient": "a@reader.example", "sender": "", "crash": "never twice"}
                notice |= {"dated_at": "2026-11-22T00:00:00.000000Z", "body": b"/leave/TOKEN"}
                db.insert("notices", {**notice, "queued_at": notice["dated_at"], "status": status})
        yield office


def exported(db: Database, *, with_secrets: bool = False) -> list[str]:
    return list(export_lines(db, with_secrets=with_secrets))


@pytest.mark.parametrize("with_secrets", [False, True], ids=["without secrets", "with secrets"])
def test_export_of_an_import_is_the_same_bytes(
    office: Office, tmp_path: Path, with_secrets: bool
) -> None:
    """A moved newsroom loses nothing, not even an order, and sends only after `activate`.

    The key of tokens, and letters and mails with tokens, are left out by default, so that an export lets
    nobody end a subscription; and an import sends no mail without its bytes.
    """
    lines = exported(office.db, with_secrets=with_secrets)
    rows = [json.loads(one).get("values", {}) for one in lines]
    states = ["queued", "handed", "sent"] if with_secrets else ["failed", "uncertain", "sent"]
    assert [row["status"] for row in rows if "body" in row] == states
    letters = [row.get("body") or row.get("raw") for row in rows if "body" in row or "raw" in row]
    assert [bool(one["base64"]) for one in letters] == [with_secrets] * 4
    assert (KEY.hex() in "".join(lines)) is with_secrets
    with open_database(tmp_path / "new.db", now=MADE_AT) as new:
        count = import_lines(new, lines, "export.jsonl")
        assert exported(new, with_secrets=with_secrets) == lines
        assert integrity_faults(new) == []
        assert row_counts(new) | {"meta": 0} == row_counts(office.db) | {"meta": 0}
        with pytest.raises(SenderError, match="digest activate"), new.write():
            check_home(new, HERE)
    assert count == len(lines) - 2


def test_feeds_of_an_import_are_the_same_bytes(filled: Desk, tmp_path: Path) -> None:
    """Readers see no entry as new or changed after a move."""
    filled.publish()
    before = contents(filled.folder / "feeds")
    with filled.open() as db, open_database(tmp_path / "new.db", now=MADE_AT) as new:
        import_lines(new, export_lines(db), "export.jsonl")
        report = publish(opened(new, filled.settings, templates=PAGES))
    assert report.written == ()
    assert contents(filled.folder / "feeds") == before


def test_every_table_is_in_it_and_every_line_is_an_object(office: Office) -> None:
    """For other programs: a header, a row a line, a count; without what triggers make again."""
    header, *rows, end = map(json.loads, exported(office.db))
    assert header["format"] == "newsroom-digest export"
    assert header["schema"] == SCHEMA_VERSION
    assert end == {"rows": len(rows)}
    filled_tables = {table for table, count in row_counts(office.db).items() if count}
    assert {row["table"] for row in rows} == filled_tables - PASSING
    rows = [json.loads(line) for line in exported(office.db, with_secrets=True)]
    bounce = next(row for row in rows if row.get("table") == "bounces")
    assert bounce["values"]["raw"]["base64"].startswith("AAEC")


def test_a_store_with_rows_is_refused(filled: Desk) -> None:
    """Two newsrooms are not mixed."""
    with filled.open() as db:
        lines = exported(db)
        with pytest.raises(StoreError, match=r"is not empty.*store\.path"):
            import_lines(db, lines, "export.jsonl")
        assert exported(db) == lines


def with_line(at: int, line: str) -> Callable[[list[str]], list[str]]:
    return lambda lines: [*lines[:at], line, *lines[at:][1:]]


def with_value(value: object) -> Callable[[list[str]], list[str]]:
    return with_line(1, json.dumps({"table": "meta", "values": {"key": "a", "value": value}}))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        pytest.param(lambda lines: [], "line 1: is not JSON", id="empty"),
        pytest.param(lambda lines: ["{}", *lines], "line 1: is not the header", id="no header"),
        pytest.param(lambda lines: lines[:-1], "is cut off", id="without its end"),
        pytest.param(lambda lines: [*lines, "{}"], "is after the end", id="too long"),
        pytest.param(lambda lines: lines[:9] + lines[10:], "counts", id="a row is missing"),
        pytest.param(with_line(5, "[1]"), "line 6: is not a JSON object", id="list"),
        pytest.param(with_line(5, '{"a'), "line 6: is not JSON", id="half"),
        pytest.param(with_line(5, '{"table": "sqlite_master", "values": {}}'), "line 6: does not name a table", id="a table of SQLite"),
        pytest.param(with_line(5, '{"table": "themes", "values": {"name; --": 1}}'), "line 6: does not have the columns of themes", id="an unknown column"),
        pytest.param(lambda lines: with_line(6, lines[5])(lines), "line 7: is not a row of", id="a row twice"),
        pytest.param(with_value({}), "line 2: is not a row of meta: .*a value is text", id="an object"),
        pytest.param(with_value({"base64": "AA==", "b": 1}), "line 2: is not a row of meta: .*a value is text", id="an object with more"),
        pytest.param(with_value({"base64": 5}), "line 2: is not a row of meta: .*a value is text", id="bytes of a number"),
        pytest.param(with_value({"base64": "?"}), "line 2: is not a row of meta: ", id="bytes of no base64"),
        pytest.param(with_value([1]), "line 2: is not a row of meta: .*a value is text", id="a value that is a list"),
        pytest.param(with_value("\ud800"), "line 2: is not a row of meta: .*surrogates", id="half a character"),
        pytest.param(with_value(2**64), "line 2: is not a row of meta: .*too large", id="beyond 64 bits"),
        pytest.param(with_line(1, "[" * 100_000), "line 2: is not JSON", id="deep"),
        pytest.param(with_line(1, "9" * 10_000), "line 2: is not JSON", id="long number"),
        pytest.param(
            lambda lines: [*(line for line in lines[:-1] if '"table":"sources"' not in line), json.dumps({"rows": len(lines) - 3})],
            "refers to a row of sources", id="a row that others need",
        ),
        pytest.param(lambda lines: with_line(0, lines[0].replace(str(SCHEMA_VERSION), "1"))(lines), "another schema", id="another schema"),
    ],
)  # fmt: skip
def test_a_faulty_export_is_refused_as_a_whole(
    filled: Desk, tmp_path: Path, spoil, message: str
) -> None:
    """The operator learns which line, and the store is as empty as before."""
    with filled.open(read_only=True) as db:
        lines = spoil(exported(db))
    with open_database(tmp_path / "new.db", now=MADE_AT) as new:
        before = exported(new)
        with pytest.raises(StoreError, match=message):
            import_lines(new, lines, "export.jsonl")
        assert exported(new) == before
        assert "articles" in own_tables(new)
