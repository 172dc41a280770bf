"""Frozen editions: their window, their articles in order, their segments."""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime

from digest.audience.evidence import IS_BRAKED
from digest.audience.suppressions import SOFT_LAPSES
from digest.errors import NotFoundError
from digest.mail.ledger import DELAYS
from digest.mail.mime import SegmentMail
from digest.model import (
    OTHER,
    Choice,
    Corrected,
    Edition,
    EditionStatus,
    Extras,
    Hand,
    Layout,
    Match,
    Placement,
    Receipt,
    Section,
    Segment,
    Sibling,
    Window,
)
from digest.store.articles import FROZEN, article_from_row, within
from digest.store.database import Database, Row, moment_from_text, text_from_moment

_SELECT_PLACEMENTS = f"""
SELECT placements.position, placements.matches, placements.siblings, {FROZEN},
       article_versions.made_at AS updated_at, placements.story_id
  FROM placements
  JOIN article_versions ON article_versions.article_id = placements.article_id
                       AND article_versions.version = placements.version
  JOIN articles ON articles.id = placements.article_id
  JOIN sources ON sources.id = articles.source_id
  LEFT JOIN documents ON documents.id = articles.document_id
 WHERE placements.edition_id = ?
 ORDER BY placements.position
"""  # noqa: S608 - ours


def last_edition(db: Database, digest: str) -> tuple[int, datetime] | None:
    """Number and end of a digest's newest edition, cancelled ones included; None if it has none."""
    sql = "SELECT number, ends_at FROM editions WHERE digest = ? ORDER BY number DESC LIMIT 1"
    row = db.row(sql, (digest,))
    return None if row is None else (row["number"], moment_from_text(row["ends_at"]))


def stories_by_week(
    db: Database, weeks: Iterable[Window], themes: Iterable[str], *, best: bool = True
) -> dict[str, tuple[dict[str, int], ...]]:
    """For each of these themes, how many stories came in in each week, by their languages, such as
    "en" or "en ru". An article counts under its `best` theme, else under each; under OTHER if it has none.
    """
    listed = list(weeks)
    found: dict[str, list[dict[str, int]]] = {theme: [{} for _ in listed] for theme in themes}
    sql = f"""
    SELECT week, theme, languages, count(*) AS stories FROM (
      SELECT week, theme, group_concat(language, ' ') AS languages FROM (
        SELECT DISTINCT weeks.key AS week, coalesce(matches.theme, :other) AS theme,
               coalesce(story_id, -articles.id) AS story, articles.language
          FROM json_each(:weeks) AS weeks
          JOIN articles ON first_seen_at >= weeks.value ->> 0 AND first_seen_at < weeks.value ->> 1
          LEFT JOIN matches ON matches.article_id = articles.id {"AND rank = 1" if best else ""}
         WHERE archived = 0 AND withdrawn_at IS NULL)
       GROUP BY week, theme, story)
     GROUP BY week, theme, languages ORDER BY week, theme, languages
    """  # noqa: S608 - ours
    values = {"weeks": json.dumps([within(week) for week in listed]), "other": OTHER}
    for row in db.rows(sql, values):
        if row["theme"] in found:
            week = found[row["theme"]][row["week"]]
            languages = " ".join(sorted(row["languages"].split()))
            week[languages] = week.get(languages, 0) + row["stories"]
    return {theme: tuple(counted) for theme, counted in found.items()}


def save_edition(db: Database, edition: Edition, moment: datetime, note: str | None = None) -> int:
    """Freeze an edition, its row and its placements; returns its id. All but a draft counts as approved.

    Call inside a write.
    """
    edition_id = db.insert(
        "editions",
        {
            "digest": edition.digest,
            "number": edition.number,
            "starts_at": text_from_moment(edition.window.starts_at),
            "ends_at": text_from_moment(edition.window.ends_at),
            "status": edition.status.value,
            "hash": edition.hash,
            "composed_at": text_from_moment(moment),
            "note": note,
            "hand": json.dumps(asdict(edition.hand), ensure_ascii=False),
            "earlier": json.dumps(edition.earlier),
            "approved_at": None
            if edition.status == EditionStatus.DRAFT
            else text_from_moment(moment),
        },
    )
    _place(db, edition_id, edition.placements)
    return edition_id


def _place(db: Database, edition_id: int, placements: Iterable[Placement]) -> None:
    db.run_many(
        "INSERT INTO placements VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            (
                edition_id,
                placement.position,
                placement.article.id,
                placement.article.version,
                placement.article.story_id,
                # The themes and their order; the evidence stays with the article.
                json.dumps(
                    [
                        {
                            "theme": match.theme,
                            "score": match.score,
                            "threshold": match.threshold,
                            "by": match.by,
                            "lexicon_version": match.lexicon_version,
                        }
                        for match in placement.article.matches
                    ]
                ),
                json.dumps([asdict(one) for one in placement.siblings], ensure_ascii=False),
            )
            for placement in placements
        ],
    )


def replace_frozen(
    db: Database, edition: Edition, frozen: Mapping[Choice, "FrozenSegment"]
) -> None:
    """Freeze an edition again: its articles, its hash, and what its queued deliveries get, by the choice
    that they had. What was sent keeps what it had. Call inside a write.
    """
    assert edition.id is not None, "only what was frozen is frozen again"  # noqa: S101
    db.run("DELETE FROM placements WHERE edition_id = ?", (edition.id,))
    _place(db, edition.id, edition.placements)
    db.run("UPDATE editions SET hash = ? WHERE id = ?", (edition.hash, edition.id))
    earlier = segments_of(db, edition.id)
    ids = save_segments(db, edition, frozen.values())
    sql = "UPDATE deliveries SET segment_id = ? WHERE segment_id = ? AND status = 'queued'"
    new = {choice: ids[one.layout.choice] for choice, one in frozen.items()}
    db.run_many(sql, [(new[one.choice], old) for old, one in earlier if one.choice in new])
    sql = """DELETE FROM segments WHERE edition_id = ?
                AND NOT EXISTS (SELECT 1 FROM deliveries WHERE segment_id = segments.id)"""
    db.run(sql, (edition.id,))


def edition_row(db: Database, edition_id: int) -> Row:
    """The stored row of an edition.

    Raises:
        NotFoundError: there is no such edition.
    """
    row = db.row("SELECT * FROM editions WHERE id = ?", (edition_id,))
    if row is None:
        raise NotFoundError(f"there is no edition {edition_id}; see `digest editions list`")
    return row


def edition_by_id(db: Database, edition_id: int) -> Edition:
    """An edition as it was frozen, whatever has happened to its articles since.

    Raises:
        NotFoundError: there is no such edition.
    """
    row = edition_row(db, edition_id)
    placements = tuple(
        Placement(
            one["position"],
            article_from_row(one, [Match(**match) for match in json.loads(one["matches"])]),
            tuple(Sibling(**sibling) for sibling in json.loads(one["siblings"])),
        )
        for one in db.rows(_SELECT_PLACEMENTS, (edition_id,))
    )
    return Edition(
        id=row["id"],
        digest=row["digest"],
        number=row["number"],
        window=Window(moment_from_text(row["starts_at"]), moment_from_text(row["ends_at"])),
        hash=row["hash"],
        placements=placements,
        status=EditionStatus(row["status"]),
        dated_at=row["dated_at"] and moment_from_text(row["dated_at"]),
        hand=_hand(row["hand"]),
        earlier=json.loads(row["earlier"]),
    )


def _hand(text: str) -> Hand:
    stored = json.loads(text)
    lists = {name: tuple(ids) for name, ids in stored.items() if isinstance(ids, list)}
    return Hand(**stored | lists)


def postponed_to(db: Database, digest: str, number: int) -> tuple[int, ...]:
    """The articles that were left out of earlier editions to come in a later one, and are in none yet
    that was approved but this one.
    """
    sql = """SELECT DISTINCT value AS id FROM editions AS earlier, json_each(earlier.hand, '$.carried')
              WHERE digest = :digest AND number < :number AND NOT EXISTS (
                SELECT 1 FROM placements JOIN editions AS later ON later.id = edition_id
                 WHERE article_id = value AND later.digest = :digest AND later.number > earlier.number
                   AND later.number != :number AND later.approved_at IS NOT NULL)
              ORDER BY 1"""
    return tuple(row["id"] for row in db.rows(sql, {"digest": digest, "number": number}))


def carried_since(db: Database, draft: Edition, article_ids: Collection[int]) -> list[int]:
    """Those of these articles that an approved edition after this one contains."""
    sql = """SELECT DISTINCT article_id AS id FROM placements JOIN editions ON editions.id = edition_id
              WHERE digest = ? AND number > ? AND approved_at IS NOT NULL
                AND article_id IN (SELECT value FROM json_each(?)) ORDER BY 1"""
    values = (draft.digest, draft.number, json.dumps(list(article_ids)))
    return [row["id"] for row in db.rows(sql, values)]


_DRAFTS = "FROM editions WHERE approved_at IS NULL AND status IN ('draft', 'held')"


def drafts(db: Database) -> list[Row]:
    """The editions that wait for an approval, the oldest first: id, digest, number, ends_at, status."""
    sql = f"SELECT id, digest, number, ends_at, status {_DRAFTS} ORDER BY ends_at, id"
    return db.rows(sql)


def draft_row(db: Database, edition_id: int) -> Row | None:
    """The stored row of an edition that waits for an approval; None if it does not."""
    return db.row(f"SELECT * {_DRAFTS} AND id = ?", (edition_id,))


def save_draft(db: Database, edition: Edition, by: str, moment: datetime) -> None:
    """Store what an editor decided about a draft, and what it holds by that. Call inside a write."""
    replace_frozen(db, edition, {})
    sql = "UPDATE editions SET hand = ?, earlier = ?, edited_by = ?, edited_at = ? WHERE id = ?"
    hand = json.dumps(asdict(edition.hand), ensure_ascii=False)
    values = (hand, json.dumps(edition.earlier), by, text_from_moment(moment), edition.id)
    db.run(sql, values)


def approve_edition(db: Database, edition_id: int, by: str, moment: datetime) -> None:
    """Let a draft be composed, and keep who approved it. Call inside a write."""
    at = text_from_moment(moment)
    sql = """UPDATE editions SET status = 'composed', note = NULL, composed_at = ?, approved_by = ?,
                    approved_at = ? WHERE id = ?"""
    db.run(sql, (at, by, at, edition_id))


def edition_name(db: Database, edition_id: int) -> str | None:
    """Such as "weekly no. 3"; None if there is no such edition."""
    row = db.row("SELECT digest, number FROM editions WHERE id = ?", (edition_id,))
    return None if row is None else f"{row['digest']} no. {row['number']}"


def list_editions(db: Database, *, digest: str | None = None, limit: int = 50) -> list[Row]:
    """The newest editions with their number of articles and their deliveries by state."""
    where, values = ("", []) if digest is None else ("WHERE digest = ?", [digest])
    sql = f"""
    SELECT id, digest, number, starts_at, ends_at, status, hash, composed_at,
           (SELECT count(*) FROM placements WHERE edition_id = editions.id) AS articles
      FROM editions {where} ORDER BY ends_at DESC, id DESC LIMIT ?
    """  # noqa: S608 - the condition is ours
    rows = db.rows(sql, [*values, limit])
    for row in rows:
        row["deliveries"] = delivery_counts(db, row["id"])
    return rows


SENT = "dated_at IS NOT NULL AND status != 'cancelled'"
"""Of an edition that went out."""


def newest_sent(db: Database, digests: Collection[str]) -> Row | None:
    """The edition of these digests that began to go out last: digest, number, dated_at and its editor's `hand`."""
    sql = f"""SELECT digest, number, dated_at, hand FROM editions WHERE {SENT} AND digest IN (SELECT value FROM json_each(?))
              ORDER BY dated_at DESC, id DESC LIMIT 1"""  # noqa: S608 - ours
    if row := db.row(sql, (json.dumps(list(digests)),)):
        row |= {"hand": _hand(row["hand"]), "dated_at": moment_from_text(row["dated_at"])}
    return row


def editions_sent(
    db: Database, digests: Collection[str], *, before: int | None, limit: int
) -> list[int]:
    """The ids of the newest editions of these digests that went out; only those older than `before`."""
    sql = f"""SELECT id FROM editions
               WHERE {SENT} AND digest IN (SELECT value FROM json_each(:digests))
                 AND (:before IS NULL
                      OR (ends_at, id) < (SELECT ends_at, id FROM editions WHERE id = :before))
               ORDER BY ends_at DESC, id DESC LIMIT :limit"""  # noqa: S608 - ours
    values = {"digests": json.dumps(list(digests)), "before": before, "limit": limit}
    return [int(row["id"]) for row in db.rows(sql, values)]


def edition_sent(db: Database, digest: str, number: int) -> int | None:
    """The id of an edition that went out; None if it did not, or there is none."""
    sql = f"SELECT id FROM editions WHERE {SENT} AND digest = ? AND number = ?"  # noqa: S608 - ours
    found = db.value(sql, (digest, number))
    return None if found is None else int(found)


def editions_with(db: Database, article_ids: Collection[int]) -> list[Row]:
    """The editions that went out with one of these articles, the first one first: digest, number and when."""
    sql = f"""SELECT DISTINCT digest, number, dated_at FROM placements
                JOIN editions ON editions.id = edition_id
               WHERE article_id IN (SELECT value FROM json_each(?)) AND {SENT}
               ORDER BY dated_at, number"""  # noqa: S608 - ours
    rows = db.rows(sql, (json.dumps(list(article_ids)),))
    return [row | {"dated_at": moment_from_text(row["dated_at"])} for row in rows]


def gone_among(db: Database, article_ids: Collection[int], now: datetime) -> set[int]:
    """Those of these articles that are withdrawn, or embargoed now."""
    sql = """SELECT id FROM articles WHERE id IN (SELECT value FROM json_each(?))
                AND (withdrawn_at IS NOT NULL OR opens_at > ?)"""
    values = (json.dumps(list(article_ids)), text_from_moment(now))
    return {int(row["id"]) for row in db.rows(sql, values)}


def delivery_counts(db: Database, edition_id: int) -> dict[str, int]:
    """The number of deliveries of an edition by state, without states that have none."""
    sql = """SELECT status, count(*) AS count FROM deliveries WHERE edition_id = ?
              GROUP BY status ORDER BY status"""
    return {row["status"]: row["count"] for row in db.rows(sql, (edition_id,))}


def audience_of(db: Database, edition_id: int) -> int:
    """How many recipients an edition was composed for: its delivery counts must add up to this."""
    return int(db.value("SELECT recipients FROM editions WHERE id = ?", (edition_id,)))


@dataclass(frozen=True, slots=True)
class FrozenSegment:
    """What everybody with `layout.choice` gets; `mail` is None where that is nothing."""

    layout: Layout
    mail: SegmentMail | None


def save_segments(
    db: Database, edition: Edition, frozen: Iterable[FrozenSegment]
) -> dict[Choice, int]:
    """Add a row for each different choice among an edition's recipients; returns their ids."""
    ids = {}
    for one in frozen:
        choice = one.layout.choice
        sections = [
            [section.theme, section.total, [placed.article.id for placed in section.shown]]
            for section in one.layout.sections
        ]
        row = {
            "edition_id": edition.id,
            "language": choice.language,
            "languages": ",".join(choice.languages),
            "themes": ",".join(choice.themes),
            "hash": edition.hash,
            "layout": json.dumps(sections),
            "extras": _text_from_extras(choice.extras),
            "mail": None if one.mail is None else one.mail.to_bytes(),
        }
        known = {name: value for name, value in row.items() if name not in ("layout", "mail")}
        sql = f"SELECT id FROM segments WHERE {' AND '.join(f'{name} = :{name}' for name in known)}"  # noqa: S608 - ours
        ids[choice] = db.value(sql, known) or db.insert("segments", row)
        shown = (placed.article for section in one.layout.sections for placed in section.shown)
        says = [(article.id, article.version) for article in shown]
        says += [(told.article_id, told.version) for told in choice.extras.corrected]
        sql = "INSERT INTO segment_articles VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
        db.run_many(sql, [(ids[choice], *said) for said in set(says)])
    return ids


def _text_from_extras(extras: Extras) -> str:
    lists = {name: [list(one.values()) for one in rows] for name, rows in asdict(extras).items()}
    return json.dumps({name: rows for name, rows in lists.items() if rows}, default=str)


def extras_from_text(text: str) -> Extras:
    stored = json.loads(text)
    corrected = [(*ids, date.fromisoformat(day)) for *ids, day in stored.get("corrected", ())]
    return Extras(
        tuple(Corrected(*one) for one in corrected),
        tuple(Receipt(*one) for one in stored.get("receipts", ())),
    )


def frozen_segments(db: Database, edition: Edition) -> dict[int, FrozenSegment]:
    """What the queued deliveries of an edition get, by the id of their segment."""
    placed = {placement.article.id: placement for placement in edition.placements}
    sql = "SELECT * FROM segments WHERE edition_id = ? AND hash = ? ORDER BY id"
    segments = {}
    for row in db.rows(sql, (edition.id, edition.hash)):
        sections = tuple(
            Section(theme, tuple(placed[i] for i in ids), total)
            for theme, total, ids in json.loads(row["layout"])
        )
        mail = None if row["mail"] is None else SegmentMail.from_bytes(row["mail"])
        segments[row["id"]] = FrozenSegment(Layout(choice_from_row(row), sections), mail)
    return segments


def segments_of(db: Database, edition_id: int) -> list[tuple[int, Segment]]:
    """The segments of a frozen edition with their ids, the largest first."""
    sql = """
    SELECT segments.id, language, languages, themes, extras, count(deliveries.id) AS recipients
      FROM segments LEFT JOIN deliveries ON deliveries.segment_id = segments.id
     WHERE segments.edition_id = ? GROUP BY segments.id ORDER BY recipients DESC, segments.id
    """
    return [
        (row["id"], Segment(choice_from_row(row), row["recipients"]))
        for row in db.rows(sql, (edition_id,))
    ]


IS_DUE = "(deliveries.due_at <= :now OR deliveries.due_at > :late)"


def due_times(now: datetime) -> dict[str, str]:
    """The values for IS_DUE. A time later than the longest delay was written by a clock that ran ahead."""
    lapsed = text_from_moment(now - SOFT_LAPSES)
    return {
        "now": text_from_moment(now),
        "late": text_from_moment(now + DELAYS[-1]),
        "lapsed": lapsed,
    }


def queued_segments(
    db: Database, edition_id: int, now: datetime, *, also: Collection[int] = ()
) -> list[Segment]:
    """The segments of an edition, the largest first, each counting the deliveries that would be sent:
    those that are due and these `also`, to recipients who still want the mail and may be mailed.
    """
    sql = f"""
    SELECT segments.language, segments.languages, segments.themes, extras, count(*) AS recipients
      FROM deliveries JOIN segments ON segments.id = deliveries.segment_id
      JOIN recipients ON recipients.id = deliveries.recipient_id
     WHERE deliveries.edition_id = :edition
       AND (deliveries.status = 'queued' AND {IS_DUE}
            OR deliveries.id IN (SELECT value FROM json_each(:also)))
       AND recipients.status = 'active' AND NOT {IS_BRAKED.format(edition=":edition")}
       AND NOT EXISTS (SELECT 1 FROM suppressions
                        WHERE suppressions.address_key = recipients.address_key
                          AND (cause != 'soft' OR since > :lapsed))
     GROUP BY segments.id ORDER BY recipients DESC, segments.id
    """  # noqa: S608 - ours
    values = {"edition": edition_id, "also": json.dumps(list(also)), **due_times(now)}
    rows = db.rows(sql, values)
    return [Segment(choice_from_row(row), row["recipients"]) for row in rows]


def choice_from_row(row: Row) -> Choice:
    languages, themes = (
        tuple(part for part in row[column].split(",") if part) for column in ("languages", "themes")
    )
    return Choice(row["language"], languages, themes, extras_from_text(row["extras"]))


def pending_editions(
    db: Database, *, digest: str | None, now: datetime, also: Collection[int] = ()
) -> list[int]:
    """Composed editions with deliveries that are due, or are these `also`, the oldest first."""
    sql = f"""
    SELECT id FROM editions
     WHERE status = 'composed' AND (:digest IS NULL OR digest = :digest)
       AND (EXISTS (SELECT 1 FROM deliveries JOIN recipients ON recipients.id = recipient_id
                     WHERE edition_id = editions.id AND deliveries.status = 'queued' AND {IS_DUE}
                       AND NOT {IS_BRAKED.format(edition="editions.id")})
            OR id IN (SELECT edition_id FROM deliveries
                       WHERE id IN (SELECT value FROM json_each(:also))))
     ORDER BY ends_at, id
    """  # noqa: S608 - ours
    values = {"digest": digest, "also": json.dumps(list(also)), **due_times(now)}
    return [int(row["id"]) for row in db.rows(sql, values)]


def unfinished_editions(db: Database, *, article_id: int | None = None) -> list[int]:
    """Composed editions with deliveries still queued or under way, the oldest first; all of them, or
    those that contain an article.
    """
    sql = """
    SELECT id FROM editions
     WHERE status = 'composed' AND EXISTS (SELECT 1 FROM deliveries WHERE edition_id = editions.id
                                              AND status IN ('queued', 'handed'))
       AND (:article IS NULL OR EXISTS (SELECT 1 FROM placements WHERE edition_id = editions.id
                                           AND article_id = :article))
     ORDER BY ends_at, id
    """
    return [int(row["id"]) for row in db.rows(sql, {"article": article_id})]


def waiting_editions(db: Database, digest: str) -> list[Row]:
    """Editions of a digest with queued deliveries, due or not, the oldest first: id, status, note,
    how many are queued, and when the first of them is due.
    """
    sql = """
    SELECT editions.id, editions.status, note, count(*) AS queued, min(due_at) AS due_at
      FROM editions JOIN deliveries ON deliveries.edition_id = editions.id
     WHERE digest = ? AND deliveries.status = 'queued'
     GROUP BY editions.id ORDER BY ends_at, editions.id
    """
    return db.rows(sql, (digest,))


def mail_date(db: Database, edition: Edition, moment: datetime) -> datetime:
    """The date of an edition's mail: when it first began to go out, else `moment`, to the second."""
    if edition.dated_at is not None and edition.id is not None and has_begun(db, edition.id):
        return edition.dated_at
    return moment.replace(microsecond=0)


def date_edition(db: Database, edition_id: int, dated_at: datetime) -> None:
    """Store its mail_date. Call inside a write."""
    values = (text_from_moment(dated_at), edition_id)
    db.run("UPDATE editions SET dated_at = ? WHERE id = ?", values)


def keep_withdrawn(db: Database, edition_id: int, now: datetime) -> None:
    """Let an edition go on with the articles that were withdrawn by now. Call inside a write."""
    sql = "UPDATE editions SET keeps_withdrawn_at = ? WHERE id = ?"
    db.run(sql, (text_from_moment(now), edition_id))


WITHDRAWN = """(SELECT 1 FROM placements JOIN articles ON articles.id = article_id
                 JOIN editions ON editions.id = placements.edition_id
                WHERE edition_id = {edition} AND withdrawn_at > coalesce(keeps_withdrawn_at, ''))"""


def stopped_by_withdrawal(db: Database, edition_id: int) -> bool:
    """Whether an article was withdrawn after the edition was composed, and nobody has decided."""
    return bool(db.value(f"SELECT EXISTS {WITHDRAWN.format(edition='?')}", (edition_id,)))


NOW = "CASE WHEN withdrawn_at IS NULL THEN articles.version ELSE 0 END"
"""The version of an article as `Corrected` has it."""


def has_outdated(db: Database, edition_id: int) -> bool:
    """Whether queued mail tells of a correction what is not so any more."""
    sql = f"""SELECT EXISTS (
        SELECT 1 FROM segments JOIN segment_articles AS told ON told.segment_id = segments.id
          JOIN articles ON articles.id = told.article_id
         WHERE edition_id = :edition AND extras != '{{}}'
           AND told.version != {NOW}
           AND article_id NOT IN (SELECT article_id FROM placements WHERE edition_id = :edition)
           AND EXISTS (SELECT 1 FROM deliveries WHERE segment_id = segments.id AND status = 'queued'))"""  # noqa: S608 - ours
    return bool(db.value(sql, {"edition": edition_id}))


def has_begun(db: Database, edition_id: int) -> bool:
    """Whether any of an edition has been handed over."""
    counts = delivery_counts(db, edition_id)
    return any(state not in ("queued", "skipped") for state in counts)


def has_queued(db: Database, edition_id: int) -> bool:
    return "queued" in delivery_counts(db, edition_id)


def edition_note(db: Database, edition_id: int) -> str | None:
    """Why an edition is held; None if it is not."""
    note = db.value("SELECT note FROM editions WHERE id = ? AND status = 'held'", (edition_id,))
    return None if note is None else str(note)


def hold_edition(db: Database, edition_id: int, note: str | None) -> bool:
    """Stop an edition until a person releases it; False if it was held or cancelled before."""
    sql = """UPDATE editions SET status = 'held', note = ?
              WHERE id = ? AND status IN ('draft', 'composed')"""
    return bool(db.run(sql, (note, edition_id)))


def release_edition(db: Database, edition_id: int) -> bool:
    """Let a held edition be sent at once, with all its tries; False if it was not held, or is a draft."""
    sql = """UPDATE editions SET status = 'composed', note = NULL
              WHERE id = ? AND status = 'held' AND approved_at IS NOT NULL"""
    if not db.run(sql, (edition_id,)):
        return False
    db.run(
        """UPDATE deliveries SET attempts = 0, first_tried_at = NULL, due_at = composed_at
             FROM editions
            WHERE editions.id = edition_id AND edition_id = ? AND deliveries.status = 'queued'
              AND (attempts > 0 OR due_at > composed_at)""",
        (edition_id,),
    )
    return True


def cancel_edition(db: Database, edition_id: int, now: datetime) -> int:
    """Cancel an edition and skip its queued deliveries; returns how many. What was sent stays sent."""
    db.run("UPDATE editions SET status = 'cancelled' WHERE id = ?", (edition_id,))
    return skip_cancelled(db, edition_id, now)


def skip_cancelled(db: Database, edition_id: int, now: datetime) -> int:
    """Skip the queued deliveries of an edition if it is cancelled; returns how many. A mail that was
    under way at the cancellation may have been queued again since.
    """
    sql = """UPDATE deliveries SET status = 'skipped', settled_at = ?, due_at = NULL,
               reason = 'edition cancelled' WHERE edition_id = ? AND status = 'queued'
                AND EXISTS (SELECT 1 FROM editions
                             WHERE editions.id = deliveries.edition_id AND status = 'cancelled')"""
    return db.run(sql, (text_from_moment(now), edition_id))


def cancelled_editions(db: Database) -> list[int]:
    return [row["id"] for row in db.rows("SELECT id FROM editions WHERE status = 'cancelled'")]
