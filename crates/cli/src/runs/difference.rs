//! In what two runs of a pipeline differ: what they came to, and what they found.

use std::collections::BTreeSet;

use serde_json::{Value, json};

/// One thing that is not the same.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Difference {
    /// `metric`, `param`, `model`, `output`, `state` or `runs`; of what was found `environment`, `code`, `hardware`,
    /// `data` or `seed`.
    pub(super) kind: &'static str,
    /// The step.
    pub(super) step: String,
    /// Of that step what.
    pub(super) name: String,
    /// In the first run; null where there is none.
    pub(super) before: Value,
    /// In the second.
    pub(super) after: Value,
}

impl Difference {
    fn new(kind: &'static str, step: &str, name: impl Into<String>, before: &Value, after: &Value) -> Self {
        Self { kind, step: step.to_owned(), name: name.into(), before: before.clone(), after: after.clone() }
    }

    pub(super) fn json(&self) -> Value {
        let Self { kind, step, name, before, after } = self;
        json!({ "kind": kind, "step": step, "name": name, "before": before, "after": after })
    }
}

/// Two runs of a pipeline beside each other.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Comparison {
    /// Steps that were done again.
    pub(super) computed: Vec<String>,
    /// Steps whose results were taken over.
    pub(super) taken_over: Vec<String>,
    /// In what the results differ.
    pub(super) results: Vec<Difference>,
    /// In what the surroundings differ.
    pub(super) surroundings: Vec<Difference>,
}

/// What a step says of where its results lie, which is never the same.
const PLACES: [&str; 2] = ["run", "logged_model"];

impl Comparison {
    /// Of a pipeline run and one that does it again, as the API tells them.
    pub(super) fn of(first: &Value, second: &Value) -> Self {
        let mut found = Self::default();
        for after in second["steps"].as_array().into_iter().flatten() {
            let name = after["name"].as_str().unwrap_or_default();
            if after["output"]["reused_from"].is_string() {
                found.taken_over.push(name.to_owned());
                continue;
            }
            found.computed.push(name.to_owned());
            let steps = first["steps"].as_array().into_iter().flatten();
            let before = steps.into_iter().find(|step| step["name"] == name).unwrap_or(&Value::Null);
            found.step(name, before, after);
        }
        found
    }

    fn step(&mut self, name: &str, before: &Value, after: &Value) {
        if before["state"] != after["state"] {
            let state = |step: &Value| match step["reason"].as_str() {
                Some(reason) => format!("{}: {reason}", step["state"].as_str().unwrap_or_default()).into(),
                None => step["state"].clone(),
            };
            self.results.push(Difference::new("state", name, "state", &state(before), &state(after)));
        }
        let (was, is) = (&before["output"], &after["output"]);
        if is.is_null() {
            return;
        }
        let places = after["uses"] == "train";
        each("", &was["value"], &is["value"], &mut |path, was, is| {
            if places && PLACES.contains(&path) {
                return;
            }
            let kind = match path.split('.').next() {
                Some("metrics" | "validation" | "baseline") => "metric",
                Some("digest") => "model",
                _ => "output",
            };
            self.results.push(Difference::new(kind, name, path, was, is));
        });
        each("", &was["artifacts"], &is["artifacts"], &mut |path, was, is| {
            let kind = if path == "model" { "model" } else { "output" };
            self.results.push(Difference::new(kind, name, path, was, is));
        });
        each("", &was["circumstances"], &is["circumstances"], &mut |path, was, is| {
            let kind = match path.split('.').next() {
                Some("hardware") => "hardware",
                Some("code") => "code",
                Some("seed") => "seed",
                Some("data" | "features" | "files") => "data",
                _ => "environment",
            };
            self.surroundings.push(Difference::new(kind, name, path, was, is));
        });
    }

    /// Adds what the steps that were done again logged in experiments: rows of the search, the oldest first. Those of
    /// a step are compared in the order in which they began.
    pub(super) fn logged(&mut self, first: &[Value], second: &[Value]) {
        let of = |runs: &[Value], step: &str| -> Vec<Value> {
            runs.iter().filter(|run| run["tags"]["mainstay.step"] == step).cloned().collect()
        };
        for step in self.computed.clone() {
            let (before, after) = (of(first, &step), of(second, &step));
            if before.len() != after.len() {
                let (was, is) = (json!(before.len()), json!(after.len()));
                self.results.push(Difference::new("runs", &step, "runs in experiments", &was, &is));
                continue;
            }
            for (was, is) in before.iter().zip(&after) {
                self.pair(&step, was, is);
            }
        }
        // Which run a step says that it logged is never the same.
        let is_of =
            |runs: &[Value], id: &Value| id.is_string() && runs.iter().any(|run| run["run_id"] == *id);
        self.results.retain(|one| !(is_of(first, &one.before) && is_of(second, &one.after)));
    }

    fn pair(&mut self, step: &str, was: &Value, is: &Value) {
        for (kind, word) in [("params", "param"), ("metrics", "metric")] {
            let keys = |run: &Value| {
                run[kind].as_object().into_iter().flatten().map(|(key, _)| key.clone()).collect()
            };
            let (one, other): (BTreeSet<String>, BTreeSet<String>) = (keys(was), keys(is));
            // What is measured of the machine is another each time.
            for key in one.union(&other).filter(|key| !key.starts_with("system/")) {
                let (before, after) = (&was[kind][key.as_str()], &is[kind][key.as_str()]);
                let difference = Difference::new(word, step, key.clone(), before, after);
                if before != after && !self.results.contains(&difference) {
                    self.results.push(difference);
                }
            }
        }
    }

    /// Whether the results are the same, whatever was found.
    pub(super) fn is_equal(&self) -> bool {
        self.results.is_empty()
    }
}

/// Calls `tell` for each leaf that is not the same, with its path: keys with dots between.
fn each(path: &str, before: &Value, after: &Value, tell: &mut dyn FnMut(&str, &Value, &Value)) {
    if before == after {
        return;
    }
    let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match (before, after) {
        (Value::Object(one), Value::Object(other)) => {
            let keys: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
            for key in keys {
                let (was, is) =
                    (one.get(key).unwrap_or(&Value::Null), other.get(key).unwrap_or(&Value::Null));
                each(&below(key), was, is, tell);
            }
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            for (at, (was, is)) in one.iter().zip(other).enumerate() {
                each(&below(&at.to_string()), was, is, tell);
            }
        }
        _ => tell(path, before, after),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(name: &str, value: &Value, artifact: &str, cores: u8) -> Value {
        json!({ "name": name, "state": "accepted", "uses": null, "reason": null, "output": {
            "value": value, "artifacts": { "m": artifact }, "reused_from": null,
            "circumstances": { "program": "1", "hardware": { "cores": cores } },
        }})
    }

    #[test]
    fn results_and_surroundings_are_told_apart() {
        let mut load = step("load", &json!({ "rows": 3 }), "x", 2);
        let metrics = |loss: f64| json!({ "metrics": { "m.json": { "loss": loss, "n": 3 } } });
        let first = json!({ "steps": [load, step("fit", &metrics(0.5), "a", 2)] });
        load["output"]["reused_from"] = "ff".into();
        let same = json!({ "steps": [load, step("fit", &metrics(0.5), "a", 4)] });
        let found = Comparison::of(&first, &same);
        assert!(found.is_equal());
        assert_eq!((found.computed, found.taken_over), (vec!["fit".to_owned()], vec!["load".to_owned()]));
        let hardware = Difference::new("hardware", "fit", "hardware.cores", &json!(2), &json!(4));
        assert_eq!(found.surroundings, [hardware]);

        let other = json!({ "steps": [load, step("fit", &metrics(0.25), "b", 2)] });
        let found = Comparison::of(&first, &other);
        let expected = [
            Difference::new("metric", "fit", "metrics.m.json.loss", &json!(0.5), &json!(0.25)),
            Difference::new("output", "fit", "m", &json!("a"), &json!("b")),
        ];
        assert_eq!((found.results.as_slice(), found.is_equal()), (&expected[..], false));
    }

    #[test]
    fn a_step_that_fails_this_time_differs_in_its_state() {
        let first = json!({ "steps": [step("fit", &Value::Null, "a", 2)] });
        let second =
            json!({ "steps": [{ "name": "fit", "state": "failed", "reason": "code 1", "output": null }] });
        let found = Comparison::of(&first, &second);
        let state = Difference::new("state", "fit", "state", &json!("accepted"), &json!("failed: code 1"));
        assert_eq!(found.results, [state]);
    }

    #[test]
    fn where_a_model_lies_is_no_difference_and_what_it_is_is_one() {
        let train = |run: &str, digest: &str| {
            let mut train =
                step("train", &json!({ "run": run, "logged_model": run, "digest": digest }), "a", 2);
            train["uses"] = "train".into();
            json!({ "steps": [train] })
        };
        assert!(Comparison::of(&train("1", "d"), &train("2", "d")).is_equal());
        let found = Comparison::of(&train("1", "d"), &train("2", "e"));
        assert_eq!(found.results.iter().map(|one| one.kind).collect::<Vec<_>>(), ["model"]);
    }

    #[test]
    fn what_was_logged_is_compared_run_by_run() {
        let run = |lr: &str, loss: f64| {
            json!({ "params": { "lr": lr }, "metrics": { "loss": loss, "system/cpu": loss },
                "tags": { "mainstay.step": "fit" } })
        };
        let mut found = Comparison { computed: vec!["fit".into()], ..Comparison::default() };
        found.logged(&[run("1", 0.5)], &[run("1", 0.5)]);
        assert!(found.is_equal());
        found.logged(&[run("1", 0.5)], &[run("2", 0.25)]);
        let names: Vec<(&str, &str)> =
            found.results.iter().map(|one| (one.kind, one.name.as_str())).collect();
        assert_eq!(names, [("param", "lr"), ("metric", "loss")]);
        let logged = |id: &str| json!({ "run_id": id, "tags": { "mainstay.step": "fit" } });
        found.results =
            vec![Difference::new("metric", "fit", "metrics.logged.run", &json!("a"), &json!("b"))];
        found.logged(&[logged("a")], &[logged("b")]);
        assert!(found.is_equal(), "that it logged another run is no difference");
        found.logged(&[run("1", 0.5)], &[]);
        assert_eq!(found.results[0].kind, "runs");
    }
}
