//! Doing a run again: the steps that compute are done once more, with what they had; what a run did to the record
//! besides (datasets, versions, endpoints) is taken over as it was, and not done twice.

use std::collections::BTreeMap;

use mainstay_core::error::{Coded, ErrorCode};
use mainstay_core::id::PipelineRunId;
use serde_json::{Value, json};
use thiserror::Error;

use crate::circumstances::Circumstances;
use crate::definition::{Definition, Stage, StepName, Work};
use crate::run::{Cause, CauseKind, PipelineRun, StepResult};

/// Built-in steps that compute from what they read and can be done again without harm.
const COMPUTING: [&str; 1] = ["train"];
/// The field of a cause's evidence that names the run which is done again.
const REPRODUCES: &str = "reproduces";

/// Why a run cannot be done again as it was.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NotReproducible {
    /// It is under way.
    #[error("run {0} is not over; what is under way cannot be done again yet")]
    NotOver(PipelineRunId),
    /// None of its steps computed.
    #[error(
        "run {0} has no accepted step that runs a command or trains: what it did to the record stands, and there is \
         nothing to compute again"
    )]
    NothingComputed(PipelineRunId),
    /// It ran before circumstances were recorded.
    #[error(
        "of step '{0}' it is not recorded under which circumstances it ran; run its pipeline anew, and reproduce that"
    )]
    NotRecorded(StepName),
    /// Code that nobody has kept.
    #[error(
        "step '{step}' ran code with changes to commit {commit} that were not committed: nobody knows them any more"
    )]
    Uncommitted {
        /// The step.
        step: StepName,
        /// The commit.
        commit: String,
    },
    /// Other code is there.
    #[error(
        "step '{step}' ran the code of commit {wanted}, and {found} is there now; `git checkout {wanted}` in the \
         pipeline's folder, and try again"
    )]
    OtherCode {
        /// The step.
        step: StepName,
        /// The commit that it ran.
        wanted: String,
        /// What is there.
        found: String,
    },
    /// A file is gone or has changed.
    #[error("step '{step}' read {path} with the digest {wanted}; {found}")]
    OtherFile {
        /// The step.
        step: StepName,
        /// The file.
        path: String,
        /// The digest that it had.
        wanted: String,
        /// What is there.
        found: String,
    },
    /// A table version is gone.
    #[error("step '{step}' read dataset {dataset} version {version} ({digest}), which is no longer there")]
    NoData {
        /// The step.
        step: StepName,
        /// The dataset.
        dataset: String,
        /// The version.
        version: u64,
        /// The digest of its content.
        digest: String,
    },
    /// The feature definitions are others.
    #[error(
        "step '{step}' read revision {revision} of the feature definitions of {project}, and others are in force; \
         apply the former file again"
    )]
    OtherFeatures {
        /// The step.
        step: StepName,
        /// The project.
        project: String,
        /// The revision that it read.
        revision: u64,
    },
    /// The folder is not there.
    #[error("the folder in which the pipeline ran is no longer there")]
    NoFolder,
}

impl Coded for NotReproducible {
    fn code(&self) -> ErrorCode {
        ErrorCode::NotReproducible
    }
}

/// What is to be done again.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The definition, without what asks people, waits, or lets earlier results stand.
    pub definition: Definition,
    /// The circumstances of each step that is done again.
    pub computed: BTreeMap<StepName, Circumstances>,
}

/// Whether a stage computes, so that it is done again; the others are taken over.
pub fn computes(stage: &Stage) -> bool {
    match &stage.work {
        Work::Commands(_) => !stage.frozen,
        Work::BuiltIn { uses, .. } => !stage.frozen && COMPUTING.contains(&uses.as_str()),
        Work::Nothing => false,
    }
}

/// The cause of a run that does another again.
pub fn cause(of: PipelineRunId) -> Cause {
    Cause { kind: CauseKind::Manual, evidence: json!({ REPRODUCES: of }) }
}

/// Which run a run does again.
pub fn reproduces(run: &PipelineRun) -> Option<PipelineRunId> {
    run.cause.evidence.get(REPRODUCES).and_then(Value::as_str)?.parse().ok()
}

/// What of a run is done again: the steps that were accepted, each after those of them that it needs.
pub fn plan(
    run: &PipelineRun,
    definition: &Definition,
    results: &[StepResult],
) -> Result<Plan, NotReproducible> {
    if !run.state.is_over() {
        return Err(NotReproducible::NotOver(run.id));
    }
    let results: BTreeMap<&StepName, &StepResult> =
        results.iter().map(|result| (&result.step, result)).collect();
    let mut again = definition.clone();
    again.triggers.clear();
    again.concurrency = None;
    again.stages.retain(|name, _| results.contains_key(name));
    let mut computed = BTreeMap::new();
    for (name, stage) in &mut again.stages {
        stage.needs.retain(|need| results.contains_key(need));
        // It ran: the condition held, and who had to approve did.
        stage.condition = None;
        stage.approve = None;
        stage.cache = false;
        if !computes(stage) {
            continue;
        }
        let known = results.get(name).and_then(|result| result.circumstances.clone());
        let known = known.ok_or_else(|| NotReproducible::NotRecorded(name.clone()))?;
        if let Some(code) = known.code.as_ref().filter(|code| code.dirty) {
            return Err(NotReproducible::Uncommitted { step: name.clone(), commit: code.commit.clone() });
        }
        computed.insert(name.clone(), *known);
    }
    if computed.is_empty() {
        return Err(NotReproducible::NothingComputed(run.id));
    }
    Ok(Plan { definition: again, computed })
}

#[cfg(test)]
mod tests {
    use mainstay_core::name::Name;
    use mainstay_core::principal::Principal;
    use mainstay_core::time::MachineTime;
    use serde_json::Map;

    use super::*;
    use crate::circumstances::CodeVersion;
    use crate::definition::{Parameters, Source};
    use crate::run::{RunState, StepOutput};

    const TEXT: &str = "stages:\n  load:\n    uses: import\n    with: {dataset: d, path: d.csv}\n  \
        fit:\n    cmd: fit\n    deps: [d.csv]\n    needs: load\n  late:\n    cmd: late\n    needs: fit\n    approve: {timeout: 1d}\n";

    fn run(state: RunState) -> PipelineRun {
        PipelineRun {
            id: PipelineRunId::from_bytes([1; 16]),
            pipeline: Name::new("p").unwrap(),
            definition: mainstay_core::digest::Digest::of(b""),
            params: Map::new(),
            data_time: None,
            cause: cause(PipelineRunId::from_bytes([2; 16])),
            author: Principal::system("t").actor,
            idempotency_key: None,
            group: None,
            state,
            created: MachineTime::MIN,
            started: None,
            finished: None,
        }
    }

    fn result(step: &str, circumstances: Option<Circumstances>) -> StepResult {
        StepResult {
            run: PipelineRunId::from_bytes([1; 16]),
            step: StepName::new(step).unwrap(),
            token: 1,
            attempt: 1,
            cache_key: None,
            reused_from: None,
            output: StepOutput::default(),
            circumstances: circumstances.map(Box::new),
            at: MachineTime::MIN,
        }
    }

    #[test]
    fn what_computes_is_done_again_and_the_rest_is_taken_over() {
        let definition = Source::parse(TEXT).unwrap().resolve(&Parameters::default()).unwrap();
        let results = [result("load", None), result("fit", Some(Circumstances::default()))];
        let over = run(RunState::Failed);
        let plan = plan(&over, &definition, &results).unwrap();
        let names: Vec<&str> = plan.definition.stages.keys().map(StepName::as_str).collect();
        assert_eq!(names, ["fit", "load"], "what was never accepted is left out");
        let computed: Vec<&str> = plan.computed.keys().map(StepName::as_str).collect();
        assert_eq!(computed, ["fit"]);
        assert!(plan.definition.stages.values().all(|stage| !stage.cache && stage.approve.is_none()));
        assert_eq!(reproduces(&over), Some(PipelineRunId::from_bytes([2; 16])));
    }

    #[test]
    fn what_cannot_be_done_again_is_told() {
        let definition = Source::parse(TEXT).unwrap().resolve(&Parameters::default()).unwrap();
        let refused = |state, results: &[StepResult]| plan(&run(state), &definition, results).unwrap_err();
        let id = PipelineRunId::from_bytes([1; 16]);
        assert_eq!(refused(RunState::Running, &[]), NotReproducible::NotOver(id));
        let load = result("load", None);
        assert_eq!(refused(RunState::Succeeded, &[load]), NotReproducible::NothingComputed(id));
        let fit = StepName::new("fit").unwrap();
        let old = [result("fit", None)];
        assert_eq!(refused(RunState::Succeeded, &old), NotReproducible::NotRecorded(fit.clone()));
        let code = Some(CodeVersion { commit: "abc".into(), dirty: true });
        let changed = [result("fit", Some(Circumstances { code, ..Circumstances::default() }))];
        let uncommitted = NotReproducible::Uncommitted { step: fit, commit: "abc".into() };
        assert_eq!(refused(RunState::Succeeded, &changed), uncommitted);
    }
}
