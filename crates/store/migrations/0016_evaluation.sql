CREATE TABLE evaluation_datasets (
  id TEXT PRIMARY KEY,
  workspace TEXT NOT NULL,
  name TEXT NOT NULL,
  digest TEXT NOT NULL,
  schema TEXT,
  profile TEXT,
  created BIGINT NOT NULL,
  updated BIGINT NOT NULL,
  created_by TEXT,
  updated_by TEXT
) TABLE_OPTIONS;
CREATE INDEX evaluation_datasets_by_workspace ON evaluation_datasets (workspace, id);

CREATE TABLE evaluation_dataset_tags (
  dataset TEXT NOT NULL,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (dataset, key)
) TABLE_OPTIONS;

-- The experiments need not exist.
CREATE TABLE evaluation_dataset_experiments (
  dataset TEXT NOT NULL,
  experiment BIGINT NOT NULL,
  PRIMARY KEY (dataset, experiment)
) TABLE_OPTIONS;

-- What a record says is one JSON document; it is known by the digest of its inputs.
CREATE TABLE evaluation_records (
  id TEXT PRIMARY KEY,
  dataset TEXT NOT NULL,
  identity TEXT NOT NULL,
  content TEXT NOT NULL,
  created BIGINT NOT NULL,
  updated BIGINT NOT NULL,
  UNIQUE (dataset, identity)
) TABLE_OPTIONS;
CREATE INDEX evaluation_records_in_order ON evaluation_records (dataset, created, id);

CREATE TABLE scorers (
  id TEXT PRIMARY KEY,
  workspace TEXT NOT NULL,
  experiment BIGINT NOT NULL,
  name TEXT NOT NULL,
  UNIQUE (experiment, name)
) TABLE_OPTIONS;

CREATE TABLE scorer_versions (
  scorer TEXT NOT NULL,
  version BIGINT NOT NULL,
  serialized TEXT NOT NULL,
  created BIGINT NOT NULL,
  PRIMARY KEY (scorer, version)
) TABLE_OPTIONS;

-- On which share of which traces a scorer is run as they come.
CREATE TABLE scorer_online_configs (
  scorer TEXT PRIMARY KEY,
  id TEXT NOT NULL,
  sample_rate DOUBLE NOT NULL,
  filter TEXT
) TABLE_OPTIONS;
