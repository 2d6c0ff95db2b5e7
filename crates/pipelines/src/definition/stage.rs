//! Reading one stage whose variables are already put in.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::error::{DefinitionError, Problem};
use super::fields::Fields;
use super::interpolate::{descend, parse_path};
use super::link::joined;
use super::policies::{Approve, Retries};
use super::runtime;
use super::{DEFAULT_PARAMS, Output, OutputKind, Stage, Work};
use crate::expression::{Condition, Reference};

/// Most paths and parameters of one stage.
const MAX_ENTRIES: usize = 10_000;

/// A stage whose references to other stages are not checked yet.
pub(super) struct Draft {
    pub(super) stage: Stage,
    /// Names in `needs`: stages or groups.
    pub(super) needs: Vec<String>,
    /// Stages that conditions and deferred references name.
    pub(super) referenced: BTreeSet<String>,
}

/// With `is_open`, variables and keys of the default parameter file without a value are let pass.
pub(super) fn read(
    mut fields: Fields,
    map_index: Option<u32>,
    files: &BTreeMap<String, Value>,
    is_open: bool,
) -> Result<Draft, DefinitionError> {
    let wdir = fields.string("wdir")?.filter(|wdir| wdir != ".");
    let root = wdir.clone().unwrap_or_default();
    let work = work(&mut fields)?;
    let deps = fields.texts("deps")?.iter().map(|dep| joined(&root, dep)).collect::<BTreeSet<_>>();
    let outs = outputs(&mut fields, &root)?;
    let params = params(&mut fields, &root, files, is_open)?;
    if deps.len() + outs.len() + params.values().map(BTreeMap::len).sum::<usize>() > MAX_ENTRIES {
        return Err(DefinitionError::TooLarge { of: "paths and parameters in a stage", limit: MAX_ENTRIES });
    }
    let condition = match fields.string("if")? {
        None => None,
        Some(text) => Some(Condition::parse(&text).map_err(|error| fields.error("if", error.into()))?),
    };
    let always_changed = fields.flag("always_changed")?.unwrap_or(false);
    let declared = fields.flag("cache")?;
    let cache = !always_changed
        && declared.unwrap_or(matches!(work, Work::Commands(_)) && !(deps.is_empty() && params.is_empty()));
    let stage = Stage {
        map_index,
        work,
        wdir,
        deps,
        outs,
        params,
        env: fields.text_map("env")?,
        needs: BTreeSet::new(),
        condition,
        retries: Retries::read(&mut fields)?,
        timeout: fields.span("timeout")?,
        approve: Approve::read(&mut fields)?,
        frozen: fields.flag("frozen")?.unwrap_or(false),
        cache,
        desc: fields.string("desc")?,
        meta: fields.take("meta"),
    };
    fields.take("vars");
    if stage.work == Work::Nothing && stage.approve.is_none() && !stage.frozen {
        return Err(DefinitionError::at(fields.place(), Problem::Missing("cmd' or 'uses")));
    }
    let needs = fields.texts("needs")?;
    let mut referenced =
        runtime::steps_of(&stage, is_open).map_err(|problem| DefinitionError::at(fields.place(), problem))?;
    referenced.extend(stage.condition.iter().flat_map(Condition::steps).map(str::to_owned));
    let approved = stage.approve.as_ref().and_then(|approve| approve.of.as_ref());
    referenced.extend(approved.and_then(Reference::step).map(str::to_owned));
    fields.finish()?;
    Ok(Draft { stage, needs, referenced })
}

fn work(fields: &mut Fields) -> Result<Work, DefinitionError> {
    let commands = fields.texts("cmd")?;
    let uses = fields.string("uses")?;
    let with = fields.take("with");
    match uses {
        Some(_) if !commands.is_empty() => {
            Err(DefinitionError::at(fields.place(), Problem::Exclusive("cmd", "uses")))
        }
        Some(uses) => {
            let fits = uses.starts_with(|c: char| c.is_ascii_lowercase())
                && uses.len() <= 100
                && uses.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-.".contains(c));
            if !fits {
                return Err(fields.error("uses", Problem::Expected("the name of a built-in step")));
            }
            let with = match with {
                None => Map::new(),
                Some(Value::Object(with)) => with,
                Some(_) => return Err(fields.error("with", Problem::Expected("a mapping"))),
            };
            Ok(Work::BuiltIn { uses, with })
        }
        None if with.is_some() => Err(DefinitionError::at(fields.place(), Problem::Missing("uses"))),
        None if commands.is_empty() => Ok(Work::Nothing),
        None => Ok(Work::Commands(commands)),
    }
}

/// DVC's annotations of an output, which change nothing about how it runs.
const ANNOTATIONS: [&str; 7] = ["remote", "push", "checkpoint", "desc", "type", "labels", "meta"];

fn outputs(fields: &mut Fields, root: &str) -> Result<BTreeMap<String, Output>, DefinitionError> {
    let mut found = BTreeMap::new();
    for (key, kind) in
        [("outs", OutputKind::Data), ("metrics", OutputKind::Metrics), ("plots", OutputKind::Plots)]
    {
        let list = match fields.take(key) {
            None => continue,
            Some(Value::Array(list)) => list,
            Some(single) => vec![single],
        };
        for (index, entry) in list.into_iter().enumerate() {
            let place = format!("{}[{index}]", fields.path(key));
            let (path, options) = match entry {
                Value::String(path) => (path, Value::Null),
                Value::Object(map) if map.len() == 1 => {
                    map.into_iter().next().unwrap_or_else(|| (String::new(), Value::Null))
                }
                _ => {
                    return Err(DefinitionError::at(
                        place,
                        Problem::Expected("a path, or 'path: {options}'"),
                    ));
                }
            };
            let mut output = Output { kind, cache: true, persist: false };
            if !options.is_null() {
                let mut options = Fields::of(place.clone(), options)?;
                output.cache = options.flag("cache")?.unwrap_or(true);
                output.persist = options.flag("persist")?.unwrap_or(false);
                for annotation in ANNOTATIONS {
                    options.take(annotation);
                }
                // A plot's options say how it is drawn; any are welcome.
                if kind != OutputKind::Plots {
                    options.finish()?;
                }
            }
            let path = joined(root, &path);
            if path.is_empty() {
                return Err(DefinitionError::at(
                    place,
                    Problem::Expected("a path below the pipeline's root"),
                ));
            }
            if found.insert(path.clone(), output).is_some() {
                let other = "the same stage".to_owned();
                return Err(DefinitionError::at(place, Problem::OutputTaken { path, other }));
            }
        }
    }
    Ok(found)
}

fn params(
    fields: &mut Fields,
    root: &str,
    files: &BTreeMap<String, Value>,
    is_open: bool,
) -> Result<BTreeMap<String, BTreeMap<String, Value>>, DefinitionError> {
    let list = match fields.take("params") {
        None => return Ok(BTreeMap::new()),
        Some(Value::Array(list)) => list,
        Some(_) => return Err(fields.error("params", Problem::Expected("a list"))),
    };
    let mut found = BTreeMap::<String, BTreeMap<String, Value>>::new();
    for (index, entry) in list.into_iter().enumerate() {
        let place = format!("{}[{index}]", fields.path("params"));
        let wrong = || DefinitionError::at(&*place, Problem::Expected("a key, or 'file: [keys]'"));
        let tables = match entry {
            Value::String(key) => vec![(joined(root, DEFAULT_PARAMS), vec![key])],
            Value::Object(map) => map
                .into_iter()
                .map(|(file, keys)| match keys {
                    Value::Null => Ok((joined(root, &file), vec![String::new()])),
                    Value::Array(keys) if keys.is_empty() => Ok((joined(root, &file), vec![String::new()])),
                    Value::Array(keys) => keys
                        .into_iter()
                        .map(|key| key.as_str().map(str::to_owned).ok_or_else(wrong))
                        .collect::<Result<_, _>>()
                        .map(|keys| (joined(root, &file), keys)),
                    _ => Err(wrong()),
                })
                .collect::<Result<Vec<_>, _>>()?,
            _ => return Err(wrong()),
        };
        for (file, keys) in tables {
            let content = files
                .get(&file)
                .ok_or_else(|| DefinitionError::at(&*place, Problem::NoSuchFile(file.clone())))?;
            for key in keys {
                let value = if key.is_empty() {
                    Some(content)
                } else {
                    parse_path(&key).and_then(|path| descend(content, &path))
                };
                match value {
                    Some(value) => {
                        found.entry(file.clone()).or_default().insert(key, value.clone());
                    }
                    None if is_open && file == DEFAULT_PARAMS => {}
                    None => return Err(DefinitionError::at(&*place, Problem::NoSuchKey(key))),
                }
            }
        }
    }
    Ok(found)
}
