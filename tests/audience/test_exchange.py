"""Readers come in as other programs write them, right to the line; and go out so that they come back."""

import csv
import io
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.audience.exchange import (
    ADDED,
    HERE,
    LEFT,
    REFUSED,
    TWICE,
    UNWANTED,
    Outcome,
    Rules,
    export_readers,
    import_readers,
)
from digest.audience.recipients import change, keep
from digest.audience.store import end_recipient, list_recipients, raw_choices, recipient_by_address
from digest.audience.suppressions import suppress
from digest.errors import DocumentError, NotFoundError, RecipientError
from digest.language.addresses import _USUAL, check_address
from digest.model import Recipient
from digest.store.database import Database, open_database
from tests.desks import opened
from tests.factories import make_settings

EXPORTS = Path(__file__).parents[1] / "data" / "exports"
TITLES = {
    "drugs": "Наркотики",
    "customs": "Таможня",
    "corruption": "Коррупция",
    "youth": "Молодёжь",
}
SETTINGS = make_settings(
    themes=[
        {"name": key, "title": {"en": key.title(), "ru": title}} for key, title in TITLES.items()
    ]
)
NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)


def run(
    db: Database, path: Path, *tags: str, dry_run: bool = False, **given: tuple[str, ...]
) -> tuple[list[Outcome], Rules]:
    rules = Rules(SETTINGS, **given).with_tags(tags)
    newsroom = opened(db, SETTINGS, clock=NOW)
    return list(import_readers(newsroom, path, rules, dry_run=dry_run)), rules


def written(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "readers.csv"
    path.write_bytes(text.encode(encoding))
    return path


def by_address(db: Database) -> dict[str, Recipient]:
    return {one.address: one for one in list_recipients(db)}


@pytest.mark.parametrize(
    ("name", "wanted", "unknown"),
    [
        pytest.param(
            "mailchimp",
            {2: ADDED, 4: ADDED, 5: LEFT, 6: LEFT, 7: REFUSED, 8: TWICE},
            {"tag 'Newsletter RU'": 1, "tag 'VIP'": 1},
        ),
        pytest.param(
            "listmonk",
            {2: ADDED, 3: LEFT, 4: LEFT, 5: ADDED, 6: TWICE, 7: ADDED, 8: REFUSED},
            {},
        ),
        pytest.param(
            "buttondown",
            {
                2: ADDED, 3: ADDED, 5: LEFT, 6: LEFT, 7: LEFT, 8: LEFT, 9: REFUSED, 10: TWICE,
                11: REFUSED,
            },
            {"tag 'press'": 1},
        ),
        pytest.param(
            "ghost",
            {2: ADDED, 3: LEFT, 4: LEFT, 5: ADDED, 6: REFUSED, 7: TWICE, 8: REFUSED},
            {"tag 'VIP'": 1},
        ),
        pytest.param(
            "excel",
            {2: ADDED, 3: LEFT, 4: ADDED, 5: REFUSED, 7: REFUSED, 8: TWICE, 9: ADDED, 10: ADDED},
            {"tag 'Партнёры'": 1},
        ),
    ],
)  # fmt: skip
def test_an_export_is_read_to_the_line(
    db: Database, name: str, wanted: dict[int, str], unknown: dict[str, int]
) -> None:
    """For the operator who moves here: the trial run says it, the import does it, the next changes
    nothing."""
    path = EXPORTS / f"{name}.csv"
    trial, _ = run(db, path, dry_run=True)
    assert {one.line: one.outcome for one in trial} == wanted
    assert by_address(db) == {}
    real, rules = run(db, path)
    assert (real, dict(rules.unknown)) == (trial, unknown)
    added = [one.line for one in real if one.outcome == ADDED]
    before = list_recipients(db)
    assert len(before) == len(added)
    again, _ = run(db, path)
    assert {one.line: one.outcome for one in again} == wanted | dict.fromkeys(added, HERE)
    assert list_recipients(db) == before


def test_what_the_file_says_is_stored_and_nothing_else(db: Database) -> None:
    """For the reader: name, language, themes and day as in the old program, whatever its encoding."""
    run(db, EXPORTS / "mailchimp.csv", "Newsletter RU=youth")
    run(db, EXPORTS / "excel.csv")
    found = by_address(db)
    anna, bo = found["anna@example.org"], found["Bo@example.org"]
    assert (anna.name, anna.choice.themes) == ("Анна Оразова", ("customs", "youth"))
    assert anna.added_at == datetime(2023, 5, 4, 10, 57, 2, tzinfo=UTC)
    assert (bo.name, bo.choice.languages, bo.choice.themes) == ("Bo O'Neil", ("en", "ru"), ())
    olga = found["olga@example.org"]
    assert (olga.name, olga.choice.languages) == ("Ольга Ким", ("en",))
    assert olga.added_at == datetime(2023, 5, 3, 19, tzinfo=UTC)


def test_what_can_be_read_of_a_line_and_what_is_its_fault(db: Database, tmp_path: Path) -> None:
    """For the reader on holiday, and whose only language the newsroom lacks: no guess is stored."""
    text = (
        "email,languages,created_at,paused_until,shoe size\n"
        'ann@example.org,"de, en",04.05.2023,11.01.2027,38\nbo@example.org,German,,,\n'
        "cy@example.org,,05/04/2023,next month,\ndi@example.org,,2023-05-04 10:57:02,2020-01-01,\n"
    )
    outcomes, rules = run(db, written(tmp_path, text))
    assert [(one.outcome, one.note.partition(";")[0]) for one in outcomes] == [
        (ADDED, "weekly"),
        (REFUSED, "language 'German' is not in config.toml"),
        (REFUSED, "its pause 'next month' is not a day. Write it as 2027-01-11."),
        (ADDED, "weekly"),
    ]
    assert outcomes[0].note == "weekly; en; everything; paused until 2027-01-11"
    assert (dict(rules.unknown), rules.unused) == ({"language 'de'": 1}, ["shoe size"])
    ann, di = list_recipients(db)
    assert ann.added_at == datetime(2023, 5, 3, 19, tzinfo=UTC)
    assert ann.paused_until == datetime(2027, 1, 10, 19, tzinfo=UTC)
    assert (di.added_at, di.paused_until) == (datetime(2023, 5, 4, 10, 57, 2, tzinfo=UTC), None)


@pytest.mark.parametrize(
    ("heading", "value", "outcome"),
    [
        ("unsubscribed", "yes", LEFT), ("Unsubscribed", "1", LEFT), ("opted_out", "true", LEFT),
        ("unsubscription_date", "2025-01-02", LEFT), ("undeliverability_date", "x", LEFT),
        ("Отписан", "да", LEFT), ("Abgemeldet", "ja", LEFT), ("bounced", "0", ADDED),
        ("unsubscribed", "no", ADDED), ("Отписан", "нет", ADDED), ("opted_out", "", ADDED),
        ("subscribed_to_emails", "", LEFT), ("subscribed_to_emails", "false", LEFT),
        ("subscribed_to_emails", "true", ADDED), ("Подписан", "", LEFT), ("status", "", ADDED),
    ],
)  # fmt: skip
def test_each_way_to_say_that_somebody_left_counts(
    db: Database, tmp_path: Path, heading: str, value: str, outcome: str
) -> None:
    """For somebody who left another program, which says it in a column of its own."""
    path = written(tmp_path, f"email,{heading},note\nann@example.org,{value},\n")
    assert [one.outcome for one in run(db, path)[0]] == [outcome]


def test_a_former_address_brings_nobody_back(db: Database, tmp_path: Path) -> None:
    """For somebody who moved and then left: an old list has the old address."""
    path = written(tmp_path, "email,status\nold@example.org,active\n")
    run(db, path)
    with db.write():
        change(db, SETTINGS, NOW, "old@example.org", {}, new_address="new@example.org")
    [again], _ = run(db, path)
    assert (again.outcome, again.note) == (HERE, "now new@example.org")
    with pytest.raises(RecipientError, match=r"recipient 1, who now has new@.*--resubscribe"):
        keep(db, SETTINGS, NOW, "OLD@example.org", {}, resubscribe=False)
    with pytest.raises(NotFoundError, match="who now has new@"):
        recipient_by_address(db, "old@example.org")
    [left], _ = run(db, written(tmp_path, "email,status\nold@example.org,left\n"))
    assert "digest recipients end new@example.org" in left.note
    with db.write():
        end_recipient(db, 1, "by mail", NOW)
    [ended], _ = run(db, written(tmp_path, "email\nold@example.org\n"))
    assert (ended.outcome, ended.note) == (
        UNWANTED,
        "now new@example.org, unsubscribed here on 2026-11-30",
    )
    assert list(by_address(db)) == ["new@example.org"]
    with db.write():
        keep(db, SETTINGS, NOW, "old@example.org", {}, resubscribe=True)
    assert [run(db, path)[0][0].note, len(list_recipients(db))] == ["", 2]


def test_nobody_who_left_comes_back(db: Database, tmp_path: Path) -> None:
    """For somebody who unsubscribed here or is suppressed; and an old list ends nobody's mail."""
    first = written(tmp_path, "email\nann@example.org\nbo@example.org\n")
    run(db, first, themes=("drugs",))
    with db.write():
        end_recipient(db, recipient_by_address(db, "ann@example.org"), "by mail", NOW)
        suppress(db, "cy@example.org", "hard", NOW)
    text = (
        "email,status,themes\nANN@example.org,active,\nbo@example.org,unsubscribed,\n"
        "cy@example.org,active,\ndi@example.org,active,\ndi@example.org,unsubscribed,\n"
        "bo@example.org,active,youth\n"
    )
    outcomes, _ = run(db, written(tmp_path, text))
    assert [(one.outcome, one.note) for one in outcomes] == [
        (UNWANTED, "unsubscribed here on 2026-11-30"),
        (LEFT, "'unsubscribed' in the file, active here; if they left: digest recipients end bo@example.org"),
        (UNWANTED, "suppressed here (hard)"),
        (LEFT, "line 6 says so"),
        (LEFT, "'unsubscribed' in the file"),
        (TWICE, "the address of line 3"),
    ]  # fmt: skip
    found = {address: one.status.value for address, one in by_address(db).items()}
    assert found == {"ann@example.org": "ended", "bo@example.org": "active"}
    assert by_address(db)["bo@example.org"].choice.themes == ("drugs",)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "windows-1251"])
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_every_way_to_save_a_table_is_read(
    db: Database, tmp_path: Path, encoding: str, separator: str
) -> None:
    """For the operator with Excel: it asks for the form of the file, and any answer is right."""
    rows = [("Имя", "E-mail", "Статус"), ("Анна Оразова\nАшхабад", "anna@example.org", "активна")]
    rows += [(f"Мурад {i}", f"m{i}@example.org", "Да") for i in range(3)]
    out = io.StringIO()
    csv.writer(out, delimiter=separator).writerows(rows)
    outcomes, _ = run(db, written(tmp_path, out.getvalue(), encoding))
    assert [(one.line, one.outcome) for one in outcomes] == [(n, ADDED) for n in (2, 4, 5, 6)]
    assert [one.name for one in list_recipients(db)][:2] == ["Анна Оразова Ашхабад", "Мурад 0"]


def test_a_workbook_is_read(db: Database, tmp_path: Path) -> None:
    """For the operator whose list is a workbook: its lines have the numbers that Excel shows."""
    pytest.importorskip("python_calamine")
    rows = (
        (),
        ("Email", "Name", "Subscribed"),
        ("ann@example.org", "Анна", "1.0"),
        (),
        ("b", "", "1"),
    )
    path = tmp_path / "readers.xlsx"
    cells = "".join(
        f'<row r="{n}">'
        + "".join(
            f'<c r="{"ABC"[i]}{n}"><v>{cell}</v></c>'
            if cell == "1.0"
            else f'<c r="{"ABC"[i]}{n}" t="inlineStr"><is><t>{cell}</t></is></c>'
            for i, cell in enumerate(row)
        )
        + "</row>"
        for n, row in enumerate(rows, 1)
    )
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006/relationships"
    parts = {
        "_rels/.rels": f'<Relationships xmlns="{package}"><Relationship Id="r1" '
        f'Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets>'
        '<sheet name="a" sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}"><Relationship Id="r1" '
        f'Type="{office}/worksheet" Target="worksheets/a.xml"/></Relationships>',
        "xl/worksheets/a.xml": f'<worksheet xmlns="{main}"><sheetData>{cells}</sheetData></worksheet>',
    }
    with zipfile.ZipFile(path, "w") as book:
        for name, text in parts.items():
            book.writestr(name, f'<?xml version="1.0"?>{text}')
    outcomes, _ = run(db, path)
    assert [(one.line, one.outcome) for one in outcomes] == [(3, ADDED), (5, REFUSED)]
    with zipfile.ZipFile(path, "w") as book:
        book.writestr("subscribed.csv", "email\n")
    with pytest.raises(DocumentError, match=r"not a workbook.*Unpack"):
        run(db, path)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        pytest.param("name,city\nAnn,Ashgabat\n", "no column of addresses among 'name', 'city'", id="no address"),
        pytest.param("\n \n", "blank space", id="blank"),
        pytest.param("email\nРђРЅРЅР° РћСЂР°Р·РѕРІР°,a@example.org\n", "wrong encoding", id="decoded twice"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_list_is_one_clear_error(
    db: Database, tmp_path: Path, text: str, fault: str
) -> None:
    """For the operator who took the wrong file: nothing is stored."""
    with pytest.raises(DocumentError, match=fault):
        run(db, written(tmp_path, text))
    with pytest.raises(RecipientError, match="TAG=THEME"):
        run(db, written(tmp_path, "email\n"), "VIP=sport")


def test_a_list_without_headings_is_read(db: Database, tmp_path: Path) -> None:
    """For the operator with one address a line."""
    outcomes, _ = run(db, written(tmp_path, "ann@example.org\n\nbo@example.org\n"))
    assert [(one.line, one.outcome) for one in outcomes] == [(1, ADDED), (3, ADDED)]


def test_what_goes_out_comes_back_the_same(db: Database, tmp_path: Path) -> None:
    """For the operator who moves to another machine; and no spreadsheet runs a name as a formula."""
    text = (
        "email,name,languages,themes,created_at,paused_until\n"
        "=ann@example.org,=1+1,\"ru, en\",drugs,2024-01-02T03:04:05Z,\n"
        "bo@example.org,'-Bo,en,everything,2024-01-02,2027-01-01\n"
        "cy@example.org,,,\"youth, other\",2030-01-01,\nleft@example.org,,,,,\nhard@example.org,,,,,\n"
    )  # fmt: skip
    run(db, written(tmp_path, text))
    with db.write():
        end_recipient(db, recipient_by_address(db, "left@example.org"), "by mail", NOW)
        suppress(db, "hard@example.org", "hard", NOW)
    newsroom = opened(db, SETTINGS, clock=NOW)
    everybody = {row[0]: row[2] for row in export_readers(newsroom, everybody=True)}
    assert (everybody["left@example.org"], everybody["hard@example.org"]) == ("ended", "suppressed")
    rows = list(export_readers(newsroom, everybody=False))
    assert [row[:2] for row in rows[1:3]] == [
        ["'=ann@example.org", "'=1+1"],
        ["bo@example.org", "'-Bo"],
    ]
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    with open_database(tmp_path / "other.db", now=NOW) as other:
        outcomes, _ = run(other, written(tmp_path, out.getvalue()))
        assert [one.outcome for one in outcomes] == [ADDED] * 3
        assert list_recipients(other) == list_recipients(db)[:3]
        assert [row["id"] for row in raw_choices(other, "weekly", NOW)] == [1, 3]


@given(
    st.text("aZ9.+-_!", min_size=1, max_size=66),
    st.lists(st.text("aZ9-", min_size=1, max_size=64), min_size=1, max_size=5),
    st.sampled_from(("org", "ORG", "test", "local", "c9", "xn--e1afmkfd")),
)
def test_a_usual_address_is_judged_as_any_other(mailbox: str, labels: list[str], top: str) -> None:
    """For the reader: the short way says what the whole check says."""
    from email_validator import validate_email

    address = f"{mailbox}@{'.'.join((*labels, top))}"
    if _USUAL.fullmatch(address):
        valid = validate_email(
            address, check_deliverability=False, test_environment=True, strict=True
        )
        assert check_address(address) == valid.ascii_email
