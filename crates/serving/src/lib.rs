//! Endpoints, revisions, traffic policy, rollout rules and the prediction record: rules without I/O.
//!
//! An [`endpoint::Endpoint`] is a name that clients ask for predictions. What answers under it stands
//! in its newest [`revision::Revision`], which pins versions *and* digests and changes only by
//! compare-and-set. [`traffic::route`] decides which arm of a revision answers a request and which
//! others score it too; a [`rollout::RolloutPlan`] moves a candidate from shadow over canary steps to
//! champion, by [`rollout::decide`] over numbers that the monitor computed. Every answer leaves a
//! [`record::PredictionRecord`], stamped with the revision and the arm.
//!
//! State changes are commands (module [`command`]) over the port [`port::ServingTx`].

pub mod command;
pub mod endpoint;
pub mod error;
pub mod label;
pub mod port;
pub mod record;
pub mod retraining;
pub mod revision;
pub mod rollout;
pub mod schema;
pub mod segment;
pub mod traffic;
pub mod value;
