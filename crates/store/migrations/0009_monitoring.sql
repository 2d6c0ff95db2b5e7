CREATE TABLE alarms (
  id TEXT PRIMARY KEY,
  workspace TEXT NOT NULL,
  endpoint TEXT NOT NULL,
  -- The key of the finding: there is one alarm of each.
  finding TEXT NOT NULL,
  is_open BIGINT NOT NULL,
  -- The position among the alarms of the workspace, from 1.
  number BIGINT NOT NULL,
  document TEXT NOT NULL
) TABLE_OPTIONS;
CREATE UNIQUE INDEX alarms_by_finding ON alarms (workspace, endpoint, finding);
CREATE UNIQUE INDEX alarms_by_number ON alarms (workspace, number);

CREATE TABLE monitor_looks (
  workspace TEXT NOT NULL,
  endpoint TEXT NOT NULL,
  family TEXT NOT NULL,
  day BIGINT NOT NULL,
  finding TEXT NOT NULL,
  document TEXT NOT NULL,
  PRIMARY KEY (workspace, endpoint, family, day, finding)
) TABLE_OPTIONS;
