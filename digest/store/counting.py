"""The statements of migration m007: counts that triggers keep, so that no figure counts a whole table.

Every write keeps them, also one by hand: a row's trigger runs in the row's own transaction. No count
is 0. `theme_counts` counts articles by the week in which they came in, named by its Monday in
UTC; those under no theme stand under 'other'. `article_marks` has another number as soon as
anything has changed that the article's page shows. Published as it is; never to be edited.
"""

TABLES = (
    """CREATE TABLE article_counts (
  source_id INTEGER NOT NULL REFERENCES sources(id) ON DELETE CASCADE,
  language TEXT NOT NULL,
  complete INTEGER NOT NULL,
  dated INTEGER NOT NULL,
  lexicon_version TEXT NOT NULL,
  count INTEGER NOT NULL,
  PRIMARY KEY (source_id, language, complete, dated, lexicon_version)
) WITHOUT ROWID""",
    """CREATE TABLE theme_counts (
  week TEXT NOT NULL,
  theme TEXT NOT NULL,
  language TEXT NOT NULL,
  count INTEGER NOT NULL,
  PRIMARY KEY (week, theme, language)
) WITHOUT ROWID""",
    """CREATE TABLE document_counts (
  source_id INTEGER NOT NULL REFERENCES sources(id) ON DELETE CASCADE,
  faulty INTEGER NOT NULL,
  count INTEGER NOT NULL,
  PRIMARY KEY (source_id, faulty)
) WITHOUT ROWID""",
    """CREATE TABLE delivery_counts (
  edition_id INTEGER NOT NULL REFERENCES editions(id) ON DELETE CASCADE,
  status TEXT NOT NULL,
  count INTEGER NOT NULL,
  PRIMARY KEY (edition_id, status)
) WITHOUT ROWID""",
    """CREATE TABLE article_marks (
  article_id INTEGER PRIMARY KEY REFERENCES articles(id) ON DELETE CASCADE,
  mark INTEGER NOT NULL
)""",
)

INDEXES = (
    """CREATE INDEX articles_for_editions ON articles (first_seen_at, language, withdrawn_at)
 WHERE archived = 0""",
    "CREATE INDEX deliveries_queued ON deliveries (edition_id, due_at) WHERE status = 'queued'",
    "CREATE INDEX recipients_by_status ON recipients (status)",
)


def _week(row: str) -> str:
    return f"date({row}.first_seen_at, 'weekday 0', '-6 days')"


def _kind(row: str) -> str:
    """The key of `article_counts`."""
    return (
        f"{row}.source_id, {row}.language, {row}.complete, {row}.published_at IS NOT NULL, "
        f"coalesce({row}.lexicon_version, '')"
    )


def _themes_of(row: str) -> str:
    """The keys of `theme_counts` of one article."""
    return f"""
  SELECT {_week(row)}, theme, {row}.language FROM matches WHERE article_id = {row}.id
   UNION ALL
  SELECT {_week(row)}, 'other', {row}.language
   WHERE NOT EXISTS (SELECT 1 FROM matches WHERE article_id = {row}.id)"""  # noqa: S608 - names are ours


def _more(table: str, keys: str) -> str:
    """`keys` is a query of the keys whose counts grow by 1."""
    return f"""INSERT INTO {table} SELECT *, 1 FROM ({keys}) WHERE true
    ON CONFLICT DO UPDATE SET count = count + 1;"""  # noqa: S608 - names are ours


def _fewer(table: str, condition: str) -> str:
    """The counts that the condition picks become less by 1; no count of 0 is left."""
    return f"""UPDATE {table} SET count = count - 1 WHERE {condition};
  DELETE FROM {table} WHERE count = 0 AND {condition};"""  # noqa: S608 - names are ours


def _kind_more(row: str) -> str:
    return _more("article_counts", f"SELECT {_kind(row)}")


def _kind_fewer(row: str) -> str:
    key = "(source_id, language, complete, dated, lexicon_version)"
    return _fewer("article_counts", f"{key} = ({_kind(row)})")


def _themes_more(row: str) -> str:
    return _more("theme_counts", _themes_of(row))


def _themes_fewer(row: str) -> str:
    return _fewer("theme_counts", f"(week, theme, language) IN ({_themes_of(row)})")


def _match_more(theme: str, article: str, condition: str) -> str:
    return _more(
        "theme_counts",
        f"SELECT {_week('articles')}, {theme}, language FROM articles "  # noqa: S608 - names are ours
        f"WHERE id = {article} AND {condition}",
    )


def _match_fewer(theme: str, article: str, condition: str) -> str:
    place = f"SELECT {_week('articles')}, language FROM articles WHERE id = {article}"  # noqa: S608 - names are ours
    return _fewer(
        "theme_counts", f"theme = {theme} AND {condition} AND (week, language) = ({place})"
    )


def _document_more() -> str:
    return _more("document_counts", "SELECT new.source_id, new.error IS NOT NULL")


def _document_fewer() -> str:
    return _fewer("document_counts", "(source_id, faulty) = (old.source_id, old.error IS NOT NULL)")


def _delivery_more() -> str:
    return _more("delivery_counts", "SELECT new.edition_id, new.status")


def _delivery_fewer() -> str:
    return _fewer("delivery_counts", "(edition_id, status) = (old.edition_id, old.status)")


def _matches(article: str) -> str:
    return f"(SELECT count(*) FROM matches WHERE article_id = {article})"  # noqa: S608 - names are ours


def _remark(condition: str) -> str:
    return f"UPDATE article_marks SET mark = random() WHERE {condition};"  # noqa: S608 - names are ours


def _trigger(name: str, when: str, *statements: str) -> str:
    body = "\n  ".join(statements)
    return f"CREATE TRIGGER {name} AFTER {when} BEGIN\n  {body}\nEND"


def _of_story(*stories: str) -> str:
    return f"article_id IN (SELECT id FROM articles WHERE story_id IN ({', '.join(stories)}))"  # noqa: S608 - names are ours


SHOWN = (
    *("atom_id", "source_id", "document_id", "line", "guid", "url", "version", "language"),
    *("title", "title_made", "lead", "text", "content_html", "complete", "byline", "dateline"),
    *("wire_tag", "published_at", "date_source", "date_evidence", "story_id", "archived"),
    *("first_seen_at", "updated_at", "withdrawn_at"),
)
"""Columns of `articles` of which a page may show something: all but the lexicon's version."""

OTHER_ARTICLE = "old.article_id != new.article_id"
TRIGGERS = (
    _trigger(
        "article_added",
        "INSERT ON articles",
        _kind_more("new"),
        _themes_more("new"),
        "INSERT INTO article_marks VALUES (new.id, random());",
        _remark(_of_story("new.story_id")),
    ),
    _trigger(
        "article_removed",
        "DELETE ON articles",
        _kind_fewer("old"),
        _themes_fewer("old"),
        "DELETE FROM article_marks WHERE article_id = old.id;",
        _remark(_of_story("old.story_id")),
    ),
    _trigger(
        "article_of_another_kind",
        "UPDATE OF source_id, language, complete, published_at, lexicon_version ON articles "
        f"WHEN ({_kind('old')}) IS NOT ({_kind('new')})",
        _kind_fewer("old"),
        _kind_more("new"),
    ),
    _trigger(
        "article_of_another_week",
        "UPDATE OF language, first_seen_at ON articles "
        f"WHEN old.language != new.language OR {_week('old')} != {_week('new')}",
        _themes_fewer("old"),
        _themes_more("new"),
    ),
    _trigger(
        "article_changed",
        f"UPDATE OF {', '.join(SHOWN)} ON articles",
        _remark("article_id = new.id"),
        _remark(_of_story("old.story_id", "new.story_id")),
    ),
    _trigger(
        "match_added",
        "INSERT ON matches",
        _match_fewer("'other'", "new.article_id", f"{_matches('new.article_id')} = 1"),
        _match_more("new.theme", "new.article_id", "true"),
        _remark("article_id = new.article_id"),
    ),
    _trigger(
        "match_removed",
        "DELETE ON matches",
        _match_fewer("old.theme", "old.article_id", "true"),
        _match_more("'other'", "old.article_id", f"{_matches('old.article_id')} = 0"),
        _remark("article_id = old.article_id"),
    ),
    _trigger(
        "match_moved",
        "UPDATE OF article_id, theme ON matches",
        _match_fewer("old.theme", "old.article_id", "true"),
        _match_more(
            "'other'", "old.article_id", f"{OTHER_ARTICLE} AND {_matches('old.article_id')} = 0"
        ),
        _match_fewer(
            "'other'", "new.article_id", f"{OTHER_ARTICLE} AND {_matches('new.article_id')} = 1"
        ),
        _match_more("new.theme", "new.article_id", "true"),
    ),
    _trigger(
        "match_changed",
        "UPDATE ON matches",
        _remark("article_id IN (old.article_id, new.article_id)"),
    ),
    _trigger("story_added", "INSERT ON stories", _remark(_of_story("new.id"))),
    _trigger("story_changed", "UPDATE ON stories", _remark(_of_story("old.id", "new.id"))),
    _trigger("story_removed", "DELETE ON stories", _remark(_of_story("old.id"))),
    _trigger("document_added", "INSERT ON documents", _document_more()),
    _trigger("document_removed", "DELETE ON documents", _document_fewer()),
    _trigger(
        "document_changed",
        "UPDATE OF source_id, error ON documents WHEN old.source_id != new.source_id "
        "OR (old.error IS NULL) != (new.error IS NULL)",
        _document_fewer(),
        _document_more(),
    ),
    _trigger("delivery_added", "INSERT ON deliveries", _delivery_more()),
    _trigger("delivery_removed", "DELETE ON deliveries", _delivery_fewer()),
    _trigger(
        "delivery_changed",
        "UPDATE OF edition_id, status ON deliveries "
        "WHEN old.edition_id != new.edition_id OR old.status != new.status",
        _delivery_fewer(),
        _delivery_more(),
    ),
)

COUNTED = {
    "article_counts": f"""
SELECT {_kind("articles")}, count(*) FROM articles GROUP BY 1, 2, 3, 4, 5""",  # noqa: S608 - names are ours
    "theme_counts": f"""
SELECT {_week("articles")}, matches.theme, language, count(*)
  FROM matches JOIN articles ON articles.id = matches.article_id GROUP BY 1, 2, 3
 UNION ALL
SELECT {_week("articles")}, 'other', language, count(*) FROM articles
 WHERE NOT EXISTS (SELECT 1 FROM matches WHERE article_id = articles.id) GROUP BY 1, 2, 3""",  # noqa: S608 - names are ours
    "document_counts": """
SELECT source_id, error IS NOT NULL, count(*) FROM documents GROUP BY 1, 2""",
    "delivery_counts": """
SELECT edition_id, status, count(*) FROM deliveries GROUP BY 1, 2""",
}
"""What each table of counts must hold, counted anew."""

FILLING = (
    *(f"INSERT INTO {table} {counted}" for table, counted in COUNTED.items()),
    "INSERT INTO article_marks SELECT id, random() FROM articles",
)

STATEMENTS = (*TABLES, *INDEXES, *FILLING, *TRIGGERS)
