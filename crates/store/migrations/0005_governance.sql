CREATE TABLE api_tokens (
  id TEXT PRIMARY KEY,
  workspace TEXT NOT NULL,
  label TEXT NOT NULL,
  digest TEXT NOT NULL,
  grants TEXT NOT NULL,
  creator TEXT NOT NULL,
  created BIGINT NOT NULL,
  expires BIGINT,
  revoked BIGINT
) TABLE_OPTIONS;

CREATE TABLE role_grants (
  workspace TEXT NOT NULL,
  actor TEXT NOT NULL,
  role TEXT NOT NULL,
  PRIMARY KEY (workspace, actor, role)
) TABLE_OPTIONS;

CREATE TABLE workspaces (
  name TEXT PRIMARY KEY,
  created BIGINT NOT NULL
) TABLE_OPTIONS;

CREATE TABLE webhooks (
  id TEXT PRIMARY KEY,
  workspace TEXT NOT NULL,
  name TEXT NOT NULL,
  url TEXT NOT NULL,
  kinds TEXT NOT NULL,
  secret BLOB NOT NULL
) TABLE_OPTIONS;

-- The reports of an artifact; the newest one counts.
CREATE TABLE gate_reports (
  workspace TEXT NOT NULL,
  digest TEXT NOT NULL,
  number BIGINT NOT NULL,
  document TEXT NOT NULL,
  PRIMARY KEY (workspace, digest, number)
) TABLE_OPTIONS;
