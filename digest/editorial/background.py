"""Days that copy names without being of them: background, recurring days, plans and deadlines."""

import re

from digest.datelines import WEEKDAY
from digest.days import Mention
from digest.wordlists import either, word_lists

_REACH = 90
"""Characters on either side of a day in which the words that belong to it are looked for."""

_OLDEST = 1995
"""No wire copy is older; an older year is history."""

_END = r"(?![^\W_])"
_LISTS = word_lists("editorial/dates.toml")
_BEFORE = either(word for words in _LISTS["before"].values() for word in words)
_JUST_BEFORE = re.compile(
    rf"(?<![^\W_]){_BEFORE}(?:\s(?:the|on|{WEEKDAY}),?)?\s{{0,2}}$", re.IGNORECASE
)
_PARTICIPLE = re.compile(
    rf"(?<![^\W_]){either(_LISTS['decided']['things'])}"
    rf"(?:\s[^,;.]{{1,50}}?)?,?\s{either((*_LISTS['decided']['how'], 'agreed'))}"
    r"(?:\s(?:by|in|at|during)\s[^,;.]{1,60}?)?,?\s(?:on|of)\s(?:the\s|\w{3,6}day,?\s)?$",
    re.IGNORECASE,
)
_PASSIVE = re.compile(
    r"(?<![^\W_])(?:was|were|is|are|been|being)\s(?:\w{1,15}ly\s)?\w{3,14}(?:ed|t|n)\s[^,;.]{0,70}$"
)
_RELATIVE = re.compile(
    r"(?<![^\W_])(?:which|that|who)\s(?:(?:was|were|had been|has been)\s)?(?:\w{1,15}ly\s)?"
    rf"{either((*_LISTS['decided']['how'], 'entered into force'))}(?:\s[^,;.]{{1,60}})?\son\s$",
    re.IGNORECASE,
)
_PARTICIPLE_RU = re.compile(
    rf"(?<![^\W_]){either(_LISTS['decided']['how_ru'])}\w{{2,3}}(?:\s[^,;.]{{1,60}}?)?\s(?:с\s)?$",
    re.IGNORECASE,
)
_RELATIVE_RU = re.compile(
    r"(?<![^\W_])котор\w{2,3}\s(?:был\w?\s)?(?:принят|утвержд|подписан|учрежд|создан|вступил|введен|введён)"
    r"[^,;.]{0,60}$",
    re.IGNORECASE,
)
_NUMBERED = re.compile(
    r"(?:№\s?[\w/-]{1,15}|(?<![^\W_])no\.?\s?\d[\w/-]{0,12}|(?<![^\W_])resolution\s[\w/-]{1,15}|резолюци\w\s[\w/-]{1,15})"
    r"\s(?:of|от|dated)\s$",
    re.IGNORECASE,
)
_EVERY_YEAR = re.compile(
    r"(?<![^\W_])(?:every|each)\s(?:single\s)?year|(?<![^\W_])annually"
    + _END
    + r"|(?<![^\W_])(?:ежегодно|каждый год|каждого года)|her ýyl",
    re.IGNORECASE,
)
_OBSERVED = re.compile(
    r"(?<![^\W_])(?:is|are)\s(?:\w{1,15}ly\s)?(?:marked|celebrated|observed|commemorated|held)"
    + _END
    + r"|(?<![^\W_])(?:отмечает(?:ся)?|отмечают(?:ся)?|празднует(?:ся)?|празднуют(?:ся)?|bellenilýär)"
    + _END,
    re.IGNORECASE,
)
_INTERNATIONAL_DAY = re.compile(
    r"(?:\bday|\bдня|\bдень|\bдню|\bднём|\bднем)(?:\s[^,;.()]{0,80}?)?,?\s?(?:on|[(–—-]|—)?\s?$",
    re.IGNORECASE,
)
_WILL = re.compile(rf"(?<![^\W_]){either(_LISTS['verbs']['ahead'])}{_END}", re.IGNORECASE)
_PAST = re.compile(rf"(?<![^\W_]){either(_LISTS['verbs']['past'])}{_END}", re.IGNORECASE)
_BE_DONE = re.compile(r"(?<![^\W_])be\s\w{3,15}", re.IGNORECASE)
_CLAUSE = re.compile(r"[;:]|,\s(?:and|but|а|но|и)\s")


def is_background(sentence: str, mention: Mention) -> bool:
    """Whether the day is not that of the news: its sentence says that it is history, recurs or is ahead."""
    before = sentence[max(0, mention.start - _REACH) : mention.start]
    after = sentence[mention.end : mention.end + _REACH]
    if mention.year is not None and mention.year < _OLDEST:
        return True
    if _JUST_BEFORE.search(before) or _NUMBERED.search(before):
        return not _opens_span(before)
    return (
        _is_decided(before)
        or _recurs(sentence, mention)
        or _is_ahead(before, after)
        or (mention.year is None and _INTERNATIONAL_DAY.search(before) is not None)
    )


def _opens_span(before: str) -> bool:
    """ "с 5 мая до 10 мая", "from 5 May until 10 May": the word joins the two ends of a span."""
    return (
        re.search(r"(?:from|с|со)\s[^,;.]{1,30}(?:until|till|до)\s$", before, re.IGNORECASE)
        is not None
    )


def _is_decided(before: str) -> bool:
    """A thing "adopted on" the day, told in passing: a participle without its own verb, or a relative."""
    if _RELATIVE.search(before) is not None:
        return True
    if _PARTICIPLE.search(before) is not None and _PASSIVE.search(before) is None:
        return True
    return _PARTICIPLE_RU.search(before) is not None or _RELATIVE_RU.search(before) is not None


def _recurs(sentence: str, mention: Mention) -> bool:
    near = sentence[max(0, mention.start - 2 * _REACH) : mention.end + _REACH]
    if _EVERY_YEAR.search(near) and mention.year is None:
        return True
    return mention.year is None and _OBSERVED.search(near) is not None


def _is_ahead(before: str, after: str) -> bool:
    """A plan: the clause speaks of the future, and no past verb says that the day has come."""
    clause = _CLAUSE.split(before)[-1]
    if plan := _WILL.search(clause):
        return not _PAST.search(_BE_DONE.sub("", clause[plan.start() :]))
    plan = _WILL.search(_CLAUSE.split(after)[0])
    if plan is None or _PAST.search(clause):
        return False
    between = after[: plan.start()]
    return not _PAST.search(between) and not _is_subordinate(between)


def _is_subordinate(words: str) -> bool:
    return (
        re.search(r"(?<![^\W_])(?:which|that|what|who|что|котор\w{2,3})(?![^\W_])", words, re.I)
        is not None
    )
