"""The press contact, found anywhere in the copy, is never published."""

import re
from collections.abc import Sequence

from digest.language.text import either, word_lists
from digest.sources.lines import Line

_LISTS = word_lists("sources/copy.toml")["contact"]

_MAIL = re.compile(
    r"[^\s@<>()\[\]]{1,64}\s?(?:@|\[\s?at\s?\]|\(\s?at\s?\)|\[\s?собака\s?\])", re.IGNORECASE
)

_PHONE = re.compile(
    r"(?<![\w+])\+\s?\(?\d(?:[\s().–-]{0,2}\d){7,14}(?!\d)"
    r"|(?<![^\W_])"
    + either(_LISTS["phone"])
    + r"\.?\s?[:.]?\s?\(?\+?\s?\(?\d(?:[\s().–-]{0,2}\d){4,14}",
    re.IGNORECASE,
)

_LABELLED = re.compile(rf"{either(_LISTS['labels'])}\s?[.:]", re.IGNORECASE)
_REACH = rf"{either(_LISTS['reach'])}(?![^\W_])"
_REACH_RU = either(_LISTS["reach_ru"])

_OPENING = re.compile(
    r"(?<![^\W_])(?:"
    r"(?:for|to obtain|to get|to receive|to request|to arrange)\s(?:[\w/,&-]{1,20}\s){0,6}"
    rf"{either(_LISTS['topics'])}"
    rf"(?:[^.]{{0,100}}?{_REACH}|[^.]{{0,60}}:\s*$)"
    r"|(?:media|press)(?:\s(?:and|&|/)\s?\w{1,20})?\s(?:contacts?|enquiries|inquiries|queries)(?:\s?[:–-]|\s*$)"
    r"|(?:media|press)\s(?:office|officer|service)\s?:"
    r"|contacts?(?:\s(?:information|details|persons?|us|for\s(?:the\s)?(?:media|press|journalists)))?\s?(?::|$)"
    r"|please\s(?:do not hesitate to\s)?(?:contact|e-?mail|call|write to)(?![^\W_])"
    r"|контакт(?:ы|ная информация|ные данные|ное лицо|ные лица)?"
    r"(?:\s(?:для\s[^:.]{1,40}|пресс-службы[^:.]{0,30}))?\s?(?::|$)"
    rf"|(?:за|для)\s(?:[\w-]{{1,20}}\s){{0,5}}{either(_LISTS['topics_ru'])}\w{{0,5}}"
    rf"(?:[^.]{{0,100}}?{_REACH_RU}|[^.]{{0,60}}:\s*$)"
    rf"|по\s(?:[\w-]{{1,20}}\s){{0,4}}вопрос\w{{0,3}}(?:[^.]{{0,100}}?{_REACH_RU}|[^.]{{0,60}}:\s*$)"
    r"|(?:дополнительн|подробн)\w{2,3}\sинформаци\w(?:[^.]{0,60}:\s*$)"
    rf"|(?:просьба|просим)\s(?:[\w-]{{1,20}}\s){{0,3}}{_REACH_RU}"
    r"|(?:пресс-служба|пресс-центр|пресс-секретарь)\s?(?::|$)"
    r"|(?:habarlaşmak|goşmaça maglumat|jikme-jik maglumat|maglumat almak)\s[^.]{0,80}"
    r")",
    re.IGNORECASE,
)

_PERSON = re.compile(
    r"\w{0,6}[\s:,]{0,3}(?:(?:the|our|к|с|со|по)\s)?(?:(?:г-н[уа]|г-же|Mr|Ms|Mrs|Dr)(?![^\W_])|[A-ZА-ЯЁ][a-zа-яё]{1,20}\s[A-ZА-ЯЁ])"
)

_SHORT = 160  # characters of a line in a contact
_SIGNATURE = 120  # characters of a line in a signature
_NAMES_ABOVE = 4
_AHEAD = 8
_SENTENCE_START = re.compile(r"(?<=[.!?…])\s+")


def split_contact(lines: Sequence[Line]) -> tuple[list[Line], str | None]:
    """The copy without its press contact, and the complete contact, its lines joined by "\\n".

    A block begins with opening words, or is a run of short lines at the end with an address or a
    telephone number. In a paragraph the contact begins with the sentence of the opening words.
    """
    copy: list[Line] = []
    contact: list[str] = []
    position = 0
    while position < len(lines):
        end = _block_end(lines, position)
        if end > position:
            contact += [line.text for line in lines[position:end]]
        else:
            end = position + 1
            news, moved = _split_paragraph(lines[position].text)
            if news:
                copy.append(Line(lines[position].number, news, lines[position].after_gap))
            contact += moved
        position = end
    start = _signature_start(copy)
    contact = [line.text for line in copy[start:]] + contact
    return copy[:start], "\n".join(contact) or None


def _block_end(lines: Sequence[Line], start: int) -> int:
    """The end of the block that begins at `start`; `start` itself if none does."""
    first = lines[start].text
    if len(first) > _SHORT or _OPENING.match(first.lstrip("*-–—•# ")) is None:
        return start
    following = lines[start + 1 : start + _AHEAD]
    finished = first.rstrip().endswith((".", "!", "?")) or (start == 0 and len(lines) == 1)
    if finished and not any(_is_reach(line.text) for line in (lines[start], *following)):
        return start
    one_line = first.rstrip().endswith((".", "!", "?")) and _is_reach(first)
    for position in range(start + 1, len(lines)):
        text = lines[position].text
        is_copy = len(text) > _SHORT or (text.endswith(".") and text.count(" ") >= 9)
        if not _is_reach(text) and (one_line or is_copy or text.startswith("//")):
            return position
    return len(lines)


def _is_reach(text: str) -> bool:
    """A line with a mail address, a telephone number, or a label such as "Tel.:"."""
    return len(text) <= 2 * _SHORT and bool(
        _MAIL.search(text) or _PHONE.search(text) or _LABELLED.match(text)
    )


def _split_paragraph(text: str) -> tuple[str, list[str]]:
    reaches = [match.end() for kind in (_MAIL, _PHONE) for match in kind.finditer(text)]
    last_reach = max(reaches, default=0)
    for opening in _OPENING.finditer(text):
        # "please contact Ms. Name, Officer": a person follows the verb, not a web page.
        near_end = len(text) - opening.end() <= 2 * _SHORT
        names_someone = near_end and _PERSON.match(text, opening.end())
        if last_reach <= opening.start() and not names_someone:
            continue
        start = 0
        for sentence in _SENTENCE_START.finditer(text, 0, opening.start() + 1):
            start = sentence.end()
        return text[:start].rstrip(), [text[start:]]
    return text, []


def _signature_start(copy: Sequence[Line]) -> int:
    """The start of the short lines at the end with an address or a number; len(copy) if none."""
    position = marked = len(copy)
    while position > 1 and len(copy[position - 1].text) <= _SIGNATURE:
        position -= 1
        if _is_reach(copy[position].text):
            marked = position
        elif copy[position].text.endswith((".", "!", "?", "…", "]")):
            break
    if marked == len(copy):
        return marked
    start = marked
    while start > 1 and marked - start < _NAMES_ABOVE:
        above = copy[start - 1].text
        if len(above) > 90 or above[-1] in ".!?…:;]" or above.count(" ") >= 12:
            break  # neither a name nor an office
        start -= 1
    return start
