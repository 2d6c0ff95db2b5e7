//! From the text of a pipeline file to its definition.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::document::{matrix_order, parse_document};
use super::error::{DefinitionError, Problem};
use super::expand::expand;
use super::fields::Fields;
use super::interpolate::{self, Context, Style};
use super::policies::Concurrency;
use super::{DEFAULT_PARAMS, Definition, link};
use crate::trigger::Trigger;

/// What a definition is resolved with.
#[derive(Debug, Clone, Default)]
pub struct Parameters {
    /// The parameter files by their path relative to the pipeline's root.
    pub files: BTreeMap<String, Value>,
    /// Values that win over those of the default file and of `vars`, as a nested mapping.
    pub overrides: Map<String, Value>,
}

/// A pipeline file, read but not yet resolved.
#[derive(Debug, Clone)]
pub struct Source {
    stages: Map<String, Value>,
    matrix_order: BTreeMap<String, Vec<String>>,
    vars: Vec<Value>,
    triggers: Option<Value>,
    concurrency: Option<Value>,
}

impl Source {
    /// Reads a text and checks its top level.
    pub fn parse(text: &str) -> Result<Self, DefinitionError> {
        let mut top = Fields::of("", parse_document(text)?)?;
        let stages = match top.take("stages") {
            Some(Value::Object(stages)) if !stages.is_empty() => stages,
            _ => return Err(top.error("stages", Problem::Expected("a mapping with at least one stage"))),
        };
        let vars = match top.take("vars") {
            None => Vec::new(),
            Some(Value::Array(vars)) => vars,
            Some(_) => return Err(top.error("vars", Problem::Expected("a list"))),
        };
        let source = Self {
            stages,
            matrix_order: matrix_order(text),
            vars,
            triggers: top.take("on"),
            concurrency: top.take("concurrency"),
        };
        // DVC's declarations for its own displays; nothing runs because of them.
        for key in ["params", "metrics", "plots", "artifacts", "datasets"] {
            top.take(key);
        }
        top.finish()?;
        Ok(source)
    }

    /// The files that variables and parameters come from, relative to the pipeline's root. Of these
    /// only [`DEFAULT_PARAMS`] may be missing. A templated name appears only once it is resolved.
    pub fn parameter_files(&self) -> BTreeSet<String> {
        let mut files = BTreeSet::from([DEFAULT_PARAMS.to_owned()]);
        let mut note = |list: &[Value], wdir: &str| {
            for entry in list {
                match entry {
                    Value::String(text) => {
                        let (file, _) = text.split_once(':').unwrap_or((text, ""));
                        files.insert(link::joined(wdir, file));
                    }
                    Value::Object(map) => files.extend(map.keys().map(|file| link::joined(wdir, file))),
                    _ => {}
                }
            }
        };
        let files_of_vars = |vars: &[Value]| -> Vec<Value> {
            vars.iter().filter(|entry| entry.is_string()).cloned().collect()
        };
        note(&files_of_vars(&self.vars), "");
        for stage in self.stages.values() {
            let stage = stage.get("do").unwrap_or(stage);
            let wdir = stage.get("wdir").and_then(Value::as_str).unwrap_or_default();
            if let Some(Value::Array(vars)) = stage.get("vars") {
                note(&files_of_vars(vars), wdir);
            }
            if let Some(Value::Array(params)) = stage.get("params") {
                let file_of = |entry: &Value| {
                    if entry.is_string() { Value::from(DEFAULT_PARAMS) } else { entry.clone() }
                };
                note(&params.iter().map(file_of).collect::<Vec<_>>(), wdir);
            }
        }
        files.retain(|file| !file.contains("${"));
        files
    }

    /// As [`resolve`](Self::resolve), and checks that there are the built-in steps that it uses.
    pub fn resolve_with(
        &self,
        parameters: &Parameters,
        built_ins: &[&str],
    ) -> Result<Definition, DefinitionError> {
        let definition = self.resolve(parameters)?;
        match definition.unknown_built_in(built_ins) {
            None => Ok(definition),
            Some((stage, uses)) => {
                let (uses, known) = (uses.to_owned(), built_ins.join(", "));
                let place = format!("stages.{stage}.uses");
                Err(DefinitionError::at(place, Problem::NoSuchBuiltIn { uses, known }))
            }
        }
    }

    /// Expands, interpolates and links.
    pub fn resolve(&self, parameters: &Parameters) -> Result<Definition, DefinitionError> {
        let mut files = parameters.files.clone();
        let defaults = files.entry(DEFAULT_PARAMS.to_owned()).or_insert_with(|| Value::Object(Map::new()));
        if defaults.is_null() {
            *defaults = Value::Object(Map::new());
        }
        let Value::Object(defaults) = defaults else {
            return Err(DefinitionError::at(DEFAULT_PARAMS, Problem::Expected("a mapping")));
        };
        merge(defaults, &parameters.overrides, true)?;
        let mut globals = defaults.clone();
        let own = load_vars(&self.vars, "vars", "", &files)?;
        for (key, value) in &own {
            // A variable that repeats a parameter must agree with it, unless it was overridden.
            if !parameters.overrides.contains_key(key) {
                merge(&mut globals, &Map::from_iter([(key.clone(), value.clone())]), false)?;
            }
        }
        let stages = expand(&self.stages, &self.matrix_order, &globals, &files)?;
        let stages = link::link(stages)?;
        let context = Context::new(vec![&globals]);
        let filled = |key: &str, value: &Option<Value>| {
            let value = value.clone().unwrap_or(Value::Null);
            interpolate::value(&value, &context, Style::Plain)
                .map_err(|problem| DefinitionError::at(key, problem))
        };
        let mut top = Fields::of(
            "",
            Value::Object(Map::from_iter([(
                "concurrency".to_owned(),
                filled("concurrency", &self.concurrency)?,
            )])),
        )?;
        Ok(Definition {
            stages,
            triggers: Trigger::read("on", &filled("on", &self.triggers)?)?,
            concurrency: Concurrency::read(&mut top)?,
            params: globals,
        })
    }
}

/// The variables that a `vars` list defines: mappings in place, and files, whole or by keys
/// (`file.yaml:key1,key2`).
pub(super) fn load_vars(
    vars: &[Value],
    place: &str,
    wdir: &str,
    files: &BTreeMap<String, Value>,
) -> Result<Map<String, Value>, DefinitionError> {
    let mut found = Map::new();
    for (index, entry) in vars.iter().enumerate() {
        let at = || format!("{place}[{index}]");
        match entry {
            Value::Object(map) => merge(&mut found, map, false)?,
            Value::String(text) => {
                let (file, keys) = text.split_once(':').map_or((text.as_str(), None), |(f, k)| (f, Some(k)));
                let content = files.get(&link::joined(wdir, file));
                let Some(Value::Object(map)) = content else {
                    return Err(DefinitionError::at(at(), Problem::NoSuchFile(file.to_owned())));
                };
                let Some(keys) = keys else {
                    merge(&mut found, map, false)?;
                    continue;
                };
                for key in keys.split(',').map(str::trim) {
                    let value = map
                        .get(key)
                        .ok_or_else(|| DefinitionError::at(at(), Problem::NoSuchKey(key.to_owned())))?;
                    merge(&mut found, &Map::from_iter([(key.to_owned(), value.clone())]), false)?;
                }
            }
            _ => return Err(DefinitionError::at(at(), Problem::Expected("a mapping or the name of a file"))),
        }
    }
    Ok(found)
}

/// Merges mappings key by key. Where both have a value, `from` wins if `overwrite`, else they must be
/// equal.
pub(super) fn merge(
    into: &mut Map<String, Value>,
    from: &Map<String, Value>,
    overwrite: bool,
) -> Result<(), DefinitionError> {
    for (key, value) in from {
        match (into.get_mut(key), value) {
            (None, _) => {
                into.insert(key.clone(), value.clone());
            }
            (Some(Value::Object(inner)), Value::Object(value)) => merge(inner, value, overwrite)?,
            (Some(present), _) if overwrite => *present = value.clone(),
            (Some(present), _) if present == value => {}
            (Some(_), _) => {
                return Err(DefinitionError::at("vars", Problem::DuplicateVariable(key.clone())));
            }
        }
    }
    Ok(())
}
