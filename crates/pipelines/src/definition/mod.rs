//! Definitions of pipelines: a YAML superset of `dvc.yaml`.
//!
//! ```yaml
//! vars:
//!   - threshold: 0.7
//! stages:
//!   prepare:
//!     cmd: python prepare.py data/raw data/clean
//!     deps: [prepare.py, data/raw]
//!     outs: [data/clean]
//!   train:
//!     foreach: [us, eu]
//!     do:
//!       cmd: python train.py ${item}
//!       deps: [train.py, data/clean]
//!       params: [train.depth]
//!       outs: ["models/${item}.onnx"]
//!       retries: {max: 2, backoff: 10s}
//!   register:
//!     uses: register
//!     with: {model: "${steps.gate.model}"}
//!     if: steps.gate.passed
//!     approve: {by: [approver], of: steps.gate.model, timeout: 2d}
//!   gate:
//!     uses: gate
//!     needs: train
//!     with: {floor: "${threshold}"}
//! on:
//!   - cron: "0 5 * * 1"
//!   - event: {kind: alarm.raised, where: {endpoint: flights}}
//! concurrency: {group: flights, when_full: queue}
//! ```
//!
//! The grammar of `stages`, `vars` and `params` is DVC's (`dvc/schema.py`, `dvc/parsing`, and
//! <https://doc.dvc.org/user-guide/project-structure/dvcyaml-files>); `uses`, `with`, `needs`, `if`,
//! `retries`, `timeout`, `approve`, `env`, `cache`, `on` and `concurrency` are ours.
//!
//! [`Source::parse`] reads the text, [`Source::parameter_files`] says which files its variables come
//! from, and [`Source::resolve_with`] gives the [`Definition`]: expanded, interpolated, acyclic, with a
//! digest. [`Source::check`] refuses beforehand what no values of variables could make run.

mod arguments;
mod built_in;
mod document;
mod error;
mod expand;
mod fields;
mod interpolate;
mod link;
mod name;
mod policies;
mod runtime;
mod source;
mod span;
mod stage;

use std::collections::{BTreeMap, BTreeSet};

use mainstay_core::digest::Digest;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use arguments::check_arguments;
pub use built_in::BuiltIns;
pub use document::{MAX_DOCUMENT, parse_document};
pub use error::{DefinitionError, Problem};
pub use interpolate::{Key, MAX_TEXT};
pub use name::{InvalidStepName, MAX_STEP_NAME, StepName};
pub use policies::{Approve, Concurrency, OnTimeout, Retries, WhenFull};
pub use runtime::RuntimeValues;
pub use source::{Parameters, Source};
pub use span::Span;

pub(crate) use interpolate::descend;

use crate::expression::Condition;
use crate::trigger::Trigger;

/// Most stages after expansion.
pub const MAX_STAGES: usize = 1_000;

/// The file that DVC reads parameters from when no other is named.
pub const DEFAULT_PARAMS: &str = "params.yaml";

/// The reserved parameter of a run that says where relative paths start: the absolute path of a directory.
pub const ROOT: &str = "pipeline_root";

/// A pipeline that can run: every group expanded, every variable put in, every edge known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Definition {
    /// The stages by name.
    pub stages: BTreeMap<StepName, Stage>,
    /// What starts it, besides a person.
    pub triggers: Vec<Trigger>,
    /// How many of its runs may be active at once.
    pub concurrency: Option<Concurrency>,
    /// All variables and parameters, as `params` in conditions.
    pub params: Map<String, Value>,
}

/// One stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stage {
    /// Position within its `foreach` or `matrix` group, from 0; absent outside of groups.
    pub map_index: Option<u32>,
    /// What it does.
    pub work: Work,
    /// Working directory, relative to the pipeline's root.
    pub wdir: Option<String>,
    /// Paths that it reads, relative to the pipeline's root, or URLs.
    pub deps: BTreeSet<String>,
    /// Paths that it writes.
    pub outs: BTreeMap<String, Output>,
    /// Parameters that it depends on: file, then dotted key (empty for the whole file), with values.
    pub params: BTreeMap<String, BTreeMap<String, Value>>,
    /// Environment variables of its command.
    pub env: BTreeMap<String, String>,
    /// The stages that must be done before: named, or known from paths, references and conditions.
    pub needs: BTreeSet<StepName>,
    /// Runs only if this holds.
    pub condition: Option<Condition>,
    /// What happens after a failure.
    pub retries: Retries,
    /// Killed after so long, in machine time.
    pub timeout: Option<Span>,
    /// Waits for a person first.
    pub approve: Option<Approve>,
    /// Taken as done, never run.
    pub frozen: bool,
    /// Whether an equal earlier result may stand for it.
    pub cache: bool,
    /// For people.
    pub desc: Option<String>,
    /// For other programs.
    pub meta: Option<Value>,
}

/// What a stage does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Work {
    /// Runs shell commands one after the other, until one fails.
    Commands(Vec<String>),
    /// Runs a built-in step.
    BuiltIn {
        /// Its name, such as `train` or `gate`.
        uses: String,
        /// Its arguments.
        with: Map<String, Value>,
    },
    /// Nothing: it only waits for approval, or is frozen.
    Nothing,
}

/// A path that a stage writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Output {
    /// What it is for.
    pub kind: OutputKind,
    /// Whether its bytes are kept with the result.
    pub cache: bool,
    /// Whether it stays in place before the command runs.
    pub persist: bool,
}

/// What an output is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutputKind {
    /// Data.
    Data,
    /// Numbers to compare.
    Metrics,
    /// Points to draw.
    Plots,
}

impl Definition {
    /// The digest of the definition: of its canonical JSON (keys sorted, no blanks), so that order,
    /// comments and style of the YAML do not count.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.canonical())
    }

    /// The canonical JSON, from which `serde_json` reads the definition back.
    pub fn canonical(&self) -> Vec<u8> {
        // Every key is a text and every number finite, so this cannot fail.
        let mut value = serde_json::to_value(self).unwrap_or_default();
        value.sort_all_objects();
        serde_json::to_vec(&value).unwrap_or_default()
    }
}
