"""Which language copy is in: by its script, by Turkmen letters, by the small words of each language.

A language that the product does not know is not forced into one that it does.
"""

import re
from functools import cache

from digest.prose import words
from digest.wordlists import word_lists

_SAMPLE = 4000
_NAMES = 10
"""One word in so many may have letters that Russian has not: names stand in Russian copy too."""

_SHORTEST = 6
"""From so many words on, one such name is allowed in any case."""

_CYRILLIC = re.compile(r"[\u0400-\u04ff\u0500-\u052f]")
_LATIN = re.compile(r"[a-z\u00c0-\u024f]")
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
    """ "en", "ru" or "tk"; "" for any other language and for what has no words to tell by."""
    sample = text[:_SAMPLE].lower()
    cyrillic = len(_CYRILLIC.findall(sample))
    latin = len(_LATIN.findall(sample))
    if len(_OTHER_LETTER.findall(sample)) > cyrillic + latin or not cyrillic + latin:
        return ""
    found = words(sample)
    if cyrillic > latin:
        return _by_cyrillic(found)
    return _by_latin(sample, found, latin)


def _by_cyrillic(found: list[str]) -> str:
    strange = sum(1 for word in found if _CYRILLIC.search(word) and _NOT_RUSSIAN.search(word))
    if strange > max(len(found) / _NAMES, len(found) >= _SHORTEST):
        return ""
    counts = _count(found, "cyrillic")
    return "ru" if counts["ru"] >= max(counts.values()) else ""


def _by_latin(sample: str, found: list[str], letters: int) -> str:
    counts = _count(found, "latin")
    turkmen = len(_TURKMEN_LETTER.findall(sample))
    strange = len(_NOT_TURKMEN.findall(sample))
    if strange <= letters / 100 and turkmen > letters / 40:
        endings = sum(1 for word in found if _TURKMEN_ENDING.fullmatch(word[-8:]))
        own = len(_TURKMEN_ONLY.findall(sample))
        foreign = max(count for language, count in counts.items() if language != "tk")
        if (own or counts["tk"] or endings) and counts["tk"] + endings >= foreign:
            return "tk"
    best = max(counts, key=lambda language: counts[language])
    if counts[best] > counts["en"]:
        return "tk" if best == "tk" else ""
    if counts["en"] * 12 >= len(found):
        return "en"
    return "en" if turkmen + strange <= letters / 40 else ""


def _count(found: list[str], alphabet: str) -> dict[str, int]:
    """How many of the words are small words of each language with that alphabet."""
    return {
        language: sum(1 for word in found if word in small)
        for language, small in _small_words(alphabet).items()
    }


@cache
def _small_words(alphabet: str) -> dict[str, frozenset[str]]:
    listed = word_lists("languages.toml")[f"{alphabet}_languages"]
    return {language: frozenset(small) for language, small in listed.items()}
