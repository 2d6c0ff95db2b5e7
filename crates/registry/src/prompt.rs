//! Prompts: registered models whose tags say so. There is no other kind of thing.

use std::collections::BTreeMap;

use mainstay_core::error::StorageError;

use crate::name::ModelName;
use crate::port::RegistryTx;

/// The tag that makes a model, and each of its versions, a prompt (`IS_PROMPT_TAG_KEY`).
pub const IS_PROMPT: &str = "mlflow.prompt.is_prompt";
/// The tag of a version that holds the text of a prompt (`PROMPT_TEXT_TAG_KEY`).
pub const PROMPT_TEXT: &str = "mlflow.prompt.text";
/// The tag that says whether a prompt is a text or a chat (`PROMPT_TYPE_TAG_KEY`).
pub const PROMPT_TYPE: &str = "_mlflow_prompt_type";

/// Whether the value of [`IS_PROMPT`] says yes.
pub fn says_prompt(value: &str) -> bool {
    value.eq_ignore_ascii_case("true")
}

/// Whether the tags of a model, or of a version, make it a prompt.
pub fn is_prompt(tags: &BTreeMap<String, String>) -> bool {
    tags.get(IS_PROMPT).is_some_and(|value| says_prompt(value))
}

/// Whether a model is a prompt, as of this transaction.
pub(crate) async fn is_prompt_now(tx: &mut dyn RegistryTx, name: &ModelName) -> Result<bool, StorageError> {
    Ok(tx.model_tag(name, IS_PROMPT).await?.is_some_and(|value| says_prompt(&value)))
}
