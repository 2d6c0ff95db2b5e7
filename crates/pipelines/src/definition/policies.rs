//! What may happen around a stage: retries, approval, and how many runs may be active at once.

use mainstay_core::principal::Role;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::error::{DefinitionError, Problem};
use super::fields::Fields;
use super::span::Span;
use crate::expression::Reference;

/// What happens after a failure. The n-th retry waits `backoff · 2^(n−1)`, at most an hour, shortened
/// by a random part of at most `jitter` (Brooker, "Exponential Backoff And Jitter", AWS Architecture
/// Blog, 2015).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Retries {
    /// Retries after the first failure, 0 to 100.
    pub max: u32,
    /// Wait before the first retry, in machine time.
    pub backoff: Span,
    /// Largest part by which a wait is shortened, 0 to 1.
    pub jitter: f64,
}

impl Default for Retries {
    fn default() -> Self {
        Self { max: 0, backoff: Span::seconds(10), jitter: 0.2 }
    }
}

/// Longest wait before a retry, in microseconds.
const LONGEST_WAIT: i64 = 3_600 * 1_000_000;

impl Retries {
    /// Microseconds to wait before retry `number` (from 1), for a uniform `draw` from 0 to 1.
    pub fn wait(&self, number: u32, draw: f64) -> i64 {
        let doublings = number.saturating_sub(1).min(40);
        let full = self.backoff.micros().saturating_mul(1_i64 << doublings).min(LONGEST_WAIT);
        let kept = 1.0 - self.jitter.clamp(0.0, 1.0) * draw.clamp(0.0, 1.0);
        #[expect(clippy::cast_possible_truncation, reason = "between 0 and an hour of microseconds")]
        let wait = (full as f64 * kept) as i64;
        wait
    }

    pub(super) fn read(stage: &mut Fields) -> Result<Self, DefinitionError> {
        let default = Self::default();
        let value = match stage.take("retries") {
            None => return Ok(default),
            // The short form: a number of retries.
            Some(Value::Number(max)) => serde_json::json!({ "max": max }),
            Some(value) => value,
        };
        let mut fields = Fields::of(stage.path("retries"), value)?;
        let jitter = match fields.take("jitter") {
            None => default.jitter,
            Some(value) => value
                .as_f64()
                .filter(|part| (0.0..=1.0).contains(part))
                .ok_or_else(|| fields.error("jitter", Problem::Expected("a number from 0 to 1")))?,
        };
        let retries = Self {
            max: fields.count("max", 100)?.unwrap_or(default.max),
            backoff: fields.span("backoff")?.unwrap_or(default.backoff),
            jitter,
        };
        fields.finish()?;
        Ok(retries)
    }
}

/// A person's consent that a stage waits for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Approve {
    /// Roles or actors (`user:alice`) that may decide; everybody whom the policy allows, if empty.
    pub by: Vec<String>,
    /// The digest that is approved, as a reference such as `steps.train.model`. Without it, the digest
    /// of the definition and of the results that the stage needs.
    pub of: Option<Reference>,
    /// Whether whoever started the run is kept from deciding.
    pub four_eyes: bool,
    /// The request expires after so long, in machine time.
    pub timeout: Span,
    /// What then.
    pub on_timeout: OnTimeout,
}

/// What happens when nobody decided in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnTimeout {
    /// As if it had been rejected: the step fails.
    #[default]
    Reject,
    /// The step is skipped, and the run goes on without it.
    Skip,
}

impl Approve {
    pub(super) fn read(stage: &mut Fields) -> Result<Option<Self>, DefinitionError> {
        let Some(value) = stage.take("approve") else { return Ok(None) };
        let mut fields = Fields::of(stage.path("approve"), value)?;
        let by = fields.texts("by")?;
        if by.iter().any(|who| Role::named(who).is_none() && !who.contains(':')) {
            return Err(fields.error("by", Problem::Expected("roles, or actors such as user:alice")));
        }
        let of = match fields.string("of")? {
            None => None,
            Some(text) => Some(Reference::parse(&text).map_err(|error| fields.error("of", error.into()))?),
        };
        let on_timeout = match fields.string("on_timeout")?.as_deref() {
            None | Some("reject") => OnTimeout::Reject,
            Some("skip") => OnTimeout::Skip,
            Some(_) => return Err(fields.error("on_timeout", Problem::Expected("'reject' or 'skip'"))),
        };
        let approve = Self {
            by,
            of,
            four_eyes: fields.flag("four_eyes")?.unwrap_or(false),
            timeout: fields.span("timeout")?.unwrap_or(Span::seconds(7 * 86_400)),
            on_timeout,
        };
        fields.finish()?;
        Ok(Some(approve))
    }
}

/// How many runs that share a group may be active at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Concurrency {
    /// The group.
    pub group: String,
    /// Most active runs, 1 to 1000.
    pub limit: u32,
    /// What happens to a further one.
    pub when_full: WhenFull,
}

/// What happens to a run that finds its group full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhenFull {
    /// It waits for its turn.
    #[default]
    Queue,
    /// The oldest active run is cancelled for it.
    Cancel,
    /// It does not start; its trigger is noted on the newest active run as further evidence.
    Attach,
    /// It is refused.
    Refuse,
}

impl Concurrency {
    pub(super) fn read(top: &mut Fields) -> Result<Option<Self>, DefinitionError> {
        let value = match top.take("concurrency") {
            None => return Ok(None),
            Some(Value::String(group)) => serde_json::json!({ "group": group }),
            Some(value) => value,
        };
        let mut fields = Fields::of(top.path("concurrency"), value)?;
        let group = fields.required("group")?;
        let when_full = match fields.string("when_full")?.as_deref() {
            None | Some("queue") => WhenFull::Queue,
            Some("cancel") => WhenFull::Cancel,
            Some("attach") => WhenFull::Attach,
            Some("refuse") => WhenFull::Refuse,
            Some(_) => {
                let expected = Problem::Expected("'queue', 'cancel', 'attach' or 'refuse'");
                return Err(fields.error("when_full", expected));
            }
        };
        let limit = fields.count("limit", 1_000)?.unwrap_or(1);
        if limit == 0 || group.is_empty() || group.len() > 250 {
            return Err(fields.error("limit", Problem::Expected("at least 1, for a group of 1 to 250 bytes")));
        }
        fields.finish()?;
        Ok(Some(Self { group, limit, when_full }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_an_hour_and_jitter_only_shortens() {
        let retries = Retries { max: 5, backoff: Span::seconds(10), jitter: 0.5 };
        assert_eq!(retries.wait(1, 0.0), 10_000_000);
        assert_eq!(retries.wait(3, 0.0), 40_000_000);
        assert_eq!(retries.wait(3, 1.0), 20_000_000);
        assert_eq!(retries.wait(1_000, 0.0), LONGEST_WAIT);
        assert_eq!(retries.wait(1, f64::NAN), retries.wait(1, f64::NAN));
    }
}
