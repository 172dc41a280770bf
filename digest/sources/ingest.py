"""The verb `ingest`: bytes -> entries -> (language, date, themes, story) -> articles.

list_documents | read, decode, parse, date     no lock; a faulty document is a value
  | match with the stored entries, join        the entries of one article
  | save                                       one write for a source: all of it or nothing
  | file, link                                 only new and changed articles; `themes apply` files the
                                               others after a change of the lexicon
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from digest.config.settings import Settings, SourceSettings
from digest.errors import DocumentError
from digest.language.text import decode
from digest.model import Entry
from digest.newsroom import Newsroom
from digest.sources.dates import read_copy
from digest.sources.documents import read_entries
from digest.sources.folder import FoundDocument, list_documents, read_bytes
from digest.sources.store import (
    Document,
    DocumentState,
    StoredEntry,
    add_article,
    document_states,
    entries_of_article,
    entries_of_document,
    entries_with_opening,
    forget_documents,
    mark_gone,
    next_moment,
    revise_article,
    save_document,
    save_entry,
    save_source,
)
from digest.sources.versions import is_teaser_of, join, match_entries, opening, pair_up
from digest.store.articles import articles_by_id
from digest.store.database import Database
from digest.stories.linking import link_article
from digest.themes.filing import begin_filing, file_article
from digest.themes.lexicon import Lexicon, lexicon_of

MIB = 1024 * 1024
Progress = Callable[[Sequence[FoundDocument]], Iterable[FoundDocument]]


@dataclass(frozen=True, slots=True)
class Reading:
    """A document as it is now, and its entries; none if it could not be read."""

    document: Document
    entries: tuple[Entry, ...] = ()


@dataclass(slots=True)
class IngestReport:
    """The result of an ingest; `faults` has one line for each document that could not be read."""

    documents: int = 0
    unchanged: int = 0
    added: list[int] = field(default_factory=list)
    revised: list[int] = field(default_factory=list)
    linked: int = 0
    faults: list[str] = field(default_factory=list)


def ingest(newsroom: Newsroom, *, archive: bool = False, progress: Progress = iter) -> IngestReport:
    """Read every source, and store new articles and new versions of changed ones.

    `archive` keeps new articles out of editions. A document that cannot be read is named in the report;
    the others are read. A second run over the same documents writes nothing.
    """
    db, settings = newsroom.db, newsroom.settings
    lexicon = lexicon_of(settings.themes)
    report = IngestReport()
    for source in settings.sources:
        try:
            documents = list_documents(source.path, source.pattern)
        except DocumentError as e:
            report.faults.append(f"source {source.name}: {e}")
            continue
        states = document_states(db, source.name)
        # A faulty document that was deleted is no fault any more.
        names = {document.name for document in documents}
        if deleted := [s.id for name, s in states.items() if s.error and name not in names]:
            with db.write():
                forget_documents(db, deleted)
        readings = []
        for document in progress(documents):
            state = states.get(document.name)
            reading = _read(document, state, source)
            if reading is None:
                continue
            report.documents += 1
            now = reading.document
            if now.error is not None:
                report.faults.append(f"source {source.name}: {now.name}: {now.error}")
            if state and (state.sha256, state.error) == (now.sha256, now.error):
                report.unchanged += 1
            else:
                readings.append(reading)
        if readings:
            with db.write():
                moment = next_moment(db, newsroom.now())
                saving = _Saving(db, settings, source, lexicon, moment, archive=archive)
                saving.save(readings, report)
    return report


def _read(
    document: FoundDocument, state: DocumentState | None, source: SourceSettings
) -> Reading | None:
    """The document as it is now; None if it was deleted since it was found."""
    name = document.name
    try:
        data = read_bytes(document, int(source.size_limit_mib * MIB))
    except DocumentError as e:
        return Reading(Document(name, "", document.size, error=e.reason))
    if data is None:
        return None
    sha256 = hashlib.sha256(data).hexdigest()
    if state is not None and state.sha256 == sha256:
        return Reading(Document(name, sha256, len(data), error=state.error))
    try:
        text, encoding = decode(name, data)
        entries = read_copy(read_entries(name, text))
        if not entries:
            raise DocumentError(name, "holds no article; write one into it or remove it")
    except DocumentError as e:
        return Reading(Document(name, sha256, len(data), error=e.reason))
    return Reading(Document(name, sha256, len(data), encoding), tuple(entries))


@dataclass(slots=True)
class _Item:
    """A new entry, its document's row, and the stored entry that it replaces."""

    document_id: int
    entry: Entry
    before: StoredEntry | None


class _Saving:
    """Saves one source's readings, inside one write."""

    def __init__(
        self,
        db: Database,
        settings: Settings,
        source: SourceSettings,
        lexicon: Lexicon,
        moment: datetime,
        *,
        archive: bool,
    ) -> None:
        self.db = db
        self.source = source
        self.lexicon = lexicon
        self.moment = moment
        self.archived = archive or source.archive
        self.site = settings.site.base_url
        self.ranks = [one.name for one in settings.sources]
        title = source.title or source.name
        self.source_id = save_source(db, source.name, source.kind, title, moment)
        begin_filing(db, settings, lexicon)

    def save(self, readings: Sequence[Reading], report: IngestReport) -> None:
        items = [item for reading in readings for item in self._items(reading)]
        by_place = {(item.entry.document, item.entry.line): item for item in items}
        for group in pair_up([item.entry for item in items]):
            self._save_article([by_place[entry.document, entry.line] for entry in group], report)
        for article_id in (*report.added, *report.revised):
            [article] = articles_by_id(self.db, [article_id])
            file_article(self.db, self.lexicon, article)
            report.linked += link_article(self.db, article, self.moment, self.ranks)

    def _items(self, reading: Reading) -> list[_Item]:
        """Save the document; its entries, each with the one that it replaces. Lost ones are marked."""
        document_id = save_document(self.db, self.source_id, reading.document, self.moment)
        if reading.document.error is not None:
            return []
        stored = entries_of_document(self.db, document_id)
        matches = match_entries([one.entry for one in stored], reading.entries)
        befores = [None if i is None else stored[i] for i in matches]
        stayed = {before.id for before in befores if before is not None}
        mark_gone(self.db, [one.id for one in stored if one.id not in stayed], self.moment)
        return [
            _Item(document_id, entry, before)
            for entry, before in zip(reading.entries, befores, strict=True)
        ]

    def _save_article(self, items: list[_Item], report: IngestReport) -> None:
        """Save one article from its new entries and its stored ones."""
        article_id = self._article_of(items)
        replaced = {item.before.id for item in items if item.before is not None}
        stored = [] if article_id is None else entries_of_article(self.db, article_id)
        joined = join(
            [one.entry for one in stored if one.id not in replaced] + [one.entry for one in items]
        )
        documents = {item.entry.document: item.document_id for item in reversed(items)}
        document_id = documents.get(joined.document)
        if document_id is None:
            document_id = document_states(self.db, self.source.name)[joined.document].id
        if article_id is None:
            article_id = add_article(
                self.db,
                self.source_id,
                f"{self.site}\n{self.source.name}",
                document_id,
                joined,
                archived=self.archived,
                moment=self.moment,
            )
            report.added.append(article_id)
        elif revise_article(self.db, article_id, document_id, joined, self.moment):
            report.revised.append(article_id)
        for item in items:
            save_entry(
                self.db,
                item.document_id,
                article_id,
                item.entry,
                opening=opening(item.entry),
                entry_id=None if item.before is None else item.before.id,
            )

    def _article_of(self, items: Sequence[_Item]) -> int | None:
        """The stored article of these entries: by the entries that they replace, else by their words."""
        known = {item.before.article_id for item in items if item.before is not None}
        if known:
            return min(known)
        openings = {key for item in items if (key := opening(item.entry)) is not None}
        for other in entries_with_opening(self.db, self.source_id, openings):
            for item in items:
                if is_teaser_of(item.entry, other.entry) or is_teaser_of(other.entry, item.entry):
                    return other.article_id
        return None
