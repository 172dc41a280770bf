"""Rows into types and back, in one place for each type; inside, mypy guards them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date, datetime
from typing import Any

from digest.model import (
    Article,
    DateSource,
    Entry,
    Hit,
    KnownDate,
    Match,
    Place,
    Sibling,
)
from digest.store.database import moment_from_text

Row = Mapping[str, Any]

DATE_COLUMNS = ("published_at", "date_source", "date_evidence")
COPY_COLUMNS = (
    "language",
    "title",
    "title_made",
    "lead",
    "text",
    "content_html",
    "complete",
    "byline",
    "dateline",
    "wire_tag",
    "url",
    *DATE_COLUMNS,
)
"""What articles, article_versions and entries have in common: the copy itself."""


def copy_values(copy: Entry | Article) -> dict[str, Any]:
    """The values of COPY_COLUMNS."""
    values = {column: getattr(copy, column) for column in COPY_COLUMNS[:-3]}
    return {
        **values,
        "title_made": int(copy.title_made),
        "complete": int(copy.complete),
        "published_at": copy.published.iso,
        "date_source": copy.published.source.value,
        "date_evidence": copy.published.evidence,
    }


def date_from_row(row: Row) -> KnownDate:
    text = row["published_at"]
    source = DateSource(row["date_source"])
    if text is None:
        return KnownDate(None, source, row["date_evidence"])
    if "T" in text:
        time = datetime.fromisoformat(text)
        return KnownDate(time.date(), source, row["date_evidence"], time)
    return KnownDate(date.fromisoformat(text), source, row["date_evidence"])


def _copy_from_row(row: Row) -> dict[str, Any]:
    return {
        **{column: row[column] for column in COPY_COLUMNS[:-3]},
        "title_made": bool(row["title_made"]),
        "complete": bool(row["complete"]),
        "published": date_from_row(row),
    }


def entry_from_row(row: Row) -> Entry:
    """A row of entries joined with its document's name and its press contact."""
    return Entry(
        **_copy_from_row(row),
        document=row["document"],
        line=row["line"],
        contact=row["contact"],
        guid=row["guid"],
    )


def article_from_row(row: Row, matches: Sequence[Match] = ()) -> Article:
    """A row of articles joined with its source's and its document's name."""
    withdrawn = row["withdrawn_at"]
    return Article(
        **_copy_from_row(row),
        id=row["id"],
        atom_id=row["atom_id"],
        version=row["version"],
        source=row["source"],
        document=row["document"],
        first_seen_at=moment_from_text(row["first_seen_at"]),
        updated_at=moment_from_text(row["updated_at"]),
        story_id=row["story_id"],
        archived=bool(row["archived"]),
        withdrawn_at=moment_from_text(withdrawn) if withdrawn else None,
        matches=tuple(matches),
    )


def sibling_from_row(row: Row) -> Sibling:
    return Sibling(
        id=row["id"],
        atom_id=row["atom_id"],
        title=row["title"],
        language=row["language"],
        source=row["source"],
        url=row["url"],
    )


def match_from_row(row: Row) -> Match:
    evidence = json.loads(row["evidence"])
    return Match(
        theme=row["theme"],
        score=row["score"],
        threshold=row["threshold"],
        by=row["decided_by"],
        lexicon_version=row["lexicon_version"],
        hits=tuple(_hit(hit) for hit in evidence["hits"]),
        blotted=tuple(_hit(hit) for hit in evidence["blotted"]),
    )


def _hit(found: dict[str, Any]) -> Hit:
    return Hit(**{**found, "place": Place(found["place"])})


def evidence_text(match: Match) -> str:
    """The hits and blots of a match as JSON that reads well in a table."""
    return json.dumps(
        {
            "hits": [asdict(hit) for hit in match.hits],
            "blotted": [asdict(hit) for hit in match.blotted],
        },
        ensure_ascii=False,
    )


def match_values(match: Match) -> dict[str, Any]:
    return {
        "theme": match.theme,
        "score": match.score,
        "threshold": match.threshold,
        "decided_by": match.by,
        "lexicon_version": match.lexicon_version,
        "evidence": evidence_text(match),
    }
