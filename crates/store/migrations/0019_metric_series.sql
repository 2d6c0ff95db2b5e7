-- Merged blocks that are not touched again, and which of their points were there before (see tracking::series).
-- This table and the next one follow from metric_blocks: emptied together, they are made again.
CREATE TABLE metric_segments (
  run TEXT NOT NULL,
  key TEXT NOT NULL,
  ordinal BIGINT NOT NULL,
  number BIGINT NOT NULL,
  min_step BIGINT NOT NULL,
  max_step BIGINT NOT NULL,
  min_ms BIGINT NOT NULL,
  max_ms BIGINT NOT NULL,
  repeats BLOB NOT NULL,
  PRIMARY KEY (run, key, ordinal)
) TABLE_OPTIONS;

-- What segments come to, by step and by time since the run's start.
CREATE TABLE metric_summaries (
  run TEXT NOT NULL,
  key TEXT NOT NULL,
  tier BIGINT NOT NULL,
  ordinal BIGINT NOT NULL,
  min_step BIGINT NOT NULL,
  max_step BIGINT NOT NULL,
  min_ms BIGINT NOT NULL,
  max_ms BIGINT NOT NULL,
  steps BLOB NOT NULL,
  elapsed BLOB NOT NULL,
  PRIMARY KEY (run, key, tier, ordinal)
) TABLE_OPTIONS;

-- The metrics whose blocks are to be merged.
CREATE TABLE metric_due (
  run TEXT NOT NULL,
  key TEXT NOT NULL,
  PRIMARY KEY (run, key)
) TABLE_OPTIONS;

INSERT INTO metric_due (run, key)
  SELECT run, key FROM metric_blocks GROUP BY run, key HAVING COUNT(*) >= 64 OR SUM(points) >= 8192;
