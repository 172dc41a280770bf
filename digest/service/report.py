"""The verb `report`: composes the editors' report of a week when it is due, and sends it to each once.

    the week's window | what it was | rendered | frozen and queued   one write
      | for each editor: handed (on disk) -> answer -> settled       as with a digest

The dry run makes it by the same functions.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from digest.config import urls
from digest.config.settings import PALETTE, Settings
from digest.config.values import parse_rule
from digest.editions.mail import SEPARATOR, render_parts
from digest.editions.schedule import boundary_before_or_at
from digest.editions.store import delivery_counts
from digest.errors import NotReadyError
from digest.language.wording import Wording, wording_for
from digest.mail.notices import send_due
from digest.mail.outgoing import Kind, Notice, OutcomeKind
from digest.mail.store import deliveries_of, give_up, has_open, last_dated_at, queue
from digest.model import OTHER, Article, RenderedMail, Trouble, Window
from digest.newsroom import Newsroom
from digest.service import store as week_store
from digest.service.store import open_alarms
from digest.service.troubles import find_troubles, verb_key
from digest.store.articles import articles_by_id
from digest.store.database import Database, Row, created_at, moment_from_text
from digest.themes.classify import classify
from digest.themes.lexicon import lexicon_of

if TYPE_CHECKING:
    from jinja2 import Environment

    from digest.themes.lexicon import Lexicon


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
class ReportWeek:
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
class ReportItem:
    """One thing to look at. `command` is what to type, "" for nothing; `language` that of the title,
    None where it is the mail's."""

    title: str
    notes: tuple[str, ...] = ()
    text: str = ""
    command: str = ""
    url: str | None = None
    language: str | None = None


@dataclass(frozen=True, slots=True)
class ReportPart:
    """Things of one kind. `count` is how many there are, "" where that says nothing; `more` says how
    many are not shown, "" for none."""

    key: str
    anchor: str
    title: str
    count: str
    colour: str
    colour_dark: str
    items: tuple[ReportItem, ...]
    more: str = ""


@dataclass(frozen=True, slots=True)
class ReportMail:
    """The whole mail. `quiet` are the two sentences of a week with nothing to look at, else empty."""

    language: str
    subject: str
    preheader: str
    newsroom: str
    title: str
    window: str
    quiet: tuple[str, ...]
    parts: tuple[ReportPart, ...]
    why: str
    postal_address: str


def render_report(settings: Settings, environment: "Environment", week: ReportWeek) -> RenderedMail:
    """The same week gives the same mail; both parts show the same things in the same order.

    Raises:
        ConfigError: the operator's own templates cannot be used.
    """
    mail = view_report(settings, week)
    html, text = render_parts(settings, environment, "report", mail)
    return RenderedMail(subject=mail.subject, preheader=mail.preheader, text=text, html=html)


def view_report(settings: Settings, week: ReportWeek) -> ReportMail:
    """Everything that the templates print."""
    wording = wording_for("en")
    words = _Words(settings, wording)
    window = wording.days(*week.window.days(settings.report_zone))
    parts = tuple(words.parts(week))
    to_do = [part for part in parts if part.key != "edition"]
    quiet = () if to_do else tuple(words.quiet(week))
    what = ", ".join(part.title.lower() for part in to_do) or "nothing to look at"
    return ReportMail(
        language="en",
        subject=f"The week at the desk, {window}: {what}",
        preheader=SEPARATOR.join(f"{part.title} {part.count}" for part in to_do) or quiet[0],
        newsroom=settings.site.title,
        title="The week at the desk",
        window=window,
        quiet=quiet,
        parts=() if quiet else parts,
        why="You get this mail because report.mail_to in config.toml names you.",
        postal_address=settings.site.postal_address,
    )


@dataclass(frozen=True, slots=True)
class _Words:
    settings: Settings
    wording: Wording

    def parts(self, week: ReportWeek) -> Iterator[ReportPart]:
        kinds: tuple[tuple[str, str, str, int, Sequence[ReportItem], str], ...] = (
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
                yield ReportPart(
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

    def quiet(self, week: ReportWeek) -> Iterator[str]:
        came = f"{self.wording.number(week.articles)} article" + "s" * (week.articles != 1)
        filed = "came in, each under its theme, and nothing stands still or came back."
        yield f"{came} {filed}" if week.articles else "Nothing came in, stands still or came back."
        told = [f"Edition {one.name}: {self._counted(one)}." for one in week.editions]
        yield " ".join(told) or "There has been no edition yet."

    def _troubles(self, week: ReportWeek) -> list[ReportItem]:
        return [
            ReportItem(
                title=one.key[0].upper() + one.key[1:],
                notes=(f"since {self._time(one.since)}",),
                text=f"{one.said} {one.advice}",
            )
            for one in week.troubles
        ]

    def _documents(self, week: ReportWeek) -> list[ReportItem]:
        return [
            ReportItem(title=name, notes=(self.settings.source_title(source),), text=f"{why}.")
            for source, name, why in week.documents_shown
        ]

    def _unfiled(self, week: ReportWeek) -> list[ReportItem]:
        return [
            self._article(
                one,
                f"nearest {self._score(one)}" if one.theme else "no word of any theme",
                f"digest articles theme {one.article.id} --add {one.theme or 'THEME'}",
            )
            for one in week.unfiled_shown
        ]

    def _weak(self, week: ReportWeek) -> list[ReportItem]:
        return [
            self._article(
                one,
                self._score(one),
                f"digest articles theme {one.article.id} --remove {one.theme}",
            )
            for one in week.weak_shown
        ]

    def _article(self, doubt: Doubt, note: str, command: str) -> ReportItem:
        article = doubt.article
        day = article.published.day
        notes = [self.settings.source_title(article.source)]
        notes += [self.wording.day(day)] if day else []
        said = ", ".join(f"“{word}”" for word in doubt.words)
        return ReportItem(
            title=article.title,
            notes=(*notes, note),
            text=f"Spoke for it: {said}." if said else "",
            command=command,
            url=urls.article_url(self.settings, article),
            language=None if article.language == "en" else article.language,
        )

    def _score(self, doubt: Doubt) -> str:
        name = self.settings.theme_name(doubt.theme or OTHER).title("en")
        return f"{name} {doubt.score:.2f} of {doubt.threshold:g}"

    def _returned(self, week: ReportWeek) -> list[ReportItem]:
        items = [
            ReportItem(
                title=f"{cause.capitalize()}: {self._many(count, 'address', 'addresses')}",
                text="Not mailed any more.",
                command=f"digest suppressions list --cause {cause}",
            )
            for cause, count in week.suppressed.items()
        ]
        return items + [
            ReportItem(
                title=f"{kind.capitalize()}: {self._many(count, 'letter', 'letters')}",
                command=f"digest bounces list --kind {kind}",
            )
            for kind, count in week.letters.items()
        ]

    def _editions(self, week: ReportWeek) -> list[ReportItem]:
        return [
            ReportItem(
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
        local = moment.astimezone(ZoneInfo(self.settings.report_zone))
        return f"{self.wording.day(local.date())}, {local:%H:%M}"


REPORTS = (Kind.REPORT,)
WORDS = 5


def closed_week(newsroom: Newsroom, now: datetime) -> Window | None:
    """The week that is over and has no report yet; None where the newest has one.

    It starts where the last one ended, so that after an outage one report covers all; the first one,
    a period of the rule before its end, unless that was before this store.
    """
    db, settings = newsroom.db, newsroom.settings
    ends_at = _boundary(settings, now)
    last = last_dated_at(db, Kind.REPORT)
    if ends_at <= (last or created_at(db)):
        return None
    return Window(last or _boundary(settings, ends_at - timedelta(microseconds=1)), ends_at)


def running_week(newsroom: Newsroom, now: datetime) -> Window:
    """From the end of the last week until now: what a look before its end shows."""
    db, settings = newsroom.db, newsroom.settings
    end = now.replace(microsecond=0) + timedelta(seconds=1)
    last = last_dated_at(db, Kind.REPORT)
    return Window(last if last is not None and last < end else _boundary(settings, now), end)


def _boundary(settings: Settings, moment: datetime) -> datetime:
    return boundary_before_or_at(parse_rule(settings.report.schedule), settings.report_zone, moment)


def render_week(newsroom: Newsroom, window: Window, now: datetime) -> RenderedMail:
    """The report of that week as it would be sent now. Nothing is changed."""
    settings, environment = newsroom.settings, newsroom.templates
    return render_report(settings, environment, gather(newsroom, window, now))


def gather(newsroom: Newsroom, window: Window, now: datetime) -> ReportWeek:
    """All that the report says."""
    db, settings, lexicon = newsroom.db, newsroom.settings, lexicon_of(newsroom.settings.themes)
    week = week_store.week_of(db, window)
    ids = [*week.unfiled_ids, *(article_id for article_id, _ in week.weak_matches)]
    articles = {article.id: article for article in articles_by_id(db, ids)}
    of_the_service = [
        alarm.trouble
        for key, alarm in open_alarms(db).items()
        if key.startswith(verb_key("")) and alarm.gone_at is None
    ]
    documents, shown = week_store.documents_not_read(db)
    return ReportWeek(
        window=window,
        articles=week.articles,
        troubles=(*find_troubles(newsroom, now), *of_the_service),
        documents=documents,
        documents_shown=tuple((row["source"], row["document"], row["error"]) for row in shown),
        unfiled=week.unfiled,
        unfiled_shown=tuple(_nearest(lexicon, articles[i]) for i in week.unfiled_ids),
        weak=week.weak,
        weak_shown=tuple(_weak(articles[i], theme) for i, theme in week.weak_matches),
        suppressed={row["cause"]: row["count"] for row in week_store.came_back(db, window)},
        letters={row["kind"]: row["count"] for row in week_store.letters(db, window)},
        editions=tuple(
            _edition(db, digest.name, row)
            for digest in settings.digests
            if (row := week_store.last_of(db, digest.name)) is not None
        ),
    )


def _nearest(lexicon: "Lexicon", article: Article) -> Doubt:
    """The theme with the most evidence, although not enough."""
    scores = classify(lexicon, title=article.title, text=article.text, language=article.language)
    best = max(scores, key=lambda one: one.score / one.threshold, default=None)
    if best is None or not best.hits or best.score <= 0:
        return Doubt(article)
    words = tuple(dict.fromkeys(hit.form for hit in best.hits))[:WORDS]
    return Doubt(article, best.theme, best.score, best.threshold, words)


def _weak(article: Article, theme: str) -> Doubt:
    match = next(one for one in article.matches if one.theme == theme)
    words = tuple(dict.fromkeys(hit.form for hit in match.hits))[:WORDS]
    return Doubt(article, theme, match.score, match.threshold, words)


def _edition(db: Database, digest: str, row: Row) -> LastEdition:
    return LastEdition(
        id=row["id"],
        digest=digest,
        number=row["number"],
        status=row["status"],
        composed_at=moment_from_text(row["composed_at"]),
        articles=row["articles"],
        recipients=row["recipients"],
        counts=delivery_counts(db, row["id"]),
        failed={one["reason"]: one["count"] for one in week_store.failures(db, row["id"])},
    )


def report_notice(window: Window, mail: RenderedMail) -> Notice:
    """One week has one report, so its end is its name and its date."""
    return Notice(Kind.REPORT, _name(window.ends_at), window.ends_at, mail)


def _name(ends_at: datetime) -> str:
    return f"desk.{ends_at:%Y%m%dT%H%M%SZ}"


def deliveries(db: Database) -> list[Row]:
    """Of the newest report: id, address, status, attempts, due_at, settled_at, answer, reason."""
    last = last_dated_at(db, Kind.REPORT)
    columns = ("status", "attempts", "due_at", "settled_at", "answer", "reason")
    return [
        {"id": row["id"], "address": row["place"], **{column: row[column] for column in columns}}
        for row in deliveries_of(db, [] if last is None else [_name(last)])
    ]


def is_due(newsroom: Newsroom, now: datetime) -> bool:
    """Whether a week has no report yet, or an editor was not sent the last one yet."""
    db, settings = newsroom.db, newsroom.settings
    wanted = bool(settings.report.mail_to) and closed_week(newsroom, now) is not None
    return wanted or has_open(db, REPORTS)


def send_report(
    newsroom: Newsroom, *, stop: Callable[[], bool] = lambda: False
) -> tuple[int | None, Counter[OutcomeKind]]:
    """Close the week that is due, and send what is; the id of the report that was composed, if one was,
    and how the tries ended. Call as the sole sender, at home, after `begin_sending`.

    What is still queued of an earlier week, or for somebody who is no longer named, is given up.
    """
    db, composed = newsroom.db, None
    moment, editors = newsroom.now(), newsroom.settings.report.mail_to
    window = closed_week(newsroom, moment) if editors else None
    if window is not None:
        # The sole sender alone composes a week, so nobody waits for its lock meanwhile.
        with db.snapshot():
            mail = render_week(newsroom, window, moment)
        with db.write():
            give_up(db, REPORTS, "the next week came", moment)
            composed = queue(db, report_notice(window, mail), editors, moment)
    with db.write():
        reason = "no longer named in report.mail_to"
        give_up(db, REPORTS, reason, moment, but_for=editors)
    return composed, send_due(db, newsroom.ways, REPORTS, newsroom.now, stop=stop)


def check_wanted(settings: Settings) -> None:
    """Raises NotReadyError where nobody is to get it."""
    if not settings.report.mail_to:
        raise NotReadyError(
            f"{settings.path}: [report] mail_to names nobody. Name the editors there; "
            "`digest report show` shows the mail all the same."
        )
