CREATE TABLE "_sqlite_migrations" (
   "id" INTEGER PRIMARY KEY,
   "migration_set" TEXT,
   "name" TEXT,
   "applied_at" TEXT
);
INSERT INTO _sqlite_migrations (id, migration_set, name, applied_at) VALUES (1, 'digest', 'm001_first', '2026-11-16T06:30:00.000000Z');
INSERT INTO _sqlite_migrations (id, migration_set, name, applied_at) VALUES (2, 'digest', 'm002_sending', '2026-11-16T06:30:00.000000Z');
INSERT INTO _sqlite_migrations (id, migration_set, name, applied_at) VALUES (3, 'digest', 'm003_editors_word', '2026-11-16T06:30:00.000000Z');
INSERT INTO _sqlite_migrations (id, migration_set, name, applied_at) VALUES (4, 'digest', 'm004_service', '2026-11-16T06:30:00.000000Z');
INSERT INTO _sqlite_migrations (id, migration_set, name, applied_at) VALUES (5, 'digest', 'm005_one_shape', '2026-11-16T06:30:00.000000Z');
INSERT INTO _sqlite_migrations (id, migration_set, name, applied_at) VALUES (6, 'digest', 'm006_alarms', '2026-11-16T06:30:00.000000Z');
INSERT INTO _sqlite_migrations (id, migration_set, name, applied_at) VALUES (7, 'digest', 'm008_keeping', '2026-11-16T06:30:00.000000Z');
CREATE TABLE meta (
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL
) WITHOUT ROWID;
INSERT INTO meta (key, value) VALUES ('created_at', '2026-11-16T06:30:00.000000Z');
CREATE TABLE sources (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL,
  title TEXT NOT NULL,
  last_changed_at TEXT
);
INSERT INTO sources (id, name, kind, title, last_changed_at) VALUES (1, 'wire', 'documents', 'Wire', NULL);
CREATE TABLE documents (
  id INTEGER PRIMARY KEY,
  source_id INTEGER NOT NULL REFERENCES sources(id),
  name TEXT NOT NULL,
  sha256 TEXT NOT NULL,
  size INTEGER NOT NULL,
  encoding TEXT,
  error TEXT,
  first_read_at TEXT NOT NULL,
  read_at TEXT NOT NULL,
  UNIQUE (source_id, name)
);
INSERT INTO documents (id, source_id, name, sha256, size, encoding, error, first_read_at, read_at) VALUES (1, 1, '001.txt', '00', 1, NULL, NULL, '2026-11-16T06:30:00.000000Z', '2026-11-16T06:30:00.000000Z');
CREATE TABLE stories (
  id INTEGER PRIMARY KEY,
  lead_article_id INTEGER REFERENCES articles(id),
  made_at TEXT NOT NULL
);
INSERT INTO stories (id, lead_article_id, made_at) VALUES (1, NULL, '2026-11-16T06:30:00.000000Z');
CREATE TABLE articles (
  id INTEGER PRIMARY KEY,
  atom_id TEXT NOT NULL UNIQUE,
  source_id INTEGER NOT NULL REFERENCES sources(id),
  document_id INTEGER REFERENCES documents(id),
  line INTEGER,
  guid TEXT,
  url TEXT,
  version INTEGER NOT NULL,
  language TEXT NOT NULL,
  title TEXT NOT NULL,
  title_made INTEGER NOT NULL CHECK (title_made IN (0, 1)),
  lead TEXT NOT NULL,
  text TEXT NOT NULL,
  content_html TEXT NOT NULL,
  complete INTEGER NOT NULL CHECK (complete IN (0, 1)),
  byline TEXT,
  dateline TEXT,
  wire_tag TEXT,
  published_at TEXT,
  date_source TEXT NOT NULL CHECK (date_source IN ('stated', 'text', 'neighbours', 'unknown')),
  date_evidence TEXT NOT NULL,
  story_id INTEGER REFERENCES stories(id),
  archived INTEGER NOT NULL CHECK (archived IN (0, 1)),
  first_seen_at TEXT NOT NULL,
  updated_at TEXT NOT NULL,
  withdrawn_at TEXT
, lexicon_version TEXT);
INSERT INTO articles (id, atom_id, source_id, document_id, line, guid, url, version, language, title, title_made, lead, text, content_html, complete, byline, dateline, wire_tag, published_at, date_source, date_evidence, story_id, archived, first_seen_at, updated_at, withdrawn_at, lexicon_version) VALUES (1, 'urn:uuid:1', 1, 1, NULL, NULL, NULL, 1, 'en', 'Meeting at the Foreign Ministry', 0, 'They met.', 'They met.', '<p>They met.</p>', 1, NULL, NULL, NULL, '2026-11-15', 'stated', '15 November 2026', 1, 0, '2026-11-16T06:30:00.000000Z', '2026-11-16T06:30:00.000000Z', NULL, NULL);
CREATE TABLE article_versions (
  article_id INTEGER NOT NULL REFERENCES articles(id),
  version INTEGER NOT NULL,
  language TEXT NOT NULL,
  title TEXT NOT NULL,
  title_made INTEGER NOT NULL,
  lead TEXT NOT NULL,
  text TEXT NOT NULL,
  content_html TEXT NOT NULL,
  complete INTEGER NOT NULL,
  byline TEXT,
  dateline TEXT,
  wire_tag TEXT,
  url TEXT,
  published_at TEXT,
  date_source TEXT NOT NULL,
  date_evidence TEXT NOT NULL,
  made_at TEXT NOT NULL,
  PRIMARY KEY (article_id, version)
);
INSERT INTO article_versions (article_id, version, language, title, title_made, lead, text, content_html, complete, byline, dateline, wire_tag, url, published_at, date_source, date_evidence, made_at) VALUES (1, 1, 'en', 'Meeting at the Foreign Ministry', 0, 'They met.', 'They met.', '<p>They met.</p>', 1, NULL, NULL, NULL, NULL, '2026-11-15', 'stated', '15 November 2026', '2026-11-16T06:30:00.000000Z');
CREATE TABLE entries (
  id INTEGER PRIMARY KEY,
  document_id INTEGER NOT NULL REFERENCES documents(id),
  article_id INTEGER NOT NULL REFERENCES articles(id),
  opening TEXT,
  line INTEGER NOT NULL,
  guid TEXT,
  url TEXT,
  language TEXT NOT NULL,
  title TEXT NOT NULL,
  title_made INTEGER NOT NULL,
  lead TEXT NOT NULL,
  text TEXT NOT NULL,
  content_html TEXT NOT NULL,
  complete INTEGER NOT NULL,
  byline TEXT,
  dateline TEXT,
  wire_tag TEXT,
  published_at TEXT,
  date_source TEXT NOT NULL,
  date_evidence TEXT NOT NULL,
  gone_at TEXT
);
CREATE TABLE press_contacts (
  entry_id INTEGER PRIMARY KEY REFERENCES entries(id),
  contact TEXT NOT NULL
);
CREATE VIRTUAL TABLE article_search USING fts5 (title, text, tokenize = 'unicode61');
CREATE TABLE themes (
  name TEXT PRIMARY KEY,
  title TEXT NOT NULL,
  position INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO themes (name, title, position) VALUES ('drugs', '{"en": "Drugs"}', 0);
CREATE TABLE matches (
  article_id INTEGER NOT NULL REFERENCES articles(id),
  theme TEXT NOT NULL REFERENCES themes(name),
  rank INTEGER NOT NULL,
  score REAL NOT NULL,
  threshold REAL NOT NULL,
  decided_by TEXT NOT NULL,
  lexicon_version TEXT NOT NULL,
  evidence TEXT NOT NULL,
  PRIMARY KEY (article_id, theme)
) WITHOUT ROWID;
INSERT INTO matches (article_id, theme, rank, score, threshold, decided_by, lexicon_version, evidence) VALUES (1, 'drugs', 0, 2.0, 1.0, 'lexicon', '1', '{}');
CREATE TABLE story_links (
  article_id INTEGER NOT NULL REFERENCES articles(id),
  other_id INTEGER NOT NULL REFERENCES articles(id),
  kind TEXT NOT NULL,
  score REAL NOT NULL,
  reasons TEXT NOT NULL,
  decided_by TEXT NOT NULL,
  made_at TEXT NOT NULL,
  PRIMARY KEY (article_id, other_id)
) WITHOUT ROWID;
CREATE TABLE fingerprints (
  article_id INTEGER PRIMARY KEY REFERENCES articles(id),
  day TEXT,
  fingerprint TEXT NOT NULL
);
INSERT INTO fingerprints (article_id, day, fingerprint) VALUES (1, NULL, '{}');
CREATE TABLE story_keys (
  key INTEGER NOT NULL,
  article_id INTEGER NOT NULL REFERENCES articles(id),
  PRIMARY KEY (key, article_id)
) WITHOUT ROWID;
CREATE TABLE recipients (
  id INTEGER PRIMARY KEY,
  address TEXT NOT NULL,
  address_key TEXT NOT NULL UNIQUE,
  name TEXT,
  language TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('active', 'pending', 'ended')),
  added_at TEXT NOT NULL,
  ended_at TEXT,
  ended_reason TEXT
);
INSERT INTO recipients (id, address, address_key, name, language, status, added_at, ended_at, ended_reason) VALUES (1, 'a@reader.example', 'a@reader.example', NULL, 'en', 'active', '2026-11-16T06:30:00.000000Z', NULL, NULL);
CREATE TABLE recipient_languages (
  recipient_id INTEGER NOT NULL REFERENCES recipients(id),
  position INTEGER NOT NULL,
  language TEXT NOT NULL,
  PRIMARY KEY (recipient_id, position)
) WITHOUT ROWID;
CREATE TABLE recipient_themes (
  recipient_id INTEGER NOT NULL REFERENCES recipients(id),
  theme TEXT NOT NULL,
  PRIMARY KEY (recipient_id, theme)
) WITHOUT ROWID;
CREATE TABLE recipient_digests (
  recipient_id INTEGER NOT NULL REFERENCES recipients(id),
  digest TEXT NOT NULL,
  PRIMARY KEY (recipient_id, digest)
) WITHOUT ROWID;
CREATE TABLE editions (
  id INTEGER PRIMARY KEY,
  digest TEXT NOT NULL,
  number INTEGER NOT NULL,
  starts_at TEXT NOT NULL,
  ends_at TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('composed', 'held', 'cancelled')),
  hash TEXT NOT NULL,
  composed_at TEXT NOT NULL,
  recipients INTEGER NOT NULL DEFAULT 0,
  note TEXT, answers_gone_at TEXT,
  CHECK (starts_at < ends_at),
  UNIQUE (digest, ends_at),
  UNIQUE (digest, number)
);
INSERT INTO editions (id, digest, number, starts_at, ends_at, status, hash, composed_at, recipients, note, answers_gone_at) VALUES (1, 'weekly', 1, '2026-11-16T06:30:00.000000Z', '2026-11-23T03:00:00.000000Z', 'composed', '00', '2026-11-16T06:30:00.000000Z', 0, NULL, NULL);
CREATE TABLE placements (
  edition_id INTEGER NOT NULL REFERENCES editions(id),
  position INTEGER NOT NULL,
  article_id INTEGER NOT NULL,
  version INTEGER NOT NULL,
  story_id INTEGER,
  matches TEXT NOT NULL,
  siblings TEXT NOT NULL,
  PRIMARY KEY (edition_id, position),
  UNIQUE (edition_id, article_id),
  FOREIGN KEY (article_id, version) REFERENCES article_versions (article_id, version)
) WITHOUT ROWID;
INSERT INTO placements (edition_id, position, article_id, version, story_id, matches, siblings) VALUES (1, 0, 1, 1, 1, '[]', '[]');
CREATE TABLE segments (
  id INTEGER PRIMARY KEY,
  edition_id INTEGER NOT NULL REFERENCES editions(id),
  language TEXT NOT NULL,
  languages TEXT NOT NULL,
  themes TEXT NOT NULL,
  UNIQUE (edition_id, language, languages, themes)
);
INSERT INTO segments (id, edition_id, language, languages, themes) VALUES (1, 1, 'en', '[]', '[]');
CREATE TABLE deliveries (
  id INTEGER PRIMARY KEY,
  edition_id INTEGER NOT NULL REFERENCES editions(id),
  recipient_id INTEGER NOT NULL REFERENCES recipients(id),
  segment_id INTEGER NOT NULL REFERENCES segments(id),
  status TEXT NOT NULL
    CHECK (status IN ('queued', 'handed', 'sent', 'failed', 'uncertain', 'skipped')),
  attempts INTEGER NOT NULL DEFAULT 0,
  due_at TEXT,
  first_tried_at TEXT,
  handed_at TEXT,
  settled_at TEXT,
  server TEXT,
  answer TEXT,
  reason TEXT,
  UNIQUE (edition_id, recipient_id)
);
INSERT INTO deliveries (id, edition_id, recipient_id, segment_id, status, attempts, due_at, first_tried_at, handed_at, settled_at, server, answer, reason) VALUES (1, 1, 1, 1, 'queued', 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
CREATE TABLE suppressions (
  address_key TEXT PRIMARY KEY,
  cause TEXT NOT NULL CHECK (cause IN ('hard', 'soft', 'complaint', 'manual', 'import')),
  detail TEXT,
  delivery_id INTEGER REFERENCES deliveries(id),
  since TEXT NOT NULL
) WITHOUT ROWID;
INSERT INTO suppressions (address_key, cause, detail, delivery_id, since) VALUES ('b@reader.example', 'manual', NULL, NULL, '2026-11-16T06:30:00.000000Z');
CREATE TABLE bounces (
  id INTEGER PRIMARY KEY,
  sha256 TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL,
  found_by TEXT,
  recipient_id INTEGER REFERENCES recipients(id),
  edition_id INTEGER REFERENCES editions(id),
  status_code TEXT,
  diagnostic TEXT,
  read_at TEXT NOT NULL,
  raw BLOB NOT NULL
, let_go_at TEXT);
CREATE TABLE theme_rulings (
  article_id INTEGER NOT NULL REFERENCES articles(id),
  theme TEXT NOT NULL REFERENCES themes(name),
  verdict TEXT NOT NULL CHECK (verdict IN ('add', 'remove')),
  decided_by TEXT NOT NULL,
  decided_at TEXT NOT NULL,
  PRIMARY KEY (article_id, theme)
) WITHOUT ROWID;
CREATE TABLE story_rulings (
  article_id INTEGER NOT NULL REFERENCES articles(id),
  other_id INTEGER NOT NULL REFERENCES articles(id),
  verdict TEXT NOT NULL CHECK (verdict IN ('join', 'split')),
  decided_by TEXT NOT NULL,
  decided_at TEXT NOT NULL,
  PRIMARY KEY (article_id, other_id),
  CHECK (article_id < other_id)
) WITHOUT ROWID;
CREATE TABLE lexicons (
  version TEXT PRIMARY KEY,
  contents TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE leases (
  name TEXT PRIMARY KEY,
  holder TEXT NOT NULL,
  mark TEXT NOT NULL,
  taken_at TEXT NOT NULL,
  expires_at TEXT NOT NULL
) WITHOUT ROWID
;
CREATE TABLE alarms (
  id INTEGER PRIMARY KEY,
  key TEXT NOT NULL,
  said TEXT NOT NULL,
  advice TEXT NOT NULL,
  began_at TEXT NOT NULL,
  seen_at TEXT NOT NULL,
  gone_at TEXT,
  raised_at TEXT,
  closed_at TEXT
);
CREATE TABLE alarm_messages (
  id INTEGER PRIMARY KEY,
  alarm_id INTEGER NOT NULL REFERENCES alarms(id),
  occasion TEXT NOT NULL CHECK (occasion IN ('begun', 'over')),
  place TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('due', 'told', 'dropped')),
  attempts INTEGER NOT NULL DEFAULT 0,
  due_at TEXT,
  first_tried_at TEXT,
  settled_at TEXT,
  answer TEXT,
  UNIQUE (alarm_id, occasion, place)
);
CREATE TABLE desk_mails (
  id INTEGER PRIMARY KEY,
  starts_at TEXT NOT NULL,
  ends_at TEXT NOT NULL UNIQUE,
  composed_at TEXT NOT NULL,
  subject TEXT NOT NULL,
  text TEXT NOT NULL,
  html TEXT NOT NULL,
  CHECK (starts_at < ends_at)
);
CREATE TABLE desk_deliveries (
  id INTEGER PRIMARY KEY,
  desk_mail_id INTEGER NOT NULL REFERENCES desk_mails(id),
  address TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('queued', 'handed', 'sent', 'failed', 'uncertain')),
  attempts INTEGER NOT NULL DEFAULT 0,
  due_at TEXT,
  first_tried_at TEXT,
  handed_at TEXT,
  settled_at TEXT,
  server TEXT,
  answer TEXT,
  reason TEXT,
  UNIQUE (desk_mail_id, address)
);
CREATE UNIQUE INDEX "idx__sqlite_migrations_migration_set_name"
    ON "_sqlite_migrations" ("migration_set", "name");
CREATE INDEX articles_by_first_seen ON articles (first_seen_at DESC, published_at DESC, id);
CREATE INDEX articles_by_language ON articles (language, first_seen_at DESC);
CREATE INDEX articles_by_story ON articles (story_id) WHERE story_id IS NOT NULL;
CREATE INDEX entries_by_document ON entries (document_id);
CREATE INDEX entries_by_article ON entries (article_id);
CREATE INDEX entries_by_opening ON entries (opening);
CREATE INDEX matches_by_theme ON matches (theme, article_id);
CREATE INDEX story_keys_by_article ON story_keys (article_id)
;
CREATE INDEX recipient_digests_by_digest ON recipient_digests (digest, recipient_id);
CREATE INDEX deliveries_by_edition ON deliveries (edition_id, status, id);
CREATE INDEX deliveries_handed ON deliveries (id) WHERE status = 'handed';
CREATE INDEX deliveries_by_recipient ON deliveries (recipient_id)
;
CREATE INDEX suppressions_by_cause ON suppressions (cause);
CREATE INDEX bounces_by_recipient ON bounces (recipient_id, read_at)
;
CREATE INDEX story_rulings_by_other ON story_rulings (other_id);
CREATE INDEX story_links_by_other ON story_links (other_id);
CREATE INDEX articles_by_lexicon ON articles (lexicon_version)
;
CREATE UNIQUE INDEX alarms_open ON alarms (key) WHERE closed_at IS NULL;
CREATE INDEX alarm_messages_due ON alarm_messages (due_at) WHERE status = 'due';
CREATE INDEX documents_unreadable ON documents (source_id, read_at) WHERE error IS NOT NULL
;
CREATE INDEX desk_deliveries_open ON desk_deliveries (status) WHERE status IN ('queued', 'handed')
;
CREATE INDEX bounces_kept ON bounces (read_at) WHERE let_go_at IS NULL;
