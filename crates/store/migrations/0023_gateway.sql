-- Credentials of providers. `ciphertext` is sealed under a data key, which is wrapped under the key encryption key
-- that `sealed_under` names and that is not kept here. `masked` is what people see, `auth_config` what is no secret.
CREATE TABLE gateway_secrets (
  id TEXT PRIMARY KEY,
  workspace TEXT NOT NULL,
  name TEXT NOT NULL,
  masked TEXT NOT NULL,
  provider TEXT,
  auth_config TEXT NOT NULL,
  sealed_under TEXT NOT NULL,
  wrapped_key BLOB NOT NULL,
  ciphertext BLOB NOT NULL,
  created BIGINT NOT NULL,
  updated BIGINT NOT NULL,
  created_by TEXT,
  updated_by TEXT,
  UNIQUE (workspace, name)
) TABLE_OPTIONS;

-- Models of providers. `secret` is NULL once the secret was deleted.
CREATE TABLE gateway_models (
  id TEXT PRIMARY KEY,
  workspace TEXT NOT NULL,
  name TEXT NOT NULL,
  secret TEXT,
  provider TEXT NOT NULL,
  model TEXT NOT NULL,
  created BIGINT NOT NULL,
  updated BIGINT NOT NULL,
  created_by TEXT,
  updated_by TEXT,
  UNIQUE (workspace, name)
) TABLE_OPTIONS;

CREATE TABLE gateway_endpoints (
  id TEXT PRIMARY KEY,
  workspace TEXT NOT NULL,
  name TEXT NOT NULL,
  routing TEXT,
  falls_back BIGINT NOT NULL,
  fallback_strategy TEXT,
  fallback_attempts BIGINT,
  experiment BIGINT,
  tracks_usage BIGINT NOT NULL,
  created BIGINT NOT NULL,
  updated BIGINT NOT NULL,
  created_by TEXT,
  updated_by TEXT,
  UNIQUE (workspace, name)
) TABLE_OPTIONS;

-- Which models answer for an endpoint, in the order in which they were attached.
CREATE TABLE gateway_attachments (
  id TEXT PRIMARY KEY,
  endpoint TEXT NOT NULL,
  position BIGINT NOT NULL,
  model TEXT NOT NULL,
  linkage TEXT NOT NULL,
  weight DOUBLE NOT NULL,
  fallback_order BIGINT,
  created BIGINT NOT NULL,
  created_by TEXT,
  UNIQUE (endpoint, model, linkage)
) TABLE_OPTIONS;
CREATE INDEX gateway_attachments_by_model ON gateway_attachments (model);

CREATE TABLE gateway_endpoint_tags (
  endpoint TEXT NOT NULL,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (endpoint, key)
) TABLE_OPTIONS;

-- What uses an endpoint.
CREATE TABLE gateway_bindings (
  endpoint TEXT NOT NULL,
  resource_type TEXT NOT NULL,
  resource_id TEXT NOT NULL,
  display_name TEXT,
  created BIGINT NOT NULL,
  created_by TEXT,
  PRIMARY KEY (endpoint, resource_type, resource_id)
) TABLE_OPTIONS;
CREATE INDEX gateway_bindings_by_resource ON gateway_bindings (resource_type, resource_id);

-- The endpoint that the model of a scorer's version is, by its id: the name may change.
ALTER TABLE scorer_versions ADD COLUMN gateway_endpoint TEXT;
