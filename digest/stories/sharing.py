"""What the tellings of one event share, and where it is in each: days, names, organisations, places, posts
and numbers. A thing counts only where it is certain: what is merely similar is left out."""

import re
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cache, lru_cache
from itertools import combinations, groupby
from typing import NamedTuple

from digest.language.days import MONTH, WEEKDAY, mentions, month_number
from digest.language.text import either, fold, plain, plain_places, sentence_spans, word_lists
from digest.language.words import is_common, is_cyrillic, latin, russian_tags
from digest.stories.fingerprints import (
    LISTS,
    TOKEN,
    bodies,
    body_at,
    key_of_word,
    notions,
    numbers,
    stemmed,
    word_set,
)

READ = 6_000
"""Characters of a text that are compared."""
ONLY = 5
"""Sentences quoted of one telling at most."""
_NAMES = 60  # different names of a text that are compared
_MONTHS = either(word_lists("language/languages.toml")["months"]["ru_stems"])
_MONTH = rf"{MONTH}|(?i:мае|{_MONTHS}[а-я]{{0,5}}[еь])"  # also as after "in": в декабре
_YEARS = re.compile(
    rf"(?<![\w.,/№-])(?:(?P<month>{_MONTH})\s)?(?P<first>(?:19|20)\d\d)(?:\s?[-–—]\s?(?P<last>(?:19|20)\d\d))?"
    r"(?![\d/]|[.,]\d)(?:\s(?:годах|годов|года|году|годы|год|гг?\.)(?!\w))?"
)
_NUMBERED = re.compile(r"(?:№|\bNo\.?)\s?(?P<number>\d+)|(?<![\d./])(?P<slashed>\d+/\d+)(?![\d/])")
_THOUSAND = re.compile("thousand|тыс(?:яч[аиу]?)?", re.IGNORECASE)
_JOINS = re.compile(r"\s|-|\.\s?")
_VOWELS = re.compile("[aeiouy]+")
_APART = re.compile(r"[\n;:]|[.!?]\s")
_NATIONAL = frozenset({"MFA", "MIA", "SCS", "CB", "FIU", "PCU", "GDP", "CPI"})
_SHORT, _LONG = 8, 5  # letters of an acronym, and of a name that a lost sound leaves clear
_NEAR = 40  # characters around a day in which its weekday is
_MANY = 20  # people: the same number is hardly of two groups from here on
_REACH = 160  # characters between a post and the name of who holds it
_OWN = frozenset({"Surn", "Name", "Patr", "Geox", "Orgn"})
_TABLES = (("body", "bodies"), ("body", "offices"), ("place", "regions"), ("role", "roles"))
_HONORIFICS = ("mr", "mrs", "ms", "miss", "dr", "prof", "госпожа", "господин")


@dataclass(frozen=True, slots=True)
class Telling:
    """One article as it is compared. `day` is the one it is filed under, or came on."""

    title: str
    text: str
    language: str
    day: date | None = None


@dataclass(frozen=True, slots=True)
class Shared:
    """One thing that two tellings or more have: what kind, and its place and form in the text of each,
    None and "" where it is not there. `kind` is "day", "period", "name", "body", "term", "place", "role" or
    "number"."""

    letter: str
    kind: str
    spans: tuple[tuple[int, int] | None, ...]
    forms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sharing:
    """What tellings share, in the order of the first; and sentences of each with what only that one has."""

    shared: tuple[Shared, ...]
    only: tuple[tuple[str, ...], ...]


class _Found(NamedTuple):
    kind: str
    key: str
    start: int
    end: int
    words: tuple[str, ...] = ()  # of a name


def compare_tellings(tellings: Sequence[Telling]) -> Sharing:
    """What they share. Only the first READ characters of a text count."""
    texts = [plain(one.text[:READ]) for one in tellings]
    found = [_read(text, one) for text, one in zip(texts, tellings, strict=True)]
    found = _same_country(_named(found, [one.language for one in tellings]))
    found = [_held(text, each) for text, each in zip(texts, found, strict=True)]
    titles = [plain(one.title) for one in tellings]
    heads = [_read(title, one) for title, one in zip(titles, tellings, strict=True)]
    chosen = _chosen(found)
    order = sorted(
        chosen, key=lambda key: next((at, one.start) for at, one in enumerate(chosen[key]) if one)
    )
    places = [plain_places(one.text[:READ]) for one in tellings]
    shared = []
    for number, key in enumerate(order):
        spans = tuple(
            one and (at[one.start], at[one.end - 1] + 1)
            for one, at in zip(chosen[key], places, strict=True)
        )
        forms = tuple(
            each.text[slice(*span)] if span else ""
            for each, span in zip(tellings, spans, strict=True)
        )
        kind = next(one.kind for one in chosen[key] if one)
        shared.append(Shared(_letter(number), kind, spans, forms))
    whole = [f"{title}\n{text}" for title, text in zip(titles, texts, strict=True)]
    only = []
    for at, text in enumerate(texts):
        others = [n for n in range(len(texts)) if n != at]
        known = {one.key for n in others for one in (*found[n], *heads[n])}
        only.append(tuple(_only(text, found[at], known, [whole[n] for n in others])))
    return Sharing(tuple(shared), tuple(only))


def _letter(number: int) -> str:
    return (chr(96 + number // 26) if number >= 26 else "") + chr(97 + number % 26)


def _chosen(found: Sequence[Sequence[_Found]]) -> dict[str, list[_Found | None]]:
    """Under each thing that two have, where it is first in each; of what overlaps the longest."""
    named = Counter(key for each in found for key in {one.key for one in each})
    keys = {key for key, count in named.items() if count > 1}
    while True:
        first: dict[str, list[_Found | None]] = {}
        for at, each in enumerate(found):
            free: list[_Found] = []
            taken = bytearray(max((one.end for one in each), default=0))
            wanted = (one for one in each if one.key in keys)
            for one in sorted(wanted, key=lambda one: (one.start - one.end, one.start, one.key)):
                if not any(taken[one.start : one.end]):
                    taken[one.start : one.end] = b"x" * (one.end - one.start)
                    free.append(one)
            for one in sorted(free, key=lambda one: one.start):
                row = first.setdefault(one.key, [None] * len(found))
                row[at] = row[at] or one
        shared = {key for key, row in first.items() if sum(one is not None for one in row) > 1}
        if shared == keys:
            return first
        keys = shared


def _only(
    text: str, found: Sequence[_Found], known: set[str], others: Sequence[str]
) -> Iterator[str]:
    """The first sentences with a day, number, name or organisation that no other telling may have."""
    words = {_sound(word)[:2] for other in others for word in re.findall(r"[^\W\d_]+", other)}
    amounts = {
        amount for other in others for amount, _, _ in _amounts(other, list(TOKEN.finditer(other)))
    }

    def is_own(one: _Found) -> bool:
        if one.key in known:
            return False
        if one.kind == "name":
            last = one.words[-1]
            return len(one.words) > 1 and _is_own(last or "the") and _sound(last)[:2] not in words
        if one.kind == "number":
            return not amounts & {*one.key.split()[1].split("/")}
        if one.kind == "day":
            first, last = one.key.split()[-2:]
            spans = (key.split()[-2:] for key in known if key.startswith("day "))
            return not any(other[0] <= last and first <= other[1] for other in spans)
        # An office of a country goes by many names, and the UN by those of its parts.
        name = one.key[1:].partition(" ")[0]
        return one.kind == "body" and name.isupper() and name not in {*_NATIONAL, "UN"}

    telling = [one for one in found if is_own(one)]
    count = 0
    for start, end in sentence_spans(text):
        if count == ONLY or text[start] == "/":  # the mark of an agency
            continue
        if any(start <= one.start and one.end <= end for one in telling):
            count += 1
            yield text[start:end]


class _Text(NamedTuple):
    text: str
    tokens: list[re.Match[str]]
    stems: list[str]
    taken: list[bool]  # by what is no person's name


def _read(text: str, telling: Telling) -> list[_Found]:
    """What a text names, in no order and perhaps overlapping."""
    dated = list(_days(text, telling.day))
    taken = bytearray(len(text))
    for one in dated:
        taken[one.start : one.end] = b"x" * (one.end - one.start)
    for match in _YEARS.finditer(text):
        start, end = match.span()
        before = text[max(0, start - 4) : start]
        if any(taken[start:end]) or before.endswith(("-", "–", "No. ", "№ ")):
            continue
        month = month_number(match["month"]) if match["month"] else ""
        key = f"period {month} {match['first']} {match['last'] or ''}"
        dated.append(_Found("period", key, start, end))
        taken[start:end] = b"x" * (end - start)
    tokens = [token for token in TOKEN.finditer(text) if not taken[token.start()]]
    read = _Text(text, tokens, [stemmed(one.group()) for one in tokens], [False] * len(tokens))
    return [*dated, *_listed(read), *_counted(read), *_runs(read)]


def _days(text: str, near: date | None) -> Iterator[_Found]:
    for one in mentions(text):
        year = one.year
        if year is None and near and f"{one.month:02}-{one.day:02}" not in word_set("world_days"):
            years = (near.year - 1, near.year, near.year + 1)
            year = min(years, key=lambda y: abs((one.on(y) or date.max) - near))
        days = one.days(year or 2024)
        if not days:
            continue
        key = f"day {year or ''} {one.first[0]:02}-{one.first[1]:02} {one.month:02}-{one.day:02}"
        start, before = one.start, max(0, one.start - _NEAR)
        near_it = replace(one, start=start - before, end=one.end - before)
        weekday = re.search(rf"(?<![^\W\d_]){WEEKDAY},?\s$", text[max(0, start - 20) : start])
        around = text[before : one.end + _NEAR]
        if weekday and not (year and near_it.is_contradicted(around, days)):
            start -= len(weekday[0])
        yield _Found("day", key, start, one.end)


def _listed(read: _Text) -> Iterator[_Found]:
    """Organisations, regions, countries, towns and posts, by the lists of stories/vocabulary.toml."""
    for at, token in enumerate(read.tokens):
        word = token.group()
        for kind, table in _TABLES:
            if table == "bodies":
                name = body_at(read.stems, at, word) if read.stems[at] in bodies() else None
            else:
                name = _phrase(table, read.stems, at)
            if name is None:
                continue
            length, short = name
            if short in word_set("posts"):
                continue
            start, end = token.start(), read.tokens[at + length - 1].end()
            around = read.text[start - 1 : start] + read.text[end : end + 1]
            if _APART.search(read.text, start, end) or re.search(r"\w", around):
                continue
            read.taken[at : at + length] = [True] * length
            key = f"{kind} {short}"
            if short in _NATIONAL or table == "offices":
                if _is_many(word, read.tokens[at + length - 1].group()):
                    continue
                key = f"@{short.replace(' ', '-')} {_country(read, at, at + length)}"
            elif table == "bodies":
                if short == "UN" and _is_part(read, at, at + length):
                    continue
                key, kind = f"@{short}", "term" if short in word_set("terms") else kind
            yield _Found(kind, key, start, end)
        if (place := _place(read, at)) and _is_place(word):
            read.taken[at] = True
            yield _Found("place", f"place {place}", *token.span())


def _is_many(first: str, last: str) -> bool:
    """Whether a name from its first to its last word is in the plural: of several countries."""
    if is_cyrillic(first):
        return any("plur" in tag for tag, _ in russian_tags(fold(first))[:1])
    return fold(last).endswith("s") and fold(last) != "affairs"


def _phrase(table: str, stems: Sequence[str], at: int) -> tuple[int, str] | None:
    for name, short in bodies(table).get(stems[at], ()):
        if tuple(stems[at : at + len(name)]) == name:
            return len(name), short
    return None


def _is_part(read: _Text, first: int, end: int) -> bool:
    """Whether the words from `first` are part of a longer name."""
    for one, other in ((first - 1, first), (end - 1, end)):
        if one >= 0 and other < len(read.tokens):
            before, after = read.tokens[one], read.tokens[other]
            word = before.group() if other == first else after.group()
            usual = fold(word) in word_set("nothing") or not word[0].isupper()
            if not usual and read.text[before.end() : after.start()] == " ":
                return True
    return False


def _place(read: _Text, at: int) -> str:
    """The country or town that a word names or belongs to; "" for none."""
    name = notions().get(read.stems[at], "")
    return name if name in word_set("places") and read.tokens[at].group()[0].isupper() else ""


@lru_cache(maxsize=1 << 12)
def _is_place(word: str) -> bool:
    folded = fold(word)
    if folded in word_lists(LISTS)["demonyms"]["words"]:
        return False
    return not is_cyrillic(word) or any("NOUN" in tag for tag, _ in russian_tags(folded)[:1])


def _country(read: _Text, first: int, end: int) -> str:
    """The country whose organisation the words from `first` to `end` name; "" if it is not said beside it."""
    for at in range(end, min(end + 3, len(read.tokens))):
        if place := _place(read, at):
            return place
        if fold(read.tokens[at].group()) not in ("of", "the", "republic", "республики"):
            break
    before = notions().get(read.stems[first - 1], "") if first else ""
    return before if before in word_set("places") else ""


@cache
def _units() -> dict[str, str]:
    listed = word_lists(LISTS)["counted"]
    return {stemmed(word): name for name, words in listed.items() for word in (name, *words)}


def _amounts(text: str, tokens: Sequence[re.Match[str]]) -> Iterator[tuple[str, int, int]]:
    """Each number in digits or words, with the places of its first and last token."""
    last = -1
    for at, token in enumerate(tokens):
        amount, word = _amount(token.group()), token.group()
        if not amount or at <= last:
            continue
        last = at
        is_tens = not word[0].isdecimal() and len(amount) == 2 and amount[1] == "0"
        if is_tens and at + 1 < len(tokens):
            gap = text[token.end() : tokens[at + 1].start()]
            one = _amount(tokens[at + 1].group()) if gap in ("-", " ") else ""
            if len(one) == 1 and one.isdigit():
                amount, last = amount[0] + one, at + 1
        if last + 1 < len(tokens) and _THOUSAND.fullmatch(tokens[last + 1].group()):
            amount, last = f"{float(amount) * 1000:.0f}", last + 1
        yield amount, at, last


def _amount(word: str) -> str:
    """The number that a word or digits name; "" for none."""
    if word[0].isdecimal():
        plain_number = re.sub(r"[ \u00a0]|,(?=\d{3}\b)", "", word).replace(",", ".")
        return plain_number if plain_number.count(".") < 2 else ""
    folded = fold(word)
    return "100" if folded in ("сто", "ста") else numbers().get(folded, "").removeprefix("#")


def _counted(read: _Text) -> Iterator[_Found]:
    """Numbers with what they count, and numbers of documents."""
    for match in _NUMBERED.finditer(read.text):
        yield _Found("number", f"number {match['number'] or match['slashed']}", *match.span())
    for amount, first, last in _amounts(read.text, read.tokens):
        start, end = read.tokens[first].start(), read.tokens[last].end()
        if start and read.text[start - 1] in "-–/№":
            continue
        if percent := re.match(r"\s?%", read.text[end : end + 2]):
            yield _Found("number", f"number {amount} percent", start, end + len(percent[0]))
            continue
        unit, after = "", last + 1
        for at in range(last + 1, min(last + 6, len(read.tokens))):
            word = read.tokens[at]
            if _APART.search(read.text, end, word.start()) or word.group()[0].isdigit():
                break
            if "," in read.text[read.tokens[at - 1].end() : word.start()]:
                break
            if name := _units().get(read.stems[at]):
                unit, after = name, at
            if name and not (at + 1 < len(read.tokens) and read.stems[at + 1] in _units()):
                break
        if unit == "persons" and float(amount) < _MANY:
            unit = notions().get(read.stems[after], read.stems[after])
        if unit:
            key = f"number {amount} {unit}"
            yield _Found("number", key, start, read.tokens[after].end())


def _runs(read: _Text) -> Iterator[_Found]:
    """Words in capitals beside each other that may be a name: each run, and the parts of it without
    words that any article has."""
    run: list[int] = []
    found: list[tuple[_Found, bool]] = []
    for at, token in enumerate(read.tokens):
        if not token.group()[0].isupper():
            continue
        if run:
            last = read.tokens[run[-1]]
            gap = read.text[last.end() : token.start()]
            joined = _JOINS.fullmatch(gap) and ("." not in gap or len(last.group()) == 1)
            if not joined or at != run[-1] + 1:
                found += _names(read, run)
                run = []
        run.append(at)
    found += _names(read, run)
    # The first word of a sentence is a name only if it has its capital elsewhere too.
    seen = {fold(one.words[-1]) for one, opens in found if not opens}
    names = [
        one
        for one, opens in found
        if not opens or len(one.words) > 1 or fold(one.words[-1]) in seen
    ]
    known = {*list(dict.fromkeys(one.words for one in names))[:_NAMES]}
    return (one for one in names if one.words in known)


def _names(read: _Text, run: Sequence[int]) -> Iterator[tuple[_Found, bool]]:
    """The names in a run of words in capitals, and whether one is the first word of its sentence."""

    def name(part: Sequence[int], key: str, *more: str) -> _Found:
        words = (*(read.tokens[at].group() for at in part), *more)
        return _Found("name", key, read.tokens[part[0]].start(), read.tokens[part[-1]].end(), words)

    words = [read.tokens[at].group() for at in run]
    titles = [at for at in run if read.taken[at] or fold(read.tokens[at].group()) in _HONORIFICS]
    usual = [
        at in titles or (len(word) > 1 and key_of_word(fold(word), name=True)[:1] != "~")
        for at, word in zip(run, words, strict=True)
    ]
    if any(usual) and sum(len(word) > 2 for word in words) > 1:
        free = not any(read.taken[at] for at in run)
        if free and fold(words[-1]) not in word_lists(LISTS)["demonyms"]["words"]:
            yield name(run, " ".join(read.stems[at] for at in run), ""), False
    for is_usual, places in groupby(zip(run, usual, strict=True), key=lambda one: one[1]):
        part = [at for at, _ in places]
        if is_usual:
            continue
        if len(part) > 2 and _opens(read, part[0]) and is_common(read.tokens[part[0]].group()):
            part = part[1:]
        whole = len(part) > 1 or part[0] == run[0] or part[0] - 1 in titles  # not York of New York
        if whole and len(read.tokens[part[-1]].group()) > 2:
            yield name(part, ""), _opens(read, part[0])


def _opens(read: _Text, at: int) -> bool:
    """Whether a word is the first of its sentence."""
    before = read.text[: read.tokens[at].start()].rstrip()[-1:]
    return not before or before in ".!?:…"


@lru_cache(maxsize=1 << 12)
def _is_own(word: str) -> bool:
    """Whether a word is a name by itself, and no word of the language that starts with a capital."""
    if word.isupper() or not is_common(word):
        return True
    tags = russian_tags(fold(word))[:1] if is_cyrillic(word) else ()
    return any(own in tag for tag, _ in tags for own in _OWN)


def _named(found: Sequence[Sequence[_Found]], languages: Sequence[str]) -> list[list[_Found]]:
    """With a key for each name that is the same for all its spellings."""
    places = [
        (at, n) for at, each in enumerate(found) for n, one in enumerate(each) if one.kind == "name"
    ]
    group = {place: {place} for place in places}
    alike: defaultdict[str, dict[tuple[int, tuple[str, ...]], tuple[int, int]]]
    alike = defaultdict(dict)  # names that may be one, each spelling of a text once

    def merge(one: tuple[int, int], other: tuple[int, int]) -> None:
        if group[one] is not group[other]:
            group[one] |= group[other]
            group.update(dict.fromkeys(group[other], group[one]))

    for at, n in places:
        one = found[at][n]
        last = fold(one.words[-1])
        signs = {last, key_of_word(last, name=True), latin(last).replace("h", "")}
        for sign in signs if last else {one.key}:
            first = alike[sign].setdefault((at, one.words), (at, n))
            if first != (at, n):
                merge(first, (at, n))
    for spellings in alike.values():
        for first, second in combinations(spellings.values(), 2):
            a, b = (found[at][n] for at, n in (first, second))
            same = languages[first[0]] == languages[second[0]]
            if group[first] is not group[second] and _same_name(a, b, same):
                merge(first, second)
    named = [list(each) for each in found]
    for members in {id(one): one for one in group.values()}.values():
        spelt = {found[at][n].words for at, n in members}
        # Two people of one surname: nobody knows which of them the surname alone is.
        given = {_sound(words[0])[:1] for words in spelt if len(words) > 1 and words[-1]}
        clear = len(given) < 2 and len({at for at, _ in members}) > 1
        key = min(latin(fold(" ".join(words))) for words in spelt)
        for at, n in members:
            own = f"name {key}" if clear else f"name {key} {at} {n}"
            named[at][n] = found[at][n]._replace(key=own)
    return named


def _same_name(a: _Found, b: _Found, same_language: bool) -> bool:
    if not a.words[-1] or not b.words[-1]:  # a whole run
        return same_language and a.key == b.key
    one, other = a.words[-1], b.words[-1]
    if not _same_word(one, other):
        return False
    if len(a.words) > 1 and len(b.words) > 1:
        first, second = a.words[0], b.words[0]
        letters = min(2, len(first), len(second))
        alike = _sound(first)[:letters] == _sound(second)[:letters]
        if not _same_word(first, second) and (not alike or (same_language and letters > 1)):
            return False
        return any(map(_is_own, (*a.words, *b.words)))
    # A word in Latin letters tells nothing beside one in Cyrillic ones, and is a name amid them.
    return all(_is_own(word) for word in (one, other) if is_cyrillic(word) or same_language)


def _sound(word: str) -> str:
    """How a name begins, the same for most spellings."""
    plain = re.sub("^d(?:j|zh)", "j", latin(fold(word)))
    return re.sub("^[hx]|^kh", "h", plain).replace("w", "v").replace("y", "i")


@lru_cache(maxsize=1 << 13)
def _same_word(one: str, other: str) -> bool:
    """Whether two words are spellings or forms of one name."""
    if fold(one) == fold(other):
        return True
    if (one.isupper() or other.isupper()) and min(len(one), len(other)) <= _SHORT:
        return latin(one) == latin(other) and len(one) > 2
    scripts = {is_cyrillic(one), is_cyrillic(other)}
    if len(scripts) == 2 and len(one) > _LONG:
        silent = [latin(fold(word)).replace("h", "") for word in (one, other)]
        if silent[0] == silent[1]:  # Sahakyan, Саакян
            return True
    first, second = (key_of_word(fold(word), name=True) for word in (one, other))
    if not first or first != second or len(first) < 4:
        return False
    longer = latin(one).removeprefix(latin(other)), latin(other).removeprefix(latin(one))
    if scripts == {False} and "a" in longer:  # Saidov and Saidova
        return False
    vowels = [_VOWELS.findall(latin(fold(word)).replace("y", "i")) for word in (one, other)]
    vowels = [[re.sub("i+", "i", each) for each in row] for row in vowels]
    return sum(map(str.__ne__, *vowels)) <= 1 and abs(len(vowels[0]) - len(vowels[1])) <= 1


def _same_country(found: Sequence[Sequence[_Found]]) -> list[list[_Found]]:
    """With the country of an organisation that every country has, where only one can be meant."""
    countries: defaultdict[str, set[str]] = defaultdict(set)
    for each in found:
        for one in each:
            if one.kind == "body" and " " in one.key:
                body, _, country = one.key.partition(" ")
                countries[body] |= {country} - {""}

    def meant(one: _Found) -> _Found:
        known = countries[one.key.strip()] if one.key.endswith(" ") else set[str]()
        return one._replace(key=one.key + min(known)) if len(known) == 1 else one

    return [[meant(one) for one in each] for each in found]


def _is_title(between: str) -> bool:
    """Whether only the rest of a post, and no verb, is between its first words and a name."""
    between = re.sub(
        r"\s\([^()]*\)|,?\s(?:M[rs]s?|Dr|г-[нж]\w{0,3}|господ\w+|госпо\w+)(?:\.|\b)", "", between
    )
    if re.search(r"[^\w\s’'-]", between):
        return False
    for word in re.findall(r"[^\W\d_]+", between):
        if is_cyrillic(word):
            tag = russian_tags(fold(word))[0][0]
            if tag.POS not in ("NOUN", "ADJF", "PREP") and word != "и":
                return False
        elif word[0].islower() and word not in ("of", "the", "for", "in", "to", "and", "on", "at"):
            return False
    return True


def _held(text: str, found: Sequence[_Found]) -> list[_Found]:
    """With the person beside it in the key of each post; a post of nobody is left out."""
    kept = [one for one in found if one.kind != "role"]
    others = sorted((one for one in kept if one.kind != "name"), key=lambda one: one.start)
    line: list[_Found] = []  # people and posts in order; not a post within another
    for one in sorted(found, key=lambda one: (one.start, -one.end)):
        is_person = one.kind == "name" and one.words[-1]
        if is_person or (one.kind == "role" and not (line and one.end <= line[-1].end)):
            line.append(one)
    for before, role, after in zip([None, *line], line, [*line[1:], None], strict=False):
        if role.kind != "role":
            continue
        who = None
        if before and re.fullmatch(r",\s(?:the\s)?", text[before.end : role.start]):
            who = before
        elif after and after.start - role.end <= _REACH:
            between = text[role.end : after.start]
            for one in others[bisect_left(others, role.end, key=lambda one: one.start) :]:
                if one.end > after.start:
                    break
                between = between.replace(text[one.start : one.end], "")  # of what it is the post
            who = after if _is_title(between) else None
        if who and who.kind == "name":
            kept.append(role._replace(key=f"{role.key} {who.key}"))
    return kept
