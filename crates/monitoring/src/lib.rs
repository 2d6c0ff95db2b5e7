//! Profiles, drift and sequential tests, performance with late labels and alarm rules.
