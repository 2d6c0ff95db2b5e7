-- How far an import from another tracking server is: one row for each database that was, or is being, brought in.
CREATE TABLE imports (
  source TEXT PRIMARY KEY,
  state TEXT NOT NULL
) TABLE_OPTIONS;
