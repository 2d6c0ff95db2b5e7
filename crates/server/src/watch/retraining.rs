//! Retraining policies: an alarm, or age, starts the pipeline that makes a new candidate.

use mainstay_core::id::PipelineRunId;
use mainstay_core::name::Name;
use mainstay_core::principal::Principal;
use mainstay_core::time::DataTime;
use mainstay_monitoring::record::{Cause, RecordedAlarm};
use mainstay_monitoring::reference::Family;
use mainstay_pipelines::commands::{FireSchedule, StartRun};
use mainstay_pipelines::definition::{Parameters, Source};
use mainstay_pipelines::port::PipelineReader as _;
use mainstay_pipelines::run::{Cause as RunCause, CauseKind};
use mainstay_serving::endpoint::Endpoint;
use mainstay_serving::retraining::{RetrainingPolicy, Trigger};
use serde_json::{Map, Value, json};

use crate::Failed;
use mainstay_platform::Platform;

/// Starts what the endpoint's policies demand of an alarm, as it stands at a data time: when it is raised, and,
/// as long as nothing that was tried has ended it, again after each cool-down. The same instant again starts
/// nothing.
pub(super) async fn answer(
    platform: &Platform,
    workspace: &Name,
    endpoint: &Endpoint,
    alarm: &RecordedAlarm,
    at: DataTime,
) -> Result<(), Failed> {
    for policy in endpoint.retraining.iter().filter(|policy| demands(policy, alarm)) {
        if let Err(error) = start(platform, workspace, endpoint, policy, alarm, at).await {
            tracing::warn!(%error, endpoint = %endpoint.name, policy = %policy.name, "a retraining policy could not start its pipeline");
        }
    }
    Ok(())
}

fn demands(policy: &RetrainingPolicy, alarm: &RecordedAlarm) -> bool {
    match (&policy.trigger, &alarm.cause) {
        (Trigger::Alarm, Cause::Changed(_)) => alarm.finding.family != Family::Age,
        (Trigger::Age { days }, Cause::Aged(aged)) => *days == aged.limit_days,
        _ => false,
    }
}

async fn start(
    platform: &Platform,
    workspace: &Name,
    endpoint: &Endpoint,
    policy: &RetrainingPolicy,
    alarm: &RecordedAlarm,
    at: DataTime,
) -> Result<(), Failed> {
    let reader = &platform.database.reader;
    let schedule = format!("retraining/{}/{}", endpoint.name, policy.name);
    let at_micros = at.micros();
    // Of firings at or before this instant: after a restart instants come again that later ones followed.
    let last = reader.last_firing_until(workspace, &schedule, at_micros).await?;
    if last.is_some_and(|last| at_micros > last && at_micros - last < policy.cool_down_micros) {
        tracing::info!(endpoint = %endpoint.name, policy = %policy.name, "within its cool-down");
        return Ok(());
    }
    let name = &policy.strategy.pipeline;
    let pipelines = reader.pipelines(workspace).await?;
    let Some(pipeline) = pipelines.into_iter().find(|pipeline| pipeline.name == *name) else {
        tracing::warn!(endpoint = %endpoint.name, policy = %policy.name, pipeline = %name, "there is no such pipeline");
        return Ok(());
    };
    let mut params: Map<String, Value> = policy.strategy.params.clone().into_iter().collect();
    params.insert("endpoint".to_owned(), json!(endpoint.name));
    params.insert("policy".to_owned(), json!(policy.name));
    let parameters = Parameters { overrides: params.clone(), ..Parameters::default() };
    let definition = Source::parse(&pipeline.source)?.resolve_with(&parameters, &mainstay_steps::all())?;
    let start = StartRun {
        workspace: workspace.clone(),
        id: PipelineRunId::draw(&*platform.entropy),
        pipeline: pipeline.name,
        definition: definition.into(),
        params,
        data_time: Some(at),
        cause: RunCause {
            kind: CauseKind::Event,
            evidence: json!({
                "alarm": alarm.id,
                "endpoint": alarm.endpoint,
                "policy": policy.name,
                "family": alarm.finding.family,
                "cause": alarm.cause,
            }),
        },
        idempotency_key: None,
    };
    let fire = FireSchedule { schedule, at_micros, revision: None, start };
    platform.pipelines.run(&Principal::system("watch"), fire).await?;
    Ok(())
}
