//! The predictor's local state: checksummed prediction logs and the online feature store.
