-- What workspaces may use at most. Only those stand here that have a limit.
CREATE TABLE quotas (
  workspace TEXT PRIMARY KEY,
  document TEXT NOT NULL
) TABLE_OPTIONS;

-- How much that is, of workspaces with a limit, and the limits again, so that one statement counts and compares. Counted
-- anew when a limit is set. `traces` are those of `day`; `bytes` were measured, and what came since is added.
CREATE TABLE quota_usage (
  workspace TEXT PRIMARY KEY,
  experiments BIGINT NOT NULL,
  max_experiments BIGINT,
  runs BIGINT NOT NULL,
  max_runs BIGINT,
  day BIGINT NOT NULL,
  traces BIGINT NOT NULL,
  max_traces BIGINT,
  bytes BIGINT NOT NULL,
  max_bytes BIGINT,
  measured BIGINT
) TABLE_OPTIONS;
