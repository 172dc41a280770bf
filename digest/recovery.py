"""What a sender that died left behind, settled by the next one."""

from datetime import datetime

from digest.config.settings import Settings
from digest.mail.outgoing import Transport
from digest.mail.store import TABLE
from digest.store.database import Database
from digest.store.deliveries import recover_handed
from digest.store.editions import cancelled_editions, skip_cancelled
from digest.store.sender import check_home, set_way_out, way_out


def begin_sending(
    db: Database, settings: Settings, transport: Transport, here: str, now: datetime
) -> int:
    """What every sender does first: refuse where the database is not at home, then `recover`.

    Raises:
        SenderError: the database was copied or restored here.
    """
    with db.write():
        check_home(db, here)
    return recover(db, settings, transport, now)


def recover(db: Database, settings: Settings, transport: Transport, now: datetime) -> int:
    """Settle the deliveries and reports that were handed over without an answer; how many. Only the
    sole sender may call it, and must before it sends.

    They may be sent again only where the same transport would, that knows what it has written. All
    are settled at once, since the way out is noted once for all.
    """
    mail = settings.mail
    way = f"maildir {mail.outbox.resolve()}" if mail.transport == "maildir" else mail.transport
    with db.write():
        repeatable = way_out(db) == way and transport.repeatable
        set_way_out(db, way)
        return settle_handed(db, repeatable=repeatable, now=now)


def settle_handed(db: Database, *, repeatable: bool, now: datetime) -> int:
    """Whatever was handed over without an answer is queued again where that is `repeatable`, else
    uncertain; how many. Call inside a write.
    """
    recovered = recover_handed(db, repeatable=repeatable, now=now)
    recovered += recover_handed(db, repeatable=repeatable, now=now, table=TABLE)
    for edition_id in cancelled_editions(db):
        skip_cancelled(db, edition_id, now)
    return recovered
