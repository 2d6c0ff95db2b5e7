CREATE TABLE registered_models (
  workspace TEXT NOT NULL,
  name TEXT NOT NULL,
  description TEXT NOT NULL,
  created BIGINT NOT NULL,
  updated BIGINT NOT NULL,
  PRIMARY KEY (workspace, name)
) TABLE_OPTIONS;

CREATE TABLE model_tags (
  workspace TEXT NOT NULL,
  model TEXT NOT NULL,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (workspace, model, key)
) TABLE_OPTIONS;

CREATE TABLE model_versions (
  workspace TEXT NOT NULL,
  model TEXT NOT NULL,
  number BIGINT NOT NULL,
  created BIGINT NOT NULL,
  updated BIGINT NOT NULL,
  creator TEXT,
  description TEXT NOT NULL,
  stage TEXT NOT NULL,
  source TEXT NOT NULL,
  run TEXT,
  run_link TEXT NOT NULL,
  logged_model TEXT,
  digest TEXT,
  PRIMARY KEY (workspace, model, number)
) TABLE_OPTIONS;

CREATE TABLE model_version_tags (
  workspace TEXT NOT NULL,
  model TEXT NOT NULL,
  number BIGINT NOT NULL,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (workspace, model, number, key)
) TABLE_OPTIONS;

CREATE TABLE model_aliases (
  workspace TEXT NOT NULL,
  model TEXT NOT NULL,
  alias TEXT NOT NULL,
  number BIGINT NOT NULL,
  PRIMARY KEY (workspace, model, alias)
) TABLE_OPTIONS;
