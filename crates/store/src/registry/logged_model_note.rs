//! The tag of a logged model that names the versions made of it, as a stock server keeps it: a JSON list.

use mainstay_core::action::Action;
use mainstay_core::command::Journal as _;
use mainstay_core::error::StorageError;
use mainstay_core::scope::ResourceKind;
use mainstay_core::text::exceeds;
use mainstay_registry::name::{ModelName, VersionNumber};
use mainstay_tracking::text::MAX_TAG_VALUE;
use serde_json::Value;

use crate::params;
use crate::tx::StoreTx;

/// The tag (`mlflow/utils/mlflow_tags.py`, `MLFLOW_MODEL_VERSIONS`).
const TAG: &str = "mlflow.modelVersions";
const KNOWN: &str = "SELECT t.value, m.experiment FROM logged_models m \
    LEFT JOIN logged_model_tags t ON t.model = m.id AND t.key = $3 WHERE m.id = $1 AND m.workspace = $2";

/// Adds a version to the list, if there is such a logged model in this workspace, which the caller may change.
pub(super) async fn append(
    tx: &mut StoreTx,
    logged_model: &str,
    name: &ModelName,
    number: VersionNumber,
) -> Result<(), StorageError> {
    let Some(row) = tx.query_one(KNOWN, params![logged_model, tx.workspace().as_str(), TAG]).await? else {
        return Ok(());
    };
    let (doubt, experiment) = (tx.context.doubt.as_deref(), row.count(1)?);
    if doubt.is_some_and(|doubt| !doubt.could(Action::RunWrite, ResourceKind::Experiment, &experiment)) {
        return Ok(());
    }
    let list = appended(row.opt_text(0)?, name, number);
    let sql = "INSERT INTO logged_model_tags (model, key, value) VALUES ($1, $2, $3) \
        ON CONFLICT (model, key) DO UPDATE SET value = excluded.value";
    tx.execute(sql, params![logged_model, TAG, list]).await.map(drop)
}

/// The list with one version more, spaced as Python spaces JSON. What somebody else wrote there is replaced; of more
/// than a tag holds, the newest are kept.
fn appended(known: Option<&str>, name: &ModelName, number: VersionNumber) -> String {
    let known: Vec<Value> = known.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let known = known.iter().filter_map(|item| Some((item.get("name")?, item.get("version")?)));
    let mut items: Vec<String> = known.map(|(name, version)| item(name, version)).collect();
    items.push(item(&Value::from(name.as_str()), &Value::from(number.0)));
    let mut list = format!("[{}]", items.join(", "));
    while items.len() > 1 && exceeds(&list, MAX_TAG_VALUE).is_some() {
        items.remove(0);
        list = format!("[{}]", items.join(", "));
    }
    list
}

fn item(name: &Value, version: &Value) -> String {
    format!("{{\"name\": {name}, \"version\": {version}}}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_appended_in_pythons_spacing() {
        let name = ModelName::new("a \"b\"").unwrap();
        let first = appended(None, &name, VersionNumber(1));
        assert_eq!(first, r#"[{"name": "a \"b\"", "version": 1}]"#);
        let second = appended(Some(&first), &ModelName::new("c").unwrap(), VersionNumber(7));
        assert_eq!(second, r#"[{"name": "a \"b\"", "version": 1}, {"name": "c", "version": 7}]"#);
        let many = (0..400).fold(first.clone(), |list, _| appended(Some(&list), &name, VersionNumber(8)));
        assert!(many.len() <= MAX_TAG_VALUE && many.ends_with(r#""version": 8}]"#), "{many}");
        for other in ["", "{}", "[1, {}]", "text"] {
            assert_eq!(appended(Some(other), &name, VersionNumber(1)), first, "{other}");
        }
    }
}
