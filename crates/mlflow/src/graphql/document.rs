//! An executable document: operations and fragments, as they are written.

use std::collections::BTreeMap;

/// A document.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Document {
    pub(super) operations: Vec<Operation>,
    pub(super) fragments: BTreeMap<String, Fragment>,
}

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OperationKind {
    Query,
    Mutation,
    Subscription,
}

#[derive(Debug, PartialEq)]
pub(super) struct Operation {
    pub(super) kind: OperationKind,
    pub(super) name: Option<String>,
    pub(super) variables: Vec<VariableDefinition>,
    pub(super) selections: Vec<Selection>,
}

/// A variable that an operation takes.
#[derive(Debug, PartialEq)]
pub(super) struct VariableDefinition {
    pub(super) name: String,
    /// The type as it is written, such as `MlflowGetRunInput!`.
    pub(super) declared: String,
    pub(super) default: Option<Literal>,
}

impl VariableDefinition {
    /// Whether null is no value of it.
    pub(super) fn is_required(&self) -> bool {
        self.declared.ends_with('!')
    }
}

#[derive(Debug, PartialEq)]
pub(super) struct Fragment {
    /// The type on which it stands.
    pub(super) on: String,
    pub(super) selections: Vec<Selection>,
}

#[derive(Debug, PartialEq)]
pub(super) enum Selection {
    Field(Field),
    Spread { fragment: String, directives: Vec<Directive> },
    Inline { on: Option<String>, directives: Vec<Directive>, selections: Vec<Selection> },
}

#[derive(Debug, PartialEq)]
pub(super) struct Field {
    pub(super) alias: Option<String>,
    pub(super) name: String,
    pub(super) arguments: Vec<(String, Literal)>,
    pub(super) directives: Vec<Directive>,
    pub(super) selections: Vec<Selection>,
}

impl Field {
    /// The key of the answer.
    pub(super) fn key(&self) -> &str {
        self.alias.as_deref().unwrap_or(&self.name)
    }
}

#[derive(Debug, PartialEq)]
pub(super) struct Directive {
    pub(super) name: String,
    pub(super) arguments: Vec<(String, Literal)>,
}

/// A value as it is written.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Literal {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    Enum(String),
    Variable(String),
    List(Vec<Literal>),
    Object(Vec<(String, Literal)>),
}
