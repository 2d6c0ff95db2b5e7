//! `foreach`/`do` and `matrix`: one entry of `stages` becomes several stages.
//!
//! Names follow DVC (`dvc/parsing/__init__.py`): `name@item` for lists of scalars, `name@key` for
//! mappings, `name@0` otherwise; in a matrix the scalars of a combination joined by `-`, a compound
//! value named by its variable and index. A scalar that cannot stand in a name is named by its index.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::MAX_STAGES;
use super::error::{DefinitionError, Problem};
use super::fields::{Fields, scalar_text};
use super::interpolate::{self, Context, Style};
use super::name::StepName;
use super::source::load_vars;
use super::stage::{Draft, read};

/// Most bytes of all stages together after expansion.
const MAX_EXPANDED: usize = 8 * 1024 * 1024;

/// Keys that are not interpolated: conditions have their own language, descriptions are prose.
const VERBATIM: [&str; 3] = ["if", "desc", "vars"];

/// One stage of a group: the key after `@` and the variables `item` and `key`.
struct Member {
    key: String,
    scope: Map<String, Value>,
}

struct Expansion<'a> {
    globals: &'a Map<String, Value>,
    files: &'a BTreeMap<String, Value>,
    /// Whether variables may be without a value.
    is_open: bool,
    expanded: Expanded,
    bytes: usize,
}

/// The stages.
#[derive(Default)]
pub(super) struct Expanded {
    pub(super) drafts: BTreeMap<StepName, Draft>,
    /// Groups whose members hang on variables without a value; one member stands for them.
    pub(super) open_groups: BTreeSet<String>,
    /// Stages whose `uses` or whole `with` hangs on variables without a value.
    pub(super) open_stages: BTreeSet<StepName>,
}

/// With `is_open`, variables without a value are let pass, and so is what hangs on them.
pub(super) fn expand(
    stages: &Map<String, Value>,
    matrix_order: &BTreeMap<String, Vec<String>>,
    (globals, files): (&Map<String, Value>, &BTreeMap<String, Value>),
    is_open: bool,
) -> Result<Expanded, DefinitionError> {
    let mut expansion = Expansion { globals, files, is_open, expanded: Expanded::default(), bytes: 0 };
    for (name, entry) in stages {
        let order = matrix_order.get(name).map(Vec::as_slice).unwrap_or_default();
        expansion.entry(name, entry, order)?;
    }
    Ok(expansion.expanded)
}

impl Expansion<'_> {
    fn entry(&mut self, name: &str, entry: &Value, order: &[String]) -> Result<(), DefinitionError> {
        let place = format!("stages.{name}");
        if name.contains('@') || StepName::new(name).is_err() {
            return Err(DefinitionError::at(place, Problem::StageName));
        }
        let Value::Object(entry) = entry else {
            return Err(DefinitionError::at(place, Problem::Expected("a mapping")));
        };
        let mut body = entry.clone();
        if let Some(foreach) = body.remove("foreach") {
            let Some(Value::Object(body)) = body.remove("do") else {
                return Err(DefinitionError::at(place, Problem::Missing("do")));
            };
            if body.contains_key("matrix") || entry.len() > 2 {
                return Err(DefinitionError::at(
                    place,
                    Problem::Expected("'foreach' and 'do', and nothing else"),
                ));
            }
            let (items, is_open) = self.filled(&foreach, Style::Plain, &[], &format!("{place}.foreach"))?;
            if is_open {
                return self.open_group(name, &format!("{place}.do"), &body);
            }
            let members = foreach_members(items).ok_or_else(|| {
                DefinitionError::at(format!("{place}.foreach"), Problem::Expected("a list or mapping"))
            })?;
            return self.group(name, &format!("{place}.do"), &body, members);
        }
        if let Some(matrix) = body.remove("matrix") {
            let at = format!("{place}.matrix");
            let (axes, is_open) = self.filled(&matrix, Style::Plain, &[], &at)?;
            if is_open {
                return self.open_group(name, &place, &body);
            }
            let members = matrix_members(&axes, order, &at)?;
            return self.group(name, &place, &body, members);
        }
        let name = StepName::new(name).map_err(|_| DefinitionError::at(&*place, Problem::StageName))?;
        self.stage(&name, None, &place, &body, None)
    }

    /// A group of which one member is looked at, with variables that have no value.
    fn open_group(
        &mut self,
        base: &str,
        place: &str,
        body: &Map<String, Value>,
    ) -> Result<(), DefinitionError> {
        self.expanded.open_groups.insert(base.to_owned());
        self.group(base, place, body, vec![Member { key: "0".to_owned(), scope: Map::new() }])
    }

    fn group(
        &mut self,
        base: &str,
        place: &str,
        body: &Map<String, Value>,
        members: Vec<Member>,
    ) -> Result<(), DefinitionError> {
        for (index, member) in members.into_iter().enumerate() {
            let name = StepName::new(format!("{base}@{}", member.key))
                .or_else(|_| StepName::new(format!("{base}@{index}")))
                .map_err(|_| DefinitionError::at(place, Problem::StageName))?;
            let index = u32::try_from(index).unwrap_or(u32::MAX);
            self.stage(&name, Some(index), place, body, Some(&member.scope))?;
        }
        Ok(())
    }

    fn stage(
        &mut self,
        name: &StepName,
        map_index: Option<u32>,
        place: &str,
        body: &Map<String, Value>,
        member: Option<&Map<String, Value>>,
    ) -> Result<(), DefinitionError> {
        if self.expanded.drafts.len() >= MAX_STAGES {
            return Err(DefinitionError::TooLarge { of: "stages", limit: MAX_STAGES });
        }
        let outer: Vec<&Map<String, Value>> = member.into_iter().collect();
        let wdir = match body.get("wdir") {
            None => String::new(),
            Some(value) => {
                let (value, _) = self.filled(value, Style::Plain, &outer, &format!("{place}.wdir"))?;
                scalar_text(&value).ok_or_else(|| {
                    DefinitionError::at(format!("{place}.wdir"), Problem::Expected("a text"))
                })?
            }
        };
        let own = match body.get("vars") {
            None => Map::new(),
            Some(Value::Array(vars)) => {
                load_vars(vars, (&format!("{place}.vars"), &wdir), self.files, self.is_open)?
            }
            Some(_) => return Err(DefinitionError::at(format!("{place}.vars"), Problem::Expected("a list"))),
        };
        let mut scopes = vec![&own];
        scopes.extend(outer);
        let mut filled = Map::new();
        let mut open = BTreeSet::new();
        for (key, value) in body {
            let style = if key == "cmd" { Style::Command } else { Style::Plain };
            let (value, is_open) = if VERBATIM.contains(&key.as_str()) {
                (value.clone(), false)
            } else {
                self.filled(value, style, &scopes, &format!("{place}.{key}"))?
            };
            if is_open {
                open.insert(key.as_str());
            }
            filled.insert(key.clone(), value);
        }
        if !open.is_empty() && leave_out(&mut filled, &open) {
            self.expanded.open_stages.insert(name.clone());
        }
        self.bytes += serde_json::to_vec(&filled).map_or(0, |bytes| bytes.len());
        if self.bytes > MAX_EXPANDED {
            return Err(DefinitionError::TooLarge { of: "bytes after expansion", limit: MAX_EXPANDED });
        }
        let fields = Fields::of(format!("stages.{name}"), Value::Object(filled))?;
        let draft = read(fields, map_index, self.files, self.is_open)?;
        if self.expanded.drafts.insert(name.clone(), draft).is_some() {
            return Err(DefinitionError::at(
                format!("stages.{name}"),
                Problem::Expected("a name used only once"),
            ));
        }
        Ok(())
    }

    /// A value with the variables put in, and whether some of them had no value.
    fn filled(
        &self,
        value: &Value,
        style: Style,
        scopes: &[&Map<String, Value>],
        place: &str,
    ) -> Result<(Value, bool), DefinitionError> {
        let mut all = vec![self.globals];
        all.extend(scopes);
        let (mut context, open) = (Context::new(all), Cell::new(false));
        if self.is_open {
            context = context.leaving_open(&open);
        }
        let filled = interpolate::value(value, &context, style)
            .map_err(|problem| DefinitionError::at(place, problem))?;
        Ok((filled, open.get()))
    }
}

/// Takes out of a stage what cannot be judged before the variables of the keys in `open` have values. Texts of
/// commands, paths, environments and arguments stand as they are: any text does. Returns whether the built-in
/// step or its arguments as a whole are not known.
fn leave_out(stage: &mut Map<String, Value>, open: &BTreeSet<&str>) -> bool {
    let mut is_unknown = false;
    for key in open {
        match (*key, stage.get_mut(*key)) {
            ("cmd" | "wdir" | "deps", _)
            | ("with" | "env", Some(Value::Object(_)))
            | ("outs" | "metrics" | "plots", Some(Value::String(_))) => {}
            ("needs" | "outs" | "metrics" | "plots" | "params", Some(Value::Array(entries))) => {
                let is_path = !matches!(*key, "needs" | "params");
                entries.retain(|entry| (is_path && entry.is_string()) || !entry.to_string().contains("${"));
            }
            ("uses", Some(uses)) => {
                // Any name, so that the rest of the stage can be read.
                *uses = Value::from("unknown");
                is_unknown = true;
            }
            (key, _) => {
                stage.shift_remove(key);
                is_unknown |= key == "with";
                if matches!(key, "approve" | "frozen") {
                    // A stage that only waits for a person has nothing else to do.
                    stage.insert("frozen".to_owned(), Value::from(true));
                }
            }
        }
    }
    is_unknown
}

fn foreach_members(items: Value) -> Option<Vec<Member>> {
    match items {
        Value::Array(items) => {
            let named = items.iter().all(|item| scalar_text(item).is_some());
            Some(
                items
                    .into_iter()
                    .enumerate()
                    .map(|(index, item)| {
                        let text = if named { scalar_text(&item) } else { None };
                        Member { key: text.unwrap_or_else(|| index.to_string()), scope: scope(item, None) }
                    })
                    .collect(),
            )
        }
        Value::Object(map) => {
            Some(map.into_iter().map(|(key, item)| Member { scope: scope(item, Some(&key)), key }).collect())
        }
        _ => None,
    }
}

fn matrix_members(axes: &Value, order: &[String], place: &str) -> Result<Vec<Member>, DefinitionError> {
    let wrong = || DefinitionError::at(place, Problem::Expected("a mapping from variables to lists"));
    let Value::Object(axes) = axes else { return Err(wrong()) };
    let mut combinations = vec![(Vec::<String>::new(), Map::new())];
    let position = |variable: &String| order.iter().position(|other| other == variable);
    let mut axes: Vec<_> = axes.iter().collect();
    axes.sort_by_key(|(variable, _)| position(variable));
    for (variable, values) in axes {
        let Value::Array(values) = values else { return Err(wrong()) };
        if combinations.len().saturating_mul(values.len()) > MAX_STAGES {
            return Err(DefinitionError::TooLarge { of: "stages", limit: MAX_STAGES });
        }
        combinations = combinations
            .iter()
            .flat_map(|(names, item)| {
                values.iter().enumerate().map(move |(index, value)| {
                    let mut names = names.clone();
                    names.push(scalar_text(value).unwrap_or_else(|| format!("{variable}{index}")));
                    let mut item = item.clone();
                    item.insert(variable.clone(), value.clone());
                    (names, item)
                })
            })
            .collect();
    }
    Ok(combinations
        .into_iter()
        .map(|(names, item)| {
            let key = names.join("-");
            Member { scope: scope(Value::Object(item), Some(&key)), key }
        })
        .collect())
}

fn scope(item: Value, key: Option<&str>) -> Map<String, Value> {
    let mut scope = Map::from_iter([("item".to_owned(), item)]);
    if let Some(key) = key {
        scope.insert("key".to_owned(), Value::from(key));
    }
    scope
}
