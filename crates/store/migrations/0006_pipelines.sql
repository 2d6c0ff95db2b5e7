CREATE TABLE pipelines (
  workspace TEXT NOT NULL,
  name TEXT NOT NULL,
  revision BIGINT NOT NULL,
  source TEXT NOT NULL,
  updated BIGINT NOT NULL,
  PRIMARY KEY (workspace, name)
) TABLE_OPTIONS;

-- Definitions as they run, by the digest of their canonical form. Never changed.
CREATE TABLE pipeline_definitions (
  digest TEXT PRIMARY KEY,
  document TEXT NOT NULL
) TABLE_OPTIONS;

CREATE TABLE pipeline_runs (
  id TEXT PRIMARY KEY,
  workspace TEXT NOT NULL,
  pipeline TEXT NOT NULL,
  state TEXT NOT NULL,
  concurrency_group TEXT,
  idempotency_key TEXT,
  created BIGINT NOT NULL,
  document TEXT NOT NULL
) TABLE_OPTIONS;
CREATE INDEX pipeline_runs_by_time ON pipeline_runs (workspace, created, id);
CREATE INDEX pipeline_runs_by_group ON pipeline_runs (workspace, concurrency_group, state);
CREATE UNIQUE INDEX pipeline_runs_by_key ON pipeline_runs (workspace, idempotency_key);

-- Operational: leases, deadlines and attempts. Results and events tell what became of a step.
CREATE TABLE pipeline_steps (
  run TEXT NOT NULL,
  name TEXT NOT NULL,
  workspace TEXT NOT NULL,
  state TEXT NOT NULL,
  not_before BIGINT NOT NULL,
  deadline BIGINT,
  document TEXT NOT NULL,
  PRIMARY KEY (run, name)
) TABLE_OPTIONS;
CREATE INDEX pipeline_steps_ready ON pipeline_steps (state, not_before);
CREATE INDEX pipeline_steps_due ON pipeline_steps (state, deadline);

-- The one accepted result of a step.
CREATE TABLE step_results (
  run TEXT NOT NULL,
  step TEXT NOT NULL,
  workspace TEXT NOT NULL,
  cache_key TEXT,
  at BIGINT NOT NULL,
  document TEXT NOT NULL,
  PRIMARY KEY (run, step)
) TABLE_OPTIONS;
CREATE INDEX step_results_by_key ON step_results (workspace, cache_key, at);

CREATE TABLE step_ledger (
  run TEXT NOT NULL,
  number BIGINT NOT NULL,
  step TEXT,
  kind TEXT NOT NULL,
  detail TEXT NOT NULL,
  at BIGINT NOT NULL,
  PRIMARY KEY (run, number)
) TABLE_OPTIONS;

CREATE TABLE approvals (
  id TEXT PRIMARY KEY,
  workspace TEXT NOT NULL,
  state TEXT NOT NULL,
  digest TEXT NOT NULL,
  requested BIGINT NOT NULL,
  document TEXT NOT NULL
) TABLE_OPTIONS;
CREATE INDEX approvals_by_state ON approvals (workspace, state, requested);
CREATE INDEX approvals_by_digest ON approvals (workspace, digest);

CREATE TABLE schedule_firings (
  workspace TEXT NOT NULL,
  schedule TEXT NOT NULL,
  at BIGINT NOT NULL,
  PRIMARY KEY (workspace, schedule, at)
) TABLE_OPTIONS;
