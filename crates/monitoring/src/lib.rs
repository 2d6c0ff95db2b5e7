//! Profiles, drift and sequential tests, performance with late labels, gates and alarm rules.
//!
//! Pure rules and statistics, no I/O: rows, counts, labels and random numbers come in, figures and
//! verdicts go out. Time is data time, given by the caller; randomness is a generator, given by the
//! caller. Every figure has one definition, stated at its function with its source, and a test against
//! an independent reference (`tests/reference/*.py` and the figures beside them).
//!
//! | question | answered by |
//! |---|---|
//! | what did the rows of a day look like? | [`profile`]: counts against the reference's edges, mergeable |
//! | do two sets of rows differ? | [`drift`]: rows taken as independent, one look |
//! | has something changed, over days and looks? | [`alarm`]: calibrated against the reference's own days |
//! | which predictions count yet, with which label? | [`maturity`]: horizon, watermark, cursor |
//! | how good is a model, how surely? | [`performance`]: metrics with intervals over days |
//! | may this version be promoted? | [`gate`]: verdicts with their numbers |
//! | is the running candidate no worse, or harmful? | [`sequential`]: e-processes over data days, and guards |
//!
//! The unit of evidence is the **data day** everywhere but in [`drift`]: rows of one day are not
//! independent.
//!
//! # Adding a statistic to the alarms
//!
//! It must be a function of two sums of daily totals. Add a variant to [`alarm::Statistic`] and its
//! value; calibration, looks, correction and hysteresis come with it.

pub mod alarm;
pub mod command;
pub mod drift;
pub mod gate;
pub mod maturity;
pub mod performance;
pub mod port;
pub mod profile;
pub mod quantile;
pub mod record;
pub mod reference;
pub mod sequential;
pub mod watch;
