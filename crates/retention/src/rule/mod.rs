//! Rules by which things are purged as time goes on.
//!
//! A thing goes when all conditions of a rule hold, and nothing keeps it. Its age is counted from its end: a run ends
//! when its client says so, a trace with its last span, a logged model with its last change. What has not ended does
//! not age. What a registered version, another run, an evaluation dataset or an endpoint of the gateway still needs is
//! kept whatever a rule says.

pub mod command;

use std::fmt;
use std::str::FromStr;

use mainstay_core::experiment::ExperimentId;
use mainstay_core::name::Name;
use mainstay_core::principal::Actor;
use mainstay_core::scope::{ResourceKind, Subject};
use mainstay_core::time::{DAY, MachineTime};
use serde::{Deserialize, Serialize};

use crate::error::RetentionError;
use crate::target::{Target, TargetKind};

/// Most rules of a workspace.
pub const MAX_RULES: u64 = 100;
/// Most days that a rule can name: a century.
pub const MAX_DAYS: u32 = 36_525;
/// Most things of an experiment that a rule can keep.
pub const MAX_KEEP: u64 = 1_000_000;
/// Most tags that a rule can name.
pub const MAX_TAGS: usize = 20;
/// Longest tag of a rule, in characters.
const MAX_TAG: usize = 500;

/// What a rule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleKind {
    /// Runs, with the logged models that they made.
    Runs,
    /// The artifacts of runs, which stay themselves.
    RunArtifacts,
    /// Traces.
    Traces,
    /// Logged models.
    LoggedModels,
    /// Experiments, with all that lives in them.
    Experiments,
}

impl RuleKind {
    /// Every kind.
    pub const ALL: [Self; 5] =
        [Self::Runs, Self::RunArtifacts, Self::Traces, Self::LoggedModels, Self::Experiments];

    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Runs => "runs",
            Self::RunArtifacts => "run_artifacts",
            Self::Traces => "traces",
            Self::LoggedModels => "logged_models",
            Self::Experiments => "experiments",
        }
    }

    /// What a purge takes of such a rule.
    pub const fn target(self) -> TargetKind {
        match self {
            Self::Runs => TargetKind::Run,
            Self::RunArtifacts => TargetKind::RunArtifacts,
            Self::Traces => TargetKind::Trace,
            Self::LoggedModels => TargetKind::LoggedModel,
            Self::Experiments => TargetKind::Experiment,
        }
    }
}

impl fmt::Display for RuleKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a rule is about 'runs', 'run_artifacts', 'traces', 'logged_models' or 'experiments'")]
pub struct InvalidRuleKind;

impl mainstay_core::error::Coded for InvalidRuleKind {
    fn code(&self) -> mainstay_core::error::ErrorCode {
        mainstay_core::error::ErrorCode::InvalidArgument
    }
}

impl FromStr for RuleKind {
    type Err = InvalidRuleKind;

    fn from_str(text: &str) -> Result<Self, InvalidRuleKind> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or(InvalidRuleKind)
    }
}

/// When things go. All that is said must hold.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    /// Their end lies so many days back.
    #[serde(default)]
    pub older_than_days: Option<u32>,
    /// They were deleted, in `MLflow`'s sense, so many days ago. 0 is only for a purge that somebody asks for.
    #[serde(default)]
    pub deleted_for_days: Option<u32>,
    /// They are not among the newest so many of their experiment.
    #[serde(default)]
    pub keep_last: Option<u64>,
    /// They have none of these tags: each a key, or `key=value`.
    #[serde(default)]
    pub keep_tagged: Vec<String>,
}

impl Terms {
    /// Refuses what says nothing, or cannot hold.
    pub fn check(&self, kind: RuleKind) -> Result<(), RetentionError> {
        let days = |name, days: Option<u32>| match days {
            Some(0) => Err(RetentionError::Days(name)),
            Some(days) if days > MAX_DAYS => Err(RetentionError::Days(name)),
            _ => Ok(()),
        };
        days("older_than_days", self.older_than_days)?;
        days("deleted_for_days", self.deleted_for_days)?;
        if self.keep_last.is_some_and(|keep| keep == 0 || keep > MAX_KEEP) {
            return Err(RetentionError::KeepLast);
        }
        let is_tag =
            |tag: &String| !tag.is_empty() && tag.chars().count() <= MAX_TAG && !tag.starts_with('=');
        if self.keep_tagged.len() > MAX_TAGS || !self.keep_tagged.iter().all(is_tag) {
            return Err(RetentionError::Tags);
        }
        let (ages, counts) = (self.older_than_days.is_some(), self.keep_last.is_some());
        match (kind, self.deleted_for_days) {
            (_, None) if !ages && !counts => Err(RetentionError::NoCondition),
            (RuleKind::Traces, Some(_)) => Err(RetentionError::DeletedTraces),
            (RuleKind::Experiments, None) => Err(RetentionError::ExperimentsByAge),
            (RuleKind::Experiments, Some(_)) if ages || counts => Err(RetentionError::ExperimentsByAge),
            _ => Ok(()),
        }
    }
}

/// What a rule says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// Its name, unique in the workspace.
    pub name: Name,
    /// What it is about.
    pub kind: RuleKind,
    /// Only in this experiment.
    pub experiment: Option<ExperimentId>,
    /// When things go.
    pub terms: Terms,
    /// Who wrote it.
    pub author: Actor,
    /// When.
    pub saved: MachineTime,
}

/// How the record names a rule.
pub fn rule_subject(name: &Name) -> Subject {
    Subject::new(ResourceKind::RetentionRule, name)
}

/// Something that a rule may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// What it is.
    pub target: Target,
    /// Its experiment.
    pub experiment: ExperimentId,
    /// When it ended, in milliseconds since the Unix epoch; `None` if it did not.
    pub ended_ms: Option<i64>,
    /// Since when it is deleted, in `MLflow`'s sense.
    pub deleted: Option<MachineTime>,
    /// Which one of its experiment it is, the newest being 1 and deleted ones coming last.
    pub place: u64,
    /// Its tags; empty unless the window asks for them.
    pub tags: Vec<(String, String)>,
}

/// What terms come to at a moment: bounds by which a store can look.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Window {
    /// Ended before this, in milliseconds since the Unix epoch.
    pub ended_before_ms: Option<i64>,
    /// Deleted no later than that.
    pub deleted_until: Option<MachineTime>,
    /// Behind so many of the newest of the experiment.
    pub keep_last: u64,
    /// Whether tags are asked for.
    pub with_tags: bool,
}

impl Terms {
    /// The bounds at a moment.
    pub fn window(&self, now: MachineTime) -> Window {
        let back = |days: u32| now.plus(-i64::from(days).saturating_mul(DAY));
        Window {
            ended_before_ms: self.older_than_days.map(|days| back(days).millis()),
            deleted_until: self.deleted_for_days.map(back),
            keep_last: self.keep_last.unwrap_or_default(),
            with_tags: !self.keep_tagged.is_empty(),
        }
    }

    /// Whether they take this at that moment.
    pub fn take(&self, candidate: &Candidate, now: MachineTime) -> bool {
        let window = self.window(now);
        let is_old = match window.ended_before_ms {
            Some(bound) => candidate.ended_ms.is_some_and(|ended| ended < bound),
            // What has not ended goes only if it was deleted.
            None => candidate.ended_ms.is_some() || window.deleted_until.is_some(),
        };
        let is_gone =
            window.deleted_until.is_none_or(|until| candidate.deleted.is_some_and(|at| at <= until));
        let keeps = |(key, value): &(String, String)| {
            let kept = self.keep_tagged.iter();
            kept.map(String::as_str).any(|tag| match tag.split_once('=') {
                Some((wanted, of)) => (wanted == key && of == value) || tag == key,
                None => tag == key,
            })
        };
        is_old && is_gone && candidate.place > window.keep_last && !candidate.tags.iter().any(keeps)
    }
}

#[cfg(test)]
mod tests {
    use mainstay_core::error::Coded as _;
    use proptest::prelude::*;

    use super::*;

    const NOW: MachineTime = MachineTime::from_micros(1_000 * DAY);

    fn candidate(ended_days_ago: Option<i64>, deleted_days_ago: Option<i64>, place: u64) -> Candidate {
        Candidate {
            target: Target::new(TargetKind::Run, &"ab".repeat(16)).unwrap(),
            experiment: ExperimentId(1),
            ended_ms: ended_days_ago.map(|days| NOW.plus(-days * DAY).millis()),
            deleted: deleted_days_ago.map(|days| NOW.plus(-days * DAY)),
            place,
            tags: vec![("kept".to_owned(), "yes".to_owned())],
        }
    }

    fn older(days: u32) -> Terms {
        Terms { older_than_days: Some(days), ..Terms::default() }
    }

    #[test]
    fn age_is_counted_from_the_end() {
        assert!(older(30).take(&candidate(Some(31), None, 1), NOW));
        assert!(!older(30).take(&candidate(Some(30), None, 1), NOW), "exactly so old is not older");
        assert!(!older(30).take(&candidate(None, None, 1), NOW), "it still goes on");
    }

    #[test]
    fn what_is_deleted_goes_though_it_never_ended() {
        let terms = Terms { deleted_for_days: Some(7), ..Terms::default() };
        assert!(terms.take(&candidate(None, Some(7), 1), NOW));
        assert!(!terms.take(&candidate(None, Some(6), 1), NOW));
        assert!(!terms.take(&candidate(Some(500), None, 1), NOW), "it is alive");
        let both = Terms { older_than_days: Some(1), ..terms };
        assert!(!both.take(&candidate(None, Some(8), 1), NOW), "both must hold");
    }

    #[test]
    fn the_newest_and_the_tagged_stay() {
        let last = Terms { keep_last: Some(3), ..Terms::default() };
        assert!(!last.take(&candidate(Some(1), None, 3), NOW));
        assert!(last.take(&candidate(Some(1), None, 4), NOW));
        assert!(!last.take(&candidate(None, None, 4), NOW), "it still goes on");
        for (tag, stays) in [("kept", true), ("kept=yes", true), ("kept=no", false), ("other", false)] {
            let terms = Terms { keep_tagged: vec![tag.to_owned()], ..older(1) };
            assert_eq!(!terms.take(&candidate(Some(9), None, 1), NOW), stays, "{tag}");
        }
    }

    #[test]
    fn terms_that_say_nothing_are_refused() {
        let deleted = |days| Terms { deleted_for_days: Some(days), ..Terms::default() };
        let told = |terms: Terms, kind| terms.check(kind).map_err(|error| error.to_string());
        assert!(told(Terms::default(), RuleKind::Runs).unwrap_err().starts_with("say when things go"));
        assert!(told(older(0), RuleKind::Runs).unwrap_err().starts_with("'older_than_days'"));
        assert!(told(older(MAX_DAYS + 1), RuleKind::Runs).is_err());
        assert!(told(deleted(3), RuleKind::Traces).unwrap_err().starts_with("traces are deleted"));
        assert!(told(older(3), RuleKind::Experiments).unwrap_err().starts_with("experiments go"));
        assert!(told(deleted(3), RuleKind::Experiments).is_ok());
        let empty = Terms { keep_tagged: vec![String::new()], ..older(3) };
        assert_eq!(empty.check(RuleKind::Runs).unwrap_err().code().as_str(), "invalid-argument");
        let keep = |keep| Terms { keep_last: Some(keep), ..Terms::default() };
        assert!(told(keep(0), RuleKind::Traces).is_err() && told(keep(1), RuleKind::Traces).is_ok());
        for kind in RuleKind::ALL {
            assert_eq!(kind.as_str().parse::<RuleKind>(), Ok(kind));
        }
    }

    fn terms() -> impl Strategy<Value = Terms> {
        let days = || proptest::option::of(1_u32..60);
        (days(), days(), proptest::option::of(1_u64..9), proptest::collection::vec("[ab]", 0..3)).prop_map(
            |(older_than_days, deleted_for_days, keep_last, keep_tagged)| Terms {
                older_than_days,
                deleted_for_days,
                keep_last,
                keep_tagged,
            },
        )
    }

    fn any_candidate() -> impl Strategy<Value = Candidate> {
        let days = || proptest::option::of(0_i64..80);
        (days(), days(), 1_u64..12, proptest::collection::vec(("[abc]", "[xy]"), 0..3))
            .prop_map(|(ended, deleted, place, tags)| Candidate { tags, ..candidate(ended, deleted, place) })
    }

    proptest! {
        /// A rule never takes later fewer things than before: what it took once, it takes for ever.
        #[test]
        fn what_goes_at_a_moment_goes_later_too(
            terms in terms(), thing in any_candidate(), days in 0_i64..100,
        ) {
            let later = NOW.plus(days * DAY);
            prop_assert!(!terms.take(&thing, NOW) || terms.take(&thing, later));
        }

        /// Each further condition only ever keeps more.
        #[test]
        fn a_further_condition_takes_no_more(terms in terms(), thing in any_candidate(), days in 1_u32..60) {
            let taken = terms.take(&thing, NOW);
            let stricter = [
                Terms { older_than_days: Some(days.max(terms.older_than_days.unwrap_or(0))), ..terms.clone() },
                Terms { keep_last: Some(terms.keep_last.unwrap_or(0) + 1), ..terms.clone() },
                Terms { keep_tagged: [terms.keep_tagged.clone(), vec!["c".to_owned()]].concat(), ..terms },
            ];
            for terms in stricter {
                prop_assert!(taken || !terms.take(&thing, NOW));
            }
        }

        /// What a store finds by the window holds all that the terms take.
        #[test]
        fn the_window_holds_what_the_terms_take(terms in terms(), thing in any_candidate()) {
            let window = terms.window(NOW);
            if terms.take(&thing, NOW) {
                prop_assert!(thing.place > window.keep_last);
                let ended = thing.ended_ms.map(|ended| window.ended_before_ms.is_none_or(|bound| ended < bound));
                prop_assert!(ended.unwrap_or(window.deleted_until.is_some()));
                prop_assert!(window.deleted_until.is_none() || thing.deleted.is_some());
            }
        }
    }
}
