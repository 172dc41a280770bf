"""The language of copy, and the forms of a word that count as the same word."""

import re
import unicodedata
from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any

from digest.language.text import fold, word_lists, words

_SAMPLE = 4000
"""Characters of a text that are read to detect its language."""
_WORDS_FOR_A_NAME = 10
"""One word of this many may have letters that Russian lacks: Russian copy has foreign names."""
_WORDS_WITH_A_NAME = 6
"""Copy of this many words or more may always have one such name."""
_CYRILLIC_LETTER = re.compile(r"[\u0400-\u04ff\u0500-\u052f]")
_LATIN_LETTER = re.compile(r"[a-z\u00c0-\u024f]")
_OTHER_LETTER = re.compile(r"[^\W\d_a-z\u00c0-\u024f\u0400-\u052f]")
_NOT_RUSSIAN = re.compile(r"[^\W\d_а-яё]")
_TURKMEN_LETTER = re.compile(r"[äňşžýöüç]")
_TURKMEN_ONLY = re.compile(r"[ňžý]")
_NOT_TURKMEN = re.compile(r"[ığəâîûßàèéêëáíóúñøåæœãõčšřěůľťďąęłńśźż]")

_TURKMEN_ENDING = re.compile(
    r".{2}(?:lary|leri|lar|ler|lyk|lik|nda|nde|ynda|inde|ynyň|iniň|nyň|niň|dyr|dir|dy|di|ýar|ýär|ýän"
    r"|ýan|lan|len|lyp|lip|gyny|syny|sini|syna|sine|daky|däki)"
)


def detect(text: str) -> str:
    """ "en", "ru" or "tk"; "" for any other language and for text whose language is unclear."""
    sample = text[:_SAMPLE].lower()
    cyrillic_letters = len(_CYRILLIC_LETTER.findall(sample))
    latin_letters = len(_LATIN_LETTER.findall(sample))
    known_letters = cyrillic_letters + latin_letters
    if not known_letters or len(_OTHER_LETTER.findall(sample)) > known_letters:
        return ""
    copy = words(sample)
    if cyrillic_letters > latin_letters:
        foreign = sum(
            1 for word in copy if _CYRILLIC_LETTER.search(word) and _NOT_RUSSIAN.search(word)
        )
        if foreign > max(len(copy) / _WORDS_FOR_A_NAME, len(copy) >= _WORDS_WITH_A_NAME):
            return ""
        counts = _count_small_words(copy, "cyrillic")
        return "ru" if counts["ru"] >= max(counts.values()) else ""
    counts = _count_small_words(copy, "latin")
    turkmen = len(_TURKMEN_LETTER.findall(sample))
    strange = len(_NOT_TURKMEN.findall(sample))
    if strange <= latin_letters / 100 and turkmen > latin_letters / 40:
        endings = sum(1 for word in copy if _TURKMEN_ENDING.fullmatch(word[-8:]))
        own = len(_TURKMEN_ONLY.findall(sample))
        foreign = max(count for language, count in counts.items() if language != "tk")
        if (own or counts["tk"] or endings) and counts["tk"] + endings >= foreign:
            return "tk"
    best = max(counts, key=lambda language: counts[language])
    if counts[best] > counts["en"]:
        return "tk" if best == "tk" else ""
    if counts["en"] * 12 >= len(copy) or turkmen + strange <= latin_letters / 40:
        return "en"
    return ""


def _count_small_words(copy: list[str], alphabet: str) -> dict[str, int]:
    """How many of the words are small words of each language with that alphabet."""
    small_words = _small_words(alphabet).items()
    return {language: sum(word in small for word in copy) for language, small in small_words}


@cache
def _small_words(alphabet: str) -> dict[str, frozenset[str]]:
    listed = word_lists("language/languages.toml")[f"{alphabet}_languages"]
    return {language: frozenset(small) for language, small in listed.items()}


_TRANSLITERATION = str.maketrans(
    {
        "а": "a", "б": "b", "в": "v", "г": "g", "д": "d", "е": "e", "ё": "e", "ж": "zh", "з": "z",
        "и": "i", "й": "y", "к": "k", "л": "l", "м": "m", "н": "n", "о": "o", "п": "p", "р": "r",
        "с": "s", "т": "t", "у": "u", "ф": "f", "х": "kh", "ц": "ts", "ч": "ch", "ш": "sh",
        "щ": "shch", "ъ": "", "ы": "y", "ь": "", "э": "e", "ю": "yu", "я": "ya",
        "ә": "a", "җ": "j", "ң": "n", "ө": "o", "ү": "u", "ў": "u", "қ": "k", "ғ": "g", "ҳ": "h",
        "ұ": "u", "һ": "h", "і": "i", "ї": "yi", "є": "ye", "ґ": "g",
    }
)  # fmt: skip

_TURKIC = str.maketrans(
    {"ý": "y", "ş": "sh", "ž": "zh", "ň": "n", "ä": "a", "ö": "o", "ü": "u", "ç": "ch", "ı": "i"}
)

_SOFT_C = re.compile(r"c(?=[eiy])")

# Spellings of one sound; a capital is a sound that has no Latin letter.
_SOUND = {
    "shch": "S", "sch": "S", "sh": "S", "zh": "J", "dzh": "J", "dj": "J", "j": "J", "ch": "C",
    "tch": "C", "kh": "h", "gh": "g", "ph": "f", "th": "t", "ts": "s", "tz": "s", "ck": "k",
    "c": "k", "q": "k", "x": "ks", "w": "v",
}  # fmt: skip

_SOUNDS = re.compile("|".join(sorted(_SOUND, key=len, reverse=True)))
_VOWELS = re.compile(r"[aeiouy]+")
_DOUBLED = re.compile(r"(.)\1+")
# Case endings of Russian surnames, and of the other words that languages share.
_SURNAME = re.compile(r"(ов|ев|ин|ын)(?:а|у|ым|ой|е|ы|ых|ыми)$")

_ADJECTIVE = re.compile(
    r"(?:ическ|альн|ск|н)(?:ий|ый|ая|ое|ие|ые|ого|ому|им|ым|ом|ой|ую|их|ых|ими|ыми)$"
)

_NOUN = re.compile(r"(?:ци[яиюей]|ци[яе](?:м|х|ми)|ами|ями|ого|ому|ах|ях|ом|ем|ам|ям|ов|ей)$")


def latin(word: str) -> str:
    """`word` in lower-case Latin letters without marks; other alphabets stay."""
    plain = word.casefold().translate(_TRANSLITERATION).translate(_TURKIC)
    if plain.isascii():
        return plain
    parts = unicodedata.normalize("NFD", plain)
    return "".join(sign for sign in parts if not unicodedata.combining(sign))


@lru_cache(maxsize=1 << 14)
def stem(word: str) -> str:
    """A folded word's stem by its alphabet: Snowball for Russian, else for English."""
    return _snowball("russian" if _starts_cyrillic(word) else "english")(word)


@lru_cache(maxsize=1 << 14)
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
    if _starts_cyrillic(word):
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
_LONGEST_WORD = 40  # anything longer is not a word and stays unchanged


def is_cyrillic(word: str) -> bool:
    return _CYRILLIC.search(word) is not None


def index_forms(text: str, language: str) -> str:
    """The normal form of every word of `text`, joined by spaces, for a full-text index.

    The script of each word decides, not the text's language: copy in one script has names in the
    other. A Turkmen text ("tk") keeps its Latin words.
    """
    forms = []
    for word in words(text):
        if len(word) <= _LONGEST_WORD:
            if is_cyrillic(word):
                word = _russian_lemmas(word)[0]
            elif language != "tk":
                word = english_stem(word.removesuffix("'s"))
        forms.append(word)
    return " ".join(forms)


def query_forms(query: str) -> list[list[str]]:
    """For each word of `query`, in order, the normal forms that an index may have for it.

    A word finds a text if any of its forms is among the text's `index_forms`.
    """
    forms = []
    for word in words(query):
        of_word: tuple[str, ...] = (word,)
        if len(word) <= _LONGEST_WORD:
            english = (english_stem(word.removesuffix("'s")), word)
            of_word = _russian_lemmas(word) if is_cyrillic(word) else english
        forms.append(list(dict.fromkeys(of_word)))
    return forms


@lru_cache(maxsize=50_000)
def _russian_lemmas(word: str) -> tuple[str, ...]:
    """The folded normal forms that a Russian word may have, the most likely first."""
    parses = _morphology().parse(word.casefold())
    return tuple(dict.fromkeys(fold(parse.normal_form) for parse in parses)) or (fold(word),)


def russian_forms(word: str) -> tuple[str, ...]:
    """Every folded form of the word that `word` is a form of, sorted.

    If `word` is ambiguous, the words with it as normal form count, else only the most likely word.
    """
    given = fold(word)
    parses = _morphology().parse(word.casefold())
    chosen = [parse for parse in parses if fold(parse.normal_form) == given] or parses[:1]
    forms = {fold(form.word) for parse in chosen for form in parse.lexeme}
    return tuple(sorted(forms | {given}))


def english_stem(word: str) -> str:
    """The Snowball stem of a folded English word."""
    return _snowball("english")(word)


def _starts_cyrillic(word: str) -> bool:
    return "Ѐ" <= word[:1] <= "ӿ"


@cache
def _morphology() -> Any:
    from pymorphy3 import MorphAnalyzer

    return MorphAnalyzer(lang="ru")


@cache
def _snowball(language: str) -> Callable[[str], str]:
    """The stemmer for folded words of "english" or "russian"."""
    from Stemmer import Stemmer

    stem: Callable[[str], str] = Stemmer(language).stemWord
    return stem
