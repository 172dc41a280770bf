"""The week's mail to the editors: what they and the operator should look at, with the commands.

It is set by `mail/desk.html` and `mail/desk.txt`; docs/templates.md says what they see.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from digest import links
from digest.config.settings import Settings
from digest.config.themes import PALETTE
from digest.language.wording import Wording, wording_for
from digest.mail.render import render_parts
from digest.mail.view import SEPARATOR
from digest.model import OTHER, Article, RenderedMail, Trouble, Window

if TYPE_CHECKING:
    from jinja2 import Environment


@dataclass(frozen=True, slots=True)
class Doubt:
    """An article of the week that an editor may know better: its theme, or the nearest one; the score
    beside the threshold; the words that spoke for it. `theme` None: no word spoke for any."""

    article: Article
    theme: str | None = None
    score: float = 0.0
    threshold: float = 0.0
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LastEdition:
    """The newest edition of a digest. `counts` are its deliveries by state, `failed` why they failed."""

    id: int
    digest: str
    number: int
    status: str
    composed_at: datetime
    articles: int
    recipients: int
    counts: Mapping[str, int]
    failed: Mapping[str, int]

    @property
    def name(self) -> str:
        return f"{self.digest}/{self.number}"


@dataclass(frozen=True, slots=True)
class DeskWeek:
    """All that a mail tells. Where a list is cut, its number is of all."""

    window: Window
    articles: int
    troubles: tuple[Trouble, ...]
    documents: int
    documents_shown: tuple[tuple[str, str, str], ...]
    """Source, name, why it cannot be read."""
    unfiled: int
    unfiled_shown: tuple[Doubt, ...]
    weak: int
    weak_shown: tuple[Doubt, ...]
    suppressed: Mapping[str, int]
    letters: Mapping[str, int]
    editions: tuple[LastEdition, ...]


@dataclass(frozen=True, slots=True)
class DeskItem:
    """One thing to look at. `command` is what to type, "" for nothing; `language` that of the title,
    None where it is the mail's."""

    title: str
    notes: tuple[str, ...] = ()
    text: str = ""
    command: str = ""
    url: str | None = None
    language: str | None = None


@dataclass(frozen=True, slots=True)
class DeskPart:
    """Things of one kind. `count` is how many there are, "" where that says nothing; `more` says how
    many are not shown, "" for none."""

    key: str
    anchor: str
    title: str
    count: str
    colour: str
    colour_dark: str
    items: tuple[DeskItem, ...]
    more: str = ""


@dataclass(frozen=True, slots=True)
class DeskMail:
    """The whole mail. `quiet` are the two sentences of a week with nothing to look at, else empty."""

    language: str
    subject: str
    preheader: str
    newsroom: str
    title: str
    window: str
    quiet: tuple[str, ...]
    parts: tuple[DeskPart, ...]
    why: str
    postal_address: str


def render_desk(settings: Settings, environment: "Environment", week: DeskWeek) -> RenderedMail:
    """The same week gives the same mail; both parts show the same things in the same order.

    Raises:
        ConfigError: the operator's own templates cannot be used.
    """
    mail = view_desk(settings, week)
    html, text = render_parts(settings, environment, "desk", mail)
    return RenderedMail(subject=mail.subject, preheader=mail.preheader, text=text, html=html)


def view_desk(settings: Settings, week: DeskWeek) -> DeskMail:
    """Everything that the templates print."""
    wording = wording_for("en")
    words = _Words(settings, wording)
    window = wording.days(*week.window.days(settings.desk_zone))
    parts = tuple(words.parts(week))
    to_do = [part for part in parts if part.key != "edition"]
    quiet = () if to_do else tuple(words.quiet(week))
    what = ", ".join(part.title.lower() for part in to_do) or "nothing to look at"
    return DeskMail(
        language="en",
        subject=f"The week at the desk, {window}: {what}",
        preheader=SEPARATOR.join(f"{part.title} {part.count}" for part in to_do) or quiet[0],
        newsroom=settings.site.title,
        title="The week at the desk",
        window=window,
        quiet=quiet,
        parts=() if quiet else parts,
        why="You get this mail because desk.mail_to in config.toml names you.",
        postal_address=settings.site.postal_address,
    )


@dataclass(frozen=True, slots=True)
class _Words:
    settings: Settings
    wording: Wording

    def parts(self, week: DeskWeek) -> Iterator[DeskPart]:
        kinds: tuple[tuple[str, str, str, int, Sequence[DeskItem], str], ...] = (
            ("trouble", "What stands still", "drugs", len(week.troubles), self._troubles(week), ""),
            ("document", "Not read", "corruption", week.documents, self._documents(week), "digest doctor"),
            ("unfiled", "Without a theme", "customs", week.unfiled, self._unfiled(week), "digest articles list --theme other"),
            ("weak", "Weakly filed", "youth", week.weak, self._weak(week), "digest themes try"),
            ("bounce", "What came back", OTHER, sum(week.suppressed.values()) + sum(week.letters.values()), self._returned(week), ""),
            ("edition", "The last edition", OTHER, len(week.editions), self._editions(week), ""),
        )  # fmt: skip
        for key, title, colour, count, items, command in kinds:
            if count:
                left = count - len(items)
                yield DeskPart(
                    key=key,
                    anchor=f"part-{key}",
                    title=title,
                    count="" if key == "edition" else self.wording.number(count),
                    colour=PALETTE[colour][0],
                    colour_dark=PALETTE[colour][1],
                    items=tuple(items),
                    more=f"and {self.wording.number(left)} more: {command}"
                    if left > 0 and command
                    else "",
                )

    def quiet(self, week: DeskWeek) -> Iterator[str]:
        came = f"{self.wording.number(week.articles)} article" + "s" * (week.articles != 1)
        filed = "came in, each under its theme, and nothing stands still or came back."
        yield f"{came} {filed}" if week.articles else "Nothing came in, stands still or came back."
        told = [f"Edition {one.name}: {self._counted(one)}." for one in week.editions]
        yield " ".join(told) or "There has been no edition yet."

    def _troubles(self, week: DeskWeek) -> list[DeskItem]:
        return [
            DeskItem(
                title=one.key[0].upper() + one.key[1:],
                notes=(f"since {self._time(one.since)}",),
                text=f"{one.said} {one.advice}",
            )
            for one in week.troubles
        ]

    def _documents(self, week: DeskWeek) -> list[DeskItem]:
        return [
            DeskItem(title=name, notes=(self.settings.source_title(source),), text=f"{why}.")
            for source, name, why in week.documents_shown
        ]

    def _unfiled(self, week: DeskWeek) -> list[DeskItem]:
        return [
            self._article(
                one,
                f"nearest {self._score(one)}" if one.theme else "no word of any theme",
                f"digest articles theme {one.article.id} --add {one.theme or 'THEME'}",
            )
            for one in week.unfiled_shown
        ]

    def _weak(self, week: DeskWeek) -> list[DeskItem]:
        return [
            self._article(
                one,
                self._score(one),
                f"digest articles theme {one.article.id} --remove {one.theme}",
            )
            for one in week.weak_shown
        ]

    def _article(self, doubt: Doubt, note: str, command: str) -> DeskItem:
        article = doubt.article
        day = article.published.day
        notes = [self.settings.source_title(article.source)]
        notes += [self.wording.day(day)] if day else []
        said = ", ".join(f"“{word}”" for word in doubt.words)
        return DeskItem(
            title=article.title,
            notes=(*notes, note),
            text=f"Spoke for it: {said}." if said else "",
            command=command,
            url=links.article_url(self.settings, article),
            language=None if article.language == "en" else article.language,
        )

    def _score(self, doubt: Doubt) -> str:
        name = self.settings.theme_name(doubt.theme or OTHER).title("en")
        return f"{name} {doubt.score:.2f} of {doubt.threshold:g}"

    def _returned(self, week: DeskWeek) -> list[DeskItem]:
        items = [
            DeskItem(
                title=f"{cause.capitalize()}: {self._many(count, 'address', 'addresses')}",
                text="Not mailed any more.",
                command=f"digest suppressions list --cause {cause}",
            )
            for cause, count in week.suppressed.items()
        ]
        return items + [
            DeskItem(
                title=f"{kind.capitalize()}: {self._many(count, 'letter', 'letters')}",
                command=f"digest bounces list --kind {kind}",
            )
            for kind, count in week.letters.items()
        ]

    def _editions(self, week: DeskWeek) -> list[DeskItem]:
        return [
            DeskItem(
                title=f"{one.name[0].upper()}{one.name[1:]}: {self._counted(one)}",
                notes=(
                    one.status,
                    self._time(one.composed_at),
                    self._many(one.articles, "article", "articles"),
                ),
                text=" ".join(f"Failed, {why}: {count}." for why, count in one.failed.items()),
                command=f"digest editions show {one.id}",
            )
            for one in week.editions
        ]

    def _counted(self, one: LastEdition) -> str:
        sent = self.wording.number(one.counts.get("sent", 0))
        others = [
            f"{self.wording.number(count)} {state}"
            for state, count in one.counts.items()
            if state != "sent"
        ]
        return ", ".join([f"{sent} of {self.wording.number(one.recipients)} sent", *others])

    def _many(self, count: int, one: str, many: str) -> str:
        return f"{self.wording.number(count)} {one if count == 1 else many}"

    def _time(self, moment: datetime) -> str:
        local = moment.astimezone(ZoneInfo(self.settings.desk_zone))
        return f"{self.wording.day(local.date())}, {local:%H:%M}"
