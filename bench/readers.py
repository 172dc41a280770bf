"""How long a list of readers takes to come in: `digest recipients import`, beside sqlite-utils.

    python bench/readers.py [--lines 1000000] [--sheet 100000]

A CSV as Mailchimp exports it, imported twice into a fresh newsroom, and beside it
`sqlite-utils insert --csv` of the same file into one table with the address as its key, which checks
nothing. Then a workbook, if python-calamine is installed. Seconds, and the most memory of each.
"""

import argparse
import csv
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from xml.sax.saxutils import escape

ROOT = Path(__file__).resolve().parent.parent
HEADINGS = [
    "Email Address",
    "First Name",
    "Last Name",
    "OPTIN_TIME",
    "CONFIRM_TIME",
    "LEID",
    "EUID",
    "NOTES",
    "TAGS",
]
NAMES = ("Ann", "Анна", "Bo", "Мурад", "", "Smith, Ann")
LARGE = tuple(f"mail{i}.example.org" for i in range(20))


def readers(lines: int) -> Iterator[tuple[str, ...]]:
    """In an order that no index has; most at large providers; some with tags."""
    for i in range(lines):
        number = i * 7_919 % lines
        domain = LARGE[number % 20] if number % 10 < 7 else f"d{number % 20_000}.example.org"
        tags = '"Customs","VIP"' if i % 3 == 0 else ""
        day = f"2024-05-{i % 28 + 1:02} 07:08:09"
        yield (
            f"reader{number}@{domain}",
            NAMES[i % 6],
            "Test",
            day,
            day,
            str(i),
            f"{i:x}",
            "",
            tags,
        )


def write_sheet(path: Path, lines: int) -> None:
    """A workbook with the same readers, as small as the format allows."""
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006/relationships"
    relation = (
        '<Relationships xmlns="{}"><Relationship Id="r1" Type="{}" Target="{}"/></Relationships>'
    )
    parts = {
        "_rels/.rels": relation.format(package, f"{office}/officeDocument", "xl/workbook.xml"),
        "xl/_rels/workbook.xml.rels": relation.format(package, f"{office}/worksheet", "a.xml"),
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets>'
        '<sheet name="a" sheetId="1" r:id="r1"/></sheets></workbook>',
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as book:
        for name, text in parts.items():
            book.writestr(name, text)
        with book.open("xl/a.xml", "w") as sheet:
            sheet.write(f'<worksheet xmlns="{main}"><sheetData>'.encode())
            for row in chain([HEADINGS], readers(lines)):
                cells = (f'<c t="inlineStr"><is><t>{escape(cell)}</t></is></c>' for cell in row)
                sheet.write(f"<row>{''.join(cells)}</row>".encode())
            sheet.write(b"</sheetData></worksheet>")


def measured(name: str, command: list[str], folder: Path, beside: float = 0.0) -> float:
    """Run it, print what it took and its last line; the seconds."""
    began = time.perf_counter()
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as process:
        said = process.stdout.read() if process.stdout else ""
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    taken = time.perf_counter() - began
    ratio = f", {taken / beside:4.1f} times" if beside else ""
    memory, cpu = used.ru_maxrss / 1024, used.ru_utime + used.ru_stime
    print(f"{name:<32} {taken:6.1f} s (processor {cpu:.1f} s){ratio}, {memory:4.0f} MB", flush=True)
    print("    " + (said.strip().splitlines() or ["no output"])[-1])
    return taken


def main() -> None:
    asked = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    asked.add_argument("--lines", type=int, default=1_000_000)
    asked.add_argument("--sheet", type=int, default=100_000)
    given = asked.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copy(ROOT / "config.toml", folder)
        (folder / "seeds").mkdir()
        with (folder / "list.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(chain([HEADINGS], readers(given.lines)))
        print(f"{given.lines:,} lines, {(folder / 'list.csv').stat().st_size / 1e6:.0f} MB")
        tables = [sys.executable, "-m", "sqlite_utils", "insert", "peer.db", "readers", "list.csv"]
        peer = measured(
            "sqlite-utils insert --csv", [*tables, "--csv", "--pk", "Email Address"], folder
        )
        digest = [sys.executable, "-m", "digest", "recipients"]
        for which in ("import", "the same once more"):
            measured(f"digest recipients {which}", [*digest, "import", "list.csv"], folder, peer)
        measured("digest recipients export", [*digest, "export", "out.csv"], folder)
        if given.sheet:
            write_sheet(folder / "list.xlsx", given.sheet)
            (folder / "digest.db").unlink()
            print(f"{given.sheet:,} rows of a workbook")
            measured("digest recipients import", [*digest, "import", "list.xlsx"], folder)


if __name__ == "__main__":
    main()
