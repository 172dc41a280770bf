"""Days that a text names, and the short names of organisations, the same in each language."""

import re
from datetime import date
from functools import cache

from digest.editorial.names import stem

_MONTHS = {
    stem: number
    for number, stems in enumerate(
        (
            "january jan янв ýanwar",
            "february feb фев fewral",
            "march mar март mart",
            "april apr апр aprel",
            "may мая май maý",
            "june jun июн iýun",
            "july jul июл iýul",
            "august aug авг awgust",
            "september sept sep сент sentýabr",
            "october oct окт oktýabr",
            "november nov нояб ноябр noýabr",
            "december dec дек dekabr",
        ),
        start=1,
    )
    for stem in stems.split()
}  # fmt: skip
_ENGLISH = "|".join(sorted((m for m in _MONTHS if m.isascii()), key=len, reverse=True))
_OTHER = "|".join(sorted((m for m in _MONTHS if not m.isascii()), key=len, reverse=True))
_MONTH = rf"(?P<month>(?:{_ENGLISH})\b\.?|(?:{_OTHER})\w*\.?)"
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

# Days that the world marks each year: two articles that name one may still tell of two events.
_WORLD_DAYS = """
01-01 01-26 03-08 03-31 05-09 05-31 06-01 06-05 06-26 07-30 08-12 09-21 10-24 11-15 11-20 12-01 12-05
12-09 12-10 12-12
"""
_OBSERVED = frozenset(_WORLD_DAYS.split())

# One organisation a line: its short name in English, then its other names, matched by their stems.
_BODIES = """
UNODC : united nations office on drugs and crime; un office on drugs and crime; унп оон; юнодк; управление оон по наркотикам и преступности; управление организации объединенных наций по наркотикам и преступности; управление объединенных наций по наркотикам и преступности
UNDP : united nations development programme; un development programme; проон; программа развития оон; программа развития организации объединенных наций
UNICEF : юнисеф; united nations children's fund; детский фонд оон
UNFPA : юнфпа; united nations population fund; фонд оон в области народонаселения
UNESCO : юнеско
UNAIDS : юнэйдс
UNRCCA : рцпдца; un regional centre for preventive diplomacy; regional centre for preventive diplomacy; региональный центр оон по превентивной дипломатии; региональный центр по превентивной дипломатии
UNOCT : united nations office of counter-terrorism; un office of counter-terrorism; контртеррористическое управление оон
OSCE : обсе; ýhhg; organization for security and co-operation in europe; organization for security and cooperation in europe; организация по безопасности и сотрудничеству в европе
CARICC : царикц; central asian regional information and coordination centre; центральноазиатский региональный информационный координационный центр
WCO : вто; втамо; world customs organization; всемирная таможенная организация
WHO : world health organization; всемирная организация здравоохранения
IOM : мом; international organization for migration; международная организация по миграции
EU : ес; european union; евросоюз; европейский союз
CIS : снг; commonwealth of independent states; содружество независимых государств
SCO : шос; shanghai cooperation organization; shanghai cooperation organisation; шанхайская организация сотрудничества
EBRD : ебрр; european bank for reconstruction and development; европейский банк реконструкции и развития
ADB : абр; asian development bank; азиатский банк развития
BOMCA : бомка
CADAP : кадап
USAID : юсаид
FATF : фатф
INTERPOL : интерпол
UNCAC : united nations convention against corruption; un convention against corruption; конвенция оон против коррупции; конвенция организации объединенных наций против коррупции
CND : commission on narcotic drugs; комиссия оон по наркотическим средствам; комиссия по наркотическим средствам
CCP : container control programme; программа контроля контейнеров; программа по контролю контейнеров; программа по контролю за контейнерами; программа по контролю за контейнерными перевозками
PCU : port control unit; port control group; группа портового контроля; группа по портовому контролю
NATO : нато
CPI : corruption perceptions index; индекс восприятия коррупции
FIU : пфр; financial intelligence unit; подразделение финансовой разведки
UN : оон; bmg; united nations; организация объединенных наций; объединенные нации
MFA : мид; ministry of foreign affairs; foreign ministry; министерство иностранных дел
MIA : мвд; ministry of internal affairs; interior ministry; ministry of the interior; министерство внутренних дел
SCS : гтк; state customs service; state customs committee; государственная таможенная служба; государственный таможенный комитет
"""


@cache
def bodies() -> dict[str, tuple[tuple[tuple[str, ...], str], ...]]:
    """Under the stem of its first word, each name of an organisation in stems, and its short name.

    Of names with the same first word the longest stands first.
    """
    names: dict[str, list[tuple[tuple[str, ...], str]]] = {}
    for line in _BODIES.strip().splitlines():
        short, _, others = line.partition(" : ")
        for name in (short.casefold(), *others.split("; ")):
            stems = tuple(stem(word) for word in re.findall(r"[^\W\d_]+", name))
            names.setdefault(stems[0], []).append((stems, short))
    return {
        first: tuple(sorted(found, key=lambda one: -len(one[0]))) for first, found in names.items()
    }


def is_observed(day: str) -> bool:
    """Whether the world marks this day each year."""
    return day[-5:] in _OBSERVED


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
            month = int(named.get("m") or named.get("m2") or 0) or _month(named["month"])
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


def _month(word: str) -> int:
    word = word.rstrip(".")
    while word not in _MONTHS:
        word = word[:-1]
    return _MONTHS[word]


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
