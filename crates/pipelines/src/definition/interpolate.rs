//! `${...}`: values of variables and parameters put into texts.
//!
//! Grammar after DVC's templating (<https://doc.dvc.org/user-guide/project-structure/dvcyaml-files#templating>):
//! a text that is one reference takes the value with its type; inside a longer text only scalars may
//! stand, except that in `cmd` a mapping becomes `--key value` options; `\${` is a literal `${`.
//! References to `steps.` and `run.` that no variable answers are left for the moment the step runs. While a
//! definition is only checked, those to variables without a value are left, too: a run may bring them.

use std::cell::Cell;

use serde_json::{Map, Value};

use super::error::Problem;
use super::fields::scalar_text;

/// Longest text after interpolation, in bytes.
pub const MAX_TEXT: usize = 64 * 1024;

/// What the references of one stage may name. Later scopes shadow earlier ones.
pub(super) struct Context<'a> {
    scopes: Vec<&'a Map<String, Value>>,
    /// Set once a variable without a value was met; if there is none, such a variable is refused.
    open: Option<&'a Cell<bool>>,
}

impl<'a> Context<'a> {
    pub(super) fn new(scopes: Vec<&'a Map<String, Value>>) -> Self {
        Self { scopes, open: None }
    }

    /// Leaves references to variables without a value as they are, and notes in `open` that there were some.
    pub(super) fn leaving_open(self, open: &'a Cell<bool>) -> Self {
        Self { open: Some(open), ..self }
    }

    /// Whether a run may still bring the value: nothing in the text gives the variable one.
    fn is_open(&self, path: &[Key]) -> bool {
        let (Some(open), Some(Key::Name(first))) = (self.open, path.first()) else { return false };
        let is_open = self.scopes.iter().rev().find_map(|scope| scope.get(first)).is_none_or(Value::is_null);
        open.set(open.get() || is_open);
        is_open
    }

    fn find(&self, path: &[Key]) -> Option<&Value> {
        let (Key::Name(first), rest) = path.split_first()? else { return None };
        let root = self.scopes.iter().rev().find_map(|scope| scope.get(first))?;
        descend(root, rest)
    }
}

/// One part of a reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    /// A key of a mapping.
    Name(String),
    /// A position in a list.
    Index(usize),
}

/// Follows a path into a value; a name of digits also indexes a list.
pub(crate) fn descend<'v>(root: &'v Value, path: &[Key]) -> Option<&'v Value> {
    path.iter().try_fold(root, |value, key| match (value, key) {
        (Value::Object(map), Key::Name(name)) => map.get(name),
        (Value::Object(map), Key::Index(index)) => map.get(&index.to_string()),
        (Value::Array(items), Key::Index(index)) => items.get(*index),
        (Value::Array(items), Key::Name(name)) => items.get(name.parse::<usize>().ok()?),
        _ => None,
    })
}

/// Reads `name.key[0][key]["a key"]`.
pub(super) fn parse_path(text: &str) -> Option<Vec<Key>> {
    let mut path = Vec::new();
    let mut rest = text.trim();
    let mut expects_name = true;
    while !rest.is_empty() {
        if let Some(inner) = rest.strip_prefix('[') {
            let (key, after) = inner.split_once(']')?;
            let quoted = key.strip_prefix('"').and_then(|k| k.strip_suffix('"'));
            let name = quoted.unwrap_or(key.trim());
            let index = if quoted.is_none() { name.parse().ok() } else { None };
            if name.is_empty() {
                return None;
            }
            path.push(index.map_or_else(|| Key::Name(name.to_owned()), Key::Index));
            rest = after;
            expects_name = false;
        } else {
            if !expects_name {
                rest = rest.strip_prefix('.')?;
            }
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            let (name, after) = rest.split_at(end);
            let fits = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || "_-@ ".contains(c));
            if !fits || name.trim() != name {
                return None;
            }
            path.push(Key::Name(name.to_owned()));
            rest = after;
            expects_name = false;
        }
    }
    matches!(path.first(), Some(Key::Name(_))).then_some(path)
}

/// How mappings inside a longer text are treated.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// Refused.
    Plain,
    /// As command-line options.
    Command,
}

/// A piece of a text.
pub(super) enum Piece<'t> {
    Text(&'t str),
    Reference(&'t str),
}

/// Splits a text at its references. `\${` is text.
pub(super) fn pieces(text: &str) -> Result<Vec<Piece<'_>>, Problem> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let (before, from) = rest.split_at(at);
        if let Some(before) = before.strip_suffix('\\') {
            found.push(Piece::Text(before));
            found.push(Piece::Text("${"));
            rest = from.get(2..).unwrap_or_default();
            continue;
        }
        found.push(Piece::Text(before));
        let end = from.find('}').ok_or_else(|| Problem::Reference(text.chars().take(80).collect()))?;
        found.push(Piece::Reference(from.get(2..end).unwrap_or_default()));
        rest = from.get(end + 1..).unwrap_or_default();
    }
    found.push(Piece::Text(rest));
    found.retain(|piece| !matches!(piece, Piece::Text("")));
    Ok(found)
}

/// Interpolates all texts of a value.
pub(super) fn value(value: &Value, context: &Context<'_>, style: Style) -> Result<Value, Problem> {
    match value {
        Value::String(text) => self::text(text, context, style),
        Value::Array(items) => items
            .iter()
            .map(|item| self::value(item, context, style))
            .collect::<Result<_, _>>()
            .map(Value::Array),
        Value::Object(map) => map
            .iter()
            .map(|(key, item)| {
                let key = match text(key, context, Style::Plain)? {
                    Value::String(key) => key,
                    other => scalar_text(&other).ok_or_else(|| Problem::NotScalar(key.clone()))?,
                };
                Ok((key, self::value(item, context, style)?))
            })
            .collect::<Result<Map<_, _>, _>>()
            .map(Value::Object),
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(value.clone()),
    }
}

fn text(text: &str, context: &Context<'_>, style: Style) -> Result<Value, Problem> {
    if !text.contains("${") {
        return Ok(Value::String(text.to_owned()));
    }
    let pieces = pieces(text)?;
    if let ([Piece::Reference(reference)], Style::Plain) = (pieces.as_slice(), style) {
        return Ok(match lookup(reference, context)? {
            Found::Value(value) => value.clone(),
            Found::Later => Value::String(text.to_owned()),
        });
    }
    let mut joined = String::new();
    for piece in &pieces {
        match piece {
            // An escape stays escaped while a later round may still see this text.
            Piece::Text("${") => joined.push_str("\\${"),
            Piece::Text(text) => joined.push_str(text),
            Piece::Reference(reference) => match lookup(reference, context)? {
                Found::Later => {
                    joined.push_str("${");
                    joined.push_str(reference);
                    joined.push('}');
                }
                Found::Value(Value::Object(map)) if style == Style::Command => options(map, "", &mut joined),
                Found::Value(value) => joined.push_str(
                    &scalar_text(value).ok_or_else(|| Problem::NotScalar((*reference).to_owned()))?,
                ),
            },
        }
        if joined.len() > MAX_TEXT {
            return Err(Problem::Expected("at most 64 KiB long after interpolation"));
        }
    }
    Ok(Value::String(joined))
}

enum Found<'v> {
    Value(&'v Value),
    Later,
}

fn lookup<'v>(reference: &str, context: &'v Context<'_>) -> Result<Found<'v>, Problem> {
    let path = parse_path(reference).ok_or_else(|| Problem::Reference(format!("${{{reference}}}")))?;
    let found = context.find(&path);
    if found.is_none()
        && let Some(Key::Name(root)) = path.first()
        && (root == "steps" || root == "run")
    {
        return Ok(Found::Later);
    }
    match found {
        _ if context.is_open(&path) => Ok(Found::Later),
        Some(value) => Ok(Found::Value(value)),
        None => Err(Problem::NoSuchVariable(reference.to_owned())),
    }
}

/// DVC's rule for mappings in commands: `--key value`, nested keys dotted, `true` a bare option,
/// `false` and null left out, lists as several values.
fn options(map: &Map<String, Value>, prefix: &str, out: &mut String) {
    for (key, value) in map {
        let name = format!("{prefix}{key}");
        match value {
            Value::Object(inner) => options(inner, &format!("{name}."), out),
            Value::Bool(false) | Value::Null => {}
            _ => {
                if !out.is_empty() && !out.ends_with(' ') {
                    out.push(' ');
                }
                out.push_str("--");
                out.push_str(&name);
                let values = match value {
                    Value::Array(items) => items.as_slice(),
                    Value::Bool(_) => &[],
                    scalar => std::slice::from_ref(scalar),
                };
                for text in values.iter().filter_map(scalar_text) {
                    out.push(' ');
                    out.push_str(&quoted(&text));
                }
            }
        }
    }
}

/// A word for a POSIX shell.
pub(super) fn quoted(text: &str) -> String {
    let plain = !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || "_-./:=,+@%".contains(c));
    if plain { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fill(template: &Value, style: Style) -> Result<Value, Problem> {
        let Value::Object(globals) = json!({
            "n": 3, "on": true, "name": "it's", "list": [1, 2], "steps": 100,
            "model": {"depth": 6, "deep": {"x": 0.5}, "verbose": true, "quiet": false},
        }) else {
            unreachable!()
        };
        value(template, &Context::new(vec![&globals]), style)
    }

    #[test]
    fn types_are_kept_alone_and_become_text_inside() {
        assert_eq!(fill(&json!("${n}"), Style::Plain), Ok(json!(3)));
        assert_eq!(fill(&json!("${model.deep}"), Style::Plain), Ok(json!({"x": 0.5})));
        assert_eq!(
            fill(&json!("a-${ n }-${on}-${list[1]}-${list.0}"), Style::Plain),
            Ok(json!("a-3-true-2-1"))
        );
        assert_eq!(fill(&json!({"k${n}": ["${n}"]}), Style::Plain), Ok(json!({"k3": [3]})));
    }

    #[test]
    fn mappings_become_options_in_commands() {
        assert_eq!(
            fill(&json!("train ${model} ${name}"), Style::Command),
            Ok(json!("train --depth 6 --deep.x 0.5 --verbose it's"))
        );
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }

    #[test]
    fn later_references_and_escapes_stay() {
        let text = json!(r"x ${steps.train.model} \${HOME} ${run.id}");
        assert_eq!(fill(&text, Style::Command), Ok(text));
        assert_eq!(fill(&json!("${steps}"), Style::Plain), Ok(json!(100)));
    }

    #[test]
    fn wrong_references_are_named() {
        assert_eq!(fill(&json!("${nope.x}"), Style::Plain), Err(Problem::NoSuchVariable("nope.x".into())));
        assert_eq!(fill(&json!("a ${list}"), Style::Plain), Err(Problem::NotScalar("list".into())));
        assert_eq!(fill(&json!("a ${n"), Style::Plain), Err(Problem::Reference("a ${n".into())));
        assert_eq!(fill(&json!("${a b..c}"), Style::Plain), Err(Problem::Reference("${a b..c}".into())));
    }
}
