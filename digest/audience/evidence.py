"""What letters and servers' answers say about addresses, and what is done about it.

said -> noted                      it says nothing about the address, or nothing that is proven
     -> waits                      it would cut somebody off without proof: a person decides
     -> counts                     a dead or complaining address is suppressed, a third full box too
     -> braked                     too many came out dead at once: a person decides about all of them
waits, braked -> confirmed | discarded
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from digest.audience.store import end_recipient
from digest.audience.suppressions import address_of, suppress
from digest.language.text import cut_at_word
from digest.store.database import Database, Row, text_from_moment

SOFT_LIMIT = 3
"""Editions in a row that could not be delivered within SOFT_MEMORY suppress an address."""
SOFT_MEMORY = timedelta(days=60)
BRAKE_LEAST = 20
BRAKE_SHARE = 0.02
"""A brake is put on when this many addresses, and more than this share of an edition or of its recipients
at one provider, come out dead within a day."""
DAY = timedelta(days=1)
WELL_LEAST = 20
WELL_MEMORY = timedelta(days=60)
"""A provider that accepted this much on earlier days answers well: it must say twice, on two days, that
an address is dead."""
ACTS = frozenset({"hard", "complaint", "leave"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What one letter or answer says. `key` is the same for what is read again; `proven`: nobody else
    could have said it. `kind` is a bounces.reports.ReturnKind, `because` in words why."""

    key: bytes
    kind: str
    proven: bool
    found_by: str | None = None
    recipient_id: int | None = None
    edition_id: int | None = None
    status: str | None = None
    diagnostic: str = ""
    because: str = ""
    raw: bytes = b""


@dataclass(frozen=True, slots=True)
class Decision:
    """What was done: `state` "" for what was known, and whom it cut off. By the brake `braked` answers
    are held, and `suppressed` counts those that are no longer suppressed, below zero."""

    state: str = ""
    suppressed: int = 0
    ended: int = 0
    braked: int = 0


def take_evidence(db: Database, said: Evidence, moment: datetime) -> Decision:
    """Store it and act on it; what was taken before changes nothing. Call inside a write."""
    about, edition = said.recipient_id, said.edition_id
    state = "noted"
    if about is not None and (said.kind in ACTS or (said.kind == "soft" and said.proven)):
        state = "counts" if said.proven else "waits"
    provider = None if about is None else provider_of(db, about)
    sql = """INSERT INTO bounces (sha256, kind, found_by, recipient_id, edition_id, provider,
                                  status_code, diagnostic, because, state, read_at, raw)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (sha256) DO NOTHING
             RETURNING id"""
    about_it = (said.status, said.diagnostic or None, said.because or None)
    values = (
        *(hashlib.sha256(said.key).hexdigest(), said.kind, said.found_by, about, edition, provider),
        *(*about_it, state, text_from_moment(moment), said.raw),
    )
    bounce_id = db.value(sql, values)
    if bounce_id is None:
        return Decision()
    if about is None or state != "counts":
        return Decision(state)
    cause: str | None = said.kind
    more = ""
    if said.kind == "hard":
        if edition is not None and (held := _brakes(db, edition, str(provider), moment)):
            return held
        if _answers_well(db, about, edition, str(provider), moment):
            cause = None
            more = "; its provider accepts our mail, so it must say so again on another day"
    elif said.kind == "soft":
        cause = "soft" if strikes(db, about, "soft", moment) >= SOFT_LIMIT else None
        if cause is not None:
            more = f"; so it was in {SOFT_LIMIT} editions in a row"
    if more:
        db.run("UPDATE bounces SET because = because || ? WHERE id = ?", (more, bounce_id))
    return Decision(state, *_cut_off(db, about, edition, cause, int(bounce_id), moment))


def _cut_off(
    db: Database,
    about: int,
    edition: int | None,
    cause: str | None,
    bounce_id: int,
    moment: datetime,
) -> tuple[bool, bool]:
    """Suppress, end, and settle what waited for a proof of the same: whether it was suppressed, ended."""
    suppressed = ended = False
    address = address_of(db, about, edition)
    if cause in ("hard", "soft", "complaint") and address is not None:
        suppressed = suppress(db, address, cause, moment, bounce_id=bounce_id)
    if cause in WHY_ENDED:
        ended = end_recipient(db, about, WHY_ENDED[cause], moment)
    if cause in ACTS:
        sql = """UPDATE bounces SET state = 'counts'
                  WHERE recipient_id = ? AND state = 'waits' AND kind = ?"""
        db.run(sql, (about, cause))
    return suppressed, ended


WHY_ENDED = {"complaint": "complaint", "leave": "mail to the address for leaving"}


PROVIDER = """coalesce((SELECT provider FROM providers WHERE providers.domain = recipients.domain),
                  recipients.domain)"""
"""Who takes the mail of the recipient of a row."""
OF_PROVIDER = """recipients.domain IN (
  SELECT domain FROM providers WHERE provider = :provider
   UNION SELECT :provider WHERE NOT EXISTS (SELECT 1 FROM providers WHERE domain = :provider))"""
"""Whether the recipient of a row is at a provider; found by an index."""


def was_queued(db: Database, edition_id: int, recipient_id: int) -> bool:
    """Whether an edition has a delivery for a recipient."""
    sql = "SELECT 1 FROM deliveries WHERE edition_id = ? AND recipient_id = ?"
    return db.value(sql, (edition_id, recipient_id)) is not None


def provider_of(db: Database, recipient_id: int) -> str | None:
    value = db.value(f"SELECT {PROVIDER} FROM recipients WHERE id = ?", (recipient_id,))  # noqa: S608 - ours
    return None if value is None else str(value)


def strikes(db: Database, recipient_id: int, kind: str, moment: datetime) -> int:
    """In how many editions this was said of a recipient within SOFT_MEMORY, since the last one that was
    accepted and did not come back; for "hard" on how many days. Enough for an address that is only tried
    again."""
    counted = "DISTINCT bounces.edition_id" if kind == "soft" else "DISTINCT substr(read_at, 1, 10)"
    sql = f"""
    SELECT count({counted}) + {SOFT_LIMIT} * coalesce(max(state = 'tried'), 0) FROM bounces
      LEFT JOIN deliveries ON deliveries.edition_id = bounces.edition_id
                          AND deliveries.recipient_id = bounces.recipient_id
     WHERE bounces.recipient_id = :id AND kind = :kind
       AND (state = 'tried' OR (state IN ('counts', 'confirmed') AND read_at > :after))
       AND coalesce(handed_at, first_tried_at, '') >= coalesce((
             SELECT max(handed_at) FROM deliveries AS one
              WHERE one.recipient_id = :id AND one.status = 'sent'
                AND NOT EXISTS (SELECT 1 FROM bounces AS back
                                 WHERE back.recipient_id = :id AND back.edition_id = one.edition_id
                                   AND back.kind IN ('hard', 'soft') AND back.state != 'discarded')), '')
    """  # noqa: S608 - ours
    after = text_from_moment(moment - SOFT_MEMORY)
    return int(db.value(sql, {"id": recipient_id, "kind": kind, "after": after}))


def _answers_well(
    db: Database, recipient_id: int, edition_id: int | None, provider: str, moment: datetime
) -> bool:
    """Whether a provider that has accepted much of earlier editions said only today that this address
    is dead."""
    if strikes(db, recipient_id, "hard", moment) > 1:
        return False
    sql = f"""
    SELECT count(*) FROM (
      SELECT 1 FROM recipients CROSS JOIN deliveries ON recipient_id = recipients.id
       WHERE {OF_PROVIDER} AND deliveries.status = 'sent' AND server GLOB '*:[0-9]*'
         AND settled_at > :since AND settled_at < :today AND edition_id != :edition LIMIT :least)
    """  # noqa: S608 - ours
    today = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    times = {"since": text_from_moment(today - WELL_MEMORY), "today": text_from_moment(today)}
    here = {"provider": provider, "edition": edition_id or 0, "least": WELL_LEAST}
    return int(db.value(sql, here | times)) >= WELL_LEAST


_ITS_BRAKE = f"brakes.provider IN ('', {PROVIDER})"
IS_BRAKED = f"""EXISTS (
  SELECT 1 FROM brakes
   WHERE brakes.edition_id = {{edition}} AND brakes.state = 'on' AND {_ITS_BRAKE})"""  # noqa: S608 - ours
"""Whether the mail of an edition to the recipient of a row waits for a brake."""


def _brakes(db: Database, edition_id: int, provider: str, moment: datetime) -> Decision | None:
    """What the brake of an edition at this provider does, if it is on or comes on now.

    After a batch was confirmed, it comes on again once as many more are dead.
    """
    after = text_from_moment(moment - DAY)
    here_dead = "kind = 'hard' AND edition_id = :edition AND :provider IN ('', provider)"
    counts = f"{here_dead} AND state = 'counts' AND read_at > :after"
    for place in (provider, ""):
        here = {"edition": edition_id, "provider": place, "after": after}
        brakes = "FROM brakes WHERE edition_id = :edition AND provider = :provider"
        brake = db.row(f"SELECT * {brakes} AND state IN ('watching', 'on')", here)
        sql = f"SELECT count(DISTINCT recipient_id) FROM bounces WHERE {counts}"  # noqa: S608 - ours
        dead = int(db.value(sql, here))
        sql = f"SELECT count(DISTINCT recipient_id) FROM bounces WHERE {here_dead} AND state = 'confirmed'"  # noqa: S608 - ours
        least = max(BRAKE_LEAST, int(db.value(sql, here)))
        if brake is None and dead >= least:
            brake = _watch(db, edition_id, place)
        if brake is None or (
            brake["state"] == "watching"
            and (dead < least or dead <= BRAKE_SHARE * brake["recipients"])
        ):
            continue
        if brake["state"] == "watching" and not place:
            # Where most are of one provider, the others get their mail.
            sql = f"""SELECT provider, count(*) AS dead FROM bounces WHERE {counts}
                       GROUP BY provider ORDER BY dead DESC, provider LIMIT 1"""  # noqa: S608 - ours
            most = db.row(sql, here) or {}
            if most["dead"] > dead / 2:
                place = here["provider"] = most["provider"]
                brake = _watch(db, edition_id, place)
        db.run(
            "UPDATE brakes SET state = 'on', begun_at = coalesce(begun_at, ?) WHERE id = ?",
            (text_from_moment(moment), brake["id"]),
        )
        here["brake"] = brake["id"]
        sql = f"UPDATE bounces SET state = 'braked', brake_id = :brake WHERE {counts}"  # noqa: S608 - ours
        held = db.run(sql, here)
        sql = """DELETE FROM suppressions
                  WHERE bounce_id IN (SELECT id FROM bounces WHERE brake_id = ?)"""
        return Decision("braked", suppressed=-db.run(sql, (brake["id"],)), braked=held)
    return None


def _watch(db: Database, edition_id: int, provider: str) -> Row:
    """The open brake of an edition at a provider, "" for all; counts its recipients once."""
    sql = f"""
    INSERT INTO brakes (edition_id, provider, recipients, state)
    SELECT :edition, :provider, count(*), 'watching'
      FROM deliveries JOIN recipients ON recipients.id = recipient_id
     WHERE edition_id = :edition AND (:provider = '' OR {OF_PROVIDER})
    ON CONFLICT DO NOTHING
    """  # noqa: S608 - ours
    here = {"edition": edition_id, "provider": provider}
    db.run(sql, here)
    sql = """SELECT * FROM brakes WHERE edition_id = :edition AND provider = :provider
                AND state IN ('watching', 'on')"""
    return db.row(sql, here) or {}


def open_brakes(db: Database, *, edition_id: int | None = None) -> list[Row]:
    """The brakes that are on, the oldest first: their columns, digest and number, how many addresses
    came out dead (`dead`), and how much mail waits (`queued`)."""
    sql = f"""
    SELECT brakes.*, digest, number,
           (SELECT count(DISTINCT recipient_id) FROM bounces WHERE brake_id = brakes.id) AS dead,
           (SELECT count(*) FROM deliveries JOIN recipients ON recipients.id = recipient_id
             WHERE edition_id = brakes.edition_id AND deliveries.status = 'queued'
               AND {_ITS_BRAKE}) AS queued
      FROM brakes JOIN editions ON editions.id = edition_id
     WHERE brakes.state = 'on' AND (:edition IS NULL OR edition_id = :edition) ORDER BY brakes.id
    """  # noqa: S608 - ours
    return db.rows(sql, {"edition": edition_id})


@dataclass(slots=True)
class Decided:
    """How many letters and answers were decided, whom that cut off, and the deliveries (edition,
    recipient) whose refusal was discarded: their mail may go out again."""

    count: int = 0
    suppressed: int = 0
    ended: int = 0
    refused: list[tuple[int, int]] = field(default_factory=list)


def decide(
    db: Database,
    confirm: bool,
    moment: datetime,
    *,
    ids: Sequence[int] = (),
    edition_id: int | None = None,
    provider: str | None = None,
    waiting: bool = False,
) -> Decided:
    """Confirm or discard what waits for a person: these, all that wait without proof, or the brakes of
    an edition, all or that at one provider. Call inside a write."""
    sql = """
    SELECT bounces.id, bounces.kind, bounces.recipient_id, bounces.edition_id, brake_id FROM bounces
      LEFT JOIN brakes ON brakes.id = brake_id
     WHERE (bounces.state = 'waits' AND (:waiting OR bounces.id IN (SELECT value FROM json_each(:ids))))
        OR (bounces.state = 'braked' AND brakes.state = 'on' AND brakes.edition_id = :edition
            AND (:provider IS NULL OR brakes.provider = :provider))
     ORDER BY bounces.id
    """
    chosen = {"waiting": waiting, "ids": json.dumps(list(ids)), "edition": edition_id}
    rows = db.rows(sql, {**chosen, "provider": provider})
    decided, state = Decided(len(rows)), "confirmed" if confirm else "discarded"
    for row in rows:
        if confirm:
            suppressed, ended = _cut_off(
                db, row["recipient_id"], row["edition_id"], row["kind"], row["id"], moment
            )
            decided.suppressed += suppressed
            decided.ended += ended
        elif row["brake_id"] is not None:
            decided.refused.append((row["edition_id"], row["recipient_id"]))
    marks = [(state, row["id"]) for row in rows]
    db.run_many("UPDATE bounces SET state = ? WHERE id = ?", marks)
    brakes = {row["brake_id"] for row in rows} - {None}
    at = text_from_moment(moment)
    sql = "UPDATE brakes SET state = ?, ended_at = ? WHERE id = ?"
    db.run_many(sql, [(state, at, brake) for brake in sorted(brakes)])
    return decided


def waiting(db: Database, since: datetime | None = None) -> tuple[int, str | None]:
    """How many letters wait for a person because nothing proves them, and since when the oldest does;
    all, or those read since a moment."""
    after = "" if since is None else text_from_moment(since)
    sql = "SELECT count(*) AS n, min(read_at) AS at FROM bounces WHERE state = 'waits' AND read_at > ?"
    row = db.row(sql, (after,)) or {}
    return row["n"], row["at"]


LISTED = """
SELECT bounces.id, bounces.kind, found_by, status_code, diagnostic, because, bounces.state,
       bounces.read_at, bounces.edition_id, digest, number, bounces.recipient_id,
       recipients.address, let_go_at
  FROM bounces LEFT JOIN recipients ON recipients.id = bounces.recipient_id
  LEFT JOIN editions ON editions.id = bounces.edition_id
"""


def list_returns(
    db: Database,
    *,
    kind: str | None = None,
    state: str | None = None,
    recipient_id: int | None = None,
    limit: int = 50,
) -> list[Row]:
    """What came back, the newest first, without the raw bytes."""
    sql = f"""{LISTED}
     WHERE (:kind IS NULL OR bounces.kind = :kind) AND (:state IS NULL OR bounces.state = :state)
       AND (:id IS NULL OR bounces.recipient_id = :id) ORDER BY bounces.id DESC LIMIT :limit"""
    return db.rows(sql, {"kind": kind, "state": state, "id": recipient_id, "limit": limit})


def list_suppressions(db: Database, *, cause: str | None = None) -> list[Row]:
    """Suppressed addresses, the newest first; `why` says in words who said what, and why it counted."""
    sql = "SELECT * FROM suppressions WHERE ? IS NULL OR cause = ? ORDER BY since DESC, address_key"
    rows = db.rows(sql, (cause, cause))
    sql = f"{LISTED} WHERE bounces.id IN (SELECT bounce_id FROM suppressions)"  # noqa: S608 - ours
    said = {row["id"]: in_words(row) for row in db.rows(sql)}
    return [row | {"why": said.get(row["bounce_id"], row["detail"] or "")} for row in rows]


def raw_return(db: Database, return_id: int) -> bytes | None:
    """A message that came back, as it arrived; None if there is none with this id."""
    value = db.value("SELECT raw FROM bounces WHERE id = ?", (return_id,))
    return None if value is None else bytes(value)


WORDS = {
    "verp": "A report, proven by the token it was sent to",
    "envelope": "A report, proven by the token of our return path",
    "message-id": "A report, proven by the token of the enclosed mail",
    "signature": "A report, proven by our signature of the enclosed mail",
    "dialogue": "The server, in answer to our own sending",
    "recipient": "A report without proof, which anybody could have written",
    "text": "A letter without proof, which anybody could have written",
    "sender": "A mail from this address, which anybody could have written",
    None: "A letter",
}
STATES = {
    "noted": "It changes nothing.",
    "counts": "It counts.",
    "waits": "It waits for a person or for proof.",
    "braked": "Too many came out dead at once: the batch waits for a person.",
    "confirmed": "A person confirmed it.",
    "tried": "The address is being tried again: the next such answer suppresses it.",
    "discarded": "A person discarded it.",
}
SHOWN = 160


def in_words(row: Row) -> str:
    """Who said what, and why it counted, of a row of list_returns."""
    said, status = row["diagnostic"] or "", row["status_code"] or ""
    said = cut_at_word(said if status in said else f"{status} {said}".strip(), SHOWN)
    edition = f", about {row['digest']} no. {row['number']}" if row["digest"] else ""
    quoted = f": “{said}”" if said else ""
    why = row["because"] or ""
    if why:  # "says that ...", "gives no reason", or "the code 5.1.1 says that ..."
        why = f" {'T' + why[1:] if why.startswith('the ') else 'It ' + why}."
    return f"{WORDS.get(row['found_by'], row['found_by'])}{edition}{quoted}.{why} {STATES[row['state']]}"
