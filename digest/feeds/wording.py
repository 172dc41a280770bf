"""What our pages and feeds say themselves, in English and in Russian."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from digest.prose import NO_BREAK

OWN_NAMES = {"en": "English", "ru": "Русский", "tk": "Türkmençe"}
"""Each language as it calls itself."""


@dataclass(frozen=True, slots=True)
class Wording:
    """The words of one language. `articles` is keyed by CLDR plural category."""

    language: str
    locale: str
    in_language: Mapping[str, str]
    articles: Mapping[str, str]
    all_news: str
    all_languages: str
    themes: str
    languages: str
    follow: str
    all_feeds: str
    also: str
    another_report: str
    summary: str
    summary_only: str
    made_title: str
    updated: str
    nothing_yet: str
    read_at_source: str
    other_versions: str
    untitled: str
    withdrawn: str
    withdrawn_on: str
    about_all: str
    about_theme: str

    def day(self, day: date) -> str:
        """4 April 2023, 4 апреля 2023: with no-break spaces."""
        from babel.dates import format_date

        return format_date(day, "d MMMM y", locale=self.locale).replace(" ", NO_BREAK)

    def count(self, articles: int) -> str:
        """1 article, 36 articles; 1 статья, 3 статьи, 36 статей."""
        from babel import Locale

        form = Locale.parse(self.locale).plural_form(articles)
        return f"{articles}{NO_BREAK}{self.articles.get(form) or self.articles['other']}"


ENGLISH = Wording(
    language="en",
    locale="en_GB",
    in_language={"en": "in English", "ru": "in Russian", "tk": "in Turkmen"},
    articles={"one": "article", "other": "articles"},
    all_news="All news",
    all_languages="All languages",
    themes="Themes",
    languages="Languages",
    follow="Follow",
    all_feeds="all feeds (OPML)",
    also="also",
    another_report="another report",
    summary="summary",
    summary_only="Only this summary is known; the source cut the rest.",
    made_title="headline by the desk",
    updated="updated",
    nothing_yet="Nothing here yet.",
    read_at_source="Read at the source",
    other_versions="Also told",
    untitled="Untitled",
    withdrawn="Withdrawn: {title}",
    withdrawn_on="This article was withdrawn on {day}.",
    about_all="News from {site}",
    about_theme="News from {site} on the theme “{theme}”",
)
RUSSIAN = Wording(
    language="ru",
    locale="ru",
    in_language={"en": "на английском", "ru": "на русском", "tk": "на туркменском"},
    articles={"one": "статья", "few": "статьи", "many": "статей", "other": "статьи"},
    all_news="Все новости",
    all_languages="Все языки",
    themes="Темы",
    languages="Языки",
    follow="Подписаться",
    all_feeds="все ленты (OPML)",
    also="также",
    another_report="другое сообщение",
    summary="анонс",
    summary_only="Известен только этот анонс: источник не дал продолжения.",
    made_title="заголовок редакции",
    updated="обновлено",
    nothing_yet="Здесь пока ничего нет.",
    read_at_source="Читать в источнике",
    other_versions="Об этом также",
    untitled="Без названия",
    withdrawn="Отозвано: {title}",
    withdrawn_on="Эта статья отозвана {day}.",
    about_all="{site}: новости",
    about_theme="{site}: новости по теме «{theme}»",
)
_BY_LANGUAGE = {wording.language: wording for wording in (ENGLISH, RUSSIAN)}


def wording_for(language: str, site_languages: Sequence[str] = ()) -> Wording:
    """The words in `language`, else in the first of the site's languages that has them."""
    for one in (language, *site_languages):
        if found := _BY_LANGUAGE.get(one):
            return found
    return ENGLISH
