-- Operational: up to which event each webhook was told. Without a row it begins at its creation.
CREATE TABLE webhook_cursors (
  webhook TEXT PRIMARY KEY,
  position BIGINT NOT NULL
) TABLE_OPTIONS;
