-- What is deleted for good. The document tells who wanted it, why, and how far it is.
CREATE TABLE purges (
  id TEXT PRIMARY KEY,
  workspace TEXT NOT NULL,
  started BIGINT NOT NULL,
  finished BIGINT,
  document TEXT NOT NULL
) TABLE_OPTIONS;
CREATE INDEX purges_by_start ON purges (workspace, started, id);
CREATE INDEX purges_unfinished ON purges (finished, started, id);

-- What a purge has still to remove the rest of. What was counted of an item's artifacts is here until the item is gone.
CREATE TABLE purge_items (
  purge TEXT NOT NULL,
  kind TEXT NOT NULL,
  id TEXT NOT NULL,
  place TEXT NOT NULL,
  measured BIGINT NOT NULL,
  objects BIGINT NOT NULL,
  bytes BIGINT NOT NULL,
  elsewhere BIGINT NOT NULL,
  PRIMARY KEY (purge, kind, id)
) TABLE_OPTIONS;

-- The ids that experiments had: they are not given again.
CREATE TABLE purged_experiments (
  id BIGINT PRIMARY KEY,
  purge TEXT NOT NULL
) TABLE_OPTIONS;

-- By what is looked for that still needs something.
CREATE INDEX model_versions_by_run ON model_versions (workspace, run);
CREATE INDEX model_versions_by_logged_model ON model_versions (workspace, logged_model);
CREATE INDEX model_versions_by_location ON model_versions (workspace, location);
CREATE INDEX logged_models_by_run ON logged_models (source_run);
CREATE INDEX run_model_inputs_by_model ON run_model_inputs (model);
CREATE INDEX run_model_outputs_by_model ON run_model_outputs (model);
