"""Themes from config.toml and the packaged terms, compiled into a lexicon."""

import difflib
import hashlib
import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

from digest.config.settings import THRESHOLD, TermLists, ThemeSettings
from digest.config.values import LANGUAGES
from digest.errors import LexiconError
from digest.language import words
from digest.themes.scan import Finder, Slot, parse_term

FORMS = "forms_ru.json"


def shipped_names() -> tuple[str, ...]:
    """Keys of the themes for which the package brings terms, sorted."""
    found = (entry.name for entry in _folder().iterdir())
    return tuple(sorted(name.removesuffix(".toml") for name in found if name.endswith(".toml")))


@cache
def shipped_text(theme: str) -> str:
    """The packaged lexicon of a theme as it is written; empty where the package has none."""
    if theme not in shipped_names():
        return ""
    return _folder().joinpath(f"{theme}.toml").read_text(encoding="utf-8")


@cache
def shipped_terms(theme: str) -> dict[str, TermLists]:
    """The packaged terms of a theme by language; none for a theme that the package does not know."""
    found = tomllib.loads(shipped_text(theme))
    return {language: TermLists.model_validate(lists) for language, lists in found.items()}


@cache
def shipped_forms_text() -> str:
    """The table of `shipped_forms` as it is written."""
    return _folder().joinpath(FORMS).read_text(encoding="utf-8")


@cache
def shipped_forms() -> dict[str, tuple[str, ...]]:
    """Every form of each Russian word in the packaged lexicons, as `words.russian_forms` gives them.

    It spares the start-up of pymorphy3; scripts/lexicon_forms writes it anew.
    """
    found = json.loads(shipped_forms_text())
    return {word: tuple(forms.split()) for word, forms in found.items()}


def _folder() -> Traversable:
    return files("digest.themes").joinpath("lexicons")


RULES = 3
"""Number of the rules in terms, scan, reading, prose and themes; another makes another lexicon version."""
STRONG, PLAIN, WEAK = 1.0, 0.6, 0.2


class Role(Enum):
    """What a term does where it is found."""

    COUNTS = "counts"
    BESIDE = "beside"  # counts only in a sentence that holds a companion or a counting term
    COMPANION = "companion"  # only lets others count
    IGNORE = "ignore"  # blots out what it covers


_LISTS = (
    ("strong", Role.COUNTS, STRONG),
    ("terms", Role.COUNTS, PLAIN),
    ("weak", Role.COUNTS, WEAK),
    ("beside", Role.BESIDE, WEAK),
    ("companions", Role.COMPANION, 0.0),
    ("ignore", Role.IGNORE, 0.0),
)


@dataclass(frozen=True, slots=True, eq=False)
class Term:
    """A term of one theme in one language, as it is written and as it is looked for."""

    theme: int
    language: str
    written: str
    role: Role
    weight: float
    slots: tuple[Slot, ...]


@dataclass(frozen=True)
class Lexicon:
    """Every theme's terms, ready to be looked up.

    `themes` holds each theme's key and threshold in the order of config.toml. `version` is a hash
    over all that decides: equal versions judge every article alike. `kinds` (theme and role),
    `roles` and `weights` are those of each term, by its number.
    """

    themes: tuple[tuple[str, float], ...]
    terms: tuple[Term, ...]
    version: str
    written: tuple[str, ...] = field(repr=False)
    kinds: tuple[tuple[int, Role], ...] = field(repr=False)
    roles: tuple[Role, ...] = field(repr=False)
    weights: tuple[float, ...] = field(repr=False)
    _finders: dict[str, Finder] = field(default_factory=dict, repr=False, compare=False)

    def finder(self, language: str) -> Finder:
        """The finder of a language's terms; of all languages' where the language is not known."""
        wanted = language if language in LANGUAGES else ""
        if wanted not in self._finders:
            self._finders[wanted] = Finder(
                (
                    (number, term.language, term.slots)
                    for number, term in enumerate(self.terms)
                    if wanted in ("", term.language)
                ),
                russian_forms,
            )
        return self._finders[wanted]


def compile_lexicon(themes: Sequence[ThemeSettings]) -> Lexicon:
    """Read every theme's terms: the packaged ones, with what config.toml adds, changes and removes.

    Raises:
        LexiconError: a term cannot be read, or a theme has none.
    """
    terms = tuple(term for i, theme in enumerate(themes) for term in _theme_terms(i, theme))
    return Lexicon(
        tuple((theme.name, _limit(theme)) for theme in themes),
        terms,
        lexicon_version(themes),
        written=tuple(term.written for term in terms),
        kinds=tuple((term.theme, term.role) for term in terms),
        roles=tuple(term.role for term in terms),
        weights=tuple(term.weight for term in terms),
    )


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
    """The version of the lexicon that these themes make, without making it.

    It is a hash over what decides as it is written: a lexicon of the package or a theme's own terms
    in another order have another version, though they may judge alike.
    """
    decides = [
        (
            theme.name,
            _limit(theme),
            shipped_text(theme.name) if theme.lexicon == "shipped" else "",
            {language: lists.model_dump() for language, lists in theme.terms.items()},
        )
        for theme in themes
    ]
    text = json.dumps([RULES, shipped_forms_text(), decides], ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _limit(theme: ThemeSettings) -> float:
    return theme.threshold or THRESHOLD


def russian_forms(word: str) -> Sequence[str]:
    """Every form of a folded Russian word, from the package's table where it has the word."""
    known = shipped_forms().get(word)
    if known is not None:
        return known
    return words.russian_forms(word) if words.is_cyrillic(word) else (word,)


def packaged_words() -> set[str]:
    """The folded Russian words of the packaged lexicons whose forms are looked for."""
    slots = (
        slot
        for name in shipped_names()
        for written, _, _ in _entries(shipped_terms(name).get("ru", TermLists()))
        for slot in parse_term(written, "ru", name)
    )
    found = (word for slot in slots for word in slot.words)
    return {w.text for w in found if not w.exact and not w.open and words.is_cyrillic(w.text)}


def _theme_terms(number: int, theme: ThemeSettings) -> Iterator[Term]:
    shipped = shipped_terms(theme.name) if theme.lexicon == "shipped" else {}
    counting = 0
    for language in dict.fromkeys((*shipped, *theme.terms)):
        for written, role, weight, slots in _merged(theme, shipped, language):
            counting += role is Role.COUNTS
            yield Term(number, language, written, role, weight, slots)
    if not counting:
        raise LexiconError(
            f"theme {theme.name!r} has no terms that count; give it strong, terms or weak ones under "
            f"[themes.terms.en], or name it after a packaged lexicon: {', '.join(shipped_names())}"
        )


def _merged(
    theme: ThemeSettings, shipped: Mapping[str, TermLists], language: str
) -> Iterator[tuple[str, Role, float, tuple[Slot, ...]]]:
    """The packaged terms and the theme's own; an own term takes the place of its packaged twin."""
    own = theme.terms.get(language, TermLists())
    merged: dict[tuple[Slot, ...], tuple[str, Role, float]] = {}
    for lists in (shipped.get(language, TermLists()), own):
        read: dict[tuple[Slot, ...], tuple[str, Role, float]] = {}
        for written, role, weight in _entries(lists):
            slots = parse_term(written, language, theme.name)
            if slots in read:
                raise LexiconError(
                    f"theme {theme.name!r}, language {language!r}, term {written!r}: it stands there "
                    f"twice, also as {read[slots][0]!r}; a term may stand in one list, once"
                )
            read[slots] = (written, role, weight)
        merged |= read
    for written in own.remove:
        if merged.pop(parse_term(written, language, theme.name), None) is None:
            near = difflib.get_close_matches(written, [term for term, _, _ in merged.values()], n=1)
            raise LexiconError(
                f"theme {theme.name!r}, language {language!r}, term {written!r}: it stands in "
                f"remove, but no such term is packaged; write it as the packaged lexicon does"
                + (f", perhaps {near[0]!r}" if near else "")
            )
    for slots, (written, role, weight) in merged.items():
        yield written, role, weight, slots


def _entries(lists: TermLists) -> Iterator[tuple[str, Role, float]]:
    for name, role, weight in _LISTS:
        for written in getattr(lists, name):
            yield written, role, weight
    for written, weight in lists.weights.items():
        yield written, Role.COUNTS, weight
