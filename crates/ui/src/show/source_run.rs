//! The run that made a model version: a link where it can be one of ours, its name alone where it cannot.

use mainstay_core::run_ref::RunRef;

use super::figure::short;
use super::link;

pub(crate) struct SourceRun {
    pub(crate) href: Option<String>,
    pub(crate) name: String,
}

impl SourceRun {
    /// With its whole name.
    pub(crate) fn whole(run: &RunRef) -> Self {
        Self { href: run.id().map(link::run), name: run.to_string() }
    }

    /// With the start and end of its name.
    pub(crate) fn short(run: &RunRef) -> Self {
        Self { name: short(run.as_str()), ..Self::whole(run) }
    }
}
