CREATE TABLE feature_definitions (
  workspace TEXT NOT NULL,
  project TEXT NOT NULL,
  revision BIGINT NOT NULL,
  digest TEXT NOT NULL,
  source TEXT NOT NULL,
  applied_at BIGINT NOT NULL,
  PRIMARY KEY (workspace, project, revision)
) TABLE_OPTIONS;

CREATE TABLE feature_materialisations (
  workspace TEXT NOT NULL,
  project TEXT NOT NULL,
  view_name TEXT NOT NULL,
  definition TEXT NOT NULL,
  until BIGINT NOT NULL,
  carried BIGINT NOT NULL,
  digest TEXT NOT NULL,
  PRIMARY KEY (workspace, project, view_name)
) TABLE_OPTIONS;
