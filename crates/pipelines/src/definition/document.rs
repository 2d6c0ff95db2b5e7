//! YAML text to a tree, within a budget.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

use super::error::DefinitionError;

/// Longest document, in bytes.
pub const MAX_DOCUMENT: usize = 1024 * 1024;
/// Deepest nesting.
const MAX_DEPTH: usize = 32;
/// Most nodes, repeated anchors included.
const MAX_NODES: usize = 100_000;

/// Reads a YAML 1.2 (or JSON) document: a definition, or a parameter file. An empty one is null.
pub fn parse_document(text: &str) -> Result<Value, DefinitionError> {
    if text.len() > MAX_DOCUMENT {
        return Err(DefinitionError::TooLarge { of: "bytes", limit: MAX_DOCUMENT });
    }
    if text.trim().is_empty() {
        return Ok(Value::Null);
    }
    serde_saphyr::from_str_with_options(text, options()).map_err(|error| {
        let sentence: String = error.to_string().chars().take(300).collect();
        DefinitionError::Yaml(sentence)
    })
}

/// The variables of each stage's `matrix` in the order in which they are written: it decides the names
/// of the stages, and JSON mappings do not keep it. Empty where the document is something else.
pub(super) fn matrix_order(text: &str) -> BTreeMap<String, Vec<String>> {
    let outline: Outline = serde_saphyr::from_str_with_options(text, options()).unwrap_or_default();
    outline.stages.into_iter().map(|(stage, outline)| (stage, outline.matrix.0)).collect()
}

#[derive(Default, Deserialize)]
struct Outline {
    #[serde(default)]
    stages: BTreeMap<String, StageOutline>,
}

#[derive(Default, Deserialize)]
struct StageOutline {
    #[serde(default)]
    matrix: Keys,
}

/// The keys of a mapping in their order.
#[derive(Default)]
struct Keys(Vec<String>);

impl<'de> Deserialize<'de> for Keys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Keys;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a mapping")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Keys, A::Error> {
                let mut keys = Vec::new();
                while let Some((key, _)) = map.next_entry::<String, IgnoredAny>()? {
                    keys.push(key);
                }
                Ok(Keys(keys))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: MAX_DEPTH,
            flow_nesting_limit: MAX_DEPTH,
            max_nodes: MAX_NODES,
            max_events: 4 * MAX_NODES,
            max_aliases: 1_000,
            max_anchors: 1_000,
            max_documents: 1,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: MAX_NODES,
            max_replay_stack_depth: 8,
            max_alias_expansions_per_anchor: 1_000,
        },
        // `on: ...` is a key and `yes` a text, as in YAML 1.2 and as DVC reads them.
        strict_booleans: true,
        with_snippet: false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn reads_yaml_1_2_and_anchors() {
        let text =
            "on: [manual]\nyes: no\nn: 1\nf: 0.5\nd: 2013-01-01\na: &x {k: [1]}\nb: *x\nc: {<<: *x, z: 2}\n";
        let expected = json!({
            "on": ["manual"], "yes": "no", "n": 1, "f": 0.5, "d": "2013-01-01",
            "a": {"k": [1]}, "b": {"k": [1]}, "c": {"k": [1], "z": 2},
        });
        assert_eq!(parse_document(text), Ok(expected));
        assert_eq!(parse_document(" \n"), Ok(Value::Null));
    }

    #[test]
    fn bombs_and_broken_texts_are_refused() {
        let mut bomb = "a0: &a0 [x]\n".to_owned();
        for level in 1..12 {
            let before = level - 1;
            let nine = vec![format!("*a{before}"); 9].join(", ");
            bomb = format!(
                "{bomb}a{level}: &a{level} [{nine}]
"
            );
        }
        let deep = "[".repeat(1_000);
        for text in [bomb.as_str(), deep.as_str(), "a: [1", "a: 1\na: 2\n", "\u{0}", "- a\nb: c"] {
            assert!(matches!(parse_document(text), Err(DefinitionError::Yaml(_))), "{text:.40}");
        }
        let long = "x".repeat(MAX_DOCUMENT + 1);
        assert!(matches!(parse_document(&long), Err(DefinitionError::TooLarge { .. })));
    }
}
