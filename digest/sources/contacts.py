"""Press contacts above and below the copy, which are never published."""

import re
from collections.abc import Sequence
from dataclasses import replace

from digest.language.text import either, sentence_spans, word_lists
from digest.sources.lines import Line, as_byline, as_dateline, ends_sentence

_LISTS = word_lists("sources/copy.toml")["contact"]
_MAIL = re.compile(either(_LISTS["mail"]), re.IGNORECASE)
# What the patterns of numbers and of opening words name in capitals is a list, too.
_PHONE = re.compile(
    either(_LISTS["numbers"]).replace("PHONE", either(_LISTS["phone"])), re.IGNORECASE
)
_LABELLED = re.compile(rf"{either(_LISTS['labels'])}\s?[.:]", re.IGNORECASE)
_OPENING = re.compile(
    rf"(?<![^\W_]){either(_LISTS['opening'])}".replace("TOPICS_RU", either(_LISTS["topics_ru"]))
    .replace("REACH_RU", either(_LISTS["reach_ru"]))
    .replace("TOPICS", either(_LISTS["topics"]))
    .replace("REACH", rf"{either(_LISTS['reach'])}(?![^\W_])"),
    re.IGNORECASE,
)
_PERSON = re.compile(either(_LISTS["person"]))
_OFFICE = re.compile(rf"(?<![^\W_]){either(_LISTS['offices'])}", re.IGNORECASE)
_ADDRESS = re.compile(rf"(?:{_MAIL.pattern})\s?\S{{0,80}}|{_PHONE.pattern}", re.IGNORECASE)
_READERS = re.compile(rf"(?<![^\W_]){either(_LISTS['readers'])}(?![^\W_])", re.IGNORECASE)
_PRESS = re.compile(rf"(?<![^\W_]){either(_LISTS['press'])}(?![^\W_])", re.IGNORECASE)
_PARTED = re.compile(r"[.!?…,\"”»]$|^\W*$")
_SHORT = 160
"""Characters of a line in a contact."""
_NAMES = 5
"""Lines without an address or a number that follow each other in a contact."""
_END, _LAST = 24, 3
"""Lines at the end of copy where a contact may be; where it may be a sentence of a paragraph."""


def contact_above(lines: Sequence[Line]) -> Sequence[Line]:
    """Those of the first lines, above the copy, that are a press contact."""
    return lines[: _block_end(lines, 0, above=True)]


def split_contact(lines: Sequence[Line]) -> tuple[list[Line], list[Line]]:
    """The copy without the press contact at its end, and the contact, as lines and sentences.

    A block begins with opening words, or has a name or an office above an address or a number.
    """
    start = max(0, len(lines) - _END)
    copy, contact = list(lines[:start]), list[Line]()
    while start < len(lines):
        end = _block_end(lines, start, above=False)
        if end > start and not lines[start].after_gap and _is_signed(copy[-2:]):
            contact.append(copy.pop())
        contact += lines[start:end]
        copy += lines[end : end + 1] if end == start else ()
        start = end + (end == start)
    signature = _signature_start(copy)
    contact += copy[signature:]
    last = copy[max(0, signature - _LAST) : signature]
    del copy[max(0, signature - _LAST) :]
    for line in last:
        news, moved = _split_paragraph(line.text)
        copy += [line if news == line.text else replace(line, text=news, html="")] if news else []
        contact += [replace(line, text=moved)] if moved else []
    return copy, contact


def _block_end(lines: Sequence[Line], start: int, *, above: bool) -> int:
    """The end of the block that begins at `start`; `start` itself if none does.

    It ends with its last address or number: a headline below a contact is none of it.
    """
    first = lines[start].text
    opening = _OPENING.match(first.lstrip("*-–—•# ")) if len(first) <= _SHORT else None
    if opening is None or _for_readers(first):
        return start
    reached = _is_reach(first, sentences=True)
    follows = start + 1 < len(lines) and _is_reach(lines[start + 1].text)
    # A sentence is a contact by itself only at the very end, where paragraphs are split.
    if ends_sentence(first) and not follows and not (above and reached):
        return start
    names_someone = above and _PERSON.match(first, opening.end()) is not None
    end = start + 1 if reached or names_someone else start
    names = 0
    for position in range(start + 1, min(len(lines), start + _END)):
        line = lines[position]
        if _is_reach(line.text):
            reached, names, end = True, 0, position + 1
        elif names == _NAMES or not _may_name(line.text) or (above and reached and line.after_gap):
            return end
        else:
            names += 1
    return end if above else len(lines)


def _for_readers(text: str) -> bool:
    """Whether whoever reads the news is to call or write, not the press."""
    return _READERS.search(text) is not None and not _PRESS.search(text)


def _is_signed(last: Sequence[Line]) -> bool:
    """Whether the last of two lines is a name by itself; in a list it has no gap above it."""
    return (
        len(last) > 1
        and as_byline(last[1].text.strip(" ,;:()–—-<>"), (), bare=True) is not None
        and (last[1].after_gap or _PARTED.search(last[0].text) is not None)
    )


def _is_reach(text: str, *, sentences: bool = False) -> bool:
    """A line with a mail address, a telephone number, or a label such as "Tel.:"."""
    if len(text) > 2 * _SHORT or (not sentences and ends_sentence(text) and text.count(" ") > 5):
        return False
    return bool(_MAIL.search(text) or _PHONE.search(text) or _LABELLED.match(text))


def _may_name(text: str) -> bool:
    """Short and neither a sentence nor a day: it may be a name, an office or a street."""
    return len(text) <= _SHORT / 2 and not ends_sentence(text) and not as_dateline(text)


def _split_paragraph(text: str) -> tuple[str, str]:
    """The text without its sentences that say whom to contact, and these."""
    spans = sentence_spans(text) if _OPENING.search(text) else []
    reach = [_ADDRESS.search(text, start, end) is not None for start, end in spans]
    for number, (start, end) in enumerate(spans):
        opening = _OPENING.search(text, start, end)
        opening = None if _for_readers(text[start:end]) else opening
        # "please contact Ms. Name, Officer": a person follows the verb, not a web page.
        if opening and (any(reach[number : number + 2]) or _PERSON.match(text, opening.end())):
            last = number
            while last + 1 < len(spans) and reach[last + 1]:
                last += 1
            rest = (text[:start].rstrip(), text[spans[last][1] :].lstrip())
            return " ".join(part for part in rest if part), text[start : spans[last][1]]
    return text, ""


def _signature_start(copy: Sequence[Line]) -> int:
    """Where names with an address or a number at the end begin; len(copy) if there are none.

    Below a line such as "Residents can call:" or numbers of something else they are copy.
    """
    start = position = len(copy)
    while position > 1 and len(copy) - position < _END:
        position -= 1
        text = copy[position].text
        bare = _ADDRESS.sub("", text).strip(" ,;:()–—-<>")
        named = not bare or _OFFICE.search(bare) or _LABELLED.match(text)
        person = as_byline(bare, (), bare=True)
        if _is_reach(text) and (named or person):
            start = position
        elif not _may_name(text) or text.endswith(":") or start - position > _NAMES:
            break
        elif start < len(copy) and named:
            start = position
        elif start < len(copy) and _is_signed(copy[position - 1 : position + 1]):
            return position
    above = copy[start - 1].text if start else ""
    press = any(_PRESS.search(line.text) for line in copy[start:])
    for_all = above.endswith(":") or _is_reach(above) or _for_readers(above)
    return len(copy) if for_all and not press else start
