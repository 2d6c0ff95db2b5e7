-- What the root of a trace is called, for lists: traces over OTLP have no other name. Those of before have none.
ALTER TABLE traces ADD COLUMN root_name TEXT;
