//! Endpoints, revisions, traffic policy, rollout rules and the prediction record.
