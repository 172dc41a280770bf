"""The verb `report`: composes the editors' report of a week when it is due, and sends it to each once.

    the week's window | what happened | rendered | frozen and queued     one write
      | for each editor: handed (on disk) -> answer -> settled           as with a digest

The dry run makes it with the same functions.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from digest.audience.evidence import waiting
from digest.config import urls
from digest.config.settings import PALETTE, Settings
from digest.config.values import parse_rule
from digest.editions.mail import SEPARATOR
from digest.editions.schedule import boundary_before_or_at
from digest.errors import NotReadyError
from digest.language.wording import wording_for
from digest.mail.letters import render_parts
from digest.mail.notices import notice_mail, send_due
from digest.mail.outgoing import Kind, Notice, OutcomeKind
from digest.mail.store import give_up, last_dated_at, notices_named, queue, unsent
from digest.model import OTHER, Article, Match, RenderedMail, ThemeScore, Trouble, Window
from digest.newsroom import Newsroom
from digest.service import store
from digest.service.troubles import VERB_KEY, embargoes, find_troubles
from digest.store.articles import articles_by_id
from digest.store.database import Database, Row, created_at, moment_from_text
from digest.themes.classify import classify
from digest.themes.lexicon import lexicon_of

REPORTS = (Kind.REPORT,)
WORDS = 5


def is_due(newsroom: Newsroom, now: datetime) -> bool:
    """Whether a week has no report yet, or an editor was not sent the last one yet."""
    wanted = bool(newsroom.settings.report.mail_to) and closed_week(newsroom, now) is not None
    return wanted or unsent(newsroom.db, REPORTS) > 0


def send_report(
    newsroom: Newsroom, *, stop: Callable[[], bool] = lambda: False
) -> tuple[int, Counter[OutcomeKind]]:
    """Compose the report of the week that is due, and send what is queued; for how many editors one
    was composed, and how the tries ended. Call it within `sending`.

    What is still queued of an earlier week, or for somebody who is no longer named, is given up.
    """
    db, composed, sender = newsroom.db, 0, newsroom.sender
    now, editors = newsroom.now(), newsroom.settings.report.mail_to
    window = closed_week(newsroom, now) if editors else None
    if window is not None:
        # Only the sole sender composes a week, so nobody waits for its lock meanwhile.
        with db.snapshot():
            mail = render_week(newsroom, window, now)
        notices = [report_notice(newsroom.settings, window, mail, one) for one in editors]
        with db.write():
            give_up(db, REPORTS, "the next week came", now)
            composed = queue(db, notices, now)
    with db.write():
        give_up(db, REPORTS, "no longer named in report.mail_to", now, but_for=editors)
    outcomes = send_due(
        db, newsroom.ways, REPORTS, newsroom.now, sender.mark, sender=sender, stop=stop
    )
    return composed, outcomes


def check_wanted(settings: Settings) -> None:
    """Raises NotReadyError if no editor is configured."""
    if not settings.report.mail_to:
        raise NotReadyError(
            f"{settings.path}: [report] mail_to names nobody. Name the editors there; "
            "`digest report show` shows the mail without it."
        )


def closed_week(newsroom: Newsroom, now: datetime) -> Window | None:
    """The week that is over and has no report yet; None if the newest has one.

    It starts where the last one ended, so that after an outage one report covers all; the first one,
    a period of the rule before its end, unless that was before this database was made.
    """
    db, settings = newsroom.db, newsroom.settings
    ends_at = _boundary(settings, now)
    last = last_dated_at(db, Kind.REPORT)
    if ends_at <= (last or created_at(db)):
        return None
    return Window(last or _boundary(settings, ends_at - timedelta(microseconds=1)), ends_at)


def running_week(newsroom: Newsroom, now: datetime) -> Window:
    """From the end of the last week until now: for a preview before the week is over."""
    end = now.replace(microsecond=0) + timedelta(seconds=1)
    last = last_dated_at(newsroom.db, Kind.REPORT)
    return Window(
        last if last is not None and last < end else _boundary(newsroom.settings, now), end
    )


def _boundary(settings: Settings, moment: datetime) -> datetime:
    return boundary_before_or_at(parse_rule(settings.report.schedule), settings.report_zone, moment)


def report_notice(settings: Settings, window: Window, mail: RenderedMail, editor: str) -> Notice:
    """One week has one report, so its end is its name and its date."""
    name = _name(window.ends_at)
    return notice_mail(settings, Kind.REPORT, name, window.ends_at, mail, editor)


def _name(ends_at: datetime) -> str:
    return f"desk.{ends_at:%Y%m%dT%H%M%SZ}"


def deliveries(db: Database) -> list[Row]:
    """Of the newest report: id, address, status, attempts, due_at, settled_at, answer, reason."""
    last = last_dated_at(db, Kind.REPORT)
    columns = ("status", "attempts", "due_at", "settled_at", "answer", "reason")
    return [
        {
            "id": row["id"],
            "address": row["recipient"],
            **{column: row[column] for column in columns},
        }
        for row in notices_named(db, [] if last is None else [_name(last)])
    ]


def render_week(newsroom: Newsroom, window: Window, now: datetime) -> RenderedMail:
    """The report of that week as it would be sent now: the same data give the same mail.

    Raises:
        ConfigError: the operator's own templates cannot be used.
    """
    mail = view_report(newsroom.settings, gather(newsroom, window, now))
    html, text = render_parts(newsroom.settings, newsroom.templates, "report", mail)
    return RenderedMail(subject=mail.subject, preheader=mail.preheader, text=text, html=html)


@dataclass(frozen=True, slots=True)
class Doubt:
    """An article whose theme an editor may know better: its theme, or the nearest one; the score and
    the threshold; the words that count for it. `theme` None: no word counts for any."""

    article: Article
    theme: str | None = None
    score: float = 0.0
    threshold: float = 0.0
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReportWeek:
    """All that the report says. Where a list is cut, its number counts all."""

    window: Window
    articles: int
    troubles: tuple[Trouble, ...]
    documents: int
    documents_shown: list[Row]
    unfiled: int
    unfiled_shown: list[Doubt]
    weak: int
    weak_shown: list[Doubt]
    suppressed: Mapping[str, int]
    bounces: Mapping[str, int]
    waiting: int
    embargoed: str
    editions: list[Row]


def gather(newsroom: Newsroom, window: Window, now: datetime) -> ReportWeek:
    """What the database and the running service know of that week."""
    db, settings, lexicon = newsroom.db, newsroom.settings, lexicon_of(newsroom.settings.themes)
    unfiled, unfiled_ids = store.unfiled_articles(db, window)
    weak, weak_matches = store.weak_matches(db, window)
    ids = [*unfiled_ids, *(article_id for article_id, _ in weak_matches)]
    articles = {article.id: article for article in articles_by_id(db, ids)}

    def doubt(article: Article, match: Match | ThemeScore | None) -> Doubt:
        if match is None:
            return Doubt(article)
        words = tuple(dict.fromkeys(hit.form for hit in match.hits))[:WORDS]
        return Doubt(article, match.theme, match.score, match.threshold, words)

    def nearest(article: Article) -> ThemeScore | None:
        """The theme with the most evidence, although not enough."""
        title, text, language = article.title, article.text, article.language
        scores = classify(lexicon, title=title, text=text, language=language)
        near = [one for one in scores if one.hits and one.score > 0]
        return max(near, key=lambda one: one.score / one.threshold, default=None)

    documents, documents_shown = store.documents_not_read(db, store.SHOWN)
    of_the_service = (
        alarm.trouble
        for key, alarm in store.open_alarms(db).items()
        if key.startswith(VERB_KEY) and alarm.gone_at is None
    )
    last = (store.last_edition(db, digest.name) for digest in settings.digests)
    return ReportWeek(
        window=window,
        articles=store.new_articles(db, window),
        troubles=(*find_troubles(newsroom, now), *of_the_service),
        documents=documents,
        documents_shown=documents_shown,
        unfiled=unfiled,
        unfiled_shown=[doubt(articles[i], nearest(articles[i])) for i in unfiled_ids],
        weak=weak,
        weak_shown=[
            doubt(articles[i], next(match for match in articles[i].matches if match.theme == theme))
            for i, theme in weak_matches
        ],
        suppressed=store.new_suppressions(db, window),
        bounces=store.new_bounces(db, window),
        waiting=waiting(db)[0],
        embargoed=embargoes(db, settings.report_zone, now),
        editions=[row for row in last if row is not None],
    )


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


def view_report(settings: Settings, week: ReportWeek) -> ReportMail:
    """Everything that the templates print."""
    wording = wording_for("en")
    number, zone = wording.number, ZoneInfo(settings.report_zone)

    def many(count: int, one: str, several: str) -> str:
        return f"{number(count)} {one if count == 1 else several}"

    def time(moment: datetime) -> str:
        local = moment.astimezone(zone)
        return f"{wording.day(local.date())}, {local:%H:%M}"

    def score(doubt: Doubt) -> str:
        name = settings.theme_name(doubt.theme or OTHER).title("en")
        return f"{name} {doubt.score:.2f} of {doubt.threshold:g}"

    def article_item(doubt: Doubt, note: str, command: str) -> ReportItem:
        article, day = doubt.article, doubt.article.published.day
        source = settings.source_title(article.source)
        words = ", ".join(f"“{word}”" for word in doubt.words)
        return ReportItem(
            title=article.title,
            notes=(source, wording.day(day), note) if day else (source, note),
            text=f"Spoke for it: {words}." if words else "",
            command=f"digest articles theme {article.id} {command}",
            url=urls.article_url(settings, article),
            language=None if article.language == "en" else article.language,
        )

    def name(edition: Row) -> str:
        return f"{edition['digest']}/{edition['number']}"

    def outcome(edition: Row) -> str:
        counts = dict(edition["counts"])
        sent = f"{number(counts.pop('sent', 0))} of {number(edition['recipients'])} sent"
        return ", ".join([sent, *(f"{number(count)} {state}" for state, count in counts.items())])

    troubles = [
        ReportItem(
            title=trouble.key[0].upper() + trouble.key[1:],
            notes=(f"since {time(trouble.since)}",),
            text=f"{trouble.said} {trouble.advice}",
        )
        for trouble in week.troubles
    ]
    documents = [
        ReportItem(row["document"], (settings.source_title(row["source"]),), f"{row['error']}.")
        for row in week.documents_shown
    ]
    unfiled = [
        article_item(
            doubt,
            f"nearest {score(doubt)}" if doubt.theme else "no word of any theme",
            f"--add {doubt.theme or 'THEME'}",
        )
        for doubt in week.unfiled_shown
    ]
    weak = [
        article_item(doubt, score(doubt), f"--remove {doubt.theme}") for doubt in week.weak_shown
    ]
    returned = [
        ReportItem(
            title=f"{cause.capitalize()}: {many(count, 'address', 'addresses')}",
            text="Not mailed any more.",
            command=f"digest suppressions list --cause {cause}",
        )
        for cause, count in week.suppressed.items()
    ] + [
        ReportItem(
            title=f"{kind.capitalize()}: {many(count, 'letter', 'letters')}",
            command=f"digest bounces list --kind {kind}",
        )
        for kind, count in week.bounces.items()
    ]
    if week.waiting:
        item = ReportItem(
            title=f"Without proof: {many(week.waiting, 'letter', 'letters')}",
            text="They wait for you, and change nothing until then.",
            command="digest bounces list --state waits",
        )
        returned.insert(0, item)
    editions = [
        ReportItem(
            title=f"{name(row)[0].upper()}{name(row)[1:]}: {outcome(row)}",
            notes=(
                row["status"],
                time(moment_from_text(row["composed_at"])),
                many(row["articles"], "article", "articles"),
            ),
            text=" ".join(f"Failed, {why}: {count}." for why, count in row["failed"].items()),
            command=f"digest editions show {row['id']}",
        )
        for row in week.editions
    ]
    embargoed = (
        [ReportItem(week.embargoed, command="digest articles list")] if week.embargoed else []
    )
    suppressed, bounces = sum(week.suppressed.values()), sum(week.bounces.values())
    kinds = (
        ("trouble", "What stands still", "drugs", len(week.troubles), troubles, ""),
        ("embargo", "Embargoed", "customs", len(embargoed), embargoed, ""),
        ("document", "Not read", "corruption", week.documents, documents, "digest doctor"),
        ("unfiled", "Without a theme", "customs", week.unfiled, unfiled, "digest articles list --theme other"),
        ("weak", "Unsure of the theme", "youth", week.weak, weak, "digest themes try"),
        ("bounce", "What came back", OTHER, suppressed + bounces or week.waiting, returned, ""),
        ("edition", "The last edition", OTHER, len(week.editions), editions, ""),
    )  # fmt: skip
    parts = tuple(
        ReportPart(
            key=key,
            anchor=f"part-{key}",
            title=title,
            count="" if key == "edition" else number(count),
            colour=PALETTE[colour][0],
            colour_dark=PALETTE[colour][1],
            items=tuple(items),
            more=f"and {number(count - len(items))} more: {command}"
            if command and count > len(items)
            else "",
        )
        for key, title, colour, count, items, command in kinds
        if count
    )
    quiet: tuple[str, ...] = ()
    to_do = [part for part in parts if part.key != "edition"]
    if not to_do:
        came = many(week.articles, "article", "articles")
        ended = [f"Edition {name(row)}: {outcome(row)}." for row in week.editions]
        quiet = (
            f"{came} came in, each under its theme, and nothing stands still or came back."
            if week.articles
            else "Nothing came in, stands still or came back.",
            " ".join(ended) or "There has been no edition yet.",
        )
    days = wording.days(*week.window.days(settings.report_zone))
    what = ", ".join(part.title.lower() for part in to_do) or "nothing to look at"
    return ReportMail(
        language="en",
        subject=f"The week at the desk, {days}: {what}",
        preheader=SEPARATOR.join(f"{part.title} {part.count}" for part in to_do) or quiet[0],
        newsroom=settings.site.title,
        title="The week at the desk",
        window=days,
        quiet=quiet,
        parts=() if quiet else parts,
        why="You get this mail because report.mail_to in config.toml names you.",
        postal_address=settings.site.postal_address,
    )
