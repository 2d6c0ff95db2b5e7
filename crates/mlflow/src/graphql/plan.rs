//! An operation, checked against the types: what is to be called, and what is wanted of each answer. Fields
//! of the same key are merged, as section 6.3.2 of the GraphQL specification says.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::document::{Directive, Field, Fragment, Literal, OperationKind, Selection};
use super::schema::{Input, Kind, MUTATION, QUERY, RootField, Type, snake};
use super::value::{Variables, input, literal};

/// A field of an answer.
#[derive(Debug)]
pub(super) struct Planned {
    /// Its key in the answer.
    pub(super) key: String,
    pub(super) wanted: Wanted,
}

#[derive(Debug)]
pub(super) enum Wanted {
    /// The name of the type.
    TypeName(&'static str),
    /// A field of the object, under its name in snake case.
    Field { name: &'static str, stored: String, kind: &'static Kind, children: Vec<Planned> },
}

/// A field of an operation.
#[derive(Debug)]
pub(super) struct PlannedRoot {
    pub(super) key: String,
    pub(super) wanted: WantedRoot,
}

#[derive(Debug)]
pub(super) enum WantedRoot {
    /// The name of the type.
    TypeName(&'static str),
    /// A call with its argument, and what is wanted of its answer.
    Call { field: &'static RootField, argument: Map<String, Value>, children: Vec<Planned> },
}

/// What plans need of the document.
pub(super) struct Planner<'a> {
    pub(super) fragments: &'a BTreeMap<String, Fragment>,
    pub(super) variables: &'a Variables,
}

/// Fields under their keys, in the order in which these come.
type Collected<'a> = Vec<(&'a str, Vec<&'a Field>)>;

impl<'a> Planner<'a> {
    /// Plans an operation.
    pub(super) fn operation(
        &self,
        kind: OperationKind,
        selections: &'a [Selection],
    ) -> Result<Vec<PlannedRoot>, String> {
        let (name, known) = match kind {
            OperationKind::Query => ("Query", QUERY),
            OperationKind::Mutation => ("Mutation", MUTATION),
            OperationKind::Subscription => {
                return Err("Schema is not configured to execute subscription operation.".to_owned());
            }
        };
        let plan = |(key, fields): (&str, Vec<&'a Field>)| {
            let first = fields.first().ok_or("no field")?;
            let wanted = if first.name == "__typename" {
                WantedRoot::TypeName(name)
            } else {
                let field = known.iter().find(|field| field.name == first.name);
                let field = field.ok_or_else(|| no_field(&first.name, name))?;
                let argument = self.argument(name, field, &first.arguments)?;
                let children = self.children(&first.name, field.answer, &fields)?;
                WantedRoot::Call { field, argument, children }
            };
            Ok(PlannedRoot { key: key.to_owned(), wanted })
        };
        self.collected(name, &[selections])?.into_iter().map(plan).collect()
    }

    /// The argument of a call: the fields of its input, or the text to give back.
    fn argument(
        &self,
        of: &str,
        field: &RootField,
        arguments: &[(String, Literal)],
    ) -> Result<Map<String, Value>, String> {
        const TEXT: Input =
            Input { name: "String", fields: &[("inputString", super::schema::InputKind::Text)] };
        let wanted = if field.input.is_some() { "input" } else { "inputString" };
        let mut value = None;
        for (name, argument) in arguments {
            if name != wanted {
                return Err(format!("Unknown argument '{name}' on field '{of}.{}'.", field.name));
            }
            value = literal(argument, self.variables)?;
        }
        let value = value.filter(|value| !value.is_null());
        let value = value.ok_or_else(|| format!("Field '{}' needs its argument '{wanted}'.", field.name))?;
        match &field.input {
            Some(of) => input(of, value),
            None => input(&TEXT, Value::Object([(wanted.to_owned(), value)].into_iter().collect())),
        }
    }

    /// Plans what is wanted of an object.
    fn object(&self, of: &'static Type, sets: &[&'a [Selection]]) -> Result<Vec<Planned>, String> {
        let plan = |(key, fields): (&str, Vec<&'a Field>)| {
            let first = fields.first().ok_or("no field")?;
            let wanted = if first.name == "__typename" {
                Wanted::TypeName(of.name)
            } else {
                let known = of.fields.iter().find(|(name, _)| *name == first.name);
                let (name, kind) = known.ok_or_else(|| no_field(&first.name, of.name))?;
                if let Some((argument, _)) = first.arguments.first() {
                    return Err(format!("Unknown argument '{argument}' on field '{}.{name}'.", of.name));
                }
                let children = match kind.of_objects() {
                    Some(inner) => self.children(name, inner, &fields)?,
                    None if fields.iter().any(|field| !field.selections.is_empty()) => {
                        return Err(format!(
                            "Field '{name}' must not have a selection since it has no subfields."
                        ));
                    }
                    None => Vec::new(),
                };
                Wanted::Field { name, stored: snake(name), kind, children }
            };
            Ok(Planned { key: key.to_owned(), wanted })
        };
        self.collected(of.name, sets)?.into_iter().map(plan).collect()
    }

    /// Plans what is wanted of the objects in fields of one key.
    fn children(&self, name: &str, of: &'static Type, fields: &[&'a Field]) -> Result<Vec<Planned>, String> {
        let sets: Vec<&[Selection]> = fields.iter().map(|field| field.selections.as_slice()).collect();
        if sets.iter().all(|set| set.is_empty()) {
            let of = of.name;
            return Err(format!("Field '{name}' of type '{of}' must have a selection of subfields."));
        }
        self.object(of, &sets)
    }

    /// The fields of sets of selections, those of fragments included.
    fn collected(&self, of: &str, sets: &[&'a [Selection]]) -> Result<Collected<'a>, String> {
        let (mut fields, mut spread) = (Collected::new(), BTreeSet::new());
        for set in sets {
            self.collect(of, set, &mut fields, &mut spread)?;
        }
        for (key, same) in &fields {
            let mut pairs = same.iter().zip(same.iter().skip(1));
            if pairs.any(|(a, b)| a.name != b.name || a.arguments != b.arguments) {
                return Err(format!("Fields '{key}' conflict; give them different aliases."));
            }
        }
        Ok(fields)
    }

    fn collect(
        &self,
        of: &str,
        set: &'a [Selection],
        into: &mut Collected<'a>,
        spread: &mut BTreeSet<&'a str>,
    ) -> Result<(), String> {
        for selection in set {
            match selection {
                Selection::Field(field) => {
                    if self.is_included(&field.directives)? {
                        match into.iter_mut().find(|(key, _)| *key == field.key()) {
                            Some((_, same)) => same.push(field),
                            None => into.push((field.key(), vec![field])),
                        }
                    }
                }
                Selection::Inline { on, directives, selections } => {
                    fits(on.as_deref(), of)?;
                    if self.is_included(directives)? {
                        self.collect(of, selections, into, spread)?;
                    }
                }
                Selection::Spread { fragment, directives } => {
                    let found = self.fragments.get(fragment);
                    let found = found.ok_or_else(|| format!("Unknown fragment '{fragment}'."))?;
                    fits(Some(&found.on), of)?;
                    if self.is_included(directives)? && spread.insert(fragment) {
                        self.collect(of, &found.selections, into, spread)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// What `@skip` and `@include` say; other directives change nothing.
    fn is_included(&self, directives: &[Directive]) -> Result<bool, String> {
        let mut included = true;
        for Directive { name, arguments } in directives {
            let wanted = match name.as_str() {
                "include" => true,
                "skip" => false,
                _ => continue,
            };
            let condition = arguments.iter().find(|(name, _)| name == "if").map(|(_, condition)| condition);
            let value = condition.map(|condition| literal(condition, self.variables)).transpose()?.flatten();
            let Some(Value::Bool(value)) = value else {
                return Err(format!("Directive '@{name}' needs its argument 'if', which is true or false."));
            };
            included &= value == wanted;
        }
        Ok(included)
    }
}

/// Each type is one of objects, so a fragment on another type never applies.
fn fits(on: Option<&str>, of: &str) -> Result<(), String> {
    match on {
        Some(on) if on != of => Err(format!(
            "Fragment cannot be spread here as objects of type '{of}' can never be of type '{on}'."
        )),
        _ => Ok(()),
    }
}

fn no_field(name: &str, of: &str) -> String {
    format!("Cannot query field '{}' on type '{of}'.", mainstay_core::text::clip(name))
}
