CREATE TABLE endpoints (
  workspace TEXT NOT NULL,
  name TEXT NOT NULL,
  model TEXT NOT NULL,
  governed BIGINT NOT NULL,
  document TEXT NOT NULL,
  PRIMARY KEY (workspace, name)
) TABLE_OPTIONS;
CREATE INDEX endpoints_by_model ON endpoints (workspace, model);

CREATE TABLE endpoint_revisions (
  workspace TEXT NOT NULL,
  endpoint TEXT NOT NULL,
  number BIGINT NOT NULL,
  document TEXT NOT NULL,
  PRIMARY KEY (workspace, endpoint, number)
) TABLE_OPTIONS;

CREATE TABLE rollouts (
  id TEXT PRIMARY KEY,
  workspace TEXT NOT NULL,
  endpoint TEXT NOT NULL,
  running BIGINT NOT NULL,
  -- The position of the start among the rollouts of the endpoint, from 1.
  number BIGINT NOT NULL,
  document TEXT NOT NULL
) TABLE_OPTIONS;
CREATE UNIQUE INDEX rollouts_by_endpoint ON rollouts (workspace, endpoint, number);

CREATE TABLE sealed_segments (
  log TEXT NOT NULL,
  sequence BIGINT NOT NULL,
  workspace TEXT NOT NULL,
  kind TEXT NOT NULL,
  document TEXT NOT NULL,
  PRIMARY KEY (log, sequence)
) TABLE_OPTIONS;
CREATE INDEX sealed_segments_by_kind ON sealed_segments (workspace, kind, log, sequence);
