"""What each digest would hold now and when it is due next."""

from datetime import datetime
from typing import Any

from digest.compose import count_waiting
from digest.config.settings import Settings
from digest.editorial.window import boundary_after, parse_rule
from digest.store.database import Database
from digest.store.editions import last_edition


def outlook(db: Database, settings: Settings, now: datetime) -> list[dict[str, Any]]:
    """One row a digest: name, next number, articles that wait, when it is due, in which zone."""
    rows: list[dict[str, Any]] = []
    for digest in settings.digests:
        last = last_edition(db, digest.name)
        zone = settings.digest_zone(digest)
        rows.append(
            {
                "digest": digest.name,
                "number": 1 if last is None else last[0] + 1,
                "articles": count_waiting(db, settings, digest, now),
                "due_at": boundary_after(parse_rule(digest.schedule), zone, now),
                "zone": zone,
            }
        )
    return rows
