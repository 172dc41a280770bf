"""The texts of our mails, pages and feeds in each language, with its plurals, numbers and days."""

import functools
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from digest.language.text import ELLIPSIS, NO_BREAK, word_lists
from digest.model import Receipt

if TYPE_CHECKING:
    from babel import Locale


FOLDER = Path(__file__).with_name("wording")
LANGUAGES = tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))
"""The languages with a wording; mails and pages in any other language use one of these."""
_NAMES = word_lists("language/languages.toml")["own_names"]
OWN_NAMES = {language: " ".join(name) for language, name in _NAMES.items()}
"""The name of each language in that language."""
STOPS = (ELLIPSIS, ".", "!", "?", ":", ";", ",", "–", "—")
"""No comma follows a headline that ends with one of these; it does after a bracket or a quote."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """The texts of one language, a field for each key of its file; placeholders are in braces.

    `articles`, `stories`, `more_subject` and `looked_at` have a text for each CLDR plural category,
    `in_language` and `also_in` for each language, `parts` for each part of an article that can change,
    `leaving`, `joining` and `choosing` for the pages of forms, `letters` for the mails that answer them,
    `frame`, `about`, `reading`, `story`, `searching`, `archive` and `desk` for those of the site and the desk,
    `following` for what readers follow, `told` for each sentence of what was changed since it was sent.
    """

    language: str
    locale: str
    in_language: Mapping[str, str]
    articles: Mapping[str, str]
    stories: Mapping[str, str]
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
    continued: str
    withdrawn: str
    withdrawn_on: str
    withdrawn_why: str
    correction: str
    corrected: str
    corrected_on: str
    changed_on: str
    corrections: str
    about_corrections: str
    parts: Mapping[str, str]
    about_all: str
    about_theme: str
    edition: str
    subject: str
    more_subject: Mapping[str, str]
    more_theme: str
    and_more: str
    nothing_new: str
    nothing_new_subject: str
    full_text: str
    teaser: str
    this_week: str
    earlier_weeks: str
    spread: str
    and_: str
    the_desk: str
    key_source: str
    key_full_text: str
    key_teaser: str
    key_undated: str
    by: str
    also_theme: str
    also_source: str
    also_in: Mapping[str, str]
    more_on_this: str
    why: str
    chosen_themes: str
    chosen_languages: str
    change: str
    leave: str
    told: Mapping[str, str]
    frame: Mapping[str, str]
    about: Mapping[str, str]
    reading: Mapping[str, str]
    story: Mapping[str, str]
    searching: Mapping[str, str]
    archive: Mapping[str, str]
    desk: Mapping[str, str]
    leaving: Mapping[str, str]
    joining: Mapping[str, str]
    letters: Mapping[str, str]
    choosing: Mapping[str, str]
    following: Mapping[str, str]
    looked_at: Mapping[str, str]

    def day(self, day: date, pattern: str = "d MMMM y") -> str:
        """4 April 2023, 4 апреля 2023, or in another pattern of Babel; with no-break spaces."""
        from babel.dates import format_date

        return _no_break(format_date(day, pattern, locale=self.locale))

    def days(self, first: date, last: date) -> str:
        """16–23 November 2026, 30 November – 7 December 2026; a line may break only after a dash."""
        if first == last:
            return self.day(last)
        if (first.year, first.month) == (last.year, last.month):
            return f"{first.day}–{self.day(last)}"
        start = self.day(first, "d MMMM y" if first.year != last.year else "d MMMM")
        return f"{start}{NO_BREAK}– {self.day(last)}"

    def number(self, number: float, pattern: str | None = None) -> str:
        """1,414, or in a pattern of Babel: "0.00"."""
        if (
            pattern is None and isinstance(number, int) and 0 <= number < 1000
        ):  # the same in all our languages
            return str(number)
        from babel.numbers import format_decimal

        return _no_break(format_decimal(number, pattern, locale=self.locale))

    def count(self, plural: Mapping[str, str], number: int, **values: str) -> str:
        """The plural for this number, filled in: 36 articles, 3 статьи."""
        form = self._babel.plural_form(number)
        return plural[form].format(n=self.number(number), **values)

    def with_correction(self, correction: str | None, text: str) -> str:
        """The text after the line that says what was corrected, if anything was."""
        return f"{self.correction_line(correction)} {text}".strip()

    def correction_line(
        self, correction: str | None, parts: Sequence[str] = (), day: date | None = None
    ) -> str:
        """What the copy says of its correction, and which parts of it changed on the day, as far as that
        is known; "" if nothing is."""
        lines = []
        changed = ", ".join(self.parts[part] for part in parts if part in self.parts)
        if correction is not None:
            label = self.correction.format(text="").strip()
            labelled = correction[: len(label)].casefold() == label.casefold()
            said = correction[len(label) :].strip() if labelled else correction
            if day is not None and "correction" in parts:
                what = f": {said or changed}" if said or changed else ""
                lines.append(self.corrected_on.format(day=self.day(day)) + what)
            elif labelled or not said:
                lines.append(correction or self.corrected)
            else:
                lines.append(self.correction.format(text=said))
        if changed and day is not None and "correction" not in parts:
            lines.append(f"{self.changed_on.format(day=self.day(day))}: {changed}")
        return " ".join(line if line.endswith(STOPS) else f"{line}." for line in lines)

    def headline_and_more(self, headline: str, more: int) -> str:
        """The subject of a mail: a headline, and how many more items the mail has."""
        if not more:
            return headline
        rest = self.count(self.more_subject, more)
        if headline.endswith(STOPS):
            return f"{headline} {rest}"
        return self.subject.format(headline=headline, more=rest)

    def receipt(self, receipt: Receipt) -> str:
        """“fisheries”: 1,214 articles looked at, none named it."""
        looked, named = self.count(self.looked_at, receipt.looked), self.following["named_none"]
        if receipt.named:
            named = self.following["named"].format(n=self.number(receipt.named))
        return self.following["receipt"].format(what=receipt.what, looked=looked, named=named)

    def language_name(self, code: str) -> str:
        return str(self._babel.languages.get(code, code))

    @property
    def _babel(self) -> "Locale":
        from babel import Locale

        return Locale.parse(self.locale)


def wording_for(language: str, site_languages: Sequence[str] = ()) -> Wording:
    """The wording in `language`, else in the first of the site's languages that has one, else in English."""
    found = next((one for one in (language, *site_languages) if one in LANGUAGES), "en")
    return load_wording(FOLDER / f"{found}.toml")


@functools.cache
def load_wording(path: Path) -> Wording:
    """The wording of the language that the file is named after.

    Raises:
        ValueError: a key is missing or unknown, or its value is of the wrong kind.
    """
    words = {"language": path.stem, **tomllib.loads(path.read_text(encoding="utf-8"))}
    wanted = {field.name: str if field.type is str else dict for field in fields(Wording)}
    wrong = wanted.items() ^ {key: type(value) for key, value in words.items()}.items()
    if wrong:
        keys = ", ".join(sorted({key for key, _ in wrong}))
        raise ValueError(f"{path}: missing, unknown or of the wrong kind: {keys}")
    return Wording(**words)


def _no_break(text: str) -> str:
    """Every space as a plain no-break space: some mail programs lack the narrow one."""
    return "".join(NO_BREAK if sign.isspace() else sign for sign in text)
