"""Which language copy is in: by its script, by Turkmen letters, by the small words of each language.

A language that the product does not know is not forced into one that it does.
"""

import re

from digest.prose import words

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

_SMALL_WORDS = {
    language: frozenset(text.split())
    for language, text in {
        "en": "the of and to in a an for on with by at is are was were from that this as be has have "
        "its their will which who not how more new against after between into over about under",
        "tk": "we bilen üçin hem bu boldy bolan boýunça barada baradaky edildi edilen geçirildi bolup "
        "ol bir türkmen türkmenistan türkmenistanyň türkmenistanda döwlet halkara boýunca ýurduň "
        "aşgabatda arasynda baglanyşykly öz diýip etmek garşy nji njy ýylyň esasynda welin hakynda",
        "tr": "ve bir bu için ile de da olarak olan ne gibi daha çok en sonra ya ama türkiye yeni",
        "uz": "va uchun bilan boʻyicha bo'yicha toshkent oʻzbekiston o'zbekiston ham bu bir hamda "
        "boʻldi bo'ldi qarshi tomonidan respublikasi davlat haqida toʻgʻrisida to'g'risida",
        "az": "və üçün ilə bu bir də azərbaycan olan edib",
        "de": "der die das und in den von zu mit sich des auf für ist im dem nicht ein eine als auch",
        "fr": "le la les de des et en un une du dans que pour qui sur par au avec est aux contre",
        "es": "el la los las de del y en que un una por con para se su al es contra",
        "it": "il la di e che in un una per con del della dei nel alla sono contro",
        "pl": "i w z na do się nie że jest dla przez od przeciwko po",
        "ru": "и в на с по не что для к от из о об как при за со это его их до во был была были было "
        "также у а но или после между против более года году который которые которая",
        "uk": "і в на з та що не для до від як у за про це його або також був була проти між при",
        "bg": "и на за в от се с да са по не това които към във беше ще срещу е при със",
        "sr": "и у на за од се да је са које који што су против",
        "tg": "ва дар бо аз ба барои ки ин бар то дигар ҷумҳурии тоҷикистон мебошад шуд",
        "kk": "және мен үшін бойынша бұл бір туралы қазақстан болды еді деп",
        "ky": "жана менен үчүн боюнча бул бир кыргыз республикасынын болду",
        "mk": "и на во за од се да со е кои против",
    }.items()
}
_LATIN_LANGUAGES = ("en", "tk", "tr", "uz", "az", "de", "fr", "es", "it", "pl")
_CYRILLIC_LANGUAGES = ("ru", "uk", "bg", "sr", "tg", "kk", "ky", "mk")


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
    counts = _count(found, _CYRILLIC_LANGUAGES)
    return "ru" if counts["ru"] >= max(counts.values()) else ""


def _by_latin(sample: str, found: list[str], letters: int) -> str:
    counts = _count(found, _LATIN_LANGUAGES)
    turkmen = len(_TURKMEN_LETTER.findall(sample))
    strange = len(_NOT_TURKMEN.findall(sample))
    if strange <= letters / 100 and turkmen > letters / 40:
        endings = sum(1 for word in found if _TURKMEN_ENDING.fullmatch(word[-8:]))
        own = len(_TURKMEN_ONLY.findall(sample))
        foreign = max(counts[language] for language in _LATIN_LANGUAGES if language != "tk")
        if (own or counts["tk"] or endings) and counts["tk"] + endings >= foreign:
            return "tk"
    best = max(_LATIN_LANGUAGES, key=lambda language: counts[language])
    if counts[best] > counts["en"]:
        return "tk" if best == "tk" else ""
    if counts["en"] * 12 >= len(found):
        return "en"
    return "en" if turkmen + strange <= letters / 40 else ""


def _count(found: list[str], languages: tuple[str, ...]) -> dict[str, int]:
    return {
        language: sum(1 for word in found if word in _SMALL_WORDS[language])
        for language in languages
    }
