//! How well each version answered, by the labels that came later.

use std::collections::BTreeMap;

use mainstay_core::failed::Failed;
use serde_json::Value;

/// The least probability that counts, so that one sure and wrong answer does not make a mean infinite.
const FLOOR: f64 = 1e-7;

/// The log losses of what each version answered.
#[derive(Debug, Default)]
pub(super) struct Scores {
    by_version: BTreeMap<u64, (f64, u64)>,
}

impl Scores {
    /// Takes in an answer, with what each of its rows turned out to be. Returns the prediction ids.
    pub(super) fn take(
        &mut self,
        answer: &Value,
        column: usize,
        outcomes: &[bool],
    ) -> Result<Vec<String>, Failed> {
        let odd = || Failed::outside("reading an answer", "it does not have one score and id a row");
        let list = |place: &str| answer.pointer(place).and_then(Value::as_array).ok_or_else(odd);
        let (ids, versions) = (list("/parameters/prediction_ids")?, list("/parameters/versions")?);
        let data = list("/outputs/0/data")?;
        let width = data.len() / outcomes.len().max(1);
        if ids.len() != outcomes.len() || versions.len() != outcomes.len() || column >= width {
            return Err(odd());
        }
        for ((row, version), outcome) in data.chunks_exact(width).zip(versions).zip(outcomes) {
            let score = row.get(column).and_then(Value::as_f64).ok_or_else(odd)?;
            let likelihood = if *outcome { score } else { 1.0 - score };
            let sum = self.by_version.entry(version.as_u64().ok_or_else(odd)?).or_default();
            sum.0 -= likelihood.max(FLOOR).ln();
            sum.1 += 1;
        }
        ids.iter().map(|id| id.as_str().map(str::to_owned).ok_or_else(odd)).collect()
    }

    /// The answers of a version, and their mean log loss.
    pub(super) fn of(&self, version: u64) -> Option<(u64, f64)> {
        let (sum, count) = self.by_version.get(&version)?;
        Some((*count, sum / *count as f64))
    }

    /// All answers.
    pub(super) fn answered(&self) -> u64 {
        self.by_version.values().map(|(_, count)| count).sum()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_loss_of_an_answer_counts_for_the_version_that_gave_it() {
        let answer = json!({
            "parameters": { "prediction_ids": ["a", "b", "c"], "versions": [1, 1, 2] },
            "outputs": [{ "data": [0.75, 0.25, 0.5, 0.5, 0.1, 0.9] }],
        });
        let mut scores = Scores::default();
        let ids = scores.take(&answer, 1, &[false, true, true]).unwrap();
        assert_eq!(ids, ["a", "b", "c"]);
        let (count, loss) = scores.of(1).unwrap();
        assert!(count == 2 && (loss - (-(0.75_f64.ln()) - 0.5_f64.ln()) / 2.0).abs() < 1e-12);
        assert!((scores.of(2).unwrap().1 + 0.9_f64.ln()).abs() < 1e-12);
        assert!(scores.take(&answer, 2, &[false, true, true]).is_err());
        assert!(scores.take(&answer, 1, &[false, true]).is_err());
    }
}
