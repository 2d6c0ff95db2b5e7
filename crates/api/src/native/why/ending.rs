//! Why a rollout ended, in a sentence made of its last event.

use mainstay_core::event::RecordedEvent;
use mainstay_serving::rollout::{Evidence, PromoteReason, RollBackReason};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The guard that was breached, what mature labels showed, that time was up, or the words of whoever decided by
/// hand or ended the run that carried the rollout out. `None` for an event that ends no rollout, and where its
/// body was erased.
pub fn ending(event: &RecordedEvent) -> Option<String> {
    let detail = event.body.as_ref()?.get("detail")?;
    let by_hand = || detail.get("reason").and_then(Value::as_str).map(str::to_owned);
    match event.kind.as_str() {
        "rollout.rolled_back" => read(detail, "verdict")
            .map(|reason| rolled_back(&reason, read(detail, "evidence").as_ref()))
            .or_else(|| by_hand().map(|reason| format!("by hand: {reason}"))),
        "rollout.promoted" => read(detail, "verdict")
            .map(|reason| promoted(reason, read(detail, "evidence").as_ref()))
            .or_else(|| by_hand().map(|reason| format!("by hand: {reason}"))),
        "rollout.aborted" => by_hand(),
        _ => None,
    }
}

fn read<T: DeserializeOwned>(detail: &Value, key: &str) -> Option<T> {
    serde_json::from_value(detail.get(key)?.clone()).ok()
}

fn rolled_back(reason: &RollBackReason, evidence: Option<&Evidence>) -> String {
    match reason {
        RollBackReason::Guard { guard, observed, limit } => {
            let name = serde_json::to_value(guard).ok();
            let name = name.as_ref().and_then(Value::as_str).unwrap_or_default().replace('_', " ");
            format!("guard {name} was breached: {} against a limit of {limit}", figure(*observed))
        }
        RollBackReason::Harm => {
            format!("mature labels show that it does harm{}", losses(evidence))
        }
        RollBackReason::Inconclusive => {
            "time was up without a verdict, and its plan says to roll back then".to_owned()
        }
    }
}

fn promoted(reason: PromoteReason, evidence: Option<&Evidence>) -> String {
    match reason {
        PromoteReason::NonInferior => format!("mature labels show that it is no worse{}", losses(evidence)),
        PromoteReason::Inconclusive => {
            "time was up without a verdict, and its plan says to promote then".to_owned()
        }
    }
}

/// The paired losses that were decided on.
fn losses(evidence: Option<&Evidence>) -> String {
    let Some(quality) = evidence.and_then(|evidence| evidence.quality) else { return String::new() };
    let (difference, pairs) = (quality.mean_difference, quality.mature_pairs);
    let than = if difference > 0.0 { "above" } else { "below" };
    format!(": mean loss {} {than} the champion's over {pairs} pairs", figure(difference.abs()))
}

/// Four digits tell enough; shorter numbers stay as they are.
fn figure(value: f64) -> String {
    let rounded = format!("{value:.4}");
    let short = rounded.trim_end_matches('0').trim_end_matches('.');
    if short.is_empty() || value != 0.0 && short == "0" { format!("{value:e}") } else { short.to_owned() }
}

#[cfg(test)]
mod tests {
    use mainstay_core::event::EventSeq;
    use mainstay_core::principal::Actor;
    use mainstay_core::scope::{ResourceKind, Subject, default_workspace};
    use mainstay_core::time::MachineTime;
    use serde_json::json;

    use super::*;

    fn said(kind: &str, detail: &Value) -> Option<String> {
        ending(&RecordedEvent {
            seq: EventSeq(1),
            at: MachineTime::from_micros(0),
            kind: kind.to_owned(),
            actor: Actor::local(),
            workspace: default_workspace(),
            subject: Subject::new(ResourceKind::Rollout, "r"),
            body: Some(json!({ "detail": detail })),
        })
    }

    /// As the commands of `serving` write them.
    #[test]
    fn every_ending_has_its_reason() {
        let guard = RollBackReason::Guard {
            guard: mainstay_serving::rollout::Guard::OutputShift,
            observed: 0.412_345,
            limit: 0.2,
        };
        let evidence = json!({
            "watermark": 0, "pairs": 400, "first_pair": null, "guards": [],
            "quality": {
                "verdict": "harmful", "log_e_non_inferior": 0.0, "log_e_harm": 4.0,
                "mean_difference": 0.07, "mature_pairs": 4112, "coverage": 1.0,
            },
        });
        let back = "rollout.rolled_back";
        for (kind, detail, expected) in [
            (
                back,
                json!({ "verdict": guard }),
                "guard output shift was breached: 0.4123 against a limit of 0.2",
            ),
            (
                back,
                json!({ "verdict": RollBackReason::Harm, "evidence": evidence }),
                "mature labels show that it does harm: mean loss 0.07 above the champion's over 4112 pairs",
            ),
            (back, json!({ "verdict": RollBackReason::Harm }), "mature labels show that it does harm"),
            (
                back,
                json!({ "verdict": RollBackReason::Inconclusive }),
                "time was up without a verdict, and its plan says to roll back then",
            ),
            (back, json!({ "reason": "complaints" }), "by hand: complaints"),
            (
                "rollout.promoted",
                json!({ "verdict": PromoteReason::Inconclusive }),
                "time was up without a verdict, and its plan says to promote then",
            ),
            ("rollout.promoted", json!({ "reason": "I know" }), "by hand: I know"),
            (
                "rollout.aborted",
                json!({ "reason": "its run was cancelled: typo" }),
                "its run was cancelled: typo",
            ),
        ] {
            assert_eq!(said(kind, &detail).as_deref(), Some(expected), "{kind} {detail}");
        }
        assert_eq!(said("rollout.advanced", &json!({ "reason": "x" })), None);
        assert_eq!(said(back, &json!({ "verdict": { "reason": "new" } })), None, "nothing is made up");
    }

    #[test]
    fn figures_are_short_and_not_rounded_to_nothing() {
        for (value, text) in [(0.07, "0.07"), (3.0, "3"), (0.0, "0"), (0.412_345, "0.4123"), (1e-7, "1e-7")] {
            assert_eq!(figure(value), text);
        }
    }
}
