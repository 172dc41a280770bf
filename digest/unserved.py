"""Mail that config.toml has made impossible: of a digest, a theme or a language that is not in it any
more. A name that is changed there, where the database keeps the old one, ends mail in silence.
"""

from collections.abc import Iterator
from datetime import datetime

from digest.config.settings import Settings
from digest.model import OTHER, Trouble
from digest.store.database import Database
from digest.store.unserved import editions_of_others, without_any_of

NEWEST = 5000
"""So many recipients are looked at where a look must not take longer on a larger store."""


def unserved(
    db: Database, settings: Settings, now: datetime, *, newest: int | None = None
) -> Iterator[Trouble]:
    """Editions that cannot go out, and recipients who can get no mail, each with what to do; `newest`
    limits how many recipients are looked at.
    """
    yield from unserved_editions(db, settings, now)
    yield from unserved_recipients(db, settings, now, newest=newest)


def unserved_editions(db: Database, settings: Settings, now: datetime) -> Iterator[Trouble]:
    for row in editions_of_others(db, [digest.name for digest in settings.digests]):
        name = f"{row['digest']}/{row['number']}"
        mails = "1 delivery" if row["queued"] == 1 else f"{row['queued']:,} deliveries"
        yield Trouble(
            f"edition orphaned {name}",
            f"{mails} of edition {name} cannot go out: {settings.path.name} has no digest "
            f"{row['digest']!r} any more.",
            now,
            "Put the digest back under this name (what readers see is its title), or give this mail "
            f"up: digest editions cancel {row['id']}.",
        )


def unserved_recipients(
    db: Database, settings: Settings, now: datetime, *, newest: int | None = None
) -> Iterator[Trouble]:
    known = {
        "digest": [digest.name for digest in settings.digests],
        "theme": [*settings.theme_keys, OTHER],
        "language": settings.site.languages,
    }
    for what, names in known.items():
        count, gone = without_any_of(db, what, names, newest=newest)
        if count:
            who = "1 recipient gets" if count == 1 else f"{count:,} recipients get"
            told = ", ".join(gone)
            yield Trouble(
                f"recipients of no {what}",
                f"{who} no mail: chosen is only what {settings.path.name} has no {what} for any more "
                f"({told}).",
                now,
                "Put it back under its name, or give each another choice: digest recipients list "
                f"shows who chose {told}, digest recipients add ADDRESS --{what} NAME changes it.",
            )
