"""Themes from config.toml and the packaged terms, compiled into a lexicon."""

import difflib
import hashlib
import json
import tomllib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import cache
from importlib.resources import files

from digest.config.settings import THRESHOLD, TermLists, ThemeSettings
from digest.errors import LexiconError
from digest.language import words
from digest.language.words import LANGUAGES
from digest.themes.scan import Finder, Slot, parse_term

_FOLDER = files("digest.themes").joinpath("lexicons")


@cache
def shipped_names() -> tuple[str, ...]:
    """Keys of the themes with a packaged lexicon, sorted."""
    names = (entry.name for entry in _FOLDER.iterdir())
    return tuple(sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml")))


@cache
def shipped_text(theme: str) -> str:
    """The packaged lexicon of a theme as it is written; empty where the package has none."""
    path = _FOLDER.joinpath(f"{theme}.toml")
    return path.read_text(encoding="utf-8") if theme in shipped_names() else ""


@cache
def shipped_terms(theme: str) -> dict[str, TermLists]:
    """The packaged terms of a theme by language; empty where the package has none."""
    lists = tomllib.loads(shipped_text(theme))
    return {language: TermLists.model_validate(terms) for language, terms in lists.items()}


@cache
def shipped_forms_text() -> str:
    """The table of `shipped_forms` as it is written."""
    return _FOLDER.joinpath("forms_ru.json").read_text(encoding="utf-8")


@cache
def shipped_forms() -> dict[str, tuple[str, ...]]:
    """Every form of each Russian word in the packaged lexicons, as `words.russian_forms` gives them.

    It saves the start-up of pymorphy3. After a change of a lexicon run scripts/lexicon_forms.
    """
    return {word: tuple(forms.split()) for word, forms in json.loads(shipped_forms_text()).items()}


RULES = 5
"""Counts the changes of the rules by which terms are found and weighed; part of every lexicon's version."""
STRONG, PLAIN, WEAK = 1.0, 0.6, 0.2


class Role(Enum):
    """What a term does where it is found."""

    COUNTS = "counts"
    BESIDE = "beside"  # counts only in a sentence with a companion or a counting term
    COMPANION = "companion"  # only lets others count
    IGNORE = "ignore"  # blots out what it covers
    OURS = "ours"  # speaks for the theme's sense of ambiguous terms
    OTHERS = "others"  # speaks for another one


_LISTS = (
    ("strong", Role.COUNTS, STRONG),
    ("terms", Role.COUNTS, PLAIN),
    ("weak", Role.COUNTS, WEAK),
    ("beside", Role.BESIDE, WEAK),
    ("companions", Role.COMPANION, 0.0),
    ("ignore", Role.IGNORE, 0.0),
)


SIGNS = (Role.OURS, Role.OTHERS)
"""The roles of words that only tell senses apart."""


@dataclass(frozen=True, slots=True, eq=False)
class Term:
    """A term of one theme, given by its index, in one language: as written, and as searched for.

    `sense` names its other sense, or the one that a word of OURS and OTHERS tells apart; "" for none.
    """

    theme: int
    language: str
    written: str
    role: Role
    weight: float
    slots: tuple[Slot, ...]
    sense: str = ""


@dataclass(frozen=True)
class Lexicon:
    """Every theme's terms, ready to be found.

    `themes` holds each theme's key and threshold in the order of config.toml. Lexicons of equal
    `version` file every article alike. `kinds` (theme and role), `weights` and `senses` are those of
    each term, by its number; `told` has each theme and sense that needs words of OURS.
    """

    themes: tuple[tuple[str, float], ...]
    terms: tuple[Term, ...]
    version: str
    kinds: tuple[tuple[int, Role], ...] = field(repr=False)
    weights: tuple[float, ...] = field(repr=False)
    senses: tuple[str, ...] = field(repr=False)
    told: frozenset[tuple[int, str]] = field(repr=False)
    _finders: dict[tuple[str, tuple[int, str] | None], Finder] = field(
        default_factory=dict, repr=False, compare=False
    )

    def finder(self, language: str, signs_of: tuple[int, str] | None = None) -> Finder:
        """The finder of a language's terms, of all languages' where the language is not known; or of
        the words that tell the theme and sense `signs_of`.
        """
        wanted = language if language in LANGUAGES else ""
        if (wanted, signs_of) not in self._finders:
            terms = (
                (number, term.language, term.slots)
                for number, term in enumerate(self.terms)
                if wanted in ("", term.language)
                and ((term.theme, term.sense) if term.role in SIGNS else None) == signs_of
            )
            self._finders[wanted, signs_of] = Finder(terms, russian_forms)
        return self._finders[wanted, signs_of]


_compiled: dict[str, Lexicon] = {}


def lexicon_of(themes: Sequence[ThemeSettings]) -> Lexicon:
    """As `compile_lexicon`, which takes 0.1 s, but only once while the themes stay the same."""
    version = lexicon_version(themes)
    if version not in _compiled:
        lexicon = compile_lexicon(themes)
        _compiled.clear()  # a service whose config.toml changes needs only the newest
        _compiled[version] = lexicon
    return _compiled[version]


def lexicon_version(themes: Sequence[ThemeSettings]) -> str:
    """The version of the lexicon of these themes, without compiling it.

    It is a hash over the packaged files and the theme's own terms as they are written: another order
    gives another version, even if both file alike.
    """
    decides = [
        (
            theme.name,
            theme.threshold or THRESHOLD,
            shipped_text(theme.name) if theme.lexicon == "shipped" else "",
            {language: lists.model_dump() for language, lists in theme.terms.items()},
        )
        for theme in themes
    ]
    text = json.dumps([RULES, shipped_forms_text(), decides], ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def compile_lexicon(themes: Sequence[ThemeSettings]) -> Lexicon:
    """Read every theme's terms: the packaged ones, with what config.toml adds, changes and removes.

    Raises:
        LexiconError: a term cannot be read, or a theme has none.
    """
    terms: list[Term] = []
    for number, theme in enumerate(themes):
        shipped = shipped_terms(theme.name) if theme.lexicon == "shipped" else {}
        own = [
            term
            for language in dict.fromkeys((*shipped, *theme.terms))
            for term in _merged(number, theme, language, shipped.get(language, TermLists()))
        ]
        if not any(term.role is Role.COUNTS for term in own):
            raise LexiconError(
                f"theme {theme.name!r} has no terms that count; add strong, terms or weak ones under "
                f"[themes.terms.en], or name it after a packaged lexicon: {', '.join(shipped_names())}"
            )
        terms += own
    return Lexicon(
        tuple((theme.name, theme.threshold or THRESHOLD) for theme in themes),
        tuple(terms),
        lexicon_version(themes),
        kinds=tuple((term.theme, term.role) for term in terms),
        weights=tuple(term.weight for term in terms),
        senses=tuple(term.sense for term in terms),
        told=frozenset(
            (term.theme, term.sense) for term in terms if term.role is Role.OURS and not term.weight
        ),
    )


def _merged(
    number: int, theme: ThemeSettings, language: str, shipped: TermLists
) -> Collection[Term]:
    """The packaged terms and the theme's own in one language; an own term replaces its packaged twin."""
    where = f"theme {theme.name!r}, language {language!r}, term"
    own = theme.terms.get(language, TermLists())
    merged: dict[tuple[tuple[Slot, ...], str], Term] = {}
    for lists in (shipped, own):
        terms: dict[tuple[tuple[Slot, ...], str], Term] = {}
        for written, role, weight, sense in _entries(lists):
            slots = parse_term(written, language, theme.name)
            if (slots, sense) in terms:
                raise LexiconError(
                    f"{where} {written!r}: it is listed twice, also as "
                    f"{terms[slots, sense].written!r}; keep it in one list, once"
                )
            terms[slots, sense] = Term(number, language, written, role, weight, slots, sense)
        merged |= terms
    for written in own.remove:
        if merged.pop((parse_term(written, language, theme.name), ""), None) is None:
            near = difflib.get_close_matches(written, [t.written for t in merged.values()], n=1)
            raise LexiconError(
                f"{where} {written!r}: it is in remove, but no such term is packaged; write it as "
                "the packaged lexicon does" + (f", perhaps {near[0]!r}" if near else "")
            )
    for listed in (*shipped.senses, *own.senses):
        for written in listed.terms:
            key = (parse_term(written, language, theme.name), "")
            term = merged.get(key)
            if term is not None and term.sense in ("", listed.name):
                merged[key] = replace(term, sense=listed.name)
            elif term is not None or written not in own.remove:
                raise LexiconError(
                    f"{where} {written!r}: sense {listed.name!r} names it, but it is in no list, or in "
                    "another sense; name a term as its list writes it, in one sense"
                )
    return merged.values()


def _entries(lists: TermLists) -> Iterator[tuple[str, Role, float, str]]:
    """Each term with its role and weight; each sign, its sense, and 1 if the theme's is the usual one."""
    for name, role, weight in _LISTS:
        for written in getattr(lists, name):
            yield written, role, weight, ""
    for written, weight in lists.weights.items():
        yield written, Role.COUNTS, weight, ""
    for sense in lists.senses:
        for role, signs in ((Role.OURS, sense.ours), (Role.OTHERS, sense.others)):
            for written in signs:
                yield written, role, float(sense.usual), sense.name


def russian_forms(word: str) -> Sequence[str]:
    """Every form of a folded Russian word, from the package's table where it has the word."""
    known = shipped_forms().get(word)
    if known is not None:
        return known
    return words.russian_forms(word) if words.is_cyrillic(word) else (word,)


def packaged_words() -> set[str]:
    """The folded Russian words of the packaged lexicons whose forms are searched for."""
    slots = (
        slot
        for name in shipped_names()
        for written, *_ in _entries(shipped_terms(name).get("ru", TermLists()))
        for slot in parse_term(written, "ru", name)
    )
    terms = (word for slot in slots for word in slot.words)
    return {w.text for w in terms if not w.exact and not w.open and words.is_cyrillic(w.text)}
