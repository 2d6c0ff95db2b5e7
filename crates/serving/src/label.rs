//! What really happened, when it counts, and what its absence means.

use mainstay_core::id::PredictionId;
use mainstay_core::time::DataTime;
use serde::{Deserialize, Deserializer, Serialize};

/// The value of a label. Truth values are read as 1 and 0.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum LabelValue {
    /// A number: a measured quantity, or a class written as one.
    Number(f64),
    /// The name of a class.
    Text(String),
}

impl<'de> Deserialize<'de> for LabelValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Wire {
            Flag(bool),
            Number(f64),
            Text(String),
        }
        Ok(match Wire::deserialize(deserializer)? {
            Wire::Flag(flag) => Self::Number(f64::from(u8::from(flag))),
            Wire::Number(number) => Self::Number(number),
            Wire::Text(text) => Self::Text(text),
        })
    }
}

/// What a label that is still missing at maturity stands for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum MissingLabel {
    /// Nothing: the prediction is left out, and lowers the coverage.
    Excluded,
    /// This value.
    Counts {
        /// The value.
        value: LabelValue,
    },
}

/// What labels an endpoint gets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabelKind {
    /// The value that the score speaks of: a score near 1 predicts it.
    pub positive: LabelValue,
    /// How long after a prediction's data time its label is final, in microseconds of data time.
    pub horizon_micros: i64,
    /// What a label that is missing by then stands for.
    pub missing: MissingLabel,
}

impl LabelKind {
    /// Whether a prediction made at `at` is mature: its horizon lies before the watermark. Only
    /// mature predictions enter tests, alarms and gates.
    pub fn is_mature(&self, at: DataTime, watermark: DataTime) -> bool {
        at.plus(self.horizon_micros) < watermark
    }

    /// 1 for the positive class, 0 for any other; `None` for a missing label that is left out.
    pub fn outcome(&self, label: Option<&LabelValue>) -> Option<f64> {
        let value = match (label, &self.missing) {
            (Some(value), _) | (None, MissingLabel::Counts { value }) => value,
            (None, MissingLabel::Excluded) => return None,
        };
        Some(f64::from(u8::from(*value == self.positive)))
    }
}

/// What really happened to the subject of one prediction. Later versions correct earlier ones.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Label {
    /// Which prediction.
    pub prediction: PredictionId,
    /// 0, 1, 2 …: the highest counts. There is one label of each (prediction, version): the first that came.
    pub version: u32,
    /// What happened.
    pub value: LabelValue,
    /// When it happened, in data time.
    pub at: DataTime,
    /// When it became known, in data time.
    pub arrived: DataTime,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maturity_and_outcome_follow_the_declaration() {
        let kind = LabelKind {
            positive: LabelValue::Number(1.0),
            horizon_micros: 10,
            missing: MissingLabel::Counts { value: LabelValue::Number(0.0) },
        };
        let at = DataTime::from_micros(5);
        assert!(!kind.is_mature(at, DataTime::from_micros(15)));
        assert!(kind.is_mature(at, DataTime::from_micros(16)));
        assert_eq!(kind.outcome(Some(&LabelValue::Number(1.0))), Some(1.0));
        assert_eq!(kind.outcome(Some(&LabelValue::Text("1".to_owned()))), Some(0.0));
        assert_eq!(kind.outcome(None), Some(0.0));
        let left_out = LabelKind { missing: MissingLabel::Excluded, ..kind };
        assert_eq!(left_out.outcome(None), None);
    }

    #[test]
    fn truth_values_are_numbers() {
        let read = |text| serde_json::from_str::<LabelValue>(text).unwrap();
        assert_eq!(read("true"), LabelValue::Number(1.0));
        assert_eq!(read("0"), LabelValue::Number(0.0));
        assert_eq!(read("\"late\""), LabelValue::Text("late".to_owned()));
        assert!(serde_json::from_str::<LabelValue>("[1]").is_err());
    }
}
