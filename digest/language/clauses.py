"""Which days of a sentence belong to its main past event; every other day is background.

A sentence is read as a string with a sign for each word. The lists and rules of clauses.toml say
which; there is no other grammar here.
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from functools import cache, partial

from digest.language.days import Mention
from digest.language.text import either, fold, word_lists
from digest.language.words import is_cyrillic, russian_tags

_LISTS = word_lists("language/clauses.toml")
_TOKEN = re.compile(
    r"[\x01\x02]+|\d+(?:[.,]\d+)*|[^\W_]+(?:[’'‑-][^\W_]+)*|[,;:]|(?<=\s)[–—-]+(?=\s)"
)
_APART = re.compile(
    r"\([^()]{0,400}\)|\[[^][]{0,400}\]|«[^»]{0,400}(?:»|$)|[“„][^“”]{0,400}(?:[“”]|$)"
    r"|\"[^\"]{0,400}(?:\"|$)|(?<!\w)['‘](?:[^'‘’]|['’](?=\w)){1,400}['’]"
    r"|\A[–—-]\s[^\n]{1,400}?[,!?…]\s[–—-](?=\s)"
)
"""What is said in passing, or by another: the days in it do not count."""
_LIKELY = 0.1
"""A Russian word is a past verb from this likelihood of its readings as one."""
_RUSSIAN = {"PRED": "R", "INFN": "J", "GRND": "g", "PRTF": "P"}


def event_days(sentence: str, days: Sequence[Mention], language: str) -> list[Mention]:
    """Those of `days`, named in the sentence, on which its main event happened, in order."""
    if not days:
        return []
    if language not in _LISTS:
        language = "ru" if is_cyrillic(sentence) else "en"
    masked = _APART.sub(lambda found: (" X"[found[0][0] not in "(["]) * len(found[0]), sentence)
    at = {}
    for day in days:
        if masked[day.start : day.end] == sentence[day.start : day.end]:
            mark = "\x01" if day.first == (day.month, day.day) else "\x02"
            masked = masked[: day.start] + mark * (day.end - day.start) + masked[day.end :]
            at[day.start] = day
    found = list(_TOKEN.finditer(masked))
    words = [one[0] for one in found]
    signs = "".join(_sign(words, i, language) for i in range(len(words)))
    for rule, sign in _rules(language):
        while (changed := rule.sub(partial(_with, sign), signs)) != signs:
            signs = changed
    return [at[one.start()] for one, sign in zip(found, signs, strict=True) if sign == "!"]


def _sign(words: Sequence[str], i: int, language: str) -> str:
    word = words[i]
    if not word[0].isalnum():
        return {"\x01": "D", "\x02": "E", ";": ";"}.get(word[0], ",")
    listed, endings = _signs(language)
    folded = fold(word)
    if word[0].isupper() and i:
        inside = {"K": "K", "I": "i", "F": "i", "S": "S" if language == "ru" else "W"}
        return inside.get(listed.get(folded, ""), "W")
    if folded in listed:
        return listed[folded]
    ended = next((sign for sign, ending in endings if ending.fullmatch(folded)), "w")
    if ended == "w" and language == "ru":
        after = fold(words[i + 1]) if words[i - 1 : i] != [","] and i + 1 < len(words) else ""
        return _russian_sign(folded, after)
    return ended


def _russian_sign(word: str, after: str) -> str:
    """That of the likeliest readings; a participle before its own noun is as an adjective."""
    if not is_cyrillic(word):
        return "w"
    likely: dict[str, float] = defaultdict(float)
    cases = set()
    for tag, likelihood in russian_tags(word):
        sign = _RUSSIAN.get(tag.POS, "w")
        if tag.POS in ("VERB", "PRTS") and tag.mood != "impr":
            sign = "V" if tag.tense == "past" else "R"
        likely[sign] += likelihood
        cases |= {tag.case} if sign == "P" else set()
    if likely["V"] >= _LIKELY or likely["P"] < _LIKELY:
        return "V" if likely["V"] >= _LIKELY else max(likely, key=likely.__getitem__)
    own = {
        tag.case for tag, likelihood in russian_tags(after) if likelihood >= _LIKELY and tag.case
    }
    return "w" if cases & own else "P"


@cache
def _signs(language: str) -> tuple[dict[str, str], list[tuple[str, re.Pattern[str]]]]:
    """The sign of each listed word, and that of the words with each ending."""
    listed = {fold(word): name[0] for name, words in _LISTS[language].items() for word in words}
    endings = _LISTS.get(f"{language}_endings", {}).items()
    return listed, [(name[0], re.compile(either(patterns))) for name, patterns in endings]


@cache
def _rules(language: str) -> list[tuple[re.Pattern[str], str]]:
    return [(re.compile(rule), sign) for rule, sign in _LISTS[f"{language}_rules"].values()]


def _with(sign: str, found: re.Match[str]) -> str:
    """What was found, with the sign for all of it, or for each character of its group."""
    start, end = (at - found.start() for at in found.span(found.re.groups))
    return f"{found[0][:start]}{sign * (end - start)}{found[0][end:]}"
