"""The words that a mail says around the news, in English and Russian, with their plurals and dates."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from digest.prose import ELLIPSIS, NO_BREAK

if TYPE_CHECKING:
    from babel import Locale

STOPS = (ELLIPSIS, ".", "!", "?", ":", ";", ",", "–", "—")
"""A headline that ends so needs no other sign before what follows; a bracket or a quote ends none."""
FALLBACK = "en"
_LOCALES = {"en": "en_GB", "ru": "ru"}
_TEXTS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "number": "No.\u00a0{number}",
        "summary": "summary",
        "by": "by {name}",
        "also_theme": "also {theme}",
        "also_source": "also from {source}",
        "also_here": "more on this",
        "also_en": "also in English",
        "also_ru": "also in Russian",
        "also_tk": "also in Turkmen",
        "nothing": "Nothing new this time.",
        "nothing_subject": "{title}: nothing new this time",
        "why": "You get this mail because you subscribed to it.",
        "themes": "Themes: {names}.",
        "languages": "Languages: {names}.",
        "change": "Change your themes or languages",
        "leave": "Unsubscribe",
        "contact": "Write to us",
    },
    "ru": {
        "number": "№\u00a0{number}",
        "summary": "кратко",
        "by": "{name}",
        "also_theme": "также «{theme}»",
        "also_source": "также: {source}",
        "also_here": "ещё об этом",
        "also_en": "также по-английски",
        "also_ru": "также по-русски",
        "also_tk": "также по-туркменски",
        "nothing": "На этот раз новостей нет.",
        "nothing_subject": "{title}: на этот раз новостей нет",
        "why": "Вы получаете это письмо, потому что подписаны на рассылку.",
        "themes": "Темы: {names}.",
        "languages": "Языки: {names}.",
        "change": "Изменить темы или языки",
        "leave": "Отписаться",
        "contact": "Написать нам",
    },
}
_PLURALS: Mapping[str, Mapping[str, Mapping[str, str]]] = {
    "en": {
        "more_subject": {"one": "and {n} more", "other": "and {n} more"},
        "more_theme": {"one": "{n} more under {theme}", "other": "{n} more under {theme}"},
    },
    "ru": {
        "more_subject": {
            "one": "и ещё {n} новость",
            "few": "и ещё {n} новости",
            "many": "и ещё {n} новостей",
            "other": "и ещё {n} новости",
        },
        "more_theme": {
            "one": "Ещё {n} новость в теме «{theme}»",
            "few": "Ещё {n} новости в теме «{theme}»",
            "many": "Ещё {n} новостей в теме «{theme}»",
            "other": "Ещё {n} новости в теме «{theme}»",
        },
    },
}
LANGUAGES = tuple(_TEXTS)
"""Languages in which a mail can be set; in any other it is set in English."""


@dataclass(frozen=True, slots=True)
class Phrases:
    """What a mail in one language says. Raises KeyError for a phrase that is not in the catalogue."""

    language: str

    @property
    def locale(self) -> "Locale":
        from babel import Locale

        return Locale.parse(_LOCALES[self.language])

    def say(self, phrase: str, **values: str) -> str:
        """A phrase with its places filled."""
        return _TEXTS[self.language][phrase].format(**values)

    def count(self, phrase: str, number: int, **values: str) -> str:
        """A phrase in the plural form that its language has for `number` (CLDR's rules)."""
        form = self.locale.plural_form(number)
        return _PLURALS[self.language][phrase][form].format(n=self.number(number), **values)

    def number(self, number: int) -> str:
        from babel.numbers import format_decimal

        return _no_break(format_decimal(number, locale=self.locale))

    def day(self, day: date, *, year: bool = True) -> str:
        """ "23 November 2026", without line breaks; "23 November" where `year` is False."""
        from babel.dates import format_date, format_skeleton

        if year:
            return _no_break(format_date(day, "long", locale=self.locale))
        return _no_break(format_skeleton("MMMMd", day, locale=self.locale))

    def days(self, first: date, last: date) -> str:
        """ "16–23 November 2026", "30 November – 7 December 2026"."""
        if first == last:
            return self.day(last)
        if (first.year, first.month) == (last.year, last.month):
            return f"{first.day}–{self.day(last)}"
        start = self.day(first, year=first.year != last.year)
        return f"{start}{NO_BREAK}– {self.day(last)}"

    def language_name(self, code: str) -> str:
        return str(self.locale.languages.get(code, code))

    def also_in(self, code: str) -> str:
        return self.say(f"also_{code}")

    def subject(self, headline: str, more: int) -> str:
        """The headline, and how many items come after it."""
        if not more:
            return headline
        rest = self.count("more_subject", more)
        if headline.endswith(STOPS):
            return f"{headline} {rest}"
        return f"{headline}, {rest}" if self.language == "en" else f"{headline} — {rest}"


def phrases_for(language: str) -> Phrases:
    """The phrases of a language, English where the mail cannot be set in it."""
    return Phrases(language if language in _TEXTS else FALLBACK)


def _no_break(text: str) -> str:
    """Every space as a plain no-break space: not every mail program has the narrow one."""
    return "".join(NO_BREAK if sign.isspace() else sign for sign in text)
