"""What readers were sent and what was corrected or withdrawn since: who must be told, and what."""

from collections import defaultdict
from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

from digest.config.settings import DigestConfig
from digest.editions.deliveries import owed
from digest.model import Choice, Corrected
from digest.newsroom import Newsroom
from digest.store.articles import changes_of
from digest.store.database import Database, moment_from_text


def owed_corrections(
    newsroom: Newsroom, digest: DigestConfig, since: datetime
) -> dict[int, tuple[Corrected, ...]]:
    """By recipient, whatever digests they get: what they were sent, what was corrected since then, and of
    which they have not been told."""
    zone = ZoneInfo(newsroom.settings.digest_zone(digest))
    made: dict[tuple[object, ...], Corrected] = {}
    found: defaultdict[int, list[Corrected]] = defaultdict(list)
    for row in owed(newsroom.db, since=since):
        key = row["article_id"], row["seen"], row["now"], row["sent_at"]
        if key not in made:
            day = moment_from_text(row["sent_at"]).astimezone(zone).date()
            made[key] = Corrected(row["article_id"], row["seen"], row["now"], day)
        found[row["recipient_id"]].append(made[key])
    says = {
        one for one, change in changes_of(newsroom.db, set(made.values())).items() if change.says
    }
    told = {reader: tuple(one for one in ones if one in says) for reader, ones in found.items()}
    return {reader: ones for reader, ones in told.items() if ones}


def newest(db: Database, choice: Choice) -> Choice:
    """The choice with its corrections as they are now; without what is again as the reader knows it."""
    if not choice.extras.corrected:
        return choice
    now = (
        replace(one, version=0 if article.withdrawn_at else article.version)
        for one, change in changes_of(db, choice.extras.corrected).items()
        for article in (change.article,)
    )
    corrected = tuple(one for one in now if one.version != one.seen)
    return replace(choice, extras=replace(choice.extras, corrected=corrected))
