-- The log of events. `body` and `salt` can be erased; everything else is for ever.
CREATE TABLE events (
  seq BIGINT PRIMARY KEY,
  at BIGINT NOT NULL,
  kind TEXT NOT NULL,
  actor TEXT NOT NULL,
  workspace TEXT NOT NULL,
  subject TEXT NOT NULL,
  body TEXT,
  salt BLOB,
  body_digest BLOB NOT NULL,
  leaf BLOB NOT NULL
) TABLE_OPTIONS;
CREATE INDEX events_by_subject ON events (subject, seq);
CREATE INDEX events_by_kind ON events (kind, seq);

-- One row: the frontier of the tree over all leaves. Whoever writes locks it first.
CREATE TABLE audit_tree (
  id BIGINT PRIMARY KEY,
  size BIGINT NOT NULL,
  frontier BLOB NOT NULL
) TABLE_OPTIONS;

-- Signed heads, written from time to time.
CREATE TABLE audit_heads (
  size BIGINT PRIMARY KEY,
  at BIGINT NOT NULL,
  root BLOB NOT NULL,
  key_id TEXT NOT NULL,
  signature BLOB NOT NULL
) TABLE_OPTIONS;
