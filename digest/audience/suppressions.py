"""The addresses in a list that a person or a spreadsheet saved, and the lines that give none."""

import csv
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile

from digest.errors import RecipientError
from digest.language.addresses import address_key, check_address
from digest.language.text import decode
from digest.store.database import Database, Row, text_from_moment

SOFT_LIMIT = 3
"""So many full mailboxes or other soft bounces within SOFT_MEMORY suppress an address."""

SOFT_MEMORY = timedelta(days=60)

CAUSES = ("soft", "hard", "complaint", "import", "manual")
"""From the lightest to the gravest: what the mail says, and above it what a person has said."""


def suppress(
    db: Database,
    address: str,
    cause: str,
    moment: datetime,
    *,
    detail: str | None = None,
    delivery_id: int | None = None,
) -> bool:
    """Never mail this address again until it is removed here; False if it was suppressed already.

    A graver cause takes the place of a lighter one, so that lifting all of the lighter cause does
    not lift it.
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
    """Take these addresses off the list; how many were on it."""
    return sum(
        db.run("DELETE FROM suppressions WHERE address_key = ?", (address_key(one),))
        for one in addresses
    )


def unsuppress_cause(db: Database, cause: str, *, since: datetime | None = None) -> int:
    """Take off the list all of one cause, or those since a moment: to undo a fault of a relay."""
    at = text_from_moment(since) if since else ""
    return db.run("DELETE FROM suppressions WHERE cause = ? AND since >= ?", (cause, at))


def suppression_of(db: Database, address: str) -> Row | None:
    """Why and since when this address must not be mailed; None where it may be."""
    return db.row("SELECT * FROM suppressions WHERE address_key = ?", (address_key(address),))


def list_suppressions(db: Database, *, cause: str | None = None) -> list[Row]:
    """Suppressed addresses, the newest first."""
    where, values = ("", ()) if cause is None else ("WHERE cause = ?", (cause,))
    sql = f"SELECT * FROM suppressions {where} ORDER BY since DESC, address_key"  # noqa: S608 - ours
    return db.rows(sql, values)


def keep_report(
    db: Database,
    *,
    sha256: str,
    kind: str,
    found_by: str | None,
    recipient_id: int | None,
    edition_id: int | None,
    status_code: str | None,
    diagnostic: str | None,
    raw: bytes,
    moment: datetime,
) -> bool:
    """Keep a raw report; False when it was read before, so that reading twice counts once."""
    return bool(
        db.run(
            """INSERT INTO bounces (sha256, kind, found_by, recipient_id, edition_id, status_code,
                                    diagnostic, read_at, raw)
               VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (sha256) DO NOTHING""",
            (
                sha256,
                kind,
                found_by,
                recipient_id,
                edition_id,
                status_code,
                diagnostic,
                text_from_moment(moment),
                raw,
            ),
        )
    )


def soft_bounces(db: Database, recipient_id: int, moment: datetime) -> int:
    """How many soft bounces a recipient has that are not yet forgotten: reports, and answers to our
    own tries that said the mailbox is full.
    """
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
    """End a subscription, with the reason; the row stays. False if it had ended already."""
    sql = """UPDATE recipients SET status = 'ended', ended_at = ?, ended_reason = ?
              WHERE id = ? AND status != 'ended'"""
    return bool(db.run(sql, (text_from_moment(moment), reason, recipient_id)))


def address_of(db: Database, recipient_id: int) -> str | None:
    value = db.value("SELECT address FROM recipients WHERE id = ?", (recipient_id,))
    return None if value is None else str(value)


def delivery_of(db: Database, edition_id: int, recipient_id: int) -> int | None:
    """The delivery of an edition to a recipient, None if there was none."""
    sql = "SELECT id FROM deliveries WHERE edition_id = ? AND recipient_id = ?"
    value = db.value(sql, (edition_id, recipient_id))
    return None if value is None else int(value)


def list_returns(db: Database, *, kind: str | None = None, limit: int = 50) -> list[Row]:
    """What came back, the newest first, without the raw letters."""
    sql = """
    SELECT bounces.id, bounces.kind, found_by, status_code, diagnostic, bounces.read_at,
           edition_id, recipient_id, recipients.address
      FROM bounces LEFT JOIN recipients ON recipients.id = recipient_id
     WHERE ? IS NULL OR bounces.kind = ? ORDER BY bounces.id DESC LIMIT ?
    """
    return db.rows(sql, (kind, kind, limit))


def raw_return(db: Database, return_id: int) -> bytes | None:
    """The letter itself, as it arrived."""
    value = db.value("SELECT raw FROM bounces WHERE id = ?", (return_id,))
    return None if value is None else bytes(value)


def was_mailed(db: Database, recipient_id: int, since: datetime) -> bool:
    """Whether a message was handed to a server for this recipient since then."""
    sql = "SELECT 1 FROM deliveries WHERE recipient_id = ? AND handed_at >= ? LIMIT 1"
    return db.value(sql, (recipient_id, text_from_moment(since))) is not None


DELIMITERS = (";", "\t", ",")

HEADINGS = (
    re.compile(r"mail|почт|e-?pochta|poçta", re.IGNORECASE),
    re.compile(r"address|адрес|salgy", re.IGNORECASE),
)
"""How a column of addresses is headed, the surest first; each language that a newsroom here writes."""

WORD = re.compile(r"""[^\s,;:|<>()\[\]"]*@[^\s,;:|<>()\[\]"]*""")
"""What may be an address, out of the names, brackets and quotes around it."""

SHOWN = 60
Rows = Iterable[tuple[int, Sequence[str]]]


@dataclass(frozen=True, slots=True)
class AddressList:
    """Each mailbox once, in the order of the file, and a fault for each line without its address."""

    addresses: tuple[str, ...]
    faults: tuple[str, ...]


def read_addresses(name: str, data: bytes) -> AddressList:
    """Text in any encoding that a document may have: an address a line, names around it or not, or a
    table with commas, semicolons or tabs (RFC 4180) whose first line may say where the addresses are.
    Without such a heading each address in the file counts.

    Raises:
        DocumentError: the file is no text, or holds nothing.
    """
    text, _ = decode(name, data)
    lines = text.split("\n")
    begin = next(i for i, line in enumerate(lines) if line.strip())
    rows: Rows = ((number, (line,)) for number, line in enumerate(lines, 1) if line.strip())
    if "@" not in lines[begin] and any(one.search(lines[begin]) for one in HEADINGS):
        rows = _addresses_of(list(_table(lines, begin)))
    found: dict[str, str] = {}
    faults: list[str] = []
    for number, cells in rows:
        words = [word.strip("'.") for cell in cells for word in WORD.findall(cell)]
        for word in words:
            try:
                address = check_address(word)
            except RecipientError as e:
                faults.append(f"{name}, line {number}: {e}")
            else:
                found.setdefault(address_key(address), address)
        if not words:
            line = lines[number - 1].strip()
            seen = line if len(line) <= SHOWN else line[: SHOWN - 1] + "…"
            faults.append(f"{name}, line {number}: there is no address in {seen!r}")
    return AddressList(tuple(found.values()), tuple(faults))


def _table(lines: Sequence[str], begin: int) -> Iterator[tuple[int, list[str]]]:
    """The rows from the line of headings on, each with the number of its first line."""
    delimiter = max(DELIMITERS, key=lines[begin].count)
    reader = csv.reader((line + "\n" for line in lines[begin:]), delimiter=delimiter, strict=True)
    rows: list[tuple[int, list[str]]] = []
    number = begin + 1
    try:
        for cells in reader:
            rows.append((number, cells))
            number = begin + reader.line_num + 1
    except csv.Error:
        # Quotes that do not pair would swallow the lines that follow: then each line is a row.
        rows = [
            (number, [cell.strip(' "') for cell in line.split(delimiter)])
            for number, line in enumerate(lines[begin:], begin + 1)
        ]
    return ((number, cells) for number, cells in rows if any(cell.strip() for cell in cells))


def _addresses_of(rows: Sequence[tuple[int, Sequence[str]]]) -> Rows:
    """The rows under the headings, and of their cells only those that are to hold an address."""
    [(_, headings), *below] = rows
    for pattern in HEADINGS:
        columns = [
            i
            for i, heading in enumerate(headings)
            if pattern.search(heading)
            and any("@" in cell for _, row in below for cell in row[i : i + 1])
        ]
        if columns:
            return [(number, [row[i] for i in columns if i < len(row)]) for number, row in below]
    return below
