-- The tables of a new store. Each change here needs a new SCHEMA_VERSION in database.py.
--
-- Every instant is text in UTC as 2026-11-22T08:00:00.000000Z; every yes or no is 1 or 0.

-- The store itself: when it was made, who sends from it, which service wakes the verbs.

CREATE TABLE meta (
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE leases (
  name TEXT PRIMARY KEY,
  holder TEXT NOT NULL,
  mark TEXT NOT NULL,
  taken_at TEXT NOT NULL,
  expires_at TEXT NOT NULL
) WITHOUT ROWID;

-- What sources give: each document as it was last read.

CREATE TABLE sources (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL,
  title TEXT NOT NULL,
  last_changed_at TEXT
);

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
  looked_at TEXT,  -- when its page was last asked again
  UNIQUE (source_id, name)
);
CREATE INDEX documents_by_first_reading ON documents (source_id, first_read_at);
CREATE INDEX documents_unreadable ON documents (source_id, read_at) WHERE error IS NOT NULL;

-- Sources that are asked: those added by command, how each answered, and what it brought until that is
-- saved as articles.

CREATE TABLE added_sources (
  name TEXT PRIMARY KEY,
  settings TEXT NOT NULL,  -- as a table of [[sources]]
  added_at TEXT NOT NULL,
  added_by TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE polls (
  source_id INTEGER PRIMARY KEY REFERENCES sources(id),
  next_at TEXT NOT NULL,
  asked_at TEXT,
  answered_at TEXT,  -- the last good answer
  news_at TEXT,  -- when it last brought something new
  status INTEGER,
  error TEXT,
  failing_since TEXT,
  failures INTEGER NOT NULL DEFAULT 0,
  address TEXT,  -- where it moved for good; NULL where it is where it was
  moved_to TEXT,  -- where it says it moved, in how many answers running
  moved_times INTEGER NOT NULL DEFAULT 0,
  place TEXT,  -- how far a mailbox was read
  gap_seconds REAL,  -- the mean time between its newest items
  validators TEXT NOT NULL DEFAULT '{}',  -- by address: its ETag and Last-Modified
  failed TEXT NOT NULL DEFAULT '{}',  -- how often each page could not be read
  rest TEXT NOT NULL DEFAULT '{}',  -- pages that wait for a later round, and whether they are archive
  paused_at TEXT,
  ended_at TEXT
);

-- What each robots.txt allows us, '' where there is none, for a day at most (RFC 9309).
CREATE TABLE robots (
  url TEXT PRIMARY KEY,
  until TEXT NOT NULL,
  rules TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE arrivals (
  id INTEGER PRIMARY KEY,
  source_id INTEGER NOT NULL REFERENCES sources(id),
  name TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('item', 'file', 'waits')),
  data BLOB NOT NULL,
  archived INTEGER NOT NULL CHECK (archived IN (0, 1)),
  arrived_at TEXT NOT NULL,
  UNIQUE (source_id, name)
);

-- Articles and their versions; entries are the items of the documents from which they came.

CREATE TABLE stories (
  id INTEGER PRIMARY KEY,
  lead_article_id INTEGER REFERENCES articles(id),
  made_at TEXT NOT NULL
);

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
  urgency TEXT,
  number TEXT,
  update_mark TEXT,
  correction TEXT,
  embargo_words TEXT,
  embargo_until TEXT,
  published_at TEXT,
  date_source TEXT NOT NULL CHECK (date_source IN ('stated', 'text', 'neighbours', 'unknown')),
  date_evidence TEXT NOT NULL,
  picture TEXT,  -- as model.Picture
  story_id INTEGER REFERENCES stories(id),
  archived INTEGER NOT NULL CHECK (archived IN (0, 1)),
  lexicon_version TEXT,
  received_at TEXT NOT NULL,
  opens_at TEXT,  -- until then it is embargoed
  first_seen_at TEXT NOT NULL,
  updated_at TEXT NOT NULL,
  released_by TEXT,
  corrected_at TEXT,  -- when readers last learnt that what they had read was changed or withdrawn
  corrected TEXT NOT NULL DEFAULT '',  -- the parts that were changed then, such as "title text"
  withdrawn_at TEXT,
  withdrawn_why TEXT NOT NULL DEFAULT ''  -- the reason that readers see, in the article's language
);
CREATE INDEX articles_by_first_seen ON articles (first_seen_at DESC, published_at DESC, id);
CREATE INDEX articles_by_language
  ON articles (language, first_seen_at DESC, published_at DESC, id);
CREATE INDEX articles_for_editions ON articles (first_seen_at, language, withdrawn_at)
  WHERE archived = 0;
CREATE INDEX articles_by_lexicon ON articles (lexicon_version);
CREATE INDEX articles_by_source ON articles (source_id);
CREATE INDEX articles_incomplete ON articles (id) WHERE complete = 0;
CREATE INDEX articles_undated ON articles (published_at) WHERE published_at IS NULL;
CREATE INDEX articles_by_opening ON articles (opens_at) WHERE opens_at IS NOT NULL;
CREATE INDEX articles_with_embargo ON articles (coalesce(embargo_until, '9'))
  WHERE embargo_words IS NOT NULL AND released_by IS NULL;
CREATE INDEX articles_by_story ON articles (story_id) WHERE story_id IS NOT NULL;
CREATE INDEX articles_by_update ON articles (updated_at);
CREATE INDEX articles_for_sitemaps ON articles (id / 2500, updated_at);  -- web.store.RANGE
CREATE INDEX articles_corrected ON articles (corrected_at) WHERE corrected_at IS NOT NULL;

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
  urgency TEXT,
  number TEXT,
  update_mark TEXT,
  correction TEXT,
  embargo_words TEXT,
  embargo_until TEXT,
  url TEXT,
  published_at TEXT,
  date_source TEXT NOT NULL,
  date_evidence TEXT NOT NULL,
  picture TEXT,  -- as model.Picture
  made_at TEXT NOT NULL,
  PRIMARY KEY (article_id, version)
);

CREATE TABLE entries (
  id INTEGER PRIMARY KEY,
  document_id INTEGER NOT NULL REFERENCES documents(id),
  article_id INTEGER NOT NULL REFERENCES articles(id),
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
  urgency TEXT,
  number TEXT,
  update_mark TEXT,
  correction TEXT,
  embargo_words TEXT,
  embargo_until TEXT,
  published_at TEXT,
  date_source TEXT NOT NULL,
  date_evidence TEXT NOT NULL,
  picture TEXT,  -- as model.Picture
  gone_at TEXT
);
CREATE INDEX entries_by_document ON entries (document_id);
CREATE INDEX entries_by_article ON entries (article_id);

-- Two entries of one article share a key that asks in one of them.

CREATE TABLE entry_keys (
  key INTEGER NOT NULL,
  entry_id INTEGER NOT NULL REFERENCES entries(id),
  asks INTEGER NOT NULL CHECK (asks IN (0, 1)),
  PRIMARY KEY (key, asks, entry_id)
) WITHOUT ROWID;
CREATE INDEX entry_keys_by_entry ON entry_keys (entry_id);

-- What was cut from an entry, in the order of the document: shown to editors, never published.

CREATE TABLE entry_cuts (
  entry_id INTEGER NOT NULL REFERENCES entries(id),
  position INTEGER NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('contact', 'header', 'label', 'boilerplate', 'furniture')),
  text TEXT NOT NULL,
  PRIMARY KEY (entry_id, position)
) WITHOUT ROWID;

-- What copy asks of a person: to withdraw the article that a kill names, or to say what the article
-- `article_id` corrects. Which articles it names is looked up, since they may come later.

CREATE TABLE proposals (
  id INTEGER PRIMARY KEY,
  kind TEXT NOT NULL CHECK (kind IN ('kill', 'correction')),
  document_id INTEGER NOT NULL REFERENCES documents(id),
  article_id INTEGER REFERENCES articles(id),
  words TEXT NOT NULL,
  title TEXT NOT NULL,
  number TEXT NOT NULL,
  made_at TEXT NOT NULL,
  settled_at TEXT,
  settled_by TEXT,
  UNIQUE (kind, document_id, words, title, number)
);
CREATE INDEX proposals_open ON proposals (made_at) WHERE settled_at IS NULL;

CREATE VIRTUAL TABLE article_search USING fts5 (title, text, tokenize = 'unicode61');

-- Themes, the matches under them with their evidence, and what editors decided.

CREATE TABLE themes (
  name TEXT PRIMARY KEY,
  title TEXT NOT NULL,
  position INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE matches (
  article_id INTEGER NOT NULL REFERENCES articles(id),
  theme TEXT NOT NULL REFERENCES themes(name),
  language TEXT NOT NULL,  -- the article's, so that articles are counted by theme from an index
  rank INTEGER NOT NULL,
  score REAL NOT NULL,
  threshold REAL NOT NULL,
  decided_by TEXT NOT NULL,
  lexicon_version TEXT NOT NULL,
  evidence TEXT NOT NULL,
  PRIMARY KEY (article_id, theme)
) WITHOUT ROWID;
CREATE INDEX matches_by_theme ON matches (theme, language, article_id);
CREATE INDEX matches_first ON matches (language) WHERE rank = 1;

CREATE TABLE theme_corrections (
  article_id INTEGER NOT NULL REFERENCES articles(id),
  theme TEXT NOT NULL REFERENCES themes(name),
  verdict TEXT NOT NULL CHECK (verdict IN ('add', 'remove')),
  decided_by TEXT NOT NULL,
  decided_at TEXT NOT NULL,
  PRIMARY KEY (article_id, theme)
) WITHOUT ROWID;

CREATE TABLE lexicons (
  version TEXT PRIMARY KEY,
  contents TEXT NOT NULL
) WITHOUT ROWID;

-- Stories: links between articles about one event, and what editors decided.

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
CREATE INDEX story_links_by_other ON story_links (other_id);

CREATE TABLE fingerprints (
  article_id INTEGER PRIMARY KEY REFERENCES articles(id),
  day TEXT,
  fingerprint TEXT NOT NULL
);

CREATE TABLE story_keys (
  key INTEGER NOT NULL,
  article_id INTEGER NOT NULL REFERENCES articles(id),
  PRIMARY KEY (key, article_id)
) WITHOUT ROWID;
CREATE INDEX story_keys_by_article ON story_keys (article_id);

-- How many articles had a key when they were counted, as a JSON object: what many have tells little.
CREATE TABLE story_counts (
  version INTEGER PRIMARY KEY,
  made_at TEXT NOT NULL,
  articles INTEGER NOT NULL,
  keys TEXT NOT NULL
);

CREATE TABLE story_corrections (
  article_id INTEGER NOT NULL REFERENCES articles(id),
  other_id INTEGER NOT NULL REFERENCES articles(id),
  verdict TEXT NOT NULL CHECK (verdict IN ('join', 'split')),
  decided_by TEXT NOT NULL,
  decided_at TEXT NOT NULL,
  PRIMARY KEY (article_id, other_id),
  CHECK (article_id < other_id)
) WITHOUT ROWID;
CREATE INDEX story_corrections_by_other ON story_corrections (other_id);

-- Recipients and their choices.

CREATE TABLE recipients (
  id INTEGER PRIMARY KEY,
  address TEXT NOT NULL,
  address_key TEXT NOT NULL UNIQUE,
  domain TEXT GENERATED ALWAYS AS (substr(address_key, instr(address_key, '@') + 1)) VIRTUAL,
  name TEXT,
  language TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('active', 'pending', 'ended')),
  added_at TEXT NOT NULL,
  paused_until TEXT,  -- no mail of an edition composed before then
  feed INTEGER NOT NULL DEFAULT 0,  -- the number of their own feed, another after it was revoked; 0 for none
  ended_at TEXT,
  ended_reason TEXT
);
CREATE INDEX recipients_by_status ON recipients (status);
CREATE INDEX recipients_by_domain ON recipients (domain, status);

-- What was decided about a subscription, when, by whom and by which words; what it was before and after.
CREATE TABLE recipient_events (
  id INTEGER PRIMARY KEY,
  recipient_id INTEGER NOT NULL REFERENCES recipients(id),
  made_at TEXT NOT NULL,
  act TEXT NOT NULL,  -- such as joined, chose, moved, paused, left, returned
  made_by TEXT NOT NULL,  -- form, link, one-click, mail, import, or the name of who ran a command
  network TEXT,  -- from where, shortened
  words TEXT,  -- those that were agreed to
  changed TEXT NOT NULL DEFAULT '{}'  -- by what: the value before and after
);
CREATE INDEX recipient_events_by_recipient ON recipient_events (recipient_id, id);

-- What people asked by a form, until the link in the mail that answers is used, or it lapses.
CREATE TABLE requests (
  id INTEGER PRIMARY KEY,
  kind TEXT NOT NULL CHECK (kind IN ('join', 'move', 'link')),
  address TEXT NOT NULL,
  address_key TEXT NOT NULL,
  recipient_id INTEGER REFERENCES recipients(id),
  wish TEXT NOT NULL,  -- what was chosen, as JSON
  network TEXT NOT NULL,  -- shortened
  asked_at TEXT NOT NULL,
  answered_at TEXT,
  bounced_at TEXT
);
CREATE INDEX requests_by_address ON requests (address_key, asked_at);
CREATE INDEX requests_by_network ON requests (network, asked_at);
CREATE INDEX requests_by_moment ON requests (asked_at);

-- What readers follow beside themes: a phrase, or the story that an article is in, whichever that is by
-- then; and in which articles it was found, of which a mail told them.
CREATE TABLE follows (
  id INTEGER PRIMARY KEY,
  recipient_id INTEGER NOT NULL REFERENCES recipients(id),
  key TEXT NOT NULL,  -- the same for the same words
  phrase TEXT,
  article_id INTEGER REFERENCES articles(id),
  made_at TEXT NOT NULL,
  looked_until TEXT NOT NULL,  -- articles first seen before then were looked at
  mailed_at TEXT,
  CHECK ((phrase IS NULL) != (article_id IS NULL)),
  UNIQUE (recipient_id, key)
);
CREATE INDEX follows_by_look ON follows (looked_until);

CREATE TABLE follow_finds (
  follow_id INTEGER NOT NULL REFERENCES follows(id) ON DELETE CASCADE,
  article_id INTEGER NOT NULL REFERENCES articles(id),
  evidence TEXT NOT NULL,
  found_at TEXT NOT NULL,
  PRIMARY KEY (follow_id, article_id)
) WITHOUT ROWID;
CREATE INDEX follow_finds_by_article ON follow_finds (article_id);

-- Addresses that recipients had: no import brings one back, and a late bounce is about the old one.
CREATE TABLE former_addresses (
  address_key TEXT PRIMARY KEY,
  recipient_id INTEGER NOT NULL REFERENCES recipients(id),
  changed_at TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX former_addresses_by_recipient ON former_addresses (recipient_id, changed_at);

-- Who takes the mail of a domain, by its MX; a domain without a row is its own provider.
CREATE TABLE providers (
  domain TEXT PRIMARY KEY,
  provider TEXT NOT NULL,
  looked_up_at TEXT NOT NULL
) WITHOUT ROWID;

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
CREATE INDEX recipient_digests_by_digest ON recipient_digests (digest, recipient_id);

-- Editions, frozen with all that decides their bytes, and a delivery for each recipient.

CREATE TABLE editions (
  id INTEGER PRIMARY KEY,
  digest TEXT NOT NULL,
  number INTEGER NOT NULL,
  starts_at TEXT NOT NULL,
  ends_at TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('draft', 'composed', 'held', 'cancelled')),
  hash TEXT NOT NULL,
  composed_at TEXT NOT NULL,
  recipients INTEGER NOT NULL DEFAULT 0,
  dated_at TEXT,
  keeps_withdrawn_at TEXT,  -- what was withdrawn before then stays in it
  note TEXT,
  answers_gone_at TEXT,
  hand TEXT NOT NULL DEFAULT '{}',  -- what an editor decided, as model.Hand
  earlier TEXT NOT NULL DEFAULT '{}',  -- earlier weeks of each theme, as in model.Edition
  edited_by TEXT,
  edited_at TEXT,
  approved_by TEXT,  -- NULL where its digest needs no approval
  approved_at TEXT,  -- NULL for a draft
  CHECK (starts_at < ends_at),
  UNIQUE (digest, ends_at),
  UNIQUE (digest, number)
);

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

CREATE TABLE segments (
  id INTEGER PRIMARY KEY,
  edition_id INTEGER NOT NULL REFERENCES editions(id),
  language TEXT NOT NULL,
  languages TEXT NOT NULL,
  themes TEXT NOT NULL,
  hash TEXT NOT NULL,
  layout TEXT NOT NULL,
  extras TEXT NOT NULL DEFAULT '{}',  -- what only some of this choice get, as model.Extras
  mail BLOB,  -- NULL where the choice gets nothing
  UNIQUE (edition_id, hash, language, languages, themes, extras)
);

-- What the mail of a segment says of articles: it shows one in this version, or tells of its correction;
-- version 0 tells that it was withdrawn. So it is known who must be told of what was changed since.
CREATE TABLE segment_articles (
  segment_id INTEGER NOT NULL REFERENCES segments(id) ON DELETE CASCADE,
  article_id INTEGER NOT NULL REFERENCES articles(id),
  version INTEGER NOT NULL,
  PRIMARY KEY (article_id, segment_id, version)
) WITHOUT ROWID;
CREATE INDEX segment_articles_by_segment ON segment_articles (segment_id);

CREATE TABLE deliveries (
  id INTEGER PRIMARY KEY,
  edition_id INTEGER NOT NULL REFERENCES editions(id),
  recipient_id INTEGER NOT NULL REFERENCES recipients(id),
  segment_id INTEGER NOT NULL REFERENCES segments(id),
  status TEXT NOT NULL
    CHECK (status IN ('queued', 'handed', 'sent', 'failed', 'uncertain', 'skipped')),
  mark TEXT,
  attempts INTEGER NOT NULL DEFAULT 0,
  due_at TEXT,
  first_tried_at TEXT,
  handed_at TEXT,
  settled_at TEXT,
  server TEXT,
  answer TEXT,
  reason TEXT,
  UNIQUE (recipient_id, edition_id)
);
CREATE INDEX deliveries_by_edition ON deliveries (edition_id, status, id);
CREATE INDEX deliveries_queued ON deliveries (edition_id, due_at) WHERE status = 'queued';
CREATE INDEX deliveries_handed ON deliveries (id) WHERE status = 'handed';
CREATE INDEX deliveries_by_segment ON deliveries (segment_id);

-- What came back, in a letter or as a server's answer; the brake, which takes a batch of dead
-- addresses to a person; and the addresses that must not be mailed.

CREATE TABLE brakes (
  id INTEGER PRIMARY KEY,
  edition_id INTEGER NOT NULL REFERENCES editions(id),
  provider TEXT NOT NULL,  -- '' for the whole edition
  recipients INTEGER NOT NULL,  -- of the edition there
  state TEXT NOT NULL CHECK (state IN ('watching', 'on', 'confirmed', 'discarded')),
  begun_at TEXT,
  ended_at TEXT
);
CREATE UNIQUE INDEX brakes_open ON brakes (edition_id, provider) WHERE state IN ('watching', 'on');

CREATE TABLE bounces (
  id INTEGER PRIMARY KEY,
  sha256 TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL,
  found_by TEXT,
  recipient_id INTEGER REFERENCES recipients(id),
  edition_id INTEGER REFERENCES editions(id),
  provider TEXT,
  status_code TEXT,
  diagnostic TEXT,
  because TEXT,  -- in words, why it is of this kind
  state TEXT NOT NULL
    CHECK (state IN ('noted', 'counts', 'waits', 'braked', 'confirmed', 'tried', 'discarded')),
  brake_id INTEGER REFERENCES brakes(id),
  read_at TEXT NOT NULL,
  raw BLOB NOT NULL,
  let_go_at TEXT
);
CREATE INDEX bounces_by_recipient ON bounces (recipient_id, read_at);
CREATE INDEX bounces_by_edition ON bounces (edition_id, kind, state);
CREATE INDEX bounces_waiting ON bounces (read_at) WHERE state = 'waits';
CREATE INDEX bounces_kept ON bounces (read_at) WHERE let_go_at IS NULL;

CREATE TABLE suppressions (
  address_key TEXT PRIMARY KEY,  -- only its hash where the person is forgotten
  cause TEXT NOT NULL
    CHECK (cause IN ('hard', 'soft', 'complaint', 'manual', 'import', 'forgotten')),
  detail TEXT,
  bounce_id INTEGER REFERENCES bounces(id),
  since TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX suppressions_by_cause ON suppressions (cause);

-- Troubles that the watch has seen; and the outbox of notices, all that is sent beside
-- editions: to whom, which bytes, and what a crash may cost. `mark` is that of the sender that handed it.

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
CREATE UNIQUE INDEX alarms_open ON alarms (key) WHERE closed_at IS NULL;

CREATE TABLE notices (
  id INTEGER PRIMARY KEY,
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  way TEXT NOT NULL CHECK (way IN ('mail', 'webhook', 'hub')),
  recipient TEXT NOT NULL,
  sender TEXT NOT NULL,
  body BLOB NOT NULL,
  crash TEXT NOT NULL CHECK (crash IN ('never twice', 'rather twice')),
  dated_at TEXT NOT NULL,
  queued_at TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('queued', 'handed', 'sent', 'failed', 'uncertain')),
  mark TEXT,
  attempts INTEGER NOT NULL DEFAULT 0,
  due_at TEXT,
  first_tried_at TEXT,
  handed_at TEXT,
  settled_at TEXT,
  server TEXT,
  answer TEXT,
  reason TEXT,
  UNIQUE (name, way, recipient)
);
CREATE INDEX notices_open ON notices (status) WHERE status IN ('queued', 'handed');
CREATE INDEX notices_uncertain ON notices (id) WHERE status = 'uncertain';
CREATE INDEX notices_by_kind ON notices (kind, dated_at);

-- What is published. A mark for each article, random again after every change that its page shows, so
-- that `digest publish` writes only those pages. Random, so that a restored store never repeats a mark
-- for another text. `change` numbers the changes: what has a higher one than was last published is new.

CREATE TABLE article_marks (
  article_id INTEGER PRIMARY KEY REFERENCES articles(id) ON DELETE CASCADE,
  mark INTEGER NOT NULL,
  change INTEGER NOT NULL
);
CREATE INDEX article_marks_by_change ON article_marks (change);

-- How far each folder or bucket of published files has come, '' for the archives: all changes until
-- `change`, and all embargoes until `moment`. `token` is also in the folder: another one there means
-- that the folder or the database is not the one of then.
CREATE TABLE places (
  name TEXT PRIMARY KEY,
  change INTEGER NOT NULL,
  moment TEXT NOT NULL,
  token TEXT NOT NULL
) WITHOUT ROWID;

-- The `updated` of each channel, which never goes back; and the files of which its hub was told, as JSON.
CREATE TABLE channels (
  slug TEXT PRIMARY KEY,
  updated_at TEXT NOT NULL,
  announced TEXT NOT NULL DEFAULT '{}'
) WITHOUT ROWID;

-- Every article that a channel ever held, as it was then: in archive `number` of the channel, or without
-- a number as long as it waits for the next one. Archives never change, but for what is withdrawn.
CREATE TABLE archive_entries (
  slug TEXT NOT NULL,
  article_id INTEGER NOT NULL REFERENCES articles(id),
  number INTEGER,
  position INTEGER,
  version INTEGER NOT NULL,
  themes TEXT NOT NULL,
  updated_at TEXT NOT NULL,
  PRIMARY KEY (article_id, slug),
  FOREIGN KEY (article_id, version) REFERENCES article_versions (article_id, version)
) WITHOUT ROWID;
CREATE UNIQUE INDEX archive_entries_in_order ON archive_entries (slug, number, position);

CREATE TRIGGER article_added AFTER INSERT ON articles BEGIN
  INSERT INTO article_marks VALUES (new.id, random(),
    (SELECT coalesce(max(change), 0) + 1 FROM article_marks));
  UPDATE article_marks SET mark = random(),
    change = (SELECT coalesce(max(change), 0) + 1 FROM article_marks) WHERE article_id IN
    (SELECT id FROM articles WHERE story_id = new.story_id);
END;

CREATE TRIGGER article_removed AFTER DELETE ON articles BEGIN
  DELETE FROM article_marks WHERE article_id = old.id;
  UPDATE article_marks SET mark = random(),
    change = (SELECT coalesce(max(change), 0) + 1 FROM article_marks) WHERE article_id IN
    (SELECT id FROM articles WHERE story_id = old.story_id);
END;

CREATE TRIGGER article_changed AFTER UPDATE OF
  atom_id, source_id, document_id, line, guid, url, version, language, title, title_made, lead,
  text, content_html, complete, byline, dateline, wire_tag, urgency, number, update_mark, correction,
  embargo_words, embargo_until, published_at, date_source, date_evidence, picture, story_id, archived,
  received_at, opens_at, first_seen_at, updated_at, released_by, corrected_at,
  corrected, withdrawn_at, withdrawn_why
  ON articles BEGIN
  UPDATE article_marks SET mark = random(),
    change = (SELECT coalesce(max(change), 0) + 1 FROM article_marks) WHERE article_id = new.id;
  UPDATE article_marks SET mark = random(),
    change = (SELECT coalesce(max(change), 0) + 1 FROM article_marks) WHERE article_id IN
    (SELECT id FROM articles WHERE story_id IN (old.story_id, new.story_id));
END;

CREATE TRIGGER match_added AFTER INSERT ON matches BEGIN
  UPDATE article_marks SET mark = random(),
    change = (SELECT coalesce(max(change), 0) + 1 FROM article_marks) WHERE article_id = new.article_id;
END;

CREATE TRIGGER match_removed AFTER DELETE ON matches BEGIN
  UPDATE article_marks SET mark = random(),
    change = (SELECT coalesce(max(change), 0) + 1 FROM article_marks) WHERE article_id = old.article_id;
END;

CREATE TRIGGER match_changed AFTER UPDATE ON matches BEGIN
  UPDATE article_marks SET mark = random(),
    change = (SELECT coalesce(max(change), 0) + 1 FROM article_marks) WHERE article_id IN (old.article_id, new.article_id);
END;

CREATE TRIGGER story_added AFTER INSERT ON stories BEGIN
  UPDATE article_marks SET mark = random(),
    change = (SELECT coalesce(max(change), 0) + 1 FROM article_marks) WHERE article_id IN
    (SELECT id FROM articles WHERE story_id = new.id);
END;

CREATE TRIGGER story_changed AFTER UPDATE ON stories BEGIN
  UPDATE article_marks SET mark = random(),
    change = (SELECT coalesce(max(change), 0) + 1 FROM article_marks) WHERE article_id IN
    (SELECT id FROM articles WHERE story_id IN (old.id, new.id));
END;

CREATE TRIGGER story_removed AFTER DELETE ON stories BEGIN
  UPDATE article_marks SET mark = random(),
    change = (SELECT coalesce(max(change), 0) + 1 FROM article_marks) WHERE article_id IN
    (SELECT id FROM articles WHERE story_id = old.id);
END;

-- Our resized copies of articles' pictures, by the picture's address; where there are none, what went wrong. It is
-- asked for at next_at.

CREATE TABLE pictures (
  url TEXT PRIMARY KEY,
  name TEXT UNIQUE,  -- of its copies
  width INTEGER,  -- of the large copy, in pixels
  height INTEGER,
  asked_at TEXT,
  next_at TEXT,
  failures INTEGER NOT NULL DEFAULT 0,
  error TEXT
) WITHOUT ROWID;
CREATE INDEX pictures_due ON pictures (next_at) WHERE next_at IS NOT NULL;
CREATE INDEX pictures_by_asking ON pictures (asked_at) WHERE asked_at IS NOT NULL;

CREATE TABLE picture_copies (
  name TEXT NOT NULL REFERENCES pictures(name),
  width INTEGER NOT NULL,
  form TEXT NOT NULL CHECK (form IN ('avif', 'webp')),
  data BLOB NOT NULL,
  PRIMARY KEY (name, width, form)
);

CREATE INDEX articles_by_picture ON articles (json_extract(picture, '$.url')) WHERE picture IS NOT NULL;

CREATE TRIGGER picture_added AFTER INSERT ON articles
  WHEN new.picture IS NOT NULL AND new.withdrawn_at IS NULL BEGIN
  INSERT INTO pictures (url, next_at)
    VALUES (json_extract(new.picture, '$.url'), coalesce(new.opens_at, new.first_seen_at))
    ON CONFLICT (url) DO UPDATE SET next_at = excluded.next_at, failures = 0 WHERE name IS NULL;
END;

CREATE TRIGGER picture_changed AFTER UPDATE OF picture, opens_at, withdrawn_at ON articles
  WHEN new.picture IS NOT NULL AND new.withdrawn_at IS NULL
    AND (new.picture, new.opens_at, new.withdrawn_at)
      IS NOT (old.picture, old.opens_at, old.withdrawn_at) BEGIN
  INSERT INTO pictures (url, next_at)
    VALUES (json_extract(new.picture, '$.url'), coalesce(new.opens_at, new.updated_at))
    ON CONFLICT (url) DO UPDATE SET next_at = excluded.next_at, failures = 0 WHERE name IS NULL;
END;

-- The desk: links that editors asked for, sessions (each by a hash of its secret), and what editors did there.

CREATE TABLE desk_links (
  hash TEXT PRIMARY KEY,
  editor TEXT NOT NULL,  -- '' where the address is no editor's: it opens nothing
  address TEXT NOT NULL,  -- a hash of the address
  network TEXT NOT NULL,
  asked_at TEXT NOT NULL,
  browser TEXT NOT NULL,  -- a hash of the secret of the browser that asked
  used_at TEXT
) WITHOUT ROWID;

CREATE TABLE desk_sessions (
  hash TEXT PRIMARY KEY,
  editor TEXT NOT NULL,
  began_at TEXT NOT NULL,
  used_at TEXT NOT NULL,
  ended_at TEXT
) WITHOUT ROWID;

CREATE TABLE desk_log (
  id INTEGER PRIMARY KEY,
  made_at TEXT NOT NULL,
  editor TEXT NOT NULL,
  act TEXT NOT NULL,
  about INTEGER,  -- the id of the article, edition, letter or bounce
  what TEXT NOT NULL  -- the value of its button: such as a theme, or another article
);
