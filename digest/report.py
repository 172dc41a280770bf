"""The verb `report`: composes the editors' report of a week when it is due, and sends it to each once.

    the week's window | what it was | rendered | frozen and queued   one write
      | for each editor: handed (on disk) -> answer -> settled       as with a digest

The dry run makes it by the same functions.
"""

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from digest.config.settings import Settings
from digest.editorial.themes import classify
from digest.editorial.window import boundary_before_or_at, parse_rule
from digest.errors import NotReadyError
from digest.mail import store as outbox
from digest.mail.desk import DeskWeek, Doubt, LastEdition, render_desk
from digest.mail.notices import Ways, send_due
from digest.mail.outgoing import OutcomeKind, Transport
from digest.mail.store import Kind, Notice
from digest.model import Article, RenderedMail, Window
from digest.store import desk_week
from digest.store.alarms import open_alarms
from digest.store.articles import articles_by_id
from digest.store.database import Database, Row, created_at, moment_from_text
from digest.store.editions import delivery_counts
from digest.troubles import find_troubles, verb_key

if TYPE_CHECKING:
    from jinja2 import Environment

    from digest.editorial.lexicon import Lexicon
    from digest.mail.dkim import Signer

REPORTS = (Kind.REPORT,)
WORDS = 5


def closed_week(db: Database, settings: Settings, now: datetime) -> Window | None:
    """The week that is over and has no report yet; None where the newest has one.

    It starts where the last one ended, so that after an outage one report covers all; the first one,
    a period of the rule before its end, unless that was before this store.
    """
    ends_at = _boundary(settings, now)
    last = outbox.last_dated_at(db, Kind.REPORT)
    if ends_at <= (last or created_at(db)):
        return None
    return Window(last or _boundary(settings, ends_at - timedelta(microseconds=1)), ends_at)


def running_week(db: Database, settings: Settings, now: datetime) -> Window:
    """From the end of the last week until now: what a look before its end shows."""
    end = now.replace(microsecond=0) + timedelta(seconds=1)
    last = outbox.last_dated_at(db, Kind.REPORT)
    return Window(last if last is not None and last < end else _boundary(settings, now), end)


def _boundary(settings: Settings, moment: datetime) -> datetime:
    return boundary_before_or_at(parse_rule(settings.desk.schedule), settings.desk_zone, moment)


def render_week(
    db: Database,
    settings: Settings,
    environment: "Environment",
    lexicon: "Lexicon",
    window: Window,
    now: datetime,
) -> RenderedMail:
    """The report of that week as it would be sent now. Nothing is changed."""
    return render_desk(settings, environment, gather(db, settings, lexicon, window, now))


def gather(
    db: Database, settings: Settings, lexicon: "Lexicon", window: Window, now: datetime
) -> DeskWeek:
    """All that the report says."""
    week = desk_week.week_of(db, window)
    ids = [*week.unfiled_ids, *(article_id for article_id, _ in week.weak_matches)]
    articles = {article.id: article for article in articles_by_id(db, ids)}
    of_the_service = [
        alarm.trouble
        for key, alarm in open_alarms(db).items()
        if key.startswith(verb_key("")) and alarm.gone_at is None
    ]
    documents, shown = desk_week.documents_not_read(db)
    return DeskWeek(
        window=window,
        articles=week.articles,
        troubles=(*find_troubles(db, settings, now), *of_the_service),
        documents=documents,
        documents_shown=tuple((row["source"], row["document"], row["error"]) for row in shown),
        unfiled=week.unfiled,
        unfiled_shown=tuple(_nearest(lexicon, articles[i]) for i in week.unfiled_ids),
        weak=week.weak,
        weak_shown=tuple(_weak(articles[i], theme) for i, theme in week.weak_matches),
        suppressed={row["cause"]: row["count"] for row in desk_week.came_back(db, window)},
        letters={row["kind"]: row["count"] for row in desk_week.letters(db, window)},
        editions=tuple(
            _edition(db, digest.name, row)
            for digest in settings.digests
            if (row := desk_week.last_of(db, digest.name)) is not None
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
        failed={one["reason"]: one["count"] for one in desk_week.failures(db, row["id"])},
    )


def report_notice(window: Window, mail: RenderedMail) -> Notice:
    """One week has one report, so its end is its name and its date."""
    return Notice(Kind.REPORT, _name(window.ends_at), window.ends_at, mail)


def _name(ends_at: datetime) -> str:
    return f"desk.{ends_at:%Y%m%dT%H%M%SZ}"


def deliveries(db: Database) -> list[Row]:
    """Of the newest report: id, address, status, attempts, due_at, settled_at, answer, reason."""
    last = outbox.last_dated_at(db, Kind.REPORT)
    columns = ("status", "attempts", "due_at", "settled_at", "answer", "reason")
    return [
        {"id": row["id"], "address": row["place"], **{column: row[column] for column in columns}}
        for row in outbox.deliveries_of(db, [] if last is None else [_name(last)])
    ]


def is_due(db: Database, settings: Settings, now: datetime) -> bool:
    """Whether a week has no report yet, or an editor was not sent the last one yet."""
    wanted = bool(settings.desk.mail_to) and closed_week(db, settings, now) is not None
    return wanted or outbox.has_open(db, REPORTS)


def send_report(
    db: Database,
    settings: Settings,
    transport: Transport,
    environment: "Environment",
    lexicon: "Lexicon",
    now: Callable[[], datetime],
    *,
    signer: "Signer | None" = None,
    stop: Callable[[], bool] = lambda: False,
) -> tuple[int | None, Counter[OutcomeKind]]:
    """Close the week that is due, and send what is; the id of the report that was composed, if one was,
    and how the tries ended. Call as the sole sender, at home, after `recovery.recover`.

    What is still queued of an earlier week, or for somebody who is no longer named, is given up.
    """
    composed, moment, editors = None, now(), settings.desk.mail_to
    window = closed_week(db, settings, moment) if editors else None
    if window is not None:
        # The sole sender alone composes a week, so nobody waits for its lock meanwhile.
        with db.snapshot():
            mail = render_week(db, settings, environment, lexicon, window, moment)
        with db.write():
            outbox.give_up(db, REPORTS, "the next week came", moment)
            composed = outbox.queue(db, report_notice(window, mail), editors, moment)
    with db.write():
        reason = "no longer named in desk.mail_to"
        outbox.give_up(db, REPORTS, reason, moment, but_for=editors)
    ways = Ways(lambda: transport, lambda: signer)
    return composed, send_due(db, settings, ways, REPORTS, now, stop=stop)


def check_wanted(settings: Settings) -> None:
    """Raises NotReadyError where nobody is to get it."""
    if not settings.desk.mail_to:
        raise NotReadyError(
            f"{settings.path}: [desk] mail_to names nobody. Name the editors there; "
            "`digest desk show` shows the mail all the same."
        )
