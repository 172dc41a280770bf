"""What must be true of a soak's desk when all is quiet again, and every fault in words."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from digest.mail.tokens import Purpose, read_token
from digest.store.database import Database
from tests.soak.newsroom import BY_HAND, CONNECTIONS
from tests.soak.relay import DROPPED, TAKEN, Received
from tests.soak.world import World


@dataclass
class Verdict:
    """What was counted, and every broken promise."""

    figures: dict[str, object] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)


def judge(world: World) -> Verdict:
    """Check everything that the soak left."""
    verdict = Verdict()
    with world.newsroom.open() as db:
        for look in (_store, _copy, _editions, _deliveries, _people, _alarms):
            verdict.faults += look(world, db, verdict.figures)
    if (count := world.readers.look_at_disk()) < 3:
        verdict.faults.append(f"only {count} feeds")
    verdict.figures["feed reads"] = dict(world.readers.answers)
    verdict.figures["reads that a kill cut off"] = world.readers.unanswered
    verdict.faults += world.machines.faults + world.readers.faults + world.services.unexplained()
    return verdict


def is_over(world: World) -> bool:
    """Whether everything that ends by itself has ended; `judge` finds what never does.

    All checks see one moment: an edition that closes between two of them would seem to be sent.
    """
    with world.newsroom.open() as db, db.snapshot():
        looks = (_alarms, _deliveries, _copy, _editions)
        return not any(True for look in looks for _ in look(world, db, {}))


def _store(world: World, db: Database, figures: dict[str, object]) -> Iterator[str]:
    answer = db.value("PRAGMA integrity_check")
    if answer != "ok":
        yield f"integrity_check: {answer}"
    if db.rows("PRAGMA foreign_key_check"):
        yield "foreign_key_check"
    figures["articles"] = db.value("SELECT count(*) FROM articles")
    figures["versions"] = db.value("SELECT count(*) FROM article_versions")


def _copy(world: World, db: Database, figures: dict[str, object]) -> Iterator[str]:
    """Each piece is one article with its newest text, and the state of each document is right."""
    texts = [row["text"] for row in db.rows("SELECT text FROM articles")]
    with_docket = Counter(
        docket
        for text in texts
        for docket in {word.strip(".:") for word in text.split()}
        if docket.startswith("ASH-")
    )
    pieces = world.newsroom.press.pieces
    for piece in pieces:
        if with_docket[piece.docket] != 1:
            yield f"{piece.docket} is in {with_docket[piece.docket]} articles"
    if len(texts) != len(pieces):
        yield f"{len(texts)} articles of {len(pieces)} pieces"
    everything = "\n".join(texts)
    rows = db.rows(
        "SELECT sources.name AS source, documents.name, error FROM documents JOIN sources ON source_id = sources.id"
    )
    errors = {(row["source"], row["name"]): row["error"] for row in rows}
    for document in world.newsroom.documents:
        place = (document.path.parent.name, document.path.name)
        if place not in errors or (errors[place] is not None) != document.broken:
            yield f"{place}: {errors.get(place, 'never read')}, broken {document.broken}"
        for piece in document.pieces if document.full and not document.broken else ():
            if piece.last_word not in everything:
                yield f"{piece.docket}: its newest text was not read"
    figures["documents"] = len(world.newsroom.documents)
    figures["corrections"] = sum(piece.corrections for piece in pieces)


def _editions(world: World, db: Database, figures: dict[str, object]) -> Iterator[str]:
    """The windows of a digest tile the time, and each article is in exactly one of its editions."""
    articles = {
        row["id"]: row["first_seen_at"]
        for row in db.rows("SELECT id, first_seen_at FROM articles WHERE NOT archived")
    }
    editions: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in db.rows("SELECT * FROM editions ORDER BY digest, number"):
        editions[row["digest"]].append(row)
        counted = db.value("SELECT count(*) FROM deliveries WHERE edition_id = ?", (row["id"],))
        if counted != row["recipients"]:
            yield f"edition {row['id']}: {row['recipients']} recipients, {counted} deliveries"
    if set(editions) != {"weekly", "daily"}:
        yield f"digests with editions: {sorted(editions)}"
    for digest, rows in editions.items():
        figures[f"editions of {digest}"] = len(rows)
        if [row["number"] for row in rows] != list(range(1, len(rows) + 1)):
            yield f"{digest}: numbers are not 1, 2, 3"
        for before, after in pairwise(rows):
            if before["ends_at"] != after["starts_at"]:
                yield f"{digest}: no. {before['number']} ends {before['ends_at']}, the next starts {after['starts_at']}"
        placed = Counter(
            row["article_id"]
            for row in db.rows(
                "SELECT article_id FROM placements JOIN editions ON editions.id = edition_id WHERE digest = ?",
                (digest,),
            )
        )
        for article, seen in articles.items():
            within = sum(row["starts_at"] <= seen < row["ends_at"] for row in rows)
            if (placed[article], within) != (1, 1):
                yield f"{digest}: article {article}, seen {seen}, is in {placed[article]} editions, {within} windows"


def _deliveries(world: World, db: Database, figures: dict[str, object]) -> Iterator[str]:
    """Each is final; a recipient whose delivery is sent got it once, and nobody got it twice."""
    key = db.value("SELECT value FROM meta WHERE key = 'token_key'")  # made by the first sender
    keys = [] if key is None else [bytes.fromhex(key)]
    came: dict[tuple[int, int], list[Received]] = defaultdict(list)
    for one in world.relay.received:
        if (named := read_token(keys, one.token, Purpose.SERVER)) is None:
            yield f"a token that is not ours: {one.token}"
        else:
            came[named].append(one)
    names = Counter(one.message_id for one in world.relay.received if one.fate != DROPPED)
    for name, times in names.items():
        if times > 1 or not name:
            yield f"{name} was accepted {times} times"
    rows = db.rows(
        "SELECT deliveries.*, address FROM deliveries JOIN recipients ON recipients.id = recipient_id"
    )
    causes: Counter[str] = Counter()
    for row in rows:
        bodies = came.pop((row["edition_id"], row["recipient_id"]), [])
        got = sum(one.fate != DROPPED for one in bodies)
        if any(one.address != row["address"] for one in bodies):
            yield f"delivery {row['id']} went to another address"
        unsure = row["status"] == "uncertain" or row["reason"] == BY_HAND
        if got not in ((0, 1) if unsure else (1,) if row["status"] == "sent" else (0,)):
            yield f"delivery {row['id']} is {row['status']} ({row['reason']}), and came {got} times"
        if row["status"] in ("queued", "handed"):
            yield f"delivery {row['id']} is still {row['status']}"
        if unsure:
            causes[_cause(world, row, bodies)] += 1
    if came:
        yield f"{len(came)} deliveries came that are in no ledger"
    if causes["no cause"]:
        yield f"{causes['no cause']} deliveries are uncertain without a cause"
    if world.machines.most_handed > CONNECTIONS:
        yield f"an end left {world.machines.most_handed} deliveries open over {CONNECTIONS} connections"
    figures["deliveries"] = dict(Counter(row["status"] for row in rows))
    figures["uncertain by"] = dict(causes)
    figures["most open at an end"] = world.machines.most_handed


def _cause(world: World, row: dict[str, Any], bodies: list[Received]) -> str:
    """Why a delivery's end is not known."""
    if row["id"] in world.machines.handed:
        return "a process that ended"
    if any(one.fate != TAKEN for one in bodies):
        return "a server that did not answer"
    at = datetime.fromisoformat(row["handed_at"])
    slack = timedelta(seconds=2 * world.terms.patience * world.terms.pace)
    if any(begun - slack <= at <= ended + slack for begun, ended in world.machines.outages):
        return "a server that went away"
    return "an answer that came too late" if bodies else "no cause"


def _people(world: World, db: Database, figures: dict[str, object]) -> Iterator[str]:
    """A person who left or is suppressed is in no later edition; one who wrote to leave has left."""
    late = db.rows(
        """SELECT deliveries.id FROM deliveries JOIN editions ON editions.id = edition_id
             JOIN recipients ON recipients.id = recipient_id WHERE recipients.ended_at < composed_at"""
    )
    late += db.rows(
        """SELECT deliveries.id FROM deliveries JOIN editions ON editions.id = edition_id
             JOIN recipients ON recipients.id = recipient_id
             JOIN suppressions ON suppressions.address_key = recipients.address_key
            WHERE suppressions.since < composed_at AND deliveries.status != 'skipped'"""
    )
    if late:
        yield f"{len(late)} deliveries to people who must not be mailed"
    rows = db.rows("SELECT address, status FROM recipients")
    states = {row["address"]: row["status"] for row in rows}
    suppressed = {row["address_key"] for row in db.rows("SELECT address_key FROM suppressions")}
    for kind, address in world.letters.written:
        if kind in ("leave", "complaint") and states[address] != "ended":
            yield f"{address} wrote to leave, and is {states[address]}"
        if kind == "complaint" and address not in suppressed:
            yield f"{address} is angry, and not suppressed"
    figures["recipients"] = dict(Counter(states.values())) | {"suppressed": len(suppressed)}
    figures["letters that came back"] = dict(Counter(kind for kind, _ in world.letters.written))
    # The provider accepts most of its mail, so a dead address is suppressed the second time.
    sql = """SELECT kind, state, count(*) AS count FROM bounces WHERE found_by IS NOT 'dialogue'
              GROUP BY kind, state"""
    taken = {(row["kind"], row["state"]): row["count"] for row in db.rows(sql)}
    dead = sum(kind == "hard" for kind, _ in world.letters.written)
    if taken.get(("hard", "counts"), 0) != dead:
        yield f"{dead} letters said that an address is dead, and were taken as {taken}"
    if (read := sum(taken.values())) != len(world.letters.written):
        yield f"{len(world.letters.written)} letters came back, {read} were read"


def _alarms(world: World, db: Database, figures: dict[str, object]) -> Iterator[str]:
    """Each was reported at its beginning and its end; none is open."""
    rows = db.rows("SELECT key, raised_at, closed_at FROM alarms")
    for row in rows:
        if row["closed_at"] is None:
            yield f"alarm {row['key']} is not over"
    sql = "SELECT kind, status FROM notices"
    messages, mails = Counter[str](), Counter[str]()
    for row in db.rows(sql):
        (mails if row["kind"] == "report" else messages)[row["status"]] += 1
    taken, sent = len(world.relay.notices), messages["sent"] + mails["sent"]
    if messages["queued"] or not sent <= taken <= sent + messages["failed"] + mails.total():
        yield f"{taken} notices came; alarms {dict(messages)}, reports {dict(mails)}"
    figures["alarms raised"] = sum(row["raised_at"] is not None for row in rows)
    figures["messages about alarms"] = dict(messages)
    figures["mails to the desk"] = dict(mails)
    figures["notices that came twice"] = sum(n > 1 for n in world.relay.notices.values())
