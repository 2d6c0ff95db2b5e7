//! The datasets that went into a run, as the client that logged them describes them.

use mainstay_tracking::input::DatasetInput;
use mainstay_tracking::run::RunDetail;
use serde_json::{Map, Value};

use super::model_files::Side;
use crate::show::figure::{short, words};
use crate::show::link;
use crate::show::long_text::LongText;

/// Most columns of a dataset on the page.
const COLUMNS: usize = 200;
/// The tag of a client that says which file of code made the data (`MLFLOW_SOURCE_NAME`).
const CODE: &str = "mlflow.source.name";

/// A dataset that went in.
pub(super) struct Dataset {
    pub(super) name: String,
    pub(super) context: String,
    /// Whole, and its beginning.
    pub(super) digest: (String, String),
    /// What kind of place it comes from, and which.
    pub(super) kind: String,
    pub(super) source: LongText,
    /// What was counted of it.
    pub(super) profile: Vec<(String, String)>,
    pub(super) sides: Vec<Side>,
    /// Columns that are not shown.
    pub(super) more: usize,
    /// The runs of the experiment into which the same went.
    pub(super) uses: String,
}

/// The datasets that went into a run.
pub(super) fn datasets(run: &RunDetail) -> Vec<Dataset> {
    run.attached.datasets.iter().map(|input| read(input, run)).collect()
}

fn read(input: &DatasetInput, run: &RunDetail) -> Dataset {
    let dataset = &input.dataset;
    let mut sides = dataset.schema.as_deref().map(sides).unwrap_or_default();
    let mut more = 0;
    for side in &mut sides {
        more += side.fields.len().saturating_sub(COLUMNS);
        side.fields.truncate(COLUMNS);
    }
    Dataset {
        name: dataset.name.clone(),
        context: input.context().unwrap_or_default().to_owned(),
        digest: (dataset.digest.clone(), short(&dataset.digest)),
        kind: dataset.source_type.clone(),
        source: LongText::new(source(&dataset.source)),
        profile: dataset.profile.as_deref().map(profile).unwrap_or_default(),
        sides,
        more,
        uses: link::runs_with(run.run.experiment, ("datasets", "digest"), &dataset.digest),
    }
}

/// Where data comes from. Clients write JSON with one of these fields (`DatasetSource.to_dict`), or the tags of the run
/// whose code made the data; what is neither is shown as it is.
fn source(json: &str) -> String {
    let object: Map<String, Value> = serde_json::from_str(json).unwrap_or_default();
    let place = ["uri", "url", "path", "table_name"].iter().find_map(|key| object.get(*key)?.as_str());
    let code = || object.get("tags")?.get(CODE)?.as_str();
    place.or_else(code).unwrap_or(json).to_owned()
}

/// What was counted: pairs of a JSON object; another text is one by itself.
fn profile(json: &str) -> Vec<(String, String)> {
    let told = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match serde_json::from_str::<Map<String, Value>>(json) {
        Ok(object) => object.iter().map(|(key, value)| (words(key), told(value))).collect(),
        Err(_) if json.trim().is_empty() => Vec::new(),
        Err(_) => vec![("profile".to_owned(), json.to_owned())],
    }
}

/// The columns (`mlflow_colspec`), or the tensors of features and targets (`mlflow_tensorspec`, whose sides are JSON
/// within JSON). What cannot be read says nothing.
fn sides(json: &str) -> Vec<Side> {
    let schema: Value = serde_json::from_str(json).unwrap_or_default();
    if let Some(columns) = schema.get("mlflow_colspec").and_then(Value::as_array) {
        return Side::of("columns", columns).into_iter().collect();
    }
    let tensors = |name: &'static str| {
        let text = schema.get("mlflow_tensorspec")?.get(name)?.as_str()?;
        Side::of(name, &serde_json::from_str::<Vec<Value>>(text).ok()?)
    };
    ["features", "targets"].into_iter().filter_map(tensors).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_and_tensors_are_read() {
        let table = r#"{"mlflow_colspec": [{"type": "double", "name": "x", "required": true}, {"type": "string", "name": "y", "required": false}]}"#;
        let told: Vec<(&str, Vec<(String, String)>)> = sides(table)
            .into_iter()
            .map(|side| (side.name, side.fields.into_iter().map(|one| (one.name, one.kind)).collect()))
            .collect();
        let pair = |name: &str, kind: &str| (name.to_owned(), kind.to_owned());
        assert_eq!(told, [("columns", vec![pair("x", "double"), pair("y", "string")])]);
        let array = r#"{"mlflow_tensorspec": {"features": "[{\"type\": \"tensor\", \"tensor-spec\": {\"dtype\": \"float64\", \"shape\": [-1, 4]}}]", "targets": null}}"#;
        let read = sides(array);
        assert_eq!(
            (read.len(), read[0].name, read[0].fields[0].kind.as_str()),
            (1, "features", "float64 [-1,4]")
        );
        for none in
            ["", "no schema", "[]", r#"{"mlflow_colspec": 1}"#, r#"{"mlflow_tensorspec": {"features": "x"}}"#]
        {
            assert!(sides(none).is_empty(), "{none}");
        }
    }

    #[test]
    fn sources_are_told_by_what_one_would_look_for() {
        assert_eq!(source(r#"{"uri": "s3://b/k.csv"}"#), "s3://b/k.csv");
        assert_eq!(
            source(r#"{"tags": {"mlflow.source.name": "train.py", "mlflow.user": "ada"}}"#),
            "train.py"
        );
        for other in ["plain text", "[1]", r#"{"other": 1}"#] {
            assert_eq!(source(other), other);
        }
    }

    #[test]
    fn what_was_counted_is_told_in_words() {
        let told = profile(r#"{"num_rows": 150, "features_shape": [150, 4]}"#);
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(told, [pair("num rows", "150"), pair("features shape", "[150,4]")]);
        assert_eq!((profile("much"), profile(" ")), (vec![pair("profile", "much")], Vec::new()));
    }
}
