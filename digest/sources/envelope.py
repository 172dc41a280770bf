"""The envelope of copy: what mails, wires and releases put around it, recognised by its form.

Each kind of line is a table of envelope.toml: how it reads, where it may be, what it gives.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo

from digest.language.days import PLACE, leading_dateline, mentions
from digest.language.text import either, fold, word_lists
from digest.model import Cut, CutKind, Embargo, Kill
from digest.sources.contacts import contact_above, split_contact
from digest.sources.embargoes import is_mark, read_embargo
from digest.sources.lines import (
    Line,
    as_byline,
    as_dateline,
    ends_sentence,
    is_prose,
    is_title,
    unwrapped,
)

_LISTS = word_lists("sources/envelope.toml")
_LONGEST = 420
"""Characters of a line of the envelope."""
_ABOVE, _BELOW = 8, 40
"""Lines above the copy that may be names, titles and days; lines of the envelope at either end."""
_NOTE, _SHORT, _FOLDED = 400, 80, 60
"""Characters above a header, a forwarder's note; of a line of a signature; of a field that may go on."""
_GROUP = re.compile(r"\?P<([a-z_]+)>")


class _Kind(NamedTuple):
    """A kind of line: `form` matches all of it, of a label its words with the signs before them."""

    cut: CutKind
    at: tuple[str, ...]
    below: tuple[str, ...]
    form: re.Pattern[str]


def _kind(cut: str, at: tuple[str, ...], below: tuple[str, ...], patterns: Sequence[str]) -> _Kind:
    # A name may be that of one group only: number them.
    form = either(_GROUP.sub(rf"?P<\g<1>{n}>", one) for n, one in enumerate(patterns))
    end = r"(?![^\W_])" if "label" in at else r"[\W_]{0,12}"
    form = rf"[\W_]{{0,6}}{form}{end}"
    return _Kind(CutKind(cut), at, below, re.compile(form, re.IGNORECASE))


_KINDS = [
    _kind(table["cut"][0], table["at"], table.get("below", ()), table["patterns"])
    for table in _LISTS.values()
    if "cut" in table
]
_LABELS, _ASIDES, _NOTES, _ANYWHERE, _IN_MAILS, _LAST, _RESTS, _FOOTERS = (
    [kind for kind in _KINDS if place in kind.at]
    for place in ("label", "aside", "note", "line", "mail", "last", "rest", "footer")
)
_CLOSINGS = [kind for kind in _RESTS if kind.cut is CutKind.HEADER]
_TAIL, _DELIMITER, _MARK_ENDS, _BRACKETS, _IN, _QUOTED, _HEADER = (
    re.compile(either(_LISTS["signs"][name]))
    for name in ("tail", "delimiter", "mark_ends", "brackets", "in", "quoted", "header")
)
_ABOUT = re.compile(r"embargo|эмбарго", re.IGNORECASE)
_KILLS = [kind for kind in _LABELS if "P<kill" in kind.form.pattern]
_SUPPORT = re.compile(either(_LISTS["kill"]["support"]), re.IGNORECASE)
_REFUSES = re.compile(either(_LISTS["about"]["refuses"]), re.IGNORECASE)
_MARKS = re.compile(r"\d|mbargoed|(?:under|под)\s", re.IGNORECASE)
_DATED = re.compile(r"[\W_]{0,4}(?:(?:от|of|dated|vom|on)\s)?(.{4,60})", re.IGNORECASE)
_NUMBER = re.compile(rf"(?<![^\W_]){_LISTS['number']['patterns'][1]}", re.IGNORECASE)
_ANSWER = re.compile(r"^(?:(?:re|fwd?|aw|wg|пересл|отв|ha)\s?:\s{0,2}){1,5}", re.IGNORECASE)
_FORWARDED = re.compile(either(_LISTS["forward"]["patterns"][:-2]), re.IGNORECASE)
_WROTE = re.compile(either(_LISTS["forward"]["patterns"][-2:]), re.IGNORECASE)
_BY = re.compile(r"^(?:by|автор)\s", re.IGNORECASE)
_NAMED = re.compile(rf"{either(_LISTS['kill']['items'])}\s{_QUOTED.pattern}", re.IGNORECASE)
_FIELD_OF = {name: key for key, names in _LISTS["keys"].items() for name in names}
_LETTERHEAD = frozenset(_LISTS["letterhead"]["words"])
_SMALL_WORD = re.compile(r"(?<![^\W_])[a-zа-яёäňşžýöüç]{2,}(?![^\W_])")
_STREET = re.compile(r"\d.{0,200}@|@.{0,200}\d")
_WEB = re.compile(r"www\.|://|@")
_CYRILLIC = re.compile(r"[а-яё]", re.IGNORECASE)
_ROLE = re.compile(
    rf"{PLACE}|(?:{PLACE}\s)?(?i:{either(_LISTS['byline']['roles'])})(?:,?\s(?:in\s|в\s)?{PLACE})?"
)


@dataclass(slots=True)
class Envelope:
    """The copy of a document as lines, and what the lines around it say.

    Each line of the document is in `lines`, in a field or in a cut. `title` and `dateline` are those
    of a header or label; the other fields are as in `Entry`.
    """

    lines: list[Line]
    title: Line | None = None
    dateline: str | None = None
    byline: str | None = None
    urgency: str | None = None
    number: str | None = None
    update: str | None = None
    correction: str | None = None
    embargo: Embargo | None = None
    kills: Kill | None = None
    cuts: tuple[Cut, ...] = ()


def open_envelope(lines: Sequence[Line], zone: ZoneInfo) -> Envelope:
    """Takes copy out of its envelope. An embargo that names no zone is in `zone`."""
    opened = _Opening(list(lines), zone=zone)
    opened.opening = lines[0].text if lines else ""
    opened.read_headers()
    opened.opening = opened.lines[0].text if opened.lines else ""
    # Before an hour on its own line is joined with a title.
    del opened.lines[: opened.hold(opened.lines)]
    # Before lines of another width tell how the copy was wrapped.
    opened.read_footer()
    opened.lines = unwrapped(opened.lines)
    opened.read_above()
    opened.read_below()
    opened.finish()
    return opened


@dataclass(slots=True, kw_only=True)
class _Opening(Envelope):
    """An envelope that is being opened; `taken` is what will be its cuts."""

    zone: ZoneInfo
    taken: list[tuple[int, CutKind, str]] = field(default_factory=list)
    kill: list[str] = field(default_factory=list)
    mailed: bool = False
    opening: str = ""

    def take(self, lines: Sequence[Line], kind: CutKind) -> int:
        """Makes a cut of the lines; how many they are."""
        self.taken += [(line.number, kind, line.text) for line in lines]
        return len(lines)

    def give(self, values: Iterable[tuple[str, str | None]]) -> None:
        """Keeps what groups of patterns or a header say; the first on a field counts.

        "urgency_flash" gives "flash" as the urgency, "correction_" a correction without words.
        """
        for group, value in values:
            name, constant, word = group.rstrip("0123456789").partition("_")
            if value is not None and not getattr(self, name):
                setattr(self, name, word if constant else value.strip())

    def take_whole(self, line: Line, kinds: Iterable[_Kind]) -> bool:
        if len(line.text) <= _LONGEST:
            for kind in kinds:
                if match := kind.form.fullmatch(line.text):
                    self.give(match.groupdict().items())
                    self.take([line], kind.cut)
                    return True
        return False

    def hold(self, lines: Sequence[Line]) -> int:
        """Takes the first lines if they are an embargo; how many. Of several the latest hour holds."""
        held, rows = read_embargo(lines[:3], self.zone, self.days)
        notice = any(kind.form.match(lines[0].text) for kind in _KILLS) if held else False
        # Of copy about an embargo the word alone is a heading.
        alone = held and not held.until and lines[0].text.isupper() and _ABOUT.search(self.opening)
        if alone and lines[0].text not in self.opening and " " not in lines[0].text:
            return 0
        if notice and _SUPPORT.search("\n".join(line.text for line in lines[1:_ABOVE])):
            return 0
        # A mark before the first sentence of copy is read with the labels.
        rests = [rest for _, _, rest in self._marked(lines[0])] if held and not held.until else []
        if any(len(rest) > _FOLDED and ends_sentence(rest) for rest in rests):
            return 0
        before = self.embargo.until if self.embargo else None
        if held and (not before or (held.until and held.until > before)):
            self.embargo = held
        self.take(lines[:rows], CutKind.LABEL)
        return rows

    def _marked(self, line: Line) -> list[tuple[Embargo, Line, str]]:
        """Embargoes before a title or in brackets, and what each leaves of the line."""
        text = line.text
        parts = [(m[1], text.replace(m[0], " ").strip()) for m in _BRACKETS.finditer(text)]
        heads = [(text[: m.start()], text[m.end() :]) for m in _MARK_ENDS.finditer(text[:_LONGEST])]
        parts += [one for one in heads if one[0].isupper() or _MARKS.search(one[0])]
        marks = [(replace(line, text=mark), rest) for mark, rest in parts]
        read = [(read_embargo([mark], self.zone, self.days)[0], mark, rest) for mark, rest in marks]
        return [(one, mark, rest) for one, mark, rest in read if one]

    def hold_parts(self, line: Line) -> Line:
        """The line without embargoes before or behind its title."""
        for _ in range(2):
            held = self._marked(line)
            # The longest that tells when; else the shortest: the rest is the title.
            for _, mark, rest in [one for one in held if one[0].until][-1:] or held[:1]:
                self.hold([mark])
                line = _with(line, rest)
        return line

    def days(self) -> Iterator[date]:
        """The days with a year that the head of the document names."""
        for text in (self.dateline or "", *(line.text[:160] for line in self.lines[:_BELOW])):
            yield from (day.date for day in mentions(text) if day.date)

    def read_headers(self) -> None:
        """Takes the headers of mails and wires, notes above forwarded mails, and marks of quotes."""
        if self.opening.startswith(">"):
            self.unquote()
        lines, self.lines = self.lines, []
        name = lines[0].text.partition(":")[0] + ":" if lines else ""
        starts = (n for n, x in enumerate(lines) if x.text.startswith(name))
        items = {n for n in starts if lines[n].after_gap or not n}
        said: list[tuple[str, str]] = []
        position = above = 0
        while position < len(lines):
            several = len(items) > 1 and position in items
            end, fields = _header(lines, position, 0 if several else above)
            near = [*(line.text for line in self.lines[-2:]), dict(said).get("title", "")]
            forwarded = any(map(_FORWARDED.match, near))
            # Copy may quote a mail; one that was sent on has a mark above it, or addresses.
            addressed = forwarded or any("@" in value for _, value in fields)
            mail = any(name == "mail" for name, _ in fields)
            if not fields or (mail and above > (_NOTE if said else 0) and not addressed):
                self.lines.append(lines[position])
                above += len(lines[position].text)
                position += 1
                continue
            if said and forwarded and above <= _NOTE:
                self.take([one for one in self.lines if not self.hold([one])], CutKind.HEADER)
                self.lines, above, said = [], 0, fields
            elif not said and (mail or not several):
                above, said = 0, fields
            elif not forwarded:
                # Another mail or item of the same document, or the first of several.
                self.lines += _as_item(lines[position], fields)
            self.take(lines[position:end], CutKind.HEADER)
            position = end
        self.unquote()
        cuts = len(self.taken)
        for name, value in said:
            line = Line(lines[0].number, value, False)
            self.mailed = self.mailed or name == "mail"
            if name == "title" and (bare := _ANSWER.sub("", value)):
                self.title = self.read_labels(replace(line, text=bare))
            elif name == "date" or (name == "dateline" and not self.dateline):
                self.dateline = value
            elif name == "urgency":
                self.read_labels(replace(line, text=value.upper()))
            elif name == "embargo":
                self.hold([replace(line, text=f"Embargo: {value}")])
            elif name == "text" and value:
                self.lines.insert(0, line)
            elif name not in ("title", "mail", "wire", "other"):
                self.give([(name, _BY.sub("", value))])
        # What was cut of a value is in the header that was cut.
        del self.taken[cuts:]

    def unquote(self) -> None:
        """Takes the marks off quoted lines, or the quote itself if it is a mail that was answered."""
        quoted = [line for line in self.lines if line.text.startswith(">")]
        if len(quoted) < 2 and not (quoted and self.taken):
            return
        others = [line for line in self.lines if not line.text.startswith(">")]
        wrote = [x for x in self.lines if _WROTE.fullmatch(x.text.lstrip("> ")[:_LONGEST])]
        if wrote and sum(len(x.text) for x in others) > sum(len(x.text) for x in quoted):
            self.lines = [line for line in others if line not in wrote[:_ABOVE]]
            self.take([*quoted, *(x for x in others if x in wrote[:_ABOVE])], CutKind.HEADER)
            return
        unquoted = [_with(line, re.sub(r"^>[> ]*", "", line.text)) for line in self.lines]
        gaps = [False, *(not line.text for line in unquoted)]
        self.lines = [
            replace(line, after_gap=line.after_gap or gap)
            for line, gap in zip(unquoted, gaps, strict=False)
            if line.text
        ]

    def cover_note(self) -> int:
        """How many of the first lines are a note to the desk, from "Dear …" to who signed it."""
        lines, end = self.lines, 0
        if lines and any(kind.form.fullmatch(lines[0].text) for kind in _IN_MAILS):
            closed = [
                x for x in lines[1:_ABOVE] if any(k.form.fullmatch(x.text) for k in _CLOSINGS)
            ]
            after = lines.index(closed[0]) + 1 if closed else len(lines)
            end = next((n for n in range(after, len(lines)) if lines[n].after_gap), 0)
        brief = sum(len(x.text) for x in lines[:end]) <= _NOTE
        return self.take(lines[:end], CutKind.HEADER) if brief else 0

    def read_above(self) -> None:
        """Takes labels, letterheads and contacts above the copy, marks before its title, furniture."""
        self.lines = self.lines[self.cover_note() :]
        lines, kept = self.lines, list[Line]()
        position = head = 0
        kinds = [*_ASIDES, *(_IN_MAILS if self.mailed else ())]
        while position < min(len(lines), _BELOW) and len(kept) < _ABOVE:
            self.lines = lines[position : position + _BELOW]
            rows = self.hold(self.lines)
            rows = rows or self.take(contact_above(self.lines), CutKind.CONTACT)
            position += rows or 1
            if rows:
                continue
            noted = _NOTES if kept or self.title else ()
            if len(lines) > 1 and self.take_whole(self.lines[0], [*kinds, *noted]):
                continue
            if left := self.read_labels(self.lines[0]):
                kept.append(left)
                if _STREET.search(left.text) and not ends_sentence(left.text):
                    head = len(kept)
                long = len(left.text) > _SHORT and not _is_letterhead(left.text)
                if is_prose(left.text) and (long or ends_sentence(left.text)):
                    break
            else:
                head = len(kept)
        if self.title or any(is_title(x.text) and not as_dateline(x.text) for x in kept[head:]):
            above = [line for line in kept[:head] if not as_dateline(line.text)]
            letterhead = [line for line in above if _is_letterhead(line.text)]
            self.take(letterhead, CutKind.HEADER)
            kept = [line for line in kept if line not in letterhead]
        lines = kept + lines[position:]
        # The first line may be a title: "Photo: how the bridge was built".
        first = 1 if len(lines) < 2 or is_prose(lines[1].text) else 0
        self.lines = lines[:first] + [x for x in lines[first:] if not self.take_whole(x, _ANYWHERE)]

    def read_labels(self, line: Line) -> Line | None:
        """The line without the labels before it; None if it is nothing else."""
        line = self.hold_parts(line)
        text, end = line.text, 0
        kinds, said = list[_Kind](), dict[str, str | None]()
        while match := next((m for kind in _LABELS if (m := kind.form.match(text, end))), None):
            kinds += [kind for kind in _LABELS if kind.form is match.re]
            said |= {name: value for name, value in match.groupdict().items() if value}
            end = match.end()
        kills = any(name.startswith("kill") for name in said)
        if not kinds or (kills and not self._is_notice(text)):
            return line
        rest = re.search(r"[^\W_]", text[end:]) is not None
        delimiter = _DELIMITER.match(text, end)
        dated = _DATED.fullmatch(text, end)
        if rest and dated and as_dateline(dated[1]):
            if not all("dated" in kind.at for kind in kinds):
                return line
            said["dateline"], rest = dated[1], False
        if kills:
            self.kill.append(text)
            said = {}
            delimiter = None if is_prose(text) else delimiter
            rest = rest or is_prose(text)
        elif rest and not (delimiter and all("prefix" in kind.at for kind in kinds)):
            return line
        self.give(said.items())
        if rest and not delimiter:
            return line
        end = delimiter.end() if rest and delimiter else len(text)
        self.take([replace(line, text=text[:end].rstrip())], kinds[0].cut)
        return _with(line, text[end:]) if rest else None

    def _is_notice(self, text: str) -> bool:
        """Whether a word such as "RECALL" speaks of copy: its line or the next ones say so."""
        below = [line.text for line in self.lines[:_ABOVE] if line.text != text] or [self.opening]
        return below == [text] or _SUPPORT.search("\n".join([text, *below])[:2_000]) is not None

    def read_below(self) -> None:
        """Takes what is below the copy: end marks, contacts, notes, who sent it, who signed it."""
        # An embargo in the middle is that of an item: the whole document waits.
        position = 0
        while position < len(self.lines):
            near = self.lines[position : position + 3]
            rows = self.hold(near) if is_mark(near, self.zone, self.days) else 0
            del self.lines[position : position + rows]
            position += 0 if rows else 1
        for _ in range(_ABOVE):
            length = len(self.lines)
            if self.lines and (tail := _TAIL.search(self.lines[-1].text)):
                self.take([replace(self.lines[-1], text=tail[0].strip())], CutKind.LABEL)
                self.lines[-1] = _with(self.lines[-1], self.lines[-1].text[: tail.start()])
            while self.lines and self.take_whole(self.lines[-1], [*_LAST, *_ASIDES, *_NOTES]):
                self.lines.pop()
            for position in range(max(0, len(self.lines) - 3), len(self.lines)):
                rows = self.hold(self.lines[position:])
                del self.lines[position : position + rows]
            self.lines, contact = split_contact(self.lines)
            self.take(contact, CutKind.CONTACT)
            self.take_rest(_RESTS)
            self.read_footer()
            if len(self.lines) == length:
                break
        self._read_signature()

    def read_footer(self) -> None:
        """Takes what lists and mail programs put below a mail, in one language or in two."""
        for _ in range(3 if self.mailed else 0):
            self.take_rest(_FOOTERS)

    def take_rest(self, kinds: Iterable[_Kind]) -> None:
        """Takes the first block near the end that one of these kinds opens."""
        for position in range(max(1, len(self.lines) - _BELOW), len(self.lines)):
            if kind := self._opens_rest(position, kinds):
                self.take(self.lines[position : position + 1], kind.cut)
                self.take(self.lines[position + 1 :], CutKind.BOILERPLATE)
                del self.lines[position:]
                break

    def finish(self) -> None:
        """The title of a header only once; what a kill names; the cuts of a kind together."""
        headline = self.lines[0].text if self.lines else "."
        # A subject may say more than the headline, "(KNA) Bridge opens", or nothing: "Our story".
        says = self.mailed and headline.count(" ") > 1 and not ends_sentence(headline)
        says = says and not leading_dateline(headline) and len(self.lines) > 1
        says = says and self.lines[1].after_gap and is_prose(self.lines[1].text)
        says = says or (self.title is not None and fold(headline) in fold(self.title.text))
        if self.title and says and is_title(headline) and not self.kill:
            self.title = self.lines.pop(0)
        names = _NAMED.search(headline) if len(self.lines) == 1 else None
        if names and self.correction is not None and not self.title:
            self.title = replace(self.lines[0], text=names[1], html="")
        if words := "\n".join(self.kill):
            copy = "\n".join(line.text for line in self.lines[:_ABOVE])
            quoted = [match[1] for text in (words, copy) if (match := _QUOTED.search(text))]
            titles = [
                line.text.strip('"“”«»„')
                for line in (self.title, *self.lines[:_ABOVE])
                if line and is_title(line.text) and line.text not in self.kill
            ]
            named = [one for one in titles if one in words]
            titles = [*named, *quoted, *(one for one in titles if not ends_sentence(one))]
            number = _NUMBER.search(f"{words}\n{copy}")
            title = next(iter(titles), None)
            self.kills = Kill(words, title, number["number"] if number else None)
            self.lines = self.lines or [Line(self.taken[0][0], words, False)]
        texts: dict[CutKind, list[str]] = {}
        for _, kind, text in sorted(self.taken, key=lambda cut: cut[0]):
            texts.setdefault(kind, []).append(text)
        self.cuts = tuple(Cut(kind, "\n".join(cut)) for kind, cut in texts.items())

    def _opens_rest(self, position: int, kinds: Iterable[_Kind]) -> _Kind | None:
        """The kind of block that begins there and goes to the end, if no line of it may be copy."""
        head, _, inline = self.lines[position].text.partition(":")
        whole = (kind for kind in kinds if kind.form.fullmatch(head[:_LONGEST]))
        block = self.lines[position + 1 :]
        inline = "" if _WEB.search(inline) else inline.strip()
        below = [text for text in (inline, *(line.text for line in block)) if text]
        if (kind := next(whole, None)) is None or (not below and "about" in kind.below):
            return None
        cyrillic = bool(_CYRILLIC.search(self.lines[position - 1].text))
        items = any(
            a.after_gap and is_title(a.text) and ends_sentence(b.text) for a, b in pairwise(block)
        )
        refused = ("apart" in kind.below and items) or any(
            leading_dateline(text)
            or (bool(_CYRILLIC.search(text)) is not cyrillic and is_prose(text))
            or ("short" in kind.below and (len(text) > _SHORT or is_prose(text)))
            or ("about" in kind.below and (_REFUSES.search(text) or mentions(text)))
            for text in below
        )
        return None if refused else kind

    def _read_signature(self) -> None:
        """A name with its place or office in the last line or two is the byline."""
        for rows in (2, 1):
            last = self.lines[-rows:]
            signed = ", ".join(x.text.strip(" ,.()") for x in last)
            name, _, role = _IN.sub(", ", signed).partition(", ")
            ended = len(self.lines) > rows + 1 and ends_sentence(self.lines[-rows - 1].text)
            if not ended or len(role) > _SHORT or not _ROLE.fullmatch(role):
                continue
            small = frozenset(word for x in self.lines for word in _SMALL_WORD.findall(x.text))
            if person := as_byline(_BY.sub("", name), small, bare=True):
                self.give([("byline", person)])
                self.take(last, CutKind.BOILERPLATE)
                del self.lines[-rows:]


def _with(line: Line, text: str) -> Line:
    return line if text == line.text else replace(line, text=text, html="")


def _as_item(line: Line, fields: Iterable[tuple[str, str]]) -> list[Line]:
    """A title, an embargo, a day and copy in place of the header of an item."""
    said = {name: value for name, value in fields if value}
    said["embargo"] = f"Embargo: {said['embargo']}" if "embargo" in said else ""
    given = [
        one for one in ("title", "embargo", "date", "text") if said.get(one) and "title" in said
    ]
    return [
        Line(line.number + n, said[one], one in ("title", "text"), "title" * (one == "title"))
        for n, one in enumerate(given)
    ]


def _is_letterhead(text: str) -> bool:
    """A line of names: of an organisation, its office, its street."""
    parts = re.findall(r"[^\W_]+", text)
    named = sum(1 for word in parts if not word[0].islower() or fold(word) in _LETTERHEAD)
    return _WEB.search(text) is not None or (
        len(parts) <= min(12, 2 * named) and not ends_sentence(text)
    )


def _header(lines: Sequence[Line], start: int, above: int) -> tuple[int, list[tuple[str, str]]]:
    """The end of the header that begins at `start`, and its fields; `start` itself if none does."""
    end, fields, folded = start, list[tuple[str, str]](), list[str]()
    for position in range(start, min(len(lines), start + _BELOW)):
        text = lines[position].text
        match = _HEADER.match(text) if ":" in text[:36] else None
        if match and (name := _FIELD_OF.get(match[1].casefold())):
            if lines[position].after_gap and name in dict(fields):
                break
            _unfold(fields, folded)
            fields.append((name, (match[2] or "").strip()))
            end = position + 1
        elif not fields or lines[position].after_gap or len(folded) == 2:
            break
        else:
            # A field that we do not know is no part of the one above it.
            folded.append("" if match else text)
    names = {name for name, _ in fields}
    mail = "mail" in names and ("title" in names or any("@" in value for _, value in fields))
    wire = above <= _NOTE and names & {"slug", "urgency", "wire"}
    if not (len(fields) > 1 and (mail or wire)) and (above or not names & {"slug", "title"}):
        return start, []
    # A subject that the mail program has folded may be the last field.
    if len(folded) == 1 and len(lines[end - 1].text) > _FOLDED:
        _unfold(fields, folded)
        end += 1
    return end, [("number" if name == "slug" else name, value) for name, value in fields]


def _unfold(fields: list[tuple[str, str]], folded: list[str]) -> None:
    if folded:
        fields[-1] = (fields[-1][0], " ".join([fields[-1][1], *folded]).strip())
        folded.clear()
