"""Readers in and out: the exports of other programs, spreadsheets, and our own export."""

import contextlib
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time
from functools import lru_cache, partial
from itertools import chain, islice
from pathlib import Path
from zoneinfo import ZoneInfo

from digest.audience.recipients import EVERYTHING, LONGEST_NAME, check_choice, mailable
from digest.audience.store import (
    ChosenRecipient,
    add_recipients,
    begin_file,
    each_recipient,
    known_lines,
    note_imports,
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
_DAY_FIRST = re.compile(r"(\d\d?)\.(\d\d?)\.(\d{4})")
_LISTS = word_lists("audience/exports.toml")
_STATUS = {name: frozenset(listed) for name, listed in _LISTS["status"].items()}
_LEFT_AT = _LISTS["left_at"]
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

    `unknown` counts what the file has and config.toml does not, `unused` are headings not read.
    """

    settings: Settings
    languages: tuple[str, ...] = ()
    themes: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    unknown: Counter[str] = field(default_factory=Counter)
    unused: list[str] = field(default_factory=list)

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

    Nobody is changed, ended or brought back: only somebody who is not known, and of whom no line says
    that they left, is added. A `dry_run` decides by the same rules and writes nothing.

    Raises:
        DocumentError: the file is no table with a column of addresses.
        NotReadyError: it is a workbook, and the extra `xlsx` is not installed.
    """
    db, now = newsroom.db, newsroom.now()
    begin_file(db)
    leavers = _leavers(path)
    while gone := list(islice(leavers, _BATCH)):
        note_lines(db, gone, left=True)
    lines = _lines(path, rules, now)
    while batch := list(islice(lines, _BATCH)):
        # In the order of the index, so that each of its pages is read and written once.
        keys = sorted(
            (address_key(one.address), one.line) for one in batch if one.outcome != REFUSED
        )
        note_lines(db, keys, left=False)
        with contextlib.nullcontext() if dry_run else db.write():
            known = known_lines(db, keys, now)
            outcomes = [_outcome(one, known.get(one.line)) for one in batch]
            if not dry_run:
                new = [one.chosen for one in outcomes if one.chosen]
                note_imports(db, add_recipients(db, new, now), len(new), now)
        yield from outcomes


def _outcome(line: Outcome, known: Row | None) -> Outcome:
    """What becomes of a line, by what is known of its address."""
    if known is None:
        return line
    outcome, note = HERE, f"now {known['address']}" if known["moved"] else ""
    if line.outcome == LEFT:
        outcome, note = LEFT, line.note
        if known["status"] == RecipientStatus.ACTIVE:
            note += f", active here; if they left: digest recipients end {known['address']}"
    elif known["first"] < line.line:
        outcome, note = TWICE, f"the address of line {known['first']}"
    elif known["status"] == RecipientStatus.ENDED:
        note += f"{', ' if note else ''}unsubscribed here on {known['ended_at'][:10]}"
        outcome = UNWANTED
    elif known["status"] is None and known["cause"]:
        outcome, note = UNWANTED, f"suppressed here ({known['cause']})"
    elif known["status"] is None:
        outcome, note = LEFT, f"line {known['left']} says so"
    return Outcome(line.line, line.address, outcome, note)


def _leavers(path: Path) -> Iterator[tuple[str, int]]:
    """The key and the line of each address of which the file says that it left."""
    for number, values, _ in _table(path, [], only={"address", "status", "subscribed", *_LEFT_AT}):
        with contextlib.suppress(RecipientError):
            if values.get("address") and _left(values):
                yield address_key(values["address"][0]), number


def _lines(path: Path, rules: Rules, now: datetime) -> Iterator[Outcome]:
    """What would become of each line if nobody were known, by the rules of `digest recipients add`."""
    choose = lru_cache(1_000)(partial(check_choice, rules.settings))
    zone = rules.settings.site.time_zone
    for number, values, fault in _table(path, rules.unused):
        address = values.get("address", [""])[0]
        try:
            if fault or not address:
                raise RecipientError(fault or "it has no address.")
            if left := _left(values):
                check_address(address)
                yield Outcome(number, address, LEFT, f"{left} in the file")
                continue
            chosen = _chosen(address, values, rules, choose, now)
            themes = ", ".join(chosen.themes or (EVERYTHING,))
            note = f"{', '.join(chosen.digests)}; {', '.join(chosen.languages)}; {themes}"
            if chosen.paused_until:
                note += f"; paused until {chosen.paused_until.astimezone(ZoneInfo(zone)):%Y-%m-%d}"
            yield Outcome(number, address, ADDED, note, chosen)
        except RecipientError as e:
            yield Outcome(number, address, REFUSED, str(e))


def _table(
    path: Path, unused: list[str], only: Collection[str] = ()
) -> Iterator[tuple[int, dict[str, list[str]], str]]:
    """The number of each line, its values by kind (all, or `only` some), and its fault, else "".

    The headings that are not read are added to `unused`.
    """
    rows = _rows(path)
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
    else:
        read = {*chain(*columns.values())}
        unused += [foreign(one) for i, one in enumerate(headings) if one and i not in read]
    if only:
        columns = {name: places for name, places in columns.items() if name in only}
        rows = rows if len(columns) > 1 else iter(())  # nothing else to say of an address
    missing = [""] * len(headings)
    for number, cells in rows:
        cells = [*cells, *missing[len(cells) :]]
        values: dict[str, list[str]] = {}
        for name, places in columns.items():
            if filled := [cell for i in places if cells[i] and (cell := foreign(cells[i]))]:
                values[name] = [_GUARD.sub("", one) if one[0] == "'" else one for one in filled]
            elif name == "subscribed":
                values[name] = [""]
        long = len(cells) > len(headings)
        fault = "it has more cells than the first line. Put quotes around them." if long else ""
        yield number, values, fault


def _left(values: Mapping[str, Sequence[str]]) -> str:
    """The file's word for somebody who is not subscribed there; "" for a subscriber.

    Raises:
        RecipientError: a status is not known.
    """
    for status in chain(values.get("status", ()), values.get("subscribed", ())):
        word = _plain(status)
        if not status or word in _STATUS["left"]:
            return f"{status!r}" if status else "not subscribed"
        if word not in _STATUS["here"]:
            raise RecipientError(
                f"its status {status!r} is not known. Write active or unsubscribed."
            )
    for name in _LEFT_AT:
        if name in values and any(_plain(cell) not in _STATUS["no"] for cell in values[name]):
            return name
    return ""


def _chosen(
    address: str,
    values: Mapping[str, Sequence[str]],
    rules: Rules,
    choose: Callable[..., _Choice],
    now: datetime,
) -> ChosenRecipient:
    site, themes = rules.settings.site, list[str]()
    named = {
        one: _LANGUAGES.get(_plain(one), one[:2].lower())
        for one in _each(values.get("languages", ()))
    }
    languages = [code for code in named.values() if code in site.languages]
    for value, code in named.items():
        if languages and code not in languages:
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
    moments = (_moment(one, site.time_zone) for one in values.get("added", ()))
    added = next(filter(None, moments), None)
    until = values.get("paused", [""])[0]
    paused = _moment(until, site.time_zone) if until else None
    if until and paused is None:
        raise RecipientError(f"its pause {until!r} is not a day. Write it as 2027-01-11.")
    chosen_languages, chosen_themes, digests = choose(
        tuple(languages or named) or rules.languages,
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
        paused if paused and paused > now else None,
    )


def _each(cells: Iterable[str]) -> Iterator[str]:
    """The values of cells that list several, in quotes or not."""
    for cell in cells:
        yield from (value for part in _LISTED.split(cell) if (value := part.strip(' "')))


def _moment(cell: str, zone: str) -> datetime | None:
    """The moment of an ISO 8601 date or of 11.01.2027; a bare day is its morning in the zone, a time
    without a zone is in UTC."""
    iso = _DAY_FIRST.sub(lambda d: f"{d[3]}-{d[2]:>02}-{d[1]:>02}", cell, count=1)
    try:
        moment = datetime.fromisoformat(iso)
        bare = UTC if moment.time() != time() else ZoneInfo(zone)
        return (moment if moment.tzinfo else moment.replace(tzinfo=bare)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


@lru_cache(10_000)
def _plain(text: str) -> str:
    return " ".join(words(text))


def _columns(headings: Sequence[str]) -> dict[str, list[int]]:
    """Where each kind of value is in a line, the surest column first; of addresses only that one."""
    plain = [_plain(heading) for heading in headings]
    columns = {
        name: [plain.index(word) for word in known if word in plain]
        for name, known in (_LISTS["headings"] | _LEFT_AT).items()
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
