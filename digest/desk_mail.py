"""The verb `desk`: sets the week's mail to the editors when it is due, and sends it to each once.

    the week's window | what it was | set | frozen and queued      one write
      | for each editor: handed (on disk) -> answer -> settled     as with a digest

The dry run makes it by the same hands.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from digest.config.settings import Settings
from digest.editorial.themes import classify
from digest.editorial.window import boundary_before_or_at, parse_rule
from digest.errors import NotReadyError
from digest.ledger import settlement_of, without_addresses
from digest.mail.desk import DeskWeek, Doubt, LastEdition, render_desk
from digest.mail.notice import notice_message, notice_sender
from digest.mail.outgoing import Outcome, OutcomeKind, Outgoing, Transport
from digest.model import Article, RenderedMail, Trouble, Window
from digest.store import desk_mails, desk_week
from digest.store.articles import articles_by_id
from digest.store.database import Database, Row, created_at, moment_from_text
from digest.store.deliveries import DeliveryStatus
from digest.store.desk_mails import KeptDeskMail
from digest.store.editions import delivery_counts
from digest.troubles import find_troubles

if TYPE_CHECKING:
    from jinja2 import Environment

    from digest.editorial.lexicon import Lexicon
    from digest.mail.dkim import Signer

AGAIN = timedelta(minutes=15)
"""A server that said nothing about an editor is asked again after."""
WORDS = 5


@dataclass(slots=True)
class DeskReport:
    """What a run did: the mail that it composed, if it did, and how its deliveries ended."""

    composed: int | None = None
    outcomes: Counter[OutcomeKind] = field(default_factory=Counter)


def closed_week(db: Database, settings: Settings, now: datetime) -> Window | None:
    """The week that is over and has no mail yet; None where the newest has one.

    It starts where the last one ended, so that after an outage one mail covers all; the first one,
    a period of the rule before its end, unless that was before this store.
    """
    ends_at = _boundary(settings, now)
    last = desk_mails.last_desk_end(db)
    if ends_at <= (last or created_at(db)):
        return None
    return Window(last or _boundary(settings, ends_at - timedelta(microseconds=1)), ends_at)


def running_week(db: Database, settings: Settings, now: datetime) -> Window:
    """From the end of the last week until now: what a look before its end shows."""
    end = now.replace(microsecond=0) + timedelta(seconds=1)
    last = desk_mails.last_desk_end(db)
    return Window(last if last is not None and last < end else _boundary(settings, now), end)


def _boundary(settings: Settings, moment: datetime) -> datetime:
    return boundary_before_or_at(parse_rule(settings.desk.schedule), settings.desk_zone, moment)


def set_week(
    db: Database,
    settings: Settings,
    environment: "Environment",
    lexicon: "Lexicon",
    window: Window,
    now: datetime,
) -> RenderedMail:
    """The mail of that week as it would be sent now. Nothing is changed."""
    return render_desk(settings, environment, gather(db, settings, lexicon, window, now))


def gather(
    db: Database, settings: Settings, lexicon: "Lexicon", window: Window, now: datetime
) -> DeskWeek:
    """All that the mail tells."""
    week = desk_week.week_of(db, window)
    ids = [*week.unfiled_ids, *(article_id for article_id, _ in week.weak_matches)]
    articles = {article.id: article for article in articles_by_id(db, ids)}
    documents, shown = desk_week.documents_not_read(db)
    return DeskWeek(
        window=window,
        articles=week.articles,
        troubles=(*find_troubles(db, settings, now), *_of_the_service(db)),
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


def _of_the_service(db: Database) -> Iterator[Trouble]:
    for row in desk_week.service_troubles(db):
        yield Trouble(row["key"], row["said"], moment_from_text(row["began_at"]), row["advice"])


def _nearest(lexicon: "Lexicon", article: Article) -> Doubt:
    """The theme that most speaks for, although not enough."""
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


def desk_message(
    settings: Settings,
    window: Window,
    mail: RenderedMail,
    address: str,
    signer: "Signer | None",
) -> bytes:
    """The whole message for one editor, dated at the end of the week."""
    return notice_message(
        settings,
        mail,
        name=_name(window),
        address=address,
        date=window.ends_at,
        zone=settings.desk_zone,
        signer=signer,
    )


def _name(window: Window) -> str:
    """One week has one mail, so its end is its name."""
    return f"desk.{window.ends_at:%Y%m%dT%H%M%SZ}"


def is_due(db: Database, settings: Settings, now: datetime) -> bool:
    """Whether there is a week to tell, or an editor who was not sent the last one yet."""
    wanted = bool(settings.desk.mail_to) and closed_week(db, settings, now) is not None
    return wanted or desk_mails.has_open(db)


def send_desk(
    db: Database,
    settings: Settings,
    transport: Transport,
    environment: "Environment",
    lexicon: "Lexicon",
    now: Callable[[], datetime],
    *,
    signer: "Signer | None" = None,
    stop: Callable[[], bool] = lambda: False,
) -> DeskReport:
    """Close the week that is due, and send what is. Call as the sole sender, at home, after
    `recovery.recover`."""
    report = DeskReport()
    moment = now()
    window = closed_week(db, settings, moment) if settings.desk.mail_to else None
    if window is not None:
        # The sole sender alone sets a week, so nobody waits for its lock meanwhile.
        with db.snapshot():
            mail = set_week(db, settings, environment, lexicon, window, moment)
        with db.write():
            report.composed = desk_mails.freeze(db, window, mail, settings.desk.mail_to, moment)
    with db.write():
        desk_mails.give_up(
            db, "no longer named in desk.mail_to", moment, but_for=settings.desk.mail_to
        )
    newest = desk_mails.newest_desk_mail(db)
    if newest is not None:
        _send(db, settings, transport, newest, now, signer, stop, report)
    return report


def _send(
    db: Database,
    settings: Settings,
    transport: Transport,
    kept: KeptDeskMail,
    now: Callable[[], datetime],
    signer: "Signer | None",
    stop: Callable[[], bool],
    report: DeskReport,
) -> None:
    dues = {due.id: due for due in desk_mails.due_desk_deliveries(db, kept.id, now())}
    sender = notice_sender(settings, _name(kept.window))

    def handed(ids: Sequence[int]) -> None:
        with db.write():
            desk_mails.mark_desk_handed(db, ids, now())

    def settled(outcomes: Sequence[Outcome]) -> None:
        moment = now()
        settlements = []
        for outcome in outcomes:
            report.outcomes[outcome.kind] += 1
            one = settlement_of(outcome, dues[outcome.delivery_id], moment)
            if one.status is DeliveryStatus.QUEUED and not one.counts_as_try:
                one = replace(one, due_at=moment + AGAIN)
            settlements.append(replace(one, answer=without_addresses(one.answer) or ""))
        with db.write():
            desk_mails.settle_desk(db, settlements, moment)

    letters = (
        Outgoing(
            due.id,
            sender,
            due.address,
            desk_message(settings, kept.window, kept.mail, due.address, signer),
        )
        for due in dues.values()
    )
    if dues:
        transport.deliver(letters, handed=handed, settled=settled, stop=stop)


def check_wanted(settings: Settings) -> None:
    """Raises NotReadyError where nobody is to get it."""
    if not settings.desk.mail_to:
        raise NotReadyError(
            f"{settings.path}: [desk] mail_to names nobody. Name the editors there; "
            "`digest desk show` shows the mail all the same."
        )
