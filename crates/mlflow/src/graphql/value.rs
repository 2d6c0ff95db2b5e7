//! Values that come in: literals with their variables put in, and inputs of a declared type.

use serde_json::{Map, Value};

use super::document::{Literal, Operation};
use super::schema::{Input, InputKind};

/// As much as variables may put into one argument, as [`afford`] weighs it: more than any body that is read. A
/// variable can be named as often as the document has room for, and each time its value is copied.
const MAX_PUT_IN: usize = 16 << 20;
/// What a value weighs beside its text, in bytes.
const VALUE: usize = 32;

/// The variables of an operation, by name; those that have no value are not there.
pub(super) type Variables = Map<String, Value>;

/// The variables that an operation gets: what was sent, and defaults for the rest. What it does not declare
/// is left alone.
pub(super) fn variables(operation: &Operation, mut sent: Map<String, Value>) -> Result<Variables, String> {
    let mut variables = Variables::new();
    for definition in &operation.variables {
        let (name, declared) = (&definition.name, &definition.declared);
        let value = match (sent.remove(name), &definition.default) {
            (Some(value), _) => value,
            (None, Some(default)) => {
                literal(default, &Variables::new())?.ok_or("A default value names a variable.")?
            }
            (None, None) if definition.is_required() => {
                return Err(format!("Variable '${name}' of required type '{declared}' was not provided."));
            }
            (None, None) => continue,
        };
        if value.is_null() && definition.is_required() {
            return Err(format!("Variable '${name}' of non-null type '{declared}' must not be null."));
        }
        variables.insert(name.clone(), value);
    }
    Ok(variables)
}

/// The value of a literal; `None` if it is a variable without one.
pub(super) fn literal(literal: &Literal, variables: &Variables) -> Result<Option<Value>, String> {
    let mut room = MAX_PUT_IN;
    resolved(literal, variables, &mut room)
}

/// Takes the weight of a value from `room`; `false` if there is too little. No more is looked at than there is room
/// for.
fn afford(value: &Value, room: &mut usize) -> bool {
    let mut take = |text: usize| match room.checked_sub(text + VALUE) {
        Some(left) => {
            *room = left;
            true
        }
        None => false,
    };
    match value {
        Value::String(text) => take(text.len()),
        Value::Array(items) => take(0) && items.iter().all(|item| afford(item, room)),
        Value::Object(fields) => {
            take(fields.keys().map(String::len).sum()) && fields.values().all(|field| afford(field, room))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => take(0),
    }
}

fn resolved(literal: &Literal, variables: &Variables, room: &mut usize) -> Result<Option<Value>, String> {
    Ok(Some(match literal {
        Literal::Null => Value::Null,
        Literal::Bool(value) => Value::from(*value),
        Literal::Int(number) => Value::from(*number),
        Literal::Float(number) => Value::from(*number),
        Literal::Text(text) | Literal::Enum(text) => Value::from(text.as_str()),
        Literal::Variable(name) => {
            let Some(value) = variables.get(name) else { return Ok(None) };
            if !afford(value, room) {
                return Err("An argument is too large with the values of its variables put in.".to_owned());
            }
            value.clone()
        }
        Literal::List(items) => {
            let mut values = Vec::with_capacity(items.len());
            for item in items {
                values.push(resolved(item, variables, room)?.unwrap_or_default());
            }
            Value::Array(values)
        }
        Literal::Object(fields) => {
            let mut values = Map::new();
            for (name, field) in fields {
                // A field whose variable has no value is not there.
                if let Some(value) = resolved(field, variables, room)?
                    && values.insert(name.clone(), value).is_some()
                {
                    return Err(format!("There can be only one input field named '{name}'."));
                }
            }
            Value::Object(values)
        }
    }))
}

/// An input as the REST calls read it: checked, without what is null.
pub(super) fn input(of: &Input, value: Value) -> Result<Map<String, Value>, String> {
    let Value::Object(fields) = value else {
        return Err(format!("Expected type '{}' to be an object.", of.name));
    };
    let mut read = Map::new();
    for (name, value) in fields {
        let known = of.fields.iter().find(|(known, _)| *known == name);
        let (_, kind) =
            known.ok_or_else(|| format!("Field '{name}' is not defined by type '{}'.", of.name))?;
        if !value.is_null() {
            let value = coerced(*kind, value).map_err(|wrong| format!("{wrong} (field '{name}')"))?;
            read.insert(name, value);
        }
    }
    Ok(read)
}

fn coerced(kind: InputKind, value: Value) -> Result<Value, String> {
    let cannot = |what: &str, value: &Value| {
        format!("{what} cannot represent value: {}", mainstay_core::text::clip(&value.to_string()))
    };
    match (kind, value) {
        (InputKind::Text | InputKind::Long, Value::String(text)) => Ok(Value::from(text)),
        (InputKind::Text | InputKind::Long, Value::Number(number)) => Ok(Value::from(number.to_string())),
        (InputKind::Texts, Value::Array(items)) => {
            let items = items.into_iter().map(|item| coerced(InputKind::Text, item));
            items.collect::<Result<_, _>>().map(Value::Array)
        }
        // One value stands for a list of it.
        (InputKind::Texts, value) => Ok(Value::Array(vec![coerced(InputKind::Text, value)?])),
        (InputKind::Int, value) => match value.as_i64().map(i32::try_from) {
            Some(Ok(number)) => Ok(Value::from(number)),
            _ => Err(cannot("Int", &value)),
        },
        (InputKind::View, Value::String(name))
            if ["ACTIVE_ONLY", "DELETED_ONLY", "ALL"].contains(&name.as_str()) =>
        {
            Ok(Value::from(name))
        }
        (InputKind::View, value) => Err(cannot("Enum 'MlflowViewType'", &value)),
        (_, value) => Err(cannot("String", &value)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::parser::parse;
    use super::*;

    const INPUT: Input = Input {
        name: "Sample",
        fields: &[
            ("text", InputKind::Text),
            ("texts", InputKind::Texts),
            ("int", InputKind::Int),
            ("long", InputKind::Long),
            ("view", InputKind::View),
        ],
    };

    fn object(value: Value) -> Map<String, Value> {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn variables_have_values_defaults_or_none() {
        let document = parse(r#"query ($a: A!, $b: [B!] = ["x", 1], $c: C) { d }"#).unwrap();
        let variables = |sent: Value| variables(&document.operations[0], object(sent));
        assert_eq!(
            variables(json!({"a": {"b": 1}, "z": 0})),
            Ok(object(json!({"a": {"b": 1}, "b": ["x", 1]})))
        );
        assert_eq!(
            variables(json!({"a": 1, "b": null, "c": 2})),
            Ok(object(json!({"a": 1, "b": null, "c": 2})))
        );
        assert_eq!(
            variables(json!({})).unwrap_err(),
            "Variable '$a' of required type 'A!' was not provided."
        );
        assert_eq!(
            variables(json!({"a": null})).unwrap_err(),
            "Variable '$a' of non-null type 'A!' must not be null."
        );
    }

    #[test]
    fn literals_take_their_variables() {
        let document = parse(r"{ a(b: {c: $c, d: [$d, 1, ALL], e: $none, f: null}) }").unwrap();
        let super::super::document::Selection::Field(field) = &document.operations[0].selections[0] else {
            panic!("{document:?}")
        };
        let variables = object(json!({"c": {"x": true}, "d": "y"}));
        let wanted = json!({"c": {"x": true}, "d": ["y", 1, "ALL"], "f": null});
        assert_eq!(literal(&field.arguments[0].1, &variables), Ok(Some(wanted)));
        assert_eq!(literal(&Literal::Variable("none".into()), &variables), Ok(None));
    }

    #[test]
    fn variables_do_not_multiply() {
        let naming = |times: usize| {
            let document = parse(&format!("{{ a(b: [{}]) }}", "$c ".repeat(times))).unwrap();
            match document.operations.into_iter().next().unwrap().selections.pop() {
                Some(super::super::document::Selection::Field(mut field)) => field.arguments.remove(0).1,
                other => panic!("{other:?}"),
            }
        };
        let long = json!("x".repeat(200 << 10));
        let wide: Value = vec![0; 128 << 10].into();
        let deep = json!({"a": [{"b": "x".repeat(200 << 10)}]});
        for value in [long, wide, deep] {
            let variables = object(json!({"c": value}));
            assert!(literal(&naming(1), &variables).is_ok());
            let refused = literal(&naming(10_000), &variables).unwrap_err();
            assert!(refused.starts_with("An argument is too large"), "{refused}");
        }
        assert!(literal(&naming(10_000), &object(json!({"c": 1}))).is_ok());
    }

    #[test]
    fn inputs_are_of_their_type() {
        let sent = json!({"text": 7, "texts": "a", "int": -1, "long": "9007199254740993", "view": "ALL"});
        let read = json!({"text": "7", "texts": ["a"], "int": -1, "long": "9007199254740993", "view": "ALL"});
        assert_eq!(input(&INPUT, sent), Ok(object(read)));
        assert_eq!(
            input(&INPUT, json!({"text": null, "texts": ["a", 1]})),
            Ok(object(json!({"texts": ["a", "1"]})))
        );
        for wrong in [
            json!([]),
            json!({"other": 1}),
            json!({"text": true}),
            json!({"texts": [null]}),
            json!({"int": 2_147_483_648_i64}),
            json!({"int": 1.5}),
            json!({"int": "1"}),
            json!({"view": "NONE"}),
        ] {
            assert!(input(&INPUT, wrong.clone()).is_err(), "{wrong}");
        }
    }
}
