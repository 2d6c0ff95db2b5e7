-- All points of a logged model's metrics, where there were only the latest ones; '' twice where there is no dataset.
ALTER TABLE logged_model_metrics RENAME TO logged_model_latest;

CREATE TABLE logged_model_metrics (
  model TEXT NOT NULL,
  run TEXT NOT NULL,
  key TEXT NOT NULL,
  dataset_name TEXT NOT NULL,
  dataset_digest TEXT NOT NULL,
  step BIGINT NOT NULL,
  timestamp_ms BIGINT NOT NULL,
  value BIGINT NOT NULL,
  PRIMARY KEY (model, run, key, dataset_name, dataset_digest, step, timestamp_ms, value)
) TABLE_OPTIONS;

INSERT INTO logged_model_metrics (model, run, key, dataset_name, dataset_digest, step, timestamp_ms, value)
  SELECT model, run, key, dataset_name, dataset_digest, step, timestamp_ms, value FROM logged_model_latest;

DROP TABLE logged_model_latest;
