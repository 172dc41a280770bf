"""The addresses in a list that a person or a spreadsheet saved, and the lines that give none."""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from digest.config.audience import check_address
from digest.errors import RecipientError
from digest.sources.decoding import decode
from digest.store.addresses import address_key

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
