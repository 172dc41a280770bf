"""What readers decide about themselves beside their choice: a feed of their own, their data, to be
forgotten."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from digest.audience.recipients import COMMAND, By
from digest.audience.store import (
    NOBODY,
    erase,
    keys_of,
    mail_under_way,
    note_event,
    own_rows,
    set_feed,
)
from digest.audience.suppressions import hide_suppressions
from digest.errors import NotReadyError
from digest.model import Recipient
from digest.newsroom import Newsroom
from digest.store.backups import clean, mark_unclean


@dataclass(frozen=True, slots=True)
class Forgotten:
    """Whom, how many rows by table; whether no byte of it is left in the database's files (`cleaned`)."""

    recipient_id: int
    gone: Mapping[str, int]
    cleaned: bool


class _TrialRun(Exception):  # noqa: N818 - undoes a write
    pass


def is_nobody(reader: Recipient) -> bool:
    """Whether this is what is left of somebody who is forgotten."""
    return reader.address.endswith(NOBODY)


def forget(
    newsroom: Newsroom, recipient_id: int, *, dry_run: bool = False, cleans: bool = True
) -> Forgotten:
    """Delete whatever names a recipient; of their addresses the suppression list keeps hashes, so that no
    list brings them back, and the counts of editions stay right. Then the file is rewritten (`cleans`), as
    deleted rows leave bytes; without it, or while others read it, `digest prune` does so.

    Raises:
        NotReadyError: a mail to them is under way, and its answer will name them.
        StoreError: the file cannot be rewritten; what names them is deleted.
    """
    db, now, gone = newsroom.db, newsroom.now(), dict[str, int]()
    mark_unclean(db)
    try:
        with db.write():
            if mail_under_way(db, recipient_id):
                raise NotReadyError(
                    f"A mail to recipient {recipient_id} is on its way, and its answer would name them. "
                    "Try again in a few minutes; if it stays so: digest send --queued."
                )
            hide_suppressions(db, keys_of(db, recipient_id), newsroom.random_bytes(), now)
            gone = erase(db, recipient_id, now)
            mark_unclean(db)
            if dry_run:
                raise _TrialRun
    except _TrialRun:
        return Forgotten(recipient_id, gone, False)
    return Forgotten(recipient_id, gone, cleans and clean(db))


def own_feed(newsroom: Newsroom, reader: Recipient, *, on: bool, by: By = COMMAND) -> None:
    """Make a new address of the reader's own feed, or none; the earlier one stops working. Call inside a
    write."""
    set_feed(newsroom.db, reader.id, on=on)
    act = "made a feed" if on else "ended the feed"
    note_event(newsroom.db, reader.id, act, by.name, newsroom.now(), by.network)


def personal_data(newsroom: Newsroom, reader: Recipient) -> bytes:
    """All that is stored about a reader, as JSON (Art. 15 and 20 GDPR)."""
    site, now = newsroom.settings.site.title, newsroom.now().isoformat()
    data = {"site": site, "made_at": now, **own_rows(newsroom.db, reader.id)}
    return (json.dumps(data, ensure_ascii=False, indent=2) + "\n").encode()
