//! What the test route sends: the examples of `mlflow/webhooks/types.py`, which receivers may know.

use mainstay_governance::webhook::mlflow::MlflowEvent;
use serde_json::{Value, json};

/// The example of an event.
pub(crate) fn example(event: MlflowEvent) -> Value {
    let of_prompt = event.parts().0.as_str().starts_with("prompt");
    let name = if of_prompt { "example_prompt" } else { "example_model" };
    let (version, alias, key) = ("1", "example_alias", "example_key");
    let (value, tags) = ("example_value", json!({"example_key": "example_value"}));
    match event {
        MlflowEvent::ModelCreated => {
            json!({"name": name, "tags": tags, "description": "An example registered model"})
        }
        MlflowEvent::PromptCreated => {
            json!({"name": name, "tags": tags, "description": "An example prompt"})
        }
        MlflowEvent::VersionCreated => json!({
            "name": name, "version": version, "source": "models:/123", "run_id": "abcd1234abcd5678",
            "tags": tags, "description": "An example model version",
        }),
        MlflowEvent::PromptVersionCreated => json!({
            "name": name, "version": version, "template": "Hello {{name}}!", "tags": tags,
            "description": "An example prompt version",
        }),
        MlflowEvent::VersionTagSet | MlflowEvent::PromptVersionTagSet => {
            json!({"name": name, "version": version, "key": key, "value": value})
        }
        MlflowEvent::VersionTagDeleted | MlflowEvent::PromptVersionTagDeleted => {
            json!({"name": name, "version": version, "key": key})
        }
        MlflowEvent::PromptTagSet => json!({"name": name, "key": key, "value": value}),
        MlflowEvent::PromptTagDeleted => json!({"name": name, "key": key}),
        MlflowEvent::AliasCreated | MlflowEvent::PromptAliasCreated => {
            json!({"name": name, "alias": alias, "version": version})
        }
        MlflowEvent::AliasDeleted | MlflowEvent::PromptAliasDeleted => json!({"name": name, "alias": alias}),
        MlflowEvent::BudgetExceeded => json!({
            "budget_policy_id": "bp-abc123", "budget_unit": "USD", "budget_amount": 100.0,
            "current_spend": 105.5, "duration_unit": "MONTHS", "duration_value": 1,
            "target_scope": "ENDPOINT", "workspace": "default", "target_value": "ep-abc123",
            "window_start": 1_704_067_200_000_i64,
        }),
    }
}
