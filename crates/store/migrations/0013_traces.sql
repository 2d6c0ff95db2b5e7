-- Ids are texts of clients, taken in all workspaces together.
CREATE TABLE traces (
  id TEXT PRIMARY KEY,
  workspace TEXT NOT NULL,
  experiment BIGINT NOT NULL,
  request_ms BIGINT NOT NULL,
  duration_ms BIGINT,
  state TEXT NOT NULL,
  client_request_id TEXT,
  request_preview TEXT,
  response_preview TEXT
) TABLE_OPTIONS;
CREATE INDEX traces_by_time ON traces (experiment, request_ms, id);

CREATE TABLE trace_tags (
  trace TEXT NOT NULL,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (trace, key)
) TABLE_OPTIONS;

CREATE TABLE trace_metadata (
  trace TEXT NOT NULL,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (trace, key)
) TABLE_OPTIONS;

-- Either end may come later, or never, so a link says whose it is.
CREATE TABLE trace_runs (
  trace TEXT NOT NULL,
  workspace TEXT NOT NULL,
  run TEXT NOT NULL,
  PRIMARY KEY (trace, workspace, run)
) TABLE_OPTIONS;

CREATE TABLE trace_prompts (
  trace TEXT NOT NULL,
  prompt TEXT NOT NULL,
  PRIMARY KEY (trace, prompt)
) TABLE_OPTIONS;

-- Spans, in checksummed blocks: one row for each request and trace.
CREATE TABLE span_blocks (
  trace TEXT NOT NULL,
  number BIGINT NOT NULL,
  spans BIGINT NOT NULL,
  block BLOB NOT NULL,
  PRIMARY KEY (trace, number)
) TABLE_OPTIONS;
