"""Names and loan words from one alphabet or spelling to another, for comparing and not for reading.

`latin` writes a word in plain Latin letters; `skeleton` keeps what survives a change of alphabet:
the consonants by their sound, so that Байрыев and Bayryev, Хаджиев and Hajiyev meet.
"""

import re
import unicodedata
from functools import lru_cache

from digest.editorial.words import snowball

_CYRILLIC = str.maketrans(
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
# Spellings of one sound; capital letters stand for sounds without a letter.
_SOUND = {
    "shch": "S", "sch": "S", "sh": "S", "zh": "J", "dzh": "J", "dj": "J", "j": "J", "ch": "C",
    "tch": "C", "kh": "h", "gh": "g", "ph": "f", "th": "t", "ts": "s", "tz": "s", "ck": "k",
    "c": "k", "q": "k", "x": "ks", "w": "v",
}  # fmt: skip
_SOUNDS = re.compile("|".join(sorted(_SOUND, key=len, reverse=True)))
_VOWELS = re.compile(r"[aeiouy]+")
_DOUBLED = re.compile(r"(.)\1+")

# Endings by case of Russian surnames, and of the other words that travel between languages.
_SURNAME = re.compile(r"(ов|ев|ин|ын)(?:а|у|ым|ой|е|ы|ых|ыми)$")
_ADJECTIVE = re.compile(
    r"(?:ическ|альн|ск|н)(?:ий|ый|ая|ое|ие|ые|ого|ому|им|ым|ом|ой|ую|их|ых|ими|ыми)$"
)
_NOUN = re.compile(r"(?:ци[яиюей]|ци[яе](?:м|х|ми)|ами|ями|ого|ому|ах|ях|ом|ем|ам|ям|ов|ей)$")


def is_cyrillic(word: str) -> bool:
    return "Ѐ" <= word[:1] <= "ӿ"


def latin(word: str) -> str:
    """`word` in lower-case Latin letters without marks; other alphabets stay as they are."""
    plain = word.casefold().translate(_CYRILLIC).translate(_TURKIC)
    if plain.isascii():
        return plain
    parts = unicodedata.normalize("NFD", plain)
    return "".join(sign for sign in parts if not unicodedata.combining(sign))


def bare(word: str) -> str:
    """A folded word without the ending that its case or number gives it."""
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


@lru_cache(maxsize=1 << 16)
def stem(word: str) -> str:
    """A folded word's stem by its alphabet: Snowball for Russian, else for English."""
    return snowball("russian" if is_cyrillic(word) else "english")(word)


@lru_cache(maxsize=1 << 16)
def skeleton(word: str) -> str:
    """The sounds of a name or loan word: consonants, and in short ones the kind of each vowel.

    Equal for the spellings of one name in Russian, English and Turkmen as a rule; never empty for
    a word with a letter.
    """
    plain = latin(bare(word.casefold()))
    sounds = _SOUNDS.sub(lambda found: _SOUND[found.group()], _SOFT_C.sub("s", plain))
    opening = "a" if _VOWELS.match(sounds) else ""
    consonants = _DOUBLED.sub(r"\1", _VOWELS.sub("", sounds))
    if len(consonants) > 3:
        return opening + consonants
    inner = _VOWELS.sub(lambda found: _kind(found.group()), sounds.strip("aeiouy"))
    return (opening + _DOUBLED.sub(r"\1", inner)) or plain


def _kind(vowels: str) -> str:
    """Open, close or rounded: the vowel's kind that transliterations keep."""
    for vowel in vowels:
        if vowel in "ao":
            return "o"
        if vowel == "u":
            return "u"
    return "i"
