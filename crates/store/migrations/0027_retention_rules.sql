-- Rules by which things are purged as time goes on.
CREATE TABLE retention_rules (
  workspace TEXT NOT NULL,
  name TEXT NOT NULL,
  document TEXT NOT NULL,
  PRIMARY KEY (workspace, name)
) TABLE_OPTIONS;

-- When they were applied last.
CREATE TABLE retention_applied (
  workspace TEXT NOT NULL,
  name TEXT NOT NULL,
  applied BIGINT NOT NULL,
  PRIMARY KEY (workspace, name)
) TABLE_OPTIONS;
