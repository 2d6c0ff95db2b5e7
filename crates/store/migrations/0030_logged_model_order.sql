-- The newest models of an experiment are read from here, without looking at the others.
CREATE INDEX logged_models_newest ON logged_models (experiment, lifecycle, created DESC, id);
DROP INDEX logged_models_by_experiment;
