//! Why something is not purged, or a rule not taken.

use mainstay_core::error::{Coded, ErrorCode, StorageError};
use mainstay_core::name::Name;
use thiserror::Error;

use crate::command::{MAX_REASON, MAX_TARGETS};
use crate::purge::PurgeId;
use crate::quota::MAX_LIMIT;
use crate::rule::{MAX_DAYS, MAX_KEEP, MAX_RULES, MAX_TAGS};
use crate::target::{Hold, Target, TargetKind};

/// Why something is not purged, or a rule not taken.
#[derive(Debug, Error)]
pub enum RetentionError {
    /// The text names no kind of thing.
    #[error("what is purged is a 'trace', 'run_artifacts', 'logged_model', 'run' or 'experiment'")]
    InvalidKind,
    /// The text is no id of such a thing.
    #[error("a {0} cannot have such an id; give the id as its page shows it")]
    InvalidTarget(TargetKind),
    /// Nothing, or too much at once.
    #[error("name 1 to {MAX_TARGETS} things to purge at once; purge the others after them")]
    TargetCount,
    /// The reason is too long.
    #[error("give a reason of at most {MAX_REASON} characters")]
    LongReason,
    /// There is no such thing.
    #[error("there is no {0} in this workspace; it may have been purged before")]
    NoTarget(Target),
    /// The experiment that is always there.
    #[error("the default experiment stays, as runs go there whose client names none; purge what is in it")]
    DefaultExperiment,
    /// Something still needs it.
    #[error("{target}: still needed by {}; delete that first, or leave this", list(.by))]
    Held {
        /// What was to go.
        target: Target,
        /// What needs it; some of it, where that is much.
        by: Vec<Hold>,
    },
    /// There is no such purge.
    #[error("there is no purge {0} in this workspace")]
    NoPurge(PurgeId),
    /// There is no such rule.
    #[error("there is no retention rule '{0}' in this workspace")]
    NoRule(Name),
    /// There are too many rules.
    #[error("a workspace has at most {MAX_RULES} retention rules; remove one, or widen one")]
    TooManyRules,
    /// The rule names nothing by which to tell what goes.
    #[error("say when things go: by 'older_than_days', 'deleted_for_days' or 'keep_last'")]
    NoCondition,
    /// A number of days is out of range.
    #[error("'{0}' is a whole number of days from 1 to {MAX_DAYS}")]
    Days(&'static str),
    /// A number of things to keep is out of range.
    #[error("'keep_last' is a whole number from 1 to {MAX_KEEP}")]
    KeepLast,
    /// Too many tags, or one that is none.
    #[error("'keep_tagged' has at most {MAX_TAGS} tags, each a key, or a key and a value as 'key=value'")]
    Tags,
    /// Experiments go only when they are deleted.
    #[error("experiments go by 'deleted_for_days' alone: nothing else tells that one is done with")]
    ExperimentsByAge,
    /// Traces have no deleted state.
    #[error("traces are deleted for good at once, so 'deleted_for_days' finds none; use 'older_than_days'")]
    DeletedTraces,
    /// A limit is out of range.
    #[error("a limit is a whole number from 0 to {MAX_LIMIT}; leave it out where there is none")]
    Limit,
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// The first few names, and that there are more.
fn list(holds: &[Hold]) -> String {
    const SHOWN: usize = 3;
    let mut text = holds.iter().take(SHOWN).map(ToString::to_string).collect::<Vec<_>>().join(", ");
    if holds.len() > SHOWN {
        text.push_str(" and others");
    }
    text
}

impl Coded for RetentionError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::InvalidKind
            | Self::InvalidTarget(_)
            | Self::TargetCount
            | Self::LongReason
            | Self::NoCondition
            | Self::Days(_)
            | Self::KeepLast
            | Self::Limit
            | Self::Tags
            | Self::ExperimentsByAge
            | Self::DeletedTraces => ErrorCode::InvalidArgument,
            Self::NoTarget(_) | Self::NoPurge(_) | Self::NoRule(_) => ErrorCode::NotFound,
            Self::DefaultExperiment | Self::TooManyRules => ErrorCode::WrongState,
            Self::Held { .. } => ErrorCode::StillNeeded,
            Self::Storage(error) => error.code(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_what_is_in_the_way() {
        let target = Target::new(TargetKind::Run, &"ab".repeat(16)).unwrap();
        let hold = |id: &str| Hold { kind: "model_version".to_owned(), id: id.to_owned() };
        let by = vec![hold("m/1"), hold("m/2"), hold("m/3"), hold("m/4")];
        let error = RetentionError::Held { target, by };
        assert_eq!((error.code().as_str(), error.code().class().http_status()), ("still-needed", 409));
        let told = "still needed by model version m/1, model version m/2, model version m/3 and others;";
        assert!(error.to_string().contains(told), "{error}");
    }
}
