//! References that only a running pipeline can answer: `${steps.train.model}`, `${run.data_time}`.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::error::Problem;
use super::fields::scalar_text;
use super::interpolate::{Key, MAX_TEXT, Piece, descend, parse_path, pieces, quoted};
use super::{Stage, Work};

/// What a running pipeline answers references from: `steps` with the output of each step that ended,
/// plus its `outcome`; `params`; and `run` with `id`, `data_time` and the like.
#[derive(Debug, Clone, PartialEq)]
pub struct RuntimeValues(Value);

impl RuntimeValues {
    /// From the three roots.
    pub fn new(steps: Map<String, Value>, params: Map<String, Value>, run: Map<String, Value>) -> Self {
        let roots = [("steps", steps), ("params", params), ("run", run)];
        Self(Value::Object(
            roots.map(|(root, map)| (root.to_owned(), Value::Object(map))).into_iter().collect(),
        ))
    }

    /// The whole tree.
    pub fn as_value(&self) -> &Value {
        &self.0
    }

    fn find(&self, reference: &str) -> Result<&Value, Problem> {
        let path = parse_path(reference).ok_or_else(|| Problem::Reference(format!("${{{reference}}}")))?;
        descend(&self.0, &path).ok_or_else(|| Problem::NoSuchVariable(reference.to_owned()))
    }
}

impl Stage {
    /// The stage with its deferred references answered and escapes undone. What is put into commands
    /// is quoted for the shell: it comes from other programs.
    pub fn at_run_time(&self, values: &RuntimeValues) -> Result<Self, Problem> {
        let mut stage = self.clone();
        match &mut stage.work {
            Work::Commands(commands) => {
                for command in commands {
                    *command = joined(command, values, true)?;
                }
            }
            Work::BuiltIn { with, .. } => {
                for value in with.values_mut() {
                    *value = filled(value, values)?;
                }
            }
            Work::Nothing => {}
        }
        for text in stage.env.values_mut() {
            *text = joined(text, values, false)?;
        }
        Ok(stage)
    }
}

fn filled(value: &Value, values: &RuntimeValues) -> Result<Value, Problem> {
    match value {
        Value::String(text) => match pieces(text)?.as_slice() {
            [Piece::Reference(reference)] => values.find(reference).cloned(),
            _ => joined(text, values, false).map(Value::String),
        },
        Value::Array(items) => items.iter().map(|item| filled(item, values)).collect(),
        Value::Object(map) => map
            .iter()
            .map(|(key, item)| Ok((key.clone(), filled(item, values)?)))
            .collect::<Result<_, _>>()
            .map(Value::Object),
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(value.clone()),
    }
}

fn joined(text: &str, values: &RuntimeValues, quote: bool) -> Result<String, Problem> {
    let mut joined = String::new();
    for piece in pieces(text)? {
        match piece {
            Piece::Text(text) => joined.push_str(text),
            Piece::Reference(reference) => {
                let scalar = scalar_text(values.find(reference)?)
                    .ok_or_else(|| Problem::NotScalar(reference.to_owned()))?;
                joined.push_str(&if quote { quoted(&scalar) } else { scalar });
            }
        }
        if joined.len() > MAX_TEXT {
            return Err(Problem::Expected("at most 64 KiB long after interpolation"));
        }
    }
    Ok(joined)
}

/// The steps that the deferred references of a stage name. References to anything else are refused, unless
/// `is_open`: then they are variables that a run may bring.
pub(super) fn steps_of(stage: &Stage, is_open: bool) -> Result<BTreeSet<String>, Problem> {
    let mut found = BTreeSet::new();
    let mut note = |text: &str| -> Result<(), Problem> {
        for piece in pieces(text)? {
            let Piece::Reference(reference) = piece else { continue };
            let path = parse_path(reference).ok_or_else(|| Problem::Reference(reference.to_owned()))?;
            match path.as_slice() {
                [Key::Name(root), Key::Name(step), ..] if root == "steps" => {
                    found.insert(step.clone());
                }
                [Key::Name(root), ..] if root == "run" => {}
                _ if is_open => {}
                _ => return Err(Problem::NoSuchVariable(reference.to_owned())),
            }
        }
        Ok(())
    };
    stage.env.values().try_for_each(|text| note(text))?;
    match &stage.work {
        Work::Commands(commands) => commands.iter().try_for_each(|text| note(text))?,
        Work::BuiltIn { with, .. } => each_text(with.values(), &mut note)?,
        Work::Nothing => {}
    }
    Ok(found)
}

fn each_text<'v>(
    values: impl Iterator<Item = &'v Value>,
    note: &mut dyn FnMut(&str) -> Result<(), Problem>,
) -> Result<(), Problem> {
    for value in values {
        match value {
            Value::String(text) => note(text)?,
            Value::Array(items) => each_text(items.iter(), note)?,
            Value::Object(map) => each_text(map.values(), note)?,
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    Ok(())
}
