"""The verb `ingest`: bytes -> entries -> (language, date, themes, story) -> articles.

survey | read, decode, parse                   which documents changed; the keys of their entries
  | in batches of at most fifty entries:
    read, date | match, join, classify, compare   no lock; a faulty document is a value
      | save, file, link                       one short write: all of a batch or nothing

Entries of one article may lie in several batches. It is made of all of them when the first is saved, so it
does not matter where the batches are cut. `themes apply` files articles after a change of the lexicon.
"""

import hashlib
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from digest.config.settings import SourceSettings
from digest.errors import DocumentError
from digest.model import Entry, Kill, ThemeScore
from digest.newsroom import Newsroom
from digest.sources.dates import read_copy
from digest.sources.documents import item_from, read_entries, read_item
from digest.sources.folder import FoundDocument, read_bytes, survey
from digest.sources.formats import read_document
from digest.sources.store import (
    Arrival,
    Document,
    DocumentState,
    Forms,
    Nearby,
    StoredEntry,
    add_article,
    arrival_bytes,
    arrivals_of,
    companions,
    document_states,
    drop_arrivals,
    entries_of_document,
    forget_deleted,
    hold_back_killed,
    mark_gone,
    nearby,
    next_moment,
    propose,
    revise_article,
    save_document,
    save_entry,
    save_source,
    search_forms,
    sight,
    sightings,
    sources_with_arrivals,
)
from digest.sources.versions import (
    ORIGINAL,
    are_one,
    corrects,
    join,
    keys_of,
    match_entries,
    pair_up,
)
from digest.store.articles import copy_values, hour_of
from digest.store.database import Database, text_from_moment
from digest.stories.fingerprints import Fingerprint
from digest.stories.linking import count_words, fingerprint_of, link_article, prepare_links
from digest.themes.filing import begin_filing, file_article, scores_of
from digest.themes.lexicon import Lexicon, lexicon_of

MIB = 1024 * 1024
BATCH = 50
"""Entries in one write at most: a fifth of a second on a small machine that does nothing else."""
SLOW_SECONDS = 0.25
"""After a longer write the next one is half as large."""
BATCH_CHARACTERS = 1_000_000
"""Of text in one write, unless one entry has more."""
KEPT_BYTES = MIB
Found = FoundDocument | Arrival
Progress = Callable[[Sequence[Found]], Iterable[Found]]
Keys = Mapping[tuple[str, int], Mapping[int, bool]]


@dataclass(frozen=True, slots=True)
class Reading:
    """A document as it is now, its entries with their keys (keys_of), and its kills; none if it could
    not be read.
    """

    document: Document
    entries: tuple[Entry, ...] = ()
    keys: tuple[Mapping[int, bool], ...] = ()
    kills: tuple[Kill, ...] = ()


@dataclass(slots=True)
class IngestReport:
    """The result of an ingest.

    `asked` counts kills and corrections to decide. `faults` has one line for each document that could
    not be read, `repaired` for each new one whose text had been decoded with the wrong encoding;
    `ignored` counts the files that are not read, by ending. `polled` counts the online sources that were
    asked, `unanswered` has a line for each that failed.
    """

    documents: int = 0
    unchanged: int = 0
    added: list[int] = field(default_factory=list)
    revised: list[int] = field(default_factory=list)
    linked: int = 0
    asked: int = 0
    faults: list[str] = field(default_factory=list)
    repaired: list[str] = field(default_factory=list)
    ignored: Counter[str] = field(default_factory=Counter)
    polled: int = 0
    unanswered: list[str] = field(default_factory=list)


def ingest(
    newsroom: Newsroom,
    *,
    archive: bool = False,
    progress: Progress = iter,
    asking: Callable[[Sequence[int]], Iterable[int]] = iter,
    batch: int = BATCH,
) -> IngestReport:
    """Read every source, and store new articles and new versions of changed ones.

    `archive` keeps new articles out of editions. A document that cannot be read is named in the report;
    the others are read. A second run over the same documents writes nothing; one after a crash goes on.
    Online sources that are due are asked first; `asking` goes through them, `progress` through documents.
    """
    db, settings, report = newsroom.db, newsroom.settings, IngestReport()
    if any(source.is_online for source in settings.sources):
        from digest.sources.polling import poll  # slow to load

        polled = poll(newsroom, asking)
        report.polled, report.unanswered = polled.asked, polled.faults
    brought, zone = sources_with_arrivals(db), ZoneInfo(settings.site.time_zone)
    lexicon: Lexicon | None = None
    for source in settings.sources:
        documents: Sequence[Found]
        if source.is_online:
            if source.name not in brought:
                continue
            documents = arrivals_of(db, source.name)
        else:
            try:
                documents, ignored = survey(source.folder, source.pattern)
            except DocumentError as e:
                report.faults.append(f"source {source.name}: {e}")
                continue
            report.ignored += ignored
            forget_deleted(db, source.name, {document.name for document in documents})
        lexicon = lexicon or lexicon_of(settings.themes)
        with sightings(db):
            changed, readings = _survey(db, source, zone, documents, progress, report)
            saving = _Saving(
                newsroom, source, lexicon, changed, readings, report, batch, archive=archive
            )
            for some in saving.batches(progress):
                saving.save(some)
    count_words(db, newsroom.now(), only_if_due=True)
    return report


def _survey(
    db: Database,
    source: SourceSettings,
    zone: ZoneInfo,
    documents: Sequence[Found],
    progress: Progress,
    report: IngestReport,
) -> tuple[list[Found], dict[int, Reading]]:
    """The documents that are new or changed; their entries are sighted, by place in this list.

    With the first few of them as they were read, so that a small ingest reads each once.
    """

    def states() -> Iterator[DocumentState | None]:
        for start in range(0, len(documents), BATCH):
            names = [document.name for document in documents[start : start + BATCH]]
            found = document_states(db, source.name, names)
            yield from map(found.get, names)

    changed: list[Found] = []
    readings: dict[int, Reading] = {}
    kept_bytes = 0
    unchanged: list[int] = []
    for document, state in zip(progress(documents), states(), strict=True):
        reading = _read(db, document, source, zone, state)
        if reading is None:
            continue
        report.documents += 1
        now = reading.document
        if now.error is not None:
            report.faults.append(f"source {source.name}: {now.name}: {now.error}")
        if state and (state.sha256, state.error) == (now.sha256, now.error):
            report.unchanged += 1
            unchanged += [document.id] if isinstance(document, Arrival) else []
            continue
        stored = entries_of_document(db, state.id) if state else []
        matches = match_entries([one.entry for one in stored], reading.entries)
        for entry, keys, match in zip(reading.entries, reading.keys, matches, strict=True):
            earlier = {} if match is None else {-stored[match].article_id: True}
            sight(db, len(changed), entry.line, {**keys, **earlier})
        if now.encoding and now.encoding.endswith("repaired"):
            report.repaired.append(f"source {source.name}: {now.name}: {now.encoding}")
        kept_bytes += document.size
        if kept_bytes <= KEPT_BYTES:
            readings[len(changed)] = reading
        changed.append(document)
    if unchanged:
        with db.write():
            drop_arrivals(db, unchanged)
    return changed, readings


def _read(
    db: Database,
    document: Found,
    source: SourceSettings,
    zone: ZoneInfo,
    state: DocumentState | None = None,
) -> Reading | None:
    """The document as it is now, its entries undated; None if it was deleted since it was found.

    Without entries if `state` has the same bytes. `zone` is the newsroom's.
    """
    name = document.name
    try:
        if isinstance(document, Arrival):
            data = arrival_bytes(db, document)
        else:
            data = read_bytes(document, int(source.size_limit_mib * MIB))
    except DocumentError as e:
        return Reading(Document(name, "", document.size, error=e.reason))
    if data is None:
        return None
    sha256 = hashlib.sha256(data).hexdigest()
    if state is not None and state.sha256 == sha256:
        return Reading(Document(name, sha256, len(data), error=state.error))
    encoding = None
    try:
        if isinstance(document, Arrival) and document.kind == "item":
            entries = [read_item(name, item_from(data), zone)]
        else:
            read = read_document(name, data)
            entries, encoding = read_entries(name, read.lines, zone), read.encoding
        if not entries:
            raise DocumentError(name, "holds no article; write one into it or remove it")
    except DocumentError as e:
        return Reading(Document(name, sha256, len(data), error=e.reason))
    kills = tuple(entry.kills for entry in entries if entry.kills)
    copy = tuple(entry for entry in entries if not entry.kills)
    keys = tuple(map(keys_of, copy))
    return Reading(Document(name, sha256, len(data), encoding), copy, keys, kills)


@dataclass(frozen=True, slots=True)
class _Part:
    """Entries of the document at this place that one write saves; after the last one it counts as read."""

    place: int
    reading: Reading
    entries: tuple[Entry, ...]
    last: bool


@dataclass(frozen=True, slots=True)
class _Item:
    """A new entry with its keys, and the stored entry that it replaces; `later`: a later batch saves it."""

    entry: Entry
    keys: Mapping[int, bool]
    before: StoredEntry | None
    later: bool


@dataclass(frozen=True, slots=True)
class _Draft:
    """An article as it will be, the entry that gives its place, and its entries.

    `findings` are its scores, fingerprint and search forms; None if the stored copy is the same.
    """

    article_id: int | None
    copy: Entry
    place: Entry
    items: Sequence[_Item]
    findings: tuple[Sequence[ThemeScore], Fingerprint, Forms] | None


class _Saving:
    """Saves the new and changed documents of one source, batch by batch."""

    def __init__(
        self,
        newsroom: Newsroom,
        source: SourceSettings,
        lexicon: Lexicon,
        documents: Sequence[Found],
        readings: dict[int, Reading],
        report: IngestReport,
        most: int,
        *,
        archive: bool,
    ) -> None:
        self.newsroom, self.db, self.source = newsroom, newsroom.db, source
        self.most = self.now_most = most
        self.documents, self.readings = documents, readings
        self.report = report
        self.zone = ZoneInfo(newsroom.settings.site.time_zone)
        self.lexicon = lexicon
        arrivals = [one for one in documents if isinstance(one, Arrival)]
        self.arrivals = {one.name: one.id for one in arrivals}
        self.archived = {one.name for one in arrivals if one.archived}
        if archive or source.archive:
            self.archived = {one.name for one in documents}
        self.kept: OrderedDict[int, Reading] = OrderedDict()
        self.kept_bytes = 0

    def batches(self, progress: Progress) -> Iterator[list[_Part]]:
        """All documents in their order, cut by the number of entries and by the length of their text."""
        batch: list[_Part] = []
        count = length = 0
        for place, _ in enumerate(progress(self.documents)):
            reading = self._read(place)
            if reading is None:
                continue
            start = 0
            while start < max(1, len(reading.entries)):
                entries = reading.entries[start : start + self.now_most]
                more, longer = max(1, len(entries)), sum(len(entry.text) for entry in entries)
                if batch and (count + more > self.now_most or length + longer > BATCH_CHARACTERS):
                    yield batch
                    batch, count, length = [], 0, 0
                start += more
                batch.append(_Part(place, reading, entries, start >= len(reading.entries)))
                count, length = count + more, length + longer
        if batch:
            yield batch

    def _read(self, place: int) -> Reading | None:
        """The document with dated entries. Those read last are kept: a listing may be asked for often."""
        reading = self.kept.pop(place, None)
        if reading is not None:
            self.kept_bytes -= reading.document.size
        else:
            reading = self.readings.pop(place, None)
            reading = reading or _read(self.db, self.documents[place], self.source, self.zone)
            if reading is None:
                return None
            today = self.newsroom.now().astimezone(self.zone).date()
            reading = replace(reading, entries=tuple(read_copy(reading.entries, today)))
        self.kept[place] = reading
        self.kept_bytes += reading.document.size
        while self.kept_bytes > KEPT_BYTES:
            self.kept_bytes -= self.kept.popitem(last=False)[1].document.size
        return reading

    def save(self, batch: Sequence[_Part]) -> None:
        """Save these parts in one write; again if another process changed what that rests on."""
        readings = {part.place: part.reading for part in batch}
        own = [(part.place, entry.line) for part in batch for entry in part.entries]
        lines: dict[int, set[int]] = defaultdict(set)
        for place, line in (*own, *companions(self.db, own)):
            lines[place].add(line)
        for place in sorted(lines.keys() - readings.keys()):
            if (reading := self._read(place)) is not None:
                readings[place] = reading
        keys = {
            (entry.document, entry.line): own_keys
            for place, reading in readings.items()
            for entry, own_keys in zip(reading.entries, reading.keys, strict=True)
            if entry.line in lines[place]
        }
        while not self._try(batch, list(readings.values()), keys):
            pass

    def _try(self, batch: Sequence[_Part], readings: Sequence[Reading], keys: Keys) -> bool:
        """Save the batch; False, and nothing is written, if the store changed meanwhile.

        `readings` are its documents, and later ones with entries of the same articles; `keys` are those of
        all these entries, by document and line.
        """
        db, source, version = self.db, self.source.name, self.db.version()
        names = [reading.document.name for reading in readings]
        asked: dict[int, bool] = {}
        for some in keys.values():
            for key, asks in some.items():
                asked[key] = asks or asked.get(key, False)
        stored = nearby(db, source, names, asked)
        readings = [one for one in readings if not _is_saved(one.document, stored)]
        batch = [part for part in batch if not _is_saved(part.reading.document, stored)]
        own = {(entry.document, entry.line) for part in batch for entry in part.entries}
        ended = {part.reading.document.name for part in batch if part.last}
        items: list[_Item] = []
        gone: list[int] = []
        for reading in readings:
            state = stored.documents.get(reading.document.name)
            earlier = [one for one in stored.entries if state and one.document_id == state.id]
            matches = match_entries([one.entry for one in earlier], reading.entries)
            befores = [None if match is None else earlier[match] for match in matches]
            for entry, before in zip(reading.entries, befores, strict=True):
                where = entry.document, entry.line
                if where in keys:
                    items.append(_Item(entry, keys[where], before, where not in own))
            if reading.document.error is None and reading.document.name in ended:
                stayed = {before.id for before in befores if before is not None}
                gone += [one.id for one in earlier if one.id not in stayed]
        documents = [
            part.reading.document if part.last else replace(part.reading.document, sha256="")
            for part in batch
        ]
        drafts = self._drafts(items, stored, {document.name for document in documents})
        news = [(one.article_id or 0, one.findings[1]) for one in drafts if one.findings]
        prepare_links(db, news)
        with db.write():
            began = self.newsroom.now()
            if db.version() != version and nearby(db, source, names, asked) != stored:
                return False
            read = [part.reading for part in batch if part.last]
            kills = [(one.document.name, kill) for one in read for kill in one.kills]
            self._write(documents, gone, drafts, kills, stored)
        slow = (self.newsroom.now() - began).total_seconds() > SLOW_SECONDS
        self.now_most = max(1, self.now_most // 2) if slow else min(self.most, self.now_most * 2)
        return True

    def _drafts(self, items: Sequence[_Item], stored: Nearby, own: Collection[str]) -> list[_Draft]:
        """The articles of these entries, those known and those new, in the order of the entries."""
        by_place = {(item.entry.document, item.entry.line): item for item in items}
        replaced = {item.before.id for item in items if item.before is not None}
        groups: list[tuple[int | None, list[_Item]]] = []
        of_article: dict[int, list[_Item]] = {}
        for group in pair_up([item.entry for item in items], [item.keys for item in items]):
            members = [by_place[entry.document, entry.line] for entry in group]
            article_id = _article_of(members, stored, replaced, self.newsroom.now())
            if article_id is not None and article_id in of_article:
                of_article[article_id] += members
                continue
            groups.append((article_id, members))
            if article_id is not None:
                of_article[article_id] = members
        drafts = []
        for article_id, members in groups:
            if all(item.later for item in members):
                continue
            entries = [
                one.entry
                for one in stored.entries
                if one.article_id == article_id and one.id not in replaced
            ]
            copy = place = join([*entries, *(item.entry for item in members)])
            known = {*own, *stored.documents, *(entry.document for entry in entries)}
            if copy.document not in known:  # its document is saved later, and then gives the place
                place = join([*entries, *(item.entry for item in members if not item.later)])
            row = stored.articles.get(article_id) if article_id else None
            findings = None
            if row is None or any(row[name] != value for name, value in copy_values(copy).items()):
                scores = scores_of(self.lexicon, copy)
                print_ = fingerprint_of(copy, self.newsroom.now())
                findings = scores, print_, search_forms(copy)
            own_items = [item for item in members if not item.later]
            drafts.append(_Draft(article_id, copy, place, own_items, findings))
        return drafts

    def _write(
        self,
        documents: Sequence[Document],
        gone: Sequence[int],
        drafts: Sequence[_Draft],
        kills: Sequence[tuple[str, Kill]],
        stored: Nearby,
    ) -> None:
        """Only statements: what needs computing is in the drafts. Call inside a write."""
        db, settings, source, report = self.db, self.newsroom.settings, self.source, self.report
        moment = next_moment(db, self.newsroom.now())
        source_id = save_source(db, source.name, source.kind, source.title or source.name, moment)
        begin_filing(db, settings, self.lexicon)
        ids = {one.entry.document: one.document_id for one in stored.entries}
        ids |= {name: state.id for name, state in stored.documents.items()}
        ids |= {one.name: save_document(db, source_id, one, moment) for one in documents}
        # A part of a document has no hash yet.
        drop_arrivals(
            db, [self.arrivals[one.name] for one in documents if one.sha256 and self.arrivals]
        )
        mark_gone(db, gone, moment)
        ranks = [one.name for one in settings.sources]
        for draft in drafts:
            article_id, document_id = draft.article_id, ids[draft.place.document]
            copy = replace(draft.copy, line=draft.place.line)
            scores, print_, forms = draft.findings or ((), None, None)
            if article_id is None:
                article_id = add_article(
                    db,
                    source_id,
                    f"{settings.site.base_url}\n{source.name}",
                    document_id,
                    copy,
                    archived=draft.place.document in self.archived,
                    moment=moment,
                    forms=forms,
                )
                report.added.append(article_id)
                changed = True
                if all(item.entry.correction is not None for item in draft.items):
                    names = Kill(copy.correction or "", copy.title, copy.number)
                    report.asked += propose(db, document_id, moment, names, article_id)
            else:
                changed = revise_article(db, article_id, document_id, copy, moment, forms=forms)
                report.revised += [article_id] if changed else []
            for item in draft.items:
                save_entry(
                    db,
                    ids[item.entry.document],
                    article_id,
                    item.entry,
                    keys=item.keys,
                    entry_id=None if item.before is None else item.before.id,
                )
            if changed and print_:
                file_article(db, self.lexicon, article_id, scores)
                report.linked += link_article(db, article_id, print_, moment, ranks)
        for name, kill in kills:
            report.asked += propose(db, ids[name], moment, kill)
        hold_back_killed(db, moment)


def _is_saved(document: Document, stored: Nearby) -> bool:
    state = stored.documents.get(document.name)
    return state is not None and (state.sha256, state.error) == (document.sha256, document.error)


def _article_of(
    items: Sequence[_Item], stored: Nearby, replaced: set[int], now: datetime
) -> int | None:
    """The stored article of these entries: by those that they replace, else by their words, else the one
    that they correct, if that is certain.

    What is embargoed adds no word to an article that readers see.
    """
    at, since = text_from_moment(now), text_from_moment(now - ORIGINAL)
    waiting = [item.entry.text for item in items if (hour_of(item.entry.embargo) or now) > now]

    def may_be(article_id: int) -> bool:
        row = stored.articles[article_id]
        return (row["opens_at"] or "") > at or all(text == row["text"] for text in waiting)

    def is_recent(article_id: int) -> bool:
        row = stored.articles[article_id]
        return row["withdrawn_at"] is None and row["received_at"] >= since

    known = {item.before.article_id for item in items if item.before is not None}
    if not known:
        keyed = set[int]().union(*(stored.of_key.get(key, ()) for one in items for key in one.keys))
        near = [other for other in stored.entries if other.id in keyed - replaced]
        for other in near:
            if other.article_id not in known:
                known |= {other.article_id for one in items if are_one(one.entry, other.entry)}
        if not known:
            known = {
                other.article_id
                for other in near
                if is_recent(other.article_id)
                for one in items
                if corrects(one.entry, other.entry) or corrects(other.entry, one.entry)
            }
            known = known if len(known) == 1 else set()
    return min(filter(may_be, known), default=None)
