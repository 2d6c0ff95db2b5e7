//! Gates: what was measured of an artifact, the verdicts, and whether it may be promoted.
//!
//! A verdict is bound to the digest of the artifact, never to a name: another artifact under the same
//! version has no verdict at all. The statistics are computed elsewhere; here are data and the rule.

use std::collections::{BTreeMap, BTreeSet};

use mainstay_core::digest::Digest;
use mainstay_core::fault::{Fault, is_planted};
use mainstay_core::id::ApprovalId;
use mainstay_core::time::MachineTime;
use serde::{Deserialize, Serialize};

use crate::error::GovernanceError;

/// What a gate says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Good enough.
    Passed,
    /// Not good enough.
    Failed,
    /// Too little evidence; counts as not passed.
    Inconclusive,
}

impl Verdict {
    /// The word used in sentences.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Inconclusive => "inconclusive",
        }
    }
}

/// A number behind a verdict, in the unit that its name tells, with its interval where it has one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// The estimate.
    pub value: f64,
    /// Lower and upper end of its interval; how wide is said in the gate's sentence.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub interval: Option<(f64, f64)>,
    /// What it is held to, where it is held to something.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub limit: Option<f64>,
}

impl Figure {
    fn is_finite(&self) -> bool {
        let ends = self.interval.is_none_or(|(low, high)| low.is_finite() && high.is_finite() && low <= high);
        self.value.is_finite() && ends && self.limit.is_none_or(f64::is_finite)
    }
}

/// One gate's outcome.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GateResult {
    /// Which gate: `incumbent`, `calibration` ….
    pub name: String,
    /// What it says.
    pub verdict: Verdict,
    /// The numbers behind it.
    pub figures: BTreeMap<String, Figure>,
    /// What a person should read.
    pub sentence: String,
}

/// All gates of one artifact, evaluated together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GateReport {
    /// The registered model.
    pub model: String,
    /// The version that the artifact was registered as, if it was.
    pub version: Option<u32>,
    /// The artifact.
    pub digest: Digest,
    /// The outcomes, each gate once.
    pub gates: Vec<GateResult>,
    /// The versions of the data that they were computed on, by table.
    pub data: BTreeMap<String, String>,
    /// When.
    pub evaluated: MachineTime,
}

/// Most gates in a report, and most figures in a gate.
const MAX_ITEMS: usize = 100;

impl GateReport {
    /// Checks that each gate stands once, with finite figures.
    pub fn checked(self) -> Result<Self, GovernanceError> {
        let invalid = |why| Err(GovernanceError::InvalidReport(why));
        if self.gates.is_empty() || self.gates.len() > MAX_ITEMS {
            return invalid("it must hold 1 to 100 gates");
        }
        let names: BTreeSet<&str> = self.gates.iter().map(|gate| gate.name.as_str()).collect();
        if names.len() != self.gates.len() {
            return invalid("a gate stands in it twice");
        }
        let figures = || self.gates.iter().flat_map(|gate| gate.figures.values());
        if !figures().all(Figure::is_finite) {
            return invalid("a figure is not a finite number, or its interval is the wrong way round");
        }
        if self.gates.iter().any(|gate| gate.figures.len() > MAX_ITEMS) {
            return invalid("a gate has more than 100 figures");
        }
        Ok(self)
    }

    /// The verdict of a gate.
    pub fn verdict(&self, gate: &str) -> Option<Verdict> {
        self.gates.iter().find(|result| result.name == gate).map(|result| result.verdict)
    }
}

/// What an artifact needs in order to be promoted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GatePolicy {
    /// Gates that must be in the report and have passed; the gates that it holds beside must have
    /// passed too.
    pub required: BTreeSet<String>,
    /// Whether a person must have approved the same artifact.
    pub approval: bool,
}

/// A person's approval of an artifact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// The request that was decided.
    pub id: ApprovalId,
    /// Of which artifact.
    pub digest: Digest,
    /// Until when it counts.
    pub expires: MachineTime,
}

/// Whether an artifact may be promoted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GateStatus {
    /// It may.
    Passed,
    /// It may not, and this is what is missing.
    Missing(String),
}

/// The rule: the newest report of exactly this digest has every required gate, none of its gates is
/// other than passed, and, if the policy asks for one, there is an approval of this digest that has not
/// expired.
pub fn gate_status(
    digest: &Digest,
    newest: Option<&GateReport>,
    policy: &GatePolicy,
    approvals: &[Approval],
    now: MachineTime,
) -> GateStatus {
    let is_of_this = |report: &&GateReport| report.digest == *digest || is_planted(Fault::VerdictUnbound);
    let Some(report) = newest.filter(is_of_this) else {
        return GateStatus::Missing(
            "its gates have not been evaluated; run the pipeline that does".to_owned(),
        );
    };
    if let Some(absent) = policy.required.iter().find(|gate| report.verdict(gate).is_none()) {
        return GateStatus::Missing(format!("gate '{absent}' has not been evaluated"));
    }
    // What failed is told before what could not be told.
    let first = |verdict| report.gates.iter().find(|gate| gate.verdict == verdict);
    if let Some(GateResult { name, sentence, .. }) = first(Verdict::Failed) {
        return GateStatus::Missing(format!("gate '{name}' failed: {sentence}"));
    }
    if let Some(GateResult { name, sentence, .. }) = first(Verdict::Inconclusive) {
        return GateStatus::Missing(format!(
            "gate '{name}' is inconclusive, which counts as not passed: {sentence}"
        ));
    }
    let approved = |approval: &Approval| approval.digest == *digest && now < approval.expires;
    if policy.approval && !approvals.iter().any(approved) {
        return GateStatus::Missing("no unexpired approval of this artifact; ask an approver".to_owned());
    }
    GateStatus::Passed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(name: &str, verdict: Verdict) -> GateResult {
        let figure = Figure { value: 0.2, interval: Some((0.1, 0.3)), limit: Some(0.4) };
        let figures = BTreeMap::from([("log_loss_gain".to_owned(), figure)]);
        GateResult { name: name.to_owned(), verdict, figures, sentence: "because".to_owned() }
    }

    fn report(digest: Digest, gates: Vec<GateResult>) -> GateReport {
        let (version, evaluated) = (Some(1), MachineTime::from_micros(1));
        GateReport { model: "m".to_owned(), version, digest, gates, data: BTreeMap::new(), evaluated }
    }

    #[test]
    fn only_the_same_artifact_with_every_gate_passed_and_approved_may_go() {
        let (digest, other) = (Digest::of(b"a"), Digest::of(b"b"));
        let required = BTreeSet::from(["incumbent".to_owned(), "calibration".to_owned()]);
        let policy = GatePolicy { required, approval: false };
        let strict = GatePolicy { approval: true, ..policy.clone() };
        let now = MachineTime::from_micros(10);
        let all = |verdict| vec![gate("incumbent", Verdict::Passed), gate("calibration", verdict)];
        let good = report(digest, all(Verdict::Passed));
        let status = |newest: Option<&GateReport>, policy: &GatePolicy, approvals: &[Approval]| {
            gate_status(&digest, newest, policy, approvals, now)
        };
        let missing = |status: GateStatus, what: &str| match status {
            GateStatus::Missing(reason) => assert!(reason.contains(what), "{reason}"),
            GateStatus::Passed => panic!("must be missing: {what}"),
        };
        assert_eq!(status(Some(&good), &policy, &[]), GateStatus::Passed);
        missing(status(None, &policy, &[]), "not been evaluated");
        missing(status(Some(&report(other, all(Verdict::Passed))), &policy, &[]), "not been evaluated");
        missing(status(Some(&report(digest, all(Verdict::Failed))), &policy, &[]), "'calibration' failed");
        let open = report(digest, all(Verdict::Inconclusive));
        missing(status(Some(&open), &policy, &[]), "'calibration' is inconclusive");
        let mut both = all(Verdict::Failed);
        both.insert(0, gate("slices", Verdict::Inconclusive));
        missing(status(Some(&report(digest, both)), &policy, &[]), "'calibration' failed");
        let one = vec![gate("incumbent", Verdict::Passed)];
        missing(status(Some(&report(digest, one)), &policy, &[]), "'calibration' has not");
        let mut extra = all(Verdict::Passed);
        extra.push(gate("slices", Verdict::Failed));
        missing(status(Some(&report(digest, extra)), &policy, &[]), "'slices' failed");

        let approval = |digest, expires| Approval {
            id: ApprovalId::from_bytes([1; 16]),
            digest,
            expires: MachineTime::from_micros(expires),
        };
        missing(status(Some(&good), &strict, &[]), "approval");
        missing(status(Some(&good), &strict, &[approval(digest, 10), approval(other, 99)]), "approval");
        assert_eq!(status(Some(&good), &strict, &[approval(digest, 11)]), GateStatus::Passed);
    }

    #[test]
    fn reports_are_checked() {
        let digest = Digest::of(b"a");
        let twice = vec![gate("g", Verdict::Passed), gate("g", Verdict::Passed)];
        let mut nan = gate("g", Verdict::Passed);
        nan.figures.insert("x".to_owned(), Figure { value: f64::NAN, ..Figure::default() });
        let mut crossed = gate("g", Verdict::Passed);
        crossed.figures.insert("x".to_owned(), Figure { interval: Some((1.0, 0.0)), ..Figure::default() });
        for bad in [Vec::new(), twice, vec![nan], vec![crossed]] {
            assert!(matches!(report(digest, bad).checked(), Err(GovernanceError::InvalidReport(_))));
        }
        let good = report(digest, vec![gate("g", Verdict::Passed)]);
        let text = serde_json::to_string(&good).unwrap();
        assert_eq!(serde_json::from_str::<GateReport>(&text).unwrap(), good.checked().unwrap());
    }
}
