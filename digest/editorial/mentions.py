"""Days that a text names, to compare it with others."""

import re
from datetime import date

from digest.days import month_number
from digest.wordlists import either, word_lists

_MONTHS = word_lists("languages.toml")["months"]
_ENGLISH = either(
    word.casefold()
    for word in (*_MONTHS["en"], *_MONTHS["en_short"], *_MONTHS["tk"])
    if word.isascii()
)
_OTHER = either((*_MONTHS["ru_stems"], *(word for word in _MONTHS["tk"] if not word.isascii())))
_MONTH = rf"(?P<month>{_ENGLISH}\b\.?|{_OTHER}\w*\.?)"
_TH = r"(?:st|nd|rd|th)?"
_UNTIL = rf"(?:\s?(?:[-–—−]|to|and|по|до|и)\s?(?P<until>[0-3]?\d){_TH}\b)?"
_YEAR = r"(?:,?\s(?P<y>(?:19|20)\d\d)(?!\d))?"
_DAY_FIRST = re.compile(
    rf"(?<![\d.,/])(?P<d>[0-3]?\d){_TH}{_UNTIL}(?:\sof)?(?:-nj[iy])?\s{_MONTH}{_YEAR}"
)
_MONTH_FIRST = re.compile(rf"\b{_MONTH}\s(?P<d>[0-3]?\d){_TH}\b(?![.,]\d){_UNTIL}{_YEAR}")
_NUMERIC = re.compile(
    r"(?<!\d)(?:(?P<y>(?:19|20)\d\d)-(?P<m>[01]\d)-(?P<d>[0-3]\d)"
    r"|(?P<d2>[0-3]\d)\.(?P<m2>[01]\d)\.(?P<y2>(?:19|20)\d\d))(?!\d)"
)


def days(text: str, folded: str, near: date | None) -> tuple[str, list[str]]:
    """`text` with its days blotted out, and those days, in order: YYYY-MM-DD, or --MM-DD.

    Of a span ("2 – 3 October") both ends. A day without a year takes the one that brings it
    nearest to `near`; where `near` is None it stays without. `folded` is as long as `text`.
    """
    found: dict[str, None] = {}
    for pattern in (_DAY_FIRST, _MONTH_FIRST, _NUMERIC):
        spans: list[tuple[int, int]] = []
        for match in pattern.finditer(folded):
            named = match.groupdict()
            month = int(named.get("m") or named.get("m2") or month_number(named["month"]) or 0)
            year = named.get("y") or named.get("y2")
            for day in (named.get("d") or named.get("d2"), named.get("until")):
                if day and (
                    written := _written(int(year) if year else None, month, int(day), near)
                ):
                    found[written] = None
                    spans.append(match.span())
        text, folded = _blotted(text, spans), _blotted(folded, spans)
    return text, list(found)


def _blotted(text: str, spans: list[tuple[int, int]]) -> str:
    for start, end in spans:
        text = text[:start] + " " * (end - start) + text[end:]
    return text


def _written(year: int | None, month: int, day: int, near: date | None) -> str | None:
    if year is None and near is not None:
        years = (near.year - 1, near.year, near.year + 1)
        close = [found for each in years if (found := _day(each, month, day))]
        return min(close, key=lambda each: abs(each - near)).isoformat() if close else None
    if year is None:
        return f"--{month:02}-{day:02}" if _day(2024, month, day) else None
    found = _day(year, month, day)
    return found.isoformat() if found else None


def _day(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None
