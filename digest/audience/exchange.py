"""Readers in and out: the exports of other programs, spreadsheets, and our own export."""

import contextlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import lru_cache, partial
from itertools import chain, islice
from pathlib import Path

from digest.audience.recipients import EVERYTHING, LONGEST_NAME, check_choice, mailable
from digest.audience.store import (
    ChosenRecipient,
    add_recipients,
    each_recipient,
    known_lines,
    note_lines,
)
from digest.audience.suppressions import table_rows
from digest.config.settings import Settings
from digest.errors import DocumentError, NotReadyError, RecipientError
from digest.language.addresses import address_key, check_address
from digest.language.text import encoding_of, foreign, word_lists, words
from digest.model import OTHER, RecipientStatus
from digest.newsroom import Newsroom
from digest.store.database import Row

ADDED, HERE, TWICE, LEFT, UNWANTED, REFUSED = (
    "added", "already here", "twice in the file", "left there", "not wanted here", "refused",
)  # fmt: skip
"""What becomes of a line; only the first adds somebody, only the last is a fault of the file."""
COLUMNS = (
    "email", "name", "status", "languages", "themes", "digests", "created_at", "paused_until",
)  # fmt: skip
"""The headings of our own export; other programs know most of them."""
_BATCH = 8_000
"""Lines of one write."""
_Choice = tuple[tuple[str, ...], tuple[str, ...] | None, tuple[str, ...]]
_MOST_UNKNOWN = 1_000
_MAY_BE_FORMULA = ("=", "+", "-", "@")
_GUARD = re.compile(r"^'(?=[=+\-@])")
_LISTED = re.compile(r"[,;|]")
_LISTS = word_lists("audience/exports.toml")
_STATUS = {name: frozenset(listed) for name, listed in _LISTS["status"].items()}
_LANGUAGES = {word: code for code, listed in _LISTS["languages"].items() for word in listed}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What becomes of one line of a file; `line` is where it begins, `note` says why."""

    line: int
    address: str
    outcome: str
    note: str
    chosen: ChosenRecipient | None = None


@dataclass(frozen=True, slots=True)
class Rules:
    """How a file is read: what to choose where it does not say it, and the theme of a tag by its name.

    `unknown` counts what the file has and config.toml does not.
    """

    settings: Settings
    languages: tuple[str, ...] = ()
    themes: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    unknown: Counter[str] = field(default_factory=Counter)

    def with_tags(self, given: Sequence[str]) -> "Rules":
        """The same, checked, with the keys and titles of themes and what is `given` as "tag=theme".

        Raises:
            RecipientError: it has another form, or config.toml lacks what is chosen.
        """
        check_choice(self.settings, self.languages, self.themes, self.digests)
        keys = (*self.settings.theme_keys, OTHER)
        tags = {_plain(key): key for key in keys}
        for theme in self.settings.themes:
            tags |= {_plain(title): theme.name for title in theme.title.values()}
        for one in given:
            tag, _, theme_key = one.rpartition("=")
            if not tag or theme_key not in keys:
                raise RecipientError(
                    f"--tag {one}: write TAG=THEME; the themes are {', '.join(keys)}."
                )
            tags[_plain(tag)] = theme_key
        return replace(self, tags=tags)

    def note_unknown(self, what: str) -> None:
        room = what in self.unknown or len(self.unknown) < _MOST_UNKNOWN
        self.unknown[what if room else "and others"] += 1


def import_readers(
    newsroom: Newsroom, path: Path, rules: Rules, *, dry_run: bool
) -> Iterator[Outcome]:
    """Add the readers in a CSV file or a workbook, some thousand at a time; what becomes of each line.

    Nobody is changed, ended or brought back: only somebody who is not known is added. A `dry_run`
    decides by the same rules and writes nothing.

    Raises:
        DocumentError: the file is no table with a column of addresses.
        NotReadyError: it is a workbook, and the extra `xlsx` is not installed.
    """
    db, now = newsroom.db, newsroom.now()
    lines, begin = _lines(path, rules, now), True
    while batch := list(islice(lines, _BATCH)):
        # In the order of the index, so that each of its pages is read and written once.
        keys = sorted(
            (address_key(one.address), one.line) for one in batch if one.outcome != REFUSED
        )
        note_lines(db, keys, begin=begin)
        begin = False
        with contextlib.nullcontext() if dry_run else db.write():
            known = known_lines(db, keys, now)
            outcomes = [_outcome(one, known.get(one.line)) for one in batch]
            if not dry_run:
                add_recipients(db, [one.chosen for one in outcomes if one.chosen], now)
        yield from outcomes


def _outcome(line: Outcome, known: Row | None) -> Outcome:
    """What becomes of a line, by what is known of its address."""
    if known is None:
        return line
    outcome, note, twice = HERE, "", known["first"] < line.line
    if line.outcome == LEFT:
        outcome, note = LEFT, line.note
        if twice or known["status"] == RecipientStatus.ACTIVE:
            where = f"but also on line {known['first']}" if twice else "active here"
            note += f", {where}; if they left: digest recipients end {line.address}"
    elif twice:
        outcome, note = TWICE, f"the address of line {known['first']}"
    elif known["status"] == RecipientStatus.ENDED:
        outcome, note = UNWANTED, f"unsubscribed here on {known['ended_at'][:10]}"
    elif known["status"] is None:
        outcome, note = UNWANTED, f"suppressed here ({known['cause']})"
    return Outcome(line.line, line.address, outcome, note)


def _lines(path: Path, rules: Rules, now: datetime) -> Iterator[Outcome]:
    """What would become of each line if nobody were known, by the rules of `digest recipients add`."""
    rows, choose = _rows(path), lru_cache(1_000)(partial(check_choice, rules.settings))
    number, headings = next(rows, (0, []))
    columns = _columns(headings)
    if "address" not in columns:
        if not (found := [i for i, cell in enumerate(headings) if "@" in cell]):
            raise DocumentError(
                path.name,
                f"no column of addresses among {', '.join(map(repr, headings)) or 'no cells'}. "
                "Name it Email in the first line.",
            )
        columns, rows = {"address": found}, chain([(number, headings)], rows)
    missing = [""] * len(headings)
    for number, cells in rows:
        cells = [*cells, *missing[len(cells) :]]
        values: dict[str, list[str]] = {}
        for name, places in columns.items():
            if filled := [cell for i in places if cells[i] and (cell := foreign(cells[i]))]:
                values[name] = [_GUARD.sub("", one) if one[0] == "'" else one for one in filled]
        address = values.get("address", [""])[0]
        try:
            if len(cells) > len(headings):
                raise RecipientError(
                    "it has more cells than the first line. Put quotes around them."
                )
            if not address:
                raise RecipientError("it has no address.")
            if left := _left(values):
                check_address(address)
                yield Outcome(number, address, LEFT, f"{left} in the file")
                continue
            chosen = _chosen(address, values, rules, choose, now)
            themes = ", ".join(chosen.themes or (EVERYTHING,))
            note = f"{', '.join(chosen.digests)}; {', '.join(chosen.languages)}; {themes}"
            yield Outcome(number, address, ADDED, note, chosen)
        except RecipientError as e:
            yield Outcome(number, address, REFUSED, str(e))


def _left(values: Mapping[str, Sequence[str]]) -> str:
    """The file's word for somebody who is not subscribed there; "" for a subscriber.

    Raises:
        RecipientError: a status is not known.
    """
    for status in values.get("status", ()):
        word = _plain(status)
        if word in _STATUS["left"]:
            return f"{status!r}"
        if word not in _STATUS["here"]:
            raise RecipientError(
                f"its status {status!r} is not known. Write active or unsubscribed."
            )
    return next((word for word in _LISTS["left_at"] if values.get(word)), "")


def _chosen(
    address: str,
    values: Mapping[str, Sequence[str]],
    rules: Rules,
    choose: Callable[..., _Choice],
    now: datetime,
) -> ChosenRecipient:
    languages: list[str] = []
    themes: list[str] = []
    for value in _each(values.get("languages", ())):
        code = _LANGUAGES.get(_plain(value)) or value[:2].lower()
        if code in rules.settings.site.languages:
            languages.append(code)
        else:
            rules.note_unknown(f"language {value!r}")
    for cell in values.get("tags", ()):
        for tag in [cell] if _plain(cell) in rules.tags else _each([cell]):
            if theme := rules.tags.get(_plain(tag)):
                themes.append(theme)
            else:
                rules.note_unknown(f"tag {tag!r}")
    themes += [rules.tags.get(_plain(one), one) for one in _each(values.get("themes", ()))]
    name = values.get("name", [""])[0]
    if not name:
        name = " ".join(values[part][0] for part in ("first", "last") if part in values)
    added = _moment(values.get("added", ()))
    chosen_languages, chosen_themes, digests = choose(
        tuple(languages) or rules.languages,
        tuple(themes) or rules.themes,
        tuple(_each(values.get("digests", ()))) or rules.digests,
    )
    return ChosenRecipient(
        mailable(address),
        chosen_languages,
        digests,
        foreign(name, limit=LONGEST_NAME) or None,
        chosen_themes,
        added and min(added, now),
        _moment(values["paused"]) if "paused" in values else None,
    )


def _each(cells: Iterable[str]) -> Iterator[str]:
    """The values of cells that list several, in quotes or not."""
    for cell in cells:
        yield from (value for part in _LISTED.split(cell) if (value := part.strip(' "')))


def _moment(cells: Iterable[str]) -> datetime | None:
    """The first cell that is a date as ISO 8601 writes it, in UTC if no zone is given."""
    for cell in cells:
        try:
            moment = datetime.fromisoformat(cell)
        except ValueError:
            continue
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return None


@lru_cache(10_000)
def _plain(text: str) -> str:
    return " ".join(words(text))


def _columns(headings: Sequence[str]) -> dict[str, list[int]]:
    """Where each kind of value is in a line, the surest column first; of addresses only that one."""
    plain = [_plain(heading) for heading in headings]
    columns = {
        name: [plain.index(word) for word in known if word in plain]
        for table in ("headings", "left_at")
        for name, known in _LISTS[table].items()
    }
    columns["address"] = columns["address"][:1]
    return {name: places for name, places in columns.items() if places}


def _rows(path: Path) -> Iterator[tuple[int, Sequence[str]]]:
    """The rows of a table that are not empty, each with the number of its first line."""
    with path.open("rb") as file:
        if file.read(4) in (b"PK\x03\x04", b"\xd0\xcf\x11\xe0"):
            yield from _sheet(path)
            return
        file.seek(0)
        encoding = encoding_of(path.name, file)
    with path.open(encoding=encoding, errors="replace", newline="") as text:
        yield from table_rows(text)


def _sheet(path: Path) -> Iterator[tuple[int, Sequence[str]]]:
    """The rows of the first sheet of a workbook."""
    try:
        from python_calamine import CalamineError, CalamineWorkbook
    except ImportError:
        raise NotReadyError(
            f"{path.name}: to read a workbook, run `pip install 'newsroom-digest[xlsx]'`, or save it "
            "as CSV."
        ) from None
    try:
        sheet = CalamineWorkbook.from_path(path).get_sheet_by_index(0)
    except CalamineError as e:
        raise DocumentError(
            path.name, f"is not a workbook ({e}). Unpack an archive, and import each file in it."
        ) from e
    for number, row in enumerate(sheet.iter_rows(), 1):
        if any(cells := [f"{one:g}" if isinstance(one, float) else str(one) for one in row]):
            yield number, cells


def export_readers(newsroom: Newsroom, *, everybody: bool) -> Iterator[Sequence[str]]:
    """The rows of our own export, headings first: those who may be mailed, or `everybody`, with why
    not in the column status. A cell that a spreadsheet would run as a formula begins with '."""
    yield COLUMNS
    now = newsroom.now()
    for one, suppressed in each_recipient(newsroom.db, now=now):
        status = "suppressed" if suppressed else one.status.value
        if everybody or status == RecipientStatus.ACTIVE:
            paused = one.paused_until if one.paused_until and one.paused_until > now else None
            cells = (
                one.address,
                one.name or "",
                status,
                ", ".join(one.choice.languages),
                ", ".join(one.choice.themes) or EVERYTHING,
                ", ".join(one.digests),
                one.added_at.isoformat(),
                paused.isoformat() if paused else "",
            )
            yield [f"'{cell}" if cell.startswith(_MAY_BE_FORMULA) else cell for cell in cells]
