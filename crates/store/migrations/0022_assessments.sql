-- What is said of a trace, in the order of `number`. Ids are texts of clients, each trace's own.
CREATE TABLE assessments (
  trace TEXT NOT NULL,
  id TEXT NOT NULL,
  number BIGINT NOT NULL,
  name TEXT NOT NULL,
  kind TEXT NOT NULL,
  value TEXT NOT NULL,
  failure TEXT,
  source TEXT NOT NULL,
  source_id TEXT,
  span TEXT,
  rationale TEXT,
  metadata TEXT NOT NULL,
  overrides TEXT,
  valid BIGINT NOT NULL,
  created_ms BIGINT NOT NULL,
  updated_ms BIGINT NOT NULL,
  PRIMARY KEY (trace, id)
) TABLE_OPTIONS;
