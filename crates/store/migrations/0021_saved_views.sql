-- Views of runs that people keep. `experiments` is a JSON list of ids; an empty one means all.
CREATE TABLE saved_views (
  workspace TEXT NOT NULL,
  name TEXT NOT NULL,
  experiments TEXT NOT NULL,
  query TEXT NOT NULL,
  author TEXT NOT NULL,
  saved BIGINT NOT NULL,
  PRIMARY KEY (workspace, name)
) TABLE_OPTIONS;
