"""Addresses that must not be mailed, the bounces that say why, and lists of addresses to import."""

import csv
import json
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hmac import digest
from itertools import islice, takewhile

from digest.errors import RecipientError
from digest.language.addresses import address_key, check_address
from digest.language.text import decode
from digest.store.database import Database, Row, text_from_moment

SOFT_LAPSES = timedelta(days=90)
"""How long an address stays suppressed for soft bounces."""
FORGOTTEN = "forgotten"
"""Why somebody of whom only a hash is kept is not mailed."""
CAUSES = ("soft", "hard", "complaint", "import", "manual", FORGOTTEN)
"""From the lightest to the gravest: causes read from mail, then those that a person gave."""
_SALT = "forgotten_salt"


def suppress(
    db: Database,
    address: str,
    cause: str,
    moment: datetime,
    *,
    detail: str | None = None,
    bounce_id: int | None = None,
) -> bool:
    """Do not mail this address until it is removed, or lapses (SOFT_LAPSES); False if it was suppressed
    already. `bounce_id` is what said so last.

    A graver cause replaces a lighter one, so that it stays when all of the lighter cause are removed.
    """
    if is_forgotten(db, address):
        return False
    row = {
        "key": address_key(address),
        "cause": cause,
        "detail": detail,
        "bounce": bounce_id,
        "since": text_from_moment(moment),
        "lighter": json.dumps(list(takewhile(cause.__ne__, CAUSES))),
    }
    if db.run(
        """INSERT INTO suppressions (address_key, cause, detail, bounce_id, since)
           VALUES (:key, :cause, :detail, :bounce, :since) ON CONFLICT (address_key) DO NOTHING""",
        row,
    ):
        return True
    db.run(
        """UPDATE suppressions SET cause = :cause, detail = :detail, bounce_id = :bounce,
                  since = :since
            WHERE address_key = :key AND cause IN (SELECT value FROM json_each(:lighter))""",
        row,
    )
    return False


def unsuppress(db: Database, addresses: Sequence[str], *, forget: bool = True) -> int:
    """Remove these addresses; how many were suppressed. What bounced before is forgotten, or else the
    next such bounce suppresses at once."""
    keys = [address_key(one) for one in addresses]
    sql = """UPDATE bounces SET state = ? WHERE state IN ('counts', 'confirmed', 'tried')
                AND recipient_id = (SELECT id FROM recipients WHERE address_key = ?)"""
    db.run_many(sql, [("discarded" if forget else "tried", key) for key in keys])
    hide, sql = hider(db), "DELETE FROM suppressions WHERE address_key IN (?, ?)"
    return sum(db.run(sql, (key, hide(key))) for key in keys)


def suppressed_keys(
    db: Database, cause: str, *, since: datetime | None = None, before: datetime | None = None
) -> list[str]:
    """The addresses suppressed for one cause, all or those of a time, to undo a fault of a relay."""
    times = text_from_moment(since) if since else "", text_from_moment(before) if before else "~"
    sql = "SELECT address_key FROM suppressions WHERE cause = ? AND since >= ? AND since < ?"
    return [row["address_key"] for row in db.rows(sql, (cause, *times))]


def lapse(db: Database, now: datetime) -> int:
    """Remove suppressions for soft bounces that are older than SOFT_LAPSES. Call inside a write."""
    sql = "DELETE FROM suppressions WHERE cause = 'soft' AND since <= ?"
    return db.run(sql, (text_from_moment(now - SOFT_LAPSES),))


def suppression_of(db: Database, address: str) -> Row | None:
    """Why and since when this address must not be mailed; None if it may be."""
    key = address_key(address)
    sql = "SELECT * FROM suppressions WHERE address_key IN (?, ?)"
    return db.row(sql, (key, hider(db)(key)))


def hider(db: Database) -> Callable[[str], str | None]:
    """What the list keeps of an address key of somebody who is forgotten: a hash with a salt of this
    database; None as long as nobody is."""
    salt = str(db.value("SELECT value FROM meta WHERE key = ?", (_SALT,)) or "").encode()
    return lambda key: f"#{digest(salt, key.encode(), 'sha256').hex()[:40]}" if salt else None


def is_forgotten(db: Database, address: str) -> bool:
    """Whether the list has the address as a hash only."""
    known = suppression_of(db, address)
    return known is not None and known["cause"] == FORGOTTEN


def hide_suppressions(db: Database, keys: Sequence[str], salt: bytes, moment: datetime) -> None:
    """Suppress these address keys for ever, by hash alone; `salt` counts only the first time. Call
    inside a write."""
    db.run("INSERT INTO meta VALUES (?, ?) ON CONFLICT DO NOTHING", (_SALT, salt.hex()))
    hide, sql = hider(db), "DELETE FROM suppressions WHERE address_key = ?"
    db.run_many(sql, [(key,) for key in keys])
    sql = """INSERT INTO suppressions VALUES (?, ?, 'asked to be forgotten', NULL, ?)
             ON CONFLICT DO NOTHING"""
    db.run_many(sql, [(hide(key), FORGOTTEN, text_from_moment(moment)) for key in keys])


def address_of(db: Database, recipient_id: int, edition_id: int | None = None) -> str | None:
    """The address of a recipient, or the one that they had when that edition was sent to them."""
    sql = """SELECT coalesce((SELECT f.address_key FROM former_addresses AS f
                                JOIN deliveries AS d ON d.recipient_id = f.recipient_id
                               WHERE f.recipient_id = recipients.id AND d.edition_id = ?
                                     AND d.handed_at < f.changed_at
                               ORDER BY f.changed_at LIMIT 1), address)
               FROM recipients WHERE id = ?"""
    value = db.value(sql, (edition_id, recipient_id))
    return None if value is None else str(value)


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
        rows = _address_columns(
            list(table_rows((line + "\n" for line in lines[begin:]), begin + 1))
        )
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


def table_rows(lines: Iterator[str], number: int = 1) -> Iterator[tuple[int, list[str]]]:
    """The rows of a table (RFC 4180), each with the number of its first line; the first line is
    `number`, and what separates its cells, a sign of `,;|` or a tab, does so everywhere.

    A quote that is not closed spoils its own line only, not those that follow it.
    """
    waiting = deque(islice(lines, 1))
    read: list[str] = []
    head = waiting[0] if waiting else ""
    delimiter = max(";,|\t", key=head.count)
    if head.startswith("sep="):  # by Excel, for Excel
        delimiter, number = head[4], number + 1
        waiting.clear()

    def each() -> Iterator[str]:
        while (line := waiting.popleft() if waiting else next(lines, None)) is not None:
            read.append(line)
            yield line

    reader, width = csv.reader(each(), delimiter=delimiter, strict=True), 0
    while True:
        read.clear()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            cells = []
        width = width or len(cells)
        if not cells or (len(read) > 1 and len(cells) != width):
            waiting.extendleft(reversed(read[1:]))
            cells = [cell.strip(' "\r\n') for cell in read.pop(0).split(delimiter)]
            read[:] = [""]
            reader = csv.reader(each(), delimiter=delimiter, strict=True)
        if any(cell.strip() for cell in cells):
            yield number, cells
        number += len(read)


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
