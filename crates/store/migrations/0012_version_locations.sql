-- Where clients find the artifacts of a version, fixed when it is registered: a copy keeps it when what it was copied
-- from is deleted. Versions of before have it in their source.
ALTER TABLE model_versions ADD COLUMN location TEXT NOT NULL DEFAULT '';
UPDATE model_versions SET location = source;
