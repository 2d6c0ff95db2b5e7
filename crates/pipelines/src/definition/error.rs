//! What can be wrong with a definition, and where.

use mainstay_core::error::{Coded, ErrorCode};
use thiserror::Error;

use crate::expression::ExpressionError;

/// A definition was refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DefinitionError {
    /// The text is not YAML, or exceeds the reader's budget of depth, nodes or aliases.
    #[error("the definition cannot be read as YAML: {0}")]
    Yaml(String),
    /// One place is wrong.
    #[error("{}: {problem}", named(place))]
    At {
        /// A path such as `stages.train.retries.max`; empty for the top of the file.
        place: String,
        /// What is wrong there.
        problem: Problem,
    },
    /// The stages wait for each other.
    #[error("the stages form a cycle: {}; break it by removing one of these dependencies", .0.join(" -> "))]
    Cycle(Vec<String>),
    /// A limit was passed.
    #[error("the definition has more than {limit} {of}; split it into several pipelines")]
    TooLarge {
        /// What there is too much of.
        of: &'static str,
        /// How much is allowed.
        limit: usize,
    },
}

/// What a place is called; the top has no key.
const fn named(place: &str) -> &str {
    if place.is_empty() { "the file" } else { place }
}

impl DefinitionError {
    pub(crate) fn at(place: impl Into<String>, problem: Problem) -> Self {
        Self::At { place: place.into(), problem }
    }
}

impl Coded for DefinitionError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::TooLarge { .. } => ErrorCode::TooLarge,
            Self::Yaml(_) | Self::At { .. } | Self::Cycle(_) => ErrorCode::InvalidDefinition,
        }
    }
}

/// What is wrong at a place.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Problem {
    /// Another type of value is needed.
    #[error("must be {0}")]
    Expected(&'static str),
    /// A key is missing.
    #[error("'{0}' is missing")]
    Missing(&'static str),
    /// A key is not known.
    #[error("'{0}' is not known here; see the page on pipeline files for the keys of this part")]
    Unknown(String),
    /// Two keys exclude each other.
    #[error("'{0}' and '{1}' exclude each other; keep one")]
    Exclusive(&'static str, &'static str),
    /// A stage name breaks the rules.
    #[error("a stage name holds letters, digits, '_' and '-', and at most 200 bytes")]
    StageName,
    /// A built-in step that there is not.
    #[error("there is no built-in step '{uses}'; there are {known}")]
    NoSuchBuiltIn {
        /// What was named.
        uses: String,
        /// What there is.
        known: String,
    },
    /// The arguments of a built-in step are not what it takes.
    #[error("{0}")]
    Arguments(String),
    /// A reference to a stage that is not there.
    #[error("there is no stage named '{0}'")]
    NoSuchStage(String),
    /// A reference to a whole group of expanded stages where one is needed.
    #[error("'{0}' is a group of stages; name one of them, as in steps[\"{0}@key\"]")]
    Group(String),
    /// Two stages write the same path.
    #[error("'{path}' is already written by stage '{other}'; an output belongs to one stage")]
    OutputTaken {
        /// The path.
        path: String,
        /// Who has it.
        other: String,
    },
    /// An interpolation names nothing.
    #[error("'${{{0}}}' names no variable or parameter")]
    NoSuchVariable(String),
    /// A parameter file lacks a key.
    #[error("the parameter file has no key '{0}'")]
    NoSuchKey(String),
    /// An interpolation is malformed.
    #[error("'{0}' is not a reference of the form ${{name.key[0]}}")]
    Reference(String),
    /// A list or mapping stands inside a longer text.
    #[error("'${{{0}}}' is a list or mapping and cannot stand inside a text")]
    NotScalar(String),
    /// A parameter file was not given.
    #[error("the parameter file '{0}' was not found")]
    NoSuchFile(String),
    /// A variable is defined twice with different values.
    #[error("the variable '{0}' is defined twice")]
    DuplicateVariable(String),
    /// An expression is wrong.
    #[error("{0}")]
    Expression(#[from] ExpressionError),
    /// A cron pattern is wrong.
    #[error("'{0}' is not a cron pattern of five fields (minute hour day month weekday)")]
    Cron(String),
}
