-- Root causes, categories and metadata are JSON texts. An id may be chosen by a client, so it is unique in its
-- workspace alone.
CREATE TABLE issues (
  workspace TEXT NOT NULL,
  id TEXT NOT NULL,
  experiment BIGINT NOT NULL,
  name TEXT NOT NULL,
  description TEXT NOT NULL,
  status TEXT NOT NULL,
  severity TEXT,
  root_causes TEXT NOT NULL,
  categories TEXT NOT NULL,
  source_run TEXT,
  created BIGINT NOT NULL,
  updated BIGINT NOT NULL,
  created_by TEXT,
  updated_by TEXT,
  last_seen_ms BIGINT NOT NULL,
  metadata TEXT NOT NULL,
  PRIMARY KEY (workspace, id)
) TABLE_OPTIONS;
CREATE INDEX issues_by_experiment ON issues (workspace, experiment);
