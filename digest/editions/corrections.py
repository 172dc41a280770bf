"""What readers were sent and what was corrected or withdrawn since: who must be told, and what."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import groupby, islice
from operator import itemgetter
from zoneinfo import ZoneInfo

from digest.config.settings import DigestConfig
from digest.editions.deliveries import NAMED, owed, owed_readers, replace_notices
from digest.editions.mail import make_segment
from digest.editions.store import choice_from_row, edition_by_id
from digest.language.wording import wording_for
from digest.mail.notices import notice_mail
from digest.mail.outgoing import Kind, Notice
from digest.mail.store import queue
from digest.mail.tokens import EXAMPLE_ADDRESS, EXAMPLE_TOKENS, tokens_for
from digest.model import Article, Choice, Corrected, Extras, Hand, Layout
from digest.newsroom import Newsroom
from digest.store.articles import changes_of, find_article
from digest.store.database import Database, Row, moment_from_text


def owed_corrections(
    newsroom: Newsroom, digest: DigestConfig, since: datetime
) -> dict[int, tuple[Corrected, ...]]:
    """By recipient, whatever digests they get: what they were sent, what was corrected since then, and of
    which they have not been told."""
    zone = newsroom.settings.digest_zone(digest)
    made: dict[tuple[object, ...], Corrected] = {}
    found: defaultdict[int, list[Corrected]] = defaultdict(list)
    for row in owed(newsroom.db, since):
        key = row["article_id"], row["seen"], row["now"], row["sent_at"]
        if key not in made:
            made[key] = _corrected(zone, row)
        found[row["recipient_id"]].append(made[key])
    says = {
        one for one, change in changes_of(newsroom.db, set(made.values())).items() if change.says
    }
    told = {reader: tuple(one for one in ones if one in says) for reader, ones in found.items()}
    return {reader: ones for reader, ones in told.items() if ones}


def _corrected(zone: str, row: Row) -> Corrected:
    day = moment_from_text(row["sent_at"]).astimezone(ZoneInfo(zone)).date()
    return Corrected(row["article_id"], row["seen"], row["now"], day)


def newest_version(article: Article) -> int:
    """As Corrected has it: 0 where it is withdrawn."""
    return 0 if article.withdrawn_at else article.version


def newest(db: Database, choice: Choice) -> Choice:
    """The choice with its corrections as they are now; without what is again as the reader knows it."""
    if not choice.extras.corrected:
        return choice
    changes = changes_of(db, choice.extras.corrected).items()
    now = (replace(one, version=newest_version(change.article)) for one, change in changes)
    corrected = tuple(one for one in now if one.version != one.seen)
    return replace(choice, extras=replace(choice.extras, corrected=corrected))


BATCH = 100
"""Notices that are queued in one write."""


@dataclass(slots=True)
class Told:
    """Who hears of a grave correction: how many readers of each digest, and `paused`, who hear of it in the
    first edition after their pause. `samples` are the mails to an example reader, by language."""

    digests: Counter[str] = field(default_factory=Counter)
    paused: int = 0
    samples: dict[str, Notice] = field(default_factory=dict)


def notify(newsroom: Newsroom, article_id: int, *, dry_run: bool = False) -> Told:
    """Queue one notice for each reader who was sent an article that was corrected or withdrawn since, was
    not told, and gets mail: what an edition with nothing but this correction would be. Queued ones that say
    something else are then not sent. A second run queues what a first one that died did not. A dry run
    changes nothing.

    Raises:
        NotFoundError: there is no such article.
    """
    db, settings, now, told = newsroom.db, newsroom.settings, newsroom.now(), Told()
    article = find_article(db, article_id)
    version, change_id = newest_version(article), round(article.updated_at.timestamp() * 1e6)
    rows = owed_readers(db, article_id, now)
    told.paused = sum(row["paused"] for row in rows)
    rows = [row for row in rows if not row["paused"]]
    for _, same in groupby(rows, itemgetter("sent", "seen", "sent_at", "edition_id", "language")):
        readers = list(same)
        row = readers[0]
        # Readers of a digest that config.toml no longer has get the mail in the look of another.
        digest = settings.digest(row["digest"]) or settings.digests[0]
        [change] = changes_of(db, [_corrected(settings.digest_zone(digest), row)]).values()
        if not change.says:
            continue
        choice = replace(choice_from_row(row), extras=Extras((change.of,)))
        edition = replace(edition_by_id(db, row["edition_id"]), hand=Hand())
        layout = Layout(choice, ())
        mail = make_segment(settings, digest, edition, layout, newsroom.templates, [change])
        language = wording_for(choice.language).language
        people = [] if dry_run else [(row["recipient_id"], row["address"]) for row in readers]
        notices = (
            notice_mail(
                settings,
                Kind.CORRECTION,
                f"{NAMED}.{article_id}.{version}.{reader}.{change_id}",  # whose address may change
                now.replace(microsecond=0),
                mail,
                address,
                language=language,
                tokens=tokens_for(newsroom.token_key, 0, reader) if reader else EXAMPLE_TOKENS,
            )
            for reader, address in [(0, EXAMPLE_ADDRESS), *people]
        )
        told.digests[digest.name] += len(readers)
        told.samples.setdefault(choice.language, next(notices))
        while batch := list(islice(notices, BATCH)):
            with db.write():
                queue(db, batch, now)
    if not dry_run:
        with db.write():
            replace_notices(db, article_id, version, now)
    return told
