//! What a client sends as a scorer, and what of it the server refuses to keep.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::error::ScorerError;
use mainstay_core::text::{Overlong, checked};

/// Longest text, in characters.
const MAX_SERIALIZED: usize = 1 << 20;
/// Arguments of a model's client that say where its requests go.
const DESTINATIONS: [&str; 5] = ["api_base", "base_url", "custom_llm_provider", "fallbacks", "model_list"];
/// What a model is called that the AI gateway answers for: `gateway:/<endpoint>`.
const GATEWAY: &str = "gateway";

/// A scorer as JSON text, without code and without arguments that say where its requests go.
#[derive(Debug, Clone, PartialEq)]
pub struct SerializedScorer {
    text: String,
    model: Option<Value>,
}

impl SerializedScorer {
    /// Checks a text.
    pub fn new(text: String) -> Result<Self, ScorerError> {
        let text = checked("serialized_scorer", text, MAX_SERIALIZED, Overlong::Refuse)?;
        let scorer: Value = serde_json::from_str(&text).map_err(|_| ScorerError::NotJson)?;
        refuse_code(&scorer)?;
        refuse_destinations(&scorer)?;
        let Value::Object(fields) = &scorer else { return Err(ScorerError::NotObject) };
        let model = model(fields).cloned();
        Ok(Self { text, model })
    }

    /// The text, as it was sent.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Refuses a blank model; gives the name of the gateway's endpoint, if the model is one.
    pub fn judge_endpoint(&self) -> Result<Option<&str>, ScorerError> {
        match &self.model {
            None => Ok(None),
            Some(Value::String(model)) if model.trim().is_empty() => Err(ScorerError::BlankModel),
            Some(Value::String(model)) => Ok(gateway_endpoint(model)),
            Some(_) => Err(ScorerError::ModelNotText),
        }
    }

    /// Whether its instructions ask for what was expected, which nobody knows of a trace as it comes.
    pub(super) fn needs_expectations(&self) -> bool {
        let scorer = serde_json::from_str::<Value>(&self.text).unwrap_or_default();
        let instructions = scorer.pointer("/instructions_judge_pydantic_data/instructions");
        let mut variables = instructions.and_then(Value::as_str).unwrap_or_default().split("{{");
        variables.next();
        variables.any(|rest| rest.split("}}").next().is_some_and(|name| name.trim() == "expectations"))
    }
}

/// A scorer whose model is an endpoint of the gateway, with the name that the endpoint has now; without a model, if
/// there is no such endpoint any more. The text stays as it was sent where nothing changes.
pub fn with_judge_endpoint(text: &str, endpoint: Option<&str>) -> String {
    let Ok(Value::Object(mut scorer)) = serde_json::from_str(text) else { return text.to_owned() };
    let named = model(&scorer).and_then(Value::as_str).and_then(gateway_endpoint);
    if named == endpoint {
        return text.to_owned();
    }
    let now = endpoint.map_or(Value::Null, |name| format!("{GATEWAY}:/{name}").into());
    if let Some(model) = model_mut(&mut scorer) {
        *model = now;
    }
    Value::Object(scorer).to_string()
}

/// The gateway endpoint that a model names.
fn gateway_endpoint(model: &str) -> Option<&str> {
    let (provider, endpoint) = model.split_once(":/")?;
    let endpoint = endpoint.trim_start_matches('/');
    Some(endpoint).filter(|endpoint| provider == GATEWAY && !endpoint.is_empty())
}

/// The model that judges: where it stands depends on the kind of scorer.
fn model(scorer: &Map<String, Value>) -> Option<&Value> {
    let part = |name: &str| scorer.get(name).and_then(Value::as_object).filter(|part| !part.is_empty());
    if let Some(judge) =
        part("instructions_judge_pydantic_data").or_else(|| part("builtin_scorer_pydantic_data"))
    {
        return judge.get("model").filter(|model| !model.is_null());
    }
    if let Some(judge) = part("memory_augmented_judge_data") {
        return model(judge.get("base_judge")?.as_object()?);
    }
    part("third_party_scorer_data")?.get("model").filter(|model| !model.is_null())
}

/// The same, to be replaced.
fn model_mut(scorer: &mut Map<String, Value>) -> Option<&mut Value> {
    let is_part = |scorer: &Map<String, Value>, name: &str| {
        scorer.get(name).and_then(Value::as_object).is_some_and(|part| !part.is_empty())
    };
    let parts = ["instructions_judge_pydantic_data", "builtin_scorer_pydantic_data"];
    if let Some(judge) = parts.into_iter().find(|name| is_part(scorer, name)) {
        return scorer.get_mut(judge)?.get_mut("model");
    }
    if is_part(scorer, "memory_augmented_judge_data") {
        let judge = scorer.get_mut("memory_augmented_judge_data")?.get_mut("base_judge")?;
        return model_mut(judge.as_object_mut()?);
    }
    scorer.get_mut("third_party_scorer_data")?.get_mut("model")
}

/// What is inside a value, one level down.
fn children(value: &Value) -> Box<dyn Iterator<Item = &Value> + '_> {
    match value {
        Value::Array(items) => Box::new(items.iter()),
        Value::Object(fields) => Box::new(fields.values()),
        _ => Box::new(std::iter::empty()),
    }
}

/// A `call_source` at any depth is code that whoever reads the scorer runs.
fn refuse_code(value: &Value) -> Result<(), ScorerError> {
    if value.get("call_source").is_some_and(|source| !source.is_null()) {
        return Err(ScorerError::Code);
    }
    children(value).try_for_each(refuse_code)
}

fn refuse_destinations(value: &Value) -> Result<(), ScorerError> {
    if let Some(data @ Value::Object(_)) = value.get("third_party_scorer_data") {
        match data.get("kwargs") {
            None | Some(Value::Null) => {}
            Some(arguments @ Value::Object(_)) => {
                let mut found = BTreeSet::new();
                find_destinations(arguments, &mut found);
                if !found.is_empty() {
                    let quoted: Vec<String> = found.into_iter().map(|key| format!("'{key}'")).collect();
                    return Err(ScorerError::Destination(quoted.join(", ")));
                }
            }
            Some(_) => return Err(ScorerError::Arguments),
        }
    }
    children(value).try_for_each(refuse_destinations)
}

fn find_destinations(value: &Value, found: &mut BTreeSet<&'static str>) {
    let mut note = |key: &str| found.extend(DESTINATIONS.into_iter().find(|known| *known == key));
    match value {
        Value::Object(fields) => fields.keys().for_each(|key| note(key)),
        // A list of pairs is read as an object by who takes the arguments.
        Value::Array(items) => items.iter().for_each(|item| {
            if let Some([Value::String(key), _]) = item.as_array().map(Vec::as_slice) {
                note(key);
            }
        }),
        _ => {}
    }
    children(value).for_each(|child| find_destinations(child, found));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refused(scorer: &Value) -> String {
        let read = SerializedScorer::new(scorer.to_string());
        read.and_then(|scorer| scorer.judge_endpoint().map(|_| ())).unwrap_err().to_string()
    }

    #[test]
    fn plain_scorers_are_kept_as_they_are_written() {
        for text in [
            r#"{"name":  "a", "call_source": null}"#,
            r#"{"instructions_judge_pydantic_data": {"model": "openai:/gpt-4"}}"#,
            r#"{"third_party_scorer_data": {"kwargs": {"threshold": 0.5}, "model": null}}"#,
            r#"{"instructions_judge_pydantic_data": {"model": "gateway:/"}}"#,
        ] {
            let scorer = SerializedScorer::new(text.to_owned()).unwrap();
            assert_eq!(scorer.as_str(), text);
            assert_eq!(scorer.judge_endpoint().unwrap(), None);
        }
    }

    #[test]
    fn code_is_refused_at_any_depth() {
        let nested =
            json!({"ensemble_scorer_data": {"scorers": [{"name": "x"}, {"call_source": "return 1"}]}});
        assert!(refused(&nested).starts_with("Custom scorer registration (using @scorer decorator)"));
        assert!(refused(&json!({"call_source": ""})).starts_with("Custom scorer registration"));
        assert_eq!(
            SerializedScorer::new("{".to_owned()).unwrap_err().to_string(),
            "serialized_scorer must be valid JSON"
        );
        assert_eq!(refused(&json!([1])), "serialized_scorer must be a JSON object");
    }

    #[test]
    fn arguments_do_not_say_where_requests_go() {
        let third = |kwargs: Value| json!({"base": [{"third_party_scorer_data": {"kwargs": kwargs}}]});
        let found = refused(&third(json!({"a": [["api_base", 1]], "b": {"base_url": "x"}})));
        assert!(
            found.starts_with("third_party_scorer_data.kwargs must not contain 'api_base', 'base_url'"),
            "{found}"
        );
        assert!(
            refused(&third(json!([1]))).starts_with("third_party_scorer_data.kwargs must be a JSON object")
        );
    }

    #[test]
    fn models_are_named() {
        assert_eq!(refused(&judge(" ")), "Scorer model cannot be empty or contain only whitespace.");
        assert_eq!(refused(&judge(1)), "Scorer model must be a string");
    }

    fn judge(model: impl Into<Value>) -> Value {
        let model: Value = model.into();
        json!({"instructions_judge_pydantic_data": {"model": model}})
    }

    #[test]
    fn an_endpoint_is_called_what_it_is_called_now() {
        let inside = json!({"memory_augmented_judge_data": {"base_judge": judge("gateway:/chat")}});
        let third = json!({"third_party_scorer_data": {"model": "gateway:/chat"}});
        for scorer in [judge("gateway:/chat"), inside, third] {
            let text = format!(" {scorer}");
            let read = SerializedScorer::new(text.clone()).unwrap();
            assert_eq!(read.judge_endpoint().unwrap(), Some("chat"));
            assert_eq!(with_judge_endpoint(&text, Some("chat")), text, "as it was sent");
            let renamed = SerializedScorer::new(with_judge_endpoint(&text, Some("talk"))).unwrap();
            assert_eq!(renamed.judge_endpoint().unwrap(), Some("talk"));
            let gone = SerializedScorer::new(with_judge_endpoint(&text, None)).unwrap();
            assert_eq!(gone.judge_endpoint().unwrap(), None);
        }
    }

    #[test]
    fn expectations_are_found_in_instructions() {
        let needs = |instructions: &str| {
            let scorer = json!({"instructions_judge_pydantic_data": {"instructions": instructions}});
            SerializedScorer::new(scorer.to_string()).unwrap().needs_expectations()
        };
        assert!(needs("Is {{ outputs }} what {{expectations}} says?") && needs("{{ expectations }}"));
        assert!(!needs("Are {{ outputs }} the expectations }}?") && !needs(""));
    }
}
