-- Ids count up over all workspaces, as MLflow's do.
CREATE TABLE experiments (
  id BIGINT PRIMARY KEY,
  workspace TEXT NOT NULL,
  name TEXT NOT NULL,
  artifact_location TEXT NOT NULL,
  lifecycle TEXT NOT NULL,
  created BIGINT NOT NULL,
  updated BIGINT NOT NULL,
  UNIQUE (workspace, name)
) TABLE_OPTIONS;

CREATE TABLE experiment_tags (
  experiment BIGINT NOT NULL,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (experiment, key)
) TABLE_OPTIONS;

CREATE TABLE runs (
  id TEXT PRIMARY KEY,
  workspace TEXT NOT NULL,
  experiment BIGINT NOT NULL,
  name TEXT NOT NULL,
  user_name TEXT NOT NULL,
  status TEXT NOT NULL,
  start_ms BIGINT NOT NULL,
  end_ms BIGINT,
  lifecycle TEXT NOT NULL,
  artifact_uri TEXT NOT NULL
) TABLE_OPTIONS;
CREATE INDEX runs_by_experiment ON runs (experiment, id);

CREATE TABLE run_params (
  run TEXT NOT NULL,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (run, key)
) TABLE_OPTIONS;

CREATE TABLE run_tags (
  run TEXT NOT NULL,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (run, key)
) TABLE_OPTIONS;

-- The latest point of each metric. `value` holds the bits of the float: it may be NaN.
CREATE TABLE run_metrics (
  run TEXT NOT NULL,
  key TEXT NOT NULL,
  step BIGINT NOT NULL,
  timestamp_ms BIGINT NOT NULL,
  value BIGINT NOT NULL,
  PRIMARY KEY (run, key)
) TABLE_OPTIONS;

-- All points, in checksummed blocks: one row for each log call and metric.
CREATE TABLE metric_blocks (
  run TEXT NOT NULL,
  key TEXT NOT NULL,
  number BIGINT NOT NULL,
  points BIGINT NOT NULL,
  block BLOB NOT NULL,
  PRIMARY KEY (run, key, number)
) TABLE_OPTIONS;

CREATE TABLE run_datasets (
  experiment BIGINT NOT NULL,
  name TEXT NOT NULL,
  digest TEXT NOT NULL,
  description TEXT NOT NULL,
  PRIMARY KEY (experiment, name, digest)
) TABLE_OPTIONS;

CREATE TABLE run_dataset_inputs (
  run TEXT NOT NULL,
  experiment BIGINT NOT NULL,
  name TEXT NOT NULL,
  digest TEXT NOT NULL,
  tags TEXT NOT NULL,
  PRIMARY KEY (run, name, digest)
) TABLE_OPTIONS;

CREATE TABLE run_model_inputs (
  run TEXT NOT NULL,
  model TEXT NOT NULL,
  PRIMARY KEY (run, model)
) TABLE_OPTIONS;

CREATE TABLE run_model_outputs (
  run TEXT NOT NULL,
  model TEXT NOT NULL,
  step BIGINT NOT NULL,
  PRIMARY KEY (run, model)
) TABLE_OPTIONS;

CREATE TABLE logged_models (
  id TEXT PRIMARY KEY,
  workspace TEXT NOT NULL,
  experiment BIGINT NOT NULL,
  name TEXT NOT NULL,
  model_type TEXT NOT NULL,
  source_run TEXT,
  artifact_uri TEXT NOT NULL,
  status TEXT NOT NULL,
  lifecycle TEXT NOT NULL,
  created BIGINT NOT NULL,
  updated BIGINT NOT NULL
) TABLE_OPTIONS;
CREATE INDEX logged_models_by_experiment ON logged_models (experiment, id);

CREATE TABLE logged_model_params (
  model TEXT NOT NULL,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (model, key)
) TABLE_OPTIONS;

CREATE TABLE logged_model_tags (
  model TEXT NOT NULL,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (model, key)
) TABLE_OPTIONS;

-- The latest point for each model, run, metric and dataset; '' twice where there is no dataset.
CREATE TABLE logged_model_metrics (
  model TEXT NOT NULL,
  run TEXT NOT NULL,
  key TEXT NOT NULL,
  dataset_name TEXT NOT NULL,
  dataset_digest TEXT NOT NULL,
  step BIGINT NOT NULL,
  timestamp_ms BIGINT NOT NULL,
  value BIGINT NOT NULL,
  PRIMARY KEY (model, run, key, dataset_name, dataset_digest)
) TABLE_OPTIONS;
