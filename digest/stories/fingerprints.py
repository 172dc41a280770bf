"""What is stored of an article to find and compare it with others without their texts."""

import contextlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import cache, lru_cache
from hashlib import blake2b
from typing import NamedTuple

from digest.language.days import dateline_end, month_number
from digest.language.text import either, fold, fold_keep, plain, word_lists, words
from digest.language.words import latin, skeleton, stem

_MONTHS = word_lists("language/languages.toml")["months"]
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
    """`text` with its days blanked out, and those days, in order: YYYY-MM-DD, or --MM-DD.

    Of a span ("2 – 3 October") both ends. A day without a year takes the one that brings it
    nearest to `near`; where `near` is None it stays without. `folded` is as long as `text`.
    """
    named_days: dict[str, None] = {}
    for pattern in (_DAY_FIRST, _MONTH_FIRST, _NUMERIC):
        spans: list[tuple[int, int]] = []
        for match in pattern.finditer(folded):
            named = match.groupdict()
            month = int(named.get("m") or named.get("m2") or month_number(named["month"]) or 0)
            year = named.get("y") or named.get("y2")
            for day in (named.get("d") or named.get("d2"), named.get("until")):
                if day and (written := _written(year, month, int(day), near)):
                    named_days[written] = None
                    spans.append(match.span())
        for start, end in spans:
            blank = " " * (end - start)
            text, folded = (each[:start] + blank + each[end:] for each in (text, folded))
    return text, list(named_days)


def _written(year: str | None, month: int, day: int, near: date | None) -> str | None:
    """The day as `days` gives it; None where no calendar has it."""
    if year is not None:
        years = [int(year)]
    else:
        years = [2024] if near is None else [near.year - 1, near.year, near.year + 1]
    dates: list[date] = []
    for each in years:
        with contextlib.suppress(ValueError):
            dates.append(date(each, month, day))
    if not dates:
        return None
    if year is None and near is None:
        return f"--{month:02}-{day:02}"
    return min(dates, key=lambda each: abs(each - (near or each))).isoformat()


LISTS = "stories/vocabulary.toml"
_YEAR_KEY = re.compile(r"#(?:19|20)\d\d")
_SMALL = re.compile(r"#1?\d")


@cache
def notions() -> dict[str, str]:
    """The name of its notion under the stem of each word, English or Russian."""
    names: dict[str, str] = {}
    for name, others in word_lists(LISTS)["notions"].items():
        for word in (name, *others):
            names.setdefault(stem(word), name)
    return names


@cache
def numbers() -> dict[str, str]:
    """The key of each number that is written as a word."""
    listed = word_lists(LISTS)["numbers"].items()
    return {word: f"#{number}" for number, words in listed for word in words}


@cache
def bodies(table: str = "bodies") -> dict[str, tuple[tuple[tuple[str, ...], str], ...]]:
    """Organisations under the stem of their first word: each name in stems, and the short name.

    Of names with the same first word the longest comes first. `table` may be "roles" or "regions".
    """
    names: dict[str, list[tuple[tuple[str, ...], str]]] = {}
    for short, others in word_lists(LISTS)[table].items():
        for name in (short.casefold(), *others):
            stems = tuple(stem(word) for word in re.findall(r"[^\W\d_]+", name))
            names.setdefault(stems[0], []).append((stems, short))
    return {first: tuple(sorted(own, key=lambda one: -len(one[0]))) for first, own in names.items()}


@cache
def word_set(name: str) -> frozenset[str]:
    """One of the lists "nothing", "world_days" and "places"."""
    return frozenset(word_lists(LISTS)["words"][name])


_COMMON, _RARE = 7.0, 4.0  # Zipf values of a word that is in every article, and in hardly any


@cache
def _frequencies() -> dict[str, float]:
    """The Zipf value of each key that is not rare."""
    listed = word_lists("stories/frequencies.toml")["zipf"]
    return {key: float(zipf) for zipf, keys in listed.items() for key in keys}


@lru_cache(maxsize=1 << 13)
def rarity_of(key: str) -> float:
    """How rare a term's key is in general: from 0, in every article, to 1, in hardly any."""
    if key[0] == "#":
        if _YEAR_KEY.fullmatch(key):
            return 0.35
        return 0.45 if len(key) == 2 else 0.6 if _SMALL.fullmatch(key) else 0.9
    zipf = _frequencies().get(key, _RARE)
    return min(1.0, max(0.05, (_COMMON - zipf) / (_COMMON - _RARE)))


READ = 12_000
"""Characters of a text that are read: what comes after does not change the story."""
TERMS = 64
"""Terms stored of an article: the most telling."""
_OPENING = 40  # words: as many as a listing's teaser has of its article
_SKETCH = 16
_KEY_TERMS = 24
_DAYS = 6
_SHORT = 8  # letters of an acronym at most
_LONG = 4  # letters of an acronym as a rule
_TITLE, _TEXT, _QUOTED, _FILED_AT = 1.5, 1.0, 0.3, 0.3
TOKEN = re.compile(
    r"(?<![^\W\d_])\d{1,15}(?:[ \u00a0]\d{3}\b){0,3}(?:[.,]\d{1,15}){0,3}|[^\W\d_]{1,40}"
)
_GROUPED = re.compile(r"[ \u00a0]|[.,](?=\d{3}(?:[.,]|$))")
_QUOTE = re.compile(r"[«“„\"][^«»“”„\"\n]{40,300}[»”“\"]")
_ROMAN = re.compile(r"[IVX]+")
# What languages share although its stems differ: "-tion", "-ция"; and names without an ending, or in "-ев".
_SHARED = re.compile(r"(?:ци\w{0,3}|tions?)$")
_WHOLE = re.compile(r"(?:[б-джзклнпрстфцчшщ]|ци\w{0,3}|(?:[оеё]в|[иы]н)(?:ы?х|ы?ми?|ой|[ауеы]))$")
_SCALES = {"hundred": 100, "thousand": 1000}
_OPENERS = ".!?:…\n"


class Term(NamedTuple):
    """A word, name, number or organisation as it is compared.

    `key` is the same in each language: a notion ("customs"), "~" and the skeleton of any other
    word, "~" and an acronym, "#27" for a number, "@OSCE" for an organisation of the list. `form` is how an editor reads a name, ""
    for a plain word. `weight` is by place alone: more in the title, little in a long quotation,
    which is mostly the name of a programme or an event.
    """

    key: str
    form: str
    weight: float

    @property
    def is_name(self) -> bool:
        return self.key[0] == "~" and self.form[:1].isupper()


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What is needed to compare two articles.

    `day` is the one that the article is filed under, `received` the one on which it came if that is
    unknown; `days` are those that its copy names, each YYYY-MM-DD or --MM-DD. `opening` and `sketch`
    are the smallest hashes (32 bits, ascending) of the shingles of the first 40 words and of the
    whole text, `size` how many shingles that has.
    """

    language: str
    day: date | None
    days: tuple[str, ...]
    terms: tuple[Term, ...]
    opening: tuple[int, ...]
    sketch: tuple[int, ...]
    size: int
    received: date | None = None

    @property
    def when(self) -> date | None:
        """The day it is filed under, or else the day it came."""
        return self.day or self.received

    def to_json(self) -> str:
        """One line of JSON, the same for equal fingerprints; about 2 kB of a full page."""
        values = {name: getattr(self, name) for name in self.__slots__}
        return json.dumps(values, separators=(",", ":"), default=date.isoformat)

    @property
    def keys(self) -> tuple[int, ...]:
        """The index entries, at most 48 signed 64-bit integers, under which others find it.

        Two articles of one story usually share some: a shingle of their opening or text, a rare
        word, or a day together with an organisation or place.
        """
        return _keys_of(self)


@lru_cache(maxsize=256)
def _keys_of(print_: Fingerprint) -> tuple[int, ...]:
    shingles = (*print_.opening[: _SKETCH // 2], *print_.sketch[: _SKETCH // 2])
    telling = sorted(print_.terms, key=_telling)
    keys = {
        *(f"shingle {shingle}" for shingle in shingles),
        *(term.key for term in telling[:_KEY_TERMS]),
        *(f"{named[-5:]} {term.key}" for named in print_.days[:2] for term in telling[:4]),
    }
    return tuple(sorted({hash_of(key) for key in keys}))


def from_json(text: str) -> Fingerprint:
    """The fingerprint that `to_json` wrote."""
    read = json.loads(text)
    for name in ("day", "received"):
        read[name] = date.fromisoformat(read[name]) if read.get(name) else None
    for name in ("days", "opening", "sketch"):
        read[name] = tuple(read[name])
    return Fingerprint(**{**read, "terms": tuple(map(Term._make, read["terms"]))})


def fingerprint(
    *, title: str, text: str, language: str, day: date | None, received: date | None = None
) -> Fingerprint:
    """The fingerprint of an article; `day` is the one it is filed under, or else `received` counts.

    Only the first 12,000 characters of the text are read.
    """
    title, text = plain(title[:500]), plain(text[:READ])
    dateline, text = text[: (end := dateline_end(text))], text[end:]
    # Where a report was filed is in every item of that day.
    filed_at = {term.key for term in _terms(dateline.title(), _TEXT)}
    title_bare, title_days = days(title, fold_keep(title), day)
    text_bare, text_days = days(text, fold_keep(text), day)
    terms: dict[str, Term] = {}
    for term in (*_terms(title_bare, _TITLE), *_terms(text_bare, _TEXT)):
        if term.key in filed_at:
            term = term._replace(weight=term.weight * _FILED_AT)
        earlier = terms.setdefault(term.key, term)
        if earlier is not term and term.is_name and not earlier.is_name:
            terms[term.key] = Term(term.key, term.form, earlier.weight)
    read = words(text)
    shingles = _shingles(read)
    return Fingerprint(
        language=language,
        day=day,
        days=tuple(dict.fromkeys((*title_days, *text_days)))[:_DAYS],
        terms=tuple(sorted(terms.values(), key=_telling)[:TERMS]),
        opening=tuple(sorted(_shingles(read[:_OPENING]))[:_SKETCH]),
        sketch=tuple(sorted(shingles)[:_SKETCH]),
        size=len(shingles),
        received=None if day else received,
    )


def _telling(term: Term) -> float:
    """A key to sort the most telling terms first."""
    return -term.weight * rarity_of(term.key)


def _terms(text: str, weight: float) -> Iterator[Term]:
    """The terms of a title or a text, in order and perhaps twice."""
    tokens = list(TOKEN.finditer(text))
    stems = [stemmed(token.group()) for token in tokens]
    shouted = len(tokens) > 2 and text.isupper()  # a headline in capitals has no acronyms to see
    title = weight == _TITLE  # A Headline in Which Each Word Has a Capital says no names
    long = [each for token in tokens if len(each := token.group()) >= _LONG] if title else []
    titled = len(long) > 2 and sum(each[0].islower() for each in long) <= len(long) / 4
    quotes = [match.span() for match in _QUOTE.finditer(text)]
    skip, starts = 0, bodies()
    for at, token in enumerate(tokens):
        if at < skip:
            continue
        while quotes and quotes[0][1] <= token.start():
            quotes.pop(0)
        here = _QUOTED if quotes and quotes[0][0] < token.start() else weight
        word = token.group()
        if stems[at] in starts and (name := body_at(stems, at, word)):
            length, short = name
            skip = at + length
            yield Term(f"@{short}", short, here)
            continue
        # Whether it starts a sentence; a word after the point of an initial or the mark of a short
        # quotation, which is mostly the name of something, does not.
        first = titled and (shouted or not word.isupper())
        if not first and word[0].isupper():
            before = text[max(0, token.start() - 3) : token.start()]
            opener = before.rstrip(" \u00a0")[-1:]
            opens = not opener or opener in (_OPENERS if here != _QUOTED else _OPENERS + '«“„"')
            first = opens and before[-1:] != "."
        if term := _term(word.capitalize() if shouted else word, first):
            if term[0][0] == "#" and at + 1 < len(tokens):
                number = _joined(term[1], key_of_word(fold(tokens[at + 1].group())))
                term, skip = (f"#{number}", number) if number else term, at + 1 + bool(number)
            yield Term(*term, here)


def _joined(number: str, after: str) -> str:
    """A number and the key of the word after it as one: 20 thousand, seventy-nine; "" if they are two."""
    if after in _SCALES and re.fullmatch(r"\d+(?:\.\d+)?", number):
        return f"{round(float(number) * _SCALES[after])}"
    return number[0] + after[1] if re.fullmatch("[2-9]0 #[2-9]", f"{number} {after}") else ""


def body_at(stems: list[str], at: int, word: str) -> tuple[int, str] | None:
    """How many words the organisation's name that starts here has, and its short name."""
    for name, short in bodies().get(stems[at], ()):
        if len(name) == 1 and sum(sign.isupper() for sign in word) < 2 and len(word) < _SHORT:
            continue
        if stems[at : at + len(name)] == [*name]:
            return len(name), short
    return None


@lru_cache(maxsize=1 << 13)
def stemmed(word: str) -> str:
    return stem(fold(word))


@lru_cache(maxsize=1 << 13)
def _term(word: str, first: bool) -> tuple[str, str] | None:
    """Key and form of one word as the copy writes it; None for a word that is in any article."""
    if word[0].isdigit():
        number = _GROUPED.sub("", word).replace(",", ".")
        return f"#{number}", number
    folded = fold(word)
    key = key_of_word(folded, name=word[0].isupper() and not first)
    if not key:
        return None
    if _ROMAN.fullmatch(word):
        return f"#{word}", word
    if key[0] != "~":
        return key, key.removeprefix("#")
    # Words in capitals are acronyms, but for towns and other common words of four letters or more.
    if word.isupper() and len(word) <= _SHORT and (len(word) < _LONG or key not in _frequencies()):
        short = latin(word).upper()
        return f"~{short}", short
    form = latin(folded)
    return key, form if first or word.islower() else form.capitalize()


def key_of_word(folded: str, *, name: bool = False) -> str:
    """The key of a folded word that is no acronym: its notion or its skeleton; "" if it tells nothing."""
    if len(folded) < 2 or folded in word_set("nothing"):
        return ""
    stemmed = stem(folded)
    sounds = skeleton(folded if (_WHOLE if name else _SHARED).search(folded) else stemmed)
    return numbers().get(folded) or notions().get(stemmed) or f"~{sounds}"


def _shingles(words: list[str]) -> set[int]:
    """A hash of 32 bits of each three words in a row, mixed from those of the single words."""
    hashed = [hash_of(word) for word in words]
    return {
        ((first * 3 + second) * 5 + third) >> 17 & 0xFFFFFFFF
        for first, second, third in zip(hashed, hashed[1:], hashed[2:], strict=False)
    }


@lru_cache(maxsize=1 << 13)
def hash_of(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big", signed=True)
