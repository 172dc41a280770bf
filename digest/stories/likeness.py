"""When two articles are about the same event, how an article joins a story, and which one leads it."""

import json
import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import lru_cache
from itertools import product
from typing import NamedTuple

from digest.language.text import word_lists
from digest.stories.fingerprints import Fingerprint, from_json, hash_of, rarity_of, word_set

WINDOW = 21  # most days between two articles of one story
LINKED, _SURE = 0.5, 0.65  # the scores from which two articles are linked, and not by a thin link
_SHARE = 0.35  # the most that one term carries of a likeness: one or two words make none
# What makes a score: each is added to the logarithm of the odds that two articles are about one event.
_START = 2.75
_ALIKE = 3.2  # times the logarithm of how alike their terms are
_SAME_NAMES = 4.5  # times how alike the names are, in copy long enough to name what it is about
_ONLY_WHERE = 0.5  # of that where the names in common are places
_SAME_NUMBERS = 1.5  # times how rare the numbers in common are together, three at most
_OTHER_NUMBERS = -8.0  # times how alike they are but for that: one report with other amounts
_RARE, _SAME_RARE = 0.7, 2.0  # times how much more than one rare name is in common
_TEMPLATE, _OTHER_THINGS = -12.0, -1.0  # times what both have of their own
_REWORDED = -4.0  # most of the wording is the same, but not what it is about
_SAME_DAY_NAMED = 2.0  # both name a day besides the one they are filed under
_OTHER_DAYS = -2.3  # each names days, but none in common
_APART = -0.75  # for each day between them; less if they are very alike and differ in nothing
_ONE_UNDATED, _CAME, _BOTH_UNDATED = -4.1, -1.5, -2.3  # _CAME: the undated one came soon
_COPY = 6.0  # one is a copy or the opening of the other, with the same names, numbers and days
_FEW, _LONG = 8, 22  # terms of copy too short to name what it is about, and of copy that does
_UNTRANSLATED = 0.6  # of a word that is in no vocabulary, where the languages differ
_NUMBER = 0.4  # a number is at least this rare to tell something
_COPIED, _SOME = 0.5, 0.12  # share of shingles in common of a copy at least, and by chance at most
_TRANSLATED = 0.45  # how alike a translation is to its original; other accounts are less
_TELLING = 0.45  # how rare a term must be to be given as a reason
_CYRILLIC = ("ru",)  # of two spellings of a name the Latin one is shown
_VOWELS = re.compile("[aeiouy]+")
_NAME, _WORD = 1.25, 0.9  # what a name and a word outside the vocabulary weigh


@dataclass(frozen=True, slots=True)
class Comparison:
    """How alike two articles are.

    `score` is 0 to 1, and 0.5 where the link begins; a `thin` link is hardly more. `kind` is "copy",
    "teaser" (one is the opening of the other), "translation" or "same-story". `reasons` are words
    for an editor, for and against.
    """

    score: float
    kind: str
    linked: bool
    reasons: tuple[str, ...]

    @property
    def thin(self) -> bool:
        return self.linked and self.score < _SURE


@dataclass(frozen=True, slots=True)
class Member:
    """An article of a story, as the choice of the lead needs it.

    `source_rank` is the place of its source in config.toml, 0 the first.
    """

    article_id: int
    complete: bool
    first_seen_at: datetime
    source_rank: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Counts:
    """In how many of a newsroom's articles the usual keys were, by their hashes, when last counted."""

    version: int = 0
    articles: int = 0
    keys: Mapping[int, int] = field(default_factory=dict)

    def rarity_of(self, key: str) -> float:
        """How rare a key is in general or here; here 1 is in less than three of a thousand articles."""
        count = self.keys.get(hash_of(key)) if self.keys and key[0] != "#" else None
        here = -math.log10(count / self.articles) / 2.5 if count else 1.0
        return min(rarity_of(key), max(0.05, here))


UNCOUNTED = Counts()


class _Weighed(NamedTuple):
    """A fingerprint with what comparing it needs: its weights and their length, names and numbers.

    `things` are the names, and with them organisations and countries, as they are spelt.
    """

    print_: Fingerprint
    weights: dict[str, float]
    names: set[str]
    things: dict[str, str]
    numbers: set[str]
    length: float


def _weighed(print_: Fingerprint, counts: Counts) -> _Weighed:
    names = {term.key for term in print_.terms if term.is_name}
    weights = {
        key: weight
        * counts.rarity_of(key)
        * (_NAME if key in names else _WORD if key[0] == "~" else 1.0)
        for key, _, weight in print_.terms
    }
    numbers = {key for key in weights if key[0] == "#" and rarity_of(key) > _NUMBER}
    named = names | word_set("places")
    things = {k: form.lower() for k, form, _ in print_.terms if k in named or k[0] == "@"}
    return _Weighed(print_, weights, names, things, numbers, math.hypot(*weights.values()))


def compare(a: Fingerprint, b: Fingerprint, counts: Counts = UNCOUNTED) -> Comparison:
    """Whether two articles are about the same event, and why; the same in either order."""
    judgement = _judge(_weighed(a, counts), _weighed(b, counts))
    if a.language != b.language:
        kind = "translation" if judgement.alike >= _TRANSLATED else "same-story"
    elif _overlap(a.opening, b.opening) >= _COPIED and not 0.5 < a.size / max(1, b.size) < 2:
        kind = "teaser"
    else:
        kind = "copy" if judgement.copied >= _COPIED else "same-story"
    # The terms that both have, the most telling first.
    others = {term.key: term for term in b.terms}
    shared = [(term, others[term.key]) for term in a.terms if term.key in others]
    shared = [pair for pair in shared if rarity_of(pair[0].key) >= _TELLING]
    shared.sort(
        key=lambda pair: (-pair[0].weight * pair[1].weight * rarity_of(pair[0].key), pair[0].key)
    )
    groups: dict[str, list[str]] = {"names": [], "organisations": [], "both say": [], "words": []}
    for one, other in shared:
        words = "names" if one.is_name and other.is_name else "words"
        group = {"@": "organisations", "#": "both say"}.get(one.key[0], words)
        forms = sorted([(a.language in _CYRILLIC, one.form), (b.language in _CYRILLIC, other.form)])
        groups[group].append(forms[0][1])
    reasons = judgement.about
    reasons += [f"{name}: {', '.join(forms[:6])}" for name, forms in groups.items() if forms]
    if judgement.copied >= _COPIED:
        reasons.append(f"{judgement.copied:.0%} word for word")
    return Comparison(judgement.score, kind, judgement.score >= LINKED, tuple(reasons))


def link(
    new: str, candidates: Iterable[tuple[int, str]], counts: Counts = UNCOUNTED
) -> list[tuple[int, Comparison]]:
    """The candidates about the same event as `new`, best first; each with its article's id.

    Fingerprints are JSON. What was compared lately is remembered: so it can be done before a write, in
    which then only what came in between is compared.
    """
    judged = ((number, _linked(new, each, counts)) for number, each in candidates)
    linked = [(number, comparison) for number, comparison in judged if comparison is not None]
    return sorted(linked, key=lambda pair: (-pair[1].score, pair[0]))


@lru_cache(maxsize=2048)
def _linked(one: str, other: str, counts: Counts) -> Comparison | None:
    a, b = _read(one, counts), _read(other, counts)
    return compare(a.print_, b.print_, counts) if _judge(a, b, quick=True).score >= LINKED else None


@lru_cache(maxsize=128)
def _read(fingerprint: str, counts: Counts) -> _Weighed:
    return _weighed(from_json(fingerprint), counts)


# A comparison without the terms in common, which only an editor reads.
class _Judgement(NamedTuple):
    score: float
    alike: float
    copied: float
    about: list[str]


def _judge(one: _Weighed, other: _Weighed, *, quick: bool = False) -> _Judgement:
    """How alike two articles are, and what their days, names and numbers say for and against.

    If `quick`, a score that cannot reach LINKED is not worked out.
    """
    a, b = one.print_, other.print_
    shared = one.weights.keys() & other.weights.keys()
    foreign, pairs = a.language != b.language, ((one, other), (other, one))
    if not foreign and (both := shared & one.names & other.names):
        declined = a.language in _CYRILLIC
        shared -= {k for k in both if _parted(one.things[k], other.things[k], declined)}
    alike = _cosine(one, other, shared, foreign=foreign)
    odds, apart, conflict, about = _compare_days(a, b)
    likely = _START + _ALIKE * math.log(alike + 0.03)
    copied = max(_overlap(a.opening, b.opening), _overlap(a.sketch, b.sketch))
    if odds == -math.inf or not shared:
        return _Judgement(0.0, alike, copied, about)
    names = shared & (one.names | other.names)
    enough = (min(len(a.terms), len(b.terms)) - _FEW) / (_LONG - _FEW)
    if names:
        # Who and where is not yet what: something else must be in common too.
        what = math.fsum(min(one.weights[key], other.weights[key]) for key in shared - names)
        enough = min(1.0, what, max(0.0, enough))
        only_where = _ONLY_WHERE if names <= word_set("places") else 1.0
        odds += _SAME_NAMES * only_where * enough * _names_alike(one, other, names)
    if same := one.numbers & other.numbers:
        odds += _SAME_NUMBERS * min(3.0, math.fsum(map(rarity_of, same)))
    elif one.numbers and other.numbers:
        # 5 kg of opium here and 8 kg there.
        odds += _OTHER_NUMBERS * max(0.05, alike - 0.15)
        conflict = True
    if quick and copied < _COPIED and odds + likely + 2 * _SAME_RARE < 0:
        return _Judgement(0.0, alike, copied, about)
    # What both have of their own tells less in long copy, which says more of everything.
    brief = (_LONG / max(_LONG, min(len(a.terms), len(b.terms)))) ** 2
    amounts, own = brief * min(len(x.numbers - y.numbers) for x, y in pairs), 0.0
    if amounts:
        about.append("other numbers")
    # Organisations, places and round numbers come again with each event of a beat.
    telling = (k for k in names | same if k[0] != "@" and k not in word_set("places"))
    rare = math.fsum(each for k in telling if (each := rarity_of(k)) > _RARE)
    if foreign or copied > _SOME or rare > 1:
        own = brief * min(3.0, *(_own(x, y, shared, foreign=foreign) for x, y in pairs))
    # In the same words each names what the other does not: the ambassadors of two countries.
    odds += _TEMPLATE * max(0.0, copied - _SOME) * (own + amounts)
    odds += _OTHER_THINGS * own * foreign * (1 if names else 2)
    if rare > 1 and own < 1 and (apart < 3 or not (a.day and b.day)):
        odds += _SAME_RARE * min(2.0, rare - 1)
    if own >= 1 and (foreign or copied > _SOME):
        conflict = True
        about.append("each names others")
    if copied >= _COPIED:
        said = min(sum(w <= 1 and k not in shared for k, _, w in x.print_.terms) for x, _ in pairs)
        odds += _REWORDED if brief * said >= 2 or conflict or amounts >= 1 else _COPY
    if a.day and b.day:
        odds += _APART * apart * (1 if conflict else 1 - alike)
    odds += likely
    return _Judgement(round(1 / (1 + math.exp(-odds)), 4), alike, copied, about)


def _own(one: _Weighed, other: _Weighed, shared: set[str], *, foreign: bool) -> float:
    """How much only one names, whatever its ending or, if `foreign`, all but the first sounds."""
    spelt = other.things if foreign else {term.form.lower() for term in other.print_.terms}
    known = "".join(f" {each}" for each in spelt)
    own = one.things.keys() - shared
    return math.fsum(
        weight * (2.0 if key in word_set("places") else 1.0)
        for key, form, weight in one.print_.terms
        if key in own
        and f" {key[:3] if foreign else form.lower()[: max(4, len(form) - 2)]}" not in known
    )


def _parted(one: str, other: str, declined: bool) -> bool:
    """Whether two spellings in one alphabet are two names: Meredov, Myradov; in English Saidov, Saidova."""
    longer = not declined and "a" in (one.removeprefix(other), other.removeprefix(one))
    return longer or sum(map(str.__ne__, _VOWELS.findall(one), _VOWELS.findall(other))) > 1


def _cosine(one: _Weighed, other: _Weighed, shared: set[str], *, foreign: bool) -> float:
    """The cosine of the terms of two articles, in which no term has more than its share."""
    products = sorted((one.weights[key] * other.weights[key] for key in shared), reverse=True)
    # The first `cut` terms are cut to the level that is their share of the whole.
    for cut in range(3):
        rest = math.fsum(products[cut:])
        level = rest / (1 / _SHARE - cut)
        if len(products) <= cut or products[cut] <= level:
            break
    length = _length(one, shared, foreign) * _length(other, shared, foreign)
    return min(1.0, (rest + cut * level) / length) if length else 0.0


def _length(each: _Weighed, shared: set[str], foreign: bool) -> float:
    """The length of an article's terms; what no vocabulary translates counts less if `foreign`."""
    if not foreign:
        return each.length
    whole = shared | each.names
    scaled = (
        weight * (_UNTRANSLATED if key[0] == "~" and key not in whole else 1.0)
        for key, weight in each.weights.items()
    )
    return math.hypot(*scaled)


def _names_alike(one: _Weighed, other: _Weighed, shared: set[str]) -> float:
    """The cosine of the names of two articles, of which they share these; less if all are common."""
    product = math.fsum(one.weights[key] * other.weights[key] for key in shared)
    own = [[each.weights[key] for key in each.names | shared] for each in (one, other)]
    return product / max(1.0, math.hypot(*own[0]) * math.hypot(*own[1]))


def _compare_days(a: Fingerprint, b: Fingerprint) -> tuple[float, int, bool, list[str]]:
    """What two articles' days add to the odds, how far they are apart, whether they differ; and words."""
    own = a.day.isoformat() if a.day and a.day == b.day else None
    # The days that both name, with the year where one of them gives it.
    named = {
        max(one, other)
        for one in a.days
        for other in b.days
        if one == other or (one[-5:] == other[-5:] and "-" in (one[0], other[0]))
    }
    telling = sorted(day for day in named - {own} if day[-5:] not in word_set("world_days"))
    about = ["both name " + ", ".join(_spoken(day) for day in telling)] if telling else []
    # An article of an unknown day counts by the day it came, or else by the days that it names.
    ours, theirs = (
        [each.when]
        if each.when
        else [date.fromisoformat(one) for one in each.days if one[0] != "-"]
        for each in (a, b)
    )
    apart = min((abs((one - other).days) for one in ours for other in theirs), default=0)
    if apart and (apart > WINDOW or (a.day and b.day)):
        about.append("1 day apart" if apart == 1 else f"{apart} days apart")
    elif a.day and b.day:
        about.append(f"same day {_spoken(a.day.isoformat())}")
    if apart > WINDOW:
        return -math.inf, apart, True, about
    odds = 0.0
    if a.day is None or b.day is None:
        odds = (_CAME if a.when and b.when else _ONE_UNDATED) if a.day or b.day else _BOTH_UNDATED
        about.append("a day is unknown")
    if any(day[0] != "-" for day in telling):
        odds += _SAME_DAY_NAMED
    differ = bool(a.days and b.days and not named)
    if differ:
        odds += _OTHER_DAYS
        about.append("they name different days")
    return odds, apart, differ, about


def _spoken(day: str) -> str:
    """A day as an editor writes it: 21 November 2022."""
    year, month, number = day[:-6], int(day[-5:-3]), int(day[-2:])
    name = word_lists("language/languages.toml")["months"]["en"][month - 1]
    return f"{number} {name} {year}" if year.isdigit() else f"{number} {name}"


def _overlap(first: tuple[int, ...], second: tuple[int, ...]) -> float:
    """The share of shingles in common, estimated from the smallest of both (bottom-k)."""
    size = min(len(first), len(second))
    if not size:
        return 0.0
    smallest = sorted({*first, *second})[:size]
    return len({*first} & {*second} & {*smallest}) / size


def wanted(new: Fingerprint) -> dict[str, str]:
    """The parameters of CANDIDATES but for `article_id`, the article's own id (0 before it has one)."""
    earliest, latest = date.min, date.max
    if (when := new.when) is not None:
        earliest = date.fromordinal(max(1, when.toordinal() - WINDOW))
        latest = date.fromordinal(min(date.max.toordinal(), when.toordinal() + WINDOW))
    return {
        "keys": json.dumps(new.keys),
        "earliest": earliest.isoformat(),
        "latest": latest.isoformat(),
    }


def in_window(a: Fingerprint, b: Fingerprint) -> bool:
    """Whether CANDIDATES gives the one for the other by their days."""
    return a.when is None or b.when is None or abs((a.when - b.when).days) <= WINDOW


def group(
    days: Mapping[int, date | None],
    links: Sequence[tuple[int, int]],
    joined: Collection[tuple[int, int]] = (),
    split: Collection[tuple[int, int]] = (),
) -> list[set[int]]:
    """The articles in groups that are stories, or alone; the same whatever their ids.

    Along `links`, the best first, two groups become one if their days are at most WINDOW apart and
    half of the pairs between them are linked: so a chain of articles, each a little like the next,
    does not grow into one story. What editors joined is together at the end, what they split is not.
    """
    groups, rulings = ({article: {article} for article in days} for _ in range(2))
    linked, apart = ({frozenset(pair) for pair in pairs} for pairs in (links, split))

    def merge(merged: dict[int, set[int]], one: int, other: int) -> None:
        merged[one] |= merged[other]
        merged.update(dict.fromkeys(merged[other], merged[one]))

    def fit(one: set[int], other: set[int]) -> bool:
        known = [day for article in one | other if (day := days[article])]
        if known and (max(known) - min(known)).days > WINDOW:
            return False
        if 2 * sum(frozenset(pair) in linked for pair in product(one, other)) < len(one) * len(
            other
        ):
            return False
        ours, theirs = (
            set[int]().union(*(rulings[each] for each in side)) for side in (one, other)
        )
        return all(frozenset(pair) not in apart for pair in product(ours, theirs))

    for one, other in joined:
        merge(rulings, one, other)
    again = True
    while again:
        again = False
        for one, other in links:
            if groups[one] is not groups[other] and fit(groups[one], groups[other]):
                merge(groups, one, other)
                again = True
    for one, other in joined:
        merge(groups, one, other)
    return list({id(each): each for each in groups.values()}.values())


def lead_of(members: Iterable[Member]) -> int:
    """The article that leads: a complete one, then the one first seen, then by the source's rank.

    An article that comes later is seen later, so it takes the lead only from a teaser.

    Raises:
        ValueError: there are no members.
    """
    return min(
        members,
        key=lambda each: (not each.complete, each.first_seen_at, each.source_rank, each.article_id),
    ).article_id
