CREATE TABLE datasets (
  workspace TEXT NOT NULL,
  name TEXT NOT NULL,
  -- Description, declared types and time columns, as the domain writes them.
  document TEXT NOT NULL,
  PRIMARY KEY (workspace, name)
) TABLE_OPTIONS;

CREATE TABLE table_versions (
  workspace TEXT NOT NULL,
  dataset TEXT NOT NULL,
  version BIGINT NOT NULL,
  digest TEXT NOT NULL,
  manifest TEXT NOT NULL,
  source TEXT NOT NULL,
  committed_at BIGINT NOT NULL,
  PRIMARY KEY (workspace, dataset, version)
) TABLE_OPTIONS;

CREATE TABLE validations (
  id TEXT PRIMARY KEY,
  workspace TEXT NOT NULL,
  dataset TEXT NOT NULL,
  version BIGINT NOT NULL,
  table_digest TEXT NOT NULL,
  suite TEXT NOT NULL,
  suite_digest TEXT NOT NULL,
  success BIGINT NOT NULL,
  blocking BIGINT NOT NULL,
  result TEXT NOT NULL,
  recorded_at BIGINT NOT NULL
) TABLE_OPTIONS;
CREATE INDEX validations_by_version ON validations (workspace, dataset, version, recorded_at);
