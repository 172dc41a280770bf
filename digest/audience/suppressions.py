"""Addresses that must not be mailed, the bounces that say why, and lists of addresses to import."""

import csv
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass
from datetime import datetime, timedelta
from itertools import takewhile

from digest.errors import RecipientError
from digest.language.addresses import address_key, check_address
from digest.language.text import decode
from digest.store.database import Database, Row, text_from_moment

SOFT_LIMIT = 3
"""Full mailboxes or other soft bounces within SOFT_MEMORY that suppress an address."""
SOFT_MEMORY = timedelta(days=60)
CAUSES = ("soft", "hard", "complaint", "import", "manual")
"""From the lightest to the gravest: causes read from mail, then those that a person gave."""


def suppress(
    db: Database,
    address: str,
    cause: str,
    moment: datetime,
    *,
    detail: str | None = None,
    delivery_id: int | None = None,
) -> bool:
    """Never mail this address until it is removed; False if it was suppressed already.

    A graver cause replaces a lighter one, so that it stays when all of the lighter cause are removed.
    """
    row = {
        "key": address_key(address),
        "cause": cause,
        "detail": detail,
        "delivery": delivery_id,
        "since": text_from_moment(moment),
        "lighter": json.dumps(list(takewhile(cause.__ne__, CAUSES))),
    }
    if db.run(
        """INSERT INTO suppressions (address_key, cause, detail, delivery_id, since)
           VALUES (:key, :cause, :detail, :delivery, :since) ON CONFLICT (address_key) DO NOTHING""",
        row,
    ):
        return True
    db.run(
        """UPDATE suppressions SET cause = :cause, detail = :detail, delivery_id = :delivery,
                  since = :since
            WHERE address_key = :key AND cause IN (SELECT value FROM json_each(:lighter))""",
        row,
    )
    return False


def unsuppress(db: Database, addresses: Sequence[str]) -> int:
    """Remove these addresses; how many were suppressed."""
    return sum(
        db.run("DELETE FROM suppressions WHERE address_key = ?", (address_key(one),))
        for one in addresses
    )


def unsuppress_cause(db: Database, cause: str, *, since: datetime | None = None) -> int:
    """Remove all of one cause, or those since a moment, to undo a fault of a relay; how many."""
    at = text_from_moment(since) if since else ""
    return db.run("DELETE FROM suppressions WHERE cause = ? AND since >= ?", (cause, at))


def suppression_of(db: Database, address: str) -> Row | None:
    """Why and since when this address must not be mailed; None if it may be."""
    return db.row("SELECT * FROM suppressions WHERE address_key = ?", (address_key(address),))


def list_suppressions(db: Database, *, cause: str | None = None) -> list[Row]:
    """Suppressed addresses, the newest first."""
    where, values = ("", ()) if cause is None else ("WHERE cause = ?", (cause,))
    sql = f"SELECT * FROM suppressions {where} ORDER BY since DESC, address_key"  # noqa: S608 - ours
    return db.rows(sql, values)


@dataclass(frozen=True, slots=True)
class Report:
    """A report about a mail of ours, as it arrived (`raw`), and what was read from it."""

    sha256: str
    kind: str
    found_by: str | None
    recipient_id: int | None
    edition_id: int | None
    status_code: str | None
    diagnostic: str | None
    raw: bytes


def keep_report(db: Database, report: Report, moment: datetime) -> bool:
    """Store a report; False if it was read before, so that reading twice counts once."""
    sql = """INSERT INTO bounces (sha256, kind, found_by, recipient_id, edition_id, status_code,
                                  diagnostic, raw, read_at)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (sha256) DO NOTHING"""
    return bool(db.run(sql, (*astuple(report), text_from_moment(moment))))


def soft_bounces(db: Database, recipient_id: int, moment: datetime) -> int:
    """A recipient's soft bounces within SOFT_MEMORY: reports, and tries answered "mailbox full"."""
    after = text_from_moment(moment - SOFT_MEMORY)
    sql = """
    SELECT (SELECT count(*) FROM bounces
             WHERE recipient_id = :id AND kind = 'soft' AND read_at > :after)
         + (SELECT count(*) FROM deliveries
             WHERE recipient_id = :id AND status = 'failed' AND reason = 'mailbox full'
               AND settled_at > :after)
    """
    return int(db.value(sql, {"id": recipient_id, "after": after}))


def end_recipient(db: Database, recipient_id: int, reason: str, moment: datetime) -> bool:
    """End a subscription, with the reason; the row stays. False if it ended earlier."""
    sql = """UPDATE recipients SET status = 'ended', ended_at = ?, ended_reason = ?
              WHERE id = ? AND status != 'ended'"""
    return bool(db.run(sql, (text_from_moment(moment), reason, recipient_id)))


def address_of(db: Database, recipient_id: int) -> str | None:
    value = db.value("SELECT address FROM recipients WHERE id = ?", (recipient_id,))
    return None if value is None else str(value)


def delivery_of(db: Database, edition_id: int, recipient_id: int) -> int | None:
    """The id of the delivery of an edition to a recipient."""
    sql = "SELECT id FROM deliveries WHERE edition_id = ? AND recipient_id = ?"
    value = db.value(sql, (edition_id, recipient_id))
    return None if value is None else int(value)


def list_returns(db: Database, *, kind: str | None = None, limit: int = 50) -> list[Row]:
    """What came back, the newest first, without the raw bytes."""
    sql = """
    SELECT bounces.id, bounces.kind, found_by, status_code, diagnostic, bounces.read_at,
           edition_id, recipient_id, recipients.address
      FROM bounces LEFT JOIN recipients ON recipients.id = recipient_id
     WHERE ? IS NULL OR bounces.kind = ? ORDER BY bounces.id DESC LIMIT ?
    """
    return db.rows(sql, (kind, kind, limit))


def raw_return(db: Database, return_id: int) -> bytes | None:
    """A message that came back, as it arrived; None if there is none with this id."""
    value = db.value("SELECT raw FROM bounces WHERE id = ?", (return_id,))
    return None if value is None else bytes(value)


def was_mailed(db: Database, recipient_id: int, since: datetime) -> bool:
    """Whether a message for this recipient was handed to a server since then."""
    sql = "SELECT 1 FROM deliveries WHERE recipient_id = ? AND handed_at >= ? LIMIT 1"
    return db.value(sql, (recipient_id, text_from_moment(since))) is not None


_HEADINGS = (
    re.compile(r"mail|почт|e-?pochta|poçta", re.IGNORECASE),
    re.compile(r"address|адрес|salgy", re.IGNORECASE),
)
"""Headings of a column of addresses, the surest first, in each language that newsrooms here use."""
WORD = re.compile(r"""[^\s,;:|<>()\[\]"]*@[^\s,;:|<>()\[\]"]*""")
"""What may be an address, without the names, brackets and quotes around it."""
_SHOWN = 60
_Rows = Iterable[tuple[int, Sequence[str]]]


@dataclass(frozen=True, slots=True)
class AddressList:
    """Each mailbox once, in the order of the file, and a fault for each line without its address."""

    addresses: tuple[str, ...]
    faults: tuple[str, ...]


def read_addresses(name: str, data: bytes) -> AddressList:
    """The addresses in a text file: one a line, with names or without, or a table with commas,
    semicolons or tabs (RFC 4180). A first line may name the columns of addresses; without it every
    address in the file counts.

    Raises:
        DocumentError: the file is not text, or is empty.
    """
    text, _ = decode(name, data)
    lines = text.split("\n")
    begin = next(i for i, line in enumerate(lines) if line.strip())
    rows: _Rows = ((number, (line,)) for number, line in enumerate(lines, 1) if line.strip())
    if "@" not in lines[begin] and any(one.search(lines[begin]) for one in _HEADINGS):
        rows = _address_columns(list(_table(lines, begin)))
    addresses: dict[str, str] = {}
    faults: list[str] = []
    for number, cells in rows:
        words = [word.strip("'.") for cell in cells for word in WORD.findall(cell)]
        for word in words:
            try:
                address = check_address(word)
            except RecipientError as e:
                faults.append(f"{name}, line {number}: {e}")
            else:
                addresses.setdefault(address_key(address), address)
        if not words:
            line = lines[number - 1].strip()
            shown = line if len(line) <= _SHOWN else line[: _SHOWN - 1] + "…"
            faults.append(f"{name}, line {number}: there is no address in {shown!r}")
    return AddressList(tuple(addresses.values()), tuple(faults))


def _table(lines: Sequence[str], begin: int) -> Iterator[tuple[int, list[str]]]:
    """The rows from the headings on, each with the number of its first line."""
    delimiter = max((";", "\t", ","), key=lines[begin].count)
    reader = csv.reader((line + "\n" for line in lines[begin:]), delimiter=delimiter, strict=True)
    rows: list[tuple[int, list[str]]] = []
    number = begin + 1
    try:
        for cells in reader:
            rows.append((number, cells))
            number = begin + reader.line_num + 1
    except csv.Error:
        # An unpaired quote would swallow the lines that follow, so each line is a row.
        rows = [
            (number, [cell.strip(' "') for cell in line.split(delimiter)])
            for number, line in enumerate(lines[begin:], begin + 1)
        ]
    return ((number, cells) for number, cells in rows if any(cell.strip() for cell in cells))


def _address_columns(rows: Sequence[tuple[int, Sequence[str]]]) -> _Rows:
    """The rows under the headings, with only the cells of the columns of addresses."""
    [(_, headings), *below] = rows
    for pattern in _HEADINGS:
        columns = [
            i
            for i, heading in enumerate(headings)
            if pattern.search(heading)
            and any("@" in cell for _, row in below for cell in row[i : i + 1])
        ]
        if columns:
            return [(number, [row[i] for i in columns if i < len(row)]) for number, row in below]
    return below
