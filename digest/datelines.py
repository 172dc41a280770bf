"""Where and when copy says it was written: "ASHGABAT, 22 November 2026.", "Ашхабад, 22 ноября, ТДХ –".

A dateline stands before the first sentence and is none itself; it tells nothing of the event. It is
known by its form alone: a day with a place or an agency beside it, then a dash, a full stop or the
end of the line. Each pattern is bounded, so that a text of any length costs the same.
"""

import re

from digest.days import Mention, mentions
from digest.wordlists import either, word_lists

_LISTS = word_lists("languages.toml")
CAPITAL = "A-ZА-ЯЁÄÇŇÖŞÜÝŽ"
STARTERS = either(word for words in _LISTS["starters"].values() for word in words)
"""Words with a capital that start a sentence and no name."""
WEEKDAY = f"(?i:{either(day for days in _LISTS['weekdays'].values() for day in days)})"

_WORD = rf"[{CAPITAL}](?:\.[{CAPITAL}]\.|[\w’'-]{{1,30}})"
PLACE = rf"(?:г\.\s?|St\.\s)?{_WORD}(?:[\s/-]\(?{_WORD}\)?){{0,3}}(?:,\s{_WORD})?"

_SPAN = 160
"""Characters within which a dateline ends."""

_AGENCY = r"(?:\s?\([^()\n]{1,40}\)|\s?/[^/\n]{1,40}/)"
_BEFORE_DAY = re.compile(
    rf"(?:{PLACE}{_AGENCY}?[,.]\s|[{CAPITAL}]{{4,30}}{_AGENCY}?\s)?(?:{WEEKDAY},?\s)?"
)
_OPENS = re.compile(
    rf"(?:{_BEFORE_DAY.pattern})(?:\d|(?i:{either(name[:3] for name in _LISTS['months']['en'])})[A-Za-z]{{0,6}}\.?\s\d)"
)
"""What must be so where a day follows: to look for days takes longer than this."""
_DASH = r"\.?\s{0,2}[-–—]{1,2}\s"
_STOP = r"[.:]\s|\.?\s?\n"
_AFTER_DAY = re.compile(
    rf"(?P<place>,\s(?:in\s)?{PLACE}|\.\s[{CAPITAL}]{{3,20}}(?={_DASH})"
    rf"|\s(?:in\s)?{PLACE}(?={_DASH}|{_AGENCY}))?"
    rf"(?P<agency>[.,]?{_AGENCY})?(?:(?P<dash>{_DASH})|{_STOP})"
)
# Without a day a place of one or two words alone: no "The Container Control Programme (CCP) –".
_UNDATED = re.compile(
    rf"(?!{STARTERS}\s)[{CAPITAL}](?:[{CAPITAL}’'-]{{1,30}}(?:\s[{CAPITAL}]{{2,30}})?"
    rf"|[a-zа-яёäçňöşüýž’'-]{{1,30}}(?:[\s-][{CAPITAL}][a-zа-яёäçňöşüýž’'-]{{1,30}})?)"
    rf"(?:,\s{_WORD})?,?\s?\([^()\n]{{2,30}}\)(?={_DASH})"
)
_RUN_IN = re.compile(rf"(?:\s?г\.)?\s{STARTERS}\s")
_CARRIED_BY = re.compile(
    r"[\s.:–—-]*(?:(?:РИА\sНовости|(?:ИТАР-)?ТАСС|(?i:интерфакс|sputnik)|ТДХ|TDH)[.,]\s)?[\s–—-]*"
)


def leading_dateline(text: str) -> str | None:
    """The dateline with which the copy begins, as it stands there without its dash, or None.

    "18 September, Ashgabat –", "ASHGABAT, 3 April (nCa) —", "АШХАБАД, 3 апреля. /ТАСС/."
    """
    head = text[:_SPAN]
    day = next(iter(mentions(head)), None) if _OPENS.match(head) else None
    if day is None or not _BEFORE_DAY.fullmatch(head, 0, day.start):
        undated = _UNDATED.match(head)
        return undated.group() if undated else None
    end = _end(head, day)
    return head[:end].rstrip(" ,.:\n") if end else None


def dateline_end(text: str) -> int:
    """Where the copy's own first word stands; 0 where no dateline is before it, or nothing after."""
    found = leading_dateline(text)
    if found is None:
        return 0
    carried = _CARRIED_BY.match(text, len(found))
    end = carried.end() if carried else len(found)
    return end if end < len(text) else 0


def _end(head: str, day: Mention) -> int:
    """Where the dateline around that day ends, before its dash or stop; 0 where it is a sentence's."""
    after = _AFTER_DAY.match(head, day.end)
    if after is None and day.start and head[day.end - 1] == ".":
        after = _AFTER_DAY.match(head, day.end - 1)  # the stop of "22 Nov." is the dateline's too
    if after is None:
        run_in = day.year is not None and 0 < head.count(" ", 0, day.start) <= 3
        return day.end if run_in and _RUN_IN.match(head, day.end) else 0
    if day.start or after["place"] or after["agency"] or day.year is not None or not after["dash"]:
        return after.start("dash") if after["dash"] else after.end()
    return 0
