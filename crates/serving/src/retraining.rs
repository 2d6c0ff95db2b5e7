//! Retraining policies: when an endpoint gets a new candidate, how it is made, what becomes of it.

use std::collections::BTreeMap;

use mainstay_core::name::Name;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::rollout::RolloutPlan;

/// What sets a policy off.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "on", rename_all = "snake_case", deny_unknown_fields)]
pub enum Trigger {
    /// An alarm on the endpoint.
    Alarm,
    /// The champion's age in data time.
    Age {
        /// Days since it became champion; at least 1.
        days: u32,
    },
    /// A person.
    Manual,
}

/// How the candidate is made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Strategy {
    /// The pipeline to run.
    pub pipeline: Name,
    /// Its parameters: scalars and lists of scalars.
    #[serde(default)]
    pub params: BTreeMap<String, Value>,
}

/// What becomes of a candidate that passed its gates.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "then", rename_all = "snake_case", deny_unknown_fields)]
pub enum PolicyAction {
    /// It is registered, and a person decides.
    Register,
    /// A rollout starts by this plan.
    Rollout {
        /// The plan.
        plan: Box<RolloutPlan>,
    },
}

/// One retraining policy of an endpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetrainingPolicy {
    /// Its name, unique on the endpoint.
    pub name: Name,
    /// When.
    pub trigger: Trigger,
    /// How.
    pub strategy: Strategy,
    /// And then.
    pub action: PolicyAction,
    /// It does not start again for so long after a start, in microseconds of data time.
    pub cool_down_micros: i64,
}

impl RetrainingPolicy {
    /// What is wrong with it, in words; `None` if nothing is.
    pub(crate) fn fault(&self) -> Option<&'static str> {
        let scalar = |value: &Value| !value.is_object() && !value.is_array();
        let plain = |value: &Value| match value {
            Value::Array(items) => items.iter().all(scalar),
            other => scalar(other),
        };
        if matches!(self.trigger, Trigger::Age { days: 0 }) {
            Some("an age trigger needs at least one day")
        } else if self.cool_down_micros < 0 {
            Some("the cool-down must not be negative")
        } else if !self.strategy.params.values().all(plain) {
            Some("parameters are scalars or lists of scalars")
        } else {
            None
        }
    }
}
