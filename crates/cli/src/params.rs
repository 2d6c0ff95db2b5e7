//! Parameters of pipelines as they are written at a terminal.

use serde_json::{Map, Value};

use crate::Failed;

/// `a.b=1` becomes `{"a": {"b": 1}}`; a value that is no JSON is text.
pub fn overrides(params: &[String]) -> Result<Map<String, Value>, Failed> {
    let mut all = Map::new();
    for param in params {
        let (name, text) =
            param.split_once('=').ok_or_else(|| Failed::Usage(format!("write {param:?} as NAME=VALUE")))?;
        let value = serde_json::from_str(text).unwrap_or_else(|_| Value::from(text));
        let mut place = &mut all;
        let mut path: Vec<&str> = name.split('.').collect();
        let last = path.pop().unwrap_or_default();
        for part in path {
            let below = place.entry(part).or_insert_with(|| Value::Object(Map::new()));
            let clash = || Failed::Usage(format!("{name} is both a value and a mapping"));
            place = below.as_object_mut().ok_or_else(clash)?;
        }
        place.insert(last.to_owned(), value);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn dots_reach_into_mappings_and_what_is_no_json_is_text() {
        let given = ["a.b=1", "a.c=x y", "d=[1, 2]", "e=a=b"].map(str::to_owned);
        let expected = json!({ "a": { "b": 1, "c": "x y" }, "d": [1, 2], "e": "a=b" });
        assert_eq!(Value::Object(overrides(&given).unwrap()), expected);
        for bad in [&["x"][..], &["a=1", "a.b=2"]] {
            let given: Vec<String> = bad.iter().map(|&text| text.to_owned()).collect();
            assert!(matches!(overrides(&given), Err(Failed::Usage(_))), "{bad:?}");
        }
    }
}
