//! From the text of a pipeline file to its definition.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::document::{matrix_order, parse_document};
use super::error::{DefinitionError, Problem};
use super::expand::{Expanded, expand};
use super::fields::Fields;
use super::interpolate::{self, Context, Style};
use super::policies::Concurrency;
use super::{BuiltIns, DEFAULT_PARAMS, Definition, link};
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
        built_ins: &dyn BuiltIns,
    ) -> Result<Definition, DefinitionError> {
        let definition = self.resolve(parameters)?;
        definition.verify(built_ins, |_| true)?;
        Ok(definition)
    }

    /// Refuses what [`resolve_with`](Self::resolve_with) would refuse whatever the parameters of a run, if no
    /// parameter files are given: as by a server. Variables that the text gives no value may come with a run; what
    /// hangs on them is let pass. Triggers stand with the variables of the text alone: nobody gives them others.
    pub fn check(&self, built_ins: &dyn BuiltIns) -> Result<(), DefinitionError> {
        let (globals, files) = self.variables(&Parameters::default(), true)?;
        self.triggers_with(&globals)?;
        let Expanded { drafts, open_groups, open_stages } =
            expand(&self.stages, &self.matrix_order, (&globals, &files), true)?;
        let stages = link::link(drafts, &open_groups)?;
        let open = Cell::new(false);
        let context = Context::new(vec![&globals]).leaving_open(&open);
        let concurrency = filled("concurrency", self.concurrency.as_ref(), &context)?;
        if !open.get() {
            read_concurrency(concurrency)?;
        }
        let definition = Definition { stages, triggers: Vec::new(), concurrency: None, params: Map::new() };
        definition.verify(built_ins, |stage| !open_stages.contains(stage))
    }

    /// The triggers alone: they stand whether or not the stages can be resolved yet.
    pub fn triggers(&self, parameters: &Parameters) -> Result<Vec<Trigger>, DefinitionError> {
        if self.triggers.is_none() {
            return Ok(Vec::new());
        }
        self.triggers_with(&self.variables(parameters, false)?.0)
    }

    fn triggers_with(&self, globals: &Map<String, Value>) -> Result<Vec<Trigger>, DefinitionError> {
        Trigger::read("on", &filled("on", self.triggers.as_ref(), &Context::new(vec![globals]))?)
    }

    /// All variables, and the parameter files with the overrides put in. With `is_open`, the default file may
    /// lack keys.
    fn variables(
        &self,
        parameters: &Parameters,
        is_open: bool,
    ) -> Result<(Map<String, Value>, Files), DefinitionError> {
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
        let own = load_vars(&self.vars, ("vars", ""), &files, is_open)?;
        for (key, value) in &own {
            // A variable that repeats a parameter must agree with it, unless it was overridden.
            if !parameters.overrides.contains_key(key) {
                merge(&mut globals, &Map::from_iter([(key.clone(), value.clone())]), false)?;
            }
        }
        Ok((globals, files))
    }

    /// Expands, interpolates and links.
    pub fn resolve(&self, parameters: &Parameters) -> Result<Definition, DefinitionError> {
        let (globals, files) = self.variables(parameters, false)?;
        let expanded = expand(&self.stages, &self.matrix_order, (&globals, &files), false)?;
        let stages = link::link(expanded.drafts, &expanded.open_groups)?;
        let context = Context::new(vec![&globals]);
        let concurrency = read_concurrency(filled("concurrency", self.concurrency.as_ref(), &context)?)?;
        let triggers = self.triggers_with(&globals)?;
        Ok(Definition { stages, triggers, concurrency, params: globals })
    }
}

/// The parameter files by their path.
type Files = BTreeMap<String, Value>;

/// A value of the top level with the variables put in.
fn filled(key: &str, value: Option<&Value>, context: &Context<'_>) -> Result<Value, DefinitionError> {
    let value = value.unwrap_or(&Value::Null);
    interpolate::value(value, context, Style::Plain).map_err(|problem| DefinitionError::at(key, problem))
}

fn read_concurrency(value: Value) -> Result<Option<Concurrency>, DefinitionError> {
    let top = Map::from_iter([("concurrency".to_owned(), value)]);
    Concurrency::read(&mut Fields::of("", Value::Object(top))?)
}

/// The variables that a `vars` list defines: mappings in place, and files, whole or by keys
/// (`file.yaml:key1,key2`). With `is_open`, keys that the default file lacks are let pass.
pub(super) fn load_vars(
    vars: &[Value],
    (place, wdir): (&str, &str),
    files: &BTreeMap<String, Value>,
    is_open: bool,
) -> Result<Map<String, Value>, DefinitionError> {
    let mut found = Map::new();
    for (index, entry) in vars.iter().enumerate() {
        let at = || format!("{place}[{index}]");
        match entry {
            Value::Object(map) => merge(&mut found, map, false)?,
            Value::String(text) => {
                let (file, keys) = text.split_once(':').map_or((text.as_str(), None), |(f, k)| (f, Some(k)));
                let path = link::joined(wdir, file);
                let content = files.get(&path);
                let Some(Value::Object(map)) = content else {
                    return Err(DefinitionError::at(at(), Problem::NoSuchFile(file.to_owned())));
                };
                let Some(keys) = keys else {
                    merge(&mut found, map, false)?;
                    continue;
                };
                for key in keys.split(',').map(str::trim) {
                    match map.get(key) {
                        Some(value) => {
                            merge(&mut found, &Map::from_iter([(key.to_owned(), value.clone())]), false)?;
                        }
                        None if is_open && path == DEFAULT_PARAMS => {}
                        None => return Err(DefinitionError::at(at(), Problem::NoSuchKey(key.to_owned()))),
                    }
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
