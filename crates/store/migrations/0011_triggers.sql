-- Operational: from where each trigger of a pipeline goes on, in microseconds of its data or by the number of an
-- event. Without a row it counts from the revision of the pipeline that has it.
CREATE TABLE trigger_positions (
  workspace TEXT NOT NULL,
  pipeline TEXT NOT NULL,
  place BIGINT NOT NULL,
  revision BIGINT NOT NULL,
  position BIGINT NOT NULL,
  PRIMARY KEY (workspace, pipeline, place)
) TABLE_OPTIONS;

-- Operational: the pipeline run whose step recorded an event, so that a pipeline is not started by its own acts.
CREATE TABLE event_runs (
  seq BIGINT PRIMARY KEY,
  run TEXT NOT NULL
) TABLE_OPTIONS;
