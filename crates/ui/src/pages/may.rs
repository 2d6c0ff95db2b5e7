//! What a page of runs offers its caller to do. Whoever does it is asked again by the route that does.

use mainstay_api::Caller;
use mainstay_core::action::Action;
use mainstay_core::experiment::ExperimentId;
use mainstay_core::scope::ResourceKind;

/// What of an experiment and its runs may be changed, as islands read it: `write`, `delete`, both or neither.
pub(super) fn in_experiment(caller: &Caller, experiment: ExperimentId) -> String {
    words(|action| caller.could(action, ResourceKind::Experiment, experiment))
}

/// The same where a page shows the runs of several, and of all if none is named.
pub(super) fn in_experiments(caller: &Caller, experiments: &[ExperimentId]) -> String {
    words(|action| match experiments {
        [] => caller.could(action, ResourceKind::Workspace, &caller.workspace),
        some => some.iter().all(|id| caller.could(action, ResourceKind::Experiment, id)),
    })
}

fn words(may: impl Fn(Action) -> bool) -> String {
    let all = [("write", Action::RunWrite), ("delete", Action::RunDelete)];
    let allowed: Vec<&str> =
        all.into_iter().filter(|(_, action)| may(*action)).map(|(word, _)| word).collect();
    allowed.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_allowed_is_named() {
        assert_eq!(words(|_| true), "write delete");
        assert_eq!(words(|action| action == Action::RunWrite), "write");
        assert_eq!(words(|_| false), "");
    }
}
