//! Reading a mapping key by key, so that every error names its place and no key is overlooked.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::error::{DefinitionError, Problem};
use super::span::Span;

/// A mapping whose keys are taken one by one.
pub(super) struct Fields {
    place: String,
    map: Map<String, Value>,
}

impl Fields {
    pub(super) fn of(place: impl Into<String>, value: Value) -> Result<Self, DefinitionError> {
        let place = place.into();
        match value {
            Value::Object(map) => Ok(Self { place, map }),
            _ => Err(DefinitionError::at(place, Problem::Expected("a mapping"))),
        }
    }

    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// The path of a key.
    pub(super) fn path(&self, key: &str) -> String {
        if self.place.is_empty() { key.to_owned() } else { format!("{}.{key}", self.place) }
    }

    pub(super) fn error(&self, key: &str, problem: Problem) -> DefinitionError {
        DefinitionError::at(self.path(key), problem)
    }

    /// Takes a key; an explicit null counts as absent.
    pub(super) fn take(&mut self, key: &str) -> Option<Value> {
        self.map.remove(key).filter(|value| !value.is_null())
    }

    pub(super) fn string(&mut self, key: &str) -> Result<Option<String>, DefinitionError> {
        match self.take(key) {
            None => Ok(None),
            Some(value) => {
                scalar_text(&value).map(Some).ok_or_else(|| self.error(key, Problem::Expected("a text")))
            }
        }
    }

    pub(super) fn required(&mut self, key: &'static str) -> Result<String, DefinitionError> {
        self.string(key)?.ok_or_else(|| DefinitionError::at(self.place.clone(), Problem::Missing(key)))
    }

    pub(super) fn flag(&mut self, key: &str) -> Result<Option<bool>, DefinitionError> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(flag)),
            Some(_) => Err(self.error(key, Problem::Expected("true or false"))),
        }
    }

    /// A whole number from 0 to `most`.
    pub(super) fn count(&mut self, key: &str, most: u32) -> Result<Option<u32>, DefinitionError> {
        let Some(value) = self.take(key) else { return Ok(None) };
        value
            .as_u64()
            .and_then(|n| u32::try_from(n).ok())
            .filter(|n| *n <= most)
            .map(Some)
            .ok_or_else(|| self.error(key, Problem::Expected("a whole number within the documented range")))
    }

    pub(super) fn span(&mut self, key: &str) -> Result<Option<Span>, DefinitionError> {
        let Some(text) = self.string(key)? else { return Ok(None) };
        Span::parse(&text)
            .map(Some)
            .ok_or_else(|| self.error(key, Problem::Expected("a length of time such as 30s, 5m, 2h or 7d")))
    }

    /// A text, or a list of texts.
    pub(super) fn texts(&mut self, key: &str) -> Result<Vec<String>, DefinitionError> {
        let wrong = |this: &Self| this.error(key, Problem::Expected("a text or a list of texts"));
        match self.take(key) {
            None => Ok(Vec::new()),
            Some(Value::Array(items)) => {
                items.iter().map(|item| scalar_text(item).ok_or_else(|| wrong(self))).collect()
            }
            Some(value) => scalar_text(&value).map(|text| vec![text]).ok_or_else(|| wrong(self)),
        }
    }

    /// A mapping from names to texts.
    pub(super) fn text_map(&mut self, key: &str) -> Result<BTreeMap<String, String>, DefinitionError> {
        let Some(value) = self.take(key) else { return Ok(BTreeMap::new()) };
        let inner = Self::of(self.path(key), value)?;
        let mut texts = BTreeMap::new();
        for (name, value) in inner.map {
            let text = scalar_text(&value).ok_or_else(|| {
                DefinitionError::at(format!("{}.{name}", inner.place), Problem::Expected("a text"))
            })?;
            texts.insert(name, text);
        }
        Ok(texts)
    }

    /// Refuses keys that nobody took.
    pub(super) fn finish(mut self) -> Result<(), DefinitionError> {
        self.map.retain(|_, value| !value.is_null());
        match self.map.keys().next() {
            None => Ok(()),
            Some(key) => {
                let place = if self.place.is_empty() { "the top level".to_owned() } else { self.place };
                Err(DefinitionError::at(place, Problem::Unknown(key.clone())))
            }
        }
    }
}

/// A scalar as text, the way a shell would want it; `None` for null, lists and mappings.
pub(super) fn scalar_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}
